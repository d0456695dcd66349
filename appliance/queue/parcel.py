"""What is handed to other hosts in one attempt, by what means, and what became of it: values, and the last step.

A parcel is one message for recipients of one destination; several entries of the queue may make one. Where it goes is
for `direct` and `relay`.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_address
from typing import Literal

from OpenSSL import SSL

from appliance.base.clock import Clock
from appliance.base.ids import Random
from appliance.base.log import Log
from appliance.dns.resolver import Resolver
from appliance.mail.address import Path
from appliance.mail.domain import IPLiteral
from appliance.net.dial import ANY_SOURCE, Dialer, Proxy, Sources, dial
from appliance.net.limiter import Address
from appliance.net.shutdown import Shutdown
from appliance.protocol.smtp.client import Delivered, Outcome
from appliance.protocol.smtp.failure import Failure
from appliance.protocol.smtp.transaction import Recipient, Transaction
from appliance.queue.smtpclient import Content, Session
from appliance.queue.smtpsettings import TIMES, Check, Times, TLSOutcome, Weight
from appliance.queue.tlsdemands import DomainPolicy, HostKeys, NoPolicies, Policies
from appliance.tls.verify import Roots, by_authorities


@dataclass(frozen=True)
class World:
    """How other hosts are reached. A house for tests brings its own, which may lead nowhere."""

    dialer: Dialer = dial
    #: Where hosts take mail for their domains.
    smtp_port: int = 25
    policies: Policies = field(default_factory=NoPolicies)
    times: Times = TIMES


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What an attempt has to work with."""

    world: World
    resolver: Resolver
    random: Random
    clock: Clock
    shutdown: Shutdown
    log: Log
    #: Whose word about other servers is believed.
    roots: Roots
    #: For TLS as a client.
    context: SSL.Context
    #: What we call ourselves, in A-labels.
    ehlo_name: str
    #: All names of ours, in A-labels.
    ourselves: frozenset[str] = frozenset()
    sources: Sources = ANY_SOURCE
    proxy: Proxy | None = None
    #: To hosts of recipients' domains nothing is sent in plain text.
    require_tls: bool = False
    #: The only family of addresses to use.
    family: Literal[4, 6] | None = None

    def chance(self) -> float:
        """A number from 0 to 1."""
        return int.from_bytes(self.random.token_bytes(4), "big") / 0xFFFFFFFF

    def by_authorities(self, host: str, weight: Weight) -> Check:
        """The check whether somebody who is believed vouches for a host, named in A-labels."""
        return Check("pkix", partial(by_authorities, name=host, roots=self.roots, now=self.clock.now()), weight)


#: Is told at once of recipients whose copies a host has taken, by their places; `Handed` says which host.
Taken = Callable[["Handed", Mapping[int, Delivered]], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """One message for recipients of one destination."""

    reverse_path: Path
    recipients: tuple[Recipient, ...]
    content: Content
    #: Goes instead where SMTPUTF8 is offered.
    content_utf8: Content | None = None
    has_8bit: bool = False
    smtputf8: bool = False
    #: True: REQUIRETLS; False: `TLS-Required: No` (RFC 8689); None: neither.
    requiretls: bool | None = None
    ret: str | None = None
    envid: str | None = None
    #: Made before this one.
    attempts: int = 0
    #: Host -> addresses dialed before, the last one last.
    dialed: Mapping[str, Sequence[Address]] = field(default_factory=dict)
    #: Never in plain text after TLS has failed.
    must_tls: bool = False

    @property
    def demands_tls(self) -> bool | None:
        """What `requiretls` demands of a host.

        A notice is better sent without it than not at all (RFC 8689 §5).
        """
        return None if self.requiretls and self.reverse_path.is_null else self.requiretls


@dataclass(frozen=True, slots=True)
class Connection:
    """One connection that got so far as TLS, or a host that could not be used for its sake, for reports (RFC 8460)."""

    host: str
    #: None: it was not connected to.
    remote: Address | None
    local: Address | None
    #: What it called itself; empty when it did not come so far.
    helo: str
    tls: TLSOutcome
    policy: DomainPolicy | None
    keys: HostKeys | None


@dataclass(frozen=True, slots=True)
class TLSOffer:
    """What a host offers of TLS."""

    starttls: bool
    requiretls: bool


@dataclass(slots=True)
class Handed:
    """What became of a parcel."""

    #: For each recipient, in their order.
    outcomes: tuple[Outcome, ...] = ()
    #: The host that had the last word, with its address; empty and None when none was reached.
    host: str = ""
    remote: Address | None = None
    #: It tells the sender of success itself, if he wants that (RFC 3461 §5.2.1).
    tells_success: bool = False
    #: Where it was handed over, or was to be, in their order; by connections made for it or kept from another parcel.
    dialed: list[tuple[str, Address]] = field(default_factory=list)
    #: Connections made for it.
    opened: int = 0
    connections: list[Connection] = field(default_factory=list)
    #: Of the recipients' own host that was connected to last; None when there was none, or it did not come so far.
    offer: TLSOffer | None = None
    #: What of TLS was wanted, as counters name it.
    tls_label: str = ""

    @property
    def remote_mta(self) -> str:
        """The host, and its address where known, as notices name it."""
        try:
            return str(IPLiteral(ip_address(self.host)))  # RFC 3461 §9.3, where there is no name.
        except ValueError:
            return self.host if self.remote is None else f"{self.host} ({self.remote})"

    def failed(self, parcel: Parcel, failure: Failure) -> "Handed":
        """All recipients have failed so."""
        self.outcomes = (failure,) * len(parcel.recipients)
        return self


async def hand_over(
    session: Session, parcel: Parcel, handed: Handed, taken: Taken, *, insist_8bitmime: bool = False
) -> tuple[Outcome, ...]:
    """Hand the parcel to a host whose session is open."""
    offers = session.capabilities.offers
    with_utf8 = parcel.content_utf8 is not None and offers("SMTPUTF8")
    content = parcel.content_utf8 if parcel.content_utf8 is not None and with_utf8 else parcel.content
    requiretls = parcel.requiretls is True
    if requiretls and parcel.reverse_path.is_null:  # RFC 8689 §5
        requiretls = session.tls.verified and offers("REQUIRETLS")
    handed.tells_success = offers("DSN")
    transaction = Transaction(
        reverse_path=parcel.reverse_path,
        recipients=parcel.recipients,
        size_octets=content.size_octets,
        has_8bit=parcel.has_8bit or with_utf8,
        smtputf8=parcel.smtputf8 or with_utf8,
        requiretls=requiretls,
        insist_8bitmime=insist_8bitmime,
        ret=parcel.ret,
        envid=parcel.envid,
    )

    async def settled(final: Mapping[int, Outcome]) -> None:
        has_it = {at: outcome for at, outcome in final.items() if isinstance(outcome, Delivered)}
        if has_it:
            await taken(handed, has_it)

    return await session.deliver(transaction, content, settled=settled)
