"""What the tables of webmail and JMAP hold: msgpack arrays, as in `records`. Times are microseconds since 1970."""

import msgspec

from appliance.store.tables import MessageID, QueueID, SubmissionID


class KnownRecipient(msgspec.Struct, array_like=True, frozen=True):
    """Whom an account wrote to."""

    #: In Unicode spelling.
    address: str
    #: As the last message that had one called him; may be empty.
    name: str
    last_sent: int
    #: Messages.
    count: int


class Named(msgspec.Struct, array_like=True, frozen=True):
    """An address with a display name, which may be empty."""

    name: str
    email: str


class Identity(msgspec.Struct, array_like=True, frozen=True):
    """What is set of an address to send as."""

    #: In Unicode spelling; `*@domain` for any of a domain.
    email: str
    #: None: what the configuration has.
    name: str | None = None
    reply_to: tuple[Named, ...] | None = None
    bcc: tuple[Named, ...] | None = None
    text_signature: str = ""
    html_signature: str = ""


class Preferences(msgspec.Struct, array_like=True, frozen=True):
    """How somebody wants his mail shown and written."""

    #: Of the preferences; each change raises it.
    version: int = 0
    signature: str = ""
    #: `auto`, `bottom` or `top`.
    quoting: str = "auto"
    show_address_security: bool = True
    show_html: bool = False
    no_show_shortcuts: bool = False
    show_headers: tuple[str, ...] = ()
    undo_seconds: int = 10
    compose_html: bool = False


class SenderView(msgspec.Struct, array_like=True, frozen=True):
    """How mail of an address is shown."""

    #: In lower case.
    address: str
    #: `text`, `html` or `external`.
    mode: str
    changed: int


class Never(msgspec.Struct, array_like=True, frozen=True):
    """For what no ruleset is suggested."""

    #: A word for what it is about, then what, as the key's digest is made of it.
    about: str
    created: int


class Vacation(msgspec.Struct, array_like=True, frozen=True):
    """What is answered to mail that nobody reads for some time (RFC 8621 §8)."""

    #: Each change raises it.
    version: int = 0
    is_enabled: bool = False
    #: From, and before; None: no bound.
    from_date: int | None = None
    to_date: int | None = None
    subject: str | None = None
    text: str | None = None
    html: str | None = None
    #: Days until a sender gets another reply at the earliest.
    days: int = 7
    #: Who was answered in an earlier series is answered anew: a new one begins when replies are switched on.
    series: int = 0


class VacationCount(msgspec.Struct, array_like=True, frozen=True):
    """Replies of a day, by the number of the day."""

    day: int
    replies: int


class SubmissionState(msgspec.Struct, array_like=True, frozen=True):
    """Singletons of an account's submissions."""

    next: int = 1
    #: Each change of any of them raises it.
    state: int = 0
    #: Of submissions that were removed up to this state nothing is known.
    forgotten: int = 0


class Submission(msgspec.Struct, array_like=True, frozen=True):
    """A message that was submitted by JMAP (RFC 8621 §7), as long as it is remembered."""

    id: SubmissionID
    identity: str
    message: MessageID
    thread: MessageID
    created: int
    #: When the queue may begin with it.
    send_at: int
    mail_from: str
    mail_parameters: dict[str, str | None]
    #: When it is forgotten.
    until: int
    #: The state of its last change, and of the one that made it.
    state: int = 0
    create_state: int = 0
    #: An attempt was made for some recipient.
    begun: bool = False
    canceled: bool = False
    #: Notices about it that came, oldest first.
    notices: tuple[MessageID, ...] = ()
    #: And what programs of its readers said (RFC 8098), oldest first.
    answers: tuple[MessageID, ...] = ()

    @property
    def undo_status(self) -> str:
        """`pending`, `final` or `canceled`."""
        return "canceled" if self.canceled else "final" if self.begun else "pending"


class SubmissionRecipient(msgspec.Struct, array_like=True, frozen=True):
    """What became of it for one recipient."""

    queued: QueueID
    email: str
    parameters: dict[str, str | None]
    #: The last reply on one line, with its codes.
    reply: str = ""
    #: `queued`, `yes`, `no` or `unknown`.
    delivered: str = "queued"
    #: His program says that he was shown it.
    displayed: bool = False
