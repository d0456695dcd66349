"""Connections as sessions see them: deadlines, slowness, TLS by name, traces."""

import ipaddress
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from OpenSSL import SSL
from trio.testing import MockClock, memory_stream_pair

from appliance.base.log import Log
from appliance.net.clienthello import Hello
from appliance.net.connection import Closed, Connection, ConnectionLimits, UnknownName, parse_address
from appliance.net.socketstream import SocketStream
from appliance.net.tlsnames import ALERTS, alert_record
from appliance.net.tlsstream import TLSHandshakeError, TLSStream
from appliance.tls.context import Demands, client_context, server_context
from support.streams import both, key_pair, socket_pair

LIMITS = ConnectionLimits(
    write_seconds=30,
    handshake_seconds=60,
    slow_seconds=1,
    slow_margin_seconds=5,
    read_octets=65536,
    linger_octets=1_000_000,
    linger_seconds=10,
    proxy_seconds=5,
    refusal_seconds=5,
)
PLAIN = Demands()


def connection(stream: trio.abc.Stream) -> Connection:
    here = ipaddress.ip_address("127.0.0.1")
    return Connection(
        stream, cid=1, remote=here, remote_port=4, local=here, local_port=25, log=Log("smtpserver"), limits=LIMITS
    )


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[trio.SocketStream, Connection]]:
    async with socket_pair() as (near, far):
        yield near, connection(far)


async def test_octets_are_counted():
    near, far = memory_stream_pair()
    served = connection(far)
    await near.send_all(b"NOOP\r\n")
    assert await served.receive() == b"NOOP\r\n"
    await served.send(b"250 ok\r\n")
    await near.send_eof()
    assert await served.receive() == b""
    assert (served.octets_in, served.octets_out) == (6, 8)


async def test_one_deadline_is_moved(autojump_clock: MockClock):
    near, far = memory_stream_pair()
    served = connection(far)
    with served:
        served.expire_in(30)
        await trio.sleep(29)
        served.expire_in(30)
        await served.receive()
        pytest.fail("nothing was sent")
    assert served.expired
    assert trio.current_time() == pytest.approx(59, abs=0.1)
    await served.send(b"421 too slow\r\n")
    assert await near.receive_some() == b"421 too slow\r\n"


async def test_session_that_ends_is_not_expired():
    _, far = memory_stream_pair()
    served = connection(far)
    with served:
        served.expire_in(30)
    assert not served.expired


async def test_peer_that_does_not_read(autojump_clock: MockClock):
    async with connected() as (_, served):
        with pytest.raises(Closed):
            await served.send(bytes(50_000_000))
        assert trio.current_time() == pytest.approx(30, abs=0.1)
        with pytest.raises(Closed):
            await served.send(b"x")


async def test_nothing_is_kept_for_a_peer_that_does_not_read(autojump_clock: MockClock):
    async with socket_pair() as (near, far):
        served = connection(SocketStream(socket.socket(fileno=os.dup(far.socket.fileno()))))
        await far.aclose()
        with pytest.raises(Closed):
            await served.send(bytes(50_000_000))
        with pytest.raises(trio.BrokenResourceError):  # A reset: what was not read yet is gone with it.
            while await near.receive_some():
                pass


async def test_peer_that_is_gone():
    near, far = memory_stream_pair()
    await near.aclose()
    served = connection(far)
    with pytest.raises(Closed):
        await served.send(b"x")
    await served.aclose()
    with pytest.raises(Closed):
        await served.receive()


async def arrivals(stream: trio.abc.ReceiveStream, count: int) -> list[tuple[int, bytes]]:
    """What arrives in which second."""
    found: list[tuple[int, bytes]] = []
    while sum(len(octets) for _, octets in found) < count:
        octets = bytes(await stream.receive_some())
        found.append((round(trio.current_time()), octets))
    return found


async def test_slow_write_ends_in_a_burst_before_the_deadline(autojump_clock: MockClock):
    near, far = memory_stream_pair()
    served = connection(far)
    served.slow = True
    line = b"550 5.7.1 " + b"x" * 68 + b"\r\n"
    got: list[tuple[int, bytes]] = []

    async def read() -> None:
        got.extend(await arrivals(near, len(line)))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await served.send(line)
    assert b"".join(octets for _, octets in got) == line
    assert [(second, len(octets)) for second, octets in got[:-1]] == [(second, 1) for second in range(25)]
    assert got[-1] == (25, line[25:])


async def test_short_slow_write_needs_no_burst(autojump_clock: MockClock):
    near, far = memory_stream_pair()
    served = connection(far)
    served.slow = True
    await served.send(b"250\r\n")
    assert await arrivals(near, 5) == [(5, b"250\r\n")]
    assert trio.current_time() == pytest.approx(5, abs=0.1)


async def test_slow_read_waits_first(autojump_clock: MockClock):
    near, far = memory_stream_pair()
    served = connection(far)
    served.slow = True
    await near.send_all(b"x")
    assert await served.receive() == b"x"
    assert trio.current_time() == pytest.approx(1, abs=0.1)


async def choose(hello: Hello) -> SSL.Context:
    if hello.server_name not in {"", "mx.example.org"}:
        raise UnknownName(hello.server_name)
    return server_context(key_pair("mx.example.org"), PLAIN)


async def test_tls_by_name():
    async with connected() as (near, served):
        client = TLSStream(near, client_context(), server_side=False, server_name="MX.example.org")
        assert await both(client.do_handshake, lambda: served.start_tls(choose)) == [None, None]
        assert served.tls is not None
        assert served.tls.version == "TLS1.3"
        assert served.tls_stream is not None
        assert served.tls_stream.exporter() == client.exporter()
        await served.send(b"220 hello\r\n")
        assert await client.receive_some() == b"220 hello\r\n"


async def test_a_certificate_may_take_longer_than_a_client(autojump_clock: MockClock):
    async def wait(hello: Hello) -> SSL.Context:
        await trio.sleep(LIMITS.handshake_seconds * 3)
        return await choose(hello)

    near, far = memory_stream_pair()
    served = connection(far)
    client = TLSStream(near, client_context(), server_side=False, server_name="mx.example.org")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.do_handshake)
        await served.start_tls(wait)
    assert served.tls is not None
    with pytest.raises(trio.TooSlowError):
        await connection(memory_stream_pair()[1]).start_tls(choose)


async def test_octets_received_with_starttls_begin_the_handshake():
    async with connected() as (near, served):
        client = TLSStream(near, client_context(), server_side=False)

        async def serve() -> None:
            ahead = await served.receive()
            await served.start_tls(choose, ahead)

        assert await both(client.do_handshake, serve) == [None, None]


async def test_commands_smuggled_behind_starttls_are_no_commands():
    """Plain text in front of the handshake ends it; nothing of it is ever read as a command."""
    async with connected() as (_, served):
        with pytest.raises(TLSHandshakeError) as raised:
            await served.start_tls(choose, b"MAIL FROM:<>\r\n")
        assert raised.value.reason == "nottls"
        assert served.tls is None


async def test_unknown_name_is_answered_with_an_alert():
    async with connected() as (near, served):
        client = TLSStream(near, client_context(), server_side=False, server_name="other.example")
        raised = await both(client.do_handshake, lambda: served.start_tls(choose))
        assert [type(error) for error in raised] == [TLSHandshakeError] * 2
        assert "unrecognized name" in str(raised[0].__cause__)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        pytest.param(b"EHLO there\r\n", "nottls", id="smtp"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", "nottls", id="http"),
        pytest.param(b"\x80\x2e\x01\x00\x02\x00\x15", "sslv2", id="ssl 2.0"),
        pytest.param(b"\x16\x03\x01", "eof", id="cut"),
        pytest.param(b"", "eof", id="nothing"),
    ],
)
async def test_what_is_no_handshake(octets: bytes, reason: str):
    async with connected() as (near, served):
        if octets:
            await near.send_all(octets)
        await near.send_eof()
        with pytest.raises(TLSHandshakeError) as raised:
            await served.start_tls(choose)
        assert raised.value.reason == reason


def first_words(version: int = SSL.TLS1_3_VERSION) -> bytes:
    """A ClientHello."""
    context = client_context(min_version="TLSv1.0")
    context.set_max_proto_version(version)
    client = SSL.Connection(context, None)
    client.set_connect_state()
    with pytest.raises(SSL.WantReadError):
        client.do_handshake()
    return client.bio_read(65_536)


async def reason_of(octets: bytes) -> str:
    """Why a handshake fails whose peer says that and closes."""
    async with connected() as (near, served):
        await near.send_all(octets)
        await near.send_eof()
        with pytest.raises(TLSHandshakeError) as raised:
            await served.start_tls(choose)
        return raised.value.reason


@pytest.mark.parametrize("number", [number for number in ALERTS if number not in {0, 90}])
async def test_alerts_of_the_peer_are_named(number: int):
    """Every one that is registered, in the words of the OpenSSL that is pinned."""
    expected = f"alert-{number}-{ALERTS[number].replace('_', '-')}"
    assert await reason_of(first_words() + alert_record(number)) == expected


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        pytest.param(first_words(SSL.TLS1_1_VERSION), "unsupportedversions", id="too old"),
        pytest.param(first_words() + alert_record(0), "eof", id="close_notify"),
        pytest.param(first_words() + b"EHLO x\r\n", "other", id="talks on in plain text"),
        pytest.param(first_words(), "eof", id="leaves"),
    ],
)
async def test_why_handshakes_fail(octets: bytes, reason: str):
    assert await reason_of(octets) == reason


async def test_handshake_has_a_deadline(autojump_clock: MockClock):
    async with connected() as (_, served):
        with pytest.raises(trio.TooSlowError):
            await served.start_tls(choose)
        assert trio.current_time() == pytest.approx(60, abs=0.1)


async def test_close_under_cancellation():
    async with connected() as (near, served):
        with trio.CancelScope() as scope:
            scope.cancel()
            await served.aclose()
        with trio.fail_after(30):
            assert await near.receive_some() == b""


@pytest.mark.parametrize(
    ("text", "address"),
    [
        pytest.param("192.0.2.1", "192.0.2.1", id="ipv4"),
        pytest.param("2001:db8::1", "2001:db8::1", id="ipv6"),
        pytest.param("::ffff:192.0.2.1", "192.0.2.1", id="mapped"),
        pytest.param("fe80::1%eth0", "fe80::1", id="scope"),
    ],
)
def test_addresses(text: str, address: str):
    assert str(parse_address(text)) == address


async def test_last_words_are_heard():
    """A socket closed with octets unread is reset; so what the peer still sends is taken, for a while."""
    async with socket_pair() as (near, far):
        served = connection(SocketStream(socket.socket(fileno=os.dup(far.socket.fileno()))))
        await near.send_all(bytes(40_000))
        await served.send(b"552 too much\r\n")

        async def end() -> None:
            await far.aclose()  # the other descriptor of the same connection
            await served.linger()
            await served.aclose()

        async def hear() -> None:
            assert await near.receive_some() == b"552 too much\r\n"
            assert await near.receive_some() == b""
            await near.aclose()

        assert await both(end, hear) == [None, None]


async def test_only_the_kernel_needs_lingering():
    """A socket closed with octets unread is reset; other streams forget nothing."""
    _, far = memory_stream_pair()
    began = trio.current_time()
    await connection(far).linger()
    assert trio.current_time() - began < 1


@pytest.mark.parametrize("encrypted", [False, True])
async def test_a_peer_that_closes_is_noticed_whatever_it_left_unread(encrypted: bool):
    async with socket_pair() as (near, far):
        served = connection(SocketStream(socket.socket(fileno=far.socket.detach())))
        client: trio.abc.Stream = near
        if encrypted:
            client = TLSStream(near, client_context(), server_side=False)
            assert await both(client.do_handshake, lambda: served.start_tls(choose)) == [None, None]
        await client.send_all(b"NOOP\r\n")
        assert not served.is_closing()
        await near.send_eof()
        while not served.is_closing():
            await trio.sleep(0)
        assert await served.receive() == b"NOOP\r\n"
        await served.aclose()
    assert not connection(memory_stream_pair()[0]).is_closing()
