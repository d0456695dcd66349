"""Who is believed about other servers: the authorities of this system, and those of the configuration."""

import re
import ssl
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from cryptography import x509

from appliance.base.log import Log
from appliance.net.clientkey import UNREADABLE
from appliance.tls.verify import Roots

log = Log("tls")

#: Where systems keep theirs when OpenSSL was built for another one, as in an executable that is copied around.
_USUAL_FILES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # BSD
)
_PEM: Final = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


def load(files: Sequence[Path], *, with_system: bool) -> Roots | None:
    """All that are believed; None: there are none, and nobody is. Reads files: for a thread.

    `files` are PEM, in addition to those of the system, or instead. What cannot be read is logged and left out.
    """
    octets = [*_system()] if with_system or not files else []
    for path in files:
        try:
            octets.append(path.read_bytes())
        except OSError as error:
            log.error("cannot read certificate authorities", error, file=str(path))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Some authorities have serial numbers that are none.
        certificates = [one for file in octets for one in _certificates(file)]
    if not certificates:
        log.error("no certificate authorities: no other server can be verified")
        return None
    return Roots(certificates)


def _system() -> Iterator[bytes]:
    """The authorities of this system, from the first place that has any."""
    for path in (ssl.get_default_verify_paths().cafile, *_USUAL_FILES):
        try:
            octets = Path(path).read_bytes() if path else b""
        except OSError:
            continue
        if octets:
            yield octets
            return


def _certificates(octets: bytes) -> Iterator[x509.Certificate]:
    """One that is unreadable must not cost the others."""
    for found in _PEM.finditer(octets):
        try:
            yield x509.load_pem_x509_certificate(found[0])
        except UNREADABLE as error:
            log.info("a certificate authority is left out", error)
