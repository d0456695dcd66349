"""A message as cron and scripts write it, made into one that a mail server takes: line ends, sender, what is missing.

Only the header is touched, and of it only what must be: the From field names whom the server lets us send as.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Final

from appliance.mail import compose
from appliance.mail.address import Address, AddressError, AddressLimits, mailboxes, parse_list
from appliance.mail.header import unfold

_LINE_END: Final = re.compile(rb"\r\n|\r|\n")
_FIELD: Final = re.compile(rb"([!-9;-~]+)[ \t]*:")
#: What may hold a comma that separates nothing.
_QUOTED: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"|\((?:[^()\\]|\\.)*+\)', re.DOTALL)
_REMARK: Final = re.compile(rb"\(([^()\\]*+)\)")
#: An address of this machine alone, as `root`.
_BARE: Final = re.compile(rb"[^\s<>()@,;:\\\"\[\]]++")
_ADDRESSES: Final = 4


@dataclass(frozen=True, slots=True)
class SystemMessage:
    """One message, its line ends CRLF."""

    #: Whole fields with their line ends.
    fields: tuple[bytes, ...]
    body: bytes

    @classmethod
    def parse(cls, octets: bytes) -> "SystemMessage":
        """From any line ends: a lone CR, as of progress bars, ends a line too; no server takes it (RFC 5321 §2.3.8).

        The header ends before the first line that belongs to no field: a text without header is all body.
        """
        octets = _LINE_END.sub(b"\r\n", octets)
        at = octets.find(b"\r\n") + 2 if octets.startswith(b"From ") else 0  # An mbox's line, of no meaning here.
        starts: list[int] = []
        while at < len(octets):
            end = octets.find(b"\r\n", at) + 2
            end = end if end >= 2 else len(octets)
            line = octets[at:end]
            if not (starts and line[:1] in {b" ", b"\t"} and line.strip()):
                if not _FIELD.match(line):
                    break
                starts.append(at)
            at = end
        fields = [octets[start:end] for start, end in pairwise((*starts, at))]
        if fields and not fields[-1].endswith(b"\r\n"):
            fields[-1] += b"\r\n"
        return cls(tuple(fields), octets[at:].removeprefix(b"\r\n"))

    def recipient(self) -> str:
        """The one address of the To field, `root` perhaps. Raises AddressError: there are none or several."""
        values = [_value(field) for field in self._all(b"to")]
        entries = [entry for value in values for entry in _QUOTED.sub(b"", value).split(b",") if entry.strip()]
        if len(entries) == 1:
            if _BARE.fullmatch(bare := entries[0].strip()):
                return bare.decode("utf-8", "replace")
            limits = AddressLimits(addresses=_ADDRESSES, octets=max(map(len, values)))
            found = [one for value in values for one in mailboxes(parse_list(value, limits))]
            if len(found) == 1:
                return found[0].addr_spec
        raise AddressError("the To field does not have exactly one address")

    def rewritten(
        self, *, sender: Address, name: str, recipient: Address, date: datetime, message_id: str, tls_optional: bool
    ) -> bytes:
        """The message to send.

        From becomes the sender, with the name the message has, or else `name`. `tls_optional`: RFC 8689 §5, delivery
        matters more than TLS. The other arguments are for fields that are missing.
        """
        old = self._all(b"from")
        name = (_name(_value(old[0])) if old else "") or name
        new = compose.address_field(b"From", [(name, sender)], utf8=sender.needs_smtputf8)
        written = [_readable(field) for field in self.fields]
        if old:
            place = self.fields.index(old[0])
            written = [
                new if at == place else field
                for at, field in enumerate(written)
                if at == place or not _is(field, b"from")
            ]
        else:
            written.append(new)
        if not self._all(b"to"):
            written.append(compose.address_field(b"To", [("", recipient)], utf8=recipient.needs_smtputf8))
        if not self._all(b"date"):
            written.append(compose.date_field(date))
        if not self._all(b"message-id"):
            written.append(b"Message-ID: " + message_id.encode() + b"\r\n")
        if tls_optional and not self._all(b"tls-required"):
            written.append(b"TLS-Required: No\r\n")
        return b"".join((*written, b"\r\n", self.body))

    def _all(self, name: bytes) -> list[bytes]:
        return [field for field in self.fields if _is(field, name)]


def needs_utf8(addresses: Iterable[Address]) -> bool:
    """Whether the message can only go with SMTPUTF8 (RFC 6531 §3.2), for its addresses."""
    return any(address.needs_smtputf8 for address in addresses)


def _is(field: bytes, name: bytes) -> bool:
    return field.partition(b":")[0].strip().lower() == name


def _value(field: bytes) -> bytes:
    return unfold(field.partition(b":")[2]).strip(b" \t\r\n")


def _name(value: bytes) -> str:
    """Of a From field, even of one that names no address of the Internet: `root (Cron Daemon)`."""
    limits = AddressLimits(addresses=_ADDRESSES, octets=len(value))
    if found := next(mailboxes(parse_list(value, limits)), None):
        return found.name
    remark = _REMARK.search(value)
    return remark[1].decode("utf-8", "replace").strip() if remark else ""


def _readable(field: bytes) -> bytes:
    """A subject in plain UTF-8 as encoded words, which every server takes; other fields as they are."""
    if field.isascii() or not _is(field, b"subject"):
        return field
    try:
        return compose.text_field(b"Subject", _value(field).decode())
    except UnicodeDecodeError:
        return field
