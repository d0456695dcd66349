"""What the DNS says about a name, as values: records, the answer that holds them, and who vouched for it.

Names in records are ASCII, lower-case, without the final dot (RFC 1034 §3.1); the root is the empty name.
"""

import enum
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Generic, TypeVar

import msgspec


class Type(enum.StrEnum):
    """The types of records the house asks for."""

    A = "A"
    AAAA = "AAAA"
    CAA = "CAA"
    CNAME = "CNAME"
    MX = "MX"
    NS = "NS"
    PTR = "PTR"
    SOA = "SOA"
    SRV = "SRV"
    TLSA = "TLSA"
    TXT = "TXT"


class Vouched(enum.Enum):
    """Who says that an answer is what the owner of the zone published (RFC 4033 §5)."""

    #: Not signed, or nobody looked.
    NOBODY = "nobody"
    #: A resolver we trust set the AD flag (RFC 4035 §3.2.3).
    RESOLVER = "resolver"
    #: We checked the signatures from the root's keys down.
    OURSELVES = "own validation"


@dataclass(frozen=True, slots=True, order=True)
class MX:
    """RFC 1035 §3.3.9. An empty exchange is the null MX: the domain accepts no mail (RFC 7505 §3)."""

    preference: int
    exchange: str

    def __str__(self) -> str:
        return f"{self.preference} {self.exchange}."


@dataclass(frozen=True, slots=True)
class SRV:
    """RFC 2782. An empty target says that the service is not offered."""

    priority: int
    weight: int
    port: int
    target: str

    def __str__(self) -> str:
        return f"{self.priority} {self.weight} {self.port} {self.target}."


@dataclass(frozen=True, slots=True)
class SOA:
    """The start of a zone (RFC 1035 §3.3.13), as far as anybody asks."""

    primary: str
    serial: int

    def __str__(self) -> str:
        return f"{self.primary}. {self.serial}"


@dataclass(frozen=True, slots=True)
class TLSA:
    """RFC 6698 §2.1."""

    usage: int
    selector: int
    matching: int
    data: bytes

    def __str__(self) -> str:
        return f"{self.usage} {self.selector} {self.matching} {self.data.hex()}"


@dataclass(frozen=True, slots=True)
class CAA:
    """Who may certify a name (RFC 8659 §4.1)."""

    flags: int
    #: Lower case.
    tag: str
    value: str

    def __str__(self) -> str:
        return f'{self.flags} {self.tag} "{self.value}"'


#: A record: an address for A and AAAA, a name for CNAME, NS and PTR, for TXT its strings in one piece.
Record = IPv4Address | IPv6Address | MX | SRV | SOA | TLSA | CAA | str
R_co = TypeVar("R_co", bound=Record, covariant=True)


class Answer(msgspec.Struct, Generic[R_co], frozen=True):
    """The records of one name and type."""

    #: As asked.
    name: str
    #: In the order they came. Empty only when all were malformed.
    records: tuple[R_co, ...]
    vouched: Vouched = Vouched.NOBODY
    #: Seconds the answer may be kept; None when nobody said.
    ttl_seconds: int | None = None
    #: The names that CNAMEs led to, in order; the records are those of the last one. Empty without CNAMEs.
    aliases: tuple[str, ...] = ()
    #: Records left out since they make no sense, as text (an address where a host's name belongs, say).
    malformed: tuple[str, ...] = ()

    @property
    def authentic(self) -> bool:
        """Whether DNSSEC vouches for all of it, CNAMEs included."""
        return self.vouched is not Vouched.NOBODY

    @property
    def canonical_name(self) -> str:
        """The name whose records these are."""
        return self.aliases[-1] if self.aliases else self.name


@dataclass(frozen=True, slots=True)
class Said:
    """What one name server of a zone says of the texts of a name."""

    #: The server, for people.
    server: str
    texts: tuple[str, ...] = ()
    #: Why it says nothing; empty: it did.
    problem: str = ""
    #: How long others may remember these, or that there are none (RFC 2308 §5); 0 where it does not tell.
    ttl_seconds: int = 0
