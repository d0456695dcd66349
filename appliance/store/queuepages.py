"""Looking through the queue, through webhooks, and what is done of both, by time: a piece at a time.

A place is the key of an entry in its order: time and id, or the id alone. It names where to go on even when many
entries share a time, and when the entry itself is gone.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from heapq import merge
from typing import Final, Generic, TypeVar

from appliance.store import tables
from appliance.store.hookrecords import Hook, RetiredHook
from appliance.store.queuefilter import Means, Order
from appliance.store.queuerecords import QueuedMessage, RetiredMessage
from appliance.store.tables import QueueID, Table
from appliance.store.transaction import ReadTx

T = TypeVar("T", QueuedMessage, RetiredMessage, Hook, RetiredHook)

#: Beyond all places.
_END: Final = b"\xff" * 17


@dataclass(frozen=True)
class Shelf(Generic[T]):
    """One of the four: its table, and the tables that have its entries in an order."""

    table: Table
    kind: type[T]
    indices: dict[Order, tuple[Table, ...]]
    time: Callable[[T], int]


WAITING: Final = Shelf(
    Table.QUEUED,
    QueuedMessage,
    {Order.NEXT_ATTEMPT: (Table.QUEUED_DUE, Table.QUEUED_HELD), Order.QUEUED: (Table.QUEUED,)},
    lambda one: one.next_attempt,
)
RETIRED: Final = Shelf(
    Table.RETIRED,
    RetiredMessage,
    {Order.LAST_ACTIVITY: (Table.RETIRED_ACTIVITY,), Order.QUEUED: (Table.RETIRED,)},
    lambda done: done.last_activity,
)
HOOKS: Final = Shelf(
    Table.HOOK,
    Hook,
    {Order.NEXT_ATTEMPT: (Table.HOOK_DUE,), Order.QUEUED: (Table.HOOK,)},
    lambda one: one.next_attempt,
)
RETIRED_HOOKS: Final = Shelf(
    Table.HOOK_RETIRED,
    RetiredHook,
    {Order.LAST_ACTIVITY: (Table.HOOK_RETIRED_ACTIVITY,), Order.QUEUED: (Table.HOOK_RETIRED,)},
    lambda done: done.last_activity,
)


def place(order: Order, time: int, id: int) -> bytes:
    """The place of an entry with this time, which the order QUEUED does without."""
    number = QueueID(id)  # Keys of webhooks are made alike.
    return tables.queued_key(number) if order is Order.QUEUED else tables.time_queued_key(time, number)


def place_of(shelf: Shelf[T], order: Order, one: T) -> bytes:
    """The place of an entry."""
    return place(order, shelf.time(one), one.id)


def look(
    tx: ReadTx,
    shelf: Shelf[T],
    filter: Means,
    order: Order,
    *,
    newest_first: bool,
    after: bytes | None,
    most: int,
    looks: int,
) -> tuple[list[T], bytes | None]:
    """Entries that match, behind a place or from the beginning; and the place to go on from, None at the end.

    At most `most` of them, looking at `looks` at most.
    """
    matches = filter.matches
    found: list[T] = []
    messages = _in_order(tx, shelf, filter.ids, order, newest_first=newest_first, after=after)
    for looked, (at, one) in enumerate(messages, 1):
        if matches(one):
            found.append(one)
        if looked >= looks or len(found) >= most:
            return found, at
    return found, None


def _in_order(
    tx: ReadTx, shelf: Shelf[T], ids: Iterable[int] | None, order: Order, *, newest_first: bool, after: bytes | None
) -> Iterator[tuple[bytes, T]]:
    if ids is not None:
        known = (tx.record(shelf.table, tables.queued_key(QueueID(id)), shelf.kind) for id in ids)
        named = sorted(((place_of(shelf, order, one), one) for one in known if one is not None), key=lambda it: it[0])
        for at, one in reversed(named) if newest_first else named:
            if after is None or (at < after if newest_first else at > after):
                yield at, one
        return
    scans = [
        tx.scan_back(table, b"", after or _END)
        if newest_first
        else tx.scan(table, after + b"\0" if after else b"", _END)
        for table in shelf.indices[order]
    ]
    for at, _ in merge(*scans, key=lambda entry: entry[0], reverse=newest_first):
        found = tx.record(shelf.table, at[-8:], shelf.kind)
        assert found is not None
        yield at, found
