"""Tokens in subjects (msgauth/subjectpass): what the one in a message is worth, and the reply that offers one.

They are signed with a key of the account for each of its addresses. Looking costs nothing while a subject has no token,
and a key is made only when somebody is given one.
"""

import string
from typing import Final

from appliance.base.ids import Random
from appliance.base.log import Log
from appliance.config.domains import SubjectPass
from appliance.delivery.appliance import Appliance
from appliance.delivery.decide import Token
from appliance.mail import header, words
from appliance.mail.address import Address
from appliance.msgauth import subjectpass
from appliance.msgauth.subjectpass import Outcome
from appliance.store import subjectpass as keys
from appliance.store.prepare import Content
from appliance.store.tables import AccountID

log = Log("delivery")

_CHARACTERS: Final = (string.ascii_letters + string.digits).encode()
#: Of a subject that are looked at.
_SUBJECT_OCTETS: Final = 4096
#: Of chance for a key, so many that no character is likelier than another.
_CHANCE_OCTETS: Final = 32


def subject(content: Content) -> str:
    """The decoded Subject of a message, as much of it as people write; empty when it has none."""
    head = content.header
    return words.decode((header.get(head.octets, head.fields, b"Subject") or b"")[:_SUBJECT_OCTETS])


def look(
    app: Appliance,
    settings: SubjectPass,
    *,
    account: AccountID,
    address: str,
    sender: Address | None,
    subject: str,
) -> Token:
    """What the token in a decoded subject is worth, in a message from `sender` (None: From has not one address).

    `address` is the one of the account that the message is for, canonical. A key that cannot be read is FAILED, never
    an exception.
    """
    if settings.period is None or not settings.period.seconds:
        return Token.OFF
    if sender is None or not subjectpass.has_token(subject):
        return Token.ABSENT
    try:
        with app.store.read() as tx:
            key = keys.key(tx, account, address)
    except Exception as error:  # Whatever the database has: the sender shall try again.
        log.error("the key for tokens in subjects cannot be read", error, account=account)
        return Token.FAILED
    if key is None:  # Nobody was given a token.
        subjectpass.verified.labels("fail").inc()
        return Token.ABSENT
    now, period = int(app.clock.now().timestamp()), int(settings.period.seconds)
    is_valid = subjectpass.verify(key, sender, subject, now, period) is Outcome.VALID
    return Token.VALID if is_valid else Token.ABSENT


async def offer(app: Appliance, *, account: AccountID, address: str, sender: Address) -> str | None:
    """The text of a reply (550 5.7.1) that gives the sender a token, for a person who reads it in a bounce.

    None when there is no key and none can be kept: then decide again, with the token FAILED.
    """
    try:
        with app.store.read() as tx:
            key = keys.key(tx, account, address)
        if key is None:
            key = await app.store.write(keys.keep_key, account, address, _drawn(app.random))
    except Exception as error:
        log.error("the key for tokens in subjects cannot be kept", error, account=account)
        return None
    token = subjectpass.generate(key, sender, int(app.clock.now().timestamp()))
    return f"this looks like junk and was not delivered; if you wrote it, send it again with {token} in the subject"


def _drawn(random: Random) -> bytes:
    """A new key."""
    number = int.from_bytes(random.token_bytes(_CHANCE_OCTETS), "big")
    drawn = bytearray()
    for _ in range(keys.KEY_OCTETS):
        number, digit = divmod(number, len(_CHARACTERS))
        drawn.append(_CHARACTERS[digit])
    return bytes(drawn)
