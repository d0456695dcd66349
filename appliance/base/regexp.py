"""Regular expressions whose search takes time in proportion to the text, whatever the text: for what strangers wrote.

The standard library's search tries one way after the other; a few octets of mail can keep it busy for years. This one
follows all ways at once and remembers where they led (an automaton made as it is needed), in the syntax that Python and
RE2 have in common. As in RE2, `\\d`, `\\w`, `\\s` and `\\b` are about ASCII, and `$` is the very end of the text.

`search` answers whether a text matches; `find` also says where, with the groups, and takes longer.
"""

import re
import string
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from re import _constants as ops, _parser  # type: ignore[attr-defined]  # the library's own reader of the syntax
from typing import Any, Final

#: Of the program made of an expression; counted repeats are written out.
MAX_INSTRUCTIONS: Final = 5000
#: Of the reading of an expression: repeats of nothing make no instructions, but take time.
_MAX_VISITS: Final = 20_000
#: What is remembered of one expression: places in states and moves between them, some hundred octets each. Then it is
#: forgotten and begun anew.
_MAX_HELD: Final = 8192
#: For one message and all its expressions: some half a second at the very worst, where next to nothing is usual.
STEPS: Final = 3_000_000

_WORD: Final = frozenset(string.ascii_letters + string.digits + "_")
_DIGITS: Final = frozenset(string.digits)
_SPACES: Final = frozenset(" \t\n\r\f\v")
_CATEGORIES: Final[dict[object, tuple[frozenset[str], bool]]] = {
    ops.CATEGORY_DIGIT: (_DIGITS, True),
    ops.CATEGORY_NOT_DIGIT: (_DIGITS, False),
    ops.CATEGORY_SPACE: (_SPACES, True),
    ops.CATEGORY_NOT_SPACE: (_SPACES, False),
    ops.CATEGORY_WORD: (_WORD, True),
    ops.CATEGORY_NOT_WORD: (_WORD, False),
}
#: What stands before or after a place in the text.
_EDGE, _IN_WORD, _OTHER = 0, 1, 2
_ASSERTIONS: Final[dict[object, Callable[[int, int], bool]]] = {
    ops.AT_BEGINNING: lambda before, after: before == _EDGE,
    ops.AT_BEGINNING_STRING: lambda before, after: before == _EDGE,
    ops.AT_END: lambda before, after: after == _EDGE,
    ops.AT_END_STRING: lambda before, after: after == _EDGE,
    ops.AT_BOUNDARY: lambda before, after: (before == _IN_WORD) != (after == _IN_WORD),
    ops.AT_NON_BOUNDARY: lambda before, after: (before == _IN_WORD) == (after == _IN_WORD),
}
_FLAGS: Final = re.IGNORECASE | re.DOTALL | re.UNICODE


class RegexpError(ValueError):
    """Not an expression of the kind known here, or too large a one. The text is for who wrote it."""


class TooMuchWork(Exception):
    """The budget is used up."""


class Budget:
    """What all searches about one message may cost together, in steps of this machine, not in time."""

    def __init__(self, steps: int = STEPS) -> None:
        self.steps = steps

    def spend(self, steps: int) -> None:
        """Raises TooMuchWork."""
        self.steps -= steps
        if self.steps < 0:
            raise TooMuchWork


class _State:
    """A set of places in the program, and what the last character was."""

    __slots__ = ("before", "moves", "places")

    def __init__(self, places: frozenset[int], before: int) -> None:
        self.places = places
        self.before = before
        #: Where a character leads; None: matched before it.
        self.moves: dict[str, _State | None] = {}


_MATCH: Final = 0
#: Of two ways, `argument` is tried first; a mark remembers the place in the text.
_CHARACTER, _SPLIT, _ASSERT, _MARK = 1, 2, 3, 4
_MATCHED: Final = (_MATCH, None, 0)


@dataclass(frozen=True, slots=True)
class Match:
    """Where an expression was found in a text."""

    text: str
    #: Begin and end of the whole and of each group; -1: not part of the match.
    marks: tuple[int, ...]
    names: Mapping[str, int]

    def group(self, name: str) -> str:
        """The text of a group, by its number or name; empty if it is not part of the match. Raises KeyError."""
        number = int(name) if name.isdecimal() else self.names[name]
        if 2 * number >= len(self.marks):
            raise KeyError(name)
        begin, end = self.marks[2 * number : 2 * number + 2]
        return self.text[begin:end] if begin >= 0 and end >= 0 else ""

    @property
    def begin(self) -> int:
        """Where it begins."""
        return self.marks[0]

    @property
    def end(self) -> int:
        """Where it ends."""
        return self.marks[1]


class Regexp:
    """An expression, ready to search. Made by `compile`."""

    def __init__(self, program: list[tuple[int, Any, int]], start: int, names: Mapping[str, int], groups: int) -> None:
        self._program = program
        self._start = start
        self._names = names
        self._groups = groups
        self._states: dict[tuple[frozenset[int], int], _State] = {}
        self._held = 0

    def search(self, text: str, budget: Budget) -> bool:
        """Whether the text matches anywhere. Raises TooMuchWork."""
        budget.spend(len(text) + 1)
        state = self._state(frozenset((self._start,)), _EDGE)
        for character in text:
            try:
                following = state.moves[character]
            except KeyError:
                following = self._move(state, character, budget)
            if following is None:
                return True
            state = following
        return self._closure(state, _EDGE, budget) is None

    def find(self, text: str, budget: Budget, start: int = 0) -> Match | None:
        """The first match at or after a place, the one that Python's `re` finds. Raises TooMuchWork.

        All ways are followed at once, those that are to be preferred first; each carries its own marks. Strict: unlike
        `re`, a repeat of something that may be empty is not entered once more for nothing.
        """
        found: tuple[int, ...] | None = None
        nothing = (-1,) * (2 * self._groups + 2)
        ways: list[tuple[int, tuple[int, ...]]] = []
        for at in range(start, len(text) + 1):
            if found is None:
                ways.append((self._start, (at, *nothing[1:])))
            if not ways:
                break
            before, after = _kind(text[at - 1 : at]) if at else _EDGE, _kind(text[at : at + 1])
            seen: set[int] = set()
            ready: list[tuple[int, tuple[int, ...]]] = []
            for place, marks in self._followed(ways, at, before, after, seen):
                kind, argument, following = self._program[place]
                if kind == _MATCH:
                    found = (marks[0], at, *marks[2:])
                    break  # What is left is less to be preferred.
                if at < len(text) and argument(text[at]):
                    ready.append((following, marks))
            budget.spend(4 * len(seen) + 1)
            ways = ready
        return None if found is None else Match(text, found, self._names)

    def _followed(
        self, ways: list[tuple[int, tuple[int, ...]]], at: int, before: int, after: int, seen: set[int]
    ) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Where the ways lead without another character, in their order."""
        waiting = ways[::-1]
        while waiting:
            place, marks = waiting.pop()
            if place in seen:
                continue
            seen.add(place)
            kind, argument, following = self._program[place]
            if kind == _SPLIT:
                waiting += [(following, marks), (argument, marks)]
            elif kind == _MARK:
                waiting.append((following, (*marks[:argument], at, *marks[argument + 1 :])))
            elif kind != _ASSERT:
                yield place, marks
            elif argument(before, after):
                waiting.append((following, marks))

    def _move(self, state: _State, character: str, budget: Budget) -> _State | None:
        after = _kind(character)
        closure = self._closure(state, after, budget)
        following = None
        if closure is not None:
            # The beginning is a place at all times: a match may start anywhere.
            places = {place for matches, place in closure if matches(character)}
            following = self._state(frozenset((*places, self._start)), after)
        state.moves[character] = following
        self._held += 1
        return following

    def _closure(self, state: _State, after: int, budget: Budget) -> list[tuple[Callable[[str], bool], int]] | None:
        """The characters that can come next, and where each leads; None when the end is reached without any."""
        found, seen, waiting = [], set(state.places), list(state.places)
        while waiting:
            kind, argument, following = self._program[waiting.pop()]
            if kind == _MATCH:
                return None
            if kind == _CHARACTER:
                found.append((argument, following))
                continue
            if kind == _ASSERT and not argument(state.before, after):
                continue
            for place in (following, argument) if kind == _SPLIT else (following,):
                if place not in seen:
                    seen.add(place)
                    waiting.append(place)
        budget.spend(4 * len(seen))
        return found

    def _state(self, places: frozenset[int], before: int) -> _State:
        key = (places, before)
        if (known := self._states.get(key)) is None:
            if self._held > _MAX_HELD:
                # A search under way keeps the state it is in.
                self._states, self._held = {}, 0
            self._held += len(places)
            known = self._states[key] = _State(places, before)
        return known


@lru_cache(maxsize=256)
def compile(text: str, *, groups: bool = False) -> Regexp:
    """An expression, ready to search. `groups`: `find` shall tell them, which makes it larger. Raises RegexpError."""
    try:
        parsed = _parser.parse(text)
        compiler = _Compiler(groups=groups)
        start = compiler.sequence(parsed, _MATCH, parsed.state.flags)
    except (re.error, RecursionError, OverflowError) as error:
        raise RegexpError(f"is not a valid regular expression: {error}") from error
    names, number = (parsed.state.groupdict, parsed.state.groups - 1) if groups else ({}, 0)
    return Regexp(compiler.program, start, names, number)


def _kind(character: str) -> int:
    """What an assertion sees of a character; of none, the edge of the text."""
    return _EDGE if not character else _IN_WORD if character in _WORD else _OTHER


class _Compiler:
    """Writes the program from its end: each part is told where to go on."""

    def __init__(self, *, groups: bool) -> None:
        self._groups = groups
        self.program: list[tuple[int, Any, int]] = [_MATCHED]
        self._visits = 0

    def add(self, kind: int, argument: Any, following: int) -> int:
        if len(self.program) >= MAX_INSTRUCTIONS * (3 if self._groups else 1):
            raise RegexpError(f"is too large: counted repeats are written out, to {MAX_INSTRUCTIONS} parts at most")
        self.program.append((kind, argument, following))
        return len(self.program) - 1

    def sequence(self, parts: Iterable[Any], following: int, flags: int) -> int:
        if flags & ~_FLAGS & ~re.VERBOSE:
            raise RegexpError("has a flag other than i, s and x")
        for op, argument in reversed(list(parts)):
            self._visits += 1
            if self._visits > _MAX_VISITS:
                raise RegexpError("has too many repeats")
            following = self.part(op, argument, following, flags)
        return following

    def part(self, op: object, argument: Any, following: int, flags: int) -> int:
        if op in {ops.LITERAL, ops.NOT_LITERAL, ops.ANY, ops.IN}:
            return self.add(_CHARACTER, _matcher(op, argument, flags), following)
        if op is ops.AT:
            return self.add(_ASSERT, _ASSERTIONS[argument], following)
        if op is ops.SUBPATTERN:
            group, added, removed, parts = argument
            if group is None or not self._groups:
                return self.sequence(parts, following, (flags | added) & ~removed)
            end = self.add(_MARK, 2 * group + 1, following)
            return self.add(_MARK, 2 * group, self.sequence(parts, end, (flags | added) & ~removed))
        if op is ops.BRANCH:
            *others, last = argument[1]
            start = self.sequence(last, following, flags)
            for one in reversed(others):
                start = self.add(_SPLIT, self.sequence(one, following, flags), start)
            return start
        if op in {ops.MAX_REPEAT, ops.MIN_REPEAT}:
            least, most, parts = argument
            return self.repeat(least, most, parts, following, flags, greedy=op is ops.MAX_REPEAT)
        raise RegexpError("has a part that is not supported (no back-references, no look-around)")

    def repeat(self, least: int, most: Any, parts: Iterable[Any], following: int, flags: int, *, greedy: bool) -> int:
        def split(once_more: int) -> tuple[int, int, int]:
            return (_SPLIT, once_more, following) if greedy else (_SPLIT, following, once_more)

        if most is ops.MAXREPEAT:
            loop = self.add(_SPLIT, following, following)
            self.program[loop] = split(self.sequence(parts, loop, flags))
            start = loop
        else:
            start = following
            for _ in range(most - least):
                self._visits += 1
                start = self.add(*split(self.sequence(parts, start, flags)))
        for _ in range(least):
            self._visits += 1
            if self._visits > _MAX_VISITS:
                raise RegexpError("has too many repeats")
            start = self.sequence(parts, start, flags)
        return start


def _matcher(op: object, argument: Any, flags: int) -> Callable[[str], bool]:
    """Whether one character is meant."""
    if op is ops.ANY:
        return _anything if flags & re.DOTALL else _no_newline
    items = argument if op is ops.IN else [(ops.LITERAL, argument)]
    is_negated = op is ops.NOT_LITERAL or items[0][0] is ops.NEGATE
    characters: set[str] = set()
    ranges: list[tuple[str, str]] = []
    categories: list[tuple[frozenset[str], bool]] = []
    for kind, value in items:
        if kind is ops.LITERAL:
            characters.add(chr(value))
        elif kind is ops.RANGE:
            ranges.append((chr(value[0]), chr(value[1])))
        elif kind is ops.CATEGORY:
            categories.append(_CATEGORIES[value])

    def has(character: str) -> bool:
        return (
            character in characters
            or any(low <= character <= high for low, high in ranges)
            or any((character in members) == wanted for members, wanted in categories)
        )

    if flags & re.IGNORECASE:
        return lambda character: (has(character.lower()) or has(character.upper()) or has(character)) != is_negated
    return lambda character: has(character) != is_negated


def _anything(character: str) -> bool:
    return True


def _no_newline(character: str) -> bool:
    return character != "\n"
