"""Control commands about reports: one of somebody else is taken in, ours are sent before their time."""

from typing import Final

from appliance.base.limits import REPORT
from appliance.delivery.appliance import Appliance
from appliance.operations import reported
from appliance.servers.control.request import BadRequest, Request
from appliance.servers.control.table import Handler
from appliance.store.report import Kind


async def _addreport(app: Appliance, request: Request) -> bool:
    name = request.text("kind")
    if name not in {"dmarc", "tls"}:
        raise BadRequest("kind must be dmarc or tls")
    octets = bytearray()
    async for chunk in request.receive():
        octets += chunk
        if len(octets) > REPORT.mail_octets:
            raise BadRequest(f"the message has more than {REPORT.mail_octets} octets")
    kind = Kind.DMARC if name == "dmarc" else Kind.TLS
    config = app.config.snapshot()
    return await reported.add(app.store, config, app.clock.now(), kind, bytes(octets), request.text("sender"))


async def _sendreports(app: Appliance, request: Request) -> list[str]:
    # What sends is loaded when the house stands, and this may be the first to need it.
    from appliance.reports import dmarc, tlsrpt

    match request.text("kind"):
        case "dmarc":
            return await dmarc.send_now(app)
        case "tls":
            return await tlsrpt.send_now(app)
    raise BadRequest("kind must be dmarc or tls")


COMMANDS: Final[dict[str, Handler]] = {"addreport": _addreport, "sendreports": _sendreports}
