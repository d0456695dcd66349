"""What webhooks tell of a message: one that came in, and what became of one that was sent.

The JSON is that of mox, version 0.
"""

from datetime import datetime
from enum import Enum

import msgspec

from appliance.mail import told
from appliance.mail.part import Part
from appliance.mail.text import Reader
from appliance.mail.told import Header, NameAddress, Structure, ToldLimits, json_name


class Event(Enum):
    """What became of a message that was sent."""

    #: The next host has taken it.
    DELIVERED = "delivered"
    #: Not sent, since its recipient is on the account's suppression list.
    SUPPRESSED = "suppressed"
    #: An attempt failed, another follows.
    DELAYED = "delayed"
    #: Given up.
    FAILED = "failed"
    #: Handed on to a system that tells no more.
    RELAYED = "relayed"
    #: Handed on to the members of a list.
    EXPANDED = "expanded"
    #: Dropped from the queue by the operator.
    CANCELED = "canceled"
    #: Something came to the address of its sender that is no notice we can read.
    UNRECOGNIZED = "unrecognized"


class Outgoing(msgspec.Struct, frozen=True, kw_only=True, rename=json_name):
    """What became of a message in the queue, or was heard of it later."""

    version: int = 0
    event: Event
    #: A notice of another server says so.
    dsn: bool
    #: Its recipient was put on the account's suppression list for it.
    suppressing: bool
    queue_msg_id: int
    #: Empty unless the sender address was unique.
    from_id: str
    #: With brackets.
    message_id: str
    subject: str
    webhook_queued: datetime
    #: Of the reply; 0 when there was none.
    smtp_code: int
    #: As `5.1.1`; empty when there was none.
    smtp_enhanced_code: str
    error: str
    #: What its sender gave with it.
    extra: dict[str, str]


class IncomingMeta(msgspec.Struct, frozen=True, kw_only=True, rename=json_name):
    """How a message came, and where it is."""

    msg_id: int
    #: Empty for a notice.
    mail_from: str
    #: By SPF.
    mail_from_validated: bool
    #: As DMARC would.
    msg_from_validated: bool
    rcpt_to: str
    #: In U-labels.
    dkim_verified_domains: tuple[str, ...]
    remote_ip: str
    received: datetime
    mailbox_name: str
    #: A machine sent it: nothing should answer by itself.
    automated: bool


class IncomingMessage(msgspec.Struct, frozen=True, kw_only=True, rename=json_name):
    """A message that came in, as it is told of to all its recipients."""

    version: int = 0
    from_: tuple[NameAddress, ...]
    to: tuple[NameAddress, ...]
    cc: tuple[NameAddress, ...]
    bcc: tuple[NameAddress, ...]
    reply_to: tuple[NameAddress, ...]
    subject: str
    #: With brackets, as are the ids below; empty without one.
    message_id: str
    in_reply_to: str
    references: tuple[str, ...]
    date: datetime | None
    #: Line ends are LF.
    text: str
    html: str
    structure: Structure


class Incoming(IncomingMessage, frozen=True, kw_only=True, rename=json_name):
    """A message that came in for one recipient."""

    meta: IncomingMeta


def json(payload: Outgoing | Incoming | IncomingMessage) -> bytes:
    """As it is posted."""
    return msgspec.json.encode(payload)


def with_meta(message: bytes, meta: IncomingMeta) -> bytes:
    """The JSON of an Incoming, from that of its IncomingMessage: a long text is encoded once for all recipients."""
    return b'%b,"Meta":%b}' % (message[:-1], msgspec.json.encode(meta))


def message(head: Header, root: Part, read: Reader, limits: ToldLimits) -> IncomingMessage:
    """What is told of a message. Decodes all of it: in a thread for what is not small."""
    text, html = told.texts(root, read, limits)
    return IncomingMessage(
        from_=head.addresses(b"from"),
        to=head.addresses(b"to"),
        cc=head.addresses(b"cc"),
        bcc=head.addresses(b"bcc"),
        reply_to=head.addresses(b"reply-to"),
        subject=head.subject,
        message_id=head.message_id,
        in_reply_to=head.in_reply_to,
        references=head.references,
        date=head.date,
        text=text,
        html=html,
        structure=told.structure(root, read),
    )
