"""Preferences/* and SenderView/*: how mail is shown and written."""

from typing import Any, Final

import msgspec

from appliance.operations import preferences
from appliance.operations.preferences import BadPreference
from appliance.servers.web.jmap import standard
from appliance.servers.web.jmap.call import OWN, AccountArguments, Call, Method, Wire
from appliance.servers.web.jmap.problem import MethodError, SetError, invalid_properties
from appliance.servers.web.jmap.standard import Record
from appliance.store import mailbox, objectid
from appliance.store.webrecords import Preferences

_ADDRESSES: Final = 500


class Settable(Wire, forbid_unknown_fields=True):
    """What may be set."""

    signature: str
    quoting: str
    show_address_security: bool
    show_html: bool = msgspec.field(name="showHTML")
    no_show_shortcuts: bool
    show_headers: list[str]
    undo_seconds: int
    compose_html: bool = msgspec.field(name="composeHTML")


def state(call: Call) -> str:
    """As it is now."""
    return str(preferences.shown(call.app, call.actor).version)


def record(call: Call, one: Preferences) -> Record:
    """All of them; the last two are of the account's settings."""
    made = Settable(
        signature=one.signature,
        quoting=one.quoting,
        show_address_security=one.show_address_security,
        show_html=one.show_html,
        no_show_shortcuts=one.no_show_shortcuts,
        show_headers=list(one.show_headers),
        undo_seconds=one.undo_seconds,
        compose_html=one.compose_html,
    )
    found: dict[str, Any] = msgspec.to_builtins(made)
    account = call.config.domains.accounts.get(call.actor.name)
    with call.app.store.read() as tx:
        for name, path in (
            ("introbox", account.introbox if account is not None else None),
            ("rejects", account.rejects_mailbox if account is not None else None),
        ):
            box = mailbox.find(tx, call.account, path) if path else None
            found[name] = objectid.mailbox(call.account, box.id) if box is not None else None
    return found


class GetResponse(Wire):
    """The preferences, and their state."""

    account_id: str
    state: str
    preferences: Record


async def get(call: Call, arguments: AccountArguments) -> GetResponse:
    """Preferences/get."""
    one = preferences.shown(call.app, call.actor)
    return GetResponse(account_id=call.account_id, state=str(one.version), preferences=record(call, one))


class SetArguments(AccountArguments, kw_only=True):
    """A PatchObject."""

    update: Record
    if_in_state: str | None = None


class SetResponse(Wire):
    """They are set."""

    account_id: str
    old_state: str
    new_state: str


async def set_(call: Call, arguments: SetArguments) -> SetResponse:
    """Preferences/set."""
    before = preferences.shown(call.app, call.actor)
    old = str(before.version)
    if arguments.if_in_state not in {None, old}:
        raise MethodError("stateMismatch")
    try:
        await _change(call, before, arguments.update)
    except SetError as problem:
        # There is one object, and what is wrong with it is wrong with the call.
        fields = {name: value for name, value in problem.fields.items() if name not in {"type", "description"}}
        raise MethodError("invalidArguments", str(problem), **fields) from problem
    return SetResponse(account_id=call.account_id, old_state=old, new_state=state(call))


async def _change(call: Call, before: Preferences, patch: Record) -> None:
    """Raises SetError."""
    shown = record(call, before)
    after = standard.patched(shown, patch)
    for name in ("introbox", "rejects"):
        if after.pop(name) != shown[name]:
            raise invalid_properties("it is set in the settings of the account", name)
    new = standard.converted(after, Settable)
    made = msgspec.structs.replace(
        before,
        signature=new.signature,
        quoting=new.quoting,
        show_address_security=new.show_address_security,
        show_html=new.show_html,
        no_show_shortcuts=new.no_show_shortcuts,
        show_headers=tuple(new.show_headers),
        undo_seconds=new.undo_seconds,
        compose_html=new.compose_html,
    )
    try:
        await preferences.change(call.app, call.actor, made)
    except BadPreference as problem:
        raise invalid_properties(str(problem), problem.name) from problem


class ViewsArguments(AccountArguments, kw_only=True):
    """Of which senders."""

    addresses: list[str]


class View(Wire):
    """How mail of an address is shown: `text`, `html` or `external`."""

    address: str
    mode: str


class ViewsResponse(Wire):
    """Of those for whom something was chosen."""

    account_id: str
    list: list[View]


async def views(call: Call, arguments: ViewsArguments) -> ViewsResponse:
    """SenderView/get."""
    if len(arguments.addresses) > _ADDRESSES:
        raise MethodError("requestTooLarge", f"at most {_ADDRESSES} addresses")
    found = preferences.views(call.app, call.actor, arguments.addresses)
    return ViewsResponse(account_id=call.account_id, list=[View(address=address, mode=mode) for address, mode in found])


class ViewArguments(AccountArguments, kw_only=True):
    """A choice."""

    address: str
    mode: str


class ViewSet(Wire):
    """It is done."""

    account_id: str


async def set_view(call: Call, arguments: ViewArguments) -> ViewSet:
    """SenderView/set."""
    await preferences.set_view(call.app, call.actor, arguments.address, arguments.mode)
    return ViewSet(account_id=call.account_id)


METHODS: Final = (
    Method("Preferences/get", OWN, AccountArguments, get),
    Method("Preferences/set", OWN, SetArguments, set_, changes=True),
    Method("SenderView/get", OWN, ViewsArguments, views),
    Method("SenderView/set", OWN, ViewArguments, set_view, changes=True),
)
