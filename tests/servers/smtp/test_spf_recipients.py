"""On the port of other servers a sender that SPF does not vouch for names one recipient (RFC 7208)."""

import ipaddress
from pathlib import Path
from typing import Any

import pytest

from appliance.dns.answers import Answer, Type
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table
from appliance.protocol.smtp.settings import Kind
from support.imaphouse import DOMAINS, Client as LineClient
from support.smtphouse import House, open_house

HOST = {Type.A: [ipaddress.ip_address("192.0.2.7")]}
TABLE = Table(
    {
        "pass.example": {**HOST, Type.TXT: ["v=spf1 ip4:192.0.2.1 -all"]},
        "fail.example": {**HOST, Type.TXT: ["v=spf1 -all"]},
        "none.example": HOST,
        "broken.example": HOST,
    },
    failing={("broken.example", Type.TXT)},
)


class Counting:
    """The table, with the questions for TXT counted."""

    def __init__(self) -> None:
        self.texts = 0

    async def ask(self, name: str, type: Type, *, dnssec: bool) -> Answer[Any]:
        self.texts += type is Type.TXT
        return await TABLE.ask(name, type, dnssec=dnssec)

    async def watch(self) -> None: ...


async def ask(client: LineClient, *lines: str) -> list[str]:
    """The codes of the replies."""
    codes = []
    for line in lines:
        await client.send(f"{line}\r\n".encode())
        reply = await client.line()
        while reply[3:4] == b"-":
            reply = await client.line()
        codes.append(reply[:9].decode())
    return codes


async def greet(house: House) -> LineClient:
    client = house.connect()
    assert (await client.line()).startswith(b"220 ")
    await ask(client, "EHLO mail.sender.example")
    return client


TO = ("RCPT TO:<alice@example.org>", "RCPT TO:<bob@example.org>", "RCPT TO:<carol@example.org>")
OK, LATER = "250 2.1.0", "452 4.5.3"


@pytest.mark.parametrize(
    ("domain", "codes", "texts"),
    [
        ("pass.example", [OK, OK, OK], 1),
        ("fail.example", [OK, LATER, LATER], 1),
        ("none.example", [OK, LATER, LATER], 1),
        ("broken.example", [OK, LATER, LATER], 1),
    ],
)
async def test_second_recipient(tmp_path: Path, domain: str, codes: list[str], texts: int) -> None:
    source = Counting()
    async with open_house(tmp_path, DOMAINS, resolver=Resolver(source)) as house:
        client = await greet(house)
        assert await ask(client, f"MAIL FROM:<x@{domain}>", TO[0]) == [OK, OK]
        assert source.texts == 0, "nobody has to know yet"
        assert await ask(client, *TO[1:]) == codes[1:]
        assert source.texts == texts
        # The others in a transaction of their own, as the reply says.
        assert await ask(client, "RSET", f"MAIL FROM:<x@{domain}>", TO[1]) == ["250 2.0.0", OK, OK]


async def test_a_recipient_that_is_refused_is_refused_for_good(tmp_path: Path) -> None:
    async with open_house(tmp_path, DOMAINS, resolver=Resolver(TABLE)) as house:
        client = await greet(house)
        codes = await ask(client, "MAIL FROM:<x@fail.example>", TO[0], "RCPT TO:<x@elsewhere.example>", TO[1])
        assert codes == [OK, OK, "550 5.1.1", LATER]


async def test_lmtp_clients_are_known(tmp_path: Path) -> None:
    async with open_house(tmp_path, DOMAINS, kind=Kind.LMTP, resolver=Resolver(TABLE)) as house:
        client = house.connect()
        await client.line()
        await ask(client, "LHLO mail.sender.example")
        assert await ask(client, "MAIL FROM:<x@fail.example>", TO[0], TO[0]) == [OK, OK, OK]
