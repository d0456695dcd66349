"""Listeners: limits at the door, refused accepts, bugs that stay inside."""

import errno
import ipaddress
import resource
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import pytest
import trio
from trio.testing import MockClock

from appliance.base.ids import Cids
from appliance.base.log import Log
from appliance.base.metrics import panics
from appliance.net import listen
from appliance.net.connection import Connection, ConnectionLimits
from appliance.net.limiter import Limiter, Ration, Window
from appliance.net.listen import Door, Gate, bind, raise_file_limit, serve
from appliance.net.shutdown import Shutdown
from appliance.net.tlsstream import TLSHandshakeError, TLSStream
from appliance.tls.context import Demands, client_context, server_context
from support.clock import StandingClock
from support.streams import always, key_pair

HERE = ipaddress.ip_address("127.0.0.1")
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
MANY = (1000, 1000, 1000)


async def echo(connection: Connection) -> None:
    while octets := await connection.receive():
        if octets == b"bug":
            raise RuntimeError("a bug\nl=error m=forged")
        await connection.send(octets)


def door(handler: Callable[[Connection], Awaitable[None]] = echo, gate: Gate | None = None) -> Door:
    clock = StandingClock()
    return Door(
        protocol="test",
        listener="local",
        handler=handler,
        refusal=lambda why, cid: f"421 {why}\r\n".encode(),
        gate=gate
        or Gate(rate=Limiter([Window(60, MANY)]), open=Limiter([Window(0, MANY)]), most=100, handshakes=Ration(2)),
        limits=LIMITS,
        clock=clock,
        cids=Cids(clock),
        shutdown=Shutdown(),
    )


@asynccontextmanager
async def served(
    opened: Door, sock: socket.socket | None = None
) -> AsyncIterator[Callable[[], Awaitable[trio.SocketStream]]]:
    sock = sock or bind(HERE, 0)
    port = sock.getsockname()[1]
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            await nursery.start(partial(serve, opened, [sock]))
            yield partial(trio.open_tcp_stream, "127.0.0.1", port)
            nursery.cancel_scope.cancel()


async def ask(stream: trio.SocketStream, octets: bytes = b"ping") -> bytes:
    await stream.send_all(octets)
    return bytes(await stream.receive_some())


async def test_connections_are_independent():
    async with served(door()) as dial, await dial() as one, await dial() as other:
        assert await ask(one) == b"ping"
        assert await ask(other) == b"ping"
        await one.aclose()
        assert await ask(other) == b"ping"


async def test_a_bug_ends_one_session_and_is_counted():
    before = panics.labels("test").value
    async with served(door()) as dial, await dial() as one, await dial() as other:
        assert await ask(one, b"bug") == b""
        assert await ask(other) == b"ping"
        assert panics.labels("test").value == before + 1


async def test_open_connections_are_counted_and_given_back():
    opened = door(
        gate=Gate(
            rate=Limiter([Window(60, MANY)]), open=Limiter([Window(0, (2, 9, 9))]), most=100, handshakes=Ration(2)
        )
    )
    gauge = listen.open_connections.labels("test", "local")
    async with served(opened) as dial, await dial() as one, await dial() as other:
        assert [await ask(one), await ask(other)] == [b"ping"] * 2
        assert gauge.value == 2
        async with await dial() as third:
            assert await third.receive_some() == b"421 open\r\n"
            assert await third.receive_some() == b""
        await one.aclose()
        while gauge.value == 2:
            await trio.lowlevel.checkpoint()
        async with await dial() as third:
            assert await ask(third) == b"ping"
    assert gauge.value == 0


@pytest.mark.parametrize(
    ("gate", "said"),
    [
        pytest.param(
            Gate(
                rate=Limiter([Window(60, (1, 9, 9))]), open=Limiter([Window(0, MANY)]), most=100, handshakes=Ration(2)
            ),
            b"421 rate\r\n",
            id="rate",
        ),
        pytest.param(
            Gate(rate=Limiter([Window(60, MANY)]), open=Limiter([Window(0, MANY)]), most=1, handshakes=Ration(2)),
            b"421 open\r\n",
            id="all of the listener's",
        ),
    ],
)
async def test_turned_away(gate: Gate, said: bytes):
    async with served(door(gate=gate)) as dial, await dial() as one:
        assert await ask(one) == b"ping"
        async with await dial() as other:
            assert await other.receive_some() == said
        assert await ask(one) == b"ping"


def tls_door(gate: Gate) -> Door:
    """One that begins with TLS, as its handler and its refusals do."""
    context = server_context(key_pair(), Demands())

    async def handler(connection: Connection) -> None:
        await connection.start_tls(always(context))
        await echo(connection)

    return replace(door(handler, gate), tls=always(context))


async def in_tls(stream: trio.SocketStream) -> TLSStream:
    client = TLSStream(stream, client_context(), server_side=False)
    await client.do_handshake()
    return client


async def test_refusals_are_said_in_tls_where_it_begins_at_once():
    opened = tls_door(
        Gate(Limiter([Window(60, (1, 9, 9))]), Limiter([Window(0, MANY)]), most=100, handshakes=Ration(2))
    )
    async with served(opened) as dial, await dial() as one:
        first = await in_tls(one)
        await first.send_all(b"ping")
        assert await first.receive_some() == b"ping"
        for _ in range(2):
            async with await dial() as other:
                client = await in_tls(other)
                assert await client.receive_some() == b"421 rate\r\n"
                assert await client.receive_some() == b""
        async with await dial() as other:
            with pytest.raises(TLSHandshakeError):  # The ration of this second is used up.
                await in_tls(other)


async def test_full_listeners_close_at_once_where_words_would_cost_a_handshake():
    opened = tls_door(Gate(Limiter([Window(60, MANY)]), Limiter([Window(0, MANY)]), most=1, handshakes=Ration(9)))
    async with served(opened) as dial, await dial() as one:
        await in_tls(one)
        async with await dial() as other:
            with pytest.raises(TLSHandshakeError):
                await in_tls(other)


LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
CLIENT = b"PROXY TCP4 192.0.2.1 198.51.100.2 40000 25\r\n"


async def test_proxies_tell_whose_connection_it_is():
    found: list[Connection] = []

    async def handler(connection: Connection) -> None:
        found.append(connection)
        await echo(connection)

    opened = replace(door(handler), proxies=LOOPBACK)
    async with served(opened) as dial:
        async with await dial() as stream:
            for octet in CLIENT:
                await stream.send_all(bytes([octet]))
            assert await ask(stream) == b"ping"
        async with await dial() as stream:
            assert await ask(stream, CLIENT + b"early") == b"early"
        async with await dial() as stream:
            near = stream.socket.getsockname()
            assert await ask(stream, b"PROXY UNKNOWN\r\nping") == b"ping"
    ends = [(str(one.remote), one.remote_port, str(one.local), one.local_port) for one in found]
    assert ends[:2] == [("192.0.2.1", 40000, "198.51.100.2", 25)] * 2
    assert ends[2][:3] == (*near, "127.0.0.1")


async def test_limits_count_clients_not_their_proxy():
    gate = Gate(Limiter([Window(60, (1, 9, 9))]), Limiter([Window(0, MANY)]), most=100, handshakes=Ration(2))
    async with served(replace(door(gate=gate), proxies=LOOPBACK)) as dial:
        for number, said in ((1, b"x"), (2, b"x"), (1, b"421 rate\r\n")):
            async with await dial() as stream:
                header = b"PROXY TCP4 192.0.2.%d 198.51.100.2 40000 25\r\n" % number
                assert await ask(stream, header + b"x") == said


@pytest.mark.parametrize("octets", [b"EHLO client.example\r\n", b"PROXY TCP4 nonsense\r\n", b"\x16\x03\x01\x02\x00"])
async def test_proxies_must_send_a_header(octets: bytes):
    async with served(replace(door(), proxies=LOOPBACK)) as dial, await dial() as stream:
        assert await ask(stream, octets) == b""


async def test_proxies_must_be_quick(autojump_clock: MockClock):
    async with served(replace(door(), proxies=LOOPBACK)) as dial, await dial() as stream:
        await stream.send_all(b"PROXY ")
        assert await stream.receive_some() == b""
        assert trio.current_time() == pytest.approx(LIMITS.proxy_seconds, abs=0.1)


async def test_others_must_not_send_a_header():
    """They get through with it to the protocol, which does not know such a command."""
    elsewhere = (ipaddress.ip_network("192.0.2.0/24"),)
    async with served(replace(door(), proxies=elsewhere)) as dial, await dial() as stream:
        assert await ask(stream, CLIENT) == CLIENT


async def test_full_listeners_do_not_wait_for_proxies():
    gate = Gate(Limiter([Window(60, MANY)]), Limiter([Window(0, MANY)]), most=1, handshakes=Ration(2))
    async with served(replace(door(gate=gate), proxies=LOOPBACK)) as dial, await dial() as one:
        assert await ask(one, CLIENT + b"ping") == b"ping"
        async with await dial() as other:
            assert await other.receive_some() == b""


async def test_shutdown_is_said_first():
    opened = door(
        gate=Gate(
            rate=Limiter([Window(60, (0, 0, 0))]), open=Limiter([Window(0, MANY)]), most=100, handshakes=Ration(2)
        )
    )
    opened.shutdown.request()
    async with served(opened) as dial, await dial() as one:
        assert await one.receive_some() == b"421 shutdown\r\n"


class Failing(socket.socket):
    """A listener whose process has no descriptor left for a while."""

    failures: list[int]

    def accept(self) -> tuple[socket.socket, object]:
        if self.failures:
            raise OSError(self.failures.pop(), "no")
        return super().accept()


async def test_refused_accepts_do_not_end_the_listener(autojump_clock: MockClock):
    sock = Failing(fileno=bind(HERE, 0).detach())
    sock.failures = [errno.EMFILE, errno.ENFILE, errno.ECONNABORTED, errno.ENOMEM, errno.EMFILE]
    async with served(door(), sock) as dial, await dial() as one:
        assert await ask(one) == b"ping"
    assert not sock.failures


async def test_options_of_accepted_sockets():
    found: list[tuple[int, int]] = []

    async def handler(connection: Connection) -> None:
        sock = connection.stream.socket  # type: ignore[attr-defined]
        keepalive = sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        found.append((keepalive, sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)))
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    async with served(door(handler)) as dial, await dial() as one:
        assert await one.receive_some() == b""
    assert found == [(1, 300)]


async def test_connection_knows_its_ends():
    found: list[Connection] = []

    async def handler(connection: Connection) -> None:
        found.append(connection)

    async with served(door(handler)) as dial:
        for _ in range(2):
            async with await dial() as stream:
                near = stream.socket.getsockname()
                assert await stream.receive_some() == b""
            assert (str(found[-1].remote), found[-1].remote_port) == near
            assert found[-1].local == HERE
    assert found[1].cid == found[0].cid + 1


def test_both_families_share_a_port():
    """`0.0.0.0` and `::` may stand side by side."""
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    with bind(ipaddress.ip_address("0.0.0.0"), 0) as four:
        try:
            six = bind(ipaddress.ip_address("::"), four.getsockname()[1])
        except OSError as error:
            if error.errno in {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}:
                pytest.skip("no IPv6 here")
            raise
        six.close()


def test_taken_port_is_named():
    with bind(HERE, 0) as sock:
        port = sock.getsockname()[1]
        with pytest.raises(OSError, match=f"127.0.0.1 port {port}"):
            bind(HERE, port)


def test_file_limit_is_raised():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, before[0]), before[1]))
        assert raise_file_limit(Log("serve").logger, 1) == before[1]
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == before[1]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
