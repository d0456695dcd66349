"""What messages are sorted and threaded by, as their headers say it (RFC 5256, RFC 5957)."""

import hashlib
from collections.abc import Sequence
from typing import Final

import msgspec

from appliance.mail import date, header, thread, words
from appliance.mail.collate import casemap
from appliance.mail.envelope import Envelope, EnvelopeAddress
from appliance.mail.header import Field

#: Characters of a key; texts that are the same up to there are the same to us.
KEY_CHARACTERS: Final = 500
#: Octets of the digest that stands for a Message-ID.
DIGEST_OCTETS: Final = 16


class Keys(msgspec.Struct, array_like=True, frozen=True):
    """Keys of one message; texts are casemapped (mail.collate), and empty when the header lacks the field.

    Stored as msgpack for ever: new fields only at the end, with defaults.
    """

    #: Seconds since 1970 that Date says (RFC 5256 §2.2); None when it says none, and the time of arrival counts.
    sent: int | None = None
    #: Base subject (RFC 5256 §2.1), and whether it is that of a reply or forward.
    subject: str = ""
    is_response: bool = False
    #: addr-mailbox of the first address.
    from_: str = ""
    to: str = ""
    cc: str = ""
    #: What is shown of the first address (RFC 5957 §3).
    display_from: str = ""
    display_to: str = ""
    #: Digest of the Message-ID in its canonical form; empty when there is none. Lenient: case makes no difference,
    #: as in the stored threads, since ids that differ by that alone went through a program that changed it.
    message_id: bytes = b""
    #: Digests of References, else of the first id of In-Reply-To (RFC 5256 §3), one behind the other; oldest first.
    references: bytes = b""
    #: `mail.traits` of the message; -1 where an older program did not look.
    traits: int = -1


def keys(
    octets: bytes, fields: Sequence[Field], envelope: Envelope, subject: tuple[str, bool], *, traits: int = -1
) -> Keys:
    """Keys of a header, whose envelope and `thread.subject_base` are known already."""
    when = date.parse(envelope.date) if envelope.date else None
    references = thread.references(header.get_all(octets, fields, b"References"))
    if not references and envelope.in_reply_to:
        references = thread.references([envelope.in_reply_to])[:1]
    base, is_response = subject
    return Keys(
        sent=None if when is None else int(when.timestamp()),
        subject=casemap(base[:KEY_CHARACTERS]),
        is_response=is_response,
        from_=_mailbox(envelope.from_),
        to=_mailbox(envelope.to),
        cc=_mailbox(envelope.cc),
        display_from=_display(envelope.from_),
        display_to=_display(envelope.to),
        message_id=_digest(own) if (own := thread.message_id(envelope.message_id or b"")) else b"",
        references=b"".join(map(_digest, references)),
        traits=traits,
    )


def _digest(message_id: str) -> bytes:
    return hashlib.blake2b(message_id.encode("utf-8", "replace"), digest_size=DIGEST_OCTETS).digest()


def _mailbox(addresses: Sequence[EnvelopeAddress]) -> str:
    if not addresses or not addresses[0].localpart:
        return ""
    return casemap(addresses[0].localpart.decode("utf-8", "replace")[:KEY_CHARACTERS])


def _display(addresses: Sequence[EnvelopeAddress]) -> str:
    if not addresses:
        return ""
    first = addresses[0]
    shown = words.decode(first.name[: 4 * KEY_CHARACTERS]).strip() if first.name else ""
    if not shown:
        octets = first.localpart or b""
        if octets and first.host:
            octets += b"@" + first.host
        shown = octets.decode("utf-8", "replace")
    return casemap(shown[:KEY_CHARACTERS])
