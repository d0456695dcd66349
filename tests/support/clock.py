"""Clocks: one that stands until it is moved, and one that goes with trio's, which tests let jump."""

from datetime import UTC, datetime, timedelta

import trio


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


class FlowingClock:
    """Begins when it is made; time passes as it does for trio."""

    def __init__(self, start: datetime) -> None:
        self._start, self._began = start, trio.current_time()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.monotonic())

    def microseconds(self) -> int:
        return round(self.now().timestamp() * 1_000_000)

    def monotonic(self) -> float:
        return trio.current_time() - self._began


class Over(Exception):
    """The journey is over."""


class Traveller(StandingClock):
    """Stands until somebody waits for a moment: then it is that moment, up to the last one."""

    def __init__(self, start: datetime, last: datetime) -> None:
        super().__init__(start)
        self._last = last

    async def wait_until(self, moment: datetime) -> None:
        """Raises Over."""
        await trio.lowlevel.checkpoint()
        if max(moment, self._now) > self._last:
            raise Over
        self.move(max(0.0, (moment - self._now).total_seconds()))
