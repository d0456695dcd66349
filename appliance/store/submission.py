"""What is remembered of messages that were submitted by JMAP: EmailSubmission of RFC 8621 §7.

Written with the queue's entries and by what changes these, in the same transactions (store/queued.py), so that it is
right beside any attempt. States are numbers of the account's own counter. Of submissions that were removed nothing is
kept but up to which state there were any: who asks about changes since before that looks at all again.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final, NamedTuple

import msgspec

from appliance.base import limits
from appliance.store import tables
from appliance.store.queuerecords import Attempt
from appliance.store.tables import AccountID, MessageID, QueueID, SubmissionID, Table
from appliance.store.transaction import ReadTx, WriteTx, decode
from appliance.store.webrecords import Submission, SubmissionRecipient, SubmissionState

#: Microseconds.
KEPT: Final = limits.SUBMISSION_DAYS * 24 * 3600 * 1_000_000
#: Old ones removed with each new one; more than come in, so that they never pile up.
_OLD: Final = 4
_NO_STATE: Final = SubmissionState()
#: What is told of a recipient whose message was taken back.
CANCELED: Final = "canceled by its sender before delivery"


class NewSubmission(NamedTuple):
    """One that begins."""

    identity: str
    message: MessageID
    thread: MessageID
    mail_from: str
    mail_parameters: Mapping[str, str | None]
    #: By address.
    parameters: Mapping[str, Mapping[str, str | None]]


def singletons(tx: ReadTx, account: AccountID) -> SubmissionState:
    """Counters of an account."""
    return tx.record(Table.SUBMISSION_STATE, tables.account_key(account), SubmissionState) or _NO_STATE


def begin(tx: WriteTx, account: AccountID) -> SubmissionID:
    """The number of the next one."""
    known = singletons(tx, account)
    new = msgspec.structs.replace(known, next=known.next + 1)
    tx.put_record(Table.SUBMISSION_STATE, tables.account_key(account), new)
    return SubmissionID(known.next)


def add(
    tx: WriteTx,
    account: AccountID,
    id: SubmissionID,
    new: NewSubmission,
    recipients: Sequence[tuple[QueueID, str]],
    send_at: int,
) -> Submission:
    """Remember it, beside its entries in the queue: their ids and whom they are for."""
    _forget_old(tx)
    until = send_at + KEPT
    one = Submission(
        id,
        new.identity,
        new.message,
        new.thread,
        tx.now,
        send_at,
        new.mail_from,
        dict(new.mail_parameters),
        until,
    )
    for queued, email in recipients:
        told = SubmissionRecipient(queued, email, dict(new.parameters.get(email, {})))
        tx.put_record(Table.SUBMISSION_RECIPIENT, tables.submission_recipient_key(account, id, queued), told)
    tx.put(Table.SUBMISSION_UNTIL, tables.submission_until_key(until, account, id), b"")
    return _put(tx, account, one)


def _put(tx: WriteTx, account: AccountID, one: Submission) -> Submission:
    """Write it, as changed now."""
    known = singletons(tx, account)
    state = known.state + 1
    tx.put_record(Table.SUBMISSION_STATE, tables.account_key(account), msgspec.structs.replace(known, state=state))
    if one.state:
        tx.delete(Table.SUBMISSION_CHANGED, tables.submission_changed_key(account, one.state, one.id))
    one = msgspec.structs.replace(one, state=state, create_state=one.create_state or state)
    tx.put_record(Table.SUBMISSION, tables.submission_key(account, one.id), one)
    tx.put(Table.SUBMISSION_CHANGED, tables.submission_changed_key(account, state, one.id), b"")
    return one


def find(tx: ReadTx, account: AccountID, id: SubmissionID) -> Submission | None:
    """One of an account."""
    return tx.record(Table.SUBMISSION, tables.submission_key(account, id), Submission)


def recipients(tx: ReadTx, account: AccountID, id: SubmissionID) -> list[SubmissionRecipient]:
    """Whom it is for, in their order."""
    found = tx.scan_prefix(Table.SUBMISSION_RECIPIENT, tables.submission_key(account, id))
    return [decode(SubmissionRecipient, value) for _, value in found]


def all_of(tx: ReadTx, account: AccountID) -> Iterator[Submission]:
    """All of an account, oldest first."""
    for _, value in tx.scan_prefix(Table.SUBMISSION, tables.account_key(account)):
        yield decode(Submission, value)


def changed_since(tx: ReadTx, account: AccountID, state: int) -> Iterator[Submission]:
    """Those changed after a state, oldest change first."""
    start = tables.submission_changed_key(account, state + 1, SubmissionID(0))
    for key, _ in tx.scan(Table.SUBMISSION_CHANGED, start, tables.account_key(AccountID(account + 1))):
        one = find(tx, account, SubmissionID(int.from_bytes(key[12:], "big")))
        assert one is not None
        yield one


# What changes one.


def progressed(tx: WriteTx, account: AccountID, id: SubmissionID, queued: QueueID, result: Attempt | None) -> None:
    """An attempt at a recipient began (None), or came to something that is not the end."""
    _tell(tx, account, id, queued, result, "queued")


def ended(
    tx: WriteTx, account: AccountID, id: SubmissionID, queued: QueueID, result: Attempt | None, delivered: str
) -> None:
    """The queue is done with a recipient: `yes` for one of ours who has it, `unknown` for one of others, `no`."""
    _tell(tx, account, id, queued, result, delivered)


def heard(
    tx: WriteTx, account: AccountID, id: SubmissionID, queued: QueueID, result: Attempt, delivered: str | None
) -> None:
    """A notice of another server about a recipient; `delivered`: None where it does not say."""
    _tell(tx, account, id, queued, result, delivered)


def _tell(
    tx: WriteTx,
    account: AccountID,
    id: SubmissionID,
    queued: QueueID,
    result: Attempt | None,
    delivered: str | None,
) -> None:
    one = find(tx, account, id)
    key = tables.submission_recipient_key(account, id, queued)
    old = tx.record(Table.SUBMISSION_RECIPIENT, key, SubmissionRecipient)
    if one is None or old is None or one.canceled:
        return
    new = msgspec.structs.replace(old, delivered=old.delivered if delivered is None else delivered)
    if result is not None:
        new = msgspec.structs.replace(new, reply=reply(result, is_last=delivered == "no"))
    if new != old:
        tx.put_record(Table.SUBMISSION_RECIPIENT, key, new)
    if new != old or not one.begun:
        _put(tx, account, msgspec.structs.replace(one, begun=True))


def reply(result: Attempt, *, is_last: bool) -> str:
    """The last word on a recipient as RFC 8621 §7 has it: a code, an enhanced code, a text."""
    code = result.code or (250 if result.success else 550 if is_last else 451)
    status = result.status or f"{code // 100}.0.0"
    return f"{code} {status} {result.text}".strip()


def cancel(tx: WriteTx, account: AccountID, one: Submission) -> None:
    """It was taken back: its entries are out of the queue."""
    for told in recipients(tx, account, one.id):
        key = tables.submission_recipient_key(account, one.id, told.queued)
        tx.put_record(
            Table.SUBMISSION_RECIPIENT,
            key,
            msgspec.structs.replace(told, reply=f"550 5.7.0 {CANCELED}", delivered="no"),
        )
    _put(tx, account, msgspec.structs.replace(one, canceled=True))


def noticed(tx: WriteTx, account: AccountID, id: SubmissionID, notice: MessageID) -> None:
    """A notice about it was placed."""
    one = find(tx, account, id)
    if one is not None and notice not in one.notices:
        kept = (*one.notices, notice)[-limits.SUBMISSION_NOTICES :]
        _put(tx, account, msgspec.structs.replace(one, notices=kept))


def of_messages(tx: ReadTx, account: AccountID, messages: Collection[MessageID]) -> SubmissionID | None:
    """The latest submission of any of these messages. Looks at all of the account's: in a thread."""
    return max((one.id for one in all_of(tx, account) if one.message in messages), default=None)


def answered(tx: WriteTx, account: AccountID, id: SubmissionID, answer: MessageID, displayed: Collection[str]) -> None:
    """What a reader's program said was placed. `displayed`: to whom, of its recipients, it was shown."""
    one = find(tx, account, id)
    if one is None or answer in one.answers:
        return
    shown = {email.lower() for email in displayed}
    for told in recipients(tx, account, id):
        if told.email.lower() in shown and not told.displayed:
            key = tables.submission_recipient_key(account, id, told.queued)
            tx.put_record(Table.SUBMISSION_RECIPIENT, key, msgspec.structs.replace(told, displayed=True))
    kept = (*one.answers, answer)[-limits.SUBMISSION_NOTICES :]
    _put(tx, account, msgspec.structs.replace(one, answers=kept))


def remove(tx: WriteTx, account: AccountID, id: SubmissionID) -> bool:
    """Forget one; deliveries go on. Whether it was there."""
    one = find(tx, account, id)
    if one is None:
        return False
    for key, _ in list(tx.scan_prefix(Table.SUBMISSION_RECIPIENT, tables.submission_key(account, id))):
        tx.delete(Table.SUBMISSION_RECIPIENT, key)
    tx.delete(Table.SUBMISSION, tables.submission_key(account, id))
    tx.delete(Table.SUBMISSION_CHANGED, tables.submission_changed_key(account, one.state, id))
    tx.delete(Table.SUBMISSION_UNTIL, tables.submission_until_key(one.until, account, id))
    known = singletons(tx, account)
    state = known.state + 1
    new = msgspec.structs.replace(known, state=state, forgotten=state)
    tx.put_record(Table.SUBMISSION_STATE, tables.account_key(account), new)
    return True


def _forget_old(tx: WriteTx) -> None:
    stop = tx.now.to_bytes(8, "big")
    for key, _ in list(islice(tx.scan(Table.SUBMISSION_UNTIL, b"", stop), _OLD)):
        remove(tx, AccountID(int.from_bytes(key[8:12], "big")), SubmissionID(int.from_bytes(key[12:], "big")))


def remove_account_part(tx: WriteTx, account: AccountID, limit: int) -> bool:
    """Forget a bounded number of an account's; whether all are gone."""
    some = [one.id for one in islice(all_of(tx, account), limit)]
    for id in some:
        remove(tx, account, id)
    return not some


def verify(tx: ReadTx, account: AccountID) -> tuple[list[str], set[bytes]]:
    """What is wrong in an account's, in words, and the places that SUBMISSION_UNTIL must have for them."""
    found: list[str] = []
    known = singletons(tx, account)
    changed, until, ids = set(), set(), set()
    for one in all_of(tx, account):
        if not 0 < one.id < known.next or not 0 < one.create_state <= one.state <= known.state:
            found.append(f"submission {one.id} has a number or state out of order")
        ids.add(one.id)
        changed.add(tables.submission_changed_key(account, one.state, one.id))
        until.add(tables.submission_until_key(one.until, account, one.id))
    prefix = tables.account_key(account)
    if {key for key, _ in tx.scan_prefix(Table.SUBMISSION_CHANGED, prefix)} != changed:
        found.append("index submission_changed differs from the submissions")
    for key, value in tx.scan_prefix(Table.SUBMISSION_RECIPIENT, prefix):
        told = decode(SubmissionRecipient, value)
        id = SubmissionID(int.from_bytes(key[4:12], "big"))
        if id not in ids or tables.submission_recipient_key(account, id, told.queued) != key:
            found.append(f"a recipient of submission {id} is in the wrong place")
    if known.forgotten > known.state:
        found.append("submissions were forgotten in the future")
    return found, until


def verify_until(tx: ReadTx, expected: set[bytes]) -> Iterator[str]:
    """What is wrong in when submissions are forgotten."""
    if {key for key, _ in tx.scan_prefix(Table.SUBMISSION_UNTIL, b"")} != expected:
        yield "index submission_until differs from the submissions"
