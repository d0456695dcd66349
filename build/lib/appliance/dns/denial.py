"""What NSEC and NSEC3 records prove about a name that is not there (RFC 4035 §5.4, RFC 5155 §8, RFC 6840 §4).

Pure: the records come in checked, all signed by one zone.
"""

import base64
import enum
import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import dns.name
import dns.rdatatype
from dns.rdatatype import RdataType

#: An owner name with its record; dnspython's records have no types worth naming.
Owned = tuple[dns.name.Name, Any]

_SHA1 = 1
_OPT_OUT = 1


class Proof(enum.Enum):
    """What was proven."""

    #: The name does not exist.
    NO_NAME = "no such name"
    #: The name exists, or a wildcard stands for it, without the type.
    NO_DATA = "no such type"
    #: The name is a delegation without DS: what is below it is not signed.
    UNSIGNED_DELEGATION = "unsigned delegation"
    #: Nothing, and rightly so: the zone leaves room for unsigned names (opt-out), or hashes too often to be followed.
    UNSIGNED = "not vouched for"


def has_type(record: Any, rdtype: RdataType) -> bool:
    """Whether the bitmap of an NSEC or NSEC3 names a type (RFC 4034 §4.1.2)."""
    window, bit = divmod(int(rdtype), 256)
    for number, bitmap in record.windows:
        if number == window:
            octet, shift = divmod(bit, 8)
            return octet < len(bitmap) and bool(bitmap[octet] & (0x80 >> shift))
    return False


def _is_cut(record: Any) -> bool:
    """Whether it stands at a delegation, on the parent's side (RFC 6840 §4.1)."""
    return has_type(record, RdataType.NS) and not has_type(record, RdataType.SOA)


def _hides_below(record: Any) -> bool:
    """Whether names below its owner are not of this zone, so that it says nothing of them (RFC 6840 §4.1)."""
    return _is_cut(record) or has_type(record, RdataType.DNAME)


def _lacks(record: Any, rdtype: RdataType) -> Proof | None:
    """What a record at the very name proves about a type."""
    if has_type(record, rdtype) or has_type(record, RdataType.CNAME):  # RFC 6840 §4.3
        return None
    if rdtype == RdataType.DS:
        if has_type(record, RdataType.SOA):
            return None  # The child's word about what the parent holds (RFC 6840 §4.4).
        return Proof.UNSIGNED_DELEGATION if has_type(record, RdataType.NS) else Proof.NO_DATA
    return None if _is_cut(record) else Proof.NO_DATA


# NSEC.


def by_nsec(zone: dns.name.Name, records: Sequence[Owned], name: dns.name.Name, rdtype: RdataType) -> Proof | None:
    """What the records prove about a name and type, None for nothing."""
    for owner, record in records:
        if owner == name:
            return _lacks(record, rdtype)
    covering = _nsec_covering(zone, records, name)
    if covering is None:
        return None
    owner, record = covering
    if record.next.is_subdomain(name):
        return Proof.NO_DATA  # Nothing but names below it (RFC 4592 §2.2.2).
    wildcard = dns.name.Name((b"*", *_closest(name, owner, record.next).labels))
    for other, candidate in records:
        if other == wildcard:
            if has_type(candidate, rdtype) or has_type(candidate, RdataType.CNAME):
                return None
            return Proof.NO_DATA
    return Proof.NO_NAME if _nsec_covering(zone, records, wildcard) is not None else None


def wildcard_by_nsec(zone: dns.name.Name, records: Sequence[Owned], name: dns.name.Name, labels: int) -> bool:
    """Whether nothing closer to a name exists than the wildcard below its last `labels` labels (RFC 4035 §5.3.4)."""
    covering = _nsec_covering(zone, records, name)
    if covering is None:
        return False
    return len(_closest(name, covering[0], covering[1].next)) - 1 == labels


def _nsec_covering(zone: dns.name.Name, records: Sequence[Owned], name: dns.name.Name) -> Owned | None:
    """The record in whose gap the name would stand, in canonical order (RFC 4034 §6.1)."""
    for owner, record in records:
        if not owner < name or (name.is_subdomain(owner) and _hides_below(record)):
            continue
        # The last one points back to the apex.
        if name < record.next or record.next == zone:
            return owner, record
    return None


def _closest(name: dns.name.Name, *others: dns.name.Name) -> dns.name.Name:
    """The longest ancestor that the name has in common with one of the others: it exists."""
    common = max(name.fullcompare(other)[2] for other in others)
    return name.split(common)[1]


# NSEC3.


class Hashed:
    """NSEC3 records of one zone, with hashes computed as they are needed."""

    def __init__(
        self, zone: dns.name.Name, records: Sequence[Owned], *, iterations: int, spend: Callable[[], None]
    ) -> None:
        """`iterations` is the limit; `spend` is called for each hash and may raise."""
        self._zone = zone
        known = [
            (owner.labels[0].upper(), record)
            for owner, record in records
            # Others are ignored (RFC 5155 §8.1, §8.2).
            if record.algorithm == _SHA1 and record.flags in {0, _OPT_OUT} and owner.parent() == zone
        ]
        #: Of several sets of parameters one is enough.
        self._parameters = (known[0][1].salt, known[0][1].iterations) if known else None
        self._records = [
            (hashed, record) for hashed, record in known if (record.salt, record.iterations) == self._parameters
        ]
        #: RFC 9276 §3.2
        self.too_costly = self._parameters is not None and self._parameters[1] > iterations
        self._spend = spend
        self._hashes: dict[dns.name.Name, bytes] = {}

    def prove(self, name: dns.name.Name, rdtype: RdataType) -> Proof | None:
        """What the records prove about a name and type, None for nothing."""
        if self.too_costly:
            return Proof.UNSIGNED
        if not self._records:
            return None
        matching = self._matching(name)
        if matching is not None:
            return _lacks(matching, rdtype)
        closest, next_closer = self._closest_encloser(name)
        if closest is None or next_closer is None:
            return None
        if next_closer.flags & _OPT_OUT:
            return Proof.UNSIGNED  # RFC 5155 §8.6, §9.2
        wildcard = dns.name.Name((b"*", *closest.labels))
        at_wildcard = self._matching(wildcard)
        if at_wildcard is not None:
            if has_type(at_wildcard, rdtype) or has_type(at_wildcard, RdataType.CNAME):
                return None
            return Proof.NO_DATA
        return Proof.NO_NAME if self._covering(wildcard) is not None else None

    def wildcard(self, name: dns.name.Name, labels: int) -> Proof | None:
        """NO_NAME: nothing closer to a name exists than the wildcard below its last `labels` labels (RFC 5155 §8.8)."""
        if self.too_costly:
            return Proof.UNSIGNED
        if not self._records:
            return None
        next_closer = self._covering(name.split(labels + 2)[1])
        if next_closer is None:
            return None
        return Proof.UNSIGNED if next_closer.flags & _OPT_OUT else Proof.NO_NAME

    def _closest_encloser(self, name: dns.name.Name) -> tuple[dns.name.Name | None, Any]:
        """The closest ancestor that exists, and the record over the next name towards ours (RFC 5155 §8.3)."""
        below = name
        while below not in {self._zone, dns.name.root}:
            candidate = below.parent()
            record = self._matching(candidate)
            if record is not None:
                return (None, None) if _hides_below(record) else (candidate, self._covering(below))
            below = candidate
        return None, None

    def _matching(self, name: dns.name.Name) -> Any:
        hashed = self._hash(name)
        return next((record for owner, record in self._records if owner == hashed), None)

    def _covering(self, name: dns.name.Name) -> Any:
        hashed = self._hash(name)
        for owner, record in self._records:
            following = base64.b32hexencode(record.next).rstrip(b"=")
            if owner < hashed < following or (following <= owner and (hashed > owner or hashed < following)):
                return record
        return None

    def _hash(self, name: dns.name.Name) -> bytes:
        """RFC 5155 §5, in the letters of owner names."""
        found = self._hashes.get(name)
        if found is None:
            self._spend()
            assert self._parameters is not None
            salt, iterations = self._parameters
            octets = name.canonicalize().to_wire()
            assert octets is not None
            digest = hashlib.sha1(octets + salt, usedforsecurity=False).digest()
            for _ in range(iterations):
                digest = hashlib.sha1(digest + salt, usedforsecurity=False).digest()
            found = self._hashes[name] = base64.b32hexencode(digest).rstrip(b"=")
        return found
