"""What an IMAP client asks: every command as a value (RFC 9051 §6, RFC 3501 §6, and the extensions named below).

Values are decoded and canonical: mailbox names are NFC text (`mailboxname`), flags are `\\Seen` in the RFC's casing or
a keyword in lower case, upper case names where IMAP ignores case. What a mailbox holds is not known here.
"""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar, Literal

from appliance.protocol.imap.sequence import SequenceSet


class Request:
    """Any command."""

    __slots__ = ()
    #: The command's name, upper case, as in logs and metrics; the UID forms have the name without UID.
    name: ClassVar[str]


# Any state (RFC 9051 §6.1) and not authenticated (§6.2)


@dataclass(frozen=True, slots=True)
class Capability(Request):
    """CAPABILITY."""

    name = "CAPABILITY"


@dataclass(frozen=True, slots=True)
class Noop(Request):
    """NOOP."""

    name = "NOOP"


@dataclass(frozen=True, slots=True)
class Logout(Request):
    """LOGOUT."""

    name = "LOGOUT"


@dataclass(frozen=True, slots=True)
class Id(Request):
    """ID (RFC 2971): what the client says of itself, keys lower case and unique, values None for NIL."""

    name = "ID"
    parameters: tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, slots=True)
class StartTls(Request):
    """STARTTLS. What followed it in the buffer comes from `ServerConnection.take_pending` and goes to the handshake."""

    name = "STARTTLS"


@dataclass(frozen=True, slots=True)
class Authenticate(Request):
    """AUTHENTICATE; mechanism upper case, initial response decoded (RFC 4959), empty for `=`, None if not given."""

    name = "AUTHENTICATE"
    mechanism: str
    initial: bytes | None


@dataclass(frozen=True, slots=True)
class Login(Request):
    """LOGIN."""

    name = "LOGIN"
    user: str
    password: str

    def __repr__(self) -> str:
        return f"Login(user={self.user!r})"


# Authenticated (RFC 9051 §6.3)


@dataclass(frozen=True, slots=True)
class Unauthenticate(Request):
    """UNAUTHENTICATE (RFC 8437)."""

    name = "UNAUTHENTICATE"


@dataclass(frozen=True, slots=True)
class Compress(Request):
    """COMPRESS DEFLATE (RFC 4978). What followed it in the buffer is compressed (`ServerConnection.take_pending`)."""

    name = "COMPRESS"


@dataclass(frozen=True, slots=True)
class Enable(Request):
    """ENABLE (RFC 5161); names upper case, known or not."""

    name = "ENABLE"
    capabilities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QResync:
    """What a client remembers of a mailbox (RFC 7162 §3.2.5). No set holds `*`."""

    uid_validity: int
    mod_seq: int
    known_uids: SequenceSet | None
    #: Message numbers and their UIDs, equally many, both ascending.
    sequence_match: tuple[SequenceSet, SequenceSet] | None


@dataclass(frozen=True, slots=True)
class Select(Request):
    """SELECT, or EXAMINE if read_only; condstore and qresync are RFC 7162."""

    name = "SELECT"
    mailbox: str
    read_only: bool
    condstore: bool = False
    qresync: QResync | None = None


@dataclass(frozen=True, slots=True)
class Create(Request):
    """CREATE; special_use holds attributes as written, like `\\Archive`, canonical if known (RFC 6154)."""

    name = "CREATE"
    mailbox: str
    special_use: tuple[str, ...] = ()
    #: The name as written, where it was not in NFC; otherwise empty.
    supplied: str = ""


@dataclass(frozen=True, slots=True)
class Delete(Request):
    """DELETE."""

    name = "DELETE"
    mailbox: str
    #: As in CREATE.
    supplied: str = ""


@dataclass(frozen=True, slots=True)
class Rename(Request):
    """RENAME."""

    name = "RENAME"
    mailbox: str
    new_name: str
    #: The existing name, as in CREATE.
    supplied: str = ""


@dataclass(frozen=True, slots=True)
class Subscribe(Request):
    """SUBSCRIBE."""

    name = "SUBSCRIBE"
    mailbox: str


@dataclass(frozen=True, slots=True)
class Unsubscribe(Request):
    """UNSUBSCRIBE."""

    name = "UNSUBSCRIBE"
    mailbox: str


@dataclass(frozen=True, slots=True)
class ListReturn:
    """Return options of LIST (RFC 5258, RFC 5819, RFC 6154, RFC 9590); status holds STATUS items, upper case."""

    subscribed: bool = False
    children: bool = False
    special_use: bool = False
    status: tuple[str, ...] = ()
    metadata: tuple[str, ...] = ()
    #: RFC 8440.
    my_rights: bool = False


@dataclass(frozen=True, slots=True)
class ListMailboxes(Request):
    """LIST. Reference and patterns are decoded text that may hold `%` and `*`, and need not be valid names."""

    name = "LIST"
    reference: str
    patterns: tuple[str, ...]
    #: SUBSCRIBED, RECURSIVEMATCH, REMOTE, SPECIAL-USE; RECURSIVEMATCH only comes with SUBSCRIBED or SPECIAL-USE.
    selection: frozenset[str] = frozenset()
    returns: ListReturn = ListReturn()
    #: Whether the client used the extended form (RFC 5258): options, or patterns in parentheses.
    extended: bool = False


@dataclass(frozen=True, slots=True)
class Lsub(Request):
    """LSUB (RFC 3501 §6.3.9)."""

    name = "LSUB"
    reference: str
    pattern: str


@dataclass(frozen=True, slots=True)
class Namespace(Request):
    """NAMESPACE."""

    name = "NAMESPACE"


@dataclass(frozen=True, slots=True)
class Status(Request):
    """STATUS; items upper case, each once, of `mailbox.STATUS_ITEMS`."""

    name = "STATUS"
    mailbox: str
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GetMetadata(Request):
    """GETMETADATA (RFC 5464 §4.2)."""

    name = "GETMETADATA"
    #: Empty for the server.
    mailbox: str
    #: Lower case; with depth, what is below these is wanted, too.
    entries: tuple[str, ...]
    #: Octets of values beyond which only the size is wanted.
    largest_octets: int | None = None
    #: How many components more than those named a name may have.
    depth: int = 0


@dataclass(frozen=True, slots=True)
class SetMetadata(Request):
    """SETMETADATA (RFC 5464 §4.3)."""

    name = "SETMETADATA"
    #: Empty for the server.
    mailbox: str
    #: Entry in lower case, value (None removes it), and whether the value is a string and no literal8.
    values: tuple[tuple[str, bytes | None, bool], ...]


@dataclass(frozen=True, slots=True)
class GetQuota(Request):
    """GETQUOTA (RFC 9208 §4.1.1)."""

    name = "GETQUOTA"
    root: str


@dataclass(frozen=True, slots=True)
class GetQuotaRoot(Request):
    """GETQUOTAROOT (RFC 9208 §4.1.2)."""

    name = "GETQUOTAROOT"
    mailbox: str


@dataclass(frozen=True, slots=True)
class SetQuota(Request):
    """SETQUOTA (RFC 9208 §4.1.3); resources upper case."""

    name = "SETQUOTA"
    root: str
    limits: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Append(Request):
    """APPEND, complete: `messages` of them came before as events (RFC 3502)."""

    name = "APPEND"
    mailbox: str
    messages: int


@dataclass(frozen=True, slots=True)
class Replace(Request):
    """REPLACE, complete (RFC 8508): its one message came before as events; number is None for `*`."""

    name = "REPLACE"
    uid: bool
    number: int | None
    mailbox: str


@dataclass(frozen=True, slots=True)
class Idle(Request):
    """IDLE. After answering `+`, call `ServerConnection.expect_idle_done`."""

    name = "IDLE"


# Access control lists (RFC 4314 §3)


@dataclass(frozen=True, slots=True)
class GetAcl(Request):
    """GETACL."""

    name = "GETACL"
    mailbox: str


@dataclass(frozen=True, slots=True)
class SetAcl(Request):
    """SETACL; rights are letters that exist, `c` and `d` of RFC 2086 among them."""

    name = "SETACL"
    mailbox: str
    identifier: str
    #: `+` adds, `-` removes, `=` replaces.
    mode: Literal["+", "-", "="]
    rights: str


@dataclass(frozen=True, slots=True)
class DeleteAcl(Request):
    """DELETEACL."""

    name = "DELETEACL"
    mailbox: str
    identifier: str


@dataclass(frozen=True, slots=True)
class ListRights(Request):
    """LISTRIGHTS."""

    name = "LISTRIGHTS"
    mailbox: str
    identifier: str


@dataclass(frozen=True, slots=True)
class MyRights(Request):
    """MYRIGHTS."""

    name = "MYRIGHTS"
    mailbox: str


# Selected (RFC 9051 §6.4)


@dataclass(frozen=True, slots=True)
class Check(Request):
    """CHECK (RFC 3501 §6.4.1)."""

    name = "CHECK"


@dataclass(frozen=True, slots=True)
class Close(Request):
    """CLOSE."""

    name = "CLOSE"


@dataclass(frozen=True, slots=True)
class Unselect(Request):
    """UNSELECT."""

    name = "UNSELECT"


@dataclass(frozen=True, slots=True)
class Expunge(Request):
    """EXPUNGE, or UID EXPUNGE if uids is given (RFC 4315)."""

    name = "EXPUNGE"
    uids: SequenceSet | None = None


@dataclass(frozen=True, slots=True)
class Copy(Request):
    """COPY and UID COPY."""

    name = "COPY"
    uid: bool
    messages: SequenceSet
    mailbox: str


@dataclass(frozen=True, slots=True)
class Move(Request):
    """MOVE and UID MOVE (RFC 6851)."""

    name = "MOVE"
    uid: bool
    messages: SequenceSet
    mailbox: str


@dataclass(frozen=True, slots=True)
class Store(Request):
    """STORE and UID STORE."""

    name = "STORE"
    uid: bool
    messages: SequenceSet
    #: `+` adds, `-` removes, `=` replaces.
    mode: Literal["+", "-", "="]
    flags: tuple[str, ...]
    silent: bool = False
    #: UNCHANGEDSINCE (RFC 7162 §3.1.3), 0 allowed.
    unchanged_since: int | None = None


class FetchAttribute(Enum):
    """FETCH items without parameters; the value is the name on the wire."""

    ENVELOPE = b"ENVELOPE"
    FLAGS = b"FLAGS"
    INTERNALDATE = b"INTERNALDATE"
    RFC822_SIZE = b"RFC822.SIZE"
    #: BODY without section: the structure without extension data.
    BODY = b"BODY"
    BODYSTRUCTURE = b"BODYSTRUCTURE"
    UID = b"UID"
    #: RFC 7162 §3.1.4.2.
    MODSEQ = b"MODSEQ"
    #: RFC 8514.
    SAVEDATE = b"SAVEDATE"
    #: RFC 8474 §5.3.
    EMAILID = b"EMAILID"
    THREADID = b"THREADID"


SectionKind = Literal["", "HEADER", "HEADER.FIELDS", "HEADER.FIELDS.NOT", "TEXT", "MIME"]


@dataclass(frozen=True, slots=True)
class BodySection:
    """BODY[section]<partial>, also RFC822, RFC822.HEADER and RFC822.TEXT, which are other names for one."""

    #: Part numbers from the root; () is the message itself.
    parts: tuple[int, ...]
    kind: SectionKind
    #: Names of HEADER.FIELDS and HEADER.FIELDS.NOT, lower case.
    fields: tuple[bytes, ...]
    #: First octet and greatest number of octets.
    partial: tuple[int, int] | None
    #: Leaves `\\Seen` as it is.
    peek: bool
    #: What stands before the value in the response, like `BODY[TEXT]<0>`.
    label: bytes


@dataclass(frozen=True, slots=True)
class Binary:
    """BINARY[part]<partial> and BINARY.PEEK (RFC 9051 §6.4.5); parts () is the whole message."""

    parts: tuple[int, ...]
    partial: tuple[int, int] | None
    peek: bool
    label: bytes


@dataclass(frozen=True, slots=True)
class BinarySize:
    """BINARY.SIZE[part]."""

    parts: tuple[int, ...]
    label: bytes


@dataclass(frozen=True, slots=True)
class Preview:
    """PREVIEW (RFC 8970); lazy allows NIL as an answer."""

    lazy: bool = False


FetchItem = FetchAttribute | BodySection | Binary | BinarySize | Preview


#: Which results of a search (RFC 9394 §3.1), first and last of them as the client wrote them: the first result is 1,
#: the last -1. Both have the same sign.
Partial = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Fetch(Request):
    """FETCH and UID FETCH; macros are expanded, no item comes twice."""

    name = "FETCH"
    uid: bool
    messages: SequenceSet
    items: tuple[FetchItem, ...]
    #: CHANGEDSINCE (RFC 7162 §3.1.4.1); 0 is accepted, iOS sends it.
    changed_since: int | None = None
    #: VANISHED (RFC 7162 §3.2.6), only in UID FETCH with CHANGEDSINCE.
    vanished: bool = False
    #: PARTIAL (RFC 9394 §3.3), only in UID FETCH.
    partial: Partial | None = None


@dataclass(frozen=True, slots=True)
class NotifyGroup:
    """Mailboxes and what is told of them (RFC 5465 §6)."""

    #: SELECTED, SELECTED-DELAYED, INBOXES, PERSONAL, SUBSCRIBED; with names SUBTREE, MAILBOXES.
    kind: str
    mailboxes: tuple[str, ...]
    #: Upper case; empty for NONE.
    events: frozenset[str]
    #: Of MessageNew; they all leave `\\Seen` as it is.
    attributes: tuple[FetchItem, ...] = ()


@dataclass(frozen=True, slots=True)
class Notify(Request):
    """NOTIFY SET, or NOTIFY NONE if `groups` is None."""

    name = "NOTIFY"
    groups: tuple[NotifyGroup, ...] | None
    status: bool = False


# Search keys (RFC 9051 §6.4.4)


class SearchKey:
    """A condition on one message."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Everything(SearchKey):
    """ALL, and OLD, as no message is recent."""


@dataclass(frozen=True, slots=True)
class Nothing(SearchKey):
    """RECENT and NEW: no message is recent (RFC 9051 appendix A)."""


@dataclass(frozen=True, slots=True)
class And(SearchKey):
    """All keys hold."""

    keys: tuple[SearchKey, ...]


@dataclass(frozen=True, slots=True)
class Or(SearchKey):
    """One of two keys holds."""

    left: SearchKey
    right: SearchKey


@dataclass(frozen=True, slots=True)
class Not(SearchKey):
    """The key does not hold; also UNSEEN, UNKEYWORD and the like."""

    key: SearchKey


@dataclass(frozen=True, slots=True)
class HasFlag(SearchKey):
    """The message has this flag or keyword, canonical as everywhere."""

    flag: str


@dataclass(frozen=True, slots=True)
class HeaderContains(SearchKey):
    """A field of this name (lower case) holds the text; the empty text asks for the field's presence.

    BCC, CC, FROM, SUBJECT and TO come as this, too.
    """

    field: str
    text: str


@dataclass(frozen=True, slots=True)
class BodyContains(SearchKey):
    """BODY."""

    text: str


@dataclass(frozen=True, slots=True)
class TextContains(SearchKey):
    """TEXT: header or body."""

    text: str


class Comparison(Enum):
    """How a day compares; ON and SINCE include it, BEFORE does not."""

    BEFORE = "BEFORE"
    ON = "ON"
    SINCE = "SINCE"


@dataclass(frozen=True, slots=True)
class Received(SearchKey):
    """BEFORE, ON, SINCE: the internal date's day, its time and zone disregarded."""

    comparison: Comparison
    day: datetime.date


@dataclass(frozen=True, slots=True)
class Sent(SearchKey):
    """SENTBEFORE, SENTON, SENTSINCE: the day in the Date field, its time and zone disregarded."""

    comparison: Comparison
    day: datetime.date


@dataclass(frozen=True, slots=True)
class Saved(SearchKey):
    """SAVEDBEFORE, SAVEDON, SAVEDSINCE (RFC 8514)."""

    comparison: Comparison
    day: datetime.date


@dataclass(frozen=True, slots=True)
class SaveDateSupported(SearchKey):
    """SAVEDATESUPPORTED (RFC 8514): the mailbox keeps save dates."""


@dataclass(frozen=True, slots=True)
class Older(SearchKey):
    """OLDER (RFC 5032): received this many seconds ago or earlier."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Younger(SearchKey):
    """YOUNGER (RFC 5032): received within this many seconds."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Larger(SearchKey):
    """LARGER: more octets than this."""

    size_octets: int


@dataclass(frozen=True, slots=True)
class Smaller(SearchKey):
    """SMALLER: fewer octets than this."""

    size_octets: int


@dataclass(frozen=True, slots=True)
class Uids(SearchKey):
    """UID set; the set may be `$`."""

    uids: SequenceSet


@dataclass(frozen=True, slots=True)
class Numbers(SearchKey):
    """Message numbers; the set may be `$`."""

    numbers: SequenceSet


@dataclass(frozen=True, slots=True)
class ModSeq(SearchKey):
    """MODSEQ (RFC 7162 §3.1.5): this modification sequence or a higher one. Entry names make no difference to us."""

    minimum: int


@dataclass(frozen=True, slots=True)
class EmailId(SearchKey):
    """EMAILID (RFC 8474 §6): content, by its name."""

    name: str


@dataclass(frozen=True, slots=True)
class ThreadId(SearchKey):
    """THREADID (RFC 8474 §6): thread, by its name."""

    name: str


def walk(key: SearchKey) -> Iterator[SearchKey]:
    """The key and all keys within it."""
    todo = [key]
    while todo:
        key = todo.pop()
        yield key
        match key:
            case And(keys):
                todo += keys
            case Or(left, right):
                todo += (left, right)
            case Not(inner):
                todo.append(inner)


@dataclass(frozen=True, slots=True)
class Returns:
    """What to tell of what was found (RFC 9051 §6.4.4); `RETURN ()` is given as ALL."""

    #: MIN, MAX, ALL, COUNT, SAVE, PARTIAL; not both ALL and PARTIAL.
    items: frozenset[str]
    #: With PARTIAL (RFC 9394 §3.1).
    partial: Partial | None = None


@dataclass(frozen=True, slots=True)
class Search(Request):
    """SEARCH and UID SEARCH."""

    name = "SEARCH"
    uid: bool
    key: SearchKey
    #: None without RETURN.
    returns: Returns | None = None
    #: Upper case, US-ASCII or UTF-8; None if not given. Texts in the key are decoded already.
    charset: str | None = None


class SortKey(Enum):
    """What to sort by (RFC 5256 §3, RFC 5957 §4)."""

    ARRIVAL = "ARRIVAL"
    CC = "CC"
    DATE = "DATE"
    DISPLAYFROM = "DISPLAYFROM"
    DISPLAYTO = "DISPLAYTO"
    FROM = "FROM"
    SIZE = "SIZE"
    SUBJECT = "SUBJECT"
    TO = "TO"


@dataclass(frozen=True, slots=True)
class Sort(Request):
    """SORT and UID SORT; of each criterion whether it is reversed."""

    name = "SORT"
    uid: bool
    criteria: tuple[tuple[SortKey, bool], ...]
    key: SearchKey
    #: None without RETURN (RFC 5267 §3).
    returns: Returns | None = None


class ThreadAlgorithm(Enum):
    """How messages are threaded (RFC 5256 §3)."""

    ORDEREDSUBJECT = "ORDEREDSUBJECT"
    REFERENCES = "REFERENCES"


@dataclass(frozen=True, slots=True)
class Thread(Request):
    """THREAD and UID THREAD."""

    name = "THREAD"
    uid: bool
    algorithm: ThreadAlgorithm
    key: SearchKey


@dataclass(frozen=True, slots=True)
class Source:
    """Mailboxes to search (RFC 7377 §2.2)."""

    #: SELECTED, INBOXES, PERSONAL, SUBSCRIBED; with names MAILBOXES, SUBTREE, SUBTREE-ONE.
    kind: str
    mailboxes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MultiSearch(Request):
    """ESEARCH (RFC 7377); without sources it is the selected mailbox."""

    name = "ESEARCH"
    sources: tuple[Source, ...]
    key: SearchKey
    returns: Returns
