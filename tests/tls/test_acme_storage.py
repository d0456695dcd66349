"""Files of ACME providers, keys and requests, and answers for authorities."""

import hashlib
import os
from datetime import UTC, datetime

import msgspec
import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from appliance.dns.answers import Type
from appliance.dns.problems import UpdateFailed
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table
from appliance.tls import selfsigned
from appliance.tls.acme import challenges, jose, keys
from appliance.tls.acme.challenges import Answers, InDNS, InTLS, OnHTTP
from appliance.tls.acme.client import ACMEError
from appliance.tls.acme.keys import KeyType
from appliance.tls.acme.storage import Standing, State, Storage, UnfitKey
from appliance.tls.context import KeyPair
from support.clock import StandingClock

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
HOST = "mx.example.org"
RSA_KEY = rsa.generate_private_key(65537, 2048)


def mode(path):
    return os.stat(path).st_mode & 0o777


def test_account_key(tmp_path):
    key = Storage(tmp_path, "le").account_key()
    file = tmp_path / "acme/le.key"
    assert file.read_text().startswith("This is the private key of an account")
    assert (mode(file), mode(file.parent)) == (0o600, 0o700)
    assert keys.public(Storage(tmp_path, "le").account_key()) == keys.public(key)
    file.write_bytes(keys.dump(RSA_KEY))
    assert keys.public(Storage(tmp_path, "le").account_key()) == keys.public(RSA_KEY)


def pem(key):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(("octets", "text"), [
    (b"", "has no usable private key"), (pem(ec.generate_private_key(ec.SECP384R1())), "is neither a P-256 key nor"),
])  # fmt: skip
def test_unfit_account_key(tmp_path, octets, text):
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme/le.key").write_bytes(octets)
    with pytest.raises(UnfitKey, match=text):
        Storage(tmp_path, "le").account_key()


def test_state(tmp_path):
    storage = Storage(tmp_path, "le")
    assert storage.state() == State()
    state = State("d", "a", "c", {HOST: Standing(3, "why", 5.0, "d")})
    storage.write_state(msgspec.json.encode(state))
    assert Storage(tmp_path, "le").state() == state
    (tmp_path / "acme/le.json").write_bytes(b"{")
    assert storage.state() == State()


@pytest.mark.parametrize("provider", ["a/b", "..", "a b", "\u00e4"])
def test_any_name_of_a_provider_is_a_file_name(tmp_path, provider):
    Storage(tmp_path, provider).account_key()
    assert [path.parent for path in tmp_path.rglob("*.key")] == [tmp_path / "acme"]


def test_certificates(tmp_path):
    storage = Storage(tmp_path, "le")
    assert storage.certificate(HOST, KeyType.ECDSA) is None
    pair, other = (selfsigned.make([HOST], [], NOW, key=key) for key in (None, RSA_KEY))
    storage.keep(HOST, KeyType.ECDSA, KeyPair(pair.chain + other.chain, pair.key))
    storage.keep(HOST, KeyType.RSA, other)
    found = storage.certificate(HOST, KeyType.ECDSA)
    assert found is not None
    assert found.pair == KeyPair(pair.chain + other.chain, pair.key)
    assert found.end == pair.expires()
    assert storage.certificate(HOST, KeyType.RSA).pair == other
    assert mode(tmp_path / "acme/keycerts/le/mx.example.org+rsa") == 0o600
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.parametrize("spoil", [
    pytest.param(lambda octets: b"", id="empty"),
    pytest.param(lambda octets: octets[: len(octets) // 2], id="half"),
    pytest.param(lambda octets: octets[octets.index(b"-----BEGIN CERT") :], id="no key"),
    pytest.param(lambda octets: octets[: octets.index(b"-----BEGIN CERT")], id="no certificate"),
    pytest.param(lambda octets: keys.dump(RSA_KEY) + octets[octets.index(b"-----BEGIN CERT") :], id="another key"),
])  # fmt: skip
def test_spoiled_certificates_are_none(tmp_path, spoil):
    storage = Storage(tmp_path, "le")
    storage.keep(HOST, KeyType.ECDSA, selfsigned.make([HOST], [], NOW))
    file = tmp_path / "acme/keycerts/le" / HOST
    file.write_bytes(spoil(file.read_bytes()))
    assert storage.certificate(HOST, KeyType.ECDSA) is None
    assert storage.certificate("other.example.org", KeyType.ECDSA) is None


def test_a_certificate_of_another_host_is_none():
    with pytest.raises(ValueError, match="not for other"):
        keys.issued(selfsigned.make([HOST], [], NOW), "other")


@pytest.mark.parametrize("name", [HOST, "a" * 60 + "." + "b" * 60 + ".example.org"], ids=["usual", "long"])
@pytest.mark.parametrize("key_type", KeyType)
def test_request(name, key_type):
    request = x509.load_der_x509_csr(keys.request(name, keys.generate(key_type)))
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [name]
    assert request.subject.rfc4514_string() == (f"CN={name}" if len(name) <= 64 else "")
    assert keys.type_of(keys.generate(key_type)) is key_type


@pytest.mark.parametrize(("serial", "identifier"), [
    # RFC 9773 §4.1, its example.
    (0x87654321, "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"), (0x01, ".AQ"), (0x80, ".AIA"), (0xFF00, ".AP8A"),
])  # fmt: skip
def test_identifier_for_renewals(serial, identifier):
    key = ec.generate_private_key(ec.SECP256R1())
    octets = bytes.fromhex("69885b6b87464041e1b37b847ba0ae2cde01c8d4")
    name = x509.Name([])
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .not_valid_before(NOW).not_valid_after(NOW.replace(year=2027))
        .serial_number(serial)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier(octets, None, None), critical=False).sign(key, SHA256())
    )  # fmt: skip
    pair = KeyPair(certificate.public_bytes(Encoding.PEM), keys.dump(key))
    assert keys.issued(pair, HOST).identifier.endswith(identifier)


def test_validation_certificate():
    """RFC 8737 §3."""
    pair = challenges.validation_certificate(HOST, "token.thumbprint", NOW)
    certificate = x509.load_pem_x509_certificate(pair.chain)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(names) == [x509.DNSName(HOST)]
    identifier = certificate.extensions.get_extension_for_oid(x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31"))
    assert identifier.critical
    assert identifier.value.value == b"\x04\x20" + hashlib.sha256(b"token.thumbprint").digest()


async def test_answers_are_there_while_they_are_wanted():
    answers = Answers()
    async with OnHTTP(answers).answering(HOST, "t", "t.k"), InTLS(answers, StandingClock()).answering(HOST, "t", "t.k"):
        assert answers.document(HOST, "t") == "t.k"
        assert [answers.document(*other) for other in ((HOST, "u"), ("x.example", "t"))] == [None, None]
        assert answers.context(HOST) is not None
        assert answers.context("x.example") is None
    assert answers.document(HOST, "t") is None
    assert answers.context(HOST) is None


class Records:
    """Stands for a name server."""

    def __init__(self, *, fails: str = "") -> None:
        self.there: list[tuple[str, str]] = []
        self.fails = fails

    async def add(self, name, text):
        if self.fails == "add":
            raise UpdateFailed("REFUSED")
        self.there.append((name, text))

    async def remove(self, name, text):
        if self.fails == "remove":
            raise UpdateFailed("REFUSED")
        if (name, text) in self.there:
            self.there.remove((name, text))


DIGEST = jose.encode(hashlib.sha256(b"t.k").digest())


@pytest.mark.parametrize(("aliases", "owner"), [
    pytest.param({}, f"_acme-challenge.{HOST}", id="there"),
    pytest.param({f"_acme-challenge.{HOST}": {Type.CNAME: ["a.keys.example"]},
                  "a.keys.example": {Type.CNAME: ["b.keys.example"]}}, "b.keys.example", id="aliases"),
])  # fmt: skip
async def test_records_are_there_while_they_are_wanted(autojump_clock, aliases, owner):
    records = Records()
    began = trio.current_time()
    async with InDNS(records, Resolver(Table(aliases)), 10).answering(HOST, "t", "t.k"):
        assert trio.current_time() - began == 10, "others have it, too"
        assert records.there == [(owner, DIGEST)]
    assert records.there == []


async def test_records_that_cannot_be_changed(autojump_clock, caplog):
    for records, resolver, text in (
        (Records(fails="add"), Resolver(Table({})), "REFUSED"),
        (Records(), Resolver(Table({}, failing=[(f"_acme-challenge.{HOST}", Type.CNAME)])), "no answer"),
    ):
        with pytest.raises(ACMEError, match=text) as raised:
            async with InDNS(records, resolver, 0).answering(HOST, "t", "t.k"):
                pass
        assert raised.value.other_may_help
    async with InDNS(Records(fails="remove"), Resolver(Table({})), 0).answering(HOST, "t", "t.k"):
        pass
    assert "a record stays in the DNS" in caplog.text


async def test_a_failure_of_the_order_is_told_as_it_is(autojump_clock):
    records = Records()
    with pytest.raises(ACMEError, match="invalid"):
        async with InDNS(records, Resolver(Table({})), 0).answering(HOST, "t", "t.k"):
            raise ACMEError("invalid")
    assert records.there == []
