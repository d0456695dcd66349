"""What an ACME server says, as values (RFC 8555 §7.1), and its problem documents (§6.7, RFC 7807).

Names are those of the JSON. What a server adds is passed over; what it lacks, or has of another type, is a BadMessage.
"""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, TypeVar

import msgspec

#: Prefix of the types of problems (RFC 8555 §6.7).
_ERROR: Final = "urn:ietf:params:acme:error:"
#: Of a text that a server wrote, in our log and pages.
_TEXT_CHARACTERS: Final = 500
_UNSHOWN: Final = re.compile(r"[^\x20-\x7e\xa0-\ud7ff\ue000-\uffff]+")
#: Names in one order, and challenges for one of them: no server sends so many.
LIST_LENGTH: Final = 100

T = TypeVar("T")


class BadMessage(Exception):
    """A response is not what RFC 8555 has there."""


class Identifier(msgspec.Struct, frozen=True, rename="camel"):
    """A name in an order."""

    type: str
    value: str


class Subproblem(msgspec.Struct, frozen=True, rename="camel"):
    """Of one of several names (RFC 8555 §6.7.1)."""

    type: str = "about:blank"
    detail: str = ""
    identifier: Identifier | None = None


class Problem(msgspec.Struct, frozen=True, rename="camel"):
    """Why a request, an order or a challenge failed."""

    type: str = "about:blank"
    detail: str = ""
    subproblems: tuple[Subproblem, ...] = ()

    @property
    def kind(self) -> str:
        """The type without the prefix that all have: `rateLimited`, `badNonce`."""
        return self.type.removeprefix(_ERROR)

    def __str__(self) -> str:
        said = [f"{self.kind}: {self.detail}" if self.detail else self.kind]
        for one in self.subproblems[:LIST_LENGTH]:
            name = "" if one.identifier is None else f"{one.identifier.value}: "
            said.append(f"{name}{one.type.removeprefix(_ERROR)}: {one.detail}")
        return shown("; ".join(said))


class Meta(msgspec.Struct, frozen=True, rename="camel"):
    """What a server says of itself (RFC 8555 §9.7.6)."""

    terms_of_service: str = ""
    #: Its names in CAA records.
    caa_identities: tuple[str, ...] = ()
    external_account_required: bool = False


class Directory(msgspec.Struct, frozen=True, rename="camel"):
    """Where requests go (RFC 8555 §7.1.1)."""

    new_nonce: str
    new_account: str
    new_order: str
    #: Empty: it does not say when to renew (RFC 9773 §4.1).
    renewal_info: str = ""
    meta: Meta = Meta()


class Order(msgspec.Struct, frozen=True, rename="camel"):
    """A certificate on its way (RFC 8555 §7.1.3)."""

    status: str
    authorizations: tuple[str, ...]
    finalize: str
    certificate: str = ""
    error: Problem | None = None


class Challenge(msgspec.Struct, frozen=True, rename="camel"):
    """One way to prove that a name is ours (RFC 8555 §8)."""

    type: str
    url: str
    status: str = "pending"
    token: str = ""
    error: Problem | None = None


class Authorization(msgspec.Struct, frozen=True, rename="camel"):
    """That a name is ours, proved or not (RFC 8555 §7.1.4)."""

    identifier: Identifier
    status: str
    challenges: tuple[Challenge, ...] = ()

    @property
    def failure(self) -> Problem | None:
        """Why a challenge of it failed."""
        return next((one.error for one in self.challenges if one.error is not None), None)


class Window(msgspec.Struct, frozen=True, rename="camel"):
    """When a certificate should be renewed (RFC 9773 §4.2)."""

    start: datetime
    end: datetime


class RenewalInfo(msgspec.Struct, frozen=True, rename="camel"):
    """What the server wishes for a certificate."""

    suggested_window: Window
    explanation_url: str = msgspec.field(default="", name="explanationURL")


def parse(octets: bytes, kind: type[T]) -> T:
    """A response's body. Raises BadMessage."""
    try:
        return msgspec.json.decode(octets, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadMessage(f"the ACME server's {kind.__name__.lower()} makes no sense: {error}") from error


def parse_problem(octets: bytes, status: int) -> Problem:
    """The problem that a response of such a status tells; one of its own making when it tells none."""
    try:
        return msgspec.json.decode(octets, type=Problem)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Problem(detail=f"the ACME server answered {status}")


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds until a request may come again (RFC 9110 §10.2.3); None when it does not say."""
    if value is None:
        return None
    if value.strip().isascii() and value.strip().isdigit():
        return float(value.strip()[:9])
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, IndexError, TypeError):
        return None
    return max(0.0, ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now).total_seconds())


def shown(text: str) -> str:
    """A server's text as it may stand in a log or on a page."""
    clean = _UNSHOWN.sub(" ", text)
    return clean if len(clean) <= _TEXT_CHARACTERS else clean[: _TEXT_CHARACTERS - 3] + "..."
