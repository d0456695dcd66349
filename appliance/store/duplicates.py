"""Whether a mailbox has a message already: by its Message-ID, or octet by octet."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

from appliance.store import bodies, message, tables
from appliance.store.records import Row
from appliance.store.tables import AccountID, MailboxID, MessageID, Table
from appliance.store.transaction import ReadTx

#: Messages of one Message-ID that are looked at.
CANDIDATES: Final = 100
_PIECE_OCTETS: Final = 256 * 1024


def with_message_id(tx: ReadTx, account: AccountID, mailbox: MailboxID, message_id: str) -> Iterator[Row]:
    """Messages of a mailbox that have a Message-ID, some at most."""
    prefix = tables.message_id_key(account, message_id, MessageID(0))[:-8]
    for key, _ in islice(tx.scan_prefix(Table.MESSAGE_ID, prefix), CANDIDATES):
        place = message.place(tx, account, MessageID(int.from_bytes(key[-8:], "big")))
        if place is not None and place.mailbox == mailbox and not place.expunged:
            row = message.row(tx, account, mailbox, place.uid)
            if row is not None:
                yield row


def without_message_id(
    tx: ReadTx, account: AccountID, mailbox: MailboxID, first: int, most: int
) -> tuple[list[tuple[int, int]], int | None]:
    """Sizes and UIDs of those among some messages that have none, and the UID to go on with; None at the end."""
    found = []
    for uid, row in islice(message.rows(tx, account, mailbox, first), most):
        if not message.facts(tx, account, row.id).message_id:
            found.append((row.size, uid))
        first = uid + 1
        most -= 1
    return found, first if not most else None


def is_same(tx: ReadTx, account: AccountID, row: Row, size: int, read: Callable[[int, int], bytes]) -> bool:
    """Whether a stored message is octet by octet one that `read` gives parts of."""
    if row.size != size:
        return False
    prefix = message.prefix(tx, account, row.id)
    if read(0, len(prefix)) != prefix:
        return False
    for start in range(0, size - len(prefix), _PIECE_OCTETS):
        end = min(size - len(prefix), start + _PIECE_OCTETS)
        if bodies.read(tx, row.body, start, end) != read(len(prefix) + start, len(prefix) + end):
            return False
    return True
