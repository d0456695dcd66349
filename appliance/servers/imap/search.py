"""SEARCH: conditions on columns first, then on texts of what is left, by the index."""

from array import array
from collections.abc import Callable, Sequence
from datetime import UTC, date as Day, datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Final, TypeVar

import trio

from appliance.protocol.imap import command, response, sequence
from appliance.protocol.imap.command import (
    And,
    BodyContains,
    Comparison,
    EmailId,
    Everything,
    HasFlag,
    HeaderContains,
    Larger,
    ModSeq,
    Not,
    Nothing,
    Numbers,
    Older,
    Or,
    Partial,
    Received,
    Returns,
    Saved,
    SaveDateSupported,
    SearchKey,
    Sent,
    Smaller,
    TextContains,
    ThreadId,
    Uids,
    Younger,
)
from appliance.servers.imap.selected import Selected
from appliance.store import message, objectid, search as queries
from appliance.store.records import split_flags
from appliance.store.searching import in_texts

if TYPE_CHECKING:
    from appliance.servers.imap.session import Session

#: A client is told of a long search so often (RFC 9585 §4), and so often when it seems to be leaving.
PROGRESS_SECONDS: Final = 10.0
LEAVING_SECONDS: Final = 1.0

#: A loop over more messages is run in a thread, too: it would keep the event loop for some milliseconds.
LOOP_MESSAGES: Final = 8192

T = TypeVar("T")
#: Columns of a view that keys need.
_COLUMNS: Final[dict[type, tuple[str, ...]]] = {
    HasFlag: ("flags",),
    Larger: ("sizes",),
    Smaller: ("sizes",),
    ModSeq: ("modseqs",),
    Older: ("received",),
    Younger: ("received",),
    Received: ("received",),
    Saved: ("saved",),
    ThreadId: ("threads",),
    EmailId: ("ids",),
    **dict.fromkeys((TextContains, BodyContains, HeaderContains, Sent), ("ids",)),
}

#: What looks at texts is asked last, on what the others left; the cheaper first.
_COSTS: Final[dict[type, int]] = {Sent: 1, HeaderContains: 2, TextContains: 3, BodyContains: 3}


async def search(session: "Session", tag: str, request: command.Search) -> None:
    """SEARCH and UID SEARCH."""
    selected, returns = session.mailbox, request.returns
    work, places = await find(session, tag, request.key, returns)
    numbers = await work.apart(places, lambda: work.numbers(places, uid=request.uid))
    if returns is None and not session.rev2:
        modseq = work.highest(places) if work.with_modseq else None
        session.say(await work.apart(places, lambda: response.search(numbers, modseq)))
    else:
        wanted = returns or ALL
        concerned = await work.apart(places, lambda: concerned_by(places, wanted))
        if "SAVE" in wanted.items:
            selected.saved = await work.apart(concerned, lambda: work.numbers(concerned, uid=True))
        modseq = work.highest(concerned) if work.with_modseq and places else None
        session.say(await work.apart(places, lambda: results(tag, numbers, wanted, modseq, uid=request.uid)))
    finish(session, tag, request.key, uid=request.uid)


#: What is told without RETURN where there is no other form.
ALL: Final = Returns(frozenset({"ALL"}))


async def find(
    session: "Session", tag: str, key: SearchKey, returns: Returns | None, columns: Sequence[str] = ()
) -> "tuple[Work, Sequence[int]]":
    """Search the selected mailbox: places that match, ascending, and the work that found them."""
    selected = session.mailbox
    with_modseq = any(isinstance(one, ModSeq) for one in command.walk(key))
    if with_modseq:
        session.enable_condstore()
    work = Work(session, selected, key, Progress(session, tag, text_keys(key) * len(selected)), columns)
    try:
        return work, await work.run(key)
    except BaseException:
        if returns is not None and "SAVE" in returns.items:
            selected.saved = ()  # RFC 9051 §6.4.4.1
        raise


def finish(session: "Session", tag: str, key: SearchKey, *, uid: bool) -> None:
    """The tagged response of a search, with news that may be told by it."""
    if uid:
        # Numbers in the question must mean the same after the answer (RFC 7162 §3.2.10.2).
        session.done(tag, expunges=not any(isinstance(one, Numbers) for one in command.walk(key)))
    else:
        session.ok(tag)


def part(found: Sequence[int], partial: Partial) -> Sequence[int]:
    """The results that PARTIAL means (RFC 9394 §3.1)."""
    low, high = sorted(map(abs, partial))
    if partial[0] > 0:
        return found[low - 1 : high]
    return found[max(len(found) - high, 0) : max(len(found) - low + 1, 0)]


def concerned_by(places: Sequence[int], returns: Returns) -> Sequence[int]:
    """The places that a client is told of, which SAVE keeps and whose modification sequence counts, ascending.

    RFC 9051 §6.4.4.4, RFC 9394 §3.2, RFC 7162 §3.1.10: all, unless only some are asked for and not their number.
    """
    items = returns.items
    if items & {"ALL", "COUNT"} or not items & {"MIN", "MAX", "PARTIAL"}:
        return places if isinstance(places, range) else sorted(places)
    picked: set[int] = set()
    if "MIN" in items:
        picked.update(places[:1])
    if "MAX" in items:
        picked.update(places[-1:])
    if returns.partial is not None:
        picked.update(part(places, returns.partial))
    return sorted(picked)


def results(
    tag: str, numbers: Sequence[int], returns: Returns, modseq: int | None, *, uid: bool, mailbox: bytes = b""
) -> bytes:
    """ESEARCH (RFC 9051 §7.3.4) of numbers in the order of the results; `mailbox` are more correlators (RFC 7377)."""
    items = returns.items
    if items == {"SAVE"}:
        return b""
    words = [b"* ESEARCH (TAG " + response.text_string(tag) + mailbox + b")"]
    if uid:
        words.append(b"UID")
    if numbers and "MIN" in items:
        words.append(b"MIN %d" % numbers[0])
    if numbers and "MAX" in items:
        words.append(b"MAX %d" % numbers[-1])
    if numbers and "ALL" in items:
        words.append(b"ALL " + sequence.format_set(numbers))
    if returns.partial is not None:
        some = part(numbers, returns.partial)
        words.append(b"PARTIAL (%d:%d %b)" % (*returns.partial, sequence.format_set(some) if some else response.NIL))
    if "COUNT" in items:
        words.append(b"COUNT %d" % len(numbers))
    if modseq is not None:
        words.append(b"MODSEQ %d" % modseq)
    return b" ".join(words) + b"\r\n"


def text_keys(key: SearchKey) -> int:
    """How many keys may look at every message's text."""
    return sum(type(one) in _COSTS for one in command.walk(key))


class Work:
    """One search over the messages that have a number in this session."""

    def __init__(
        self, session: "Session", selected: Selected, key: SearchKey, progress: "Progress", columns: Sequence[str] = ()
    ) -> None:
        """`columns` will be wanted of what is found, beside the ones that the search needs."""
        self.store = session.app.store
        self.account = selected.account
        self.mailbox = selected.id
        # RFC 7162 §3.1.5: who asks for MODSEQ is told the highest one of what was found.
        self.with_modseq = any(isinstance(one, ModSeq) for one in command.walk(key))
        self.progress = progress
        self._selected = selected
        self._now = session.app.clock.microseconds()
        with self.store.read() as tx:
            view = selected.view(self.store, tx)
        # Copies, since the view moves on while texts are searched; but of what is needed alone.
        self._uids = selected.uids[:]
        #: Whether places in the session are those in the view; so it is but when removals were not told yet.
        self._aligned = view.uids[: len(self._uids)] == self._uids
        #: Place in the session -> place in the view.
        self._there: Sequence[int] = range(len(self._uids))
        self._present = self._uids if self._aligned else view.uids[:]
        stop = len(self._present)
        needed = {"modseqs"} if self.with_modseq else set()
        needed.update(columns, *(_COLUMNS.get(type(one), ()) for one in command.walk(key)))
        self._columns: dict[str, array[int]] = {name: getattr(view, name)[:stop] for name in needed}
        self._keywords = {}
        if any(isinstance(one, HasFlag) and not split_flags((one.flag,))[0] for one in command.walk(key)):
            self._keywords = dict(view.keywords)

    def numbers(self, places: Sequence[int], *, uid: bool) -> list[int]:
        """UIDs or message numbers of places."""
        uids = self._uids
        return [uids[at] for at in places] if uid else [at + 1 for at in places]

    def values(self, name: str, places: Sequence[int]) -> "array[int]":
        """A column that was wanted, of places."""
        column, there = self._columns[name], self._there
        if isinstance(places, range) and isinstance(there, range):
            return column[places.start : places.stop]
        return array(column.typecode, [column[there[at]] for at in places])

    def highest(self, places: Sequence[int]) -> int:
        """The highest modification sequence of messages; 0 of none."""
        modseqs, there = self._columns["modseqs"], self._there
        return max((modseqs[there[at]] for at in places), default=0)

    async def apart(self, places: Sequence[int], loop: Callable[[], T]) -> T:
        """Run a loop over so many places, in a thread when they are many."""
        if len(places) <= LOOP_MESSAGES:
            return loop()
        return await self.in_thread(loop)

    async def in_thread(self, loop: Callable[[], T]) -> T:
        """Run something in the thread of searches, when it is its turn."""
        return await trio.to_thread.run_sync(loop, limiter=self.store.indexer.turn)

    async def run(self, key: SearchKey) -> Sequence[int]:
        """Places that match, ascending."""
        every = self._there if self._aligned else await self.apart(self._uids, self._align)
        return await self._match(key, every)

    def _align(self) -> list[int]:
        """Find where messages are in the view; the places of those that are there.

        A message that is gone, which was not told yet, matches nothing.
        """
        places = {uid: at for at, uid in enumerate(self._present)}
        self._there = [places.get(uid, -1) for uid in self._uids]
        return [at for at, there in enumerate(self._there) if there >= 0]

    async def _match(self, key: SearchKey, among: Sequence[int]) -> Sequence[int]:
        """Those of `among` that match; both ascending."""
        if not among:
            return []
        match key:
            case Everything() | SaveDateSupported():
                return among
            case Nothing():
                return []
            case And(keys):
                for one in sorted(keys, key=_cost):
                    among = await self._match(one, among)
                return among
            case Or(left, right):
                first = await self._match(left, among)
                second = await self._match(right, await self.apart(among, lambda: _without(among, first)))
                return await self.apart(among, lambda: sorted([*first, *second]))
            case Not(inner):
                gone = await self._match(inner, among)
                return await self.apart(among, lambda: _without(among, gone))
            case EmailId(name):
                return await self._with_content(name, among)
            case TextContains() | BodyContains() | HeaderContains() | Sent():
                return await self._in_texts(_query(key), among)
        return await self.apart(among, lambda: self._in_columns(key, among))

    def _in_columns(self, key: SearchKey, among: Sequence[int]) -> list[int]:
        there = self._there
        match key:
            case HasFlag(flag):
                bits, words = split_flags((flag,))
                flags = self._columns["flags"]
                if bits:
                    if self._aligned and len(among) == len(flags):
                        return [at for at, one in enumerate(flags) if one & bits]
                    return [at for at in among if flags[there[at]] & bits]
                uids, keywords = self._uids, self._keywords
                return [at for at in among if words and words[0] in keywords.get(uids[at], ())]
            case Larger(size):
                sizes = self._columns["sizes"]
                return [at for at in among if sizes[there[at]] > size]
            case Smaller(size):
                sizes = self._columns["sizes"]
                return [at for at in among if sizes[there[at]] < size]
            case ModSeq(minimum) if minimum <= self._selected.turned:
                return list(among)
            case ModSeq(minimum):
                modseqs = self._columns["modseqs"]
                return [at for at in among if modseqs[there[at]] >= minimum]
            case Older(seconds):
                return self._between(among, "received", None, self._now - seconds * 1_000_000 + 1)
            case Younger(seconds):
                return self._between(among, "received", self._now - seconds * 1_000_000, None)
            case Received(comparison, day):
                return self._between(among, "received", *_span(comparison, day))
            case Saved(comparison, day):
                return self._between(among, "saved", *_span(comparison, day))
            case Uids(uids):
                wanted = set(self._selected.places(uids, uid=True))
                return [at for at in among if at in wanted]
            case Numbers(numbers):
                # Strict about nothing: numbers that do not exist are no error in a search (RFC 7377 §2).
                if numbers.saved:
                    wanted = set(self._selected.places(numbers, uid=False))
                else:
                    wanted = set(chain.from_iterable(numbers.numbers(len(self._uids))))
                return [at for at in among if at in wanted]
            case ThreadId(name):
                id = objectid.parse("T", self.account, name)
                threads = self._columns["threads"]
                return [at for at in among if threads[there[at]] == id]
        raise AssertionError(key)

    def _between(self, among: Sequence[int], name: str, first: int | None, end: int | None) -> list[int]:
        column, there = self._columns[name], self._there
        low = -(1 << 62) if first is None else first
        high = 1 << 62 if end is None else end
        if self._aligned and len(among) == len(column):
            return [at for at, one in enumerate(column) if low <= one < high]
        return [at for at in among if low <= column[there[at]] < high]

    async def _with_content(self, name: str, among: Sequence[int]) -> Sequence[int]:
        """Messages of an EMAILID: one and its copies."""
        original = objectid.parse("M", self.account, name)
        if original is None:
            return []

        def same() -> list[int]:
            with self.store.read() as tx:
                wanted = message.copies(tx, self.account, original)
            ids, there = self._columns["ids"], self._there
            return [at for at in among if ids[there[at]] in wanted]

        return await self.in_thread(same)

    async def _in_texts(self, query: queries.Query, among: Sequence[int]) -> list[int]:
        """By the index and the texts, in slices of a thread, in turn with all other searches."""
        store, view_ids, there = self.store, self._columns["ids"], self._there
        ids: Sequence[int] = view_ids
        if not self._aligned or len(among) < len(view_ids):
            ids = await self.apart(among, lambda: [view_ids[there[at]] for at in among])
        self.progress.begin(len(self._uids), len(ids))
        found = await in_texts(store, self.account, query, ids, self.progress.tell)
        return await self.apart(among, lambda: [at for at in among if view_ids[there[at]] in found])


def _without(among: Sequence[int], gone: Sequence[int]) -> list[int]:
    left_out = set(gone)
    return [at for at in among if at not in left_out]


class Progress:
    """Tells the client of a long search how it goes (RFC 9585), and notices when there is no client any more."""

    def __init__(self, session: "Session", tag: str, goal: int) -> None:
        """`goal`: how many messages are looked at at most, counted again for each key."""
        self._session = session
        self._tag = tag
        self._next = trio.current_time() + PROGRESS_SECONDS
        self._goal = goal
        self._before = 0
        self._whole = 0
        self._present = 1

    def begin(self, whole: int, present: int) -> None:
        """The next key could look at `whole` messages, and does at `present`."""
        self._before += self._whole
        self._whole = whole
        self._present = present

    async def tell(self, done: int) -> None:
        """So many of the present key's messages are done; say so if it is time. Raises Closed."""
        leaving = self._session.connection.is_closing()
        now = trio.current_time()
        if now < self._next and not (leaving and self._next - now > LEAVING_SECONDS):
            return
        # Whoever has closed his side may still listen, or be gone: octets that nobody takes are answered by a reset,
        # and then the next ones raise.
        self._next = now + (LEAVING_SECONDS if leaving else PROGRESS_SECONDS)
        progress = self._before + self._whole * done // self._present
        self._session.say(response.in_progress(self._tag, min(progress, self._goal - 1), self._goal))
        await self._session.flush()


def _cost(key: SearchKey) -> int:
    if isinstance(key, Not):
        return _cost(key.key)
    if isinstance(key, And):
        return max(map(_cost, key.keys))
    if isinstance(key, Or):
        return max(_cost(key.left), _cost(key.right))
    return _COSTS.get(type(key), 0)


def _query(key: TextContains | BodyContains | HeaderContains | Sent) -> queries.Query:
    match key:
        case TextContains(text):
            return queries.in_text(text)
        case BodyContains(text):
            return queries.in_body(text)
        case HeaderContains(field, text):
            return queries.in_field(field, text)
        case Sent(comparison, day):
            number = day.toordinal()
            match comparison:
                case Comparison.BEFORE:
                    return queries.SentBetween(None, number - 1)
                case Comparison.ON:
                    return queries.SentBetween(number, number)
                case Comparison.SINCE:
                    return queries.SentBetween(number, None)


def _span(comparison: Comparison, day: Day) -> tuple[int | None, int | None]:
    """Microseconds from (included) and to (excluded) of a comparison with a day, in UTC as INTERNALDATE is told."""
    start = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000
    end = start + int(timedelta(days=1).total_seconds()) * 1_000_000
    match comparison:
        case Comparison.BEFORE:
            return None, start
        case Comparison.ON:
            return start, end
        case Comparison.SINCE:
            return start, None
