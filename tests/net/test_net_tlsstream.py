"""TLSStream: both roles, against itself, the standard library and openssl."""

import shutil
import socket
import ssl
import subprocess
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from OpenSSL import SSL

from appliance.net.socketstream import SocketStream
from appliance.net.tlsstream import TLSHandshakeError, TLSStream
from appliance.tls import selfsigned
from appliance.tls.context import Demands, client_context, server_context
from support.streams import both, key_pair, socket_pair

PLAIN = Demands()
VERSIONS = pytest.mark.parametrize("version", ["TLS1.2", "TLS1.3"])


def context_for(version: str) -> SSL.Context:
    context = client_context()
    context.set_max_proto_version(SSL.TLS1_2_VERSION if version == "TLS1.2" else SSL.TLS1_3_VERSION)
    return context


def pair(
    client: trio.abc.Stream,
    server: trio.abc.Stream,
    version: str = "TLS1.3",
    demands: Demands = PLAIN,
    ours: SSL.Context | None = None,
) -> tuple[TLSStream, TLSStream]:
    return (
        TLSStream(
            client, ours or context_for(version), server_side=False, server_name="localhost", protocols=[b"smtp"]
        ),
        TLSStream(server, server_context(key_pair(), demands), server_side=True),
    )


def spki(pem: bytes) -> bytes:
    key = x509.load_pem_x509_certificate(pem).public_key()
    return sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()


@VERSIONS
async def test_handshake_and_octets(version: str):
    async with socket_pair() as (near, far):
        client, server = pair(near, far, version, Demands(protocols=(b"imap", b"smtp")))
        assert await both(client.do_handshake, server.do_handshake) == [None, None]
        assert client.info.version == server.info.version == version
        assert client.info.cipher == server.info.cipher
        assert client.info.cipher.startswith("TLS_")
        assert client.info.protocol == server.info.protocol == "smtp"
        assert client.info.peer_key == spki(key_pair().chain)
        assert server.info.peer_key is None
        await client.send_all(b"EHLO x\r\n")
        assert await server.receive_some() == b"EHLO x\r\n"
        await server.send_all(b"250 hello\r\n")
        assert await client.receive_some(4) == b"250 "
        assert await client.receive_some() == b"hello\r\n"


@VERSIONS
async def test_channel_bindings_agree(version: str):
    async with socket_pair() as (near, far):
        client, server = pair(near, far, version)
        await both(client.do_handshake, server.do_handshake)
        exporter, unique, end_point = server.exporter(), server.unique(), server.server_end_point()
        assert (client.exporter(), client.unique(), client.server_end_point()) == (exporter, unique, end_point)
        certificate = x509.load_pem_x509_certificate(key_pair().chain)
        assert end_point == sha256(certificate.public_bytes(Encoding.DER)).digest()
        if version == "TLS1.3":
            assert exporter is not None
            assert len(exporter) == 32
            assert unique is None
        else:
            assert exporter is None
            assert unique


@VERSIONS
@pytest.mark.parametrize("sent", [True, False], ids=["certificate", "none"])
async def test_client_certificate_is_asked_for_and_not_judged(version: str, sent: bool):
    own = selfsigned.make(["client"], [], datetime(2001, 1, 1, tzinfo=UTC))  # long expired, of no authority
    ours = context_for(version)
    if sent:
        ours.use_certificate(x509.load_pem_x509_certificate(own.chain))
        ours.use_privatekey(load_pem_private_key(own.key, None))
    async with socket_pair() as (near, far):
        client, server = pair(near, far, version, Demands(client_certificate=True), ours)
        assert await both(client.do_handshake, server.do_handshake) == [None, None]
        assert server.info.peer_key == (spki(own.chain) if sent else None)
        await server.send_all(b"x")
        assert await client.receive_some() == b"x"


@VERSIONS
async def test_bulk_both_ways_at_once(version: str):
    bulk = bytes(range(256)) * 1200

    async def receive(stream: TLSStream) -> None:
        got = bytearray()
        while len(got) < len(bulk):
            got += await stream.receive_some()
        assert got == bulk

    async with socket_pair() as (near, far):
        client, server = pair(near, far, version)
        await both(client.do_handshake, server.do_handshake)
        raised = await both(
            lambda: client.send_all(bulk),
            lambda: server.send_all(bulk),
            lambda: receive(client),
            lambda: receive(server),
        )
        assert raised == [None] * 4


async def test_upgrade_of_a_stream_that_was_read_ahead():
    """What came with STARTTLS belongs to the handshake."""
    async with socket_pair() as (near, far):
        client = TLSStream(near, context_for("TLS1.3"), server_side=False)

        async def serve() -> None:
            initial = bytes(await far.receive_some(20))
            server = TLSStream(far, server_context(key_pair(), PLAIN), server_side=True, initial=initial)
            await server.do_handshake()
            await server.send_all(await server.receive_some())

        async def use() -> None:
            await client.do_handshake()
            await client.send_all(b"ping")
            assert await client.receive_some() == b"ping"

        assert await both(use, serve) == [None, None]


@pytest.mark.parametrize(
    ("octets", "reason"),
    [pytest.param(b"", "eof", id="nothing"), pytest.param(b"\x16\x03\x01\x02", "eof", id="cut")],
)
async def test_peer_that_leaves_during_the_handshake(octets: bytes, reason: str):
    async with socket_pair() as (near, far):
        server = TLSStream(far, server_context(key_pair(), PLAIN), server_side=True)
        if octets:
            await near.send_all(octets)
        await near.aclose()
        (raised,) = await both(server.do_handshake)
        assert isinstance(raised, TLSHandshakeError)
        assert raised.reason == reason


async def test_versions_that_do_not_meet():
    async with socket_pair() as (near, far):
        client, server = pair(near, far, "TLS1.2", Demands(min_version="TLSv1.3"))
        raised = await both(client.do_handshake, server.do_handshake)
        assert [type(error) for error in raised] == [TLSHandshakeError] * 2
        assert raised[1].reason == "unsupportedversions"  # type: ignore[union-attr]


async def test_damaged_record_breaks_the_stream():
    async with socket_pair() as (near, far):
        client, server = pair(near, far)
        await both(client.do_handshake, server.do_handshake)
        await near.send_all(b"\x17\x03\x03\x00\x20" + bytes(32))
        with pytest.raises(trio.BrokenResourceError):
            await server.receive_some()


async def test_peer_that_leaves_without_a_word_is_an_end():
    async with socket_pair() as (near, far):
        client, server = pair(near, far)
        await both(client.do_handshake, server.do_handshake)
        await client.send_all(b"last")
        await trio.aclose_forcefully(near)
        assert await server.receive_some() == b"last"
        assert await server.receive_some() == b""


async def test_close_waits_for_nobody(autojump_clock: trio.testing.MockClock):
    """The peer reads nothing and the kernel's buffer is full."""
    async with socket_pair() as (near, far):
        client, server = pair(near, far)
        await both(client.do_handshake, server.do_handshake)
        with trio.move_on_after(5):
            await server.send_all(bytes(20_000_000))
        began = trio.current_time()
        await server.aclose()
        assert trio.current_time() == began


@VERSIONS
@pytest.mark.parametrize("tickets", [True, False])
async def test_resumption_only_with_tickets(version: str, tickets: bool):
    """The standard library's client comes twice with one session."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2 if version == "TLS1.2" else ssl.TLSVersion.TLSv1_3
    ours = server_context(key_pair(), Demands(tickets=tickets, client_certificate=True))
    session: ssl.SSLSession | None = None
    reused = []

    def use(port: int) -> None:
        nonlocal session
        with (
            socket.create_connection(("127.0.0.1", port), 5) as sock,
            context.wrap_socket(sock, server_hostname="localhost", session=session) as client,
        ):
            client.sendall(b"ping")
            assert client.recv(10) == b"pong"
            reused.append(client.session_reused)
            session = client.session

    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        port = listener.socket.getsockname()[1]

        async def serve() -> None:
            server = TLSStream(await listener.accept(), ours, server_side=True)
            await server.do_handshake()
            assert await server.receive_some() == b"ping"
            await server.send_all(b"pong")
            assert await server.receive_some() == b""
            await server.aclose()

        for _ in range(2):
            assert await both(serve, lambda: trio.to_thread.run_sync(use, port)) == [None, None]
    assert reused == [False, tickets]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl program")
@pytest.mark.parametrize("option", ["-tls1_2", "-tls1_3"])
async def test_openssl_as_client(option: str, tmp_path: Path):
    own = key_pair("client.example")
    (tmp_path / "c.pem").write_bytes(own.chain + own.key)
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        port = listener.socket.getsockname()[1]
        command = [
            "openssl",
            "s_client",
            "-connect",
            f"127.0.0.1:{port}",
            option,
            "-quiet",
            "-cert",
            tmp_path / "c.pem",
        ]
        said = []

        async def serve() -> None:
            demands = Demands(client_certificate=True)
            server = TLSStream(await listener.accept(), server_context(key_pair(), demands), server_side=True)
            await server.do_handshake()
            said.append(server.info.peer_key)
            await server.send_all((await server.receive_some()).upper())
            await server.aclose()

        async def use() -> None:
            got = await trio.run_process(
                command, stdin=b"hello\n", capture_stdout=True, stderr=subprocess.DEVNULL, check=False
            )
            said.append(got.stdout)

        assert await both(serve, use) == [None, None]
        assert said == [spki(own.chain), b"HELLO\n"]


def ours(stream: trio.SocketStream) -> SocketStream:
    return SocketStream(socket.socket(fileno=stream.socket.detach()))


@VERSIONS
async def test_what_the_kernel_takes_is_sent_at_once_and_the_rest_is_kept_in_order(version: str):
    line = b"250 hello\r\n" * 1000
    async with socket_pair() as (near, far), ours(far) as far_end:
        client, server = pair(near, far_end, version)
        await both(client.do_handshake, server.do_handshake)
        sent = bytearray()
        while not server.has_unsent:
            assert server.send_now(line) == len(line)
            sent += line
        assert server.send_now(line) == len(line)  # In its turn behind those that wait.
        sent += line
        got = bytearray()

        async def receive() -> None:
            while len(got) < len(sent):
                got.extend(await client.receive_some())

        assert await both(lambda: server.send_all(b""), receive) == [None, None]
        assert got == sent
        assert not server.has_unsent


async def test_what_is_more_than_a_record_or_another_is_sending_is_not_sent_at_once():
    async with socket_pair() as (near, far), ours(far) as far_end:
        client, server = pair(near, far_end)
        await both(client.do_handshake, server.do_handshake)
        assert server.send_now(b"x" * 16_385) == 0
        assert server.send_now(b"") == 0
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.send_all, b"x" * 10_000_000)
            await trio.testing.wait_all_tasks_blocked()
            assert server.send_now(b"y") == 0
            nursery.cancel_scope.cancel()
        assert server.send_now(b"y") == 0  # A record was cut.


@VERSIONS
async def test_the_end_that_the_peer_tells_stays_the_end(version: str):
    """Also while its side of the connection stays open: nobody waits for it again."""
    async with socket_pair() as (near, far):
        client, server = pair(near, far, version)
        await both(client.do_handshake, server.do_handshake)
        await client.send_all(b"QUIT\r\n")
        assert await server.receive_some() == b"QUIT\r\n"
        client.connection.shutdown()
        await near.send_all(client.connection.bio_read(1000))
        with trio.fail_after(30):
            assert [await server.receive_some(), await server.receive_some()] == [b"", b""]
