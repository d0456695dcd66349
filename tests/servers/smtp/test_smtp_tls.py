"""TLS of the SMTP door: what is counted, what begins anew, who is turned away."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL
from trio.testing import MockClock

from appliance.net.connection import Connection
from appliance.net.limiter import Limiter, Window
from appliance.net.tlsnames import alert_record
from appliance.net.tlsstream import TLSStream
from appliance.operations import accounts, tlskeys
from appliance.protocol.smtp.settings import Kind
from appliance.servers.smtp import session
from appliance.tls.context import Demands, client_context, server_context
from support import smtphouse
from support.imaphouse import DOMAINS, Client
from support.streams import always, key_pair

CONTEXT = server_context(key_pair(), Demands(client_certificate=True))


@asynccontextmanager
async def open_house(
    folder: Path, kind: Kind = Kind.DELIVERY, *, immediate: bool = False
) -> AsyncIterator[smtphouse.House]:
    async with smtphouse.open_house(folder, DOMAINS, kind=kind) as house:
        protocol = replace(house.door.protocol, starttls=not immediate)
        house.door = replace(house.door, protocol=protocol, tls=always(CONTEXT), immediate_tls=immediate)
        yield house


async def until_starttls(house: smtphouse.House) -> Client:
    client = house.connect()
    assert (await client.line()).startswith(b"220 mx.example")
    await client.send(b"EHLO x.example\r\n")
    while not (await client.line()).startswith(b"250 "):
        pass
    await client.send(b"STARTTLS\r\n")
    assert (await client.line()).startswith(b"220 2.0.0")
    return client


def first_words(version: int = SSL.TLS1_3_VERSION) -> bytes:
    context = client_context(min_version="TLSv1.0")
    context.set_max_proto_version(version)
    client = SSL.Connection(context, None)
    client.set_connect_state()
    with pytest.raises(SSL.WantReadError):
        client.do_handshake()
    return client.bio_read(65_536)


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        pytest.param(b"QUIT\r\n", "nottls", id="plain text"),
        pytest.param(b"", "eof", id="nothing"),
        pytest.param(b"\x80\x2e\x01\x00\x02\x00\x15", "sslv2", id="ssl 2.0"),
        pytest.param(first_words(SSL.TLS1_1_VERSION), "unsupportedversions", id="too old"),
        pytest.param(first_words() + alert_record(45), "alert-45-certificate-expired", id="alert"),
    ],
)
async def test_failed_handshakes_are_counted_by_reason(tmp_path, octets, reason):
    async with open_house(tmp_path) as house:
        errors, all_of_them = session.starttls_errors.labels(reason), session.starttls_handshakes.labels()
        before = errors.value, all_of_them.value
        client = await until_starttls(house)
        await client.send(octets)
        await client.stream.send_eof()
        while await client.stream.receive_some():
            pass
        assert (errors.value, all_of_them.value) == (before[0] + 1, before[1] + 1)


async def test_slow_handshakes_are_counted(tmp_path, autojump_clock: MockClock):
    async with open_house(tmp_path) as house:
        errors = session.starttls_errors.labels("other")
        before = errors.value
        client = await until_starttls(house)
        assert await client.stream.receive_some() == b""
        assert errors.value == before + 1


async def test_only_mail_between_servers_is_counted(tmp_path):
    async with open_house(tmp_path, Kind.SUBMISSION) as house:
        errors = session.starttls_errors.labels("nottls")
        before = errors.value, session.starttls_handshakes.labels().value
        client = await until_starttls(house)
        await client.send(b"QUIT\r\n")
        assert await client.stream.receive_some() == b""
        assert (errors.value, session.starttls_handshakes.labels().value) == before


def with_key() -> SSL.Context:
    context = client_context()
    context.use_certificate(x509.load_pem_x509_certificate(key_pair("phone").chain))
    context.use_privatekey(load_pem_private_key(key_pair("phone").key, None))
    return context


async def begin(client: Client, context: SSL.Context) -> Client:
    stream = TLSStream(client.stream, context, server_side=False)
    await stream.do_handshake()
    return Client(stream)


async def test_networks_that_failed_too_often_are_refused_in_words_whatever_their_key(tmp_path):
    async with open_house(tmp_path, Kind.SUBMISSION, immediate=True) as house:
        await tlskeys.add(house.app, key_pair("phone").chain.decode(), "alice@example.org")
        client = await begin(house.connect(), with_key())
        assert (await client.line()).startswith(b"220 ")
        house.app = replace(house.app, login_failures=Limiter([Window(60, (0, 0, 0))]))
        client = await begin(house.connect(), with_key())
        assert (await client.line()).startswith(b"421 4.7.0 ")
        assert await client.line() == b""


@pytest.mark.parametrize("immediate", [True, False], ids=["immediate", "starttls"])
async def test_a_known_key_is_the_login(tmp_path, immediate):
    async with open_house(tmp_path, Kind.SUBMISSION, immediate=immediate) as house:
        added = await tlskeys.add(house.app, key_pair("phone").chain.decode(), "alice@example.org")
        assert tlskeys.find(house.app, added.fingerprint) == added
        client = house.connect() if immediate else await until_starttls(house)
        client = await begin(client, with_key())
        if immediate:
            await client.line()
        await client.send(b"EHLO x.example\r\nMAIL FROM:<alice@example.org>\r\n")
        while not (line := await client.line()).startswith(b"250 2.1.0"):
            assert line.startswith(b"250")
        await client.send(b"STARTTLS\r\n")
        assert (await client.line()).startswith(b"503 5.5.1")


@pytest.mark.parametrize("immediate", [True, False], ids=["immediate", "starttls"])
async def test_a_removed_key_ends_what_it_opened(tmp_path, immediate):
    async with open_house(tmp_path, Kind.SUBMISSION, immediate=immediate) as house:
        added = await tlskeys.add(house.app, key_pair("phone").chain.decode(), "alice@example.org")
        client = await begin(house.connect() if immediate else await until_starttls(house), with_key())
        if immediate:
            await client.line()
        await client.send(b"NOOP\r\n")
        assert (await client.line()).startswith(b"250 ")
        await accounts.set_password(house.app, "alice", "another password")  # It was not opened with that.
        await client.send(b"NOOP\r\n")
        assert (await client.line()).startswith(b"250 ")
        await tlskeys.remove(house.app, added.fingerprint)
        assert (await client.line()).startswith(b"421 4.7.0 ")
        assert await client.line() == b""


async def test_a_key_removed_within_the_handshake_opens_nothing(tmp_path, monkeypatch):
    async with open_house(tmp_path, Kind.SUBMISSION, immediate=True) as house:
        added = await tlskeys.add(house.app, key_pair("phone").chain.decode(), "alice@example.org")
        start_tls = Connection.start_tls

        async def slowly(*arguments):
            await start_tls(*arguments)
            await tlskeys.remove(house.app, added.fingerprint)

        monkeypatch.setattr(Connection, "start_tls", slowly)
        client = await begin(house.connect(), with_key())
        await client.line()
        await client.send(b"HELO x\r\nMAIL FROM:<alice@example.org>\r\n")
        assert (await client.line()).startswith(b"250 ")
        assert (await client.line()).startswith(b"530 5.7.0 ")


async def test_unknown_keys_fill_the_measure(tmp_path):
    async with open_house(tmp_path, Kind.SUBMISSION, immediate=True) as house:
        house.app = replace(house.app, login_failures=Limiter([Window(60, (2, 9, 9))]))
        for _ in range(2):
            client = house.connect()
            with pytest.raises(trio.BrokenResourceError) as raised:
                await (await begin(client, with_key())).line()
            assert "bad certificate" in str(raised.value.__cause__)
        client = await begin(house.connect(), with_key())
        assert (await client.line()).startswith(b"421 4.7.0 ")
