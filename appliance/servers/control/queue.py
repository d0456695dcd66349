"""Control commands about the queue: what waits, what left it, and rules that hold messages.

Lists come as lines of the result, some messages each. Which messages are meant stands in the argument `filter`,
an object; for all of them it is absent. `after` is the place of a message in the order asked for: its id, and in
`microseconds` its time.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from appliance.config.values import Duration
from appliance.delivery.appliance import Appliance
from appliance.operations import canceling, holding, queue, selecting
from appliance.operations.selecting import Asked
from appliance.servers.control.request import BadRequest, Request
from appliance.servers.control.table import Handler
from appliance.store import queuepages
from appliance.store.queuefilter import Order, WaitingFilter
from appliance.store.queuerecords import QueuedMessage, RetiredMessage
from appliance.store.tables import QueueID

_COMMON: Final = frozenset({"ids", "max", "account", "from", "to", "submitted", "transport"})
_WAITING: Final = _COMMON | {"hold", "nextattempt"}
_RETIRED: Final = _COMMON | {"lastactivity", "success"}


def _asked(asked: Request) -> Asked:
    return Asked(
        ids=asked.optional_numbers("ids"),
        account=asked.optional_text("account"),
        sender=asked.optional_text("from"),
        recipient=asked.optional_text("to"),
        submitted=asked.optional_text("submitted"),
        transport=asked.optional_text("transport"),
        hold=asked.optional_switch("hold"),
        next_attempt=asked.optional_text("nextattempt"),
        success=asked.optional_switch("success"),
        last_activity=asked.optional_text("lastactivity"),
    )


def _waiting(app: Appliance, request: Request) -> tuple[WaitingFilter, int | None]:
    asked = request.group("filter", _WAITING)
    return selecting.waiting(app, _asked(asked)), asked.optional_number("max")


def order(request: Request, *known: Order) -> Order:
    """The first is meant when nothing is said."""
    text = request.optional_text("sort")
    found = [one for one in known if text is None or one.value == text]
    if not found:
        raise BadRequest(f"argument sort must be one of: {', '.join(one.value for one in known)}")
    return found[0]


def after(request: Request, order: Order) -> bytes | None:
    """The place behind which a list begins."""
    place = request.group("after", {"id", "microseconds"})
    if not place.arguments:
        return None
    time = 0 if order is Order.QUEUED else place.number("microseconds")
    return queuepages.place(order, time, place.number("id"))


# Showing.


def _common(one: QueuedMessage | RetiredMessage, account: str) -> dict[str, Any]:
    return {
        "id": one.id,
        "base_id": one.base_id,
        "account": account,
        "queued_microseconds": one.queued,
        "from": one.reverse_path,
        "to": one.recipient,
        "attempts": one.attempts,
        "max_attempts": one.max_attempts or None,
        "last_attempt_microseconds": one.last_attempt or None,
        "results": [
            {
                "start_microseconds": result.start,
                "duration_microseconds": result.duration,
                "success": result.success,
                "code": result.code,
                "status": result.status,
                "text": result.text,
            }
            for result in one.results
        ],
        "size": one.size,
        "message_id": one.message_id,
        "subject": one.subject,
        "from_id": one.from_id,
        "transport": one.transport,
        "requiretls": one.requiretls,
        "future_release": one.future_release,
        "extra": one.extra,
        "forwarded_by": one.forwarded_by,
    }


def _shown(one: QueuedMessage, account: str) -> dict[str, Any]:
    return {**_common(one, account), "hold": one.hold, "next_attempt_microseconds": one.next_attempt}


def _retired_shown(one: RetiredMessage, account: str) -> dict[str, Any]:
    return {
        **_common(one, account),
        "success": one.success,
        "last_activity_microseconds": one.last_activity,
        "keep_until_microseconds": one.keep_until,
    }


async def _list(app: Appliance, request: Request) -> None:
    filter, most = _waiting(app, request)
    sort = order(request, Order.NEXT_ATTEMPT, Order.QUEUED)
    place, newest_first = after(request, sort), not request.switch("asc")
    async for some in queue.listed(
        app, queuepages.WAITING, filter, sort, newest_first=newest_first, after=place, most=most
    ):
        await request.out([_shown(*one) for one in some])


async def _retired_list(app: Appliance, request: Request) -> None:
    asked = request.group("filter", _RETIRED)
    filter, most = selecting.retired(app, _asked(asked)), asked.optional_number("max")
    sort = order(request, Order.LAST_ACTIVITY, Order.QUEUED)
    place, newest_first = after(request, sort), not request.switch("asc")
    async for some in queue.listed(
        app, queuepages.RETIRED, filter, sort, newest_first=newest_first, after=place, most=most
    ):
        await request.out([_retired_shown(*one) for one in some])


async def _retired_print(app: Appliance, request: Request) -> dict[str, Any]:
    done = queue.retired(app, QueueID(request.number("id")))
    return _retired_shown(done, queue.owner(app, done.account))


async def _dump(app: Appliance, request: Request) -> None:
    await request.send(queue.dump(app, QueueID(request.number("id"))))


# Changing: each answers with the number of messages that it changed.


async def _hold(app: Appliance, request: Request) -> int:
    filter, most = _waiting(app, request)
    return await queue.hold(app, filter, most, on=request.switch("hold"))


async def _schedule(app: Appliance, request: Request) -> int:
    filter, most = _waiting(app, request)
    verb = queue.schedule if request.switch("relnow") else queue.postpone
    return await verb(app, filter, most, seconds=seconds(request))


def seconds(request: Request) -> float:
    """The argument `duration`, which may be negative."""
    text = request.text("duration")
    try:
        return Duration(text.removeprefix("-")).seconds * (-1 if text.startswith("-") else 1)
    except ValueError as error:
        raise BadRequest(f"argument duration {error}") from error


async def _transport(app: Appliance, request: Request) -> int:
    filter, most = _waiting(app, request)
    return await queue.set_transport(app, filter, most, name=request.text("transport"))


async def _requiretls(app: Appliance, request: Request) -> int:
    filter, most = _waiting(app, request)
    if "requiretls" not in request.arguments:
        raise BadRequest("argument requiretls must be true, false or null")
    return await queue.set_requiretls(app, filter, most, requiretls=request.optional_switch("requiretls"))


def _ending(verb: Callable[[Appliance, WaitingFilter, int | None], Awaitable[int]]) -> Handler:
    async def handle(app: Appliance, request: Request) -> int:
        filter, most = _waiting(app, request)
        return await verb(app, filter, most)

    return handle


# Rules.


async def _rules(app: Appliance, request: Request) -> list[dict[str, Any]]:
    return [
        {
            "id": one.id,
            "account": account,
            "sender_domain": one.sender_domain,
            "recipient_domain": one.recipient_domain,
        }
        for one, account in holding.rules(app)
    ]


async def _add_rule(app: Appliance, request: Request) -> int:
    """The number of the rule."""
    rule = await holding.add(
        app,
        account=request.optional_text("account") or "",
        sender_domain=request.optional_text("senderdomain") or "",
        recipient_domain=request.optional_text("recipientdomain") or "",
    )
    return rule.id


async def _remove_rule(app: Appliance, request: Request) -> None:
    await holding.remove(app, request.number("id"))


COMMANDS: Final[dict[str, Handler]] = {
    "queuelist": _list,
    "queueholdset": _hold,
    "queueschedule": _schedule,
    "queuetransport": _transport,
    "queuerequiretls": _requiretls,
    "queuefail": _ending(canceling.fail),
    "queuedrop": _ending(canceling.drop),
    "queuedump": _dump,
    "queueretiredlist": _retired_list,
    "queueretiredprint": _retired_print,
    "queueholdruleslist": _rules,
    "queueholdrulesadd": _add_rule,
    "queueholdrulesremove": _remove_rule,
}
