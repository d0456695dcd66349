"""Copies of refused messages: what tells that one is there already, and how old they are.

An index of its own, so that asking costs a seek however many copies there are. A message is in it from when it is
added as a refused one until it leaves its mailbox, for whichever other.
"""

import struct
from collections.abc import Iterator
from itertools import islice
from typing import Final

from appliance.store import tables
from appliance.store.records import Facts, unpack_place
from appliance.store.tables import AccountID, MailboxID, MessageID, Table
from appliance.store.transaction import ReadTx, WriteTx

_TIME, _MESSAGE_ID, _CONTENT = b"\1", b"\2", b"\3"
_MAILBOX: Final = struct.Struct(">I")
_MAILBOX_TIME: Final = struct.Struct(">IQ")
_MESSAGE: Final = struct.Struct(">Q")


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
