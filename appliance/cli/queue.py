"""Commands about the queue: queue list."""

import json
import time
from datetime import UTC, datetime
from typing import Any

from appliance.cli import output, remote
from appliance.cli.main import OK, Invocation


def show_list(invocation: Invocation) -> int:
    """Messages that wait, oldest first."""
    account = invocation.text("account")
    messages: list[dict[str, Any]] = []
    while some := remote.call(
        invocation, "queuelist", account=account, after=str(messages[-1]["id"] if messages else 0)
    ):
        messages += some
    now = time.time()
    output.show(invocation, messages, ["messages:", *(_row(one, now) for one in messages)] if messages else ["(none)"])
    return OK


def _row(one: dict[str, Any], now: float) -> str:
    when = datetime.fromtimestamp(one["queued_microseconds"] / 1e6, UTC)
    coming = "on hold" if one["hold"] else relative(one["next_attempt_microseconds"], now)
    last = one["last_attempt_microseconds"]
    row = f"{one['id']} {when:%Y-%m-%dT%H:%M:%SZ} from:<{one['from']}> to:<{one['to']}> next {coming}"
    if last is not None:
        row += f" last {relative(last, now)}"
    if one["results"]:
        result = one["results"][-1]
        text = " ".join(filter(None, (str(result["code"] or ""), result["status"], result["text"])))
        row += f" error {json.dumps(text, ensure_ascii=False)}"
    return row


def relative(microseconds: int, now: float) -> str:
    """A moment as seen from now: `1h30m`, `-20s`, `now`."""
    seconds = round(microseconds / 1e6 - now)
    if seconds == 0:
        return "now"
    left, parts = abs(seconds), []
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return ("-" if seconds < 0 else "") + "".join(parts[:2])
