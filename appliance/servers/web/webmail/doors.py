"""What answers below `msg/` of the webmail: one message, as documents, parts, source and archive.

msg/<id>/text html htmlexternal            the body, for a frame
msg/<id>/msgtext msghtml msghtmlexternal   with its header, for a window of its own
msg/<id>/raw rawdl                         the source, shown or to be kept
msg/<id>/attachments.zip                   all files of it
msg/<id>/view/<part> viewtext/<part> download/<part>   a part: shown as what it is, as text, or to be kept

Ids are those of JMAP, parts are numbered as IMAP does (RFC 9051 §6.4.5.1), and 0 is the whole message. The cookie of a
session is enough: nobody else can read the answers, and nothing changes.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import trio

from appliance.base import limits
from appliance.delivery.appliance import Appliance
from appliance.mail import decode, flatten
from appliance.mail.part import Part
from appliance.operations import exporting
from appliance.operations.exporting import Archive, File
from appliance.servers.web import stored
from appliance.servers.web.pages import Visit
from appliance.servers.web.respond import HTML, TEXT, Response, disposition, query_of, text
from appliance.servers.web.stored import Stored
from appliance.servers.web.webmail import documents
from appliance.servers.web.webmail.documents import Document, Mode
from appliance.store import objectid
from appliance.store.problems import NoSuchMessage

_PATH: Final = re.compile(r"msg/([A-Z0-9-]{1,40})/([a-z.]{1,20})(?:/([0-9]{1,4}(?:\.[0-9]{1,4}){0,99}))?")
_NO_STORE: Final = "no-store"
#: With what comes from strangers and is no document of ours: nothing in it runs, and nothing is fetched for it.
_STRANGERS: Final = {
    "cache-control": _NO_STORE,
    "content-security-policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'",
    "x-frame-options": "SAMEORIGIN",
}
#: Browsers show these in a sandbox.
_SHOWN: Final = frozenset({"audio", "video"})
_PDF: Final = ("application", "pdf")
_TEXT: Final = ("text", "plain")


class Doors:
    """What answers these paths."""

    def __init__(self, app: Appliance) -> None:
        self._app = app

    async def message(self, visit: Visit) -> None:
        """Answer a request."""
        found = await visit.require_session(None)
        actor = found.actor
        assert actor is not None
        match = _PATH.fullmatch(visit.path)
        id = objectid.parse("M", actor.account, match[1]) if match else None
        if match is None or id is None:
            await visit.answer(_nothing_here())
            return
        # Keeps it readable while it is sent.
        listener = self._app.store.subscribe(actor.account)
        try:
            await self._answer(visit, stored.find(self._app, actor, id), match[2], match[3] or "")
        except NoSuchMessage:
            await visit.answer(_nothing_here())
        finally:
            listener.close()

    async def _answer(self, visit: Visit, one: Stored, what: str, place: str) -> None:
        if what in {mode.value for mode in Mode} and not place:
            theme = query_of(visit.scope).get("theme", "")
            made = await trio.to_thread.run_sync(lambda: documents.body(one, Mode(what), theme=theme))
            await _show(visit, made)
        elif what.startswith("msg") and what[3:] in {mode.value for mode in Mode} and not place:
            await _show(visit, await trio.to_thread.run_sync(documents.page, one, Mode(what[3:])))
        elif what in {"raw", "rawdl"} and not place:
            await self._raw(visit, one, keep=what == "rawdl")
        elif what == "attachments.zip" and not place:
            await self._archive(visit, one)
        elif what in {"view", "viewtext", "download"} and place:
            await self._part(visit, one, what, place)
        else:
            await visit.answer(_nothing_here())

    async def _raw(self, visit: Visit, one: Stored, *, keep: bool) -> None:
        if not keep:
            await _send(visit, one.pieces(), TEXT, {})
            return
        # RFC 6532 §3.7: a header in UTF-8 has a type of its own.
        kind = (
            "message/rfc822"
            if one.prefix.isascii() and one.read(0, one.facts.root.body).isascii()
            else "message/global"
        )
        await _send(visit, one.pieces(), kind, _kept(f"{_stem(one)}.eml"))

    async def _archive(self, visit: Visit, one: Stored) -> None:
        octets = exporting.archived(_files(one), Archive.ZIP, scratch=self._app.store.spool_folder)
        await _send(visit, octets, exporting.TYPES[Archive.ZIP], _kept(f"{_stem(one)}.zip"))

    async def _part(self, visit: Visit, one: Stored, what: str, place: str) -> None:
        root = one.facts.root
        if place == "0":
            await self._raw(visit, one, keep=what == "download")
            return
        part = root.find([int(number) for number in place.split(".")])
        if part is None or part.is_multipart:
            await visit.answer(_nothing_here())
            return
        if what == "viewtext":
            made = await trio.to_thread.run_sync(_as_text, one, part)
            await visit.answer(Response(200, made, TEXT, _STRANGERS))
            return
        kind = (part.media_type, part.subtype)
        is_picture = part.media_type == "image" and part.subtype in documents.PICTURES
        shown = is_picture or part.media_type in _SHOWN or kind in {_PDF, _TEXT}
        if what == "download" or not shown:
            await _send(visit, one.decoded(part), stored.media_type(part), _kept(documents.file_name(part)))
            return
        fields = {"content-disposition": disposition(documents.file_name(part), "inline")}
        if kind == _PDF:
            # The browser's viewer works in no sandbox; what it shows has no origin of ours in any case.
            fields["content-security-policy"] = "frame-ancestors 'self'"
        await _send(visit, one.decoded(part), stored.media_type(part), fields)


def _nothing_here() -> Response:
    return text(404, "there is no such message, or it has no such part", {"cache-control": _NO_STORE})


async def _show(visit: Visit, made: Document) -> None:
    fields = {
        "content-security-policy": made.policy,
        "x-frame-options": "SAMEORIGIN",
        "referrer-policy": "no-referrer",
        "cache-control": _NO_STORE,
    }
    await visit.answer(Response(200, made.octets, HTML, fields))


async def _send(visit: Visit, pieces: Iterator[bytes], media_type: str, fields: dict[str, str]) -> None:
    """Send what is read while it is sent."""
    await visit.begin(media_type, {**_STRANGERS, **fields})
    async for piece in exporting.in_pieces(pieces):
        await visit.send_piece(piece)
    await visit.end()


def _as_text(one: Stored, part: Part) -> bytes:
    octets = one.read(part.body, min(part.end, part.body + limits.TEXT.part_octets))
    return decode.part_text(part, octets).encode("utf-8", "replace")


def _files(one: Stored) -> exporting.Files:
    """All files of a message under names that differ."""
    taken: set[str] = set()
    flat = flatten.flatten(one.facts.root)
    when = _received(one)
    for part in flat.attachments:
        name = _free(documents.file_name(part), taken)
        yield File(name, when)
        yield from one.decoded(part)
    if not flat.attachments:
        yield File("no attachments.txt", when, 0)


def _free(name: str, taken: set[str]) -> str:
    """A name that no other file has, also where case is none."""
    stem, dot, suffix = name.rpartition(".")
    if not dot:
        stem, suffix = name, ""
    candidate, number = name, 1
    while candidate.lower() in taken:
        number += 1
        candidate = f"{stem}-{number}{dot}{suffix}"
    taken.add(candidate.lower())
    return candidate


def _received(one: Stored) -> datetime:
    """When it was received."""
    return datetime.fromtimestamp(one.row.received / 1e6, UTC)


def _stem(one: Stored) -> str:
    return f"email-{objectid.message(one.account, one.id)}-{_received(one):%Y%m%d}"


def _kept(name: str) -> dict[str, str]:
    return {"content-disposition": disposition(name)}
