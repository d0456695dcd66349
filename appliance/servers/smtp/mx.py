"""Mail from other servers, once its message is here: judged, stored, answered (RFC 5321 §4.1.1.4, §6.1)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import trio

from appliance.delivery import receive as delivery
from appliance.delivery.receive import Envelope, Recipient, Verdict
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
    """The reply to the message. Whoever is told 250 has it on the disk."""
    for path, _ in transaction.recipients:
        failing = await simulated.failure(session, path, "data")
        if failing is not None:
            return failing
    header = spooled.scanned.header
    if HEADER_TOO_LARGE in spooled.scanned.defects:
        return Reply(552, Status(5, 3, 4), "the header of the message is too large")
    if header.lower().count(b"\nreceived:") > HOPS:
        return Reply(550, Status(5, 4, 6), "the message goes in circles")
    local: dict[tuple[int, str], Recipient] = {}
    unknown = 0
    for _, resolution in transaction.recipients:
        if isinstance(resolution, addresses.Local):
            for recipient in resolution.recipients:
                local.setdefault((recipient.account, recipient.mailbox), recipient)
        else:
            unknown += 1
    if not local:
        with trio.move_on_after(session.door.limits.unknown_seconds):
            await session.app.shutdown.wait()
        delivery.deliveries.labels("unknownuser", "").inc()
        return replies.UNKNOWN_RECIPIENTS
    verdicts = await delivery.receive(session.app, _envelope(session, transaction, list(local.values())), spooled)
    session.log.info(
        "message received",
        mailfrom=str(transaction.mail.path),
        size=spooled.size,
        recipients=[str(one.path) for one in local.values()],
        unknown=unknown or None,
    )
    return _fold(verdicts)


def _fold(verdicts: Sequence[Verdict]) -> Reply:
    """The verdicts as the single reply to DATA (S-135, RFC 5321 §4.1.1.4)."""
    if any(verdict.code == 250 for verdict in verdicts):
        return replies.DELIVERED
    if len({verdict.code for verdict in verdicts}) == 1:
        first = verdicts[0]
        return Reply(first.code, first.status, first.text)
    code = 554 if any(verdict.code >= 500 for verdict in verdicts) else 451
    lines = tuple(f"{verdict.recipient.path}: {verdict.code} {verdict.text}" for verdict in verdicts)
    return Reply(code, Status(code // 100, 3, 0), lines)


def _envelope(session: "Session", transaction: "Transaction", recipients: Sequence[Recipient]) -> Envelope:
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
    )
