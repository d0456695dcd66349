"""When which report is due. Pure: times are aware, in UTC; a chance is from 0 up to 1.

RFC 7489 §7.2 wants periods that begin at whole hours, those of a day at 00:00 UTC. Nobody reports on the minute, and
not to all at once: the mail servers of the world would do it together.
"""

from datetime import datetime, timedelta
from typing import Final

HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
#: How long it takes to send all reports that are due: those of DMARC, of an hour; those about TLS, of a day.
DMARC_SPREAD: Final = timedelta(minutes=45)
TLS_SPREAD: Final = timedelta(hours=4)
#: Few reports need not wait for each other longer.
LONGEST_PAUSE: Final = timedelta(minutes=5)


def hour_of(now: datetime) -> datetime:
    """The whole hour that began last."""
    return now.replace(minute=0, second=0, microsecond=0)


def day_of(now: datetime) -> datetime:
    """The midnight that was last."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def dmarc_wake(end: datetime, chance: float) -> datetime:
    """When to begin with DMARC reports whose period ends at a whole hour."""
    return end + timedelta(seconds=30 + 60 * chance)


def tls_wake(midnight: datetime, chance: float) -> datetime:
    """When to begin with TLS reports about the day that ended: not while others still write down what they saw."""
    return midnight + timedelta(seconds=240 + 120 * chance)


def next_hour(end: datetime, now: datetime) -> datetime:
    """The hour to report after another. A late one is not left out; what the machine slept through is not made up."""
    following = end + HOUR
    return following if now < following + 2 * HOUR else hour_of(now)


def is_due(interval_hours: int, end: datetime) -> bool:
    """Whether somebody who wants a report each so many hours gets one whose period ends then."""
    return end.hour % interval_hours == 0


def begin(end: datetime, interval_hours: int, oldest: datetime) -> datetime:
    """When the period of a report begins that ends then and must tell of something older, by whole intervals."""
    interval = interval_hours * HOUR
    return end - max(1, -(-(end - oldest) // interval)) * interval


def pause(count: int, spread: timedelta) -> timedelta:
    """Between so many reports."""
    return min(spread / max(1, count), LONGEST_PAUSE)
