"""Opening and leaving mailboxes: SELECT, EXAMINE, CLOSE, UNSELECT (I-85 to I-90)."""

from typing import TYPE_CHECKING

from appliance.operations import messages
from appliance.protocol.imap import command, response
from appliance.servers.imap import news
from appliance.servers.imap.selected import Selected
from appliance.store import mailbox as mailboxes
from appliance.store.problems import NoSuchMailbox

if TYPE_CHECKING:
    from appliance.servers.imap.session import Session


async def select(session: "Session", tag: str, request: command.Select) -> None:
    """SELECT and EXAMINE. A failed one leaves nothing selected (I-87)."""
    if session.selected is not None:
        session.say(response.untagged("OK", "previous mailbox closed", "CLOSED"))
        session.selected = None
    store, account = session.app.store, session.account.account
    with store.read() as tx:
        found = mailboxes.find(tx, account, request.mailbox)
    if found is None:
        raise NoSuchMailbox("no such mailbox")
    await store.view(account, found)
    # From here to the end without an await: record, view and the news that follow must be of one moment.
    _forget_news(session)
    with store.read() as tx:
        record = tx.mailbox(account, found.id)
        view = store.view_now(tx, account, record)
        subscription = session.subscription
        assert subscription is not None
        selected = Selected(
            record.id, record.name, read_only=request.read_only, uid_validity=record.uid_validity, view=view
        )
        unseen = None if session.rev2 or not record.unseen else view.first_unseen()
    session.selected = selected
    session.say(news.flag_lines(record.keywords, read_only=request.read_only))
    session.say(b"* %d EXISTS\r\n" % len(selected))
    if not session.rev2:
        session.say(b"* 0 RECENT\r\n")
        if unseen is not None:
            session.say(b"* OK [UNSEEN %d] first unseen\r\n" % (unseen + 1))
    session.say(b"* OK [UIDVALIDITY %d] valid\r\n* OK [UIDNEXT %d] next\r\n" % (record.uid_validity, record.uid_next))
    if session.rev2:
        session.say(response.listing([], session.name(record.name)))
    session.ok(tag, "selected", "READ-ONLY" if request.read_only else "READ-WRITE")


def _forget_news(session: "Session") -> None:
    """What is waiting is older than the view that is about to be taken, or part of it."""
    subscription = session.subscription
    assert subscription is not None
    waiting = subscription.take()
    if subscription.overflowed:
        with session.app.store.read() as tx:
            subscription.resume(tx.account(subscription.account).modseq)
    elif waiting:
        subscription.acknowledge(waiting[-1].modseq)


async def close(session: "Session", tag: str, _: command.Close) -> None:
    """CLOSE: messages with \\Deleted go silently (I-90)."""
    selected = session.mailbox
    session.selected = None
    if not selected.read_only:
        await messages.expunge(session.app, session.account, selected.id, selected.uids, session.subscription)
    session.ok(tag)


async def unselect(session: "Session", tag: str, _: command.Unselect) -> None:
    """UNSELECT: nothing goes (RFC 3691)."""
    session.selected = None
    session.ok(tag)
