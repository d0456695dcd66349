"""What there is to read in a message: its text parts, decoded; its header, decoded."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from appliance.mail import decode, html, words
from appliance.mail.header import unfold
from appliance.mail.part import Part

#: Gives the octets of the message as received from an offset up to another.
Reader = Callable[[int, int], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class TextLimits:
    """How much is read of a message."""

    #: Octets of one text part as encoded, and of all together.
    part_octets: int
    all_octets: int
    #: Octets looked at for a preview.
    preview_octets: int
    preview_characters: int


def text_parts(root: Part) -> Iterator[Part]:
    """Leaves of type text, in order; those of nested messages too."""
    return (part for part in root.walk() if not part.parts and part.media_type == "text")


class Readable(NamedTuple):
    """What a reader is shown first of a message; either may be missing."""

    plain: Part | None
    html: Part | None


def readable_parts(root: Part) -> Readable:
    """The first plain and the first HTML part that are no attachments, nor in an attached message."""
    plain = html = None
    waiting = [root]
    while waiting:
        part = waiting.pop()
        if part.is_multipart:
            waiting.extend(reversed(part.parts))
        elif part.media_type == "text" and not part.is_attachment:
            if part.subtype == "plain":
                plain = plain or part
            elif part.subtype == "html":
                html = html or part
    return Readable(plain, html)


def searchable_text(root: Part, read: Reader, limits: TextLimits) -> Iterator[str]:
    """Decoded text of plain and HTML parts, of HTML what can be read, and of other text that is not attached."""
    left = limits.all_octets
    for part in text_parts(root):
        if part.subtype not in {"plain", "html"} and part.is_attachment:
            continue
        octets = read(part.body, min(part.end, part.body + min(limits.part_octets, left)))
        left -= len(octets)
        found = decode.part_text(part, octets)
        yield html.searched(found) if part.subtype == "html" else found
        if left <= 0:
            return


def is_cut(root: Part, limits: TextLimits) -> bool:
    """Whether `searchable_text` leaves something out because of the limits."""
    sizes = [part.end - part.body for part in text_parts(root)]
    return sum(sizes) > limits.all_octets or any(size > limits.part_octets for size in sizes)


def header_text(line: bytes) -> str:
    """A header field, name and colon included, as people read it."""
    line = unfold(line)
    if b"=?" not in line and line.isascii():
        return line.decode("ascii").rstrip("\r\n")
    return words.decode(line.rstrip(b"\r\n"))
