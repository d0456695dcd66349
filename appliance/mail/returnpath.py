"""Sender addresses for mail that is forwarded: addresses of ours, so that SPF passes where it goes, as SRS has it.

The address itself tells nothing: it names a record that says where notices go. So it always fits into a localpart of 64
octets (RFC 5321 §4.5.3.1.1), however long the sender's address is and whoever forwarded before, and outlives servers
that write it in another case. Nobody can guess one, and each is known to those alone who have the message. All mail of
one sender on one day has the same.
"""

import base64
import hashlib
import hmac
import re
from typing import Final

DAY_SECONDS: Final = 24 * 3600
#: Not `SRS0`: others take such an address apart.
_PREFIX: Final = "srs="
#: Of the digest, in the letters and digits of base32.
_OCTETS: Final = 20
_LOCALPART: Final = re.compile(rf"{_PREFIX}[a-z2-7]{{{_OCTETS * 8 // 5}}}", re.ASCII)


def localpart(secret: bytes, domain: str, returns_to: str, now_seconds: float) -> str:
    """The localpart at a domain of ours of what is forwarded today and returns to an address."""
    day = int(now_seconds) // DAY_SECONDS
    text = "\0".join((str(day), domain, returns_to)).encode()
    digest = hmac.new(secret, text, hashlib.sha256).digest()[:_OCTETS]
    return _PREFIX + base64.b32encode(digest).decode().lower()


def read(localpart: str) -> str:
    """A localpart that may be one of these, as they are written; empty for any other."""
    lower = localpart.lower()
    return lower if _LOCALPART.fullmatch(lower) else ""
