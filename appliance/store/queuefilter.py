"""Which messages or webhooks, waiting or done, somebody means; and in which order he looks at them. Pure."""

import enum
from collections.abc import Set
from dataclasses import dataclass
from typing import Any, Protocol

from appliance.store.hookrecords import Hook, RetiredHook
from appliance.store.queuerecords import QueuedMessage, RetiredMessage
from appliance.store.tables import AccountID, HookID, QueueID


class Order(enum.Enum):
    """What a list goes by. Where times are equal, ids decide."""

    NEXT_ATTEMPT = "nextattempt"
    #: That of ids, too.
    QUEUED = "queued"
    #: Of what is done.
    LAST_ACTIVITY = "lastactivity"


class Means(Protocol):
    """Tells which are meant."""

    @property
    def ids(self) -> Set[int] | None:
        """Only these; None: any."""

    def matches(self, one: Any) -> bool:
        """Whether one is meant."""


@dataclass(frozen=True)
class Bound:
    """What a time has to come before or after."""

    #: Microseconds since 1970.
    moment: int
    is_after: bool

    def __contains__(self, time: int) -> bool:
        return time > self.moment if self.is_after else time < self.moment


@dataclass(frozen=True)
class Filter:
    """Messages that match in all fields that are set."""

    ids: frozenset[QueueID] | None = None
    accounts: frozenset[AccountID] | None = None
    #: A part of the address, in lower case; one that begins with `@` is its whole domain, in Unicode spelling.
    sender: str = ""
    recipient: str = ""
    submitted: Bound | None = None
    #: The transport it was given; empty: none, so that the routes decide.
    transport: str | None = None


@dataclass(frozen=True)
class WaitingFilter(Filter):
    """Of messages in the queue."""

    hold: bool | None = None
    next_attempt: Bound | None = None

    def matches(self, one: QueuedMessage) -> bool:
        """Whether a message is meant."""
        return (
            (self.hold is None or one.hold == self.hold)
            and (self.next_attempt is None or one.next_attempt in self.next_attempt)
            and _matches(self, one)
        )


@dataclass(frozen=True)
class RetiredFilter(Filter):
    """Of messages that left the queue."""

    last_activity: Bound | None = None
    success: bool | None = None

    def matches(self, one: RetiredMessage) -> bool:
        """Whether a message is meant."""
        return (
            (self.success is None or one.success == self.success)
            and (self.last_activity is None or one.last_activity in self.last_activity)
            and _matches(self, one)
        )


@dataclass(frozen=True)
class HookFilter:
    """Webhooks that match in all fields that are set; in some of them only those that wait, or are done, can."""

    ids: frozenset[HookID] | None = None
    accounts: frozenset[AccountID] | None = None
    #: `incoming`, or what became of a message that was sent.
    event: str | None = None
    submitted: Bound | None = None
    next_attempt: Bound | None = None
    last_activity: Bound | None = None
    success: bool | None = None

    def matches(self, one: Hook | RetiredHook) -> bool:
        """Whether a webhook is meant."""
        if isinstance(one, Hook):
            fits = self.next_attempt is None or one.next_attempt in self.next_attempt
        else:
            fits = (self.last_activity is None or one.last_activity in self.last_activity) and (
                self.success is None or one.success == self.success
            )
        return (
            fits
            and (self.ids is None or one.id in self.ids)
            and (self.accounts is None or one.account in self.accounts)
            and (self.event is None or one.event == self.event)
            and (self.submitted is None or one.submitted in self.submitted)
        )


def _matches(filter: Filter, one: QueuedMessage | RetiredMessage) -> bool:
    return (
        (filter.ids is None or one.id in filter.ids)
        and (filter.accounts is None or one.account in filter.accounts)
        and (filter.transport is None or (one.transport or "") == filter.transport)
        and (filter.submitted is None or one.queued in filter.submitted)
        and _has(one.reverse_path, filter.sender)
        and _has(one.recipient, filter.recipient)
    )


def _has(address: str, part: str) -> bool:
    if not part:
        return True
    address = address.lower()
    return address.rpartition("@")[2] == part[1:] if part.startswith("@") else part in address
