"""APPEND and REPLACE at their borders: quota, clients that leave or stop in the middle of a message."""

import pytest
import trio
import trio.testing

from support.imaphouse import DOMAINS, House, open_house
from support.quiet import settled

QUOTA = DOMAINS.replace("[accounts.alice]", "[accounts.alice]\nquota_message_size = 1000")


async def count(house: House) -> bytes:
    client = await house.log_in()
    lines = await client.command("STATUS INBOX (MESSAGES)")
    return lines[0]


@pytest.fixture
async def small(tmp_path):
    async with open_house(tmp_path, QUOTA) as house:
        yield house


async def test_quota_before_the_message_comes(small: House):
    client = await small.log_in()
    await client.send(b"a APPEND INBOX {1001}\r\n")
    assert (await client.line()).startswith(b"a NO [OVERQUOTA] ")
    await client.command("NOOP")


async def test_quota_of_all_messages_of_a_command(small: House):
    """The third does not fit beside the first two, which are not stored either."""
    client = await small.log_in()
    message = b"Subject: x\r\n\r\n" + b"y" * 386
    await client.send(b"a APPEND INBOX {%d+}\r\n%b {%d+}\r\n%b {%d}\r\n" % ((400, message) * 2 + (400,)))
    assert (await client.line()).startswith(b"a NO [OVERQUOTA] ")
    assert await count(small) == b"* STATUS INBOX (MESSAGES 0)"
    await client.append(message)
    await client.append(message)


async def test_only_what_is_added_counts_when_a_message_is_replaced(small: House):
    client = await small.log_in()
    await client.append(b"X: 1\r\n\r\n" + b"y" * 892)
    await client.command("SELECT INBOX")
    await client.command(b"REPLACE 1 INBOX {950+}\r\nX: 2\r\n\r\n" + b"z" * 942)
    await client.command(b"REPLACE * INBOX {1001+}\r\n" + b"z" * 1001, expect=b"NO [OVERQUOTA]")
    assert await count(small) == b"* STATUS INBOX (MESSAGES 1)"


async def test_quota_used_up_by_another_meanwhile(small: House):
    client = await small.log_in()
    await client.send(b"a APPEND INBOX {600}\r\n")
    assert await client.line() == b"+ go ahead"
    await (await small.log_in()).append(b"X: 1\r\n\r\n" + b"y" * 600)
    await client.send(b"z" * 600 + b"\r\n")
    assert (await client.line()).startswith(b"a NO [OVERQUOTA] ")
    assert await count(small) == b"* STATUS INBOX (MESSAGES 1)"


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"a APPEND INBOX {6000000+}\r\n" + b"x" * 5_000_000, id="large"),
        pytest.param(b"a APPEND INBOX {3+}\r\nX:1 {6000000+}\r\n" + b"x" * 5_000_000, id="large, the second"),
        pytest.param(b"a APPEND INBOX {3+}\r\nX:1", id="before the line end"),
        pytest.param(b"a APPEND INBOX {3+}\r\nX:1 {3+}\r\nX:2", id="before the line end, two"),
    ],
)
async def test_a_client_that_leaves_in_the_middle(tmp_path, sent):
    async with open_house(tmp_path, max_message_octets=10_000_000) as house:
        client = await house.log_in()
        await client.send(sent)
        await settled()
        await client.stream.aclose()
        while house.store.feed._listeners:
            await trio.sleep(0)
        assert await count(house) == b"* STATUS INBOX (MESSAGES 0)"
        assert list((tmp_path / "spool").glob("*")) == []


async def test_a_client_that_stops_in_the_middle(tmp_path, mock_clock):
    async with open_house(tmp_path) as house:
        for beginning in (b"a APPEND INBOX {9+}\r\nx", b"a SELECT {9+}\r\nx"):
            client = await house.log_in()
            await client.send(beginning)
            await settled()
            mock_clock.jump(31)
            assert await client.line() == b"* BYE inactive for too long"
            assert await client.line() == b""
        assert await count(house) == b"* STATUS INBOX (MESSAGES 0)"


async def test_an_account_that_is_disabled_meanwhile(tmp_path):
    async with open_house(tmp_path) as house:
        client = await house.log_in()
        disabled = DOMAINS.replace("[accounts.alice]", '[accounts.alice]\nlogin_disabled = "moved away"')
        (tmp_path / "domains.toml").write_text(disabled)
        house.app.config.reload()
        await client.send(b"a APPEND INBOX {3}\r\n")
        assert await client.line() == b"* BYE [ALERT] moved away"
