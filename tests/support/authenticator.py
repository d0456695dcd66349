"""An authenticator with a browser before it: makes passkeys and answers challenges, rightly or as a test wants it."""

import base64
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

UP, UV, BE, BS, AT, ED = 0x01, 0x04, 0x08, 0x10, 0x40, 0x80


def text(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def octets(value: str) -> bytes:
    return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))


def cbor(value: Any) -> bytes:
    """As CTAP2 writes it, keys in the order they come."""

    def head(major: int, number: int) -> bytes:
        if number < 24:
            return bytes([major << 5 | number])
        size = next(size for size in (1, 2, 4, 8) if number < 1 << 8 * size)
        return bytes([major << 5 | 24 + size.bit_length() - 1]) + number.to_bytes(size, "big")

    match value:
        case bool() | None:
            return {False: b"\xf4", True: b"\xf5", None: b"\xf6"}[value]
        case int():
            return head(0, value) if value >= 0 else head(1, -1 - value)
        case bytes():
            return head(2, len(value)) + value
        case str():
            return head(3, len(value.encode())) + value.encode()
        case list():
            return head(4, len(value)) + b"".join(map(cbor, value))
        case dict():
            return head(5, len(value)) + b"".join(cbor(key) + cbor(one) for key, one in value.items())
    raise TypeError(type(value))


def _numbers(key: Any) -> dict[int, Any]:
    """A public key as COSE has it."""
    match key:
        case ec.EllipticCurvePrivateKey():
            point = key.public_key().public_numbers()
            return {1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")}
        case ed25519.Ed25519PrivateKey():
            return {1: 1, 3: -8, -1: 6, -2: key.public_key().public_bytes_raw()}
    found = key.public_key().public_numbers()
    return {1: 3, 3: -257, -1: found.n.to_bytes(256, "big"), -2: found.e.to_bytes(3, "big")}


def new_key(algorithm: int) -> Any:
    if algorithm == -7:
        return ec.generate_private_key(ec.SECP256R1())
    return ed25519.Ed25519PrivateKey.generate() if algorithm == -8 else rsa.generate_private_key(65537, 2048)


@dataclass
class Authenticator:
    """It has one passkey, or none yet."""

    origin: str = "https://mail.example"
    algorithm: int = -7
    #: None: it counts nothing.
    count: int | None = None
    flags: int = UP | UV
    key: Any = None
    credential: bytes = b"credential number one"
    relying_party: str = ""
    handle: bytes = b""
    #: In place of what is right.
    client: dict[str, Any] = field(default_factory=dict)

    def _client_data(self, type: str, challenge: str) -> bytes:
        said = {"type": type, "challenge": challenge, "origin": self.origin, "crossOrigin": False, **self.client}
        return json.dumps(said).encode()

    def _data(self, flags: int, more: bytes = b"") -> bytes:
        if self.count is not None:
            self.count += 1
        owner = hashlib.sha256(self.relying_party.encode()).digest()
        return owner + bytes([flags]) + (self.count or 0).to_bytes(4, "big") + more

    def make(self, offer: dict[str, Any]) -> dict[str, str]:
        """A passkey, by what PasskeyBegin said; for PasskeyAdd."""
        assert text(self.credential) not in offer["Exclude"]
        assert self.algorithm in offer["Algorithms"]
        self.key = new_key(self.algorithm)
        self.relying_party, self.handle = offer["RelyingParty"], octets(offer["UserHandle"])
        attested = bytes(16) + len(self.credential).to_bytes(2, "big") + self.credential + cbor(_numbers(self.key))
        data = self._data(self.flags | AT, attested)
        return {
            "ClientData": text(self._client_data("webauthn.create", offer["Challenge"])),
            "AttestationObject": text(cbor({"fmt": "none", "attStmt": {}, "authData": data})),
        }

    def answer(self, question: dict[str, Any]) -> dict[str, str]:
        """To PasskeyAsk and PasskeyLoginPrep."""
        client, data = self._client_data("webauthn.get", question["Challenge"]), self._data(self.flags)
        signed = data + hashlib.sha256(client).digest()
        match self.key:
            case ec.EllipticCurvePrivateKey():
                signature = self.key.sign(signed, ec.ECDSA(SHA256()))
            case ed25519.Ed25519PrivateKey():
                signature = self.key.sign(signed)
            case _:
                signature = self.key.sign(signed, padding.PKCS1v15(), SHA256())
        return {
            "CredentialID": text(self.credential),
            "ClientData": text(client),
            "AuthenticatorData": text(data),
            "Signature": text(signature),
            "UserHandle": text(self.handle),
        }
