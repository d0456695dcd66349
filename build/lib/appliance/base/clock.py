"""The clock, as a parameter: what time it is, and how much has passed. Tests set it (tests/support/clock.py)."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Whoever needs the time is given one of these."""

    def now(self) -> datetime:
        """The time of day, aware, in UTC."""
        ...

    def microseconds(self) -> int:
        """Microseconds since 1970-01-01 UTC, the form in which the store keeps times."""
        ...

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        ...


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        """The time of day, aware, in UTC."""
        return datetime.now(UTC)

    def microseconds(self) -> int:
        """Microseconds since 1970-01-01 UTC."""
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        """Seconds since some fixed moment."""
        return time.monotonic()
