"""The LMDB environment: opening, reading, and the one thread that writes (ARCHITECTURE.md).

Writers hand over plain functions. The thread runs all that wait in one LMDB transaction, each of several in a child
transaction of its own, so that one may fail alone, and answers when the whole is on the disk: what `write` returned is
durable.
"""

import errno
import logging
import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import lmdb
import trio

from appliance.store.problems import OlderSchema, StorageFull, StoreFailed
from appliance.store.tables import Table

log = logging.getLogger("moxpy.store")

T = TypeVar("T")

#: More than there are, with room for those of programs to come.
_TABLES: Final = 128


@dataclass(frozen=True)
class WriterLimits:
    """How much one commit takes together."""

    requests: int
    weight_octets: int


@dataclass(slots=True)
class _Request:
    function: Callable[[lmdb.Transaction], Any]
    weight: int
    answer: Callable[[Any, BaseException | None], None]


class Environment:
    """One LMDB environment and its writer thread."""

    def __init__(self, path: Path, *, map_octets: int, limits: WriterLimits, readers: int) -> None:
        """Open or create. Raises StoreFailed when the folder cannot be used."""
        path.mkdir(mode=0o750, parents=True, exist_ok=True)
        self.path = path
        self.env = _open(path, map_octets, readers)
        with self.env.begin(write=True) as transaction:  # One sync, not one for each table.
            self.tables: dict[Table, Any] = {
                table: self.env.open_db(table.value.encode(), txn=transaction) for table in Table
            }
        self._limits = limits
        self._queue: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="store writer", daemon=True)
        self._thread.start()
        self._closed = False
        self.commits = 0
        #: Set when a commit failed in a way that leaves the environment in doubt.
        self.broken: BaseException | None = None

    def submit(
        self,
        function: Callable[[lmdb.Transaction], Any],
        answer: Callable[[Any, BaseException | None], None],
        weight: int = 0,
    ) -> None:
        """Queue a function for the writer; `answer` is called in the writer thread after the commit."""
        if self._closed:
            raise StoreFailed("the store is closed")
        self._queue.put(_Request(function, weight, answer))

    def read(self) -> lmdb.Transaction:
        """A snapshot; abort it soon. Never wait for a peer while it is open: its pages stay pinned."""
        return self.env.begin()

    def run_sync(self, function: Callable[[lmdb.Transaction], T]) -> T:
        """Run a function in the writer and block until it is committed."""
        done = threading.Event()
        outcome: list[Any] = []

        def answer(value: Any, failure: BaseException | None) -> None:
            outcome.append((value, failure))
            done.set()

        self.submit(function, answer)
        done.wait()
        value, failure = outcome[0]
        if failure is not None:
            raise failure
        return value  # type: ignore[no-any-return]

    def close(self) -> None:
        """Let the writer finish what was submitted, then close."""
        if self._closed:
            return
        self._closed = True
        self._queue.put(None)
        self._thread.join()
        self.env.close()

    def _work(self) -> None:
        """The writer thread."""
        running = True
        while running:
            batch: list[_Request] = []
            weight = 0
            request = self._queue.get()
            while True:
                if request is None:
                    running = False
                    break
                batch.append(request)
                weight += request.weight
                if len(batch) >= self._limits.requests or weight >= self._limits.weight_octets:
                    break
                try:
                    request = self._queue.get_nowait()
                except queue.Empty:
                    break
            if batch:
                self._commit(batch)

    def _commit(self, batch: list[_Request]) -> None:
        done: list[tuple[_Request, Any, BaseException | None]] = []
        transaction = None
        try:
            transaction = self.env.begin(write=True)
            attempt = _run if len(batch) == 1 else self._run_apart
            done.extend((request, *attempt(transaction, request)) for request in batch)
            finished, transaction = transaction, None
            if len(batch) == 1 and done[0][2] is not None:
                finished.abort()
            else:
                finished.commit()
                self.commits += 1
        except (lmdb.MapFullError, lmdb.TxnFullError, lmdb.Error, OSError) as error:
            if transaction is not None:
                transaction.abort()
            failure = _as_problem(error)
            if len(batch) > 1 and isinstance(failure, StorageFull):
                # Nothing was committed and nobody has been told anything: each request again, alone, so that
                # only the one that is too large fails.
                for request in batch:
                    self._commit([request])
                return
            if not isinstance(failure, StorageFull):
                log.exception("commit failed", exc_info=error)
                self.broken = error
            done = [(request, None, failure) for request in batch]
        for request, value, raised in done:
            request.answer(value, raised)

    def _run_apart(self, parent: lmdb.Transaction, request: _Request) -> tuple[Any, BaseException | None]:
        """Run one request of several in its savepoint: what fails in here leaves the others alone."""
        child = self.env.begin(parent=parent, write=True)
        try:
            value, raised = _run(child, request)
            if raised is None:
                child.commit()
            else:
                child.abort()
        except BaseException:
            child.abort()
            raise
        return value, raised


def _run(transaction: lmdb.Transaction, request: _Request) -> tuple[Any, BaseException | None]:
    """What a request gives, or raises. Raises itself once the store is full: then nothing can be committed."""
    try:
        return request.function(transaction), None
    except (lmdb.MapFullError, lmdb.TxnFullError):
        raise
    except BaseException as error:
        return None, _as_problem(error)


def _as_problem(error: BaseException) -> BaseException:
    """Errors of LMDB and the disk as Problems, anything else as it is."""
    if isinstance(error, lmdb.MapFullError | lmdb.TxnFullError):
        problem_ = StorageFull("the store is full")
    elif isinstance(error, lmdb.Error):
        full = "No space left" in str(error) or "ENOSPC" in str(error)
        problem_ = StorageFull("the disk is full") if full else StoreFailed("the store failed")  # type: ignore[assignment]
    elif isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        problem_ = StorageFull("the disk is full")
    else:
        return error
    problem_.__cause__ = error
    return problem_


def _open(path: Path, map_octets: int, readers: int) -> lmdb.Environment:
    """Open with as much address space as the system grants: it costs nothing until used."""
    while True:
        try:
            return lmdb.open(
                os.fspath(path),
                map_size=map_octets,
                max_dbs=_TABLES,
                max_readers=readers,
                mode=0o640,
                max_spare_txns=8,
            )
        except (lmdb.MemoryError, MemoryError, lmdb.Error) as error:
            if map_octets > (1 << 32) and ("Cannot allocate" in str(error) or isinstance(error, MemoryError)):
                map_octets //= 4
                continue
            raise StoreFailed(f"cannot open the store in {path}: {error}") from error


@contextmanager
def read_only(path: Path, *, alone: bool = False) -> Iterator[tuple[lmdb.Transaction, dict[Table, Any]]]:
    """A snapshot of an environment that another process may be writing; nobody does when we are `alone`.

    Then no file is made beside it. Raises StoreFailed.
    """
    try:
        env = lmdb.open(os.fspath(path), readonly=True, max_dbs=_TABLES, map_size=0, create=False, lock=not alone)
    except lmdb.Error as error:
        raise StoreFailed(f"cannot open the store in {path}: {error}") from error
    try:
        try:
            handles = {table: env.open_db(table.value.encode(), create=False) for table in Table}
        except lmdb.NotFoundError as error:
            # Nothing may be changed here, so tables that are new since then cannot be made either.
            raise OlderSchema(f"the store in {path} is of an older version: start the server once") from error
        with env.begin() as transaction:
            yield transaction, handles
    finally:
        env.close()


class LoopBridge:
    """Brings answers of the writer thread back to the waiting tasks of one event loop, in commit order."""

    def __init__(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        #: What the writer has to say and the loop has not heard yet.
        self._answers: deque[Callable[[], None]] = deque()

    async def run(
        self,
        environment: Environment,
        function: Callable[[lmdb.Transaction], T],
        published: Callable[[T], None],
        weight: int = 0,
    ) -> T:
        """Run a function in the writer; `published` gets its value in the loop, before the task goes on.

        Not cancellable once handed over: the caller always learns whether it was committed.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        task = trio.lowlevel.current_task()
        outcome: list[Any] = []

        def in_loop(value: Any, failure: "BaseException | None") -> None:
            if failure is None:
                published(value)
            outcome.append((value, failure))
            trio.lowlevel.reschedule(task)

        def answer(value: Any, failure: "BaseException | None") -> None:
            self._answers.append(partial(in_loop, value, failure))
            if len(self._answers) > 1:
                return  # The loop has been called for an earlier one, and hears all. Calling costs a system call.
            try:
                self._token.run_sync_soon(self._hear)
            except trio.RunFinishedError:
                pass  # The loop is gone; nobody waits any more.

        environment.submit(function, answer, weight)
        await trio.lowlevel.wait_task_rescheduled(lambda _: trio.lowlevel.Abort.FAILED)
        value, failure = outcome[0]
        if failure is not None:
            raise failure
        return value  # type: ignore[no-any-return]

    def _hear(self) -> None:
        """All answers there are, in the loop."""
        while self._answers:
            self._answers.popleft()()


#: A loop may hold the interpreter this long before the writer gets its turn; half the default lag (ARCHITECTURE.md).
SWITCH_INTERVAL_SECONDS: Final = 0.0005
