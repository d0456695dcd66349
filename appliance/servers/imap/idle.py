"""Telling news as it happens: in IDLE (RFC 2177), and between commands for NOTIFY (RFC 5465)."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import trio

from appliance.net.connection import Closed
from appliance.protocol.imap import command
from appliance.protocol.lines import NeedData
from appliance.servers.imap import fetch, news

if TYPE_CHECKING:
    from appliance.servers.imap.session import Session


async def idle(session: "Session", tag: str, _: command.Idle) -> None:
    """IDLE until DONE."""
    news.tell(session)
    await fetch.tell_rest(session)
    session.say(b"+ idling\r\n")
    await session.flush()
    session.protocol.expect_idle_done()
    session.connection.expire_in(session.door.times.idle)

    async def done() -> None:
        while isinstance(session.protocol.next_event(), NeedData):
            if not await session.receive():
                session.end()
                break

    await _telling(session, done, expunges=True)
    session.done(tag)


async def receive(session: "Session") -> bytes:
    """As `Session.receive`, telling news meanwhile."""
    octets = b""

    async def wait() -> None:
        nonlocal octets
        octets = await session.receive()

    delayed = session.notify is not None and session.notify.delayed
    await _telling(session, wait, expunges=not delayed)
    return octets


async def _telling(session: "Session", work: Callable[[], Awaitable[None]], *, expunges: bool) -> None:
    """Tell news until the work is done."""
    pusher = _Pusher(session, expunges=expunges)
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pusher.run, nursery.cancel_scope)
        try:
            await work()
        except Exception as error:
            failure = error  # Not out of the nursery, which would wrap it.
        pusher.stop()
    failure = failure or pusher.failure
    if failure is not None:
        raise failure


class _Pusher:
    """Tells news beside the wait for the client. It is stopped while it waits, never in the middle of a response."""

    def __init__(self, session: "Session", *, expunges: bool) -> None:
        self._session = session
        self._expunges = expunges
        self._wait = trio.CancelScope()
        self._stopped = False
        #: Why it ended by itself.
        self.failure: Exception | None = None

    def stop(self) -> None:
        """End with what is being sent."""
        self._stopped = True
        self._wait.cancel()

    async def run(self, waiting: trio.CancelScope) -> None:
        """Until stopped; ends the other wait, too, when the client is gone."""
        session = self._session
        subscription = session.subscription
        assert subscription is not None
        try:
            while not self._stopped:
                with trio.CancelScope() as self._wait:
                    await subscription.wait()
                await news.take_in(session)
                if not self._stopped:
                    news.tell(session, expunges=self._expunges)
                await fetch.tell_rest(session)
                await session.flush()
        except Exception as error:
            self.failure = error
            if not isinstance(error, Closed):
                session.log.error("cannot tell news", error)
            waiting.cancel()
