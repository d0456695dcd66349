"""What there is to read in a message: its text parts, decoded; its header, decoded (M-96, I-147)."""

import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from appliance.mail import decode, words
from appliance.mail.header import unfold
from appliance.mail.part import Part

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


def searchable_text(root: Part, read: Reader, limits: TextLimits) -> Iterator[str]:
    """Decoded text of plain and HTML parts, HTML as its source (I-147)."""
    left = limits.all_octets
    for part in text_parts(root):
        if part.subtype not in {"plain", "html"} and part.is_attachment:
            continue
        octets = read(part.body, min(part.end, part.body + min(limits.part_octets, left)))
        left -= len(octets)
        yield decode.part_text(part, octets)
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


#: Elements whose content is not for readers. Each alternative is linear: it looks for one closing tag, once.
_HIDDEN: Final = ("script", "style", "svg", "head", "title", "template")
_TAG: Final = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)[^>]*>|<!--|<[!?][^>]*>")
_BLOCKS: Final = frozenset(
    "p div br tr td th li ul ol table h1 h2 h3 h4 h5 h6 hr blockquote pre section article header footer dt dd".split()
)
_ALT: Final = re.compile(r"""\balt\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))""", re.IGNORECASE)


def html_text(source: str) -> str:
    """HTML as plain text: tags gone, blocks on lines of their own, alternatives of images, entities decoded."""
    found: list[str] = []
    at = 0
    lower = source.lower()
    while match := _TAG.search(source, at):
        found.append(source[at : match.start()])
        at = match.end()
        if match[0] == "<!--":
            end = source.find("-->", at)
            if end < 0:
                return _unescaped(found)
            at = end + 3
            continue
        name = (match[2] or "").lower()
        if name in _HIDDEN and not match[1]:
            end = lower.find(f"</{name}", at)
            if end < 0:
                return _unescaped(found)
            at = end
        elif name in _BLOCKS:
            found.append("\n")
        elif name == "img" and (alt := _ALT.search(match[0])):
            found.append(f" {alt[1] or alt[2] or alt[3] or ''} ")
    found.append(source[at:])
    return _unescaped(found)


def _unescaped(pieces: list[str]) -> str:
    return html.unescape("".join(pieces))
