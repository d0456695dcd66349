"""What was submitted with a key, so that the same again is not sent again: kept for a day.

The answer to the first is kept with a digest of what was asked, in the transaction that queues it.
"""

import struct
from typing import Final

import msgspec

from appliance.base.problem import Kind, Problem
from appliance.mail.status import Status
from appliance.store import tables
from appliance.store.tables import AccountID, QueueID, Table
from appliance.store.transaction import ReadTx, WriteTx

#: Microseconds.
KEPT: Final = 24 * 3600 * 1_000_000
#: Old ones removed with each new one; more than come in, so that they never pile up.
_OLD: Final = 4

_time = struct.Struct(">Q")
_ACCOUNT_OCTETS: Final = 4


class KeyInUse(Problem):
    """The key stands for something else."""

    kind, status = Kind.CONFLICT, Status(5, 5, 4)


class Submitted(msgspec.Struct, array_like=True, frozen=True):
    """What came of a submission."""

    when: int
    key: str
    #: Of what was asked.
    digest: bytes
    message_id: str
    #: Of each recipient, in their order, what the queue calls it, and the id in its sender address.
    entries: tuple[tuple[QueueID, str], ...]
    over_quota: bool = False


def find(tx: ReadTx, account: AccountID, key: str, digest: bytes, now: int) -> Submitted | None:
    """What came of the same a short while ago. Raises KeyInUse when it was not the same."""
    found = tx.record(Table.ONCE, tables.once_key(account, key), Submitted)
    if found is None or found.key != key or found.when + KEPT <= now:
        return None
    if found.digest != digest:
        raise KeyInUse("this key was used for another message within 24 hours")
    return found


def keep(tx: WriteTx, account: AccountID, done: Submitted) -> None:
    """Remember it, in place of what the key stood for before; forget what is old."""
    key = tables.once_key(account, done.key)
    before = tx.record(Table.ONCE, key, Submitted)
    if before is not None:
        tx.delete(Table.ONCE_TIME, tables.once_time_key(account, before.when, key))
    tx.put_record(Table.ONCE, key, done)
    tx.put(Table.ONCE_TIME, tables.once_time_key(account, done.when, key), b"")
    old: list[bytes] = []
    for time_key, _ in tx.scan_prefix(Table.ONCE_TIME, tables.account_key(account)):
        (when,) = _time.unpack_from(time_key, _ACCOUNT_OCTETS)
        if when + KEPT > done.when or len(old) == _OLD:
            break
        old.append(time_key)
    for time_key in old:
        tx.delete(Table.ONCE_TIME, time_key)
        tx.delete(Table.ONCE, tables.account_key(account) + time_key[_ACCOUNT_OCTETS + _time.size :])
