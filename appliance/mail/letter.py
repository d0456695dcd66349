"""A message as its writer puts it together: addresses, texts and files, turned into octets piece by piece.

RFC 5322, RFC 2045 to 2049, RFC 2183, RFC 2387. Files may be larger than memory has room for, so their content is read
when it is their turn. What is needed for it to be sent (who may be in From, who receives it) is for others to know.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from appliance.mail import compose, header
from appliance.mail.address import Address
from appliance.mail.parameterformat import format_parameters
from appliance.mail.parameters import Parameters, parse_content_type

#: Of a file, read and encoded at a time: lines of 57 octets, 76 encoded (RFC 2045 §6.8).
_PIECE_OCTETS: Final = 57 * 1024
#: A line of one id may have 998 octets (RFC 5322 §2.1.1).
_ID_OCTETS: Final = 900

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_ID: Final = re.compile(r"<[^<>\s]+>")
#: RFC 5322 §3.6.8.
_FIELD_NAME: Final = re.compile(r"[!-9;-~]{1,100}")
#: Fields that stand there anyhow, or must not.
_OWN_FIELDS: Final = frozenset({"from", "to", "cc", "bcc", "subject", "date", "message-id", "mime-version"})
_PROGRAM_FIELDS: Final = frozenset({"user-agent", "x-mailer"})


class LetterError(ValueError):
    """Something that a message cannot have; the text says what."""


class BadMessageID(LetterError):
    """A Message-ID without angle brackets around it, or with space within."""


Named = tuple[str, Address]


@dataclass(frozen=True, slots=True)
class LetterFile:
    """A file that goes with a message."""

    name: str
    #: As in a Content-Type field, parameters too.
    content_type: str
    #: With angle brackets, or empty.
    content_id: str
    size: int
    #: Octets start..end; may look at the disk.
    read: Callable[[int, int], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What its writer says."""

    from_: Sequence[Named]
    to: Sequence[Named] = ()
    cc: Sequence[Named] = ()
    reply_to: Sequence[Named] = ()
    subject: str = ""
    date: datetime
    #: With angle brackets, as the references, which begin with the oldest.
    message_id: str
    references: Sequence[str] = ()
    #: Its recipients shall get it even if TLS is not what it should be (RFC 8689 §5).
    tls_not_required: bool = False
    #: Further fields: names and values.
    fields: Sequence[tuple[str, str]] = ()
    #: The program that writes it, where no field says so.
    program: str = ""
    text: str = ""
    html: str = ""
    #: Other forms of the text; what the HTML shows; what is handed over beside it.
    alternative: Sequence[LetterFile] = ()
    inline: Sequence[LetterFile] = ()
    attached: Sequence[LetterFile] = ()
    #: Addresses need SMTPUTF8, so there may be UTF-8 in all of the header (RFC 6532).
    utf8: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A part: its folded MIME fields, its octets, or the parts within it."""

    fields: tuple[bytes, ...]
    pieces: Callable[[], Iterable[bytes]]
    eight_bit: bool = False


def pieces(letter: Letter, boundary: Callable[[], str]) -> Iterator[bytes]:
    """The octets of the message, at most some ten thousand at a time but for long texts.

    `boundary` makes up one that nobody could have guessed, each time it is called. Raises LetterError before the first
    piece, and AddressError for addresses that need `utf8`.
    """
    head = _header(letter)
    root = _tree(letter, boundary)
    yield b"".join((*head, *root.fields, b"\r\n"))
    yield from root.pieces()


# The header.


def _header(letter: Letter) -> list[bytes]:
    utf8 = letter.utf8
    found: list[bytes] = []
    addresses = ((b"From", letter.from_), (b"Reply-To", letter.reply_to), (b"To", letter.to), (b"Cc", letter.cc))
    for label, entries in addresses:
        for display, _ in entries:
            _check(display, "a name")
        if entries:
            found.append(compose.address_field(label, entries, utf8=utf8))
    if letter.subject:
        found.append(compose.text_field(b"Subject", _check(letter.subject, "the subject"), utf8=utf8))
    found.append(compose.date_field(letter.date))
    if not is_id(letter.message_id, utf8=utf8):
        raise BadMessageID("a Message-ID stands in angle brackets, without space")
    found.append(header.fold(b"Message-ID", letter.message_id.encode()))
    if letter.references:
        ids = [one.strip(" ") for one in letter.references]
        for one in ids:
            _check(one, "a reference")
            if len(one.encode()) > _ID_OCTETS or not (utf8 or one.isascii()):
                raise LetterError("a reference is too long, or has characters beyond ASCII")
        found.append(header.fold(b"References", " ".join(ids).encode()))
        found.append(header.fold(b"In-Reply-To", ids[-1].encode()))
    found.append(b"MIME-Version: 1.0\r\n")
    if letter.tls_not_required:
        found.append(b"TLS-Required: No\r\n")
    names = set()
    for name, value in letter.fields:
        names.add(name.lower())
        found.append(_further(letter, name, value))
    if letter.program and names.isdisjoint(_PROGRAM_FIELDS):
        found.append(compose.text_field(b"User-Agent", letter.program))
    return found


def _further(letter: Letter, name: str, value: str) -> bytes:
    lower = name.lower()
    if not _FIELD_NAME.fullmatch(name):
        raise LetterError(f"{name[:100]!r} cannot be the name of a header field")
    if (
        lower in _OWN_FIELDS
        or lower.startswith("content-")
        or (lower == "reply-to" and letter.reply_to)
        or (lower in {"references", "in-reply-to"} and letter.references)
    ):
        raise LetterError(f"the header field {name} is made of other fields of the request")
    return compose.text_field(name.encode(), _check(value, f"the header field {name}").strip(), utf8=letter.utf8)


def is_id(text: str, *, utf8: bool) -> bool:
    """Whether this is an id with its angle brackets, as short as a line."""
    octets = text.encode("utf-8", "replace")
    return bool(_ID.fullmatch(text)) and (utf8 or text.isascii()) and len(octets) <= _ID_OCTETS


def _check(text: str, what: str) -> str:
    if _CONTROL.search(text):
        raise LetterError(f"{what} has control characters")
    return text


# The body.


def _tree(letter: Letter, boundary: Callable[[], str]) -> Section:
    """What was given and no more: each kind of multipart only where there is something to put together."""
    texts = [
        text_section(content if content.endswith("\n") else content + "\n", subtype)
        for content, subtype in ((letter.text, "plain"), (letter.html, "html"))
        if content
    ]
    forms = texts + [file_section(one, inline=True) for one in letter.alternative]
    root = forms[0] if len(forms) == 1 else multipart_section("alternative", forms, boundary())
    if letter.inline:
        start = root.fields[0].partition(b":")[2].partition(b";")[0].strip().decode()
        parts = [root, *(file_section(one, inline=True) for one in letter.inline)]
        root = multipart_section("related", parts, boundary(), (("type", start),))  # RFC 2387 §3.1
    if letter.attached:
        root = multipart_section(
            "mixed", [root, *(file_section(one, inline=False) for one in letter.attached)], boundary()
        )
    return root


def text_section(content: str, subtype: str) -> Section:
    """A text, with whatever is at its end."""
    fields, octets = compose.text_pieces(content, subtype=subtype, eight_bit=True)
    return Section(fields, lambda: octets, eight_bit=any(b"8bit" in one for one in fields))


def multipart_section(subtype: str, parts: Sequence[Section], boundary: str, parameters: Parameters = ()) -> Section:
    """Parts in one; the boundary must be so random that it stands in none of them."""
    delimiter = b"--" + boundary.encode("ascii")

    def pieces() -> Iterator[bytes]:
        for part in parts:
            yield b"".join((delimiter, b"\r\n", *part.fields, b"\r\n"))
            yield from part.pieces()
            yield b"\r\n"
        yield delimiter + b"--\r\n"

    eight_bit = any(part.eight_bit for part in parts)
    value = f"multipart/{subtype}".encode() + format_parameters((*parameters, ("boundary", boundary)))
    fields = [header.fold(b"Content-Type", value)]
    if eight_bit:
        fields.append(b"Content-Transfer-Encoding: 8bit\r\n")
    return Section(tuple(fields), pieces, eight_bit)


def file_section(file: LetterFile, *, inline: bool) -> Section:
    """A file in base64."""
    _check(file.content_type, "a content type")
    parsed = parse_content_type(file.content_type.encode("utf-8", "replace"))
    media_type, parameters = f"{parsed.media_type}/{parsed.subtype}", parsed.parameters
    if parsed.media_type in {"multipart", "message"}:
        # These must not be encoded (RFC 2046 §5.1, §5.2.1), and a file may have any octets.
        media_type, parameters = "application/octet-stream", ()
    named = (("filename", file.name),) if file.name else ()
    if file.name:
        parameters = (*(one for one in parameters if one[0] != "name"), ("name", file.name))
    value = media_type.encode("ascii") + format_parameters(parameters)
    fields = [
        header.fold(b"Content-Type", value),
        b"Content-Transfer-Encoding: base64\r\n",
        header.fold(b"Content-Disposition", (b"inline" if inline else b"attachment") + format_parameters(named)),
    ]
    if file.content_id:
        _check(file.content_id, "a content id")
        content_id = file.content_id if file.content_id.startswith("<") else f"<{file.content_id}>"
        if not is_id(content_id, utf8=False):
            raise LetterError("a content id stands in angle brackets, without space")
        fields.append(header.fold(b"Content-ID", content_id.encode()))

    def pieces() -> Iterator[bytes]:
        for start in range(0, file.size, _PIECE_OCTETS):
            yield compose.base64_lines(file.read(start, min(file.size, start + _PIECE_OCTETS)))

    return Section(tuple(fields), pieces)
