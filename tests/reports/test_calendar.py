"""When reports are due."""

from datetime import UTC, datetime, timedelta

import pytest

from appliance.reports import calendar

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def test_last_hour_and_day():
    assert calendar.hour_of(NOON) == NOON
    assert calendar.hour_of(NOON - timedelta(microseconds=1)) == NOON - calendar.HOUR
    assert calendar.day_of(NOON) == NOON - timedelta(hours=12)
    assert calendar.day_of(NOON - timedelta(hours=12)) == NOON - timedelta(hours=12)


@pytest.mark.parametrize(("now", "following"), [(0.1, 1), (0.9, 1), (1.5, 1), (2.9, 1), (3, 3), (9.5, 9)])
def test_next_hour(now, following):
    assert calendar.next_hour(NOON, NOON + now * calendar.HOUR) == NOON + following * calendar.HOUR


@pytest.mark.parametrize(("chance", "dmarc", "tls"), [(0, 30, 240), (0.5, 60, 300), (1, 90, 360)])
def test_wakes(chance, dmarc, tls):
    assert calendar.dmarc_wake(NOON, chance) == NOON + timedelta(seconds=dmarc)
    assert calendar.tls_wake(NOON, chance) == NOON + timedelta(seconds=tls)


@pytest.mark.parametrize(
    ("interval", "hours"),
    [
        (24, [0]),
        (12, [0, 12]),
        (8, [0, 8, 16]),
        (6, [0, 6, 12, 18]),
        (4, [0, 4, 8, 12, 16, 20]),
        (3, list(range(0, 24, 3))),
        (2, list(range(0, 24, 2))),
        (1, list(range(24))),
    ],
)
def test_intervals_divide_the_hour(interval, hours):
    assert [hour for hour in range(24) if calendar.is_due(interval, NOON.replace(hour=hour))] == hours


@pytest.mark.parametrize(
    ("interval", "oldest", "begin"),
    [
        pytest.param(24, 1, 24, id="within the interval"),
        pytest.param(24, 24, 24, id="at its beginning"),
        pytest.param(24, 24.1, 48, id="before it"),
        pytest.param(24, 48, 48, id="two of them"),
        pytest.param(1, 0.5, 1, id="an hour"),
        pytest.param(1, 5.5, 6, id="six hours"),
        pytest.param(6, 6.5, 12, id="twice six hours"),
    ],
)
def test_a_period_begins_by_whole_intervals(interval, oldest, begin):
    assert calendar.begin(NOON, interval, NOON - timedelta(hours=oldest)) == NOON - timedelta(hours=begin)


@pytest.mark.parametrize(
    ("count", "spread", "seconds"),
    [
        (0, calendar.DMARC_SPREAD, 300),
        (1, calendar.DMARC_SPREAD, 300),
        (9, calendar.DMARC_SPREAD, 300),
        (10, calendar.DMARC_SPREAD, 270),
        (2700, calendar.DMARC_SPREAD, 1),
        (48, calendar.TLS_SPREAD, 300),
        (480, calendar.TLS_SPREAD, 30),
    ],
)
def test_pauses(count, spread, seconds):
    assert calendar.pause(count, spread) == timedelta(seconds=seconds)
