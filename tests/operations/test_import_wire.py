"""Messages between programs of ours: whole however they are cut, and nothing else is taken for them."""

from contextlib import aclosing
from datetime import UTC, datetime

import pytest

from appliance.operations.importing import wire
from appliance.operations.importing.found import Box, Message, Trouble, Unreadable

ITEMS = [
    Box("Inbox"),
    Message("Inbox", b"Subject: 1\r\n\r\n\x00\xff", ["\\Seen", "work"], datetime(2026, 1, 2, 3, tzinfo=UTC), "here"),
    Trouble("Übung is too large"),
    Message("Inbox", b"", [], None, "there"),
]


async def taken(octets: bytes, piece: int) -> list[object]:
    async def chunks():
        for at in range(0, len(octets), piece):
            yield octets[at : at + piece]

    async with aclosing(chunks()) as cut:
        return [one async for batch in wire.decoded(cut) for one in batch]


@pytest.mark.parametrize("piece", [1, 7, 10_000])
async def test_comes_back(piece):
    assert await taken(b"".join(map(wire.encode, ITEMS)), piece) == ITEMS


async def test_batches_are_small():
    async def chunks():
        yield b"".join(wire.encode(ITEMS[1]) for _ in range(100))

    assert [len(batch) async for batch in wire.decoded(chunks())] == [40, 40, 20]


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"\xff\xff\xff\xff", id="a long head"),
        pytest.param(b'\0\0\0\5{"a":', id="no JSON"),
        pytest.param(b"\0\0\0\2[]", id="a list"),
        pytest.param(b"\0\0\0\2{}", id="nothing"),
        pytest.param(b'\0\0\0\x19{"size": 99999999999999}  ', id="a large message"),
        pytest.param(b'\0\0\0\x0a{"size":1}x', id="a message without its facts"),
        pytest.param(wire.encode(ITEMS[1])[:-1], id="cut"),
    ],
)
async def test_nothing_else_is_taken(octets):
    with pytest.raises(Unreadable):
        await taken(octets, 10_000)
