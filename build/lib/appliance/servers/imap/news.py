"""Telling a client what happened, in the order that keeps its message numbers right (I-165 to I-167).

New messages and flags may be told with any command; removals not with FETCH, STORE and SEARCH by number, whose
numbers would lose their meaning (RFC 9051 §7.5.1).
"""

from typing import TYPE_CHECKING

from appliance.protocol.imap import response
from appliance.servers.imap import replies
from appliance.servers.imap.selected import Selected
from appliance.store import mailbox as stored
from appliance.store.changes import (
    Change,
    Flagged,
    MailboxAdded,
    MailboxRemoved,
    MailboxRenamed,
    SubscriptionChanged,
)
from appliance.store.tables import MessageID, Table, subscription_key

if TYPE_CHECKING:
    from appliance.servers.imap.session import Session
    from appliance.store.view import View


def collect(session: "Session") -> None:
    """Take all news; those of the selected mailbox wait there to be told, those of mailboxes are said at once."""
    subscription = session.subscription
    if subscription is None or not subscription.pending:
        return
    overflowed = subscription.overflowed
    waiting = subscription.take()
    if overflowed:
        _look_again(session)
        return
    selected = session.selected
    for one in waiting:
        own = one.origin is subscription
        # What was in the mailbox when it was selected is no news, though it comes only now.
        concerned = selected is not None and one.modseq > selected.modseq
        for change in one.changes:
            number = getattr(change, "mailbox", None)
            if concerned and number == selected.id:  # type: ignore[union-attr]
                selected.note(change, own=own)  # type: ignore[union-attr]
            if not own:
                _tell_mailbox(session, change)
        if concerned:
            selected.modseq = one.modseq  # type: ignore[union-attr]
    if selected is None:
        subscription.acknowledge(max(one.modseq for one in waiting))


def tell(session: "Session", *, expunges: bool = True) -> None:
    """Say what is new; with `expunges` also which messages are gone."""
    collect(session)
    selected, subscription = session.selected, session.subscription
    if selected is None or subscription is None:
        return
    selected.mine = {}
    tell_keywords(session, selected)
    if selected.added:
        lines = [flags_line(session, number, one, modseq) for number, one, modseq in selected.add()]
        if lines:
            recent = b"" if session.rev2 else b"* 0 RECENT\r\n"
            session.say(b"* %d EXISTS\r\n%b%b" % (len(selected), recent, b"".join(lines)))
    if selected.flags:
        found, selected.flags = selected.flags, {}
        places = ((selected.index(uid), one) for uid, one in sorted(found.items()))
        session.say(b"".join([flags_line(session, at + 1, *one) for at, one in places if at is not None]))
    if selected.gone:
        if not expunges:
            return
        session.say(b"".join([b"* %d EXPUNGE\r\n" % number for number in selected.remove()]))
    # Only now may the content of what is gone be erased (I-176).
    subscription.acknowledge(selected.modseq)


def tell_keywords(session: "Session", selected: Selected) -> None:
    """Say which flags there are now, before messages have them."""
    if selected.keywords is not None:
        session.say(flag_lines(selected.keywords, read_only=selected.read_only))
        selected.keywords = None


def flags_line(session: "Session", number: int, one: Flagged, modseq: int) -> bytes:
    """`* n FETCH (UID u FLAGS (...))`."""
    shown = replies.flags(one.flags, one.keywords)
    if session.condstore:
        return b"* %d FETCH (UID %d FLAGS (%b) MODSEQ (%d))\r\n" % (number, one.uid, shown, modseq)
    return b"* %d FETCH (UID %d FLAGS (%b))\r\n" % (number, one.uid, shown)


def flag_lines(keywords: tuple[str, ...], *, read_only: bool) -> bytes:
    """FLAGS and PERMANENTFLAGS (I-85)."""
    words = replies.flags(0, keywords).decode()
    known = f"{replies.SYSTEM_FLAGS} {words}".rstrip()
    permanent = "" if read_only else f"{known} \\*"
    return f"* FLAGS ({known})\r\n* OK [PERMANENTFLAGS ({permanent})] permanent flags\r\n".encode()


def _tell_mailbox(session: "Session", change: Change) -> None:
    """What others did to mailboxes (I-167)."""
    match change:
        case MailboxAdded(record, _):
            session.say(_listing(session, record.name))
        case MailboxRenamed(_, old_name, name, _):
            extended = b'("OLDNAME" (%b))' % session.name(old_name) if session.rev2 else b""
            session.say(_listing(session, name, extended=extended))
        case MailboxRemoved(_, name, _) if session.rev2:
            session.say(_listing(session, name, ["\\NonExistent"]))
        case SubscriptionChanged(name, _) if session.rev2:
            session.say(_listing(session, name))


def _listing(session: "Session", name: str, attributes: list[str] | None = None, *, extended: bytes = b"") -> bytes:
    found = list(attributes or ())
    with session.app.store.read() as tx:
        if tx.get(Table.SUBSCRIPTION, subscription_key(session.account.account, name)) is not None:
            found.append("\\Subscribed")
        if attributes is None and stored.find(tx, session.account.account, name) is None:
            found.insert(0, "\\NonExistent")
    return response.listing(found, session.name(name), extended)


def _look_again(session: "Session") -> None:
    """There was more news than is kept: what changed is found by comparing with the store (I-165).

    Better than to fall silent, as then the client would have to select the mailbox again.
    """
    subscription, selected = session.subscription, session.selected
    assert subscription is not None
    with session.app.store.read() as tx:
        modseq = tx.account(subscription.account).modseq
        if selected is None:
            subscription.resume(modseq)
            return
        view = selected.view(session.app.store, tx)
        _compare(selected, dict(zip(view.uids, range(len(view)), strict=True)), view)
    selected.modseq = modseq
    subscription.overflowed = False  # `tell` acknowledges once all is told.


def _compare(selected: Selected, there: dict[int, int], view: "View") -> None:
    last = selected.uids[-1] if selected.uids else 0
    selected.added, selected.flags = [], {}
    for uid in selected.uids:
        if uid not in there:
            selected.gone.setdefault(uid, MessageID(0))
    for uid, at in there.items():
        changed = view.modseqs[at]
        if uid > last or changed > selected.modseq:
            one = Flagged(uid, MessageID(view.ids[at]), view.flags[at], view.keywords.get(uid, ()))
            if uid > last:
                selected.added.append((one, changed))
            else:
                selected.flags[uid] = one, changed
