"""A web server on loopback that says what it is told to say, octet by octet."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

import trio

from appliance.net.tlsstream import TLSHandshakeError, TLSStream
from appliance.tls.context import Demands, KeyPair, server_context


@dataclass
class WebServer:
    port: int = 0
    #: Answers to the next requests; the last one is for all that follow. None: silence.
    answers: list[bytes | None] = field(default_factory=list)
    #: Requests as they came, header and as much of the body as came with it.
    requests: list[bytes] = field(default_factory=list)
    #: End connections without a word of TLS.
    rude: bool = False

    async def serve(self, context, stream: trio.SocketStream) -> None:
        transport: trio.abc.Stream = stream
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError, TLSHandshakeError):
            if context is not None:
                transport = TLSStream(stream, context, server_side=True)
                await transport.do_handshake()
            octets = b""
            while b"\r\n\r\n" not in octets:
                more = await transport.receive_some(65536)
                if not more:
                    return
                octets += more
            self.requests.append(octets)
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if answer is None:
                await trio.sleep_forever()
            await transport.send_all(answer)
            if answer and isinstance(transport, TLSStream) and not self.rude:
                transport.connection.shutdown()
                await stream.send_all(transport.connection.bio_read(65536))
        await trio.aclose_forcefully(stream)


@asynccontextmanager
async def web_server(pair: KeyPair | None, *answers: bytes | None) -> AsyncIterator[WebServer]:
    """With TLS when it has a key."""
    context = None if pair is None else server_context(pair, Demands(protocols=(b"http/1.1",)))
    listeners: Sequence[trio.SocketListener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    server = WebServer(listeners[0].socket.getsockname()[1], list(answers))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(trio.serve_listeners, partial(server.serve, context), listeners))
        yield server
        nursery.cancel_scope.cancel()


def response(body: bytes, *fields: str, status: str = "200 OK") -> bytes:
    """A usual one."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *fields, "", ""]
    return "\r\n".join(lines).encode() + body
