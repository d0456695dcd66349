"""Messages of the queue for recipients of one other domain: one attempt, written down before and after.

Whatever a host has taken is settled at once, before anything else is said to it. When that cannot be written, it is
remembered here and tried until it can: nothing is delivered again because a disk was full.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from ipaddress import ip_address
from typing import Final

import trio
from OpenSSL import SSL

from appliance.base.log import Log
from appliance.base.metrics import Histogram
from appliance.config.source import Config
from appliance.delivery.appliance import Appliance
from appliance.mail.address import Path
from appliance.mail.domain import Domain, IPLiteral
from appliance.net.dial import Sources
from appliance.protocol.smtp.client import Delivered, Outcome
from appliance.protocol.smtp.failure import Failure, Fault
from appliance.protocol.smtp.transaction import Recipient
from appliance.queue import settle, tlsnotes, transports
from appliance.queue.line import Line
from appliance.queue.parcel import Handed, Means, Parcel, TLSOffer, World
from appliance.queue.route import Way
from appliance.queue.schedule import Schedule
from appliance.queue.settle import Settlement
from appliance.queue.smtpclient import Content
from appliance.queue.tlsnotes import Note
from appliance.store import bodies, offered
from appliance.store.problems import StorageFull, StoreFailed
from appliance.store.queuerecords import Offered, QueuedMessage
from appliance.store.spool import Spooled
from appliance.store.store import Store
from appliance.store.tables import NO_ACCOUNT, AccountID, QueueID
from appliance.store.transaction import WriteTx
from appliance.tls.context import client_context

log = Log("queue")

durations = Histogram(
    "queue_delivery_duration_seconds",
    "Time of an attempt to hand a message to another host.",
    ("attempt", "transport", "tlsmode", "result"),
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 10, 20, 30, 60, 120, 300, 600, 1800),
)

#: When what became of an attempt cannot be written down, the next try waits so long.
TROUBLE_SECONDS: Final = 60.0


class Remote:
    """Hands messages to other hosts. What it needs for all attempts is made once."""

    def __init__(self, app: Appliance, world: World, schedule: Schedule) -> None:
        self.app, self.world, self.schedule = app, world, schedule
        self._context: SSL.Context = client_context()
        #: For which configuration the means are.
        self._config: Config | None = None
        self._means_now: Means | None = None

    async def deliver(
        self,
        config: Config,
        way: Way,
        domain: Domain | IPLiteral,
        reverse_path: Path,
        group: Sequence[tuple[QueuedMessage, Path]],
        line: Line,
    ) -> None:
        """One attempt for messages of one submission, on the line's connection if it has one for them.

        Raises settle.Changed: they changed before it began, or all were dropped before their content was sent.
        """
        app = self.app
        began = app.clock.microseconds()
        next_attempt = began + settle.pause(app, self.schedule, group[0][0].attempts + 1)
        before = [one for one, _ in group]
        begun = await app.store.write(settle.begin, before, next_attempt)
        attempt = _Attempt(self, config, domain, before, begun, began)
        parcel = self._parcel(begun, reverse_path, [path for _, path in group])
        start, handed, result = time.perf_counter(), Handed(), "error"
        try:
            means = self._means(config)
            await line.go_by(config, way)
            handed = await transports.send(means, way, domain, parcel, attempt.taken, line)
            if way.transport.smarthost is None:  # A smarthost knows who we are, and asks no list.
                for _ in range(handed.opened):
                    app.own_listings.connected()
            result = _result(handed.outcomes)
        except trio.Cancelled:
            result = "canceled"
            raise
        finally:
            labels = str(min(before[0].attempts + 1, 16)), way.name or "direct", handed.tls_label or "none", result
            durations.labels(*labels).observe(time.perf_counter() - start)
        await attempt.finish(handed)
        if handed.offer is not None and isinstance(domain, Domain):
            await self._note_offer(before[0].account, domain, handed.offer)

    async def _note_offer(self, account: AccountID, domain: Domain, offer: TLSOffer) -> None:
        """Keep what the domain's hosts offer, for who writes to it again. Mail does not depend on that."""
        store = self.app.store
        new = Offered(domain.unicode, self.app.clock.microseconds(), offer.starttls, offer.requiretls)
        try:
            with store.read() as tx:
                is_news = account != NO_ACCOUNT and offered.is_news(tx, account, new)
            if is_news:
                await store.write(offered.note, account, new)
        except Exception as error:
            log.error("what a domain offers of TLS is not kept", error, domain=domain.unicode)

    def _parcel(self, group: Sequence[QueuedMessage], reverse_path: Path, recipients: Sequence[Path]) -> Parcel:
        first = group[0]
        return Parcel(
            reverse_path=reverse_path,
            recipients=tuple(
                Recipient(path, one.notify, one.orcpt) for one, path in zip(group, recipients, strict=True)
            ),
            content=_content(self.app.store, first),
            content_utf8=None if first.dsn_utf8 is None else Content.of(first.dsn_utf8),
            has_8bit=first.has_8bit,
            # One whose own address is beyond ASCII is no obstacle to the others; each needs it where the header does.
            smtputf8=all(one.smtputf8 for one in group),
            requiretls=first.requiretls,
            ret=first.ret,
            envid=first.envid,
            attempts=first.attempts - 1,
            dialed={host: tuple(map(ip_address, addresses)) for host, addresses in first.dialed_ips.items()},
            must_tls=first.is_dmarc_report,
        )

    def _means(self, config: Config) -> Means:
        if self._means_now is None or self._config is not config:
            self._config, self._means_now = config, self._new_means(config)
        return self._means_now

    def _new_means(self, config: Config) -> Means:
        app, static = self.app, config.static
        hostname = static.hostname.domain.ascii
        listeners = (one.hostname.domain.ascii for one in static.listeners.values() if one.hostname is not None)
        return Means(
            world=self.world,
            resolver=app.resolver.named("queue"),
            random=app.random,
            clock=app.clock,
            shutdown=app.shutdown,
            log=log,
            roots=app.roots,
            context=self._context,
            ehlo_name=hostname,
            ourselves=frozenset((hostname, *listeners)),
            sources=_sources(config),
            require_tls=static.queue.require_tls,
        )


class _Attempt:
    """What becomes of one attempt's messages, and that it is written down."""

    def __init__(
        self,
        remote: Remote,
        config: Config,
        domain: Domain | IPLiteral,
        before: Sequence[QueuedMessage],
        group: Sequence[QueuedMessage],
        began: int,
    ) -> None:
        self._app, self._schedule, self._config = remote.app, remote.schedule, config
        self._domain, self._before, self._group, self._began = domain, before, group, began
        self._settled: set[QueueID] = set()
        #: Connections whose TLS is written down.
        self._noted = 0
        self._spooled: Spooled | None = None
        self._tells = True

    async def taken(self, handed: Handed, outcomes: Mapping[int, Delivered]) -> None:
        """A host has these; write it down before more is said to it."""
        with trio.CancelScope(shield=True):
            try:
                settlement = await self._success(handed, outcomes)
                await self._write(handed, settlement)
            except Exception as error:
                # `finish` comes back to it: what is in its way must not cost the recipients that are left.
                log.error("delivered, and that cannot be written down yet", error, queued=self._ids(outcomes))

    async def finish(self, handed: Handed) -> None:
        """Write down all that is not; again and again if need be, since what was delivered must not go twice."""
        outcomes = dict(enumerate(handed.outcomes))
        left = {at: one for at, one in outcomes.items() if self._group[at].id not in self._settled}
        delivered = {at: one for at, one in left.items() if isinstance(one, Delivered)}
        failed = {at: one for at, one in left.items() if isinstance(one, Failure)}
        # The connection was used up before their turn came: they are due at once, on another one.
        waiting = [at for at, one in failed.items() if one.fault is Fault.LIMIT]
        if waiting:
            pairs = [(self._before[at], self._group[at]) for at in waiting]
            await self._app.store.write(settle.take_back, pairs)
            failed = {at: one for at, one in failed.items() if at not in waiting}
        while failed or delivered:
            try:
                with trio.CancelScope(shield=True):
                    if delivered:
                        await self._write(handed, await self._success(handed, delivered))
                        delivered = {}
                    if failed:
                        await self._write(handed, await self._failure(handed, failed))
                        failed = {}
            except Exception as error:
                if not delivered:
                    raise
                # Better no word to the sender than a message that is never done with.
                self._tells = isinstance(error, StorageFull | StoreFailed)
                log.error("delivered, and that cannot be written down yet", error, queued=self._ids(delivered))
                await trio.sleep(TROUBLE_SECONDS)

    async def _success(self, handed: Handed, outcomes: Mapping[int, Delivered]) -> Settlement:
        tried, results = self._tried(handed, outcomes)
        spooled = None
        if self._tells and not handed.tells_success and any(one.wants("SUCCESS") for one in tried):
            with suppress(settle.Changed):
                spooled = await self._message()
        return await settle.success(self._app, self._config, tried, results, spooled)

    async def _failure(self, handed: Handed, outcomes: Mapping[int, Failure]) -> Settlement:
        tried, results = self._tried(handed, outcomes)
        spooled = await self._message()
        return await settle.failure(self._app, self._config, self._schedule, tried, results, spooled)

    def _tried(
        self, handed: Handed, outcomes: Mapping[int, Outcome]
    ) -> tuple[list[QueuedMessage], list[settle.Result]]:
        now = self._app.clock.microseconds()
        results = [settle.of_outcome(one, handed) for one in outcomes.values()]
        tried = [
            settle.attempted(self._group[at], result, self._began, now, handed)
            for at, result in zip(outcomes, results, strict=True)
        ]
        return tried, results

    async def _write(self, handed: Handed, settlement: Settlement) -> None:
        """With what the domain will be told about TLS. When there is no room for that, mail goes on without."""
        store, connections, notes = self._app.store, handed.connections[self._noted :], []
        if isinstance(self._domain, Domain) and not self._config.static.no_outgoing_tls_reports:
            notes = tlsnotes.notes(self._domain, connections)
        first = self._group[0]

        def write(tx: WriteTx, notes: Sequence[Note]) -> frozenset[int]:
            if notes:
                tlsnotes.write(tx, notes, first)
            return settle.write(tx, self._config, store, settlement)

        try:
            suppressing = await store.write(write, notes)
        except Exception as error:
            if not notes:
                raise
            log.error("results about TLS are not kept", error, domain=str(self._domain))
            suppressing = await store.write(write, [])
        self._noted += len(connections)
        self._settled.update(one.id for one in settlement.after)
        settle.tell(settlement.after, settlement.results, settlement.ended, suppressing)

    async def _message(self) -> Spooled:
        """Raises settle.Changed when it was dropped meanwhile."""
        if self._spooled is None:
            try:
                self._spooled = await self._app.store.stored(self._group[0].body)
            except KeyError as error:
                raise settle.Changed from error
        return self._spooled

    def _ids(self, outcomes: Mapping[int, object]) -> list[QueueID]:
        return [self._group[at].id for at in outcomes]


def _content(store: Store, one: QueuedMessage) -> Content:
    size = one.size - len(one.prefix)

    def read(start: int, end: int) -> bytes:
        try:
            with store.read() as tx:
                return bodies.read(tx, one.body, start, min(end, size))
        except KeyError as error:
            raise settle.Changed from error  # All who have this body were dropped meanwhile.

    return Content(one.prefix, size, read)


def _sources(config: Config) -> Sources:
    """The addresses of ours that mail leaves from. From a loopback address nothing leaves."""
    found = {ip.version: ip for ip in config.derived.source_ips if not ip.is_loopback}
    return Sources(found.get(4), found.get(6))


def _result(outcomes: Sequence[Outcome]) -> str:
    """The attempt in a word, as the counter has it."""
    failures = [one for one in outcomes if isinstance(one, Failure)]
    if not failures:
        return "ok"
    if len(failures) < len(outcomes):
        return "okpartial"
    first = failures[0]
    if first.fault is Fault.TIMEOUT:
        return "timeout"
    if first.fault is Fault.SHUTDOWN:
        return "canceled"
    return "permerror" if first.permanent else "temperror"
