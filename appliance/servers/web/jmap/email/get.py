"""Email/get and Email/changes (RFC 8621 §4.2, §4.3)."""

import re
from collections.abc import Sequence
from itertools import islice
from typing import Final, NamedTuple

import trio

from appliance.base import limits
from appliance.servers.web.jmap import standard
from appliance.servers.web.jmap.call import MAIL, Call, Method, account_id
from appliance.servers.web.jmap.email.properties import DEFAULTS, BodyArguments, Budget, Value, Wanted, email, wanted
from appliance.servers.web.jmap.email.source import stored
from appliance.servers.web.jmap.problem import MethodError
from appliance.servers.web.jmap.standard import MOST_MODSEQ, ChangesArguments, ChangesResponse, GetResponse
from appliance.store import message, objectid
from appliance.store.listquery import Query
from appliance.store.reach import Reach
from appliance.store.records import DELETED
from appliance.store.tables import AccountID, MailboxID, MessageID
from appliance.store.transaction import ReadTx

#: So few messages as lists show them are read in the event loop; of more, so many with one snapshot of a thread.
_INLINE: Final = 2
_AT_ONCE: Final = 64
#: Ids that Email/changes tells where its client does not say how many it takes.
_MOST_CHANGES: Final = 5000
#: So many changes are looked at in the event loop; and in a thread, where each takes some 500 octets: with more a
#: client begins anew.
_INLINE_CHANGES: Final = 64
_LOOKED_AT: Final = 100_000


class EmailGetArguments(BodyArguments, kw_only=True):
    """RFC 8621 §4.2."""

    ids: list[str] | None = None
    properties: list[str] | None = None


def state_of(reach: Reach) -> str:
    """The state of an account's emails, as somebody sees them."""
    return reach.state(reach.modseq)


async def get(call: Call, arguments: EmailGetArguments) -> GetResponse:
    """Email/get."""
    properties = None if arguments.properties is None else ["id", *arguments.properties]
    asked = wanted(call, properties, DEFAULTS, arguments)
    asked_for = arguments.ids
    if asked_for is None:  # All there are (RFC 8620 §5.1), if they are not too many.
        every, _ = await call.app.store.listings.find(call.account, Query(), call.actor.account)
        asked_for = [objectid.message(call.account, id) for id in every.ids[: limits.JMAP_GET_OBJECTS + 1]]
    ids = standard.wanted_ids(call, asked_for)
    with call.app.store.read() as tx:
        # Before what is read then: what changes meanwhile is told once more by /changes.
        state = state_of(call.reach(tx))
    found = await emails(call, ids, asked)
    return GetResponse(
        account_id=call.account_id,
        state=state,
        records=[found[id] for id in ids if id in found],
        not_found=[id for id in ids if id not in found],
    )


async def emails(call: Call, ids: Sequence[str], asked: Wanted) -> dict[str, Value]:
    """Those of the emails that are there, by id."""
    numbers = {number: id for id in ids if (number := objectid.parse("M", call.account, id)) is not None}
    found: dict[str, Value] = {}
    budget = Budget()

    def read(some: Sequence[MessageID]) -> None:
        with call.app.store.read() as tx:
            sources = stored(tx, call.reach(tx), some, call.app.store.orders, traits=asked.traits)
            for number, source in sources.items():
                found[numbers[number]] = email(source, asked, budget)

    wanted_numbers = list(numbers)
    if len(wanted_numbers) <= _INLINE and not asked.is_costly:
        read(wanted_numbers)
        return found
    step = 1 if asked.is_costly else _AT_ONCE
    for at in range(0, len(wanted_numbers), step):
        await trio.to_thread.run_sync(read, wanted_numbers[at : at + step])
    return found


# Changes.

#: A state between two: of `_Known`, the first numbers, or all of them.
_BETWEEN: Final = re.compile(
    r"([0-9]{1,18}):([0-9]{1,18})(?::([0-9]{1,18}):([0-9]{1,18})\.([0-9]{1,10})\.([0-9]{1,10}))?"
)

_Key = tuple[int, int, int]
_LAST_KEY: Final[_Key] = (MOST_MODSEQ, 0, 0)


class _Known(NamedTuple):
    """What a client knows that is told of changes in parts, the latest first (RFC 8620 §5.2)."""

    #: What it knew at first, and by now all up to here.
    first: int
    up_to: int
    #: All from a change, by its key, up to another; the key alone where nothing is known in part.
    end: int = MOST_MODSEQ
    start: _Key = _LAST_KEY


def _known(state: str, now: int, oldest: int) -> _Known:
    """What a state says. Raises MethodError: cannotCalculateChanges."""
    match = _BETWEEN.fullmatch(state)
    first = standard.modseq_of(match[1] if match else state, now, oldest)
    if match is None:
        return _Known(first, first)
    up_to = standard.modseq_of(match[2], now, first)
    if match[3] is None:
        return _Known(first, up_to)
    end = standard.modseq_of(match[3], now, up_to)
    return _Known(first, up_to, end, (int(match[4]), int(match[5]), int(match[6])))


async def changes(call: Call, arguments: ChangesArguments) -> ChangesResponse:
    """Email/changes."""
    most = min(arguments.max_changes or _MOST_CHANGES, _MOST_CHANGES)
    with call.app.store.read() as tx:
        reach = call.reach(tx)
        known = _known(reach.within(arguments.since_state), reach.modseq, reach.oldest)
        if known.up_to == reach.modseq or _are_few(tx, call.account, known.first):
            return _changes(tx, reach, arguments.since_state, known, most)

    def work() -> ChangesResponse:
        with call.app.store.read() as tx:
            reach = call.reach(tx)
            if not reach.within(arguments.since_state):
                raise MethodError("cannotCalculateChanges")
            return _changes(tx, reach, arguments.since_state, known, most)

    return await trio.to_thread.run_sync(work)


def _are_few(tx: ReadTx, account: AccountID, since: int) -> bool:
    return len(list(islice(message.changed_since(tx, account, since), _INLINE_CHANGES + 1))) <= _INLINE_CHANGES


def _changes(tx: ReadTx, reach: Reach, since_state: str, known: _Known, most: int) -> ChangesResponse:
    """What changed beyond what is known, or a part of it.

    What was told as changed or destroyed is never told as new later (RFC 8620 §5.2): what is new is decided by all that
    changed since the first state. For what came since then, and changed again before its turn, is told as new even if
    it was told so before, and as destroyed even if it was never told.
    """
    account, now = reach.account, reach.modseq
    end = min(known.end, now)
    made: dict[MessageID, int] = {}
    last: dict[MessageID, _Key] = {}
    turned: dict[MessageID, int] = {}
    # Where nothing is new that is shown, much may be that is not: of that nobody asks.
    for one in message.changed_since(tx, account, known.first) if known.up_to < now else ():
        if not reach.is_own and one.mailbox not in reach.live:
            continue  # What comes from there is new, and what goes there is gone.
        if len(last) == _LOOKED_AT:
            raise MethodError("cannotCalculateChanges")
        made[one.id] = min(made.get(one.id, one.create_modseq), one.create_modseq)
        turned[one.id] = max(turned.get(one.id, 0), one.turned)
        last[one.id] = (one.modseq, one.mailbox, one.uid)
    told = [(key, id) for id, key in last.items() if known.up_to < key[0] <= end and key < known.start]
    response = ChangesResponse(
        account_id=account_id(account), old_state=since_state, new_state="", created=[], updated=[], destroyed=[]
    )
    count = 0
    start = known.start
    for key, id in sorted(told, reverse=True):
        is_there = _is_there(tx, account, id, reach.live)
        if is_there:
            # One that was out of sight meanwhile may have been told as destroyed.
            is_new = made[id] > known.first and (made[id] > known.up_to or turned[id] <= known.up_to)
            kind = response.created if is_new else response.updated
        elif made[id] <= known.up_to:
            kind = response.destroyed
        else:
            start = key
            continue
        if count == most:
            response.new_state = reach.state(f"{known.first}:{known.up_to}:{end}:{start[0]}.{start[1]}.{start[2]}")
            response.has_more_changes = True
            return response
        kind.append(objectid.message(account, id))
        count += 1
        start = key
    response.has_more_changes = end < now
    response.new_state = reach.state(f"{known.first}:{end}" if end < now else end)
    return response


def _is_there(tx: ReadTx, account: AccountID, id: MessageID, live: frozenset[MailboxID]) -> bool:
    """Whether a message can be seen by JMAP (RFC 8621 §4.1.1)."""
    place = message.place(tx, account, id)
    if place is None or place.expunged or place.mailbox not in live:
        return False
    row = message.row(tx, account, place.mailbox, place.uid)
    return row is not None and not row.flags & DELETED


METHODS: Final = (
    Method("Email/get", MAIL, EmailGetArguments, get, shared=True),
    Method("Email/changes", MAIL, ChangesArguments, changes, shared=True),
)
