"""What commands print: lines for people, or one JSON document for programs."""

import json
from collections.abc import Iterable

from appliance.cli.main import Invocation


def show(invocation: Invocation, document: object, lines: Iterable[str]) -> None:
    """Print the document when --json was given, the lines otherwise."""
    if invocation.given("json"):
        print(json.dumps(document, indent=2, ensure_ascii=False, default=str))
        return
    for line in lines:
        print(line)
