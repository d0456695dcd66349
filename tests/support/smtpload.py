"""Sends messages by SMTP as fast as a server takes them, and remembers which ones it took.

For benchmarks and for the test that kills a server: what got 250 must be there afterwards. It speaks raw SMTP and uses
nothing of ours, so that a fault of our protocol rooms cannot hide itself. Run it as a program, or call `run`.

    python tests/support/smtpload.py 127.0.0.1 1025 --rcpt mox@localhost --count 1000 --connections 4
"""

import argparse
import base64
import itertools
import json
import os
import ssl
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import trio

LINE = b"The quick brown fox jumps over the lazy dog, and then it does so again.\r\n"
#: Where a message has its id: the same number of octets in every one.
ID_OCTETS = 24
ID_MARK = b"@" * ID_OCTETS
#: The longest reply we wait for without line end; a server that sends more is broken.
MOST_REPLY_OCTETS = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class Load:
    """What to send, and where."""

    host: str
    port: int
    mail_from: str = "load@sender.example"
    rcpt_to: tuple[str, ...] = ("mox@localhost",)
    #: Messages in all, and the most seconds for them.
    count: int = 100
    seconds: float = 60.0
    #: Of one reply.
    reply_seconds: float = 60.0
    size_octets: int = 5000
    connections: int = 1
    #: A connection for each message.
    reconnect: bool = False
    #: MAIL, RCPT and DATA together (RFC 2920).
    pipeline: bool = False
    #: "no", "starttls" or "immediate"; certificates are not checked.
    tls: str = "no"
    #: User and password for AUTH PLAIN.
    login: tuple[str, str] | None = None
    #: Extra header fields, each with CRLF.
    header: bytes = b""


@dataclass
class Outcome:
    """What became of the load; may be read while it is running."""

    #: Ids of messages that got 250 for their content: these were promised.
    accepted: list[str] = field(default_factory=list)
    #: Ids of messages sent, perhaps not in full, without hearing an answer: may be there or not.
    unanswered: list[str] = field(default_factory=list)
    #: Ids that got another answer, with it.
    refused: list[tuple[str, str]] = field(default_factory=list)
    #: Connections that ended by themselves or could not be made, by cause.
    failures: dict[str, int] = field(default_factory=dict)
    began: float = 0.0
    ended: float = 0.0

    @property
    def per_second(self) -> float:
        """Messages accepted per second."""
        return len(self.accepted) / max(self.ended - self.began, 1e-9)

    def fail(self, cause: str) -> None:
        """Count a lost connection."""
        self.failures[cause] = self.failures.get(cause, 0) + 1


class Refusal(Exception):
    """A reply that was not the one expected."""


class Lost(Exception):
    """The server went away, or was too slow."""


class Client:
    """One connection, and what was received on it."""

    def __init__(self, stream: trio.abc.Stream, load: Load) -> None:
        self._stream = stream
        self._load = load
        self._received = b""

    async def send(self, octets: bytes) -> None:
        try:
            with trio.fail_after(self._load.reply_seconds):
                await self._stream.send_all(octets)
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError, ssl.SSLError) as error:
            raise Lost(type(error).__name__) from error

    async def reply(self, code: bytes) -> None:
        """One reply of any number of lines; Refusal when it has another code."""
        while True:
            line = await self._line()
            if line[3:4] != b"-":
                break
        if not line.startswith(code):
            raise Refusal(line.decode("utf-8", "replace"))

    async def _line(self) -> bytes:
        while (end := self._received.find(b"\n")) < 0:
            if len(self._received) > MOST_REPLY_OCTETS:
                raise Lost("endless reply")
            self._received += await self._receive()
        line, self._received = self._received[:end], self._received[end + 1 :]
        return line

    async def _receive(self) -> bytes:
        try:
            with trio.fail_after(self._load.reply_seconds):
                octets = bytes(await self._stream.receive_some(65536))
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError, ssl.SSLError) as error:
            raise Lost(type(error).__name__) from error
        if not octets:
            raise Lost("closed")
        return octets

    async def command(self, line: bytes, code: bytes) -> None:
        await self.send(line + b"\r\n")
        await self.reply(code)

    async def greet(self) -> None:
        """Everything before the first message."""
        load = self._load
        if load.tls == "immediate":
            self._start_tls()
        await self.reply(b"220")
        await self.command(b"EHLO load.sender.example", b"250")
        if load.tls == "starttls":
            await self.command(b"STARTTLS", b"220")
            self._start_tls()
            await self.command(b"EHLO load.sender.example", b"250")
        if load.login:
            user, password = load.login
            response = base64.b64encode(f"\0{user}\0{password}".encode())
            await self.command(b"AUTH PLAIN " + response, b"235")

    def _start_tls(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        # Strange closings are the server's to answer for in other tests.
        self._stream = trio.SSLStream(self._stream, context, https_compatible=True)

    async def quit(self) -> None:
        """Say goodbye if anybody still listens."""
        try:
            await self.command(b"QUIT", b"221")
        except (Lost, Refusal):
            pass
        finally:
            await trio.aclose_forcefully(self._stream)

    async def close(self) -> None:
        await trio.aclose_forcefully(self._stream)


class Sender:
    """Made once, so that a message costs a few octets' copying: its text differs in the id alone."""

    def __init__(self, load: Load) -> None:
        sender, first = load.mail_from, load.rcpt_to[0]
        header = (
            load.header + f"From: <{sender}>\r\nTo: <{first}>\r\nDate: Sun, 01 Mar 2026 12:00:00 +0000\r\n".encode()
            + b"Message-ID: <" + ID_MARK + b"@load.sender.example>\r\nSubject: load " + ID_MARK + b"\r\n\r\n"
        )  # fmt: skip
        lines, rest = divmod(max(load.size_octets - len(header), len(LINE)), len(LINE))
        text = LINE * lines + (b"x" * (rest - 2) + b"\r\n" if rest > 1 else b"")
        self._before, self._between, self._behind = (header + text + b".\r\n").split(ID_MARK)
        self._mail = f"MAIL FROM:<{sender}> SIZE={len(header) + len(text)}\r\n".encode()
        self._rcpts = [f"RCPT TO:<{recipient}>\r\n".encode() for recipient in load.rcpt_to]
        self._envelope = self._mail + b"".join(self._rcpts) + b"DATA\r\n"
        self._pipeline = load.pipeline

    async def send(self, client: Client, ident: str, outcome: Outcome) -> None:
        """One message. Raises Lost; a refusal is noted, and the connection goes on."""
        try:
            await self._open(client)
        except Refusal as error:
            outcome.refused.append((ident, str(error)))
            await client.command(b"RSET", b"250")
            return
        name = ident.encode("ascii")
        try:
            await client.send(b"".join((self._before, name, self._between, name, self._behind)))
            await client.reply(b"250")
        except Refusal as error:
            outcome.refused.append((ident, str(error)))
        except (Lost, trio.Cancelled):
            outcome.unanswered.append(ident)
            raise
        else:
            outcome.accepted.append(ident)

    async def _open(self, client: Client) -> None:
        if not self._pipeline:
            await client.send(self._mail)
            await client.reply(b"250")
            for rcpt in self._rcpts:
                await client.send(rcpt)
                await client.reply(b"250")
            await client.command(b"DATA", b"354")
            return
        await client.send(self._envelope)
        refusal: Refusal | None = None
        for _ in range(1 + len(self._rcpts)):
            try:
                await client.reply(b"250")
            except Refusal as error:
                refusal = refusal or error
        try:
            await client.reply(b"354")
        except Refusal as error:
            raise refusal or error from None
        if refusal:
            # Some recipients were taken: an empty message ends it (RFC 2920 §3.1).
            await client.send(b".\r\n")
            try:
                await client.reply(b"250")
            except Refusal:
                pass
            raise refusal


async def run(load: Load, outcome: Outcome | None = None) -> Outcome:
    """Send the load; ends after its count, its time, or when connections keep failing."""
    result = outcome if outcome is not None else Outcome()
    prefix = os.urandom(6).hex()
    idents = (f"{prefix}-{number:0{ID_OCTETS - 13}d}" for number in itertools.islice(itertools.count(), load.count))
    sender = Sender(load)
    result.began = result.ended = trio.current_time()
    with trio.move_on_after(load.seconds):
        async with trio.open_nursery() as nursery:
            for _ in range(load.connections):
                nursery.start_soon(_work, load, sender, idents, result)
    result.ended = trio.current_time()
    return result


async def _work(load: Load, sender: Sender, idents: Iterator[str], outcome: Outcome) -> None:
    """One connection after another, for as long as there are messages and the server is there."""
    failures = 0
    for first in idents:
        try:
            stream = await trio.open_tcp_stream(load.host, load.port)
        except OSError as error:
            outcome.fail(f"connect: {error.strerror or type(error).__name__}")
            return
        client = Client(stream, load)
        try:
            await client.greet()
            await sender.send(client, first, outcome)
            if not load.reconnect:
                for ident in idents:
                    await sender.send(client, ident, outcome)
            await client.quit()
            failures = 0
        except (Lost, Refusal) as error:
            outcome.fail(f"{type(error).__name__.lower()}: {error}")
            failures += 1
            if failures >= 3:
                return
        finally:
            await client.close()


def arguments(argv: list[str]) -> tuple[Load, Path | None]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--from", dest="mail_from", default=Load.mail_from)
    parser.add_argument("--rcpt", action="append", help="may be given several times")
    parser.add_argument("--count", type=int, default=Load.count)
    parser.add_argument("--seconds", type=float, default=Load.seconds)
    parser.add_argument("--size", type=int, default=Load.size_octets)
    parser.add_argument("--connections", type=int, default=Load.connections)
    parser.add_argument("--reconnect", action="store_true", help="a connection for each message")
    parser.add_argument("--pipeline", action="store_true")
    parser.add_argument("--tls", choices=["no", "starttls", "immediate"], default="no")
    parser.add_argument("--login", metavar="USER:PASSWORD")
    parser.add_argument("--ids", type=Path, help="write accepted and unanswered ids to this file, as JSON")
    given = parser.parse_args(argv)
    user, colon, password = (given.login or "").partition(":")
    load = Load(
        host=given.host,
        port=given.port,
        mail_from=given.mail_from,
        rcpt_to=tuple(given.rcpt or Load.rcpt_to),
        count=given.count,
        seconds=given.seconds,
        size_octets=given.size,
        connections=given.connections,
        reconnect=given.reconnect,
        pipeline=given.pipeline,
        tls=given.tls,
        login=(user, password) if colon else None,
    )
    return load, given.ids


def main(argv: list[str]) -> int:
    load, ids = arguments(argv)
    outcome = trio.run(run, load)
    print(
        f"{len(outcome.accepted)} accepted in {outcome.ended - outcome.began:.2f} s: {outcome.per_second:.0f} per second; "
        f"{len(outcome.refused)} refused, {len(outcome.unanswered)} unanswered"
    )
    for cause, count in sorted(outcome.failures.items()):
        print(f"  {count} connections ended: {cause}")
    for reply, replies in itertools.groupby(sorted(reply for _, reply in outcome.refused)):
        print(f"  {len(list(replies))} refused: {reply}")
    if ids is not None:
        ids.write_text(json.dumps({"accepted": outcome.accepted, "unanswered": outcome.unanswered}))
    return 0 if len(outcome.accepted) == load.count else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
