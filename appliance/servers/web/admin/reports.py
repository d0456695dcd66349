"""Reports of others about us, and what we are to report about them."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import msgspec

from appliance.config.schema import doc
from appliance.mail.domain import Domain
from appliance.mail.tlsreport import PolicyResult, document
from appliance.operations import configuring, reported, reportsuppression, websessions
from appliance.servers.web.api import NANOSECONDS, Call, Wire
from appliance.store import tlsresult
from appliance.store.report import Kind, Received
from appliance.store.reportsuppression import Suppressed
from appliance.store.tlsresult import TLSResult as StoredResult, Which

_DAY: Final = "%Y%m%d"


class DMARCSummary(Wire):
    """What others saw of a domain's mail, in messages."""

    domain: str
    total: int
    disposition_quarantine: int
    disposition_reject: int
    dkim_fail: int
    spf_fail: int
    policy_overrides: Annotated[dict[str, int], doc("Why something else was done than the policy asks for.")]


class DMARCRow(Wire):
    """Messages with one outcome from one address."""

    source_ip: str
    count: int
    disposition: str
    dkim: str
    spf: str
    header_from: str
    overrides: list[str]


class DMARCReport(Wire):
    """A report about a domain of ours."""

    id: str
    domain: str
    organization: str
    email: str
    report_id: str
    begin: datetime
    end: datetime
    received: datetime
    policy: str
    percentage: int
    rows: list[DMARCRow]


def _domain(text: str) -> Domain | None:
    """Of a page's choice; empty: all."""
    return configuring.domain_of(text).domain if text else None


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


async def dmarc_summaries(call: Call, start: datetime, end: datetime, domain: str) -> list[DMARCSummary]:
    """Sums of the DMARC reports that end in a period; an empty domain: all."""
    found = await reported.dmarc_summaries(call.app, _domain(domain), _aware(start), _aware(end))
    return [
        DMARCSummary(
            domain=one.domain,
            total=one.total,
            disposition_quarantine=one.quarantined,
            disposition_reject=one.rejected,
            dkim_fail=one.dkim_failed,
            spf_fail=one.spf_failed,
            policy_overrides=one.overrides,
        )
        for one in found
    ]


async def dmarc_reports(call: Call, start: datetime, end: datetime, domain: str) -> list[DMARCReport]:
    """DMARC reports that end in a period, the last first; an empty domain: all."""
    found = await reported.reports(call.app, Kind.DMARC, _domain(domain), _aware(start), _aware(end))
    return [_dmarc(*one) for one in found]


def _dmarc(domain: str, which: bytes, received: Received) -> DMARCReport:
    report = received.dmarc
    assert report is not None
    return DMARCReport(
        id=which.hex(),
        domain=domain,
        organization=report.organization,
        email=report.email,
        report_id=report.report_id,
        begin=report.begin,
        end=report.end,
        received=websessions.time(received.received),
        policy=report.policy.policy,
        percentage=report.policy.percentage,
        rows=[
            DMARCRow(
                source_ip=one.source_ip,
                count=one.count,
                disposition=one.disposition,
                dkim=one.dkim,
                spf=one.spf,
                header_from=one.header_from,
                overrides=[f"{why.type}: {why.comment}" if why.comment else why.type for why in one.reasons],
            )
            for one in report.records
        ],
    )


async def dmarc_report_id(call: Call, domain: str, id: str) -> dict[str, Any]:
    """A DMARC report with all that is kept of it."""
    report = reported.find(call.app, Kind.DMARC, id).dmarc
    found: dict[str, Any] = _whole(report)
    return found


def _whole(value: Any) -> Any:
    """A struct that is stored as an array, by the names of its fields."""
    if isinstance(value, msgspec.Struct):
        return {name: _whole(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, tuple | list):
        return [_whole(one) for one in value]
    return value


class TLSRPTSummary(Wire):
    """How others came to a domain's hosts by TLS, in sessions."""

    domain: str
    success: int
    failure: int
    result_type_counts: dict[str, int]


class TLSFailure(Wire):
    """Sessions that failed in one way."""

    result_type: str
    sending_ip: str
    receiving_mx: str
    receiving_ip: str
    failed_sessions: int
    reason_code: str
    information: str


class TLSPolicyResult(Wire):
    """What became of the sessions under one policy."""

    policy_type: str
    domain: str
    mx: list[str]
    successful_sessions: int
    failed_sessions: int
    failures: list[TLSFailure]


class TLSReport(Wire):
    """A report about a domain or host of ours."""

    id: str
    domain: str
    organization: str
    contact: str
    report_id: str
    begin: datetime
    end: datetime
    received: datetime
    policies: list[TLSPolicyResult]


async def tlsrpt_summaries(call: Call, start: datetime, end: datetime, domain: str) -> list[TLSRPTSummary]:
    """Sums of the TLS reports that end in a period; an empty domain: all."""
    found = await reported.tls_summaries(call.app, _domain(domain), _aware(start), _aware(end))
    return [
        TLSRPTSummary(domain=one.domain, success=one.successes, failure=one.failures, result_type_counts=one.results)
        for one in found
    ]


async def tls_reports(call: Call, start: datetime, end: datetime, domain: str) -> list[TLSReport]:
    """TLS reports that end in a period, the last first; an empty domain: all."""
    found = await reported.reports(call.app, Kind.TLS, _domain(domain), _aware(start), _aware(end))
    return [_tls(*one) for one in found]


def _tls(domain: str, which: bytes, received: Received) -> TLSReport:
    report = received.tls
    assert report is not None
    return TLSReport(
        id=which.hex(),
        domain=domain,
        organization=report.organization,
        contact=report.contact,
        report_id=report.report_id,
        begin=report.begin,
        end=report.end,
        received=websessions.time(received.received),
        policies=[_result(one) for one in report.policies],
    )


def _result(one: PolicyResult) -> TLSPolicyResult:
    return TLSPolicyResult(
        policy_type=one.policy_type,
        domain=one.domain,
        mx=list(one.mx_patterns),
        successful_sessions=one.successful_sessions,
        failed_sessions=one.failed_sessions,
        failures=[
            TLSFailure(
                result_type=why.result_type,
                sending_ip=why.sending_ip,
                receiving_mx=why.receiving_mx,
                receiving_ip=why.receiving_ip,
                failed_sessions=why.failed_sessions,
                reason_code=why.reason_code,
                information=why.additional_information,
            )
            for why in one.failures
        ],
    )


async def tls_report_id(call: Call, domain: str, id: str) -> dict[str, Any]:
    """A TLS report as it came (RFC 8460), but for what nobody knows the meaning of."""
    report = reported.find(call.app, Kind.TLS, id).tls
    assert report is not None
    return document(report)


# What we owe.


class EvaluationStat(Wire):
    """Messages that a domain's owner will get a report about."""

    domain: str
    count: int
    dispositions: list[str]
    send_report: Annotated[bool, doc("Some of them are worth a report.")]


class Evaluation(Wire):
    """What DMARC said of a message that came here."""

    evaluated: datetime
    optional: Annotated[bool, doc("Not worth a report by itself.")]
    interval_hours: int
    addresses: list[str]
    source_ip: str
    disposition: str
    dkim: str
    spf: str
    header_from: str
    envelope_from: str


async def dmarc_evaluation_stats(call: Call) -> list[EvaluationStat]:
    """The domains whose owners we owe DMARC reports."""
    return [
        EvaluationStat(
            domain=one.domain, count=one.count, dispositions=list(one.dispositions), send_report=one.sends_report
        )
        for one in await reported.evaluation_stats(call.app)
    ]


async def dmarc_evaluations_domain(call: Call, domain: str) -> list[Evaluation]:
    """What a domain's owner will be told about, the first thousand."""
    return [
        Evaluation(
            evaluated=websessions.time(one.evaluated),
            optional=one.optional,
            interval_hours=one.interval_hours,
            addresses=list(one.addresses),
            source_ip=one.record.source_ip,
            disposition=one.record.disposition,
            dkim=one.record.dkim,
            spf=one.record.spf,
            header_from=one.record.header_from,
            envelope_from=one.record.envelope_from,
        )
        for one in await reported.evaluations(call.app, configuring.domain_of(domain).domain)
    ]


async def dmarc_remove_evaluations(call: Call, domain: str) -> None:
    """Owe a domain nothing for what came until now."""
    await reported.forget_evaluations(call.app, configuring.domain_of(domain).domain)


class TLSResult(Wire):
    """Sessions of a day that we will report about."""

    policy_domain: str
    day_utc: Annotated[str, doc("As 20261231.")]
    recipient_domain: str
    is_host: Annotated[bool, doc("The policy is that of a host that takes mail, by DANE; not of a domain.")]
    send_report: bool
    results: list[TLSPolicyResult]


async def tlsrpt_results(call: Call) -> list[TLSResult]:
    """What we will report about TLS to others."""
    return [_owed(*one) for one in await reported.tls_results(call.app)]


async def tlsrpt_results_domain(call: Call, is_host: bool, domain: str) -> list[TLSResult]:
    """What we will report about TLS with a host that takes mail, or about a domain's policy."""
    owner = configuring.domain_of(domain).domain
    return [_owed(*one) for one in await reported.tls_results(call.app, owner, is_host=is_host)]


def _owed(which: Which, one: StoredResult) -> TLSResult:
    return TLSResult(
        policy_domain=which.policy_domain,
        day_utc=tlsresult.begin_of(which.day).strftime(_DAY),
        recipient_domain=which.recipient_domain,
        is_host=which.is_host,
        send_report=one.sends_report,
        results=[_result(result) for result in one.results],
    )


async def tlsrpt_remove_results(call: Call, is_host: bool, domain: str, day: str) -> None:
    """Report nothing about a policy domain for a day, given as 20261231."""
    try:
        moment = datetime.strptime(day, _DAY).replace(tzinfo=UTC)
    except ValueError as error:
        raise configuring.BadName("a day is written as 20261231") from error
    await reported.forget_tls_results(
        call.app,
        is_host=is_host,
        policy_domain=configuring.domain_of(domain).domain,
        day=tlsresult.day_of(moment),
    )


class TLSRPTRecord(Wire):
    """Where a domain wants its TLS reports."""

    record: str
    addresses: list[str]


async def lookup_tlsrpt_record(call: Call, domain: str) -> TLSRPTRecord:
    """Look up where a domain wants its TLS reports."""
    record, addresses = await reported.tlsrpt_record(call.app, configuring.domain_of(domain).domain)
    return TLSRPTRecord(record=record, addresses=list(addresses))


# Addresses that get no reports of ours.


class SuppressAddress(Wire):
    """An address that gets no reports of ours until a moment."""

    reporting_address: str
    inserted: datetime
    until: datetime
    comment: str


def _suppressed(one: Suppressed) -> SuppressAddress:
    return SuppressAddress(
        reporting_address=one.address,
        inserted=websessions.time(one.added),
        until=websessions.time(one.until),
        comment=one.comment,
    )


async def dmarc_suppress_list(call: Call) -> list[SuppressAddress]:
    """Addresses that get no DMARC reports of ours."""
    return [_suppressed(one) for one in reportsuppression.listed(call.app, Kind.DMARC)]


async def dmarc_suppress_add(call: Call, reporting_address: str, until: datetime, comment: str) -> None:
    """Send no DMARC reports to an address until a moment."""
    await reportsuppression.add(call.app, Kind.DMARC, reporting_address, _aware(until), comment)


async def dmarc_suppress_remove(call: Call, reporting_address: str) -> None:
    """Send DMARC reports to an address again."""
    await reportsuppression.remove(call.app, Kind.DMARC, reporting_address)


async def dmarc_suppress_extend(call: Call, reporting_address: str, until: datetime) -> None:
    """Send none until another moment."""
    await reportsuppression.extend(call.app, Kind.DMARC, reporting_address, _aware(until))


async def tlsrpt_suppress_list(call: Call) -> list[SuppressAddress]:
    """Addresses that get no TLS reports of ours."""
    return [_suppressed(one) for one in reportsuppression.listed(call.app, Kind.TLS)]


async def tlsrpt_suppress_add(call: Call, reporting_address: str, until: datetime, comment: str) -> None:
    """Send no TLS reports to an address until a moment."""
    await reportsuppression.add(call.app, Kind.TLS, reporting_address, _aware(until), comment)


async def tlsrpt_suppress_remove(call: Call, reporting_address: str) -> None:
    """Send TLS reports to an address again."""
    await reportsuppression.remove(call.app, Kind.TLS, reporting_address)


async def tlsrpt_suppress_extend(call: Call, reporting_address: str, until: datetime) -> None:
    """Send none until another moment."""
    await reportsuppression.extend(call.app, Kind.TLS, reporting_address, _aware(until))


# Policies of others.


class MTASTSPolicy(Wire):
    """A policy of another domain."""

    domain: str
    inserted: datetime
    last_update: datetime | None
    last_use: datetime | None
    valid_end: datetime | None
    record_id: str
    mode: str
    mx: list[str]
    max_age: Annotated[int, doc("Nanoseconds.")]
    backoff: Annotated[bool, doc("Fetching it failed, and is tried again later.")]
    error: str


async def mtasts_policies(call: Call) -> list[MTASTSPolicy]:
    """The policies of other domains that we know."""
    return [
        MTASTSPolicy(
            domain=domain,
            inserted=websessions.time(one.inserted),
            last_update=websessions.time(one.updated) if one.updated else None,
            last_use=websessions.time(one.used) if one.used else None,
            valid_end=websessions.time(one.valid_until) if one.policy else None,
            record_id=one.identity,
            mode=one.policy.mode.value if one.policy else "",
            mx=list(one.policy.patterns) if one.policy else [],
            max_age=int(timedelta(seconds=one.policy.max_age_seconds).total_seconds()) * NANOSECONDS
            if one.policy
            else 0,
            backoff=bool(one.failed),
            error=f"{one.result}: {one.reason}" if one.failed else "",
        )
        for domain, one in await reported.policies(call.app)
    ]
