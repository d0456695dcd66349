"""What is announced when (RFC 9051 §6.1.1): before and after TLS and login, and what an account has switched off."""

import pytest

from appliance.config.source import ConfigSource
from appliance.net.tlsstream import TLSStream
from appliance.operations.actor import Actor
from appliance.protocol.imap.capability import BASE
from appliance.tls.context import Demands, client_context, server_context
from support.imaphouse import DOMAINS, PASSWORD, USER, Client, House, open_house
from support.streams import key_pair

LOGIN = f'LOGIN {USER} "{PASSWORD}"'
ALWAYS = {*BASE.split(), "APPENDLIMIT=1048576"}
SCRAM = {
    *("AUTH=SCRAM-SHA-256-PLUS", "AUTH=SCRAM-SHA-256", "AUTH=SCRAM-SHA-1-PLUS", "AUTH=SCRAM-SHA-1", "AUTH=CRAM-MD5"),
}
LOGGED_IN = {"UNAUTHENTICATE", "COMPRESS=DEFLATE"}


async def contexts(_: object) -> object:
    return server_context(key_pair("localhost"), Demands())


async def tell(client: Client) -> set[str]:
    lines = await client.command("CAPABILITY")
    words = lines[0].decode().split()
    assert words[:2] == ["*", "CAPABILITY"]
    assert len(set(words)) == len(words)
    return set(words[2:])


async def over_tls(client: Client) -> Client:
    stream = TLSStream(client.stream, client_context(), server_side=False, server_name="localhost")
    await stream.do_handshake()
    return Client(stream)


def greeted(line: bytes) -> set[str]:
    return set(line.partition(b"[CAPABILITY ")[2].partition(b"]")[0].decode().split())


def test_the_base():
    assert set(BASE.split()) >= {
        *("IMAP4rev2", "IMAP4rev1", "ENABLE", "LITERAL+", "IDLE", "SASL-IR", "BINARY", "UNSELECT", "UIDPLUS", "ESEARCH"),
        *("SEARCHRES", "MOVE", "UTF8=ACCEPT", "LIST-EXTENDED", "SPECIAL-USE", "CREATE-SPECIAL-USE", "LIST-STATUS", "ID"),
        *("CONDSTORE", "QRESYNC", "STATUS=SIZE", "SAVEDATE", "WITHIN", "NAMESPACE", "MULTIAPPEND", "REPLACE", "PREVIEW"),
        *("INPROGRESS", "NOTIFY", "UIDONLY"),
    }  # fmt: skip


async def test_without_tls_at_all(tmp_path):
    async with open_house(tmp_path, plain_login=False) as house:
        client = house.connect()
        assert greeted(await client.line()) == await tell(client) == ALWAYS | SCRAM | {"LOGINDISABLED"}


async def test_passwords_without_tls(tmp_path):
    async with open_house(tmp_path) as house:
        client = house.connect()
        assert greeted(await client.line()) == ALWAYS | SCRAM | {"AUTH=PLAIN"}
        lines = await client.command(LOGIN)
        assert greeted(lines[-1]) == await tell(client) == ALWAYS | LOGGED_IN


async def test_starttls(tmp_path):
    async with open_house(tmp_path, plain_login=False, tls=contexts) as house:
        client = house.connect()
        assert greeted(await client.line()) == ALWAYS | SCRAM | {"LOGINDISABLED", "STARTTLS"}
        await client.command("STARTTLS")
        client = await over_tls(client)
        assert await tell(client) == ALWAYS | SCRAM | {"AUTH=PLAIN"}
        await client.command("STARTTLS", expect=b"NO")


async def test_immediate_tls(tmp_path):
    async with open_house(tmp_path, plain_login=False, tls=contexts, immediate_tls=True) as house:
        client = await over_tls(house.connect())
        assert greeted(await client.line()) == ALWAYS | SCRAM | {"AUTH=PLAIN"}
        # As if the client had brought a certificate that an account knows.
        house.sessions[0].certificate = Actor(house.account, "alice", USER)
        assert await tell(client) == ALWAYS | SCRAM | {"AUTH=PLAIN", "AUTH=EXTERNAL"}


@pytest.fixture
async def limited(tmp_path):
    domains = DOMAINS.replace(
        "[accounts.alice]", '[accounts.alice]\nimap_capabilities_disabled = ["COMPRESS=DEFLATE", "IMAP4REV2", "MOVE"]'
    )
    async with open_house(tmp_path, domains) as house:
        yield house


async def test_switched_off_by_the_account(limited: House):
    """For a client that an extension confuses; the commands themselves still work."""
    assert isinstance(limited.app.config, ConfigSource)
    client = limited.connect()
    assert "MOVE" in greeted(await client.line())
    lines = await client.command(LOGIN)
    off = {"COMPRESS=DEFLATE", "IMAP4rev2", "MOVE"}
    assert greeted(lines[-1]) == await tell(client) == (ALWAYS | LOGGED_IN) - off
    lines = await client.command("ENABLE IMAP4rev2 CONDSTORE")
    assert lines[-2] == b"* ENABLED CONDSTORE"
    await client.append(b"X: 1\r\n\r\n")
    await client.command("SELECT INBOX")
    await client.command("MOVE 1 Trash")
