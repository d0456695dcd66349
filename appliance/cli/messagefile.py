"""Commands about a message in a file: message parse."""

import json
import sys
from pathlib import Path
from typing import Any

from appliance.cli import output
from appliance.cli.main import OK, Failed, Invocation


def parse(invocation: Invocation) -> int:
    """The MIME tree of a message, as JSON."""
    import msgspec

    from appliance.mail.scan import Scanner
    from appliance.store.defaults import STORE

    name = invocation.arguments[0]
    scanner = Scanner(STORE.scan)
    try:
        with sys.stdin.buffer if name == "-" else Path(name).open("rb") as file:
            while octets := file.read(1 << 20):
                scanner.feed(octets)
    except OSError as error:
        raise Failed(f"cannot read {name}: {error.strerror}") from error
    scanned = scanner.close()
    document: dict[str, Any] = {
        "size": scanned.size,
        "parts": scanned.parts,
        "defects": list(scanned.defects),
        "root": _tree(json.loads(msgspec.json.encode(_named(scanned.root)))),
    }
    if invocation.given("smtputf8"):
        document["needs_smtputf8"] = scanned.needs_smtputf8
    output.print_json(document)
    return OK


def _named(part: Any) -> Any:
    """A part with the names of its fields, also where it is kept as a list."""
    import msgspec

    if isinstance(part, msgspec.Struct):
        return {name: _named(getattr(part, name)) for name in part.__struct_fields__}
    if isinstance(part, list | tuple):
        return [_named(one) for one in part]
    return part.decode("utf-8", "replace") if isinstance(part, bytes) else part


def _tree(part: Any) -> Any:
    """Without what a part does not have."""
    if isinstance(part, dict):
        return {name: _tree(value) for name, value in part.items() if value not in (None, "", [], {})}
    return [_tree(one) for one in part] if isinstance(part, list) else part
