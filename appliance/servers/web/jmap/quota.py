"""Quota/* (RFC 9425): how much the account holds, and may hold."""

import hashlib
from typing import Any, Final

import msgspec

from appliance.operations.messages import quota_octets
from appliance.operations.states import quota_state
from appliance.servers.web.jmap import standard
from appliance.servers.web.jmap.call import QUOTA, Call, Method, Wire
from appliance.servers.web.jmap.problem import MethodError
from appliance.servers.web.jmap.standard import (
    ChangesArguments,
    GetArguments,
    GetResponse,
    QueryArguments,
    QueryChangesArguments,
    QueryChangesResponse,
    QueryResponse,
    Record,
)

#: There is one at most, of octets.
ID: Final = "octets"
PROPERTIES: Final = (
    *("id", "resourceType", "used", "hardLimit", "scope", "name", "types", "warnLimit", "softLimit", "description"),
)


def current(call: Call) -> tuple[dict[str, Record], str]:
    """The quotas by their ids, and the state: what they say, in short."""
    hard = quota_octets(call.app, call.actor)
    with call.app.store.read() as tx:
        used = tx.account(call.account).usage_octets
    state = quota_state(used, hard)
    if hard is None:
        return {}, state
    record: Record = {
        "id": ID,
        "resourceType": "octets",
        "used": used,
        "hardLimit": hard,
        "scope": "account",
        "name": "Messages",
        "types": ["Email"],
        "warnLimit": None,
        "softLimit": None,
        "description": None,
    }
    return {ID: record}, state


async def get(call: Call, arguments: GetArguments) -> GetResponse:
    """RFC 9425 §4.3."""
    standard.wanted_properties(arguments.properties, PROPERTIES)
    records, state = current(call)
    return standard.get(call, arguments, state, records)


class QuotaChangesResponse(standard.ChangesResponse, kw_only=True):
    """RFC 9425 §4.4: with the properties that alone have changed."""

    updated_properties: list[str] | None = None


async def changes(call: Call, arguments: ChangesArguments) -> QuotaChangesResponse:
    """RFC 9425 §4.4. A state says what there was, so any can be compared."""
    records, now = current(call)
    before = arguments.since_state
    response = QuotaChangesResponse(
        account_id=call.account_id, old_state=before, new_state=now, created=[], updated=[], destroyed=[]
    )
    if before == now:
        return response
    limit, dash, used = before.partition("-")
    if before != "none" and not (dash and limit.isdecimal() and used.isdecimal()):
        raise MethodError("cannotCalculateChanges")
    if before == "none":
        response.created = [ID]
    elif not records:
        response.destroyed = [ID]
    else:
        response.updated = [ID]
        if limit == str(records[ID]["hardLimit"]):
            response.updated_properties = ["used"]
    return response


class Condition(Wire, forbid_unknown_fields=True):
    """RFC 9425 §4.5."""

    name: str | None = None
    scope: str | None = None
    resource_type: str | None = None
    type: str | None = None


def _matches(condition: Condition) -> Any:
    def test(record: Record) -> bool:
        return (
            (condition.name is None or condition.name.lower() in record["name"].lower())
            and condition.scope in {None, record["scope"]}
            and condition.resource_type in {None, record["resourceType"]}
            and (condition.type is None or condition.type in record["types"])
        )

    return test


def _found(call: Call, filter: Record | None, sort: list[Record] | None) -> tuple[list[str], str]:
    test = standard.filter_of(filter, Condition, matches=_matches)
    standard.comparators_of(sort, {"name", "used"})
    records, _ = current(call)
    ids = [id for id, record in records.items() if test(record)]
    # What is in the list does not depend on what is used.
    return ids, hashlib.sha256(msgspec.json.encode(ids)).hexdigest()[:16]


async def query(call: Call, arguments: QueryArguments) -> QueryResponse:
    """RFC 9425 §4.5."""
    ids, state = _found(call, arguments.filter, arguments.sort)
    return standard.query(call, arguments, state, ids, can_calculate_changes=True)


async def query_changes(call: Call, arguments: QueryChangesArguments) -> QueryChangesResponse:
    """RFC 9425 §4.6."""
    ids, state = _found(call, arguments.filter, arguments.sort)
    return standard.query_changes(call, arguments, state, [] if state == arguments.since_query_state else [ID], ids)


METHODS: Final = (
    Method("Quota/get", QUOTA, GetArguments, get),
    Method("Quota/changes", QUOTA, ChangesArguments, changes),
    Method("Quota/query", QUOTA, QueryArguments, query),
    Method("Quota/queryChanges", QUOTA, QueryChangesArguments, query_changes),
)
