"""What ACME servers say, and CAA records."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, strategies as st

from appliance.dns.answers import CAA, Type
from appliance.dns.problems import Temporary
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table
from appliance.tls.acme import caa, messages
from appliance.tls.acme.messages import BadMessage, Directory, Order, RenewalInfo

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
ORDER = {"status": "pending", "authorizations": ["a"], "finalize": "f", "expires": "2026", "identifiers": []}


def test_messages():
    assert messages.parse(json.dumps(ORDER).encode(), Order) == Order("pending", ("a",), "f")
    found = messages.parse(
        b'{"newNonce":"n","newAccount":"a","newOrder":"o","x":1,"meta":{"caaIdentities":["ca.example"]}}', Directory
    )
    assert (found.new_order, found.renewal_info, found.meta.caa_identities) == ("o", "", ("ca.example",))
    window = b'{"suggestedWindow":{"start":"2026-11-01T12:00:00Z","end":"2026-11-02T12:00:00Z"},"explanationURL":"e"}'
    info = messages.parse(window, RenewalInfo)
    assert (info.suggested_window.start, info.explanation_url) == (NOW, "e")


@pytest.mark.parametrize("octets", [
    b"", b"[]", b"{}", b"\xff", b"[" * 100_000, json.dumps({**ORDER, "status": 5}).encode(),
    json.dumps({**ORDER, "authorizations": None}).encode(), json.dumps({**ORDER, "error": "text"}).encode(),
])  # fmt: skip
def test_what_makes_no_sense(octets):
    with pytest.raises(BadMessage, match="the ACME server's order makes no sense"):
        messages.parse(octets, Order)


@given(st.binary(max_size=200))
def test_problems_of_any_octets(octets):
    assert len(str(messages.parse_problem(octets, 500))) <= 500


@pytest.mark.parametrize(("document", "text"), [
    pytest.param({"type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many"}, "rateLimited: too many",
                 id="known"),
    pytest.param({"type": "https://ca.example/x"}, "https://ca.example/x", id="of its own"),
    pytest.param({"type": "urn:ietf:params:acme:error:caa", "detail": "a\r\nb\x1b[1m"}, "caa: a b [1m", id="controls"),
    pytest.param({"type": "urn:ietf:params:acme:error:compound", "detail": "two", "subproblems": [
        {"type": "urn:ietf:params:acme:error:dns", "detail": "gone", "identifier": {"type": "dns", "value": "a.test"}},
        {"type": "urn:ietf:params:acme:error:caa", "detail": "no"}]},
        "compound: two; a.test: dns: gone; caa: no", id="of several names"),
])  # fmt: skip
def test_problems(document, text):
    assert str(messages.parse_problem(json.dumps(document).encode(), 400)) == text


def test_a_response_without_problem():
    assert str(messages.parse_problem(b"<html>", 502)) == "about:blank: the ACME server answered 502"


@pytest.mark.parametrize(("value", "seconds"), [
    (None, None), ("", None), ("5", 5), (" 120 ", 120), ("-5", None), ("soon", None),
    ("Sun, 01 Nov 2026 12:01:00 GMT", 60), ("Sun, 01 Nov 2026 11:00:00 GMT", 0), ("9" * 400, 999_999_999),
])  # fmt: skip
def test_retry_after(value, seconds):
    assert messages.parse_retry_after(value, NOW) == seconds


def record(value, tag="issue", flags=0):
    return CAA(flags, tag, value)


@pytest.mark.parametrize(("records", "objection"), [
    pytest.param([], "", id="none"),
    pytest.param([record("ca.example")], "", id="ours"),
    pytest.param([record("other.example"), record(" CA.Example ")], "", id="ours among others"),
    pytest.param([record("other.example")], "allow other.example to issue certificates, not ca.example", id="others"),
    pytest.param([record(";")], "allow nobody", id="nobody"),
    pytest.param([record("other.example", "issuewild")], "", id="about wildcards"),
    pytest.param([record("mailto:a@b.example", "iodef")], "", id="no issue"),
    pytest.param([record("x", "future", 128)], "critical property 'future'", id="critical and unknown"),
    pytest.param([record("x", "future")], "", id="unknown"),
    pytest.param([record("ca.example; accounturi=https://a.test/1")], "", id="our account"),
    pytest.param([record("ca.example;accounturi=https://a.test/2")], "the account https://a.test/2 only", id="another"),
    pytest.param([record("ca.example; validationmethods=dns-01,tls-alpn-01")], "", id="our method"),
    pytest.param([record("ca.example; validationmethods=dns-01")], "allows dns-01 only, we can do http-01, tls-alpn-01",
                 id="another method"),
    pytest.param([record("ca.example; validationmethods=dns-01"), record("ca.example")], "", id="one of two"),
])  # fmt: skip
def test_caa(records, objection):
    methods = ["http-01", "tls-alpn-01"]
    found = caa.objection(records, {"ca.example"}, account_url="https://a.test/1", methods=methods)
    assert (objection in found) and bool(found) == bool(objection), found  # noqa: PT018


@pytest.mark.parametrize(("records", "objection"), [
    pytest.param([record("ca.example")], "", id="no word about wildcards"),
    pytest.param([record("other.example")], "allow other.example", id="another one"),
    pytest.param([record("ca.example"), record(";", "issuewild")], "allow nobody", id="no wildcards"),
    pytest.param([record("other.example"), record("ca.example", "issuewild")], "", id="wildcards from us"),
])  # fmt: skip
def test_caa_of_wildcards(records, objection):
    """RFC 8659 §4.3."""
    found = caa.objection(records, {"ca.example"}, methods=["dns-01"], wildcard=True)
    assert (objection in found) and bool(found) == bool(objection), found  # noqa: PT018


@pytest.mark.parametrize(("name", "owner"), [
    ("a.b.example.org", "b.example.org"), ("b.example.org", "b.example.org"), ("c.example.org", "example.org"),
    ("alias.example.org", "alias.example.org"), ("example.net", ""),
])  # fmt: skip
async def test_caa_of_the_closest_name_counts(name, owner):
    """RFC 8659 §3, with its CNAMEs."""
    records = {
        "example.org": {Type.CAA: [record("org.example")]},
        "b.example.org": {Type.CAA: [record("b.example")]},
        "alias.example.org": {Type.CNAME: ["target.example.net"]},
        "target.example.net": {Type.CAA: [record("target.example")]},
    }
    found, _ = await caa.records(Resolver(Table(records)), name)
    assert found == owner


async def test_caa_without_answer():
    with pytest.raises(Temporary):
        await caa.records(Resolver(Table({}, failing=[("example.org", Type.CAA)])), "mx.example.org")
