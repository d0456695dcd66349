"""STARTTLS within a session (RFC 3207): what came before counts for nothing, and nothing is smuggled in before TLS."""

import ssl
from contextlib import asynccontextmanager
from dataclasses import replace

import trio

from appliance.servers.smtp.session import starttls_errors, starttls_handshakes
from appliance.tls.context import Demands
from appliance.tls.contexts import SocketContexts, by_name
from support.clock import StandingClock
from support.imaphouse import Client
from support.quiet import settled
from support.smtphouse import open_house
from support.streams import key_pair

DOMAINS = """\
[domains."example.org"]
[accounts.alice.destinations]
"alice@example.org" = {}
"""


@asynccontextmanager
async def house_with_tls(folder):
    choose = by_name(lambda name: key_pair(), SocketContexts(Demands(), StandingClock()))
    async with open_house(folder, DOMAINS) as house:
        protocol = replace(house.door.protocol, starttls=True, requiretls=True)
        house.door = replace(house.door, tls=choose, protocol=protocol)
        yield house


async def hello(client):
    """Say EHLO; the extensions offered."""
    await client.send(b"EHLO x.example\r\n")
    offered = []
    while True:
        line = await client.line()
        offered.append(line[4:].decode())
        if line[3:4] == b" ":
            return offered


async def test_commands_before_the_handshake_are_no_commands(tmp_path):
    attempts, errors = starttls_handshakes.labels().value, starttls_errors.labels("nottls").value
    with trio.fail_after(60):
        async with house_with_tls(tmp_path) as house:
            client = house.connect()
            await client.line()
            assert "STARTTLS" in await hello(client)
            await client.send(b"STARTTLS\r\nMAIL FROM:<evil@b.example>\r\nRSET\r\n")
            assert (await client.line()).startswith(b"220 2.0.0 ")
            assert await client.line() == b""
    assert starttls_handshakes.labels().value == attempts + 1
    assert starttls_errors.labels("nottls").value == errors + 1


async def test_all_begins_anew(tmp_path):
    with trio.fail_after(60):
        async with house_with_tls(tmp_path) as house:
            client = house.connect()
            await client.line()
            await hello(client)
            await client.send(b"MAIL FROM:<a@b.example> REQUIRETLS\r\n")
            assert (await client.line()).startswith(b"523 5.7.10 ")
            await client.send(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<alice@example.org>\r\nBDAT 1\r\nxSTARTTLS\r\n")
            for code in (b"250 2.1.0", b"250 2.1.0", b"250 2.0.0", b"220 2.0.0"):
                assert (await client.line()).startswith(code)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            await settled()
            assert house.spooling == 0, "what had come of a message is thrown away"
            secure = Client(trio.SSLStream(client.stream, context, https_compatible=True))
            await secure.send(b"BDAT 0 LAST\r\nMAIL FROM:<a@b.example>\r\n")
            for _ in range(2):
                assert (await secure.line()).startswith(b"503 5.5.1 EHLO comes first")
            offered = await hello(secure)
            assert "STARTTLS" not in offered
            assert "REQUIRETLS" in offered
            await secure.send(b"STARTTLS\r\n")
            assert (await secure.line()).startswith(b"503 5.5.1 ")
            await secure.send(
                b"MAIL FROM:<a@b.example> REQUIRETLS\r\nRCPT TO:<alice@example.org>\r\nBDAT 2 LAST\r\n\r\n"
            )
            for code in (b"250 2.1.0", b"250 2.1.0", b"250 2.2.0"):
                assert (await secure.line()).startswith(code)
            added, content = house.last_message("alice/Inbox")
            assert content == b"\r\n"
            assert b"ESMTPS (requiretls)" in added.replace(b"\r\n\t", b" ")
