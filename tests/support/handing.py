"""Attempts to hand a message over in a made-up world, and their outcomes in a few words."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from ipaddress import ip_address

import trio

from appliance.base.log import Log
from appliance.dns.answers import MX, Type
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table
from appliance.mail.domain import IPLiteral, parse_domain
from appliance.net.shutdown import Shutdown
from appliance.protocol.smtp.client import Delivered
from appliance.protocol.smtp.transaction import Recipient
from appliance.queue import direct, tlsdemands
from appliance.queue.line import Line
from appliance.queue.parcel import Handed, Means, Parcel, World
from appliance.queue.smtpclient import Content
from appliance.tls.context import client_context
from appliance.tls.verify import load_roots
from support.clock import StandingClock
from support.mailworld import Net
from support.smtpclientdriver import path
from support.streams import key_pair

ONE, TWO, THREE, SIX = "192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1"
RECORDS = {
    "them.example": {Type.MX: [MX(10, "a.example"), MX(20, "b.example")]},
    "single.example": {Type.MX: [MX(10, "a.example")]},
    "dual.example": {Type.MX: [MX(10, "both.example"), MX(20, "b.example")]},
    "null.example": {Type.MX: [MX(0, "")]},
    "nowhere.example": {Type.MX: [MX(10, "gone.example"), MX(20, "text.example")]},
    "text.example": {Type.TXT: ["x"]},
    "a.example": {Type.A: [ip_address(ONE)]},
    "b.example": {Type.A: [ip_address(TWO), ip_address(THREE)]},
    "both.example": {Type.A: [ip_address(ONE)], Type.AAAA: [ip_address(SIX)]},
}
MESSAGE = b"Subject: x\r\n\r\nhello\r\n"
GOOD = key_pair("a.example")


class NoChance:
    def token_bytes(self, count: int, /) -> bytes:
        return bytes(count)


class Today(StandingClock):
    """Certificates are made now."""

    def __init__(self) -> None:
        super().__init__(datetime.now(UTC))


@dataclass
class Sending:
    net: Net
    means: Means
    taken: list[list[int]]
    line: Line

    async def send(self, domain="them.example", *recipients: str, literal=None, **parcel) -> Handed:
        async def taken(handed: Handed, outcomes) -> None:
            assert handed.host
            assert handed.remote
            self.taken.append(list(outcomes))

        names = recipients or ("x",)
        wanted = {
            "reverse_path": path("us@us.example"),
            "recipients": tuple(Recipient(path(f"{one}@{domain}")) for one in names),
            "content": Content.of(MESSAGE),
            **parcel,
        }
        to = IPLiteral(ip_address(literal)) if literal else parse_domain(domain)
        with trio.fail_after(60):
            return await direct.deliver(self.means, Parcel(**wanted), to, taken, self.line)


@asynccontextmanager
async def sending(policies=None, records=RECORDS, **means) -> AsyncIterator[Sending]:
    async with trio.open_nursery() as nursery:
        net = Net(nursery)
        made = Means(
            world=World(dialer=net.dial, policies=policies or tlsdemands.NoPolicies()),
            resolver=Resolver(Table(records)),
            random=NoChance(),
            clock=Today(),
            shutdown=Shutdown(),
            log=Log("queue.test"),
            roots=load_roots([GOOD.chain]),
            context=client_context(),
            ehlo_name="us.example",
        )
        async with Line() as line:
            yield Sending(net, replace(made, **means), [], line)
        nursery.cancel_scope.cancel()


def short(handed: Handed) -> str:
    words = []
    for one in handed.outcomes:
        if isinstance(one, Delivered):
            words.append("delivered")
        else:
            code = f"{one.code} " if one.code else ""
            words.append(f"{'permanent' if one.permanent else 'temporary'} {code}{one.status}")
    return " | ".join(words)
