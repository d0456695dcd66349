"""Stored messages, for doors that send them to people and programs.

What is read is read in pieces, each in a transaction of its own; a message that is removed meanwhile stays readable as
long as somebody listens to its account (`Store.subscribe`).
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from appliance.delivery.appliance import Appliance
from appliance.mail.decode import UnknownEncoding, decoder
from appliance.mail.part import Part
from appliance.operations.actor import Actor, Right
from appliance.store import bodies, message
from appliance.store.problems import NoSuchMessage
from appliance.store.reach import Reach
from appliance.store.records import Facts, Row
from appliance.store.store import Store
from appliance.store.tables import PIECE_OCTETS, AccountID, MessageID

OCTETS: Final = "application/octet-stream"
_TYPE: Final = re.compile(r"[a-z0-9!#$&^_.+-]{1,127}/[a-z0-9!#$&^_.+-]{1,127}", re.IGNORECASE)
#: Read at a time.
PIECE: Final = 4 * PIECE_OCTETS


@dataclass(frozen=True, slots=True)
class Stored:
    """A message, and how to read it."""

    account: AccountID
    id: MessageID
    row: Row
    facts: Facts
    prefix: bytes
    #: The name of its mailbox.
    mailbox: str
    #: Octets start..end of the message as it was received.
    read: Callable[[int, int], bytes]

    @property
    def body_octets(self) -> int:
        """Octets as it was received."""
        return self.row.size - len(self.prefix)

    def pieces(self) -> Iterator[bytes]:
        """All of it, with what was added to its header here."""
        yield self.prefix
        yield from self._pieces(0, self.body_octets)

    def decoded(self, part: Part) -> Iterator[bytes]:
        """The content of a part, as it was before it was encoded for the journey."""
        return decoded(part, self._pieces(part.body, part.end))

    def _pieces(self, start: int, end: int) -> Iterator[bytes]:
        for at in range(start, end, PIECE):
            yield self.read(at, min(end, at + PIECE))


def find(app: Appliance, actor: Actor, id: MessageID) -> Stored:
    """A message of the account. Raises NoSuchMessage, NotAllowed."""
    actor.require(Right.READ_MAIL)
    return of(app.store, actor.account, id, actor.account)


def of(store: Store, account: AccountID, id: MessageID, reader: AccountID) -> Stored:
    """The same, also of another's account so far as it is shared with the reader. Raises NoSuchMessage."""
    with store.read() as tx:
        place = message.place(tx, account, id) if 0 < id < 2**63 else None
        row = message.row(tx, account, place.mailbox, place.uid) if place and not place.expunged else None
        reach = Reach(tx, account, reader)
        if place is None or row is None or not (reach.is_own or place.mailbox in reach.live):
            raise NoSuchMessage("no such message")
        known = message.facts(tx, account, id)
        prefix = message.prefix(tx, account, id)
        mailbox = tx.mailbox(account, place.mailbox).name
    body = row.body

    def read(start: int, end: int) -> bytes:
        with store.read() as tx:
            return bodies.read(tx, body, start, end)

    return Stored(account, id, row, known, prefix, mailbox, read)


def decoded(part: Part, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The content of a part, from its octets as they came."""
    try:
        decoding = decoder("7bit" if part.is_multipart else part.encoding)
    except UnknownEncoding:
        decoding = decoder("binary")  # Better than nothing: somebody may know what it is.
    for octets in pieces:
        yield decoding.feed(octets)
    yield decoding.close()


def media_type(part: Part) -> str:
    """What a part says it is, as far as that is a type and can be told in a header field."""
    charset = part.parameter("charset") if part.media_type == "text" else None
    return media_type_of(f"{part.media_type}/{part.subtype}" + (f"; charset={charset}" if charset else ""))


def media_type_of(text: str, otherwise: str = OCTETS) -> str:
    """A media type that is one, without parameters but a charset, and can stand in a header field (RFC 6838 §4.2)."""
    kind, _, parameters = text.partition(";")
    kind = kind.strip().lower()
    if not _TYPE.fullmatch(kind):
        return otherwise
    charset = re.search(r"charset=\"?([A-Za-z0-9._:-]{1,40})\"?", parameters)
    return f"{kind}; charset={charset[1]}" if charset else kind
