"""Commands about the queue: how moments are told."""

import pytest

from appliance.cli.queue import relative


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "now"),
        (0.4, "now"),
        (1, "1s"),
        (-20, "-20s"),
        (450, "7m30s"),
        (3600, "1h"),
        (-3601, "-1h1s"),
        (90_061, "1d1h"),
        (172_800, "2d"),
    ],
)
def test_relative(seconds, text):
    assert relative(int((1_000_000 + seconds) * 1e6), 1_000_000) == text
