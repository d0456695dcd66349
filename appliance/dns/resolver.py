"""The house's one way to ask the DNS. Where the answers come from is the source's affair: the network, or a table.

This module and the values it hands out do without dnspython, so a house with a table never loads it.
"""

import time
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager, nullcontext
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Final, Literal, Protocol

import trio
from msgspec import structs

from appliance.base.metrics import Histogram
from appliance.dns.answers import CAA, MX, SRV, TLSA, Answer, Type, Vouched
from appliance.dns.problems import Bogus, InvalidName, LookupTimeout, NotAtHand, NotFound, Temporary

#: RFC 1035 §2.3.4.
LABEL_OCTETS: Final = 63
NAME_OCTETS: Final = 253

durations = Histogram(
    "dns_lookup_duration_seconds",
    "Time for a look-up, by who asked, type and outcome.",
    ("pkg", "type", "result"),
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 20, 30),
)


class Source(Protocol):
    """Where answers come from."""

    async def ask(self, name: str, type: Type, *, dnssec: bool) -> Answer[Any]:
        """The records of a valid, lower-case name without final dot, CNAMEs followed (but for type CNAME).

        `dnssec` asks to find out whether the answer is authentic, if that takes work; without it, the answer says so
        only where it costs nothing. Raises NotFound, Temporary and what derives from it.
        """
        ...

    async def watch(self) -> None:
        """Keep up whatever the source needs while the house runs; may return at once."""
        ...


#: The answer to a question when it is known, None when somebody must be asked. Raises as `Source.ask`.
Kept = Callable[[str, Type], Answer[Any] | None]


class Resolver:
    """Look-ups by name.

    Names are ASCII and absolute: the final dot may stand or be left out, there is no search list. Every method raises
    InvalidName, NotFound, Temporary (with LookupTimeout, AliasLoop, Bogus). Time is bounded by the source; callers with
    less patience put a scope around the call. `dnssec=True` is for those who act on `Answer.authentic`.
    """

    def __init__(self, source: Source, *, caller: str = "", kept: Kept | None = None) -> None:
        self._source = source
        self._caller = caller
        self._kept = kept
        #: Whether it is one that `at_hand` made.
        self.is_at_hand = False

    def named(self, caller: str) -> "Resolver":
        """The same resolver, counting for another caller in the metrics."""
        other = Resolver(self._source, caller=caller, kept=self._kept)
        other.is_at_hand = self.is_at_hand
        return other

    def at_hand(self) -> "Resolver | None":
        """The same resolver, but it never waits: it raises NotAtHand where it would have to. None: it knows nothing.

        With most answers known, several look-ups one after the other are cheaper so than side by side.
        """
        if self._kept is None:
            return None
        other = Resolver(_AtHand(self._kept), caller=self._caller)
        other.is_at_hand = True
        return other

    def within(self, seconds: float) -> AbstractContextManager[object]:
        """The scope for look-ups that may take so long, and are given up then; none where nothing waits."""
        return nullcontext() if self.is_at_hand else trio.move_on_after(seconds)

    async def watch(self) -> None:
        """A keeper task of the house."""
        await self._source.watch()

    async def lookup(self, name: str, type: Type, *, dnssec: bool = False) -> Answer[Any]:
        """The records of a type, for those who choose it at run time."""
        began = time.perf_counter()
        result: str | None = "canceled"
        try:
            answer = await self._source.ask(normal_name(name), type, dnssec=dnssec)
            result = "ok"
            return answer
        except NotFound as problem:
            result = "nodata" if problem.exists else "nxdomain"
            raise
        except LookupTimeout:
            result = "timeout"
            raise
        except Bogus:
            result = "bogus"
            raise
        except Temporary:
            result = "temporary"
            raise
        except NotAtHand:
            result = None
            raise
        except (InvalidName, Exception):
            result = "error"
            raise
        finally:
            if result is not None:
                durations.labels(self._caller, type.value, result).observe(time.perf_counter() - began)

    async def a(self, name: str, *, dnssec: bool = False) -> Answer[IPv4Address]:
        """IPv4 addresses."""
        return await self.lookup(name, Type.A, dnssec=dnssec)

    async def aaaa(self, name: str, *, dnssec: bool = False) -> Answer[IPv6Address]:
        """IPv6 addresses."""
        return await self.lookup(name, Type.AAAA, dnssec=dnssec)

    async def addresses(
        self, name: str, *, family: Literal[4, 6] | None = None, dnssec: bool = False
    ) -> Answer[IPv4Address | IPv6Address]:
        """Addresses of one family or both, IPv6 first as the default policy of RFC 6724 §2.1 has it.

        Both families are asked at once. One with addresses is enough; NotFound means that neither has any, for sure.
        """
        if family == 4:
            return await self.a(name, dnssec=dnssec)
        if family == 6:
            return await self.aaaa(name, dnssec=dnssec)
        six, four = await _both(
            lambda: self.aaaa(name, dnssec=dnssec),
            lambda: self.a(name, dnssec=dnssec),
        )
        if isinstance(six, Answer) and isinstance(four, Answer):
            return Answer(
                six.name,
                (*six.records, *four.records),
                _weaker(six.vouched, four.vouched),
                ttl_seconds=min((ttl for ttl in (six.ttl_seconds, four.ttl_seconds) if ttl is not None), default=None),
                aliases=six.aliases,
            )
        found, missing = (six, four) if isinstance(six, Answer) else (four, six)
        if isinstance(found, Answer):
            if isinstance(missing, NotFound):  # Who hides one family forges the set of addresses.
                return structs.replace(found, vouched=_weaker(found.vouched, missing.vouched))
            return found
        # Neither: a temporary failure of one leaves the question open.
        assert isinstance(six, Exception)
        assert isinstance(four, Exception)
        raise six if not isinstance(six, NotFound) else four

    async def mx(self, name: str, *, dnssec: bool = False) -> Answer[MX]:
        """Mail exchanges, in the order they came: whoever delivers sorts by preference and shuffles equals."""
        return await self.lookup(name, Type.MX, dnssec=dnssec)

    async def txt(self, name: str, *, dnssec: bool = False) -> Answer[str]:
        """Texts, the strings of each record joined (RFC 7208 §3.3). Octets that are no UTF-8 are read as Latin-1."""
        return await self.lookup(name, Type.TXT, dnssec=dnssec)

    async def ptr(self, address: IPv4Address | IPv6Address, *, dnssec: bool = False) -> Answer[str]:
        """The names of an address (RFC 1035 §3.5, RFC 3596 §2.5)."""
        return await self.lookup(address.reverse_pointer, Type.PTR, dnssec=dnssec)

    async def cname(self, name: str, *, dnssec: bool = False) -> Answer[str]:
        """The one name this name is an alias of; NotFound if it is none."""
        return await self.lookup(name, Type.CNAME, dnssec=dnssec)

    async def ns(self, name: str, *, dnssec: bool = False) -> Answer[str]:
        """The name servers of a zone."""
        return await self.lookup(name, Type.NS, dnssec=dnssec)

    async def srv(self, name: str, *, dnssec: bool = False) -> Answer[SRV]:
        """Where a service is: name is `_service._proto.domain` (RFC 2782)."""
        return await self.lookup(name, Type.SRV, dnssec=dnssec)

    async def caa(self, name: str) -> Answer[CAA]:
        """Who may certify this name; records of the names above count where it has none (RFC 8659 §3)."""
        return await self.lookup(name, Type.CAA)

    async def tlsa(self, name: str) -> Answer[TLSA]:
        """Certificate associations of `_port._tcp.host`; worthless unless authentic (RFC 6698 §4.1)."""
        return await self.lookup(name, Type.TLSA, dnssec=True)


class _AtHand:
    """A source of what is known."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept

    async def ask(self, name: str, type: Type, *, dnssec: bool) -> Answer[Any]:
        """See Source."""
        # Whether DNSSEC vouches is found out by asking.
        answer = None if dnssec else self._kept(name, type)
        if answer is None:
            raise NotAtHand
        return answer

    async def watch(self) -> None:
        """Nothing."""


def normal_name(name: str) -> str:
    """Lower-case, without the final dot. Raises InvalidName."""
    normal = name[:-1] if name.endswith(".") else name
    if not normal:
        if name == ".":
            return ""
        raise InvalidName("an empty name")
    if len(normal) > NAME_OCTETS or not normal.isascii():
        raise InvalidName(f"not a domain name: {name[:100]!r}")
    if not all(0 < len(label) <= LABEL_OCTETS for label in normal.split(".")):
        raise InvalidName(f"a label is empty or too long: {name[:100]!r}")
    return normal.lower()


def _weaker(one: Vouched, other: Vouched) -> Vouched:
    return other if one is not Vouched.NOBODY else one


_Outcome = Answer[IPv6Address] | Answer[IPv4Address] | NotFound | Temporary


async def _both(
    six: Callable[[], Coroutine[Any, Any, Answer[IPv6Address]]],
    four: Callable[[], Coroutine[Any, Any, Answer[IPv4Address]]],
) -> tuple[_Outcome, _Outcome]:
    """Outcomes of two look-ups made at the same time."""
    outcomes: list[_Outcome | None] = [None, None]

    async def run(at: int, lookup: Callable[[], Coroutine[Any, Any, _Outcome]]) -> None:
        try:
            outcomes[at] = await lookup()
        except (NotFound, Temporary) as problem:
            outcomes[at] = problem

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, 0, six)
        await run(1, four)
    first, second = outcomes
    assert first is not None
    assert second is not None
    return first, second
