"""Message disposition notifications: what a reader's program says became of a message (RFC 8098). Lenient."""

import re
from dataclasses import dataclass
from typing import Final

from appliance.mail import comment, decode, header, thread
from appliance.mail.header import HeaderLimits
from appliance.mail.part import Part
from appliance.mail.text import Reader

#: Of the part for programs.
_OCTETS: Final = 64 * 1024
_LIMITS: Final = HeaderLimits(fields=100, octets=_OCTETS)
_TYPES: Final = frozenset({"disposition-notification", "global-disposition-notification"})
#: RFC 8098 §3.2.6: modes, and the disposition behind them.
_DISPOSITION: Final = re.compile(r"[^;]*;\s*([A-Za-z-]{1,40})")


@dataclass(frozen=True, slots=True)
class Disposition:
    """What one says."""

    #: In canonical form (`thread.message_id`); empty where it does not say.
    original_message_id: str
    #: Whose program says it, and to whom the message was sent; addresses, as far as they are told.
    recipients: tuple[str, ...]
    #: `displayed`, `deleted` and the like, in lower case.
    kind: str


def is_notice(root: Part) -> bool:
    """Whether a message says that it is one (RFC 8098 §3)."""
    if (root.media_type, root.subtype) != ("multipart", "report"):
        return False
    return (root.parameter("report-type") or "").lower() == "disposition-notification"


def read(root: Part, octets: Reader) -> Disposition | None:
    """What one says; None for what is none, or says no disposition."""
    if not is_notice(root) or len(root.parts) < 2:
        return None
    part = root.parts[1]
    if part.media_type != "message" or part.subtype not in _TYPES:
        return None
    try:
        content = decode.decode_transfer(octets(part.body, min(part.end, part.body + _OCTETS)), part.encoding)
    except decode.UnknownEncoding:
        return None
    start = len(content) - len(content.lstrip(b"\r\n"))
    fields = header.fields(content, start, limits=_LIMITS)

    def value(name: bytes) -> bytes:
        return comment.remove(header.get(content, fields, name) or b"").strip()

    match = _DISPOSITION.match(value(b"Disposition").decode("utf-8", "replace"))
    if match is None:
        return None
    told = (value(name).decode("utf-8", "replace") for name in (b"Final-Recipient", b"Original-Recipient"))
    addresses = (one.rpartition(";")[2].strip().removeprefix("<").removesuffix(">") for one in told)
    id = header.get(content, fields, b"Original-Message-ID") or b""
    return Disposition(thread.message_id(id), tuple(dict.fromkeys(filter(None, addresses))), match[1].lower())
