"""A config file on disk: which one it is, and how it is replaced so that a crash leaves the old or the new."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """Tells whether a file is still the one that was read."""

    mtime_ns: int
    size_octets: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> "FileIdentity":
        """The identity that a stat result shows."""
        return cls(status.st_mtime_ns, status.st_size, status.st_ino)

    @classmethod
    def at(cls, path: Path) -> "FileIdentity | None":
        """The identity of the file at a path; None when there is none to see."""
        try:
            return cls.of(path.stat())
        except OSError:
            return None


class FileChanged(Exception):
    """The file to replace is no longer the one that was read; it was left alone."""


def replace_file(path: Path, octets: bytes, *, expected: FileIdentity) -> FileIdentity:
    """Put octets in the place of the file at `path`, with its mode and owner. Returns the new file's identity.

    The new file is whole on disk before it takes the old one's name, and the directory is synced after. Raises
    FileChanged when the file is not the expected one immediately before that; OSError. A link is followed.
    """
    path = path.resolve()
    old = path.stat()
    temporary = path.with_name(path.name + ".tmp")
    # A crash may have left a temporary file; its content and mode are worth nothing.
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(octets)
            file.flush()
            _keep_owner(file.fileno(), old)
            os.fchmod(file.fileno(), old.st_mode & 0o7777)
            os.fsync(file.fileno())
            identity = FileIdentity.of(os.fstat(file.fileno()))
        if FileIdentity.at(path) != expected:
            raise FileChanged(f"{path} was changed meanwhile")
        os.rename(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_directory(path.parent)
    return identity


def _keep_owner(descriptor: int, old: os.stat_result) -> None:
    new = os.fstat(descriptor)
    if (new.st_uid, new.st_gid) == (old.st_uid, old.st_gid):
        return
    try:
        os.fchown(descriptor, old.st_uid, old.st_gid)
    except PermissionError:
        # We are not root, and the file was another user's: give it at least to the group that reads it.
        if new.st_gid != old.st_gid:
            os.fchown(descriptor, -1, old.st_gid)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
