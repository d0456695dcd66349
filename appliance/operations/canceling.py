"""Messages that people give up: failed, and their senders hear it, or dropped without a word."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import msgspec
import trio

from appliance.base.log import Log
from appliance.config.source import Config
from appliance.delivery.appliance import Appliance
from appliance.delivery.place import Placement
from appliance.delivery.webhook import News
from appliance.mail.dsn import Action
from appliance.mail.hookpayload import Event
from appliance.mail.status import Status
from appliance.operations import queue
from appliance.queue import notices, settle, webhook
from appliance.queue.notices import Told
from appliance.store import queued
from appliance.store.queuefilter import WaitingFilter
from appliance.store.queuerecords import Attempt, QueuedMessage
from appliance.store.store import Store
from appliance.store.tables import QueueID
from appliance.store.transaction import WriteTx

log = Log("queue")

CANCELED: Final = "canceled by admin"
#: What the sender reads. RFC 3463 §3.8: delivery not authorized.
TOLD: Final = "The administrator of this server canceled the delivery."
_STATUS: Final = Status(5, 7, 1)
#: Notices placed by one transaction, a millisecond of the writer's time each.
NOTICES: Final = 10


async def drop(app: Appliance, filter: WaitingFilter, most: int | None = None) -> int:
    """Remove messages from the queue, and tell nobody; how many. Remembered if their account remembers messages."""
    config, count = app.config.snapshot(), 0
    ids = await queue.select(app, filter, most)
    for start in range(0, len(ids), queue.TOGETHER):
        dropped = await app.store.write(_drop, config, ids[start : start + queue.TOGETHER], filter)
        for one in dropped:
            log.info("dropped", queued=one.id, recipient=one.recipient)
        count += len(dropped)
    return count


def _drop(tx: WriteTx, config: Config, ids: Sequence[QueueID], filter: WaitingFilter) -> list[QueuedMessage]:
    dropped = []
    for id in ids:
        one = queued.get(tx, id)
        if one is not None and filter.matches(one):
            end(tx, config, one, Event.CANCELED, CANCELED)
            dropped.append(one)
    return dropped


def end(tx: WriteTx, config: Config, one: QueuedMessage, event: Event, why: str) -> None:
    """Take a message out of the queue that somebody gave up, and tell its account's program why."""
    result = Attempt(tx.now, text=why)
    settle.done(tx, config, msgspec.structs.replace(one, results=(*one.results, result)), success=False)
    webhook.tell(tx, config, one, News(event, error=why))


async def fail(app: Appliance, filter: WaitingFilter, most: int | None = None) -> int:
    """Give messages up as after a permanent failure: their senders get notices, if they want them; how many."""
    config, count = app.config.snapshot(), 0
    ids = await queue.select(app, filter, most)
    for start in range(0, len(ids), queue.TOGETHER):
        left: Sequence[QueueID] = ids[start : start + queue.TOGETHER]
        while left:
            groups = _groups(app, left, filter)
            left = []
            for first in range(0, len(groups), NOTICES):
                some = []
                for group in groups[first : first + NOTICES]:
                    some.append(await _prepare(app, config, group))
                    await trio.lowlevel.checkpoint()  # A millisecond each, and nothing in it that waits.
                failed, changed = await app.store.write(_fail, config, app.store, some)
                for one in failed:
                    log.info("failed by admin", queued=one.id, recipient=one.recipient)
                count += len(failed)
                left += changed  # An attempt began or ended meanwhile: they are looked at again.
    return count


def _groups(app: Appliance, ids: Sequence[QueueID], filter: WaitingFilter) -> list[list[QueuedMessage]]:
    """Copies of one submission, of which one notice tells, together."""
    with app.store.read() as tx:
        found = [one for one in (queued.get(tx, id) for id in ids) if one is not None and filter.matches(one)]

    def base(one: QueuedMessage) -> QueueID:
        return one.base_id or one.id

    return [list(group) for _, group in groupby(sorted(found, key=lambda one: (base(one), one.id)), key=base)]


@dataclass(frozen=True, slots=True)
class _Prepared:
    group: Sequence[QueuedMessage]
    notice: Placement | None
    given_back: Placement | None = None


async def _prepare(app: Appliance, config: Config, group: Sequence[QueuedMessage]) -> _Prepared:
    told = [Told(one, Action.FAILED, 0, _STATUS, TOLD, is_reply=False) for one in group if one.wants("FAILURE")]
    if not told:
        return _Prepared(group, None)
    try:
        spooled = await app.store.stored(group[0].body)
    except KeyError:
        return _Prepared(group, None)  # Gone meanwhile, and so are its messages.
    notice = await notices.placement(app, config, told, spooled)
    return _Prepared(group, notice, await notices.given_back(app, config, group, spooled))


def _fail(
    tx: WriteTx, config: Config, store: Store, prepared: Sequence[_Prepared]
) -> tuple[list[QueuedMessage], list[QueueID]]:
    """Those that failed; and those that must be looked at again, since a notice would not be true of all."""
    failed: list[QueuedMessage] = []
    changed: list[QueueID] = []
    for one in prepared:
        if any(queued.get(tx, message.id) != message for message in one.group):
            changed += [message.id for message in one.group]
            continue
        if one.given_back is not None:  # First: what ends takes its content with it.
            settle.give_back(tx, store, one.given_back, one.group)
        for message in one.group:
            end(tx, config, message, Event.FAILED, CANCELED)
        if one.notice is not None:
            settle.put_notice(tx, store, one.notice, one.group)
        failed += one.group
    return failed, changed
