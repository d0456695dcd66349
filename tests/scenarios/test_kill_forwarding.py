"""The server is killed while it takes in mail and forwards it: what it keeps and what goes on are there together."""

import contextlib
import os
import re
import signal
import threading
import time

import pytest

from scenarios.test_kill_sending import house, made, sink, waiting
from scenarios.test_kill_server import Client, subjects
from scenarios.test_kill_submission import verified
from support import served

KILLS, MESSAGES, CONNECTIONS = 1, 120, 6


def deliver(port: int, marks: list[str], accepted: set[str]) -> None:
    with contextlib.suppress(OSError), Client(port) as client:
        client.reply()
        client.ask(b"EHLO test.example\r\n")
        for mark in marks:
            client.ask(b"MAIL FROM:<a@d1.them.example>\r\n")
            client.ask(b"RCPT TO:<mox@localhost>\r\n")
            if not client.ask(b"DATA\r\n").startswith(b"354"):
                return
            text = f"From: a@d1.them.example\r\nTo: mox@localhost\r\nSubject: {mark}\r\n\r\nx\r\n.\r\n"
            if client.ask(text.encode()).startswith(b"250"):
                accepted.add(mark)


@pytest.mark.slow
@pytest.mark.parametrize("keeps", [True, False])
def test_what_was_accepted_goes_on(tmp_path, moxpy, keeps):
    folder = tmp_path / "house"
    ports = made(moxpy, folder)
    domains = folder / "domains.toml"
    text = re.sub(r"\[accounts\.mox\.junk_filter\]\n(.+\n)+", "", domains.read_text())
    more = 'forward = ["x@d2.them.example"]\n' + ("" if keeps else "forward_only = true\n")
    domains.write_text(text.replace('mailbox = "Inbox"\n', f'mailbox = "Inbox"\n{more}'))
    accepted: set[str] = set()
    with sink() as server:
        arrived, sink_port = server.arrived, server.server_address[1]
        for kill in range(KILLS):
            before = len(accepted)
            marks = [f"kill-{kill * MESSAGES + number}" for number in range(MESSAGES)]
            with contextlib.suppress(ProcessLookupError), house(folder, ports, sink_port) as process:
                threads = [
                    threading.Thread(target=deliver, args=(ports["smtp"], marks[number::CONNECTIONS], accepted))
                    for number in range(CONNECTIONS)
                ]
                for thread in threads:
                    thread.start()
                deadline = time.monotonic() + 120
                while len(accepted) - before < MESSAGES // 3 and time.monotonic() < deadline:
                    time.sleep(0.001)
                os.kill(process.pid, signal.SIGKILL)
                for thread in threads:
                    thread.join()
            assert MESSAGES // 3 <= len(accepted) - before < MESSAGES
            verified(moxpy, folder)
        with house(folder, ports, sink_port):
            deadline = time.monotonic() + 120
            while any(one["attempts"] == 0 for one in waiting(moxpy, folder)):
                assert time.monotonic() < deadline
            left = [one["subject"] for one in waiting(moxpy, folder)]
            here = subjects(served.House("127.0.0.1", **ports, user="mox@localhost", password="moxmoxmox"))
    verified(moxpy, folder)
    # In the queue or beyond, and of what is kept each is in both places, once.
    gone = arrived.keys() | set(left)
    assert accepted <= gone
    assert sorted(here) == (sorted(gone) if keeps else [])
    assert len(left) == len(set(left))
    # Twice comes only what a kill has met between the other host's 250 and our commit: they go one after the other.
    assert sum(count - 1 for count in arrived.values()) + len(arrived.keys() & set(left)) <= KILLS * 10
