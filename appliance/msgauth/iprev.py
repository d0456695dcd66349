"""iprev: whether the client's address has a name that leads back to it (RFC 8601 §3)."""

import time
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from appliance.base.metrics import Histogram
from appliance.dns.problems import InvalidName, NotFound, Temporary
from appliance.dns.resolver import Resolver
from appliance.msgauth.results import AuthStatus, IPRev

#: For one check, whatever it has to ask.
CHECK_SECONDS: Final = 60.0
#: Names of one address that are looked up; somebody may have given it thousands.
NAMES: Final = 10

durations = Histogram(
    "iprev_lookup_total",
    "Time to look the name of an address up and back, by result.",
    ("status",),
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 20, 30),
)


async def check(resolver: Resolver, ip: IPv4Address | IPv6Address) -> IPRev:
    """The result. Raises nothing but for bugs."""
    began = time.perf_counter()
    result = IPRev(AuthStatus.TEMPERROR, text="took too long")
    with resolver.within(CHECK_SECONDS):
        result = await _check(resolver, ip)
    durations.labels(result.status.value).observe(time.perf_counter() - began)
    return result


async def _check(resolver: Resolver, ip: IPv4Address | IPv6Address) -> IPRev:
    if isinstance(ip, IPv6Address):
        ip = ip.ipv4_mapped or ip
    try:
        reverse = await resolver.ptr(ip)
    except (NotFound, InvalidName) as problem:
        authentic = isinstance(problem, NotFound) and problem.authentic
        return IPRev(AuthStatus.PERMERROR, text="the address has no name", authentic=authentic)
    except Temporary as problem:
        return IPRev(AuthStatus.TEMPERROR, text=str(problem))
    names = reverse.records[:NAMES]
    authentic, failed = reverse.authentic, ""
    for name in names:
        try:
            forward = await resolver.addresses(name, family=4 if ip.version == 4 else 6)
        except InvalidName:
            continue
        except NotFound as problem:
            authentic = authentic and problem.authentic
            continue
        except Temporary as problem:
            authentic, failed = False, str(problem)
            continue
        if ip in forward.records:
            return IPRev(AuthStatus.PASS, name, names, authentic=reverse.authentic and forward.authentic)
        authentic = authentic and forward.authentic
    if failed:
        return IPRev(AuthStatus.TEMPERROR, "", names, failed)
    return IPRev(AuthStatus.FAIL, "", names, "no name of the address leads back to it", authentic)
