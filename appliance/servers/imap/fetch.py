"""FETCH: lines of columns, prepared octets and content, a chunk of messages at a time.

`fetchplan` decides what a line is made of, `content` finds octets of messages. Here they are read in chunks: no read
transaction outlives one, and between chunks we wait for the client to take what was said.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, compress
from typing import TYPE_CHECKING, Final

import trio

from appliance.operations import messages as verbs
from appliance.protocol.imap import command, response
from appliance.protocol.imap.command import FetchAttribute, FetchItem
from appliance.protocol.imap.lexer import CommandError
from appliance.servers.imap import news, replies, resync
from appliance.servers.imap.content import CannotDecode, Decode, Message, Stream
from appliance.servers.imap.fetchplan import Names, Plan
from appliance.servers.imap.search import part
from appliance.servers.imap.selected import Selected, runs
from appliance.store import bodies, message, objectid
from appliance.store.problems import NoPermission, NoSuchMailbox, NoSuchMessage
from appliance.store.records import Flag, Prepared, Rights, unpack_row
from appliance.store.tables import PIECE_OCTETS, AccountID, BodyID, MessageID, Table, row_key
from appliance.store.transaction import ReadTx
from appliance.store.view import View

if TYPE_CHECKING:
    from appliance.servers.imap.session import Session

#: Messages of one chunk: of columns alone, with prepared octets, with content. Each some ms of the loop at most.
COLUMN_CHUNK: Final = 4000
PREPARED_CHUNK: Final = 400
CONTENT_CHUNK: Final = 256
#: Each range of messages, even of one, takes some microseconds.
CHUNK_RANGES: Final = 256
#: Octets of content put together before they are sent.
CONTENT_OCTETS: Final = 512 * 1024
#: Pieces in which large bodies are sent. Those of very large ones are read in a thread: they may not be in memory.
STREAM_OCTETS: Final = 8 * PIECE_OCTETS
THREAD_OCTETS: Final = 4 * 1024 * 1024
#: So many decoded octets are kept to be sent; of more the part is decoded again, piece by piece.
DECODED_OCTETS: Final = 4 * 1024 * 1024


async def fetch(session: "Session", tag: str, request: command.Fetch) -> None:
    """FETCH and UID FETCH."""
    if request.vanished and not session.qresync:
        raise CommandError("BAD", "QRESYNC is not enabled")
    selected = session.mailbox
    items = request.items
    if request.uid and FetchAttribute.UID not in items and not session.uid_only:
        items = (FetchAttribute.UID, *items)
    if request.changed_since is not None and FetchAttribute.MODSEQ not in items:
        items = (*items, FetchAttribute.MODSEQ)
    if FetchAttribute.MODSEQ in items:
        session.enable_condstore()
    ranges = await _ranges(selected, request)
    if request.partial is not None:  # Before CHANGEDSINCE (RFC 9394 §3.4).
        ranges = runs(part(list(chain.from_iterable(ranges)), request.partial))
    if request.changed_since is not None:
        if request.vanished:
            resync.tell_vanished(session, selected, request.messages, request.changed_since)
        ranges = _changed_since(session, selected, ranges, request.changed_since)
    work = await _serve(session, selected, items, ranges)
    if work.unseen and selected.may(Rights.SEEN):  # RFC 4314 §4
        await _set_seen(session, selected, work.unseen)
    if work.failure is not None:
        news.tell(session, expunges=request.uid)
        session.no(tag, str(work.failure), work.failure.code)
        return
    session.done(tag, code=replies.EXPUNGE_ISSUED if work.missed else None, expunges=request.uid)


async def _ranges(selected: Selected, request: command.Fetch) -> list[range]:
    if request.messages.saved and len(selected.saved) > COLUMN_CHUNK:
        return await trio.to_thread.run_sync(lambda: selected.ranges(request.messages, uid=request.uid))
    return selected.ranges(request.messages, uid=request.uid)


async def _serve(
    session: "Session", selected: Selected, items: Sequence[FetchItem], ranges: Iterable[range]
) -> "_Work":
    plan = Plan(items, utf8=session.protocol.utf8, uid_only=session.uid_only)
    work = _Work(session, selected, plan)
    for count, chunk in enumerate(_chunks(ranges, work.chunk_messages)):
        if count:
            await trio.lowlevel.checkpoint()  # A client that takes all at once must not have all the time.
        await work.serve(chunk)
    return work


async def tell_rest(session: "Session") -> None:
    """What takes too long for `news.tell`."""
    await news.tell_many(session)
    await _fetch_fresh(session)


async def _fetch_fresh(session: "Session") -> None:
    """What the client wants of new messages it was just told of (RFC 5465 §5.2); what is gone again is left out."""
    selected, wanted = session.selected, session.notify
    if selected is None or not selected.fresh:
        return
    uids, selected.fresh = selected.fresh, []
    if wanted is None or not wanted.attributes:
        return
    items = wanted.attributes
    if not session.uid_only and FetchAttribute.UID not in items:
        items = (FetchAttribute.UID, *items)  # RFC 7162 §3.2.4
    if session.condstore and FetchAttribute.MODSEQ not in items:
        items = (*items, FetchAttribute.MODSEQ)
    if selected.uid_only:
        selected.open(session.app.store)
    await _serve(session, selected, items, runs(at for uid in uids if (at := selected.index(uid)) is not None))
    if selected.uid_only:
        selected.close()


async def _set_seen(session: "Session", selected: Selected, uids: Sequence[int]) -> None:
    """After all was sent; the change comes as news to everybody, this session too."""
    try:
        await verbs.store_flags(session.app, session.account, selected.ref, uids, "+", ["\\Seen"], None)
    except (NoSuchMailbox, NoPermission):
        pass


def _changed_since(session: "Session", selected: Selected, ranges: Iterable[range], modseq: int) -> list[range]:
    """Of those places the ones of messages changed after a modseq (RFC 7162 §3.1.4.1)."""
    if modseq < selected.turned:
        return list(ranges)
    with session.app.store.read() as tx:
        view = selected.view(session.app.store, tx)
    uids = selected.uids
    if view.uids[: len(uids)] == uids:
        modseqs = view.modseqs
        is_later = ((one, map(modseq.__lt__, modseqs[one.start : one.stop])) for one in ranges)
        return runs(chain.from_iterable(compress(*one) for one in is_later))
    changed = {uid for uid, one in zip(view.uids, view.modseqs, strict=True) if one > modseq}
    return runs(at for one in ranges for at in one if uids[at] in changed)


def _chunks(ranges: Iterable[range], messages: int) -> Iterator[list[range]]:
    """Places in portions of so many messages, fewer when they are scattered."""
    chunk: list[range] = []
    left = messages
    for one in ranges:
        if len(chunk) == CHUNK_RANGES:
            yield chunk
            chunk, left = [], messages
        start = one.start
        while one.stop - start >= left:
            chunk.append(range(start, start + left))
            start += left
            yield chunk
            chunk, left = [], messages
        if start < one.stop:
            chunk.append(range(start, one.stop))
            left -= one.stop - start
    if chunk:
        yield chunk


@dataclass(slots=True)
class _Entry:
    """A message whose line has begun."""

    head: bytes
    id: MessageID
    body: BodyID
    size: int


class _Work:
    """One FETCH at work."""

    def __init__(self, session: "Session", selected: Selected, plan: Plan) -> None:
        self._session = session
        self._store = session.app.store
        self._account: AccountID = selected.account
        self._selected = selected
        self._plan = plan
        #: Messages served that are not \\Seen and should be now.
        self.unseen: list[int] = []
        #: Some message is gone for good.
        self.missed = False
        #: What could not be served.
        self.failure: CannotDecode | None = None
        self.chunk_messages = COLUMN_CHUNK
        if plan.needs_content:
            self.chunk_messages = CONTENT_CHUNK
        elif plan.needs_prepared or plan.needs_originals:
            self.chunk_messages = PREPARED_CHUNK

    async def serve(self, chunk: Sequence[range]) -> None:
        """Say the lines of a chunk, and send them when they are many."""
        plan, session = self._plan, self._session
        entries: list[_Entry] = []
        await self._store.bring_view(*self._selected.ref)  # Others may change much while we send.
        with self._store.read() as tx:
            view = self._selected.view(self._store, tx)
            for places in chunk:
                self._begin(tx, view, places, entries)
        if plan.needs_content:
            at = 0
            while at < len(entries):
                with self._store.read() as tx:
                    at, pieces = self._contents(tx, entries, at)
                await self._say(pieces)
                await session.flush_large()
                if at < len(entries):
                    await trio.lowlevel.checkpoint()
        await session.flush_large()

    def _begin(self, tx: ReadTx, view: View, places: range, entries: list[_Entry]) -> None:
        plan = self._plan
        uids = self._selected.uids[places.start : places.stop]
        start = view.index(uids[0])
        stop = 0 if start is None else start + len(uids)
        if start is None or view.uids[start:stop] != uids:
            for at, uid in zip(places, uids, strict=True):
                self._begin_one(tx, view, at, uid, entries)
            return
        ready = message.prepared_all(tx, self._account, view.ids[start:stop]) if plan.needs_prepared else ()
        originals = message.originals(tx, self._account, view.ids[start:stop]) if plan.needs_originals else ()
        heads = plan.heads(view, start, stop, places.start + 1, ready, self._names(originals))
        if plan.sets_seen:
            flags = zip(uids, view.flags[start:stop], strict=True)
            self.unseen += [uid for uid, bits in flags if not bits & replies.SEEN]
        if plan.needs_content:
            columns = (view.ids[start:stop], view.bodies[start:stop], view.sizes[start:stop])
            entries += map(_Entry, heads, *columns)  # type: ignore[arg-type]
        else:
            self._session.say(b"".join(heads))

    def _begin_one(self, tx: ReadTx, view: View, at: int, uid: int, entries: list[_Entry]) -> None:
        """A message beside which others have come or gone; it may itself be gone and not told of yet."""
        plan = self._plan
        there = view.index(uid)
        if there is None:
            one = self._gone(tx, uid if self._selected.uid_only else at + 1, uid)
        else:
            id = MessageID(view.ids[there])
            originals = message.originals(tx, self._account, (id,)) if plan.needs_originals else ()
            (head,) = plan.heads(view, there, there + 1, at + 1, self._ready(tx, id), self._names(originals))
            one = _Entry(head, id, BodyID(view.bodies[there]), view.sizes[there])
            if plan.sets_seen and not view.flags[there] & replies.SEEN:
                self.unseen.append(uid)
        if one is None:
            self.missed = True
        elif plan.needs_content:
            entries.append(one)
        else:
            self._session.say(one.head)

    def _names(self, originals: Sequence[int]) -> Names:
        return Names(self._account, originals)

    def _ready(self, tx: ReadTx, id: MessageID) -> Sequence[Prepared]:
        return (message.prepared(tx, self._account, id),) if self._plan.needs_prepared else ()

    def _gone(self, tx: ReadTx, number: int, uid: int) -> _Entry | None:
        """The line of a message that is gone; None when what is asked for went with it."""
        if uid not in self._selected.gone:
            news.collect(self._session)
        id = self._selected.gone.get(uid) or self._just_gone(tx, uid)
        place = message.place(tx, self._account, id) if id else None
        if id is None or place is None:
            return None
        values: dict[str, object] = {"uids": uid, "sizes": place.size}
        value = tx.get(Table.ROW, row_key(self._account, place.mailbox, place.uid))
        if value is not None:  # It lives on elsewhere.
            row = unpack_row(value)
            values["flags"], values["modseqs"] = replies.flags(row.flags, row.keywords), row.modseq
            values |= {"received": response.date_time(row.received), "saved": response.date_time(row.saved)}
            values["threads"] = objectid.thread(self._account, row.thread).encode()
        elif "flags" in self._plan.columns:
            values["flags"] = replies.flags(int(Flag.DELETED), ())
        (original,) = message.originals(tx, self._account, (id,))
        values["emails"] = objectid.message(self._account, original).encode()
        if not set(self._plan.columns) <= set(values):
            return None
        try:
            return _Entry(self._plan.head(number, values, self._ready(tx, id)), id, place.body, place.size)
        except NoSuchMessage:
            return None

    def _just_gone(self, tx: ReadTx, uid: int) -> MessageID | None:
        """A message whose removal is committed, but the news of it is still on its way."""
        selected = self._selected
        for one in message.changed_since(tx, self._account, selected.modseq):
            if one.uid == uid and one.mailbox == selected.id and one.expunged:
                return one.id
        return None

    def _contents(self, tx: ReadTx, entries: Sequence[_Entry], at: int) -> tuple[int, list[bytes | Stream | Decode]]:
        """Lines of messages from `at` on, until there is enough to send; where to go on."""
        pieces: list[bytes | Stream | Decode] = []
        octets = 0
        items = list(zip(self._plan.labels, self._plan.content, strict=True))
        while at < len(entries) and octets < CONTENT_OCTETS:
            one = entries[at]
            at += 1
            octets += one.size
            try:
                found = Message(tx, self._account, one.id, one.body, one.size)
                line: list[bytes | Stream | Decode] = [one.head]
                for label, item in items:
                    try:
                        value = found.pieces(item)
                    except CannotDecode as error:
                        self.failure = self.failure or error
                        if isinstance(item, command.BinarySize):
                            continue  # It has no form for "unknown".
                        value = [response.NIL]
                    line.append(label)
                    line += value
            except (NoSuchMessage, KeyError):
                self.missed = True
                continue
            if len(line) == 1 and line[0].endswith(b"("):  # type: ignore[union-attr]
                continue  # Nothing could be had of it, and an empty list has no place in the grammar.
            if len(line) > 1 and line[0].endswith(b"(") and line[1].startswith(b" "):  # type: ignore[union-attr]
                line[1] = line[1][1:]  # type: ignore[index]
            pieces += line
            pieces.append(b")\r\n")
        return at, pieces

    async def _say(self, pieces: Sequence[bytes | Stream | Decode]) -> None:
        session = self._session
        waiting: list[bytes] = []
        for piece in pieces:
            if isinstance(piece, bytes):
                waiting.append(piece)
                continue
            session.say(b"".join(waiting))
            waiting = []
            if isinstance(piece, Decode):
                await self._say_decoded(piece)
                continue
            in_thread = piece.end - piece.start > THREAD_OCTETS
            # Pieces begin where those of the store do.
            at = piece.start
            while at < piece.end:
                stop = min(piece.end, (at // STREAM_OCTETS + 1) * STREAM_OCTETS)
                if in_thread:
                    session.say(await trio.to_thread.run_sync(self._read, piece.body, at, stop))
                else:
                    session.say(self._read(piece.body, at, stop))
                await session.flush_large()
                await trio.lowlevel.checkpoint()
                at = stop
        session.say(b"".join(waiting))

    def _read(self, body: BodyID, start: int, end: int) -> bytes:
        with self._store.read() as tx:
            return bodies.read(tx, body, start, end)

    async def _say_decoded(self, work: Decode) -> None:
        """A large part: decoded once to know how much it is, and if that is much a second time to send it."""
        session = self._session
        size, decoded = await trio.to_thread.run_sync(self._measured, work)
        if work.measure:
            session.say(b"%d" % size)
        elif decoded is not None:
            session.say(response.literal(decoded))
        else:
            session.say(b"~{%d}\r\n" % size)
            pieces = work.pieces(partial(self._read, work.body), STREAM_OCTETS)
            while (piece := await trio.to_thread.run_sync(next, pieces, None)) is not None:
                session.say(piece)
                await session.flush_large()

    def _measured(self, work: Decode) -> tuple[int, bytes | None]:
        """The number of decoded octets, and these themselves when they are few."""
        size = 0
        kept: list[bytes] = []
        for piece in work.pieces(partial(self._read, work.body), STREAM_OCTETS):
            size += len(piece)
            if size <= DECODED_OCTETS and not work.measure:
                kept.append(piece)
            else:
                kept.clear()
        return size, b"".join(kept) if size <= DECODED_OCTETS else None
