"""A certificate authority of our own, and servers it vouches for."""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from appliance.tls.context import KeyPair
from appliance.tls.verify import Roots


class Authority:
    """Makes certificates; `roots` believes them."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._certify("authority", self._key, (), timedelta(days=-1), timedelta(days=3000))
        self.roots = Roots([self.certificate])

    def key_pair(self, *names: str, begin=timedelta(hours=-1), end=timedelta(days=30)) -> KeyPair:
        """A server's certificate for these names, with that of the authority behind it."""
        key = ec.generate_private_key(ec.SECP256R1())
        own = self._certify(names[0] if names else "nobody", key, names, begin, end)
        chain = own.public_bytes(Encoding.PEM) + self.certificate.public_bytes(Encoding.PEM)
        return KeyPair(chain, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    def _certify(self, subject, key, names, begin, end):
        def named(text):
            return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

        now, is_authority = datetime.now(UTC), key is self._key
        builder = (
            x509.CertificateBuilder()
            .subject_name(named(subject))
            .issuer_name(named("authority"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + begin)
            .not_valid_after(now + end)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if is_authority:
            usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
            builder = builder.add_extension(usage, critical=True)
            identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
            builder = builder.add_extension(identifier, critical=False)
        if names:
            alternatives = x509.SubjectAlternativeName([x509.DNSName(one) for one in names])
            builder = builder.add_extension(alternatives, critical=False)
        return builder.sign(self._key, hashes.SHA256())
