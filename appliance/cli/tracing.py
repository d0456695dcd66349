"""What a run did when, for viewers of traces (chrome://tracing, Perfetto): calls of Python functions that took a while.

Steps of tasks are calls, too, so it is seen what kept an event loop. Every call costs some more while it is watched.
"""

import json
import sys
import threading
from pathlib import Path
from time import perf_counter_ns
from types import CodeType, FrameType
from typing import Any, Final

#: Shorter calls are left out; so many are kept, the first ones.
LEAST_NS: Final = 100_000
CALLS: Final = 500_000


class Trace:
    """Watches from `start` to `write`."""

    def __init__(self) -> None:
        self._calls: list[tuple[int, int, int, CodeType]] = []
        self._stacks = threading.local()

    def start(self) -> None:
        """Watch this thread, and all that begin from now on."""
        threading.setprofile(self._hear)
        sys.setprofile(self._hear)

    def write(self, path: str) -> None:
        """Stop, and write what was seen. Raises OSError."""
        sys.setprofile(None)
        threading.setprofile(None)
        events = [
            {
                "name": code.co_qualname if hasattr(code, "co_qualname") else code.co_name,
                "cat": f"{code.co_filename}:{code.co_firstlineno}",
                "ph": "X",
                "ts": began / 1000,
                "dur": lasted / 1000,
                "pid": 1,
                "tid": thread,
            }
            for thread, began, lasted, code in self._calls
        ]
        Path(path).write_text(json.dumps({"traceEvents": events, "displayTimeUnit": "ms"}))

    def _hear(self, frame: FrameType, event: str, _: Any) -> None:
        try:
            stack: list[int] = self._stacks.began
        except AttributeError:
            stack = self._stacks.began = []
        if event == "call":
            stack.append(perf_counter_ns())
        elif event == "return" and stack:
            began = stack.pop()
            lasted = perf_counter_ns() - began
            if lasted >= LEAST_NS and len(self._calls) < CALLS:
                self._calls.append((threading.get_ident(), began, lasted, frame.f_code))
