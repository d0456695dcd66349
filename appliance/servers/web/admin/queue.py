"""The queue: messages that wait, those that left it, and rules that hold messages."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from appliance.config.schema import doc
from appliance.delivery.appliance import Appliance
from appliance.operations import canceling, holding, queue, selecting, websessions
from appliance.servers.web.admin.paging import Filter, Sort, page
from appliance.servers.web.api import ID64, NANOSECONDS, Call, Wire
from appliance.store import queuepages
from appliance.store.queuefilter import WaitingFilter
from appliance.store.queuerecords import Attempt, QueuedMessage, RetiredMessage as Retired
from appliance.store.tables import Table

#: From now on, or from what is; a year and more is nobody's intention.
Minutes = Annotated[int, msgspec.Meta(ge=-1_000_000, le=1_000_000)]


class QueueFilter(Filter):
    """Which messages that wait; all set fields must match. An empty text is not set."""

    from_: Annotated[str, doc("A part of the sender address; @ and a domain for that domain alone.")] = ""
    to: Annotated[str, doc("A part of the recipient address; @ and a domain for that domain alone.")] = ""
    hold: bool | None = None
    next_attempt: str = ""
    transport: str | None = None


class RetiredFilter(Filter):
    """Which messages that left the queue; all set fields must match."""

    from_: str = ""
    to: str = ""
    last_activity: str = ""
    transport: str | None = None
    success: bool | None = None


class QueueSort(Sort):
    """The order, and behind which message a page begins: LastID, whose time was Last."""

    field: Literal["Queued", "NextAttempt"] = "NextAttempt"


class RetiredSort(Sort):
    """As QueueSort."""

    field: Literal["Queued", "LastActivity"] = "LastActivity"


class QueueAttempt(Wire):
    """One attempt at delivery, or what an operator did instead."""

    start: datetime
    duration: Annotated[int, doc("Nanoseconds.")]
    success: bool
    code: Annotated[int, doc("Of the reply; 0 without one.")]
    secode: Annotated[str, doc("Enhanced status code.")]
    error: str


class _Message(Wire):
    """What there is to say of a message whether it waits or not."""

    id: int
    base_id: Annotated[int, doc("Copies of one submission have that of the first; 0 for one alone.")]
    queued: datetime
    account: str
    from_: str
    to: str
    size: int
    subject: str
    message_id: str
    from_id: str
    attempts: int
    max_attempts: Annotated[int, doc("0: as many as usual.")]
    last_attempt: datetime | None
    results: list[QueueAttempt]
    transport: Annotated[str | None, doc("Null: by the routes.")]
    requiretls: bool | None
    is_dmarc_report: bool
    is_tls_report: bool
    forwarded_by: Annotated[str, doc("The address of ours that forwards it; empty for what was sent.")]
    extra: dict[str, str]


class QueueMessage(_Message):
    """A message for one recipient that waits."""

    hold: bool
    next_attempt: datetime
    has_8bit: bool
    smtputf8: bool
    future_release: str


class RetiredMessage(_Message):
    """What is remembered of a message that left the queue."""

    last_activity: datetime
    keep_until: datetime
    success: bool


class HoldRule(Wire):
    """Messages that match in all that is set are held; empty fields match any."""

    id: int
    account: str
    sender_domain: str
    recipient_domain: str


def _attempts(results: tuple[Attempt, ...]) -> list[QueueAttempt]:
    return [
        QueueAttempt(
            start=websessions.time(one.start),
            duration=one.duration * (NANOSECONDS // 1_000_000),
            success=one.success,
            code=one.code,
            secode=one.status,
            error="" if one.success else one.text,
        )
        for one in results
    ]


def _common(one: QueuedMessage | Retired, account: str) -> dict[str, Any]:
    """What both have."""
    return {
        "id": one.id,
        "base_id": one.base_id,
        "queued": websessions.time(one.queued),
        "account": account,
        "from_": one.reverse_path,
        "to": one.recipient,
        "size": one.size,
        "subject": one.subject,
        "message_id": one.message_id,
        "from_id": one.from_id,
        "attempts": one.attempts,
        "max_attempts": one.max_attempts,
        "last_attempt": websessions.time(one.last_attempt) if one.last_attempt else None,
        "results": _attempts(one.results),
        "transport": one.transport,
        "requiretls": one.requiretls,
        "is_dmarc_report": one.is_dmarc_report,
        "is_tls_report": one.is_tls_report,
        "forwarded_by": one.forwarded_by,
        "extra": one.extra,
    }


def _waiting(one: QueuedMessage, account: str) -> QueueMessage:
    return QueueMessage(
        **_common(one, account),
        hold=one.hold,
        next_attempt=websessions.time(one.next_attempt),
        has_8bit=one.has_8bit,
        smtputf8=one.smtputf8,
        future_release=one.future_release,
    )


def _departed(one: Retired, account: str) -> RetiredMessage:
    return RetiredMessage(
        **_common(one, account),
        last_activity=websessions.time(one.last_activity),
        keep_until=websessions.time(one.keep_until),
        success=one.success,
    )


async def queue_size(call: Call) -> int:
    """How many messages wait."""
    with call.app.store.read() as tx:
        return tx.entries(Table.QUEUED)


async def queue_list(call: Call, filter: QueueFilter, sort: QueueSort) -> list[QueueMessage]:
    """Messages that wait; a page of them."""
    chosen = selecting.waiting(call.app, filter.asked())
    return await page(call, queuepages.WAITING, chosen, filter, sort, _waiting)


async def retired_list(call: Call, filter: RetiredFilter, sort: RetiredSort) -> list[RetiredMessage]:
    """Messages that left the queue, of accounts that remember them; a page of them."""
    chosen = selecting.retired(call.app, filter.asked())
    return await page(call, queuepages.RETIRED, chosen, filter, sort, _departed)


_Verb = Callable[[Appliance, WaitingFilter, int | None], Awaitable[int]]


async def _change(call: Call, filter: QueueFilter, verb: _Verb) -> int:
    """How many messages a verb changed."""
    return await verb(call.app, selecting.waiting(call.app, filter.asked()), filter.most)


async def queue_next_attempt_set(call: Call, filter: QueueFilter, minutes: Minutes) -> int:
    """Let the next attempt come so many minutes from now; how many messages were changed."""
    return await _change(
        call, filter, lambda app, chosen, most: queue.schedule(app, chosen, most, seconds=60 * minutes)
    )


async def queue_next_attempt_add(call: Call, filter: QueueFilter, minutes: Minutes) -> int:
    """Postpone the next attempt by so many minutes, or let it come earlier; how many messages were changed."""
    return await _change(
        call, filter, lambda app, chosen, most: queue.postpone(app, chosen, most, seconds=60 * minutes)
    )


async def queue_hold_set(call: Call, filter: QueueFilter, hold: bool) -> int:
    """Put messages on hold, or let them go; how many were changed."""
    return await _change(call, filter, lambda app, chosen, most: queue.hold(app, chosen, most, on=hold))


async def queue_fail(call: Call, filter: QueueFilter) -> int:
    """Give messages up: their senders are told; how many."""
    return await _change(call, filter, canceling.fail)


async def queue_drop(call: Call, filter: QueueFilter) -> int:
    """Remove messages and tell nobody; how many."""
    return await _change(call, filter, canceling.drop)


async def queue_requiretls_set(call: Call, filter: QueueFilter, requiretls: bool | None) -> int:
    """Demand verified TLS all the way, do without any, or neither; how many were changed."""
    return await _change(
        call, filter, lambda app, chosen, most: queue.set_requiretls(app, chosen, most, requiretls=requiretls)
    )


async def queue_transport_set(call: Call, filter: QueueFilter, transport: str) -> int:
    """Send by a transport whatever the routes say; empty: by the routes again. How many were changed."""
    return await _change(call, filter, lambda app, chosen, most: queue.set_transport(app, chosen, most, name=transport))


async def queue_hold_rule_list(call: Call) -> list[HoldRule]:
    """The rules that hold messages."""
    return [
        HoldRule(id=one.id, account=account, sender_domain=one.sender_domain, recipient_domain=one.recipient_domain)
        for one, account in holding.rules(call.app)
    ]


async def queue_hold_rule_add(call: Call, account: str, sender_domain: str, recipient_domain: str) -> HoldRule:
    """Hold what matches in all that is given: messages that wait, and those to come."""
    rule = await holding.add(call.app, account=account, sender_domain=sender_domain, recipient_domain=recipient_domain)
    return HoldRule(
        id=rule.id, account=account, sender_domain=rule.sender_domain, recipient_domain=rule.recipient_domain
    )


async def queue_hold_rule_remove(call: Call, id: ID64) -> None:
    """Remove a rule; what it held stays on hold."""
    await holding.remove(call.app, id)
