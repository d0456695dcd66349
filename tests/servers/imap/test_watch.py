"""NOTIFY of other accounts' mailboxes: whatever their owners do, the client knows what it may know (RFC 5465)."""

import random
import re
from pathlib import Path

import pytest

from appliance.servers.imap import watch
from appliance.store import mailbox, message
from appliance.store.tables import MailboxID
from appliance.store.transaction import WriteTx
from support.imaphouse import Client, House, open_house
from support.quiet import settled

EVENTS = "(MessageNew MessageExpunge FlagChange MailboxName)"
NAMES = ("a", "a/b", "c", "c/d/e", "f")
COVERED = ("Other Users/alice/a", "Other Users/alice/a/b", "Other Users/carol/c", "Other Users/carol/f")
_LIST = re.compile(rb'\* LIST \(([^)]*)\) "/" "?([^"(]*?)"?(?: \("OLDNAME" \("?([^")]*)"?\)\))?')
_STATUS = re.compile(rb'\* STATUS "?([^"(]*?)"? \(([^)]*)\)')


def counts(octets: bytes) -> dict[str, int]:
    words = octets.decode().split()
    found = dict(zip(words[::2], map(int, words[1::2]), strict=True))
    return {name: found[name] for name in ("MESSAGES", "UIDNEXT", "UNSEEN")}


class Listener:
    """What a mail program believes of mailboxes of others; None: that it may not look into one."""

    def __init__(self, kind: str, client: Client, other: Client) -> None:
        self.kind = kind
        self.client = client
        self.other = other
        self.subscribed: set[str] = set()
        self.view: dict[str, dict[str, int] | None] = {}

    def covers(self, name: str) -> bool:
        match self.kind:
            case "subtree":
                return name.startswith("Other Users/")
            case "mailboxes":
                return name in COVERED
        return name in self.subscribed

    async def begin(self) -> None:
        names = " ".join(f'"{one}"' for one in COVERED)
        which = {"subtree": 'subtree "Other Users"', "mailboxes": f"mailboxes ({names})", "subscribed": "subscribed"}
        for line in (await self.client.command(f"NOTIFY SET STATUS ({which[self.kind]} {EVENTS})"))[:-1]:
            await self.listen(line)

    async def hear(self) -> None:
        await settled()
        while not await self.client.is_silent():
            await self.listen(await self.client.line())
        for name in [name for name, told in self.view.items() if told == {}]:
            await self.ask(name)  # It had another name already, or could not be read, when he asked.

    async def ask(self, name: str) -> None:
        lines = await self.client.command(f'STATUS "{name}" (MESSAGES UIDNEXT UNSEEN)', expect=b"")
        for line in lines[:-1]:
            await self.listen(line)

    async def listen(self, line: bytes) -> None:
        if found := _STATUS.fullmatch(line):
            name = found[1].decode()
            if name.startswith("Other Users/"):
                assert self.covers(name), line
                self.view[name] = counts(found[2])
            return
        found = _LIST.fullmatch(line)
        assert found, line
        attributes, name, old_name = found[1].split(), found[2].decode(), (found[3] or b"").decode()
        if not name.startswith("Other Users/"):
            return
        if b"\\NonExistent" in attributes:
            assert self.view.pop(name, "missing") != "missing", line
            return
        if old_name:
            for one in [one for one in self.view if one == old_name or one.startswith(old_name + "/")]:
                told = self.view.pop(one)
                if self.covers(moved := name + one[len(old_name) :]):
                    self.view[moved] = told
        if not self.covers(name):
            assert old_name, line
        elif b"\\NoAccess" in attributes:
            self.view[name] = None
        elif self.view.get(name) is None:
            self.view[name] = {}
            await self.ask(name)

    async def compare(self) -> None:
        truth: dict[str, dict[str, int] | None] = {}
        for line in (await self.other.command('LIST "" "Other Users/*"'))[:-1]:
            found = _LIST.fullmatch(line)
            assert found, line
            name = found[2].decode()
            if b"\\NoSelect" not in found[1] and b"\\Noselect" not in found[1] and self.covers(name):
                lines = await self.other.command(f'STATUS "{name}" (MESSAGES UIDNEXT UNSEEN)', expect=b"")
                status = _STATUS.fullmatch(lines[0])
                truth[name] = counts(status[2]) if status else None
        assert self.view == truth


async def _step(chance: random.Random, who: str, client: Client, listeners: list[Listener]) -> None:
    name = chance.choice(NAMES)
    called = f'"Other Users/{who}/{name}"'
    bobs = chance.choice(listeners)
    match chance.randrange(13):
        case 0 | 1 | 2:
            await client.command(f"APPEND {name} {{14+}}\r\nSubject: x\r\n\r\n", expect=b"")
        case 3 | 4:
            rights = chance.choice(("lr", "lrs", "l", "r", '""'))
            await client.command(f"SETACL {name} {chance.choice(('bob', 'anyone'))} {rights}", expect=b"")
        case 5:
            await client.command(f"CREATE {name}", expect=b"")
        case 6:
            await client.command(f"DELETE {name}", expect=b"")
        case 7 | 8:
            await client.command(f"RENAME {name} {chance.choice(NAMES)}", expect=b"")
        case 9:
            if b" OK " in (await client.command(f"SELECT {name}", expect=b""))[-1]:
                flag = chance.choice(("\\Seen", "\\Deleted"))
                await client.command(f"STORE 1:* {chance.choice('+-')}FLAGS {flag}", expect=b"")
                await client.command("CLOSE")
        case 10:
            turned = chance.choice(('"own"', '"shared"'))
            await client.command(f"SETMETADATA {name} (/shared/vendor/moxpy/seen {turned})", expect=b"")
        case 11:
            if b" OK " in (await bobs.other.command(f"SELECT {called}", expect=b""))[-1]:
                await bobs.other.command(f"STORE 1:* {chance.choice('+-')}FLAGS \\Seen", expect=b"")
                await bobs.other.command("UNSELECT")
        case 12:
            # Each of the mail programs has its own idea of when: what is covered now is what is subscribed now.
            text = called.strip('"')
            for one in listeners:
                await one.hear()
            if chance.random() < 0.7:
                await bobs.other.command(f"SUBSCRIBE {called}")
            else:
                await bobs.other.command(f"UNSUBSCRIBE {called}", expect=b"")
            lines = await bobs.other.command(f'LSUB "" {called}')
            for one in listeners:
                (one.subscribed.add if len(lines) > 1 else one.subscribed.discard)(text)
                await one.hear()
                if one.kind != "subscribed":
                    continue
                if not one.covers(text):
                    one.view.pop(text, None)
                elif text not in one.view:  # Who subscribes looks at it.
                    one.view[text] = None
                    await one.ask(text)
                    rights = await one.client.command(f'LIST "" {called}')
                    if len(rights) == 1 or b"\\NonExistent" in rights[0]:
                        one.view.pop(text)


@pytest.mark.parametrize("seed", range(10))
async def test_whatever_owners_do(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(seed)
    if seed % 2:
        monkeypatch.setattr(watch, "PIPELINED", 1)
    async with open_house(tmp_path) as house:
        owners = {name: await house.log_in(f"{name}@example.org") for name in ("alice", "carol")}
        for client in owners.values():
            for name in NAMES:
                await client.command(f"CREATE {name}", expect=b"")
        listeners = [
            Listener(kind, await house.log_in("bob@example.org"), await house.log_in("bob@example.org"))
            for kind in ("subtree", "mailboxes", "subscribed")
        ]
        for one in listeners:
            await one.begin()
        for _ in range(150):
            who = chance.choice(("alice", "carol"))
            await _step(chance, who, owners[who], listeners)
            if chance.random() < 0.5:
                for one in listeners:
                    await one.hear()
        for one in listeners:
            await one.hear()
            await one.compare()


async def _shared(house: House, *names: str) -> tuple[Client, Client]:
    alice, bob = await house.log_in(), await house.log_in("bob@example.org")
    for name in names:
        await alice.command(f"CREATE {name}")
        await alice.command(f"SETACL {name} bob lr")
    return alice, bob


async def said(client: Client) -> bytes:
    """What the server has said by now without being asked."""
    assert not await client.is_silent()
    return await client.line()


async def test_what_is_beyond_the_limit_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "WATCHED_MAILBOXES", 2)
    async with open_house(tmp_path) as house:
        alice, bob = await _shared(house, "a", "b", "c")
        lines = await bob.command(f'NOTIFY SET (subtree "Other Users" {EVENTS})')
        assert lines[:-1] == [b'* LIST (\\NoAccess) "/" "Other Users/alice/c"']
        await alice.append(b"x: y\r\n\r\n", "c")
        await alice.append(b"x: y\r\n\r\n", "b")
        assert (await said(bob)).startswith(b'* STATUS "Other Users/alice/b" (MESSAGES 1 ')
        assert await bob.is_silent()


@pytest.mark.parametrize("idling", [False, True])
async def test_very_many_at_once_are_told_in_turns(
    idling: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "PIPELINED", 2)
    async with open_house(tmp_path) as house:
        alice, bob = await _shared(house, *"abcde")
        await bob.command(f'NOTIFY SET (subtree "Other Users" {EVENTS})')
        await alice.append(b"x: y\r\n\r\n", "INBOX")
        if idling:
            await bob.send(b"i IDLE\r\n")
            assert await bob.line() == b"+ idling"

        def body(tx: WriteTx) -> None:
            for one in tx.mailboxes(house.account):
                if len(one.name) == 1:
                    message.copy(tx, house.account, MailboxID(1), [1], one.id)

        await house.store.write(body)
        for name in b"a", b"b", b"c", b"d", b"e":
            assert (await said(bob)).startswith(b'* STATUS "Other Users/alice/%b" (MESSAGES 1 ' % name)
        assert await bob.is_silent()


async def test_accounts_beyond_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "WATCHED_ACCOUNTS", 1)
    async with open_house(tmp_path) as house:
        alice, bob = await _shared(house, "a")
        carol = await house.log_in("carol@example.org")
        await carol.command("SETACL Sent anyone lr")
        lines = await bob.command(f'NOTIFY SET (subtree "Other Users" {EVENTS})')
        assert lines[:-1] == [b'* LIST (\\NoAccess) "/" "Other Users/carol/Sent"']
        # When there is room, it is told at the next change of rights.
        await alice.command("DELETEACL a bob")
        await carol.command("SETACL Sent anyone lrs")
        assert await said(bob) == b'* LIST (\\NonExistent) "/" "Other Users/alice/a"'
        assert await said(bob) == b'* LIST () "/" "Other Users/carol/Sent"'
        (listener,) = house.store.feed._watches
        assert house.account not in listener.followed
        await carol.append(b"x: y\r\n\r\n", "Sent")
        assert (await said(bob)).startswith(b'* STATUS "Other Users/carol/Sent" (MESSAGES 1 ')


async def test_too_much_happened(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        alice, bob = await _shared(house, "a")
        await bob.command(f'NOTIFY SET (subtree "Other Users" {EVENTS})')
        (listener,) = house.store.feed._watches
        listener._limit = 0
        await alice.append(b"x: y\r\n\r\n", "a")
        assert (await said(bob)).startswith(b"* OK [NOTIFICATIONOVERFLOW] ")
        assert not house.store.feed._watches
        await alice.append(b"x: y\r\n\r\n", "a")
        assert await bob.is_silent()


@pytest.mark.parametrize("names", [("a", "b", "c"), ("a", "c", "b")])
async def test_names_change_places_at_once(names: tuple[str, ...], tmp_path: Path) -> None:
    """Told one after the other as changes, the second would be of what the first has just told."""
    async with open_house(tmp_path) as house:
        _, bob = await _shared(house, "a", "b", "a/below")
        await bob.command(f'NOTIFY SET (subtree "Other Users" {EVENTS})')

        def body(tx: WriteTx) -> None:
            first, second, aside = names
            boxes = {one.name: one.id for one in tx.mailboxes(house.account)}
            if second == "c":
                mailbox.rename(tx, house.account, boxes["b"], "d", limits=house.store.limits.mailbox)
                mailbox.rename(tx, house.account, boxes["a"], "b", limits=house.store.limits.mailbox)
                return
            mailbox.rename(tx, house.account, boxes[first], aside, limits=house.store.limits.mailbox)
            mailbox.rename(tx, house.account, boxes[second], first, limits=house.store.limits.mailbox)
            mailbox.rename(tx, house.account, boxes[first], second, limits=house.store.limits.mailbox)

        await house.store.write(body)
        view = {"a", "b", "a/below"}
        while not await bob.is_silent():
            found = _LIST.fullmatch(await bob.line())
            assert found
            assert not found[3]
            name = found[2].decode().removeprefix("Other Users/alice/")
            (view.discard if b"\\NonExistent" in found[1] else view.add)(name)
        assert view == ({"b", "b/below", "d"} if names[1] == "c" else {"a", "b", "b/below"})


async def test_nothing_is_kept_for_it_and_nobody_listens_for_ever(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        alice, bob = await _shared(house, "a")
        feed = house.store.feed
        await alice.append(b"x: y\r\n\r\n", "a", "\\Deleted")
        await bob.command(f'NOTIFY SET (subtree "Other Users" {EVENTS})')
        await alice.command("SELECT a")
        await alice.command("EXPUNGE")
        # Whoever watches needs no content of what is gone.
        with house.store.read() as tx:
            modseq = tx.account(house.account).modseq
        assert (feed.erasable_up_to(house.account) or 0) >= modseq
        assert len(feed._listeners[house.account]) == 2
        for end in ("NOTIFY NONE", "UNAUTHENTICATE"):
            await bob.command(end)
            assert not feed._watches
            assert len(feed._listeners[house.account]) == 1
            if end == "NOTIFY NONE":
                await bob.command(f'NOTIFY SET (subtree "Other Users" {EVENTS})')
                assert len(feed._watches) == 1
        await house.store.write(message.erase, house.account, None, 10)
