"""MTA-STS records and policies."""

import pytest
from hypothesis import given, strategies as st

from appliance.mail.mtasts import MAX_AGE_SECONDS, Mode, MTASTSError, Policy, is_record, parse_policy, parse_record

MOST = 3
POLICY = b"version: STSv1\r\nmode: enforce\r\nmx: mx1.example.org\r\nmx: *.Example.net\r\nmax_age: 604800\r\n"


@pytest.mark.parametrize(("text", "identity"), [
    pytest.param("v=STSv1; id=20160831085700Z;", "20160831085700Z", id="of the RFC"),
    pytest.param("v=STSv1;id=a", "a", id="short"),
    pytest.param("v=STSv1 \t;\tid=a \t; ", "a", id="white space around"),
    pytest.param("v=STSv1; a.b-c_d=x:y; id=a; z=1", "a", id="other fields"),
    pytest.param("v=STSv1; id=a; id=b", "a", id="the first id"),
    pytest.param(f"v=STSv1; id={'9' * 32}", "9" * 32, id="longest id"),
])  # fmt: skip
def test_record(text, identity):
    assert is_record(text)
    assert parse_record(text) == identity


@pytest.mark.parametrize(("text", "is_one", "why"), [
    pytest.param("v=STSv1", False, "does not begin", id="without semicolon"),
    pytest.param("v=stsv1; id=a", False, "does not begin", id="case counts"),
    pytest.param(" v=STSv1; id=a", False, "does not begin", id="space before"),
    pytest.param("v=STSv11; id=a", False, "does not begin", id="other version"),
    pytest.param("v=spf1 -all", False, "does not begin", id="something else"),
    pytest.param("v=STSv1;", True, "lacks id=", id="no id"),
    pytest.param("v=STSv1; ID=a", True, "lacks id=", id="names have a case"),
    pytest.param("v=STSv1; id=", True, "not name=value", id="empty id"),
    pytest.param("v=STSv1; id=a-b", True, "letters and digits", id="hyphen in id"),
    pytest.param(f"v=STSv1; id={'9' * 33}", True, "letters and digits", id="id too long"),
    pytest.param("v=STSv1; id = a", True, "not name=value", id="space before equals"),
    pytest.param("v=STSv1; id=a b", True, "not name=value", id="space in value"),
    pytest.param("v=STSv1; id=a; what", True, "not name=value", id="no value"),
    pytest.param("v=STSv1; id=a;; b=c", True, "not name=value", id="nothing between semicolons"),
    pytest.param("v=STSv1; id=a; b=c=d", True, "not name=value", id="two equals signs"),
    pytest.param("v=STSv1; id=\u0661", True, "not name=value", id="digits of others"),
])  # fmt: skip
def test_no_record(text, is_one, why):
    assert is_record(text) is is_one
    with pytest.raises(MTASTSError, match=why):
        parse_record(text)


def test_policy():
    lines = tuple(POLICY.decode().split("\r\n")[:-1])
    expected = Policy(Mode.ENFORCE, 604800, ("mx1.example.org", "*.example.net"), lines)
    assert parse_policy(POLICY, MOST) == expected
    assert parse_policy(POLICY.replace(b"\r\n", b"\n"), MOST) == expected
    assert parse_policy(POLICY.removesuffix(b"\r\n"), MOST) == expected


@pytest.mark.parametrize(("octets", "expected"), [
    pytest.param(b"mode:none\nmax_age:0\nversion:STSv1", Policy(Mode.NONE, 0), id="none needs no mx, order is free"),
    pytest.param(b"version: STSv1  \n\n\nmode: \t testing\t\nmx: a\nmax_age: 1\n\n", Policy(Mode.TESTING, 1, ("a",)),
                 id="white space and empty lines"),
    pytest.param(b"version: STSv1\nversion: 2\nmode: testing\nmode: none\nmx: a\nmax_age: 1\nmax_age: x",
                 Policy(Mode.TESTING, 1, ("a",)), id="the first of a kind"),
    pytest.param("version: STSv1\nmode: testing\nmx: a\nmax_age: 1\nnote: grüße: 1".encode(),
                 Policy(Mode.TESTING, 1, ("a",)), id="other fields"),
    pytest.param(b"version: STSv1\nmode: testing\nmx: a\nmx: A\nmx: a\nmx: a\nmax_age: 9999999999",
                 None, id="repetitions count to the limit"),
    pytest.param(b"version: STSv1\nmode: testing\nmx: _a.b\nmax_age: 9999999999",
                 Policy(Mode.TESTING, MAX_AGE_SECONDS, ("_a.b",)), id="no longer than a year"),
])  # fmt: skip
def test_policies(octets, expected):
    if expected is None:
        with pytest.raises(MTASTSError, match="more than 3 mx"):
            parse_policy(octets, MOST)
        return
    found = parse_policy(octets, MOST)
    assert (found.mode, found.max_age_seconds, found.patterns) == (
        expected.mode,
        expected.max_age_seconds,
        expected.patterns,
    )


@pytest.mark.parametrize(("before", "after", "why"), [
    pytest.param(b"STSv1", b"STSv2", "version that", id="other version"),
    pytest.param(b"version: STSv1", b"", "lacks version", id="no version"),
    pytest.param(b"mode: enforce", b"", "lacks mode", id="no mode"),
    pytest.param(b"enforce", b"Enforce", "mode that", id="case of a mode"),
    pytest.param(b"max_age: 604800", b"", "lacks max_age", id="no max_age"),
    pytest.param(b"604800", b"-1", "max_age that", id="negative"),
    pytest.param(b"604800", b"12345678901", "max_age that", id="eleven digits"),
    pytest.param(b"604800", "\u0661".encode(), "max_age that", id="digits of others"),
    pytest.param(b"mx: ", b"mxx: ", "lacks mx", id="no mx"),
    pytest.param(b"mx1.example.org", b"", "not name: value", id="no value"),
    pytest.param(b"mx1.example.org", b"mx1.example.org.", "not the name", id="final dot"),
    pytest.param(b"*.Example", b"*Example", "not the name", id="star in a label"),
    pytest.param(b"*.Example", b"a.*.Example", "not the name", id="star inside"),
    pytest.param(b"mx1.", b"mx1..", "not the name", id="empty label"),
    pytest.param(b"mx1", "mü1".encode(), "not the name", id="U-label"),
    pytest.param(b"mx1", b"x" * 64, "not the name", id="long label"),
    pytest.param(b"mx1", b"abc." * 62 + b"x", "not the name", id="long name"),
    pytest.param(b"mx1.example.org", b"[192.0.2.1]", "not the name", id="address"),
    pytest.param(b"mode:", b" mode:", "not name: value", id="folded"),
    pytest.param(b"mode:", b"mode :", "not name: value", id="space before the colon"),
    pytest.param(b"mode: ", b"mode ", "not name: value", id="no colon"),
    pytest.param(b"mode", b"no\rte: a\nmode", "not name: value", id="CR in a line"),
    pytest.param(b"enforce", b"enforce\0", "not name: value", id="NUL"),
    pytest.param(b"mode", b"note: \xff\nmode", "UTF-8", id="not UTF-8"),
    pytest.param(POLICY, b"<html>", "not name: value", id="a page"),
    pytest.param(POLICY, b"", "lacks version", id="nothing"),
])  # fmt: skip
def test_no_policy(before, after, why):
    assert before in POLICY
    with pytest.raises(MTASTSError, match=why):
        parse_policy(POLICY.replace(before, after), MOST)


@pytest.mark.parametrize(("host", "allowed"), [
    ("mx1.example.org", True),
    ("MX1.example.org.", True),
    ("example.org", False),
    ("a.mx1.example.org", False),
    ("any.example.net", True),
    ("example.net", False),
    ("a.any.example.net", False),
    ("*.example.net", True),
    ("net", False),
    ("", False),
])  # fmt: skip
def test_hosts(host, allowed):
    assert parse_policy(POLICY, MOST).allows(host) is allowed


FIELDS = st.sampled_from([b"version", b"mode", b"mx", b"max_age", b"STSv1", b"none", b"a.b", b"1", b":", b" ", b"\n",
                          b"\r\n", b"\r", b"\0", b"\xff"])  # fmt: skip


@given(st.one_of(st.binary(max_size=300), st.lists(FIELDS, max_size=30).map(b"".join)))
def test_any_octets_are_a_policy_or_none(octets):
    try:
        policy = parse_policy(octets, MOST)
    except MTASTSError:
        return
    assert policy.patterns or policy.mode is Mode.NONE
    assert parse_policy("\n".join(policy.lines).encode(), MOST) == policy


@given(st.one_of(st.text(max_size=100), st.text(alphabet="v=STSv1;id \t", max_size=30).map("v=STSv1;".__add__)))
def test_any_text_is_a_record_or_none(text):
    try:
        identity = parse_record(text)
    except MTASTSError:
        return
    assert is_record(text)
    assert 1 <= len(identity) <= 32
