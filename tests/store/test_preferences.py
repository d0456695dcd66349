"""How an account wants its mail: preferences, views of senders, what is not suggested, identities."""

import msgspec
import pytest

from appliance.base import limits
from appliance.store import account as accounts, preferences
from appliance.store.problems import NoSuchAccount, TooMany
from appliance.store.tables import Table
from appliance.store.webrecords import Identity, Preferences
from support.clock import StandingClock
from support.stores import add_account, open_store


def test_preferences_have_versions(tmp_path):
    with open_store(tmp_path) as store:
        alice = add_account(store)
        with store.read() as tx:
            assert preferences.find(tx, alice) == Preferences()
        store.write_sync(preferences.keep, alice, Preferences(undo_seconds=5))
        now = store.write_sync(preferences.keep, alice, Preferences(quoting="top"))
        assert now == Preferences(version=2, quoting="top")
        with store.read() as tx:
            assert preferences.find(tx, alice) == now
        with pytest.raises(NoSuchAccount):
            store.write_sync(preferences.keep, 99, Preferences())


def test_views_of_senders(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "SENDER_VIEWS", 3)
    clock = StandingClock()
    with open_store(tmp_path, clock) as store:
        alice = add_account(store)
        for number in (0, 1, 2, 0, 3):  # The first was chosen again: the second is the oldest.
            store.write_sync(preferences.keep_view, alice, f"U{number}@example.org", "html")
            clock.move(1)
        with store.read() as tx:
            found = [preferences.view(tx, alice, f"u{number}@EXAMPLE.org") for number in range(4)]
        assert [one.mode if one else None for one in found] == ["html", None, "html", "html"]


def test_never(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "RULESET_NEVERS", 2)
    clock = StandingClock()
    with open_store(tmp_path, clock) as store:
        alice = add_account(store)
        for about in ("a", "b", "c"):
            store.write_sync(preferences.never, alice, about)
            clock.move(1)
        with store.read() as tx:
            assert [preferences.is_never(tx, alice, about) for about in "abcd"] == [False, True, True, False]


def test_identities(tmp_path):
    with open_store(tmp_path) as store:
        alice, carol = add_account(store), add_account(store, "carol")
        one = Identity("a@example.org", "Ann", text_signature="-- \nAnn")
        store.write_sync(preferences.keep_identity, alice, "I1", one, 2)
        store.write_sync(preferences.keep_identity, alice, "I2", one, 2)
        with pytest.raises(TooMany):
            store.write_sync(preferences.keep_identity, alice, "I3", one, 2)
        other = msgspec.structs.replace(one, name="Other")
        store.write_sync(preferences.keep_identity, alice, "I1", other, 2)
        assert store.write_sync(preferences.remove_identity, alice, "I2") is True
        assert store.write_sync(preferences.remove_identity, alice, "I2") is False
        with store.read() as tx:
            assert preferences.identities(tx, alice) == {"I1": other}
            assert preferences.identities(tx, carol) == {}


@pytest.mark.parametrize("table", [Table.SENDER_VIEW, Table.RULESET_NEVER])
def test_verify_sees(tmp_path, table):
    with open_store(tmp_path) as store:
        alice = add_account(store)
        store.write_sync(preferences.keep_view, alice, "a@example.org", "text")
        store.write_sync(preferences.never, alice, "a")
        with store.read() as tx:
            ((key, value),) = list(tx.scan_prefix(table, b""))
        wrong = key[:-1] + bytes([key[-1] ^ 1])
        store.write_sync(lambda tx: tx.put(table, wrong, value))
        assert any("wrong place" in found for found in store.verify())
        store.write_sync(lambda tx: tx.delete(table, wrong))


def test_all_go_with_their_account(tmp_path):
    with open_store(tmp_path) as store:
        alice = add_account(store)
        store.write_sync(preferences.keep, alice, Preferences())
        store.write_sync(preferences.keep_view, alice, "a@example.org", "text")
        store.write_sync(preferences.never, alice, "a")
        store.write_sync(preferences.keep_identity, alice, "I1", Identity("a@example.org"), 9)
        store.write_sync(accounts.begin_removal, "alice")
        while not store.write_sync(accounts.remove_part, "alice", 100):
            pass
        with store.read() as tx:
            for table in (Table.PREFERENCES, Table.SENDER_VIEW, Table.RULESET_NEVER, Table.IDENTITY):
                assert not tx.entries(table)
