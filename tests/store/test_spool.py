"""What is being received, in pieces of any size."""

import random
import sys
import threading

import pytest

from appliance.mail import scan
from appliance.store import prepare, store as store_module
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


PARTS = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\n\n" * 1000 + b"--b--\r\n"
NESTS = b"Content-Type: MESSAGE/rfc822\r\n\r\n" * 40 + b"\r\nhello\r\n"


@pytest.mark.parametrize(
    ("octets", "is_apart"),
    [
        pytest.param(b"Subject: x\r\n\r\nhello\r\n" * 500, False, id="small"),
        pytest.param(PARTS, True, id="five octets a part"),
        pytest.param(NESTS, True, id="nested messages"),
        pytest.param(b"Subject: x\r\n\r\n" + b"hello\r\n" * 10_000, True, id="large"),
        pytest.param(b"Subject: x\r\n\r\n" + b"hello\r\n" * 500_000, True, id="in a file"),
    ],
)
async def test_what_may_take_long_is_looked_at_in_a_thread(tmp_path, monkeypatch, octets, is_apart):
    """Its structure, and what is made of it afterwards: neither may hold up everybody else."""
    looked: list[bool] = []

    def noting(function):
        def noted(*arguments, **options):
            looked.append(threading.current_thread() is not threading.main_thread())
            return function(*arguments, **options)

        return noted

    monkeypatch.setattr(scan.Scanner, "_take", noting(scan.Scanner._take))
    monkeypatch.setattr(prepare, "content", noting(prepare.content))
    with open_store(tmp_path) as store:
        async with store.spool() as spool:
            for at in range(0, len(octets), 200_000):
                await spool.write(octets[at : at + 200_000])
            spooled = await spool.finish()
            monkeypatch.setattr(store_module, "THREAD_OCTETS", 10_000_000)
            await store.content(spooled)
    assert set(looked[:-1]) == {is_apart}
    assert looked[-1] == (spooled.scanned.parts > 30)


async def test_a_scratch_file_leaves_nothing(tmp_path):
    with open_store(tmp_path) as store, store.scratch(1000) as scratch:
        await scratch.write(b"a" * 600)
        assert (scratch.in_memory, scratch.read(598, 700)) == (True, b"aa")
        await scratch.write(b"b" * 600)
        assert not scratch.in_memory
        await scratch.write(b"c" * 600)
        assert scratch.size == 1800
        assert scratch.read(599, 601) + scratch.read(1199, 1201) + scratch.read(1799, 2000) == b"abbcc"
        assert list((tmp_path / "spool").iterdir()) == []
