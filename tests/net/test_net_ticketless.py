"""A server of TLS 1.3 by the standard library: as TLSStream's other contexts, but without session tickets."""

import os
import ssl

import pytest
import trio
from OpenSSL import SSL

from appliance.net import ticketless
from appliance.net.tlsnames import alert_record
from appliance.net.tlsstream import TLSHandshakeError, TLSStream
from appliance.tls.context import client_context
from support.streams import both, key_pair, socket_pair


def server_context(*protocols: bytes) -> ssl.SSLContext:
    return ticketless.context(key_pair().chain, key_pair().key, protocols)


def streams(
    near: trio.abc.Stream, far: trio.abc.Stream, ours: SSL.Context | None = None
) -> tuple[TLSStream, TLSStream]:
    client = TLSStream(near, ours or client_context(), server_side=False, protocols=[b"smtp"])
    return client, TLSStream(far, server_context(b"imap", b"smtp"), server_side=True)


async def test_it_is_a_connection_like_others():
    async with socket_pair() as (near, far):
        client, server = streams(near, far)
        assert await both(client.do_handshake, server.do_handshake) == [None, None]
        assert server.info.version == client.info.version == "TLS1.3"
        assert server.info.cipher == client.info.cipher
        assert server.info.protocol == client.info.protocol == "smtp"
        assert server.info.peer_key is None
        assert (server.exporter(), server.unique(), server.server_end_point()) == (None, None, None)
        bulk = bytes(range(256)) * 1200
        got = bytearray()

        async def receive() -> None:
            while len(got) < 2 * len(bulk):
                got.extend(await client.receive_some())

        async def echo() -> None:
            left = len(bulk)
            while left:
                octets = await server.receive_some(1000)
                left -= len(octets)
                await server.send_all(octets)

        raised = await both(
            lambda: client.send_all(bulk),
            lambda: server.send_all(bulk[:0]),
            echo,
            lambda: server.send_all(bulk),
            receive,
        )
        assert raised == [None] * 5
        assert len(got) == 2 * len(bulk)


async def test_no_ticket_is_sent():
    messages: list[str] = []
    ours = ssl.create_default_context()
    ours.check_hostname, ours.verify_mode = False, ssl.CERT_NONE
    ours._msg_callback = lambda *told: messages.append(getattr(told[4], "name", ""))  # type: ignore[attr-defined]
    async with socket_pair() as (near, far):
        client = trio.SSLStream(near, ours, https_compatible=True)
        server = TLSStream(far, server_context(), server_side=True)
        assert await both(client.do_handshake, server.do_handshake) == [None, None]
        await server.send_all(b"250 hello\r\n")
        assert await client.receive_some() == b"250 hello\r\n"
    assert "FINISHED" in messages
    assert "NEWSESSION_TICKET" not in messages


@pytest.mark.parametrize("politely", [True, False])
async def test_the_end(politely: bool):
    async with socket_pair() as (near, far):
        client, server = streams(near, far)
        await both(client.do_handshake, server.do_handshake)
        await client.send_all(b"QUIT\r\n")
        if politely:
            await client.aclose()
        else:
            await near.aclose()
        assert await server.receive_some() == b"QUIT\r\n"
        assert await server.receive_some() == b""


async def test_our_end_is_told():
    async with socket_pair() as (near, far):
        client, server = streams(near, far)
        await both(client.do_handshake, server.do_handshake)
        await both(lambda: server.send_all(b"221 bye\r\n"), client.receive_some)
        with pytest.raises(SSL.WantReadError):
            server._engine.shutdown()
        await far.send_all(server._engine.bio_read(1000))
        assert await client.receive_some() == b""
        assert client.connection.get_shutdown() & SSL.RECEIVED_SHUTDOWN


async def test_what_is_no_record_breaks_it():
    async with socket_pair() as (near, far):
        client, server = streams(near, far)
        await both(client.do_handshake, server.do_handshake)
        await near.send_all(b"\x17\x03\x03\x00\x20" + bytes(32))
        with pytest.raises(trio.BrokenResourceError):
            await server.receive_some()


def old_client() -> SSL.Context:
    context = client_context()
    context.set_max_proto_version(SSL.TLS1_2_VERSION)
    return context


def hello() -> bytes:
    client = SSL.Connection(client_context(), None)
    client.set_connect_state()
    with pytest.raises(SSL.WantReadError):
        client.do_handshake()
    return client.bio_read(65_536)


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        pytest.param(b"", "eof", id="nothing"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", "nottls", id="http"),
        pytest.param(b"EHLO x\r\n", "nottls", id="smtp"),
        pytest.param(hello(), "eof", id="leaves"),
        pytest.param(hello() + alert_record(45), "alert-45-certificate-expired", id="alert"),
        pytest.param(hello() + alert_record(48), "alert-48-unknown-ca", id="another alert"),
    ],
)
async def test_failed_handshakes_have_the_same_reasons(octets: bytes, reason: str):
    async with socket_pair() as (near, far):
        server = TLSStream(far, server_context(), server_side=True)
        await near.send_all(octets)
        await near.send_eof()
        with pytest.raises(TLSHandshakeError) as raised:
            await server.do_handshake()
        assert raised.value.reason == reason


async def test_an_older_version_is_told():
    async with socket_pair() as (near, far):
        client, server = streams(near, far, old_client())
        ours, theirs = await both(client.do_handshake, server.do_handshake)
        assert isinstance(theirs, TLSHandshakeError)
        assert theirs.reason == "unsupportedversions"
        assert isinstance(ours, TLSHandshakeError)
        assert ours.reason == "alert-70-protocol-version"


@pytest.mark.parametrize("in_memory", [True, False])
def test_the_key_is_left_nowhere(in_memory: bool, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    if not in_memory:
        monkeypatch.delattr(os, "memfd_create", raising=False)
    descriptors = len(os.listdir("/proc/self/fd"))
    server_context()
    assert list(tmp_path.iterdir()) == []
    assert len(os.listdir("/proc/self/fd")) == descriptors


def test_key_and_certificate_that_do_not_fit():
    with pytest.raises(ValueError, match="key values mismatch"):
        ticketless.context(key_pair().chain, key_pair("other").key)
