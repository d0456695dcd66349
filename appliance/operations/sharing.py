"""Mailboxes of other accounts: what they are called, who may do what with them (RFC 4314, RFC 2342).

Below `Other Users` stand the accounts, below each its mailboxes as it calls them itself. `find` and `resolve` make an
`Access` of a name; every verb asks it, or `rights_of` within its transaction, before it does anything. Of a mailbox
that an actor may not look up everything is as if it did not exist (RFC 4314 §6).
"""

from dataclasses import dataclass
from typing import Final

import msgspec

from appliance.config.addresses import Found
from appliance.config.values import OTHER_USERS
from appliance.delivery.appliance import Appliance
from appliance.mail.address import AddressError, parse_address
from appliance.operations.actor import Actor, Right
from appliance.store import acl, mailbox as mailboxes, seen
from appliance.store.changes import Subscription
from appliance.store.message import ANY_FLAG, FlagRights
from appliance.store.problems import (
    NoPermission,
    NoSuchAccount,
    NoSuchMailbox,
    NotThatMailbox,
)
from appliance.store.reach import Reach
from appliance.store.records import ALL_RIGHTS, DELETED, INBOX, RIGHT_LETTERS, SEEN, Mailbox, Rights
from appliance.store.tables import ANYONE, AUTHENTICATED, AccountID, MailboxRef
from appliance.store.transaction import ReadTx, WriteTx

_EVERYBODY: Final = {"anyone": ANYONE, "authenticated": AUTHENTICATED}
_EVERYBODY_NAMES: Final = {number: name for name, number in _EVERYBODY.items()}
#: With one of these a mailbox's rights may be known (RFC 4314 §4, MYRIGHTS).
_KNOWN: Final = int(
    Rights.LOOKUP | Rights.READ | Rights.INSERT | Rights.CREATE | Rights.DELETE_MAILBOX | Rights.ADMINISTER
)


@dataclass(frozen=True, slots=True)
class Access:
    """A mailbox, and what an actor may do with it."""

    #: Whose it is.
    account: AccountID
    #: Its record, with the name its owner knows.
    mailbox: Mailbox
    #: Bits of `Rights`; all for the owner.
    rights: int
    #: As the actor calls it.
    name: str
    #: It is another account's.
    shared: bool

    @property
    def ref(self) -> MailboxRef:
        """Where it is."""
        return MailboxRef(self.account, self.mailbox.id)

    @property
    def shown(self) -> Mailbox:
        """The record as the actor is to see it: by its name, without the special uses it has for its owner."""
        return msgspec.structs.replace(self.mailbox, name=self.name, roles=0) if self.shared else self.mailbox

    def require(self, rights: int) -> "Access":
        """Itself. Raises NoPermission, or NoSuchMailbox if the actor may not even know that it exists."""
        require(self.rights, rights)
        return self


def require(held: int, rights: int) -> None:
    """Raises NoPermission, or NoSuchMailbox if who has the held rights may not know that the mailbox exists."""
    if held & rights != rights:
        if held & Rights.LOOKUP:
            raise NoPermission("no permission for that")
        raise NoSuchMailbox("no such mailbox")


def is_shared_name(name: str) -> bool:
    """Whether a name is one of another account's mailbox, or stands above such."""
    return name == OTHER_USERS or name.startswith(OTHER_USERS + "/")


def split(tx: ReadTx, actor: AccountID, name: str) -> tuple[AccountID, str] | None:
    """Owner and owner's name of what an actor calls so; None when no mailbox can be meant."""
    if not is_shared_name(name):
        return actor, name
    _, _, rest = name.partition("/")
    user, _, inner = rest.partition("/")
    owner = tx.account_id(user) if inner else None
    if owner is None or owner == actor:
        return None
    return owner, _with_inbox(inner)


def _with_inbox(inner: str) -> str:
    """An owner's name for a mailbox, whose first element is the Inbox in any case of letters."""
    head, slash, below = inner.partition("/")
    return INBOX + slash + below if head.upper() == INBOX.upper() else inner


def canonical(name: str) -> str:
    """A mailbox name as it is told, also where the Inbox of another is written otherwise."""
    if not is_shared_name(name):
        return name
    top, _, rest = name.partition("/")
    user, slash, inner = rest.partition("/")
    return f"{top}/{user}/{_with_inbox(inner)}" if slash else name


def find(tx: ReadTx, actor: AccountID, name: str) -> Access | None:
    """The mailbox of a name, if the actor may do anything with it."""
    place = split(tx, actor, name)
    if place is None:
        return None
    owner, inner = place
    record = mailboxes.find(tx, owner, inner)
    if record is None:
        return None
    rights = acl.rights(tx, actor, MailboxRef(owner, record.id))
    return Access(owner, record, rights, name, owner != actor) if rights else None


def resolve(tx: ReadTx, actor: AccountID, name: str) -> Access:
    """The mailbox of a name; ask it for the rights that are needed. Raises NoSuchMailbox."""
    access = find(tx, actor, name)
    if access is None:
        raise NoSuchMailbox("no such mailbox")
    return access


def at(tx: ReadTx, actor: AccountID, mailbox: MailboxRef) -> Access:
    """A mailbox that an actor may look up, by where it is. Raises NoSuchMailbox."""
    rights = acl.rights(tx, actor, mailbox)
    require(rights, Rights.LOOKUP)
    record, shared = tx.mailbox(*mailbox), mailbox.account != actor
    name = called(tx, mailbox.account, record.name) if shared else record.name
    return Access(mailbox.account, record, rights, name, shared)


def of_owner(actor: Actor, mailbox: Mailbox) -> Access:
    """A mailbox of the actor's own."""
    return Access(actor.account, mailbox, ALL_RIGHTS, mailbox.name, False)


def rights_of(tx: ReadTx, actor: AccountID, mailbox: MailboxRef, needed: int = 0) -> int:
    """What an actor may do with a mailbox. Raises NoPermission or NoSuchMailbox if that lacks what is needed."""
    held = acl.rights(tx, actor, mailbox)
    if not held:
        raise NoSuchMailbox("no such mailbox")
    if held & needed != needed and held & Rights.READ:
        raise NoPermission("no permission for that")  # Who may read it, and so has it open, knows that it exists.
    require(held, needed)
    return held


def shared(tx: ReadTx, actor: AccountID) -> list[Access]:
    """Mailboxes of others that an actor may look up, by name."""
    found = (looked_up(tx, actor, ref) for ref in acl.shared_with(tx, actor))
    return sorted((one for one in found if one is not None), key=lambda one: one.name)


def owners(tx: ReadTx, actor: AccountID) -> dict[str, Reach]:
    """Accounts with a mailbox that an actor may look up, by name, and what he sees of them."""
    found = [reach for owner in acl.owners(tx, actor) if (reach := Reach(tx, owner, actor)).is_shared]
    return dict(sorted((tx.account(one.account).name, one) for one in found))


def subscribed(tx: ReadTx, reach: Reach) -> frozenset[str]:
    """Names of mailboxes of an account, as their owner calls them, that a reader has subscribed."""
    names = mailboxes.subscriptions(tx, reach.reader)
    if reach.is_own:
        return frozenset(names)
    before = called(tx, reach.account, "")
    return frozenset(name.removeprefix(before) for name in names if name.startswith(before))


def looked_up(tx: ReadTx, actor: AccountID, mailbox: MailboxRef) -> Access | None:
    """A mailbox of another account; None if the actor may not look it up, or it is gone."""
    rights = acl.rights(tx, actor, mailbox)
    if not rights & Rights.LOOKUP:
        return None
    record = tx.mailbox(*mailbox)
    return Access(mailbox.account, record, rights, called(tx, mailbox.account, record.name), True)


def called(tx: ReadTx, owner: AccountID, name: str) -> str:
    """What others call a mailbox of an account."""
    return f"{OTHER_USERS}/{tx.account(owner).name}/{name}"


def unseen(tx: ReadTx, actor: AccountID, mailbox: MailboxRef) -> int:
    """How many messages of a mailbox the actor has not seen; none of one that is gone."""
    try:
        record = tx.mailbox(*mailbox)
    except NoSuchMailbox:
        return 0
    return seen.unseen(tx, record, mailbox, seen.reader(record, mailbox.account, actor))


def new_place(tx: ReadTx, actor: AccountID, name: str) -> tuple[AccountID, str]:
    """Owner, and owner's name, of a mailbox that is to be made, by CREATE or RENAME (RFC 4314 §4).

    Raises NoPermission, in the same words whether or not there is anything: it takes the right on the nearest mailbox
    above that exists, and on what would be in the way the right to know of it.
    """
    place = split(tx, actor, name)
    refused = NoPermission("mailboxes may not be made there")
    if place is None:
        raise refused
    owner, inner = place
    if owner == actor:
        return place
    access = find(tx, actor, name)
    if access is not None or mailboxes.find(tx, owner, inner) is not None:
        if access is None or not access.rights & Rights.LOOKUP:
            raise refused
        return place
    while inner := inner.rpartition("/")[0]:
        above = mailboxes.find(tx, owner, inner)
        if above is not None:
            if acl.rights(tx, actor, MailboxRef(owner, above.id)) & Rights.CREATE:
                return place
            break
    raise refused


def flags_allowed(rights: int) -> FlagRights:
    """The flags that somebody with these rights may set and clear (RFC 4314 §4)."""
    if rights == ALL_RIGHTS:
        return ANY_FLAG
    writes = bool(rights & Rights.WRITE)
    bits = ANY_FLAG.bits & ~(SEEN | DELETED) if writes else 0
    if rights & Rights.SEEN:
        bits |= SEEN
    if rights & Rights.DELETE_MESSAGES:
        bits |= DELETED
    return FlagRights(bits, writes)


# Rights as letters

_LETTERS: Final[dict[str, int]] = {
    **{letter: int(right) for right, letter in RIGHT_LETTERS.items()},
    # Of RFC 2086; what they mean is RFC 4314 §2.1.1's first reading.
    "c": int(Rights.CREATE | Rights.DELETE_MAILBOX),
    "d": int(Rights.EXPUNGE | Rights.DELETE_MESSAGES),
}
#: In the usual order, the obsolete ones before the last.
LETTERS: Final = "lrswipkxtecda"


def bits_of(letters: str) -> int:
    """Bits of rights by their letters. Raises KeyError for one that does not exist."""
    bits = 0
    for letter in letters:
        bits |= _LETTERS[letter]
    return bits


def letters_of(bits: int) -> str:
    """Letters of rights; `c` and `d` wherever one of their members is there (RFC 4314 §2.1.1)."""
    return "".join(letter for letter in LETTERS if bits & _LETTERS[letter])


# Reading and changing lists


def myrights(tx: ReadTx, actor: Actor, name: str) -> Access:
    """A mailbox whose rights the actor may know. Raises NoSuchMailbox."""
    access = resolve(tx, actor.account, name)
    if not access.rights & _KNOWN:
        raise NoSuchMailbox("no such mailbox")
    return access


def listed(tx: ReadTx, actor: Actor, name: str) -> list[tuple[str, int]]:
    """Identifiers and rights in a mailbox's list, its owner first. Raises NoSuchMailbox, NoPermission."""
    access = resolve(tx, actor.account, name).require(Rights.ADMINISTER)
    found = [
        (_EVERYBODY_NAMES.get(grantee) or tx.account(grantee).name, bits)
        for grantee, bits in acl.grants(tx, *access.ref).items()
    ]
    return [(tx.account(access.account).name, ALL_RIGHTS), *sorted(found)]


def is_owner(app: Appliance, tx: ReadTx, access: Access, identifier: str) -> bool:
    """Whether an identifier means the owner of a mailbox. Raises NoSuchAccount."""
    return _grantee(app, tx, identifier) == access.account


def _grantee(app: Appliance, tx: ReadTx, identifier: str) -> AccountID:
    """Who is meant: an account's name, an address to log in with, or everybody (RFC 4314 §2)."""
    if identifier.lower() in _EVERYBODY:
        return _EVERYBODY[identifier.lower()]
    name = identifier
    if "@" in identifier:
        try:
            found = app.config.snapshot().derived.addresses.lookup(parse_address(identifier), for_login=True)
        except AddressError:
            found = None
        name = found.account if isinstance(found, Found) else ""
    account = tx.account_id(name) if name else None
    if account is None or tx.account(account).removed:
        raise NoSuchAccount("no such account, nor anyone, nor authenticated")
    return account


async def set_own_seen(
    app: Appliance, actor: Actor, name: str, *, is_own: bool, origin: Subscription | None = None
) -> None:
    """Say whether all who read a mailbox share \\Seen, or each has a \\Seen of his own. Raises as `set_rights`."""
    actor.require(Right.CHANGE_MAIL)

    def body(tx: WriteTx) -> None:
        access = resolve(tx, actor.account, name).require(Rights.ADMINISTER)
        seen.set_own(tx, *access.ref, is_own=is_own)

    await app.store.write_as(origin, body)


async def set_rights(
    app: Appliance,
    actor: Actor,
    name: str,
    identifier: str,
    mode: str,
    rights: int,
    origin: Subscription | None,
) -> int:
    """Replace (`=`), add to (`+`) or take from (`-`) the rights of an identifier; what it has now.

    One without rights leaves the list. Raises NoSuchMailbox, NoPermission, NoSuchAccount, NotThatMailbox for the owner,
    TooMany.
    """
    actor.require(Right.CHANGE_MAIL)
    return await app.store.write_as(origin, _set_rights, app, actor.account, name, identifier, mode, rights)


def _set_rights(
    tx: WriteTx, app: Appliance, actor: AccountID, name: str, identifier: str, mode: str, rights: int
) -> int:
    access = resolve(tx, actor, name).require(Rights.ADMINISTER)
    grantee = _grantee(app, tx, identifier)
    if grantee == access.account:
        raise NotThatMailbox("the owner always has all rights")
    if mode != "=":
        held = acl.grants(tx, *access.ref).get(grantee, 0)
        rights = held | rights if mode == "+" else held & ~rights
    acl.set_rights(tx, *access.ref, grantee, rights, most=app.store.limits.mailbox.grantees)
    return rights
