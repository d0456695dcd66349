"""IDLE: news is told as it happens (I-168, RFC 2177)."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import trio

from appliance.protocol.imap import command
from appliance.protocol.lines import NeedData
from appliance.servers.imap import news

if TYPE_CHECKING:
    from appliance.servers.imap.session import Session


async def _first(wait: Callable[[], Awaitable[None]], race: trio.CancelScope) -> None:
    await wait()
    race.cancel()


async def idle(session: "Session", tag: str, _: command.Idle) -> None:
    """IDLE until DONE."""
    subscription = session.subscription
    assert subscription is not None
    session.say(b"+ idling\r\n")
    news.tell(session)
    await session.flush()
    session.protocol.expect_idle_done()
    session.connection.expire_in(session.door.times.idle)
    over = trio.Event()

    async def push() -> None:
        # The wait ends with the command, but never in the middle of a line.
        while not over.is_set():
            async with trio.open_nursery() as race:
                race.start_soon(_first, subscription.wait, race.cancel_scope)
                race.start_soon(_first, over.wait, race.cancel_scope)
            if not over.is_set():
                news.tell(session)
                await session.flush()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(push)
        try:
            while isinstance(session.protocol.next_event(), NeedData):
                if not await session.receive():
                    session.end()
                    break
        finally:
            over.set()
    session.done(tag)
