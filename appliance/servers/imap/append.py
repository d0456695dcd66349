"""APPEND and REPLACE: messages stream into the spool, and are stored together when the command is complete.

RFC 9051 §6.3.12, RFC 3502, RFC 8508. What can be known before a message comes is said before it comes.
"""

from typing import TYPE_CHECKING, Final

import trio

from appliance.base.log import Phase
from appliance.base.problem import Problem
from appliance.mail.lineend import CRLFStream
from appliance.operations import messages
from appliance.operations.messages import Upload
from appliance.protocol.imap import command, response, sequence
from appliance.protocol.imap.connection import AppendBegin, AppendChunk, AppendEnd, Command, CommandError
from appliance.protocol.lines import NeedData
from appliance.servers.imap import replies
from appliance.servers.imap.replies import EXPUNGE_ISSUED
from appliance.store.problems import NoSuchMailbox, NoSuchMessage
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
                # What was begun is done, and its client told.
                with trio.CancelScope(shield=True):
                    if begin.replaces is None:
                        await _store(session, event.tag, begin.mailbox, uploads)
                    else:
                        await _replace(session, event.tag, begin, uploads[0])
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
    refusal = _refusal(session, begin, sum(one.message.size for one in uploads))
    if refusal is not None:
        session.protocol.refuse_literal()
        refusal.tag = begin.tag
        session.refuse(refusal)
        if not begin.sync and begin.size_octets > DROPPED_OCTETS:
            # Under way already, and more than is worth reading only to drop it.
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


def _refusal(session: "Session", begin: AppendBegin, earlier_octets: int) -> CommandError | None:
    """What speaks against a message before it is sent; `earlier_octets` came before it in the same command."""
    try:
        _check(session, begin, earlier_octets)
    except CommandError as error:
        return error
    except NoSuchMailbox as problem:
        return CommandError("NO", str(problem), code="TRYCREATE")
    except NoSuchMessage:
        return CommandError("NO", "that message is gone", code=EXPUNGE_ISSUED)
    except Problem as problem:
        return CommandError("NO", str(problem), code=replies.code_of(problem))
    return None


def _check(session: "Session", begin: AppendBegin, earlier_octets: int) -> None:
    if wrong := session.wrong_state(command.Append if begin.replaces is None else command.Replace):
        raise CommandError("NO", wrong)
    if begin.size_octets > session.door.max_message_octets:
        raise CommandError("NO", "message too large", code="TOOBIG")  # RFC 7889 §4
    if not begin.size_octets:
        raise CommandError("NO", "an empty message cancels the command")  # RFC 3502 §3
    replaced = None if begin.replaces is None else _replaced(session, begin.replaces)
    octets = earlier_octets + begin.size_octets
    with session.app.store.read() as tx:
        if replaced is None:
            messages.may_append(session.app, tx, session.account, begin.mailbox, octets)
        else:
            source = session.mailbox.ref
            messages.may_replace(session.app, tx, session.account, source, replaced, begin.mailbox, octets)


def _replaced(session: "Session", replaces: tuple[bool, int | None]) -> int:
    """The UID of the message that REPLACE names. Raises CommandError."""
    selected = session.mailbox
    by_uid, number = replaces
    if selected.read_only:
        raise CommandError("NO", "the mailbox was opened read-only")
    if selected.uid_only:
        if not by_uid:
            raise CommandError("BAD", "only UIDs are used here", code="UIDREQUIRED")
        selected.open(session.app.store)
    if number is None:
        number, by_uid = len(selected.uids), False
    at = selected.index(number) if by_uid else number - 1
    if at is None:
        raise CommandError("NO", "no such message")
    if not 0 <= at < len(selected.uids):
        raise CommandError("BAD", "no such message")
    return selected.uids[at]


async def _store(session: "Session", tag: str, name: str, uploads: list[Upload]) -> None:
    try:
        validity, added = await messages.append(session.app, session.account, name, uploads, session.subscription)
    except NoSuchMailbox as problem:
        session.no(tag, str(problem), "TRYCREATE")
        return
    uids = sequence.format_set(one.uid for one in added).decode()
    session.done(tag, "stored", f"APPENDUID {validity} {uids}")


async def _replace(session: "Session", tag: str, begin: AppendBegin, upload: Upload) -> None:
    assert begin.replaces is not None
    selected = session.mailbox
    uid = _replaced(session, begin.replaces)
    try:
        validity, added = await messages.replace(
            session.app, session.account, selected.ref, uid, begin.mailbox, upload, session.subscription
        )
    except NoSuchMailbox as problem:
        session.no(tag, str(problem), "TRYCREATE")
    except NoSuchMessage:
        session.no(tag, "that message is gone", EXPUNGE_ISSUED)
    else:
        # Before the EXPUNGE, so that clients know what took the message's place (RFC 8508 §4.3).
        session.say(response.untagged("OK", "stored", f"APPENDUID {validity} {added.uid}"))
        session.done_with_modseq(tag)


async def finish(session: "Session", tag: str, _: command.Append) -> None:
    """An APPEND that came without any message; the grammar does not let it through."""
    session.bad(tag, "no message")
