"""Which messages belong together: by Message-ID and References, then by subject.

A thread is named by its first message. Every message knows its parents, nearest first, so that a lost link in the
middle loses nobody below it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from appliance.store import tables
from appliance.store.records import Facts, unpack_place, unpack_row
from appliance.store.tables import AccountID, MailboxID, MessageID, Table
from appliance.store.transaction import ReadTx, WriteTx

DAY_MICROSECONDS: Final = 24 * 3600 * 1_000_000
#: A reply without references is matched by its subject within this time.
SUBJECT_BEFORE: Final = 28 * DAY_MICROSECONDS
SUBJECT_AFTER: Final = DAY_MICROSECONDS
#: How many messages of one Message-ID or subject are looked at; a thread does not get better by more.
CANDIDATES: Final = 20
#: Ancestors remembered; deeper ones are reached through the parents.
PARENTS: Final = 200


@dataclass(frozen=True, slots=True)
class Clues:
    """What a message says about its thread."""

    message_id: str
    #: References, else In-Reply-To; oldest first.
    references: tuple[str, ...]
    subject_base: str
    subject_is_response: bool
    is_dsn: bool


@dataclass(frozen=True, slots=True)
class Link:
    """Where a message hangs."""

    thread: MessageID
    parents: tuple[MessageID, ...]
    missing_link: bool
    muted: bool
    collapsed: bool


def facts(tx: ReadTx, account: AccountID, message: MessageID) -> Facts | None:
    """Facts of a message that is live or waiting to be erased."""
    return tx.record(Table.FACTS, tables.message_key(account, message), Facts)


def thread_of(tx: ReadTx, account: AccountID, message: MessageID) -> MessageID | None:
    """The thread of a live message."""
    value = tx.get(Table.PLACE, tables.message_key(account, message))
    if value is None:
        return None
    place = unpack_place(value)
    row = tx.get(Table.ROW, tables.row_key(account, place.mailbox, place.uid))
    return None if place.expunged or row is None else unpack_row(row).thread


def find(tx: ReadTx, account: AccountID, message: MessageID, clues: Clues, origin: MailboxID, received: int) -> Link:
    """Where a new message belongs; a thread of its own when nothing matches."""
    if clues.message_id:
        for other in with_message_id(tx, account, clues.message_id):
            link = _below(tx, account, other, message, missing_link=True)
            if link is not None:
                return link
    missing = False
    for reference in reversed(clues.references):
        for other in with_message_id(tx, account, reference):
            known = facts(tx, account, other)
            if known is None or not (clues.is_dsn or known.subject_base == clues.subject_base):
                continue
            link = _below(tx, account, other, message, missing_link=missing)
            if link is not None:
                return link
        missing = True
    if not clues.references and clues.subject_is_response and clues.subject_base:
        same = _with_subject(tx, account, clues.subject_base, origin, received)
        if same is not None:
            link = _below(tx, account, same, message, missing_link=True)
            if link is not None:
                return link
    return Link(message, (), missing, muted=False, collapsed=False)


def with_message_id(tx: ReadTx, account: AccountID, message_id: str) -> Iterator[MessageID]:
    """Live messages of a Message-ID, lowest first; looked up as they are asked for, since mostly the first is it."""
    prefix = tables.message_id_key(account, message_id, MessageID(0))[:-8]
    for key, _ in islice(tx.scan_prefix(Table.MESSAGE_ID, prefix), CANDIDATES):
        yield MessageID(int.from_bytes(key[-8:], "big"))


def _with_subject(tx: ReadTx, account: AccountID, subject: str, origin: MailboxID, received: int) -> MessageID | None:
    """The latest message of a subject and mailbox of origin around a time."""
    highest = MessageID((1 << 64) - 1)
    stop = tables.subject_key(account, subject, origin, received + SUBJECT_AFTER, highest)
    prefix = stop[:-16]
    entry = tx.last_before(Table.SUBJECT, stop, prefix)
    if entry is None or entry[0] < tables.subject_key(
        account, subject, origin, received - SUBJECT_BEFORE, MessageID(0)
    ):
        return None
    return MessageID(int.from_bytes(entry[0][-8:], "big"))


def _below(tx: ReadTx, account: AccountID, parent: MessageID, child: MessageID, *, missing_link: bool) -> Link | None:
    known = facts(tx, account, parent)
    thread = thread_of(tx, account, parent)
    if known is None or thread is None or parent == child:
        return None
    parents = (parent, *known.thread_parents)
    if child in parents:
        parents = (parent,)
    return Link(thread, parents[:PARENTS], missing_link, known.thread_muted, known.thread_collapsed)


def index(tx: WriteTx, account: AccountID, message: MessageID, thread: MessageID, known: Facts, received: int) -> None:
    """Make a live message findable by its thread, Message-ID and subject."""
    tx.put(Table.THREAD, tables.thread_key(account, thread, message), b"")
    if known.message_id:
        tx.put(Table.MESSAGE_ID, tables.message_id_key(account, known.message_id, message), b"")
    if known.subject_base:
        tx.put(
            Table.SUBJECT,
            tables.subject_key(account, known.subject_base, known.origin_mailbox, received, message),
            b"",
        )


def unindex(
    tx: WriteTx, account: AccountID, message: MessageID, thread: MessageID, known: Facts, received: int
) -> None:
    """Undo `index`: the message is gone."""
    tx.delete(Table.THREAD, tables.thread_key(account, thread, message))
    if known.message_id:
        tx.delete(Table.MESSAGE_ID, tables.message_id_key(account, known.message_id, message))
    if known.subject_base:
        tx.delete(
            Table.SUBJECT,
            tables.subject_key(account, known.subject_base, known.origin_mailbox, received, message),
        )


def members(tx: ReadTx, account: AccountID, thread: MessageID) -> list[MessageID]:
    """Live messages of a thread, oldest first."""
    prefix = tables.thread_key(account, thread, MessageID(0))[:-8]
    return [MessageID(int.from_bytes(key[-8:], "big")) for key, _ in tx.scan_prefix(Table.THREAD, prefix)]
