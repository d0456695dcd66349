"""What a command is declared with."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag: `--name`, or `--name VALUE` when it takes one."""

    name: str
    help: str
    #: What the value is called in the usage; None for a switch.
    value: str | None = None


@dataclass(frozen=True, slots=True)
class Argument:
    """A positional argument."""

    name: str
    optional: bool = False
    many: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """One command. The first line of `help` stands in lists."""

    words: str
    #: `module:function` below appliance.cli; called with an Invocation, returns the exit code.
    handler: str
    help: str
    arguments: Sequence[Argument] = field(default=())
    flags: Sequence[Flag] = field(default=())
    #: Left out of lists until one of its words is typed.
    unlisted: bool = False
    #: The handler reads the arguments itself, by another program's rules; global flags mean nothing to it.
    verbatim: bool = False

    @property
    def usage(self) -> str:
        """`moxpy words [--flags] arguments`."""
        parts = ["moxpy", self.words]
        parts += [f"[{self.spell(flag)}]" for flag in self.flags]
        for argument in self.arguments:
            name = argument.name + (" ..." if argument.many else "")
            parts.append(f"[{name}]" if argument.optional else name)
        return " ".join(parts)

    def spell(self, flag: Flag) -> str:
        """`--name VALUE`; a letter of another program's has one dash."""
        return f"{'-' if self.verbatim else '--'}{flag.name}{' ' + flag.value if flag.value else ''}"


JSON: Final = Flag("json", "print one JSON document")

SERVER: Final = Flag("server", "ask this server instead of those in /etc/resolv.conf", "ADDRESS[:PORT]")

CHECK: Final = Flag("check", "exit with 3 unless it passes")

#: Flags that stand before or after any command.
GLOBAL_FLAGS: Final = (
    Flag("config", "the static configuration file; default $MOXPYCONF, then config/moxpy.toml", "PATH"),
    Flag("loglevel", "error, warn, info, debug, trace, traceauth or tracedata", "LEVEL"),
    Flag("logjson", "log JSON lines instead of logfmt"),
    Flag("logtime", "log the time of each line"),
)

#: Those that are only for tests and measurements; taken everywhere, shown with what starts a server.
TESTING_FLAGS: Final = (
    Flag("pedantic", "take protocols at their word, whatever the configuration says"),
    Flag("checkconsistency", "check every invariant of the stored data when the server has stopped"),
    Flag("cpuprof", "write a profile of the processor's time to a file, for Python's pstats", "FILE"),
    Flag("trace", "write which calls took when and how long to a file, for chrome://tracing or Perfetto", "FILE"),
    Flag("memprof", "write where the most memory was allocated to a file", "FILE"),
)
