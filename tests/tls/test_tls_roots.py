"""The certificate authorities we believe."""

from pathlib import Path

import pytest
from cryptography import x509

from appliance.config.static import CertificateAuthorities
from appliance.tls import roots
from support.streams import key_pair

OURS, THEIRS = key_pair("ours.example"), key_pair("theirs.example")


def of(*pairs) -> frozenset[x509.Certificate]:
    return frozenset(x509.load_pem_x509_certificate(pair.chain) for pair in pairs)


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file the system keeps its authorities in."""
    file = tmp_path / "system.pem"
    broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    file.write_bytes(b"# Theirs\n" + broken + THEIRS.chain)
    (tmp_path / "ours.pem").write_bytes(OURS.chain)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return tmp_path


@pytest.mark.parametrize(("ca", "believed"), [
    (CertificateAuthorities(), of(THEIRS)),
    (CertificateAuthorities(additional_to_system=True), of(THEIRS)),
    (CertificateAuthorities(cert_files=("ours.pem",)), of(OURS)),
    (CertificateAuthorities(cert_files=("ours.pem",), additional_to_system=True), of(OURS, THEIRS)),
])  # fmt: skip
def test_configured(system, ca, believed):
    assert roots.configured(ca, system).certificates == believed


def test_operators_file_must_be_in_order(system):
    (system / "ours.pem").write_bytes(b"junk")
    with pytest.raises(ValueError):
        roots.configured(CertificateAuthorities(cert_files=("ours.pem",)), system)
    with pytest.raises(OSError):
        roots.configured(CertificateAuthorities(cert_files=("missing.pem",)), system)


def test_first_bundle_with_something_in_it(tmp_path):
    (tmp_path / "empty.pem").write_bytes(b"")
    (tmp_path / "full.pem").write_bytes(OURS.chain)
    names = [str(tmp_path / name) for name in ("missing.pem", "empty.pem", "full.pem")]
    assert frozenset(roots.of_system(names, {})) == of(OURS)
    assert not list(roots.of_system(names[:2], {}))
    assert roots.Roots(roots.of_system(names[:2], {})).store is None
