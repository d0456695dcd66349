"""What a control command is: a coroutine function over the house and a request; what it returns is the answer."""

from collections.abc import Awaitable, Callable
from typing import Any

from appliance.delivery.appliance import Appliance
from appliance.servers.control.request import Request

#: A Problem it raises is told to the client as a fault of the request; any other exception is a bug of ours. It is
#: cancelled when the client leaves: what must not be left half done is shielded by its verb.
Handler = Callable[[Appliance, Request], Awaitable[Any]]
