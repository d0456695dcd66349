"""Email/query and Email/queryChanges (RFC 8621 §4.4, §4.5), answered by the lists that the store keeps."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

import msgspec

from appliance.mail.traits import Trait
from appliance.servers.web.jmap import standard
from appliance.servers.web.jmap.call import MAIL, OWN, Call, Method, UnsignedInt, Wire
from appliance.servers.web.jmap.email import keywords
from appliance.servers.web.jmap.email.words import words_of
from appliance.servers.web.jmap.problem import MethodError
from appliance.servers.web.jmap.session import EMAIL_SORTS
from appliance.servers.web.jmap.standard import (
    AddedItem,
    Comparator,
    QueryArguments,
    QueryChangesArguments,
    QueryChangesResponse,
    QueryResponse,
    Record,
)
from appliance.store import objectid, search
from appliance.store.listquery import (
    All,
    Between,
    By,
    Condition,
    Has,
    HasTraits,
    InMailbox,
    InThread,
    Keyword,
    Not,
    NotOnlyIn,
    OfThread,
    Order,
    Query,
    Says,
    Some,
    ThreadHas,
    leaves,
)
from appliance.store.reach import stated, within
from appliance.store.tables import MailboxID

#: Of an answer.
_MOST_IDS: Final = 5000
#: A text to look for is no longer; nor has a filter more words, each of which is looked up in all texts.
_TEXT_CHARACTERS: Final = 1000
_TEXT_WORDS: Final = 20

Text = Annotated[str, msgspec.Meta(max_length=_TEXT_CHARACTERS)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


class Filter(Wire, kw_only=True, forbid_unknown_fields=True):
    """RFC 8621 §4.4.1, and two of ours."""

    in_mailbox: str | None = None
    in_mailbox_other_than: list[str] | None = None
    before: datetime | None = None
    after: datetime | None = None
    min_size: UnsignedInt | None = None
    max_size: UnsignedInt | None = None
    all_in_thread_have_keyword: str | None = None
    some_in_thread_have_keyword: str | None = None
    none_in_thread_have_keyword: str | None = None
    has_keyword: str | None = None
    not_keyword: str | None = None
    has_attachment: bool | None = None
    text: Text | None = None
    from_: Text | None = msgspec.field(default=None, name="from")
    to: Text | None = None
    cc: Text | None = None
    bcc: Text | None = None
    subject: Text | None = None
    body: Text | None = None
    header: Annotated[list[Text], msgspec.Meta(min_length=1, max_length=2)] | None = None
    attachment_type: (
        Literal["none", "any", "image", "pdf", "archive", "spreadsheet", "document", "presentation"] | None
    ) = None
    in_thread: str | None = None


_OURS: Final = ("attachmentType", "inThread")
_TEXTS: Final = {"from_": "from", "to": "to", "cc": "cc", "bcc": "bcc", "subject": "subject"}
_THREADS: Final = {
    "all_in_thread_have_keyword": InThread.ALL,
    "some_in_thread_have_keyword": InThread.SOME,
    "none_in_thread_have_keyword": InThread.NONE,
}
#: Nothing has this.
_NOTHING: Final = Some(())


def condition_of(call: Call, raw: Record | None) -> Condition:
    """A filter. Raises MethodError: unsupportedFilter, invalidArguments."""
    count = 0

    def build(value: Any, depth: int) -> Condition:
        nonlocal count
        if not isinstance(value, dict):
            raise MethodError("invalidArguments", "a filter is an object")
        if "operator" in value:
            word, parts = standard.operator_of(value, depth)
            inner = tuple(build(one, depth + 1) for one in parts)
            match word:
                case "AND":
                    return All(inner)
                case "OR":
                    return Some(inner)
            return Not(Some(inner))
        count += 1
        if count > standard.FILTER_CONDITIONS:
            raise MethodError("unsupportedFilter", f"at most {standard.FILTER_CONDITIONS} conditions")
        if OWN not in call.using and (ours := [one for one in _OURS if one in value]):
            raise MethodError("unsupportedFilter", f"there is no filter by {ours[0]}")
        return All(tuple(_conditions(call, standard.condition_of(value, Filter))))

    found = All() if raw is None else build(raw, 0)
    if sum(isinstance(leaf, Says) for leaf in leaves(found)) > _TEXT_WORDS:
        raise MethodError("unsupportedFilter", f"at most {_TEXT_WORDS} words")
    return found


def _conditions(call: Call, one: Filter) -> list[Condition]:
    """All of these (RFC 8621 §4.4.1)."""
    found: list[Condition] = []
    if one.in_mailbox is not None:
        number = _mailbox(call, one.in_mailbox)
        found.append(_NOTHING if number is None else InMailbox(number))
    if one.in_mailbox_other_than is not None:
        numbers = (_mailbox(call, id) for id in one.in_mailbox_other_than)
        found.append(NotOnlyIn(frozenset(number for number in numbers if number is not None)))
    if one.before is not None or one.after is not None:
        found.append(Between("received", _microseconds(one.after), _microseconds(one.before)))
    if one.min_size is not None or one.max_size is not None:
        found.append(Between("sizes", one.min_size, one.max_size))
    for name, how in _THREADS.items():
        word = getattr(one, name)
        if word is not None:
            found.append(ThreadHas(_keyword(word), how))
    if one.has_keyword is not None:
        found.append(Has(_keyword(one.has_keyword)))
    if one.not_keyword is not None:
        found.append(Not(Has(_keyword(one.not_keyword))))
    if one.has_attachment is not None:
        has = HasTraits(int(Trait.ATTACHMENT))
        found.append(has if one.has_attachment else Not(has))
    if one.attachment_type is not None:
        kind = one.attachment_type
        none = Not(HasTraits(int(Trait.ATTACHMENT)))
        bits = Trait.ATTACHMENT if kind in {"none", "any"} else Trait[kind.upper()]
        found.append(none if kind == "none" else HasTraits(int(bits)))
    if one.in_thread is not None:
        thread = objectid.parse("T", call.account, call.resolve(one.in_thread))
        found.append(_NOTHING if thread is None else OfThread(thread))
    if one.text is not None:
        found += [Says(search.in_shown(word)) for word in words_of(one.text)]
    if one.body is not None:
        found += [Says(search.in_body(word)) for word in words_of(one.body)]
    for name, label in _TEXTS.items():
        text = getattr(one, name)
        if text is not None:
            found += [Says(search.in_field(label, word)) for word in words_of(text)]
    if one.header is not None:
        name, *texts = one.header
        words = words_of(texts[0]) if texts else []
        found += [Says(search.in_field(name, word)) for word in words or [""]]
    return found


def _mailbox(call: Call, id: str) -> MailboxID | None:
    number = objectid.parse("F", call.account, call.resolve(id))
    return None if number is None else MailboxID(number)


def _microseconds(when: datetime | None) -> int | None:
    if when is None:
        return None
    if when.tzinfo is None:
        raise MethodError("invalidArguments", "a date needs its zone")
    delta = when.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def _keyword(word: str) -> Keyword:
    if not keywords.is_keyword(word):
        raise MethodError("invalidArguments", f"{word[:100]} is no keyword")
    return keywords.keyword(word)


# Sorting.


class EmailComparator(Comparator, kw_only=True):
    """RFC 8621 §4.4.2."""

    keyword: str | None = None


_BY: Final = {one.value: one for one in By}
_KEYED: Final = frozenset((By.HAS, By.ALL_HAVE, By.SOME_HAVE))


def orders_of(raw: Sequence[Record] | None) -> tuple[Order, ...]:
    """What to sort by. Raises MethodError: unsupportedSort, invalidArguments."""
    found = []
    for one in standard.comparators_of(raw, EMAIL_SORTS, EmailComparator):
        by, word = _BY[one.property], None
        if by in _KEYED:
            if one.keyword is None:
                raise MethodError("invalidArguments", f"{one.property} needs a keyword")
            word = _keyword(one.keyword)
        found.append(Order(by, not one.is_ascending, word))
    return tuple(found)


# Methods.


class EmailQueryArguments(QueryArguments, kw_only=True):
    """RFC 8621 §4.4."""

    collapse_threads: bool = False


class EmailQueryChangesArguments(QueryChangesArguments, kw_only=True):
    """RFC 8621 §4.5."""

    collapse_threads: bool = False


def _query(call: Call, arguments: EmailQueryArguments | EmailQueryChangesArguments) -> Query:
    orders = orders_of(arguments.sort)
    # No order is one of our choice, always the same: what came last stands first.
    return Query(
        condition_of(call, arguments.filter),
        orders or (Order(By.RECEIVED, descending=True),),
        arguments.collapse_threads,
    )


async def query(call: Call, arguments: EmailQueryArguments) -> QueryResponse:
    """Email/query."""
    found, columns = await call.app.store.listings.find(call.account, _query(call, arguments), call.actor.account)

    def place_of(id: str) -> int | None:
        number = objectid.parse("M", call.account, call.resolve(id))
        return None if number is None else found.places([number], columns).get(number)

    start, end, limit = standard.window(arguments, len(found), place_of, _MOST_IDS)
    return QueryResponse(
        account_id=call.account_id,
        query_state=stated(found.state, found.signature),
        can_calculate_changes=True,
        position=start,
        ids=[objectid.message(call.account, id) for id in found.ids[start:end]],
        total=len(found) if arguments.calculate_total else None,
        limit=limit,
    )


async def query_changes(call: Call, arguments: EmailQueryChangesArguments) -> QueryChangesResponse:
    """Email/queryChanges."""
    wanted = _query(call, arguments)
    with call.app.store.read() as tx:
        told = call.reach(tx).within(arguments.since_query_state)
    state = standard.modseq_of(told, standard.MOST_MODSEQ, 0)
    found, columns, changes = await call.app.store.listings.changes(call.account, wanted, state, call.actor.account)
    if changes is None or not within(arguments.since_query_state, found.signature):
        raise MethodError("cannotCalculateChanges")
    added = changes.added
    if arguments.up_to_id is not None:
        number = objectid.parse("M", call.account, call.resolve(arguments.up_to_id))
        last = None if number is None else found.places([number], columns).get(number)
        if last is not None and number not in changes.removed:
            added = [one for one in added if one[0] <= last]
    if arguments.max_changes is not None and len(changes.removed) + len(added) > arguments.max_changes:
        raise MethodError("tooManyChanges")
    return QueryChangesResponse(
        account_id=call.account_id,
        old_query_state=arguments.since_query_state,
        new_query_state=stated(found.state, found.signature),
        removed=[objectid.message(call.account, id) for id in changes.removed],
        added=[AddedItem(id=objectid.message(call.account, id), index=at) for at, id in added],
        total=len(found) if arguments.calculate_total else None,
    )


METHODS: Final = (
    Method("Email/query", MAIL, EmailQueryArguments, query, shared=True),
    Method("Email/queryChanges", MAIL, EmailQueryChangesArguments, query_changes, shared=True),
)
