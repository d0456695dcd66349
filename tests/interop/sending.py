"""Our client of SMTP, sending to other people's servers: messages of every kind, and what became of them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import trio

from appliance.base.ids import SystemRandom
from appliance.base.log import Log
from appliance.mail.address import parse_path
from appliance.protocol.sasl.client import Login
from appliance.protocol.smtp.client import Outcome
from appliance.protocol.smtp.transaction import Recipient, Transaction
from appliance.queue.smtpclient import Content, Session, connect
from appliance.queue.smtpsettings import Check, LoginPolicy, Settings, TLSMode, TLSPolicy, Weight
from appliance.tls.context import KeyPair, client_context
from appliance.tls.verify import by_authorities, load_roots

ARRIVES_SECONDS = 30
BODIES = {
    "plain": b"line one\r\n.dot\r\n..two\r\n.\r\n\r\nlast\r\n",
    "empty": b"",
    "eight": "Grüße, 郵便\r\n".encode() * 50,
    "long": b"x" * 990 + b"\r\n" + b".y" * 400 + b"\r\n",
    "dots": b".\r\n" * 1000,
    "large": (b"0123456789abcdef" * 4 + b"\r\n") * 150_000,
}


@dataclass
class Message:
    """One of a name, which is its Message-ID."""

    name: str
    octets: bytes
    sender: str
    recipients: tuple[str, ...]
    smtputf8: bool = False


def message(name: str, body: bytes, *recipients: str, sender: str = "sender@us.example", subject: str = "") -> Message:
    header = (
        f"From: <sender@us.example>\r\nTo: <{recipients[0]}>\r\nSubject: {subject or name}\r\nMessage-ID: <{name}@us.example>\r\n"
        f"Date: Thu, 26 Nov 2026 12:00:00 +0000\r\nMIME-Version: 1.0\r\n"
        f"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    )
    utf8 = not (header + sender + "".join(recipients)).isascii()
    return Message(name, header.encode() + body, sender, recipients, utf8)


def of_all_kinds(recipient: str) -> list[Message]:
    return [message(name, body, recipient) for name, body in BODIES.items()]


def settings(
    mode: TLSMode, certificate: Path, login: tuple[str, str, str] | None = None, pair: KeyPair | None = None
) -> Settings:
    """With the server's own certificate demanded; `login`: mechanism, user, password; `pair`: a certificate of ours."""
    roots = load_roots([certificate.read_bytes()])

    def judge(chain: Sequence[bytes]):
        return by_authorities(chain, "localhost", roots, datetime.now(UTC))

    return Settings(
        ehlo_name="us.example",
        tls=TLSPolicy(
            mode,
            client_context(pair=pair),
            "localhost",
            (Check("pkix", judge, Weight.ENFORCED),),
            client_certificate=pair is not None,
        ),
        login=None if login is None else LoginPolicy(Login(*login[1:]), (login[0],)),
    )


async def send(
    port: int, wanted: Settings, messages: Sequence[Message], host: str = "127.0.0.1"
) -> list[tuple[Outcome, ...]]:
    """Hand over all by one connection."""
    connection = await connect([ip_address(host)], port, log=Log("queue.interop"))
    async with Session(connection, wanted, random=SystemRandom()) as session:
        await session.open()
        if wanted.tls.mode is not TLSMode.SKIP:
            assert session.tls.info is not None
            assert session.tls.verified or not wanted.tls.checks
        came = []
        for one in messages:
            assert session.reusable
            envelope = Transaction(
                reverse_path=parse_path(f"<{one.sender}>".encode(), smtputf8=True),
                recipients=tuple(Recipient(parse_path(f"<{to}>".encode(), smtputf8=True)) for to in one.recipients),
                has_8bit=not one.octets.isascii(),
                smtputf8=one.smtputf8,
            )
            came.append(await session.deliver(envelope, Content.of(one.octets)))
        return came


def sent(port: int, wanted: Settings, messages: Sequence[Message]) -> list[tuple[Outcome, ...]]:
    return trio.run(send, port, wanted, messages)


def in_maildir(maildir: Path, count: int) -> dict[str, list[bytes]]:
    """What arrived, line ends made CRLF again, by the names of messages; waits for so many."""
    deadline = time.monotonic() + ARRIVES_SECONDS
    while True:
        files = sorted(maildir.glob("new/*"))
        if len(files) >= count:
            break
        assert time.monotonic() < deadline, f"{len(files)} of {count} arrived"
        time.sleep(0.1)
    found: dict[str, list[bytes]] = {}
    for file in files:
        octets = file.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        name = octets.partition(b"\r\nMessage-ID: <")[2].partition(b"@us.example>")[0].decode()
        found.setdefault(name, []).append(octets)
    return found


def assert_arrived(found: dict[str, list[bytes]], messages: Sequence[Message]) -> None:
    """Octet by octet, below what the server put before it."""
    for one in messages:
        assert len(found[one.name]) == 1, f"{one.name} arrived {len(found[one.name])} times"
        assert found[one.name][0].endswith(b"\r\n" + one.octets), f"{one.name} arrived as {found[one.name][0][:2000]!r}"
