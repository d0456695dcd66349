"""Email/parse: messages in blobs, as Emails (RFC 8621 §4.9)."""

from collections.abc import Sequence
from typing import Final

import trio

from appliance.mail.part import Part
from appliance.servers.web.jmap.blobs import message_of, nested_blob, part_blob
from appliance.servers.web.jmap.call import MAIL, Call, Method, Wire
from appliance.servers.web.jmap.email.properties import PARSE_DEFAULTS, BodyArguments, Budget, Value, email, wanted
from appliance.servers.web.jmap.email.reading import spooled_blob
from appliance.servers.web.jmap.email.source import Path, Source
from appliance.servers.web.jmap.problem import MethodError, SetError
from appliance.store.spool import Spooled

#: Blobs of one call.
_BLOBS: Final = 50


class EmailParseArguments(BodyArguments, kw_only=True):
    """RFC 8621 §4.9."""

    blob_ids: list[str]
    properties: list[str] | None = None


class EmailParseResponse(Wire, kw_only=True):
    """RFC 8621 §4.9."""

    account_id: str
    parsed: dict[str, Value] | None
    not_parsable: list[str] | None
    not_found: list[str] | None


async def parse(call: Call, arguments: EmailParseArguments) -> EmailParseResponse:
    """Email/parse."""
    asked = wanted(call, arguments.properties, PARSE_DEFAULTS, arguments)
    ids = list(dict.fromkeys(map(call.resolve, arguments.blob_ids)))
    if len(ids) > _BLOBS:
        raise MethodError("requestTooLarge", f"at most {_BLOBS} blobs")
    parsed: dict[str, Value] = {}
    not_parsable, not_found = [], []
    budget = Budget()
    for id in ids:
        async with call.app.store.spool() as spool:
            try:
                spooled = await spooled_blob(call, id, spool)
            except SetError:  # It is too large.
                not_parsable.append(id)
                continue
            if spooled is None:
                not_found.append(id)
            elif not spooled.scanned.fields:
                not_parsable.append(id)
            else:
                source = source_of(call, id, spooled)
                parsed[id] = await trio.to_thread.run_sync(email, source, asked, budget)
    return EmailParseResponse(
        account_id=call.account_id,
        parsed=parsed or None,
        not_parsable=not_parsable or None,
        not_found=not_found or None,
    )


def source_of(call: Call, blob_id: str, spooled: Spooled) -> Source:
    """A message that was read from a blob."""
    named = message_of(call.account, blob_id)
    within: Sequence[str] = named[1].split(".") if named and named[1] else ()

    def blob_of(path: Path) -> str:
        if named is None:
            return nested_blob(blob_id, ".".join(map(str, path)))
        return part_blob(call.account, named[0], ".".join((*within, *map(str, path))))

    def root() -> Part:
        return spooled.scanned.root

    return Source(
        read=spooled.read,
        blob_id=blob_id,
        size=spooled.size,
        make_root=root,
        blob_of=blob_of,
        read_head=lambda: spooled.scanned.header,
    )


METHODS: Final = (Method("Email/parse", MAIL, EmailParseArguments, parse, shared=True),)
