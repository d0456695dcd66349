"""Reports of other servers that arrive by mail: which are believed, and kept (RFC 7489 §7.2, RFC 8460 §5.3).

Whoever delivers a message to an address for reports asks here, in a thread, since hostile ones take a second; then
keeps what was accepted in the transaction that delivers the message. A message that is refused as a report is mail
like other mail, with a header field that says why.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from appliance.base.limits import REPORT, REPORTS_KEPT
from appliance.base.metrics import Counter
from appliance.mail import compose, dmarcreport, tlsreport
from appliance.mail.dmarcreport import DMARCReport
from appliance.mail.domain import Domain, DomainError, parse_domain
from appliance.mail.part import Part
from appliance.mail.reportfile import ReportError
from appliance.mail.tlsreport import TLSReport
from appliance.msgauth.publicsuffix import organizational_domain
from appliance.msgauth.results import AuthStatus, Checked, DKIMResult
from appliance.store import report as reports
from appliance.store.problems import TooMany
from appliance.store.transaction import WriteTx

evaluated = Counter(
    "dmarcdb_policy_evaluated_total",
    "Messages that others had from domains here, by their reports.",
    ("domain", "disposition", "dkim", "spf"),
)
dkim_results = Counter("dmarcdb_dkim_result_total", "Signatures on those messages.", ("result",))
spf_results = Counter("dmarcdb_spf_result_total", "Checks of SPF on those messages.", ("result",))
sessions = Counter("tlsrptdb_session_total", "Sessions of others with servers here, by their reports.", ("type",))

DMARC_ERROR: Final = b"X-Mox-DMARCReport-Error"
TLS_ERROR: Final = b"X-Mox-TLSReport-Error"
#: How far ahead of ours the clock of a reporter may be.
_AHEAD: Final = timedelta(seconds=60)


#: Values of labels; what reporters write beside them counts as `other`.
_RESULTS: Final = frozenset(AuthStatus)
_DISPOSITIONS: Final = frozenset({"none", "quarantine", "reject"})
#: RFC 8460 §4.3.
_FAILURES: Final = frozenset(
    {
        *("starttls-not-supported", "certificate-host-mismatch", "certificate-expired", "certificate-not-trusted"),
        *("validation-failure", "tlsa-invalid", "dnssec-invalid", "dane-required"),
        *("sts-policy-fetch-error", "sts-policy-invalid", "sts-webpki-invalid"),
    }
)


class NotAccepted(ValueError):
    """A message is no report that we believe. The text stands in its header and says nothing that is secret."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A report that may be kept."""

    report: DMARCReport | TLSReport
    #: Those of our domains (and hosts) that it is about; at least one.
    domains: tuple[Domain, ...]
    #: The domain in From, which is vouched for.
    sender: Domain


def error_field(name: bytes, why: NotAccepted) -> bytes:
    """The header field with the reason; `name` is DMARC_ERROR or TLS_ERROR."""
    return compose.text_field(name, str(why))


def check_size(octets: int) -> None:
    """Raises NotAccepted for a message too large to be read as a report."""
    if octets > REPORT.mail_octets:
        raise NotAccepted(f"the message has more than {REPORT.mail_octets} octets")


def dmarc(root: Part, octets: bytes, checked: Checked, *, now: datetime, is_ours: Callable[[Domain], bool]) -> Accepted:
    """The DMARC report in a message. `is_ours` tells whether a domain is configured here.

    Raises NotAccepted: DMARC does not pass, no report can be read, it is about another domain or about the future.
    """
    sender = checked.msg_from.domain if checked.msg_from is not None else None
    if checked.dmarc.status is not AuthStatus.PASS or not isinstance(sender, Domain):
        raise NotAccepted("the message does not pass DMARC")
    return read_dmarc(root, octets, sender, now=now, is_ours=is_ours)


def read_dmarc(
    root: Part, octets: bytes, sender: Domain, *, now: datetime, is_ours: Callable[[Domain], bool]
) -> Accepted:
    """The same, where somebody else vouches for the sender."""
    try:
        report = dmarcreport.read(root, octets, REPORT)
    except ReportError as error:
        raise NotAccepted(str(error)) from error
    domain = _domain(report.policy.domain)
    if domain is None:
        raise NotAccepted("the report is about a domain that is none")
    if not is_ours(domain):
        raise NotAccepted(f"the report is about {domain.ascii}, which is not a domain here")
    if report.end > now + _AHEAD:
        raise NotAccepted("the report ends in the future")
    return Accepted(report, (domain,), sender)


def tls(root: Part, octets: bytes, checked: Checked, *, is_ours: Callable[[Domain], bool], host: Domain) -> Accepted:
    """The TLS report in a message. `host` is the name of this server, whose own policies may be reported on, too.

    Raises NotAccepted: no signature that counts, no report can be read, none of its policies is ours.
    """
    sender = checked.msg_from.domain if checked.msg_from is not None else None
    if not isinstance(sender, Domain) or not any(_vouches(one, sender) for one in checked.dkim):
        raise NotAccepted("the message has no DKIM signature that vouches for a TLS report of its sender")
    return read_tls(root, octets, sender, is_ours=is_ours, host=host)


def read_tls(root: Part, octets: bytes, sender: Domain, *, is_ours: Callable[[Domain], bool], host: Domain) -> Accepted:
    """The same, where somebody else vouches for the sender."""
    try:
        report = tlsreport.read(root, octets, REPORT)
    except ReportError as error:
        raise NotAccepted(str(error)) from error
    named = (_domain(one.domain) for one in report.policies)
    known = tuple(dict.fromkeys(one for one in named if one is not None and (one == host or is_ours(one))))
    if not known:
        raise NotAccepted("the report has no policy of a domain here")
    return Accepted(report, known, sender)


def _vouches(signature: DKIMResult, sender: Domain) -> bool:
    """Whether a signature speaks for a TLS report of a sender (RFC 8460 §3, §5.3).

    It passes and covers the whole body; its domain is the sender's, or one above it within the same organization;
    its key may be used for reports.
    """
    passes = signature.status is AuthStatus.PASS or signature.is_for_reports
    if not passes or signature.is_partial or signature.domain is None:
        return False
    if not {"*", "tlsrpt"} & set(signature.services):
        return False
    if signature.domain == sender:
        return True
    is_above = sender.ascii.endswith(f".{signature.domain.ascii}")
    return is_above and organizational_domain(signature.domain) == organizational_domain(sender)


def _domain(text: str) -> Domain | None:
    # Lenient: some write the final dot.
    try:
        return parse_domain(text.removesuffix("."))
    except DomainError:
        return None


def keep(tx: WriteTx, accepted: Accepted) -> bool:
    """Keep a report, within the transaction that delivers its message; tells whether it is new.

    Never raises because of what is in it: a report that cannot be kept is delivered as mail all the same.
    """
    try:
        return reports.add(tx, accepted.report, domains=accepted.domains, sender=accepted.sender, most=REPORTS_KEPT)
    except TooMany:
        return False


def count(accepted: Accepted) -> None:
    """Count what a report tells, when `keep` said that it is new and the transaction is over."""
    if isinstance(accepted.report, DMARCReport):
        _count_dmarc(accepted.report, accepted.domains[0].ascii)
        return
    for policy in accepted.report.policies:
        if _domain(policy.domain) in accepted.domains:
            sessions.labels("successful").inc(policy.successful_sessions)
            for failure in policy.failures:
                sessions.labels(_label(failure.result_type, _FAILURES)).inc(failure.failed_sessions)


def _count_dmarc(report: DMARCReport, domain: str) -> None:
    for record in report.records:
        dkim, spf = (_label(one, _RESULTS) for one in (record.dkim, record.spf))
        evaluated.labels(domain, _label(record.disposition, _DISPOSITIONS), dkim, spf).inc(record.count)
        for signature in record.dkim_auth:
            dkim_results.labels(_label(signature.result, _RESULTS)).inc(record.count)
        for check in record.spf_auth:
            spf_results.labels(_label(check.result, _RESULTS)).inc(record.count)


def _label(value: str, known: frozenset[str]) -> str:
    return value if value in known else "other"
