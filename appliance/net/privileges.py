"""Who the process runs as: root binds the ports below 1024, and is given up before anybody is served.

Files come first: what the server reads and writes later must be its user's.
"""

import ctypes
import os
import pwd
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import trio

from appliance.base.log import Log

log = Log("serve")

#: Files and folders that the server makes are nobody else's business.
UMASK: Final = 0o027
_FOLDER_MODE: Final = 0o2750
_FILE_MODE: Final = 0o640
_NO_NEW_PRIVILEGES: Final = 38


class StillRoot(Exception):
    """Root could be had again: the server must not run."""


class Unreadable(PermissionError):
    """The user may not read the program."""


def is_root() -> bool:
    """Whether there is anything to give up."""
    return os.geteuid() == 0


def repair(folders: Iterable[Path], uid: int, gid: int) -> None:
    """Make folders with all that is in them the user's, where the folder itself is not; modes only ever get narrower.

    A folder that is right is not looked into: it may hold millions of files. One that may be for other things, too, is
    left alone. What cannot be changed is logged.
    """
    for folder in folders:
        if not is_own(folder, uid):
            log.info("leaving owner and mode of files as they are: the folder may be of others, too", path=folder)
            continue
        try:
            state = folder.stat()
        except OSError as error:
            log.error("folder cannot be looked at", error, path=folder)
            continue
        if (state.st_uid, state.st_gid, state.st_mode & 0o7777) == (uid, gid, _FOLDER_MODE):
            continue
        log.info("making files the server's own", path=folder, uid=uid, gid=gid)
        for path in _below(folder):
            _give(path, uid, gid)


def give(paths: Iterable[Path], uid: int, gid: int) -> None:
    """Give the user what was made as root since the start, with all that is in it. Raises OSError."""
    for path in paths:
        if path.exists():
            for one in _below(path):
                os.chown(one, uid, gid, follow_symlinks=False)


def _below(folder: Path) -> Iterator[Path]:
    """The folder last: while it is not right, another start begins again."""
    for parent, folders, files in os.walk(folder):
        yield from (Path(parent, name) for name in (*folders, *files))
    yield folder


def is_own(folder: Path, uid: int) -> bool:
    """Whether a folder is for this program alone: below the home of its user, or with moxpy in its path.

    A configuration in /etc must not make all of /etc its user's.
    """
    folder = folder.resolve()
    if any("moxpy" in part for part in folder.parts):
        return True
    try:
        home = Path(pwd.getpwuid(uid).pw_dir).resolve()
    except KeyError:
        return False
    return len(home.parts) > 2 and folder.is_relative_to(home)


def _give(path: Path, uid: int, gid: int) -> None:
    try:
        if path.is_symlink():
            os.lchown(path, uid, gid)
            return
        mode = path.stat().st_mode & 0o7777
        os.chown(path, uid, gid)
        # chown takes setgid away.
        path.chmod(_FOLDER_MODE if path.is_dir() else mode & _FILE_MODE)
    except OSError as error:
        log.error("owner or mode of a file cannot be changed", error, path=path)


def drop(uid: int, gid: int) -> None:
    """Become that user for good; children gain nothing by setuid programs either.

    Raises Unreadable and other OSErrors, StillRoot.
    """
    _open_bundle(gid)
    os.umask(UMASK)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    if sys.platform == "linux":
        # Best effort: an old kernel lacks it.
        ctypes.CDLL(None, use_errno=True).prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    for regain in (os.setresuid, os.setresgid):
        try:
            regain(0, 0, 0)
        except PermissionError:
            continue
        raise StillRoot("root privileges could not be given up")
    _check_readable()
    log.info("running as", uid=uid, gid=gid)


def _open_bundle(gid: int) -> None:
    """A one-file executable has unpacked itself where only root may look, and is read from there later, too."""
    bundle = getattr(sys, "_MEIPASS", None)
    if bundle is None:
        return
    for path in _below(Path(bundle)):
        if not path.is_symlink():
            os.chown(path, -1, gid)
            path.chmod(0o750 if path.is_dir() else path.stat().st_mode & 0o700 | 0o040)


def _check_readable() -> None:
    """Much of the program is loaded when it is first needed: better no start than half a server."""
    # The executable holds the modules; otherwise ours, the library's and those of others lie in folders.
    needed = [sys.executable] if hasattr(sys, "_MEIPASS") else [__file__, os.__file__, trio.__file__]
    for path in needed:
        if not os.access(path, os.R_OK):
            raise Unreadable(f"the user of the server cannot read {path}: install it where that user can, see `user`")
