"""Content as it was before it was encoded for the journey (RFC 2045 §6), whole or piece by piece.

Lenient as receivers must be: what is no base64 or quoted-printable is passed over or kept, never an error.
Line ends and character sets stay as they are, except in `part_text`.
"""

import binascii
import codecs
import io
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final, Protocol

from appliance.mail import words
from appliance.mail.part import IDENTITY_ENCODINGS, Part

#: Pieces are decoded in units of this many octets, so that how content is cut makes no difference.
_BLOCK: Final = 65536
_NOT_BASE64: Final = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="))
_TRAILING_SPACE: Final = re.compile(rb"[ \t]++(?=\r?\n)")
_STRAY_RETURN: Final = re.compile(rb"=(?=\r(?!\n))")
_META_CHARSET: Final = re.compile(rb"<meta[^>]{0,200}?charset\s{0,9}=[\s\x22']{0,9}([\w.:-]{1,40})", re.IGNORECASE)
#: How far into a page a charset is looked for; the HTML standard has 1024.
_META_OCTETS: Final = 2048


class UnknownEncoding(ValueError):
    """A Content-Transfer-Encoding that nobody knows."""


class Decoder(Protocol):
    """Decodes content as it comes in."""

    def feed(self, octets: bytes) -> bytes:
        """What the next octets amount to, as far as that is clear."""

    def close(self) -> bytes:
        """What was still unclear, now that all has been fed."""


def decoder(encoding: str) -> Decoder:
    """A decoder for a (lower-case) Content-Transfer-Encoding. Raises UnknownEncoding."""
    if encoding in IDENTITY_ENCODINGS:
        return _Identity()
    if encoding == "base64":
        return _Base64()
    if encoding == "quoted-printable":
        return _QuotedPrintable()
    raise UnknownEncoding(encoding)


def decode_transfer(octets: bytes, encoding: str) -> bytes:
    """Decoded content. Raises UnknownEncoding."""
    if encoding in IDENTITY_ENCODINGS:
        return octets
    decoding = decoder(encoding)
    return decoding.feed(octets) + decoding.close()


def part_text(part: Part, octets: bytes) -> str:
    """Text of a part from its encoded body, or the beginning of it; what cannot be decoded is taken as it is."""
    try:
        octets = decode_transfer(octets, part.encoding)
    except UnknownEncoding:
        pass
    charset = part.parameter("charset")
    if not charset and part.subtype == "html" and (found := _META_CHARSET.search(octets, 0, _META_OCTETS)):
        charset = found[1].decode("ascii", "replace")
    if charset:
        return words.charset_decode(octets, charset)
    return _undeclared(octets)


def text_pieces(part: Part, pieces: Iterable[bytes]) -> Iterator[tuple[str, bool]]:
    """Text of a part from its encoded body, piece by piece; and with each whether something in it could not be read.

    That is so when the transfer encoding or the character set is unknown or only guessed, or the octets are not of it.
    Line ends are line feeds.
    """
    try:
        transfer: Decoder = decoder(part.encoding)
        is_odd = False
    except UnknownEncoding:
        transfer, is_odd = _Identity(), True
    text: codecs.IncrementalDecoder | None = None
    lines = io.IncrementalNewlineDecoder(None, translate=True)
    for octets in chain(pieces, (b"",)):
        decoded = transfer.feed(octets) if octets else transfer.close()
        if text is None:
            text, is_unknown = _text_decoder(part, decoded)
            is_odd = is_odd or is_unknown
        found = text.decode(decoded, not octets)
        # UTF-7 lets lone surrogates through, which no other encoding can write again.
        found = found.encode("utf-8", "replace").decode()
        yield lines.decode(found, not octets), is_odd or "\ufffd" in found


def _text_decoder(part: Part, beginning: bytes) -> "tuple[codecs.IncrementalDecoder, bool]":
    """A decoder for a text that begins so, and whether its character set is not known for sure."""
    charset = part.parameter("charset")
    if not charset and part.subtype == "html" and (found := _META_CHARSET.search(beginning, 0, _META_OCTETS)):
        charset = found[1].decode("ascii", "replace")
    codec = words.codec_of(charset) if charset else None
    is_unknown = bool(charset) and codec is None
    if codec is None:
        try:
            codecs.getincrementaldecoder("utf-8")().decode(beginning)
            codec = "utf-8"
        except UnicodeDecodeError:
            codec, is_unknown = "cp1252", True
    return codecs.getincrementaldecoder(codec)("replace"), is_unknown


def _undeclared(octets: bytes) -> str:
    """Lenient: text without a charset that is not ASCII is UTF-8, or else from a Windows of western Europe."""
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError as error:
        is_only_cut = error.start > len(octets) - 4
        return octets.decode("utf-8" if is_only_cut else "cp1252", "replace")


class _Identity:
    def feed(self, octets: bytes) -> bytes:
        return octets

    def close(self) -> bytes:
        return b""


class _Base64:
    """RFC 2045 §6.8. Lenient: octets of no meaning anywhere, padding in the middle (joined pieces) or none at all."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, octets: bytes) -> bytes:
        digits = self._rest + octets.translate(None, _NOT_BASE64)
        if b"=" not in digits:
            return self._whole(digits)
        *padded, digits = digits.split(b"=")
        decoded = [self._padded(piece) for piece in padded]
        decoded.append(self._whole(digits))
        return b"".join(decoded)

    def close(self) -> bytes:
        rest, self._rest = self._rest, b""
        return self._padded(rest)

    def _whole(self, digits: bytes) -> bytes:
        cut = len(digits) - len(digits) % 4
        self._rest = digits[cut:]
        return binascii.a2b_base64(digits[:cut])

    @staticmethod
    def _padded(digits: bytes) -> bytes:
        if len(digits) % 4 == 1:
            digits = digits[:-1]  # six bits make no octet
        return binascii.a2b_base64(digits + b"==")


class _QuotedPrintable:
    """RFC 2045 §6.7. Lenient: what is no escape stands for itself, lower-case digits, lines of any length."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, octets: bytes) -> bytes:
        octets = self._rest + octets if self._rest else octets
        decoded = []
        at = 0
        while len(octets) - at > _BLOCK:
            # Cut where nothing is torn: after a line end, or where neither an escape nor a run of space goes on.
            cut = octets.rfind(b"\n", at, at + _BLOCK) + 1
            if cut <= at:
                cut = at + (len(octets[at : at + _BLOCK - 3].rstrip(b" \t=")) or _BLOCK)
                if (escape := octets.rfind(b"=", max(at, cut - 2), cut)) > at:
                    cut = escape
            decoded.append(self._decode(octets[at:cut]))
            at = cut
        self._rest = octets[at:]
        return b"".join(decoded)

    def close(self) -> bytes:
        rest, self._rest = self._rest, b""
        return self._decode(rest)

    @staticmethod
    def _decode(octets: bytes) -> bytes:
        # White space before a line end was added on the way (rule 3).
        if any(space in octets for space in (b" \r\n", b"\t\r\n", b" \n", b"\t\n")):
            octets = _TRAILING_SPACE.sub(b"", octets)
        if b"=\r" in octets:
            # binascii would skip all up to the next line feed.
            octets = _STRAY_RETURN.sub(b"=3D", octets)
        return binascii.a2b_qp(octets)
