"""\\Seen of each reader's own, in mailboxes whose owner wants it so: there it is a private flag (RFC 7162 §2).

The owner's \\Seen is the flag in the row, as everywhere. Of every other account that has seen something there a set of
UIDs is kept: bits of CHUNK UIDs in one value, lowest first, some 13 KB for 100,000 messages. Setting or clearing it
changes the modseq of the row, which all see, so that CONDSTORE and QRESYNC find it as they find any change; that it
changed is told to this reader alone.

What somebody has seen stays known while he may not look any more, or while \\Seen is shared again: clients keep it,
too, and would be wrong when the right comes back. It goes with the message, and with the account.
"""

import sys
from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

from appliance.store import tables
from appliance.store.changes import RightsChanged
from appliance.store.records import SEEN, Mailbox
from appliance.store.tables import AccountID, MailboxID, MailboxRef, Table
from appliance.store.transaction import ReadTx, WriteTx, decode

#: UIDs of one value, which is rewritten for each of them: 512 octets at most.
CHUNK: Final = 4096

#: Which of a number's two octets has \\Seen.
_LOWER: Final = 0 if sys.byteorder == "little" else 1
_NOT_SEEN: Final = bytes(one & ~SEEN for one in range(256))
_MARKS: Final = bytes.maketrans(b"01", bytes((0, SEEN)))


def reader(mailbox: Mailbox, owner: AccountID, actor: AccountID) -> AccountID | None:
    """Who has a \\Seen of his own there when the actor looks at a mailbox; None where that in the rows counts."""
    return actor if mailbox.own_seen and actor != owner else None


class Own:
    """What a reader has seen of a mailbox, within one transaction."""

    def __init__(self, tx: ReadTx, mailbox: MailboxRef, reader: AccountID) -> None:
        self.mailbox = mailbox
        self.reader = reader
        self._tx = tx
        self._chunks: dict[int, int] = {}

    def _chunk(self, number: int) -> int:
        bits = self._chunks.get(number)
        if bits is None:
            value = self._tx.get(Table.SEEN, tables.seen_key(*self.mailbox, self.reader, number))
            bits = self._chunks[number] = int.from_bytes(value or b"", "little")
        return bits

    def shown(self, uid: int, flags: int) -> int:
        """Flags of a row as the reader has them."""
        number, at = divmod(uid, CHUNK)
        return flags | SEEN if self._chunk(number) >> at & 1 else flags & ~SEEN

    def keep(self, tx: WriteTx, uid: int, flags: int, owners: int = 0) -> int:
        """Keep \\Seen of the reader's flags; the flags for the row, whose \\Seen is that of `owners` flags."""
        number, at = divmod(uid, CHUNK)
        before = self._chunk(number)
        bits = before | 1 << at if flags & SEEN else before & ~(1 << at)
        if bits != before:
            self._chunks[number] = bits
            _put(tx, self.mailbox, self.reader, number, bits)
        return flags & ~SEEN | owners & SEEN


def own(tx: ReadTx, mailbox: MailboxRef, actor: AccountID) -> Own | None:
    """What an actor has seen of a mailbox; None where \\Seen in the rows counts. Raises NoSuchMailbox."""
    if actor == mailbox.account or not tx.mailbox(*mailbox).own_seen:
        return None
    return Own(tx, mailbox, actor)


def _put(tx: WriteTx, mailbox: MailboxRef, reader: AccountID, number: int, bits: int) -> None:
    key, index = tables.seen_key(*mailbox, reader, number), tables.shared_key(reader, *mailbox)
    if bits:
        tx.put(Table.SEEN, key, bits.to_bytes((bits.bit_length() + 7) // 8, "little"))
        tx.put(Table.SEEN_BY, index, b"")
    elif tx.delete(Table.SEEN, key) and next(_chunks(tx, mailbox, reader), None) is None:
        tx.delete(Table.SEEN_BY, index)


def _chunks(tx: ReadTx, mailbox: MailboxRef, reader: AccountID) -> Iterator[tuple[int, int]]:
    """Numbers and bits of what a reader has seen, ascending."""
    prefix = tables.acl_key(*mailbox, reader)
    for key, value in tx.scan_prefix(Table.SEEN, prefix):
        yield int.from_bytes(key[len(prefix) :], "big"), int.from_bytes(value, "little")


def count(tx: ReadTx, mailbox: MailboxRef, reader: AccountID) -> int:
    """How many messages a reader has seen."""
    return sum(bits.bit_count() for _, bits in _chunks(tx, mailbox, reader))


def unseen(tx: ReadTx, record: Mailbox, mailbox: MailboxRef, reader: AccountID | None) -> int:
    """Messages without \\Seen, as a reader has it; None: that of the rows. The record must be of the snapshot."""
    return record.unseen if reader is None else record.messages - count(tx, mailbox, reader)


def shown_flags(
    tx: ReadTx, mailbox: MailboxRef, reader: AccountID, uids: "array[int]", flags: "array[int]"
) -> "array[int]":
    """Flags of ascending UIDs as a reader has them: a millisecond for 100,000, some more if many UIDs are missing."""
    octets = bytearray(flags.tobytes())
    lower = octets[_LOWER::2].translate(_NOT_SEEN)
    for number, bits in _chunks(tx, mailbox, reader):
        first = number * CHUNK
        # Digits, lowest first, before the `b` of 0b.
        marks = bin(bits)[:1:-1].encode().translate(_MARKS)
        low, high = bisect_left(uids, first), bisect_left(uids, first + len(marks))
        if low == high:
            continue
        if uids[high - 1] - uids[low] == high - 1 - low:
            marks = marks[uids[low] - first : uids[high - 1] + 1 - first]
        else:
            marks = bytes([marks[uid - first] for uid in uids[low:high]])
        both = int.from_bytes(lower[low:high], "little") | int.from_bytes(marks, "little")
        lower[low:high] = both.to_bytes(high - low, "little")
    octets[_LOWER::2] = lower
    return array("H", bytes(octets))


def readers(tx: ReadTx, mailbox: MailboxRef) -> list[AccountID]:
    """Who has seen something there, ascending."""
    found: list[AccountID] = []
    start, stop = tables.mailbox_key(*mailbox), tables.mailbox_key(mailbox.account, MailboxID(mailbox.id + 1))
    while (entry := next(tx.scan(Table.SEEN, start, stop), None)) is not None:
        found.append(AccountID(int.from_bytes(entry[0][8:12], "big")))
        start = tables.acl_key(*mailbox, AccountID(found[-1] + 1))
    return found


def forget(tx: WriteTx, mailbox: MailboxRef, uids: Sequence[int]) -> None:
    """Messages are gone from a mailbox, and with them who has seen them."""
    if not tx.mailbox(*mailbox).own_seen_modseq:
        return
    gone: dict[int, int] = defaultdict(int)
    for uid in uids:
        number, at = divmod(uid, CHUNK)
        gone[number] |= 1 << at
    for one in readers(tx, mailbox):
        for number, bits in gone.items():
            value = tx.get(Table.SEEN, tables.seen_key(*mailbox, one, number))
            before = int.from_bytes(value or b"", "little")
            if before & bits:
                _put(tx, mailbox, one, number, before & ~bits)


def renumber(tx: WriteTx, mailbox: MailboxRef, numbers: Mapping[int, int]) -> None:
    """Messages have other UIDs: ascending old ones to new ones, none of which is higher or another's old one."""
    if not tx.mailbox(*mailbox).own_seen_modseq:
        return
    for one in readers(tx, mailbox):
        before = dict(_chunks(tx, mailbox, one))
        bits = dict(before)
        for old, new in numbers.items():
            number, at = divmod(old, CHUNK)
            if new == old or not bits.get(number, 0) >> at & 1:
                continue
            bits[number] &= ~(1 << at)
            number, at = divmod(new, CHUNK)
            bits[number] = bits.get(number, 0) | 1 << at
        # What is set goes before what is cleared, or the last clearing would take the index away.
        for number in sorted(bits, key=lambda number: not bits[number]):
            if bits[number] != before.get(number, 0):
                _put(tx, mailbox, one, number, bits[number])


def forget_all(tx: WriteTx, mailbox: MailboxRef) -> None:
    """A mailbox goes, and with it who has seen what."""
    if not tx.mailbox(*mailbox).own_seen_modseq:
        return
    for one in readers(tx, mailbox):
        for number, _ in list(_chunks(tx, mailbox, one)):
            _put(tx, mailbox, one, number, 0)


def set_own(tx: WriteTx, account: AccountID, mailbox: MailboxID, *, is_own: bool) -> None:
    """Say whether others than the owner have a \\Seen of their own; to begin with they have seen nothing.

    To them the flags of all messages count as changed then (`own_seen_modseq`). Raises NoSuchMailbox.
    """
    record = tx.mailbox(account, mailbox)
    if record.own_seen == is_own:
        return
    record.own_seen = is_own
    tx.touch(account, record)
    record.own_seen_modseq = record.modseq
    tx.publish(account, RightsChanged(mailbox))


def remove_reader_part(tx: WriteTx, reader: AccountID, limit: int) -> bool:
    """Remove what an account has seen in the mailboxes of others, of `limit` at most; tells whether all is gone."""
    found = list(islice(tx.scan_prefix(Table.SEEN_BY, tables.account_key(reader)), limit))
    for key, _ in found:
        _, owner, number = tables.split_acl_key(key)
        mailbox = MailboxRef(AccountID(owner), MailboxID(number))
        for chunk, _ in list(_chunks(tx, mailbox, reader)):
            tx.delete(Table.SEEN, tables.seen_key(*mailbox, reader, chunk))
        tx.delete(Table.SEEN_BY, key)
    return not found


def verify(tx: ReadTx, known: set[AccountID]) -> Iterator[str]:
    """What is wrong with the sets, in words."""
    index: set[bytes] = set()
    for key, value in tx.scan_prefix(Table.SEEN, b""):
        owner, number, one, chunk = tables.split_seen_key(key)
        index.add(tables.shared_key(AccountID(one), AccountID(owner), MailboxID(number)))
        name = f"seen of account {one} in mailbox {number} of account {owner}"
        if one == owner or one not in known:
            yield f"{name} is of nobody who reads there"
        if not value or not value[-1] or int.from_bytes(value, "little") >> CHUNK:
            yield f"{name} is not as it is written"
        box = tx.get(Table.MAILBOX, tables.mailbox_key(AccountID(owner), MailboxID(number)))
        record = None if box is None else decode(Mailbox, box)
        if record is None or record.expunged or not record.own_seen_modseq:
            yield f"{name} is of a mailbox that is gone or never had such"
        bits, first = int.from_bytes(value, "little"), chunk * CHUNK
        for at in range(bits.bit_length()):
            row = tables.row_key(AccountID(owner), MailboxID(number), first + at)
            if bits >> at & 1 and tx.get(Table.ROW, row) is None:
                yield f"{name} has uid {first + at}, which is not there"
    if {key for key, _ in tx.scan_prefix(Table.SEEN_BY, b"")} != index:
        yield "index seen_by differs from what was seen"
