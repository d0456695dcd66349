"""Automatic replies of an account: what is replied, and who has had one (RFC 3834 §2).

Who was answered is forgotten by those who are answered later: each looks at the next few, round and round.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

import msgspec

from appliance.base import limits
from appliance.store import tables
from appliance.store.tables import AccountID, Table
from appliance.store.transaction import ReadTx, WriteTx, decode
from appliance.store.webrecords import Vacation, VacationCount

_DAY: Final = 24 * 3600 * 1_000_000
#: Records looked at with each that is written; more than come in.
_OLD_ROWS: Final = 4
_ACCOUNT_OCTETS: Final = 4
NO_VACATION: Final = Vacation()


def find(tx: ReadTx, account: AccountID) -> Vacation:
    """What is set."""
    return tx.record(Table.VACATION, tables.account_key(account), Vacation) or NO_VACATION


def keep(tx: WriteTx, account: AccountID, new: Vacation) -> Vacation:
    """Set it; as it is now. Whoever switches replies on begins a new series. Raises NoSuchAccount."""
    tx.account(account)
    old = find(tx, account)
    series = old.series + (new.is_enabled and not old.is_enabled)
    new = msgspec.structs.replace(new, version=old.version + 1, series=series)
    tx.put_record(Table.VACATION, tables.account_key(account), new)
    return new


def is_on(one: Vacation, now: int) -> bool:
    """Whether mail that comes now is answered."""
    if not one.is_enabled:
        return False
    return (one.from_date is None or one.from_date <= now) and (one.to_date is None or now < one.to_date)


def may_answer(tx: ReadTx, account: AccountID, names: Iterable[str], now: int) -> bool:
    """Whether a sender gets a reply: not twice within the days that are set, and not beyond what goes out in a day.

    `names`: the addresses he is known by, of the envelope and of From; one that was answered is enough.
    """
    one = find(tx, account)
    if not is_on(one, now):
        return False
    count = tx.record(Table.VACATION_ANSWERED, tables.account_key(account), VacationCount)
    if count is not None and count.day == now // _DAY and count.replies >= limits.VACATION_REPLIES_PER_DAY:
        return False
    for name in names:
        last = tx.get(Table.VACATION_ANSWERED, _key(account, one, name))
        if last is not None and now - int.from_bytes(last, "big") < one.days * _DAY:
            return False
    return True


def answered(tx: WriteTx, account: AccountID, names: Iterable[str]) -> None:
    """A reply goes out to who is known by these names, in this transaction."""
    one, day = find(tx, account), tx.now // _DAY
    for name in names:
        _remember(tx, _key(account, one, name))
    before = tx.record(Table.VACATION_ANSWERED, tables.account_key(account), VacationCount)
    replies = before.replies + 1 if before is not None and before.day == day else 1
    tx.put_record(Table.VACATION_ANSWERED, tables.account_key(account), VacationCount(day, replies))


def _remember(tx: WriteTx, key: bytes) -> None:
    following = list(islice(tx.scan(Table.VACATION_ANSWERED, key + b"\0", b"\xff" * len(key)), _OLD_ROWS))
    if len(following) < _OLD_ROWS:
        following += islice(tx.scan(Table.VACATION_ANSWERED, b"", key), _OLD_ROWS - len(following))
    for place, value in following:
        if len(place) > _ACCOUNT_OCTETS and tx.now - int.from_bytes(value, "big") > limits.VACATION_DAYS[-1] * _DAY:
            tx.delete(Table.VACATION_ANSWERED, place)
    tx.put(Table.VACATION_ANSWERED, key, tx.now.to_bytes(8, "big"))


def _key(account: AccountID, one: Vacation, sender: str) -> bytes:
    """The case of a sender says nothing here."""
    return tables.named_key(account, f"{one.series} {sender.lower()}")


def verify(tx: ReadTx, account: AccountID) -> Iterator[str]:
    """What is wrong, in words."""
    for key, value in tx.scan_prefix(Table.VACATION_ANSWERED, tables.account_key(account)):
        if len(key) == _ACCOUNT_OCTETS:
            decode(VacationCount, value)
        elif len(value) != 8 or len(key) != _ACCOUNT_OCTETS + 16:
            yield "somebody was answered at no time"
