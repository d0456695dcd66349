"""FETCH: columns and prepared octets, put together a chunk of messages at a time (I-120 to I-129).

A command becomes a template and, for each of its items, a column: a function that yields one value for every message
of a chunk. Nothing is parsed, no read transaction outlives a chunk, and nothing waits for the client but the send
between chunks. Large messages are streamed one by one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import trio

from appliance.base import limits
from appliance.mail.decode import UnknownEncoding, decode_transfer
from appliance.operations import messages as verbs
from appliance.protocol.imap import command, response, section, structure
from appliance.protocol.imap.command import Binary, BinarySize, BodySection, FetchAttribute, FetchItem, Preview
from appliance.protocol.imap.section import Octets, Source
from appliance.servers.imap import replies
from appliance.servers.imap.selected import Selected
from appliance.store import bodies, message, prepare
from appliance.store.changes import MessagesRemoved
from appliance.store.problems import NoSuchMessage
from appliance.store.records import Flag, Prepared, Row, unpack_row
from appliance.store.tables import PIECE_OCTETS as BODY_PIECE, AccountID, BodyID, MessageID, Table, row_key
from appliance.store.transaction import ReadTx
from appliance.store.view import View

if TYPE_CHECKING:
    from appliance.servers.imap.session import Session

#: Messages of one chunk: of columns alone, with prepared octets, with content.
COLUMN_CHUNK: Final = 4000
PREPARED_CHUNK: Final = 300
CONTENT_CHUNK: Final = 64
#: Octets of messages put together before they are sent.
CONTENT_OCTETS: Final = 512 * 1024
#: A message beyond this is streamed by itself, in pieces of so many octets.
LARGE_OCTETS: Final = 512 * 1024
PIECE_OCTETS: Final = 8 * BODY_PIECE
#: Pieces of large bodies are read in a thread: they may not be in memory.
_PREVIEW_CHARACTERS: Final = 200

_PREPARED_ITEMS: Final = {
    FetchAttribute.ENVELOPE: "envelope",
    FetchAttribute.BODYSTRUCTURE: "bodystructure",
}


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chunk."""

    number: int
    uid: int
    id: MessageID
    body: BodyID
    size: int
    received: int
    saved: int
    modseq: int
    flags: int
    keywords: tuple[str, ...]


async def fetch(session: "Session", tag: str, request: command.Fetch) -> None:
    """FETCH and UID FETCH."""
    selected = session.mailbox
    items = request.items
    if request.uid and FetchAttribute.UID not in items:
        items = (FetchAttribute.UID, *items)
    if request.changed_since is not None and FetchAttribute.MODSEQ not in items:
        items = (*items, FetchAttribute.MODSEQ)
    ranges = selected.ranges(request.messages, uid=request.uid)
    fetcher = _Fetcher(session, selected, items)
    if request.changed_since is not None:
        ranges = fetcher.changed_since(ranges, request.changed_since)
    for one in ranges:
        await fetcher.run(one)
    if fetcher.sets_seen and not selected.read_only:
        await _set_seen(session, selected, ranges)
    code = "EXPUNGEISSUED" if fetcher.missed else "UNKNOWN-CTE" if fetcher.undecodable else None
    if fetcher.undecodable:
        session.no(tag, "some content has an unknown encoding", code)
    elif request.uid:
        session.done(tag, code=code)
    else:
        session.ok(tag, code=code)


async def _set_seen(session: "Session", selected: Selected, ranges: Sequence[range]) -> None:
    """After all was sent, in one transaction (I-124)."""
    uids = selected.uids
    with session.app.store.read() as tx:
        record = tx.mailbox(session.account.account, selected.id)
        view = session.app.store.view_now(tx, session.account.account, record)
        unseen = []
        for one in ranges:
            for at in one:
                there = view.index(uids[at])
                if there is not None and not view.flags[there] & Flag.SEEN:
                    unseen.append(uids[at])
    if not unseen:
        return
    outcome = await verbs.store_flags(
        session.app, session.account, selected.id, unseen, "+", ["\\Seen"], session.subscription
    )
    for changed in outcome.changed:
        place = selected.index(changed.uid)
        if place is not None:
            shown = replies.flags(changed.flags, changed.keywords)
            session.say(b"* %d FETCH (UID %d FLAGS (%b))\r\n" % (place + 1, changed.uid, shown))


class _Fetcher:
    """One FETCH command at work."""

    def __init__(self, session: "Session", selected: Selected, items: Sequence[FetchItem]) -> None:
        self._session = session
        self._store = session.app.store
        self._account: AccountID = session.account.account
        self._selected = selected
        self._items = items
        self._content = any(_reads_content(item) for item in items)
        self._prepared = any(_reads_prepared(item) for item in items)
        self.sets_seen = any(isinstance(item, BodySection | Binary) and not item.peek for item in items)
        #: Some message is gone for good; some content cannot be decoded.
        self.missed = False
        self.undecodable = False
        labels = [b"%b" % _label(item).replace(b"%", b"%%") + b" %b" for item in items]
        self._template = b"* %d FETCH (" + b" ".join(labels) + b")\r\n"
        self._columns = None if self._content else _template(items)

    # Which

    def changed_since(self, ranges: Sequence[range], modseq: int) -> list[range]:
        """Of those, the ones changed after a modseq (RFC 7162 §3.1.4.1)."""
        view = self._view()
        found = []
        for one in ranges:
            for at in one:
                there = view.index(self._selected.uids[at])
                if there is not None and view.modseqs[there] > modseq:
                    found.append(range(at, at + 1))
        return found

    def _view(self) -> View:
        with self._store.read() as tx:
            return self._store.view_now(tx, self._account, tx.mailbox(self._account, self._selected.id))

    async def run(self, places: range) -> None:
        """A run of messages that stand side by side."""
        size = CONTENT_CHUNK if self._content else PREPARED_CHUNK if self._prepared else COLUMN_CHUNK
        for start in range(places.start, places.stop, size):
            await self._chunk(range(start, min(start + size, places.stop)))

    async def _chunk(self, places: range) -> None:
        view = self._view()
        uids = self._selected.uids[places.start : places.stop]
        offset = view.index(uids[0]) if self._columns is not None else None
        if offset is not None and view.uids[offset : offset + len(uids)] == uids:
            try:
                self._session.say(self._from_columns(places, view, offset, offset + len(uids)))
            except NoSuchMessage:
                self.missed = True
            await self._session.flush_much()
            return
        pairs = zip(places, uids, strict=True)
        chunk = [found for at, uid in pairs if (found := self._message(view, at + 1, uid)) is not None]
        if self._content:
            await self._with_content(chunk)
            return
        with self._store.read() as tx:
            lines = [line for one in chunk if (line := self._line(tx, one))]
        self._session.say(b"".join(lines))
        await self._session.flush_much()

    def _from_columns(self, places: range, view: View, start: int, end: int) -> bytes:
        """The usual case at full speed: one formatting for each message."""
        assert self._columns is not None
        template, names = self._columns
        columns: list[Sequence[object]] = [range(places.start + 1, places.stop + 1)]
        ready: list[Prepared] = []
        if self._prepared:
            with self._store.read() as tx:
                ready = message.prepared_all(tx, self._account, view.ids[start:end])
        for name in names:
            if isinstance(name, BodySection):
                columns.append([_chosen(known, name) for known in ready])
            elif name == "flags":
                columns.append(_flag_texts(view, start, end))
            elif name in {"received", "saved"}:
                columns.append([response.date_time(when) for when in getattr(view, name)[start:end]])
            elif name == "envelope":
                columns.append([known.envelope for known in ready])
            elif name == "bodystructure":
                columns.append([known.bodystructure for known in ready])
            else:
                columns.append(getattr(view, name)[start:end])
        return b"".join([template % row for row in zip(*columns, strict=True)])

    def _message(self, view: View, number: int, uid: int) -> Message | None:
        """A message by its number; also one that is gone and was not told yet (I-176)."""
        at = view.index(uid)
        if at is not None:
            return Message(
                number,
                uid,
                MessageID(view.ids[at]),
                BodyID(view.bodies[at]),
                view.sizes[at],
                view.received[at],
                view.saved[at],
                view.modseqs[at],
                view.flags[at],
                view.keywords.get(uid, ()),
            )
        return self._gone(number, uid)

    def _gone(self, number: int, uid: int) -> Message | None:
        selected, subscription = self._selected, self._session.subscription
        if uid not in selected.gone and subscription is not None:
            for one in subscription.waiting():
                for change in one.changes:
                    if isinstance(change, MessagesRemoved) and change.mailbox == selected.id:
                        selected.gone.update(zip(change.uids, change.ids, strict=True))
        id = selected.gone.get(uid)
        if id is None:
            self.missed = True
            return None
        with self._store.read() as tx:
            place = message.place(tx, self._account, id)
            if place is None:
                self.missed = True
                return None
            # It may live on elsewhere (MOVE); what is asked here is the message as such.
            value = tx.get(Table.ROW, row_key(self._account, place.mailbox, place.uid))
            row = unpack_row(value) if value is not None else None
        return _as_gone(number, uid, id, place.body, place.size, row)

    # Prepared octets

    def _line(self, tx: ReadTx, one: Message) -> bytes | None:
        """A response that needs no content."""
        try:
            known = message.prepared(tx, self._account, one.id)
        except NoSuchMessage:
            self.missed = True
            return None
        return self._template % (one.number, *[self._value(tx, item, one, known) for item in self._items])

    def _value(self, tx: ReadTx, item: FetchItem, one: Message, known: Prepared | None) -> bytes:
        """The value of an item, but for content that is streamed."""
        match item:
            case FetchAttribute.UID:
                return b"%d" % one.uid
            case FetchAttribute.FLAGS:
                return b"(%b)" % replies.flags(one.flags, one.keywords)
            case FetchAttribute.INTERNALDATE:
                return response.date_time(one.received)
            case FetchAttribute.SAVEDATE:
                return response.date_time(one.saved)
            case FetchAttribute.RFC822_SIZE:
                return b"%d" % one.size
            case FetchAttribute.MODSEQ:
                return b"(%d)" % one.modseq
            case FetchAttribute.ENVELOPE:
                return known.envelope if known else response.NIL
            case FetchAttribute.BODYSTRUCTURE:
                return known.bodystructure if known else response.NIL
            case FetchAttribute.BODY:
                return structure.body(message.facts(tx, self._account, one.id).root, extended=False)
            case Preview():
                text = known.preview[:_PREVIEW_CHARACTERS] if known else ""
                return response.text_string(text, utf8=self._session.protocol.utf8)
            case BodySection() if known is not None and _is_usual(item):
                return _chosen(known, item)
            case BodySection():
                return self._section(tx, item, one)
            case Binary() | BinarySize():
                return self._binary(tx, item, one)
        raise AssertionError(item)

    # Content

    async def _with_content(self, chunk: Sequence[Message]) -> None:
        """Messages whose octets are asked for, gathered up to a size, large ones by themselves."""
        octets = 0
        waiting: list[Message] = []
        for one in chunk:
            if one.size > LARGE_OCTETS:
                await self._send_all(waiting)
                waiting, octets = [], 0
                await self._large(one)
                continue
            waiting.append(one)
            octets += one.size
            if octets > CONTENT_OCTETS:
                await self._send_all(waiting)
                waiting, octets = [], 0
        await self._send_all(waiting)

    async def _send_all(self, chunk: Sequence[Message]) -> None:
        if not chunk:
            return
        lines: list[bytes] = []
        with self._store.read() as tx:
            for one in chunk:
                try:
                    known = message.prepared(tx, self._account, one.id) if self._prepared else None
                    values = [self._value(tx, item, one, known) for item in self._items]
                except (NoSuchMessage, KeyError):
                    self.missed = True
                    continue
                except UnknownEncoding:
                    self.undecodable = True
                    continue
                lines.append(self._template % (one.number, *values))
        self._session.say(b"".join(lines))
        await self._session.flush_much()

    def _locate(self, tx: ReadTx, item: BodySection, one: Message) -> tuple[bytes, int, int] | None:
        """A section as octets before (of the prefix), and a range of the body; None where there is no such part."""
        prefix = message.prefix(tx, self._account, one.id)
        if not item.parts and item.kind == "":
            return prefix, 0, one.size - len(prefix)
        known = message.facts(tx, self._account, one.id)
        found: Octets | None = section.find(known.root, item.parts, item.kind)
        if found is None:
            return None
        if found.source is Source.WHOLE:
            return prefix, 0, one.size - len(prefix)
        if found.source is Source.HEADER:
            return prefix, 0, known.root.body
        return b"", found.start, found.end

    def _section(self, tx: ReadTx, item: BodySection, one: Message) -> bytes:
        found = self._locate(tx, item, one)
        if found is None:
            return response.NIL
        prefix, start, end = found
        if item.partial is None or item.kind.startswith("HEADER.FIELDS"):
            octets = bodies.read(tx, one.body, start, end)
            whole = prefix + octets if prefix else octets
            if item.kind.startswith("HEADER.FIELDS"):
                negate = item.kind == "HEADER.FIELDS.NOT"
                whole = section.header_subset(whole, item.fields, negate=negate, limits=limits.HEADER)
            return _partial(whole, item.partial)
        return response.literal(_read_partial(tx, one.body, prefix, start, end, item.partial))

    def _binary(self, tx: ReadTx, item: Binary | BinarySize, one: Message) -> bytes:
        known = message.facts(tx, self._account, one.id)
        if not item.parts:
            octets = message.prefix(tx, self._account, one.id) + bodies.read(
                tx, one.body, 0, one.size - known.prefix_octets
            )
        else:
            part = known.root.find(item.parts)
            if part is None:
                return response.NIL if isinstance(item, Binary) else b"0"
            encoded = bodies.read(tx, one.body, part.body, part.end)
            octets = encoded if part.parts else decode_transfer(encoded, part.encoding)
        if isinstance(item, BinarySize):
            return b"%d" % len(octets)
        return _partial(octets, item.partial)

    async def _large(self, one: Message) -> None:
        """One large message, item by item; long runs of octets go out in pieces."""
        session = self._session
        parts: list[bytes] = [b"* %d FETCH (" % one.number]
        for count, item in enumerate(self._items):
            parts.append((b" " if count else b"") + _label(item) + b" ")
            streamed = isinstance(item, BodySection) and not item.kind.startswith("HEADER") and item.kind != "MIME"
            if not streamed:
                try:
                    parts.append(await trio.to_thread.run_sync(self._value_apart, item, one))
                except UnknownEncoding:
                    self.undecodable = True
                    parts.append(response.NIL)
                continue
            assert isinstance(item, BodySection)
            with self._store.read() as tx:
                found = self._locate(tx, item, one)
            if found is None:
                parts.append(response.NIL)
                continue
            prefix, start, end = found
            if item.partial is not None:
                prefix, start, end = _cut(prefix, start, end, item.partial)
            parts.append(b"{%d}\r\n%b" % (len(prefix) + end - start, prefix))
            session.say(b"".join(parts))
            parts = []
            await session.flush()
            for at in range(start, end, PIECE_OCTETS):
                stop = min(at + PIECE_OCTETS, end)
                session.say(await trio.to_thread.run_sync(self._piece, one.body, at, stop))
                await session.flush()
        parts.append(b")\r\n")
        session.say(b"".join(parts))
        await session.flush()

    def _value_apart(self, item: FetchItem, one: Message) -> bytes:
        with self._store.read() as tx:
            known = message.prepared(tx, self._account, one.id)
            return self._value(tx, item, one, known)

    def _piece(self, body: BodyID, start: int, end: int) -> bytes:
        with self._store.read() as tx:
            return bodies.read(tx, body, start, end)


def _as_gone(number: int, uid: int, id: MessageID, body: BodyID, size: int, row: Row | None) -> Message:
    if row is None:
        return Message(number, uid, id, body, size, 0, 0, 0, int(Flag.DELETED), ())
    return Message(number, uid, id, body, size, row.received, row.saved, row.modseq, row.flags, row.keywords)


def _label(item: FetchItem) -> bytes:
    """What stands before the value."""
    if isinstance(item, FetchAttribute):
        return item.value
    return b"PREVIEW" if isinstance(item, Preview) else item.label


def _is_usual(item: BodySection) -> bool:
    """Header fields that are kept ready."""
    return (
        item.kind == "HEADER.FIELDS"
        and not item.parts
        and all(name.decode("ascii", "replace") in prepare.USUAL_FIELDS for name in item.fields)
    )


def _reads_prepared(item: FetchItem) -> bool:
    return item in _PREPARED_ITEMS or isinstance(item, Preview) or (isinstance(item, BodySection) and _is_usual(item))


def _reads_content(item: FetchItem) -> bool:
    return isinstance(item, Binary | BinarySize) or (isinstance(item, BodySection) and not _is_usual(item))


#: Items that are columns of a view: label and form of the value, and the column.
_PLAIN: Final[dict[FetchItem, tuple[bytes, str]]] = {
    FetchAttribute.UID: (b"UID %d", "uids"),
    FetchAttribute.FLAGS: (b"FLAGS (%b)", "flags"),
    FetchAttribute.INTERNALDATE: (b"INTERNALDATE %b", "received"),
    FetchAttribute.SAVEDATE: (b"SAVEDATE %b", "saved"),
    FetchAttribute.RFC822_SIZE: (b"RFC822.SIZE %d", "sizes"),
    FetchAttribute.MODSEQ: (b"MODSEQ (%d)", "modseqs"),
    FetchAttribute.ENVELOPE: (b"ENVELOPE %b", "envelope"),
    FetchAttribute.BODYSTRUCTURE: (b"BODYSTRUCTURE %b", "bodystructure"),
}


def _template(items: Sequence[FetchItem]) -> tuple[bytes, list[str | BodySection]] | None:
    """How a response is put together of columns, and which; None when some item is no column."""
    forms: list[bytes] = []
    names: list[str | BodySection] = []
    for item in items:
        if item in _PLAIN:
            form, name = _PLAIN[item]
            forms.append(form)
            names.append(name)
        elif isinstance(item, BodySection) and _is_usual(item):
            forms.append(item.label.replace(b"%", b"%%") + b" %b")
            names.append(item)
        else:
            return None
    return b"* %d FETCH (" + b" ".join(forms) + b")\r\n", names


def _chosen(known: Prepared, item: BodySection) -> bytes:
    """Header fields that were kept ready, in the order of the message."""
    wanted = _wanted(item.fields)
    chosen = b"".join([lines for name, lines in known.fields.items() if name in wanted]) + b"\r\n"
    return _partial(chosen, item.partial)


@lru_cache(maxsize=256)
def _wanted(fields: tuple[bytes, ...]) -> frozenset[str]:
    return frozenset(name.decode("ascii", "replace") for name in fields)


def _flag_texts(view: View, start: int, end: int) -> list[bytes]:
    texts = list(map(replies.FLAG_TEXTS.__getitem__, view.flags[start:end]))
    if view.keywords:
        uids = view.uids[start:end]
        for at, uid in enumerate(uids):
            words = view.keywords.get(uid)
            if words:
                texts[at] = replies.flags(view.flags[start + at], words)
    return texts


def _partial(octets: bytes, partial: tuple[int, int] | None) -> bytes:
    """A literal of octets, or of a part of them; beyond the end it is empty (I-126)."""
    if partial is not None:
        octets = octets[partial[0] : partial[0] + partial[1]]
    return response.literal(octets)


def _cut(prefix: bytes, start: int, end: int, partial: tuple[int, int]) -> tuple[bytes, int, int]:
    """Prefix and range of a partial."""
    offset, count = partial
    before = prefix[offset : offset + count]
    begin = min(end, start + max(0, offset - len(prefix)))
    return before, begin, min(end, begin + count - len(before))


def _read_partial(tx: ReadTx, body: BodyID, prefix: bytes, start: int, end: int, partial: tuple[int, int]) -> bytes:
    before, begin, stop = _cut(prefix, start, end, partial)
    return before + bodies.read(tx, body, begin, stop)
