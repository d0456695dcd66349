"""Writes the reference: `python build/reference.py FOLDER` makes commands.md, configuration.md, webapi.md and moxpy.1.

All of it comes from what the program itself reads: the table of commands, the schema of the configuration, the table of
the webapi's methods. Nothing of it is checked in.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from appliance import __version__
from appliance.cli import table
from appliance.cli.commands.declare import GLOBAL_FLAGS, Command, Flag
from appliance.config import describe
from appliance.servers.web.webapi import methods


def _flags(command: Command, flags: tuple[Flag, ...]) -> list[str]:
    return [f"- `{command.spell(flag)}`: {flag.help}" for flag in flags]


def commands() -> str:
    """All listed commands, in the order of the table."""
    parts = [f"# Commands of moxpy {__version__}", "Every command takes, before or after its own words:"]
    parts.append("\n".join(_flags(table.COMMANDS[0], GLOBAL_FLAGS)))
    for command in table.LISTED:
        parts += [f"## {command.words}", f"    {command.usage}", command.help]
        if command.flags:
            parts.append("\n".join(_flags(command, tuple(command.flags))))
        if examples := table.examples(command):
            parts.append("\n".join(f"    {line}" for line in examples))
    return "\n\n".join(parts) + "\n"


def configuration() -> str:
    """The commented templates of all files."""
    parts = [f"# Configuration of moxpy {__version__}"]
    for name, text in (
        ("moxpy.toml", describe.describe_static()),
        ("domains.toml", describe.describe_domains()),
        ("moxpysubmit.toml", describe.describe_sendmail()),
    ):
        parts += [f"## {name}", f"```toml\n{text.rstrip()}\n```"]
    return "\n\n".join(parts) + "\n"


def webapi() -> str:
    """Methods with examples; the OpenAPI document of a running server has all fields."""
    parts = [f"# Webapi of moxpy {__version__}"]
    for method in methods.METHODS.values():
        parts += [f"## {method.name}", method.about, f"```json\n{_pretty(method.example)}\n```"]
        parts.append("Octets." if method.response is None else f"```json\n{_pretty(method.example_response)}\n```")
    return "\n\n".join(parts) + "\n"


def _pretty(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def manual() -> str:
    """A page for man(1)."""
    lines = [f'.TH MOXPY 1 "" "moxpy {__version__}"', ".SH NAME", "moxpy \\- a mail server", ".SH SYNOPSIS"]
    lines += [".B moxpy", "[\\-\\-config PATH] [\\-\\-loglevel LEVEL] command ...", ".SH GLOBAL FLAGS"]
    lines += _terms(table.COMMANDS[0], GLOBAL_FLAGS)
    lines.append(".SH COMMANDS")
    for command in table.LISTED:
        lines += [f".SS {_roff(command.usage)}"]
        for paragraph in command.help.split("\n\n"):
            lines += [_roff(paragraph), ".PP"]
        lines += _terms(command, tuple(command.flags))
        lines += [f".PP\n.nf\n{_roff(line)}\n.fi" for line in table.examples(command)]
    return "\n".join(lines) + "\n"


def _terms(command: Command, flags: tuple[Flag, ...]) -> list[str]:
    return [line for flag in flags for line in (".TP", f".B {_roff(command.spell(flag))}", _roff(flag.help))]


def _roff(text: str) -> str:
    """Text as troff takes it: no line is a request."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return "\n".join(f"\\&{line}" if line.startswith((".", "'")) else line for line in escaped.splitlines())


def main(folder: Path) -> None:
    """Write them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (
        ("commands.md", commands()),
        ("configuration.md", configuration()),
        ("webapi.md", webapi()),
        ("moxpy.1", manual()),
    ):
        (folder / name).write_text(text)
        print(folder / name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
