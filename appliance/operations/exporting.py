"""Mailboxes as files: Maildirs or mbox, in a folder or an archive, made while it is being sent.

What is there is written down at the beginning, as numbers; each message is then read by itself, so that no snapshot
stays open for as long as somebody takes to fetch it all. What is removed meanwhile is left out. Everything here blocks
and belongs in a thread; `in_pieces` brings it to an event loop.
"""

import io
import json
import os
import tarfile
import tempfile
import zipfile
from array import array
from collections.abc import AsyncIterator, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import IO, Final

import trio

from appliance.base import limits
from appliance.base.problem import Kind, Problem
from appliance.mail import header, maildir, mbox
from appliance.operations.actor import Actor, Right
from appliance.store import bodies, mailbox as mailboxes, message
from appliance.store.problems import NoSuchMailbox, NoSuchMessage
from appliance.store.records import FLAG_NAMES, Flag, Mailbox, Row
from appliance.store.store import Store
from appliance.store.tables import AccountID, MailboxID, MessageID

#: Octets of a message read at a time, and gathered before they go on.
PIECE_OCTETS: Final = 256 * 1024
#: Times that zip archives can tell.
_ZIP_FIRST: Final = datetime(1980, 1, 1, tzinfo=UTC)
_ZIP_LAST: Final = datetime(2107, 12, 31, tzinfo=UTC)
#: Files of one zip archive: its directory stays in memory until the end.
ZIP_FILES: Final = 100_000


class Format(StrEnum):
    """How messages are written."""

    MAILDIR = "maildir"
    MBOX = "mbox"


class Archive(StrEnum):
    """What they are put in."""

    #: One mbox file, alone.
    NONE = "none"
    TAR = "tar"
    TGZ = "tgz"
    ZIP = "zip"


#: Content types.
TYPES: Final = {
    Archive.NONE: "application/mbox",  # RFC 4155
    Archive.TAR: "application/x-tar",
    Archive.TGZ: "application/gzip",  # RFC 6713
    Archive.ZIP: "application/zip",
}


class NotExportable(Problem):
    """That cannot be had in this form."""

    kind = Kind.INVALID


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to export: all mailboxes, one, that and those below it, or some messages by their ids."""

    mailbox: str = ""
    recursive: bool = True
    messages: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class File:
    """A file begins; its content follows. One whose path ends with a slash is a folder, and has none."""

    path: str
    modified: datetime
    #: Octets; None when that is not known before.
    size: int | None = None


#: Files, each followed by its content in pieces.
Files = Iterator[File | bytes]


@dataclass(frozen=True, slots=True)
class _Box:
    """A mailbox, and its messages as they were at the beginning."""

    name: str
    id: MailboxID
    uids: "array[int]"
    #: Keywords without a letter of their own, those of Maildirs.
    keywords: tuple[str, ...]
    uid_validity: int = 1


def files(store: Store, actor: Actor, wanted: Wanted, format: Format) -> Files:
    """The files of an export. The first step raises NoSuchMailbox, NoSuchMessage, NotAllowed.

    What could not be written as it is stands in `errors.txt`, which comes last if there is anything.
    """
    actor.require(Right.READ_MAIL)
    boxes = _boxes(store, actor.account, wanted)
    now = datetime.fromtimestamp(store.clock.microseconds() // 1_000_000, UTC)
    errors: list[str] = []
    for box in boxes:
        if format is Format.MAILDIR:
            yield from _maildir(store, actor.account, box, now, errors)
        else:
            yield File(f"{box.name}.mbox", now)
            yield from _mbox(store, actor.account, box, errors)
    if errors:
        octets = "".join(f"{one}\n" for one in errors).encode("utf-8", "replace")
        yield File("errors.txt", now, len(octets))
        yield octets


def _boxes(store: Store, account: AccountID, wanted: Wanted) -> list[_Box]:
    with store.read() as tx:
        if wanted.messages:
            return [_selection(store, account, wanted.messages)]
        found = tx.mailboxes(account)
        if wanted.mailbox:
            top = mailboxes.by_name(tx, account, wanted.mailbox)
            below = top.name + "/"
            found = [one for one in found if one.id == top.id or (wanted.recursive and one.name.startswith(below))]
    return [_box(store, account, one) for one in sorted(found, key=lambda one: one.name)]


def _box(store: Store, account: AccountID, record: Mailbox) -> _Box:
    uids = array("I")
    bits, keywords = 0, set[str]()
    with store.read() as tx:
        for uid, row in message.rows(tx, account, record.id):
            uids.append(uid)
            bits |= row.flags
            keywords.update(row.keywords)
    return _Box(record.name, record.id, uids, _numbered(bits, keywords), record.uid_validity)


def _numbered(bits: int, keywords: set[str]) -> tuple[str, ...]:
    known = [name for flag, name in FLAG_NAMES.items() if bits & flag and not maildir.has_letter(name)]
    return (*known, *sorted(keywords))


def _selection(store: Store, account: AccountID, ids: Sequence[int]) -> _Box:
    """Messages of any mailboxes; their numbers are ids. Raises NoSuchMessage."""
    bits, keywords = 0, set[str]()
    for id in ids:
        row = _row(store, account, None, id)
        if row is None:
            raise NoSuchMessage("no such message")
        bits |= row.flags
        keywords.update(row.keywords)
    return _Box("selection", MailboxID(0), array("Q", ids), _numbered(bits, keywords))


def _row(store: Store, account: AccountID, box: MailboxID | None, number: int) -> Row | None:
    with store.read() as tx:
        if box:
            return message.row(tx, account, box, number)
        place = message.place(tx, account, MessageID(number)) if 0 < number < 2**63 else None
        return None if place is None or place.expunged else message.row(tx, account, place.mailbox, place.uid)


def _names(row: Row) -> list[str]:
    return [name for flag, name in FLAG_NAMES.items() if row.flags & flag] + list(row.keywords)


def _received(row: Row) -> datetime:
    return datetime.fromtimestamp(row.received // 1_000_000, UTC)


class _Gone(Exception):
    """The message was removed meanwhile."""


def _pieces(store: Store, account: AccountID, row: Row) -> Iterator[bytes]:
    """The octets of a message, in pieces. Raises _Gone."""
    with store.read() as tx:
        prefix = message.prefix(tx, account, row.id)
    size = row.size - len(prefix)
    pending = prefix
    for start in range(0, size, PIECE_OCTETS):
        try:
            with store.read() as tx:
                pending += bodies.read(tx, row.body, start, min(size, start + PIECE_OCTETS))
        except KeyError as error:
            raise _Gone from error
        yield pending
        pending = b""
    if pending:
        yield pending


def _lf(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """With LF for CRLF, as files have it."""
    held = b""
    for piece in pieces:
        piece = held + piece
        held = b"\r" if piece.endswith(b"\r") else b""
        yield (piece[:-1] if held else piece).replace(b"\r\n", b"\n")
    if held:
        yield held


def _messages(store: Store, account: AccountID, box: _Box, errors: list[str]) -> Iterator[tuple[Row, Iterator[bytes]]]:
    """Messages with their first piece read, which tells that they are there."""
    for number in box.uids:
        row = _row(store, account, box.id or None, number)
        if row is None:
            continue
        pieces = _pieces(store, account, row)
        try:
            first = next(pieces, b"")
        except _Gone:
            if _row(store, account, box.id or None, number) is not None:
                errors.append(f"{box.name}: message {row.id} cannot be read and is missing")
            continue
        yield row, _checked(first, pieces, box, row, errors)


def _checked(first: bytes, rest: Iterator[bytes], box: _Box, row: Row, errors: list[str]) -> Iterator[bytes]:
    try:
        yield first
        yield from rest
    except _Gone:
        errors.append(f"{box.name}: message {row.id} was removed while it was read, and is cut")


def _maildir(store: Store, account: AccountID, box: _Box, now: datetime, errors: list[str]) -> Files:
    for folder in ("new", "cur", "tmp"):
        yield File(f"{box.name}/{folder}/", now)
    if box.keywords:
        octets = maildir.format_keywords(box.keywords)
        yield File(f"{box.name}/dovecot-keywords", now, len(octets))
        yield octets
        if lost := box.keywords[maildir.KEYWORDS :]:
            errors.append(f"{box.name}: a Maildir has {maildir.KEYWORDS} keywords; missing: {' '.join(lost)}")
    for row, pieces in _messages(store, account, box, errors):
        names = _names(row)
        letters = maildir.letters(names, box.keywords)
        received = _received(row)
        folder = "cur" if "\\Seen" in names else "new"
        name = maildir.file_name(row.received // 1_000_000, f"{row.id}.moxpy", letters)
        if row.size <= PIECE_OCTETS:
            octets = b"".join(_lf(pieces))
            yield File(f"{box.name}/{folder}/{name}", received, len(octets))
            yield octets
        else:
            yield File(f"{box.name}/{folder}/{name}", received)
            yield from _lf(pieces)


def _mbox(store: Store, account: AccountID, box: _Box, errors: list[str]) -> Iterator[bytes]:
    known = [*box.keywords, FLAG_NAMES[Flag.FORWARDED]]
    base = mbox.base(box.uid_validity, known)
    for row, pieces in _messages(store, account, box, errors):
        with store.read() as tx:
            try:
                sender = message.facts(tx, account, row.id).origin.mail_from.encode("utf-8", "replace")
            except NoSuchMessage:
                sender = b""
        yield mbox.separator(sender, _received(row))
        ended = yield from _mbox_message(pieces, _names(row), base)
        base = b""
        yield b"\n" if ended else b"\n\n"


def _mbox_message(pieces: Iterator[bytes], names: list[str], base: bytes) -> Generator[bytes, None, bool]:
    """Whole lines at a time, since it is lines that are quoted; whether the last one has its end."""
    lines = _lf(pieces)
    pending, end = b"", 0
    for piece in lines:
        pending += piece
        end = header.header_end(pending)
        if end < len(pending):
            break
        if end > limits.HEADER.octets:  # Nobody reads so far; what is behind may as well be body.
            end = pending.rfind(b"\n") + 1 or end
            break
    yield _mbox_head(pending[:end], names, base)
    pending, last, mid_line = pending[end:], b"\n", False
    for piece in chain((b"",), lines):
        pending += piece
        end = pending.rfind(b"\n") + 1
        if not end and len(pending) > mbox.LINE_OCTETS:
            end = len(pending)
        if end:
            whole, pending = pending[:end], pending[end:]
            begins = whole.find(b"\n") + 1 if mid_line else 0  # The rest of a long line begins no line.
            if begins or not mid_line:
                whole = whole[:begins] + mbox.quote(whole[begins:])
            last, mid_line = whole[-1:], not whole.endswith(b"\n")
            yield whole
    if pending:
        yield pending if mid_line else mbox.quote(pending)
        last = pending[-1:]
    return last == b"\n"


def _mbox_head(octets: bytes, names: list[str], base: bytes) -> bytes:
    if not octets.endswith(b"\n"):
        octets += b"\n"
    return mbox.head(octets, header.fields(octets, limits=limits.HEADER), names, base)


# Archives.


class _Sink(io.RawIOBase):
    """Collects what an archive's writer writes."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.held = 0

    def writable(self) -> bool:
        return True

    def write(self, octets: object) -> int:
        taken = bytes(octets)  # type: ignore[call-overload]
        self._parts.append(taken)
        self.held += len(taken)
        return len(taken)

    def take(self) -> bytes:
        """All of it, taken away."""
        octets = b"".join(self._parts)
        self._parts.clear()
        self.held = 0
        return octets


def archived(found: Files, archive: Archive, *, scratch: Path) -> Iterator[bytes]:
    """An archive of files, piece by piece. `scratch`: a folder for what must be measured before it is written.

    Raises NotExportable, where the archive is NONE and there are several files, before anything is written; or for too
    many of a zip archive.
    """
    match archive:
        case Archive.NONE:
            return _alone(found)
        case Archive.ZIP:
            return _zip(found)
        case _:
            return _tar(found, scratch, compressed=archive is Archive.TGZ)


def _alone(found: Files) -> Iterator[bytes]:
    count = 0
    for one in found:
        if isinstance(one, bytes):
            yield one
        elif one.path != "errors.txt":
            count += 1
            if count > 1 or one.path.endswith("/"):
                raise NotExportable("only one mailbox as mbox goes without an archive")


def _by_file(found: Files) -> Iterator[tuple[File, Iterator[bytes]]]:
    """Each file with its content, which must be gone through before the next."""
    ahead: list[File] = []

    def content() -> Iterator[bytes]:
        for one in found:
            if isinstance(one, File):
                ahead.append(one)
                return
            yield one

    for _ in content():
        raise AssertionError("content without a file")
    while ahead:
        file = ahead.pop()
        pieces = content()
        yield file, pieces
        for _ in pieces:
            pass


def _tar(found: Files, scratch: Path, *, compressed: bool) -> Iterator[bytes]:
    sink = _Sink()
    with tarfile.open(fileobj=sink, mode="w|gz" if compressed else "w|", format=tarfile.PAX_FORMAT) as tar:
        for file, pieces in _by_file(found):
            info = tarfile.TarInfo(file.path.rstrip("/"))
            info.mtime = int(file.modified.timestamp())
            if file.path.endswith("/"):
                info.type, info.mode = tarfile.DIRTYPE, 0o700
                tar.addfile(info)
            else:
                info.mode = 0o600
                with tempfile.TemporaryFile(dir=scratch) if file.size is None else io.BytesIO() as content:
                    for piece in pieces:
                        content.write(piece)
                    info.size = content.tell()
                    content.seek(0)
                    yield from _tar_file(tar, info, content, sink)
            tar.members = []  # type: ignore[attr-defined]  # It would keep a note of every one.
            if sink.held >= PIECE_OCTETS:
                yield sink.take()
    yield sink.take()


def _tar_file(tar: tarfile.TarFile, info: tarfile.TarInfo, content: IO[bytes], sink: _Sink) -> Iterator[bytes]:
    """A file, written beside `addfile`, which would keep all of it in memory."""
    out = tar.fileobj
    assert out is not None
    head = info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
    out.write(head)
    while piece := content.read(PIECE_OCTETS):
        out.write(piece)
        if sink.held >= PIECE_OCTETS:
            yield sink.take()
    padding = -info.size % tarfile.BLOCKSIZE
    out.write(bytes(padding))
    tar.offset += len(head) + info.size + padding


def _zip(found: Files) -> Iterator[bytes]:
    sink = _Sink()
    count = 0
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
        for file, pieces in _by_file(found):
            count += 1
            if count > ZIP_FILES:
                raise NotExportable(f"a zip archive has at most {ZIP_FILES} files here; take tgz, or mbox")
            info = zipfile.ZipInfo(file.path, min(max(file.modified, _ZIP_FIRST), _ZIP_LAST).timetuple()[:6])
            info.external_attr = (0o40700 if file.path.endswith("/") else 0o100600) << 16
            info.compress_type = zipfile.ZIP_STORED if file.path.endswith("/") else zipfile.ZIP_DEFLATED
            with archive.open(info, "w", force_zip64=file.size is None and not file.path.endswith("/")) as out:
                for piece in pieces:
                    out.write(piece)
                    if sink.held >= PIECE_OCTETS:
                        yield sink.take()
            if sink.held >= PIECE_OCTETS:
                yield sink.take()
    yield sink.take()


# Between programs of ours: frames of a letter, four octets of length, and that much.


def framed(found: Files) -> Iterator[bytes]:
    """Files as octets, for `unframed`."""
    for one in found:
        if isinstance(one, File):
            path = json.dumps([one.path, one.modified.timestamp()]).encode()
            yield b"F" + len(path).to_bytes(4, "big") + path
        else:
            yield b"D" + len(one).to_bytes(4, "big") + one


class Unframed:
    """Takes octets of `framed`, however they are cut."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, octets: bytes) -> Files:
        """Files and pieces of content that are whole now."""
        self._rest += octets
        while len(self._rest) >= 5:
            end = 5 + int.from_bytes(self._rest[1:5], "big")
            if len(self._rest) < end:
                return
            kind, payload = self._rest[0], bytes(self._rest[5:end])
            del self._rest[:end]
            if kind == ord("F"):
                path, modified = json.loads(payload)
                yield File(path, datetime.fromtimestamp(modified, UTC))
            else:
                yield payload


class Folder:
    """Writes files into a folder that is new or empty; nothing is overwritten."""

    def __init__(self, path: Path) -> None:
        """Raises NotExportable, OSError."""
        if os.path.lexists(path) and (not path.is_dir() or any(path.iterdir())):
            raise NotExportable(f"{path} exists and is no empty folder; nothing is overwritten")
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = path
        self._file: IO[bytes] | None = None
        self._modified = 0.0
        self.files = 0

    def write(self, one: File | bytes) -> None:
        """The next file, or more of it. Raises OSError."""
        if isinstance(one, bytes):
            assert self._file is not None
            self._file.write(one)
            return
        self.close()
        parts = one.path.rstrip("/").split("/")
        if any(part in {"", ".", ".."} or "\0" in part for part in parts):
            raise NotExportable(f"{one.path!r} can be no file")
        path = self._path.joinpath(*parts)
        if one.path.endswith("/"):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            return
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")
        self._modified = one.modified.timestamp()
        self.files += 1

    def close(self) -> None:
        """The last file is whole."""
        if self._file is not None:
            with self._file as file:
                file.flush()
                os.utime(file.fileno(), (self._modified, self._modified))
            self._file = None


def file_name(wanted: Wanted, format: Format, archive: Archive, now: datetime) -> str:
    """What a download is called: ASCII, without signs that mean anything anywhere."""
    if wanted.messages:
        what = "selection"
    else:
        what = wanted.mailbox or "all"
    clean = "".join(char if char.isascii() and (char.isalnum() or char in "-_") else "-" for char in what)[:100]
    end = format.value if archive is Archive.NONE else f"{format.value}.{archive.value}"
    return f"mailexport-{clean}-{now:%Y%m%d-%H%M%S}.{end}"


async def in_pieces(octets: Iterator[bytes]) -> AsyncIterator[bytes]:
    """What blocks, step by step in a thread, gathered to pieces of some size."""

    def gather() -> bytes:
        parts: list[bytes] = []
        size = 0
        for piece in octets:
            parts.append(piece)
            size += len(piece)
            if size >= PIECE_OCTETS:
                break
        return b"".join(parts)

    with closing(octets):  # type: ignore[type-var]
        while piece := await trio.to_thread.run_sync(gather):
            yield piece


def check(
    store: Store, actor: Actor, wanted: Wanted, format: Format = Format.MBOX, archive: Archive = Archive.TAR
) -> None:
    """Raises NoSuchMailbox, NoSuchMessage, NotAllowed, NotExportable for what would only be found out later."""
    actor.require(Right.READ_MAIL)
    if archive is Archive.NONE and (format is Format.MAILDIR or not (wanted.mailbox or wanted.messages)):
        raise NotExportable("only one mailbox as mbox goes without an archive")
    with store.read() as tx:
        found = tx.mailboxes(actor.account)
        if wanted.mailbox:
            if mailboxes.find(tx, actor.account, wanted.mailbox) is None:
                raise NoSuchMailbox("no such mailbox")
            below = wanted.mailbox + "/"
            found = [
                one for one in found if one.name == wanted.mailbox or (wanted.recursive and one.name.startswith(below))
            ]
    if archive is Archive.NONE and len(found) > 1 and not wanted.messages:
        raise NotExportable("only one mailbox as mbox goes without an archive")
    many = sum(one.messages + 4 for one in found)
    if archive is Archive.ZIP and format is Format.MAILDIR and not wanted.messages and many > ZIP_FILES:
        raise NotExportable(f"a zip archive has at most {ZIP_FILES} files here; take tgz, or mbox")
    for id in wanted.messages:
        if _row(store, actor.account, None, id) is None:
            raise NoSuchMessage("no such message")
