"""PushSubscription/* (RFC 8620 §7.2): of the credential that asks, without an account."""

from typing import Any, Final

import msgspec

from appliance.base.problem import Problem
from appliance.operations import push as verbs
from appliance.operations.push import BadSubscription, Wanted
from appliance.servers.web.jmap import standard
from appliance.servers.web.jmap.call import CORE, Arguments, Call, Method, Wire
from appliance.servers.web.jmap.problem import MethodError, SetError, invalid_properties, set_error
from appliance.servers.web.jmap.standard import Record, SetArguments, SetFunctions
from appliance.store.problems import TooMany
from appliance.store.push import PushSubscription

PROPERTIES: Final = ("id", "deviceClientId", "verificationCode", "expires", "types")
#: What a device keeps to itself.
_SECRET: Final = ("url", "keys")


class GetArguments(Arguments, kw_only=True):
    """`ids`: null for all."""

    ids: list[str] | None = None
    properties: list[str] | None = None


class GetResponse(Wire, kw_only=True):
    """Without account and state."""

    records: list[Record] = msgspec.field(name="list")
    not_found: list[str]


class SubscriptionSetArguments(Arguments, kw_only=True):
    """Without account and state."""

    create: dict[str, Record] | None = None
    update: dict[str, Record] | None = None
    destroy: list[str] | None = None


class SubscriptionSetResponse(Wire, kw_only=True):
    """Without account and states."""

    created: dict[str, Record] | None = None
    updated: dict[str, Record | None] | None = None
    destroyed: list[str] | None = None
    not_created: dict[str, Record] | None = None
    not_updated: dict[str, Record] | None = None
    not_destroyed: dict[str, Record] | None = None


class Keys(Wire):
    """RFC 8291."""

    p256dh: str
    auth: str


class New(Wire, forbid_unknown_fields=True, kw_only=True):
    """One that is to be created."""

    device_client_id: str
    url: str
    keys: Keys | None = None
    verification_code: None = None
    expires: str | None = None
    types: list[str] | None = None


class Changed(Wire, forbid_unknown_fields=True, kw_only=True):
    """What may be changed of one."""

    verification_code: str | msgspec.UnsetType | None = msgspec.UNSET
    expires: str | msgspec.UnsetType | None = msgspec.UNSET
    types: list[str] | msgspec.UnsetType | None = msgspec.UNSET


def record(one: PushSubscription) -> Record:
    """One as JMAP has it, as far as it is shown."""
    return {
        "id": one.id,
        "deviceClientId": one.device,
        "verificationCode": one.code if one.is_verified else None,
        "expires": standard.utc_date(one.expires) if one.expires else None,
        "types": None if one.types is None else list(one.types),
    }


async def get(call: Call, arguments: GetArguments) -> GetResponse:
    """RFC 8620 §7.2.1."""
    wanted = arguments.properties
    if wanted is not None and any(name in _SECRET for name in wanted):
        raise MethodError("forbidden", "URL and keys are not given back")
    names = standard.wanted_properties(wanted, PROPERTIES)
    found = verbs.mine(call.app, call.actor, call.credential)
    ids = list(found) if arguments.ids is None else standard.wanted_ids(call, arguments.ids)
    records = {id: record(found[id]) for id in ids if id in found}
    return GetResponse(
        records=[{name: one[name] for name in names} for one in records.values()],
        not_found=[id for id in ids if id not in found],
    )


async def set_(call: Call, arguments: SubscriptionSetArguments) -> SubscriptionSetResponse:
    """RFC 8620 §7.2.2."""
    setting = _Setting(call)
    functions = SetFunctions(create=setting.create, update=setting.update, destroy=setting.destroy)
    given = SetArguments(
        account_id=call.account_id, create=arguments.create, update=arguments.update, destroy=arguments.destroy
    )
    outcome = await standard.set_each(call, given, lambda: "", functions)
    names = SubscriptionSetResponse.__struct_fields__
    return SubscriptionSetResponse(**{name: getattr(outcome, name) for name in names})


class _Setting:
    def __init__(self, call: Call) -> None:
        self._call = call

    async def create(self, properties: Record) -> Record:
        """Raises SetError."""
        new: New = _convert(properties, New)
        wanted = Wanted(
            device=new.device_client_id,
            url=new.url,
            keys=None if new.keys is None else (new.keys.p256dh, new.keys.auth),
            expires=_moment(new.expires),
            types=new.types,
        )
        try:
            made = await verbs.create(self._call.app, self._call.actor, self._call.credential, wanted)
        except Problem as problem:
            raise _error(problem) from problem
        told = record(made)
        set_here = [name for name in ("expires", "types") if properties.get(name, self) != told[name]]
        return {"id": made.id, **{name: told[name] for name in set_here}}

    async def update(self, id: str, patch: Record) -> Record | None:
        """Raises SetError."""
        mine = verbs.mine(self._call.app, self._call.actor, self._call.credential)
        if id not in mine:
            raise SetError("notFound")
        before = record(mine[id])
        after = standard.patched(before, patch)
        changed = {name: value for name, value in after.items() if before.get(name, self) != value}
        if fixed := [name for name in changed if name not in {"verificationCode", "expires", "types"}]:
            raise invalid_properties("these cannot be changed", *fixed)
        if "verificationCode" in patch:
            changed["verificationCode"] = patch["verificationCode"]  # Shown or not, a wrong one is refused.
        given: Changed = _convert(changed, Changed)
        if given.verification_code is None:
            raise invalid_properties("what was verified stays so", "verificationCode")
        try:
            now = await verbs.change(
                self._call.app,
                self._call.actor,
                self._call.credential,
                id,
                code=given.verification_code if isinstance(given.verification_code, str) else None,
                expires=_moment(given.expires),
                types=given.types,
            )
        except Problem as problem:
            raise _error(problem) from problem
        told = record(now)
        return {name: told[name] for name in ("expires", "types") if told[name] != after[name]} or None

    async def destroy(self, id: str) -> None:
        """Raises Problem."""
        await verbs.destroy(self._call.app, self._call.actor, self._call.credential, id)


def _convert(properties: Record, kind: type[Any]) -> Any:
    try:
        return msgspec.convert(properties, kind)
    except msgspec.ValidationError as error:
        known = [one.encode_name for one in msgspec.structs.fields(kind)]
        named = [name for name in properties if name not in known or f"$.{name}" in str(error)]
        raise invalid_properties(str(error), *named) from error


def _moment(text: Any) -> Any:
    """Microseconds since 1970 of a UTCDate; what is none stays as it is. Raises SetError."""
    if not isinstance(text, str):
        return text
    try:
        return standard.parse_utc_date(text)
    except ValueError as error:
        raise invalid_properties(str(error), "expires") from error


def _error(problem: Problem) -> SetError:
    if isinstance(problem, BadSubscription):
        return invalid_properties(str(problem), problem.name)
    if isinstance(problem, TooMany):
        return SetError("overQuota", str(problem))
    return set_error(problem)


METHODS: Final = (
    Method("PushSubscription/get", CORE, GetArguments, get),
    Method("PushSubscription/set", CORE, SubscriptionSetArguments, set_),
)
