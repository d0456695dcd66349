"""The keeper of the queue: takes what is due, delivers it, settles what became of it.

Recipients of ours get their copies by the front door, `delivery.receive`, and the same transaction takes the message
out of the queue: whatever happens to this process, it is in one place or the other. Sending to other hosts is not
here yet, and nothing for them is accepted.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from ipaddress import IPv4Address
from itertools import islice
from typing import Final

import msgspec
import trio

from appliance.base.log import Log
from appliance.base.metrics import panics
from appliance.config.addresses import Disabled
from appliance.config.source import Config
from appliance.delivery import receive as delivery
from appliance.delivery.appliance import Appliance
from appliance.delivery.copies import AliasRecipient, Recipient
from appliance.delivery.envelope import Envelope
from appliance.delivery.place import Placement, place
from appliance.delivery.receive import Verdict
from appliance.mail.address import Path, parse_path
from appliance.mail.dsn import Action
from appliance.mail.status import Status
from appliance.queue import notices
from appliance.queue.notices import Told
from appliance.queue.schedule import SCHEDULE, Schedule
from appliance.store import queued
from appliance.store.problems import NoSuchAccount
from appliance.store.queuerecords import Attempt, QueuedMessage
from appliance.store.spool import Spooled
from appliance.store.store import Store
from appliance.store.tables import NO_ACCOUNT, AccountID, QueueID
from appliance.store.transaction import ReadTx, WriteTx

log = Log("queue")

#: Submissions delivered at the same time.
PARALLEL: Final = 10
#: Copies of one submission delivered by one transaction: some ten ms of the writer's time.
TOGETHER: Final = 100
#: Without news the queue is looked at after so long all the same.
LONGEST_PAUSE_SECONDS: Final = 24 * 3600.0
#: When not even the failure of an attempt can be written down, the next attempt waits so long.
TROUBLE_SECONDS: Final = 60.0
#: Retired messages forgotten by one transaction.
FORGET_MESSAGES: Final = 200
#: What is remembered of messages of an account that is gone.
KEEP_ORPHANS_SECONDS: Final = 7 * 24 * 3600
#: Kept of a reply.
REPLY_CHARACTERS: Final = 500

#: Where mail for a path goes; a verdict when nobody takes it. operations.queue has it.
Locate = Callable[[Appliance, Config, Path], Recipient | AliasRecipient | Verdict]


class _Changed(Exception):
    """Somebody else changed a message during the attempt: nothing of the attempt counts."""


async def run(app: Appliance, locate: Locate, schedule: Schedule = SCHEDULE) -> None:
    """Deliver for ever. A start looks at what is due, not at all that waits."""
    await _Runner(app, locate, schedule).run()


class _Runner:
    def __init__(self, app: Appliance, locate: Locate, schedule: Schedule) -> None:
        self.app = app
        self.locate = locate
        self.schedule = schedule
        self.busy: set[QueueID] = set()
        self.running = 0

    async def run(self) -> None:
        feed = self.app.store.feed
        async with trio.open_nursery() as nursery:
            while True:
                news = feed.queued = trio.Event()  # Before looking, so that nothing is missed.
                now = self.app.clock.microseconds()
                groups, next_time = self._take(now)
                for group in groups:
                    self.running += 1
                    self.busy.update(one.id for one in group)
                    nursery.start_soon(self._one, group)
                if await self._forget(now):
                    continue
                pause = LONGEST_PAUSE_SECONDS if next_time is None else (next_time - now) / 1e6
                with trio.move_on_after(min(pause, LONGEST_PAUSE_SECONDS)):
                    await news.wait()

    async def _forget(self, now: int) -> bool:
        """Forget retired messages whose time is up; whether more wait."""
        with self.app.store.read() as tx:
            when = queued.next_forgetting(tx)
        return when is not None and when <= now and await self.app.store.write(queued.forget_retired, FORGET_MESSAGES)

    def _take(self, now: int) -> tuple[list[list[QueuedMessage]], int | None]:
        """Messages to deliver now, those of one submission together, and when the next become due."""
        groups: list[list[QueuedMessage]] = []
        taken = set(self.busy)
        with self.app.store.read() as tx:
            if self.running < PARALLEL:
                for id in queued.due(tx, now):
                    if id in taken:
                        continue
                    group = _together(tx, id, now, taken)
                    taken.update(one.id for one in group)
                    groups.append(group)
                    if self.running + len(groups) >= PARALLEL:
                        break
            times = [queued.next_time(tx, now), queued.next_forgetting(tx)]
        return groups, min((max(when, now) for when in times if when is not None), default=None)

    async def _one(self, group: list[QueuedMessage]) -> None:
        """One attempt. A bug in it is an attempt that failed; it hinders no other."""
        try:
            try:
                await self._attempt(group)
            except Exception as error:
                panics.labels("queue").inc()
                log.error("delivery failed", error, queued=[one.id for one in group])
                await self._postpone(group)
        finally:
            self.busy.difference_update(one.id for one in group)
            self.running -= 1
            self.app.store.feed.queued.set()

    async def _attempt(self, group: list[QueuedMessage]) -> None:
        app, began = self.app, self.app.clock.microseconds()
        config = app.config.snapshot()
        found = [(one, _refusal(app, config, one) or self.locate(app, config, _path(one))) for one in group]
        verdicts = {one.id: where for one, where in found if isinstance(where, Verdict)}
        reachable = [(one, where) for one, where in found if not isinstance(where, Verdict)]
        try:
            spooled = await self._body(group[0])
            if reachable:
                verdicts.update(await self._deliver(config, reachable, spooled, began))
            failed = [(one, verdicts[one.id]) for one in group if verdicts[one.id].code != 250]
            if failed:
                await self._fail(config, failed, spooled, began)
        except _Changed:
            log.info("message changed during the attempt", queued=[one.id for one in group])

    async def _body(self, one: QueuedMessage) -> Spooled:
        try:
            return await self.app.store.stored(one.body)
        except KeyError:
            with self.app.store.read() as tx:
                _unchanged(tx, one)  # Dropped since it was taken, most likely.
            raise

    # Delivered.

    async def _deliver(
        self,
        config: Config,
        reachable: Sequence[tuple[QueuedMessage, Recipient | AliasRecipient]],
        spooled: Spooled,
        began: int,
    ) -> dict[QueueID, Verdict]:
        """Place the copies and take those that were placed out of the queue."""
        app, first = self.app, reachable[0][0]
        receipts: dict[QueueID, Placement] = {}
        for one, where in reachable:
            if one.wants("SUCCESS"):
                told = Told(one, notices.success(where), 250, Status(2, 0, 0), "")
                notice = await notices.placement(app, config, [told], spooled)
                if notice is not None:
                    receipts[one.id] = notice
        hostname = config.static.hostname.domain.ascii
        envelope = Envelope(
            reverse_path=_sender(first),
            recipients=[where for _, where in reachable],
            # The queue delivers as this host itself: the submitter's address is nobody's business.
            remote_ip=IPv4Address("127.0.0.1"),
            ehlo=hostname,
            trace=None,
            arrived=app.clock.now(),
            tls_version=None,
            tls_cipher="",
            requiretls=first.requiretls is True,
            addresses=config.derived.addresses,
            prefix=first.prefix,
            is_ours=True,
        )

        def settle(tx: WriteTx, verdicts: Sequence[Verdict]) -> None:
            for (one, _), verdict in zip(reachable, verdicts, strict=True):
                if verdict.code != 250:
                    continue
                _unchanged(tx, one)
                if one.id in receipts:
                    _place(tx, app.store, receipts[one.id])
                _done(tx, config, _attempted(one, verdict, began, tx.now), success=True)

        verdicts = await delivery.receive(app, envelope, spooled, settle=settle)
        for (one, _), verdict in zip(reachable, verdicts, strict=True):
            if verdict.code == 250:
                log.info("delivered", queued=one.id, recipient=one.recipient, attempts=one.attempts + 1)
        return {one.id: verdict for (one, _), verdict in zip(reachable, verdicts, strict=True)}

    # Not delivered.

    async def _fail(
        self, config: Config, failed: Sequence[tuple[QueuedMessage, Verdict]], spooled: Spooled, began: int
    ) -> None:
        """Write down failures: each is tried again later, or its sender hears that it is not."""
        now = self.app.clock.microseconds()
        tried = [(_attempted(one, verdict, began, now), verdict) for one, verdict in failed]
        ended: list[QueuedMessage] = []
        told: dict[Action, list[Told]] = {Action.FAILED: [], Action.DELAYED: []}
        for one, verdict in tried:
            final = verdict.code >= 500 or one.attempts >= self.schedule.last(one.max_attempts)
            log.info(
                "not delivered" if final else "not delivered yet",
                queued=one.id,
                recipient=one.recipient,
                attempts=one.attempts,
                code=verdict.code,
                status=str(verdict.status),
                text=verdict.text,
            )
            tell = partial(Told, one, code=verdict.code, status=verdict.status, text=verdict.text)
            if final:
                ended.append(one)
                if one.wants("FAILURE"):
                    told[Action.FAILED].append(tell(action=Action.FAILED))
                continue
            one.next_attempt = now + self._pause(one.attempts)
            if one.attempts == self.schedule.delay_notice_attempts and one.wants("DELAY"):
                until = now / 1e6 + self.schedule.remaining_seconds(one.attempts, one.max_attempts)
                told[Action.DELAYED].append(
                    tell(action=Action.DELAYED, will_retry_until=datetime.fromtimestamp(until, UTC))
                )
        prepared = [await notices.placement(self.app, config, some, spooled) for some in told.values() if some]
        await self.app.store.write(
            self._write_failures,
            config,
            [one for one, _ in failed],
            [one for one, _ in tried],
            {one.id for one in ended},
            [one for one in prepared if one is not None],
        )

    def _write_failures(
        self,
        tx: WriteTx,
        config: Config,
        before: Sequence[QueuedMessage],
        after: Sequence[QueuedMessage],
        ended: set[QueueID],
        prepared: Sequence[Placement],
    ) -> None:
        for one in before:
            _unchanged(tx, one)
        for one in after:
            if one.id in ended:
                _done(tx, config, one, success=False)
            else:
                queued.update(tx, one)
        for notice in prepared:
            _place(tx, self.app.store, notice)

    async def _postpone(self, group: Sequence[QueuedMessage]) -> None:
        """After a bug or a full disk: try again later, as after any failure, but whatever happens to the message."""

        def body(tx: WriteTx) -> None:
            for one in group:
                current = queued.get(tx, one.id)
                if current is not None:
                    current.attempts += 1
                    current.last_attempt = tx.now
                    current.next_attempt = tx.now + self._pause(min(current.attempts, self.schedule.attempts))
                    queued.update(tx, current)

        try:
            await self.app.store.write(body)
        except Exception as error:
            log.error("cannot write down a failed delivery", error)
            await trio.sleep(TROUBLE_SECONDS)

    def _pause(self, attempts: int) -> int:
        """Microseconds until the next attempt."""
        chance = int.from_bytes(self.app.random.token_bytes(2), "big") / 0xFFFF
        return int(self.schedule.pause_seconds(attempts, chance) * 1e6)


def _together(tx: ReadTx, id: QueueID, now: int, taken: set[QueueID]) -> list[QueuedMessage]:
    """A due message with all others of its submission that are due and not being worked at."""
    first = queued.get(tx, id)
    assert first is not None
    if not first.base_id:
        return [first]
    others = (queued.get(tx, other) for other in queued.of_base(tx, first.base_id) if other not in taken)
    ready = (one for one in others if one is not None and not one.hold and one.next_attempt <= now)
    return list(islice(ready, TOGETHER))


def _refusal(app: Appliance, config: Config, one: QueuedMessage) -> Verdict | None:
    """What stands against an attempt now."""
    sender = _sender(one)
    if not sender.is_null and isinstance(config.derived.addresses.lookup(sender), Disabled):
        return Verdict(_path(one), 451, Status(4, 3, 0), "the sender's domain is disabled for now")
    wanted = app.policy.failure(_path(one), "queue")
    if wanted is not None:
        return Verdict(_path(one), wanted.code, Status(wanted.code // 100, 0, 0), "failure as the address asks for")
    return None


def _path(one: QueuedMessage) -> Path:
    return parse_path(f"<{one.recipient}>".encode(), smtputf8=True)


def _sender(one: QueuedMessage) -> Path:
    return parse_path(f"<{one.reverse_path}>".encode(), smtputf8=True)


def _attempted(one: QueuedMessage, verdict: Verdict, began: int, now: int) -> QueuedMessage:
    """The message after an attempt."""
    code, text = verdict.code, verdict.text[:REPLY_CHARACTERS]
    result = Attempt(began, max(0, now - began), code == 250, code, str(verdict.status), text)
    return msgspec.structs.replace(one, attempts=one.attempts + 1, last_attempt=began, results=(*one.results, result))


def _unchanged(tx: ReadTx, one: QueuedMessage) -> None:
    """Raises _Changed: what was delivered, dropped or put on hold meanwhile must not be delivered again."""
    if queued.get(tx, one.id) != one:
        raise _Changed


def _done(tx: WriteTx, config: Config, one: QueuedMessage, *, success: bool) -> None:
    queued.remove(tx, one, success=success, keep=_keep(tx, config, one.account))


def _keep(tx: ReadTx, config: Config, account: AccountID) -> int:
    """Microseconds for which a message is remembered."""
    try:
        name = "" if account == NO_ACCOUNT else tx.account(account).name
    except NoSuchAccount:
        name = ""
    settings = config.domains.accounts.get(name)
    if settings is None:
        return KEEP_ORPHANS_SECONDS * 1_000_000
    period = settings.keep_retired_message_period
    return 0 if period is None else int(period.seconds * 1e6)


def _place(tx: WriteTx, store: Store, notice: Placement) -> None:
    placed = place(tx, notice, store.limits.mailbox)
    if placed.added is None:
        raise NoSuchAccount("nobody is there to get a notice")
