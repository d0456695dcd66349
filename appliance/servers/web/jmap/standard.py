"""What methods of all types have in common: /get, /changes, /set, /query, /queryChanges (RFC 8620 §5)."""

import re
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import msgspec

from appliance.base import limits
from appliance.base.problem import Problem
from appliance.servers.web.jmap.call import AccountArguments, Call, Int, PositiveInt, UnsignedInt, Wire
from appliance.servers.web.jmap.problem import MethodError, SetError, invalid_properties, set_error

Record = dict[str, Any]
T = TypeVar("T")

#: Of a filter: operators within one another, and conditions altogether.
_FILTER_DEPTH: Final = 16
FILTER_CONDITIONS: Final = 200
_COMPARATORS: Final = 10


# /get, RFC 8620 §5.1.


class GetArguments(AccountArguments, kw_only=True):
    """`ids`: null for all."""

    ids: list[str] | None = None
    properties: list[str] | None = None


class GetResponse(Wire):
    """Records that were asked for, and ids that name none."""

    account_id: str
    state: str
    records: list[Record] = msgspec.field(name="list")
    not_found: list[str]


def wanted_ids(call: Call, ids: Sequence[str]) -> list[str]:
    """Ids that are asked for, each once, creation ids resolved. Raises MethodError: requestTooLarge."""
    if len(ids) > limits.JMAP_GET_OBJECTS:
        raise MethodError("requestTooLarge", f"at most {limits.JMAP_GET_OBJECTS} ids")
    return list(dict.fromkeys(map(call.resolve, ids)))


def wanted_properties(properties: Sequence[str] | None, known: Collection[str]) -> list[str]:
    """Properties that are asked for, with the id. Raises MethodError: invalidArguments."""
    if properties is None:
        return list(known)
    if unknown := [one for one in properties if one not in known]:
        raise MethodError("invalidArguments", f"there is no property {unknown[0][:100]}")
    return list(dict.fromkeys(("id", *properties)))


def get(call: Call, arguments: GetArguments, state: str, records: Mapping[str, Record]) -> GetResponse:
    """Answer of records that are all at hand, by id: with all their properties, of which the wanted are answered."""
    ids = list(records) if arguments.ids is None else wanted_ids(call, arguments.ids)
    found, missing = [], []
    for id in ids:
        record = records.get(id)
        if record is None:
            missing.append(id)
        else:
            names = wanted_properties(arguments.properties, record)
            found.append({name: record[name] for name in names})
    return GetResponse(account_id=call.account_id, state=state, records=found, not_found=missing)


# /changes, RFC 8620 §5.2.


class ChangesArguments(AccountArguments, kw_only=True):
    """From a state on."""

    since_state: str
    max_changes: PositiveInt | None = None


class ChangesResponse(Wire, kw_only=True):
    """What is different."""

    account_id: str
    old_state: str
    new_state: str
    has_more_changes: bool = False
    created: list[str]
    updated: list[str]
    destroyed: list[str]


#: Higher than any modification sequence will be.
MOST_MODSEQ: Final = 1 << 62


def modseq_of(state: str, now: int, oldest: int) -> int:
    """The modification sequence that a state names, of those from `oldest` to `now`.

    Raises MethodError: cannotCalculateChanges.
    """
    if not state.isascii() or not state.isdecimal() or len(state) > 20 or not oldest <= int(state) <= now:
        raise MethodError("cannotCalculateChanges")
    return int(state)


# /set, RFC 8620 §5.3.


class SetArguments(AccountArguments, kw_only=True):
    """What is to be created, changed, destroyed, in this order."""

    if_in_state: str | None = None
    create: dict[str, Record] | None = None
    update: dict[str, Record] | None = None
    destroy: list[str] | None = None


class SetResponse(Wire, kw_only=True):
    """What came of it."""

    account_id: str
    old_state: str | None
    new_state: str
    created: dict[str, Record] | None = None
    updated: dict[str, Record | None] | None = None
    destroyed: list[str] | None = None
    not_created: dict[str, Record] | None = None
    not_updated: dict[str, Record] | None = None
    not_destroyed: dict[str, Record] | None = None


class SetFunctions(msgspec.Struct, kw_only=True):
    """What /set of a type does with one record; each raises SetError or Problem."""

    #: Of properties as the client has sent them: the created record's `id`, and what else it does not know of it.
    create: Callable[[Record], Awaitable[Record]] | None = None
    #: Of an id and a patch: properties that changed beyond what it asked for, or None.
    update: Callable[[str, Record], Awaitable[Record | None]] | None = None
    destroy: Callable[[str], Awaitable[None]] | None = None


def check_set(arguments: SetArguments, state: str) -> None:
    """Whether it may be tried at all. Raises MethodError: stateMismatch, requestTooLarge."""
    if arguments.if_in_state is not None and arguments.if_in_state != state:
        raise MethodError("stateMismatch")
    count = len(arguments.create or ()) + len(arguments.update or ()) + len(arguments.destroy or ())
    if count > limits.JMAP_SET_OBJECTS:
        raise MethodError("requestTooLarge", f"at most {limits.JMAP_SET_OBJECTS} records")


async def set_each(
    call: Call, arguments: SetArguments, state: Callable[[], str], functions: SetFunctions
) -> SetResponse:
    """Create, change and destroy one record after the other; creation ids are known to what comes later.

    `state`: as it is now. Raises MethodError: stateMismatch, requestTooLarge.
    """
    old = state()
    check_set(arguments, old)
    response = SetResponse(account_id=call.account_id, old_state=old, new_state=old)
    created, not_created = {}, {}
    for name, properties in (arguments.create or {}).items():
        made = await _attempt(functions.create, properties)
        if isinstance(made, SetError):
            not_created[name] = made.fields
        else:
            assert made is not None
            call.created[name] = made["id"]
            created[name] = made
    updated, not_updated = {}, {}
    destroy = list(dict.fromkeys(map(call.resolve, arguments.destroy or ())))
    for name, patch in (arguments.update or {}).items():
        id = call.resolve(name)
        # RFC 8620 §5.3: willDestroy.
        outcome = SetError("willDestroy") if id in destroy else await _attempt(functions.update, id, patch)
        if isinstance(outcome, SetError):
            not_updated[name] = outcome.fields
        else:
            updated[id] = outcome
    destroyed, not_destroyed = [], {}
    for id in destroy:
        outcome = await _attempt(functions.destroy, id)
        if isinstance(outcome, SetError):
            not_destroyed[id] = outcome.fields
        else:
            destroyed.append(id)
    response.created, response.not_created = created or None, not_created or None
    response.updated, response.not_updated = updated or None, not_updated or None
    response.destroyed, response.not_destroyed = destroyed or None, not_destroyed or None
    response.new_state = state()
    return response


async def _attempt(function: Callable[..., Awaitable[T]] | None, *given: Any) -> T | SetError:
    if function is None:
        return SetError("forbidden", "this is not possible here")
    try:
        return await function(*given)
    except SetError as error:
        return error
    except Problem as problem:
        return set_error(problem)


def converted(properties: Record, kind: type[T]) -> T:
    """Properties of a record as a type that has no others. Raises SetError: invalidProperties."""
    known = {one.encode_name for one in msgspec.structs.fields(kind)}  # type: ignore[arg-type]
    if unknown := [name for name in properties if name not in known]:
        raise invalid_properties("these cannot be set", *(name[:100] for name in unknown[:20]))
    try:
        return msgspec.convert(properties, kind)
    except msgspec.ValidationError as error:
        found = _PLACE.search(str(error)) or _MISSING.search(str(error))
        raise invalid_properties(str(error), *([found[1]] if found and found[1] in known else [])) from error


#: How an error says where it is, or what is missing.
_PLACE: Final = re.compile(r"`\$\.([A-Za-z]+)")
_MISSING: Final = re.compile(r"field `([A-Za-z]+)`")


def patched(record: Record, patch: Record) -> Record:
    """A record with a PatchObject applied (RFC 8620 §5.3); the record stays as it is. Raises SetError: invalidPatch.

    Whether the properties may be changed, and to this, is for the caller to see. A null takes away, so a property whose
    default is not null has to be given that again by the caller.
    """
    made = dict(record)
    copied: set[int] = set()
    paths = [path.removeprefix("/") for path in patch]
    known = set(paths)
    if len(known) != len(paths):
        raise SetError("invalidPatch", "a path stands there twice")
    for path, value in zip(paths, patch.values(), strict=True):
        tokens = [one.replace("~1", "/").replace("~0", "~") for one in path.split("/")]
        if any("/".join(path.split("/")[:count]) in known for count in range(1, len(tokens))):
            raise SetError("invalidPatch", f"{path[:100]} is below another path")
        place = made
        for token in tokens[:-1]:
            inner = place.get(token)
            if not isinstance(inner, dict):
                raise SetError("invalidPatch", f"{path[:100]} leads nowhere")
            if id(inner) not in copied:
                inner = place[token] = dict(inner)
                copied.add(id(inner))
            place = inner
        if value is None and len(tokens) > 1:
            place.pop(tokens[-1], None)
        else:
            place[tokens[-1]] = value
    return made


# /query, RFC 8620 §5.5.


class Comparator(Wire):
    """By what records are sorted; types may have one of their own with more.

    Lenient: what is not known is passed over. jmapc, a client in Python, has arguments of /query in there.
    """

    property: str
    is_ascending: bool = True
    collation: str | None = None


class QueryArguments(AccountArguments, kw_only=True):
    """Which records, in which order, and which part of them."""

    filter: Record | None = None
    sort: list[Record] | None = None
    position: Int = 0
    anchor: str | None = None
    anchor_offset: Int = 0
    limit: UnsignedInt | None = None
    calculate_total: bool = False


class QueryResponse(Wire, omit_defaults=True, kw_only=True):
    """That part."""

    account_id: str
    query_state: str
    can_calculate_changes: bool
    position: int
    ids: list[str]
    total: int | None = None
    #: Only where it is another than what was asked for.
    limit: int | None = None


def filter_of(
    raw: Record | None, condition: type[T], *, matches: Callable[[T], Callable[[Any], bool]]
) -> Callable[[Any], bool]:
    """A filter as a function of whatever `matches` gets to see.

    Raises MethodError: unsupportedFilter, invalidArguments.
    """
    count = 0

    def build(value: Any, depth: int) -> Callable[[Any], bool]:
        nonlocal count
        if not isinstance(value, dict):
            raise MethodError("invalidArguments", "a filter is an object")
        if "operator" not in value:
            count += 1
            if count > FILTER_CONDITIONS:
                raise MethodError("unsupportedFilter", f"at most {FILTER_CONDITIONS} conditions")
            return matches(condition_of(value, condition))
        word, parts = operator_of(value, depth)
        inner = [build(one, depth + 1) for one in parts]
        if word == "AND":
            return lambda one: all(test(one) for test in inner)
        if word == "OR":
            return lambda one: any(test(one) for test in inner)
        return lambda one: not any(test(one) for test in inner)

    return (lambda _: True) if raw is None else build(raw, 0)


def operator_of(value: Record, depth: int) -> tuple[str, list[Any]]:
    """The word and the parts of an operator. Raises MethodError: unsupportedFilter, invalidArguments."""
    if depth >= _FILTER_DEPTH:
        raise MethodError("unsupportedFilter", "operators are nested too deep")
    word, parts = value.get("operator"), value.get("conditions")
    if word not in {"AND", "OR", "NOT"} or not isinstance(parts, list) or len(value) != 2:
        raise MethodError("invalidArguments", "an operator is AND, OR or NOT, with conditions")
    return str(word), parts


def condition_of(value: Record, condition: type[T]) -> T:
    """A condition of a filter. Raises MethodError: unsupportedFilter for unknown properties, invalidArguments."""
    known = {one.encode_name for one in msgspec.structs.fields(condition)}  # type: ignore[arg-type]
    if unknown := [one for one in value if one not in known]:
        raise MethodError("unsupportedFilter", f"there is no filter by {unknown[0][:100]}")
    try:
        return msgspec.convert(value, condition)
    except msgspec.ValidationError as error:
        raise MethodError("invalidArguments", f"filter: {error}") from error


def comparators_of(
    raw: Sequence[Record] | None,
    known: Collection[str],
    kind: type[T] = Comparator,  # type: ignore[assignment]
) -> list[T]:
    """What to sort by, of properties that are known. Raises MethodError: unsupportedSort, invalidArguments."""
    if len(raw or ()) > _COMPARATORS:
        raise MethodError("unsupportedSort", f"at most {_COMPARATORS} comparators")
    try:
        found = [msgspec.convert(one, kind) for one in raw or ()]
    except msgspec.ValidationError as error:
        raise MethodError("invalidArguments", f"sort: {error}") from error
    for one in found:
        name, collation = getattr(one, "property"), getattr(one, "collation")  # noqa: B009
        if name not in known:
            raise MethodError("unsupportedSort", f"there is no sorting by {name[:100]}")
        if collation not in {None, *COLLATIONS}:
            raise MethodError("unsupportedSort", f"there is no collation {collation[:100]}")
    return found


#: RFC 4790; what we sort text by, and say so in the session object.
COLLATIONS: Final = ("i;ascii-casemap", "i;unicode-casemap")


def window(
    arguments: QueryArguments, count: int, place_of: Callable[[str], int | None], most: int
) -> tuple[int, int, int | None]:
    """Which part of so many results is asked for: from where to where, and the limit if another one applies.

    `place_of`: where an id stands among them. Raises MethodError: anchorNotFound.
    """
    if arguments.anchor is not None:
        at = place_of(arguments.anchor)
        if at is None:
            raise MethodError("anchorNotFound")
        start = max(0, at + arguments.anchor_offset)
    else:
        start = arguments.position if arguments.position >= 0 else max(0, count + arguments.position)
    limit = most if arguments.limit is None else min(arguments.limit, most)
    start = min(start, count)
    return start, min(count, start + limit), None if arguments.limit == limit else limit


def query(
    call: Call, arguments: QueryArguments, state: str, ids: Sequence[str], *, can_calculate_changes: bool
) -> QueryResponse:
    """Answer of all results, in their order. Raises MethodError: anchorNotFound."""
    anchor = call.resolve(arguments.anchor) if arguments.anchor is not None else None
    arguments = msgspec.structs.replace(arguments, anchor=anchor)
    places = {id: at for at, id in enumerate(ids)} if anchor is not None else {}
    start, end, limit = window(arguments, len(ids), places.get, max(len(ids), 1))
    return QueryResponse(
        account_id=call.account_id,
        query_state=state,
        can_calculate_changes=can_calculate_changes,
        position=start,
        ids=list(ids[start:end]),
        total=len(ids) if arguments.calculate_total else None,
        limit=limit if arguments.limit is not None else None,
    )


# /queryChanges, RFC 8620 §5.6.


class QueryChangesArguments(AccountArguments, kw_only=True):
    """What is different since an earlier query."""

    filter: Record | None = None
    sort: list[Record] | None = None
    since_query_state: str
    max_changes: PositiveInt | None = None
    up_to_id: str | None = None
    calculate_total: bool = False


class AddedItem(Wire):
    """A result that is new, or stands elsewhere, and where."""

    id: str
    index: int


class QueryChangesResponse(Wire, omit_defaults=True, kw_only=True):
    """First what is removed goes, then what is added comes, in order."""

    account_id: str
    old_query_state: str
    new_query_state: str
    removed: list[str]
    added: list[AddedItem]
    total: int | None = None


def query_changes(
    call: Call, arguments: QueryChangesArguments, state: str, touched: Iterable[str], ids: Sequence[str]
) -> QueryChangesResponse:
    """Answer of all results of now, and of ids of whatever may have entered, left or moved since then.

    RFC 8620 §5.6 allows ids in `removed` that were no results. Raises MethodError: tooManyChanges.
    """
    removed = list(dict.fromkeys(touched))
    gone = set(removed)
    added = [AddedItem(id=id, index=at) for at, id in enumerate(ids) if id in gone]
    if arguments.max_changes is not None and len(removed) + len(added) > arguments.max_changes:
        raise MethodError("tooManyChanges")
    return QueryChangesResponse(
        account_id=call.account_id,
        old_query_state=arguments.since_query_state,
        new_query_state=state,
        removed=removed,
        added=added,
        total=len(ids) if arguments.calculate_total else None,
    )


# Dates, RFC 8620 §1.4.

_UTC_DATE: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")


def utc_date(microseconds: int) -> str:
    """A UTCDate, to the second."""
    when = datetime.fromtimestamp(microseconds // 1_000_000, UTC)
    return when.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def parse_utc_date(text: str) -> int:
    """Microseconds since 1970. Raises ValueError."""
    if not _UTC_DATE.fullmatch(text):
        raise ValueError("not a UTCDate")
    seconds = datetime.fromisoformat(f"{text[:19]}+00:00").timestamp()
    fraction = text[20:-1].ljust(6, "0")[:6]
    return int(seconds) * 1_000_000 + int(fraction)
