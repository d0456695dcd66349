"""Control commands about the running server itself."""

from dataclasses import asdict
from typing import Final

import trio

from appliance import __version__
from appliance.base import log as logs
from appliance.base.problem import Kind, Problem
from appliance.config.errors import ConfigErrors
from appliance.delivery.appliance import Appliance
from appliance.operations import accounts, certificates, health
from appliance.servers.control.request import Request
from appliance.servers.control.table import Handler


class UnknownLevel(Problem):
    """A log level that does not exist."""

    kind = Kind.INVALID


class BadConfiguration(Problem):
    """The files have errors; the text holds all of them."""

    kind = Kind.INVALID


async def _stop(app: Appliance, _: Request) -> None:
    app.stop()
    # No reply: the client waits for the end of the connection.
    await trio.sleep_forever()


async def _loglevels(_: Appliance, __: Request) -> dict[str, str]:
    return logs.levels()


async def _setloglevels(_: Appliance, request: Request) -> None:
    level, package = request.text("level"), request.optional_text("pkg") or ""
    if (level or not package) and level not in logs.LEVELS:
        raise UnknownLevel(f"unknown log level {level!r}; there are: {', '.join(logs.LEVELS)}")
    logs.set_level(level, package)


async def _reloadconfig(app: Appliance, _: Request) -> None:
    try:
        await trio.to_thread.run_sync(app.config.reload)
    except ConfigErrors as errors:
        raise BadConfiguration(f"the configuration has errors and stays as it was\n{errors}") from errors
    await accounts.follow(app)


class BadCertificates(Problem):
    """Some files are unusable; what was loaded from them stays."""

    kind = Kind.INVALID


async def _reloadtls(app: Appliance, _: Request) -> None:
    if problems := await trio.to_thread.run_sync(app.certificates.reload, app.clock.now()):
        raise BadCertificates("certificates stay as they were\n" + "\n".join(problems))


async def _status(app: Appliance, _: Request) -> dict[str, object]:
    return {
        "version": __version__,
        "accounts": sorted(app.config.snapshot().domains.accounts),
        "health": asdict(await health.health(app)),
        "certificates": [asdict(one) for one in certificates.shown(app) if one.provider],
    }


COMMANDS: Final[dict[str, Handler]] = {
    "stop": _stop,
    "loglevels": _loglevels,
    "setloglevels": _setloglevels,
    "reloadconfig": _reloadconfig,
    "reloadtls": _reloadtls,
    "status": _status,
}
