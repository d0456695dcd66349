"""Processes that work until they are killed. They are forks of one that has loaded all that they need, and does nothing."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
_KILLED = b"killed\n"


def say(text: str) -> None:
    """Said whole or not at all, also by who is killed then."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def serve(work: Callable[[Path, int], None]) -> None:
    """For each line `NUMBER FOLDER` of standard input, have a fork of this process do the work until it ends."""
    for line in sys.stdin:
        number, folder = line.rstrip("\n").split(" ", 1)
        pid = os.fork()
        if not pid:
            say(f"ready {os.getpid()}")
            work(Path(folder), int(number))
            os._exit(0)
        os.waitpid(pid, 0)
        sys.stdout.buffer.write(_KILLED)
        sys.stdout.flush()


class Workers:
    """Of one kind; one works at a time."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._orders, self._words = process.stdin, process.stdout

    def run_and_kill(self, folder: Path, number: int, *, words: int, after_seconds: float) -> list[bytes]:
        """Let one work until it has said so many words, and a little longer; all that it has said, as lines."""
        self._orders.write(f"{number} {folder}\n".encode())
        self._orders.flush()
        ready, pid = self._words.readline().split()
        assert ready == b"ready"
        try:
            # On a busy machine it may take a while until there is something to lose.
            said = [self._words.readline() for _ in range(words)]
            time.sleep(after_seconds)
        finally:
            os.kill(int(pid), signal.SIGKILL)
        return said + list(iter(self._words.readline, _KILLED))


@contextlib.contextmanager
def workers(module: str) -> Iterator[Workers]:
    """Those of a module that calls `serve`."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    with subprocess.Popen(
        [sys.executable, "-m", module], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    ) as process:
        try:
            yield Workers(process)
        finally:
            process.kill()
