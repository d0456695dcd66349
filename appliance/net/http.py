"""One request to a web server, and its response: HTTP/1.1 (RFC 9112) by h11, over connections we make.

Whatever a server does, it costs no more time and memory than was allowed. Redirects are responses like others; nothing
is cached or remembered, and every request has a connection of its own. Who a server is, is judged after the handshake.
"""

import enum
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final
from urllib.parse import quote, urlsplit

import h11
import trio
from OpenSSL import SSL

from appliance import __version__
from appliance.base.metrics import Histogram
from appliance.dns.problems import InvalidName, NotFound, Temporary
from appliance.dns.resolver import Resolver
from appliance.mail.domain import DomainError, parse_domain
from appliance.net.dial import ANY_SOURCE, DialError, Forbidden, Permits, Sources, dial_host
from appliance.net.tlsstream import TLSHandshakeError, TLSStream

durations = Histogram(
    "httpclient_request_duration_seconds",
    "Time of a request to a web server, by who asked.",
    ("pkg", "method", "code", "result"),
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 10, 20, 30, 60),
)

#: To find and to reach the server.
_DIAL_SECONDS: Final = 30.0
#: Octets of a status line with all fields.
_HEADER_OCTETS: Final = 16 * 1024
#: Octets beside those of the body: header, sizes of chunks, trailers. A body in tiny chunks is not worth its work.
_FRAMING_OCTETS: Final = 64 * 1024
#: Responses before the response (RFC 9110 §15.2).
_INFORMATIONAL: Final = 10
_RECEIVE: Final = 16 * 1024
#: Pieces of a body before others get their turn.
_PIECES: Final = 50
_PORTS: Final = {"http": 80, "https": 443}


class Fault(enum.StrEnum):
    """What a request failed of."""

    #: The server's name does not exist, or has no address.
    NO_HOST = "no-host"
    DNS = "dns"
    CONNECTION = "connection"
    #: Its addresses are none that may be connected to.
    FORBIDDEN = "forbidden"
    TIMEOUT = "timeout"
    TLS = "tls"
    CERTIFICATE = "certificate"
    PROTOCOL = "protocol"
    TOO_LARGE = "too-large"


class HTTPError(Exception):
    """There is no response, or none that is whole."""

    def __init__(self, fault: Fault, text: str) -> None:
        super().__init__(text)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class URL:
    """Of a resource."""

    #: `http` or `https`.
    scheme: str
    #: In A-labels, or an address.
    host: str
    #: Path and query, made of what may stand there.
    target: str
    #: None: the usual one.
    port: int | None = None

    @property
    def authority(self) -> str:
        """The field Host (RFC 9110 §7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port in {None, _PORTS[self.scheme]} else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"


#: Characters that stand in a path or query as they are (RFC 3986 §3.3, §3.4), and percent signs of what is encoded.
_SAFE: Final = "/?:@!$&'()*+,;=-._~%"


def parse_url(text: str) -> URL:
    """An absolute http or https URL (RFC 3986), host names in any spelling. Raises ValueError.

    Strict: without a user name. What is a secret is not written in URLs, which logs and errors show.
    """
    parts = urlsplit(text)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError("not an absolute http or https URL")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a URL must have no user name or password")
    host = parts.hostname
    if not _is_address(host):
        try:
            host = parse_domain(host, lax=True).ascii
        except DomainError as error:
            raise ValueError(f"the host of the URL is no name: {error}") from error
    target = quote(parts.path or "/", safe=_SAFE)
    if parts.query:
        target += "?" + quote(parts.query, safe=_SAFE)
    return URL(parts.scheme, host, target, parts.port)


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for."""

    url: URL
    method: str = "GET"
    #: Beside Host, Connection and Content-Length, which are added, and User-Agent, unless it is here.
    fields: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """What was answered, whatever it is."""

    status: int
    #: Names in lower case.
    fields: tuple[tuple[str, str], ...]
    body: bytes

    def field(self, name: str) -> str | None:
        """The first field of a name."""
        return next((value for one, value in self.fields if one == name), None)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a request may cost."""

    #: For all of it, the look-up of the name included.
    seconds: float
    #: Of the response.
    body_octets: int
    #: The rest of a longer body is not received, and nobody minds whether it is whole; else both are errors.
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Client:
    """Asks web servers."""

    resolver: Resolver
    #: From tls.context.client_context.
    context: SSL.Context
    #: Why certificates (DER, the server's own first) do not do for a name; empty when they do. Runs in a thread.
    judge: Callable[[Sequence[bytes], str], str]
    #: Who asks, as metrics name it.
    caller: str
    sources: Sources = ANY_SOURCE
    #: Which addresses may be connected to; None: any.
    permits: Permits | None = None

    async def send(self, request: Request, bounds: Bounds) -> Response:
        """The response to a request. Raises HTTPError."""
        began = time.perf_counter()
        code, result = "", "canceled"
        try:
            with trio.fail_after(bounds.seconds):
                response = await self._send(request, bounds)
            code, result = str(response.status), "ok"
            return response
        except trio.TooSlowError as error:
            result = Fault.TIMEOUT.value
            raise HTTPError(Fault.TIMEOUT, f"no response within {bounds.seconds:g} s") from error
        except HTTPError as error:
            result = error.fault.value
            raise
        finally:
            durations.labels(self.caller, request.method, code, result).observe(time.perf_counter() - began)

    async def _send(self, request: Request, bounds: Bounds) -> Response:
        stream = await self._connect(request.url)
        try:
            return await _Exchange(stream, bounds).run(request)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise HTTPError(Fault.CONNECTION, str(error) or "connection lost") from error
        finally:
            with trio.CancelScope(shield=True):
                await stream.aclose() if isinstance(stream, TLSStream) else await trio.aclose_forcefully(stream)

    async def _connect(self, url: URL) -> trio.abc.Stream:
        """A connection that may be spoken on. Raises HTTPError."""
        try:
            port = url.port or _PORTS[url.scheme]
            dialed = await dial_host(
                self.resolver, url.host, port, seconds=_DIAL_SECONDS, sources=self.sources, permits=self.permits
            )
        except (NotFound, InvalidName) as problem:
            raise HTTPError(Fault.NO_HOST, str(problem)) from problem
        except Temporary as problem:
            raise HTTPError(Fault.DNS, str(problem)) from problem
        except Forbidden as error:
            raise HTTPError(Fault.FORBIDDEN, str(error)) from error
        except DialError as error:
            raise HTTPError(Fault.TIMEOUT if error.timeout else Fault.CONNECTION, str(error)) from error
        if url.scheme == "http":
            return dialed.stream
        name = None if _is_address(url.host) else url.host
        stream = TLSStream(dialed.stream, self.context, server_side=False, server_name=name, protocols=[b"http/1.1"])
        try:
            await stream.do_handshake()
            why = await trio.to_thread.run_sync(self.judge, stream.peer_chain(), url.host)
            if why:
                raise HTTPError(Fault.CERTIFICATE, why)
        except TLSHandshakeError as error:
            await trio.aclose_forcefully(dialed.stream)
            raise HTTPError(Fault.TLS, f"TLS handshake failed: {error}") from error
        except BaseException:
            await trio.aclose_forcefully(dialed.stream)
            raise
        return stream


class _Exchange:
    """A request and its response on a connection."""

    def __init__(self, stream: trio.abc.Stream, bounds: Bounds) -> None:
        self._stream, self._bounds = stream, bounds
        self._parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEADER_OCTETS)
        self._left = 2 * bounds.body_octets + _FRAMING_OCTETS
        self._at_end = False

    async def run(self, request: Request) -> Response:
        """Raises HTTPError, BrokenResourceError."""
        octets = self._request(request)
        with suppress(trio.BrokenResourceError):  # Who does not want all of it may have said why.
            await self._stream.send_all(octets)
        try:
            return await self._response()
        except h11.RemoteProtocolError as error:
            raise HTTPError(Fault.PROTOCOL, str(error)) from error

    def _request(self, request: Request) -> bytes:
        is_named = any(name.lower() == "user-agent" for name, _ in request.fields)
        fields = [
            ("Host", request.url.authority),
            *([] if is_named else [("User-Agent", f"moxpy/{__version__}")]),
            ("Accept-Encoding", "identity"),
            ("Connection", "close"),
            *request.fields,
        ]
        if request.body or request.method == "POST":
            fields.append(("Content-Length", str(len(request.body))))
        head = h11.Request(method=request.method, target=request.url.target, headers=fields)
        events = [head, *([h11.Data(data=request.body)] if request.body else []), h11.EndOfMessage()]
        return b"".join(filter(None, map(self._parser.send, events)))

    async def _response(self) -> Response:
        body = bytearray()
        head: h11.Response | None = None
        informational = pieces = 0
        while True:
            event = await self._next()
            if isinstance(event, h11.InformationalResponse):
                informational += 1
                if informational > _INFORMATIONAL:
                    raise HTTPError(Fault.PROTOCOL, "too many informational responses")
            elif isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > self._bounds.body_octets:
                    if self._bounds.cut and head is not None:
                        return _made(head, body[: self._bounds.body_octets])
                    raise HTTPError(Fault.TOO_LARGE, f"more than {self._bounds.body_octets} octets")
                pieces += 1
                if pieces % _PIECES == 0:
                    await trio.lowlevel.checkpoint()
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                if self._at_end and not self._bounds.cut and not self._ended_well(self._stream):
                    raise HTTPError(Fault.PROTOCOL, "the response may have been cut off")  # RFC 9112 §9.8
                return _made(head, body)
            else:
                raise HTTPError(Fault.PROTOCOL, "no response")

    async def _next(self) -> object:
        """What the server said next. Raises h11.RemoteProtocolError, HTTPError, BrokenResourceError."""
        while (event := self._parser.next_event()) is h11.NEED_DATA:
            octets = await self._stream.receive_some(_RECEIVE)
            self._left -= len(octets)
            if self._left < 0:
                raise HTTPError(Fault.TOO_LARGE, "the response has too many octets")
            self._at_end = not octets
            self._parser.receive_data(bytes(octets))
        return event

    @staticmethod
    def _ended_well(stream: trio.abc.Stream) -> bool:
        """Whether the server itself said that this is the end, and not somebody on the way."""
        if not isinstance(stream, TLSStream):
            return True
        return bool(stream.connection.get_shutdown() & SSL.RECEIVED_SHUTDOWN)


def _made(head: h11.Response, body: bytearray) -> Response:
    fields = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers)
    return Response(head.status_code, fields, bytes(body))


def _is_address(host: str) -> bool:
    with suppress(ValueError):
        ip_address(host)
        return True
    return False
