"""Standard input and output carried to a connection and back, for commands that open one for somebody."""

import os
import re
from functools import partial
from typing import Final

import trio

from appliance.net.connection import Closed
from appliance.net.outgoing import Outgoing

_OCTETS: Final = 64 * 1024
_INPUT, _OUTPUT = 0, 1
_BARE_LF: Final = re.compile(rb"(?<!\r)\n")


async def carry(connection: Outgoing, *, lines: bool) -> None:
    """Carry octets both ways until the server closes. `lines`: those of the input end in CRLF, however they came."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_carry_in, connection, lines)
        try:
            while octets := await connection.receive():
                await trio.to_thread.run_sync(_write, octets)
        except Closed:
            pass
        nursery.cancel_scope.cancel()


async def _carry_in(connection: Outgoing, lines: bool) -> None:
    last = b""
    try:
        # The thread is left to itself at the end: nobody can take back a read of a terminal.
        while octets := await trio.to_thread.run_sync(partial(os.read, _INPUT, _OCTETS), abandon_on_cancel=True):
            await connection.send(whole_lines(octets, last) if lines else octets)
            last = octets[-1:]
    except Closed:
        pass  # What the server said before is told by the other direction.


def whole_lines(octets: bytes, last: bytes) -> bytes:
    """The octets with CRLF for LF alone; `last` is what came before them."""
    if last == b"\r" and octets.startswith(b"\n"):
        return b"\n" + _BARE_LF.sub(b"\r\n", octets[1:])
    return _BARE_LF.sub(b"\r\n", octets)


def _write(octets: bytes) -> None:
    while octets:
        octets = octets[os.write(_OUTPUT, octets) :]
