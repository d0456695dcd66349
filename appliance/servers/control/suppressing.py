"""Control commands about suppressed addresses. Without an account they are about all accounts."""

from typing import Any, Final

from appliance.delivery.appliance import Appliance
from appliance.operations import suppressing
from appliance.servers.control.request import Request
from appliance.servers.control.table import Handler
from appliance.store.queuerecords import Suppression


def _shown(account: str, one: Suppression) -> dict[str, Any]:
    return {
        "id": one.id,
        "account": account,
        "address": one.address,
        "base_address": one.base_address,
        "manual": one.manual,
        "reason": one.reason,
        "created_microseconds": one.created,
    }


async def _list(app: Appliance, request: Request) -> None:
    async for some in suppressing.listed(app, request.optional_text("account")):
        await request.out([_shown(*one) for one in some])


async def _lookup(app: Appliance, request: Request) -> list[dict[str, Any]]:
    found = suppressing.lookup(app, request.optional_text("account"), request.text("address"))
    return [_shown(*one) for one in found]


async def _add(app: Appliance, request: Request) -> None:
    await suppressing.add(app, request.text("account"), request.text("address"), request.optional_text("reason") or "")


async def _remove(app: Appliance, request: Request) -> None:
    await suppressing.remove(app, request.text("account"), request.text("address"))


COMMANDS: Final[dict[str, Handler]] = {
    "queuesuppresslist": _list,
    "queuesuppresslookup": _lookup,
    "queuesuppressadd": _add,
    "queuesuppressremove": _remove,
}
