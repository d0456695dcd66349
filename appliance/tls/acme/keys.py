"""Private keys for certificates, and requests for these (RFC 2986, RFC 8555 §7.4); whether what came fits."""

import enum
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtensionOID, NameOID

from appliance.tls.acme import jose
from appliance.tls.context import KeyPair

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class KeyType(enum.StrEnum):
    """Each name has a certificate of the first kind, and one of the second when a client needs it."""

    ECDSA = "ecdsa"
    RSA = "rsa"


def type_of(key: object) -> KeyType | None:
    """P-256 or RSA of 2048 bits; None for any other key."""
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return KeyType.ECDSA
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size == 2048:
        return KeyType.RSA
    return None


def generate(key_type: KeyType) -> PrivateKey:
    """A new one. RSA takes a tenth of a second."""
    if key_type is KeyType.RSA:
        return rsa.generate_private_key(65537, 2048)
    return ec.generate_private_key(ec.SECP256R1())


def load(octets: bytes) -> PrivateKey:
    """A key of PEM that certificates may have. Raises ValueError."""
    try:
        key = load_pem_private_key(octets, None)
    except (TypeError, UnsupportedAlgorithm) as error:
        raise ValueError(f"no usable private key: {error}") from error
    if not isinstance(key, PrivateKey) or type_of(key) is None:
        raise ValueError("neither an RSA key of 2048 bits nor one on P-256")
    return key


def dump(key: PrivateKey) -> bytes:
    """PKCS8, PEM."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def request(name: str, key: PrivateKey) -> bytes:
    """A request for a certificate, DER."""
    alternatives = x509.SubjectAlternativeName([x509.DNSName(name)])
    # RFC 5280 appendix A.1: no longer one fits there.
    common_name = [x509.NameAttribute(NameOID.COMMON_NAME, name)] if len(name) <= 64 else []
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(common_name))
    signed = builder.add_extension(alternatives, critical=False).sign(key, hashes.SHA256())
    return signed.public_bytes(Encoding.DER)


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate with its key, and what is to be known of it."""

    pair: KeyPair
    begin: datetime
    end: datetime
    #: Of the public key, to compare.
    public_key: bytes
    #: Names the certificate to its authority (RFC 9773 §4.1); empty when it lacks what that takes.
    identifier: str


def issued(pair: KeyPair, name: str) -> Issued:
    """What a chain and a key are; may be called in a thread. Raises ValueError when they do not serve the name."""
    chain = x509.load_pem_x509_certificates(pair.chain)
    own = chain[0]
    key = load(pair.key)
    public_key = public(key)
    if own.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != public_key:
        raise ValueError("the certificate has another key")
    if name not in pair.names():
        raise ValueError(f"the certificate is not for {name}")
    return Issued(pair, own.not_valid_before_utc, own.not_valid_after_utc, public_key, _identifier(own))


def public(key: PrivateKey) -> bytes:
    """SubjectPublicKeyInfo, DER."""
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _identifier(certificate: x509.Certificate) -> str:
    try:
        extension = certificate.extensions.get_extension_for_oid(ExtensionOID.AUTHORITY_KEY_IDENTIFIER).value
    except x509.ExtensionNotFound:
        return ""
    assert isinstance(extension, x509.AuthorityKeyIdentifier)
    if extension.key_identifier is None:
        return ""
    serial = certificate.serial_number
    # The content of a DER INTEGER: the highest bit is the sign.
    octets = serial.to_bytes(serial.bit_length() // 8 + 1, "big")
    return f"{jose.encode(extension.key_identifier)}.{jose.encode(octets)}"
