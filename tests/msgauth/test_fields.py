"""The header fields that tell of the checks: they parse back, and nothing gets out of them."""

import re
from dataclasses import replace
from ipaddress import ip_address

import pytest
from hypothesis import given, strategies as st

from appliance.mail import authres, header, receivedspf
from appliance.mail.address import NULL_PATH, Address, Path
from appliance.mail.domain import IPLiteral, parse_domain
from appliance.mail.receivedspf import ReceivedSPF
from appliance.msgauth import fields
from appliance.msgauth.client import Client
from appliance.msgauth.results import (
    DMARC,
    SPF,
    ARCResult,
    ARCSet,
    AuthStatus,
    Checked,
    DKIMResult,
    Identity,
    IPRev,
    Validation,
)

ORG = parse_domain("bücher.example")
HELO = parse_domain("mail.example.org")
CLIENT = Client(ip_address("2001:db8::1"), HELO, Path("bob", ORG), "mx.example.net")
CHECKED = Checked(
    msg_from=Address("bob", ORG),
    msg_from_org_domain=ORG,
    iprev=IPRev(AuthStatus.PASS, "mail.example.org", ("mail.example.org",), authentic=True),
    spf=SPF(AuthStatus.PASS, Identity.MAILFROM, ORG, "ip6:2001:db8::/32"),
    helo_spf=SPF(AuthStatus.NONE, Identity.HELO, HELO),
    dkim=(
        DKIMResult(
            AuthStatus.PASS, ORG, "2026a", "@xn--bcher-kva.example", "rsa-sha256", 2048, header_b="abc+/defghi="
        ),
        DKIMResult(AuthStatus.FAIL, None, text='body "hash" differs; really'),
    ),
    dmarc=DMARC(AuthStatus.PASS, ORG, authentic=True),
    msg_from_validation=Validation.STRICT,
)


def value(octets: bytes) -> bytes:
    return header.unfold(octets.partition(b":")[2]).strip().replace(b"\t", b" ")


def test_authentication_results() -> None:
    octets = fields.authentication_results(CLIENT, CHECKED)
    assert octets.startswith(b"Authentication-Results: mx.example.net;")
    parsed = authres.parse(value(octets))
    assert parsed.hostname == "mx.example.net"
    shown = [(one.method, one.result, one.comment, one.reason) for one in parsed.methods]
    assert shown == [
        ("iprev", "pass", "with dnssec", ""),
        ("dkim", "pass", "2048 bit rsa, without dnssec", ""),
        ("dkim", "fail", "without dnssec", 'body "hash" differs; really'),
        ("spf", "pass", "without dnssec", ""),
        ("dmarc", "pass", "with dnssec", ""),
    ]
    properties = [{f"{item.type}.{item.name}": item.value for item in one.properties} for one in parsed.methods]
    assert properties == [
        {"policy.iprev": "2001:db8::1"},
        {
            "header.d": "xn--bcher-kva.example",
            "header.s": "2026a",
            "header.a": "rsa-sha256",
            "header.b": "abc+/defghi=",
            "header.i": "@xn--bcher-kva.example",
        },
        {},
        {"smtp.mailfrom": "bob@xn--bcher-kva.example"},
        {"header.from": "xn--bcher-kva.example"},
    ]


def test_names_in_u_labels_for_smtputf8() -> None:
    octets = fields.authentication_results(CLIENT, CHECKED, utf8=True)
    assert "header.d=bücher.example".encode() in octets
    assert "smtp.mailfrom=bob@bücher.example".encode() in octets
    assert 'envelope-from="bob@bücher.example"'.encode() in fields.received_spf(CLIENT, CHECKED, utf8=True)


def test_what_there_is_not() -> None:
    nothing = replace(
        CHECKED,
        msg_from=None,
        dkim=(),
        spf=SPF(AuthStatus.NONE, Identity.HELO, None),
        helo_spf=SPF(AuthStatus.NONE, Identity.HELO, None),
        dmarc=DMARC(AuthStatus.NONE, text="no domain in From"),
    )
    client = replace(CLIENT, reverse_path=NULL_PATH, helo=IPLiteral(ip_address("192.0.2.1")))
    parsed = authres.parse(value(fields.authentication_results(client, nothing)))
    assert [(one.method, one.result) for one in parsed.methods] == [
        ("iprev", "pass"),
        ("dkim", "none"),
        ("spf", "none"),
        ("dmarc", "none"),
    ]
    assert parsed.methods[2].properties[0].value == "[192.0.2.1]"
    assert b"envelope-from" not in fields.received_spf(client, nothing)


def test_helo_that_says_something_of_its_own() -> None:
    checked = replace(CHECKED, helo_spf=SPF(AuthStatus.FAIL, Identity.HELO, HELO, "-all"))
    parsed = authres.parse(value(fields.authentication_results(CLIENT, checked)))
    found = [
        (one.result, one.properties[0].name, one.properties[0].value) for one in parsed.methods if one.method == "spf"
    ]
    assert found == [("pass", "mailfrom", "bob@xn--bcher-kva.example"), ("fail", "helo", "mail.example.org")]


@pytest.mark.parametrize("override", ["mailing_list", "forwarded", "sampled_out"])
def test_override(override: str) -> None:
    parsed = authres.parse(value(fields.authentication_results(CLIENT, CHECKED, override=override)))
    assert parsed.methods[-1].comment == f"with dnssec, override {override}"


def test_received_spf() -> None:
    octets = fields.received_spf(CLIENT, CHECKED)
    assert all(len(line) <= 78 for line in octets.split(b"\r\n"))
    assert value(octets) == (
        b'pass (xn--bcher-kva.example permits 2001:db8::1) client-ip="2001:db8::1";'
        b' envelope-from="bob@xn--bcher-kva.example"; helo=mail.example.org; mechanism="ip6:2001:db8::/32";'
        b" receiver=mx.example.net; identity=mailfrom"
    )


@pytest.mark.parametrize("status", ["temperror", "permerror"])
def test_received_spf_tells_the_problem(status: str) -> None:
    checked = replace(CHECKED, spf=SPF(AuthStatus(status), Identity.MAILFROM, ORG, text='a "problem"\r\nEvil: yes'))
    octets = fields.received_spf(CLIENT, checked)
    assert rb'problem="a \"problem\"  Evil: yes"' in value(octets)


#: What RFC 7208 §9.1 has after the result, loosely.
_PAIRS = re.compile(rb'[a-z-]+=(?:[^\s;"]+|"(?:[^"\\]|\\.)*")(?:;\s+[a-z-]+=(?:[^\s;"]+|"(?:[^"\\]|\\.)*"))*')


@given(st.text(max_size=400), st.text(max_size=400), st.text(max_size=400), st.booleans())
def test_nothing_gets_out_of_a_field(problem: str, localpart: str, mechanism: str, utf8: bool) -> None:
    octets = receivedspf.compose(
        ReceivedSPF(
            "fail", f"({problem}", CLIENT.remote_ip, f"{localpart}@a.example", "h", problem, mechanism, "r", "helo"
        ),
        utf8=utf8,
    )
    assert octets.endswith(b"\r\n")
    assert all(line[:1] in {b"\t", b" "} and len(line) <= 998 for line in octets.split(b"\r\n")[1:-1])
    assert header.unfold(octets).replace(b"\t", b" ").startswith(b"Received-SPF: fail (")
    rest = octets[octets.index(b"client-ip=") :].rstrip()
    assert _PAIRS.fullmatch(rest)


def test_chains_are_told_of() -> None:
    sets = tuple(ARCSet(at, parse_domain(f"s{at}.example"), "x", None, at > 1) for at in (1, 2))
    checked = replace(CHECKED, arc=ARCResult(AuthStatus.PASS, sets))
    *_, told = authres.parse(value(fields.authentication_results(CLIENT, checked))).methods
    assert (told.method, told.result, told.comment) == ("arc", "pass", "sealed by s1.example, s2.example")
    properties = {f"{item.type}.{item.name}": item.value for item in told.properties}
    assert properties == {"smtp.remote-ip": "2001:db8::1", "header.oldest-pass": "2"}
    checked = replace(CHECKED, arc=ARCResult(AuthStatus.FAIL, text="a set is missing"))
    *_, told = authres.parse(value(fields.authentication_results(CLIENT, checked))).methods
    assert (told.method, told.result, told.reason) == ("arc", "fail", "a set is missing")
