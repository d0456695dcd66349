"""Finding the parts of a message: one pass over hostile octets, in memory or as they come in.

RFC 2045 §5, RFC 2046 §5.1 and §5.2. Malformed MIME is no error here: the structure found so far stays, and the part
concerned is marked. Nothing is decoded but headers of parts; what a part means is for describe, part and decode.

Work is linear in the octets however deep parts nest: lines are looked at only where all boundaries that would count
have their beginning in common, and then looked up once per length of boundary, not once per boundary.
"""

import re
from dataclasses import dataclass, replace

import msgspec

from appliance.mail.describe import Described, describe, opaque
from appliance.mail.envelope import ADDRESS_FIELDS, Envelope, EnvelopeLimits, envelope_of
from appliance.mail.header import Field, fields
from appliance.mail.part import IDENTITY_ENCODINGS, Part


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanLimits:
    """How much structure is made out; what lies beyond becomes one opaque part, and is marked."""

    #: Of headers: fields and octets of one; a longer one makes its part opaque.
    envelope: EnvelopeLimits
    #: Levels of parts and nested messages, the message itself being the first.
    depth: int
    #: Parts and nested messages of one message, itself included.
    parts: int
    #: Octets of the address lists of nested messages that are read altogether.
    nested_address_octets: int
    #: Octets of text that the part tree may hold altogether.
    tree_octets: int
    #: Octets of a boundary; RFC 2046 §5.1.1 has 70.
    boundary_octets: int
    #: Octets of a line with its end; longer ones are only marked.
    line_octets: int


@dataclass(frozen=True, slots=True)
class Scanned:
    """What one pass over a message tells."""

    root: Part
    #: The header section with its empty line; cut off at the limit.
    header: bytes
    #: Its fields.
    fields: list[Field]
    #: Octets of the message.
    size: int
    #: Parts and nested messages that were made out, itself included.
    parts: int
    #: What is wrong with the message or any of its parts, each named once; empty for a well-formed one.
    defects: tuple[str, ...]
    #: Whether a header of the message, of a part or of a nested message goes beyond ASCII (RFC 6532 §3).
    needs_smtputf8: bool
    #: Whether any octet goes beyond ASCII.
    eight_bit: bool


HEADER_TOO_LARGE = "header too large"
LINE_TOO_LONG = "line too long"
TOO_DEEP = "parts nested too deep"
TOO_MANY_PARTS = "too many parts"
NO_BOUNDARY = "multipart without boundary"
NO_PARTS = "multipart without parts"
NOT_CLOSED = "multipart not closed"
ENCODED_MULTIPART = "multipart with a transfer encoding"
ENCODED_MESSAGE = "message with a transfer encoding"
MBOX_LINE = "mbox line before the header"
MALFORMED_LINE = "malformed header line"
TOO_MANY_ADDRESSES = "too many addresses in nested messages"
TOO_MANY_FIELDS = "too many header fields"


def scan(octets: bytes, limits: ScanLimits) -> Scanned:
    """The structure of a message in memory. Never raises."""
    scanner = Scanner(limits)
    scanner.feed(octets)
    return scanner.close()


def looks_like_parts(octets: bytes) -> int:
    """How many parts there may be at most, each with the message nested in it; found out at once."""
    lower = octets.lower()
    return 1 + octets.count(b"\n--") + lower.count(b"rfc822") + lower.count(b"global")


#: Where a streaming scan is: in the header of the innermost part, in its body, or in the rest of a boundary's line.
_HEADER, _BODY, _DELIMITER, _CLOSING = range(4)

_EMPTY_LINE = re.compile(rb"\n\r?\n")
_ADDRESS_NAME_OCTETS = max(map(len, ADDRESS_FIELDS))
#: Less than this is put aside until there is more, so that small chunks cost no more than large ones.
_BLOCK = 65536


class _Open:
    """A part that has not ended yet."""

    __slots__ = (
        "body", "boundary", "defects", "described", "envelope", "is_closed", "level", "lines", "parts", "shadowed",
        "start",
    )  # fmt: skip

    def __init__(self, start: int, body: int, lines: int, described: Described) -> None:
        self.start = start
        self.body = body
        #: Line ends before the body.
        self.lines = lines
        self.described = described
        #: How many parts this one lies in.
        self.level = 0
        self.parts: list[Part] = []
        self.defects = list(described.defects)
        self.envelope: Envelope | None = None
        #: Of a multipart whose boundary counts; None again once it was closed.
        self.boundary: bytes | None = None
        self.is_closed = False
        #: The part further out that has the same boundary, if any.
        self.shadowed: _Open | None = None


class Scanner:
    """Scans a message as it comes in, in chunks of any size; how it is cut makes no difference.

    Holds a header at most, and a block of what came last.
    """

    def __init__(self, limits: ScanLimits) -> None:
        self._limits = limits
        self._waiting: list[bytes] = []
        self._waiting_octets = 0
        #: What is still of use; its first octet is number `_base` of the message. Indices below are into it.
        self._buffer = b""
        self._base = 0
        self._state = _HEADER
        #: Where the header begins that is being looked for the end of.
        self._header_at = 0
        #: Nothing before this needs to be looked at again.
        self._at = 0
        self._counted_at = 0
        self._lines = 0
        #: From the message inwards; empty until its header has ended.
        self._open: list[_Open] = []
        self._root: Part | None = None
        self._header = b""
        self._fields: list[Field] = []
        self._parts_left = limits.parts
        self._tree_left = limits.tree_octets
        self._addresses_left = limits.nested_address_octets
        self._boundaries: dict[bytes, _Open] = {}
        self._boundary_lengths: list[int] = []
        #: How each line begins that could be a boundary that counts; None when there is none.
        self._needle: bytes | None = None
        self._defects: dict[str, None] = {}
        self._needs_smtputf8 = False
        self._eight_bit = False
        self._line_octets: int | None = 0

    def feed(self, chunk: bytes) -> None:
        """Take the next octets of the message."""
        if len(chunk) < _BLOCK:
            self._waiting.append(chunk)
            self._waiting_octets += len(chunk)
            if self._waiting_octets < _BLOCK:
                return
            chunk = b"".join(self._waiting)
            self._waiting.clear()
            self._waiting_octets = 0
        elif self._waiting:
            chunk = b"".join((*self._waiting, chunk))
            self._waiting.clear()
            self._waiting_octets = 0
        self._take(chunk, is_last=False)

    def close(self) -> Scanned:
        """The message is complete: what it is made of. Never raises."""
        self._take(b"".join(self._waiting), is_last=True)
        size = self._base + len(self._buffer)
        self._count_lines(len(self._buffer))
        self._end_parts(0, len(self._buffer))
        assert self._root is not None
        if self._line_octets is None:
            self._defects.setdefault(LINE_TOO_LONG)
        return Scanned(
            root=self._root,
            header=self._header,
            fields=self._fields,
            size=size,
            parts=self._limits.parts - self._parts_left,
            defects=tuple(self._defects),
            needs_smtputf8=self._needs_smtputf8,
            eight_bit=self._eight_bit,
        )

    def _take(self, block: bytes, *, is_last: bool) -> None:
        self._eight_bit = self._eight_bit or not block.isascii()
        self._measure_lines(block)
        self._buffer = self._buffer + block if self._buffer else block
        while self._step(is_last):
            pass
        if not is_last:
            self._forget()

    def _forget(self) -> None:
        """Drop what was dealt with, but for the two octets that may be the line end before a boundary."""
        done = max(min(self._at, len(self._buffer)) - 2, 0)
        if self._state == _HEADER:
            done = min(done, max(self._header_at - 2, 0))
        if not done:
            return
        self._count_lines(max(done, self._counted_at))
        self._buffer = self._buffer[done:]
        self._base += done
        self._at -= done
        self._counted_at -= done
        self._header_at -= done

    def _step(self, is_last: bool) -> bool:
        """Go on to the next event; False when there is none without more octets."""
        if self._state == _HEADER:
            return self._seek_header_end(is_last)
        if self._state == _BODY:
            return self._seek_boundary(is_last)
        return self._seek_line_end()

    # Lines, of the whole message.

    def _count_lines(self, until: int) -> int:
        """Line ends of the message before `until`, or before what was counted already."""
        if until > self._counted_at:
            self._lines += self._buffer.count(b"\n", self._counted_at, until)
            self._counted_at = until
        return self._lines

    def _measure_lines(self, block: bytes) -> None:
        """Look for a line over the limit, in leaps: from a line's start to the last line end within the limit."""
        if self._line_octets is None:
            return
        limit, at, before = self._limits.line_octets, 0, self._line_octets
        while at + limit - before <= len(block):
            line_end = block.rfind(b"\n", at, at + limit - before)
            if line_end < 0:
                self._line_octets = None
                return
            at, before = line_end + 1, 0
        line_end = block.rfind(b"\n", at)
        self._line_octets = len(block) - line_end - 1 if line_end >= 0 else before + len(block) - at

    # Headers.

    def _seek_header_end(self, is_last: bool) -> bool:
        buffer, begin, needle = self._buffer, self._header_at, self._needle
        if not begin and not self._base and buffer.startswith((b"\n", b"\r\n")):
            self._end_header(2 if buffer.startswith(b"\r") else 1, is_ended=True)
            return True
        stop = begin + self._limits.envelope.header.octets
        at = max(self._at, begin - 1, 0)
        while True:
            found = buffer.find(needle, at, stop + len(needle) - 1) if needle else -1
            until = found + 1 if found >= 0 else min(stop, len(buffer))
            if empty_line := _EMPTY_LINE.search(buffer, at, until):
                self._end_header(empty_line.end(), is_ended=True)
                return True
            if found < 0:
                break
            if not is_last and self._lacks_line(found):
                self._at = found
                return False
            if self._match(found):
                # The header is all there is of this part.
                self._end_header(found + 1, is_ended=False)
                return True
            at = found + 1
        if len(buffer) > stop and (is_last or len(buffer) >= stop + len(needle or b"")):
            self._end_header(stop, is_ended=False, is_too_large=True)
            return True
        if is_last:
            self._end_header(len(buffer), is_ended=False)
            return True
        self._at = max(at, len(buffer) - max(len(needle or b""), 3))
        return False

    def _end_header(self, end: int, *, is_ended: bool, is_too_large: bool = False) -> None:
        """The header of a part is known, up to `end`, its empty line included if it has one; begin its body."""
        buffer, begin, limits = self._buffer, self._header_at, self._limits
        parent = self._open[-1] if self._open else None
        is_root = parent is None
        is_nested = parent is not None and parent.described.is_message
        section = buffer[begin:end]
        if not section.isascii():
            self._needs_smtputf8 = True
        if is_root:
            self._header = section
        found: list[Field] = []
        if is_too_large:
            if is_root:
                found = fields(section, limits=limits.envelope.header)
            part = _Open(self._base + begin, self._base + end, 0, opaque(HEADER_TOO_LARGE))
        else:
            found = fields(section, limits=limits.envelope.header)
            is_digest = parent is not None and parent.described.is_digest
            described = self._within_limits(describe(section, found, is_digest=is_digest))
            part = _Open(self._base + begin, self._base + end, 0, described)
            self._tree_left -= described.size
            if is_nested:
                self._address_envelope(part, section, found)
            if is_root or is_nested:
                self._mark_header(part, section, found, is_ended=is_ended)
        if is_root:
            self._fields = found
        part.lines = self._count_lines(end)
        self._push(part)
        self._at = max(end - 1, 0)
        self._state = _BODY
        if part.described.is_message:
            self._header_at = end
            self._state = _HEADER
        elif part.described.is_multipart and (boundary := part.described.boundary):
            self._arm(part, boundary)

    def _address_envelope(self, part: _Open, section: bytes, found: list[Field]) -> None:
        """Give the root of a nested message its envelope. Address lists are dear to read, so they are counted."""
        limits = self._limits.envelope.address
        for field in found:
            if len(field.name) <= _ADDRESS_NAME_OCTETS and field.name.lower() in ADDRESS_FIELDS:
                self._addresses_left -= field.end - field.value
        if self._addresses_left < 0:
            part.defects.append(TOO_MANY_ADDRESSES)
            limits = replace(limits, octets=0)
        part.envelope = envelope_of(section, found, limits)
        self._tree_left -= len(msgspec.msgpack.encode(part.envelope))

    def _mark_header(self, part: _Open, section: bytes, found: list[Field], *, is_ended: bool) -> None:
        """Note lines of a message's header that are no fields."""
        rest = len(section) - sum(field.end - field.start for field in found)
        if is_ended:
            rest -= 2 if section.endswith(b"\r\n") else 1
        if not rest:
            return
        if section.startswith((b"From ", b">From ")):
            part.defects.append(MBOX_LINE)
        elif len(found) == self._limits.envelope.header.fields:
            part.defects.append(TOO_MANY_FIELDS)
        else:
            part.defects.append(MALFORMED_LINE)

    def _within_limits(self, described: Described) -> Described:
        """The same, or an opaque leaf where its parts would not be looked for."""
        limits = self._limits
        if described.is_multipart:
            boundary = described.boundary
            if boundary is None or len(boundary) > limits.boundary_octets:
                return described.as_text(NO_BOUNDARY)
        elif described.is_message:
            if described.encoding not in IDENTITY_ENCODINGS:
                return described.as_octets(ENCODED_MESSAGE)
            if self._parts_left < 3:
                return described.as_octets(TOO_MANY_PARTS)
        else:
            return described
        if len(self._open) + 2 > limits.depth:
            return described.as_octets(TOO_DEEP)
        if described.is_multipart and described.encoding not in IDENTITY_ENCODINGS:
            return described.marked(ENCODED_MULTIPART)
        return described

    # Boundaries.

    def _arm(self, part: _Open, boundary: bytes) -> None:
        """From here on lines with this boundary count; of equal ones the innermost."""
        part.boundary = boundary
        part.shadowed = self._boundaries.get(boundary)
        self._boundaries[boundary] = part
        self._aim()

    def _disarm(self, part: _Open) -> None:
        """Its boundary counts no more. Parts are disarmed from the innermost outwards."""
        if part.boundary is None:
            return
        if part.shadowed:
            self._boundaries[part.boundary] = part.shadowed
        else:
            del self._boundaries[part.boundary]
        part.boundary = None

    def _aim(self) -> None:
        """Look for what the boundaries that count have in common."""
        if not self._boundaries:
            self._needle = None
            return
        first, last = min(self._boundaries), max(self._boundaries)
        common = 0
        while common < len(first) and first[common] == last[common]:
            common += 1
        self._needle = b"\n--" + first[:common]
        self._boundary_lengths = sorted({len(boundary) for boundary in self._boundaries})

    def _seek_boundary(self, is_last: bool) -> bool:
        buffer, needle, at = self._buffer, self._needle, self._at
        if needle is None:
            self._at = len(buffer)
            return False
        while (found := buffer.find(needle, at)) >= 0:
            if not is_last and self._lacks_line(found):
                self._at = found
                return False
            if match := self._match(found):
                self._take_boundary(found, *match)
                return True
            at = found + 1
        self._at = max(at, len(buffer) - len(needle) + 1)
        return False

    def _lacks_line(self, found: int) -> bool:
        """Whether more octets are needed to tell if the line after the line end at `found` is a boundary."""
        return len(self._buffer) < found + len(b"\n--") + self._limits.boundary_octets + len(b"--")

    def _match(self, found: int) -> tuple[_Open, bool] | None:
        """The part whose boundary the line after the line end at `found` is, and whether that closes it.

        After the boundary comes white space or the end of the line, or `--` and anything (RFC 2046 §5.1.1); what
        goes on otherwise is another boundary or none.
        """
        begin = found + len(b"\n--")
        line = self._buffer[begin : begin + self._limits.boundary_octets + len(b"--")]
        line_end = line.find(b"\n")
        is_whole = line_end >= 0 or begin + len(line) == len(self._buffer)
        if line_end >= 0:
            line = line[:line_end]
        if is_whole:
            line = line.removesuffix(b"\r")
            if part := self._boundaries.get(line):
                return part, False
        best = None
        for length in self._boundary_lengths:
            if length > len(line):
                break
            if part := self._boundaries.get(line[:length]):
                after = line[length : length + 2]
                if after == b"--":
                    best = part, True
                elif after[:1] in {b" ", b"\t"} or (is_whole and not after):
                    best = part, False
        return best

    def _take_boundary(self, found: int, part: _Open, is_closing: bool) -> None:
        armed = len(self._boundaries)
        is_crlf = found > 0 and self._buffer[found - 1] == 0x0D
        self._count_lines(found)
        self._end_parts(part.level + 1, found - 1 if is_crlf else found)
        self._state = _DELIMITER
        if is_closing:
            self._state = _CLOSING
            part.is_closed = True
            self._disarm(part)
        if len(self._boundaries) != armed:
            self._aim()
        self._at = found + 1

    def _seek_line_end(self) -> bool:
        line_end = self._buffer.find(b"\n", self._at)
        if line_end < 0:
            self._at = len(self._buffer)
            return False
        self._at = line_end
        if self._state == _CLOSING:
            self._state = _BODY
        elif self._parts_left > 1 and self._tree_left > 0:
            self._state = _HEADER
            self._header_at = line_end + 1
        else:
            self._end_structure(line_end + 1)
        return True

    def _end_structure(self, begin: int) -> None:
        """A limit is reached: all that follows is one opaque part."""
        for part in reversed(self._open):
            self._disarm(part)
            part.is_closed = True
        self._aim()
        lines = self._count_lines(begin)
        self._push(_Open(self._base + begin, self._base + begin, lines, opaque(TOO_MANY_PARTS)))
        self._state = _BODY

    # Parts.

    def _push(self, part: _Open) -> None:
        part.level = len(self._open)
        self._open.append(part)
        self._parts_left -= 1

    def _end_parts(self, keep: int, end: int) -> None:
        """End the innermost parts at `end`, all but the first `keep`; lines are counted that far."""
        end += self._base
        while len(self._open) > keep:
            part = self._open.pop()
            self._disarm(part)
            # An empty body shares the line end before the boundary with the empty line before it.
            end = max(end, part.body)
            described = part.described
            if described.is_multipart:
                if not part.parts:
                    described = described.as_text(NO_PARTS)
                    part.defects.append(NO_PARTS)
                elif not part.is_closed:
                    part.defects.append(NOT_CLOSED)
            for defect in part.defects:
                self._defects.setdefault(defect)
            ended = Part(
                start=part.start,
                body=part.body,
                end=end,
                lines=max(self._lines - part.lines, 0),
                media_type=described.media_type,
                subtype=described.subtype,
                parameters=described.parameters,
                encoding=described.encoding,
                content_id=described.content_id,
                description=described.description,
                md5=described.md5,
                disposition=described.disposition,
                disposition_parameters=described.disposition_parameters,
                languages=described.languages,
                location=described.location,
                parts=tuple(part.parts),
                envelope=part.envelope,
                defect="; ".join(part.defects),
                decoded_size=end - part.body if described.encoding in IDENTITY_ENCODINGS else -1,
            )
            if self._open:
                self._open[-1].parts.append(ended)
            else:
                self._root = ended
