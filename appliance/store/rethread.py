"""Putting the messages of an account into threads anew, as if all of them had come in the order of their ids.

Unlike a delivery it knows all messages at once: an answer that came before what it answers finds it. Where a parent is
gone, what was known of it stays. First a plan is made, beside the work of the house; then the messages whose thread is
another are changed, those of connected threads together, so that at no moment a message is in another thread than its
parent.
"""

from array import array
from collections.abc import Iterator
from itertools import islice
from typing import Final, NamedTuple

import msgspec

from appliance.store import message, prepare, tables, thread
from appliance.store.changes import MailboxMended
from appliance.store.prepare import PrepareLimits
from appliance.store.records import Facts, pack_row, unpack_place
from appliance.store.tables import AccountID, MailboxID, MessageID, Table
from appliance.store.thread import CANDIDATES, PARENTS, SUBJECT_AFTER, SUBJECT_BEFORE, Clues
from appliance.store.transaction import ReadTx, WriteTx

_NONE: Final = MessageID(0)


class New(NamedTuple):
    """Where a message hangs from now on."""

    thread: MessageID
    parents: tuple[MessageID, ...]


class Changes(NamedTuple):
    """What a plan comes to."""

    messages: dict[MessageID, New]
    #: Pairs of threads, one that a message leaves and one that it comes into.
    connected: set[tuple[int, int]]


class Plan:
    """Finds for each message of an account what it answers. May run in a thread, a step at a time."""

    def __init__(self, account: AccountID, highest: MessageID, limits: PrepareLimits) -> None:
        self._account = account
        self._limits = limits
        #: By id: the parent; 0 for none.
        self._parents = array("Q", bytes(8 * (highest + 1)))
        #: By id: the thread that a message without a parent is in; 0 for those that are not there.
        self._roots = array("Q", bytes(8 * (highest + 1)))
        self._highest = highest

    def look(self, tx: ReadTx, after: MessageID, limit: int) -> tuple[int, MessageID | None]:
        """Look at messages behind an id; how many there were, and where to go on."""
        account = self._account
        start, stop = tables.message_key(account, MessageID(after + 1)), tables.account_key(AccountID(account + 1))
        last: MessageID | None = None
        count = 0
        for key, value in islice(tx.scan(Table.PLACE, start, stop), limit):
            id = MessageID(int.from_bytes(key[4:], "big"))
            if id > self._highest:
                break  # It came after this began, and has been put where it belongs.
            last = id
            place = unpack_place(value)
            row = None if place.expunged else message.row(tx, account, place.mailbox, place.uid)
            known = thread.facts(tx, account, id)
            made = message.prepared_or_none(tx, account, id)
            if row is None or known is None or made is None:
                continue
            count += 1
            clues = prepare.clues(made, self._limits, is_dsn=known.origin.is_dsn)
            parent = self._parent(tx, id, clues, known.origin_mailbox, row.received)
            self._parents[id] = parent
            nearest = known.thread_parents[0] if known.thread_parents else _NONE
            # A parent that is gone still holds together what hung below it.
            keeps = not parent and nearest and thread.thread_of(tx, account, nearest) is None
            self._roots[id] = row.thread if keeps else id
        return count, last

    def _parent(self, tx: ReadTx, id: MessageID, clues: Clues, origin: int, received: int) -> MessageID:
        account = self._account
        if clues.message_id:
            first = next(_with_message_id(tx, account, clues.message_id), id)
            if first < id:
                return first
        for reference in reversed(clues.references):
            for other in _with_message_id(tx, account, reference):
                known = thread.facts(tx, account, other)
                if other == id or known is None:
                    continue
                if clues.is_dsn or known.subject_base == clues.subject_base:
                    return other
        if clues.references or not clues.subject_is_response or not clues.subject_base:
            return _NONE
        # The latest before it of that subject.
        where = self._account, clues.subject_base, MailboxID(origin)
        low = tables.subject_key(*where, received - SUBJECT_BEFORE, _NONE)
        high = tables.subject_key(*where, received + SUBJECT_AFTER, MessageID((1 << 64) - 1))
        for key, _ in islice(tx.scan_back(Table.SUBJECT, low, high), CANDIDATES):
            other = MessageID(int.from_bytes(key[-8:], "big"))
            if other < id:
                return other
        return _NONE

    def settle(self) -> None:
        """Cut circles, and find out in which thread each message is; after all were looked at."""
        parents, roots = self._parents, self._roots
        settled = bytearray(self._highest + 1)
        for id in range(1, self._highest + 1):
            if not roots[id]:
                continue
            way: list[int] = []
            on_way: set[int] = set()
            at = id
            while not settled[at]:
                if at in on_way:
                    # A circle: its oldest message begins the thread.
                    oldest = min(way[way.index(at) :])
                    parents[oldest], roots[oldest] = 0, oldest
                    way, on_way, at = [], set(), id
                    continue
                way.append(at)
                on_way.add(at)
                above = parents[at]
                if not above or above > self._highest or not roots[above]:
                    parents[at] = 0
                    break
                at = above
            for one in reversed(way):
                if parents[one]:
                    roots[one] = roots[parents[one]]
                settled[one] = 1

    def changes(self, tx: ReadTx, after: MessageID, limit: int) -> tuple[Changes, MessageID | None]:
        """What is to be changed of messages behind an id, and where to go on."""
        account = self._account
        start, stop = tables.message_key(account, MessageID(after + 1)), tables.account_key(AccountID(account + 1))
        found = Changes({}, set())
        last: MessageID | None = None
        for key, value in islice(tx.scan(Table.PLACE, start, stop), limit):
            id = MessageID(int.from_bytes(key[4:], "big"))
            if id > self._highest:
                break
            last = id
            place = unpack_place(value)
            row = None if place.expunged else message.row(tx, account, place.mailbox, place.uid)
            known = thread.facts(tx, account, id)
            if not self._roots[id] or row is None or known is None:
                continue
            parent, root = MessageID(self._parents[id]), MessageID(self._roots[id])
            live = [one for one in known.thread_parents if thread.thread_of(tx, account, one) is not None]
            # What hangs below one that is gone goes on hanging there, unless there is another.
            hangs = bool(known.thread_parents) and live[:1] == list(known.thread_parents[:1])
            if row.thread == root and (live[:1] == [parent] if parent else not hangs):
                continue
            if row.thread == root and not hangs and _same_message(tx, account, known, parent):
                continue  # A copy made here stands beside what it was made of.
            parents = self._above(parent) if parent else () if hangs else known.thread_parents
            found.messages[id] = New(root, parents)
            found.connected.add((row.thread, root))
        return found, last

    def _above(self, parent: MessageID) -> tuple[MessageID, ...]:
        above: list[MessageID] = []
        while parent and len(above) < PARENTS:
            above.append(parent)
            parent = MessageID(self._parents[parent])
        return tuple(above)


def _same_message(tx: ReadTx, account: AccountID, known: Facts, other: MessageID) -> bool:
    found = thread.facts(tx, account, other)
    return found is not None and found.message_id == known.message_id


def _with_message_id(tx: ReadTx, account: AccountID, message_id: str) -> Iterator[MessageID]:
    prefix = tables.message_id_key(account, message_id, _NONE)[:-8]
    for key, _ in islice(tx.scan_prefix(Table.MESSAGE_ID, prefix), CANDIDATES):
        yield MessageID(int.from_bytes(key[-8:], "big"))


def groups(changes: Changes) -> Iterator[tuple[set[int], dict[MessageID, New]]]:
    """What is to be changed together: the threads it is about, and the messages."""
    above: dict[int, int] = {}

    def top(one: int) -> int:
        while (other := above.setdefault(one, one)) != one:
            above[one] = above[other]
            one = other
        return one

    for one, other in changes.connected:
        above[top(one)] = top(other)
    threads: dict[int, set[int]] = {}
    for one in list(above):
        threads.setdefault(top(one), set()).add(one)
    messages: dict[int, dict[MessageID, New]] = {one: {} for one in threads}
    for id, new in changes.messages.items():
        messages[top(new.thread)][id] = new
    for one, members in threads.items():
        yield members, messages[one]


def apply(tx: WriteTx, account: AccountID, threads: set[int], messages: dict[MessageID, New]) -> int:
    """Change messages of connected threads; how many. What came into these threads meanwhile follows its parent."""
    members = {one for number in threads for one in thread.members(tx, account, MessageID(number))}
    touched = set()
    count = 0
    waiting = sorted(members | messages.keys())
    new_threads: dict[MessageID, MessageID] = {id: new.thread for id, new in messages.items()}
    for id in waiting:
        place = message.place(tx, account, id)
        row = None if place is None or place.expunged else message.row(tx, account, place.mailbox, place.uid)
        known = thread.facts(tx, account, id)
        if place is None or row is None or known is None:
            continue
        new = messages.get(id)
        if new is None:
            nearest = known.thread_parents[0] if known.thread_parents else _NONE
            wanted = new_threads.get(nearest)
            if wanted is None or wanted == row.thread:
                continue
            new = New(wanted, known.thread_parents)
        new_threads[id] = new.thread
        thread.unindex(tx, account, id, row.thread, known, row.received)
        known = msgspec.structs.replace(known, thread_parents=new.parents)
        tx.put_record(Table.FACTS, tables.message_key(account, id), known)
        thread.index(tx, account, id, new.thread, known, row.received)
        row = row._replace(thread=new.thread)
        tx.put(Table.ROW, tables.row_key(account, place.mailbox, place.uid), pack_row(row))
        touched.add(place.mailbox)
        count += 1
    for number in sorted(touched):
        if tx.removed_mailbox(account, number) is None:
            box = tx.mailbox(account, number)
            tx.touch(account, box)
            tx.publish(account, MailboxMended(number, box.modseq, renumbered=False))
    return count
