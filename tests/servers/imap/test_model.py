"""Whatever many clients do, connect and vanish: in the end every one knows what the store has."""

import random
from contextlib import suppress
from pathlib import Path

import pytest
import trio

from appliance.servers.imap import news, replies, selected
from appliance.store import mailbox, message, seen, view
from appliance.store.tables import MailboxRef
from support.imaphouse import House, open_house
from support.imapmirror import KINDS, NOTIFY, Mirror, Model, pairs

BOXES = ("INBOX", "Archive")
FLAGS = (b"\\Seen", b"\\Flagged", b"\\Deleted", b"\\Answered", b"work", b"$Forwarded")


class Play:
    """Many mirrors, one model, chance."""

    def __init__(self, house: House, chance: random.Random, mirrors: list[Mirror], *, own_seen: bool = False) -> None:
        self.house = house
        self.chance = chance
        self.model = Model({name: {} for name in BOXES}, own_seen=own_seen)
        self.mirrors = mirrors

    async def run(self, steps: int) -> None:
        for one in self.mirrors:
            await one.start(self.house)
            await one.select(self.chance.choice(BOXES))
        for _ in range(steps):
            await self.step(self.chance.choice(self.mirrors))
        for one in self.mirrors:
            await one.end_idle()
            if one.muted:
                await one.command(NOTIFY.get(one.kind, ""))
                one.muted = False
            await one.command("NOOP")
            await one.learn()
            shown = self.model.shown(one.name, one.user)
            assert one.view == shown, (one.kind, one.user)
            seen = [uid for uid, flags in sorted(shown.items()) if b"\\Seen" in flags]
            (found, *_) = await one.client.command("UID SEARCH SEEN")
            assert [int(word) for word in found.split()[2:]] == seen
            (counts, *_) = await one.client.command(f"STATUS {one.called(one.name)} (UNSEEN)")
            assert counts.endswith(b"(UNSEEN %d)" % (len(shown) - len(seen)))
        self.compare()

    def compare(self) -> None:
        """The store has what the model has."""
        with self.house.store.read() as tx:
            for name in BOXES:
                record = mailbox.by_name(tx, self.house.account, "Inbox" if name == "INBOX" else name)
                found = {
                    uid: frozenset(replies.flags(row.flags, row.keywords).split())
                    for uid, row in message.rows(tx, self.house.account, record.id)
                }
                assert found == self.model.boxes[name]

    async def step(self, one: Mirror) -> None:
        chance = self.chance
        if one.idling:
            if chance.random() < 0.3:
                await one.end_idle()
            elif one.qresync and chance.random() < 0.1:
                await self.come_back(one)
            return
        uids = sorted(uid for uid in one.uids if uid is not None)
        match chance.randrange(24):
            case 0 | 1:
                name = chance.choice(BOXES)
                uid = await self.house.deliver(name="Inbox" if name == "INBOX" else name)
                self.model.add(name, uid, frozenset())
            case 2 | 3:
                await self.append(one)
            case 4 | 5 | 6 | 7 if uids:
                await self.store(one, uids)
            case 8 if uids:
                uid, deleted = chance.choice(uids), frozenset({b"\\Deleted"})
                await one.command(f"UID STORE {uid} +FLAGS (\\Deleted)")
                self.model.store(one.name, [uid], "+", deleted, one.user)
            case 9 | 10:
                await self.expunge(one, uids)
            case 11 | 12 if uids:
                await self.transfer(one, uids)
            case 13:
                await one.select(chance.choice(BOXES))
            case 14 | 15:
                await one.begin_idle()
            case 16 | 17:
                if one.qresync and chance.random() < 0.7:
                    await self.come_back(one)
                elif chance.random() < 0.4:
                    await one.drop()
                    await one.start(self.house)
                    await one.select(chance.choice(BOXES))
            case 18 if one.kind in NOTIFY:
                one.muted = not one.muted
                await one.command("NOTIFY NONE" if one.muted else NOTIFY[one.kind])
            case 19 if uids and not one.by_uid:
                await one.command(f"FETCH {chance.randint(1, len(uids))} (FLAGS RFC822.SIZE)", numbers=True)
                await one.command("SEARCH SEEN", numbers=True)
            case 20 if one.qresync and one.modseq:
                await one.command(f"UID FETCH 1:* (FLAGS) (CHANGEDSINCE {one.modseq})")
            case _:
                await one.command("NOOP")
        await one.learn()
        one.remember()

    async def come_back(self, one: Mirror) -> None:
        """The connection breaks; with a new one the client goes on from anything it once knew."""
        await one.drop()
        await one.start(self.house)
        memory = self.chance.choice(one.memories)
        await one.select(memory.name, memory, self.chance)

    async def append(self, one: Mirror) -> None:
        name = self.chance.choice(BOXES)
        flags = frozenset(self.chance.sample(FLAGS, 2))
        count = self.chance.randint(1, 3)
        octets = b" ".join([b"(%b) {17+}\r\nSubject: 1\r\n\r\none" % b" ".join(sorted(flags))] * count)
        line = await one.command(b"APPEND " + one.called(name).encode() + b" " + octets)
        assert b" OK " in line, line
        for _ in range(count):
            self.model.add(name, self.model.following[name], flags, one.user)

    def some(self, one: Mirror, uids: list[int]) -> tuple[str, list[int], bool]:
        """A set, the UIDs it means, and whether it has numbers."""
        low, high = sorted(self.chance.choices(range(len(uids)), k=2))
        chosen = uids[low : high + 1]
        if one.by_uid or self.chance.random() < 0.4:
            return f"{chosen[0]}:{chosen[-1]}", chosen, False
        return f"{low + 1}:{high + 1}", chosen, True

    async def store(self, one: Mirror, uids: list[int]) -> None:
        chance = self.chance
        text, chosen, numbers = self.some(one, uids)
        mode = chance.choice(("", "+", "-"))
        flags = frozenset(chance.sample(FLAGS, 2))
        silent = ".SILENT" if chance.random() < 0.3 else ""
        condition = ""
        if one.qresync and chance.random() < 0.3 and all(uid in one.modseqs for uid in chosen):
            condition = f"(UNCHANGEDSINCE {max(one.modseqs[uid] for uid in chosen)}) "
        verb = "STORE" if numbers else "UID STORE"
        shown = b" ".join(sorted(flags)).decode()
        box = self.model.shown(one.name, one.user)
        line = await one.command(f"{verb} {text} {condition}{mode}FLAGS{silent} ({shown})", numbers=numbers)
        if condition:
            self.follow(one, set(chosen), mode, flags, refused=b"MODIFIED" in line)
        else:
            self.model.store(one.name, chosen, mode, flags, one.user)
        if silent:
            # A client that was silent supposes that it had its way.
            now = self.model.shown(one.name, one.user)
            for uid in chosen:
                if uid in one.flags and uid in box:
                    one.flags[uid] = now.get(uid, one.flags[uid])

    def follow(self, one: Mirror, chosen: set[int], mode: str, flags: frozenset[bytes], *, refused: bool) -> None:
        """Which messages a conditional STORE changed only the store knows; it must be some, or all."""
        box = self.model.shown(one.name, one.user)
        with self.house.store.read() as tx:
            record = mailbox.by_name(tx, self.house.account, "Inbox" if one.name == "INBOX" else one.name)
            where, user = MailboxRef(self.house.account, record.id), tx.account_id(one.user)
            assert user is not None
            own = seen.own(tx, where, user)
            for uid in chosen & box.keys():
                row = message.row(tx, *where, uid)
                assert row is not None
                bits = row.flags if own is None else own.shown(uid, row.flags)
                shown = frozenset(replies.flags(bits, row.keywords).split())
                wanted = {"": flags, "+": box[uid] | flags, "-": box[uid] - flags}[mode]
                assert shown == wanted or (refused and shown == box[uid])
                self.model.put(one.name, uid, shown, one.user)

    async def expunge(self, one: Mirror, uids: list[int]) -> None:
        if uids and self.chance.random() < 0.4:
            await one.command(f"UID EXPUNGE {self.chance.choice(uids)}:{self.chance.choice(uids)}")
        elif self.chance.random() < 0.2:
            await one.command("CLOSE")
            name, one.name = one.name, ""
            self.model.boxes[name] = self.there(name, self.model.boxes[name])
            await one.select(self.chance.choice(BOXES))
            return
        else:
            await one.command("EXPUNGE")
        self.model.expunge(one.name, one.gone)

    def there(self, name: str, box: dict[int, frozenset[bytes]]) -> dict[int, frozenset[bytes]]:
        """What CLOSE left, which says nothing: it may only have taken what is marked."""
        with self.house.store.read() as tx:
            record = mailbox.by_name(tx, self.house.account, "Inbox" if name == "INBOX" else name)
            left = {uid for uid, _ in message.rows(tx, self.house.account, record.id)}
        assert all(b"\\Deleted" in flags for uid, flags in box.items() if uid not in left)
        return {uid: flags for uid, flags in box.items() if uid in left}

    async def transfer(self, one: Mirror, uids: list[int]) -> None:
        text, _, numbers = self.some(one, uids)
        (target,) = set(BOXES) - {one.name}
        keep = self.chance.random() < 0.4
        verb = ("" if numbers else "UID ") + ("COPY" if keep else "MOVE")
        lines = await one.client.command(f"{verb} {text} {one.called(target)}", expect=b"")
        moved = [pair for line in lines for pair in pairs(line)]
        one.gone = []
        for line in lines[:-1]:
            one._hear(line)
        one._tagged(lines[-1])
        assert b" BAD " not in lines[-1], lines
        self.model.transfer(one.name, target, moved, keep=keep, user=one.user)


@pytest.fixture(autouse=True)
def chunks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """For every second seed a few changes are taken for thousands: told in chunks, found by comparing."""
    if request.node.callspec.params["seed"] % 2:
        monkeypatch.setattr(news, "CHUNK", 1)
        monkeypatch.setattr(selected, "CHANGES", 1)


@pytest.mark.parametrize("seed", range(16))
async def test_every_client_knows_the_truth(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    count = 50 if seed == 0 else chance.randint(2, 16)
    kinds = [chance.choice(KINDS) for _ in range(count)]
    async with open_house(tmp_path) as house:
        await Play(house, chance, [Mirror(kind) for kind in kinds]).run(400)


class Shared(Play):
    """The owner, and two to whom the mailboxes are granted; at times \\Seen is each one's own, then it is shared."""

    async def run(self, steps: int) -> None:
        await share(self.house)
        self.turns = 0
        await self.turn()
        await super().run(steps)

    async def turn(self) -> None:
        """Everybody but the owner is sent away by this, and comes back."""
        for name in BOXES:
            await turn(self.house, name, is_own=self.model.own_seen)

    async def step(self, one: Mirror) -> None:
        if self.turns < 6 and self.chance.random() < 0.02:
            self.turns += 1
            self.model.own_seen = not self.model.own_seen
            await self.turn()
            for other in self.mirrors:
                if other.user != "alice":
                    await self.sent_away(other)
        await super().step(one)

    async def sent_away(self, one: Mirror) -> None:
        if not one.idling:
            with suppress(trio.BrokenResourceError):  # With NOTIFY he is told so at once.
                await one.client.send(b"bye NOOP\r\n")
        last = b""
        while line := await one.client.line():
            last = line
        assert last.startswith(b"* BYE"), last
        if one.memories:
            await self.come_back(one)
        else:
            await one.start(self.house)
            await one.select(self.chance.choice(BOXES))


async def share(house: House) -> None:
    """Grant everything to others."""
    alice = await house.log_in()
    for name in BOXES:
        for user in ("bob", "carol"):
            await alice.command(f"SETACL {name} {user} lrswipkxte")
    await alice.command("LOGOUT", expect=b"")


async def turn(house: House, name: str, *, is_own: bool) -> None:
    """Make \\Seen each reader's own, or shared."""
    with house.store.read() as tx:
        record = mailbox.by_name(tx, house.account, "Inbox" if name == "INBOX" else name)
    await house.store.write(seen.set_own, house.account, record.id, is_own=is_own)


USERS = ("alice", "bob", "carol")


@pytest.mark.parametrize("seed", range(12))
async def test_every_reader_knows_what_he_has_seen(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(seed)
    count = 50 if seed == 0 else chance.randint(3, 12)
    mirrors = [Mirror(chance.choice(KINDS), USERS[number % 3]) for number in range(count)]
    monkeypatch.setattr(seen, "CHUNK", chance.choice((1, 5, 4096)))
    monkeypatch.setattr(view, "READERS", chance.choice((1, 64)))
    monkeypatch.setattr(view, "READ_AGAIN", chance.choice((0, 1, 64)))
    async with open_house(tmp_path) as house:
        await Shared(house, chance, mirrors, own_seen=bool(seed % 3)).run(400)


async def _busy(house: House, one: Mirror, chance: random.Random, steps: int) -> None:
    """One of a crowd: all at once, so nobody knows what comes when, nor does it matter."""
    await one.start(house)
    await one.select(chance.choice(BOXES))
    for _ in range(steps):
        uids = sorted(uid for uid in one.uids if uid is not None)
        match chance.randrange(12):
            case 0 | 1 | 2:
                await one.command(
                    f"APPEND {one.called(chance.choice(BOXES))} {{17+}}\r\nSubject: 1\r\n\r\none".encode()
                )
            case 3 | 4 if uids:
                flag = chance.choice(("\\Seen", "\\Deleted", "\\Flagged", "work"))
                await one.command(
                    f"UID STORE {chance.choice(uids)}:{chance.choice(uids)} {chance.choice('+-')}FLAGS {flag}"
                )
            case 5:
                await one.command("EXPUNGE")
            case 6 if uids:
                (target,) = set(BOXES) - {one.name}
                await one.command(f"UID MOVE {chance.choice(uids)} {one.called(target)}")
            case 7 if uids and not one.by_uid:
                await one.command("FETCH 1 (FLAGS RFC822.SIZE)", numbers=True)
            case 8 if one.memories:
                await one.drop()
                await one.start(house)
                memory = chance.choice(one.memories)
                await one.select(memory.name, memory, chance)
            case 9:
                await one.begin_idle()
                for _ in range(chance.randrange(20)):
                    await trio.lowlevel.checkpoint()
                await one.end_idle()
            case 10:
                await one.select(chance.choice(BOXES))
            case _:
                await one.command("NOOP")
        await one.learn()
        one.remember()


@pytest.mark.parametrize("seed", range(6))
async def test_a_crowd_at_once(seed: int, tmp_path: Path) -> None:
    """Those of odd seeds are three users, each with a \\Seen of his own."""
    chance = random.Random(seed)
    mirrors = [Mirror(chance.choice(KINDS), chance.choice(USERS[: 1 + seed % 2 * 2])) for _ in range(20)]
    async with open_house(tmp_path) as house:
        await share(house)
        for name in BOXES:
            await turn(house, name, is_own=bool(seed % 2))
        with trio.fail_after(300):
            async with trio.open_nursery() as nursery:
                for number, one in enumerate(mirrors):
                    nursery.start_soon(_busy, house, one, random.Random(seed * 100 + number), 40)
        for one in mirrors:
            await one.command("NOOP")
            await one.learn()
            with house.store.read() as tx:
                record = mailbox.by_name(tx, house.account, "Inbox" if one.name == "INBOX" else one.name)
                rows = list(message.rows(tx, house.account, record.id))
                user = tx.account_id(one.user)
                assert user is not None
                own = seen.own(tx, MailboxRef(house.account, record.id), user)
                flags = [row.flags if own is None else own.shown(uid, row.flags) for uid, row in rows]
            words = [replies.flags(bits, row.keywords) for bits, (_, row) in zip(flags, rows, strict=True)]
            shown = {uid: frozenset(text.split()) for text, (uid, _) in zip(words, rows, strict=True)}
            assert one.view == shown, (one.kind, one.user)
