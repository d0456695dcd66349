"""What a check found, and what checks are made with."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_network
from typing import Any, Final

from OpenSSL import SSL

from appliance.base.ids import Random
from appliance.config.addresses import DomainEntry
from appliance.config.source import Config
from appliance.config.values import IPAddress
from appliance.dns.answers import Answer
from appliance.dns.problems import NotFound
from appliance.dns.resolver import Resolver
from appliance.mail.domain import Domain
from appliance.mail.mtasts import Policy
from appliance.net.dial import Dialer
from appliance.operations import dnsrecords
from appliance.operations.dnsrecords import Facts, Wanted
from appliance.tls.verify import Roots

#: For all checks, and for reaching a server in one of them.
SECONDS: Final = 30.0
CONNECT_SECONDS: Final = 10.0
#: Hosts and addresses looked at of each kind: who has more knows what he does.
HOSTS: Final = 10
#: Addresses that have no name outside (RFC 1918, 4193, 6598, and of the machine and the wire). Not `is_private`, which
#: also has those of documentation.
INTERNAL: Final = tuple(
    ip_network(text)
    for text in (
        *("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"),
        *("::1/128", "fc00::/7", "fe80::/10"),
    )
)
#: Characters of what others say that are shown.
SHOWN: Final = 300


@dataclass(slots=True)
class Area:
    """One subject. Errors are wrong and warnings doubtful; an instruction says what to do about them."""

    title: str
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    details: list[str] = field(default_factory=list)
    instructions: list[str] = field(default_factory=list)
    #: Records to publish in the place of what is there.
    records: list[Wanted] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Nothing is wrong."""
        return not self.errors

    def error(self, text: str) -> None:
        """Something is wrong."""
        self.errors.append(text[:SHOWN])

    def warn(self, text: str) -> None:
        """Something might be better."""
        self.warnings.append(text[:SHOWN])


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What checks are made with. The resolver remembers nothing: an answer of a minute ago would mislead."""

    resolver: Resolver
    dialer: Dialer
    #: For TLS to others.
    context: SSL.Context
    roots: Roots
    now: Callable[[], datetime]
    random: Random
    #: Raises tls.mtasts.Unavailable.
    fetch_policy: Callable[[Domain], Awaitable[Policy]]
    smtp_port: int = 25
    https_port: int = 443


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The domain that is checked."""

    config: Config
    entry: DomainEntry
    facts: Facts
    means: Means

    @property
    def domain(self) -> Domain:
        """Its name."""
        return self.entry.domain

    @property
    def host(self) -> Domain:
        """The name of this machine."""
        return dnsrecords.host_of(self.config)

    @property
    def resolver(self) -> Resolver:
        """For questions."""
        return self.means.resolver

    def ours(self) -> frozenset[IPAddress] | None:
        """Addresses at which the world reaches us; None: the configuration does not say (all addresses, or NAT)."""
        names = [
            name for one in self.config.static.listeners.values() if one.smtp.enabled for name in one.nat_ips or one.ips
        ]
        ips = frozenset(name.ip for name in names)
        if not ips or any(ip.is_unspecified for ip in ips):
            return None
        return ips

    def wanted(self, kind: str, name: str) -> list[Wanted]:
        """The records that there should be of a type and name."""
        found = dnsrecords.sections(self.config, self.entry, self.facts)
        return [one for section in found for one in section.records if (one.type, one.name) == (kind, name)]


async def texts(resolver: Resolver, name: str, start: str) -> Answer[str] | None:
    """TXT records with a start, in any case; None without any. Raises Temporary and the like."""
    try:
        answer = await resolver.txt(name)
    except NotFound:
        return None
    kept = tuple(one for one in answer.records if one.lower().startswith(start))
    return Answer(answer.name, kept, answer.vouched, answer.ttl_seconds, answer.aliases) if kept else None


def low_ttl(area: Area, what: str, answer: Answer[Any]) -> None:
    """Warn of a record that is asked for again and again."""
    if answer.ttl_seconds is not None and 0 < answer.ttl_seconds < 60:  # A cache on the way counts it down.
        area.details.append(f"{what} may be kept for {answer.ttl_seconds} s only (or a cache counts that down)")


def listed(values: Sequence[object] | frozenset[object]) -> str:
    """For texts."""
    return ", ".join(sorted(str(value) for value in values)) or "nothing"
