"""The hosts that take mail for a domain, and their addresses (RFC 5321 §5.1). Answers are values; so are failures.

What DNSSEC says of each step is kept, since DANE counts on it (RFC 7672 §2.2). Which host is used, and how, is for
`direct`.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final, Literal, TypeVar

import trio

from appliance.base.metrics import Counter
from appliance.dns.answers import MX, Answer
from appliance.dns.problems import LookupProblem, NotFound, Temporary
from appliance.dns.resolver import Resolver
from appliance.mail.domain import Domain, DomainError, IPLiteral, parse_domain
from appliance.mail.status import Status
from appliance.protocol.smtp.failure import Failure, Fault, temporary

Address = IPv4Address | IPv6Address
T = TypeVar("T")

destinations = Counter("queue_destinations_total", "Hosts that mail was to be handed to.")
authentic_destinations = Counter(
    "queue_destinations_authentic_total", "Of these, hosts whose names DNSSEC vouches for all the way."
)

#: For each look-up.
LOOKUP_SECONDS: Final = 30.0
#: Hosts of a domain that are tried in one attempt; nobody has more (RFC 5321 §5.1 asks for two at least).
MOST_HOSTS: Final = 10
#: Addresses of a host that are tried in one attempt.
MOST_ADDRESSES: Final = 10


@dataclass(frozen=True, slots=True)
class NextHosts:
    """Where mail for a domain goes."""

    #: In the order they are to be tried, in A-labels; a literal is its address as text.
    names: tuple[str, ...]
    #: The domain, and the name that its CNAMEs led to; of a literal both are empty.
    domain: str
    expanded: str
    #: The domain has MX records. If not, it is its own host.
    has_mx: bool
    #: DNSSEC vouches for the domain itself, and for all from there to the names of the hosts.
    domain_authentic: bool
    authentic: bool
    #: The literal, if it is one: there is no policy for it.
    literal: Address | None = None


@dataclass(frozen=True, slots=True)
class HostAddresses:
    """The addresses of a host."""

    host: str
    #: The name that its CNAMEs led to.
    expanded: str
    addresses: tuple[Address, ...]
    #: DNSSEC vouches for the host's own records, and for all of the way to the addresses.
    host_authentic: bool
    authentic: bool

    @property
    def dual_stack(self) -> bool:
        """Whether there are addresses of both families."""
        return len({one.version for one in self.addresses}) > 1


async def find(
    resolver: Resolver, domain: Domain | IPLiteral, chance: Callable[[], float], ourselves: Collection[str] = ()
) -> NextHosts | Failure:
    """The hosts of a domain, in order of preference, equals by chance: each call gives a number from 0 to 1.

    `ourselves` are names of ours, in A-labels: we do not hand mail to ourselves, nor to those who would hand it to us.
    """
    if isinstance(domain, IPLiteral):
        name = str(domain.address)
        return NextHosts((name,), "", "", has_mx=False, domain_authentic=False, authentic=False, literal=domain.address)
    try:
        with trio.fail_after(LOOKUP_SECONDS):
            answer = await resolver.mx(domain.ascii, dnssec=True)
            domain_authentic = answer.authentic or await _is_authentic_alias(resolver, domain.ascii, answer.aliases)
    except NotFound as problem:
        expanded = problem.aliases[-1] if problem.aliases else domain.ascii
        # A name that does not exist has no addresses either. That is found out where those are looked up, since some
        # name servers say of an MX that is not there that the name is not.
        own = [expanded] if expanded not in ourselves and domain.ascii not in ourselves else []
        if not own:
            return _loops(domain)
        found = NextHosts(
            tuple(own),
            domain.ascii,
            expanded,
            has_mx=False,
            domain_authentic=problem.authentic,
            authentic=problem.authentic,
        )
    except (LookupProblem, trio.TooSlowError) as problem:
        return _unanswered(f"MX of {domain}", problem)
    else:
        names = _sorted(answer.records, chance, ourselves)
        if isinstance(names, Failure):
            return names
        if not names and any(_name(one) in ourselves for one in answer.records):
            return _loops(domain)
        if not names:
            bad = ", ".join([*answer.malformed, *map(str, answer.records)][:5])
            return _no_way(Status(5, 4, 4), f"the MX records of {domain} name no host: {bad}")
        found = NextHosts(
            names,
            domain.ascii,
            answer.canonical_name,
            has_mx=True,
            domain_authentic=domain_authentic,
            authentic=answer.authentic,
        )
    return found


def count(found: NextHosts) -> None:
    """Mail is to be handed to them."""
    destinations.inc(len(found.names))
    if found.authentic:
        authentic_destinations.inc(len(found.names))


def _sorted(
    records: Sequence[MX], chance: Callable[[], float], ourselves: Collection[str]
) -> tuple[str, ...] | Failure:
    """The names to try; none when there are none to try. A failure when the domain takes no mail."""
    if records and all(not one.exchange for one in records):
        return _no_way(Status(5, 1, 10), "the domain takes no mail (null MX)", 556)  # RFC 7505 §4
    # RFC 5321 §5.1: what is not better than ourselves would come back to us.
    own = min((one.preference for one in records if _name(one) in ourselves), default=None)
    better = [one for one in records if own is None or one.preference < own]
    placed = sorted((one.preference, chance(), name) for one in better if (name := _name(one)))
    return tuple(dict.fromkeys(name for _, _, name in placed))[:MOST_HOSTS]


def _name(record: MX) -> str:
    """The host an MX record names; empty when it is none: an address, say. Underscores are tolerated."""
    try:
        return parse_domain(record.exchange, lax=True).ascii
    except DomainError:
        return ""


async def _is_authentic_alias(resolver: Resolver, name: str, aliases: Sequence[str]) -> bool:
    """Whether DNSSEC vouches for a name itself, when it does not for all that its CNAMEs led to."""
    if not aliases:
        return False
    try:
        return (await resolver.cname(name, dnssec=True)).authentic
    except LookupProblem:
        return False


async def addresses(resolver: Resolver, host: str, *, family: Literal[4, 6] | None = None) -> HostAddresses | Failure:
    """The addresses of a host, of one family or both, in the resolver's order."""

    async def look() -> tuple[Answer[Address], bool]:
        answer = await resolver.addresses(host, family=family, dnssec=True)
        return answer, answer.authentic or await _is_authentic_alias(resolver, host, answer.aliases)

    try:
        with trio.fail_after(LOOKUP_SECONDS):
            answer, host_authentic = await look()
    except NotFound as problem:
        return unknown(host) if not problem.exists else no_addresses(host)
    except (LookupProblem, trio.TooSlowError) as problem:
        return _unanswered(f"addresses of {host}", problem)
    if not answer.records:
        return no_addresses(host)
    return HostAddresses(host, answer.canonical_name, answer.records[:MOST_ADDRESSES], host_authentic, answer.authentic)


async def configured(resolver: Resolver, host: str) -> HostAddresses | Failure:
    """The addresses of a server on the way that the configuration names: a smarthost, a proxy.

    Without any, mail waits until the operator has mended that. Nothing is wrong with its recipient, so it is not that
    status of a name that does not exist (RFC 3463 §3.5, X.4.4: unable to route).
    """
    found = await addresses(resolver, host)
    if isinstance(found, Failure) and found.permanent:
        return temporary(Fault.DNS, "", NO_ADDRESSES, found.text)
    return found


def literal(address: Address) -> HostAddresses:
    """What an address literal comes to."""
    return HostAddresses(str(address), str(address), (address,), host_authentic=False, authentic=False)


def _no_way(status: Status, text: str, code: int = 550) -> Failure:
    return Failure(
        fault=Fault.DNS, permanent=True, code=code, status=status, command="", lines=(text,)
    )  # Nobody was asked but the DNS.


def unknown(host: str) -> Failure:
    """A name that does not exist (RFC 3463 §3.2)."""
    return _no_way(Status(5, 1, 2), f"{host} does not exist")


def _loops(domain: Domain) -> Failure:
    return _no_way(Status(5, 4, 6), f"mail for {domain} would come back to this server, which does not take it")


def no_addresses(host: str) -> Failure:
    """It may be an oversight that is mended soon; `direct` says when it is none."""
    return temporary(Fault.DNS, "", NO_ADDRESSES, f"{host} has no address")


#: RFC 3463 §3.5, X.4.4: unable to route.
NO_ADDRESSES: Final = Status(4, 4, 4)


def _unanswered(what: str, problem: Exception) -> Failure:
    status = problem.status if isinstance(problem, Temporary) else Status(4, 4, 3)
    text = "no answer in time" if isinstance(problem, trio.TooSlowError) else str(problem)
    return temporary(Fault.DNS, "", status, f"looking up {what}: {text}")
