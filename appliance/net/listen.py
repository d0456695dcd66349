"""Listeners: bind, accept, limit, and never end because of what a peer or the kernel does."""

import errno
import ipaddress
import logging
import os
import resource
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

import trio

from appliance.base.clock import Clock
from appliance.base.ids import Cids
from appliance.base.log import Log
from appliance.base.metrics import Gauge, panics
from appliance.net import proxyprotocol
from appliance.net.connection import Choose, Connection, ConnectionLimits, parse_address
from appliance.net.limiter import Address, Limiter, Ration
from appliance.net.proxyprotocol import Ends
from appliance.net.shutdown import Shutdown
from appliance.net.socketstream import SocketStream
from appliance.net.tlsstream import TLSHandshakeError

#: Pause after an accept that the kernel refused for want of files or memory.
_ACCEPT_PAUSE_SECONDS: Final = 0.1
_NO_ROOM: Final = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS}
_BACKLOG: Final = 1024
_KEEPALIVE_SECONDS: Final = 300

open_connections = Gauge("connections_count", "Open connections.", ("protocol", "listener"))


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Gate:
    """Who may come in: limits by network, and how many altogether."""

    #: New connections by network.
    rate: Limiter
    #: Open connections by network.
    open: Limiter
    #: Open connections of one listener. Each costs a file descriptor and some 60 KB.
    most: int
    #: Handshakes for the sake of a few words to those who are turned away.
    handshakes: Ration


@dataclass(frozen=True, slots=True)
class Door:
    """What a listener needs to serve one protocol."""

    protocol: str
    listener: str
    handler: Callable[[Connection], Awaitable[None]]
    #: Octets said to those who are turned away; told why, `rate`, `open` or `shutdown`, and the connection's id.
    refusal: Callable[[str, int], bytes]
    gate: Gate
    limits: ConnectionLimits
    clock: Clock
    cids: Cids
    shutdown: Shutdown
    #: Contexts of a service that begins with TLS: then the refusal is said inside it.
    tls: Choose | None = None
    #: Whose connections begin with a PROXY header, and only theirs.
    proxies: Sequence[Network] = ()


def bind(address: Address, port: int) -> socket.socket:
    """A listening socket; an IPv6 one takes no IPv4. Raises OSError."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if address.version == 6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setblocking(False)
        sock.bind((str(address), port))
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        raise OSError(
            error.errno, f"cannot listen on {address} port {port}: {os.strerror(error.errno or 0)}"
        ) from error
    return sock


async def serve(door: Door, sockets: Sequence[socket.socket], *, task_status: trio.TaskStatus[None]) -> None:
    """Accept until cancelled; sessions run in a nursery of their own and end with it."""
    async with trio.open_nursery() as nursery:
        for sock in sockets:
            _keep_alive(sock)
            nursery.start_soon(_accept_forever, door, sock, nursery)
        task_status.started()


def _keep_alive(listener: socket.socket) -> None:
    """Have the kernel find out about peers that are gone; accepted sockets have it from their listener."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE_SECONDS)


async def _accept_forever(door: Door, listener: socket.socket, nursery: trio.Nursery) -> None:
    log = Log(door.protocol, listener=door.listener)
    with listener:
        while True:
            await trio.lowlevel.wait_readable(listener)
            try:
                sock, _ = listener.accept()
            except (BlockingIOError, InterruptedError):
                continue
            except OSError as error:
                if error.errno == errno.EBADF:
                    raise
                log.warn("accept failed", error)
                await trio.sleep(_ACCEPT_PAUSE_SECONDS if error.errno in _NO_ROOM else 0)
                continue
            nursery.start_soon(_session, door, sock)


def _turned_away(door: Door, remote: Address, *, full: bool) -> str:
    """Why a connection is refused; empty when it may come in.

    Counted before the handshake, told after it: a flood is stopped before it costs, and who meant well hears why.
    """
    now = door.clock.microseconds() / 1e6
    if door.shutdown.requested:
        return "shutdown"
    if not door.gate.rate.add(remote, now):
        return "rate"
    if full or not door.gate.open.add(remote, now):
        return "open"
    return ""


async def _refuse(door: Door, connection: Connection, reason: str, *, full: bool) -> None:
    connection.log.info("connection refused", remoteip=connection.remote, reason=reason)
    with trio.move_on_after(door.limits.refusal_seconds):
        try:
            if door.tls is not None:
                if full or not door.gate.handshakes.take(door.clock.microseconds() / 1e6):
                    return
                await connection.start_tls(door.tls)
            await connection.stream.send_all(door.refusal(reason, connection.cid))
        except (TLSHandshakeError, trio.BrokenResourceError, trio.ClosedResourceError):
            pass


async def _ends(door: Door, stream: SocketStream, *, full: bool) -> Ends | None:
    """Both ends of a connection, from its proxy if it has one; None when it is to be closed."""
    sock = stream.socket
    try:
        remote_name, local_name = sock.getpeername(), sock.getsockname()
    except OSError:
        return None
    ends = Ends(parse_address(remote_name[0]), remote_name[1], parse_address(local_name[0]), local_name[1])
    if not any(ends.remote in network for network in door.proxies):
        return ends
    log = Log(door.protocol)
    if full:
        log.info("connection refused", proxyip=ends.remote, reason="open")
        return None
    try:
        with trio.fail_after(door.limits.proxy_seconds):
            return await _proxied(stream) or ends
    except (proxyprotocol.Malformed, trio.TooSlowError) as error:
        log.warn("proxy sent no PROXY header, connection closed", error, proxyip=ends.remote)
    except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
        log.debug("connection lost", error, proxyip=ends.remote)
    return None


async def _proxied(stream: SocketStream) -> Ends | None:
    """The ends that a PROXY header tells; None when it leaves them as they are. Raises Malformed."""
    octets = b""
    while (header := proxyprotocol.parse(octets)) is None:
        more = await stream.receive_some(proxyprotocol.HEADER_OCTETS)
        if not more:
            raise trio.BrokenResourceError("closed before a PROXY header")
        octets += more
    stream.put_back(octets[header.octets :])
    return header.ends


async def _session(door: Door, sock: socket.socket) -> None:
    """One connection from accept to close. A bug in here ends it and nothing else."""
    stream = SocketStream(sock)
    gauge = open_connections.labels(door.protocol, door.listener)
    full = gauge.value >= door.gate.most
    log = Log(door.protocol)
    connection: Connection | None = None
    admitted: Address | None = None
    gauge.inc()
    try:
        ends = await _ends(door, stream, full=full)
        if ends is None:
            return
        cid = door.cids.next()
        log = log.bind(cid=f"{cid:x}")
        connection = Connection(
            stream,
            cid=cid,
            remote=ends.remote,
            remote_port=ends.remote_port,
            local=ends.local,
            local_port=ends.local_port,
            log=log,
            limits=door.limits,
        )
        if refused := _turned_away(door, ends.remote, full=full):
            await _refuse(door, connection, refused, full=full)
            return
        admitted = ends.remote
        log.debug("connected", remoteip=ends.remote, localip=ends.local, listener=door.listener)
        await door.handler(connection)
    except Exception as error:
        panics.labels(door.protocol).inc()
        (connection.log if connection else log).error("unhandled exception, connection closed", error)
    finally:
        gauge.dec()
        if admitted is not None:
            door.gate.open.remove(admitted, door.clock.microseconds() / 1e6)
        if connection is None:
            await trio.aclose_forcefully(stream)
        else:
            await connection.aclose()
            connection.log.debug("closed", read=connection.octets_in, written=connection.octets_out)


def raise_file_limit(log: logging.Logger, wanted: int) -> int:
    """Raise the soft limit of open files to the hard one; warn below what is wanted."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (OSError, ValueError):
            pass
    if soft != resource.RLIM_INFINITY and soft < wanted:
        log.warning("few open files allowed", extra={"fields": {"limit": soft, "wanted": wanted}})
    return soft


def any_address(text: str) -> Address:
    """A listen address."""
    return ipaddress.ip_address(text)
