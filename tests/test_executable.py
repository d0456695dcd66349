"""The script that builds the executable."""

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "build" / "executable.sh"


def test_folder_of_others_is_kept(tmp_path: Path) -> None:
    """Whatever is named as the environment to build in, only one that the script made is ever made anew."""
    (tmp_path / "bin").mkdir()
    (tmp_path / ".installed").touch()  # As `make install` leaves it.
    environment = {**os.environ, "BUILD_VENV": str(tmp_path), "PYTHON": sys.executable}
    done = subprocess.run([SCRIPT], env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "was not made by this script" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [".installed", "bin"]


def test_environment_of_make_is_not_read() -> None:
    """`make executable VENV=...` hands VENV on, and means the environment one works in."""
    assert "$VENV" not in SCRIPT.read_text()
    assert "${VENV" not in SCRIPT.read_text()
