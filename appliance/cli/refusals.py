"""The command about refused mail."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from appliance.cli import output, remote
from appliance.cli.main import OK, Invocation, UsageError

_FILTERS = {
    "account": "account",
    "address": "address",
    "ip": "ip",
    "reason": "reason",
    "id": "received_id",
    "within": "within",
}


def show_list(invocation: Invocation) -> int:
    """Incoming mail that was refused, the last first."""
    most = invocation.text("most") or "50"
    if not most.isascii() or not most.isdecimal() or len(most) > 9:
        raise UsageError("--most takes a number")
    arguments: dict[str, Any] = {name: invocation.text(flag) for flag, name in _FILTERS.items()}
    found: list[dict[str, Any]] = remote.call(invocation, "refusals", **arguments, most=int(most))
    output.show(invocation, found, _lines(found))
    return OK


def _lines(found: list[dict[str, Any]]) -> Iterator[str]:
    if found:
        yield "# last\tcount\treason\tremote ip\tfrom\tto\taccount\treply"
    told: dict[str, str] = {}
    for one in found:
        last = datetime.fromtimestamp(one["last_microseconds"] / 1_000_000, UTC)
        # What others wrote may hold anything but must stay in its column.
        sender, recipient = (
            json.dumps(one[name], ensure_ascii=False) if one[name] else "-" for name in ("mail_from", "rcpt_to")
        )
        reply = f"{one['code']} {one['status']} {json.dumps(one['text'], ensure_ascii=False)}" if one["code"] else "-"
        columns = [f"{last:%Y-%m-%dT%H:%M:%SZ}", str(one["count"]), one["reason"], one["remote_ip"] or "-"]
        yield "\t".join([*columns, sender, recipient, one["account"], reply])
        told.setdefault(one["reason"], f"{one['why']} {one['remedy']}".strip())
    yield from (f"# {reason}: {text}" for reason, text in told.items())
