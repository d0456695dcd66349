"""Commands about reports of others: dmarc and tlsrpt parsereportmsg, tlsrpt lookup. No server needs to run."""

import json
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import msgspec
import trio

from appliance.base.clock import SystemClock
from appliance.base.limits import REPORT, SCAN
from appliance.cli import alone, lookup, output, remote
from appliance.cli.main import FAILED, OK, Failed, Invocation, UsageError
from appliance.dns.answers import Answer
from appliance.dns.problems import LookupProblem
from appliance.dns.resolver import Resolver
from appliance.mail import dmarcreport, scan, tlsreport
from appliance.mail.dmarcreport import DMARCReport
from appliance.mail.domain import Domain, DomainError, parse_domain
from appliance.mail.part import Part
from appliance.mail.reportfile import ReportError, ReportLimits

T = TypeVar("T")

#: For the record with all its look-ups.
SECONDS: Final = 30.0


def parse_dmarc(invocation: Invocation) -> int:
    """Show the DMARC reports in messages (L: dmarc parsereportmsg)."""
    found, code = _read(invocation, dmarcreport.read)
    documents = [{"file": name, **_plain(report)} for name, report in found]
    output.show(invocation, documents, (line for name, report in found for line in _lines(name, report)))
    return code


def parse_tls(invocation: Invocation) -> int:
    """Print the TLS reports in messages as JSON, each by itself (L: tlsrpt parsereportmsg)."""
    found, code = _read(invocation, tlsreport.read)
    for _, report in found:
        print(json.dumps(tlsreport.document(report), indent=2, ensure_ascii=False))
    return code


def add_dmarc(invocation: Invocation) -> int:
    """Keep the DMARC report in the message on standard input."""
    return _add(invocation, "dmarc", invocation.arguments[0])


def add_tls(invocation: Invocation) -> int:
    """The same of a TLS report."""
    return _add(invocation, "tls", "")


def _add(invocation: Invocation, kind: str, sender: str) -> int:
    octets = sys.stdin.buffer.read(REPORT.mail_octets + 1)
    try:
        new = remote.call(invocation, "addreport", kind=kind, sender=sender, stream=[octets])
    except remote.NoServer:
        from appliance.operations import reported
        from appliance.store.report import Kind

        with alone.house(invocation) as app:
            which = Kind.DMARC if kind == "dmarc" else Kind.TLS
            add = partial(reported.add, app.store, app.config.snapshot(), app.clock.now(), which, octets, sender)
            new = trio.run(add)
    print("the report is kept" if new else "the report is known already")
    return OK


def send_dmarc(invocation: Invocation) -> int:
    """Send DMARC reports that are owed."""
    return _send(invocation, "dmarc")


def send_tls(invocation: Invocation) -> int:
    """Send TLS reports that are owed."""
    return _send(invocation, "tls")


def _send(invocation: Invocation, kind: str) -> int:
    domains: list[str] = remote.call(invocation, "sendreports", kind=kind)
    output.show(invocation, domains, domains or ["nothing is to be reported"])
    return OK


def _read(invocation: Invocation, read: Callable[[Part, bytes, ReportLimits], T]) -> tuple[list[tuple[str, T]], int]:
    """The reports by their files; what cannot be read is told and makes the command fail, but only at the end."""
    found: list[tuple[str, T]] = []
    code = OK
    for name in invocation.arguments:
        try:
            octets = Path(name).read_bytes()
            found.append((name, read(scan.scan(octets, SCAN).root, octets, REPORT)))
        except OSError as error:
            print(f"error: {name}: {error.strerror}", file=sys.stderr)
            code = FAILED
        except ReportError as error:
            print(f"error: {name}: {error}", file=sys.stderr)
            code = FAILED
    return found, code


def _plain(report: DMARCReport) -> dict[str, object]:
    return {field: _value(value) for field, value in msgspec.structs.asdict(report).items()}


def _value(value: object) -> object:
    if isinstance(value, msgspec.Struct):
        return {name: _value(one) for name, one in msgspec.structs.asdict(value).items()}
    return [_value(one) for one in value] if isinstance(value, tuple) else value


def _lines(name: str, report: DMARCReport) -> Iterator[str]:
    policy = report.policy
    tags = [
        *(("p", policy.policy), ("sp", policy.subdomain_policy), ("np", policy.nonexistent_policy)),
        *(("adkim", policy.dkim_alignment), ("aspf", policy.spf_alignment), ("pct", str(policy.percentage))),
    ]
    yield f"{name}: report {report.report_id or 'without id'} of {report.organization or 'somebody'} <{report.email}>"
    yield f"  from {report.begin:%Y-%m-%d %H:%M:%S} to {report.end:%Y-%m-%d %H:%M:%S} UTC"
    yield f"  about {policy.domain}: " + "; ".join(f"{tag}={value}" for tag, value in tags if value)
    yield from (f"  error: {error}" for error in report.errors)
    total = sum(record.count for record in report.records)
    failed = sum(record.count for record in report.records if "pass" not in {record.dkim, record.spf})
    yield f"  {total} messages, {failed} of them failed DMARC"
    for record in report.records:
        yield (
            f"  - {record.source_ip}, {record.count} from {record.header_from}: "
            f"dkim {record.dkim or '-'}, spf {record.spf or '-'}, disposition {record.disposition or '-'}"
        )
        yield from (f"    because: {reason.type} {reason.comment}".rstrip() for reason in record.reasons)
        for signature in record.dkim_auth:
            yield f"    dkim {signature.domain} {signature.selector} {signature.result}".rstrip()
        yield from (f"    spf {' '.join(filter(None, (one.domain, one.scope, one.result)))}" for one in record.spf_auth)


def lookup_tls(invocation: Invocation) -> int:
    """The record that asks for TLS reports about a domain (L: tlsrpt lookup)."""
    try:
        domain = parse_domain(invocation.arguments[0].removesuffix("."))
    except DomainError as error:
        raise UsageError(f"{invocation.arguments[0]}: {error}") from error
    try:
        answer = trio.run(_records, Resolver(lookup.network(invocation, SystemClock()), caller="cli"), domain)
    except LookupProblem as problem:
        raise Failed(str(problem)) from problem
    texts = [text for text in answer.records if tlsreport.is_record(text)]
    if len(texts) != 1:  # RFC 8460 §3
        raise Failed(f"{domain} has {len(texts) or 'no'} TLSRPT records{': only one may be' * bool(texts)}")
    try:
        record = tlsreport.parse_record(texts[0])
    except tlsreport.TLSRPTRecordError as error:
        raise Failed(f"{texts[0]!r} {error}") from error
    document = {
        "domain": str(domain),
        "record": texts[0],
        "addresses": list(record.addresses),
        "authentic": answer.authentic,
    }
    who = "with" if answer.authentic else "without"
    output.show(invocation, document, [texts[0], *(f"- {one}" for one in record.addresses), f"({who} dnssec)"])
    return OK


async def _records(resolver: Resolver, domain: Domain) -> Answer[str]:
    with trio.move_on_after(SECONDS):
        return await resolver.txt(f"_smtp._tls.{domain.ascii}", dnssec=True)
    raise Failed(f"no answer in {SECONDS:g} s")
