"""Mail from other servers, once its message is here: judged, stored, answered (RFC 5321 §4.1.1.4, §6.1)."""

import re
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Final

import trio

from appliance.base.limits import HEADER
from appliance.delivery import receive as delivery
from appliance.delivery.copies import AliasRecipient, Recipient
from appliance.delivery.envelope import Envelope, Stranger
from appliance.delivery.receive import Verdict
from appliance.mail.address import Path
from appliance.mail.domain import Domain, parse_domain
from appliance.mail.dsn import Action
from appliance.mail.received import Received
from appliance.mail.scan import HEADER_TOO_LARGE
from appliance.mail.status import Status
from appliance.msgauth import check as checks
from appliance.msgauth.client import Client
from appliance.msgauth.results import AuthStatus
from appliance.operations import addresses, bounces, returning
from appliance.operations.bounces import Outcome
from appliance.protocol.smtp.reply import Reply
from appliance.protocol.smtp.settings import Kind
from appliance.queue import notices
from appliance.servers.smtp import refusing, replies, simulated
from appliance.store.spool import Spooled
from appliance.store.transaction import WriteTx

if TYPE_CHECKING:
    from appliance.servers.smtp.session import Session, Transaction

#: A message that came by so many hosts goes in circles (RFC 5321 §6.3).
HOPS: Final = 100
_FIELD: Final = re.compile(rb"^[^ \t\r\n]", re.MULTILINE)
_RECEIVED: Final = re.compile(rb"^received[ \t]*+:", re.IGNORECASE | re.MULTILINE)


async def process(session: "Session", transaction: "Transaction", spooled: Spooled) -> Reply:
    """The single reply to the message. Whoever is told 250 has it on the disk."""
    return fold(transaction, await judge(session, transaction, spooled))


async def judge(session: "Session", transaction: "Transaction", spooled: Spooled) -> list[Reply]:
    """The reply to each recipient, in the order of RCPT: what LMTP says (RFC 2033 §4.2) and SMTP folds into one."""

    def settle(tx: WriteTx, verdicts: "Sequence[Verdict]") -> None:
        _tell_sender(session, transaction, spooled, tx, _each(transaction, verdicts), hears_of_success=hears_of_success)

    refusal = await _refusal(session, transaction, spooled)
    if refusal is not None:
        refusing.note(session, "data", refusal, sender=transaction.mail.path, recipients=_paths(transaction))
        return [refusal] * len(transaction.recipients)
    first = transaction.recipients[0][1]
    if isinstance(first, addresses.Returning):  # It stands alone.
        return [await _pass_on(session, transaction, first, spooled)]
    local = [one.recipient for _, one in transaction.recipients if isinstance(one, addresses.Local)]
    placed: list[Verdict] = []
    if local:
        hears_of_success = await _hears_of_success(session, transaction)
        envelope = _envelope(session, transaction, local)
        placed = await delivery.receive(session.app, envelope, spooled, settle=settle)
    else:
        # Slowly: whoever guesses addresses shall not guess many (RFC 5321 §7.3).
        with trio.move_on_after(session.door.limits.unknown_seconds):
            await session.app.shutdown.wait()
        delivery.deliveries.labels("unknownuser", "").inc()
    unknown = [path for path, one in transaction.recipients if not isinstance(one, addresses.Local)]
    if unknown:
        refusing.note(session, "data", replies.UNKNOWN_RECIPIENTS, sender=transaction.mail.path, recipients=unknown)
    each = _each(transaction, placed)
    if any(one.is_rejection for one in placed):
        session.slow_down()
    outcomes = {reply.code < 300 for reply in each}
    if local and session.door.protocol.kind is Kind.DELIVERY and len(outcomes) == 1:
        return each  # Delivery has said in the log how it judged, and a refusal of all is told by the session.
    told = [(path, reply) for (path, _), reply in zip(transaction.recipients, each, strict=True)]
    session.log.info(
        "message received" if local else "message for unknown recipients",
        mailfrom=str(transaction.mail.path),
        size=spooled.size,
        recipients=[str(path) for path, reply in told if reply.code == 250],
        failed=[f"{path} {reply.code} {reply.status}" for path, reply in told if reply.code != 250] or None,
    )
    return each


async def _pass_on(session: "Session", transaction: "Transaction", to: addresses.Returning, spooled: Spooled) -> Reply:
    """A notice about a forwarded message, for its sender."""
    mail, (path, _) = transaction.mail, transaction.recipients[0]
    trace = _trace(session, transaction, session.app.clock.now())
    try:
        queued = await returning.pass_on(
            session.app, session.config, to, spooled, trace=trace, rcpt=path.ascii, requiretls=mail.requiretls
        )
    except returning.NoSuchReturnPath:
        refusing.note(session, "data", replies.UNKNOWN_RECIPIENTS, sender=mail.path, recipients=[path])
        return replies.UNKNOWN_RECIPIENTS
    session.log.info("notice about forwarded mail goes on", rcptto=str(path), to=str(to.returns_to), queued=queued)
    return replies.QUEUED


async def is_vouched_for(session: "Session", transaction: "Transaction") -> bool:
    """Whether SPF lets the client use the sender's domain. Asked once in a transaction, when it matters first."""
    if transaction.spf is None:
        resolver = session.app.resolver.named("spf")
        transaction.spf = await checks.check_spf(resolver, client(session, transaction), session.log)
    return transaction.spf.status is AuthStatus.PASS


async def _hears_of_success(session: "Session", transaction: "Transaction") -> bool:
    """Whether the sender gets the notices of success it asked for.

    Strict: RFC 3461 §5.2.3 owes them to all. A sender whom SPF does not vouch for gets none, as they may go to somebody
    who never wrote to us (RFC 3834 §2, RFC 7208 §2.5). Clients of LMTP are known, and have looked at their senders.
    """
    asks = not transaction.mail.path.is_null and any("SUCCESS" in (one.notify or ()) for one in transaction.asked)
    if not asks or session.door.protocol.lmtp:
        return asks
    return await session.app.shutdown.unless_requested(partial(is_vouched_for, session, transaction), False)


def client(session: "Session", transaction: "Transaction") -> Client:
    """What is known of the client, for the checks of the sender."""
    return Client(
        remote_ip=session.connection.remote,
        helo=session.helo,
        reverse_path=transaction.mail.path,
        hostname=session.door.protocol.hostname,
    )


async def _refusal(session: "Session", transaction: "Transaction", spooled: Spooled) -> Reply | None:
    """What speaks against the message whoever gets it."""
    for path, _ in transaction.recipients:
        failing = await simulated.failure(session, path, "data")
        if failing is not None:
            return failing
    if HEADER_TOO_LARGE in spooled.scanned.defects or _has_too_many_fields(spooled.scanned.header):
        return replies.HEADER_TOO_LARGE
    if len(_RECEIVED.findall(spooled.scanned.header)) > HOPS:
        return replies.LOOP
    return None


def _has_too_many_fields(head: bytes) -> bool:
    """Whether a part of the header would go unread: a second From may stand there, or one that DMARC never sees."""
    return head.count(b"\n") > HEADER.fields and len(_FIELD.findall(head)) > HEADER.fields


def _reply(verdict: Verdict) -> Reply:
    return replies.DELIVERED if verdict.code == 250 else Reply(verdict.code, verdict.status, verdict.text)


def _each(transaction: "Transaction", verdicts: Sequence[Verdict]) -> list[Reply]:
    """The reply to each recipient, given the verdicts about those who are ours."""
    rest = iter(verdicts)
    return [
        _reply(next(rest)) if isinstance(one, addresses.Local) else replies.UNKNOWN_RECIPIENTS
        for _, one in transaction.recipients
    ]


def _tell_sender(
    session: "Session",
    transaction: "Transaction",
    spooled: Spooled,
    tx: WriteTx,
    each: Sequence[Reply],
    *,
    hears_of_success: bool,
) -> None:
    """Queue notices of what our reply does not say: who has the message, who lacks it though we say 250.

    Of the latter there are none for a sender whom SPF does not vouch for, as it may name one recipient only.
    """
    if all(reply.code == 250 and asked.notify is None for asked, reply in zip(transaction.asked, each, strict=True)):
        return  # The usual case: nothing to tell.
    outcomes = []
    for (path, where), asked, reply in zip(transaction.recipients, transaction.asked, each, strict=True):
        action = Action.FAILED
        if reply.code == 250 and isinstance(where, addresses.Local):
            action = notices.success(where.recipient)
        elif session.door.protocol.lmtp:
            continue  # Whoever handed it over was told, and tells its sender.
        status = reply.status or Status(5, 0, 0)
        outcomes.append(Outcome(path, action, reply.code, status, str(reply.text), asked.notify, asked.orcpt))
    if all(one.action is Action.FAILED for one in outcomes):
        return  # Our reply says so.
    outcomes = [one for one in outcomes if hears_of_success or one.action is Action.FAILED]
    message = bounces.Received(
        reverse_path=transaction.mail.path,
        spooled=spooled,
        arrived=session.app.clock.now(),
        smtputf8=transaction.mail.smtputf8,
        requiretls=transaction.mail.requiretls,
        ret=transaction.mail.ret,
        envid=transaction.mail.envid,
    )
    bounces.queue(tx, session.app, session.config, message, outcomes)


def fold(transaction: "Transaction", each: Sequence[Reply]) -> Reply:
    """The replies to the recipients as the single reply to DATA (RFC 5321 §4.1.1.4).

    250 when anybody has the message; the failure they have in common; or a line for each recipient.
    """
    first = next((one for one in each if one.code < 300), each[0])
    if first.code < 300 or len({(one.code, one.status) for one in each}) == 1:
        return first
    code = 554 if any(one.code >= 500 for one in each) else 451
    paths = [path.ascii for path in _paths(transaction)]
    lines = tuple(f"{path}: {one.code} {one.status} {one.text}" for path, one in zip(paths, each, strict=True))
    return Reply(code, Status(code // 100, 3, 0), lines)


def _paths(transaction: "Transaction") -> list[Path]:
    return [path for path, _ in transaction.recipients]


def _envelope(
    session: "Session", transaction: "Transaction", recipients: Sequence[Recipient | AliasRecipient]
) -> Envelope:
    connection = session.connection
    settings = session.door.protocol
    now = session.app.clock.now()
    tls = connection.tls
    return Envelope(
        reverse_path=transaction.mail.path,
        recipients=recipients,
        remote_ip=connection.remote,
        ehlo=_ehlo(session),
        trace=_trace(session, transaction, now),
        arrived=now,
        tls_version=tls.version if tls else None,
        tls_cipher=tls.cipher if tls else "",
        requiretls=transaction.mail.requiretls,
        addresses=session.config.derived.addresses,
        stranger=_stranger(session, transaction) if settings.kind is Kind.DELIVERY else None,
        smtputf8=transaction.smtputf8,
    )


def _ehlo(session: "Session") -> str:
    """What the client calls itself."""
    return (
        session.helo.ascii
        if isinstance(session.helo, Domain)
        else str(session.helo or f"[{session.connection.remote}]")
    )


def _trace(session: "Session", transaction: "Transaction", now: datetime) -> Received:
    """The Received field, all but its recipient."""
    connection, settings = session.connection, session.door.protocol
    tls = connection.tls
    return Received(
        helo=_ehlo(session),
        remote_ip=connection.remote,
        hostname=settings.hostname,
        local_ip=connection.local,
        protocol=session.trace_word(smtputf8=transaction.smtputf8),
        id=session.received_id,
        tls=f"{tls.version} {tls.cipher}" if tls else "",
        requiretls=transaction.mail.requiretls,
        when=now,
        helo_unicode=session.helo.unicode if transaction.smtputf8 and isinstance(session.helo, Domain) else "",
        hostname_unicode=parse_domain(settings.hostname).unicode if transaction.smtputf8 else "",
    )


def _stranger(session: "Session", transaction: "Transaction") -> Stranger:
    """Who must be judged. The clients of LMTP have judged before, and know the host that we do not see."""
    return Stranger(
        client=client(session, transaction),
        spf=transaction.spf,
        blocklists=session.door.blocklists,
        delay_seconds=session.door.first_time_delay_seconds,
        log=session.log,
    )
