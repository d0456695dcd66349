"""The methods about stored messages of the account.

What is read is read in pieces, each in a transaction of its own; a message that is removed meanwhile stays readable
until its last piece was sent.
"""

from collections.abc import Iterator
from typing import Final

import trio

from appliance.base import limits
from appliance.mail import header, told
from appliance.mail.part import Part
from appliance.operations import messages as verbs
from appliance.protocol.imap import flags as names
from appliance.servers.web import stored
from appliance.servers.web.stored import Stored
from appliance.servers.web.webapi.call import Call, Failed, Octets
from appliance.servers.web.webapi.types import (
    MessageFlagsRequest,
    MessageGetResult,
    MessageMeta,
    MessageMoveRequest,
    MessagePartRequest,
    MessageRequest,
    Nothing,
)
from appliance.store.message import FlagMode
from appliance.store.records import FLAG_NAMES
from appliance.store.tables import MessageID

#: Larger messages are read in a thread, as they may not be in memory.
_THREAD_OCTETS: Final = 64 * 1024
_NO_SUCH_PART: Final = "there is no such part"


async def get(call: Call, request: MessageRequest) -> MessageGetResult:
    """What a message says, its parts, and what is known of it."""
    one = stored.find(call.app, call.actor, MessageID(request.msg_id))
    listener = call.app.store.subscribe(one.account)  # Keeps it readable.
    try:
        if one.row.size <= _THREAD_OCTETS:
            return _get(one)
        return await trio.to_thread.run_sync(_get, one)
    finally:
        listener.close()


def _get(one: Stored) -> MessageGetResult:
    root = one.facts.root
    octets = one.prefix + one.read(0, min(root.body, limits.HEADER.octets))
    head = told.Header(octets, header.fields(octets, limits=limits.HEADER), limits.ADDRESSES)
    return MessageGetResult(
        message=told.message(head, root, one.read, limits.TOLD),
        structure=told.structure(root, one.read),
        meta=_meta(one, head),
    )


def _meta(one: Stored, head: told.Header) -> MessageMeta:
    origin = one.facts.origin
    writer = next((entry.address for entry in head.addresses(b"from")), "")
    flags = sorted(name.lower() for flag, name in FLAG_NAMES.items() if one.row.flags & flag)
    return MessageMeta(
        size=one.row.size,
        dsn=origin.is_dsn,
        flags=[*flags, *one.row.keywords],
        mail_from=origin.mail_from,
        mail_from_validated=origin.mail_from_validated,
        rcpt_to=origin.rcpt_to,
        msg_from=writer,
        msg_from_validated=origin.msg_from_validated,
        dkim_verified_domains=list(origin.orig_dkim_domains or origin.dkim_domains),
        remote_ip=origin.remote_ip,
        mailbox_name=one.mailbox,
    )


async def get_raw(call: Call, request: MessageRequest) -> Octets:
    """The whole message, with what was added to its header here."""
    one = stored.find(call.app, call.actor, MessageID(request.msg_id))
    return _octets(call, one, "text/plain", one.pieces(), one.row.size)


async def get_part(call: Call, request: MessagePartRequest) -> Octets:
    """The content of a part, decoded."""
    one = stored.find(call.app, call.actor, MessageID(request.msg_id))
    part: Part = one.facts.root
    for index in request.part_path:
        # What a message within holds is not told in Structure, so it has no path.
        if not part.is_multipart or not 0 <= index < len(part.parts):
            raise Failed("partNotFound", _NO_SUCH_PART)
        part = part.parts[index]
    return _octets(call, one, "application/octet-stream", one.decoded(part))


def _octets(call: Call, one: Stored, media_type: str, pieces: Iterator[bytes], size: int | None = None) -> Octets:
    """An answer; the message is not erased before it was sent."""
    listener = call.app.store.subscribe(one.account)
    return Octets(media_type, pieces, listener.close, size, in_thread=one.row.size > _THREAD_OCTETS)


async def delete(call: Call, request: MessageRequest) -> Nothing:
    """Remove a message for good."""
    await verbs.delete(call.app, call.actor, MessageID(request.msg_id))
    return Nothing()


async def add_flags(call: Call, request: MessageFlagsRequest) -> Nothing:
    """Add flags to a message."""
    return await _flag(call, request, "+")


async def remove_flags(call: Call, request: MessageFlagsRequest) -> Nothing:
    """Remove flags from a message."""
    return await _flag(call, request, "-")


async def _flag(call: Call, request: MessageFlagsRequest, mode: FlagMode) -> Nothing:
    for flag in request.flags:
        if names.canonical(flag) is None:
            raise Failed("user", f"{flag[:100]!r} is no flag")
    await verbs.flag(call.app, call.actor, MessageID(request.msg_id), mode, request.flags)
    return Nothing()


async def move(call: Call, request: MessageMoveRequest) -> Nothing:
    """Move a message to another mailbox."""
    await verbs.move_one(call.app, call.actor, MessageID(request.msg_id), request.dest_mailbox_name)
    return Nothing()
