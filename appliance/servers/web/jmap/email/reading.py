"""Blobs read as messages."""

from collections.abc import Iterator

import trio

from appliance.mail.lineend import CRLFStream
from appliance.servers.web.jmap.call import Call
from appliance.servers.web.jmap.problem import SetError
from appliance.store.spool import Spool, Spooled


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
