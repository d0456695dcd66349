"""JMAP as an application below the webmail's path: who asks, how much at a time, and what is where (RFC 8620)."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import msgspec

from appliance.base import limits
from appliance.base.log import Log
from appliance.config.source import Config
from appliance.delivery.appliance import Appliance
from appliance.operations import push
from appliance.operations.actor import Right
from appliance.protocol import webpush
from appliance.servers.web.api import Client
from appliance.servers.web.asgi import Receive, Scope, Send
from appliance.servers.web.dispatch import Port, account_pages, parse_host
from appliance.servers.web.jmap import batch, eventsource, session, transfer, websocket
from appliance.servers.web.jmap.auth import Caller, authenticate, field
from appliance.servers.web.jmap.batch import Batch
from appliance.servers.web.jmap.blobs import Uploads, open_blob
from appliance.servers.web.jmap.call import Call, account_id, shared_account
from appliance.servers.web.jmap.methods import METHODS
from appliance.servers.web.jmap.problem import RequestProblem, not_json, over_limit
from appliance.servers.web.jmap.transfer import Left
from appliance.servers.web.jmap.watch import Waitings
from appliance.servers.web.login import AccountEntrance, Refused, client_of
from appliance.servers.web.respond import Response, send_response
from appliance.servers.web.trace import received
from appliance.store.tables import AccountID

log = Log("jmap")

#: Below the application's root.
PREFIX: Final = "jmap/"
JSON: Final = "application/json"
#: Places that are remembered: hosts are what clients say, and any address is one.
_PLACES: Final = 100
PROBLEM: Final = "application/problem+json"
SECURITY: Final = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
#: A browser asks its user for a password where it hears of Basic, so it does not.
_CHALLENGE: Final = "Basic realm=jmap, Bearer realm=jmap"
_CHALLENGE_OF_BROWSERS: Final = "Bearer realm=jmap"


class Slots:
    """How many of something an account has at a time."""

    def __init__(self, most: int, name: str) -> None:
        """`name`: of the limit in the session object."""
        self._most = most
        self._name = name
        self._taken: Counter[AccountID] = Counter()

    @contextmanager
    def one(self, account: AccountID) -> Iterator[None]:
        """Take one. Raises RequestProblem."""
        if self._taken[account] >= self._most:
            raise over_limit(self._name, f"at most {self._most} at a time", status=429)
        self._taken[account] += 1
        try:
            yield
        finally:
            self._taken[account] -= 1
            if not self._taken[account]:
                del self._taken[account]


class AccountPages:
    """Where the account pages are, worked out once for each place that people come to: all requests tell it."""

    def __init__(self) -> None:
        self._config: Config | None = None
        self._found: dict[tuple[Port, str, bool], str | None] = {}

    def find(self, config: Config, port: Port, host: str, *, forwarded: bool) -> str | None:
        """As `dispatch.account_pages`."""
        if config is not self._config or len(self._found) >= _PLACES:
            self._config, self._found = config, {}
        key = port, host, forwarded
        if key not in self._found:
            self._found[key] = account_pages(config, port, host, forwarded=forwarded)
        return self._found[key]


class JMAPApplication:
    """Answers what comes below `jmap/`."""

    def __init__(self, app: Appliance, entrance: AccountEntrance) -> None:
        """`entrance`: where the sessions of browsers are."""
        self._app = app
        self._entrance = entrance
        self._requests = Slots(limits.JMAP_REQUESTS, "maxConcurrentRequests")
        self._transfers = Slots(limits.JMAP_UPLOADS, "maxConcurrentUpload")
        self._uploads = Uploads(app)
        self._waitings = Waitings(app)
        self._account_pages = AccountPages()
        self._server_key = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
            return
        try:
            response = await self._response(scope, receive, send)
        except RequestProblem as problem:
            response = problem_response(problem)
        except Refused as refused:
            response = _refusal(scope, refused)
        except Left:
            return
        if response is not None:
            await send_response(scope, send, response, SECURITY)

    async def _response(self, scope: Scope, receive: Receive, send: Send) -> Response | None:
        """What is answered; None when it was answered already."""
        client = self._client(scope)
        verb, path = scope["method"], scope["path"].removeprefix(f"{scope['root_path']}/{PREFIX}")
        match path.partition("/")[0] if path.startswith(("upload/", "download/")) else path:
            case "session":
                _require_verb(verb, "GET")
                caller = await self._caller(scope, client, with_csrf=False)
                document, _ = await self._session(scope, client, caller)
                return Response(200, document, JSON)
            case "api":
                _require_verb(verb, "POST")
                caller = await self._caller(scope, client, with_csrf=True)
                with self._requests.one(caller.actor.account):
                    return await self._api(scope, receive, client, caller)
            case "eventsource":
                _require_verb(verb, "GET")
                caller = await self._caller(scope, client, with_csrf=False)
                asked = eventsource.asked(scope)
                with self._waitings.one(caller.actor) as waiting:
                    await eventsource.run(self._app, asked, waiting, self._goes_on(caller), send)
                return None
            case "upload":
                _require_verb(verb, "POST")
                caller = await self._caller(scope, client, with_csrf=True)
                owner = self._account(caller, path.split("/")[1])
                if caller.is_read_only:
                    raise RequestProblem("about:blank", "the token is for reading only", status=403)
                with self._transfers.one(caller.actor.account):
                    most = self._max_message_octets(scope)
                    return await transfer.upload(self._uploads, scope, receive, caller, owner, most)
            case "download":
                _require_verb(verb, "GET", "HEAD")
                caller = await self._caller(scope, client, with_csrf=False)
                account, blob_id, name = transfer.place_of(path.removeprefix("download/"))
                owner = self._account(caller, account)
                with open_blob(self._app, caller.actor, owner, self._uploads, blob_id) as blob:
                    if blob is None:
                        raise RequestProblem("about:blank", "there is no such blob", status=404)
                    await transfer.download(scope, send, blob, name, SECURITY)
                return None
            case _:
                raise RequestProblem("about:blank", "there is nothing here", status=404)

    def _goes_on(self, caller: Caller) -> Callable[[], bool]:
        return lambda: caller.goes_on(self._app, self._entrance)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """RFC 8887 §4.1; refused before it is accepted."""
        await receive()  # That somebody wants to connect.
        try:
            client = self._client(scope)
            is_ours = scope["path"] == f"{scope['root_path']}/{PREFIX}ws"
            if not is_ours or websocket.SUBPROTOCOL not in scope["subprotocols"]:
                raise RequestProblem("about:blank", "not this path, or not the subprotocol jmap")
            caller = await self._caller(scope, client, with_csrf=False)
            # A browser says whose page it is, always (Fetch §3.1); a cookie alone would let any in.
            if caller.session is not None and field(scope, b"origin") != origin_of(client):
                raise RequestProblem("about:blank", "not for pages of other sites", status=403)

            async def run(value: Any) -> bytes:
                scope["state"]["config"] = self._app.config.snapshot()
                with self._requests.one(caller.actor.account):
                    return await self.run(scope, client, caller, value)

            with self._waitings.one(caller.actor) as waiting:
                await websocket.Conversation(self._app, waiting, run, receive, send).serve(self._goes_on(caller))
        except (RequestProblem, Refused):
            await send({"type": "websocket.close"})

    def _client(self, scope: Scope) -> Client:
        """Who asks, as far as the connection tells. Raises RequestProblem."""
        if scope["state"]["client"] is None:
            raise RequestProblem("about:blank", "the proxy in front does not say where this comes from", status=403)
        if field(scope, b"sec-fetch-site") not in {"", "same-origin", "none"}:
            raise RequestProblem("about:blank", "not for pages of other sites", status=403)
        return client_of(scope)

    async def _caller(self, scope: Scope, client: Client, *, with_csrf: bool) -> Caller:
        caller = await authenticate(self._app, self._entrance, scope, client, with_csrf=with_csrf)
        scope["state"]["account"] = caller.actor.name
        caller.actor.require(Right.READ_MAIL)
        return caller

    def _account(self, caller: Caller, id: str) -> AccountID:
        """The caller's account, or one that shares a mailbox with him. Raises RequestProblem."""
        if id == account_id(caller.actor.account):
            return caller.actor.account
        with self._app.store.read() as tx:
            reach = shared_account(tx, caller.actor, id)
        if reach is None:
            raise RequestProblem("about:blank", "there is no such account", status=404)
        return reach.account

    def _max_message_octets(self, scope: Scope) -> int:
        config: Config = scope["state"]["config"]
        return int(config.static.listeners[scope["state"]["listener"]].smtp_max_message_size)

    async def _session(self, scope: Scope, client: Client, caller: Caller) -> tuple[bytes, str]:
        if not self._server_key:
            self._server_key = webpush.public_text(await push.application_key(self._app))
        state, host = scope["state"], parse_host(client.host)
        return session.document(
            self._app,
            caller.actor,
            root_url(scope, client),
            max_message_octets=self._max_message_octets(scope),
            account_pages=self._account_pages.find(
                state["config"], state["port"], host or "localhost", forwarded=state["target"].forwarded
            ),
            server_key=self._server_key,
            is_read_only=caller.is_read_only,
        )

    async def _api(self, scope: Scope, receive: Receive, client: Client, caller: Caller) -> Response:
        """A request (RFC 8620 §3.1). Raises RequestProblem."""
        if field(scope, b"content-type").partition(";")[0].strip().lower() != JSON:
            raise not_json(f"the content-type must be {JSON}")
        body = bytearray()
        async for piece in transfer.pieces_of(scope, receive, limits.JMAP_REQUEST_OCTETS, "maxSizeRequest"):
            body += piece
        octets = await self.run(scope, client, caller, await batch.read_request(body))
        return Response(200, octets, JSON)

    async def run(self, scope: Scope, client: Client, caller: Caller, value: Any) -> bytes:
        """Run the calls of a request that was parsed; the response. Raises RequestProblem."""
        request = batch.check(value, session.CAPABILITIES)
        state = (await self._session(scope, client, caller))[1]
        call = Call(
            app=self._app,
            actor=caller.actor,
            log=log.bind(cid=scope["state"].get("cid"), account=caller.actor.name),
            config=scope["state"]["config"],
            client=client,
            using=frozenset(request.using),
            max_message_octets=self._max_message_octets(scope),
            uploads=self._uploads,
            is_read_only=caller.is_read_only,
            credential=push.credential_of(self._app, caller.actor, caller.token),
            trace=partial(received, self._app, scope),
        )
        return await Batch(METHODS, call, request).run(state)


def origin_of(client: Client) -> str:
    """Scheme and host as the client sees them."""
    return f"http{'s' if client.is_secure else ''}://{client.host or 'localhost'}"


def root_url(scope: Scope, client: Client) -> str:
    """The URL of all this as the client sees it, with a slash at its end."""
    return f"{origin_of(client)}{scope['root_path']}/{PREFIX}"


def problem_response(problem: RequestProblem) -> Response:
    """RFC 7807."""
    headers = {"retry-after": "1"} if problem.status == 429 else {}
    return Response(problem.status, msgspec.json.encode(problem.fields), PROBLEM, headers)


def _refusal(scope: Scope, refused: Refused) -> Response:
    status = 401 if refused.status == 200 else refused.status
    headers = {}
    if status == 401:
        is_browser = field(scope, b"sec-fetch-mode") or field(scope, b"cookie")
        headers["www-authenticate"] = _CHALLENGE_OF_BROWSERS if is_browser else _CHALLENGE
    elif status == 429:
        headers["retry-after"] = "60"
    fields = {"type": "about:blank", "status": status, "detail": str(refused)}
    return Response(status, msgspec.json.encode(fields), PROBLEM, headers)


def _require_verb(verb: str, *allowed: str) -> None:
    if verb not in allowed:
        raise RequestProblem("about:blank", f"only {', '.join(allowed)} here", status=405)
