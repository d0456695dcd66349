"""Counters, gauges, histograms and their exposition."""

from collections.abc import Iterator

import pytest

from appliance.base import metrics
from appliance.base.metrics import SERIES, Counter, Gauge, Histogram, expose


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """What a test declares is not declared for the next."""
    before = list(metrics._declared)
    yield
    metrics._declared[:] = before


def lines(name: str) -> list[str]:
    return [line for line in expose().decode().splitlines() if name in line and not line.startswith("#")]


def test_counter():
    counter = Counter("test_events_total", "Events.", ("kind",))
    counter.labels("a").inc()
    counter.labels("a").inc(2)
    counter.labels("b")
    assert lines("test_events") == ['moxpy_test_events_total{kind="a"} 3.0', 'moxpy_test_events_total{kind="b"} 0.0']


def test_counter_without_labels_shows_from_the_start():
    counter = Counter("test_plain_total", "Plain.")
    assert lines("test_plain") == ["moxpy_test_plain_total 0.0"]
    counter.inc()
    assert lines("test_plain") == ["moxpy_test_plain_total 1.0"]


def test_gauge():
    child = Gauge("test_open", "Open.", ("protocol",)).labels("imap")
    child.inc()
    child.inc()
    child.dec()
    assert lines("test_open") == ['moxpy_test_open{protocol="imap"} 1.0']
    child.set(7)
    assert lines("test_open") == ['moxpy_test_open{protocol="imap"} 7.0']


def test_histogram():
    histogram = Histogram("test_seconds", "Time.", buckets=(0.1, 1))
    for value in (0.1, 0.5, 5):
        histogram.labels().observe(value)
    assert lines("test_seconds") == [
        'moxpy_test_seconds_bucket{le="0.1"} 1.0',
        'moxpy_test_seconds_bucket{le="1.0"} 2.0',
        'moxpy_test_seconds_bucket{le="+Inf"} 3.0',
        "moxpy_test_seconds_count 3.0",
        "moxpy_test_seconds_sum 5.6",
    ]


def test_children_are_kept_and_bounded():
    counter = Counter("test_many_total", "Many.", ("who",))
    assert counter.labels("a") is counter.labels("a")
    for number in range(SERIES + 100):
        counter.labels(str(number)).inc()
    assert len(counter.series) <= SERIES + 1
    assert sum(child.value for child in counter.series.values()) == SERIES + 100


def test_values_are_escaped():
    Counter("test_odd_total", "Odd.", ("text",)).labels('a"\n\\').inc()
    assert lines("test_odd") == ['moxpy_test_odd_total{text="a\\"\\n\\\\"} 1.0']


def test_process_is_shown():
    assert b"process_open_fds" in expose()
