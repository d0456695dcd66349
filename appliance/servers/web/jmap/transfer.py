"""Uploads and downloads of blobs (RFC 8620 §6.1, §6.2)."""

from collections.abc import AsyncGenerator
from typing import Final

import msgspec
import trio

from appliance.servers.web.asgi import Receive, Scope, Send
from appliance.servers.web.jmap.auth import Caller, field
from appliance.servers.web.jmap.blobs import Blob, Uploads
from appliance.servers.web.jmap.call import account_id
from appliance.servers.web.jmap.problem import RequestProblem, over_limit
from appliance.servers.web.respond import Response, disposition, query_of
from appliance.servers.web.stored import media_type_of
from appliance.store.tables import AccountID

JSON: Final = "application/json"
#: Blobs never change, and are nobody else's (RFC 8620 §6.2).
_CACHE: Final = "private, immutable, max-age=31536000"


class Left(Exception):
    """The client is gone."""


async def upload(
    uploads: Uploads, scope: Scope, receive: Receive, caller: Caller, account: AccountID, most: int
) -> Response:
    """Keep what comes for an account. Raises RequestProblem: the limit maxSizeUpload."""
    kind = media_type_of(field(scope, b"content-type"))
    scratch = uploads.scratch()
    try:
        async for piece in pieces_of(scope, receive, most, "maxSizeUpload"):
            await scratch.write(piece)
        id = uploads.keep(caller.actor.account, kind, scratch, account)
    except BaseException:
        scratch.__exit__()
        raise
    answer = {"accountId": account_id(account), "blobId": id, "type": kind, "size": scratch.size}
    return Response(201, msgspec.json.encode(answer), JSON)


async def pieces_of(scope: Scope, receive: Receive, most: int, limit: str) -> AsyncGenerator[bytes, None]:
    """The body of a request, piece by piece. Raises RequestProblem when it is longer than a limit, Left."""
    too_large = over_limit(limit, f"at most {most} octets", status=413)
    length = field(scope, b"content-length")
    if length.isdecimal() and int(length[:20]) > most:
        raise too_large  # Then it need not come (RFC 9110 §10.1.1).
    size = 0
    while True:
        event = await receive()
        if event["type"] != "http.request":
            raise Left
        piece = event.get("body", b"")
        size += len(piece)
        if size > most:
            raise too_large
        if piece:
            yield piece
        if not event.get("more_body"):
            return


def place_of(path: str) -> tuple[str, str, str]:
    """Account, blob and name of a download. Raises RequestProblem."""
    account, slash, rest = path.partition("/")
    blob, _, name = rest.partition("/")
    if not slash or not blob:
        raise RequestProblem("about:blank", "there is nothing here", status=404)
    return account, blob, name


async def download(scope: Scope, send: Send, blob: Blob, name: str, security: dict[str, str]) -> None:
    """Send a blob."""
    wanted = media_type_of(query_of(scope).get("accept", ""), blob.media_type)
    headers = {
        **security,
        "content-type": wanted,
        "content-disposition": disposition(name),
        "cache-control": _CACHE,
    }
    if blob.size is not None:
        headers["content-length"] = str(blob.size)
    encoded = [(key.encode("ascii"), value.encode("latin-1")) for key, value in headers.items()]
    await send({"type": "http.response.start", "status": 200, "headers": encoded})
    if scope["method"] != "HEAD":
        pieces = blob.pieces()
        while True:
            if blob.in_thread:
                piece = await trio.to_thread.run_sync(next, pieces, None)
            else:
                piece = next(pieces, None)
            if piece is None:
                break
            if piece:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
