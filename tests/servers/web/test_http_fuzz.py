"""Whatever a client sends: the connection comes to its end, and it is no bug of ours."""

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import trio
import trio.testing
from hypothesis import example, given, settings, strategies as st

from appliance.base.log import Log
from appliance.base.metrics import panics
from appliance.net.connection import Connection
from appliance.net.shutdown import Shutdown
from appliance.net.tlsstream import TLSInfo
from appliance.serve import CONNECTION, HTTP
from appliance.servers.web import http
from support import quiet

LIMITS = replace(HTTP, head_octets=2048, ahead_octets=1024, resets=5, streams=5)
PIECES = st.sampled_from(
    [
        *(b"GET / HTTP/1.1\r\n", b"POST /read HTTP/1.1\r\n", b"Host: a\r\n", b"\r\n", b"Content-Length: 5\r\n"),
        *(b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n", b"0\r\n\r\n", b"Expect: 100-continue\r\n", b"hello"),
        *(
            b"Connection: upgrade\r\nUpgrade: websocket\r\n",
            b"Sec-WebSocket-Key: eHg=\r\nSec-WebSocket-Version: 13\r\n",
        ),
        *(b"\x81\x81\0\0\0\0a", b"\x88\x80\0\0\0\0", b"Connection: close\r\n"),
    ]
)
#: Frames of HTTP/2: type, flags, stream and payload are mostly such as belong together.
FRAMES = st.builds(
    lambda kind, flags, stream, payload: (
        len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload
    ),
    st.sampled_from([0, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
    st.sampled_from([0, 1, 4, 5, 5, 0x20, 0x25, 0xFF]),
    st.sampled_from([0, 1, 1, 3, 5, 7, 2, 2**31 - 1]),
    st.one_of(
        st.sampled_from(
            [b"\x82\x84\x87\x01\x01a", b"\x83\x84\x87\x01\x01a", b"", b"\0\0\0\x08", b"\0" * 8, b"\0\0\0\0\1"]
        ),
        st.binary(max_size=40),
    ),
)
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"


class Reader:
    """Reads bodies where the path says so; answers all the same."""

    def body_octets(self, scope: Any) -> int:
        return 1000

    def record(self, scope: Any, outcome: http.Outcome) -> None:
        assert outcome.status

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
            while (await receive())["type"] != "websocket.disconnect":
                pass
            return
        while scope["path"] == "/read" and (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


async def converse(pieces: list[bytes], *, http2: bool) -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    here = ip_address("127.0.0.1")
    connection = Connection(
        theirs, cid=1, remote=here, remote_port=1, local=here, local_port=2, log=Log("http"), limits=CONNECTION
    )
    if http2:
        connection.tls = TLSInfo("TLS1.3", "", "h2", None)

    async def send() -> None:
        try:
            for piece in pieces:
                await ours.send_all(piece)
                await trio.lowlevel.checkpoint()
            await ours.send_eof()
        except trio.BrokenResourceError:
            pass

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        await http.serve(Reader(), connection, LIMITS, Shutdown())
        await connection.aclose()
        nursery.cancel_scope.cancel()


def run(pieces: list[bytes], *, http2: bool) -> None:
    before = panics.labels("http").value
    trio.run(
        lambda: converse(pieces, http2=http2),
        clock=quiet.jumping_clock(),
        strict_exception_groups=True,
    )
    assert panics.labels("http").value == before


@given(st.lists(st.one_of(PIECES, st.binary(max_size=30)), max_size=15))
@example([b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 20])
@settings(max_examples=150, deadline=None)
def test_http1(pieces):
    run(pieces, http2=False)


@given(st.lists(FRAMES, max_size=15))
@settings(max_examples=200, deadline=None)
def test_http2(frames):
    run([PREFACE, *frames], http2=True)
