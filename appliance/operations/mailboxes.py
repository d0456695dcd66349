"""Verbs about mailboxes, the actor's own and those of others that are shared with it (`sharing`)."""

import msgspec

from appliance.delivery.appliance import Appliance
from appliance.operations import sharing
from appliance.operations.actor import Actor, Right
from appliance.store import mailbox
from appliance.store.changes import Subscription
from appliance.store.mailbox import MailboxLimits
from appliance.store.problems import NoPermission, NotThatMailbox
from appliance.store.records import INBOX, Mailbox, Rights
from appliance.store.tables import AccountID
from appliance.store.transaction import WriteTx


async def create(
    app: Appliance, actor: Actor, name: str, roles: int, origin: Subscription | None
) -> tuple[AccountID, list[Mailbox]]:
    """Create a mailbox and its missing parents: whose they are, and all of them as the actor calls them.

    Raises MailboxExists, BadMailboxName, TooMany, NoPermission.
    """
    actor.require(Right.CHANGE_MAIL)
    return await app.store.write_as(origin, _create, actor.account, name, roles, app.store.limits.mailbox)


def _create(
    tx: WriteTx, actor: AccountID, name: str, roles: int, limits: MailboxLimits
) -> tuple[AccountID, list[Mailbox]]:
    owner, inner = sharing.new_place(tx, actor, name)
    if roles and owner != actor:
        raise NoPermission("special uses are for the owner to give")
    created = mailbox.create(tx, owner, inner, limits=limits, roles=roles)
    return owner, _as_called(tx, actor, owner, name, inner, created, limits)


def _as_called(
    tx: WriteTx,
    actor: AccountID,
    owner: AccountID,
    name: str,
    inner: str,
    created: list[Mailbox],
    limits: MailboxLimits,
) -> list[Mailbox]:
    """New mailboxes under the names the actor has for them, which are subscribed."""
    if owner == actor:
        return created
    before = name[: len(name) - len(inner)]
    found = [msgspec.structs.replace(one, name=before + one.name) for one in created]
    for one in found:
        mailbox.subscribe(tx, actor, one.name, limits=limits)
    return found


async def remove(app: Appliance, actor: Actor, name: str, origin: Subscription | None) -> None:
    """Remove a mailbox with its messages. Raises NoSuchMailbox, NoPermission, MailboxHasChildren, NotThatMailbox."""
    actor.require(Right.CHANGE_MAIL)

    def body(tx: WriteTx, account: AccountID) -> None:
        access = sharing.resolve(tx, account, name).require(Rights.DELETE_MAILBOX)
        mailbox.remove(tx, *access.ref)

    await app.store.write_as(origin, body, actor.account)


async def rename(app: Appliance, actor: Actor, name: str, new_name: str, origin: Subscription | None) -> list[Mailbox]:
    """Rename a mailbox and what is below it; the Inbox gives its messages instead. Parents created for it.

    A mailbox stays its owner's. Raises NoSuchMailbox, NoPermission, MailboxExists, BadMailboxName, NotThatMailbox,
    TooMany.
    """
    actor.require(Right.CHANGE_MAIL)
    return await app.store.write_as(origin, _rename, actor.account, name, new_name, app.store.limits.mailbox)


def _rename(tx: WriteTx, actor: AccountID, name: str, new_name: str, limits: MailboxLimits) -> list[Mailbox]:
    access = sharing.resolve(tx, actor, name).require(Rights.DELETE_MAILBOX)
    owner, inner = sharing.new_place(tx, actor, new_name)
    if owner != access.account:
        raise NotThatMailbox("a mailbox cannot be given to another account")
    if access.mailbox.name == INBOX:
        if access.shared:
            raise NotThatMailbox("the Inbox of another cannot be renamed")
        return mailbox.rename_inbox(tx, owner, inner, limits=limits)[0]
    created = mailbox.rename(tx, *access.ref, inner, limits=limits)
    return _as_called(tx, actor, owner, new_name, inner, created, limits)


async def subscribe(app: Appliance, actor: Actor, name: str, origin: Subscription | None) -> None:
    """Subscribe a name, whether or not there is such a mailbox (so no right is asked for). Raises TooMany."""
    actor.require(Right.CHANGE_MAIL)
    await app.store.write_as(origin, mailbox.subscribe, actor.account, name, limits=app.store.limits.mailbox)


async def unsubscribe(app: Appliance, actor: Actor, name: str, origin: Subscription | None) -> None:
    """Unsubscribe a name. Raises NotSubscribed."""
    actor.require(Right.CHANGE_MAIL)
    await app.store.write_as(origin, mailbox.unsubscribe, actor.account, name)
