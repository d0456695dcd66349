"""A message as applications are told of it, by webhooks and the webapi: plain values, and their JSON.

Names in JSON are those of mox, which clients know. Nothing here raises because of what a message holds.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from appliance.mail import address, date, decode, header, words
from appliance.mail.address import AddressLimits, Mailbox
from appliance.mail.domain import DomainError, parse_domain
from appliance.mail.header import Field
from appliance.mail.part import IDENTITY_ENCODINGS, Part
from appliance.mail.text import Reader

#: Parts of names that JSON has in capitals.
_CAPITALS: Final = frozenset({"bcc", "cc", "dkim", "dsn", "html", "id", "ip", "smtp", "tls", "url"})
_MESSAGE_ID: Final = re.compile(r"<[^<>\s]{1,996}>")
#: Ids of References that are told, from the last.
_REFERENCES: Final = 1000
#: Octets decoded at once.
_PIECE: Final = 64 * 1024
#: A character of decoded text takes at most so many octets: a line end two, any other three in quoted-printable.
_LINE_END: Final = 2
_ENCODED: Final = 3
#: Fields of lists and machines; their being there is enough.
_AUTOMATIC_FIELDS: Final = frozenset({b"list-id", b"list-unsubscribe", b"list-unsubscribe-post", b"precedence"})


def json_name(name: str) -> str:
    """The name in JSON of a field of ours: `reply_to` is ReplyTo, `message_id` MessageID."""
    return "".join(one.upper() if one in _CAPITALS else one.capitalize() for one in name.strip("_").split("_"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldLimits:
    """How much applications are told."""

    address: AddressLimits
    #: Of the text, and of the HTML: octets of UTF-8.
    text_octets: int


class NameAddress(msgspec.Struct, frozen=True, rename=json_name):
    """An address with its display name, which may be empty."""

    name: str = ""
    #: `localpart@domain`, quoted if need be, the domain in U-labels. Empty for what is no address: `name` has it then.
    address: str = ""


class Structure(msgspec.Struct, frozen=True, rename=json_name):
    """A MIME part and those within it. Messages within are leaves."""

    #: `type/subtype` in lower case.
    content_type: str
    #: Names in lower case.
    content_type_params: dict[str, str]
    #: With its brackets; empty without one.
    content_id: str
    #: In lower case; empty without one.
    content_disposition: str
    filename: str
    #: Octets once decoded, line ends of text counted as CRLF; 0 for a multipart.
    decoded_size: int
    parts: tuple["Structure", ...]


class Message(msgspec.Struct, frozen=True, rename=json_name):
    """What a message says, for programs that know no MIME."""

    from_: tuple[NameAddress, ...]
    to: tuple[NameAddress, ...]
    cc: tuple[NameAddress, ...]
    bcc: tuple[NameAddress, ...]
    reply_to: tuple[NameAddress, ...]
    #: With brackets, as are `references`; empty without one.
    message_id: str
    #: Oldest first; what In-Reply-To has beside comes before them.
    references: tuple[str, ...]
    date: datetime | None
    subject: str
    #: Line ends are LF.
    text: str
    html: str


class Header:
    """The fields of a message's header that are told."""

    def __init__(self, octets: bytes, fields: Sequence[Field], limits: AddressLimits) -> None:
        self._octets = octets
        self._limits = limits
        self._fields: dict[bytes, list[Field]] = {}
        for field in fields:
            self._fields.setdefault(field.name.lower(), []).append(field)

    def _values(self, name: bytes) -> list[bytes]:
        return [header.content(self._octets, field) for field in self._fields.get(name, ())]

    def _first(self, name: bytes) -> bytes:
        return header.content(self._octets, found[0]) if (found := self._fields.get(name)) else b""

    def _ids(self, name: bytes) -> list[str]:
        return _MESSAGE_ID.findall(b" ".join(self._values(name)).decode("utf-8", "replace"))

    def addresses(self, name: bytes) -> tuple[NameAddress, ...]:
        """Those of all fields of a (lower-case) name, of groups too; a value that has none is told as it is."""
        if not (value := b", ".join(self._values(name))):
            return ()
        entries = address.parse_list(value, self._limits)
        if not entries:
            return (NameAddress(words.decode(value[: self._limits.octets]), ""),)
        return tuple(map(_name_address, address.mailboxes(entries)))

    @property
    def subject(self) -> str:
        return words.decode(self._first(b"subject"))

    @property
    def message_id(self) -> str:
        """With brackets; empty without one."""
        return (self._ids(b"message-id") or [""])[0]

    @property
    def in_reply_to(self) -> str:
        """The first id it answers, with brackets; empty without one."""
        return (self._ids(b"in-reply-to") or [""])[0]

    @property
    def references(self) -> tuple[str, ...]:
        """The ids of References, oldest first; one of In-Reply-To that is not among them comes before."""
        found = self._ids(b"references")[-_REFERENCES:]
        parent = self.in_reply_to
        return tuple([parent, *found] if parent and parent not in found else found)

    @property
    def date(self) -> datetime | None:
        value = self._first(b"date")
        return date.parse(value) if value else None

    def is_automated(self, root: Part) -> bool:
        """Whether a machine sent it: a list, a newsletter, a report, an answer of nobody (RFC 3834 §5)."""
        if not _AUTOMATIC_FIELDS.isdisjoint(self._fields):
            return True
        submitted = self._first(b"auto-submitted")
        if b"auto-submitted" in self._fields and submitted.partition(b";")[0].strip().lower() != b"no":
            return True
        return (root.media_type, root.subtype) == ("multipart", "report")


def message(head: Header, root: Part, read: Reader, limits: ToldLimits) -> Message:
    """What a message says. Decodes text: in a thread for what is not small."""
    text, html = texts(root, read, limits)
    return Message(
        from_=head.addresses(b"from"),
        to=head.addresses(b"to"),
        cc=head.addresses(b"cc"),
        bcc=head.addresses(b"bcc"),
        reply_to=head.addresses(b"reply-to"),
        message_id=head.message_id,
        references=head.references,
        date=head.date,
        subject=head.subject,
        text=text,
        html=html,
    )


def texts(root: Part, read: Reader, limits: ToldLimits) -> tuple[str, str]:
    """The first plain text or HTML that is no attachment; both only where they are alternatives (RFC 2046 §5.1.4)."""
    plain, html = _readable(root)
    return _text(plain, read, limits.text_octets), _text(html, read, limits.text_octets)


def structure(root: Part, read: Reader) -> Structure:
    """The parts of a message. Decodes what is encoded, to know its size: in a thread for what is not small."""
    return Structure(
        content_type=f"{root.media_type}/{root.subtype}",
        content_type_params=dict(root.parameters),
        content_id=root.content_id or "",
        content_disposition=root.disposition or "",
        filename=root.filename or "",
        decoded_size=0 if root.is_multipart else _decoded_size(root, read),
        parts=tuple(structure(part, read) for part in root.parts) if root.is_multipart else (),
    )


def _name_address(mailbox: Mailbox) -> NameAddress:
    spelled = mailbox.addr_spec
    try:
        domain = parse_domain(mailbox.domain, lax=True).unicode
        spelled = f"{address.spell_localpart(mailbox.localpart)}@{domain}"
    except DomainError:
        pass
    return NameAddress(mailbox.name, spelled)


def _readable(part: Part) -> tuple[Part | None, Part | None]:
    """The plain and the HTML part to be told; the depth of parts is limited by the scan."""
    if not part.is_multipart:
        if part.media_type != "text" or part.is_attachment:
            return None, None
        return (part if part.subtype == "plain" else None), (part if part.subtype == "html" else None)
    plain = html = None
    for one in part.parts:
        found = _readable(one)
        plain, html = plain or found[0], html or found[1]
        if (plain or html) and not (part.subtype == "alternative" and not (plain and html)):
            break
    return plain, html


def _text(part: Part | None, read: Reader, most: int) -> str:
    if part is None:
        return ""
    room = most * (_LINE_END if part.encoding in IDENTITY_ENCODINGS else _ENCODED)
    end = min(part.end, part.body + room)
    text = decode.part_text(part, read(part.body, end))
    if end < part.end:
        text = text.rstrip("\ufffd\r")  # Whatever was cut in two.
    octets = text.replace("\r\n", "\n").encode("utf-8", "replace")
    return octets[:most].decode("utf-8", "ignore")


def _decoded_size(part: Part, read: Reader) -> int:
    if part.decoded_size >= 0:
        return part.decoded_size
    try:
        decoding = decode.decoder(part.encoding)
    except decode.UnknownEncoding:
        return part.end - part.body
    size, before = 0, b""
    for start in range(part.body, part.end, _PIECE):
        octets = decoding.feed(read(start, min(part.end, start + _PIECE)))
        size += _canonical_size(part, before, octets)
        before = octets[-1:] or before
    return size + _canonical_size(part, before, decoding.close())


def _canonical_size(part: Part, before: bytes, octets: bytes) -> int:
    """Octets of decoded content, line feeds of text that stand alone counted twice (RFC 2045 §6.8)."""
    if part.media_type != "text":
        return len(octets)
    joined = before + octets
    lone = joined.count(b"\n") - joined.count(b"\r\n") - (before == b"\n")
    return len(octets) + lone
