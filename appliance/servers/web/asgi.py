"""What runs under an HTTP connection: an ASGI application (version 3), with two answers more about its requests."""

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Protocol

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
#: An application as the frameworks have it.
ASGI = Callable[[Scope, Receive, Send], Awaitable[None]]


@dataclass(slots=True)
class LongMessages:
    """What who accepts a WebSocket may say, as `messages` of `websocket.accept`: its messages may be longer than usual.

    Of all sockets that share one of these, only so many may have a long message under way, from where it is long until
    the application asks for what comes next: a client could begin one on each, and never end it, or have all of them
    worked on at once.
    """

    #: The longest.
    octets: int
    #: At a time.
    most: int
    under_way: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a request ended."""

    status: int
    #: Octets of bodies; of a WebSocket those of its messages.
    received_octets: int
    sent_octets: int
    #: Until the response began, and until all was over.
    head_seconds: float
    seconds: float
    #: Something that should not happen did, and the client saw a 500 or an end too early.
    bug: Exception | None = None


class Application(Protocol):
    """What answers the requests of a port."""

    def body_octets(self, scope: Scope) -> int:
        """The longest body that this request may have."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer. It is cancelled when the client is gone, or too slow."""

    def record(self, scope: Scope, outcome: Outcome) -> None:
        """Called once for each request, when it is over."""
