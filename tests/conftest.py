"""What every test may ask for."""

import logging
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from trio.testing import MockClock

from appliance.base import log
from support import quiet

ROOT = Path(__file__).parent.parent
quiet.count_commits()
# A busy machine is no failure, nor does what is tried depend on chance: `--hypothesis-profile=explore` tries other things.
settings.register_profile("explore", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same", settings.get_profile("explore"), derandomize=True)
settings.load_profile("same")


@pytest.fixture(autouse=True)
def logs_as_they_were() -> Iterator[None]:
    """Commands that run in this process set up logs; the next test finds them as this one did."""
    logger = logging.getLogger(log.ROOT)
    level, propagate, handlers = logger.level, logger.propagate, logger.handlers[:]
    yield
    logger.setLevel(level)
    logger.propagate, logger.handlers[:] = propagate, handlers


@pytest.fixture
def autojump_clock(request: pytest.FixtureRequest) -> MockClock:
    """As pytest-trio has it, but it does not jump while a thread or a store works.

    The loop gets it only from the test's own arguments.
    """
    assert "autojump_clock" in request._pyfuncitem._fixtureinfo.argnames, "the test itself must ask for the clock"
    return quiet.jumping_clock()


@pytest.fixture
def mock_clock() -> MockClock:
    """As pytest-trio has it; the same, once it is told to jump."""
    return quiet.patient(MockClock())


@pytest.fixture(scope="session")
def moxpy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program as a user would start it, from this tree whatever is installed; MOXPY names another, the executable say."""
    if given := os.environ.get("MOXPY"):
        return Path(given)
    path = tmp_path_factory.mktemp("bin") / "moxpy"
    path.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m appliance "$@"\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path
