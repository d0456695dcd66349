"""A house with an SMTP door and nothing else, on a store of its own; sessions talk over memory streams."""

import ipaddress
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import trio
import trio.testing

from appliance.base import limits
from appliance.base.ids import Random, ReceivedIDs, SystemRandom
from appliance.base.log import Log
from appliance.config.source import ConfigSource
from appliance.delivery.appliance import Appliance, WorldPolicy
from appliance.delivery.decide import DEFAULT_LIMITS, Limits
from appliance.delivery.refusals import Refusals
from appliance.dns.answers import Type
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table
from appliance.msgauth.dnsbl import Health
from appliance.net.connection import Connection, ConnectionLimits
from appliance.net.limiter import Limiter, Window
from appliance.net.shutdown import Shutdown
from appliance.net.tlsstream import TLSInfo
from appliance.operations import accounts, refusals
from appliance.protocol.smtp.settings import Kind, Settings
from appliance.serve import CONNECTION, SMTP_SESSION
from appliance.servers.smtp.session import Door, Session
from appliance.store import bodies, mailbox, message
from appliance.store.refusal import Refusal
from appliance.store.store import Store
from support.clock import StandingClock
from support.imaphouse import Client as LineClient, Passwords
from support.stores import LIMITS

STATIC = """\
data_dir = "."
log_level = "error"
user = "0"
hostname = "mail.example"
[postmaster]
account = "alice"
mailbox = "Postmaster"
[host_tlsrpt]
account = "alice"
mailbox = "TLSRPT"
localpart = "tlsreports"
[listeners.local]
ips = ["127.0.0.1"]
hostname = "mx.example"
[listeners.local.smtp]
enabled = true
no_starttls = true
"""
#: Every name has an address, and every domain lets everybody send its mail.
EVERYWHERE = Resolver(Table({"*": {Type.A: [ipaddress.ip_address("192.0.2.7")], Type.TXT: ["v=spf1 +all"]}}))


@dataclass
class House:
    app: Appliance
    door: Door
    nursery: trio.Nursery
    limits: ConnectionLimits = CONNECTION

    @property
    def store(self) -> Store:
        return self.app.store

    def connect(self, remote: str = "192.0.2.1", *, tls: TLSInfo | None = None) -> LineClient:
        """A client that was just accepted; `tls` is what it is said to have agreed on."""
        ours, theirs = trio.testing.memory_stream_pair()
        connection = Connection(
            theirs,
            cid=1,
            remote=ipaddress.ip_address(remote),
            remote_port=4000,
            local=ipaddress.ip_address("192.0.2.2"),
            local_port=25,
            log=Log("smtp"),
            limits=self.limits,
        )
        connection.tls = tls
        session = Session(self.app, self.door, connection)

        async def serve() -> None:
            try:
                await session.run()
            finally:
                await connection.aclose()

        self.nursery.start_soon(serve)
        return LineClient(ours)

    @property
    def spooling(self) -> int:
        """Messages that are being received."""
        sessions = [one for one in self.app.sessions._open if isinstance(one, Session)]
        return sum(one.transaction is not None and one.transaction.spool is not None for one in sessions)

    async def refused(self, account: str | None = None) -> list[tuple[str, Refusal]]:
        """What was refused, the last first, with whose it was."""
        assert isinstance(self.app.refusals, Refusals)
        await self.app.refusals.write()
        return await refusals.found(self.app, account, refusals.Filter(), 100)

    def last_message(self, name: str) -> tuple[bytes, bytes]:
        """Of the last message in `account/mailbox`: the header fields added here, and the octets as received."""
        account_name, _, mailbox_name = name.partition("/")
        with self.store.read() as tx:
            account = tx.account_id(account_name)
            assert account is not None
            box = mailbox.by_name(tx, account, mailbox_name)
            *_, (_, row) = message.rows(tx, account, box.id)
            added = message.prefix(tx, account, row.id)
            return added, bodies.read(tx, row.body, 0, row.size - len(added))

    def messages(self) -> dict[str, list[str]]:
        """`account/mailbox` of all that has come in -> the Delivered-To of each message there."""
        found: dict[str, list[str]] = {}
        with self.store.read() as tx:
            for name in self.app.config.snapshot().domains.accounts:
                account = tx.account_id(name)
                if account is None:
                    continue
                for box in tx.mailboxes(account):
                    for _, row in message.rows(tx, account, box.id):
                        prefix = message.prefix(tx, account, row.id).decode()
                        to = re.search(r"(?m)^Delivered-To: (.*)\r$", prefix)
                        found.setdefault(f"{name}/{box.name}", []).append(to[1] if to else "")
        return found


@asynccontextmanager
async def open_house(
    folder: Path,
    domains: str,
    *,
    static: str = STATIC,
    kind: Kind = Kind.DELIVERY,
    pedantic: bool = False,
    slow: bool = False,
    unknown_seconds: float = 0,
    resolver: Resolver = EVERYWHERE,
    random: Random | None = None,
    judging: Limits = DEFAULT_LIMITS,
    check_files: bool = False,
    **door: object,
) -> AsyncIterator[House]:
    """A house for as long as the context lasts. At its end the store must be in order."""
    (folder / "moxpy.toml").write_text(("pedantic = true\n" if pedantic else "") + static)
    (folder / "domains.toml").write_text(domains)
    source = ConfigSource(folder / "moxpy.toml", check_files=check_files)
    clock = StandingClock()
    store = Store(folder, clock=clock, limits=LIMITS)
    store.sweep()
    accounts.create_missing(store, source.snapshot())
    many = Limiter([Window(60, (10_000, 10_000, 10_000))])
    app = Appliance(
        store=store,
        config=source,
        clock=clock,
        random=random or SystemRandom(),
        received_ids=ReceivedIDs(b"k" * 24),
        shutdown=Shutdown(),
        login_failures=many,
        connections=many,
        passwords=Passwords(),
        resolver=resolver,
        policy=WorldPolicy(limits=judging),
        blocklists=Health(clock),
        refusals=Refusals(store, clock),
    )
    usual = Door(
        protocol=Settings(
            kind=kind,
            hostname="mx.example",
            max_message_octets=100_000,
            starttls=False,
            requiretls=False,
            future_release=kind is Kind.SUBMISSION,
            pedantic=pedantic,
            limits=limits.SMTP,
        ),
        limits=replace(SMTP_SESSION, unknown_seconds=unknown_seconds),
        tls=None,
        immediate_tls=False,
        plain_login=True,
    )
    try:
        async with trio.open_nursery() as nursery:
            yield House(
                app, replace(usual, **door), nursery, CONNECTION if slow else replace(CONNECTION, slow_seconds=0)
            )
            nursery.cancel_scope.cancel()
        assert store.verify() == []
    finally:
        store.close()
