"""Content as it was before it was encoded for the journey (RFC 2045 §6)."""

import binascii
import quopri
import re
from typing import Final

from appliance.mail import words
from appliance.mail.part import IDENTITY_ENCODINGS, Part

_NOT_BASE64: Final = re.compile(rb"[^A-Za-z0-9+/]+")
_TRAILING_SPACE: Final = re.compile(rb"[ \t]+(?=\r?\n)")


class UnknownEncoding(Exception):
    """A Content-Transfer-Encoding that nobody knows."""


def decode_transfer(octets: bytes, encoding: str) -> bytes:
    """Decoded content. Raises UnknownEncoding. Lenient: stray characters, missing padding (M-89)."""
    if encoding in IDENTITY_ENCODINGS:
        return octets
    if encoding == "base64":
        return decode_base64(octets)
    if encoding == "quoted-printable":
        return quopri.decodestring(octets)
    if encoding in {"x-uuencode", "uuencode", "x-uue", "uue"}:
        return _decode_uu(octets)
    raise UnknownEncoding(encoding)


def decode_base64(octets: bytes) -> bytes:
    """Base64 up to its padding."""
    try:
        # The usual case, at the speed of C: line ends are skipped.
        return binascii.a2b_base64(octets)
    except binascii.Error:
        pass
    data = _NOT_BASE64.sub(b"", octets.partition(b"=")[0])
    if len(data) % 4 == 1:
        data = data[:-1]
    return binascii.a2b_base64(data + b"=" * (-len(data) % 4))


def _decode_uu(octets: bytes) -> bytes:
    found = []
    lines = iter(octets.split(b"\n"))
    for line in lines:
        if line.startswith(b"begin "):
            break
    for line in lines:
        line = line.rstrip(b"\r")
        if line.startswith(b"end"):
            break
        try:
            found.append(binascii.a2b_uu(line))
        except binascii.Error:
            # Lenient: trailing garbage of some encoders; as many octets as the first character says.
            count = ((line[0] - 32) & 63) * 4 // 3 + 5 if line else 0
            try:
                found.append(binascii.a2b_uu(line[:count]))
            except binascii.Error:
                continue
    return b"".join(found)


def part_text(part: Part, octets: bytes) -> str:
    """Text of a part from its encoded body; what cannot be decoded is taken as it is."""
    try:
        decoded = decode_transfer(octets, part.encoding)
    except UnknownEncoding:
        decoded = octets
    return words.charset_decode(decoded, part.parameter("charset") or "us-ascii")
