"""The first octets of a TLS connection: which name is asked for, which protocols are offered (RFC 8446 §4.1.2).

They are read before TLS begins, so that the right context can be chosen while we still may wait, refuse or log
(ARCHITECTURE.md). Nothing is believed of them; whatever is malformed inside is simply not known, and left to the TLS
library to answer with an alert. Extensions: RFC 6066 §3, RFC 7301 §3.1, RFC 5077 §3.2, RFC 8422 §5.1,
RFC 8446 §4.2.1, §4.2.3, §4.2.7 and §4.2.11.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

#: A ClientHello longer than this is none (post-quantum key shares make some 2 KiB of it).
HELLO_OCTETS: Final = 32 * 1024
#: Names of an ALPN list that are looked at.
_ALPN_NAMES: Final = 64
_HANDSHAKE, _CLIENT_HELLO = 22, 1
_SERVER_NAME, _ALPN, _SESSION_TICKET, _PRE_SHARED_KEY, _SUPPORTED_VERSIONS = 0, 16, 35, 41, 43
_SUPPORTED_GROUPS, _SIGNATURE_ALGORITHMS = 10, 13
_TLS13, _P256 = 0x0304, 23
#: Signatures with ECDSA: on P-256 in TLS 1.3 and 1.2, and those that older clients name besides (RFC 5246 §7.4.1.4.1).
_ECDSA_SIGNATURES: Final = frozenset({0x0403, 0x0503, 0x0603, 0x0303, 0x0203})
#: Cipher suites of TLS 1.2 and older whose certificate has an ECDSA key (RFC 8422 §6, RFC 5289 §3, RFC 7251 §2,
#: RFC 7905 §2), those that anybody still has.
_ECDSA_SUITES: Final = frozenset(
    {*range(0xC006, 0xC00B), *range(0xC023, 0xC025), *range(0xC02B, 0xC02D), *range(0xC0AC, 0xC0B0), 0xCCA9}
)


@dataclass(frozen=True, slots=True)
class Hello:
    """What a client says first."""

    #: Lower case, without a dot at the end; empty when none was sent.
    server_name: str = ""
    #: ALPN names as offered.
    protocols: tuple[bytes, ...] = ()
    #: Version numbers offered, 0x0304 being TLS 1.3; values that mean nothing (RFC 8701) may be among them.
    versions: tuple[int, ...] = ()
    #: Whether it can do with a certificate whose key is ECDSA on P-256.
    ecdsa: bool = True
    #: The session ticket it wants to resume with, the first of several; empty: none.
    ticket: bytes = b""


class NotTLS(Exception):
    """The octets do not begin a TLS handshake. `reason`: nottls, sslv2, eof or other."""

    def __init__(self, reason: str, octets: bytes) -> None:
        super().__init__(f"no TLS handshake: {reason}")
        self.reason, self.octets = reason, octets


class Source(Protocol):
    """A stream that octets come from."""

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Some octets; none at the end."""
        ...


class HelloReader:
    """Takes octets as they come, until the ClientHello is complete. Looks at each of them once."""

    def __init__(self) -> None:
        #: All octets so far.
        self.octets = bytearray()
        self._message = bytearray()
        self._at = 0

    def feed(self, octets: bytes | bytearray) -> Hello | None:
        """The hello; None while octets are missing. Raises NotTLS."""
        self.octets += octets
        taken = self.octets
        self._refuse_other_protocols()
        while len(taken) >= self._at + 5:
            start, length = self._at + 5, int.from_bytes(taken[self._at + 3 : self._at + 5], "big")
            if taken[self._at] != _HANDSHAKE or not 0 < length <= 0x4000:
                raise NotTLS("other", bytes(taken))
            if len(taken) < start + length:
                break
            self._message += taken[start : start + length]
            self._at = start + length
            if self._message[0] != _CLIENT_HELLO:
                raise NotTLS("other", bytes(taken))
            if len(self._message) >= 4:
                end = 4 + int.from_bytes(self._message[1:4], "big")
                if end > HELLO_OCTETS:
                    raise NotTLS("other", bytes(taken))
                if len(self._message) >= end:
                    return _hello(bytes(self._message[4:end]))
        if len(taken) > HELLO_OCTETS:
            raise NotTLS("other", bytes(taken))
        return None

    def _refuse_other_protocols(self) -> None:
        head = bytes(self.octets[:5])
        if not head or head[0] == _HANDSHAKE:
            if len(head) > 1 and head[1] != 3:
                raise NotTLS("nottls", bytes(self.octets))
        elif head[0] & 0x80:
            # SSL 2.0: a length of two octets with the high bit set, client-hello, the version (RFC 6101 appendix E).
            if len(head) < 5:
                return
            old = head[2] == _CLIENT_HELLO and (head[3] == 3 or head[3:] == b"\0\2")
            raise NotTLS("sslv2" if old else "nottls", bytes(self.octets))
        else:
            raise NotTLS("nottls", bytes(self.octets))


async def peek(stream: Source, initial: bytes = b"") -> tuple[bytes, Hello]:
    """Read a ClientHello: all octets taken, `initial` being the first of them, and what they say.

    Raises NotTLS, which has the octets, and what the stream raises. Limit the time around it.
    """
    reader = HelloReader()
    hello = reader.feed(initial)
    while hello is None:
        octets = await stream.receive_some(16_384)
        if not octets:
            raise NotTLS("eof", bytes(reader.octets))
        hello = reader.feed(octets)
    return bytes(reader.octets), hello


def parse(octets: bytes) -> Hello | None:
    """The ClientHello that begins `octets`; None while some are missing. Raises NotTLS. Who reads on uses a reader."""
    return HelloReader().feed(octets)


def _hello(body: bytes) -> Hello:
    """What a ClientHello says; `body` is the message without its header of four octets."""
    name = ""
    protocols: tuple[bytes, ...] = ()
    versions: tuple[int, ...] = (int.from_bytes(body[:2], "big"),)
    ticket = b""
    groups: tuple[int, ...] = ()
    signatures: tuple[int, ...] = ()
    for kind, value in _extensions(body):
        if kind == _SERVER_NAME:
            name = name or _server_name(value)
        elif kind == _ALPN:
            protocols = protocols or _strings(value)
        elif kind == _SUPPORTED_VERSIONS and value:
            versions = _numbers(value[1 : 1 + value[0]])
        elif kind == _SUPPORTED_GROUPS:
            groups = _numbers(value[2:])
        elif kind == _SIGNATURE_ALGORITHMS:
            signatures = _numbers(value[2:])
        elif kind == _SESSION_TICKET:
            ticket = ticket or value
        elif kind == _PRE_SHARED_KEY:
            ticket = value[4 : 4 + int.from_bytes(value[2:4], "big")]
    ecdsa = (
        (_TLS13 in versions or not _ECDSA_SUITES.isdisjoint(_suites(body)))
        and (not groups or _P256 in groups or _TLS13 in versions)
        and (not signatures or not _ECDSA_SIGNATURES.isdisjoint(signatures))
    )
    return Hello(name, protocols, versions, ecdsa, ticket)


def _suites(body: bytes) -> tuple[int, ...]:
    """The cipher suites of a ClientHello."""
    at = 2 + 32
    at += 1 + int.from_bytes(body[at : at + 1], "big")
    return _numbers(body[at + 2 : at + 2 + int.from_bytes(body[at : at + 2], "big")])


def _numbers(value: bytes) -> tuple[int, ...]:
    """Numbers of two octets."""
    return tuple(int.from_bytes(value[at : at + 2], "big") for at in range(0, len(value) - 1, 2))


def _extensions(body: bytes) -> Iterator[tuple[int, bytes]]:
    at = 2 + 32
    for octets in (1, 2, 1):  # session id, cipher suites, compression methods
        at += octets + int.from_bytes(body[at : at + octets], "big")
    end = min(len(body), at + 2 + int.from_bytes(body[at : at + 2], "big"))
    at += 2
    while at + 4 <= end:
        kind, length = int.from_bytes(body[at : at + 2], "big"), int.from_bytes(body[at + 2 : at + 4], "big")
        at += 4 + length
        if at <= end:
            yield kind, body[at - length : at]


def _server_name(value: bytes) -> str:
    """The first host name of the list; empty when it is none."""
    if len(value) < 5 or value[2] != 0:
        return ""
    name = value[5 : 5 + int.from_bytes(value[3:5], "big")]
    return name.decode("ascii").lower().removesuffix(".") if name.isascii() and len(name) <= 255 else ""


def _strings(value: bytes) -> tuple[bytes, ...]:
    found: list[bytes] = []
    at = 2
    while at < len(value) and len(found) < _ALPN_NAMES:
        end = at + 1 + value[at]
        if end == at + 1 or end > len(value):
            break
        found.append(value[at + 1 : end])
        at = end
    return tuple(found)
