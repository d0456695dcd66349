"""Copies of refused messages, for readers who look for what was refused by mistake: each once, for a while, not many.

Who was refused for the time being tries again, with the same message; one copy of it is enough. When it is accepted
in the end, the copy is taken away.
"""

import hashlib
from collections.abc import Sequence
from time import perf_counter
from typing import Final

import msgspec
import trio

from appliance.base.clock import Clock
from appliance.base.limits import REJECT_DAYS, REJECTS_KEPT
from appliance.base.log import Log
from appliance.base.problem import Problem
from appliance.config.domains import AutomaticJunkFlags
from appliance.config.source import ConfigSource
from appliance.store import mailbox, message, reject
from appliance.store.mailbox import MailboxLimits
from appliance.store.message import NO_RULES, Added, NewMessage
from appliance.store.problems import BadMailboxName, NoSuchAccount, OverQuota, TooMany
from appliance.store.records import SEEN, Mailbox
from appliance.store.spool import Spooled
from appliance.store.store import SLICE_OCTETS, THREAD_OCTETS, Store
from appliance.store.tables import NO_MAILBOX, AccountID, Table
from appliance.store.transaction import ReadTx, WriteTx

log = Log("rejects")

#: Removed by one transaction: some ms of the writer's time.
REMOVED: Final = 25
_SWEEP_SECONDS: Final = 3600.0
#: After each transaction the keeper rests so many times as long as it took, so that nobody feels it.
_REST: Final = 4
_DAY: Final = 24 * 3600 * 1_000_000


async def content_digest(spooled: Spooled) -> bytes:
    """SHA-256 of a message as received, without the fields added here: a retry has the same. In a thread when large."""
    if spooled.size > THREAD_OCTETS:
        return await trio.to_thread.run_sync(_digest, spooled)
    return _digest(spooled)


def _digest(spooled: Spooled) -> bytes:
    if spooled.octets is not None:
        return hashlib.sha256(spooled.octets).digest()
    state = hashlib.sha256()
    for start in range(0, spooled.size, SLICE_OCTETS):
        state.update(spooled.read(start, min(spooled.size, start + SLICE_OCTETS)))
    return state.digest()


def keeps(tx: WriteTx, account: AccountID, name: str, message_id: str, digest: bytes, *, keep_all: bool) -> bool:
    """Whether a copy of a refused message is to be stored in the mailbox of rejects of that name.

    Not when one of the same canonical Message-ID or of the same `content_digest` is there. Unless `keep_all`, old ones
    are removed first, some of them at a time, and there must be room.
    """
    box = mailbox.find(tx, account, name)
    if box is None:
        return True
    if not keep_all:
        _remove_old(tx, account, box)
        if box.messages >= REJECTS_KEPT:
            return False
    return not reject.has(tx, account, box.id, message_id, digest)


def is_there(tx: ReadTx, account: AccountID, name: str, message_id: str, digest: bytes) -> bool:
    """Whether the mailbox of rejects of that name has a message of this Message-ID or `content_digest`."""
    box = mailbox.find(tx, account, name)
    return box is not None and reject.has(tx, account, box.id, message_id, digest)


async def rescued(
    store: Store, accounts: Sequence[AccountID], spooled: Spooled, message_id: str, now: int
) -> set[AccountID]:
    """Which of the accounts have the very same message, as their reader took it out of the rejects lately.

    Octets of their readers' messages are compared by digest, which is made only of one whose Message-ID is known there.
    """
    with store.read() as tx:
        if not tx.entries(Table.RESCUED):  # The usual case.
            return set()
        known = {account: digests for account in accounts if (digests := reject.rescued(tx, account, message_id, now))}
    if not known:
        return set()
    digest = await content_digest(spooled)
    return {account for account, digests in known.items() if digest in digests}


def add(
    tx: WriteTx,
    account: AccountID,
    name: str,
    new: NewMessage,
    *,
    destined: str,
    digest: bytes,
    keep_all: bool,
    limits: MailboxLimits,
    quota_octets: int | None = None,
    junk_rules: AutomaticJunkFlags = NO_RULES,
) -> Added | None:
    """Store a copy of a refused message that was meant for another mailbox; None when it is not kept.

    Mailboxes that are missing are made. That the account is full, gone or has too many mailboxes is no error here:
    the message is refused anyway.
    """
    try:
        if tx.account(account).removed or not keeps(tx, account, name, new.clues.message_id, digest, keep_all=keep_all):
            return None
        message.check_quota(tx, account, new.size, quota_octets)
        target = _made(tx, account, name, limits)
    except (OverQuota, NoSuchAccount, TooMany, BadMailboxName):
        return None
    try:
        destined_mailbox = _made(tx, account, destined, limits).id if destined else NO_MAILBOX
    except (TooMany, BadMailboxName):
        destined_mailbox = NO_MAILBOX
    copy = msgspec.structs.replace(
        new,
        origin=msgspec.structs.replace(new.origin, is_reject=True),
        destined_mailbox=destined_mailbox,
        content_digest=digest,
    )
    return message.add(tx, account, target.id, copy, flags=SEEN, junk_rules=junk_rules)


def _made(tx: WriteTx, account: AccountID, name: str, limits: MailboxLimits) -> Mailbox:
    return mailbox.find(tx, account, name) or mailbox.create(tx, account, name, limits=limits)[-1]


def forget(tx: WriteTx, account: AccountID, name: str, message_id: str) -> None:
    """A message was accepted: copies of it in the mailbox of rejects of that name, by canonical Message-ID, go."""
    if not reject.is_known(tx, account, message_id):  # The usual case, with one look.
        return
    box = mailbox.find(tx, account, name)
    if box is not None and (uids := reject.uids_of(tx, account, box.id, message_id, REMOVED)):
        message.expunge(tx, account, box.id, uids)


def _old(tx: ReadTx, account: AccountID, box: Mailbox, now: int, most: int) -> list[int]:
    return reject.older(tx, account, box.id, now - REJECT_DAYS * _DAY, most)


def _remove_old(tx: WriteTx, account: AccountID, box: Mailbox) -> None:
    if uids := _old(tx, account, box, tx.now, REMOVED):
        message.expunge(tx, account, box.id, uids)


async def keep(store: Store, config: ConfigSource, clock: Clock) -> None:
    """Keeper task: remove old rejects where nothing comes in any more, now and once in an hour."""
    while True:
        try:
            await sweep(store, config, clock)
        except Problem as problem:
            log.error("old rejects could not be removed", problem)
        await trio.sleep(_SWEEP_SECONDS)


async def sweep(store: Store, config: ConfigSource, clock: Clock) -> None:
    """Remove what is too old from the mailboxes of rejects of all accounts that do not keep everything."""
    for name, settings in list(config.snapshot().domains.accounts.items()):
        if settings.rejects_mailbox is None or settings.keep_rejects:
            continue
        while _is_due(store, name, settings.rejects_mailbox, clock.microseconds()):
            began = perf_counter()
            await store.write(_sweep_some, name, settings.rejects_mailbox)
            await trio.sleep(_REST * (perf_counter() - began))
        await trio.lowlevel.checkpoint()


def _box(tx: ReadTx, name: str, box_name: str) -> tuple[AccountID, Mailbox] | None:
    """The account and its mailbox of rejects, when both are there."""
    account = tx.account_id(name)
    if account is None or tx.account(account).removed:
        return None
    box = mailbox.find(tx, account, box_name)
    return None if box is None else (account, box)


def _is_due(store: Store, name: str, box_name: str, now: int) -> bool:
    with store.read() as tx:
        found = _box(tx, name, box_name)
        return found is not None and bool(_old(tx, *found, now, 1))


def _sweep_some(tx: WriteTx, name: str, box_name: str) -> None:
    if (found := _box(tx, name, box_name)) is not None:
        _remove_old(tx, *found)
