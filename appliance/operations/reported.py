"""What others report about us, and what we are to report about them: looked at, and forgotten."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

import trio

from appliance.base.limits import HEADER, REPORT, SCAN
from appliance.base.problem import Kind as Trouble, Problem
from appliance.config.source import Config
from appliance.delivery import intake
from appliance.delivery.appliance import Appliance
from appliance.delivery.intake import Accepted
from appliance.dns.problems import LookupProblem
from appliance.mail import header, scan
from appliance.mail.address import AddressError, sole_from
from appliance.mail.dmarcreport import DMARCReport
from appliance.mail.domain import Domain, DomainError, parse_domain
from appliance.mail.tlsreport import TLSReport
from appliance.reports import tlsrptrecord
from appliance.reports.tlsrptrecord import NoRecord
from appliance.store import evaluation, policy, report, tlsresult
from appliance.store.evaluation import Evaluation
from appliance.store.policy import KnownPolicy
from appliance.store.report import Kind, Received
from appliance.store.store import Store
from appliance.store.tlsresult import TLSResult, Which
from appliance.store.transaction import ReadTx

T = TypeVar("T")

#: Reports of one domain that are looked at, and shown.
REPORTS, SHOWN = 2000, 200
#: Evaluations that are shown of one domain.
EVALUATIONS = 1000
POLICIES = 10_000


class NoSuchReport(Problem):
    """There is no such report."""

    kind = Trouble.NOT_FOUND


class NotFoundOut(Problem):
    """The DNS did not say."""

    kind = Trouble.UNAVAILABLE


async def _read(app: Appliance, body: Callable[[ReadTx], T]) -> T:
    """In a thread: reports may be megabytes each."""

    def read() -> T:
        with app.store.read() as tx:
            return body(tx)

    return await trio.to_thread.run_sync(read)


def _domains(tx: ReadTx, kind: Kind, domain: Domain | None) -> Iterable[Domain]:
    return [domain] if domain is not None else [parse_domain(name, lax=True) for name in report.domains(tx, kind)]


class NotAReport(Problem):
    """A message without a report that is about us; the text says why."""

    kind = Trouble.INVALID


async def add(store: Store, config: Config, now: datetime, kind: Kind, octets: bytes, sender: str) -> bool:
    """Keep the report in a message of somebody whom the operator vouches for; False: it is known already.

    `sender`: a domain; empty: that of From. Raises NotAReport.
    """

    def is_ours(domain: Domain) -> bool:
        return domain.ascii in config.derived.addresses.domains

    def look() -> Accepted:
        if len(octets) > REPORT.mail_octets:
            raise NotAReport(f"the message has more than {REPORT.mail_octets} octets")
        root = scan.scan(octets, SCAN).root
        try:
            domain = parse_domain(sender) if sender else _from(octets)
            if kind is Kind.DMARC:
                return intake.read_dmarc(root, octets, domain, now=now, is_ours=is_ours)
            return intake.read_tls(root, octets, domain, is_ours=is_ours, host=config.static.hostname.domain)
        except (intake.NotAccepted, DomainError, AddressError) as problem:
            raise NotAReport(str(problem)) from problem

    return await store.write(intake.keep, await trio.to_thread.run_sync(look))


def _from(octets: bytes) -> Domain:
    """Raises AddressError."""
    fields = header.fields(octets, limits=HEADER)
    return sole_from(header.get_all(octets, fields, b"From")).domain


async def reports(
    app: Appliance, kind: Kind, domain: Domain | None, begin: datetime, end: datetime
) -> list[tuple[str, bytes, Received]]:
    """Reports about a domain of ours, or all of them, the last first, with domain and identity."""

    def body(tx: ReadTx) -> list[tuple[str, bytes, Received]]:
        found: list[tuple[str, bytes, Received]] = []
        for one in _domains(tx, kind, domain):
            some = report.reports(tx, kind, one, begin, end, most=SHOWN)
            found += [(one.unicode, which, received) for which, received in some]
        found.sort(key=lambda row: row[2].report.end, reverse=True)
        return found[:SHOWN]

    return await _read(app, body)


def find(app: Appliance, kind: Kind, which: str) -> Received:
    """A report by its identity, hexadecimal. Raises NoSuchReport."""
    try:
        identity = bytes.fromhex(which)
    except ValueError:
        identity = b""
    with app.store.read() as tx:
        found = report.find(tx, identity) if identity else None
    if found is None or found.kind is not kind:
        raise NoSuchReport("there is no such report")
    return found


@dataclass(slots=True)
class DMARCSummary:
    """What others saw of a domain's mail."""

    domain: str
    total: int = 0
    quarantined: int = 0
    rejected: int = 0
    dkim_failed: int = 0
    spf_failed: int = 0
    #: Why something else was done than the policy asks for, and how often.
    overrides: dict[str, int] = field(default_factory=dict)

    def add(self, one: DMARCReport) -> None:
        """A report more."""
        for record in one.records:
            self.total += record.count
            self.quarantined += record.count * (record.disposition == "quarantine")
            self.rejected += record.count * (record.disposition == "reject")
            self.dkim_failed += record.count * (record.dkim == "fail")
            self.spf_failed += record.count * (record.spf == "fail")
            for reason in record.reasons:
                self.overrides[reason.type] = self.overrides.get(reason.type, 0) + record.count


@dataclass(slots=True)
class TLSSummary:
    """How others came to our hosts by TLS."""

    domain: str
    successes: int = 0
    failures: int = 0
    #: What failed, and in how many sessions.
    results: dict[str, int] = field(default_factory=dict)

    def add(self, one: TLSReport) -> None:
        """A report more."""
        for result in one.policies:
            self.successes += result.successful_sessions
            self.failures += result.failed_sessions
            for failure in result.failures:
                count = self.results.get(failure.result_type, 0) + failure.failed_sessions
                self.results[failure.result_type] = count


async def dmarc_summaries(app: Appliance, domain: Domain | None, begin: datetime, end: datetime) -> list[DMARCSummary]:
    """Sums of reports, a domain each."""

    def body(tx: ReadTx) -> list[DMARCSummary]:
        found = []
        for one in _domains(tx, Kind.DMARC, domain):
            summary = DMARCSummary(one.unicode)
            for _, received in report.reports(tx, Kind.DMARC, one, begin, end, most=REPORTS):
                if received.dmarc is not None:
                    summary.add(received.dmarc)
            found.append(summary)
        return sorted(found, key=lambda one: one.domain)

    return await _read(app, body)


async def tls_summaries(app: Appliance, domain: Domain | None, begin: datetime, end: datetime) -> list[TLSSummary]:
    """Sums of reports, a domain each."""

    def body(tx: ReadTx) -> list[TLSSummary]:
        found = []
        for one in _domains(tx, Kind.TLS, domain):
            summary = TLSSummary(one.unicode)
            for _, received in report.reports(tx, Kind.TLS, one, begin, end, most=REPORTS):
                if received.tls is not None:
                    summary.add(received.tls)
            found.append(summary)
        return sorted(found, key=lambda one: one.domain)

    return await _read(app, body)


# What we owe.


@dataclass(frozen=True, slots=True)
class EvaluationStat:
    """Messages that a domain will get a report about."""

    domain: str
    count: int
    dispositions: tuple[str, ...]
    #: Some of them are worth a report.
    sends_report: bool


async def evaluation_stats(app: Appliance) -> list[EvaluationStat]:
    """The domains we owe DMARC reports to."""

    def body(tx: ReadTx) -> list[EvaluationStat]:
        found = []
        for domain in evaluation.domains(tx):
            count, sends, dispositions = 0, False, set()
            for one in evaluation.owed(tx, domain):
                count += 1
                sends |= not one.optional
                dispositions.add(one.record.disposition)
            if count:
                found.append(EvaluationStat(domain, count, tuple(sorted(dispositions)), sends))
        return found

    return await _read(app, body)


async def evaluations(app: Appliance, domain: Domain) -> list[Evaluation]:
    """What a domain will get a report about, the first ones."""

    def body(tx: ReadTx) -> list[Evaluation]:
        return [one for _, one in zip(range(EVALUATIONS), evaluation.owed(tx, domain.ascii), strict=False)]

    return await _read(app, body)


async def forget_evaluations(app: Appliance, domain: Domain) -> None:
    """Owe a domain nothing for what came until now."""
    await app.store.write(evaluation.end, domain.ascii, app.clock.microseconds() + 1)


async def tls_results(
    app: Appliance, policy_domain: Domain | None = None, *, is_host: bool = False
) -> list[tuple[Which, TLSResult]]:
    """What we will report about TLS, day by day; of one policy domain, or all of them."""

    def wanted(which: Which) -> bool:
        return policy_domain is None or (which.is_host, which.policy_domain) == (is_host, policy_domain.ascii)

    def body(tx: ReadTx) -> list[tuple[Which, TLSResult]]:
        today = tlsresult.day_of(app.clock.now())
        pairs = ((which, tlsresult.get(tx, which)) for which in tlsresult.before(tx, today + 2) if wanted(which))
        return [(which, one) for which, one in pairs if one is not None]

    return await _read(app, body)


async def forget_tls_results(app: Appliance, *, is_host: bool, policy_domain: Domain, day: int) -> int:
    """Report nothing about a policy domain for a day; how many results are gone."""

    def gone(which: Which) -> bool:
        return (which.day, which.is_host, which.policy_domain) == (day, is_host, policy_domain.ascii)

    with app.store.read() as tx:
        chosen = [which for which in tlsresult.before(tx, day + 1) if gone(which)]
    removed = 0
    for which in chosen:
        removed += await app.store.write(tlsresult.remove, which)
    return removed


async def tlsrpt_record(app: Appliance, domain: Domain) -> tuple[str, tuple[str, ...]]:
    """Where a domain wants its reports: the record, and the addresses in it. Raises NotFoundOut."""
    try:
        found = await tlsrptrecord.look_up(app.resolver, domain.ascii)
    except NoRecord as problem:
        raise NotFoundOut(str(problem)) from problem
    except LookupProblem as problem:
        raise NotFoundOut(f"the record of {domain} cannot be looked up: {problem}") from problem
    return found.text, found.addresses


async def policies(app: Appliance) -> list[tuple[str, KnownPolicy]]:
    """The MTA-STS policies of other domains that we know, by domain."""
    return await _read(app, lambda tx: policy.page(tx, "", POLICIES))
