"""Commands about the program itself: version, help, completion."""

import platform
import sys

from appliance import __version__
from appliance.cli import output, table
from appliance.cli.commands.declare import GLOBAL_FLAGS, Command
from appliance.cli.main import OK, USAGE, Failed, Invocation, UsageError, full_help


def version(invocation: Invocation) -> int:
    """Print version and platform."""
    what = {"version": __version__, "python": platform.python_version(), "platform": platform.platform()}
    output.show(invocation, what, [f"moxpy {__version__}", f"{what['platform']}, Python {what['python']}"])
    return OK


def help(invocation: Invocation) -> int:
    """All about one command, or a line for each of several (L: help)."""
    if not invocation.arguments:
        print("usage: moxpy [--config PATH] [--loglevel LEVEL] command ...\n")
        _list(list(table.LISTED))
        print("\nmoxpy help command: all about it")
        return USAGE
    command, used = table.find(invocation.arguments)
    if command is not None and used == len(invocation.arguments):
        print(full_help(command))
        return OK
    matching = table.below(invocation.arguments)
    if not matching:
        raise UsageError(f"no command {' '.join(invocation.arguments)!r}; try: moxpy help")
    _list(matching)
    return OK


def help_all(_: Invocation) -> int:
    """All about every command."""
    print(("\n\n" + "=" * 100 + "\n\n").join(full_help(command) for command in table.COMMANDS))
    return OK


def licenses(_: Invocation) -> int:
    """The licence texts of the program and of what it is made with."""
    from appliance.base import licenses as texts

    try:
        sys.stdout.write(texts.all_texts())
    except LookupError as error:
        raise Failed(str(error)) from error
    return OK


def _list(commands: list[Command]) -> None:
    width = max(len(command.words) for command in commands)
    for command in commands:
        print(f"{command.words.ljust(width)}  {command.help.splitlines()[0]}")


def completion(invocation: Invocation) -> int:
    """Print a completion script made from the table."""
    shell = invocation.arguments[0]
    makers = {"bash": _bash, "zsh": _zsh, "fish": _fish}
    if shell not in makers:
        raise UsageError("shell must be bash, zsh or fish")
    print(makers[shell]())
    return OK


def _flags(command: Command) -> list[str]:
    flags = command.flags if command.verbatim else (*command.flags, *GLOBAL_FLAGS)
    return [command.spell(flag).split()[0] for flag in flags]


def _next_words() -> dict[str, list[str]]:
    """What may follow each beginning of a command."""
    following: dict[str, set[str]] = {}
    for command in table.COMMANDS:
        words = command.words.split()
        for at, word in enumerate(words):
            if not at and command.unlisted:
                continue
            following.setdefault(" ".join(words[:at]), set()).add(word)
        following.setdefault(command.words, set()).update(_flags(command))
    return {beginning: sorted(words) for beginning, words in sorted(following.items())}


def _bash() -> str:
    cases = "\n".join(
        f'    "{beginning}") candidates="{" ".join(words)}" ;;' for beginning, words in _next_words().items()
    )
    return f"""_moxpy() {{
  local words=() word candidates
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case "$word" in -*) ;; *) words+=("$word") ;; esac
  done
  case "${{words[*]}}" in
{cases}
    *) candidates="" ;;
  esac
  COMPREPLY=($(compgen -W "$candidates" -- "${{COMP_WORDS[COMP_CWORD]}}"))
  [ ${{#COMPREPLY[@]}} -gt 0 ] || COMPREPLY=($(compgen -f -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -F _moxpy moxpy"""


def _zsh() -> str:
    return "autoload -U +X bashcompinit && bashcompinit\n" + _bash()


def _fish() -> str:
    lines = []
    for command in table.COMMANDS:
        words = command.words.split()
        for at, word in enumerate(words):
            if not at and command.unlisted:
                continue
            seen = " ".join(words[:at])
            condition = f'test "(commandline -opc | tail -n +2 | string match -v -- "-*" | string join " ")" = "{seen}"'
            about = command.help.splitlines()[0].replace("'", "") if at == len(words) - 1 else f"{word} commands"
            lines.append(f"complete -c moxpy -f -n '{condition}' -a {word} -d '{about}'")
    return "\n".join(dict.fromkeys(lines))
