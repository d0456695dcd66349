"""Writing messages: fields, texts, attachments, and a whole within a maximum size.

RFC 5322, RFC 2045 to 2049, RFC 6532. Everything is bytes with CRLF when it leaves here. Randomness and time come in
from the caller; which fields a message needs is the caller's affair too.
"""

import binascii
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from appliance.mail import date, header, words
from appliance.mail.address import Address, AddressError
from appliance.mail.domain import Domain
from appliance.mail.lineend import crlf
from appliance.mail.parameterformat import format_parameters
from appliance.mail.parameters import Parameters

#: Octets of a line without its end (RFC 5322 §2.1.1); a body with longer ones gets a transfer encoding.
MAX_LINE_OCTETS = 998

#: Of a text, looked at and encoded at a time.
_SLICE_CHARACTERS = 64 * 1024

_ATOMS = re.compile(r"[0-9A-Za-z!#$%&'*+/=?^_`{|}~-]++(?: [0-9A-Za-z!#$%&'*+/=?^_`{|}~-]++)*+")
_QUOTE = re.compile(r'(["\\])')
_CONTROL = re.compile(r"[\x00-\x1f\x7f]++")
_LINE_END = re.compile(r"\r\n?|\n")
_LONG_LINE = re.compile(rb"[^\r\n]{%d}" % (MAX_LINE_OCTETS + 1))


class TooLarge(ValueError):
    """The message would exceed its maximum size."""


@dataclass(frozen=True, slots=True)
class Entity:
    """A part or the body of a message: its MIME fields, folded with line ends, and its encoded octets."""

    fields: tuple[bytes, ...]
    body: bytes

    @property
    def octets(self) -> bytes:
        """The part as it stands between boundaries."""
        return b"".join((*self.fields, b"\r\n", self.body))


# Fields.


def text_field(name: bytes, text: str, *, utf8: bool = False) -> bytes:
    """An unstructured field such as Subject, encoded words where needed."""
    return header.fold_text(name, words.encode(text, utf8=utf8, used_octets=len(name) + 2))


def address_field(name: bytes, addresses: Iterable[tuple[str, Address]], *, utf8: bool = False) -> bytes:
    """A field of (display name or empty, address) pairs.

    Raises AddressError with `lacks_smtputf8` for a localpart that only a message with UTF-8 can carry.
    """
    used = len(name) + 2
    value: list[bytes] = []
    for display_name, address in addresses:
        value.append(format_address(display_name, address, utf8=utf8, used_octets=0 if value else used))
    return header.fold(name, b", ".join(value))


def format_address(name: str, address: Address, *, utf8: bool = False, used_octets: int = 0) -> bytes:
    """One address with its display name, to be folded. Raises AddressError as `address_field` does.

    `used_octets` stand on its line already.
    """
    if address.needs_smtputf8 and not utf8:
        raise AddressError("address needs the SMTPUTF8 extension", lacks_smtputf8=True)
    spec = (address.unicode if utf8 else address.ascii).encode()
    if not name:
        return spec
    return format_phrase(name, utf8=utf8, used_octets=used_octets) + b" <" + spec + b">"


def format_phrase(text: str, *, utf8: bool = False, used_octets: int = 0) -> bytes:
    """A display name: atoms, a quoted string, or encoded words (RFC 5322 §3.2.5)."""
    text = _CONTROL.sub(" ", text).strip()
    encoded = words.encode(text, utf8=utf8, used_octets=used_octets)
    if encoded != text.encode("utf-8", "replace") or _ATOMS.fullmatch(text):
        return encoded
    return b'"' + _QUOTE.sub(r"\\\1", text).encode("utf-8", "replace") + b'"'


def date_field(when: datetime) -> bytes:
    """The Date field of an aware moment."""
    return header.fold(b"Date", date.format(when).encode())


def message_id(random: bytes, host: Domain, *, utf8: bool = False) -> str:
    """A Message-ID with its angle brackets from 16 random octets; U-labels only with `utf8`."""
    left = urlsafe_b64encode(random).rstrip(b"=").decode()
    return f"<{left}@{host.unicode if utf8 else host.ascii}>"


# Bodies.


def text(content: str, *, subtype: str = "plain", eight_bit: bool = False) -> Entity:
    """A text part: 7bit if it can be, else 8bit where allowed, else quoted-printable. Any line ends become CRLF."""
    fields, pieces = text_pieces(content, subtype=subtype, eight_bit=eight_bit)
    return Entity(fields, b"".join(pieces))


def text_pieces(content: str, *, subtype: str, eight_bit: bool) -> tuple[tuple[bytes, ...], list[bytes]]:
    """The same as its fields and pieces of its body, so that none takes long to make."""
    pieces = [_LINE_END.sub("\r\n", piece).encode("utf-8", "replace") for piece in _slices(content)]
    is_ascii = all(piece.isascii() for piece in pieces)
    if any(b"\0" in piece or _LONG_LINE.search(piece) for piece in pieces):
        encoding = b"quoted-printable"
    elif is_ascii:
        encoding = b"7bit"
    else:
        encoding = b"8bit" if eight_bit else b"quoted-printable"
    if encoding == b"quoted-printable":
        last = len(pieces) - 1
        # One that ends within a line goes on behind a soft line end.
        pieces = [
            _quoted_printable(piece) + (b"=\r\n" if at < last and not piece.endswith(b"\n") else b"")
            for at, piece in enumerate(pieces)
        ]
    charset = "us-ascii" if is_ascii else "utf-8"
    return (_content_type(f"text/{subtype}", (("charset", charset),)), _encoding(encoding)), pieces


def _slices(content: str) -> Iterator[str]:
    """The text in pieces that end with a line where they can; a line that is cut has more than may stand in one."""
    start = 0
    while start < len(content):
        end = start + _SLICE_CHARACTERS
        if end < len(content):
            end = content.rfind("\n", start, end) + 1 or content.rfind("\r", start, end - 1) + 1 or end
            end += content.startswith("\r\n", end - 1)
        yield content[start:end]
        start = end


def attachment(
    content: bytes, media_type: str, *, filename: str = "", content_id: str = "", inline: bool = False
) -> Entity:
    """Octets in base64. `content_id` without angle brackets, for reference from HTML (RFC 2392)."""
    named = (("filename", filename),) if filename else ()
    disposition = b"inline" if inline else b"attachment"
    fields = [
        _content_type(media_type, (("name", filename),) if filename else ()),
        _encoding(b"base64"),
        header.fold(b"Content-Disposition", disposition + format_parameters(named)),
    ]
    if content_id:
        fields.append(header.fold(b"Content-ID", f"<{content_id}>".encode()))
    return Entity(tuple(fields), base64_lines(content))


def embedded(content: bytes, media_type: str, *, parameters: Parameters = ()) -> Entity:
    """A message, its header, or a report's fields, which must not be encoded (RFC 2046 §5.2.1)."""
    octets = crlf(content)
    encoding = b"7bit" if octets.isascii() else b"8bit"
    return Entity((_content_type(media_type, parameters), _encoding(encoding)), octets)


def multipart(subtype: str, parts: Sequence[Entity], *, boundary: str, parameters: Parameters = ()) -> Entity:
    """Parts in one entity. `boundary` is random enough to stand in none of them, or it raises ValueError."""
    delimiter = b"--" + boundary.encode("ascii")
    if any(delimiter in part.body for part in parts):
        raise ValueError("boundary stands in a part")
    pieces: list[bytes] = []
    for part in parts:
        pieces += delimiter, b"\r\n", part.octets, b"\r\n"
    pieces += delimiter, b"--\r\n"
    is_eight_bit = any(not part.body.isascii() for part in parts)
    fields = [_content_type(f"multipart/{subtype}", (*parameters, ("boundary", boundary)))]
    if is_eight_bit:
        fields.append(_encoding(b"8bit"))
    return Entity(tuple(fields), b"".join(pieces))


def message(fields: Iterable[bytes], entity: Entity, *, max_octets: int) -> bytes:
    """A whole message of folded fields and a body. Raises TooLarge."""
    parts = (*fields, b"MIME-Version: 1.0\r\n", *entity.fields, b"\r\n", entity.body)
    size = sum(map(len, parts))
    if size > max_octets:
        raise TooLarge(f"message of {size} octets exceeds {max_octets}")
    return b"".join(parts)


def with_field(entity: Entity, field: bytes) -> Entity:
    """The entity with one more folded field, such as Content-Description."""
    return replace(entity, fields=(*entity.fields, field))


def _content_type(media_type: str, parameters: Parameters) -> bytes:
    return header.fold(b"Content-Type", media_type.encode("ascii") + format_parameters(parameters))


def _encoding(encoding: bytes) -> bytes:
    return b"Content-Transfer-Encoding: " + encoding + b"\r\n"


def _quoted_printable(octets: bytes) -> bytes:
    """RFC 2045 §6.7. binascii writes soft line ends as the first hard one it meets, so there is always one."""
    return crlf(binascii.b2a_qp(octets.replace(b"\r\n", b"\n"), istext=True))


def base64_lines(octets: bytes) -> bytes:
    """Octets in base64, on lines of 76."""
    encoded = binascii.b2a_base64(octets, newline=False)
    return b"".join(encoded[start : start + 76] + b"\r\n" for start in range(0, len(encoded), 76))
