"""What BODY[section] means: which octets of a message (RFC 9051 §6.4.5.1).

A stored message is the header fields added here (the prefix) and then the body as received, in which the part tree
counts. Only the header of the whole message has the prefix before it; everything else is shifted by it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum, auto

from appliance.mail import header
from appliance.mail.header import HeaderLimits
from appliance.mail.part import Part


class Source(Enum):
    """Where octets come from."""

    #: The whole message: prefix and body.
    WHOLE = auto()
    #: The message's header, prefix included.
    HEADER = auto()
    #: A range of the body as received.
    RANGE = auto()


@dataclass(frozen=True, slots=True)
class Octets:
    """Octets of a section, before header fields are chosen and a partial is cut out."""

    source: Source
    start: int = 0
    end: int = 0


def find(root: Part, parts: tuple[int, ...], kind: str) -> Octets | None:
    """The octets of a section; None where there is no such part.

    `kind`: empty, HEADER (also for HEADER.FIELDS and .NOT), TEXT or MIME.
    """
    if not parts:
        if kind == "":
            return Octets(Source.WHOLE)
        if kind.startswith("HEADER"):
            return Octets(Source.HEADER)
        return Octets(Source.RANGE, root.body, root.end)
    part = root.find(parts)
    if part is None:
        return None
    if kind == "":
        return Octets(Source.RANGE, part.body, part.end)
    if kind == "MIME":
        return Octets(Source.RANGE, part.start, part.body)
    nested = part.nested
    if nested is None:
        return None
    if kind == "TEXT":
        return Octets(Source.RANGE, nested.body, nested.end)
    return Octets(Source.RANGE, nested.start, nested.body)


def header_subset(octets: bytes, names: Collection[bytes], *, negate: bool, limits: HeaderLimits) -> bytes:
    """Header fields of these names, or all but them, and the empty line (RFC 9051 §6.4.5.1)."""
    wanted = {name.upper() for name in names}
    kept = [
        octets[field.start : field.end]
        for field in header.fields(octets, limits=limits)
        if (field.name.upper() in wanted) != negate
    ]
    # The last line of a message that ends in its header may lack its end.
    if kept and not kept[-1].endswith(b"\n"):
        kept.append(b"\r\n")
    return b"".join(kept) + b"\r\n"
