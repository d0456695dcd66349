"""IDLE: news is told as it happens (I-168, RFC 2177)."""

from typing import TYPE_CHECKING

import trio

from appliance.protocol.imap import command
from appliance.protocol.lines import NeedData
from appliance.servers.imap import news

if TYPE_CHECKING:
    from appliance.servers.imap.session import Session


async def idle(session: "Session", tag: str, _: command.Idle) -> None:
    """IDLE until DONE."""
    subscription = session.subscription
    assert subscription is not None
    session.say(b"+ idling\r\n")
    news.tell(session)
    await session.flush()
    session.protocol.expect_idle_done()
    session.connection.expire_in(session.door.times.idle)
    waiting = trio.CancelScope()

    async def push() -> None:
        # Only the wait is cancelled at the end, never a half-sent line.
        while not waiting.cancel_called:
            with waiting:
                await subscription.wait()
            if waiting.cancel_called:
                return
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
            waiting.cancel()
    session.done(tag)
