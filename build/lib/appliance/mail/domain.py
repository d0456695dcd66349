"""Names of hosts: domains in both spellings (IDNA), and address literals.

RFC 5890 to 5895 with the mapping of UTS 46; RFC 5321 §4.1.3 for literals. Looking names up belongs to the dns
room.
"""

import ipaddress
import re
from dataclasses import dataclass, field
from functools import lru_cache

import idna

#: RFC 1035 §2.3.4: 255 octets on the wire, which is 253 in text without the final dot.
MAX_NAME_OCTETS = 253
#: A name is refused unread past this many characters: mapping shortens a name, but never by as much.
MAX_NAME_CHARACTERS = 1024

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_PLAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_LAX_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_LAX = re.compile(rf"{_LAX_LABEL}(?:\.{_LAX_LABEL})*")
#: Labels with hyphens in third and fourth place are reserved, `xn--` among them (RFC 5891 §4.2.3.1).
_RESERVED = re.compile(r"(?:\A|\.)[^.]{2}--")
#: A name that ends in a number is an address, or would be taken for one.
_NUMERIC_END = re.compile(r"(?:\A|\.)[0-9]+\Z")


class DomainError(ValueError):
    """Not a domain name, or not a host. The text may be shown to whoever wrote it."""


@dataclass(frozen=True, slots=True)
class Domain:
    """A domain name without final dot, lower-case, in both spellings; equal when the ASCII spellings are."""

    #: A-labels: for DNS, TLS and every wire without UTF-8.
    ascii: str
    #: U-labels in NFC: for people, storage and logs. The same as `ascii` for most names.
    unicode: str = field(compare=False)

    def __str__(self) -> str:
        return self.unicode

    @property
    def is_internationalised(self) -> bool:
        """Whether the two spellings differ."""
        return self.ascii != self.unicode


@dataclass(frozen=True, slots=True)
class IPLiteral:
    """An address in place of a domain name (RFC 5321 §4.1.3)."""

    address: ipaddress.IPv4Address | ipaddress.IPv6Address

    def __str__(self) -> str:
        tag = "IPv6:" if self.address.version == 6 else ""
        return f"[{tag}{self.address}]"


def parse_domain(text: str, *, lax: bool = False) -> Domain:
    """The domain written in A-labels or U-labels, in any case.

    `lax` is for names others gave themselves (MX targets, host names, selectors): it takes underscores and
    hyphens anywhere within ASCII labels, and A-labels that IDNA would not make. Raises DomainError: empty,
    too long, final dot, an IP address, characters or labels that IDNA2008 does not have.
    """
    if not text or len(text) > MAX_NAME_CHARACTERS:
        raise DomainError("domain name is empty or too long")
    return _parse(text, lax)


@lru_cache(maxsize=4096)
def _parse(text: str, lax: bool) -> Domain:
    if text.isascii():
        return _parse_ascii(text.lower(), lax)
    try:
        ascii_name = idna.encode(text, uts46=True, std3_rules=True).decode("ascii")
    except (idna.IDNAError, UnicodeError) as error:
        raise DomainError(f"not an internationalised domain name: {error}") from error
    return _parse_ascii(ascii_name.lower(), lax=False)


def _parse_ascii(name: str, lax: bool) -> Domain:
    if len(name) > MAX_NAME_OCTETS:
        raise DomainError("domain name is longer than 253 octets")
    if name.endswith("."):
        raise DomainError("domain name must not end with a dot")
    if _NUMERIC_END.search(name):
        raise DomainError("an IP address is not a domain name")
    if not (_LAX if lax else _PLAIN).fullmatch(name):
        raise DomainError("domain name has an empty or overlong label, or a character that is not allowed")
    if not _RESERVED.search(name):
        return Domain(name, name)
    try:
        unicode_name = idna.decode(name)
        if idna.encode(unicode_name).decode("ascii") != name:
            raise DomainError("domain name is not in its canonical spelling")
    except (idna.IDNAError, UnicodeError) as error:
        # Lenient: emoji names and others from before IDNA2008 do exist, and so do hosts like r1---sn.
        if lax:
            return Domain(name, name)
        raise DomainError(f"not an internationalised domain name: {error}") from error
    return Domain(name, unicode_name)


def parse_host(text: str, *, lax: bool = False) -> Domain | IPLiteral:
    """A domain, or an address literal in brackets. Raises DomainError."""
    if not text.startswith("["):
        return parse_domain(text, lax=lax)
    inner = text[1:-1]
    if not text.endswith("]") or len(inner) > 64 or "%" in inner:
        raise DomainError("malformed address literal")
    try:
        if inner[:5].lower() == "ipv6:":
            return IPLiteral(ipaddress.IPv6Address(inner[5:]))
        return IPLiteral(ipaddress.IPv4Address(inner))
    except ValueError as error:
        raise DomainError("malformed address literal") from error
