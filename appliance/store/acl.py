"""What others than its owner may do with a mailbox: access control lists (RFC 4314).

The owner has all rights and stands in no list. An account has what it was granted by itself together with what was
granted to everybody. A mailbox is made with the list of its parent (RFC 4314 §4), and keeps its own from then on, also
under a new name. `operations.sharing` makes names and refusals of this.
"""

from collections.abc import Iterator
from itertools import islice

from appliance.store import tables
from appliance.store.changes import RightsChanged
from appliance.store.problems import NoSuchAccount, NoSuchMailbox, TooMany
from appliance.store.records import ALL_RIGHTS, Mailbox
from appliance.store.tables import ANYONE, AUTHENTICATED, AccountID, MailboxID, MailboxRef, Table
from appliance.store.transaction import ReadTx, WriteTx

_EVERYBODY = (ANYONE, AUTHENTICATED)


def grants(tx: ReadTx, account: AccountID, mailbox: MailboxID) -> dict[AccountID, int]:
    """Grantees of a mailbox and the bits of their rights."""
    found = tx.scan_prefix(Table.ACL, tables.mailbox_key(account, mailbox))
    return {AccountID(tables.split_acl_key(key)[2]): int.from_bytes(value, "big") for key, value in found}


def rights(tx: ReadTx, actor: AccountID, mailbox: MailboxRef) -> int:
    """What an account may do with a mailbox; nothing when its owner is being removed."""
    if actor == mailbox.account:
        return ALL_RIGHTS
    found = _granted(tx, actor, mailbox)
    return 0 if found and _is_removed(tx, mailbox.account) else found


def _granted(tx: ReadTx, actor: AccountID, mailbox: MailboxRef) -> int:
    found = 0
    for grantee in (actor, *_EVERYBODY):
        value = tx.get(Table.ACL, tables.acl_key(*mailbox, grantee))
        if value is not None:
            found |= int.from_bytes(value, "big")
    return found


def _is_removed(tx: ReadTx, account: AccountID) -> bool:
    try:
        return tx.account(account).removed
    except NoSuchAccount:
        return True


def shared_with(tx: ReadTx, actor: AccountID) -> list[MailboxRef]:
    """Mailboxes of others with which an account may do something, by owner."""
    found: set[MailboxRef] = set()
    for grantee in (actor, *_EVERYBODY):
        for key, _ in tx.scan_prefix(Table.SHARED, tables.account_key(grantee)):
            _, owner, mailbox = tables.split_acl_key(key)
            if owner != actor:
                found.add(MailboxRef(AccountID(owner), MailboxID(mailbox)))
    return sorted(found)


def owners(tx: ReadTx, actor: AccountID) -> list[AccountID]:
    """Whose mailboxes those are, ascending, whatever their number."""
    found: set[AccountID] = set()
    for grantee in (actor, *_EVERYBODY):
        start, stop = tables.account_key(grantee), tables.account_key(AccountID(grantee + 1))
        while (entry := next(tx.scan(Table.SHARED, start, stop), None)) is not None:
            owner = AccountID(tables.split_acl_key(entry[0])[1])
            found.add(owner)
            start = tables.mailbox_key(grantee, MailboxID(owner + 1))
    return sorted(found - {actor})


def shared_by(tx: ReadTx, actor: AccountID, owner: AccountID) -> dict[MailboxID, int]:
    """Mailboxes of one other account with which an account may do something, ascending, and the bits of its rights."""
    numbers: set[int] = set()
    for grantee in (actor, *_EVERYBODY):
        # The grantee, then the owner: as long as the key of a mailbox.
        prefix = tables.mailbox_key(grantee, MailboxID(owner))
        numbers.update(tables.split_acl_key(key)[2] for key, _ in tx.scan_prefix(Table.SHARED, prefix))
    if actor == owner or (numbers and _is_removed(tx, owner)):
        return {}
    return {MailboxID(one): _granted(tx, actor, MailboxRef(owner, MailboxID(one))) for one in sorted(numbers)}


def set_rights(
    tx: WriteTx, account: AccountID, mailbox: MailboxID, grantee: AccountID, rights: int, *, most: int
) -> None:
    """Give a grantee these rights and no others; none removes it from the list. Raises NoSuchMailbox, TooMany."""
    tx.mailbox(account, mailbox)
    if _is_removed(tx, account):
        raise NoSuchMailbox("no such mailbox")
    if rights and len(grants(tx, account, mailbox).keys() | {grantee}) > most:
        raise TooMany("too many identifiers in the access control list")
    _put(tx, account, mailbox, grantee, rights)
    tx.publish(account, RightsChanged(mailbox))


def _put(tx: WriteTx, account: AccountID, mailbox: MailboxID, grantee: AccountID, rights: int) -> None:
    key, index = tables.acl_key(account, mailbox, grantee), tables.shared_key(grantee, account, mailbox)
    if rights:
        tx.put(Table.ACL, key, rights.to_bytes(4, "big"))
        tx.put(Table.SHARED, index, b"")
    else:
        tx.delete(Table.ACL, key)
        tx.delete(Table.SHARED, index)


def inherit(tx: WriteTx, account: AccountID, parent: MailboxID, mailbox: MailboxID) -> None:
    """A new mailbox gets the list of its parent."""
    found = grants(tx, account, parent)
    for grantee, bits in found.items():
        _put(tx, account, mailbox, grantee, bits)
    if found:
        tx.publish(account, RightsChanged(mailbox))


def remove_all(tx: WriteTx, account: AccountID, mailbox: MailboxID) -> None:
    """The mailbox goes, and its list with it (RFC 4314 §4)."""
    found = grants(tx, account, mailbox)
    for grantee in found:
        _put(tx, account, mailbox, grantee, 0)
    if found:
        tx.publish(account, RightsChanged(mailbox))


def announce_removal(tx: WriteTx, account: AccountID) -> None:
    """An account is being removed: whoever looks at its mailboxes hears that he may not any more."""
    shared = {key[4:8] for key, _ in tx.scan_prefix(Table.ACL, tables.account_key(account))}
    for number in sorted(shared):
        tx.publish(account, RightsChanged(MailboxID(int.from_bytes(number, "big"))))


def remove_account_part(tx: WriteTx, account: AccountID, limit: int) -> bool:
    """Remove what an account granted and what it was granted, at most `limit` of each; tells whether all is gone."""
    granted = list(islice(tx.scan_prefix(Table.ACL, tables.account_key(account)), limit))
    for key, _ in granted:
        _, mailbox, grantee = tables.split_acl_key(key)
        _put(tx, account, MailboxID(mailbox), AccountID(grantee), 0)
    had = list(islice(tx.scan_prefix(Table.SHARED, tables.account_key(account)), limit))
    for key, _ in had:
        _, owner, mailbox = tables.split_acl_key(key)
        _put(tx, AccountID(owner), MailboxID(mailbox), account, 0)
    return not granted and not had


def verify(tx: ReadTx, known: set[AccountID]) -> Iterator[str]:
    """What is wrong with the lists, in words."""
    index: set[bytes] = set()
    for key, value in tx.scan_prefix(Table.ACL, b""):
        owner, number, grantee = tables.split_acl_key(key)
        index.add(tables.shared_key(AccountID(grantee), AccountID(owner), MailboxID(number)))
        name = f"list of mailbox {number} of account {owner}"
        if grantee == owner or (grantee not in known and grantee not in _EVERYBODY):
            yield f"{name} has rights for account {grantee}"
        if not 0 < int.from_bytes(value, "big") <= ALL_RIGHTS:
            yield f"{name} has no rights for account {grantee}, or such as there are not"
        record = tx.record(Table.MAILBOX, tables.mailbox_key(AccountID(owner), MailboxID(number)), Mailbox)
        if record is None or record.expunged:
            yield f"{name} is of a mailbox that is gone"
    if {key for key, _ in tx.scan_prefix(Table.SHARED, b"")} != index:
        yield "index shared differs from the lists"
