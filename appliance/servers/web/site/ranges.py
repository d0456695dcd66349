"""Which part of a file a client wants, and whether it has it already: RFC 9110 §13 and §14. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from email.utils import formatdate, parsedate_to_datetime
from typing import Final

#: Of one request; more are nobody's honest wish, and each costs a part.
MOST_RANGES: Final = 10
_RANGE: Final = re.compile(r"(\d{1,18})-(\d{0,18})|-(\d{1,18})", re.ASCII)

Headers = Sequence[tuple[bytes, bytes]]
#: First octet, and the one behind the last.
Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Version:
    """Of a file: changes with its content."""

    mtime_ns: int
    size_octets: int

    @property
    def tag(self) -> str:
        """The entity tag (RFC 9110 §8.8.3)."""
        return f'"{self.mtime_ns:x}-{self.size_octets:x}"'

    @property
    def modified(self) -> str:
        """The date of the last change (RFC 9110 §8.8.2)."""
        return formatdate(self.mtime_ns // 1_000_000_000, usegmt=True)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to answer."""

    #: 200, 206, 304, 412 or 416.
    status: int
    #: Of a 206: some, in the order that they were asked for.
    ranges: tuple[Range, ...] = ()


def wanted(method: str, headers: Headers, version: Version) -> Wanted:
    """What a GET or HEAD wants, its conditions looked at in the order of RFC 9110 §13.2.2."""
    seconds = version.mtime_ns // 1_000_000_000
    if (matching := _value(headers, b"if-match")) is not None:
        if not _listed(matching, version.tag, weak=False):
            return Wanted(412)
    elif (before := _seconds(_value(headers, b"if-unmodified-since"))) is not None and seconds > before:
        return Wanted(412)
    if (others := _value(headers, b"if-none-match")) is not None:
        if _listed(others, version.tag, weak=True):
            return Wanted(304)
    elif (since := _seconds(_value(headers, b"if-modified-since"))) is not None and seconds <= since:
        return Wanted(304)
    asked = _value(headers, b"range")
    if method != "GET" or asked is None or not _same(_value(headers, b"if-range"), version):
        return Wanted(200)
    found = parse_ranges(asked, version.size_octets)
    if found is None:
        return Wanted(200)
    return Wanted(206, tuple(found)) if found else Wanted(416)


def parse_ranges(text: str, size: int) -> list[Range] | None:
    """The ranges of a file of so many octets that a Range field asks for; none: it has none of them.

    None: to be answered as if nothing was asked (RFC 9110 §14.2): not understood, too many, or more than all of it.
    """
    unit, separator, rest = text.partition("=")
    if not separator or unit.strip().lower() != "bytes":
        return None
    parts = [one.strip() for one in rest.split(",")]
    if len(parts) > MOST_RANGES:
        return None
    found: list[Range] = []
    for part in parts:
        match = _RANGE.fullmatch(part)
        if match is None:
            return None
        first, last, suffix = match.groups()
        if suffix is not None:
            begin, end = max(0, size - int(suffix)), size
        else:
            begin, end = int(first), min(size, int(last) + 1) if last else size
            if last and int(last) < begin:
                return None
        if begin < min(end, size):
            found.append((begin, end))
    return found if sum(end - begin for begin, end in found) <= size else None


def _value(headers: Headers, wanted: bytes) -> str | None:
    values = [value.decode("latin-1") for name, value in headers if name == wanted]
    return ", ".join(values).strip() if values else None


def _listed(text: str, tag: str, *, weak: bool) -> bool:
    """Whether an entity tag is in a list (RFC 9110 §8.8.3.2)."""
    if text == "*":
        return True
    tags = (one.strip() for one in text.split(","))
    return any((one.removeprefix("W/") if weak else one) == tag for one in tags)


def _seconds(text: str | None) -> float | None:
    """A date of HTTP (RFC 9110 §5.6.7); None is what is no date, and then there is no condition."""
    if text is None:
        return None
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, IndexError, TypeError):
        return None


def _same(condition: str | None, version: Version) -> bool:
    """Whether the client's other parts are of this version (RFC 9110 §13.1.5): a range of another would spoil them."""
    if condition is None:
        return True
    return condition in {version.tag, version.modified}
