"""Copies of refused mail: once each, for two weeks, not too many, and gone when the message is accepted."""

import hashlib
import random

import msgspec
import pytest

from appliance.base.limits import REJECT_DAYS, REJECTS_KEPT, RESCUED_DAYS, RESCUED_KEPT
from appliance.config.domains import Account, AutomaticJunkFlags
from appliance.config.values import Pattern
from appliance.delivery import rejects
from appliance.store import account as accounts, across, mailbox, message, reject
from appliance.store.problems import NoSuchAccount
from appliance.store.records import JUNK, SEEN, Origin
from appliance.store.tables import AccountID, MailboxRef, Table
from support.clock import StandingClock
from support.stores import add_account, new_message, open_store

DAY = 24 * 3600


@pytest.fixture
def clock():
    return StandingClock()


@pytest.fixture
def store(tmp_path, clock):
    with open_store(tmp_path, clock) as store:
        yield store


@pytest.fixture
def alice(store):
    return add_account(store)


def digest_of(octets: bytes) -> bytes:
    return hashlib.sha256(octets).digest()


def mail(message_id: str = "", text: str = "pills") -> bytes:
    head = f"Message-ID: {message_id}\r\n" if message_id else ""
    return f"{head}Subject: {text}\r\n\r\n{text}\r\n".encode()


def refuse(store, account, octets, *, name="Rejects", destined="Inbox", keep_all=False, **options):
    return store.write_sync(
        rejects.add,
        account,
        name,
        new_message(store, octets),
        destined=destined,
        digest=digest_of(octets),
        keep_all=keep_all,
        limits=store.limits.mailbox,
        **options,
    )


def box(store, account, name="Rejects"):
    with store.read() as tx:
        return mailbox.find(tx, account, name)


def uids(store, account, name="Rejects"):
    found = box(store, account, name)
    with store.read() as tx:
        return [] if found is None else [uid for uid, _ in message.rows(tx, account, found.id)]


def test_a_copy(store, alice):
    added = refuse(store, alice, mail("<A@example.com>"), destined="Lists/friends")
    with store.read() as tx:
        row, facts = message.row(tx, alice, box(store, alice).id, added.uid), message.facts(tx, alice, added.id)
    assert row.flags == SEEN
    assert facts.origin.is_reject
    assert facts.origin_mailbox == box(store, alice).id
    assert facts.destined_mailbox == box(store, alice, "Lists/friends").id
    assert facts.content_digest == digest_of(mail("<A@example.com>"))


@pytest.mark.parametrize(
    ("first", "second", "copies"),
    [
        pytest.param(mail("<a@example.com>"), mail("<a@example.com>"), 1, id="retry"),
        pytest.param(mail("<a@example.com>"), mail("<A@Example.COM>", "other"), 1, id="same Message-ID"),
        pytest.param(mail(), mail(), 1, id="same octets"),
        pytest.param(mail(), mail("", "other"), 2, id="neither has a Message-ID"),
        pytest.param(mail("<a@example.com>"), mail("<b@example.com>"), 2, id="another"),
    ],
)
def test_each_once(store, alice, first, second, copies):
    assert refuse(store, alice, first) is not None
    assert (refuse(store, alice, second) is not None) == (copies == 2)
    assert len(uids(store, alice)) == copies


def test_only_copies_count(store, alice):
    """Neither an accepted message, nor a rescued copy, nor one elsewhere keeps a copy away."""
    octets = mail("<a@example.com>")
    with store.read() as tx:
        inbox = mailbox.by_name(tx, alice, "Inbox")
    store.write_sync(message.add, alice, inbox.id, new_message(store, octets))
    first = refuse(store, alice, octets)
    store.write_sync(message.move, alice, box(store, alice).id, [first.uid], inbox.id)
    assert refuse(store, alice, octets) is not None
    assert refuse(store, alice, octets, name="Refused") is not None
    assert refuse(store, alice, octets) is None
    bob = add_account(store, "bob")
    assert refuse(store, bob, octets) is not None


def take_out(store, account, added, *, verb=message.move, target="Inbox", **options):
    source = box(store, account).id
    store.write_sync(verb, account, source, [added.uid], box(store, account, target).id, **options)


async def is_rescued(store, account, octets, clock) -> bool:
    """Asked as a delivery does, by the Message-ID and the octets."""
    async with store.spool() as spool:
        await spool.write(octets)
        spooled = await spool.finish()
    found = (await store.content(spooled)).header.clues.message_id
    accounts = [account, AccountID(account + 1)]
    return await rejects.rescued(store, accounts, spooled, found, clock.microseconds()) == {account}


JUNK_RULES = AutomaticJunkFlags(enabled=True, junk_mailbox_regexp=Pattern("^archive"))


@pytest.mark.parametrize("message_id", ["<a@example.com>", ""])
@pytest.mark.parametrize(
    ("options", "known"),
    [
        pytest.param({}, True, id="moved"),
        pytest.param({"verb": message.copy}, True, id="copied"),
        pytest.param({"target": "Archive"}, True, id="filed"),
        pytest.param({"target": "Archive", "junk_rules": JUNK_RULES}, False, id="filed as junk"),
        pytest.param({"target": "Junk"}, False, id="to Junk"),
    ],
)
async def test_rescued(store, alice, clock, message_id, options, known):
    """Whoever takes a refused message out has it: its sender need not send it again. What is junk may not come."""
    octets = mail(message_id)
    take_out(store, alice, refuse(store, alice, octets), **options)
    assert await is_rescued(store, alice, octets, clock) == known
    # Not what only looks like it: that would be lost.
    assert not await is_rescued(store, alice, octets + b"more\r\n", clock)
    assert not await is_rescued(store, alice, b"X: y\r\n" + octets, clock)


async def test_not_rescued(store, alice, clock):
    octets = mail("<a@example.com>")
    added = refuse(store, alice, octets)
    assert not await is_rescued(store, alice, octets, clock)
    store.write_sync(message.expunge, alice, box(store, alice).id, [added.uid])
    assert not await is_rescued(store, alice, octets, clock)
    # Accepted where a rule put it: the next one is another.
    origin = Origin(is_reject=True)
    add_account(store, "bob")
    new = msgspec.structs.replace(new_message(store, octets), origin=origin)
    take_out(store, alice, store.write_sync(message.add, alice, box(store, alice).id, new))
    assert not await is_rescued(store, alice, octets, clock)


async def test_rescued_for_a_while(store, alice, clock):
    first, *others = (mail(f"<{number}@example.com>") for number in range(10))
    take_out(store, alice, refuse(store, alice, first))
    clock.move(RESCUED_DAYS * DAY)
    assert await is_rescued(store, alice, first, clock)
    clock.move(1)
    assert not await is_rescued(store, alice, first, clock)
    with store.read() as tx:
        assert tx.entries(Table.RESCUED) == 1
    # Old ones go when others come.
    clock.move(RESCUED_DAYS * DAY)
    for octets in others:
        take_out(store, alice, refuse(store, alice, octets))
        assert await is_rescued(store, alice, octets, clock)
    with store.read() as tx:
        assert tx.entries(Table.RESCUED) == len(others)


@pytest.mark.parametrize("verb", [message.move, message.copy])
async def test_no_more_are_remembered_than_there_is_room_for(store, alice, clock, verb, monkeypatch):
    """The oldest go first; those of one transaction are of the same age. Another account has room of its own."""
    monkeypatch.setattr(reject, "RESCUED_KEPT", 5)
    bob = add_account(store, "bob")
    octets = [mail(f"<{number}@example.com>") for number in range(9)]
    take_out(store, bob, refuse(store, bob, octets[0]))
    for some in (octets[:4], octets[4:8], octets[8:]):
        clock.move(1)
        there = [refuse(store, alice, one).uid for one in some]
        store.write_sync(verb, alice, box(store, alice).id, there, box(store, alice, "Inbox").id)
    known = [await is_rescued(store, alice, one, clock) for one in octets]
    assert known[4:] == [True] * 5
    assert not any(known[:4])
    assert await is_rescued(store, bob, octets[0], clock)
    assert RESCUED_KEPT >= REJECTS_KEPT, "all that can be there at a time may be taken out"


def test_old_ones_go(store, alice, clock):
    for number in range(3):
        refuse(store, alice, mail(f"<{number}@example.com>"))
        clock.move(DAY)
    clock.move((REJECT_DAYS - 3) * DAY)
    refuse(store, alice, mail("<now@example.com>"))
    assert uids(store, alice) == [1, 2, 3, 4]  # The first is of this age exactly, and no older.
    clock.move(1)
    refuse(store, alice, mail("<now@example.com>"))
    assert uids(store, alice) == [2, 3, 4]
    clock.move(DAY)
    # A copy that has had its time does not keep a retry away.
    assert refuse(store, alice, mail("<1@example.com>")) is not None
    assert uids(store, alice) == [3, 4, 5]
    clock.move(REJECT_DAYS * DAY + 1)
    refuse(store, alice, mail("<later@example.com>"), keep_all=True)
    assert uids(store, alice) == [3, 4, 5, 6]


def test_what_is_the_readers_own_stays(store, alice, clock):
    """Only copies are removed, not what somebody put beside them."""
    refuse(store, alice, mail())
    store.write_sync(message.add, alice, box(store, alice).id, new_message(store, mail("", "mine")))
    clock.move(REJECT_DAYS * DAY + 1)
    refuse(store, alice, mail("", "new"))
    assert uids(store, alice) == [2, 3]


def test_a_heap_goes_in_pieces(store, alice, clock):
    """Whoever kept everything for long and no longer does: no transaction removes it all."""
    for number in range(3 * rejects.REMOVED):
        refuse(store, alice, mail("", str(number)), keep_all=True)
    clock.move(REJECT_DAYS * DAY + 1)
    for left in (2 * rejects.REMOVED + 1, rejects.REMOVED + 2, 3, 4):
        refuse(store, alice, mail("", f"new {left}"))
        assert len(uids(store, alice)) == left


def test_not_too_many(store, alice):
    def fill(tx):
        for number in range(REJECTS_KEPT - 1):
            octets = mail("", str(number))
            options = {"destined": "Inbox", "digest": digest_of(octets), "limits": store.limits.mailbox}
            rejects.add(tx, alice, "Rejects", new_message(store, octets), keep_all=False, **options)

    store.write_sync(fill)
    assert refuse(store, alice, mail("", "the last")) is not None
    assert refuse(store, alice, mail("", "too many")) is None
    assert len(uids(store, alice)) == REJECTS_KEPT
    assert refuse(store, alice, mail("", "too many"), keep_all=True) is not None


@pytest.mark.parametrize(
    ("accepted", "name", "left"),
    [
        pytest.param("a@example.com", "Rejects", [2], id="accepted"),
        pytest.param("c@example.com", "Rejects", [1, 2], id="another"),
        pytest.param("", "Rejects", [1, 2], id="no Message-ID"),
        pytest.param("a@example.com", "Refused", [1, 2], id="no such mailbox"),
        pytest.param("a@example.com", "Archive", [1, 2], id="another mailbox"),
    ],
)
def test_accepted_in_the_end(store, alice, accepted, name, left):
    refuse(store, alice, mail("<a@example.com>"))
    refuse(store, alice, mail("<b@example.com>"))
    store.write_sync(rejects.forget, alice, name, accepted)
    assert uids(store, alice) == left


def test_no_copy_is_no_error(store, alice):
    octets = mail()
    assert refuse(store, alice, octets, quota_octets=10) is None
    assert refuse(store, alice, octets, name="x" * 300) is None
    added = refuse(store, alice, octets, destined="x" * 300)
    with store.read() as tx:
        assert message.facts(tx, alice, added.id).destined_mailbox == 0
    store.write_sync(accounts.begin_removal, "alice")
    assert refuse(store, alice, mail("", "other")) is None
    while not store.write_sync(accounts.remove_part, "alice", 10):
        pass
    assert refuse(store, alice, octets) is None
    with pytest.raises(NoSuchAccount), store.read() as tx:
        tx.account(alice)


def test_rules_of_mailboxes_apply(store, alice):
    rules = AutomaticJunkFlags(enabled=True, junk_mailbox_regexp=Pattern("^rej"))
    added = refuse(store, alice, mail(), junk_rules=rules)
    with store.read() as tx:
        assert message.row(tx, alice, box(store, alice).id, added.uid).flags == SEEN | JUNK


def test_copied_to_somebody_else(store, alice):
    """It is a message like any other there, and not looked at yet."""
    bob = add_account(store, "bob")
    added = refuse(store, alice, mail())
    source, target = MailboxRef(alice, box(store, alice).id), MailboxRef(bob, box(store, bob, "Inbox").id)
    ((_, uid),) = store.write_sync(across.copy, source, [added.uid], target, limits=store.limits.prepare)
    with store.read() as tx:
        row = message.row(tx, *target, uid)
        assert row.flags == 0
        assert not message.facts(tx, bob, row.id).origin.is_reject
    assert uids(store, alice) == [added.uid]


@pytest.mark.parametrize("size", [0, 10, 200_000, 5_000_000])
async def test_digest(store, alice, size):
    """Of the octets as they came, wherever they lie."""
    octets = b"Subject: x\r\n\r\n" + random.Random(size).randbytes(size)
    async with store.spool() as spool:
        await spool.write(octets)
        assert await rejects.content_digest(await spool.finish()) == digest_of(octets)
    inbox = box(store, alice, "Inbox").id
    added = store.write_sync(message.add, alice, inbox, new_message(store, octets, b"Received: here\r\n"))
    with store.read() as tx:
        body = message.row(tx, alice, inbox, added.uid).body
    assert await rejects.content_digest(await store.stored(body)) == digest_of(octets)


class Settings:
    """Accounts with their settings, where the keeper looks for them."""

    def __init__(self, **accounts):
        self.accounts = {name: Account(**settings) for name, settings in accounts.items()}

    @property
    def domains(self):
        return self

    def snapshot(self):
        return self


async def test_nothing_comes_in_any_more(store, alice, clock):
    bob = add_account(store, "bob")
    for account in (alice, bob):
        for number in range(2 * rejects.REMOVED + 1):
            refuse(store, account, mail("", str(number)), keep_all=True)
    clock.move(REJECT_DAYS * DAY)
    config = Settings(
        alice={"rejects_mailbox": "Rejects"},
        bob={"rejects_mailbox": "Rejects", "keep_rejects": True},
        carol={"rejects_mailbox": "Rejects"},
        dave={},
    )
    await rejects.sweep(store, config, clock)
    assert len(uids(store, alice)) == 2 * rejects.REMOVED + 1
    clock.move(1)
    await rejects.sweep(store, config, clock)
    assert uids(store, alice) == []
    assert len(uids(store, bob)) == 2 * rejects.REMOVED + 1


def test_whatever_happens_the_index_fits(store, alice):
    """Refused, accepted, moved, copied, flagged and removed by chance; closing the store checks the index."""
    chance = random.Random(5)
    for name in ("Rejects", "Other"):
        store.write_sync(mailbox.create, alice, name, limits=store.limits.mailbox)
    names = ["Rejects", "Other", "Inbox", "Archive", "Junk"]
    for _ in range(300):
        name = chance.choice(names)
        here = box(store, alice, name)
        found = uids(store, alice, name)
        some = chance.sample(found, min(len(found), 2))
        target = box(store, alice, chance.choice(names)).id
        ident = str(chance.randrange(20))
        match chance.randrange(7):
            case 0 | 1:
                refuse(store, alice, mail(f"<{ident}@x>", ident), name=chance.choice(names[:2]), destined="Archive")
            case 2:
                store.write_sync(rejects.forget, alice, name, f"{ident}@x")
            case 3:
                store.write_sync(message.move, alice, here.id, some, target)
            case 4:
                store.write_sync(message.copy, alice, here.id, some, target)
            case 5:
                store.write_sync(message.store_flags, alice, here.id, some, "+", JUNK)
            case 6:
                store.write_sync(message.expunge, alice, here.id, some)
    assert store.verify() == []
