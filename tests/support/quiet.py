"""Whether anything goes on that trio's own view of its tasks leaves out: work of threads, and commits of a store.

A task that waits for a thread counts as blocked for trio. So its clock would jump, and `wait_all_tasks_blocked` return,
in the middle of such work, or not, as the machine is loaded.
"""

import time
from typing import Any

import trio
import trio.testing
from trio.testing import MockClock

from appliance.store.environment import LoopBridge

#: Transactions that tasks of this loop wait for.
_commits = trio.lowlevel.RunVar("commits", default=0)
_run = LoopBridge.run


async def _counted(self: LoopBridge, *arguments: Any) -> Any:
    _commits.set(_commits.get() + 1)
    try:
        return await _run(self, *arguments)
    finally:
        _commits.set(_commits.get() - 1)


def count_commits() -> None:
    """From now on they are known here."""
    LoopBridge.run = _counted  # type: ignore[method-assign]


def is_busy() -> bool:
    """Whether somebody waits for a thread or a commit."""
    return trio.testing.active_thread_count() > 0 or _commits.get() > 0


async def settled() -> None:
    """Wait until everybody waits for octets or for the clock."""
    await trio.testing.wait_all_tasks_blocked()
    while is_busy():
        await trio.testing.wait_all_tasks_blocked(0.001)


def patient(clock: MockClock) -> MockClock:
    """The clock, which jumps to the next deadline when nobody has anything to do, no thread and no store either."""
    jump = clock._autojump

    def jump_if_quiet() -> None:
        if is_busy():
            time.sleep(0.0002)  # The processor is for those who are.
        else:
            jump()

    clock._autojump = jump_if_quiet  # type: ignore[method-assign]
    return clock


def jumping_clock() -> MockClock:
    """One that jumps as soon as all is quiet."""
    return patient(MockClock(autojump_threshold=0))
