"""Sessions that begin elsewhere: behind another door's TLS, and for a program on this machine."""

import ipaddress
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
import trio
import trio.testing

from appliance.base.log import Log
from appliance.net.connection import Connection
from appliance.net.tlsstream import TLSStream
from appliance.operations import login
from appliance.operations.login import LoginFailed, NoSuchLogin
from appliance.protocol.smtp.settings import Kind
from appliance.serve import CONNECTION
from appliance.servers.imap import handover as imap
from appliance.servers.smtp import handover as smtp
from appliance.tls.context import Demands, client_context, server_context
from support.imaphouse import DOMAINS, PASSWORD, USER, Client, open_house
from support.smtphouse import open_house as open_smtp_house
from support.streams import always, key_pair

HERE = ipaddress.ip_address("127.0.0.1")
Serve = Callable[[Connection], Awaitable[None]]


async def behind_tls(nursery: trio.Nursery, serve: Serve) -> TLSStream:
    """A client whose handshake another door has made."""
    near, far = trio.testing.memory_stream_pair()
    connection = Connection(
        far, cid=1, remote=HERE, remote_port=4, local=HERE, local_port=443, log=Log("https"), limits=CONNECTION
    )

    async def work() -> None:
        await connection.start_tls(always(server_context(key_pair("localhost"), Demands())))
        await serve(connection)

    nursery.start_soon(work)
    client = TLSStream(near, client_context(), server_side=False, server_name="localhost")
    await client.do_handshake()
    return client


async def test_imap_behind_the_tls_of_another_door(tmp_path):
    async with open_house(tmp_path) as house:
        door = replace(house.door, immediate_tls=True, plain_login=False, service="imaps")
        client = Client(await behind_tls(house.nursery, lambda one: imap.serve_after_tls(house.app, door, one)))
        greeting = await client.line()
        assert b"AUTH=PLAIN" in greeting
        assert b"STARTTLS" not in greeting
        assert b"EXTERNAL" not in greeting
        await client.command(f'LOGIN {USER} "{PASSWORD}"')
        await client.command("SELECT INBOX")


async def test_submission_behind_the_tls_of_another_door(tmp_path):
    async with open_smtp_house(tmp_path, DOMAINS, kind=Kind.SUBMISSION, immediate_tls=True, plain_login=False) as house:
        stream = await behind_tls(house.nursery, lambda one: smtp.serve_after_tls(house.app, house.door, one))
        client = Client(stream)
        assert (await client.line()).startswith(b"220 ")
        await client.send(b"EHLO localhost\r\n")
        lines = []
        while not lines or lines[-1][3:4] == b"-":
            lines.append(await client.line())
        offered = b" ".join(lines)
        assert b"AUTH " in offered
        assert b" PLAIN" in offered
        assert b"STARTTLS" not in offered
        assert b"EXTERNAL" not in offered


async def test_a_program_on_this_machine(tmp_path):
    async with open_house(tmp_path) as house:
        near, far = trio.testing.memory_stream_pair()
        actor = login.without_secret(house.app, USER)
        house.nursery.start_soon(
            imap.serve_here, house.app, house.door, CONNECTION, 1, actor, far, b"a CAPABILITY\r\nb NO"
        )
        client = Client(near)
        assert (await client.line()).startswith(b"* PREAUTH [CAPABILITY IMAP4rev2 ")
        await client.line()
        assert await client.line() == b"a OK done"
        await client.send(b"OP\r\n")
        assert await client.line() == b"b OK done"
        await client.append(b"Subject: x\r\n\r\ny\r\n")
        lines = await client.command("STATUS INBOX (MESSAGES)")
        assert lines[0] == b"* STATUS INBOX (MESSAGES 1)"
        # An address cannot log in by its name alone again.
        await client.command("UNAUTHENTICATE")
        await client.command("SELECT INBOX", expect=b"NO")


async def test_who_may_be_served_without_a_secret(tmp_path):
    async with open_house(
        tmp_path, DOMAINS.replace("[accounts.alice]", '[accounts.alice]\nlogin_disabled = "gone"')
    ) as (house):
        with pytest.raises(NoSuchLogin):
            login.without_secret(house.app, "nobody@example.org")
        with pytest.raises(LoginFailed, match="gone"):
            login.without_secret(house.app, USER)
