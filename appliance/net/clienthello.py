"""The first octets of a TLS connection: which name is asked for, which protocols are offered (RFC 8446 §4.1.2).

They are read before TLS begins, so that the right context can be chosen while we still may wait, refuse or log
(ARCHITECTURE.md). Nothing is believed of them; whatever is malformed is simply not known.
"""

from dataclasses import dataclass
from typing import Final

#: A ClientHello longer than this is none (post-quantum key shares make some 2 KiB of it).
HELLO_OCTETS: Final = 32 * 1024
_HANDSHAKE, _CLIENT_HELLO = 22, 1
_SERVER_NAME, _ALPN, _SUPPORTED_VERSIONS = 0, 16, 43


@dataclass(frozen=True, slots=True)
class Hello:
    """What a client says first."""

    #: Lower case, without a dot at the end; empty when none was sent.
    server_name: str = ""
    #: ALPN names as offered.
    protocols: tuple[bytes, ...] = ()
    #: Version numbers offered, 0x0304 being TLS 1.3.
    versions: tuple[int, ...] = ()


class NotTLS(Exception):
    """The octets do not begin a TLS handshake."""


def parse(octets: bytes) -> Hello | None:
    """The ClientHello; None while octets are missing. Raises NotTLS."""
    if octets[:1] and octets[0] != _HANDSHAKE:
        raise NotTLS("no TLS record")
    if len(octets) >= 3 and octets[1] != 3:
        raise NotTLS("no TLS record")
    message = bytearray()
    at = 0
    while len(octets) >= at + 5:
        if octets[at] != _HANDSHAKE:
            raise NotTLS("handshake interrupted")
        length = int.from_bytes(octets[at + 3 : at + 5], "big")
        message += octets[at + 5 : at + 5 + length]
        if len(octets) < at + 5 + length:
            break
        at += 5 + length
        if not length:
            raise NotTLS("empty record")
    if message[:1] and message[0] != _CLIENT_HELLO:
        raise NotTLS("no ClientHello")
    if len(message) < 4:
        _refuse_endless(octets)
        return None
    length = int.from_bytes(message[1:4], "big")
    if length > HELLO_OCTETS:
        raise NotTLS("ClientHello too long")
    if len(message) < 4 + length:
        _refuse_endless(octets)
        return None
    return _hello(bytes(message[4 : 4 + length]))


def _refuse_endless(octets: bytes) -> None:
    if len(octets) > HELLO_OCTETS + 4096:
        raise NotTLS("ClientHello too long")


def _hello(body: bytes) -> Hello:
    try:
        version = int.from_bytes(body[0:2], "big")
        at = 34
        at += 1 + body[at]
        at += 2 + int.from_bytes(body[at : at + 2], "big")
        at += 1 + body[at]
        end = at + 2 + int.from_bytes(body[at : at + 2], "big")
        at += 2
        name = ""
        protocols: tuple[bytes, ...] = ()
        versions: tuple[int, ...] = (version,)
        while at + 4 <= min(end, len(body)):
            kind = int.from_bytes(body[at : at + 2], "big")
            length = int.from_bytes(body[at + 2 : at + 4], "big")
            value = body[at + 4 : at + 4 + length]
            at += 4 + length
            if kind == _SERVER_NAME and len(value) >= 5 and value[2] == 0:
                size = int.from_bytes(value[3:5], "big")
                name = value[5 : 5 + size].decode("ascii", "replace").lower().rstrip(".")[:255]
            elif kind == _ALPN:
                protocols = _strings(value[2:])
            elif kind == _SUPPORTED_VERSIONS and value:
                offered = value[1 : 1 + value[0]]
                versions = tuple(int.from_bytes(offered[i : i + 2], "big") for i in range(0, len(offered) - 1, 2))
    except IndexError:
        return Hello()
    return Hello(name, protocols, versions)


def _strings(value: bytes) -> tuple[bytes, ...]:
    found: list[bytes] = []
    at = 0
    while at < len(value) and len(found) < 64:
        found.append(value[at + 1 : at + 1 + value[at]])
        at += 1 + value[at]
    return tuple(found)
