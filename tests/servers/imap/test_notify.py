"""NOTIFY when there is too much to tell (RFC 5465 §5.8), and what is kept meanwhile."""

from pathlib import Path

import pytest
import trio

from appliance.servers.imap import notify
from appliance.servers.imap.notify import Notify
from support.imaphouse import DOMAINS, Client, House, open_house
from support.quiet import settled

_OVERFLOW = b"* OK [NOTIFICATIONOVERFLOW] too much happened, ask again"


async def _silent(house: House, client: Client) -> None:
    """Nothing comes though something happens."""
    await house.deliver()
    await settled()
    assert len(await client.command("NOOP")) == 1


async def _flood(house: House) -> None:
    """More happens than is kept, before the client's task has its turn."""
    await settled()
    feed = house.store.feed
    (subscription,) = feed._listeners[house.account]
    subscription._limit = 3
    for _ in range(4):
        subscription._waiter, waiter = None, subscription._waiter
        await house.deliver()
        subscription._waiter = waiter
    subscription._limit = 10_000


async def test_too_much_between_commands(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        client = await house.log_in()
        await client.command("SELECT INBOX")
        await client.command("NOTIFY SET (selected (MessageNew MessageExpunge FlagChange)) (personal (MailboxName))")
        await _flood(house)
        with trio.fail_after(30):
            lines = await client.command("NOOP")
            assert _OVERFLOW in lines
            assert not any(b"EXISTS" in line for line in lines)
            await _silent(house, client)
            # Asked for again, all of it is told.
            lines = await client.command("NOTIFY SET (selected (MessageNew MessageExpunge FlagChange))")
            assert b"* 5 EXISTS" in lines
            assert len([line for line in lines if b"FETCH" in line]) == 5
            assert _OVERFLOW not in lines


async def test_without_notify_nothing_is_lost(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        client = await house.log_in()
        await house.deliver()
        await client.command("SELECT INBOX")
        await _flood(house)
        lines = await client.command("NOOP")
        assert b"* 5 EXISTS" in lines
        assert _OVERFLOW not in lines


async def test_too_many_removals_held_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Notify, "DELAYED_REMOVALS", 2)
    async with open_house(tmp_path) as house:
        client, other = await house.log_in(), await house.log_in()
        for _ in range(5):
            await house.deliver()
        for one in (client, other):
            await one.command("SELECT INBOX")
        await client.command("NOTIFY SET (selected-delayed (MessageNew MessageExpunge))")
        await other.command("UID MOVE 1:2 Trash")
        await settled()
        await other.command("UID MOVE 3 Trash")
        with trio.fail_after(30):
            assert await client.line() == _OVERFLOW
            # Those it was to be told of are told when it asks, as by NOTIFY NONE nothing else is.
            assert [line for line in await client.command("NOOP") if b"EXPUNGE" in line] == [
                b"* 3 EXPUNGE",
                b"* 2 EXPUNGE",
                b"* 1 EXPUNGE",
            ]
            await _silent(house, client)


async def test_news_of_annotations(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        client, other = await house.log_in(), await house.log_in()
        assert b"* ENABLED METADATA" in await client.command("ENABLE METADATA")
        await other.command('SETMETADATA INBOX (/private/comment "mine")')
        await other.command('SETMETADATA "" (/shared/comment "all")')
        lines = await client.command("NOOP")
        assert lines[:-1] == [b"* METADATA INBOX /private/comment", b'* METADATA "" /shared/comment']
        await client.command("NOTIFY SET (personal (MailboxMetadataChange))")
        await other.command('SETMETADATA "" (/shared/comment NIL)')
        await other.command("SETMETADATA Sent (/private/comment {1+}\r\nx)")
        with trio.fail_after(30):
            assert await client.line() == b"* METADATA Sent /private/comment"
            await client.command("NOTIFY SET (subscribed (ServerMetadataChange))")
            await other.command("SETMETADATA Sent (/private/comment NIL)")
            await other.command('SETMETADATA "" (/shared/comment "new")')
            assert await client.line() == b'* METADATA "" /shared/comment'


async def test_status_of_all_in_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "PIPELINED", 2)
    async with open_house(tmp_path) as house:
        client = await house.log_in()
        await client.command("CREATE INBOX/below")
        lines = await client.command("NOTIFY SET STATUS (personal (MessageNew MessageExpunge))")
        told = [line.split()[2] for line in lines[:-1]]
        assert told == [b"Archive", b"Drafts", b"INBOX", b"INBOX/below", b"Junk", b"Sent", b"Trash"]
        lines = await client.command("NOTIFY SET STATUS (inboxes (MessageNew MessageExpunge))")
        assert [line.split()[2] for line in lines[:-1]] == [b"INBOX", b"INBOX/below"]
        # What mail is delivered to may change.
        rule = '[[accounts.alice.destinations."alice@example.org".rulesets]]\nsmtp_mail_from_regexp = "x"\nmailbox = "Sent"\n'
        (tmp_path / "domains.toml").write_text(DOMAINS.replace("[accounts.bob]\n", rule + "[accounts.bob]\n"))
        house.app.config.reload()
        lines = await client.command("NOTIFY SET STATUS (inboxes (MessageNew MessageExpunge))")
        assert [line.split()[2] for line in lines[:-1]] == [b"INBOX", b"INBOX/below", b"Sent"]
