"""Mail that a server for tests has caught: found by what a test knows of it, waited for, cleared, kept to a number.

A test knows whom a program wrote to, and that is the recipient of the envelope, whatever the header says.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Final

import trio

from appliance.base import limits
from appliance.base.log import Log
from appliance.delivery.appliance import Appliance
from appliance.operations.actor import Actor, Right
from appliance.store import message, search, tables
from appliance.store.problems import NoSuchMessage
from appliance.store.records import INBOX, SEEN, Facts, Row, unpack_place
from appliance.store.search import Query
from appliance.store.store import Store
from appliance.store.tables import MessageID, Table
from appliance.store.transaction import ReadTx, WriteTx

log = Log("inbox")

#: Looked at with one snapshot, and removed by one transaction.
_STEP: Final = 200
#: Between looks for what is waited for, and for what is too much, in seconds.
LOOK_SECONDS: Final = 0.05
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)
PRUNE_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is known of a message; what is empty does not matter. All without regard to case."""

    #: In the envelope's recipient or in To, Cc, Bcc.
    to: str = ""
    #: In the envelope's sender or in From.
    sender: str = ""
    subject: str = ""
    #: Anywhere in header or body.
    text: str = ""
    #: Only what came after this one.
    after: int = 0


@dataclass(frozen=True, slots=True)
class Caught:
    """A message, and what is known of how it came."""

    id: MessageID
    row: Row
    facts: Facts
    mailbox: str
    preview: str


def find(store: Store, actor: Actor, wanted: Wanted, most: int) -> list[Caught]:
    """So many at most, the newest first. Blocks: call it in a thread."""
    actor.require(Right.READ_MAIL)
    tests = _tests(wanted)
    found: list[Caught] = []
    before, looked = MessageID(2**63), 0
    while len(found) < most and looked < limits.INBOX_MESSAGES:
        with store.read() as tx:
            some = _below(tx, actor, before, wanted.after)
            for id in some:
                if (one := _caught(tx, actor, id, wanted, tests)) is not None:
                    found.append(one)
                if len(found) == most:
                    break
        if len(some) < _STEP:
            break
        before, looked = some[-1], looked + len(some)
    return found


async def wait(app: Appliance, actor: Actor, wanted: Wanted, seconds: float) -> Caught | None:
    """The newest such message, waited for if there is none yet; None when the time is over."""
    looked = -1
    with trio.move_on_after(seconds):
        while True:
            with app.store.read() as tx:
                modseq = tx.account(actor.account).modseq
            if modseq != looked:
                looked = modseq
                found = await trio.to_thread.run_sync(find, app.store, actor, wanted, 1)
                if found:
                    return found[0]
            await trio.sleep(LOOK_SECONDS)
    return None


def one(store: Store, actor: Actor, id: MessageID) -> Caught:
    """A message. Raises NoSuchMessage."""
    with store.read() as tx:
        found = _caught(tx, actor, id, Wanted(), ())
    if found is None:
        raise NoSuchMessage("no such message")
    return found


@dataclass(slots=True)
class Addressee:
    """An address that something was caught for."""

    address: str
    messages: int = 0
    unread: int = 0
    #: When the latest came.
    latest: datetime = _LONG_AGO


def addressees(store: Store, actor: Actor) -> list[Addressee]:
    """All of them, who got the latest first. Blocks: call it in a thread."""
    known: dict[str, Addressee] = {}
    for one in find(store, actor, Wanted(), limits.INBOX_MESSAGES):
        address = one.facts.origin.rcpt_to
        if not address:
            continue
        entry = known.setdefault(address.lower(), Addressee(address))
        entry.messages += 1
        entry.unread += not one.row.flags & SEEN
        entry.latest = max(entry.latest, datetime.fromtimestamp(one.row.received / 1e6, UTC))
    return sorted(known.values(), key=lambda entry: entry.latest, reverse=True)[: limits.INBOX_ADDRESSES]


def _below(tx: ReadTx, actor: Actor, before: MessageID, after: int) -> list[MessageID]:
    """Ids of live messages from the highest down."""
    start, stop = tables.message_key(actor.account, MessageID(after + 1)), tables.message_key(actor.account, before)
    found: list[MessageID] = []
    for key, value in tx.scan_back(Table.PLACE, start, stop):
        if len(found) == _STEP:
            break
        if not unpack_place(value).expunged:
            found.append(MessageID(int.from_bytes(key[4:], "big")))
    return found


def _tests(wanted: Wanted) -> list[Query]:
    tests: list[Query] = []
    if wanted.subject:
        tests.append(search.in_field("subject", wanted.subject))
    if wanted.text:
        tests.append(search.in_text(wanted.text))
    return tests


def _caught(tx: ReadTx, actor: Actor, id: MessageID, wanted: Wanted, tests: Sequence[Query]) -> Caught | None:
    account = actor.account
    place = message.place(tx, account, id)
    row = message.row(tx, account, place.mailbox, place.uid) if place and not place.expunged else None
    if place is None or row is None:
        return None
    facts = message.facts(tx, account, id)
    text = message.text(tx, account, id)
    if wanted.to and not _names(wanted.to, facts.origin.rcpt_to, ("to", "cc", "bcc"), text):
        return None
    if wanted.sender and not _names(wanted.sender, facts.origin.mail_from, ("from",), text):
        return None
    if not all(test.test(text) for test in tests):
        return None
    preview = message.prepared(tx, account, id).preview
    return Caught(id, row, facts, tx.mailbox(account, place.mailbox).name, preview)


def _names(wanted: str, address: str, fields: Sequence[str], text: bytes) -> bool:
    if wanted.lower() in address.lower():
        return True
    return any(search.in_field(name, wanted).test(text) for name in fields)


async def remove(app: Appliance, actor: Actor, ids: Sequence[MessageID]) -> int:
    """Remove messages for good, in groups; how many there still were."""
    actor.require(Right.CHANGE_MAIL)

    def body(tx: WriteTx, some: Sequence[MessageID]) -> int:
        count = 0
        for id in some:
            place = message.place(tx, actor.account, id)
            if place is not None and not place.expunged:
                message.expunge(tx, actor.account, place.mailbox, [place.uid])
                count += 1
        return count

    return sum([await app.store.write(body, ids[at : at + _STEP]) for at in range(0, len(ids), _STEP)])


async def remove_all(app: Appliance, actor: Actor, wanted: Wanted) -> int:
    """Remove all such messages for good; how many."""
    count = 0
    while True:
        found = await trio.to_thread.run_sync(find, app.store, actor, wanted, limits.INBOX_MESSAGES)
        count += await remove(app, actor, [one.id for one in found])
        if len(found) < limits.INBOX_MESSAGES:
            return count


async def keep_latest(app: Appliance, actor: Actor, most: int) -> None:
    """Keeper task: of what lies in the Inbox, only so many messages stay, the latest."""
    looked = -1
    while True:
        with app.store.read() as tx:
            modseq = tx.account(actor.account).modseq
        if modseq != looked:
            looked = modseq
            count = await _prune(app, actor, most)
            if count:
                log.info("old messages removed", account=actor.name, count=count)
        await trio.sleep(PRUNE_SECONDS)


async def _prune(app: Appliance, actor: Actor, most: int) -> int:
    def old() -> list[MessageID]:
        with app.store.read() as tx:
            inbox = next((one for one in tx.mailboxes(actor.account) if one.name == INBOX), None)
            if inbox is None or inbox.messages <= most:
                return []
            left = inbox.messages - most
            return [row.id for _, row in islice(message.rows(tx, actor.account, inbox.id), left)]

    return await remove(app, actor, await trio.to_thread.run_sync(old))
