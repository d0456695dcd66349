"""One connection as a session sees it: octets in and out, deadlines, slowness for the unwelcome, TLS on the way.

A session owns one cancel scope for all of its life and moves its deadline (`expire_in`): a scope for every read costs
more than the read. Only writes have a deadline of their own, because a peer that does not read must not hold us.
"""

import ipaddress
import select
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Final

import trio

from appliance.base.log import Log, Phase
from appliance.net import clienthello
from appliance.net.clienthello import Hello
from appliance.net.clientkey import Judge
from appliance.net.deflate import BadDeflate, Deflate
from appliance.net.limiter import Address
from appliance.net.socketstream import SocketStream
from appliance.net.tlsnames import UNRECOGNIZED_NAME, alert_record
from appliance.net.tlsstream import (
    ClientRefused,
    Context,
    TLSHandshakeError,
    TLSInfo,
    TLSStream,
    close_at_once,
    send_now,
)
from appliance.net.transcript import Transcript


class UnknownName(Exception):
    """There is no certificate for the name that was asked for."""


#: Gives the context for what a client asks for. May take its time, and raises UnknownName.
Choose = Callable[[Hello], Awaitable[Context]]
#: A dying handshake is told why, but not for long.
_ALERT_SECONDS: Final = 1
#: Octets received at once when they are compressed: they may become a thousand times as many, or make as much work.
_COMPRESSED_OCTETS: Final = 16 * 1024


class Closed(Exception):
    """The peer is gone, or does not take what we send."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Time for one write; how slow the unwelcome are served."""

    write_seconds: float
    handshake_seconds: float
    #: The step of slowness; 0: nobody is served slowly, as in a house for tests.
    slow_seconds: float
    #: A slow write is finished at once when its deadline is so near.
    slow_margin_seconds: float
    read_octets: int
    #: What a peer may still send after our last words, and for how long it is dropped.
    linger_octets: int
    linger_seconds: float
    #: Until a proxy has said whose connection it brings, which it does at once.
    proxy_seconds: float
    #: For telling those who are turned away why, a handshake included.
    refusal_seconds: float


class Connection:
    """An accepted connection. Use as a context manager around the session: that is its cancel scope."""

    def __init__(
        self,
        stream: trio.abc.Stream,
        *,
        cid: int,
        remote: Address,
        remote_port: int,
        local: Address,
        local_port: int,
        log: Log,
        limits: ConnectionLimits,
    ) -> None:
        self.stream = stream
        self.cid = cid
        self.remote, self.remote_port = remote, remote_port
        self.local, self.local_port = local, local_port
        self.log = log
        self.limits = limits
        self.tls: TLSInfo | None = None
        self._deflate: Deflate | None = None
        #: Compressed octets were lost on their way: the peer cannot make sense of later ones.
        self._cut = False
        #: Octets received before it was known that they are not compressed.
        self._ahead = b""
        self._slow = False
        self._phase = Phase.PLAIN
        self._transcript = Transcript(log)
        self.octets_in = 0
        self.octets_out = 0
        self._scope = trio.CancelScope()
        self._deadline = float("inf")

    def __enter__(self) -> "Connection":
        self._scope.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return self._scope.__exit__(kind, error, trace)

    @property
    def phase(self) -> Phase:
        """What is on the wire now, for traces. Set it as soon as a command is understood, before it is answered."""
        return self._phase

    @phase.setter
    def phase(self, phase: Phase) -> None:
        self._phase = phase
        self._transcript.phase_changed(phase)

    @property
    def slow(self) -> bool:
        """Whether it is served slowly: for those who guess passwords or bring mail nobody wants."""
        return self._slow

    @slow.setter
    def slow(self, slow: bool) -> None:
        self._slow = slow and self.limits.slow_seconds > 0

    @property
    def expired(self) -> bool:
        """Whether the session was ended by its deadline (ask after the `with`)."""
        return self._scope.cancelled_caught

    def expire_in(self, seconds: float) -> None:
        """Cancel the session unless the deadline is moved again."""
        deadline = trio.current_time() + seconds
        # Moving it costs more than the command it times; a second more or less is nothing to a patient peer.
        if deadline < self._deadline or deadline - self._deadline >= 1:
            self._scope.deadline = self._deadline = deadline

    def cancel(self) -> None:
        """End the session now."""
        self._scope.cancel()

    async def receive(self) -> bytes:
        """Octets of the peer, none at the end. Raises Closed."""
        if self.slow:
            await trio.sleep(self.limits.slow_seconds)
        if self._deflate is None:
            octets = await self._receive(self.limits.read_octets)
        else:
            octets = await self._inflated(self._deflate)
        self._transcript.received(octets, self._phase)
        return octets

    async def _receive(self, most: int) -> bytes:
        if self._ahead:
            await trio.lowlevel.checkpoint()
            octets, self._ahead = self._ahead[:most], self._ahead[most:]
            return octets
        try:
            octets = bytes(await self.stream.receive_some(most))
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise Closed("connection lost") from error
        self.octets_in += len(octets)
        return octets

    async def _inflated(self, deflate: Deflate) -> bytes:
        try:
            while not (octets := deflate.take()):
                if deflate.ended or not (received := await self._receive(_COMPRESSED_OCTETS)):
                    return b""
                deflate.feed(received)
        except BadDeflate as error:
            raise Closed("what should be compressed is not") from error
        await trio.lowlevel.checkpoint()  # Little may have become much.
        return octets

    async def send(self, octets: bytes) -> None:
        """Send all, within the write deadline. Raises Closed."""
        self._transcript.sent(octets, self._phase)
        if self._deflate is None:
            await self._send(octets)
            return
        if self._cut:
            raise Closed("what was compressed before was not sent")
        self._cut = True
        for piece in self._deflate.compress(octets):
            await trio.lowlevel.checkpoint()
            if piece:
                await self._send(piece)
        self._cut = False

    def start_compression(self, received: bytes) -> None:
        """From now on both sides compress; `received` came already."""
        self._deflate, self._ahead = Deflate(), received

    @property
    def compressed(self) -> bool:
        """Whether both sides compress."""
        return self._deflate is not None

    async def end_compression(self) -> None:
        """From now on nobody compresses any more; harmless if nobody did. Raises Closed."""
        deflate, self._deflate = self._deflate, None
        if deflate is not None and not self._cut:
            self._ahead = deflate.rest() + self._ahead
            await self._send(deflate.finish())

    async def _send(self, octets: bytes) -> None:
        self.octets_out += len(octets)
        if not self.slow:
            try:
                left = send_now(self.stream, octets)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                raise Closed("connection lost") from error
            if left is None:
                return
            octets = left
        with trio.move_on_after(self.limits.write_seconds) as scope:
            try:
                if self.slow:
                    await self._send_slowly(octets, scope.deadline)
                else:
                    await self.stream.send_all(octets)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                raise Closed("connection lost") from error
        if scope.cancelled_caught:
            transport = self.stream.transport_stream if isinstance(self.stream, TLSStream) else self.stream
            if isinstance(transport, SocketStream):
                transport.drop_unsent()
            await trio.aclose_forcefully(self.stream)
            raise Closed("peer does not read")

    async def _send_slowly(self, octets: bytes, deadline: float) -> None:
        """One octet a second; all the rest when the peer's patience may end."""
        at = 0
        while at < len(octets) and deadline - trio.current_time() > self.limits.slow_margin_seconds:
            await self.stream.send_all(octets[at : at + 1])
            at += 1
            await trio.sleep(self.limits.slow_seconds)
        if at < len(octets):
            await self.stream.send_all(octets[at:])

    async def start_tls(self, choose: Choose, initial: bytes = b"", judge: Judge | None = None) -> None:
        """Server's side of a handshake, with the context for what the client asks for.

        `initial` was received already; `judge` decides over the client's key.

        Raises TLSHandshakeError, and TooSlowError when the client takes too long: not for the time of `choose`.
        """
        with trio.fail_after(self.limits.handshake_seconds):
            try:
                octets, hello = await clienthello.peek(self.stream, initial)
            except clienthello.NotTLS as error:
                raise TLSHandshakeError(error.reason, str(error)) from error
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                raise TLSHandshakeError("eof", "connection lost") from error
        try:
            context = await choose(hello)
        except UnknownName as error:
            with trio.move_on_after(_ALERT_SECONDS), suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                await self.stream.send_all(alert_record(UNRECOGNIZED_NAME))  # RFC 6066 §3
            raise TLSHandshakeError("other", f"no certificate for {hello.server_name!r}") from error
        with trio.fail_after(self.limits.handshake_seconds):
            await self._handshake(context, octets, judge)

    async def _handshake(self, context: Context, initial: bytes, judge: Judge | None) -> None:
        stream = TLSStream(self.stream, context, server_side=True, initial=initial, judge=judge)
        try:
            await stream.do_handshake()
        except ClientRefused:
            # With TLS 1.3 it believes itself connected and may be sending already, when the alert is on its way.
            await self.linger()
            raise
        self.stream = stream
        self.tls = stream.info
        self.log = self._transcript.log = self.log.bind(tls=stream.info.version)

    @property
    def tls_stream(self) -> TLSStream | None:
        """The TLS stream, for channel bindings."""
        return self.stream if isinstance(self.stream, TLSStream) else None

    def is_closing(self) -> bool:
        """Whether the peer has closed its side, or all; octets it sent before may still be there to receive."""
        stream = self.stream.transport_stream if isinstance(self.stream, TLSStream) else self.stream
        if not isinstance(stream, SocketStream) or stream.socket.fileno() < 0:
            return False
        poll = select.poll()
        poll.register(stream.socket, select.POLLRDHUP)
        return bool(poll.poll(0))

    async def linger(self) -> None:
        """Say that nothing more comes, and drop what the peer still sends, for a while.

        A socket closed with octets unread is reset, and the peer never sees our last words.
        """
        if not isinstance(self.stream, SocketStream | TLSStream):
            return  # Only the kernel forgets what it has not sent.
        left = self.limits.linger_octets
        with trio.move_on_after(self.limits.linger_seconds):
            try:
                if isinstance(self.stream, SocketStream):
                    await self.stream.send_eof()
                while left > 0 and (octets := await self.stream.receive_some(self.limits.read_octets)):
                    left -= len(octets)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return

    async def aclose(self) -> None:
        """Close without waiting for anybody."""
        self._transcript.closed()
        if isinstance(self.stream, SocketStream):
            self.stream.close()
            return
        await close_at_once(self.stream)


def parse_address(text: str) -> Address:
    """An address of a socket; IPv4 mapped into IPv6 is IPv4, scopes are dropped."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
