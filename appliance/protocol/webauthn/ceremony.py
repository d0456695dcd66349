"""What a browser brings from an authenticator: a new credential, or an assertion that it has one.

Attestations are not asked for and not looked at: which maker an authenticator is of is nobody's business here. So a
registration is believed, as the specification has it for the type None (§7.1 step 24), and proves nothing about it.
"""

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from typing import Final, Literal

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from appliance.protocol.webauthn import cbor
from appliance.protocol.webauthn.cbor import CBORError

#: §5.8.5, as COSE has them (RFC 9053 §2, RFC 8812 §2), the one we like best first.
ES256: Final = -7
EDDSA: Final = -8
RS256: Final = -257
ALGORITHMS: Final = (EDDSA, ES256, RS256)
#: A client's own words about a ceremony; browsers need some 200.
CLIENT_DATA_OCTETS: Final = 4096
#: With the certificates of an attestation that nobody asked for.
ATTESTATION_OCTETS: Final = 32 * 1024
AUTHENTICATOR_DATA_OCTETS: Final = 4096
SIGNATURE_OCTETS: Final = 1024
#: §4, Credential ID.
CREDENTIAL_ID_OCTETS: Final = 1023
_RSA_BITS: Final = (2048, 4096)
#: Longer exponents make verifying slow.
_EXPONENT_BITS: Final = 32
#: RFC 9053 §7: labels of a key's map.
_KIND, _ALGORITHM, _CURVE, _X, _Y = 1, 3, -1, -2, -3
_RSA_N, _RSA_E = -1, -2

Key = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey


class WebAuthnError(ValueError):
    """What came is malformed, or not what was asked for."""


class _ClientData(msgspec.Struct, rename="camel"):
    """§5.8.1; other fields may come and mean nothing."""

    type: str
    challenge: str
    origin: str
    cross_origin: bool = False
    top_origin: str | None = None


_CLIENT_DATA: Final = msgspec.json.Decoder(_ClientData)


@dataclass(frozen=True, slots=True)
class Presence:
    """What an authenticator says of a ceremony (§6.1)."""

    #: It made sure who uses it, by a fingerprint or a PIN.
    verified: bool
    #: How many signatures it made; 0 where it does not count.
    count: int


@dataclass(frozen=True, slots=True)
class NewCredential:
    """A credential that was made for us."""

    id: bytes
    algorithm: int
    #: SubjectPublicKeyInfo, DER.
    public_key: bytes
    presence: Presence


def challenge_of(octets: bytes, type: Literal["webauthn.create", "webauthn.get"], origin: str) -> bytes:
    """The challenge that a client had, in a ceremony of that type on a page of that origin (§7.1 and §7.2).

    Raises WebAuthnError.
    """
    if len(octets) > CLIENT_DATA_OCTETS:
        raise WebAuthnError("the client data are too long")
    try:
        found = _CLIENT_DATA.decode(octets)
    except (ValueError, RecursionError) as error:
        raise WebAuthnError("the client data are malformed") from error
    if found.type != type:
        raise WebAuthnError("this is of another kind of ceremony")
    if found.origin != origin:
        raise WebAuthnError(f"this was made on a page of {found.origin[:200]!r}, not of {origin}")
    if found.cross_origin or found.top_origin is not None:
        raise WebAuthnError("this was made on a page within a page of somebody else")
    return octets_of(found.challenge)


def octets_of(text: str) -> bytes:
    """Octets in base64url without padding (RFC 7515 §2). Raises WebAuthnError."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error) as error:
        raise WebAuthnError("not base64url") from error


def registration(attestation: bytes, relying_party: str) -> NewCredential:
    """The credential in an attestation object (§6.5). Raises WebAuthnError."""
    if len(attestation) > ATTESTATION_OCTETS:
        raise WebAuthnError("the attestation is too long")
    try:
        outer = cbor.decode(attestation)
    except CBORError as error:
        raise WebAuthnError(f"the attestation is malformed: {error}") from error
    data = outer.get("authData") if isinstance(outer, dict) else None
    if not isinstance(data, bytes):
        raise WebAuthnError("the attestation has no authenticator data")
    presence, credential = _authenticator_data(data, relying_party)
    if credential is None:
        raise WebAuthnError("there is no credential in the authenticator data")
    id, algorithm, key = credential
    return NewCredential(id, algorithm, key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo), presence)


def assertion(
    public_key: bytes, algorithm: int, *, data: bytes, client_data: bytes, signature: bytes, relying_party: str
) -> Presence:
    """What an authenticator says that has the private key (§7.2). Raises WebAuthnError."""
    presence, _ = _authenticator_data(data, relying_party)
    if len(signature) > SIGNATURE_OCTETS:
        raise WebAuthnError("the signature is too long")
    signed = data + hashlib.sha256(client_data).digest()
    key = load_der_public_key(public_key)
    try:
        if algorithm == ES256 and isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, signed, ec.ECDSA(SHA256()))
        elif algorithm == EDDSA and isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, signed)
        elif algorithm == RS256 and isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, signed, padding.PKCS1v15(), SHA256())
        else:
            raise WebAuthnError("the key is not of its algorithm")
    except InvalidSignature as error:
        raise WebAuthnError("the signature is wrong") from error
    return presence


_UP, _UV, _BE, _BS, _AT, _ED = 0x01, 0x04, 0x08, 0x10, 0x40, 0x80


def _authenticator_data(octets: bytes, relying_party: str) -> tuple[Presence, tuple[bytes, int, Key] | None]:
    """§6.1: whose it is, flags, a counter, and after these a credential and extensions, where the flags say so."""
    if not 37 <= len(octets) <= AUTHENTICATOR_DATA_OCTETS:
        raise WebAuthnError("the authenticator data are too short or too long")
    if not hmac.compare_digest(octets[:32], hashlib.sha256(relying_party.encode()).digest()):
        raise WebAuthnError(f"this is of another host than {relying_party}")
    flags, at, credential = octets[32], 37, None
    if not flags & _UP:
        raise WebAuthnError("nobody touched the authenticator")
    if flags & _BS and not flags & _BE:  # §7.2 step 18
        raise WebAuthnError("it has a backup and may have none")
    try:
        if flags & _AT:
            credential, at = _attested(octets)
        if flags & _ED:
            extensions, at = cbor.decode_first(octets, at)
            if not isinstance(extensions, dict):
                raise WebAuthnError("the extensions are malformed")
    except CBORError as error:
        raise WebAuthnError(f"the authenticator data are malformed: {error}") from error
    if at != len(octets):
        raise WebAuthnError("something follows the authenticator data")
    return Presence(bool(flags & _UV), int.from_bytes(octets[33:37], "big")), credential


def _attested(octets: bytes) -> tuple[tuple[bytes, int, Key], int]:
    """§6.5.1: the model of the authenticator, the credential's id with its length, its key."""
    length = int.from_bytes(octets[53:55], "big")
    id, at = octets[55 : 55 + length], 55 + length
    if not 0 < length <= CREDENTIAL_ID_OCTETS or len(id) < length:
        raise WebAuthnError("the id of the credential is too short or too long")
    found, at = cbor.decode_first(octets, at)
    if not isinstance(found, dict):
        raise WebAuthnError("the public key is malformed")
    algorithm, key = _key(found)
    return (id, algorithm, key), at


def _key(found: "dict[int | str, cbor.Value]") -> tuple[int, Key]:
    """RFC 9053 §7, RFC 8230 §4; §5.8.5: P-256 with uncompressed points, Ed25519."""
    try:
        match found.get(_KIND), found.get(_ALGORITHM):
            case 2, -7 if found.get(_CURVE) == 1:
                point = b"\x04" + _octets(found, _X, 32) + _octets(found, _Y, 32)
                return ES256, ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
            case 1, -8 if found.get(_CURVE) == 6:
                return EDDSA, ed25519.Ed25519PublicKey.from_public_bytes(_octets(found, _X, 32))
            case 3, -257:
                n, e = (int.from_bytes(_octets(found, label), "big") for label in (_RSA_N, _RSA_E))
                if not _RSA_BITS[0] <= n.bit_length() <= _RSA_BITS[1] or e.bit_length() > _EXPONENT_BITS:
                    raise WebAuthnError("the RSA key is too short or too long")
                return RS256, rsa.RSAPublicNumbers(e, n).public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise WebAuthnError(f"the public key is not one: {error}") from error
    raise WebAuthnError("a public key of a kind that was not asked for")


def _octets(found: "dict[int | str, cbor.Value]", label: int, count: int | None = None) -> bytes:
    value = found.get(label)
    if not isinstance(value, bytes) or (count is not None and len(value) != count):
        raise WebAuthnError("a part is missing, or has another length")
    return value
