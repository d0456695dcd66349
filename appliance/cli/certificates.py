"""Commands about certificates: tls certificates, config ensureacmehostprivatekeys."""

from datetime import UTC, datetime
from typing import Any

from appliance.cli import output, remote
from appliance.cli.main import OK, Invocation


def show_list(invocation: Invocation) -> int:
    """How the certificates of the running server stand."""
    found: list[dict[str, Any]] = remote.call(invocation, "tlscertificates")
    lines = [f"# {len(found)} certificate{'' if len(found) == 1 else 's'}"]
    if found:
        lines.append("# host\ttype\tfrom\tstate\texpires\trenewed from\tfailure")
    lines += ["\t".join(_row(one)) for one in found]
    output.show(invocation, found, lines)
    return OK


def _row(one: dict[str, Any]) -> list[str]:
    failure = one["error"]
    if one["next_attempt"]:
        failure = f"{failure} (next attempt {_time(one['next_attempt'])}, {one['failures']} failed)"
    source = f"acme {one['provider']}" if one["provider"] else "files"
    times = _time(one["expires"]), _time(one["renew_at"])
    return [one["host"] or "-", one["type"], source, one["state"], *times, failure or "-"]


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%MZ}" if seconds else "-"
