"""Streams and certificates for tests of connections: real sockets on loopback, both ends ours."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import cache

import trio
from OpenSSL import SSL

from appliance.net.clienthello import Hello
from appliance.net.connection import Choose
from appliance.tls import selfsigned
from appliance.tls.context import KeyPair


@cache
def key_pair(*names: str) -> KeyPair:
    """A certificate for these names; `localhost` without any."""
    return selfsigned.make(names or ("localhost",), ["127.0.0.1", "::1"], datetime.now(UTC))


def always(context: SSL.Context) -> Choose:
    """The one context, whatever a client asks for."""

    async def choose(_: Hello) -> SSL.Context:
        return context

    return choose


@asynccontextmanager
async def socket_pair() -> AsyncIterator[tuple[trio.SocketStream, trio.SocketStream]]:
    """A TCP connection: the client's end and the server's."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        client = await trio.open_tcp_stream("127.0.0.1", listener.socket.getsockname()[1])
        server = await listener.accept()
    async with client, server:
        yield client, server


async def both(*functions: Callable[[], object]) -> list[BaseException | None]:
    """Run them side by side; what each of them raised."""
    raised: list[BaseException | None] = [None] * len(functions)

    async def one(at: int) -> None:
        try:
            await functions[at]()  # type: ignore[misc]
        except Exception as error:
            raised[at] = error

    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            for at in range(len(functions)):
                nursery.start_soon(one, at)
    return raised
