"""Second factors of accounts, and of the administrator (`tables.NOBODY`)."""

import msgspec

from appliance.store import tables
from appliance.store.records import SecondFactor
from appliance.store.tables import NOBODY, AccountID, Table
from appliance.store.transaction import ReadTx, WriteTx

_NONE = SecondFactor()


def get(tx: ReadTx, account: AccountID) -> SecondFactor:
    """What there is."""
    return tx.record(Table.SECOND_FACTOR, tables.account_key(account), SecondFactor) or _NONE


def put(tx: WriteTx, account: AccountID, factor: SecondFactor) -> None:
    """Keep it. Raises NoSuchAccount."""
    if account != NOBODY:
        tx.account(account)
    if factor == _NONE:
        tx.delete(Table.SECOND_FACTOR, tables.account_key(account))
    else:
        tx.put_record(Table.SECOND_FACTOR, tables.account_key(account), factor)


def without_codes(factor: SecondFactor) -> SecondFactor:
    """The same without anything that makes codes."""
    return msgspec.structs.replace(factor, secret=b"", created=0, last_step=0, recovery=(), wrong=0, wrong_since=0)
