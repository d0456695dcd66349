"""Keys of signatures: reading them, signing and verifying digests (RFC 6376 §3.3, RFC 8301, RFC 8463).

The heavy library is imported when there is a key to work with.
"""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
    from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

    PublicKey = RSAPublicKey | Ed25519PublicKey
    PrivateKey = RSAPrivateKey | Ed25519PrivateKey

#: RFC 8301 §3.2: signatures of smaller ones are not valid.
MIN_RSA_BITS: Final = 1024
#: Larger ones only cost time.
MAX_RSA_BITS: Final = 8192
#: With a larger exponent verifying is as slow as signing.
MAX_EXPONENT: Final = (1 << 33) - 1
#: Of the keys made here.
RSA_BITS: Final = 2048


class KeyUnusable(ValueError):
    """Octets that are no key, or none that can be used here."""


def public_key(key_type: str, octets: bytes) -> "PublicKey":
    """The key that p= of a key record holds, `rsa` or `ed25519`. Raises KeyUnusable."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    if key_type not in {"rsa", "ed25519"}:
        raise KeyUnusable("unknown type of key")
    try:
        if key_type == "ed25519":
            return Ed25519PublicKey.from_public_bytes(octets)  # RFC 8463 §4: the key itself, without ASN.1
        # RFC 6376 erratum 3017: both of ASN.1's spellings are in use.
        key = load_der_public_key(octets)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyUnusable("malformed public key") from error
    if not isinstance(key, RSAPublicKey):
        raise KeyUnusable("public key is not of the type that is said")
    if key.key_size > MAX_RSA_BITS or key.public_numbers().e > MAX_EXPONENT:
        raise KeyUnusable("public key is too large")
    return key


def verifies(key: "PublicKey", signature: bytes, digest: bytes) -> bool:
    """Whether a signature is one of a SHA-256 digest."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    try:
        if isinstance(key, RSAPublicKey):
            key.verify(signature, digest, *_rsa("sha256"))
        else:
            key.verify(signature, digest)  # RFC 8463 §3: the digest is the message.
    except InvalidSignature:
        return False
    return True


def sign(key: "PrivateKey", digest: bytes, hash_name: str) -> bytes:
    """A signature of a digest by `sha256` or `sha1`."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    return key.sign(digest, *_rsa(hash_name)) if isinstance(key, RSAPrivateKey) else key.sign(digest)


def _rsa(hash_name: str) -> "tuple[PKCS1v15, Prehashed]":
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

    return PKCS1v15(), Prehashed(hashes.SHA256() if hash_name == "sha256" else hashes.SHA1())  # noqa: S303


def key_type(key: "PublicKey | PrivateKey") -> str:
    """`rsa` or `ed25519`."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

    return "rsa" if isinstance(key, RSAPrivateKey | RSAPublicKey) else "ed25519"


def generate(kind: str) -> "PrivateKey":
    """A new key, `rsa` or `ed25519`."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

    return Ed25519PrivateKey.generate() if kind == "ed25519" else generate_private_key(65537, RSA_BITS)


def load_private(pem: bytes) -> "PrivateKey":
    """A PKCS#8 PEM file's key; text and header lines around it do not matter. Raises KeyUnusable."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem, password=None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyUnusable(f"no private key: {error}") from error
    if not isinstance(key, RSAPrivateKey | Ed25519PrivateKey):
        raise KeyUnusable("neither an RSA nor an ed25519 key")
    return key


def published(key: "PrivateKey") -> bytes:
    """The octets of p= in a key record."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    if isinstance(key, RSAPrivateKey):
        return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return key.public_key().public_bytes_raw()
