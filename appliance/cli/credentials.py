"""Commands about app passwords and attempts to log in."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from appliance.cli import output, remote
from appliance.cli.main import OK, Invocation


def _time(microseconds: int | None) -> str:
    if microseconds is None:
        return "never"
    return f"{datetime.fromtimestamp(microseconds / 1_000_000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def add_app_password(invocation: Invocation) -> int:
    """Make an app password and print it, this once."""
    account, label = invocation.arguments
    arguments: dict[str, Any] = {"account": account, "label": label}
    if protocols := invocation.text("protocols"):
        arguments["protocols"] = [one.strip() for one in protocols.split(",")]
    if expires := invocation.text("expires"):
        arguments["expires"] = expires
    added: dict[str, Any] = remote.call(invocation, "apppasswordadd", **arguments)
    lines = [added["password"]]
    output.show(invocation, added, lines)
    return OK


def list_app_passwords(invocation: Invocation) -> int:
    """App passwords of an account, without the passwords."""
    found: list[dict[str, Any]] = remote.call(invocation, "apppasswordlist", account=invocation.arguments[0])
    lines = ["# id\tlabel\tprotocols\tcreated\texpires\tlast used"] if found else []
    for one in found:
        times = (_time(one[f"{name}_microseconds"]) for name in ("created", "expires", "last_used"))
        label = json.dumps(one["label"], ensure_ascii=False)
        lines.append("\t".join([str(one["id"]), label, ",".join(one["protocols"]), *times]))
    output.show(invocation, found, lines)
    return OK


def remove_app_password(invocation: Invocation) -> int:
    """Take an app password back."""
    account, number = invocation.arguments
    label = remote.call(invocation, "apppasswordrm", account=account, id=number)
    print(f"removed app password {number} of {account}: {label}")
    return OK


def remove_second_factor(invocation: Invocation) -> int:
    """Let somebody log in without a code who has lost what makes them."""
    account = invocation.arguments[0] if invocation.arguments else None
    arguments: dict[str, Any] = {"account": account} if account else {}
    remote.call(invocation, "secondfactorrm", **arguments)
    print(f"{f'account {account}' if account else 'the administrator'} logs in with the password alone")
    return OK


def logins(invocation: Invocation) -> int:
    """The last attempts to log in."""
    account = invocation.arguments[0] if invocation.arguments else None
    most = invocation.text("most") or "100"
    found: list[dict[str, Any]] = remote.call(invocation, "accountlogins", account=account, most=most)
    output.show(invocation, found, _login_lines(found))
    return OK


def _login_lines(found: list[dict[str, Any]]) -> Iterator[str]:
    if found:
        yield "# last\tresult\tcount\taccount\tlogin address\tprotocol\tmechanism\tremote ip\ttls\tuser agent"
    for one in found:
        # What a client said itself may hold anything but must stay in its column.
        said = (json.dumps(one[name], ensure_ascii=False) for name in ("login_address", "user_agent"))
        address, agent = said
        columns = [_time(one["last_microseconds"]), one["result"], str(one["count"]), one["account"], address]
        yield "\t".join([*columns, one["protocol"], one["mechanism"], one["remote_ip"], one["tls"] or "-", agent])
