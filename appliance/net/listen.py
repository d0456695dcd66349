"""Listeners: bind, accept, limit, and never end because of what a peer or the kernel does (S-5, S-6, B-78, B-86)."""

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
from appliance.net.connection import Connection, ConnectionLimits, parse_address
from appliance.net.limiter import Address, Limiter
from appliance.net.shutdown import Shutdown
from appliance.net.socketstream import SocketStream

#: Pause after an accept that the kernel refused for want of files or memory.
_ACCEPT_PAUSE_SECONDS: Final = 0.1
_NO_ROOM: Final = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS}
_BACKLOG: Final = 1024
_KEEPALIVE_SECONDS: Final = 300

open_connections = Gauge("connections_count", "Open connections.", ("protocol", "listener"))


@dataclass(frozen=True, slots=True)
class Gate:
    """Who may come in: limits by network, and how many altogether."""

    #: New connections by network.
    rate: Limiter
    #: Open connections by network.
    open: Limiter
    #: Open connections of one listener. Each costs a file descriptor and some 60 KB.
    most: int


class Refused(Exception):
    """A connection that is turned away at the door."""


@dataclass(frozen=True, slots=True)
class Door:
    """What a listener needs to serve one protocol."""

    protocol: str
    listener: str
    handler: Callable[[Connection], Awaitable[None]]
    #: Octets said to those who are turned away; the argument says why: `rate`, `open` or `shutdown`.
    refusal: Callable[[str], bytes]
    gate: Gate
    limits: ConnectionLimits
    clock: Clock
    cids: Cids
    shutdown: Shutdown


def bind(address: Address, port: int) -> socket.socket:
    """A listening socket; an IPv6 one takes no IPv4 (S-5). Raises OSError."""
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
            nursery.start_soon(_accept_forever, door, sock, nursery)
        task_status.started()


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


def _turned_away(door: Door, remote: Address, gauge_value: float) -> str:
    """Why a connection is refused; empty when it may come in (S-10)."""
    now = door.clock.microseconds() / 1e6
    if door.shutdown.requested:
        return "shutdown"
    if not door.gate.rate.add(remote, now):
        return "rate"
    if gauge_value >= door.gate.most or not door.gate.open.add(remote, now):
        return "open"
    return ""


async def _session(door: Door, sock: socket.socket) -> None:
    """One connection from accept to close. A bug in here ends it and nothing else (B-78)."""
    stream = SocketStream(sock)
    gauge = open_connections.labels(door.protocol, door.listener)
    log = Log(door.protocol)
    try:
        remote_name, local_name = sock.getpeername(), sock.getsockname()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_KEEPIDLE"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE_SECONDS)
    except OSError:
        await trio.aclose_forcefully(stream)
        return
    remote, local = parse_address(remote_name[0]), parse_address(local_name[0])
    refused = _turned_away(door, remote, gauge.value)
    if refused:
        log.info("connection refused", remoteip=remote, reason=refused)
        with trio.move_on_after(1):
            try:
                if words := door.refusal(refused):
                    await stream.send_all(words)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass
        await trio.aclose_forcefully(stream)
        return
    gauge.inc()
    cid = door.cids.next()
    connection = Connection(
        stream,
        cid=cid,
        remote=remote,
        remote_port=remote_name[1],
        local=local,
        local_port=local_name[1],
        log=log.bind(cid=f"{cid:x}"),
        limits=door.limits,
    )
    try:
        connection.log.debug("connected", remoteip=remote, localip=local, listener=door.listener)
        await door.handler(connection)
    except Exception as error:
        panics.labels(door.protocol).inc()
        connection.log.error("unhandled exception, connection closed", error)
    finally:
        gauge.dec()
        door.gate.open.remove(remote, door.clock.microseconds() / 1e6)
        await connection.aclose()
        connection.log.debug("closed", read=connection.octets_in, written=connection.octets_out)


def raise_file_limit(log: logging.Logger, wanted: int) -> int:
    """Raise the soft limit of open files to the hard one; warn below what is wanted (B-76)."""
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
