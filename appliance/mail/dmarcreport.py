"""DMARC aggregate reports: XML in, values out, and back (RFC 7489 §7.2, Appendix C).

Reading is lenient, since hardly a reporter follows the schema: elements may be missing, in any order, namespace or
case, and unknown values stay as they are. XML is read without document types, so there are no entities to expand and
nothing to fetch. Where the file is in a message belongs to reportfile.
"""

import html
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final
from xml.parsers import expat

import msgspec

from appliance.mail import reportfile
from appliance.mail.part import Part
from appliance.mail.reportfile import ReportError, ReportLimits, parse_count, parse_moment, tidy


class PublishedPolicy(msgspec.Struct, frozen=True, array_like=True):
    """The policy that the reporter found. Words as they stand in the report, in lower case; empty when missing."""

    domain: str
    #: p=.
    policy: str = ""
    #: sp=.
    subdomain_policy: str = ""
    #: adkim= and aspf=: r or s.
    dkim_alignment: str = ""
    spf_alignment: str = ""
    #: pct=.
    percentage: int = 100
    #: fo=.
    failure_options: str = ""
    #: np= (RFC 9091 §3.2).
    nonexistent_policy: str = ""


class Reason(msgspec.Struct, frozen=True, array_like=True):
    """Why something else was done than the policy asks for (PolicyOverrideReason)."""

    type: str
    comment: str = ""


class DKIMAuth(msgspec.Struct, frozen=True, array_like=True):
    """A signature (DKIMAuthResultType)."""

    domain: str
    selector: str
    result: str
    human_result: str = ""


class SPFAuth(msgspec.Struct, frozen=True, array_like=True):
    """A check of SPF (SPFAuthResultType)."""

    domain: str
    #: mfrom or helo; empty when missing.
    scope: str
    result: str


class Record(msgspec.Struct, frozen=True, array_like=True):
    """Messages with one outcome from one address (RecordType)."""

    source_ip: str
    count: int
    #: What was done: none, quarantine, reject.
    disposition: str
    #: Of the aligned domains: pass or fail.
    dkim: str
    spf: str
    reasons: tuple[Reason, ...] = ()
    header_from: str = ""
    envelope_from: str = ""
    envelope_to: str = ""
    dkim_auth: tuple[DKIMAuth, ...] = ()
    spf_auth: tuple[SPFAuth, ...] = ()


class DMARCReport(msgspec.Struct, frozen=True, array_like=True):
    """A report. Stored as msgpack for ever: new fields only at the end, with defaults, here and in its parts."""

    #: Whose report it is.
    organization: str
    email: str
    report_id: str
    begin: datetime
    end: datetime
    policy: PublishedPolicy
    records: tuple[Record, ...] = ()
    extra_contact: str = ""
    errors: tuple[str, ...] = ()
    version: str = ""


def read(root: Part, octets: bytes, limits: ReportLimits) -> DMARCReport:
    """The report in a message. Raises ReportError; may take seconds at the limits: in a thread, please."""
    return reportfile.find(root, octets, lambda content: parse(content, limits), limits)


def parse(octets: bytes, limits: ReportLimits) -> DMARCReport:
    """The report in an XML file. Raises ReportError: not XML, not a report, beyond a limit, no policy or dates."""
    if octets.count(b"=") > limits.attributes:
        raise ReportError("the report has too many attributes")
    builder = _Builder(limits)
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    try:
        # All at once: in pieces, a long token would be looked at again with each of them.
        parser.Parse(octets, True)
    except expat.ExpatError as error:
        raise ReportError("the report is not well-formed XML") from error
    except ReportError:
        raise
    except (ValueError, LookupError) as error:  # an encoding that Python does not know, or cannot tell expat
        raise ReportError("the report is in an unknown encoding") from error
    return builder.report()


def _refuse_doctype(*_: object) -> None:
    raise ReportError("the report has a document type, which may hide anything")


class _Element:
    """One that is being read, or whose parent is."""

    __slots__ = ("children", "name", "text")

    def __init__(self, name: str) -> None:
        self.name = name
        self.text = ""
        self.children: list[_Element] = []

    def all(self, name: str) -> Iterator["_Element"]:
        return (child for child in self.children if child.name == name)

    def first(self, name: str) -> "_Element":
        return next(self.all(name), _MISSING)

    def value(self, name: str) -> str:
        return self.first(name).text


_MISSING: Final = _Element("")


class _Builder:
    """Makes records as soon as they end, so that no more than one is kept as elements."""

    def __init__(self, limits: ReportLimits) -> None:
        self._limits = limits
        self._open = [_Element("")]
        self._left = limits.elements
        self._records: list[Record] = []

    def start(self, name: str, _: object) -> None:
        self._left -= 1
        if self._left < 0 or len(self._open) > self._limits.depth:
            raise ReportError("the report has too many elements, or too many levels of them")
        element = _Element(name.rpartition(":")[2].lower())
        parent = self._open[-1]
        if len(parent.children) < self._limits.details or (element.name == "record" and len(self._open) == 2):
            parent.children.append(element)
        self._open.append(element)

    def text(self, text: str) -> None:
        element = self._open[-1]
        if not element.children and len(element.text) <= self._limits.text_characters:
            element.text = (element.text + text)[: 2 * self._limits.text_characters]

    def end(self, _: str) -> None:
        element = self._open.pop()
        element.text = tidy(element.text, self._limits)
        if element.name == "record" and len(self._open) == 2:
            self._open[-1].children.pop()  # itself, which came last
            self._records.append(self._record(element))
            if len(self._records) > self._limits.rows:
                raise ReportError("the report has too many records")

    def report(self) -> DMARCReport:
        feedback = self._open[0].first("feedback")
        if feedback is _MISSING:
            raise ReportError("the XML is not a DMARC report")
        metadata, policy = feedback.first("report_metadata"), feedback.first("policy_published")
        if not policy.value("domain"):
            raise ReportError("the report does not say for which domain it is")
        period = metadata.first("date_range")
        begin, end = parse_moment(period.value("begin")), parse_moment(period.value("end"))
        if end < begin:
            raise ReportError("the report ends before it begins")
        return DMARCReport(
            organization=metadata.value("org_name"),
            email=metadata.value("email"),
            report_id=metadata.value("report_id"),
            begin=begin,
            end=end,
            policy=PublishedPolicy(
                domain=policy.value("domain"),
                policy=policy.value("p").lower(),
                subdomain_policy=policy.value("sp").lower(),
                dkim_alignment=policy.value("adkim").lower(),
                spf_alignment=policy.value("aspf").lower(),
                percentage=parse_count(policy.value("pct") or "100"),
                failure_options=policy.value("fo").lower(),
                nonexistent_policy=policy.value("np").lower(),
            ),
            records=tuple(self._records),
            extra_contact=metadata.value("extra_contact_info"),
            errors=tuple(error.text for error in metadata.all("error")),
            version=feedback.value("version"),
        )

    @staticmethod
    def _record(element: _Element) -> Record:
        row, auth = element.first("row"), element.first("auth_results")
        # Lenient: some early reporters wrote `identities`.
        names = next((child for child in element.children if child.name in {"identifiers", "identities"}), _MISSING)
        evaluated = row.first("policy_evaluated")
        return Record(
            source_ip=row.value("source_ip"),
            count=parse_count(row.value("count")),
            disposition=evaluated.value("disposition").lower(),
            dkim=evaluated.value("dkim").lower(),
            spf=evaluated.value("spf").lower(),
            reasons=tuple(Reason(one.value("type").lower(), one.value("comment")) for one in evaluated.all("reason")),
            header_from=names.value("header_from"),
            envelope_from=names.value("envelope_from"),
            envelope_to=names.value("envelope_to"),
            dkim_auth=tuple(
                DKIMAuth(
                    one.value("domain"),
                    one.value("selector"),
                    one.value("result").lower(),
                    one.value("human_result"),
                )
                for one in auth.all("dkim")
            ),
            spf_auth=tuple(
                SPFAuth(one.value("domain"), one.value("scope").lower(), one.value("result").lower())
                for one in auth.all("spf")
            ),
        )


# Writing.


def write(report: DMARCReport) -> bytes:
    """The XML file of a report, by the schema: optional elements that are empty are left out."""
    policy = report.policy
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', "<feedback>"]
    lines += _leaves((("version", report.version or "1.0"),))
    lines.append("<report_metadata>")
    lines += _leaves((("org_name", report.organization), ("email", report.email)))
    lines += _leaves((("extra_contact_info", report.extra_contact),), optional=True)
    lines += _leaves((("report_id", report.report_id),))
    lines.append("<date_range>")
    lines += _leaves((("begin", _seconds(report.begin)), ("end", _seconds(report.end))))
    lines.append("</date_range>")
    lines += _leaves(("error", error) for error in report.errors)
    lines += ["</report_metadata>", "<policy_published>"]
    lines += _leaves((("domain", policy.domain),))
    lines += _leaves((("adkim", policy.dkim_alignment), ("aspf", policy.spf_alignment)), optional=True)
    lines += _leaves((("p", policy.policy),))
    lines += _leaves((("sp", policy.subdomain_policy), ("np", policy.nonexistent_policy)), optional=True)
    lines += _leaves((("pct", str(policy.percentage)),))
    lines += _leaves((("fo", policy.failure_options),), optional=True)
    lines.append("</policy_published>")
    for record in report.records:
        lines += _record_lines(record)
    lines.append("</feedback>")
    return "\n".join([*lines, ""]).encode()


def _record_lines(record: Record) -> Iterator[str]:
    yield "<record><row>"
    yield from _leaves((("source_ip", record.source_ip), ("count", str(record.count))))
    yield "<policy_evaluated>"
    yield from _leaves((("disposition", record.disposition), ("dkim", record.dkim), ("spf", record.spf)))
    for reason in record.reasons:
        yield "<reason>"
        yield from _leaves((("type", reason.type),))
        yield from _leaves((("comment", reason.comment),), optional=True)
        yield "</reason>"
    yield "</policy_evaluated></row><identifiers>"
    yield from _leaves((("envelope_to", record.envelope_to),), optional=True)
    yield from _leaves((("envelope_from", record.envelope_from), ("header_from", record.header_from)))
    yield "</identifiers><auth_results>"
    for signature in record.dkim_auth:
        yield "<dkim>"
        yield from _leaves((("domain", signature.domain),))
        yield from _leaves((("selector", signature.selector),), optional=True)
        yield from _leaves((("result", signature.result),))
        yield from _leaves((("human_result", signature.human_result),), optional=True)
        yield "</dkim>"
    for spf in record.spf_auth:
        yield "<spf>"
        yield from _leaves((("domain", spf.domain),))
        yield from _leaves((("scope", spf.scope),), optional=True)
        yield from _leaves((("result", spf.result),))
        yield "</spf>"
    yield "</auth_results></record>"


def _leaves(leaves: Iterable[tuple[str, str]], *, optional: bool = False) -> Iterator[str]:
    for name, text in leaves:
        if text or not optional:
            # What is not printable is not all allowed in XML, not even escaped (XML 1.0 §2.2).
            plain = text if text.isprintable() else "".join(one if one.isprintable() else " " for one in text)
            yield f"<{name}>{html.escape(plain, quote=False)}</{name}>"


def _seconds(moment: datetime) -> str:
    return str(int(moment.timestamp()))
