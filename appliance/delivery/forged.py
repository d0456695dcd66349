"""Header fields in which a stranger's message says that we have checked it: they are no longer ours when it is kept.

Mail programs believe Authentication-Results that bear the name of their server, so RFC 8601 §5 wants such fields gone
from what comes in from outside. They get another name of the same length: nothing moves, and nothing is lost.
"""

import os
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from appliance.mail.header import Field
from appliance.store.spool import Spooled

_NAME: Final = b"authentication-results"
#: Instead, as long as that.
DISOWNED: Final = b"X-Foreign-Auth-Results"


def disown(spooled: Spooled, fields: Iterable[Field], hostname: str) -> Spooled:
    """The message without claims in our name; a spool file is changed where it lies. `fields` are of its header.

    Raises OSError when the file cannot be written.
    """
    head, ours = spooled.scanned.header, hostname.lower().encode()
    found = [
        field.start
        for field in fields
        if field.name.lower() == _NAME and ours in head[field.value : field.end].partition(b";")[0].lower()
    ]
    if not found:
        return spooled
    scanned = replace(spooled.scanned, header=_renamed(head, found))
    if spooled.octets is not None:
        return replace(spooled, octets=_renamed(spooled.octets, found), scanned=scanned)
    assert spooled.file is not None
    for start in found:
        os.pwrite(spooled.file.fileno(), DISOWNED, start)
    return replace(spooled, scanned=scanned)


def _renamed(octets: bytes, starts: Iterable[int]) -> bytes:
    changed = bytearray(octets)
    for start in starts:
        changed[start : start + len(DISOWNED)] = DISOWNED
    return bytes(changed)
