"""Signatures over record sets, and keys that a DS names, within a budget (RFC 4034, RFC 4035 §5.3)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import dns.dnssec
import dns.exception
import dns.name
import dns.rdataset
import dns.rrset
import trio
from dns.dnssectypes import Algorithm, DSDigest
from dns.rdtypes.dnskeybase import Flag

from appliance.dns.limits import ValidationLimits
from appliance.dns.problems import Bogus

#: What we can check. A zone signed with none of these counts as unsigned (RFC 4035 §5.2).
ALGORITHMS: Final = frozenset(
    {
        Algorithm.RSASHA1,
        Algorithm.RSASHA1NSEC3SHA1,
        Algorithm.RSASHA256,
        Algorithm.RSASHA512,
        Algorithm.ECDSAP256SHA256,
        Algorithm.ECDSAP384SHA384,
        Algorithm.ED25519,
        Algorithm.ED448,
    }
)
DIGESTS: Final = frozenset({DSDigest.SHA1, DSDigest.SHA256, DSDigest.SHA384})
_RSA: Final = frozenset({Algorithm.RSASHA1, Algorithm.RSASHA1NSEC3SHA1, Algorithm.RSASHA256, Algorithm.RSASHA512})
#: RFC 3110 §2 ends at 4096 bits. A long exponent makes checking as slow as signing.
_RSA_OCTETS: Final = 512
_EXPONENT_OCTETS: Final = 8
_PROTOCOL: Final = 3


class Budget:
    """What may still be spent on one answer. Spending more raises Bogus."""

    def __init__(self, limits: ValidationLimits) -> None:
        self.limits = limits
        self._signatures = limits.signatures
        self._questions = limits.questions
        self._hashes = limits.hashes

    def signature(self) -> None:
        """One check of a signature."""
        self._signatures -= 1
        if self._signatures < 0:
            raise Bogus("too many signatures to check")

    def question(self) -> None:
        """One record asked for."""
        self._questions -= 1
        if self._questions < 0:
            raise Bogus("too many records to ask for")

    def hash(self) -> None:
        """One NSEC3 hash."""
        self._hashes -= 1
        if self._hashes < 0:
            raise Bogus("too many NSEC3 hashes to compute")


@dataclass(frozen=True, slots=True)
class Signed:
    """A signature that holds."""

    #: Labels of the owner's name as signed; fewer than it has when a wildcard stood for it (RFC 4034 §3.1.3).
    labels: int
    #: Seconds the records may be relied on (RFC 4035 §5.3.3).
    keep_seconds: float


async def verify(
    records: dns.rrset.RRset,
    signatures: Iterable[Any],
    zone: dns.name.Name,
    keys: Sequence[Any],
    *,
    now: float,
    budget: Budget,
) -> Signed:
    """The first signature by a key of the zone that holds. Raises Bogus, telling why the last one did not.

    A check costs a tenth of a millisecond or two; other tasks run in between.
    """
    reason = "is not signed by its zone"
    tried = 0
    for signature in signatures:
        if signature.signer != zone or signature.algorithm not in ALGORITHMS:
            continue
        if signature.labels > _labels(records.name):
            continue
        if signature.expiration < now:
            reason = "has an expired signature"
            continue
        if signature.inception > now:
            reason = "has a signature that is not valid yet"
            continue
        tried += 1
        if tried > budget.limits.signatures_by_set:
            reason = "has too many signatures"
            break
        reason = "has a signature by an unknown key"
        for key in _candidates(keys, signature, budget.limits.keys_by_tag):
            budget.signature()
            await trio.lowlevel.checkpoint()
            if _holds(records, signature, zone, key, now):
                keep = min(records.ttl, signature.original_ttl, signature.expiration - now)
                return Signed(signature.labels, keep)
            reason = "has a wrong signature"
    raise Bogus(f"{_describe(records)} {reason}")


def _labels(name: dns.name.Name) -> int:
    """Labels as RRSIG counts them: without the root and a leading asterisk (RFC 4034 §3.1.3)."""
    return len(name) - 1 - name.is_wild()


def _candidates(keys: Sequence[Any], signature: Any, most: int) -> list[Any]:
    """Keys the signature may be made with (RFC 4035 §5.3.1)."""
    found = [
        key
        for key in keys
        if key.algorithm == signature.algorithm and usable(key) and key.key_id() == signature.key_tag
    ]
    return found[:most]


def usable(key: Any) -> bool:
    """Whether signatures by a key count: of a zone (RFC 4034 §2.1.1), not revoked (RFC 5011 §2.1), cheap to check."""
    if not key.flags & Flag.ZONE or key.flags & Flag.REVOKE or key.protocol != _PROTOCOL:
        return False
    return key.algorithm not in _RSA or _cheap_rsa(key.key)


def _cheap_rsa(key: bytes) -> bool:
    """RFC 3110 §2: length of the exponent in one octet, or in two after a zero; exponent; modulus."""
    if len(key) < 3:
        return False
    exponent, at = (key[0], 1) if key[0] else (int.from_bytes(key[1:3], "big"), 3)
    return 0 < exponent <= _EXPONENT_OCTETS and len(key) - at - exponent <= _RSA_OCTETS


def _holds(records: dns.rrset.RRset, signature: Any, zone: dns.name.Name, key: Any, now: float) -> bool:
    try:
        dns.dnssec.validate_rrsig(records, signature, {zone: dns.rdataset.from_rdata(records.ttl, key)}, now=now)
    except (dns.exception.DNSException, ValueError):
        return False
    return True


def keys_named(zone: dns.name.Name, delegations: Iterable[Any], keys: Iterable[Any]) -> list[Any]:
    """The keys of a zone that its DS records name (RFC 4035 §5.2), by SHA-1 only where there is nothing better."""
    chosen = supported(delegations)
    found = []
    for key in keys:
        if not usable(key):
            continue
        tag = key.key_id()
        for one in chosen:
            if one.key_tag == tag and one.algorithm == key.algorithm:
                try:
                    made = dns.dnssec.make_ds(zone, key, DSDigest(one.digest_type), validating=True)
                except (dns.exception.DNSException, ValueError):
                    continue
                if made.digest == one.digest:
                    found.append(key)
                    break
    return found


def supported(delegations: Iterable[Any]) -> list[Any]:
    """The DS records we can follow (RFC 4035 §5.2); those with SHA-1 are ignored beside better ones (RFC 4509 §3)."""
    known = [one for one in delegations if one.digest_type in DIGESTS and one.algorithm in ALGORITHMS]
    better = [one for one in known if one.digest_type != DSDigest.SHA1]
    return better or known


def _describe(records: dns.rrset.RRset) -> str:
    return f"{dns.rdatatype.to_text(records.rdtype)} of {records.name.to_text(omit_final_dot=True)}"
