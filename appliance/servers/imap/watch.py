"""What NOTIFY watches of other accounts' mailboxes that are not selected (RFC 5465 §5.9, RFC 4314).

Each is told by the name the client has for it, as long as he may look it up and read it (RFC 5465 §5). Whenever rights
or names change, anywhere, those mailboxes are looked at again: one that is shared later is watched from then on, one
that is so no more is not. That it may be watched or not is told by LIST, with \\NoAccess.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import trio

from appliance.base.limits import PIPELINED, WATCHED_ACCOUNTS, WATCHED_MAILBOXES
from appliance.operations import sharing
from appliance.operations.sharing import Access
from appliance.protocol.imap.notify import MESSAGE_EVENTS
from appliance.servers.imap import mailbox
from appliance.servers.imap.notify import Notify, say_name
from appliance.store.changes import (
    Change,
    FlagsChanged,
    MailboxRenamed,
    MessagesAdded,
    MessagesRemoved,
    RightsChanged,
    SeenChanged,
    SubscriptionChanged,
)
from appliance.store.records import Rights
from appliance.store.tables import MailboxRef
from appliance.store.transaction import ReadTx

if TYPE_CHECKING:
    from appliance.servers.imap.session import Session

_NOTHING: Final[frozenset[str]] = frozenset()


class _Known(NamedTuple):
    """A mailbox that the client asked for and may look up."""

    #: As the client calls it.
    name: str
    #: He may read it, and there is room; otherwise he was told \\NoAccess.
    watched: bool
    #: When \\Seen was given another meaning there, which changes what the client has not seen.
    turned: int


class _Stirred(NamedTuple):
    """Something happened to a mailbox, so that it must be looked at again."""

    #: All of it was this client's doing.
    own: bool
    #: What its owner called it before; empty if it was not renamed.
    old_name: str


class _Looked(NamedTuple):
    """A mailbox as the client knew it, as he is to know it from now on, and as it is."""

    before: _Known | None
    now: _Known | None
    access: Access | None


class Watch:
    """Mailboxes of others that one client hears of."""

    def __init__(self, session: "Session", wanted: Notify) -> None:
        assert session.subscription is not None
        self._session = session
        self._wanted = wanted
        self._feed = session.app.store.feed
        self._news = self._feed.watch(session.subscription)
        self._known: dict[MailboxRef, _Known] = {}
        # What waits to be told, each mailbox once.
        self._stirred: dict[MailboxRef, _Stirred] = {}
        self._counted: dict[MailboxRef, frozenset[str]] = {}

    def close(self) -> None:
        """Stop listening."""
        self._news.close()

    async def begin(self, *, status: bool) -> None:
        """Watch what there is; `status`: say STATUS of it, but of the selected one (RFC 5465 §3.1)."""
        session = self._session
        with session.app.store.read() as tx:
            refs = [one.ref for one in sharing.shared(tx, session.account.account)]
        for at in range(0, len(refs), PIPELINED):
            if at:
                await session.flush_large()
                await trio.lowlevel.checkpoint()
            with session.app.store.read() as tx:
                for ref in refs[at : at + PIPELINED]:
                    access, events = self._find(tx, ref)
                    if access is None or not events:
                        continue
                    if not self._learn(ref, access).watched:
                        say_name(session, tx, access.name, lost=True)
                    elif status and events & MESSAGE_EVENTS and not self._is_selected(ref):
                        items = self._wanted.status_items(session, first="FLAGCHANGE" in events)
                        session.say(mailbox.status_line(session, access, items))

    def collect(self) -> bool:
        """Take news, to be told later; True if there was more of it than is kept."""
        if not self._news.pending:
            return False
        overflowed = self._news.overflowed
        reader = self._session.account.account
        for one in self._news.take():
            own = one.origin is self._session.subscription
            for change in one.changes:
                match change:
                    case RightsChanged(number):
                        self._stir(MailboxRef(one.account, number), own=own)
                    case MailboxRenamed(number, old_name, _, _):
                        self._stir(MailboxRef(one.account, number), own=own, old_name=old_name)
                    case MessagesAdded(number, _, _) if not own:
                        self._count(MailboxRef(one.account, number), "MESSAGENEW")
                    case MessagesRemoved(number, _, _, _) if not own:
                        self._count(MailboxRef(one.account, number), "MESSAGEEXPUNGE")
                    case FlagsChanged(number, _, _) if not own:
                        self._count(MailboxRef(one.account, number), "FLAGCHANGE")
                    case SeenChanged(number, _, whose, _) if not own and whose == reader:
                        self._count(MailboxRef(one.account, number), "FLAGCHANGE")
        return overflowed

    def note_subscriptions(self, changes: Sequence[Change]) -> None:
        """Names that were subscribed or are so no more, of which more or less is to be watched (RFC 5465 §6.4)."""
        names = [one.name for one in changes if isinstance(one, SubscriptionChanged)]
        names = [one for one in names if sharing.is_shared_name(one)]
        if names:
            with self._session.app.store.read() as tx:
                for name in names:
                    access = sharing.find(tx, self._session.account.account, name)
                    if access is not None:
                        self._stir(access.ref, own=True)  # LIST was told for another reason, or asked for.

    @property
    def is_left(self) -> bool:
        """Whether there is something to `tell`."""
        return bool(self._stirred or self._counted)

    def tell(self) -> None:
        """Say what happened, as far as the client may know it now; of many mailboxes a part."""
        if not self.is_left:
            return
        session = self._session
        with session.app.store.read() as tx:
            self._tell_stirred(tx)
            for ref in sorted(self._counted)[:PIPELINED]:
                happened = self._counted.pop(ref)
                access, events = self._find(tx, ref)
                if (
                    access is not None
                    and happened & events
                    and access.rights & Rights.READ
                    and not self._is_selected(ref)
                ):
                    session.say(mailbox.status_line(session, access, self._wanted.status_items(session)))

    def _is_selected(self, ref: MailboxRef) -> bool:
        return self._session.selected is not None and self._session.selected.ref == ref

    def _stir(self, ref: MailboxRef, *, own: bool, old_name: str = "") -> None:
        before = self._stirred.get(ref)
        if before is not None:
            own, old_name = own and before.own, before.old_name or old_name
        self._stirred[ref] = _Stirred(own, old_name)

    def _count(self, ref: MailboxRef, event: str) -> None:
        known = self._known.get(ref)
        # One that is stirred may be known in a moment.
        if (known is not None and known.watched) or ref in self._stirred:
            self._counted[ref] = self._counted.get(ref, _NOTHING) | {event}

    def _find(self, tx: ReadTx, ref: MailboxRef) -> tuple[Access | None, frozenset[str]]:
        """A mailbox if the client may look it up, and the events asked for there."""
        actor = self._session.account.account
        access = None if ref.account == actor else sharing.looked_up(tx, actor, ref)
        return access, _NOTHING if access is None else self._wanted.events(self._session, tx, access.name)

    def _learn(self, ref: MailboxRef, access: Access) -> _Known:
        """Keep a mailbox that was asked for, as far as there is room."""
        room = ref in self._known or len(self._known) < WATCHED_MAILBOXES
        followed = self._news.followed
        watched = room and bool(access.rights & Rights.READ)
        watched = watched and (ref.account in followed or len(followed) < WATCHED_ACCOUNTS)
        known = _Known(access.name, watched, access.mailbox.own_seen_modseq)
        if room:
            self._known[ref] = known
        if watched:
            self._feed.follow(self._news, followed | {ref.account})
        return known

    def _look(self, tx: ReadTx, ref: MailboxRef) -> _Looked:
        """Look at a mailbox again, and watch it or not from now on."""
        before, now = self._known.get(ref), None
        access, events = self._find(tx, ref)
        if access is not None and events:
            now = self._learn(ref, access)
        elif before is not None:
            del self._known[ref]
        if before is not None and now is not None and before.turned != now.turned:
            self._counted[ref] = self._counted.get(ref, _NOTHING) | {"FLAGCHANGE"}
        return _Looked(before, now, access)

    def _tell_stirred(self, tx: ReadTx) -> None:
        """Look again at what was stirred, and say which names are gone, changed or new."""
        stirred, self._stirred = self._stirred, {}
        looked = {ref: self._look(tx, ref) for ref in stirred}
        if any(one.before and one.before.watched and not (one.now and one.now.watched) for one in looked.values()):
            # Perhaps these were the last of their owner.
            self._feed.follow(self._news, frozenset(one.account for one, known in self._known.items() if known.watched))
        several = _several_renamed(stirred)
        for ref, (before, now, access) in looked.items():
            if before is not None and (access is None or (several and access.name != before.name)):
                if not stirred[ref].own:
                    # To the client it is the same whether it is gone or may not be looked up (RFC 5465 §5.4, §5.9).
                    say_name(self._session, tx, before.name, lost=not self._names_wanted(tx, before.name))
                looked[ref] = _Looked(None, now, access)
        renamed: list[str] = []
        for ref, what in stirred.items():
            before, now, access = looked[ref]
            if what.own or access is None:
                continue
            if what.old_name and not several:
                old_name = sharing.called(tx, ref.account, what.old_name) if before is None else before.name
                if any(old_name.startswith(one + "/") for one in renamed):
                    # What lies below is not told of (RFC 5465 §5.4); it has another name, and that may be all.
                    if before is not None and (now is None or now.watched == before.watched):
                        continue
                elif old_name != access.name and self._names_wanted(tx, old_name, access.name):
                    renamed.append(old_name)
                    say_name(self._session, tx, access.name, old_name)
                    continue
            if now is not None and (before is None or before.watched != now.watched):
                say_name(self._session, tx, now.name, lost=not now.watched)

    def _names_wanted(self, tx: ReadTx, *names: str) -> bool:
        return any("MAILBOXNAME" in self._wanted.events(self._session, tx, one) for one in names)


def _several_renamed(stirred: Mapping[MailboxRef, _Stirred]) -> bool:
    """Whether mailboxes were renamed one after the other, not only one together with what lies below it.

    Any of them may now have the name of another: they are told as gone and as new.
    """
    old_names = {(ref.account, what.old_name) for ref, what in stirred.items() if what.old_name}
    return sum(not any((owner, one) in old_names for one in mailbox.parents(name)) for owner, name in old_names) > 1
