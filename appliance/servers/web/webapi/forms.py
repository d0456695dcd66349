"""The form of a call: a field with JSON, and files beside it. RFC 7578 and the HTML standard.

Files go to a scratch file beyond what is kept in memory, as they come. Nothing is read twice, and fields that nobody
asked for are thrown away.
"""

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote_to_bytes

import trio

from appliance.base import limits
from appliance.base.problem import Kind, Problem
from appliance.mail.parameters import parse_content_type
from appliance.mail.status import Status
from appliance.servers.web import multipart
from appliance.servers.web.asgi import Receive, Scope
from appliance.servers.web.multipart import Data, End, Head
from appliance.servers.web.webapi.decoding import BadRequest
from appliance.store.spool import Scratch

REQUEST: Final = "request"
#: Fields with files of a message.
FILES: Final = ("alternativefile", "inlinefile", "attachedfile")

#: Octets of a body that are taken apart at a time; more are worth a thread.
_SLICE_OCTETS: Final = 64 * 1024
_BAD_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")


class BodyTooLarge(Problem):
    """More octets, or parts, than a call may have."""

    kind, status = Kind.LIMIT, Status(5, 3, 4)


class ClientGone(Exception):
    """The body did not come to its end."""


@dataclass(frozen=True, slots=True)
class FormFile:
    """A file of a form: octets start..end of the scratch file."""

    field: str
    name: str
    #: Empty where the client does not say.
    content_type: str
    content_id: str
    start: int
    end: int


@dataclass(slots=True)
class Form:
    """What a client sent."""

    #: JSON.
    request: bytes = b""
    files: list[FormFile] = field(default_factory=list)


async def read(scope: Scope, receive: Receive, scratch: Scratch) -> Form:
    """Read the body of a call to its end. Raises BadRequest, BodyTooLarge, ClientGone, OSError."""
    value = next((value for name, value in scope["headers"] if name == b"content-type"), b"").decode("latin-1")
    media_type = value.partition(";")[0].strip().lower()
    if media_type == "application/x-www-form-urlencoded":
        form = Form(await _encoded(receive))
    elif media_type == "multipart/form-data":
        form = await _multipart(receive, scratch, value)
    else:
        raise BadRequest("the Content-Type must be application/x-www-form-urlencoded or multipart/form-data")
    if not form.request:
        raise BadRequest(f"the form has no field {REQUEST!r} with JSON")
    return form


async def _piece(receive: Receive) -> tuple[bytes, bool]:
    """Octets of the body, and whether more follow."""
    event = await receive()
    if event["type"] != "http.request":
        raise ClientGone
    return event.get("body", b""), event.get("more_body", False)


# application/x-www-form-urlencoded


async def _encoded(receive: Receive) -> bytes:
    body, more = bytearray(), True
    while more:
        octets, more = await _piece(receive)
        body += octets
        if len(body) > limits.WEBAPI_JSON_OCTETS:
            raise BodyTooLarge(f"the form has more than {limits.WEBAPI_JSON_OCTETS} octets")
    if len(body) <= _SLICE_OCTETS:
        return _field(bytes(body))
    return await trio.to_thread.run_sync(_field, bytes(body))


def _field(body: bytes) -> bytes:
    """The value of the first field of that name. Raises BadRequest, BodyTooLarge."""
    if (bad := _BAD_ESCAPE.search(body)) is not None:
        raise BadRequest(f"malformed percent-encoding at octet {bad.start()}")
    start = 0
    for _ in range(limits.WEBAPI_PARTS):
        if start > len(body):
            return b""
        end = body.find(b"&", start)
        end = len(body) if end < 0 else end
        equals = body.find(b"=", start, end)
        name_end = end if equals < 0 else equals
        # A longer name is not ours, however it is encoded.
        if name_end - start <= 3 * len(REQUEST) and _unquote(body[start:name_end]) == REQUEST.encode():
            return _unquote_slices(body[name_end + 1 : end])
        start = end + 1
    raise BodyTooLarge("the form has too many fields")


def _unquote(octets: bytes) -> bytes:
    return unquote_to_bytes(octets.replace(b"+", b" "))


def _unquote_slices(value: bytes) -> bytes:
    pieces, start = [], 0
    while start < len(value):
        end = min(len(value), start + _SLICE_OCTETS)
        # An escape stays whole.
        for back in (1, 2):
            if end < len(value) and value[end - back] == 0x25:
                end -= back
                break
        pieces.append(_unquote(value[start:end]))
        start = end
    return b"".join(pieces)


# multipart/form-data


async def _multipart(receive: Receive, scratch: Scratch, content_type: str) -> Form:
    boundary = parse_content_type(content_type.encode("latin-1")).parameters
    try:
        parser = multipart.Parser(dict(boundary).get("boundary", ""))
        reader, more = _Reader(scratch), True
        while more:
            octets, more = await _piece(receive)
            for at in range(0, len(octets), _SLICE_OCTETS):
                for event in parser.feed(octets[at : at + _SLICE_OCTETS]):
                    await reader.take(event)
    except multipart.Malformed as error:
        raise BadRequest(f"malformed multipart/form-data: {error}") from error
    except multipart.HeadTooLarge as error:
        raise BodyTooLarge(str(error)) from error
    if not parser.ended:
        raise BadRequest("multipart/form-data without its last boundary")
    return reader.form


class _Reader:
    """Puts what the parser finds where it belongs."""

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch
        self.form = Form()
        self._parts = 0
        self._head: Head | None = None
        self._start = 0
        self._request: bytearray | None = None

    async def take(self, event: Head | Data | End) -> None:
        """A part, some of it, or its end."""
        match event:
            case Head():
                self._begin(event)
            case Data(octets):
                await self._data(octets)
            case End():
                self._finish()

    def _begin(self, head: Head) -> None:
        self._parts += 1
        if self._parts > limits.WEBAPI_PARTS:
            raise BodyTooLarge("the form has too many parts")
        self._head, self._start = head, self._scratch.size
        is_request = head.name == REQUEST and head.filename is None and not self.form.request
        self._request = bytearray() if is_request else None

    async def _data(self, octets: bytes) -> None:
        if self._request is not None:
            self._request += octets
            if len(self._request) > limits.WEBAPI_JSON_OCTETS:
                raise BodyTooLarge(f"the field {REQUEST!r} has more than {limits.WEBAPI_JSON_OCTETS} octets")
        elif self._head is not None and self._head.name in FILES:
            await self._scratch.write(octets)

    def _finish(self) -> None:
        head = self._head
        assert head is not None
        if self._request is not None:
            self.form.request = bytes(self._request)
        elif head.name in FILES:
            # Of a path the last segment, as the form of a browser may tell more than it should.
            name = (head.filename or "").rpartition("/")[2]
            self.form.files.append(
                FormFile(head.name, name, head.content_type, head.content_id, self._start, self._scratch.size)
            )
