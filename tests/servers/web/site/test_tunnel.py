"""WebSockets to a server behind this one, with another implementation at both ends."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio_websocket
from trio_websocket import ConnectionClosed, WebSocketRequest

from appliance.base import limits
from support.sitehouse import Backend, Sites, backend, request_of, sites

HANDLERS = """
[[web_handlers]]
domain = "site.example"
path_regexp = "^/ws/"
forward = {{ strip_path = true, url = "http://127.0.0.1:{port}/v2/", response_headers = {{ "X-Added" = "yes" }} }}
[[web_handlers]]
domain = "site.example"
path_regexp = "^/down/"
forward = {{ url = "http://127.0.0.1:1" }}
"""
HEADERS = [(b"cookie", b"a=b"), (b"origin", b"https://site.example")]


class Server:
    """Says back what it hears; `bye` closes, `big` and `cut` as they say."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.closed: list[tuple[int, str | None]] = []
        self.over = trio.Event()

    async def serve(self, request: WebSocketRequest) -> None:
        fields = {name.decode().lower(): value.decode() for name, value in request.headers}
        self.requests.append((request.path, fields))
        if "refuse" in request.path:
            await request.reject(401, extra_headers=[(b"x-why", b"login")], body=b"log in first")
            return
        protocol = "second" if "second" in request.proposed_subprotocols else None
        ws = await request.accept(subprotocol=protocol, extra_headers=[(b"set-cookie", b"s=1")])
        try:
            while True:
                message = await ws.get_message()
                if message == "bye":
                    await ws.aclose(4001, "enough")
                    return
                if message == "big":
                    message = b"x" * (limits.FORWARD_MESSAGE_OCTETS + 1)
                if message == "ping":
                    await ws.ping(b"payload")
                await ws.send_message(message)
        except ConnectionClosed as error:
            if error.reason is not None:
                self.closed.append((error.reason.code, error.reason.reason))
        finally:
            self.over.set()


@asynccontextmanager
async def house(folder) -> AsyncIterator[tuple[Server, Sites]]:
    server = Server()
    async with trio.open_nursery() as nursery:
        listening = await nursery.start(trio_websocket.serve_websocket, server.serve, "127.0.0.1", 0, None)
        async with sites(folder, HANDLERS.format(port=listening.port)) as front:
            yield server, front
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def client(front: Sites, path: str = "/ws/a%2Fb?x=1", **more):
    stream = await trio.open_tcp_stream("127.0.0.1", front.port)
    async with trio.open_nursery() as nursery:
        try:
            ws = await trio_websocket.wrap_client_stream(
                nursery, stream, "site.example", path, extra_headers=HEADERS, max_message_size=1 << 30, **more
            )
            async with ws:
                yield ws
        finally:
            await trio.aclose_forcefully(stream)
            nursery.cancel_scope.cancel()


async def test_messages_both_ways(tmp_path):
    async with house(tmp_path) as (server, front):
        async with client(front, subprotocols=["first", "second"]) as ws:
            assert ws.subprotocol == "second"
            answered = dict(ws.handshake_headers)
            assert (answered[b"set-cookie"], answered[b"x-added"]) == (b"s=1", b"yes")
            for message in ("text é", b"\x00\xff", "", b"", "x" * 300_000, b"y" * limits.HTTP_WEBSOCKET_OCTETS, "ping"):
                await ws.send_message(message)
                with trio.fail_after(60):
                    assert await ws.get_message() == message
        path, fields = server.requests[0]
        assert path == "/v2/a%2Fb?x=1"
        assert (fields["cookie"], fields["origin"]) == ("a=b", "https://site.example")
        assert fields["x-forwarded-for"] == "127.0.0.1"
        assert (fields["x-forwarded-host"], fields["x-forwarded-proto"]) == ("site.example", "http")
        assert "sec-websocket-extensions" not in fields
        with trio.fail_after(30):
            await server.over.wait()
        assert server.closed[0][0] in {1000, 1001}


async def test_the_server_closes(tmp_path):
    async with house(tmp_path) as (_, front), client(front) as ws:
        await ws.send_message("bye")
        with pytest.raises(ConnectionClosed) as caught, trio.fail_after(30):
            await ws.get_message()
        assert (caught.value.reason.code, caught.value.reason.reason) == (4001, "enough")


async def test_a_message_that_is_too_large(tmp_path):
    async with house(tmp_path) as (server, front), client(front) as ws:
        await ws.send_message("big")
        with pytest.raises(ConnectionClosed) as caught, trio.fail_after(60):
            await ws.get_message()
        assert caught.value.reason.code == 1009
        with trio.fail_after(30):
            await server.over.wait()


async def test_the_client_is_lost(tmp_path):
    async with house(tmp_path) as (server, front), client(front) as ws:
        await ws.send_message("x")
        await ws.get_message()
        await trio.aclose_forcefully(ws._stream)
        with trio.fail_after(30):
            await server.over.wait()


async def test_the_server_refuses(tmp_path):
    async with house(tmp_path) as (_, front):
        answer = await front.get(
            "/ws/refuse",
            *("Upgrade: websocket", "Connection: upgrade", "Sec-WebSocket-Version: 13"),
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        )
        assert (answer.status, answer["x-why"], answer.body) == (401, "login", b"log in first")


UPGRADE = (
    *("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"),
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


async def test_nobody_is_there(tmp_path):
    async with house(tmp_path) as (_, front):
        assert (await front.get("/down/", *UPGRADE)).status == 502


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"nonsense\r\n\r\n",
        # An answer to another key; a protocol that nobody offered.
        b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: AAAA\r\n\r\n",
        b"HTTP/1.1 101 x\r\nUpgrade: other\r\nConnection: Upgrade\r\n\r\n",
        b"HTTP/1.1 101 x\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
    ],
)
async def test_a_handshake_that_makes_no_sense(tmp_path, said):
    async def serve(server: Backend, stream: trio.SocketStream) -> None:
        await request_of(stream)
        await stream.send_all(said)

    async with backend(serve) as server, sites(tmp_path, HANDLERS.format(port=server.port)) as front:
        assert (await front.get("/ws/", *UPGRADE)).status == 502


async def test_a_handshake_that_is_not_answered(tmp_path, monkeypatch):
    from appliance.servers.web.site import tunnel

    async def serve(server: Backend, stream: trio.SocketStream) -> None:
        await trio.sleep_forever()

    monkeypatch.setattr(tunnel, "HANDSHAKE_SECONDS", 0.05)
    async with backend(serve) as server, sites(tmp_path, HANDLERS.format(port=server.port)) as front:
        assert (await front.get("/ws/", *UPGRADE)).status == 504


async def test_a_handshake_of_another_version(tmp_path):
    """RFC 6455 §4.2.2: it is told which one there is."""
    async with house(tmp_path) as (server, front):
        answer = await front.get("/ws/", *(one.replace("13", "8") for one in UPGRADE))
        assert (answer.status, answer["sec-websocket-version"]) == (426, "13")
        assert server.requests == []
