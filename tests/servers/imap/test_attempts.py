"""Records of logins wait for the client to say what program it is (RFC 2971)."""

import dataclasses

import pytest

from appliance.servers.imap import auth
from support.imaphouse import PASSWORD, USER, open_house

LOGIN = f'LOGIN {USER} "{PASSWORD}"'
ID = 'ID ("name" "Mailer" "version" "2" "os" "Plan9")'


class Book:
    def __init__(self) -> None:
        self.noted: list[tuple[str, str, str]] = []

    def note(self, account, attempt, *, app_password=None) -> None:
        self.noted.append((attempt.mechanism, attempt.result, attempt.user_agent))


@pytest.fixture
async def talk(tmp_path):
    async with open_house(tmp_path) as house:
        book = Book()
        house.app = dataclasses.replace(house.app, logins=book)
        client = house.connect()
        await client.line()
        yield client, book


async def test_id_after_the_login(talk):
    client, book = talk
    await client.command("LOGIN nobody wrong", expect=b"NO")
    await client.command(LOGIN)
    assert book.noted == []
    await client.command(ID)
    agent = "Mailer/2 (Plan9)"
    assert book.noted == [("login", "badcreds", agent), ("login", "ok", agent)]


async def test_id_before_the_login(talk):
    client, book = talk
    await client.command(ID)
    await client.command(LOGIN)
    await client.command("SELECT INBOX")
    assert book.noted == [("login", "ok", "Mailer/2 (Plan9)")]


async def test_a_client_that_begins_to_work(talk):
    client, book = talk
    await client.command(LOGIN)
    await client.command("NOOP")
    assert book.noted == []
    await client.command("SELECT INBOX")
    assert book.noted == [("login", "ok", "")]


async def test_the_end(talk):
    client, book = talk
    await client.command(LOGIN)
    await client.command("LOGOUT")
    assert await client.line() == b""
    assert book.noted == [("login", "ok", "")]


async def test_no_more_than_a_few_wait(talk, monkeypatch):
    monkeypatch.setattr(auth, "_UNRECORDED", 2)
    client, book = talk
    for _ in range(2):
        await client.command("LOGIN nobody wrong", expect=b"NO")
    assert len(book.noted) == 2
