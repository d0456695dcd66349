"""Sequence sets: which messages a command means, by number or UID, without naming each.

RFC 9051 §9 `sequence-set`, `$` of RFC 5182. A set stays a list of ranges all the way: `1:*` costs the same in a
mailbox of ten and of ten million messages. Whether numbers exist is for the session to say.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

#: Numbers and UIDs are unsigned and 32 bits wide, and never zero (RFC 9051 §9 `nz-number`).
LARGEST_NUMBER = 0xFFFFFFFF

_SET = re.compile(
    rb"(?:[1-9][0-9]{0,9}|\*)(?::(?:[1-9][0-9]{0,9}|\*))?(?:,(?:[1-9][0-9]{0,9}|\*)(?::(?:[1-9][0-9]{0,9}|\*))?)*"
)


class BadSequenceSet(ValueError):
    """The octets are no sequence set, or one with more ranges than allowed."""


@dataclass(frozen=True, slots=True)
class SequenceSet:
    """Ranges as the client wrote them, both ends included, in any order; None stands for `*`, the largest in use."""

    ranges: tuple[tuple[int | None, int | None], ...]
    #: `$`: the result saved by an earlier SEARCH RETURN (SAVE) (RFC 9051 §6.4.4.1); ranges is then empty.
    saved: bool = False

    @property
    def has_star(self) -> bool:
        """Whether the set's meaning depends on the largest number in use."""
        return any(low is None or high is None for low, high in self.ranges)

    def exceeds(self, exists: int) -> bool:
        """Whether it names a message number beyond the mailbox's `exists`, or `*` where there is none."""
        return any((low or 1) > exists or (high or 1) > exists for low, high in self.ranges)

    def resolve(self, largest: int) -> list[tuple[int, int]]:
        """Ranges with `*` as `largest`, each low to high, sorted, without overlap or touching neighbours."""
        if len(self.ranges) == 1:
            low, high = self.ranges[0]
            low, high = low or largest, high or largest
            return [(low, high)] if low <= high else [(high, low)]
        pairs = [(low or largest, high or largest) for low, high in self.ranges]
        return merge((a, b) if a <= b else (b, a) for a, b in pairs)

    def indexes(self, uids: Sequence[int]) -> list[range]:
        """Where the messages of this UID set stand in `uids`, sorted ascending; `*` is the last of them.

        Ranges are disjoint and ascending, none is empty. Costs two bisections for each range of the set.
        """
        if not uids:
            return []
        found = []
        for low, high in self.resolve(uids[-1]):
            start = bisect_left(uids, low)
            stop = bisect_right(uids, high, start)
            if start < stop:
                found.append(range(start, stop))
        return found

    def numbers(self, exists: int) -> list[range]:
        """As `indexes`, for message numbers: number n is index n-1. Numbers beyond `exists` are left out."""
        return [range(low - 1, min(high, exists)) for low, high in self.resolve(exists) if 0 < low <= exists]


#: `$` (RFC 9051 §9 `seq-last-command`).
SAVED = SequenceSet((), saved=True)


def merge(pairs: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges (low, high) in any order, as sorted ranges that neither overlap nor touch."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(pairs):
        if merged and low <= merged[-1][1] + 1:
            if high > merged[-1][1]:
                merged[-1] = (merged[-1][0], high)
        else:
            merged.append((low, high))
    return merged


def parse(octets: bytes, *, max_ranges: int) -> SequenceSet:
    """The set that all of `octets` writes. Raises BadSequenceSet."""
    if octets == b"$":
        return SAVED
    if not _SET.fullmatch(octets):
        raise BadSequenceSet("not a sequence set")
    items = octets.split(b",", max_ranges)
    if len(items) > max_ranges:
        raise BadSequenceSet("too many ranges in sequence set")
    ranges = []
    for item in items:
        low, _, high = item.partition(b":")
        first = _number(low)
        ranges.append((first, _number(high) if high else first))
    return SequenceSet(tuple(ranges))


def _number(octets: bytes) -> int | None:
    if octets == b"*":
        return None
    if (number := int(octets)) > LARGEST_NUMBER:
        raise BadSequenceSet("number over 32 bits")
    return number


def format_ranges(ranges: Iterable[tuple[int, int]]) -> bytes:
    """Ranges (low, high) as a sequence set on the wire."""
    return b",".join(b"%d" % low if low == high else b"%d:%d" % (low, high) for low, high in ranges)


def compact(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Ascending numbers as ranges (low, high)."""
    ranges: list[tuple[int, int]] = []
    low = high = -2
    for number in numbers:
        if number == high + 1:
            high = number
            continue
        if high >= 0:
            ranges.append((low, high))
        low = high = number
    if high >= 0:
        ranges.append((low, high))
    return ranges


def format_set(numbers: Iterable[int]) -> bytes:
    """Ascending numbers as the shortest sequence set: `1:4,7`."""
    return format_ranges(compact(numbers))
