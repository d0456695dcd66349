"""Commands about certificates: tls certificates, config ensureacmehostprivatekeys."""

import json
import sys
from datetime import UTC, datetime
from typing import Any

from appliance.cli import output, remote
from appliance.cli.configuration import load_config
from appliance.cli.main import OK, Failed, Invocation
from appliance.config.errors import quote_key


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


def ensure_host_keys(invocation: Invocation) -> int:
    """Write host keys that listeners with ACME lack, and tell what to write into the configuration."""
    from appliance.operations import hostkeys

    config = load_config(invocation)
    try:
        found = hostkeys.ensure(config, datetime.now(UTC))
    except OSError as error:
        raise Failed(f"cannot write {error.filename}: {error.strerror}") from error
    for one in found:
        for file, known in one.written:
            origin = "the key of its certificate" if known else "a new key"
            print(f"{config.directory / file}: {origin}", file=sys.stderr)
        names = "".join(f"  {json.dumps(file)},\n" for file in one.files)
        print(f"[listeners.{quote_key(one.listener)}.tls]\nhost_private_key_files = [\n{names}]\n")
    if found:
        print(
            "Put these lines in place of what moxpy.toml has there, start the server anew, and publish TLSA records of "
            "the keys: moxpy dane makerecord 3 1 1 FILE",
            file=sys.stderr,
        )
    else:
        print("All listeners with ACME have both kinds of host keys.", file=sys.stderr)
    return OK
