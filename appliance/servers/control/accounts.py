"""Control commands about accounts."""

from typing import Final

from appliance.delivery.appliance import Appliance
from appliance.operations import accounts
from appliance.servers.control.request import Request
from appliance.servers.control.table import Handler


async def _setaccountpassword(app: Appliance, request: Request) -> None:
    await accounts.set_password(app, request.text("account"), request.text("password"))


COMMANDS: Final[dict[str, Handler]] = {
    "setaccountpassword": _setaccountpassword,
}
