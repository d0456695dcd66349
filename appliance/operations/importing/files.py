"""Sources on this machine: mbox files, and Maildirs with what is below them. Reading changes nothing.

Links are not followed: who may write to a folder of mail must not have the server read other files.
"""

import os
import re
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from appliance.base import limits
from appliance.mail import header, maildir, mbox
from appliance.operations.exporting import Format
from appliance.operations.importing.found import MESSAGE_OCTETS, Box, Message, Source, Trouble, Unreadable
from appliance.protocol.imap import mutf7

PIECE_OCTETS: Final = 256 * 1024
#: Folders below a Maildir, in all and in depth.
FOLDERS: Final = 10_000
DEPTH: Final = 32
_KEYWORDS_OCTETS: Final = 64 * 1024
#: Fields that writers of mbox files put before all others.
_STATUS: Final = re.compile(rb"(?:(?:Status|X-Status|X-Keywords|X-IMAPbase): [^\r\n]*\r?\n)+")


def source(path: Path, mailbox: str, format: Format, *, single: bool) -> Source:
    """An mbox file, or a Maildir with those below it unless it is a `single` one."""
    return mbox_file(path, mailbox) if format is Format.MBOX else maildirs(path, mailbox, single=single)


def mbox_file(path: Path, mailbox: str) -> Source:
    """Messages of a file. Raises Unreadable."""
    yield Box(mailbox)
    yield from mbox_pieces(_pieces(path), mailbox, str(path))


def _pieces(path: Path) -> Iterator[bytes]:
    try:
        with os.fdopen(_open(path), "rb") as file:
            while piece := file.read(PIECE_OCTETS):
                yield piece
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror or error}") from error


def mbox_pieces(pieces: Iterator[bytes], mailbox: str, where: str) -> Source:
    """Messages of a file that comes in pieces. Raises Unreadable when it begins as no mbox does."""
    splitter = mbox.Splitter()
    message = _Gathered(mailbox, where)
    begun = False
    for piece in pieces:
        if not begun and not piece.lstrip(b"\r\n").startswith(b"From "):
            raise Unreadable(f"{where} is no mbox file: its first line does not begin with 'From '")
        begun = True
        for event in splitter.feed(piece):
            yield from message.take(event)
    for event in splitter.finish():
        yield from message.take(event)
    yield from message.end()


class _Gathered:
    """The message that an mbox file is at."""

    def __init__(self, mailbox: str, where: str) -> None:
        self._mailbox, self._where = mailbox, where
        self._begin: mbox.Begin | None = None
        self._parts: list[bytes] = []
        self._size = 0
        self._number = 0

    def take(self, event: mbox.Begin | bytes) -> Source:
        if isinstance(event, bytes):
            self._size += len(event)
            if self._size <= MESSAGE_OCTETS:
                self._parts.append(event)
            else:
                self._parts.clear()
            return
        yield from self.end()
        self._begin = event
        self._number += 1

    def end(self) -> Source:
        begin, self._begin = self._begin, None
        octets, size = b"".join(self._parts), self._size
        self._parts.clear()
        self._size = 0
        if begin is None:
            return
        where = f"{self._where}: message {self._number}"
        if size > MESSAGE_OCTETS:
            yield Trouble(f"{where} is too large ({size >> 20} MB) and is left out")
            return
        if not octets.strip():
            yield Trouble(f"{where} is empty and is left out")
            return
        fields = header.fields(octets, limits=limits.HEADER)
        flags = mbox.flags(octets, fields)
        if status := _STATUS.match(octets):
            octets = octets[status.end() :]
        yield Message(self._mailbox, octets, flags, begin.when, where)


def maildirs(path: Path, mailbox: str, *, single: bool) -> Source:
    """Messages of a Maildir and, unless `single`, of those below it. Raises Unreadable.

    Folders below are mailboxes below; below the Inbox they stand beside it, as Maildirs have it.
    """
    if not (path / "cur").is_dir() and not (path / "new").is_dir() and single:
        raise Unreadable(f"{path} is no Maildir: it has neither cur nor new")
    below = "" if mailbox == "Inbox" else mailbox + "/"
    found = False
    for folder, name in _folders(path, single=single):
        found = True
        yield from _maildir(folder, below + name if name else mailbox)
    if not found:
        raise Unreadable(f"{path} has no Maildir: no folder there has cur or new")


def _folders(top: Path, *, single: bool) -> Iterator[tuple[Path, str]]:
    """Maildirs, the one at the top first, with their names below it."""
    waiting: list[tuple[Path, str, int]] = [(top, "", 0)]
    seen = 0
    while waiting:
        folder, name, depth = waiting.pop()
        seen += 1
        if seen > FOLDERS:
            raise Unreadable(f"{top} has more than {FOLDERS} folders")
        try:
            entries = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False))
        except OSError as error:
            raise Unreadable(f"{folder}: {error.strerror}") from error
        if "cur" in entries or "new" in entries:
            yield folder, name
        if single:
            return
        for entry in reversed(entries):
            if (entry in {"cur", "new", "tmp"} and ("cur" in entries or "new" in entries)) or depth >= DEPTH:
                continue
            waiting.append((folder / entry, "/".join(filter(None, (name, folder_name(entry)))), depth + 1))


def folder_name(entry: str) -> str:
    """What mailbox a folder is: `.A.B` of Maildir++ is A/B, in modified UTF-7 (RFC 3501 §5.1.3)."""
    levels = entry[1:].split(".") if len(entry) > 1 and entry.startswith(".") else [entry]
    return "/".join(_utf7(one) for one in levels)


def _utf7(text: str) -> str:
    try:
        return mutf7.decode(text.encode("ascii")) if "&" in text else text
    except ValueError:
        return text


def _maildir(folder: Path, mailbox: str) -> Source:
    yield Box(mailbox)
    keywords: list[str] = []
    try:
        octets = _content(folder / "dovecot-keywords", _KEYWORDS_OCTETS)
    except OSError:
        pass  # There are none.
    else:
        keywords, bad = maildir.parse_keywords(octets)
        for line in bad:
            yield Trouble(f"{folder / 'dovecot-keywords'}: {line!r} says nothing")
    for part in ("cur", "new"):
        try:
            # In the order in which they came, as far as names tell.
            names = sorted(os.listdir(folder / part), key=_order)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise Unreadable(f"{folder / part}: {error.strerror}") from error
        for name in names:
            if not name.startswith("."):
                yield _file(folder / part / name, mailbox, keywords)


def _order(name: str) -> tuple[int, str]:
    return maildir.parse_name(name).seconds or 0, name


def _file(path: Path, mailbox: str, keywords: list[str]) -> Message | Trouble:
    try:
        octets, modified = _content(path, MESSAGE_OCTETS), path.stat(follow_symlinks=False).st_mtime
    except ValueError as error:
        return Trouble(f"{path} {error} and is left out")
    except OSError as error:
        return Trouble(f"{path} cannot be read and is left out: {error.strerror}")
    return of_maildir(path.name, octets, mailbox, keywords, modified, str(path))


def of_maildir(
    name: str, octets: bytes, mailbox: str, keywords: list[str], modified: float | None, where: str
) -> Message | Trouble:
    """A message of a Maildir, its file's name and, in seconds, when it was last changed."""
    if not octets.strip():
        return Trouble(f"{where} is empty and is left out")
    named = maildir.parse_name(name)
    seconds = modified if named.seconds is None else named.seconds
    try:
        received = None if seconds is None else datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        received = None
    return Message(mailbox, octets, maildir.flags(named.letters, keywords), received, where)


def _open(path: Path) -> int:
    """A regular file. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(0, "it is no regular file")
    return descriptor


def _content(path: Path, most: int) -> bytes:
    """Raises OSError, ValueError."""
    with os.fdopen(_open(path), "rb") as file:
        octets = file.read(most + 1)
    if len(octets) > most:
        raise ValueError("is too large")
    return octets
