"""How often, and how many at once, a network may come.

Fixed windows aligned to the epoch, in memory, with three counters an event: the address itself (an IPv6 /64 counts as
one), its surroundings, and theirs. What would exceed a limit in any of them is refused and not counted.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: Prefix lengths of the three classes.
_MASKS: Final = {4: (32, 26, 21), 6: (64, 48, 32)}
#: Networks remembered in one window, some 200 octets each; beyond them those counted first are forgotten. Only an
#: attack from tens of thousands of networks at once comes there, and no count by network stops such a one.
_NETWORKS: Final = 100_000


@dataclass(frozen=True, slots=True)
class Window:
    """So many events of each class in so many seconds; 0 seconds: as long as they are held."""

    seconds: int
    limits: tuple[int, int, int]


class Ration:
    """So many of something in each second, whoever asks."""

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second
        self._second = 0
        self._taken = 0

    def take(self, now: float) -> bool:
        """Take one if there is one left. `now` is in seconds since 1970."""
        if int(now) != self._second:
            self._second, self._taken = int(now), 0
        if self._taken >= self._per_second:
            return False
        self._taken += 1
        return True


class Allowance:
    """So many of something in each window of time for each who asks, in memory. Windows are seconds and counts."""

    def __init__(self, windows: Sequence[tuple[int, int]]) -> None:
        self._windows = tuple(windows)
        self._taken: list[tuple[int, dict[int, int]]] = [(0, {}) for _ in windows]

    def take(self, whose: int, now: float, count: int) -> int:
        """Take so many, or what is left; how many. `now` is in seconds since 1970."""
        for at, (seconds, most) in enumerate(self._windows):
            number = int(now // seconds)
            if self._taken[at][0] != number:
                self._taken[at] = number, {}
            count = min(count, most - self._taken[at][1].get(whose, 0))
        for _, taken in self._taken:
            taken[whose] = taken.get(whose, 0) + count
        return count


Key = tuple[int, int, int]


def classes(address: Address) -> tuple[Key, Key, Key]:
    """Keys of the three networks an address lies in; an IPv4 address mapped into IPv6 is that IPv4 address."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    number, bits = int(address), address.max_prefixlen
    narrow, middle, wide = _MASKS[address.version]
    return (
        (address.version, narrow, number >> (bits - narrow)),
        (address.version, middle, number >> (bits - middle)),
        (address.version, wide, number >> (bits - wide)),
    )


def surroundings(address: Address) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """The widest of the networks that an address counts with."""
    version, bits, number = classes(address)[2]
    kind = ipaddress.IPv4Network if version == 4 else ipaddress.IPv6Network
    return kind((number << ((32 if version == 4 else 128) - bits), bits))


def _count(counts: dict[Key, int], keys: tuple[Key, Key, Key], count: int) -> None:
    for key in keys:
        counts[key] = counts.get(key, 0) + count
    while len(counts) > _NETWORKS:
        del counts[next(iter(counts))]


class Limiter:
    """Counts events by network."""

    def __init__(self, windows: Sequence[Window]) -> None:
        self._windows = tuple(windows)
        self._counts: list[tuple[int, dict[Key, int]]] = [(0, {}) for _ in windows]

    def _current(self, at: int, now: float) -> dict[Key, int]:
        seconds = self._windows[at].seconds
        number = int(now // seconds) if seconds else 0
        if self._counts[at][0] != number:
            self._counts[at] = number, {}
        return self._counts[at][1]

    def allowed(self, address: Address, now: float, count: int = 1) -> bool:
        """Whether so many more events fit; nothing is counted. `now` is in seconds since 1970."""
        return self._fit(classes(address), now, count)

    def _fit(self, keys: tuple[Key, Key, Key], now: float, count: int) -> bool:
        for at, window in enumerate(self._windows):
            counts = self._current(at, now)
            for key, limit in zip(keys, window.limits, strict=True):
                if counts.get(key, 0) + count > limit:
                    return False
        return True

    def add(self, address: Address, now: float, count: int = 1) -> bool:
        """Count events if they fit; tells whether they did."""
        keys = classes(address)
        if not self._fit(keys, now, count):
            return False
        for at in range(len(self._windows)):
            counts = self._current(at, now)
            _count(counts, keys, count)
        return True

    def force(self, address: Address, now: float) -> None:
        """Count an event, whether it fits or not: for failures, which happened already."""
        keys = classes(address)
        for at in range(len(self._windows)):
            counts = self._current(at, now)
            _count(counts, keys, 1)

    def remove(self, address: Address, now: float) -> None:
        """Give back one event that is over: a connection that closed."""
        keys = classes(address)
        for at in range(len(self._windows)):
            counts = self._current(at, now)
            for key in keys:
                left = counts.get(key, 0) - 1
                if left > 0:
                    counts[key] = left
                else:
                    counts.pop(key, None)

    def reset(self, address: Address, now: float) -> None:
        """Take what the address itself counted out of all classes: it logged in after all."""
        keys = classes(address)
        for at in range(len(self._windows)):
            counts = self._current(at, now)
            own = counts.get(keys[0], 0)
            for key in keys:
                left = counts.get(key, 0) - own
                if left > 0:
                    counts[key] = left
                else:
                    counts.pop(key, None)
