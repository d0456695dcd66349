"""A made-up world of mail hosts: each has an address and its manners, and remembers what it was given."""

import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address

import trio

from appliance.net.dial import Dialed, DialError
from appliance.net.socketstream import SocketStream
from appliance.net.tlsstream import TLSHandshakeError, TLSStream
from appliance.protocol.smtp.data import MessageData
from appliance.tls.context import Demands, KeyPair, server_context


@dataclass
class Arrived:
    """A message that was taken."""

    mail: str
    recipients: list[str]
    octets: bytes
    tls: bool


@dataclass
class Host:
    """A mail host. `replies` says what it answers otherwise than usual, by the command or its beginning.

    `GREETING` and `CONTENT` name the greeting and the dot. A list is used up one by one. `close` closes the connection
    instead of a reply, `close after` takes the message and closes, `silence` says nothing.
    """

    extensions: Sequence[str] = ("PIPELINING", "8BITMIME", "SIZE 100000")
    tls: KeyPair | None = None
    #: Begins with TLS.
    immediate: bool = False
    #: Ends the handshake before it begins.
    breaks_tls: bool = False
    replies: dict[str, str | list[str]] = field(default_factory=dict)
    arrived: list[Arrived] = field(default_factory=list)
    connections: int = 0
    commands: list[str] = field(default_factory=list)
    #: What clients asked for in their handshakes.
    server_names: list[str] = field(default_factory=list)
    #: Called at the dot, before it is answered.
    at_dot: Callable[[], Awaitable[None]] | None = None

    def _reply(self, command: str, usual: str) -> str:
        for key, reply in self.replies.items():
            if not command.upper().startswith(key.upper()):
                continue
            if isinstance(reply, str):
                return reply
            if reply:
                return reply.pop(0)
        return usual

    async def serve(self, stream: SocketStream) -> None:
        self.connections += 1
        try:
            await _Talk(self, stream).run()
        except (trio.BrokenResourceError, trio.ClosedResourceError, TLSHandshakeError, _Over):
            pass
        finally:
            await trio.aclose_forcefully(stream)


class _Over(Exception):
    pass


class _Talk:
    def __init__(self, host: Host, stream: SocketStream) -> None:
        self.host, self.stream, self.buffer = host, stream, b""
        self.tls = False
        self.mail, self.recipients = "", []

    async def run(self) -> None:
        if self.host.immediate:
            await self.start_tls()
        await self.say("GREETING", "220 mx.example ESMTP")
        while True:
            line = await self.line()
            self.host.commands.append(line)
            verb = line.split(" ")[0].upper()
            if verb == "EHLO":
                offered = [*self.host.extensions, *(["STARTTLS"] if self.host.tls and not self.tls else [])]
                *more, last = ["mx.example", *offered]
                await self.say(line, "\r\n".join([*(f"250-{one}" for one in more), f"250 {last}"]))
            elif verb == "STARTTLS":
                if (await self.say(line, "220 go" if self.host.tls else "502 what")).startswith("220"):
                    await self.start_tls()
            elif verb == "MAIL":
                if (await self.say(line, "250 ok")).startswith("250"):
                    self.mail, self.recipients = line, []
            elif verb == "RCPT":
                if (await self.say(line, "250 ok" if self.mail else "503 no sender")).startswith("250"):
                    self.recipients.append(line)
            elif verb == "DATA":
                usual = "354 go" if self.recipients else "503 no recipients"
                if (await self.say(line, usual)).startswith("354"):
                    await self.message()
            elif verb == "AUTH":
                await self.say(line, "235 2.7.0 welcome")
            elif verb == "QUIT":
                await self.say(line, "221 bye")
                return
            else:
                await self.say(line, "250 ok")

    async def message(self) -> None:
        data, content, octets = MessageData(), b"", self.buffer
        while True:
            more, rest = data.receive(octets)
            content += more
            if rest is not None:
                self.buffer = rest
                break
            octets = await self.receive()
        if self.host.at_dot is not None:
            await self.host.at_dot()
        reply = self.host._reply("CONTENT", "250 2.0.0 taken")
        if reply.startswith("250") or reply == "close after":
            self.host.arrived.append(Arrived(self.mail, self.recipients, content, self.tls))
        self.mail, self.recipients = "", []
        await self.send(reply)

    async def say(self, command: str, usual: str) -> str:
        reply = self.host._reply(command, usual)
        await self.send(reply)
        return reply

    async def send(self, reply: str) -> None:
        if reply.startswith("close"):
            raise _Over
        if reply == "silence":
            await trio.sleep_forever()
        await self.stream.send_all(reply.encode() + b"\r\n")

    async def line(self) -> str:
        while b"\r\n" not in self.buffer:
            self.buffer += await self.receive()
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line.decode()

    async def receive(self) -> bytes:
        octets = bytes(await self.stream.receive_some(65_536))
        if not octets:
            raise _Over
        return octets

    async def start_tls(self) -> None:
        if self.host.breaks_tls:
            raise _Over
        assert self.host.tls is not None
        self.stream = TLSStream(self.stream, server_context(self.host.tls, Demands()), server_side=True)
        await self.stream.do_handshake()
        self.host.server_names.append((self.stream.connection.get_servername() or b"").decode())
        self.tls = True


class Net:
    """Where the hosts are. Others do not answer; `dialed` is all that was tried, in order."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self.hosts: dict[str, Callable[[SocketStream], Awaitable[None]]] = {}
        self.dialed: list[str] = []
        #: Port, source and proxy of each.
        self.how: list[tuple[int, object, object]] = []
        self.open = 0
        self.most_open = 0

    def host(self, address: str, **manners) -> Host:
        """Put a host there."""
        host = Host(**manners)
        self.hosts[address] = host.serve
        return host

    async def dial(self, addresses, port, *, seconds, sources=None, proxy=None) -> Dialed:
        await trio.lowlevel.checkpoint()
        tried = []
        for address in addresses:
            self.dialed.append(str(address))
            self.how.append((port, sources, proxy))
            serve = self.hosts.get(str(address))
            if serve is None:
                tried.append((address, "refused"))
                continue
            ours, theirs = socket.socketpair()
            self._nursery.start_soon(self._serve, serve, SocketStream(_Socket(theirs)))
            return Dialed(SocketStream(_Socket(ours)), address, port, ip_address("192.0.2.250"))
        raise DialError(tried, timeout=False)

    async def _serve(self, serve: Callable[[SocketStream], Awaitable[None]], stream: SocketStream) -> None:
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            await serve(stream)
        finally:
            self.open -= 1


class _Socket(socket.socket):
    """A pair's end passes for a socket of TCP."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock.family, sock.type, sock.proto, sock.detach())

    def setsockopt(self, *_: object) -> None:  # type: ignore[override]
        pass
