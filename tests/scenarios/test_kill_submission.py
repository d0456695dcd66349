"""The server is killed while users submit: what got its 250 is in the mailbox once, or still in the queue, once."""

import base64
import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from scenarios.test_kill_server import Client, subjects
from support import served

MESSAGES, CONNECTIONS = 400, 10
#: Each accepted message is followed to the end through this many kills.
KILLS = 3


def submit(house: served.House, marks: list[str], accepted: set[str]) -> None:
    login = base64.b64encode(f"\0{house.user}\0{house.password}".encode())
    with contextlib.suppress(OSError), Client(house.submission) as client:
        client.reply()
        client.ask(b"EHLO test.example\r\n")
        assert client.ask(b"AUTH PLAIN " + login + b"\r\n").startswith((b"235", b""))
        for mark in marks:
            client.ask(b"MAIL FROM:<mox@localhost>\r\n")
            client.ask(b"RCPT TO:<mox@localhost>\r\n")
            client.ask(b"RCPT TO:<queuepermerror@localhost> NOTIFY=NEVER\r\n")
            if not client.ask(b"DATA\r\n").startswith(b"354"):
                return
            text = f"From: mox@localhost\r\nSubject: {mark}\r\n\r\n{'x' * 500}\r\n.\r\n"
            if client.ask(text.encode()).startswith(b"250"):
                accepted.add(mark)


@pytest.mark.slow
def test_what_was_accepted_is_there_once(tmp_path, moxpy):
    folder = tmp_path / "house"
    with served.running(moxpy, folder):
        pass
    domains = folder / "domains.toml"
    domains.write_text(
        re.sub(r"^(\[accounts\.mox\])$", r"\1\nmax_outgoing_messages_per_day = 100000", domains.read_text(), flags=re.M)
    )
    accepted: set[str] = set()
    marks = [f"kill-{number}" for number in range(MESSAGES * KILLS)]
    for kill in range(KILLS):
        mine = marks[kill * MESSAGES : (kill + 1) * MESSAGES]
        before = len(accepted)
        with contextlib.suppress(ProcessLookupError), served.running(moxpy, folder) as house:
            threads = [
                threading.Thread(target=submit, args=(house, mine[number::CONNECTIONS], accepted))
                for number in range(CONNECTIONS)
            ]
            for thread in threads:
                thread.start()
            deadline = time.monotonic() + 120
            while len(accepted) - before < MESSAGES // 4 and time.monotonic() < deadline:
                time.sleep(0.002)
            os.kill(house.pid, signal.SIGKILL)
            for thread in threads:
                thread.join()
        assert MESSAGES // 4 <= len(accepted) - before < MESSAGES
        verified(moxpy, folder)
    with served.running(moxpy, folder) as house:
        deadline = time.monotonic() + 120
        while not accepted <= set(found := subjects(house)) and time.monotonic() < deadline:
            pass
    assert accepted <= set(found)
    assert len(found) == len(set(found))
    verified(moxpy, folder)


def verified(moxpy: Path, folder: Path) -> None:
    done = subprocess.run(
        [str(moxpy), "verifydata", str(folder)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
