"""ARC: what servers on the way found out about a message, sealed by each (RFC 8617).

A chain that passes proves who handled the message and what they say they saw, nothing about whether they say the truth:
`believed` picks what those say who are trusted. Sealing is in `arcseal`.
"""

import hashlib
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import trio

from appliance.base import limits
from appliance.base.metrics import Histogram
from appliance.dns.resolver import Resolver
from appliance.mail import authres
from appliance.mail.authres import AuthResultsError
from appliance.mail.domain import Domain
from appliance.msgauth.dkim import keys, signature, tags, verify as dkim
from appliance.msgauth.dkim.canonical import Canon, body_hashes
from appliance.msgauth.dkim.record import Found
from appliance.msgauth.dkim.signature import Header, Signature
from appliance.msgauth.dkim.tags import TagError
from appliance.msgauth.results import ARCResult, ARCSet, AuthStatus

#: RFC 8617 §4.2.1.
SETS: Final = 50
RESULTS: Final = b"arc-authentication-results"
MESSAGE_SIGNATURE: Final = b"arc-message-signature"
SEAL: Final = b"arc-seal"
FIELDS: Final = (RESULTS, MESSAGE_SIGNATURE, SEAL)
T = TypeVar("T")
_SERVICES: Final = ("email",)
_INSTANCE: Final = re.compile(rb"[ \t\r\n]*+i[ \t\r\n]*+=[ \t\r\n]*+([0-9]{1,3})[ \t\r\n]*+;", re.IGNORECASE)

durations = Histogram(
    "arc_verify_duration_seconds",
    "Time until a chain is judged, look-ups of keys included.",
    ("status",),
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 20, 30),
)


def believed(arc: ARCResult, trusts: Callable[[Domain], bool]) -> ARCSet | None:
    """The oldest set that can be believed by who trusts some of the sealers; None without one.

    Whoever handled a message after a trusted server must be trusted too, or have left the message as it was.
    """
    found = None
    all_trusted = True
    for one in reversed(arc.sets):
        if not trusts(one.domain):
            all_trusted = False
        elif all_trusted or one.is_intact:
            found = one
    return found


class Broken(Exception):
    """The chain fails; the text says why."""


@dataclass(slots=True)
class _Link:
    """One set as it stands in the message: indexes of its fields, and what they claim."""

    results: int
    message: int
    seal: int
    message_signature: Signature
    seal_signature: Signature
    is_intact: bool = False


async def verify(
    resolver: Resolver,
    header: bytes,
    read: dkim.Read,
    size: int,
    *,
    now: float,
    dnssec: bool = False,
    fields: Header | None = None,
) -> ARCResult:
    """Judge the chain of a message; arguments as of `dkim.verify`. Raises OSError when reading fails."""
    began = time.perf_counter()
    is_large = len(header) > dkim.INLINE_HEADER_OCTETS
    if fields is None:
        fields = await _in_thread(is_large, signature.fields_of, header, limits.HEADER)
    if not any(fields.named(name) for name in FIELDS):
        return ARCResult(AuthStatus.NONE)
    try:
        links = await _in_thread(is_large, _collect, fields)
        await _check(resolver, fields, links, len(header), read, size, now=now, dnssec=dnssec)
        result = ARCResult(AuthStatus.PASS, tuple(_result(fields, at, one) for at, one in enumerate(links, 1)))
    except Broken as problem:
        result = ARCResult(AuthStatus.FAIL, text=str(problem))
    durations.labels(result.status.value).observe(time.perf_counter() - began)
    return result


async def _in_thread(is_slow: bool, run: Callable[..., T], *arguments: object) -> T:
    return await trio.to_thread.run_sync(run, *arguments) if is_slow else run(*arguments)


async def _check(
    resolver: Resolver,
    fields: Header,
    links: Sequence[_Link],
    body: int,
    read: dkim.Read,
    size: int,
    *,
    now: float,
    dnssec: bool,
) -> None:
    """RFC 8617 §5.2, from step 4 on: the newest set first, since most broken chains break there."""
    is_slow = body > dkim.INLINE_HEADER_OCTETS or size - body > dkim.INLINE_BODY_OCTETS
    newest = links[-1]
    found = await _find(resolver, [newest], dnssec=dnssec)
    if reason := _unfit(newest.message_signature, found, now):
        raise Broken(f"newest message signature: {reason}")
    await _in_thread(is_slow, _check_messages, fields, [newest], found, body, read, size)
    if not newest.is_intact:
        raise Broken("message has changed since the newest seal")
    digests = await _in_thread(is_slow, _seal_digests, fields, links)
    _check_seal(newest, found, digests[-1], len(links))
    if len(links) == 1:
        return
    found = await _find(resolver, links[:-1], dnssec=dnssec)
    for at in range(len(links) - 1, 0, -1):
        _check_seal(links[at - 1], found, digests[at - 1], at)
    older = [one for one in links[:-1] if not _unfit(one.message_signature, found, now)]
    await _in_thread(is_slow, _check_messages, fields, older, found, body, read, size)
    intact = True
    for one in reversed(links):
        one.is_intact = intact = intact and one.is_intact


_Keys = dict[tuple[str, Domain], Found]


async def _find(resolver: Resolver, links: Sequence[_Link], *, dnssec: bool) -> _Keys:
    both = (one for link in links for one in (link.message_signature, link.seal_signature))
    names = dict.fromkeys((one.selector, one.domain) for one in both)
    return await dkim.find_keys(resolver, list(names), dnssec=dnssec)


# Reading.


def _collect(fields: Header) -> list[_Link]:
    """The sets in order. Raises Broken: RFC 8617 §5.2, steps 1 to 3."""
    places = {name: by_instance(fields, name) for name in (RESULTS, MESSAGE_SIGNATURE, SEAL)}
    instances = places[SEAL].keys()
    if any(places[name].keys() != instances for name in places):
        raise Broken("a set is not whole")
    if set(instances) != set(range(1, len(instances) + 1)):
        raise Broken("a set is missing")
    links = []
    for instance in range(len(instances), 0, -1):
        seal = places[SEAL][instance]
        values = tags_of(fields, seal)
        # The newest is looked at first: a chain that failed on its way is read no further.
        wanted = b"none" if instance == 1 else b"pass"
        if values.get("cv", b"").lower() != wanted:
            raise Broken(f"seal {instance} says that the chain was not valid there")
        if "h" in values:  # RFC 8617 §4.1.3
            raise Broken(f"seal {instance} has a tag h")
        message = places[MESSAGE_SIGNATURE][instance]
        try:
            of_message = signature.parse_common(tags_of(fields, message))
            of_seal = signature.parse_seal(values)
        except TagError as error:
            raise Broken(f"set {instance}: {error}") from error
        if not {RESULTS, MESSAGE_SIGNATURE, SEAL}.isdisjoint(of_message.signed):  # RFC 8617 §4.1.2
            raise Broken(f"message signature {instance} signs fields of ARC")
        links.append(_Link(places[RESULTS][instance], message, seal, of_message, of_seal))
    return links[::-1]


def by_instance(fields: Header, name: bytes) -> dict[int, int]:
    """The fields of a name, in lower case, by their instance. Raises Broken."""
    found: dict[int, int] = {}
    indexes = fields.named(name)
    if len(indexes) > SETS:
        raise Broken(f"more than {SETS} sets")
    for index in indexes:
        instance = instance_of(fields, name, index)
        if instance in found:
            raise Broken("a field is there twice")
        found[instance] = index
    return found


def instance_of(fields: Header, name: bytes, index: int) -> int:
    """The instance of a field of a name, in lower case. Raises Broken."""
    if name == RESULTS:
        match = _INSTANCE.match(fields.value(index))
        digits = match[1] if match else b""
    else:
        digits = tags_of(fields, index).get("i", b"")
    if not digits.isdigit() or len(digits) > 3 or not 1 <= int(digits) <= SETS:
        raise Broken("a field has no instance")
    return int(digits)


def tags_of(fields: Header, index: int) -> dict[str, bytes]:
    """The tags of a field. Raises Broken."""
    octets = fields.value(index)
    if len(octets) > signature.SIGNATURE_OCTETS:
        raise Broken("a field is too long")
    try:
        return tags.parse(octets)
    except TagError as error:
        raise Broken(f"malformed field: {error}") from error


def _result(fields: Header, instance: int, link: _Link) -> ARCSet:
    value = fields.value(link.results).partition(b";")[2]
    try:
        results = authres.parse(value)
    except AuthResultsError:
        results = None
    seal = link.seal_signature
    return ARCSet(instance, seal.domain, seal.selector, results, link.is_intact)


# Comparing.


def _unfit_key(one: Signature, found: _Keys) -> str:
    """Why there is no key for a signature; empty when there is."""
    if one.hash != "sha256":
        return "unknown algorithm"
    if reason := dkim.unfit_name(one):
        return reason
    key = found[one.selector, one.domain]
    if key.record is None:
        assert key.problem is not None
        return key.problem.value
    return dkim.unfit_key(one, key.record, _SERVICES)


def _unfit(one: Signature, found: _Keys, now: float) -> str:
    return dkim.unfit(one, now) or _unfit_key(one, found)


def _check_messages(
    fields: Header, links: Sequence[_Link], found: _Keys, body: int, read: dkim.Read, size: int
) -> None:
    """Note of each set whether what it signed is as it was; keys are those of fit signatures."""
    signing = []
    for link in links:
        one = link.message_signature
        key = found[one.selector, one.domain].record
        assert key is not None
        if dkim.signs_header(fields, link.message, one, key):
            signing.append(link)
    digests = body_hashes(read, body, size, {dkim.asked_of_body(one.message_signature) for one in signing})
    for link in signing:
        one = link.message_signature
        link.is_intact = digests[dkim.asked_of_body(one)].digest == one.body_hash


def _seal_digests(fields: Header, links: Sequence[_Link]) -> list[bytes]:
    """What each seal is over: all sets up to its own (RFC 8617 §5.1.1)."""
    digest = hashlib.sha256()
    digests = []
    for link in links:
        digest.update(fields.canonical(link.results, Canon.RELAXED))
        digest.update(fields.canonical(link.message, Canon.RELAXED))
        own = digest.copy()
        own.update(signature.without_signature(fields.raw(link.seal), Canon.RELAXED))
        digests.append(own.digest())
        digest.update(fields.canonical(link.seal, Canon.RELAXED))
    return digests


def _check_seal(link: _Link, found: _Keys, digest: bytes, instance: int) -> None:
    """Raises Broken."""
    seal = link.seal_signature
    if reason := _unfit_key(seal, found):
        raise Broken(f"seal {instance}: {reason}")
    key = found[seal.selector, seal.domain].record
    assert key is not None
    assert key.key is not None
    if not keys.verifies(key.key, seal.signature, digest):
        raise Broken(f"seal {instance} does not match")
