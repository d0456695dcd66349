"""Control commands that mend what is kept."""

from dataclasses import asdict
from typing import Final

from appliance.delivery.appliance import Appliance
from appliance.delivery.learning import NoJunkFilter
from appliance.operations import upkeep
from appliance.servers.control.request import Request
from appliance.servers.control.table import Handler


async def _reindex(app: Appliance, request: Request) -> dict[str, int]:
    return asdict(await upkeep.reindex(app, request.text("account")))


async def _retrain(app: Appliance, request: Request) -> dict[str, int]:
    try:
        return asdict(await upkeep.retrain(app, request.text("account"), request.progress))
    except NoJunkFilter:
        if request.switch("required"):
            raise
        return {}


COMMANDS: Final[dict[str, Handler]] = {
    "reindex": _reindex,
    "retrain": _retrain,
}
