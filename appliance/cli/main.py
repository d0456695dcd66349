"""The command line: finds the command, reads its flags, runs it, turns outcomes into exit codes."""

import importlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.cli import table
from appliance.cli.commands.declare import GLOBAL_FLAGS, TESTING_FLAGS, Command, Flag

#: Exit codes.
OK, FAILED, USAGE = 0, 1, 2
#: In a profile of memory.
_PLACES: Final = 200
_SERVERS: Final = ("serve", "localserve")
_HELP: Final = ("-h", "-help", "--help")


class UsageError(Exception):
    """The command was called wrongly; the usage is shown with the text."""


class Failed(Exception):
    """The command could not do what was asked; the text is all there is to say."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """A command as it was called."""

    command: Command
    flags: dict[str, str | bool]
    arguments: list[str]

    def text(self, flag: str) -> str | None:
        """Value of a flag, None when it was not given."""
        value = self.flags.get(flag)
        return value if isinstance(value, str) else None

    def given(self, flag: str) -> bool:
        """Whether a switch was given."""
        return self.flags.get(flag) is True

    @property
    def config_path(self) -> Path:
        """The static configuration file."""
        return Path(self.text("config") or os.environ.get("MOXPYCONF") or "config/moxpy.toml")

    @property
    def config_hint(self) -> str:
        """What to do when there is no configuration file."""
        return "point to it with --config PATH or the environment variable MOXPYCONF"


def run(argv: Sequence[str]) -> int:
    """Run a command; the exit code. Never raises but for bugs."""
    try:
        called_as_sendmail = Path(argv[0]).name == "sendmail"
        arguments = ["sendmail", *argv[1:]] if called_as_sendmail else list(argv[1:])
        if os.getegid() != os.getgid() and arguments[:1] != ["sendmail"]:
            # Installed to read a secret that its callers may not: no other command may be made to tell it.
            raise UsageError("this program is installed to send mail, and does nothing else")
        return _run(arguments)
    except UsageError as error:
        print(f"{error}", file=sys.stderr)
        return USAGE
    except Failed as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILED
    except BrokenPipeError:
        # The reader went away; nothing more may be written at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except KeyboardInterrupt:
        return 130


def _run(arguments: list[str]) -> int:
    words, rest = _split(arguments)
    command, used = table.find(words)
    if command is None:
        matching = table.below(words) if words else []
        if _wants_help(rest) and (matching or not words):
            _print_usages(matching or list(table.LISTED), sys.stdout)
            return OK
        if matching or not words:
            _print_usages(matching or list(table.LISTED), sys.stderr)
        else:
            print(f"unknown command {' '.join(words)!r}; try: moxpy help", file=sys.stderr)
        return USAGE
    if _wants_help(rest, ("-help", "--help") if command.verbatim else _HELP):
        print(full_help(command))
        return OK
    arguments = [*words[used:], *rest]
    flags, positional = ({}, arguments) if command.verbatim else _parse(command, arguments)
    module, function = command.handler.split(":")
    handler = getattr(importlib.import_module(f"appliance.cli.{module}"), function)
    with _measured(flags):
        return int(handler(Invocation(command, flags, positional)) or OK)


@contextmanager
def _measured(flags: Mapping[str, str | bool]) -> Iterator[None]:
    """Write profiles where they are asked for. Raises Failed, UsageError."""
    processor, memory, calls = flags.get("cpuprof"), flags.get("memprof"), flags.get("trace")
    if processor and calls:
        raise UsageError("--cpuprof and --trace watch the same: one at a time")
    with ExitStack() as stack:
        if isinstance(calls, str):
            from appliance.cli.tracing import Trace

            trace = Trace()
            stack.callback(_written, trace.write, calls)
            trace.start()
        if isinstance(processor, str):
            import cProfile

            profile = cProfile.Profile()
            stack.callback(_written, profile.dump_stats, processor)
            stack.enter_context(profile)
        if isinstance(memory, str):
            import tracemalloc

            def told(path: str) -> None:
                lines = map(str, tracemalloc.take_snapshot().statistics("lineno")[:_PLACES])
                Path(path).write_text("\n".join(lines) + "\n")

            tracemalloc.start()
            stack.callback(_written, told, memory)
        yield


def _written(write: Callable[[str], object], path: str) -> None:
    try:
        write(path)
    except OSError as error:
        raise Failed(f"{path}: {error.strerror}") from error


def _wants_help(arguments: list[str], words: Sequence[str] = _HELP) -> bool:
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return any(one in words for one in options)


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Command words, and the rest with global flags that stood before them."""
    before: list[str] = []
    known = {flag.name: flag for flag in (*GLOBAL_FLAGS, *TESTING_FLAGS)}
    at = 0
    while at < len(arguments) and arguments[at].startswith("-") and arguments[at] != "--":
        name, equals, _ = arguments[at].lstrip("-").partition("=")
        flag = known.get(name)
        take = 2 if flag is not None and flag.value and not equals else 1
        before += arguments[at : at + take]
        at += take
    words: list[str] = []
    while at < len(arguments) and not arguments[at].startswith("-"):
        candidate = [*words, arguments[at]]
        if not table.below(candidate):
            break
        words = candidate
        at += 1
    if not words and at < len(arguments) and not arguments[at].startswith("-"):
        return [arguments[at]], [*before, *arguments[at + 1 :]]
    return words, [*before, *arguments[at:]]


def _parse(command: Command, arguments: list[str]) -> tuple[dict[str, str | bool], list[str]]:
    """Flags as `-name`, `--name`, `=value` or a value behind, before or after positionals."""
    known: dict[str, Flag] = {flag.name: flag for flag in (*GLOBAL_FLAGS, *TESTING_FLAGS, *command.flags)}
    flags: dict[str, str | bool] = {}
    positional: list[str] = []
    rest = iter(arguments)
    for one in rest:
        if one == "--":
            positional += rest
            break
        if not one.startswith("-") or one == "-":
            positional.append(one)
            continue
        name, equals, value = one.removeprefix("-").removeprefix("-").partition("=")
        flag = known.get(name)
        if flag is None:
            raise UsageError(f"unknown flag {one}\nusage: {command.usage}")
        if flag.value is None:
            if equals and value not in {"true", "false"}:
                raise UsageError(f"{one}: takes true or false\nusage: {command.usage}")
            flags[name] = value != "false"
        elif equals:
            flags[name] = value
        else:
            following = next(rest, None)
            if following is None:
                raise UsageError(f"flag {one} needs a value\nusage: {command.usage}")
            flags[name] = following
    least = sum(not argument.optional for argument in command.arguments)
    most = None if any(argument.many for argument in command.arguments) else len(command.arguments)
    if len(positional) < least or (most is not None and len(positional) > most):
        raise UsageError(f"usage: {command.usage}")
    return flags, positional


def full_help(command: Command) -> str:
    """Usage, all help and flags of a command."""
    lines = [f"usage: {command.usage}", "", command.help]
    flags = command.flags if command.verbatim else (*command.flags, *GLOBAL_FLAGS)
    if command.words in _SERVERS:
        flags = (*flags, *TESTING_FLAGS)
    width = max(len(command.spell(flag)) for flag in flags)
    lines += ["", "flags:"]
    lines += [f"  {command.spell(flag).ljust(width)}  {flag.help}" for flag in flags]
    if examples := table.examples(command):
        lines += ["", "examples:", *(f"  {line}" for line in examples)]
    return "\n".join(lines)


def _print_usages(commands: list[Command], stream: object) -> None:
    for command in commands:
        print(command.usage, file=stream)  # type: ignore[call-overload]
