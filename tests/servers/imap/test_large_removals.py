"""A mailbox with very many messages is removed while others have it selected."""

from pathlib import Path

import pytest

from appliance.store import mailbox, message
from support.imaphouse import House, open_house


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailbox, "REMOVED_AT_ONCE", 2)


async def empty(house: House) -> int:
    """Remove the messages that are left, one by one; how many there were."""
    with house.store.read() as tx:
        ((account, number),) = message.to_be_emptied(tx)
    count = 1
    while await house.store.write(message.empty, account, number, 1):
        count += 1
    return count


@pytest.mark.parametrize("partly", [False, True])
@pytest.mark.parametrize("kind", ["plain", "qresync", "uidonly", "notify", "deaf", "overflow"])
async def test_who_has_it_selected_hears_of_each_once(kind: str, partly: bool, tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        one, other = await house.log_in(), await house.log_in()
        await one.command("CREATE big")
        for _ in range(5):
            await one.append(b"Subject: x\r\n\r\n", "big", "\\Deleted")
        enabled = {"qresync": "ENABLE QRESYNC", "uidonly": "ENABLE UIDONLY"}.get(kind)
        if enabled:
            await other.command(enabled)
        await other.command("SELECT big")
        if kind in {"notify", "deaf"}:
            which = "selected (MessageNew MessageExpunge)" if kind == "notify" else "inboxes NONE"
            await other.command(f"NOTIFY SET ({which})")
        if kind == "overflow":
            subscription = house.sessions[1].subscription
            assert subscription is not None
            subscription._limit = 0
        removed = "\r\nx NOOP" if kind == "plain" else ""
        await one.command(f"DELETE big{removed}".partition("\r")[0])
        await one.command("CREATE big")
        await one.append(b"Subject: new\r\n\r\n", "big")
        told: list[bytes] = []
        if kind == "notify":
            while not await other.is_silent():
                told.append(await other.line())
        elif partly:
            told += await other.command("NOOP")
            if kind == "plain":
                await other.command("FETCH 1 FLAGS", expect=b"BAD")
                await other.command("COPY 1 INBOX", expect=b"BAD")
            await other.command("UID COPY 1:* INBOX", expect=b"")
        assert await empty(house) == 5
        if kind == "notify":
            while not await other.is_silent():
                told.append(await other.line())
        told += await other.command("NOOP")
        if kind == "deaf":
            told += await other.command("NOTIFY SET (selected (MessageNew MessageExpunge))")
        gone = [line for line in told if b"EXPUNGE" in line or b"VANISHED" in line]
        if enabled:
            uids = [word for line in gone for word in line.split()[-1].split(b",")]
            assert sorted(uids) in ([b"1:5"], [b"1", b"2", b"3", b"4", b"5"]), told
        else:
            assert gone == [b"* %d EXPUNGE" % number for number in (5, 4, 3, 2, 1)], told
        assert not any(b"EXISTS" in line for line in told)
        assert (await other.command("STATUS INBOX (MESSAGES)"))[0] == b"* STATUS INBOX (MESSAGES 0)"
        assert (await other.command("STATUS big (MESSAGES)"))[0] == b"* STATUS big (MESSAGES 1)"
