"""Reports of other servers within messages: where they are, and what they are when unpacked.

RFC 7489 §7.2.1.1 and RFC 8460 §5.3 say how they should be packed; what arrives is any MIME structure with a zip, gzip
or plain file in it, its type often wrong. All of it is hostile. Unpacking may take a tenth of a second: in a thread,
please, where others wait. What the files mean belongs to dmarcreport and tlsreport.
"""

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

from appliance.mail.decode import UnknownEncoding, decode_transfer
from appliance.mail.part import Part

T = TypeVar("T")


class ReportError(ValueError):
    """Not a report, or not one that we take. The text may be shown to anybody."""


class NoReport(ReportError):
    """Nothing in a message could be one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportLimits:
    """What one report may cost."""

    #: Of a message that is looked at.
    mail_octets: int
    #: Of the file, unpacked.
    file_octets: int
    #: How many times larger the unpacked file may be.
    ratio: int
    #: Files of an archive and members of a gzip file that are looked at.
    members: int
    #: Attachments that are tried.
    attachments: int
    #: Levels of XML elements.
    depth: int
    #: Elements of XML, or values of JSON.
    elements: int
    #: Equals signs in XML: each may be an attribute, and the parser keeps all those of an element.
    attributes: int
    #: Rows of a DMARC report; policies and kinds of failures of a TLS report, each.
    rows: int
    #: Of one kind within a row: results, reasons, lines of a policy; more are left out.
    details: int
    #: Of any text; the rest is cut off.
    text_characters: int


_TYPES: Final = frozenset(
    {
        *("application/zip", "application/x-zip", "application/x-zip-compressed", "application/x-compressed"),
        *("application/gzip", "application/x-gzip", "application/gzip-compressed", "application/x-gunzip"),
        *("application/xml", "text/xml", "application/json", "application/octet-stream"),
        *("application/tlsrpt+gzip", "application/tlsrpt+json"),
    }
)
_NAMES: Final = re.compile(r"\.(?:xml|json|zip|gz|gzip)\Z", re.IGNORECASE)
#: A file packed twice is found at times; nobody packs it more often.
_LAYERS: Final = 2


def find(root: Part, octets: bytes, parse: Callable[[bytes], T], limits: ReportLimits) -> T:
    """The first attachment that `parse` makes something of; it gets the file unpacked.

    Messages within the message are not looked at: who vouches for this one did not write them. Raises NoReport, and
    the ReportError of the first attachment when all of them are something else.
    """
    if len(octets) > limits.mail_octets:
        raise ReportError("the message is too large for a report")
    first: ReportError | None = None
    for part in _attachments(root, limits.attachments):
        try:
            content = decode_transfer(octets[part.body : part.end], part.encoding)
            return parse(unpack(content, limits))
        except UnknownEncoding:
            first = first or ReportError("the report has an unknown transfer encoding")
        except ReportError as error:
            first = first or error
    raise first or NoReport("there is no report in the message")


def _attachments(root: Part, most: int) -> Iterator[Part]:
    waiting = [root]
    while waiting and most:
        part = waiting.pop()
        if part.is_multipart:
            waiting.extend(reversed(part.parts))
        elif f"{part.media_type}/{part.subtype}" in _TYPES or _NAMES.search(part.filename or ""):
            most -= 1
            yield part


def unpack(octets: bytes, limits: ReportLimits) -> bytes:
    """The file itself, whether it is in a zip archive, compressed by gzip, or as it is. Raises ReportError."""
    for _ in range(_LAYERS):
        if octets.startswith(b"\x1f\x8b"):
            octets = _gunzip(octets, limits)
        elif octets.startswith(b"PK\x03\x04"):
            octets = _unzip(octets, limits)
        else:
            break
    if len(octets) > limits.file_octets:
        raise ReportError("the report is too large")
    return octets


def _inflate(unpacker: "zlib._Decompress", octets: bytes, room: int, limits: ReportLimits) -> bytes:
    """One stream. Never makes more than there may be, however much more it would become."""
    most = min(room, len(octets) * limits.ratio)
    try:
        unpacked = unpacker.decompress(octets, most + 1)
    except zlib.error as error:
        raise ReportError("the compressed report is damaged") from error
    if len(unpacked) > most:
        raise ReportError("the report is too large when it is unpacked")
    if not unpacker.eof:
        raise ReportError("the compressed report is cut off")
    return unpacked


def _gunzip(octets: bytes, limits: ReportLimits) -> bytes:
    """RFC 1952: members follow each other (§2.2). Lenient: what follows the last one and is none is ignored."""
    unpacked: list[bytes] = []
    room = limits.file_octets
    for _ in range(limits.members):
        unpacker = zlib.decompressobj(wbits=31)
        unpacked.append(_inflate(unpacker, octets, room, limits))
        room -= len(unpacked[-1])
        octets = unpacker.unused_data
        if not octets.startswith(b"\x1f\x8b"):
            return b"".join(unpacked)
    raise ReportError("the compressed report has too many members")


_ZIP_END: Final = struct.Struct("<4sHHHHIIH")
_ZIP_ENTRY: Final = struct.Struct("<4sHHHHHHIIIHHHHHII")
_ZIP_FILE: Final = struct.Struct("<4sHHHHHIIIHH")
#: The end of an archive with a comment of the greatest length.
_ZIP_TAIL: Final = _ZIP_END.size + 0xFFFF
_STORED, _DEFLATED = 0, 8


def _unzip(octets: bytes, limits: ReportLimits) -> bytes:
    """The one file of a zip archive (PKWARE's APPNOTE.TXT); folders and what macOS adds do not count."""
    try:
        end = octets.rindex(b"PK\x05\x06", max(0, len(octets) - _ZIP_TAIL))
        _, _, _, _, count, _, at, _ = _ZIP_END.unpack_from(octets, end)
        if count > limits.members:
            raise ReportError("the archive has too many files")
        found: list[tuple[int, int, int, int, int]] = []
        for _ in range(count):
            entry = _ZIP_ENTRY.unpack_from(octets, at)
            magic, _, _, flags, method, _, _, crc, packed, _, name, extra, comment, _, _, _, start = entry
            if magic != b"PK\x01\x02":
                raise ReportError("the archive is damaged")
            at += _ZIP_ENTRY.size
            filename = octets[at : at + name]
            at += name + extra + comment
            if not filename.endswith(b"/") and not filename.startswith(b"__MACOSX/"):
                found.append((flags, method, crc, packed, start))
        if len(found) != 1:
            raise ReportError("the archive does not hold exactly one file")
        flags, method, crc, packed, start = found[0]
        local = _ZIP_FILE.unpack_from(octets, start)
    except (ValueError, struct.error) as error:
        raise error if isinstance(error, ReportError) else ReportError("the archive is damaged") from error
    if local[0] != b"PK\x03\x04":
        raise ReportError("the archive is damaged")
    if flags & 1:
        raise ReportError("the archive is encrypted")
    begin = start + _ZIP_FILE.size + local[-2] + local[-1]
    content = octets[begin : begin + packed]
    if method == _DEFLATED:
        content = _inflate(zlib.decompressobj(wbits=-15), content, limits.file_octets, limits)
    elif method != _STORED:
        raise ReportError("the archive is compressed in an unusual way")
    if zlib.crc32(content) != crc:
        raise ReportError("the archive is damaged")
    return content


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: Larger numbers are milliseconds: as seconds they would be in the year 5138.
_MILLISECONDS: Final = 10**11
_NUMBER: Final = re.compile(r"[0-9]{1,15}(?:\.[0-9]{0,20})?")


def parse_moment(text: str) -> datetime:
    """A moment as reporters write it, to the second: since 1970, also with a fraction, or by ISO 8601.

    Lenient: without a time zone it is UTC (a large sender's TLS reports). Raises ReportError.
    """
    text = text.strip()
    try:
        if _NUMBER.fullmatch(text):
            number = int(text.partition(".")[0])
            return _EPOCH + timedelta(seconds=number // 1000 if number >= _MILLISECONDS else number)
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ReportError("the report has a date that is none") from error
    if moment < _EPOCH:
        raise ReportError("the report has a date before 1970")
    return moment.replace(microsecond=0)


def tidy(text: str, limits: ReportLimits) -> str:
    """Text of a stranger on one line, cut to the limit, without what no terminal or page should see."""
    if not text.isprintable():
        text = "".join(character if character.isprintable() else " " for character in text)
    return text.strip()[: limits.text_characters].rstrip()


def parse_count(text: str) -> int:
    """How many; what is no number is 0. Lenient: fractions are cut off."""
    text = text.strip()
    return min(int(text.partition(".")[0]), 2**53) if _NUMBER.fullmatch(text) else 0
