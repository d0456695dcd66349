"""The client's side of the control socket (L-23); no event loop, so that commands start quickly."""

import json
import socket
from pathlib import Path
from typing import Any, Final

from appliance import __version__
from appliance.cli.configuration import load_config
from appliance.cli.main import Failed, Invocation

_PROTOCOL: Final = "moxpy-ctl 1 "


def connect(invocation: Invocation) -> socket.socket:
    """A connection to the running server of the configuration, greeting read."""
    path = load_config(invocation).data_directory / "ctl"
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.connect(str(path))
    except OSError as error:
        sock.close()
        raise Failed(f"cannot reach the server at {path}: {error.strerror}; is it running?") from error
    greeting = _line(sock)
    if not greeting.startswith(_PROTOCOL):
        raise Failed(f"the server speaks {greeting!r}, this program moxpy-ctl 1 ({__version__}); versions differ")
    return sock


def _line(sock: socket.socket) -> str:
    octets = bytearray()
    while not octets.endswith(b"\n"):
        more = sock.recv(65_536)
        if not more:
            raise Failed("the server closed the connection")
        octets += more
    return octets.decode().rstrip("\n")


def call(invocation: Invocation, command: str, **arguments: Any) -> Any:
    """Ask the running server; its answer."""
    with connect(invocation) as sock:
        sock.sendall(json.dumps({"cmd": command, "args": arguments}).encode() + b"\n")
        reply = json.loads(_line(sock))
    if "error" in reply:
        raise Failed(str(reply["error"]["msg"]))
    return reply.get("ok")


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
