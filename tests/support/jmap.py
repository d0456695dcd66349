"""A client of JMAP for tests, on a browser of `webhouse`."""

import json
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import trio

from appliance.servers.web.app import client_of
from appliance.servers.web.dispatch import Target
from support.webhouse import PORT, Answer, Browser

ALL = (
    *("urn:ietf:params:jmap:core", "urn:ietf:params:jmap:mail", "urn:ietf:params:jmap:submission"),
    *("urn:ietf:params:jmap:vacationresponse", "urn:ietf:params:jmap:quota", "urn:ietf:params:jmap:blob"),
    *("urn:ietf:params:jmap:mdn", "urn:moxpy:mail"),
)


@dataclass
class JMAP:
    """Of an account that has logged in to the webmail."""

    browser: Browser
    using: tuple[str, ...] = ALL
    name: str = "alice"

    @property
    def account(self) -> str:
        return f"A{self.browser.house.number(self.name)}"

    async def post(self, body: bytes, **headers: str) -> Answer:
        """A request as octets."""
        fields = {"content-type": "application/json", "x-mox-csrf": self.browser.csrf}
        fields.update({key.replace("_", "-"): value for key, value in headers.items()})
        return await self.browser.request("POST", "jmap/api", body, fields)

    async def request(self, calls: list[Any], created: dict[str, str] | None = None, **headers: str) -> Any:
        """Calls as JMAP has them; the response."""
        request = {"using": self.using, "methodCalls": calls}
        if created is not None:
            request["createdIds"] = created
        answer = await self.post(json.dumps(request).encode(), **headers)
        assert answer.status == 200, answer.body
        return answer.json

    async def responses(self, *calls: Any) -> list[Any]:
        """The responses to calls; an account stands in all that have none."""
        made = [
            [name, arguments if name == "Core/echo" else {"accountId": self.account, **arguments}, id]
            for name, arguments, id in calls
        ]
        return (await self.request(made))["methodResponses"]

    async def call(self, method: str, arguments: dict[str, Any] | None = None, **more: Any) -> Any:
        """One call; the arguments of its response, or its error."""
        ((_, answer, _),) = await self.responses([method, {**(arguments or {}), **more}, "0"])
        return answer


class Socket:
    """A WebSocket to `jmap/ws`, as a browser's."""

    def __init__(self) -> None:
        self._to_server, self._receive = trio.open_memory_channel[Any](math.inf)
        self.events: list[Any] = []
        self._news = trio.Event()
        self._read = 0

    async def send(self, value: Any) -> None:
        """A message: an object, or whatever is no object as it is."""
        text = value if isinstance(value, str) else json.dumps(value)
        await self._to_server.send({"type": "websocket.receive", "text": text})

    async def send_octets(self, octets: bytes) -> None:
        await self._to_server.send({"type": "websocket.receive", "bytes": octets})

    async def next(self) -> Any:
        """The next message, or the event that ends it."""
        while self._read == len(self.events):
            await self._news.wait()
        event = self.events[self._read]
        self._read += 1
        return json.loads(event["text"]) if event["type"] == "websocket.send" else event

    async def _take(self, event: Any) -> None:
        self.events.append(event)
        self._news.set()
        self._news = trio.Event()


@asynccontextmanager
async def socket(
    browser: Browser, headers: dict[str, str] | None = None, subprotocols: tuple[str, ...] = ("jmap",)
) -> AsyncIterator[Socket]:
    """An open WebSocket; its first event says whether it was accepted."""
    root = f"/{browser.application}"
    sent = {"host": "mail.example.org", "origin": "https://mail.example.org", **(headers or {})}
    if browser.cookies:
        sent["cookie"] = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    scope: dict[str, Any] = {
        "type": "websocket",
        "scheme": "wss",
        "path": f"{root}/jmap/ws",
        "root_path": root,
        "query_string": b"",
        "subprotocols": list(subprotocols),
        "client": (browser.address, 1234),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in sent.items() if value],
        "state": {
            "target": Target(browser.application, root=f"{root}/"),
            "config": browser.house.app.config.snapshot(),
            "listener": "local",
            "port": PORT,
        },
    }
    scope["state"]["client"] = client_of(scope, forwarded=False)
    one = Socket()
    await one._to_server.send({"type": "websocket.connect"})
    async with trio.open_nursery() as nursery:
        nursery.start_soon(browser.house.applications[browser.application], scope, one._receive.receive, one._take)
        yield one
        await one._to_server.send({"type": "websocket.disconnect"})
