"""Publishes the records that a domain needs at its name server, if that takes changes from us.

Only what the server itself has counts, so that nobody waits for caches. What is not ours stays: of records that are
one for each purpose (a policy in a text, an alias) ours takes the place of another, and the plan says so; of all others
ours are put beside what is there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from appliance.config.addresses import DomainEntry
from appliance.config.source import Config
from appliance.config.static import DNSUpdate
from appliance.dns.answers import Type
from appliance.dns.problems import UpdateFailed
from appliance.mail.domain import DomainError, parse_domain
from appliance.operations import dnslive
from appliance.operations.dnslive import Live, State
from appliance.operations.dnsrecords import TTL_SECONDS, Wanted

if TYPE_CHECKING:
    from appliance.dns.update import Updater


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done about a record, or why nothing is."""

    wanted: Wanted
    #: What it takes the place of, as the server has it.
    instead_of: tuple[str, ...] = ()
    #: Others of its name and type, which stay.
    beside: tuple[str, ...] = ()
    #: Why it is left to the operator; empty: it is not.
    why_not: str = ""
    #: The server did not say what is there.
    is_unknown: bool = False


def settings(config: Config, entry: DomainEntry) -> DNSUpdate | None:
    """Where records of a domain are changed; None: nowhere."""
    for name, found in config.static.dns_updates.items():
        try:
            if parse_domain(name) == entry.domain:
                return found
        except DomainError:
            continue
    return None


async def plan(updater: "Updater", entry: DomainEntry, wanted: Sequence[Wanted]) -> list[Step]:
    """What is to be done so that all wanted records are there; nothing about those that are."""

    async def ask(name: str, kind: Type) -> tuple[str, ...] | str:
        try:
            return await updater.values(name, kind)
        except UpdateFailed as problem:
            return str(problem)

    own = [one for one in wanted if _is_below(one.name, entry.domain.ascii)]
    steps = [_step(one) for one in await dnslive.compare_by(ask, own) if one.state is not State.PRESENT]
    others = [one for one in wanted if one not in own]
    return [*steps, *(Step(one, why_not=f"it is not below {entry.domain}") for one in others)]


def _is_below(name: str, domain: str) -> bool:
    return name == domain or name.endswith(f".{domain}")


def _step(live: Live) -> Step:
    wanted = live.wanted
    if live.state is State.UNKNOWN:
        return Step(wanted, why_not="; ".join(live.found), is_unknown=True)
    if live.state is State.MISSING:
        return Step(wanted)
    if wanted.type in {"TXT", "CNAME"}:
        return Step(wanted, instead_of=live.found)
    if wanted.type == "SRV" and wanted.value.endswith(" ."):
        # It would say that there is no such service, beside one that there is (RFC 2782).
        return Step(wanted, why_not=f"there is {', '.join(live.found)}")
    return Step(wanted, beside=live.found)


async def apply(updater: "Updater", entry: DomainEntry, steps: Sequence[Step]) -> list[Step]:
    """Do it; what could not be done, and why. A server that takes a change and keeps it not is found out."""
    failed = []
    for step in steps:
        if step.why_not:
            failed.append(step)
            continue
        one = step.wanted
        # Of texts and aliases as the server spells them: those have their final dot on our side only.
        instead_of = [value.removesuffix(".") if one.type == "CNAME" else value for value in step.instead_of]
        try:
            await updater.put(
                one.name, Type(one.type), one.data.strip("()"), instead_of=instead_of, ttl_seconds=TTL_SECONDS
            )
        except UpdateFailed as problem:
            failed.append(Step(one, why_not=str(problem)))
    done = [step.wanted for step in steps if step.wanted not in [one.wanted for one in failed]]
    left = await plan(updater, entry, done)
    # RFC 2136 §3.4.2.2: an alias does not come beside other records, nor these beside an alias, without an error.
    return [*failed, *(Step(one.wanted, why_not=one.why_not or "the server did not keep it") for one in left)]
