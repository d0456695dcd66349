"""Verbs about messages, each once, for IMAP, JMAP and the web.

Mailboxes may be the actor's own or another account's: every transaction asks `sharing` what the actor may do there.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from appliance.config.domains import AutomaticJunkFlags
from appliance.config.source import Config
from appliance.delivery.appliance import Appliance
from appliance.operations import sharing
from appliance.operations.actor import Actor, Right
from appliance.operations.addresses import quota
from appliance.operations.sharing import Access
from appliance.store import across, message, prepare, seen
from appliance.store.bodies import NewBody
from appliance.store.changes import Subscription
from appliance.store.message import ANY_FLAG, NO_RULES, Added, FlagMode, FlagRights, NewMessage, Stored
from appliance.store.prepare import PrepareLimits
from appliance.store.problems import NoPermission, NoSuchMailbox, NoSuchMessage, NotThatMailbox
from appliance.store.reach import Reach
from appliance.store.records import DELETED, Place, Rights, Row, split_flags
from appliance.store.spool import Spooled
from appliance.store.tables import NO_MAILBOX, AccountID, MailboxID, MailboxRef, MessageID
from appliance.store.transaction import ReadTx, WriteTx

#: What takes a message out of a mailbox: STORE of \\Deleted and EXPUNGE (RFC 6851 §4.2).
_TAKE_OUT: Final = Rights.DELETE_MESSAGES | Rights.EXPUNGE

#: UIDVALIDITY of the target, pairs of UIDs there and here.
_Transferred = tuple[int, list[tuple[int, int]]]

#: Messages changed or removed by one transaction: some ten ms of the writer's time, more when it marks junk, which is
#: written down for the reputation of senders.
SLICE_MESSAGES: Final = 500


@dataclass(frozen=True, slots=True)
class Upload:
    """A message that a person brings, ready to be stored."""

    message: NewMessage
    body: NewBody
    flags: tuple[str, ...]


def quota_octets(app: Appliance, actor: Actor) -> int | None:
    """Octets the actor's account may hold; None without a limit."""
    return quota(app.config.snapshot(), actor.name)


async def prepare_upload(
    app: Appliance, actor: Actor, spooled: Spooled, flags: tuple[str, ...], received: datetime | None
) -> Upload:
    """Look at an uploaded message, once, before it is stored. Call `drop` for what was not stored in the end."""
    actor.require(Right.CHANGE_MAIL)
    content = await app.store.content(spooled)
    body = await app.store.body(spooled)
    when = app.clock.microseconds() if received is None else int(received.timestamp() * 1_000_000)
    new = prepare.message(
        content,
        body,
        prefix=b"",
        received=when,
        limits=app.store.limits.prepare,
        sent_to=await app.store.sent_to(content),
    )
    return Upload(new, body, flags)


async def drop(app: Appliance, uploads: Sequence[Upload]) -> None:
    """Give back what uploads occupy; harmless for stored ones."""
    for one in uploads:
        await app.store.unuse(one.body)


def quota_of(config: Config, tx: ReadTx, account: AccountID) -> int | None:
    """Octets an account may hold, whoever fills it; None without a limit."""
    name = tx.account(account).name
    return quota(config, name) if name in config.domains.accounts else None


def _junk_rules(config: Config, tx: ReadTx, account: AccountID) -> AutomaticJunkFlags:
    """What the names of an account's mailboxes say about junk, whoever fills them."""
    found = config.domains.accounts.get(tx.account(account).name)
    return NO_RULES if found is None else found.automatic_junk_flags


def may_append(app: Appliance, tx: ReadTx, actor: Actor, name: str, octets: int) -> None:
    """Whether a message of so many octets could be added to a mailbox now.

    Raises NoSuchMailbox, NoPermission, OverQuota.
    """
    access = sharing.resolve(tx, actor.account, name).require(Rights.INSERT)
    message.check_quota(tx, access.account, octets, quota_of(app.config.snapshot(), tx, access.account))


def may_replace(app: Appliance, tx: ReadTx, actor: Actor, source: MailboxRef, uid: int, name: str, octets: int) -> None:
    """Whether a message could be replaced by one of so many octets, in the same mailbox or another, now.

    Raises NoSuchMessage, NoSuchMailbox, NoPermission, OverQuota.
    """
    may_append(app, tx, actor, name, octets - _spare_octets(tx, actor.account, source, uid, name))


def _spare_octets(tx: ReadTx, actor: AccountID, source: MailboxRef, uid: int, name: str) -> int:
    """Octets that the account of a mailbox wins back when a message is taken out that the actor may take out."""
    sharing.rights_of(tx, actor, source, _TAKE_OUT)  # RFC 8508 §4.1
    old = message.row(tx, *source, uid)
    if old is None:
        raise NoSuchMessage("no such message")
    return old.size if sharing.resolve(tx, actor, name).account == source.account else 0


def _add_all(
    tx: WriteTx, config: Config, actor: AccountID, name: str, uploads: Sequence[Upload], spare_octets: int = 0
) -> tuple[int, list[Added]]:
    target = sharing.resolve(tx, actor, name).require(Rights.INSERT)
    quota = quota_of(config, tx, target.account)
    if quota is not None:
        quota += spare_octets
    allowed = sharing.flags_allowed(target.rights)
    rules = _junk_rules(config, tx, target.account)
    own = seen.own(tx, target.ref, actor)
    added = []
    for one in uploads:
        bits, keywords = split_flags(one.flags)
        added.append(
            message.add(
                tx,
                *target.ref,
                one.message,
                flags=bits & allowed.bits,
                keywords=keywords if allowed.keywords else (),
                quota_octets=quota,
                junk_rules=rules,
                own=own,
            )
        )
    return target.mailbox.uid_validity, added


async def append(
    app: Appliance, actor: Actor, name: str, uploads: Sequence[Upload], origin: Subscription | None
) -> tuple[int, list[Added]]:
    """Store uploads in a mailbox, all or none; its UIDVALIDITY and where they are.

    Flags that the actor may not set there are left out (RFC 4314 §4). Raises NoSuchMailbox, NoPermission, OverQuota,
    TooMany.
    """
    actor.require(Right.CHANGE_MAIL)
    return await app.store.write_as(origin, _add_all, app.config.snapshot(), actor.account, name, uploads)


def _replace(
    tx: WriteTx, config: Config, actor: AccountID, source: MailboxRef, uid: int, name: str, upload: Upload
) -> tuple[int, Added]:
    # Only what is added counts (RFC 8508 §3.4).
    spare_octets = _spare_octets(tx, actor, source, uid, name)
    validity, (added,) = _add_all(tx, config, actor, name, [upload], spare_octets)
    if not message.expunge(tx, *source, [uid]):
        raise NoSuchMessage("no such message")
    return validity, added


async def replace(
    app: Appliance,
    actor: Actor,
    source: MailboxRef,
    uid: int,
    name: str,
    upload: Upload,
    origin: Subscription | None,
) -> tuple[int, Added]:
    """Store an upload in a mailbox and remove a message from another or the same, both or neither (RFC 8508 §3.4).

    Raises NoSuchMessage, NoSuchMailbox, NoPermission, OverQuota, TooMany.
    """
    actor.require(Right.CHANGE_MAIL)
    config = app.config.snapshot()
    return await app.store.write_as(origin, _replace, config, actor.account, source, uid, name, upload)


async def store_flags(
    app: Appliance,
    actor: Actor,
    target: MailboxRef,
    uids: Sequence[int],
    mode: FlagMode,
    flags: Sequence[str],
    origin: Subscription | None,
    *,
    unchanged_since: int | None = None,
) -> Stored:
    """Change flags, of many messages in several transactions; what is gone is passed over.

    Flags that the actor may not change stay as they are; NoPermission is raised when that is all that were asked for
    (RFC 4314 §4). Raises NoSuchMailbox, TooMany.
    """
    actor.require(Right.CHANGE_MAIL)
    bits, keywords = split_flags(list(flags))
    outcome = Stored((), (), 0)
    for at in range(0, len(uids), SLICE_MESSAGES):
        part = await app.store.write_as(
            origin,
            _store_flags,
            actor.account,
            target,
            uids[at : at + SLICE_MESSAGES],
            mode,
            bits,
            keywords,
            unchanged_since,
        )
        modseq = max(outcome.modseq, part.modseq)
        outcome = Stored(
            outcome.changed + part.changed,
            outcome.modified + part.modified,
            modseq,
            outcome.corrected + part.corrected,
        )
    return outcome


def _store_flags(
    tx: WriteTx,
    actor: AccountID,
    target: MailboxRef,
    uids: Sequence[int],
    mode: FlagMode,
    flags: int,
    keywords: tuple[str, ...],
    unchanged_since: int | None,
) -> Stored:
    allowed = sharing.flags_allowed(sharing.rights_of(tx, actor, target))
    if allowed is not ANY_FLAG:
        asked = bool(flags or keywords) or mode == "="
        may_some = flags & allowed.bits or (keywords and allowed.keywords)
        if not flags and not keywords and mode == "=":
            may_some = allowed.bits
        if asked and not may_some:
            raise NoPermission("no permission to change these flags")
    own = seen.own(tx, target, actor)
    return message.store_flags(
        tx, *target, uids, mode, flags, keywords, unchanged_since=unchanged_since, allowed=allowed, own=own
    )


async def expunge(
    app: Appliance, actor: Actor, target: MailboxRef, uids: Sequence[int], origin: Subscription | None
) -> list[int]:
    """Remove those of the messages that have \\Deleted, many in several transactions; the UIDs removed.

    Raises NoSuchMailbox, NoPermission, also when there is nothing to remove.
    """
    actor.require(Right.CHANGE_MAIL)
    with app.store.read() as tx:
        sharing.rights_of(tx, actor.account, target, Rights.EXPUNGE)
    removed: list[int] = []
    for at in range(0, len(uids), SLICE_MESSAGES):
        part = uids[at : at + SLICE_MESSAGES]
        removed += await app.store.write_as(origin, _expunge, actor.account, target, part)
    return removed


def _expunge(tx: WriteTx, actor: AccountID, target: MailboxRef, uids: Sequence[int]) -> list[int]:
    sharing.rights_of(tx, actor, target, Rights.EXPUNGE)
    rows = ((uid, message.row(tx, *target, uid)) for uid in uids)
    return message.expunge(tx, *target, [uid for uid, row in rows if row and row.flags & DELETED])


def _copy(
    tx: WriteTx,
    limits: PrepareLimits,
    config: Config,
    actor: AccountID,
    source: MailboxRef,
    uids: Sequence[int],
    name: str,
) -> _Transferred:
    sharing.rights_of(tx, actor, source, Rights.READ)
    target, allowed = _target(tx, actor, source, name)
    return target.mailbox.uid_validity, _copy_to(tx, limits, config, actor, source, uids, target, allowed)


def _copy_to(
    tx: WriteTx,
    limits: PrepareLimits,
    config: Config,
    actor: AccountID,
    source: MailboxRef,
    uids: Sequence[int],
    target: Access,
    allowed: FlagRights,
    received: int | None = None,
) -> list[tuple[int, int]]:
    """`received`: what comes into another account has this time of arrival."""
    quota = quota_of(config, tx, target.account)
    rules = _junk_rules(config, tx, target.account)
    own_there, own = seen.own(tx, source, actor), seen.own(tx, target.ref, actor)
    if target.account != source.account:
        return across.copy(
            tx,
            source,
            uids,
            target.ref,
            limits=limits,
            quota_octets=quota,
            allowed=allowed,
            junk_rules=rules,
            own_there=own_there,
            own=own,
            received=received,
        )
    return message.copy(
        tx,
        *source,
        uids,
        target.mailbox.id,
        quota_octets=quota,
        allowed=allowed,
        junk_rules=rules,
        own_there=own_there,
        own=own,
    )


def _move(
    tx: WriteTx,
    limits: PrepareLimits,
    config: Config,
    actor: AccountID,
    source: MailboxRef,
    uids: Sequence[int],
    name: str,
    validity: int | None,
) -> _Transferred:
    """`validity`: UIDVALIDITY of the mailbox to which the messages before these were moved."""
    sharing.rights_of(tx, actor, source, Rights.READ | _TAKE_OUT)
    target, allowed = _target(tx, actor, source, name)
    if validity not in {None, target.mailbox.uid_validity}:
        raise NoSuchMailbox("the mailbox was removed meanwhile")
    if target.account == source.account:
        rules = _junk_rules(config, tx, target.account)
        pairs = message.move(
            tx,
            *source,
            uids,
            target.mailbox.id,
            allowed=allowed,
            junk_rules=rules,
            own_there=seen.own(tx, source, actor),
            own=seen.own(tx, target.ref, actor),
        )
        return target.mailbox.uid_validity, pairs
    pairs = _copy_to(tx, limits, config, actor, source, uids, target, allowed)
    message.expunge(tx, *source, [uid for uid, _ in pairs])
    return target.mailbox.uid_validity, pairs


def _target(tx: WriteTx, actor: AccountID, source: MailboxRef, name: str) -> tuple[Access, FlagRights]:
    target = sharing.resolve(tx, actor, name).require(Rights.INSERT)
    if target.ref == source:
        raise NotThatMailbox("source and destination are the same")
    return target, sharing.flags_allowed(target.rights)


async def copy(
    app: Appliance, actor: Actor, source: MailboxRef, uids: Sequence[int], name: str, origin: Subscription | None
) -> _Transferred:
    """Copy messages to a mailbox, of any account: its UIDVALIDITY and pairs of UIDs.

    Flags that the actor may not set there are left out (RFC 4314 §4). Raises NoSuchMailbox, NoPermission, OverQuota.
    """
    actor.require(Right.CHANGE_MAIL)
    limits, config = app.store.limits.prepare, app.config.snapshot()
    return await app.store.write_as(origin, _copy, limits, config, actor.account, source, uids, name)


async def move(
    app: Appliance, actor: Actor, source: MailboxRef, uids: Sequence[int], name: str, origin: Subscription | None
) -> _Transferred:
    """Move messages to a mailbox, of any account: its UIDVALIDITY and pairs of UIDs.

    Many are moved in several transactions, so that others may write meanwhile: each message is moved or not, and some
    may be when this raises (RFC 6851 §3.3). Raises NoSuchMailbox, NoPermission; OverQuota when it is another account's.
    """
    actor.require(Right.CHANGE_MAIL)
    limits, config = app.store.limits.prepare, app.config.snapshot()
    validity: int | None = None
    pairs: list[tuple[int, int]] = []
    for at in range(0, max(len(uids), 1), SLICE_MESSAGES):
        some = uids[at : at + SLICE_MESSAGES]
        validity, moved = await app.store.write_as(
            origin, _move, limits, config, actor.account, source, some, name, validity
        )
        pairs += moved
    assert validity is not None
    return validity, pairs


# Messages of an account, by their ids, as JMAP knows them: so far as the actor sees them (`Reach`).


@dataclass(frozen=True, slots=True)
class MessageChange:
    """What is to become of messages; all of it, or nothing of it, happens to each."""

    #: Names of flags to add and to remove, as IMAP has them.
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    #: All flags that there shall be, in place of those; \\Deleted stays as it is.
    flags: tuple[str, ...] | None = None
    target: MailboxID | None = None
    #: With all that is below in their threads.
    muted: bool | None = None
    collapsed: bool | None = None


async def change(
    app: Appliance, actor: Actor, account: AccountID, ids: Sequence[MessageID], wanted: MessageChange
) -> set[MessageID]:
    """Change messages in the same way, many in several transactions; those that are there.

    Raises NoSuchMailbox, NoPermission, TooMany; then some may have been changed, and none in part.
    """
    actor.require(Right.CHANGE_MAIL)
    config, limits = app.config.snapshot(), app.store.limits.prepare
    found: set[MessageID] = set()
    for at in range(0, len(ids), SLICE_MESSAGES):
        some = ids[at : at + SLICE_MESSAGES]
        found |= await app.store.write(_change, limits, config, actor, account, some, wanted)
    return found


def _change(
    tx: WriteTx,
    limits: PrepareLimits,
    config: Config,
    actor: Actor,
    account: AccountID,
    ids: Sequence[MessageID],
    wanted: MessageChange,
) -> set[MessageID]:
    reach = Reach(tx, account, actor.account)
    places = _places(tx, reach, ids)
    target = None if wanted.target is None else sharing.at(tx, actor.account, MailboxRef(account, wanted.target))
    found = {id for there in places.values() for id in there.values()}
    if target is not None:
        for mailbox, there in places.items():
            if mailbox != target.mailbox.id:
                source = MailboxRef(account, mailbox)
                _move(tx, limits, config, actor.account, source, sorted(there), target.name, None)
        # Also where the actor sees them no more.
        places = _places(tx, reach, found, MailboxID(target.mailbox.id))
    # Flags come last: what is said of junk counts more than what the name of a mailbox says.
    for mailbox, there in places.items():
        steps = [(mode, *split_flags(names)) for mode, names in _flag_steps(wanted)]
        for step in steps:
            _require_flags(tx, reach, mailbox, there, *step)
        for step in steps:
            _store_flags(tx, actor.account, MailboxRef(account, mailbox), sorted(there), *step, None)
    if wanted.muted is not None or wanted.collapsed is not None:
        if not reach.is_own:
            raise NoPermission("threads are the owner's")
        message.set_thread_state(tx, account, found, muted=wanted.muted, collapsed=wanted.collapsed)
    return found


def _require_flags(
    tx: ReadTx,
    reach: Reach,
    mailbox: MailboxID,
    uids: Collection[int],
    mode: FlagMode,
    bits: int,
    keywords: tuple[str, ...],
) -> None:
    """Raises NoPermission if it would change flags of a message that the reader may not change."""
    allowed = sharing.flags_allowed(reach.rights(mailbox))
    if allowed is ANY_FLAG:
        return
    for uid in uids:
        row = message.row(tx, reach.account, mailbox, uid)
        if row is None:
            continue
        flags, words, given = reach.shown(mailbox, uid, row.flags), set(row.keywords), set(keywords)
        match mode:
            case "+":
                new, new_words = flags | bits, words | given
            case "-":
                new, new_words = flags & ~bits, words - given
            case _:
                new, new_words = bits, given
        if (flags ^ new) & ~allowed.bits or (words != new_words and not allowed.keywords):
            raise NoPermission("no permission to change these flags")


def _flag_steps(wanted: MessageChange) -> list[tuple[FlagMode, tuple[str, ...]]]:
    if wanted.flags is not None:
        return [("=", wanted.flags)]
    steps: list[tuple[FlagMode, tuple[str, ...]]] = [("-", wanted.remove), ("+", wanted.add)]
    return [(mode, names) for mode, names in steps if names]


def _places(
    tx: ReadTx, reach: Reach, ids: Iterable[MessageID], also: MailboxID = NO_MAILBOX
) -> dict[MailboxID, dict[int, MessageID]]:
    """UIDs and ids of those that the reader sees, by mailbox; without those that IMAP has marked as deleted.

    `also`: a mailbox to which somebody has moved them, whether or not he may read it.
    """
    places: dict[MailboxID, dict[int, MessageID]] = {}
    account = reach.account
    for id in ids:
        place = message.place(tx, account, id)
        if place is None or place.expunged or tx.removed_mailbox(account, place.mailbox) is not None:
            continue
        if not reach.is_own and place.mailbox != also and place.mailbox not in reach.live:
            continue
        row = message.row(tx, account, place.mailbox, place.uid)
        if row is not None and not row.flags & DELETED:
            places.setdefault(place.mailbox, {})[place.uid] = id
    return places


async def destroy(app: Appliance, actor: Actor, account: AccountID, ids: Sequence[MessageID]) -> set[MessageID]:
    """Remove messages for good, many in several transactions; those that were there. Raises NoPermission."""
    actor.require(Right.CHANGE_MAIL)

    def body(tx: WriteTx, some: Sequence[MessageID]) -> set[MessageID]:
        places = _places(tx, Reach(tx, account, actor.account), some)
        for mailbox, there in places.items():
            sharing.rights_of(tx, actor.account, MailboxRef(account, mailbox), _TAKE_OUT)
            message.expunge(tx, account, mailbox, sorted(there))
        return {id for there in places.values() for id in there.values()}

    found: set[MessageID] = set()
    for at in range(0, len(ids), SLICE_MESSAGES):
        found |= await app.store.write(body, ids[at : at + SLICE_MESSAGES])
    return found


async def add_one(app: Appliance, actor: Actor, target: MailboxRef, upload: Upload) -> Row:
    """Store an upload in a mailbox, with all its flags; its row.

    Raises NoSuchMailbox, NoPermission, OverQuota, TooMany.
    """
    actor.require(Right.CHANGE_MAIL)
    config = app.config.snapshot()

    def body(tx: WriteTx) -> Row:
        access = sharing.at(tx, actor.account, target).require(Rights.INSERT)
        allowed = sharing.flags_allowed(access.rights)
        bits, keywords = split_flags(upload.flags)
        if bits & ~allowed.bits or (keywords and not allowed.keywords):
            raise NoPermission("no permission to set these flags")
        _, (added,) = _add_all(tx, config, actor.account, access.name, [upload])
        return _row(tx, actor, target, added.uid)

    return await app.store.write(body)


async def copy_one(
    app: Appliance,
    actor: Actor,
    account: AccountID,
    id: MessageID,
    target: MailboxRef,
    flags: tuple[str, ...] | None,
    received: datetime | None,
) -> Row:
    """Copy a message of an account to a mailbox of another one; its row there.

    `flags`: that it shall have; None for those it has, as far as the actor may set them there. `received`: None for
    when the original came. Raises NoSuchMessage, NoSuchMailbox, NoPermission, OverQuota, TooMany.
    """
    actor.require(Right.CHANGE_MAIL)
    limits, config = app.store.limits.prepare, app.config.snapshot()
    when = None if received is None else int(received.timestamp() * 1_000_000)

    def body(tx: WriteTx) -> Row:
        places = _places(tx, Reach(tx, account, actor.account), [id])
        if not places:
            raise NoSuchMessage("no such message")
        ((mailbox, there),) = places.items()
        access = sharing.at(tx, actor.account, target).require(Rights.INSERT)
        allowed = sharing.flags_allowed(access.rights)
        source = MailboxRef(account, mailbox)
        ((_, uid),) = _copy_to(tx, limits, config, actor.account, source, list(there), access, allowed, when)
        if flags is not None:
            bits, keywords = split_flags(flags)
            _require_flags(tx, Reach(tx, target.account, actor.account), target.id, [uid], "=", bits, keywords)
            _store_flags(tx, actor.account, target, [uid], "=", bits, keywords, None)
        return _row(tx, actor, target, uid)

    return await app.store.write(body)


def _row(tx: ReadTx, actor: Actor, mailbox: MailboxRef, uid: int) -> Row:
    row = message.row(tx, *mailbox, uid)
    assert row is not None
    return row._replace(flags=Reach(tx, mailbox.account, actor.account).shown(mailbox.id, uid, row.flags))


# One message of the actor's own account, by its id, as programs know it from webhooks.


def find(tx: ReadTx, actor: Actor, id: MessageID) -> tuple[MailboxRef, Place]:
    """Where a message is. Raises NoSuchMessage, also when it was removed."""
    actor.require(Right.READ_MAIL)
    place = message.place(tx, actor.account, id) if 0 < id < 2**63 else None
    if place is None or place.expunged:
        raise NoSuchMessage("no such message")
    return MailboxRef(actor.account, place.mailbox), place


async def delete(app: Appliance, actor: Actor, id: MessageID) -> None:
    """Remove a message for good. Raises NoSuchMessage."""
    actor.require(Right.CHANGE_MAIL)

    def body(tx: WriteTx) -> None:
        ref, place = find(tx, actor, id)
        message.expunge(tx, *ref, [place.uid])

    await app.store.write(body)


async def flag(app: Appliance, actor: Actor, id: MessageID, mode: FlagMode, flags: Sequence[str]) -> None:
    """Change flags of a message. Raises NoSuchMessage, TooMany."""
    actor.require(Right.CHANGE_MAIL)
    bits, keywords = split_flags(list(flags))

    def body(tx: WriteTx) -> None:
        ref, place = find(tx, actor, id)
        _store_flags(tx, actor.account, ref, [place.uid], mode, bits, keywords, None)

    await app.store.write(body)


async def move_one(app: Appliance, actor: Actor, id: MessageID, name: str) -> None:
    """Move a message to another mailbox.

    Raises NoSuchMessage, NoSuchMailbox, NotThatMailbox, NoPermission, OverQuota.
    """
    actor.require(Right.CHANGE_MAIL)
    limits, config = app.store.limits.prepare, app.config.snapshot()

    def body(tx: WriteTx) -> None:
        ref, place = find(tx, actor, id)
        _move(tx, limits, config, actor.account, ref, [place.uid], name, None)

    await app.store.write(body)
