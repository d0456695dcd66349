"""Everything about a new message that is costly, done once and before the transaction (D-131).

`content` looks at what was received, once for all its recipients; `message` makes of it what one of them gets, with
the header fields that were added for him.
"""

import unicodedata
from dataclasses import dataclass, replace
from typing import Final

from appliance.mail import envelope, header, preview, text, thread as mail_thread
from appliance.mail.part import Part
from appliance.protocol.imap import structure
from appliance.store import bodies, message as message_records, thread
from appliance.store.bodies import NewBody
from appliance.store.message import NewMessage
from appliance.store.records import UPLOADED, Origin, Prepared
from appliance.store.spool import Spooled
from appliance.store.tables import NO_MAILBOX, AccountID, MailboxID, MessageID
from appliance.store.transaction import ReadTx

#: Fields that mail programs ask for by name, kept ready; any other is looked for in the header.
USUAL_FIELDS: Final = frozenset(
    "from sender reply-to to cc bcc subject date message-id in-reply-to references content-type mime-version "
    "content-transfer-encoding content-disposition content-language list-id list-post list-help "
    "list-unsubscribe list-unsubscribe-post list-owner list-archive list-subscribe precedence importance "
    "priority x-priority x-msmail-priority newsgroups user-agent x-mailer disposition-notification-to "
    "return-receipt-to delivered-to return-path resent-from resent-to resent-date auto-submitted x-uid "
    "x-label keywords comments thread-topic thread-index x-spam-flag x-spam-status autocrypt archived-at "
    "followup-to bimi-location bimi-indicator x-universally-unique-identifier".split()
)

#: Stands between the text of the header and that of the body; text has no NULs.
SEPARATOR: Final = b"\0"
#: First octet of a text: all of the message is in it, or only its beginning, and it must be read to be sure.
COMPLETE, CUT = b"\x01", b"\x02"


def fold(value: str) -> bytes:
    """Text as it is searched (I-147): NFC, lower case, without NULs."""
    if value.isascii():
        return value.lower().encode().replace(b"\0", b"")
    lower = unicodedata.normalize("NFC", unicodedata.normalize("NFC", value).lower())
    return lower.encode("utf-8", "replace").replace(b"\0", b"")


@dataclass(frozen=True, slots=True)
class PrepareLimits:
    """How much of a message is looked at."""

    envelope: envelope.EnvelopeLimits
    text: text.TextLimits
    #: Octets of folded text kept for searching.
    search_octets: int


@dataclass(frozen=True, slots=True)
class Content:
    """What is the same for all recipients of a message."""

    root: Part
    header: bytes
    body_text: bytes
    cut: bool
    preview: str
    #: IMAP BODY and BODYSTRUCTURE.
    body: bytes
    bodystructure: bytes


def content(spooled: Spooled, limits: PrepareLimits) -> Content:
    """Look at a message as received. In a thread, please, when it is large."""
    scanned = spooled.scanned
    folded: list[bytes] = []
    octets = 0
    cut = text.is_cut(scanned.root, limits.text)
    for piece in text.searchable_text(scanned.root, spooled.reader, limits.text):
        one = fold(piece)
        if octets + len(one) > limits.search_octets:
            folded.append(one[: limits.search_octets - octets])
            cut = True
            break
        folded.append(one)
        octets += len(one)
    return Content(
        root=scanned.root,
        header=scanned.header,
        body_text=SEPARATOR.join(folded),
        cut=cut,
        preview=preview.preview(scanned.root, spooled.reader, limits.text),
        body=structure.body(scanned.root, extended=False),
        bodystructure=structure.body(scanned.root, extended=True),
    )


def message(
    seen: Content,
    body: NewBody,
    *,
    prefix: bytes,
    received: int,
    limits: PrepareLimits,
    origin: Origin = UPLOADED,
    destined_mailbox: MailboxID = NO_MAILBOX,
) -> NewMessage:
    """What one recipient gets."""
    whole = prefix + seen.header
    fields = header.fields(whole, limits=limits.envelope.header)
    usual: dict[str, bytes] = {}
    words: list[str] = []
    for field in fields:
        name = field.name.decode("ascii", "replace").lower()
        line = whole[field.start : field.end]
        if name in USUAL_FIELDS:
            usual[name] = usual[name] + line if name in usual else line
        words.append(text.header_text(line))
    found = envelope.envelope_of(whole, fields, limits.envelope.address)
    parents = header.get_all(whole, fields, b"References") or header.get_all(whole, fields, b"In-Reply-To")
    subject_base, is_response = mail_thread.subject_base(header.get(whole, fields, b"Subject") or b"")
    folded_header = fold("\n".join(words))[: limits.search_octets]
    return NewMessage(
        body=body,
        prefix=prefix,
        root=seen.root,
        prepared=Prepared(
            envelope=structure.envelope(found),
            body=seen.body,
            bodystructure=seen.bodystructure,
            fields=usual,
            preview=seen.preview,
            header_octets=len(whole),
        ),
        text=(CUT if seen.cut else COMPLETE) + folded_header + SEPARATOR + seen.body_text,
        clues=thread.Clues(
            message_id=mail_thread.message_id(header.get(whole, fields, b"Message-ID") or b""),
            references=tuple(mail_thread.references(parents)),
            subject_base=subject_base,
            subject_is_response=is_response,
            is_dsn=origin.is_dsn,
        ),
        received=received,
        origin=origin,
        destined_mailbox=destined_mailbox,
    )


def whole_text(tx: ReadTx, account: AccountID, id: MessageID, limits: PrepareLimits) -> bytes:
    """The text to search of a message of which only the beginning is kept, made from the message itself. Slow."""
    known = message_records.facts(tx, account, id)
    place = message_records.place(tx, account, id)
    assert place is not None
    prefix = message_records.prefix(tx, account, id)

    def read(start: int, end: int) -> bytes:
        return bodies.read(tx, place.body, start, end)

    everything = replace(limits.text, part_octets=place.size, all_octets=place.size)
    lines = header.fields(head := prefix + read(0, known.root.body), limits=limits.envelope.header)
    words = [text.header_text(head[field.start : field.end]) for field in lines]
    folded = [fold(piece) for piece in text.searchable_text(known.root, read, everything)]
    return COMPLETE + fold("\n".join(words)) + SEPARATOR + SEPARATOR.join(folded)
