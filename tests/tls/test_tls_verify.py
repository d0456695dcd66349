"""Servers' certificates, judged by authorities and by TLSA records."""

import hashlib
import time
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from appliance.dns.answers import TLSA
from appliance.tls.verify import Roots, by_authorities, by_zone, is_usable, load_roots
from support.streams import key_pair

NOW = datetime(2026, 3, 1, tzinfo=UTC)
KEYS = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("root", "middle", "leaf", "other")}


def certify(subject, issuer, *, names=(), authority=False, days=90, key_identifier=True, start=NOW - timedelta(days=9)):
    def named(text):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    public = KEYS[subject].public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(named(subject))
        .issuer_name(named(issuer))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
    )
    if authority:
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        builder = builder.add_extension(usage, critical=True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), critical=False
        )
    if key_identifier:
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(KEYS[issuer].public_key())
        builder = builder.add_extension(identifier, critical=False)
    return builder.sign(KEYS[issuer], hashes.SHA256())


MX = "mx.example.org"
ROOT = certify("root", "root", authority=True, days=3000)
MIDDLE = certify("middle", "root", authority=True, days=900)
LEAF = certify("leaf", "middle", names=[MX])
OTHER = certify("other", "other", authority=True)
OLD = certify("leaf", "middle", names=[MX], days=8)
EARLY = certify("leaf", "middle", names=[MX], start=NOW + timedelta(days=1))
ALONE = certify("leaf", "leaf", names=[MX])
ROOTS = Roots([ROOT])


def der(*certificates):
    return [one.public_bytes(Encoding.DER) for one in certificates]


# The chain, the name, what comes of it.
AUTHORITIES = [
    pytest.param(der(LEAF, MIDDLE), MX, "", id="chain"),
    pytest.param(der(LEAF, MIDDLE, ROOT), MX, "", id="chain with its root"),
    pytest.param(der(LEAF, OTHER, MIDDLE), MX, "", id="others among it"),
    pytest.param([*der(LEAF), b"junk", *der(MIDDLE)], MX, "", id="junk among it"),
    pytest.param(der(LEAF, MIDDLE), "MX.Example.ORG", "", id="case"),
    pytest.param(der(certify("leaf", "middle", names=["*.example.org"]), MIDDLE), MX, "", id="wildcard"),
    pytest.param(der(certify("leaf", "root", names=[MX], key_identifier=False)), MX, "", id="no key identifier"),
    pytest.param(der(certify("leaf", "middle", names=["*.example.org"]), MIDDLE), "a.mx.example.org", "certificate-host-mismatch", id="wildcard for one label"),
    pytest.param(der(certify("leaf", "middle", names=["*.org"]), MIDDLE), "example.org", "certificate-host-mismatch", id="wildcard too wide"),
    pytest.param(der(LEAF, MIDDLE), "other.example.org", "certificate-host-mismatch", id="another name"),
    pytest.param(der(certify("leaf", "middle"), MIDDLE), MX, "certificate-host-mismatch", id="no name"),
    pytest.param(der(OLD, MIDDLE), MX, "certificate-expired", id="expired"),
    pytest.param(der(EARLY, MIDDLE), MX, "certificate-expired", id="not yet"),
    pytest.param(der(LEAF), MX, "certificate-not-trusted", id="a link is missing"),
    pytest.param(der(ALONE), MX, "certificate-not-trusted", id="self-signed"),
    pytest.param(der(certify("leaf", "other", names=[MX]), OTHER), MX, "certificate-not-trusted", id="another authority"),
    # Who has a certificate for a server cannot make others with it.
    pytest.param(der(certify("other", "leaf", names=["bank.example"]), LEAF, MIDDLE), "bank.example", "certificate-not-trusted", id="signed by a server"),
    pytest.param([b"junk"], MX, "certificate-not-trusted", id="junk"),
    pytest.param([], MX, "certificate-not-trusted", id="none"),
]  # fmt: skip


@pytest.mark.parametrize(("chain", "name", "result"), AUTHORITIES)
def test_authorities(chain, name, result):
    judgement = by_authorities(chain, name, ROOTS, NOW)
    assert judgement.result == result
    assert judgement.verified == (not result)
    assert bool(judgement.reason) == bool(result)


def test_servers_own_certificate_is_believed():
    pair = key_pair(MX)
    roots = load_roots([pair.chain])
    chain = [x509.load_pem_x509_certificate(pair.chain).public_bytes(Encoding.DER)]
    now = datetime.now(UTC)
    assert by_authorities(chain, MX, roots, now).verified
    assert by_authorities(chain, "other.example", roots, now).result == "certificate-host-mismatch"
    assert by_authorities(chain, MX, roots, now + timedelta(days=9999)).result == "certificate-expired"
    with pytest.raises(ValueError):
        load_roots([b"junk"])


def test_nobody_is_believed():
    assert by_authorities(der(LEAF, MIDDLE), MX, Roots([]), NOW).result == "certificate-not-trusted"


def test_a_labyrinth_of_certificates():
    loops = [certify("other", "other", authority=True) for _ in range(40)]
    chain = der(certify("leaf", "other", names=[MX]), *loops)
    began = time.thread_time()
    assert by_authorities(chain, MX, ROOTS, NOW).result == "certificate-not-trusted"
    assert time.thread_time() - began < 2


# ---- DANE. ----


def record(certificate, usage, selector, matching):
    octets = certificate.public_bytes(Encoding.DER)
    if selector == 1:
        octets = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if matching:
        octets = hashlib.new({1: "sha256", 2: "sha512"}[matching], octets).digest()
    return TLSA(usage, selector, matching, octets)


WRONG = record(OTHER, 3, 1, 1)
HOURS = der(LEAF, MIDDLE)

ZONES = [
    *(
        pytest.param(HOURS, [record(LEAF, 3, selector, matching)], [MX], "", id=f"3 {selector} {matching}")
        for selector in (0, 1)
        for matching in (0, 1, 2)
    ),
    *(
        pytest.param(HOURS, [record(MIDDLE, 2, selector, matching)], [MX], "", id=f"2 {selector} {matching}")
        for selector in (0, 1)
        for matching in (0, 1, 2)
    ),
    pytest.param(der(LEAF), [record(MIDDLE, 2, 0, 0)], [MX], "", id="the authority is in the record"),
    pytest.param(der(LEAF, MIDDLE), [record(ROOT, 2, 0, 0)], [MX], "", id="the root is in the record"),
    pytest.param(HOURS, [WRONG, record(LEAF, 3, 1, 1)], [MX], "", id="one of two"),
    pytest.param(HOURS, [record(LEAF, 3, 1, 1)], ["other.example"], "", id="names do not matter for a server's record"),
    pytest.param(der(OLD), [record(OLD, 3, 1, 1)], [MX], "", id="dates neither"),
    pytest.param(HOURS, [record(MIDDLE, 2, 1, 1)], ["other.example", MX], "", id="one of the names"),
    pytest.param(der(ALONE), [record(ALONE, 2, 0, 1)], [MX], "", id="its own authority"),
    pytest.param(HOURS, [record(MIDDLE, 2, 1, 1)], ["other.example"], "certificate-host-mismatch", id="names matter for an authority's"),
    pytest.param(der(OLD, MIDDLE), [record(MIDDLE, 2, 1, 1)], [MX], "certificate-expired", id="and dates"),
    pytest.param(der(certify("leaf", "other", names=[MX]), MIDDLE), [record(MIDDLE, 2, 1, 1)], [MX], "certificate-not-trusted", id="an authority that did not sign"),
    # Not even its own: it is no authority.
    pytest.param(HOURS, [record(LEAF, 2, 1, 1)], [MX], "validation-failure", id="a server's key as an authority"),
    pytest.param(HOURS, [WRONG], [MX], "validation-failure", id="none fits"),
    pytest.param(HOURS, [record(MIDDLE, 3, 1, 1)], [MX], "validation-failure", id="an authority's key as the server's"),
    pytest.param([], [WRONG], [MX], "validation-failure", id="no certificate"),
    pytest.param([b"junk"], [WRONG], [MX], "validation-failure", id="junk"),
]  # fmt: skip


@pytest.mark.parametrize(("chain", "records", "names", "result"), ZONES)
def test_zone(chain, records, names, result):
    assert all(is_usable(one) for one in records)
    judgement = by_zone(chain, records, names, NOW)
    assert judgement.result == result
    assert judgement.verified == (not result)
    assert judgement.record == (None if result else records[-1])


@pytest.mark.parametrize("one", [
    pytest.param(record(LEAF, 0, 1, 1), id="usage 0"),
    pytest.param(record(LEAF, 1, 1, 1), id="usage 1"),
    pytest.param(record(LEAF, 4, 1, 1), id="usage 4"),
    pytest.param(TLSA(3, 2, 1, bytes(32)), id="selector"),
    pytest.param(TLSA(3, 1, 3, bytes(32)), id="matching"),
    pytest.param(TLSA(3, 1, 1, bytes(31)), id="too short"),
    pytest.param(TLSA(3, 1, 2, bytes(32)), id="SHA-256 as SHA-512"),
    pytest.param(TLSA(3, 0, 0, b"junk"), id="no certificate"),
    pytest.param(TLSA(2, 1, 0, b""), id="no key"),
])  # fmt: skip
def test_unusable(one):
    assert not is_usable(one)
