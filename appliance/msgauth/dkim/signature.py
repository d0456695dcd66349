"""The DKIM-Signature field: what it claims, and how it is written (RFC 6376 §3.5).

ARC-Message-Signature and ARC-Seal are its relatives (RFC 8617 §4.1), and share what stands here.
"""

import base64
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import msgspec

from appliance.mail import header
from appliance.mail.domain import Domain, DomainError, parse_domain
from appliance.mail.header import Field
from appliance.msgauth.dkim import tags
from appliance.msgauth.dkim.canonical import FIELD, Canon
from appliance.msgauth.dkim.tags import TagError

FIELD_NAME: Final = b"DKIM-Signature"
#: A longer field is not read: the longest known copy the whole header into z=.
SIGNATURE_OCTETS: Final = 64 * 1024
#: Names in h=; a longer list is not read. Listing a name once more than it occurs is usual.
SIGNED_NAMES: Final = 4000
#: Selector and domain make a name in the DNS.
SELECTOR_CHARACTERS: Final = 253
IDENTITY_OCTETS: Final = 1024
#: Digits of a time in seconds (RFC 6376 §3.5, t=).
_TIME_DIGITS: Final = 12
#: RFC 6376 §3.5, l=: a number of up to 76 digits.
_LENGTH_DIGITS: Final = 76
#: Longer lines are folded.
_COLUMNS: Final = 76

_B_VALUE: Final = re.compile(rb"((?:\A|;)[ \t\r\n]*+b[ \t\r\n]*+=)[^;]*+")
_QUOTED: Final = re.compile(rb"=([0-9A-F]{2})")
_NOT_QUOTED: Final = re.compile(rb"=(?![0-9A-F]{2})")
#: Octets that dkim-quoted-printable has to spell (RFC 6376 §2.11); those beyond ASCII may stand (RFC 8616 §5).
_TO_QUOTE: Final = re.compile(rb"[\x00-\x20;=\x7f]")


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """What one signature claims."""

    domain: Domain
    #: Relative to `_domainkey` of the domain, in A-labels.
    selector: str
    #: `rsa` or `ed25519`; others are kept as they are written.
    key_type: str
    hash: str
    signature: bytes
    #: Of header and body.
    canon: tuple[Canon, Canon] = (Canon.SIMPLE, Canon.SIMPLE)
    body_hash: bytes = b""
    #: Names in lower case, in their order.
    signed: tuple[bytes, ...] = ()
    #: i= as written and decoded; empty when absent.
    identity: str = ""
    identity_domain: Domain | None = None
    length: int | None = None
    signed_at: int | None = None
    expires: int | None = None

    @property
    def algorithm(self) -> str:
        """As in a=."""
        return f"{self.key_type}-{self.hash}"


class Claims(msgspec.Struct, frozen=True):
    """What can be read of a signature, whole or not; for results."""

    domain: Domain | None
    selector: str
    identity: str
    algorithm: str
    header_b: str


def read_claims(values: dict[str, bytes]) -> Claims:
    """What the tags say, without judging. Never raises."""

    def shown(name: str) -> str:
        return values.get(name, b"")[:IDENTITY_OCTETS].decode("utf-8", "replace")

    try:
        domain = parse_domain(shown("d"), lax=True)
    except DomainError:
        domain = None
    b = re.sub(rb"[ \t\r\n]++", b"", values.get("b", b"")[:IDENTITY_OCTETS])
    identity = decode_quoted(values.get("i", b"")[:IDENTITY_OCTETS]).decode("utf-8", "replace")
    return Claims(domain, shown("s"), identity, shown("a"), b[:12].decode("ascii", "replace"))


def parse(values: dict[str, bytes], *, allow_utf8: bool = True) -> Signature:
    """A DKIM-Signature's tags. Raises TagError; which algorithms and keys are good enough is judged elsewhere."""
    if values.get("v") != b"1":
        raise TagError("tag v is not 1")
    if not allow_utf8 and not all(value.isascii() for value in values.values()):
        raise TagError("value beyond ASCII in a message without SMTPUTF8")
    signature = parse_common(values)
    identity, identity_domain = _identity(values, signature.domain)
    length = None
    if "l" in values:
        length = tags.number("l", values["l"], digits=_LENGTH_DIGITS)
    return msgspec.structs.replace(signature, identity=identity, identity_domain=identity_domain, length=length)


def parse_common(values: dict[str, bytes]) -> Signature:
    """The tags that DKIM-Signature and ARC-Message-Signature share (RFC 8617 §4.1.2). Raises TagError."""
    seal = parse_seal(values)
    expires = None
    if "x" in values:
        expires = tags.number("x", values["x"], digits=_TIME_DIGITS)
        if seal.signed_at is not None and expires < seal.signed_at:
            raise TagError("it expired before it was made")
    if "q" in values and b"dns/txt" not in (item.lower() for item in tags.items(values["q"])):
        raise TagError("its key cannot be found by DNS")
    names = tuple(name.lower() for name in tags.items(tags.required(values, "h")))
    if len(names) > SIGNED_NAMES:
        raise TagError("it signs too many fields")
    if b"" in names:
        raise TagError("empty name in tag h")
    return msgspec.structs.replace(
        seal,
        canon=_canon(values.get("c")),
        body_hash=tags.decode_base64("bh", tags.required(values, "bh")),
        signed=names,
        expires=expires,
    )


def parse_seal(values: dict[str, bytes]) -> Signature:
    """The tags of any of them: a, b, d, s and t (RFC 8617 §4.1.3). Raises TagError."""
    key_type, _, hash_name = tags.required(values, "a").decode("ascii", "replace").lower().partition("-")
    signed_at = tags.number("t", values["t"], digits=_TIME_DIGITS) if "t" in values else None
    octets = tags.decode_base64("b", tags.required(values, "b"))
    if not octets:
        raise TagError("tag b is empty")
    domain = _name("d", tags.required(values, "d"))
    selector = tags.text("s", tags.required(values, "s"))
    if len(selector) > SELECTOR_CHARACTERS:
        raise TagError("selector is too long")
    return Signature(
        domain=domain,
        selector=_name("s", selector.encode()).ascii,
        key_type=key_type,
        hash=hash_name,
        signature=octets,
        signed_at=signed_at,
    )


def _name(tag: str, value: bytes) -> Domain:
    # Lenient: underscores, as some selectors have them. Selectors of digits alone are names of labels all the same.
    text = tags.text(tag, value)
    try:
        if tag == "s" and text.replace(".", "").isdigit() and text.isascii():
            name = parse_domain(f"{text}.x", lax=True).ascii[:-2]
            return Domain(name, name)
        return parse_domain(text, lax=True)
    except DomainError as error:
        raise TagError(f"tag {tag}: {error}") from error


def _canon(value: bytes | None) -> tuple[Canon, Canon]:
    """RFC 6376 §3.5, c=: the body's is simple where only one is named."""
    words = (value or b"simple").decode("ascii", "replace").lower().split("/")
    try:
        of_header = Canon(words[0])
        of_body = Canon(words[1]) if len(words) > 1 else Canon.SIMPLE
    except ValueError as error:
        raise TagError("unknown canonicalization") from error
    if len(words) > 2:
        raise TagError("unknown canonicalization")
    return of_header, of_body


def _identity(values: dict[str, bytes], domain: Domain) -> tuple[str, Domain]:
    if "i" not in values:
        return "", domain
    octets = values["i"]
    if len(octets) > IDENTITY_OCTETS or _NOT_QUOTED.search(octets):
        raise TagError("malformed tag i")
    text = tags.text("i", re.sub(rb"[ \t\r\n]++", b"", octets))
    text = decode_quoted(text.encode()).decode("utf-8", "replace")
    _, at, name = text.rpartition("@")
    if not at:
        raise TagError("tag i is no address")
    identity_domain = _name("i", name.encode())
    if not is_within(identity_domain, domain):
        raise TagError("tag i is not within the signing domain")
    return text, identity_domain


def is_within(name: Domain, domain: Domain) -> bool:
    """Whether a name is the domain or one below it."""
    return name == domain or name.ascii.endswith(f".{domain.ascii}")


def decode_quoted(octets: bytes) -> bytes:
    """Octets of dkim-quoted-printable (RFC 6376 §2.11)."""
    return _QUOTED.sub(lambda found: bytes((int(found[1], 16),)), octets)


def encode_quoted(octets: bytes) -> bytes:
    """As dkim-quoted-printable."""
    return _TO_QUOTE.sub(lambda found: b"=%02X" % found[0][0], octets)


# What is signed.


def without_signature(octets: bytes, canon: Canon) -> bytes:
    """A signature's own field as it is hashed: b= emptied, no line end behind it (RFC 6376 §3.7)."""
    name, colon, value = octets.partition(b":")
    canonical = FIELD[canon](name + colon + _B_VALUE.sub(rb"\1", value, count=1))
    return canonical[:-2] if canonical.endswith(b"\r\n") else canonical.removesuffix(b"\n")


class Header:
    """The fields of a message, each canonicalized once, found by name from the bottom up."""

    def __init__(self, octets: bytes, fields: Sequence[Field]) -> None:
        self._octets = octets
        self._fields = fields
        self._by_name: dict[bytes, list[int]] = {}
        for index, field in enumerate(fields):
            self._by_name.setdefault(field.name.lower(), []).append(index)
        self._canonical: dict[Canon, dict[int, bytes]] = {canon: {} for canon in Canon}

    def raw(self, index: int) -> bytes:
        """A field as it stands."""
        field = self._fields[index]
        return self._octets[field.start : field.end]

    def value(self, index: int) -> bytes:
        """What stands behind the colon, folded."""
        field = self._fields[index]
        return self._octets[field.value : field.end]

    def named(self, name: bytes) -> list[int]:
        """The fields of a name in lower case, topmost first."""
        return self._by_name.get(name, [])

    def canonical(self, index: int, canon: Canon) -> bytes:
        """A field as it is hashed."""
        known = self._canonical[canon]
        found = known.get(index)
        if found is None:
            found = known[index] = FIELD[canon](self.raw(index))
        return found

    def signed(self, names: Iterable[bytes], canon: Canon, *, own: int | None = None) -> list[bytes]:
        """The fields that a list of names means: of each name the last, then the one above (RFC 6376 §5.4.2).

        A name with no field left stands for nothing. `own` is the signature's field, which does not sign itself.
        """
        left: dict[bytes, list[int]] = {}
        octets: list[bytes] = []
        for name in names:
            if name not in self._by_name:
                continue
            indexes = left.get(name)
            if indexes is None:
                indexes = left[name] = [index for index in self.named(name) if index != own]
            if indexes:
                octets.append(self.canonical(indexes.pop(), canon))
        return octets


# Writing.


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A signature to be made: everything but its octets."""

    domain: str
    selector: str
    #: The localpart unquoted-printable, `@` and domain; empty for none.
    identity: str
    algorithm: str
    canon: tuple[Canon, Canon]
    #: Names as they shall be written, in their order; repeated for sealed ones.
    signed: Sequence[bytes]
    body_hash: bytes
    signed_at: int
    valid_for: timedelta | None = None


def write(draft: Draft) -> bytes:
    """The field with an empty b= and without its line end: what is hashed last, after `without_signature`."""
    of_header, of_body = draft.canon
    pieces = [
        b"v=1;",
        b"d=%s;" % draft.domain.encode(),
        b"s=%s;" % draft.selector.encode(),
    ]
    if draft.identity:
        pieces.append(b"i=%s;" % encode_quoted(draft.identity.encode()))
    pieces.append(b"a=%s;" % draft.algorithm.encode())
    if draft.canon != (Canon.SIMPLE, Canon.SIMPLE):
        pieces.append(b"c=%s/%s;" % (of_header.value.encode(), of_body.value.encode()))
    pieces.append(b"t=%d;" % draft.signed_at)
    if draft.valid_for is not None:
        pieces.append(b"x=%d;" % (draft.signed_at + int(draft.valid_for.total_seconds())))
    return write_tags(FIELD_NAME, pieces, draft.signed, draft.body_hash)


def write_tags(name: bytes, pieces: Sequence[bytes], signed: Sequence[bytes] = (), body_hash: bytes = b"") -> bytes:
    """As `write`, for a field of any name that begins with these tags; without h= and bh= when nothing is signed."""
    line = _Line(name + b":")
    line.add(b" ", pieces)
    if signed:
        line.add_list(b"h=" + b":".join(signed) + b";")
        line.add(b" ", [b"bh=%s;" % base64.b64encode(body_hash)])
    line.add(b" ", [b"b="])
    return line.octets


def finish(octets: bytes, signature: bytes) -> bytes:
    """The whole field: the signature behind b=, folded, with the line end."""
    encoded = base64.b64encode(signature)
    line = _Line(octets)
    at = 0
    while at < len(encoded):
        room = _COLUMNS - line.column
        if room <= 0:
            line.fold()
            room = _COLUMNS - line.column
        line.append(encoded[at : at + room])
        at += room
    return line.octets + b"\r\n"


_FOLD: Final = b"\r\n\t"


class _Line:
    """A field being written, folded where a line becomes too long."""

    def __init__(self, octets: bytes) -> None:
        self.octets = octets
        self.column = len(octets) - octets.rfind(b"\n") - 1

    def add(self, separator: bytes, pieces: Iterable[bytes]) -> None:
        """Each piece behind a separator, or on a new line."""
        column, written = self.column, [self.octets]
        for piece in pieces:
            width = len(separator) + len(piece)
            if column + width > _COLUMNS:
                written += (_FOLD, piece)
                column = 1 + len(piece)
            else:
                written += (separator, piece)
                column += width
        self.octets, self.column = b"".join(written), column

    def add_list(self, octets: bytes) -> None:
        """Behind a space, a list that may be broken behind each of its colons."""
        separator, at = b" ", 0
        while at < len(octets):
            room = max(0, _COLUMNS - self.column - len(separator))
            end = len(octets) if len(octets) - at <= room else octets.rfind(b":", at, at + room) + 1
            if end <= at:  # Nothing fits here.
                self.fold()
                separator = b""
                end = octets.find(b":", at) + 1 or len(octets)
            self.append(separator + octets[at:end])
            separator, at = b"", end

    def append(self, octets: bytes) -> None:
        self.octets += octets
        self.column += len(octets)

    def fold(self) -> None:
        self.octets += _FOLD
        self.column = 1


def fields_of(octets: bytes, limits: header.HeaderLimits) -> Header:
    """The fields of a header section."""
    return Header(octets, header.fields(octets, limits=limits))
