"""Verbs about annotations (RFC 5464): of mailboxes, and of the server.

The server's are kept for each account, `/shared` ones like `/private` ones: what one user writes into the other's
clients is no business of a mail server. Both are shared by all that log in to the account. Of another account's
mailbox there are only `/shared` ones: `/private` are its owner's.
"""

from collections.abc import Sequence
from typing import Final

from appliance.base.problem import Kind, Problem
from appliance.delivery.appliance import Appliance
from appliance.mail.status import Status
from appliance.operations import sharing
from appliance.operations.actor import Actor, Right
from appliance.store import annotation, seen
from appliance.store.annotation import Entry
from appliance.store.changes import Annotated, Subscription
from appliance.store.problems import NoPermission
from appliance.store.records import Annotation, Rights
from appliance.store.tables import NO_MAILBOX, AccountID, MailboxID
from appliance.store.transaction import ReadTx, WriteTx

#: How the server's administrator is reached; nobody sets it by IMAP (RFC 5464 §3.2.1.1).
ADMIN: Final = "/shared/admin"


#: With one of these, and that to look it up, a mailbox's annotations may be read and changed (RFC 5464 §3.3).
_RIGHTS: Final = int(Rights.READ | Rights.SEEN | Rights.WRITE | Rights.INSERT | Rights.POST)


#: Whether others than its owner have a \\Seen of their own in a mailbox: `own`, or `shared` like NIL.
SEEN: Final = "/shared/vendor/moxpy/seen"


class NoPrivateEntries(Problem):
    """No annotation of one's own on another account's mailbox."""

    kind, status = Kind.UNSUPPORTED, Status(5, 3, 3)


class NoSuchValue(Problem):
    """The value of an entry that the server goes by is none it knows."""

    kind, status = Kind.INVALID, Status(5, 5, 4)


class ReadOnlyEntry(Problem):
    """The server itself says what the value is."""

    kind, status = Kind.FORBIDDEN, Status(5, 7, 1)


def administrator(hostname: str) -> Annotation:
    """The entry ADMIN: postmaster of a host is always there (RFC 5321 §4.5.1)."""
    return Annotation(NO_MAILBOX, ADMIN, f"mailto:postmaster@{hostname}".encode(), True, 0, 0)


def is_private(entry: str) -> bool:
    """Whether an entry is for one account alone."""
    return entry.startswith("/private/")


def find(tx: ReadTx, actor: AccountID, name: str) -> dict[str, Annotation]:
    """Annotations of a mailbox, by their names, or with the empty name of the server, as far as the actor may see them.

    Raises NoSuchMailbox, NoPermission.
    """
    owner, number, shared = _place(tx, actor, name)
    found = {one.entry: one for one in annotation.entries(tx, owner, number)}
    if number and tx.mailbox(owner, number).own_seen:
        found[SEEN] = Annotation(number, SEEN, b"own", True, 0, 0)
    return {entry: one for entry, one in found.items() if not is_private(entry)} if shared else found


def _place(tx: ReadTx, actor: AccountID, name: str) -> tuple[AccountID, MailboxID, bool]:
    """Where annotations are kept, and whether that is another account's mailbox."""
    if not name:
        return actor, NO_MAILBOX, False
    access = sharing.resolve(tx, actor, name).require(Rights.LOOKUP)
    if not access.rights & _RIGHTS:
        raise NoPermission("no permission for that")
    return *access.ref, access.shared


async def put(app: Appliance, actor: Actor, name: str, wanted: Sequence[Entry], origin: Subscription | None) -> None:
    """Set and remove annotations of a mailbox or, with the empty name, of the server: all of them or none.

    Raises NoSuchMailbox, NoPermission, NoPrivateEntries, NoSuchValue, TooManyAnnotations, AnnotationTooLarge,
    ReadOnlyEntry.
    """
    actor.require(Right.CHANGE_MAIL)
    if not name and any(one.name == ADMIN for one in wanted):
        raise ReadOnlyEntry(f"{ADMIN} cannot be changed")
    limits = app.store.limits.mailbox.annotations
    own_seen = next((one for one in reversed(wanted) if one.name == SEEN), None) if name else None
    if own_seen is not None:
        if own_seen.value not in {b"own", b"shared", None}:
            raise NoSuchValue(f"{SEEN} is own or shared")
        wanted = [one for one in wanted if one.name != SEEN]

    def body(tx: WriteTx, account: AccountID) -> None:
        owner, number, shared = _place(tx, account, name)
        if shared and any(is_private(one.name) for one in wanted):
            raise NoPrivateEntries("no private annotations on another's mailbox")
        if own_seen is not None:
            sharing.resolve(tx, account, name).require(Rights.ADMINISTER)
            seen.set_own(tx, owner, number, is_own=own_seen.value == b"own")
            tx.publish(owner, Annotated(number, SEEN, tx.modseq(owner)))
        annotation.put(tx, owner, number, wanted, limits=limits)

    await app.store.write_as(origin, body, actor.account)
