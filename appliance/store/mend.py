"""Mending what is kept of an account where it does not agree with itself, and giving UIDs anew.

Nothing here happens in a healthy house, but it must be right beside deliveries and sessions: what takes long reads
snapshots, and writes only differences or a bounded part in each transaction, after which every invariant holds.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import Final, NamedTuple

import msgspec

from appliance.store import bodies, message, seen, tables, thread, words
from appliance.store.changes import MailboxMended
from appliance.store.message import NewMessage
from appliance.store.records import (
    Facts,
    Mailbox,
    Place,
    Row,
    pack_changed,
    pack_place,
    pack_row,
    unpack_changed,
    unpack_place,
)
from appliance.store.tables import AccountID, MailboxID, MailboxRef, MessageID, Table
from appliance.store.transaction import ReadTx, WriteTx, encode

#: Counters of a mailbox.
COUNTERS: Final = ("total", "deleted", "unread", "unseen", "size_octets", "deleted_octets")


# Counters


def count_wrongs(tx: ReadTx, account: AccountID, number: MailboxID) -> dict[str, int]:
    """By how much counters of a mailbox are too low; only those that are wrong. Reads all rows: in a thread."""
    box = tx.record(Table.MAILBOX, tables.mailbox_key(account, number), Mailbox)
    if box is None:
        return {}
    again = Mailbox(number, "", MailboxID(0), 0, 0, 0)
    for _, row in message.rows(tx, account, number):
        message.count(again, row.flags, row.size, 1)
    lacks = {name: getattr(again, name) - getattr(box, name) for name in COUNTERS}
    return {name: lack for name, lack in lacks.items() if lack}


def correct_counts(tx: WriteTx, account: AccountID, number: MailboxID, lacks: dict[str, int]) -> None:
    """Add what `count_wrongs` found: what was counted since then stays right. A mailbox that is gone is passed over."""
    removed = tx.removed_mailbox(account, number)
    box = tx.mailbox(account, number) if removed is None else removed
    for name, lack in lacks.items():
        setattr(box, name, getattr(box, name) + lack)
    if removed is None:
        tx.touch(account, box)


def usage_lack(tx: ReadTx, account: AccountID) -> int:
    """By how many octets the use of an account is counted too low. Reads all places: in a thread."""
    found = tx.scan_prefix(Table.PLACE, tables.account_key(account))
    return sum(unpack_place(value).size for _, value in found) - tx.account(account).usage_octets


def correct_usage(tx: WriteTx, account: AccountID, lack: int) -> None:
    """Add what `usage_lack` found."""
    tx.account(account).usage_octets += lack


# Sizes


class WrongSize(NamedTuple):
    """A message whose sizes do not agree."""

    id: MessageID
    stored: int
    actual: int


def wrong_sizes(
    tx: ReadTx, account: AccountID, after: MessageID, limit: int
) -> tuple[list[WrongSize], MessageID | None]:
    """Messages behind an id whose size is not that of what is kept, of `limit` looked at; and where to go on."""
    start, stop = tables.message_key(account, MessageID(after + 1)), tables.account_key(AccountID(account + 1))
    wrong: list[WrongSize] = []
    last: MessageID | None = None
    for key, value in islice(tx.scan(Table.PLACE, start, stop), limit):
        last = MessageID(int.from_bytes(key[4:], "big"))
        place = unpack_place(value)
        prefix = len(tx.get(Table.PREFIX, key) or b"")
        octets = bodies.actual_size(tx, place.body)
        known = tx.record(Table.FACTS, key, _Sizes)
        try:
            agrees = bodies.size(tx, place.body) == octets
        except KeyError:
            continue  # There is no body: that cannot be mended here.
        row = None if place.expunged else message.row(tx, account, place.mailbox, place.uid)
        sizes = {place.size, place.size if row is None else row.size, octets + prefix}
        if not agrees or len(sizes) > 1 or known is None or known.prefix_octets != prefix:
            wrong.append(WrongSize(last, place.size if row is None else row.size, octets + prefix))
    return wrong, last


class _Sizes(msgspec.Struct, array_like=True):
    """The beginning of `Facts`."""

    root: msgspec.Raw
    prefix_octets: int = 0


def correct_size(tx: WriteTx, account: AccountID, id: MessageID) -> bool:
    """Give a message the size of what is kept of it; its mailbox and account count it so. Whether it was there."""
    place = message.place(tx, account, id)
    if place is None:
        return False
    prefix = len(message.prefix(tx, account, id))
    octets = bodies.correct_size(tx, place.body)
    key = tables.message_key(account, id)
    known = tx.record(Table.FACTS, key, Facts)
    if known is not None and known.prefix_octets != prefix:
        tx.put_record(Table.FACTS, key, msgspec.structs.replace(known, prefix_octets=prefix))
    tx.account(account).usage_octets += octets + prefix - place.size
    tx.put(Table.PLACE, key, pack_place(place._replace(size=octets + prefix)))
    row = None if place.expunged else message.row(tx, account, place.mailbox, place.uid)
    if row is not None and row.size != octets + prefix:
        box = tx.removed_mailbox(account, place.mailbox) or tx.mailbox(account, place.mailbox)
        message.count(box, row.flags, row.size, -1)
        message.count(box, row.flags, octets + prefix, 1)
        row = row._replace(size=octets + prefix)
        tx.put(Table.ROW, tables.row_key(account, place.mailbox, place.uid), pack_row(row))
        _mended(tx, account, box, renumbered=False)
    return True


def _mended(tx: WriteTx, account: AccountID, box: Mailbox, *, renumbered: bool) -> None:
    if not box.expunged:
        tx.touch(account, box)
        tx.publish(account, MailboxMended(box.id, box.modseq, renumbered))


# Structure


def to_parse(
    tx: ReadTx, account: AccountID, after: MessageID, limit: int, *, everything: bool
) -> tuple[list[MessageID], MessageID | None]:
    """Live messages behind an id of `limit` looked at, or only those of which something is not kept; where to go on."""
    start, stop = tables.message_key(account, MessageID(after + 1)), tables.account_key(AccountID(account + 1))
    found: list[MessageID] = []
    last: MessageID | None = None
    for key, value in islice(tx.scan(Table.PLACE, start, stop), limit):
        last = MessageID(int.from_bytes(key[4:], "big"))
        if unpack_place(value).expunged:
            continue
        if everything or any(tx.get(table, key) is None for table in (Table.FACTS, Table.PREPARED, Table.ORDER)):
            found.append(last)
    return found, last


class Parsed(NamedTuple):
    """What `put_parsed` changed."""

    messages: int
    #: Texts that are searched: the index lost those segments.
    texts: int


def put_parsed(tx: WriteTx, account: AccountID, made: Sequence[tuple[MessageID, NewMessage]]) -> Parsed:
    """Keep what was read from messages anew, beside all else that is known of them. Those gone are passed over."""
    messages = texts = 0
    for id, new in made:
        where = message.place(tx, account, id)
        if where is None or where.expunged:
            continue
        row = message.row(tx, account, where.mailbox, where.uid)
        if row is None:
            continue
        key = tables.message_key(account, id)
        known = tx.record(Table.FACTS, key, Facts)
        base = known or Facts(root=new.root, origin_mailbox=where.mailbox)
        now = msgspec.structs.replace(
            base,
            root=new.root,
            prefix_octets=len(new.prefix),
            message_id=new.clues.message_id,
            subject_base=new.clues.subject_base,
        )
        if known is not None and (known.message_id, known.subject_base) != (now.message_id, now.subject_base):
            thread.unindex(tx, account, id, row.thread, known, row.received)
        thread.index(tx, account, id, row.thread, now, row.received)
        changed = False
        for table, record in ((Table.FACTS, now), (Table.PREPARED, new.prepared), (Table.ORDER, new.keys)):
            value = encode(record)
            if tx.get(table, key) != value:
                tx.put(table, key, value)
                changed = True
        if new.text and tx.get(Table.TEXT, key) != new.text:
            _forget_indexed(tx, account, id)
            tx.put(Table.TEXT, key, new.text)
            texts += 1
            changed = True
        messages += changed
    return Parsed(messages, texts)


def _forget_indexed(tx: WriteTx, account: AccountID, id: MessageID) -> None:
    """Remove the segment of the index that knows a message: its messages are searched by their texts."""
    entry = next(words.segments(tx, account, id - 1), None)
    if entry is not None and id in entry[1].message_ids():
        words.drop(tx, account, entry[0])


# UIDs


class NextUIDs(NamedTuple):
    """What the next UIDs, and the next UIDVALIDITY, must be at least; only where they are not."""

    mailboxes: dict[MailboxID, int]
    uid_validity: int | None


def next_uids(tx: ReadTx, account: AccountID) -> NextUIDs:
    """Look for counters of UIDs that would give one again. Reads all changes: in a thread."""
    highest: Counter[MailboxID] = Counter()
    for key, _ in tx.scan_prefix(Table.CHANGED, tables.account_key(account)):
        _, _, number, uid = tables.split_changed_key(key)
        highest[MailboxID(number)] = max(highest[MailboxID(number)], uid)
    boxes = tx.mailboxes(account, expunged=True)
    for box in boxes:
        entry = tx.last_before(
            Table.ROW, tables.row_key(account, MailboxID(box.id + 1), 0), tables.mailbox_key(account, box.id)
        )
        if entry is not None:
            highest[box.id] = max(highest[box.id], int.from_bytes(entry[0][8:], "big"))
    validity = 1 + max((box.uid_validity for box in boxes), default=0)
    return NextUIDs(
        {box.id: highest[box.id] + 1 for box in boxes if box.uid_next <= highest[box.id]},
        validity if tx.account(account).next_uid_validity < validity else None,
    )


def raise_uids(tx: WriteTx, account: AccountID, least: NextUIDs) -> None:
    """Raise counters to what `next_uids` says; what has risen above that meanwhile stays."""
    for number, uid in least.mailboxes.items():
        box = tx.removed_mailbox(account, number) or tx.mailbox(account, number)
        box.uid_next = max(box.uid_next, uid)
        if not box.expunged:
            tx.touch(account, box)
    if least.uid_validity is not None:
        singletons = tx.account(account)
        singletons.next_uid_validity = max(singletons.next_uid_validity, least.uid_validity)


def bump_uid_validity(tx: WriteTx, account: AccountID, number: MailboxID) -> int:
    """Give a mailbox a new UIDVALIDITY: clients forget all they know of it (RFC 9051 §2.3.1.1).

    Raises NoSuchMailbox.
    """
    box = tx.mailbox(account, number)
    singletons = tx.account(account)
    # Beyond all there are, also where the counter itself is wrong.
    highest = max(one.uid_validity for one in tx.mailboxes(account, expunged=True))
    box.uid_validity = max(singletons.next_uid_validity, highest + 1)
    singletons.next_uid_validity = box.uid_validity + 1
    _mended(tx, account, box, renumbered=True)
    return box.uid_validity


class Renumbering(NamedTuple):
    """How far the UIDs of a mailbox are given anew."""

    #: Messages up to this UID, of before, have theirs; how many they are, which is the last UID given.
    up_to: int = 0
    given: int = 0
    #: Removals up to this modseq are forgotten.
    modseq: int = 0
    uid_validity: int = 0
    finished: bool = False


def forget_removals(tx: WriteTx, account: AccountID, number: MailboxID, after: int, limit: int) -> tuple[int, bool]:
    """Forget removals from a mailbox after a modseq, of `limit` changes looked at; how far, and whether that is all.

    They name UIDs that will be given again. Who asks for changes since before then hears that they are not known.
    """
    start = tables.changed_key(account, after + 1, MailboxID(0), 0)
    looked = list(islice(tx.scan(Table.CHANGED, start, tables.account_key(AccountID(account + 1))), limit))
    is_all = len(looked) < limit
    if not is_all:
        # Changes of one modseq belong together: the last one may have more of them.
        last = tables.split_changed_key(looked[-1][0])[1]
        first = tables.split_changed_key(looked[0][0])[1]
        stop = tables.changed_key(account, last + (first == last), MailboxID(0), 0)
        looked = list(tx.scan(Table.CHANGED, start, stop))
        after = last if first == last else last - 1
    else:
        after = tx.account(account).modseq
    forgotten = False
    for key, value in looked:
        _, _, owner, uid = tables.split_changed_key(key)
        one = unpack_changed(value)
        if owner != number or not one.expunged:
            continue
        tx.delete(Table.CHANGED, key)
        forgotten = True
        place = message.place(tx, account, one.id)
        if place is not None and place.expunged and (place.mailbox, place.uid) == (number, uid):
            # It waits to be erased, where no UID can come to be the same.
            tx.put(Table.PLACE, tables.message_key(account, one.id), pack_place(place._replace(uid=0)))
    if forgotten:
        singletons = tx.account(account)
        singletons.highest_deleted_modseq = max(singletons.highest_deleted_modseq, tx.modseq(account))
    return after, is_all


def renumber(tx: WriteTx, account: AccountID, number: MailboxID, state: Renumbering, limit: int) -> Renumbering:
    """Give so many messages of a mailbox UIDs from 1 on, in their order, and the mailbox a new UIDVALIDITY.

    The mailbox is whole after each part, whatever came and went between them. Raises NoSuchMailbox.
    """
    box = tx.mailbox(account, number)
    ref = MailboxRef(account, number)
    is_all = False
    after = state.modseq
    while not is_all:
        after, is_all = forget_removals(tx, account, number, after, limit)
    found = list(islice(message.rows(tx, account, number, state.up_to + 1), limit))
    validity = bump_uid_validity(tx, account, number)
    modseq = tx.modseq(account)
    given, up_to = state.given, state.up_to
    numbers: dict[int, int] = {}
    for uid, row in found:
        given, up_to = given + 1, uid
        tx.delete(Table.CHANGED, tables.changed_key(account, row.modseq, number, uid))
        tx.put(Table.CHANGED, tables.changed_key(account, modseq, number, given), _live(row))
        tx.delete(Table.ROW, tables.row_key(account, number, uid))
        tx.put(Table.ROW, tables.row_key(account, number, given), pack_row(row._replace(modseq=modseq)))
        place = Place(number, given, row.body, row.size, expunged=False)
        tx.put(Table.PLACE, tables.message_key(account, row.id), pack_place(place))
        numbers[uid] = given
    seen.renumber(tx, ref, numbers)
    finished = len(found) < limit
    if finished:
        box.uid_next = given + 1
    return Renumbering(up_to, given, max(after, modseq), validity, finished)


def _live(row: Row) -> bytes:
    return pack_changed(row.id, row.create_modseq)
