"""The clock of the machine, and that of the tests."""

from datetime import UTC, datetime, timedelta

import pytest

from appliance.base.clock import Clock, SystemClock
from support.clock import StandingClock

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("clock", [SystemClock(), StandingClock()], ids=["system", "standing"])
def test_forms_agree(clock: Clock):
    now = clock.now()
    assert now.utcoffset() == timedelta(0)
    assert abs(EPOCH + timedelta(microseconds=clock.microseconds()) - now) < timedelta(seconds=5)
    before = clock.monotonic()
    assert clock.monotonic() >= before


def test_standing_clock_moves_when_told():
    clock = StandingClock()
    now, monotonic = clock.now(), clock.monotonic()
    clock.move(1.5)
    assert clock.now() - now == timedelta(seconds=1.5)
    assert clock.monotonic() - monotonic == 1.5
