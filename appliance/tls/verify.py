"""Whether a server is who it should be: by certificate authorities (PKIX), or by what its zone says of its keys (DANE).

RFC 5280 and RFC 9525 by way of the cryptography library; RFC 6698, RFC 7671 and RFC 7672 §3. A judgement is made after
the handshake and is a value: what follows from it is for the policy of a delivery, and reports about TLS tell of it
whether anything followed or not (RFC 8460). Which records count is for the look-up: they must be authentic.
"""

import hashlib
from collections import Counter as Tally
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import verification

from appliance.base.metrics import Counter
from appliance.dns.answers import TLSA
from appliance.net.clientkey import UNREADABLE

#: Certificates of a chain that are looked at, the server's own among them.
LONGEST_CHAIN: Final = 12
#: Of one authority's key, so many certificates: roots sign one another's. More would only multiply the paths.
_SAME_KEY: Final = 2

#: RFC 7218 §2.1. The last two count for SMTP (RFC 7672 §3.1).
PKIX_TA, PKIX_EE, DANE_TA, DANE_EE = 0, 1, 2, 3
_CERTIFICATE, _KEY = 0, 1
_EXACT, _SHA256, _SHA512 = 0, 1, 2
_DIGEST_OCTETS: Final = {_SHA256: 32, _SHA512: 64}

dane_verified = Counter("dane_verify_total", "Servers' certificates compared with TLSA records.")
dane_failed = Counter("dane_verify_errors_total", "Servers' certificates that no TLSA record fits.")


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came of looking at a server's certificates."""

    verified: bool
    #: Why not, as reports about TLS name it (RFC 8460 §4.3.1), and more precisely; empty when verified.
    result: str = ""
    reason: str = ""
    #: The record that fits, of DANE.
    record: TLSA | None = None


MISMATCH: Final = "certificate-host-mismatch"
EXPIRED: Final = "certificate-expired"
NOT_TRUSTED: Final = "certificate-not-trusted"
FAILED: Final = "validation-failure"


class Roots:
    """Certificates that are believed: those of authorities, or servers' own."""

    def __init__(self, certificates: Iterable[x509.Certificate]) -> None:
        self.certificates = frozenset(certificates)
        #: As the library takes them; None: nobody is believed.
        self.store = verification.Store(list(self.certificates)) if self.certificates else None


def load_roots(files: Iterable[bytes]) -> Roots:
    """From PEM files. Raises ValueError."""
    return Roots(one for file in files for one in x509.load_pem_x509_certificates(file))


def by_authorities(chain: Sequence[bytes], name: str, roots: Roots, now: datetime) -> Judgement:
    """Whether somebody who is believed says that this is the host of that name, in A-labels.

    `chain` is as the server sent it, DER, its own certificate first. Takes up to some 50 ms for a hostile chain.
    """
    if not chain:
        return Judgement(False, NOT_TRUSTED, "no-certificate")
    try:
        leaf, *others = _parsed(chain)
        return _verified(leaf, others, [name], roots, now)
    except UNREADABLE:
        return Judgement(False, NOT_TRUSTED, "unreadable-certificate")


def is_usable(record: TLSA) -> bool:
    """Whether we can make something of a record; if a zone has none such, DANE demands TLS alone (RFC 7672 §2.2)."""
    if record.usage not in {DANE_TA, DANE_EE} or record.selector not in {_CERTIFICATE, _KEY}:
        return False
    if record.matching == _EXACT:
        return _parsable(record)
    return len(record.data) == _DIGEST_OCTETS.get(record.matching)


def by_zone(chain: Sequence[bytes], records: Sequence[TLSA], names: Sequence[str], now: datetime) -> Judgement:
    """Whether one of the records fits. They must be authentic, and usable.

    `names`, one of which a certificate must have, matter for an authority's record only: the TLSA base domain, and
    those the host was found by (RFC 7672 §3.2.2).
    """
    dane_verified.inc()
    judgement = _by_zone(chain, records, names, now)
    if not judgement.verified:
        dane_failed.inc()
    return judgement


def by_zone_and_authorities(
    chain: Sequence[bytes], records: Sequence[TLSA], name: str, roots: Roots, now: datetime
) -> Judgement:
    """Whether somebody who is believed vouches for the host, and a record of PKIX-TA or PKIX-EE fits (RFC 6698 §2.1.1).

    Nobody may ask that of mail hosts (RFC 7672 §3.1.3). The records must be authentic.
    """
    judgement = by_authorities(chain, name, roots, now)
    if not judgement.verified:
        return judgement
    leaf, *others = _parsed(chain)
    path = _path(leaf, others, [name], roots, now)
    if not isinstance(path, Judgement):
        for record in records:
            among = path[:1] if record.usage == PKIX_EE else path[1:] if record.usage == PKIX_TA else []
            if any(_fits(one, record) for one in among):
                return Judgement(True, record=record)
    return Judgement(False, FAILED, "dane-no-match")


def _by_zone(chain: Sequence[bytes], records: Sequence[TLSA], names: Sequence[str], now: datetime) -> Judgement:
    if not chain:
        return Judgement(False, FAILED, "no-certificate")
    try:
        certificates = _parsed(chain)
    except UNREADABLE:
        return Judgement(False, FAILED, "unreadable-certificate")
    leaf, *others = certificates
    failed = Judgement(False, FAILED, "dane-no-match")
    for record in sorted(records, key=lambda one: one.usage != DANE_EE):
        if record.usage == DANE_EE and _fits(leaf, record):
            return Judgement(True, record=record)  # RFC 7672 §3.1.1: names and dates do not matter
        if record.usage != DANE_TA:
            continue
        for anchor in _anchors(certificates, record):
            try:
                judgement = _verified(leaf, others, names, Roots([anchor]), now)
            except UNREADABLE:
                continue
            if judgement.verified:
                return Judgement(True, record=record)
            failed = judgement
    return failed


# ---- Certificates. ----


def _parsed(chain: Sequence[bytes]) -> list[x509.Certificate]:
    """The certificates; of an authority's key no more than some. Raises one of UNREADABLE for the server's own."""
    found = [x509.load_der_x509_certificate(chain[0])]
    found[0].public_key()
    seen: Tally[tuple[bytes, bytes]] = Tally()
    for octets in chain[1:LONGEST_CHAIN]:
        try:
            one = x509.load_der_x509_certificate(octets)
            identity = (one.subject.public_bytes(), _key(one))
        except UNREADABLE:
            continue
        seen[identity] += 1
        if seen[identity] <= _SAME_KEY:
            found.append(one)
    return found


def _key(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@cache
def _policies() -> tuple[verification.ExtensionPolicy, verification.ExtensionPolicy]:
    """What authorities and servers must have in their certificates: what the rules of browsers ask for, but one.

    Lenient: an issuer need not be named by its key. Private authorities made by `openssl` often do not.
    """
    agnostic = verification.Criticality.AGNOSTIC
    authorities = verification.ExtensionPolicy.webpki_defaults_ca()
    servers = verification.ExtensionPolicy.webpki_defaults_ee()
    return (
        authorities.may_be_present(x509.AuthorityKeyIdentifier, agnostic, None),
        servers.may_be_present(x509.AuthorityKeyIdentifier, agnostic, None),
    )


def _verified(
    leaf: x509.Certificate, others: Sequence[x509.Certificate], names: Sequence[str], roots: Roots, now: datetime
) -> Judgement:
    """PKIX, for one of the names. Raises one of UNREADABLE."""
    path = _path(leaf, others, names, roots, now)
    return path if isinstance(path, Judgement) else Judgement(True)


def _path(
    leaf: x509.Certificate, others: Sequence[x509.Certificate], names: Sequence[str], roots: Roots, now: datetime
) -> list[x509.Certificate] | Judgement:
    """The server's certificate and those that vouch for it, up to one that is believed; or why there is no such path.

    Raises one of UNREADABLE.
    """
    if not leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc:
        return Judgement(False, EXPIRED, "outside-of-its-dates")
    fitting = [name for name in names if _has_name(leaf, name)]
    if not fitting:
        return Judgement(False, MISMATCH, "no-such-name")
    if leaf in roots.certificates:  # A server's own, known by itself: nobody else has to vouch for it.
        return [leaf]
    if roots.store is None:
        return Judgement(False, NOT_TRUSTED, "no-authorities")
    authorities, servers = _policies()
    policy = verification.PolicyBuilder().store(roots.store).time(now)
    policy = policy.extension_policies(ca_policy=authorities, ee_policy=servers)
    try:
        return policy.build_server_verifier(x509.DNSName(fitting[0])).verify(leaf, list(others))
    except verification.VerificationError as error:
        return Judgement(False, NOT_TRUSTED, _shortened(str(error)))


def _shortened(text: str) -> str:
    """The library's reason, without the certificates it shows."""
    return text.partition(" (encountered")[0][:200]


def _has_name(leaf: x509.Certificate, name: str) -> bool:
    """RFC 9525 §6.3: names are compared as DNS compares them, and `*` stands for one whole label, the first."""
    try:
        alternatives = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    _, dot, parent = name.lower().partition(".")
    wanted = {name.lower(), f"*.{parent}"} if dot and "." in parent else {name.lower()}
    return any(one.lower() in wanted for one in alternatives.get_values_for_type(x509.DNSName))


# ---- Records. ----


def _selected(certificate: x509.Certificate, record: TLSA) -> bytes:
    return certificate.public_bytes(Encoding.DER) if record.selector == _CERTIFICATE else _key(certificate)


def associated(octets: bytes, matching: int) -> bytes:
    """What a record says of a certificate or key, DER, by a matching type (RFC 6698 §2.1.3)."""
    if matching == _EXACT:
        return octets
    return hashlib.new("sha256" if matching == _SHA256 else "sha512", octets).digest()


def _fits(certificate: x509.Certificate, record: TLSA) -> bool:
    return associated(_selected(certificate, record), record.matching) == record.data


def _anchors(certificates: Sequence[x509.Certificate], record: TLSA) -> list[x509.Certificate]:
    """The certificates that a record of an authority names; it may hold one that the server does not send."""
    leaf, *others = certificates
    found = [one for one in others if _fits(one, record)]
    if _fits(leaf, record) and _signs_itself(leaf):
        found.append(leaf)
    if not found and record.matching == _EXACT and record.selector == _CERTIFICATE:
        found.append(x509.load_der_x509_certificate(record.data))
    return found


def _signs_itself(certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(certificate)
    except (InvalidSignature, TypeError, *UNREADABLE):
        return False
    return True


def _parsable(record: TLSA) -> bool:
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        if record.selector == _CERTIFICATE:
            x509.load_der_x509_certificate(record.data).public_key()
        else:
            load_der_public_key(record.data)
    except UNREADABLE:
        return False
    return True
