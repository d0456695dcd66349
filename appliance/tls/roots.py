"""The certificate authorities we believe: the system's, or those the operator names, or both."""

import os
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.utils import CryptographyDeprecationWarning

from appliance.config.static import CertificateAuthorities
from appliance.net.clientkey import UNREADABLE
from appliance.tls.verify import Roots, load_roots

#: Where systems keep the authorities of all programs, in one file: Debian and Alpine, Fedora, SUSE, BSD.
BUNDLES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/var/lib/ca-certificates/ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
_CERTIFICATE: Final = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def configured(ca: CertificateAuthorities, directory: Path) -> Roots:
    """As the configuration has it; its files lie relative to the directory. Raises OSError, ValueError.

    Reads some hundred certificates: 10 ms, once.
    """
    own = load_roots((directory / name).read_bytes() for name in ca.cert_files) if ca.cert_files else Roots(())
    if ca.cert_files and not ca.additional_to_system:
        return own
    return Roots((*own.certificates, *of_system()))


def of_system(
    bundles: Sequence[str] = BUNDLES, environment: Mapping[str, str] = os.environ
) -> Iterable[x509.Certificate]:
    """The system's authorities; none where it has none. SSL_CERT_FILE names another file, as with other programs."""
    for name in filter(None, (environment.get("SSL_CERT_FILE"), *bundles)):
        try:
            octets = Path(name).read_bytes()
        except OSError:
            continue
        if found := _readable(octets):
            return found
    return []


def _readable(octets: bytes) -> list[x509.Certificate]:
    """The certificates of a file, but for those the library does not read: one of them must not cost us the others."""
    found = []
    with warnings.catch_warnings():
        # Some roots are older than the rule that a serial number is positive.
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        for block in _CERTIFICATE.findall(octets):
            try:
                found.append(x509.load_pem_x509_certificate(block))
            except UNREADABLE:
                continue
    return found
