"""The operator's program that is run after each backup, to send it elsewhere."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import trio

from appliance.base.log import Log

log = Log("backup")

#: It may send much over a slow line, and must end some time.
SECONDS: Final = 12 * 3600.0
#: Of what it says, the end is told.
SAID_OCTETS: Final = 16 * 1024
#: Of our environment; the rest is ours alone (the executable has a search path for libraries of its own).
_PASSED_ON: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "SSH_AUTH_SOCK")


async def run(command: Sequence[str], backup: Path, *, seconds: float = SECONDS) -> str:
    """Run it with the backup as its last argument and as MOXPY_BACKUP; what went wrong, empty when nothing did.

    Cancelling ends it.
    """
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    try:
        process = await trio.lowlevel.open_process(
            [*command, str(backup)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**environment, "MOXPY_BACKUP": str(backup)},
            cwd=str(backup.parent),
        )
    except OSError as error:
        return f"{command[0]}: {error.strerror or error}"
    said = bytearray()
    try:
        with trio.move_on_after(seconds):
            assert process.stdout is not None
            async with process.stdout as stream:
                async for octets in stream:
                    said += octets
                    del said[:-SAID_OCTETS]
            await process.wait()
    finally:
        if process.poll() is None:
            process.kill()
            with trio.CancelScope(shield=True):
                await process.wait()
    text = said.decode("utf-8", "replace").strip()
    if process.returncode == 0:
        log.info("backup command done", said=text or None)
        return ""
    how = f"exit code {process.returncode}" if (process.returncode or 0) > 0 else "ended by a signal, or too slow"
    return f"{command[0]}: {how}" + (f": {text.splitlines()[-1]}" if text else "")
