"""A house with an IMAP door and nothing else, on a store of its own; sessions talk over memory streams."""

import ipaddress
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import trio
import trio.testing

from appliance.base import limits
from appliance.base.ids import ReceivedIDs, SystemRandom
from appliance.base.log import Log
from appliance.config.source import ConfigSource
from appliance.delivery.appliance import Appliance
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table
from appliance.net.connection import Connection
from appliance.net.limiter import Limiter, Window
from appliance.net.shutdown import Shutdown
from appliance.operations import accounts, login
from appliance.serve import CONNECTION
from appliance.servers.imap import handover, session as imap
from appliance.servers.imap.session import Door, Session
from appliance.store import mailbox, message
from appliance.store.store import Store
from appliance.store.tables import AccountID
from support.clock import StandingClock
from support.quiet import settled
from support.stores import LIMITS, new_message

STATIC = """\
data_dir = "."
log_level = "error"
user = "0"
hostname = "mail.example"
[postmaster]
account = "alice"
mailbox = "Inbox"
[listeners.local]
ips = ["127.0.0.1"]
[listeners.local.imap]
enabled = true
no_require_starttls = true
"""
DOMAINS = """\
[domains."example.org"]
[accounts.alice]
domain = "example.org"
[accounts.alice.destinations."alice@example.org"]
mailbox = "Inbox"
[accounts.bob]
domain = "example.org"
[accounts.bob.destinations."bob@example.org"]
mailbox = "Inbox"
[accounts.carol]
domain = "example.org"
[accounts.carol.destinations."carol@example.org"]
mailbox = "Inbox"
"""
USER, PASSWORD = "alice@example.org", "correct horse"


class Passwords:
    """Knows one password, at no cost."""

    async def check(self, password_hash: str | None, password: str) -> bool:
        await trio.lowlevel.checkpoint()
        return password == PASSWORD


@dataclass
class House:
    app: Appliance
    door: Door
    nursery: trio.Nursery
    account: AccountID
    sessions: list[Session] = field(default_factory=list)

    @property
    def store(self) -> Store:
        return self.app.store

    def connect(self) -> "Client":
        """A client that was just accepted."""
        ours, theirs = trio.testing.memory_stream_pair()
        connection = Connection(
            theirs,
            cid=1,
            remote=ipaddress.ip_address("192.0.2.1"),
            remote_port=4000,
            local=ipaddress.ip_address("192.0.2.2"),
            local_port=143,
            log=Log("imap"),
            limits=CONNECTION,
        )
        session = Session(self.app, self.door, connection)
        self.sessions.append(session)

        async def serve() -> None:
            try:
                await session.run()
            finally:
                await connection.aclose()

        self.nursery.start_soon(serve)
        return Client(ours)

    def connect_here(self, address: str) -> "Client":
        """A client of the operator, as by `moxpy admin imapserve`."""
        ours, theirs = trio.testing.memory_stream_pair()
        actor = login.without_secret(self.app, address)
        self.nursery.start_soon(handover.serve_here, self.app, self.door, CONNECTION, 1, actor, theirs, b"")
        return Client(ours)

    async def log_in(self, user: str = USER) -> "Client":
        """A client that has logged in."""
        client = self.connect()
        await client.line()
        await client.command(f'LOGIN {user} "{PASSWORD}"')
        return client

    async def deliver(
        self, octets: bytes = b"Subject: hi\r\n\r\nhello\r\n", name: str = "Inbox", **options: object
    ) -> int:
        """A message comes in; its UID."""
        with self.store.read() as tx:
            target = mailbox.by_name(tx, self.account, name)
        new = new_message(self.store, octets)
        added = await self.store.write(message.add, self.account, target.id, new, **options)
        return added.uid


class Client:
    """The other end: lines, with the literals in them."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self._buffer = bytearray()
        self._tag = 0

    async def send(self, octets: bytes) -> None:
        await self.stream.send_all(octets)

    async def _more(self) -> bool:
        octets = await self.stream.receive_some(65_536)
        self._buffer += octets
        return bool(octets)

    async def line(self) -> bytes:
        """One response without its CRLF, literals included; empty at the end of the connection."""
        start = 0
        while True:
            end = self._buffer.find(b"\r\n", start)
            if end < 0:
                if not await self._more():
                    return b""
                continue
            literal = re.search(rb"\{([0-9]+)\}$", self._buffer[start:end])
            if literal is None:
                line = bytes(self._buffer[:end])
                del self._buffer[: end + 2]
                return line
            start = end + 2 + int(literal[1])
            while len(self._buffer) < start:
                if not await self._more():
                    return b""

    def put_back(self, line: bytes) -> None:
        """Let a line be read again."""
        self._buffer[:0] = line + b"\r\n"

    async def is_silent(self) -> bool:
        """Whether no whole line has come by now, nor the end."""

        async def read() -> None:
            nonlocal ended
            while b"\r\n" not in self._buffer and not ended:
                ended = not await self._more()

        ended = False
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await settled()
            nursery.cancel_scope.cancel()
        return b"\r\n" not in self._buffer and not ended

    async def command(self, text: str | bytes, *, expect: bytes = b"OK") -> list[bytes]:
        """Send a command; its untagged responses, the tagged one last. It must begin with `expect`."""
        self._tag += 1
        tag = b"x%d" % self._tag
        await self.send(tag + b" " + (text.encode() if isinstance(text, str) else text) + b"\r\n")
        lines = []
        while True:
            line = await self.line()
            lines.append(line)
            if not line or line.startswith(tag + b" "):
                assert line.startswith(tag + b" " + expect), lines
                return lines

    async def append(self, octets: bytes, name: str = "INBOX", flags: str = "") -> list[bytes]:
        shown = f" ({flags})" if flags else ""
        return await self.command(f"APPEND {name}{shown} {{{len(octets)}+}}\r\n".encode() + octets)


@asynccontextmanager
async def open_house(
    folder: Path, domains: str = DOMAINS, *, static: str = STATIC, **door: object
) -> AsyncIterator[House]:
    """A house for as long as the context lasts. At its end the store must be in order."""
    folder.mkdir(exist_ok=True)
    (folder / "moxpy.toml").write_text(static)
    (folder / "domains.toml").write_text(domains)
    source = ConfigSource(folder / "moxpy.toml", check_files=False)
    clock = StandingClock()
    store = Store(folder, clock=clock, limits=LIMITS)
    store.sweep()
    accounts.create_missing(store, source.snapshot())
    many = Limiter([Window(60, (10_000, 10_000, 10_000))])
    app = Appliance(
        store=store,
        config=source,
        clock=clock,
        random=SystemRandom(),
        received_ids=ReceivedIDs(b"k" * 24),
        shutdown=Shutdown(),
        login_failures=many,
        connections=many,
        passwords=Passwords(),
        resolver=Resolver(Table({})),
    )
    usual = Door(
        hostname="mail.example",
        limits=limits.IMAP,
        times=imap.TIMES,
        tls=None,
        immediate_tls=False,
        plain_login=True,
        service="imap",
        max_message_octets=limits.MIB,
    )
    with store.read() as tx:
        account = tx.account_id("alice")
    assert account is not None
    try:
        async with trio.open_nursery() as nursery:
            yield House(app, replace(usual, **door), nursery, account)
            nursery.cancel_scope.cancel()
        assert store.verify() == []
    finally:
        store.close()
