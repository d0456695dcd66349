"""How an account wants mail shown and written: preferences, modes of senders, what is not suggested again; identities.

Each list is bounded by its writers, the number of its entries being small.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from appliance.base import limits
from appliance.store import tables
from appliance.store.problems import TooMany
from appliance.store.tables import AccountID, Table
from appliance.store.transaction import ReadTx, WriteTx, decode
from appliance.store.webrecords import Identity, Never, Preferences, SenderView

_NO_PREFERENCES: Final = Preferences()


def find(tx: ReadTx, account: AccountID) -> Preferences:
    """Those of an account."""
    return tx.record(Table.PREFERENCES, tables.account_key(account), Preferences) or _NO_PREFERENCES


def keep(tx: WriteTx, account: AccountID, new: Preferences) -> Preferences:
    """Set them; as they are now, with their version. Raises NoSuchAccount."""
    tx.account(account)
    new = msgspec.structs.replace(new, version=find(tx, account).version + 1)
    tx.put_record(Table.PREFERENCES, tables.account_key(account), new)
    return new


# How mail of a sender is shown.


def view(tx: ReadTx, account: AccountID, address: str) -> SenderView | None:
    """What was chosen for an address, in any case."""
    return tx.record(Table.SENDER_VIEW, tables.named_key(account, address.lower()), SenderView)


def keep_view(tx: WriteTx, account: AccountID, address: str, mode: str) -> None:
    """Choose a mode; the address chosen for the longest ago gives way to one too many. Raises NoSuchAccount."""
    tx.account(account)
    key = tables.named_key(account, address.lower())
    if tx.get(Table.SENDER_VIEW, key) is None:
        others = [(decode(SenderView, value).changed, place) for place, value in _scan(tx, Table.SENDER_VIEW, account)]
        if len(others) >= limits.SENDER_VIEWS:
            tx.delete(Table.SENDER_VIEW, min(others)[1])
    tx.put_record(Table.SENDER_VIEW, key, SenderView(address.lower(), mode, tx.now))


# What is not suggested again.


def is_never(tx: ReadTx, account: AccountID, about: str) -> bool:
    """Whether nothing is suggested about it."""
    return tx.get(Table.RULESET_NEVER, tables.named_key(account, about)) is not None


def never(tx: WriteTx, account: AccountID, about: str) -> None:
    """Suggest nothing about it any more; the oldest word of that kind gives way to one too many."""
    tx.account(account)
    others = [(decode(Never, value).created, place) for place, value in _scan(tx, Table.RULESET_NEVER, account)]
    if len(others) >= limits.RULESET_NEVERS:
        tx.delete(Table.RULESET_NEVER, min(others)[1])
    tx.put_record(Table.RULESET_NEVER, tables.named_key(account, about), Never(about, tx.now))


# Identities.


def identities(tx: ReadTx, account: AccountID) -> dict[str, Identity]:
    """What is set of identities, by their ids."""
    return {key[4:].decode(): decode(Identity, value) for key, value in _scan(tx, Table.IDENTITY, account)}


def keep_identity(tx: WriteTx, account: AccountID, id: str, new: Identity, most: int) -> None:
    """Set an identity. Raises NoSuchAccount, TooMany beyond `most`."""
    tx.account(account)
    key = tables.identity_key(account, id)
    if tx.get(Table.IDENTITY, key) is None and len(identities(tx, account)) >= most:
        raise TooMany(f"an account keeps at most {most} identities")
    tx.put_record(Table.IDENTITY, key, new)


def remove_identity(tx: WriteTx, account: AccountID, id: str) -> bool:
    """Forget an identity; whether it was there."""
    return tx.delete(Table.IDENTITY, tables.identity_key(account, id))


def _scan(tx: ReadTx, table: Table, account: AccountID) -> Iterator[tuple[bytes, bytes]]:
    return tx.scan_prefix(table, tables.account_key(account))


def verify(tx: ReadTx, account: AccountID) -> Iterator[str]:
    """What is wrong, in words."""
    for key, value in _scan(tx, Table.SENDER_VIEW, account):
        if tables.named_key(account, decode(SenderView, value).address) != key:
            yield "the view of a sender is in the wrong place"
    for key, value in _scan(tx, Table.RULESET_NEVER, account):
        if tables.named_key(account, decode(Never, value).about) != key:
            yield "what no ruleset is suggested for is in the wrong place"
    if any(len(key) == len(tables.account_key(account)) for key, _ in _scan(tx, Table.IDENTITY, account)):
        yield "an identity has no id"
