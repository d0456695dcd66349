"""Responses compressed on their way to a client that can take them (RFC 9110 §8.4.1.3)."""

import zlib
from collections.abc import Sequence
from typing import Final

import trio

from appliance.servers.web.asgi import Message, Scope, Send
from appliance.servers.web.site.types import is_compressible

#: Smaller ones are not worth the header field, larger ones not the work.
_LEAST_OCTETS, _MOST_OCTETS = 512, 10 * 1024 * 1024
#: Compressed at once, in a millisecond or two; more than a little is left to a thread.
_PIECE_OCTETS: Final = 64 * 1024
_LITTLE_OCTETS: Final = 8 * 1024
_GZIP: Final = 16 + zlib.MAX_WBITS
#: The fastest.
_LEVEL: Final = 1

Headers = list[tuple[bytes, bytes]]


class Compressed:
    """In the place of `send`: compresses what pays, and lets all else pass."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self._compressor: zlib._Compress | None = None

    async def __call__(self, message: Message) -> None:
        """Send."""
        kind = message["type"]
        if kind == "http.response.start":
            headers: Headers = [(name.lower(), value) for name, value in message["headers"]]
            if message["status"] == 200 and _pays(headers):
                coded = bool(accepted(self._scope))
                if coded and self._scope["method"] != "HEAD":
                    self._compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
                message = {**message, "headers": _changed(headers, coded=coded)}
        elif kind == "http.response.body" and self._compressor is not None:
            await self._compress(self._compressor, message)
            return
        await self._send(message)

    async def _compress(self, compressor: "zlib._Compress", message: Message) -> None:
        body, more = message.get("body", b""), message.get("more_body", False)
        state = self._scope.get("state", {})
        state["unpacked"] = state.get("unpacked", 0) + len(body)
        for at in range(0, len(body), _PIECE_OCTETS):
            octets = body[at : at + _PIECE_OCTETS]
            if len(octets) <= _LITTLE_OCTETS:
                piece = compressor.compress(octets)
            else:
                piece = await trio.to_thread.run_sync(compressor.compress, octets)
            if piece:
                await self._send({"type": message["type"], "body": piece, "more_body": True})
        # What an application has said shall be seen before it says more.
        rest = compressor.flush(zlib.Z_SYNC_FLUSH if more else zlib.Z_FINISH)
        await self._send({"type": message["type"], "body": rest, "more_body": more})


def accepted(scope: Scope, known: Sequence[str] = ("gzip",)) -> list[str]:
    """Which of some codings the client can unpack, in their order (RFC 9110 §12.5.3)."""
    given = ",".join(value.decode("latin-1") for name, value in scope["headers"] if name == b"accept-encoding")
    weights = {}
    for one in given.lower().split(","):
        coding, *parameters = (part.strip() for part in one.split(";"))
        weights["gzip" if coding == "x-gzip" else coding] = not any(
            part.replace(" ", "").strip("q=0.") == "" for part in parameters if part
        )
    return [one for one in known if weights.get(one, weights.get("*", False))]


def _pays(headers: Headers) -> bool:
    found = dict(headers)
    length = found.get(b"content-length", b"")
    return (
        is_compressible(found.get(b"content-type", b"").decode("latin-1"))
        and found.get(b"content-encoding", b"identity").lower() == b"identity"
        # RFC 9110 §7.7
        and b"no-transform" not in found.get(b"cache-control", b"").lower()
        and (not length.isdigit() or _LEAST_OCTETS <= int(length[:20]) <= _MOST_OCTETS)
    )


def _changed(headers: Headers, *, coded: bool) -> Headers:
    """The header of what may come compressed, or not, as the client can take it."""
    varies = any(name == b"vary" and b"accept-encoding" in value.lower() for name, value in headers)
    changed = headers if varies else [*headers, (b"vary", b"accept-encoding")]
    if not coded:
        return changed
    lost = {b"content-length", b"accept-ranges", b"content-encoding", b"content-md5", b"digest"}
    kept = [(name, value) for name, value in changed if name not in lost]
    # Other octets are another representation (RFC 9110 §8.8.3.3), of the same content.
    kept = [(name, b"W/" + value if name == b"etag" and value[:2] != b"W/" else value) for name, value in kept]
    return [*kept, (b"content-encoding", b"gzip")]
