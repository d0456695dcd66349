"""What scripts ask of a server for tests. JSON, no login: it is on this machine, for tests of this machine.

GET    addresses                      whom something was caught for, with counts
GET    messages?to=&from=&subject=&text=&after=&limit=   the newest first
GET    wait?...&timeout=SECONDS       the newest such message, waited for if there is none; 404 when the time is over
GET    messages/<id>                  all of a message; also /raw, /text, /html, /parts/<part>
GET    messages/<id>/check            hints about its HTML
POST   messages/<id>/release          {"to": ["me@example.org"]}: hand it to a real server, if release.toml allows
DELETE messages?to=...                remove all such messages, without conditions all there are
DELETE messages/<id>                  remove one
GET    release                        whether and to whom mail may be released

Other sites cannot ask through a browser: requests must come from this origin or from no page at all, and the host of
the request is looked at before (`dispatch`).
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import trio

from appliance.base import limits
from appliance.base.log import Log
from appliance.base.problem import Problem
from appliance.config import releasing
from appliance.config.errors import ConfigErrors
from appliance.config.releasing import Releasing
from appliance.delivery.appliance import Appliance
from appliance.mail.address import Address, AddressError, parse_address
from appliance.operations import caught, exporting, handover, login
from appliance.operations.actor import Actor
from appliance.operations.caught import Caught, Wanted
from appliance.servers.web import stored
from appliance.servers.web.asgi import Receive, Scope, Send
from appliance.servers.web.inbox import told
from appliance.servers.web.respond import TEXT, Response, body_of, query_of, send_response
from appliance.servers.web.stored import Stored
from appliance.store import objectid
from appliance.store.problems import NoSuchMessage
from appliance.store.tables import MessageID

log = Log("inbox")

PREFIX: Final = "inbox/"
_JSON: Final = "application/json"
_HEADERS: Final = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "content-security-policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
_ONE: Final = re.compile(r"messages/(M[0-9]+-[0-9]+)(?:/(raw|text|html|check|release|parts/[0-9.]{1,100}))?")
_KNOWN: Final = frozenset({"to", "from", "subject", "text", "after"})


class _Refused(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class _Release(msgspec.Struct, forbid_unknown_fields=True):
    to: list[str]


class InboxApplication:
    """Of one account."""

    def __init__(self, app: Appliance, address: str, folder: Path) -> None:
        """`address`: of the account that catches everything; `folder`: where release.toml may be."""
        self._app = app
        self._address = address
        self._file = folder / releasing.NAME
        self._waits = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await receive()
            await send({"type": "websocket.close"})
            return
        try:
            answer = await self._answer(scope, receive)
        except _Refused as refused:
            answer = _error(refused.status, str(refused))
        except NoSuchMessage:
            answer = _error(404, "there is no such message")
        except Problem as problem:
            answer = _error(409, str(problem))
        if isinstance(answer, Response):
            await send_response(scope, send, answer, _HEADERS)
        else:
            await _send_pieces(send, answer)

    @property
    def _actor(self) -> Actor:
        return login.without_secret(self._app, self._address)

    async def _answer(self, scope: Scope, receive: Receive) -> "Response | Iterator[bytes]":
        site = next((value for name, value in scope["headers"] if name == b"sec-fetch-site"), b"none")
        if site not in {b"same-origin", b"none"}:
            raise _Refused(403, "pages of other sites may not ask")
        path = scope["path"].removeprefix(f"{scope['root_path']}/").removeprefix(PREFIX)
        query = query_of(scope)
        match scope["method"], path:
            case "GET", "addresses":
                return _json(await trio.to_thread.run_sync(caught.addressees, self._app.store, self._actor))
            case "GET", "messages":
                return await self._list(query)
            case "DELETE", "messages":
                removed = await caught.remove_all(self._app, self._actor, self._wanted(query))
                return _json({"removed": removed})
            case "GET", "wait":
                return await self._wait(query)
            case "GET", "release":
                return _json(self._releasing())
        found = _ONE.fullmatch(path)
        if found is None:
            raise _Refused(404, "there is nothing here")
        id = objectid.parse("M", self._actor.account, found[1])
        if id is None:
            raise NoSuchMessage("no such message")
        return await self._message(scope["method"], id, found[2] or "", receive)

    async def _message(self, method: str, id: MessageID, what: str, receive: Receive) -> "Response | Iterator[bytes]":
        match method, what:
            case "GET", "":
                return Response(200, await trio.to_thread.run_sync(self._whole, id), _JSON)
            case "GET", "check":
                one = stored.find(self._app, self._actor, id)
                return _json({"hints": await trio.to_thread.run_sync(told.hints, one)})
            case "GET", "raw":
                return stored.find(self._app, self._actor, id).pieces()
            case "GET", "text" | "html":
                made = msgspec.json.decode(await trio.to_thread.run_sync(self._whole, id))
                return Response(200, made[what].encode("utf-8", "replace"), TEXT)
            case "GET", part if part.startswith("parts/"):
                one = stored.find(self._app, self._actor, id)
                numbers = [int(number) for number in part.removeprefix("parts/").split(".") if number]
                leaf = one.facts.root.find(numbers)
                if leaf is None or leaf.is_multipart:
                    raise _Refused(404, "the message has no such part")
                return one.decoded(leaf)
            case "POST", "release":
                return await self._release(id, await body_of(receive))
            case "DELETE", "":
                if not await caught.remove(self._app, self._actor, [id]):
                    raise NoSuchMessage("no such message")
                return _json({"removed": 1})
        raise _Refused(405, "not with this method")

    def _wanted(self, query: dict[str, str], more: frozenset[str] = frozenset()) -> Wanted:
        """Raises _Refused for what it does not know: a misspelt condition would find everything."""
        if unknown := set(query) - _KNOWN - more:
            raise _Refused(
                400, f"unknown condition {min(unknown)[:50]!r}; there are {', '.join(sorted(_KNOWN | more))}"
            )
        after = query.get("after", "")
        known = objectid.parse("M", self._actor.account, after) if after else MessageID(0)
        if known is None:
            raise _Refused(400, "after must be the id of a message")
        return Wanted(
            query.get("to", ""), query.get("from", ""), query.get("subject", ""), query.get("text", ""), known
        )

    async def _list(self, query: dict[str, str]) -> Response:
        wanted = self._wanted(query, frozenset({"limit"}))
        most = _number(query.get("limit", "50"), 1, limits.INBOX_LISTED)

        def look() -> list[told.Brief]:
            actor = self._actor
            found = caught.find(self._app.store, actor, wanted, int(most))
            return [made for one in found if (made := self._brief(actor, one)) is not None]

        return _json({"messages": await trio.to_thread.run_sync(look)})

    def _brief(self, actor: Actor, one: Caught) -> told.Brief | None:
        try:
            return told.brief(one, stored.find(self._app, actor, one.id))
        except (NoSuchMessage, KeyError):
            return None  # It was removed meanwhile.

    async def _wait(self, query: dict[str, str]) -> Response:
        wanted = self._wanted(query, frozenset({"timeout"}))
        seconds = _number(query.get("timeout", "30"), 0, limits.INBOX_WAIT_SECONDS)
        if self._waits >= limits.INBOX_WAITS:
            raise _Refused(429, "too many requests wait already")
        self._waits += 1
        try:
            found = await caught.wait(self._app, self._actor, wanted, seconds)
        finally:
            self._waits -= 1
        if found is None:
            raise _Refused(404, f"no such message came within {seconds:g} s")
        return Response(200, await trio.to_thread.run_sync(self._whole, found.id), _JSON)

    def _whole(self, id: MessageID) -> bytes:
        actor = self._actor
        one = stored.find(self._app, actor, id)
        only = caught.one(self._app.store, actor, id)
        return told.whole(only, one)

    # Releasing.

    def _releasing(self) -> dict[str, Any]:
        try:
            file = self._load()
        except _Refused as refused:
            return {"allow": [], "host": "", "problem": str(refused)}
        return {"allow": list(file.allow), "host": str(file.server.host), "problem": ""}

    def _load(self) -> Releasing:
        """Raises _Refused."""
        try:
            return releasing.load(self._file)
        except ConfigErrors as errors:
            raise _Refused(409, f"nothing may leave this server unless {self._file} says so\n{errors}") from errors

    async def _release(self, id: MessageID, body: bytes) -> Response:
        try:
            wanted = msgspec.json.decode(body, type=_Release).to
            to = [parse_address(one) for one in wanted]
        except msgspec.DecodeError as error:
            raise _Refused(400, 'the body must be {"to": ["me@example.org"]}') from error
        except AddressError as error:
            raise _Refused(400, f"recipient: {error}") from error
        if not 1 <= len(to) <= limits.INBOX_RELEASE_RECIPIENTS:
            raise _Refused(400, f"one to {limits.INBOX_RELEASE_RECIPIENTS} recipients")
        file = await trio.to_thread.run_sync(self._load)
        if refused := [str(one) for one in to if not file.allows(str(one))]:
            raise _Refused(403, f"{refused[0]} is not allowed by {self._file}")
        one = stored.find(self._app, self._actor, id)
        await _hand_over(file, to, one)
        log.info("message released", id=objectid.message(one.account, one.id), recipients=len(to))
        return _json({"to": [str(each) for each in to]})


async def _hand_over(file: Releasing, to: list[Address], one: Stored) -> None:
    """The message as it was received, without what was added here. Raises HandOverFailed."""
    means = await trio.to_thread.run_sync(lambda: handover.means(file.server, trusting=True))
    octets = await trio.to_thread.run_sync(one.read, 0, one.body_octets)
    await handover.submit(means, to, octets)


def _number(text: str, least: float, most: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not least <= value <= most:
        raise _Refused(400, f"{text[:20]!r} must be a number from {least:g} to {most:g}")
    return value


def _json(value: object) -> Response:
    return Response(200, msgspec.json.encode(value), _JSON)


def _error(status: int, message: str) -> Response:
    return Response(status, msgspec.json.encode({"error": message}), _JSON)


async def _send_pieces(send: Send, pieces: Iterator[bytes]) -> None:
    headers = {**_HEADERS, "content-type": "application/octet-stream", "content-disposition": "attachment"}
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": 200, "headers": encoded})
    async for piece in exporting.in_pieces(pieces):
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
