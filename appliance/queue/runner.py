"""The keeper of the queue: takes what is due, a destination at a time, and has it delivered.

Recipients of ours get their copies by the front door (`local`), others by hosts of their domains or as the routes have
it (`remote`). What follows from an attempt is for `settle`.
"""

from collections import deque
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import islice
from typing import Final

import trio

from appliance.base.log import Log
from appliance.base.metrics import Gauge, panics
from appliance.config.addresses import Disabled
from appliance.config.source import Config
from appliance.delivery import suppression
from appliance.delivery.appliance import Appliance
from appliance.delivery.copies import AliasRecipient, Recipient
from appliance.delivery.receive import Verdict
from appliance.mail.address import Path, parse_path
from appliance.mail.domain import Domain, parse_domain
from appliance.mail.status import Status
from appliance.queue import local, route, settle
from appliance.queue.backlog import Backlog, Destination
from appliance.queue.line import Line
from appliance.queue.parcel import World
from appliance.queue.remote import Remote
from appliance.queue.route import Way
from appliance.queue.schedule import SCHEDULE, Schedule
from appliance.queue.settle import Changed, Result
from appliance.store import queued
from appliance.store.queuerecords import QueuedMessage
from appliance.store.spool import Spooled
from appliance.store.tables import QueueID
from appliance.store.transaction import ReadTx, WriteTx

log = Log("queue")

delivering = Gauge("queue_deliveries", "Deliveries that are being made.")

#: Destinations delivered to at the same time, not counting those that have taken long already, and all together: hosts
#: that hold the line must not hold up the mail for others. Mail for ourselves has as many of its own.
PARALLEL: Final = 10
SLOW_SECONDS: Final = 60.0
MOST: Final = 100
#: A destination's turn while others wait for theirs: attempts on one connection, and the time when no other is begun.
TURN_ATTEMPTS: Final = 10
TURN_SECONDS: Final = 5.0
#: Copies of one submission delivered together: some ten ms of the writer's time, and what every host takes at once.
TOGETHER: Final = 100
#: Without news the queue is looked at after so long all the same.
LONGEST_PAUSE_SECONDS: Final = 24 * 3600.0
#: When not even the failure of an attempt can be written down, the next attempt waits so long.
TROUBLE_SECONDS: Final = 60.0
#: Retired messages forgotten by one transaction.
FORGET_MESSAGES: Final = 200
#: Messages looked at before others get their turn, some ten microseconds each.
READ_AT_ONCE: Final = 100
#: Messages that wait in memory for their turn; more stay in the store until there is room.
WAITING: Final = 100_000

#: Where mail for a path goes: a verdict when nobody may have it, None to other hosts. operations.queue has it.
Locate = Callable[[Appliance, Config, Path], Recipient | AliasRecipient | Verdict | None]


async def run(app: Appliance, locate: Locate, world: World, schedule: Schedule = SCHEDULE) -> None:
    """Deliver for ever. A start looks at what is due, not at all that waits."""
    await _Runner(app, locate, world, schedule).run()


class _Lane:
    """What waits for its turn, and what is being delivered; mail for ourselves has one, mail for others another."""

    def __init__(self) -> None:
        self.backlog = Backlog()
        #: Since when.
        self.active: dict[Destination, float] = {}

    @property
    def is_free(self) -> bool:
        """Whether one more may begin."""
        return self._quick() < PARALLEL and len(self.active) < MOST

    def must_end(self, began: float, attempts: int) -> bool:
        """Whether a turn must not go on, since others wait for theirs and there is no room for them."""
        crowded = self.backlog.has_ready and not self.is_free
        return crowded and (attempts >= TURN_ATTEMPTS or trio.current_time() - began >= TURN_SECONDS)

    def until_free(self) -> float:
        """Seconds until another may begin since one has taken long."""
        if len(self.backlog) == 0 or self._quick() < PARALLEL:
            return LONGEST_PAUSE_SECONDS
        since = trio.current_time() - SLOW_SECONDS
        return min(began - since for began in self.active.values() if began > since)

    def _quick(self) -> int:
        """How many have not taken long yet."""
        since = trio.current_time() - SLOW_SECONDS
        return sum(began > since for began in self.active.values())


class _Runner:
    def __init__(self, app: Appliance, locate: Locate, world: World, schedule: Schedule) -> None:
        self.app = app
        self.locate = locate
        self.schedule = schedule
        self.remote = Remote(app, world, schedule)
        self.ours, self.others = _Lane(), _Lane()
        #: How far what is due has been read; what came before that place later is told by the feed.
        self.place = b""

    async def run(self) -> None:
        feed = self.app.store.feed
        async with trio.open_nursery() as nursery:
            while True:
                news = feed.queued = trio.Event()  # Before looking, so that nothing is missed.
                now = self.app.clock.microseconds()
                await self._read(now)
                self._start(nursery, now)
                with self.app.store.read() as tx:
                    forgetting = queued.next_forgetting(tx)
                    times = [queued.next_time(tx, now), forgetting]
                is_time = forgetting is not None and forgetting <= now
                if is_time and await self.app.store.write(queued.forget_retired, FORGET_MESSAGES):
                    continue
                next_time = min((max(when, now) for when in times if when is not None), default=None)
                pause = LONGEST_PAUSE_SECONDS if next_time is None else (next_time - now) / 1e6
                with trio.move_on_after(
                    min(pause, LONGEST_PAUSE_SECONDS, self.ours.until_free(), self.others.until_free())
                ):
                    await news.wait()

    # What is due.

    async def _read(self, now: int) -> None:
        """Add to the backlog what has become due."""
        feed, config = self.app.store.feed, self.app.config.snapshot()
        news, feed.queued_ids = deque(feed.queued_ids), set()
        if self.place[:8] > queued.due_time(now):
            self.place = queued.due_time(now)  # The clock was set back.
        while news:
            with self.app.store.read() as tx:
                for _ in range(min(len(news), READ_AT_ONCE)):
                    self._consider(tx, config, news.popleft(), now)
            await trio.lowlevel.checkpoint()
        while len(self.ours.backlog) + len(self.others.backlog) < WAITING:
            with self.app.store.read() as tx:
                entries = list(islice(queued.due_after(tx, self.place, now), READ_AT_ONCE))
                for place, id in entries:
                    self.place = place
                    self._consider(tx, config, id, now)
            if len(entries) < READ_AT_ONCE:
                return
            await trio.lowlevel.checkpoint()

    def _consider(self, tx: ReadTx, config: Config, id: QueueID, now: int) -> None:
        if id in self.ours.backlog or id in self.others.backlog:
            return
        one = queued.get(tx, id)
        if one is not None and _is_due(one, now):
            destination = self._destination(config, one)
            self._lane(destination).backlog.add(destination, id)

    def _lane(self, destination: Destination) -> _Lane:
        return self.others if destination[0] else self.ours

    def _destination(self, config: Config, one: QueuedMessage) -> Destination:
        """What is delivered to by one at a time: another domain; of mail for ourselves each submission is by itself."""
        _, at, name = one.recipient.rpartition("@")
        try:
            if at and not name.startswith("["):
                name = parse_domain(name, lax=True).ascii
            ours = not at or name in config.derived.addresses.domains
            ours = ours or self.app.policy.unknown_recipient(_path(one.recipient)) is not None
        except ValueError:  # No such address is ever taken in. If there is one, only its own attempt fails.
            ours = False
        return ("", one.base_id or one.id) if ours else (name, 0)

    def _start(self, nursery: trio.Nursery, now: int) -> None:
        """Begin as many deliveries as may be."""
        for lane in (self.ours, self.others):
            while lane.is_free and not self.app.shutdown.requested and (next_one := lane.backlog.take()) is not None:
                destination, waiting = next_one
                with self.app.store.read() as tx:
                    taken, group = _group(tx, waiting, now)
                if not group:
                    lane.backlog.forget(taken)
                    lane.backlog.done(destination)
                    continue
                lane.active[destination] = trio.current_time()
                nursery.start_soon(self._serve, lane, destination, waiting, taken, group)

    # Attempts.

    async def _serve(
        self,
        lane: _Lane,
        destination: Destination,
        waiting: deque[QueueID],
        taken: Sequence[QueueID],
        group: Sequence[QueuedMessage],
    ) -> None:
        """A destination's turn: one attempt, and more as long as there is a connection to make them on."""
        delivering.labels().inc()
        began, made = trio.current_time(), 0
        try:
            async with Line() as line:
                while group:
                    await self._one(group, line)
                    made += 1
                    self._over(lane, taken)
                    taken, group = [], []
                    if not line.is_open or self.app.shutdown.requested or lane.must_end(began, made):
                        break
                    with self.app.store.read() as tx:
                        taken, group = _group(tx, waiting, self.app.clock.microseconds())
        finally:
            self._over(lane, taken)
            lane.backlog.done(destination)
            del lane.active[destination]
            delivering.labels().dec()
            self.app.store.feed.queued.set()  # Somebody may wait for the same destination.

    def _over(self, lane: _Lane, taken: Sequence[QueueID]) -> None:
        """What was taken is looked at again, whatever became of it meanwhile."""
        lane.backlog.forget(taken)
        self.app.store.feed.queued_ids.update(taken)

    async def _one(self, group: Sequence[QueuedMessage], line: Line) -> None:
        """One attempt. A bug in it is an attempt that failed; it hinders no other."""
        try:
            await self._attempt(group, line)
        except Changed:
            log.info("message changed during the attempt", queued=[one.id for one in group])
        except Exception as error:
            panics.labels("queue").inc()
            log.error("delivery failed", error, queued=[one.id for one in group])
            await self._postpone(group)

    async def _attempt(self, group: Sequence[QueuedMessage], line: Line) -> None:
        """Recipients of ours, others, and those nobody may have: usually all are of one kind."""
        app, began = self.app, self.app.clock.microseconds()
        config = app.config.snapshot()
        failed: list[tuple[QueuedMessage, Result]] = []
        ours: list[tuple[QueuedMessage, Recipient | AliasRecipient]] = []
        others: list[tuple[QueuedMessage, Path]] = []
        sender, way = _path(group[0].reverse_path), route.DIRECT
        with app.store.read() as tx:
            for one in group:
                path = _path(one.recipient)
                obstacle = self._obstacle(config, sender, path) or _suppressed(tx, config, one, path)
                if obstacle is not None:
                    failed.append((one, obstacle))
                    continue
                where = self.locate(app, config, path)
                if isinstance(where, Verdict):
                    failed.append((one, settle.of_verdict(where)))
                    continue
                # A transport that fails everything fails mail for ourselves, too. The others are not for that.
                chosen = _way(tx, config, one, sender, path) if where is None or config.static.transports else way
                fails = route.failure(chosen) if chosen is not None else None
                if fails is not None:
                    said = Result(False, fails.permanent, fails.code, fails.status, fails.text, is_of_recipient=False)
                    failed.append((one, said))
                elif where is not None:
                    ours.append((one, where))
                elif chosen is None:
                    text = f'the transport "{one.transport}" does not exist'
                    failed.append((one, Result(False, False, 0, Status(4, 3, 5), text, is_reply=False)))
                else:
                    others.append((one, path))
                    way = chosen if len(others) == 1 else way
        if ours or failed:
            await self._here(config, ours, failed, began)
        if others:
            domain = others[0][1].domain
            assert domain is not None, "postmaster without a domain is ours"
            # A domain that was ours a moment ago has come here with others. They are looked at again.
            together = [(one, path) for one, path in others if path.domain == domain]
            await self.remote.deliver(config, way, domain, sender, together, line)

    async def _here(
        self,
        config: Config,
        ours: Sequence[tuple[QueuedMessage, Recipient | AliasRecipient]],
        failed: list[tuple[QueuedMessage, Result]],
        began: int,
    ) -> None:
        """Place copies; write down what failed."""
        app = self.app
        spooled = await self._message((ours[0] if ours else failed[0])[0])
        if ours:
            results = await local.deliver(app, config, _path(ours[0][0].reverse_path), ours, spooled, began)
            failed += [(one, result) for (one, _), result in zip(ours, results, strict=True) if not result.success]
        if failed:
            now = app.clock.microseconds()
            tried = [settle.attempted(one, result, began, now) for one, result in failed]
            outcome = [result for _, result in failed]
            before = [one for one, _ in failed]
            settlement = await settle.failure(app, config, self.schedule, tried, outcome, spooled, before=before)
            suppressing = await app.store.write(settle.write, config, app.store, settlement)
            settle.tell(tried, outcome, settlement.ended, suppressing)

    async def _message(self, one: QueuedMessage) -> Spooled:
        try:
            return await self.app.store.stored(one.body)
        except KeyError:
            with self.app.store.read() as tx:
                settle.unchanged(tx, one)  # Dropped since it was taken, most likely.
            raise

    def _obstacle(self, config: Config, sender: Path, path: Path) -> Result | None:
        """What stands against an attempt now, wherever the recipient is."""
        if not sender.is_null and isinstance(config.derived.addresses.lookup(sender), Disabled):
            text = "the sender's domain is disabled for now"
            return Result(False, False, 451, Status(4, 3, 0), text, is_of_recipient=False)
        wanted = self.app.policy.failure(path, "queue")
        if wanted is not None:
            status = Status(wanted.code // 100, 0, 0)
            return settle.of_verdict(Verdict(path, wanted.code, status, "failure as the address asks for"))
        return None

    async def _postpone(self, group: Sequence[QueuedMessage]) -> None:
        """After a bug or a full disk: try again later, as after any failure, but whatever happens to the message."""

        def body(tx: WriteTx) -> None:
            for one in group:
                current = queued.get(tx, one.id)
                if current is not None and current.attempts == one.attempts:  # Else the next attempt is written down.
                    current.attempts += 1
                    current.last_attempt = tx.now
                    attempts = min(current.attempts, self.schedule.attempts)
                    current.next_attempt = tx.now + settle.pause(self.app, self.schedule, attempts)
                    queued.update(tx, current)

        try:
            await self.app.store.write(body)
        except Exception as error:
            log.error("cannot write down a failed delivery", error)
            await trio.sleep(TROUBLE_SECONDS)


def _way(tx: ReadTx, config: Config, one: QueuedMessage, sender: Path, recipient: Path) -> Way | None:
    account = settle.account_name(tx, one.account)
    return route.choose(
        config,
        account=account or config.static.postmaster.account,
        sender=sender.domain if isinstance(sender.domain, Domain) else None,
        recipient=recipient.domain if isinstance(recipient.domain, Domain) else None,
        attempts=one.attempts,
        forced=one.transport,
    )


def _suppressed(tx: ReadTx, config: Config, one: QueuedMessage, path: Path) -> Result | None:
    """How it fails when its sender's account does not write to this address any more; what others wrote goes on."""
    if one.forwarded_by:
        return None
    entry = suppression.hit(tx, config, one.account, path)
    return None if entry is None else settle.of_suppression(entry)


def _is_due(one: QueuedMessage, now: int) -> bool:
    return not one.hold and one.next_attempt <= now


def _group(tx: ReadTx, waiting: deque[QueueID], now: int) -> tuple[list[QueueID], list[QueuedMessage]]:
    """The first message that waits for a destination, with those of its submission that go together with it.

    They stand next to each other, as they have become due together. Also all ids that are taken with them: what is not
    due any more is left out.
    """
    taken: list[QueueID] = []
    group: list[QueuedMessage] = []
    while waiting and len(group) < TOGETHER and len(taken) < 2 * TOGETHER:
        one = queued.get(tx, waiting[0])
        if one is not None and _is_due(one, now):
            if group and not _go_together(group[0], one):
                break
            group.append(one)
        taken.append(waiting.popleft())
    return taken, group


def _go_together(first: QueuedMessage, other: QueuedMessage) -> bool:
    return (
        first.base_id != 0
        and first.base_id == other.base_id
        and first.attempts == other.attempts
        and first.requiretls == other.requiretls
        and first.transport == other.transport
    )


@lru_cache(maxsize=1024)
def _path(text: str) -> Path:
    return parse_path(f"<{text}>".encode(), smtputf8=True)
