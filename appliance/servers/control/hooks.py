"""Control commands about webhooks: what waits, what is done; as those about the queue."""

from typing import Any, Final

from appliance.delivery.appliance import Appliance
from appliance.operations import hooks, queue, selecting
from appliance.operations.selecting import Asked
from appliance.servers.control import queue as queueing
from appliance.servers.control.request import Request
from appliance.servers.control.table import Handler
from appliance.store import queuepages
from appliance.store.hookrecords import INCOMING, Hook, RetiredHook
from appliance.store.queuefilter import HookFilter, Order
from appliance.store.tables import HookID

_COMMON: Final = frozenset({"ids", "max", "account", "submitted", "event"})
_WAITING: Final = _COMMON | {"nextattempt"}
_RETIRED: Final = _COMMON | {"lastactivity", "success"}


def _filter(app: Appliance, request: Request, known: frozenset[str]) -> tuple[HookFilter, int | None]:
    asked = request.group("filter", known)
    wanted = Asked(
        ids=asked.optional_numbers("ids"),
        account=asked.optional_text("account"),
        submitted=asked.optional_text("submitted"),
        event=asked.optional_text("event"),
        next_attempt=asked.optional_text("nextattempt"),
        last_activity=asked.optional_text("lastactivity"),
        success=asked.optional_switch("success"),
    )
    return selecting.hooks(app, wanted), asked.optional_number("max")


# Showing. The value of Authorization and the secret are nobody's business here.


def _common(one: Hook | RetiredHook, account: str) -> dict[str, Any]:
    return {
        "id": one.id,
        "original_id": one.original or None,
        "account": account,
        "event": one.event,
        "incoming": one.event == INCOMING,
        "url": one.url,
        "queued_id": one.queued or None,
        "from_id": one.from_id,
        "message_id": one.message_id,
        "subject": one.subject,
        "extra": one.extra,
        "submitted_microseconds": one.submitted,
        "attempts": one.attempts,
        "results": [
            {
                "start_microseconds": result.start,
                "duration_microseconds": result.duration,
                "url": result.url,
                "success": result.success,
                "code": result.code,
                "error": result.error,
                "response": result.response,
            }
            for result in one.results
        ],
    }


def _shown(one: Hook, account: str) -> dict[str, Any]:
    return {
        **_common(one, account),
        "authorization": bool(one.authorization),
        "signed": bool(one.secret),
        "next_attempt_microseconds": one.next_attempt,
    }


def _retired_shown(one: RetiredHook, account: str) -> dict[str, Any]:
    return {
        **_common(one, account),
        "authorization": one.has_authorization,
        "signed": one.is_signed,
        "success": one.success,
        "superseded_by_id": one.superseded_by or None,
        "last_activity_microseconds": one.last_activity,
        "keep_until_microseconds": one.keep_until,
    }


async def _list(app: Appliance, request: Request) -> None:
    filter, most = _filter(app, request, _WAITING)
    order = queueing.order(request, Order.NEXT_ATTEMPT, Order.QUEUED)
    after, newest_first = queueing.after(request, order), not request.switch("asc")
    async for some in queue.listed(
        app, queuepages.HOOKS, filter, order, newest_first=newest_first, after=after, most=most
    ):
        await request.out([_shown(*one) for one in some])


async def _retired_list(app: Appliance, request: Request) -> None:
    filter, most = _filter(app, request, _RETIRED)
    order = queueing.order(request, Order.LAST_ACTIVITY, Order.QUEUED)
    after, newest_first = queueing.after(request, order), not request.switch("asc")
    async for some in queue.listed(
        app, queuepages.RETIRED_HOOKS, filter, order, newest_first=newest_first, after=after, most=most
    ):
        await request.out([_retired_shown(*one) for one in some])


async def _print(app: Appliance, request: Request) -> dict[str, Any]:
    one, payload = hooks.waiting(app, HookID(request.number("id")))
    return {**_shown(one, queue.owner(app, one.account)), "payload": payload.decode()}


async def _retired_print(app: Appliance, request: Request) -> dict[str, Any]:
    done, payload = hooks.retired(app, HookID(request.number("id")))
    return {**_retired_shown(done, queue.owner(app, done.account)), "payload": payload.decode()}


# Changing: each answers with the number of webhooks that it changed.


async def _schedule(app: Appliance, request: Request) -> int:
    filter, most = _filter(app, request, _WAITING)
    seconds = queueing.seconds(request)
    verb = hooks.schedule if request.switch("relnow") else hooks.postpone
    return await verb(app, filter, most, seconds=seconds)


async def _cancel(app: Appliance, request: Request) -> int:
    filter, most = _filter(app, request, _WAITING)
    return await hooks.cancel(app, filter, most)


async def _replay(app: Appliance, request: Request) -> int:
    """The id of the new one."""
    return await hooks.replay(app, HookID(request.number("id")))


COMMANDS: Final[dict[str, Handler]] = {
    "queuehooklist": _list,
    "queuehookschedule": _schedule,
    "queuehookcancel": _cancel,
    "queuehookprint": _print,
    "queuehookretiredlist": _retired_list,
    "queuehookretiredprint": _retired_print,
    "queuehookreplay": _replay,
}
