"""Keys of TLS clients, judged in the handshake; the client's side is the standard library."""

import socket
import ssl
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed448
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from appliance.net.clientkey import Judge
from appliance.net.tlsstream import ClientRefused, TLSInfo, TLSStream
from appliance.tls import selfsigned
from appliance.tls.context import Demands, server_context
from support.streams import both, key_pair

VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
OWN = selfsigned.make(["client"], [], datetime(2001, 1, 1, tzinfo=UTC))
DIGEST = sha256(
    x509.load_pem_x509_certificate(OWN.chain).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
).digest()


def client_with(folder: Path, version: ssl.TLSVersion, certificate: bytes = OWN.chain, key: bytes = OWN.key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = version
    (folder / "client.pem").write_bytes(certificate + key)
    context.load_cert_chain(folder / "client.pem")
    return context


async def meet(context: ssl.SSLContext, judge: Judge | None) -> tuple[object, object, TLSInfo | None]:
    """What the client got or raised, what the server raised, what was agreed on."""
    got: list[object] = []
    info: list[TLSInfo] = []
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        port = listener.socket.getsockname()[1]

        def use() -> None:
            with socket.create_connection(("127.0.0.1", port), 5) as sock, context.wrap_socket(sock) as client:
                got.append(client.recv(10))

        async def serve() -> None:
            stream = await listener.accept()
            server = TLSStream(
                stream, server_context(key_pair(), Demands(client_certificate=True)), server_side=True, judge=judge
            )
            try:
                await server.do_handshake()
                info.append(server.info)
                await server.send_all(b"hello")
            finally:
                await server.aclose()

        client, server = await both(lambda: trio.to_thread.run_sync(use), serve)
    return client or got[0], server, info[0] if info else None


@VERSIONS
async def test_admitted(tmp_path: Path, version: ssl.TLSVersion):
    asked: list[bytes] = []

    def judge(key: bytes) -> bool:
        asked.append(key)
        return True

    said, error, info = await meet(client_with(tmp_path, version), judge)
    assert (said, error) == (b"hello", None)
    assert info is not None
    assert info.peer_key == DIGEST
    assert asked == [DIGEST], "once, however many faults the certificate has"


@VERSIONS
async def test_refused(tmp_path: Path, version: ssl.TLSVersion):
    said, error, info = await meet(client_with(tmp_path, version), lambda key: False)
    assert isinstance(said, ssl.SSLError)
    assert "ALERT_BAD_CERTIFICATE" in str(said)
    assert isinstance(error, ClientRefused)
    assert info is None


@VERSIONS
async def test_a_bug_of_the_judge_is_a_bug(tmp_path: Path, version: ssl.TLSVersion):
    def judge(key: bytes) -> bool:
        raise RuntimeError("a bug")

    said, error, _ = await meet(client_with(tmp_path, version), judge)
    assert isinstance(said, ssl.SSLError)
    assert isinstance(error, RuntimeError)


def unreadable() -> bytes:
    """A certificate of a version that does not exist, which OpenSSL does not mind."""
    der = x509.load_pem_x509_certificate(OWN.chain).public_bytes(Encoding.DER)
    changed = der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x05", 1)
    assert changed != der
    return ssl.DER_cert_to_PEM_cert(changed).encode()


@VERSIONS
@pytest.mark.parametrize("judged", [True, False], ids=["judged", "not judged"])
async def test_certificates_that_cannot_be_read(tmp_path: Path, version: ssl.TLSVersion, judged: bool):
    """Refused by themselves; where nobody judges they stand for nothing."""
    asked: list[bytes] = []
    judge = (lambda key: asked.append(key) or True) if judged else None
    said, error, info = await meet(client_with(tmp_path, version, unreadable()), judge)
    assert asked == []
    if judged:
        assert "ALERT_BAD_CERTIFICATE" in str(said)
        assert isinstance(error, ClientRefused)
    else:
        assert (said, error) == (b"hello", None)
        assert info is not None
        assert info.peer_key is None


async def test_unusual_keys_have_a_digest_too(tmp_path: Path):
    key = ed448.Ed448PrivateKey.generate()
    name = x509.Name([])
    certificate = x509.CertificateBuilder(
        name, name, key.public_key(), 1, datetime(2001, 1, 1), datetime(2002, 1, 1)
    ).sign(key, None)
    asked: list[bytes] = []
    context = client_with(
        tmp_path,
        ssl.TLSVersion.TLSv1_3,
        certificate.public_bytes(Encoding.PEM),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )
    _, error, _ = await meet(context, lambda key: not asked.append(key))
    assert error is None
    assert len(asked[0]) == 32
