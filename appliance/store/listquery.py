"""What may be asked for in a list of messages: conditions and orders, as values, and whether messages meet them.

RFC 8621 §4.4.1 and §4.4.2 say what they mean; how clients spell them is the door's business. A `Query` is what a list
is known by, so all of it can be compared.
"""

import enum
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence, Set as AbstractSet
from dataclasses import dataclass
from typing import Final, NamedTuple

from appliance.store import search
from appliance.store.tables import MailboxID


class Entry(NamedTuple):
    """One message as a list sees it."""

    id: int
    mailbox: int
    uid: int
    thread: int
    flags: int
    #: Microseconds.
    received: int
    size: int
    keywords: tuple[str, ...] = ()


class Columns:
    """Messages of an account, ascending by id; the n-th entries of all columns are one message."""

    __slots__ = ("flags", "ids", "keywords", "mailboxes", "received", "sizes", "threads", "uids")

    def __init__(self) -> None:
        self.ids = array("Q")
        self.mailboxes = array("I")
        self.uids = array("I")
        self.threads = array("Q")
        self.flags = array("H")
        self.received = array("q")
        self.sizes = array("Q")
        #: Only of messages that have keywords: id -> keywords.
        self.keywords: dict[int, tuple[str, ...]] = {}

    def __len__(self) -> int:
        return len(self.ids)

    def arrays(self) -> "list[array[int]]":
        """The columns, in the order of `Entry`."""
        return [self.ids, self.mailboxes, self.uids, self.threads, self.flags, self.received, self.sizes]

    def place(self, id: int) -> int | None:
        """Where a message is."""
        at = bisect_left(self.ids, id)
        return at if at < len(self.ids) and self.ids[at] == id else None

    def entry(self, at: int) -> Entry:
        """One message."""
        id = self.ids[at]
        return Entry(
            id,
            self.mailboxes[at],
            self.uids[at],
            self.threads[at],
            self.flags[at],
            self.received[at],
            self.sizes[at],
            self.keywords.get(id, ()),
        )

    def find(self, id: int) -> Entry | None:
        """A message by its id."""
        at = self.place(id)
        return None if at is None else self.entry(at)

    def take(self, columns: "Iterable[Iterable[int]]") -> None:
        """Other columns in place of these, in the order of `arrays`."""
        names = ("ids", "mailboxes", "uids", "threads", "flags", "received", "sizes")
        for name, old, new in zip(names, self.arrays(), list(map(list, columns)), strict=True):
            setattr(self, name, array(old.typecode, new))

    def put(self, entry: Entry) -> None:
        """A message that is new, or has changed."""
        at = bisect_left(self.ids, entry.id)
        if at < len(self.ids) and self.ids[at] == entry.id:
            for column, value in zip(self.arrays(), entry[:-1], strict=True):
                column[at] = value
        else:
            for column, value in zip(self.arrays(), entry[:-1], strict=True):
                column.insert(at, value)
        if entry.keywords:
            self.keywords[entry.id] = entry.keywords
        else:
            self.keywords.pop(entry.id, None)

    def remove(self, id: int) -> None:
        """A message that is gone."""
        at = self.place(id)
        if at is not None:
            for column in self.arrays():
                del column[at]
            self.keywords.pop(id, None)


def columns_of(entries: Sequence[Entry]) -> Columns:
    """Columns of a few messages."""
    columns = Columns()
    for entry in sorted(entries):
        for column, value in zip(columns.arrays(), entry[:-1], strict=True):
            column.append(value)
        if entry.keywords:
            columns.keywords[entry.id] = entry.keywords
    return columns


# Conditions.


@dataclass(frozen=True, slots=True)
class Keyword:
    """A flag as bits of a row, or else a word."""

    bits: int
    word: str = ""

    def holders(self, columns: Columns, among: Sequence[int]) -> Sequence[int]:
        """Places of messages that have it."""
        if self.bits:
            flags, bits = columns.flags, self.bits
            return [at for at in among if flags[at] & bits]
        ids, keywords, word = columns.ids, columns.keywords, self.word
        return [at for at in among if word in keywords.get(ids[at], ())] if keywords else []


class InThread(enum.Enum):
    """How many messages of a thread must have a keyword."""

    ALL = "all"
    SOME = "some"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class InMailbox:
    """In one mailbox."""

    mailbox: MailboxID


@dataclass(frozen=True, slots=True)
class NotOnlyIn:
    """In a mailbox other than these."""

    mailboxes: frozenset[MailboxID]


@dataclass(frozen=True, slots=True)
class Between:
    """A column's value lies from `first` up to but without `end`."""

    #: `received` or `sizes`.
    column: str
    first: int | None
    end: int | None


@dataclass(frozen=True, slots=True)
class Has:
    """It has a keyword."""

    keyword: Keyword


@dataclass(frozen=True, slots=True)
class ThreadHas:
    """So many of its thread have a keyword, itself included."""

    keyword: Keyword
    how: InThread


@dataclass(frozen=True, slots=True)
class OfThread:
    """Of one thread."""

    thread: int


@dataclass(frozen=True, slots=True)
class HasTraits:
    """Some of these bits (`mail.traits`)."""

    bits: int


@dataclass(frozen=True, slots=True)
class Says:
    """The text has something."""

    query: search.Query


@dataclass(frozen=True, slots=True)
class All:
    """All of these; everything, when there are none."""

    conditions: tuple["Condition", ...] = ()


@dataclass(frozen=True, slots=True)
class Some:
    """At least one of these."""

    conditions: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Not this."""

    condition: "Condition"


Condition = InMailbox | NotOnlyIn | Between | Has | ThreadHas | OfThread | HasTraits | Says | All | Some | Not
EVERYTHING: Final = All()

#: What is asked last, on what the others left.
_COSTS: Final[dict[type, int]] = {ThreadHas: 1, HasTraits: 2, Says: 3}


def leaves(condition: Condition) -> list[Condition]:
    """The conditions that hold no others."""
    found: list[Condition] = []
    waiting = [condition]
    while waiting:
        match waiting.pop():
            case All(conditions) | Some(conditions):
                waiting.extend(conditions)
            case Not(inner):
                waiting.append(inner)
            case leaf:
                found.append(leaf)
    return found


def cost(condition: Condition) -> int:
    """How costly it is to ask."""
    return max((_COSTS.get(type(one), 0) for one in leaves(condition)), default=0)


def mailbox_of(condition: Condition) -> MailboxID | None:
    """The mailbox in which all that meets a condition lies; None where it may be any."""
    match condition:
        case InMailbox(mailbox):
            return mailbox
        case All(conditions):
            return next((found for one in conditions if (found := mailbox_of(one)) is not None), None)
    return None


def in_columns(condition: Condition) -> Condition:
    """What a message must meet at least, as far as columns tell it."""
    match condition:
        case All(conditions):
            return All(tuple(in_columns(one) for one in conditions))
        case one if cost(one) < _COSTS[HasTraits]:
            return one
    return EVERYTHING


@dataclass(frozen=True, slots=True)
class Sources:
    """What columns do not tell; asked for a few messages or for very many."""

    #: Those of the messages whose text has what is asked for.
    texts: Callable[[search.Query, Sequence[int]], AbstractSet[int]]
    #: Traits of messages.
    traits: Callable[[Sequence[int]], Sequence[int]]


def matching(condition: Condition, columns: Columns, among: Sequence[int], sources: Sources) -> Sequence[int]:
    """Places of messages that meet a condition, among ascending places; ascending, too.

    Where a condition looks at threads, the columns must hold all of each thread.
    """
    if not among:
        return among
    match condition:
        case All(conditions):
            for one in sorted(conditions, key=cost):
                among = matching(one, columns, among, sources)
            return among
        case Some(conditions):
            found: list[int] = []
            left = among
            for one in sorted(conditions, key=cost):
                these = matching(one, columns, left, sources)
                found += these
                left = _without(left, these)
            return sorted(found)
        case Not(inner):
            return _without(among, matching(inner, columns, among, sources))
        case InMailbox(mailbox):
            mailboxes = columns.mailboxes
            return [at for at in among if mailboxes[at] == mailbox]
        case NotOnlyIn(others):
            mailboxes = columns.mailboxes
            return [at for at in among if mailboxes[at] not in others]
        case Between(name, first, end):
            column: Sequence[int] = getattr(columns, name)
            low = -(1 << 62) if first is None else first
            high = 1 << 63 if end is None else end
            return [at for at in among if low <= column[at] < high]
        case Has(keyword):
            return keyword.holders(columns, among)
        case ThreadHas(keyword, how):
            threads = columns.threads
            wanted = threads_with(columns, keyword, how)
            if how is InThread.SOME:
                return [at for at in among if threads[at] in wanted]
            return [at for at in among if threads[at] not in wanted]
        case OfThread(thread):
            threads = columns.threads
            return [at for at in among if threads[at] == thread]
        case HasTraits(bits):
            ids = columns.ids
            traits = sources.traits([ids[at] for at in among])
            return [at for at, one in zip(among, traits, strict=True) if one & bits]
        case Says(query):
            ids = columns.ids
            said = sources.texts(query, [ids[at] for at in among])
            return [at for at in among if ids[at] in said]


def threads_with(columns: Columns, keyword: Keyword, how: InThread) -> set[int]:
    """SOME and NONE: threads with a message that has the keyword; ALL: those with one that lacks it."""
    threads = columns.threads
    holders = keyword.holders(columns, range(len(columns)))
    if how is InThread.ALL:
        holders = _without(range(len(columns)), holders)
    return {threads[at] for at in holders}


def _without(among: Sequence[int], gone: Sequence[int]) -> list[int]:
    left_out = set(gone)
    return [at for at in among if at not in left_out]


# Orders.


class By(enum.Enum):
    """What messages are compared by."""

    RECEIVED = "receivedAt"
    SENT = "sentAt"
    SIZE = "size"
    FROM = "from"
    TO = "to"
    SUBJECT = "subject"
    HAS = "hasKeyword"
    ALL_HAVE = "allInThreadHaveKeyword"
    SOME_HAVE = "someInThreadHaveKeyword"


#: What is kept beside the rows: the column of `ordering.Columns` and the field of `order.Keys`.
KEPT: Final = {
    By.SENT: ("sent", "sent"),
    By.FROM: ("display_from", "display_from"),
    By.TO: ("display_to", "display_to"),
    By.SUBJECT: ("subjects", "subject"),
}
TEXTS: Final = frozenset({By.FROM, By.TO, By.SUBJECT})


@dataclass(frozen=True, slots=True)
class Order:
    """One comparator."""

    by: By
    descending: bool = False
    #: For the last three.
    keyword: Keyword | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """A list of messages."""

    condition: Condition = EVERYTHING
    orders: tuple[Order, ...] = (Order(By.RECEIVED, descending=True),)
    #: Of each thread only the first message.
    collapse: bool = False

    @property
    def looks_at_threads(self) -> bool:
        """Whether a message may come into the list, leave it or move because of another one of its thread."""
        return (
            self.collapse
            or any(isinstance(one, ThreadHas) for one in leaves(self.condition))
            or any(one.by in {By.ALL_HAVE, By.SOME_HAVE} for one in self.orders)
        )

    @property
    def mailbox(self) -> MailboxID | None:
        """The mailbox in which alone all of it is decided; None where more may matter."""
        only = all(not isinstance(one, ThreadHas) for one in leaves(self.condition))
        only = only and all(one.by not in {By.ALL_HAVE, By.SOME_HAVE} for one in self.orders)
        return mailbox_of(self.condition) if only else None

    @property
    def newest_first(self) -> bool:
        """What is equal in all orders: the later id stands first, as the first order is."""
        return bool(self.orders) and self.orders[0].descending
