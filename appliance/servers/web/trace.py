"""The Received field of what is submitted by the web."""

from appliance.config.source import Config
from appliance.delivery.appliance import Appliance
from appliance.mail.received import Received
from appliance.net.connection import parse_address
from appliance.servers.web.asgi import Scope


def received(app: Appliance, scope: Scope) -> Received:
    """Where the client sits is nobody's business, so it begins with us."""
    state = scope["state"]
    config: Config = state["config"]
    hostname = (config.static.listeners[state["listener"]].hostname or config.static.hostname).domain.ascii
    tls = state["tls"]
    return Received(
        helo=hostname,
        remote_ip=None,
        hostname=hostname,
        local_ip=parse_address(scope["server"][0]),
        protocol="HTTPS" if tls else "HTTP",
        id=app.received_ids.encode(int(state["cid"], 16)),
        tls=f"{tls.version} {tls.cipher}" if tls else "",
        requiretls=False,
        when=app.clock.now(),
    )
