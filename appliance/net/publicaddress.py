"""Which addresses belong to the public Internet, where anybody may be asked; others lead into the house itself.

RFC 6890 and the registries it made, as Python has them; addresses within addresses are looked at, too.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

from appliance.net.limiter import Address

#: IPv6 addresses that hold one of IPv4, and by how many bits from the end: NAT64 (RFC 6052 §2.1), IPv4-compatible
#: (RFC 4291 §2.5.5.1) and IPv4-translated ones (RFC 2765 §2.1).
_EMBEDDING: Final = (IPv6Network("64:ff9b::/96"), IPv6Network("::/96"), IPv6Network("::ffff:0:0:0/96"))
#: For protocols (RFC 6890 §2.2.2); Python knows only some of it.
_PROTOCOLS: Final = IPv4Network("192.0.0.0/24")
#: For local use: NAT64 within a network (RFC 8215), addresses of sites (RFC 3879).
_LOCAL: Final = (IPv6Network("64:ff9b:1::/48"), IPv6Network("fec0::/10"))


def is_public(address: Address) -> bool:
    """Whether an address is one of the public Internet: no loopback, private, link-local, shared or reserved one."""
    if isinstance(address, IPv6Address):
        if address.teredo is not None or any(address in network for network in _LOCAL):
            return False
        if (embedded := _embedded(address)) is not None:
            return is_public(embedded)
    elif address in _PROTOCOLS:
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved)


def _embedded(address: IPv6Address) -> IPv4Address | None:
    if (inner := address.ipv4_mapped or address.sixtofour) is not None:
        return inner
    if any(address in network for network in _EMBEDDING):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return None
