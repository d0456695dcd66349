"""A message of which an Email is made: one of the account's, or one that was found in a blob (RFC 8621 §4.2, §4.9).

What delivery has prepared is served as it is; only who asks for more has the header or the body read. All of this is
for a thread.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from appliance.base import limits
from appliance.mail import header, preview
from appliance.mail.decode import UnknownEncoding, decoder
from appliance.mail.flatten import Flat, flatten
from appliance.mail.header import Field
from appliance.mail.part import Part
from appliance.mail.traits import traits
from appliance.servers.web.jmap.blobs import message_blob, part_blob
from appliance.store import bodies, message
from appliance.store.ordering import Orders
from appliance.store.prepare import USUAL_FIELDS
from appliance.store.reach import Reach
from appliance.store.records import DELETED, Facts, Place, Prepared, Row
from appliance.store.tables import AccountID, MessageID
from appliance.store.transaction import ReadTx

#: Read at a time.
_PIECE: Final = 256 * 1024

Reader = Callable[[int, int], bytes]
#: Parts are known by their numbers, as in IMAP: `1.2`.
Path = tuple[int, ...]


def lines_of(octets: bytes, start: int = 0, end: int | None = None) -> tuple[bytes, list[Field]]:
    """A header section and where its fields are."""
    return octets, header.fields(octets, start, end, limits=limits.HEADER)


def values_by_name(head: tuple[bytes, list[Field]]) -> dict[bytes, list[bytes]]:
    """What follows the colon of all fields, with line ends, by lower-case name."""
    octets, fields = head
    found: dict[bytes, list[bytes]] = {}
    for one in fields:
        found.setdefault(one.name.lower(), []).append(octets[one.value : one.end])
    return found


@dataclass
class Source:
    """A message, as far as it was read."""

    #: Octets of the message from an offset to another; those of the tree.
    read: Reader
    #: The blob of the whole message.
    blob_id: str
    size: int
    #: Makes the tree, when it is asked for.
    make_root: Callable[[], Part]
    #: The blob of a part by its path.
    blob_of: Callable[[Path], str]
    #: Reads the whole header, with what was added here.
    read_head: Callable[[], bytes]
    #: Lines of usual fields by lower-case name; None where they are not at hand.
    usual: dict[str, bytes] | None = None

    @cached_property
    def root(self) -> Part:
        """The tree of parts."""
        return self.make_root()

    @property
    def traits(self) -> int:
        """`mail.traits`."""
        return traits(self.root)

    @property
    def preview(self) -> str:
        """Its first words."""
        return preview.preview(self.root, self.read, limits.TEXT)

    @cached_property
    def flat(self) -> Flat:
        """Bodies and attachments."""
        return flatten(self.root)

    @cached_property
    def head(self) -> tuple[bytes, list[Field]]:
        """The whole header."""
        return lines_of(self.read_head())

    @cached_property
    def _values(self) -> dict[bytes, list[bytes]]:
        """Values of all fields by lower-case name."""
        return values_by_name(self.head)

    @cached_property
    def paths(self) -> dict[int, Path]:
        """The path of each part, by its identity; not of those of nested messages."""
        found: dict[int, Path] = {}
        waiting: list[tuple[Part, Path]] = [(self.root, () if self.root.is_multipart else (1,))]
        while waiting:
            part, path = waiting.pop()
            found[id(part)] = path
            if part.is_multipart:
                waiting.extend((one, (*path, number)) for number, one in enumerate(part.parts, 1))
        return found

    def values(self, name: str) -> list[bytes]:
        """What follows the colon of all fields of a name in lower case, with line ends."""
        if self.usual is not None and name in USUAL_FIELDS:
            octets, fields = lines_of(self.usual.get(name, b""))
            return [octets[one.value : one.end] for one in fields]
        return self._values.get(name.encode(), [])

    def part_head(self, part: Part) -> tuple[bytes, list[Field]]:
        """The header of a part."""
        if part is self.root:
            return self.head
        return lines_of(self.read(part.start, part.body))

    def pieces(self, part: Part) -> Iterator[bytes]:
        """The encoded body of a part, piece by piece."""
        for at in range(part.body, part.end, _PIECE):
            yield self.read(at, min(part.end, at + _PIECE))

    def decoded_size(self, part: Part) -> int:
        """Octets of the decoded body of a part."""
        if part.decoded_size >= 0:
            return part.decoded_size
        try:
            decoding = decoder(part.encoding)
        except UnknownEncoding:
            return part.end - part.body
        return sum(len(decoding.feed(octets)) for octets in self.pieces(part)) + len(decoding.close())


@dataclass
class Stored(Source):
    """One of the account's messages."""

    account: AccountID = field(kw_only=True)
    id: MessageID = field(kw_only=True)
    place: Place = field(kw_only=True)
    row: Row = field(kw_only=True)
    prepared: Prepared = field(kw_only=True)
    known_traits: int = field(kw_only=True)
    facts_of: Callable[[], Facts] = field(kw_only=True)

    @property
    def traits(self) -> int:
        """`mail.traits`."""
        return self.known_traits

    @property
    def preview(self) -> str:
        """Its first words."""
        return self.prepared.preview

    @cached_property
    def facts(self) -> Facts:
        """What else is known of it."""
        return self.facts_of()


def stored(
    tx: ReadTx, reach: Reach, ids: Sequence[MessageID], orders: Orders, *, traits: bool
) -> dict[MessageID, Stored]:
    """Those of the messages that are there for a reader. To be used with the snapshot alone.

    `traits`: whether anybody asks for these.
    """
    found: dict[MessageID, Stored] = {}
    account = reach.account
    for id in ids:
        place = message.place(tx, account, id)
        if place is None or place.expunged or place.mailbox not in reach.live:
            continue
        row = message.row(tx, account, place.mailbox, place.uid)
        if row is None or row.flags & DELETED:
            continue
        prepared = message.prepared(tx, account, id)
        found[id] = Stored(
            read=_reader(tx, place),
            blob_id=message_blob(account, id),
            size=row.size,
            make_root=_root(tx, account, id),
            blob_of=_blobs(account, id),
            usual=prepared.fields,
            read_head=_head(tx, account, id, place),
            account=account,
            id=id,
            place=place,
            row=row._replace(flags=reach.shown(place.mailbox, place.uid, row.flags)),
            prepared=prepared,
            known_traits=0,
            facts_of=_facts(tx, account, id),
        )
    if traits:
        for one, keys in zip(found.values(), orders.read(tx, account, list(found)), strict=True):
            one.known_traits = keys.traits
    return found


def _reader(tx: ReadTx, place: Place) -> Reader:
    return lambda start, end: bodies.read(tx, place.body, start, end)


def _head(tx: ReadTx, account: AccountID, id: MessageID, place: Place) -> Callable[[], bytes]:
    def read() -> bytes:
        prefix = message.prefix(tx, account, id)
        return prefix + bodies.read(tx, place.body, 0, message.facts(tx, account, id).root.body)

    return read


def _root(tx: ReadTx, account: AccountID, id: MessageID) -> Callable[[], Part]:
    return lambda: message.facts(tx, account, id).root


def _facts(tx: ReadTx, account: AccountID, id: MessageID) -> Callable[[], Facts]:
    return lambda: message.facts(tx, account, id)


def _blobs(account: AccountID, id: MessageID, within: Path = ()) -> Callable[[Path], str]:
    return lambda path: part_blob(account, id, ".".join(map(str, (*within, *path))))
