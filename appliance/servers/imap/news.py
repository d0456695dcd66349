"""Telling a client what others did, and what became of its own commands (I-165 to I-167)."""

from typing import TYPE_CHECKING

from appliance.protocol.imap import response
from appliance.servers.imap import replies
from appliance.store.changes import (
    Flagged,
    FlagsChanged,
    MailboxKeywords,
    MailboxRemoved,
    MessagesAdded,
    MessagesRemoved,
    News,
)

if TYPE_CHECKING:
    from appliance.servers.imap.session import Session


def tell(session: "Session") -> None:
    """Say all that is new of the selected mailbox, and acknowledge it."""
    subscription = session.subscription
    if subscription is None or not subscription.pending:
        return
    overflowed = subscription.overflowed
    waiting = subscription.take()
    if overflowed:
        _look_again(session)
        return
    for one in waiting:
        _tell(session, one)
    if waiting:
        subscription.acknowledge(waiting[-1].modseq)


def _tell(session: "Session", one: News) -> None:
    selected = session.selected
    if selected is None:
        return
    for change in one.changes:
        if getattr(change, "mailbox", None) != selected.id:
            continue
        match change:
            case MessagesAdded(_, _, messages):
                if selected.add(message.uid for message in messages):
                    session.say(b"* %d EXISTS\r\n" % len(selected))
                    if not session.rev2:
                        session.say(b"* 0 RECENT\r\n")
                    for message in messages:
                        session.say(fetch_flags(session, message))
            case FlagsChanged(_, _, messages):
                if one.origin is not session.subscription:  # Own changes were answered by their command.
                    for message in messages:
                        session.say(fetch_flags(session, message))
            case MessagesRemoved(_, _, uids, _):
                for number in selected.remove(uids):
                    session.say(b"* %d EXPUNGE\r\n" % number)
            case MailboxKeywords(_, keywords, _):
                session.say(flag_lines(keywords, read_only=selected.read_only))
            case MailboxRemoved():
                # Nothing can be done in it any more; RFC 9051 has no better way than to leave it empty.
                session.say(response.untagged("OK", "the selected mailbox was removed", "ALERT"))
    selected.modseq = max(selected.modseq, one.modseq)


def fetch_flags(session: "Session", message: Flagged) -> bytes:
    """`* n FETCH (UID u FLAGS (...))`; empty for a message without a number here."""
    at = session.mailbox.index(message.uid)
    if at is None:
        return b""
    return b"* %d FETCH (UID %d FLAGS (%b))\r\n" % (
        at + 1,
        message.uid,
        replies.flags(message.flags, message.keywords),
    )


def flag_lines(keywords: tuple[str, ...], *, read_only: bool) -> bytes:
    """FLAGS and PERMANENTFLAGS (I-85)."""
    words = replies.flags(0, keywords).decode()
    known = f"{replies.SYSTEM_FLAGS} {words}".rstrip()
    permanent = "" if read_only else f"{known} \\*"
    return f"* FLAGS ({known})\r\n* OK [PERMANENTFLAGS ({permanent})] permanent flags\r\n".encode()


def _look_again(session: "Session") -> None:
    """The queue was dropped: what changed is found by comparing with the store."""
    subscription, selected = session.subscription, session.selected
    assert subscription is not None
    with session.app.store.read() as tx:
        modseq = tx.account(subscription.account).modseq
        if selected is not None:
            record = tx.mailbox(subscription.account, selected.id)
            view = session.app.store.view_now(tx, subscription.account, record)
            alive = set(view.uids)
            for number in selected.remove([uid for uid in selected.uids if uid not in alive]):
                session.say(b"* %d EXPUNGE\r\n" % number)
            if selected.add(view.uids):
                session.say(b"* %d EXISTS\r\n" % len(selected))
            for at, changed in enumerate(view.modseqs):
                if changed > selected.modseq:
                    words = view.keywords.get(view.uids[at], ())
                    found = Flagged(view.uids[at], view.ids[at], view.flags[at], words)  # type: ignore[arg-type]
                    session.say(fetch_flags(session, found))
            selected.modseq = view.modseq
    subscription.resume(modseq)
