"""TLS over any stream, both roles, with what mail needs of it and the standard library lacks (ARCHITECTURE.md).

Client certificates without a CA, channel bindings, contexts chosen after the ClientHello was read. pyOpenSSL works on
memory; we carry octets between it and the transport. Sending and receiving may go on at once in two tasks. For servers
that give no session tickets the standard library stands in (`net/ticketless.py`).
"""

import hashlib
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import trio
from OpenSSL import SSL, crypto

from appliance.net import clientkey
from appliance.net.socketstream import SocketStream
from appliance.net.ticketless import TicketlessConnection
from appliance.net.tlsnames import cipher_suite, failure_reason

T = TypeVar("T")

#: What a connection is made of.
Context = SSL.Context | ssl.SSLContext

_TLS13: Final = 0x0304
_VERSIONS: Final = {0x0301: "TLS1.0", 0x0302: "TLS1.1", 0x0303: "TLS1.2", 0x0304: "TLS1.3"}
#: Octets carried at once, and encrypted at once: eight records.
_CARRY, _BATCH = 65_536, 131_072
#: What one record holds (RFC 8446 §5.1).
_RECORD: Final = 16_384
#: A dying connection is told why, but not for long.
_ALERT_SECONDS: Final = 2


class TLSHandshakeError(Exception):
    """The handshake failed; `reason` is one of eof, sslv2, unsupportedversions, nottls, alert-<n>-<name>, other."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class ClientRefused(TLSHandshakeError):
    """The client's key was not admitted, and it was told so."""


@dataclass(frozen=True, slots=True)
class TLSInfo:
    """What was agreed on."""

    #: "TLS1.3" and so on.
    version: str
    #: IANA's name.
    cipher: str
    #: ALPN; empty when none.
    protocol: str
    #: SHA-256 of the peer's SubjectPublicKeyInfo; None without a certificate, or with a key we cannot read.
    peer_key: bytes | None


def reasons(error: SSL.Error) -> list[str]:
    """What OpenSSL says of an error."""
    queue = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return [str(entry[-1]) for entry in queue]


class TLSStream(trio.abc.Stream):
    """TLS over a transport. Call `do_handshake` first; it sets `info`."""

    info: TLSInfo

    def __init__(
        self,
        transport: trio.abc.Stream,
        context: Context,
        *,
        server_side: bool,
        server_name: str | None = None,
        protocols: list[bytes] | None = None,
        initial: bytes = b"",
        judge: clientkey.Judge | None = None,
    ) -> None:
        """`initial`: octets of the peer's that were read already. `protocols`: ALPN names to offer as a client.

        `judge` decides over the key of a client; without it any will do. A context of `ssl` is for servers only.
        """
        self.transport_stream = transport
        self._candidate = None if judge is None else clientkey.Candidate(judge)
        self._server_side = server_side
        self._engine: SSL.Connection | TicketlessConnection
        if isinstance(context, ssl.SSLContext):
            self._engine = TicketlessConnection(context)
        else:
            self._engine = connection = SSL.Connection(context, None)
            connection.set_app_data(self._candidate)
            if server_side:
                connection.set_accept_state()
            else:
                connection.set_connect_state()
                if server_name:
                    connection.set_tlsext_host_name(server_name.encode("ascii"))
                if protocols:
                    connection.set_alpn_protos(protocols)
        if initial:
            self._engine.bio_write(initial)
        self._send_lock = trio.StrictFIFOLock()
        self._receive_lock = trio.StrictFIFOLock()
        self._received = 0
        #: Drained from OpenSSL, not yet given to the transport. A sender that is cancelled while it waits for its turn
        #: leaves its records here, or those after them would make no sense to the peer.
        self._outgoing = bytearray()
        self._handshaken = False
        self._at_end = False
        #: A send did not come to its end (cancelled, failed): what would follow it is no record.
        self._cut = False

    @property
    def connection(self) -> SSL.Connection:
        """pyOpenSSL's, for what a context of `ssl` has nothing for."""
        if isinstance(self._engine, TicketlessConnection):
            raise TypeError("not pyOpenSSL's")
        return self._engine

    async def do_handshake(self) -> None:
        """Agree on keys. Raises TLSHandshakeError."""
        try:
            await self._retry(self._engine.do_handshake, handshake=True)
        except SSL.ZeroReturnError as error:
            raise TLSHandshakeError("eof", "closed during handshake") from error
        except SSL.Error as error:
            candidate = self._candidate
            if candidate is not None and candidate.bug is not None:
                raise candidate.bug from error
            if candidate is not None and candidate.admitted is False:
                raise ClientRefused("other", "the client's key is not accepted") from error
            texts = reasons(error)
            raise TLSHandshakeError(failure_reason(texts), "; ".join(texts) or "handshake failed") from error
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise TLSHandshakeError("eof", "connection lost during handshake") from error
        certificate = self._engine.get_peer_certificate()
        if certificate is not None and self._candidate is not None and self._candidate.admitted is None:
            raise ClientRefused("other", "nobody has judged the client's key")
        self._handshaken = True
        protocol = self._engine.get_alpn_proto_negotiated()
        self.info = TLSInfo(
            version=_VERSIONS.get(self._engine.get_protocol_version(), "unknown"),
            cipher=cipher_suite(self._engine.get_cipher_name() or ""),
            protocol=protocol.decode("ascii", "replace"),
            peer_key=None if certificate is None else clientkey.key_of(certificate),
        )

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt and send everything."""
        view = memoryview(data)
        at = 0

        def batch() -> None:
            # OpenSSL takes one record at a time (ARCHITECTURE.md).
            nonlocal at
            end = min(len(view), at + _BATCH)
            while at < end:
                at += self._engine.send(view[at:end])

        while at < len(view):
            before = at
            await self._checked(batch)
            if at == before:
                raise trio.BrokenResourceError("the peer has ended TLS")
        if not view:
            await self._send(b"")

    def send_now(self, data: bytes) -> int:
        """Encrypt what one record holds, and send what the kernel takes of it without waiting; how much was encrypted.

        `has_unsent` tells whether octets of it are left, which go with the next `send_all`, of nothing if need be. What
        is larger, or not to be sent now, is left to that altogether. Raises trio.BrokenResourceError.
        """
        transport = self.transport_stream
        if not 0 < len(data) <= _RECORD or not isinstance(transport, SocketStream):
            return 0
        if self._cut or self._send_lock.locked():
            return 0
        try:
            encrypted = self._engine.send(data)
        except SSL.Error:
            return 0  # It has an end that `send_all` meets, too, or needs octets of the peer.
        self._outgoing += self._drain()
        del self._outgoing[: transport.send_now(self._outgoing)]
        return encrypted

    @property
    def has_unsent(self) -> bool:
        """Whether encrypted octets wait for the next `send_all`."""
        return bool(self._outgoing)

    async def wait_send_all_might_not_block(self) -> None:
        """As the transport's."""
        await self.transport_stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Octets of the peer, at least one; none at the end."""
        size, before = max_bytes or _CARRY, self._received
        try:
            if not self._at_end and not self._has_input():
                await self._receive(before)  # OpenSSL would only tell us to.
            octets = await self._checked(lambda: self._engine.recv(size))
            if octets is None:
                self._at_end = True
            if self._received == before:
                await trio.lowlevel.checkpoint()
            return octets or b""
        except trio.BrokenResourceError as error:
            # Lenient: many programs close without a word. Our protocols know their own ends.
            if self._at_end and not isinstance(error.__cause__, OSError):
                return b""
            raise

    async def _checked(self, function: Callable[[], T]) -> T | None:
        try:
            return await self._retry(function)
        except SSL.ZeroReturnError:
            return None
        except SSL.Error as error:
            raise trio.BrokenResourceError("TLS failed") from error

    def _drain(self) -> bytes:
        """What OpenSSL wants sent."""
        engine = self._engine
        size = engine.octets_out if isinstance(engine, TicketlessConnection) else _octets_in(engine, "_from_ssl")
        return engine.bio_read(size) if size else b""

    def _has_input(self) -> bool:
        """Whether OpenSSL has octets of the peer that it has not looked at, or not given us yet."""
        engine = self._engine
        size = engine.octets_in if isinstance(engine, TicketlessConnection) else _octets_in(engine, "_into_ssl")
        return bool(size or engine.pending())

    async def _retry(self, function: Callable[[], T], *, handshake: bool = False) -> T | None:
        """Call until done, carrying octets out and in. Raises SSL.Error."""
        while True:
            wants = False
            value: T | None = None
            before = self._received
            try:
                value = function()
            except SSL.WantReadError:
                wants = True
            except SSL.ZeroReturnError:
                raise
            except SSL.Error:
                with trio.move_on_after(_ALERT_SECONDS), suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                    await self._send(self._drain())
                raise
            out = self._drain()
            if handshake and not wants and self._server_side and self._engine.get_protocol_version() == _TLS13:
                # Tickets go with our first octets: a client that sends and leaves never reads them (as trio does).
                self._outgoing += out
                out = b""
            if out:
                await self._send(out)
                if not wants:
                    return value
            elif not wants:
                return value
            else:
                await self._receive(before)

    async def _send(self, octets: bytes) -> None:
        self._outgoing += octets
        await _take(self._send_lock)
        try:
            if not self._outgoing:
                return
            if self._cut:
                raise trio.BrokenResourceError("an earlier record was sent in part")
            whole, self._outgoing = self._outgoing, bytearray()
            self._cut = True
            await self.transport_stream.send_all(whole)
            self._cut = False
        finally:
            self._send_lock.release()

    async def _receive(self, before: int) -> None:
        await _take(self._receive_lock)
        try:
            if self._received != before:
                return  # Another task has brought something meanwhile.
            octets = await self.transport_stream.receive_some(_CARRY)
            self._received += 1
            if octets:
                self._engine.bio_write(octets)
            else:
                self._at_end = True
                self._engine.bio_shutdown()
                if not self._handshaken:
                    raise trio.BrokenResourceError("closed during handshake")
        finally:
            self._receive_lock.release()

    async def aclose(self) -> None:
        """Close the transport; the notification is left with the kernel if it takes it, nothing waits."""
        try:
            with suppress(SSL.Error):
                self._engine.shutdown()
            if not self._cut and isinstance(self.transport_stream, SocketStream):
                with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                    self.transport_stream.send_now(bytes(self._outgoing) + self._drain())
        finally:
            await trio.aclose_forcefully(self.transport_stream)

    def peer_chain(self) -> tuple[bytes, ...]:
        """The certificates that the peer sent, its own first; DER, as they came. None of them was checked."""
        chain = self.connection.get_peer_cert_chain() or []
        return tuple(crypto.dump_certificate(crypto.FILETYPE_ASN1, one) for one in chain)

    def exporter(self) -> bytes | None:
        """Channel binding tls-exporter; TLS 1.3 only (RFC 9266 §2)."""
        if isinstance(self._engine, TicketlessConnection) or self._engine.get_protocol_version() != _TLS13:
            return None
        return self.connection.export_keying_material(b"EXPORTER-Channel-Binding", 32, b"")

    def unique(self) -> bytes | None:
        """Channel binding tls-unique: the first Finished; TLS 1.2 and older only (RFC 5929 §3, RFC 9266 §1)."""
        if self._engine.get_protocol_version() == _TLS13:
            return None
        # The client speaks first, but the server does when a session is resumed.
        peers = self._server_side != _is_resumed(self.connection)
        return (self.connection.get_peer_finished() if peers else self.connection.get_finished()) or None

    def server_end_point(self) -> bytes | None:
        """Channel binding tls-server-end-point: the digest of the server's certificate (RFC 5929 §4.1)."""
        from cryptography.hazmat.primitives.serialization import Encoding

        if isinstance(self._engine, TicketlessConnection):
            return None
        if self._server_side:
            certificate: Any = self.connection.get_certificate(as_cryptography=True)
        else:
            certificate = self.connection.get_peer_certificate(as_cryptography=True)
        if certificate is None:
            return None
        algorithm = certificate.signature_hash_algorithm
        name = "sha256" if algorithm is None or algorithm.name in {"md5", "sha1"} else algorithm.name
        return hashlib.new(name, certificate.public_bytes(Encoding.DER)).digest()


async def _take(lock: trio.StrictFIFOLock) -> None:
    """Acquire a lock; at once if it is free, without the turn of the event loop that trio has for that.

    What is done with it waits anyhow, and so has one.
    """
    await trio.lowlevel.checkpoint_if_cancelled()
    try:
        lock.acquire_nowait()
    except trio.WouldBlock:
        await lock.acquire()


def _octets_in(connection: SSL.Connection, memory: str) -> int:
    """How much lies in memory on one side of OpenSSL. pyOpenSSL has the function and no name for it.

    To read there until nothing is left means an exception each time, which costs more than a line's encryption.
    """
    private: Any = SSL
    return int(private._lib.BIO_get_mem_data(getattr(connection, memory), private._ffi.NULL))


def _is_resumed(connection: SSL.Connection) -> bool:
    """Whether the handshake was an abbreviated one. pyOpenSSL has the function and no name for it."""
    private: Any = SSL
    return bool(private._lib.SSL_session_reused(connection._ssl))


def send_now(stream: trio.abc.Stream, octets: bytes) -> bytes | None:
    """Send what the kernel takes without waiting, with or without TLS; what is left for `send_all`, None when all went.

    That is the usual case: then nothing has to be timed. Raises trio.BrokenResourceError, trio.ClosedResourceError.
    """
    if isinstance(stream, SocketStream):
        return octets[stream.send_now(octets) :] or None
    if isinstance(stream, TLSStream):
        octets = octets[stream.send_now(octets) :]
        return octets if octets or stream.has_unsent else None
    return octets


async def close_at_once(stream: trio.abc.Stream) -> None:
    """Close a stream, with or without TLS, without waiting for anybody."""
    with trio.CancelScope(shield=True), suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        if isinstance(stream, TLSStream):
            await stream.aclose()
        else:
            await trio.aclose_forcefully(stream)
