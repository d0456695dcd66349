"""Blob/* (RFC 8620 §6.3; RFC 9404)."""

import base64
import hashlib
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec
import trio

from appliance.base import limits
from appliance.servers.web.jmap import standard
from appliance.servers.web.jmap.blobs import Blob, message_of
from appliance.servers.web.jmap.call import BLOB, CORE, AccountArguments, Call, Method, UnsignedInt, Wire
from appliance.servers.web.jmap.problem import MethodError, SetError, invalid_properties
from appliance.servers.web.jmap.standard import Record
from appliance.servers.web.stored import media_type_of
from appliance.store import message, objectid
from appliance.store.reach import Reach
from appliance.store.records import DELETED
from appliance.store.spool import Scratch
from appliance.store.transaction import ReadTx

#: Names of HTTP's digests (RFC 9530 has them now), and what makes them.
DIGESTS: Final[dict[str, Callable[[], Any]]] = {
    "sha": lambda: hashlib.sha1(usedforsecurity=False),
    "sha-256": hashlib.sha256,
    "sha-512": hashlib.sha512,
}
_DATA: Final = ("data", "data:asText", "data:asBase64")
TYPES: Final = ("Mailbox", "Thread", "Email")


class CopyArguments(AccountArguments, kw_only=True):
    """Of Blob/copy."""

    from_account_id: str
    blob_ids: list[str]


class CopyResponse(Wire, kw_only=True):
    """Ids there and here."""

    from_account_id: str
    account_id: str
    copied: dict[str, str] | None
    not_copied: dict[str, Record] | None


async def copy(call: Call, arguments: CopyArguments) -> CopyResponse:
    """RFC 8620 §6.3: what is another account's becomes an upload to this one."""
    there = call.at(arguments.from_account_id)
    if there is None:
        raise MethodError("fromAccountNotFound")
    if call.is_read_only and there.account != call.account:
        raise MethodError("accountReadOnly", "the token is for reading only")
    if len(arguments.blob_ids) > limits.JMAP_SET_OBJECTS:
        raise MethodError("requestTooLarge", f"at most {limits.JMAP_SET_OBJECTS} blobs")
    copied, not_copied = {}, {}
    for id in arguments.blob_ids:
        with there.open_blob(id) as blob:
            if blob is None:
                not_copied[id] = SetError("notFound").fields
            elif there.account == call.account:
                copied[id] = id
            else:
                try:
                    copied[id] = await _copied(call, blob)
                except SetError as error:
                    not_copied[id] = error.fields
    return CopyResponse(
        from_account_id=arguments.from_account_id,
        account_id=call.account_id,
        copied=copied or None,
        not_copied=not_copied or None,
    )


async def _copied(call: Call, blob: Blob) -> str:
    """The id of an upload with the content of a blob. Raises SetError."""
    scratch = call.uploads.scratch()
    pieces = blob.pieces()
    try:
        while (piece := await _next(blob, pieces)) is not None:
            if scratch.size + len(piece) > call.max_message_octets:
                raise SetError("tooLarge", f"at most {call.max_message_octets} octets")
            await scratch.write(piece)
        return call.uploads.keep(call.actor.account, blob.media_type, scratch, call.account)
    except BaseException:
        scratch.__exit__()
        raise


async def _next(blob: Blob, pieces: Iterator[bytes]) -> bytes | None:
    return await trio.to_thread.run_sync(next, pieces, None) if blob.in_thread else next(pieces, None)


# Blob/upload, RFC 9404 §4.1.


class Source(Wire, forbid_unknown_fields=True):
    """A part of a new blob: text, base64, or a range of another blob."""

    as_text: str | None = msgspec.field(name="data:asText", default=None)
    as_base64: str | None = msgspec.field(name="data:asBase64", default=None)
    blob_id: str | None = None
    offset: UnsignedInt | None = None
    length: UnsignedInt | None = None


class NewBlob(Wire, forbid_unknown_fields=True):
    """What is to be one."""

    data: list[Source]
    type: str | None = None


class UploadArguments(AccountArguments, kw_only=True):
    """By creation ids."""

    create: dict[str, Record]


class UploadResponse(Wire, kw_only=True):
    """What came of it."""

    account_id: str
    created: dict[str, Record] | None
    not_created: dict[str, Record] | None


async def upload(call: Call, arguments: UploadArguments) -> UploadResponse:
    """RFC 9404 §4.1."""
    if len(arguments.create) > limits.JMAP_SET_OBJECTS:
        raise MethodError("requestTooLarge", f"at most {limits.JMAP_SET_OBJECTS} blobs")
    created, not_created = {}, {}
    for name, properties in arguments.create.items():
        try:
            new = msgspec.convert(properties, NewBlob)
            created[name] = await _upload(call, new)
            call.created[name] = created[name]["id"]
        except msgspec.ValidationError as error:
            not_created[name] = invalid_properties(str(error), "data").fields
        except SetError as error:
            not_created[name] = error.fields
    return UploadResponse(account_id=call.account_id, created=created or None, not_created=not_created or None)


async def _upload(call: Call, new: NewBlob) -> Record:
    """Raises SetError."""
    if len(new.data) > limits.JMAP_BLOB_SOURCES:
        raise invalid_properties(f"at most {limits.JMAP_BLOB_SOURCES} sources", "data")
    scratch = call.uploads.scratch()
    try:
        for source in new.data:
            await _add(call, scratch, source)
        kind = media_type_of(new.type or "")
        id = call.uploads.keep(call.actor.account, kind, scratch, call.account)
    except BaseException:
        scratch.__exit__()
        raise
    return {"id": id, "blobId": id, "type": kind, "size": scratch.size}


async def _add(call: Call, scratch: Scratch, source: Source) -> None:
    given = [one for one in (source.as_text, source.as_base64, source.blob_id) if one is not None]
    if len(given) != 1 or (source.blob_id is None and (source.offset, source.length) != (None, None)):
        raise invalid_properties("a source is text, base64 or a range of a blob", "data")
    if source.as_text is not None:
        octets = source.as_text.encode()
    elif source.as_base64 is not None:
        try:
            octets = base64.b64decode(source.as_base64, validate=True)
        except ValueError as error:
            raise invalid_properties("not base64", "data") from error
    else:
        assert source.blob_id is not None
        octets = await _range(call, call.resolve(source.blob_id), source.offset or 0, source.length)
    if scratch.size + len(octets) > limits.JMAP_BLOB_SET_OCTETS:
        raise SetError("tooLarge", f"at most {limits.JMAP_BLOB_SET_OCTETS} octets")
    await scratch.write(octets)


async def _range(call: Call, id: str, offset: int, length: int | None) -> bytes:
    """Raises SetError."""
    end = None if length is None else offset + length
    with call.open_blob(id) as blob:
        if blob is None:
            raise SetError("blobNotFound", notFound=[id])
        octets, size = await blob.read(offset, end, limits.JMAP_BLOB_SET_OCTETS + 1)
    if offset > size or (end is not None and end > size):
        raise invalid_properties("the range is beyond the blob", "data")
    return octets


# Blob/get, RFC 9404 §4.2.


class GetArguments(standard.GetArguments, kw_only=True):
    """A range of each."""

    offset: UnsignedInt = 0
    length: UnsignedInt | None = None


class GetResponse(Wire, kw_only=True):
    """Blobs have no state."""

    account_id: str
    records: list[Record] = msgspec.field(name="list")
    not_found: list[str]


async def get(call: Call, arguments: GetArguments) -> GetResponse:
    """RFC 9404 §4.2."""
    if arguments.ids is None:
        raise MethodError("requestTooLarge", "blobs are asked for by their ids")
    properties = ["data", "size"] if arguments.properties is None else list(dict.fromkeys(arguments.properties))
    known = {"id", "size", *_DATA, *(f"digest:{name}" for name in DIGESTS)}
    if unknown := [one for one in properties if one not in known]:
        raise MethodError("invalidArguments", f"there is no property {unknown[0][:100]}")
    response = GetResponse(account_id=call.account_id, records=[], not_found=[])
    left = limits.JMAP_BLOB_SET_OCTETS
    for id in standard.wanted_ids(call, arguments.ids):
        with call.open_blob(id) as blob:
            if blob is None:
                response.not_found.append(id)
                continue
            work = _Reading(blob, arguments.offset, arguments.length, properties, left)
            record = await trio.to_thread.run_sync(work.run) if blob.in_thread else work.run()
        left -= work.kept_octets
        response.records.append({"id": id, **record})
    return response


class _Reading:
    """Reads one blob once, for all that is asked of it."""

    def __init__(self, blob: Blob, offset: int, length: int | None, properties: list[str], most: int) -> None:
        self._blob = blob
        self._offset = offset
        self._end = None if length is None else offset + length
        self._properties = properties
        self._most = most
        self.kept_octets = 0

    def run(self) -> Record:
        """Raises MethodError when it is more than may be answered."""
        wanted = set(self._properties)
        wants_data = not wanted.isdisjoint(_DATA)
        digests = {name: DIGESTS[name]() for name in DIGESTS if f"digest:{name}" in wanted}
        kept, at = bytearray(), 0
        if wants_data or digests or self._blob.size is None:
            for piece in self._blob.pieces():
                stop = at + len(piece) if self._end is None else min(self._end, at + len(piece))
                some = piece[max(0, self._offset - at) : max(0, stop - at)]
                at += len(piece)
                for one in digests.values():
                    one.update(some)
                if wants_data:
                    kept += some
                    if len(kept) > self._most:
                        raise MethodError("requestTooLarge", "ask for less data at once, by offset and length")
        size = at if self._blob.size is None else self._blob.size
        self.kept_octets = len(kept)
        record: Record = {}
        if "size" in wanted:
            record["size"] = size
        for name, one in digests.items():
            record[f"digest:{name}"] = base64.b64encode(one.digest()).decode()
        if wants_data:
            self._add_data(record, wanted, bytes(kept))
        if (wants_data or digests) and (self._offset > size or (self._end is not None and self._end > size)):
            record["isTruncated"] = True
        return record

    @staticmethod
    def _add_data(record: Record, wanted: set[str], octets: bytes) -> None:
        text: str | None = None
        if "data" in wanted or "data:asText" in wanted:
            try:
                text = octets.decode()
            except UnicodeDecodeError:
                record["isEncodingProblem"] = True
                if "data:asText" in wanted:
                    record["data:asText"] = None
            else:
                record["data:asText"] = text
        if "data:asBase64" in wanted or ("data" in wanted and text is None):
            record["data:asBase64"] = base64.b64encode(octets).decode()


# Blob/lookup, RFC 9404 §4.3.


class LookupArguments(AccountArguments, kw_only=True):
    """Which records of these types have these blobs."""

    type_names: list[str]
    ids: list[str]


class LookupResponse(Wire, kw_only=True):
    """By blob."""

    account_id: str
    records: list[Record] = msgspec.field(name="list")
    not_found: list[str]


async def lookup(call: Call, arguments: LookupArguments) -> LookupResponse:
    """RFC 9404 §4.3. A message that is deleted as IMAP deletes is none of JMAP's."""
    if unknown := [one for one in arguments.type_names if one not in TYPES]:
        raise MethodError("unknownDataType", f"nothing is known by blobs of {unknown[0][:100]}")
    response = LookupResponse(account_id=call.account_id, records=[], not_found=[])
    there: list[str] = []
    for id in standard.wanted_ids(call, arguments.ids):
        with call.open_blob(id) as blob:
            (response.not_found if blob is None else there).append(id)
    with call.app.store.read() as tx:
        reach = call.reach(tx)
        for id in there:
            found = _holders(tx, reach, id)
            matched = {name: found.get(name, []) for name in dict.fromkeys(arguments.type_names)}
            response.records.append({"id": id, "matchedIds": matched})
    return response


def _holders(tx: ReadTx, reach: Reach, blob_id: str) -> dict[str, list[str]]:
    account, named = reach.account, message_of(reach.account, blob_id)
    if named is None:
        return {}
    place = message.place(tx, account, named[0])
    if place is None or place.expunged or place.mailbox not in reach.live:
        return {}
    row = message.row(tx, account, place.mailbox, place.uid)
    if row is None or row.flags & DELETED:
        return {}
    return {
        "Mailbox": [objectid.mailbox(account, place.mailbox)],
        "Thread": [objectid.thread(account, row.thread)],
        "Email": [objectid.message(account, row.id)],
    }


METHODS: Final = (
    Method("Blob/copy", CORE, CopyArguments, copy, shared=True),
    Method("Blob/upload", BLOB, UploadArguments, upload, changes=True, shared=True),
    Method("Blob/get", BLOB, GetArguments, get, shared=True),
    Method("Blob/lookup", BLOB, LookupArguments, lookup, shared=True),
)
