"""A sender that SPF does not vouch for names one recipient, and hears of nothing by mail (RFC 7208, RFC 3834 §2).

On the port of other servers; clients of LMTP are known, and answer for their senders.
"""

import ipaddress
from pathlib import Path
from typing import Any

import pytest

from appliance.dns.answers import Answer, Type
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table
from appliance.protocol.smtp.settings import Kind
from appliance.store import queued
from support.imaphouse import DOMAINS, Client as LineClient
from support.smtphouse import House, open_house

HOST = {Type.A: [ipaddress.ip_address("192.0.2.7")]}
TABLE = Table(
    {
        "pass.example": {**HOST, Type.TXT: ["v=spf1 ip4:192.0.2.1 -all"]},
        "fail.example": {**HOST, Type.TXT: ["v=spf1 -all"]},
        "neutral.example": {**HOST, Type.TXT: ["v=spf1 ?all"]},
        "none.example": HOST,
        "broken.example": HOST,
    },
    failing={("broken.example", Type.TXT)},
)


class Counting:
    """The table, with the questions for SPF of the senders' domains counted."""

    def __init__(self) -> None:
        self.texts = 0

    async def ask(self, name: str, type: Type, *, dnssec: bool) -> Answer[Any]:
        self.texts += type is Type.TXT and name.count(".") == 1
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


WITH_LISTS = """\
[domains."example.org"]
[domains."example.org".aliases.mixed]
addresses = ["tiny@example.org", "bob@example.org"]
post_public = true
[domains."example.org".aliases.full]
addresses = ["tiny@example.org"]
post_public = true
[accounts.alice.destinations]
"alice@example.org" = {}
[accounts.bob.destinations]
"bob@example.org" = {}
[accounts.tiny]
quota_message_size = 1
[accounts.tiny.destinations]
"tiny@example.org" = {}
"""
PLAIN, CHUNKS = ("DATA", "\r\n."), ("BDAT 2 LAST\r\n",)


def notices(house: House) -> list[tuple[str, str]]:
    """Who is told what."""
    with house.store.read() as tx:
        found = [queued.get(tx, id) for id in queued.due(tx, house.app.clock.microseconds())]
    return [(one.recipient, one.subject) for one in found if one is not None]


@pytest.mark.parametrize("message", [pytest.param(PLAIN, id="DATA"), pytest.param(CHUNKS, id="BDAT")])
@pytest.mark.parametrize(
    ("domain", "to", "code", "subjects"),
    [
        pytest.param("pass.example", "alice> NOTIFY=SUCCESS", "250 2.2.0", ["Mail delivered"], id="vouched for"),
        pytest.param("neutral.example", "alice> NOTIFY=SUCCESS", "250 2.2.0", [], id="neutral"),
        pytest.param("none.example", "alice> NOTIFY=SUCCESS", "250 2.2.0", [], id="no record"),
        pytest.param("broken.example", "alice> NOTIFY=SUCCESS", "250 2.2.0", [], id="nobody can tell"),
        pytest.param("fail.example", "alice> NOTIFY=SUCCESS", "451 4.3.0", [], id="fails"),
        pytest.param("neutral.example", "alice> NOTIFY=FAILURE", "250 2.2.0", [], id="not asked for"),
        pytest.param("neutral.example", "alice>", "250 2.2.0", [], id="nothing asked for"),
        # One member has it, another does not: that is no failure of the recipient named.
        pytest.param("neutral.example", "mixed> NOTIFY=SUCCESS,FAILURE", "250 2.2.0", [], id="some members"),
        pytest.param("neutral.example", "full> NOTIFY=SUCCESS,FAILURE", "452 4.2.2", [], id="no member"),
    ],
)
async def test_notices(
    tmp_path: Path, message: tuple[str, ...], domain: str, to: str, code: str, subjects: list[str]
) -> None:
    source = Counting()
    async with open_house(tmp_path, WITH_LISTS, resolver=Resolver(source)) as house:
        client = await greet(house)
        recipient = f"RCPT TO:<{to.replace('>', '@example.org>')}"
        codes = await ask(client, f"MAIL FROM:<x@{domain}>", recipient, *message)
        assert (codes[:2], codes[-1]) == ([OK, OK], code)
        assert notices(house) == [(f"x@{domain}", subject) for subject in subjects]
        assert source.texts == 1, "asked once, whoever had to know"


@pytest.mark.parametrize("message", [pytest.param(PLAIN, id="DATA"), pytest.param(CHUNKS, id="BDAT")])
@pytest.mark.parametrize("second", ["nobody", "tiny", "full", "mixed"])
async def test_no_failure_beside_a_success(tmp_path: Path, message: tuple[str, ...], second: str) -> None:
    """Who may name one recipient only has all failures in the reply; whoever is vouched for hears of them by mail."""
    async with open_house(tmp_path, WITH_LISTS, resolver=Resolver(TABLE)) as house:
        client = await greet(house)
        told = []
        for domain in ("neutral.example", "pass.example"):
            recipients = [f"RCPT TO:<{one}@example.org>" for one in ("alice", second)]
            codes = await ask(client, f"MAIL FROM:<x@{domain}>", *recipients, *message)
            assert codes[-1] == "250 2.2.0"
            told.append((codes[2], notices(house)))
        failed = [] if second == "mixed" else [("x@pass.example", "Mail delivery failed")]
        assert told == [(LATER, []), (OK, failed)]


async def test_lmtp_clients_answer_for_their_senders(tmp_path: Path) -> None:
    source = Counting()
    async with open_house(tmp_path, DOMAINS, kind=Kind.LMTP, resolver=Resolver(source)) as house:
        client = house.connect()
        await client.line()
        recipient = "RCPT TO:<alice@example.org> NOTIFY=SUCCESS"
        await ask(client, "LHLO mail.sender.example", "MAIL FROM:<x@fail.example>", recipient)
        assert await ask(client, *CHUNKS) == ["250 2.2.0"]
        assert notices(house) == [("x@fail.example", "Mail delivered")]
        assert source.texts == 0
