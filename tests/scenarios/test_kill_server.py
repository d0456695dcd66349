"""The server is killed while fifty connections deliver: what got its 250 is there, once."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from support import served

ROOT = Path(__file__).parents[2]
MESSAGES, CONNECTIONS = 1000, 50


class Client:
    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.file = self.sock.makefile("rb")

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        self.sock.close()

    def reply(self) -> bytes:
        while True:
            line = self.file.readline()
            if not line or line[3:4] == b" ":
                return line

    def ask(self, octets: bytes) -> bytes:
        self.sock.sendall(octets)
        return self.reply()


def deliver(port: int, marks: list[str], accepted: set[str]) -> None:
    with contextlib.suppress(OSError), Client(port) as client:
        client.reply()
        client.ask(b"EHLO test.example\r\n")
        for mark in marks:
            client.ask(b"MAIL FROM:<a@example.org>\r\n")
            client.ask(b"RCPT TO:<mox@localhost>\r\n")
            if not client.ask(b"DATA\r\n").startswith(b"354"):
                return
            if client.ask(f"Subject: {mark}\r\n\r\n{'x' * 500}\r\n.\r\n".encode()).startswith(b"250"):
                accepted.add(mark)


def subjects(house: served.House) -> list[str]:
    with Client(house.imap) as client:
        client.file.readline()

        def command(octets: bytes) -> bytes:
            client.sock.sendall(b"a " + octets + b"\r\n")
            lines = []
            while True:
                line = client.file.readline()
                lines.append(line)
                if line.startswith(b"a "):
                    assert line.startswith(b"a OK"), line
                    return b"".join(lines)

        command(f"LOGIN {house.user} {house.password}".encode())
        command(b"SELECT INBOX")
        return re.findall(r"Subject: (kill-\d+)", command(b"UID FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT)]").decode())


@pytest.mark.slow
def test_what_was_accepted_is_there_once(tmp_path, moxpy):
    folder = tmp_path / "house"
    accepted: set[str] = set()
    with contextlib.suppress(ProcessLookupError), served.running(moxpy, folder) as house:
        marks = [f"kill-{number}" for number in range(MESSAGES)]
        threads = [
            threading.Thread(target=deliver, args=(house.smtp, marks[number::CONNECTIONS], accepted))
            for number in range(CONNECTIONS)
        ]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 60
        while len(accepted) < MESSAGES // 3 and time.monotonic() < deadline:
            time.sleep(0.005)
        os.kill(house.pid, signal.SIGKILL)
        for thread in threads:
            thread.join()
    assert MESSAGES // 3 <= len(accepted) < MESSAGES
    with served.running(moxpy, folder) as house:
        found = subjects(house)
    assert len(found) == len(set(found))
    assert accepted <= set(found)
    data = next(path.parent for path in tmp_path.rglob("moxpy.toml"))
    done = subprocess.run(
        [str(moxpy), "verifydata", str(data)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("OK\n")
