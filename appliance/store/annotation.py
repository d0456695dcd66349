"""Annotations of mailboxes and of the account itself: METADATA's entries (RFC 5464).

How many an account has, and their octets, stand in its singletons, so that the limits cost no look at the others. What
is removed leaves nothing behind: nobody asks which annotations there once were.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from appliance.store import tables
from appliance.store.changes import Annotated
from appliance.store.problems import AnnotationTooLarge, TooManyAnnotations
from appliance.store.records import Annotation
from appliance.store.tables import AccountID, MailboxID, Table
from appliance.store.transaction import ReadTx, WriteTx, decode


@dataclass(frozen=True, slots=True)
class Entry:
    """An annotation to be set or, without a value, removed."""

    #: Lower case (RFC 5464 §3.2).
    name: str
    value: bytes | None
    #: Whether it came as a string; otherwise it is binary data (literal8), and given back as such.
    is_text: bool = True


@dataclass(frozen=True, slots=True)
class AnnotationLimits:
    """How much of them an account may have, all mailboxes together."""

    #: RFC 5464 §4.1 wants ten entries of 1024 octets at least.
    entries: int
    octets: int
    #: Of one value.
    value_octets: int


#: For removals, which need no room.
_NO_ROOM: Final = AnnotationLimits(0, 0, 0)


def entries(tx: ReadTx, account: AccountID, mailbox: MailboxID) -> Iterator[Annotation]:
    """All annotations of a mailbox; those of the account itself for mailbox 0."""
    for _, value in tx.scan_prefix(Table.ANNOTATION, tables.mailbox_key(account, mailbox)):
        yield decode(Annotation, value)


def get(tx: ReadTx, account: AccountID, mailbox: MailboxID, name: str) -> Annotation | None:
    """One annotation, by its lower case name."""
    return tx.record(Table.ANNOTATION, tables.annotation_key(account, mailbox, name), Annotation)


def put(
    tx: WriteTx, account: AccountID, mailbox: MailboxID, wanted: Sequence[Entry], *, limits: AnnotationLimits
) -> None:
    """Set and remove annotations of a mailbox, whose modseq rises; of the account for mailbox 0.

    Raises NoSuchMailbox, TooManyAnnotations, AnnotationTooLarge; then none must be kept (RFC 5464 §4.3).
    """
    record = tx.mailbox(account, mailbox) if mailbox else None
    singletons = tx.account(account)
    modseq = 0
    # What goes makes room for what comes, in whatever order they are named.
    for one in sorted(wanted, key=lambda one: one.value is not None):
        key = tables.annotation_key(account, mailbox, one.name)
        old = tx.record(Table.ANNOTATION, key, Annotation)
        if one.value is None and old is None:
            continue
        modseq = tx.modseq(account)
        singletons.annotations += (one.value is not None) - (old is not None)
        singletons.annotation_octets -= len(old.value) if old is not None else 0
        if one.value is None:
            tx.delete(Table.ANNOTATION, key)
        else:
            if singletons.annotations > limits.entries:
                raise TooManyAnnotations("too many annotations")
            free = min(limits.value_octets, limits.octets - singletons.annotation_octets)
            if len(one.value) > free:
                raise AnnotationTooLarge(max(free, 0))
            singletons.annotation_octets += len(one.value)
            created = modseq if old is None else old.create_modseq
            tx.put_record(Table.ANNOTATION, key, Annotation(mailbox, one.name, one.value, one.is_text, created, modseq))
        tx.publish(account, Annotated(mailbox, one.name, modseq))
    if record is not None and modseq:
        tx.touch(account, record)


def remove_all(tx: WriteTx, account: AccountID, mailbox: MailboxID) -> None:
    """A mailbox is being removed, and its annotations with it (RFC 5464 §4.1)."""
    gone = [Entry(one.entry, None) for one in entries(tx, account, mailbox)]
    put(tx, account, mailbox, gone, limits=_NO_ROOM)


def copy(tx: WriteTx, account: AccountID, source: MailboxID, target: MailboxID, *, limits: AnnotationLimits) -> None:
    """The target gets what the source has (RFC 5464 §4.1, RENAME of INBOX). Raises as `put`."""
    found = [Entry(one.entry, one.value, one.is_text) for one in entries(tx, account, source)]
    put(tx, account, target, found, limits=limits)


def verify(tx: ReadTx, account: AccountID, mailboxes: frozenset[MailboxID]) -> Iterator[str]:
    """What is wrong with an account's annotations; `mailboxes` are the live ones."""
    count = octets = 0
    for key, value in tx.scan_prefix(Table.ANNOTATION, tables.account_key(account)):
        one = decode(Annotation, value)
        count += 1
        octets += len(one.value)
        if one.mailbox and one.mailbox not in mailboxes:
            yield f"annotation {one.entry} belongs to a mailbox that is gone"
        if key != tables.annotation_key(account, one.mailbox, one.entry) or one.entry != one.entry.lower():
            yield f"annotation {one.entry} is not where its name says"
    singletons = tx.account(account)
    if (count, octets) != (singletons.annotations, singletons.annotation_octets):
        yield f"annotations are {count} of {octets} octets, not as counted"
