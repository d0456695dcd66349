"""Commands about addresses that are not sent to any more."""

import json
from datetime import UTC, datetime
from typing import Any

from appliance.cli import output, remote
from appliance.cli.main import OK, Invocation


def show_list(invocation: Invocation) -> int:
    """The lists of all accounts, or of one."""
    found: list[dict[str, Any]] = []
    remote.call(invocation, "queuesuppresslist", each=found.extend, account=invocation.text("account"))
    found.sort(key=lambda one: (one["account"], one["id"]))
    output.show(invocation, found, map(_row, found))
    return OK


def _row(one: dict[str, Any]) -> str:
    columns = (one["account"], one["address"], _manual(one), _added(one), one["base_address"], _quoted(one["reason"]))
    return "\t".join(columns)


def add(invocation: Invocation) -> int:
    """Send nothing to an address any more."""
    account, address = invocation.arguments
    remote.call(invocation, "queuesuppressadd", account=account, address=address, reason=invocation.text("reason"))
    return OK


def remove(invocation: Invocation) -> int:
    """Send to an address again."""
    account, address = invocation.arguments
    remote.call(invocation, "queuesuppressremove", account=account, address=address)
    return OK


def look_up(invocation: Invocation) -> int:
    """Whether an address is suppressed."""
    found: list[dict[str, Any]] = remote.call(
        invocation, "queuesuppresslookup", account=invocation.text("account"), address=invocation.arguments[0]
    )
    lines = ["present", *map(_details, found)] if found else ["not present"]
    output.show(invocation, found, lines)
    return OK


def _details(one: dict[str, Any]) -> str:
    return (
        f"account {one['account']}, added {_added(one)}, manual {_manual(one)}, base address {one['base_address']}, "
        f"reason {_quoted(one['reason'])}"
    )


def _manual(one: dict[str, Any]) -> str:
    return "Yes" if one["manual"] else "No"


def _added(one: dict[str, Any]) -> str:
    return f"{datetime.fromtimestamp(one['created_microseconds'] / 1e6, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
