"""Requests passed on to another web server, and its answers passed back, both as they come: a gateway (RFC 9110 §3.7).

Each request has a connection of its own, and is written anew in the form of HTTP/1.1: what one client says can never
be taken for another's request, or for the answer to it, however somebody counts its octets.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import h11
import trio

from appliance.base import limits
from appliance.base.log import Log
from appliance.config.domains import Forward
from appliance.net.connection import parse_address
from appliance.net.http import URL, parse_url
from appliance.servers.web.asgi import Message, Receive, Scope, Send
from appliance.servers.web.respond import send_response, text
from appliance.servers.web.site.backend import Backends, Unreachable
from appliance.servers.web.site.paths import as_sent

log = Log("http")

#: Until an answer begins, from when the last of the request was sent; and between two pieces of it: streams of events
#: may be silent for long.
HEAD_SECONDS: Final = 300.0
PIECE_SECONDS: Final = 3600.0
#: For the server to take a piece of the request.
TAKE_SECONDS: Final = 60.0
_RECEIVE: Final = 64 * 1024
#: Responses before the response (RFC 9110 §15.2).
_INFORMATIONAL: Final = 10
#: Between two servers only (RFC 9110 §7.6.1, and what older ones have there).
_HOP_BY_HOP: Final = frozenset(
    b"connection keep-alive proxy-connection proxy-authenticate proxy-authorization te trailer transfer-encoding "
    b"upgrade http2-settings".split()
)
#: Of the client's word about itself nothing is believed, in any spelling: gateways to scripts make `_` of `-`.
_FORGED: Final = (b"x-forwarded-", b"x-real-ip", b"forwarded")

Headers = list[tuple[bytes, bytes]]


class Loop(Exception):
    """The request has been here before."""


async def answer(
    backends: Backends, name: str, forward: Forward, skip: int, scope: Scope, receive: Receive, send: Send
) -> None:
    """Pass a request on. `name`: of this house among all gateways. `skip`: characters of its path that stay here."""
    url = parse_url(forward.url)
    try:
        headers = passed_on(scope, url, f"1.1 {name}".encode())
    except Loop:
        await send_response(scope, send, text(508, "this request has been here before"), {})
        return
    first: Message | None = None
    length = _framing(scope)
    if length is None:
        # HTTP/2 says at the end of its header that there is no body: as an event, here.
        first = await receive()
        if first["type"] == "http.request" and not first.get("body") and not first.get("more_body"):
            first = None
        else:
            length = (b"transfer-encoding", b"chunked")
    if length is not None and length[1]:
        headers.append(length)
    request = h11.Request(method=scope["method"], target=target(url, skip, scope), headers=headers, http_version=b"1.1")
    exchange = _Exchange(forward, scope, send)
    has_body = length is not None and length[1] not in {b"", b"0"}
    problem = await exchange.run(backends, url, request, receive if has_body else None, first)
    if problem is None:
        return
    cid = scope["state"].get("cid", "")
    log.info("request not forwarded", problem, cid=cid, url=str(url)[:300], begun=exchange.begun)
    if not exchange.begun:
        status, said = 502, "the server behind this one cannot be reached, or makes no sense"
        if isinstance(problem, Unreachable) and problem.timeout:
            status, said = 504, "the server behind this one did not answer in time"
        elif isinstance(problem, h11.LocalProtocolError):
            status, said = 400, "this request cannot be passed on"
        await send_response(scope, send, text(status, f"{said} (request {cid})"), {})


class _Exchange:
    """A request and its response on a connection of their own."""

    def __init__(self, forward: Forward, scope: Scope, send: Send) -> None:
        self._forward = forward
        self._scope = scope
        self._send = send
        self._parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=limits.FORWARD_HEAD_OCTETS)
        #: The response has begun.
        self.begun = False
        self._patience = trio.CancelScope()

    async def run(
        self, backends: Backends, url: URL, request: h11.Request, receive: Receive | None, first: Message | None
    ) -> Exception | None:
        """Why there is no answer, or not all of it; None: it is complete."""
        try:
            octets = self._parser.send(request)
            assert octets is not None
            if receive is None:
                octets += self._parser.send(h11.EndOfMessage()) or b""
            stream = await backends.connect(url)
        except (Unreachable, h11.LocalProtocolError) as error:
            return error
        problem: Exception | None = None
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._send_request, stream, octets, receive, first)
                try:
                    await self._response(stream)
                except (Unreachable, h11.RemoteProtocolError, trio.BrokenResourceError) as error:
                    problem = error
                nursery.cancel_scope.cancel()
        finally:
            with trio.CancelScope(shield=True):
                await trio.aclose_forcefully(stream)
        return problem

    async def _send_request(
        self, stream: trio.abc.Stream, octets: bytes, receive: Receive | None, event: Message | None
    ) -> None:
        """The request, its body as it comes. A server that does not want all of it may have said why."""
        try:
            await self._send_piece(stream, octets)
            while receive is not None:
                event = event or await receive()
                if event["type"] != "http.request":
                    return
                body, more = event.get("body", b""), event.get("more_body", False)
                event = None
                pieces = [self._parser.send(h11.Data(data=body))] if body else []
                if not more:
                    pieces.append(self._parser.send(h11.EndOfMessage()))
                    receive = None
                await self._send_piece(stream, b"".join(filter(None, pieces)))
        except (trio.BrokenResourceError, trio.ClosedResourceError, h11.LocalProtocolError):
            return

    async def _send_piece(self, stream: trio.abc.Stream, octets: bytes) -> None:
        if not self.begun:
            self._patience.deadline = trio.current_time() + HEAD_SECONDS
        with trio.move_on_after(TAKE_SECONDS) as patience:
            await stream.send_all(octets)
        if patience.cancelled_caught:
            self._patience.cancel()
            await trio.sleep_forever()

    async def _response(self, stream: trio.abc.Stream) -> None:
        """Raises Unreachable, h11.RemoteProtocolError, BrokenResourceError."""
        informational = 0
        while True:
            event = self._parser.next_event()
            if event is h11.NEED_DATA:
                self._parser.receive_data(await self._receive(stream))
            elif isinstance(event, h11.InformationalResponse):
                informational += 1
                if informational > _INFORMATIONAL:
                    raise Unreachable("too many informational responses")
            elif isinstance(event, h11.Response):
                # The parser looks at what is not complete only.
                if sum(len(name) + len(value) for name, value in event.headers) > limits.FORWARD_HEAD_OCTETS:
                    raise Unreachable("the header of the response is too long")
                self.begun = True
                headers = passed_back(event.headers, self._forward)
                await self._send({"type": "http.response.start", "status": event.status_code, "headers": headers})
            elif isinstance(event, h11.Data):
                await self._send({"type": "http.response.body", "body": bytes(event.data), "more_body": True})
            elif isinstance(event, h11.EndOfMessage) and self.begun:
                await self._send({"type": "http.response.body", "body": b""})
                return
            else:
                raise Unreachable("the server closed the connection without an answer")

    async def _receive(self, stream: trio.abc.Stream) -> bytes:
        with self._patience:
            if self.begun:
                self._patience.deadline = trio.current_time() + PIECE_SECONDS
            octets = bytes(await stream.receive_some(_RECEIVE))
        if self._patience.cancelled_caught:
            raise Unreachable("no answer in time", timeout=True)
        # A scope is for one use; what is left of its time goes on.
        self._patience = trio.CancelScope(deadline=self._patience.deadline)
        return octets


def target(url: URL, skip: int, scope: Scope) -> str:
    """Path and query to ask for: that of the handler's URL, a slash, and that of the request."""
    path = as_sent(scope, skip)
    begin, _, fixed = url.target.partition("?")
    joined = begin.rstrip("/") + "/" + path.lstrip("/") if path.strip("/") or path.endswith("/") else begin
    query = "&".join(one for one in (fixed, scope["query_string"].decode("latin-1")) if one)
    return joined + (f"?{query}" if query else "")


def passed_on(scope: Scope, url: URL, via: bytes) -> Headers:
    """The header of the request for the server, without the framing of its body. Raises Loop."""
    received: Headers = scope["headers"]
    hops = _hops(received)
    seen = b", ".join(value for name, value in received if name == b"via")
    if via in [one.strip() for one in seen.split(b",")]:
        raise Loop
    host = next((value for name, value in received if name == b"host"), b"") or url.authority.encode()
    headers: Headers = [(b"host", host)]
    for name, value in received:
        plain = name.replace(b"_", b"-")
        if name not in hops and plain not in hops and plain not in _OURS and not plain.startswith(_FORGED):
            headers.append((name, value))
    client = scope["state"].get("client") or parse_address(scope["client"][0])
    scheme = "https" if scope["scheme"] in {"https", "wss"} else "http"
    # RFC 9110 §7.6.3: a gateway says that it was here.
    return [
        *headers,
        (b"via", b", ".join(one for one in (seen, via) if one)),
        (b"x-forwarded-for", str(client).encode()),
        (b"x-forwarded-host", host),
        (b"x-forwarded-proto", scheme.encode()),
        (b"connection", b"close"),
    ]


#: Written by us, if at all.
_OURS: Final = frozenset({b"host", b"content-length", b"expect", b"via"})


def passed_back(received: Iterable[tuple[bytes, bytes]], forward: Forward) -> Headers:
    """The header of the response for the client."""
    headers = list(received)
    added = {name.lower().encode("ascii"): str(value).encode() for name, value in forward.response_headers.items()}
    # The date is ours: Hypercorn writes one into every response.
    left = _hops(headers) | {b"date", *added}
    return [*((name, value) for name, value in headers if name not in left), *added.items()]


def _hops(headers: Sequence[tuple[bytes, bytes]]) -> frozenset[bytes]:
    """The fields that are for one connection only: known ones, and those that the field Connection names."""
    named = b",".join(value for name, value in headers if name == b"connection")
    return _HOP_BY_HOP | {one.strip().lower() for one in named.split(b",")}


def _framing(scope: Scope) -> tuple[bytes, bytes] | None:
    """The field that says how long the request's body is; an empty value: it has none; None: not known yet."""
    headers: Headers = scope["headers"]
    names = dict(headers)
    if b"content-length" in names:
        return b"content-length", names[b"content-length"]
    if b"transfer-encoding" in names:
        return b"transfer-encoding", b"chunked"
    return None if scope["http_version"] not in {"1.0", "1.1"} else (b"", b"")
