"""Where web clients come in: TLS with what they want to speak in it, and then HTTP, or another door's protocol.

What HTTP needs is loaded when the first client comes, in a thread: a server of mail alone does without it.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Final

import trio

from appliance.base.log import Phase
from appliance.delivery.appliance import Appliance
from appliance.net.clienthello import NotTLS
from appliance.net.connection import Choose, Connection
from appliance.net.tlsstream import TLSHandshakeError
from appliance.servers.web.asgi import Application
from appliance.servers.web.httplimits import HTTPLimits

#: By preference (RFC 7301 §3.2). Who offers none of them is served HTTP/1.1.
PROTOCOLS: Final = (b"h2", b"http/1.1")
#: How a request begins that came to a port of TLS without it.
_PLAIN: Final = (b"GET ", b"HEAD ", b"POST ", b"PUT ", b"OPTIONS ")
_NOT_PLAIN: Final = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: 37\r\nconnection: close\r\n\r\nThis port speaks HTTPS, use https://\n"
)


class Loader:
    """Brings in what speaks HTTP, once."""

    def __init__(self) -> None:
        self._module: ModuleType | None = None
        self._lock = trio.Lock()

    async def load(self) -> Any:
        """The module `http`."""
        if self._module is None:
            async with self._lock:
                if self._module is None:
                    self._module = await trio.to_thread.run_sync(_load)
        return self._module


def _load() -> ModuleType:
    from appliance.servers.web import http

    return http


@dataclass(frozen=True, slots=True)
class Door:
    """What one port tells its connections."""

    application: Application
    limits: HTTPLimits
    loader: Loader
    #: Gives the context for what a client asks for; None: plain HTTP.
    tls: Choose | None = None
    #: Who serves clients that ask for another protocol in TLS (RFC 7301), by its name there.
    others: Mapping[str, Callable[[Connection], Awaitable[None]]] = field(default_factory=dict)


async def serve(app: Appliance, door: Door, connection: Connection) -> None:
    """Serve a connection from its first octet."""
    # Requests and answers may hold passwords and mail alike, wherever one looks.
    connection.phase = Phase.DATA
    if door.tls is not None:
        try:
            await connection.start_tls(door.tls)
        except TLSHandshakeError as error:
            connection.log.info("TLS handshake failed", error, reason=error.reason)
            if isinstance(error.__cause__, NotTLS) and error.__cause__.octets.startswith(_PLAIN):
                with trio.move_on_after(door.limits.bye_seconds), suppress(trio.BrokenResourceError):
                    await connection.stream.send_all(_NOT_PLAIN)
                    await connection.linger()
            return
        except trio.TooSlowError:
            connection.log.info("TLS handshake took too long")
            return
        assert connection.tls is not None
        if connection.tls.protocol == "acme-tls/1":
            return  # An authority has seen what it wanted (RFC 8737 §3).
        other = door.others.get(connection.tls.protocol)
        if other is not None:
            connection.phase = Phase.PLAIN
            await other(connection)
            return
    http = await door.loader.load()
    await http.serve(door.application, connection, door.limits, app.shutdown)


def refusal(why: str, _: int) -> bytes:
    """What is said to those who are turned away."""
    status = "503 Service Unavailable" if why == "shutdown" else "429 Too Many Requests"
    return f"HTTP/1.1 {status}\r\nretry-after: 60\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode()
