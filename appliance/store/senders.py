"""What is written down about senders: indices beside the messages, kept in the transactions that change these.

JUDGED has a row for each name that a message came with (store/history.py), as long as the message is live and marked as
junk or as no junk; so ordinary mail costs nothing. A row names the mailbox to which the message came at first. SENT_TO
has a row for each name that a message in a mailbox for sent mail was written to. Who asks is store/reputation.py.
"""

from collections.abc import Iterator
from typing import NamedTuple

from appliance.store import history, recipients, tables
from appliance.store.recipients import Person
from appliance.store.records import Origin
from appliance.store.tables import SENDER_NAME_OCTETS, AccountID, MailboxID, MessageID, Table
from appliance.store.transaction import ReadTx, WriteTx


class SentTo(NamedTuple):
    """To whom a message was sent, as `prepare.sent_to` makes it."""

    #: Kinds and names, as in SENT_TO_NAMES.
    names: bytes = b""
    people: tuple[Person, ...] = ()


class Judgement(NamedTuple):
    """What a message says about its sender."""

    #: Where it came to.
    mailbox: MailboxID
    is_junk: bool


def judged_rows(
    account: AccountID, id: MessageID, received: int, origin: Origin, judgement: Judgement
) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values in JUDGED of a message; none when it was uploaded."""
    value = bytes((judgement.is_junk,)) + origin.msg_from_localpart.encode("utf-8", "replace")
    for by, name, validated in history.names(origin):
        what = tables.sender_name(by.value, name)
        yield tables.judged_key(account, what, judgement.mailbox, validated, max(received, 0), id), value


def judge(
    tx: WriteTx,
    account: AccountID,
    id: MessageID,
    received: int,
    origin: Origin,
    *,
    before: Judgement | None,
    now: Judgement | None,
) -> None:
    """A message is judged otherwise than before, counts for another mailbox, comes or goes; None: it says nothing."""
    if before == now:
        return
    if before is not None and (now is None or now.mailbox != before.mailbox):
        for key, _ in judged_rows(account, id, received, origin, before):
            tx.delete(Table.JUDGED, key)
    if now is not None:
        for key, value in judged_rows(account, id, received, origin, now):
            tx.put(Table.JUDGED, key, value)


def sent(tx: WriteTx, account: AccountID, id: MessageID, received: int, sent_to: SentTo) -> None:
    """A message was added to a mailbox for sent mail, or was submitted from where it is; to somebody."""
    forget_sent(tx, account, id, received)
    tx.put(Table.SENT_TO_NAMES, tables.message_key(account, id), sent_to.names)
    for key in sent_rows(account, id, received, sent_to.names):
        tx.put(Table.SENT_TO, key, b"")
    recipients.note(tx, account, sent_to.people, received)


def forget_sent(tx: WriteTx, account: AccountID, id: MessageID, received: int) -> None:
    """A message is gone: it was not sent to anybody any more."""
    names_key = tables.message_key(account, id)
    names = tx.get(Table.SENT_TO_NAMES, names_key)
    if names is None:
        return
    tx.delete(Table.SENT_TO_NAMES, names_key)
    for key in sent_rows(account, id, received, names):
        tx.delete(Table.SENT_TO, key)


def sent_rows(account: AccountID, id: MessageID, received: int, names: bytes) -> Iterator[bytes]:
    """Keys in SENT_TO of a message."""
    for at in range(0, len(names), SENDER_NAME_OCTETS):
        yield tables.sent_to_key(account, names[at : at + SENDER_NAME_OCTETS], max(received, 0), id)


def verify(tx: ReadTx, account: AccountID, judged: dict[bytes, bytes], received: dict[MessageID, int]) -> Iterator[str]:
    """What is wrong; given the rows that JUDGED must have, and the live messages and when they came."""
    prefix = tables.account_key(account)
    if dict(tx.scan_prefix(Table.JUDGED, prefix)) != judged:
        yield "index judged differs from the messages"
    expected: set[bytes] = set()
    for key, names in tx.scan_prefix(Table.SENT_TO_NAMES, prefix):
        id = MessageID(int.from_bytes(key[4:], "big"))
        if id not in received:
            yield f"message {id} is gone and was sent to somebody"
        elif not names or len(names) % SENDER_NAME_OCTETS:
            yield f"message {id} was sent to names that cannot be read"
        else:
            expected.update(sent_rows(account, id, received[id], names))
    if {key for key, _ in tx.scan_prefix(Table.SENT_TO, prefix)} != expected:
        yield "index sent_to differs from the messages"
