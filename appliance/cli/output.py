"""What commands print: lines for people, or one JSON document for programs."""

import json
from collections.abc import Iterable, Sequence

from appliance.cli.main import Invocation


def show(invocation: Invocation, document: object, lines: Iterable[str]) -> None:
    """Print the document when --json was given, the lines otherwise."""
    if invocation.given("json"):
        print_json(document)
        return
    for line in lines:
        print(line)


def print_json(document: object) -> None:
    """One document, for programs."""
    print(json.dumps(document, indent=2, ensure_ascii=False, default=str))


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """A table: each column as wide as its longest cell, two spaces between."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
