"""Command `mtasts lookup`: the MTA-STS policy of a domain. No server needs to run."""

import trio

from appliance.base.clock import SystemClock
from appliance.cli import lookup as lookups, output
from appliance.cli.main import OK, Failed, Invocation, UsageError
from appliance.dns.problems import LookupProblem
from appliance.dns.resolver import Resolver
from appliance.mail.domain import Domain, DomainError, parse_domain
from appliance.mail.mtasts import MTASTSError, Policy, parse_record
from appliance.tls import mtasts, roots
from appliance.tls.context import client_context
from appliance.tls.verify import Roots

#: Where policies are; None: the port of HTTPS.
PORT: int | None = None


def lookup(invocation: Invocation) -> int:
    """The record and the policy (L: mtasts lookup)."""
    try:
        domain = parse_domain(invocation.arguments[0].removesuffix("."))
    except DomainError as error:
        raise UsageError(f"{invocation.arguments[0]}: {error}") from error
    clock = SystemClock()
    resolver = Resolver(lookups.network(invocation, clock), caller="cli")
    client = mtasts.client(resolver, client_context(), Roots(roots.of_system()), clock.now)
    record = _record(resolver, domain)
    url = str(mtasts.url(domain, PORT))
    try:
        policy, octets = trio.run(lambda: mtasts.fetch(client, domain, port=PORT))
    except mtasts.Unavailable as error:
        if not invocation.given("json"):
            print(record, f"\n{url}")
        raise Failed(f"the policy cannot be had: {error.result}, {error.reason}") from error
    lines = [record, "", url, *octets.decode().splitlines()]
    output.show(invocation, _document(domain, record, url, policy), lines)
    return OK


def _record(resolver: Resolver, domain: Domain) -> str:
    try:
        found = trio.run(mtasts.records, resolver, domain)
    except LookupProblem as problem:
        raise Failed(str(problem)) from problem
    if len(found) != 1:
        raise Failed(f"{domain} has {len(found) or 'no'} MTA-STS records{': only one may be' * bool(found)}")
    try:
        parse_record(found[0])
    except MTASTSError as error:
        raise Failed(f"{found[0]!r} {error}") from error
    return found[0]


def _document(domain: Domain, record: str, url: str, policy: Policy) -> dict[str, object]:
    return {
        "domain": str(domain),
        "record": record,
        "id": parse_record(record),
        "url": url,
        "mode": policy.mode,
        "max_age_seconds": policy.max_age_seconds,
        "mx": list(policy.patterns),
        "policy": list(policy.lines),
    }
