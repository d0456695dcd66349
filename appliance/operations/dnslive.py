"""Which of the records we want are in the DNS."""

import enum
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

import trio

from appliance.dns.answers import Type
from appliance.dns.problems import LookupProblem, NotFound
from appliance.dns.resolver import Resolver
from appliance.operations.dnsrecords import Wanted

#: For all of a domain's.
SECONDS: Final = 20.0
#: Records of other purposes share a name with ours: only those of the same start are compared.
_PURPOSE: Final = re.compile(r"v=[A-Za-z]+[0-9]*")


class State(enum.StrEnum):
    """What the DNS says about a record."""

    PRESENT = "present"
    MISSING = "missing"
    #: There is another in its place.
    DIFFERENT = "different"
    #: Nobody could tell.
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Live:
    """A record and its state."""

    wanted: Wanted
    state: State
    #: What is there in its place, or why nobody could tell.
    found: tuple[str, ...] = ()


#: The records of a name and type, or why nobody can tell.
Ask = Callable[[str, Type], Awaitable[tuple[str, ...] | str]]


async def compare(resolver: Resolver, wanted: Sequence[Wanted]) -> list[Live]:
    """The states of records, in their order; one question for each name and type. The resolver remembers nothing."""

    async def ask(name: str, kind: Type) -> tuple[str, ...] | str:
        try:
            answer = await resolver.lookup(name, kind)
        except NotFound:
            return ()
        except LookupProblem as problem:
            return str(problem)
        # An absent service is said by the root as its target (RFC 2782), which has no other spelling than the dot.
        return tuple(str(one) for one in answer.records)

    return await compare_by(ask, wanted)


async def compare_by(find: Ask, wanted: Sequence[Wanted]) -> list[Live]:
    """The same, by what somebody else is told."""
    questions = {(one.name, one.type) for one in wanted}
    answers: dict[tuple[str, str], tuple[str, ...] | str] = dict.fromkeys(questions, "no answer in time")

    async def ask(name: str, kind: str) -> None:
        answers[name, kind] = await _values(find, name, kind)

    with trio.move_on_after(SECONDS):
        async with trio.open_nursery() as nursery:
            for question in questions:
                nursery.start_soon(ask, *question)
    return [_live(one, answers[one.name, one.type], wanted) for one in wanted]


async def _values(find: Ask, name: str, kind: str) -> tuple[str, ...] | str:
    try:
        asked = Type(kind)
    except ValueError:
        return f"records of type {kind} are not looked up"
    found = await find(name, asked)
    return found if isinstance(found, str) else tuple(_spelled(one, kind) for one in found)


def _spelled(value: str, kind: str) -> str:
    return f"{value.rstrip('.')}." if kind == "CNAME" else value


def _live(one: Wanted, found: tuple[str, ...] | str, all_wanted: Sequence[Wanted]) -> Live:
    if isinstance(found, str):
        return Live(one, State.UNKNOWN, (found,))
    same = [value for value in found if _purpose(value, one.type) == _purpose(one.value, one.type)]
    if one.value in same:
        return Live(one, State.PRESENT)
    others = {two.value for two in all_wanted if (two.name, two.type) == (one.name, one.type)}
    rest = tuple(value for value in same if value not in others)
    return Live(one, State.DIFFERENT if rest else State.MISSING, rest)


def _purpose(value: str, kind: str) -> str:
    """What a text is for, by its version; of other types all are for the same."""
    if kind != "TXT":
        return ""
    match = _PURPOSE.match(value)
    return match[0].lower() if match else value
