"""Reading ClientHellos, real ones and broken ones."""

import ssl
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from OpenSSL import SSL

from appliance.net.clienthello import HELLO_OCTETS, Hello, NotTLS, parse


def hello(name: str | None = "mx.example.org", alpn: tuple[str, ...] = ()) -> bytes:
    """What the standard library's client says first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    if alpn:
        context.set_alpn_protocols(list(alpn))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


REAL = hello()


def in_records(octets: bytes, size: int) -> bytes:
    """The same handshake message in many records."""
    body = octets[5:]
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(octets[:3] + len(piece).to_bytes(2, "big") + piece for piece in pieces)


@pytest.mark.parametrize(
    ("octets", "name", "protocols"),
    [
        pytest.param(REAL, "mx.example.org", (), id="name"),
        pytest.param(hello("MX.Example.ORG"), "mx.example.org", (), id="case"),
        pytest.param(hello(None), "", (), id="no name"),
        pytest.param(hello(alpn=("h2", "smtp")), "mx.example.org", (b"h2", b"smtp"), id="alpn"),
        pytest.param(in_records(REAL, 100), "mx.example.org", (), id="several records"),
        pytest.param(REAL + b"more", "mx.example.org", (), id="more behind"),
    ],
)
def test_real_ones(octets: bytes, name: str, protocols: tuple[bytes, ...]):
    found = parse(octets)
    assert found is not None
    assert (found.server_name, found.protocols) == (name, protocols)
    assert 0x0304 in found.versions


def of_openssl(ciphers: bytes = b"DEFAULT", groups: str = "", signatures: str = "", most: int = SSL.TLS1_3_VERSION):
    """What OpenSSL's client says first."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_max_proto_version(most)
    context.set_cipher_list(ciphers)
    binding: Any = SSL
    raw: Any = context
    if groups:
        assert binding._lib.SSL_CTX_set1_curves_list(raw._context, groups.encode()) == 1
    if signatures:
        assert binding._lib.SSL_CTX_set1_sigalgs_list(raw._context, signatures.encode()) == 1
    client = SSL.Connection(context, None)
    client.set_connect_state()
    with pytest.raises(SSL.WantReadError):
        client.do_handshake()
    return client.bio_read(65_536)


OLD = SSL.TLS1_2_VERSION


@pytest.mark.parametrize(("octets", "ecdsa"), [
    pytest.param(REAL, True, id="usual"),
    pytest.param(of_openssl(signatures="RSA+SHA256:RSA-PSS+SHA256"), False, id="signatures of RSA"),
    pytest.param(of_openssl(signatures="RSA+SHA256:ECDSA+SHA256"), True, id="of both"),
    pytest.param(of_openssl(b"ECDHE-ECDSA-AES128-GCM-SHA256", most=OLD), True, id="suite of ECDSA"),
    pytest.param(of_openssl(b"ECDHE-RSA-AES128-GCM-SHA256:AES128-SHA", most=OLD), False, id="suites of RSA"),
    pytest.param(of_openssl(b"ECDHE-RSA-AES128-GCM-SHA256"), True, id="suite of RSA before TLS 1.3"),
    pytest.param(of_openssl(groups="P-384", most=OLD), False, id="another curve"),
    pytest.param(of_openssl(groups="P-384"), True, id="another curve for the exchange of TLS 1.3"),
])  # fmt: skip
def test_who_can_do_ecdsa(octets: bytes, ecdsa: bool):
    found = parse(octets)
    assert found is not None
    assert found.ecdsa is ecdsa


def test_every_beginning_is_incomplete():
    octets = REAL
    assert [parse(octets[:size]) for size in range(len(octets))] == [None] * len(octets)


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"GET / HTTP/1.1\r\n", id="http"),
        pytest.param(b"EHLO x\r\n", id="smtp"),
        pytest.param(b"\x80\x2e\x01\x00\x02", id="ssl 2.0"),
        pytest.param(b"\x16\x02\x01\x00\x02", id="no version of TLS"),
        pytest.param(b"\x16\x03\x01\x00\x00", id="empty record"),
        pytest.param(b"\x16\x03\x01\x00\x04\x02\x00\x00\x00", id="not a client's message"),
        pytest.param(b"\x16\x03\x01\x00\x04\x01\xff\xff\xff", id="too long"),
        pytest.param(b"\x15\x03\x01\x00\x02\x02\x28", id="alert"),
    ],
)
def test_others(octets: bytes):
    with pytest.raises(NotTLS):
        parse(octets)


def test_length_is_bounded():
    """A message that says it is short enough, in so many tiny records that it never ends."""
    octets = b"\x16\x03\x01\x00\x04\x01\x00\x7f\x00" + b"\x16\x03\x01\x00\x01\x00" * (HELLO_OCTETS // 4)
    assert parse(octets[: HELLO_OCTETS // 2]) is None
    with pytest.raises(NotTLS):
        parse(octets)


@settings(max_examples=200)
@given(st.binary(max_size=300))
def test_any_octets(octets: bytes):
    for start in (octets, b"\x16\x03\x01" + octets, b"\x16\x03\x01" + len(octets).to_bytes(2, "big") + octets):
        try:
            assert isinstance(parse(start), Hello | None)
        except NotTLS:
            pass


@settings(max_examples=200)
@given(st.integers(0, 400), st.integers(0, 255))
def test_damaged(at: int, value: int):
    octets = bytearray(REAL)
    octets[at % len(octets)] = value
    try:
        assert isinstance(parse(bytes(octets)), Hello | None)
    except NotTLS:
        pass
