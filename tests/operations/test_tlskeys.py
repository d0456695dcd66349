"""TLS public keys: which certificates are taken, what a handshake's judge says and counts."""

import ipaddress
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from appliance.base.log import Log
from appliance.delivery.appliance import Appliance
from appliance.net import clientkey
from appliance.net.limiter import Limiter, Window
from appliance.operations import login, tlskeys
from appliance.operations.login import Attempt
from appliance.operations.tlskeys import BadCertificate, Judge, NoSuchLoginAddress
from appliance.store import account as accounts, tlskeys as records
from appliance.store.problems import NoSuchAccount, NoSuchTLSKey, TLSKeyExists, TooMany
from support import imaphouse

NOW = datetime(2026, 11, 1, tzinfo=UTC)
DOMAINS = """\
[domains."example.org"]
localpart_catchall_separators = ["+"]
[domains."example.org".aliases.all]
addresses = ["alice@example.org"]
[accounts.alice]
domain = "example.org"
[accounts.alice.destinations."alice@example.org"]
[accounts.bob]
domain = "example.org"
[accounts.bob.destinations."bob@example.org"]
"""
HERE = ipaddress.ip_address("192.0.2.7")


def pem(key, *, common_name: str | None = "phone", serial: int = 4711) -> str:
    names = [] if common_name is None else [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey) else hashes.SHA256()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name(names))
        .issuer_name(x509.Name(names))
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(NOW - timedelta(days=3))
        .not_valid_after(NOW - timedelta(days=2))  # Nobody looks at it.
        .sign(key, algorithm)
    )
    return certificate.public_bytes(Encoding.PEM).decode()


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        pytest.param(lambda: rsa.generate_private_key(65537, 2048), "rsa-2048", id="rsa"),
        pytest.param(lambda: ec.generate_private_key(ec.SECP256R1()), "ecdsa-p256", id="p256"),
        pytest.param(lambda: ec.generate_private_key(ec.SECP384R1()), "ecdsa-p384", id="p384"),
        pytest.param(lambda: ec.generate_private_key(ec.SECP521R1()), "ecdsa-p521", id="p521"),
        pytest.param(ed25519.Ed25519PrivateKey.generate, "ed25519", id="ed25519"),
    ],
)
def test_keys_that_are_taken(key, kind):
    assert tlskeys.key_type(tlskeys.parse_certificate(pem(key()))) == kind


@pytest.mark.parametrize(
    ("key", "words"),
    [
        pytest.param(lambda: rsa.generate_private_key(65537, 1024), "at least 2048 bits, this one has 1024", id="weak"),
        pytest.param(ed448.Ed448PrivateKey.generate, "RSA, ECDSA or ed25519", id="ed448"),
        pytest.param(lambda: dsa.generate_private_key(2048), "RSA, ECDSA or ed25519", id="dsa"),
    ],
)
def test_keys_that_are_not_taken(key, words):
    with pytest.raises(BadCertificate, match=words):
        tlskeys.key_type(tlskeys.parse_certificate(pem(key())))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", "no PEM block", id="nothing"),
        pytest.param("MIIB", "no PEM block", id="no armour"),
        pytest.param("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "private key", id="private key"),
        pytest.param("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "PUBLIC KEY, not", id="other"),
        pytest.param("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be read", id="garbage"),
    ],
)
def test_what_is_no_certificate(text, words):
    with pytest.raises(BadCertificate, match=words):
        tlskeys.parse_certificate(text)


def test_a_certificate_of_no_known_version():
    der = ssl.PEM_cert_to_DER_cert(pem(ed25519.Ed25519PrivateKey.generate()))
    with pytest.raises(BadCertificate, match="cannot be read"):
        tlskeys.parse_certificate(
            ssl.DER_cert_to_PEM_cert(der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x05", 1))
        )


def test_text_around_the_first_block_is_ignored():
    first, second = (pem(ed25519.Ed25519PrivateKey.generate(), serial=serial) for serial in (1, 2))
    assert tlskeys.parse_certificate(f"Bag Attributes\n{first}{second}").serial_number == 1


@pytest.mark.parametrize(
    ("common_name", "name"), [("phone", "phone"), ("a\nb\x00 c", "a b c"), (None, "4711")], ids=["cn", "dirty", "none"]
)
def test_default_name(common_name, name):
    certificate = tlskeys.parse_certificate(pem(ed25519.Ed25519PrivateKey.generate(), common_name=common_name))
    assert tlskeys.default_name(certificate) == name


def test_generated_key():
    new = tlskeys.generate(NOW)
    certificate = tlskeys.parse_certificate(new.certificate)
    assert tlskeys.key_type(certificate) == "ed25519"
    assert clientkey.spell(clientkey.digest(certificate)) == new.fingerprint
    assert len(new.fingerprint) == len(new.seed) == 43


@asynccontextmanager
async def open_app(folder: Path, domains: str = DOMAINS) -> AsyncIterator[Appliance]:
    async with imaphouse.open_house(folder, domains) as house:
        yield replace(house.app, login_failures=Limiter([Window(60, (2, 9, 9))]))


async def added(app: Appliance, address: str = "alice@example.org", **options) -> bytes:
    certificate = pem(ed25519.Ed25519PrivateKey.generate())
    await tlskeys.add(app, certificate, address, **options)
    return clientkey.digest(tlskeys.parse_certificate(certificate))


def judge(app: Appliance, *, imap: bool = False) -> Judge:
    return Judge(app, Attempt("submission", tlskeys.MECHANISM, HERE, Log("test")), imap=imap)


def counted(result: str) -> float:
    return login.authentications.labels("submission", "tlsclientauth", result).value


async def test_adding_and_removing(tmp_path):
    async with open_app(tmp_path) as app:
        certificate = pem(ed25519.Ed25519PrivateKey.generate())
        one = await tlskeys.add(app, certificate, "Alice+x@EXAMPLE.org", no_imap_preauth=True)
        assert (one.account, one.key.name, one.key.login_address) == ("alice", "phone", "Alice+x@example.org")
        with pytest.raises(TLSKeyExists):
            await tlskeys.add(app, certificate, "bob@example.org")
        await added(app, "bob@example.org")
        assert {found.account for found in tlskeys.keys(app)} == {"alice", "bob"}  # Added in the same moment.
        assert tlskeys.keys(app, "alice") == [one] == [tlskeys.find(app, one.fingerprint)]
        with pytest.raises(NoSuchAccount):
            tlskeys.keys(app, "carol")
        await tlskeys.remove(app, one.fingerprint)
        for name in (one.fingerprint, "AAAA", "not a fingerprint", "é", ""):
            with pytest.raises(NoSuchTLSKey):
                tlskeys.find(app, name)
            with pytest.raises(NoSuchTLSKey):
                await tlskeys.remove(app, name)


@pytest.mark.parametrize(
    "address", ["carol@example.org", "all@example.org", "postmaster@example.org", "alice", "alice@elsewhere.example"]
)
async def test_addresses_that_nobody_logs_in_with(tmp_path, address):
    async with open_app(tmp_path) as app:
        with pytest.raises(NoSuchLoginAddress):
            await added(app, address)


async def test_a_key_of_another_account_cannot_be_added(tmp_path):
    async with open_app(tmp_path) as app:
        with app.store.read() as tx:
            bob = tx.account_id("bob")
        with pytest.raises(NoSuchLoginAddress):
            await added(app, "alice@example.org", account=bob)
        await added(app, "bob@example.org", account=bob)


async def test_an_account_has_so_many_keys_and_takes_them_with_it(tmp_path):
    async with open_app(tmp_path) as app:
        await added(app, "bob@example.org")
        one = tlskeys.keys(app)[0].key
        for number in range(2):
            await app.store.write(records.add, bytes([number]) * 32, one, most=3)
        with pytest.raises(TooMany):
            await app.store.write(records.add, b"x" * 32, one, most=3)
        for number in range(2):
            await app.store.write(records.remove, bytes([number]) * 32)
        await app.store.write(accounts.begin_removal, "bob")
        while not await app.store.write(accounts.remove_part, "bob", 100):
            pass
        assert tlskeys.keys(app) == []


async def test_judge_knows_whose_key_it_is(tmp_path):
    async with open_app(tmp_path) as app:
        key = await added(app, "alice+phone@example.org")
        one = judge(app)
        assert one(key)
        assert one.actor is not None
        assert (one.actor.name, one.actor.login_address, one.logs_in) == ("alice", "alice+phone@example.org", True)
        before = counted("ok")
        app.login_failures.force(HERE, app.clock.microseconds() / 1e6)
        one.succeeded(None)
        assert counted("ok") == before + 1
        assert app.login_failures.allowed(HERE, app.clock.microseconds() / 1e6, count=2), "failures are forgiven"


async def test_unknown_keys_are_refused_and_counted_until_nobody_looks(tmp_path):
    async with open_app(tmp_path) as app:
        known = await added(app)
        before = counted("badcreds")
        for _ in range(2):
            one = judge(app)
            assert not one(b"x" * 32)
            assert one.actor is None
        assert counted("badcreds") == before + 2
        for key in (b"x" * 32, known):
            one = judge(app)
            assert one(key), "the connection is refused in words"
            assert one.actor is None
        assert counted("badcreds") == before + 2


@pytest.mark.parametrize(
    "domains",
    [
        pytest.param(DOMAINS.replace('"bob@example.org"', '"bobby@example.org"'), id="address is gone"),
        pytest.param(
            DOMAINS.replace('"bob@example.org"', '"b@example.org"')
            .replace('destinations."alice@example.org"', 'destinations."bob@example.org"')
            .replace('["alice@example.org"]', '["bob@example.org"]'),
            id="address is another's",
        ),
        pytest.param(DOMAINS.partition("[accounts.bob]")[0], id="account is gone"),
    ],
)
async def test_address_must_still_be_of_the_account(tmp_path, domains):
    async with open_app(tmp_path) as app:
        key = await added(app, "bob@example.org")
        assert judge(app)(key)
        (tmp_path / "domains.toml").write_text(domains)
        app.config.reload()
        one = judge(app)
        assert not one(key)
        assert one.actor is None


@pytest.mark.parametrize(
    ("no_preauth", "imap", "admitted", "refusal"),
    [
        pytest.param(False, False, False, "not now", id="submission"),
        pytest.param(True, False, False, "not now", id="submission, key that IMAP does not log in"),
        pytest.param(False, True, True, "not now", id="imap, which says so"),
        pytest.param(True, True, True, "", id="imap, where EXTERNAL will say no"),
    ],
)
async def test_disabled_login(tmp_path, no_preauth, imap, admitted, refusal):
    async with open_app(tmp_path) as app:
        key = await added(app, no_imap_preauth=no_preauth)
        (tmp_path / "domains.toml").write_text(
            DOMAINS.replace("[accounts.alice]\n", '[accounts.alice]\nlogin_disabled = "not now"\n')
        )
        app.config.reload()
        before = counted("logindisabled")
        one = judge(app, imap=imap)
        assert one(key) is admitted
        assert one.logs_in is False
        assert one.refusal == refusal
        assert counted("logindisabled") == before + bool(refusal)


async def test_disabled_within_the_handshake(tmp_path):
    async with open_app(tmp_path) as app:
        key = await added(app)
        one = judge(app, imap=True)
        assert one(key)
        assert one.logs_in
        (tmp_path / "domains.toml").write_text(
            DOMAINS.replace("[accounts.alice]\n", '[accounts.alice]\nlogin_disabled = "not now"\n')
        )
        app.config.reload()
        assert not one.succeeded(None)
        assert one.refusal == "not now"
