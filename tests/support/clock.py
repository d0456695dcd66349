"""A clock that stands until it is moved."""

from datetime import UTC, datetime, timedelta


class StandingClock:
    def __init__(self, start: datetime = datetime(2026, 11, 1, 12, 0, 0, tzinfo=UTC)) -> None:
        self._now = start
        self._monotonic = 1000.0

    def move(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds

    def now(self) -> datetime:
        return self._now

    def microseconds(self) -> int:
        return int(self._now.timestamp() * 1_000_000)

    def monotonic(self) -> float:
        return self._monotonic
