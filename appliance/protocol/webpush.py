"""Messages for push services, encrypted so that only the subscriber can read them (RFC 8291, RFC 8188)."""

import base64
import hmac
import struct
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

AUTH_OCTETS: Final = 16
SALT_OCTETS: Final = 16
_POINT_OCTETS: Final = 65
#: One record has it all (RFC 8291 §4).
_RECORD_OCTETS: Final = 4096
#: Of what is encrypted: a record with its delimiter and tag.
MOST_OCTETS: Final = _RECORD_OCTETS - 17


def parse_key(text: str) -> bytes:
    """A `p256dh`: a point of P-256, uncompressed, in URL-safe base64. Raises ValueError."""
    octets = _decode(text)
    if len(octets) != _POINT_OCTETS:
        raise ValueError("not an uncompressed point of P-256")
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), octets)
    except UnsupportedAlgorithm as error:  # pragma: no cover, every library has P-256.
        raise ValueError(str(error)) from error
    return octets


def parse_auth(text: str) -> bytes:
    """An `auth`: sixteen octets. Raises ValueError."""
    octets = _decode(text)
    if len(octets) != AUTH_OCTETS:
        raise ValueError(f"not {AUTH_OCTETS} octets")
    return octets


def _decode(text: str) -> bytes:
    if not text.isascii() or len(text) > 200 or "+" in text or "/" in text:
        raise ValueError("not URL-safe base64")
    bare = text.rstrip("=")
    return base64.b64decode(bare + "=" * (-len(bare) % 4), altchars=b"-_", validate=True)


def encrypt(plain: bytes, *, key: bytes, auth: bytes, salt: bytes, private: ec.EllipticCurvePrivateKey) -> bytes:
    """A body with the content coding `aes128gcm`; `private` is used for this one alone.

    Raises ValueError when it is too long.
    """
    if len(plain) > MOST_OCTETS:
        raise ValueError(f"at most {MOST_OCTETS} octets")
    there = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key)
    here = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    # RFC 8291 §3.4
    prk = hmac.digest(auth, private.exchange(ec.ECDH(), there), "sha256")
    material = hmac.digest(prk, b"WebPush: info\0" + key + here + b"\x01", "sha256")
    # RFC 8188 §2.2, §2.3
    prk = hmac.digest(salt, material, "sha256")
    cipher = AESGCM(hmac.digest(prk, b"Content-Encoding: aes128gcm\0\x01", "sha256")[:16])
    nonce = hmac.digest(prk, b"Content-Encoding: nonce\0\x01", "sha256")[:12]
    head = salt + struct.pack(">IB", _RECORD_OCTETS, len(here)) + here
    return head + cipher.encrypt(nonce, plain + b"\x02", None)
