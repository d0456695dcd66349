"""NOTIFY: what a client wants to hear of, and telling it between commands (RFC 5465).

Mailboxes of other accounts are for `watch`.
"""

from collections.abc import Sequence, Set
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Final

import trio

from appliance.base.limits import PIPELINED
from appliance.operations import sharing
from appliance.protocol.imap import response
from appliance.protocol.imap.command import FetchItem, NotifyGroup
from appliance.protocol.imap.notify import MESSAGE_EVENTS
from appliance.servers.imap import mailbox, replies
from appliance.store import mailbox as stored
from appliance.store.changes import (
    Annotated,
    Change,
    FlagsChanged,
    MailboxAdded,
    MailboxRemoved,
    MailboxRenamed,
    MessagesAdded,
    MessagesRemoved,
    SubscriptionChanged,
)
from appliance.store.records import INBOX, Rights
from appliance.store.tables import MailboxID, Table, subscription_key
from appliance.store.transaction import ReadTx

if TYPE_CHECKING:
    from appliance.config.load import Config
    from appliance.servers.imap.session import Session

_NOTHING: Final[frozenset[str]] = frozenset()
_SELECTED: Final = frozenset({"SELECTED", "SELECTED-DELAYED"})
#: Kinds of groups in which there can be mailboxes of other accounts.
_ANYBODYS: Final = frozenset({"SUBSCRIBED", "SUBTREE", "MAILBOXES"})


class Notify:
    """What the last NOTIFY asked for; of NOTIFY NONE nothing."""

    #: So many removals are held back for a client that wants them later.
    DELAYED_REMOVALS: ClassVar[int] = 1000

    def __init__(self, groups: Sequence[NotifyGroup] = ()) -> None:
        self._others = [
            replace(one, mailboxes=tuple(map(sharing.canonical, one.mailboxes)))
            for one in groups
            if one.kind not in _SELECTED
        ]
        of_selected = next((one for one in groups if one.kind in _SELECTED), None)
        events = _NOTHING if of_selected is None else of_selected.events
        #: Whether messages that come and go, and flags, are told of the selected mailbox.
        self.of_selected: Final = ("MESSAGENEW" in events, "FLAGCHANGE" in events)
        #: Removals wait for a command that may tell them (RFC 5465 §6.1.2).
        self.delayed: Final = of_selected is not None and of_selected.kind == "SELECTED-DELAYED"
        #: Whether there is anything to be told between commands.
        self.pushes: Final = any(one.events for one in groups)
        #: Whether mailboxes of other accounts may be among what is watched.
        self.of_others: Final = any(one.kind in _ANYBODYS and one.events for one in groups)
        #: What is fetched of new messages of the selected mailbox.
        self.attributes: Final[tuple[FetchItem, ...]] = () if of_selected is None else of_selected.attributes
        # Asked for each mailbox: most clients have one group or two.
        self._all: Final = frozenset[str]().union(*(one.events for one in self._others))
        #: `delivered_to` of this configuration, which all mailboxes are compared with.
        self._config: Config | None = None
        self._delivered: set[str] = set()

    def events(self, session: "Session", tx: ReadTx, name: str) -> frozenset[str]:
        """The events that are told of a mailbox which is not selected (RFC 5465 §6)."""
        found = _NOTHING
        for group in self._others:
            if not group.events <= found and self._concerns(group, session, tx, name):
                found |= group.events
        return found

    def wants_metadata(self, session: "Session", tx: ReadTx, name: str) -> bool:
        """Whether annotations of a mailbox, or of the account (the empty name), are told (RFC 5465 §5.6, §5.7)."""
        if not name:
            return "SERVERMETADATACHANGE" in self._all
        return "MAILBOXMETADATACHANGE" in self.events(session, tx, name)

    def status_items(self, session: "Session", *, first: bool = False) -> list[str]:
        """What STATUS tells of a mailbox; the first time also a client that has not enabled CONDSTORE."""
        items = ["MESSAGES", "UIDNEXT", "UIDVALIDITY", "UNSEEN"]
        return [*items, "HIGHESTMODSEQ"] if session.condstore or first else items

    async def say_status(self, session: "Session") -> None:
        """STATUS of every own mailbox whose messages are told of, but the selected one (RFC 5465 §3.1)."""
        if not self._all & MESSAGE_EVENTS:
            return
        selected = session.selected
        with session.app.store.read() as tx:
            records = sorted(tx.mailboxes(session.account.account), key=lambda one: one.name)
        for at in range(0, len(records), PIPELINED):
            if at:
                await session.flush_large()
                await trio.lowlevel.checkpoint()
            with session.app.store.read() as tx:
                for record in records[at : at + PIPELINED]:
                    events = self.events(session, tx, record.name) & MESSAGE_EVENTS
                    if events and (selected is None or selected.ref != (session.account.account, record.id)):
                        items = self.status_items(session, first="FLAGCHANGE" in events)
                        session.say(mailbox.status_line(session, sharing.of_owner(session.account, record), items))

    def _concerns(self, group: NotifyGroup, session: "Session", tx: ReadTx, name: str) -> bool:
        match group.kind:
            case "PERSONAL":
                return not sharing.is_shared_name(name)
            case "SUBSCRIBED":
                return tx.get(Table.SUBSCRIPTION, subscription_key(session.account.account, name)) is not None
            case "MAILBOXES":
                return name in group.mailboxes
            case "SUBTREE":
                return any(name == one or name.startswith(one + "/") for one in group.mailboxes)
        if self._config is not session.config:
            self._config, self._delivered = session.config, delivered_to(session)
        return name == INBOX or name.startswith(INBOX + "/") or name in self._delivered


def delivered_to(session: "Session") -> set[str]:
    """The mailboxes to which mail may be delivered, but for the Inbox and below it (RFC 5465 §6.3)."""
    account = session.config.domains.accounts.get(session.account.name)
    found: set[str] = set()
    # Mailing lists are sorted away from where people look first.
    if account is not None:
        for destination in account.destinations.values():
            found.add(destination.default_mailbox)
            found.update(rule.mailbox for rule in destination.rulesets if rule.mailbox and not rule.list_allow_domain)
    return found


def say_name(session: "Session", tx: ReadTx, name: str, old_name: str = "", *, lost: bool = False) -> None:
    """LIST of a mailbox that was made, renamed, removed, or whose subscription changed (RFC 5465 §5.4, §5.5).

    `lost`: of the mailbox nothing more is told, and whether it is still there is not the question (RFC 5465 §5.9).
    """
    account = session.account.account
    access = None if lost else sharing.find(tx, account, name)
    record = access.shown if access is not None and access.rights & Rights.LOOKUP else None
    attributes = ["\\NoAccess" if lost else "\\NonExistent"]
    if access is not None and access.shared and record is not None:
        # What is below it may be nothing for this client.
        attributes = ["\\NoAccess"] if session.notify is not None and not access.rights & Rights.READ else []
    elif access is not None and record is not None:
        children = stored.has_children(tx, *access.ref)
        attributes = ["\\HasChildren" if children else "\\HasNoChildren", *replies.roles(record.roles)]
    if tx.get(Table.SUBSCRIPTION, subscription_key(account, name)) is not None:
        attributes.append("\\Subscribed")
    # Without NOTIFY only those know OLDNAME who speak IMAP4rev2 (RFC 9051 §6.3.9.7).
    told = old_name and (session.rev2 or session.notify is not None)
    extended = b'("OLDNAME" (%b))' % session.name(old_name) if told else b""
    session.say(response.listing(attributes, session.name(name), extended))


class Aside:
    """News of mailboxes that waits to be told, each thing once however often it happened."""

    __slots__ = ("counted", "entries", "names")

    def __init__(self) -> None:
        #: Name -> its name before ("" if it had none) and the event.
        self.names: dict[str, tuple[str, str]] = {}
        #: Mailboxes whose messages changed -> events.
        self.counted: dict[MailboxID, frozenset[str]] = {}
        #: Annotations that changed: mailbox, entry.
        self.entries: dict[tuple[MailboxID, str], None] = {}

    def __bool__(self) -> bool:
        return bool(self.names or self.counted or self.entries)

    def note(
        self, changes: Sequence[Change], wanted: Notify | None, *, lists: bool, rev2: bool, metadata: Set[str]
    ) -> None:
        """Take note of what another did in one transaction.

        `lists`: the client hears of names; `metadata`: the capabilities of that which are enabled.
        """
        if wanted is not None:
            if wanted._all:
                self._note_all(changes)
            return
        for change in changes:
            match change:
                case MailboxAdded(record, _) if lists:
                    self.names[record.name] = "", "MAILBOXNAME"
                case MailboxRenamed(_, old_name, name, _) if lists:
                    self.names[name] = old_name, "MAILBOXNAME"
                case MailboxRemoved(_, name, _) if rev2:
                    self.names[name] = "", "MAILBOXNAME"
                case SubscriptionChanged(name, _) if rev2:
                    self.names.setdefault(name, ("", "SUBSCRIPTIONCHANGE"))
                case Annotated(number, entry, _) if "METADATA" in metadata or (metadata and not number):
                    self.entries[number, entry] = None

    def _note_all(self, changes: Sequence[Change]) -> None:
        renamed: set[str] = set()
        for change in changes:
            match change:
                case MessagesAdded(number, _, _):
                    self._count(number, "MESSAGENEW")
                case MessagesRemoved(number, _, _, _):
                    self._count(number, "MESSAGEEXPUNGE")
                case FlagsChanged(number, _, _):
                    self._count(number, "FLAGCHANGE")
                case MailboxAdded(record, _):
                    self._name(record.name)
                case MailboxRemoved(_, name, _):
                    self._name(name)
                case MailboxRenamed(_, old_name, name, _):
                    # Those below it are not told of (RFC 5465 §5.4).
                    if not any(old_name.startswith(one + "/") for one in renamed):
                        renamed.add(old_name)
                        self.names[name] = old_name, "MAILBOXNAME"
                case SubscriptionChanged(name, _):
                    self.names.setdefault(name, ("", "SUBSCRIPTIONCHANGE"))
                case Annotated(number, entry, _):
                    self.entries[number, entry] = None

    def _count(self, number: MailboxID, event: str) -> None:
        self.counted[number] = self.counted.get(number, _NOTHING) | {event}

    def _name(self, name: str) -> None:
        """A mailbox was made or removed; its parent is affected, too (RFC 5465 §5.4)."""
        parent = name.rpartition("/")[0]
        if parent:
            self.names.setdefault(parent, ("", "MAILBOXNAME"))
        self.names[name] = "", "MAILBOXNAME"
