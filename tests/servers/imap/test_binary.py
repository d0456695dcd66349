"""BINARY of large parts (RFC 3516): decoded piece by piece, the same octets whatever the way they take."""

import base64
import random
import re

import pytest

from appliance.servers.imap import content, fetch
from support.imaphouse import Client, House, open_house

OCTETS = random.Random(3).randbytes(1_500_000)
BASE64 = base64.encodebytes(OCTETS).replace(b"\n", b"\r\n")
TEXT = b"A line of text.\r\n" * 40_000
MAIL = (
    b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: image/png\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\n" + BASE64 + b"\r\n--x\r\n\r\n" + TEXT + b"\r\n--x--\r\n"
)


async def value(client: Client, item: str) -> tuple[bytes, bytes]:
    """What stands before the value's octets, and these."""
    lines = await client.command(f"FETCH 1 {item}")
    found = re.match(rb"\* 1 FETCH \([^ ]+ (~?)\{([0-9]+)\}\r\n", lines[0])
    assert found, lines[0][:200]
    octets = lines[0][found.end() : -1]
    assert len(octets) == int(found[2])
    return found[1], octets


@pytest.fixture(params=["large", "very large", "usual"])
async def house(request, tmp_path, monkeypatch):
    """With the limits in between, below and above the sizes here."""
    if request.param == "very large":
        monkeypatch.setattr(fetch, "DECODED_OCTETS", 1000)
    if request.param == "usual":
        monkeypatch.setattr(content, "LARGE_OCTETS", 10_000_000)
    async with open_house(tmp_path, max_message_octets=10_000_000) as house:
        yield house


async def test_all_ways_lead_to_the_same_octets(house: House):
    client = await house.log_in()
    await client.append(MAIL)
    await client.command("SELECT INBOX")
    assert await value(client, "BINARY.PEEK[1]") == (b"~", OCTETS)
    for offset, count in ((0, 70_000), (65_535, 3), (700_001, 600_000), (1_499_999, 5)):
        _, octets = await value(client, f"BINARY.PEEK[1]<{offset}.{count}>")
        assert octets == OCTETS[offset : offset + count]
    assert await value(client, "BINARY.PEEK[1]<1500000.5>") == (b"", b"")
    assert (await value(client, "BINARY.PEEK[2]"))[1] == TEXT
    assert (await value(client, "BINARY.PEEK[2]<17.15>"))[1] == b"A line of text."
    assert (await value(client, "BINARY.PEEK[]"))[1] == (await value(client, "BODY.PEEK[]"))[1]
    assert (await value(client, "BINARY.PEEK[]<100.300000>"))[1] == (await value(client, "BODY.PEEK[]<100.300000>"))[1]
    lines = await client.command("FETCH 1 (BINARY.SIZE[1] BINARY.SIZE[2])")
    assert lines[0] == b"* 1 FETCH (BINARY.SIZE[1] 1500000 BINARY.SIZE[2] %d)" % len(TEXT)


def test_the_size_of_a_part_is_measured_in_pieces():
    work = content.Decode(1, 5, 5 + len(BASE64), "base64", None, measure=True)  # type: ignore[arg-type]
    asked = []

    def read(start: int, end: int) -> bytes:
        asked.append(end - start)
        return BASE64[start - 5 : end - 5]

    assert sum(map(len, work.pieces(read, 65_536))) == len(OCTETS)
    assert max(asked) <= 65_536
