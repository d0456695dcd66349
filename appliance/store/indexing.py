"""Keeps the index of texts (store.words): makes segments of what has arrived, again when much of one is gone.

All of it is done beside the work of the house: in a thread, in slices of some milliseconds with longer pauses after
each, in turn with the searches that run. A delivery does nothing for it. Segments become valid by one small
transaction, so whatever happens there is the old one or the new one; what is in none is searched in its text.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Final, TypeVar

import trio

from appliance.store import account as accounts, message, tables, words
from appliance.store.problems import NoSuchAccount
from appliance.store.records import unpack_place
from appliance.store.tables import AccountID, MessageID, Table
from appliance.store.transaction import ReadTx
from appliance.store.words import Builder, Piece, Segment

if TYPE_CHECKING:
    from appliance.store.store import Store

log = logging.getLogger("moxpy.store")

T = TypeVar("T")

#: A slice of work in the thread; then a pause so many times as long. A busy house makes slices take longer, and so the
#: pauses: a thread that computes costs everybody else more than its share, since only one runs Python at a time.
SLICE_SECONDS: Final = 0.005
REST: Final = 4
#: As long as the house is writing, so many pauses instead of one: a burst of mail is not slowed by its own index.
BUSY_RESTS: Final = 5
#: Between news of accounts and the look at them: mail that comes in heaps is looked at once.
LEISURE_SECONDS: Final = 5.0
#: A segment that has lost half of its messages is made again. How often that is looked for in an account.
SPARSE_SECONDS: Final = 3600.0
#: Texts read, or places looked up, before the clock is asked.
STEP_MESSAGES: Final = 16
STEP_PLACES: Final = 1024
#: Octets of pieces written by one transaction.
WRITE_OCTETS: Final = 512 * 1024


@dataclass(slots=True)
class _Tail:
    """What has arrived in an account and is in no segment yet."""

    up_to: MessageID
    messages: int = 0
    octets: int = 0

    @property
    def full(self) -> bool:
        """Whether it makes a segment."""
        return self.messages >= words.MESSAGES or self.octets >= words.TEXT_OCTETS


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What `reindex` has made of an account."""

    messages: int
    segments: int
    text_octets: int
    index_octets: int


class Indexer:
    """The keeper of one store's index. Lives in the event loop."""

    def __init__(self, store: "Store") -> None:
        self._store = store
        #: One at a time takes a slice, searches too: so that they share one thread's worth of the machine.
        self.turn = trio.CapacityLimiter(1)
        self._building = trio.Lock()
        self._tails: dict[AccountID, _Tail] = {}
        self._looked: dict[AccountID, float] = {}

    async def keep(self) -> None:
        """Keeper task: look at all accounts, then at those with news."""
        with self._store.read() as tx:
            waiting = set(accounts.names(tx).values())
        while True:
            for account in sorted(waiting):
                await self.look(account)
            feed = self._store.feed
            await feed.stirring.wait()
            await trio.sleep(LEISURE_SECONDS)
            waiting, feed.stirred = feed.stirred, set()
            feed.stirring = trio.Event()

    async def look(self, account: AccountID) -> None:
        """Bring the index of an account up to date as far as whole segments go."""
        try:
            async with self._building:
                while await self._grow(account, least=None):
                    pass
                if trio.current_time() - self._looked.get(account, -SPARSE_SECONDS) >= SPARSE_SECONDS:
                    self._looked[account] = trio.current_time()
                    await self._thin_out(account)
        except NoSuchAccount:
            self._tails.pop(account, None)
            self._looked.pop(account, None)

    async def reindex(self, account: AccountID) -> Rebuilt:
        """Make the index of an account anew, whatever it was; the last, smaller segment too.

        Raises NoSuchAccount. Searches go on meanwhile, by the texts. What is left to do when this is cancelled, the
        keeper does.
        """
        async with self._building:
            self._tails.pop(account, None)
            self._store.feed.stir(account)
            while True:
                with self._store.read() as tx:
                    entry = next(words.segments(tx, account), None)
                if entry is None:
                    break
                await self._store.write(words.put_segment, account, entry[0], None, [entry[0]])
            while await self._grow(account, least=1):
                pass
            made = await self._sliced(self._measure(account))
            assert made is not None
            return made

    # Making

    async def _grow(self, account: AccountID, *, least: int | None) -> bool:
        """Make the next segment if enough has arrived; whether it has. `least`: so many messages are enough."""
        with self._store.read() as tx:
            newest = tx.account(account).next_message - 1
            covered = words.covered(tx, account)
        tail = self._tails.get(account)
        if tail is None or tail.up_to < covered:
            tail = self._tails[account] = _Tail(covered)
        if tail.up_to < newest:
            await self._sliced(self._measure_tail(account, tail))
        if not (tail.full if least is None else tail.messages >= least):
            return False
        builder = Builder()
        last = await self._sliced(self._fill(account, builder, covered))
        assert last is not None
        await self._write(account, builder, last)
        del self._tails[account]
        return True

    def _measure_tail(self, account: AccountID, tail: _Tail) -> Iterator[None]:
        stop = tables.account_key(AccountID(account + 1))
        while not tail.full:
            start = tables.message_key(account, MessageID(tail.up_to + 1))
            more = False
            with self._store.read() as tx:
                for (key, value), _ in zip(tx.scan(Table.TEXT, start, stop), range(STEP_MESSAGES), strict=False):
                    tail.up_to = MessageID(int.from_bytes(key[4:], "big"))
                    tail.messages += 1
                    tail.octets += len(value)
                    more = True
            if not more:
                return
            yield

    def _fill(self, account: AccountID, builder: Builder, covered: MessageID) -> Iterator[MessageID | None]:
        """Texts beyond `covered` into a builder; the last one's id."""
        stop = tables.account_key(AccountID(account + 1))
        last = covered
        more = True
        while more:
            more = False
            start = tables.message_key(account, MessageID(last + 1))
            with self._store.read() as tx:
                for (key, value), _ in zip(tx.scan(Table.TEXT, start, stop), range(STEP_MESSAGES), strict=False):
                    last = MessageID(int.from_bytes(key[4:], "big"))
                    builder.add(last, value)
                    more = not builder.full
                    if builder.full:
                        break
            yield None
        yield last

    async def _write(
        self, account: AccountID, builder: Builder, last: MessageID, replaced: tuple[MessageID, ...] = ()
    ) -> None:
        """Write what is in a builder as a segment up to `last`, in place of others."""
        store = self._store
        number = await self._sliced(self._next_number(account))
        assert number is not None
        await store.write(words.drop_unfinished, account, number)
        segment = None
        if builder.ids:
            making = builder.pieces(number)
            while segment is None:
                pieces, segment = await trio.to_thread.run_sync(_some_pieces, making, limiter=self.turn)
                weight = sum(len(octets) for _, _, octets in pieces)
                await store.write_heavy(weight, words.put_pieces, account, number, pieces)
        await store.write(words.put_segment, account, last, segment, replaced)
        if segment is not None:
            fields = {"messages": len(builder.ids), "octets": segment.text_octets, "index": segment.octets}
            log.debug("texts indexed", extra={"fields": {"account": account, **fields}})

    def _next_number(self, account: AccountID) -> Iterator[int]:
        highest = 0
        with self._store.read() as tx:
            for _, segment in words.segments(tx, account):
                highest = max(highest, segment.number)
        yield 1 + highest

    # Making again

    async def _thin_out(self, account: AccountID) -> None:
        """Segments that have lost half of their messages are made again, together with their neighbours."""
        after = MessageID(0)
        while True:
            group = await self._sliced(self._sparse_group(account, after))
            if group is None:
                return
            builder = Builder()
            await self._sliced(self._refill(account, builder, group.ids))
            await self._write(account, builder, group.lasts[-1], tuple(group.lasts))
            after = group.lasts[-1]

    def _sparse_group(self, account: AccountID, after: MessageID) -> "Iterator[_Group | None]":
        """The next group of neighbours that make one segment, one of them at least half empty."""
        group = _Group([], [])
        while True:
            with self._store.read() as tx:
                entry = next(words.segments(tx, account, after), None)
                live = _live(tx, account, entry[1]) if entry else []
            if entry is None:
                break
            after, segment = entry
            count = len(segment.ids) // 8
            octets = segment.text_octets * len(live) // count
            if len(group.ids) + len(live) > words.MESSAGES or group.octets + octets > words.TEXT_OCTETS:
                if group.sparse:
                    break
                group = _Group([], [])
            group.lasts.append(after)
            group.ids += live
            group.octets += octets
            group.sparse |= 2 * len(live) <= count
            yield None
        yield group if group.sparse else None

    def _refill(self, account: AccountID, builder: Builder, ids: list[int]) -> Iterator[None]:
        for start in range(0, len(ids), STEP_MESSAGES):
            some = ids[start : start + STEP_MESSAGES]
            with self._store.read() as tx:
                for id, text in zip(some, message.texts(tx, account, some), strict=True):
                    if text:
                        builder.add(MessageID(id), text)
            yield

    # Slices

    def _measure(self, account: AccountID) -> Iterator[Rebuilt | None]:
        messages = segments = text_octets = octets = 0
        after = MessageID(0)
        while True:
            with self._store.read() as tx:
                entry = next(words.segments(tx, account, after), None)
            if entry is None:
                break
            after, segment = entry
            segments += 1
            messages += len(segment.ids) // 8
            text_octets += segment.text_octets
            octets += segment.octets
            yield None
        yield Rebuilt(messages, segments, text_octets, octets)

    async def _sliced(self, work: Iterator[T | None]) -> T | None:
        """Go through work in a thread, with pauses; the last thing it gave."""
        value: T | None = None
        over = False
        while not over:
            began = perf_counter()
            given, over = await trio.to_thread.run_sync(_slice, work, limiter=self.turn)
            value = given if given is not None else value
            if not over:
                await self._rest(REST * (perf_counter() - began))
        return value

    async def _rest(self, seconds: float) -> None:
        """A pause, and another until nothing was committed in one; but never for long, or nothing would be indexed."""
        for _ in range(BUSY_RESTS):
            commits = self._store.commits
            await trio.sleep(seconds)
            if self._store.commits == commits:
                return


@dataclass(slots=True)
class _Group:
    """Neighbouring segments, and what is alive in them."""

    lasts: list[MessageID]
    ids: list[int]
    octets: int = 0
    sparse: bool = False


def _slice(work: Iterator[T]) -> tuple[T | None, bool]:
    """Some milliseconds of work; the last thing it gave, and whether it is over."""
    until = perf_counter() + SLICE_SECONDS
    value = None
    for value in work:
        if perf_counter() > until:
            return value, False
    return value, True


def _some_pieces(making: Iterator[Piece | Segment]) -> tuple[list[Piece], Segment | None]:
    """As many pieces as one transaction takes, and the segment when they are all."""
    pieces: list[Piece] = []
    octets = 0
    for one in making:
        if isinstance(one, Segment):
            return pieces, one
        pieces.append(one)
        octets += len(one[2])
        if octets > WRITE_OCTETS:
            break
    return pieces, None


def _live(tx: ReadTx, account: AccountID, segment: Segment) -> list[int]:
    """Those of a segment's messages that are not removed."""
    found = []
    for id in segment.message_ids():
        value = tx.get(Table.PLACE, tables.message_key(account, MessageID(id)))
        if value is not None and not unpack_place(value).expunged:
            found.append(id)
    return found
