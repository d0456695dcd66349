"""Telling a client what happened, in the order that keeps its message numbers right.

New messages and flags may be told with any command; removals not with FETCH, STORE and SEARCH by number, whose
numbers would lose their meaning (RFC 9051 §7.5.1). What a client that used NOTIFY hears of is for `notify` to say.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import trio

from appliance.operations import sharing
from appliance.protocol.imap import response
from appliance.servers.imap import mailbox, replies
from appliance.servers.imap.notify import Aside, say_name
from appliance.servers.imap.selected import Selected
from appliance.store import acl
from appliance.store.changes import (
    Change,
    Flagged,
    FlagsChanged,
    MailboxMended,
    MessagesAdded,
    RightsChanged,
    SeenChanged,
    Subscription,
)
from appliance.store.problems import NoSuchMailbox
from appliance.store.records import DELETED, Mailbox, Rights
from appliance.store.seen import Own
from appliance.store.tables import Table, mailbox_key

if TYPE_CHECKING:
    from appliance.servers.imap.session import Session
    from appliance.store.view import View

#: Messages whose flags, or removal, are told at once: a millisecond or two.
CHUNK: Final = 1000
#: News, each of a few thousand messages at most, that are taken at once.
_PORTION: Final = 4
_RENUMBERED: Final = "messages of the selected mailbox have other UIDs now, select it again"


def collect(session: "Session") -> None:
    """Take all news: of the selected mailbox it waits there to be told, of others in `session.aside` and `.watch`."""
    subscription, selected = session.subscription, session.selected
    if subscription is None:
        return
    if session.watch is not None and session.watch.collect():
        _overflow(session)
    listener = None if selected is None else selected.listener
    if listener is not None and listener.pending:
        _collect(session, listener, selected)
    if subscription.pending:
        _collect(session, subscription, selected if listener is None else None)


async def take_in(session: "Session") -> None:
    """As `collect`, leaving turns to others when there is very much."""
    subscription, selected = session.subscription, session.selected
    if subscription is None:
        return
    if selected is None or selected.listener is None:
        await _take_in(session, subscription, selected)
    else:
        await _take_in(session, selected.listener, selected)
        await _take_in(session, subscription, None)


async def _take_in(session: "Session", subscription: Subscription, selected: Selected | None) -> None:
    if subscription.overflowed and selected is not None:
        await session.app.store.bring_view(*selected.ref)  # There it is looked for what was missed.
    while subscription.waits > _PORTION:
        _collect(session, subscription, selected, most=_PORTION)
        await trio.lowlevel.checkpoint()


def _collect(
    session: "Session", subscription: Subscription, selected: Selected | None, most: int | None = None
) -> None:
    """Take news of one account; `selected` only if that mailbox is one of it."""
    overflowed = subscription.overflowed
    waiting = subscription.take(most)
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
                shown = _as_read(session, selected, change)  # type: ignore[arg-type]
                selected.note(shown, own=own, messages=messages, flags=flags)  # type: ignore[union-attr]
                if isinstance(change, MailboxMended) and change.renumbered:
                    session.leave(_RENUMBERED)
            if shared and isinstance(change, RightsChanged) and change.mailbox == selected.id:  # type: ignore[union-attr]
                _look_at_rights(session, selected)  # type: ignore[arg-type]
        if session.watch is not None and not shared:
            session.watch.note_subscriptions(one.changes)
        if not own and not shared:
            session.aside.note(
                one.changes, wanted, lists=session.hears_lists, rev2=session.rev2, metadata=session.metadata
            )
        if concerned:
            selected.modseq = one.modseq  # type: ignore[union-attr]
    if selected is None:
        subscription.acknowledge(max(one.modseq for one in waiting))
    elif wanted is not None and wanted.delayed and len(selected.gone) > wanted.DELAYED_REMOVALS:
        _overflow(session)


def _as_read(session: "Session", selected: Selected, change: Change) -> Change:
    """News as they are for a client that has a \\Seen of its own, as it is now: if that is later, it is told again.

    That of another reader is nobody else's business (RFC 7162 §3.1.4.2, Example 14).
    """
    if selected.reader is None:
        return change
    match change:
        case SeenChanged(mailbox, modseq, reader, messages) if reader == selected.reader:
            change = FlagsChanged(mailbox, modseq, messages)
        case MessagesAdded() | FlagsChanged():
            pass
        case _:
            return change
    with session.app.store.read() as tx:
        own = Own(tx, selected.ref, selected.reader)
        seen = tuple(Flagged(one.uid, one.id, own.shown(one.uid, one.flags), one.keywords) for one in change.messages)
    return replace(change, messages=seen)


def _look_at_rights(session: "Session", selected: Selected) -> None:
    """The rights on the selected mailbox, another account's, may be others now (RFC 4314 §5.1.1).

    Who may not read it any more is sent away: that is what all clients understand, and they come back without it. So is
    who has been given a \\Seen of his own, or lost it: when he comes back he is told all flags anew.
    """
    with session.app.store.read() as tx:
        rights = acl.rights(tx, session.account.account, selected.ref)
        if not rights & Rights.READ:
            session.leave("the selected mailbox is not shared with you any more")
        elif (turned := tx.mailbox(*selected.ref).own_seen_modseq) != selected.turned:
            selected.missed = selected.missed or turned  # The client must not believe that it has been told of this.
            session.leave("flags of the selected mailbox have changed their meaning, select it again")
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
            changed, selected.flags = selected.flags, {}
            # Of the many that have just come, some may have other flags by now: those must not be told before these.
            if selected.many or len(changed) > CHUNK:
                selected.many |= changed
            else:
                session.say(_lines(session, selected, changed, sorted(changed)))
        selected.leaving = expunges and len(selected.gone) > CHUNK
        if selected.gone and expunges and not selected.leaving:
            _tell_gone(session, selected, sorted(selected.gone))
        _acknowledge(session, selected)
    if session.aside:
        _tell_aside(session)
    if session.watch is not None:
        session.watch.tell()


def _acknowledge(session: "Session", selected: Selected) -> None:
    subscription = selected.listener or session.subscription
    if not selected.gone and subscription is not None:
        # Only now may the content of what is gone be erased.
        subscription.acknowledge(selected.modseq)


def _tell_gone(session: "Session", selected: Selected, gone: Sequence[int]) -> None:
    numbers, uids = selected.remove(gone)
    if session.qresync or session.uid_only:
        session.say(response.vanished(uids))
    else:
        session.say(b"".join([b"* %d EXPUNGE\r\n" % number for number in numbers]))


async def tell_many(session: "Session") -> None:
    """Say what `tell` left of very many messages: others have their turns meanwhile."""
    while session.watch is not None and session.watch.is_left:
        session.watch.tell()
        await session.flush_large()
        await trio.lowlevel.checkpoint()
    selected = session.selected
    if selected is None:
        return
    if selected.leaving:
        selected.leaving = False
        gone = sorted(selected.gone)
        for stop in range(len(gone), 0, -CHUNK):
            _tell_gone(session, selected, gone[max(0, stop - CHUNK) : stop])
            await session.flush_large()
            await trio.lowlevel.checkpoint()
        _acknowledge(session, selected)
    if selected.many:
        many, selected.many = selected.many, {}
        uids = sorted(many)
        for at in range(0, len(uids), CHUNK):
            session.say(_lines(session, selected, many, uids[at : at + CHUNK]))
            await session.flush_large()
            await trio.lowlevel.checkpoint()


def is_left(session: "Session") -> bool:
    """Whether `tell` left something."""
    selected, watch = session.selected, session.watch
    if watch is not None and watch.is_left:
        return True
    return selected is not None and bool(selected.leaving or selected.many or selected.fresh)


def _lines(
    session: "Session", selected: Selected, changed: Mapping[int, tuple[Flagged, int]], uids: Iterable[int]
) -> bytes:
    """Lines with the flags of some of the messages, of those that have a number."""
    found = ((uid, *changed[uid]) for uid in uids)
    return flags_lines(session, selected, ((uid, one.flags, one.keywords, modseq) for uid, one, modseq in found))


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
        new = {one.uid: (one, modseq) for one, modseq, _ in added}
        if len(new) > CHUNK:
            selected.many |= new
        else:
            lines.append(_lines(session, selected, new, new))
    session.say(b"".join(lines))


def tell_keywords(session: "Session", selected: Selected) -> None:
    """Say which flags there are now, before messages have them."""
    if selected.keywords is not None:
        session.say(flag_lines(selected, selected.keywords))
        selected.keywords = None


#: A message's UID, flags, keywords and modification sequence.
Shown = tuple[int, int, tuple[str, ...], int]


def flags_lines(session: "Session", selected: Selected, messages: Iterable[Shown]) -> bytes:
    """`* n FETCH (UID u FLAGS (...))` of each message that has a number, best in the order of the mailbox."""
    uids, last, uid_only = selected.uids, selected.last, session.uid_only
    texts, with_modseq, at = replies.FLAG_TEXTS, session.condstore, -1
    head = b"* %d UIDFETCH (FLAGS (%b)" if uid_only else b"* %d FETCH (UID %d FLAGS (%b)"
    lines = []
    for uid, bits, keywords, modseq in messages:
        if uid > last:
            continue
        flags = replies.flags(bits, keywords) if keywords else texts[bits]
        if uid_only:
            lines.append(head % (uid, flags))
        else:
            at += 1
            if at >= len(uids) or uids[at] != uid:
                at = bisect_left(uids, uid)
                if uids[at] != uid:
                    continue
            lines.append(head % (at + 1, uid, flags))
        lines.append(b" MODSEQ (%d))\r\n" % modseq if with_modseq else b")\r\n")
    return b"".join(lines)


def lines_of(
    session: "Session", selected: Selected, view: "View", uids: Iterable[int], *, gone_modseq: int | None = None
) -> bytes:
    """The lines with the flags that messages have in a view.

    Those that are not there are left out, or shown with \\Deleted and this modification sequence.
    """

    def shown() -> Iterator[Shown]:
        there, flags, modseqs, keywords, at = view.uids, view.flags, view.modseqs, view.keywords, -1
        for uid in uids:
            at += 1
            if at >= len(there) or there[at] != uid:
                at = bisect_left(there, uid)
            if at < len(there) and there[at] == uid:
                yield uid, flags[at], keywords.get(uid, ()), modseqs[at]
            elif gone_modseq is not None:
                yield uid, DELETED, (), gone_modseq

    return flags_lines(session, selected, shown())


def flag_lines(selected: Selected, keywords: tuple[str, ...]) -> bytes:
    """FLAGS, and PERMANENTFLAGS as far as the client's rights go (RFC 4314 §5.1.1)."""
    words = replies.flags(0, keywords).decode()
    known = f"{replies.SYSTEM_FLAGS} {words}".rstrip()
    allowed = sharing.flags_allowed(0 if selected.read_only else selected.rights)
    permanent = replies.flags(replies.ALL_FLAGS & allowed.bits, ()).decode()
    if allowed.keywords:
        permanent = f"{permanent} {words}".rstrip() + " \\*"
    return f"* FLAGS ({known})\r\n* OK [PERMANENTFLAGS ({permanent})] permanent flags\r\n".encode()


def _tell_aside(session: "Session") -> None:
    """What others did to mailboxes, and in those that are not selected."""
    aside, session.aside = session.aside, Aside()
    account, wanted = session.account.account, session.notify
    with session.app.store.read() as tx:
        for name, (old_name, event) in aside.names.items():
            if (
                wanted is None
                or event in wanted.events(session, tx, name)
                or (old_name and event in wanted.events(session, tx, old_name))
            ):
                say_name(session, tx, name, old_name)
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


def _look_again(session: "Session", subscription: Subscription, selected: Selected | None) -> None:
    """There was more news than is kept.

    What changed in the selected mailbox is found in the store: better than to fall silent, as then the client would
    have to select it again. What happened elsewhere is lost; to a client that asked for it that must be said.
    """
    with session.app.store.read() as tx:
        modseq = tx.account(subscription.account).modseq
        if selected is not None:
            selected.missed = selected.missed or selected.modseq + 1
            selected.modseq = modseq
            record = tx.record(Table.MAILBOX, mailbox_key(*selected.ref), Mailbox)
            if record is not None and record.uid_validity != selected.uid_validity:
                session.leave(_RENUMBERED)
            elif session.notify is None:
                selected.catch_up(session.app.store, tx)
    if selected is not None and selected.listener is not None:
        _look_at_rights(session, selected)
    session.aside = Aside()
    if session.notify is not None and session.notify.pushes:
        _overflow(session)
    subscription.resume(modseq if selected is None else subscription.acknowledged)


def _overflow(session: "Session") -> None:
    """More than this client may have waiting: from now on it hears of nothing (RFC 5465 §5.8)."""
    session.say(b"* OK [NOTIFICATIONOVERFLOW] too much happened, ask again\r\n")
    session.stop_notifying()
