"""Content-Type and Content-Disposition: their values and parameters.

RFC 2045 §5.1, RFC 2183, RFC 2231. Reading is lenient and never raises; whoever passes a value bounds its size.
"""

import re
from typing import NamedTuple

from appliance.mail import comment, words
from appliance.mail.header import unfold

Parameters = tuple[tuple[str, str], ...]

#: Parameters of one field, sections of RFC 2231 counted singly: a file name of 255 four-octet characters has 60.
MAX_PARAMETERS = 100

_TOKEN = rb"[!#-'*+.0-9A-Z^-~-]++"  # RFC 2045 §5.1
_TYPE = re.compile(rb"\s*+(" + _TOKEN + rb")\s*+/\s*+(" + _TOKEN + rb")\s*+(?=(;|\Z)?)")
_DISPOSITION = re.compile(rb"\s*+(" + _TOKEN + rb")\s*+(?=;|\Z)")
# A parameter, or else anything up to the next semicolon. Lenient: values without quotes may hold anything.
_PARAMETER = re.compile(
    rb'[\s;]*+(?:([^\s=;"]++)\s*+=\s*+(?:"((?:[^"\\]++|\\.)*+)"?[^;]*+|([^;]*+))|[^;]++)(?:;|\Z)', re.DOTALL
)
# Lenient: a backslash before anything else is a path of Windows.
_QUOTED_PAIR = re.compile(rb'\\(["\\])')
_SECTION = re.compile(r"([^*()]+)(?:\*([0-9]{1,3}))?(\*)?")
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")
_PLAIN_VALUE = re.compile(_TOKEN)
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_QUOTE = re.compile(rb'(["\\])')
# RFC 5987 §3.2.1 attr-char, which is what all readers of RFC 2231 take.
_EXTENDED_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$&+-.^_`|~")
_EXTENDED = tuple(chr(octet) if octet in _EXTENDED_SAFE else f"%{octet:02X}" for octet in range(256))
#: Octets of a composed value, or a section of one, beyond which it is cut: a line has room for it and its name.
SECTION_OCTETS = 50


class ContentType(NamedTuple):
    """A media type; type, subtype and names of parameters in lower case."""

    media_type: str
    subtype: str
    #: Decoded, each name once, as ordered in the field.
    parameters: Parameters

    def __str__(self) -> str:
        return f"{self.media_type}/{self.subtype}"

    def parameter(self, name: str) -> str | None:
        """The value of the parameter of that (lower-case) name."""
        return next((value for known, value in self.parameters if known == name), None)


OCTET_STREAM = ContentType("application", "octet-stream", ())
#: What a part without Content-Type is (RFC 2045 §5.2).
TEXT_PLAIN = ContentType("text", "plain", ())


def parse_content_type(value: bytes) -> ContentType:
    """The media type of a Content-Type value, folded or not.

    Lenient: a value with litter after its subtype counts without parameters; litter between parameters is
    skipped. What has no type, and a multipart with such litter, is application/octet-stream.
    """
    value = unfold(value)
    match = _TYPE.match(value) or _TYPE.match(comment.remove(value))
    if not match:
        return OCTET_STREAM
    media_type, subtype = match[1].decode("ascii").lower(), match[2].decode("ascii").lower()
    if match[3] is None and not value[match.end() :].startswith(b"("):
        return OCTET_STREAM if media_type == "multipart" else ContentType(media_type, subtype, ())
    return ContentType(media_type, subtype, _parse_parameters(match.string[match.end() :]))


def parse_disposition(value: bytes) -> tuple[str, Parameters]:
    """A Content-Disposition value as (lower-case disposition, parameters).

    What has no disposition is `attachment` with the parameters found (RFC 2183 §2.8).
    """
    value = unfold(value)
    if match := _DISPOSITION.match(value):
        return match[1].decode("ascii").lower(), _parse_parameters(value[match.end() :])
    return "attachment", _parse_parameters(value)


def _parse_parameters(value: bytes) -> Parameters:
    """Parameters from the text behind a type, RFC 2231 put together and preferred to the plain form."""
    plain: dict[str, bytes] = {}
    sections: dict[str, dict[int, tuple[bytes, bool]]] = {}
    names: list[str] = []
    for count, match in enumerate(_PARAMETER.finditer(value.rstrip(b"; \t\r\n\v\f"))):
        if count == MAX_PARAMETERS:
            break
        if match[1] is None:
            continue
        section = _SECTION.fullmatch(match[1].decode("utf-8", "replace").lower())
        if not section:
            continue
        octets = _unquoted(match[3]) if match[2] is None else _QUOTED_PAIR.sub(rb"\1", match[2])
        name, is_extended = section[1], section[3] is not None
        if section[2] is None and not is_extended:
            plain.setdefault(name, octets)  # the first of its name counts
        else:
            sections.setdefault(name, {}).setdefault(int(section[2] or 0), (octets, is_extended))
        names.append(name)
    return tuple(
        (name, _join(sections[name]) if name in sections and 0 in sections[name] else _text(name, plain[name]))
        for name in dict.fromkeys(names)
        if name in plain or 0 in sections[name]
    )


def _unquoted(value: bytes) -> bytes:
    """A value that had no quotes. A comment at its end is not meant, but `name(1).pdf` is a name."""
    value = value.strip()
    opening = value.find(b" (") if value.endswith(b")") else -1
    is_comment = opening >= 0 and comment.end(value, opening + 1) == len(value)
    return value[:opening].rstrip() if is_comment else value


def _join(sections: dict[int, tuple[bytes, bool]]) -> str:
    """RFC 2231 §3 and §4: sections up to the first that is missing, in the character set the first one names."""
    charset = b""
    octets: list[bytes] = []
    for number in range(len(sections)):
        if number not in sections:
            break
        section, is_extended = sections[number]
        if is_extended:
            if number == 0 and section.count(b"'") >= 2:
                charset, _, section = section.split(b"'", 2)
            section = _PERCENT.sub(lambda match: bytes((int(match[1], 16),)), section)
        octets.append(section)
    return words.charset_decode(b"".join(octets), charset.decode("ascii", "replace") or "utf-8")


def _text(name: str, octets: bytes) -> str:
    # Lenient: RFC 2047 §5 forbids encoded words here, Outlook and many others send them. A boundary is no text.
    return words.decode(octets) if name != "boundary" else octets.decode("utf-8", "replace")
