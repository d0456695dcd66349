"""Control commands that mend what is kept."""

from functools import partial
from typing import Any, Final

from appliance.delivery.appliance import Appliance
from appliance.operations import upkeep
from appliance.servers.control.request import Request
from appliance.servers.control.table import Handler


async def _job(name: str, app: Appliance, request: Request) -> Any:
    options = {
        "required": request.switch("required"),
        "all": request.switch("all"),
        "mailbox": request.optional_text("mailbox"),
        "mailboxid": request.optional_number("mailboxid"),
    }
    job = upkeep.retraining(app.learner, app.config) if name == "retrain" else upkeep.JOBS[name]
    return await job(app.store, request.text("account"), options, request.progress)


COMMANDS: Final[dict[str, Handler]] = {name: partial(_job, name) for name in (*upkeep.JOBS, "retrain")}
