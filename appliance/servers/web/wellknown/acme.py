"""Where authorities look whether a name is ours: a document (RFC 8555 §8.3), and a handshake (RFC 8737 §3)."""

import trio

from appliance.delivery.appliance import Appliance
from appliance.net.connection import Choose, Connection
from appliance.net.tlsstream import TLSHandshakeError
from appliance.servers.web.dispatch import ACME_PATH
from appliance.servers.web.respond import Request, Response, text


def answer(app: Appliance, request: Request) -> Response:
    """The document of http-01; nothing is told of names that are not ours."""
    authorities = app.authorities
    if authorities is None or not authorities.allows(request.host):
        return text(403, "no certificates are asked for this host")
    document = authorities.answers.document(request.host, request.path.removeprefix(ACME_PATH))
    if document is None:
        return text(404, "nobody waits for this token")
    return Response(200, document.encode(), "application/octet-stream", {"cache-control": "no-store"})


async def serve(choose: Choose, connection: Connection) -> None:
    """Serve a port that is only for tls-alpn-01: there is nothing behind the handshake."""
    try:
        await connection.start_tls(choose)
    except (TLSHandshakeError, trio.TooSlowError) as error:
        connection.log.debug("TLS handshake failed", error)
