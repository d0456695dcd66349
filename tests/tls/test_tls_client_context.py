"""TLS of connections we make: how weak a server may be, and what we show of ourselves."""

import io

import pytest
import trio
from OpenSSL import SSL

from appliance.net.tlsstream import TLSStream
from appliance.tls.context import Demands, client_context, server_context
from support.streams import both, key_pair, socket_pair

#: The extension signature_algorithms, and rsa_pkcs1_sha1 in it (RFC 8446 §4.2.3).
SIGNATURES, RSA_SHA1 = 13, 0x0201


def offered(context: SSL.Context) -> set[int]:
    """The signatures in a ClientHello (RFC 8446 §4.1.2)."""
    client = SSL.Connection(context, None)
    client.set_connect_state()
    with pytest.raises(SSL.WantReadError):
        client.do_handshake()
    octets = io.BytesIO(client.bio_read(65_536))

    def vector(octets: io.BytesIO, width: int) -> io.BytesIO:
        return io.BytesIO(octets.read(int.from_bytes(octets.read(width))))

    octets.seek(5 + 4 + 2 + 32)  # The heads of record and message, a version, what is random.
    for width in (1, 2, 1):
        vector(octets, width)  # A session, cipher suites, compressions.
    extensions = vector(octets, 2)
    while kind := extensions.read(2):
        extension = vector(extensions, 2)
        if int.from_bytes(kind) == SIGNATURES:
            algorithms = vector(extension, 2).read()
            return {int.from_bytes(algorithms[at : at + 2]) for at in range(0, len(algorithms), 2)}
    raise AssertionError("no signature_algorithms")


@pytest.mark.parametrize("any_strength", [True, False])
def test_weak_keys_only_where_there_would_be_no_tls(any_strength):
    """What is offered tells the level of strength: SHA-1 at the lowest alone. So it is with short keys."""
    assert (RSA_SHA1 in offered(client_context(any_strength=any_strength))) == any_strength


async def test_our_certificate_is_shown():
    pair = key_pair("us.example")
    async with socket_pair() as (near, far):
        client = TLSStream(near, client_context(pair=pair), server_side=False)
        server = TLSStream(far, server_context(key_pair(), Demands(client_certificate=True)), server_side=True)
        with trio.fail_after(30):
            assert await both(client.do_handshake, server.do_handshake) == [None, None]
    assert server.info.peer_key is not None
