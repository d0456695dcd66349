"""Imports: messages of a source go into an account, a few in each transaction, while the house goes on.

One transaction for all would hold up every delivery for as long as it takes. So what an import adds is written down as
numbers, and taken back when it is aborted or fails: in the end all of it is there, or nothing. Only a house that stops
or dies leaves a part. Then the same import goes on when it is run again, since messages that are there already, octet
by octet, are passed over.
"""

import hashlib
from array import array
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from time import perf_counter
from typing import Final

import trio

from appliance.base.log import Log
from appliance.base.problem import Problem
from appliance.config.domains import AutomaticJunkFlags
from appliance.delivery.appliance import Appliance
from appliance.mail import date, header
from appliance.mail.lineend import crlf
from appliance.operations import sharing
from appliance.operations.actor import Actor, Right
from appliance.operations.importing import found
from appliance.operations.importing.found import Item, Message, Source, Trouble
from appliance.operations.messages import quota_of
from appliance.protocol.imap.mailboxname import BadMailboxName
from appliance.store import duplicates, mailbox as mailboxes, message, prepare
from appliance.store.bodies import NewBody, of_octets
from appliance.store.mailbox import MailboxLimits
from appliance.store.message import NO_RULES, NewMessage
from appliance.store.problems import (
    BadMailboxName as NameRefused,
    MailboxHasChildren,
    MailboxNameTooLong,
    NoSuchAccount,
    NoSuchMailbox,
    TooMany,
)
from appliance.store.records import Mailbox, Role, split_flags
from appliance.store.senders import SentTo
from appliance.store.tables import AccountID, MailboxID
from appliance.store.transaction import WriteTx

log = Log("import")

#: Messages, and octets, that one transaction adds: some ten ms of the writer's time.
MESSAGES: Final = 40
OCTETS: Final = 1024 * 1024
#: After each the import rests so many times as long as that took.
REST: Final = 0.5
#: Messages taken back by one transaction.
BACK_MESSAGES: Final = 200
#: Messages looked at in one snapshot.
LOOK_MESSAGES: Final = 500
#: Counts are told this often; so many problems are told one by one.
TELL_MESSAGES: Final = 100
TROUBLES: Final = 1000


class Duplicates(StrEnum):
    """What is done with messages that their mailbox has already."""

    #: Passed over when they are the same, octet by octet.
    CONTENT = "content"
    #: Passed over when their Message-ID is there.
    MESSAGE_ID = "messageid"
    #: Added once more.
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class Count:
    """So many messages of a mailbox are in."""

    mailbox: str
    count: int


@dataclass(frozen=True, slots=True)
class Left:
    """Something was left out; the import goes on."""

    text: str


@dataclass(frozen=True, slots=True)
class Step:
    """What is being done now."""

    title: str


Told = Count | Left | Step
Hear = Callable[[Told], Awaitable[None]]


@dataclass(slots=True)
class Outcome:
    """What an import came to."""

    added: int = 0
    #: Were there already.
    duplicates: int = 0
    #: Left out for another reason.
    left_out: int = 0
    mailboxes: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Ready:
    """A message that is prepared."""

    box: "_Target"
    new: NewMessage
    bits: int
    keywords: tuple[str, ...]
    where: str


@dataclass(slots=True)
class _Target:
    """A mailbox that messages go to."""

    name: str
    id: MailboxID
    is_sent: bool
    #: UIDs of what was added.
    uids: "array[int]" = field(default_factory=lambda: array("I"))
    #: How many were told.
    told: int = 0
    #: Sizes of messages without Message-ID, and their UIDs; None until one is asked for.
    nameless: dict[int, list[int]] | None = None


class Importer:
    """One import into one account."""

    def __init__(
        self,
        app: Appliance,
        actor: Actor,
        *,
        hear: Hear,
        duplicates: Duplicates = Duplicates.CONTENT,
        prefix: str = "",
        take_back: bool = True,
    ) -> None:
        """`prefix`: taken from the front of names. `take_back`: what was added goes if it does not come to its end."""
        actor.require(Right.CHANGE_MAIL)
        self._app, self._account, self._hear = app, actor.account, hear
        self._duplicates, self._prefix, self._takes_back = duplicates, prefix, take_back
        self._targets: dict[str, _Target | None] = {}
        self._created: list[Mailbox] = []
        self._troubles = 0
        self.outcome = Outcome()

    async def run(self, source: Source) -> Outcome:
        """Import all that a source gives; what it does blocks, and is done in a thread.

        Raises Unreadable, OverQuota, NoSuchAccount, StorageFull, and then nothing stays, unless the house stops.
        """

        async def batches() -> AsyncGenerator[list[Item], None]:
            with closing(source):  # type: ignore[type-var]
                while taken := await trio.to_thread.run_sync(self._gather, source):
                    yield taken

        async with aclosing(batches()) as some:
            return await self.run_batches(some)

    async def run_batches(self, batches: AsyncIterator[list[Item]]) -> Outcome:
        """The same for what comes in batches, of some messages and at most one large one each."""
        try:
            async for taken in batches:
                await self._take(taken)
            await self._tell_counts(all_of_them=True)
        except BaseException:
            if self._takes_back and not self._app.shutdown.requested:
                with trio.CancelScope(shield=True):
                    await self._take_back()
            raise
        return self.outcome

    def knows(self, name: str, wanted: Sequence[tuple[str, int]]) -> list[bool]:
        """In a thread: of which of some Message-IDs and sizes a mailbox has a message. Raises BadMailboxName."""
        store = self._app.store
        with store.read() as tx:
            there = mailboxes.find(tx, self._account, found.mailbox_name(name, self._prefix))
        if there is None:
            return [False] * len(wanted)
        known = []
        for message_id, size in wanted:
            with store.read() as tx:
                rows = duplicates.with_message_id(tx, self._account, there.id, message_id) if message_id else ()
                known.append(any(row.size == size for row in rows))
        return known

    def _gather(self, source: Source) -> list[Item]:
        """In a thread: some of what comes next; empty at the end."""
        taken: list[Item] = []
        octets = 0
        for one in source:
            taken.append(one)
            octets += len(one.octets) if isinstance(one, Message) else 0
            if len(taken) >= MESSAGES or octets >= OCTETS:
                break
        return taken

    async def _take(self, taken: list[Item]) -> None:
        began = perf_counter()
        to_prepare: list[tuple[Message, _Target]] = []
        for one in taken:
            if isinstance(one, Trouble):
                await self._trouble(one.text)
                continue
            target = await self._target(one.mailbox)
            if isinstance(one, Message):
                if target is None:
                    self.outcome.left_out += 1
                else:
                    to_prepare.append((one, target))
        small = [one for one in to_prepare if len(one[0].octets) <= OCTETS]
        ready, failed = await trio.to_thread.run_sync(self._prepare, small)
        for text in failed:
            await self._trouble(text)
        await self._add(ready)
        for one_message, target in to_prepare:
            if len(one_message.octets) > OCTETS:
                await self._large(one_message, target)
        await self._tell_counts(all_of_them=False)
        await trio.sleep(REST * (perf_counter() - began))

    async def _trouble(self, text: str) -> None:
        self.outcome.left_out += 1
        self._troubles += 1
        if self._troubles < TROUBLES:
            await self._hear(Left(text))
        elif self._troubles == TROUBLES:
            await self._hear(Left("and more, which are only counted"))

    async def _tell_counts(self, *, all_of_them: bool) -> None:
        for target in self._targets.values():
            if target is None:
                continue
            count = len(target.uids)
            if count != target.told and (all_of_them or count // TELL_MESSAGES != target.told // TELL_MESSAGES):
                target.told = count
                await self._hear(Count(target.name, count))

    # Mailboxes.

    async def _target(self, text: str) -> _Target | None:
        """The mailbox of a name, made when it is missing; None where there can be none."""
        if text not in self._targets:
            try:
                name = found.mailbox_name(text, self._prefix)
                if sharing.is_shared_name(name):
                    raise BadMailboxName("the name stands for mailboxes of others")
                same = next((one for one in self._targets.values() if one is not None and one.name == name), None)
                self._targets[text] = same or await self._find(name)
            except (BadMailboxName, NameRefused, MailboxNameTooLong, TooMany) as problem:
                self._targets[text] = None
                self.outcome.left_out -= 1  # What is counted are its messages.
                await self._trouble(f"mailbox {text[:200]!r} cannot be made, its messages are left out: {problem}")
        return self._targets[text]

    async def _find(self, name: str) -> _Target:
        record, created = await self._app.store.write(_find, self._account, name, self._app.store.limits.mailbox)
        self._created += created
        return _Target(name, record.id, bool(record.roles & Role.SENT))

    # Messages.

    def _prepare(self, wanted: list[tuple[Message, _Target]]) -> tuple[list[_Ready], list[str]]:
        """In a thread: everything costly about messages; and what is wrong with those that cannot be had."""
        ready: list[_Ready] = []
        failed: list[str] = []
        batch: set[bytes] = set()
        for one, target in wanted:
            try:
                octets = crlf(one.octets)
                spooled = self._app.store.spooled(octets)
                content = prepare.content(spooled, self._app.store.limits.prepare)
                if self._duplicates is not Duplicates.KEEP:
                    name = content.header.clues.message_id
                    by_name = self._duplicates is Duplicates.MESSAGE_ID and name
                    mark = hashlib.sha256(name.encode() if by_name else octets).digest() + target.id.to_bytes(4, "big")
                    if mark in batch or self._is_there(target, name, len(octets), partial(_part, octets)):
                        self.outcome.duplicates += 1
                        continue
                    batch.add(mark)
                ready.append(self._ready(one, target, content, spooled.scanned.header, of_octets(octets)))
            except Problem:
                raise
            except Exception as error:  # A message that our own code cannot take must not end the import.
                log.error("message not imported", error, where=one.where)
                failed.append(f"{one.where} cannot be taken in and is left out: {type(error).__name__}")
        return ready, failed

    def _ready(self, one: Message, target: _Target, content: prepare.Content, head: bytes, body: NewBody) -> _Ready:
        store = self._app.store
        sent_to = prepare.sent_to(content.header.usual, store.limits.prepare) if target.is_sent else SentTo()
        new = prepare.message(
            content,
            body,
            prefix=b"",
            received=self._received(one.received, head, content),
            limits=store.limits.prepare,
            sent_to=sent_to,
        )
        bits, keywords = split_flags(found.flag_names(one.flags))
        return _Ready(target, new, bits, keywords[: message.MESSAGE_KEYWORDS], one.where)

    def _received(self, when: datetime | None, head: bytes, content: prepare.Content) -> int:
        """Microseconds; when it is not known, as Date has it, and never in the future."""
        now = self._app.clock.microseconds()
        if when is None:
            value = header.get(head, content.header.fields, b"Date")
            when = date.parse(value) if value is not None else None
        if when is None:
            return now
        if when.tzinfo is None:
            when = when.replace(tzinfo=UTC)
        return max(0, min(now, int(when.timestamp() * 1_000_000)))

    async def _large(self, one: Message, target: _Target) -> None:
        """A message that is written in slices before it is added."""
        store = self._app.store
        octets = await trio.to_thread.run_sync(crlf, one.octets)
        async with store.spool() as spool:
            for start in range(0, len(octets), OCTETS):
                await spool.write(octets[start : start + OCTETS])
            spooled = await spool.finish()
            content = await store.content(spooled)
            name = content.header.clues.message_id

            def is_there() -> bool:
                return self._is_there(target, name, len(octets), partial(_part, octets))

            if self._duplicates is not Duplicates.KEEP and await trio.to_thread.run_sync(is_there):
                self.outcome.duplicates += 1
                return
            body = await store.body(spooled)
            try:
                ready = await trio.to_thread.run_sync(self._ready, one, target, content, spooled.scanned.header, body)
                await self._add([ready])
            finally:
                with trio.CancelScope(shield=True):
                    await store.unuse(body)

    def _is_there(self, target: _Target, name: str, size: int, read: Callable[[int, int], bytes]) -> bool:
        """In a thread: whether a mailbox has a message."""
        store = self._app.store
        if name:
            with store.read() as tx:
                rows = duplicates.with_message_id(tx, self._account, target.id, name)
                if self._duplicates is Duplicates.MESSAGE_ID:
                    return any(True for _ in rows)
                return any(duplicates.is_same(tx, self._account, row, size, read) for row in rows)
        if target.nameless is None:
            target.nameless = {}
            first: int | None = 1
            while first is not None:
                with store.read() as tx:
                    some, first = duplicates.without_message_id(tx, self._account, target.id, first, LOOK_MESSAGES)
                for octets, uid in some:
                    target.nameless.setdefault(octets, []).append(uid)
        with store.read() as tx:
            for uid in target.nameless.get(size, ())[: duplicates.CANDIDATES]:
                row = message.row(tx, self._account, target.id, uid)
                if row is not None and duplicates.is_same(tx, self._account, row, size, read):
                    return True
        return False

    async def _add(self, ready: list[_Ready]) -> None:
        if not ready:
            return
        app = self._app
        octets = sum(one.new.size for one in ready)
        try:
            uids = await app.store.write_heavy(octets, _add, app, self._account, ready)
        except (TooMany, NoSuchMailbox) as problem:
            if len(ready) > 1:
                for one in ready:  # Each alone, so that only the one that does not fit is missed.
                    await self._add([one])
            elif isinstance(problem, TooMany) and ready[0].keywords:
                one = ready[0]
                await self._hear(Left(f"{one.where}: {problem}; it has none now"))
                await self._add([_Ready(one.box, one.new, one.bits, (), one.where)])
            else:
                await self._trouble(f"{ready[0].where} is left out: {problem}")
            return
        for one, uid in zip(ready, uids, strict=True):
            one.box.uids.append(uid)
            if one.box.nameless is not None and not one.new.clues.message_id:
                one.box.nameless.setdefault(one.new.size, []).append(uid)
            self.outcome.mailboxes[one.box.name] = len(one.box.uids)
        self.outcome.added += len(ready)

    # The way back.

    async def _take_back(self) -> None:
        """Remove what was added, in pieces; a house that stops does not wait for it."""
        store, count = self._app.store, self.outcome.added
        try:
            for target in filter(None, self._targets.values()):
                while target.uids and not self._app.shutdown.requested:
                    some = list(target.uids[-BACK_MESSAGES:])
                    began = perf_counter()
                    try:
                        await store.write(message.expunge, self._account, target.id, some)
                    except NoSuchMailbox:
                        del target.uids[:]
                        break
                    del target.uids[-BACK_MESSAGES:]
                    await trio.sleep(REST * (perf_counter() - began))
            for record in reversed(self._created):
                await store.write(_remove_empty, self._account, record.id)
        except NoSuchAccount:
            return
        log.info("import taken back", messages=count)


def _find(tx: WriteTx, account: AccountID, name: str, limits: MailboxLimits) -> tuple[Mailbox, list[Mailbox]]:
    """The mailbox of a name, and those that had to be made for it."""
    if tx.account(account).removed:
        raise NoSuchAccount("the account is being removed")
    there = mailboxes.find(tx, account, name)
    if there is not None:
        return there, []
    created = mailboxes.create(tx, account, name, limits=limits)
    return created[-1], created


def _remove_empty(tx: WriteTx, account: AccountID, number: MailboxID) -> None:
    try:
        if not tx.mailbox(account, number).messages:
            mailboxes.unsubscribe(tx, account, tx.mailbox(account, number).name)
            mailboxes.remove(tx, account, number)
    except (NoSuchMailbox, MailboxHasChildren):
        pass


def _add(tx: WriteTx, app: Appliance, account: AccountID, ready: list[_Ready]) -> list[int]:
    config = app.config.snapshot()
    configured = config.domains.accounts.get(tx.account(account).name)
    rules: AutomaticJunkFlags = NO_RULES if configured is None else configured.automatic_junk_flags
    quota = quota_of(config, tx, account)
    uids = []
    for one in ready:
        added = message.add(
            tx,
            account,
            one.box.id,
            one.new,
            flags=one.bits,
            keywords=one.keywords,
            quota_octets=quota,
            junk_rules=rules,
        )
        uids.append(added.uid)
    return uids


def _part(octets: bytes, start: int, end: int) -> bytes:
    return octets[start:end]


def check_named(name: str) -> str:
    """A name of a mailbox as ours are. Raises BadMailboxName of the store."""
    try:
        return found.mailbox_name(name)
    except BadMailboxName as error:
        raise NameRefused(str(error)) from error
