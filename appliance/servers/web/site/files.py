"""Files of a directory: whole, in parts, or not at all because the client has them already."""

import errno
import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

import trio

from appliance.base.log import Log
from appliance.config.domains import StaticSite
from appliance.servers.web.asgi import Scope, Send
from appliance.servers.web.respond import Response, send_response, text
from appliance.servers.web.site import listing, mapping, ranges, types
from appliance.servers.web.site.coding import accepted
from appliance.servers.web.site.mapping import Directory, OpenFile, Slash
from appliance.servers.web.site.packed import Packed
from appliance.servers.web.site.paths import encoded, segments_of

log = Log("http")

#: Read at once, by a thread.
_PIECE_OCTETS: Final = 256 * 1024
#: Between the parts of an answer with several ranges; it need not be absent from them, for their lengths are known.
_BOUNDARY: Final = "part-of-a-file-4c1f0d9e"
_METHODS: Final = ("GET", "HEAD")
_ABSENT: Final = {
    *(errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL, errno.ENXIO, errno.EILSEQ)
}

Headers = dict[str, str]


async def answer(site: StaticSite, scope: Scope, send: Send, packed: Packed | None = None) -> bool:
    """Answer a request; False: there is nothing here, and the next handler may have something.

    `packed`: compressed forms of the files, where clients that can take them shall have them.
    """
    if scope["method"] not in _METHODS:
        if site.continue_not_found:
            return False
        await send_response(scope, send, text(405, "only GET, HEAD here", {"allow": "GET, HEAD"}), {})
        return True
    path: str = scope["path"]
    segments = segments_of(path, site.strip_prefix, dotfiles=site.dotfiles)
    slash = path.endswith("/")
    try:
        if segments is None:
            raise FileNotFoundError
        found = await trio.to_thread.run_sync(partial(mapping.look, site, segments, slash=slash))
    except Slash:
        query = scope["query_string"].decode("latin-1")
        there = encoded(path) + "/" + (f"?{query}" if query else "")
        await send_response(scope, send, text(307, there, {"location": there}), {})
        return True
    except PermissionError:
        response = text(403, "you may not see this")
    except OSError as error:
        if not _is_absence(error):
            cid = scope["state"].get("cid", "")
            log.error("file not read", error, cid=cid, path=path[:300])
            response = text(500, f"this file cannot be read now (request {cid})")
        else:
            response = text(404, "there is nothing here")
    else:
        if isinstance(found, OpenFile):
            try:
                where = [*(segments or []), mapping.INDEX] if slash else segments or []
                await _file(site, found, scope, send, packed, where)
            finally:
                os.close(found.descriptor)
            return True
        if found.entries is not None:
            await _listed(site, found, path, segments or [], scope, send)
            return True
        response = text(403, "this directory is not listed")
    if site.continue_not_found and response.status in {403, 404}:
        return False
    await send_response(scope, send, response, {})
    return True


def _is_absence(error: OSError) -> bool:
    """Names that are too long, lead through files, or in circles, are names of nothing. A refusal has no number."""
    return error.errno is None or error.errno in _ABSENT


async def _listed(
    site: StaticSite, directory: Directory, path: str, segments: list[str], scope: Scope, send: Send
) -> None:
    make = partial(listing.page, path, directory, is_root=not segments)
    response: Response = await trio.to_thread.run_sync(make)
    added = {name.lower(): value for name, value in site.response_headers.items()}
    added.pop("content-type", None)
    await send_response(scope, send, response, {**listing.HEADERS, **added})


async def _file(
    site: StaticSite, file: OpenFile, scope: Scope, send: Send, packed: Packed | None, where: Sequence[str]
) -> None:
    version = ranges.Version(file.mtime_ns, file.size_octets)
    found = ranges.wanted(scope["method"], scope["headers"], version)
    added = {name.lower(): value for name, value in site.response_headers.items()}
    headers: Headers = {"etag": version.tag, "last-modified": version.modified, "accept-ranges": "bytes", **added}
    if found.status in {304, 412}:
        headers.pop("content-type", None)
        await _send_head(send, found.status, headers)
        await send({"type": "http.response.body", "body": b""})
        return
    if found.status == 416:
        refusal = text(416, "the file has no such part", {"content-range": f"bytes */{file.size_octets}"})
        await send_response(scope, send, refusal, {})
        return
    media_type = added.get("content-type") or await _type(file)
    if found.status == 200 and packed is not None and types.is_compressible(media_type):
        form = await packed.find(site, where, file, accepted(scope, ("br", "gzip")))
        if form is not None:
            headers["content-type"] = media_type
            await _packed(*form, headers, scope, send, unpacked_octets=file.size_octets)
            return
    size = file.size_octets
    pieces: list[tuple[bytes, int, int]]
    if found.status == 200:
        pieces = [(b"", 0, size)]
    elif len(found.ranges) == 1:
        begin, end = found.ranges[0]
        headers["content-range"] = f"bytes {begin}-{end - 1}/{size}"
        pieces = [(b"", begin, end)]
    else:
        pieces = [(_part_head(media_type, begin, end, size), begin, end) for begin, end in found.ranges]
        pieces.append((f"\r\n--{_BOUNDARY}--\r\n".encode(), 0, 0))
        media_type = f"multipart/byteranges; boundary={_BOUNDARY}"
    headers["content-type"] = media_type
    headers["content-length"] = str(sum(len(head) + end - begin for head, begin, end in pieces))
    await _send_head(send, found.status, headers)
    if scope["method"] != "HEAD":
        for head, begin, end in pieces:
            if head:
                await send({"type": "http.response.body", "body": head, "more_body": True})
            if not await _send_part(file, begin, end, send):
                # It became shorter: the response is broken off, which is all that can be said now.
                log.info("file became shorter while it was sent", path=scope["path"][:300])
                return
    await send({"type": "http.response.body", "body": b""})


async def _packed(
    file: OpenFile, coding: str, headers: Headers, scope: Scope, send: Send, *, unpacked_octets: int
) -> None:
    """The file in another form: of the same content, and other octets (RFC 9110 §8.8.3.3)."""
    headers.pop("accept-ranges", None)
    tag = headers["etag"]
    headers |= {
        "content-encoding": coding,
        "content-length": str(file.size_octets),
        "etag": tag if tag.startswith("W/") else f"W/{tag}",
        "vary": ", ".join(dict.fromkeys((*filter(None, [headers.get("vary", "")]), "accept-encoding"))),
    }
    scope["state"]["unpacked"] = unpacked_octets
    try:
        await _send_head(send, 200, headers)
        if scope["method"] == "HEAD" or await _send_part(file, 0, file.size_octets, send):
            await send({"type": "http.response.body", "body": b""})
    finally:
        os.close(file.descriptor)


def _part_head(media_type: str, begin: int, end: int, size: int) -> bytes:
    """RFC 9110 §14.6."""
    lines = ("", f"--{_BOUNDARY}", f"content-type: {media_type}", f"content-range: bytes {begin}-{end - 1}/{size}")
    return "\r\n".join((*lines, "", "")).encode("latin-1")


async def _type(file: OpenFile) -> str:
    by_name = types.of_name(file.name)
    if by_name is not None:
        return by_name
    return types.of_content(await trio.to_thread.run_sync(os.pread, file.descriptor, types.HEAD_OCTETS, 0))


async def _send_head(send: Send, status: int, headers: Mapping[str, str]) -> None:
    encoded_headers = [(name.encode("ascii"), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded_headers})


async def _send_part(file: OpenFile, begin: int, end: int, send: Send) -> bool:
    """Whether all of it was there."""
    while begin < end:
        octets = await trio.to_thread.run_sync(os.pread, file.descriptor, min(_PIECE_OCTETS, end - begin), begin)
        if not octets:
            return False
        begin += len(octets)
        await send({"type": "http.response.body", "body": octets, "more_body": True})
    return True
