"""The webapi as an application of a port: paths and verbs, who calls, one call from its form to its answer.

Wire compatible with mox. A path below the root has the version, then the name of a method: GET shows a page about it,
POST calls it. Every call has HTTP Basic authentication of its own (RFC 7617); there are no cookies, and no browser may
call for a page of another site.
"""

from base64 import b64decode
from binascii import Error as NotBase64
from http import HTTPStatus
from typing import Final

import msgspec
import trio

from appliance.base import limits
from appliance.base.log import Log
from appliance.base.metrics import Counter, Histogram, panics
from appliance.base.problem import Problem
from appliance.config.source import Config
from appliance.delivery.appliance import Appliance
from appliance.net.connection import parse_address
from appliance.net.limiter import Address
from appliance.operations import login
from appliance.operations.actor import Actor
from appliance.operations.login import Attempt, LoginFailed, Situation, Why
from appliance.protocol.sasl.exchange import PasswordCredentials
from appliance.servers.web.asgi import ASGI, Receive, Scope, Send
from appliance.servers.web.respond import Response, send_response, text
from appliance.servers.web.trace import received
from appliance.servers.web.webapi import forms, openapi, pages
from appliance.servers.web.webapi.call import Call, Method, Octets, code_of
from appliance.servers.web.webapi.decoding import decode
from appliance.servers.web.webapi.forms import BodyTooLarge, ClientGone
from appliance.servers.web.webapi.methods import METHODS
from appliance.servers.web.webapi.types import Error, Shape

log = Log("webapi")

results = Counter("webapi_results_total", "Calls of the webapi.", ("method", "result"))
_BUCKETS: Final = (0.01, 0.05, 0.1, 0.5, 1, 5, 10, 20, 30)
durations = Histogram(
    "webapi_duration_seconds", "Until a call of the webapi was answered.", ("method",), buckets=_BUCKETS
)

#: The version, as a part of paths.
VERSION: Final = "v0/"
JSON: Final = "application/json; charset=utf-8"
#: JSON of more octets is decoded in a thread.
_THREAD_OCTETS: Final = 64 * 1024

SECURITY: Final = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
}
_CHALLENGE: Final = {"www-authenticate": "Basic realm=webapi"}


def application(app: Appliance) -> ASGI:
    """The webapi of a house."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await receive()
            await send({"type": "websocket.close"})
            return
        response = _page(scope) or await _Exchange(app, scope, receive).response()
        if isinstance(response, Response):
            await send_response(scope, send, response, SECURITY)
        else:
            try:
                await _send_octets(send, response)
            finally:
                response.done()

    return answer


def _page(scope: Scope) -> Response | None:
    """The answer to what is no call."""
    root = f"{scope['root_path']}/"
    verb, path = scope["method"], scope["path"].removeprefix(root)
    if path == "":
        if verb != "GET":
            return _wrong_verb("GET")
        return text(HTTPStatus.SEE_OTHER, root + VERSION, {"location": root + VERSION})
    if not path.startswith(VERSION):
        return _nothing_here()
    name = path.removeprefix(VERSION)
    if name == "":
        return pages.index(METHODS)
    if name in pages.DOCUMENTS or name == openapi.NAME:
        if verb not in {"GET", "HEAD"}:
            return _wrong_verb("GET, HEAD")
        return pages.DOCUMENTS[name] if name in pages.DOCUMENTS else openapi.document(METHODS, root + VERSION)
    if name not in METHODS:
        return _nothing_here()
    if verb == "GET":
        return pages.of_method(METHODS[name])
    return None if verb == "POST" else _wrong_verb("GET, POST")


def _nothing_here() -> Response:
    return text(HTTPStatus.NOT_FOUND, "there is no such method")


def _wrong_verb(allowed: str) -> Response:
    return text(HTTPStatus.METHOD_NOT_ALLOWED, f"only {allowed} here", {"allow": allowed})


def _credentials(scope: Scope) -> PasswordCredentials | None:
    """Who the client says it is (RFC 7617 §2); None where it does not, or not so that it could be read."""
    value = _header(scope, b"authorization")
    scheme, _, token = value.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = b64decode(token.strip(), validate=True).decode("utf-8", "replace").partition(":")
    except (NotBase64, ValueError):
        return None
    return PasswordCredentials(user, password) if colon else None


def _header(scope: Scope, wanted: bytes) -> str:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == wanted), "")


class _Exchange:
    """One call."""

    def __init__(self, app: Appliance, scope: Scope, receive: Receive) -> None:
        self._app = app
        self._scope = scope
        self._receive = receive
        self._state = scope["state"]
        self._config: Config = self._state["config"]
        self._method: Method = METHODS[scope["path"].rpartition("/")[2]]
        self._log = log.bind(cid=self._state.get("cid"), method=self._method.name)

    async def response(self) -> Response | Octets:
        """What is answered; counted."""
        began = trio.current_time()
        result = "internal"
        try:
            response, result = await self._answer()
        except ClientGone:
            response, result = text(400, "the request is not complete"), "internal"
        except BodyTooLarge as problem:
            response, result = text(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, str(problem)), "protocol"
        except Problem as problem:
            self._log.info("call failed", problem)
            result = code_of(problem)
            response = _failure(result, str(problem))
        except OSError as error:
            self._log.error("call failed for a reason of ours", error)
            result, response = "server", _failure("server", "something went wrong here, try again later")
        except Exception as error:
            panics.labels("webapi").inc()
            self._log.error("unhandled exception in a call", error)
            result, response = "server", _failure("server", "unhandled error")
        finally:
            durations.labels(self._method.name).observe(trio.current_time() - began)
            results.labels(self._method.name, result).inc()
        return response

    async def _answer(self) -> tuple[Response | Octets, str]:
        """The answer of a call, or of what comes before one, and what it counts as."""
        if _header(self._scope, b"sec-fetch-site").lower() == "cross-site":
            # A browser may know a password, and a page of somebody else may have a form.
            return text(HTTPStatus.FORBIDDEN, "not for pages of other sites"), "badauth"
        client: Address | None = self._state["client"]
        if client is None:
            return text(
                HTTPStatus.INTERNAL_SERVER_ERROR, "the proxy in front does not say where this comes from"
            ), "internal"
        credentials = _credentials(self._scope)
        if credentials is None:
            return text(
                HTTPStatus.UNAUTHORIZED, "log in with an address of the account and its password", _CHALLENGE
            ), "badauth"
        try:
            actor = await self._login(client, credentials)
        except LoginFailed as problem:
            return _login_failed(problem)
        self._state["account"] = actor.name
        actor.require(self._method.right)
        with self._app.store.scratch(limits.WEBAPI_MEMORY_OCTETS) as scratch:
            form = await forms.read(self._scope, self._receive, scratch)
            request = await self._decoded(form.request)
            listener = self._config.static.listeners[self._state["listener"]]
            call = Call(
                app=self._app,
                config=self._config,
                actor=actor,
                log=self._log.bind(account=actor.name),
                trace=received(self._app, self._scope),
                max_message_octets=int(listener.smtp_max_message_size),
                files=form.files,
                scratch=scratch,
            )
            form.request = b""
            answer = await self._method.call(call, request)
        if isinstance(answer, Octets):
            return answer, "ok"
        return Response(200, msgspec.json.encode(answer) + b"\n", JSON), "ok"

    async def _login(self, client: Address, credentials: PasswordCredentials) -> Actor:
        attempt = Attempt(
            "webapi",
            "httpbasic",
            client,
            self._log,
            local=parse_address(self._scope["server"][0]),
            tls=self._state["tls"],
            user_agent=_header(self._scope, b"user-agent"),
        )
        # An operator who has it without TLS has a proxy in front, or knows his network.
        return await login.by_password(self._app, attempt, Situation(passwords_allowed=True), credentials)

    async def _decoded(self, octets: bytes) -> Shape:
        if len(octets) <= _THREAD_OCTETS:
            return decode(octets, self._method.request)
        return await trio.to_thread.run_sync(decode, octets, self._method.request)


def _login_failed(problem: LoginFailed) -> tuple[Response, str]:
    match problem.why:
        case Why.TOO_MANY:
            return text(HTTPStatus.TOO_MANY_REQUESTS, problem.why.text, {"retry-after": "60"}), "badauth"
        case Why.INTERNAL:
            return _failure("server", problem.why.text), "server"
        case Why.DISABLED:
            # What the operator has to say about it is for places where people read.
            return text(HTTPStatus.UNAUTHORIZED, problem.why.text, _CHALLENGE), "badauth"
        case _:
            return text(HTTPStatus.UNAUTHORIZED, str(problem), _CHALLENGE), "badauth"


def _failure(code: str, message: str) -> Response:
    return Response(400, msgspec.json.encode(Error(code=code, message=message)) + b"\n", JSON)


async def _send_octets(send: Send, octets: Octets) -> None:
    headers = {**SECURITY, "content-type": octets.media_type}
    if octets.size is not None:
        headers["content-length"] = str(octets.size)
    encoded = [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": 200, "headers": encoded})
    more = True
    while more:
        if octets.in_thread:
            piece = await trio.to_thread.run_sync(next, octets.pieces, None)
        else:
            piece = next(octets.pieces, None)
        more = piece is not None
        if piece:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
