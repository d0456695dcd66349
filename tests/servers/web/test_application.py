"""Applications under a port: that quart works below our connections, and that they see what they should."""

import dataclasses
from ipaddress import ip_address
from types import SimpleNamespace
from typing import Any

import pytest
import trio
import trio.testing

from appliance.base.log import Log
from appliance.net.connection import Connection
from appliance.net.limiter import Limiter, Window
from appliance.net.shutdown import Shutdown
from appliance.serve import CONNECTION, HTTP
from appliance.servers.web import dispatch, http
from appliance.servers.web.app import Contents, PortApplication
from appliance.servers.web.dispatch import Port, Target


def quart_application() -> Any:
    from quart import Response, request, websocket
    from quart_trio import QuartTrio

    app = QuartTrio(__name__)

    @app.get("/hello/<name>")
    async def hello(name: str) -> str:
        return f"{name} {request.args.get('x')} {request.script_root}"

    @app.post("/echo")
    async def echo() -> bytes:
        return await request.get_data()

    @app.get("/bug")
    async def bug() -> str:
        raise ValueError("a bug")

    @app.get("/events")
    async def events() -> Response:
        async def beats() -> Any:
            for number in range(3):
                yield f"data: {number}\n\n".encode()
                await trio.sleep(15)

        response = Response(beats(), mimetype="text/event-stream")
        response.timeout = None
        return response

    @app.websocket("/ws")
    async def ws() -> None:
        await websocket.send(await websocket.receive())

    return app


@pytest.fixture
def ask(nursery, monkeypatch):
    """Sends octets to a house with a quart application at /webmail/, and takes all that comes back."""
    monkeypatch.setattr(
        dispatch, "find", lambda config, port, host, path, **_: Target("webmail", root="/webmail/", methods=())
    )
    house: Any = SimpleNamespace(
        config=SimpleNamespace(snapshot=lambda: None), clock=SimpleNamespace(microseconds=lambda: 0)
    )
    quart = quart_application()

    async def ask(octets: bytes, limiter: Limiter | None = None) -> bytes:
        application = PortApplication(
            house, Port("127.0.0.1", 80, False, ()), Contents(None, {"webmail": quart}), limiter
        )
        ours, theirs = trio.testing.memory_stream_pair()
        here = ip_address("127.0.0.1")
        connection = Connection(
            theirs, cid=1, remote=here, remote_port=1, local=here, local_port=2, log=Log("http"), limits=CONNECTION
        )

        async def run() -> None:
            await http.serve(application, connection, dataclasses.replace(HTTP), Shutdown())
            await connection.aclose()

        nursery.start_soon(run)
        await ours.send_all(octets)
        came = b""
        with trio.move_on_after(60):
            while more := await ours.receive_some():
                came += more
        return came

    return ask


CLOSE = b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"


@pytest.mark.parametrize(
    ("octets", "status", "end"),
    [
        pytest.param(b"GET /webmail/hello/you?x=%20y" + CLOSE + b"\r\n", 200, b"you  y /webmail", id="get"),
        pytest.param(b"GET /other/..//webmail/./hello/you" + CLOSE + b"\r\n", 200, b"you None /webmail", id="cleaned"),
        pytest.param(b"POST /webmail/echo" + CLOSE + b"Content-Length: 3\r\n\r\nabc", 200, b"\r\n\r\nabc", id="post"),
        pytest.param(b"GET /webmail/bug" + CLOSE + b"\r\n", 500, b"", id="bug"),
        pytest.param(b"GET /webmail/no" + CLOSE + b"\r\n", 404, b"", id="nothing there"),
        pytest.param(b"GET /webmail/events" + CLOSE + b"\r\n", 200, b"data: 2\n\n\r\n0\r\n\r\n", id="events"),
    ],
)
async def test_quart(autojump_clock, ask, octets, status, end):
    answer = await ask(octets)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert answer.endswith(end)


async def test_quart_websocket(autojump_clock, ask):
    answer = await ask(
        b"GET /webmail/ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 101 ")


async def test_requests_are_limited(autojump_clock, ask):
    limiter = Limiter([Window(60, (2, 9, 9))])
    request = b"GET /webmail/hello/you" + CLOSE + b"\r\n"
    statuses = [(await ask(request, limiter))[9:12] for _ in range(3)]
    assert statuses == [b"200", b"200", b"429"]
