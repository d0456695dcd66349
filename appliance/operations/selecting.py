"""Which messages of the queue, or webhooks, somebody means, in his words: accounts, parts of addresses, `>1h`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from appliance.base.problem import Kind, Problem
from appliance.config.values import Duration
from appliance.delivery.appliance import Appliance
from appliance.mail.domain import DomainError, parse_host
from appliance.mail.hookpayload import Event
from appliance.mail.status import Status
from appliance.operations import accounts
from appliance.store.hookrecords import INCOMING
from appliance.store.queuefilter import Bound, HookFilter, RetiredFilter, WaitingFilter
from appliance.store.tables import NO_ACCOUNT, AccountID, HookID, QueueID

#: Ids in one request.
IDS: Final = 10_000
_MAX_ID: Final = 2**63 - 1
#: Of a part of an address, or a bound.
_TEXT_CHARACTERS: Final = 1000
_BOUND: Final = re.compile(r"\s*([<>])\s*(?:now|(-?)\s*(\S+))\s*")


#: What webhooks tell of.
EVENTS: Final = (INCOMING, *(one.value for one in Event))


class BadFilter(Problem):
    """The words make no sense."""

    kind, status = Kind.INVALID, Status(5, 5, 4)


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for; None where nothing was said."""

    ids: Sequence[int] | None = None
    account: str | None = None
    #: A part of the address; with `@` in front a whole domain.
    sender: str | None = None
    recipient: str | None = None
    #: `<` or `>`, then `now` or a duration from now on: `<-24h` is longer ago than a day.
    submitted: str | None = None
    transport: str | None = None
    #: Only of messages that wait.
    hold: bool | None = None
    next_attempt: str | None = None
    #: Only of webhooks: `incoming`, or what became of a message that was sent.
    event: str | None = None
    #: Only of what is done.
    success: bool | None = None
    last_activity: str | None = None


def waiting(app: Appliance, asked: Asked) -> WaitingFilter:
    """Of messages in the queue. Raises BadFilter, NoSuchAccount."""
    return WaitingFilter(
        **_common(app, asked), hold=asked.hold, next_attempt=_bound(app, "next attempt", asked.next_attempt)
    )


def retired(app: Appliance, asked: Asked) -> RetiredFilter:
    """Of messages that left the queue. Raises BadFilter, NoSuchAccount."""
    return RetiredFilter(
        **_common(app, asked), success=asked.success, last_activity=_bound(app, "last activity", asked.last_activity)
    )


def hooks(app: Appliance, asked: Asked) -> HookFilter:
    """Of webhooks, waiting or done. Raises BadFilter, NoSuchAccount."""
    if asked.event is not None and asked.event not in EVENTS:
        raise BadFilter(f"event must be one of: {', '.join(EVENTS)}")
    return HookFilter(
        ids=None if (ids := _ids(asked)) is None else frozenset(map(HookID, ids)),
        accounts=None if asked.account is None else owners(app, asked.account),
        event=asked.event,
        submitted=_bound(app, "submitted", asked.submitted),
        next_attempt=_bound(app, "next attempt", asked.next_attempt),
        last_activity=_bound(app, "last activity", asked.last_activity),
        success=asked.success,
    )


def _ids(asked: Asked) -> Sequence[int] | None:
    ids = asked.ids
    if ids is not None and (not ids or len(ids) > IDS or not all(0 < id <= _MAX_ID for id in ids)):
        raise BadFilter(f"ids must be positive numbers, from one to {IDS} of them")
    return ids


def _common(app: Appliance, asked: Asked) -> dict[str, Any]:
    return {
        "ids": None if (ids := _ids(asked)) is None else frozenset(map(QueueID, ids)),
        "accounts": None if asked.account is None else owners(app, asked.account),
        "sender": _part("from", asked.sender),
        "recipient": _part("to", asked.recipient),
        "submitted": _bound(app, "submitted", asked.submitted),
        "transport": asked.transport,
    }


def owners(app: Appliance, account: str) -> frozenset[AccountID]:
    """Whose messages an account's are: the postmaster's account answers for those of nobody. Raises NoSuchAccount."""
    number = accounts.number(app.store, account)
    is_postmaster = account == app.config.snapshot().static.postmaster.account
    return frozenset({number, NO_ACCOUNT} if is_postmaster else {number})


def _part(name: str, text: str | None) -> str:
    if text is None:
        return ""
    # An empty one would mean everything, and comes of a variable that was not set.
    if not text or len(text) > _TEXT_CHARACTERS:
        raise BadFilter(f"{name} must be a part of an address, or @ and a domain")
    if not text.startswith("@"):
        return text.lower()
    try:
        return f"@{parse_host(text[1:], lax=True)}".lower()
    except DomainError as error:
        raise BadFilter(f"{name}: {text!r} is not @ and a domain: {error}") from error


def _bound(app: Appliance, name: str, text: str | None) -> Bound | None:
    if text is None:
        return None
    found = _BOUND.fullmatch(text[:_TEXT_CHARACTERS])
    if found is None:
        raise BadFilter(
            f"{name} must be < or >, then now or a duration from now on such as 1h or -24h, not {text[:100]!r}"
        )
    sign, minus, duration = found.groups()
    try:
        seconds = Duration(duration).seconds if duration else 0.0
    except ValueError as error:
        raise BadFilter(f"{name}: {duration!r} {error}") from error
    distance = int(seconds * 1e6) * (-1 if minus else 1)
    return Bound(app.clock.microseconds() + distance, is_after=sign == ">")
