"""What opened a session is taken back: it ends, whatever it is doing."""

from dataclasses import replace
from pathlib import Path

import pytest
import trio

from appliance.operations import accounts
from support.imaphouse import Client, House, open_house
from support.quiet import settled

BYE = b"* BYE logged out by the administrator"


async def _waiting(house: House) -> Client:
    return await house.log_in()


async def _idling(house: House) -> Client:
    client = await house.log_in()
    await client.command("SELECT INBOX")
    await client.send(b"a IDLE\r\n")
    assert await client.line() == b"+ idling"
    return client


async def _notified(house: House) -> Client:
    client = await house.log_in()
    await client.command("NOTIFY SET (personal (MessageNew MessageExpunge))")
    return client


async def _literal(house: House) -> Client:
    client = await house.log_in()
    await client.send(b"a APPEND INBOX {10}\r\n")
    assert (await client.line()).startswith(b"+")
    await client.send(b"12345")
    return client


@pytest.mark.parametrize("state", [_waiting, _idling, _notified, _literal])
async def test_a_new_password_ends_what_the_old_one_opened(state, tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        client = await state(house)
        await settled()
        await accounts.set_password(house.app, "alice", "another one")
        with trio.fail_after(30):
            assert await client.line() == BYE
            assert await client.line() == b""


async def test_sessions_of_other_credentials_stay(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        clients = [await house.log_in() for _ in range(4)]
        for session, change in zip(
            house.sessions, ({}, {"app_password": 3}, {"key": b"k"}, {"key": b"l"}), strict=True
        ):
            session.actor = replace(session.account, **change)
        await accounts.set_password(house.app, "alice", "another one")
        house.app.sessions.end("alice", lambda login: login.app_password == 3 or login.key == b"k")
        with trio.fail_after(30):
            for client in clients[:3]:
                assert await client.line() == BYE
            await clients[3].command("NOOP")
