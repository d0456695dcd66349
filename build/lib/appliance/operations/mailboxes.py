"""Verbs about mailboxes of the actor's account."""

from appliance.delivery.appliance import Appliance
from appliance.operations.actor import Actor, Right
from appliance.store import mailbox
from appliance.store.changes import Subscription
from appliance.store.records import INBOX, Mailbox
from appliance.store.tables import AccountID
from appliance.store.transaction import WriteTx


async def create(app: Appliance, actor: Actor, name: str, roles: int, origin: Subscription | None) -> list[Mailbox]:
    """Create a mailbox and its missing parents; all of them. Raises MailboxExists, BadMailboxName, TooMany."""
    actor.require(Right.CHANGE_MAIL)
    return await app.store.write_as(
        origin, mailbox.create, actor.account, name, limits=app.store.limits.mailbox, roles=roles
    )


async def remove(app: Appliance, actor: Actor, name: str, origin: Subscription | None) -> None:
    """Remove a mailbox with its messages. Raises NoSuchMailbox, MailboxHasChildren, NotThatMailbox."""
    actor.require(Right.CHANGE_MAIL)

    def body(tx: WriteTx, account: AccountID) -> None:
        mailbox.remove(tx, account, mailbox.by_name(tx, account, name).id)

    await app.store.write_as(origin, body, actor.account)


async def rename(app: Appliance, actor: Actor, name: str, new_name: str, origin: Subscription | None) -> list[Mailbox]:
    """Rename a mailbox and what is below it; the Inbox gives its messages instead (I-98). Parents created for it."""
    actor.require(Right.CHANGE_MAIL)
    limits = app.store.limits.mailbox

    def body(tx: WriteTx, account: AccountID) -> list[Mailbox]:
        if name == INBOX:
            return mailbox.rename_inbox(tx, account, new_name, limits=limits)[0]
        return mailbox.rename(tx, account, mailbox.by_name(tx, account, name).id, new_name, limits=limits)

    return await app.store.write_as(origin, body, actor.account)


async def subscribe(app: Appliance, actor: Actor, name: str, origin: Subscription | None) -> None:
    """Subscribe a name, whether or not there is such a mailbox. Raises TooMany."""
    actor.require(Right.CHANGE_MAIL)
    await app.store.write_as(origin, mailbox.subscribe, actor.account, name, limits=app.store.limits.mailbox)


async def unsubscribe(app: Appliance, actor: Actor, name: str, origin: Subscription | None) -> None:
    """Unsubscribe a name. Raises NotSubscribed."""
    actor.require(Right.CHANGE_MAIL)
    await app.store.write_as(origin, mailbox.unsubscribe, actor.account, name)
