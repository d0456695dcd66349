"""Requests and responses as values, for whatever is answered at once and whole."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, quote

from appliance.servers.web.asgi import Receive, Scope, Send

TEXT: Final = "text/plain; charset=utf-8"
XML: Final = "text/xml; charset=utf-8"
HTML: Final = "text/html; charset=utf-8"

#: Fields of a query that are looked at; more are not ours.
_QUERY_FIELDS: Final = 50
#: Of a name in a header field.
_NAME_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks."""

    method: str
    #: Host name without port, lower case; an address without brackets.
    host: str
    #: Decoded, without dot segments.
    path: str
    query: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """What it is answered."""

    status: int
    body: bytes = b""
    media_type: str = TEXT
    #: Further header fields.
    headers: Mapping[str, str] = field(default_factory=dict)
    #: Whether clients may ask again if it has changed (RFC 9110 §8.8.3).
    validated: bool = False


#: Answers a request; some only after waiting.
Page = Callable[[Request], Response | Awaitable[Response]]


def text(status: int, content: str, headers: Mapping[str, str] | None = None) -> Response:
    """A response for people who look at the wire."""
    return Response(status, content.encode() + b"\n", TEXT, headers or {})


def redirect(location: str, *, permanent: bool = True) -> Response:
    """To another URL, for good or for now, with the same method (RFC 9110 §15.4.8, §15.4.9)."""
    return text(308 if permanent else 307, location, {"location": location})


def query_of(scope: Scope) -> dict[str, str]:
    """The fields of the query, of several with one name the first."""
    octets: bytes = scope["query_string"]
    try:
        pairs = parse_qsl(octets.decode("ascii"), keep_blank_values=True, max_num_fields=_QUERY_FIELDS)
    except ValueError:
        return {}
    return dict(reversed(pairs))


def disposition(name: str, kind: str = "attachment") -> str:
    """Content-Disposition of a file of a name (RFC 6266 §4.3); `inline`: the browser may show it."""
    kept = "".join(one if one.isprintable() and one not in '/\\"' else "_" for one in name[:_NAME_CHARACTERS])
    if not kept.strip(" ."):
        return kind
    if kept.isascii():
        return f'{kind}; filename="{kept}"'
    plain = kept.encode("ascii", "replace").decode().replace("?", "_")
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(kept, safe='')}"


async def body_of(receive: Receive) -> bytes:
    """The whole body of a request; its limit is kept below."""
    pieces = bytearray()
    while True:
        event = await receive()
        if event["type"] != "http.request":
            return bytes(pieces)
        pieces += event.get("body", b"")
        if not event.get("more_body"):
            return bytes(pieces)


async def send_response(
    scope: Scope, send: Send, response: Response, fields: Mapping[str, str], cookies: Sequence[str] = ()
) -> None:
    """Send it, with header fields that all responses have unless it has its own, and values of Set-Cookie."""
    status, body = response.status, response.body
    headers = {**fields, "content-type": response.media_type, **response.headers}
    if response.validated and status == 200:
        tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        headers["etag"] = tag
        if _matches(scope, tag):
            status, body = 304, b""
    if status != 304:
        headers["content-length"] = str(len(body))
    encoded = [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers.items()]
    encoded += [(b"set-cookie", value.encode("latin-1")) for value in cookies]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})


def _matches(scope: Scope, tag: str) -> bool:
    """Whether the client has this already (RFC 9110 §13.1.2)."""
    if scope["method"] not in {"GET", "HEAD"}:
        return False
    given = b",".join(value for name, value in scope["headers"] if name == b"if-none-match").decode("latin-1")
    return given.strip() == "*" or any(one.strip().removeprefix("W/") == tag for one in given.split(","))
