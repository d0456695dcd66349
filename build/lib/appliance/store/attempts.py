"""Attempts to log in, as accounts and operators look at them: one record for those that differ only in their moment.

Bounded twice: what failed is kept up to a number for each account, all of it for some time. Attempts on accounts that
do not exist belong to `tables.NOBODY`.
"""

import hashlib
from collections.abc import Iterator

import msgspec

from appliance.store import account as accounts, tables
from appliance.store.records import LoginAttempt
from appliance.store.tables import NOBODY, AccountID, Table
from appliance.store.transaction import ReadTx, WriteTx, decode, encode

_IDENTITY_OCTETS = 16
#: Account, whether it failed, the last moment.
_TIME_OCTETS = 13


def identity(attempt: LoginAttempt) -> bytes:
    """What attempts share that are counted as one: all but moments and count."""
    same = msgspec.structs.replace(attempt, first=0, last=0, count=0)
    return hashlib.blake2b(encode(same), digest_size=_IDENTITY_OCTETS).digest()


def is_failed(attempt: LoginAttempt) -> bool:
    """Whether it came to nothing."""
    return attempt.result != "ok"


def note(tx: WriteTx, account: AccountID, attempt: LoginAttempt, *, most_failed: int) -> None:
    """Add attempts to those known; the oldest failed ones of the account give way beyond `most_failed`."""
    if account != NOBODY:
        known = tx.get(Table.ACCOUNT, tables.account_key(account)) is not None
        if not known or tx.account(account).removed:
            account = NOBODY
    which = identity(attempt)
    key = tables.login_attempt_key(account, which)
    failed = is_failed(attempt)
    present = tx.record(Table.LOGIN_ATTEMPT, key, LoginAttempt)
    if present is not None:
        tx.delete(Table.LOGIN_ATTEMPT_TIME, tables.login_attempt_time_key(account, failed, present.last, which))
        attempt = msgspec.structs.replace(
            attempt,
            first=min(present.first, attempt.first),
            last=max(present.last, attempt.last),
            count=present.count + attempt.count,
        )
    tx.put_record(Table.LOGIN_ATTEMPT, key, attempt)
    tx.put(Table.LOGIN_ATTEMPT_TIME, tables.login_attempt_time_key(account, failed, attempt.last, which), b"")
    if failed and present is None:
        _count_failed(tx, account, 1)
        if failed_count(tx, account) > most_failed:
            for old in list(_oldest(tx, account, True, 1 << 63, 1)):
                _remove(tx, account, old)


def failed_count(tx: ReadTx, account: AccountID) -> int:
    """How many records of failed attempts an account has."""
    return int(tx.get(Table.LOGIN_ATTEMPT, tables.account_key(account)) or b"0")


def _count_failed(tx: WriteTx, account: AccountID, more: int) -> None:
    tx.put(Table.LOGIN_ATTEMPT, tables.account_key(account), b"%d" % (failed_count(tx, account) + more))


def _oldest(tx: ReadTx, account: AccountID, failed: bool, before: int, most: int) -> Iterator[bytes]:
    """Keys in LOGIN_ATTEMPT_TIME, oldest first."""
    start = tables.login_attempt_time_key(account, failed, 0, b"")
    stop = tables.login_attempt_time_key(account, failed, before, b"")
    for _, (key, _) in zip(range(most), tx.scan(Table.LOGIN_ATTEMPT_TIME, start, stop), strict=False):
        yield key


def _remove(tx: WriteTx, account: AccountID, time_key: bytes) -> None:
    tx.delete(Table.LOGIN_ATTEMPT_TIME, time_key)
    tx.delete(Table.LOGIN_ATTEMPT, tables.login_attempt_key(account, time_key[_TIME_OCTETS:]))
    if time_key[4]:
        _count_failed(tx, account, -1)


def forget_before(tx: WriteTx, moment: int, most: int) -> bool:
    """Remove a bounded number of attempts whose last was before a moment; tells whether all of them are gone."""
    for account in (NOBODY, *accounts.names(tx).values()):
        for failed in (False, True):
            old = list(_oldest(tx, account, failed, moment, most))
            for key in old:
                _remove(tx, account, key)
            if old:
                return False
    return True


def attempts(tx: ReadTx, account: AccountID) -> list[LoginAttempt]:
    """All attempts on an account, the last one first. There may be tens of thousands: call it in a thread."""
    prefix = tables.account_key(account)
    found = [decode(LoginAttempt, value) for key, value in tx.scan_prefix(Table.LOGIN_ATTEMPT, prefix) if len(key) > 4]
    return sorted(found, key=lambda one: one.last, reverse=True)


def verify(tx: ReadTx, account: AccountID) -> Iterator[str]:
    """What is wrong with the attempts of an account, in words."""
    prefix = tables.account_key(account)
    expected: set[bytes] = set()
    failed = 0
    for key, value in tx.scan_prefix(Table.LOGIN_ATTEMPT, prefix):
        if len(key) == 4:
            continue
        one = decode(LoginAttempt, value)
        if key[4:] != identity(one):
            yield f"login attempt {key.hex()} is not what its key says"
        failed += is_failed(one)
        expected.add(tables.login_attempt_time_key(account, is_failed(one), one.last, key[4:]))
    if {key for key, _ in tx.scan_prefix(Table.LOGIN_ATTEMPT_TIME, prefix)} != expected:
        yield "index login_attempt_time differs from the attempts"
    if failed_count(tx, account) != failed:
        yield f"{failed_count(tx, account)} failed login attempts were counted, there are {failed}"
