"""SORT, THREAD, SELECT and SEARCH in mailboxes of many short messages, and sessions that do a bit of everything."""

import itertools
import random
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator

from bench import corpus
from bench.target import Figures, Target, mailbox
from bench.wire import Conversation, Imap, Many, starts, tagged

RARE = b"zebrafinchology"
_SUBJECTS = 3000


def short(number: int) -> bytes:
    """A short message: three of five answer one of the hundred before them, with References."""
    dice = random.Random(number)
    above = [number]
    while len(above) < 12 and above[-1] and random.Random(above[-1]).random() < 0.6:
        above.append(max(0, above[-1] - 1 - dice.randrange(100)))
    replies = len(above) > 1
    lines = [
        f"From: Person {number % 400} <person{number % 400}@mailer.example>",
        f"To: Friend {number % 90} <friend{number % 90}@localhost>",
        f"Cc: <cc{number % 30}@localhost>",
        f"Subject: {'Re: ' if replies else ''}subject {above[-1] % _SUBJECTS}",
        f"Date: {corpus.internal_date(number * 7919 % 10_007):%a, %d %b %Y %H:%M:%S} +0000",
        f"Message-ID: <m{number}@mailer.example>",
        *([f"References: {' '.join(f'<m{one}@mailer.example>' for one in reversed(above[1:]))}"] if replies else []),
        "",
        f"{RARE.decode() if number % 9973 == 17 else 'Common'} words, and some more of them in message {number}.",
        "",
    ]
    return "\r\n".join(lines).encode()


def load(imap: Imap, name: str, count: int) -> None:
    for first in range(0, count, 500):
        command = b"APPEND " + name.encode()
        for number in range(first, min(first + 500, count)):
            octets = short(number)
            command += b" (%s) {%d+}\r\n%b" % (rb"\Seen" if number % 3 else b"", len(octets), octets)
        imap.command(command)


def _median(imap: Imap, command: bytes, times: int = 7) -> float:
    return statistics.median(imap.measure(command)[0] for _ in range(times)) * 1000


def _numbers(answer: bytes, name: bytes) -> list[int]:
    line = next(line for line in answer.split(b"\r\n") if line.startswith(b"* " + name))
    return [int(one) for one in line.split()[2:]]


def queries(target: Target) -> Figures:
    """One client at a time."""
    few, many = (2_000, 10_000) if target.quick else (10_000, 100_000)
    figures: Figures = {}
    with mailbox(target, "BenchFew") as name, mailbox(target, "BenchMany") as large:
        imap = target.open()
        if b"SORT" not in imap.capabilities:
            raise RuntimeError("the server does not sort")
        load(imap, name, few)
        load(imap, large, many)
        index(target)
        imap.command(b"SELECT " + name.encode())
        seconds, _ = imap.measure(b"SORT (DATE) UTF-8 ALL")
        figures["first SORT in 10,000, ms"] = seconds * 1000
        expected = sorted(range(1, few + 1), key=lambda number: ((number - 1) * 7919 % 10_007, number))
        if _numbers(imap.command(b"SORT (DATE) UTF-8 ALL"), b"SORT") != expected:
            raise RuntimeError("SORT gave another order")
        figures["SORT DATE in 10,000, ms"] = _median(imap, b"SORT (DATE) UTF-8 ALL")
        keys = b"ARRIVAL CC DATE DISPLAYFROM DISPLAYTO FROM SIZE SUBJECT TO".split()
        figures["SORT by the slowest key in 10,000, ms"] = max(
            _median(imap, b"SORT (REVERSE %b) UTF-8 ALL" % key, 3) for key in keys
        )
        for algorithm in (b"REFERENCES", b"ORDEREDSUBJECT"):
            command = b"THREAD %b UTF-8 ALL" % algorithm
            if imap.command(command).count(b"(") < few // 10:
                raise RuntimeError("THREAD gave too little")
            figures[f"THREAD {algorithm.decode()} in 10,000, ms"] = _median(imap, command)
        figures["SEARCH FROM in 10,000, ms"] = _median(imap, b"SEARCH FROM person17@")
        figures["SEARCH SUBJECT in 10,000, ms"] = _median(imap, b'SEARCH SUBJECT "subject 171"')
        figures["SEARCH TEXT rare word in 10,000, ms"] = _median(imap, b"SEARCH TEXT " + RARE)
        command = b"SELECT " + large.encode()
        seconds, _ = imap.measure(command)
        figures["first SELECT of 100,000, ms"] = seconds * 1000
        figures["SELECT of 100,000, ms"] = _median(imap, command, 3)
        expected = [number + 1 for number in range(many) if number % 9973 == 17]
        if _numbers(imap.command(b"SEARCH TEXT " + RARE), b"SEARCH") != expected:
            raise RuntimeError("SEARCH found others")
        figures["SEARCH TEXT rare word in 100,000, ms"] = _median(imap, b"SEARCH TEXT " + RARE)
        figures["SEARCH FROM in 100,000, ms"] = _median(imap, b"SEARCH FROM person17@")
        seconds, _ = imap.measure(b"SORT (DATE) UTF-8 ALL")
        figures["first SORT in 100,000, ms"] = seconds * 1000
        figures["SORT DATE in 100,000, ms"] = _median(imap, b"SORT (DATE) UTF-8 ALL", 3)
        figures["THREAD REFERENCES in 100,000, ms"] = _median(imap, b"THREAD REFERENCES UTF-8 ALL", 3)
        imap.close()
    return figures


def index(target: Target) -> None:
    """The index of ours is made now, not when it would be."""
    if target.moxpy is not None and target.house.log is not None:
        config = str(next(target.house.log.parent.rglob("moxpy.toml")))
        subprocess.run([str(target.moxpy), "reindex", "--config", config], check=True, stdout=subprocess.DEVNULL)


def _commands(dice: random.Random, count: int) -> Iterator[bytes]:
    """What clients do, by chance; most of it is looking."""

    def some(most: int) -> bytes:
        first = dice.randint(1, count)
        return b"%d:%d" % (first, min(count, first + dice.randrange(most)))

    makers: list[tuple[int, Callable[[], bytes]]] = [
        (20, lambda: b"NOOP"),
        (20, lambda: b"FETCH %b (UID FLAGS)" % some(50)),
        (15, lambda: b"UID FETCH %b (FLAGS ENVELOPE RFC822.SIZE)" % some(20)),
        (10, lambda: b"UID FETCH %b BODY.PEEK[]" % some(2)),
        (10, lambda: b"STORE %b %bFLAGS.SILENT (\\Flagged)" % (some(3), dice.choice((b"+", b"-")))),
        (10, lambda: b"UID SEARCH UNSEEN"),
        (5, lambda: b"UID SEARCH FROM person%d@" % dice.randrange(400)),
        (5, lambda: b"STATUS INBOX (MESSAGES UNSEEN UIDNEXT)"),
        (3, lambda: b"UID SORT (REVERSE DATE) UTF-8 ALL"),
        (2, lambda: b"UID THREAD REFERENCES UTF-8 ALL"),
    ]
    weights = [weight for weight, _ in makers]
    while True:
        (_, make), *_ = dice.choices(makers, weights)
        yield make()


def mixed(target: Target) -> Figures:
    """Sessions that do a bit of everything in one mailbox of 2,000 messages, all at once."""
    count = 2_000
    figures: Figures = {}
    with mailbox(target, "BenchMixed") as name:
        imap = target.open()
        load(imap, name, count)
        sorts = b"SORT" in imap.capabilities
        imap.close()
        for sessions in (10, 50):
            each = (2_000 if target.quick else 10_000) // sessions
            label = f"mixed commands/s, {sessions} sessions"
            many = Many(target.imap)

            def conversation(number: int, each: int = each) -> Conversation:
                dice = random.Random(number)
                yield b"", starts(b"* OK")
                yield b"L1 " + target.login, tagged(b"L1")
                yield b"L2 SELECT " + name.encode() + b"\r\n", tagged(b"L2")
                commands = (one for one in _commands(dice, count) if sorts or b"UTF-8" not in one)
                for at, command in enumerate(itertools.islice(commands, each)):
                    tag = b"Zq%dx" % at
                    yield tag + b" " + command + b"\r\n", tagged(tag)

            before, start = target.cpu(), time.perf_counter()
            for number in range(sessions):
                many.start(conversation(number))
            many.run()
            figures[label] = sessions * each / (time.perf_counter() - start)
            many.close()
            if target.moxpy is not None:
                figures[f"{label}, CPU us"] = (target.cpu() - before) / (sessions * each) * 1e6
    return figures
