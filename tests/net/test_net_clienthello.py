"""Reading ClientHellos, real ones and broken ones."""

import ssl

import pytest
from hypothesis import given, settings, strategies as st

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
