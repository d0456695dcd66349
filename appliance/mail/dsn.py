"""Delivery status notifications: what became of a message, told to its sender and to programs.

RFC 3464 in multipart/report (RFC 6522), RFC 3461 §6 for what a sender asked for, RFC 6533 beyond ASCII, RFC 4865 §9 for
held messages. Composing is exact, reading lenient. When a notice is due is for the queue.
"""

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from itertools import islice
from typing import Final

from appliance.mail import comment, compose, date, decode, header, status as statuses
from appliance.mail.address import Address, Path
from appliance.mail.compose import Entity
from appliance.mail.header import HeaderLimits
from appliance.mail.lineend import crlf
from appliance.mail.part import Part
from appliance.mail.status import Status
from appliance.mail.text import Reader


class Action(Enum):
    """What happened to one recipient's copy (RFC 3464 §2.3.3)."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"
    EXPANDED = "expanded"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientStatus:
    """What became of the copy for one recipient."""

    #: As in RCPT, in Unicode spelling.
    recipient: str
    action: Action
    status: Status
    #: ORCPT as it came, `addr-type;xtext`; empty when none did.
    original_recipient: str = ""
    #: Host name, and its address in brackets where known; empty when no other host was asked.
    remote_mta: str = ""
    #: The reply of SMTP on one line; empty when there was none.
    diagnostic: str = ""
    #: Why, in words: a comment behind the status.
    comment: str = ""
    last_attempt: datetime | None = None
    #: Of a delay only.
    will_retry_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryStatus:
    """The part for programs."""

    reporting_mta: str
    recipients: tuple[RecipientStatus, ...]
    #: ENVID of the sender, decoded.
    envelope_id: str = ""
    arrival: datetime | None = None
    #: `for;SECONDS` or `until;DATE-TIME`.
    future_release: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """All of a notification but what is random."""

    status: DeliveryStatus
    sender: Address
    to: Path
    subject: str
    #: For people; any line ends.
    text: str
    when: datetime
    #: With brackets; that of the message, empty when it had none.
    references: str = ""
    #: The message, or its header with the empty line.
    original: bytes
    is_whole: bool = False
    #: The message travelled with SMTPUTF8, so its sender reads UTF-8 (RFC 6533 §4).
    utf8: bool = False


_XTEXT_HEX: Final = re.compile(r"\+([0-9A-F]{2})")
_EMBEDDED: Final = re.compile(r"\\x\{([0-9A-F]{2,6})\}")
_TO_EMBED: Final = re.compile(r"[^!-*,-<>-\[\]-~]")
#: Octets of a diagnostic that are told: a server may have sent a hundred lines.
DIAGNOSTIC_CHARACTERS: Final = 1000


def write(notice: Notice, *, message_id: str, boundary: str, max_octets: int) -> bytes:
    """The whole message. Raises compose.TooLarge, and ValueError for a boundary that stands in the original."""
    utf8 = notice.utf8
    to = notice.to.address
    assert to is not None, "a null or literal path gets no notices"
    fields = [
        compose.address_field(b"From", [("Mail Delivery System", notice.sender)], utf8=utf8),
        compose.address_field(b"To", [("", to)], utf8=utf8),
        compose.text_field(b"Subject", notice.subject, utf8=utf8),
        compose.date_field(notice.when),
        header.fold(b"Message-ID", message_id.encode()),
        b"Auto-Submitted: auto-replied\r\n",  # RFC 3834 §5
    ]
    references = notice.references.encode("ascii", "ignore")
    if references:
        fields += header.fold(b"In-Reply-To", references), header.fold(b"References", references)
    parts = [
        compose.text(notice.text, eight_bit=utf8),
        compose.embedded(
            status_fields(notice.status, utf8=utf8),
            "message/global-delivery-status" if utf8 else "message/delivery-status",
        ),
        original(notice.original, is_whole=notice.is_whole, utf8=utf8),
    ]
    report = compose.multipart("report", parts, boundary=boundary, parameters=(("report-type", "delivery-status"),))
    return compose.message(fields, report, max_octets=max_octets)


def original(octets: bytes, *, is_whole: bool, utf8: bool) -> Entity:
    """A message that a report is about, or its header, as the last part of the report (RFC 6522 §3)."""
    if is_whole and (utf8 or octets[: header.header_end(octets)].isascii()):
        return compose.embedded(octets, "message/global" if utf8 else "message/rfc822")
    octets = octets[: header.header_end(octets)]
    if utf8:
        return compose.embedded(octets, "message/global-headers")
    if octets.isascii():
        return compose.embedded(octets, "text/rfc822-headers")
    # RFC 6533 §4.4 wants 7 bits where there is no SMTPUTF8.
    encoded = base64.encodebytes(crlf(octets)).replace(b"\n", b"\r\n")
    fields = (
        b'Content-Type: text/rfc822-headers; charset="utf-8"\r\n',
        b"Content-Transfer-Encoding: base64\r\n",
    )
    return Entity(fields, encoded)


def status_fields(status: DeliveryStatus, *, utf8: bool) -> bytes:
    """The part for programs: fields of the message, then a group for each recipient (RFC 3464 §2.1)."""
    lines = [_field("Reporting-MTA", f"dns; {status.reporting_mta}", utf8)]
    if status.envelope_id:
        lines.insert(0, _field("Original-Envelope-Id", status.envelope_id, utf8))
    if status.arrival:
        lines.append(_field("Arrival-Date", date.format(status.arrival), utf8))
    if status.future_release:
        lines.append(_field("Future-Release-Request", status.future_release, utf8))
    for one in status.recipients:
        lines.append(b"\r\n")
        if one.original_recipient:
            lines.append(_field("Original-Recipient", _original_recipient(one.original_recipient, utf8), utf8))
        lines += [
            _field("Final-Recipient", typed_address(one.recipient, utf8), utf8),
            _field("Action", one.action.value, utf8),
            _field("Status", str(one.status) + _comment(one.comment), utf8),
        ]
        if one.remote_mta:
            lines.append(_field("Remote-MTA", f"dns; {one.remote_mta}", utf8))
        if one.diagnostic:
            lines.append(_field("Diagnostic-Code", f"smtp; {one.diagnostic[:DIAGNOSTIC_CHARACTERS]}", utf8))
        if one.last_attempt:
            lines.append(_field("Last-Attempt-Date", date.format(one.last_attempt), utf8))
        if one.will_retry_until:
            lines.append(_field("Will-Retry-Until", date.format(one.will_retry_until), utf8))
    return b"".join(lines)


def _field(name: str, value: str, utf8: bool) -> bytes:
    return header.fold_text(name.encode(), value.encode("utf-8" if utf8 else "ascii", "replace"))


def _comment(text: str) -> str:
    """RFC 3464 §2.3.4: a comment may follow the code. Of what it could be misread by, a space is left."""
    words = "".join(" " if character in "()\\" or not character.isprintable() else character for character in text)
    words = " ".join(words[:DIAGNOSTIC_CHARACTERS].split())
    return f" ({words})" if words else ""


def typed_address(address: str, utf8: bool) -> str:
    """An address with its type. RFC 6533 §3: as it is where UTF-8 may stand, else characters by their number."""
    if address.isascii():
        return f"rfc822; {address}"
    return f"utf-8; {address if utf8 else _embedded(address)}"


def _embedded(address: str) -> str:
    return _TO_EMBED.sub(lambda found: f"\\x{{{ord(found[0]):02X}}}", address)


def _original_recipient(orcpt: str, utf8: bool) -> str:
    kind, _, address = orcpt.partition(";")
    if kind.lower() != "utf-8":
        return f"{kind}; {_XTEXT_HEX.sub(lambda found: chr(int(found[1], 16)), address)}"
    if utf8:
        return f"{kind}; {_EMBEDDED.sub(_character, address)}"
    return f"{kind}; {address if address.isascii() else _embedded(address)}"


def _character(found: re.Match[str]) -> str:
    number = int(found[1], 16)
    return chr(number) if 0x80 <= number < 0xD800 or 0xE000 <= number <= 0x10FFFF or number in _NAMED else found[0]


#: Printable characters of ASCII that may be named by number.
_NAMED: Final = frozenset(map(ord, "+=\\ "))


# Reading.


class DSNError(ValueError):
    """Not a delivery status notification."""


#: A status part is read no further than this; of its recipients so many are told of.
STATUS_OCTETS: Final = 1024 * 1024
RECIPIENTS: Final = 1000
_EMPTY_LINES: Final = re.compile(rb"(?:\r?\n)*+")
_STATUS_TYPES: Final = frozenset({"delivery-status", "global-delivery-status"})
_LIMITS: Final = HeaderLimits(fields=100, octets=64 * 1024)


def is_notice(root: Part) -> bool:
    """Whether a message says that it is a delivery status notification (RFC 3464 §2)."""
    is_report = (root.media_type, root.subtype) == ("multipart", "report")
    return is_report and (root.parameter("report-type") or "").lower() == "delivery-status"


def read(root: Part, octets: Reader, *, pedantic: bool = False) -> DeliveryStatus:
    """What a notification tells. Raises DSNError: not a report of two or three parts, or lacking what it must tell."""
    if not is_notice(root):
        raise DSNError("not a multipart/report about deliveries")
    if not 2 <= len(root.parts) <= 3:
        raise DSNError("a report has two or three parts")
    if pedantic and root.defect:
        raise DSNError(root.defect)
    part = root.parts[1]
    if part.media_type != "message" or part.subtype not in _STATUS_TYPES:
        raise DSNError("the second part is no delivery status")
    try:
        content = decode.decode_transfer(octets(part.body, min(part.end, part.body + STATUS_OCTETS)), part.encoding)
    except decode.UnknownEncoding as error:
        raise DSNError("delivery status in an unknown encoding") from error
    return parse_status(content)


def parse_status(octets: bytes) -> DeliveryStatus:
    """The part for programs, decoded. Raises DSNError."""
    groups = list(islice(_groups(octets), RECIPIENTS + 1))
    if len(groups) < 2:
        raise DSNError("no recipient")
    first, *others = groups
    return DeliveryStatus(
        reporting_mta=_untyped(_needed(first, "reporting-mta")),
        recipients=tuple(map(_recipient, others)),
        envelope_id=first.get("original-envelope-id", ""),
        arrival=_date(first, "arrival-date"),
        future_release=first.get("future-release-request", ""),
    )


def _groups(octets: bytes) -> Iterable[dict[str, str]]:
    position = 0
    while match := _EMPTY_LINES.match(octets, position):
        position = match.end()
        if position == len(octets):
            return
        end = header.header_end(octets, position)
        group: dict[str, str] = {}
        for field in header.fields(octets, position, end, limits=_LIMITS):
            name = field.name.decode("ascii", "replace").lower()
            if name in group:
                raise DSNError(f"{name} is there twice")
            group[name] = header.content(octets, field).decode("utf-8", "replace")
        if group:
            yield group
        position = end


def _recipient(group: Mapping[str, str]) -> RecipientStatus:
    try:
        action = Action(_plain(_needed(group, "action")).lower())
        status = statuses.parse(_plain(_needed(group, "status")))
    except (ValueError, statuses.StatusError) as error:
        raise DSNError(f"a recipient's action or status is malformed: {error}") from error
    kind, _, recipient = _needed(group, "final-recipient").partition(";")
    recipient = recipient.strip()
    if kind.strip().lower() == "utf-8":
        recipient = _EMBEDDED.sub(_character, recipient)
    return RecipientStatus(
        recipient=recipient.removeprefix("<").removesuffix(">"),
        action=action,
        status=status,
        original_recipient=group.get("original-recipient", ""),
        remote_mta=_untyped(group.get("remote-mta", "")),
        diagnostic=_untyped(group.get("diagnostic-code", "")),
        last_attempt=_date(group, "last-attempt-date"),
        will_retry_until=_date(group, "will-retry-until"),
    )


def _needed(group: Mapping[str, str], name: str) -> str:
    if not (value := group.get(name)):
        raise DSNError(f"{name} is missing")
    return value


def _plain(value: str) -> str:
    return comment.remove(value.encode()).decode().strip()


def _untyped(value: str) -> str:
    """What stands after a type such as `dns;`; Lenient: some leave the type out."""
    kind, semicolon, rest = value.partition(";")
    return rest.strip() if semicolon else kind.strip()


def _date(group: Mapping[str, str], name: str) -> datetime | None:
    return date.parse(group[name].encode()) if name in group else None
