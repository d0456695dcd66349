"""Writing parameters of Content-Type and Content-Disposition (RFC 2045 §5.1, RFC 2231). Reading is for parameters."""

import re
from collections.abc import Iterable

#: Octets of a value, or a section of one, beyond which it is cut: a line has room for it and its name.
SECTION_OCTETS = 50

_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_TOKEN = re.compile(rb"[!#-'*+.0-9A-Z^-~-]++")
_QUOTE = re.compile(rb'(["\\])')
# RFC 5987 §3.2.1 attr-char, which is what all readers of RFC 2231 take.
_EXTENDED_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$&+-.^_`|~")
_EXTENDED = tuple(chr(octet) if octet in _EXTENDED_SAFE else f"%{octet:02X}" for octet in range(256))


def format_parameters(parameters: Iterable[tuple[str, str]], *, utf8: bool = False) -> bytes:
    """Parameters to follow a type, each with `; ` before it, to be folded at spaces.

    Text beyond ASCII and long values go by RFC 2231; with `utf8`, short ones as they are (RFC 6532). Names are
    tokens of the caller's.
    """
    return b"".join(b"; " + part for name, value in parameters for part in _parameter(name, value, utf8))


def _parameter(name: str, value: str, utf8: bool) -> list[bytes]:
    octets, label = value.encode("utf-8", "replace"), name.encode("ascii")
    # What looks like an encoded word would be read as one by lenient readers, ourselves among them.
    is_plain = (utf8 or value.isascii()) and b"=?" not in octets and _CONTROL.search(octets) is None
    if is_plain and len(octets) <= SECTION_OCTETS:
        quoted = octets if _TOKEN.fullmatch(octets) else b'"' + _QUOTE.sub(rb"\\\1", octets) + b'"'
        return [label + b"=" + quoted]
    sections = [bytearray(b"utf-8''")]
    for octet in octets:
        piece = _EXTENDED[octet].encode()
        if len(sections[-1]) + len(piece) > SECTION_OCTETS:
            sections.append(bytearray())
        sections[-1] += piece
    if len(sections) == 1:
        return [label + b"*=" + sections[0]]
    return [b"%s*%d*=%s" % (label, number, section) for number, section in enumerate(sections)]
