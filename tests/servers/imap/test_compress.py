"""COMPRESS=DEFLATE in real sessions (RFC 4978), and its end with UNAUTHENTICATE (RFC 8437 §4.1)."""

import random
import zlib

import trio
import trio.testing

from appliance.base import limits
from support.imaphouse import PASSWORD, USER, Client, House, open_house

LOGIN = f'LOGIN {USER} "{PASSWORD}"'


class Compressed:
    """The client's side, over the client's stream; `flush` is what it ends each send with."""

    def __init__(self, stream: trio.abc.Stream, flush: int = zlib.Z_SYNC_FLUSH) -> None:
        self.plain = stream
        self.flush = flush
        self.compressor = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
        self.inflater = zlib.decompressobj(-zlib.MAX_WBITS)

    async def send_all(self, octets: bytes) -> None:
        await self.plain.send_all(self.compressor.compress(octets) + self.compressor.flush(self.flush))

    async def receive_some(self, most: int) -> bytes:
        while octets := await self.plain.receive_some(most):
            if inflated := self.inflater.decompress(octets):
                return inflated
        return b""


async def compressed(house: House, flush: int = zlib.Z_SYNC_FLUSH) -> tuple[Client, Compressed]:
    client = await house.log_in()
    await client.command("COMPRESS DEFLATE")
    client.stream = stream = Compressed(client.stream, flush)  # type: ignore[assignment]
    return client, stream


async def test_commands_literals_and_long_responses(tmp_path):
    async with open_house(tmp_path) as house:
        client, stream = await compressed(house, zlib.Z_PARTIAL_FLUSH)
        octets = b"Subject: long\r\n\r\n" + random.Random(1).randbytes(500_000).hex().encode() + b"\r\n"
        await client.append(octets)
        assert b"COMPRESS" not in (await client.command("CAPABILITY"))[0]
        await client.command("SELECT INBOX")
        lines = await client.command("FETCH 1 BODY.PEEK[]")
        assert octets in lines[0]
        lines = await client.command("COMPRESS DEFLATE", expect=b"NO")
        assert b"[COMPRESSIONACTIVE]" in lines[0]
        await client.command("COMPRESS LZ4", expect=b"BAD")
        await client.command("LOGOUT")
        assert await client.line() == b""
        assert stream.inflater.eof


async def test_it_is_for_those_who_have_logged_in(tmp_path):
    async with open_house(tmp_path) as house:
        client = house.connect()
        assert b"COMPRESS" not in await client.line()
        await client.command("COMPRESS DEFLATE", expect=b"NO")
        lines = await client.command(LOGIN)
        assert b" COMPRESS=DEFLATE" in lines[0]


async def test_limits_hold_for_what_is_inflated(tmp_path):
    """A line of a hundred megabytes in a packet of a hundred kilobytes."""
    async with open_house(tmp_path) as house:
        client, stream = await compressed(house)
        packet = stream.compressor.compress(b"a1 NOOP " + b"x" * 100_000_000) + stream.compressor.flush()
        assert len(packet) < 110_000
        await stream.plain.send_all(packet)
        assert await client.line() == b"* BYE line too long"
        assert await client.line() == b""


async def test_a_message_of_zeros_is_measured_as_it_is_stored(tmp_path):
    async with open_house(tmp_path) as house:
        client, _ = await compressed(house)
        await client.send(b"a APPEND INBOX {%d}\r\n" % (limits.MIB + 1))
        assert await client.line() == b"a NO [TOOBIG] message too large"


async def test_rubbish_ends_the_session(tmp_path):
    async with open_house(tmp_path) as house:
        client, stream = await compressed(house)
        await stream.plain.send_all(b"\xff" * 10_000)
        assert await client.line() == b""
        await (await house.log_in()).command("NOOP")


async def test_it_ends_with_the_login(tmp_path):
    """The next login comes uncompressed, behind the last block of the same packet."""
    async with open_house(tmp_path) as house:
        client, stream = await compressed(house)
        packet = stream.compressor.compress(b"a1 UNAUTHENTICATE\r\n") + stream.compressor.flush(zlib.Z_FINISH)
        await stream.plain.send_all(packet + b"a2 NOOP\r\n")
        assert await client.line() == b"a1 OK nobody is logged in"
        rest = b""
        while not rest.endswith(b"\r\n"):
            rest += await stream.plain.receive_some(1000)
        assert b"a2 OK done\r\n" in stream.inflater.unused_data + rest
        plain = Client(stream.plain)
        await plain.command(LOGIN)
        await plain.command("COMPRESS DEFLATE")
        plain.stream = Compressed(plain.stream)  # type: ignore[assignment]
        await plain.command("NOOP")


async def test_news_come_at_once(tmp_path):
    async with open_house(tmp_path) as house:
        client, _ = await compressed(house)
        await client.command("SELECT INBOX")
        await client.send(b"x IDLE\r\n")
        assert (await client.line()).startswith(b"+")
        await house.deliver()
        assert await client.line() == b"* 1 EXISTS"
