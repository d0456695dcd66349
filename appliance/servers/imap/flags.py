"""STORE and EXPUNGE."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import trio

from appliance.operations import messages
from appliance.protocol.imap import command, sequence
from appliance.servers.imap import news
from appliance.servers.imap.selected import Selected
from appliance.store.message import Stored
from appliance.store.problems import NoSuchMailbox

if TYPE_CHECKING:
    from appliance.servers.imap.session import Session


async def store(session: "Session", tag: str, request: command.Store) -> None:
    """STORE and UID STORE."""
    selected = session.mailbox
    if selected.read_only:
        session.no(tag, "the mailbox was opened read-only")
        return
    if request.unchanged_since is not None:
        session.enable_condstore()
    ranges = selected.ranges(request.messages, uid=request.uid)
    uids = selected.uids_of(ranges)
    try:
        outcome = await messages.store_flags(
            session.app,
            session.account,
            selected.ref,
            uids,
            request.mode,
            request.flags,
            session.subscription,
            unchanged_since=request.unchanged_since,
        )
    except NoSuchMailbox:
        outcome = Stored((), (), 0)  # All its messages are gone, which was not told yet.
    # Ours are in their place among the changes of others, so that the last word is told.
    await news.take_in(session)
    news.collect(session)
    news.tell_keywords(session, selected)
    skip = set(outcome.modified)
    if not request.silent:
        await _tell_all(session, selected, [uid for uid in uids if uid not in skip] if skip else uids)
    else:
        if session.condstore:
            await _tell_modseqs(session, selected)
        # The client believes that it has what it asked for.
        await _tell_all(session, selected, outcome.corrected)
    # What the client did not know of, which kept its STORE from working.
    await _tell_all(session, selected, sorted(outcome.modified))
    code = None
    if outcome.modified:
        numbers = sorted(outcome.modified)
        if not request.uid:
            numbers = [at + 1 for uid in numbers if (at := selected.index(uid)) is not None]
        code = f"MODIFIED {sequence.format_set(numbers).decode()}"
    session.done(tag, code=code, expunges=request.uid)


async def _tell_all(session: "Session", selected: Selected, uids: Sequence[int]) -> None:
    """The flags that messages have now, changed or not, "as if a FETCH of those flags was done" (RFC 9051 §6.4.6)."""
    mine, theirs = selected.mine, selected.flags
    for at in range(0, len(uids), news.CHUNK):
        if at:
            await session.flush_large()
            await trio.lowlevel.checkpoint()
        some = uids[at : at + news.CHUNK]
        if not all(uid in mine or uid in theirs for uid in some):
            await session.app.store.bring_view(*selected.ref)
        session.say(_flags_now(session, selected, some))


def _flags_now(session: "Session", selected: Selected, uids: Sequence[int]) -> bytes:
    mine, theirs = selected.mine, selected.flags

    def shown() -> Iterator[news.Shown]:
        view = None
        for uid in uids:
            changed = mine.get(uid) or theirs.pop(uid, None)
            if changed is not None:
                one, modseq = changed
                yield uid, one.flags, one.keywords, modseq
                continue
            if view is None:
                with session.app.store.read() as tx:
                    view = selected.view(session.app.store, tx)
            if (there := view.index(uid)) is not None:
                yield uid, view.flags[there], view.keywords.get(uid, ()), view.modseqs[there]

    return news.flags_lines(session, selected, shown())


async def _tell_modseqs(session: "Session", selected: Selected) -> None:
    """With .SILENT the new modification sequences are told all the same (RFC 7162 §3.1.3)."""
    form = b"* %d UIDFETCH (MODSEQ (%d))\r\n" if session.uid_only else b"* %d FETCH (UID %d MODSEQ (%d))\r\n"
    mine = sorted(selected.mine.items())
    for at in range(0, len(mine), news.CHUNK):
        lines = []
        for uid, (_, modseq) in mine[at : at + news.CHUNK]:
            number = selected.number(uid)
            if number is not None:
                lines.append(form % ((uid, modseq) if session.uid_only else (number, uid, modseq)))
        session.say(b"".join(lines))
        await session.flush_large()
        await trio.lowlevel.checkpoint()


async def expunge(session: "Session", tag: str, request: command.Expunge) -> None:
    """EXPUNGE and UID EXPUNGE: only what has \\Deleted and was told to this client."""
    selected = session.mailbox
    if selected.read_only:
        session.no(tag, "the mailbox was opened read-only")
        return
    uids: Sequence[int] = selected.uids
    if request.uids is not None:
        uids = selected.uids_of(selected.ranges(request.uids, uid=True))
    with session.app.store.read() as tx:
        uids = selected.deleted(session.app.store, tx, uids)
    try:
        await messages.expunge(session.app, session.account, selected.ref, uids, session.subscription)
    except NoSuchMailbox:
        pass
    session.done_with_modseq(tag)
