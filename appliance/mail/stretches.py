"""Sorting long lists in stretches: a sort is one step of the interpreter, and other threads wait until it is done."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

T = TypeVar("T")

#: So few are sorted at once, within a millisecond or two.
AT_ONCE: Final = 4096
_SAMPLE: Final = 1024
_STRETCHES: Final = 64


def ordered(items: Sequence[T], key: Callable[[T], Any], *, reverse: bool = False) -> list[T]:
    """As `sorted`: what is equal stays in its order, also when reversed."""
    if len(items) <= AT_ONCE:
        return sorted(items, key=key, reverse=reverse)
    # Bounds from a sample, then what lies between two of them. What is equal is together, and soon sorted.
    sample = sorted(map(key, items[:: len(items) // _SAMPLE]))
    bounds = sample[:: len(sample) // _STRETCHES]
    stretches: list[list[T]] = [[] for _ in range(len(bounds) + 1)]
    for one in items:
        stretches[bisect_right(bounds, key(one))].append(one)
    if reverse:
        stretches.reverse()
    return [one for stretch in stretches for one in sorted(stretch, key=key, reverse=reverse)]
