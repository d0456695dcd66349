"""Mail of other servers, with everything on that judges it: checks of the sender, history, a trained junk filter.

The house is `bench.judginghouse`: the configuration is a generated one, the DNS a server on the loopback whose answers
are kept. Half of the senders are known to the reader and half are not; every message has two signatures.
"""

import base64
import contextlib
import itertools
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import names
from bench.judginghouse import ADDRESS, PASSWORD
from bench.target import Figures, Target
from bench.wire import Conversation, Imap, Many, replies
from support import dkimkeys, served

#: What the filter has learned: words, and messages of so many words.
WORDS, LESSON_WORDS = 100_000, 1000
KNOWN_DOMAINS, UNKNOWN_DOMAINS = 20, 60
MESSAGE_OCTETS = 5_000
MIB = 1 << 20
TRAINING_SECONDS = 300
#: Each hostile message comes so often; the machine may have been busy with something else at one of the times.
HOSTILE_TIMES = 3

_SYLLABLES = ["".join(one) for one in itertools.product("bdfghklmnprstvz", "aeiou")]


def words(junk: bool) -> list[str]:
    """Half of all words the filter knows: those of good messages, or of the others."""
    every = itertools.islice(itertools.product(_SYLLABLES, repeat=3), 0, 4 * WORDS, 4)
    return ["".join(one) for number, one in enumerate(every) if number % 2 == junk]


_GOOD = words(junk=False)
#: As in texts of people: the n-th word comes about 1/n as often as the first.
_WEIGHTS = list(itertools.accumulate(1 / (place + 2.7) for place in range(len(_GOOD))))


def lessons(junk: bool) -> Iterator[bytes]:
    """Messages with all these words, each in at least two of them."""
    dice = random.Random(junk)
    known = words(junk)
    for turn in range(2):
        dice.shuffle(known)
        for at in range(0, len(known), LESSON_WORDS):
            text = "\r\n".join(" ".join(known[n : n + 10]) for n in range(at, at + LESSON_WORDS, 10))
            yield f"From: <x@d.example>\r\nMessage-ID: <{junk}.{turn}.{at}@d.example>\r\n\r\n{text}\r\n".encode()


def message(number: int, sender: str) -> bytes:
    """Good words, signed by the domain of its sender twice."""
    dice = random.Random(number)
    domain = sender.partition("@")[2]
    head = (
        f"From: Somebody <{sender}>\r\nTo: <{ADDRESS}>\r\nSubject: {' '.join(dice.choices(_GOOD, cum_weights=_WEIGHTS, k=4))}\r\n"
        f"Date: Thu, 1 Oct 2026 10:00:00 +0000\r\nMessage-ID: <{number}.{dice.getrandbits(64):x}@{domain}>\r\n"
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    )
    lines, left = [], MESSAGE_OCTETS - len(head) - 1000
    while left > 0:
        lines.append(" ".join(dice.choices(_GOOD, cum_weights=_WEIGHTS, k=10)))
        left -= len(lines[-1]) + 2
    octets = (head + "\r\n".join(lines) + "\r\n").encode()
    signed = "from:to:subject:date:message-id:mime-version:content-type"
    for key, selector in ((dkimkeys.ed25519_key(), "ed"), (dkimkeys.rsa_key(names.RSA_BITS), "rsa")):
        octets = dkimkeys.signed(octets, key=key, names=signed, d=domain, s=selector)
    return octets


@dataclass(frozen=True)
class Mail:
    """A message and who sends it."""

    sender: str
    octets: bytes


class Addresses:
    """Where clients come from: networks that nobody has come from yet, as what one network sends is limited."""

    def __init__(self) -> None:
        self._count = itertools.count(1)

    def next(self) -> str:
        number = next(self._count)
        return f"127.{number >> 4}.{number % 16 * 16}.9"


@dataclass
class Judging:
    """The house, and how to ask it."""

    process: "subprocess.Popen[str]"
    smtp: tuple[str, int]
    imap: tuple[str, int]
    addresses: Addresses

    def ask(self, question: str) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(question + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the house has ended at {question!r}")
        return json.loads(answer)

    def deliver(self, mail: Sequence[Mail], connections: int) -> float:
        """Each once, over so many connections, each from a network of its own; the seconds it took."""
        many = Many(self.smtp)
        start = time.perf_counter()
        for at in range(connections):
            address = self.addresses.next()
            many.start(transactions(mail[at::connections], address), (address, 0))
        many.run()
        seconds = time.perf_counter() - start
        many.close()
        return seconds


def transactions(mail: Sequence[Mail], address: str, good: bytes = b"23") -> Conversation:
    """One connection that delivers; every reply must begin with one of the digits `good`."""
    one, three = replies(1, good), replies(3, good)
    yield b"", one
    yield f"EHLO {names.host(address)}\r\n".encode(), one
    for each in mail:
        yield f"MAIL FROM:<{each.sender}>\r\nRCPT TO:<{ADDRESS}>\r\nDATA\r\n".encode(), three
        yield each.octets + b".\r\n", one
    yield b"QUIT\r\n", one


@contextlib.contextmanager
def running() -> Iterator[Judging]:
    """A house of its own."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-judged-")))
        dns = stack.enter_context(names.serving())
        smtp, imap = served.free_ports(2)
        output = stack.enter_context((folder / "log").open("wb"))
        (folder / "house").mkdir()
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.judginghouse", str(folder / "house"), str(smtp), str(imap), str(dns)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
            start_new_session=True,
        )
        stack.callback(served.stop, process)  # type: ignore[arg-type]
        try:
            served.wait_ready("127.0.0.1", smtp, imap, process)  # type: ignore[arg-type]
            yield Judging(process, ("127.0.0.1", smtp), ("127.0.0.1", imap), Addresses())
        except Exception as error:
            log = (folder / "log").read_text(errors="replace")
            raise RuntimeError(f"{error}; the end of the log of the house:\n{log[-1000:]}") from error


def _train(house: Judging, kept: int) -> int:
    """By what a reader does: what he keeps, `kept` in his Inbox, and what he throws among the junk. The words learned."""
    imap = Imap(house.imap, ADDRESS, PASSWORD)
    imap.command(b"SELECT INBOX")
    imap.command(b"STORE 1:* +FLAGS.SILENT ($NotJunk)")
    count = kept
    for mailbox, junk in ((b"Archive", False), (b"Junk", True)):
        for octets in lessons(junk):
            imap.command(b"APPEND %s {%d+}\r\n%s" % (mailbox, len(octets), octets))
            count += 1
    imap.close()
    deadline = time.monotonic() + TRAINING_SECONDS
    while (state := house.ask("state"))["hams"] + state["spams"] < count:
        if time.monotonic() > deadline:
            raise RuntimeError(f"the filter has learned only {state} of {count}")
        time.sleep(0.2)
    return state["words"]


def judged(target: Target) -> Figures:
    """Deliveries that are judged: how many, what the parts cost, and how long others wait for one."""
    if target.moxpy is None:
        return {}
    count = 600 if target.quick else 4000
    figures: Figures = {}
    known = [
        Mail(f"friend{n // KNOWN_DOMAINS}@{names.domain(n % KNOWN_DOMAINS)}", b"") for n in range(5 * KNOWN_DOMAINS)
    ]
    known = [Mail(one.sender, message(n, one.sender)) for n, one in enumerate(known)]
    unknown = [f"person{n}@{names.domain(KNOWN_DOMAINS + n % UNKNOWN_DOMAINS)}" for n in range(300)]
    strange = [Mail(sender, message(1000 + n, sender)) for n, sender in enumerate(unknown)]
    with running() as house, tempfile.TemporaryDirectory(prefix="bench-judged-") as name:
        house.deliver(known, 1)
        if _train(house, len(known)) < 0.99 * WORDS:
            raise RuntimeError("the filter has not learned all words")
        house.deliver(strange[:UNKNOWN_DOMAINS], 2)
        asked = Path(name) / "asked.json"
        address = house.addresses.next()
        mail = [*known[:30], *strange[:30]]
        asked.write_text(
            json.dumps(
                {
                    "address": address,
                    "helo": names.host(address),
                    "messages": [(one.sender, base64.b64encode(one.octets).decode()) for one in mail],
                }
            )
        )
        house.ask(f"checks {asked} 1")
        figures["checks of 5 KB, two signatures, ms"] = statistics.mean(house.ask(f"checks {asked} 5")) / 1000
        scores = house.ask(f"classify {asked} 5")
        figures["classification by 100,000 words, ms"] = statistics.mean(one for one, _ in scores) / 1000
        pairs = itertools.chain.from_iterable(zip(itertools.cycle(known), itertools.cycle(strange), strict=False))
        mixed = list(itertools.islice(pairs, count))
        label = "judged deliveries/s, 10 kept"
        before = served.cpu_seconds(house.process.pid)
        figures[label] = count / house.deliver(mixed, 10)
        figures[f"{label}, CPU us"] = (served.cpu_seconds(house.process.pid) - before) / count * 1e6
        small = mixed[:100]
        figures["longest step, 5 KB, ms"] = _longest(house, small, 10)
        house.ask("wait")
        time.sleep(1)
        figures["others wait, nothing comes, p99, ms"], figures["others wait, nothing comes, most, ms"] = _waited(house)
        # One at a time, as of a single message; of ten at once each waits for the others.
        for connections, name in ((1, "5 KB"), (10, "5 KB, 10 kept")):
            p99, most = _waits(house, mixed[:400], connections)
            figures[f"others wait, {name}, p99, ms"], figures[f"others wait, {name}, most, ms"] = p99, most
        for kind, octets in hostile().items():
            mail = [Mail(unknown[0], octets)]
            figures[f"longest step, {kind}, ms"] = _longest(house, mail, 1, b"2345")
            waits = [_waits(house, mail, 1, b"2345") for _ in range(HOSTILE_TIMES)]
            figures[f"others wait, {kind}, p99, ms"] = statistics.median(p99 for p99, _ in waits)
            figures[f"others wait, {kind}, most, ms"] = statistics.median(most for _, most in waits)
    return figures


def _longest(house: Judging, mail: Sequence[Mail], connections: int, good: bytes = b"23") -> float:
    """Milliseconds of processor that the event loop was at once at something while these were delivered."""
    house.ask("watch")
    _send(house, mail, connections, good)
    steps = house.ask("watched")
    return float(max((one[0] for one in steps), default=1.0))


def _waits(house: Judging, mail: Sequence[Mail], connections: int, good: bytes = b"23") -> tuple[float, float]:
    """Milliseconds that somebody else waited for his turn while these were delivered: p99, and at most."""
    house.ask("wait")
    _send(house, mail, connections, good)
    return _waited(house)


def _waited(house: Judging) -> tuple[float, float]:
    p99, most = house.ask("waited")
    return p99, most


def _send(house: Judging, mail: Sequence[Mail], connections: int, good: bytes) -> None:
    many = Many(house.smtp)
    for at in range(connections):
        address = house.addresses.next()
        many.start(transactions(mail[at::connections], address, good), (address, 0))
    many.run()
    many.close()


def hostile() -> dict[str, bytes]:
    """Messages of 25 MB that are meant to cost us time; their headers are as large as they may be."""
    size = 25 * MIB
    sender = names.domain(KNOWN_DOMAINS).encode()
    head = b"From: <person0@%s>\r\nTo: <%s>\r\nSubject: x\r\n" % (sender, ADDRESS.encode())
    line = b"The quick brown fox jumps over the lazy dog, again and again and again.\r\n"
    text = line * (size // len(line))
    part = b"--b\r\nContent-Type: text/plain; name=x\r\n\r\n"
    parts = 9_900
    filling = line * ((size // parts - len(part)) // len(line))
    fields = b"".join(b"X-Field-%d: " % n + b"word " * 20 + b"\r\n" for n in range(1900))
    people = b",\r\n ".join(b"Person %d <person%d@d%d.example>" % (n, n, n) for n in range(3000))
    signature = b"DKIM-Signature: v=1; a=rsa-sha256; c=%s; d=%s; s=rsa; h=from:to:subject; bh=%s; b=%s\r\n"
    signatures = b"".join(
        signature % (canon, sender, base64.b64encode(bytes(32)), base64.b64encode(bytes(256)))
        for canon in (b"relaxed/relaxed", b"simple/simple") * 200
    )
    nest = b"Content-Type: message/rfc822\r\n\r\n" * 90 + b"Content-Type: text/plain\r\n\r\n" + line * 400
    coded = base64.encodebytes(text[: size * 3 // 4]).replace(b"\n", b"\r\n")
    encoded_words = b"\r\n ".join(b"=?utf-8?b?" + base64.b64encode(b"\xc3\xa9" * 20) + b"?=" for _ in range(2500))
    many = head + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    return {
        "60 KB in 9,900 parts": many + b"--b\n\n" * 9_900 + b"--b--\r\n",
        "15 KB in 2,400 parts": many + b"--b\n\n" * 2_400 + b"--b--\r\n",
        "60 KB of nests": many + (b"--b\n" + b"Content-Type: message/rfc822\n\n" * 47 + b"\n") * 40 + b"--b--\r\n",
        "15 KB of nests": many + (b"--b\n" + b"Content-Type: message/rfc822\n\n" * 47 + b"\n") * 10 + b"--b--\r\n",
        "25 MB in one line": head + b"\r\n" + b"words and " * (size // 10) + b"\r\n",
        "25 MB in 9,900 parts": head
        + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        + (part + filling) * parts
        + b"--b--\r\n",
        "25 MB and 1,900 fields": head + fields + b"\r\n" + text,
        # The first one fits, so that the body must be hashed.
        "25 MB and 400 signatures": dkimkeys.signed(
            signatures + head + b"\r\n" + text,
            key=dkimkeys.rsa_key(names.RSA_BITS),
            names="from:to:subject",
            d=sender.decode(),
            s="rsa",
        ),
        "25 MB of nests": head
        + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        + (b"--b\r\n" + nest) * (size // (len(nest) + 5))
        + b"--b--\r\n",
        "25 MB in base64": head + b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n" + coded,
        "25 MB and a huge Subject": head.replace(b"Subject: x", b"Subject: " + encoded_words) + b"\r\n" + text,
        "25 MB and a huge To": head.replace(b"To: ", b"To: " + people + b",\r\n ") + b"\r\n" + text,
        "25 MB and a huge From": head.replace(b"From: ", b"From: " + people + b",\r\n ") + b"\r\n" + text,
        "25 MB of odd letters": head
        + b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        + "".join(f"{chr(0x4E00 + n % 20_000)}e\u0301{n}\u1e69\u0323o\u0308 " for n in range(1_500_000)).encode()
        + b"\r\n",
        "25 MB of accents": head.replace(b"Subject: ", b"Subject: " + "\u0301\u0323".encode() * 50_000 + b"\r\n ")
        + b"Content-Type: text/plain; charset=utf-8\r\n\r\n"
        + "\u0301\u0323".encode() * (size // 4)
        + b"\r\n",
        "25 MB of HTML": head + b"Content-Type: text/html\r\n\r\n" + b"<b><i>word &amp; <a href=x>\r\n" * (size // 29),
    }
