"""What happened to accounts, counted and for some time: events that differ only in their moment are one record.

Each account keeps records of a lane up to a number, of which the oldest give way, and all of them for some days. What
belongs to nobody belongs to `tables.NOBODY`. A `Book` takes events down in the background.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import msgspec
import trio

from appliance.base.clock import Clock
from appliance.base.log import Log
from appliance.base.problem import Problem
from appliance.store import account as accounts, tables
from appliance.store.tables import NOBODY, AccountID, Table
from appliance.store.transaction import ReadTx, WriteTx, decode, encode

if TYPE_CHECKING:
    from appliance.store.store import Store

#: A frozen struct with `first` and `last`, in microseconds since 1970, and `count`.
R = TypeVar("R", bound=Any)

_IDENTITY_OCTETS: Final = 16
#: Account, lane, the last moment.
_TIME_OCTETS: Final = 13
_DAY: Final = 24 * 3600 * 1_000_000

#: How long events gather before they are written together, and how many one transaction takes.
_GATHER_SECONDS: Final = 1.0
_BATCH: Final = 200
#: Old ones are looked for so often; so many are removed by one transaction.
_SWEEP_SECONDS: Final = 3600.0
_SWEPT: Final = 500


@dataclass(frozen=True)
class Ledger(Generic[R]):
    """Records of one kind."""

    table: Table
    #: The index by time.
    times: Table
    kind: type[R]
    #: A record without what may differ in those that are one.
    same: Callable[[R], R]
    #: How many records an account keeps of a lane.
    most: Callable[[AccountID], int]
    days: int
    #: Which records push one another out.
    lane: Callable[[R], bool] = lambda _: False

    def identity(self, one: R) -> bytes:
        """What tells a record from others."""
        return hashlib.blake2b(encode(self.same(one)), digest_size=_IDENTITY_OCTETS).digest()

    def note(self, tx: WriteTx, account: AccountID, one: R) -> None:
        """Add events to those known: of two that are one, the later tells what may differ."""
        if account != NOBODY:
            known = tx.get(Table.ACCOUNT, tables.account_key(account)) is not None
            if not known or tx.account(account).removed:
                account = NOBODY
        which, lane = self.identity(one), self.lane(one)
        key = tables.ledger_key(account, which)
        present = tx.record(self.table, key, self.kind)
        if present is not None:
            tx.delete(self.times, tables.ledger_time_key(account, lane, present.last, which))
            one = merged(present, one)
        tx.put_record(self.table, key, one)
        tx.put(self.times, tables.ledger_time_key(account, lane, one.last, which), b"")
        if present is None:
            self._count(tx, account, lane, 1)
            if self.count(tx, account, lane) > self.most(account):
                for old in list(self._oldest(tx, account, lane, 1 << 63, 1)):
                    self._remove(tx, account, old)

    def count(self, tx: ReadTx, account: AccountID, lane: bool) -> int:
        """How many records an account has of a lane."""
        return int(tx.get(self.table, tables.ledger_key(account, bytes([lane]))) or b"0")

    def _count(self, tx: WriteTx, account: AccountID, lane: bool, more: int) -> None:
        key = tables.ledger_key(account, bytes([lane]))
        tx.put(self.table, key, b"%d" % (self.count(tx, account, lane) + more))

    def _oldest(self, tx: ReadTx, account: AccountID, lane: bool, before: int, most: int) -> Iterator[bytes]:
        """Keys in the index by time, oldest first."""
        start = tables.ledger_time_key(account, lane, 0, b"")
        stop = tables.ledger_time_key(account, lane, before, b"")
        yield from (key for key, _ in islice(tx.scan(self.times, start, stop), most))

    def _remove(self, tx: WriteTx, account: AccountID, time_key: bytes) -> None:
        tx.delete(self.times, time_key)
        tx.delete(self.table, tables.ledger_key(account, time_key[_TIME_OCTETS:]))
        self._count(tx, account, bool(time_key[4]), -1)

    def forget_before(self, tx: WriteTx, moment: int, most: int) -> bool:
        """Remove a bounded number of records whose last event was before a moment; whether all of them are gone."""
        for account in (NOBODY, *accounts.names(tx).values()):
            for lane in (False, True):
                old = list(self._oldest(tx, account, lane, moment, most))
                for key in old:
                    self._remove(tx, account, key)
                if old:
                    return False
        return True

    def newest(self, tx: ReadTx, account: AccountID, lane: bool = False) -> Iterator[R]:
        """The records of an account, the last one first."""
        start = tables.ledger_time_key(account, lane, 0, b"")
        stop = tables.ledger_time_key(account, lane, (1 << 64) - 1, b"")
        for key, _ in tx.scan_back(self.times, start, stop):
            one = tx.record(self.table, tables.ledger_key(account, key[_TIME_OCTETS:]), self.kind)
            if one is not None:
                yield one

    def verify(self, tx: ReadTx, account: AccountID) -> Iterator[str]:
        """What is wrong with the records of an account, in words."""
        name, prefix = self.table.value, tables.account_key(account)
        expected: set[bytes] = set()
        counts = [0, 0]
        for key, value in tx.scan_prefix(self.table, prefix):
            if len(key) != 4 + _IDENTITY_OCTETS:
                continue
            one = decode(self.kind, value)
            if key[4:] != self.identity(one):
                yield f"{name} {key.hex()} is not what its key says"
            lane = self.lane(one)
            counts[lane] += 1
            expected.add(tables.ledger_time_key(account, lane, one.last, key[4:]))
        if {key for key, _ in tx.scan_prefix(self.times, prefix)} != expected:
            yield f"index {self.times.value} differs from {name}"
        for which, there in enumerate(counts):
            if (counted := self.count(tx, account, bool(which))) != there:
                yield f"{name}: {counted} were counted, there are {there}"


def merged(earlier: R, later: R) -> R:
    """Two that are one."""
    return msgspec.structs.replace(
        later,
        first=min(earlier.first, later.first),
        last=max(earlier.last, later.last),
        count=earlier.count + later.count,
    )


class Book(Generic[R]):
    """What waits to be written down; `keep` is its task. Whoever notes something never waits for the disk."""

    def __init__(self, store: "Store", clock: Clock, ledger: Ledger[R], log: Log, *, waiting: int) -> None:
        self._store = store
        self._clock = clock
        self._ledger = ledger
        self._log = log
        #: Different records that may wait.
        self._most = waiting
        self._waiting: dict[tuple[AccountID, bytes], R] = {}
        self._news = trio.Event()

    def take(self, account: AccountID, one: R, *, always: bool = False) -> bool:
        """Write an event down soon; False when too many wait, and it is forgotten unless it must `always` be there."""
        key = account, self._ledger.identity(one)
        present = self._waiting.get(key)
        if present is None and len(self._waiting) >= self._most and not always:
            return False
        self._waiting[key] = one if present is None else merged(present, one)
        self._news.set()
        return True

    async def keep(self) -> None:
        """Keeper task: writes what was noted, removes what is old; at its end it writes the rest."""
        try:
            next_sweep = trio.current_time()
            while True:
                with trio.move_on_at(next_sweep):
                    await self._news.wait()
                    await trio.sleep(_GATHER_SECONDS)
                await self.write()
                if trio.current_time() >= next_sweep:
                    next_sweep = trio.current_time() + _SWEEP_SECONDS
                    await self._forget()
        finally:
            with trio.CancelScope(shield=True):
                await self.write()

    async def write(self) -> None:
        """Write what was noted until now. A full disk loses it: that must not end what goes on."""
        self._news = trio.Event()
        waiting, self._waiting = [(account, one) for (account, _), one in self._waiting.items()], {}
        try:
            for at in range(0, len(waiting), _BATCH):
                await self._store.write(self._write, waiting[at : at + _BATCH])
        except Problem as problem:
            self._log.error(
                "events could not be written down", problem, kind=self._ledger.table.value, count=len(waiting)
            )

    def _write(self, tx: WriteTx, noted: Sequence[tuple[AccountID, R]]) -> None:
        for account, one in noted:
            self._ledger.note(tx, account, one)

    async def _forget(self) -> None:
        before = self._clock.microseconds() - self._ledger.days * _DAY
        while not await self._store.write(self._ledger.forget_before, before, _SWEPT):
            pass
