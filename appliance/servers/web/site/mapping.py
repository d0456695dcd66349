"""From the path of a request to an open file below a root, and never to another: for a thread, since disks are slow."""

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from appliance.base import limits
from appliance.config.domains import StaticSite
from appliance.servers.web.site.paths import hidden

#: Enough to look a name up; where the system has no such way, a directory must also be readable.
_LOOK_UP: Final = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
#: A pipe that somebody put there must not make us wait.
_READ: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
INDEX: Final = "index.html"


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A regular file; whoever gets one closes it."""

    descriptor: int
    name: str
    size_octets: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Entry:
    """Of a listing."""

    name: str
    is_directory: bool
    size_octets: int
    mtime_seconds: float


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory without an index."""

    #: In the order of their names; None: it may not be listed.
    entries: tuple[Entry, ...] | None
    #: Whether there are more than are listed.
    more: bool = False


class Slash(Exception):
    """It is a directory, and the path does not say so."""


def look(site: StaticSite, segments: Sequence[str], *, slash: bool) -> OpenFile | Directory:
    """What is there. `slash`: whether the path ends in one, as those of directories do.

    Raises Slash; FileNotFoundError also for what is not meant to be seen; PermissionError; OSError.
    """
    try:
        return _index_or_file(site, segments, slash=slash)
    except PermissionError:
        # A directory may be closed for everybody and still have files that are not.
        if not slash:
            raise
        return open_regular(site, (*segments, INDEX))


def _index_or_file(site: StaticSite, segments: Sequence[str], *, slash: bool) -> OpenFile | Directory:
    descriptor = open_below(site, segments)
    try:
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode):
            if slash:
                raise FileNotFoundError
            found = OpenFile(descriptor, segments[-1], status.st_size, status.st_mtime_ns)
            descriptor = -1
            return found
        if not stat.S_ISDIR(status.st_mode):
            raise FileNotFoundError
        if not slash:
            raise Slash
        try:
            return open_regular(site, (*segments, INDEX))
        except FileNotFoundError:
            return _listing(site, segments, descriptor) if site.list_files else Directory(None)
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def open_regular(site: StaticSite, segments: Sequence[str]) -> OpenFile:
    """The file that is there. Raises OSError, FileNotFoundError for all that is no regular file."""
    descriptor = open_below(site, segments)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise FileNotFoundError
    return OpenFile(descriptor, segments[-1], status.st_size, status.st_mtime_ns)


def open_below(site: StaticSite, segments: Sequence[str]) -> int:
    """A descriptor of what is there. Raises OSError, FileNotFoundError for links that lead out of the root.

    Links are followed to see where they lead, and then the way is gone without links, one directory after the other:
    who changes the tree meanwhile gains nothing.
    """
    if site.follow:
        return os.open(os.path.join(site.root, *segments), _READ)
    root = os.path.realpath(site.root)
    inner = inner_segments(root, os.path.join(root, *segments))
    if inner is None or (not site.dotfiles and hidden(inner)):
        raise FileNotFoundError
    if not inner:
        return os.open(root, _READ)
    at = os.open(root, _LOOK_UP)
    try:
        for name in inner[:-1]:
            following = os.open(name, _LOOK_UP | os.O_NOFOLLOW, dir_fd=at)
            os.close(at)
            at = following
        return os.open(inner[-1], _READ | os.O_NOFOLLOW, dir_fd=at)
    finally:
        os.close(at)


def inner_segments(root: str, path: str) -> list[str] | None:
    """Where a path leads from a root that has no links in it; None: out of it."""
    target = os.path.realpath(path)
    if target == root:
        return []
    begin = root.rstrip("/") + "/"
    return target[len(begin) :].split("/") if target.startswith(begin) else None


def _listing(site: StaticSite, segments: Sequence[str], descriptor: int) -> Directory:
    root = os.path.realpath(site.root)
    path = os.path.join(site.root if site.follow else root, *segments)
    found: list[Entry] = []
    more = False
    with os.scandir(descriptor) as entries:
        for entry in entries:
            if not site.dotfiles and hidden([*segments, entry.name]):
                continue
            if len(found) == limits.LISTING_ENTRIES:
                more = True
                break
            try:
                if entry.is_symlink() and not site.follow:
                    inner = inner_segments(root, os.path.join(path, entry.name))
                    if inner is None or (not site.dotfiles and hidden(inner)):
                        continue
                status = entry.stat()
            except OSError:
                continue  # Gone, or a link to nowhere.
            is_directory = stat.S_ISDIR(status.st_mode)
            if is_directory or stat.S_ISREG(status.st_mode):
                found.append(Entry(entry.name, is_directory, status.st_size, status.st_mtime))
    return Directory(tuple(sorted(found, key=lambda one: one.name)), more)
