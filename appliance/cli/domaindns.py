"""Commands about a domain's DNS: which records it needs, whether they are there and right, what mail programs need."""

from typing import Any, Final

import trio

from appliance.base.clock import SystemClock
from appliance.base.ids import SystemRandom
from appliance.cli import lookup, output
from appliance.cli.configuration import load_config
from appliance.cli.main import FAILED, OK, Failed, Invocation, UsageError
from appliance.config.addresses import DomainEntry
from appliance.config.source import Config
from appliance.dns.resolver import Resolver
from appliance.mail.domain import DomainError, parse_domain
from appliance.operations import clientsettings, dnslive, dnspublish, dnsrecords, domaincheck, hostfacts
from appliance.operations.dnslive import Live, State
from appliance.operations.dnspublish import Step
from appliance.operations.dnsrecords import Section, Wanted
from appliance.operations.domaincheck import Area, Subject
from appliance.tls import roots

_FORMATS: Final = ("bind", "json", "list")
_SIGNS: Final = {State.PRESENT: " ", State.MISSING: "+", State.DIFFERENT: "!", State.UNKNOWN: "?"}


def _of(invocation: Invocation) -> tuple[Config, DomainEntry]:
    """The configuration, with its DKIM keys, and the domain asked about."""
    config = hostfacts.with_keys(load_config(invocation))
    try:
        domain = parse_domain(invocation.arguments[0].removesuffix("."))
    except DomainError as error:
        raise UsageError(f"{invocation.arguments[0]}: {error}") from error
    entry = config.derived.addresses.domains.get(domain.ascii)
    if entry is None:
        names = ", ".join(sorted(config.domains.domains)) or "none"
        raise Failed(f"{domain} is not configured; there are: {names}")
    return config, entry


def _resolver(invocation: Invocation) -> Resolver:
    return Resolver(lookup.network(invocation, SystemClock()), caller="cli")


def records(invocation: Invocation) -> int:
    """The records that a domain needs (L: config dnsrecords)."""
    wanted = invocation.text("format") or ("json" if invocation.given("json") else "bind")
    if wanted not in _FORMATS:
        raise UsageError(f"--format: one of {', '.join(_FORMATS)}\nusage: {invocation.command.usage}")
    config, entry = _of(invocation)
    resolver = _resolver(invocation)
    if invocation.given("apply"):
        return _apply(invocation, config, entry, resolver)
    if invocation.given("yes"):
        raise UsageError(f"--yes: only with --apply\nusage: {invocation.command.usage}")

    async def find() -> tuple[list[Section], list[Live]]:
        sections = dnsrecords.sections(config, entry, await hostfacts.facts(config, resolver))
        compared = [one for section in sections for one in section.records if one.active]
        return sections, await dnslive.compare(resolver, compared) if invocation.given("diff") else []

    sections, live = trio.run(find)
    if invocation.given("diff"):
        return _show_difference(invocation, live)
    if wanted == "bind":
        print(dnsrecords.zone(sections, entry.domain), end="")
    elif wanted == "list":
        for section in sections:
            for one in section.records:
                if one.active:
                    print(f"{one.name}\t{one.type}\t{one.value}")
    else:
        output.print_json([_section(one) for one in sections])
    return OK


def _apply(invocation: Invocation, config: Config, entry: DomainEntry, resolver: Resolver) -> int:
    settings = dnspublish.settings(config, entry)
    if settings is None:
        raise Failed(f"no name server is configured for changes of {entry.domain}: dns_updates in the configuration")
    from appliance.dns import update  # It brings a library that other commands need not load.

    try:
        updater = update.configured(settings, config.directory)
    except (OSError, ValueError) as error:
        raise Failed(f"the key of {entry.domain} cannot be read: {error}") from error

    async def run() -> tuple[list[Step], list[Step]]:
        sections = dnsrecords.sections(config, entry, await hostfacts.facts(config, resolver))
        wanted = [one for section in sections for one in section.records if one.active]
        steps = await dnspublish.plan(updater, entry, wanted)
        if not invocation.given("yes"):
            return steps, []
        return steps, await dnspublish.apply(updater, entry, steps)

    steps, failed = trio.run(run)
    changes = [step for step in steps if not step.why_not]
    lines = []
    for step in steps:
        one = step.wanted
        lines.append(f"{'?' if step.why_not else '+'} {one.name}. {one.type} {one.data}")
        lines += [f"    {step.why_not}"] if step.why_not else []
        lines += [f"    in place of: {value}" for value in step.instead_of]
        lines += [f"    beside: {value}" for value in step.beside]
    if invocation.given("yes"):
        problems = [step for step in failed if step.wanted in [one.wanted for one in changes]]
        lines += [f"failed: {step.wanted.name}. {step.wanted.type}: {step.why_not}" for step in problems]
        lines.append(f"{len(changes) - len(problems)} of {len(changes)} records published (? left to you)")
    else:
        problems = changes
        lines.append(f"{len(changes)} records to publish (? left to you); nothing is changed without --yes")
    document = [
        _wanted(step.wanted)
        | {"instead_of": list(step.instead_of), "beside": list(step.beside), "why_not": step.why_not or None}
        for step in steps
    ]
    output.show(invocation, {"steps": document, "failed": [_wanted(one.wanted) for one in problems]}, lines)
    unsure = any(step.is_unknown for step in steps)
    return FAILED if problems or unsure else OK


def _show_difference(invocation: Invocation, live: list[Live]) -> int:
    lines = []
    for one in live:
        lines.append(f"{_SIGNS[one.state]} {one.wanted.name}. {one.wanted.type} {one.wanted.data}")
        lines += [f"    {'instead: ' if one.state is State.DIFFERENT else ''}{text}" for text in one.found]
    absent = sum(one.state is not State.PRESENT for one in live)
    needed = any(one.state is not State.PRESENT and not one.wanted.optional for one in live)
    lines.append(f"{len(live) - absent} of {len(live)} records are there (+ missing, ! different, ? not found out)")
    document = [_wanted(one.wanted) | {"state": one.state.value, "found": list(one.found)} for one in live]
    output.show(invocation, document, lines)
    return FAILED if needed else OK


def _section(one: Section) -> dict[str, Any]:
    return {
        "title": one.title,
        "comment": list(one.comment),
        "of_host": one.of_host,
        "records": [_wanted(record) for record in one.records],
    }


def _wanted(one: Wanted) -> dict[str, Any]:
    return {"name": one.name, "type": one.type, "value": one.value, "optional": one.optional, "active": one.active}


def check(invocation: Invocation) -> int:
    """What the world sees of a domain (L: config dnscheck)."""
    config, entry = _of(invocation)
    clock = SystemClock()
    resolver = _resolver(invocation)

    async def run() -> dict[str, Area]:
        facts = await hostfacts.facts(config, resolver)
        believed = await trio.to_thread.run_sync(roots.configured, config.static.tls.ca, config.directory)
        means = hostfacts.means(resolver, believed, clock, SystemRandom())
        return await domaincheck.check(Subject(config=config, entry=entry, facts=facts, means=means))

    found = trio.run(run)
    output.show(invocation, {name: _area(area) for name, area in found.items()}, _told(found))
    wrong = any(area.errors or (area.warnings and invocation.given("strict")) for area in found.values())
    return FAILED if wrong else OK


def _area(area: Area) -> dict[str, Any]:
    return {
        "title": area.title,
        "errors": area.errors,
        "warnings": area.warnings,
        "details": area.details,
        "instructions": area.instructions,
        "records": [_wanted(one) for one in area.records],
    }


def _told(found: dict[str, Area]) -> list[str]:
    """Only where something is to be said."""
    lines = []
    for area in found.values():
        if not area.errors and not area.warnings:
            continue
        lines += ["", area.title]
        lines += [f"  error: {text}" for text in area.errors]
        lines += [f"  warning: {text}" for text in area.warnings]
        lines += [f"  {text}" for text in area.instructions]
        if area.records:
            lines.append("  records as they should be:")
            lines += [f"    {one.name}. {one.type} {one.data}" for one in area.records]
    fine = [area.title for area in found.values() if not area.errors and not area.warnings]
    return [*lines[1:], *([""] if lines else []), f"in order: {', '.join(fine) or 'nothing'}"]


def client_config(invocation: Invocation) -> int:
    """What users enter in their mail programs (L: clientconfig)."""
    config, entry = _of(invocation)
    servers = clientsettings.servers(config.static, entry)
    rows = [
        {
            "protocol": clientsettings.PROTOCOLS[server.kind, server.socket],
            "host": server.host,
            "port": server.port,
            "listener": server.listener,
            "note": clientsettings.NOTES[server.socket],
        }
        for server in servers
    ]
    lines = output.columns(
        [["protocol", "host", "port", "listener", "note"], *([str(v) for v in row.values()] for row in rows)]
    )
    lines += [
        "",
        "The user name is the full address. Choose the strongest mechanism that the program knows (SCRAM-SHA-256-PLUS,",
        "SCRAM-SHA-256, ...) and do not let it fall back: then nobody on the way can ask for the password itself.",
    ]
    output.show(invocation, rows, lines)
    return OK
