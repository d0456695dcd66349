"""A mail program that believes what it is told, and a plain model of the mailboxes it is told of.

A `Mirror` keeps what an IMAP client keeps: which messages there are, by number or by UID, and their flags; with
QRESYNC also the modification sequence to come back with (RFC 7162 §6). It fails when the server says what makes no
sense: a number or UID that does not exist, a removal where numbers must not change, a message twice.
"""

import copy
import random
import re
from collections import defaultdict
from dataclasses import dataclass, field

from appliance.protocol.imap import sequence
from support.imaphouse import Client, House

_FETCH = re.compile(rb"\* ([0-9]+) (UID)?FETCH \((.*)\)", re.DOTALL)
_UID = re.compile(rb"(?:^| )UID ([0-9]+)")
_FLAGS = re.compile(rb"FLAGS \(([^)]*)\)")
_MODSEQ = re.compile(rb"MODSEQ \(([0-9]+)\)")
_CODE = re.compile(rb"(?:^| )OK \[([A-Z-]+)(?: ([^\]]*))?\]")

Flags = frozenset[bytes]
KINDS = ("plain", "condstore", "qresync", "uidonly", "uidonly-qresync", "notify", "notify-attributes", "notify-delayed")
_ALL = "MessageNew{} MessageExpunge FlagChange"
NOTIFY = {
    "notify": f"NOTIFY SET (selected ({_ALL.format('')})) (personal ({_ALL.format('')} MailboxName))",
    "notify-attributes": f"NOTIFY SET (selected ({_ALL.format(' (FLAGS BODY.PEEK[HEADER])')}))",
    "notify-delayed": f"NOTIFY SET (selected-delayed ({_ALL.format('')}))",
}


OWNER = "alice"
SEEN: Flags = frozenset({b"\\Seen"})


@dataclass
class Model:
    """Mailboxes of OWNER as they must be: UID -> flags as the owner has them; and what others have seen there."""

    boxes: dict[str, dict[int, Flags]]
    #: Others have a \\Seen of their own.
    own_seen: bool = False
    following: dict[str, int] = field(default_factory=dict)
    #: Name, user -> UIDs; those that are gone do no harm.
    seen: dict[tuple[str, str], set[int]] = field(default_factory=lambda: defaultdict(set))

    def __post_init__(self) -> None:
        self.following = dict.fromkeys(self.boxes, 1)

    def is_own(self, user: str) -> bool:
        """Whether a user has a \\Seen of his own."""
        return self.own_seen and user != OWNER

    def shown(self, name: str, user: str = OWNER) -> dict[int, Flags]:
        """A mailbox as a user sees it."""
        if not self.is_own(user):
            return dict(self.boxes[name])
        own = self.seen[name, user]
        return {uid: flags | SEEN if uid in own else flags - SEEN for uid, flags in self.boxes[name].items()}

    def put(self, name: str, uid: int, flags: Flags, user: str = OWNER) -> None:
        """A message of which a user sees these flags; to the owner it stays as it was, seen or not."""
        if self.is_own(user):
            own = self.seen[name, user]
            (own.add if flags & SEEN else own.discard)(uid)
            flags = flags - SEEN | self.boxes[name].get(uid, frozenset()) & SEEN
        self.boxes[name][uid] = flags

    def add(self, name: str, uid: int, flags: Flags, user: str = OWNER) -> None:
        assert uid == self.following[name], "UIDs are given out one after the other"
        self.following[name] += 1
        self.put(name, uid, flags, user)

    def store(self, name: str, uids: list[int], mode: str, flags: Flags, user: str = OWNER) -> None:
        box = self.shown(name, user)
        for uid in uids:
            if uid in box:
                self.put(name, uid, {"": flags, "+": box[uid] | flags, "-": box[uid] - flags}[mode], user)

    def expunge(self, name: str, uids: list[int]) -> None:
        for uid in uids:
            assert b"\\Deleted" in self.boxes[name].pop(uid, {b"\\Deleted"}), "only what is marked may be removed"

    def transfer(
        self, source: str, target: str, pairs: list[tuple[int, int]], *, keep: bool, user: str = OWNER
    ) -> None:
        box = self.shown(source, user)
        for old, new in pairs:
            self.add(target, new, box[old], user)
            if not keep:
                owners = self.boxes[source].pop(old)
                if self.is_own(user):
                    self.boxes[target][new] |= owners & SEEN


@dataclass
class Memory:
    """What a client with QRESYNC keeps on its disk."""

    name: str
    validity: int
    modseq: int
    messages: dict[int, Flags]


class Mirror:
    """A client of some kind. `start` it, and talk through `command`."""

    def __init__(self, kind: str, user: str = OWNER) -> None:
        self.kind = kind
        self.user = user
        self.client: Client
        self.name = ""
        self.uids: list[int | None] = []
        self.flags: dict[int, Flags] = {}
        self.modseqs: dict[int, int] = {}
        self.exists = 0
        self.validity = 0
        self.modseq = 0
        self.memories: list[Memory] = []
        self.gone: list[int] = []
        self.idling = b""
        self.muted = False
        self._seen_modseq = self._code_modseq = 0

    @property
    def by_uid(self) -> bool:
        """Whether numbers are no use: there are none, or they change at any time."""
        return self.uid_only or self.kind in {"notify", "notify-attributes"}

    @property
    def uid_only(self) -> bool:
        return self.kind.startswith("uidonly")

    @property
    def qresync(self) -> bool:
        return self.kind.endswith("qresync")

    def called(self, name: str) -> str:
        """What this user calls a mailbox of OWNER."""
        return name if self.user == OWNER else f'"Other Users/{OWNER}/{name}"'

    async def start(self, house: House) -> None:
        self.client = await house.log_in(f"{self.user}@example.org")
        self.idling, self.name, self.muted = b"", "", False
        if self.uid_only:
            await self.command("ENABLE UIDONLY")
        if self.qresync:
            await self.command("ENABLE QRESYNC")
        if self.kind == "condstore":
            await self.command("ENABLE CONDSTORE")
        if self.kind in NOTIFY:
            await self.command(NOTIFY[self.kind])

    async def drop(self) -> None:
        """The connection breaks, whatever is still on its way."""
        await self.client.stream.aclose()

    # What is heard

    async def command(self, text: str | bytes, *, numbers: bool = False) -> bytes:
        """Send a command, hear its responses; the tagged one. With `numbers` they may not change meanwhile."""
        self.gone = []
        lines = await self.client.command(text, expect=b"")
        assert lines[-1], text
        assert b" BAD " not in lines[-1], (text, lines)
        for line in lines[:-1]:
            self._hear(line, stable=numbers and self.kind not in NOTIFY)
        self._tagged(lines[-1])
        return lines[-1]

    def _tagged(self, line: bytes) -> None:
        self._code(line)
        if self._code_modseq:
            self.modseq = self._code_modseq
        elif self._seen_modseq > self.modseq:
            self.modseq = self._seen_modseq
        self._seen_modseq = self._code_modseq = 0

    def _close(self) -> None:
        self.uids, self.flags, self.modseqs, self.exists = [], {}, {}, 0
        self.modseq = self._seen_modseq = self._code_modseq = 0

    def _code(self, line: bytes) -> None:
        found = _CODE.search(line)
        if found and found[1] == b"CLOSED":
            self._close()
        if found and found[1] == b"HIGHESTMODSEQ":
            self._code_modseq = int(found[2])
        elif found and found[1] == b"UIDVALIDITY":
            self.validity = int(found[2])

    def _hear(self, line: bytes, *, stable: bool = False) -> None:
        if line.startswith(b"* OK "):
            self._code(line)
        elif found := re.fullmatch(rb"\* ([0-9]+) EXISTS", line):
            count = int(found[1])
            assert count >= self.exists, (self.kind, line)
            self.uids += [None] * (count - self.exists)
            self.exists = count
        elif found := re.fullmatch(rb"\* ([0-9]+) EXPUNGE", line):
            assert not stable, line
            assert not self.qresync, line
            assert not self.uid_only, line
            self._forget(self.uids.pop(int(found[1]) - 1))
        elif found := re.fullmatch(rb"\* VANISHED ([0-9:,]+)", line):
            assert not stable, line
            assert self.qresync or self.uid_only, line
            assert len(line) < 5000
            for uid in _expand(found[1]):
                # Of a message that went before its UID was asked for, only the count was known.
                known = uid if uid in self.uids or not self.uid_only else None
                assert known in self.uids, (self.kind, line, self.uids)
                self.uids.remove(known)
                self._forget(known)
        elif found := _FETCH.fullmatch(line):
            self._fetched(int(found[1]), found[3], by_uid=bool(found[2]))
        else:
            assert re.match(rb"\* (FLAGS|LIST|STATUS|SEARCH|ESEARCH|0 RECENT|ENABLED)", line), line

    def _forget(self, uid: int | None) -> None:
        self.exists -= 1
        if uid is not None:
            self.gone.append(uid)
            self.flags.pop(uid, None)

    def _fetched(self, number: int, items: bytes, *, by_uid: bool) -> None:
        assert by_uid == self.uid_only
        named = _UID.search(items)
        if by_uid:
            uid = number
            if uid not in self.uids:
                self.uids[self.uids.index(None)] = uid
        else:
            known = self.uids[number - 1]
            uid = int(named[1]) if named else known
            assert known in {None, uid}, (self.kind, number, items, self.uids)
            self.uids[number - 1] = uid
        assert uid is not None
        if found := _FLAGS.search(items):
            self.flags[uid] = frozenset(found[1].split())
        if found := _MODSEQ.search(items):
            self._seen_modseq = max(self._seen_modseq, int(found[1]))
            self.modseqs[uid] = int(found[1])

    # What is done

    async def select(self, name: str, memory: Memory | None = None, chance: random.Random | None = None) -> None:
        """Open a mailbox, from a memory if there is one, and learn what is in it."""
        if not self.name:
            self._close()  # Otherwise the server says when (RFC 7162 §3.2.11).
        self.name = name
        if memory is not None and chance is not None:
            await self._return(memory, chance)
            return
        await self.command(f"SELECT {self.called(name)}")
        if self.exists:
            await self.command(
                "UID FETCH 1:* (FLAGS)" if self.by_uid else "FETCH 1:* (UID FLAGS)", numbers=not self.by_uid
            )
        self.remember()

    async def _return(self, memory: Memory, chance: random.Random) -> None:
        """SELECT with QRESYNC: all that is told must lead from the memory to what is there now."""
        messages = dict(memory.messages)
        known = sorted(messages)
        asked = ""
        if known and chance.random() < 0.6:
            wide = chance.random() < 0.5
            asked = f" 1:{known[-1]}" if wide else " " + sequence.format_set(known).decode()
        if known and not self.uid_only and chance.random() < 0.5:
            places = sorted(chance.sample(range(len(known)), chance.randint(1, min(5, len(known)))))
            numbers = sequence.format_set(at + 1 for at in places).decode()
            asked += f" ({numbers} {sequence.format_set(known[at] for at in places).decode()})"
        lines = await self.client.command(
            f"SELECT {self.called(self.name)} (QRESYNC ({memory.validity} {memory.modseq}{asked}))", expect=b"OK"
        )
        assert not any(b"ALERT" in line for line in lines), (lines, memory)
        exists, told = 0, []
        for line in lines[:-1]:
            if line.startswith(b"* OK "):
                self._code(line)
            elif found := re.fullmatch(rb"\* ([0-9]+) EXISTS", line):
                exists = int(found[1])
            elif found := re.fullmatch(rb"\* VANISHED \(EARLIER\) ([0-9:,]+)", line):
                assert not told, "what vanished is told before flags (RFC 7162 §3.2.6)"
                for uid in _expand(found[1]):
                    messages.pop(uid, None)
            elif found := _FETCH.fullmatch(line):
                named, flags = _UID.search(found[3]), _FLAGS.search(found[3])
                assert flags
                uid = int(found[1]) if found[2] else int(named[1])  # type: ignore[index]
                messages[uid] = frozenset(flags[1].split())
                told.append((int(found[1]), uid))
            else:
                assert re.match(rb"\* (FLAGS|LIST|0 RECENT)", line), line
        self._tagged(lines[-1])
        # With `asked` nothing is said of what came later.
        self.exists = exists
        self.uids = [*sorted(messages), *[None] * (exists - len(messages))]
        self.flags = messages
        if not self.uid_only and not asked:
            assert all(self.uids[number - 1] == uid for number, uid in told), (lines, memory)
        last = max(messages, default=0)
        while None in self.uids:
            # Once, unless others remove messages just now.
            await self.command(f"UID FETCH {last + 1}:* (FLAGS)")
        assert len(self.uids) == self.exists == len(self.flags), (asked, lines, memory)
        self.remember()

    def remember(self) -> None:
        """Write down what is known, to come back with."""
        if self.qresync and self.name and self.modseq and None not in self.uids and len(self.flags) == self.exists:
            self.memories.append(Memory(self.name, self.validity, self.modseq, copy.copy(self.flags)))

    async def begin_idle(self) -> None:
        assert not self.idling
        self.idling = b"idle"
        await self.client.send(b"idle IDLE\r\n")
        while not (line := await self.client.line()).startswith(b"+"):
            self._hear(line)

    async def end_idle(self) -> None:
        if self.idling:
            await self.client.send(b"DONE\r\n")
            while not (line := await self.client.line()).startswith(self.idling):
                self._hear(line)
            self._tagged(line)
            self.idling = b""

    async def learn(self) -> None:
        """Ask for what was announced and not said: messages of its own, with NOTIFY's attributes."""
        if None in self.uids:
            await self.command(
                "UID FETCH 1:* (FLAGS)" if self.by_uid else "FETCH 1:* (UID FLAGS)", numbers=not self.by_uid
            )

    @property
    def view(self) -> dict[int, Flags]:
        assert None not in self.uids
        assert len(self.uids) == self.exists
        return {uid: self.flags[uid] for uid in self.uids}  # type: ignore[index, misc]


def _expand(octets: bytes) -> list[int]:
    found = sequence.parse(octets, max_ranges=100_000).ranges
    return [uid for low, high in found for uid in range(low or 0, (high or 0) + 1)]


def pairs(line: bytes, lines_before: list[bytes] | None = None) -> list[tuple[int, int]]:
    """UIDs here and there, of COPYUID."""
    found = _CODE.search(line)
    if found is None or found[1] != b"COPYUID":
        return []
    _, source, target = found[2].split()
    return list(zip(_expand(source), _expand(target), strict=True))
