"""SMTP TLS reports: JSON in, values out, and back (RFC 8460 §4), and the DNS records that ask for them (§3).

Reading is lenient: what is missing is empty, what is unknown is ignored, lists may be single values. Where the file is
in a message belongs to reportfile.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from appliance.mail import reportfile
from appliance.mail.part import Part
from appliance.mail.reportfile import ReportError, ReportLimits, parse_count, parse_moment, tidy


class Failure(msgspec.Struct, frozen=True, array_like=True):
    """Sessions that failed in one way (RFC 8460 §4.3)."""

    #: Such as starttls-not-supported, certificate-expired.
    result_type: str
    sending_ip: str = ""
    receiving_mx: str = ""
    receiving_helo: str = ""
    receiving_ip: str = ""
    failed_sessions: int = 0
    additional_information: str = ""
    reason_code: str = ""


class PolicyResult(msgspec.Struct, frozen=True, array_like=True):
    """What became of the sessions under one policy (RFC 8460 §4.4)."""

    #: tlsa, sts or no-policy-found.
    policy_type: str
    domain: str
    #: Lines of an MTA-STS policy, or TLSA records.
    policy_lines: tuple[str, ...] = ()
    mx_patterns: tuple[str, ...] = ()
    successful_sessions: int = 0
    failed_sessions: int = 0
    failures: tuple[Failure, ...] = ()


class TLSReport(msgspec.Struct, frozen=True, array_like=True):
    """A report. Stored as msgpack for ever: new fields only at the end, with defaults, here and in its parts."""

    organization: str
    contact: str
    report_id: str
    begin: datetime
    end: datetime
    policies: tuple[PolicyResult, ...] = ()


def read(root: Part, octets: bytes, limits: ReportLimits) -> TLSReport:
    """The report in a message. Raises ReportError; may take a second at the limits: in a thread, please."""
    return reportfile.find(root, octets, lambda content: parse(content, limits), limits)


def parse(octets: bytes, limits: ReportLimits) -> TLSReport:
    """The report in a JSON file. Raises ReportError: not JSON, not a report, beyond a limit, no dates or policies."""
    # Each value but the first follows one of these, so the octets tell how much memory it takes before it does.
    if sum(map(octets.count, (b",", b"[", b"{"))) > limits.elements:
        raise ReportError("the report has too many values")
    try:
        document = msgspec.json.decode(octets.decode("utf-8-sig", "replace"))
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise ReportError("the report is not JSON") from error
    if not isinstance(document, dict):
        raise ReportError("the JSON is not a TLS report")
    fields = _Fields(document, limits)
    period = fields.below("date-range")
    policies = fields.objects("policies", limits.rows)
    if not policies:
        raise ReportError("the JSON is not a TLS report, or tells of no policy")
    begin, end = parse_moment(period.text("start-datetime")), parse_moment(period.text("end-datetime"))
    if end < begin:
        raise ReportError("the report ends before it begins")
    results = tuple(map(_policy, policies))
    if sum(len(one.failures) for one in results) > limits.rows:
        raise ReportError("the report has too many failures")
    return TLSReport(
        organization=fields.text("organization-name"),
        contact=fields.text("contact-info"),
        report_id=fields.text("report-id"),
        begin=begin,
        end=end,
        policies=results,
    )


def _policy(fields: "_Fields") -> PolicyResult:
    policy, summary = fields.below("policy"), fields.below("summary")
    return PolicyResult(
        policy_type=policy.text("policy-type").lower(),
        domain=policy.text("policy-domain"),
        policy_lines=policy.texts("policy-string"),
        # RFC 8460 §4.4 names it mx-host, and mx-host-pattern what stands there: some write that.
        mx_patterns=policy.texts("mx-host") or policy.texts("mx-host-pattern"),
        successful_sessions=summary.count("total-successful-session-count"),
        failed_sessions=summary.count("total-failure-session-count"),
        failures=tuple(map(_failure, fields.objects("failure-details", fields.limits.rows))),
    )


def _failure(fields: "_Fields") -> Failure:
    return Failure(
        result_type=fields.text("result-type").lower(),
        sending_ip=fields.text("sending-mta-ip"),
        receiving_mx=fields.text("receiving-mx-hostname"),
        receiving_helo=fields.text("receiving-mx-helo"),
        receiving_ip=fields.text("receiving-ip"),
        failed_sessions=fields.count("failed-session-count"),
        # RFC 8460 §4.4 has the first name in its schema, and the second in its explanation.
        additional_information=fields.text("additional-information") or fields.text("additional-info-uri"),
        reason_code=fields.text("failure-reason-code"),
    )


class _Fields:
    """An object of JSON whose values may be of any type, or missing."""

    def __init__(self, values: dict[str, Any], limits: ReportLimits) -> None:
        self._values = values
        self.limits = limits

    def below(self, name: str) -> "_Fields":
        value = self._values.get(name)
        return _Fields(value if isinstance(value, dict) else {}, self.limits)

    def objects(self, name: str, most: int) -> list["_Fields"]:
        value = self._values.get(name)
        listed = value if isinstance(value, list) else [value]
        found = [_Fields(one, self.limits) for one in listed if isinstance(one, dict)]
        if len(found) > most:
            raise ReportError("the report has too many policies or failures")
        return found

    def text(self, name: str) -> str:
        return _text(self._values.get(name), self.limits)

    def texts(self, name: str) -> tuple[str, ...]:
        value = self._values.get(name)
        listed = value if isinstance(value, list) else [value]
        texts = (_text(one, self.limits) for one in listed[: self.limits.details])
        return tuple(text for text in texts if text)

    def count(self, name: str) -> int:
        return parse_count(self.text(name))


def _text(value: object, limits: ReportLimits) -> str:
    if isinstance(value, str):
        return tidy(value, limits)
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**63 else ""


def merge(results: Iterable[PolicyResult], *, policies: int, failures: int) -> tuple[PolicyResult, ...]:
    """Results under equal policies as one, and equal failures counted together, in the order they come first.

    No more than so many policies, and failures of each: beyond that a failure is only in the sum of its policy.
    """
    found: dict[PolicyResult, tuple[list[int], dict[Failure, int]]] = {}
    for one in results:
        policy = msgspec.structs.replace(one, successful_sessions=0, failed_sessions=0, failures=())
        if policy not in found and len(found) >= policies:
            continue
        counts, kinds = found.setdefault(policy, ([0, 0], {}))
        counts[0] += one.successful_sessions
        counts[1] += one.failed_sessions
        for failure in one.failures:
            kind = msgspec.structs.replace(failure, failed_sessions=0)
            if kind in kinds or len(kinds) < failures:
                kinds[kind] = kinds.get(kind, 0) + failure.failed_sessions
    return tuple(
        msgspec.structs.replace(
            policy,
            successful_sessions=counts[0],
            failed_sessions=counts[1],
            failures=tuple(msgspec.structs.replace(kind, failed_sessions=count) for kind, count in kinds.items()),
        )
        for policy, (counts, kinds) in found.items()
    )


# Writing.


def document(report: TLSReport) -> dict[str, object]:
    """The report as RFC 8460 §4.4 spells it in JSON; optional values that are empty are left out."""
    return {
        "organization-name": report.organization,
        "date-range": {"start-datetime": _moment(report.begin), "end-datetime": _moment(report.end)},
        "contact-info": report.contact,
        "report-id": report.report_id,
        "policies": [_policy_document(one) for one in report.policies],
    }


def write(report: TLSReport) -> bytes:
    """The JSON file of a report."""
    return msgspec.json.encode(document(report))


def _policy_document(result: PolicyResult) -> dict[str, object]:
    policy: dict[str, object] = {"policy-type": result.policy_type, "policy-domain": result.domain}
    policy |= _filled((("policy-string", list(result.policy_lines)), ("mx-host", list(result.mx_patterns))))
    summary = {
        "total-successful-session-count": result.successful_sessions,
        "total-failure-session-count": result.failed_sessions,
    }
    failures = [_failure_document(one) for one in result.failures]
    return {"policy": policy, "summary": summary} | _filled((("failure-details", failures),))


def _failure_document(failure: Failure) -> dict[str, object]:
    optional = (
        ("sending-mta-ip", failure.sending_ip),
        ("receiving-mx-hostname", failure.receiving_mx),
        ("receiving-mx-helo", failure.receiving_helo),
        ("receiving-ip", failure.receiving_ip),
        ("additional-information", failure.additional_information),
        ("failure-reason-code", failure.reason_code),
    )
    needed = {"result-type": failure.result_type, "failed-session-count": failure.failed_sessions}
    return needed | _filled(optional)


def _filled(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    return {name: value for name, value in pairs if value}


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


# The record in DNS.


class TLSRPTRecordError(ValueError):
    """Begins like a TLSRPT record and is none. The text says why."""


@dataclass(frozen=True, slots=True)
class Record:
    """A record below `_smtp._tls` (RFC 8460 §3)."""

    #: Where reports go: mailto or https, in the order of preference of its owner.
    addresses: tuple[str, ...]


_VERSION: Final = re.compile(r"v=TLSRPTv1[ \t]*(?:;|\Z)")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
_URI: Final = re.compile(r"(?:mailto|https):[\x21-\x2b\x2d-\x3a\x3c-\x7e]+", re.IGNORECASE)


def is_record(text: str) -> bool:
    """Whether a TXT record is meant for TLSRPT; others are left out (RFC 8460 §3)."""
    return _VERSION.match(text) is not None


def parse_record(text: str) -> Record:
    """The record. Fields that are not known, and addresses of other schemes, are ignored. Raises TLSRPTRecordError."""
    if not is_record(text):
        raise TLSRPTRecordError("does not begin with v=TLSRPTv1")
    found: dict[str, str] = {}
    for field in text.split(";")[1:]:
        if not field.strip(" \t"):
            continue
        name, equals, value = (piece.strip(" \t") for piece in field.partition("="))
        if not equals or not value or not _NAME.fullmatch(name):
            raise TLSRPTRecordError("has a field that is not name=value")
        if name in found:
            raise TLSRPTRecordError(f"has {name}= twice")
        found[name] = value
    if "rua" not in found:
        raise TLSRPTRecordError("lacks rua=")
    addresses = tuple(_addresses(found["rua"]))
    if not addresses:
        raise TLSRPTRecordError("has no address of mailto or https in rua=")
    return Record(addresses)


def _addresses(value: str) -> Iterator[str]:
    for one in value.split(","):
        if _URI.fullmatch(one.strip(" \t")):
            yield one.strip(" \t")
