import random

import pytest

from appliance.store import bodies, mailbox, message
from appliance.store.problems import OverQuota
from appliance.store.records import Flag
from support.stores import add_account, new_message, open_store


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path) as store:
        yield store


@pytest.fixture
def alice(store):
    return add_account(store)


def inbox(store, account, name="Inbox"):
    with store.read() as tx:
        return mailbox.by_name(tx, account, name)


def test_added_message_is_read_back_whole(store, alice):
    octets = b"Subject: hi\r\n\r\n" + b"x" * 200_000
    added = store.write_sync(message.add, alice, inbox(store, alice).id, new_message(store, octets, b"Received: x\r\n"))
    with store.read() as tx:
        row = message.row(tx, alice, inbox(store, alice).id, added.uid)
        assert row.size == len(octets) + 13
        assert message.prefix(tx, alice, added.id) == b"Received: x\r\n"
        assert bodies.read(tx, row.body, 0, len(octets)) == octets
        assert bodies.read(tx, row.body, 65_500, 65_600) == octets[65_500:65_600]


def test_quota_counts_removed_messages_until_they_are_erased(store, alice):
    box = inbox(store, alice).id
    new = new_message(store)
    added = store.write_sync(message.add, alice, box, new, quota_octets=new.size)
    with pytest.raises(OverQuota):
        store.write_sync(message.add, alice, box, new, quota_octets=new.size)
    store.write_sync(message.expunge, alice, box, [added.uid])
    with pytest.raises(OverQuota):
        store.write_sync(message.add, alice, box, new, quota_octets=new.size)
    store.write_sync(message.erase, alice, None, 100)
    store.write_sync(message.add, alice, box, new, quota_octets=new.size)


def test_copies_share_a_body_until_the_last_is_erased(store, alice):
    box, archive = inbox(store, alice).id, inbox(store, alice, "Archive").id
    added = store.write_sync(message.add, alice, box, new_message(store))
    pairs = store.write_sync(message.copy, alice, box, [added.uid], archive)
    store.write_sync(message.expunge, alice, box, [added.uid])
    store.write_sync(message.erase, alice, None, 100)
    with store.read() as tx:
        row = message.row(tx, alice, archive, pairs[0][1])
        assert bodies.read(tx, row.body, 0, 7) == b"Subject"


def test_reply_joins_the_thread_of_its_parent(store, alice):
    box = inbox(store, alice).id
    first = store.write_sync(message.add, alice, box, new_message(store, b"Message-ID: <a@x>\r\nSubject: hi\r\n\r\n"))
    reply = store.write_sync(
        message.add,
        alice,
        box,
        new_message(store, b"Message-ID: <b@x>\r\nReferences: <a@x>\r\nSubject: Re: hi\r\n\r\n"),
    )
    with store.read() as tx:
        assert message.row(tx, alice, box, reply.uid).thread == message.row(tx, alice, box, first.uid).thread


def test_random_operations_keep_every_invariant(store, alice):
    """Model based: after each step the store's own bookkeeping equals a plain model, at the end `verify` is empty."""
    rng = random.Random(7)
    names = ["Inbox", "Archive", "Trash"]
    model = {name: {} for name in names}
    ids = {name: inbox(store, alice, name).id for name in names}
    for _ in range(300):
        name, other = rng.sample(names, 2)
        uids = rng.sample(sorted(model[name]), min(len(model[name]), rng.randint(0, 3)))
        match rng.randint(0, 5):
            case 0 | 1:
                flags = rng.choice([0, int(Flag.SEEN), int(Flag.SEEN | Flag.DELETED)])
                added = store.write_sync(
                    message.add, alice, ids[name], new_message(store), flags=flags, keywords=("kw",)
                )
                model[name][added.uid] = (flags, ("kw",))
            case 2:
                flag = rng.choice([Flag.SEEN, Flag.DELETED, Flag.FLAGGED])
                mode = rng.choice("+-=")
                store.write_sync(message.store_flags, alice, ids[name], uids, mode, int(flag))
                for uid in uids:
                    old, words = model[name][uid]
                    new = old | flag if mode == "+" else old & ~flag if mode == "-" else flag
                    model[name][uid] = (int(new), () if mode == "=" else words)
            case 3:
                for source, target in store.write_sync(message.copy, alice, ids[name], uids, ids[other]):
                    model[other][target] = model[name][source]
            case 4:
                for source, target in store.write_sync(message.move, alice, ids[name], uids, ids[other]):
                    model[other][target] = model[name].pop(source)
            case 5:
                for uid in store.write_sync(message.expunge, alice, ids[name], uids):
                    del model[name][uid]
                if rng.random() < 0.5:
                    store.write_sync(message.erase, alice, None, 2)
        with store.read() as tx:
            for box in names:
                record = tx.mailbox(alice, ids[box])
                view = store.view_now(tx, alice, record)
                assert {uid: (view.flags[at], view.keywords.get(uid, ())) for at, uid in enumerate(view.uids)} == model[
                    box
                ]
                assert record.messages == len(model[box])
    assert store.verify() == []
