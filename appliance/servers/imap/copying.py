"""COPY and MOVE (I-137, I-138)."""

from typing import TYPE_CHECKING

from appliance.operations import messages
from appliance.protocol.imap import command, response, sequence
from appliance.store.problems import NoSuchMailbox

if TYPE_CHECKING:
    from appliance.servers.imap.session import Session


def _copyuid(uid_validity: int, pairs: list[tuple[int, int]]) -> str:
    """COPYUID (RFC 4315 §3)."""
    source = sequence.format_set(one for one, _ in pairs).decode()
    target = sequence.format_set(one for _, one in pairs).decode()
    return f"COPYUID {uid_validity} {source} {target}"


async def copy(session: "Session", tag: str, request: command.Copy) -> None:
    """COPY and UID COPY."""
    selected = session.mailbox
    uids = selected.uids_of(selected.places(request.messages, uid=request.uid))
    if not uids and request.uid:
        session.done(tag, "nothing to copy")
        return
    try:
        validity, pairs = await messages.copy(
            session.app, session.account, selected.id, uids, request.mailbox, session.subscription
        )
    except NoSuchMailbox as problem:
        session.no(tag, str(problem), "TRYCREATE" if request.mailbox != selected.name else "CANNOT")
        return
    if not pairs:
        session.no(tag, "no such messages any more", "EXPUNGEISSUED")
        return
    session.done(tag, "copied", _copyuid(validity, pairs))


async def move(session: "Session", tag: str, request: command.Move) -> None:
    """MOVE and UID MOVE: COPYUID comes before the EXPUNGEs (RFC 6851 §4.3)."""
    selected = session.mailbox
    if selected.read_only:
        session.no(tag, "mailbox is read-only")
        return
    uids = selected.uids_of(selected.places(request.messages, uid=request.uid))
    if not uids and request.uid:
        session.done(tag, "nothing to move")
        return
    try:
        validity, pairs = await messages.move(
            session.app, session.account, selected.id, uids, request.mailbox, session.subscription
        )
    except NoSuchMailbox as problem:
        session.no(tag, str(problem), "TRYCREATE" if request.mailbox != selected.name else "CANNOT")
        return
    if not pairs:
        session.no(tag, "no such messages any more", "EXPUNGEISSUED")
        return
    session.say(response.untagged("OK", "moved", _copyuid(validity, pairs)))
    session.done(tag)
