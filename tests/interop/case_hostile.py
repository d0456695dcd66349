"""Hostile clients against a `localserve` of their own, and against `serve` for what limits by network do.

Every attack is bounded and stops by itself. Each gets the reply stated here, the server's own memory (what is not a
page of the store's file) stays below a bound, and meanwhile a probe in a process of its own delivers mail and reads it,
and measures how long that takes. Prints a table: what was sent, what came back, the peak of memory, the probe's worst.
"""

import base64
import contextlib
import multiprocessing
import os
import re
import resource
import select
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from support import served

HOST = "127.0.0.1"
MOXPY, WORK = Path(os.environ["MOXPY"]), Path(os.environ["WORK"])
MIB = 1024 * 1024
#: What localserve takes, header and all.
MESSAGE_OCTETS = 100 * MIB
MEMORY_OCTETS = 300 * MIB
#: More memory than this is not given back after the same attack came again: it grows.
GROWTH_OCTETS = 24 * MIB
#: The longest anybody else may wait for an answer while an attack runs. Far beyond what is seen, so that it fails for
#: a server that stands still and not for a busy machine.
PROBE_SECONDS = 5.0
CONNECTIONS = 5000
#: Clients that read no answer: to a FETCH of all mail, to commands as fast as they can be sent.
ASKERS, FLOODERS = 20, 4
FAILED_LOGINS = 10_000
GUESSES = 2
FILES = 12_000


class Conversation:
    """A socket with lines; `source` is the address to come from."""

    def __init__(self, port: int, source: str = "", timeout: float = 40, receive_octets: int = 0) -> None:
        self.sock = socket.socket()
        if receive_octets:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_octets)
        if source:
            self.sock.bind((source, 0))
        self.sock.settimeout(timeout)
        self.sock.connect((HOST, port))
        self._held = b""

    def __enter__(self) -> "Conversation":
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, octets: bytes) -> None:
        self.sock.sendall(octets)

    def line(self) -> bytes:
        """The next line; what there is, perhaps nothing, when the server closed."""
        while b"\n" not in self._held:
            try:
                octets = self.sock.recv(65536)
            except ConnectionResetError:
                octets = b""
            if not octets:
                line, self._held = self._held, b""
                return line
            self._held += octets
        line, _, self._held = self._held.partition(b"\n")
        return line + b"\n"

    def reply(self) -> bytes:
        """The last line of an SMTP reply."""
        while (line := self.line())[3:4] == b"-":
            pass
        return line

    def ask(self, octets: bytes) -> bytes:
        self.send(octets)
        return self.reply()

    def tagged(self, octets: bytes) -> bytes:
        """An IMAP command and its tagged response."""
        self.send(octets)
        return self.until(octets.split()[0] + b" ")

    def until(self, start: bytes) -> bytes:
        while True:
            line = self.line()
            if not line or line.startswith((start, b"* BYE")):
                return line

    def closed(self) -> bool:
        """Whether the server closes without another word."""
        return self.line() == b""


def smtp(port: int, *, to_data: bool = False, source: str = "") -> Conversation:
    client = Conversation(port, source)
    expect(client.reply(), b"220 ")
    expect(client.ask(b"EHLO hostile.example\r\n"), b"250 ")
    if to_data:
        client.send(b"MAIL FROM:<a@hostile.example>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n")
        for code in (b"250 ", b"250 ", b"354 "):
            expect(client.reply(), code)
    return client


def imap(house: served.House, *, receive_octets: int = 0) -> Conversation:
    client = Conversation(house.imap, receive_octets=receive_octets)
    expect(client.line(), b"* OK ")
    expect(client.tagged(f"l LOGIN {house.user} {house.password}\r\n".encode()), b"l OK ")
    return client


def expect(got: bytes, *wanted: bytes) -> bytes:
    assert got.startswith(wanted), f"got {got[:200]!r}, want {wanted!r}"
    return got


# What happens to others meanwhile


def probe(house: served.House, source: str, in_the_world: bool, shared: Any) -> None:
    """Delivers a message, keeps one and reads it, again and again. [0] counts, [1] is the worst answer, [2] stops it.

    A server `in_the_world` would ask DNS about sender and message, and counts connections: to that one it speaks less
    often, and not beyond the recipient.
    """
    sender_path = "" if in_the_world else "p@probe.example"
    message = ((b"DATA\r\n", b"354 "), (b"Subject: probe\r\n\r\nprobe\r\n.\r\n", b"250 "))
    steps = (
        (b"EHLO probe.example\r\n", b"250 "),
        (f"MAIL FROM:<{sender_path}>\r\n".encode(), b"250 "),
        (f"RCPT TO:<{house.user}>\r\n".encode(), b"250 "),
        *(() if in_the_world else message),
    )

    def timed(work: Callable[[], Any]) -> Any:
        start = time.monotonic()
        result = work()
        shared[1] = max(shared[1], time.monotonic() - start)
        return result

    def connected(port: int) -> Conversation:
        client = Conversation(port, source)
        first = client.line()
        assert first[:4] in {b"220 ", b"* OK"}, first
        return client

    # Neutral by its name: what is in any other mailbox teaches the junk filter, which then knows the probe too little.
    reader = connected(house.imap)
    expect(reader.tagged(f"l LOGIN {house.user} {house.password}\r\n".encode()), b"l OK")
    expect(reader.tagged(b"c CREATE neutral-probe\r\n"), b"c OK", b"c NO")
    expect(reader.tagged(b"s SELECT neutral-probe\r\n"), b"s OK")

    def one_round() -> None:
        with timed(lambda: connected(house.smtp)) as sender:
            for command, wanted in steps:
                expect(timed(partial(sender.ask, command)), wanted)
        text = b"Subject: kept\r\n\r\nkept\r\n"
        expect(timed(lambda: reader.tagged(b"a APPEND neutral-probe {%d+}\r\n%b\r\n" % (len(text), text))), b"a OK")
        expect(timed(lambda: reader.tagged(b"f FETCH * (FLAGS BODY.PEEK[])\r\n")), b"f OK")

    while not shared[2]:
        one_round()
        shared[0] += 1
        time.sleep(0.5 if in_the_world else 0.05)
    reader.sock.close()


class Probe:
    """The probe's process, and what it measured since it was last asked."""

    def __init__(self, house: served.House, source: str, in_the_world: bool) -> None:
        self.shared = multiprocessing.get_context("fork").Array("d", 3, lock=False)
        arguments = (house, source, in_the_world, self.shared)
        self.process = multiprocessing.get_context("fork").Process(target=probe, args=arguments, daemon=True)
        self.process.start()

    def begin(self) -> None:
        self.shared[1] = 0.0
        self.count = self.shared[0]

    def end(self) -> float:
        """Waits for one more round, so that every attack saw some. The worst answer in seconds."""
        deadline = time.monotonic() + 30
        while self.shared[0] < self.count + 2:
            assert self.process.is_alive(), "the probe was not served"
            assert time.monotonic() < deadline, "the probe waits for an answer"
            time.sleep(0.01)
        return self.shared[1]

    def stop(self) -> None:
        self.shared[2] = 1
        self.process.join(40)
        assert self.process.exitcode == 0, "the probe was not served"


class Memory(threading.Thread):
    """The peak of the server's own memory: anonymous pages. Those of the store's file are the kernel's to take back."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid, self.peak, self.stopped = pid, 0, threading.Event()
        self.start()

    def now(self) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"^RssAnon:\s+(\d+)", status, re.M)[1]) * 1024

    def run(self) -> None:
        while not self.stopped.wait(0.02):
            with contextlib.suppress(OSError, TypeError):  # It ended.
                self.peak = max(self.peak, self.now())


class Table:
    """Runs attacks and prints a row for each; what went wrong is kept for the end."""

    def __init__(self, house: served.House, source: str = "", in_the_world: bool = False) -> None:
        self.house, self.memory, self.probe = house, Memory(house.pid), Probe(house, source, in_the_world)
        self.faults: list[str] = []
        self.afters: dict[str, int] = {}
        print(f"{'what was sent':<52} {'the reply':<58} {'seconds':>7} {'peak MiB':>8} {'after':>6} {'others ms':>9}")

    def row(self, name: str, attack: Callable[[], object]) -> None:
        self.memory.peak = 0
        self.probe.begin()
        start = time.monotonic()
        try:
            told = attack()
        except (AssertionError, OSError) as error:
            told = f"FAIL {type(error).__name__} {error}"
            self.faults.append(f"{name}: {error}")
        seconds = time.monotonic() - start
        worst = self.probe.end()
        peak, after = self.memory.peak, self.memory.now()
        told = told.decode(errors="replace").strip() if isinstance(told, bytes) else str(told)
        told = re.sub(r" \([0-9A-Za-z_-]{8,}\)$", "", told)
        print(
            f"{name:<52} {told:<58.130} {seconds:7.1f} {peak / MIB:8.0f} {after / MIB:6.0f} {worst * 1000:9.0f}",
            flush=True,
        )
        if peak > MEMORY_OCTETS:
            self.faults.append(f"{name}: {peak / MIB:.0f} MiB of memory")
        if after > self.afters.setdefault(name, after) + GROWTH_OCTETS:
            self.faults.append(f"{name}: memory grew by {(after - self.afters[name]) / MIB:.0f} MiB")
        if worst > PROBE_SECONDS:
            self.faults.append(f"{name}: others waited {worst:.1f} s")

    def end(self) -> None:
        self.probe.stop()
        self.memory.stopped.set()


# Messages


def delivered(house: served.House, pieces: Iterator[bytes]) -> bytes:
    """The reply to a message given in pieces; the rest is not sent once there is a reply."""
    with smtp(house.smtp, to_data=True) as client:
        for piece in pieces:
            client.send(piece)
            if select.select([client.sock], [], [], 0)[0]:
                return client.reply()
        return client.ask(b".\r\n")


def large(octets: int) -> Iterator[bytes]:
    header = b"Subject: large\r\n\r\n"
    yield header
    line = b"x" * 76 + b"\r\n"
    left = octets - len(header)
    block = line * 4096
    while left >= len(block):
        yield block
        left -= len(block)
    yield line * (left // len(line))
    if left % len(line):
        yield b"y" * (left % len(line) - 2) + b"\r\n"


def parts(count: int) -> Iterator[bytes]:
    yield b"Subject: parts\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    for at in range(0, count, 1000):
        yield b"".join(b"--b\r\nContent-Type: text/plain\r\n\r\n%d\r\n" % number for number in range(at, at + 1000))
    yield b"--b--\r\n"


def long_header(octets: int) -> Iterator[bytes]:
    yield b"Subject: header\r\n"
    line = b"X-Long: " + b"h" * 68 + b"\r\n"
    for _ in range(octets // (len(line) * 100)):
        yield line * 100
    yield b"\r\nbody\r\n"


def nested(depth: int) -> Iterator[bytes]:
    yield b"Subject: nested\r\nMIME-Version: 1.0\r\n"
    for level in range(depth):
        yield b"Content-Type: multipart/mixed; boundary=n%d\r\n\r\n--n%d\r\n" % (level, level)
    yield b"\r\ndeep\r\n"


def structure(house: served.House, subject: str) -> str:
    """Lets IMAP tell of the newest message with this subject all it can; says how long the answer is."""
    with imap(house) as client:
        expect(client.tagged(b"s EXAMINE INBOX\r\n"), b"s OK")
        client.send(b"u UID SEARCH SUBJECT %b\r\n" % subject.encode())
        uid = client.until(b"* SEARCH").split()[-1]
        expect(client.until(b"u "), b"u OK")
        client.send(b"f UID FETCH %b (UID RFC822.SIZE ENVELOPE BODYSTRUCTURE BODY.PEEK[1])\r\n" % uid)
        octets = 0
        while not (line := client.line()).startswith(b"f "):
            assert line, "closed"
            octets += len(line)
        expect(line, b"f OK")
        return f"f OK, {octets} octets of BODYSTRUCTURE and more"


# Connections


def many_connections(house: served.House) -> str:
    """Thousands open at once, half SMTP, half IMAP; each is greeted, and a sample of them is served."""
    with contextlib.ExitStack() as stack:
        ports = [house.imap if number % 2 else house.smtp for number in range(CONNECTIONS)]
        clients = [stack.enter_context(Conversation(port)) for port in ports]
        for number, client in enumerate(clients):
            expect(client.line(), b"* OK " if number % 2 else b"220 ")
        for number, client in list(enumerate(clients))[:: CONNECTIONS // 500]:
            if number % 2:
                expect(client.tagged(b"n NOOP\r\n"), b"n OK")
            else:
                expect(client.ask(b"NOOP\r\n"), b"250 ")
        return f"{CONNECTIONS} greeted, {len(clients[:: CONNECTIONS // 500])} of them asked and answered"


def never_read(house: served.House) -> str:
    """Some ask for all mail, a few pipeline commands, and none reads an answer. The server stops reading, waits for half
    a minute, and resets them, so that nothing is left in the kernel either."""
    with contextlib.ExitStack() as stack:
        clients = []
        for _ in range(ASKERS):
            client = stack.enter_context(imap(house, receive_octets=4096))
            expect(client.tagged(b"s EXAMINE INBOX\r\n"), b"s OK")
            client.send(b"f FETCH 1:* (BODYSTRUCTURE BODY.PEEK[])\r\n")
            clients.append(client)
        for _ in range(FLOODERS):
            client = stack.enter_context(smtp(house.smtp))
            clients.append(client)
            client.sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                for _ in range(1000):
                    client.sock.send(b"HELP\r\n" * 8192)
                raise AssertionError("the server reads on and on")
        began = time.monotonic()
        gone = wait_reset([client.sock for client in clients], 100)
        assert gone == len(clients), f"{gone} of {len(clients)} reset"
        return f"all reset after {time.monotonic() - began:.0f} s"


def wait_reset(sockets: list[socket.socket], seconds: float) -> int:
    """How many of them the server reset in time; nothing is read."""
    poll, left = select.poll(), {sock.fileno() for sock in sockets}
    for number in left:
        poll.register(number, 0)
    deadline = time.monotonic() + seconds
    while left and time.monotonic() < deadline:
        for number, event in poll.poll(500):
            if event & (select.POLLHUP | select.POLLERR):
                poll.unregister(number)
                left.discard(number)
    return len(sockets) - len(left)


class Silent:
    """Clients that connect and say nothing, from the first row to the last."""

    def __init__(self, house: served.House, count: int) -> None:
        self.began = time.monotonic()
        self.clients = {
            name: [Conversation(getattr(house, name)) for _ in range(count)] for name in ("smtp", "imap", "imaps")
        }

    def imap_ends(self) -> bytes:
        """RFC 9051 §5.4 wants half an hour of patience after the login; before it there is less."""
        clients = self.clients["imap"]
        words = Counter()
        for client in clients:
            expect(client.line(), b"* OK ")
            words[client.line()] += 1
            assert client.closed()
        (word,) = words
        return word.strip() + f" to {len(clients)} of {len(clients)}".encode()

    def imaps_ends(self) -> str:
        clients = self.clients["imaps"]
        for client in clients:
            assert client.closed(), "words before a handshake"
        return f"closed without a word: {len(clients)}"

    def smtp_waits(self) -> str:
        """RFC 5321 §4.5.3.2.7: five minutes of patience."""
        for client in self.clients["smtp"]:
            expect(client.reply(), b"220 ")
            expect(client.ask(b"NOOP\r\n"), b"250 ")
        return f"still served after {time.monotonic() - self.began:.0f} s: {len(self.clients['smtp'])}"

    def close(self) -> None:
        for clients in self.clients.values():
            for client in clients:
                client.sock.close()


class Slow(threading.Thread):
    """Says EHLO and NOOP at one octet a second."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.port, self.replies, self.error = port, [], None
        self.start()

    def run(self) -> None:
        try:
            with Conversation(self.port) as client:
                self.replies.append(client.reply())
                for octet in b"EHLO slow.example\r\nNOOP\r\nQUIT\r\n":
                    client.send(bytes([octet]))
                    if octet == 10:
                        self.replies.append(client.reply())
                    time.sleep(1)
        except OSError as error:
            self.error = error

    def ends(self) -> str:
        self.join(60)
        assert self.error is None, self.error
        codes = [reply[:4] for reply in self.replies]
        assert codes == [b"220 ", b"250 ", b"250 ", b"221 "], codes
        return "220, 250, 250, 221"


# Lines, TLS, smuggling


def long_line_smtp(house: served.House, octets: int) -> bytes:
    with smtp(house.smtp) as client:
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            for _ in range(octets // 1000):
                client.send(b"x" * 1000)
            client.send(b"\r\n")
        reply = expect(client.reply(), b"500 5.5.0 ")
        assert client.closed()
        return reply


def long_line_imap(house: served.House, octets: int) -> bytes:
    with Conversation(house.imap) as client:
        client.line()
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            client.send(b"a NOOP ")
            for _ in range(octets // 1000):
                client.send(b"x" * 1000)
            client.send(b"\r\n")
        reply = expect(client.line(), b"* BYE ")
        assert client.closed()
        return reply


def large_literal(house: served.House, kind: bytes) -> bytes:
    with Conversation(house.imap) as client:
        client.line()
        client.send(b"a LOGIN {1000000000%b}\r\n" % kind)
        # What does not wait for a go-ahead would follow all the same: that conversation is lost (RFC 7888 §4).
        return expect(client.line(), b"* BYE " if kind else b"a BAD [TOOBIG] ")


def injected_smtp(port: int) -> str:
    """Commands behind STARTTLS in the same packet belong to the handshake and spoil it; nobody answers them."""
    with smtp(port) as client:
        expect(client.ask(b"STARTTLS\r\nMAIL FROM:<evil@hostile.example>\r\nRCPT TO:<a@example.org>\r\n"), b"220 ")
        return not_a_handshake(client)


def injected_imap(port: int) -> str:
    with Conversation(port) as client:
        expect(client.line(), b"* OK ")
        expect(client.tagged(b"a STARTTLS\r\nb NOOP\r\nc LOGIN mox@localhost moxmoxmox\r\n"), b"a OK ")
        return not_a_handshake(client)


def not_a_handshake(client: Conversation) -> str:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    assert not client._held, client._held
    try:
        with context.wrap_socket(client.sock) as secured:
            raise AssertionError(f"TLS began: {secured.version()}")
    except (ssl.SSLError, ConnectionError, EOFError):
        return "the handshake fails, nothing injected is answered"


SMUGGLING = {
    "CRLF . LF": b"\r\n.\n",
    "LF . CRLF": b"\n.\r\n",
    "LF . LF": b"\n.\n",
    "CR . CR": b"\r.\r",
}


def smuggled(house: served.House, name: str, octets: bytes) -> bytes:
    second = (
        b"MAIL FROM:<admin@hostile.example>\r\nRCPT TO:<b@example.org>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n.\r\n"
    )
    with smtp(house.smtp, to_data=True) as client:
        client.send(b"Subject: outer\r\n\r\na" + octets + second + b"NOOP\r\n")
        reply = expect(client.reply(), b"500 5.5.2 ")
        expect(client.reply(), b"250 2.0.0 ")
    with imap(house) as client:
        expect(client.tagged(b"s EXAMINE INBOX\r\n"), b"s OK")
        client.send(b"u UID SEARCH OR SUBJECT smuggled SUBJECT outer\r\n")
        found = client.until(b"* SEARCH")
        assert found.split() == [b"*", b"SEARCH"], f"{name}: {found!r}"
    return reply


# Logins


def failed_logins(house: served.House) -> str:
    """Ten thousand guesses from one network, two in each connection: the third is answered slowly."""
    counts, tried, connected = Counter(), 0, 0
    guess = b"AUTH PLAIN " + base64.b64encode(b"\0mox@localhost\0wrong") + b"\r\n"
    while tried < FAILED_LOGINS:
        connected += 1
        with contextlib.suppress(ConnectionError), Conversation(house.submission) as client:
            line = client.reply()
            if not line.startswith(b"220 "):
                counts["connection " + line[:9].decode()] += 1
                tried += 1  # A guess that was not even heard.
                continue
            expect(client.ask(b"EHLO guess.example\r\n"), b"250 ")
            for _ in range(GUESSES):
                tried += 1
                reply = client.ask(guess)
                counts[reply[:9].decode() or "closed"] += 1
                if not reply.startswith(b"535 "):
                    break
    # Ten a minute, and the minute may turn; of connections 300 a minute are even heard.
    assert 10 <= counts["535 5.7.8"] <= 20, counts
    assert counts["connection 421 4.7.0"] > FAILED_LOGINS - 100, counts
    return ", ".join(f"{name} {count}" for name, count in counts.most_common())


def right_login(house: served.House, source: str) -> bytes:
    """From another network the owner logs in as ever."""
    with Conversation(house.imap, source) as client:
        expect(client.line(), b"* OK ")
        return expect(client.tagged(f"a LOGIN {house.user} {house.password}\r\n".encode()), b"a OK ")[:40]


@contextlib.contextmanager
def limited(directory: Path) -> Iterator[served.House]:
    """The folder of a localserve, served by `serve`: with the limits for a server in the world."""
    ports = served.prepare(MOXPY, directory)
    with (WORK / "serve.log").open("wb") as log:
        command = [MOXPY, "serve", "--config", directory / "moxpy.toml"]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    try:
        served.wait_ready(HOST, ports["smtp"], ports["imap"], process)
        yield served.House(HOST, **ports, user="mox@localhost", password="moxmoxmox", pid=process.pid)
    finally:
        served.stop(process)


def against_localserve() -> list[str]:
    with served.running(MOXPY, WORK / "house") as house:
        table = Table(house)
        silent, slow = Silent(house, 300), Slow(house.smtp)
        row = table.row
        for name, octets in SMUGGLING.items():
            row(f"smuggling: {name}", lambda name=name, octets=octets: smuggled(house, name, octets))
        row("SMTP: STARTTLS with commands behind it", lambda: injected_smtp(house.smtp))
        row("submission: STARTTLS with commands behind it", lambda: injected_smtp(house.submission))
        row("IMAP: STARTTLS with commands behind it", lambda: injected_imap(house.imap))
        for octets in (3000, 10_000_000):
            row(f"SMTP: a line of {octets} octets", lambda octets=octets: long_line_smtp(house, octets))
        for octets in (20_000, 10_000_000):
            row(f"IMAP: a line of {octets} octets", lambda octets=octets: long_line_imap(house, octets))
        row("IMAP: LOGIN {1000000000}", lambda: large_literal(house, b""))
        row("IMAP: LOGIN {1000000000+}", lambda: large_literal(house, b"+"))
        for count in (10_000, 20_000, 100_000):
            row(f"a message of {count} parts", lambda count=count: expect(delivered(house, parts(count)), b"250 2."))
        row("  its structure by IMAP", lambda: structure(house, "parts"))
        row("a message 500 multiparts deep", lambda: expect(delivered(house, nested(500)), b"250 2."))
        row("a header of 10 MB", lambda: expect(delivered(house, long_header(10_000_000)), b"552 5.3.4 "))
        with smtp(house.smtp) as client:
            declared = b"MAIL FROM:<a@hostile.example> SIZE=%d\r\n" % (MESSAGE_OCTETS + 1)
            row("SIZE one above the limit", lambda: expect(client.ask(declared), b"552 5.3.4 "))
        for _ in range(2):
            row("100 MiB less 1 kB", lambda: expect(delivered(house, large(MESSAGE_OCTETS - 1000)), b"250 2."))
            row("100 MiB and 1 kB", lambda: expect(delivered(house, large(MESSAGE_OCTETS + 1000)), b"552 5.3.4 "))
        row(f"{ASKERS + FLOODERS} clients that ask and ask, and read nothing", lambda: never_read(house))
        for _ in range(2):
            row(f"{CONNECTIONS} open connections", lambda: many_connections(house))
        row("IMAP: silence", silent.imap_ends)
        row("IMAP over TLS: silence", silent.imaps_ends)
        row("SMTP: silence", silent.smtp_waits)
        row("SMTP: one octet a second", slow.ends)
        silent.close()
        table.end()
        return table.faults


def against_serve() -> list[str]:
    other = "127.0.64.1"  # Beyond the widest network that is counted, which 127.0.0.1 lies in.
    with limited(WORK / "limited") as house:
        table = Table(house, other, in_the_world=True)
        table.row(f"{FAILED_LOGINS} failed logins from one network", lambda: failed_logins(house))
        table.row("  the right password from another network", lambda: right_login(house, other))
        table.end()
        return table.faults


def main() -> int:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, max(hard, FILES)))
    faults = against_localserve() + against_serve()
    print("\n".join(faults))
    return 1 if faults else 0


sys.exit(main())
