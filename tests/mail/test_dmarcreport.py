"""DMARC aggregate reports: what reporters write, what attackers write, and our own."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from appliance.base.limits import REPORT, SCAN
from appliance.mail import dmarcreport
from appliance.mail.dmarcreport import DKIMAuth, DMARCReport, PublishedPolicy, Reason, Record, SPFAuth
from appliance.mail.reportfile import ReportError
from appliance.mail.scan import scan
from support.reports import BARE, NAMESPACES, PLAIN, dmarc_mail

BEGIN, END = datetime(2023, 11, 15, tzinfo=UTC), datetime(2023, 11, 15, 23, 59, 59, tzinfo=UTC)
WANTED = DMARCReport(
    organization="big.example",
    email="noreply-dmarc@big.example",
    report_id="1234567890123456789",
    begin=BEGIN,
    end=END,
    policy=PublishedPolicy("ours.example", "reject", "quarantine", "r", "r", 100, "", "reject"),
    records=(
        Record(
            "192.0.2.1",
            2,
            "none",
            "pass",
            "fail",
            (Reason("local_policy", "arc=pass"),),
            "ours.example",
            dkim_auth=(DKIMAuth("ours.example", "2023a", "pass"), DKIMAuth("list.example", "s1", "pass")),
            spf_auth=(SPFAuth("list.example", "", "pass"),),
        ),
    ),
    extra_contact="https://big.example/dmarc?a=1&b=2",
)


def test_by_the_schema():
    assert dmarcreport.parse(PLAIN, REPORT) == WANTED
    octets = dmarc_mail()
    assert dmarcreport.read(scan(octets, SCAN).root, octets, REPORT) == WANTED


def test_namespaces_and_capitals():
    report = dmarcreport.parse(NAMESPACES, REPORT)
    assert (report.version, report.organization, report.begin) == ("1.0", "Enterprise Outlook", BEGIN)
    assert report.end == END + timedelta(seconds=1)
    assert report.policy == PublishedPolicy("Ours.Example", "none", dkim_alignment="s", failure_options="0")
    (record,) = report.records
    assert (record.disposition, record.dkim, record.spf) == ("none", "pass", "pass")
    assert (record.envelope_to, record.envelope_from, record.header_from) == (
        "corp.example",
        "ours.example",
        "ours.example",
    )
    assert record.spf_auth == (SPFAuth("ours.example", "mfrom", "hardfail"),)


def test_missing_elements():
    report = dmarcreport.parse(BARE, REPORT)
    assert report == DMARCReport(
        "",
        "",
        "",
        BEGIN,
        END,
        PublishedPolicy("ours.example", percentage=0),
        (Record("", 0, "", "", "", header_from="a.example"), Record("", 0, "", "", "")),
        errors=("one", "two"),
    )


@pytest.mark.parametrize("encoding", ["utf-16", "iso-8859-1", "windows-1252"])
def test_encodings(encoding):
    text = PLAIN.decode().replace("UTF-8", encoding).replace("big.example<", "groß.example<")
    assert dmarcreport.parse(text.encode(encoding), REPORT).organization == "groß.example"


LAUGHS = b'<!DOCTYPE f [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (b"", "not well-formed"),
        (b"{}", "not well-formed"),
        (PLAIN[:-20], "not well-formed"),
        (PLAIN + b"x", "not well-formed"),
        (PLAIN.replace(b"&amp;", b"&b;"), "not well-formed"),
        (PLAIN.replace(b"<feedback>", LAUGHS + b"<feedback>"), "document type"),
        (PLAIN.replace(b"<feedback>", b'<!DOCTYPE f SYSTEM "file:///etc/passwd"><feedback>'), "document type"),
        (PLAIN.replace(b"UTF-8", b"utf-7"), "encoding|well-formed"),
        (PLAIN.replace(b"UTF-8", b"x-unknown"), "encoding|well-formed"),
        (b"<html/>", "not a DMARC report"),
        (PLAIN.replace(b"ours.example</domain>\n    <adkim", b"</domain>\n    <adkim"), "which domain"),
        (PLAIN.replace(b"<begin>1700006400", b"<begin>soon"), "date"),
        (PLAIN.replace(b"<begin>1700006400", b"<begin>1800006400"), "before it begins"),
        (b"<a " + b" ".join(b"a%d=''" % number for number in range(100_001)) + b"/>", "too many attributes"),
        (b"<a>" * 100 + b"</a>" * 100, "levels"),
        (b"<feedback>" + b"<a/>" * 500_001 + b"</feedback>", "too many elements"),
        (b"<feedback>" + b"<record/>" * 20_001 + b"</feedback>", "too many records"),
    ],
)
def test_refused(octets, words):
    with pytest.raises(ReportError, match=words):
        dmarcreport.parse(octets, REPORT)


def test_what_is_long_is_cut():
    many = b"<reason><type>other</type></reason>" * 300
    xml = PLAIN.replace(b"<comment>", b"<comment>" + b"x" * 5000).replace(b"<reason>", many + b"<reason>")
    reasons = dmarcreport.parse(xml, replace(REPORT, text_characters=10)).records[0].reasons
    assert len(reasons) <= REPORT.details
    xml = PLAIN.replace(b"arc=pass", b"x" * 5000)
    assert dmarcreport.parse(xml, REPORT).records[0].reasons[0].comment == "x" * REPORT.text_characters


def test_policy_after_the_records():
    """What comes after many records, or much that nobody knows, is not lost with them."""
    xml = PLAIN.replace(b"<feedback>", b"<feedback>" + b"<record/>" * 1000)
    assert len(dmarcreport.parse(xml, REPORT).records) == 1001


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=30).map(lambda text: dmarcreport.tidy(text, REPORT))
lower = st.text(st.sampled_from("abcdefghij_"), max_size=20)
counts = st.integers(0, 10**15 - 1)
records = st.builds(
    Record,
    *(words, counts, lower, lower, lower, st.lists(st.builds(Reason, lower, words), max_size=2).map(tuple)),
    *(words, words, words),
    st.lists(st.builds(DKIMAuth, words, words, lower, words), max_size=2).map(tuple),
    st.lists(st.builds(SPFAuth, words, lower, lower), max_size=2).map(tuple),
)
reports = st.builds(
    lambda end, **fields: DMARCReport(begin=BEGIN, end=BEGIN + timedelta(seconds=end), **fields),
    organization=words,
    email=words,
    report_id=words,
    end=st.integers(0, 10**6),
    policy=st.builds(PublishedPolicy, words.filter(bool), lower, lower, lower, lower, counts, lower, lower),
    records=st.lists(records, max_size=3).map(tuple),
    extra_contact=words,
    errors=st.lists(words, max_size=2).map(tuple),
    version=st.just("1.0"),
)


@given(reports)
def test_ours_can_be_read(report):
    assert dmarcreport.parse(dmarcreport.write(report), REPORT) == report


def test_ours_is_well_formed_whatever_stands_in_it():
    report = DMARCReport("\x00\x0b]]>&<", "", "", BEGIN, END, PublishedPolicy("ours.example"))
    assert dmarcreport.parse(dmarcreport.write(report), REPORT).organization == "]]>&<"


@given(st.data())
def test_damaged(data):
    octets = bytearray(data.draw(st.sampled_from([PLAIN, NAMESPACES, BARE])))
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(octets) - 1))
        octets[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
    try:
        dmarcreport.parse(bytes(octets), REPORT)
    except ReportError:
        pass
