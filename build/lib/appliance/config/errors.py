"""What is wrong in a config file, where it stands, and how the operator may mend it.

Problems are collected, never thrown one by one: operators mend files in batches.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

#: Keys from the top of a file to a value; an integer is a place in an array of tables.
KeyPath = tuple[str | int, ...]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def quote_key(key: str) -> str:
    """A key as TOML writes it, quoted only where it must be."""
    if _BARE_KEY.fullmatch(key):
        return key
    escaped = "".join(f"\\u{ord(c):04x}" if c < " " or c == "\x7f" else "\\" + c if c in '"\\' else c for c in key)
    return f'"{escaped}"'


def dotted(path: KeyPath) -> str:
    """A path as the operator would write it: `domains."example.org".routes[0].transport`."""
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        else:
            text += ("." if text else "") + quote_key(key)
    return text


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """One thing that is wrong (or, as a warning, doubtful) in a config file."""

    file: Path
    #: 1 for the first line; None when the file could not be read that far.
    line: int | None
    #: Dotted path of the table or key; empty for the file as a whole.
    path: str
    message: str
    #: What the operator could do about it; may be empty.
    hint: str = ""

    def __str__(self) -> str:
        place = str(self.file) if self.line is None else f"{self.file}:{self.line}"
        text = f"{place}: {self.path}: {self.message}" if self.path else f"{place}: {self.message}"
        return f"{text} ({self.hint})" if self.hint else text


class ConfigErrors(Exception):
    """The configuration cannot be used; holds everything that is wrong with it."""

    def __init__(self, problems: Sequence[ConfigProblem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


class ChangeRefused(Exception):
    """A change was not made because the file on disk is not what we last loaded (and why)."""


@dataclass(frozen=True, slots=True)
class Remark:
    """A problem that does not know its line yet."""

    path: KeyPath
    message: str
    hint: str = ""


@dataclass(slots=True)
class Report:
    """Collects what the checks find in one file."""

    errors: list[Remark] = field(default_factory=list)
    warnings: list[Remark] = field(default_factory=list)
    _misshapen: set[KeyPath] = field(default_factory=set)

    def misshapen(self, path: KeyPath, message: str, hint: str = "") -> None:
        """A value that is not of its type: a harmless one stands in for it, so nothing below it is judged."""
        self.errors.append(Remark(path, message, hint))
        self._misshapen.add(path)

    def error(self, path: KeyPath, message: str, hint: str = "") -> None:
        """A value that breaks a rule."""
        if self._misshapen and any(path[:n] in self._misshapen for n in range(1, len(path) + 1)):
            return
        self.errors.append(Remark(path, message, hint))

    def warn(self, path: KeyPath, message: str, hint: str = "") -> None:
        """A value that works but is likely not what the operator wants."""
        self.warnings.append(Remark(path, message, hint))
