"""Refused mail is written down, so that people can be told why: in the background, and never much of it.

What comes again is counted with what came before. Of a network that is refused often only a count is kept, and so of
everybody while too many wait to be written: a flood of refusals makes neither the disk busy nor memory grow.
"""

import enum
from collections.abc import Sequence

from appliance.base import limits
from appliance.base.clock import Clock
from appliance.base.log import Log
from appliance.net.limiter import Address, Limiter, Window, surroundings
from appliance.store.ledger import Book
from appliance.store.refusal import REFUSALS, Refusal
from appliance.store.store import Store
from appliance.store.tables import NOBODY, AccountID

log = Log("refusals")


class Cause(enum.StrEnum):
    """Why mail was refused without a look at what it says; `decide.Reason` has the others."""

    NO_SUCH_HOST = "no-such-host"
    SENDER_LITERAL = "sender-literal"
    SENDER_DOMAIN = "sender-domain"
    SENDER_NOT_FOUND = "sender-not-found"
    BAD_TRANSACTIONS = "bad-transactions"
    TLS_REQUIRED = "tls-required"
    RELAY = "relay"
    UNKNOWN_RECIPIENT = "unknown-recipient"
    NOTICES_ONLY = "notices-only"
    #: The address is configured to refuse, its domain is disabled, or its account is not there.
    ADDRESS_REFUSES = "address-refuses"
    NOT_MEMBER = "not-member"
    TOO_LARGE = "too-large"
    HEADER_TOO_LARGE = "header-too-large"
    LOOP = "loop"
    SMUGGLING = "smuggling"
    LACKS_SMTPUTF8 = "lacks-smtputf8"
    MAILBOX_FULL = "mailbox-full"
    DISK_FULL = "disk-full"
    TROUBLE = "trouble"
    #: More than can be written down one by one.
    TOO_MANY = "too-many"


class Refusals(Book[Refusal]):
    """What waits to be written down."""

    def __init__(self, store: Store, clock: Clock) -> None:
        super().__init__(store, clock, REFUSALS, log, waiting=limits.REFUSALS_WAITING)
        self._networks = Limiter([Window(*one) for one in limits.REFUSALS_OF_NETWORK])

    def note(self, account: AccountID | None, address: Address, one: Refusal) -> None:
        """Write a refusal down soon; never waits. None: it concerns no account that is known."""
        owner = NOBODY if account is None else account
        if not self._networks.add(address, self._clock.microseconds() / 1e6):
            one = Refusal(
                stage="", reason=one.reason, remote_ip=str(surroundings(address)), first=one.first, last=one.last
            )
        if not self.take(owner, one):
            rest = Refusal(stage="", reason=Cause.TOO_MANY.value, remote_ip="", first=one.first, last=one.last)
            self.take(NOBODY, rest, always=True)  # Always the same one: it needs no more room.


def cut(text: str) -> str:
    """What others wrote, not too much of it."""
    return text[: limits.REFUSAL_TEXT_CHARACTERS]


def lines(details: Sequence[str]) -> tuple[str, ...]:
    """What speaks for and against a message, not too much of it."""
    return tuple(map(cut, details[: limits.REFUSAL_DETAILS]))
