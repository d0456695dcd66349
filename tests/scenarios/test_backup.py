"""A backup of a house with traffic, put in place elsewhere: what was promised before it began is there."""

import json
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from appliance.operations.backup import MARK
from scenarios.test_kill_server import Client, subjects, verify
from support import served


def moxpy_runs(moxpy: Path, *arguments: str) -> str:
    done = subprocess.run([str(moxpy), *arguments], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Traffic:
    """Delivers over some connections until it is stopped."""

    def __init__(self, port: int) -> None:
        self.accepted: list[str] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._deliver, args=(port, one)) for one in range(4)]

    def __enter__(self) -> "Traffic":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, count: int) -> None:
        deadline = time.monotonic() + 120
        while len(self.accepted) < count and time.monotonic() < deadline:
            time.sleep(0.005)
        assert len(self.accepted) >= count

    def _deliver(self, port: int, one: int) -> None:
        number = 0
        with Client(port) as client:
            client.reply()
            client.ask(b"EHLO test.example\r\n")
            while not self._stop.is_set():
                number += 1
                mark = f"kill-{one}{number:05}"
                client.ask(b"MAIL FROM:<a@example.org>\r\n")
                client.ask(b"RCPT TO:<mox@localhost>\r\n")
                client.ask(b"DATA\r\n")
                if client.ask(f"Subject: {mark}\r\n\r\n{'x' * 5000}\r\n.\r\n".encode()).startswith(b"250"):
                    self.accepted.append(mark)


@pytest.mark.slow
def test_a_backup_under_traffic(tmp_path, moxpy):
    folder = tmp_path / "house"
    with served.running(moxpy, folder) as house:
        config = ("--config", str(folder / "moxpy.toml"))
        with Traffic(house.smtp) as traffic:
            traffic.wait_for(100)
            before = list(traffic.accepted)
            document = moxpy_runs(moxpy, "backup", *config, "--json", "--keep", "2", str(tmp_path / "backups"))
            traffic.wait_for(len(before) + 100)  # Nobody had to stop for it, nor after it.
        backup = Path(json.loads(document)["path"])
        assert moxpy_runs(moxpy, "restore", "--rehearse", str(backup)).endswith("OK\n")
    assert (backup / "data" / "receivedid.key").exists()
    other = tmp_path / "other"
    moxpy_runs(moxpy, "restore", "--config", str(other / "moxpy.toml"), str(backup))
    verify(moxpy, other)
    (tmp_path / "other.ports").write_text((tmp_path / "house.ports").read_text())
    with served.running(moxpy, other) as house:
        found = subjects(house)
    assert len(found) == len(set(found))
    assert set(before) <= set(found) <= set(traffic.accepted)
    refused = subprocess.run(
        [str(moxpy), "restore", "--config", str(other / "moxpy.toml"), str(backup)], capture_output=True, check=False
    )
    assert refused.returncode == 1
    assert b"nothing is overwritten" in refused.stderr


@pytest.mark.slow
def test_a_kill_leaves_nothing_that_looks_like_a_backup(tmp_path, moxpy):
    """However far it was."""
    folder, target = tmp_path / "house", tmp_path / "b"
    config = ("--config", str(folder / "moxpy.toml"))
    for milliseconds in (0, 20, 60):
        with served.running(moxpy, folder) as house:
            command = subprocess.Popen(
                [str(moxpy), "backup", *config, str(target)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            partial = target.with_name("b.partial")
            while command.poll() is None and not partial.exists():
                time.sleep(0.001)
            time.sleep(milliseconds / 1000)
            os.kill(house.pid, signal.SIGKILL)
            command.wait()
        if target.exists():
            assert moxpy_runs(moxpy, "restore", "--rehearse", str(target)).endswith("OK\n")
            target.rename(tmp_path / f"whole-{milliseconds}")
        else:
            done = subprocess.run([str(moxpy), "restore", "--rehearse", str(partial)], capture_output=True, check=False)
            assert (done.returncode == 0) is (partial.exists() and not (partial / MARK).exists())
            assert done.returncode == 0 or b"no finished backup" in done.stderr
