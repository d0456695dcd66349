"""Sealing: one more set of ARC on a message that goes on to somebody else (RFC 8617 §5.1).

What was found out about its sender here goes with it, signed by a domain of ours: who trusts that can believe what SPF
and DMARC cannot tell any more.
"""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import trio

from appliance.base import limits
from appliance.base.metrics import Counter
from appliance.config.source import Config
from appliance.mail import authres
from appliance.mail.address import Address
from appliance.mail.authres import AuthResults
from appliance.mail.domain import Domain
from appliance.msgauth import arc
from appliance.msgauth.dkim import keys, sign, signature
from appliance.msgauth.dkim.canonical import FIELD, BodyHash, Canon, body_hashes
from appliance.msgauth.dkim.sign import INLINE_OCTETS, INLINE_RSA_BITS, CannotSign, Read, Signer
from appliance.msgauth.dkim.signature import Header
from appliance.msgauth.results import ARCResult, AuthStatus

sealed = Counter("arc_seal_total", "Messages sealed, by what the chain was until then.", ("cv",))

#: The only hash there is (RFC 8617 §4.1.2 by RFC 8301 §3.1).
_HASH: Final = "sha256"
_BODY: Final = BodyHash(Canon.RELAXED, _HASH)
#: What the message signature is over, where it is there: what readers see, and the signatures of others. From stands
#: once more, so that nobody adds one (RFC 6376 §8.15). What every server adds is left out, and all fields of ARC (RFC
#: 8617 §4.1.2).
_SIGNED: Final = (
    *(b"From", b"Sender", b"Reply-To", b"To", b"Cc", b"Subject", b"Date", b"Message-ID", b"In-Reply-To", b"References"),
    *(b"MIME-Version", b"Content-Type", b"Content-Transfer-Encoding", b"List-ID", b"DKIM-Signature"),
)


async def seal(
    config: Config,
    domain: Domain,
    header: bytes,
    read: Read,
    body: int,
    size: int,
    *,
    results: AuthResults,
    chain: ARCResult,
    now: float,
    utf8: bool = False,
) -> bytes:
    """The three fields to stand before a message; empty where nothing is sealed.

    That is where the domain does not sign, the chain has all the sets it may have, or its last server said that it had
    failed (RFC 8617 §5.1). `header` is the section as it will be sent below the set, the body what `read` gives from
    `body` up to `size`; `results` and `chain` are what was found out about the message. Raises CannotSign, OSError.
    """
    signer = _signer(sign.signers(config, Address("postmaster", domain)))
    if signer is None:
        return b""

    def run() -> bytes:
        return _seal(signer, domain, header, read, body, size, results, chain, int(now), utf8=utf8)

    is_slow = getattr(signer.key, "key_size", 0) > INLINE_RSA_BITS or len(header) + size - body > INLINE_OCTETS
    return await trio.to_thread.run_sync(run) if is_slow else run()


def _signer(with_keys: Sequence[Signer]) -> Signer | None:
    """A key that all can check: many verifiers of ARC know RSA only."""
    return min(with_keys, key=lambda one: keys.key_type(one.key) != "rsa", default=None)


def _seal(
    signer: Signer,
    domain: Domain,
    octets: bytes,
    read: Read,
    body: int,
    size: int,
    results: AuthResults,
    chain: ARCResult,
    now: int,
    *,
    utf8: bool,
) -> bytes:
    fields = signature.fields_of(octets, limits.HEADER)
    if not fields.named(b"from"):
        raise CannotSign("message has no From")
    if any(len(fields.named(name)) >= arc.SETS for name in arc.FIELDS):  # RFC 8617 §4.2.1
        return b""
    if chain.status is AuthStatus.FAIL and _has_failed_before(fields):
        return b""
    earlier = max((instance for name in arc.FIELDS for instance in _readable(fields, name)), default=0)
    instance = earlier + 1
    if instance > arc.SETS:
        return b""
    found = authres.compose(results, utf8=utf8, instance=instance)
    digest = body_hashes(read, body, size, {_BODY})[_BODY].digest
    by = [b"d=%s;" % domain.ascii.encode(), b"s=%s;" % signer.selector.encode()]
    algorithm = b"a=%s-%s;" % (keys.key_type(signer.key).encode(), _HASH.encode())
    names = [name for name in _SIGNED for _ in fields.named(name.lower())] + [b"From"]
    draft = signature.write_tags(
        b"ARC-Message-Signature",
        [b"i=%d;" % instance, algorithm, *by, b"c=relaxed/relaxed;", b"t=%d;" % now],
        names,
        digest,
    )
    message = _finish(signer, draft, b"".join(fields.signed((name.lower() for name in names), Canon.RELAXED)))
    cv = "none" if chain.status is AuthStatus.NONE else chain.status.value
    draft = signature.write_tags(
        b"ARC-Seal", [b"i=%d;" % instance, algorithm, *by, b"t=%d;" % now, b"cv=%s;" % cv.encode()]
    )
    # RFC 8617 §5.1.2: the seal of a chain that has failed is over its own set alone.
    before = b"" if chain.status is AuthStatus.FAIL else _sets(fields, earlier)
    seal = _finish(signer, draft, before + _relaxed(found) + _relaxed(message))
    sealed.labels(cv).inc()
    return seal + message + found


def _finish(signer: Signer, draft: bytes, signed: bytes) -> bytes:
    digest = hashlib.sha256(signed + signature.without_signature(draft, Canon.RELAXED))
    try:
        proof = keys.sign(signer.key, digest.digest(), _HASH)
    except ValueError as error:
        raise CannotSign(f"key of selector {signer.selector_unicode}: {error}") from error
    return signature.finish(draft, proof)


def _relaxed(octets: bytes) -> bytes:
    return FIELD[Canon.RELAXED](octets)


def _readable(fields: Header, name: bytes) -> dict[int, int]:
    """The fields of a name by instance; of a broken chain what can be read of it, the topmost of each."""
    found: dict[int, int] = {}
    for index in fields.named(name):
        with suppress(arc.Broken):
            found.setdefault(arc.instance_of(fields, name, index), index)
    return found


def _has_failed_before(fields: Header) -> bool:
    """Whether the newest seal says that the chain had failed."""
    seals = _readable(fields, arc.SEAL)
    return bool(seals) and arc.tags_of(fields, seals[max(seals)]).get("cv", b"").lower() == b"fail"


def _sets(fields: Header, count: int) -> bytes:
    """All sets of a sound chain, as a seal signs them (RFC 8617 §5.1.1)."""
    places = [arc.by_instance(fields, name) for name in arc.FIELDS]
    return b"".join(
        fields.canonical(place[instance], Canon.RELAXED) for instance in range(1, count + 1) for place in places
    )
