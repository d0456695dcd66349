"""What follows from an attempt: the message leaves the queue or waits for the next one, and its sender is told.

An attempt at another host is written down before anything is said there, as one without a result: a crash never makes
us knock again at once. What it came to is written afterwards. If this process dies between the host's 250 and that, the
message goes twice; no protocol of mail can help that (RFC 1047).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from appliance.base.log import Log
from appliance.config.source import Config
from appliance.delivery import suppression
from appliance.delivery.appliance import Appliance
from appliance.delivery.place import Placement, place
from appliance.delivery.receive import Verdict
from appliance.mail.address import parse_path
from appliance.mail.dsn import Action
from appliance.mail.status import Status
from appliance.protocol.smtp.failure import Failure, Fault
from appliance.queue import notices, webhook
from appliance.queue.notices import Told
from appliance.queue.schedule import Schedule
from appliance.store import queued, submission
from appliance.store.problems import NoSuchAccount
from appliance.store.queuerecords import NO_RESULT, Attempt, QueuedMessage, Suppression
from appliance.store.spool import Spooled
from appliance.store.store import Store
from appliance.store.tables import NO_ACCOUNT, AccountID, QueueID
from appliance.store.transaction import ReadTx, WriteTx

if TYPE_CHECKING:
    # Verbs about the queue settle, too, and need not know how mail is handed over.
    from appliance.protocol.smtp.client import Outcome
    from appliance.queue.parcel import Handed

log = Log("queue")

#: What is remembered of messages of an account that is gone.
KEEP_ORPHANS_SECONDS: Final = 7 * 24 * 3600
#: Kept of a reply.
REPLY_CHARACTERS: Final = 500
#: Pauses double no further: attempts that never end may have been written down more often than the schedule has any.
LONGEST_PAUSE_ATTEMPTS: Final = 16
#: Addresses remembered of a host, and hosts: how often one was dialed matters for the second time only.
DIALED_ADDRESSES: Final = 4
DIALED_HOSTS: Final = 10


class Changed(Exception):
    """Somebody else changed a message during the attempt: nothing of the attempt counts."""


@dataclass(frozen=True, slots=True)
class Result:
    """What an attempt came to for one message."""

    success: bool
    permanent: bool
    #: 0: there was no reply.
    code: int
    status: Status
    text: str
    #: Somebody said so by SMTP; else these are words of ours about why nobody did.
    is_reply: bool = True
    #: The reply had no status: that is made of its code.
    made_up_status: bool = False
    #: The other host, and its address.
    remote_mta: str = ""
    #: It may tell something of the recipient's address; not what our own configuration or login is to blame for.
    is_of_recipient: bool = True
    #: Nobody was asked, since the recipient is on the suppression list.
    is_suppressed: bool = False


def of_verdict(verdict: Verdict) -> Result:
    """What delivery says of a recipient of ours."""
    return Result(verdict.code == 250, verdict.code >= 500, verdict.code, verdict.status, verdict.text)


def of_suppression(entry: Suppression) -> Result:
    """No attempt is made at an address on the account's suppression list."""
    day = datetime.fromtimestamp(entry.created / 1e6, UTC).date()
    why = f" ({entry.reason})" if entry.reason else ""
    text = f"not sent: {entry.base_address} is on the account's suppression list since {day}{why}"
    return Result(False, True, 0, Status(5, 7, 1), text, is_reply=False, is_of_recipient=False, is_suppressed=True)


def event(result: Result, *, ended: bool) -> str:
    """What happened to a message, in one word, as programs are told."""
    if result.success:
        return "delivered"
    if not ended:
        return "delayed"
    return "suppressed" if result.is_suppressed else "failed"


def of_outcome(outcome: "Outcome", handed: "Handed") -> Result:
    """What another host came to."""
    if isinstance(outcome, Failure):
        return Result(
            False,
            outcome.permanent,
            outcome.code,
            outcome.status,
            outcome.text,
            is_reply=outcome.remote,
            made_up_status=outcome.made_up_status,
            remote_mta=handed.remote_mta,
            is_of_recipient=outcome.fault is not Fault.LOGIN,
        )
    reply = outcome.reply
    text = " ".join(reply.text) if isinstance(reply.text, tuple) else reply.text
    status = reply.status or Status(2, 0, 0)
    return Result(True, False, reply.code, status, text, remote_mta=handed.remote_mta)


# Before an attempt at another host.


def begin(tx: WriteTx, group: Sequence[QueuedMessage], next_attempt: int) -> list[QueuedMessage]:
    """Write down that an attempt is made, and when the next one is if this one never ends. Raises Changed."""
    begun = []
    for one in group:
        unchanged(tx, one)
        attempt = Attempt(tx.now, text=NO_RESULT)
        changed = msgspec.structs.replace(
            one,
            attempts=one.attempts + 1,
            last_attempt=tx.now,
            next_attempt=next_attempt,
            results=(*one.results, attempt),
        )
        queued.update(tx, changed, one)
        begun.append(changed)
    return begun


def take_back(tx: WriteTx, group: Sequence[tuple[QueuedMessage, QueuedMessage]]) -> None:
    """An attempt at these was written down and not made: before it, and with it. They are due again at once."""
    for before, begun in group:
        current = queued.get(tx, begun.id)
        if current is None or current.attempts != begun.attempts:
            continue
        postponed = current.next_attempt != begun.next_attempt
        one = msgspec.structs.replace(
            current,
            attempts=before.attempts,
            last_attempt=before.last_attempt,
            next_attempt=current.next_attempt if postponed else tx.now,
            results=before.results,
        )
        queued.update(tx, one)


def unchanged(tx: ReadTx, one: QueuedMessage) -> None:
    """Raises Changed: what was delivered, dropped or put on hold meanwhile must not be delivered again."""
    if queued.get(tx, one.id) != one:
        raise Changed


# After it.


def attempted(
    one: QueuedMessage, result: Result, began: int, now: int, handed: "Handed | None" = None
) -> QueuedMessage:
    """The message after an attempt, whether or not that was written down before."""
    text = result.text[:REPLY_CHARACTERS]
    attempt = Attempt(began, max(0, now - began), result.success, result.code, str(result.status), text)
    if one.results and one.results[-1].text == NO_RESULT and one.last_attempt >= began:
        return msgspec.structs.replace(
            one, results=(*one.results[:-1], attempt), dialed_ips=_dialed(one, handed) if handed else one.dialed_ips
        )
    return msgspec.structs.replace(one, attempts=one.attempts + 1, last_attempt=began, results=(*one.results, attempt))


def _dialed(one: QueuedMessage, handed: "Handed") -> dict[str, tuple[str, ...]]:
    dialed = dict(one.dialed_ips)
    for host, address in handed.dialed:
        dialed[host] = (*dialed.pop(host, ()), str(address))[-DIALED_ADDRESSES:]
    return dict(list(dialed.items())[-DIALED_HOSTS:])


def done(
    tx: WriteTx, config: Config, one: QueuedMessage, current: QueuedMessage | None = None, *, success: bool
) -> None:
    """Take a message out of the queue. `current`: as it stands there, where that was read in this transaction."""
    queued.remove(tx, one, current, success=success, keep=_keep(tx, config, one.account))


@dataclass(frozen=True, slots=True)
class Settlement:
    """What is to be written down about messages that were attempted; the same again does no harm."""

    #: As they were when the attempt was over, with what it came to.
    after: Sequence[QueuedMessage]
    results: Sequence[Result]
    ended: frozenset[int]
    notices: Sequence[Placement]
    #: Their records as they must be found, where others may not have touched them.
    before: Sequence[QueuedMessage] | None
    #: A forwarded message that failed, for who kept none.
    given_back: Placement | None = None


async def success(
    app: Appliance, config: Config, tried: Sequence[QueuedMessage], results: Sequence[Result], spooled: Spooled | None
) -> Settlement:
    """Another host has taken these. With `spooled`, senders who want to know hear it from us (RFC 3461 §5.2.2)."""
    told = [
        Told(one, Action.RELAYED, result.code, Status(2, 0, 0), "", remote_mta=result.remote_mta)
        for one, result in zip(tried, results, strict=True)
        if spooled is not None and one.wants("SUCCESS")
    ]
    notice = await notices.placement(app, config, told, spooled) if told and spooled is not None else None
    ended = frozenset(one.id for one in tried)
    return Settlement(tried, results, ended, [] if notice is None else [notice], None)


async def failure(
    app: Appliance,
    config: Config,
    schedule: Schedule,
    tried: Sequence[QueuedMessage],
    results: Sequence[Result],
    spooled: Spooled,
    *,
    before: Sequence[QueuedMessage] | None = None,
) -> Settlement:
    """Each is tried again later, or its sender hears that it is not.

    With `before`, when the next attempt comes is said here; it was written down before the attempt otherwise.
    """
    now = app.clock.microseconds()
    ended: list[QueuedMessage] = []
    told: dict[Action, list[Told]] = {Action.FAILED: [], Action.DELAYED: []}
    for one, result in zip(tried, results, strict=True):
        final = result.permanent or one.attempts >= schedule.last(one.max_attempts)
        tell = partial(
            Told,
            one,
            code=result.code,
            status=result.status,
            text=result.text,
            is_reply=result.is_reply,
            made_up_status=result.made_up_status,
            remote_mta=result.remote_mta,
        )
        if final:
            ended.append(one)
            if one.is_dmarc_report:
                notices.failed_reports.inc()
            if one.wants("FAILURE"):
                told[Action.FAILED].append(tell(action=Action.FAILED))
            continue
        if before is not None:
            one.next_attempt = now + pause(app, schedule, one.attempts)
        is_report = one.is_dmarc_report or one.is_tls_report
        if one.attempts == schedule.delay_notice_attempts and one.wants("DELAY") and not is_report:
            until = now / 1e6 + schedule.remaining_seconds(one.attempts, one.max_attempts)
            told[Action.DELAYED].append(
                tell(action=Action.DELAYED, will_retry_until=datetime.fromtimestamp(until, UTC))
            )
    prepared = [await notices.placement(app, config, some, spooled) for some in told.values() if some]
    return Settlement(
        tried,
        results,
        frozenset(one.id for one in ended),
        [one for one in prepared if one is not None],
        before,
        await notices.given_back(app, config, ended, spooled),
    )


def pause(app: Appliance, schedule: Schedule, attempts: int) -> int:
    """Microseconds until the next attempt, after so many."""
    chance = int.from_bytes(app.random.token_bytes(2), "big") / 0xFFFF
    return int(schedule.pause_seconds(min(max(1, attempts), LONGEST_PAUSE_ATTEMPTS), chance) * 1e6)


def write(tx: WriteTx, config: Config, store: Store, settlement: Settlement) -> frozenset[int]:
    """Write it down; the messages whose recipients are suppressed from now on. Raises Changed.

    Of a message that was put on hold or postponed during an attempt at another host, that stays; one that was dropped
    is gone. What the host said cannot be undone.
    """
    for one in settlement.before or ():
        unchanged(tx, one)
    # First: what ends takes its content with it.
    if settlement.given_back is not None:
        found = (queued.get(tx, QueueID(id)) for id in sorted(settlement.ended))
        give_back(tx, store, settlement.given_back, [one for one in found if one is not None])
    there = {one.id: current for one in settlement.after if (current := queued.get(tx, one.id)) is not None}
    suppressing = set()
    for one, result in zip(settlement.after, settlement.results, strict=True):
        current = there.get(one.id)
        if current is None:
            continue
        if settlement.before is None:
            one = msgspec.structs.replace(current, results=one.results, dialed_ips=one.dialed_ips)
        if one.id in settlement.ended:
            if not result.success and _suppresses(tx, config, one, result):
                suppressing.add(one.id)
            done(tx, config, one, current, success=result.success)
        else:
            queued.update(tx, one, current)
        what = event(result, ended=one.id in settlement.ended)
        webhook.settled(tx, config, one, result, what, suppressing=one.id in suppressing)
    for notice in settlement.notices if there else ():
        put_notice(tx, store, notice, settlement.after)
    return frozenset(suppressing)


def give_back(tx: WriteTx, store: Store, message: Placement, ended: Iterable[QueuedMessage]) -> None:
    """Put a forwarded message into the mailbox of who kept none, before the last of `ended` leaves the queue; once.

    Copies for other addresses may be under way: when they fail, too, it is there.
    """
    lacking = [one for one in ended if one.is_only_copy]
    if not lacking:
        return
    put_notice(tx, store, message, ())
    for id in {id for one in lacking if one.base_id for id in queued.of_base(tx, one.base_id)}:
        other = queued.get(tx, id)
        assert other is not None
        queued.update(tx, msgspec.structs.replace(other, is_only_copy=False))


def _suppresses(tx: WriteTx, config: Config, one: QueuedMessage, result: Result) -> bool:
    """A message has failed for good: put its recipient on the account's list if that calls for it; whether it did."""
    # What others refuse of forwarded mail tells of the mail: the account wants all the rest to arrive there still.
    # Who is answered may have been made up.
    if not result.is_of_recipient or one.forwarded_by or one.is_automatic:
        return False
    return suppression.note(
        tx,
        config,
        one,
        parse_path(f"<{one.recipient}>".encode(), smtputf8=True),
        code=result.code,
        status=result.status,
        is_reply=result.is_reply,
        text=result.text,
    )


def put_notice(tx: WriteTx, store: Store, notice: Placement, about: Iterable[QueuedMessage]) -> None:
    """Place a notice, in the transaction that ends what it tells of."""
    placed = place(tx, notice, store.limits.mailbox)
    if placed.added is None:
        raise NoSuchAccount("nobody is there to get a notice")
    for id in {one.submission for one in about if one.submission and one.account == notice.account}:
        submission.noticed(tx, notice.account, id, placed.added.id)


def tell(
    tried: Iterable[QueuedMessage],
    results: Iterable[Result],
    ended: frozenset[int],
    suppressing: frozenset[int] = frozenset(),
) -> None:
    """A line in the log for each."""
    for one, result in zip(tried, results, strict=True):
        if result.success:
            log.info(
                "delivered",
                queued=one.id,
                recipient=one.recipient,
                attempts=one.attempts,
                remote=result.remote_mta or None,
                reply=f"{result.code} {result.text}"[:REPLY_CHARACTERS] if result.remote_mta else None,
            )
            continue
        log.info(
            "not delivered" if one.id in ended else "not delivered yet",
            queued=one.id,
            recipient=one.recipient,
            event=event(result, ended=one.id in ended),
            suppressing=one.id in suppressing or None,
            attempts=one.attempts,
            remote=result.remote_mta or None,
            code=result.code,
            status=str(result.status),
            text=result.text[:REPLY_CHARACTERS],
        )


def _keep(tx: ReadTx, config: Config, account: AccountID) -> int:
    """Microseconds for which a message is remembered."""
    settings = config.domains.accounts.get(account_name(tx, account))
    if settings is None:
        return KEEP_ORPHANS_SECONDS * 1_000_000
    period = settings.keep_retired_message_period
    return 0 if period is None else int(period.seconds * 1e6)


def account_name(tx: ReadTx, account: AccountID) -> str:
    """The name of an account; empty for one that is gone."""
    try:
        return "" if account == NO_ACCOUNT else tx.account(account).name
    except NoSuchAccount:
        return ""
