"""A clock that stands still until it is told to go on."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class FakeClock:
    """The time is what the test says. `monotonic` goes along with it, from 0."""

    def __init__(self, now: datetime = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)) -> None:
        self._start = self._now = now

    def now(self) -> datetime:
        return self._now

    def microseconds(self) -> int:
        return (self._now - EPOCH) // timedelta(microseconds=1)

    def monotonic(self) -> float:
        return (self._now - self._start).total_seconds()

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)

    def set(self, now: datetime) -> None:
        self._now = now
