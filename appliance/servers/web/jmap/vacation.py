"""VacationResponse/* (RFC 8621 §8): one object, what is replied to mail while its reader is away."""

from typing import Any, Final

import msgspec

from appliance.operations import vacation
from appliance.operations.vacation import BadVacation
from appliance.servers.web.jmap import standard
from appliance.servers.web.jmap.call import OWN, VACATION, Call, Method
from appliance.servers.web.jmap.problem import SetError, invalid_properties
from appliance.servers.web.jmap.standard import (
    GetArguments,
    GetResponse,
    Record,
    SetArguments,
    SetFunctions,
    SetResponse,
)
from appliance.store.webrecords import Vacation

ID: Final = "singleton"
#: Of ours alone: after how many days somebody gets another reply.
DAYS: Final = "daysBetweenReplies"
PROPERTIES: Final = ("id", "isEnabled", "fromDate", "toDate", "subject", "textBody", "htmlBody")


def state(call: Call) -> str:
    """As it is now."""
    return str(vacation.shown(call.app, call.actor).version)


def record(call: Call, one: Vacation) -> Record:
    """It as JMAP has it."""
    made: Record = {
        "id": ID,
        "isEnabled": one.is_enabled,
        "fromDate": standard.utc_date(one.from_date) if one.from_date is not None else None,
        "toDate": standard.utc_date(one.to_date) if one.to_date is not None else None,
        "subject": one.subject,
        "textBody": one.text,
        "htmlBody": one.html,
    }
    return {**made, DAYS: one.days} if OWN in call.using else made


async def get(call: Call, arguments: GetArguments) -> GetResponse:
    """VacationResponse/get (RFC 8621 §8.1)."""
    one = vacation.shown(call.app, call.actor)
    found = record(call, one)
    standard.wanted_properties(arguments.properties, found)
    return standard.get(call, arguments, str(one.version), {ID: found})


async def set_(call: Call, arguments: SetArguments) -> SetResponse:
    """VacationResponse/set (RFC 8621 §8.2)."""

    async def create(_: Record) -> Record:
        raise SetError("singleton")

    async def update(id: str, patch: Record) -> None:
        if id != ID:
            raise SetError("notFound")
        before = record(call, vacation.shown(call.app, call.actor))
        after = standard.patched(before, patch)
        if unknown := [name for name in after if name not in before]:
            raise invalid_properties("there is no such property", *unknown[:20])
        if after["id"] != ID:
            raise invalid_properties("it stays as it is", "id")
        try:
            await vacation.change(call.app, call.actor, _read(after, vacation.shown(call.app, call.actor)))
        except BadVacation as problem:
            raise invalid_properties(str(problem), problem.name) from problem

    async def destroy(_: str) -> None:
        raise SetError("singleton")

    functions = SetFunctions(create=create, update=update, destroy=destroy)
    return await standard.set_each(call, arguments, lambda: state(call), functions)


def _read(given: Record, before: Vacation) -> Vacation:
    """Raises SetError: invalidProperties."""

    def of(name: str, kind: Any) -> Any:
        value = given[name]
        if not isinstance(value, kind):
            raise invalid_properties("it is of another kind", name)
        return value

    def date(name: str) -> int | None:
        text = of(name, str | None)
        try:
            return None if text is None else standard.parse_utc_date(text)
        except ValueError as error:
            raise invalid_properties("it is no date and time in UTC", name) from error

    days = given.get(DAYS, before.days)
    if not isinstance(days, int) or isinstance(days, bool):
        raise invalid_properties("it is a number", DAYS)
    return msgspec.structs.replace(
        before,
        is_enabled=of("isEnabled", bool),
        from_date=date("fromDate"),
        to_date=date("toDate"),
        subject=of("subject", str | None),
        text=of("textBody", str | None),
        html=of("htmlBody", str | None),
        days=days,
    )


METHODS: Final = (
    Method("VacationResponse/get", VACATION, GetArguments, get),
    Method("VacationResponse/set", VACATION, SetArguments, set_, changes=True),
)
