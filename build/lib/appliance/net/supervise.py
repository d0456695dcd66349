"""Keeper tasks: what must always run is started again when it fails, ever more slowly (ARCHITECTURE.md)."""

from collections.abc import Awaitable, Callable
from typing import Final

import trio

from appliance.base.log import Log
from appliance.base.metrics import panics

FIRST_PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 60.0
#: A task that ran so long begins with the first pause again.
HEALTHY_SECONDS: Final = 300.0


async def keep(name: str, task: Callable[[], Awaitable[None]]) -> None:
    """Run a task for ever; a bug in it is logged, counted and waited out."""
    log = Log(name)
    pause = FIRST_PAUSE_SECONDS
    while True:
        began = trio.current_time()
        try:
            await task()
        except Exception as error:
            panics.labels(name).inc()
            log.error("keeper task failed, starting it again", error, pause=f"{pause:g}s")
        else:
            return
        if trio.current_time() - began > HEALTHY_SECONDS:
            pause = FIRST_PAUSE_SECONDS
        await trio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
