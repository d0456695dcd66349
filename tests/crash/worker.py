"""Works on a store until it is killed; says on standard output what was promised, once it was promised."""

import contextlib
import random
from ipaddress import ip_address
from pathlib import Path
from types import SimpleNamespace

import msgspec
import trio

from appliance.config.domains import JunkFilter
from appliance.delivery import learning
from appliance.msgauth import publicsuffix
from appliance.store import indexing, mailbox, message, prepare, reputation, seen, store as stores, words
from appliance.store.history import networks
from appliance.store.problems import MailboxExists, NoSuchMailbox
from appliance.store.records import Origin
from appliance.store.store import Store
from appliance.store.tables import MailboxRef
from crash.killing import say, serve
from support.clock import StandingClock
from support.stores import LIMITS, add_account, new_message

NAMES = ("Inbox", "Archive", "Trash", "Sent")
HOSTS = ("192.0.2.1", "192.0.2.2", "192.0.2.77", "2001:db8::1")
WORDS = [b"alpha", b"beta", b"gamma", b"delta", b"epsilon"]


def stranger(dice: random.Random) -> Origin:
    """Who sent a message that came by SMTP."""
    return Origin(
        remote_ip=dice.choice(HOSTS),
        ehlo="mx.example.org",
        mail_from="bob@example.org",
        msg_from_localpart=dice.choice("abc"),
        msg_from_domain="example.org",
        msg_from_org_domain="example.org",
        msg_from_validated=dice.random() < 0.5,
    )


def deliver(tx, account, target, new):
    """A message comes, and with it the count of what comes."""
    added = message.add(tx, account, target, new)
    if new.origin.remote_ip:
        reputation.arrived(tx, account, networks(ip_address(new.origin.remote_ip)), new.size)
    return added


def remove(tx, account, source, uids):
    """Remove, and tell which ids: before it is durable, since a kill may come between commit and word."""
    found = [message.row(tx, account, source, uid) for uid in uids]
    say(f"gone {' '.join(str(row.id) for row in found if row is not None)}")
    message.expunge(tx, account, source, uids)


def mark(tx, account, box, reader, uids, mode, flags):
    """As one does who has a \\Seen of his own."""
    message.store_flags(tx, account, box, uids, mode, flags, own=seen.own(tx, MailboxRef(account, box), reader))


def move(tx, account, source, reader, uids, target):
    there, here = (seen.own(tx, MailboxRef(account, box), reader) for box in (source, target))
    message.move(tx, account, source, uids, target, own_there=there, own=here)


async def add_large(store: Store, account, target, *, keep: bool) -> None:
    """A body written in slices before the transaction that names it."""
    async with store.spool() as spool:
        for _ in range(40):
            await spool.write(b"y" * 65_536)
        spooled = await spool.finish()
        body = await store.body(spooled)
        if not keep:
            await store.unuse(body)
            return
        small = new_message(store, b"Subject: large\r\n\r\n")
        root = msgspec.structs.replace(small.root, end=spooled.size)
        new = msgspec.structs.replace(small, body=body, root=root)
        added = await store.write(message.add, account, target, new)
        say(f"added {added.id}")


async def work(store: Store, account, reader, dice: random.Random) -> None:
    while True:
        name, other = dice.sample(NAMES, 2)
        with store.read() as tx:
            source, target = mailbox.by_name(tx, account, name), mailbox.by_name(tx, account, other)
            uids = [uid for uid, _ in message.rows(tx, account, source.id)]
        some = dice.sample(uids, min(len(uids), 3))
        what = dice.random()
        if what < 0.4:
            chosen = b" ".join(dice.sample(WORDS, 3))
            octets = b"To: bob@example.org\r\n\r\n" + chosen + b" " + b"x" * dice.choice((10, 5_000, 200_000))
            new = new_message(store, octets)
            if dice.random() < 0.7:
                new = msgspec.structs.replace(new, origin=stranger(dice))
            else:
                names = prepare.sent_to(new.prepared.fields, LIMITS.prepare)
                new = msgspec.structs.replace(new, sent_to=names)
            added = await store.write(deliver, account, source.id, new)
            say(f"added {added.id}")
        elif what < 0.5:
            await add_large(store, account, source.id, keep=dice.random() < 0.5)
        elif what < 0.6:
            await store.write(mark, account, source.id, reader, some, dice.choice("++-="), dice.choice((1, 5)))
        elif what < 0.7:
            await store.write(
                message.store_flags, account, source.id, some, dice.choice("+-="), dice.choice((1, 4, 64, 16, 32))
            )
        elif what < 0.8:
            await store.write(message.copy, account, source.id, some, target.id)
        elif what < 0.85:
            await store.write(message.move, account, source.id, some, target.id)
        elif what < 0.9:
            await store.write(move, account, source.id, reader, some, target.id)
        elif what < 0.94:
            await store.write(remove, account, source.id, some)
            await store.write(message.erase, account, None, 5)
        else:
            path = f"box{dice.randint(0, 5)}/sub"
            with store.read() as tx:
                there = mailbox.find(tx, account, path)
            with contextlib.suppress(NoSuchMailbox, MailboxExists):
                if there is None:
                    await store.write(mailbox.create, account, path, limits=LIMITS.mailbox)
                elif dice.random() < 0.7:
                    await store.write(message.copy, account, source.id, some, there.id)
                else:
                    await store.write(mailbox.remove, account, there.id)


async def learn(store: Store, account, dice: random.Random) -> None:
    """A filter that is always learning, and often made anew."""
    known = SimpleNamespace(junk_filter=JunkFilter(threshold=1, onegrams=True))
    config = SimpleNamespace(snapshot=lambda: SimpleNamespace(domains=SimpleNamespace(accounts={"alice": known})))
    learner = learning.Learner()
    while True:
        await learner.look(store, config, account)
        if dice.random() < 0.05:
            await learner.retrain(store, config, account)
        await trio.sleep(0.005)


async def main(folder: Path, seed: int) -> None:
    store = Store(folder, clock=StandingClock(), limits=LIMITS)
    store.sweep()
    with store.read() as tx:
        account = tx.account_id("alice")
    if account is None:
        account = add_account(store)
        add_account(store, "bob")
        with store.read() as tx:
            boxes = [mailbox.by_name(tx, account, name).id for name in NAMES]
        for box in boxes:
            store.write_sync(seen.set_own, account, box, is_own=True)
    with store.read() as tx:
        reader = tx.account_id("bob")
    # An index that is always being made, in many small transactions.
    words.MESSAGES, words.BLOCK_OCTETS = 12, 200
    indexing.WRITE_OCTETS, indexing.LEISURE_SECONDS, indexing.SPARSE_SECONDS = 500, 0, 0
    # Some messages at a time, so that there is always a filter that is not yet whole.
    learning.MESSAGES, learning.STEP_MESSAGES, learning.STEP_WORDS = 2, 5, 3
    # The messages of removed mailboxes go one by one.
    mailbox.REMOVED_AT_ONCE, stores.EMPTY_MESSAGES, stores.ERASE_LEISURE_SECONDS = 0, 1, 0.05
    async with trio.open_nursery() as nursery:
        for number in range(4):
            nursery.start_soon(work, store, account, reader, random.Random(seed * 10 + number))
        nursery.start_soon(store.indexer.keep)
        nursery.start_soon(store.erase_forever)
        nursery.start_soon(learn, store, account, random.Random(seed))


if __name__ == "__main__":
    publicsuffix.load()
    serve(lambda folder, seed: trio.run(main, folder, seed))
