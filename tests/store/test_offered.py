"""What hosts of the domains that an account writes to offer of TLS."""

import pytest

from appliance.store import account as accounts, offered
from appliance.store.problems import NoSuchAccount
from appliance.store.queuerecords import Offered
from appliance.store.tables import Table
from support.stores import add_account, open_store

HOUR = 3600 * 1_000_000
ONE = Offered("ä.example", 100 * HOUR, starttls=True, requiretls=False)


def test_each_account_has_its_own(tmp_path):
    with open_store(tmp_path) as store:
        alice, bob = add_account(store), add_account(store, "bob")
        store.write_sync(offered.note, alice, ONE)
        with store.read() as tx:
            assert offered.find(tx, alice, "ä.example") == ONE
            assert offered.find(tx, alice, "b.example") is None
            assert offered.find(tx, bob, "ä.example") is None
        assert store.verify() == []
        with pytest.raises(NoSuchAccount):
            store.write_sync(offered.note, 99, ONE)


@pytest.mark.parametrize(
    ("new", "is_news"),
    [
        (ONE, False),
        (Offered("ä.example", 123 * HOUR, starttls=True, requiretls=False), False),
        (Offered("ä.example", 124 * HOUR, starttls=True, requiretls=False), True),
        (Offered("ä.example", 76 * HOUR, starttls=True, requiretls=False), True),
        (Offered("ä.example", 100 * HOUR, starttls=True, requiretls=True), True),
        (Offered("ä.example", 100 * HOUR, starttls=False, requiretls=False), True),
        (Offered("b.example", 100 * HOUR, starttls=True, requiretls=False), True),
    ],
)
def test_what_has_not_changed_is_not_written_again(tmp_path, new, is_news):
    with open_store(tmp_path) as store:
        alice = add_account(store)
        store.write_sync(offered.note, alice, ONE)
        with store.read() as tx:
            assert offered.is_news(tx, alice, new) is is_news


def test_what_is_in_the_wrong_place_is_found(tmp_path):
    with open_store(tmp_path) as store:
        alice = add_account(store)
        store.write_sync(offered.note, alice, ONE)

        def misplace(tx):
            ((key, value),) = list(tx.scan_prefix(Table.OFFERED, b""))
            tx.put(Table.OFFERED, key[:-1] + bytes([key[-1] ^ 1]), value)

        store.write_sync(misplace)
        assert store.verify() == ["account alice: what a domain offers is in the wrong place"]
        store.write_sync(
            lambda tx: [tx.delete(Table.OFFERED, key) for key, _ in list(tx.scan_prefix(Table.OFFERED, b""))]
        )


def test_goes_with_its_account(tmp_path):
    with open_store(tmp_path) as store:
        alice = add_account(store)
        store.write_sync(offered.note, alice, ONE)
        store.write_sync(accounts.begin_removal, "alice")
        while not store.write_sync(accounts.remove_part, "alice", 100):
            pass
        with store.read() as tx:
            assert list(tx.scan_prefix(Table.OFFERED, b"")) == []


def test_what_is_old_is_forgotten_by_what_is_written_later(tmp_path):
    half_a_year = 180 * 24 * HOUR
    with open_store(tmp_path) as store:
        alice, bob = add_account(store), add_account(store, "bob")
        names = [f"d{number}.example" for number in range(30)]
        for account in (alice, bob):
            for name in names:
                store.write_sync(offered.note, account, Offered(name, HOUR, starttls=True, requiretls=False))
        for number in range(30):
            later = Offered(f"new{number}.example", HOUR + half_a_year + number, starttls=True, requiretls=False)
            store.write_sync(offered.note, alice, later)
        with store.read() as tx:
            left = [offered.find(tx, account, name) for account in (alice, bob) for name in names]
            assert left.count(None) > 30
            assert all(offered.find(tx, alice, f"new{number}.example") for number in range(30))
