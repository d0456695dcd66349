"""Mail from other servers, once its message is here: judged, stored, answered (RFC 5321 §4.1.1.4, §6.1)."""

from collections.abc import Mapping, Sequence
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
from appliance.store.tables import AccountID

if TYPE_CHECKING:
    from appliance.servers.smtp.session import Session, Transaction

#: A message that came by so many hosts goes in circles (RFC 5321 §6.3).
HOPS: Final = 100


async def process(session: "Session", transaction: "Transaction", spooled: Spooled) -> Reply:
    """The single reply to the message. Whoever is told 250 has it on the disk."""
    return fold(transaction, await judge(session, transaction, spooled))


async def judge(session: "Session", transaction: "Transaction", spooled: Spooled) -> list[Reply]:
    """The reply to each recipient, in the order of RCPT: what LMTP says (RFC 2033 §4.2) and SMTP folds into one."""
    for path, _ in transaction.recipients:
        failing = await simulated.failure(session, path, "data")
        if failing is not None:
            return _all(transaction, failing)
    header = spooled.scanned.header
    if HEADER_TOO_LARGE in spooled.scanned.defects:
        return _all(transaction, Reply(552, Status(5, 3, 4), "the header of the message is too large"))
    if header.lower().count(b"\nreceived:") > HOPS:
        return _all(transaction, Reply(550, Status(5, 4, 6), "the message goes in circles"))
    local: dict[tuple[AccountID, str], Recipient] = {}
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
        return _all(transaction, replies.UNKNOWN_RECIPIENTS)
    verdicts = await delivery.receive(session.app, _envelope(session, transaction, list(local.values())), spooled)
    session.log.info(
        "message received",
        mailfrom=str(transaction.mail.path),
        size=spooled.size,
        recipients=[str(one.path) for one in local.values()],
        unknown=unknown or None,
    )
    said = {(one.recipient.account, one.recipient.mailbox): _reply(one) for one in verdicts}
    return [_of_resolution(resolution, said) for _, resolution in transaction.recipients]


def fold(transaction: "Transaction", each: Sequence[Reply]) -> Reply:
    """The replies to the recipients as the single reply to DATA (RFC 5321 §4.1.1.4)."""
    first = next((one for one in each if one.code < 300), each[0])
    if first.code < 300 or len({one.code for one in each}) == 1:
        return first
    code = 554 if any(one.code >= 500 for one in each) else 451
    paths = [path for path, _ in transaction.recipients]
    lines = tuple(f"{path}: {one.code} {one.text}" for path, one in zip(paths, each, strict=True))
    return Reply(code, Status(code // 100, 3, 0), lines)


def _all(transaction: "Transaction", reply: Reply) -> list[Reply]:
    return [reply] * len(transaction.recipients)


def _reply(verdict: Verdict) -> Reply:
    return replies.DELIVERED if verdict.code == 250 else Reply(verdict.code, verdict.status, verdict.text)


def _of_resolution(resolution: addresses.Resolution, said: Mapping[tuple[AccountID, str], Reply]) -> Reply:
    """What to say of one RCPT: an alias took the message when one of its members has it."""
    if not isinstance(resolution, addresses.Local):
        return replies.UNKNOWN_RECIPIENTS
    each = [said[one.account, one.mailbox] for one in resolution.recipients]
    return next((one for one in each if one.code == 250), each[0])


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
