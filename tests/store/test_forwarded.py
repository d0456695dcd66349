"""Where notices about forwarded mail go, and how much an account forwards: kept, counted, forgotten."""

import pytest

from appliance.store import account as accounts, forwarded
from appliance.store.tables import Table
from support.stores import add_account, open_store

DAY = 24 * 3600 * 1_000_000


@pytest.fixture(name="store")
def _store(tmp_path):
    with open_store(tmp_path) as store:
        yield store


def find(store, localpart, later=0):
    with store.read() as tx:
        return forwarded.find(tx, localpart, store.clock.microseconds() + later)


def rows(store, table):
    with store.read() as tx:
        return list(tx.scan_prefix(table, b""))


def test_until_its_time(store):
    until = store.clock.microseconds() + DAY
    store.write_sync(forwarded.keep, "srs=a", "x@y.example", until)
    store.write_sync(forwarded.keep, "srs=a", "other@y.example", until + DAY)
    assert find(store, "srs=a").returns_to == "x@y.example"
    assert find(store, "srs=a", DAY - 1) is not None
    assert find(store, "srs=a", DAY) is None
    assert find(store, "srs=b") is None
    assert store.verify() == []


def test_notices_are_counted(store):
    store.write_sync(forwarded.keep, "srs=a", "x@y.example", store.clock.microseconds() + DAY)
    assert [store.write_sync(forwarded.count_notice, "srs=a", 2) for _ in range(3)] == [True, True, False]
    assert store.write_sync(forwarded.count_notice, "srs=b", 2) is False
    store.clock.move(24 * 3600)
    assert store.write_sync(forwarded.count_notice, "srs=a", 9) is False


def test_old_ones_go_with_new_ones(store):
    now = store.clock.microseconds()
    for number in range(10):
        store.write_sync(forwarded.keep, f"srs={number}", "x@y.example", now + DAY)
    store.clock.move(2 * 24 * 3600)
    for number in range(10, 14):
        store.write_sync(forwarded.keep, f"srs={number}", "x@y.example", now + 9 * DAY)
    assert len(rows(store, Table.RETURN_PATH)) == len(rows(store, Table.RETURN_PATH_UNTIL)) == 4
    assert store.verify() == []


def test_a_day_of_forwarding(store):
    account, other = add_account(store, "a"), add_account(store, "b")

    def total() -> int:
        with store.read() as tx:
            return forwarded.forwarded(tx, account, store.clock.microseconds())

    assert total() == 0
    model = []
    for hours, messages in ((0, 3), (0, 4), (5, 1), (18.5, 2), (1, 5), (40, 7), (23, 1), (1, 1)):
        store.clock.move(hours * 3600)
        store.write_sync(forwarded.count, account, messages)
        store.write_sync(forwarded.count, other, 1000)
        hour = store.clock.microseconds() // (DAY // 24)
        model.append((hour, messages))
        assert total() == sum(count for at, count in model if at > hour - 24)
    assert len([key for key, _ in rows(store, Table.FORWARDED) if key.startswith(account.to_bytes(4, "big"))]) <= 3
    assert store.verify() == []
    store.write_sync(accounts.begin_removal, "a")
    while not store.write_sync(accounts.remove_part, "a", 5):
        pass
    assert store.verify() == []
