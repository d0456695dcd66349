"""The client's side of the control socket; no event loop, so that commands start quickly."""

import json
import socket
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from appliance import __version__
from appliance.cli.configuration import load_config
from appliance.cli.main import Failed, Invocation

_PROTOCOL: Final = "moxpy-ctl 1"
_CHUNK_OCTETS: Final = 256 * 1024


class NoServer(Failed):
    """Nobody listens at the control socket."""


def connect(invocation: Invocation) -> socket.socket:
    """A connection to the running server of the configuration, greeting read. Raises NoServer."""
    path = socket_path(load_config(invocation).data_directory)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.connect(str(path))
    except OSError as error:
        sock.close()
        raise NoServer(f"cannot reach the server at {path}: {error.strerror}; is it running?") from error
    greeting = _Reader(sock).line()
    if not greeting.startswith(_PROTOCOL + " "):
        sock.close()
        raise Failed(
            f"the server speaks {greeting[:100]!r}, this program {_PROTOCOL} (moxpy {__version__}); "
            "use the program of the server's version, or restart the server with this one"
        )
    return sock


class _Reader:
    """Lines and chunks of the server."""

    def __init__(self, sock: socket.socket) -> None:
        self._file = sock.makefile("rb")

    def line(self) -> str:
        line = self._file.readline()
        if not line.endswith(b"\n"):
            raise Failed("the server closed the connection")
        return line.decode().rstrip("\n")

    def octets(self, count: int) -> bytes:
        octets = self._file.read(count)
        if len(octets) < count:
            raise Failed("the server closed the connection")
        return octets


def call(
    invocation: Invocation,
    command: str,
    *,
    each: Callable[[Any], None] | None = None,
    stream: Iterable[bytes] | None = None,
    sink: Callable[[bytes], object] | None = None,
    **arguments: Any,
) -> Any:
    """Ask the running server; its answer.

    `stream` is octets for the server. `each` gets every line of the result ahead of the answer, `sink` the octets the
    server sends. Warnings and progress go to standard error.
    """
    with connect(invocation) as sock:
        reader = _Reader(sock)
        try:
            sock.sendall(json.dumps({"cmd": command, "args": arguments}).encode() + b"\n")
            if stream is not None:
                _send(sock, stream)
        except BrokenPipeError:
            pass  # It has an error to tell.
        while True:
            reply = json.loads(reader.line())
            if "error" in reply:
                raise Failed(str(reply["error"]["msg"]))
            if "ok" in reply:
                return reply["ok"]
            if "out" in reply and each is not None:
                each(reply["out"])
            elif "warn" in reply:
                print(f"warning: {reply['warn']}", file=sys.stderr)
            elif "progress" in reply and sys.stderr.isatty():
                print(f"\r{reply['progress']}", end="", file=sys.stderr, flush=True)
            elif "stream" in reply:
                while length := int.from_bytes(reader.octets(4), "big"):
                    octets = reader.octets(length)
                    if sink is not None:
                        sink(octets)


def converse(invocation: Invocation, command: str, **arguments: Any) -> tuple[socket.socket, bytes]:
    """Ask for a command after which the connection speaks another protocol; it, and the first octets of that."""
    sock = connect(invocation)
    try:
        sock.sendall(json.dumps({"cmd": command, "args": arguments}).encode() + b"\n")
        received = b""
        while b"\n" not in received:
            octets = sock.recv(_CHUNK_OCTETS)
            if not octets:
                raise Failed("the server closed the connection")
            received += octets
        line, _, rest = received.partition(b"\n")
        reply = json.loads(line)
        if "error" in reply:
            raise Failed(str(reply["error"]["msg"]))
    except BaseException:
        sock.close()
        raise
    return sock, rest


def _send(sock: socket.socket, stream: Iterable[bytes]) -> None:
    sock.sendall(b'{"stream":true}\n')
    for octets in stream:
        for start in range(0, len(octets), _CHUNK_OCTETS):
            piece = octets[start : start + _CHUNK_OCTETS]
            sock.sendall(len(piece).to_bytes(4, "big") + piece)
    sock.sendall(bytes(4))


def stop(invocation: Invocation) -> None:
    """Ask the running server to stop and wait until it has."""
    with connect(invocation) as sock:
        sock.sendall(json.dumps({"cmd": "stop"}).encode() + b"\n")
        try:
            if sock.recv(1):
                raise Failed("the server did not stop")
        except ConnectionResetError:
            pass


def socket_path(folder: Path) -> Path:
    """Where the control socket of a data directory lies."""
    return folder / "ctl"
