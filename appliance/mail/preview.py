"""The first words of a message, for lists (D-155, M-94, RFC 8970)."""

import re
from collections.abc import Iterable
from typing import Final

from appliance.mail import decode, text
from appliance.mail.part import Part
from appliance.mail.text import Reader, TextLimits

_SPACE: Final = re.compile(r"\s+")
#: Lines that introduce a quotation: "On Monday, X wrote:" and the like end in a colon before `>` lines.
_LEAD_IN: Final = re.compile(r".{0,200}:\s*")
_DIVIDER: Final = re.compile(r"\s*[-_=*]{5,}.{0,100}")


def preview(root: Part, read: Reader, limits: TextLimits) -> str:
    """At most so many characters of readable text, quotations and signature left out. Never raises."""
    for part in text.text_parts(root):
        if part.is_attachment or part.subtype not in {"plain", "html"}:
            continue
        octets = read(part.body, min(part.end, part.body + limits.preview_octets))
        readable = decode.part_text(part, octets)
        if part.subtype == "html":
            readable = text.html_text(readable)
        found = _first_words(readable.split("\n"), limits.preview_characters)
        if found:
            return found
    return ""


def _first_words(lines: Iterable[str], most: int) -> str:
    kept: list[str] = []
    length = 0
    lead_in: str | None = None
    for line in lines:
        line = _SPACE.sub(" ", line.replace("\0", "")).strip()
        if line == "--":
            break
        if line.startswith(">"):
            lead_in = None
            continue
        if not line:
            continue
        if lead_in is not None:
            kept.append(lead_in)
            length += len(lead_in) + 1
            lead_in = None
        if _DIVIDER.fullmatch(line):
            continue
        if line.endswith(":") and _LEAD_IN.fullmatch(line):
            lead_in = line
            continue
        kept.append(line)
        length += len(line) + 1
        if length > most:
            break
    if lead_in is not None and length <= most:
        kept.append(lead_in)
    return " ".join(kept)[:most].strip()
