"""SORT and UID SORT (RFC 5256, RFC 5957) with results as of SEARCH (RFC 5267 §3): keys kept since delivery."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

from appliance.mail.stretches import ordered
from appliance.protocol.imap import command, response
from appliance.protocol.imap.command import SortKey
from appliance.servers.imap import search
from appliance.servers.imap.search import Work
from appliance.store import searching
from appliance.store.ordering import Columns

if TYPE_CHECKING:
    from appliance.servers.imap.session import Session

T = TypeVar("T")

#: Keys that are texts -> their columns.
_TEXTS: Final[dict[SortKey, str]] = {
    SortKey.CC: "cc",
    SortKey.DISPLAYFROM: "display_from",
    SortKey.DISPLAYTO: "display_to",
    SortKey.FROM: "from_",
    SortKey.SUBJECT: "subjects",
    SortKey.TO: "to",
}


async def sort(session: "Session", tag: str, request: command.Sort) -> None:
    """SORT and UID SORT."""
    selected, returns = session.mailbox, request.returns
    work, places = await search.find(session, tag, request.key, returns, ("ids", "received", "sizes"))

    def answer(columns: Columns | None = None) -> tuple[bytes, Sequence[int]]:
        ordered = in_order(work, columns, places, request.criteria)
        numbers = work.numbers(ordered, uid=request.uid)
        if returns is None:
            return response.sort(numbers, work.highest(ordered) if work.with_modseq else None), ()
        concerned = search.concerned_by(ordered, returns)
        modseq = work.highest(concerned) if work.with_modseq and ordered else None
        return search.results(tag, numbers, returns, modseq, uid=request.uid), work.numbers(concerned, uid=True)

    if any(key in _TEXTS or key is SortKey.DATE for key, _ in request.criteria):
        said, kept = await with_keys(work, places, answer)
    else:
        said, kept = await work.in_thread(answer)
    if returns is not None and "SAVE" in returns.items:
        selected.saved = kept
    session.say(said)
    search.finish(session, tag, request.key, uid=request.uid)


async def with_keys(work: Work, places: Sequence[int], make: Callable[[Columns], T]) -> T:
    """What is made, in a thread, of columns of keys that have the messages of these places."""
    steps: Iterator[Columns | None] | None = None

    def some() -> tuple[T | None, bool]:
        """A slice of reading, and what is made when it was the last; whether it was not."""
        nonlocal steps
        if steps is None:
            steps = work.store.orders.steps(work.account, work.mailbox, work.values("ids", places))
        until = time.perf_counter() + searching.SLICE_SECONDS
        while (columns := next(steps)) is None:
            if time.perf_counter() > until:
                return None, True
        return make(columns), False

    while True:
        made, more = await work.in_thread(some)
        if not more:
            return made  # type: ignore[return-value]


def in_order(
    work: Work, columns: Columns | None, places: Sequence[int], criteria: Sequence[tuple[SortKey, bool]]
) -> list[int]:
    """Places by criteria. What is equal stays in the order of the mailbox, also when reversed (RFC 5256 §3)."""
    order: Sequence[int] = range(len(places))
    for key, reverse in reversed(criteria):
        order = ordered(order, _values(work, columns, places, key).__getitem__, reverse=reverse)
    return [places[at] for at in order]


def _values(work: Work, columns: Columns | None, places: Sequence[int], key: SortKey) -> Sequence[int] | Sequence[str]:
    if key is SortKey.SIZE:
        return work.values("sizes", places)
    received = work.values("received", places)
    if key is SortKey.ARRIVAL:
        return [when // 1_000_000 for when in received]  # As the client sees it.
    assert columns is not None
    ids = work.values("ids", places)
    if key is SortKey.DATE:
        return columns.sent_of(ids, received)
    texts: list[str] = getattr(columns, _TEXTS[key])
    there = columns.places
    return [texts[there[id]] for id in ids]
