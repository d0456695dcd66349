"""What is wanted of a session with another server, and what became of TLS in it: values alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from OpenSSL import SSL

from appliance.net.tlsstream import TLSInfo
from appliance.protocol.sasl import client as sasl
from appliance.tls.verify import Judgement


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds for each wait (RFC 5321 §4.5.3.2), whose expiry is a temporary failure."""

    #: For all addresses of a host together.
    dial: float = 30
    handshake: float = 60
    greeting: float = 5 * 60
    #: EHLO, STARTTLS, each step of a login, RSET, MAIL, RCPT.
    command: float = 5 * 60
    data: float = 2 * 60
    #: For each piece of the message, and each group of commands, to be taken.
    write: float = 3 * 60
    #: After the dot. Who gives up too early delivers twice.
    content: float = 10 * 60
    quit: float = 5
    #: From the greeting on. Only the wait after a dot may last longer.
    session: float = 30 * 60


TIMES: Final = Times()


class TLSMode(Enum):
    """When TLS starts."""

    #: Never.
    SKIP = "skip"
    #: By STARTTLS, where it is offered.
    OPPORTUNISTIC = "opportunistic"
    #: By STARTTLS, even where it is not offered; without it nothing is said (RFC 8461 §5, RFC 7672 §2.2).
    REQUIRED = "requiredstarttls"
    #: Before the greeting (RFC 8314 §3.3).
    IMMEDIATE = "immediate"


class Weight(Enum):
    """What follows from a judgement over a server's certificates."""

    #: Who does not pass is not spoken to.
    ENFORCED = "enforced"
    #: It is told in reports only.
    REPORTED = "reported"
    #: It would be enforced but for TLS-Required: No (RFC 8689 §4.2.2).
    WAIVED = "waived"


@dataclass(frozen=True, slots=True)
class Check:
    """One way to judge a server's certificates."""

    #: `pkix` or `dane`.
    name: str
    #: Takes the chain, DER, the server's own first. Runs in a thread.
    judge: Callable[[Sequence[bytes]], Judgement]
    weight: Weight = Weight.ENFORCED


@dataclass(frozen=True, slots=True)
class TLSPolicy:
    """How TLS is used."""

    mode: TLSMode
    #: From tls.context.client_context: with our certificate if the server shall see one, of any strength if TLS is
    #: opportunistic.
    context: SSL.Context | None = None
    #: Sent in the handshake (RFC 6066 §3): the host's name, None for an address.
    server_name: str | None = None
    checks: tuple[Check, ...] = ()
    #: The context has a certificate of ours.
    client_certificate: bool = False


@dataclass(frozen=True, slots=True)
class LoginPolicy:
    """How we log in."""

    login: sasl.Login
    #: The first that is offered and can be is taken.
    mechanisms: tuple[str, ...]
    #: Passwords may be sent without TLS.
    insecure_passwords: bool = False
    #: Where none of them is offered, there is no login: the server knows us already, by our certificate.
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What is wanted of a session."""

    #: In EHLO: a domain in A-labels, or an address literal.
    ehlo_name: str
    tls: TLSPolicy
    login: LoginPolicy | None = None
    times: Times = TIMES


@dataclass(slots=True)
class TLSOutcome:
    """What became of TLS on a connection, for reports (RFC 8460)."""

    #: TLS was begun, or would have been if it were offered: the connection counts.
    wanted: bool = False
    #: The server offered STARTTLS.
    offered: bool = False
    info: TLSInfo | None = None
    #: By the names of the checks.
    judgements: dict[str, Judgement] = field(default_factory=dict)
    #: Why there is no TLS; result and reason as RFC 8460 §4.3 has them, empty when there is.
    result: str = ""
    reason: str = ""
    #: A check that is enforced was passed.
    verified: bool = False
