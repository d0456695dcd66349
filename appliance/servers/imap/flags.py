"""STORE and EXPUNGE (I-135, I-136)."""

from typing import TYPE_CHECKING

from appliance.operations import messages
from appliance.protocol.imap import command, sequence
from appliance.servers.imap import news, replies

if TYPE_CHECKING:
    from appliance.servers.imap.session import Session


async def store(session: "Session", tag: str, request: command.Store) -> None:
    """STORE and UID STORE."""
    selected = session.mailbox
    if selected.read_only:
        session.no(tag, "mailbox is read-only")
        return
    uids = selected.uids_of(selected.places(request.messages, uid=request.uid))
    outcome = await messages.store_flags(
        session.app,
        session.account,
        selected.id,
        uids,
        request.mode,
        request.flags,
        session.subscription,
        unchanged_since=request.unchanged_since,
    )
    with_modseq = session.condstore or request.unchanged_since is not None
    if not request.silent or with_modseq:
        changed = {one.uid: one for one in outcome.changed}
        tail = b" MODSEQ (%d)" % outcome.modseq if with_modseq else b""
        lines = []
        if request.silent:
            for one in outcome.changed:
                at = selected.index(one.uid)
                if at is not None:
                    lines.append(b"* %d FETCH (UID %d%b)\r\n" % (at + 1, one.uid, tail))
        else:
            with session.app.store.read() as tx:
                record = tx.mailbox(session.account.account, selected.id)
                view = session.app.store.view_now(tx, session.account.account, record)
                for uid in uids:
                    at = selected.index(uid)
                    there = view.index(uid)
                    if at is None or there is None:
                        continue
                    new = changed.get(uid)
                    bits = view.flags[there] if new is None else new.flags
                    words = view.keywords.get(uid, ()) if new is None else new.keywords
                    shown = replies.flags(bits, words)
                    tail = b" MODSEQ (%d)" % view.modseqs[there] if with_modseq else b""
                    lines.append(b"* %d FETCH (UID %d FLAGS (%b)%b)\r\n" % (at + 1, uid, shown, tail))
        session.say(b"".join(lines))
    code = None
    if outcome.modified:
        numbers = outcome.modified
        if not request.uid:
            numbers = tuple(at + 1 for uid in outcome.modified if (at := selected.index(uid)) is not None)
        code = f"MODIFIED {sequence.format_set(sorted(numbers)).decode()}"
    if request.uid:
        session.done(tag, code=code)
    else:
        session.ok(tag, code=code)  # Numbers must stay valid (I-166).


async def expunge(session: "Session", tag: str, request: command.Expunge) -> None:
    """EXPUNGE and UID EXPUNGE: only what has \\Deleted and was told to this client."""
    selected = session.mailbox
    if selected.read_only:
        session.no(tag, "mailbox is read-only")
        return
    news.tell(session)
    uids = list(selected.uids)
    if request.uids is not None:
        uids = selected.uids_of(selected.places(request.uids, uid=True))
    await messages.expunge(session.app, session.account, selected.id, uids, session.subscription)
    session.done(tag)
