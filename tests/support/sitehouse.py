"""Web sites on a port of loopback, and servers behind them that do as a test says."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import trio

from appliance.base.log import Log
from appliance.config.load import load
from appliance.net.connection import Connection
from appliance.net.shutdown import Shutdown
from appliance.net.tlsstream import TLSInfo
from appliance.serve import CONNECTION, HTTP
from appliance.servers.web import dispatch, http
from appliance.servers.web.app import Contents, PortApplication
from appliance.servers.web.asgi import ASGI
from appliance.servers.web.site.site import Site

STATIC = """
data_dir = "data"
log_level = "info"
user = "1000"
hostname = "mail.example.org"
[postmaster]
account = "a"
mailbox = "Inbox"
[listeners.public]
ips = ["127.0.0.1"]
[listeners.public.webserver_http]
enabled = true
[listeners.public.webmail_http]
enabled = true
"""
DOMAINS = """
[domains."example.org"]
[accounts.a]
domain = "example.org"
[accounts.a.destinations."a@example.org"]
"""


@dataclass
class Sites:
    application: PortApplication
    port: int
    config: Any

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[trio.SocketStream]:
        stream = await trio.open_tcp_stream("127.0.0.1", self.port)
        try:
            yield stream
        finally:
            await trio.aclose_forcefully(stream)

    async def ask(self, octets: bytes) -> bytes:
        """All that comes back, the connection closed by the server or after a while of silence."""
        async with self.connected() as stream:
            await stream.send_all(octets)
            return await all_of(stream)

    async def get(self, path: str, *fields: str, method: str = "GET", host: str = "site.example") -> "Answer":
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close", *fields, "", ""]
        return Answer.of(await self.ask("\r\n".join(lines).encode("latin-1")))


@dataclass
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @classmethod
    def of(cls, octets: bytes) -> "Answer":
        head, _, body = octets.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        if body and ("transfer-encoding", "chunked") in headers:
            body = dechunked(body)
        return cls(int(first.split()[1]) if first else 0, headers, body)

    def __getitem__(self, name: str) -> str:
        return ", ".join(value for key, value in self.headers if key == name)


def dechunked(octets: bytes) -> bytes:
    """Raises ValueError for a body that is not whole."""
    body = b""
    while True:
        size, _, octets = octets.partition(b"\r\n")
        length = int(size, 16)
        if not length:
            return body
        body, octets = body + octets[:length], octets[length + 2 :]


async def all_of(stream: trio.SocketStream, seconds: float = 10) -> bytes:
    came = b""
    with trio.move_on_after(seconds):
        try:
            while more := await stream.receive_some(65536):
                came += more
        except trio.BrokenResourceError:
            pass
    return came


@asynccontextmanager
async def sites(
    folder: Path, handlers: str, applications: dict[str, ASGI] | None = None, *, http2: bool = False
) -> AsyncIterator[Sites]:
    """The web handlers of a configuration at a port. All of them answer plain HTTP."""
    folder.mkdir(exist_ok=True)
    (folder / "moxpy.toml").write_text(STATIC)
    handlers = handlers.replace("[[web_handlers]]", "[[web_handlers]]\ndont_redirect_plain_http = true")
    (folder / "domains.toml").write_text(DOMAINS + handlers)
    config = load(folder / "moxpy.toml", check_files=False)
    house: Any = SimpleNamespace(
        config=SimpleNamespace(snapshot=lambda: config), clock=SimpleNamespace(microseconds=lambda: 0)
    )
    port = dispatch.ports(config.static)[0]
    application = PortApplication(house, port, Contents(None, applications or {}, Site(house).answer), None)
    limits = replace(HTTP, body_seconds=5, take_seconds=5)

    async def serve(stream: trio.SocketStream) -> None:
        here = ip_address("127.0.0.1")
        connection = Connection(
            stream, cid=1, remote=here, remote_port=1, local=here, local_port=2, log=Log("http"), limits=CONNECTION
        )
        if http2:
            connection.tls = TLSInfo("TLS1.3", "TLS_AES_128_GCM_SHA256", "h2", None)
        await http.serve(application, connection, limits, Shutdown())
        await connection.aclose()

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, serve, 0)
        yield Sites(application, listeners[0].socket.getsockname()[1], config)
        nursery.cancel_scope.cancel()


@dataclass
class Backend:
    port: int
    #: All that came on each connection.
    came: list[bytes]
    #: How often a client went before the end.
    connections: int = 0


@asynccontextmanager
async def backend(serve: Callable[[Backend, trio.SocketStream], Awaitable[None]]) -> AsyncIterator[Backend]:
    """A server that speaks octet by octet."""
    found = Backend(0, [])

    async def one(stream: trio.SocketStream) -> None:
        found.connections += 1
        async with stream:
            try:
                await serve(found, stream)
            except trio.BrokenResourceError:
                pass

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, one, 0)
        found.port = listeners[0].socket.getsockname()[1]
        yield found
        nursery.cancel_scope.cancel()


async def request_of(stream: trio.SocketStream) -> bytes:
    """A request to the end of its header, and the body that a length announces or chunks have."""
    came = b""
    while b"\r\n\r\n" not in came:
        more = await stream.receive_some(65536)
        if not more:
            return came
        came += more
    head, _, body = came.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next((int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:")), 0)
    while len(body) < length or (b"transfer-encoding: chunked" in lines and not body.endswith(b"0\r\n\r\n")):
        more = await stream.receive_some(65536)
        if not more:
            break
        body += more
    return head + b"\r\n\r\n" + body
