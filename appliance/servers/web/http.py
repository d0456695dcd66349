"""HTTP on connections that our listeners accepted: HTTP/1.1 and HTTP/2 (RFC 9110, 9112, 9113), WebSocket (RFC 6455).

The only module that knows Hypercorn. Its protocol classes parse and frame; sockets, TLS, deadlines, limits and the
tasks of applications are ours, and so are the corrections below, each said where it stands (ARCHITECTURE.md).
Loading it takes some 50 ms, so that is done when the first client comes (`door`).
"""

from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, cast

import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h11
import priority.priority
import trio
from hypercorn.config import Config
from hypercorn.events import Closed as ConnectionEnd, Event, RawData, Updated
from hypercorn.protocol.events import Event as StreamEvent, StreamClosed
from hypercorn.protocol.h2 import H2Protocol
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.protocol.ws_stream import FrameTooLargeError, WebsocketBuffer, WSStream
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import AppWrapper, ConnectionState, H11SendableEvent
from wsproto.events import Message as WebSocketMessage, TextMessage

from appliance.base.metrics import panics
from appliance.net.connection import Closed, Connection
from appliance.net.shutdown import Shutdown
from appliance.servers.web.asgi import Application, LongMessages, Message, Outcome, Scope
from appliance.servers.web.httplimits import HTTPLimits

#: What an event that waits for an application costs beside its octets.
_EVENT_OCTETS: Final = 256
#: Of a response, what is handed on at once; each such piece has the time of one.
_PIECE_OCTETS: Final = 64 * 1024
#: In records, for a request whose client did not wait for the answer.
LEFT: Final = 499
_WEBSOCKET_VERSION: Final = b"13"
_REASONS: Final = {
    400: "Bad Request",
    408: "Request Timeout",
    413: "Content Too Large",
    414: "URI Too Long",
    426: "Upgrade Required",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    505: "HTTP Version Not Supported",
}

Headers = list[tuple[bytes, bytes]]


class _Silent:
    """In place of Hypercorn's logger: what there is to say we say ourselves."""

    def __init__(self, _: Config) -> None:
        pass

    async def access(self, *_: object) -> None:
        """Nothing."""

    async def exception(self, *_: object) -> None:
        """Nothing."""


def hypercorn_config(limits: HTTPLimits) -> Config:
    """What Hypercorn's protocol classes read of their configuration."""
    config = Config()
    config.logger_class = _Silent  # type: ignore[assignment]
    config.include_server_header = False
    config.h11_max_incomplete_size = limits.head_octets
    config.h2_max_concurrent_streams = limits.streams
    config.h2_max_header_list_size = limits.head_octets
    # Beyond this number Hypercorn ends a connection of HTTP/2 in a way that loses the responses under way.
    config.keep_alive_max_requests = 2**62
    config.websocket_max_message_size = limits.websocket_octets
    config.websocket_ping_interval = limits.ping_seconds
    return config


async def serve(application: Application, connection: Connection, limits: HTTPLimits, shutdown: Shutdown) -> None:
    """Serve a connection until the client leaves, the time is up, or the house closes. TLS is done, if it has any."""
    conversation = _Conversation(application, connection, limits, shutdown)
    listening = shutdown.listen(conversation.shut_down)
    try:
        with connection:
            await conversation.run()
        if connection.expired:
            with trio.move_on_after(limits.bye_seconds):
                await conversation.say_goodbye()
    except Closed as error:
        connection.log.debug("connection lost", error)
    finally:
        shutdown.forget(listening)


def _content(status: int) -> bytes:
    return f"{status} {_REASONS[status]}\n".encode()


def _error_headers(content: bytes) -> Headers:
    return [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(content)),
        (b"x-content-type-options", b"nosniff"),
    ]


class _Conversation:
    """One connection: carries octets, keeps its times, runs applications.

    In place of Hypercorn's TCPServer and TaskGroup.
    """

    def __init__(
        self, application: Application, connection: Connection, limits: HTTPLimits, shutdown: Shutdown
    ) -> None:
        self.application = application
        self.connection = connection
        self.limits = limits
        self._shutdown = shutdown
        self._context = WorkerContext(None)
        kind = _HTTP2 if connection.tls is not None and connection.tls.protocol == "h2" else _HTTP1
        self.protocol = kind(
            cast(AppWrapper, application),
            hypercorn_config(limits),
            self._context,
            self,
            ConnectionState({}),
            connection.tls is not None,
            (str(connection.remote), connection.remote_port),
            (str(connection.local), connection.local_port),
            self.send,
        )
        self._nursery: trio.Nursery
        self._reading = trio.CancelScope()
        self._send_lock = trio.StrictFIFOLock()
        self._writing: trio.CancelScope | None = None
        self._gone = self._closing = False
        #: No request is under way; and then, that octets of one have come.
        self._idle, self._in_head = True, False
        self._exchanges = 0
        self._all_over = trio.Event()

    # Life

    async def run(self) -> None:
        """Read until the end; whatever still runs then is given a moment, and cancelled."""
        self.connection.expire_in(self.limits.head_seconds)
        async with trio.open_nursery() as self._nursery:
            self._nursery.start_soon(self._release_writer)
            try:
                with self._reading:
                    await self.protocol.initiate()
                    await self._read()
                if not self.protocol.broken:
                    # A client may close its side and still wait for an answer; who is gone loses nothing by it.
                    await self._finish()
                await self.protocol.handle(ConnectionEnd())
                await self._finish()
                if self._closing and self.protocol.unread and not self._gone:
                    # Or the last words would be lost with what the client is still sending (RFC 9112 §9.6).
                    self.connection.expire_in(self.connection.limits.linger_seconds + 1)
                    await self.connection.linger()
            except Closed as error:
                self.connection.log.debug("connection lost", error)
            except Exception as error:
                self.bug(error)
            self._nursery.cancel_scope.cancel()

    async def _read(self) -> None:
        while not self._closing:
            octets = await self.connection.receive()
            # In HTTP/2 there is other talk between requests, which moves no deadline.
            if octets and self._idle and not self._in_head and isinstance(self.protocol, _HTTP1):
                self._in_head = True
                self.connection.expire_in(self.limits.head_seconds)
            await self.protocol.handle(RawData(octets))
            if not octets:
                return

    async def _finish(self) -> None:
        """Give what is under way a moment."""
        if self._exchanges:
            self._all_over = trio.Event()
            with trio.move_on_after(self.limits.after_end_seconds):
                await self._all_over.wait()

    async def _release_writer(self) -> None:
        """When the connection is cancelled, so is a write that nobody else may interrupt."""
        try:
            await trio.sleep_forever()
        finally:
            if self._writing is not None:
                self._writing.cancel()

    def bug(self, error: Exception) -> None:
        """Something of ours, or of a library, failed on what this client sent: the end of this connection only."""
        panics.labels("http").inc()
        self.connection.log.error("unhandled exception, connection closed", error)

    def shut_down(self) -> None:
        """The house closes: requests under way are answered, others are not taken."""
        self._context.terminated._event.set()  # type: ignore[attr-defined]
        if self._idle:
            self.connection.expire_in(0)

    async def say_goodbye(self) -> None:
        """The last words after a deadline."""
        if not self._gone:
            octets = self.protocol.goodbye(in_head=self._in_head and not self._shutdown.requested)
            if octets:
                await self.connection.send(octets)

    # What the protocol classes call

    async def send(self, event: Event) -> None:
        """Octets to the client, an end, or news about whether requests are under way."""
        if isinstance(event, RawData):
            await self._write(event.data)
        elif isinstance(event, ConnectionEnd):
            self._close()
        elif isinstance(event, Updated):
            self._idle, self._in_head = event.idle, False
            if event.idle and self._shutdown.requested:
                self._close()
            self.connection.expire_in(self.limits.idle_seconds if event.idle else float("inf"))

    async def _write(self, octets: bytes) -> None:
        """Write all or be gone: a frame in part, or left out, would spoil all that follow, whoever is cancelled."""
        with trio.CancelScope(shield=True):
            async with self._send_lock:
                if self._gone:
                    return
                with trio.CancelScope() as self._writing:
                    try:
                        await self.connection.send(octets)
                    except Closed as error:
                        self.connection.log.debug("connection lost", error)
                        self._gone = True
                if self._writing.cancelled_caught:
                    self._gone = True
                self._writing = None
        if self._gone:
            self._nursery.cancel_scope.cancel()

    def _close(self) -> None:
        self._closing = True
        self._reading.cancel()

    async def spawn_app(
        self, _: AppWrapper, __: Config, scope: Scope, send: Callable[[Message | None], Awaitable[None]]
    ) -> Callable[[Message], Awaitable[None]]:
        """Run the application for a request; what is returned takes the events for it."""
        scope["state"]["cid"] = f"{self.connection.cid:x}"
        scope["state"]["tls"] = self.connection.tls
        exchange = _Exchange(self, scope, send)
        stream = getattr(send, "__self__", None)
        if isinstance(stream, WSStream):
            stream.buffer = exchange.message
        self._exchanges += 1
        self._nursery.start_soon(exchange.run)
        return exchange.put

    def spawn(self, function: Callable[..., Awaitable[None]], *arguments: Any) -> None:
        """Run a task of the protocol."""
        self._nursery.start_soon(self._guarded, function, *arguments)

    async def _guarded(self, function: Callable[..., Awaitable[None]], *arguments: Any) -> None:
        try:
            await function(*arguments)
        except Exception as error:
            self.bug(error)
            self._close()

    def is_over(self, exchange: "_Exchange") -> None:
        """An exchange has ended."""
        self._exchanges -= 1
        if not self._exchanges:
            self._all_over.set()
        if exchange.is_websocket and isinstance(self.protocol, _HTTP1):
            self._close()  # What follows a WebSocket is nothing.


class _Message(WebsocketBuffer):
    """A message of a WebSocket as it comes in. Counts octets, and keeps nothing of one that is too long."""

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.long: LongMessages | None = None
        self._is_long = self._is_text = self._is_over = False
        self._octets = bytearray()
        #: Long ones that were handed on, and are not done with.
        self._handed: list[Message] = []

    def extend(self, event: WebSocketMessage[Any]) -> None:
        """More of it. Raises FrameTooLargeError: that ends the WebSocket."""
        self._is_text = isinstance(event, TextMessage)
        octets = event.data.encode() if isinstance(event, TextMessage) else event.data
        self.length += len(octets)
        if self._is_over or not self._may_be_so_long():
            self.clear()
            self._is_over = True
            raise FrameTooLargeError
        self._octets += octets

    def _may_be_so_long(self) -> bool:
        if self.length <= self.max_length:
            return True
        if self.long is None or self.length > self.long.octets:
            return False
        if not self._is_long:
            if self.long.under_way >= self.long.most:
                return False
            self.long.under_way += 1
            self._is_long = True
        return True

    def clear(self) -> None:
        """It was handed on, or nobody wants it any more."""
        self._octets = bytearray()
        self.length = 0
        if self._is_long:
            self._leave(1)
        self._is_long = False

    def _leave(self, count: int) -> None:
        if self.long is not None:
            self.long.under_way -= count

    def done(self, message: Message) -> None:
        """The application is done with what it was given."""
        rest = [one for one in self._handed if one is not message]
        self._leave(len(self._handed) - len(rest))
        self._handed = rest

    def end(self) -> None:
        """Nothing more is taken, and the application is over."""
        self.clear()
        self._leave(len(self._handed))
        self._handed = []
        self._is_over = True

    def to_message(self) -> dict[str, Any]:
        """As applications have it."""
        text = self._octets.decode() if self._is_text else None
        made = {"type": "websocket.receive", "bytes": None if self._is_text else bytes(self._octets), "text": text}
        if self._is_long:
            self._handed.append(made)
            self._is_long = False
        return made


class _Exchange:
    """One request and its response, between the protocol and the application."""

    def __init__(
        self, conversation: _Conversation, scope: Scope, send: Callable[[Message | None], Awaitable[None]]
    ) -> None:
        self._conversation = conversation
        self._limits = conversation.limits
        self._scope = scope
        self._send = send
        self._began = trio.current_time()
        self._head_seconds = 0.0
        self._cancel = trio.CancelScope()
        self.is_websocket = scope["type"] == "websocket"
        #: What has come of a message of a WebSocket.
        self.message = _Message(conversation.limits.websocket_octets)
        #: Events for the application, what they weigh, and who waits for some, or for room.
        self._events: deque[Message] = deque()
        self._waiting_octets = 0
        #: What the application is at.
        self._given: Message = {}
        self._some, self._room = trio.Event(), trio.Event()
        self._received_octets = self._sent_octets = 0
        self._whole = self.is_websocket
        self._status = 0
        #: The response began, and is complete; the application is done.
        self._started = self._answered = self._over = False
        #: The client did not wait for it.
        self._left = False
        #: The status to answer with in place of the application.
        self._refusal = 0

    async def put(self, event: Message) -> None:
        """An event of the client's. Waits while the application has enough to do."""
        if self._over:
            return
        self._events.append(event)
        self._waiting_octets += _weight(event)
        self._some.set()
        if event["type"].endswith(".disconnect"):
            if not self.is_websocket and not self._answered:
                self._left = True
                self._cancel.cancel()  # Nobody is there to read an answer.
            self._room.set()
            return
        while self._waiting_octets > self._limits.ahead_octets and not self._over:
            self._room = trio.Event()
            await self._room.wait()

    async def _receive(self) -> Message:
        """The next event, for the application, which is done with the one before. The client may take only so long."""
        self.message.done(self._given)
        self._given = {}
        if not self._whole and not self._events:
            await self._conversation.protocol.ask_for_body(self._scope)
        with trio.CancelScope() as patience:
            if not self._whole:
                patience.deadline = trio.current_time() + self._limits.body_seconds
            while not self._events:
                self._some = trio.Event()
                await self._some.wait()
        if patience.cancelled_caught:
            await self._refuse(408)
        await trio.lowlevel.checkpoint_if_cancelled()  # Who is cancelled need not learn that the client is gone.
        event = self._events.popleft()
        if self.is_websocket:
            self._given = event
        self._waiting_octets -= _weight(event)
        self._room.set()
        self._received_octets += len(event.get("body") or event.get("bytes") or event.get("text") or b"")
        if event["type"] == "http.request":
            self._whole = not event.get("more_body")
            # Asked anew: of several that may answer, each takes its own.
            if self._received_octets > self._conversation.application.body_octets(self._scope):
                await self._refuse(413)
        return event

    async def _refuse(self, status: int) -> None:
        """Stop the application, which is waiting here, and answer for it."""
        self._refusal = status
        self._cancel.cancel()
        await trio.sleep_forever()

    async def _send_out(self, message: Message) -> None:
        """Something from the application. The client must take it in time."""
        kind = message["type"]
        if kind in {"http.response.start", "websocket.http.response.start", "websocket.accept"}:
            self._began_response(message.get("status", 101))
            if kind == "websocket.accept":
                self.message.long = message.get("messages")
        elif kind == "websocket.close" and not self._started:
            self._began_response(403)
        body = message.get("body") or message.get("bytes") or message.get("text") or b""
        if self._scope.get("method") != "HEAD":
            self._sent_octets += len(body)
        if kind != "http.response.body":
            await self._in_time(message)
            return
        more = message.get("more_body", False)
        for at in range(0, max(1, len(body)), _PIECE_OCTETS):
            last = not more and at + _PIECE_OCTETS >= len(body)
            self._answered = self._answered or last
            await self._in_time({"type": kind, "body": body[at : at + _PIECE_OCTETS], "more_body": not last})

    async def _in_time(self, message: Message) -> None:
        with trio.move_on_after(self._limits.take_seconds) as patience:
            await self._send(message)
        if patience.cancelled_caught:
            self._conversation.connection.log.debug("client does not take the response")
            self._cancel.cancel()
            await trio.lowlevel.checkpoint()

    def _began_response(self, status: int) -> None:
        self._started, self._status = True, status
        self._head_seconds = trio.current_time() - self._began

    async def run(self) -> None:
        """Have the application answer; answer for it when it does not."""
        bug: Exception | None = None
        try:
            try:
                if self._too_long():
                    self._refusal = 413
                elif self.is_websocket:
                    await self._accepted_in_time()
                else:
                    with self._cancel:
                        await self._conversation.application(self._scope, self._receive, self._send_out)
            except Exception as error:
                bug = error
                panics.labels("http").inc()
                method, path = self._scope.get("method"), self._scope["path"]
                self._conversation.connection.log.error(
                    "unhandled exception in a request", error, method=method, path=path
                )
            self._over = True
            self._room.set()
            await self._complete()
        except Exception as error:
            bug = bug or error
            self._conversation.bug(error)
        finally:
            self._over = True
            self._room.set()
            self.message.end()
            self._conversation.is_over(self)
            self._record(bug)

    def _record(self, bug: Exception | None) -> None:
        seconds = trio.current_time() - self._began
        status = self._status or LEFT
        self._conversation.application.record(
            self._scope,
            Outcome(status, self._received_octets, self._sent_octets, self._head_seconds, seconds, bug),
        )

    async def _accepted_in_time(self) -> None:
        """Run a WebSocket; it must be accepted or refused as quickly as a request comes."""
        with trio.CancelScope() as patience:
            patience.deadline = trio.current_time() + self._limits.head_seconds

            async def send(message: Message) -> None:
                patience.deadline = float("inf")
                await self._send_out(message)

            await self._conversation.application(self._scope, self._receive, send)

    def _too_long(self) -> bool:
        """Whether the request says of itself that its body is too long: then it need not come (RFC 9110 §10.1.1)."""
        if self.is_websocket:
            return False
        lengths = [value for name, value in self._scope["headers"] if name == b"content-length"]
        most = self._conversation.application.body_octets(self._scope)
        return any(value.isdigit() and int(value[:20]) > most for value in lengths)

    async def _complete(self) -> None:
        if not self._started and not self.is_websocket and not self._left:
            status = self._refusal or 500
            content = _content(status)
            headers = _error_headers(content)
            if isinstance(self._conversation.protocol, _HTTP1):
                headers.append((b"connection", b"close"))
            await self._send_out({"type": "http.response.start", "status": status, "headers": headers})
            await self._send_out({"type": "http.response.body", "body": content})
        await self._send(None)


def _weight(event: Message) -> int:
    return len(event.get("body") or event.get("bytes") or event.get("text") or b"") + _EVENT_OCTETS


class _Waiting(h11.Connection):
    """Hypercorn asks for every body at once; here that is done when the application wants it."""

    @property
    def they_are_waiting_for_100_continue(self) -> bool:
        return False


class _HTTP1(H11Protocol):
    """HTTP/1.1 (RFC 9112) with Hypercorn's manners mended."""

    def __init__(self, app: AppWrapper, config: Config, *arguments: Any) -> None:
        super().__init__(app, config, *arguments)
        self.connection = _Waiting(h11.SERVER, max_incomplete_event_size=config.h11_max_incomplete_size)
        self._without_content = False

    @property
    def unread(self) -> bool:
        """Whether the client may still be sending."""
        return self.connection.their_state not in {h11.IDLE, h11.DONE, h11.MUST_CLOSE, h11.CLOSED, None}

    @property
    def broken(self) -> bool:
        """Whether there is nothing to finish: the client made no sense, or it was a WebSocket."""
        return self.connection.their_state in {h11.ERROR, None}

    def goodbye(self, *, in_head: bool) -> bytes:
        """The last words: something only to who is in the middle of a request (RFC 9110 §15.5.9)."""
        if not in_head:
            return b""
        return b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"

    async def ask_for_body(self, _: Scope) -> None:
        """Tell a client that waits to be told that its body is wanted."""
        if isinstance(self.connection, _Waiting) and self.connection.client_is_waiting_for_100_continue:
            await self._send_h11_event(h11.InformationalResponse(status_code=100, headers=[]))

    async def _check_protocol(self, event: h11.Request) -> None:
        """Nothing: HTTP/2 is agreed on in TLS or not at all (RFC 9113 §3.1 has no upgrade any more)."""

    async def _create_stream(self, request: h11.Request) -> None:
        self._without_content = request.method == b"HEAD"
        status, request = _understood(request, self.config.h11_max_incomplete_size)
        if status:
            await self._send_error_response(status)
            await self.send(ConnectionEnd())
        else:
            await super()._create_stream(request)

    async def _send_error_response(self, status_code: int) -> None:
        status = status_code if status_code in _REASONS else 400
        content = _content(status)
        headers = [*_error_headers(content), (b"connection", b"close"), *self.config.response_headers("h11")]
        if status == 426:
            headers.append((b"sec-websocket-version", _WEBSOCKET_VERSION))
        events: list[H11SendableEvent] = [h11.Response(status_code=status, headers=headers)]
        if not self._without_content:
            events.append(h11.Data(data=content))
        for event in (*events, h11.EndOfMessage()):
            await self._send_h11_event(event)


def _understood(request: h11.Request, most: int) -> tuple[int, h11.Request]:
    """The request as an application may see it; a status other than 0 refuses it."""
    headers = list(request.headers)
    if request.http_version not in {b"1.0", b"1.1"}:
        return 505, request
    if len(request.target) > most // 2:
        return 414, request
    if sum(len(name) + len(value) + 4 for name, value in headers) > most:
        return 431, request
    names = [name for name, _ in headers]
    # Strict: who sends both means to be understood in two ways (RFC 9112 §6.1, §11.2).
    if b"content-length" in names and b"transfer-encoding" in names:
        return 400, request
    target = request.target
    if not target.startswith(b"/") and target != b"*":
        # The form for proxies is understood, and its host is the one that counts (RFC 9112 §3.2.2).
        scheme, separator, rest = target.partition(b"://")
        if request.method == b"CONNECT" or scheme.lower() not in {b"http", b"https"} or not separator:
            return 501 if request.method == b"CONNECT" else 400, request
        host, slash, path = rest.partition(b"/")
        host, question, query = host.partition(b"?")
        target = slash + path if slash else b"/" + question + query
        headers = [(b"host", host), *((name, value) for name, value in headers if name != b"host")]
    connection = b",".join(value for name, value in headers if name == b"connection")
    if _value(headers, b"upgrade").lower() == b"websocket" and b"upgrade" in connection.lower():
        if request.method != b"GET" or not _value(headers, b"sec-websocket-key") or request.http_version == b"1.0":
            return 400, request
        if _value(headers, b"sec-websocket-version") != _WEBSOCKET_VERSION:
            return 426, request  # RFC 6455 §4.2.2
    headers = _without_extensions(headers)
    version = request.http_version
    return 0, h11.Request(method=request.method, target=target, headers=headers, http_version=version)


def _value(headers: Headers, wanted: bytes) -> bytes:
    return next((value.strip() for name, value in headers if name == wanted), b"")


def _without_extensions(headers: Headers) -> Headers:
    """No compression of WebSocket messages: a little could become a thousand times as much before it is counted."""
    return [(name, value) for name, value in headers if name != b"sec-websocket-extensions"]


class _HTTP2(H2Protocol):
    """HTTP/2 (RFC 9113) with Hypercorn's manners mended, and what floods a server bounded."""

    def __init__(self, app: AppWrapper, config: Config, context: WorkerContext, owner: Any, *arguments: Any) -> None:
        super().__init__(app, config, context, owner, *arguments)
        self._limits: HTTPLimits = owner.limits
        # What was said in the settings must be kept here, too; h2 does so only for later changes.
        self.connection.decoder.max_header_list_size = config.h2_max_header_list_size
        self._resets = 0
        #: Streams whose requests are complete, while their responses are not.
        self._whole: set[int] = set()

    #: A reset tells what is to be told about what was not read.
    unread = False

    @property
    def broken(self) -> bool:
        """Whether the connection has come to its end, so that there is nothing to finish."""
        return self.connection.state_machine.state is h2.connection.ConnectionState.CLOSED

    def goodbye(self, *, in_head: bool) -> bytes:
        """GOAWAY."""
        with suppress(h2.exceptions.ProtocolError):
            self.connection.close_connection()
        return self.connection.data_to_send()

    async def ask_for_body(self, scope: Scope) -> None:
        """Nothing: hardly a client waits for that in HTTP/2, and Hypercorn does not say which stream it is."""

    async def handle(self, event: Event) -> None:
        try:
            await super().handle(event)
        except h2.exceptions.ProtocolError:
            with suppress(h2.exceptions.ProtocolError):
                await self._flush()
            await self.send(ConnectionEnd())

    async def _handle_events(self, events: list[h2.events.Event]) -> None:
        for event in events:
            if isinstance(event, h2.events.PriorityUpdated):
                continue  # Nobody needs them any more (RFC 9113 §5.3.2), and their trees are hard to bound.
            if isinstance(event, h2.events.StreamReset):
                self._resets += 1
                self._whole.discard(event.stream_id)
                if self._resets > self._limits.resets:
                    # RFC 9113 §10.5: each costs us a request begun, and the client next to nothing.
                    self.connection.close_connection(h2.errors.ErrorCodes.ENHANCE_YOUR_CALM)
                    await self._flush()
                    await self.send(ConnectionEnd())
                    return
            if isinstance(event, h2.events.DataReceived) and event.stream_id not in self.streams:
                # Of a request that was answered before it was complete; Hypercorn would fail here.
                self.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                continue
            if isinstance(event, h2.events.RequestReceived):
                status = _refusal(event, self._limits.head_octets)
                if status:
                    self._refuse(event, status)
                    continue
                # As with HTTP/1.1.
                event.headers = _without_extensions(event.headers)
            if isinstance(event, h2.events.StreamEnded) and event.stream_id in self.streams:
                self._whole.add(event.stream_id)
            await super()._handle_events([event])
            if isinstance(event, h2.events.StreamReset):
                await self.send(Updated(idle=self.idle))  # Hypercorn forgets to.
        await self._flush()

    def _refuse(self, request: h2.events.RequestReceived, status: int) -> None:
        assert request.stream_id is not None
        self.connection.send_headers(request.stream_id, [(b":status", b"%d" % status)], end_stream=True)
        if request.stream_ended is None:
            self.connection.reset_stream(request.stream_id, h2.errors.ErrorCodes.NO_ERROR)

    async def stream_send(self, event: StreamEvent) -> None:
        if isinstance(event, StreamClosed):
            buffer = self.stream_buffers.get(event.stream_id)
            if buffer is not None and not buffer.complete:
                # The application has not come to its end; Hypercorn would leave the client waiting.
                with suppress(h2.exceptions.ProtocolError, priority.priority.MissingStreamError):
                    self.connection.reset_stream(event.stream_id, h2.errors.ErrorCodes.INTERNAL_ERROR)
                    self.priority.unblock(event.stream_id)
                await self._flush()
                await self.has_data.set()
        await super().stream_send(event)

    async def _send_data(self, stream_id: int) -> None:
        await super()._send_data(stream_id)
        if stream_id not in self.stream_buffers:
            if stream_id not in self._whole:
                # The response is complete, the request is not, and need not be (RFC 9113 §8.1).
                with suppress(h2.exceptions.ProtocolError):
                    self.connection.reset_stream(stream_id, h2.errors.ErrorCodes.NO_ERROR)
                await self._flush()
            self._whole.discard(stream_id)


def _refusal(request: h2.events.RequestReceived, most: int) -> int:
    """The status that refuses a request which Hypercorn would stumble over, or misread; 0: it is well."""
    headers = request.headers
    method, path = _value(headers, b":method"), _value(headers, b":path")
    if method == b"CONNECT":
        # Only to begin a WebSocket (RFC 8441 §4); we are nobody's proxy.
        if _value(headers, b":protocol") != b"websocket":
            return 501
        if _value(headers, b"sec-websocket-version") != _WEBSOCKET_VERSION:
            return 400
    if not method.isascii() or not path.isascii() or not (path.startswith(b"/") or path == b"*"):
        return 400
    return 414 if len(path) > most // 2 else 0
