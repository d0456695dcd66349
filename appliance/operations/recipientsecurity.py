"""How safely mail travels to somebody: what his domain publishes of TLS, and what its hosts offered when last seen.

Asked of the DNS and of policy hosts as a delivery would ask, and kept where a delivery keeps it: the resolver's memory,
the store's policies. No mail host is connected to.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import trio

from appliance.config.source import Config
from appliance.delivery.appliance import Appliance
from appliance.dns.problems import Temporary
from appliance.mail.address import AddressError, parse_address
from appliance.mail.domain import Domain
from appliance.operations.actor import Actor, Right
from appliance.protocol.smtp.failure import Failure
from appliance.queue import hosts, policies
from appliance.queue.tlsdemands import Policies
from appliance.store import offered

#: For all of a call: who types does not wait longer.
SECONDS: Final = 15.0
#: Domains looked at at a time, and mail hosts of each.
_AT_ONCE: Final = 8
_HOSTS: Final = 5


class Answer(enum.StrEnum):
    """Whether something is so."""

    YES = "yes"
    NO = "no"
    #: Nobody has looked yet.
    UNKNOWN = "unknown"
    #: It could not be found out.
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Security:
    """What is known of one address."""

    email: str
    #: As of the last delivery of the account to the domain.
    starttls: Answer = Answer.UNKNOWN
    #: A policy that is enforced (RFC 8461 §5).
    mtasts: Answer = Answer.ERROR
    #: DNSSEC vouches for the way to the mail hosts.
    dnssec: Answer = Answer.ERROR
    #: All mail hosts publish keys (RFC 7672).
    dane: Answer = Answer.ERROR
    #: RFC 8689, as `starttls`.
    requiretls: Answer = Answer.UNKNOWN


async def look(app: Appliance, actor: Actor, config: Config, addresses: Sequence[str]) -> list[Security]:
    """What is known of each address, in their order; an address that is none has errors.

    So has one whose domain was not looked at because the account has had too many looked at: users name any host here,
    and learn from it no more, nor quicker, than from sending to it.
    """
    actor.require(Right.READ_MAIL)
    domains: dict[str, Domain] = {}
    for text in addresses:
        try:
            domains[text] = parse_address(text).domain
        except AddressError:
            continue
    wanted = list(dict.fromkeys(domains.values()))
    allowed = app.security_looks.take(actor.account, app.clock.microseconds() / 1e6, len(wanted))
    ways = policies.of_world(app)
    found: dict[Domain, Security] = {}
    limiter = trio.CapacityLimiter(_AT_ONCE)

    async def one(domain: Domain) -> None:
        async with limiter, app.security_turns:
            found[domain] = await _of_domain(app, ways, domain)

    with trio.move_on_after(SECONDS):
        async with trio.open_nursery() as nursery:
            for domain in wanted[:allowed]:
                nursery.start_soon(one, domain)
    return [
        replace(_learned(app, actor, config, domains[text], found.get(domains[text], Security(""))), email=text)
        if text in domains
        else Security(text)
        for text in addresses
    ]


def _learned(app: Appliance, actor: Actor, config: Config, domain: Domain, live: Security) -> Security:
    if domain.ascii in config.derived.addresses.domains:  # It does not leave the house.
        return replace(live, starttls=Answer.YES, requiretls=Answer.YES)
    with app.store.read() as tx:
        last = offered.find(tx, actor.account, domain.unicode)
    if last is None:
        return live
    return replace(live, starttls=_said(last.starttls), requiretls=_said(last.requiretls))


def _said(is_so: bool) -> Answer:
    return Answer.YES if is_so else Answer.NO


async def _of_domain(app: Appliance, ways: Policies, domain: Domain) -> Security:
    """All that can be looked up."""
    mtasts = await _mtasts(ways, domain)
    found = await hosts.find(app.resolver.named("dane"), domain, lambda: 0.5)
    if isinstance(found, Failure):
        return Security("", mtasts=mtasts)
    dane = Answer.NO
    if found.authentic or found.domain_authentic:
        dane = await _dane(app, ways, found)
    return Security("", mtasts=mtasts, dnssec=_said(found.authentic), dane=dane)


async def _mtasts(ways: Policies, domain: Domain) -> Answer:
    try:
        policy = await ways.of_domain(domain)
    except Temporary:
        return Answer.ERROR
    if policy is None:
        return Answer.NO
    if policy.policy is None:
        return Answer.ERROR
    return _said(policy.enforced)


async def _dane(app: Appliance, ways: Policies, found: hosts.NextHosts) -> Answer:
    """Whether every host that mail may go to can be known by its keys: one that cannot is one too many."""
    for name in found.names[:_HOSTS]:
        at = await hosts.addresses(app.resolver.named("dane"), name)
        if isinstance(at, Failure):
            return Answer.ERROR
        keys = await ways.of_host(found, at)
        if keys is None or not (keys.records or keys.problem):
            return Answer.NO
        if keys.problem:
            return Answer.ERROR
    return Answer.YES
