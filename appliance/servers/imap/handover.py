"""Ways into IMAP that do not begin at its own ports: another door's TLS, and the control socket."""

import ipaddress

import trio

from appliance.base.log import Log
from appliance.delivery.appliance import Appliance
from appliance.net.connection import Connection, ConnectionLimits
from appliance.operations.actor import Actor
from appliance.servers.imap import auth
from appliance.servers.imap.session import Door, Session


async def serve_after_tls(app: Appliance, door: Door, connection: Connection) -> None:
    """Serve a client that came to another port and asked for IMAP there, by ALPN `imap` (RFC 7301, RFC 9051 §11.1).

    Its handshake is done, without a certificate of the client; the door is one with immediate TLS.
    """
    assert door.immediate_tls
    assert connection.tls is not None
    await Session(app, door, connection).run()


async def serve_here(
    app: Appliance,
    door: Door,
    limits: ConnectionLimits,
    cid: int,
    actor: Actor,
    stream: trio.abc.Stream,
    received: bytes,
) -> None:
    """Serve a program on this machine that need not log in (PREAUTH, RFC 9051 §7.1.4); `received` came already."""
    here = ipaddress.ip_address("127.0.0.1")
    log = Log("imap").bind(cid=f"{cid:x}")
    connection = Connection(
        stream, cid=cid, remote=here, remote_port=0, local=here, local_port=0, log=log, limits=limits
    )
    session = Session(app, door, connection)
    auth.logged_in(session, actor)
    session.protocol.receive_data(received)
    session.log.info("session of a program on this machine")
    await session.run()
