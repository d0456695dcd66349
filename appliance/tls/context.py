"""TLS contexts: what we demand of a connection, made once for each certificate and purpose (ARCHITECTURE.md).

Certificates of peers are never checked by OpenSSL: clients are known by their keys, servers are judged after
the handshake by the policy of the delivery.
"""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL

from appliance.net import clientkey, ticketless
from appliance.net.tlsnames import cipher_suite

#: By their names in configuration and commands.
VERSIONS: Final = {
    "TLSv1.0": SSL.TLS1_VERSION,
    "TLSv1.1": SSL.TLS1_1_VERSION,
    "TLSv1.2": SSL.TLS1_2_VERSION,
    "TLSv1.3": SSL.TLS1_3_VERSION,
}


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate chain, our own certificate first, and its private key; PEM."""

    chain: bytes
    key: bytes

    @classmethod
    def load(cls, certificate_file: Path, key_file: Path) -> "KeyPair":
        """Read both files. Raises OSError."""
        return cls(certificate_file.read_bytes(), key_file.read_bytes())

    def names(self) -> frozenset[str]:
        """DNS names of the certificate, lower case; a wildcard as it stands."""
        certificate = x509.load_pem_x509_certificate(self.chain)
        try:
            names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            return frozenset()
        return frozenset(name.lower() for name in names.get_values_for_type(x509.DNSName))

    def key_type(self) -> str:
        """`ecdsa`, `rsa` or `other`."""
        key = x509.load_pem_x509_certificate(self.chain).public_key()
        if isinstance(key, rsa.RSAPublicKey):
            return "rsa"
        return "ecdsa" if isinstance(key, ec.EllipticCurvePublicKey) else "other"

    def expires(self) -> datetime:
        """When our own certificate ends."""
        return x509.load_pem_x509_certificate(self.chain).not_valid_after_utc


@dataclass(frozen=True, slots=True)
class Demands:
    """How a server's side speaks TLS."""

    min_version: str = "TLSv1.2"
    #: ALPN names we take, by preference; none: whatever was offered is ignored.
    protocols: tuple[bytes, ...] = ()
    #: Ask for a client certificate, without insisting.
    client_certificate: bool = False
    #: Let sessions be resumed, for so long. Without, there are two contexts, and no client certificates.
    tickets: bool = True
    ticket_seconds: int = 7 * 24 * 3600


def server_context(pair: KeyPair, demands: Demands) -> SSL.Context:
    """A context for accepted connections. Raises ValueError or SSL.Error when key and certificate do not fit."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(VERSIONS[demands.min_version])
    if demands.min_version in {"TLSv1.0", "TLSv1.1"}:
        context.set_cipher_list(b"DEFAULT:@SECLEVEL=0")
    _use(context, pair)
    context.set_options(SSL.OP_CIPHER_SERVER_PREFERENCE | SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
    # Without it a client that resumes with a verifying server is refused (ARCHITECTURE.md).
    context.set_session_id(b"moxpy")
    # What a client needs to resume lies in its ticket; sessions kept here would cost memory for each client.
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    if demands.tickets:
        context.set_timeout(demands.ticket_seconds)
    else:
        context.set_options(SSL.OP_NO_TICKET)  # Which is only heeded before TLS 1.3.
    if demands.client_certificate:
        clientkey.ask(context)
    if demands.protocols:
        ours = demands.protocols

        def choose(_: SSL.Connection, offered: list[bytes]) -> bytes | object:
            return next((name for name in ours if name in offered), SSL.NO_OVERLAPPING_PROTOCOLS)

        context.set_alpn_select_callback(choose)  # type: ignore[arg-type]
    return context


def ticketless_context(pair: KeyPair, demands: Demands) -> ssl.SSLContext:
    """A context for accepted connections of TLS 1.3 that get no tickets; `server_context` has the older versions.

    Raises ValueError when key and certificate do not fit.
    """
    any_strength = demands.min_version in {"TLSv1.0", "TLSv1.1"}
    return ticketless.context(pair.chain, pair.key, demands.protocols, any_strength=any_strength)


def client_context(
    *, min_version: str = "TLSv1.2", pair: KeyPair | None = None, any_strength: bool = False
) -> SSL.Context:
    """A context for connections we make; who the server is must be judged after the handshake.

    `pair` is shown to servers that ask for a certificate. `any_strength` for those to whom we would speak without TLS
    otherwise: weak keys are better than none (RFC 7435 §3).
    """
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(VERSIONS[min_version])
    if any_strength or min_version in {"TLSv1.0", "TLSv1.1"}:
        context.set_cipher_list(b"DEFAULT:@SECLEVEL=0")
    if pair is not None:
        _use(context, pair)
    context.set_verify(SSL.VERIFY_NONE)
    context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_RENEGOTIATION)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    return context


def restrict(
    context: SSL.Context, *, max_version: str = "", ciphers: Sequence[str] = (), curves: Sequence[str] = ()
) -> None:
    """Let a connection use no more than these, to find out what a server does; empty: no restriction.

    Cipher suites by the names of IANA or OpenSSL, curves by those of OpenSSL. Raises ValueError for unknown ones.
    """
    if max_version:
        context.set_max_proto_version(VERSIONS[max_version])
    if ciphers:
        names = {
            cipher_suite(name): name for name in SSL.Connection(client_context(any_strength=True)).get_cipher_list()
        }
        chosen = [names.get(name, name) for name in ciphers]
        old, new = ([one for one in chosen if one.startswith("TLS_") is new] for new in (False, True))
        try:
            # TLS 1.3 has a list of its own. What has none chosen is not spoken at all.
            if new:
                context.set_tls13_ciphersuites(":".join(new).encode())
            else:
                context.set_max_proto_version(SSL.TLS1_2_VERSION)
            if old:
                context.set_cipher_list(":".join([*old, "@SECLEVEL=0"]).encode())
            else:
                context.set_min_proto_version(SSL.TLS1_3_VERSION)
        except SSL.Error as error:
            raise ValueError(f"unknown cipher suite among {', '.join(ciphers)}") from error
    if curves:
        # pyOpenSSL has the function in its binding and no name for it (pinned in build/constraints.txt).
        raw: Any = context
        binding: Any = SSL
        if binding._lib.SSL_CTX_set1_curves_list(raw._context, ":".join(curves).encode()) != 1:
            binding._lib.ERR_clear_error()
            raise ValueError(f"unknown curve among {', '.join(curves)}")


def _use(context: SSL.Context, pair: KeyPair) -> None:
    chain = x509.load_pem_x509_certificates(pair.chain)
    context.use_certificate(chain[0])
    for issuer in chain[1:]:
        context.add_extra_chain_cert(issuer)
    context.use_privatekey(load_pem_private_key(pair.key, None))  # type: ignore[arg-type]
    context.check_privatekey()
