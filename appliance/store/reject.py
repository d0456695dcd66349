"""Copies of refused messages: what tells that one is there already, and how old they are.

An index of its own, so that asking costs a seek however many copies there are. A message is in it from when it is
added as a refused one until it leaves its mailbox, for whichever other. What its reader has taken out is remembered for
some days, whatever becomes of it then, since its sender still has it and tries again.
"""

import struct
from collections.abc import Iterator
from itertools import islice
from typing import Final

from appliance.base.limits import RESCUED_DAYS, RESCUED_KEPT
from appliance.store import tables
from appliance.store.records import Facts, unpack_place
from appliance.store.tables import AccountID, MailboxID, MessageID, Table
from appliance.store.transaction import ReadTx, WriteTx

_TIME, _MESSAGE_ID, _CONTENT = b"\1", b"\2", b"\3"
_MAILBOX: Final = struct.Struct(">I")
_MAILBOX_TIME: Final = struct.Struct(">IQ")
_MESSAGE: Final = struct.Struct(">Q")
_TAKEN: Final = struct.Struct(">Q")

#: Of the content of a message; in keys of RESCUED behind that of its Message-ID.
_CONTENT_OCTETS: Final = 32
_MESSAGE_ID_OCTETS: Final = 16
_RESCUED: Final = RESCUED_DAYS * 24 * 3600 * 1_000_000


def keys(account: AccountID, mailbox: MailboxID, id: MessageID, known: Facts, received: int) -> Iterator[bytes]:
    """The keys of a refused message."""
    message = _MESSAGE.pack(id)
    yield tables.account_key(account) + _TIME + _MAILBOX_TIME.pack(mailbox, max(0, received)) + message
    for prefix in _likenesses(account, known.message_id, known.content_digest):
        yield prefix + _MAILBOX.pack(mailbox) + message


def _likenesses(account: AccountID, message_id: str, content_digest: bytes) -> Iterator[bytes]:
    """What keys begin with of messages that are the same as one; the mailbox follows."""
    if message_id:
        yield tables.account_key(account) + _MESSAGE_ID + tables.digest(message_id)
    if content_digest:
        yield tables.account_key(account) + _CONTENT + content_digest


def index(tx: WriteTx, account: AccountID, mailbox: MailboxID, id: MessageID, known: Facts, received: int) -> None:
    """Make a new refused message findable."""
    for key in keys(account, mailbox, id, known, received):
        tx.put(Table.REJECT, key, b"")


def unindex(tx: WriteTx, account: AccountID, mailbox: MailboxID, id: MessageID, known: Facts, received: int) -> None:
    """Undo `index`: the message leaves its mailbox; `known` as it was there."""
    for key in keys(account, mailbox, id, known, received):
        tx.delete(Table.REJECT, key)


def has(tx: ReadTx, account: AccountID, mailbox: MailboxID, message_id: str, content_digest: bytes) -> bool:
    """Whether a mailbox has a refused message of this canonical Message-ID, or of this digest; empty is none."""
    return any(
        any(True for _ in tx.scan_prefix(Table.REJECT, likeness + _MAILBOX.pack(mailbox)))
        for likeness in _likenesses(account, message_id, content_digest)
    )


def is_known(tx: ReadTx, account: AccountID, message_id: str) -> bool:
    """Whether an account has a refused message of this canonical Message-ID in any mailbox."""
    return any(
        any(True for _ in tx.scan_prefix(Table.REJECT, likeness)) for likeness in _likenesses(account, message_id, b"")
    )


def uids_of(tx: ReadTx, account: AccountID, mailbox: MailboxID, message_id: str, most: int) -> list[int]:
    """UIDs of the refused messages of a canonical Message-ID in a mailbox, at most so many."""
    return [
        _uid(tx, account, key)
        for likeness in _likenesses(account, message_id, b"")
        for key, _ in islice(tx.scan_prefix(Table.REJECT, likeness + _MAILBOX.pack(mailbox)), most)
    ]


def older(tx: ReadTx, account: AccountID, mailbox: MailboxID, before: int, most: int) -> list[int]:
    """UIDs of refused messages in a mailbox received before a moment, the oldest first, at most so many."""
    start = tables.account_key(account) + _TIME + _MAILBOX_TIME.pack(mailbox, 0)
    stop = tables.account_key(account) + _TIME + _MAILBOX_TIME.pack(mailbox, max(0, before))
    return [_uid(tx, account, key) for key, _ in islice(tx.scan(Table.REJECT, start, stop), most)]


def _uid(tx: ReadTx, account: AccountID, key: bytes) -> int:
    """Where the message is that a key ends with."""
    value = tx.get(Table.PLACE, tables.account_key(account) + key[-8:])
    assert value is not None
    return unpack_place(value).uid


def rescue(tx: WriteTx, account: AccountID, known: Facts) -> None:
    """A refused message was taken out by its reader; one that has no digest was accepted, for a rule wanted it so."""
    if not known.content_digest:
        return
    key = _rescued_prefix(account, known.message_id) + known.content_digest
    tx.put(Table.RESCUED, key, _TAKEN.pack(max(0, tx.now)))


def forget_rescued(tx: WriteTx, account: AccountID) -> None:
    """Forget those that were taken out too long ago, and the oldest of too many.

    For who has added some, once for all of them: half a millisecond for a thousand. There is no keeper.
    """
    found = [(value, key) for key, value in tx.scan_prefix(Table.RESCUED, tables.account_key(account))]
    fresh = sorted(one for one in found if _is_fresh(one[0], tx.now))
    for _, key in {*found} - {*fresh[-RESCUED_KEPT:]}:
        tx.delete(Table.RESCUED, key)


def rescued(tx: ReadTx, account: AccountID, message_id: str, now: int) -> set[bytes]:
    """Digests of the content of messages of a canonical Message-ID, maybe none, that were taken out lately."""
    found = tx.scan_prefix(Table.RESCUED, _rescued_prefix(account, message_id))
    return {key[-_CONTENT_OCTETS:] for key, value in found if _is_fresh(value, now)}


def _rescued_prefix(account: AccountID, message_id: str) -> bytes:
    return tables.account_key(account) + tables.digest(message_id)


def _is_fresh(value: bytes, now: int) -> bool:
    # One of the future is of a clock that was set back since.
    (taken,) = _TAKEN.unpack(value)
    return abs(now - int(taken)) <= _RESCUED


def verify_rescued(tx: ReadTx, account: AccountID) -> Iterator[str]:
    """What is wrong with what is remembered of messages taken out."""
    for key, value in tx.scan_prefix(Table.RESCUED, tables.account_key(account)):
        if len(key) != 4 + _MESSAGE_ID_OCTETS + _CONTENT_OCTETS or len(value) != _TAKEN.size:
            yield "a rescued message is not remembered as it should be"
