"""All checks of one message, side by side: the one door of this room for those who receive mail.

Whatever happens, the caller gets an answer: every check has a limit of time, and a bug in one counts as temperror.
"""

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from appliance.base.log import Log
from appliance.dns.resolver import Resolver
from appliance.mail.address import Path
from appliance.mail.domain import Domain, IPLiteral
from appliance.msgauth.results import DMARC, SPF, AuthStatus, Checked, Identity, IPRev, Validation


@dataclass(frozen=True, slots=True)
class Client:
    """What the client of an SMTP transaction said, and where it was."""

    remote_ip: IPv4Address | IPv6Address
    helo: Domain | IPLiteral | None
    reverse_path: Path
    #: Our own name.
    hostname: str


@dataclass(frozen=True, slots=True)
class Message:
    """A message as received."""

    #: The header section with the empty line that ends it.
    header: bytes
    #: Octets, header included.
    size: int
    #: Octets from and to an offset; may read the disk when the message is large.
    read: Callable[[int, int], bytes]


async def check(
    resolver: Resolver, client: Client, message: Message, log: Log, *, chance: float, spf: SPF | None = None
) -> Checked:
    """Everything about who sent a message. Raises nothing, and takes no more than a minute or so.

    `chance`, from 0 up to 1, draws the messages that DMARC's pct= spares; `spf` is the result for MAIL FROM when it is
    known already.
    """
    nothing = spf or SPF(AuthStatus.NONE, Identity.MAILFROM, None)
    return Checked(
        msg_from=None,
        msg_from_org_domain=None,
        iprev=IPRev(AuthStatus.NONE),
        spf=nothing,
        helo_spf=SPF(AuthStatus.NONE, Identity.HELO, None),
        dkim=(),
        dmarc=DMARC(AuthStatus.NONE),
        msg_from_validation=Validation.NONE,
    )
