"""A message has come in, for recipients of ours: what each gets, and what becomes of it (ARCHITECTURE.md).

Who gets a copy is planned, the copies are placed, the outcome is told for each recipient. Nothing is promised before
`receive` returns.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address
from typing import Final

import trio

from appliance.base.metrics import Counter
from appliance.config.addresses import AddressIndex
from appliance.delivery import copies
from appliance.delivery.appliance import Appliance
from appliance.delivery.copies import AliasRecipient, Copy, Recipient
from appliance.delivery.place import Placed, Placement, place
from appliance.mail import dsn, header, received
from appliance.mail.address import Address, AddressError, Path, sole_from
from appliance.mail.received import Received
from appliance.mail.status import Status
from appliance.store import prepare
from appliance.store.bodies import NewBody
from appliance.store.prepare import Content
from appliance.store.problems import NoSuchAccount, OverQuota
from appliance.store.records import INBOX, Origin
from appliance.store.spool import Spooled
from appliance.store.transaction import WriteTx

deliveries = Counter("smtpserver_delivery_total", "Deliveries of incoming messages.", ("result", "reason"))

#: Where mail goes whose destination names no mailbox.
DEFAULT_MAILBOX: Final = INBOX
#: After so many copies of one message, those of aliases, others get their turn.
COPIES_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True)
class Envelope:
    """How the message reached us."""

    reverse_path: Path
    #: In the order of RCPT.
    recipients: Sequence[Recipient | AliasRecipient]
    remote_ip: IPv4Address | IPv6Address
    ehlo: str
    #: The Received field, all but its recipient; None when no host brought the message: the queue did.
    trace: Received | None
    arrived: datetime
    #: Name of the TLS version, None for plain text.
    tls_version: str | None
    tls_cipher: str
    requiretls: bool
    #: The addresses as they were at RCPT: who in From is a member of an alias.
    addresses: AddressIndex
    #: Header fields of the message that stand before the octets received: the queue's.
    prefix: bytes = b""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of the message for one recipient."""

    #: As in RCPT.
    path: Path
    #: 250 when it is on the disk.
    code: int
    status: Status
    text: str


#: Writes more in the transaction that places the copies, once it has; raising, it leaves everything as it was.
Settle = Callable[[WriteTx, Sequence[Verdict]], None]


_TLS_NUMBERS = {"TLS1.0": 0x0301, "TLS1.1": 0x0302, "TLS1.2": 0x0303, "TLS1.3": 0x0304}


async def receive(
    app: Appliance, envelope: Envelope, spooled: Spooled, *, settle: Settle | None = None
) -> list[Verdict]:
    """Deliver to every recipient; the verdicts in the order of the recipients.

    Raises what `settle` raises, StorageFull and StoreFailed, and then nobody got it.
    """
    content = await app.store.content(spooled)
    sender = msg_from(content)
    plan = copies.plan(envelope.recipients, envelope.addresses.key(sender) if sender else None)

    def transaction(tx: WriteTx, placements: "Sequence[Placement]") -> "tuple[list[Placed], list[Verdict]]":
        done = place(tx, placements, app.store.limits.mailbox)
        placed = dict(zip(plan.copies, done, strict=True))
        verdicts = [
            _refused(recipient) if wanted is None else _verdict(recipient, [placed[copy] for copy in wanted])
            for recipient, wanted in zip(envelope.recipients, plan.wanted, strict=True)
        ]
        if settle is not None:
            settle(tx, verdicts)
        return done, verdicts

    body = await app.store.body(spooled)
    try:
        placements = await _placements(app, envelope, plan.copies, content, body, sender)
        done, verdicts = await app.store.write_heavy(spooled.size, transaction, placements)
    finally:
        if spooled.body is None:
            await app.store.unuse(body)
    for one in done:
        _count(one)
    for wanted in plan.wanted:
        if wanted is None:
            deliveries.labels("reject", "notmember").inc()
    return verdicts


def msg_from(content: Content) -> Address | None:
    """The address of From, when there is exactly one: who the message says wrote it."""
    head = content.header
    try:
        return sole_from(header.get_all(head.octets, head.fields, b"From"))
    except AddressError:
        return None


async def _placements(
    app: Appliance,
    envelope: Envelope,
    wanted: Sequence[Copy],
    content: Content,
    body: NewBody,
    sender: Address | None,
) -> list[Placement]:
    placements = []
    is_dsn = dsn.is_notice(content.root)
    for number, copy in enumerate(wanted, 1):
        new = prepare.message(
            content,
            body,
            prefix=_added_fields(envelope, copy),
            received=int(envelope.arrived.timestamp() * 1_000_000),
            limits=app.store.limits.prepare,
            origin=_origin(envelope, copy, sender, is_dsn=is_dsn),
        )
        recipient = copy.recipient
        placements.append(
            Placement(
                recipient.account, recipient.mailbox, new, recipient.quota_octets, junk_rules=recipient.junk_rules
            )
        )
        if number % COPIES_AT_ONCE == 0:
            await trio.lowlevel.checkpoint()
    return placements


def _added_fields(envelope: Envelope, copy: Copy) -> bytes:
    """Header fields put before the message.

    In this order: why it was delivered as it was, Delivered-To, Return-Path, Authentication-Results, Received-SPF,
    Received. The first and the two about authentication come with the checks that they tell of.
    """
    lines = [
        # A-labels: only a localpart beyond ASCII makes a header need SMTPUTF8 (RFC 6531 §3.7.3).
        f"Delivered-To: {copy.recipient.path.ascii}\r\n".encode(),
        f"Return-Path: <{envelope.reverse_path.ascii}>\r\n".encode(),
    ]
    if envelope.trace is not None:
        lines.append(received.compose(envelope.trace, copy.rcpt.ascii))
    return b"".join(lines) + envelope.prefix


def _origin(envelope: Envelope, copy: Copy, sender: Address | None, *, is_dsn: bool) -> Origin:
    return Origin(
        remote_ip=str(envelope.remote_ip),
        ehlo=envelope.ehlo,
        mail_from=str(envelope.reverse_path),
        rcpt_to=str(copy.rcpt),
        msg_from_localpart=sender.localpart if sender else "",
        msg_from_domain=sender.domain.unicode if sender else "",
        tls_version=1 if envelope.tls_version is None else _TLS_NUMBERS.get(envelope.tls_version, 0),
        tls_cipher=envelope.tls_cipher,
        requiretls=envelope.requiretls,
        is_dsn=is_dsn,
    )


def _count(placed: Placed) -> None:
    if placed.added is not None:
        deliveries.labels("delivered", "").inc()
    else:
        deliveries.labels("accounterror", "quota" if isinstance(placed.problem, OverQuota) else "").inc()


def _refused(recipient: Recipient | AliasRecipient) -> Verdict:
    return Verdict(recipient.path, 550, Status(5, 7, 2), "only members may write to this address")


def _verdict(recipient: Recipient | AliasRecipient, placed: Sequence[Placed]) -> Verdict:
    """One copy on the disk is enough for 250; an alias whose only other member is the sender has nobody to tell."""
    path, problems = recipient.path, [one.problem for one in placed if one.problem is not None]
    if len(problems) < len(placed) or not placed:
        return Verdict(path, 250, Status(2, 2, 0), "delivered")
    if all(isinstance(problem, OverQuota) for problem in problems):
        return Verdict(path, 452, Status(4, 2, 2), "mailbox is full")
    if isinstance(recipient, Recipient) and isinstance(problems[0], NoSuchAccount):
        return Verdict(path, 550, Status(5, 1, 1), "no such recipient here")
    return Verdict(path, 451, Status(4, 3, 0), "mailbox is not available")
