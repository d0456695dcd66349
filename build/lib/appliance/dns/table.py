"""Answers from a table, for tests and for a house that must not need a network.

A table is one made-up zone at the root: names, wildcards (RFC 4592) and CNAMEs mean what they mean in the DNS.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from appliance.dns.answers import Answer, Record, Type, Vouched
from appliance.dns.problems import AliasLoop, Bogus, NotFound, Temporary

#: CNAMEs in a row.
ALIASES: Final = 10

Question = tuple[str, Type]


class Table:
    """A source for `Resolver`: records by name and type. `*.example.org` is a wildcard, `*` alone is that of the root.

    `failing` and `bogus` are questions that have no answer. `authentic` says which answers DNSSEC vouches for: all,
    none, or those of some names; a denial counts by the name that was asked.
    """

    def __init__(
        self,
        records: Mapping[str, Mapping[Type, Sequence[Record]]],
        *,
        failing: Collection[Question] = (),
        bogus: Collection[Question] = (),
        authentic: bool | Collection[str] = False,
    ) -> None:
        self._records = {name.lower().removesuffix("."): dict(types) for name, types in records.items()}
        self._failing = frozenset(failing)
        self._bogus = frozenset(bogus)
        self._authentic = authentic
        #: Every name there is, those without records above others included (RFC 4592 §2.2.2).
        self._names = {parent for name in self._records for parent in _parents(name)}

    async def ask(self, name: str, type: Type, *, dnssec: bool) -> Answer[Any]:
        """See Source."""
        return self.answer(name, type)

    async def watch(self) -> None:
        """A table needs nothing."""

    def answer(self, name: str, type: Type) -> Answer[Any]:
        """As `ask`, at once."""
        at, aliases = name, list[str]()
        vouched = Vouched.RESOLVER
        while True:
            if (at, type) in self._failing:
                raise Temporary(f"no answer for {type} of {at}")
            if (at, type) in self._bogus:
                raise Bogus(f"bad signature on {type} of {at}")
            if not self._vouches(at):
                vouched = Vouched.NOBODY
            types = self._find(at)
            if types is None or (type not in types and Type.CNAME not in types):
                raise NotFound(at, type.value, exists=types is not None, vouched=vouched, aliases=tuple(aliases))
            if type in types:
                return Answer(name, tuple(types[type]), vouched, aliases=tuple(aliases))
            at = str(types[Type.CNAME][0])
            if len(aliases) == ALIASES:
                raise AliasLoop(f"more than {ALIASES} CNAMEs from {name}")
            aliases.append(at)

    def _find(self, name: str) -> Mapping[Type, Sequence[Record]] | None:
        """The records of a name, None when it does not exist."""
        if name in self._names:
            return self._records.get(name, {})
        closest = name
        while closest not in self._names and closest:
            closest = closest.partition(".")[2]
        return self._records.get(f"*.{closest}" if closest else "*")

    def _vouches(self, name: str) -> bool:
        return self._authentic if isinstance(self._authentic, bool) else name in self._authentic


def _parents(name: str) -> list[str]:
    """The name and all above it but the root."""
    labels = name.split(".")
    return [".".join(labels[at:]) for at in range(len(labels))]
