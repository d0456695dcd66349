"""What every test may ask for."""

import os
import stat
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def moxpy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program as a user would start it, from this tree whatever is installed; MOXPY names another, the executable say."""
    if given := os.environ.get("MOXPY"):
        return Path(given)
    path = tmp_path_factory.mktemp("bin") / "moxpy"
    path.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m appliance "$@"\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path
