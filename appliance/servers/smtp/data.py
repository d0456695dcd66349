"""The message of a transaction, as it comes in by DATA or BDAT: into the spool, and then to what the door does with it.

What is done is in `mx` for mail of other servers and in `submission` for mail of our users.
"""

import errno
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import trio

from appliance.base.log import Phase
from appliance.base.problem import Problem
from appliance.mail import smtputf8
from appliance.mail.status import Status
from appliance.net.connection import Closed
from appliance.protocol.lines import NeedData
from appliance.protocol.smtp.command import Bdat
from appliance.protocol.smtp.reply import ProtocolError, Reply
from appliance.protocol.smtp.server import Chunk, EndOfChunk, EndOfData
from appliance.protocol.smtp.settings import Kind
from appliance.servers.smtp import mx, refusing, replies, submission
from appliance.store.spool import Spool, Spooled

if TYPE_CHECKING:
    from appliance.servers.smtp.session import Session, Transaction

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


async def receive(session: "Session") -> None:
    """The DATA command, all of it."""
    session.say(replies.GO_AHEAD)
    await session.flush()
    session.protocol.begin_data()
    await _receive(session)


async def receive_chunk(session: "Session", chunk: Bdat) -> None:
    """A BDAT command with its octets; with the last one the message is here (RFC 3030 §2)."""
    if await _receive(session):
        session.reply(Reply(250, Status(2, 0, 0), f"{chunk.size_octets} octets received"))


async def _receive(session: "Session") -> bool:
    """Take in octets to the end of the message, which is answered, or of a chunk; whether more chunks are wanted."""
    transaction = session.transaction
    assert transaction is not None
    if transaction.spool is None:
        transaction.spool = session.app.store.spool()
        transaction.ends_at = trio.current_time() + session.door.limits.data_seconds
        session.bad_transactions += 1
    session.connection.phase = Phase.DATA
    goes_on = False
    try:
        goes_on = await _to_the_end(session, transaction, transaction.spool)
    finally:
        session.connection.phase = Phase.PLAIN
        if not goes_on:
            session.end_transaction()  # Whatever came of it (RFC 5321 §4.1.1.4).
    return goes_on


async def _to_the_end(session: "Session", transaction: "Transaction", spool: Spool) -> bool:
    try:
        end = await _spool(session, transaction, spool)
    except ProtocolError as error:
        session.end_rudely()
        _note(session, transaction, error.reply)
        _answer(session, transaction, [error.reply])
        return False
    failure = transaction.failure
    if isinstance(end, EndOfData):
        await _finish(session, transaction, spool, replies.SMUGGLING if end.smuggling else failure)
        return False
    if failure is not None:
        session.protocol.chunk_failed()
        session.refused("message refused", failure, mailfrom=transaction.mail.path)
        _note(session, transaction, failure)
        session.reply(failure)
    return failure is None


async def _finish(session: "Session", transaction: "Transaction", spool: Spool, failure: Reply | None) -> None:
    """The message is here: do with it what is to be done, and answer."""
    spooled: Spooled | None = None
    if failure is None:
        try:
            spooled = await spool.finish()
        except OSError as error:
            failure = _not_written(session, error)
        else:
            failure = _smtputf8(session, transaction, spooled)
    if failure is not None or spooled is None:
        _note(session, transaction, failure or replies.INTERNAL)
        _answer(session, transaction, [failure or replies.INTERNAL])
        return
    # From here on the client's fate does not matter: what is stored must be answered if it can be.
    with trio.CancelScope(shield=True):
        try:
            if session.door.protocol.lmtp:
                each = await mx.judge(session, transaction, spooled)
            elif session.door.protocol.submission:
                each = [await submission.process(session, transaction, spooled)]
            else:
                each = [await mx.process(session, transaction, spooled)]
        except Problem as problem:
            each = [session.of_problem(problem)]
            _note(session, transaction, each[0])
        _answer(session, transaction, each)
        session.connection.phase = Phase.PLAIN
        if not session.protocol.pending:
            await session.flush()


def _note(session: "Session", transaction: "Transaction", reply: Reply) -> None:
    """Write down that nobody gets the message."""
    recipients = [path for path, _ in transaction.recipients]
    refusing.note(session, "data", reply, sender=transaction.mail.path, recipients=recipients)


def _answer(session: "Session", transaction: "Transaction", each: Sequence[Reply]) -> None:
    """Say what became of the message: once, but in LMTP to each recipient (RFC 2033 §4.2)."""
    recipients = [path for path, _ in transaction.recipients]
    if session.door.protocol.lmtp:
        each = each if len(each) == len(recipients) else [each[0]] * len(recipients)
        for recipient, reply in zip(recipients, each, strict=True):
            session.reply(reply)
            if reply.code >= 400:
                session.refused("recipient refused", reply, mailfrom=transaction.mail.path, rcptto=recipient)
    else:
        session.reply(each[0])
        if each[0].code >= 400:
            session.refused("message refused", each[0], mailfrom=transaction.mail.path, recipients=recipients)
    if any(reply.code < 400 for reply in each):
        session.good_transactions += 1
        session.bad_transactions -= 1
    elif session.door.protocol.kind is Kind.DELIVERY and _is_rejection(each[0]):
        session.slow_down()


def _is_rejection(reply: Reply) -> bool:
    """Whether the message or its sender is to blame, not the state of this house."""
    return reply.code >= 500 or (reply.status is not None and reply.status.subject == 7)


def _smtputf8(session: "Session", transaction: "Transaction", spooled: Spooled) -> Reply | None:
    """Note whether the message can only travel with SMTPUTF8: its content decides, not what the client said.

    For submissions it is the verb that decides. Returns the refusal of a message that needs it and came without
    (RFC 6531 §3.2), which only pedantry speaks out.
    """
    said = transaction.mail.smtputf8
    settings = session.door.protocol
    if settings.submission or not (said or settings.pedantic):
        return None
    localparts = [transaction.mail.path.localpart, *(path.localpart for path, _ in transaction.recipients)]
    transaction.smtputf8 = smtputf8.needed(localparts=localparts, content_needs=spooled.scanned.needs_smtputf8)
    return replies.LACKS_SMTPUTF8 if settings.pedantic and transaction.smtputf8 and not said else None


async def _spool(session: "Session", transaction: "Transaction", spool: Spool) -> EndOfChunk | EndOfData:
    """Take the octets in. Raises Closed when the client left."""
    limits = session.door.limits
    # For the first octets as much patience as for a command: most messages come in one piece, and moving the deadline
    # there and back costs more than receiving it.
    patience = limits.idle_seconds
    while True:
        event = session.protocol.next_event()
        match event:
            case NeedData.NEED_DATA:
                await session.flush()
                session.expect_octets(patience, transaction.ends_at)
                octets = await session.connection.receive()
                if not octets:
                    raise Closed("client left within its message")
                session.protocol.receive_data(octets)
            case Chunk(octets):
                patience = limits.read_seconds
                if transaction.failure is None:
                    try:
                        await spool.write(octets)
                    except OSError as error:
                        # The rest is read all the same, so that the answer is heard.
                        transaction.failure = _not_written(session, error)
                        spool.discard()
            case EndOfChunk() | EndOfData():
                session.expect_nothing()
                return event


def _not_written(session: "Session", error: OSError) -> Reply:
    session.log.error("cannot write to the spool", error)
    return replies.DISK_FULL if error.errno in _FULL else replies.INTERNAL
