"""Message disposition notifications: what a reader's program says became of a message (RFC 8098).

Composing is exact, reading lenient.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from appliance.mail import comment, compose, decode, dsn, header, thread
from appliance.mail.address import Address
from appliance.mail.header import HeaderLimits
from appliance.mail.part import Part
from appliance.mail.text import Reader

#: Of the part for programs.
_OCTETS: Final = 64 * 1024
_LIMITS: Final = HeaderLimits(fields=100, octets=_OCTETS)
_TYPES: Final = frozenset({"disposition-notification", "global-disposition-notification"})
#: RFC 8098 §3.2.6. Lenient: modes of any shape.
_DISPOSITION: Final = re.compile(r"\s*(?:([A-Za-z-]{1,40})\s*/\s*([A-Za-z-]{1,40})\s*)?[^;]*;\s*([A-Za-z-]{1,40})")
#: Those of §3.2; all others are extensions (§3.3).
FIELDS: Final = frozenset(
    "reporting-ua mdn-gateway original-recipient final-recipient original-message-id disposition error".split()
)
#: As RFC 8098 spells them, which many programs compare as they are.
_MODES: Final = {"mdn-sent-manually": "MDN-sent-manually", "mdn-sent-automatically": "MDN-sent-automatically"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Disposition:
    """What one says; texts are empty where it does not."""

    reporting_ua: str = ""
    gateway: str = ""
    #: With their types, as in `rfc822; bob@x.example`.
    original_recipient: str = ""
    final_recipient: str = ""
    #: As it is written.
    original_message_id: str = ""
    #: Lower case: `manual-action`, `mdn-sent-manually`, `displayed` and the like.
    action_mode: str = ""
    sending_mode: str = ""
    kind: str
    errors: tuple[str, ...] = ()
    #: Names and values.
    extensions: tuple[tuple[str, str], ...] = ()

    @property
    def message_id(self) -> str:
        """The id of the message it is about, in canonical form (`thread.message_id`)."""
        return thread.message_id(self.original_message_id.encode("utf-8", "replace"))

    @property
    def recipients(self) -> tuple[str, ...]:
        """Whose program says it, and to whom the message was sent; addresses, as far as they are told."""
        told = (address_of(one) for one in (self.final_recipient, self.original_recipient))
        return tuple(dict.fromkeys(filter(None, told)))


def address_of(typed: str) -> str:
    """An address without its type."""
    return typed.rpartition(";")[2].strip().removeprefix("<").removesuffix(">")


# Writing.


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """All of a notification but what is random."""

    said: Disposition
    sender: tuple[str, Address]
    to: Sequence[Address]
    subject: str
    #: For people; any line ends.
    text: str
    when: datetime
    #: Of the message, with brackets; empty when it had none.
    references: str = ""
    #: The message, None to leave it out.
    original: bytes | None = None
    #: Addresses need SMTPUTF8 (RFC 6533 §4).
    utf8: bool = False


def write(receipt: Receipt, *, message_id: str, boundary: str, max_octets: int) -> bytes:
    """The whole message. Raises compose.TooLarge, and ValueError for a boundary that stands in the original."""
    utf8 = receipt.utf8
    fields = [
        compose.address_field(b"From", [receipt.sender], utf8=utf8),
        compose.address_field(b"To", [("", one) for one in receipt.to], utf8=utf8),
        compose.text_field(b"Subject", receipt.subject, utf8=utf8),
        compose.date_field(receipt.when),
        header.fold(b"Message-ID", message_id.encode()),
    ]
    if receipt.references:
        octets = receipt.references.encode("utf-8" if utf8 else "ascii", "ignore")
        fields += header.fold(b"In-Reply-To", octets), header.fold(b"References", octets)
    if receipt.said.sending_mode == "mdn-sent-automatically":
        fields.append(b"Auto-Submitted: auto-replied\r\n")  # RFC 3834 §5
    kind = "message/global-disposition-notification" if utf8 else "message/disposition-notification"
    parts = [
        compose.text(receipt.text, eight_bit=utf8),
        compose.embedded(disposition_fields(receipt.said, utf8=utf8), kind),
    ]
    if receipt.original is not None:
        parts.append(dsn.original(receipt.original, is_whole=True, utf8=utf8))
    parameters = (("report-type", "disposition-notification"),)
    report = compose.multipart("report", parts, boundary=boundary, parameters=parameters)
    return compose.message(fields, report, max_octets=max_octets)


def disposition_fields(said: Disposition, *, utf8: bool) -> bytes:
    """The part for programs (RFC 8098 §3.1)."""
    sending = _MODES.get(said.sending_mode, said.sending_mode)
    values = [
        ("Reporting-UA", said.reporting_ua),
        ("MDN-Gateway", said.gateway),
        ("Original-Recipient", said.original_recipient),
        ("Final-Recipient", said.final_recipient),
        ("Original-Message-ID", said.original_message_id),
        ("Disposition", f"{said.action_mode}/{sending}; {said.kind}"),
        *(("Error", one) for one in said.errors),
        *said.extensions,
    ]
    encoding = "utf-8" if utf8 else "ascii"
    return b"".join(
        header.fold_text(name.encode(), value.encode(encoding, "replace")) for name, value in values if value
    )


# Reading.


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
    fields = [
        (one.name.decode("ascii", "replace"), header.content(content, one))
        for one in header.fields(content, start, limits=_LIMITS)
    ]
    found: dict[str, str] = {}
    for name, value in reversed(fields):  # The first of a name counts.
        found[name.lower()] = comment.remove(value).decode("utf-8", "replace").strip()
    match = _DISPOSITION.match(found.get("disposition", ""))
    if match is None:
        return None
    return Disposition(
        reporting_ua=found.get("reporting-ua", ""),
        gateway=found.get("mdn-gateway", ""),
        original_recipient=found.get("original-recipient", ""),
        final_recipient=found.get("final-recipient", ""),
        original_message_id=found.get("original-message-id", ""),
        action_mode=(match[1] or "").lower(),
        sending_mode=(match[2] or "").lower(),
        kind=match[3].lower(),
        errors=tuple(value.decode("utf-8", "replace") for name, value in fields if name.lower() == "error"),
        extensions=tuple(
            (name, value.decode("utf-8", "replace")) for name, value in fields if name.lower() not in FIELDS
        ),
    )
