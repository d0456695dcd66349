"""What was submitted with a key: found for a day, for the same alone, and forgotten then."""

import pytest

from appliance.store import account, once
from appliance.store.once import KEPT, KeyInUse, Submitted
from appliance.store.tables import QueueID, Table
from support.stores import add_account, open_store


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path) as store:
        yield store


def done(key: str, when: int, digest: bytes = b"d") -> Submitted:
    return Submitted(when, key, digest, "<m@x>", ((QueueID(1), "id"),))


def find(store, number, key, digest=b"d", now=1):
    with store.read() as tx:
        return once.find(tx, number, key, digest, now)


def entries(store):
    with store.read() as tx:
        return tx.entries(Table.ONCE), tx.entries(Table.ONCE_TIME)


def test_found_for_a_day(store):
    alice, bob = (add_account(store, name) for name in ("alice", "bob"))
    store.write_sync(once.keep, alice, done("k", 1))
    assert find(store, alice, "k") == done("k", 1)
    assert find(store, alice, "other") is None
    assert find(store, bob, "k") is None
    with pytest.raises(KeyInUse):
        find(store, alice, "k", b"other")
    assert find(store, alice, "k", b"other", now=1 + KEPT) is None
    store.write_sync(once.keep, alice, done("k", 2 + KEPT, b"other"))
    assert find(store, alice, "k", b"other", now=2 + KEPT) == done("k", 2 + KEPT, b"other")
    assert entries(store) == (1, 1)


def test_old_ones_are_forgotten(store):
    alice = add_account(store)
    for number in range(20):
        store.write_sync(once.keep, alice, done(f"k{number}", number + 1))
    assert entries(store) == (20, 20)
    for number in range(6):
        store.write_sync(once.keep, alice, done(f"n{number}", 100 + KEPT))
    assert entries(store) == (6, 6)


def test_they_go_with_the_account(store):
    alice = add_account(store)
    store.write_sync(once.keep, alice, done("k", 1))
    store.write_sync(account.begin_removal, "alice")
    while not store.write_sync(account.remove_part, "alice", 100):
        pass
    assert entries(store) == (0, 0)
