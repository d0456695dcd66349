"""WebSockets passed on to another web server (RFC 6455): message by message, so that limits hold on both sides.

Which origins and protocols are welcome is for that server to say. Nothing is compressed on the way.
"""

from collections import deque
from typing import Final

import trio
import wsproto
import wsproto.utilities
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Message as Piece,
    Ping,
    RejectConnection,
    RejectData,
    Request,
    TextMessage,
)

from appliance.base import limits
from appliance.base.log import Log
from appliance.config.domains import Forward
from appliance.net.http import URL, parse_url
from appliance.servers.web.asgi import Message, Receive, Scope, Send
from appliance.servers.web.site.backend import Backends, Unreachable
from appliance.servers.web.site.forward import TAKE_SECONDS, Headers, Loop, passed_back, passed_on, target

log = Log("http")

HANDSHAKE_SECONDS: Final = 30.0
_RECEIVE: Final = 64 * 1024
_CODE_GOING_AWAY, _CODE_TOO_BIG, _CODE_ERROR = 1001, 1009, 1011
#: Said of a connection, never by one side to the other (RFC 6455 §7.4.1).
_CODES_UNSAID: Final = frozenset({1004, 1005, 1006, 1015})


async def answer(
    backends: Backends, name: str, forward: Forward, skip: int, scope: Scope, receive: Receive, send: Send
) -> None:
    """Serve a WebSocket to its end."""
    await receive()  # That somebody wants to connect.
    url = parse_url(forward.url)
    try:
        headers = passed_on(scope, url, f"1.1 {name}".encode())
    except Loop:
        await _refuse(send, 508, "this request has been here before")
        return
    place = target(url, skip, scope)
    try:
        stream = await backends.connect(url)
    except Unreachable as error:
        await _unreachable(scope, send, url, error)
        return
    try:
        server = _Server(stream)
        try:
            opened = await server.open(headers, place, scope["subprotocols"])
        except Unreachable as error:
            await _unreachable(scope, send, url, error)
            return
        if isinstance(opened, RejectConnection):
            await _reject(server, opened, forward, send)
            return
        await send(
            {
                "type": "websocket.accept",
                "subprotocol": opened.subprotocol,
                "headers": _of_handshake(passed_back(opened.extra_headers, forward)),
            }
        )
        await _relay(server, receive, send)
    finally:
        with trio.CancelScope(shield=True):
            await trio.aclose_forcefully(stream)


class _Server:
    """The far end."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._protocol = wsproto.WSConnection(wsproto.ConnectionType.CLIENT)
        self._sending = trio.Lock()
        self._events: deque[Event] = deque()

    async def open(self, headers: Headers, place: str, protocols: list[str]) -> AcceptConnection | RejectConnection:
        """Its answer to the handshake. Raises Unreachable."""
        host = next(value for name, value in headers if name == b"host").decode("latin-1")
        extra = [one for one in _of_handshake(headers) if one[0] not in {b"host", b"connection"}]
        try:
            with trio.fail_after(HANDSHAKE_SECONDS):
                await self.send(Request(host=host, target=place, subprotocols=protocols, extra_headers=extra))
                event = await self.next_event()
        except trio.TooSlowError as error:
            raise Unreachable("no answer to the handshake", timeout=True) from error
        if not isinstance(event, AcceptConnection | RejectConnection):
            raise Unreachable("the server closed the connection in the handshake")
        return event

    async def send(self, event: Event) -> None:
        """Raises Unreachable."""
        try:
            async with self._sending:
                with trio.fail_after(TAKE_SECONDS):
                    await self._stream.send_all(self._protocol.send(event))
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError) as error:
            raise Unreachable(f"connection lost: {error}") from error
        except wsproto.utilities.LocalProtocolError as error:
            raise Unreachable(f"already closing, or not to be said: {error}") from error

    async def next_event(self) -> Event | None:
        """What it says next; None at the end. Raises Unreachable."""
        while not self._events:
            try:
                octets = bytes(await self._stream.receive_some(_RECEIVE))
                if not octets:
                    return None
                self._protocol.receive_data(octets)
                self._events.extend(self._protocol.events())
            except wsproto.utilities.RemoteProtocolError as error:
                raise Unreachable(f"not understood: {error}") from error
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                raise Unreachable(f"connection lost: {error}") from error
        return self._events.popleft()


async def _relay(server: _Server, receive: Receive, send: Send) -> None:
    """Until one side closes."""
    async with trio.open_nursery() as nursery:

        async def outward() -> None:
            code = await _to_server(server, receive)
            try:
                await server.send(CloseConnection(code=code))
            except Unreachable as error:
                log.debug("WebSocket not closed", error)
            nursery.cancel_scope.cancel()

        nursery.start_soon(outward)
        code, reason = await _to_client(server, send)
        await send({"type": "websocket.close", "code": code, "reason": reason})
        nursery.cancel_scope.cancel()


async def _to_server(server: _Server, receive: Receive) -> int:
    """Pass on what the client says; the code to close with."""
    while True:
        event = await receive()
        if event["type"] != "websocket.receive":
            code = event.get("code", _CODE_GOING_AWAY)
            return _CODE_GOING_AWAY if code in _CODES_UNSAID else code
        said: Event
        if event.get("bytes") is not None:
            said = BytesMessage(data=event["bytes"])
        else:
            said = TextMessage(data=event["text"])
        try:
            await server.send(said)
        except Unreachable as error:
            log.debug("WebSocket lost", error)
            await trio.sleep_forever()  # What the server has said until then is still passed on.


async def _to_client(server: _Server, send: Send) -> tuple[int, str | None]:
    """Pass on what the server says; the code to close with, and the reason."""
    pieces: list[bytes] = []
    octets = 0
    try:
        while (event := await server.next_event()) is not None:
            if isinstance(event, Piece):
                data: bytes = event.data.encode() if isinstance(event.data, str) else bytes(event.data)
                pieces.append(data)
                octets += len(data)
                if octets > limits.FORWARD_MESSAGE_OCTETS or len(pieces) > limits.FORWARD_FRAGMENTS:
                    await server.send(CloseConnection(code=_CODE_TOO_BIG))
                    return _CODE_TOO_BIG, None
                if event.message_finished:
                    await send(_received(b"".join(pieces), is_text=isinstance(event, TextMessage)))
                    pieces, octets = [], 0
            elif isinstance(event, Ping):
                await server.send(event.response())
            elif isinstance(event, CloseConnection):
                code = _CODE_GOING_AWAY if event.code in _CODES_UNSAID else int(event.code)
                await server.send(event.response())
                return code, event.reason
    except Unreachable as error:
        log.debug("WebSocket lost", error)
    return _CODE_ERROR, None


def _received(octets: bytes, *, is_text: bool) -> Message:
    if is_text:
        return {"type": "websocket.send", "text": octets.decode(), "bytes": None}
    return {"type": "websocket.send", "bytes": octets, "text": None}


def _of_handshake(headers: Headers) -> Headers:
    """Without what belongs to one side's handshake."""
    return [(name, value) for name, value in headers if not name.startswith(b"sec-websocket-")]


async def _reject(server: _Server, rejection: RejectConnection, forward: Forward, send: Send) -> None:
    """Pass back an answer that is no WebSocket: people are asked to log in, and such."""
    headers = passed_back(rejection.headers, forward)
    await send({"type": "websocket.http.response.start", "status": rejection.status_code, "headers": headers})
    if rejection.has_body:
        try:
            with trio.move_on_after(HANDSHAKE_SECONDS):
                while (event := await server.next_event()) is not None:
                    if isinstance(event, RejectData):
                        body = {"type": "websocket.http.response.body", "body": bytes(event.data), "more_body": True}
                        await send(body)
                        if event.body_finished:
                            break
        except Unreachable as error:
            log.debug("answer to a WebSocket lost", error)
    await send({"type": "websocket.http.response.body", "body": b""})


async def _unreachable(scope: Scope, send: Send, url: URL, error: Unreachable) -> None:
    cid = scope["state"].get("cid", "")
    log.info("WebSocket not forwarded", error, cid=cid, url=str(url)[:300])
    await _refuse(send, 504 if error.timeout else 502, f"the server behind this one does not answer (request {cid})")


async def _refuse(send: Send, status: int, content: str) -> None:
    body = content.encode() + b"\n"
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})
