"""The PROXY protocol, versions 1 and 2: a proxy in front of us says first whose connection it brings.

HAProxy's `proxy-protocol.txt`. Octets in, header out; who may speak it, and how long we wait, is `listen`'s business.
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

from appliance.net.limiter import Address

#: A header of version 2 with all it carries beside addresses; a longer one is refused. Version 1 says 107 itself.
HEADER_OCTETS: Final = 4096
_LINE_OCTETS: Final = 107
_SIGNATURE: Final = b"\r\n\r\n\x00\r\nQUIT\n"
_WORD: Final = b"PROXY "
_LINE: Final = re.compile(
    rb"PROXY (TCP4|TCP6) ([0-9a-fA-F.:]+) ([0-9a-fA-F.:]+) (0|[1-9][0-9]{0,4}) (0|[1-9][0-9]{0,4})"
)
#: Command of version 2.
_LOCAL, _PROXY = 0, 1
#: Family and transport of version 2: TCP over IPv4, TCP over IPv6.
_TCP4, _TCP6 = 0x11, 0x21
#: The families and transports that exist.
_FAMILIES, _TRANSPORTS = range(4), range(3)


@dataclass(frozen=True, slots=True)
class Ends:
    """The connection that the proxy brings."""

    remote: Address
    remote_port: int
    local: Address
    local_port: int


@dataclass(frozen=True, slots=True)
class Header:
    """What the proxy said."""

    #: None: the proxy speaks for itself (a health check), or of something that is not TCP.
    ends: Ends | None
    #: How many octets it took; those behind it are the client's.
    octets: int


class Malformed(Exception):
    """No PROXY header."""


def parse(octets: bytes) -> Header | None:
    """The header that begins `octets`; None while some are missing. Raises Malformed."""
    if octets.startswith(_WORD):
        return _version_1(octets)
    if octets.startswith(_SIGNATURE):
        return _version_2(octets)
    if _WORD.startswith(octets) or _SIGNATURE.startswith(octets):
        return None
    raise Malformed("no PROXY header")


def _version_1(octets: bytes) -> Header | None:
    end = octets.find(b"\r\n", 0, _LINE_OCTETS)
    if end < 0:
        if len(octets) >= _LINE_OCTETS:
            raise Malformed("PROXY line without an end")
        return None
    line, size = octets[:end], end + 2
    if line == b"PROXY UNKNOWN" or line.startswith(b"PROXY UNKNOWN "):
        return Header(None, size)  # Whatever else it says is to be ignored.
    match = _LINE.fullmatch(line)
    if match is None:
        raise Malformed("PROXY line cannot be read")
    family: type[Address] = ipaddress.IPv4Address if match[1] == b"TCP4" else ipaddress.IPv6Address
    try:
        remote, local = family(match[2].decode()), family(match[3].decode())
    except ValueError as error:
        raise Malformed("PROXY line has a wrong address") from error
    ports = int(match[4]), int(match[5])
    if max(ports) > 0xFFFF:
        raise Malformed("PROXY line has a wrong port")
    return Header(Ends(_plain(remote), ports[0], _plain(local), ports[1]), size)


def _version_2(octets: bytes) -> Header | None:
    if len(octets) < 16:
        return None
    version, command = octets[12] >> 4, octets[12] & 15
    if version != 2 or command not in {_LOCAL, _PROXY}:
        raise Malformed("PROXY header of an unknown version or command")
    if octets[13] >> 4 not in _FAMILIES or octets[13] & 15 not in _TRANSPORTS:
        raise Malformed("PROXY header of an unknown family")
    size = 16 + int.from_bytes(octets[14:16], "big")
    if size > HEADER_OCTETS:
        raise Malformed("PROXY header too long")
    if len(octets) < size:
        return None
    if command == _LOCAL or octets[13] not in {_TCP4, _TCP6}:
        return Header(None, size)
    width = 4 if octets[13] == _TCP4 else 16
    body = octets[16:size]
    if len(body) < 2 * width + 4:
        raise Malformed("PROXY header too short for its addresses")
    # What follows the addresses (TLVs) may be of use to others.
    ports = body[2 * width : 2 * width + 4]
    return Header(
        Ends(
            _plain(ipaddress.ip_address(body[:width])),
            int.from_bytes(ports[:2], "big"),
            _plain(ipaddress.ip_address(body[width : 2 * width])),
            int.from_bytes(ports[2:], "big"),
        ),
        size,
    )


def _plain(address: Address) -> Address:
    """IPv4 mapped into IPv6 is IPv4, as with addresses of sockets."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
