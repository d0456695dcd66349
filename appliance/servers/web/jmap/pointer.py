"""JSON Pointer (RFC 6901) as JMAP extends it by `*` (RFC 8620 §3.7), and the size of JSON values."""

import re
from collections.abc import Callable
from typing import Any, Final

from appliance.base import limits

#: Stands for all values of an array.
EVERY: Final = "*"
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,9}")
_ESCAPE: Final = re.compile(r"~(?![01])")


class NoSuchValue(Exception):
    """A pointer leads nowhere, or a value is not to be taken; the text says why."""


def tokens_of(path: str) -> list[str]:
    """The reference tokens of a pointer (RFC 6901 §4). Raises NoSuchValue."""
    if not path:
        return []
    if not path.startswith("/"):
        raise NoSuchValue("a path begins with /")
    tokens = path[1:].split("/")
    if len(tokens) > limits.JMAP_DEPTH:
        raise NoSuchValue("the path is too long")
    if _ESCAPE.search(path):
        raise NoSuchValue("~ stands for itself only as ~0")
    return [one.replace("~1", "/").replace("~0", "~") for one in tokens]


def find(value: Any, path: str, most: int) -> Any:
    """What a pointer leads to, in at most so many steps. Raises NoSuchValue."""
    return _Walk(most).find(value, tokens_of(path), 0)


class _Walk:
    def __init__(self, most: int) -> None:
        self._left = most

    def find(self, value: Any, tokens: list[str], at: int) -> Any:
        for index, token in enumerate(tokens[at:], at):
            self._left -= 1
            if self._left < 0:
                raise NoSuchValue("the path leads to too much")
            if isinstance(value, dict):
                if token not in value:
                    raise NoSuchValue("the path leads nowhere")
                value = value[token]
            elif isinstance(value, list | tuple):
                if token == EVERY:
                    return self._every(value, tokens, index + 1)
                if not _INDEX.fullmatch(token) or int(token) >= len(value):
                    raise NoSuchValue("the path leads nowhere")
                value = value[int(token)]
            else:
                raise NoSuchValue("the path leads nowhere")
        return value

    def _every(self, values: list[Any] | tuple[Any, ...], tokens: list[str], at: int) -> list[Any]:
        """What the rest leads to from every value; of arrays their values."""
        found: list[Any] = []
        for one in values:
            below = self.find(one, tokens, at)
            if isinstance(below, list | tuple):
                self._left -= len(below)
                found.extend(below)
            else:
                found.append(below)
            if self._left < 0:
                raise NoSuchValue("the path leads to too much")
        return found


def measure(value: Any, most: int, check: Callable[[object], None] | None = None) -> int:
    """How many values are in a value, itself included. Raises NoSuchValue beyond `most`, and where it is too deep.

    `check` sees every text and number, names of members too. One value may be there many times, and counts as often.
    """
    count = 0
    depth = 0
    level = [value]
    while level:
        count += len(level)
        if count > most:
            raise NoSuchValue("these are too many values")
        if depth > limits.JMAP_DEPTH:
            raise NoSuchValue("it is nested too deep")
        below: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                if check is not None:
                    for name in one:
                        check(name)
                below.extend(one.values())
            elif isinstance(one, list | tuple):
                below.extend(one)
            elif check is not None:
                check(one)
            if count + len(below) > most:
                raise NoSuchValue("these are too many values")
        level = below
        depth += 1
    return count
