"""Signing messages of ours with the keys of From's domain (RFC 6376 §5), as its configuration says."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import trio

from appliance.base import limits
from appliance.base.metrics import Counter
from appliance.config.domains import Selector
from appliance.config.source import Config
from appliance.mail.address import Address, spell_localpart
from appliance.mail.domain import DomainError, parse_domain
from appliance.mail.header import header_end
from appliance.msgauth.dkim import keys, signature
from appliance.msgauth.dkim.canonical import BodyHash, Canon, body_hashes
from appliance.msgauth.dkim.signature import Draft, Header

if TYPE_CHECKING:
    from appliance.msgauth.dkim.keys import PrivateKey

Read = Callable[[int, int], bytes]

#: More is hashed in a thread.
INLINE_OCTETS: Final = 64 * 1024
#: Signing with a larger RSA key takes milliseconds.
INLINE_RSA_BITS: Final = 2048

signed = Counter("dkim_sign_total", "Signatures made, by type of key.", ("key",))


class CannotSign(Exception):
    """A message that should be signed and cannot be; the text says why."""


@dataclass(frozen=True, slots=True)
class Signer:
    """A key with the way it is used."""

    #: Below `_domainkey`: in A-labels, and in U-labels.
    selector: str
    selector_unicode: str
    key: "PrivateKey"
    config: Selector

    @property
    def canon(self) -> tuple[Canon, Canon]:
        """Of header and body."""
        canonicalization = self.config.canonicalization
        return (
            Canon.RELAXED if canonicalization.header_relaxed else Canon.SIMPLE,
            Canon.RELAXED if canonicalization.body_relaxed else Canon.SIMPLE,
        )

    @property
    def body(self) -> BodyHash:
        """The digest of a body it needs."""
        return BodyHash(self.canon[1], self.config.hash)


def signers(config: Config, address: Address) -> list[Signer]:
    """The keys that sign for an address; none when its domain does not sign. Raises CannotSign."""
    entry = config.derived.addresses.domains.get(address.domain.ascii)
    if entry is None:
        return []
    dkim = entry.config.dkim
    found = []
    for name in dkim.sign:
        key = config.derived.dkim_keys.get((entry.name, name))
        if key is None:
            raise CannotSign(f"no key for selector {name} of {entry.name}")
        try:
            selector = parse_domain(name, lax=True)
        except DomainError as error:
            raise CannotSign(f"selector {name}: {error}") from error
        found.append(Signer(selector.ascii, selector.unicode, key, dkim.selectors[name]))
    return found


async def sign(
    config: Config, sender: Address, header: bytes, read: Read, body: int, size: int, *, now: float, utf8: bool = False
) -> bytes:
    """The signatures of a message, to stand before it; empty when the domain of From does not sign.

    `header` is the whole section as it will be sent; the body is what `read` gives from `body` up to `size`. `utf8`:
    the message goes by SMTPUTF8. Raises CannotSign, OSError when reading fails.
    """
    with_keys = signers(config, sender)
    if not with_keys:
        return b""

    def run() -> bytes:
        return _sign(config, with_keys, sender, header, read, body, size, now=now, utf8=utf8)

    is_slow = any(getattr(one.key, "key_size", 0) > INLINE_RSA_BITS for one in with_keys)
    if is_slow or len(header) + size - body > INLINE_OCTETS:
        return await trio.to_thread.run_sync(run)
    return run()


def sign_octets(
    config: Config, sender: Address, octets: bytes, *, now: float, also: Sequence[str] = (), utf8: bool = False
) -> bytes:
    """The signatures of a message that was made here and is small. Raises CannotSign.

    `also`: names of fields to sign beside those of the configuration.
    """
    body = header_end(octets)

    def read(start: int, end: int) -> bytes:
        return octets[start:end]

    with_keys = signers(config, sender)
    if not with_keys:
        return b""
    return _sign(config, with_keys, sender, octets[:body], read, body, len(octets), now=now, also=also, utf8=utf8)


def _sign(
    config: Config,
    with_keys: Sequence[Signer],
    sender: Address,
    octets: bytes,
    read: Read,
    body: int,
    size: int,
    *,
    now: float,
    also: Sequence[str] = (),
    utf8: bool,
) -> bytes:
    header = signature.fields_of(octets, limits.HEADER)
    if len(header.named(b"from")) != 1:
        raise CannotSign("message has no From, or several")
    digests = body_hashes(read, body, size, {one.body for one in with_keys})
    entry = config.derived.addresses.domains[sender.domain.ascii]
    # What tells apart the mail of one person: without tags, which are for those who write to him.
    localpart = spell_localpart(entry.canonical(sender.localpart))
    if not utf8 and not localpart.isascii():
        localpart = ""
    fields = []
    for one in with_keys:
        names, spelled = _names(header, one.config, also)
        domain = sender.domain.unicode if utf8 else sender.domain.ascii
        draft = signature.write(
            Draft(
                domain=domain,
                selector=one.selector_unicode if utf8 else one.selector,
                identity=f"{localpart}@{domain}",
                algorithm=f"{keys.key_type(one.key)}-{one.config.hash}",
                canon=one.canon,
                signed=spelled,
                body_hash=digests[one.body].digest,
                signed_at=int(now),
                valid_for=timedelta(seconds=one.config.expiration.seconds) if one.config.expiration else None,
            )
        )
        of_header = one.canon[0]
        digest = hashlib.new(one.config.hash, b"".join(header.signed(names, of_header)))
        digest.update(signature.without_signature(draft, of_header))
        try:
            proof = keys.sign(one.key, digest.digest(), one.config.hash)
        except ValueError as error:
            raise CannotSign(f"key of selector {one.selector_unicode}: {error}") from error
        fields.append(signature.finish(draft, proof))
        signed.labels(keys.key_type(one.key)).inc()
    return b"".join(fields)


def _names(header: Header, selector: Selector, also: Sequence[str]) -> tuple[list[bytes], list[bytes]]:
    """What h= lists: each name as often as it occurs, and once more if none may be added (RFC 6376 §8.15).

    In lower case, and as it is spelled there.
    """
    names: list[bytes] = []
    spelled: list[bytes] = []
    seal = not selector.dont_seal_headers
    for name, spelling in _spellings((*selector.signed_headers, *also)):
        times = len(header.named(name)) + seal
        names += [name] * times
        spelled += [spelling] * times
    return names, spelled


@lru_cache(maxsize=64)
def _spellings(names: tuple[str, ...]) -> tuple[tuple[bytes, bytes], ...]:
    """Each name once, in lower case and as it is spelled first."""
    spelled: dict[str, str] = {}
    for one in names:
        spelled.setdefault(one.lower(), one)
    return tuple((name.encode(), spelling.encode()) for name, spelling in spelled.items())
