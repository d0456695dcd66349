"""The message of a transaction: received, judged, stored, answered (S-80 to S-85, S-125 to S-135)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import trio

from appliance.base.log import Phase
from appliance.delivery import receive as delivery
from appliance.delivery.receive import Envelope, Recipient, Verdict
from appliance.mail.address import Path
from appliance.mail.domain import Domain
from appliance.mail.received import Received
from appliance.mail.scan import HEADER_TOO_LARGE
from appliance.mail.status import Status
from appliance.net.connection import Closed
from appliance.operations import addresses
from appliance.protocol.lines import NeedData
from appliance.protocol.smtp.reply import ProtocolError, Reply
from appliance.protocol.smtp.server import Chunk, EndOfData
from appliance.servers.smtp import replies
from appliance.store.problems import StorageFull
from appliance.store.spool import Spool, Spooled

if TYPE_CHECKING:
    from appliance.servers.smtp.session import Session, Transaction

#: A message that came by so many hosts goes in circles (S-90).
HOPS: Final = 100


async def receive(session: "Session") -> Reply | None:
    """The DATA command, all of it."""
    transaction = session.transaction
    assert transaction is not None
    session.say(replies.GO_AHEAD)
    await session.flush()
    session.protocol.begin_data()
    session.connection.phase = Phase.DATA
    session.bad_transactions += 1
    reply: Reply | None = Reply(421, Status(4, 4, 2), "the message took too long")
    try:
        with trio.move_on_after(session.door.limits.data_seconds) as scope:
            reply = await _receive(session, transaction)
        if scope.cancelled_caught:
            session.end()
        return reply
    finally:
        session.connection.phase = Phase.PLAIN
        session.transaction = None  # Whatever came of it, the transaction is over (S-84).


async def _receive(session: "Session", transaction: "Transaction") -> Reply | None:
    async with session.app.store.spool() as spool:
        try:
            full = await _spool(session, spool)
        except ProtocolError as error:
            session.end_rudely()
            return error.reply
        if full.code >= 400:
            return full
        spooled = await spool.finish()
        # From here on the client's fate does not matter: what is stored must be answered if it can be.
        shield = trio.CancelScope(shield=True)
        with shield:
            reply = await _deliver(session, transaction, spooled)
            if reply.code < 400:
                session.good_transactions += 1
                session.bad_transactions -= 1
                session.say(reply)
                session.connection.phase = Phase.PLAIN
                if not session.protocol.pending:
                    await session.flush()
                return None
        return reply


async def _spool(session: "Session", spool: Spool) -> Reply:
    """Take the message in; the reply 250 when all is well. Raises Closed when the client left."""
    failure: Reply | None = None
    while True:
        event = session.protocol.next_event()
        match event:
            case NeedData.NEED_DATA:
                session.connection.expire_in(session.door.limits.read_seconds)
                octets = await session.connection.receive()
                if not octets:
                    raise Closed("client left within its message")
                session.protocol.receive_data(octets)
            case Chunk(octets):
                if failure is None:
                    try:
                        await spool.write(octets)
                    except OSError as error:
                        # Read the rest, so that the answer is heard (S-83).
                        session.log.error("cannot write to the spool", error)
                        failure = replies.of_problem(StorageFull("no room for the message"))
            case EndOfData(smuggling):
                session.connection.expire_in(session.door.limits.data_seconds)
                return replies.SMUGGLING if smuggling else failure or replies.OK


async def _deliver(session: "Session", transaction: "Transaction", spooled: Spooled) -> Reply:
    for path, _ in transaction.recipients:
        failing = await simulate(session, path, "data")
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


async def simulate(session: "Session", path: Path, stage: str) -> Reply | None:
    """The failure a special address asks for (B-60); None everywhere but in a house for tests."""
    failure = session.app.policy.failure(path, stage)
    if failure is None:
        return None
    if failure.delay_seconds:
        with trio.move_on_after(failure.delay_seconds):
            await session.app.shutdown.wait()
    delivery.deliveries.labels("delivererror", "simulated").inc()
    text = f"failure {failure.code} as the address {path} asks for"
    return Reply(failure.code, Status(failure.code // 100, 0, 0), text)
