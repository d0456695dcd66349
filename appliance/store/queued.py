"""The queue's records: messages that wait for delivery, those that are done, rules that hold new ones back.

What to do with them is for the room queue. Every change here that may make a message due wakes it after the commit
(`Feed.queued`).
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

import msgspec

from appliance.base.metrics import Gauge
from appliance.base.problem import Kind, Problem
from appliance.mail.status import Status
from appliance.store import bodies, submission, tables
from appliance.store.bodies import NewBody
from appliance.store.queuerecords import NO_RESULT, Attempt, HoldRule, Outgoing, QueuedMessage, RetiredMessage
from appliance.store.tables import NO_ACCOUNT, AccountID, BodyID, QueueID, Table
from appliance.store.transaction import ReadTx, WriteTx, decode

_NEXT: Final = b"next queued"
_NEXT_RULE: Final = b"next hold rule"

#: Below all ids.
_NO_MESSAGE: Final = QueueID(0)
#: How far back an account's sending is limited.
DAY: Final = 24 * 3600 * 1_000_000
#: Results of a message that left the queue: notices about it may come again and again.
RESULTS_KEPT: Final = 50
#: Old rows of OUTGOING removed with each new one; more than come in, so that they never pile up.
_OLD_ROWS: Final = 4


held = Gauge("queue_hold", "Messages in the queue that are on hold.")


class FromIDInUse(Problem):
    """A message with this FROM id is in the queue or remembered."""

    kind, status = Kind.EXISTS, Status(5, 1, 7)


def add(tx: WriteTx, new: Sequence[QueuedMessage], body: NewBody) -> None:
    """Queue messages that share a body, all or none; their ids, times and base are set here.

    Raises FromIDInUse.
    """
    rules = list(hold_rules(tx))
    first = QueueID(int(tx.get(Table.META, _NEXT) or b"1"))
    tx.put(Table.META, _NEXT, b"%d" % (first + len(new)))
    alike = len(new) > 1 and len({(one.reverse_path, one.prefix) for one in new}) == 1
    for id, one in enumerate(new, first):
        one.id, one.base_id = QueueID(id), first if alike else QueueID(0)
        one.queued = tx.now
        one.hold = one.hold or any(_matches(rule, one) for rule in rules)
        one.size = len(one.prefix) + body.size
        one.body = bodies.use(tx, body)
        if body.stored is None:
            body = NewBody(None, one.body, body.size)
        if one.from_id:
            key = tables.from_id_key(one.from_id)
            if tx.get(Table.FROM_ID, key) is not None:
                raise FromIDInUse("a message with this id in its sender address was sent before")
            tx.put(Table.FROM_ID, key, tables.queued_key(one.id))
        if one.base_id:
            tx.put(Table.QUEUED_BASE, tables.base_queued_key(one.base_id, one.id), b"")
        tx.put(Table.QUEUED_ACCOUNT, tables.account_queued_key(one.account, one.id), b"")
        _put(tx, one)


def _put(tx: WriteTx, one: QueuedMessage) -> None:
    tx.put_record(Table.QUEUED, tables.queued_key(one.id), one)
    tx.put(*index(one), b"")
    if one.hold:
        tx.holds_changed = True
    else:
        tx.queue_changed = tx.queue_changed or set()
        tx.queue_changed.add(one.id)


def index(one: QueuedMessage) -> tuple[Table, bytes]:
    """Where a message stands in the order of next attempts."""
    return Table.QUEUED_HELD if one.hold else Table.QUEUED_DUE, tables.time_queued_key(one.next_attempt, one.id)


def _leave(tx: WriteTx, old: QueuedMessage) -> None:
    tx.delete(*index(old))
    if old.hold:
        tx.holds_changed = True


def get(tx: ReadTx, id: QueueID) -> QueuedMessage | None:
    """A message of the queue."""
    return tx.record(Table.QUEUED, tables.queued_key(id), QueuedMessage)


def update(tx: WriteTx, one: QueuedMessage, old: QueuedMessage | None = None) -> None:
    """Write a changed message back: its times, hold, results, transport and demands of TLS, not what names it.

    `old`: as it stands there, where that was read in this transaction.
    """
    old = old or get(tx, one.id)
    assert old is not None
    _leave(tx, old)
    _put(tx, one)
    if one.submission and one.attempts and one.results != old.results:
        submission.progressed(tx, one.account, one.submission, one.id, _last_result(one))


def _last_result(one: QueuedMessage) -> Attempt | None:
    """What the last attempt came to; None while it is being made."""
    return one.results[-1] if one.results and one.results[-1].text != NO_RESULT else None


def remove(tx: WriteTx, one: QueuedMessage, old: QueuedMessage | None = None, *, success: bool, keep: int) -> None:
    """Take a message out of the queue; with `keep` microseconds it is remembered for so long. `old`: as in `update`."""
    key = tables.queued_key(one.id)
    old = old or get(tx, one.id)
    assert old is not None
    tx.delete(Table.QUEUED, key)
    _leave(tx, old)
    tx.delete(Table.QUEUED_ACCOUNT, tables.account_queued_key(old.account, one.id))
    if old.base_id:
        tx.delete(Table.QUEUED_BASE, tables.base_queued_key(old.base_id, one.id))
    bodies.drop_reference(tx, old.body)
    if one.submission:
        # Who has dialed nobody has delivered it here.
        delivered = ("unknown" if one.dialed_ips else "yes") if success else "no"
        submission.ended(tx, one.account, one.submission, one.id, _last_result(one), delivered)
    if keep <= 0:
        if one.from_id:
            tx.delete(Table.FROM_ID, tables.from_id_key(one.from_id))
        return
    names = RetiredMessage.__struct_fields__
    known = {name: getattr(one, name) for name in QueuedMessage.__struct_fields__ if name in names}
    done = RetiredMessage(**known, success=success, last_activity=tx.now, keep_until=tx.now + keep)
    tx.put_record(Table.RETIRED, key, done)
    for table, place in retired_indices(done):
        tx.put(table, place, b"")
    tx.queue_changed = tx.queue_changed or set()


def retired_indices(done: RetiredMessage) -> list[tuple[Table, bytes]]:
    """Where a retired message stands beside its own table.

    What became of forwarded mail says nothing of the recipient: others wrote it. Nor does an automatic reply.
    """
    found = [
        (Table.RETIRED_ACCOUNT, tables.account_queued_key(done.account, done.id)),
        (Table.RETIRED_UNTIL, tables.time_queued_key(done.keep_until, done.id)),
        (Table.RETIRED_ACTIVITY, tables.time_queued_key(done.last_activity, done.id)),
    ]
    if not done.forwarded_by and not done.is_automatic:
        prefix = tables.retired_recipient_prefix(done.account, done.recipient)
        found.append((Table.RETIRED_RECIPIENT, prefix + tables.queued_key(done.id)))
    return found


def due(tx: ReadTx, now: int) -> Iterator[QueueID]:
    """Messages whose time has come, the longest waiting first."""
    for _, id in due_after(tx, b"", now):
        yield id


def due_after(tx: ReadTx, place: bytes, now: int) -> Iterator[tuple[bytes, QueueID]]:
    """As `due`, with the place of each; those behind a place."""
    start = place + b"\0" if place else b""
    for key, _ in tx.scan(Table.QUEUED_DUE, start, tables.time_queued_key(now + 1, QueueID(0))):
        yield key, QueueID(int.from_bytes(key[8:], "big"))


def due_time(when: int) -> bytes:
    """The place before all that are due at a moment."""
    return tables.time_queued_key(when, QueueID(0))[:8]


def next_time(tx: ReadTx, after: int) -> int | None:
    """When the first message becomes due after a moment."""
    start = tables.time_queued_key(after + 1, QueueID(0))
    entry = next(tx.scan(Table.QUEUED_DUE, start, b"\xff" * 17), None)
    return None if entry is None else int.from_bytes(entry[0][:8], "big")


def of_base(tx: ReadTx, base: QueueID) -> Iterator[QueueID]:
    """Messages in the queue that were submitted together."""
    for key, _ in tx.scan_prefix(Table.QUEUED_BASE, tables.queued_key(base)):
        yield QueueID(int.from_bytes(key[8:], "big"))


def of_account(tx: ReadTx, account: AccountID, after: QueueID = _NO_MESSAGE) -> Iterator[QueueID]:
    """Messages in the queue that an account sent, oldest first, those with ids above `after`."""
    start = tables.account_queued_key(account, QueueID(after + 1))
    for key, _ in tx.scan(Table.QUEUED_ACCOUNT, start, tables.account_key(AccountID(account + 1))):
        yield QueueID(int.from_bytes(key[4:], "big"))


def all_messages(tx: ReadTx, after: QueueID = _NO_MESSAGE) -> Iterator[QueuedMessage]:
    """The queue, oldest first, from the id above `after`; there may be a hundred thousand: take some at a time."""
    for _, value in tx.scan(Table.QUEUED, tables.queued_key(QueueID(after + 1)), b"\xff" * 9):
        yield decode(QueuedMessage, value)


# What is remembered.


def by_from_id(tx: ReadTx, from_id: str) -> QueuedMessage | RetiredMessage | None:
    """The message, queued or retired, whose sender address had this id."""
    key = tx.get(Table.FROM_ID, tables.from_id_key(from_id))
    if key is None:
        return None
    return tx.record(Table.QUEUED, key, QueuedMessage) or tx.record(Table.RETIRED, key, RetiredMessage)


def retired(tx: ReadTx, id: QueueID) -> RetiredMessage | None:
    """A message that left the queue."""
    return tx.record(Table.RETIRED, tables.queued_key(id), RetiredMessage)


def outcomes(tx: ReadTx, account: AccountID, recipient: str, most: int, *, but: QueueID = _NO_MESSAGE) -> list[bool]:
    """Whether the last messages of an account to exactly this address arrived, of those remembered; latest first.

    `but`: a message that does not count.
    """
    prefix = tables.retired_recipient_prefix(account, recipient)
    keys = tx.scan_back(Table.RETIRED_RECIPIENT, prefix, prefix + b"\xff" * 9)
    ids = (QueueID(int.from_bytes(key[-8:], "big")) for key, _ in keys)
    found = (retired(tx, id) for id in islice((id for id in ids if id != but), most))
    return [done.success for done in found if done is not None]


def add_result(tx: WriteTx, done: RetiredMessage, result: Attempt, *, failed: bool, delivered: bool = False) -> None:
    """Something was heard of a message that left the queue; `failed`: that it did not arrive in the end."""
    if done.submission:
        known = "no" if failed else "yes" if delivered else None
        submission.heard(tx, done.account, done.submission, done.id, result, known)
    for table, place in retired_indices(done):
        tx.delete(table, place)
    new = msgspec.structs.replace(
        done,
        results=(*done.results, result)[-RESULTS_KEPT:],
        last_activity=tx.now,
        success=done.success and not failed,
    )
    tx.put_record(Table.RETIRED, tables.queued_key(new.id), new)
    for table, place in retired_indices(new):
        tx.put(table, place, b"")


def forget_retired(tx: WriteTx, limit: int) -> bool:
    """Remove retired messages whose time is up, at most `limit`; tells whether more wait."""
    stop = tables.time_queued_key(tx.now + 1, QueueID(0))
    keys = [key for _, (key, _) in zip(range(limit + 1), tx.scan(Table.RETIRED_UNTIL, b"", stop), strict=False)]
    for key in keys[:limit]:
        _forget(tx, QueueID(int.from_bytes(key[8:], "big")))
    return len(keys) > limit


def next_forgetting(tx: ReadTx) -> int | None:
    """When the first retired message is to be forgotten."""
    entry = next(tx.scan_prefix(Table.RETIRED_UNTIL, b""), None)
    return None if entry is None else int.from_bytes(entry[0][:8], "big")


def _forget(tx: WriteTx, id: QueueID) -> None:
    done = retired(tx, id)
    assert done is not None
    tx.delete(Table.RETIRED, tables.queued_key(id))
    for table, place in retired_indices(done):
        tx.delete(table, place)
    if done.from_id:
        tx.delete(Table.FROM_ID, tables.from_id_key(done.from_id))


# Hold rules.


def add_hold_rule(
    tx: WriteTx, *, account: AccountID | None = None, sender_domain: str = "", recipient_domain: str = ""
) -> HoldRule:
    """A rule for messages to come. Those in the queue are for its caller, in pieces: see `sweep_hold_rule`."""
    number = int(tx.get(Table.META, _NEXT_RULE) or b"1")
    tx.put(Table.META, _NEXT_RULE, b"%d" % (number + 1))
    until = QueueID(int(tx.get(Table.META, _NEXT) or b"1") - 1)
    rule = HoldRule(number, account, sender_domain, recipient_domain, until=until)
    tx.put_record(Table.HOLD_RULE, tables.queued_key(QueueID(number)), rule)
    return rule


def sweep_hold_rule(tx: WriteTx, number: int, most: int) -> bool:
    """Look at some of the messages that were there before a rule, and put those that match on hold.

    Tells whether more wait to be looked at. How far it came stands in the rule, so a crash loses nothing.
    """
    key = tables.queued_key(QueueID(number))
    rule = tx.record(Table.HOLD_RULE, key, HoldRule)
    if rule is None or rule.swept >= rule.until:
        return False
    start, stop = tables.queued_key(QueueID(rule.swept + 1)), tables.queued_key(QueueID(rule.until + 1))
    some = [decode(QueuedMessage, value) for _, value in islice(tx.scan(Table.QUEUED, start, stop), most)]
    for one in some:
        if not one.hold and _matches(rule, one):
            one.hold = True
            update(tx, one)
    swept = some[-1].id if len(some) == most else rule.until
    tx.put_record(Table.HOLD_RULE, key, msgspec.structs.replace(rule, swept=swept))
    return swept < rule.until


def remove_hold_rule(tx: WriteTx, number: int) -> bool:
    """Remove a rule; what it held stays on hold. Tells whether it was there."""
    return tx.delete(Table.HOLD_RULE, tables.queued_key(QueueID(number)))


def hold_rules(tx: ReadTx) -> Iterator[HoldRule]:
    """All rules."""
    for _, value in tx.scan_prefix(Table.HOLD_RULE, b""):
        yield decode(HoldRule, value)


def _matches(rule: HoldRule, one: QueuedMessage) -> bool:
    return (
        rule.account in {None, one.account}
        and rule.sender_domain in {"", one.reverse_path.rpartition("@")[2]}
        and rule.recipient_domain in {"", one.recipient.rpartition("@")[2]}
    )


# How much an account sends.


def count_outgoing(tx: WriteTx, account: AccountID, recipients: Sequence[str]) -> Outgoing:
    """Count recipients of a submission; what the account sent in the last 24 hours, these included.

    Raise a Problem when that is too much, and nothing is kept of this. Rows are sums from the first of them on; where
    the clock was set back since, what was sent later than now counts as sent now.
    """
    first_time = 0
    for recipient in recipients:
        key = tables.outgoing_recipient_key(account, recipient)
        seen = tx.get(Table.OUTGOING_RECIPIENT, key)
        first = seen[:8] if seen is not None else tx.now.to_bytes(8, "big")
        first_time += seen is None
        tx.put(Table.OUTGOING_RECIPIENT, key, first + tx.now.to_bytes(8, "big"))
    prefix, since = tables.account_key(account), tables.outgoing_key(account, max(0, tx.now - DAY))
    newest = tx.last_before(Table.OUTGOING, tables.outgoing_key(account, 2**63), prefix)
    before = decode(Outgoing, newest[1]) if newest is not None else Outgoing(0, 0)
    counted_from = before if newest is None else None
    if newest is not None and newest[0] > tables.outgoing_key(account, tx.now):
        counted_from = _remove_ahead(tx, account)
    if counted_from is not None:
        tx.put_record(Table.OUTGOING, tables.outgoing_key(account, max(0, tx.now - DAY - 1)), counted_from)
    total = Outgoing(before.messages + len(recipients), before.first_time + first_time)
    tx.put_record(Table.OUTGOING, tables.outgoing_key(account, tx.now), total)
    old = [entry for _, entry in zip(range(_OLD_ROWS), tx.scan(Table.OUTGOING, prefix, since), strict=False)]
    base = tx.last_before(Table.OUTGOING, since, prefix)
    if base is None:
        base = next(tx.scan_prefix(Table.OUTGOING, prefix))
    for key, _ in old:
        if key != base[0]:  # The last one before the window is what the rest counts from.
            tx.delete(Table.OUTGOING, key)
    start = decode(Outgoing, base[1])
    return Outgoing(total.messages - start.messages, total.first_time - start.first_time)


def _remove_ahead(tx: WriteTx, account: AccountID) -> Outgoing | None:
    """Remove rows later than now, a day's at most; the first of them when no other is left to count from."""
    stop = tables.account_key(AccountID(account + 1))
    ahead = list(tx.scan(Table.OUTGOING, tables.outgoing_key(account, tx.now + 1), stop))
    for key, _ in ahead:
        tx.delete(Table.OUTGOING, key)
    if not ahead or next(tx.scan_prefix(Table.OUTGOING, tables.account_key(account)), None) is not None:
        return None
    return decode(Outgoing, ahead[0][1])


def has_written_to(tx: ReadTx, account: AccountID, recipient: str) -> bool:
    """Whether an account ever sent a message to an address."""
    return tx.get(Table.OUTGOING_RECIPIENT, tables.outgoing_recipient_key(account, recipient)) is not None


# Accounts that go.


def remove_account_part(tx: WriteTx, account: AccountID, limit: int) -> bool:
    """Remove a bounded number of an account's messages, queued and retired, and hold rules; whether all are gone."""
    mine = list(islice(of_account(tx, account), limit))
    for id in mine:
        one = get(tx, id)
        assert one is not None
        remove(tx, one, success=False, keep=0)
    prefix = tables.account_key(account)
    done = [key for key, _ in islice(tx.scan_prefix(Table.RETIRED_ACCOUNT, prefix), limit)]
    for key in done:
        _forget(tx, QueueID(int.from_bytes(key[4:], "big")))
    if mine or done:
        return False
    for rule in [rule for rule in hold_rules(tx) if rule.account == account]:
        remove_hold_rule(tx, rule.id)
    return True


# Invariants.


def verify(tx: ReadTx, accounts: set[AccountID]) -> tuple[list[str], list[BodyID]]:
    """What is wrong in the queue, in words, and the bodies its messages name."""
    found: list[str] = []
    named: list[BodyID] = []
    expected: dict[Table, dict[bytes, bytes]] = {
        table: {} for table in tables.QUEUE - {Table.QUEUED, Table.RETIRED, Table.HOLD_RULE}
    }
    next_id = int(tx.get(Table.META, _NEXT) or b"1")
    for key, value in tx.scan_prefix(Table.QUEUED, b""):
        one = decode(QueuedMessage, value)
        name = f"queued message {one.id}"
        named.append(one.body)
        if tables.queued_key(one.id) != key or not 0 < one.id < next_id or one.base_id > one.id:
            found.append(f"{name} has a wrong id")
        if one.account != NO_ACCOUNT and one.account not in accounts:
            found.append(f"{name} belongs to account {one.account}, which is unknown")
        if tx.get(Table.RETIRED, key) is not None:
            found.append(f"{name} is retired too")
        try:
            if bodies.size(tx, one.body) + len(one.prefix) != one.size:
                found.append(f"{name} is not {one.size} octets")
        except KeyError:
            found.append(f"{name} has no body")
        table, place = index(one)
        expected[table][place] = b""
        if one.base_id:
            expected[Table.QUEUED_BASE][tables.base_queued_key(one.base_id, one.id)] = b""
        expected[Table.QUEUED_ACCOUNT][tables.account_queued_key(one.account, one.id)] = b""
        if one.from_id:
            expected[Table.FROM_ID][tables.from_id_key(one.from_id)] = key
    for key, value in tx.scan_prefix(Table.RETIRED, b""):
        done = decode(RetiredMessage, value)
        if tables.queued_key(done.id) != key or not 0 < done.id < next_id:
            found.append(f"retired message {done.id} has a wrong id")
        if done.account != NO_ACCOUNT and done.account not in accounts:
            found.append(f"retired message {done.id} belongs to account {done.account}, which is unknown")
        for table, place in retired_indices(done):
            expected[table][place] = b""
        if done.from_id:
            expected[Table.FROM_ID][tables.from_id_key(done.from_id)] = key
    for table, entries in expected.items():
        if dict(tx.scan_prefix(table, b"")) != entries:
            found.append(f"index {table.value} differs from the queue")
    found += [
        f"hold rule {rule.id} is about account {rule.account}, which is unknown"
        for rule in hold_rules(tx)
        if rule.account is not None and rule.account not in accounts
    ]
    found += [f"hold rule {rule.id} was swept too far" for rule in hold_rules(tx) if rule.until >= next_id]
    for account in accounts:
        last = Outgoing(-1, 0)
        for _, value in tx.scan_prefix(Table.OUTGOING, tables.account_key(account)):
            row = decode(Outgoing, value)
            if row.messages <= last.messages or row.first_time < last.first_time or row.first_time > row.messages:
                found.append(f"outgoing messages of account {account} are miscounted")
            last = row
    return found, named
