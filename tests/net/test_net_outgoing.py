"""A connection we made: TLS, what the server showed, traces without secrets."""

import io
from ipaddress import ip_address

import pytest
import trio
import trio.testing
from cryptography import x509

from appliance.base import log as logs
from appliance.base.log import Log, Phase
from appliance.net.outgoing import Closed, Outgoing
from appliance.net.tlsstream import TLSHandshakeError, TLSStream
from appliance.tls.context import Demands, client_context, server_context
from support.streams import both, key_pair, socket_pair

HERE = ip_address("127.0.0.1")


def outgoing(stream: trio.abc.Stream) -> Outgoing:
    return Outgoing(stream, remote=HERE, remote_port=25, local=HERE, log=Log("queue.test"))


@pytest.mark.parametrize("newest", ["TLS1.2", "TLS1.3"])
async def test_tls(newest):
    pair = key_pair()
    async with socket_pair() as (near, far):
        client = outgoing(near)
        assert (client.peer_chain(), client.binding(), client.tls) == ((), None, None)
        server = TLSStream(far, server_context(pair, Demands()), server_side=True)
        context = client_context()
        if newest == "TLS1.2":
            context.set_max_proto_version(0x0303)
        assert await both(lambda: client.start_tls(context, "localhost"), server.do_handshake) == [None, None]
        assert client.tls is not None
        assert client.tls.version == newest
        assert server.connection.get_servername() == b"localhost"
        (certificate,) = client.peer_chain()
        assert x509.load_der_x509_certificate(certificate) == x509.load_pem_x509_certificate(pair.chain)
        name, data = client.binding()
        assert (name, data) == (
            ("tls-exporter", server.exporter()) if newest == "TLS1.3" else ("tls-unique", server.unique())
        )
        await client.send(b"EHLO x\r\n")
        assert await server.receive_some() == b"EHLO x\r\n"
        await server.send_all(b"250 x\r\n")
        assert await client.receive() == b"250 x\r\n"
        await client.aclose()
        with pytest.raises(Closed):
            await client.send(b"x")


async def test_no_tls_at_the_other_end():
    async with socket_pair() as (near, far):
        client = outgoing(near)

        async def serve():
            await far.receive_some()
            await far.send_all(b"220 what\r\n" * 10)

        failed, _ = await both(lambda: client.start_tls(client_context(), None), serve)
        assert isinstance(failed, TLSHandshakeError)
        assert failed.reason == "nottls"


async def test_closed():
    client_end, server_end = trio.testing.memory_stream_pair()
    client = outgoing(client_end)
    await server_end.send_all(b"421 bye\r\n")
    await server_end.aclose()
    assert await client.receive() == b"421 bye\r\n"
    assert await client.receive() == b""
    with pytest.raises(Closed):
        await client.send(b"QUIT\r\n")


async def test_traces_have_no_secrets():
    written = io.StringIO()
    logs.configure("trace", stream=written)
    try:
        client_end, server_end = trio.testing.memory_stream_pair()
        client = outgoing(client_end)
        await client.send(b"EHLO us.example\r\n")
        await client.send(b"AUTH PLAIN c2VjcmV0\r\n", Phase.AUTH)
        await client.send(b"the message", Phase.DATA)
        await server_end.send_all(b"334 c2FsdA==\r\n")
        await client.receive(Phase.AUTH)
    finally:
        logs.configure("error")
    text = written.getvalue()
    assert 'm="C: EHLO us.example\\r\\n"' in text
    assert text.count("C: ***") == text.count("S: ***") == text.count("C: ...") == 1
    assert "c2" not in text
    assert "the message" not in text
