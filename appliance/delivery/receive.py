"""A message has come in, for recipients of ours: what each gets, and what becomes of it (ARCHITECTURE.md).

Facts are gathered, a verdict is reached, the copies are placed. Nothing is promised before `receive` returns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address

from appliance.base.metrics import Counter
from appliance.delivery.appliance import Appliance
from appliance.delivery.place import Placed, Placement, place
from appliance.mail import received
from appliance.mail.address import Path
from appliance.mail.received import Received
from appliance.mail.status import Status
from appliance.store import prepare
from appliance.store.records import INBOX, Origin
from appliance.store.spool import Spooled
from appliance.store.tables import AccountID

deliveries = Counter("smtpserver_delivery_total", "Deliveries of incoming messages.", ("result", "reason"))


@dataclass(frozen=True, slots=True)
class Recipient:
    """Somebody of ours who gets the message."""

    #: As in RCPT.
    path: Path
    account: AccountID
    mailbox: str
    quota_octets: int | None


@dataclass(frozen=True, slots=True)
class Envelope:
    """How the message reached us."""

    reverse_path: Path
    recipients: Sequence[Recipient]
    remote_ip: IPv4Address | IPv6Address
    ehlo: str
    #: The Received field, all but its recipient (S-89).
    trace: Received
    arrived: datetime
    #: Name of the TLS version, None for plain text.
    tls_version: str | None
    tls_cipher: str
    requiretls: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one recipient's copy."""

    recipient: Recipient
    #: 250 when it is on the disk.
    code: int
    status: Status
    text: str


_TLS_NUMBERS = {"TLS1.0": 0x0301, "TLS1.1": 0x0302, "TLS1.2": 0x0303, "TLS1.3": 0x0304}


async def receive(app: Appliance, envelope: Envelope, spooled: Spooled) -> list[Verdict]:
    """Deliver to every recipient; the verdicts in the order of the recipients.

    Raises StorageFull and StoreFailed, and then nobody got it.
    """
    content = await app.store.content(spooled)
    body = await app.store.body(spooled)
    try:
        placements = []
        for recipient in envelope.recipients:
            lines = _added_fields(envelope, recipient)
            new = prepare.message(
                content,
                body,
                prefix=lines,
                received=int(envelope.arrived.timestamp() * 1_000_000),
                limits=app.store.limits.prepare,
                origin=_origin(envelope, recipient),
            )
            placements.append(Placement(recipient.account, recipient.mailbox, new, recipient.quota_octets))
        placed = await app.store.write_heavy(spooled.size, place, placements, app.store.limits.mailbox)
    finally:
        await app.store.unuse(body)
    return [_verdict(recipient, one) for recipient, one in zip(envelope.recipients, placed, strict=True)]


def _added_fields(envelope: Envelope, recipient: Recipient) -> bytes:
    """Header fields put before the message, in the order of S-129."""
    lines = [
        # A-labels: only a localpart beyond ASCII makes a header need SMTPUTF8 (RFC 6531 §3.7.3).
        f"Delivered-To: {recipient.path.ascii}\r\n".encode(),
        f"Return-Path: <{envelope.reverse_path.ascii}>\r\n".encode(),
        received.compose(envelope.trace, recipient.path.ascii),
    ]
    return b"".join(lines)


def _origin(envelope: Envelope, recipient: Recipient) -> Origin:
    return Origin(
        remote_ip=str(envelope.remote_ip),
        ehlo=envelope.ehlo,
        mail_from=str(envelope.reverse_path),
        rcpt_to=str(recipient.path),
        tls_version=1 if envelope.tls_version is None else _TLS_NUMBERS.get(envelope.tls_version, 0),
        tls_cipher=envelope.tls_cipher,
        requiretls=envelope.requiretls,
    )


def _verdict(recipient: Recipient, placed: Placed) -> Verdict:
    if placed.over_quota:
        deliveries.labels("accounterror", "quota").inc()
        return Verdict(recipient, 452, Status(4, 2, 2), "mailbox is full")
    deliveries.labels("delivered", "").inc()
    return Verdict(recipient, 250, Status(2, 2, 0), "delivered")


#: Where mail goes whose destination names no mailbox.
DEFAULT_MAILBOX = INBOX
