"""DNS block lists: whether somebody lists an address, and whether the list itself is in order (RFC 5782)."""

import time
from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from typing import Final

import trio

from appliance.base.clock import Clock
from appliance.base.metrics import Histogram
from appliance.dns.problems import InvalidName, NotFound, Temporary
from appliance.dns.resolver import Resolver
from appliance.mail.domain import Domain
from appliance.msgauth.results import AuthStatus

#: For one address and one list.
CHECK_SECONDS: Final = 30.0
#: How long we believe what we found out about a list.
HEALTH_SECONDS: Final = 4 * 3600.0
#: How long we do not ask a list that did not answer.
SILENCE_SECONDS: Final = 300.0
#: Lists and families remembered.
_REMEMBERED: Final = 200
#: Of what a list says about an address.
EXPLANATION_CHARACTERS: Final = 1000

durations = Histogram(
    "dnsbl_lookup_duration_seconds",
    "Time to look an address up in a block list, by list and result.",
    ("zone", "status"),
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 20, 30),
)

IPAddress = IPv4Address | IPv6Address

#: Answers that list an address (RFC 5782 §2.1).
_LISTED: Final = IPv4Network("127.0.0.0/8")
#: Answers that tell of the question instead: not allowed, too many, by a public resolver.
_COMPLAINTS: Final = IPv4Network("127.255.255.0/24")
#: What filtering resolvers make of every name they do not like; lists do not use it (RFC 5782 §2.1).
_LOOPBACK: Final = IPv4Address("127.0.0.1")

#: Addresses that no list may have and that every list has (RFC 5782 §5).
_NEVER: Final[dict[int, IPAddress]] = {4: IPv4Address("127.0.0.1"), 6: IPv6Address("::ffff:127.0.0.1")}
_ALWAYS: Final[dict[int, IPAddress]] = {4: IPv4Address("127.0.0.2"), 6: IPv6Address("::ffff:127.0.0.2")}


@dataclass(frozen=True, slots=True)
class Listing:
    """What a list says of an address."""

    zone: Domain
    #: pass: not listed; fail: listed; temperror: nobody knows.
    status: AuthStatus
    #: Why it is listed, in the words of the list.
    explanation: str = ""
    #: What went wrong.
    text: str = ""


async def check(resolver: Resolver, zone: Domain, ip: IPAddress) -> Listing:
    """Look an address up. Raises nothing but for bugs. Ask `Health` first."""
    if isinstance(ip, IPv6Address):
        ip = ip.ipv4_mapped or ip
    began = time.perf_counter()
    result = Listing(zone, AuthStatus.TEMPERROR, text="took too long")
    with trio.move_on_after(CHECK_SECONDS):
        result = await _check(resolver, zone, ip)
    durations.labels(zone.ascii, result.status.value).observe(time.perf_counter() - began)
    return result


async def _check(resolver: Resolver, zone: Domain, ip: IPAddress) -> Listing:
    # The labels of the address, without in-addr.arpa or ip6.arpa (RFC 5782 §2.1, §2.4).
    name = f"{ip.reverse_pointer.rsplit('.', 2)[0]}.{zone.ascii}"
    try:
        answer = await resolver.a(name)
    except NotFound:
        return Listing(zone, AuthStatus.PASS)
    except (Temporary, InvalidName) as problem:
        return Listing(zone, AuthStatus.TEMPERROR, text=str(problem))
    strange = [one for one in answer.records if one not in _LISTED or one in _COMPLAINTS or one == _LOOPBACK]
    if strange or not answer.records:
        told = ", ".join(map(str, strange)) or "nothing"
        text = f"the list does not answer our questions: {told}; it may be gone, or refuse our resolver"
        return Listing(zone, AuthStatus.TEMPERROR, await _explanation(resolver, name), text)
    return Listing(zone, AuthStatus.FAIL, await _explanation(resolver, name))


async def _explanation(resolver: Resolver, name: str) -> str:
    try:
        texts = (await resolver.txt(name)).records
    except (NotFound, Temporary, InvalidName):
        return ""
    return "; ".join(texts)[:EXPLANATION_CHARACTERS]


async def check_health(resolver: Resolver, zone: Domain, family: int = 4) -> str:
    """What is wrong with a list, empty for nothing: it must have 127.0.0.2 and must not have 127.0.0.1.

    A list that does not answer may do so in a moment: that is no fault of it. `family` 6 asks for the same addresses
    as a list of IPv6 addresses has them (RFC 5782 §5).
    """
    with trio.move_on_after(CHECK_SECONDS):
        never = await _check(resolver, zone, _NEVER[family])
        if never.status is AuthStatus.FAIL:
            return f"lists {_NEVER[family]}, so it lists everything"
        always = await _check(resolver, zone, _ALWAYS[family])
        if always.status is AuthStatus.PASS:
            return f"does not list {_ALWAYS[family]}, so it lists nothing"
        for one in (never, always):
            if one.status is AuthStatus.TEMPERROR and one.text.startswith("the list"):
                return one.text
    return ""


class Health:
    """Which lists are in order, found out anew every few hours."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: OrderedDict[tuple[Domain, int], tuple[float, str]] = OrderedDict()

    async def problem(self, resolver: Resolver, zone: Domain, ip: IPAddress) -> str:
        """What is wrong with a list as far as addresses of this kind go; empty for nothing."""
        family = _family(ip)
        known = self._known.get((zone, family))
        if known is not None and known[0] > self._clock.monotonic():
            return known[1]
        found = await check_health(resolver, zone, family)
        self._remember(zone, family, HEALTH_SECONDS, found)
        return found

    def rest(self, zone: Domain, ip: IPAddress) -> None:
        """A list did not answer for long: it has a problem for a while, or it would hold up every message."""
        self._remember(zone, _family(ip), SILENCE_SECONDS, "does not answer")

    def _remember(self, zone: Domain, family: int, seconds: float, problem: str) -> None:
        self._known[zone, family] = (self._clock.monotonic() + seconds, problem)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)


def _family(ip: IPAddress) -> int:
    return 6 if isinstance(ip, IPv6Address) and ip.ipv4_mapped is None else 4
