"""By which way a parcel leaves: straight to the recipients' hosts, through a proxy, by a smarthost, or not at all."""

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_address
from typing import Literal

from appliance.mail.domain import Domain, IPLiteral
from appliance.net.dial import ANY_SOURCE, Proxy
from appliance.net.limiter import Address
from appliance.protocol.smtp.failure import Failure
from appliance.queue import direct, hosts, relay, route
from appliance.queue.line import Line
from appliance.queue.parcel import Handed, Means, Parcel, Taken
from appliance.queue.route import Way


async def send(means: Means, way: Way, domain: Domain | IPLiteral, parcel: Parcel, taken: Taken, line: Line) -> Handed:
    """Make one attempt to hand a parcel over, on the line's connection if it may have that."""
    transport = way.transport
    failed = route.failure(way)
    if failed is not None:
        return Handed().failed(parcel, failed)
    if transport.smarthost is not None:
        return await relay.deliver(means, parcel, transport, taken, line)
    family: Literal[4, 6] | None = None
    if transport.direct is not None:
        family = 6 if transport.direct.disable_ipv4 else 4 if transport.direct.disable_ipv6 else None
        means = replace(means, family=family, require_tls=means.require_tls or transport.direct.require_tls)
    if transport.socks is not None:
        socks = transport.socks
        at = await _proxy(means, socks.address.host)
        if isinstance(at, Failure):
            return Handed().failed(parcel, at)
        proxy = Proxy(tuple(at), socks.address.port)
        # Which address of ours the proxy sees is nobody's business; the hosts see its own.
        means = replace(means, proxy=proxy, sources=ANY_SOURCE, ehlo_name=socks.remote_hostname.domain.ascii)
    return await direct.deliver(means, parcel, domain, taken, line)


async def _proxy(means: Means, host: str) -> Sequence[Address] | Failure:
    try:
        return [ip_address(host)]
    except ValueError:
        found = await hosts.configured(means.resolver, host)
        return found if isinstance(found, Failure) else found.addresses
