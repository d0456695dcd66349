"""A TCP connection as a stream, made for conversations of short lines.

trio's own stream asks the kernel twice for every line it waits for and yields after every send. Here a receive first
waits and then reads, and a send that the kernel takes at once is over at once: half the work for each command. The
wait in `receive_some` is the checkpoint, so no peer keeps the loop to itself.
"""

import socket
import struct

import trio


class SocketStream(trio.abc.HalfCloseableStream):
    """A connected, non-blocking TCP socket."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = sock
        self._send_lock = trio.StrictFIFOLock()
        self._ahead = b""

    def put_back(self, octets: bytes) -> None:
        """Octets that were received too early, to be received again before all others."""
        self._ahead = octets + self._ahead

    def send_now(self, octets: bytes | bytearray | memoryview) -> int:
        """Send what the kernel takes without waiting; how much that was. Raises trio.BrokenResourceError."""
        try:
            return self.socket.send(octets)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            raise self._lost(error) from error

    def _lost(self, error: OSError) -> Exception:
        if self.socket.fileno() < 0:
            return trio.ClosedResourceError("this socket is closed")
        return trio.BrokenResourceError(f"connection lost: {error.strerror or error}")

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send everything."""
        async with self._send_lock:
            with memoryview(data) as view:
                at = 0
                while at < len(view):
                    at += self.send_now(view[at:])
                    if at < len(view):
                        await trio.lowlevel.wait_writable(self.socket)

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until the kernel takes octets."""
        await trio.lowlevel.wait_writable(self.socket)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Octets of the peer, none at the end."""
        if self._ahead:
            await trio.lowlevel.checkpoint()
            octets, self._ahead = self._ahead, b""
            if max_bytes is not None:
                octets, self._ahead = octets[:max_bytes], octets[max_bytes:]
            return octets
        while True:
            if self.socket.fileno() < 0:
                await trio.lowlevel.checkpoint()
                raise trio.ClosedResourceError("this socket is closed")
            await trio.lowlevel.wait_readable(self.socket)
            try:
                return self.socket.recv(max_bytes or 65_536)
            except (BlockingIOError, InterruptedError):
                continue
            except OSError as error:
                raise self._lost(error) from error

    async def send_eof(self) -> None:
        """Nothing more will be sent."""
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError as error:
            raise self._lost(error) from error
        await trio.lowlevel.checkpoint()

    def drop_unsent(self) -> None:
        """When this is closed, the kernel shall forget what the peer has not taken, and reset the connection.

        Otherwise it keeps up to some MiB for every peer that does not read, for a quarter of an hour after the close.
        """
        if self.socket.fileno() >= 0:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def close(self) -> None:
        """Close at once; who waits for the socket is told."""
        if self.socket.fileno() >= 0:
            trio.lowlevel.notify_closing(self.socket)
            self.socket.close()

    async def aclose(self) -> None:
        """As `close`, for who knows only that this is a stream."""
        self.close()
        await trio.lowlevel.checkpoint()
