"""What the options of a listener do to its SMTP services, as the house puts them together."""

import ipaddress
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio.testing

from appliance import serve
from appliance.base.log import Log
from appliance.net.connection import Connection
from support import smtpclient
from support.imaphouse import DOMAINS, Client
from support.smtphouse import open_house
from support.streams import key_pair

STATIC = """\
data_dir = "."
log_level = "error"
user = "0"
hostname = "mail.example"
[postmaster]
account = "alice"
mailbox = "Inbox"
"""
TLS = '[listeners.it.tls]\nkey_certs = [{ cert_file = "crt", key_file = "key" }]\n'


@asynccontextmanager
async def listener(
    folder: Path, text: str, service: str, *, pedantic: bool = False
) -> AsyncIterator[tuple[Client, Connection]]:
    """A client of one service of a listener, as configured, and the other end."""
    pair = key_pair()
    (folder / "crt").write_bytes(pair.chain)
    (folder / "key").write_bytes(pair.key)
    static = STATIC + "[listeners.it]\nips = ['127.0.0.1']\n" + text
    async with open_house(folder, DOMAINS, static=static, pedantic=pedantic) as house:
        services = serve._services(house.app, house.app.config.snapshot(), serve.Parts())
        assert house.app.certificates.reload(house.app.clock.now()) == []
        (one,) = [one for one in services if one.name == service]
        ours, theirs = trio.testing.memory_stream_pair()
        here = ipaddress.ip_address("192.0.2.1")
        connection = Connection(
            theirs, cid=1, remote=here, remote_port=4, local=here, local_port=25, log=Log("test"), limits=house.limits
        )
        house.nursery.start_soon(one.handler, connection)
        yield Client(ours), connection


async def say(client: Client, commands: str) -> list[str]:
    """The last lines of the replies; `TLS` is a handshake, and the first reply the greeting where there is one."""
    said = []
    for command in commands.split("|"):
        if command == "TLS":
            assert await smtpclient.start_tls(client, "1.3") == ""
            continue
        if command:
            await client.send(f"{command}\r\n".encode())
        lines = [await client.line()]
        while lines[-1][3:4] == b"-":
            lines.append(await client.line())
        said.append(" ".join(line[4:].decode() if len(lines) > 1 else line.decode() for line in lines))
    return said


PLAIN = "[listeners.it.smtp]\nenabled = true\n"
NO_STARTTLS = PLAIN + "no_starttls = true\n"
SUBMISSION = "[listeners.it.submission]\nenabled = true\n"
SUBMISSIONS = "[listeners.it.submissions]\nenabled = true\n"
EHLO, START = "|EHLO x.example", "|EHLO x.example|STARTTLS|TLS|EHLO x.example"
RCPT = "|HELO x.example|MAIL FROM:<a@b.example>|RCPT TO:<alice@example.org>"


@pytest.mark.parametrize(
    ("text", "service", "commands", "found", "lacking"),
    [
        pytest.param(NO_STARTTLS, "smtp", "", "^220 mail.example ESMTP ", "mx2", id="global hostname"),
        pytest.param(
            'hostname = "mx2.example"\n' + NO_STARTTLS, "smtp", EHLO, "^mx2.example ", "mail.example", id="own hostname"
        ),
        pytest.param(NO_STARTTLS, "smtp", EHLO, " SIZE 104857600 ", "STARTTLS|REQUIRETLS|AUTH", id="usual size"),
        pytest.param('smtp_max_message_size = "1M"\n' + NO_STARTTLS, "smtp", EHLO, " SIZE 1048576 ", "AUTH", id="size"),
        pytest.param(
            'smtp_max_message_size = "1M"\n' + SUBMISSION + TLS, "submission", EHLO, " SIZE 1048576 ", "AUTH",
            id="size of submissions",
        ),
        pytest.param(PLAIN + TLS, "smtp", EHLO, " STARTTLS ", "REQUIRETLS|AUTH|FUTURERELEASE", id="TLS"),
        pytest.param(NO_STARTTLS + TLS, "smtp", EHLO, " SIZE ", "STARTTLS", id="no TLS though there is a certificate"),
        pytest.param(NO_STARTTLS + TLS, "smtp", EHLO + "|STARTTLS", "^503 5.5.1 ", "220", id="nor by asking for it"),
        pytest.param(PLAIN + TLS, "smtp", START, " REQUIRETLS ", "STARTTLS|AUTH|FUTURERELEASE", id="REQUIRETLS"),
        pytest.param(PLAIN + "no_requiretls = true\n" + TLS, "smtp", START, " SIZE ", "REQUIRETLS", id="no REQUIRETLS"),
        pytest.param(
            SUBMISSION + "[listeners.it.smtp]\nno_requiretls = true\n" + TLS, "submission", START, " REQUIRETLS ", "^$",
            id="users always have it",
        ),
        pytest.param(PLAIN + TLS, "smtp", RCPT, "^250 ", "530", id="TLS is the client's choice"),
        pytest.param(PLAIN + "require_starttls = true\n" + TLS, "smtp", RCPT, "^530 5.7.0 ", "250", id="or is not"),
        pytest.param(SUBMISSION + TLS, "submission", EHLO, " STARTTLS .*FUTURERELEASE ", "AUTH", id="passwords wait"),
        pytest.param(
            SUBMISSION + "no_require_starttls = true\n" + TLS, "submission", EHLO, " AUTH ", "REQUIRETLS",
            id="passwords do not wait",
        ),
        pytest.param(
            SUBMISSIONS + TLS, "submissions", "TLS|" + EHLO, " REQUIRETLS AUTH .*FUTURERELEASE ", "STARTTLS",
            id="TLS at once",
        ),
        pytest.param(
            "[listeners.it.lmtp]\nenabled = true\nport = 24\n" + TLS, "lmtp", "|LHLO x.example", "BINARYMIME",
            "STARTTLS|AUTH|REQUIRETLS", id="LMTP",
        ),
    ],
)  # fmt: skip
async def test_option(tmp_path: Path, text: str, service: str, commands: str, found: str, lacking: str) -> None:
    async with listener(tmp_path, text, service) as (client, _):
        said = (await say(client, commands))[-1]
        assert re.search(found, said), said
        assert not re.search(lacking, said), said


@pytest.mark.parametrize(("pedantic", "reply"), [(False, "250 2.1.0 "), (True, "501 5.5.2 ")])
async def test_pedantry(tmp_path: Path, pedantic: bool, reply: str) -> None:
    async with listener(tmp_path, NO_STARTTLS, "smtp", pedantic=pedantic) as (client, _):
        assert (await say(client, "|HELO x.example|MAIL FROM: <>"))[-1].startswith(reply)


@pytest.mark.parametrize(
    ("text", "service", "asked"),
    [
        pytest.param(PLAIN + TLS, "smtp", False, id="other servers"),
        pytest.param(SUBMISSION + TLS, "submission", True, id="users"),
        pytest.param(SUBMISSIONS + TLS, "submissions", True, id="users, TLS at once"),
        pytest.param(SUBMISSION + TLS + "client_auth_disabled = true\n", "submission", False, id="switched off"),
        pytest.param(SUBMISSIONS + TLS + "client_auth_disabled = true\n", "submissions", False, id="at once and off"),
    ],
)
async def test_who_is_asked_for_a_key(tmp_path: Path, text: str, service: str, asked: bool) -> None:
    async with listener(tmp_path, text, service) as (client, connection):
        if service != "submissions":
            await say(client, "|HELO x.example|STARTTLS")
        failure = await smtpclient.start_tls(client, "1.2", "stranger")
        assert ("bad certificate" in failure) is asked
        if not asked:
            assert (await say(client, "" if service == "submissions" else "NOOP"))[0].startswith("2")
            assert connection.tls is not None
            assert connection.tls.peer_key is None
