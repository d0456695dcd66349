"""What the tables of the queue hold: msgpack arrays, as in `records`. Times are microseconds since 1970."""

from typing import Final

import msgspec

from appliance.store.tables import NO_SUBMISSION, AccountID, BodyID, QueueID, SubmissionID

#: The text of an attempt that is being made.
NO_RESULT: Final = "being delivered, no result yet"


class Attempt(msgspec.Struct, array_like=True, frozen=True):
    """One attempt at delivery, or what an operator did instead."""

    start: int
    #: Microseconds.
    duration: int = 0
    success: bool = False
    #: SMTP reply code and enhanced code, 0 and empty where there was none.
    code: int = 0
    status: str = ""
    text: str = ""


class QueuedMessage(msgspec.Struct, array_like=True):
    """One message for one recipient, waiting to be delivered."""

    id: QueueID
    #: Copies of one submission with the same sender and prefix share the id of the first; 0 for one alone.
    base_id: QueueID
    #: Whose it is, who hears of failures; for NO_ACCOUNT the postmaster does.
    account: AccountID
    queued: int
    #: In Unicode spelling, without brackets; empty for the null path, which no notice is ever sent to.
    reverse_path: str
    recipient: str
    #: The message as submitted; the prefix goes before it.
    body: BodyID
    #: Octets of prefix and body.
    size: int
    next_attempt: int
    prefix: bytes = b""
    #: On hold it is not attempted.
    hold: bool = False
    #: The unique part of the reverse path, by which notices are matched to this message; empty without.
    from_id: str = ""
    attempts: int = 0
    #: 0: as many as the schedule has.
    max_attempts: int = 0
    last_attempt: int = 0
    #: Host -> addresses dialed so far.
    dialed_ips: dict[str, tuple[str, ...]] = {}
    results: tuple[Attempt, ...] = ()
    #: Needs 8BITMIME (RFC 6152), SMTPUTF8 (RFC 6531).
    has_8bit: bool = False
    smtputf8: bool = False
    #: A report of ours about others.
    is_dmarc_report: bool = False
    is_tls_report: bool = False
    #: With brackets, as in the message.
    message_id: str = ""
    subject: str = ""
    #: What to send instead where SMTPUTF8 is offered: a notice whose body is ASCII only.
    dsn_utf8: bytes | None = None
    #: Overrides the routes.
    transport: str | None = None
    #: True: REQUIRETLS; False: `TLS-Required: No` (RFC 8689); None: neither.
    requiretls: bool | None = None
    #: `for;SECONDS` or `until;DATE-TIME`, for notices (RFC 4865 §9).
    future_release: str = ""
    #: From the submitter, for his webhooks.
    extra: dict[str, str] = {}
    #: When the sender wants notices (RFC 3461 §4.1): some of DELAY FAILURE SUCCESS, or NEVER alone; None: not said.
    notify: tuple[str, ...] | None = None
    #: `addr-type;xtext` (RFC 3461 §4.2).
    orcpt: str | None = None
    #: `FULL` or `HDRS` (RFC 3461 §4.3).
    ret: str | None = None
    #: Decoded (RFC 3461 §4.4).
    envid: str | None = None
    #: The address of ours that forwards it, canonical; empty for all that was sent. Its account hears of a failure.
    forwarded_by: str = ""
    #: The account kept none: it gets the message itself if this fails.
    is_only_copy: bool = False
    #: The account's submission by JMAP that it is part of (store/submission.py); 0 for any other.
    submission: SubmissionID = NO_SUBMISSION
    #: An automatic reply: whatever becomes of it says nothing to anybody.
    is_automatic: bool = False

    def wants(self, notice: str) -> bool:
        """Whether the sender is told: `FAILURE` and `DELAY` unless he said otherwise, `SUCCESS` only if he asked.

        Of a forwarded message its account is told, and of failure only.
        """
        if self.forwarded_by:
            return notice == "FAILURE"
        if not self.reverse_path:
            return False  # RFC 5321 §4.5.5: never a notice about a notice
        return notice != "SUCCESS" if self.notify is None else notice in self.notify


class RetiredMessage(msgspec.Struct, array_like=True):
    """What is remembered of a message that left the queue; its content is gone."""

    id: QueueID
    base_id: QueueID
    account: AccountID
    queued: int
    reverse_path: str
    recipient: str
    size: int
    success: bool
    last_activity: int
    keep_until: int
    from_id: str = ""
    attempts: int = 0
    max_attempts: int = 0
    last_attempt: int = 0
    dialed_ips: dict[str, tuple[str, ...]] = {}
    results: tuple[Attempt, ...] = ()
    has_8bit: bool = False
    smtputf8: bool = False
    is_dmarc_report: bool = False
    is_tls_report: bool = False
    message_id: str = ""
    subject: str = ""
    transport: str | None = None
    requiretls: bool | None = None
    future_release: str = ""
    extra: dict[str, str] = {}
    forwarded_by: str = ""
    submission: SubmissionID = NO_SUBMISSION
    is_automatic: bool = False


class ReturnPath(msgspec.Struct, array_like=True):
    """Where notices go that come to a sender address of ours of forwarded messages."""

    #: Who gets them: the sender, or the account that forwarded where nobody vouched for him.
    returns_to: str
    until: int
    #: Notices so far.
    notices: int = 0


class HoldRule(msgspec.Struct, array_like=True, frozen=True):
    """Messages that match in all fields that are set are put on hold."""

    id: int
    account: AccountID | None = None
    #: As they stand behind the `@` of paths, in Unicode spelling; empty: any.
    sender_domain: str = ""
    recipient_domain: str = ""
    #: The last message that was there before it; those up to `swept` have been looked at.
    until: QueueID = QueueID(0)
    swept: QueueID = QueueID(0)


class Suppression(msgspec.Struct, array_like=True, frozen=True):
    """An address that an account's messages are not sent to any more."""

    id: int
    created: int
    #: What stands for all variants of an address.
    base_address: str
    #: As it was written when it was added.
    address: str
    #: Added by a person, not because a delivery failed.
    manual: bool
    reason: str


class Offered(msgspec.Struct, array_like=True, frozen=True):
    """What a host of a recipients' domain offered when it was connected to last."""

    #: In Unicode spelling.
    domain: str
    updated: int
    starttls: bool
    #: REQUIRETLS (RFC 8689).
    requiretls: bool


class Outgoing(msgspec.Struct, array_like=True, frozen=True):
    """How much an account has sent up to a moment; differences of two are what it sent in between."""

    #: Messages, times recipients.
    messages: int
    #: Of these, to recipients never written to before.
    first_time: int
