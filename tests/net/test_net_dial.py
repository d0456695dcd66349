"""Connections we make: which address first, from where, through what, within what time."""

import contextlib
import socket
from ipaddress import ip_address

import pytest
import trio

from appliance.dns.answers import Type
from appliance.dns.problems import NotFound
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table
from appliance.net.dial import DialError, Proxy, Sources, addresses_of, dial, dial_host, order

A4, B4, A6, B6 = map(ip_address, ("192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"))
HERE, ALSO_HERE = ip_address("127.0.0.1"), ip_address("127.0.0.2")
ALL = [A6, B6, A4, B4]


@pytest.mark.parametrize(("dialed", "expected"), [
    pytest.param([], ALL, id="as they came"),
    pytest.param([A6], [A4, B4, A6, B6], id="the other family, the same address again"),
    pytest.param([B6], [A4, B4, B6, A6], id="the one that was dialed"),
    pytest.param([B6, B4], [A6, B6, B4, A4], id="once more the other family"),
    pytest.param([A6, B6], [A4, B4, A6, B6], id="twice in a family: as they came"),
    pytest.param([A4, B4, A4], ALL, id="often"),
    pytest.param([ip_address("192.0.2.9")], [A6, B6, A4, B4], id="an address that is gone"),
])  # fmt: skip
def test_order(dialed, expected):
    assert order(ALL, dialed) == expected


@contextlib.asynccontextmanager
async def listener(host="127.0.0.1"):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as sock:
        sock.bind((host, 0))
        sock.listen(5)
        yield sock, sock.getsockname()[1]


async def test_connects_from_the_address_it_is_told():
    async with listener() as (sock, port):
        dialed = await dial([HERE], port, seconds=5, sources=Sources(ipv4=ALSO_HERE, ipv6=A6))
        peer, (host, _) = sock.accept()
        assert (host, dialed.address, dialed.port, dialed.local) == ("127.0.0.2", HERE, port, ALSO_HERE)
        peer.sendall(b"hello")
        assert await dialed.stream.receive_some() == b"hello"
        peer.close()
        await dialed.stream.aclose()


async def test_goes_on_to_the_next_address():
    """Nobody listens at the first; 192.0.2.1 cannot be reached from a loopback address."""
    async with listener() as (_, port):
        dialed = await dial([ALSO_HERE, A4, HERE], port, seconds=5, sources=Sources(ipv4=HERE))
        assert dialed.address == HERE
        await dialed.stream.aclose()


async def test_tells_what_was_tried():
    async with listener() as (_, port):
        with pytest.raises(DialError) as raised:
            await dial([ALSO_HERE], port, seconds=5)
    assert raised.value.tried == ((ALSO_HERE, "Connection refused"),)
    assert str(raised.value) == "127.0.0.2: Connection refused"
    assert not raised.value.timeout
    with pytest.raises(DialError, match="no address"):
        await dial([], 25, seconds=5)


async def test_time_is_shared(autojump_clock, monkeypatch):
    """Who does not answer gets half of the time when one more is left, and no less than a second."""
    began = trio.current_time()
    waited = {}

    async def connect(address, port, sources):
        start = trio.current_time()
        try:
            await trio.sleep_forever()
        finally:
            waited[address] = trio.current_time() - start

    monkeypatch.setattr("appliance.net.dial._connect", connect)
    with pytest.raises(DialError) as raised:
        await dial([A4, B4, A6], 25, seconds=30)
    assert raised.value.timeout
    assert [round(one) for one in waited.values()] == [10, 10, 10]
    assert round(trio.current_time() - began) == 30
    with pytest.raises(DialError):
        await dial([A4, B4, A6, B6], 25, seconds=2)
    assert round(trio.current_time() - began) == 32


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")
async def test_ipv6():
    try:
        async with listener("::1") as (_, port):
            dialed = await dial([ip_address("::1")], port, seconds=5)
            assert dialed.address == dialed.local == ip_address("::1")
            await dialed.stream.aclose()
    except OSError:
        pytest.skip("no IPv6")


async def test_cancelled_while_connecting(monkeypatch):
    """The socket must not be left: one that is not closed is a warning, and that an error."""
    monkeypatch.setattr("trio.lowlevel.wait_writable", lambda sock: trio.sleep_forever())
    async with listener() as (_, port):
        with trio.move_on_after(0.01) as scope:
            await dial([HERE], port, seconds=5)
        assert scope.cancelled_caught


class TestNames:
    resolver = Resolver(Table({"mx.example": {Type.A: [HERE], Type.AAAA: [A6]}, "six.example": {Type.AAAA: [A6]}}))

    async def test_addresses(self):
        assert await addresses_of(self.resolver, "mx.example") == (A6, HERE)
        assert await addresses_of(self.resolver, "mx.example", family=4) == (HERE,)
        assert await addresses_of(self.resolver, "192.0.2.1") == (A4,)
        with pytest.raises(NotFound):
            await addresses_of(self.resolver, "six.example", family=4)

    async def test_dialed(self):
        async with listener() as (_, port):
            dialed = await dial_host(
                self.resolver, "mx.example", port, seconds=5, dialed=[A6], sources=Sources(ipv4=HERE)
            )
            assert dialed.address == HERE
            await dialed.stream.aclose()


# ---- Through a proxy. ----

GREETING = b"\x05\x01\x00"
TO_A4 = b"\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x19"
TO_A6 = b"\x05\x01\x00\x04" + A6.packed + b"\x00\x19"
OK4 = b"\x05\x00\x00\x01\x7f\x00\x00\x01\x10\x00"


async def through(script, address=A4, *, addresses=(HERE,)):
    """Dial through a proxy that plays a script of what it must receive and what it answers; the connection."""
    async with listener() as (sock, port), trio.open_nursery() as nursery:
        result = []

        async def client():
            with trio.fail_after(30):
                try:
                    result.append(await dial([address], 25, seconds=5, proxy=Proxy(addresses, port)))
                except DialError as error:
                    result.append(error)

        nursery.start_soon(client)
        trio_listener = trio.SocketListener(trio.socket.from_stdlib_socket(sock.dup()))
        async with trio_listener, await trio_listener.accept() as peer:
            for expected, said in script:
                received = b""
                while len(received) < len(expected):
                    received += await peer.receive_some(len(expected) - len(received))
                assert received == expected
                for octet in said:
                    await peer.send_all(bytes([octet]))
            while not result:
                if not await peer.receive_some(1):
                    break
            while not result:
                await trio.lowlevel.checkpoint()
        return result[0]


@pytest.mark.parametrize(("address", "request_", "reply"), [
    (A4, TO_A4, OK4),
    (A6, TO_A6, b"\x05\x00\x00\x04" + bytes(18)),
    (A4, TO_A4, b"\x05\x00\x00\x03\x09localhost\x00\x19"),
])  # fmt: skip
async def test_proxy(address, request_, reply):
    dialed = await through([(GREETING, b"\x05\x00"), (request_, reply + b"220 hi\r\n"), (b"", b"")], address)
    assert (dialed.address, dialed.port) == (address, 25)
    received = b""
    while len(received) < 8:
        received += await dialed.stream.receive_some()
    assert received == b"220 hi\r\n"
    await dialed.stream.aclose()


@pytest.mark.parametrize(("script", "text"), [
    ([(GREETING, b"HT")], "not a SOCKS5 proxy"),
    ([(GREETING, b"\x05\xff")], "wants a login"),
    ([(GREETING, b"\x05")], "closed the connection"),
    ([(GREETING, b"\x05\x00"), (TO_A4, b"\x05\x05\x00\x01")], "the proxy says: connection refused"),
    ([(GREETING, b"\x05\x00"), (TO_A4, b"\x05\x63\x00\x01")], "the proxy says: error 99"),
    ([(GREETING, b"\x05\x00"), (TO_A4, b"\x05\x00\x00\x09")], "malformed"),
])  # fmt: skip
async def test_proxy_that_does_not_help(script, text):
    async with listener() as (sock, port), trio.open_nursery() as nursery:

        async def serve():
            peer = trio.SocketStream(
                trio.socket.from_stdlib_socket(await trio.to_thread.run_sync(lambda: sock.accept()[0]))
            )
            async with peer:
                for expected, said in script:
                    received = b""
                    while len(received) < len(expected):
                        received += await peer.receive_some(len(expected) - len(received))
                    await peer.send_all(said)

        nursery.start_soon(serve)
        with pytest.raises(DialError, match=text):
            await dial([A4], 25, seconds=5, proxy=Proxy((HERE,), port))


async def test_proxy_that_is_not_there():
    async with listener() as (_, port):
        with pytest.raises(DialError, match="proxy: Connection refused"):
            await dial([A4], 25, seconds=5, proxy=Proxy((ALSO_HERE,), port))
