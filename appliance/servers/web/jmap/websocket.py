"""JMAP over a WebSocket: requests one after the other, and changes between them (RFC 8887)."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
import trio

from appliance.delivery.appliance import Appliance
from appliance.servers.web.asgi import Receive, Send
from appliance.servers.web.jmap import batch
from appliance.servers.web.jmap.call import Wire
from appliance.servers.web.jmap.problem import RequestProblem, not_request
from appliance.servers.web.jmap.watch import LOOK_SECONDS, Waiting, Watch
from appliance.store.problems import NoSuchAccount

#: RFC 8887 §4.1
SUBPROTOCOL: Final = "jmap"
_CODE_GOING_AWAY, _CODE_UNSUPPORTED = 1001, 1003
#: Of the id of a request, which is given back.
_ID_CHARACTERS: Final = 1000

#: Runs the calls of a request that was parsed; its response. Raises RequestProblem.
Run = Callable[[Any], Awaitable[bytes]]


class PushEnable(Wire):
    """RFC 8887 §4.3.5.2"""

    data_types: list[str] | None = None
    push_state: str | None = None


class Conversation:
    """One WebSocket."""

    def __init__(self, app: Appliance, waiting: Waiting, run: Run, receive: Receive, send: Send) -> None:
        self._app, self._waiting, self._run = app, waiting, run
        self._receive, self._send = receive, send
        self._sending = trio.Lock()
        self._watch: Watch | None = None

    async def serve(self, goes_on: Callable[[], bool]) -> None:
        """To its end."""
        accepted = {"type": "websocket.accept", "subprotocol": SUBPROTOCOL, "headers": []}
        await self._send({**accepted, "messages": self._waiting.messages})
        is_left = False
        with self._waiting.scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._push, goes_on, nursery.cancel_scope)
                await self._answer()
                is_left = True
                nursery.cancel_scope.cancel()
        if is_left:
            return
        with trio.move_on_after(1, shield=True):
            await self._send({"type": "websocket.close", "code": _CODE_GOING_AWAY})

    async def _push(self, goes_on: Callable[[], bool], scope: trio.CancelScope) -> None:
        """Look for changes, and whether all this may go on."""
        while goes_on():
            watch = self._watch
            if watch is not None:
                try:
                    news = await watch.look()
                except NoSuchAccount:
                    break
                if news is not None:
                    await self._say(msgspec.json.encode({**news, "pushState": watch.state}))
            with trio.move_on_after(LOOK_SECONDS):
                await self._app.shutdown.wait()
                break
        scope.cancel()

    async def _say(self, octets: bytes) -> None:
        async with self._sending:
            await self._send({"type": "websocket.send", "text": octets.decode()})

    async def _answer(self) -> None:
        """Answer messages until the client has left."""
        while True:
            event = await self._receive()
            if event["type"] != "websocket.receive":
                return
            text = event.get("text")
            if text is None:
                async with self._sending:
                    # RFC 8887 §4.2: there are no binary messages.
                    await self._send({"type": "websocket.close", "code": _CODE_UNSUPPORTED})
                return
            id: str | None = None
            try:
                value = await batch.read_request(text)
                id = _id_of(value)
                await self._take(value, id)
            except RequestProblem as problem:
                fields = {"@type": "RequestError", "requestId": id, **problem.fields}
                await self._say(msgspec.json.encode(fields))

    async def _take(self, value: Any, id: str | None) -> None:
        """Raises RequestProblem."""
        kind = value.get("@type") if isinstance(value, dict) else None
        match kind:
            case "Request":
                octets = await self._run(value)
                head = {"@type": "Response", **({} if id is None else {"requestId": id})}
                await self._say(msgspec.json.encode(head)[:-1] + b"," + octets[1:])
            case "WebSocketPushEnable":
                try:
                    asked = msgspec.convert(value, PushEnable)
                except msgspec.ValidationError as error:
                    raise not_request(str(error)) from error
                types = None if asked.data_types is None else frozenset(asked.data_types)
                self._watch = Watch(self._app, self._waiting.actor, types, asked.push_state or "")
            case "WebSocketPushDisable":
                self._watch = None
            case _:
                raise not_request("@type must be Request, WebSocketPushEnable or WebSocketPushDisable")


def _id_of(value: Any) -> str | None:
    id = value.get("id") if isinstance(value, dict) else None
    return id[:_ID_CHARACTERS] if isinstance(id, str) else None
