"""Which messages of the queue a filter means."""

import pytest

from appliance.store.queuefilter import Bound, RetiredFilter, WaitingFilter
from appliance.store.queuerecords import QueuedMessage, RetiredMessage
from appliance.store.tables import AccountID, BodyID, QueueID

ONE = QueuedMessage(
    id=QueueID(7),
    base_id=QueueID(0),
    account=AccountID(3),
    queued=100,
    reverse_path="Alice+x@here.example",
    recipient="bob@bücher.example",
    body=BodyID(1),
    size=10,
    next_attempt=200,
    transport="relay",
)
DONE = RetiredMessage(
    id=QueueID(7),
    base_id=QueueID(0),
    account=AccountID(3),
    queued=100,
    reverse_path="",
    recipient="bob@elsewhere.example",
    size=10,
    success=True,
    last_activity=300,
    keep_until=400,
)


@pytest.mark.parametrize(
    ("fields", "is_meant"),
    [
        ({}, True),
        ({"ids": frozenset({6, 7})}, True),
        ({"ids": frozenset({8})}, False),
        ({"ids": frozenset()}, False),
        ({"accounts": frozenset({3, 0})}, True),
        ({"accounts": frozenset({2})}, False),
        ({"sender": "alice"}, True),
        ({"sender": "e+x@here"}, True),
        ({"sender": "bob"}, False),
        ({"sender": "@here.example"}, True),
        ({"sender": "@here.exampl"}, False),
        ({"sender": "@example"}, False),
        ({"recipient": "@bücher.example"}, True),
        ({"recipient": "bücher"}, True),
        ({"sender": "alice", "recipient": "carol"}, False),
        ({"submitted": Bound(101, is_after=False)}, True),
        ({"submitted": Bound(100, is_after=False)}, False),
        ({"submitted": Bound(100, is_after=True)}, False),
        ({"submitted": Bound(99, is_after=True)}, True),
        ({"next_attempt": Bound(199, is_after=True)}, True),
        ({"next_attempt": Bound(199, is_after=False)}, False),
        ({"transport": "relay"}, True),
        ({"transport": ""}, False),
        ({"hold": False}, True),
        ({"hold": True}, False),
        ({"hold": False, "transport": "other"}, False),
    ],
)
def test_waiting(fields, is_meant):
    assert WaitingFilter(**fields).matches(ONE) is is_meant


@pytest.mark.parametrize(
    ("fields", "is_meant"),
    [
        ({}, True),
        ({"success": True}, True),
        ({"success": False}, False),
        ({"last_activity": Bound(299, is_after=True)}, True),
        ({"last_activity": Bound(300, is_after=True)}, False),
        ({"transport": ""}, True),
        ({"sender": "x"}, False),
        ({"recipient": "@elsewhere.example", "success": False}, False),
    ],
)
def test_retired(fields, is_meant):
    assert RetiredFilter(**fields).matches(DONE) is is_meant
