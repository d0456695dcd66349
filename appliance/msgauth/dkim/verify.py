"""Verifying the DKIM signatures of a message (RFC 6376 §6.1), each with a result of its own.

Three steps: read all signatures, ask for their keys side by side, then hash and compare. The first and the last are
plain functions, which a large message has run in a thread; its body is read once for all signatures.
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import trio
from msgspec import structs

from appliance.base import limits
from appliance.base.metrics import Histogram
from appliance.dns.resolver import Resolver
from appliance.mail.domain import Domain
from appliance.msgauth.dkim import keys, record, signature, tags
from appliance.msgauth.dkim.canonical import BodyDigest, BodyHash, body_hashes
from appliance.msgauth.dkim.record import Found, Record
from appliance.msgauth.dkim.signature import Header, Signature
from appliance.msgauth.dkim.tags import TagError
from appliance.msgauth.publicsuffix import is_public_suffix
from appliance.msgauth.results import AuthStatus, DKIMResult

Read = Callable[[int, int], bytes]

#: Signatures that are looked at, from the top; nobody makes so many.
SIGNATURES: Final = 10
#: For all keys together.
LOOKUP_SECONDS: Final = 30.0
#: More is hashed in a thread.
INLINE_BODY_OCTETS: Final = 256 * 1024
INLINE_HEADER_OCTETS: Final = 16 * 1024
_NAME: Final = signature.FIELD_NAME.lower()
_ALGORITHMS: Final = {"rsa-sha256", "rsa-sha1", "ed25519-sha256"}

durations = Histogram(
    "dkim_verify_duration_seconds",
    "Time until a signature is judged, look-up of its key included.",
    ("algorithm", "status"),
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 20, 30),
)


@dataclass(slots=True)
class Outcome:
    """One signature, with what it rests on."""

    #: Which field of the header.
    index: int
    #: The field as it stands in the message.
    field: bytes
    result: DKIMResult
    signature: Signature | None = None
    key: Record | None = None
    #: While it is not judged yet.
    is_open: bool = True

    def judge(self, status: AuthStatus, text: str = "", **more: object) -> None:
        """The verdict."""
        self.result = structs.replace(self.result, status=status, text=text, **more)
        self.is_open = False

    def permerror(self, text: str) -> None:
        """It cannot be valid, now or later."""
        self.judge(AuthStatus.PERMERROR, text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a signature is held to."""

    #: Seconds since 1970.
    now: float
    #: Whether values beyond ASCII may stand in signatures.
    smtputf8: bool = True
    #: Services whose keys count: `tlsrpt` for reports about TLS (RFC 8460 §3).
    services: Sequence[str] = ("email",)
    #: Whether a failure with a key for testing counts as no signature at all (RFC 6376 §3.6.1, t=y).
    minds_testing: bool = True
    #: Whether DNSSEC shall be checked where that takes work.
    dnssec: bool = False


@dataclass(slots=True)
class _Work:
    """A message between the steps."""

    header: Header
    body: int
    size: int
    read: Read
    terms: Terms
    outcomes: list[Outcome] = field(default_factory=list)


async def verify(
    resolver: Resolver, header: bytes, read: Read, size: int, terms: Terms, *, fields: Header | None = None
) -> tuple[DKIMResult, ...]:
    """The result of each signature, topmost first; none without signatures. Raises OSError when reading fails.

    `header` is the section with its empty line, `fields` what `signature.fields_of` makes of it if somebody has done
    so already; `read(from, to)` gives octets of the message, which has `size`.
    """
    return tuple(one.result for one in await outcomes(resolver, header, read, size, terms, fields=fields))


async def outcomes(
    resolver: Resolver, header: bytes, read: Read, size: int, terms: Terms, *, fields: Header | None = None
) -> list[Outcome]:
    """The same with fields and keys."""
    began = time.perf_counter()
    if len(header) > INLINE_HEADER_OCTETS:
        work = await trio.to_thread.run_sync(_begin, header, read, size, terms, fields)
    else:
        work = _begin(header, read, size, terms, fields)
    open_ones = [one for one in work.outcomes if one.is_open]
    if open_ones:
        await _find_keys(resolver, open_ones, terms)
        if len(header) > INLINE_HEADER_OCTETS or size - len(header) > INLINE_BODY_OCTETS:
            await trio.to_thread.run_sync(_finish, work)
        else:
            _finish(work)
    for one in work.outcomes:
        algorithm = one.result.algorithm if one.result.algorithm in _ALGORITHMS else "other"
        durations.labels(algorithm, one.result.status.value).observe(time.perf_counter() - began)
    return work.outcomes


# The first step.


def _begin(header: bytes, read: Read, size: int, terms: Terms, fields: Header | None) -> _Work:
    fields = signature.fields_of(header, limits.HEADER) if fields is None else fields
    work = _Work(fields, len(header), size, read, terms)
    for index in fields.named(_NAME)[:SIGNATURES]:
        work.outcomes.append(_read(fields, index, terms))
    return work


def _read(header: Header, index: int, terms: Terms) -> Outcome:
    """A signature, judged already when it cannot be valid whatever its key is."""
    octets = header.raw(index)
    outcome = Outcome(index, octets, DKIMResult(AuthStatus.PERMERROR, None))
    if len(octets) > signature.SIGNATURE_OCTETS:
        outcome.permerror("signature is too long")
        return outcome
    try:
        values = tags.parse(header.value(index))
    except TagError as error:
        outcome.permerror(f"malformed signature: {error}")
        return outcome
    claims = signature.read_claims(values)
    outcome.result = DKIMResult(
        AuthStatus.PERMERROR,
        claims.domain,
        selector=claims.selector,
        identity=claims.identity,
        algorithm=claims.algorithm,
        header_b=claims.header_b,
    )
    try:
        one = signature.parse(values, allow_utf8=terms.smtputf8)
    except TagError as error:
        outcome.permerror(f"malformed signature: {error}")
        return outcome
    outcome.signature = one
    if reason := unfit(one, terms.now):
        outcome.permerror(reason)
    elif one.hash == "sha1":
        # RFC 8301 §3.1: it proves nothing. Said as policy, since the message itself may be in order.
        outcome.judge(AuthStatus.POLICY, "SHA-1 is not accepted")
    return outcome


def unfit(one: Signature, now: float) -> str:
    """Why a signature cannot be valid, whatever its key is; empty when nothing speaks against it."""
    if b"from" not in one.signed:
        return "From is not signed"  # RFC 6376 §5.4
    if one.expires is not None and now > one.expires:
        return "signature has expired"
    return unfit_name(one)


def unfit_name(one: Signature) -> str:
    """The same for what seals have too: domain and algorithm."""
    # A name no one publishes keys for, but for servers under test.
    if is_public_suffix(one.domain) and one.domain.ascii != "localhost":
        return "signing domain is a public suffix"
    if one.algorithm not in _ALGORITHMS:
        return "unknown algorithm"
    return ""


# The second step.


async def _find_keys(resolver: Resolver, waiting: Sequence[Outcome], terms: Terms) -> None:
    names: dict[tuple[str, Domain], list[Outcome]] = {}
    for one in waiting:
        assert one.signature is not None
        names.setdefault((one.signature.selector, one.signature.domain), []).append(one)
    found = await find_keys(resolver, list(names), dnssec=terms.dnssec)
    for name, users in names.items():
        for one in users:
            _take_key(one, found[name], terms)


async def find_keys(
    resolver: Resolver, names: Sequence[tuple[str, Domain]], *, dnssec: bool
) -> dict[tuple[str, Domain], Found]:
    """Key records of selectors and domains, asked for side by side."""
    found: dict[tuple[str, Domain], Found] = {}
    if resolver.is_at_hand:
        return {name: await record.lookup(resolver, name[0], name[1].ascii, dnssec=dnssec) for name in names}

    turns = trio.CapacityLimiter(SIGNATURES)

    async def look(name: tuple[str, Domain]) -> None:
        selector, domain = name
        async with turns:
            found[name] = await record.lookup(resolver, selector, domain.ascii, dnssec=dnssec)

    with trio.move_on_after(LOOKUP_SECONDS):
        async with trio.open_nursery() as nursery:
            for name in names:
                nursery.start_soon(look, name)
    late = Found(None, record.Problem.TEMPORARY, f"no answer in {LOOKUP_SECONDS:g} s")
    return {name: found.get(name, late) for name in names}


def _take_key(outcome: Outcome, found: Found, terms: Terms) -> None:
    if found.problem is not None:
        outcome.result = structs.replace(outcome.result, authentic=found.authentic)
        text = f"{found.problem.value}: {found.text}" if found.text else found.problem.value
        outcome.judge(AuthStatus.TEMPERROR if found.problem in record.TEMPORARY else AuthStatus.PERMERROR, text)
        return
    key, one = found.record, outcome.signature
    assert key is not None
    assert one is not None
    outcome.key = key
    outcome.result = structs.replace(
        outcome.result,
        authentic=found.authentic,
        key_bits=key.key_bits,
        testing=key.is_testing,
        services=key.services,
    )
    if reason := unfit_key(one, key, terms.services):
        outcome.permerror(reason)


def unfit_key(one: Signature, key: Record, services: Sequence[str]) -> str:
    """Why a key is not one for a signature; empty when it is."""
    if key.hashes is not None and one.hash not in key.hashes:
        return "key is not for this hash"
    if key.key_type != one.key_type:
        return "key is of another type"
    if key.key is None:
        return "key is revoked"
    if key.key_type == "rsa" and key.key_bits < keys.MIN_RSA_BITS:
        return f"key of {key.key_bits} bits is too weak"  # RFC 8301 §3.2
    if not any(key.serves(service) for service in services):
        return "key is not for mail"
    if "s" in key.flags and one.identity_domain is not None and one.identity_domain != one.domain:
        return "key is not for subdomains"
    return ""


# The third step.


def _finish(work: _Work) -> None:
    for one in work.outcomes:
        if one.is_open and not signs_header(work.header, one.index, _signature(one), _key(one)):
            _fail(one, "signature does not match", work.terms)
    still = [one for one in work.outcomes if one.is_open]
    digests = body_hashes(work.read, work.body, work.size, {asked_of_body(_signature(one)) for one in still})
    for one in still:
        _judge_body(one, digests[asked_of_body(_signature(one))], work.terms)


def _signature(outcome: Outcome) -> Signature:
    assert outcome.signature is not None
    return outcome.signature


def _key(outcome: Outcome) -> Record:
    assert outcome.key is not None
    return outcome.key


def signs_header(header: Header, index: int, one: Signature, key: Record) -> bool:
    """Whether a signature, the field at `index`, is one of the header (RFC 6376 §3.7)."""
    assert key.key is not None
    of_header = one.canon[0]
    digest = hashlib.sha256(b"".join(header.signed(one.signed, of_header, own=index)))
    digest.update(signature.without_signature(header.raw(index), of_header))
    return keys.verifies(key.key, one.signature, digest.digest())


def asked_of_body(one: Signature) -> BodyHash:
    """The digest of the body that a signature holds against its own."""
    return BodyHash(one.canon[1], one.hash, one.length)


def _judge_body(outcome: Outcome, body: BodyDigest, terms: Terms) -> None:
    one = _signature(outcome)
    if one.length is not None and one.length > body.total:
        _fail(outcome, "body is shorter than what was signed", terms)
    elif body.digest != one.body_hash:
        _fail(outcome, "body has changed", terms)
    elif one.length is not None:
        # RFC 6376 §8.2: whatever somebody adds behind what was signed seems to be signed.
        outcome.judge(AuthStatus.POLICY, "body may be extended", is_partial=one.length < body.total)
    elif b"subject" not in one.signed:
        outcome.judge(AuthStatus.POLICY, "Subject is not signed")
    else:
        outcome.judge(AuthStatus.PASS)


def _fail(outcome: Outcome, text: str, terms: Terms) -> None:
    if outcome.result.testing and terms.minds_testing:
        outcome.judge(AuthStatus.NONE, f"{text}, and its domain is testing DKIM")
    else:
        outcome.judge(AuthStatus.FAIL, text)
