"""Telling a client what happened, in the order that keeps its message numbers right (I-165 to I-167).

New messages and flags may be told with any command; removals not with FETCH, STORE and SEARCH by number, whose
numbers would lose their meaning (RFC 9051 §7.5.1). What a client that used NOTIFY hears of is for `notify` to say.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import trio

from appliance.operations import sharing
from appliance.protocol.imap import response
from appliance.servers.imap import mailbox, replies
from appliance.servers.imap.notify import Aside
from appliance.servers.imap.selected import Selected
from appliance.store import acl, mailbox as stored
from appliance.store.changes import Flagged, RightsChanged, Subscription
from appliance.store.problems import NoSuchMailbox
from appliance.store.records import Rights
from appliance.store.tables import Table, subscription_key
from appliance.store.transaction import ReadTx

if TYPE_CHECKING:
    from appliance.servers.imap.session import Session
    from appliance.store.view import View

#: Messages whose flags are told at once: a few milliseconds.
CHUNK: Final = 2000


def collect(session: "Session") -> None:
    """Take all news: of the selected mailbox it waits there to be told, of others in `session.aside`."""
    subscription, selected = session.subscription, session.selected
    if subscription is None:
        return
    listener = None if selected is None else selected.listener
    if listener is not None and listener.pending:
        _collect(session, listener, selected)
    if subscription.pending:
        _collect(session, subscription, selected if listener is None else None)


def _collect(session: "Session", subscription: Subscription, selected: Selected | None) -> None:
    """Take news of one account; `selected` only if that mailbox is one of it."""
    overflowed = subscription.overflowed
    waiting = subscription.take()
    if overflowed:
        _look_again(session, subscription, selected)
        return
    wanted = session.notify
    messages, flags = (True, True) if wanted is None else wanted.of_selected
    shared = selected is not None and selected.listener is not None
    for one in waiting:
        own = one.origin is session.subscription
        # What was in the mailbox when it was selected is no news, though it comes only now.
        concerned = selected is not None and one.modseq > selected.modseq
        for change in one.changes:
            if concerned and getattr(change, "mailbox", None) == selected.id:  # type: ignore[union-attr]
                selected.note(change, own=own, messages=messages, flags=flags)  # type: ignore[union-attr]
            if shared and isinstance(change, RightsChanged) and change.mailbox == selected.id:  # type: ignore[union-attr]
                _look_at_rights(session, selected)  # type: ignore[arg-type]
        if not own and not shared:
            session.aside.note(one.changes, wanted, rev2=session.rev2, metadata=session.metadata)
        if concerned:
            selected.modseq = one.modseq  # type: ignore[union-attr]
    if selected is None:
        subscription.acknowledge(max(one.modseq for one in waiting))
    elif wanted is not None and wanted.delayed and len(selected.gone) > wanted.DELAYED_REMOVALS:
        _overflow(session)


def _look_at_rights(session: "Session", selected: Selected) -> None:
    """The rights on the selected mailbox, another account's, may be others now (RFC 4314 §5.1.1).

    Who may not read it any more is sent away: that is what all clients understand, and they come back without it.
    """
    with session.app.store.read() as tx:
        rights = acl.rights(tx, session.account.account, selected.ref)
        if not rights & Rights.READ:
            session.leave("the selected mailbox is not shared with you any more")
        elif rights != selected.rights:
            selected.rights = rights
            selected.keywords = tx.mailbox(*selected.ref).keywords


def tell(session: "Session", *, expunges: bool = True) -> None:
    """Say what is new; with `expunges` also which messages are gone."""
    collect(session)
    selected, subscription = session.selected, session.subscription
    if subscription is None:
        return
    if selected is not None:
        selected.mine = {}
        tell_keywords(session, selected)
        if selected.added:
            _tell_added(session, selected)
        if selected.flags:
            changed = sorted(selected.flags.items())
            selected.flags = {}
            if len(changed) > CHUNK:
                selected.many += changed
            else:
                session.say(_lines(session, selected, changed))
        if selected.gone and expunges:
            numbers_gone, uids = selected.remove()
            if selected.many:
                removed = set(uids)
                selected.many = [one for one in selected.many if one[0] not in removed]
            if session.qresync or session.uid_only:
                session.say(response.vanished(uids))
            else:
                session.say(b"".join([b"* %d EXPUNGE\r\n" % number for number in numbers_gone]))
        if not selected.gone:
            # Only now may the content of what is gone be erased (I-176).
            (selected.listener or subscription).acknowledge(selected.modseq)
    if session.aside:
        _tell_aside(session)


async def tell_many(session: "Session") -> None:
    """Say the flags of very many messages that `tell` left: others have their turns meanwhile."""
    selected = session.selected
    if selected is None or not selected.many:
        return
    many, selected.many = selected.many, []
    for at in range(0, len(many), CHUNK):
        session.say(_lines(session, selected, many[at : at + CHUNK]))
        await session.flush_large()
        await trio.lowlevel.checkpoint()


def _lines(session: "Session", selected: Selected, changed: Iterable[tuple[int, tuple[Flagged, int]]]) -> bytes:
    """Lines with flags by UID, of messages that have a number."""
    numbers = ((selected.number(uid), one) for uid, one in changed)
    return b"".join([flags_line(session, number, *one) for number, one in numbers if number is not None])


def catch_up(session: "Session") -> None:
    """Say all that is new, what the client did not want to hear of included (RFC 5465 §3.1)."""
    collect(session)
    session.notify = None
    selected = session.selected
    if selected is not None and selected.missed:
        with session.app.store.read() as tx:
            modseq = tx.account(selected.account).modseq
            selected.catch_up(session.app.store, tx)
        selected.modseq = modseq
    tell(session)


def _tell_added(session: "Session", selected: Selected) -> None:
    added = selected.add()
    if not added:
        return
    wanted = session.notify
    recent = b"" if session.rev2 else b"* 0 RECENT\r\n"
    lines = [b"* %d EXISTS\r\n%b" % (len(selected), recent)]
    if wanted is not None and wanted.attributes:
        # Whoever put it there knows it (RFC 5465 §5.2).
        selected.fresh += [one.uid for one, _, own in added if not own]
    else:
        start = len(selected) - len(added) + 1
        for number, (one, modseq, _) in enumerate(added, start):
            lines.append(flags_line(session, one.uid if selected.uid_only else number, one, modseq))
    session.say(b"".join(lines))


def tell_keywords(session: "Session", selected: Selected) -> None:
    """Say which flags there are now, before messages have them."""
    if selected.keywords is not None:
        session.say(flag_lines(selected, selected.keywords))
        selected.keywords = None


def flags_line(session: "Session", number: int, one: Flagged, modseq: int) -> bytes:
    """`* n FETCH (UID u FLAGS (...))`."""
    return _line(session, number, one.uid, replies.flags(one.flags, one.keywords), modseq)


def _line(session: "Session", number: int, uid: int, flags: bytes, modseq: int) -> bytes:
    head = (
        b"* %d UIDFETCH (FLAGS (%b)" % (uid, flags)
        if session.uid_only
        else b"* %d FETCH (UID %d FLAGS (%b)"
        % (
            number,
            uid,
            flags,
        )
    )
    return head + (b" MODSEQ (%d))\r\n" % modseq if session.condstore else b")\r\n")


def lines_of(session: "Session", selected: Selected, view: "View", uids: Iterable[int]) -> bytes:
    """The lines with the flags that messages have in a view; without those that are not there or have no number."""
    lines = []
    for uid in uids:
        number, at = selected.number(uid), view.index(uid)
        if number is None or at is None:
            continue
        shown = replies.flags(view.flags[at], view.keywords.get(uid, ()))
        lines.append(_line(session, number, uid, shown, view.modseqs[at]))
    return b"".join(lines)


def flag_lines(selected: Selected, keywords: tuple[str, ...]) -> bytes:
    """FLAGS, and PERMANENTFLAGS as far as the client's rights go (I-85, RFC 4314 §5.1.1)."""
    words = replies.flags(0, keywords).decode()
    known = f"{replies.SYSTEM_FLAGS} {words}".rstrip()
    allowed = sharing.flags_allowed(0 if selected.read_only else selected.rights)
    permanent = replies.flags(replies.ALL_FLAGS & allowed.bits, ()).decode()
    if allowed.keywords:
        permanent = f"{permanent} {words}".rstrip() + " \\*"
    return f"* FLAGS ({known})\r\n* OK [PERMANENTFLAGS ({permanent})] permanent flags\r\n".encode()


def _tell_aside(session: "Session") -> None:
    """What others did to mailboxes, and in those that are not selected (I-167, I-170)."""
    aside, session.aside = session.aside, Aside()
    account, wanted = session.account.account, session.notify
    with session.app.store.read() as tx:
        for name, (old_name, event) in aside.names.items():
            if (
                wanted is None
                or event in wanted.events(session, tx, name)
                or (old_name and event in wanted.events(session, tx, old_name))
            ):
                _tell_name(session, tx, name, old_name)
        for number in sorted(aside.counted):
            if session.selected is not None and session.selected.ref == (account, number):
                continue
            try:
                record = tx.mailbox(account, number)
            except NoSuchMailbox:
                continue
            if wanted is not None and aside.counted[number] & wanted.events(session, tx, record.name):
                session.say(
                    mailbox.status_line(
                        session, sharing.of_owner(session.account, record), wanted.status_items(session)
                    )
                )
        for number, entry in aside.entries:
            name = ""
            if number:
                try:
                    name = tx.mailbox(account, number).name
                except NoSuchMailbox:
                    continue
            if wanted is None or wanted.wants_metadata(session, tx, name):
                shown = session.name(name) if name else b'""'
                session.say(b"* METADATA %b %b\r\n" % (shown, response.astring(entry.encode(), utf8=True)))


def _tell_name(session: "Session", tx: ReadTx, name: str, old_name: str) -> None:
    """LIST of a mailbox that was made, renamed, removed, or whose subscription changed (RFC 5465 §5.4, §5.5)."""
    account = session.account.account
    access = sharing.find(tx, account, name)
    record = access.shown if access is not None and access.rights & Rights.LOOKUP else None
    attributes = ["\\NonExistent"]
    if access is not None and access.shared and record is not None:
        attributes = []  # What is below it may be nothing for this client.
    elif access is not None and record is not None:
        children = stored.has_children(tx, *access.ref)
        attributes = ["\\HasChildren" if children else "\\HasNoChildren", *replies.roles(record.roles)]
    if tx.get(Table.SUBSCRIPTION, subscription_key(account, name)) is not None:
        attributes.append("\\Subscribed")
    # Without NOTIFY only those know OLDNAME who speak IMAP4rev2 (RFC 9051 §6.3.9.7).
    told = old_name and (session.rev2 or session.notify is not None)
    extended = b'("OLDNAME" (%b))' % session.name(old_name) if told else b""
    session.say(response.listing(attributes, session.name(name), extended))


def _look_again(session: "Session", subscription: Subscription, selected: Selected | None) -> None:
    """There was more news than is kept (I-165).

    What changed in the selected mailbox is found in the store: better than to fall silent, as then the client would
    have to select it again. What happened elsewhere is lost; to a client that asked for it that must be said.
    """
    if selected is not None and selected.listener is not None:
        _look_at_rights(session, selected)
    with session.app.store.read() as tx:
        modseq = tx.account(subscription.account).modseq
        if selected is not None:
            selected.missed = selected.missed or selected.modseq + 1
            selected.modseq = modseq
            if session.notify is None:
                selected.catch_up(session.app.store, tx)
    session.aside = Aside()
    if session.notify is not None and session.notify.pushes:
        _overflow(session)
    subscription.resume(modseq if selected is None else subscription.acknowledged)


def _overflow(session: "Session") -> None:
    """More than this client may have waiting: from now on it hears of nothing (RFC 5465 §5.8)."""
    session.say(b"* OK [NOTIFICATIONOVERFLOW] too much happened, ask again\r\n")
    session.stop_notifying()
