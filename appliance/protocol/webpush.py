"""Messages for push services: encrypted so that only the subscriber can read them (RFC 8291, RFC 8188), and signed by
who sends them (VAPID, RFC 8292).
"""

import base64
import hmac
import json
import struct
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

AUTH_OCTETS: Final = 16
SALT_OCTETS: Final = 16
_POINT_OCTETS: Final = 65
#: One record has it all (RFC 8291 §4).
_RECORD_OCTETS: Final = 4096
#: Of what is encrypted: no push service need take more than 4096 octets (RFC 8030 §7.2), of which the header, the
#: delimiter and the tag are some (RFC 8291 §4).
MOST_OCTETS: Final = 4096 - (SALT_OCTETS + 5 + _POINT_OCTETS) - 17
#: What an application key is derived from.
SECRET_OCTETS: Final = 48
#: The order of P-256 (FIPS 186).
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


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


def application_key(secret: bytes) -> ec.EllipticCurvePrivateKey:
    """The key that `SECRET_OCTETS` random octets stand for."""
    return ec.derive_private_key(int.from_bytes(secret, "big") % (_ORDER - 1) + 1, ec.SECP256R1())


def public_text(key: ec.EllipticCurvePrivateKey) -> str:
    """The public half of a key as push services and browsers have it: an uncompressed point in URL-safe base64."""
    return _encode(key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))


def authorization(key: ec.EllipticCurvePrivateKey, *, origin: str, contact: str, expires: int) -> str:
    """The field Authorization of a POST to a push service (RFC 8292 §3).

    `origin`: of the URL; `contact`: a URI of who is responsible; `expires`: seconds since 1970, a day ahead at most.
    """
    claims = json.dumps({"aud": origin, "exp": expires, "sub": contact}, separators=(",", ":"))
    signed = f"{_HEADER}.{_encode(claims.encode())}"
    # RFC 7518 §3.4: both numbers, 32 octets each.
    r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(SHA256())))
    token = f"{signed}.{_encode(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"
    return f"vapid t={token},k={public_text(key)}"


def _encode(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")


_HEADER: Final = _encode(json.dumps({"typ": "JWT", "alg": "ES256"}, separators=(",", ":")).encode())
