"""Clients known by the key of their certificate, judged while the handshake goes on: the wrong ones get an alert.

Only the public key counts: names, dates and issuers of the certificate mean nothing here.
Our judge is asked for every connection, also for a resumed one, whose certificate comes out of its session.
"""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from OpenSSL import SSL, crypto

# pyOpenSSL's own callback can refuse a certificate but not say why, so that the peer hears of an internal error; and
# resumed sessions never come to it. The functions to do better are in its binding (pinned in build/constraints.txt).
_binding: Any = SSL
_lib, _ffi = _binding._lib, _binding._ffi

BAD_CERTIFICATE: Final = 42
#: RFC 6066 §3 in the words of OpenSSL.
_ALERT_FATAL, _OK = 2, 0

#: Whether a client may come in with a key, given as the SHA-256 of its SubjectPublicKeyInfo (DER). Called
#: in the event loop, in the midst of a handshake.
Judge = Callable[[bytes], bool]


#: What cryptography raises for certificates and keys that it cannot read.
UNREADABLE: Final = (ValueError, x509.InvalidVersion, UnsupportedAlgorithm)


def digest(certificate: x509.Certificate) -> bytes:
    """SHA-256 of the SubjectPublicKeyInfo. Raises one of UNREADABLE."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(key).digest()


def spell(digest: bytes) -> str:
    """A digest as people write it: base64url without padding."""
    return urlsafe_b64encode(digest).decode().rstrip("=")


def key_of(certificate: crypto.X509) -> bytes | None:
    """The digest of a certificate as a peer has sent it; None when it cannot be read."""
    try:
        return digest(certificate.to_cryptography())
    except UNREADABLE:
        return None


class Candidate:
    """The client of one connection, whoever it is."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        #: The verdict; None while there is no certificate.
        self.admitted: bool | None = None
        #: What the judge raised; the handshake has failed then.
        self.bug: Exception | None = None

    def judge(self, certificate: crypto.X509) -> bool:
        """Ask once for each connection: OpenSSL asks once for each fault of the certificate."""
        if self.admitted is None:
            self.admitted = False
            key = key_of(certificate)
            if key is None:
                return False
            try:
                self.admitted = self._judge(key)
            except Exception as error:
                self.bug = error
        return self.admitted


def _candidate(connection: SSL.Connection) -> Candidate | None:
    found = connection.get_app_data()
    return found if isinstance(found, Candidate) else None


@_ffi.callback("int (*)(int, X509_STORE_CTX *)", error=0)  # type: ignore[untyped-decorator]
def _verify(_: int, store: Any) -> int:
    if _lib.X509_STORE_CTX_get_error_depth(store) == 0:
        ssl = _lib.X509_STORE_CTX_get_ex_data(store, _lib.SSL_get_ex_data_X509_STORE_CTX_idx())
        candidate = _candidate(_binding.Connection._reverse_mapping[ssl])
        if candidate is not None:
            raw = _lib.X509_STORE_CTX_get_current_cert(store)
            _lib.X509_up_ref(raw)
            if not candidate.judge(crypto.X509._from_raw_x509_ptr(raw)):
                # OpenSSL's word for it, which it tells the peer as bad_certificate (RFC 8446 §6.2).
                _lib.X509_STORE_CTX_set_error(store, _lib.X509_V_ERR_CERT_REJECTED)
                return 0
    _lib.X509_STORE_CTX_set_error(store, _lib.X509_V_OK)
    return 1


@_ffi.callback("int (*)(SSL *, int *, void *)", error=_ALERT_FATAL)  # type: ignore[untyped-decorator]
def _hello(ssl: Any, alert: Any, _: Any) -> int:
    """Called for every ClientHello, whether it names a server or not, once it is known what session it resumes."""
    alert[0] = BAD_CERTIFICATE
    if _lib.SSL_session_reused(ssl):
        connection = _binding.Connection._reverse_mapping[ssl]
        candidate = _candidate(connection)
        certificate = connection.get_peer_certificate()
        if candidate is not None and certificate is not None and not candidate.judge(certificate):
            return _ALERT_FATAL
    return _OK


def ask(context: SSL.Context) -> None:
    """Let connections of a context ask for a certificate, without insisting; a `Candidate` decides over it.

    A connection without a candidate takes any certificate.
    """
    raw: Any = context
    _lib.SSL_CTX_set_verify(raw._context, SSL.VERIFY_PEER | SSL.VERIFY_CLIENT_ONCE, _verify)
    _lib.SSL_CTX_set_tlsext_servername_callback(raw._context, _hello)
