"""The socket by which `sendmail` hands a message to a service that may read what its callers may not.

One connection is one message: a line of JSON with the wishes of the caller, the message, and the end of writing; then a
line of JSON with the answer. The service runs once for each connection, as its standard input (systemd.socket(5),
`Accept=yes`), so nothing stays in memory when nobody sends.
"""

import socket
import struct
from pathlib import Path
from typing import Final

import msgspec

#: Where the service is listened for; anybody may connect.
PATH: Final = Path("/run/moxpysubmit.socket")
_LINE_OCTETS: Final = 64 * 1024
_PIECE_OCTETS: Final = 64 * 1024
#: For one piece of the message or its request; and for an answer, which is there when the message was submitted or not.
_PIECE_SECONDS: Final = 60.0
_ANSWER_SECONDS: Final = 300.0


class Request(msgspec.Struct, forbid_unknown_fields=True):
    """What the caller wants of his message."""

    recipients: tuple[str, ...] = ()
    #: The recipient stands in the To field.
    from_header: bool = False
    #: Name of the sender, for messages without one.
    name: str = ""


class _Answer(msgspec.Struct):
    """What came of it; the message was submitted if there is no problem."""

    problem: str


class SocketError(Exception):
    """The other side is not there, or does not speak as it should."""


def ask(path: Path, wanted: Request, octets: bytes) -> str:
    """Hand over a message; why it was not submitted, empty when it was. Raises SocketError."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(_PIECE_SECONDS)
            sock.connect(str(path))
            try:
                sock.sendall(msgspec.json.encode(wanted) + b"\n" + octets)
                sock.shutdown(socket.SHUT_WR)
            except BrokenPipeError:
                pass  # It may have said why.
            sock.settimeout(_ANSWER_SECONDS)
            answer, _ = _line(sock)
            return msgspec.json.decode(answer, type=_Answer).problem
    except (OSError, msgspec.DecodeError) as error:
        raise SocketError(f"{path}: {error}") from error


def receive(sock: socket.socket, most: int) -> tuple[Request, bytes]:
    """What is wanted and the message, of at most one octet more than `most`. Raises SocketError."""
    sock.settimeout(_PIECE_SECONDS)
    try:
        line, begun = _line(sock)
        octets = bytearray(begun)
        while len(octets) <= most and (more := sock.recv(_PIECE_OCTETS)):
            octets += more
        return msgspec.json.decode(line, type=Request), bytes(octets[: most + 1])
    except (OSError, msgspec.DecodeError) as error:
        raise SocketError(str(error)) from error


def answer(sock: socket.socket, problem: str) -> None:
    """Say what came of it; whoever has gone does not hear it."""
    try:
        sock.sendall(msgspec.json.encode(_Answer(problem)) + b"\n")
    except OSError:
        pass


def user_of(sock: socket.socket) -> int:
    """Who has connected: the system's number of the user. Raises OSError where `sock` is no socket of this machine."""
    _, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return int(uid)


def _line(sock: socket.socket) -> tuple[bytes, bytes]:
    """A line without its end, and what came behind it. Raises SocketError."""
    octets = bytearray()
    while b"\n" not in octets:
        more = sock.recv(_PIECE_OCTETS)
        if not more or len(octets) > _LINE_OCTETS:
            raise SocketError("the connection ended too early" if not more else "a line is too long")
        octets += more
    line, _, rest = bytes(octets).partition(b"\n")
    return line, rest
