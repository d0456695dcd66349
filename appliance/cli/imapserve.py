"""Command `admin imapserve`: an IMAP session over standard input and output, for tunnels and migration tools."""

import os
import socket
import threading
from typing import Final

from appliance.cli import remote
from appliance.cli.main import OK, Invocation

_OCTETS: Final = 64 * 1024


def imapserve(invocation: Invocation) -> int:
    """Carry octets both ways until one side ends."""
    output = 0 if invocation.given("fd0") else 1
    sock, received = remote.converse(invocation, "imapserve", address=invocation.arguments[0])
    with sock:
        # Each direction in its own thread: neither side may have to wait for the other to be heard.
        threading.Thread(target=_carry_in, args=(sock,), daemon=True).start()
        _write(output, received)
        while received := _receive(sock):
            _write(output, received)
    return OK


def _carry_in(sock: socket.socket) -> None:
    try:
        while octets := os.read(0, _OCTETS):
            sock.sendall(octets)
        sock.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # The session is over, and the other direction tells so.


def _receive(sock: socket.socket) -> bytes:
    try:
        return sock.recv(_OCTETS)
    except ConnectionResetError:
        return b""


def _write(descriptor: int, octets: bytes) -> None:
    while octets:
        octets = octets[os.write(descriptor, octets) :]
