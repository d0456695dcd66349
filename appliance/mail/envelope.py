"""The envelope of a message as IMAP means it: its usual header fields, ready to be sent.

RFC 9051 §7.5.2, RFC 5322 §3.6. Text stays as it was written, encoded words and all; what it means to a person is
for words, date and thread.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from appliance.mail import address, header
from appliance.mail.address import AddressLimits, Mailbox
from appliance.mail.header import Field, HeaderLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvelopeLimits:
    """How much of a header an envelope is made of; what lies beyond is left out."""

    header: HeaderLimits
    #: Of each of its lists.
    address: AddressLimits


class EnvelopeAddress(msgspec.Struct, frozen=True, array_like=True):
    """An address, or a mark: `host` None begins a group named `localpart`, both None end it."""

    name: bytes | None
    localpart: bytes | None
    host: bytes | None


#: The fields that hold address lists, in lower case.
ADDRESS_FIELDS = frozenset((b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc"))

_GROUP_END = EnvelopeAddress(None, None, None)


class Envelope(msgspec.Struct, frozen=True, array_like=True):
    """Values unfolded and stripped; None for a field that is absent, empty for one that is.

    Stored as msgpack for ever: new fields only at the end, with defaults.
    """

    date: bytes | None = None
    subject: bytes | None = None
    from_: tuple[EnvelopeAddress, ...] = ()
    #: As `from_` when the header names none, like `reply_to`.
    sender: tuple[EnvelopeAddress, ...] = ()
    reply_to: tuple[EnvelopeAddress, ...] = ()
    to: tuple[EnvelopeAddress, ...] = ()
    cc: tuple[EnvelopeAddress, ...] = ()
    bcc: tuple[EnvelopeAddress, ...] = ()
    in_reply_to: bytes | None = None
    message_id: bytes | None = None


def parse_envelope(octets: bytes, limits: EnvelopeLimits) -> Envelope:
    """The envelope of a header section, or of a whole message. Never raises.

    Lenient: of a field that may stand once the first counts, but lists of addresses are put together: senders that
    repeat Cc mean all of them, and a second From must not hide.
    """
    return envelope_of(octets, header.fields(octets, limits=limits.header), limits.address)


def envelope_of(octets: bytes, fields: Sequence[Field], limits: AddressLimits) -> Envelope:
    """The same for fields already found in `octets`."""
    known: dict[bytes, list[Field]] = {}
    for field in fields:
        known.setdefault(field.name.lower(), []).append(field)

    def text(name: bytes) -> bytes | None:
        return header.content(octets, known[name][0]) if name in known else None

    def addresses(name: bytes) -> tuple[EnvelopeAddress, ...]:
        if name not in known:
            return ()
        return _addresses(b", ".join(header.content(octets, field) for field in known[name]), limits)

    from_ = addresses(b"from")
    return Envelope(
        date=text(b"date"),
        subject=text(b"subject"),
        from_=from_,
        sender=addresses(b"sender") or from_,
        reply_to=addresses(b"reply-to") or from_,
        to=addresses(b"to"),
        cc=addresses(b"cc"),
        bcc=addresses(b"bcc"),
        in_reply_to=text(b"in-reply-to"),
        message_id=text(b"message-id"),
    )


#: Octets of a list that is looked at this way; each is looked at once.
_USUAL_OCTETS = 4096


def _usual(value: bytes) -> tuple[EnvelopeAddress, ...] | None:
    """A list of nothing but usual addresses, quickly; None for any other, which the grammar reads."""
    if len(value) > _USUAL_OCTETS:
        return None
    found: list[EnvelopeAddress] = []
    for one in value.split(b","):
        match = address.USUAL.fullmatch(one)
        if match is None:
            return None
        quoted, plain, localpart, host, bare, bare_host = match.groups()
        if bare is not None:
            found.append(EnvelopeAddress(None, bare, bare_host))
            continue
        name = quoted if quoted is not None else b" ".join(plain.split())
        found.append(EnvelopeAddress(name or None, localpart, host))
    return tuple(found)


def _addresses(value: bytes, limits: AddressLimits) -> tuple[EnvelopeAddress, ...]:
    if (usual := _usual(value)) is not None:
        return usual[: limits.addresses]
    found: list[EnvelopeAddress] = []
    for entry in address.parse_list(value, limits):
        if isinstance(entry, Mailbox):
            found.append(_mailbox(entry))
        else:
            found.append(EnvelopeAddress(None, entry.raw_name, None))
            found.extend(map(_mailbox, entry.members))
            found.append(_GROUP_END)
    return tuple(found)


def _mailbox(mailbox: Mailbox) -> EnvelopeAddress:
    """A lone localpart gets an empty host, since none at all would begin a group."""
    return EnvelopeAddress(mailbox.raw_name or None, _octets(mailbox.localpart), _octets(mailbox.domain))


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "replace")
