"""An Email that is created, as a message: its header, its tree of parts, their content (RFC 8621 §4.6)."""

import re
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from appliance.mail import compose, header
from appliance.mail.letter import Section, multipart_section, text_section
from appliance.mail.parameterformat import format_parameters
from appliance.mail.parameters import OCTET_STREAM, ContentType, parse_content_type
from appliance.servers.web.jmap.blobs import Blob
from appliance.servers.web.jmap.call import Call
from appliance.servers.web.jmap.email import headerfields, headerforms
from appliance.servers.web.jmap.email.headerforms import CONVENIENT, HeaderProperty
from appliance.servers.web.jmap.problem import SetError, invalid_properties
from appliance.servers.web.stored import media_type_of

Value = dict[str, Any]

#: Parts within one another, and all together.
_DEPTH: Final = 20
_PARTS: Final = 500
#: Header fields of a message.
_FIELDS: Final = 200
_LINE_OCTETS: Final = 998

_TYPE: Final = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}")
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+^_`{|}~.-]{1,100}")
_CID: Final = re.compile(r"[^<>\s\x00-\x1f\x7f]{1,500}")
_PART_PROPERTIES: Final = frozenset(
    "partId blobId size type charset disposition name cid language location subParts".split()
)
#: Properties of an Email beside those that are header fields; what only the server sets is not among them.
PROPERTIES: Final = frozenset(
    "mailboxIds keywords receivedAt bodyStructure bodyValues textBody htmlBody attachments".split()
)
#: Fields of a part, and the properties that are the same fields. Beside a Content-Type that is given, a name is that of
#: Content-Disposition alone (RFC 8621 §4.1.4).
_OWN_PART_FIELDS: Final = {
    "content-type": ("type", "charset"),
    "content-disposition": ("disposition", "name"),
    "content-id": ("cid",),
    "content-language": ("language",),
    "content-location": ("location",),
}


def blob_ids(email: Value) -> list[str]:
    """The blobs that parts of an email are made of."""
    found: dict[str, None] = {}
    waiting = [email.get(name) for name in ("bodyStructure", "textBody", "htmlBody", "attachments")]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting.extend(one)
        elif isinstance(one, dict):
            if isinstance(id := one.get("blobId"), str):
                found[id] = None
            waiting.append(one.get("subParts"))
        if len(found) > _PARTS:
            raise SetError("tooLarge", "there are too many parts")
    return list(found)


@dataclass
class Composer:
    """Makes the message of one Email, in a thread."""

    call: Call
    #: Those of `blob_ids`.
    blobs: Mapping[str, Blob]
    values: Mapping[str, Any] = field(default_factory=dict)
    parts: int = 0

    def boundary(self) -> str:
        """One that nobody could have guessed."""
        return "=_" + urlsafe_b64encode(self.call.app.random.token_bytes(18)).decode()

    def pieces(self, email: Value) -> Iterator[bytes]:
        """The octets of the message. Raises SetError, before the first."""
        fields = self._header(email)
        self.values = _object(email.get("bodyValues") or {}, "bodyValues")
        root = self._body(email, frozenset(fields))
        return self._all([line for lines in fields.values() for line in lines], root)

    @staticmethod
    def _all(head: Sequence[bytes], root: Section) -> Iterator[bytes]:
        yield b"".join((*head, *root.fields, b"\r\n"))
        yield from root.pieces()

    # The header.

    def _header(self, email: Value) -> dict[str, list[bytes]]:
        """Lines by lower-case name, in the order of the properties."""
        found: dict[str, list[bytes]] = {}
        for property, value in email.items():
            if property == "headers":
                raise invalid_properties("give each header field as a property of its own", property)
            if property in PROPERTIES:
                continue
            one = _field(property)
            if one.name.startswith("content-") or one.name == "mime-version":
                raise invalid_properties(f"{one.label} is a field of parts", property)
            if one.name in found:
                raise invalid_properties(f"two properties are the header field {one.label}", property)
            found[one.name] = headerfields.lines_of(one, value)
        if len(found) > _FIELDS or sum(map(len, found.values())) > 2 * _FIELDS:
            raise SetError("tooLarge", f"at most {_FIELDS} header fields")
        app = self.call.app
        if not found.get("date"):
            found["date"] = [compose.date_field(app.clock.now())]
        if not found.get("message-id"):
            made = compose.message_id(app.random.token_bytes(16), self.call.config.static.hostname.domain)
            found["message-id"] = [header.fold(b"Message-ID", made.encode())]
        found["mime-version"] = [b"MIME-Version: 1.0\r\n"]
        return found

    # The body.

    def _body(self, email: Value, fields: frozenset[str]) -> Section:
        simple = [name for name in ("textBody", "htmlBody", "attachments") if email.get(name) is not None]
        if email.get("bodyStructure") is not None:
            if simple:
                raise invalid_properties(f"bodyStructure and {simple[0]} are two bodies", "bodyStructure", *simple)
            return self._part(email["bodyStructure"], "bodyStructure", fields, 0)
        text, html = self._only(email, "textBody", "text/plain"), self._only(email, "htmlBody", "text/html")
        beside = email.get("attachments") or []
        if not isinstance(beside, list):
            raise invalid_properties("attachments are a list", "attachments")
        if len(beside) > _PARTS:
            raise SetError("tooLarge", "there are too many parts")
        inline = [one for one in beside if html is not None and _is_inline(one)]
        shown = set(map(id, inline))
        attached = [one for one in beside if id(one) not in shown]
        forms = [one for one in (text, html) if one is not None]
        if html is not None and inline:
            parts = [html, *(self._part(one, "attachments", frozenset(), 1) for one in inline)]
            forms[-1] = multipart_section("related", parts, self.boundary(), (("type", "text/html"),))  # RFC 2387 §3.1
        root = forms[0] if len(forms) == 1 else None
        if len(forms) == 2:
            root = multipart_section("alternative", forms, self.boundary())
        if attached:
            parts = [self._part(one, "attachments", frozenset(), 1) for one in attached]
            return multipart_section("mixed", [*([root] if root else []), *parts], self.boundary())
        return root or text_section("", "plain")

    def _only(self, email: Value, name: str, kind: str) -> Section | None:
        parts = email.get(name)
        if parts is None:
            return None
        if not isinstance(parts, list) or len(parts) != 1 or not isinstance(parts[0], dict):
            raise invalid_properties(f"{name} has exactly one part", name)
        return self._part(parts[0], name, frozenset(), 1, only=kind)

    def _part(self, part: Any, path: str, outer: frozenset[str], depth: int, only: str = "") -> Section:
        """A part. `outer`: header fields that stand in the header of the message already; `only`: what it must be."""
        self.parts += 1
        if depth > _DEPTH or self.parts > _PARTS:
            raise SetError("tooLarge", "there are too many parts")
        if not isinstance(part, dict):
            raise invalid_properties("a part is an object", path)
        part = {name: value for name, value in part.items() if value is not None}
        fields, given = self._part_fields(part, path, outer)
        inner = part.get("subParts")
        kind = part.get("type", "multipart/mixed" if inner is not None else only or None)
        if given.content_type is not None:
            kind = str(given.content_type)
        if kind is not None and not (isinstance(kind, str) and _TYPE.fullmatch(kind)):
            raise invalid_properties("that is no media type", f"{path}/type")
        if only and str(kind).lower() != only:
            raise invalid_properties(f"{path} is {only}", f"{path}/0/type")
        if inner is not None or (kind or "").lower().startswith("multipart/"):
            return self._multipart(part, str(kind).lower(), fields, given, path, depth)
        if ("partId" in part) == ("blobId" in part):
            raise invalid_properties("a part has a partId or a blobId, and not both", path)
        if "partId" in part:
            return self._text(part, (kind or "text/plain").lower(), fields, given, path)
        return self._file(part, kind, fields, given, path)

    def _multipart(
        self, part: Value, kind: str, fields: list[bytes], given: "_Given", path: str, depth: int
    ) -> Section:
        inner = part.get("subParts")
        if not kind.startswith("multipart/") or not isinstance(inner, list) or not inner:
            raise invalid_properties("parts stand within a multipart type", f"{path}/subParts")
        if "partId" in part or "blobId" in part:
            raise invalid_properties("a multipart has no content but its parts", path)
        below = [self._part(one, f"{path}/subParts/{at}", frozenset(), depth + 1) for at, one in enumerate(inner)]
        section = multipart_section(kind.partition("/")[2], below, self.boundary(), given.parameters("boundary"))
        return _with(section, fields + _disposition(part, given, path))

    def _text(self, part: Value, kind: str, fields: list[bytes], given: "_Given", path: str) -> Section:
        for name in ("charset", "size"):
            if name in part:
                raise invalid_properties(f"a part of bodyValues has no {name}", f"{path}/{name}")
        id = part["partId"]
        value = self.values.get(id) if isinstance(id, str) else None
        if not isinstance(value, dict) or not isinstance(value.get("value"), str):
            raise invalid_properties("there is no such part in bodyValues", f"{path}/partId")
        for name in ("isEncodingProblem", "isTruncated"):
            if value.get(name, False) is not False:
                raise invalid_properties(f"{name} is false", f"bodyValues/{id}/{name}")
        if unknown := value.keys() - {"value", "isEncodingProblem", "isTruncated"}:
            raise invalid_properties("there is no such property", f"bodyValues/{id}/{min(unknown)}")
        if not kind.startswith("text/"):
            raise invalid_properties("a text has a type of text", f"{path}/type")
        section = text_section(value["value"], kind.partition("/")[2])
        name = _name(part, path)
        more = given.parameters("charset") if given.line is not None else (("name", name),) if name else ()
        if more:
            content_type, *others = section.fields
            charset = content_type.rstrip(b"\r\n").partition(b":")[2].strip() + format_parameters(more)
            section = Section((header.fold(b"Content-Type", charset), *others), section.pieces, section.eight_bit)
        return _with(section, fields + _disposition(part, given, path))

    def _file(self, part: Value, kind: str | None, fields: list[bytes], given: "_Given", path: str) -> Section:
        id = part["blobId"]
        if not isinstance(id, str):
            raise invalid_properties("that is no blob", f"{path}/blobId")
        blob = self.blobs[id]
        kind = (kind or media_type_of(blob.media_type.partition(";")[0])).lower()
        charset = part.get("charset")
        if charset is not None and not (isinstance(charset, str) and _TOKEN.fullmatch(charset)):
            raise invalid_properties("that is no character set", f"{path}/charset")
        name = _name(part, path)
        parameters = []
        if charset is not None:
            parameters.append(("charset", charset))
        if name:
            parameters.append(("name", name))
        encoding, eight_bit = b"base64", False
        if kind.startswith("message/"):
            is_fit, eight_bit = _is_fit(blob)
            if not is_fit:
                kind, given = (
                    "application/octet-stream",
                    given.without_type(),
                )  # What must not be encoded (RFC 2046 §5.2.1), and cannot go as it is.
            else:
                encoding = b"8bit" if eight_bit else b"7bit"
        head = [
            given.line or header.fold(b"Content-Type", kind.encode() + format_parameters(parameters)),
            b"Content-Transfer-Encoding: " + encoding + b"\r\n",
            *(
                _disposition(part, given, path)
                or [header.fold(b"Content-Disposition", b"attachment" + _filename(name))]
            ),
        ]
        pieces: Callable[[], Iterator[bytes]] = blob.pieces if encoding != b"base64" else lambda: _base64(blob.pieces())
        return _with(Section(tuple(head), pieces, eight_bit), fields)

    def _part_fields(self, part: Value, path: str, outer: frozenset[str]) -> "tuple[list[bytes], _Given]":
        """Lines of the fields of a part that nothing else makes; and what is given of the others."""
        found: list[bytes] = []
        given = _Given()
        names: set[str] = set()
        for property, value in part.items():
            if property == "headers":
                raise invalid_properties("give each header field as a property of its own", f"{path}/headers")
            if property in _PART_PROPERTIES:
                continue
            one = _field(property, path)
            if one.name in {"content-transfer-encoding", "mime-version"}:
                raise invalid_properties(f"{one.label} is the server's to choose", f"{path}/{property}")
            if one.name in names or one.name in outer:
                raise invalid_properties(f"two properties are the header field {one.label}", f"{path}/{property}")
            names.add(one.name)
            lines = headerfields.lines_of(one, value)
            same = [name for name in _OWN_PART_FIELDS.get(one.name, ()) if name in part]
            if same or (one.name in _OWN_PART_FIELDS and len(lines) > 1):
                raise invalid_properties(f"{one.label} is there twice", f"{path}/{property}", *same)
            if one.name == "content-type" and lines:
                given = given.with_type(lines[0], f"{path}/{property}")
            elif one.name == "content-disposition" and lines:
                given = replace(given, disposition=lines[0])
            else:
                found += lines
        if (cid := part.get("cid")) is not None:
            if not (isinstance(cid, str) and _CID.fullmatch(cid) and cid.isascii()):
                raise invalid_properties("that is no Content-ID", f"{path}/cid")
            found.append(header.fold(b"Content-ID", f"<{cid}>".encode()))
        if (languages := part.get("language")) is not None:
            if not isinstance(languages, list) or not all(
                isinstance(one, str) and _TOKEN.fullmatch(one) for one in languages
            ):
                raise invalid_properties("languages are a list of tags", f"{path}/language")
            if languages:
                found.append(header.fold(b"Content-Language", ", ".join(languages).encode()))
        if (location := part.get("location")) is not None:
            if not (isinstance(location, str) and location.isascii() and _CID.fullmatch(location)):
                raise invalid_properties("that is no URI", f"{path}/location")
            found.append(header.fold(b"Content-Location", location.encode()))
        return found, given


@dataclass(frozen=True, slots=True)
class _Given:
    """Fields of a part that a client gives as such, in place of properties (RFC 8621 §4.6)."""

    #: Content-Type, and what it says.
    line: bytes | None = None
    content_type: ContentType | None = None
    disposition: bytes | None = None

    def with_type(self, line: bytes, where: str) -> "_Given":
        """With a Content-Type. Raises SetError."""
        value = line.partition(b":")[2]
        parsed = parse_content_type(value)
        if parsed == OCTET_STREAM and not value.strip().lower().startswith(str(OCTET_STREAM).encode()):
            raise invalid_properties("that is no media type", where)
        return replace(self, line=line, content_type=parsed)

    def without_type(self) -> "_Given":
        """It cannot be of this type."""
        return replace(self, line=None, content_type=None)

    def parameters(self, but: str) -> tuple[tuple[str, str], ...]:
        """What else the Content-Type says: all parameters but the one that is ours to choose."""
        if self.content_type is None:
            return ()
        return tuple(
            (name, text) for name, text in self.content_type.parameters if name != but and _TOKEN.fullmatch(name)
        )


def _field(property: str, path: str = "") -> HeaderProperty:
    where = f"{path}/{property}" if path else property
    if not path and property in CONVENIENT:
        return CONVENIENT[property]
    try:
        found = headerforms.parse_property(property)
    except ValueError as error:
        raise invalid_properties(str(error), where) from error
    if found is None:
        raise invalid_properties(f"{property[:100]} cannot be set", where)
    return found


def _object(value: Any, name: str) -> Value:
    if not isinstance(value, dict):
        raise invalid_properties(f"{name} is an object", name)
    return value


def _is_inline(part: Any) -> bool:
    """Whether HTML shows it."""
    return isinstance(part, dict) and str(part.get("disposition")).lower() == "inline" and bool(part.get("cid"))


def _name(part: Value, path: str) -> str:
    name = part.get("name", "")
    if not isinstance(name, str):
        raise invalid_properties("a name is text", f"{path}/name")
    return re.sub(r"[\x00-\x1f\x7f]", " ", name)[:500]


def _filename(name: str) -> bytes:
    return format_parameters((("filename", name),)) if name else b""


def _disposition(part: Value, given: _Given, path: str) -> list[bytes]:
    if given.disposition is not None:
        return [given.disposition]
    value = part.get("disposition")
    if value is None and given.line is not None and _name(part, path):
        value = "attachment"  # Or the name would stand nowhere.
    if value is None:
        return []
    if not (isinstance(value, str) and _TOKEN.fullmatch(value)):
        raise invalid_properties("that is no disposition", f"{path}/disposition")
    return [header.fold(b"Content-Disposition", value.lower().encode() + _filename(_name(part, path)))]


def _with(section: Section, fields: Sequence[bytes]) -> Section:
    return Section((*section.fields, *fields), section.pieces, section.eight_bit) if fields else section


def _base64(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Lines of 76, whatever the pieces are."""
    rest = b""
    for octets in pieces:
        octets = rest + octets
        whole = len(octets) - len(octets) % 57
        yield compose.base64_lines(octets[:whole])
        rest = octets[whole:]
    yield compose.base64_lines(rest)


def _is_fit(blob: Blob) -> tuple[bool, bool]:
    """Whether octets may go as they are, with whole line ends and no long line; and whether they go beyond ASCII."""
    eight_bit = False
    rest = b""
    for octets in blob.pieces():
        eight_bit = eight_bit or not octets.isascii()
        octets = rest + octets
        # A line end that is cut in two.
        rest = octets[octets.rfind(b"\n") + 1 :]
        whole = octets[: len(octets) - len(rest)]
        if b"\0" in octets or len(rest) > _LINE_OCTETS + 2:
            return False, eight_bit
        if whole.count(b"\n") != whole.count(b"\r\n") or whole.count(b"\r") != whole.count(b"\n"):
            return False, eight_bit
        if any(len(line) > _LINE_OCTETS + 1 for line in whole.split(b"\n")):
            return False, eight_bit
    return b"\r" not in rest, eight_bit
