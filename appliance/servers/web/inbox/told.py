"""A caught message as JSON: what a test asserts on."""

import re
from datetime import UTC, datetime
from html import unescape
from typing import Final

import msgspec

from appliance.base import limits
from appliance.mail import decode, display, flatten, header, html, htmlcheck, told, words
from appliance.mail.htmlcheck import Hint
from appliance.mail.part import Part
from appliance.operations.caught import Caught
from appliance.servers.web.stored import Stored
from appliance.servers.web.webmail.documents import file_name
from appliance.store import objectid
from appliance.store.records import SEEN


class Wire(msgspec.Struct, rename="camel", kw_only=True):
    """Fields are in camel case."""


class Person(Wire):
    """An address with its name."""

    name: str
    address: str


class Brief(Wire):
    """A message in a list."""

    id: str
    #: Of the envelope: whom the program wrote to, and as whom.
    rcpt_to: str
    mail_from: str
    from_: tuple[Person, ...] = msgspec.field(name="from")
    to: tuple[Person, ...]
    subject: str
    received: datetime
    size: int
    mailbox: str
    unread: bool
    preview: str


class Attachment(Wire):
    """A file of a message; `part` is its number, for `parts/<part>`."""

    part: str
    name: str
    type: str
    size: int


class Whole(Wire):
    """All of a message that a test may ask for."""

    brief: Brief
    cc: tuple[Person, ...]
    bcc: tuple[Person, ...]
    reply_to: tuple[Person, ...]
    date: datetime | None
    message_id: str
    #: Name and value of each field, decoded, in their order.
    headers: tuple[tuple[str, str], ...]
    text: str
    html: str
    attachments: tuple[Attachment, ...]
    #: Addresses of links, of HTML and text, each once.
    links: tuple[str, ...]
    #: What looks like a code that is sent to be typed in, of four to eight digits.
    codes: tuple[str, ...]


#: As mail.display writes it.
_HREF: Final = re.compile(r'<a href="([^"]*)"')
_URL: Final = re.compile(r"https?://[^\s<>\"'\]]{1,8000}", re.I)
_CODE: Final = re.compile(r"(?<![\w.,:/#&=?%-])(?:[0-9]{4,8}|[0-9]{3}[ -][0-9]{3,4})(?![\w%]|[.,:/-][0-9])")


def brief(caught: Caught, one: Stored) -> Brief:
    """For lists. Blocks: call it in a thread."""
    return _brief(caught, one, _head(one))


def whole(caught: Caught, one: Stored) -> bytes:
    """All of it as JSON: what a list has, and the rest beside it. Blocks: call it in a thread."""
    head = _head(one)
    texts = _texts(one)
    made = Whole(
        brief=_brief(caught, one, head),
        cc=_people(head, b"cc"),
        bcc=_people(head, b"bcc"),
        reply_to=_people(head, b"reply-to"),
        date=head.date,
        message_id=head.message_id,
        headers=_headers(one),
        text=texts[0],
        html=texts[1],
        attachments=_attachments(one),
        links=_links(*texts),
        codes=tuple(dict.fromkeys(match[0] for match in _CODE.finditer(texts[0])))[: limits.INBOX_LINKS],
    )
    fields = msgspec.to_builtins(made)
    return msgspec.json.encode({**fields.pop("brief"), **fields})


def hints(one: Stored) -> list[Hint]:
    """What mail programs will make of its HTML; none without HTML. Blocks: call it in a thread."""
    flat = flatten.flatten(one.facts.root)
    parts = [part for part in flat.html if part.subtype == "html"]
    if not parts:
        return []
    octets = one.read(parts[0].body, min(parts[0].end, parts[0].body + limits.TEXT.part_octets))
    source = decode.part_text(parts[0], octets)
    has_text = any(part.subtype == "plain" for part in flat.text)
    return htmlcheck.check(source, octets=max(parts[0].decoded_size, len(octets)), has_text=has_text)


def _head(one: Stored) -> told.Header:
    octets = one.prefix + one.read(0, min(one.facts.root.body, limits.HEADER.octets))
    return told.Header(octets, header.fields(octets, limits=limits.HEADER), limits.ADDRESSES)


def _brief(caught: Caught, one: Stored, head: told.Header) -> Brief:
    return Brief(
        id=objectid.message(one.account, one.id),
        rcpt_to=one.facts.origin.rcpt_to,
        mail_from=one.facts.origin.mail_from,
        from_=_people(head, b"from"),
        to=_people(head, b"to"),
        subject=head.subject,
        received=datetime.fromtimestamp(one.row.received / 1e6, UTC),
        size=one.row.size,
        mailbox=caught.mailbox,
        unread=not one.row.flags & SEEN,
        preview=caught.preview,
    )


def _people(head: told.Header, name: bytes) -> tuple[Person, ...]:
    return tuple(Person(name=one.name, address=one.address) for one in head.addresses(name))


def _headers(one: Stored) -> tuple[tuple[str, str], ...]:
    octets = one.prefix + one.read(0, min(one.facts.root.body, limits.HEADER.octets))
    fields = header.fields(octets, limits=limits.HEADER)
    return tuple(
        (field.name.decode("ascii", "replace"), words.decode(header.content(octets, field)).strip()) for field in fields
    )


def _texts(one: Stored) -> tuple[str, str]:
    """Plain text, made of HTML if need be, and HTML; either may be empty."""
    flat = flatten.flatten(one.facts.root)

    def read(subtype: str, parts: list[Part]) -> str:
        found = (part for part in parts if part.media_type == "text" and part.subtype == subtype)
        pieces = [
            decode.part_text(part, one.read(part.body, min(part.end, part.body + limits.TEXT.part_octets)))
            for part in found
        ]
        return "".join(pieces).replace("\r\n", "\n")

    page = read("html", flat.html)
    return read("plain", flat.text) or html.to_text(page).strip() + "\n" * bool(page), page


def _attachments(one: Stored) -> tuple[Attachment, ...]:
    root = one.facts.root
    numbers = {id(part): number for number, part in _numbered(root)}
    return tuple(
        Attachment(
            part=numbers.get(id(part), ""),
            name=file_name(part),
            type=f"{part.media_type}/{part.subtype}",
            size=part.decoded_size if part.decoded_size >= 0 else sum(map(len, one.decoded(part))),
        )
        for part in flatten.flatten(root).attachments
    )


def _numbered(root: Part) -> list[tuple[str, Part]]:
    """Parts with their IMAP numbers, messages within as leaves (RFC 9051 §6.4.5.1)."""
    if not root.is_multipart:
        return [("1", root)]
    found: list[tuple[str, Part]] = []
    waiting = [("", root)]
    while waiting:
        prefix, part = waiting.pop()
        for at, one in enumerate(part.parts, start=1):
            number = f"{prefix}{at}"
            found.append((number, one))
            if one.is_multipart:
                waiting.append((f"{number}.", one))
    return found


def _links(text: str, page: str) -> tuple[str, ...]:
    if not page:
        found = dict.fromkeys(match[0].rstrip(".,;:!?)") for match in _URL.finditer(text))
    else:
        shown = display.sanitized(page, external=False, picture=lambda _: None, limits=limits.DISPLAY)
        found = dict.fromkeys(unescape(match[1]) for match in _HREF.finditer(shown.body))
    return tuple(found)[: limits.INBOX_LINKS]
