import ipaddress

import pytest
from hypothesis import given, settings, strategies as st

from appliance.mail.domain import Domain, DomainError, IPLiteral, parse_domain, parse_host


@pytest.mark.parametrize(
    ("text", "ascii_name", "unicode_name"),
    [
        pytest.param("Example.ORG", "example.org", "example.org", id="lower case"),
        pytest.param("localhost", "localhost", "localhost", id="one label"),
        pytest.param("bücher.example", "xn--bcher-kva.example", "bücher.example", id="U-label"),
        pytest.param("BÜCHER.example", "xn--bcher-kva.example", "bücher.example", id="U-label in capitals"),
        pytest.param("bu\u0308cher.example", "xn--bcher-kva.example", "bücher.example", id="not NFC"),
        pytest.param("XN--BCHER-KVA.example", "xn--bcher-kva.example", "bücher.example", id="A-label"),
        pytest.param("faß.example", "xn--fa-hia.example", "faß.example", id="sharp s is kept"),
        pytest.param("a。example", "a.example", "a.example", id="ideographic full stop"),
        pytest.param("a" * 63 + ".example", "a" * 63 + ".example", "a" * 63 + ".example", id="longest label"),
    ],
)
def test_parse(text, ascii_name, unicode_name):
    domain = parse_domain(text)
    assert (domain.ascii, domain.unicode) == (ascii_name, unicode_name)
    assert str(domain) == unicode_name
    assert parse_domain(domain.ascii) == parse_domain(domain.unicode) == domain
    assert hash(parse_domain(domain.unicode)) == hash(domain)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param(".", id="root"),
        pytest.param("example.org.", id="final dot"),
        pytest.param(".example.org", id="leading dot"),
        pytest.param("a..b", id="empty label"),
        pytest.param("a" * 64 + ".example", id="long label"),
        pytest.param(".".join(["a" * 60] * 5), id="long name"),
        pytest.param("x" * 100_000, id="far too long"),
        pytest.param("192.0.2.1", id="IPv4"),
        pytest.param("[192.0.2.1]", id="literal"),
        pytest.param("2001:db8::1", id="IPv6"),
        pytest.param("_dmarc.example", id="underscore"),
        pytest.param("-a.example", id="leading hyphen"),
        pytest.param("a b.example", id="space"),
        pytest.param("a.example\n", id="line end"),
        pytest.param("ab--c.example", id="reserved hyphens"),
        pytest.param("xn--a.example", id="no punycode"),
        pytest.param("i❤.example", id="symbol"),
        pytest.param("ü_b.example", id="underscore beside U-label"),
        pytest.param("a\0.example", id="NUL"),
    ],
)
def test_refused(text):
    with pytest.raises(DomainError):
        parse_domain(text)


@pytest.mark.parametrize("text", ["_dmarc.example", "r1---sn.example", "xn--i-7iq.example", "my_pc"])
def test_lax(text):
    assert parse_domain(text, lax=True) == Domain(text, text)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        pytest.param("[192.0.2.1]", IPLiteral(ipaddress.ip_address("192.0.2.1")), id="IPv4"),
        pytest.param("[IPv6:2001:db8::1]", IPLiteral(ipaddress.ip_address("2001:db8::1")), id="IPv6"),
        pytest.param("example.org", Domain("example.org", "example.org"), id="domain"),
    ],
)
def test_host(text, host):
    assert parse_host(text) == host
    assert str(host) == text


@pytest.mark.parametrize(
    "text", ["[", "[]", "[192.0.2.1", "[192.0.2]", "[2001:db8::1]", "[IPv6:fe80::1%eth0]", "[IPv6:192.0.2.1]", "[x]"]
)
def test_host_refused(text):
    with pytest.raises(DomainError):
        parse_host(text)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60) | st.text("axn-.Üß_1\u0308", max_size=30), st.booleans())
def test_any_text(text, lax):
    try:
        domain = parse_domain(text, lax=lax)
        parse_host(text, lax=lax)
    except DomainError:
        return
    assert domain.ascii.isascii()
    assert domain.ascii == domain.ascii.lower()
    assert parse_domain(domain.unicode, lax=lax) == domain
