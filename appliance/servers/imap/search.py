"""SEARCH: conditions on columns first, then on texts of what is left, by the index (I-145 to I-149)."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, date as Day, datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeVar

import trio

from appliance.protocol.imap import command, response, sequence
from appliance.protocol.imap.command import (
    And,
    BodyContains,
    Comparison,
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
    Received,
    Saved,
    SaveDateSupported,
    SearchKey,
    Sent,
    Smaller,
    TextContains,
    Uids,
    Younger,
)
from appliance.servers.imap.selected import Selected
from appliance.store import prepare, search as queries
from appliance.store.lookup import Lookup
from appliance.store.records import split_flags
from appliance.store.store import Store
from appliance.store.tables import MessageID
from appliance.store.view import View

if TYPE_CHECKING:
    from appliance.servers.imap.session import Session

#: Texts of so few messages are looked at in the event loop; more go to a thread, in slices so long.
INLINE_MESSAGES: Final = 32
SLICE_SECONDS: Final = 0.02
#: A client is told of a long search so often (RFC 9585 §4), and so often when it seems to be leaving.
PROGRESS_SECONDS: Final = 10.0
LEAVING_SECONDS: Final = 1.0

#: A loop over more messages is run in a thread, too: it would keep the event loop for some milliseconds.
LOOP_MESSAGES: Final = 8192

T = TypeVar("T")

#: What looks at texts is asked last, on what the others left; the cheaper first.
_COSTS: Final[dict[type, int]] = {Sent: 1, HeaderContains: 2, TextContains: 3, BodyContains: 3}


async def search(session: "Session", tag: str, request: command.Search) -> None:
    """SEARCH and UID SEARCH."""
    selected = session.mailbox
    returns = request.returns
    # RFC 7162 §3.1.5: who asks for MODSEQ is told the highest one of what was found.
    with_modseq = any(isinstance(one, ModSeq) for one in command.walk(request.key))
    if with_modseq:
        session.enable_condstore()
    work = _Search(session, selected, tag, request.key)
    try:
        places = await work.run(request.key)
    except BaseException:
        if returns is not None and "SAVE" in returns:
            selected.saved = ()  # RFC 9051 §6.4.4.1
        raise
    uids = selected.uids
    numbers = await work.apart(places, lambda: _numbers(uids, places, uid=request.uid))
    if returns is not None and "SAVE" in returns:
        kept = [uids[at] for at in places]
        if returns & {"MIN", "MAX"} and not returns & {"ALL", "COUNT"}:
            picked = {kept[0]} if kept and "MIN" in returns else set()
            picked |= {kept[-1]} if kept and "MAX" in returns else set()
            kept = sorted(picked)
        selected.saved = kept
    if returns is None and not session.rev2:
        modseq = work.highest(places) if with_modseq else None
        session.say(await work.apart(places, lambda: response.search(numbers, modseq)))
    else:
        wanted = returns or frozenset({"ALL"})
        modseq = work.highest(_told(places, wanted)) if with_modseq and places else None
        session.say(await work.apart(places, lambda: _esearch(tag, numbers, wanted, modseq, uid=request.uid)))
    if request.uid:
        # Numbers in the question must mean the same after the answer (RFC 7162 §3.2.10.2).
        session.done(tag, expunges=not any(isinstance(one, Numbers) for one in command.walk(request.key)))
    else:
        session.ok(tag)


def _numbers(uids: Sequence[int], places: Sequence[int], *, uid: bool) -> Sequence[int]:
    """UIDs or message numbers."""
    return [uids[at] for at in places] if uid else [at + 1 for at in places]


def _told(places: Sequence[int], returns: frozenset[str]) -> Sequence[int]:
    """The places that the modification sequence of an ESEARCH is about (RFC 7162 §3.1.10)."""
    if returns & {"ALL", "COUNT"} or not returns & {"MIN", "MAX"}:
        return places
    return [places[0]] * ("MIN" in returns) + [places[-1]] * ("MAX" in returns)


def _esearch(tag: str, numbers: Sequence[int], returns: frozenset[str], modseq: int | None, *, uid: bool) -> bytes:
    """ESEARCH (RFC 9051 §7.3.4)."""
    words = [b"* ESEARCH (TAG " + response.text_string(tag) + b")"]
    if uid:
        words.append(b"UID")
    if numbers and "MIN" in returns:
        words.append(b"MIN %d" % numbers[0])
    if numbers and "MAX" in returns:
        words.append(b"MAX %d" % numbers[-1])
    if numbers and "ALL" in returns:
        words.append(b"ALL " + sequence.format_set(numbers))
    if "COUNT" in returns:
        words.append(b"COUNT %d" % len(numbers))
    if modseq is not None:
        words.append(b"MODSEQ %d" % modseq)
    if returns == {"SAVE"}:
        return b""
    return b" ".join(words) + b"\r\n"


class _Search:
    """One search over the messages that have a number in this session."""

    def __init__(self, session: "Session", selected: Selected, tag: str, key: SearchKey) -> None:
        self._store = session.app.store
        self._account = session.account.account
        self._selected = selected
        self._now = session.app.clock.microseconds()
        with self._store.read() as tx:
            view = selected.view(self._store, tx)
        #: Place in the session -> place in the view; the same for most searches.
        self._aligned = selected.uids == view.uids
        self._view: View = view
        self._there: Sequence[int] = range(len(view))
        if not self._aligned:
            # -1 for a message that is gone and was not told yet: it matches nothing.
            self._there = [-1 if (at := view.index(uid)) is None else at for uid in selected.uids]
        # Copies: the view moves on while texts are searched.
        self._ids = view.ids[:]
        self._flags = view.flags[:]
        self._columns = {name: getattr(view, name)[:] for name in ("sizes", "received", "saved", "modseqs")}
        self._keywords = dict(view.keywords)
        self._progress = _Progress(session, tag, sum(type(one) in _COSTS for one in command.walk(key)), len(view))

    def highest(self, places: Sequence[int]) -> int:
        """The highest modification sequence of messages; 0 of none."""
        modseqs, there = self._columns["modseqs"], self._there
        return max((modseqs[there[at]] for at in places), default=0)

    async def apart(self, places: Sequence[int], loop: Callable[[], T]) -> T:
        """Run a loop over so many places, in a thread when they are many."""
        if len(places) <= LOOP_MESSAGES:
            return loop()
        return await trio.to_thread.run_sync(loop, limiter=self._store.indexer.turn)

    async def run(self, key: SearchKey) -> Sequence[int]:
        """Places that match, ascending."""
        every: Sequence[int] = range(len(self._there))
        if not self._aligned:
            every = [at for at, there in enumerate(self._there) if there >= 0]
        return await self._match(key, every)

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
            case TextContains() | BodyContains() | HeaderContains() | Sent():
                return await self._in_texts(_query(key), among)
        return await self.apart(among, lambda: self._in_columns(key, among))

    def _in_columns(self, key: SearchKey, among: Sequence[int]) -> list[int]:
        there = self._there
        match key:
            case HasFlag(flag):
                bits, words = split_flags((flag,))
                flags = self._flags
                if bits:
                    if self._aligned and len(among) == len(flags):
                        return [at for at, one in enumerate(flags) if one & bits]
                    return [at for at in among if flags[there[at]] & bits]
                uids, keywords = self._selected.uids, self._keywords
                return [at for at in among if words and words[0] in keywords.get(uids[at], ())]
            case Larger(size):
                sizes = self._columns["sizes"]
                return [at for at in among if sizes[there[at]] > size]
            case Smaller(size):
                sizes = self._columns["sizes"]
                return [at for at in among if sizes[there[at]] < size]
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
                wanted = set(self._selected.places(numbers, uid=False))
                return [at for at in among if at in wanted]
        raise AssertionError(key)

    def _between(self, among: Sequence[int], name: str, first: int | None, end: int | None) -> list[int]:
        column, there = self._columns[name], self._there
        low = -(1 << 62) if first is None else first
        high = 1 << 62 if end is None else end
        if self._aligned and len(among) == len(column):
            return [at for at, one in enumerate(column) if low <= one < high]
        return [at for at in among if low <= column[there[at]] < high]

    async def _in_texts(self, query: queries.Query, among: Sequence[int]) -> list[int]:
        """By the index and the texts, in slices of a thread, in turn with all other searches."""
        store, view_ids, there = self._store, self._ids, self._there
        ids: Sequence[int] = view_ids
        if not self._aligned or len(among) < len(view_ids):
            ids = await self.apart(among, lambda: [view_ids[there[at]] for at in among])
        self._progress.begin(len(ids))
        lookup = Lookup(self._account, query, ids)
        if len(ids) <= INLINE_MESSAGES:
            with store.read() as tx:
                while lookup.step(tx):
                    pass
        else:
            while await trio.to_thread.run_sync(_slice, store, lookup, limiter=store.indexer.turn):
                await self._progress.tell(lookup.settled - len(lookup.doubtful))
        found = lookup.found
        # One at a time: each may be as large as a message can be.
        for number, id in enumerate(lookup.doubtful):
            await self._progress.tell(lookup.settled - len(lookup.doubtful) + number)
            if await trio.to_thread.run_sync(self._in_whole, query, id):
                found.add(id)
        return await self.apart(among, lambda: [at for at in among if view_ids[there[at]] in found])

    def _in_whole(self, query: queries.Query, id: MessageID) -> bool:
        """The same on all of a message whose text is only kept in part; in a thread."""
        with self._store.read() as tx:
            return query.test(prepare.whole_text(tx, self._account, id, self._store.limits.prepare))


def _without(among: Sequence[int], gone: Sequence[int]) -> list[int]:
    left_out = set(gone)
    return [at for at in among if at not in left_out]


def _slice(store: Store, lookup: Lookup) -> bool:
    """A slice of a lookup, in a thread; whether there is more to do."""
    until = time.perf_counter() + SLICE_SECONDS
    with store.read() as tx:
        while more := lookup.step(tx):
            if time.perf_counter() > until:
                break
    return more


class _Progress:
    """Tells the client of a long search how it goes (RFC 9585), and notices when there is no client any more."""

    def __init__(self, session: "Session", tag: str, keys: int, messages: int) -> None:
        self._session = session
        self._tag = tag
        self._next = trio.current_time() + PROGRESS_SECONDS
        self._messages = messages
        #: Every key may look at every message.
        self._goal = keys * messages
        self._before = -messages
        self._present = 1

    def begin(self, messages: int) -> None:
        """The next key looks at so many."""
        self._before += self._messages
        self._present = messages

    async def tell(self, done: int) -> None:
        """So many of the present key's messages are done; say so if it is time. Raises Closed."""
        leaving = self._session.connection.is_closing()
        now = trio.current_time()
        if now < self._next and not (leaving and self._next - now > LEAVING_SECONDS):
            return
        # Whoever has closed his side may still listen, or be gone: octets that nobody takes are answered by a reset,
        # and then the next ones raise.
        self._next = now + (LEAVING_SECONDS if leaving else PROGRESS_SECONDS)
        progress = self._before + self._messages * done // self._present
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
