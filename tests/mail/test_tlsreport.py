"""SMTP TLS reports and their DNS records: what reporters write, what attackers write, and our own."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from appliance.base.limits import REPORT, SCAN
from appliance.mail import tlsreport
from appliance.mail.reportfile import ReportError, tidy
from appliance.mail.scan import scan
from appliance.mail.tlsreport import Failure, PolicyResult, TLSReport, TLSRPTRecordError
from support.reports import TLS, TLS_LOOSE, alone, tls_mail

BEGIN, END = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, 23, 59, 59, tzinfo=UTC)
WANTED = TLSReport(
    organization="Big Inc.",
    contact="smtp-tls-reporting@big.example",
    report_id="2024-01-01T00:00:00Z_ours.example",
    begin=BEGIN,
    end=END,
    policies=(
        PolicyResult(
            "sts",
            "ours.example",
            ("version: STSv1", "mode: enforce", "mx: mx.ours.example", "max_age: 86400"),
            ("mx.ours.example",),
            40,
            3,
            (
                Failure(
                    "certificate-expired",
                    "192.0.2.7",
                    "mx.ours.example",
                    "mx.ours.example",
                    "198.51.100.1",
                    3,
                    "https://big.example/x",
                    "EXPIRED",
                ),
            ),
        ),
        PolicyResult("no-policy-found", "mx.ours.example"),
    ),
)


def test_by_the_schema():
    for octets in (tls_mail(), alone(TLS, "application/tlsrpt+json", "r.json")):
        assert tlsreport.read(scan(octets, SCAN).root, octets, REPORT) == WANTED
    assert json.loads(tlsreport.write(WANTED)) == json.loads(TLS)


def test_loose():
    assert tlsreport.parse(TLS_LOOSE, REPORT) == TLSReport(
        "Corp",
        "",
        "17",
        BEGIN,
        END,
        (PolicyResult("sts", "ours.example", ("version: STSv1",), ("*.ours.example",), 5),),
    )


DATES = b'"date-range":{"start-datetime":"2024-01-01T00:00:00Z","end-datetime":"2024-01-01T23:59:59Z"}'


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (b"", "not JSON"),
        (b"<feedback/>", "not JSON"),
        (TLS[:-1], "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"a":' * 100_000, "not JSON"),
        (b'{"x":[' + b"[]," * 500_000 + b"[]]}", "too many values"),
        (b"[]", "not a TLS report"),
        (b"{}", "no policy"),
        (b'{"policies":[1,2]}', "no policy"),
        (b'{"policies":[{}]}', "date"),
        (TLS.replace(b"2024-01-01T23", b"2023-01-01T23"), "before it begins"),
        (b"{" + DATES + b',"policies":[' + b"{}," * 20_000 + b"{}]}", "too many policies"),
        (
            b"{" + DATES + b',"policies":[' + b'{"failure-details":[{},{}]},' * 10_000 + b'{"failure-details":{}}]}',
            "failures",
        ),
    ],
)
def test_refused(octets, words):
    with pytest.raises(ReportError, match=words):
        tlsreport.parse(octets, REPORT)


def test_strange_characters():
    report = tlsreport.parse(TLS.replace(b"Big Inc.", b"a\\u0000b\xffc"), REPORT)
    assert report.organization == "a b\ufffdc"
    with pytest.raises(ReportError):
        tlsreport.parse(TLS.replace(b"Big Inc.", b"half a character: \\ud800"), REPORT)


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=30).map(lambda text: tidy(text, REPORT))
lower = st.text(st.sampled_from("abcdefghij-"), max_size=20)
counts = st.integers(0, 10**15 - 1)
lines = st.lists(words.filter(bool), max_size=3).map(tuple)
failures = st.builds(Failure, lower, words, words, words, words, counts, words, words)
policies = st.builds(
    PolicyResult, lower, words, lines, lines, counts, counts, st.lists(failures, max_size=2).map(tuple)
)


@given(words, words, words, st.integers(0, 10**6), st.lists(policies, min_size=1, max_size=3).map(tuple))
def test_ours_can_be_read(organization, contact, report_id, seconds, policies):
    report = TLSReport(organization, contact, report_id, BEGIN, BEGIN + timedelta(seconds=seconds), policies)
    assert tlsreport.parse(tlsreport.write(report), REPORT) == report


json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(st.data())
def test_any_value_anywhere(data):
    document = json.loads(TLS)
    places = [(document, name) for name in document]
    for policy in document["policies"]:
        places += [(policy, name) for name in policy]
        places += [(one, name) for one in (policy["policy"], policy["summary"]) for name in one]
    places += [(document["policies"][0]["failure-details"][0], name) for name in WANTED_FAILURE]
    place, name = data.draw(st.sampled_from(places))
    place[name] = data.draw(json_values)
    try:
        report = tlsreport.parse(json.dumps(document).encode(), REPORT)
    except ReportError:
        return
    assert tlsreport.parse(tlsreport.write(report), REPORT) == report


WANTED_FAILURE = ("result-type", "failed-session-count", "additional-information")


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("v=TLSRPTv1; rua=mailto:a@b.example", ("mailto:a@b.example",)),
        ("v=TLSRPTv1;rua=https://b.example/r , mailto:a@b.example;", ("https://b.example/r", "mailto:a@b.example")),
        ("v=TLSRPTv1 ; x.1=y; rua=mailto:a@b.example ; ", ("mailto:a@b.example",)),
        ("v=TLSRPTv1;rua=ftp://b.example,mailto:a@b.example", ("mailto:a@b.example",)),
    ],
)
def test_records(text, addresses):
    assert tlsreport.parse_record(text).addresses == addresses


@pytest.mark.parametrize(
    "text",
    [
        *("", "v=tlsrptv1; rua=mailto:a@b", "v=TLSRPTv2; rua=mailto:a@b", "v=TLSRPTv1", "v=TLSRPTv1;", "x"),
        *("v=TLSRPTv1; rua=", "v=TLSRPTv1; rua=a@b", "v=TLSRPTv1; rua", "v=TLSRPTv1; rua=mailto:a;rua=mailto:b"),
        *("v=TLSRPTv1; =x; rua=mailto:a@b", "v=TLSRPTv1; rua=mailto:"),
    ],
)
def test_no_records(text):
    with pytest.raises(TLSRPTRecordError):
        tlsreport.parse_record(text)


@given(st.text(max_size=40))
def test_any_record(text):
    try:
        assert tlsreport.parse_record("v=TLSRPTv1;" + text).addresses
    except TLSRPTRecordError:
        pass
