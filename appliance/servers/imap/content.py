"""Octets of messages for FETCH: sections, partials, decoded parts; large ones are left to be streamed."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from appliance.base import limits
from appliance.mail.decode import UnknownEncoding, decode_transfer, decoder
from appliance.mail.part import IDENTITY_ENCODINGS
from appliance.protocol.imap import response, section, structure
from appliance.protocol.imap.command import Binary, BinarySize, BodySection, FetchAttribute
from appliance.protocol.imap.section import Source
from appliance.servers.imap.fetchplan import ContentItem, cut, literal
from appliance.store import bodies, message
from appliance.store.records import Facts
from appliance.store.tables import AccountID, BodyID, MessageID
from appliance.store.transaction import ReadTx

#: More octets than this are streamed, or decoded in a thread.
LARGE_OCTETS: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Stream:
    """Octets start..end of a body, to be sent as they are."""

    body: BodyID
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Decode:
    """Octets start..end of a body, to be decoded, and then sent or measured."""

    body: BodyID
    start: int
    end: int
    encoding: str
    partial: tuple[int, int] | None
    measure: bool

    def of(self, octets: bytes) -> bytes:
        """The value made of the octets."""
        decoded = decode_transfer(octets, self.encoding)
        return b"%d" % len(decoded) if self.measure else response.literal(cut(decoded, self.partial))

    def pieces(self, read: Callable[[int, int], bytes], step: int) -> Iterator[bytes]:
        """Decoded octets piece by piece, no more of them than asked for; `read` gets octets of the body."""
        skip, left = self.partial or (0, sys.maxsize)
        decoding = decoder(self.encoding)
        at = self.start
        ended = False
        while not ended and left:
            if at < self.end:
                stop = min(self.end, (at // step + 1) * step)
                octets = decoding.feed(read(at, stop))
                at = stop
            else:
                octets, ended = decoding.close(), True
            kept = octets[skip : skip + left]
            skip -= min(skip, len(octets))
            left -= len(kept)
            yield kept


class CannotDecode(Exception):
    """A part whose encoding is unknown (UNKNOWN-CTE), or that has no content of its own."""

    def __init__(self, text: str, code: str | None) -> None:
        super().__init__(text)
        self.code = code


class Message:
    """A message of which octets are asked for; reads no more than that takes. For one read transaction."""

    __slots__ = ("_account", "_facts", "_id", "_prefix", "_tx", "body", "size")

    def __init__(self, tx: ReadTx, account: AccountID, id: MessageID, body: BodyID, size: int) -> None:
        self._tx = tx
        self._account = account
        self._id = id
        self.body = body
        self.size = size
        self._prefix = message.prefix(tx, account, id)
        self._facts: Facts | None = None

    @property
    def facts(self) -> Facts:
        """Raises NoSuchMessage."""
        if self._facts is None:
            self._facts = message.facts(self._tx, self._account, self._id)
        return self._facts

    def pieces(self, item: ContentItem) -> list[bytes | Stream | Decode]:
        """The value of an item. Raises NoSuchMessage, CannotDecode, KeyError for a body that is gone."""
        if isinstance(item, BodySection):
            return self._section(item)
        if isinstance(item, FetchAttribute):
            return [structure.body(self.facts.root, extended=False)]
        return self._decoded(item)

    def _locate(self, item: BodySection) -> tuple[bytes, int, int] | None:
        """Octets before, and a range of the body; None where there is no such part."""
        prefix = self._prefix
        if not item.parts and not item.kind:
            return prefix, 0, self.size - len(prefix)
        root = self.facts.root
        found = section.find(root, item.parts, item.kind)
        if found is None:
            return None
        if found.source is Source.HEADER:
            return prefix, 0, root.body
        return b"", found.start, found.end

    def _section(self, item: BodySection) -> list[bytes | Stream | Decode]:
        found = self._locate(item)
        if found is None:
            return [response.NIL]
        before, start, end = found
        if item.kind.startswith("HEADER.FIELDS"):
            header = before + bodies.read(self._tx, self.body, start, min(end, start + limits.HEADER.octets))
            negate = item.kind == "HEADER.FIELDS.NOT"
            chosen = section.header_subset(header, item.fields, negate=negate, limits=limits.HEADER)
            return [literal(cut(chosen, item.partial))]
        return self._range(before, start, end, item.partial, binary=False)

    def _range(
        self, before: bytes, start: int, end: int, partial: tuple[int, int] | None, *, binary: bool
    ) -> list[bytes | Stream | Decode]:
        """A partial of some octets and a range of the body, as a literal; `binary`: NULs may make it a literal8."""
        if partial is not None:
            offset, count = partial
            skipped = max(0, offset - len(before))
            before = before[offset : offset + count]
            start = min(end, start + skipped)
            end = min(end, start + count - len(before))
        if end - start <= LARGE_OCTETS:
            octets = before + bodies.read(self._tx, self.body, start, end)
            return [response.literal(octets) if binary else literal(octets)]
        size = len(before) + end - start
        return [b"%b{%d}\r\n%b" % (b"~" if binary else b"", size, before), Stream(self.body, start, end)]

    def _decoded(self, item: Binary | BinarySize) -> list[bytes | Stream | Decode]:
        measure = isinstance(item, BinarySize)
        partial = item.partial if isinstance(item, Binary) else None
        if not item.parts:
            # All of the message: its parts have encodings, it has none.
            if measure:
                return [b"%d" % self.size]
            return self._range(self._prefix, 0, self.size - len(self._prefix), partial, binary=True)
        part = self.facts.root.find(item.parts)
        if part is None:
            if measure:
                raise CannotDecode("no such part", None)
            return [response.NIL]
        if part.parts:
            raise CannotDecode("that part has no content of its own", None)  # RFC 9051 §6.4.5.2
        try:
            decode_transfer(b"", part.encoding)
        except UnknownEncoding as error:
            raise CannotDecode("some content has an unknown encoding", "UNKNOWN-CTE") from error
        if measure and part.decoded_size >= 0:
            return [b"%d" % part.decoded_size]
        if part.encoding in IDENTITY_ENCODINGS and not measure:
            return self._range(b"", part.body, part.end, partial, binary=True)
        work = Decode(self.body, part.body, part.end, part.encoding, partial, measure)
        if part.end - part.body > LARGE_OCTETS:
            return [work]
        return [work.of(bodies.read(self._tx, self.body, part.body, part.end))]
