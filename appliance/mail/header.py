"""The header section of a message or part: where its fields are, and what they hold.

RFC 5322 §2.2 and §3.6.8. Offsets only: nothing is copied or changed, so signatures and IMAP see what was
sent. What a value means belongs to address, date, words and parameters.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderLimits:
    """How much of a header section is looked at; what lies beyond is ignored."""

    #: Fields.
    fields: int
    #: Octets of the section.
    octets: int


class Field(NamedTuple):
    """One field: offsets into the buffer it was found in."""

    #: As written, without the colon.
    name: bytes
    #: Where the name begins.
    start: int
    #: Just after the colon.
    value: int
    #: Just after the last line's end, so that `octets[start:end]` is the whole field.
    end: int


# A field with its folded lines, or else any line: a stray one, a leading folded one, mbox's "From ".
# Possessive, so it cannot backtrack; a lone CR is content. Lenient: octets above ASCII in names.
_LINE = re.compile(rb"([!-9;-~\x80-\xff]++)[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*+\n?+)|[^\n]*+\n|[^\n]++")
_END = re.compile(rb"\n\r?\n")
_EMPTY_LINE = re.compile(rb"\r?\n")

#: Columns that a composed line keeps to where it has a space to break at.
FOLD_COLUMNS = 76
# What a line is never broken within: a run without spaces, quoted strings as a whole.
_UNIT = re.compile(rb'(?:[^ "]++|"(?:[^"\\]++|\\.)*+(?:"|\\?\Z))++')
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")


def header_end(octets: bytes | memoryview, start: int = 0) -> int:
    """The offset just after the empty line that ends the section; the length if there is none."""
    if found := _EMPTY_LINE.match(octets, start) or _END.search(octets, start):
        return found.end()
    return len(octets)


def fields(octets: bytes | memoryview, start: int = 0, end: int | None = None, *, limits: HeaderLimits) -> list[Field]:
    """The fields from `start` up to the empty line, or to `end` where there is none before it.

    Lines that are no field (no colon, a folded line before any field, mbox's `From `) are left out. Bare LF
    ends a line too. Never raises.
    """
    stop = min(len(octets) if end is None else end, start + limits.octets)
    found: list[Field] = []
    for match in _LINE.finditer(octets, start, stop):
        begin = match.start()
        name = match[1]
        if name is None:
            # "\n" or "\r\n" alone; a field never begins with either.
            if match.end() - begin <= 2 and match[0] in {b"\r\n", b"\n"}:
                break
            continue
        if len(found) == limits.fields:
            break
        found.append(Field(name, begin, match.start(2), match.end()))
    return found


def unfold(value: bytes) -> bytes:
    """The value on one line: line ends removed, the white space after them kept (RFC 5322 §2.2.3)."""
    if b"\n" not in value:
        return value
    return value.replace(b"\r\n", b"").replace(b"\n", b"")


def content(octets: bytes | memoryview, field: Field) -> bytes:
    """A field's value, unfolded and stripped."""
    return unfold(bytes(octets[field.value : field.end])).strip(b" \t\r\n")


def get(octets: bytes | memoryview, fields: Iterable[Field], name: bytes) -> bytes | None:
    """The value of the first field of that name in any case, unfolded and stripped."""
    wanted, length = name.lower(), len(name)
    for field in fields:
        if len(field.name) == length and field.name.lower() == wanted:
            return content(octets, field)
    return None


def get_all(octets: bytes | memoryview, fields: Iterable[Field], name: bytes) -> list[bytes]:
    """The values of all fields of that name, in their order."""
    wanted, length = name.lower(), len(name)
    return [content(octets, field) for field in fields if len(field.name) == length and field.name.lower() == wanted]


def fold(name: bytes, value: bytes) -> bytes:
    """A structured field with its line end, on lines of at most 76 columns where spaces allow.

    Runs of spaces outside quoted strings become one, or the break with a tab. Control characters become spaces:
    no value can end its field. The value must be in its encoded form.
    """
    value = _CONTROL.sub(b" ", value)
    if b'"' in value:
        return _fold(name, _UNIT.findall(value), b"\r\n\t")
    words = value.split()
    lines = _lines(b" ".join(words), FOLD_COLUMNS - len(name) - 2) if words else []
    return name + b":" + b" " * bool(lines) + b"\r\n\t".join(lines) + b"\r\n"


def fold_text(name: bytes, value: bytes) -> bytes:
    """The same for an unstructured field, whose spaces stay as they are (RFC 5322 §2.2.1)."""
    return _fold_text(name, _CONTROL.sub(b" ", value))


def fold_list(name: bytes, values: Sequence[bytes]) -> bytes:
    """An unstructured field of several texts with semicolons between them, each on lines of its own; at least one."""
    ends = (*[b";"] * (len(values) - 1), b"")
    first, *others = (_CONTROL.sub(b" ", value + end) for value, end in zip(values, ends, strict=True))
    # Without the colon of a field, what goes on begins with a space.
    return b"".join((_fold_text(name, first), *(_fold_text(b"", one)[1:] for one in others)))


def _fold_text(name: bytes, value: bytes) -> bytes:
    if b"  " in value or not value or value.startswith(b" ") or value.endswith(b" "):
        return _fold(name, _words(value), b"\r\n ")
    return name + b": " + b"\r\n ".join(_lines(value, FOLD_COLUMNS - len(name) - 2)) + b"\r\n"


def _lines(value: bytes, room: int) -> list[bytes]:
    """The value in pieces, broken at spaces, the first for so much room: as `_fold`, without looking at each word."""
    lines, start = [], 0
    while len(value) - start > room:
        end = value.rfind(b" ", start, start + room + 1) if room > 0 else -1
        if end < 0:
            end = value.find(b" ", start)
            if end < 0:
                break
        lines.append(value[start:end])
        start, room = end + 1, FOLD_COLUMNS - 1
    lines.append(value[start:])
    return lines


def _words(value: bytes) -> list[bytes]:
    # A line of spaces alone would be obsolete syntax, so a break stands before the last space of a run.
    return re.split(rb" (?! |\Z)", value)


def _fold(name: bytes, units: list[bytes], line_break: bytes) -> bytes:
    parts = [name, b":"]
    column = len(name) + 1
    for index, unit in enumerate(units):
        if index and column + 1 + len(unit) > FOLD_COLUMNS:
            parts.append(line_break)
            column = 0
        else:
            parts.append(b" ")
        parts.append(unit)
        column += 1 + len(unit)
    parts.append(b"\r\n")
    return b"".join(parts)
