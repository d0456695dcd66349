"""Subjectpass: a token that lets a stranger's next message in, when he copies it to the subject.

It proves that a person read our refusal: a robot does not write again with other words in its subject. The token is
bound to the sender's address and to a key, which the caller keeps for each recipient; nothing else is stored.
"""

import base64
import binascii
import enum
import hashlib
import hmac
import re
from typing import Final

from appliance.base.metrics import Counter
from appliance.mail.address import Address

generated = Counter("subjectpass_generate_total", "Tokens given to senders.")
verified = Counter("subjectpass_verify_total", "Tokens looked at, by result.", ("result",))

#: The time has steps of so many seconds.
STEP_SECONDS: Final = 256
_SIGNATURE_OCTETS: Final = 12
_TOKEN: Final = re.compile(r"\(pass:([A-Za-z0-9_-]{1,64})\)")
#: Characters of a subject that are looked at, and tokens in it that are tried.
_SUBJECT_CHARACTERS: Final = 4096
_TOKENS: Final = 5


class Outcome(enum.Enum):
    """What a subject proves; all but VALID mean nothing."""

    VALID = "valid"
    ABSENT = "no token"
    MALFORMED = "malformed token"
    WRONG = "token of another sender, recipient or server"
    EXPIRED = "token has expired"


def generate(key: bytes, sender: Address, now_seconds: int) -> str:
    """The token for a sender, as it must stand in the subject."""
    generated.inc()
    # Four bits of version, zero, and 28 bits of time.
    head = (now_seconds // STEP_SECONDS & 0xFFFFFFF).to_bytes(4, "big")
    return f"(pass:{base64.urlsafe_b64encode(head + _signature(key, head, sender)).rstrip(b'=').decode()})"


def has_token(subject: str) -> bool:
    """Whether a decoded subject has what looks like a token; without, there is nothing to verify."""
    return _TOKEN.search(subject[:_SUBJECT_CHARACTERS]) is not None


def verify(key: bytes, sender: Address, subject: str, now_seconds: int, period_seconds: int) -> Outcome:
    """Whether a decoded subject has a token of this sender that is not older than the period."""
    outcome = Outcome.ABSENT
    for match in list(_TOKEN.finditer(subject[:_SUBJECT_CHARACTERS]))[:_TOKENS]:
        outcome = _verify(key, sender, match[1], now_seconds, period_seconds)
        if outcome is Outcome.VALID:
            break
    if outcome is not Outcome.ABSENT:
        verified.labels("ok" if outcome is Outcome.VALID else "fail").inc()
    return outcome


def _verify(key: bytes, sender: Address, token: str, now_seconds: int, period_seconds: int) -> Outcome:
    try:
        octets = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except binascii.Error:
        return Outcome.MALFORMED
    head, signature = octets[:4], octets[4:]
    if len(signature) != _SIGNATURE_OCTETS or head[0] >> 4:
        return Outcome.MALFORMED
    if not hmac.compare_digest(signature, _signature(key, head, sender)):
        return Outcome.WRONG
    made = int.from_bytes(head, "big") * STEP_SECONDS
    if not made - STEP_SECONDS <= now_seconds <= made + STEP_SECONDS + period_seconds:
        return Outcome.EXPIRED
    return Outcome.VALID


def _signature(key: bytes, head: bytes, sender: Address) -> bytes:
    return hmac.new(key, head + sender.unicode.encode(), hashlib.sha256).digest()[:_SIGNATURE_OCTETS]
