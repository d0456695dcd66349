"""dnspython's records as our values."""

import ipaddress
from collections.abc import Callable
from typing import Any, Final

import dns.name
import dns.rdataset

from appliance.dns.answers import CAA, MX, SOA, SRV, TLSA, Record, Type
from appliance.mail.domain import DomainError, parse_domain


def text_of(name: dns.name.Name) -> str:
    """A name as our records spell it. Odd octets stay escaped (`\\046`), so that no name looks like another."""
    return name.to_text(omit_final_dot=True).lower() if name.labels != (b"",) else ""


def name_of(text: str) -> dns.name.Name:
    """The absolute name of a text without final dot; a backslash is an octet like others."""
    return dns.name.Name([*(label.encode("ascii") for label in text.split(".")), b""]) if text else dns.name.root


def records_of(rdataset: dns.rdataset.Rdataset, type: Type) -> tuple[tuple[Record, ...], tuple[str, ...]]:
    """The records of a set, and as text those that make no sense."""
    make = _MAKERS[type]
    good: list[Record] = []
    bad: list[str] = []
    for rdata in rdataset:
        try:
            good.append(make(rdata))
        except (DomainError, ValueError):
            bad.append(rdata.to_text()[:200])
    return tuple(good), tuple(bad)


def _host(name: dns.name.Name) -> str:
    """The name of a host. Raises DomainError: an address, or characters no host has."""
    text = text_of(name)
    return parse_domain(text, lax=True).ascii


def _host_or_root(name: dns.name.Name) -> str:
    return "" if name == dns.name.root else _host(name)


def _text(strings: tuple[bytes, ...]) -> str:
    octets = b"".join(strings)
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets.decode("latin-1")


_MAKERS: Final[dict[Type, Callable[[Any], Record]]] = {
    Type.A: lambda rdata: ipaddress.IPv4Address(rdata.address),
    Type.AAAA: lambda rdata: ipaddress.IPv6Address(rdata.address),
    Type.CAA: lambda rdata: CAA(rdata.flags, rdata.tag.decode("ascii").lower(), rdata.value.decode("latin-1")),
    Type.CNAME: lambda rdata: text_of(rdata.target),
    Type.MX: lambda rdata: MX(rdata.preference, _host_or_root(rdata.exchange)),
    Type.NS: lambda rdata: text_of(rdata.target),
    Type.PTR: lambda rdata: _host(rdata.target),
    Type.SOA: lambda rdata: SOA(text_of(rdata.mname), rdata.serial),
    Type.SRV: lambda rdata: SRV(rdata.priority, rdata.weight, rdata.port, _host_or_root(rdata.target)),
    Type.TLSA: lambda rdata: TLSA(rdata.usage, rdata.selector, rdata.mtype, rdata.cert),
    Type.TXT: lambda rdata: _text(rdata.strings),
}
