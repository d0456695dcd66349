"""Whatever several clients do to one mailbox: what each has been told is in the end what the store holds."""

import random
import re
from pathlib import Path

import pytest

from appliance.operations import messages
from appliance.servers.imap import news
from support.imaphouse import Client, House, open_house

_FETCH = re.compile(rb"\* ([0-9]+) FETCH \((?:UID ([0-9]+) )?FLAGS \(([^)]*)\)")


class Mirror:
    """A client that believes what it is told, as mail programs do."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.flags: list[frozenset[bytes] | None] = []
        self.uids: list[int | None] = []

    async def command(self, text: str | bytes, *, may_expunge: bool = True) -> None:
        lines = await self.client.command(text, expect=b"")
        assert b" BAD " not in lines[-1], (text, lines)
        for line in lines[:-1]:
            self.hear(line, may_expunge)

    def hear(self, line: bytes, may_expunge: bool) -> None:
        if found := re.fullmatch(rb"\* ([0-9]+) EXISTS", line):
            count = int(found[1])
            assert count >= len(self.uids), line
            self.uids += [None] * (count - len(self.uids))
            self.flags += [None] * (count - len(self.flags))
        elif found := re.fullmatch(rb"\* ([0-9]+) EXPUNGE", line):
            assert may_expunge, line
            del self.uids[int(found[1]) - 1]
            del self.flags[int(found[1]) - 1]
        elif found := _FETCH.match(line):
            at = int(found[1]) - 1
            if found[2]:
                assert self.uids[at] in {None, int(found[2])}, (line, self.uids)
                self.uids[at] = int(found[2])
            self.flags[at] = frozenset(found[3].split())

    async def select(self) -> None:
        self.uids, self.flags = [], []
        await self.command("SELECT INBOX")
        if self.uids:
            await self.command("FETCH 1:* (UID FLAGS)", may_expunge=False)


async def _step(chance: random.Random, mirrors: list[Mirror], house: House) -> None:
    one = chance.choice(mirrors)
    count = len(one.uids)
    number = chance.randint(1, count) if count else 0
    other = chance.randint(1, count) if count else 0
    low, high = sorted((number, other))
    match chance.randrange(14):
        case 0 | 1:
            await house.deliver()
        case 2:
            await one.command(b"APPEND INBOX (\\Draft) {17+}\r\nSubject: 1\r\n\r\none")
        case 3 | 4 | 5 if count:
            sign = chance.choice(("", "+", "-"))
            flags = " ".join(chance.sample(("\\Seen", "\\Flagged", "\\Deleted", "work", "$Junk"), 2))
            silent = ".SILENT" if not sign and chance.random() < 0.3 else ""
            await one.command(f"STORE {low}:{high} {sign}FLAGS{silent} ({flags})", may_expunge=False)
            if silent:
                await one.command(f"FETCH {low}:{high} (UID FLAGS)", may_expunge=False)
        case 6 if count and one.uids[number - 1]:
            await one.command(f"UID STORE {one.uids[number - 1]} +FLAGS (\\Deleted)")
        case 7:
            await one.command("EXPUNGE")
        case 8 if count and one.uids[number - 1]:
            await one.command(f"UID EXPUNGE {one.uids[number - 1]}")
        case 9 if count:
            await one.command(f"FETCH {number} (BODY[] FLAGS)", may_expunge=False)
        case 10 if count:
            await one.command(f"MOVE {number} Trash")
        case 11 if count:
            await one.command(f"SEARCH {low}:{high} UNSEEN", may_expunge=False)
        case 12:
            await one.select()
        case _:
            await one.command("NOOP")


@pytest.mark.parametrize("seed", range(6))
async def test_every_client_knows_the_truth(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(seed)
    monkeypatch.setattr(news, "CHUNK", chance.choice((1, 2, 2000)))
    monkeypatch.setattr(news, "_PORTION", chance.choice((1, 3)))
    async with open_house(tmp_path) as house:
        mirrors = [Mirror(await house.log_in()) for _ in range(3)]
        for one in mirrors:
            await one.select()
        for _ in range(120):
            await _step(chance, mirrors, house)
        for one in mirrors:
            await one.command("NOOP")
            told = list(zip(one.uids, one.flags, strict=True))
            await one.select()
            assert told == list(zip(one.uids, one.flags, strict=True))


async def test_flags_of_very_many_messages_come_before_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(news, "CHUNK", 2)
    async with open_house(tmp_path) as house:
        for _ in range(6):
            await house.deliver()
        first, second, idle = [await house.log_in() for _ in range(3)]
        for one in (first, second, idle):
            await one.command("SELECT INBOX")
        await idle.send(b"i IDLE\r\n")
        assert await idle.line() == b"+ idling"
        await first.command("UID EXPUNGE 1")
        told = [b"* %d FETCH (UID %d FLAGS (\\Deleted))" % (number, number) for number in range(1, 7)]
        assert (await first.command("STORE 1:* +FLAGS (\\Deleted)"))[:-1] == told
        assert [await idle.line() for _ in told] == told
        assert (await first.command("UID EXPUNGE 2:3"))[:-1] == [b"* 3 EXPUNGE", b"* 2 EXPUNGE"]
        # Numbers are those after the removals, which have been told by then.
        lines = await second.command("NOOP")
        assert lines[:2] == [b"* 3 EXPUNGE", b"* 2 EXPUNGE"]
        numbers = enumerate((1, 4, 5, 6), 1)
        assert lines[2:-1] == [b"* %d FETCH (UID %d FLAGS (\\Deleted))" % one for one in numbers]


async def test_very_many_removals_and_arrivals_come_before_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(news, "CHUNK", 2)
    monkeypatch.setattr(news, "_PORTION", 1)
    async with open_house(tmp_path) as house:
        for _ in range(7):
            await house.deliver()
        first, second, quick = [await house.log_in() for _ in range(3)]
        await quick.command("ENABLE QRESYNC")
        for one in (first, second, quick):
            await one.command("SELECT INBOX")
        await first.command("STORE 2:6 +FLAGS.SILENT (\\Deleted)")
        assert (await first.command("EXPUNGE"))[:-1] == [b"* %d EXPUNGE" % number for number in (6, 5, 4, 3, 2)]
        # What is gone keeps its number as long as numbers may be meant.
        lines = await second.command("FETCH 7 UID")
        assert not [line for line in lines if b"EXPUNGE" in line]
        assert lines[0] == b"* 7 FETCH (UID 7)"
        lines = await second.command("NOOP")
        assert lines[:-1] == [b"* %d EXPUNGE" % number for number in (6, 5, 4, 3, 2)]
        # The answer tells the modification sequence of what was told before it.
        lines = await quick.command("NOOP")
        assert lines[:-1] == [b"* VANISHED 5:6", b"* VANISHED 3:4", b"* VANISHED 2"]
        assert b"HIGHESTMODSEQ" not in lines[-1]
        for _ in range(4):
            await house.deliver()
        lines = await second.command("NOOP")
        assert lines[:2] == [b"* 6 EXISTS", b"* 0 RECENT"]
        assert lines[2:-1] == [b"* %d FETCH (UID %d FLAGS ())" % (at + 3, at + 8) for at in range(4)]


async def test_very_many_are_moved_in_several_transactions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "SLICE_MESSAGES", 2)
    async with open_house(tmp_path) as house:
        for _ in range(5):
            await house.deliver()
        first, second = await house.log_in(), await house.log_in()
        for one in (first, second):
            await one.command("SELECT INBOX")
        lines = await first.command("MOVE 1:* Archive")
        assert re.fullmatch(rb"\* OK \[COPYUID [0-9]+ 1:5 1:5\] moved", lines[0])
        assert lines[1:-1] == [b"* %d EXPUNGE" % number for number in (5, 4, 3, 2, 1)]
        # Removed and made anew between two of them: the rest stays where it is.
        await first.command("SELECT Archive")
        write = house.store.write_as
        writes = 0

        async def disturbed(*arguments: object) -> object:
            nonlocal writes
            writes += 1
            if writes == 2:
                await second.command("DELETE Sent")
                await second.command("CREATE Sent")
            return await write(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(house.store, "write_as", disturbed)
        assert b" NO " in (await first.command("MOVE 1:* Sent", expect=b""))[-1]
        monkeypatch.undo()
        assert (await first.command("STATUS Archive (MESSAGES)"))[0] == b"* STATUS Archive (MESSAGES 3)"


@pytest.mark.parametrize("flagged", [(3,), (2,), (2, 3), (1, 3)])
async def test_flags_of_very_many_arrivals_are_told_as_they_are_in_the_end(
    flagged: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few of the many that have come were changed before they were told of: the last word is said last."""
    monkeypatch.setattr(news, "CHUNK", 1)
    async with open_house(tmp_path) as house:
        await house.deliver()
        first, second = [await house.log_in() for _ in range(2)]
        for one in (first, second):
            await one.command("SELECT INBOX")
        await house.deliver()
        await house.deliver()
        await first.command("NOOP")
        for uid in flagged:
            await first.command(f"UID STORE {uid} +FLAGS (\\Flagged)")
        exists, _, *lines = (await second.command("NOOP"))[:-1]
        assert exists == b"* 3 EXISTS"
        told = {int(line.split()[1]): b"\\Flagged" in line for line in lines}
        assert told == {uid: uid in flagged for uid in sorted({2, 3, *flagged})}
        assert len(lines) == len(told), "each once"
