"""The keeper of webhooks: posts what is due, ten at a time, never two to one URL, until it is taken or given up.

An attempt is written down before it is made, with the time of the next one: a crash never makes us knock again at
once, and never forgets a webhook. Receivers may get one twice: they know it by its id.
"""

from collections import deque
from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Final
from urllib.parse import urlsplit

import msgspec
import trio

from appliance.base.log import Log
from appliance.base.metrics import Gauge, panics
from appliance.config.source import Config
from appliance.delivery import webhook
from appliance.delivery.appliance import Appliance
from appliance.queue import hookpost
from appliance.queue.hookpost import Post
from appliance.queue.webhook import owner
from appliance.store import hook
from appliance.store.hookrecords import Hook, HookAttempt
from appliance.store.tables import HookID
from appliance.store.transaction import ReadTx, WriteTx

log = Log("webhook")

posting = Gauge("webhook_posts", "Webhooks that are being posted.")

#: Posted at the same time.
PARALLEL: Final = 10
#: After each attempt but the last.
PAUSES_SECONDS: Final = (60.0, 120.0, 240.0, 450.0, 900.0, 1800.0, 3600.0, 7200.0, 14400.0, 28800.0, 57600.0)
ATTEMPTS: Final = len(PAUSES_SECONDS) + 1
#: Of a pause, added or taken away at random: what failed together is not tried again together.
SPREAD: Final = 0.01
#: The result of an attempt that is being made.
NO_RESULT: Final = "being posted, no result yet"
#: Without news the store is looked at after so long all the same.
LONGEST_PAUSE_SECONDS: Final = 24 * 3600.0
#: Retired webhooks forgotten by one transaction.
FORGET: Final = 200
#: Read before others get their turn.
READ_AT_ONCE: Final = 100
#: That wait in memory for their turn; more stay in the store until there is room.
WAITING: Final = 10_000
#: When not even an attempt can be written down (a full disk), its URL waits so long.
TROUBLE_SECONDS: Final = 60.0

#: Posts once; hookpost.post with its client.
Poster = Callable[[Post], Awaitable[HookAttempt]]


async def run(app: Appliance) -> None:
    """Post for ever."""
    client = hookpost.client(app)

    async def post(one: Post) -> HookAttempt:
        return await hookpost.post(client, one, app.clock.now())

    await Keeper(app, post).run()


class Keeper:
    """What is due, by URL, and what is being posted."""

    def __init__(self, app: Appliance, post: Poster) -> None:
        self._app, self._post = app, post
        #: URLs with something due that nobody posts to, the next one first; and those that somebody posts to.
        self._ready: dict[str, deque[HookID]] = {}
        self._busy: dict[str, deque[HookID]] = {}
        self._known: set[HookID] = set()
        #: How far what is due has been read; what came before that place later is told by the feed.
        self._place = b""

    async def run(self) -> None:
        """Post for ever. A start looks at what is due, not at all that waits."""
        store, clock = self._app.store, self._app.clock
        async with trio.open_nursery() as nursery:
            while True:
                news = store.feed.hooks = trio.Event()  # Before looking, so that nothing is missed.
                now = clock.microseconds()
                await self._read(now)
                self._start(nursery)
                with store.read() as tx:
                    times = [hook.next_time(tx, now), hook.next_forgetting(tx)]
                if times[1] is not None and times[1] <= now:
                    await store.write(hook.forget_retired, FORGET)
                    continue
                next_time = min((when for when in times if when is not None), default=None)
                pause = LONGEST_PAUSE_SECONDS if next_time is None else (next_time - now) / 1e6
                with trio.move_on_after(min(pause, LONGEST_PAUSE_SECONDS)):
                    await news.wait()

    async def _read(self, now: int) -> None:
        """Put what has become due in its place, the longest waiting first."""
        feed = self._app.store.feed
        news, feed.hook_ids = sorted(feed.hook_ids), set()
        if self._place[:8] > hook.due_time(now):
            self._place = hook.due_time(now)  # The clock was set back.
        for first in range(0, len(news), READ_AT_ONCE):
            with self._app.store.read() as tx:
                for id in news[first : first + READ_AT_ONCE]:
                    self._consider(tx, id, now)
            await trio.lowlevel.checkpoint()
        while len(self._known) < WAITING:
            with self._app.store.read() as tx:
                entries = list(islice(hook.due_after(tx, self._place, now), READ_AT_ONCE))
                for place, id in entries:
                    self._place = place
                    self._consider(tx, id, now)
            if len(entries) < READ_AT_ONCE:
                return
            await trio.lowlevel.checkpoint()

    def _consider(self, tx: ReadTx, id: HookID, now: int) -> None:
        if id in self._known or (one := hook.get(tx, id)) is None or one.next_attempt > now:
            return
        self._known.add(id)
        waiting = self._busy.get(one.url)
        (self._ready.setdefault(one.url, deque()) if waiting is None else waiting).append(id)

    def _start(self, nursery: trio.Nursery) -> None:
        """Begin as many posts as may be."""
        while self._ready and len(self._busy) < PARALLEL and not self._app.shutdown.requested:
            url = next(iter(self._ready))
            waiting = self._busy[url] = self._ready.pop(url)
            nursery.start_soon(self._one, url, waiting.popleft())

    async def _one(self, url: str, id: HookID) -> None:
        """One attempt. A bug in it is an attempt that failed; it hinders no other."""
        posting.labels().inc()
        try:
            await self._attempt(id)
        except Exception as error:
            panics.labels("webhook").inc()
            log.error("webhook could not be posted", error, hook=id)
            await trio.sleep(TROUBLE_SECONDS)  # It may be as due as before: the URL has to wait.
        finally:
            self._known.discard(id)
            if waiting := self._busy.pop(url):
                self._ready[url] = waiting
            posting.labels().dec()
            self._app.store.feed.hook_ids.add(id)  # Whatever became of it meanwhile.
            self._app.store.feed.hooks.set()

    async def _attempt(self, id: HookID) -> None:
        app = self._app
        chance = int.from_bytes(app.random.token_bytes(2), "big") / 0xFFFF
        begun = await app.store.write(_begin, app.config.snapshot(), id, chance)
        if begun is None:
            return
        one, payload = begun
        post = Post(one.public_id, one.url, payload, one.attempts, one.authorization, one.secret)
        result = await self._post(post)
        config = app.config.snapshot()
        outcome = await app.store.write(_end, config, one, result)
        log.info(
            "webhook posted" if result.success else "webhook not posted",
            hook=one.id,
            event=one.event,
            queued=one.queued or None,
            attempt=one.attempts,
            host=urlsplit(one.url).hostname,
            code=result.code,
            reason=result.error or None,
            outcome=outcome,
        )


def pause(attempts: int, chance: float) -> int:
    """Microseconds until the next attempt, after so many; `chance` from 0 to 1."""
    seconds = PAUSES_SECONDS[min(attempts, len(PAUSES_SECONDS)) - 1]
    return int(seconds * (1 + SPREAD * (2 * chance - 1)) * 1e6)


def _begin(tx: WriteTx, config: Config, id: HookID, chance: float) -> tuple[Hook, bytes] | None:
    """Write down that an attempt is made, and when the next one is if this one never ends; None: it is not due."""
    one = hook.get(tx, id)
    if one is None or one.next_attempt > tx.now:
        return None
    if one.attempts >= ATTEMPTS:  # The last one was cut off.
        _give_up(tx, config, one)
        return None
    one.attempts += 1
    one.next_attempt = tx.now + pause(one.attempts, chance)
    one.results = (*one.results, HookAttempt(tx.now, url=one.url, error=NO_RESULT))
    hook.update(tx, one)
    return one, hook.payload(tx, id) or b""


def _give_up(tx: WriteTx, config: Config, one: Hook) -> None:
    hook.retire(tx, one, success=False, keep=keep(tx, config, one))


def _end(tx: WriteTx, config: Config, begun: Hook, result: HookAttempt) -> str:
    """Write down what an attempt came to; one word for that.

    Whatever was done with the webhook meanwhile stays; one that was superseded or canceled learns it all the same.
    """
    result = msgspec.structs.replace(result, start=begun.results[-1].start)
    one = hook.get(tx, begun.id)
    if one is None:
        done = hook.retired(tx, begun.id)
        if done is None:
            return "forgotten"
        hook.set_result(tx, done, result)
        return "superseded" if done.superseded_by else "canceled"
    one.results = (*(each for each in one.results if each.start != result.start), result)
    if result.success:
        hook.retire(tx, one, success=True, keep=keep(tx, config, one))
        return "done"
    if one.attempts >= ATTEMPTS:
        _give_up(tx, config, one)
        return "given up"
    hook.update(tx, one)
    return "waits"


def keep(tx: WriteTx, config: Config, one: Hook) -> int:
    """Microseconds for which a webhook is remembered once it is done."""
    return webhook.keep(owner(tx, config, one.account)[1])
