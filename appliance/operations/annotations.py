"""Verbs about annotations (RFC 5464): of mailboxes, and of the server.

The server's are kept for each account, `/shared` ones like `/private` ones: what one user writes into the other's
clients is no business of a mail server. Both are shared by all that log in to the account.
"""

from collections.abc import Sequence
from typing import Final

from appliance.base.problem import Kind, Problem
from appliance.delivery.appliance import Appliance
from appliance.mail.status import Status
from appliance.operations.actor import Actor, Right
from appliance.store import annotation, mailbox
from appliance.store.annotation import Entry
from appliance.store.changes import Subscription
from appliance.store.records import Annotation
from appliance.store.tables import NO_MAILBOX, AccountID
from appliance.store.transaction import WriteTx

#: How the server's administrator is reached; nobody sets it by IMAP (RFC 5464 §3.2.1.1).
ADMIN: Final = "/shared/admin"


class ReadOnlyEntry(Problem):
    """The server itself says what the value is."""

    kind, status = Kind.FORBIDDEN, Status(5, 7, 1)


def administrator(hostname: str) -> Annotation:
    """The entry ADMIN: postmaster of a host is always there (RFC 5321 §4.5.1)."""
    return Annotation(NO_MAILBOX, ADMIN, f"mailto:postmaster@{hostname}".encode(), True, 0, 0)


async def put(app: Appliance, actor: Actor, name: str, wanted: Sequence[Entry], origin: Subscription | None) -> None:
    """Set and remove annotations of a mailbox or, with the empty name, of the server: all of them or none.

    Raises NoSuchMailbox, TooManyAnnotations, AnnotationTooLarge, ReadOnlyEntry.
    """
    actor.require(Right.CHANGE_MAIL)
    if not name and any(one.name == ADMIN for one in wanted):
        raise ReadOnlyEntry(f"{ADMIN} cannot be changed")
    limits = app.store.limits.mailbox.annotations

    def body(tx: WriteTx, account: AccountID) -> None:
        number = mailbox.by_name(tx, account, name).id if name else NO_MAILBOX
        annotation.put(tx, account, number, wanted, limits=limits)

    await app.store.write_as(origin, body, actor.account)
