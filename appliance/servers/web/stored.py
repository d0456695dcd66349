"""Stored messages, for doors that send them to people and programs.

What is read is read in pieces, each in a transaction of its own; a message that is removed meanwhile stays readable as
long as somebody listens to its account (`Store.subscribe`).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from appliance.delivery.appliance import Appliance
from appliance.mail.decode import UnknownEncoding, decoder
from appliance.mail.part import Part
from appliance.operations import messages as verbs
from appliance.operations.actor import Actor
from appliance.store import bodies, message
from appliance.store.records import Facts, Row
from appliance.store.tables import PIECE_OCTETS, AccountID, MessageID

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
        try:
            decoding = decoder("7bit" if part.is_multipart else part.encoding)
        except UnknownEncoding:
            decoding = decoder("binary")  # Better than nothing: somebody may know what it is.
        for octets in self._pieces(part.body, part.end):
            yield decoding.feed(octets)
        yield decoding.close()

    def _pieces(self, start: int, end: int) -> Iterator[bytes]:
        for at in range(start, end, PIECE):
            yield self.read(at, min(end, at + PIECE))


def find(app: Appliance, actor: Actor, id: MessageID) -> Stored:
    """A message of the account. Raises NoSuchMessage."""
    store, account = app.store, actor.account
    with store.read() as tx:
        ref, place = verbs.find(tx, actor, id)
        row = message.row(tx, *ref, place.uid)
        assert row is not None
        known = message.facts(tx, account, id)
        prefix = message.prefix(tx, account, id)
        mailbox = tx.mailbox(account, place.mailbox).name
    body = row.body

    def read(start: int, end: int) -> bytes:
        with store.read() as tx:
            return bodies.read(tx, body, start, end)

    return Stored(account, id, row, known, prefix, mailbox, read)
