"""Archives: zip, tar and tgz of Maildirs and mbox files, read as a stream and trusted in nothing.

    NAME.mbox                       messages of a mailbox
    NAME/{cur,new}/FILE             the same, as a Maildir; also below `.A.B`, as in Maildir++
    NAME/dovecot-keywords           what its letters mean

Other files are named and left out. Nothing of it is ever written by its name.
"""

import gzip
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, Final

from appliance.base import limits
from appliance.mail import maildir
from appliance.operations.importing.files import PIECE_OCTETS, folder_name, mbox_pieces, of_maildir
from appliance.operations.importing.found import MESSAGE_OCTETS, Box, Source, Trouble, Unreadable

#: Octets that come out for each that is in the archive: mail compresses some four to one, bombs a thousand to one.
RATIO: Final = 100
#: So much may come out whatever its ratio.
FREE_OCTETS: Final = 64 * limits.MIB
#: Files of an archive; of a zip fewer, since its directory is read into memory.
FILES: Final = 2_000_000
ZIP_FILES: Final = 200_000
ZIP_DIRECTORY_OCTETS: Final = 64 * limits.MIB
#: Of a name or the like in a tar archive, which is read into memory.
_TAR_HEADER_OCTETS: Final = 64 * 1024
_KEYWORDS_OCTETS: Final = 64 * 1024
#: Left out without a word: what mail servers and systems put beside mail.
_USUAL: Final = ("dovecot", "courier", "maildir", "subscriptions", "errors.txt", ".", "Thumbs.db")


@dataclass(frozen=True, slots=True)
class _Path:
    """What a file is by its path."""

    #: "message", "keywords", "mbox", "box", "other" or "nothing".
    kind: str
    mailbox: str = ""
    name: str = ""


def _meant(path: str) -> _Path:
    parts = [part for part in path.split("/") if part not in {"", "."}]
    if not parts or ".." in parts or "__MACOSX" in parts:
        return _Path("nothing")
    name = parts[-1]
    if path.endswith("/"):
        return _Path("box", _mailbox(parts[:-1])) if name in {"cur", "new"} else _Path("nothing")
    if len(parts) > 1 and parts[-2] in {"cur", "new"}:
        return _Path("nothing" if name.startswith(".") else "message", _mailbox(parts[:-2]), name)
    if len(parts) > 1 and parts[-2] == "tmp":
        return _Path("nothing")
    if name == "dovecot-keywords":
        return _Path("keywords", _mailbox(parts[:-1]))
    if name.endswith(".mbox") and len(name) > 5:
        return _Path("mbox", _mailbox([*parts[:-1], name.removesuffix(".mbox")]))
    return _Path("nothing" if name.startswith(_USUAL) else "other")


def _mailbox(parts: list[str]) -> str:
    return "/".join(map(folder_name, parts)) or "Inbox"


@dataclass(frozen=True, slots=True)
class _File:
    path: str
    modified: float | None
    open: Callable[[], IO[bytes]]


def is_archive(path: Path) -> bool:
    """Whether a file begins as one. Raises OSError."""
    with path.open("rb") as file:
        return _kind(file.read(512)) != ""


def _kind(start: bytes) -> str:
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    if start.startswith(b"\x1f\x8b"):
        return "tgz"
    return "tar" if start[257:262] == b"ustar" else ""


def archive(path: Path) -> Source:
    """All that is in one. Raises Unreadable."""
    try:
        with path.open("rb") as file:
            kind = _kind(file.read(512))
        if not kind:
            raise Unreadable("the file is neither zip, tar nor tgz")
        walk = _walk_zip if kind == "zip" else _walk_tar
        keywords = yield from _keywords(walk(path))
        for one in walk(path):
            yield from _messages(one, keywords)
    except (OSError, EOFError, zlib.error, gzip.BadGzipFile, tarfile.TarError, zipfile.BadZipFile) as error:
        raise Unreadable(f"the archive is damaged: {error}") from error
    except (NotImplementedError, RuntimeError, zipfile.LargeZipFile) as error:
        # Encrypted, or compressed in a way of which we know nothing.
        raise Unreadable(f"the archive cannot be read: {error}") from error


def _keywords(files: Iterator[_File]) -> Generator[Trouble, None, dict[str, list[str]]]:
    """Of all Maildirs, by mailbox: what their letters mean may stand behind them."""
    found: dict[str, list[str]] = {}
    for one in files:
        meant = _meant(one.path)
        if meant.kind != "keywords":
            continue
        with one.open() as content:
            found[meant.mailbox], bad = maildir.parse_keywords(content.read(_KEYWORDS_OCTETS))
        for line in bad:
            yield Trouble(f"{one.path}: {line!r} says nothing")
    return found


def _messages(one: _File, keywords: dict[str, list[str]]) -> Source:
    meant = _meant(one.path)
    match meant.kind:
        case "box":
            yield Box(meant.mailbox)
        case "message":
            with one.open() as content:
                octets = content.read(MESSAGE_OCTETS + 1)
            if len(octets) > MESSAGE_OCTETS:
                yield Trouble(f"{one.path} is too large and is left out")
            else:
                known = keywords.get(meant.mailbox, [])
                yield of_maildir(meant.name, octets, meant.mailbox, known, one.modified, one.path)
        case "mbox":
            yield Box(meant.mailbox)
            with one.open() as content:
                try:
                    yield from mbox_pieces(iter(lambda: content.read(PIECE_OCTETS), b""), meant.mailbox, one.path)
                except Unreadable as problem:
                    yield Trouble(str(problem))
        case "other":
            yield Trouble(f"{one.path[:200]} is no mail and is left out")


class _Measured:
    """Reads, and gives up when too much comes out of too little."""

    def __init__(self, content: Any, taken: Callable[[], int]) -> None:
        self._content, self._taken = content, taken
        self._given = 0

    def read(self, size: int = -1) -> bytes:
        octets: bytes = self._content.read(min(size, PIECE_OCTETS) if size >= 0 else PIECE_OCTETS)
        self._given += len(octets)
        if self._given > FREE_OCTETS and self._given > RATIO * self._taken():
            raise Unreadable(f"the archive holds more than {RATIO} times its size")
        return octets


class _Tar(tarfile.TarInfo):
    """Names are read into memory by their size; ours have an end."""

    def _proc_member(self, tar: tarfile.TarFile) -> Any:
        if not self.isreg() and not self.isdir() and self.size > _TAR_HEADER_OCTETS:
            raise tarfile.ReadError("a header of it is too large")
        return super()._proc_member(tar)  # type: ignore[misc]


def _walk_tar(path: Path) -> Iterator[_File]:
    with path.open("rb") as file:
        compressed = _kind(file.read(512)) == "tgz"
        file.seek(0)
        content: Any = _Measured(gzip.GzipFile(fileobj=file), file.tell) if compressed else file
        with tarfile.open(fileobj=content, mode="r|", tarinfo=_Tar) as tar:
            for count, member in enumerate(tar):
                tar.members = []  # type: ignore[attr-defined]  # It would keep all.
                if count >= FILES:
                    raise Unreadable(f"the archive has more than {FILES} files")
                if member.isdir():
                    yield _File(member.name + "/", None, _nothing)
                elif member.isreg() and member.sparse is None:  # Of holes much comes out of nothing.
                    yield _File(member.name, member.mtime, partial(_extracted, tar, member))


def _extracted(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    content = tar.extractfile(member)
    assert content is not None
    return content


def _nothing() -> IO[bytes]:
    raise AssertionError("a folder has no content")


def _walk_zip(path: Path) -> Iterator[_File]:
    with path.open("rb") as file:
        end = zipfile._EndRecData(file)  # type: ignore[attr-defined]
        if not end:
            raise zipfile.BadZipFile("it has no directory")
        if end[4] > ZIP_FILES or end[5] > ZIP_DIRECTORY_OCTETS:
            raise Unreadable(f"a zip archive may have {ZIP_FILES} files; a tgz may have {FILES}")
        file.seek(0)
        with zipfile.ZipFile(file) as opened:
            given = 0
            size = path.stat().st_size
            for info in opened.infolist():
                if info.is_dir():
                    yield _File(info.filename, None, _nothing)
                    continue
                # What it says of itself bounds what zipfile gives.
                given += info.file_size
                if given > FREE_OCTETS and given > RATIO * size:
                    raise Unreadable(f"the archive holds more than {RATIO} times its size")
                yield _File(info.filename, None, partial(opened.open, info))
