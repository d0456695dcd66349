"""TLS 1.3 for a server that gives no session tickets, by the standard library (ARCHITECTURE.md).

OpenSSL sends two tickets (RFC 8446 §4.6.1) unless it is told a number, and the function for that is not in pyOpenSSL's
binding; `ssl` has it. What `ssl` lacks, client certificates without an authority and channel bindings, is not for those
who deliver mail. Older versions stay with pyOpenSSL, which can do without tickets there.
"""

import os
import re
import ssl
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from OpenSSL import SSL

T = TypeVar("T")

_VERSIONS: Final = {"TLSv1.3": 0x0304}
#: `[SSL: NAME] text of OpenSSL (_ssl.c:1000)`.
_WORDING: Final = re.compile(r"(?:\[[^]]*\] )?(.*?)(?: \(_ssl\.c:\d+\))?", re.DOTALL)


def context(chain: bytes, key: bytes, protocols: Sequence[bytes] = (), *, any_strength: bool = False) -> ssl.SSLContext:
    """A context for accepted connections of TLS 1.3; certificate chain and key are PEM, `protocols` names of ALPN.

    `any_strength`: also with keys that OpenSSL thinks too weak. Raises ValueError when key and certificate do not fit.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.num_tickets = 0
    if any_strength:
        made.set_ciphers("DEFAULT:@SECLEVEL=0")
    with _file(chain.rstrip() + b"\n" + key) as path:
        try:
            made.load_cert_chain(path)
        except ssl.SSLError as error:
            raise ValueError("; ".join(_texts(error))) from error
    if protocols:
        made.set_alpn_protocols([name.decode("ascii") for name in protocols])
    return made


@contextmanager
def _file(octets: bytes) -> Iterator[str]:
    """A name for octets that are secret: `ssl` takes keys by the name of a file only. In memory where that can be."""
    if hasattr(os, "memfd_create") and os.path.exists("/proc/self/fd"):
        with os.fdopen(os.memfd_create("key"), "wb") as file:
            file.write(octets)
            file.flush()
            yield f"/proc/self/fd/{file.fileno()}"
    else:
        with tempfile.NamedTemporaryFile() as file:
            file.write(octets)
            file.flush()
            yield file.name


class TicketlessConnection:
    """One connection, with the names and errors of pyOpenSSL's `Connection`, as far as a server needs them."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._ssl = context.wrap_bio(self._in, self._out, server_side=True)

    def do_handshake(self) -> None:
        """Go on with the handshake. Raises SSL.Error."""
        _translated(self._ssl.do_handshake)

    def send(self, octets: bytes | memoryview) -> int:
        """Encrypt; how much was. Raises SSL.Error."""
        return _translated(lambda: self._ssl.write(octets))

    def recv(self, size: int) -> bytes:
        """Octets of the peer. Raises SSL.Error."""
        octets = _translated(lambda: self._ssl.read(size))
        if not octets:
            raise SSL.ZeroReturnError
        return octets

    def pending(self) -> int:
        """Octets that are decrypted and were not received yet."""
        return self._ssl.pending()

    def shutdown(self) -> bool:
        """Tell the peer that nothing more comes; whether it has said so, too. Raises SSL.Error."""
        _translated(self._ssl.unwrap)
        return True

    def bio_write(self, octets: bytes | bytearray) -> int:
        """Octets from the transport."""
        return self._in.write(octets)

    def bio_shutdown(self) -> None:
        """Nothing more comes from the transport."""
        self._in.write_eof()

    def bio_read(self, size: int) -> bytes:
        """Octets for the transport."""
        return self._out.read(size)

    @property
    def octets_in(self) -> int:
        """Octets from the transport that were not looked at yet."""
        return self._in.pending

    @property
    def octets_out(self) -> int:
        """Octets for the transport."""
        return self._out.pending

    def get_peer_certificate(self) -> None:
        """None was asked for."""
        return

    def get_protocol_version(self) -> int:
        """By its number."""
        return _VERSIONS.get(self._ssl.version() or "", 0)

    def get_cipher_name(self) -> str | None:
        """As OpenSSL names it."""
        cipher = self._ssl.cipher()
        return cipher and cipher[0]

    def get_alpn_proto_negotiated(self) -> bytes:
        """Empty when there is none."""
        return (self._ssl.selected_alpn_protocol() or "").encode("ascii")


def _translated(function: Callable[[], T]) -> T:
    """Call, and raise what pyOpenSSL would."""
    try:
        return function()
    except ssl.SSLWantReadError as error:
        raise SSL.WantReadError from error
    except ssl.SSLZeroReturnError as error:
        raise SSL.ZeroReturnError from error
    except ssl.SSLError as error:
        raise SSL.Error([("", "", text) for text in _texts(error)]) from error


def _texts(error: ssl.SSLError) -> list[str]:
    """OpenSSL's own words."""
    words: Any = error.strerror or error
    match = _WORDING.fullmatch(str(words))
    return [match[1] if match else str(words)]
