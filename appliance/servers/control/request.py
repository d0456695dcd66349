"""One request on the control socket: its arguments, and what its handler may say and hear before the answer.

Lines are JSON objects. Octets follow a line `{"stream": true}` as chunks, each behind its length of four octets,
big-endian; an empty chunk ends them.
"""

import json
import socket
from collections.abc import AsyncIterator, Set
from typing import Any, Final

import trio

from appliance.base.problem import Kind, Problem

#: A request with its line end.
LINE_OCTETS: Final = 16 * 1024 * 1024
#: One chunk of a stream.
CHUNK_OCTETS: Final = 1024 * 1024
RECEIVE_OCTETS: Final = 65_536


class BadRequest(Problem):
    """Not a request we understand."""

    kind = Kind.INVALID


class ClientLeft(Exception):
    """The other end is gone, in the middle of something."""


class StreamCut(Exception):
    """What is being sent cannot be sent to its end: only closing the connection tells so."""


class Peer:
    """The other end of a connection: lines and chunks, read through one buffer."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self._buffer = bytearray()

    async def line(self) -> bytes | None:
        """The next line; None at the end. Raises BadRequest for one that is too long."""
        seen = 0
        while (end := self._buffer.find(b"\n", seen)) < 0:
            seen = len(self._buffer)
            if seen > LINE_OCTETS:
                raise BadRequest("request too long")
            if not await self._more():
                return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line

    async def octets(self, count: int) -> bytes:
        """So many octets. Raises ClientLeft."""
        while len(self._buffer) < count:
            if not await self._more():
                raise ClientLeft
        octets = bytes(self._buffer[:count])
        del self._buffer[:count]
        return octets

    def take_received(self) -> bytes:
        """What was received and not read, taken away."""
        octets = bytes(self._buffer)
        self._buffer.clear()
        return octets

    async def _more(self) -> bool:
        octets = await self.stream.receive_some(RECEIVE_OCTETS)
        self._buffer += octets
        return bool(octets)

    async def send(self, document: dict[str, Any]) -> None:
        """One line."""
        await self.stream.send_all(json.dumps(document, default=str).encode() + b"\n")

    async def gone(self) -> None:
        """Returns when the other end has closed and left nothing to read; never when it sends more."""
        if self._buffer or await self.stream.socket.recv(1, socket.MSG_PEEK):
            await trio.sleep_forever()


class Request:
    """A command with its arguments, for its handler."""

    def __init__(self, peer: Peer, arguments: dict[str, Any], watching: trio.CancelScope) -> None:
        self.arguments = arguments
        self._peer = peer
        self._watching = watching
        #: A stream has begun and not ended.
        self.is_streaming = False

    # Arguments. All raise BadRequest for one that is missing or of another type.

    def text(self, name: str) -> str:
        """A text."""
        return str(self._argument(name, str))

    def optional_text(self, name: str) -> str | None:
        """A text, None when it is absent or null."""
        return None if self.arguments.get(name) is None else self.text(name)

    def texts(self, name: str) -> list[str]:
        """A list of texts."""
        values: list[Any] = self._argument(name, list)
        if not all(isinstance(one, str) for one in values):
            raise BadRequest(f"argument {name} must be a list of texts")
        return values

    def number(self, name: str) -> int:
        """A number, from 0 on and below 2^63."""
        value: int = self._argument(name, int)
        if isinstance(value, bool) or not 0 <= value < 2**63:
            raise BadRequest(f"argument {name} must be a number, and not negative")
        return value

    def optional_number(self, name: str) -> int | None:
        """A number, None when it is absent or null."""
        return None if self.arguments.get(name) is None else self.number(name)

    def optional_numbers(self, name: str) -> list[int] | None:
        """A list of numbers, None when it is absent or null."""
        if self.arguments.get(name) is None:
            return None
        values: list[Any] = self._argument(name, list)
        if not all(isinstance(one, int) and not isinstance(one, bool) for one in values):
            raise BadRequest(f"argument {name} must be a list of numbers")
        return values

    def group(self, name: str, known: Set[str]) -> "Request":
        """Arguments that are within one; none when it is absent or null. Others than those known are refused."""
        values: dict[str, Any] = {} if self.arguments.get(name) is None else self._argument(name, dict)
        if unknown := values.keys() - known:
            raise BadRequest(f"argument {name} has no {min(unknown)[:100]}")
        return Request(self._peer, values, self._watching)

    def switch(self, name: str) -> bool:
        """Whether something is wanted; absent is no."""
        return bool(self.optional_switch(name))

    def optional_switch(self, name: str) -> bool | None:
        """Yes, no, or None when it is absent or null."""
        return None if self.arguments.get(name) is None else bool(self._argument(name, bool))

    def _argument(self, name: str, kind: type[Any]) -> Any:
        value = self.arguments.get(name)
        if not isinstance(value, kind):
            raise BadRequest(f"argument {name} must be a {kind.__name__}")
        return value

    # Before the answer.

    async def out(self, value: object) -> None:
        """A line of the result, ahead of its end."""
        await self._peer.send({"out": value})

    async def progress(self, count: int) -> None:
        """How far the work has come."""
        await self._peer.send({"progress": count})

    async def warn(self, text: str) -> None:
        """Something that went wrong without ending the work."""
        await self._peer.send({"warn": text})

    async def send(self, chunks: AsyncIterator[bytes]) -> None:
        """A stream of octets to the client. Raises StreamCut when they come to an early end by a Problem."""
        await self._peer.send({"stream": True})
        try:
            async for chunk in chunks:
                for start in range(0, len(chunk), CHUNK_OCTETS):
                    piece = chunk[start : start + CHUNK_OCTETS]
                    await self._peer.stream.send_all(len(piece).to_bytes(4, "big") + piece)
        except Problem as problem:
            raise StreamCut from problem
        await self._peer.stream.send_all(bytes(4))

    def receive(self) -> "Incoming":
        """The client's stream, to go through chunk by chunk."""
        self._watching.cancel()  # Two cannot wait for the same socket; from here on reading tells of its end.
        return Incoming(self._peer, self)


class Incoming:
    """The chunks of a client's stream. Getting one raises BadRequest, ClientLeft."""

    def __init__(self, peer: Peer, request: Request) -> None:
        self._peer = peer
        self._request = request

    def __aiter__(self) -> "Incoming":
        return self

    async def __anext__(self) -> bytes:
        if not self._request.is_streaming:
            await self._begin()
        length = int.from_bytes(await self._peer.octets(4), "big")
        if length > CHUNK_OCTETS:
            raise BadRequest("chunk too long")
        if not length:
            self._request.is_streaming = False
            raise StopAsyncIteration
        return await self._peer.octets(length)

    async def _begin(self) -> None:
        line = await self._peer.line()
        if line is None:
            raise ClientLeft
        if b"".join(line.split()) != b'{"stream":true}':
            raise BadRequest("this command needs a stream of octets")
        self._request.is_streaming = True
