"""Compressed connections: whatever the peer's flushes are like, in bounded pieces, and what comes behind them."""

import ipaddress
import random
import time
import zlib

import pytest
import trio
from trio.testing import memory_stream_pair

from appliance.base.log import Log
from appliance.net.connection import Closed, Connection
from appliance.net.deflate import BadDeflate, Deflate
from appliance.serve import CONNECTION

HERE = ipaddress.ip_address("127.0.0.1")


def connection(stream: trio.abc.Stream) -> Connection:
    return Connection(
        stream, cid=1, remote=HERE, remote_port=4, local=HERE, local_port=143, log=Log("imap"), limits=CONNECTION
    )


def compressor() -> "zlib._Compress":
    return zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)


def taken(deflate: Deflate) -> bytes:
    pieces = []
    while octets := deflate.take():
        assert len(octets) <= 32 * 1024
        pieces.append(octets)
    return b"".join(pieces)


TEXT = b"a1 UID FETCH 1:* (FLAGS)\r\na2 NOOP\r\n" + random.Random(1).randbytes(3000)


@pytest.mark.parametrize("flush", [zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH, zlib.Z_PARTIAL_FLUSH, zlib.Z_BLOCK])
@pytest.mark.parametrize("step", [1, 7, 1000, 1 << 20])
def test_any_flush_in_any_pieces(flush: int, step: int):
    peer = compressor()
    octets = peer.compress(TEXT) + peer.flush(flush) + peer.compress(b"a3 LOGOUT\r\n") + peer.flush(zlib.Z_FINISH)
    deflate = Deflate()
    found = b""
    for at in range(0, len(octets), step):
        assert not deflate.ended
        deflate.feed(octets[at : at + step])
        found += taken(deflate)
    assert found == TEXT + b"a3 LOGOUT\r\n"
    assert deflate.ended


@pytest.mark.parametrize("flush", [zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH, zlib.Z_PARTIAL_FLUSH])
def test_what_was_flushed_can_be_read(flush: int):
    peer = compressor()
    deflate = Deflate()
    for text in (b"a1 NOOP\r\n", TEXT, b"a2 NOOP\r\n", b"x"):
        deflate.feed(peer.compress(text) + peer.flush(flush))
        assert taken(deflate) == text


def test_the_peer_reads_each_group_of_responses_at_once():
    deflate, reader = Deflate(), zlib.decompressobj(-zlib.MAX_WBITS)
    for text in (b"* OK\r\n", TEXT * 50, b"x" * 32 * 1024, b"a1 OK done\r\n"):
        assert b"".join(map(reader.decompress, deflate.compress(text))) == text
    assert reader.decompress(deflate.finish()) == b""
    assert reader.eof


def test_much_from_little_comes_in_pieces():
    """A literal of zeros, a thousand times as large as its packets: never more at once than a slice."""
    peer = compressor()
    octets = peer.compress(bytes(50_000_000)) + peer.flush(zlib.Z_SYNC_FLUSH)
    assert len(octets) < 60_000
    deflate = Deflate()
    deflate.feed(octets)
    count = 0
    while piece := deflate.take():
        assert len(piece) <= 32 * 1024
        count += len(piece)
    assert count == 50_000_000


def test_flushes_of_nothing_cost_in_proportion():
    def seconds(count: int) -> float:
        octets = b"\0\0\0\xff\xff" * count
        best = 1e9
        for _ in range(3):
            deflate = Deflate()
            deflate.feed(octets)
            began = time.process_time()
            assert deflate.take() == b""
            best = min(best, time.process_time() - began)
        return best

    # Quadratic work would come out as 8.
    assert any(seconds(40_000) / seconds(5_000) / 8 < 4 for _ in range(5))


@pytest.mark.parametrize("octets", [b"\xff\xff\xff\xff", b"\x01\x05\0\0\0hello", b"\x07rubbish"])
def test_rubbish(octets: bytes):
    deflate = Deflate()
    deflate.feed(octets)
    with pytest.raises(BadDeflate):
        taken(deflate)


@pytest.mark.parametrize(
    ("end", "apart"),
    [
        pytest.param(zlib.Z_FINISH, False, id="a last block"),
        pytest.param(zlib.Z_SYNC_FLUSH, False, id="no last block"),
        pytest.param(zlib.Z_SYNC_FLUSH, True, id="a last block behind a flush"),
    ],
)
def test_what_stands_behind_the_compressed_octets(end: int, apart: bool):
    peer = compressor()
    octets = peer.compress(b"a1 UNAUTHENTICATE\r\n") + peer.flush(end)
    if apart:
        octets += peer.flush(zlib.Z_FINISH)
    deflate = Deflate()
    deflate.feed(octets + b"a2 NOOP\r\n")
    assert deflate.take() == b"a1 UNAUTHENTICATE\r\n"
    assert deflate.rest() == b"a2 NOOP\r\n"


async def test_a_connection_begins_and_ends_to_compress():
    near, far = memory_stream_pair()
    served = connection(far)
    peer, reader = compressor(), zlib.decompressobj(-zlib.MAX_WBITS)
    octets = peer.compress(b"a NOOP\r\n") + peer.flush(zlib.Z_SYNC_FLUSH)
    served.start_compression(octets[:1])
    await near.send_all(octets[1:])
    assert await served.receive() == b"a NOOP\r\n"
    await served.send(b"a OK\r\n")
    assert reader.decompress(await near.receive_some()) == b"a OK\r\n"
    await near.send_all(peer.compress(b"b END\r\n") + peer.flush(zlib.Z_FINISH) + b"c NOOP\r\n")
    assert await served.receive() == b"b END\r\n"
    await served.end_compression()
    assert not served.compressed
    await served.send(b"plain")
    reader.decompress(await near.receive_some())
    assert (reader.eof, reader.unused_data) == (True, b"plain")
    assert await served.receive() == b"c NOOP\r\n"


async def test_the_end_of_the_peers_compression_is_the_end():
    near, far = memory_stream_pair()
    served = connection(far)
    served.start_compression(b"")
    peer = compressor()
    await near.send_all(peer.compress(b"x") + peer.flush(zlib.Z_FINISH))
    assert (await served.receive(), await served.receive()) == (b"x", b"")


async def test_a_peer_that_does_not_compress():
    near, far = memory_stream_pair()
    served = connection(far)
    served.start_compression(b"")
    await near.send_all(b"a1 NOOP\r\n" * 3)
    with pytest.raises(Closed):
        await served.receive()


async def test_nothing_is_sent_behind_what_was_cut():
    _, far = trio.testing.lockstep_stream_pair()
    served = connection(far)
    served.start_compression(b"")
    with trio.move_on_after(0):
        await served.send(TEXT)
    with pytest.raises(Closed):
        await served.send(b"* BYE\r\n")
    await served.end_compression()
