"""What octets are whose sender has not said so: the media types a message may well carry, by how they begin.

A small part of the MIME Sniffing Standard. What it does not know is text, or octets.
"""

import re
from typing import Final

#: Octets that are looked at.
OCTETS: Final = 512
UNKNOWN: Final = "application/octet-stream"

_MARKS: Final = (
    (b"%PDF-", "application/pdf"),
    (b"%!PS-Adobe-", "application/postscript"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"BM", "image/bmp"),
    (b"\x00\x00\x01\x00", "image/x-icon"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b\x08", "application/x-gzip"),
    (b"Rar!\x1a\x07", "application/x-rar-compressed"),
    (b"OggS\x00", "application/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"\x1aE\xdf\xa3", "video/webm"),
    (b"<?xml", "text/xml; charset=utf-8"),
)
_RIFF: Final = {b"WEBP": "image/webp", b"WAVE": "audio/wave", b"AVI ": "video/avi"}
_HTML: Final = re.compile(
    rb"(?i)[\t\n\f\r ]*+<(?:!doctype html|html|head|body|script|iframe|h1|div|table|a|p|br|!--)[ >]"
)
#: Octets that no text has.
_BINARY: Final = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")


def media_type(beginning: bytes) -> str:
    """The type of content that begins with these octets; text is UTF-8, as nearly all is."""
    beginning = beginning[:OCTETS]
    for mark, found in _MARKS:
        if beginning.startswith(mark):
            return found
    if beginning.startswith(b"RIFF") and (riff := _RIFF.get(beginning[8:12])):
        return riff
    if beginning[4:8] == b"ftyp":
        return "video/mp4"
    if _HTML.match(beginning):
        return "text/html; charset=utf-8"
    return UNKNOWN if _BINARY.search(beginning) else "text/plain; charset=utf-8"
