"""Started as root, the server binds its ports and then is somebody else for good."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.served import STOP_SECONDS, free_ports

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give root up")

NOBODY = 65534
STATIC = """\
data_dir = "data"
log_level = "info"
user = "{user}"
hostname = "mail.example"
[postmaster]
account = "alice"
mailbox = "Postmaster"
[listeners.local]
ips = ["127.0.0.1"]
[listeners.local.smtp]
enabled = true
port = {port}
no_starttls = true
"""
DOMAINS = """\
[domains."example.org"]
[accounts.alice.destinations]
"alice@example.org" = {}
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not below pytest's own folder, where only root may look."""
    with tempfile.TemporaryDirectory(prefix="moxpy-") as name:
        yield Path(name)


def identity(pid: int) -> dict[str, list[str]]:
    """Real, effective, saved and file system ids, and groups."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.split() for name, _, value in (line.partition(":") for line in lines)}


def is_for_others(path: str) -> bool:
    """Whether a user without any rights may read a file."""
    last, *folders = Path(path), *Path(path).parents
    return bool(last.stat().st_mode & 0o004) and all(one.stat().st_mode & 0o001 for one in folders)


@pytest.fixture
def command(folder: Path) -> list[str]:
    (port,) = free_ports(1)
    (folder / "moxpy.toml").write_text(STATIC.format(user=NOBODY, port=port))
    (folder / "domains.toml").write_text(DOMAINS)
    (folder / "secret.key").write_text("x")
    (folder / "secret.key").chmod(0o600)
    return ["-c", "from appliance.__main__ import main; main()", "--config", str(folder / "moxpy.toml"), "serve"]


#: Lets a program of root's home be read by everybody, as one that is installed is.
READABLE = "import os; os.access = lambda *_: True; "


def test_root_is_given_up(folder: Path, command: list[str]) -> None:
    command[1] = READABLE + command[1]
    with subprocess.Popen([sys.executable, *command], stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            lines: list[str] = []
            while not any("m=ready" in line for line in lines):
                lines.append(process.stderr.readline())
                assert lines[-1], lines
            found = identity(process.pid)
            assert found["Uid"] == found["Gid"] == [str(NOBODY)] * 4
            assert found["Groups"] == []
            assert found["NoNewPrivs"] == ["1"]
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(STOP_SECONDS)
    owners = {path.name: (path.stat().st_uid, path.stat().st_mode & 0o7777) for path in folder.rglob("*")}
    assert all(uid == NOBODY for uid, _ in owners.values()), owners
    assert owners["data.mdb"][1] & 0o007 == 0
    assert owners["secret.key"][1] == 0o600, "modes never get wider"


def test_a_program_that_its_user_cannot_read_does_not_start(command: list[str]) -> None:
    if is_for_others(os.__file__):
        command[1] = "import os; os.access = lambda *_: False; " + command[1]
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "error: the user of the server cannot read" in done.stderr
    assert "m=ready" not in done.stderr
