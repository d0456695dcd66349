"""Contexts, certificates by name, and the one of our own making."""

import ipaddress
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from OpenSSL import SSL

from appliance.net.tlsstream import TLSHandshakeError, TLSStream
from appliance.tls import selfsigned
from appliance.tls.certificates import CertificateFiles, Certificates, expiry
from appliance.tls.context import Demands, KeyPair, client_context, server_context
from support.streams import both, key_pair, socket_pair

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
PLAIN = Demands()


def certificate_of(pair: KeyPair) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pair.chain)


def test_self_signed():
    pair = selfsigned.make(["localhost"], ["127.0.0.1", "::1"], NOW)
    certificate = certificate_of(pair)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address(a) for a in ("127.0.0.1", "::1")]
    assert certificate.subject.rfc4514_string() == "CN=localhost"
    assert certificate.not_valid_before_utc == NOW - timedelta(hours=1)
    assert timedelta(days=4 * 365 - 1) < certificate.not_valid_after_utc - NOW < timedelta(days=4 * 366)
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert key.curve.name == "secp256r1"
    assert pair.names() == {"localhost"}


def test_self_signed_is_its_own_authority():
    """localserve's clients trust the file itself."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=key_pair().chain.decode())
    assert len(context.get_ca_certs()) == 1


def written(folder: Path, *pairs: KeyPair) -> list[tuple[Path, Path]]:
    files = []
    for number, pair in enumerate(pairs):
        certificate, key = folder / f"{number}.crt", folder / f"{number}.key"
        certificate.write_bytes(pair.chain)
        key.write_bytes(pair.key)
        files.append((certificate, key))
    return files


async def presented(context: SSL.Context, name: str | None = None) -> frozenset[str]:
    """The names of the certificate that a client is shown."""
    async with socket_pair() as (near, far):
        client = TLSStream(near, client_context(), server_side=False, server_name=name)
        server = TLSStream(far, context, server_side=True)
        assert await both(client.do_handshake, server.do_handshake) == [None, None]
        certificate = client.connection.get_peer_certificate(as_cryptography=True)
        assert certificate is not None
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return frozenset(names.get_values_for_type(x509.DNSName))


OLD = selfsigned.make(["old.example"], [], datetime(2001, 1, 1, tzinfo=UTC))


def encrypted(pair: KeyPair) -> bytes:
    key = load_pem_private_key(pair.key, None)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))


FIRST, SECOND, WILD = ("mx.example.org",), ("mail.example.net", "imap.example.net"), ("*.example.com",)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        pytest.param("", FIRST, id="no name"),
        pytest.param("mx.example.org", FIRST, id="first"),
        pytest.param("imap.example.net", SECOND, id="second's other name"),
        pytest.param("any.example.com", WILD, id="wildcard"),
        pytest.param("two.labels.example.com", FIRST, id="wildcard is one label"),
        pytest.param("unknown.example", FIRST, id="files serve all names"),
        pytest.param("localhost", FIRST, id="also one without a dot"),
        pytest.param("192.0.2.1", FIRST, id="an address names nobody"),
        pytest.param("[2001:db8::1]", FIRST, id="nor does a literal"),
    ],
)
async def test_certificate_by_name(tmp_path: Path, name: str, shown: tuple[str, ...]):
    table = CertificateFiles(written(tmp_path, key_pair(*FIRST), key_pair(*SECOND), key_pair(*WILD)))
    table.load()
    assert await presented(server_context(table.pair(name), PLAIN)) == set(shown)


async def test_new_files_count_once_they_are_loaded(tmp_path: Path):
    table = CertificateFiles(written(tmp_path, key_pair(*FIRST)))
    table.load()
    written(tmp_path, key_pair(*SECOND))
    assert table.pair("") == key_pair(*FIRST)
    table.load()
    assert table.pair("") == key_pair(*SECOND)


def test_files_that_changed_are_noticed(tmp_path: Path):
    house = Certificates()
    table = house.add(written(tmp_path, key_pair(*FIRST)))
    assert not table.changed
    assert house.reload(NOW, only_changed=True) == []
    written(tmp_path, key_pair(*SECOND))
    assert table.changed
    assert house.reload(NOW, only_changed=True) == []
    assert table.pair("") == key_pair(*SECOND)
    assert not table.changed
    assert expiry.labels(min(SECOND), "ecdsa").value == key_pair(*SECOND).expires().timestamp()


def test_certificate_and_key_are_replaced_one_after_the_other(tmp_path: Path):
    house = Certificates()
    table = house.add(written(tmp_path, key_pair(*FIRST)))
    (tmp_path / "0.crt").write_bytes(key_pair(*SECOND).chain)
    assert house.reload(NOW, only_changed=True) == ["certificate and key do not fit together"]
    assert table.pair("") == key_pair(*FIRST)
    (tmp_path / "0.key").write_bytes(key_pair(*SECOND).key)
    assert house.reload(NOW, only_changed=True) == []
    assert table.pair("") == key_pair(*SECOND)


@pytest.mark.parametrize(
    ("chain", "key", "words"),
    [
        pytest.param(None, None, "No such file", id="missing"),
        pytest.param(b"nonsense", b"nonsense", "", id="nonsense"),
        pytest.param(OLD.chain, OLD.key, "expired at 2004", id="expired"),
        pytest.param(OLD.chain, encrypted(OLD), "", id="key with a password"),
    ],
)
def test_what_cannot_be_used_is_told(tmp_path: Path, chain: bytes | None, key: bytes | None, words: str):
    house = Certificates()
    files = written(tmp_path, key_pair(*FIRST))
    table = house.add(files)
    for path, octets in zip(files[0], (chain, key), strict=True):
        path.unlink()
        if octets is not None:
            path.write_bytes(octets)
    for only_changed in (True, False):
        (problem,) = house.reload(NOW, only_changed=only_changed)
        assert words in problem
    assert table.pair("") == key_pair(*FIRST)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda files: files[0][0].unlink(), id="missing"),
        pytest.param(lambda files: files[0][0].write_bytes(b"nonsense"), id="no certificate"),
        pytest.param(lambda files: files[0][1].write_bytes(b"nonsense"), id="no key"),
        pytest.param(lambda files: files[0][1].write_bytes(key_pair("other.example").key), id="another's key"),
    ],
)
def test_unusable_files_leave_what_was(tmp_path: Path, spoil: Callable[[list[tuple[Path, Path]]], object]):
    files = written(tmp_path, key_pair(*FIRST))
    table = CertificateFiles(files)
    table.load()
    spoil(files)
    with pytest.raises((OSError, ValueError, SSL.Error)):
        table.load()
    assert table.pair("") == key_pair(*FIRST)


@pytest.mark.parametrize(
    ("least", "most", "agreed"),
    [
        pytest.param("TLSv1.2", SSL.TLS1_1_VERSION, None, id="too old"),
        pytest.param("TLSv1.2", SSL.TLS1_2_VERSION, "TLS1.2", id="1.2"),
        pytest.param("TLSv1.3", SSL.TLS1_2_VERSION, None, id="1.3 only"),
        pytest.param("TLSv1.0", SSL.TLS1_VERSION, "TLS1.0", id="1.0 where it is allowed"),
    ],
)
async def test_least_version(least: str, most: int, agreed: str | None):
    ours = client_context(min_version="TLSv1.0")
    ours.set_max_proto_version(most)
    async with socket_pair() as (near, far):
        client = TLSStream(near, ours, server_side=False)
        server = TLSStream(far, server_context(key_pair(), Demands(min_version=least)), server_side=True)
        raised = await both(client.do_handshake, server.do_handshake)
        if agreed is None:
            assert [type(error) for error in raised] == [TLSHandshakeError] * 2
        else:
            assert raised == [None, None]
            assert server.info.version == agreed


@pytest.mark.parametrize(
    ("offered", "agreed"),
    [
        pytest.param([b"h2", b"http/1.1"], "h2", id="our preference"),
        pytest.param([b"http/1.1", b"h2"], "h2", id="not the client's"),
        pytest.param([b"spdy/3"], "", id="none in common"),
        pytest.param(None, "", id="none offered"),
    ],
)
async def test_application_protocols(offered: list[bytes] | None, agreed: str):
    async with socket_pair() as (near, far):
        client = TLSStream(near, client_context(), server_side=False, protocols=offered)
        context = server_context(key_pair(), Demands(protocols=(b"h2", b"http/1.1")))
        server = TLSStream(far, context, server_side=True)
        assert await both(client.do_handshake, server.do_handshake) == [None, None]
        assert (client.info.protocol, server.info.protocol) == (agreed, agreed)


async def test_whole_chain_is_sent():
    own, issuer = key_pair(*FIRST), key_pair("ca.example")
    context = server_context(KeyPair(own.chain + issuer.chain, own.key), PLAIN)
    async with socket_pair() as (near, far):
        client = TLSStream(near, client_context(), server_side=False)
        server = TLSStream(far, context, server_side=True)
        await both(client.do_handshake, server.do_handshake)
        chain = client.connection.get_peer_cert_chain(as_cryptography=True)
        assert chain == [certificate_of(own), certificate_of(issuer)]
