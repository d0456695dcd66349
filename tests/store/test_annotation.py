import random

import pytest

from appliance.base.problem import Problem
from appliance.store import annotation, mailbox
from appliance.store.annotation import AnnotationLimits, Entry
from appliance.store.problems import AnnotationTooLarge, NoSuchMailbox, TooManyAnnotations
from support.stores import LIMITS, add_account, open_store

FEW = AnnotationLimits(entries=2, octets=10, value_octets=6)


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path) as store:
        yield store


@pytest.fixture
def alice(store):
    return add_account(store)


def put(store, account, *wanted, mailbox=0, limits=FEW):
    store.write_sync(annotation.put, account, mailbox, wanted, limits=limits)


def held(store, account, mailbox=0):
    with store.read() as tx:
        return {one.entry: one.value for one in annotation.entries(tx, account, mailbox)}


def test_set_replaced_and_removed(store, alice):
    put(store, alice, Entry("/private/a", b"1"), Entry("/private/b", b"\0", is_text=False))
    put(store, alice, Entry("/private/a", b"2"), Entry("/private/b", None), Entry("/private/never", None))
    assert held(store, alice) == {"/private/a": b"2"}
    with store.read() as tx:
        one = annotation.get(tx, alice, 0, "/private/a")
        assert one is not None
        assert one.create_modseq < one.modseq


def test_limits_take_all_or_nothing(store, alice):
    put(store, alice, Entry("/private/a", b"12345"), Entry("/private/b", b"1234"))
    with pytest.raises(TooManyAnnotations):
        put(store, alice, Entry("/private/b", b""), Entry("/private/c", b""))
    with pytest.raises(AnnotationTooLarge) as caught:
        put(store, alice, Entry("/private/b", b"1"), Entry("/private/a", b"1234567"))
    assert caught.value.octets == 6  # What one value may have.
    with pytest.raises(AnnotationTooLarge) as caught:
        put(store, alice, Entry("/private/b", b"123456"))
    assert caught.value.octets == 5  # What the other one leaves.
    assert held(store, alice) == {"/private/a": b"12345", "/private/b": b"1234"}


def test_what_goes_makes_room_for_what_comes(store, alice):
    put(store, alice, Entry("/private/a", b"12345"), Entry("/private/b", b"12345"))
    put(store, alice, Entry("/private/c", b"12345"), Entry("/private/a", None))
    assert set(held(store, alice)) == {"/private/b", "/private/c"}


def test_they_are_changes_of_their_mailbox_and_go_with_it(store, alice):
    store.write_sync(mailbox.create, alice, "x", limits=LIMITS.mailbox)
    with store.read() as tx:
        box, sent = mailbox.by_name(tx, alice, "x"), mailbox.by_name(tx, alice, "Sent")
    put(store, alice, Entry("/shared/comment", b"x"), mailbox=box.id)
    with store.read() as tx:
        assert tx.mailbox(alice, box.id).modseq == tx.account(alice).modseq > box.modseq
        assert tx.mailbox(alice, sent.id).modseq == sent.modseq
    before = box.modseq
    put(store, alice, Entry("/shared/other", None), mailbox=box.id)  # Nothing changes.
    with store.read() as tx:
        assert tx.mailbox(alice, box.id).modseq > before
    store.write_sync(mailbox.remove, alice, box.id)
    assert held(store, alice, box.id) == {}
    with pytest.raises(NoSuchMailbox):
        put(store, alice, Entry("/shared/comment", b"x"), mailbox=box.id)


def test_long_names_stay_apart(store, alice):
    names = ["/private/vendor/x/" + "n" * 500 + end for end in "ab"]
    put(store, alice, *(Entry(name, name[-1:].encode()) for name in names))
    assert held(store, alice) == {name: name[-1:].encode() for name in names}


def test_counts_survive_anything(store, alice):
    """Verified when the store closes: whatever was set, refused, renamed and removed."""
    chance = random.Random(4)
    limits = type(LIMITS.mailbox)(mailboxes=20, subscriptions=50, annotations=AnnotationLimits(8, 40, 12), grantees=5)
    for step in range(200):
        with store.read() as tx:
            boxes = [one.id for one in tx.mailboxes(alice)]
        wanted = [
            Entry(f"/private/{chance.choice('abcdef')}", chance.choice([None, b"x" * chance.randrange(15)]))
            for _ in range(chance.randrange(1, 4))
        ]
        try:
            match chance.randrange(8):
                case 0:
                    store.write_sync(mailbox.create, alice, f"box{step}", limits=limits)
                case 1:
                    store.write_sync(mailbox.remove, alice, chance.choice(boxes))
                case 2:
                    store.write_sync(mailbox.rename_inbox, alice, f"old{step}", limits=limits)
                case _:
                    put(store, alice, *wanted, mailbox=chance.choice([0, *boxes]), limits=limits.annotations)
        except Problem:
            pass  # Nothing was kept, as the end of the test verifies.
