"""Mailboxes of an account: names, roles, subscriptions.

Names are NFC, elements separated by `/`; what a name may be is `protocol.imap.mailboxname`'s business, how long it
may be is ours, because elements are keys.
"""

from dataclasses import dataclass
from typing import Final

from appliance.store import acl, annotation, message, seen, tables
from appliance.store.annotation import AnnotationLimits
from appliance.store.changes import (
    MailboxAdded,
    MailboxRemoved,
    MailboxRenamed,
    MailboxRoles,
    SubscriptionChanged,
)
from appliance.store.problems import (
    BadMailboxName,
    MailboxExists,
    MailboxHasChildren,
    MailboxNameTooLong,
    NoSuchMailbox,
    NotSubscribed,
    NotThatMailbox,
    TooMany,
)
from appliance.store.records import INBOX, Mailbox
from appliance.store.tables import AccountID, MailboxID, MailboxRef, Table
from appliance.store.transaction import ReadTx, WriteTx

#: Limits of names: the first follows from the length of LMDB keys.
ELEMENT_OCTETS: Final = 200
NAME_OCTETS: Final = 1000
NAME_LEVELS: Final = 32

TOP: Final = tables.NO_MAILBOX


@dataclass(frozen=True)
class MailboxLimits:
    """How much an account may have of each."""

    mailboxes: int
    subscriptions: int
    annotations: AnnotationLimits
    #: Grantees of one mailbox.
    grantees: int


def check_name(name: str) -> list[str]:
    """Elements of a name. Raises BadMailboxName."""
    elements = name.split("/")
    if not all(elements):
        raise BadMailboxName("element of mailbox name is empty")
    if len(elements) > NAME_LEVELS or len(name.encode()) > NAME_OCTETS:
        raise MailboxNameTooLong("mailbox name is too long")
    if any(len(element.encode()) > ELEMENT_OCTETS for element in elements):
        raise MailboxNameTooLong("element of mailbox name is too long")
    return elements


def find(tx: ReadTx, account: AccountID, name: str) -> Mailbox | None:
    """The live mailbox of a name."""
    parent = TOP
    for element in name.split("/"):
        octets = element.encode()
        if not octets or len(octets) > ELEMENT_OCTETS:
            return None
        value = tx.get(Table.MAILBOX_NAME, tables.element_key(account, parent, element))
        if value is None:
            return None
        parent = MailboxID(int.from_bytes(value, "big"))
    return tx.mailbox(account, parent)


def by_name(tx: ReadTx, account: AccountID, name: str) -> Mailbox:
    """The live mailbox of a name. Raises NoSuchMailbox."""
    mailbox = find(tx, account, name)
    if mailbox is None:
        raise NoSuchMailbox("no such mailbox")
    return mailbox


def has_children(tx: ReadTx, account: AccountID, mailbox: MailboxID) -> bool:
    """Whether there are mailboxes below."""
    return any(True for _ in tx.scan_prefix(Table.MAILBOX_NAME, tables.mailbox_key(account, mailbox)))


def create(tx: WriteTx, account: AccountID, name: str, *, limits: MailboxLimits, roles: int = 0) -> list[Mailbox]:
    """Create a mailbox and the parents it lacks, subscribed; all of them, topmost first.

    Raises MailboxExists, BadMailboxName, TooMany.
    """
    elements = check_name(name)
    if find(tx, account, name) is not None:
        raise MailboxExists("mailbox exists")
    if len(tx.mailboxes(account)) + len(elements) > limits.mailboxes:
        raise TooMany("too many mailboxes")
    created = []
    parent = TOP
    for depth in range(1, len(elements) + 1):
        path = "/".join(elements[:depth])
        existing = find(tx, account, path)
        if existing is None:
            existing = _add(tx, account, path, parent)
            subscribe(tx, account, path, limits=limits)
            created.append(existing)
        parent = existing.id
    if roles:
        set_roles(tx, account, parent, roles)
    return created


def _add(tx: WriteTx, account: AccountID, name: str, parent: MailboxID) -> Mailbox:
    singletons = tx.account(account)
    modseq = tx.modseq(account)
    mailbox = Mailbox(
        id=MailboxID(singletons.next_mailbox),
        name=name,
        parent=parent,
        uid_validity=singletons.next_uid_validity,
        create_modseq=modseq,
        modseq=modseq,
    )
    singletons.next_mailbox += 1
    singletons.next_uid_validity += 1  # Hence always higher than that of an earlier mailbox of this name.
    tx.add_mailbox(account, mailbox)
    _put_name(tx, account, mailbox)
    if parent != TOP:
        acl.inherit(tx, account, parent, mailbox.id)
        if tx.mailbox(account, parent).own_seen:
            mailbox.own_seen, mailbox.own_seen_modseq = True, modseq
    tx.publish(account, MailboxAdded(mailbox, modseq))
    return mailbox


def _put_name(tx: WriteTx, account: AccountID, mailbox: Mailbox) -> None:
    element = mailbox.name.rpartition("/")[2]
    tx.put(
        Table.MAILBOX_NAME,
        tables.element_key(account, mailbox.parent, element),
        mailbox.id.to_bytes(4, "big"),
    )


def _delete_name(tx: WriteTx, account: AccountID, mailbox: Mailbox) -> None:
    element = mailbox.name.rpartition("/")[2]
    tx.delete(Table.MAILBOX_NAME, tables.element_key(account, mailbox.parent, element))


#: With more messages a mailbox is only marked as gone; a keeper removes them (`Store.erase_forever`).
REMOVED_AT_ONCE: Final = 200


def remove(tx: WriteTx, account: AccountID, number: MailboxID) -> None:
    """Remove a mailbox with its messages and annotations; the subscription stays. Of very many messages some wait.

    Raises NoSuchMailbox, MailboxHasChildren, NotThatMailbox.
    """
    mailbox = tx.mailbox(account, number)
    if mailbox.name == INBOX:
        raise NotThatMailbox("the Inbox cannot be removed")
    if has_children(tx, account, number):
        raise MailboxHasChildren("mailbox has children")
    if mailbox.messages <= REMOVED_AT_ONCE:
        message.expunge_all(tx, account, number)
    seen.forget_all(tx, MailboxRef(account, number))
    annotation.remove_all(tx, account, number)
    acl.remove_all(tx, account, number)
    modseq = tx.modseq(account)
    mailbox.expunged, mailbox.modseq, mailbox.roles = True, modseq, 0
    _delete_name(tx, account, mailbox)
    tx.publish(account, MailboxRemoved(number, mailbox.name, modseq))


def rename(tx: WriteTx, account: AccountID, number: MailboxID, name: str, *, limits: MailboxLimits) -> list[Mailbox]:
    """Rename a mailbox and all below it; UIDs and UIDVALIDITY stay. Returns parents created for it.

    Raises NoSuchMailbox, MailboxExists, BadMailboxName, NotThatMailbox, TooMany.
    """
    mailbox = tx.mailbox(account, number)
    check_name(name)
    old = mailbox.name
    if old == INBOX:
        raise NotThatMailbox("the Inbox cannot be renamed")
    if find(tx, account, name) is not None:
        raise MailboxExists("mailbox exists")
    if name.startswith(old + "/"):
        raise NotThatMailbox("a mailbox cannot go below itself")
    below = [other for other in tx.mailboxes(account) if other.name.startswith(old + "/")]
    for other in below:
        check_name(name + other.name[len(old) :])
    created: list[Mailbox] = []
    parent_name = name.rpartition("/")[0]
    parent = TOP
    if parent_name:
        existing = find(tx, account, parent_name)
        if existing is None:
            created = create(tx, account, parent_name, limits=limits)
            existing = created[-1]
        parent = existing.id
    modseq = tx.modseq(account)
    _delete_name(tx, account, mailbox)
    mailbox.parent = parent
    for one in [mailbox, *sorted(below, key=lambda other: other.name)]:
        record = tx.mailbox(account, one.id)
        before, record.name = record.name, name + record.name[len(old) :]
        record.modseq = record.properties_modseq = modseq
        tx.publish(account, MailboxRenamed(record.id, before, record.name, modseq))
    _put_name(tx, account, mailbox)
    return created


def rename_inbox(
    tx: WriteTx, account: AccountID, name: str, *, limits: MailboxLimits
) -> tuple[list[Mailbox], list[tuple[int, int]]]:
    """RENAME INBOX: its messages and annotations move to a new mailbox; it stays, its children too.

    Returns the mailboxes created and the pairs of UIDs before and after.
    """
    inbox = by_name(tx, account, INBOX)
    created = create(tx, account, name, limits=limits)
    target = created[-1].id
    annotation.copy(tx, account, inbox.id, target, limits=limits.annotations)
    uids = [uid for uid, _ in message.rows(tx, account, inbox.id)]
    return created, message.move(tx, account, inbox.id, uids, target) if uids else []


def set_roles(tx: WriteTx, account: AccountID, number: MailboxID, roles: int) -> None:
    """Give a mailbox its special uses; each is taken from whoever had it."""
    mailbox = tx.mailbox(account, number)
    modseq = tx.modseq(account)
    for other in tx.mailboxes(account):
        wanted = roles if other.id == number else other.roles & ~roles
        if other.roles != wanted:
            record = mailbox if other.id == number else tx.mailbox(account, other.id)
            record.roles, record.modseq, record.properties_modseq = wanted, modseq, modseq
            tx.publish(account, MailboxRoles(record.id, wanted, modseq))


def set_sort_order(tx: WriteTx, account: AccountID, number: MailboxID, place: int) -> None:
    """Give a mailbox its place among its siblings. Raises NoSuchMailbox."""
    mailbox = tx.mailbox(account, number)
    if mailbox.sort_order != place:
        mailbox.sort_order = place
        mailbox.properties_modseq = tx.modseq(account)


def subscriptions(tx: ReadTx, account: AccountID) -> list[str]:
    """Subscribed names, sorted, whether or not such mailboxes exist."""
    return sorted(value.decode() for _, value in tx.scan_prefix(Table.SUBSCRIPTION, tables.account_key(account)))


def subscribe(tx: WriteTx, account: AccountID, name: str, *, limits: MailboxLimits) -> None:
    """Subscribe a name. Raises TooMany."""
    key = tables.subscription_key(account, name)
    if tx.get(Table.SUBSCRIPTION, key) is not None:
        return
    if len(subscriptions(tx, account)) >= limits.subscriptions:
        raise TooMany("too many subscriptions")
    tx.put(Table.SUBSCRIPTION, key, name.encode())
    _subscription_changed(tx, account, name)
    tx.publish(account, SubscriptionChanged(name, True))


def _subscription_changed(tx: WriteTx, account: AccountID, name: str) -> None:
    """To JMAP that is a property of the mailbox, if there is one of this name."""
    mailbox = find(tx, account, name)
    if mailbox is not None:
        tx.mailbox(account, mailbox.id).properties_modseq = tx.modseq(account)


def unsubscribe(tx: WriteTx, account: AccountID, name: str) -> None:
    """Unsubscribe a name. Raises NotSubscribed when it neither is subscribed nor exists."""
    if tx.delete(Table.SUBSCRIPTION, tables.subscription_key(account, name)):
        _subscription_changed(tx, account, name)
        tx.publish(account, SubscriptionChanged(name, False))
    elif find(tx, account, name) is None:
        raise NotSubscribed("not subscribed")
