"""Every command, declared once: parsing, usage, help, completion and reference are made from this table.

A handler is named as text and imported only when its command runs, so that a small command stays quick.
"""

import shlex
from collections.abc import Sequence
from functools import cache
from typing import Final

from appliance.cli.commands import accounts, configuration, data, diagnostics, domains, program, queue, server, upkeep
from appliance.cli.commands.declare import Command
from appliance.cli.commands.examples import EXAMPLES

#: In the order of lists.
COMMANDS: Final = (
    *server.COMMANDS,
    *upkeep.COMMANDS,
    *data.COMMANDS,
    *configuration.COMMANDS,
    *domains.COMMANDS,
    *accounts.COMMANDS,
    *queue.COMMANDS,
    *diagnostics.COMMANDS,
    *program.COMMANDS,
)

#: What lists show.
LISTED: Final = tuple(command for command in COMMANDS if not command.unlisted)


def below(words: Sequence[str]) -> list[Command]:
    """Commands whose words begin with these."""
    count = len(words)
    return [command for command in COMMANDS if command.words.split()[:count] == list(words)]


def find(words: Sequence[str]) -> tuple[Command | None, int]:
    """The command of the longest full match, and how many words that took."""
    for count in range(len(words), 0, -1):
        for command in COMMANDS:
            if command.words.split() == list(words[:count]):
                return command, count
    return None, 0


def examples(command: Command) -> list[str]:
    """How a command is called, as in a shell."""
    return _examples().get(command.words, [])


@cache
def _examples() -> dict[str, list[str]]:
    """All of them by the words of their commands: looking these up takes a while, and helpall asks for all."""
    found: dict[str, list[str]] = {}
    for line in EXAMPLES:
        command = find(shlex.split(line)[1:])[0]
        if command is not None:
            found.setdefault(command.words, []).append(line)
    return found
