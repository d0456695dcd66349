"""Everything about a new message that is costly, done once and before the transaction.

`content` looks at what was received, once for all its recipients; `message` makes of it what one of them gets, with
the header fields that were added for him.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Final

from appliance.base.limits import RECIPIENT_NAME_CHARACTERS, RECIPIENTS_OF_MESSAGE
from appliance.mail import envelope, header, order, preview, text, thread as mail_thread, words
from appliance.mail.address import Address, normalise_localpart
from appliance.mail.domain import DomainError, parse_domain
from appliance.mail.nfc import nfc, pieces
from appliance.mail.part import Part
from appliance.mail.traits import traits
from appliance.msgauth.publicsuffix import organizational_domain
from appliance.protocol.imap import structure
from appliance.store import bodies, message as message_records, tables, thread
from appliance.store.bodies import NewBody
from appliance.store.history import By
from appliance.store.message import NewMessage
from appliance.store.recipients import Person
from appliance.store.records import UPLOADED, Origin, Prepared
from appliance.store.senders import SentTo
from appliance.store.spool import Spooled
from appliance.store.tables import AccountID, MessageID
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
#: Of ASCII so much is folded at once.
FOLD_CHARACTERS: Final = 128 * 1024


def fold(value: str) -> bytes:
    """Text as it is searched: NFC, lower case, without NULs."""
    if value.isascii() and len(value) <= FOLD_CHARACTERS:
        return value.lower().encode().replace(b"\0", b"")
    return b"".join(fold_pieces(value))


def fold_pieces(value: str) -> Iterator[bytes]:
    """The same, piece by piece: nobody else runs while a long text is made lower-case."""
    if value.isascii():
        for at in range(0, len(value), FOLD_CHARACTERS):
            yield value[at : at + FOLD_CHARACTERS].lower().encode().replace(b"\0", b"")
    else:
        for piece in pieces(value):
            yield nfc(nfc(piece).lower()).encode("utf-8", "replace").replace(b"\0", b"")


@dataclass(frozen=True, slots=True)
class PrepareLimits:
    """How much of a message is looked at."""

    envelope: envelope.EnvelopeLimits
    text: text.TextLimits
    #: Octets of folded text kept for searching.
    search_octets: int
    #: Addresses of one message that its writer is remembered to have written to.
    sent_to: int


@dataclass(frozen=True, slots=True)
class _Header:
    """A header, or the part of it that was added here."""

    octets: bytes
    fields: list[header.Field]
    #: Lines of the usual fields by lower-case name.
    usual: dict[str, bytes]
    #: Folded text of all fields, one a line.
    text: bytes
    clues: thread.Clues


@dataclass(frozen=True, slots=True)
class Content:
    """What is the same for all recipients of a message."""

    root: Part
    header: _Header
    envelope: bytes
    keys: order.Keys
    body_text: bytes
    cut: bool
    preview: str
    bodystructure: bytes


#: Fields that a message's place among others, or its ENVELOPE, is made of.
_ENVELOPE_FIELDS: Final = frozenset(
    "date subject from sender reply-to to cc bcc in-reply-to message-id references".split()
)


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
    head = _header(scanned.header, scanned.fields, limits)
    made, keys = _shown(head, limits, traits(scanned.root))
    return Content(
        root=scanned.root,
        header=head,
        envelope=made,
        keys=keys,
        body_text=SEPARATOR.join(folded),
        cut=cut,
        preview=preview.preview(scanned.root, spooled.reader, limits.text),
        bodystructure=structure.body(scanned.root, extended=True),
    )


def _read_header(octets: bytes, limits: PrepareLimits) -> _Header:
    return _header(octets, header.fields(octets, limits=limits.envelope.header), limits)


def _header(octets: bytes, fields: list[header.Field], limits: PrepareLimits) -> _Header:
    usual: dict[str, bytes] = {}
    texts: list[str] = []
    for field in fields:
        name = field.name.decode("ascii", "replace").lower()
        line = octets[field.start : field.end]
        if name in USUAL_FIELDS:
            usual[name] = usual[name] + line if name in usual else line
        texts.append(text.header_text(line))

    parents = header.get_all(octets, fields, b"References") if "references" in usual else []
    if not parents and "in-reply-to" in usual:
        parents = header.get_all(octets, fields, b"In-Reply-To")
    subject = header.get(octets, fields, b"Subject") if "subject" in usual else None
    subject_base, is_response = mail_thread.subject_base(subject or b"")
    own = header.get(octets, fields, b"Message-ID") if "message-id" in usual else None
    clues = thread.Clues(
        message_id=mail_thread.message_id(own or b""),
        references=tuple(mail_thread.references(parents)),
        subject_base=subject_base,
        subject_is_response=is_response,
        is_dsn=False,
    )
    return _Header(octets, fields, usual, fold("\n".join(texts))[: limits.search_octets], clues)


def _shown(head: _Header, limits: PrepareLimits, traits: int) -> tuple[bytes, order.Keys]:
    """What a header shows of its message: ENVELOPE, and what it is sorted by."""
    found = envelope.envelope_of(head.octets, head.fields, limits.envelope.address)
    subject = head.clues.subject_base, head.clues.subject_is_response
    return structure.envelope(found), order.keys(head.octets, head.fields, found, subject, traits=traits)


def keys(known: Prepared, root: Part, limits: PrepareLimits) -> order.Keys:
    """What a message is sorted by, made of what else is kept of it: for those of an older program."""
    return _shown(_read_header(b"".join(known.fields.values()) + b"\r\n", limits), limits, traits(root))[1]


_NOBODY: Final = SentTo()


def message(
    seen: Content,
    body: NewBody,
    *,
    prefix: bytes,
    received: int,
    limits: PrepareLimits,
    origin: Origin = UPLOADED,
    sent_to: SentTo = _NOBODY,
) -> NewMessage:
    """What one recipient gets; or what somebody uploads, with what `sent_to` made of it."""
    head, made, keys = seen.header, seen.envelope, seen.keys
    usual, header_text, clues = head.usual, head.text, head.clues
    if prefix:
        added = _read_header(prefix, limits)
        if not _ENVELOPE_FIELDS.isdisjoint(added.usual):
            # A submission's Date or Message-ID was missing: the whole is looked at again.
            head = _read_header(prefix + head.octets, limits)
            made, keys = _shown(head, limits, seen.keys.traits)
            usual, header_text, clues = head.usual, head.text, head.clues
        else:
            usual = {**added.usual, **usual}
            usual.update((name, line + head.usual[name]) for name, line in added.usual.items() if name in head.usual)
            header_text = added.text + b"\n" + header_text
    return NewMessage(
        body=body,
        prefix=prefix,
        root=seen.root,
        prepared=Prepared(
            envelope=made,
            bodystructure=seen.bodystructure,
            fields=usual,
            preview=seen.preview,
            header_octets=len(prefix) + len(seen.header.octets),
        ),
        text=(CUT if seen.cut else COMPLETE) + header_text + SEPARATOR + seen.body_text,
        clues=replace(clues, is_dsn=True) if origin.is_dsn else clues,
        keys=keys,
        received=received,
        origin=origin,
        sent_to=sent_to,
    )


#: The fields that tell to whom a message was sent.
_SENT_TO_FIELDS: Final = ("to", "cc", "bcc")
#: So many octets of these take about a millisecond.
SENT_TO_INLINE_OCTETS: Final = 2048


def sent_to_octets(usual: Mapping[str, bytes]) -> int:
    """How much `sent_to` would look at."""
    return sum(len(usual.get(name, b"")) for name in _SENT_TO_FIELDS)


def sent_to(usual: Mapping[str, bytes], limits: PrepareLimits) -> SentTo:
    """By what a message's writer is remembered to have written to others, for `NewMessage.sent_to`; each name once.

    That is the address, its domain and the domain of the organization, of each address in To, Cc and Bcc that is one.
    And the first of them as people.
    `usual`: lines of header fields by lower-case name. The first call reads the public suffix list (`publicsuffix`).
    """
    found = envelope.parse_envelope(
        b"".join(usual.get(name, b"") for name in _SENT_TO_FIELDS) + b"\r\n", limits.envelope
    )
    names: dict[bytes, None] = {}
    people: dict[str, Person] = {}
    for one in islice(chain(found.to, found.cc, found.bcc), limits.sent_to):
        if not one.localpart or not one.host:
            continue
        try:
            domain = parse_domain(one.host.decode("utf-8", "replace"), lax=True)
        except DomainError:
            continue
        address = Address(normalise_localpart(one.localpart.decode("utf-8", "replace")), domain)
        add_names(names, address)
        if len(people) < RECIPIENTS_OF_MESSAGE:
            name = words.decode(one.name or b"")[:RECIPIENT_NAME_CHARACTERS]
            shown = "".join(character for character in name if character.isprintable()).strip()
            people.setdefault(address.unicode, Person(address.unicode, shown))
    return SentTo(b"".join(names), tuple(people.values()))


def add_names(names: dict[bytes, None], address: Address) -> None:
    """Add those that an address is remembered by; see `sent_to`."""
    domain = address.domain
    names[tables.sender_name(By.FROM.value, address.unicode)] = None
    names[tables.sender_name(By.FROM_DOMAIN.value, domain.unicode)] = None
    names[tables.sender_name(By.FROM_ORG_DOMAIN.value, organizational_domain(domain).unicode)] = None


def clues(prepared: Prepared, limits: PrepareLimits, *, is_dsn: bool) -> thread.Clues:
    """What a stored message says about its thread, for another account that gets a copy."""
    lines = (prepared.fields.get(name, b"") for name in ("subject", "message-id", "in-reply-to", "references"))
    return replace(_read_header(b"".join(lines), limits).clues, is_dsn=is_dsn)


def whole_texts(tx: ReadTx, account: AccountID, id: MessageID, limits: PrepareLimits) -> Iterator[Iterable[bytes]]:
    """The texts to search of a message of which only the beginning is kept, made from the message itself. Slow.

    First that of the header, then those of the body, each in pieces: others wait while many megabytes are copied.
    """
    known = message_records.facts(tx, account, id)
    place = message_records.place(tx, account, id)
    assert place is not None
    prefix = message_records.prefix(tx, account, id)

    def read(start: int, end: int) -> bytes:
        return bodies.read(tx, place.body, start, end)

    everything = replace(limits.text, part_octets=place.size, all_octets=place.size)
    lines = header.fields(head := prefix + read(0, known.root.body), limits=limits.envelope.header)
    texts = [text.header_text(head[field.start : field.end]) for field in lines]
    yield (fold("\n".join(texts)),)
    for one in text.searchable_text(known.root, read, everything):
        yield fold_pieces(one)
