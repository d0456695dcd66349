"""Email/parse: messages in blobs, as Emails (RFC 8621 §4.9)."""

from collections.abc import Sequence
from typing import Final

from appliance.mail.part import Part
from appliance.servers.web.jmap.blobs import message_of, nested_blob, part_blob
from appliance.servers.web.jmap.call import MAIL, Call, Method
from appliance.servers.web.jmap.email.properties import PARSE_DEFAULTS, BodyArguments, Budget, Value, email, wanted
from appliance.servers.web.jmap.email.reading import ParseResponse, parse_blobs
from appliance.servers.web.jmap.email.source import Path, Source
from appliance.store.spool import Spooled


class EmailParseArguments(BodyArguments, kw_only=True):
    """RFC 8621 §4.9."""

    blob_ids: list[str]
    properties: list[str] | None = None


async def parse(call: Call, arguments: EmailParseArguments) -> ParseResponse:
    """Email/parse."""
    asked = wanted(call, arguments.properties, PARSE_DEFAULTS, arguments)
    budget = Budget()

    def make(id: str, spooled: Spooled) -> dict[str, Value] | None:
        return email(source_of(call, id, spooled), asked, budget) if spooled.scanned.fields else None

    return await parse_blobs(call, arguments.blob_ids, make)


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
