"""Thread/* (RFC 8621 §3): the threads of the store, which a message never leaves."""

from itertools import islice
from typing import Final

import trio

from appliance.base import limits
from appliance.servers.web.jmap import standard
from appliance.servers.web.jmap.call import MAIL, Call, Method
from appliance.servers.web.jmap.problem import MethodError
from appliance.servers.web.jmap.standard import ChangesArguments, ChangesResponse, GetArguments, GetResponse
from appliance.store import message, objectid, tables, thread
from appliance.store.reach import Reach
from appliance.store.records import DELETED
from appliance.store.tables import AccountID, MessageID, Table
from appliance.store.transaction import ReadTx

PROPERTIES: Final = ("id", "emailIds")
#: Of fewer threads members are looked up in the event loop.
_INLINE: Final = 8
#: Messages of all threads of one answer.
_MESSAGES: Final = 50_000
#: Changes that are looked at; with more a client begins anew.
_CHANGES: Final = 20_000


def emails(tx: ReadTx, reach: Reach, id: MessageID) -> list[MessageID]:
    """Messages of a thread that a reader sees, the oldest first (RFC 8621 §3), without those with \\Deleted."""
    found = []
    for one in islice(thread.members(tx, reach.account, id), _MESSAGES):
        place = message.place(tx, reach.account, one)
        if place is None or place.expunged or not (reach.is_own or place.mailbox in reach.live):
            continue
        row = message.row(tx, reach.account, place.mailbox, place.uid)
        if row is not None and not row.flags & DELETED:
            found.append((row.received, one))
    return [one for _, one in sorted(found)]


def _all(tx: ReadTx, reach: Reach) -> list[str]:
    """Ids of all threads. Raises MethodError when these are more than may be asked for."""
    found: list[str] = []
    account = reach.account
    if not reach.is_own:
        rows = (row for one in reach.mailboxes for _, row in message.rows(tx, account, one.id))
        seen = {row.thread for row in islice(rows, _MESSAGES)}
        if len(seen) > limits.JMAP_GET_OBJECTS or sum(one.messages for one in reach.mailboxes) > _MESSAGES:
            raise MethodError("requestTooLarge", "there are too many threads to ask for all")
        return [objectid.thread(account, one) for one in sorted(seen)]
    first, end = tables.account_key(account), tables.account_key(AccountID(account + 1))
    while (entry := next(tx.scan(Table.THREAD, first, end), None)) is not None:
        number = int.from_bytes(entry[0][4:12], "big")
        if len(found) == limits.JMAP_GET_OBJECTS:
            raise MethodError("requestTooLarge", "there are too many threads to ask for all")
        found.append(objectid.thread(account, number))
        first = tables.thread_key(account, MessageID(number + 1), MessageID(0))
    return found


async def get(call: Call, arguments: GetArguments) -> GetResponse:
    """RFC 8621 §3.1."""
    wanted = standard.wanted_properties(arguments.properties, PROPERTIES)
    account, store = call.account, call.app.store
    ids = None if arguments.ids is None else standard.wanted_ids(call, arguments.ids)

    def look() -> GetResponse:
        response = GetResponse(account_id=call.account_id, state="", records=[], not_found=[])
        left = _MESSAGES
        with store.read() as tx:
            reach = call.reach(tx)
            response.state = reach.state(reach.modseq)
            for id in _all(tx, reach) if ids is None else ids:
                number = objectid.parse("T", account, id)
                found = [] if number is None else emails(tx, reach, number)
                if found:
                    record = {"id": id, "emailIds": [objectid.message(account, one) for one in found]}
                    response.records.append({name: record[name] for name in wanted})
                elif ids is not None:
                    response.not_found.append(id)
                left -= len(found)
                if left < 0:
                    raise MethodError("requestTooLarge", "these are too many messages, ask for fewer threads")
        return response

    if ids is not None and len(ids) <= _INLINE:
        return look()
    return await trio.to_thread.run_sync(look)


async def changes(call: Call, arguments: ChangesArguments) -> ChangesResponse:
    """RFC 8621 §3.2. Flags and moves change no thread, but for \\Deleted.

    In an account of another moves do, since they come and go by rights; there every change is told.
    """
    return await trio.to_thread.run_sync(_changes, call, arguments)


def _changes(call: Call, arguments: ChangesArguments) -> ChangesResponse:
    account = call.account
    #: When messages of a thread came or went last, and when messages were made that have changed.
    last: dict[MessageID, int] = {}
    made: dict[MessageID, int] = {}
    #: When the first of those of a thread came to where they are.
    first: dict[MessageID, int] = {}
    with call.app.store.read() as tx:
        reach = call.reach(tx)
        since = standard.modseq_of(reach.within(arguments.since_state), reach.modseq, reach.oldest)
        changed = message.changed_since(tx, account, since) if since < reach.modseq else iter(())
        if not reach.is_own:
            changed = (one for one in changed if one.mailbox in reach.live)
        for count, one in enumerate(changed):
            if count >= _CHANGES:
                raise MethodError("cannotCalculateChanges")
            # One that was moved was made when it came to where it was first.
            made[one.id] = min(made.get(one.id, one.create_modseq), one.create_modseq)
            turned = one.turned if reach.is_own else one.modseq
            if turned <= since:
                continue
            number = one.thread
            if not one.expunged:
                row = message.row(tx, account, one.mailbox, one.uid)
                assert row is not None
                number = row.thread
            if not number:
                raise MethodError("cannotCalculateChanges")
            last[number] = max(last.get(number, 0), turned)
            first[number] = min(first.get(number, one.create_modseq), one.create_modseq)
        if reach.is_own:
            # A thread begins with the message that it is named after.
            begun = {number: made[number] for number in last if made.get(number, 0) > since}
        else:
            begun = {number: when for number, when in first.items() if _is_new(tx, reach, number, when, since)}
        # It is told where it began: what comes after an intermediate state would only say that it was updated.
        places = {number: min(modseq, begun.get(number, modseq)) for number, modseq in last.items()}
        threads = sorted(places.items(), key=lambda item: item[1])
        until = reach.modseq
        most = arguments.max_changes
        if most is not None and len(threads) > most:
            until = threads[most][1] - 1
            threads = [item for item in threads if item[1] <= until]
            if not threads:
                raise MethodError("cannotCalculateChanges")
        response = ChangesResponse(
            account_id=call.account_id,
            old_state=arguments.since_state,
            new_state=reach.state(until),
            has_more_changes=until < reach.modseq,
            created=[],
            updated=[],
            destroyed=[],
        )
        for number, _ in threads:
            is_new = number in begun
            if emails(tx, reach, number):
                (response.created if is_new else response.updated).append(objectid.thread(account, number))
            elif not is_new:
                response.destroyed.append(objectid.thread(account, number))
    return response


def _is_new(tx: ReadTx, reach: Reach, number: MessageID, first: int, since: int) -> bool:
    """Whether a reader saw nothing of a thread at a modification sequence; `first`: when what changed since came."""
    if first <= since:
        return False
    for id in emails(tx, reach, number):
        place = message.place(tx, reach.account, id)
        row = None if place is None else message.row(tx, reach.account, place.mailbox, place.uid)
        if row is not None and row.create_modseq <= since:
            return False
    return True


METHODS: Final = (
    Method("Thread/get", MAIL, GetArguments, get, shared=True),
    Method("Thread/changes", MAIL, ChangesArguments, changes, shared=True),
)
