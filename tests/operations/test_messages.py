"""Messages that were put aside, taken out by their reader: refused ones, and those of unknown senders.

With what a generated configuration has: names of mailboxes say what is junk.
"""

import hashlib

import pytest
from msgspec.structs import replace

from appliance.config.generate import NEUTRAL_MAILBOXES
from appliance.delivery import rejects
from appliance.operations import messages
from appliance.operations.actor import Actor
from appliance.store import acl, mailbox, message
from appliance.store.records import JUNK, NOT_JUNK, SEEN, Origin, Rights
from appliance.store.tables import MailboxRef
from support.imaphouse import DOMAINS, House, open_house
from support.stores import new_message

CONFIG = DOMAINS.replace(
    "[accounts.alice]\n", '[accounts.alice]\nrejects_mailbox = "Rejects"\nintrobox = "Introbox"\n'
) + (
    "[accounts.alice.automatic_junk_flags]\nenabled = true\n"
    f'junk_mailbox_regexp = "^(junk|spam)"\nneutral_mailbox_regexp = "{NEUTRAL_MAILBOXES}"\n'
)
MAIL = b"Message-ID: <a@example.com>\r\nSubject: hi\r\n\r\nhello\r\n"


def actor(house: House) -> Actor:
    return Actor(house.account, "alice", "alice@example.org")


def ref(house: House, name: str) -> MailboxRef:
    with house.store.read() as tx:
        return MailboxRef(house.account, mailbox.by_name(tx, house.account, name).id)


def make(house: House, *names: str) -> None:
    for name in names:
        with house.store.read() as tx:
            found = mailbox.find(tx, house.account, name)
        if found is None:
            house.store.write_sync(mailbox.create, house.account, name, limits=house.store.limits.mailbox)


def refuse(house: House, destined: str = "Inbox") -> int | None:
    """A copy of a refused message; its UID in Rejects, None when there is one already."""
    added = house.store.write_sync(
        rejects.add,
        house.account,
        "Rejects",
        new_message(house.store, MAIL),
        destined=destined,
        digest=hashlib.sha256(MAIL).digest(),
        keep_all=False,
        limits=house.store.limits.mailbox,
        junk_rules=house.app.config.snapshot().domains.accounts["alice"].automatic_junk_flags,
    )
    return None if added is None else added.uid


def introduce(house: House, flags: int = 0) -> int:
    """A message of somebody unknown, meant for the Inbox; its UID in Introbox."""
    make(house, "Introbox")
    new = replace(
        new_message(house.store, MAIL),
        destined_mailbox=ref(house, "Inbox").id,
        origin=Origin(mail_from="bob@example.com"),
    )
    return house.store.write_sync(message.add, *ref(house, "Introbox"), new, flags=flags).uid


def at(house: House, name: str, uid: int) -> tuple[int, str, str, bool]:
    """Flags, mailbox of origin, mailbox destined for, whether it is a refused one."""
    with house.store.read() as tx:
        row = message.row(tx, *ref(house, name), uid)
        facts = message.facts(tx, house.account, row.id)
        names = {one.id: one.name for one in tx.mailboxes(house.account)}
    destined = names.get(facts.destined_mailbox, "")
    return row.flags, names[facts.origin_mailbox], destined, facts.origin.is_reject


VERBS = [pytest.param(messages.move, id="move"), pytest.param(messages.copy, id="copy")]


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    ("destined", "target", "expected"),
    [
        pytest.param("Inbox", "Inbox", (0, "Inbox", "", False), id="where it should have gone, unread, unjudged"),
        pytest.param("Inbox", "Archive", (NOT_JUNK, "Inbox", "", False), id="good, among what the Inbox gets"),
        pytest.param("Inbox", "Junk", (JUNK, "Inbox", "", False), id="junk, among what the Inbox gets"),
        pytest.param("Inbox", "Spam/2026", (JUNK, "Inbox", "", False), id="junk by the mailbox's name"),
        pytest.param("Lists", "Inbox", (0, "Lists", "", False), id="elsewhere than it should have gone"),
        pytest.param("", "Archive", (NOT_JUNK, "Rejects", "", False), id="meant for no mailbox that there is"),
    ],
)
async def test_out_of_rejects(tmp_path, verb, destined, target, expected):
    async with open_house(tmp_path, CONFIG) as house:
        make(house, "Spam/2026")
        uid = refuse(house, destined)
        assert at(house, "Rejects", uid) == (SEEN, "Rejects", destined, True)
        _, ((_, there),) = await verb(house.app, actor(house), ref(house, "Rejects"), [uid], target, None)
        assert at(house, target, there) == expected
        if verb is messages.copy:
            assert at(house, "Rejects", uid) == (SEEN, "Rejects", destined, True)


async def test_rescued_it_is_no_copy_any_more(tmp_path):
    """It is not removed as one, and another may come in its place."""
    async with open_house(tmp_path, CONFIG) as house:
        uid = refuse(house)
        assert refuse(house) is None
        _, ((_, there),) = await messages.move(house.app, actor(house), ref(house, "Rejects"), [uid], "Inbox", None)
        again = refuse(house)
        assert again is not None
        house.store.write_sync(rejects.forget, house.account, "Rejects", "a@example.com")
        with house.store.read() as tx:
            assert message.row(tx, *ref(house, "Rejects"), again) is None
        assert at(house, "Inbox", there) == (0, "Inbox", "", False)
        # Put back by hand, it is its reader's own.
        _, ((_, back),) = await messages.move(house.app, actor(house), ref(house, "Inbox"), [there], "Rejects", None)
        assert at(house, "Rejects", back) == (0, "Inbox", "", False)
        house.store.write_sync(rejects.forget, house.account, "Rejects", "a@example.com")
        assert at(house, "Rejects", back)[1] == "Inbox"


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        pytest.param(["\\Flagged"], ("Rejects", "Inbox", True), id="says nothing"),
        pytest.param(["$NotJunk"], ("Inbox", "", True), id="good"),
        pytest.param(["$Junk"], ("Inbox", "", True), id="junk"),
    ],
)
async def test_judged_in_rejects(tmp_path, flags, expected):
    """A judgement counts for the mailbox it was meant for; the copy stays one, to be removed with the others."""
    async with open_house(tmp_path, CONFIG) as house:
        uid = refuse(house)
        await messages.store_flags(house.app, actor(house), ref(house, "Rejects"), [uid], "+", flags, None)
        assert at(house, "Rejects", uid)[1:] == expected
        assert refuse(house) is None


@pytest.mark.parametrize("verb", VERBS)
async def test_to_somebody_else(tmp_path, verb):
    async with open_house(tmp_path, CONFIG) as house:
        with house.store.read() as tx:
            bob = tx.account_id("bob")
            inbox = mailbox.by_name(tx, bob, "Inbox")
        rights = int(Rights.LOOKUP | Rights.INSERT | Rights.SEEN)
        house.store.write_sync(acl.set_rights, bob, inbox.id, house.account, rights, most=10)
        uid = refuse(house)
        name = "Other Users/bob/Inbox"
        _, ((_, there),) = await verb(house.app, actor(house), ref(house, "Rejects"), [uid], name, None)
        with house.store.read() as tx:
            row = message.row(tx, bob, inbox.id, there)
            assert not row.flags
            assert not message.facts(tx, bob, row.id).origin.is_reject


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    ("flags", "path", "expected"),
    [
        pytest.param(SEEN, ["Inbox"], (SEEN | NOT_JUNK, "Inbox", "", False), id="vouched for"),
        pytest.param(JUNK, ["Inbox"], (NOT_JUNK, "Inbox", "", False), id="neutral, then vouched for"),
        pytest.param(0, ["Junk"], (JUNK, "Inbox", "", False), id="junk among what the Inbox gets"),
        pytest.param(0, ["Archive"], (NOT_JUNK, "Inbox", "", False), id="good by the mailbox"),
        pytest.param(0, ["Neutral"], (0, "Introbox", "Inbox", False), id="neither judged nor arrived"),
        pytest.param(0, ["Neutral", "Inbox"], (NOT_JUNK, "Inbox", "", False), id="by way of another"),
        pytest.param(
            0, ["Neutral", "Junk", "Inbox"], (0, "Inbox", "", False), id="once judged, no more than any other"
        ),
    ],
)
async def test_out_of_introbox(tmp_path, verb, flags, path, expected):
    async with open_house(tmp_path, CONFIG) as house:
        make(house, "Neutral")
        here, uid = "Introbox", introduce(house, flags)
        for target in path:
            _, ((_, uid),) = await verb(house.app, actor(house), ref(house, here), [uid], target, None)
            here = target
        assert at(house, here, uid) == expected


async def test_as_a_client_does_it(tmp_path):
    async with open_house(tmp_path, CONFIG) as house:
        refuse(house)
        introduce(house)
        client = await house.log_in()
        await client.command("SELECT Rejects")
        await client.command("UID MOVE 1 INBOX")
        await client.command("SELECT Introbox")
        await client.command("UID MOVE 1 INBOX")
        await client.command("SELECT INBOX")
        refused, unknown = [line for line in await client.command("UID FETCH 1:* FLAGS") if b"FETCH" in line]
        assert b"\\Seen" not in refused
        assert b"Junk" not in refused
        assert b"$NotJunk" in unknown
        assert refuse(house) is not None
