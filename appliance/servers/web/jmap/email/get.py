"""Email/get and Email/changes (RFC 8621 §4.2, §4.3)."""

import re
from collections.abc import Sequence
from itertools import islice
from typing import Final

import trio

from appliance.base import limits
from appliance.servers.web.jmap import standard
from appliance.servers.web.jmap.call import MAIL, Call, Method
from appliance.servers.web.jmap.email.properties import DEFAULTS, BodyArguments, Budget, Value, Wanted, email, wanted
from appliance.servers.web.jmap.email.source import stored
from appliance.servers.web.jmap.standard import ChangesArguments, ChangesResponse, GetResponse
from appliance.store import message, objectid
from appliance.store.listquery import Query
from appliance.store.records import DELETED
from appliance.store.tables import AccountID, MailboxID, MessageID
from appliance.store.transaction import ReadTx

#: So few messages as lists show them are read in the event loop; of more, so many with one snapshot of a thread.
_INLINE: Final = 2
_AT_ONCE: Final = 64
#: Ids that Email/changes tells where its client does not say how many it takes.
_MOST_CHANGES: Final = 5000
#: So many changes are looked at in the event loop.
_INLINE_CHANGES: Final = 64


class EmailGetArguments(BodyArguments, kw_only=True):
    """RFC 8621 §4.2."""

    ids: list[str] | None = None
    properties: list[str] | None = None


def state_of(tx: ReadTx, account: AccountID) -> str:
    """The state of an account's emails."""
    return str(tx.account(account).modseq)


async def get(call: Call, arguments: EmailGetArguments) -> GetResponse:
    """Email/get."""
    properties = None if arguments.properties is None else ["id", *arguments.properties]
    asked = wanted(call, properties, DEFAULTS, arguments)
    asked_for = arguments.ids
    if asked_for is None:  # All there are (RFC 8620 §5.1), if they are not too many.
        every, _ = await call.app.store.listings.find(call.account, Query())
        asked_for = [objectid.message(call.account, id) for id in every.ids[: limits.JMAP_GET_OBJECTS + 1]]
    ids = standard.wanted_ids(call, asked_for)
    with call.app.store.read() as tx:
        # Before what is read then: what changes meanwhile is told once more by /changes.
        state = state_of(tx, call.account)
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
            live = frozenset(box.id for box in tx.mailboxes(call.account))
            sources = stored(tx, call.account, some, call.app.store.orders, traits=asked.traits, live=live)
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

#: A state between two: all that changed after the first number, up to the entry that the others name.
_BETWEEN: Final = re.compile(r"([0-9]{1,18}):([0-9]{1,18})\.([0-9]{1,10})\.([0-9]{1,10})")

_Key = tuple[int, int, int]


async def changes(call: Call, arguments: ChangesArguments) -> ChangesResponse:
    """Email/changes."""
    most = min(arguments.max_changes or _MOST_CHANGES, _MOST_CHANGES)
    between = _BETWEEN.fullmatch(arguments.since_state)
    with call.app.store.read() as tx:
        account = tx.account(call.account)
        start = between[1] if between else arguments.since_state
        since = standard.modseq_of(start, account.modseq, max(account.highest_deleted_modseq, 0))
        after = tuple(map(int, between.groups()[1:])) if between else (since, 1 << 32, 0)
        some = islice(message.changed_since(tx, call.account, since), _INLINE_CHANGES + 1)
        if len(list(some)) <= _INLINE_CHANGES:
            return _changes(tx, call, arguments.since_state, since, after, most)

    def work() -> ChangesResponse:
        with call.app.store.read() as tx:
            return _changes(tx, call, arguments.since_state, since, after, most)

    return await trio.to_thread.run_sync(work)


def _changes(
    tx: ReadTx, call: Call, since_state: str, since: int, after: tuple[int, ...], most: int
) -> ChangesResponse:
    """What changed after a modseq, told from the key `after` on.

    Whether a message is new is decided by all that changed since the first state, so that it does not depend on where
    the answer is cut: what was told as changed once is never told as new later (RFC 8620 §5.2).
    """
    account = call.account
    live = {box.id for box in tx.mailboxes(account)}
    existed: set[MessageID] = set()
    told: dict[MessageID, _Key] = {}
    for one in message.changed_since(tx, account, since):
        if one.create_modseq <= since:
            existed.add(one.id)
        key: _Key = (one.modseq, one.mailbox, one.uid)
        if key > after:
            told[one.id] = key
    response = ChangesResponse(
        account_id=call.account_id,
        old_state=since_state,
        new_state=state_of(tx, account),
        created=[],
        updated=[],
        destroyed=[],
    )
    count = 0
    last: _Key | None = None
    for id, last_key in sorted(told.items(), key=lambda item: item[1]):
        is_there = _is_there(tx, account, id, live)
        if not is_there and id not in existed:
            last = last_key
            continue
        if count == most:
            assert last is not None
            response.new_state = f"{since}:{last[0]}.{last[1]}.{last[2]}"
            response.has_more_changes = True
            break
        count += 1
        last = last_key
        kind = response.destroyed if not is_there else response.updated if id in existed else response.created
        kind.append(objectid.message(account, id))
    return response


def _is_there(tx: ReadTx, account: AccountID, id: MessageID, live: set[MailboxID]) -> bool:
    """Whether a message can be seen by JMAP (RFC 8621 §4.1.1)."""
    place = message.place(tx, account, id)
    if place is None or place.expunged or place.mailbox not in live:
        return False
    row = message.row(tx, account, place.mailbox, place.uid)
    return row is not None and not row.flags & DELETED


METHODS: Final = (
    Method("Email/get", MAIL, EmailGetArguments, get),
    Method("Email/changes", MAIL, ChangesArguments, changes),
)
