"""Files in a compressed form: one that lies beside them, or one that was made before and is kept.

A file `page.html` may have `page.html.br` and `page.html.gz` beside it, not older than itself: whoever publishes it can
compress it better than there is time for here. What is compressed here is kept on the disk, so that a page that many
ask for is compressed once. It is named by the file's place on its disk, size and time: a changed file is another.
"""

import os
import shutil
import tempfile
import zlib
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import trio

from appliance.base.limits import KIB, MIB
from appliance.base.log import Log
from appliance.config.domains import StaticSite
from appliance.servers.web.site.mapping import OpenFile, open_regular

log = Log("http")

FOLDER: Final = "httpcache"
#: Files that are compressed and kept, and what is kept in all.
LEAST_OCTETS, MOST_OCTETS, ALL_OCTETS = KIB, 10 * MIB, 512 * MIB
#: Of the disk that are left to mail.
_FREE_OCTETS: Final = 1024 * MIB
_PIECE_OCTETS: Final = 256 * KIB
_GZIP: Final = 16 + zlib.MAX_WBITS
#: It is done once, so it may take a little longer than on the way.
_LEVEL: Final = 6
_SUFFIXES: Final = {"br": ".br", "gzip": ".gz"}


class Packed:
    """Compressed forms of files."""

    def __init__(self, folder: Path, *, most_octets: int = ALL_OCTETS) -> None:
        """`folder`: made when it is needed; what is in it may be removed at any time."""
        self._folder = folder
        self._most = most_octets
        #: Names and sizes of what is kept, the least used first; None: nobody looked yet.
        self._kept: OrderedDict[str, int] | None = None
        self._octets = 0
        self._lock = trio.Lock()

    async def find(
        self, site: StaticSite, segments: Sequence[str], file: OpenFile, codings: Sequence[str]
    ) -> tuple[OpenFile, str] | None:
        """An open file with a file's content in one of some codings, and which; None: there is none, and none is made.

        `segments`: where the file is below the root. Whoever gets one closes it.
        """
        for coding in codings:
            found = await trio.to_thread.run_sync(_beside, site, segments, file, _SUFFIXES[coding])
            if found is not None:
                return found, coding
        if "gzip" not in codings or not LEAST_OCTETS <= file.size_octets <= MOST_OCTETS:
            return None
        try:
            return await self._own(file), "gzip"
        except OSError as error:
            log.info("a compressed file could not be kept", error, folder=str(self._folder))
            return None

    async def _own(self, file: OpenFile) -> OpenFile:
        """Raises OSError."""
        status = os.fstat(file.descriptor)
        place = f"{status.st_dev:x}-{status.st_ino:x}-{file.mtime_ns:x}-{status.st_ctime_ns:x}-{file.size_octets:x}"
        name = f"{place}.gz"
        async with self._lock:
            if self._kept is None:
                self._kept = await trio.to_thread.run_sync(self._look)
                self._octets = sum(self._kept.values())
        if name in self._kept:
            with suppress(FileNotFoundError):
                found = await trio.to_thread.run_sync(self._open, name)
                self._kept.move_to_end(name)
                return found
        size = await trio.to_thread.run_sync(self._make, file, name)
        # Two that come at once both make it: the second takes the place of the first.
        self._octets += size - self._kept.pop(name, 0)
        self._kept[name] = size
        while self._octets > self._most and len(self._kept) > 1:
            oldest, octets = self._kept.popitem(last=False)
            self._octets -= octets
            with suppress(FileNotFoundError):
                await trio.to_thread.run_sync((self._folder / oldest).unlink)
        return await trio.to_thread.run_sync(self._open, name)

    def _look(self) -> "OrderedDict[str, int]":
        """What an earlier start has left, the oldest first; what it did not finish goes."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        found = []
        for entry in os.scandir(self._folder):
            if entry.name.endswith(".gz"):
                status = entry.stat()
                found.append((status.st_mtime_ns, entry.name, status.st_size))
            else:
                os.unlink(entry)
        return OrderedDict((name, size) for _, name, size in sorted(found))

    def _make(self, file: OpenFile, name: str) -> int:
        if shutil.disk_usage(self._folder).free < _FREE_OCTETS:
            raise OSError(None, "too little of the disk is free")
        compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
        descriptor, path = tempfile.mkstemp(dir=self._folder)
        try:
            with os.fdopen(descriptor, "wb") as kept:
                at = 0
                while octets := os.pread(file.descriptor, _PIECE_OCTETS, at):
                    at += len(octets)
                    kept.write(compressor.compress(octets))
                if at != file.size_octets:
                    raise OSError(None, "the file was changed meanwhile")
                kept.write(compressor.flush())
                size = kept.tell()
            os.rename(path, self._folder / name)
        except BaseException:
            os.unlink(path)
            raise
        return size

    def _open(self, name: str) -> OpenFile:
        descriptor = os.open(self._folder / name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        status = os.fstat(descriptor)
        return OpenFile(descriptor, name, status.st_size, status.st_mtime_ns)


def _beside(site: StaticSite, segments: Sequence[str], file: OpenFile, suffix: str) -> OpenFile | None:
    *above, name = segments
    try:
        found = open_regular(site, (*above, name + suffix))
    except OSError:
        return None
    if found.mtime_ns < file.mtime_ns:
        os.close(found.descriptor)
        return None
    return found
