"""Webhooks: those that wait, and those that are done."""

from datetime import datetime
from typing import Annotated, Literal

from appliance.config.schema import doc
from appliance.operations import hooks, queue, selecting, websessions
from appliance.operations.selecting import Asked
from appliance.servers.web.admin.queue import ORDERS, Minutes, microseconds, rows
from appliance.servers.web.api import ID64, NANOSECONDS, Call, Wire
from appliance.store import queuepages
from appliance.store.hookrecords import Hook as Waiting, HookAttempt as Attempt, RetiredHook
from appliance.store.queuefilter import Order
from appliance.store.tables import HookID

#: Payloads in one answer, and the octets of each that are shown.
_PAYLOAD_OCTETS = 100_000


class HookFilter(Wire):
    """Which webhooks that wait; all set fields must match."""

    max: int = 0
    ids: list[int] | None = None
    account: str = ""
    submitted: str = ""
    next_attempt: str = ""
    event: Annotated[str, doc("incoming, or an event of a message sent.")] = ""

    def asked(self) -> Asked:
        """In the words of the verbs."""
        return Asked(
            ids=self.ids,
            account=self.account or None,
            submitted=self.submitted or None,
            next_attempt=self.next_attempt or None,
            event=self.event or None,
        )


class HookRetiredFilter(Wire):
    """Which webhooks that are done; all set fields must match."""

    max: int = 0
    ids: list[int] | None = None
    account: str = ""
    submitted: str = ""
    last_activity: str = ""
    event: str = ""
    success: bool | None = None

    def asked(self) -> Asked:
        """In the words of the verbs."""
        return Asked(
            ids=self.ids,
            account=self.account or None,
            submitted=self.submitted or None,
            last_activity=self.last_activity or None,
            event=self.event or None,
            success=self.success,
        )


class HookSort(Wire):
    """The order, and behind which webhook a page begins: LastID, whose time was Last."""

    field: Literal["Submitted", "NextAttempt"] = "NextAttempt"
    last_id: ID64 = 0
    last: datetime | None = None
    asc: bool = False


class HookRetiredSort(Wire):
    """As HookSort."""

    field: Literal["Submitted", "LastActivity"] = "LastActivity"
    last_id: ID64 = 0
    last: datetime | None = None
    asc: bool = False


class HookAttempt(Wire):
    """One POST, or what an operator did instead."""

    start: datetime
    duration: Annotated[int, doc("Nanoseconds.")]
    url: str
    success: bool
    code: int
    error: str
    response: Annotated[str, doc("The first octets of the answer.")]


class Hook(Wire):
    """A webhook that waits."""

    id: int
    account: str
    event: str
    url: str
    submitted: datetime
    next_attempt: datetime
    queue_msg_id: int
    from_id: str
    message_id: str
    subject: str
    extra: dict[str, str]
    attempts: int
    results: list[HookAttempt]


class HookRetired(Wire):
    """A webhook that is done."""

    id: int
    account: str
    event: str
    url: str
    submitted: datetime
    last_activity: datetime
    keep_until: datetime
    success: bool
    queue_msg_id: int
    from_id: str
    message_id: str
    subject: str
    extra: dict[str, str]
    attempts: int
    results: list[HookAttempt]
    superseded_by_id: Annotated[int, doc("The webhook about the same message that took its place; 0: none.")]


def _attempts(results: tuple[Attempt, ...]) -> list[HookAttempt]:
    return [
        HookAttempt(
            start=websessions.time(one.start),
            duration=one.duration * (NANOSECONDS // 1_000_000),
            url=one.url,
            success=one.success,
            code=one.code,
            error=one.error,
            response=one.response,
        )
        for one in results
    ]


def _waiting(one: Waiting, account: str) -> Hook:
    return Hook(
        id=one.id,
        account=account,
        event=one.event,
        url=one.url,
        submitted=websessions.time(one.submitted),
        next_attempt=websessions.time(one.next_attempt),
        queue_msg_id=one.queued,
        from_id=one.from_id,
        message_id=one.message_id,
        subject=one.subject,
        extra=one.extra,
        attempts=one.attempts,
        results=_attempts(one.results),
    )


def _done(one: RetiredHook, account: str) -> HookRetired:
    return HookRetired(
        id=one.id,
        account=account,
        event=one.event,
        url=one.url,
        submitted=websessions.time(one.submitted),
        last_activity=websessions.time(one.last_activity),
        keep_until=websessions.time(one.keep_until),
        success=one.success,
        queue_msg_id=one.queued,
        from_id=one.from_id,
        message_id=one.message_id,
        subject=one.subject,
        extra=one.extra,
        attempts=one.attempts,
        results=_attempts(one.results),
        superseded_by_id=one.superseded_by,
    )


def _place(sort: HookSort | HookRetiredSort) -> tuple[Order, bytes | None]:
    order = Order.QUEUED if sort.field == "Submitted" else ORDERS[sort.field]
    if not sort.last_id:
        return order, None
    return order, queuepages.place(order, microseconds(sort.last), sort.last_id)


async def hook_queue_size(call: Call) -> int:
    """How many webhooks wait."""
    return hooks.count(call.app)


async def hook_list(call: Call, filter: HookFilter, sort: HookSort) -> list[Hook]:
    """Webhooks that wait; a page of them."""
    order, after = _place(sort)
    chosen, found = selecting.hooks(call.app, filter.asked()), list[Hook]()
    async for some in queue.listed(
        call.app, queuepages.HOOKS, chosen, order, newest_first=not sort.asc, after=after, most=rows(filter.max)
    ):
        found += [_waiting(*one) for one in some]
    return found


async def hook_retired_list(call: Call, filter: HookRetiredFilter, sort: HookRetiredSort) -> list[HookRetired]:
    """Webhooks that are done, of accounts that remember them; a page of them."""
    order, after = _place(sort)
    chosen, found = selecting.hooks(call.app, filter.asked()), list[HookRetired]()
    async for some in queue.listed(
        call.app, queuepages.RETIRED_HOOKS, chosen, order, newest_first=not sort.asc, after=after, most=rows(filter.max)
    ):
        found += [_done(*one) for one in some]
    return found


async def hook_payload(call: Call, id: ID64, retired: bool) -> str:
    """The JSON that is posted; of a very long one the beginning."""
    payload = (hooks.retired if retired else hooks.waiting)(call.app, HookID(id))[1]
    return payload[:_PAYLOAD_OCTETS].decode("utf-8", "ignore")


def _most(filter: HookFilter) -> int | None:
    return filter.max if filter.max > 0 else None


async def hook_next_attempt_set(call: Call, filter: HookFilter, minutes: Minutes) -> int:
    """Let the next attempt come so many minutes from now; how many webhooks were changed."""
    chosen = selecting.hooks(call.app, filter.asked())
    return await hooks.schedule(call.app, chosen, _most(filter), seconds=60 * minutes)


async def hook_next_attempt_add(call: Call, filter: HookFilter, minutes: Minutes) -> int:
    """Postpone the next attempt by so many minutes; how many webhooks were changed."""
    chosen = selecting.hooks(call.app, filter.asked())
    return await hooks.postpone(call.app, chosen, _most(filter), seconds=60 * minutes)


async def hook_cancel(call: Call, filter: HookFilter) -> int:
    """Post webhooks no more; how many."""
    return await hooks.cancel(call.app, selecting.hooks(call.app, filter.asked()), _most(filter))


async def hook_replay(call: Call, id: ID64) -> int:
    """Post a webhook that is done again; the id of the new one."""
    return await hooks.replay(call.app, HookID(id))
