"""A way into submission that does not begin at its own ports: another door's TLS."""

from appliance.delivery.appliance import Appliance
from appliance.net.connection import Connection
from appliance.servers.smtp.session import Door, Session


async def serve_after_tls(app: Appliance, door: Door, connection: Connection) -> None:
    """Serve a client that came to another port and asked for submission there, by ALPN `smtp` (RFC 7301).

    Its handshake is done, without a certificate of the client; the door is one with immediate TLS.
    """
    assert door.immediate_tls
    assert connection.tls is not None
    await Session(app, door, connection).run()
