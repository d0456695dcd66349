"""The octets a signature is over: header fields and body made independent of what changes on the way.

RFC 6376 §3.4. Fields are short and handled whole; bodies are hashed in pieces, at a cost that grows with their length
and nothing else, whatever they hold. Only CRLF ends a line, so no octet is changed that a signer did not change too.
"""

import hashlib
import re
from collections.abc import Callable, Collection
from enum import Enum
from typing import Final, NamedTuple

#: Octets of a body at a time: some tenths of a millisecond.
PIECE_OCTETS: Final = 64 * 1024

#: Of empty lines that turned out not to be the last ones, so many at a time.
_LINE_ENDS: Final = 32 * 1024
_TRAILING_LINES: Final = re.compile(rb"(?:\n\r)*+")  # Of reversed octets.


class Canon(Enum):
    """How much a message may change without breaking its signature."""

    SIMPLE = "simple"
    RELAXED = "relaxed"


def relaxed_field(octets: bytes) -> bytes:
    """A field from its name on, as relaxed canonicalization has it, with CRLF (RFC 6376 §3.4.2)."""
    name, _, value = octets.partition(b":")
    value = _collapse(value.replace(b"\r\n", b"").replace(b"\n", b"")).strip(b" ")
    return name.rstrip(b" \t").lower() + b":" + value + b"\r\n"


def simple_field(octets: bytes) -> bytes:
    """A field as it is, with the line end that its last line may lack at the end of a message."""
    return octets if octets.endswith(b"\n") else octets + b"\r\n"


FIELD: Final[dict[Canon, Callable[[bytes], bytes]]] = {Canon.SIMPLE: simple_field, Canon.RELAXED: relaxed_field}


class BodyHash(NamedTuple):
    """What is asked of a body."""

    canon: Canon
    #: `sha256` or `sha1`.
    algorithm: str
    #: Octets of the canonical body that are signed (the tag l=); None: all.
    length: int | None = None


class BodyDigest(NamedTuple):
    """What came out."""

    digest: bytes
    #: Octets of the whole canonical body: less than the length asked for is an error, more is unsigned text.
    total: int


class _Sink:
    """A hash over the first octets of a canonical body."""

    def __init__(self, asked: BodyHash) -> None:
        self.asked = asked
        self.hash = hashlib.new(asked.algorithm, usedforsecurity=asked.algorithm != "sha1")
        self.room = asked.length

    def update(self, octets: bytes) -> None:
        if self.room is not None:
            octets = octets[: self.room]
            self.room -= len(octets)
        self.hash.update(octets)


class _Canonical:
    """A canonical body on its way to hashes: the empty lines at its end are held back, and counted instead of kept."""

    def __init__(self, canon: Canon, asked: Collection[BodyHash]) -> None:
        self._relaxed = canon is Canon.RELAXED
        self._sinks = [_Sink(one) for one in asked]
        #: The end of the last piece, whose meaning the next one tells: white space (as one space) and a CR.
        self._carry = b""
        self._line_ends = 0
        self._total = 0

    def update(self, piece: bytes) -> None:
        octets = self._carry + piece if self._carry else piece
        end = len(octets) - octets.endswith(b"\r")
        if self._relaxed:
            content = octets[:end].rstrip(b" \t")
            self._carry = (b" " if len(content) < end else b"") + octets[end:]
            octets = _relax(content)
        else:
            self._carry = octets[end:]
            octets = octets[:end]
        self._hold_line_ends(octets)

    def _hold_line_ends(self, octets: bytes) -> None:
        if octets.endswith(b"\r\n"):
            tail = octets[len(octets.rstrip(b"\r\n")) :]
            found = _TRAILING_LINES.match(tail[::-1])
            lines = 0 if found is None else found.end() // 2
            octets = octets[: len(octets) - 2 * lines]
        else:
            lines = 0
        if octets:
            self._release_line_ends()
            self._pass(octets)
        self._line_ends += lines

    def _release_line_ends(self) -> None:
        while self._line_ends:
            count = min(self._line_ends, _LINE_ENDS)
            self._pass(b"\r\n" * count)
            self._line_ends -= count

    def _pass(self, octets: bytes) -> None:
        self._total += len(octets)
        for sink in self._sinks:
            sink.update(octets)

    def close(self) -> dict[BodyHash, BodyDigest]:
        carry = self._carry
        if self._relaxed and not carry.endswith(b"\r"):
            carry = b""  # White space at the end of a line.
        if carry:
            self._release_line_ends()
            self._pass(carry)
        # RFC 6376 §3.4.3: an empty body is one CRLF. RFC 6376 §3.4.4: relaxed, it stays empty.
        if self._total or not self._relaxed:
            self._pass(b"\r\n")
        return {sink.asked: BodyDigest(sink.hash.digest(), self._total) for sink in self._sinks}


def _relax(octets: bytes) -> bytes:
    """White space reduced (RFC 6376 §3.4.4 a)."""
    return _collapse(octets).replace(b" \r\n", b"\r\n")


def _collapse(octets: bytes) -> bytes:
    """Runs of white space as one space each; halving them is linear, however long they are."""
    if b"\t" in octets:
        octets = octets.replace(b"\t", b" ")
    while b"  " in octets:
        octets = octets.replace(b"  ", b" ")
    return octets


def body_hashes(
    read: Callable[[int, int], bytes], start: int, end: int, asked: Collection[BodyHash]
) -> dict[BodyHash, BodyDigest]:
    """All digests wanted of a body, by one pass over it. `read(from, to)` gives octets of the message."""
    bodies = [
        _Canonical(canon, [one for one in asked if one.canon is canon])
        for canon in Canon
        if any(one.canon is canon for one in asked)
    ]
    if not bodies:
        return {}
    position = start
    while position < end:
        piece = read(position, min(end, position + PIECE_OCTETS))
        if not piece:
            raise EOFError("message is shorter than it was")
        for body in bodies:
            body.update(piece)
        position += len(piece)
    digests: dict[BodyHash, BodyDigest] = {}
    for body in bodies:
        digests |= body.close()
    return digests
