"""What is measured, section by section. A section takes a server and gives figures by name."""

import contextlib
import datetime
import itertools
import random
import select
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from appliance.store import (
    account as accounts,
    environment,
    mailbox as mailboxes,
    message as stored,
    search as texts,
    words as index,
)
from appliance.store.tables import AccountID
from appliance.store.transaction import ReadTx
from bench import corpus, queries
from bench.jmap import jmap
from bench.judged import judged
from bench.sending import queue
from bench.target import Figures, Target, mailbox
from bench.web import web
from bench.webapi import webapi
from bench.wire import Conversation, Imap, Many, appends, deliveries, starts, tagged
from support import served


def _data(message: bytes) -> bytes:
    assert b"\r\n." not in message
    return message + b".\r\n"


@dataclass(frozen=True)
class _Door:
    """Where mail comes in, and how one says hello there."""

    address: tuple[str, int]
    recipient: bytes
    hello: bytes = b"EHLO"

    def deliveries(self, count: int, data: bytes) -> Conversation:
        return deliveries(count, data, b"sender@localhost", self.recipient, self.hello)


def _rate(door: _Door, connections: int, each: int, data: bytes) -> float:
    many = Many(door.address)
    start = time.perf_counter()
    for _ in range(connections):
        many.start(door.deliveries(each, data))
    many.run()
    seconds = time.perf_counter() - start
    many.close()
    return connections * each / seconds


def _anew(door: _Door, at_a_time: int, count: int, data: bytes) -> float:
    """A new connection for every message."""
    many = Many(door.address)
    left = itertools.count(count - at_a_time, -1)

    def conversation() -> Conversation:
        yield from door.deliveries(1, data)
        if next(left) > 0:
            many.start(conversation())

    start = time.perf_counter()
    for _ in range(at_a_time):
        many.start(conversation())
    many.run()
    seconds = time.perf_counter() - start
    many.close()
    return count / seconds


@contextlib.contextmanager
def _cpu(target: Target, label: str, count: int, into: Figures) -> Iterator[None]:
    """Notes the server's processor time for each of `count`: on a busy machine the figure to trust."""
    before = target.cpu()
    yield
    if target.moxpy is not None:
        into[f"{label}, CPU us"] = (target.cpu() - before) / count * 1e6


def smtp(target: Target) -> Figures:
    """Deliveries acknowledged per second: by SMTP, where they are judged, and by LMTP, where they are not."""
    recipient = target.house.user.encode()
    figures = _deliveries(target, "SMTP", _Door(target.smtp, recipient))
    if target.lmtp is not None:
        figures |= _deliveries(target, "LMTP", _Door(target.lmtp, recipient, b"LHLO"))
    return figures


def _deliveries(target: Target, name: str, door: _Door) -> Figures:
    size = 0.2 if target.quick else 1.0
    small, large = _data(corpus.plain(5_000)), _data(corpus.plain(1_000_000))
    _rate(door, 4, 10, small)  # warms both ends up
    figures: Figures = {}
    for connections, count in ((1, 800), (10, 4000), (50, 5000)):
        each = int(count * size) // connections
        with _cpu(target, f"{name} 5 KB, {connections} kept", each * connections, figures):
            figures[f"{name} 5 KB, {connections} kept"] = _rate(door, connections, each, small)
    count = int(2000 * size)
    with _cpu(target, f"{name} 5 KB, 10 at a time, new each", count, figures):
        figures[f"{name} 5 KB, 10 at a time, new each"] = _anew(door, 10, count, small)
    figures[f"{name} 1 MB, 10 kept"] = _rate(door, 10, int(200 * size) // 10, large)
    return figures


def append(target: Target) -> Figures:
    """APPENDs of 5 KB, each waited for."""
    each, figures = 60 if target.quick else 400, Figures()
    with mailbox(target, "BenchAppend") as name, _cpu(target, "APPEND 5 KB, 10 connections", each * 10, figures):
        many = Many(target.imap)
        message = corpus.plain(5_000)
        start = time.perf_counter()
        for _ in range(10):
            many.start(appends(itertools.repeat(message, each), target.login, name.encode()))
        many.run()
        seconds = time.perf_counter() - start
        many.close()
    return {"APPEND 5 KB, 10 connections": 10 * each / seconds, **figures}


def _load(imap: Imap, mailbox: str, count: int, *, varied: bool = False) -> int:
    """Fills a mailbox with the corpus; returns its octets."""
    octets, several = 0, b"MULTIAPPEND" in imap.capabilities
    plus = b"+" if b"LITERAL+" in imap.capabilities else b""
    for first in range(0, count, 50):
        command = b""
        for number in range(first, min(first + 50, count)):
            message = corpus.message(number, count, varied=varied)
            octets += len(message)
            part = b" %s {%d%s}\r\n" % (corpus.append_head(number), len(message), plus)
            if not plus:
                raise RuntimeError("the corpus is loaded with LITERAL+ (RFC 7888), which the server lacks")
            command += part + message
            if not several:
                imap.command(b"APPEND " + mailbox.encode() + command)
                command = b""
        if several:
            imap.command(b"APPEND " + mailbox.encode() + command)
    return octets


def _median(run: Callable[[], float], times: int = 5) -> float:
    return statistics.median(run() for _ in range(times))


def fetch(target: Target) -> Figures:
    """FETCH, STORE and SEARCH in a mailbox of realistic messages."""
    count = 1_000 if target.quick else 10_000
    figures: Figures = {}
    name = "BenchFetch"
    with mailbox(target, name):
        imap = target.open()
        start = time.perf_counter()
        octets = _load(imap, name, count)
        figures["load MB/s (MULTIAPPEND)"] = octets / 1e6 / (time.perf_counter() - start)
        imap.command(b"SELECT " + name.encode())
        for label, items in (
            ("FETCH UID FLAGS", b"(UID FLAGS)"),
            ("FETCH ENVELOPE BODYSTRUCTURE", b"(UID FLAGS ENVELOPE BODYSTRUCTURE)"),
            ("FETCH HEADER.FIELDS", b"BODY.PEEK[HEADER.FIELDS (FROM SUBJECT DATE)]"),
            ("FETCH whole bodies", b"BODY.PEEK[]"),
        ):
            command = b"FETCH 1:* " + items
            answer = imap.command(command)
            if answer.count(b" FETCH (") != count:
                raise RuntimeError(f"{label}: {answer.count(b' FETCH (')} answers for {count} messages")
            length = len(answer)
            del answer

            def timed(command: bytes = command, length: int = length) -> float:
                seconds, got = imap.measure(command)
                if abs(got - length) > 200:  # the tagged line may tell times
                    raise RuntimeError(f"{command!r} gave {got} octets, before {length}")
                return seconds

            seconds = _median(timed, 3 if "bodies" in label else 5)
            figures[f"{label}, msg/s"] = count / seconds
            if "bodies" in label:
                figures["FETCH whole bodies, MB/s"] = length / 1e6 / seconds
        some = random.Random(1).sample(range(1, count + 1), min(count, 2000))
        commands = [b"UID FETCH %d BODY.PEEK[]" % number for number in some]
        start = time.perf_counter()
        for command in commands:
            imap.measure(command)
        figures["FETCH one at a time, msg/s"] = len(some) / (time.perf_counter() - start)
        figures |= _store(imap) | _search(imap, count)
        imap.close()
    return figures


def _store(imap: Imap) -> Figures:
    def run() -> float:
        there, _ = imap.measure(rb"STORE 1:1000 +FLAGS (\Answered)")
        back, _ = imap.measure(rb"STORE 1:1000 -FLAGS (\Answered)")
        return (there + back) / 2 * 1000

    return {"STORE on 1000 messages, ms": _median(run)}


def _search(imap: Imap, count: int) -> Figures:
    first, last = count // 4, count // 2
    day, after = corpus.internal_date(first).date(), corpus.internal_date(last).date()
    dated = [n + 1 for n in range(count) if day <= corpus.internal_date(n).date() < after]
    searches = {
        "SEARCH TEXT rare word, ms": (
            b"SEARCH TEXT " + corpus.RARE.encode(),
            sorted(number + 1 for number in corpus.rare_numbers(count)),
        ),
        "SEARCH flag, ms": (b"SEARCH FLAGGED", [n + 1 for n in range(count) if n % 50 == 0]),
        "SEARCH date, ms": (f"SEARCH SINCE {day:%d-%b-%Y} BEFORE {after:%d-%b-%Y}".encode(), dated),
    }
    figures = {}
    for label, (command, expected) in searches.items():
        answer = imap.command(command)
        found = [
            int(word) for line in answer.split(b"\r\n") if line.startswith(b"* SEARCH") for word in line.split()[2:]
        ]
        if found != expected:
            raise RuntimeError(f"{command!r} found {len(found)} messages, {len(expected)} expected: {found[:9]}")
        figures[label] = _median(lambda command=command: imap.measure(command)[0] * 1000)
    return figures


def search(target: Target) -> Figures:
    """SEARCH in a large mailbox by the index, beside a look at the text of every message (in this process)."""
    if target.moxpy is None or target.house.log is None:
        return {}
    count = 10_000 if target.quick else 50_000
    words, _ = corpus.vocabulary()
    rare = corpus.RARE
    kinds = {
        "rare word": (f"TEXT {rare}", texts.in_text(rare)),
        "inside a word": (f"TEXT {rare[3:12]}", texts.in_text(rare[3:12])),
        "frequent word": (f"BODY {words[0]}", texts.in_body(words[0])),
        "phrase": (f'TEXT "{words[40]} {words[800]}"', texts.in_text(f"{words[40]} {words[800]}")),
        "frequent phrase": (f'TEXT "{words[0]} {words[1]}"', texts.in_text(f"{words[0]} {words[1]}")),
        "two letters": ("TEXT qu", texts.in_text("qu")),
        "one letter": ("TEXT e", texts.in_text("e")),
        "FROM": ("FROM person17@", texts.in_field("from", "person17@")),
        "SUBJECT": (f"SUBJECT {words[500]}", texts.in_field("subject", words[500])),
        "other HEADER": ("HEADER X-Mailer-Tracking abcd", texts.in_field("x-mailer-tracking", "abcd")),
        "SENTSINCE": ("SENTSINCE 1-Feb-2025", texts.SentBetween(datetime.date(2025, 2, 1).toordinal(), None)),
    }
    figures: Figures = {}
    with mailbox(target, "BenchSearch") as name:
        imap = target.open()
        _load(imap, name, count, varied=True)
        config = str(next(target.house.log.parent.rglob("moxpy.toml")))
        before, start = target.cpu(), time.perf_counter()
        subprocess.run([str(target.moxpy), "reindex", "--config", config], check=True, stdout=subprocess.DEVNULL)
        seconds, cpu = time.perf_counter() - start, target.cpu() - before
        imap.command(b"SELECT " + name.encode())
        store = next(target.house.log.parent.rglob("data.mdb")).parent
        with environment.read_only(store) as (raw, handles):
            tx = ReadTx(raw, handles)
            ids = _ids(tx, name)
            made = [one for account in accounts.names(tx).values() for _, one in index.segments(tx, account)]
            text_octets = sum(one.text_octets for one in made)
            figures["index, % of the text"] = 100 * sum(one.octets for one in made) / text_octets
            figures["index, MB/s of text"] = text_octets / 1e6 / seconds
            figures["index, MB/s of text of one processor"] = text_octets / 1e6 / cpu
            for kind, (words_asked, query) in kinds.items():
                command = f"SEARCH RETURN (COUNT) {words_asked}".encode()
                answer = imap.command(command)
                start = time.perf_counter()
                found = 0
                for at in range(0, count, 64):
                    found += sum(map(query.test, stored.texts(tx, ids[0], ids[1][at : at + 64])))
                scan = (time.perf_counter() - start) * 1000
                if b"COUNT %d\r\n" % found not in answer:
                    raise RuntimeError(f"{command!r} gave {answer[:80]!r}, there are {found}")
                took = _median(lambda command=command: imap.measure(command)[0] * 1000)
                figures[f"SEARCH {kind}, ms"] = took
                figures[f"SEARCH {kind}, scan / index"] = scan / took
        imap.close()
    return figures


def _ids(tx: ReadTx, name: str) -> tuple[AccountID, list[int]]:
    """The account that has a mailbox, and the messages in it."""
    for account in accounts.names(tx).values():
        if (found := mailboxes.find(tx, account, name)) is not None:
            return account, [row.id for _, row in stored.rows(tx, account, found.id)]
    raise RuntimeError(f"no mailbox {name}")


def idle(target: Target) -> Figures:
    """How long after its final dot a delivery is news to a hundred listeners."""
    listeners, rounds = (20, 5) if target.quick else (100, 30)
    poll = select.epoll()
    connections: dict[int, Imap] = {}
    sender = socket.create_connection(target.smtp, timeout=20)
    delays: list[float] = []
    try:
        for _ in range(listeners):
            imap = target.open("INBOX")
            imap.sock.sendall(b"I1 IDLE\r\n")
            _line(imap.sock, b"+")
            connections[imap.sock.fileno()] = imap
            poll.register(imap.sock.fileno(), select.EPOLLIN)
        script = deliveries(rounds, _data(corpus.plain(5_000)), b"sender@localhost", target.house.user.encode())
        octets, whole = next(script)
        for _ in range(rounds):
            while not octets.endswith(b"\r\n.\r\n"):
                octets, whole = script.send(_exchange(sender, octets, whole))
            heard: set[int] = set()
            start = time.perf_counter()
            sender.sendall(octets)
            while len(heard) < listeners:
                events = poll.poll(20)
                if not events:
                    raise RuntimeError(f"{listeners - len(heard)} listeners heard nothing for 20 s")
                for fileno, _event in events:
                    if b" EXISTS" in connections[fileno].sock.recv(65536) and fileno not in heard:
                        heard.add(fileno)
                        delays.append(time.perf_counter() - start)
            octets, whole = script.send(_exchange(sender, b"", whole))
    finally:
        for imap in connections.values():
            imap.close()
        poll.close()
        sender.close()
    delays.sort()
    return {
        "IDLE news p50, ms": delays[len(delays) // 2] * 1000,
        "IDLE news p99, ms": delays[int(len(delays) * 0.99)] * 1000,
    }


def _exchange(sock: socket.socket, octets: bytes, whole: Callable[[bytearray], bool]) -> bytes:
    if octets:
        sock.sendall(octets)
    answer = bytearray()
    while not whole(answer):
        got = sock.recv(65536)
        if not got:
            raise RuntimeError("the server closed the connection")
        answer += got
    return bytes(answer)


def _line(sock: socket.socket, prefix: bytes) -> None:
    whole, buffer = starts(prefix), bytearray()
    while not whole(buffer):
        buffer += sock.recv(4096)


def logins(target: Target) -> Figures:
    """Connections that log in, select a mailbox and leave."""
    count = 200 if target.quick else 1500
    many = Many(target.imap)
    left = itertools.count(count - 10, -1)
    login = b"a " + target.login

    def conversation() -> Conversation:
        yield b"", starts(b"* OK")
        yield login, tagged(b"a")
        yield b"b SELECT INBOX\r\n", tagged(b"b")
        yield b"c LOGOUT\r\n", tagged(b"c")
        if next(left) > 0:
            many.start(conversation())

    figures: Figures = {}
    with _cpu(target, "LOGIN SELECT LOGOUT /s, 10 at a time", count, figures):
        start = time.perf_counter()
        for _ in range(10):
            many.start(conversation())
        many.run()
        seconds = time.perf_counter() - start
    many.close()
    return {"LOGIN SELECT LOGOUT /s, 10 at a time": count / seconds, **figures}


def memory(target: Target) -> Figures:
    """Resident memory of a server just started: alone, and with 500 clients in IDLE."""
    if target.moxpy is None:
        return {}
    with (
        tempfile.TemporaryDirectory(prefix="bench-memory-") as name,
        served.running(target.moxpy, Path(name) / "localserve") as house,
    ):
        time.sleep(1)
        idle_octets = served.resident_octets(house.pid)
        fresh = Target(house, target.quick)
        clients = [fresh.open("INBOX") for _ in range(500)]
        for imap in clients:
            imap.sock.sendall(b"I1 IDLE\r\n")
            _line(imap.sock, b"+")
        loaded = served.resident_octets(house.pid)
        for imap in clients:
            imap.close()
    return {"memory idle, MB": idle_octets / 1e6, "memory with 500 in IDLE, MB": loaded / 1e6}


def ready(target: Target) -> Figures:
    """From starting the process until SMTP and IMAP greet, on a directory that is there already."""
    if target.moxpy is None:
        return {}
    with tempfile.TemporaryDirectory(prefix="bench-ready-") as name:
        directory = Path(name) / "localserve"
        seconds = []
        for _ in range(4):
            with served.running(target.moxpy, directory) as house:
                seconds.append(house.ready_seconds)
    return {"ready after, s": statistics.median(seconds[1:])}


SECTIONS: dict[str, Callable[[Target], Figures]] = {
    "smtp": smtp,
    "judged": judged,
    "queue": queue,
    "append": append,
    "fetch": fetch,
    "search": search,
    "queries": queries.queries,
    "mixed": queries.mixed,
    "idle": idle,
    "logins": logins,
    "webapi": webapi,
    "web": web,
    "jmap": jmap,
    "memory": memory,
    "ready": ready,
}
