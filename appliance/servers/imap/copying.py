"""COPY and MOVE."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from appliance.operations import messages
from appliance.protocol.imap import command, response, sequence
from appliance.store.problems import NoSuchMailbox

if TYPE_CHECKING:
    from appliance.servers.imap.session import Session

#: The target's UIDVALIDITY, and pairs of UIDs there and here.
_Outcome = tuple[int, list[tuple[int, int]]]


def _copyuid(uid_validity: int, pairs: Sequence[tuple[int, int]]) -> str:
    """COPYUID (RFC 4315 §3)."""
    source = sequence.format_set(one for one, _ in pairs).decode()
    target = sequence.format_set(one for _, one in pairs).decode()
    return f"COPYUID {uid_validity} {source} {target}"


async def _transfer(session: "Session", tag: str, request: command.Copy | command.Move) -> _Outcome | None:
    """Do it; None when there is nothing to tell but what was answered."""
    selected = session.mailbox
    uids = selected.uids_of(selected.ranges(request.messages, uid=request.uid))
    verb = messages.move if isinstance(request, command.Move) else messages.copy
    subscription = session.subscription
    try:
        found = await verb(session.app, session.account, selected.ref, uids, request.mailbox, subscription)
    except NoSuchMailbox as problem:
        session.no(tag, str(problem), "TRYCREATE")
        return None
    if found[1]:
        return found
    if uids:
        session.no(tag, "no such messages any more", "EXPUNGEISSUED")
    else:
        session.done(tag, "no such messages")  # No error with UIDs (RFC 9051 §6.4.9).
    return None


async def copy(session: "Session", tag: str, request: command.Copy) -> None:
    """COPY and UID COPY."""
    found = await _transfer(session, tag, request)
    if found is not None:
        session.done(tag, "copied", _copyuid(*found))


async def move(session: "Session", tag: str, request: command.Move) -> None:
    """MOVE and UID MOVE: COPYUID comes before the EXPUNGEs (RFC 6851 §4.3)."""
    if session.mailbox.read_only:
        session.no(tag, "the mailbox was opened read-only")
        return
    found = await _transfer(session, tag, request)
    if found is not None:
        session.say(response.untagged("OK", "moved", _copyuid(*found)))
        session.done_with_modseq(tag)
