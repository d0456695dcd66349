"""A message while it is being received: in memory while small, in a file of the spool folder beyond that.

It is scanned on the way. Nothing has been promised for what lies here; the folder is emptied at start.
"""

import contextlib
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import trio

from appliance.mail import scan
from appliance.mail.scan import ScanLimits, Scanned
from appliance.store.tables import BodyID


@dataclass(frozen=True)
class SpoolLimits:
    """How much of what is being received may lie in memory."""

    message_octets: int
    all_octets: int


@dataclass(slots=True)
class Budget:
    """Octets that all spools hold in memory together."""

    used: int = 0


#: Fewer octets than these are put together with those before them.
DROP_OCTETS: Final = 4096
#: More octets, or what looks like more parts, are scanned in a thread: a part takes 20 microseconds there and twice
#: as long afterwards, and 50 KB have room for ten thousand.
SCAN_INLINE_OCTETS: Final = 64 * 1024
INLINE_PARTS: Final = 30


async def look(octets: bytes, limits: ScanLimits) -> Scanned:
    """The structure of a message in memory; in a thread when that may take long."""
    if len(octets) > SCAN_INLINE_OCTETS or scan.looks_like_parts(octets) > INLINE_PARTS:
        return await trio.to_thread.run_sync(scan.scan, octets, limits)
    return scan.scan(octets, limits)


class Spool:
    """Octets being received; `write` them, then `finish` or `discard`. Use as an async context manager."""

    def __init__(self, folder: Path, limits: SpoolLimits, scanning: ScanLimits, budget: Budget) -> None:
        self._folder = folder
        self._limits = limits
        self._scanning = scanning
        self._budget = budget
        self._chunks: list[bytes | bytearray] = []
        self._held = 0
        self._file: IO[bytes] | None = None
        self._path: Path | None = None
        self._scanner: scan.Scanner | None = None
        self.size = 0

    async def __aenter__(self) -> "Spool":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.discard()

    async def write(self, octets: bytes) -> None:
        """Add octets. Raises OSError when the disk is full."""
        self.size += len(octets)
        if self._file is None:
            self._append(octets)
            self._hold(len(octets))
            if self.size > self._limits.message_octets or self._budget.used > self._limits.all_octets:
                await self._to_file()
            return
        await trio.to_thread.run_sync(self._add_to_file, octets)

    def _add_to_file(self, octets: bytes) -> None:
        """In a thread: 64 KiB of nested messages take 15 ms to scan."""
        assert self._scanner is not None
        assert self._file is not None
        self._scanner.feed(octets)
        self._file.write(octets)

    async def _to_file(self) -> None:
        self._scanner = scan.Scanner(self._scanning)

        def move() -> None:
            self._file, self._path = new_file(self._folder)
            for chunk in self._chunks:
                assert self._scanner is not None
                self._scanner.feed(bytes(chunk))
                self._file.write(chunk)

        await trio.to_thread.run_sync(move)
        self._chunks.clear()
        self._hold(-self._held)

    def _append(self, octets: bytes) -> None:
        """Keep octets; what comes in drops is joined, because every object costs more than a drop."""
        if len(octets) >= DROP_OCTETS or not self._chunks:
            self._chunks.append(octets)
        elif isinstance(last := self._chunks[-1], bytearray):
            last += octets
        else:
            self._chunks.append(bytearray(octets))

    def _hold(self, octets: int) -> None:
        self._held += octets
        self._budget.used += octets

    async def finish(self) -> "Spooled":
        """All is here: its structure, and a way to read it. The spool stays responsible for the file."""
        if self._file is None:
            first = self._chunks[0] if len(self._chunks) == 1 else b""
            octets = first if isinstance(first, bytes) and first else b"".join(self._chunks)
            self._chunks = [octets]
            return Spooled(octets, None, await look(octets, self._scanning), self.size)
        assert self._scanner is not None
        file = self._file
        await trio.to_thread.run_sync(file.flush)
        scanned = await trio.to_thread.run_sync(self._scanner.close)
        return Spooled(None, file, scanned, self.size)

    def discard(self) -> None:
        """Forget it all."""
        self._chunks.clear()
        self._hold(-self._held)
        if self._file is not None:
            with contextlib.suppress(OSError):  # It may have octets left that the disk has no room for.
                self._file.close()
            self._file = None
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            self._path = None


@dataclass(frozen=True, slots=True)
class Spooled:
    """A whole message as received, not yet promised: its octets or its file, its structure, its size."""

    octets: bytes | None
    file: IO[bytes] | None
    scanned: Scanned
    size: int
    #: The store has it already, as this body; `stored_reader` reads it there.
    body: BodyID | None = None
    stored_reader: Callable[[int, int], bytes] | None = None

    def read(self, start: int, end: int) -> bytes:
        """Octets start..end. Reads the disk when the message is large: call it in a thread then."""
        if self.octets is not None:
            return self.octets[start:end]
        if self.stored_reader is not None:
            return self.stored_reader(start, end)
        assert self.file is not None
        return os.pread(self.file.fileno(), max(0, end - start), start)

    @property
    def reader(self) -> Callable[[int, int], bytes]:
        """`read` as a function, for those who do not care where the octets lie."""
        return self.read


class Scratch:
    """Octets on their way into a message: in memory up to a limit, in a file without a name beyond it.

    Nothing of it is left when it is closed, or when the process ends. Use as a context manager.
    """

    def __init__(self, folder: Path, memory_octets: int) -> None:
        self._folder = folder
        self._memory_octets = memory_octets
        self._memory = bytearray()
        self._file: IO[bytes] | None = None
        self.size = 0

    def __enter__(self) -> "Scratch":
        return self

    def __exit__(self, *_: object) -> None:
        self._memory.clear()
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()

    @property
    def in_memory(self) -> bool:
        """Whether reading costs no look at the disk."""
        return self._file is None

    async def write(self, octets: bytes) -> None:
        """Add octets. Raises OSError when the disk is full."""
        self.size += len(octets)
        if self._file is None:
            self._memory += octets
            if len(self._memory) <= self._memory_octets:
                return
            octets = bytes(self._memory)
            self._file = await trio.to_thread.run_sync(self._open)
            self._memory.clear()
        await trio.to_thread.run_sync(self._file.write, octets)

    def _open(self) -> IO[bytes]:
        return tempfile.TemporaryFile(dir=self._folder, buffering=0)

    def read(self, start: int, end: int) -> bytes:
        """Octets start..end; in a thread unless they are in memory."""
        if self._file is None:
            return bytes(self._memory[start:end])
        return os.pread(self._file.fileno(), max(0, end - start), start)


def spooled(octets: bytes, limits: ScanLimits) -> Spooled:
    """A message made here, in memory."""
    return Spooled(octets, None, scan.scan(octets, limits), len(octets))


def new_file(folder: Path) -> tuple[IO[bytes], Path]:
    """A new file there, which `empty` knows. Raises OSError."""
    descriptor, name = tempfile.mkstemp(dir=folder, prefix="message-")
    return os.fdopen(descriptor, "w+b"), Path(name)


def empty(folder: Path) -> int:
    """Remove what a crash left; returns how many files."""
    folder.mkdir(mode=0o750, parents=True, exist_ok=True)
    count = 0
    for path in folder.glob("message-*"):
        path.unlink(missing_ok=True)
        count += 1
    return count
