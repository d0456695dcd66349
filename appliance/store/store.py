"""The store: open, read, write, listen, view. What the rest of the house knows of it."""

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import IO, Concatenate, Final, ParamSpec, TypeVar

import trio

from appliance.base.clock import Clock
from appliance.mail import scan
from appliance.mail.scan import ScanLimits, Scanned
from appliance.msgauth import publicsuffix
from appliance.store import bodies, copying, junk, message, prepare, queued, spool, upgrade, verify
from appliance.store.bodies import NewBody
from appliance.store.changes import Change, Feed, News, Subscription
from appliance.store.copying import Copied, CopyLimits
from appliance.store.environment import Environment, LoopBridge, WriterLimits, read_only
from appliance.store.indexing import Indexer
from appliance.store.listing import Listings
from appliance.store.mailbox import MailboxLimits
from appliance.store.ordering import Orders
from appliance.store.prepare import Content, PrepareLimits
from appliance.store.problems import NoSuchAccount, NoSuchMailbox, StoreFailed
from appliance.store.records import Mailbox
from appliance.store.senders import SentTo
from appliance.store.spool import INLINE_PARTS, Budget, Scratch, Spool, Spooled, SpoolLimits
from appliance.store.tables import PIECE_OCTETS, AccountID, BodyID, HookID, MailboxID, MailboxRef, QueueID, Table
from appliance.store.transaction import ReadTx, Snapshot, WriteTx
from appliance.store.view import INLINE_MESSAGES, View, Views

log = logging.getLogger("moxpy.store")

T = TypeVar("T")
P = ParamSpec("P")
#: What a transaction's body returned, its changes and modseqs by account, what of the queue changed, and how many
#: messages are on hold if that changed.
_Outcome = tuple[
    T, dict[AccountID, list[Change]], dict[AccountID, int], set[QueueID] | None, int | None, set[HookID] | None
]

#: Octets of a large body written by one transaction: a few ms of the writer's time (ARCHITECTURE.md).
SLICE_OCTETS: Final = 64 * PIECE_OCTETS
#: Beyond this a message is prepared in a thread.
THREAD_OCTETS: Final = 128 * 1024
#: So are those with a larger header: a thousand addresses take tens of milliseconds.
HEADER_THREAD_OCTETS: Final = 16 * 1024
#: Removed messages erased by one transaction, and looked at before it; then a rest so many times as long as that took.
ERASE_MESSAGES: Final = 50
ERASE_LOOK: Final = 500
ERASE_REST: Final = 4
ERASE_LEISURE_SECONDS: Final = 5.0
#: Messages of a removed mailbox that one transaction removes: a few milliseconds; then it rests so many times as long.
EMPTY_MESSAGES: Final = 100
EMPTY_REST: Final = 2
#: Pieces of unnamed bodies removed by one transaction.
SWEEP_PIECES: Final = 512


@dataclass(frozen=True)
class StoreLimits:
    """All limits of the store."""

    map_octets: int
    readers: int
    writer: WriterLimits
    spool: SpoolLimits
    scan: ScanLimits
    prepare: PrepareLimits
    mailbox: MailboxLimits
    copy: CopyLimits
    #: Changes that wait for one listener.
    feed_changes: int
    #: Messages of all views in memory.
    view_messages: int
    #: Messages of all columns of keys in memory, some 400 octets each.
    order_messages: int
    #: Messages of all listings in memory, some 60 octets each.
    listing_messages: int
    #: Words of junk filters in memory, of all accounts, some 200 octets each.
    junk_words: int


class Store:
    """One LMDB environment with all accounts, and the news of what happens in it.

    `read`, `write` and the rest belong to one event loop. `write_sync` is for programs without a loop.
    """

    def __init__(self, folder: Path, *, clock: Clock, limits: StoreLimits) -> None:
        """Open or create, upgrade. Raises StoreFailed, NewerSchema."""
        self.limits = limits
        self.clock = clock
        self._environment = Environment(
            folder / "store", map_octets=limits.map_octets, limits=limits.writer, readers=limits.readers
        )
        self._spool_folder = folder / "spool"
        self._budget = Budget()
        self._views = Views(limits.view_messages)
        #: Views are made one after another: together all would wait longer.
        self._scanning = trio.Lock()
        self._bridge: LoopBridge | None = None
        self.feed = Feed(limits.feed_changes)
        self.indexer = Indexer(self)
        self.listings = Listings(self, limits.listing_messages)
        self.orders = Orders(limits.order_messages, self.read, limits.prepare)
        self.junk_words = junk.Remembered(limits.junk_words)
        try:
            upgrade.upgrade(self)
        except BaseException:
            self._environment.close()
            raise

    def close(self) -> None:
        """Finish what was submitted and close."""
        self._environment.close()

    @property
    def broken(self) -> BaseException | None:
        """Set when the disk failed under a commit: the house must stop (ARCHITECTURE.md)."""
        return self._environment.broken

    @property
    def commits(self) -> int:
        """How many there were since it was opened: whether it is busy."""
        return self._environment.commits

    # Reading.

    def read(self) -> Snapshot:
        """A snapshot to use as a context manager, for a few milliseconds; never await inside."""
        return Snapshot(self._environment.read(), self._environment.tables)

    async def bring_view(self, account: AccountID, mailbox: MailboxID) -> None:
        """Have the columns of a mailbox near at hand: if there is much to read for it, that is done in a thread.

        Then `view_now`, before the next await, costs some milliseconds at most.
        """
        if self._is_at_hand(account, mailbox):
            return
        views = self._views
        async with self._scanning:
            if self._is_at_hand(account, mailbox):
                return  # Somebody else waited for the same one.
            seen = views.changed(account)

            def scan() -> View:
                with self.read() as tx:
                    return views.scan(tx, account, tx.mailbox(account, mailbox))

            with suppress(NoSuchMailbox):
                views.keep(account, mailbox, await trio.to_thread.run_sync(scan), seen)

    def _is_at_hand(self, account: AccountID, mailbox: MailboxID) -> bool:
        if self._views.is_near(account, mailbox):
            return True
        with self.read() as tx:
            try:
                record = tx.mailbox(account, mailbox)
            except NoSuchMailbox:
                return True
            return record.messages <= INLINE_MESSAGES or self._views.is_current(tx, account, record)

    def view_now(self, tx: ReadTx, account: AccountID, mailbox: Mailbox, *, reader: AccountID | None = None) -> View:
        """The columns of a mailbox as of a snapshot, scanned here if need be.

        `reader`: whose \\Seen it is, if not that of the rows.
        """
        record = tx.mailbox(account, mailbox.id)
        view = self._views.get(tx, account, record)
        return view if reader is None else view.as_read_by(tx, account, record, reader)

    # Writing.

    async def write(self, body: Callable[Concatenate[WriteTx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a transaction; returns when it is on the disk and its changes are published.

        Whatever `body` raises comes out here, and then nothing was kept. Raises StorageFull, StoreFailed.
        """
        return await self.write_as(None, body, *args, **kwargs)

    async def write_heavy(
        self, weight_octets: int, body: Callable[Concatenate[WriteTx, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """As `write`, for so many octets of bodies: the writer takes fewer such into one commit."""
        return await self._write(None, weight_octets, self._body(body, *args, **kwargs))

    async def write_as(
        self,
        origin: Subscription | None,
        body: Callable[Concatenate[WriteTx, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """As `write`; `origin` will know its own news when it meets them."""
        return await self._write(origin, 0, self._body(body, *args, **kwargs))

    async def _write(
        self,
        origin: Subscription | None,
        weight: int,
        body: Callable[..., _Outcome[T]],
    ) -> T:
        if self._bridge is None:
            self._bridge = LoopBridge()

        # Annotations in quotes: those of an inner function are evaluated at every call, generic ones at some cost.
        def published(outcome: "_Outcome[T]") -> None:
            _, by_account, modseqs, queue_changed, held, hooks_changed = outcome
            for account, changes in by_account.items():
                self._views.count(account, changes)
                self.listings.note(account, changes)
                self.feed.publish(account, News(account, changes, origin, modseqs.get(account, 0)))
            if queue_changed is not None:
                self.feed.queued_ids |= queue_changed
                self.feed.queued.set()
            if held is not None:
                queued.held.labels().set(held)
            if hooks_changed is not None:
                self.feed.hook_ids |= hooks_changed
                self.feed.hooks.set()

        return (await self._bridge.run(self._environment, body, published, weight))[0]

    def write_sync(self, body: Callable[Concatenate[WriteTx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a transaction and block until it is on the disk; for a store that no event loop uses."""
        return self._environment.run_sync(self._body(body, *args, **kwargs))[0]

    def _body(
        self, body: Callable[Concatenate[WriteTx, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> Callable[..., _Outcome[T]]:
        def run(raw: object) -> "_Outcome[T]":
            tx = WriteTx(raw, self._environment.tables, self.clock.microseconds())
            value = body(tx, *args, **kwargs)
            tx.finish()
            held = tx.entries(Table.QUEUED_HELD) if tx.holds_changed else None
            return value, tx.changes, tx.modseqs, tx.queue_changed, held, tx.hooks_changed

        return run

    # Receiving.

    def spool(self) -> Spool:
        """A place for a message that is being received; use as an async context manager."""
        return Spool(self._spool_folder, self.limits.spool, self.limits.scan, self._budget)

    def scratch(self, memory_octets: int) -> Scratch:
        """A place for what will be a part of a message; use as a context manager."""
        return Scratch(self._spool_folder, memory_octets)

    def new_file(self) -> tuple[IO[bytes], Path]:
        """A file for what is being received; who asks removes it, and the next start what a crash left."""
        return spool.new_file(self._spool_folder)

    @property
    def spool_folder(self) -> Path:
        """For files that nobody needs after a crash."""
        return self._spool_folder

    def spooled(self, octets: bytes) -> Spooled:
        """A message made by ourselves."""
        return spool.spooled(octets, self.limits.scan)

    async def stored(self, body: BodyID) -> Spooled:
        """A message whose body the store has, scanned again. Raises KeyError when it is gone."""
        with self.read() as tx:
            size = bodies.size(tx, body)
            octets = bodies.read(tx, body, 0, size) if size <= THREAD_OCTETS else None
        if octets is not None:
            return Spooled(octets, None, await spool.look(octets, self.limits.scan), size, body)

        def read(start: int, end: int) -> bytes:
            with self.read() as tx:
                return bodies.read(tx, body, start, min(end, size))

        def look() -> Scanned:
            scanner = scan.Scanner(self.limits.scan)
            for start in range(0, size, SLICE_OCTETS):
                scanner.feed(read(start, start + SLICE_OCTETS))
            return scanner.close()

        return Spooled(None, None, await trio.to_thread.run_sync(look), size, body, read)

    async def content(self, spooled: Spooled) -> Content:
        """Everything costly about a received message, once for all recipients."""
        scanned = spooled.scanned
        is_costly = len(scanned.header) > HEADER_THREAD_OCTETS or scanned.parts > INLINE_PARTS
        if is_costly or spooled.size > THREAD_OCTETS:
            return await trio.to_thread.run_sync(prepare.content, spooled, self.limits.prepare)
        return prepare.content(spooled, self.limits.prepare)

    async def sent_to(self, content: Content, bcc: bytes = b"") -> SentTo:
        """To whom the writer of a message has sent it, for `prepare.message`; a Bcc field may stand apart from it."""
        usual = {**content.header.usual, "bcc": bcc} if bcc else content.header.usual
        octets = prepare.sent_to_octets(usual)
        if not octets:
            return SentTo()
        if octets > prepare.SENT_TO_INLINE_OCTETS or not publicsuffix.is_loaded():
            return await trio.to_thread.run_sync(prepare.sent_to, usual, self.limits.prepare)
        return prepare.sent_to(usual, self.limits.prepare)

    async def body(self, spooled: Spooled) -> NewBody:
        """The body for `prepare.message`. One that lies in a file is written now, in slices; call `unuse` later."""
        if spooled.body is not None:
            return NewBody(None, spooled.body, spooled.size)
        if spooled.octets is not None:
            return bodies.of_octets(spooled.octets)
        number = await self.write(bodies.reserve)
        try:
            for start in range(0, spooled.size, SLICE_OCTETS):
                end = min(spooled.size, start + SLICE_OCTETS)
                octets = await trio.to_thread.run_sync(spooled.read, start, end)
                await self.write(bodies.write_pieces, number, start // PIECE_OCTETS, octets)
        except BaseException:
            with trio.CancelScope(shield=True):
                await self._discard(number)
            raise
        return NewBody(None, number, spooled.size)

    async def unuse(self, body: NewBody) -> None:
        """Remove a body written by `body` that no message came to name. Harmless otherwise, but not free."""
        if body.stored is not None:
            await self._discard(body.stored)

    async def _discard(self, number: BodyID) -> None:
        while not await self.write(bodies.discard, number, SWEEP_PIECES):
            pass

    # Keeping.

    def copy(self, folder: Path, *, compact: bool, hear: Callable[[int, int], None]) -> Copied:
        """Copy all there is now into a new data folder, as `copying.copy` says. Blocks: call it in a thread."""
        target = folder / "store"
        target.mkdir(mode=0o700, parents=True)
        return copying.copy(
            self._environment.env, target / "data.mdb", compact=compact, limits=self.limits.copy, hear=hear
        )

    @property
    def copy_octets(self) -> int:
        """What a copy takes at most."""
        return copying.used_octets(self._environment.env)

    def sweep(self) -> None:
        """At start, before anything is received: remove what a crash left behind."""
        files = spool.empty(self._spool_folder)
        with self.read() as tx:
            unnamed = list(bodies.unnamed(tx))
        for number in unnamed:
            while not self.write_sync(bodies.discard, number, SWEEP_PIECES):
                pass
        if files or unnamed:
            log.info("removed leftovers", extra={"fields": {"files": files, "bodies": len(unnamed)}})

    async def erase_forever(self) -> None:
        """Keeper task: erase removed messages once every listener knows of the removal.

        And remove those of mailboxes that were removed with very many of them.
        """
        with self.read() as tx:
            self.feed.removed_mailboxes |= message.to_be_emptied(tx)
        while True:
            news = self.feed.erasable = trio.Event()  # Before looking, so that nothing is missed.
            while self.feed.removed_mailboxes:
                await self._empty(self.feed.removed_mailboxes.pop())
            with self.read() as tx:
                waiting = message.waiting_to_be_erased(tx)
            for account in waiting:
                with suppress(NoSuchAccount):  # Gone meanwhile, and its messages with it.
                    await self._erase(account)
            await news.wait()
            # What made it possible may not be all: one look in a while is enough, content waits patiently.
            await trio.sleep(ERASE_LEISURE_SECONDS)

    async def _empty(self, mailbox: MailboxRef) -> None:
        """Remove the messages of a removed mailbox, in pieces that nobody feels."""
        more = True
        while more:
            began = perf_counter()
            try:
                more = await self.write(message.empty, mailbox.account, mailbox.id, EMPTY_MESSAGES)
            except NoSuchAccount:
                return
            except BaseException:
                self.feed.removed_mailboxes.add(mailbox)  # Whoever keeps this keeper starts it again.
                raise
            await trio.sleep(EMPTY_REST * (perf_counter() - began))

    async def _erase(self, account: AccountID) -> None:
        """Erase what may be erased of one account, in pieces that nobody feels."""
        start: bytes | None = b""
        while start is not None:
            began = perf_counter()
            up_to = self.feed.erasable_up_to(account)
            with self.read() as tx:
                keys, start = message.erasable(tx, account, up_to, ERASE_MESSAGES, start, most=ERASE_LOOK)
            if keys:
                await self.write(message.erase_these, account, keys)
            await trio.sleep(ERASE_REST * (perf_counter() - began))

    def subscribe(self, account: AccountID) -> Subscription:
        """Listen to an account from now on. Read what you need without an await before or after."""
        with self.read() as tx:
            return self.feed.subscribe(account, tx.account(account).modseq)

    def verify(self) -> list[str]:
        """Check every invariant; what is wrong, in words. Empty is good."""
        with self.read() as tx:
            return verify.verify(tx)


def verify_folder(folder: Path, *, alone: bool = False, sizes: bool = True) -> list[str]:
    """Check the store of a data folder as `verify` does, in one snapshot and without changing anything.

    `sizes`: as `verify` has it. `alone`: nobody writes to it, as in a backup, and no lock file is made there. Raises
    StoreFailed when there is no store, OlderSchema for one of an older version, NewerSchema for one of a newer.
    """
    path = folder / "store"
    if not (path / "data.mdb").exists():
        raise StoreFailed(f"there is no store in {folder}")
    with read_only(path, alone=alone) as (raw, handles):
        tx = ReadTx(raw, handles)
        upgrade.check(tx)
        return verify.verify(tx, sizes=sizes)


#: What LMDB keeps in a store's folder.
_OURS: Final = frozenset({"data.mdb", "lock.mdb"})


def strangers(folder: Path) -> list[Path]:
    """What lies in the store of a data folder and is nothing of ours."""
    return sorted(one for one in (folder / "store").iterdir() if one.name not in _OURS)
