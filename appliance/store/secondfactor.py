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


def without_program(factor: SecondFactor) -> SecondFactor:
    """The same without the program that makes codes; recovery codes go with the last that they could stand in for."""
    return _settled(msgspec.structs.replace(factor, secret=b"", created=0, last_step=0))


def without_passkey(factor: SecondFactor, credential: bytes) -> SecondFactor:
    """The same without one passkey."""
    left = tuple(one for one in factor.passkeys if one.credential != credential)
    return _settled(msgspec.structs.replace(factor, passkeys=left))


def without_all(factor: SecondFactor) -> SecondFactor:
    """The same, and the password is enough."""
    return without_program(msgspec.structs.replace(factor, passkeys=()))


def _settled(factor: SecondFactor) -> SecondFactor:
    if factor.is_wanted:
        return factor
    return msgspec.structs.replace(factor, recovery=(), wrong=0, wrong_since=0)
