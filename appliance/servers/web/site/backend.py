"""Connections to the web servers behind this one."""

from collections.abc import Sequence
from contextlib import suppress
from ipaddress import ip_address
from typing import Final

import trio
from OpenSSL import SSL

from appliance.delivery.appliance import Appliance
from appliance.net.connection import parse_address
from appliance.net.dial import DialError, dial
from appliance.net.http import URL
from appliance.net.limiter import Address
from appliance.net.tlsstream import TLSHandshakeError, TLSStream
from appliance.tls.context import client_context
from appliance.tls.verify import by_authorities

#: For the name and the connection; TLS included.
CONNECT_SECONDS: Final = 15.0
_PORTS: Final = {"http": 80, "https": 443}


class Unreachable(Exception):
    """There is no connection. The text is for the log: it may tell what is nobody's business outside."""

    def __init__(self, text: str, *, timeout: bool = False) -> None:
        super().__init__(text)
        self.timeout = timeout


class Backends:
    """Connects to them."""

    def __init__(self, app: Appliance) -> None:
        self._app = app
        self._context: SSL.Context | None = None

    async def connect(self, url: URL) -> trio.abc.Stream:
        """A connection that may be spoken on. Raises Unreachable."""
        with trio.move_on_after(CONNECT_SECONDS):
            return await self._connect(url)
        raise Unreachable(f"no connection within {CONNECT_SECONDS:g} s", timeout=True)

    async def _connect(self, url: URL) -> trio.abc.Stream:
        port = url.port or _PORTS[url.scheme]
        try:
            dialed = await dial(await _addresses(url.host, port), port, seconds=CONNECT_SECONDS)
        except DialError as error:
            raise Unreachable(str(error), timeout=error.timeout) from error
        if url.scheme == "http":
            return dialed.stream
        try:
            return await self._secured(dialed.stream, url.host)
        except BaseException:
            await trio.aclose_forcefully(dialed.stream)
            raise

    async def _secured(self, stream: trio.abc.Stream, host: str) -> TLSStream:
        if self._context is None:
            self._context = await trio.to_thread.run_sync(client_context)
        name = None if _literal(host) else host
        secured = TLSStream(stream, self._context, server_side=False, server_name=name, protocols=[b"http/1.1"])
        try:
            await secured.do_handshake()
        except TLSHandshakeError as error:
            raise Unreachable(f"TLS handshake failed: {error}") from error
        now = self._app.clock.now()
        why = await trio.to_thread.run_sync(by_authorities, secured.peer_chain(), host, self._app.roots, now)
        if why.result:
            raise Unreachable(f"certificate: {why.result}")
        return secured


def _literal(host: str) -> Address | None:
    with suppress(ValueError):
        return ip_address(host)
    return None


async def _addresses(host: str, port: int) -> Sequence[Address]:
    """Asked of this machine and not of DNS: such servers are often known by a file of hosts, or to containers only."""
    literal = _literal(host)
    if literal is not None:
        return (literal,)
    try:
        found = await trio.socket.getaddrinfo(host, port, type=trio.socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unreachable(f"{host}: {error}") from error
    return list(dict.fromkeys(parse_address(str(place[0])) for *_, place in found))
