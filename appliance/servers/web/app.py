"""The application of a port: finds out what answers a request, lets it, and writes down what happened."""

import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import trio

from appliance.base import metrics
from appliance.base.log import Log
from appliance.base.metrics import Histogram
from appliance.config.domains import WebHandler
from appliance.config.source import Config
from appliance.delivery.appliance import Appliance
from appliance.net.connection import parse_address
from appliance.net.limiter import Address, Limiter
from appliance.servers.web import dispatch
from appliance.servers.web.asgi import ASGI, Outcome, Receive, Scope, Send
from appliance.servers.web.dispatch import Port, Target
from appliance.servers.web.respond import (
    HTML,
    TEXT,
    Page,
    Request,
    Response,
    body_of,
    query_of,
    redirect,
    send_response,
    text,
)
from appliance.servers.web.site.coding import Compressed
from appliance.servers.web.wellknown import acme, autoconfig, autodiscover, mobileconfig, mtasts
from appliance.tls.context import KeyPair

log = Log("http")
access = Log("httpaccess")

_BUCKETS: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 20, 30, 60, 120)
_LABELS: Final = ("handler", "proto", "method", "code")
heads = Histogram("httpserver_request_duration_seconds", "Until a response began.", _LABELS, buckets=_BUCKETS)
wholes = Histogram("httpserver_response_duration_seconds", "Until a response was complete.", _LABELS, buckets=_BUCKETS)

_METHODS: Final = frozenset("GET HEAD POST PUT DELETE OPTIONS PATCH".split())
#: Of host and path in a log line.
_SHOWN_CHARACTERS: Final = 300

#: Of every response that says nothing else: nobody frames our pages, guesses types, or hears where people come from.
SECURITY: Final[Mapping[str, str]] = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
}
_ROBOTS: Final = b"User-agent: *\nDisallow: /\n"
_INDEX: Final = b'<!doctype html><title>moxpy</title><a href="/metrics">metrics</a>\n'


@dataclass(frozen=True)
class Contents:
    """What the house serves beside what is always there."""

    #: The page at `/`, made of the configuration; none where it is nobody's business what runs here.
    front: Callable[[Config], Response] | None = None
    #: The applications that are there, by name (`dispatch.APPLICATIONS`); the same ones at all ports.
    applications: Mapping[str, ASGI] = field(default_factory=dict)
    #: What answers for the web handlers of the configuration: whether it did; else it is left to the next, and nothing
    #: was said.
    site: Callable[[WebHandler, Scope, Receive, Send], Awaitable[bool]] | None = None


class PortApplication:
    """Answers the requests that come to one port."""

    def __init__(self, app: Appliance, port: Port, contents: Contents, limiter: Limiter | None) -> None:
        """`limiter`: requests by network; None: as many as come."""
        self._app = app
        self._port = port
        self._contents = contents
        self._limiter = limiter

    def body_octets(self, scope: Scope) -> int:
        """The longest body that this request may have."""
        return self._found(scope).body_octets

    def _found(self, scope: Scope) -> Target:
        """What answers; worked out once for each request."""
        state = scope["state"]
        if "target" not in state:
            state["target"] = self._find(scope)
        found: Target = state["target"]
        return found

    def _find(self, scope: Scope) -> Target:
        host, path = dispatch.parse_host(_host(scope)), dispatch.clean_path(scope["path"])
        state = scope["state"]
        state["config"] = self._app.config.snapshot()
        if _host(scope) == "" and scope["http_version"] == "1.0":
            host = ""
        if host is None or path is None:
            return dispatch.BAD_REQUEST
        state["host"], state["path"] = host, path
        query = f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else ""
        return dispatch.find(
            state["config"], self._port, host, path, query=query, front=self._contents.front is not None
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        target = self._arrived(scope, self._found(scope))
        if not self._admitted(scope):
            scope["state"]["target"] = target = Target("(ratelimited)")
        while target.site is not None:
            here = {**scope, "path": scope["state"]["path"]}
            if self._contents.site is not None and await self._contents.site(target.site, here, receive, send):
                return
            target = self._arrived(scope, target.otherwise or dispatch.NOT_FOUND)
        if scope["type"] == "http":
            send = Compressed(scope, send)
        application = self._contents.applications.get(target.handler)
        if application is not None:
            here = {**scope, "path": scope["state"]["path"], "root_path": target.root.rstrip("/")}
            await application(here, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close"})
        else:
            await send_response(scope, send, await self._response(target, scope, receive), SECURITY)

    def _arrived(self, scope: Scope, target: Target) -> Target:
        """A request has come to what may answer it."""
        scope["state"]["target"] = target
        scope["state"]["client"] = client_of(scope, forwarded=target.forwarded)
        scope["state"]["listener"] = target.listener
        scope["state"]["port"] = self._port
        return target

    def _admitted(self, scope: Scope) -> bool:
        if self._limiter is None:
            return True
        client: Address = scope["state"]["client"] or parse_address(scope["client"][0])
        return self._limiter.add(client, self._app.clock.microseconds() / 1e6)

    async def _response(self, target: Target, scope: Scope, receive: Receive) -> Response:
        if target.handler == "(ratelimited)":
            return text(429, "too many requests, try again later", {"retry-after": "60"})
        if target is dispatch.BAD_REQUEST:
            return text(400, "host or path is malformed")
        if target.location:
            return redirect(target.location, permanent=target.permanent)
        if target.methods and scope["method"] not in target.methods:
            return text(405, f"only {', '.join(target.methods)} here", {"allow": ", ".join(target.methods)})
        page = self._page(target, scope)
        if page is None:
            return text(404, "there is nothing here")
        body = await body_of(receive) if "POST" in target.methods else b""
        state = scope["state"]
        answer = page(Request(scope["method"], state["host"], state["path"], query_of(scope), body))
        return await answer if inspect.isawaitable(answer) else answer

    def _page(self, target: Target, scope: Scope) -> Page | None:
        config: Config = scope["state"]["config"]
        entry = target.domain
        match target.handler:
            case "mtasts" if entry is not None:
                return lambda _: mtasts.answer(config.static, entry)
            case "acme":
                return partial(acme.answer, self._app)
            case "autoconfig":
                return partial(autoconfig.answer, config, entry)
            case "autodiscover":
                return partial(autodiscover.answer, config)
            case "mobileconfig":
                return partial(mobileconfig.answer, config, self._pair)
            case "mobileconfigpicture":
                number = f":{self._port.number}" if self._port.tls and self._port.number != 443 else ""
                host = scope["state"]["host"]
                place = f"https://{f'[{host}]' if ':' in host else host}{number}{dispatch.MOBILECONFIG_PATH}"
                return partial(mobileconfig.picture, config, place)
            case "metrics":
                return _metrics
            case "health":
                return lambda _: text(200, "ok")
            case "metricsindex":
                return lambda _: Response(200, _INDEX, HTML)
            case "robots":
                return lambda _: Response(200, _ROBOTS, TEXT)
            case "front" if self._contents.front is not None:
                front = self._contents.front
                return lambda _: front(config)
            case name if name in dispatch.APPLICATIONS:
                return lambda _: text(404, f"the {name} pages are planned, and not there yet")
            case _:
                return None

    def _pair(self, host: str) -> KeyPair | None:
        """The certificate that is shown for a host, with its key."""
        authorities = self._app.authorities
        return self._app.certificates.named(host) or (None if authorities is None else authorities.pair(host))

    def record(self, scope: Scope, outcome: Outcome) -> None:
        """Count a request and say what came of it; never its query or its fields, which may have secrets."""
        state = scope["state"]
        target: Target = state.get("target", dispatch.BAD_REQUEST)
        method = scope.get("method", "GET")
        proto = scope["scheme"]
        labels = (target.handler, proto, method if method in _METHODS else "(other)", str(outcome.status))
        heads.labels(*labels).observe(outcome.head_seconds)
        wholes.labels(*labels).observe(outcome.seconds)
        if not access.enabled(logging.DEBUG):
            return
        access.debug(
            "request",
            cid=state.get("cid"),
            handler=target.handler,
            method=method,
            host=_host(scope)[:_SHOWN_CHARACTERS],
            path=scope["path"][:_SHOWN_CHARACTERS],
            status=outcome.status,
            size=outcome.sent_octets,
            unpacked=state.get("unpacked"),
            received=outcome.received_octets,
            duration=f"{outcome.seconds:.6f}s",
            proto=f"{proto}/{scope['http_version']}",
            tls=None if state.get("tls") is None else f"{state['tls'].version} {state['tls'].cipher}",
            remoteip=scope["client"][0],
            clientip=state.get("client") if target.forwarded else None,
            account=state.get("account"),
            useragent=_field(scope, b"user-agent")[:_SHOWN_CHARACTERS] or None,
            # Queries may have secrets; those of others, too.
            referer=_field(scope, b"referer").partition("?")[0].partition("#")[0][:_SHOWN_CHARACTERS] or None,
        )


async def _metrics(_: Request) -> Response:
    # The text format of Prometheus, version 0.0.4. Made in a thread: some milliseconds, a tenth of a second at first.
    content = await trio.to_thread.run_sync(metrics.expose)
    return Response(200, content, "text/plain; version=0.0.4; charset=utf-8", {"cache-control": "no-store"})


def client_of(scope: Scope, *, forwarded: bool) -> Address | None:
    """Where a request comes from: through a proxy, what that says first; None where it cannot be made out."""
    values = [value for name, value in scope["headers"] if name == b"x-forwarded-for"] if forwarded else []
    if not values:
        return None if forwarded else parse_address(scope["client"][0])
    try:
        return parse_address(values[0].split(b",")[0].strip().decode("ascii"))
    except ValueError:
        return None


def _host(scope: Scope) -> str:
    return _field(scope, b"host")


def _field(scope: Scope, wanted: bytes) -> str:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == wanted), "")
