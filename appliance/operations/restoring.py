"""A backup is looked at, and put in place where no house stands. Nothing is overwritten, and the backup stays as it is.

What is put in place is copied beside its place first, checked there, and then gets its name: a crash leaves the place
empty.
"""

import hashlib
import os
import shutil
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from appliance.base.clock import Clock
from appliance.base.problem import Kind, Problem
from appliance.mail.status import Status
from appliance.operations.backup import CONFIG, DATA, MANIFEST, MARK, Manifest
from appliance.store.defaults import STORE
from appliance.store.problems import OlderSchema
from appliance.store.store import Store, verify_folder

#: The end of the name of what is not in place yet.
RESTORING: Final = ".restoring"
_PIECE_OCTETS: Final = 4 * 1024 * 1024
_MANIFEST_OCTETS: Final = 1024 * 1024
#: A larger configuration file is none.
_CONFIG_OCTETS: Final = 16 * 1024 * 1024

Say = Callable[[str], None]


class NotRestored(Problem):
    """Nothing was put in place."""

    kind, status = Kind.INVALID, Status(4, 3, 0)


@dataclass(frozen=True, slots=True)
class Places:
    """Where a backup goes."""

    #: None: that is in the data folder, or there is one already, which stays.
    config: Path | None
    data: Path


def open_backup(folder: Path) -> Manifest:
    """What a backup says of itself. Raises NotRestored for what is none, or not whole."""
    if (folder / MARK).exists():
        raise NotRestored(f"{folder} is no finished backup: it has the mark {MARK}")
    try:
        with (folder / MANIFEST).open("rb") as file:
            manifest = msgspec.json.decode(file.read(_MANIFEST_OCTETS), type=Manifest)
    except OSError as error:
        raise NotRestored(f"{folder} is no finished backup: {MANIFEST}: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise NotRestored(f"{folder / MANIFEST} cannot be read: {error}") from error
    if manifest.form != 1:
        raise NotRestored(f"{folder} was made by a newer program (moxpy {manifest.version})")
    return manifest


def rehearse(folder: Path, say: Say) -> list[str]:
    """Check a backup where it lies, and change nothing; what is wrong, in words.

    Of one with a store of an older version only its octets are compared. Raises NotRestored, NewerSchema, StoreFailed.
    """
    manifest = open_backup(folder)
    store = folder / DATA / "store" / "data.mdb"
    say(f"backup of {manifest.begun:%Y-%m-%d %H:%M:%S} UTC by moxpy {manifest.version}")
    digest = hashlib.sha256()
    try:
        for piece in _pieces(store):
            digest.update(piece)
    except OSError as error:
        raise NotRestored(f"{store}: {error.strerror}") from error
    if digest.hexdigest() != manifest.store_sha256:
        return [f"{store} is not what was written: it is damaged, or was changed"]
    say(f"the store's {manifest.store_octets >> 20} MB are what was written")
    problems = [f"{one} is missing: it could not be read for the backup" for one in manifest.missing]
    try:
        return problems + verify_folder(folder / DATA, alone=True)
    except OlderSchema:
        say("the store is of an older version: what it holds is checked when it is restored")
        return problems


def places(folder: Path, config_file: Path) -> Places:
    """Where a backup goes for somebody whose configuration file is, or will be, this one. Raises NotRestored."""
    manifest = open_backup(folder)
    target = config_file.absolute().parent
    there = config_file.is_file()
    in_backup = folder / CONFIG if (folder / CONFIG).is_dir() else None
    if in_backup is None and not there:
        return Places(None, target)
    source = config_file if there or in_backup is None else in_backup / manifest.config_file
    try:
        with source.open("rb") as file:
            settings = tomllib.loads(file.read(_CONFIG_OCTETS).decode())
        data = settings["data_dir"]
        if not isinstance(data, str):
            raise NotRestored(f"{source}: data_dir must be a text")
    except OSError as error:
        raise NotRestored(f"{source}: {error.strerror}") from error
    except (ValueError, KeyError) as error:
        raise NotRestored(f"{source} cannot be read, or has no data_dir") from error
    return Places(None if there else target, Path(os.path.normpath(target / data)))


def restore(folder: Path, where: Places, clock: Clock, say: Say) -> list[str]:
    """Put a backup in place, if it is in order; what is wrong otherwise, and then nothing was done.

    Raises NotRestored when there is something in its place, NewerSchema, StoreFailed, OSError.
    """
    manifest = open_backup(folder)
    for target in (where.config, where.data):
        _require_empty(target)
    staged: list[tuple[Path, Path]] = []
    try:
        data, config = _stage(where, staged)
        digest = _copy(folder / DATA, data)
        if digest != manifest.store_sha256:
            return [f"{folder / DATA}/store/data.mdb is not what was written: it is damaged, or was changed"]
        problems = _check(data, clock, say)
        if problems:
            return problems
        if config is not None:
            _copy(folder / CONFIG, config)
        for _, target in staged:
            _require_empty(target)
        while staged:
            # Data first: a configuration without them would be taken for a new installation.
            source, target = staged[0]
            if target.is_dir():
                target.rmdir()  # It is empty.
            os.rename(source, target)
            _sync(target.parent)
            del staged[0]
            say(f"{target} is in place")
    finally:
        for source, _ in staged:
            shutil.rmtree(source, ignore_errors=True)
    return []


def _stage(where: Places, staged: list[tuple[Path, Path]]) -> tuple[Path, Path | None]:
    """New folders for data and configuration; of one in the other only the outer has to be renamed."""
    if where.config is not None and where.config in where.data.parents:
        config = _beside(where.config)
        staged.append((config, where.config))
        data = config / where.data.relative_to(where.config)
        data.mkdir(mode=0o750, parents=True)
        return data, config
    data = _beside(where.data)
    staged.append((data, where.data))
    if where.config is None:
        return data, None
    if where.data in where.config.parents:
        config = data / where.config.relative_to(where.data)
        config.mkdir(mode=0o750, parents=True)
        return data, config
    config = _beside(where.config)
    staged.append((config, where.config))
    return data, config


def _require_empty(target: Path | None) -> None:
    """Raises NotRestored."""
    if target is None or not os.path.lexists(target):
        return
    if target.is_symlink() or not target.is_dir() or any(target.iterdir()):
        more = "; stop the server (moxpy stop) and move it away" if (target / "store").exists() else "; move it away"
        raise NotRestored(f"{target} exists, and nothing is overwritten{more}")


def _beside(target: Path) -> Path:
    """A new folder next to one that will be."""
    path = target.with_name(target.name + RESTORING)
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise NotRestored(f"{path} is in the way")
    shutil.rmtree(path, ignore_errors=True)  # A restore that was ended left it; nobody else uses such names.
    path.mkdir(mode=0o750, parents=True)
    return path


def _check(data: Path, clock: Clock, say: Say) -> list[str]:
    try:
        problems = verify_folder(data, alone=True)
    except OlderSchema:
        say("the store is of an older version and is brought to the present one")
        store = Store(data, clock=clock, limits=STORE)
        try:
            problems = store.verify()
        finally:
            store.close()
    return problems


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE_OCTETS):
            yield piece


def _copy(source: Path, target: Path) -> str:
    """Copy a folder, with owners where that is allowed, and sync it; the digest of the store in it."""
    found = ""
    for entry in sorted(os.scandir(source), key=lambda one: one.name):
        path, copy = Path(entry.path), target / entry.name
        if entry.is_symlink():
            copy.symlink_to(os.readlink(path))
            continue
        if entry.is_dir():
            copy.mkdir(mode=0o700)
            found = _copy(path, copy) or found
            copy.chmod(entry.stat().st_mode & 0o7777)
            continue
        digest = hashlib.sha256()
        with copy.open("xb") as file:
            os.fchmod(file.fileno(), 0o600)
            for piece in _pieces(path):
                digest.update(piece)
                file.write(piece)
            file.flush()
            os.fchmod(file.fileno(), entry.stat().st_mode & 0o7777)
            os.fsync(file.fileno())
        if entry.name == "data.mdb":
            found = digest.hexdigest()
    _sync(target)
    return found


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
