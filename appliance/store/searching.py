"""Long searches in slices of a thread, one after another for the whole house, for all doors that search."""

import time
from collections.abc import Awaitable, Callable, Generator, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

import trio

from appliance.store import prepare
from appliance.store.lookup import Lookup
from appliance.store.problems import NoSuchMessage
from appliance.store.search import DOUBTFUL, Doubtful, Query
from appliance.store.tables import AccountID, MessageID
from appliance.store.transaction import ReadTx

if TYPE_CHECKING:
    from appliance.store.store import Store

T = TypeVar("T")

#: Texts of so few messages are looked at in the event loop; more go to a thread, in slices so long.
INLINE_MESSAGES: Final = 32
SLICE_SECONDS: Final = 0.02

#: Hears how many messages are settled.
Tell = Callable[[int], Awaitable[None]]


async def in_texts(
    store: "Store", account: AccountID, query: Query, ids: Sequence[int], tell: Tell | None = None
) -> set[int]:
    """Those of the messages that have what is asked for, by the index and the texts; of any number."""
    lookup = Lookup(account, query, ids)
    if len(ids) <= INLINE_MESSAGES:
        with store.read() as tx:
            while lookup.step(tx):
                pass
    else:
        while await trio.to_thread.run_sync(_slice, store, lookup, limiter=store.indexer.turn):
            if tell is not None:
                await tell(lookup.settled - len(lookup.doubtful))
    found = lookup.found
    # One at a time: each may be as large as a message can be.
    for number, id in enumerate(lookup.doubtful):
        assert isinstance(query, DOUBTFUL)
        if tell is not None:
            await tell(lookup.settled - len(lookup.doubtful) + number)
        if await trio.to_thread.run_sync(_in_whole, store, account, query, id):
            found.add(id)
    return found


def in_few_texts(store: "Store", tx: ReadTx, account: AccountID, query: Query, ids: Sequence[int]) -> set[int]:
    """The same of a few messages, here and now. In a thread."""
    lookup = Lookup(account, query, ids)
    while lookup.step(tx):
        pass
    found = lookup.found
    if lookup.doubtful:
        assert isinstance(query, DOUBTFUL)
        found.update(id for id in lookup.doubtful if _in_whole(store, account, query, id))
    return found


async def in_slices(store: "Store", steps: Generator[None, None, T]) -> T:
    """Run what stops now and then, in a thread, in turn with all searches; what it returns."""
    while True:
        done, value = await trio.to_thread.run_sync(_steps, steps, limiter=store.indexer.turn)
        if done:
            return value  # type: ignore[return-value]


def _steps(steps: Generator[None, None, T]) -> tuple[bool, T | None]:
    until = time.perf_counter() + SLICE_SECONDS
    try:
        while time.perf_counter() < until:
            next(steps)
    except StopIteration as end:
        return True, end.value
    return False, None


def _slice(store: "Store", lookup: Lookup) -> bool:
    """A slice of a lookup, in a thread; whether there is more to do."""
    until = time.perf_counter() + SLICE_SECONDS
    with store.read() as tx:
        while more := lookup.step(tx):
            if time.perf_counter() > until:
                break
    return more


def _in_whole(store: "Store", account: AccountID, query: Doubtful, id: MessageID) -> bool:
    """The same on all of a message whose text is only kept in part; in a thread."""
    with store.read() as tx:
        try:
            return query.test_whole(prepare.whole_texts(tx, account, id, store.limits.prepare))
        except (LookupError, NoSuchMessage):
            return False  # It was erased meanwhile.
