"""An application for browsers: its pages, the functions they call, and what they hear of changes.

Below its root: `api/<Function>`; `api/` and `api/openapi.json` describe these; `events` is a stream; an application
may have doors of its own, and whole applications below a prefix; all else is pages.
"""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from appliance import __version__
from appliance.base import limits
from appliance.base.log import Log
from appliance.config.source import Config
from appliance.delivery.appliance import Appliance
from appliance.operations.websessions import Found
from appliance.servers.web import api, events, openapi
from appliance.servers.web.api import APIError, Call, Client, Entrance, Scope as Needed, Table
from appliance.servers.web.asgi import ASGI, Receive, Scope, Send
from appliance.servers.web.assets import HEADERS, Assets
from appliance.servers.web.events import Streams
from appliance.servers.web.login import CSRF_HEADER, Refused, client_of, require_session, require_token, session_cookie
from appliance.servers.web.respond import Response, body_of, send_response, text

log = Log("web")

JSON: Final = "application/json"
_NO_STORE: Final = {"cache-control": "no-store", "x-moxpy-version": __version__}


class Visit:
    """A request that is no call of a function, for what answers it."""

    def __init__(self, app: Appliance, entrance: Entrance, scope: Scope, receive: Receive, send: Send) -> None:
        self._app, self._entrance, self._send = app, entrance, send
        self.scope, self.receive = scope, receive
        #: Below the application's root.
        self.path: str = scope["path"].removeprefix(f"{scope['root_path']}/")

    def field(self, name: bytes) -> str:
        """A header field, by its name in lower case; empty when it is absent."""
        return _field(self.scope, name)

    async def require_session(self, csrf: str | None) -> Found:
        """Whose it is. `csrf`: the token it brought, None where the cookie is enough. Raises Refused."""
        return await require_session(self._app, self._entrance, client_of(self.scope), csrf)

    async def answer(self, response: Response) -> None:
        """Answer at once and whole."""
        await send_response(self.scope, self._send, response, HEADERS)

    async def begin(self, media_type: str, fields: Mapping[str, str]) -> None:
        """Begin an answer whose length is not known."""
        headers = {**HEADERS, "content-type": media_type, **fields}
        encoded = [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": 200, "headers": encoded})

    async def send_piece(self, octets: bytes) -> None:
        """Some of it."""
        await self._send({"type": "http.response.body", "body": octets, "more_body": True})

    async def end(self) -> None:
        """That was all of it."""
        await self._send({"type": "http.response.body", "body": b""})

    async def begin_events(self) -> None:
        """Begin a stream of events."""
        await events.begin(self._send)

    async def tell(self, kind: str, value: object) -> None:
        """An event."""
        await self.send_piece(b"event: " + kind.encode() + b"\ndata: " + msgspec.json.encode(value) + b"\n\n")

    async def alive(self) -> None:
        """No event, but a sign of life."""
        await self.send_piece(b": alive\n\n")


#: Answers a visit; Refused is answered for it while it has not begun to.
Door = Callable[[Visit], Awaitable[None]]


class PagesApplication:
    """One of them."""

    def __init__(
        self,
        app: Appliance,
        table: Table,
        entrance: Entrance,
        assets: Assets,
        doors: Mapping[tuple[str, str], Door] = MappingProxyType({}),
        within: Mapping[str, ASGI] = MappingProxyType({}),
    ) -> None:
        """`doors`: what answers other requests, by method and path, or a beginning of paths that ends with a slash.

        `within`: applications that answer all that begins so, WebSockets too, and see to who may ask.
        """
        self._doors = doors
        self._within = within
        self._app = app
        self._table = table
        self._entrance = entrance
        self._assets = assets
        self._described = openapi.Described(table)
        self._streams = Streams(app, table.name)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        root = f"{scope['root_path']}/"
        path = scope["path"].removeprefix(root)
        for prefix, application in self._within.items():
            if path.startswith(prefix):
                await application(scope, receive, send)
                return
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close"})
            return
        if path == "events" and scope["method"] == "GET":
            await self._events(scope, send)
            return
        if (door := self._door(scope["method"], path)) is not None:
            await self._visit(door, scope, receive, send)
            return
        cookies: list[str] = []
        response = await self._response(scope, receive, root, path, cookies)
        await send_response(scope, send, response, HEADERS, cookies)

    def _door(self, method: str, path: str) -> Door | None:
        """What answers, of its own path or of what that begins with, whatever the longest is."""
        while path:
            if (door := self._doors.get((method, path))) is not None:
                return door
            head, slash, _ = path.removesuffix("/").rpartition("/")
            path = head + slash
        return None

    async def _response(self, scope: Scope, receive: Receive, root: str, path: str, cookies: list[str]) -> Response:
        method = scope["method"]
        if path.startswith("api/") and method == "POST":
            if scope["state"]["client"] is None:
                return _refusal(APIError("user:error", "the proxy before this server must send X-Forwarded-For"), 200)
            client = client_of(scope)
            return await self._call(scope, receive, client, root, path.removeprefix("api/"), cookies)
        if method not in {"GET", "HEAD"}:
            return text(405, "not with this method", {"allow": "POST" if path.startswith("api/") else "GET, HEAD"})
        if path == "api":
            return Response(308, b"", headers={"location": f"{root}api/"})
        if path == "api/":
            return await self._described.page()
        if path == "api/openapi.json":
            return await self._described.document()
        if path.startswith("api/"):
            return text(405, "functions are called with POST", {"allow": "POST"})
        config: Config = scope["state"]["config"]
        return await self._assets.respond(scope, path, config.directory)

    async def _visit(self, door: Door, scope: Scope, receive: Receive, send: Send) -> None:
        visit = Visit(self._app, self._entrance, scope, receive, send)
        if scope["state"]["client"] is None or _forged(scope):
            await visit.answer(text(403, "not from here"))
            return
        try:
            await door(visit)
        except Refused as refused:
            await visit.answer(text(403 if refused.status == 200 else refused.status, str(refused)))

    async def _events(self, scope: Scope, send: Send) -> None:
        """The stream of events, for a session alone; its cookie is enough, since nobody else can read the answer."""
        refusal, found = None, None
        if scope["state"]["client"] is None or _forged(scope):
            refusal = text(403, "not from here")
        else:
            client = client_of(scope)
            try:
                found = await require_session(self._app, self._entrance, client, None)
            except Refused as refused:
                refusal = text(403 if refused.status == 200 else refused.status, str(refused))
            else:
                if not self._streams.admits(found):
                    refusal = text(429, "too many pages are open", {"retry-after": "60"})
        if refusal is not None or found is None:
            await send_response(scope, send, refusal or text(403, "log in first"), HEADERS)
            return
        cookie = session_cookie(self._entrance, client)
        await self._streams.run(found, lambda: self._entrance.find(cookie) is not None, send)

    async def _call(
        self, scope: Scope, receive: Receive, client: Client, root: str, name: str, cookies: list[str]
    ) -> Response:
        method = self._table.methods.get(name)
        if method is None:
            return _refusal(APIError("sherpa:badFunction", f"there is no function {name[:100]}"), 404)
        if fault := _forged(scope):
            return _refusal(APIError("user:error", fault), 403)
        if _field(scope, b"content-type").partition(";")[0].strip().lower() != JSON:
            # No form of another site can send this (Fetch §2.2.2, a simple header).
            return _refusal(APIError("user:error", f"the content-type must be {JSON}"), 415)
        call = Call(self._app, client, self._entrance, root)
        try:
            if method.scope is not Needed.OPEN:
                await self._authenticate(scope, call, method.scope)
                scope["state"]["account"] = call.owner.name if call.owner is not None else "(admin)"
        except Refused as refused:
            return _refusal(refused.error, refused.status)
        body = await body_of(receive)
        if len(body) > limits.HTTP_BODY_OCTETS:
            return _refusal(APIError("user:error", "the body is too large"), 413)
        octets = await api.answer(self._table, method, call, body)
        cookies.extend(call.set_cookies)
        return Response(200, octets, JSON, _NO_STORE)

    async def _authenticate(self, scope: Scope, call: Call, needed: Needed) -> None:
        """Whose call it is. Raises Refused."""
        scheme, _, token = _field(scope, b"authorization").partition(" ")
        if scheme.lower() == "bearer":
            good = await require_token(self._app, self._entrance, call.client, token.strip())
            if needed.value not in good.scopes and not (needed is Needed.READ and "change" in good.scopes):
                raise Refused(APIError("user:error", f"the token is not for this: {needed.value}"))
            call.owner = good.actor
            return
        found = await require_session(self._app, self._entrance, call.client, _field(scope, CSRF_HEADER))
        call.session, call.owner = found, found.actor


def _refusal(error: APIError, status: int) -> Response:
    return Response(status, api.refusal(error), JSON, _NO_STORE)


def _field(scope: Scope, wanted: bytes) -> str:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == wanted), "")


def _forged(scope: Scope) -> str:
    """Why a browser should not have sent this call; empty when nothing speaks against it.

    Programs send neither field. Cookies and tokens would not let it pass either; this also guards logging in.
    """
    if _field(scope, b"sec-fetch-site") not in {"", "same-origin", "none"}:
        return "calls of other sites are not answered"
    return ""
