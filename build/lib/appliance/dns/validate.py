"""Our own DNSSEC validation, from the root's keys down (RFC 4033 to 4035, RFC 5155, RFC 6840).

For machines whose resolver does not validate: it is asked for DS and DNSKEY records along the way, and trusted with
nothing. What a chain of signatures does not prove is either insecure, when a zone on the way is proven to be unsigned,
or bogus.

The root's keys are built in, the one in use and its successor; they are not followed by RFC 5011, so a version of this
program is good until both are gone, which takes years and is announced long before.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rrset
from dns.rdatatype import RdataType

from appliance.base.clock import Clock
from appliance.dns import denial
from appliance.dns.cache import Cache
from appliance.dns.denial import Hashed, Proof
from appliance.dns.limits import ValidationLimits
from appliance.dns.problems import Bogus
from appliance.dns.sections import Chain, find, signatures
from appliance.dns.signatures import Budget, keys_named, supported, verify

#: Zone and DS record of a key that is trusted without proof, as text.
Anchor = tuple[str, str]

#: https://data.iana.org/root-anchors/root-anchors.xml: KSK-2017 and KSK-2024.
ROOT_ANCHORS: Final[tuple[Anchor, ...]] = (
    (".", "20326 8 2 e06d44b80b8f1d39a95c0b0d7c65d08458e880409bbc683457104237c7f8ec8d"),
    (".", "38696 8 2 683d2d0acb8c9b712a1948b27f741219298d0a450d612c483af444a4c0fb2b16"),
)
#: Record sets with NSEC or NSEC3 that are looked at; a proof takes three.
_DENIALS: Final = 8

Ask = Callable[[dns.name.Name, RdataType], Awaitable[dns.message.Message]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """About a whole answer. There is no third: what is bogus is raised."""

    #: Signed all the way from the root; otherwise proven to be unsigned somewhere.
    secure: bool
    keep_seconds: float


@dataclass(frozen=True, slots=True)
class _Zone:
    """A zone, or the unsigned world below a point."""

    name: dns.name.Name
    #: Empty: not signed, as its parent proves.
    keys: Sequence[Any]
    #: By the monotonic clock.
    until: float


class Validator:
    """Checks answers; remembers the zones on the way to them."""

    def __init__(self, ask: Ask, clock: Clock, anchors: Sequence[Anchor], limits: ValidationLimits) -> None:
        self._ask = ask
        self._clock = clock
        self._limits = limits
        self._anchors = [
            (dns.name.from_text(name), dns.rdata.from_text(dns.rdataclass.IN, RdataType.DS, text))
            for name, text in anchors
        ]
        self._zones: Cache[dns.name.Name, _Zone] = Cache(limits.zones)

    async def check(
        self, message: dns.message.Message, name: dns.name.Name, rdtype: RdataType, chain: Chain
    ) -> Verdict:
        """Whether an answer, with the CNAMEs in it, is signed. Raises Bogus, Temporary."""
        budget = Budget(self._limits)
        verdicts = [await self._alias(message, alias, budget) for alias in chain.aliases]
        if chain.records is not None:
            verdicts.append(await self._present(message, chain.records, budget))
        else:
            verdicts.append(await self._absent(message, chain.names[-1], rdtype, budget))
        return _all(verdicts)

    # Records that are there.

    async def _alias(self, message: dns.message.Message, alias: dns.rrset.RRset, budget: Budget) -> Verdict:
        """A CNAME, signed itself or made from a DNAME above it that is (RFC 6672 §5.3.1)."""
        if signatures(message.answer, alias.name, RdataType.CNAME) is None:
            for one in message.answer:
                if one.rdtype == RdataType.DNAME and alias.name.is_subdomain(one.name) and alias.name != one.name:
                    prefix = alias.name.relativize(one.name)
                    if prefix.derelativize(one[0].target) == alias[0].target:
                        return await self._present(message, one, budget)
        return await self._present(message, alias, budget)

    async def _present(self, message: dns.message.Message, records: dns.rrset.RRset, budget: Budget) -> Verdict:
        """Whether records are signed by their zone."""
        owner, covers = records.name, records.rdtype
        found = signatures(message.answer, owner, covers)
        signer = _signer(found, owner)
        if found is None or signer is None:
            zone = await self._zone(_home(owner, covers), budget)
            if zone.keys:
                raise Bogus(f"{_text(owner)} is in the signed zone {_text(zone.name)}, and its answer is not signed")
            return self._insecure(zone, records.ttl)
        zone = await self._zone(signer, budget)
        if not zone.keys:
            return self._insecure(zone, records.ttl)
        if zone.name != signer:
            raise Bogus(f"{_text(owner)} is signed by {_text(signer)}, which is no zone")
        signed = await verify(records, found, signer, zone.keys, now=self._now(), budget=budget)
        keep = min(signed.keep_seconds, self._left(zone))
        labels = len(owner) - 1 - owner.is_wild()
        if signed.labels < labels:
            return await self._from_wildcard(message, owner, signed.labels, zone, keep, budget)
        return Verdict(True, keep)

    async def _from_wildcard(
        self, message: dns.message.Message, owner: dns.name.Name, labels: int, zone: _Zone, keep: float, budget: Budget
    ) -> Verdict:
        """An answer made from a wildcard holds when nothing closer exists (RFC 4035 §5.3.4, RFC 5155 §8.8)."""
        nsec, hashed, kept = await self._denials(message, zone, budget)
        keep = min(keep, kept)
        if denial.wildcard_by_nsec(zone.name, nsec, owner, labels):
            return Verdict(True, keep)
        proof = hashed.wildcard(owner, labels)
        if proof is None:
            raise Bogus(f"{_text(owner)} comes from a wildcard, and it is not proven that it may")
        return Verdict(proof is Proof.NO_NAME, keep)

    # Records that are not there.

    async def _absent(
        self, message: dns.message.Message, name: dns.name.Name, rdtype: RdataType, budget: Budget
    ) -> Verdict:
        """Whether the absence of a name or type is signed."""
        home = _home(name, rdtype)
        signer = _denial_signer(message, home)
        if signer is None:
            zone = await self._zone(home, budget)
            if zone.keys:
                raise Bogus(f"{_text(name)} is in the signed zone {_text(zone.name)}, and its absence is not signed")
            return self._insecure(zone, self._limits.keep_zone_seconds)
        zone = await self._zone(signer, budget)
        if not zone.keys:
            return self._insecure(zone, self._limits.keep_zone_seconds)
        if zone.name != signer:
            raise Bogus(f"the absence of {_text(name)} is signed by {_text(signer)}, which is no zone")
        proof, keep = await self._prove(message, zone, name, rdtype, budget)
        if proof is None or (message.rcode() == dns.rcode.NXDOMAIN and proof not in {Proof.NO_NAME, Proof.UNSIGNED}):
            raise Bogus(f"the absence of {dns.rdatatype.to_text(rdtype)} of {_text(name)} is not proven")
        return Verdict(proof is not Proof.UNSIGNED, min(keep, self._left(zone)))

    async def _prove(
        self, message: dns.message.Message, zone: _Zone, name: dns.name.Name, rdtype: RdataType, budget: Budget
    ) -> tuple[Proof | None, float]:
        nsec, hashed, keep = await self._denials(message, zone, budget)
        proof = denial.by_nsec(zone.name, nsec, name, rdtype)
        return (proof if proof is not None else hashed.prove(name, rdtype)), keep

    async def _denials(
        self, message: dns.message.Message, zone: _Zone, budget: Budget
    ) -> tuple[list[denial.Owned], Hashed, float]:
        """The NSEC and NSEC3 records that the zone signed, and seconds they hold."""
        nsec: list[denial.Owned] = []
        nsec3: list[denial.Owned] = []
        keep = self._limits.keep_zone_seconds
        sets = [one for one in message.authority if one.rdtype in {RdataType.NSEC, RdataType.NSEC3}]
        for one in sets[:_DENIALS]:
            found = signatures(message.authority, one.name, one.rdtype)
            # With CNAMEs, denials of several zones stand together.
            if found is None or not any(signature.signer == zone.name for signature in found):
                continue
            if not one.name.is_subdomain(zone.name):
                continue
            signed = await verify(one, found, zone.name, zone.keys, now=self._now(), budget=budget)
            # One that a wildcard stood for says nothing about the name it came with.
            if signed.labels == len(one.name) - 1 - one.name.is_wild():
                (nsec if one.rdtype == RdataType.NSEC else nsec3).append((one.name, one[0]))
                keep = min(keep, signed.keep_seconds)
        hashed = Hashed(zone.name, nsec3, iterations=self._limits.nsec3_iterations, spend=budget.hash)
        return nsec, hashed, keep

    # Zones.

    async def _zone(self, name: dns.name.Name, budget: Budget) -> _Zone:
        """The zone a name lies in, or the first unsigned one above it. Raises Bogus, Temporary."""
        zone = await self._root(budget)
        for depth in range(2, len(name) + 1):
            if not zone.keys:
                return zone
            zone = await self._step(zone, name.split(depth)[1], budget)
        return zone

    async def _root(self, budget: Budget) -> _Zone:
        root = dns.name.root
        kept = self._zones.get(root, self._clock.monotonic())
        if kept is not None:
            return kept[1]
        anchors = [record for name, record in self._anchors if name == root]
        until = self._clock.monotonic() + self._limits.keep_zone_seconds
        zone = await self._with_keys(root, anchors, until, budget)
        self._zones.put(root, zone, zone.until)
        return zone

    async def _step(self, parent: _Zone, name: dns.name.Name, budget: Budget) -> _Zone:
        """The zone of a name, given that of the name above it."""
        kept = self._zones.get(name, self._clock.monotonic())
        if kept is not None:
            return kept[1]
        budget.question()
        message = await self._ask(name, RdataType.DS)
        delegations = find(message.answer, name, RdataType.DS)
        if delegations is not None:
            zone = await self._delegated(parent, message, delegations, budget)
        else:
            zone = await self._not_delegated(parent, message, name, budget)
        self._zones.put(name, zone, zone.until)
        return zone

    async def _delegated(
        self, parent: _Zone, message: dns.message.Message, delegations: dns.rrset.RRset, budget: Budget
    ) -> _Zone:
        """A zone whose parent names its keys."""
        name = delegations.name
        found = signatures(message.answer, name, RdataType.DS) or ()
        signed = await verify(delegations, found, parent.name, parent.keys, now=self._now(), budget=budget)
        if signed.labels != len(name) - 1:
            raise Bogus(f"DS of {_text(name)} comes from a wildcard")
        until = min(parent.until, self._clock.monotonic() + signed.keep_seconds)
        chosen = supported(delegations)
        if not chosen:
            return _Zone(name, (), until)  # Signed in ways nobody here can check (RFC 4035 §5.2).
        return await self._with_keys(name, chosen, until, budget)

    async def _with_keys(self, name: dns.name.Name, delegations: Sequence[Any], until: float, budget: Budget) -> _Zone:
        """A zone with the keys it publishes, signed by one that is named."""
        budget.question()
        message = await self._ask(name, RdataType.DNSKEY)
        keys = find(message.answer, name, RdataType.DNSKEY)
        found = signatures(message.answer, name, RdataType.DNSKEY)
        if keys is None or found is None:
            raise Bogus(f"the signed zone {_text(name)} shows no signed keys")
        if len(keys) > self._limits.keys:
            raise Bogus(f"the zone {_text(name)} has too many keys")
        trusted = keys_named(name, delegations, keys)
        if not trusted:
            raise Bogus(f"no key of the zone {_text(name)} is one that its parent names")
        signed = await verify(keys, found, name, trusted, now=self._now(), budget=budget)
        return _Zone(name, tuple(keys), min(until, self._clock.monotonic() + signed.keep_seconds))

    async def _not_delegated(
        self, parent: _Zone, message: dns.message.Message, name: dns.name.Name, budget: Budget
    ) -> _Zone:
        """No DS: a name of the same zone, or an unsigned zone, either one proven (RFC 4035 §5.2, RFC 6840 §4.4)."""
        alias = find(message.answer, name, RdataType.CNAME)
        if alias is not None:  # Then it is no zone.
            found = signatures(message.answer, name, RdataType.CNAME) or ()
            signed = await verify(alias, found, parent.name, parent.keys, now=self._now(), budget=budget)
            return _Zone(parent.name, parent.keys, min(parent.until, self._clock.monotonic() + signed.keep_seconds))
        proof, keep = await self._prove(message, parent, name, RdataType.DS, budget)
        until = min(parent.until, self._clock.monotonic() + keep)
        match proof:
            case Proof.NO_NAME | Proof.NO_DATA:
                return _Zone(parent.name, parent.keys, until)
            case Proof.UNSIGNED_DELEGATION | Proof.UNSIGNED:
                return _Zone(name, (), until)
        raise Bogus(f"it is not proven that {_text(name)} is no signed zone")

    def _now(self) -> float:
        return self._clock.now().timestamp()

    def _left(self, zone: _Zone) -> float:
        return max(0.0, zone.until - self._clock.monotonic())

    def _insecure(self, zone: _Zone, ttl: float) -> Verdict:
        return Verdict(False, min(ttl, self._left(zone)))


def _home(name: dns.name.Name, rdtype: RdataType) -> dns.name.Name:
    """The name whose zone holds the records: DS stands on the parent's side of a cut (RFC 4035 §2.4)."""
    return name.parent() if rdtype == RdataType.DS and name != dns.name.root else name


def _signer(found: dns.rrset.RRset | None, owner: dns.name.Name) -> dns.name.Name | None:
    """The zone that signed, of several the closest; only the owner's zone can, so it is the owner or above it."""
    possible = [one.signer for one in found or () if owner.is_subdomain(one.signer)]
    return max(possible, key=len, default=None)


def _denial_signer(message: dns.message.Message, home: dns.name.Name) -> dns.name.Name | None:
    """The zone that signed the denial."""
    possible = [
        one.signer
        for signed in message.authority
        if signed.rdtype == RdataType.RRSIG and signed.covers in {RdataType.NSEC, RdataType.NSEC3}
        for one in signed
        if home.is_subdomain(one.signer)
    ]
    return max(possible, key=len, default=None)


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True)


def _all(verdicts: Sequence[Verdict]) -> Verdict:
    return Verdict(all(one.secure for one in verdicts), min(one.keep_seconds for one in verdicts))
