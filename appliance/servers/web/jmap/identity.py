"""Identity/* (RFC 8621 §6): who the account may send as.

They also change with the configuration, of which nobody keeps what was before. So the state says itself what there
was, as long as these are few.
"""

from typing import Any, Final

from appliance.operations import identities
from appliance.operations.identities import BadIdentity, Shown
from appliance.operations.submit import NotYourAddress
from appliance.servers.web.jmap import standard
from appliance.servers.web.jmap.call import SUBMISSION, Call, Method, Wire
from appliance.servers.web.jmap.problem import MethodError, SetError, invalid_properties
from appliance.servers.web.jmap.standard import (
    ChangesArguments,
    ChangesResponse,
    GetArguments,
    GetResponse,
    Record,
    SetArguments,
    SetFunctions,
    SetResponse,
)
from appliance.store.webrecords import Identity, Named

PROPERTIES: Final = ("id", "name", "email", "replyTo", "bcc", "textSignature", "htmlSignature", "mayDelete")
#: Only the server sets them, and only the client that creates one.
_FIXED: Final = ("id", "email", "mayDelete")


class EmailAddress(Wire, forbid_unknown_fields=True):
    """RFC 8621 §4.1.2.3."""

    email: str
    name: str | None = None


class Settable(Wire, forbid_unknown_fields=True):
    """What may be changed of one."""

    name: str = ""
    reply_to: list[EmailAddress] | None = None
    bcc: list[EmailAddress] | None = None
    text_signature: str = ""
    html_signature: str = ""


class Creation(Settable, kw_only=True):
    """And one that is created."""

    email: str


def _entries(named: "list[EmailAddress] | None") -> tuple[Named, ...] | None:
    return None if named is None else tuple(Named(one.name or "", one.email) for one in named)


def _written(entries: Any) -> list[dict[str, str | None]] | None:
    return None if entries is None else [{"name": one.name or None, "email": one.email} for one in entries]


def record(one: Shown) -> Record:
    """One as JMAP has it."""
    return {
        "id": one.id,
        "name": one.name,
        "email": one.email,
        "replyTo": _written(one.reply_to),
        "bcc": _written(one.bcc),
        "textSignature": one.text_signature,
        "htmlSignature": one.html_signature,
        "mayDelete": one.may_delete,
    }


def state(call: Call) -> str:
    """As it is now."""
    return identities.state(_marks(call))


def _marks(call: Call) -> dict[str, str]:
    return identities.marks(identities.all_of(call.app, call.actor, call.config))


async def get(call: Call, arguments: GetArguments) -> GetResponse:
    """Identity/get (RFC 8621 §6.1)."""
    standard.wanted_properties(arguments.properties, PROPERTIES)
    found = identities.all_of(call.app, call.actor, call.config)
    records = {id: record(one) for id, one in found.items()}
    return standard.get(call, arguments, identities.state(identities.marks(found)), records)


async def changes(call: Call, arguments: ChangesArguments) -> ChangesResponse:
    """Identity/changes (RFC 8621 §6.2)."""
    now = _marks(call)
    response = ChangesResponse(
        account_id=call.account_id,
        old_state=arguments.since_state,
        new_state=identities.state(now),
        created=[],
        updated=[],
        destroyed=[],
    )
    if arguments.since_state == response.new_state:
        return response
    before = identities.marks_of(arguments.since_state)
    if before is None:
        raise MethodError("cannotCalculateChanges")
    changed = [id for id in {**before, **now} if before.get(id) != now.get(id)]
    most = arguments.max_changes
    if most is not None and len(changed) > most:
        # So many at a time: the state between is what there was with these as they are now.
        changed = changed[:most]
        between = {id: mark for id, mark in before.items() if id not in changed or id in now}
        between |= {id: now[id] for id in changed if id in now}
        response.new_state, response.has_more_changes = identities.state(between), True
        if identities.marks_of(response.new_state) is None:
            raise MethodError("cannotCalculateChanges")
    for id in changed:
        kind = response.created if id not in before else response.updated if id in now else response.destroyed
        kind.append(id)
    return response


async def set_(call: Call, arguments: SetArguments) -> SetResponse:
    """Identity/set (RFC 8621 §6.3)."""

    async def create(properties: Record) -> Record:
        new = standard.converted(properties, Creation)
        made = Identity(
            new.email, new.name, _entries(new.reply_to), _entries(new.bcc), new.text_signature, new.html_signature
        )
        try:
            id = await identities.create(call.app, call.actor, call.config, made)
        except NotYourAddress as problem:
            raise SetError("forbiddenFrom", str(problem)) from problem
        except BadIdentity as problem:
            raise invalid_properties(str(problem), problem.name) from problem
        shown = record(identities.all_of(call.app, call.actor, call.config)[id])
        return {name: value for name, value in shown.items() if name not in properties or properties[name] != value}

    async def update(id: str, patch: Record) -> None:
        shown = identities.all_of(call.app, call.actor, call.config).get(id)
        if shown is None:
            raise SetError("notFound")
        before = record(shown)
        after = standard.patched(before, patch)
        if wrong := [name for name in _FIXED if after.get(name) != before[name]]:
            raise invalid_properties("these stay as they are", *wrong)
        settable = {name: value for name, value in after.items() if name not in _FIXED}
        for name in ("name", "textSignature", "htmlSignature"):
            if settable[name] is None:  # RFC 8620 §5.3: the default again.
                settable[name] = ""
        new = standard.converted(settable, Settable)
        made = Identity(
            shown.email,
            new.name,
            _entries(new.reply_to),
            _entries(new.bcc),
            new.text_signature,
            new.html_signature,
        )
        try:
            await identities.update(
                call.app, call.actor, call.config, id, made, keeps_name=before["name"] == after["name"]
            )
        except BadIdentity as problem:
            raise invalid_properties(str(problem), problem.name) from problem

    async def destroy(id: str) -> None:
        await identities.destroy(call.app, call.actor, call.config, id)

    functions = SetFunctions(create=create, update=update, destroy=destroy)
    return await standard.set_each(call, arguments, lambda: state(call), functions)


METHODS: Final = (
    Method("Identity/get", SUBMISSION, GetArguments, get),
    Method("Identity/changes", SUBMISSION, ChangesArguments, changes),
    Method("Identity/set", SUBMISSION, SetArguments, set_, changes=True),
)
