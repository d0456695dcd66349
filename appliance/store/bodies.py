"""Bodies: the octets of messages as they were received, shared by reference count (ARCHITECTURE.md).

A body is written in pieces of 65,520 octets. A large one is written before the transaction that names it, in slices
of its own; until then it has no references, and `sweep` removes such at start.
"""

import struct
from collections.abc import Iterable

import msgspec

from appliance.store import tables
from appliance.store.tables import PIECE_OCTETS, BodyID, Table
from appliance.store.transaction import ReadTx, WriteTx

_USE = struct.Struct(">IQ")
_NEXT = b"next body"


class NewBody(msgspec.Struct, frozen=True):
    """A body to be stored by the transaction that names it: its octets, or the id under which they lie already."""

    octets: bytes | None
    stored: BodyID | None
    size: int


def of_octets(octets: bytes) -> NewBody:
    """A body held in memory."""
    return NewBody(octets, None, len(octets))


def reserve(tx: WriteTx) -> BodyID:
    """A new id, in use by nobody yet."""
    body = _next(tx)
    tx.put(Table.BODY_USE, tables.body_key(body), _USE.pack(0, 0))
    return body


def _next(tx: WriteTx) -> BodyID:
    number = int(tx.get(Table.META, _NEXT) or b"1")
    tx.put(Table.META, _NEXT, b"%d" % (number + 1))
    return BodyID(number)


def write_pieces(tx: WriteTx, body: BodyID, first_piece: int, octets: bytes) -> None:
    """Write a run of pieces; all but the last of a body are full."""
    for number, start in enumerate(range(0, len(octets), PIECE_OCTETS), first_piece):
        tx.put(Table.BODY, tables.piece_key(body, number), octets[start : start + PIECE_OCTETS])


def use(tx: WriteTx, new: NewBody) -> BodyID:
    """Name a body once more, writing it if it is not there yet."""
    if new.stored is None:
        assert new.octets is not None
        body = _next(tx)
        write_pieces(tx, body, 0, new.octets)
        tx.put(Table.BODY_USE, tables.body_key(body), _USE.pack(1, new.size))
        return body
    add_reference(tx, new.stored, new.size)
    return new.stored


def add_reference(tx: WriteTx, body: BodyID, size: int) -> None:
    """One more message has this body."""
    key = tables.body_key(body)
    value = tx.get(Table.BODY_USE, key)
    if value is None:
        raise KeyError(body)
    references, _ = _USE.unpack(value)
    tx.put(Table.BODY_USE, key, _USE.pack(references + 1, size))


def drop_reference(tx: WriteTx, body: BodyID) -> None:
    """One message less; the last one takes the octets with it."""
    key = tables.body_key(body)
    value = tx.get(Table.BODY_USE, key)
    if value is None:
        raise KeyError(body)
    references, size = _USE.unpack(value)
    if references > 1:
        tx.put(Table.BODY_USE, key, _USE.pack(references - 1, size))
        return
    tx.delete(Table.BODY_USE, key)
    delete_pieces(tx, body, None)


def delete_pieces(tx: WriteTx, body: BodyID, limit: int | None) -> bool:
    """Delete pieces of a body, at most `limit`; tells whether all are gone."""
    prefix = tables.body_key(body)
    cursor = tx.raw.cursor(tx.handles[Table.BODY])
    deleted = 0
    found = cursor.set_range(prefix)
    while found and cursor.key().startswith(prefix):
        if deleted == limit:
            cursor.close()
            return False
        found = cursor.delete()
        deleted += 1
    cursor.close()
    return True


def read(tx: ReadTx, body: BodyID, start: int, end: int) -> bytes:
    """Octets start..end of a body."""
    if end <= start:
        return b""
    first, last = start // PIECE_OCTETS, (end - 1) // PIECE_OCTETS
    pieces = []
    for number in range(first, last + 1):
        piece = tx.get(Table.BODY, tables.piece_key(body, number))
        if piece is None:
            raise KeyError(body)
        pieces.append(piece)
    # Cut before they are joined: other threads wait while many megabytes are copied.
    pieces[-1] = pieces[-1][: end - last * PIECE_OCTETS]
    pieces[0] = pieces[0][start - first * PIECE_OCTETS :]
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def size(tx: ReadTx, body: BodyID) -> int:
    """Octets of a body. Raises KeyError."""
    value = tx.get(Table.BODY_USE, tables.body_key(body))
    if value is None:
        raise KeyError(body)
    return int(_USE.unpack(value)[1])


def actual_size(tx: ReadTx, body: BodyID) -> int:
    """Octets that are there of a body, whatever is said of it."""
    entry = tx.last_before(Table.BODY, tables.body_key(BodyID(body + 1)), tables.body_key(body))
    return 0 if entry is None else int.from_bytes(entry[0][8:], "big") * PIECE_OCTETS + len(entry[1])


def correct_size(tx: WriteTx, body: BodyID) -> int:
    """Have a body said to have the octets that are there; how many. Raises KeyError."""
    key, octets = tables.body_key(body), actual_size(tx, body)
    value = tx.get(Table.BODY_USE, key)
    if value is None:
        raise KeyError(body)
    references, size = _USE.unpack(value)
    if size != octets:
        tx.put(Table.BODY_USE, key, _USE.pack(references, octets))
    return octets


def unnamed(tx: ReadTx) -> Iterable[BodyID]:
    """Bodies that no message names: left over from a crash, when nothing is being received."""
    for key, value in tx.scan_prefix(Table.BODY_USE, b""):
        if _USE.unpack(value)[0] == 0:
            yield BodyID(int.from_bytes(key, "big"))


def discard(tx: WriteTx, body: BodyID, limit: int) -> bool:
    """Remove a body that nobody names, a bounded part at a time; tells whether it is gone."""
    key = tables.body_key(body)
    value = tx.get(Table.BODY_USE, key)
    if value is None:
        return True
    if _USE.unpack(value)[0]:
        return True
    if not delete_pieces(tx, body, limit):
        return False
    tx.delete(Table.BODY_USE, key)
    return True


def uses(tx: ReadTx) -> Iterable[tuple[BodyID, int, int]]:
    """Every body with its references and size, for `verify`."""
    for key, value in tx.scan_prefix(Table.BODY_USE, b""):
        yield BodyID(int.from_bytes(key, "big")), *_USE.unpack(value)
