"""The first words of a message, for lists (RFC 8970)."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from appliance.mail import decode, html, text
from appliance.mail.part import Part
from appliance.mail.text import Reader, TextLimits

_SPACE: Final = re.compile(r"\s+")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069]+")
#: Newsletters fill the preview with invisible characters; a single one may belong to a word or an emoji.
_FILLER: Final = re.compile(r"(?:[\u034f\u00ad\u200b-\u200f\u2060\ufeff]\s*){2,}")
_RULE: Final = re.compile(r"[-_=*~#]{5,}.{0,100}")
#: Everything below is an older message, as Outlook and its kin put it.
_ORIGINAL: Final = re.compile(r"-{4,}\s?\w[^-]{0,60}\S\s?-{4,}")
#: Banners of mail gateways.
_BANNER: Final = re.compile(
    r"\W{0,9}(?:caution|warning|attention|external)\b.{0,80}\b(?:outside|external)\b.{0,400}", re.IGNORECASE
)
#: Characters of a line that are looked at, and lines that can introduce a quotation.
_LINE_CHARACTERS: Final = 1000
_LEAD_IN_LINES: Final = 3


def preview(root: Part, read: Reader, limits: TextLimits) -> str:
    """At most so many characters of readable text, quotations and signature left out. Never raises on its own.

    Of the first text part that has any; when there are only quotations, of those.
    """
    left = limits.preview_octets
    quotation = ""
    for part in text.text_parts(root):
        if part.is_attachment or part.subtype not in {"plain", "html"}:
            continue
        octets = read(part.body, min(part.end, part.body + left))
        left -= len(octets)
        readable = decode.part_text(part, octets)
        lines = _lines(html.pieces(readable)) if part.subtype == "html" else _lines((readable,))
        words, quoted = _first_words(lines, limits.preview_characters)
        if words:
            return words
        quotation = quotation or quoted
        if left <= 0:
            break
    return quotation


def _lines(pieces: Iterable[str]) -> Iterator[str]:
    """Lines with their white space collapsed; empty ones for gaps."""
    line: list[str] = []
    for piece in pieces:
        start = 0
        while (end := piece.find("\n", start)) >= 0:  # Few are looked at: the rest need not be split.
            line.append(piece[start:end])
            yield _tidy("".join(line))
            line = []
            start = end + 1
        line.append(piece[start:])
    yield _tidy("".join(line))


def _tidy(line: str) -> str:
    line = line[:_LINE_CHARACTERS].strip()
    if line.isascii() and line.isprintable():
        return " ".join(line.split()) if "  " in line else line
    line = _CONTROL.sub(" ", line)
    return _SPACE.sub(" ", _FILLER.sub(" ", line)).strip()


def _first_words(lines: Iterable[str], most: int) -> tuple[str, str]:
    """What was written anew, and what was quoted, each cut to `most` characters."""
    kept: list[str] = []
    quoted: list[str] = []
    #: Lines that may turn out to introduce a quotation.
    paragraph: list[str] = []
    is_ended = False
    length = quoted_length = 0
    for line in lines:
        if length > most:
            break
        if not line:
            is_ended = True
        elif line == "--":
            break
        elif line.startswith(">"):
            if quoted_length < most and (words := line.lstrip("> ")):
                quoted.append(words)
                quoted_length += len(words)
            kept += _without_lead_in(paragraph)
            paragraph = []
        elif _ORIGINAL.fullmatch(line):
            break
        elif not (_RULE.fullmatch(line) or _BANNER.fullmatch(line)):
            if is_ended or len(paragraph) == _LEAD_IN_LINES:
                kept += paragraph
                length += sum(len(words) + 1 for words in paragraph)
                paragraph = []
            is_ended = False
            paragraph.append(line)
    kept += paragraph
    return " ".join(kept)[:most].strip(), " ".join(quoted)[:most].strip()


def _without_lead_in(paragraph: list[str]) -> list[str]:
    """The lines before a quotation without `On Monday, X wrote:`, be it folded into two."""
    if not paragraph or not paragraph[-1].endswith(":"):
        return paragraph
    has_date = any(character.isdigit() for character in paragraph[-1])
    return paragraph[:-1] if has_date else paragraph[:-2]
