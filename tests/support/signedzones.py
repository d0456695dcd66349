"""A little world of zones, signed or not, and a name server that answers for all of them as a resolver would.

It does not validate, and hands out whatever it has: DNSKEY, DS, RRSIG, NSEC, NSEC3. `tamper` may change answers.
"""

import base64
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import dns.dnssec
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdataset
import dns.rrset
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from dns.dnssectypes import Algorithm
from dns.rdatatype import RdataType
from dns.rdtypes.ANY.NSEC import NSEC, Bitmap
from dns.rdtypes.ANY.NSEC3 import NSEC3, Bitmap as Bitmap3

from appliance.dns.network import Network
from appliance.dns.resolvconf import Configuration, NameServer
from support.clock import StandingClock
from support.nameserver import in_memory

INCEPTION = datetime(2026, 10, 1, tzinfo=UTC)
EXPIRATION = datetime(2026, 12, 1, tzinfo=UTC)
TTL = 600
IN = dns.rdataclass.IN


def name(text: str) -> dns.name.Name:
    return dns.name.from_text(text)


def new_key(algorithm: Algorithm) -> Any:
    match algorithm:
        case Algorithm.ED25519:
            return ed25519.Ed25519PrivateKey.generate()
        case Algorithm.ED448:
            return ed448.Ed448PrivateKey.generate()
        case Algorithm.ECDSAP256SHA256:
            return ec.generate_private_key(ec.SECP256R1())
        case Algorithm.ECDSAP384SHA384:
            return ec.generate_private_key(ec.SECP384R1())
    return rsa.generate_private_key(65537, 1024)


class Key:
    """A key that signs a zone."""

    def __init__(self, algorithm: Algorithm = Algorithm.ED25519, flags: int = 257) -> None:
        self.private = new_key(algorithm)
        self.public = dns.dnssec.make_dnskey(self.private.public_key(), algorithm, flags)

    def sign(self, records: dns.rrset.RRset, zone: dns.name.Name, **times: Any) -> Any:
        times = {"inception": INCEPTION, "expiration": EXPIRATION} | times
        return dns.dnssec.sign(records, self.private, zone, self.public, **times)


@dataclass
class Zone:
    """One zone. Records are given as (name, type, texts); names are relative to the origin, `@` is the apex."""

    origin: dns.name.Name
    records: dict[tuple[dns.name.Name, RdataType], dns.rrset.RRset]
    #: Empty: not signed.
    keys: list[Key] = field(default_factory=list)
    nsec3: bool = False
    opt_out: bool = False
    iterations: int = 0
    salt: bytes = b"\xaa\xbb"
    times: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def make(cls, origin: str, texts: Iterable[tuple[str, str, list[str]]], **options: Any) -> "Zone":
        at = name(origin)
        soa = ("@", "SOA", [f"ns.{origin} root.{origin} 1 7200 900 1209600 300".replace("..", ".")])
        records = {}
        for owner, kind, lines in [soa, ("@", "NS", ["ns.servers.test."]), *texts]:
            full = at if owner == "@" else dns.name.from_text(owner, at)
            rrset = dns.rrset.from_text(full, TTL, IN, kind, *lines)
            records[full, rrset.rdtype] = rrset
        zone = cls(at, records, **options)
        if zone.keys:
            keys = dns.rrset.from_rdata_list(at, TTL, [key.public for key in zone.keys])
            zone.records[at, RdataType.DNSKEY] = keys
        return zone

    @property
    def names(self) -> set[dns.name.Name]:
        """Every name, empty non-terminals included; nothing below a cut."""
        found = set()
        for owner, _ in self.records:
            while owner != self.origin:
                found.add(owner)
                owner = owner.parent()
        return found | {self.origin}

    def types(self, owner: dns.name.Name) -> list[RdataType]:
        return [kind for at, kind in self.records if at == owner]

    def is_cut(self, owner: dns.name.Name) -> bool:
        return owner != self.origin and (owner, RdataType.NS) in self.records

    def ds(self, **options: Any) -> list[str]:
        return [
            dns.dnssec.make_ds(self.origin, key.public, options.get("digest", "SHA256")).to_text()
            for key in self.keys
            if key.public.flags & 1
        ]

    def signed(self, records: dns.rrset.RRset, as_owner: dns.name.Name | None = None) -> list[dns.rrset.RRset]:
        """The records with their signatures, under another name if a wildcard stands for it."""
        out = [records]
        if self.keys and not (records.rdtype == RdataType.NS and self.is_cut(records.name)):
            by = [key for key in self.keys if key.public.flags & 1] if records.rdtype == RdataType.DNSKEY else self.keys
            rrsigs = [key.sign(records, self.origin, **self.times) for key in by]
            out.append(dns.rrset.from_rdata_list(records.name, records.ttl, rrsigs))
        if as_owner is not None:
            out = [dns.rrset.from_rdata_list(as_owner, one.ttl, list(one)) for one in out]
        return out

    # Denial.

    def denial(self, wanted: Iterable[dns.name.Name]) -> list[dns.rrset.RRset]:
        """The signed NSEC or NSEC3 records at or over these names."""
        chosen: dict[dns.name.Name, dns.rrset.RRset] = {}
        if self.keys:
            for one in wanted:
                found = self._nsec3(one) if self.nsec3 else self._nsec(one)
                chosen[found.name] = found
        return [part for one in chosen.values() for part in self.signed(one)]

    def _nsec(self, wanted: dns.name.Name) -> dns.rrset.RRset:
        owners = sorted(owner for owner in self.names if self.types(owner))
        at = max(index for index, owner in enumerate(owners) if owner <= wanted)
        types = [*self.types(owners[at]), RdataType.NSEC, RdataType.RRSIG]
        bitmap = Bitmap.from_rdtypes(types)
        record = NSEC(IN, RdataType.NSEC, owners[(at + 1) % len(owners)], bitmap)
        return dns.rrset.from_rdata_list(owners[at], TTL, [record])

    @property
    def hashed(self) -> list[dns.name.Name]:
        """The names that have an NSEC3 record."""
        unsigned = self.opt_out and {owner for owner in self.names if self.is_cut(owner) and not self.has_ds(owner)}
        return [owner for owner in self.names if owner not in (unsigned or ())]

    def has_ds(self, owner: dns.name.Name) -> bool:
        return (owner, RdataType.DS) in self.records

    def hash(self, owner: dns.name.Name) -> str:
        return dns.dnssec.nsec3_hash(owner, self.salt, self.iterations, 1)

    def _nsec3(self, wanted: dns.name.Name) -> dns.rrset.RRset:
        hashes = sorted((self.hash(owner), owner) for owner in self.hashed)
        goal = self.hash(wanted)
        at = max((index for index, (one, _) in enumerate(hashes) if one <= goal), default=len(hashes) - 1)
        types = self.types(hashes[at][1])
        if types and not (self.is_cut(hashes[at][1]) and RdataType.DS not in types):
            types = [*types, RdataType.RRSIG]
        following = base64.b32hexdecode(hashes[(at + 1) % len(hashes)][0])
        record = NSEC3(
            IN,
            RdataType.NSEC3,
            1,
            int(self.opt_out),
            self.iterations,
            self.salt,
            following,
            Bitmap3.from_rdtypes(types),
        )
        return dns.rrset.from_rdata_list(dns.name.from_text(hashes[at][0], self.origin), TTL, [record])

    def denial_names(self, asked: dns.name.Name) -> list[dns.name.Name]:
        """The names whose records prove that one is not there: itself, closest encloser, wildcard."""
        if not self.nsec3:
            return [asked, dns.name.Name((b"*", *self.closest(asked).labels))]
        if asked in self.hashed:
            return [asked]
        closest = asked.parent()
        while closest not in self.hashed:
            closest = closest.parent()
        return [closest, asked.split(len(closest) + 1)[1], dns.name.Name((b"*", *closest.labels))]

    def closest(self, asked: dns.name.Name) -> dns.name.Name:
        while asked not in self.names:
            asked = asked.parent()
        return asked


Tamper = Callable[[dns.message.Message], dns.message.Message | None]


class World:
    """Zones that hang together, and answers about them."""

    def __init__(self, zones: Iterable[Zone]) -> None:
        self.zones = {zone.origin: zone for zone in zones}
        #: How many times each name and type was asked for.
        self.asked: dict[tuple[str, str], int] = {}
        self.tamper: Tamper | None = None
        self.ad = False

    def zone_of(self, asked: dns.name.Name, rdtype: RdataType) -> Zone:
        at = asked.parent() if rdtype == RdataType.DS and asked != dns.name.root else asked
        while at not in self.zones:
            at = at.parent()
        return self.zones[at]

    def respond(self, query: dns.message.Message) -> dns.message.Message | None:
        """The answer to a query; None: silence."""
        question = query.question[0]
        key = (question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype))
        self.asked[key] = self.asked.get(key, 0) + 1
        response = dns.message.make_response(query, recursion_available=True)
        if self.ad and query.flags & dns.flags.AD:
            response.flags |= dns.flags.AD
        at = question.name
        for _ in range(20):
            following = self._answer(response, at, question.rdtype)
            if following is None:
                break
            at = following
        return self.tamper(response) if self.tamper is not None else response

    def _answer(self, response: dns.message.Message, asked: dns.name.Name, rdtype: RdataType) -> dns.name.Name | None:
        zone = self.zone_of(asked, rdtype)
        above = asked
        while above != zone.origin:
            above = above.parent()
            dname = zone.records.get((above, RdataType.DNAME))
            if dname is not None:
                target = asked.relativize(above).derelativize(dname[0].target)
                response.answer += zone.signed(dname)
                response.answer.append(dns.rrset.from_text(asked, TTL, IN, "CNAME", target.to_text()))
                return target
        owner = asked if asked in zone.names else dns.name.Name((b"*", *zone.closest(asked).labels))
        for kind in (rdtype, RdataType.CNAME):
            records = zone.records.get((owner, kind))
            if records is not None:
                response.answer += zone.signed(records, None if owner == asked else asked)
                if owner != asked:
                    closest = zone.closest(asked)
                    response.authority += zone.denial([asked.split(len(closest) + 1)[1] if zone.nsec3 else asked])
                return records[0].target if kind == RdataType.CNAME != rdtype else None
        if owner not in zone.names:
            response.set_rcode(dns.rcode.NXDOMAIN)
        response.authority += zone.signed(zone.records[zone.origin, RdataType.SOA])
        response.authority += zone.denial(zone.denial_names(asked))
        return None


CONFIGURATION = Configuration(servers=(NameServer("192.0.2.53"),))
ROOT_KEY = Key()


def world(**changes: Zone) -> World:
    """Root and the usual zones; keyword arguments replace zones by their first label."""
    zones = {
        "secure": Zone.make("secure.test.", SECURE, keys=[Key()]),
        "three": Zone.make("three.test.", SECURE, keys=[Key()], nsec3=True),
        "plain": Zone.make("plain.test.", SECURE),
        "child": Zone.make("child.secure.test.", SECURE, keys=[Key()]),
        "servers": Zone.make("servers.test.", [("ns", "A", ["192.0.2.53"])]),
    }
    zones |= changes
    below = zones.pop("child")
    parent = zones["secure"]
    parent.records |= delegation(below)
    tld = Zone.make("test.", [], keys=[Key(flags=257), Key(flags=256)])
    for zone in zones.values():
        tld.records |= delegation(zone)
    com = Zone.make("com.", [], keys=[Key()])
    root = Zone.make(".", [], keys=[ROOT_KEY])
    root.records |= delegation(tld) | delegation(com)
    return World([root, com, tld, below, *zones.values()])


def delegation(zone: Zone) -> dict[Any, Any]:
    made = {(zone.origin, RdataType.NS): dns.rrset.from_text(zone.origin, 600, "IN", "NS", "ns.servers.test.")}
    if zone.keys:
        made[zone.origin, RdataType.DS] = dns.rrset.from_text(zone.origin, 600, "IN", "DS", *zone.ds())
    return made


SECURE: list[tuple[str, str, list[str]]] = [
    ("@", "MX", ["10 mx"]),
    ("mx", "A", ["192.0.2.1"]),
    ("_25._tcp.mx", "TLSA", ["3 1 1 " + "ab" * 32]),
    ("*.wild", "A", ["192.0.2.2"]),
    ("closer.wild", "TXT", ["here"]),
    ("to-plain", "CNAME", ["mx.plain.test."]),
    ("to-three", "CNAME", ["mx.three.test."]),
    ("*.alias", "CNAME", ["mx.three.test."]),
    ("tree", "DNAME", ["three.test."]),
    ("broken", "A", ["192.0.2.66"]),
]
#: What replaces a relative target, which the zones would complete.
SECURE = [
    (owner, kind, [text.replace("10 mx", "10 mx.secure.test.") for text in texts]) for owner, kind, texts in SECURE
]


def network(names: World, **options: Any) -> Network:
    """A source that asks a world in memory, and trusts the key of its root alone."""
    anchors = tuple((".", text) for text in names.zones[dns.name.root].ds())
    settings: dict[str, Any] = {"configuration": CONFIGURATION, "anchors": anchors, "clock": StandingClock()} | options
    return Network(exchange=in_memory(names.respond), **settings)
