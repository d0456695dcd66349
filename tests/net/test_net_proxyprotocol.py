"""PROXY headers, both versions: what they say, and what is none."""

import ipaddress
import random
from collections.abc import Sequence

import pytest

from appliance.net.proxyprotocol import HEADER_OCTETS, Ends, Header, Malformed, parse

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


def ends(remote: str, remote_port: int, local: str, local_port: int) -> Ends:
    return Ends(ipaddress.ip_address(remote), remote_port, ipaddress.ip_address(local), local_port)


def packed(*addresses: str, ports: Sequence[int] = (), rest: bytes = b"") -> bytes:
    octets = b"".join(ipaddress.ip_address(one).packed for one in addresses)
    return octets + b"".join(port.to_bytes(2, "big") for port in ports) + rest


def binary(body: bytes, *, command: int = 0x21, family: int = 0x11, size: int | None = None) -> bytes:
    length = len(body) if size is None else size
    return SIGNATURE + bytes([command, family]) + length.to_bytes(2, "big") + body


FOUR = ends("192.0.2.1", 40000, "198.51.100.2", 25)
SIX = ends("2001:db8::1", 40000, "2001:db8::2", 993)
BODY = packed("192.0.2.1", "198.51.100.2", ports=(40000, 25))
TLV = b"\x02\x00\x04mail"


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        pytest.param(b"PROXY TCP4 192.0.2.1 198.51.100.2 40000 25\r\n", FOUR, id="tcp4"),
        pytest.param(b"PROXY TCP6 2001:db8::1 2001:DB8:0::2 40000 993\r\n", SIX, id="tcp6"),
        pytest.param(b"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.2 40000 25\r\n", FOUR, id="mapped"),
        pytest.param(
            b"PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n",
            ends("0.0.0.0", 0, "255.255.255.255", 65535),
            id="extremes",
        ),
        pytest.param(b"PROXY UNKNOWN\r\n", None, id="unknown"),
        pytest.param(b"PROXY UNKNOWN ffff::1 whatever 1 2 3\r\n", None, id="unknown with more"),
        pytest.param(binary(BODY), FOUR, id="binary tcp4"),
        pytest.param(binary(BODY + TLV), FOUR, id="binary with more"),
        pytest.param(
            binary(packed("2001:db8::1", "2001:db8::2", ports=(40000, 993)), family=0x21), SIX, id="binary tcp6"
        ),
        pytest.param(
            binary(packed("::ffff:192.0.2.1", "::ffff:198.51.100.2", ports=(40000, 25)), family=0x21),
            FOUR,
            id="binary mapped",
        ),
        pytest.param(binary(b"", command=0x20, family=0), None, id="local"),
        pytest.param(binary(BODY, command=0x20), None, id="local with addresses"),
        pytest.param(binary(b"", family=0), None, id="unspecified"),
        pytest.param(binary(BODY, family=0x12), None, id="udp"),
        pytest.param(binary(bytes(216), family=0x31), None, id="unix"),
        pytest.param(binary(BODY + bytes(HEADER_OCTETS - 16 - len(BODY))), FOUR, id="longest"),
    ],
)
def test_headers(octets: bytes, expected: Ends | None):
    assert parse(octets) == Header(expected, len(octets))
    assert parse(octets + b"EHLO client.example\r\n") == Header(expected, len(octets))
    for end in range(len(octets)):
        assert parse(octets[:end]) is None, f"{end} octets are not all"


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"EHLO client.example\r\n", id="the client itself"),
        pytest.param(b"\x16\x03\x01", id="tls"),
        pytest.param(b"proxy TCP4 192.0.2.1 198.51.100.2 40000 25\r\n", id="lower case"),
        pytest.param(b"PROXY TCP4 192.0.2.1 198.51.100.2 40000\r\n", id="no port"),
        pytest.param(b"PROXY TCP4 192.0.2.1 198.51.100.2 40000 25 x\r\n", id="too much"),
        pytest.param(b"PROXY TCP4  192.0.2.1 198.51.100.2 40000 25\r\n", id="two spaces"),
        pytest.param(b"PROXY TCP4 192.0.2.1 198.51.100.2 65536 25\r\n", id="port too large"),
        pytest.param(b"PROXY TCP4 192.0.2.1 198.51.100.2 -1 25\r\n", id="negative port"),
        pytest.param(b"PROXY TCP4 192.0.2.1 198.51.100.2 040 25\r\n", id="port with a leading zero"),
        pytest.param(b"PROXY TCP4 192.0.2 198.51.100.2 40000 25\r\n", id="short address"),
        pytest.param(b"PROXY TCP4 2001:db8::1 2001:db8::2 40000 25\r\n", id="other family"),
        pytest.param(b"PROXY TCP6 192.0.2.1 198.51.100.2 40000 25\r\n", id="other family too"),
        pytest.param(b"PROXY UDP4 192.0.2.1 198.51.100.2 40000 25\r\n", id="no tcp"),
        pytest.param(b"PROXY UNKNOWNS\r\n", id="another word"),
        pytest.param(b"PROXY TCP4 192.0.2.1 198.51.100.2 40000 25\n" + bytes(70), id="bare LF"),
        pytest.param(b"PROXY UNKNOWN " + b"x" * 92 + b"\r\n", id="line too long"),
        pytest.param(b"PROXY " + b"x" * 200, id="no end"),
        pytest.param(b"\r\n\r\n\x00\r\nQUIT\r", id="signature not quite"),
        pytest.param(binary(BODY, command=0x11), id="version 1 in binary"),
        pytest.param(binary(BODY, command=0x22), id="unknown command"),
        pytest.param(binary(BODY, family=0x41), id="unknown family"),
        pytest.param(binary(BODY, family=0x13), id="unknown transport"),
        pytest.param(binary(BODY[:-1]), id="too short"),
        pytest.param(binary(b"", family=0x21), id="no addresses"),
        pytest.param(binary(b"", size=HEADER_OCTETS - 15), id="too long"),
    ],
)
def test_what_is_no_header(octets: bytes):
    with pytest.raises(Malformed):
        parse(octets)


def test_longest_line():
    """107 octets, as the specification has it."""
    line = b"PROXY UNKNOWN " + b"x" * (107 - 16) + b"\r\n"
    assert len(line) == 107
    assert parse(line) == Header(None, 107)


def test_any_octets_are_a_header_or_none():
    chance = random.Random(4711)
    seeds = [b"PROXY TCP4 192.0.2.1 198.51.100.2 40000 25\r\n", binary(BODY + TLV), b"PROXY UNKNOWN\r\n"]
    for _ in range(3000):
        octets = bytearray(chance.choice(seeds))
        for _ in range(chance.randrange(4)):
            octets[chance.randrange(len(octets))] = chance.randrange(256)
        try:
            header = parse(bytes(octets))
        except Malformed:
            continue
        assert header is None or 0 < header.octets <= HEADER_OCTETS
