"""What users send: how fast it is taken in, how fast it goes through to ten other domains, and what many that wait cost.

The house is that of the tests that send (`support.sendinghouse`), with the folder of a localserve: messages are signed
by its ed25519 key (another 0.25 ms with RSA) and every reply of 250 follows a commit that is on the disk.
"""

import contextlib
import itertools
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from appliance.base.clock import SystemClock
from appliance.store import bodies, queued
from appliance.store.defaults import STORE
from appliance.store.queuerecords import QueuedMessage
from appliance.store.store import Store
from appliance.store.tables import BodyID, QueueID
from appliance.store.transaction import WriteTx
from bench import corpus
from bench.target import Figures, Target
from bench.wire import Conversation, ManyTLS, submissions
from support import served

USER, PASSWORD = "mox@localhost", "moxmoxmox"
CONNECTIONS, DESTINATIONS = 10, 10
SENT_SECONDS = 300
MESSAGE = corpus.plain(5_000).replace(b"sender@localhost", USER.encode())
QUEUED, TOGETHER = 100_000, 100


@dataclass
class Sending:
    """A house that sends."""

    process: "subprocess.Popen[bytes]"
    submissions: tuple[str, int]
    ready_seconds: float

    def cpu(self) -> float:
        return served.cpu_seconds(self.process.pid)

    def submit(self, count: int) -> float:
        """So many messages over kept connections with TLS; the seconds until the last was accepted."""
        many = ManyTLS(self.submissions)
        data = MESSAGE + b".\r\n"
        turns = itertools.cycle(range(DESTINATIONS))
        recipients = (f"x{n}@d{next(turns)}.them.example".encode() for n in itertools.count())

        def conversation() -> Conversation:
            return submissions(count // CONNECTIONS, data, USER.encode(), PASSWORD.encode(), recipients)

        for _ in range(CONNECTIONS):
            many.start(conversation())
        start = time.perf_counter()
        many.run()
        seconds = time.perf_counter() - start
        many.close()
        return seconds


def make(moxpy: Path, folder: Path) -> dict[str, int]:
    """A folder of localserve whose account may send a lot, and is remembered nothing of; its ports."""
    ports = served.prepare(moxpy, folder)
    domains = folder / "domains.toml"
    text = domains.read_text()
    text = "\n".join(line for line in text.split("\n") if not line.startswith("keep_retired_"))
    many = "".join(f"max_{what}_per_day = 10000000\n" for what in ("outgoing_messages", "first_time_recipients"))
    domains.write_text(text.replace("[accounts.mox]\n", f"[accounts.mox]\n{many}"))
    return ports


@contextlib.contextmanager
def running(folder: Path, ports: dict[str, int], mail_port: int) -> Iterator[Sending]:
    """The house of a folder, which takes every other domain's host to listen on that port."""
    with (folder.parent / "log").open("ab") as log:
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "support.sendinghouse", str(folder), str(mail_port)],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        served.wait_ready("127.0.0.1", ports["smtp"], ports["imap"], process)
        yield Sending(process, ("127.0.0.1", ports["submissions"]), time.perf_counter() - began)
    finally:
        served.stop(process)


@contextlib.contextmanager
def sink() -> Iterator["subprocess.Popen[bytes]"]:
    """See bench.sink."""
    process = subprocess.Popen([sys.executable, "-m", "bench.sink"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def line(process: "subprocess.Popen[bytes]", question: bytes = b"") -> int:
    """A number the sink says."""
    assert process.stdin is not None
    assert process.stdout is not None
    if question:
        process.stdin.write(question)
        process.stdin.flush()
    return int(process.stdout.readline())


def fill(folder: Path) -> None:
    """A hundred thousand messages of 5 KB that are due, put into the store of a house that does not run."""
    clock = SystemClock()
    store = Store(folder, clock=clock, limits=STORE)

    def some(tx: WriteTx) -> None:
        account = tx.account_id("mox")
        assert account is not None
        entries = [
            QueuedMessage(
                id=QueueID(0),
                base_id=QueueID(0),
                account=account,
                queued=0,
                reverse_path=USER,
                recipient=f"x{number}@d{number % DESTINATIONS}.them.example",
                body=BodyID(0),
                size=0,
                next_attempt=tx.now,
                prefix=b"DKIM-Signature: " + b"x" * 700 + b"\r\n",
                message_id="<some.thing@localhost>",
                subject="A message",
            )
            for number in range(TOGETHER)
        ]
        for one in entries:
            queued.add(tx, [one], bodies.of_octets(MESSAGE))

    try:
        for _ in range(QUEUED // TOGETHER):
            store.write_sync(some)
    finally:
        store.close()


def queue(target: Target) -> Figures:
    """Submissions, what goes through, and a hundred thousand that wait."""
    if target.moxpy is None:
        return {}
    figures: Figures = {}
    count = 600 if target.quick else 4500
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-queue-"))) / "house"
        ports = make(target.moxpy, folder)
        # Takes connections and never says a word.
        silent = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=200))
        with running(folder, ports, silent.getsockname()[1]) as house:
            house.submit(100)
            before, label = house.cpu(), "submissions/s, 10 kept with TLS"
            figures[label] = count / house.submit(count)
            figures[f"{label}, CPU us"] = (house.cpu() - before) / count * 1e6
        folder = folder.parent / "through"
        ports = make(target.moxpy, folder)
        taker = stack.enter_context(sink())
        port = line(taker)
        with running(folder, ports, port) as house:
            house.submit(100)
            _arrived(taker, 100)
            before, label, start = house.cpu(), "submitted and sent on/s, 10 domains", time.perf_counter()
            house.submit(count)
            _arrived(taker, 100 + count)
            figures[label] = count / (time.perf_counter() - start)
            figures[f"{label}, CPU us"] = (house.cpu() - before) / count * 1e6
        folder = folder.parent / "full"
        ports = make(target.moxpy, folder)
        fill(folder)
        with running(folder, ports, silent.getsockname()[1]) as house:
            figures["ready with 100,000 in the queue, s"] = house.ready_seconds
            time.sleep(5)  # All that is due has been read.
            memory = "memory with 100,000 in the queue, MB"
            figures[memory] = served.resident_octets(house.process.pid, own=True) / 1e6
            figures[f"{memory}, with mapped files"] = served.resident_octets(house.process.pid) / 1e6
    return figures


def _arrived(taker: "subprocess.Popen[bytes]", count: int) -> None:
    deadline = time.monotonic() + SENT_SECONDS
    while line(taker, b"?\n") < count:
        if time.monotonic() > deadline:
            raise TimeoutError(f"not all of {count} messages came")
        time.sleep(0.02)
