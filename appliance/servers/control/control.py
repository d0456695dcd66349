"""The control socket: JSON lines in both directions, one request after another (L-20 to L-28).

Greeting `moxpy-ctl 1 <version>`; a request `{"cmd": ..., "args": {...}}`; replies `{"out": ...}` as many as there
are, then `{"ok": ...}` or `{"error": {"code": ..., "msg": ...}}`.
"""

import json
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import trio

from appliance import __version__
from appliance.base import log as logs
from appliance.base.log import Log
from appliance.base.metrics import panics
from appliance.base.problem import Kind, Problem
from appliance.delivery.appliance import Appliance
from appliance.operations import accounts

log = Log("ctl")

GREETING: Final = f"moxpy-ctl 1 {__version__}\n".encode()
#: A request with its line end (L-23).
LINE_OCTETS: Final = 16 * 1024 * 1024
CONNECTIONS: Final = 100

Handler = Callable[[Appliance, dict[str, Any]], Awaitable[Any]]


class BadRequest(Exception):
    """Not a request we understand."""


async def serve(app: Appliance, path: Path, *, task_status: trio.TaskStatus[None]) -> None:
    """Listen until cancelled; only root and our own user get in."""
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
                nursery.start_soon(_session, app, trio.SocketStream(peer), limiter)


def _is_friend(stream: trio.SocketStream) -> bool:
    octets = stream.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, uid, _ = struct.unpack("3i", octets)
    return uid in {0, os.geteuid()}


async def _session(app: Appliance, stream: trio.SocketStream, limiter: trio.CapacityLimiter) -> None:
    async with stream, limiter:
        try:
            if not _is_friend(stream):
                return
            await stream.send_all(GREETING)
            buffer = bytearray()
            while (line := await _line(stream, buffer)) is not None:
                await _request(app, stream, line)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        except Exception as error:
            panics.labels("ctl").inc()
            log.error("unhandled exception, connection closed", error)


async def _line(stream: trio.SocketStream, buffer: bytearray) -> bytes | None:
    while (end := buffer.find(b"\n")) < 0:
        if len(buffer) > LINE_OCTETS:
            await _send(stream, {"error": {"code": "user", "msg": "request too long"}})
            return None
        octets = await stream.receive_some(65_536)
        if not octets:
            return None
        buffer += octets
    line = bytes(buffer[:end])
    del buffer[: end + 1]
    return line


async def _send(stream: trio.SocketStream, document: dict[str, Any]) -> None:
    await stream.send_all(json.dumps(document, default=str).encode() + b"\n")


async def _request(app: Appliance, stream: trio.SocketStream, line: bytes) -> None:
    name = "(unknown)"
    try:
        request = json.loads(line)
        name, arguments = request["cmd"], request.get("args", {})
        handler = COMMANDS[name]
        if not isinstance(arguments, dict):
            raise BadRequest("args is not an object")
    except (ValueError, KeyError, TypeError, BadRequest):
        await _send(stream, {"error": {"code": "user", "msg": f"no such request: {str(name)[:100]}"}})
        return
    log.info("ctl command", cmd=name)
    if name == "stop":
        app.stop()
        # No reply: the client waits for the end of the connection (L-25).
        await trio.sleep_forever()
    try:
        value = await handler(app, arguments)
    except Problem as problem:
        code = "notfound" if problem.kind is Kind.NOT_FOUND else "user"
        await _send(stream, {"error": {"code": code, "msg": str(problem)}})
    except (KeyError, TypeError) as error:
        await _send(stream, {"error": {"code": "user", "msg": f"wrong arguments: {error}"}})
    except Exception as error:
        panics.labels("ctl").inc()
        log.error("command failed", error, cmd=name)
        await _send(stream, {"error": {"code": "server", "msg": "internal error, see the log"}})
    else:
        await _send(stream, {"ok": value})


async def _stop(_: Appliance, __: dict[str, Any]) -> None:
    raise AssertionError("handled before")


async def _loglevels(_: Appliance, __: dict[str, Any]) -> dict[str, str]:
    return logs.levels()


async def _setloglevels(_: Appliance, arguments: dict[str, Any]) -> None:
    level, package = str(arguments["level"]), str(arguments.get("pkg", ""))
    if (level or not package) and level not in logs.LEVELS:
        raise UnknownLevel(f"unknown log level {level!r}; there are: {', '.join(logs.LEVELS)}")
    logs.set_level(level, package)


class UnknownLevel(Problem):
    """A log level that does not exist."""

    kind = Kind.INVALID


async def _setaccountpassword(app: Appliance, arguments: dict[str, Any]) -> None:
    await accounts.set_password(app, str(arguments["account"]), str(arguments["password"]))


async def _status(app: Appliance, _: dict[str, Any]) -> dict[str, Any]:
    return {"version": __version__, "accounts": sorted(app.config.snapshot().domains.accounts)}


COMMANDS: Final[dict[str, Handler]] = {
    "stop": _stop,
    "loglevels": _loglevels,
    "setloglevels": _setloglevels,
    "setaccountpassword": _setaccountpassword,
    "status": _status,
}
