"""When a message is tried again."""

import pytest

from appliance.queue.schedule import SCHEDULE, Schedule


def test_pauses_double():
    pauses = [SCHEDULE.pause_seconds(attempts, 0.5) for attempts in range(1, 8)]
    assert pauses == [450, 900, 1800, 3600, 7200, 14_400, 28_800]
    # 15 hours, 52 minutes and a half from the first attempt to the eighth.
    assert sum(pauses) == SCHEDULE.remaining_seconds(1, 0) == 15.875 * 3600


@pytest.mark.parametrize(("chance", "pause"), [(0, 445), (0.5, 450), (1, 455)])
def test_chance_spreads(chance, pause):
    assert SCHEDULE.pause_seconds(1, chance) == pause
    assert SCHEDULE.pause_seconds(3, chance) == pause * 4


@pytest.mark.parametrize(
    ("attempts", "most", "seconds"),
    [
        pytest.param(5, 0, 7200 + 14_400 + 28_800, id="after the fifth of eight"),
        pytest.param(8, 0, 0, id="after the last"),
        pytest.param(3, 5, 1800 + 3600, id="a message with fewer"),
    ],
)
def test_remaining(attempts, most, seconds):
    assert SCHEDULE.remaining_seconds(attempts, most) == seconds


def test_how_many():
    assert (SCHEDULE.last(0), SCHEDULE.last(5), Schedule(attempts=3).last(0)) == (8, 5, 3)
