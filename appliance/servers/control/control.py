"""The control socket: JSON lines in both directions, one request after another.

Greeting `moxpy-ctl 1 <version>`; a request `{"cmd": ..., "args": {...}}`; then any number of `{"out": ...}`,
`{"progress": ...}`, `{"warn": ...}` and streams, and at last `{"ok": ...}` or `{"error": {"code": ..., "msg": ...}}`.
Each group of commands is a module with a table of its own; here they are put together.
"""

import json
import os
import socket
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import trio

from appliance import __version__
from appliance.base.log import Log
from appliance.base.metrics import panics
from appliance.base.problem import Kind, Problem
from appliance.delivery.appliance import Appliance
from appliance.servers.control import (
    accounts,
    backup,
    certificates,
    credentials,
    delivering,
    domains,
    exchange,
    hooks,
    house,
    queue,
    refusals,
    reporting,
    sharing,
    suppressing,
    tlskeys,
    upkeep,
)
from appliance.servers.control.request import BadRequest, ClientLeft, Peer, Request, StreamCut
from appliance.servers.control.table import Handler, Talk

log = Log("ctl")

GREETING: Final = f"moxpy-ctl 1 {__version__}\n".encode()
CONNECTIONS: Final = 100

COMMANDS: Final[dict[str, Handler]] = {
    **house.COMMANDS,
    **accounts.COMMANDS,
    **domains.COMMANDS,
    **delivering.COMMANDS,
    **tlskeys.COMMANDS,
    **certificates.COMMANDS,
    **upkeep.COMMANDS,
    **backup.COMMANDS,
    **exchange.COMMANDS,
    **credentials.COMMANDS,
    **queue.COMMANDS,
    **refusals.COMMANDS,
    **suppressing.COMMANDS,
    **hooks.COMMANDS,
    **reporting.COMMANDS,
    **sharing.COMMANDS,
}


async def serve(app: Appliance, path: Path, more: Mapping[str, Handler], *, task_status: trio.TaskStatus[None]) -> None:
    """Listen until cancelled; only root and our own user get in. `more`: commands that other doors lend."""
    path.unlink(missing_ok=True)
    sock = trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    old = os.umask(0o077)
    try:
        await sock.bind(str(path))
    finally:
        os.umask(old)
    sock.listen(CONNECTIONS)
    limiter = trio.CapacityLimiter(CONNECTIONS)
    with sock:
        async with trio.open_nursery() as nursery:
            task_status.started()
            while True:
                peer, _ = await sock.accept()
                nursery.start_soon(session, app, trio.SocketStream(peer), limiter, more)


def _is_friend(stream: trio.SocketStream) -> bool:
    octets = stream.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, uid, _ = struct.unpack("3i", octets)
    return uid in {0, os.geteuid()}


async def session(
    app: Appliance, stream: trio.SocketStream, limiter: trio.CapacityLimiter, more: Mapping[str, Handler]
) -> None:
    """One connection."""
    async with stream, limiter:
        try:
            if not _is_friend(stream) or app.shutdown.requested:
                return
            await stream.send_all(GREETING)
            peer = Peer(stream)
            try:
                while (line := await peer.line()) is not None:
                    if not await _answer(app, peer, line, more):
                        return
            except BadRequest as problem:
                await _refuse(peer, "user", problem)
        except (trio.BrokenResourceError, trio.ClosedResourceError, ClientLeft):
            pass
        except Exception as error:
            panics.labels("ctl").inc()
            log.error("unhandled exception, connection closed", error)


def _parse(line: bytes, more: Mapping[str, Handler]) -> tuple[str, Handler, dict[str, Any]]:
    """Raises BadRequest."""
    name: Any = "(unknown)"
    try:
        request = json.loads(line)
        name, arguments = request["cmd"], request.get("args", {})
        if isinstance(arguments, dict):
            return name, more[name] if name in more else COMMANDS[name], arguments
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    raise BadRequest(f"no such request: {str(name)[:100]}")


async def _answer(app: Appliance, peer: Peer, line: bytes, more: Mapping[str, Handler]) -> bool:
    """Run one command; whether the connection can go on."""
    try:
        name, handler, arguments = _parse(line, more)
    except BadRequest as problem:
        await _refuse(peer, "user", problem)
        return True
    log.info("ctl command", cmd=name)
    watching = trio.CancelScope()
    request = Request(peer, arguments, watching)
    outcome: dict[str, Any] | Talk | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_cancel_when_gone, peer, watching, nursery.cancel_scope)
        outcome = await _outcome(app, name, handler, request)
        nursery.cancel_scope.cancel()
    if outcome is None:
        return False  # The client left, and with it the wish; or it waits for the rest of a stream that has none.
    if isinstance(outcome, Talk):
        await peer.send({"ok": None})
        await outcome.speak(peer.stream, peer.take_received())
        return False
    await peer.send(outcome)
    # What is left of a stream would be taken for requests.
    return not request.is_streaming


async def _cancel_when_gone(peer: Peer, watching: trio.CancelScope, work: trio.CancelScope) -> None:
    with watching:
        await peer.gone()
        work.cancel()


async def _outcome(app: Appliance, name: str, handler: Handler, request: Request) -> dict[str, Any] | Talk | None:
    """The last line of the answer; None when there is nobody to hear it."""
    try:
        answer = await handler(app, request)
        return answer if isinstance(answer, Talk) else {"ok": answer}
    except Problem as problem:
        log.debug("command refused", problem, cmd=name)
        return _error("notfound" if problem.kind is Kind.NOT_FOUND else "user", problem)
    except (trio.BrokenResourceError, trio.ClosedResourceError, ClientLeft):
        return None
    except StreamCut as cut:
        log.debug("answer broken off", cut.__cause__, cmd=name)
        return None
    except Exception as error:
        panics.labels("ctl").inc()
        log.error("command failed", error, cmd=name)
        return _error("server", "internal error, see the log")


def _error(code: str, message: object) -> dict[str, Any]:
    return {"error": {"code": code, "msg": str(message)}}


async def _refuse(peer: Peer, code: str, message: object) -> None:
    await peer.send(_error(code, message))
