"""What is being received, in pieces of any size."""

import random
import sys

import pytest

from support.stores import open_store


@pytest.mark.parametrize("sizes", [[1, 2], [1, 3, 5000], [4096, 4095, 1], [100, 70_000, 3]])
async def test_pieces(tmp_path, sizes):
    chance = random.Random(1)
    pieces = [chance.randbytes(chance.choice(sizes)) for _ in range(300)]
    with open_store(tmp_path) as store:
        async with store.spool() as spool:
            for piece in pieces:
                await spool.write(piece)
            spooled = await spool.finish()
            whole = b"".join(pieces)
            assert spooled.size == len(whole)
            assert spooled.read(0, len(whole)) == whole


async def test_drops_cost_no_more_than_a_message(tmp_path):
    with open_store(tmp_path) as store:
        async with store.spool() as spool:
            for _ in range(50_000):
                await spool.write(b"xy")
            held = sys.getsizeof(spool._chunks) + sum(map(sys.getsizeof, spool._chunks))
            assert held < 150_000


async def test_nothing(tmp_path):
    with open_store(tmp_path) as store:
        async with store.spool() as spool:
            assert (await spool.finish()).octets == b""
