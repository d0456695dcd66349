"""The message of a transaction, as it comes in: to its end, into the spool, and then to what the door does with it.

What is done is in `mx` for mail of other servers and in `submission` for mail of our users.
"""

from typing import TYPE_CHECKING

import trio

from appliance.base.log import Phase
from appliance.mail.status import Status
from appliance.net.connection import Closed
from appliance.protocol.lines import NeedData
from appliance.protocol.smtp.reply import ProtocolError, Reply
from appliance.protocol.smtp.server import Chunk, EndOfData
from appliance.servers.smtp import mx, replies, submission
from appliance.store.problems import StorageFull
from appliance.store.spool import Spool

if TYPE_CHECKING:
    from appliance.servers.smtp.session import Session, Transaction


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
        process = submission.process if session.door.protocol.submission else mx.process
        # From here on the client's fate does not matter: what is stored must be answered if it can be.
        shield = trio.CancelScope(shield=True)
        with shield:
            reply = await process(session, transaction, spooled)
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
