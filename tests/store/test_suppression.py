"""The suppression list of an account."""

import pytest

from appliance.store import account as accounts, suppression
from appliance.store.problems import NoSuchAccount
from appliance.store.suppression import NotSuppressed, Suppressed
from support.stores import add_account, open_store


def test_added_found_removed(tmp_path):
    with open_store(tmp_path) as store:
        alice, bob = add_account(store), add_account(store, "bob")
        one = store.write_sync(
            suppression.add, alice, "ab@x.example", "a.b+c@x.example", manual=True, reason="he said so"
        )
        with pytest.raises(Suppressed, match=r"a\.b@x\.example is in the suppression list already, as ab@x\.example"):
            store.write_sync(suppression.add, alice, "ab@x.example", "a.b@x.example", manual=False, reason="")
        with pytest.raises(NotSuppressed):
            store.write_sync(suppression.remove, bob, "ab@x.example")
        other = store.write_sync(suppression.add, bob, "ab@x.example", "ab@x.example", manual=False, reason="")
        assert (other.id, other.created) == (one.id + 1, store.clock.microseconds())
        assert store.verify() == []
        store.write_sync(suppression.remove, alice, "ab@x.example")
        with store.read() as tx:
            assert suppression.find(tx, alice, "ab@x.example") is None
            assert suppression.find(tx, bob, "ab@x.example") == other
        with pytest.raises(NoSuchAccount):
            store.write_sync(suppression.add, 99, "x@x.example", "x@x.example", manual=True, reason="")


def test_a_list_is_read_in_pieces(tmp_path):
    with open_store(tmp_path) as store:
        alice, bob = add_account(store), add_account(store, "bob")
        names = [f"{number}@x.example" for number in range(23)]
        for name in names:
            store.write_sync(suppression.add, alice, name, name, manual=False, reason="")
        store.write_sync(suppression.add, bob, "b@x.example", "b@x.example", manual=False, reason="")
        found, after = [], ""
        with store.read() as tx:
            while some := suppression.some(tx, alice, after, 5):
                found += some
                after = found[-1].base_address
        assert sorted(one.base_address for one in found) == sorted(names)


def test_it_goes_with_its_account(tmp_path):
    with open_store(tmp_path) as store:
        alice, bob = add_account(store), add_account(store, "bob")
        for account in (alice, bob):
            for number in range(5):
                name = f"{number}@x.example"
                store.write_sync(suppression.add, account, name, name, manual=False, reason="")
        store.write_sync(accounts.begin_removal, "alice")
        while not store.write_sync(accounts.remove_part, "alice", 2):
            pass
        with store.read() as tx:
            assert suppression.some(tx, alice, "", 10) == []
            assert len(suppression.some(tx, bob, "", 10)) == 5


def test_verify_finds_one_in_the_wrong_place(tmp_path):
    def misplace(tx):
        from appliance.store import tables
        from appliance.store.tables import Table

        added = suppression.add(tx, alice, "a@x.example", "a@x.example", manual=True, reason="")
        tx.put_record(Table.SUPPRESSION, tables.suppression_key(alice, "b@x.example"), added)
        return added

    with open_store(tmp_path) as store:
        alice = add_account(store)
        added = store.write_sync(misplace)
        assert store.verify() == [f"account alice: suppression {added.id} of a@x.example is in the wrong place"]
        store.write_sync(suppression.remove, alice, "b@x.example")
