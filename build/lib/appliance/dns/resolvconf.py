"""Which name servers this machine uses: resolv.conf(5), read as the C library reads it, without its search list."""

import ipaddress
import re
from dataclasses import dataclass, replace
from typing import Final

PORT: Final = 53
#: As the C library: more servers are not asked, longer times are cut.
SERVERS: Final = 3
TIMEOUT_SECONDS: Final = 30
ATTEMPTS: Final = 5
_SCOPE: Final = re.compile(r"[A-Za-z0-9_.-]{1,15}")


@dataclass(frozen=True, slots=True)
class NameServer:
    """A server that answers for others."""

    #: An IP address; IPv6 may carry a scope (`fe80::1%eth0`).
    address: str
    port: int = PORT

    @property
    def loopback(self) -> bool:
        """Whether it is on this machine, so that nobody between can alter its answers."""
        return ipaddress.ip_address(self.address).is_loopback

    def __str__(self) -> str:
        if self.port == PORT:
            return self.address
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


@dataclass(frozen=True, slots=True)
class Configuration:
    """What resolv.conf says, as far as it concerns us."""

    #: Without any, the machine itself is asked.
    servers: tuple[NameServer, ...] = (NameServer("127.0.0.1"), NameServer("::1"))
    timeout_seconds: float = 5
    attempts: int = 2
    #: The servers take turns at being first.
    rotate: bool = False
    #: Always by TCP.
    tcp: bool = False
    #: The operator trusts servers and the way to them with the AD flag.
    trust_ad: bool = False

    @property
    def trusted(self) -> bool:
        """Whether an AD flag means anything: set by a server on this machine, or one the operator trusts."""
        return self.trust_ad or all(server.loopback for server in self.servers)


def parse(text: str) -> Configuration:
    """Read a resolv.conf. Lines and values it does not know are passed over, like everybody does."""
    found = Configuration()
    servers: list[NameServer] = []
    for line in text.splitlines():
        words = re.split(r"[#;]", line, maxsplit=1)[0].split()
        if len(words) < 2:
            continue
        if words[0] == "nameserver":
            server = parse_server(words[1])
            if server is not None and len(servers) < SERVERS:
                servers.append(server)
        elif words[0] == "options":
            for option in words[1:]:
                found = _with_option(found, option)
    return replace(found, servers=tuple(servers)) if servers else found


def parse_server(text: str) -> NameServer | None:
    """An address with a port behind it or not (`192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1`, `[2001:db8::1]:5353`)."""
    address, port = text, PORT
    with_port = re.fullmatch(r"(?:\[([^\]]+)\]|([^:]+)):([0-9]{1,5})", text)
    if with_port:
        address, port = with_port[1] or with_port[2], int(with_port[3])
    plain, percent, scope = address.partition("%")
    try:
        ipaddress.ip_address(plain)
    except ValueError:
        return None
    if (percent and not (":" in plain and _SCOPE.fullmatch(scope))) or not 0 < port < 65_536:
        return None
    return NameServer(address, port)


def _with_option(found: Configuration, option: str) -> Configuration:
    name, _, value = option.partition(":")
    number = int(value) if value.isascii() and value.isdigit() and len(value) < 6 else None
    match name:
        case "timeout" if number:
            return replace(found, timeout_seconds=min(number, TIMEOUT_SECONDS))
        case "attempts" if number:
            return replace(found, attempts=min(number, ATTEMPTS))
        case "rotate":
            return replace(found, rotate=True)
        case "use-vc":
            return replace(found, tcp=True)
        case "trust-ad":
            return replace(found, trust_ad=True)
    return found
