"""What is known of the client of an SMTP transaction before its message is looked at."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from appliance.mail.address import Path
from appliance.mail.domain import Domain, IPLiteral


@dataclass(frozen=True, slots=True)
class Client:
    """Who says what, and from where."""

    remote_ip: IPv4Address | IPv6Address
    #: None when it has not said.
    helo: Domain | IPLiteral | None
    reverse_path: Path
    #: Our own name.
    hostname: str
