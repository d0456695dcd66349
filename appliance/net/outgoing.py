"""A connection we made, as a client's session sees it: octets in and out, TLS on the way, traced without secrets."""

import select
from typing import Final

import trio
from OpenSSL import SSL

from appliance.base.log import Log, Phase, trace
from appliance.net.connection import Closed
from appliance.net.limiter import Address
from appliance.net.socketstream import SocketStream
from appliance.net.tlsstream import TLSInfo, TLSStream, close_at_once, send_now

#: Octets received at once.
_RECEIVE: Final = 16 * 1024


class Outgoing:
    """Time is for its user to watch: a scope around each call. After one was cut short, only `aclose` makes sense."""

    def __init__(
        self,
        stream: trio.abc.Stream,
        *,
        remote: Address,
        remote_port: int,
        local: Address,
        log: Log,
    ) -> None:
        self.stream = stream
        self.remote, self.remote_port = remote, remote_port
        self.local = local
        self.log = log
        self.tls: TLSInfo | None = None

    async def receive(self, phase: Phase = Phase.PLAIN) -> bytes:
        """Octets of the server, none at the end. Raises Closed."""
        try:
            octets = bytes(await self.stream.receive_some(_RECEIVE))
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise Closed(str(error) or "connection lost") from error
        if octets:
            trace(self.log, "S: ", octets, phase)
        return octets

    async def send(self, octets: bytes, phase: Phase = Phase.PLAIN) -> None:
        """Send all, with what was left of earlier ones. Raises Closed."""
        if octets:
            trace(self.log, "C: ", octets, phase)
        try:
            await self.stream.send_all(octets)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise Closed(str(error) or "connection lost") from error

    def send_now(self, octets: bytes, phase: Phase = Phase.PLAIN) -> bytes | None:
        """Send what the kernel takes at once; what is left for `send`, None when all went. Raises Closed."""
        try:
            left = send_now(self.stream, octets)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise Closed(str(error) or "connection lost") from error
        sent = octets if left is None else octets[: len(octets) - len(left)]
        if sent:
            trace(self.log, "C: ", sent, phase)
        return left

    async def start_tls(self, context: SSL.Context, server_name: str | None) -> None:
        """The client's side of a handshake. Who the server is, is not judged here. Raises TLSHandshakeError."""
        stream = TLSStream(self.stream, context, server_side=False, server_name=server_name)
        await stream.do_handshake()
        self.stream = stream
        self.tls = stream.info
        self.log = self.log.bind(tls=stream.info.version)

    def is_readable(self) -> bool:
        """Whether the server has said something, or closed. Of a stream that is no socket nothing is known: False."""
        stream = self.stream.transport_stream if isinstance(self.stream, TLSStream) else self.stream
        if not isinstance(stream, SocketStream) or stream.socket.fileno() < 0:
            return False
        poll = select.poll()
        poll.register(stream.socket, select.POLLIN | select.POLLRDHUP)
        return bool(poll.poll(0))

    def peer_chain(self) -> tuple[bytes, ...]:
        """The server's certificates, its own first; DER. Empty without TLS."""
        return self.stream.peer_chain() if isinstance(self.stream, TLSStream) else ()

    def binding(self) -> tuple[str, bytes] | None:
        """The channel binding of this connection, its type and data (RFC 9266, RFC 5929)."""
        if not isinstance(self.stream, TLSStream):
            return None
        for name, data in (("tls-exporter", self.stream.exporter()), ("tls-unique", self.stream.unique())):
            if data:
                return name, data
        return None

    async def aclose(self) -> None:
        """Close without waiting for anybody."""
        await close_at_once(self.stream)
