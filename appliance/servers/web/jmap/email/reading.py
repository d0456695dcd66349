"""Blobs read as messages."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import trio

from appliance.mail.lineend import CRLFStream
from appliance.servers.web.jmap.call import Call, Wire
from appliance.servers.web.jmap.problem import MethodError, SetError
from appliance.store.spool import Spool, Spooled

#: Blobs of one call.
_BLOBS: Final = 50


class ParseResponse(Wire, kw_only=True):
    """Of Email/parse (RFC 8621 §4.9) and MDN/parse (RFC 9007 §2.2)."""

    account_id: str
    parsed: dict[str, Any] | None
    not_parsable: list[str] | None
    not_found: list[str] | None


async def parse_blobs(
    call: Call, blob_ids: Sequence[str], make: Callable[[str, Spooled], dict[str, Any] | None]
) -> ParseResponse:
    """What each of some blobs is as a message. `make` runs in a thread, and gives None for what is none.

    Raises MethodError: requestTooLarge.
    """
    ids = list(dict.fromkeys(map(call.resolve, blob_ids)))
    if len(ids) > _BLOBS:
        raise MethodError("requestTooLarge", f"at most {_BLOBS} blobs")
    parsed: dict[str, Any] = {}
    not_parsable, not_found = [], []
    for id in ids:
        async with call.app.store.spool() as spool:
            try:
                spooled = await spooled_blob(call, id, spool)
            except SetError:  # It is too large.
                not_parsable.append(id)
                continue
            if spooled is None:
                not_found.append(id)
            elif (made := await trio.to_thread.run_sync(make, id, spooled)) is None:
                not_parsable.append(id)
            else:
                parsed[id] = made
    return ParseResponse(
        account_id=call.account_id,
        parsed=parsed or None,
        not_parsable=not_parsable or None,
        not_found=not_found or None,
    )


async def spooled_blob(call: Call, blob_id: str, spool: Spool, *, mend: bool = False) -> Spooled | None:
    """A blob as a message; None when there is no such blob. `mend`: bare line ends become whole ones.

    Raises SetError: tooLarge.
    """
    lines = CRLFStream()
    with call.open_blob(blob_id) as blob:
        if blob is None:
            return None
        pieces = blob.pieces()
        while octets := await _next(pieces, in_thread=blob.in_thread):
            if spool.size + len(octets) > call.max_message_octets:
                raise SetError("tooLarge", f"a message has at most {call.max_message_octets} octets")
            await spool.write(lines.feed(octets) if mend else octets)
    return await spool.finish()


async def _next(pieces: Iterator[bytes], *, in_thread: bool) -> bytes:
    """The next octets; none at the end."""

    def some() -> bytes:
        return next(filter(None, pieces), b"")

    return await trio.to_thread.run_sync(some) if in_thread else some()
