"""Verbs about messages of the actor's account, each once, for IMAP and later JMAP and the web."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from appliance.delivery.appliance import Appliance
from appliance.operations.actor import Actor, Right
from appliance.operations.addresses import quota
from appliance.store import mailbox, message, prepare
from appliance.store.bodies import NewBody
from appliance.store.changes import Subscription
from appliance.store.message import Added, FlagMode, NewMessage, Stored
from appliance.store.problems import NoSuchMessage, NotThatMailbox
from appliance.store.records import DELETED, split_flags
from appliance.store.spool import Spooled
from appliance.store.tables import AccountID, MailboxID
from appliance.store.transaction import ReadTx, WriteTx

#: Messages changed or removed by one transaction: some ten ms of the writer's time (TECH 3).
SLICE_MESSAGES: Final = 2000


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
    new = prepare.message(content, body, prefix=b"", received=when, limits=app.store.limits.prepare)
    return Upload(new, body, flags)


async def drop(app: Appliance, uploads: Sequence[Upload]) -> None:
    """Give back what uploads occupy; harmless for stored ones."""
    for one in uploads:
        await app.store.unuse(one.body)


def _add_all(
    tx: WriteTx, account: AccountID, name: str, uploads: Sequence[Upload], quota: int | None
) -> tuple[int, list[Added]]:
    target = mailbox.by_name(tx, account, name)
    added = []
    for one in uploads:
        bits, keywords = split_flags(one.flags)
        added.append(
            message.add(tx, account, target.id, one.message, flags=bits, keywords=keywords, quota_octets=quota)
        )
    return target.uid_validity, added


async def append(
    app: Appliance, actor: Actor, name: str, uploads: Sequence[Upload], origin: Subscription | None
) -> tuple[int, list[Added]]:
    """Store uploads in a mailbox, all or none; its UIDVALIDITY and where they are.

    Raises NoSuchMailbox, OverQuota, TooMany.
    """
    actor.require(Right.CHANGE_MAIL)
    return await app.store.write_as(origin, _add_all, actor.account, name, uploads, quota_octets(app, actor))


def replaced_octets(tx: ReadTx, actor: Actor, source: MailboxID, uid: int) -> int:
    """Octets of a message that is to be replaced. Raises NoSuchMessage."""
    old = message.row(tx, actor.account, source, uid)
    if old is None:
        raise NoSuchMessage("no such message")
    return old.size


def _replace(
    tx: WriteTx, actor: Actor, source: MailboxID, uid: int, name: str, upload: Upload, quota: int | None
) -> tuple[int, Added]:
    if quota is not None:
        quota += replaced_octets(tx, actor, source, uid)  # Only what is added counts (RFC 8508 §3.4).
    validity, (added,) = _add_all(tx, actor.account, name, [upload], quota)
    if not message.expunge(tx, actor.account, source, [uid]):
        raise NoSuchMessage("no such message")
    return validity, added


async def replace(
    app: Appliance,
    actor: Actor,
    source: MailboxID,
    uid: int,
    name: str,
    upload: Upload,
    origin: Subscription | None,
) -> tuple[int, Added]:
    """Store an upload in a mailbox and remove a message from another or the same, both or neither (RFC 8508 §3.4).

    Raises NoSuchMessage, NoSuchMailbox, OverQuota, TooMany.
    """
    actor.require(Right.CHANGE_MAIL)
    return await app.store.write_as(origin, _replace, actor, source, uid, name, upload, quota_octets(app, actor))


async def store_flags(
    app: Appliance,
    actor: Actor,
    target: MailboxID,
    uids: Sequence[int],
    mode: FlagMode,
    flags: Sequence[str],
    origin: Subscription | None,
    *,
    unchanged_since: int | None = None,
) -> Stored:
    """Change flags, of many messages in several transactions; what is gone is passed over.

    Raises NoSuchMailbox, TooMany.
    """
    actor.require(Right.CHANGE_MAIL)
    bits, keywords = split_flags(list(flags))
    outcome = Stored((), (), 0)
    for at in range(0, len(uids), SLICE_MESSAGES):
        part = await app.store.write_as(
            origin,
            message.store_flags,
            actor.account,
            target,
            uids[at : at + SLICE_MESSAGES],
            mode,
            bits,
            keywords,
            unchanged_since=unchanged_since,
        )
        modseq = max(outcome.modseq, part.modseq)
        outcome = Stored(outcome.changed + part.changed, outcome.modified + part.modified, modseq)
    return outcome


async def expunge(
    app: Appliance, actor: Actor, target: MailboxID, uids: Sequence[int], origin: Subscription | None
) -> list[int]:
    """Remove those of the messages that have \\Deleted, many in several transactions; the UIDs removed.

    Raises NoSuchMailbox.
    """
    actor.require(Right.CHANGE_MAIL)
    removed: list[int] = []
    for at in range(0, len(uids), SLICE_MESSAGES):
        part = uids[at : at + SLICE_MESSAGES]
        removed += await app.store.write_as(origin, _expunge, actor.account, target, part)
    return removed


def _expunge(tx: WriteTx, account: AccountID, target: MailboxID, uids: Sequence[int]) -> list[int]:
    rows = ((uid, message.row(tx, account, target, uid)) for uid in uids)
    return message.expunge(tx, account, target, [uid for uid, row in rows if row and row.flags & DELETED])


def _copy(
    tx: WriteTx, account: AccountID, source: MailboxID, uids: Sequence[int], name: str, quota: int | None
) -> tuple[int, list[tuple[int, int]]]:
    target = mailbox.by_name(tx, account, name)
    if target.id == source:
        raise NotThatMailbox("source and destination are the same")
    return target.uid_validity, message.copy(tx, account, source, uids, target.id, quota_octets=quota)


def _move(
    tx: WriteTx, account: AccountID, source: MailboxID, uids: Sequence[int], name: str
) -> tuple[int, list[tuple[int, int]]]:
    target = mailbox.by_name(tx, account, name)
    if target.id == source:
        raise NotThatMailbox("source and destination are the same")
    return target.uid_validity, message.move(tx, account, source, uids, target.id)


async def copy(
    app: Appliance, actor: Actor, source: MailboxID, uids: Sequence[int], name: str, origin: Subscription | None
) -> tuple[int, list[tuple[int, int]]]:
    """Copy messages to a mailbox: its UIDVALIDITY and pairs of UIDs. Raises NoSuchMailbox, OverQuota."""
    actor.require(Right.CHANGE_MAIL)
    return await app.store.write_as(origin, _copy, actor.account, source, uids, name, quota_octets(app, actor))


async def move(
    app: Appliance, actor: Actor, source: MailboxID, uids: Sequence[int], name: str, origin: Subscription | None
) -> tuple[int, list[tuple[int, int]]]:
    """Move messages to a mailbox: its UIDVALIDITY and pairs of UIDs (RFC 6851 §3.3). Raises NoSuchMailbox."""
    actor.require(Right.CHANGE_MAIL)
    return await app.store.write_as(origin, _move, actor.account, source, uids, name)
