"""Signed requests of ACME: JSON Web Signatures in their flattened form (RFC 7515 §7.2.2), and the keys that make them.

Of JOSE only what RFC 8555 §6.2 needs: ES256 and RS256 with a key pair, HS256 for external accounts.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

#: Keys of accounts. We make the first kind; the second may come from another program.
AccountKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

#: Of each of the two numbers of an ES256 signature (RFC 7518 §3.4).
_P256_OCTETS: Final = 32


def encode(octets: bytes) -> str:
    """Base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def is_fit(key: object) -> bool:
    """Whether a private key can be that of an account: P-256, or RSA of 2048 bits or more."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return isinstance(key.curve, ec.SECP256R1)
    return isinstance(key, rsa.RSAPrivateKey) and key.key_size >= 2048


def public_jwk(key: AccountKey) -> dict[str, str]:
    """The public key as JSON Web Key, with the members that count, in their order (RFC 7638 §3.2)."""
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.public_key().public_numbers()
        return {"e": encode(_octets(numbers.e)), "kty": "RSA", "n": encode(_octets(numbers.n))}
    point = key.public_key().public_numbers()
    x, y = (number.to_bytes(_P256_OCTETS, "big") for number in (point.x, point.y))
    return {"crv": "P-256", "kty": "EC", "x": encode(x), "y": encode(y)}


def thumbprint(key: AccountKey) -> str:
    """RFC 7638 §3.1."""
    return encode(hashlib.sha256(_json(public_jwk(key))).digest())


def key_authorization(key: AccountKey, token: str) -> str:
    """What answers a challenge (RFC 8555 §8.1)."""
    return f"{token}.{thumbprint(key)}"


def signed(key: AccountKey, payload: object, *, url: str, nonce: str, account: str) -> bytes:
    """A request (RFC 8555 §6.2). `payload`: None for POST-as-GET (§6.3); `account`: empty when it has no URL yet."""
    header: dict[str, Any] = {"alg": "RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256"}
    header |= {"kid": account} if account else {"jwk": public_jwk(key)}
    header |= {"nonce": nonce, "url": url}
    signing_input, flattened = _prepared(header, b"" if payload is None else _json(payload))
    return _json({**flattened, "signature": encode(_sign(key, signing_input))})


def external_binding(key: AccountKey, *, key_id: str, mac_key: bytes, url: str) -> dict[str, str]:
    """Ties a new account to one that the authority knows already (RFC 8555 §7.3.4). `url`: of newAccount."""
    header = {"alg": "HS256", "kid": key_id, "url": url}
    signing_input, flattened = _prepared(header, _json(public_jwk(key)))
    mac = hmac.HMAC(mac_key, hashes.SHA256())
    mac.update(signing_input)
    return {**flattened, "signature": encode(mac.finalize())}


def _prepared(header: Mapping[str, Any], payload: bytes) -> tuple[bytes, dict[str, str]]:
    protected, body = encode(_json(header)), encode(payload)
    return f"{protected}.{body}".encode(), {"protected": protected, "payload": body}


def _sign(key: AccountKey, octets: bytes) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(octets, padding.PKCS1v15(), hashes.SHA256())
    r, s = decode_dss_signature(key.sign(octets, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(_P256_OCTETS, "big") + s.to_bytes(_P256_OCTETS, "big")


def _octets(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
