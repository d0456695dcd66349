"""Requests to web servers: what is asked, what is taken for a response, and what it may cost."""

import contextlib
import json
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
import trio
from hypothesis import given, strategies as st

from appliance.dns.answers import Type
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table
from appliance.net.http import URL, Bounds, Client, Fault, HTTPError, Request, _Exchange
from appliance.tls.context import client_context
from appliance.tls.verify import by_authorities
from support.authority import Authority
from support.webserver import response, web_server

NAME, OTHER = "web.example.org", "other.example.org"
AUTHORITY = Authority()
PAIR = AUTHORITY.key_pair(NAME)
HERE = {Type.A: [ip_address("127.0.0.1")]}
BOUNDS = Bounds(seconds=10, body_octets=100)


def client(records=None, **options):
    resolver = Resolver(Table({NAME: HERE} if records is None else records, **options))

    def judge(chain, name):
        return by_authorities(chain, name, AUTHORITY.roots, datetime.now(UTC)).result

    return Client(resolver, client_context(), judge, "test")


async def ask(server, *, scheme="https", bounds=BOUNDS, **options):
    return await client().send(Request(URL(scheme, NAME, "/a?b", server.port), **options), bounds)


async def test_get():
    async with web_server(PAIR, response(b"hello", "X-One: 1", "x-one: 2")) as server:
        found = await ask(server, fields=(("Accept", "text/plain"),))
        assert (found.status, found.body, found.field("x-one")) == (200, b"hello", "1")
        head = server.requests[0].decode()
        assert head.startswith("GET /a?b HTTP/1.1\r\n")
        lines = head.split("\r\n")
        assert f"Host: {NAME}:{server.port}" in lines
        assert {"Accept: text/plain", "Connection: close", "Accept-Encoding: identity"} <= set(lines)
        assert "Content-Length" not in head


async def test_post_keeps_the_beginning_of_the_response():
    async with web_server(None, response(b"x" * 70_000, status="500 Oh")) as server:
        body = json.dumps({"a": 1}).encode()
        fields = (("Content-Type", "application/json"),)
        bounds = Bounds(seconds=10, body_octets=512, cut=True)
        found = await ask(server, scheme="http", method="POST", fields=fields, body=body, bounds=bounds)
        assert (found.status, found.body) == (500, b"x" * 512)
        assert server.requests[0].startswith(b"POST ")
        assert b"Content-Length: 8\r\n" in server.requests[0]


@pytest.mark.parametrize(("octets", "status", "body"), [
    pytest.param(b"HTTP/1.1 302 F\r\nLocation: https://x/\r\nContent-Length: 0\r\n\r\n", 302, b"", id="redirect"),
    pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\nT: t\r\n\r\n",
                 200, b"abc", id="chunks"),
    pytest.param(b"HTTP/1.0 200 OK\r\n\r\nto the end", 200, b"to the end", id="until it closes"),
    pytest.param(b"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 103 H\r\nA: b\r\n\r\nHTTP/1.1 204 N\r\n\r\n", 204, b"",
                 id="responses before"),
    pytest.param(response(b"x" * 100), 200, b"x" * 100, id="as large as it may be"),
])  # fmt: skip
async def test_responses(octets, status, body):
    async with web_server(PAIR, octets) as server:
        found = await ask(server)
        assert (found.status, found.body) == (status, body)


@pytest.mark.parametrize(("octets", "fault"), [
    pytest.param(b"", Fault.PROTOCOL, id="nothing"),
    pytest.param(b"220 mail.example ESMTP\r\n", Fault.PROTOCOL, id="something else"),
    pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", Fault.PROTOCOL, id="cut"),
    pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", Fault.PROTOCOL, id="chunks cut"),
    pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", Fault.PROTOCOL,
                 id="two lengths"),
    pytest.param(b"HTTP/1.1 200 OK\r\nA: " + b"x" * 20_000, Fault.PROTOCOL, id="long field"),
    pytest.param(b"HTTP/1.1 100 C\r\n\r\n" * 11, Fault.PROTOCOL, id="many responses before"),
    pytest.param(response(b"x" * 101), Fault.TOO_LARGE, id="large"),
    pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n" + b"x" * 101, Fault.TOO_LARGE,
                 id="announces much"),
    pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1;" + b"x" * 9000 + b"\r\nx\r\n"
                 + (b"1;" + b"x" * 9000 + b"\r\nx\r\n") * 9, Fault.TOO_LARGE, id="little in many octets"),
    pytest.param(None, Fault.TIMEOUT, id="silence"),
])  # fmt: skip
async def test_no_response(octets, fault):
    bounds = BOUNDS if octets is not None else Bounds(seconds=0.2, body_octets=1)
    async with web_server(PAIR, octets) as server:
        with pytest.raises(HTTPError) as caught:
            await ask(server, bounds=bounds)
    assert caught.value.fault is fault


async def test_an_end_that_nobody_vouches_for():
    """RFC 9112 §9.8: without a length, somebody on the way could have cut it."""
    async with web_server(PAIR, b"HTTP/1.1 200 OK\r\n\r\nto the end") as server:
        server.rude = True
        with pytest.raises(HTTPError, match="cut off"):
            await ask(server)
        server.answers = [response(b"whole")]
        assert (await ask(server)).body == b"whole"


@pytest.mark.parametrize(("pair", "why"), [
    pytest.param(AUTHORITY.key_pair(OTHER), "certificate-host-mismatch", id="wrong name"),
    pytest.param(AUTHORITY.key_pair(NAME, begin=-timedelta(days=2), end=-timedelta(days=1)), "certificate-expired",
                 id="expired"),
    pytest.param(Authority().key_pair(NAME), "certificate-not-trusted", id="another authority"),
])  # fmt: skip
async def test_certificates(pair, why):
    async with web_server(pair, response(b"")) as server:
        with pytest.raises(HTTPError, match=why) as caught:
            await ask(server)
        assert caught.value.fault is Fault.CERTIFICATE
        assert server.requests == []  # Nothing was said to it.


async def test_no_tls():
    async with web_server(None, response(b"")) as server:
        server.answers = [b"HTTP/1.1 400 Bad\r\n\r\n"]
        with pytest.raises(HTTPError) as caught, trio.fail_after(30):
            await ask(server, bounds=Bounds(seconds=0.3, body_octets=1))
    assert caught.value.fault in {Fault.TLS, Fault.TIMEOUT}


@pytest.mark.parametrize(("records", "options", "fault"), [
    pytest.param({}, {}, Fault.NO_HOST, id="no such name"),
    pytest.param({NAME: {}}, {}, Fault.NO_HOST, id="no address"),
    pytest.param({}, {"failing": [(NAME, Type.A), (NAME, Type.AAAA)]}, Fault.DNS, id="no answer"),
    pytest.param({NAME: HERE}, {}, Fault.CONNECTION, id="nobody there"),
])  # fmt: skip
async def test_no_server(records, options, fault):
    with pytest.raises(HTTPError) as caught:
        await client(records, **options).send(Request(URL("https", NAME, "/", 1)), BOUNDS)
    assert caught.value.fault is fault


@pytest.mark.parametrize(
    ("url", "text"),
    [
        (URL("https", NAME, "/", 443), f"https://{NAME}/"),
        (URL("http", NAME, "/x"), f"http://{NAME}/x"),
        (URL("http", NAME, "/x", 443), f"http://{NAME}:443/x"),
        (URL("https", "::1", "/", 8443), "https://[::1]:8443/"),
    ],
)
def test_url(url, text):
    assert str(url) == text


class Said(trio.abc.Stream):
    """A server that says something in pieces, and ends."""

    def __init__(self, pieces):
        self.pieces = list(pieces)

    async def receive_some(self, max_bytes=None):
        await trio.lowlevel.checkpoint()
        return self.pieces.pop(0) if self.pieces else b""

    async def send_all(self, data):
        await trio.lowlevel.checkpoint()

    async def wait_send_all_might_not_block(self):
        await trio.lowlevel.checkpoint()

    async def aclose(self):
        await trio.lowlevel.checkpoint()


WORDS = st.sampled_from([
    *(b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 C\r\n\r\n", b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n"),
    *(b"\r\n", b"3\r\nabc\r\n", b"0\r\n\r\n", b"abc", b":", b" ", b"\n", b"\0", b"\xff", b"ffffffffffffffffffff\r\n"),
])  # fmt: skip


@given(st.lists(st.one_of(WORDS, st.binary(min_size=1, max_size=20)), max_size=20), st.booleans())
def test_whatever_a_server_says_is_a_response_or_none(pieces, cut):
    bounds = Bounds(seconds=1, body_octets=5, cut=cut)

    async def ask():
        with contextlib.suppress(HTTPError, trio.BrokenResourceError):
            found = await _Exchange(Said(pieces), bounds).run(Request(URL("http", NAME, "/")))
            assert len(found.body) <= 5
            assert 200 <= found.status <= 999

    trio.run(ask)


async def test_many_tiny_chunks_let_others_work():
    chunks = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 10_000, b"0\r\n\r\n"]
    turns = 0

    async def other():
        nonlocal turns
        while True:
            turns += 1
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        exchange = _Exchange(Said(chunks), Bounds(seconds=10, body_octets=10_000))
        found = await exchange.run(Request(URL("http", NAME, "/")))
        nursery.cancel_scope.cancel()
    assert len(found.body) == 10_000
    assert turns >= 200
