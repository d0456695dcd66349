"""A packet full of commands does not keep the loop from everybody else."""

import ipaddress
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
from trio.testing import memory_stream_pair

from appliance.base import limits
from appliance.base.log import Log
from appliance.net.connection import Connection
from appliance.protocol.smtp.settings import Kind, Settings
from appliance.serve import CONNECTION, SMTP_SESSION
from appliance.servers.imap import session as imap
from appliance.servers.smtp import session as smtp
from support.imaphouse import House, open_house

COMMANDS = 3000


def smtp_session(house: House, connection: Connection) -> smtp.Session:
    protocol = Settings(
        kind=Kind.DELIVERY,
        hostname="mail.example",
        max_message_octets=1000,
        starttls=False,
        requiretls=False,
        future_release=False,
        pedantic=False,
        limits=limits.SMTP,
    )
    return smtp.Session(house.app, smtp.Door(protocol, SMTP_SESSION, None, False, False), connection)


def imap_session(house: House, connection: Connection) -> imap.Session:
    return imap.Session(house.app, house.door, connection)


@pytest.mark.parametrize(
    ("session_of", "command"),
    [
        pytest.param(smtp_session, b"NOOP\r\n", id="SMTP"),
        pytest.param(smtp_session, b"MAIL FROM:<a@b.example>\r\n", id="SMTP, refused"),
        pytest.param(imap_session, b"a NOOP\r\n", id="IMAP"),
        pytest.param(imap_session, b"a SELECT INBOX\r\n", id="IMAP, refused"),
    ],
)
async def test_others_have_turns_while_a_packet_is_answered(
    tmp_path: Path, session_of: Callable[[House, Connection], smtp.Session | imap.Session], command: bytes
):
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    async with open_house(tmp_path) as house, trio.open_nursery() as nursery:
        near, far = memory_stream_pair()
        here = ipaddress.ip_address("192.0.2.1")
        connection = Connection(
            far, cid=1, remote=here, remote_port=4, local=here, local_port=5, log=Log("test"), limits=CONNECTION
        )
        await near.send_all(command * COMMANDS)
        await near.send_eof()
        session = session_of(house, connection)
        nursery.start_soon(others)
        await session.run()
        seen = turns
        lines = 0
        with trio.fail_after(60):
            while lines < COMMANDS:
                lines += (await near.receive_some()).count(b"\r\n")
        nursery.cancel_scope.cancel()
    assert seen >= COMMANDS // limits.PIPELINED
