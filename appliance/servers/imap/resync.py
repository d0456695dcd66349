"""Bringing a client that was away up to date: QRESYNC's SELECT, and UID FETCH with VANISHED (RFC 7162 §3.2.5, §3.2.6).

What happened since a modification sequence is a scan of the store's `changed` table. For a client that was away for
very long, or knows what cannot be, it is found by comparing UIDs instead: those that are not there are gone.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import compress
from typing import TYPE_CHECKING, Final

import trio

from appliance.protocol.imap import response, sequence
from appliance.protocol.imap.command import QResync
from appliance.protocol.imap.sequence import SequenceSet
from appliance.servers.imap import news
from appliance.servers.imap.selected import Selected
from appliance.store import message
from appliance.store.records import Mailbox
from appliance.store.tables import AccountID, MailboxID
from appliance.store.transaction import ReadTx
from appliance.store.view import View

if TYPE_CHECKING:
    from appliance.servers.imap.session import Session

#: More changes than this are not looked at one by one.
CHANGES: Final = 2_000
#: Pairs of number and UID that are looked at to find out whether the client is out of step.
PAIRS: Final = 1_000

Ranges = Sequence[tuple[int, int]]


async def tell(session: "Session", selected: Selected, changed: Sequence[int]) -> None:
    """Say the flags of very many messages that changed.

    What goes away meanwhile has a number all the same, which the client must know when its removal is told.
    """
    for at in range(0, len(changed), news.CHUNK):
        some = changed[at : at + news.CHUNK]
        await session.app.store.bring_view(*selected.ref)
        with session.app.store.read() as tx:
            view = selected.view(session.app.store, tx)
        session.say(news.lines_of(session, selected, view, some, gone_modseq=selected.modseq))
        await session.flush_large()
        await trio.lowlevel.checkpoint()


def since(
    tx: ReadTx, selected: Selected, record: Mailbox, view: View, request: QResync
) -> tuple[Ranges, list[int], bool]:
    """UIDs that vanished, UIDs that changed, and whether the client knows what cannot be (RFC 7162 §3.2.5).

    The view must be that of the snapshot.
    """
    known: Ranges = [(1, record.uid_next - 1)]
    if request.known_uids is not None:
        known = request.known_uids.resolve(record.uid_next - 1)
    if not view.uids and record.uid_next == 1:
        return (), [], False
    everything = tx.account(selected.account).modseq < request.mod_seq
    turned = request.mod_seq < selected.turned  # Then all flags have changed.
    found = None if everything or turned else _changes(tx, selected.account, record.id, request.mod_seq)
    floor = 0
    if request.sequence_match is not None:
        pairs = _Pairs(*request.sequence_match)
        floor = pairs.agreed(view.uids)
        # Who names a message that was removed before his modseq has not followed (I-88).
        removed = None if found is None else set(found[0])
        for uid in pairs.last(PAIRS):
            is_gone = uid < record.uid_next and view.index(uid) is None
            everything = everything or (is_gone and removed is not None and uid not in removed)
    if everything:
        floor = 0
    if found is None or everything:
        return (
            _missing(view.uids, _above(known, floor)),
            _changed(view, 0 if everything or turned else request.mod_seq, known),
            everything,
        )
    gone, changed = found
    return sequence.compact(_among(gone, _above(known, floor))), _among(changed, known), False


def tell_vanished(session: "Session", selected: Selected, messages: SequenceSet, modseq: int) -> None:
    """VANISHED (EARLIER) for UID FETCH: of the set what was removed since a modseq (RFC 7162 §3.2.6).

    Not what still has a number for this client: of that a VANISHED without EARLIER will tell.
    """
    with session.app.store.read() as tx:
        view = selected.view(session.app.store, tx)
        uid_next = tx.mailbox(selected.account, selected.id).uid_next
        known = [(uid, uid) for uid in selected.saved] if messages.saved else messages.resolve(uid_next - 1)
        known = [(low, min(high, selected.last)) for low, high in known if low <= selected.last]
        found = _changes(tx, selected.account, selected.id, modseq)
    if found is None:
        pending = [uid for uid in selected.gone if uid <= selected.last]
        there = sorted({*view.uids, *(pending if selected.uid_only else selected.uids)})
        session.say(response.vanished_ranges(_missing(there, known), earlier=True))
        return
    gone = [uid for uid in _among(found[0], known) if uid not in selected.gone and selected.index(uid) is None]
    session.say(response.vanished(gone, earlier=True))


def _changes(tx: ReadTx, account: AccountID, mailbox: MailboxID, modseq: int) -> tuple[list[int], list[int]] | None:
    """UIDs of a mailbox that were removed, and that changed, after a modseq; None if that is too much to look at."""
    if modseq < tx.account(account).highest_deleted_modseq:
        return None
    gone: list[int] = []
    changed: list[int] = []
    for count, one in enumerate(message.changed_since(tx, account, modseq)):
        if count >= CHANGES:
            return None
        if one.mailbox == mailbox:
            (gone if one.expunged else changed).append(one.uid)
    return sorted(gone), sorted(changed)


def _changed(view: View, modseq: int, known: Ranges) -> list[int]:
    found: list[int] = []
    for low, high in known:
        start, stop = bisect_left(view.uids, low), bisect_right(view.uids, high)
        found += compress(view.uids[start:stop], map(modseq.__lt__, view.modseqs[start:stop]))
    return found


def _above(known: Ranges, floor: int) -> Ranges:
    return [(max(low, floor + 1), high) for low, high in known if high > floor]


def _among(uids: Sequence[int], known: Ranges) -> list[int]:
    """Those of ascending UIDs that lie in ranges."""
    found: list[int] = []
    for low, high in known:
        found += uids[bisect_left(uids, low) : bisect_right(uids, high)]
    return found


def _missing(uids: Sequence[int], known: Ranges) -> list[tuple[int, int]]:
    """The parts of ranges where no UID is."""
    found = []
    for low, high in known:
        start, stop = bisect_left(uids, low), bisect_right(uids, high)
        if start == stop:
            found.append((low, high))
            continue
        if low < uids[start]:
            found.append((low, uids[start] - 1))
        found += [(uids[at - 1] + 1, uids[at] - 1) for at in _gaps(uids, start, stop)]
        if uids[stop - 1] < high:
            found.append((uids[stop - 1] + 1, high))
    return found


def _gaps(uids: Sequence[int], start: int, stop: int) -> Iterator[int]:
    """Places before which UIDs are missing, ascending; stretches without gaps are not walked through."""
    todo = [(start, stop)]
    while todo:
        low, high = todo.pop()
        if uids[high - 1] - uids[low] == high - 1 - low:
            continue
        if high - low == 2:
            yield low + 1
            continue
        middle = (low + high) // 2
        todo += ((middle, high), (low, middle + 1))


class _Pairs:
    """Numbers and UIDs of the same messages, as a client remembers them: equally many, ascending."""

    def __init__(self, numbers: SequenceSet, uids: SequenceSet) -> None:
        self._numbers, self._uids = _Places(numbers), _Places(uids)

    def agreed(self, uids: Sequence[int]) -> int:
        """The highest of the UIDs that still have their number, 0 if none: up to it nothing was removed.

        Removals only lower numbers, so once a pair does not agree none after it does.
        """
        low, high = 0, self._numbers.count
        while low < high:
            middle = (low + high) // 2
            number, uid = self._numbers[middle], self._uids[middle]
            if number <= len(uids) and uids[number - 1] == uid:
                low = middle + 1
            else:
                high = middle
        return self._uids[low - 1] if low else 0

    def last(self, count: int) -> Iterator[int]:
        """The last UIDs."""
        total = self._uids.count
        return (self._uids[at] for at in range(max(0, total - count), total))


class _Places:
    """The n-th number of an ascending set that is too long to write out."""

    def __init__(self, numbers: SequenceSet) -> None:
        self._ranges = [(low or 0, high or 0) for low, high in numbers.ranges]
        self._before: list[int] = []
        self.count = 0
        for low, high in self._ranges:
            self._before.append(self.count)
            self.count += high - low + 1

    def __getitem__(self, place: int) -> int:
        at = bisect_right(self._before, place) - 1
        return self._ranges[at][0] + place - self._before[at]
