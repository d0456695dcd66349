"""Opening and leaving mailboxes: SELECT, EXAMINE, CLOSE, UNSELECT."""

from typing import TYPE_CHECKING, Final

from appliance.operations import messages, sharing
from appliance.protocol.imap import command, response
from appliance.protocol.imap.lexer import CommandError
from appliance.servers.imap import news, resync
from appliance.servers.imap.selected import Selected
from appliance.store import objectid, seen
from appliance.store.problems import NoPermission, NoSuchMailbox
from appliance.store.records import Rights
from appliance.store.view import INLINE_MESSAGES

if TYPE_CHECKING:
    from appliance.servers.imap.session import Session

#: One of these makes a mailbox READ-WRITE (RFC 4314 §5.2).
#: Lenient: who has a \\Seen of his own, and may set nothing else, should hear READ-ONLY. Then mail programs would not
#: even try to set it, and Python's imaplib refuses to go on.
_WRITE: Final = int(Rights.SEEN | Rights.WRITE | Rights.INSERT | Rights.DELETE_MESSAGES | Rights.EXPUNGE)


async def select(session: "Session", tag: str, request: command.Select) -> None:
    """SELECT and EXAMINE. A failed one leaves nothing selected."""
    known = request.qresync
    if known is not None:
        if not session.qresync:
            raise CommandError("BAD", "QRESYNC is not enabled")
        if known.sequence_match is not None and session.uid_only:
            raise CommandError("BAD", "only UIDs are used here", code="UIDREQUIRED")
    news.collect(session)
    if session.selected is not None:
        session.say(response.untagged("OK", "previous mailbox closed", "CLOSED"))
        session.selected = None
    store, actor = session.app.store, session.account.account
    with store.read() as tx:
        access = sharing.resolve(tx, actor, request.mailbox).require(Rights.READ)
    account, found = access.ref
    if access.mailbox.messages > INLINE_MESSAGES:
        await store.bring_view(*access.ref)
    with store.read() as tx:
        # All of one moment; news up to it is told by what follows.
        record = tx.mailbox(account, found)
        rights = sharing.rights_of(tx, actor, access.ref, Rights.READ)
        modseq = tx.account(account).modseq
        reader = seen.reader(record, account, actor)
        view = store.view_now(tx, account, record, reader=reader)
        uids = view.uids[:]
        unseen_there = seen.unseen(tx, record, access.ref, reader)
        selected = Selected(
            access.ref,
            access.name if access.shared else record.name,
            read_only=request.read_only,
            uids=uids,
            modseq=modseq,
            rights=rights,
            reader=reader,
            turned=record.own_seen_modseq if access.shared else 0,
        )
        selected.uid_validity = record.uid_validity
        if session.uid_only:
            selected.give_up_numbers()
        missed = b""
        changed: list[int] = []
        if known is not None and known.uid_validity == record.uid_validity:
            vanished, changed, out_of_step = resync.since(tx, selected, record, view, known)
            if out_of_step:
                missed = response.untagged("OK", "your copy of this mailbox was out of step, all is told anew", "ALERT")
            missed += response.vanished_ranges(vanished, earlier=True)
            # Of this very moment, as the client must learn the UIDs of all numbers.
            missed += news.lines_of(session, selected, view, changed[: news.CHUNK])
        if access.shared:
            selected.listener = store.feed.subscribe(account, modseq, session.subscription)
    if request.condstore:
        session.enable_condstore()
    session.selected = selected
    lines = [news.flag_lines(selected, record.keywords)]
    lines.append(b"* %d EXISTS\r\n" % len(uids))
    if not session.rev2:
        lines.append(b"* 0 RECENT\r\n")
        # A message number, which means nothing with UIDONLY.
        if not session.uid_only and unseen_there and (unseen := view.first_unseen()) is not None:
            lines.append(b"* OK [UNSEEN %d] first unseen\r\n" % (unseen + 1))
    lines.append(b"* OK [UIDVALIDITY %d] valid\r\n" % record.uid_validity)
    lines.append(b"* OK [UIDNEXT %d] next\r\n" % record.uid_next)
    # RFC 8474 §4.2
    lines.append(b"* OK [MAILBOXID (%b)] same\r\n" % objectid.mailbox(account, record.id).encode())
    if session.rev2:
        lines.append(response.listing([], session.name(selected.name)))
    if session.condstore:
        lines.append(b"* OK [HIGHESTMODSEQ %d] highest\r\n" % record.modseq)
    session.say(b"".join(lines))
    session.say(missed)
    await resync.tell(session, selected, changed[news.CHUNK :])
    if session.uid_only:
        selected.close()
    session.ok(tag, "selected", "READ-WRITE" if not request.read_only and rights & _WRITE else "READ-ONLY")


def highest_modseq(session: "Session", selected: Selected) -> int:
    """The modification sequence of the selected mailbox, as far as this client was told (RFC 7162 §3.1.2.1)."""
    return min(_modseq(session, selected), selected.told_modseq)


def is_behind(session: "Session", selected: Selected) -> bool:
    """Whether this client may have seen a modseq that is higher than that of a removal it was not told of."""
    return _modseq(session, selected) > selected.told_modseq


def _modseq(session: "Session", selected: Selected) -> int:
    with session.app.store.read() as tx:
        try:
            return tx.mailbox(selected.account, selected.id).modseq
        except NoSuchMailbox:
            return selected.modseq


async def close(session: "Session", tag: str, _: command.Close) -> None:
    """CLOSE: messages with \\Deleted go silently."""
    selected = session.mailbox
    session.selected = None
    if selected.may(Rights.EXPUNGE):
        with session.app.store.read() as tx:
            uids = selected.deleted(session.app.store, tx, selected.uids)
        try:
            await messages.expunge(session.app, session.account, selected.ref, uids, session.subscription)
        except (NoSuchMailbox, NoPermission):
            pass  # Somebody removed it, and all its messages with it; or may not be disturbed (RFC 4314 §4).
    session.done(tag)


async def unselect(session: "Session", tag: str, _: command.Unselect) -> None:
    """UNSELECT: nothing goes (RFC 3691)."""
    session.selected = None
    session.done(tag)
