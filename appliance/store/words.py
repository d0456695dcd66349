"""The index of texts: immutable segments of some thousand messages, their words and who has them (ARCHITECTURE.md).

A segment keeps every word of its messages, header and body apart, in blocks: a vocabulary, which is the words one a
line, and the messages of each word. A substring is looked for by `bytes.find` in the vocabulary. What contains more
than word octets is split: its first word may be the end of one in the text, its last the beginning of one, those
between are whole; messages that have all of them are candidates, whose texts are looked at. Beside the words stand
the values of the fields most asked for, one message a line, searched the same way and exact; and the days of Date.

Nothing here is needed to be right, as long as the text of a message never changes: a message in no segment is
searched in its text. Octets of all numbers are little-endian.
"""

import re
import sys
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import msgspec

from appliance.store import search, tables
from appliance.store.prepare import CUT
from appliance.store.search import SHOWN_FIELDS, InBody, InField, InShown, InText, Query, SentBetween
from appliance.store.tables import AccountID, MessageID, Table
from appliance.store.transaction import ReadTx, WriteTx, decode

#: A segment is full with so many messages, octets of text or distinct words, whichever comes first.
MESSAGES: Final = 1024
TEXT_OCTETS: Final = 8 * 1024 * 1024
DISTINCT_WORDS: Final = 120_000
#: A block ends beyond so many octets of words, or units of two octets of messages.
BLOCK_OCTETS: Final = 48 * 1024
BLOCK_UNITS: Final = 32 * 1024

#: Fields kept by value: those that SEARCH has keys for, and those by which programs follow threads and lists.
FIELDS: Final = (
    *(b"subject", b"from", b"to", b"cc", b"bcc", b"sender", b"reply-to"),
    *(b"message-id", b"in-reply-to", b"references", b"list-id"),
)
_FIELD_NUMBER: Final = {name: number for number, name in enumerate(FIELDS)}

# A word is a run of letters, digits and octets above ASCII. Chinese and Japanese have no spaces between words, so
# each of their characters (U+3000 to U+9FFF) is a word of its own.
_TOKEN = re.compile(rb"[\xe3-\xe9][\x80-\xbf][\x80-\xbf]|[0-9A-Za-z\x80-\xe2\xea-\xff]++")
_IDEOGRAPH = re.compile(rb"[\xe3-\xe9]")
_SPACED = bytes(octet if re.match(rb"[0-9A-Za-z\x80-\xe2\xea-\xff]", bytes([octet])) else 32 for octet in range(256))
#: Longer words are kept in pieces of so many octets, one beginning every so many, so that whatever is no longer than
#: the overlap lies within a piece.
LONGEST_WORD: Final = 192
_STEP: Final = 128
OVERLAP: Final = LONGEST_WORD - _STEP
#: So many words of a phrase are looked up, the longest first; fewer once so few candidates are left.
_TERMS: Final = 4
_FEW: Final = 8


class Segment(msgspec.Struct, array_like=True, frozen=True):
    """One segment; its key says the last message that it covers."""

    #: Names its pieces; unique within the account.
    number: int
    #: Message ids, ascending: array of 8 octets each. The place of an id is the message's ordinal here.
    ids: bytes
    #: Ordinals of messages of whose text only the beginning is kept: array of 2 octets each.
    cut: bytes
    #: `search.sent_day` of each: array of 4 octets each.
    sent: bytes
    #: Blocks of the words of headers and of bodies.
    header_blocks: int
    body_blocks: int
    #: For each of FIELDS, the first ordinal of each of its pieces; fields added to the table later are missing.
    field_pieces: tuple[tuple[int, ...], ...]
    #: Octets of the texts, and of all pieces.
    text_octets: int
    octets: int

    def message_ids(self) -> "array[int]":
        """`ids` as numbers."""
        return _numbers("Q", self.ids)

    def cut_ordinals(self) -> "array[int]":
        """`cut` as numbers."""
        return _numbers("H", self.cut)


#: Kinds of pieces.
_HEADER_WORDS, _HEADER_MESSAGES, _BODY_WORDS, _BODY_MESSAGES, _FIELD = 0, 1, 2, 3, 16

Piece = tuple[int, int, bytes]


def _numbers(code: str, octets: bytes) -> "array[int]":
    numbers = array(code, octets)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _octets(numbers: "array[int]") -> bytes:
    if sys.byteorder == "big":
        numbers = numbers[:]
        numbers.byteswap()
    return numbers.tobytes()


# Making


def words_of(text: bytes) -> dict[bytes, None]:
    """The distinct words of a text, in order."""
    if _IDEOGRAPH.search(text):
        return dict.fromkeys(_TOKEN.findall(text))
    return dict.fromkeys(text.translate(_SPACED).split())


class Builder:
    """Gathers the messages of a segment; costs memory of some times the size of their words.

    Who has a word is one number with a bit for each message: containers by the hundred thousand would keep the garbage
    collector busy for tens of milliseconds, and the house waits for it.
    """

    def __init__(self) -> None:
        self.ids = array("Q")
        self.text_octets = 0
        self._cut = array("H")
        self._sent = array("i")
        self.header: dict[bytes, int] = {}
        self.body: dict[bytes, int] = {}
        self._fields: list[list[bytes]] = [[] for _ in FIELDS]

    @property
    def full(self) -> bool:
        """Nothing more should be added."""
        return (
            len(self.ids) >= MESSAGES
            or self.text_octets >= TEXT_OCTETS
            or len(self.header) + len(self.body) >= DISTINCT_WORDS
        )

    def add(self, id: MessageID, text: bytes) -> None:
        """The next message, ids ascending."""
        ordinal = len(self.ids)
        end = search.header_end(text)
        self.ids.append(id)
        self.text_octets += len(text)
        if text.startswith(CUT):
            self._cut.append(ordinal)
        self._sent.append(search.sent_day(text))
        values: dict[bytes, list[bytes]] = {}
        for line in text[1:end].split(b"\n"):
            name, colon, value = line.partition(b":")
            if colon and (name := name.rstrip(b" \t")) in _FIELD_NUMBER:
                values.setdefault(name, []).append(value)
        for name, lines in zip(FIELDS, self._fields, strict=True):
            # NUL before each value: none is another than an empty one.
            lines.append(b"\0" + b"\0".join(values[name]) if name in values else b"")
        _gather(self.header, text[1:end], 1 << ordinal)
        _gather(self.body, text[end + 1 :], 1 << ordinal)

    def pieces(self, number: int) -> Iterator[Piece | Segment]:
        """All pieces, one at a time, and at last the segment."""
        octets = 0
        counts = []
        for kind, known in ((_HEADER_WORDS, self.header), (_BODY_WORDS, self.body)):
            count = 0
            for vocabulary, messages in _blocks(known, len(self.ids)):
                yield kind, count, vocabulary
                yield kind + 1, count, messages
                octets += len(vocabulary) + len(messages)
                count += 1
            counts.append(count)
        field_pieces = []
        for field, lines in enumerate(self._fields):
            firsts: list[int] = []
            for first, piece in _lines(lines):
                yield _FIELD + field, len(firsts), piece
                octets += len(piece)
                firsts.append(first)
            field_pieces.append(tuple(firsts))
        yield Segment(
            number=number,
            ids=_octets(self.ids),
            cut=_octets(self._cut),
            sent=_octets(self._sent),
            header_blocks=counts[0],
            body_blocks=counts[1],
            field_pieces=tuple(field_pieces),
            text_octets=self.text_octets,
            octets=octets,
        )


def _gather(known: dict[bytes, int], text: bytes, bit: int) -> None:
    for word in words_of(text):
        have = known.get(word)
        if have is not None:
            known[word] = have | bit
        elif len(word) <= LONGEST_WORD:
            known[word] = bit
        else:
            for start in range(0, len(word) - OVERLAP, _STEP):
                piece = word[start : start + LONGEST_WORD]
                known[piece] = known.get(piece, 0) | bit


def _bitmap_units(count: int) -> int:
    return (count + 15) // 16


def _blocks(known: dict[bytes, int], count: int) -> Iterator[tuple[bytes, bytes]]:
    """Vocabularies, a newline around every word; and for each where the messages of its words end, and these.

    The messages of a word are ordinals, or a bitmap when that is shorter.
    """
    bitmap_units = _bitmap_units(count)
    words: list[bytes] = []
    ends, units = array("H"), array("H")
    octets = 0
    for word, bits in known.items():
        if bits.bit_count() < bitmap_units:
            units.extend(_ones(bits))
        else:
            units.frombytes(bits.to_bytes(2 * bitmap_units, sys.byteorder))
        words.append(word)
        ends.append(len(units))
        octets += len(word) + 1
        if octets > BLOCK_OCTETS or len(units) > BLOCK_UNITS:
            yield _block(words, ends, units)
            words, ends, units, octets = [], array("H"), array("H"), 0
    if words:
        yield _block(words, ends, units)


def _block(words: list[bytes], ends: "array[int]", units: "array[int]") -> tuple[bytes, bytes]:
    vocabulary = b"\n" + b"\n".join(words) + b"\n"
    return vocabulary, len(ends).to_bytes(2, "little") + _octets(ends) + _octets(units)


def _lines(lines: list[bytes]) -> Iterator[tuple[int, bytes]]:
    """Pieces of lines with the ordinal of their first; a newline around every line."""
    first = 0
    octets = 0
    for ordinal, line in enumerate(lines):
        octets += len(line) + 1
        if octets > BLOCK_OCTETS:
            yield first, b"\n" + b"\n".join(lines[first : ordinal + 1]) + b"\n"
            first, octets = ordinal + 1, 0
    if first < len(lines):
        yield first, b"\n" + b"\n".join(lines[first:]) + b"\n"


# Keeping


def segments(tx: ReadTx, account: AccountID, after: int = 0) -> Iterator[tuple[MessageID, Segment]]:
    """Segments that cover messages beyond an id, in order, each with the last id it covers."""
    start = tables.message_key(account, MessageID(after + 1))
    for key, value in tx.scan(Table.SEGMENT, start, tables.account_key(AccountID(account + 1))):
        yield MessageID(int.from_bytes(key[4:], "big")), decode(Segment, value)


def covered(tx: ReadTx, account: AccountID) -> MessageID:
    """Messages up to here are in segments; 0 for none."""
    entry = tx.last_before(Table.SEGMENT, tables.account_key(AccountID(account + 1)), tables.account_key(account))
    return MessageID(int.from_bytes(entry[0][4:], "big") if entry else 0)


def put_pieces(tx: WriteTx, account: AccountID, number: int, pieces: Iterable[Piece]) -> None:
    """Write pieces of a segment that is not there yet. Raises NoSuchAccount."""
    ReadTx.account(tx, account)
    for kind, place, octets in pieces:
        tx.put(Table.SEGMENT_PIECE, tables.segment_piece_key(account, number, kind, place), octets)


def put_segment(
    tx: WriteTx, account: AccountID, last: MessageID, segment: Segment | None, replaced: Iterable[MessageID] = ()
) -> None:
    """Make a segment whose pieces are written valid, in place of others. Raises NoSuchAccount."""
    ReadTx.account(tx, account)
    for old in replaced:
        drop(tx, account, old)
    if segment is not None:
        tx.put_record(Table.SEGMENT, tables.message_key(account, last), segment)


def drop(tx: WriteTx, account: AccountID, last: MessageID) -> None:
    """Remove a segment."""
    key = tables.message_key(account, last)
    segment = tx.record(Table.SEGMENT, key, Segment)
    if segment is not None:
        tx.delete(Table.SEGMENT, key)
        for piece, _ in list(tx.scan_prefix(Table.SEGMENT_PIECE, tables.segment_key(account, segment.number))):
            tx.delete(Table.SEGMENT_PIECE, piece)


def drop_unfinished(tx: WriteTx, account: AccountID, number: int) -> None:
    """Remove the pieces of a segment that never became valid: of this number and higher ones."""
    start = tables.segment_key(account, number)
    for key, _ in list(tx.scan(Table.SEGMENT_PIECE, start, tables.account_key(AccountID(account + 1)))):
        tx.delete(Table.SEGMENT_PIECE, key)


# Asking


@dataclass(frozen=True, slots=True)
class Terms:
    """What a needle says about words."""

    #: As they stand in a vocabulary, with the newline on the sides where the word ends; the best first.
    terms: tuple[bytes, ...]
    #: A text has the needle if and only if it has these.
    exact: bool


def terms_of(needle: bytes) -> Terms:
    """Split a needle into words that a text must have."""
    terms: list[bytes] = []
    exact = False
    for found in _TOKEN.finditer(needle):
        word = found[0]
        single = 0xE3 <= word[0] <= 0xE9
        opens = found.start() == 0 and not single
        closes = found.end() == len(needle) and not single
        whole = len(word) == len(needle)
        if opens and closes:
            exact = len(word) <= OVERLAP
            terms.append(word[:OVERLAP])
        elif opens:
            terms.append(word[-OVERLAP:] + b"\n")
        elif closes:
            terms.append(b"\n" + word[:OVERLAP])
        else:
            exact = single and whole
            terms.append(b"\n" + word + b"\n" if len(word) <= LONGEST_WORD else b"\n" + word[:OVERLAP])
    return Terms(tuple(sorted(set(terms), key=len, reverse=True)[:_TERMS]), exact)


@dataclass(slots=True)
class Answer:
    """Ordinals of a segment's messages: these have what was asked for, and these may have it."""

    sure: set[int]
    maybe: set[int]


def ask(tx: ReadTx, account: AccountID, segment: Segment, query: Query) -> Answer:
    """What a segment knows about a query."""
    count = len(segment.ids) // 8
    match query:
        case SentBetween():
            return Answer({at for at, day in enumerate(_numbers("i", segment.sent)) if query.holds(day)}, set())
        case InField(name, needle):
            if b"\n" in needle:
                return Answer(set(), set())
            number = _FIELD_NUMBER.get(name, len(FIELDS))
            if number < len(segment.field_pieces):
                return Answer(_in_field(tx, account, segment, number, needle or b"\0"), set())
            wanted = terms_of(b"\n" + name + b"\n").terms + terms_of(needle).terms
            return Answer(set(), _with_all(tx, account, segment, _HEADER_WORDS, wanted))
        case InText(needle) | InBody(needle) | InShown(needle):
            if not needle:
                return Answer(set(range(count)), set())
            terms = terms_of(needle)
            found = _with_all(tx, account, segment, _BODY_WORDS, terms.terms)
            if isinstance(query, InText):
                found |= _with_all(tx, account, segment, _HEADER_WORDS, terms.terms)
            answer = Answer(found, set()) if terms.exact else Answer(set(), found)
            if isinstance(query, InShown) and b"\n" not in needle:
                # A look at the words of headers first: most segments do not have what is rare.
                if _with_all(tx, account, segment, _HEADER_WORDS, terms.terms):
                    for name in SHOWN_FIELDS:
                        answer.sure |= _in_field(tx, account, segment, _FIELD_NUMBER[name], needle)
                answer.maybe -= answer.sure
            return answer


def _lines_with(text: bytes, needle: bytes) -> Iterator[int]:
    """Which lines of a vocabulary have a needle; one that begins with a newline stands at the beginning of a line."""
    line = -1
    counted = 0
    inside = needle[:1] == b"\n"
    at = text.find(needle)
    while at >= 0:
        at += inside
        line += text.count(b"\n", counted, at)
        yield line
        counted = text.find(b"\n", at)
        at = text.find(needle, counted)


def _in_field(tx: ReadTx, account: AccountID, segment: Segment, number: int, needle: bytes) -> set[int]:
    found: set[int] = set()
    for place, first in enumerate(segment.field_pieces[number]):
        text = tx.get(Table.SEGMENT_PIECE, tables.segment_piece_key(account, segment.number, _FIELD + number, place))
        found.update(first + line for line in _lines_with(text or b"", needle))
    return found


def _with_all(tx: ReadTx, account: AccountID, segment: Segment, kind: int, terms: Iterable[bytes]) -> set[int]:
    """Ordinals of messages that have all terms, and maybe some more; all when there are no terms."""
    count = len(segment.ids) // 8
    found: set[int] | None = None
    for term in terms:
        these = _with(tx, account, segment, kind, term)
        found = these if found is None else found & these
        if len(found) <= _FEW:
            break
    return set(range(count)) if found is None else found


def _with(tx: ReadTx, account: AccountID, segment: Segment, kind: int, term: bytes) -> set[int]:
    """Ordinals of messages with a word that has a term."""
    count = len(segment.ids) // 8
    bitmap_units = _bitmap_units(count)
    found: set[int] = set()
    bits = 0
    for place in range(segment.header_blocks if kind == _HEADER_WORDS else segment.body_blocks):
        key = tables.segment_piece_key(account, segment.number, kind, place)
        vocabulary = tx.get(Table.SEGMENT_PIECE, key) or b""
        if term not in vocabulary:
            continue
        ends, units = _messages(tx, account, segment, kind, place)
        for line in _lines_with(vocabulary, term):
            start, end = ends[line - 1] if line else 0, ends[line]
            if end - start == bitmap_units:
                bits |= int.from_bytes(_octets(units[start:end]), "little")
                if bits.bit_count() == count:
                    # A letter or two: every message has them, and the most frequent words stand first.
                    return set(range(count))
            else:
                found.update(units[start:end])
    if bits:
        found.update(_ones(bits))
    return found


def _messages(
    tx: ReadTx, account: AccountID, segment: Segment, kind: int, place: int
) -> tuple["array[int]", "array[int]"]:
    octets = tx.get(Table.SEGMENT_PIECE, tables.segment_piece_key(account, segment.number, kind + 1, place)) or b"\0\0"
    split = 2 + 2 * int.from_bytes(octets[:2], "little")
    return _numbers("H", octets[2:split]), _numbers("H", octets[split:])


def _ones(bits: int) -> Iterator[int]:
    """Which bits are set, ascending."""
    if bits.bit_count() > bits.bit_length() // 8:
        yield from (at for at, digit in enumerate(reversed(f"{bits:b}")) if digit == "1")
        return
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest


# Checking


def check(tx: ReadTx, account: AccountID, next_message: int) -> Iterator[str]:
    """What is wrong with the index of an account, in words; every word of every text is looked for."""
    before = 0
    numbers = set()
    for last, segment in segments(tx, account):
        name = f"index segment {segment.number}"
        numbers.add(segment.number)
        ids = segment.message_ids()
        if not ids or not before < ids[0] or ids[-1] > last or any(a >= b for a, b in pairwise(ids)):
            yield f"{name} has messages out of order"
            continue
        if last >= next_message:
            yield f"{name} covers ids that were not handed out"
        before = last
        yield from (f"{name}: {wrong}" for wrong in _check_segment(tx, account, segment, ids))
    highest = max(numbers, default=0)
    found = {int.from_bytes(key[4:8], "big") for key, _ in _piece_keys(tx, account)}
    # A segment that is being written, or that a crash has left so, has a higher number than all.
    yield from (f"index pieces of segment {one}, which is not there" for one in found - numbers if one <= highest)


def _piece_keys(tx: ReadTx, account: AccountID) -> Iterator[tuple[bytes, bytes]]:
    """The first piece of every segment."""
    start = tables.account_key(account)
    stop = tables.account_key(AccountID(account + 1))
    while (entry := next(tx.scan(Table.SEGMENT_PIECE, start, stop), None)) is not None:
        yield entry
        start = tables.segment_key(account, int.from_bytes(entry[0][4:8], "big") + 1)


def _check_segment(tx: ReadTx, account: AccountID, segment: Segment, ids: "array[int]") -> Iterator[str]:
    again = Builder()
    there: dict[int, int] = {}
    for ordinal, id in enumerate(ids):
        key = tables.message_key(account, MessageID(id))
        text = tx.get(Table.TEXT, key)
        if text is not None:
            there[len(again.ids)] = ordinal
            again.add(MessageID(id), text)
        elif tx.get(Table.PLACE, key) is not None:
            yield f"message {id} has no text"
    sent, made = _numbers("i", segment.sent), again._sent
    if len(sent) != len(ids) or any(sent[ordinal] != made[at] for at, ordinal in there.items()):
        yield "wrong days"
    if not {there[at] for at in again._cut} <= set(_numbers("H", segment.cut)):
        yield "cut texts are taken for complete ones"
    for kind, blocks, known in (
        (_HEADER_WORDS, segment.header_blocks, again.header),
        (_BODY_WORDS, segment.body_blocks, again.body),
    ):
        stored = _stored(tx, account, segment, kind, blocks, len(ids))
        if stored is None:
            yield "a block is damaged"
            continue
        missing = sum(
            1 for word, have in known.items() if not {there[at] for at in _ones(have)} <= stored.get(word, frozenset())
        )
        if missing:
            yield f"{missing} words lack messages"
    for field, (firsts, lines) in enumerate(zip(segment.field_pieces, again._fields, strict=False)):
        kept: list[bytes] = []
        for place in range(len(firsts)):
            key = tables.segment_piece_key(account, segment.number, _FIELD + field, place)
            kept += (tx.get(Table.SEGMENT_PIECE, key) or b"").split(b"\n")[1:-1]
        if len(kept) != len(ids) or any(kept[ordinal] != lines[at] for at, ordinal in there.items()):
            yield f"field {FIELDS[field].decode()} is wrong"


def _stored(
    tx: ReadTx, account: AccountID, segment: Segment, kind: int, blocks: int, count: int
) -> dict[bytes, frozenset[int]] | None:
    """The words of all blocks with their messages; None when something is not as it must be."""
    stored: dict[bytes, frozenset[int]] = {}
    bitmap_units = _bitmap_units(count)
    for place in range(blocks):
        vocabulary = tx.get(Table.SEGMENT_PIECE, tables.segment_piece_key(account, segment.number, kind, place)) or b""
        words = vocabulary.split(b"\n")[1:-1]
        ends, units = _messages(tx, account, segment, kind, place)
        if len(ends) != len(words) or not words or ends[-1] != len(units):
            return None
        start = 0
        for word, end in zip(words, ends, strict=True):
            if end <= start or end - start > bitmap_units:
                return None
            if end - start == bitmap_units:
                stored[word] = frozenset(_ones(int.from_bytes(_octets(units[start:end]), "little")))
            else:
                stored[word] = frozenset(units[start:end])
            if max(stored[word], default=count) >= count:
                return None
            start = end
    return stored
