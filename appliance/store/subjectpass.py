"""Keys of subjectpass: one for each account and address of its, made when it is first needed."""

from collections.abc import Iterator
from typing import Final

from appliance.store import tables
from appliance.store.problems import NoSuchAccount
from appliance.store.tables import AccountID, Table
from appliance.store.transaction import ReadTx, WriteTx

#: Letters and digits of ASCII in a key.
KEY_OCTETS: Final = 16


def key(tx: ReadTx, account: AccountID, address: str) -> bytes | None:
    """The key of an account for a canonical address of its; None while there is none."""
    return tx.get(Table.SUBJECTPASS, tables.subjectpass_key(account, address))


def keep_key(tx: WriteTx, account: AccountID, address: str, drawn: bytes) -> bytes:
    """Keep a key, drawn by chance, unless there is one; the one that is kept. Raises NoSuchAccount."""
    if tx.account(account).removed:
        raise NoSuchAccount("the account is being removed")
    present = key(tx, account, address)
    if present is None:
        tx.put(Table.SUBJECTPASS, tables.subjectpass_key(account, address), drawn)
    return present or drawn


def verify(tx: ReadTx, account: AccountID) -> Iterator[str]:
    """What is wrong: keys are of so many letters and digits."""
    for _, value in tx.scan_prefix(Table.SUBJECTPASS, tables.account_key(account)):
        if len(value) != KEY_OCTETS or not value.isalnum():
            yield "a key of subjectpass is not one"
