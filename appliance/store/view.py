"""A mailbox as columns in memory, for everything that looks at all of its messages (SELECT, FETCH, SEARCH).

A view is made by one scan and then follows the store by the rows that changed: opening a mailbox again costs what
happened meanwhile. Views are shared by all sessions and live in the event loop. Whoever holds one across an await
must expect it to have moved on.
"""

import sys
from array import array
from bisect import bisect_left
from collections import OrderedDict
from itertools import islice

from appliance.store import message, tables
from appliance.store.records import ROW_OCTETS, SEEN, Mailbox, unpack_row, unpack_row_fixed
from appliance.store.tables import AccountID, MailboxID, Table
from appliance.store.transaction import ReadTx

_COLUMNS = "uids ids bodies threads modseqs created sizes received saved flags".split()

#: Above this many messages a scan is made in a thread (about 10 ms of the event loop otherwise).
INLINE_MESSAGES = 20_000
#: So many changes are caught up one by one; more are a new scan.
CATCH_UP = 5_000
#: Rows that are read at once.
_PORTION = 4096


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
        "received",
        "saved",
        "sizes",
        "threads",
        "uids",
    )

    def __init__(self) -> None:
        #: The mailbox's modseq that the columns show.
        self.modseq = 0
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

    def _columns(self) -> tuple[array, ...]:  # type: ignore[type-arg]
        return (
            *(self.ids, self.bodies, self.threads, self.modseqs, self.created, self.sizes),
            *(self.received, self.saved, self.flags),
        )

    def _load(self, tx: ReadTx, account: AccountID, mailbox: Mailbox) -> None:
        """Fill the columns by one scan.

        Rows are laid end to end and cut into columns octet by octet, which slices do in C: unpacking each row and
        making the columns of numbers takes four times as long.
        """
        start = tables.row_key(account, mailbox.id, 0)
        stop = tables.row_key(account, MailboxID(mailbox.id + 1), 0)
        keys: list[bytes] = []
        rows: list[bytes] = []
        cursor = tx.raw.cursor(tx.handles[Table.ROW])
        # Twice through, as pairs of key and value would be objects that the garbage collector looks at.
        if cursor.set_range(start):
            entries = cursor.iternext(keys=True, values=False)
            while some := list(islice(entries, _PORTION)):
                keys += some
                if some[-1] >= stop:
                    del keys[bisect_left(keys, stop) :]
                    break
            cursor.set_range(start)
            rows = list(islice(cursor.iternext(keys=False, values=True), len(keys)))
        cursor.close()
        if max(map(len, rows), default=0) > ROW_OCTETS:
            for at, value in enumerate(rows):
                if len(value) > ROW_OCTETS:
                    self.keywords[int.from_bytes(keys[at][8:], "big")] = unpack_row(value).keywords
                    rows[at] = value[:ROW_OCTETS]
        self.uids = _cut(b"".join(keys), "I", 8, len(start))
        octets = b"".join(rows)
        for number, column in enumerate(self._columns()):
            column.extend(_cut(octets, column.typecode, 8 * number, ROW_OCTETS))
        self.modseq = mailbox.modseq

    def _follow(self, tx: ReadTx, account: AccountID, mailbox: Mailbox) -> bool:
        """Catch up by what changed; False when that is too much."""
        gone: set[int] = set()
        for count, changed in enumerate(message.changed_since(tx, account, self.modseq)):
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
        if gone:
            self._remove(gone)
        self.modseq = mailbox.modseq
        return True

    def _set(self, uid: int, value: bytes) -> None:
        uids = self.uids
        fixed = unpack_row_fixed(value)
        if not uids or uid > uids[-1]:
            uids.append(uid)
            for column, field in zip(self._columns(), fixed, strict=True):
                column.append(field)
        else:
            at = bisect_left(uids, uid)
            if at == len(uids) or uids[at] != uid:
                # Changes come by modseq: a new message whose flags changed later stands behind newer ones.
                uids.insert(at, uid)
                for column, field in zip(self._columns(), fixed, strict=True):
                    column.insert(at, field)
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
                    for column in self._columns():
                        del column[at]
            return
        keep = [at for at, uid in enumerate(self.uids) if uid not in gone]
        for name in (
            "uids",
            *(["ids", "bodies", "threads", "modseqs", "created", "sizes", "received", "saved", "flags"]),
        ):
            column = getattr(self, name)
            setattr(self, name, array(column.typecode, [column[at] for at in keep]))


def _cut(octets: bytes, typecode: str, at: int, length: int) -> "array[int]":
    """One column of rows that all have this length: the numbers, high octet first, that begin `at` in each."""
    column = array(typecode)
    width = column.itemsize
    ordered = bytearray(len(octets) // length * width)
    for place in range(width):
        ordered[place::width] = octets[at + place :: length]
    column.frombytes(ordered)
    if sys.byteorder == "little":
        column.byteswap()
    return column


class Views:
    """The views in use, least recently used first out, bounded by their messages altogether."""

    def __init__(self, messages: int) -> None:
        self._limit = messages
        self._views: OrderedDict[tuple[AccountID, MailboxID], View] = OrderedDict()

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
        self._views.move_to_end(key)
        return view

    def get(self, tx: ReadTx, account: AccountID, mailbox: Mailbox) -> View:
        """The view of a mailbox, scanned here and now if need be."""
        view = self.cached(tx, account, mailbox)
        if view is None:
            view = self.scan(tx, account, mailbox)
            self.keep(account, mailbox.id, view)
        return view

    def scan(self, tx: ReadTx, account: AccountID, mailbox: Mailbox) -> View:
        """A new view; may run in a thread. `keep` it in the event loop."""
        view = View()
        view._load(tx, account, mailbox)
        return view

    def keep(self, account: AccountID, mailbox: MailboxID, view: View) -> None:
        """Share a view."""
        self._views[account, mailbox] = view
        total = sum(len(one) for one in self._views.values())
        while total > self._limit and len(self._views) > 1:
            _, oldest = self._views.popitem(last=False)
            total -= len(oldest)
