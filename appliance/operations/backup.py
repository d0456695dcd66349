"""Backups of a running house: one snapshot of the store, the configuration, keys and whatever else lies beside them.

    NAME/backup.json   what it is: written last
    NAME/config/       the configuration's folder; absent where that is the data folder itself
    NAME/data/         the data folder, with the store as one file

A backup is made under another name and gets its own when all of it is on the disk, so what has the name is whole. The
store's copy is not incremental: it is one file, in which every page keeps its place unless it is compacted. So programs
that send files elsewhere piece by piece (rsync, restic, borg) find little that is new.
"""

import errno
import fcntl
import os
import re
import shutil
import stat
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import trio

from appliance import __version__
from appliance.base.log import Log
from appliance.base.metrics import Gauge
from appliance.base.problem import Kind, Problem
from appliance.delivery.appliance import Appliance
from appliance.mail.status import Status
from appliance.operations import backupcommand
from appliance.store import lastbackup

log = Log("backup")

last_success = Gauge("backup_last_success_timestamp_seconds", "When the last backup was finished.")

MANIFEST: Final = "backup.json"
CONFIG: Final = "config"
DATA: Final = "data"
#: Of an unfinished backup: the end of its name, and a file in it that its maker holds locked.
PARTIAL: Final = ".partial"
MARK: Final = "unfinished-backup"
#: In the data folder, what another start makes anew or must not have.
_LEFT_OUT: Final = frozenset({"store", "spool", "ctl", "lock", "httpcache"})
#: Names of backups that are kept by number.
_KEPT: Final = re.compile(r"moxpy-\d{8}-\d{6}")
#: Octets that are left free on the disk.
RESERVE_OCTETS: Final = 64 * 1024 * 1024
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_WHERE: Final = "; the server makes the backup: its user, and ReadWritePaths of its service, must allow it"
#: Octets copied of a file between two looks at whether to go on.
_PIECE_OCTETS: Final = 4 * 1024 * 1024


class Manifest(msgspec.Struct, kw_only=True, frozen=True):
    """What a backup says of itself."""

    #: Of this form.
    form: int = 1
    version: str
    #: When the store's snapshot was taken, or a little before.
    begun: datetime
    store_octets: int
    #: Of data/store/data.mdb.
    store_sha256: str
    #: The static file's name, in config/, or in data/ where there is no such folder.
    config_file: str
    #: Files and folders that could not be read.
    missing: list[str] = []


class BackupFailed(Problem):
    """No backup was made."""

    kind, status = Kind.UNAVAILABLE, Status(4, 3, 0)


class BackupExists(Problem):
    """There is something of that name, and nothing is overwritten."""

    kind, status = Kind.EXISTS, Status(4, 3, 0)


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asks for."""

    #: Absolute. What is made; with `keep` the folder in which it is made.
    target: Path
    #: So many backups stay in the folder, the newest; None: the target is the backup itself.
    keep: int | None = None
    compact: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """How far it is."""

    #: What was copied, or left out.
    lines: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    #: Octets of the store, done and in all.
    done: int = 0
    all: int = 0


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that was made."""

    path: Path
    octets: int
    #: What could not be read of what lies beside the store.
    missing: tuple[Path, ...]
    #: Older ones.
    removed: tuple[Path, ...]
    #: What went wrong with the command after it; empty: nothing, or there is none.
    command_problem: str = ""


Hear = Callable[[Told], Awaitable[None]]


async def make(app: Appliance, wish: Wish, hear: Hear) -> Made:
    """Make a backup; ended by cancelling, which leaves nothing that looks like one that is not whole.

    The operator's command is run after one that is whole. Only if it succeeds, too, this was the last one that counts.

    Raises BackupExists, BackupFailed, CopyFailed.
    """
    if not wish.target.is_absolute():
        raise BackupFailed("the place of the backup must be an absolute path")
    if wish.keep is not None and wish.keep < 1:
        raise BackupFailed("at least one backup must be kept")
    now = app.clock.now().astimezone(UTC)
    path = wish.target / f"moxpy-{now:%Y%m%d-%H%M%S}" if wish.keep is not None else wish.target
    try:
        made = await trio.to_thread.run_sync(_Maker(app, wish, path, now, hear).make)
    except OSError as error:
        hint = _WHERE if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS} else ""
        raise BackupFailed(f"{error.filename or path}: {error.strerror or error}{hint}") from error
    command = app.config.snapshot().static.backup_command
    if command and not made.missing:
        made = replace(made, command_problem=await backupcommand.run(command, path))
        if made.command_problem:
            log.error("the command after the backup failed", path=str(path), problem=made.command_problem)
    if not made.missing and not made.command_problem:
        await app.store.write(lastbackup.note)
        show_last(app)
    log.info("backup made", path=str(path), octets=made.octets)
    return made


def show_last(app: Appliance) -> None:
    """Show when the last one was made; at start, too."""
    with app.store.read() as tx:
        when = lastbackup.when(tx)
    if when is not None:
        last_success.labels().set(when / 1_000_000)


class _Maker:
    """Makes one backup, in a thread."""

    def __init__(self, app: Appliance, wish: Wish, path: Path, now: datetime, hear: Hear) -> None:
        self._app, self._wish, self._path, self._now, self._hear = app, wish, path, now, hear
        config = app.config.snapshot()
        self._config, self._data = config.directory.resolve(), config.data_directory.resolve()
        self._config_file = config.static_file.name
        self._partial = path.with_name(path.name + PARTIAL)
        self._missing: list[Path] = []

    def make(self) -> Made:
        """Raises OSError and Problems; then nothing of it is left."""
        target = self._path.parent.resolve() / self._path.name
        if self._data == target or self._data in target.parents or target in self._data.parents:
            raise BackupFailed("a backup within the data folder would be a part of the next one")
        if os.path.lexists(self._path):
            raise BackupExists(f"{self._path} exists, and nothing is overwritten")
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial = self._partial
        for left in [partial] if self._wish.keep is None else self._path.parent.glob(f"moxpy-*{PARTIAL}"):
            _remove_partial(left)
        partial.mkdir(mode=0o700)
        try:
            octets = self._fill(partial)
            if os.path.lexists(self._path):
                raise BackupExists(f"{self._path} exists, and nothing is overwritten")
            os.rename(partial, self._path)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        _sync_folder(self._path.parent)
        return Made(self._path, octets, tuple(self._missing), self._remove_old())

    def _fill(self, folder: Path) -> int:
        with _marked(folder):
            octets = self._app.store.copy_octets
            free = shutil.disk_usage(folder).free - RESERVE_OCTETS
            if octets > free and not self._wish.compact:
                raise BackupFailed(f"{octets >> 20} MB are needed in {folder.parent}, {max(0, free) >> 20} MB are free")
            copied = self._app.store.copy(folder / DATA, compact=self._wish.compact, hear=self._progress)
            self._tell(Told((f"{DATA}/store/data.mdb",)))
            left_out = {self._data / name for name in _LEFT_OUT}
            if self._config != self._data:
                self._copy_tree(self._config, folder / CONFIG, {self._data})
                left_out.add(self._config)
            self._copy_tree(self._data, folder / DATA, left_out)
            manifest = Manifest(
                version=__version__,
                begun=self._now,
                store_octets=copied.octets,
                store_sha256=copied.sha256,
                config_file=self._config_file,
                missing=list(map(str, self._missing)),
            )
            _sync_tree(folder)
            with (folder / MANIFEST).open("xb") as file:
                file.write(msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")
                file.flush()
                os.fsync(file.fileno())
        (folder / MARK).unlink()
        _sync_folder(folder)
        return sum(one.stat().st_size for one in folder.rglob("*") if one.is_file() and not one.is_symlink())

    def _progress(self, done: int, all_octets: int) -> None:
        self._tell(Told(done=done, all=all_octets))

    def _tell(self, told: Told) -> None:
        """Also where a cancelled backup ends."""
        trio.from_thread.check_cancelled()
        trio.from_thread.run(self._hear, told)

    def _copy_tree(self, source: Path, target: Path, left_out: set[Path]) -> None:
        """What cannot be read is missed and named: it must not prevent all backups."""
        target.mkdir(mode=0o700, exist_ok=True)
        for entry in sorted(os.scandir(source), key=lambda one: one.name):
            path, copy = source / entry.name, target / entry.name
            if path in left_out:
                continue
            try:
                if entry.is_symlink():
                    copy.symlink_to(os.readlink(path))
                elif entry.is_dir():
                    self._copy_tree(path, copy, left_out)
                    copy.chmod(stat.S_IMODE(entry.stat().st_mode) | stat.S_IRWXU)
                    continue
                elif entry.is_file():
                    self._copy_file(path, copy)
                else:
                    self._tell(Told(warnings=(f"{path} is neither a file nor a folder, and is left out",)))
                    continue
            except (PermissionError, FileNotFoundError) as error:
                self._missing.append(path)
                self._tell(Told(warnings=(f"{path} is missing: {error.strerror}",)))
                continue
            self._tell(Told((str(copy.relative_to(self._partial)),)))

    def _copy_file(self, source: Path, target: Path) -> None:
        with source.open("rb") as reading, os.fdopen(os.open(target, _NEW, 0o600), "wb") as writing:
            while piece := reading.read(_PIECE_OCTETS):
                writing.write(piece)
                trio.from_thread.check_cancelled()
            status = os.fstat(reading.fileno())
            os.fchmod(writing.fileno(), stat.S_IMODE(status.st_mode) | stat.S_IRUSR)
            os.utime(writing.fileno(), ns=(status.st_atime_ns, status.st_mtime_ns))

    def _remove_old(self) -> tuple[Path, ...]:
        if self._wish.keep is None:
            return ()
        folder = self._path.parent
        found = sorted(
            one for one in folder.iterdir() if _KEPT.fullmatch(one.name) and (one / MANIFEST).is_file() and one.is_dir()
        )
        old = tuple(found[: -self._wish.keep])
        for one in old:
            # What is no longer whole must not look so.
            gone = one.with_name(one.name + PARTIAL)
            (one / MARK).touch(mode=0o600)
            os.rename(one, gone)
            shutil.rmtree(gone)
        return old


@contextmanager
def _marked(folder: Path) -> Iterator[None]:
    """While an unfinished backup is written to."""
    with (folder / MARK).open("xb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def _remove_partial(folder: Path) -> None:
    """Remove what a backup left that did not come to its end. Raises BackupFailed when it is still being made."""
    if not folder.is_dir() or folder.is_symlink():
        return
    mark = folder / MARK
    if not mark.is_file():
        if any(folder.iterdir()):
            raise BackupExists(f"{folder} is not of a backup, and nothing is overwritten")
        folder.rmdir()
        return
    with mark.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in {errno.EAGAIN, errno.EACCES}:
                raise BackupFailed("another backup is being made there") from error
            raise
        shutil.rmtree(folder)


def _tree(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        for name in names:
            if not (path := Path(parent, name)).is_symlink():
                yield path
        yield Path(parent)


def _sync_tree(folder: Path) -> None:
    for path in _tree(folder):
        _sync_folder(path)


def _sync_folder(path: Path) -> None:
    """Sync a folder, or a file."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
