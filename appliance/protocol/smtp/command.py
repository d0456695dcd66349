"""The commands of SMTP as values, and the parser that makes them from lines.

RFC 5321 §4.1, with SIZE (RFC 1870), 8BITMIME (RFC 6152), SMTPUTF8 (RFC 6531), AUTH (RFC 4954), STARTTLS (RFC
3207), REQUIRETLS (RFC 8689) and FUTURERELEASE (RFC 4865). Which command may come when is for server.py.
"""

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum

from appliance.mail.address import NULL_PATH, AddressError, Path, parse_path
from appliance.mail.domain import Domain, DomainError, IPLiteral, parse_host
from appliance.mail.status import Status
from appliance.protocol.smtp.reply import ProtocolError, Reply
from appliance.protocol.smtp.settings import Settings

# ---- Commands, as events of the server's conversation. ----


@dataclass(frozen=True, slots=True)
class Helo:
    """The client names itself and wants no extensions."""

    #: None where the argument is not looked at: mail clients of users send anything.
    host: Domain | None


@dataclass(frozen=True, slots=True)
class Ehlo:
    """The client names itself and asks for the extensions."""

    #: None as with Helo.
    host: Domain | IPLiteral | None


@dataclass(frozen=True, slots=True)
class StartTLS:
    """The next octets are a TLS handshake (RFC 3207)."""


@dataclass(frozen=True, slots=True)
class Auth:
    """The client starts a SASL exchange (RFC 4954)."""

    #: As sent, of the right form, not necessarily known.
    mechanism: str
    #: None when the client waits for a challenge; empty is a response.
    initial: bytes | None


class Body(Enum):
    """What the client says about its message (RFC 6152)."""

    SEVEN_BIT = "7BIT"
    EIGHT_BIT_MIME = "8BITMIME"


@dataclass(frozen=True, slots=True)
class FutureRelease:
    """When a submission may leave (RFC 4865)."""

    moment: datetime
    #: `for;SECONDS` or `until;DATE-TIME`, for delivery status notifications (RFC 4865 §9).
    text: str


@dataclass(frozen=True, slots=True)
class Mail:
    """A transaction begins. The AUTH parameter is checked and dropped: we trust nobody's word for it."""

    path: Path
    #: As declared; may be wrong.
    size_octets: int | None = None
    body: Body | None = None
    smtputf8: bool = False
    requiretls: bool = False
    release: FutureRelease | None = None


@dataclass(frozen=True, slots=True)
class Rcpt:
    """One recipient. `<postmaster>` is a path without domain (RFC 5321 §4.1.1.3)."""

    path: Path


@dataclass(frozen=True, slots=True)
class Data:
    """The client wants to send its message."""


@dataclass(frozen=True, slots=True)
class Rset:
    """The transaction is forgotten."""


@dataclass(frozen=True, slots=True)
class Noop:
    """Nothing is asked for but a reply."""


@dataclass(frozen=True, slots=True)
class Quit:
    """The client is done."""


@dataclass(frozen=True, slots=True)
class Vrfy:
    """A question whether a mailbox exists."""


@dataclass(frozen=True, slots=True)
class Expn:
    """A question who is behind a list."""


@dataclass(frozen=True, slots=True)
class Help:
    """A question for help."""


Command = (
    Helo | Ehlo | StartTLS | Auth | Mail | Rcpt | Data | Rset | Noop | Quit | Vrfy | Expn | Help
)  # fmt: skip
