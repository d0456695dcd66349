"""Verbs that mend what is kept for an account, inside a running server or without one.

All of it is done beside the work of the house, in pieces of some milliseconds with rests between them; a piece that was
done stays done when the rest is cancelled. What a verb gives is for people: names of numbers, and the numbers.
"""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from functools import partial
from time import perf_counter
from typing import Any, Final, TypeVar

import trio

from appliance.base.problem import Kind, Problem
from appliance.config.source import ConfigSource
from appliance.delivery.learning import Learner, NoJunkFilter, Progress, Retrained
from appliance.mail.scan import Scanner
from appliance.operations import accounts
from appliance.store import bodies, mailbox, mend, message, prepare, rethread, tables
from appliance.store.bodies import NewBody
from appliance.store.mend import Parsed, Renumbering
from appliance.store.message import NewMessage
from appliance.store.records import UPLOADED, Facts
from appliance.store.spool import Spooled
from appliance.store.store import Store
from appliance.store.tables import PIECE_OCTETS, AccountID, MailboxID, MessageID, Table

T = TypeVar("T")

#: Messages looked at with one snapshot, and changed by one transaction: some milliseconds.
LOOK_MESSAGES: Final = 500
WRITE_MESSAGES: Final = 16
RENUMBER_MESSAGES: Final = 500
#: After each piece a rest so many times as long: somebody waits for this.
REST: Final = 1
#: Octets of a large message read at once.
READ_OCTETS: Final = 16 * PIECE_OCTETS
_FIRST: Final = MessageID(0)


class NoSuchMailboxNumber(Problem):
    """No mailbox of the account has this number."""

    kind = Kind.NOT_FOUND


async def reindex(store: Store, name: str) -> dict[str, int]:
    """Make the index that searches use anew. Raises NoSuchAccount."""
    return asdict(await store.indexer.reindex(accounts.number(store, name)))


async def retrain(store: Store, learner: Learner, config: ConfigSource, name: str, progress: Progress) -> Retrained:
    """Make the junk filter anew, of all messages that are judged; `progress` hears how many there were so far.

    Raises NoSuchAccount, NoJunkFilter.
    """
    return await learner.retrain(store, config, accounts.number(store, name), progress)


async def _apart(work: Callable[[], T]) -> T:
    """A piece of work in a thread, and a rest."""
    began = perf_counter()
    value = await trio.to_thread.run_sync(work)
    await trio.sleep(REST * (perf_counter() - began))
    return value


async def reparse(store: Store, name: str, progress: Progress, *, everything: bool = True) -> dict[str, Any]:
    """Read the structure of messages anew, and all that is kept ready of them.

    Of all, or only of those of which something is missing. Raises NoSuchAccount.
    """
    account = accounts.number(store, name)
    total = Parsed(0, 0)
    looked = unreadable = 0
    after: MessageID | None = _FIRST
    while after is not None:
        with store.read() as tx:
            ids, after = mend.to_parse(tx, account, after, LOOK_MESSAGES, everything=everything)
        for start in range(0, len(ids), WRITE_MESSAGES):
            some = ids[start : start + WRITE_MESSAGES]
            made = await _apart(partial(_parse, store, account, some))
            unreadable += len(some) - len(made)
            one = await store.write(mend.put_parsed, account, made)
            total = Parsed(total.messages + one.messages, total.texts + one.texts)
            looked += len(some)
        await progress(looked)
    if total.messages:
        await trio.to_thread.run_sync(store.orders.forget, account, limiter=store.indexer.turn)
    if total.texts:
        await store.indexer.reindex(account)
    return {"messages": looked, "changed": total.messages, "unreadable": unreadable}


def _parse(store: Store, account: AccountID, ids: list[MessageID]) -> list[tuple[MessageID, NewMessage]]:
    """Messages as they would be stored now; without those that are gone, or whose octets are."""
    made = []
    for id in ids:
        with store.read() as tx:
            place = message.place(tx, account, id)
            row = None if place is None else message.row(tx, account, place.mailbox, place.uid)
            known = tx.record(Table.FACTS, tables.message_key(account, id), Facts)
            prefix = message.prefix(tx, account, id)
            size = 0 if place is None else bodies.actual_size(tx, place.body)
        if place is None or row is None:
            continue
        body = place.body

        def read(start: int, end: int, body: tables.BodyID = body, size: int = size) -> bytes:
            with store.read() as tx:
                return bodies.read(tx, body, start, min(end, size))

        try:
            scanner = Scanner(store.limits.scan)
            for start in range(0, size, READ_OCTETS):
                scanner.feed(read(start, start + READ_OCTETS))
            content = prepare.content(Spooled(None, None, scanner.close(), size, body, read), store.limits.prepare)
        except KeyError:
            continue
        new = prepare.message(
            content,
            NewBody(None, body, size),
            prefix=prefix,
            received=row.received,
            limits=store.limits.prepare,
            origin=UPLOADED if known is None else known.origin,
        )
        made.append((id, new))
    return made


async def fix_sizes(store: Store, name: str, progress: Progress) -> dict[str, Any]:
    """Compare the sizes of messages with what is kept of them, and correct what is wrong. Raises NoSuchAccount."""
    account = accounts.number(store, name)
    wrong: list[dict[str, int]] = []
    looked = 0
    after: MessageID | None = _FIRST
    while after is not None:
        found, after = await _apart(partial(_wrong_sizes, store, account, after))
        looked += LOOK_MESSAGES
        for one in found:
            if await store.write(mend.correct_size, account, one.id):
                made = await trio.to_thread.run_sync(_parse, store, account, [one.id])
                await store.write(mend.put_parsed, account, made)
                wrong.append(one._asdict())
        await progress(looked)
    if wrong:
        await trio.to_thread.run_sync(store.orders.forget, account, limiter=store.indexer.turn)
        await store.indexer.reindex(account)
    return {"fixed": wrong}


def _wrong_sizes(store: Store, account: AccountID, after: MessageID) -> tuple[list[mend.WrongSize], MessageID | None]:
    with store.read() as tx:
        return mend.wrong_sizes(tx, account, after, LOOK_MESSAGES)


async def recount(store: Store, name: str, progress: Progress) -> dict[str, Any]:
    """Count messages and octets of mailboxes and account anew, and correct what was wrong. Raises NoSuchAccount."""
    account = accounts.number(store, name)
    with store.read() as tx:
        boxes = tx.mailboxes(account, expunged=True)
    changed: dict[str, dict[str, int]] = {}
    for number, box in enumerate(boxes, 1):
        lacks = await _apart(partial(_count_wrongs, store, account, box.id))
        if lacks:
            await store.write(mend.correct_counts, account, box.id, lacks)
            changed[box.name] = lacks
        await progress(number)
    lack = await _apart(partial(_usage_lack, store, account))
    if lack:
        await store.write(mend.correct_usage, account, lack)
    return {"changed": changed, "usage_octets": lack}


def _count_wrongs(store: Store, account: AccountID, number: MailboxID) -> dict[str, int]:
    with store.read() as tx:
        return mend.count_wrongs(tx, account, number)


def _usage_lack(store: Store, account: AccountID) -> int:
    with store.read() as tx:
        return mend.usage_lack(tx, account)


async def reassign_threads(store: Store, name: str, progress: Progress) -> dict[str, Any]:
    """Put all messages into threads anew. Raises NoSuchAccount."""
    account = accounts.number(store, name)
    with store.read() as tx:
        highest = MessageID(tx.account(account).next_message - 1)
    plan = rethread.Plan(account, highest, store.limits.prepare)
    looked, after = 0, _FIRST
    going: MessageID | None = _FIRST
    while going is not None:
        count, going = await _apart(partial(_looked, store, plan, going))
        looked += count
        await progress(looked)
    await trio.to_thread.run_sync(plan.settle)
    changes = rethread.Changes({}, set())
    going = after
    while going is not None:
        some, going = await _apart(partial(_to_change, store, plan, going))
        changes.messages.update(some.messages)
        changes.connected.update(some.connected)
    changed = 0
    for threads, messages in rethread.groups(changes):
        changed += await store.write(rethread.apply, account, threads, messages)
    return {"messages": looked, "changed": changed}


def _looked(store: Store, plan: rethread.Plan, after: MessageID) -> tuple[int, MessageID | None]:
    with store.read() as tx:
        return plan.look(tx, after, LOOK_MESSAGES)


def _to_change(store: Store, plan: rethread.Plan, after: MessageID) -> tuple[rethread.Changes, MessageID | None]:
    with store.read() as tx:
        return plan.changes(tx, after, LOOK_MESSAGES)


async def bump_uid_validity(store: Store, name: str, box: str | None) -> list[dict[str, Any]]:
    """Give a mailbox, or all of an account, a new UIDVALIDITY; who has it selected is sent away.

    Raises NoSuchAccount, NoSuchMailbox.
    """
    account = accounts.number(store, name)
    with store.read() as tx:
        boxes = tx.mailboxes(account) if box is None else [mailbox.by_name(tx, account, box)]
    return [
        {"mailbox": one.name, "uid_validity": await store.write(mend.bump_uid_validity, account, one.id)}
        for one in boxes
    ]


async def reassign_uids(store: Store, name: str, number: int | None, progress: Progress) -> list[dict[str, Any]]:
    """Give the messages of a mailbox, or of all, UIDs from 1 on in their order, and a new UIDVALIDITY.

    Who has it selected is sent away. Raises NoSuchAccount, NoSuchMailboxNumber.
    """
    account = accounts.number(store, name)
    with store.read() as tx:
        boxes = [one for one in tx.mailboxes(account) if number in {None, one.id}]
    if not boxes:
        raise NoSuchMailboxNumber(f"account {name} has no mailbox of number {number}")
    done = []
    total = 0
    for box in boxes:
        modseq, is_all = 0, False
        while not is_all:
            modseq, is_all = await store.write(mend.forget_removals, account, box.id, modseq, RENUMBER_MESSAGES)
        state = Renumbering(modseq=modseq)
        while not state.finished:
            began = perf_counter()
            state = await store.write(mend.renumber, account, box.id, state, RENUMBER_MESSAGES)
            await trio.sleep(REST * (perf_counter() - began))
            await progress(total + state.given)
        total += state.given
        done.append({"mailbox": box.name, "messages": state.given, "uid_validity": state.uid_validity})
    return done


async def fix_next_uids(store: Store, name: str) -> dict[str, Any]:
    """Raise what would give a UID or a UIDVALIDITY a second time. Raises NoSuchAccount."""
    account = accounts.number(store, name)

    def look() -> tuple[mend.NextUIDs, dict[MailboxID, str]]:
        with store.read() as tx:
            return mend.next_uids(tx, account), {one.id: one.name for one in tx.mailboxes(account, expunged=True)}

    least, names = await trio.to_thread.run_sync(look)
    if least.mailboxes or least.uid_validity is not None:
        await store.write(mend.raise_uids, account, least)
    raised = {names[number]: uid for number, uid in least.mailboxes.items()}
    return {"mailboxes": raised, "uid_validity": least.uid_validity}


#: Verbs that need a store and no more, by what they are called at the control socket; the values of their options are
#: texts, numbers, switches or None.
Job = Callable[[Store, str, dict[str, Any], Progress], Awaitable[Any]]
JOBS: Final[dict[str, Job]] = {
    "reindex": lambda store, name, options, progress: reindex(store, name),
    "reparse": lambda store, name, options, progress: reparse(store, name, progress),
    "ensureparsed": lambda store, name, options, progress: reparse(
        store, name, progress, everything=bool(options.get("all"))
    ),
    "fixmsgsize": lambda store, name, options, progress: fix_sizes(store, name, progress),
    "recalculatemailboxcounts": lambda store, name, options, progress: recount(store, name, progress),
    "reassignthreads": lambda store, name, options, progress: reassign_threads(store, name, progress),
    "bumpuidvalidity": lambda store, name, options, progress: bump_uid_validity(store, name, options.get("mailbox")),
    "reassignuids": lambda store, name, options, progress: reassign_uids(
        store, name, options.get("mailboxid"), progress
    ),
    "fixuidmeta": lambda store, name, options, progress: fix_next_uids(store, name),
}


def retraining(learner: Learner, config: ConfigSource) -> Job:
    """The verb `retrain` as another of them; one without a junk filter is told as nothing, unless it is `required`."""

    async def job(store: Store, name: str, options: dict[str, Any], progress: Progress) -> dict[str, int]:
        try:
            return asdict(await retrain(store, learner, config, name, progress))
        except NoJunkFilter:
            if options.get("required"):
                raise
            return {}

    return job
