"""A mailbox as columns in memory, for everything that looks at all of its messages (SELECT, FETCH, SEARCH).

A view is made by one scan and then follows the store by the rows that changed: opening a mailbox again costs what
happened meanwhile. Views are shared by all sessions and live in the event loop. Whoever holds one across an await
must expect it to have moved on.
"""

import sys
from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

from appliance.store import message, tables
from appliance.store.changes import Change, FlagsChanged, MailboxMended, MessagesAdded, MessagesRemoved, SeenChanged
from appliance.store.records import ROW_OCTETS, SEEN, Mailbox, unpack_row, unpack_row_fixed
from appliance.store.seen import Own, shown_flags
from appliance.store.tables import AccountID, MailboxID, MailboxRef, Table
from appliance.store.transaction import ReadTx

#: What follows the UIDs, in the order of rows.
_COLUMNS: Final = ("ids", "bodies", "threads", "modseqs", "created", "sizes", "received", "saved", "flags")

#: Above this many messages a scan is made in a thread (about a millisecond of the event loop otherwise).
INLINE_MESSAGES: Final = 4_000
#: So many changes are caught up one by one, some milliseconds; more are a new scan.
CATCH_UP: Final = 2_500
#: So many readers have a column of their own at the same time (`seen`); two octets a message each.
READERS: Final = 64
#: So many changes are brought into these columns one by one, for each reader; after more they are made anew.
READ_AGAIN: Final = 64
#: Rows that are read at once.
_PORTION = 2048
#: What makes a row as long as whole numbers of eight octets.
_FILLING: Final = bytes(-ROW_OCTETS % 8)
_FILLED_OCTETS: Final = ROW_OCTETS + len(_FILLING)


class View:
    """Columns of one mailbox, ascending by UID; the n-th entries of all columns are one message."""

    __slots__ = (
        "bodies",
        "created",
        "flags",
        "ids",
        "keywords",
        "modseq",
        "modseqs",
        "readers",
        "received",
        "saved",
        "seen",
        "seen_modseq",
        "sizes",
        "threads",
        "uids",
    )

    def __init__(self) -> None:
        #: The mailbox's modseq that the columns show.
        self.modseq = 0
        #: How many messages of the account had changed, as `Views` counts them, when the columns were last current.
        self.seen = 0
        #: And the account's modseq then: changes up to it are in the columns.
        self.seen_modseq = 0
        self.uids = array("I")
        self.ids = array("Q")
        self.bodies = array("Q")
        self.threads = array("Q")
        self.modseqs = array("Q")
        self.created = array("Q")
        self.sizes = array("Q")
        self.received = array("q")
        self.saved = array("q")
        self.flags = array("H")
        #: Only of messages that have keywords: UID -> keywords.
        self.keywords: dict[int, tuple[str, ...]] = {}
        #: Flags as those have them who have a \\Seen of their own; made when they look.
        self.readers: dict[AccountID, array[int]] = {}

    def __len__(self) -> int:
        return len(self.uids)

    def index(self, uid: int) -> int | None:
        """Position of a UID."""
        uids = self.uids
        at = bisect_left(uids, uid)
        return at if at < len(uids) and uids[at] == uid else None

    def first_unseen(self) -> int | None:
        """Position of the first message without \\Seen."""
        return next((at for at, flags in enumerate(self.flags) if not flags & SEEN), None)

    def as_read_by(self, tx: ReadTx, account: AccountID, mailbox: Mailbox, reader: AccountID) -> "View":
        """The same columns, but with \\Seen as a reader has it. Use before the next await."""
        column = self.readers.get(reader)
        if column is None:
            column = shown_flags(tx, MailboxRef(account, mailbox.id), reader, self.uids, self.flags)
            if self.modseq == mailbox.modseq:  # Otherwise the snapshot is older than the view.
                while len(self.readers) >= READERS:
                    del self.readers[next(iter(self.readers))]
                self.readers[reader] = column
        shown = View.__new__(View)
        for name in View.__slots__:
            setattr(shown, name, getattr(self, name))
        shown.flags = column
        return shown

    def _columns(self) -> "list[array[int]]":
        return [getattr(self, name) for name in _COLUMNS]

    def load(self, tx: ReadTx, account: AccountID, mailbox: Mailbox) -> None:
        """Fill the columns by one scan.

        Rows are laid end to end, each filled up to whole numbers, and cut into columns by slices, which C does:
        unpacking each row and making the columns of numbers takes eight times as long. A portion at a time stays in
        the processor's cache.
        """
        start = tables.row_key(account, mailbox.id, 0)
        stop = tables.row_key(account, MailboxID(mailbox.id + 1), 0)
        cursor = tx.raw.cursor(tx.handles[Table.ROW])
        # Twice through, as pairs of key and value would be objects that the garbage collector looks at.
        if cursor.set_range(start):
            keys = cursor.iternext(keys=True, values=False)
            while some := list(islice(keys, _PORTION)):
                is_last = some[-1] >= stop
                if is_last:
                    del some[bisect_left(some, stop) :]
                self.uids.extend(_numbers("I", b"".join(some))[2::3])
                if is_last:
                    break
            cursor.set_range(start)
            rows = cursor.iternext(keys=False, values=True)
            for at in range(0, len(self.uids), _PORTION):
                self._append(at, list(islice(rows, min(_PORTION, len(self.uids) - at))))
        cursor.close()
        self.modseq = mailbox.modseq

    def _append(self, start: int, rows: list[bytes]) -> None:
        """Rows of the UIDs from that place on."""
        octets = _FILLING.join(rows) + _FILLING
        if len(octets) != len(rows) * _FILLED_OCTETS:
            for at, value in enumerate(rows):
                if len(value) > ROW_OCTETS:
                    self.keywords[self.uids[start + at]] = unpack_row(value).keywords
                    rows[at] = value[:ROW_OCTETS]
            octets = _FILLING.join(rows) + _FILLING
        *columns, flags = self._columns()
        numbers = _numbers("Q", octets)
        for number, column in enumerate(columns):
            column.frombytes(numbers[number :: _FILLED_OCTETS // 8].tobytes())
        flags.extend(_numbers("H", octets)[ROW_OCTETS // 2 - 1 :: _FILLED_OCTETS // 2])

    def _follow(self, tx: ReadTx, account: AccountID, mailbox: Mailbox) -> bool:
        """Catch up by what changed; False when that is too much."""
        gone: set[int] = set()
        come: list[int] = []
        for count, changed in enumerate(message.changed_since(tx, account, max(self.modseq, self.seen_modseq))):
            if count >= CATCH_UP:
                return False
            if changed.mailbox != mailbox.id:
                continue
            if changed.expunged:
                gone.add(changed.uid)
                continue
            value = tx.get(Table.ROW, tables.row_key(account, mailbox.id, changed.uid))
            assert value is not None
            self._set(changed.uid, value)
            come.append(changed.uid)
        if gone:
            self._remove(gone)
        if self.readers:
            self._read(tx, MailboxRef(account, mailbox.id), come)
        self.modseq = mailbox.modseq
        return True

    def _read(self, tx: ReadTx, mailbox: MailboxRef, changed: Sequence[int]) -> None:
        """Bring changes into the columns of readers, as they are in this snapshot."""
        if len(changed) > READ_AGAIN:
            self.readers.clear()
        for reader, column in self.readers.items():
            own = Own(tx, mailbox, reader)
            for uid in changed:
                at = self.index(uid)
                if at is not None:
                    column[at] = own.shown(uid, self.flags[at])

    def _set(self, uid: int, value: bytes) -> None:
        uids = self.uids
        fixed = unpack_row_fixed(value)
        if not uids or uid > uids[-1]:
            uids.append(uid)
            for column, field in zip(self._columns(), fixed, strict=True):
                column.append(field)
            for column in self.readers.values():
                column.append(0)
        else:
            at = bisect_left(uids, uid)
            if at == len(uids) or uids[at] != uid:
                # Changes come by modseq: a new message whose flags changed later stands behind newer ones.
                uids.insert(at, uid)
                for column, field in zip(self._columns(), fixed, strict=True):
                    column.insert(at, field)
                for column in self.readers.values():
                    column.insert(at, 0)
            else:
                self.modseqs[at] = fixed[3]
                self.flags[at] = fixed[8]
        if len(value) > ROW_OCTETS:
            self.keywords[uid] = unpack_row(value).keywords
        else:
            self.keywords.pop(uid, None)

    def _remove(self, gone: set[int]) -> None:
        for uid in gone:
            self.keywords.pop(uid, None)
        if len(gone) <= 16:
            for uid in gone:
                at = self.index(uid)
                if at is not None:
                    del self.uids[at]
                    for column in (*self._columns(), *self.readers.values()):
                        del column[at]
            return
        self.readers.clear()
        kept = runs_without(self.uids, gone)
        for name in ("uids", *_COLUMNS):
            column = getattr(self, name)
            fewer = array(column.typecode)
            for start, stop in kept:
                fewer.extend(column[start:stop])
            setattr(self, name, fewer)


def runs_without(uids: Sequence[int], gone: Iterable[int]) -> list[tuple[int, int]]:
    """Places, from and to, of what is left of ascending UIDs without those that are gone."""
    runs = []
    start = 0
    for uid in sorted(gone):
        at = bisect_left(uids, uid, start)
        if at == len(uids):
            break
        if uids[at] != uid:
            continue
        if start < at:
            runs.append((start, at))
        start = at + 1
    if start < len(uids):
        runs.append((start, len(uids)))
    return runs


def _numbers(typecode: str, octets: bytes) -> "array[int]":
    """Octets as numbers, high octet first."""
    numbers = array(typecode, octets)
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers


class Views:
    """The views in use, least recently used first out, bounded by their messages altogether."""

    def __init__(self, messages: int) -> None:
        self._limit = messages
        self._views: OrderedDict[tuple[AccountID, MailboxID], View] = OrderedDict()
        #: Views that were made of an earlier modseq are wrong, whatever has changed since.
        self._mended: dict[tuple[AccountID, MailboxID], int] = {}
        #: How many messages of an account have changed since its first view was made.
        self._changed: dict[AccountID, int] = {}

    def count(self, account: AccountID, changes: Sequence[Change]) -> None:
        """Take note of what was committed: how much there is to catch up."""
        for change in changes:
            if isinstance(change, MailboxMended):
                self._views.pop((account, change.mailbox), None)
                self._mended[account, change.mailbox] = change.modseq
        changed = self._changed.get(account)
        if changed is None:
            return
        for change in changes:
            if isinstance(change, FlagsChanged | SeenChanged | MessagesAdded):
                changed += len(change.messages)
            elif isinstance(change, MessagesRemoved):
                changed += len(change.uids)
        self._changed[account] = changed

    def is_near(self, account: AccountID, mailbox: MailboxID) -> bool:
        """Whether there is a view that can soon be caught up."""
        view = self._views.get((account, mailbox))
        return view is not None and self._changed.get(account, 0) - view.seen <= CATCH_UP

    def is_current(self, tx: ReadTx, account: AccountID, mailbox: Mailbox) -> bool:
        """Whether there is a view that shows a mailbox as it is in this snapshot of now."""
        view = self._views.get((account, mailbox.id))
        if view is None or view.modseq != mailbox.modseq:
            return False
        self._note_seen(tx, account, view)
        return True

    def _note_seen(self, tx: ReadTx, account: AccountID, view: View) -> None:
        """The view is current as of this snapshot: what else changed up to now was in other mailboxes."""
        changed = self._changed[account]
        if view.seen != changed:
            view.seen, view.seen_modseq = changed, tx.account(account).modseq

    def cached(self, tx: ReadTx, account: AccountID, mailbox: Mailbox) -> View | None:
        """The view of a mailbox as of this snapshot, if it can be had without a scan."""
        key = account, mailbox.id
        view = self._views.get(key)
        if view is None:
            return None
        if view.modseq > mailbox.modseq:
            return view  # The snapshot is older than the view: the loop has read on already.
        if view.modseq != mailbox.modseq and not view._follow(tx, account, mailbox):
            del self._views[key]
            return None
        self._note_seen(tx, account, view)
        self._views.move_to_end(key)
        return view

    def get(self, tx: ReadTx, account: AccountID, mailbox: Mailbox) -> View:
        """The view of a mailbox, scanned here and now if need be."""
        view = self.cached(tx, account, mailbox)
        if view is None:
            seen = self.changed(account)
            view = self.scan(tx, account, mailbox)
            self.keep(account, mailbox.id, view, seen)
        return view

    def changed(self, account: AccountID) -> int:
        """What `keep` wants to know, from before the snapshot of a scan."""
        return self._changed.setdefault(account, 0)

    def scan(self, tx: ReadTx, account: AccountID, mailbox: Mailbox) -> View:
        """A new view; may run in a thread. `keep` it in the event loop."""
        view = View()
        view.load(tx, account, mailbox)
        return view

    def keep(self, account: AccountID, mailbox: MailboxID, view: View, seen: int) -> None:
        """Share a view; `seen`: `changed` before it was made."""
        if view.modseq < self._mended.get((account, mailbox), 0):
            return
        view.seen = seen
        self._views[account, mailbox] = view
        total = sum(len(one) for one in self._views.values())
        while total > self._limit and len(self._views) > 1:
            _, oldest = self._views.popitem(last=False)
            total -= len(oldest)
