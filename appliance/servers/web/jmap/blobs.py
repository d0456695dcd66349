"""Blobs: messages, their parts, and what was uploaded (RFC 8620 §6). None ever changes.

Of another's account those messages are there that are shared with who asks, and what he uploaded to it himself.
`B<account>-<message>` is a whole message, `B<account>-<message>-<path>` the decoded content of a part (the path as IMAP
numbers parts), `U<account>-<chance>` an upload. Uploads lie in files without names, so that nothing of them is left
when the process ends; their clients send them again.
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import trio

from appliance.base import limits
from appliance.delivery.appliance import Appliance
from appliance.mail.scan import Scanner
from appliance.operations.actor import Actor
from appliance.operations.websessions import new_token
from appliance.servers.web import stored
from appliance.servers.web.stored import OCTETS, PIECE
from appliance.store.problems import NoSuchMessage
from appliance.store.spool import Scratch
from appliance.store.tables import AccountID, MessageID

#: Of more octets pieces are read in a thread: they may not be in memory.
THREAD_OCTETS: Final = 64 * 1024
_MESSAGE: Final = re.compile(r"B([1-9][0-9]{0,9})-([1-9][0-9]{0,18})(?:-([1-9][0-9]{0,5}(?:\.[1-9][0-9]{0,5}){0,99}))?")
_PATH: Final = re.compile(r"[1-9][0-9]{0,5}(?:\.[1-9][0-9]{0,5}){0,99}")
_HOUR: Final = 3_600_000_000


def message_blob(account: AccountID, id: int) -> str:
    """The blob of a whole message."""
    return f"B{account}-{id}"


def part_blob(account: AccountID, id: int, path: str) -> str:
    """The blob of a part's content, by its path: `1.2`."""
    return f"B{account}-{id}-{path}"


def nested_blob(blob_id: str, path: str) -> str:
    """The blob of a part's content of a message that was uploaded."""
    return f"{blob_id}~{path}"


def message_of(account: AccountID, blob_id: str) -> tuple[MessageID, str] | None:
    """The message that a blob is, or is a part of, and the path of that part; None for other blobs."""
    found = _MESSAGE.fullmatch(blob_id)
    if found is None or int(found[1]) != account:
        return None
    return MessageID(int(found[2])), found[3] or ""


@dataclass(frozen=True, slots=True)
class Blob:
    """A blob that is open."""

    media_type: str
    #: None where only reading it would tell.
    size: int | None
    #: All its octets, in pieces.
    pieces: Callable[[], Iterator[bytes]]
    #: Reading is for a thread.
    in_thread: bool

    async def read(self, start: int = 0, end: int | None = None, most: int | None = None) -> tuple[bytes, int]:
        """Octets start..end, at most so many of them, and the size of the whole."""

        def gather() -> tuple[bytes, int]:
            found, at = bytearray(), 0
            for piece in self.pieces():
                stop = at + len(piece) if end is None else min(end, at + len(piece))
                some = piece[max(0, start - at) : max(0, stop - at)]
                found += some if most is None else some[: most - len(found)]
                at += len(piece)
                if self.size is not None and len(found) == most:
                    break
            return bytes(found), at if self.size is None else self.size

        return await trio.to_thread.run_sync(gather) if self.in_thread else gather()


@dataclass(slots=True)
class _Upload:
    media_type: str
    scratch: Scratch
    made: int
    #: Open blobs of it: it goes when there are none.
    users: int = 0
    is_gone: bool = False

    def close_if_unused(self) -> None:
        if self.is_gone and not self.users:
            self.scratch.__exit__()


@dataclass(slots=True)
class _OfAccount:
    uploads: "OrderedDict[str, _Upload]" = field(default_factory=OrderedDict)
    octets: int = 0


class Uploads:
    """All that was uploaded and is still kept."""

    def __init__(self, app: Appliance) -> None:
        self._app = app
        self._accounts: dict[AccountID, _OfAccount] = {}
        self._count = 0

    def scratch(self) -> Scratch:
        """A place for one that comes; `keep` it, or leave its context."""
        return self._app.store.scratch(limits.JMAP_BLOB_MEMORY_OCTETS)

    def keep(self, account: AccountID, media_type: str, scratch: Scratch, to: AccountID | None = None) -> str:
        """Keep what an account has uploaded whole; its blob id. Its oldest give way, and what is too old anyhow.

        `to`: the account it was uploaded to, where that is another's; it is there for the uploader alone.
        """
        now = self._app.clock.microseconds()
        self._forget_old(now)
        own = self._accounts.setdefault(account, _OfAccount())
        while own.uploads and (
            len(own.uploads) >= limits.JMAP_BLOBS or own.octets + scratch.size > limits.JMAP_BLOB_OCTETS
        ):
            self._forget(account, next(iter(own.uploads)))
        while self._count >= limits.JMAP_ALL_BLOBS:
            largest = max(self._accounts, key=lambda one: len(self._accounts[one].uploads))
            self._forget(largest, next(iter(self._accounts[largest].uploads)))
        own = self._accounts.setdefault(account, own)
        id = f"U{account if to is None else to}-{new_token(self._app.random)}"
        own.uploads[id] = _Upload(media_type, scratch, now)
        own.octets += scratch.size
        self._count += 1
        return id

    def find(self, account: AccountID, blob_id: str, to: AccountID | None = None) -> _Upload | None:
        """One that is there; `account`, `to`: as for `keep`."""
        own = self._accounts.get(account)
        if own is None or not blob_id.startswith(f"U{account if to is None else to}-"):
            return None
        return own.uploads.get(blob_id)

    def _forget_old(self, now: int) -> None:
        for account, own in list(self._accounts.items()):
            for id, one in list(own.uploads.items()):
                if now - one.made < limits.JMAP_BLOB_HOURS * _HOUR:
                    break
                self._forget(account, id)

    def _forget(self, account: AccountID, id: str) -> None:
        own = self._accounts[account]
        gone = own.uploads.pop(id)
        own.octets -= gone.scratch.size
        self._count -= 1
        if not own.uploads:
            del self._accounts[account]
        gone.is_gone = True
        gone.close_if_unused()

    def __del__(self) -> None:
        """Forget all, as nobody can ask for them any more."""
        for account, own in list(self._accounts.items()):
            for id in list(own.uploads):
                self._forget(account, id)


@contextmanager
def open_blob(
    app: Appliance, actor: Actor, account: AccountID, uploads: Uploads, blob_id: str
) -> Iterator[Blob | None]:
    """A blob of an account, readable within the context whatever happens meanwhile; None when the actor has none."""
    whole, _, within = blob_id.partition("~")
    upload = uploads.find(actor.account, whole, account)
    if upload is not None:
        upload.users += 1
        try:
            yield _part_of_upload(app, upload, within) if within else _of_upload(upload)
        finally:
            upload.users -= 1
            upload.close_if_unused()
        return
    named = message_of(account, blob_id)
    if named is None:
        yield None
        return
    listener = app.store.subscribe(account)  # What is removed meanwhile stays readable.
    try:
        yield _of_message(app, actor, account, *named)
    finally:
        listener.close()


def _of_upload(upload: _Upload) -> Blob:
    scratch = upload.scratch

    def pieces() -> Iterator[bytes]:
        for at in range(0, scratch.size, PIECE):
            yield scratch.read(at, min(scratch.size, at + PIECE))

    return Blob(upload.media_type, scratch.size, pieces, in_thread=not scratch.in_memory)


def _part_of_upload(app: Appliance, upload: _Upload, path: str) -> Blob | None:
    """A part of an uploaded message, which is looked for when it is read; empty when there is none."""
    if not _PATH.fullmatch(path):
        return None
    scratch = upload.scratch

    def pieces() -> Iterator[bytes]:
        scanner = Scanner(app.store.limits.scan)
        for octets in _of_upload(upload).pieces():
            scanner.feed(octets)
        part = scanner.close().root.find([int(one) for one in path.split(".")])
        if part is not None:
            read = (scratch.read(at, min(part.end, at + PIECE)) for at in range(part.body, part.end, PIECE))
            yield from stored.decoded(part, read)

    return Blob(OCTETS, None, pieces, in_thread=True)


def _of_message(app: Appliance, actor: Actor, account: AccountID, id: MessageID, path: str) -> Blob | None:
    try:
        one = stored.of(app.store, account, id, actor.account)
    except NoSuchMessage:
        return None
    if not path:
        return Blob("message/rfc822", one.row.size, one.pieces, one.row.size > THREAD_OCTETS)
    part = one.facts.root.find([int(number) for number in path.split(".")])
    if part is None:
        return None
    is_long = part.end - part.body > THREAD_OCTETS
    known = None if part.decoded_size < 0 else part.decoded_size
    return Blob(stored.media_type(part), known, lambda: one.decoded(part), is_long)
