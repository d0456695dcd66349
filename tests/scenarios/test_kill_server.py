"""The server is killed while fifty connections deliver: what got its reply is there, once."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from appliance.mail.domain import parse_domain
from appliance.store import report
from appliance.store.report import Kind
from appliance.store.store import Store
from support import dkimkeys, reports, served
from support.clock import StandingClock
from support.stores import LIMITS

ROOT = Path(__file__).parents[2]
MESSAGES, CONNECTIONS = 1000, 50


class Client:
    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=60)
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


def subjects(house: served.House, mailbox: str = "INBOX") -> list[str]:
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
        command(f"SELECT {mailbox}".encode())
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
        deadline = time.monotonic() + 120
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
    verify(moxpy, folder)


def verify(moxpy: Path, folder: Path) -> None:
    done = subprocess.run(
        [str(moxpy), "verifydata", str(folder)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("OK\n")


JUDGED = """
[domains.localhost.tlsrpt]
localpart = "tls"
account = "mox"
mailbox = "TLSRPT"

[accounts.mox.destinations."strict@localhost"]
message_auth_required_smtp_error = "sign it"
"""


def judged(port: int, key: object, marks: list[str], answered: dict[str, set[str]]) -> None:
    """Some mail that is accepted, some that is refused and comes again, some reports."""

    def send(client: Client, recipient: str, octets: bytes, mark: str) -> None:
        client.ask(b"MAIL FROM:<a@example.org>\r\n")
        client.ask(f"RCPT TO:<{recipient}@localhost>\r\n".encode())
        if client.ask(b"DATA\r\n").startswith(b"354"):
            reply = client.ask(octets + b".\r\n")[:3].decode()
            answered.setdefault(reply, set()).add(mark)

    with contextlib.suppress(OSError), Client(port) as client:
        client.reply()
        client.ask(b"EHLO test.example\r\n")
        for mark in marks:
            send(
                client, "mox", f"From: <a@example.org>\r\nSubject: kill-1{mark}\r\n\r\nhi\r\n".encode(), f"kill-1{mark}"
            )
            forged = f"From: <boss@bank.example>\r\nSubject: kill-2{mark}\r\n\r\nhi\r\n".encode()
            send(client, "strict", forged, f"kill-2{mark}")
            send(client, "strict", forged, f"kill-2{mark}")
            told = reports.TLS.replace(b"ours.example", b"localhost").replace(b"2024-01-01T00:00:00Z_", mark.encode())
            octets = reports.tls_mail(told).replace(b"r@big.example", b"r@localhost", 1)
            octets = f"Subject: kill-3{mark}\r\n".encode() + octets
            signed = dkimkeys.signed(octets, key=key, d="localhost", s="localserve", names="from:subject")
            send(client, "tls", signed, f"kill-3{mark}")


@pytest.mark.slow
def test_what_was_judged_is_there_once(tmp_path, moxpy):
    folder, rounds, connections = tmp_path / "house", 200, 20
    ports = served.prepare(moxpy, folder)
    (tmp_path / "house.ports").write_text("".join(f"{name} {port}\n" for name, port in ports.items()))
    with (folder / "domains.toml").open("a") as config:
        config.write(JUDGED)
    key = load_pem_private_key((folder / "localserve._domainkey.localhost.pem").read_bytes(), None)
    answered: dict[str, set[str]] = {}
    with contextlib.suppress(ProcessLookupError), served.running(moxpy, folder) as house:
        marks = [str(number) for number in range(1000, 1000 + rounds)]
        threads = [
            threading.Thread(target=judged, args=(house.smtp, key, marks[number::connections], answered))
            for number in range(connections)
        ]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 120
        while len(answered.get("250", ())) < 2 * rounds // 3 and time.monotonic() < deadline:
            time.sleep(0.005)
        os.kill(house.pid, signal.SIGKILL)
        for thread in threads:
            thread.join()
    assert set(answered) - {""} == {"250", "550"}
    assert 2 * rounds // 3 <= len(answered["250"]) < 2 * rounds
    with served.running(moxpy, folder) as house:
        inbox, rejects, told = (subjects(house, name) for name in ("INBOX", "Rejects", "TLSRPT"))
    for found, sort, code in ((inbox, "1", "250"), (rejects, "2", "550"), (told, "3", "250")):
        assert len(found) == len(set(found))
        assert {mark for mark in answered[code] if mark.startswith(f"kill-{sort}")} <= set(found)
        assert all(mark.startswith(f"kill-{sort}") for mark in found)
    # Of each report that is there, what it tells was kept, once, with its message.
    store = Store(folder, clock=StandingClock(), limits=LIMITS)
    try:
        with store.read() as tx:
            begin, end = (datetime(year, 1, 1, tzinfo=UTC) for year in (2024, 2025))
            kept = report.reports(tx, Kind.TLS, parse_domain("localhost"), begin, end, most=2 * rounds)
    finally:
        store.close()
    names = sorted(one.report.report_id for _, one in kept)
    assert names == sorted(f"{mark.removeprefix('kill-3')}localhost" for mark in told)
    verify(moxpy, folder)
