"""A copy of the whole environment while it is in use: one snapshot, as a file that can be opened in its place.

LMDB writes the copy into a pipe and the reader here brings it to the disk, piece by piece: so it can be told how far it
is, and broken off. The snapshot pins its pages. What the store frees meanwhile it cannot use again, and its file grows
by about what is written; `CopyLimits` bounds that.
"""

import hashlib
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import lmdb

from appliance.store.problems import CopyFailed

#: What is read from the pipe and written at a time.
PIECE_OCTETS: Final = 1024 * 1024
#: Octets written between two calls of fsync: the disk's other users do not wait for all of it at the end.
SYNC_OCTETS: Final = 64 * PIECE_OCTETS


@dataclass(frozen=True)
class CopyLimits:
    """When a copy is given up, because the store would grow for it."""

    #: Octets that the store's file may grow.
    growth_octets: int
    #: For SYNC_OCTETS to reach the disk.
    stall_seconds: float


@dataclass(frozen=True, slots=True)
class Copied:
    """What was written."""

    octets: int
    sha256: str


def used_octets(env: Any) -> int:
    """Octets of the file that are in use, or were once."""
    return (int(env.info()["last_pgno"]) + 1) * int(env.stat()["psize"])


def copy(env: Any, path: Path, *, compact: bool, limits: CopyLimits, hear: Callable[[int, int], None]) -> Copied:
    """Copy an environment's data to a new file and sync it. Blocks: call it in a thread.

    `compact` leaves out unused pages and costs more time; without it every page keeps its place, so that programs that
    look for what changed between two copies find little. `hear` gets octets done and an estimate of all; what it raises
    ends the copy. Raises CopyFailed, OSError; what was written by then stays.
    """
    began = used_octets(env)
    reading, writing = os.pipe()
    failures: list[BaseException] = []

    def produce() -> None:
        try:
            env.copyfd(writing, compact=compact)
        except BaseException as error:
            failures.append(error)
        finally:
            os.close(writing)

    producer = threading.Thread(target=produce, name="store copy", daemon=True)
    digest = hashlib.sha256()
    done = unsynced = 0
    try:
        with path.open("xb", buffering=0) as file:
            producer.start()
            since = time.monotonic()
            while True:
                piece = os.read(reading, PIECE_OCTETS)
                if not piece:
                    break
                digest.update(piece)
                view = memoryview(piece)
                while view:
                    view = view[file.write(view) :]
                done += len(piece)
                unsynced += len(piece)
                if unsynced >= SYNC_OCTETS:
                    os.fsync(file.fileno())
                    unsynced = 0
                    if time.monotonic() - since > limits.stall_seconds:
                        raise CopyFailed("the disk of the copy is too slow, and the store must not grow for long")
                    grown = used_octets(env) - began
                    if grown > limits.growth_octets:
                        raise CopyFailed(f"the store grew by {grown >> 20} MB during its copy, which was given up")
                    since = time.monotonic()
                    hear(done, max(began, done))
            os.fsync(file.fileno())
    finally:
        os.close(reading)  # Ends the producer with EPIPE if it is not at its end.
        if producer.ident is None:
            os.close(writing)
        else:
            producer.join()
    if failures:
        error = failures[0]
        if not isinstance(error, lmdb.Error):
            raise error
        raise CopyFailed(f"the store could not be copied: {error}") from error
    hear(done, done)
    return Copied(done, digest.hexdigest())
