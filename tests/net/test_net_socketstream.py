"""The plain stream under every connection, and the end of a conversation."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from appliance.net.socketstream import SocketStream
from support.streams import both


@asynccontextmanager
async def sockets() -> AsyncIterator[tuple[SocketStream, SocketStream]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    with near, far:
        yield SocketStream(near), SocketStream(far)


async def test_octets_and_end():
    async with sockets() as (near, far):
        await near.send_all(b"one")
        assert await far.receive_some() == b"one"
        await near.send_eof()
        assert await far.receive_some() == b""
        assert far.send_now(b"two") == 3
        assert await near.receive_some(1) == b"t"


async def test_more_than_the_kernel_takes():
    octets = bytes(range(256)) * 40_000

    async def read(stream: SocketStream) -> None:
        left = len(octets)
        while left:
            left -= len(await stream.receive_some())

    async with sockets() as (near, far):
        assert await both(lambda: near.send_all(octets), lambda: read(far)) == [None, None]
        while near.send_now(octets):
            pass


async def test_senders_do_not_mix():
    ours, theirs = b"a" * 3_000_000, b"b" * 3_000_000
    got = bytearray()

    async def read(stream: SocketStream) -> None:
        while len(got) < len(ours) + len(theirs):
            got.extend(await stream.receive_some())

    async with sockets() as (near, far):
        assert await both(lambda: near.send_all(ours), lambda: near.send_all(theirs), lambda: read(far)) == [None] * 3
    assert bytes(got) in {ours + theirs, theirs + ours}


async def test_closing_wakes_who_waits():
    async with sockets() as (near, _):

        async def close() -> None:
            await trio.testing.wait_all_tasks_blocked()
            await near.aclose()

        raised = await both(near.receive_some, close)
        assert isinstance(raised[0], trio.ClosedResourceError)
        with pytest.raises(trio.ClosedResourceError):
            await near.receive_some()
        with pytest.raises(trio.ClosedResourceError):
            await near.send_all(b"x")
        await near.aclose()


async def test_reset_breaks_the_stream():
    async with sockets() as (near, far):
        far.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        await far.aclose()
        with pytest.raises(trio.BrokenResourceError):
            await near.receive_some()
