"""Commands that mend what a running server keeps: reindex, retrain."""

import sys
import time

from appliance.cli import remote
from appliance.cli.main import FAILED, OK, Failed, Invocation


def reindex(invocation: Invocation) -> int:
    """Make the index of one account or of all anew; after a failure the others have their turn."""
    names: list[str] = list(invocation.arguments) or remote.call(invocation, "status")["accounts"]
    failed = False
    for name in names:
        began = time.monotonic()
        try:
            made: dict[str, int] = remote.call(invocation, "reindex", account=name)
        except Failed as failure:
            print(f"{name}: {failure}", file=sys.stderr)
            failed = True
            continue
        sizes = f"{made['index_octets'] / 1e6:.1f} MB for {made['text_octets'] / 1e6:.1f} MB of text"
        milliseconds = (time.monotonic() - began) * 1000
        print(f"{name}: {made['messages']} messages, {sizes}, {milliseconds:.0f} ms", flush=True)
    return FAILED if failed else OK


def retrain(invocation: Invocation) -> int:
    """Train the junk filter of one account or of all that have one; after a failure the others have their turn."""
    wanted = list(invocation.arguments)
    names: list[str] = wanted or remote.call(invocation, "status")["accounts"]
    failed = False
    for name in names:
        began = time.monotonic()
        try:
            made: dict[str, int] = remote.call(invocation, "retrain", account=name, required=bool(wanted))
        except Failed as failure:
            print(f"{name}: {failure}", file=sys.stderr)
            failed = True
            continue
        if not made:
            print(f"{name}: no junk filter", flush=True)
            continue
        milliseconds = (time.monotonic() - began) * 1000
        print(f"{name}: {made['spams']} junk, {made['hams']} not junk, {milliseconds:.0f} ms", flush=True)
    return FAILED if failed else OK
