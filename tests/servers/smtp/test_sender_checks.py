"""HELO and MAIL on the port of other servers: names that cannot be true are refused, doubt is not held against anybody."""

import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from appliance.dns.answers import MX, Type
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table
from appliance.protocol.smtp.settings import Kind
from support.imaphouse import DOMAINS, Client as LineClient
from support.smtphouse import open_house

ADDRESS = ipaddress.ip_address("192.0.2.7")
TABLE = Table(
    {
        "good.example": {Type.MX: [MX(10, "mx.good.example")]},
        "mx.good.example": {Type.A: [ADDRESS]},
        "six.example": {Type.AAAA: [ipaddress.ip_address("2001:db8::7")]},
        "alias.example": {Type.CNAME: ["good.example"]},
        "null.example": {Type.MX: [MX(0, "")]},
        "lost.example": {Type.MX: [MX(10, "nowhere.example")]},
        "text.example": {Type.TXT: ["v=spf1 -all"]},
    },
    failing={
        ("broken.example", Type.MX),
        ("broken.example", Type.A),
    },
)


class Client:
    """One line said, the last line of the reply heard."""

    def __init__(self, client: LineClient) -> None:
        self._client = client

    async def reply(self) -> str:
        line = b"   -"
        while line[3:4] == b"-":
            line = await self._client.line()
        return line.decode()

    async def ask(self, line: str) -> str:
        await self._client.send(line.encode() + b"\r\n")
        return await self.reply()


@asynccontextmanager
async def connected(folder: Path, kind: Kind = Kind.DELIVERY, *, pedantic: bool = False) -> AsyncIterator[Client]:
    async with open_house(folder, DOMAINS, kind=kind, pedantic=pedantic, resolver=Resolver(TABLE)) as house:
        client = Client(house.connect())
        assert (await client.reply()).startswith("220 ")
        yield client


@pytest.mark.parametrize(
    ("name", "reply"),
    [
        pytest.param("mx.good.example", "250 ", id="has an address"),
        pytest.param("six.example", "250 ", id="IPv6 alone"),
        pytest.param("text.example", "550 5.5.0 ", id="exists without an address"),
        pytest.param("nobody.example", "550 5.5.0 ", id="does not exist"),
        pytest.param("broken.example", "250 ", id="nobody can tell"),
    ],
)
async def test_helo(name: str, reply: str, tmp_path: Path) -> None:
    async with connected(tmp_path) as client:
        assert (await client.ask(f"HELO {name}")).startswith(reply)
        # Refused once, a better name may follow.
        assert (await client.ask("HELO mx.good.example")).startswith("250 ")


async def test_a_refused_helo_ends_the_transaction(tmp_path: Path) -> None:
    async with open_house(tmp_path, DOMAINS, resolver=Resolver(TABLE)) as house:
        client = Client(house.connect())
        await client.reply()
        await client.ask("HELO mx.good.example")
        await client.ask("MAIL FROM:<a@good.example>")
        await client.ask("RCPT TO:<alice@example.org>")
        await client._client.send(b"BDAT 4\r\nX: y")
        assert (await client.reply()).startswith("250 2.0.0")
        assert house.spooling == 1
        assert (await client.ask("HELO nobody.example")).startswith("550 5.5.0")
        assert house.spooling == 0
        assert (await client.ask("MAIL FROM:<a@good.example>")).startswith("250 2.1.0")


async def test_ehlo_is_not_looked_up(tmp_path: Path) -> None:
    async with connected(tmp_path) as client:
        assert (await client.ask("EHLO nobody.example")).startswith("250")


async def test_mail_clients_call_themselves_anything(tmp_path: Path) -> None:
    async with connected(tmp_path, Kind.SUBMISSION) as client:
        assert (await client.ask("HELO nobody.example")).startswith("250 ")


async def test_unless_somebody_minds(tmp_path: Path) -> None:
    async with connected(tmp_path, Kind.SUBMISSION, pedantic=True) as client:
        assert (await client.ask("HELO nobody.example")).startswith("550 5.5.0 ")
        assert (await client.ask("HELO !!")).startswith("501 5.5.2 ")
        assert (await client.ask("EHLO [2001:db8::7]")).startswith("501 5.5.2 ")
        assert (await client.ask("EHLO [IPv6:2001:db8::7]")).startswith("250 ")
        assert (await client.ask("HELO mx.good.example")).startswith("250 ")


@pytest.mark.parametrize(
    ("path", "reply"),
    [
        pytest.param("", "250 2.1.0 ", id="null path"),
        pytest.param("a@good.example", "250 2.1.0 ", id="mail exchange with an address"),
        pytest.param("a@six.example", "250 2.1.0 ", id="address alone"),
        pytest.param("a@alias.example", "250 2.1.0 ", id="alias"),
        pytest.param("a@null.example", "550 5.7.27 ", id="null MX"),
        pytest.param("a@lost.example", "550 5.7.27 ", id="mail exchange does not exist"),
        pytest.param("a@text.example", "550 5.7.27 ", id="no mail exchange, no address"),
        pytest.param("a@nobody.example", "550 5.7.27 ", id="does not exist"),
        pytest.param("a@broken.example", "451 4.4.0 ", id="nobody can tell"),
        pytest.param("a@[192.0.2.1]", "550 5.7.0 ", id="literal"),
    ],
)
async def test_mail(path: str, reply: str, tmp_path: Path) -> None:
    async with connected(tmp_path) as client:
        await client.ask("EHLO mx.good.example")
        assert (await client.ask(f"MAIL FROM:<{path}>")).startswith(reply)
        # A refused sender leaves no transaction behind.
        following = "250 2.1.0" if not reply.startswith("250") else "503 5.5.1"
        assert (await client.ask("MAIL FROM:<a@good.example>")).startswith(following)
