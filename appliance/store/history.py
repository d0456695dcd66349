"""By what an account remembers senders: the names that a message has, as values. No store, no clock.

What is remembered by them is in store/reputation.py, what follows from it in delivery/reputation.py.
"""

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from appliance.mail.address import spell_localpart
from appliance.mail.domain import DomainError, parse_domain
from appliance.store.records import Origin


class By(enum.Enum):
    """By what the history is looked up, and sent mail with the first three. The numbers are stored."""

    FROM = 1
    FROM_DOMAIN = 2
    FROM_ORG_DOMAIN = 3
    DKIM_DOMAIN = 4
    MAIL_FROM = 5
    MAIL_FROM_DOMAIN = 6
    EHLO_DOMAIN = 7
    NETWORK1 = 8
    NETWORK2 = 9
    NETWORK3 = 10


@dataclass(frozen=True, slots=True)
class Judged:
    """A message of the history."""

    is_junk: bool
    received: datetime
    #: Of the address in From.
    localpart: str = ""


#: From near to far.
NETWORKS: Final = (By.NETWORK1, By.NETWORK2, By.NETWORK3)

#: What a message has of these is true: nobody needs to vouch for it.
ALWAYS_VALIDATED: Final = frozenset((By.DKIM_DOMAIN, *NETWORKS))

#: A message is remembered by so many domains that signed it; as many signatures are looked at (msgauth.dkim.verify).
_DKIM_DOMAINS: Final = 10
#: The networks by which senders are known: /32, /26, /21; and a host has a whole /64 to choose from in IPv6: /48, /32.
_MASKS4: Final = tuple(-1 << 32 - prefix for prefix in (32, 26, 21))
_MASKS6: Final = tuple(-1 << 128 - prefix for prefix in (64, 48, 32))


@lru_cache(maxsize=1024)
def networks(ip: IPv4Address | IPv6Address) -> tuple[str, str, str]:
    """The first addresses of the three networks of a host, from near to far; asked for several times a message."""
    if isinstance(ip, IPv6Address):
        ip = ip.ipv4_mapped or ip
    number = int(ip)
    if isinstance(ip, IPv4Address):
        near, middle, far = (str(IPv4Address(number & mask)) for mask in _MASKS4)
    else:
        near, middle, far = (str(IPv6Address(number & mask)) for mask in _MASKS6)
    return near, middle, far


def names(origin: Origin) -> Iterator[tuple[By, str, bool]]:
    """By what a message is found, the name, and whether anybody vouched for that name when it came.

    Of what was forwarded only From counts, and who signed it beside the forwarder: the host that brought it is neither
    blamed nor credited, nor is the address it gave itself (delivery/facts.py, `sender`).
    """
    if origin.msg_from_domain:
        address = f"{spell_localpart(origin.msg_from_localpart)}@{origin.msg_from_domain}"
        yield By.FROM, address, origin.msg_from_validated
        yield By.FROM_DOMAIN, origin.msg_from_domain, origin.msg_from_validated
        if origin.msg_from_org_domain:
            yield By.FROM_ORG_DOMAIN, origin.msg_from_org_domain, origin.msg_from_validated
    for domain in origin.dkim_domains[:_DKIM_DOMAINS]:
        yield By.DKIM_DOMAIN, domain, True
    if origin.is_forward:
        return
    if origin.mail_from:
        yield By.MAIL_FROM, origin.mail_from, origin.mail_from_validated
        _, at, host = origin.mail_from.rpartition("@")
        if at and (domain := _domain(host)):
            yield By.MAIL_FROM_DOMAIN, domain, origin.mail_from_validated
    if domain := _domain(origin.ehlo):
        yield By.EHLO_DOMAIN, domain, origin.ehlo_validated
    if origin.remote_ip:
        for by, network in zip(NETWORKS, networks(ip_address(origin.remote_ip)), strict=True):
            yield by, network, True


def _domain(name: str) -> str:
    """A name in U-labels, as all names here; empty for an address in brackets, which is known by its networks."""
    if not name or name.startswith("["):
        return ""
    try:
        return parse_domain(name, lax=True).unicode
    except DomainError:
        return ""
