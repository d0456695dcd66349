"""Looking through the queue by time, a piece at a time, against sorting it."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings, strategies as st

from appliance.store import queued
from appliance.store.bodies import of_octets
from appliance.store.queuefilter import Order, RetiredFilter, WaitingFilter
from appliance.store.queuepages import RETIRED, WAITING, look, place, place_of
from appliance.store.queuerecords import QueuedMessage
from appliance.store.tables import BodyID, QueueID
from support.clock import StandingClock
from support.stores import add_account, open_store

#: Few times, so that many messages share one.
MESSAGES = st.lists(
    st.tuples(st.integers(1, 3), st.booleans(), st.sampled_from(["a@x.example", "b@y.example"])), max_size=25
)
WANTED = st.sampled_from([{}, {"hold": True}, {"recipient": "@x.example"}, {"hold": False, "recipient": "b@"}])


def fill(store, messages):
    account = add_account(store)
    new = [
        QueuedMessage(
            id=QueueID(0),
            base_id=QueueID(0),
            account=account,
            queued=0,
            reverse_path="alice@here.example",
            recipient=recipient,
            body=BodyID(0),
            size=0,
            next_attempt=at,
            hold=hold,
        )
        for at, hold, recipient in messages
    ]
    store.write_sync(queued.add, new, of_octets(b"\r\n"))
    return new


def walk(store, shelf, filter, order, *, newest_first, most, looks):
    found, after = [], None
    while True:
        with store.read() as tx:
            some, after = look(tx, shelf, filter, order, newest_first=newest_first, after=after, most=most, looks=looks)
        assert len(some) <= most
        found += some
        if after is None:
            return [one.id for one in found]


@settings(max_examples=50, deadline=None)
@given(MESSAGES, WANTED, st.sampled_from([Order.NEXT_ATTEMPT, Order.QUEUED]), st.booleans(), st.data())
def test_pages_are_what_sorting_gives(messages, wanted, order, newest_first, data):
    with TemporaryDirectory() as folder, open_store(Path(folder)) as store:
        new = fill(store, messages)
        if data.draw(st.booleans()):
            named = data.draw(st.sets(st.integers(1, 30)))
            wanted = {**wanted, "ids": frozenset(map(QueueID, named))}
        filter = WaitingFilter(**wanted)
        expected = sorted(
            (one for one in new if filter.matches(one)),
            key=lambda one: place_of(WAITING, order, one),
            reverse=newest_first,
        )
        most, looks = data.draw(st.integers(1, 7)), data.draw(st.integers(1, 7))
        found = walk(store, WAITING, filter, order, newest_first=newest_first, most=most, looks=looks)
        assert found == [one.id for one in expected]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.booleans()), max_size=15), st.booleans(), st.integers(1, 4))
def test_pages_of_what_left_the_queue(ends, newest_first, most):
    clock = StandingClock()
    with TemporaryDirectory() as folder, open_store(Path(folder), clock) as store:
        new = fill(store, [(1, False, "a@x.example")] * len(ends))
        model = []
        for one, (seconds, success) in zip(new, ends, strict=True):
            clock.move(seconds)
            store.write_sync(queued.remove, one, success=success, keep=10**12)
            if success:
                model.append((clock.microseconds(), one.id))
        found = walk(
            store,
            RETIRED,
            RetiredFilter(success=True),
            Order.LAST_ACTIVITY,
            newest_first=newest_first,
            most=most,
            looks=9,
        )
        assert found == [id for _, id in sorted(model, reverse=newest_first)]


def test_a_place_stands_when_its_message_is_gone(tmp_path):
    with open_store(tmp_path) as store:
        new = fill(store, [(5, False, "a@x.example")] * 4)
        store.write_sync(queued.remove, new[1], success=False, keep=0)
        with store.read() as tx:
            some, after = look(
                tx,
                WAITING,
                WaitingFilter(),
                Order.NEXT_ATTEMPT,
                newest_first=False,
                after=place(Order.NEXT_ATTEMPT, 5, new[1].id),
                most=10,
                looks=10,
            )
        assert ([one.id for one in some], after) == ([new[2].id, new[3].id], None)


@pytest.mark.parametrize("order", [Order.NEXT_ATTEMPT, Order.QUEUED])
def test_looks_are_bounded_when_nothing_matches(tmp_path, order):
    with open_store(tmp_path) as store:
        fill(store, [(1, False, "a@x.example")] * 9)
        with store.read() as tx:
            some, after = look(
                tx, WAITING, WaitingFilter(hold=True), order, newest_first=True, after=None, most=5, looks=3
            )
        assert some == []
        assert after is not None
        assert after[-8:] == (7).to_bytes(8, "big")
