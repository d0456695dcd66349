"""Who has had an automatic reply."""

import pytest

from appliance.base import limits
from appliance.store import account as accounts, vacation
from appliance.store.tables import Table
from appliance.store.webrecords import Vacation
from support.clock import StandingClock
from support.stores import add_account, open_store

DAY = 24 * 3600
US = 1_000_000


@pytest.mark.parametrize(
    ("one", "now", "is_on"),
    [
        (Vacation(), 5, False),
        (Vacation(is_enabled=True), 5, True),
        (Vacation(is_enabled=True, from_date=5), 5, True),
        (Vacation(is_enabled=True, from_date=6), 5, False),
        (Vacation(is_enabled=True, to_date=6), 5, True),
        (Vacation(is_enabled=True, to_date=5), 5, False),
        (Vacation(from_date=1, to_date=9), 5, False),
    ],
)
def test_is_on(one, now, is_on):
    assert vacation.is_on(one, now) is is_on


def may(store, account, sender, clock):
    with store.read() as tx:
        return vacation.may_answer(tx, account, [sender], clock.microseconds())


def test_once_in_some_days(tmp_path):
    clock = StandingClock()
    with open_store(tmp_path, clock) as store:
        alice, carol = add_account(store), add_account(store, "carol")
        assert not may(store, alice, "a@example.org", clock)
        for account in (alice, carol):
            store.write_sync(vacation.keep, account, Vacation(is_enabled=True, days=3))
        assert may(store, alice, "a@example.org", clock)
        store.write_sync(vacation.answered, alice, ["a@example.org"])
        assert not may(store, alice, "A@Example.org", clock)
        assert may(store, alice, "b@example.org", clock)
        assert may(store, carol, "a@example.org", clock)
        clock.move(3 * DAY - 1)
        assert not may(store, alice, "a@example.org", clock)
        clock.move(1)
        assert may(store, alice, "a@example.org", clock)


def test_switched_on_anew_everybody_is_told_again(tmp_path):
    clock = StandingClock()
    with open_store(tmp_path, clock) as store:
        alice = add_account(store)
        on, off = Vacation(is_enabled=True), Vacation()
        store.write_sync(vacation.keep, alice, on)
        store.write_sync(vacation.answered, alice, ["a@example.org"])
        assert store.write_sync(vacation.keep, alice, Vacation(is_enabled=True, text="new")).version == 2
        assert not may(store, alice, "a@example.org", clock)
        store.write_sync(vacation.keep, alice, off)
        store.write_sync(vacation.keep, alice, on)
        assert may(store, alice, "a@example.org", clock)


def test_so_many_in_a_day(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "VACATION_REPLIES_PER_DAY", 3)
    clock = StandingClock()
    with open_store(tmp_path, clock) as store:
        alice = add_account(store)
        store.write_sync(vacation.keep, alice, Vacation(is_enabled=True))
        for number in range(3):
            assert may(store, alice, f"u{number}@example.org", clock)
            store.write_sync(vacation.answered, alice, [f"u{number}@example.org"])
        assert not may(store, alice, "other@example.org", clock)
        clock.move(DAY)
        assert may(store, alice, "other@example.org", clock)


def test_who_was_answered_long_ago_is_forgotten(tmp_path):
    clock = StandingClock()
    with open_store(tmp_path, clock) as store:
        alice = add_account(store)
        store.write_sync(vacation.keep, alice, Vacation(is_enabled=True))
        for number in range(40):
            store.write_sync(vacation.answered, alice, [f"u{number}@example.org"])
        clock.move((limits.VACATION_DAYS[-1] + 1) * DAY)
        for number in range(40):
            store.write_sync(vacation.answered, alice, [f"new{number}@example.org"])
        with store.read() as tx:
            assert 41 <= tx.entries(Table.VACATION_ANSWERED) < 60


def test_goes_with_its_account(tmp_path):
    with open_store(tmp_path) as store:
        alice = add_account(store)
        store.write_sync(vacation.keep, alice, Vacation(is_enabled=True))
        store.write_sync(vacation.answered, alice, ["a@example.org"])
        store.write_sync(accounts.begin_removal, "alice")
        while not store.write_sync(accounts.remove_part, "alice", 100):
            pass
        with store.read() as tx:
            assert not tx.entries(Table.VACATION) + tx.entries(Table.VACATION_ANSWERED)
