"""Control commands about certificates."""

from dataclasses import asdict
from typing import Any, Final

from appliance.delivery.appliance import Appliance
from appliance.operations import certificates
from appliance.servers.control.request import Request
from appliance.servers.control.table import Handler


async def _list(app: Appliance, _: Request) -> list[dict[str, Any]]:
    return [asdict(one) for one in certificates.shown(app)]


COMMANDS: Final[dict[str, Handler]] = {"tlscertificates": _list}
