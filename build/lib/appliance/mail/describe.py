"""What the header of a part says about the part: type, encoding, disposition and the rest.

RFC 2045 §5 to §8, RFC 2183, RFC 3282, RFC 1864, RFC 2557 §4. Part of scan, which knows where the header is.
"""

import re
from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from appliance.mail import parameters
from appliance.mail.header import Field, content
from appliance.mail.parameters import ContentType

BAD_CONTENT_TYPE = "malformed content type"


class Described(msgspec.Struct, frozen=True):
    """The facts of a part header, as Part has them; the defaults are those of RFC 2045 §5.2."""

    media_type: str = "text"
    subtype: str = "plain"
    parameters: tuple[tuple[str, str], ...] = ()
    encoding: str = "7bit"
    content_id: str | None = None
    description: str | None = None
    md5: str | None = None
    disposition: str | None = None
    disposition_parameters: tuple[tuple[str, str], ...] = ()
    languages: tuple[str, ...] = ()
    location: str | None = None
    defects: tuple[str, ...] = ()

    @property
    def is_multipart(self) -> bool:
        return self.media_type == "multipart"

    @property
    def is_message(self) -> bool:
        """Whether a message is nested in this part (RFC 2046 §5.2.1, RFC 6532 §3.7)."""
        return self.media_type == "message" and self.subtype in {"rfc822", "global"}

    @property
    def is_digest(self) -> bool:
        """Whether its parts are messages unless they say otherwise (RFC 2046 §5.1.5)."""
        return self.media_type == "multipart" and self.subtype == "digest"

    @property
    def boundary(self) -> bytes | None:
        """What separates the parts of a multipart, None when nothing can."""
        boundary = dict(self.parameters).get("boundary", "").rstrip(" \t")
        if not boundary or "\n" in boundary:
            return None
        return boundary.encode("utf-8", "replace")

    @property
    def size(self) -> int:
        """Characters of all texts."""
        size = sum(map(len, self.languages))
        for text in (self.content_id, self.description, self.md5, self.disposition, self.location):
            if text:
                size += len(text)
        for name, value in self.parameters + self.disposition_parameters:
            size += len(name) + len(value)
        return size

    def marked(self, defect: str) -> "Described":
        """The same with one more defect."""
        return replace(self, defects=(*self.defects, defect))

    def as_text(self, defect: str) -> "Described":
        """Plain text instead of a multipart that is none: people may want to read it, and filters must."""
        return replace(self.marked(defect), media_type="text", subtype="plain", parameters=())

    def as_octets(self, defect: str) -> "Described":
        """A leaf that is not looked into."""
        return replace(self.marked(defect), media_type="application", subtype="octet-stream", parameters=())


def opaque(defect: str) -> Described:
    """A leaf of which nothing is known."""
    return Described(media_type="application", subtype="octet-stream", defects=(defect,))


_WANTED = frozenset(
    b"content-" + name
    for name in (
        b"type", b"transfer-encoding", b"id", b"description", b"md5", b"disposition", b"language", b"location"
    )
)  # fmt: skip
_LENGTHS = frozenset(map(len, _WANTED))
_TOKEN = re.compile(rb"[^\s()<>@,;:\\\x22/\[\]?=\x00-\x1f\x7f-\xff]++")
_COMMENT = re.compile(rb"\([^()]*+\)")
_SPACE = re.compile(r"\s++")


def describe(octets: bytes, fields: Sequence[Field], *, is_digest: bool) -> Described:
    """What the fields of one header say; `is_digest` of a part directly in a multipart/digest. Never raises.

    Of repeated fields the first counts.
    """
    values: dict[bytes, bytes] = {}
    for field in fields:
        name = field.name
        if len(name) in _LENGTHS and name[0] in b"Cc" and (name := name.lower()) in _WANTED and name not in values:
            values[name] = content(octets, field)
    default = ("message", "rfc822") if is_digest else ("text", "plain")
    if not values:
        return Described(*default)

    def text(name: bytes) -> str | None:
        value = values.get(b"content-" + name)
        return value.decode("utf-8", "replace") if value else None

    content_type = ContentType(*default, ())
    defects: tuple[str, ...] = ()
    if value := values.get(b"content-type"):
        content_type = parameters.parse_content_type(value)
        if content_type is parameters.OCTET_STREAM:
            defects = (BAD_CONTENT_TYPE,)
    disposition: str | None = None
    disposition_parameters: parameters.Parameters = ()
    if value := values.get(b"content-disposition"):
        disposition, disposition_parameters = parameters.parse_disposition(value)
    location = text(b"location")
    return Described(
        media_type=content_type.media_type,
        subtype=content_type.subtype,
        parameters=content_type.parameters,
        encoding=_encoding(encoding) if (encoding := values.get(b"content-transfer-encoding")) else "7bit",
        content_id=text(b"id"),
        description=text(b"description"),
        md5=text(b"md5"),
        disposition=disposition,
        disposition_parameters=disposition_parameters,
        languages=_languages(languages) if (languages := values.get(b"content-language")) else (),
        # Folded within a long URL, it is one URL all the same (RFC 2557 §4.4.2).
        location=_SPACE.sub("", location) if location else None,
        defects=defects,
    )


def _encoding(value: bytes) -> str:
    """Lenient: comments, quotes and parameters around the token."""
    token = _TOKEN.search(_COMMENT.sub(b"", value))
    return token[0].decode("ascii").lower() if token else "7bit"


def _languages(value: bytes) -> tuple[str, ...]:
    tags = _COMMENT.sub(b"", value).decode("utf-8", "replace").split(",")
    return tuple(tag for tag in map(str.strip, tags) if tag)
