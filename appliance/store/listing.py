"""Lists of messages as JMAP's queries show them, kept in memory, in order, and current (RFC 8621 §4.4, §4.5).

Of an account that is asked there are columns of all its messages, made by one scan; from then on they follow the store
by what has changed, and so does every list that was asked for. So a page of a list costs nothing but itself, and
what has changed in a list since it was shown is written down beside it. Messages with \\Deleted are not there
(RFC 8621 §4.1.1), nor those of a mailbox that was removed. Whoever reads another's account has lists of his own, of
what he sees of it (`Reach`): nothing else is in their columns, so no condition, order or count can tell of it.

Lists belong to the event loop; one piece of work at a time is done for an account, in a thread when it is long.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Generator, Iterable, Sequence, Set as AbstractSet
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from operator import itemgetter, neg
from typing import TYPE_CHECKING, Any, Final, TypeVar

import trio

from appliance.mail.stretches import ordered
from appliance.store import message, search, tables, thread
from appliance.store.changes import Change, MailboxMended, MailboxRemoved, MailboxRoles
from appliance.store.listquery import (
    KEPT,
    TEXTS,
    By,
    Columns,
    Entry,
    HasTraits,
    InThread,
    Order,
    Query,
    Says,
    Sources,
    columns_of,
    in_columns,
    leaves,
    mailbox_of,
    matching,
    threads_with,
)
from appliance.store.ordering import NOT_SENT, Columns as Kept
from appliance.store.problems import NoSuchAccount
from appliance.store.reach import Reach
from appliance.store.records import DELETED, SEEN, Flag, Role, unpack_row
from appliance.store.searching import in_few_texts, in_slices, in_texts
from appliance.store.tables import NO_MAILBOX, AccountID, MailboxID, MessageID, Table
from appliance.store.transaction import ReadTx
from appliance.store.view import View, runs_without

if TYPE_CHECKING:
    from appliance.store.store import Store

T = TypeVar("T")

#: So many changes are caught up one by one, some tens of milliseconds; after more everything is made anew.
CATCH_UP: Final = 4000
#: So few are brought in at once in the event loop.
INLINE_CHANGES: Final = 8
#: Lists of one account, and what they weigh in messages; the least recently used ones give way.
LISTS: Final = 24
LISTS_WEIGHT: Final = 1_000_000
#: Changes of one list that are written down.
LOGGED: Final = 5000
#: So many are taken out one by one.
ONE_BY_ONE: Final = 32

_UNREAD: Final = SEEN | int(Flag.DRAFT)


@dataclass(slots=True)
class Counts:
    """What there is in a mailbox (RFC 8621 §2)."""

    emails: int = 0
    #: Neither seen nor drafts.
    unread_emails: int = 0
    threads: int = 0
    #: Threads with an unread message, in whatever mailbox; but what is in the trash counts there alone.
    unread_threads: int = 0


@dataclass(frozen=True, slots=True)
class ListChanges:
    """How a list became another one: take out `removed`, then put in `added` at these places, in this order."""

    removed: list[int]
    added: list[tuple[int, int]]


class _Down(str):
    """A text in descending order."""

    __slots__ = ()

    def __lt__(self, other: str) -> bool:
        return str.__gt__(self, other)

    def __gt__(self, other: str) -> bool:
        return str.__lt__(self, other)


#: Orders that columns tell by one number.
_PLAIN: Final = {By.RECEIVED: "received", By.SIZE: "sizes"}
#: Values of an order that is kept beside the rows, of the messages at some places.
_KeysOf = Callable[[By, Columns, Sequence[int]], Sequence[Any]]


@dataclass(slots=True)
class MessageList:
    """The ids of a list, in its order, and what has happened to it."""

    query: Query
    ids: "array[int]"
    #: Beside the ids: what they are ordered by, ascending. Numbers, or tuples.
    keys: "array[int] | list[tuple[Any, ...]]"
    #: It is known what has changed since the list had this state.
    known_since: int
    #: The state: the account's modseq when the list changed last, as far as that is known; as its reader knows it.
    state: int
    #: By what rights its reader sees it (`Reach.signature`).
    signature: str = ""
    #: (state, id, whether it came), oldest first.
    log: list[tuple[int, int, bool]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def weight(self) -> int:
        """Messages of columns that need as much memory."""
        return len(self.ids) // 4 if isinstance(self.keys, array) else 2 * len(self.ids)

    def _seek(self, key: Any, id: int) -> int:
        """Where an entry is, or would be."""
        low = bisect_left(self.keys, key)
        high = bisect_right(self.keys, key, low)
        if self.query.newest_first:
            return bisect_left(self.ids, -id, low, high, key=neg)
        return bisect_left(self.ids, id, low, high)

    def places(self, ids: Sequence[int], columns: Columns) -> dict[int, int]:
        """Where messages stand in the list, as far as they do. `columns` are those by which it is ordered now."""
        plain = _PLAIN.get(self.query.orders[0].by) if len(self.query.orders) == 1 else None
        if plain is None and len(ids) > 1:
            wanted = set(ids)
            return {id: at for at, id in enumerate(self.ids) if id in wanted}
        found: dict[int, int] = {}
        for id in ids:
            there = columns.place(id)
            if there is None:
                continue
            if plain is None:
                at = self.ids.index(id) if id in self.ids else len(self.ids)
            else:
                value = getattr(columns, plain)[there]
                at = self._seek(-value if self.query.orders[0].descending else value, id)
            if at < len(self.ids) and self.ids[at] == id:
                found[id] = at
        return found

    def insert(self, id: int, key: Any) -> None:
        at = self._seek(key, id)
        self.ids.insert(at, id)
        self.keys.insert(at, key)

    def take_out(self, places: Sequence[int]) -> None:
        if len(places) <= ONE_BY_ONE:
            for at in sorted(places, reverse=True):
                del self.ids[at], self.keys[at]
            return
        kept = runs_without(range(len(self.ids)), places)
        ids, keys = self.ids, self.keys
        self.ids, self.keys = ids[:0], keys[:0]
        for start, stop in kept:
            self.ids.extend(ids[start:stop])
            self.keys += keys[start:stop]  # type: ignore[operator]

    def note(self, state: int, gone: Iterable[int], come: Iterable[int]) -> None:
        """Write down what changed."""
        self.state = state
        self.log += [(state, id, False) for id in gone]
        self.log += [(state, id, True) for id in come]
        if len(self.log) > LOGGED:
            # Whole states go, the oldest first.
            last = self.log[-LOGGED - 1][0]
            self.known_since = max(self.known_since, last)
            del self.log[: bisect_right(self.log, last, key=itemgetter(0))]

    def since(self, state: int) -> tuple[list[int], list[int]] | None:
        """Ids that were in the list at a state and are so no more, or elsewhere; and those that are new there.

        None when that is not known.
        """
        if not self.known_since <= state <= self.state:
            return None
        first: dict[int, bool] = {}
        last: dict[int, bool] = {}
        for _, id, came in islice(self.log, bisect_right(self.log, state, key=itemgetter(0)), None):
            first.setdefault(id, came)
            last[id] = came
        gone = [id for id, came in first.items() if not came]
        come = [id for id, came in last.items() if came]
        return gone, come

    def changes(self, state: int, columns: Columns) -> ListChanges | None:
        """How the list of a state became this one; None when that is not known."""
        found = self.since(state)
        if found is None:
            return None
        gone, come = found
        return ListChanges(gone, sorted((at, id) for id, at in self.places(come, columns).items()))


class Listing:
    """The columns and lists of one account, as one reader sees it."""

    def __init__(self, store: "Store", account: AccountID, reader: AccountID | None = None) -> None:
        """`reader`: None for the owner."""
        self.account = account
        self.reader = account if reader is None else reader
        #: The account's modseq that everything here shows; 0: nothing is here.
        self.modseq = 0
        #: Which that is for the reader, and by what rights he sees it.
        self.state = 0
        self._signature = ""
        self.columns = Columns()
        self._store = store
        #: Whoever works on it.
        self._lock = trio.Lock()
        self._lists: OrderedDict[Query, MessageList] = OrderedDict()
        #: By mailbox; None until somebody asks.
        self._counts: dict[int, Counts] | None = None
        #: The state in which the counts of a mailbox changed last, and since when that is known.
        self._counted: dict[int, int] = {}
        self._counted_since = 0
        self._trash = 0
        # What was noted of commits, and is looked at next: the event loop writes it while a thread may be at work.
        self._removed: set[MailboxID] = set()
        self._is_mended = False
        self._has_other_roles = False

    @property
    def size(self) -> int:
        """Messages in memory, those of lists by what they weigh."""
        return len(self.columns) + self._weight

    @property
    def _weight(self) -> int:
        return sum(one.weight for one in self._lists.values())

    def note(self, changes: Sequence[Change]) -> None:
        """Take note of what `message.changed_since` does not tell."""
        for change in changes:
            if isinstance(change, MailboxMended):
                self._is_mended = True
            elif isinstance(change, MailboxRemoved):
                self._removed.add(change.mailbox)
            elif isinstance(change, MailboxRoles):
                self._has_other_roles = True

    # What there is.

    async def find(self, query: Query) -> MessageList:
        """A list, current. Use it before the next await. Raises NoSuchAccount."""
        said = await self._said(query)
        async with self._lock:
            return await self._current(query, said)

    async def changes(self, query: Query, state: int) -> tuple[MessageList, ListChanges | None]:
        """The same, and how the list of a state became it; None when that is not known."""
        said = await self._said(query)
        async with self._lock:
            found = await self._current(query, said)
            if found.state < state <= self.state:
                return found, ListChanges([], [])  # It is what it was when another process knew it.
            changes = found.changes(state, self.columns)
            if changes is None and state < found.known_since:
                changes = await trio.to_thread.run_sync(self._since, found, state)
            return found, changes

    async def _said(self, query: Query) -> "_Said":
        return {} if query in self._lists else await self._texts(query)

    async def _current(self, query: Query, said: "_Said") -> MessageList:
        await self._bring()
        found = self._lists.get(query)
        if found is None:
            found = await self._make(query, said)
            self._lists[query] = found
            while len(self._lists) > LISTS or (self._weight > LISTS_WEIGHT and len(self._lists) > 1):
                self._lists.popitem(last=False)
        self._lists.move_to_end(query)
        return found

    def _since(self, one: MessageList, state: int) -> ListChanges | None:
        """What may have changed in a list since a state that is older than the list, such as that of another process.

        More may be told as gone than was there, which RFC 8620 §5.6 allows; None when too much has changed.
        """
        account = self.account
        with self._store.read() as tx:
            reach = self._reach(tx)
            if state < reach.oldest:
                return None
            if reach.signature != one.signature:
                return None
            # Of another's account a mailbox that is gone is one less that is shared.
            if reach.is_own and any(
                box.expunged and box.modseq > state for box in tx.mailboxes(account, expunged=True)
            ):
                return None  # Its messages may be gone from lists, and not yet from the store.
            changed = list(islice(message.changed_since(tx, account, state), CATCH_UP + 1))
            if len(changed) > CATCH_UP:
                return None
            if not reach.is_own:
                changed = [entry for entry in changed if entry.mailbox in reach.live]
            existed = {entry.id for entry in changed if entry.create_modseq <= state}
            new = {entry.id for entry in changed} - existed
            affected: set[int] = {entry.id for entry in changed}
            if one.query.looks_at_threads:
                if any(entry.expunged and not entry.thread for entry in changed):
                    return None  # A program of before did not write down which it was of.
                # Those with \\Deleted have a thread, too, and are not in the columns.
                threads = {entry.thread for entry in changed if entry.expunged}
                threads |= {found for entry in changed if (found := thread.thread_of(tx, account, entry.id))}
                for one_thread in threads:
                    members = thread.members(tx, account, one_thread)
                    # Those that the reader does not see are nothing to him.
                    affected.update(id for id in members if reach.is_own or self.columns.find(id) is not None)
            if len(affected) > 2 * CATCH_UP:
                return None
        places = one.places(sorted(affected), self.columns)
        return ListChanges(sorted(affected - new), sorted((at, id) for id, at in places.items()))

    async def counts(self) -> dict[int, Counts]:
        """What there is in each mailbox, by its number; empty ones are missing."""
        async with self._lock:
            await self._bring()
            if self._counts is None:
                self._counts = await trio.to_thread.run_sync(self._count_all)
            return {number: replace(one) for number, one in self._counts.items() if one.emails}

    async def counted_since(self, state: int) -> dict[int, int] | None:
        """Mailboxes whose counts have changed since a state, and in which; None when that is not known."""
        async with self._lock:
            await self._bring()
            if self._counts is None or state < self._counted_since:
                return None
            return {number: when for number, when in self._counted.items() if when > state}

    # Being current.

    def _reach(self, tx: ReadTx) -> Reach:
        return Reach(tx, self.account, self.reader)

    async def _bring(self) -> None:
        """Show the account as it is now. Whoever calls this holds the lock."""
        with self._store.read() as tx:
            is_noted = self._is_mended or self._has_other_roles or bool(self._removed)
            is_current = tx.account(self.account).modseq == self.modseq and not is_noted
            if is_current and self._reach(tx).signature == self._signature:
                return
            is_short = self.modseq and not is_noted and not self._is_long(tx)
            if is_short and self._protected(lambda: self._follow(tx)):
                return
        await trio.to_thread.run_sync(self._protected, self._bring_in_thread)

    def _is_long(self, tx: ReadTx) -> bool:
        changed = message.changed_since(tx, self.account, self.modseq)
        if len(list(islice(changed, INLINE_CHANGES + 1))) > INLINE_CHANGES:
            return True
        # Only of simple lists is it known where a message stands.
        return any(
            len(query.orders) != 1
            or query.orders[0].by not in _PLAIN
            or any(isinstance(leaf, Says) for leaf in leaves(query.condition))
            for query in self._lists
        )

    def _protected(self, work: Callable[[], T]) -> T:
        """What fails in the middle leaves nothing behind."""
        try:
            return work()
        except BaseException:
            self._clear()
            raise

    def _clear(self) -> None:
        self.modseq = self.state = 0
        self.columns = Columns()
        self._lists.clear()
        self._counts = None
        self._counted.clear()

    def _bring_in_thread(self) -> None:
        if self._is_mended:
            self._is_mended = False
            self.modseq = 0
        if self._has_other_roles:
            self._has_other_roles = False
            self._counts = None
        with self._store.read() as tx:
            if not self.modseq or not self._follow(tx):
                self._clear()
                self._load(tx)

    def _load(self, tx: ReadTx) -> None:
        """All messages, by one scan of each mailbox."""
        columns, reach = self.columns, self._reach(tx)
        while self._removed:
            self._removed.pop()
        for box in reach.mailboxes:
            view = View()
            view.load(tx, self.account, box)
            places: Sequence[int] = range(len(view))
            if box.deleted:
                places = [at for at, flags in enumerate(view.flags) if not flags & DELETED]
            columns.mailboxes.extend(array("I", [box.id]) * len(places))
            flags = reach.shown_flags(box, view.uids, view.flags)
            for name in _OF_VIEWS:
                source = flags if name == "flags" else getattr(view, name)
                getattr(columns, name).extend(source if len(places) == len(source) else _at(source, places))
            for uid, words in view.keywords.items():
                at = view.index(uid)
                if at is not None and not view.flags[at] & DELETED:
                    columns.keywords[view.ids[at]] = words
        order = ordered(range(len(columns)), columns.ids.__getitem__)
        if any(here != there for here, there in enumerate(order)):
            columns.take(_at(column, order) for column in columns.arrays())
        self.modseq = tx.account(self.account).modseq
        self.state, self._signature = reach.modseq, reach.signature

    def _follow(self, tx: ReadTx) -> bool:
        """Catch up by what changed; False when that is too much, or the reader has other rights."""
        account, columns, reach = self.account, self.columns, self._reach(tx)
        if reach.signature != self._signature:
            return False
        changed = list(islice(message.changed_since(tx, account, self.modseq), CATCH_UP + 1))
        if len(changed) > CATCH_UP:
            return False
        live = reach.live if changed else frozenset()
        now: dict[int, Entry | None] = {}
        for one in changed:
            value = None
            if not one.expunged and one.mailbox in live:
                value = tx.get(Table.ROW, tables.row_key(account, one.mailbox, one.uid))
            if value is None:
                now.setdefault(one.id, None)
                continue
            row = unpack_row(value)
            flags = reach.shown(one.mailbox, one.uid, row.flags)
            entry = Entry(one.id, one.mailbox, one.uid, row.thread, flags, row.received, row.size, row.keywords)
            now[one.id] = None if row.flags & DELETED else entry
        while self._removed:
            mailbox = self._removed.pop()
            if columns.mailboxes.count(mailbox) > CATCH_UP:
                return False
            now.update({columns.ids[at]: None for at, one in enumerate(columns.mailboxes)
                        if one == mailbox and columns.ids[at] not in now})  # fmt: skip
        if now:
            self._apply(tx, reach.modseq, now)
        self.modseq, self.state = tx.account(account).modseq, reach.modseq
        return True

    def _apply(self, tx: ReadTx, state: int, now: dict[int, Entry | None]) -> None:
        """Bring messages as they are now, or that are gone, into columns, counts and lists."""
        columns = self.columns
        for id in [id for id, entry in now.items() if entry == columns.find(id)]:
            del now[id]
        if not now:
            return
        threads = self._threads(tx, now)
        before = {number: replace(one) for number, one in (self._counts or {}).items()}
        if self._counts is not None:
            _count(self._counts, self._entries(threads, {}), self._trash, -1)
        updates = []
        for one in self._lists.values():
            affected = threads if one.query.looks_at_threads else list(now)
            updates.append((one, *self._take_out(tx, one, affected, now)))
        _put(columns, now)
        if self._counts is not None:
            _count(self._counts, self._entries(threads, {}), self._trash, 1)
            changed = [number for number, one in self._counts.items() if before.get(number, _NO_COUNTS) != one]
            self._counted.update(dict.fromkeys(changed, state))
        for one, gone, come in updates:
            for id, key in come.items():
                one.insert(id, key)
            if gone or come:
                one.note(state, gone, come)

    def _threads(self, tx: ReadTx, now: dict[int, Entry | None]) -> Sequence[int]:
        """The changed messages and all others of the threads they were in or are in, if anybody asks for these."""
        if self._counts is None and not any(query.looks_at_threads for query in self._lists):
            return list(now)
        before = (self.columns.find(id) for id in now)
        threads = {entry.thread for entry in chain(now.values(), before) if entry is not None}
        found = set(now)
        for one in threads:
            found.update(thread.members(tx, self.account, MessageID(one)))
        return sorted(found)

    def _entries(self, ids: Iterable[int], now: dict[int, Entry | None]) -> list[Entry]:
        find = self.columns.find
        found = (now[id] if id in now else find(id) for id in ids)
        return [entry for entry in found if entry is not None]

    def _take_out(
        self, tx: ReadTx, one: MessageList, affected: Sequence[int], now: dict[int, Entry | None]
    ) -> tuple[list[int], dict[int, Any]]:
        """Take out of a list what is no more in it, or elsewhere; that, and what is to be put in with which keys.

        The columns are still as the list is.
        """
        query = one.query
        mini = columns_of(self._entries(affected, now))
        places = matching(query.condition, mini, range(len(mini)), self._few(tx))
        keys = _keys(query, mini, places, self._few_keys(tx))
        come = dict(zip(_at(mini.ids, places), keys, strict=True))
        if query.collapse:
            come = _first_of_threads(query, mini, come)
        there = one.places(affected, self.columns)
        for id in [id for id, at in there.items() if id in come and come[id] == one.keys[at]]:
            del there[id], come[id]
        one.take_out(list(there.values()))
        return list(there), come

    # What columns do not tell.

    def _few(self, tx: ReadTx) -> Sources:
        """Answers about a few messages, from the store."""
        store, account = self._store, self.account
        return Sources(
            texts=lambda query, ids: in_few_texts(store, tx, account, query, ids),
            traits=lambda ids: [keys.traits for keys in store.orders.read(tx, account, ids)],
        )

    def _few_keys(self, tx: ReadTx) -> _KeysOf:
        def read(by: By, columns: Columns, places: Sequence[int]) -> Sequence[Any]:
            found = self._store.orders.read(tx, self.account, _at(columns.ids, places))
            values = [getattr(keys, KEPT[by][1]) for keys in found]
            return _sent(values, None, columns, places) if by is By.SENT else values

        return read

    async def _texts(self, query: Query) -> "_Said":
        """What texts say of the messages that may be in a list. Others may work meanwhile."""
        asked = [leaf.query for leaf in leaves(query.condition) if isinstance(leaf, Says)]
        if not asked:
            return {}
        async with self._lock:
            await self._bring()
            columns, condition = self.columns, in_columns(query.condition)

            def narrow() -> Sequence[int]:
                return _at(columns.ids, matching(condition, columns, range(len(columns)), _NO_SOURCES))

            ids = await trio.to_thread.run_sync(narrow)
        looked = frozenset(ids)
        return {one: (await in_texts(self._store, self.account, one, ids), looked) for one in dict.fromkeys(asked)}

    # Making lists.

    async def _make(self, query: Query, said: "_Said") -> MessageList:
        kept: Kept | None = None
        columns = self.columns
        if any(one.by in KEPT for one in query.orders) or any(
            isinstance(leaf, HasTraits) for leaf in leaves(query.condition)
        ):
            box = mailbox_of(query.condition)
            ids: Sequence[int] = columns.ids
            if box is not None:
                ids = [id for id, one in zip(columns.ids, columns.mailboxes, strict=True) if one == box]
            kept = await in_slices(self._store, _steps(self._store, self.account, box or NO_MAILBOX, ids))
        return await trio.to_thread.run_sync(self._made, columns, query, said, kept)

    def _made(self, columns: Columns, query: Query, said: "_Said", kept: "Kept | None") -> MessageList:
        with self._store.read() as tx:
            few = self._few(tx)

            def texts(one: search.Query, ids: Sequence[int]) -> AbstractSet[int]:
                has, looked = said.get(one, (frozenset(), frozenset()))
                new = [id for id in ids if id not in looked]
                return has | few.texts(one, new) if new else has

            def traits(ids: Sequence[int]) -> Sequence[int]:
                there = {} if kept is None else kept.places
                return [kept.traits[there[id]] if kept and id in there else few.traits([id])[0] for id in ids]

            places = matching(query.condition, columns, range(len(columns)), Sources(texts, traits))
            since = self.state
            if query.mailbox is not None:
                # Since the mailbox changed last, the list has been the same.
                known = (box.modseq for box in self._reach(tx).mailboxes if box.id == query.mailbox)
                since = min(next(known, since), since)

        def values(by: By, columns: Columns, places: Sequence[int]) -> Sequence[Any]:
            assert kept is not None
            column, there = getattr(kept, KEPT[by][0]), kept.places
            found = [column[there[id]] for id in _at(columns.ids, places)]
            return _sent(found, NOT_SENT, columns, places) if by is By.SENT else found

        keys = _keys(query, columns, places, values)
        order: Sequence[int] = range(len(places))
        order = ordered(order[::-1] if query.newest_first else order, keys.__getitem__)
        if query.collapse:
            order = _first(order, _at(columns.threads, places))
        ids = array("Q", _at(_at(columns.ids, places), order))
        in_order = _at(keys, order)
        # Numbers take a tenth of the memory of tuples.
        packed = array("q", in_order) if len(query.orders) == 1 and query.orders[0].by in _PLAIN else list(in_order)
        return MessageList(query, ids, packed, since, since, self._signature)

    def _count_all(self) -> dict[int, Counts]:
        with self._store.read() as tx:
            roles = {box.id: box.roles for box in tx.mailboxes(self.account)}
        # Special uses are the owner's alone.
        is_own = self.reader == self.account
        self._trash = next((id for id, one in roles.items() if is_own and one & Role.TRASH), NO_MAILBOX)
        self._counted.clear()
        self._counted_since = self.state
        counts: dict[int, Counts] = {}
        columns = self.columns
        threads = zip(columns.mailboxes, columns.threads, columns.flags, strict=True)
        unread: tuple[set[int], set[int]] = set(), set()
        for mailbox, one, flags in threads:
            found = counts.setdefault(mailbox, _NO_COUNTS)
            if found is _NO_COUNTS:
                found = counts[mailbox] = Counts()
            found.emails += 1
            if not flags & _UNREAD:
                found.unread_emails += 1
                unread[mailbox == self._trash].add(one)
        for mailbox, one in set(zip(columns.mailboxes, columns.threads, strict=True)):
            counts[mailbox].threads += 1
            counts[mailbox].unread_threads += one in unread[mailbox == self._trash]
        return counts


#: By what was asked of texts: messages that have it, and those that were looked at.
_Said = dict[search.Query, tuple[AbstractSet[int], AbstractSet[int]]]
_NO_SOURCES: Final = Sources(lambda _query, _ids: frozenset(), lambda _ids: ())
_NO_COUNTS: Final = Counts()
#: Columns of views that listings have as well.
_OF_VIEWS: Final = ("ids", "uids", "threads", "flags", "received", "sizes")


def _at(values: Sequence[T], places: Sequence[int]) -> Sequence[T]:
    """The values of places."""
    if isinstance(places, range) and places.step == 1:
        return values[places.start : places.stop]
    return list(map(values.__getitem__, places))


def _steps(store: "Store", account: AccountID, mailbox: MailboxID, ids: Sequence[int]) -> Generator[None, None, Kept]:
    for found in store.orders.steps(account, mailbox, ids):
        if found is not None:
            return found
        yield
    raise AssertionError("there is a last step")


def _sent(values: Sequence[int | None], unknown: int | None, columns: Columns, places: Sequence[int]) -> Sequence[int]:
    """Seconds of Date; of a message that says none, those of its arrival."""
    received = _at(columns.received, places)
    return [when // 1_000_000 if one in {None, unknown} else one for one, when in zip(values, received, strict=True)]


def _keys(query: Query, columns: Columns, places: Sequence[int], kept: _KeysOf) -> Sequence[Any]:
    """What messages at places are ordered by, ascending: numbers where there is one order by a number, else tuples."""
    found = [_values(one, columns, places, kept) for one in query.orders]
    if len(found) == 1 and query.orders[0].by in _PLAIN:
        return found[0]
    return list(zip(*found, strict=True)) if found else [()] * len(places)


def _values(order: Order, columns: Columns, places: Sequence[int], kept: _KeysOf) -> Sequence[Any]:
    by, down = order.by, order.descending
    if by in TEXTS:
        texts: Sequence[str] = kept(by, columns, places)
        return list(map(_Down, texts)) if down else texts
    if by in _PLAIN:
        numbers: Sequence[int] = _at(getattr(columns, _PLAIN[by]), places)
    elif by is By.SENT:
        numbers = kept(by, columns, places)
    else:
        assert order.keyword is not None
        if by is By.HAS:
            having = set(order.keyword.holders(columns, places))
            numbers = [at in having for at in places]
        else:
            how = InThread.ALL if by is By.ALL_HAVE else InThread.SOME
            threads = threads_with(columns, order.keyword, how)
            is_all = by is By.ALL_HAVE
            numbers = [(one in threads) is not is_all for one in _at(columns.threads, places)]
    return list(map(neg, numbers)) if down else numbers


def _first(order: Sequence[int], threads: Sequence[int]) -> list[int]:
    """Those of an order that are the first of their thread."""
    seen: set[int] = set()
    found = []
    for at in order:
        one = threads[at]
        if one not in seen:
            seen.add(one)
            found.append(at)
    return found


def _first_of_threads(query: Query, columns: Columns, keys: dict[int, Any]) -> dict[int, Any]:
    """The same of messages with their keys: those that a list shows."""
    ids = sorted(keys, key=lambda id: (keys[id], -id if query.newest_first else id))
    threads = {id: columns.threads[at] for at, id in enumerate(columns.ids) if id in keys}
    first: dict[int, int] = {}
    for id in ids:
        first.setdefault(threads[id], id)
    return {id: keys[id] for id in first.values()}


def _put(columns: Columns, now: dict[int, Entry | None]) -> None:
    """Bring messages into columns, and those that are gone out of them."""
    gone = [id for id, entry in now.items() if entry is None]
    if len(gone) <= ONE_BY_ONE:
        for id in gone:
            columns.remove(id)
    else:
        kept = runs_without(columns.ids, gone)
        columns.take(chain.from_iterable(column[start:stop] for start, stop in kept) for column in columns.arrays())
        for id in gone:
            columns.keywords.pop(id, None)
    for id in sorted(now):
        entry = now[id]
        if entry is not None:
            columns.put(entry)


def _count(counts: dict[int, Counts], entries: Iterable[Entry], trash: int, sign: int) -> None:
    """Count messages in, or out; of each thread they must be all."""
    threads: dict[int, list[Entry]] = {}
    for entry in entries:
        threads.setdefault(entry.thread, []).append(entry)
    for members in threads.values():
        unread = [False, False]
        for one in members:
            found = counts.setdefault(one.mailbox, Counts())
            found.emails += sign
            if not one.flags & _UNREAD:
                found.unread_emails += sign
                unread[one.mailbox == trash] = True
        for mailbox in {one.mailbox for one in members}:
            counts[mailbox].threads += sign
            counts[mailbox].unread_threads += sign * unread[mailbox == trash]


class Listings:
    """The listings in use, least recently used first out, bounded by their messages altogether."""

    def __init__(self, store: "Store", messages: int) -> None:
        self._store = store
        self._limit = messages
        #: By account and reader.
        self._listings: OrderedDict[tuple[AccountID, AccountID], Listing] = OrderedDict()
        #: Who reads an account, of those above.
        self._readers: dict[AccountID, set[AccountID]] = {}

    def note(self, account: AccountID, changes: Sequence[Change]) -> None:
        """Take note of what was committed."""
        for reader in self._readers.get(account, ()):
            self._listings[account, reader].note(changes)

    async def find(
        self, account: AccountID, query: Query, reader: AccountID | None = None
    ) -> tuple[MessageList, Columns]:
        """A list of an account, and the columns that it is of. Use both before the next await.

        `reader`: who sees so much of it as is shared with him; None for the owner. Raises NoSuchAccount.
        """
        listing = self._listing(account, reader)
        return await self._asked(listing, listing.find(query)), listing.columns

    async def changes(
        self, account: AccountID, query: Query, state: int, reader: AccountID | None = None
    ) -> tuple[MessageList, Columns, ListChanges | None]:
        """The same, and how the list of a state became this one; None when that is not known.

        Raises NoSuchAccount.
        """
        listing = self._listing(account, reader)
        found, changes = await self._asked(listing, listing.changes(query, state))
        return found, listing.columns, changes

    async def counts(self, account: AccountID, reader: AccountID | None = None) -> dict[int, Counts]:
        """What there is in each mailbox, by its number; empty ones are missing.

        Raises NoSuchAccount.
        """
        listing = self._listing(account, reader)
        return await self._asked(listing, listing.counts())

    async def counted_since(
        self, account: AccountID, state: int, reader: AccountID | None = None
    ) -> dict[int, int] | None:
        """Mailboxes whose counts have changed since a state of the account, and in which; None when that is not known.

        Raises NoSuchAccount.
        """
        listing = self._listing(account, reader)
        return await self._asked(listing, listing.counted_since(state))

    def _listing(self, account: AccountID, reader: AccountID | None) -> Listing:
        reader = account if reader is None else reader
        listing = self._listings.get((account, reader))
        if listing is None:
            listing = self._listings[account, reader] = Listing(self._store, account, reader)
            self._readers.setdefault(account, set()).add(reader)
        self._listings.move_to_end((account, reader))
        return listing

    def _forget(self, listing: Listing) -> None:
        account, reader = key = listing.account, listing.reader
        if self._listings.get(key) is listing:
            del self._listings[key]
            self._readers[account].discard(reader)
            if not self._readers[account]:
                del self._readers[account]

    async def _asked(self, listing: Listing, answer: Awaitable[T]) -> T:
        try:
            return await answer
        except NoSuchAccount:
            self._forget(listing)
            raise
        finally:
            total = sum(one.size for one in self._listings.values())
            while total > self._limit and len(self._listings) > 1:
                oldest = next(iter(self._listings.values()))
                total -= oldest.size
                self._forget(oldest)
