"""Mail from other servers, once its message is here: judged, stored, answered (RFC 5321 §4.1.1.4, §6.1)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import trio

from appliance.delivery import receive as delivery
from appliance.delivery.copies import AliasRecipient, Recipient
from appliance.delivery.receive import Envelope, Verdict
from appliance.mail.address import Path
from appliance.mail.domain import Domain
from appliance.mail.received import Received
from appliance.mail.scan import HEADER_TOO_LARGE
from appliance.mail.status import Status
from appliance.operations import addresses
from appliance.protocol.smtp.reply import Reply
from appliance.servers.smtp import replies, simulated
from appliance.store.spool import Spooled

if TYPE_CHECKING:
    from appliance.servers.smtp.session import Session, Transaction

#: A message that came by so many hosts goes in circles (RFC 5321 §6.3).
HOPS: Final = 100


async def process(session: "Session", transaction: "Transaction", spooled: Spooled) -> Reply:
    """The single reply to the message. Whoever is told 250 has it on the disk."""
    each = await judge(session, transaction, spooled)
    failed = [(path, reply) for (path, _), reply in zip(transaction.recipients, each, strict=True) if reply.code >= 400]
    if failed and len(failed) < len(each):
        await _tell_sender(session, transaction, failed)
    return fold(transaction, each)


async def judge(session: "Session", transaction: "Transaction", spooled: Spooled) -> list[Reply]:
    """The reply to each recipient, in the order of RCPT: what LMTP says (RFC 2033 §4.2) and SMTP folds into one."""
    refusal = await _refusal(session, transaction, spooled)
    if refusal is not None:
        return [refusal] * len(transaction.recipients)
    local = [one.recipient for _, one in transaction.recipients if isinstance(one, addresses.Local)]
    placed: list[Verdict] = []
    if local:
        placed = await delivery.receive(session.app, _envelope(session, transaction, local), spooled)
    else:
        # Slowly: whoever guesses addresses shall not guess many (RFC 5321 §7.3).
        with trio.move_on_after(session.door.limits.unknown_seconds):
            await session.app.shutdown.wait()
        delivery.deliveries.labels("unknownuser", "").inc()
    verdicts = iter(placed)
    each = [
        _reply(next(verdicts)) if isinstance(one, addresses.Local) else replies.UNKNOWN_RECIPIENTS
        for _, one in transaction.recipients
    ]
    told = [(path, reply) for (path, _), reply in zip(transaction.recipients, each, strict=True)]
    session.log.info(
        "message received" if local else "message for unknown recipients",
        mailfrom=str(transaction.mail.path),
        size=spooled.size,
        recipients=[str(path) for path, reply in told if reply.code == 250],
        failed=[f"{path} {reply.code} {reply.status}" for path, reply in told if reply.code != 250] or None,
    )
    return each


async def _refusal(session: "Session", transaction: "Transaction", spooled: Spooled) -> Reply | None:
    """What speaks against the message whoever gets it."""
    for path, _ in transaction.recipients:
        failing = await simulated.failure(session, path, "data")
        if failing is not None:
            return failing
    if HEADER_TOO_LARGE in spooled.scanned.defects:
        return Reply(552, Status(5, 3, 4), "the header of the message is too large")
    if spooled.scanned.header.lower().count(b"\nreceived:") > HOPS:
        return Reply(550, Status(5, 4, 6), "the message goes in circles")
    return None


def _reply(verdict: Verdict) -> Reply:
    return replies.DELIVERED if verdict.code == 250 else Reply(verdict.code, verdict.status, verdict.text)


async def _tell_sender(session: "Session", transaction: "Transaction", failed: Sequence[tuple[Path, Reply]]) -> None:
    """Some have the message and these do not: the reply says 250, so the sender must hear of them by mail.

    RFC 5321 §6.1. Todo(RFC 3464): until there is a queue for the notification, the log is all there is.
    """
    if transaction.mail.path.is_null:
        return
    for path, reply in failed:
        session.log.warn("not delivered, and no notification sent", recipient=str(path), code=reply.code)


def fold(transaction: "Transaction", each: Sequence[Reply]) -> Reply:
    """The replies to the recipients as the single reply to DATA (RFC 5321 §4.1.1.4).

    250 when anybody has the message; the failure they have in common; or a line for each recipient.
    """
    first = next((one for one in each if one.code < 300), each[0])
    if first.code < 300 or len({(one.code, one.status) for one in each}) == 1:
        return first
    code = 554 if any(one.code >= 500 for one in each) else 451
    paths = [path.ascii for path, _ in transaction.recipients]
    lines = tuple(f"{path}: {one.code} {one.status} {one.text}" for path, one in zip(paths, each, strict=True))
    return Reply(code, Status(code // 100, 3, 0), lines)


def _envelope(
    session: "Session", transaction: "Transaction", recipients: Sequence[Recipient | AliasRecipient]
) -> Envelope:
    connection = session.connection
    settings = session.door.protocol
    now = session.app.clock.now()
    tls = connection.tls
    word = "UTF8SMTP" if transaction.mail.smtputf8 else "ESMTP" if session.extended else "SMTP"
    word += ("S" if tls else "") + ("A" if session.actor else "")
    ehlo = session.helo.ascii if isinstance(session.helo, Domain) else str(session.helo or f"[{connection.remote}]")
    trace = Received(
        helo=settings.hostname if settings.submission else ehlo,
        remote_ip=None if settings.submission else connection.remote,
        hostname=settings.hostname,
        local_ip=connection.local,
        protocol=word,
        id=session.received_id,
        tls=f"{tls.version} {tls.cipher}" if tls else "",
        requiretls=transaction.mail.requiretls,
        when=now,
    )
    return Envelope(
        reverse_path=transaction.mail.path,
        recipients=recipients,
        remote_ip=connection.remote,
        ehlo=ehlo,
        trace=trace,
        arrived=now,
        tls_version=tls.version if tls else None,
        tls_cipher=tls.cipher if tls else "",
        requiretls=transaction.mail.requiretls,
        addresses=session.config.derived.addresses,
    )
