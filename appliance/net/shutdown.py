"""The end of the house, announced: everyone who may be in the middle of something listens to it."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio

T = TypeVar("T")


class Shutdown:
    """Requested once; sessions say goodbye, keepers start nothing new."""

    def __init__(self) -> None:
        self.requested = False
        #: The number of the signal that asked for it; 0 when a person did.
        self.exit_code = 0
        self._event = trio.Event()
        self._listeners: dict[int, Callable[[], None]] = {}
        self._next = 0

    def request(self) -> None:
        """Announce it. Again: nothing."""
        if self.requested:
            return
        self.requested = True
        self._event.set()
        for call in list(self._listeners.values()):
            call()

    async def wait(self) -> None:
        """Wait until it is requested."""
        await self._event.wait()

    def listen(self, call: Callable[[], None]) -> int:
        """Call at the request; now, if it was made. Give the number to `forget`."""
        self._next += 1
        if self.requested:
            call()
        else:
            self._listeners[self._next] = call
        return self._next

    async def unless_requested(self, work: Callable[[], Awaitable[T]], otherwise: T) -> T:
        """What some work comes to; `otherwise` when the end is announced before, and the work is given up."""
        with trio.CancelScope() as scope:
            number = self.listen(scope.cancel)
            try:
                return await work()
            finally:
                self.forget(number)
        return otherwise

    def forget(self, number: int) -> None:
        """Listen no more."""
        self._listeners.pop(number, None)
