"""What a source gives, as octets between programs of ours: four octets of length, a head in JSON, and its message."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from datetime import datetime
from typing import Any, Final

from appliance.operations.importing.found import MESSAGE_OCTETS, Box, Item, Message, Trouble, Unreadable

_HEAD_OCTETS: Final = 64 * 1024
#: What is gathered before it goes on.
_ITEMS: Final = 40
_OCTETS: Final = 1024 * 1024


def encode(one: Item) -> bytes:
    """For `decoded`."""
    head: dict[str, Any]
    octets = b""
    match one:
        case Message():
            when = None if one.received is None else one.received.isoformat()
            octets = one.octets
            head = {"mailbox": one.mailbox, "flags": list(one.flags), "received": when, "where": one.where}
            head["size"] = len(octets)
        case Box():
            head = {"mailbox": one.mailbox}
        case Trouble():
            head = {"trouble": one.text}
    shown = json.dumps(head).encode()
    return len(shown).to_bytes(4, "big") + shown + octets


async def decoded(chunks: AsyncIterator[bytes]) -> AsyncGenerator[list[Item], None]:
    """Batches for an importer. Raises Unreadable."""
    buffer = bytearray()
    batch: list[Item] = []
    weight = 0
    async for chunk in chunks:
        buffer += chunk
        for one in _whole(buffer):
            batch.append(one)
            weight += len(one.octets) if isinstance(one, Message) else 0
            if len(batch) >= _ITEMS or weight >= _OCTETS:
                yield batch
                batch, weight = [], 0
    if buffer:
        raise Unreadable("the stream ends within a message")
    if batch:
        yield batch


def _whole(buffer: bytearray) -> Iterator[Item]:
    """Items that are there as a whole, taken away from the buffer."""
    while len(buffer) >= 4:
        end = 4 + int.from_bytes(buffer[:4], "big")
        if end > _HEAD_OCTETS:
            raise Unreadable("a head is too long")
        if len(buffer) < end:
            return
        try:
            head = json.loads(bytes(buffer[4:end]))
            size = int(head.get("size", 0))
            if not 0 <= size <= MESSAGE_OCTETS:
                raise Unreadable("a message is too large")
            if len(buffer) < end + size:
                return
            one = _item(head, bytes(buffer[end : end + size]))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise Unreadable("a head cannot be read") from error
        del buffer[: end + size]
        yield one


def _item(head: dict[str, Any], octets: bytes) -> Item:
    if "trouble" in head:
        return Trouble(str(head["trouble"]))
    if "size" not in head:
        return Box(str(head["mailbox"]))
    when = None if head["received"] is None else datetime.fromisoformat(head["received"])
    return Message(str(head["mailbox"]), octets, [str(flag) for flag in head["flags"]], when, str(head["where"]))
