"""Commands about webhooks: what waits, what is done, and what people do with them."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from appliance.cli import output, queue, remote
from appliance.cli.main import OK, Invocation


def show_list(invocation: Invocation) -> int:
    """Webhooks that wait."""
    return _show(invocation, "queuehooklist", _row)


def show_retired(invocation: Invocation) -> int:
    """Webhooks that are done."""
    return _show(invocation, "queuehookretiredlist", _retired_row)


def _show(invocation: Invocation, command: str, row: Callable[[dict[str, Any], float], str]) -> int:
    return queue.show(invocation, command, row, "webhooks:")


def _row(one: dict[str, Any], now: float) -> str:
    return f"{_what(one)} next {queue.relative(one['next_attempt_microseconds'], now)}{_past(one, now)}"


def _retired_row(one: dict[str, Any], now: float) -> str:
    word = "success" if one["success"] else "failure"
    if one["superseded_by_id"]:
        word = f"superseded by {one['superseded_by_id']}"
    return f"{_what(one)} {word} {queue.relative(one['last_activity_microseconds'], now)}{_past(one, now)}"


def _what(one: dict[str, Any]) -> str:
    when = datetime.fromtimestamp(one["submitted_microseconds"] / 1e6, UTC)
    message = f" message {one['queued_id']}" if one["queued_id"] else ""
    again = f" replay of {one['original_id']}" if one["original_id"] else ""
    return f"{one['id']} {when:%Y-%m-%dT%H:%M:%SZ} {one['account']} {one['event']}{message}{again} {one['url']}"


def _past(one: dict[str, Any], now: float) -> str:
    if not one["results"]:
        return ""
    last = one["results"][-1]
    text = f" last {queue.relative(last['start_microseconds'], now)}"
    return text if last["success"] else f"{text} error {json.dumps(last['error'], ensure_ascii=False)}"


def print_waiting(invocation: Invocation) -> int:
    """All about a webhook that waits."""
    return _print(invocation, "queuehookprint")


def print_retired(invocation: Invocation) -> int:
    """All that is remembered of one that is done."""
    return _print(invocation, "queuehookretiredprint")


def _print(invocation: Invocation, command: str) -> int:
    found = remote.call(invocation, command, id=queue.number("id", invocation.arguments[0]))
    # As --json has it too: there is nothing else to be said.
    print(json.dumps(found, indent="\t", ensure_ascii=False))
    return OK


def schedule(invocation: Invocation) -> int:
    """Move the next attempt."""
    duration = invocation.arguments[0]
    count = remote.call(
        invocation,
        "queuehookschedule",
        filter=queue.filter(invocation),
        duration=duration,
        relnow=invocation.given("now"),
    )
    print(f"{count} webhooks changed")
    return OK


def cancel(invocation: Invocation) -> int:
    """Post them no more."""
    queue.confirm(invocation, "cancel all webhooks")
    count = remote.call(invocation, "queuehookcancel", filter=queue.filter(invocation))
    print(f"{count} webhooks canceled")
    return OK


def replay(invocation: Invocation) -> int:
    """Post one that is done again."""
    id = remote.call(invocation, "queuehookreplay", id=queue.number("id", invocation.arguments[0]))
    output.show(invocation, {"id": id}, [f"added webhook {id}"])
    return OK
