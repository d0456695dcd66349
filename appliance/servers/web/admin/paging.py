"""Lists of the queues of messages and of webhooks: which rows, in which order, and where a page begins."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Final, TypeVar

import msgspec

from appliance.config.schema import doc
from appliance.operations import queue
from appliance.operations.selecting import Asked
from appliance.servers.web.api import ID64, Call, Wire
from appliance.store import queuepages
from appliance.store.hookrecords import Hook, RetiredHook
from appliance.store.queuefilter import Means, Order
from appliance.store.queuepages import Shelf
from appliance.store.queuerecords import QueuedMessage, RetiredMessage

T = TypeVar("T", QueuedMessage, RetiredMessage, Hook, RetiredHook)
Row = TypeVar("Row")

#: Rows of an answer, when a page does not say; and at most.
USUAL_ROWS: Final = 100
MOST_ROWS: Final = 1000

_ORDERS: Final = {
    "Queued": Order.QUEUED,
    "Submitted": Order.QUEUED,
    "NextAttempt": Order.NEXT_ATTEMPT,
    "LastActivity": Order.LAST_ACTIVITY,
}
#: Fields that the verbs know by other names.
_ASKED: Final = {"from_": "sender", "to": "recipient"}
#: Of these an empty text is a value.
_TEXTS: Final = frozenset({"transport"})


class Filter(Wire):
    """Which rows; all set fields must match. An empty text is not set."""

    max: Annotated[int, doc("At most so many; 0: as many as match, or as a page holds.")] = 0
    ids: list[int] | None = None
    account: str = ""
    submitted: Annotated[str, doc('"<1h": before an hour from now on; ">-1h": in the last hour; "<now".')] = ""

    def asked(self) -> Asked:
        """In the words of the verbs."""
        values = msgspec.structs.asdict(self)
        del values["max"]
        return Asked(
            **{
                _ASKED.get(name, name): None if value == "" and name not in _TEXTS else value
                for name, value in values.items()
            }
        )

    @property
    def most(self) -> int | None:
        """How many may be changed; None: all."""
        return self.max if self.max > 0 else None


class Sort(Wire):
    """The order, and behind which row a page begins: LastID, whose time was Last."""

    field: str = ""
    last_id: ID64 = 0
    last: datetime | None = None
    asc: bool = False


async def page(
    call: Call, shelf: Shelf[T], chosen: Means, filter: Filter, sort: Sort, shown: Callable[[T, str], Row]
) -> list[Row]:
    """Rows of a list of `queuepages` that pass what is chosen, with what is shown of each."""
    order = _ORDERS[sort.field]
    after = queuepages.place(order, _microseconds(sort.last), sort.last_id) if sort.last_id else None
    most = min(filter.max, MOST_ROWS) if filter.max > 0 else USUAL_ROWS
    found: list[Row] = []
    async for some in queue.listed(call.app, shelf, chosen, order, newest_first=not sort.asc, after=after, most=most):
        found += [shown(*one) for one in some]
    return found


def _microseconds(moment: datetime | None) -> int:
    """Of a time in JSON, since 1970; exact, since our times have no finer fraction."""
    if moment is None:
        return 0
    whole = moment.replace(microsecond=0, tzinfo=moment.tzinfo or UTC)
    return max(0, int(whole.timestamp()) * 1_000_000 + moment.microsecond)
