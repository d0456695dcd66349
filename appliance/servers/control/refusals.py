"""The control command about refused mail."""

from typing import Any, Final

import msgspec

from appliance.config.values import Duration
from appliance.delivery.appliance import Appliance
from appliance.operations import refusals
from appliance.servers.control.request import BadRequest, Request
from appliance.servers.control.table import Handler

#: Told when nobody says how many.
_REFUSALS: Final = 10_000


async def _list(app: Appliance, request: Request) -> list[dict[str, Any]]:
    within = request.optional_text("within")
    try:
        since = 0 if within is None else app.clock.microseconds() - int(Duration(within).seconds * 1_000_000)
    except ValueError as error:
        raise BadRequest(f"within: {error}") from error
    address, ip, reason, id = (request.optional_text(name) or "" for name in ("address", "ip", "reason", "received_id"))
    wanted = refusals.Filter(address=address, ip=ip, reason=reason, received_id=id, since=since)
    most = request.optional_number("most")
    found = await refusals.found(app, request.optional_text("account"), wanted, _REFUSALS if most is None else most)
    shown = []
    for account, one in found:
        known, explained = msgspec.structs.asdict(one), refusals.explain(one)
        moments = {f"{name}_microseconds": known.pop(name) for name in ("first", "last")}
        told = {"why": explained.why, "remedy": explained.remedy, "cid": refusals.cid(app, one)}
        shown.append({"account": account, **known, **moments, **told})
    return shown


COMMANDS: Final[dict[str, Handler]] = {"refusals": _list}
