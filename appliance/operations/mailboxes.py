"""Verbs about mailboxes, the actor's own and those of others that are shared with it (`sharing`)."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

import msgspec

from appliance.base import limits
from appliance.base.problem import Kind, Problem
from appliance.delivery.appliance import Appliance
from appliance.mail.nfc import nfc
from appliance.mail.status import Status
from appliance.operations import messages, sharing
from appliance.operations.actor import Actor, Right
from appliance.operations.messages import SLICE_MESSAGES
from appliance.protocol.imap import mailboxname
from appliance.store import mailbox, message
from appliance.store.changes import Subscription
from appliance.store.mailbox import MailboxLimits
from appliance.store.problems import BadMailboxName, MailboxHasChildren, NoPermission, NoSuchMailbox, NotThatMailbox
from appliance.store.records import FLAG_NAMES, INBOX, SEEN, Flag, Mailbox, Rights
from appliance.store.tables import AccountID, MailboxID, MailboxRef
from appliance.store.transaction import ReadTx, WriteTx


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


# Of any account, by number, as JMAP has them.


class MailboxHasMessages(Problem):
    """A mailbox still has messages."""

    kind, status = Kind.CONFLICT, Status(5, 3, 0)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a mailbox shall be; None leaves it as it is."""

    #: The last element.
    name: str | None = None
    #: The mailbox that it is in; `mailbox.TOP` for none.
    parent: MailboxID | None = None
    #: Bits of `Role`.
    roles: int | None = None
    sort_order: int | None = None
    is_subscribed: bool | None = None


def _place(tx: ReadTx, account: AccountID, parent: MailboxID, name: str) -> str:
    """The whole name of a mailbox there. Raises NoSuchMailbox, BadMailboxName, NoPermission."""
    if "/" in name:
        raise BadMailboxName("a slash cannot stand in the name of a mailbox")
    path = nfc(name if parent == mailbox.TOP else f"{tx.mailbox(account, parent).name}/{name}")
    try:
        path = mailboxname.canonical(path, limits.IMAP)
    except mailboxname.BadMailboxName as error:
        raise BadMailboxName(str(error)) from error
    if sharing.is_shared_name(path):
        raise NoPermission("mailboxes of others are below that name")
    return path


def _settle(
    tx: WriteTx, actor: AccountID, account: AccountID, number: MailboxID, wanted: Wanted, most: MailboxLimits
) -> None:
    """What is not name and place. Raises NoPermission."""
    has_other_roles = wanted.roles is not None and tx.mailbox(account, number).roles != wanted.roles
    if actor != account and (has_other_roles or wanted.sort_order is not None):
        raise NoPermission("special uses and order are for the owner to give")
    if has_other_roles:
        assert wanted.roles is not None
        mailbox.set_roles(tx, account, number, wanted.roles)
    if wanted.sort_order is not None:
        mailbox.set_sort_order(tx, account, number, wanted.sort_order)
    name = _called(tx, actor, account, tx.mailbox(account, number).name)
    if wanted.is_subscribed is not None and wanted.is_subscribed != (name in mailbox.subscriptions(tx, actor)):
        if wanted.is_subscribed:
            mailbox.subscribe(tx, actor, name, limits=most)
        else:
            mailbox.unsubscribe(tx, actor, name)


def _called(tx: ReadTx, actor: AccountID, account: AccountID, name: str) -> str:
    """What an actor calls a mailbox of an account."""
    return name if actor == account else sharing.called(tx, account, name)


def _move_subscriptions(
    tx: WriteTx, actor: AccountID, subscribed: Iterable[str], old: str, new: str, most: MailboxLimits
) -> None:
    """RFC 9051 §6.3.6 leaves subscriptions to names; to JMAP they are the mailbox's own (RFC 8621 §2)."""
    for name in subscribed:
        if name == old or name.startswith(old + "/"):
            mailbox.unsubscribe(tx, actor, name)
            mailbox.subscribe(tx, actor, new + name[len(old) :], limits=most)


async def create_in(app: Appliance, actor: Actor, account: AccountID, wanted: Wanted) -> MailboxID:
    """Create a mailbox in another one.

    Raises NoSuchMailbox, MailboxExists, BadMailboxName, TooMany, NoPermission.
    """
    actor.require(Right.CHANGE_MAIL)
    most = app.store.limits.mailbox

    def body(tx: WriteTx) -> MailboxID:
        parent = wanted.parent or mailbox.TOP
        _require_lookup(tx, actor.account, account, parent)
        path = _place(tx, account, parent, wanted.name or "")
        _, created = _create(tx, actor.account, _called(tx, actor.account, account, path), 0, most)
        _settle(tx, actor.account, account, created[-1].id, wanted, most)
        return created[-1].id

    return await app.store.write(body)


def _require_lookup(tx: ReadTx, actor: AccountID, account: AccountID, mailbox_: MailboxID) -> None:
    """Raises NoSuchMailbox for one of another account that the actor may not look up."""
    if mailbox_ != mailbox.TOP:
        sharing.at(tx, actor, MailboxRef(account, mailbox_))


async def change(app: Appliance, actor: Actor, account: AccountID, number: MailboxID, wanted: Wanted) -> None:
    """Rename a mailbox, move it, change its other properties: all or nothing. Subscriptions go with its name.

    Raises NoSuchMailbox, MailboxExists, BadMailboxName, NotThatMailbox, TooMany, NoPermission.
    """
    actor.require(Right.CHANGE_MAIL)
    most = app.store.limits.mailbox

    def body(tx: WriteTx) -> None:
        before = sharing.at(tx, actor.account, MailboxRef(account, number)).mailbox
        old = before.name
        if wanted.name is not None or wanted.parent is not None:
            parent = before.parent if wanted.parent is None else wanted.parent
            last = old.rpartition("/")[2] if wanted.name is None else wanted.name
            if wanted.parent is not None:
                _require_lookup(tx, actor.account, account, parent)
            path = _place(tx, account, parent, last)
            if path != old:
                names = _called(tx, actor.account, account, old), _called(tx, actor.account, account, path)
                subscribed = mailbox.subscriptions(tx, actor.account)
                if actor.account == account:
                    mailbox.rename(tx, account, number, path, limits=most)
                else:
                    _rename(tx, actor.account, *names, most)
                _move_subscriptions(tx, actor.account, subscribed, *names, most)
        _settle(tx, actor.account, account, number, wanted, most)

    await app.store.write(body)


async def destroy(app: Appliance, actor: Actor, account: AccountID, number: MailboxID, *, with_messages: bool) -> None:
    """Remove a mailbox, and its subscription; `with_messages`: also when it has some, which go with it.

    Those with \\Deleted do not count. Raises NoSuchMailbox, MailboxHasChildren, MailboxHasMessages, NotThatMailbox.
    """
    actor.require(Right.CHANGE_MAIL)

    def body(tx: WriteTx) -> None:
        access = sharing.at(tx, actor.account, MailboxRef(account, number)).require(Rights.DELETE_MAILBOX)
        found = access.mailbox
        if mailbox.has_children(tx, account, number):
            raise MailboxHasChildren("mailbox has children")
        if found.total and not with_messages:
            raise MailboxHasMessages("mailbox has messages")
        name = access.name
        mailbox.remove(tx, account, number)
        if name in mailbox.subscriptions(tx, actor.account):
            mailbox.unsubscribe(tx, actor.account, name)

    await app.store.write(body)


async def empty(app: Appliance, actor: Actor, number: MailboxID) -> int:
    """Remove all messages of a mailbox for good that are there now, in several transactions; how many.

    Raises NoSuchMailbox.
    """
    actor.require(Right.CHANGE_MAIL)
    account = actor.account
    with app.store.read() as tx:
        last = tx.mailbox(account, number).uid_next - 1

    def body(tx: WriteTx) -> int:
        found = islice(message.rows(tx, account, number, 1, last), SLICE_MESSAGES)
        return len(message.expunge(tx, account, number, [uid for uid, _ in found]))

    count = 0
    while last and (removed := await app.store.write(body)):
        count += removed
    return count


async def mark_read(app: Appliance, actor: Actor, numbers: Sequence[MailboxID], *, with_those_below: bool) -> int:
    """Mark all messages of mailboxes as read that are there now; how many were not. Raises NoSuchMailbox."""
    actor.require(Right.CHANGE_MAIL)
    account = actor.account
    with app.store.read() as tx:
        names = [tx.mailbox(account, number).name for number in numbers]
        chosen = [
            one
            for one in tx.mailboxes(account)
            if one.unseen
            and (one.id in numbers or (with_those_below and any(one.name.startswith(name + "/") for name in names)))
        ]
    count = 0
    for one in chosen:
        await app.store.bring_view(account, one.id)
        with suppress(NoSuchMailbox):
            with app.store.read() as tx:
                view = app.store.view_now(tx, account, one)
                uids = [uid for uid, flags in zip(view.uids, view.flags, strict=True) if not flags & SEEN]
            ref = MailboxRef(account, one.id)
            count += len(
                (await messages.store_flags(app, actor, ref, uids, "+", [FLAG_NAMES[Flag.SEEN]], None)).changed
            )
    return count
