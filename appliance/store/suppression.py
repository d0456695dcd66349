"""Addresses that an account's messages are not sent to any more, by their base addresses.

What a base address is, and when one is added by itself, is for delivery.suppression. A list grows by one entry for each
message that failed for good, at most, and how much an account sends is limited.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from appliance.base.problem import Kind, Problem
from appliance.mail.status import Status
from appliance.store import tables
from appliance.store.queuerecords import Suppression
from appliance.store.tables import AccountID, Table
from appliance.store.transaction import ReadTx, WriteTx, decode

_NEXT: Final = b"next suppression"


class Suppressed(Problem):
    """The address is in the list already."""

    kind, status = Kind.EXISTS, Status(5, 5, 4)


class NotSuppressed(Problem):
    """The address is not in the list."""

    kind, status = Kind.NOT_FOUND, Status(5, 5, 4)


def find(tx: ReadTx, account: AccountID, base_address: str) -> Suppression | None:
    """The entry of an address."""
    return tx.record(Table.SUPPRESSION, tables.suppression_key(account, base_address), Suppression)


def add(tx: WriteTx, account: AccountID, base_address: str, address: str, *, manual: bool, reason: str) -> Suppression:
    """Add an address. Raises NoSuchAccount, Suppressed."""
    tx.account(account)
    key = tables.suppression_key(account, base_address)
    if tx.get(Table.SUPPRESSION, key) is not None:
        raise Suppressed(f"{address} is in the suppression list already, as {base_address}")
    number = int(tx.get(Table.META, _NEXT) or b"1")
    tx.put(Table.META, _NEXT, b"%d" % (number + 1))
    added = Suppression(number, tx.now, base_address, address, manual, reason)
    tx.put_record(Table.SUPPRESSION, key, added)
    return added


def remove(tx: WriteTx, account: AccountID, base_address: str) -> None:
    """Remove an address. Raises NotSuppressed."""
    if not tx.delete(Table.SUPPRESSION, tables.suppression_key(account, base_address)):
        raise NotSuppressed(f"{base_address} is not in the suppression list")


def some(tx: ReadTx, account: AccountID, after: str, most: int) -> list[Suppression]:
    """Entries of an account in no order that means anything, those behind a base address; empty: from the first."""
    prefix = tables.account_key(account)
    start = tables.suppression_key(account, after) + b"\0" if after else prefix
    stop = tables.account_key(AccountID(account + 1))
    return [decode(Suppression, value) for _, value in islice(tx.scan(Table.SUPPRESSION, start, stop), most)]


def verify(tx: ReadTx, account: AccountID) -> Iterator[str]:
    """What is wrong in an account's list, in words."""
    next_number = int(tx.get(Table.META, _NEXT) or b"1")
    for key, value in tx.scan_prefix(Table.SUPPRESSION, tables.account_key(account)):
        one = decode(Suppression, value)
        if tables.suppression_key(account, one.base_address) != key or not 0 < one.id < next_number:
            yield f"suppression {one.id} of {one.base_address} is in the wrong place"
