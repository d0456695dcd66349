"""The control command that delivers a message."""

from typing import Final

from appliance.base import limits
from appliance.delivery.appliance import Appliance
from appliance.operations import configuring, delivering
from appliance.servers.control.request import Request
from appliance.servers.control.table import Handler


async def _deliver(app: Appliance, request: Request) -> None:
    address = configuring.address_of(request.text("address"))
    await delivering.deliver(app, address, request.receive(), most_octets=limits.SMTP.usual_message_octets)


COMMANDS: Final[dict[str, Handler]] = {
    "deliver": _deliver,
}
