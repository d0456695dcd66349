"""Whom an account wrote to, with the names it had for them: for completing what is typed, latest first.

Written with each message that counts as sent (store/senders.py). Unlike there nothing goes when such a message is
removed: whoever clears his sent mail still knows people. The longest ago give way to new ones.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, NamedTuple

import msgspec

from appliance.base import limits
from appliance.store import tables
from appliance.store.tables import AccountID, Table
from appliance.store.transaction import ReadTx, WriteTx, decode
from appliance.store.webrecords import KnownRecipient

_LAST: Final = 2**63


class Person(NamedTuple):
    """Somebody a message was written to."""

    #: In Unicode spelling.
    address: str
    #: May be empty.
    name: str


def note(tx: WriteTx, account: AccountID, people: Iterable[Person], when: int) -> None:
    """A message was sent to these."""
    when = max(when, 0)
    for person in people:
        key = tables.recipient_key(account, person.address)
        old = tx.record(Table.RECIPIENT, key, KnownRecipient)
        if old is None:
            _make_room(tx, account)
            new = KnownRecipient(person.address, person.name, when, 1)
        elif when < old.last_sent:
            # An older message that comes later, by an import: it may know a name where there is none.
            new = msgspec.structs.replace(old, name=old.name or person.name, count=old.count + 1)
        else:
            tx.delete(Table.RECIPIENT_SENT, tables.recipient_sent_key(account, old.last_sent, key))
            new = KnownRecipient(person.address, person.name or old.name, when, old.count + 1)
        tx.put_record(Table.RECIPIENT, key, new)
        tx.put(Table.RECIPIENT_SENT, tables.recipient_sent_key(account, new.last_sent, key), b"")


def _make_room(tx: WriteTx, account: AccountID) -> None:
    singletons = tx.account(account)
    singletons.recipients += 1
    if singletons.recipients <= limits.RECIPIENTS_KEPT:
        return
    prefix = tables.account_key(account)
    oldest = next(tx.scan_prefix(Table.RECIPIENT_SENT, prefix), None)
    if oldest is not None:
        singletons.recipients -= 1
        tx.delete(Table.RECIPIENT_SENT, oldest[0])
        tx.delete(Table.RECIPIENT, prefix + oldest[0][12:])


def find(tx: ReadTx, account: AccountID, address: str) -> KnownRecipient | None:
    """What is known of an address."""
    return tx.record(Table.RECIPIENT, tables.recipient_key(account, address), KnownRecipient)


def latest(tx: ReadTx, account: AccountID) -> Iterator[KnownRecipient]:
    """All, who was written to last first; in a thread, please."""
    prefix = tables.account_key(account)
    stop = tables.outgoing_key(account, _LAST)
    for key, _ in tx.scan_back(Table.RECIPIENT_SENT, prefix, stop):
        value = tx.get(Table.RECIPIENT, prefix + key[12:])
        assert value is not None
        yield decode(KnownRecipient, value)


def complete(tx: ReadTx, account: AccountID, text: str, most: int) -> tuple[list[KnownRecipient], bool]:
    """Those whose address or name has a text in it, whatever its case, latest first; whether these are all.

    The address is looked at as `<localpart@domain>`: so a sign tells where it begins and ends.
    """
    wanted = text.lower()
    found = (one for one in latest(tx, account) if wanted in f"<{one.address}>".lower() or wanted in one.name.lower())
    some = list(islice(found, most + 1))
    return some[:most], len(some) <= most


def verify(tx: ReadTx, account: AccountID) -> Iterator[str]:
    """What is wrong in what is known of an account's recipients, in words."""
    expected, count = set(), 0
    prefix = tables.account_key(account)
    for key, value in tx.scan_prefix(Table.RECIPIENT, prefix):
        one, count = decode(KnownRecipient, value), count + 1
        if tables.recipient_key(account, one.address) != key:
            yield "a known recipient is in the wrong place"
        expected.add(tables.recipient_sent_key(account, one.last_sent, key))
    if {key for key, _ in tx.scan_prefix(Table.RECIPIENT_SENT, prefix)} != expected:
        yield "index recipient_sent differs from the known recipients"
    if count != tx.account(account).recipients:
        yield f"there are {count} known recipients, not {tx.account(account).recipients}"
