"""APPEND: messages stream into the spool, and are stored together when the command is complete (I-110 to I-113)."""

from typing import TYPE_CHECKING, Final

import trio

from appliance.base.log import Phase
from appliance.mail.lineend import CRLFStream
from appliance.operations import messages
from appliance.operations.messages import Upload
from appliance.protocol.imap import command, response, sequence
from appliance.protocol.imap.connection import AppendBegin, AppendChunk, AppendEnd, Command
from appliance.protocol.lines import NeedData
from appliance.store import mailbox as mailboxes, message
from appliance.store.problems import NoSuchMailbox, OverQuota
from appliance.store.spool import Spool

if TYPE_CHECKING:
    from appliance.servers.imap.session import Session


#: Octets of a refused message that are read and dropped, so that the connection can go on.
DROPPED_OCTETS: Final = 1_000_000


async def receive(session: "Session", begin: AppendBegin) -> None:
    """From the first announced message to the answer. All messages of the command are stored, or none."""
    uploads: list[Upload] = []
    session.connection.phase = Phase.DATA
    try:
        while True:
            if not await _one(session, begin, uploads):
                return
            event = await _next(session)
            if isinstance(event, AppendBegin):
                begin = event
                continue
            if isinstance(event, Command):
                with trio.CancelScope(shield=True):
                    await _store(session, event.tag, begin.mailbox, uploads)
                    await session.flush()
            return
    finally:
        session.connection.phase = Phase.PLAIN
        with trio.CancelScope(shield=True):
            await messages.drop(session.app, uploads)


async def _next(session: "Session") -> object | None:
    """The next event, octets received as needed; None when the client left."""
    while isinstance(event := session.protocol.next_event(), NeedData):
        await session.flush()
        session.connection.expire_in(session.door.times.literal)
        if not await session.receive():
            session.end()
            return None
    return event


async def _one(session: "Session", begin: AppendBegin, uploads: list[Upload]) -> bool:
    """One message; tells whether the command goes on."""
    refusal = _refusal(session, begin)
    if refusal:
        session.protocol.refuse_literal()
        session.no(begin.tag, *refusal)
        if not begin.sync and begin.size_octets > DROPPED_OCTETS:
            # Under way already, and more than is worth reading only to drop it (as I-114 has it for REPLACE).
            session.say(response.untagged("BYE", "message refused while it is being sent", "ALERT"))
            session.end_rudely()
        return False
    if begin.sync:
        session.say(b"+ go ahead\r\n")
    session.protocol.accept_literal()
    async with session.app.store.spool() as spool:
        if not await _spool(session, spool):
            return False
        spooled = await spool.finish()
        uploads.append(await messages.prepare_upload(session.app, session.account, spooled, begin.flags, begin.date))
    return True


async def _spool(session: "Session", spool: Spool) -> bool:
    lines = CRLFStream()
    while True:
        event = await _next(session)
        if isinstance(event, AppendChunk):
            await spool.write(lines.feed(event.octets))
        else:
            return isinstance(event, AppendEnd)


def _refusal(session: "Session", begin: AppendBegin) -> tuple[str, str] | None:
    """What speaks against a message before it is sent: text and response code."""
    if session.actor is None:
        return "log in first", "CANNOT"
    if begin.replaces is not None:
        return "REPLACE is not offered", "CANNOT"
    if not begin.size_octets:
        return "an empty message cancels the command", "CANNOT"
    with session.app.store.read() as tx:
        if mailboxes.find(tx, session.actor.account, begin.mailbox) is None:
            return "no such mailbox", "TRYCREATE"
        quota = messages.quota_octets(session.app, session.actor)
        try:
            message.check_quota(tx, session.actor.account, begin.size_octets, quota)
        except OverQuota as problem:
            return str(problem), "OVERQUOTA"
    return None


async def _store(session: "Session", tag: str, name: str, uploads: list[Upload]) -> None:
    try:
        validity, added = await messages.append(session.app, session.account, name, uploads, session.subscription)
    except NoSuchMailbox as problem:
        session.no(tag, str(problem), "TRYCREATE")
        return
    uids = sequence.format_set(one.uid for one in added).decode()
    session.done(tag, "stored", f"APPENDUID {validity} {uids}")


async def finish(session: "Session", tag: str, _: command.Append) -> None:
    """An APPEND that came without any message; the grammar does not let it through."""
    session.bad(tag, "no message")
