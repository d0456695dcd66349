"""What a control command is: a coroutine function over the house and a request; what it returns is the answer."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import trio

from appliance.delivery.appliance import Appliance
from appliance.servers.control.request import Request

#: A Problem it raises is told to the client as a fault of the request; any other exception is a bug of ours. It is
#: cancelled when the client leaves: what must not be left half done is shielded by its verb.
Handler = Callable[[Appliance, Request], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Talk:
    """The answer of a handler after which the connection speaks another protocol to its end."""

    #: Takes the stream, and what was received of it already.
    speak: Callable[[trio.abc.Stream, bytes], Awaitable[None]]
