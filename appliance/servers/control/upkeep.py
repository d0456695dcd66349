"""Control commands that mend what is kept."""

from dataclasses import asdict
from functools import partial
from typing import Any, Final

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


async def _job(name: str, app: Appliance, request: Request) -> Any:
    options = {
        "all": request.switch("all"),
        "mailbox": request.optional_text("mailbox"),
        "mailboxid": request.optional_number("mailboxid"),
    }
    return await upkeep.JOBS[name](app.store, request.text("account"), options, request.progress)


COMMANDS: Final[dict[str, Handler]] = {
    "reindex": _reindex,
    "retrain": _retrain,
    **{name: partial(_job, name) for name in upkeep.JOBS},
}
