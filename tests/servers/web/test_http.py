"""HTTP conversations with an application of the test's, over memory streams, so that the clock may jump."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings
import pytest
import trio
import trio.testing
import wsproto
import wsproto.events

from appliance.base.log import Log
from appliance.base.metrics import panics
from appliance.net.connection import Connection
from appliance.net.shutdown import Shutdown
from appliance.net.tlsstream import TLSInfo
from appliance.serve import CONNECTION, HTTP
from appliance.servers.web import http
from appliance.servers.web.asgi import LongMessages
from support.quiet import settled

LIMITS = replace(HTTP, head_octets=4096, body_octets=10_000, ahead_octets=8192, resets=20, streams=10)
HELLO = b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"


class Example:
    """Does as its paths say, and remembers what was recorded."""

    def __init__(self) -> None:
        self.records: list[tuple[str, http.Outcome]] = []
        self.events: list[str] = []
        self.messages = LongMessages(octets=4 * LIMITS.websocket_octets, most=1)
        #: What who answers long messages waits for.
        self.work = trio.Event()
        self.work.set()

    def body_octets(self, scope: Any) -> int:
        return LIMITS.body_octets

    def record(self, scope: Any, outcome: http.Outcome) -> None:
        self.records.append((scope["path"], outcome))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope["path"]
        if scope["type"] == "websocket":
            await self.websocket(path, receive, send)
            return
        if path == "/bug":
            raise ValueError("a bug")
        if path == "/hang":
            try:
                await trio.sleep_forever()
            finally:
                self.events.append("hang cancelled")
        if path == "/nothing":
            return
        body = b"hello"
        if path == "/echo":
            body = b""
            more = True
            while more:
                event = await receive()
                assert event["type"] == "http.request", event
                body += event["body"]
                more = event["more_body"]
        elif path == "/facts":
            body = repr(
                (scope["method"], scope["path"], scope["query_string"], dict(scope["headers"])[b"host"])
            ).encode()
        elif path == "/big":
            body = b"x" * 1_000_000
        elif path == "/slow":
            await trio.sleep(0.5)
        length = len(body) + (5 if path in {"/tooshort", "/buglater"} else 0)
        fields = [(b"content-length", b"%d" % length)]
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        if path == "/buglater":
            await send({"type": "http.response.body", "body": body, "more_body": True})
            raise ValueError("a later bug")
        await send({"type": "http.response.body", "body": body})

    async def websocket(self, path: str, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "websocket.connect"
        if path == "/never":
            await trio.sleep_forever()
        if path == "/refused":
            await send({"type": "websocket.close"})
            return
        await send({"type": "websocket.accept", "messages": self.messages if path == "/long" else None})
        while True:
            event = await receive()
            self.events.append(event["type"])
            if event["type"] == "websocket.disconnect":
                return
            if path == "/long":
                await self.work.wait()
            await send({"type": "websocket.send", "text": event["text"]})


class House:
    """One server for connections of a test."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.nursery = nursery
        self.application = Example()
        self.shutdown = Shutdown()
        self.limits = LIMITS

    def connect(self, *, http2: bool = False) -> "Client":
        ours, theirs = trio.testing.memory_stream_pair()
        here = ip_address("127.0.0.1")
        connection = Connection(
            theirs, cid=1, remote=here, remote_port=1, local=here, local_port=2, log=Log("http"), limits=CONNECTION
        )
        if http2:
            connection.tls = TLSInfo("TLS1.3", "TLS_AES_128_GCM_SHA256", "h2", None)
        client = Client(ours)

        async def run() -> None:
            await http.serve(self.application, connection, self.limits, self.shutdown)
            await connection.aclose()
            client.over.set()

        self.nursery.start_soon(run)
        return client


class Client:
    """The other side."""

    def __init__(self, stream: trio.StapledStream[Any, Any]) -> None:
        self.stream = stream
        self.received = b""
        self.over = trio.Event()

    async def send(self, octets: bytes) -> None:
        await self.stream.send_all(octets)

    async def rest(self) -> bytes:
        """All until the server closes."""
        while octets := await self.stream.receive_some():
            self.received += octets
        await self.over.wait()
        return self.received

    async def response(self) -> bytes:
        """One response with a length."""
        while b"\r\n\r\n" not in self.received:
            octets = await self.stream.receive_some()
            assert octets, self.received
            self.received += octets
        head, _, rest = self.received.partition(b"\r\n\r\n")
        match = re.search(rb"(?i)content-length: ([0-9]+)", head)
        length = int(match[1]) if match else 0
        while len(rest) < length:
            rest += await self.stream.receive_some()
        self.received = rest[length:]
        return head + b"\r\n\r\n" + rest[:length]


@pytest.fixture
def house(nursery) -> House:
    return House(nursery)


def bugs() -> float:
    return panics.labels("http").value


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        pytest.param(HELLO, 200, id="get"),
        pytest.param(b"GET /hello HTTP/1.0\r\n\r\n", 200, id="http/1.0 without a host"),
        pytest.param(b"GET http://b/hello HTTP/1.1\r\nHost: a\r\n\r\n", 200, id="absolute form"),
        pytest.param(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 200, id="asterisk form"),
        pytest.param(b"GET /hello HTTP/1.1\r\n\r\n", 400, id="no host"),
        pytest.param(b"GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, id="two hosts"),
        pytest.param(b"CONNECT a:25 HTTP/1.1\r\nHost: a\r\n\r\n", 501, id="connect"),
        pytest.param(b"GET hello HTTP/1.1\r\nHost: a\r\n\r\n", 400, id="no slash"),
        pytest.param(b"GET ftp://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, id="scheme"),
        pytest.param(b"EHLO example.org\r\n\r\n", 400, id="another protocol"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400, id="tls"),
        pytest.param(b"\r\n\r\nGET\r\n\r\n", 400, id="garbage"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 5000 + b"\r\n\r\n", 431, id="long field"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 1000 + b"\r\n", 431, id="many fields"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X" * 6000, 431, id="field without end"),
        pytest.param(b"GET /" + b"y" * 3000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414, id="long target"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nA B: y\r\n\r\n", 400, id="space in a name"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nA: x\ry\r\n\r\n", 400, id="bare CR"),
        pytest.param(b"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505, id="version"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, id="http/2 that was not agreed on"),
        pytest.param(b"GET /hello HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n", 200, id="h2c is ignored"),
        pytest.param(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400, id="two lengths"),
        pytest.param(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n", 400, id="two different lengths"),
        pytest.param(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: -3\r\n\r\n", 400, id="negative length"),
        pytest.param(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10001\r\n\r\n", 413, id="length over the limit"),
        pytest.param(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: " + b"9" * 20 + b"\r\n\r\n", 413, id="absurd length"),
        pytest.param(b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501, id="other encoding"),
        pytest.param(b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400, id="chunk garbage"),
        pytest.param(b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 30 + b"\r\n", 400, id="chunk too large"),
        pytest.param(b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", 400, id="chunk longer than it says"),
        pytest.param(b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 200, id="chunks"),
        pytest.param(b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + b"3e8\r\n" + b"x" * 1000 + b"\r\n" + (b"3e8\r\n" + b"x" * 1000 + b"\r\n") * 11, 413, id="chunks over the limit"),
        pytest.param(b"GET /bug HTTP/1.1\r\nHost: a\r\n\r\n", 500, id="bug"),
        pytest.param(b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n", 500, id="no answer"),
        pytest.param(b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 8\r\n\r\n", 426, id="websocket of another version"),
        pytest.param(b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n", 400, id="websocket without a key"),
        pytest.param(b"GET /refused HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: eHg=\r\nSec-WebSocket-Version: 13\r\n\r\n", 403, id="websocket refused"),
    ],
)  # fmt: skip
async def test_first_request(autojump_clock, house, octets, status):
    """Whatever comes, there is an answer, the connection ends, and only a bug of ours counts as one."""
    before = bugs()
    client = house.connect()
    await client.send(octets)
    answer = await client.response()
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer
    await client.stream.send_eof()
    await client.rest()
    assert bugs() - before == (1 if octets.startswith(b"GET /bug") else 0)


async def test_what_the_application_is_told(autojump_clock, house):
    client = house.connect()
    await client.send(b"GET http://User@b:80/facts?x=%20 HTTP/1.1\r\nHost: a\r\n\r\n")
    answer = await client.response()
    assert answer.endswith(repr(("GET", "/facts", b"x=%20", b"User@b:80")).encode())


async def test_requests_that_come_together_are_answered_in_order(autojump_clock, house):
    client = house.connect()
    await client.send(
        b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\none" + HELLO + HELLO.replace(b"hello", b"facts")
    )
    assert [(await client.response()).rpartition(b"\r\n")[2][:5] for _ in range(3)] == [b"one", b"hello", b"('GET"]


async def test_octet_by_octet(autojump_clock, house):
    client = house.connect()
    for octet in b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n":
        await client.send(bytes([octet]))
    assert (await client.response()).endswith(b"\r\n\r\nabc")


async def test_head_has_no_content(autojump_clock, house):
    client = house.connect()
    await client.send(HELLO.replace(b"GET", b"HEAD") + HELLO.replace(b"Host: a", b"Host: a\r\nConnection: close"))
    answers = await client.rest()
    assert answers.count(b"HTTP/1.1 200") == 2
    assert answers.count(b"hello") == 1
    assert house.application.records[0][1].sent_octets == 0


@pytest.mark.parametrize(
    ("path", "length", "answers"),
    [
        pytest.param("echo", 3, [b"100", b"200"], id="asked for when it is wanted"),
        pytest.param("hello", 3, [b"200"], id="not asked for when it is not"),
        pytest.param("echo", 20_000, [b"413"], id="not asked for when it is too long"),
    ],
)
async def test_bodies_that_wait_to_be_asked_for(autojump_clock, house, path, length, answers):
    """RFC 9110 §10.1.1."""
    client = house.connect()
    await client.send(
        f"POST /{path} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n".encode()
    )
    came = []
    for _ in answers:
        came.append((await client.response())[9:12])
        if came[-1] == b"100":
            await client.send(b"abc")
    assert came == answers


async def test_unread_bodies_hold_nobody(autojump_clock, house):
    """A body that the application does not want, in so many pieces that none can be waited for."""
    client = house.connect()
    await client.send(b"POST /hello HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    with pytest.raises(trio.BrokenResourceError):  # There is no waiting for the rest over such a stream.
        for _ in range(1000):
            await client.send(b"40\r\n" + b"x" * 64 + b"\r\n")
            await settled()
    assert (await client.response()).startswith(b"HTTP/1.1 200")
    await client.over.wait()


@pytest.mark.parametrize(
    ("octets", "seconds", "answer"),
    [
        pytest.param(b"", LIMITS.head_seconds, b"", id="nothing"),
        pytest.param(b"GET / HT", LIMITS.head_seconds, b"HTTP/1.1 408", id="half a head"),
        pytest.param(HELLO, LIMITS.idle_seconds, b"HTTP/1.1 200", id="idle"),
        pytest.param(HELLO + b"G", LIMITS.idle_seconds, b"HTTP/1.1 200", id="idle with a letter more"),
        pytest.param(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc", LIMITS.body_seconds, b"HTTP/1.1 408", id="half a body"),
        pytest.param(b"GET /never HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: eHg=\r\nSec-WebSocket-Version: 13\r\n\r\n", LIMITS.head_seconds, b"HTTP/1.1 500", id="websocket that nobody accepts"),
    ],
)  # fmt: skip
async def test_times(autojump_clock, house, octets, seconds, answer):
    client = house.connect()
    began = trio.current_time()
    await client.send(octets)
    came = await client.rest()
    assert came.startswith(answer)
    assert bool(came) == bool(answer)
    assert trio.current_time() - began == pytest.approx(seconds, abs=2)


async def test_a_head_that_trickles_in(autojump_clock, house):
    """The time of a head does not begin anew with each octet."""
    client = house.connect()
    began = trio.current_time()
    with pytest.raises(trio.BrokenResourceError):
        for octet in HELLO * 5:
            await client.send(bytes([octet]))
            await trio.sleep(5)
    assert trio.current_time() - began < LIMITS.head_seconds + 10


async def test_who_does_not_read_is_let_go(autojump_clock, house):
    """A response that the client does not take, over a stream that holds nothing."""
    ours, theirs = trio.testing.lockstep_stream_pair()
    here = ip_address("127.0.0.1")
    connection = Connection(
        theirs, cid=1, remote=here, remote_port=1, local=here, local_port=2, log=Log("http"), limits=CONNECTION
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(http.serve, house.application, connection, LIMITS, house.shutdown)
        await ours.send_all(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
    assert trio.current_time() < 2 * LIMITS.take_seconds
    assert [path for path, _ in house.application.records] == ["/big"]


async def test_cancelled_while_a_write_waits(autojump_clock, house):
    """The house does not wait for who does not read."""
    ours, theirs = trio.testing.lockstep_stream_pair()
    here = ip_address("127.0.0.1")
    connection = Connection(
        theirs, cid=1, remote=here, remote_port=1, local=here, local_port=2, log=Log("http"), limits=CONNECTION
    )
    with trio.move_on_after(1):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(http.serve, house.application, connection, LIMITS, house.shutdown)
            await ours.send_all(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
            await trio.sleep_forever()
    assert trio.current_time() < 2


async def test_who_leaves_has_his_request_cancelled(autojump_clock, house):
    client = house.connect()
    await client.send(b"GET /hang HTTP/1.1\r\nHost: a\r\n\r\n")
    await client.stream.aclose()
    await client.over.wait()
    assert house.application.events == ["hang cancelled"]
    assert [outcome.status for _, outcome in house.application.records] == [http.LEFT]


async def test_an_answer_to_who_has_closed_his_side(autojump_clock, house):
    client = house.connect()
    await client.send(HELLO.replace(b"hello", b"slow"))
    await client.stream.send_eof()
    assert (await client.rest()).endswith(b"hello")


async def test_a_response_that_breaks_off_is_seen_to(autojump_clock, house):
    before = bugs()
    client = house.connect()
    await client.send(b"GET /buglater HTTP/1.1\r\nHost: a\r\n\r\n")
    answer = await client.rest()
    assert b"content-length: 10" in answer.lower()
    assert answer.endswith(b"hello")
    assert bugs() - before == 1


async def test_shutdown_lets_requests_end(autojump_clock, house):
    idle, busy, new = house.connect(), house.connect(), house.connect()
    await idle.send(HELLO)
    assert (await idle.response()).endswith(b"hello")
    await busy.send(HELLO.replace(b"hello", b"slow"))
    await settled()
    house.shutdown.request()
    assert await idle.rest() == b""
    assert await new.rest() == b""
    assert (await busy.rest()).endswith(b"hello")


# WebSocket


async def open_websocket(house: House, path: str = "/ws", extensions: str = "") -> tuple[Client, wsproto.Connection]:
    client = house.connect()
    await client.send(
        f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
        f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{extensions}\r\n".encode()
    )
    head = await client.response()
    assert head.startswith(b"HTTP/1.1 101")
    assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head  # RFC 6455 §1.3
    assert b"permessage-deflate" not in head
    return client, wsproto.Connection(wsproto.ConnectionType.CLIENT)


async def test_websocket(autojump_clock, house):
    client, protocol = await open_websocket(house, extensions="Sec-WebSocket-Extensions: permessage-deflate\r\n")
    await client.send(protocol.send(wsproto.events.TextMessage("hé")))
    protocol.receive_data(await client.stream.receive_some())
    texts = [one.data for one in protocol.events() if isinstance(one, wsproto.events.TextMessage)]
    assert texts in (["hé"], [])
    await client.send(protocol.send(wsproto.events.CloseConnection(1000)))
    await client.rest()
    assert house.application.events == ["websocket.receive", "websocket.disconnect"]


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"\x81\x05hello", id="no mask"),
        pytest.param(b"\x83\x80\0\0\0\0", id="unknown opcode"),
        pytest.param(b"\xf1\x80\0\0\0\0", id="reserved bits"),
        pytest.param(b"\x81\x82\0\0\0\0\xff\xff", id="no UTF-8"),
        pytest.param(b"\x89\xfe\0\x80\0\0\0\0" + b"x" * 128, id="long ping"),
        pytest.param(b"\x82\xff\0\0\0\0\0\x20\0\0\0\0\0\0" + b"x" * 0x200000, id="long message"),
    ],
)
async def test_websocket_garbage(autojump_clock, house, octets):
    before = bugs()
    client, _ = await open_websocket(house)
    await client.send(octets)
    await client.stream.send_eof()
    await client.rest()
    assert bugs() == before


async def websocket_answer(client: Client, protocol: wsproto.Connection) -> str | int:
    """A whole message, or the code of a close."""
    text = ""
    while True:
        protocol.receive_data(await client.stream.receive_some())
        for event in protocol.events():
            if isinstance(event, wsproto.events.CloseConnection):
                return event.code
            if isinstance(event, wsproto.events.TextMessage):
                text += event.data
                if event.message_finished:
                    return text


@pytest.mark.parametrize(
    ("path", "characters", "is_taken"),
    [
        pytest.param("/ws", LIMITS.websocket_octets, True, id="usual"),
        pytest.param("/ws", LIMITS.websocket_octets + 1, False, id="too long"),
        pytest.param("/long", 4 * LIMITS.websocket_octets, True, id="long where it may be"),
        pytest.param("/long", 4 * LIMITS.websocket_octets + 1, False, id="longer than it may be"),
        pytest.param("/long", -4 * LIMITS.websocket_octets, False, id="octets count, not characters"),
    ],
)
async def test_websocket_long_messages(autojump_clock, house, path, characters, is_taken):
    text = "é" * -characters if characters < 0 else "x" * characters
    client, protocol = await open_websocket(house, path)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.send, protocol.send(wsproto.events.TextMessage(text)))
        assert await websocket_answer(client, protocol) == (text if is_taken else 1009)
    await trio.testing.wait_all_tasks_blocked()
    assert house.application.messages.under_way == 0


async def test_websocket_long_messages_under_way(autojump_clock, house):
    """Of all sockets that share them, only so many."""
    text = "x" * (2 * LIMITS.websocket_octets)
    first, one = await open_websocket(house, "/long")
    second, two = await open_websocket(house, "/long")
    await first.send(one.send(wsproto.events.TextMessage(text, message_finished=False)))
    await trio.sleep(1)
    assert house.application.messages.under_way == 1
    await second.send(two.send(wsproto.events.TextMessage(text)))
    assert await websocket_answer(second, two) == 1009
    await first.send(one.send(wsproto.events.TextMessage("y")))
    assert await websocket_answer(first, one) == text + "y"
    await trio.testing.wait_all_tasks_blocked()
    assert house.application.messages.under_way == 0
    await first.send(one.send(wsproto.events.TextMessage(text, message_finished=False)))
    await trio.sleep(1)
    assert house.application.messages.under_way == 1
    await first.stream.aclose()
    await first.over.wait()
    assert house.application.messages.under_way == 0


async def test_websocket_long_messages_are_under_way_until_they_are_answered(autojump_clock, house):
    """What is made of them takes far more memory than they do."""
    application, text = house.application, "x" * (2 * LIMITS.websocket_octets)
    application.work = trio.Event()
    clients = [await open_websocket(house, "/long") for _ in range(3)]
    (first, one), (second, two), (third, three) = clients
    await first.send(one.send(wsproto.events.TextMessage(text)))
    await trio.sleep(1)
    assert application.messages.under_way == 1
    await second.send(two.send(wsproto.events.TextMessage(text)))
    assert await websocket_answer(second, two) == 1009
    # Nor is room won by what ends the socket while its message is worked on.
    await first.send(one.send(wsproto.events.TextMessage("y" * (5 * LIMITS.websocket_octets))))
    await trio.sleep(1)
    assert application.messages.under_way == 1
    application.work.set()
    await first.stream.aclose()
    await first.over.wait()
    assert application.messages.under_way == 0
    await third.send(three.send(wsproto.events.TextMessage(text)))
    assert await websocket_answer(third, three) == text


async def test_websocket_of_a_client_that_is_gone(autojump_clock, house):
    client, _ = await open_websocket(house)
    await client.stream.aclose()
    await client.over.wait()
    assert house.application.events == ["websocket.disconnect"]


# HTTP/2


class Client2:
    """An HTTP/2 client; what comes is gathered by stream."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.protocol = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.protocol.initiate_connection()
        self.status: dict[int, str] = {}
        self.body: dict[int, bytes] = {}
        self.ended: dict[int, str] = {}
        self.goodbye: h2.errors.ErrorCodes | int | None = None

    async def flush(self) -> None:
        await self.client.send(self.protocol.data_to_send())

    def ask(self, path: str, method: str = "GET", *, end: bool = True, **more: str) -> int:
        stream = self.protocol.get_next_available_stream_id()
        fields = {":method": method, ":path": path, ":scheme": "https", ":authority": "a", **more}
        self.protocol.send_headers(
            stream, [(name.replace("_", "-"), value) for name, value in fields.items() if value], end_stream=end
        )
        return stream

    async def until(self, *streams: int) -> None:
        """Until these streams have ended, or the connection."""
        await self.flush()
        while not streams or not all(one in self.ended for one in streams):
            octets = await self.client.stream.receive_some()
            if not octets:
                return
            for event in self.protocol.receive_data(octets):
                self.take(event)
            await self.flush()

    def take(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.ResponseReceived():
                self.status[event.stream_id] = dict(event.headers)[":status"]
            case h2.events.DataReceived():
                self.body[event.stream_id] = self.body.get(event.stream_id, b"") + event.data
                self.protocol.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case h2.events.StreamEnded():
                self.ended.setdefault(event.stream_id, "end")
            case h2.events.StreamReset():
                self.ended.setdefault(event.stream_id, f"reset {event.error_code}")
            case h2.events.ConnectionTerminated():
                self.goodbye = event.error_code


@asynccontextmanager
async def http2(house: House) -> AsyncIterator[Client2]:
    client = Client2(house.connect(http2=True))
    yield client
    await client.client.stream.aclose()
    await client.client.over.wait()


async def test_http2_requests_at_once(autojump_clock, house):
    async with http2(house) as client:
        slow, fast, big = client.ask("/slow"), client.ask("/hello"), client.ask("/big")
        echo = client.ask("/echo", "POST", end=False)
        client.protocol.send_data(echo, b"abc", end_stream=True)
        await client.until(slow, fast, big, echo)
    assert set(client.status.values()) == {"200"}
    assert [client.body[one] for one in (slow, fast, echo)] == [b"hello", b"hello", b"abc"]
    assert len(client.body[big]) == 1_000_000


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        pytest.param({"path": "/bug"}, "500", id="bug"),
        pytest.param({"path": "/nothing"}, "500", id="no answer"),
        pytest.param({"path": "hello"}, "400", id="no slash"),
        pytest.param({"path": "/h\u00e9"}, "400", id="not ASCII"),
        pytest.param({"path": "/" + "x" * 3000}, "414", id="long path"),
        pytest.param({"path": "/ws", "method": "CONNECT", ":protocol": "foo"}, "501", id="connect for something else"),
        pytest.param({"path": "/echo", "method": "POST", "content_length": "20000", "end": False}, "413", id="length over the limit"),
    ],
)  # fmt: skip
async def test_http2_statuses(autojump_clock, house, fields, status):
    """Each is a matter of one stream."""
    before = bugs()
    async with http2(house) as client:
        stream = client.ask(**fields)
        await client.until(stream)
        other = client.ask("/hello")
        await client.until(other)
    assert (client.status[stream], client.status[other]) == (status, "200")
    assert bugs() - before == (1 if fields["path"] == "/bug" else 0)


async def test_http2_body_that_nobody_reads(autojump_clock, house):
    """The answer comes, and the client is told to send no more."""
    async with http2(house) as client:
        stream = client.ask("/hello", "POST", end=False)
        for _ in range(60):
            client.protocol.send_data(stream, b"x")
        await client.until(stream)
        while client.ended[stream] == "end" and client.protocol.streams[stream].open:
            client.take(client.protocol.receive_data(await client.client.stream.receive_some())[0])
        other = client.ask("/hello")
        await client.until(other)
    assert client.status == {stream: "200", other: "200"}


async def test_http2_response_that_breaks_off(autojump_clock, house):
    async with http2(house) as client:
        stream = client.ask("/buglater")
        await client.until(stream)
    assert client.ended[stream] == f"reset {h2.errors.ErrorCodes.INTERNAL_ERROR}"


async def test_http2_requests_taken_back_are_bounded(autojump_clock, house):
    """CVE-2023-44487: each costs us a request begun."""
    async with http2(house) as client:
        for _ in range(LIMITS.resets + 5):
            client.protocol.reset_stream(client.ask("/hang"), h2.errors.ErrorCodes.CANCEL)
        await client.until()
    assert client.goodbye == h2.errors.ErrorCodes.ENHANCE_YOUR_CALM
    assert len(house.application.records) <= LIMITS.resets + 1


async def test_http2_some_requests_may_be_taken_back(autojump_clock, house):
    async with http2(house) as client:
        await client.until(client.ask("/hello"))
        for _ in range(LIMITS.resets):
            client.protocol.reset_stream(client.ask("/hang"), h2.errors.ErrorCodes.CANCEL)
            await client.flush()
        last = client.ask("/hello")
        await client.until(last)
    assert client.status[last] == "200"
    # And the connection is idle again afterwards, so that its time ends.


async def test_http2_idle_after_a_request_taken_back(autojump_clock, house):
    client = Client2(house.connect(http2=True))
    began = trio.current_time()
    client.protocol.reset_stream(client.ask("/hang"))
    await client.until()
    assert trio.current_time() - began == pytest.approx(LIMITS.idle_seconds, abs=2)
    assert client.goodbye == h2.errors.ErrorCodes.NO_ERROR


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", id="http/1.1"),
        pytest.param(b"\0" * 100, id="zeroes"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 100, id="a huge frame"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0" + b"\0\0\5\1\5\0\0\0\1\xff\xff\xff\xff\xff", id="fields that are none"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0" + (b"\0\0\5\2\0\0\0\0\1\0\0\0\1\1") * 3, id="a stream that depends on itself"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0" + (b"\0\0\1\1\0\0\0\0\1\x82" + b"\0\0\0\x09\0\0\0\0\1" * 100), id="continuations without end"),
    ],
)  # fmt: skip
async def test_http2_garbage(autojump_clock, house, octets):
    before = bugs()
    client = house.connect(http2=True)
    await client.send(octets)
    await client.stream.send_eof()
    await client.rest()
    assert bugs() == before


async def test_http2_priorities_are_no_cost(autojump_clock, house):
    """Ten thousand streams that depend on one another in circles: none of them is."""
    before = bugs()
    async with http2(house) as client:
        for number in range(1, 20_001, 2):
            client.protocol.prioritize(number, weight=7, depends_on=number + 2)
        stream = client.ask("/hello")
        await client.until(stream)
    assert client.status[stream] == "200"
    assert bugs() == before


async def test_http2_many_requests(autojump_clock, house):
    """One connection may be used for long."""
    async with http2(house) as client:
        for _ in range(1100):
            await client.until(client.ask("/hello"))
    assert len(client.status) == 1100


async def test_http2_fields_are_bounded(autojump_clock, house):
    async with http2(house) as client:
        client.ask("/hello", x="y" * 2000, z="y" * 3000)
        await client.until()
    assert client.goodbye is not None


async def test_http2_websocket_that_talks_too_early(autojump_clock, house):
    before = bugs()
    async with http2(house) as client:
        await client.until(client.ask("/hello"))
        more = {":protocol": "websocket", "sec_websocket_version": "13"}
        stream = client.ask("/ws", "CONNECT", end=False, **more)
        websocket = wsproto.Connection(wsproto.ConnectionType.CLIENT)
        client.protocol.send_data(stream, websocket.send(wsproto.events.TextMessage("early")))
        await client.flush()
        await settled()
    assert bugs() == before


async def test_http2_websocket(autojump_clock, house):
    """RFC 8441 §5."""
    async with http2(house) as client:
        more = {":protocol": "websocket", "sec_websocket_version": "13"}
        stream = client.ask("/ws", "CONNECT", end=False, **more)
        await client.flush()
        while stream not in client.status:
            for event in client.protocol.receive_data(await client.client.stream.receive_some()):
                client.take(event)
        websocket = wsproto.Connection(wsproto.ConnectionType.CLIENT)
        client.protocol.send_data(stream, websocket.send(wsproto.events.TextMessage("over")))
        await client.flush()
        texts: list[str] = []
        while "over" not in texts:
            for event in client.protocol.receive_data(await client.client.stream.receive_some()):
                if isinstance(event, h2.events.DataReceived):
                    websocket.receive_data(event.data)
            texts += [one.data for one in websocket.events() if isinstance(one, wsproto.events.TextMessage)]
    assert client.status[stream] == "200"
    assert house.application.events == ["websocket.receive", "websocket.disconnect"]


async def test_http2_shutdown(autojump_clock, house):
    async with http2(house) as client:
        stream = client.ask("/slow")
        await client.flush()
        await settled()
        house.shutdown.request()
        await client.until(stream)
        await client.until()
    assert (client.status[stream], client.body[stream]) == ("200", b"hello")
