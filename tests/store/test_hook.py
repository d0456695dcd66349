"""Records of webhooks: indices, superseding, retiring, forgetting, accounts that go; and random work against a model."""

import random

import pytest

from appliance.store import account as accounts, hook
from appliance.store.hookrecords import Hook, HookAttempt
from appliance.store.tables import AccountID, HookID, QueueID, Table
from support.clock import StandingClock
from support.stores import add_account, open_store

HOUR = 3600 * 1_000_000


def new(account, *, queued=0, event="delivered", url="https://app.example/", **fields):
    return Hook(HookID(0), account, event, url, queued=QueueID(queued), **fields)


def add(store, one, payload=b"{}", *, keep=0):
    assert store.write_sync(hook.add, one, payload, keep=keep)
    return one


def due(store, now):
    with store.read() as tx:
        return [id for _, id in hook.due_after(tx, b"", now)]


def test_one_is_due_at_once(tmp_path):
    clock = StandingClock()
    with open_store(tmp_path, clock) as store:
        alice, now = add_account(store), clock.microseconds()
        first = add(store, new(alice), b"[1]")
        clock.move(1)
        second = add(store, new(alice, event="incoming"), b"[2]")
        assert (first.id, second.id) == (1, 2)
        assert (first.submitted, first.next_attempt) == (now, now)
        assert due(store, now) == [1]
        assert due(store, now + 1_000_000) == [1, 2]
        with store.read() as tx:
            assert hook.get(tx, first.id) == first
            assert hook.payload(tx, second.id) == b"[2]"
            assert hook.next_time(tx, now) == now + 1_000_000
            assert hook.count(tx) == 2


def test_postponed(tmp_path):
    with open_store(tmp_path) as store:
        one = add(store, new(add_account(store)))
        one.next_attempt += HOUR
        store.write_sync(hook.update, one)
        assert due(store, one.next_attempt - 1) == []
        assert due(store, one.next_attempt) == [1]


def test_later_news_of_a_message_take_the_place_of_earlier_ones(tmp_path):
    with open_store(tmp_path) as store:
        alice = add_account(store)
        first = add(store, new(alice, queued=7, authorization="Bearer x", secret="whsec_eA=="), b"[1]", keep=HOUR)
        other = add(store, new(alice, queued=8), keep=HOUR)
        incoming = add(store, new(alice, event="incoming"), keep=HOUR)
        second = add(store, new(alice, queued=7), keep=HOUR)
        with store.read() as tx:
            assert hook.get(tx, first.id) is None
            done = hook.retired(tx, first.id)
            assert (done.superseded_by, done.success, done.keep_until) == (second.id, False, done.last_activity + HOUR)
            assert (done.has_authorization, done.is_signed, done.queued) == (True, True, 7)
            assert hook.payload(tx, first.id) == b"[1]"
            assert hook.of_message(tx, QueueID(7)) == second.id
            assert [hook.get(tx, one.id) for one in (other, incoming, second)] == [other, incoming, second]


def test_nothing_is_remembered_without_a_period(tmp_path):
    with open_store(tmp_path) as store:
        one = add(store, new(add_account(store), queued=7))
        store.write_sync(hook.retire, one, success=True, keep=0)
        with store.read() as tx:
            assert hook.retired(tx, one.id) is hook.payload(tx, one.id) is hook.next_forgetting(tx) is None


def test_the_result_of_an_attempt_that_was_under_way(tmp_path):
    clock = StandingClock()
    with open_store(tmp_path, clock) as store:
        one = add(store, new(add_account(store), results=(HookAttempt(5, url="u", error="none yet"),)))
        store.write_sync(hook.retire, one, success=False, keep=HOUR)
        clock.move(9)
        with store.read() as tx:
            done = hook.retired(tx, one.id)
        store.write_sync(hook.set_result, done, HookAttempt(5, 3, "u", True, 200))
        with store.read() as tx:
            after = hook.retired(tx, one.id)
        assert (after.results, after.success) == ((HookAttempt(5, 3, "u", True, 200),), True)
        assert after.last_activity == done.last_activity + 9_000_000


def test_forgotten_in_pieces(tmp_path):
    clock = StandingClock()
    with open_store(tmp_path, clock) as store:
        alice = add_account(store)
        for keep in (HOUR, HOUR, HOUR, 2 * HOUR):
            store.write_sync(hook.retire, add(store, new(alice)), success=True, keep=keep)
        assert not store.write_sync(hook.forget_retired, 10)
        clock.move(3600)
        assert store.write_sync(hook.forget_retired, 2)
        assert not store.write_sync(hook.forget_retired, 2)
        with store.read() as tx:
            assert [hook.retired(tx, HookID(id)) is not None for id in range(1, 5)] == [False, False, False, True]
            assert hook.next_forgetting(tx) == clock.microseconds() + HOUR


def test_they_go_with_their_account(tmp_path):
    with open_store(tmp_path) as store:
        alice, bob = add_account(store), add_account(store, "bob")
        for number in range(5):
            add(store, new(alice, queued=number))
            store.write_sync(hook.retire, add(store, new(alice)), success=True, keep=HOUR)
        kept = add(store, new(bob, queued=100))
        store.write_sync(accounts.begin_removal, "alice")
        assert not store.write_sync(hook.add, new(alice), b"{}", keep=0)
        assert not store.write_sync(hook.add, new(AccountID(99)), b"{}", keep=0)
        while not store.write_sync(accounts.remove_part, "alice", 2):
            assert store.verify() == []
        with store.read() as tx:
            assert hook.count(tx) == 1
            assert hook.get(tx, kept.id) == kept


@pytest.mark.parametrize(
    ("table", "wrong"),
    [
        (Table.HOOK_DUE, "index hook_due differs from the webhooks"),
        (Table.HOOK_ACCOUNT, "index hook_account differs from the webhooks"),
        (Table.HOOK_MESSAGE, "index hook_message differs from the webhooks"),
        (Table.HOOK_RETIRED_UNTIL, "index hook_retired_until differs from the webhooks"),
        (Table.HOOK_RETIRED_ACTIVITY, "index hook_retired_activity differs from the webhooks"),
        (Table.HOOK_PAYLOAD, "there are webhooks without payload, or payloads without a webhook"),
    ],
)
def test_verify(tmp_path, table, wrong):
    def lose(tx):
        (lost,) = [(key, value) for key, value in tx.scan_prefix(table, b"")][:1]
        tx.delete(table, lost[0])
        return lost

    with open_store(tmp_path) as store:
        alice = add_account(store)
        add(store, new(alice, queued=7))
        store.write_sync(hook.retire, add(store, new(alice)), success=True, keep=HOUR)
        lost = store.write_sync(lose)
        assert wrong in store.verify()
        store.write_sync(lambda tx: tx.put(table, *lost))


def test_random_work(tmp_path):
    chance, clock = random.Random(5), StandingClock()
    with open_store(tmp_path, clock) as store:
        alice = add_account(store)
        waiting: dict[int, int] = {}
        for _ in range(300):
            clock.move(chance.randrange(3))
            what = chance.randrange(4)
            if what < 2:
                one = add(store, new(alice, queued=chance.randrange(6)), keep=chance.choice((0, 5_000_000)))
                if one.queued:
                    waiting = {id: queued for id, queued in waiting.items() if queued != one.queued}
                waiting[one.id] = one.queued
            elif waiting:
                with store.read() as tx:
                    one = hook.get(tx, HookID(chance.choice(list(waiting))))
                if what == 2:
                    one.next_attempt += chance.randrange(9) * 1_000_000
                    store.write_sync(hook.update, one)
                else:
                    store.write_sync(hook.retire, one, success=True, keep=chance.choice((0, 5_000_000)))
                    del waiting[one.id]
            store.write_sync(hook.forget_retired, 3)
            assert set(due(store, clock.microseconds() + HOUR)) == set(waiting)
        assert store.verify() == []
