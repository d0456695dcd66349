"""The client's side of SOCKS5: a proxy makes the connection for us (RFC 1928). There is no login."""

import struct
from typing import Final

import trio

from appliance.net.limiter import Address

_VERSION: Final = 5
_NO_LOGIN: Final = 0
_CONNECT: Final = 1
_IPV4, _NAME, _IPV6 = 1, 3, 4
#: RFC 1928 §6
_REPLIES: Final = {
    1: "general failure",
    2: "connection not allowed",
    3: "network unreachable",
    4: "host unreachable",
    5: "connection refused",
    6: "TTL expired",
    7: "command not supported",
    8: "address type not supported",
}


class SocksError(Exception):
    """The proxy does not connect us, or is none."""


async def connect(stream: trio.abc.Stream, address: Address, port: int) -> None:
    """Ask a proxy, at the other end of the stream, for a connection. From then on the stream leads there.

    Raises SocksError, and what the stream raises.
    """
    await stream.send_all(bytes([_VERSION, 1, _NO_LOGIN]))
    version, method = await _receive(stream, 2)
    if version != _VERSION:
        raise SocksError("not a SOCKS5 proxy")
    if method != _NO_LOGIN:
        raise SocksError("the proxy wants a login")
    kind = _IPV6 if address.version == 6 else _IPV4
    await stream.send_all(bytes([_VERSION, _CONNECT, 0, kind]) + address.packed + struct.pack(">H", port))
    version, reply, _, kind = await _receive(stream, 4)
    if version != _VERSION:
        raise SocksError("not a SOCKS5 proxy")
    if reply != 0:
        raise SocksError(f"the proxy says: {_REPLIES.get(reply, f'error {reply}')}")
    # Where the proxy connects from; nobody here needs it, but it must be read off.
    length = {_IPV4: 4, _IPV6: 16}.get(kind)
    if kind == _NAME:
        (length,) = await _receive(stream, 1)
    if length is None:
        raise SocksError("the proxy's reply is malformed")
    await _receive(stream, length + 2)


async def _receive(stream: trio.abc.Stream, count: int) -> bytes:
    """Exactly so many octets: what follows belongs to the host behind the proxy."""
    received = b""
    while len(received) < count:
        octets = await stream.receive_some(count - len(received))
        if not octets:
            raise SocksError("the proxy closed the connection")
        received += octets
    return received
