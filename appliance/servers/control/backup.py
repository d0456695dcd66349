"""The control command that makes a backup."""

from pathlib import Path
from typing import Final

import trio

from appliance.delivery.appliance import Appliance
from appliance.operations import backup
from appliance.operations.backup import BackupFailed, Told, Wish
from appliance.servers.control.request import Request
from appliance.servers.control.table import Handler

#: While the client does not listen the store's snapshot would stay.
_LISTEN_SECONDS: Final = 30


async def _backup(app: Appliance, request: Request) -> dict[str, object]:
    verbose = request.switch("verbose")
    target = Path(request.text("target"))
    wish = Wish(target, keep=request.optional_number("keep"), compact=request.switch("compact"))

    async def hear(told: Told) -> None:
        try:
            with trio.fail_after(_LISTEN_SECONDS):
                for warning in told.warnings:
                    await request.warn(warning)
                if told.all:
                    await request.progress(100 * told.done // told.all)
                for line in told.lines if verbose else ():
                    await request.out(line)
        except trio.TooSlowError as error:
            raise BackupFailed("the client does not listen") from error

    made = await backup.make(app, wish, hear)
    return {
        "path": str(made.path),
        "octets": made.octets,
        "missing": list(map(str, made.missing)),
        "removed": list(map(str, made.removed)),
        "command_problem": made.command_problem,
    }


COMMANDS: Final[dict[str, Handler]] = {"backup": _backup}
