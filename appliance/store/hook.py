"""Records of webhooks: those that wait to be posted, those that are done. Posting them is for `queue.hooks`.

A hook is written by the transaction that delivers a message or settles an attempt, so neither is without the other.
Every change here wakes the keeper after the commit (`Feed.hooks`). What is posted has a table of its own: lists and
attempts need not read it.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Final

import msgspec

from appliance.store import tables
from appliance.store.hookrecords import Hook, HookAttempt, RetiredHook
from appliance.store.problems import NoSuchAccount
from appliance.store.tables import AccountID, HookID, QueueID, Table
from appliance.store.transaction import ReadTx, WriteTx, decode

_NEXT: Final = b"next hook"
#: Below all ids.
_NO_HOOK: Final = HookID(0)


def add(tx: WriteTx, new: Hook, payload: bytes, *, keep: int) -> bool:
    """Queue a webhook, due now; its id and times are set here. Tells whether its account still takes any.

    One that waits for the same message is superseded: receivers want to know how things are, not how they were. It is
    remembered for `keep` microseconds.
    """
    try:
        if tx.account(new.account).removed:
            return False
    except NoSuchAccount:
        return False
    new.id = HookID(int(tx.get(Table.META, _NEXT) or b"1"))
    new.submitted = new.next_attempt = tx.now
    tx.put(Table.META, _NEXT, b"%d" % (new.id + 1))
    if new.queued:
        key = tables.queued_key(new.queued)
        if (waiting := tx.get(Table.HOOK_MESSAGE, key)) is not None:
            old = get(tx, HookID(int.from_bytes(waiting, "big")))
            assert old is not None
            retire(tx, old, success=False, keep=keep, superseded_by=new.id)
        tx.put(Table.HOOK_MESSAGE, key, tables.hook_key(new.id))
    tx.put(Table.HOOK_PAYLOAD, tables.hook_key(new.id), payload)
    tx.put(Table.HOOK_ACCOUNT, tables.account_hook_key(new.account, new.id), b"")
    _put(tx, new)
    return True


def _put(tx: WriteTx, one: Hook) -> None:
    tx.put_record(Table.HOOK, tables.hook_key(one.id), one)
    tx.put(Table.HOOK_DUE, tables.time_hook_key(one.next_attempt, one.id), b"")
    tx.hooks_changed = tx.hooks_changed or set()
    tx.hooks_changed.add(one.id)


def get(tx: ReadTx, id: HookID) -> Hook | None:
    """A webhook that waits."""
    return tx.record(Table.HOOK, tables.hook_key(id), Hook)


def retired(tx: ReadTx, id: HookID) -> RetiredHook | None:
    """One that is done."""
    return tx.record(Table.HOOK_RETIRED, tables.hook_key(id), RetiredHook)


def payload(tx: ReadTx, id: HookID) -> bytes | None:
    """What is posted, or was."""
    return tx.get(Table.HOOK_PAYLOAD, tables.hook_key(id))


def update(tx: WriteTx, one: Hook) -> None:
    """Write a changed webhook back: its next attempt, attempts and results, not what names it."""
    old = get(tx, one.id)
    assert old is not None
    tx.delete(Table.HOOK_DUE, tables.time_hook_key(old.next_attempt, one.id))
    _put(tx, one)


def retire(tx: WriteTx, one: Hook, *, success: bool, keep: int, superseded_by: HookID = _NO_HOOK) -> None:
    """A webhook waits no more; with `keep` microseconds it is remembered for so long."""
    key = tables.hook_key(one.id)
    old = get(tx, one.id)
    assert old is not None
    tx.delete(Table.HOOK, key)
    tx.delete(Table.HOOK_DUE, tables.time_hook_key(old.next_attempt, one.id))
    tx.delete(Table.HOOK_ACCOUNT, tables.account_hook_key(old.account, one.id))
    if old.queued:
        tx.delete(Table.HOOK_MESSAGE, tables.queued_key(old.queued))
    tx.hooks_changed = tx.hooks_changed or set()
    if keep <= 0:
        tx.delete(Table.HOOK_PAYLOAD, key)
        return
    names = RetiredHook.__struct_fields__
    known = {name: getattr(one, name) for name in Hook.__struct_fields__ if name in names}
    done = RetiredHook(
        **known,
        has_authorization=bool(one.authorization),
        is_signed=bool(one.secret),
        success=success,
        last_activity=tx.now,
        keep_until=tx.now + keep,
        superseded_by=superseded_by,
    )
    _put_retired(tx, done)


def _put_retired(tx: WriteTx, done: RetiredHook) -> None:
    tx.put_record(Table.HOOK_RETIRED, tables.hook_key(done.id), done)
    for table, place in _retired_indices(done):
        tx.put(table, place, b"")


def _retired_indices(done: RetiredHook) -> list[tuple[Table, bytes]]:
    return [
        (Table.HOOK_RETIRED_ACCOUNT, tables.account_hook_key(done.account, done.id)),
        (Table.HOOK_RETIRED_UNTIL, tables.time_hook_key(done.keep_until, done.id)),
        (Table.HOOK_RETIRED_ACTIVITY, tables.time_hook_key(done.last_activity, done.id)),
    ]


def set_result(tx: WriteTx, done: RetiredHook, result: HookAttempt) -> None:
    """What the attempt came to that was under way when a webhook was superseded or canceled."""
    tx.delete(Table.HOOK_RETIRED_ACTIVITY, tables.time_hook_key(done.last_activity, done.id))
    results = (*(one for one in done.results if one.start != result.start or one.url != result.url), result)
    _put_retired(tx, msgspec.structs.replace(done, results=results, success=result.success, last_activity=tx.now))


def due_after(tx: ReadTx, place: bytes, now: int) -> Iterator[tuple[bytes, HookID]]:
    """Webhooks whose time has come, the longest waiting first, with the place of each; those behind a place."""
    start = place + b"\0" if place else b""
    for key, _ in tx.scan(Table.HOOK_DUE, start, due_time(now + 1)):
        yield key, HookID(int.from_bytes(key[8:], "big"))


def due_time(when: int) -> bytes:
    """The place before all that are due at a moment."""
    return tables.time_hook_key(when, _NO_HOOK)[:8]


def next_time(tx: ReadTx, after: int) -> int | None:
    """When the first webhook becomes due after a moment."""
    entry = next(tx.scan(Table.HOOK_DUE, due_time(after + 1), b"\xff" * 17), None)
    return None if entry is None else int.from_bytes(entry[0][:8], "big")


def forget_retired(tx: WriteTx, limit: int) -> bool:
    """Remove retired webhooks whose time is up, at most `limit`; tells whether more wait."""
    stop = due_time(tx.now + 1)
    keys = [key for key, _ in islice(tx.scan(Table.HOOK_RETIRED_UNTIL, b"", stop), limit + 1)]
    for key in keys[:limit]:
        _forget(tx, HookID(int.from_bytes(key[8:], "big")))
    return len(keys) > limit


def next_forgetting(tx: ReadTx) -> int | None:
    """When the first retired webhook is to be forgotten."""
    entry = next(tx.scan_prefix(Table.HOOK_RETIRED_UNTIL, b""), None)
    return None if entry is None else int.from_bytes(entry[0][:8], "big")


def _forget(tx: WriteTx, id: HookID) -> None:
    done = retired(tx, id)
    assert done is not None
    tx.delete(Table.HOOK_RETIRED, tables.hook_key(id))
    tx.delete(Table.HOOK_PAYLOAD, tables.hook_key(id))
    for table, place in _retired_indices(done):
        tx.delete(table, place)


def count(tx: ReadTx) -> int:
    """How many wait."""
    return tx.entries(Table.HOOK)


# Accounts that go.


def remove_account_part(tx: WriteTx, account: AccountID, limit: int) -> bool:
    """Remove a bounded number of an account's webhooks, waiting and retired; tells whether all are gone."""
    prefix = tables.account_key(account)
    mine = [key for key, _ in islice(tx.scan_prefix(Table.HOOK_ACCOUNT, prefix), limit)]
    for key in mine:
        one = get(tx, HookID(int.from_bytes(key[4:], "big")))
        assert one is not None
        retire(tx, one, success=False, keep=0)
    done = [key for key, _ in islice(tx.scan_prefix(Table.HOOK_RETIRED_ACCOUNT, prefix), limit)]
    for key in done:
        _forget(tx, HookID(int.from_bytes(key[4:], "big")))
    return not mine and not done


# Invariants.


def verify(tx: ReadTx, accounts: set[AccountID]) -> list[str]:
    """What is wrong about webhooks, in words."""
    found: list[str] = []
    expected: dict[Table, dict[bytes, bytes]] = {
        table: {} for table in tables.HOOKS - {Table.HOOK, Table.HOOK_RETIRED, Table.HOOK_PAYLOAD}
    }
    next_id = int(tx.get(Table.META, _NEXT) or b"1")
    keys: set[bytes] = set()
    for key, value in tx.scan_prefix(Table.HOOK, b""):
        one = decode(Hook, value)
        keys.add(key)
        found += _wrongs(one, key, next_id, accounts)
        expected[Table.HOOK_DUE][tables.time_hook_key(one.next_attempt, one.id)] = b""
        expected[Table.HOOK_ACCOUNT][tables.account_hook_key(one.account, one.id)] = b""
        if one.queued:
            if tables.queued_key(one.queued) in expected[Table.HOOK_MESSAGE]:
                found.append(f"two webhooks wait for message {one.queued}")
            expected[Table.HOOK_MESSAGE][tables.queued_key(one.queued)] = key
    for key, value in tx.scan_prefix(Table.HOOK_RETIRED, b""):
        done = decode(RetiredHook, value)
        if key in keys:
            found.append(f"webhook {done.id} is retired and waits")
        keys.add(key)
        found += _wrongs(done, key, next_id, accounts)
        for table, place in _retired_indices(done):
            expected[table][place] = b""
    for table, entries in expected.items():
        if dict(tx.scan_prefix(table, b"")) != entries:
            found.append(f"index {table.value} differs from the webhooks")
    if {key for key, _ in tx.scan_prefix(Table.HOOK_PAYLOAD, b"")} != keys:
        found.append("there are webhooks without payload, or payloads without a webhook")
    return found


def _wrongs(one: Hook | RetiredHook, key: bytes, next_id: int, accounts: set[AccountID]) -> Iterator[str]:
    if tables.hook_key(one.id) != key or not 0 < one.id < next_id:
        yield f"webhook {one.id} has a wrong id"
    if one.account not in accounts:
        yield f"webhook {one.id} belongs to account {one.account}, which is unknown"


def of_message(tx: ReadTx, queued: QueueID) -> HookID | None:
    """The webhook that waits for a message that was sent."""
    found = tx.get(Table.HOOK_MESSAGE, tables.queued_key(queued))
    return None if found is None else HookID(int.from_bytes(found, "big"))
