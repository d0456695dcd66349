"""What is asked and answered, with the names that are on the wire. What a request leaves out is zero."""

from datetime import datetime

import msgspec

from appliance.mail import told
from appliance.mail.told import NameAddress, Structure, json_name


class Shape(msgspec.Struct, rename=json_name, kw_only=True):
    """An object of the interface."""


class Nothing(Shape):
    """`{}`."""


class Error(Shape):
    """Why a call failed: Code for programs, Message for people."""

    code: str
    message: str


# Messages.


class File(Shape):
    """A file of a message. Data is in base64; what ContentType leaves open is told from it."""

    name: str = ""
    content_type: str = ""
    #: With angle brackets.
    content_id: str = ""
    data: str = ""


class SendRequest(Shape):
    """A message to be sent. Ids are with angle brackets, References from the oldest on."""

    from_: list[NameAddress] = []
    to: list[NameAddress] = []
    cc: list[NameAddress] = []
    bcc: list[NameAddress] = []
    reply_to: list[NameAddress] = []
    message_id: str = ""
    references: list[str] = []
    date: datetime | None = None
    subject: str = ""
    text: str = ""
    html: str = ""
    #: Comes back in the webhooks about it.
    extra: dict[str, str] = {}
    headers: list[tuple[str, str]] = []
    alternative_files: list[File] = []
    inline_files: list[File] = []
    attached_files: list[File] = []
    require_tls: bool | None = None
    future_release: datetime | None = None
    save_sent: bool = False
    #: The same key with the same request within 24 hours gets the answer of the first call, and nothing is sent again.
    idempotency_key: str = ""


class Submission(Shape):
    """A recipient's entry in the queue."""

    address: str
    queue_msg_id: int
    from_id: str


class SendResult(Shape):
    """What was sent; in the order of To, CC and BCC."""

    message_id: str
    submissions: list[Submission]


# Suppressions.


class Suppression(Shape):
    """An address that the account's messages are not sent to."""

    id: int
    created: datetime
    account: str
    base_address: str
    original_address: str
    manual: bool
    reason: str


class SuppressionListResult(Shape):
    """All of the account, by ID."""

    suppressions: list[Suppression]


class SuppressionAddRequest(Shape):
    """An address to be added."""

    email_address: str = ""
    manual: bool = False
    reason: str = ""


class SuppressionRequest(Shape):
    """An address to be looked up or removed, in any of its variants."""

    email_address: str = ""


class SuppressionPresentResult(Shape):
    """Whether it is in the list."""

    present: bool


# Stored messages.


class MessageRequest(Shape):
    """A message of the account, by the id that webhooks tell."""

    msg_id: int = 0


class MessagePartRequest(MessageRequest):
    """A part: indices into Parts of Structure, from the outermost in; none of them is the message itself."""

    part_path: list[int] = []


class MessageFlagsRequest(MessageRequest):
    """Flags: `\\\\seen`, `$junk` ... in any case, and keywords."""

    flags: list[str] = []


class MessageMoveRequest(MessageRequest):
    """The mailbox to move it to."""

    dest_mailbox_name: str = ""


class MessageMeta(Shape):
    """What is known of a message beside its content; all but the first three are empty for uploads."""

    size: int
    dsn: bool
    flags: list[str]
    mail_from: str
    mail_from_validated: bool
    rcpt_to: str
    msg_from: str
    msg_from_validated: bool
    dkim_verified_domains: list[str]
    remote_ip: str
    mailbox_name: str


class MessageGetResult(Shape):
    """A message: what it says, its parts, and what is known of it."""

    message: told.Message
    structure: Structure
    meta: MessageMeta
