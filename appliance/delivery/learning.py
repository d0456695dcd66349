"""Teaches the junk filters: reads the words of messages whose judgement changed, beside the work of the house.

A change of flags, a move or a delivery only notes that there is something to learn, in its own transaction, and costs
no more than that. The keeper here reads the messages in a thread and learns some of them in each transaction, which
also takes the notes away; so whatever happens, a message is learned once. A content that is gone from its mailbox
waits for it, or it could not be unlearned.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Final

import trio

from appliance.base import limits
from appliance.base.problem import Kind, Problem
from appliance.config.domains import JunkFilter
from appliance.config.source import ConfigSource
from appliance.delivery.junk import grams
from appliance.mail.tokens import tokens
from appliance.store import account as accounts, bodies, junk
from appliance.store.junk import Lesson
from appliance.store.problems import NoSuchAccount
from appliance.store.store import Store
from appliance.store.tables import AccountID, BodyID, MessageID

log = logging.getLogger("moxpy.junk")

#: Between news of accounts and the look at them: what is moved in heaps is looked at once.
LEISURE_SECONDS: Final = 1.0
#: Messages, and words, that one transaction learns: some ms of the writer's time.
MESSAGES: Final = 16
WORDS: Final = 1000
#: After each of them the keeper rests so many times as long as it took, so that nobody feels it; less while somebody
#: waits for a new filter.
REST: Final = 4
REST_WHEN_ASKED: Final = 1
#: Messages looked at for a judgement before others have their turn, and words forgotten by one transaction.
STEP_MESSAGES: Final = 500
STEP_WORDS: Final = 5000


#: Hears how many messages were learned so far.
Progress = Callable[[int], Awaitable[None]]


async def _silent(_: int) -> None:
    """Nobody wants to know."""


class NoJunkFilter(Problem):
    """The account has no junk filter in the configuration."""

    kind = Kind.NOT_FOUND


@dataclass(frozen=True, slots=True)
class Retrained:
    """What a new filter has learned."""

    hams: int
    spams: int


class Learner:
    """The keeper of the junk filters. Lives in the event loop."""

    def __init__(self) -> None:
        self._turn = trio.Lock()

    async def keep(self, store: Store, config: ConfigSource) -> None:
        """Keeper task: look at all accounts, then at those with news."""
        with store.read() as tx:
            waiting = set(accounts.names(tx).values())
        while True:
            for account in sorted(waiting):
                await self.look(store, config, account)
            feed = store.feed
            await feed.judging.wait()
            await trio.sleep(LEISURE_SECONDS)
            waiting, feed.judged = feed.judged, set()
            feed.judging = trio.Event()

    async def look(self, store: Store, config: ConfigSource, account: AccountID) -> None:
        """Learn all that waits; make a filter where there is none that fits the configuration."""
        async with self._turn:
            try:
                await self._look(store, config, account)
            except NoSuchAccount:
                pass

    async def retrain(
        self, store: Store, config: ConfigSource, account: AccountID, progress: Progress = _silent
    ) -> Retrained:
        """Make the filter of an account anew, of all messages that are judged now.

        The old one serves meanwhile; `progress` hears now and then how many there were so far. When this is cancelled
        or the house stops, the keeper makes it later.
        Raises NoSuchAccount, NoJunkFilter.
        """
        async with self._turn:
            settings = _settings(store, config, account)
            if settings is None or not grams(settings):
                raise NoJunkFilter("the account has no junk filter")
            try:
                await self._make(store, account, grams(settings), progress, rest=REST_WHEN_ASKED)
            finally:
                store.feed.stir(account)
            with store.read() as tx:
                state = junk.learned(tx, account)
        return Retrained(state.hams, state.spams)

    async def _look(self, store: Store, config: ConfigSource, account: AccountID) -> None:
        settings = _settings(store, config, account)
        wanted = () if settings is None else grams(settings)
        with store.read() as tx:
            state = junk.learned(tx, account)
            waiting = bool(junk.noted(tx, account, 1))
        if not wanted:
            if waiting:
                while not await store.write(junk.forget_notes, account, STEP_WORDS):
                    pass
                store.feed.erasable.set()
            return
        if state.making or not state.whole or state.grams != wanted:
            await self._make(store, account, wanted)
        await self._catch_up(store, account)

    async def _catch_up(self, store: Store, account: AccountID) -> None:
        """Learn what is noted."""
        while True:
            with store.read() as tx:
                removed = tx.account(account).removed
                state = junk.learned(tx, account)
                ids = junk.noted(tx, account, MESSAGES)
            if removed or not ids:
                return
            await self._learn(store, account, state.filter, state.grams, ids)
            # What was removed may be erased when it has been unlearned.
            store.feed.erasable.set()

    async def _make(
        self,
        store: Store,
        account: AccountID,
        wanted: tuple[int, ...],
        progress: Progress = _silent,
        *,
        rest: float = REST,
    ) -> None:
        """Make a new filter and put it in the old one's place."""
        number = await store.write(junk.begin, account, wanted)
        after: MessageID | None = MessageID(0)
        total = 0
        while after is not None:
            ids, after = await trio.to_thread.run_sync(_judged, store, account, after)
            total += len(ids)
            while ids:
                ids = ids[await self._learn(store, account, number, wanted, ids[:MESSAGES], rest) :]
            await progress(total)
        await store.write(junk.finish, account)
        while not await store.write(junk.drop_others, account, STEP_WORDS):
            pass
        with store.read() as tx:
            state = junk.learned(tx, account)
        fields = {"account": account, "hams": state.hams, "spams": state.spams}
        log.debug("junk filter made", extra={"fields": fields})

    async def _learn(
        self,
        store: Store,
        account: AccountID,
        number: int,
        known: tuple[int, ...],
        ids: list[MessageID],
        rest: float = REST,
    ) -> int:
        """Learn some messages, and rest; how many of them there was room for."""
        began = perf_counter()
        lessons = await trio.to_thread.run_sync(partial(_lessons, store, account, number, known, ids))
        await store.write(junk.learn, account, number, lessons)
        await trio.sleep(rest * (perf_counter() - began))
        return len(lessons)


def _settings(store: Store, config: ConfigSource, account: AccountID) -> JunkFilter | None:
    with store.read() as tx:
        name = tx.account(account).name
    found = config.snapshot().domains.accounts.get(name)
    return None if found is None else found.junk_filter


def _judged(store: Store, account: AccountID, after: MessageID) -> tuple[list[MessageID], MessageID | None]:
    """Some of the messages that are judged, oldest first, and where to go on; None at the end."""
    with store.read() as tx:
        return junk.judged(tx, account, after, STEP_MESSAGES)


def _lessons(
    store: Store, account: AccountID, number: int, known: tuple[int, ...], ids: list[MessageID]
) -> list[Lesson]:
    """The words of messages, as many as go into one transaction; of one that need not be learned none."""
    lessons: list[Lesson] = []
    room = WORDS
    for id in ids:
        with store.read() as tx:
            root = junk.root_if_due(tx, account, id, number)
        words = None
        if root is not None:
            body, part = root

            def read(start: int, end: int, body: BodyID = body) -> bytes:
                with store.read() as tx:
                    return bodies.read(tx, body, start, end)

            try:
                words = tokens(part, read, known, limits.TOKENS)
            except KeyError:
                pass  # Erased meanwhile: it is no longer there to be learned.
        room -= len(words or ())
        if room < 0 and lessons:
            break  # It comes with the next ones.
        lessons.append(Lesson(id, words))
    return lessons
