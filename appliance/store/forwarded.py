"""What is kept of forwarded mail: where notices about it go (mail/returnpath), and how much an account forwards.

Both forget by themselves: each new row takes some old ones with it, more than come in.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Final

import msgspec

from appliance.store import tables
from appliance.store.queuerecords import ReturnPath
from appliance.store.tables import AccountID, Table
from appliance.store.transaction import ReadTx, WriteTx, decode

_OLD_ROWS: Final = 4
_HOUR: Final = 3600 * 1_000_000
#: How far back what an account forwards is limited, in hours, the present one included.
_HOURS: Final = 24


# Where notices go.


def keep(tx: WriteTx, localpart: str, returns_to: str, until: int) -> None:
    """Remember where notices to a sender address go, until a moment."""
    key = localpart.encode()
    if tx.get(Table.RETURN_PATH, key) is not None:
        return
    old = list(islice(tx.scan(Table.RETURN_PATH_UNTIL, b"", tables.return_path_until_key(tx.now, "")), _OLD_ROWS))
    for place, _ in old:
        tx.delete(Table.RETURN_PATH_UNTIL, place)
        tx.delete(Table.RETURN_PATH, place[8:])
    tx.put_record(Table.RETURN_PATH, key, ReturnPath(returns_to, until))
    tx.put(Table.RETURN_PATH_UNTIL, tables.return_path_until_key(until, localpart), b"")


def find(tx: ReadTx, localpart: str, now: int) -> ReturnPath | None:
    """Where notices to a sender address go; None when it never was one, or is none any more."""
    found = tx.record(Table.RETURN_PATH, localpart.encode(), ReturnPath)
    return found if found is not None and now < found.until else None


def count_notice(tx: WriteTx, localpart: str, most: int) -> bool:
    """Count a notice that goes on; False when it is one too many, or the address is forgotten."""
    found = find(tx, localpart, tx.now)
    if found is None or found.notices >= most:
        return False
    new = msgspec.structs.replace(found, notices=found.notices + 1)
    tx.put_record(Table.RETURN_PATH, localpart.encode(), new)
    return True


# How much an account forwards.


def forwarded(tx: ReadTx, account: AccountID, now: int) -> int:
    """How many messages an account forwarded in the last 24 hours, as far as the clock's whole hours tell."""
    since, stop = tables.forwarded_key(account, now // _HOUR - _HOURS + 1), tables.account_key(AccountID(account + 1))
    return sum(int.from_bytes(value, "big") for _, value in tx.scan(Table.FORWARDED, since, stop))


def count(tx: WriteTx, account: AccountID, messages: int) -> None:
    """Count messages that an account forwards now."""
    key = tables.forwarded_key(account, tx.now // _HOUR)
    value = tx.get(Table.FORWARDED, key)
    if value is None:
        since = tables.forwarded_key(account, tx.now // _HOUR - _HOURS + 1)
        old = list(islice(tx.scan(Table.FORWARDED, tables.account_key(account), since), _OLD_ROWS))
        for place, _ in old:
            tx.delete(Table.FORWARDED, place)
    tx.put(Table.FORWARDED, key, (int.from_bytes(value or b"", "big") + messages).to_bytes(4, "big"))


# Invariants.


def verify(tx: ReadTx) -> Iterator[str]:
    """What is wrong with sender addresses of forwarded messages, in words."""
    expected = set()
    for key, value in tx.scan_prefix(Table.RETURN_PATH, b""):
        one = decode(ReturnPath, value)
        if not one.returns_to:
            yield f"return path {key.decode()} leads nowhere"
        expected.add(tables.return_path_until_key(one.until, key.decode()))
    if {key for key, _ in tx.scan_prefix(Table.RETURN_PATH_UNTIL, b"")} != expected:
        yield "index return_path_until differs from the return paths"
