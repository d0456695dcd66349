"""Whether a name that a sending server gave can be true at all: what it calls itself, and whom it sends for.

A domain that accepts no mail cannot get our report that something went wrong, nor an answer.
"""

import enum
from typing import Final

import trio

from appliance.dns.problems import InvalidName, LookupTimeout, NotFound, Temporary
from appliance.dns.resolver import Resolver

#: For one check, whatever it has to ask.
CHECK_SECONDS: Final = 60.0
#: Mail exchanges asked for their addresses before a domain is believed to have none that exists.
EXCHANGES: Final = 10
#: Domains remembered because they accept mail, and for how long.
KNOWN: Final = 1000
KNOWN_SECONDS: Final = 300.0


class Accepts(enum.Enum):
    """Whether a domain accepts mail."""

    YES = "accepts mail"
    #: RFC 7505 §3.
    NULL_MX = "says that it accepts no mail (null MX)"
    NO_HOST = "has neither a mail exchange with an address nor an address of its own"


async def has_address(resolver: Resolver, name: str) -> bool:
    """Whether a host of this name exists (RFC 5321 §2.3.5). Raises Temporary, after a minute at the latest."""
    with trio.move_on_after(CHECK_SECONDS):
        return await _has_address(resolver, name)
    raise LookupTimeout(f"no answer about {name} in time")


async def _has_address(resolver: Resolver, name: str) -> bool:
    """One family after the other: nearly all have IPv4, and then one question was enough."""
    failed: Temporary | None = None
    for lookup in (resolver.a, resolver.aaaa):
        try:
            await lookup(name)
        except (NotFound, InvalidName):
            continue
        except Temporary as problem:
            failed = problem
        else:
            return True
    if failed is not None:
        raise failed
    return False


async def accepts_mail(resolver: Resolver, domain: str) -> Accepts:
    """Whether mail to a domain could be delivered anywhere. Raises Temporary, after a minute at the latest.

    That is so when one of its mail exchanges has an address, or without any, the domain itself (RFC 5321 §5.1).
    """
    with trio.move_on_after(CHECK_SECONDS):
        return await _accepts_mail(resolver, domain)
    raise LookupTimeout(f"no answer about {domain} in time")


class Senders:
    """Domains that were found to accept mail a short while ago: most that send one message soon send another.

    A domain that ceases to is believed for as long as a cache of the DNS would hold the old answer.
    """

    def __init__(self) -> None:
        #: When what is known of a domain is to be found out again, by trio's clock; the oldest first.
        self._known: dict[str, float] = {}

    async def accepts_mail(self, resolver: Resolver, domain: str) -> Accepts:
        """As the function, which is asked about any other domain. Raises Temporary."""
        now = trio.current_time()
        if self._known.get(domain, now) > now:
            return Accepts.YES
        finding = await accepts_mail(resolver, domain)
        if finding is Accepts.YES:
            self._known.pop(domain, None)
            if len(self._known) >= KNOWN:
                del self._known[next(iter(self._known))]
            self._known[domain] = now + KNOWN_SECONDS
        return finding


async def _accepts_mail(resolver: Resolver, domain: str) -> Accepts:
    try:
        answer = await resolver.mx(domain)
    except NotFound:
        return Accepts.YES if await _has_address(resolver, domain) else Accepts.NO_HOST
    except InvalidName:
        return Accepts.NO_HOST
    exchanges = [mx.exchange for mx in sorted(answer.records)]
    # A null MX stands alone (RFC 7505 §3); among others it is a mistake that names no host.
    if exchanges == [""]:
        return Accepts.NULL_MX
    failed: Temporary | None = None
    for exchange in [one for one in exchanges if one][:EXCHANGES]:
        try:
            if await _has_address(resolver, exchange):
                return Accepts.YES
        except Temporary as problem:
            failed = problem
    if failed is not None:
        raise failed
    return Accepts.NO_HOST
