"""Tokens that let scripts call functions of the pages: of accounts, and of the administrator (`tables.NOBODY`)."""

import msgspec

from appliance.store import tables
from appliance.store.problems import TooMany
from appliance.store.records import APIToken
from appliance.store.tables import NOBODY, AccountID, Table
from appliance.store.transaction import ReadTx, WriteTx, decode


def add(tx: WriteTx, account: AccountID, digest: bytes, token: APIToken, *, most: int) -> None:
    """Keep one. Raises NoSuchAccount, TooMany."""
    if account != NOBODY:
        tx.account(account)
    if len(all_of(tx, account)) >= most:
        raise TooMany(f"there are {most} tokens already")
    tx.put_record(Table.API_TOKEN, tables.api_token_key(account, digest), token)


def find(tx: ReadTx, account: AccountID, digest: bytes) -> APIToken | None:
    """One by its digest."""
    return tx.record(Table.API_TOKEN, tables.api_token_key(account, digest), APIToken)


def all_of(tx: ReadTx, account: AccountID) -> list[tuple[bytes, APIToken]]:
    """Digests and tokens, the oldest first."""
    found = tx.scan_prefix(Table.API_TOKEN, tables.account_key(account))
    return sorted(((key[4:], decode(APIToken, value)) for key, value in found), key=lambda one: one[1].created)


def used(tx: WriteTx, account: AccountID, digest: bytes, moment: int) -> None:
    """Note when one was used last; one that is gone is passed over."""
    found = find(tx, account, digest)
    if found is not None:
        token = msgspec.structs.replace(found, last_used=moment)
        tx.put_record(Table.API_TOKEN, tables.api_token_key(account, digest), token)


def remove(tx: WriteTx, account: AccountID, digest: bytes) -> bool:
    """Forget one; whether it was there."""
    return tx.delete(Table.API_TOKEN, tables.api_token_key(account, digest))
