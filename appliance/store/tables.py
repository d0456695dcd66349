"""The tables of the store: name, key, value. Every key of the environment is made here.

Keys are big-endian integers, so that a range scan yields order. What is longer than a key may be enters it
as a 16 octet digest. The first four octets of every table that belongs to an account are the account's id.
"""

import enum
import hashlib
import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple, NewType

AccountID = NewType("AccountID", int)
MailboxID = NewType("MailboxID", int)
MessageID = NewType("MessageID", int)
BodyID = NewType("BodyID", int)
QueueID = NewType("QueueID", int)
HookID = NewType("HookID", int)
SubmissionID = NewType("SubmissionID", int)

#: Stands for the account itself among its annotations, for the top above all mailboxes, and for none.
NO_MAILBOX: Final = MailboxID(0)
#: Stands for no submission by JMAP.
NO_SUBMISSION: Final = SubmissionID(0)
#: Owns what is queued for nobody in particular: the postmaster answers for it.
NO_ACCOUNT: Final = AccountID(0)


class MailboxRef(NamedTuple):
    """A mailbox of any account."""

    account: AccountID
    id: MailboxID


class Table(enum.Enum):
    """A named LMDB database. The comment tells key -> value."""

    #: A transaction looks its tables up many times; the hash of Enum is written in Python.
    __hash__ = object.__hash__

    META = "meta"  # text -> text: schema version and global counters
    ACCOUNT = "account"  # account -> Account
    ACCOUNT_NAME = "account_name"  # name -> account
    CREDENTIAL = "credential"  # account -> Credentials
    APP_PASSWORD = "app_password"  # noqa: S105  account number -> AppPassword
    LOGIN_ATTEMPT = "login_attempt"  # account digest -> LoginAttempt; account failed -> how many there are: ledger.py
    LOGIN_ATTEMPT_TIME = "login_attempt_time"  # account failed last digest -> nothing
    REFUSAL = "refusal"  # account digest -> Refusal; account 0 -> how many there are: ledger.py
    REFUSAL_TIME = "refusal_time"  # account 0 last digest -> nothing
    MAILBOX = "mailbox"  # account mailbox -> Mailbox
    MAILBOX_NAME = "mailbox_name"  # account parent element -> mailbox; live ones
    ROW = "row"  # account mailbox uid -> Row; live messages
    PLACE = "place"  # account message -> Place; where a message is, live or waiting to be erased
    FACTS = "facts"  # account message -> Facts
    PREPARED = "prepared"  # account message -> Prepared
    PREFIX = "prefix"  # account message -> header fields added here; absent when there are none
    TEXT = "text"  # account message -> folded text to search
    ORDER = "order"  # account message -> Keys to sort and thread by; absent for messages of an older program
    COPIED = "copied"  # account message -> the message it began as a copy of; absent for any other
    CHANGED = "changed"  # account modseq mailbox uid -> Changed; the last change of every message, expunged too
    ERASE = "erase"  # account message -> modseq of the removal
    BODY = "body"  # body piece -> octets
    BODY_USE = "body_use"  # body -> references, size
    THREAD = "thread"  # account thread message -> nothing
    MESSAGE_ID = "message_id"  # account digest message -> nothing; live ones
    SUBJECT = "subject"  # account digest mailbox-of-origin received message -> nothing; live ones
    ANNOTATION = "annotation"  # account mailbox key -> Annotation
    SUBSCRIPTION = "subscription"  # account digest -> name
    ACL = "acl"  # account mailbox grantee -> rights that others have; two numbers of grantees stand for everybody
    SHARED = "shared"  # grantee account mailbox -> nothing; where ACL has rights for whom
    SEEN = "seen"  # account mailbox reader chunk -> bits of UIDs seen by others than the owner, where that is their own
    SEEN_BY = "seen_by"  # reader account mailbox -> nothing; where SEEN has something of whom
    SEGMENT = "segment"  # account last-message -> Segment of the index of texts
    SEGMENT_PIECE = "segment_piece"  # account segment kind piece -> words or messages of a segment
    JUNK_WORD = "junk_word"  # account filter word -> hams and spams with it
    LEARNED = "learned"  # account -> Learned: the account's junk filter, and one that is being made
    TO_LEARN = "to_learn"  # account message -> nothing; its judgement changed and the filter does not know yet
    REJECT = "reject"  # account 1 mailbox received message, account 2/3 digest mailbox message -> nothing: reject.py
    RESCUED = "rescued"  # account digest content-digest -> time; refused messages that were taken out: reject.py
    SUBJECTPASS = "subjectpass"  # account digest -> key of an address
    JUDGED = "judged"  # account kind name mailbox-of-origin vouched received message -> is junk, localpart; live ones
    SENT_TO = "sent_to"  # account kind name received message -> nothing; what the user has written, and to whom
    SENT_TO_NAMES = "sent_to_names"  # account message -> kinds and names in SENT_TO, one behind the other
    ARRIVED = "arrived"  # account kind name time -> messages and octets of a network so far
    RECIPIENT = "recipient"  # account digest -> KnownRecipient; whom the account wrote to, by the address
    RECIPIENT_SENT = "recipient_sent"  # account time digest -> nothing; when last
    IDENTITY = "identity"  # account id -> Identity; what is set of an address to send as, and those that were added
    PREFERENCES = "preferences"  # account -> Preferences
    SENDER_VIEW = "sender_view"  # account digest -> SenderView; how mail of an address is shown
    RULESET_NEVER = "ruleset_never"  # account digest -> Never; for what no ruleset is suggested
    VACATION = "vacation"  # account -> Vacation
    VACATION_ANSWERED = "vacation_answered"  # account digest -> time; account alone -> how many in a day
    SUBMISSION = "submission"  # account submission -> Submission
    SUBMISSION_RECIPIENT = "submission_recipient"  # account submission queued -> SubmissionRecipient
    SUBMISSION_CHANGED = "submission_changed"  # account state submission -> nothing; the last change of each
    SUBMISSION_UNTIL = "submission_until"  # time account submission -> nothing; end of keeping
    SUBMISSION_STATE = "submission_state"  # account -> SubmissionState
    PUSH = "push"  # account id -> PushSubscription
    WEB_SESSION = "web_session"  # account, digest of the token -> WebSession
    SECOND_FACTOR = "second_factor"  # account -> SecondFactor; that of NOBODY is the administrator's
    API_TOKEN = "api_token"  # noqa: S105  account, digest of the token -> APIToken; those of NOBODY as well
    QUEUED = "queued"  # queued -> QueuedMessage
    QUEUED_DUE = "queued_due"  # next attempt, queued -> nothing; without those on hold
    QUEUED_HELD = "queued_held"  # next attempt, queued -> nothing; those on hold
    QUEUED_ACCOUNT = "queued_account"  # account queued -> nothing
    QUEUED_BASE = "queued_base"  # base queued -> nothing; copies of one submission
    FROM_ID = "from_id"  # digest of a FROM id -> queued; of queued and of retired messages
    RETIRED = "retired"  # queued -> RetiredMessage
    RETIRED_ACCOUNT = "retired_account"  # account queued -> nothing
    RETIRED_UNTIL = "retired_until"  # end of keeping, queued -> nothing
    RETIRED_ACTIVITY = "retired_activity"  # last activity, queued -> nothing
    RETIRED_RECIPIENT = "retired_recipient"  # account digest queued -> nothing
    SUPPRESSION = "suppression"  # account digest -> Suppression; the digest is of the base address
    ONCE = "once"  # account digest -> Submitted; the digest is of a key that its submitter gave
    ONCE_TIME = "once_time"  # account time digest -> nothing
    OFFERED = "offered"  # account digest -> Offered; what hosts of a domain offer of TLS, the digest is of the domain
    HOLD_RULE = "hold_rule"  # rule -> HoldRule
    HOOK = "hook"  # hook -> Hook
    HOOK_PAYLOAD = "hook_payload"  # hook -> JSON; of those that wait and of retired ones
    HOOK_DUE = "hook_due"  # next attempt, hook -> nothing
    HOOK_ACCOUNT = "hook_account"  # account hook -> nothing
    HOOK_MESSAGE = "hook_message"  # queued -> hook; the one that waits, of a message that was sent
    HOOK_RETIRED = "hook_retired"  # hook -> RetiredHook
    HOOK_RETIRED_ACCOUNT = "hook_retired_account"  # account hook -> nothing
    HOOK_RETIRED_UNTIL = "hook_retired_until"  # end of keeping, hook -> nothing
    HOOK_RETIRED_ACTIVITY = "hook_retired_activity"  # last activity, hook -> nothing
    OUTGOING = "outgoing"  # account time -> messages and new recipients of the account so far
    OUTGOING_RECIPIENT = "outgoing_recipient"  # account digest -> first and last time
    FORWARDED = "forwarded"  # account hour -> how many messages it forwarded then
    RETURN_PATH = "return_path"  # localpart -> ReturnPath; sender addresses of ours of forwarded messages
    RETURN_PATH_UNTIL = "return_path_until"  # time, localpart -> nothing
    TLS_KEY = "tls_key"  # fingerprint -> TLSPublicKey; one for all accounts, since the handshake asks for it
    POLICY = "policy"  # domain -> KnownPolicy; MTA-STS policies of others
    REPORT = "report"  # identity -> Received; a report of others about domains of ours
    REPORT_DOMAIN = "report_domain"  # kind domain end identity -> nothing
    REPORT_RECEIVED = "report_received"  # time identity -> nothing
    DMARC_EVALUATION = "dmarc_evaluation"  # time number -> Evaluation; what we owe to others
    DMARC_EVALUATION_DOMAIN = "dmarc_evaluation_domain"  # policy domain, time number -> nothing
    DMARC_EVALUATION_OVER = "dmarc_evaluation_over"  # policy domain -> time before which evaluations are over
    TLS_RESULT = "tls_result"  # day is-host policy domain, recipient domain -> TLSResult; what we owe to others
    ROTATION = "rotation"  # domain -> Rotation; DKIM keys that take the place of others
    REPORT_SUPPRESSED = "report_suppressed"  # kind address -> Suppressed; who gets no reports of ours


#: Stands for an account where nobody knows whose it would be: attempts to log in as somebody who does not exist.
NOBODY: Final = AccountID(0)

#: Grantees of rights beside accounts: all there are, and all who have logged in (RFC 4314 §2). They come to the same,
#: since nobody uses mailboxes without a login.
ANYONE: Final = AccountID(0)
AUTHENTICATED: Final = AccountID(0xFFFF_FFFE)

#: Octets of one piece of a body: fills sixteen LMDB pages exactly (ARCHITECTURE.md).
PIECE_OCTETS: Final = 65_520

_account = struct.Struct(">I").pack
_account_number = struct.Struct(">II").pack
_account_message = struct.Struct(">IQ").pack
_acl = struct.Struct(">III")
_row = _acl.pack
_seen = struct.Struct(">IIII")
_changed = struct.Struct(">IQII")
_body = struct.Struct(">Q").pack
_piece = struct.Struct(">QI").pack
_thread = struct.Struct(">IQQ").pack
_time_queued = struct.Struct(">QQ").pack
_origin = struct.Struct(">IqQ").pack
_segment_piece = struct.Struct(">IIBI").pack
_ledger_time = struct.Struct(">I?Q").pack
_judged = struct.Struct(">I17sI?QQ").pack
_sent_to = struct.Struct(">I17sQQ").pack
_arrived = struct.Struct(">I17sQ").pack


def digest(text: str) -> bytes:
    """Sixteen octets that stand for a text in a key; equality is checked on the record where it matters."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


#: account
account_key: Callable[[AccountID], bytes] = _account
#: account, mailbox
mailbox_key: Callable[[AccountID, MailboxID], bytes] = _account_number
#: account, message
message_key: Callable[[AccountID, MessageID], bytes] = _account_message
#: account, mailbox, uid
row_key: Callable[[AccountID, MailboxID, int], bytes] = _row
#: account, modseq, mailbox, uid
changed_key: Callable[[AccountID, int, MailboxID, int], bytes] = _changed.pack
#: body
body_key: Callable[[BodyID], bytes] = _body
#: body, piece
piece_key: Callable[[BodyID, int], bytes] = _piece
#: queued, rule
queued_key: Callable[[QueueID], bytes] = _body
#: time, queued
time_queued_key: Callable[[int, QueueID], bytes] = _time_queued
#: account, queued
account_queued_key: Callable[[AccountID, QueueID], bytes] = _account_message
#: base, queued
base_queued_key: Callable[[QueueID, QueueID], bytes] = _time_queued
#: hook
hook_key: Callable[[HookID], bytes] = _body
#: time, hook
time_hook_key: Callable[[int, HookID], bytes] = _time_queued
#: account, hook
account_hook_key: Callable[[AccountID, HookID], bytes] = _account_message
#: account, time
outgoing_key: Callable[[AccountID, int], bytes] = _account_message
#: account, number of a segment
segment_key: Callable[[AccountID, int], bytes] = _account_number
#: account, number of a segment, kind, piece
segment_piece_key: Callable[[AccountID, int, int, int], bytes] = _segment_piece
#: account, number of the filter; the octets of a word follow
word_prefix: Callable[[AccountID, int], bytes] = _account_number
#: account, number of the app password
app_password_key: Callable[[AccountID, int], bytes] = _account_number
#: account, thread, message
thread_key: Callable[[AccountID, MessageID, MessageID], bytes] = _thread


#: account, mailbox, grantee
acl_key: Callable[[AccountID, MailboxID, AccountID], bytes] = _row
#: grantee, account, mailbox
shared_key: Callable[[AccountID, AccountID, MailboxID], bytes] = _row
#: account, mailbox, reader, number of the chunk
seen_key: Callable[[AccountID, MailboxID, AccountID, int], bytes] = _seen.pack


def split_acl_key(key: bytes) -> tuple[int, int, int]:
    """Account, mailbox, grantee; or of a key in SHARED or SEEN_BY: grantee or reader, account, mailbox."""
    return _acl.unpack(key)


def split_seen_key(key: bytes) -> tuple[int, int, int, int]:
    """Account, mailbox, reader, number of the chunk."""
    return _seen.unpack(key)


def split_changed_key(key: bytes) -> tuple[int, int, int, int]:
    """Account, modseq, mailbox, uid."""
    return _changed.unpack(key)


def element_key(account: AccountID, parent: MailboxID, element: str) -> bytes:
    """Key of one element of a mailbox name below its parent (0: top)."""
    return _account_number(account, parent) + element.encode()


def message_id_key(account: AccountID, message_id: str, message: MessageID) -> bytes:
    """Key in MESSAGE_ID."""
    return _account(account) + digest(message_id) + _body(BodyID(message))


def subject_key(account: AccountID, subject: str, origin: MailboxID, received: int, message: MessageID) -> bytes:
    """Key in SUBJECT."""
    return _account(account) + digest(subject) + _origin(origin, received, message)


def annotation_key(account: AccountID, mailbox: MailboxID, entry: str) -> bytes:
    """Key of an annotation; long entry names are cut by a digest, the record holds the whole name."""
    octets = entry.encode()
    if len(octets) > 255:
        octets = octets[:200] + digest(entry)
    return _account_number(account, mailbox) + octets


def subscription_key(account: AccountID, name: str) -> bytes:
    """Key of a subscription."""
    return _account(account) + digest(name)


def subjectpass_key(account: AccountID, address: str) -> bytes:
    """Key in SUBJECTPASS; the address is canonical."""
    return _account(account) + digest(address)


def from_id_key(from_id: str) -> bytes:
    """Key in FROM_ID."""
    return digest(from_id)


def return_path_until_key(until: int, localpart: str) -> bytes:
    """Key in RETURN_PATH_UNTIL; without a localpart, where a moment begins."""
    return _body(BodyID(until)) + localpart.encode()


#: account, number of the hour
forwarded_key: Callable[[AccountID, int], bytes] = _account_number


def retired_recipient_prefix(account: AccountID, recipient: str) -> bytes:
    """What keys in RETIRED_RECIPIENT begin with; behind it stands the message."""
    return _account(account) + digest(recipient)


def suppression_key(account: AccountID, base_address: str) -> bytes:
    """Key in SUPPRESSION."""
    return _account(account) + digest(base_address)


def once_key(account: AccountID, key: str) -> bytes:
    """Key in ONCE."""
    return _account(account) + digest(key)


def once_time_key(account: AccountID, when: int, key: bytes) -> bytes:
    """Key in ONCE_TIME; `key` is that in ONCE."""
    return outgoing_key(account, when) + key[4:]


def offered_key(account: AccountID, domain: str) -> bytes:
    """Key in OFFERED."""
    return _account(account) + digest(domain)


#: account, number of a submission
submission_key: Callable[[AccountID, SubmissionID], bytes] = _account_message
#: account, number of a submission, queued
submission_recipient_key: Callable[[AccountID, SubmissionID, QueueID], bytes] = _thread
#: account, state, number of a submission
submission_changed_key: Callable[[AccountID, int, SubmissionID], bytes] = _thread


def submission_until_key(until: int, account: AccountID, id: SubmissionID) -> bytes:
    """Key in SUBMISSION_UNTIL."""
    return _body(BodyID(until)) + _account_message(account, id)


def recipient_key(account: AccountID, address: str) -> bytes:
    """Key in RECIPIENT; the case of a recipient says nothing here."""
    return _account(account) + digest(address.lower())


def recipient_sent_key(account: AccountID, when: int, key: bytes) -> bytes:
    """Key in RECIPIENT_SENT; `key` is that in RECIPIENT."""
    return _account_message(account, when) + key[4:]


def identity_key(account: AccountID, id: str) -> bytes:
    """Key in IDENTITY."""
    return _account(account) + id.encode()


def named_key(account: AccountID, name: str) -> bytes:
    """Key in SENDER_VIEW, RULESET_NEVER and VACATION_ANSWERED."""
    return _account(account) + digest(name)


def outgoing_recipient_key(account: AccountID, recipient: str) -> bytes:
    """Key in OUTGOING_RECIPIENT; the case of a recipient says nothing here."""
    return _account(account) + digest(recipient.lower())


@lru_cache(maxsize=4096)
def sender_name(kind: int, name: str) -> bytes:
    """A kind of name and a name, as they stand in keys. The case of an address says nothing here.

    Each is asked for several times a message, and senders come again.
    """
    return bytes((kind,)) + digest(name.lower())


#: account, kind and name, mailbox of origin, whether somebody vouched for the name, received, message
judged_key: Callable[[AccountID, bytes, MailboxID, bool, int, MessageID], bytes] = _judged
#: account, kind and name, received, message
sent_to_key: Callable[[AccountID, bytes, int, MessageID], bytes] = _sent_to
#: account, kind and name, time
arrived_key: Callable[[AccountID, bytes, int], bytes] = _arrived

#: Octets of a kind and a name.
SENDER_NAME_OCTETS: Final = 17

#: The tables of the queue: an account's id does not come first, or may be NO_ACCOUNT.
QUEUE: Final = frozenset(
    {
        Table.QUEUED,
        Table.QUEUED_DUE,
        Table.QUEUED_HELD,
        Table.QUEUED_ACCOUNT,
        Table.QUEUED_BASE,
        Table.FROM_ID,
        Table.RETIRED,
        Table.RETIRED_ACCOUNT,
        Table.RETIRED_UNTIL,
        Table.RETIRED_ACTIVITY,
        Table.RETIRED_RECIPIENT,
        Table.HOLD_RULE,
    }
)

#: The tables of webhooks, whose keys do not all begin with an account.
HOOKS: Final = frozenset(
    {
        Table.HOOK,
        Table.HOOK_PAYLOAD,
        Table.HOOK_DUE,
        Table.HOOK_ACCOUNT,
        Table.HOOK_MESSAGE,
        Table.HOOK_RETIRED,
        Table.HOOK_RETIRED_ACCOUNT,
        Table.HOOK_RETIRED_UNTIL,
        Table.HOOK_RETIRED_ACTIVITY,
    }
)

#: The tables of reports, and of what we owe to others: of the whole server, not of an account.
REPORTS: Final = frozenset(
    {
        Table.REPORT,
        Table.REPORT_DOMAIN,
        Table.REPORT_RECEIVED,
        Table.DMARC_EVALUATION,
        Table.DMARC_EVALUATION_DOMAIN,
        Table.DMARC_EVALUATION_OVER,
        Table.TLS_RESULT,
        Table.REPORT_SUPPRESSED,
    }
)


def ledger_key(account: AccountID, identity: bytes) -> bytes:
    """Key of a record in a ledger; `identity` is the digest of what makes it the same as another."""
    return _account(account) + identity


def web_session_key(account: AccountID, token_digest: bytes) -> bytes:
    """Key of a login by the web."""
    return _account(account) + token_digest


#: account, digest of the token
api_token_key: Callable[[AccountID, bytes], bytes] = web_session_key


def ledger_time_key(account: AccountID, lane: bool, last: int, identity: bytes) -> bytes:
    """Key in a ledger's index by time; without an identity, where a moment begins."""
    return _ledger_time(account, lane, last) + identity
