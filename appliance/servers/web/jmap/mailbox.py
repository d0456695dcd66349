"""Mailbox/* (RFC 8621 §2): the mailboxes of an account, of another's those that are shared with the caller.

These have no roles, as special uses are their owner's. Above them stand those that they are in, without any rights and
as if they were empty.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from appliance.base.problem import Problem
from appliance.operations import mailboxes as verbs, sharing
from appliance.operations.mailboxes import MailboxHasMessages, Wanted
from appliance.operations.states import mailbox_state, within_mailbox_state
from appliance.servers.web.jmap import standard
from appliance.servers.web.jmap.call import MAIL, OWN, AccountArguments, Call, Method, UnsignedInt, Wire
from appliance.servers.web.jmap.problem import MethodError, SetError, invalid_properties, set_error
from appliance.servers.web.jmap.standard import (
    ChangesArguments,
    ChangesResponse,
    Comparator,
    GetArguments,
    GetResponse,
    QueryArguments,
    QueryChangesArguments,
    QueryChangesResponse,
    QueryResponse,
    Record,
    SetArguments,
    SetFunctions,
    SetResponse,
)
from appliance.store import mailbox as mailboxes, objectid
from appliance.store.listing import Counts
from appliance.store.problems import (
    BadMailboxName,
    MailboxExists,
    MailboxHasChildren,
    NotThatMailbox,
    TooMany,
)
from appliance.store.reach import READABLE, Reach
from appliance.store.records import ALL_RIGHTS, INBOX, Mailbox, Rights, Role
from appliance.store.tables import AccountID, MailboxID
from appliance.store.transaction import ReadTx

#: Of a mailbox with several uses the first counts: RFC 8621 §2 has one role for each.
ROLES: Final[dict[Role, str]] = {
    Role.DRAFTS: "drafts",
    Role.SENT: "sent",
    Role.ARCHIVE: "archive",
    Role.JUNK: "junk",
    Role.TRASH: "trash",
}
_ROLE_OF: Final = {name: int(role) for role, name in ROLES.items()}
_INBOX_ROLE: Final = "inbox"
#: What counts messages.
COUNTS: Final = ("totalEmails", "unreadEmails", "totalThreads", "unreadThreads")
#: Those that the store has not at hand.
_LISTED: Final = frozenset(COUNTS[1:])
PROPERTIES: Final = ("id", "name", "parentId", "role", "sortOrder", *COUNTS, "myRights", "isSubscribed")
#: Beyond RFC 8621, with our capability: keywords that messages of the mailbox have or had, as IMAP's FLAGS tell them.
KEYWORDS: Final = "keywords"
_CHANGEABLE: Final = ("name", "parentId", "role", "sortOrder", "isSubscribed")
#: Where mailboxes stand that nobody has given a place.
_ORDER: Final = {_INBOX_ROLE: 1, "drafts": 2, "sent": 3, "archive": 4, "junk": 5, "trash": 6, None: 10}
_NONE: Final = Counts()


def role_of(mailbox: Mailbox) -> str | None:
    """What a mailbox is for."""
    if mailbox.name == INBOX:
        return _INBOX_ROLE
    return next((name for role, name in ROLES.items() if mailbox.roles & role), None)


#: What RFC 8621 §2 calls rights of RFC 4314.
_RIGHTS: Final[dict[str, int]] = {
    "mayReadItems": READABLE,
    "mayAddItems": int(Rights.INSERT),
    "mayRemoveItems": int(Rights.DELETE_MESSAGES | Rights.EXPUNGE),
    "maySetSeen": int(Rights.SEEN),
    "maySetKeywords": int(Rights.WRITE),
    "mayCreateChild": int(Rights.CREATE),
    "mayRename": int(Rights.DELETE_MAILBOX),
    "mayDelete": int(Rights.DELETE_MAILBOX),
    "maySubmit": int(Rights.POST),
}
#: What nobody may do to an Inbox.
_NOT_INBOX: Final = ("mayRename", "mayDelete")


def rights_of(mailbox: Mailbox, held: int = ALL_RIGHTS) -> dict[str, bool]:
    """What somebody with these rights may do (RFC 8621 §2, MailboxRights)."""
    is_inbox = mailbox.name == INBOX
    return {name: held & needed == needed and not (is_inbox and name in _NOT_INBOX) for name, needed in _RIGHTS.items()}


def record(reach: Reach, mailbox: Mailbox, subscribed: Collection[str], counts: Counts) -> Record:
    """A mailbox as JMAP has it, with all properties."""
    account = reach.account
    role = role_of(mailbox) if reach.is_own else None
    return {
        "id": objectid.mailbox(account, mailbox.id),
        "name": mailbox.name.rpartition("/")[2],
        "parentId": objectid.mailbox(account, mailbox.parent) if mailbox.parent else None,
        "role": role,
        "sortOrder": _ORDER[role] if mailbox.sort_order is None else mailbox.sort_order,
        # Messages with \\Deleted are not there (RFC 8621 §4.1.1).
        "totalEmails": mailbox.total,
        "unreadEmails": counts.unread_emails,
        "totalThreads": counts.threads,
        "unreadThreads": counts.unread_threads,
        "myRights": rights_of(mailbox, reach.rights(mailbox.id)),
        "isSubscribed": mailbox.name in subscribed,
    }


def _known(call: Call) -> tuple[str, ...]:
    """Properties that a request knows."""
    return (*PROPERTIES, KEYWORDS) if OWN in call.using else PROPERTIES


def _shown(call: Call, reach: Reach, mailbox: Mailbox, subscribed: Collection[str], counts: Counts) -> Record:
    made = record(reach, mailbox, subscribed, counts)
    if OWN in call.using:
        made[KEYWORDS] = sorted({word.lower() for word in mailbox.keywords})
    return made


def mailbox_number(account: AccountID, id: str) -> MailboxID | None:
    """The number of a mailbox of the account; None when the id is no such thing."""
    number = objectid.parse("F", account, id)
    return None if number is None or number > 0xFFFF_FFFF else MailboxID(number)


def _state(call: Call) -> str:
    with call.app.store.read() as tx:
        return mailbox_state(tx, call.reach(tx))


def _records(tx: ReadTx, call: Call, counts: Mapping[int, Counts]) -> dict[str, Record]:
    """All mailboxes that the caller sees, by id."""
    reach = call.reach(tx)
    subscribed = sharing.subscribed(tx, reach)
    made = (_shown(call, reach, one, subscribed, counts.get(one.id, _NONE)) for one in reach.known)
    return {one["id"]: one for one in made}


# Mailbox/get, RFC 8621 §2.1.


async def get(call: Call, arguments: GetArguments) -> GetResponse:
    """RFC 8621 §2.1."""
    wanted = standard.wanted_properties(arguments.properties, _known(call))
    # Before the counts, which may be newer: then a client asks once more in vain, and misses nothing.
    state = _state(call)
    counts: Mapping[int, Counts] = {}
    if not _LISTED.isdisjoint(wanted):
        counts = await call.app.store.listings.counts(call.account, call.actor.account)
    with call.app.store.read() as tx:
        return standard.get(call, arguments, state, _records(tx, call, counts))


# Mailbox/changes, RFC 8621 §2.2.


class MailboxChangesResponse(ChangesResponse, kw_only=True):
    """With the properties that alone have changed."""

    updated_properties: list[str] | None = None


@dataclass(frozen=True, slots=True)
class _Changed:
    """A mailbox that is not as it was, and since when."""

    modseq: int
    id: str
    #: `created`, `updated`, `destroyed`.
    how: str
    #: Only its counts.
    is_counts: bool = False


async def changes(call: Call, arguments: ChangesArguments) -> MailboxChangesResponse:
    """RFC 8621 §2.2."""
    account, store = call.account, call.app.store
    with store.read() as tx:
        reach = call.reach(tx)
        now = reach.modseq
        since = standard.modseq_of(within_mailbox_state(tx, reach, arguments.since_state), now, 0)
        # Of another's account none comes or goes, but with rights.
        all_of_them = tx.mailboxes(account, expunged=True) if reach.is_own else reach.known
    counted = await store.listings.counted_since(account, since, call.actor.account)
    changed = sorted(_changed(account, all_of_them, since, now, counted), key=lambda one: one.modseq)
    until = now
    most = arguments.max_changes
    if most is not None and len(changed) > most:
        # Up to a state: changes of one modification sequence belong together (RFC 8620 §5.2).
        until = changed[most].modseq - 1
        changed = [one for one in changed if one.modseq <= until]
        if not changed:
            raise MethodError("cannotCalculateChanges")
    with store.read() as tx:
        reach = call.reach(tx)
        if not within_mailbox_state(tx, reach, arguments.since_state):
            raise MethodError("cannotCalculateChanges")
        new_state = mailbox_state(tx, reach, until)
    updated = [one for one in changed if one.how == "updated"]
    return MailboxChangesResponse(
        account_id=call.account_id,
        old_state=arguments.since_state,
        new_state=new_state,
        has_more_changes=until < now,
        created=[one.id for one in changed if one.how == "created"],
        updated=[one.id for one in updated],
        destroyed=[one.id for one in changed if one.how == "destroyed"],
        updated_properties=_counted(call) if updated and all(one.is_counts for one in updated) else None,
    )


def _counted(call: Call) -> list[str]:
    """What may have changed where only counts have: keywords become known as messages do."""
    return [*COUNTS, KEYWORDS] if OWN in call.using else list(COUNTS)


def _changed(
    account: AccountID, all_of_them: list[Mailbox], since: int, now: int, counted: Mapping[int, int] | None
) -> Iterable[_Changed]:
    """`counted`: when counts changed last, None where that is not known."""
    for one in all_of_them:
        id = objectid.mailbox(account, one.id)
        if one.expunged:
            if one.create_modseq <= since < one.modseq:
                yield _Changed(min(one.modseq, now), id, "destroyed")
            continue
        # Threads of a mailbox may be unread for a message in another one.
        threads = now if counted is None and one.messages else (counted or {}).get(one.id, 0)
        modseq = min(max(one.modseq, one.properties_modseq, threads), now)
        if one.create_modseq > since:
            yield _Changed(one.create_modseq, id, "created")
        elif modseq > since:
            yield _Changed(modseq, id, "updated", is_counts=one.properties_modseq <= since)


# Mailbox/query, RFC 8621 §2.3, and Mailbox/queryChanges, §2.4.


class Condition(Wire, forbid_unknown_fields=True):
    """All that are given must be so."""

    parent_id: str | msgspec.UnsetType | None = msgspec.UNSET
    name: str | msgspec.UnsetType = msgspec.UNSET
    role: str | msgspec.UnsetType | None = msgspec.UNSET
    has_any_role: bool | msgspec.UnsetType = msgspec.UNSET
    is_subscribed: bool | msgspec.UnsetType = msgspec.UNSET


class MailboxQueryArguments(QueryArguments, kw_only=True):
    """With mailboxes as a tree."""

    sort_as_tree: bool = False
    filter_as_tree: bool = False


class MailboxQueryChangesArguments(QueryChangesArguments, kw_only=True):
    """With mailboxes as a tree."""

    sort_as_tree: bool = False
    filter_as_tree: bool = False


class _Tree:
    """All mailboxes of an account at a moment."""

    def __init__(self, tx: ReadTx, call: Call) -> None:
        reach = call.reach(tx)
        self.account = reach.account
        self._all = tx.mailboxes(reach.account, expunged=True) if reach.is_own else reach.known
        self.records = _records(tx, call, {})
        #: When the last of them changed in anything that a query looks at.
        self.state = mailbox_state(tx, reach, max((_properties_modseq(one) for one in self._all), default=0))
        self.modseq = reach.modseq

    def touched(self, since: int) -> list[str]:
        """Mailboxes that have changed, those below them, and those that are gone."""
        changed = {one.id for one in self._all if _properties_modseq(one) > since}
        names = [one.name + "/" for one in self._all if one.id in changed and not one.expunged]
        return [
            objectid.mailbox(self.account, one.id)
            for one in self._all
            if one.id in changed or (not one.expunged and any(one.name.startswith(name) for name in names))
        ]

    def above(self, one: Record) -> list[Record]:
        """Mailboxes that one is in, the topmost first, and itself."""
        found = [one]
        while (parent := found[-1]["parentId"]) is not None:
            found.append(self.records[parent])
        return found[::-1]

    def found(self, call: Call, arguments: MailboxQueryArguments | MailboxQueryChangesArguments) -> list[str]:
        """Ids of mailboxes in order. Raises MethodError."""
        test = standard.filter_of(arguments.filter, Condition, matches=_matches(call))
        matching = {id for id, one in self.records.items() if test(one)}
        if arguments.filter_as_tree:
            matching = {id for id in matching if all(one["id"] in matching for one in self.above(self.records[id]))}
        comparators: list[Comparator] = standard.comparators_of(arguments.sort, {"sortOrder", "name"})
        key = _key(comparators or [Comparator(property="sortOrder"), Comparator(property="name")])
        if arguments.sort_as_tree:
            return sorted(matching, key=lambda id: [key(one) for one in self.above(self.records[id])])
        return sorted(matching, key=lambda id: key(self.records[id]))


def _properties_modseq(one: Mailbox) -> int:
    return one.modseq if one.expunged else max(one.create_modseq, one.properties_modseq)


def _matches(call: Call) -> Callable[[Condition], Callable[[Record], bool]]:
    def matches(condition: Condition) -> Callable[[Record], bool]:
        parent = condition.parent_id
        if isinstance(parent, str):
            parent = call.resolve(parent)
        name = condition.name if condition.name is msgspec.UNSET else str(condition.name).casefold()

        def test(one: Record) -> bool:
            return (
                (parent is msgspec.UNSET or one["parentId"] == parent)
                and (not isinstance(name, str) or name in one["name"].casefold())
                and (condition.role is msgspec.UNSET or one["role"] == condition.role)
                and (condition.has_any_role is msgspec.UNSET or (one["role"] is not None) == condition.has_any_role)
                and (condition.is_subscribed is msgspec.UNSET or one["isSubscribed"] == condition.is_subscribed)
            )

        return test

    return matches


class _Down(str):
    """A text in descending order."""

    __slots__ = ()

    def __lt__(self, other: str) -> bool:
        return str.__gt__(self, other)

    def __gt__(self, other: str) -> bool:
        return str.__lt__(self, other)


def _key(comparators: list[Comparator]) -> Callable[[Record], tuple[Any, ...]]:
    def key(one: Record) -> tuple[Any, ...]:
        values: list[Any] = []
        for by in comparators:
            if by.property == "sortOrder":
                values.append(one["sortOrder"] if by.is_ascending else -one["sortOrder"])
            else:
                text = one["name"].casefold()
                values.append(text if by.is_ascending else _Down(text))
        return (*values, one["id"])

    return key


async def query(call: Call, arguments: MailboxQueryArguments) -> QueryResponse:
    """RFC 8621 §2.3."""
    with call.app.store.read() as tx:
        tree = _Tree(tx, call)
    ids = tree.found(call, arguments)
    return standard.query(call, arguments, tree.state, ids, can_calculate_changes=True)


async def query_changes(call: Call, arguments: MailboxQueryChangesArguments) -> QueryChangesResponse:
    """RFC 8621 §2.4."""
    with call.app.store.read() as tx:
        tree = _Tree(tx, call)
        told = within_mailbox_state(tx, call.reach(tx), arguments.since_query_state)
    since = standard.modseq_of(told, tree.modseq, 0)
    ids = tree.found(call, arguments)
    return standard.query_changes(call, arguments, tree.state, tree.touched(since), ids)


# Mailbox/set, RFC 8621 §2.5.


class MailboxSetArguments(SetArguments, kw_only=True):
    """Whether messages go with their mailbox."""

    on_destroy_remove_emails: bool = False


class _Properties(Wire, forbid_unknown_fields=True):
    """Those that a client may set; others it may repeat as they are."""

    name: str | msgspec.UnsetType = msgspec.UNSET
    parent_id: str | msgspec.UnsetType | None = msgspec.UNSET
    role: str | msgspec.UnsetType | None = msgspec.UNSET
    sort_order: UnsignedInt | msgspec.UnsetType = msgspec.UNSET
    is_subscribed: bool | msgspec.UnsetType = msgspec.UNSET


async def set_(call: Call, arguments: MailboxSetArguments) -> SetResponse:
    """RFC 8621 §2.5. Parents are made before what is in them, and removed after it, whatever their order."""
    setting = _Setting(call, arguments.on_destroy_remove_emails)
    functions = SetFunctions(create=setting.create, update=setting.update, destroy=setting.destroy)
    if arguments.create:
        arguments.create = _parents_first(arguments.create)
    if arguments.destroy:
        with call.app.store.read() as tx:
            known = call.reach(tx).known
            levels = {objectid.mailbox(call.account, one.id): one.name.count("/") for one in known}
        arguments.destroy.sort(key=lambda id: -levels.get(call.resolve(id), 0))
    return await standard.set_each(call, arguments, lambda: _state(call), functions)


def _parents_first(create: dict[str, Record]) -> dict[str, Record]:
    ordered: dict[str, Record] = {}
    for name in create:
        # Those that a mailbox waits for, the nearest first; of a circle each once.
        waiting = [name]
        while waiting[-1] not in ordered:
            parent = create[waiting[-1]].get("parentId")
            before = parent[1:] if isinstance(parent, str) and parent.startswith("#") else None
            if before is None or before not in create or before in waiting:
                break
            waiting.append(before)
        for one in reversed(waiting):
            ordered.setdefault(one, create[one])
    return ordered


class _Setting:
    """Of one call."""

    def __init__(self, call: Call, removes_emails: bool) -> None:
        self._call = call
        self._removes_emails = removes_emails

    def _records(self) -> dict[str, Record]:
        with self._call.app.store.read() as tx:
            return _records(tx, self._call, {})

    async def create(self, properties: Record) -> Record:
        """Raises SetError."""
        if unknown := [one for one in properties if one not in _CHANGEABLE]:
            raise invalid_properties("these cannot be set", *unknown)
        given = _checked(properties)
        if given.name is msgspec.UNSET:
            raise invalid_properties("a mailbox has a name", "name")
        with _named_errors():
            number = await verbs.create_in(self._call.app, self._call.actor, self._call.account, self._wanted(given))
        made = self._records().get(objectid.mailbox(self._call.account, number))
        if made is None:
            raise SetError("serverFail", "it was removed at once")
        told = {name: value for name, value in made.items() if name not in properties or value != properties[name]}
        # Of a new one the counts are known.
        return {**told, "id": made["id"]}

    async def update(self, id: str, patch: Record) -> Record | None:
        """Raises SetError."""
        before = self._records().get(id)
        number = mailbox_number(self._call.account, id)
        if before is None or number is None:
            raise SetError("notFound")
        if unknown := [one for one in patch if one.partition("/")[0] not in _known(self._call)]:
            raise invalid_properties("there are no such properties", *unknown)
        after = standard.patched(before, patch)
        changed = {name: value for name, value in after.items() if value != before[name]}
        if fixed := [name for name in changed if name not in _CHANGEABLE and name not in COUNTS]:
            raise invalid_properties("these cannot be changed", *fixed)
        if counts := [name for name in changed if name in COUNTS]:
            raise invalid_properties("these are counted", *counts)
        # RFC 8620 §5.3: null is the default of a property.
        for name, default in (("isSubscribed", False), ("sortOrder", 0)):
            if changed.get(name, default) is None:
                changed[name] = default
        given = _checked(changed)
        with _named_errors():
            await verbs.change(self._call.app, self._call.actor, self._call.account, number, self._wanted(given))
        now = self._records().get(id, after)
        told = {name: now[name] for name in _CHANGEABLE if now[name] != after[name]}
        return told or None

    async def destroy(self, id: str) -> None:
        """Raises SetError."""
        number = mailbox_number(self._call.account, id)
        if number is None:
            raise SetError("notFound")
        with _named_errors():
            await verbs.destroy(
                self._call.app, self._call.actor, self._call.account, number, with_messages=self._removes_emails
            )

    def _wanted(self, given: _Properties) -> Wanted:
        parent: MailboxID | None = None
        if given.parent_id is None:
            parent = mailboxes.TOP
        elif isinstance(given.parent_id, str):
            parent = mailbox_number(self._call.account, self._call.resolve(given.parent_id))
            if parent is None:
                raise invalid_properties("there is no such mailbox", "parentId")
        roles: int | None = None
        if given.role is None:
            roles = 0
        elif isinstance(given.role, str):
            if given.role not in _ROLE_OF:
                raise invalid_properties("no mailbox can have this role", "role")
            roles = _ROLE_OF[given.role]
        return Wanted(
            name=given.name if isinstance(given.name, str) else None,
            parent=parent,
            roles=roles,
            sort_order=given.sort_order if isinstance(given.sort_order, int) else None,
            is_subscribed=given.is_subscribed if isinstance(given.is_subscribed, bool) else None,
        )


def _checked(properties: Record) -> _Properties:
    """Raises SetError: invalidProperties."""
    try:
        return msgspec.convert(properties, _Properties)
    except msgspec.ValidationError as error:
        named = [name for name in properties if f"$.{name}" in str(error)]
        raise invalid_properties(str(error), *named) from error


class _named_errors:
    """What verbs raise, in words of RFC 8621 §2.5 and RFC 8620 §5.3."""

    def __enter__(self) -> None:
        """Nothing yet."""

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        match error:
            case MailboxHasChildren():
                raise SetError("mailboxHasChild") from error
            case MailboxHasMessages():
                raise SetError("mailboxHasEmail") from error
            case BadMailboxName() | MailboxExists():
                raise invalid_properties(str(error), "name") from error
            case TooMany():
                raise SetError("overQuota", str(error)) from error
            case NotThatMailbox():
                raise SetError("forbidden", str(error)) from error
            case Problem():
                raise set_error(error) from error


# Ours.


class EmptyArguments(AccountArguments, kw_only=True):
    """Of Mailbox/empty."""

    id: str


class MarkReadArguments(AccountArguments, kw_only=True):
    """Of Mailbox/markRead."""

    ids: list[str]
    recursive: bool = False


class CountResponse(Wire, kw_only=True):
    """How many messages it was."""

    account_id: str
    count: int


def _require_number(call: Call, id: str) -> MailboxID:
    number = mailbox_number(call.account, call.resolve(id))
    if number is None:
        raise MethodError("invalidArguments", "there is no such mailbox")
    return number


async def empty(call: Call, arguments: EmptyArguments) -> CountResponse:
    """Destroy all messages of a mailbox that are there now."""
    count = await verbs.empty(call.app, call.actor, _require_number(call, arguments.id))
    return CountResponse(account_id=call.account_id, count=count)


async def mark_read(call: Call, arguments: MarkReadArguments) -> CountResponse:
    """Mark all messages of mailboxes as read; `recursive`: of those within, too."""
    numbers = [_require_number(call, id) for id in standard.wanted_ids(call, arguments.ids)]
    count = await verbs.mark_read(call.app, call.actor, numbers, with_those_below=arguments.recursive)
    return CountResponse(account_id=call.account_id, count=count)


METHODS: Final = (
    Method("Mailbox/get", MAIL, GetArguments, get, shared=True),
    Method("Mailbox/changes", MAIL, ChangesArguments, changes, shared=True),
    Method("Mailbox/query", MAIL, MailboxQueryArguments, query, shared=True),
    Method("Mailbox/queryChanges", MAIL, MailboxQueryChangesArguments, query_changes, shared=True),
    Method("Mailbox/set", MAIL, MailboxSetArguments, set_, changes=True, shared=True),
    Method("Mailbox/empty", OWN, EmptyArguments, empty, changes=True),
    Method("Mailbox/markRead", OWN, MarkReadArguments, mark_read, changes=True),
)
