"""Webhooks: those that wait, and those that are done."""

from datetime import datetime
from typing import Annotated, Any, Literal

from appliance.config.schema import doc
from appliance.operations import hooks, selecting, websessions
from appliance.servers.web.admin.paging import Filter, Sort, page
from appliance.servers.web.admin.queue import Minutes
from appliance.servers.web.api import ID64, NANOSECONDS, Call, Wire
from appliance.store import queuepages
from appliance.store.hookrecords import Hook as Waiting, HookAttempt as Attempt, RetiredHook
from appliance.store.tables import HookID

#: Payloads in one answer, and the octets of each that are shown.
_PAYLOAD_OCTETS = 100_000


class HookFilter(Filter):
    """Which webhooks that wait; all set fields must match."""

    next_attempt: str = ""
    event: Annotated[str, doc("incoming, or an event of a message sent.")] = ""


class HookRetiredFilter(Filter):
    """Which webhooks that are done; all set fields must match."""

    last_activity: str = ""
    event: str = ""
    success: bool | None = None


class HookSort(Sort):
    """The order, and behind which webhook a page begins: LastID, whose time was Last."""

    field: Literal["Submitted", "NextAttempt"] = "NextAttempt"


class HookRetiredSort(Sort):
    """As HookSort."""

    field: Literal["Submitted", "LastActivity"] = "LastActivity"


class HookAttempt(Wire):
    """One POST, or what an operator did instead."""

    start: datetime
    duration: Annotated[int, doc("Nanoseconds.")]
    url: str
    success: bool
    code: int
    error: str
    response: Annotated[str, doc("The first octets of the answer.")]


class _Hook(Wire):
    """What there is to say of a webhook whether it waits or not."""

    id: int
    account: str
    event: str
    url: str
    submitted: datetime
    queue_msg_id: int
    from_id: str
    message_id: str
    subject: str
    extra: dict[str, str]
    attempts: int
    results: list[HookAttempt]


class Hook(_Hook):
    """A webhook that waits."""

    next_attempt: datetime


class HookRetired(_Hook):
    """A webhook that is done."""

    last_activity: datetime
    keep_until: datetime
    success: bool
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


def _common(one: Waiting | RetiredHook, account: str) -> dict[str, Any]:
    """What both have."""
    return {
        "id": one.id,
        "account": account,
        "event": one.event,
        "url": one.url,
        "submitted": websessions.time(one.submitted),
        "queue_msg_id": one.queued,
        "from_id": one.from_id,
        "message_id": one.message_id,
        "subject": one.subject,
        "extra": one.extra,
        "attempts": one.attempts,
        "results": _attempts(one.results),
    }


def _waiting(one: Waiting, account: str) -> Hook:
    return Hook(**_common(one, account), next_attempt=websessions.time(one.next_attempt))


def _done(one: RetiredHook, account: str) -> HookRetired:
    return HookRetired(
        **_common(one, account),
        last_activity=websessions.time(one.last_activity),
        keep_until=websessions.time(one.keep_until),
        success=one.success,
        superseded_by_id=one.superseded_by,
    )


async def hook_queue_size(call: Call) -> int:
    """How many webhooks wait."""
    return hooks.count(call.app)


async def hook_list(call: Call, filter: HookFilter, sort: HookSort) -> list[Hook]:
    """Webhooks that wait; a page of them."""
    chosen = selecting.hooks(call.app, filter.asked())
    return await page(call, queuepages.HOOKS, chosen, filter, sort, _waiting)


async def hook_retired_list(call: Call, filter: HookRetiredFilter, sort: HookRetiredSort) -> list[HookRetired]:
    """Webhooks that are done, of accounts that remember them; a page of them."""
    chosen = selecting.hooks(call.app, filter.asked())
    return await page(call, queuepages.RETIRED_HOOKS, chosen, filter, sort, _done)


async def hook_payload(call: Call, id: ID64, retired: bool) -> str:
    """The JSON that is posted; of a very long one the beginning."""
    payload = (hooks.retired if retired else hooks.waiting)(call.app, HookID(id))[1]
    return payload[:_PAYLOAD_OCTETS].decode("utf-8", "ignore")


async def hook_next_attempt_set(call: Call, filter: HookFilter, minutes: Minutes) -> int:
    """Let the next attempt come so many minutes from now; how many webhooks were changed."""
    chosen = selecting.hooks(call.app, filter.asked())
    return await hooks.schedule(call.app, chosen, filter.most, seconds=60 * minutes)


async def hook_next_attempt_add(call: Call, filter: HookFilter, minutes: Minutes) -> int:
    """Postpone the next attempt by so many minutes; how many webhooks were changed."""
    chosen = selecting.hooks(call.app, filter.asked())
    return await hooks.postpone(call.app, chosen, filter.most, seconds=60 * minutes)


async def hook_cancel(call: Call, filter: HookFilter) -> int:
    """Post webhooks no more; how many."""
    return await hooks.cancel(call.app, selecting.hooks(call.app, filter.asked()), filter.most)


async def hook_replay(call: Call, id: ID64) -> int:
    """Post a webhook that is done again; the id of the new one."""
    return await hooks.replay(call.app, HookID(id))
