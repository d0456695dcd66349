import pytest

from appliance.config import values
from appliance.config.values import (
    DomainName,
    Duration,
    HostPattern,
    HostPort,
    IPName,
    Localpart,
    MailboxName,
    NetworkName,
    Pattern,
    Port,
    Quota,
    ReplyText,
    RouteDomain,
    Separator,
    Size,
    URLPath,
    WebURL,
)
from appliance.mail.domain import parse_domain


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("72h", 72 * 3600),
        ("1h30m", 5400),
        ("2w", 14 * 86400),
        ("1.5d", 36 * 3600),
        ("250ms", 0.25),
        ("0s", 0),
        ("5us", 5e-6),
        ("7ns", 7e-9),
    ],
)
def test_duration(text: str, seconds: float) -> None:
    assert Duration(text).seconds == pytest.approx(seconds)
    assert Duration(text) == text


@pytest.mark.parametrize("text", ["72", "", "h", "1x", "-1h", "1h ", "1 h", "1h30", "101000d", "9" * 40 + "s"])
def test_not_a_duration(text: str) -> None:
    with pytest.raises(ValueError):
        Duration(text)


@pytest.mark.parametrize(
    ("written", "octets"), [(100, 100), ("100", 100), ("2k", 2048), ("2K", 2048), ("3M", 3 << 20), ("20G", 20 << 30)]
)
def test_size(written: int | str, octets: int) -> None:
    assert Size(written) == octets


@pytest.mark.parametrize("written", ["-1", -1, "2T", "G", "1.5G", "9" * 19, "", "900000000000000000G"])
def test_not_a_size(written: int | str) -> None:
    with pytest.raises(ValueError):
        Size(written)


def test_quota_may_be_negative() -> None:
    assert Quota(-1) == -1
    assert Quota("-1") == -1


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        pytest.param(DomainName, "Mail.Example.org", "mail.example.org", id="domain in lower case"),
        pytest.param(DomainName, "bücher.example", "bücher.example", id="domain in U-labels"),
        pytest.param(DomainName, "bu\u0308cher.example", "bücher.example", id="domain in NFC"),
        pytest.param(HostPattern, "*.example.org", "*.example.org", id="wildcard"),
        pytest.param(RouteDomain, ".", ".", id="null sender"),
        pytest.param(RouteDomain, ".example.org", ".example.org", id="and below"),
        pytest.param(Localpart, "jose\u0301", "josé", id="localpart in NFC"),
        pytest.param(Localpart, '"a b"', "a b", id="quoted localpart"),
        pytest.param(Separator, "--", "--", id="long separator"),
        pytest.param(MailboxName, "inbox/a", "Inbox/a", id="inbox in any case"),
        pytest.param(IPName, "2001:DB8::0:1", "2001:db8::1", id="ip"),
        pytest.param(NetworkName, "10.0.0.0/8", "10.0.0.0/8", id="network"),
        pytest.param(NetworkName, "2001:DB8::/32", "2001:db8::/32", id="ipv6 network"),
        pytest.param(NetworkName, "192.0.2.1", "192.0.2.1/32", id="network of one address"),
        pytest.param(HostPort, "[::1]:1080", "[::1]:1080", id="host and port"),
        pytest.param(URLPath, "/admin", "/admin/", id="slash added"),
        pytest.param(Pattern, r"^(junk|spam)\d+[^a-z\]]{2,}?$", r"^(junk|spam)\d+[^a-z\]]{2,}?$", id="pattern"),
        pytest.param(Pattern, r"a\++[+]+(?:x)*(?i:y)(?P<n>z)", r"a\++[+]+(?:x)*(?i:y)(?P<n>z)", id="harmless plus"),
    ],
)
def test_value(kind: type[values.Value], text: str, value: str) -> None:
    assert kind(text) == value


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        pytest.param(DomainName, "xn--bcher-kva.example", '"bücher.example"', id="A-label"),
        pytest.param(DomainName, "example.org.", "dot", id="final dot"),
        pytest.param(DomainName, "192.0.2.1", "IP address", id="address as domain"),
        pytest.param(HostPattern, "mx.*.example.org", "domain", id="star inside"),
        pytest.param(values.AddressName, "nobody", "@", id="no at"),
        pytest.param(values.AddressName, "a@xn--bcher-kva.example", "bücher", id="A-label in address"),
        pytest.param(Localpart, "a b", "localpart", id="space"),
        pytest.param(Separator, "@", "must be", id="separator"),
        pytest.param(MailboxName, "e\u0301", '"é"', id="not NFC"),
        pytest.param(MailboxName, "a//b", "empty", id="empty element"),
        pytest.param(MailboxName, "#a", "#", id="hash"),
        pytest.param(MailboxName, "a\tb", "control", id="control"),
        pytest.param(MailboxName, "a" * 201, "long", id="long"),
        pytest.param(Pattern, "(", "regular expression", id="broken"),
        pytest.param(Pattern, r"(a)\1", "not supported", id="back-reference"),
        pytest.param(Pattern, "a(?=b)", "not supported", id="look-ahead"),
        pytest.param(Pattern, "(?<!a)b", "not supported", id="look-behind"),
        pytest.param(Pattern, "a++", "not supported", id="possessive"),
        pytest.param(Pattern, "(?>a)", "not supported", id="atomic"),
        pytest.param(Pattern, "[[:alpha:]]", "backslash", id="posix class"),
        pytest.param(Pattern, "a" * 5000, "longer", id="long pattern"),
        pytest.param(IPName, "fe80::1%eth0", "zone", id="zone"),
        pytest.param(NetworkName, "10.0.0.1/8", "that network is 10.0.0.0/8", id="address with a prefix"),
        pytest.param(NetworkName, "10.0.0.0/33", "IP address or network", id="prefix too long"),
        pytest.param(NetworkName, "fe80::%eth0/64", "zone", id="network with a zone"),
        pytest.param(NetworkName, "proxy.example", "IP address or network", id="no network"),
        pytest.param(IPName, "300.1.1.1", "IP", id="no ip"),
        pytest.param(HostPort, "localhost", "host:port", id="no port"),
        pytest.param(HostPort, "::1:80", "host:port", id="bare IPv6"),
        pytest.param(HostPort, "localhost:99999", "port", id="port too large"),
        pytest.param(WebURL, "ftp://a/", "http", id="scheme"),
        pytest.param(WebURL, "http://a:b/", "URL", id="url port"),
        pytest.param(WebURL, "/a", "http", id="relative url"),
        pytest.param(URLPath, "a/", "slash", id="no slash"),
        pytest.param(ReplyText, "é", "ASCII", id="reply text"),
        pytest.param(ReplyText, "a" * 257, "256", id="long reply text"),
        pytest.param(values.HeaderName, "a b", "space", id="header name"),
        pytest.param(values.FilePath, "a\0", "file name", id="file name"),
    ],
)
def test_not_a_value(kind: type[values.Value], text: str, message: str) -> None:
    with pytest.raises(ValueError, match="(?s).*" + message.replace(".", r"\.")):
        kind(text)


def test_port() -> None:
    with pytest.raises(ValueError):
        Port(65536)


@pytest.mark.parametrize(
    ("route", "domain", "expected"),
    [
        ("example.org", "example.org", True),
        ("example.org", "a.example.org", False),
        (".example.org", "example.org", True),
        (".example.org", "a.b.example.org", True),
        (".example.org", "badexample.org", False),
        (".bücher.example", "a.xn--bcher-kva.example", True),
        (".", None, True),
        (".", "example.org", False),
        ("example.org", None, False),
    ],
)
def test_route_domain_matches(route: str, domain: str | None, expected: bool) -> None:
    assert RouteDomain(route).matches(parse_domain(domain) if domain else None) is expected


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        pytest.param("^(junk|spam)", "spam/2020", True, id="at the beginning"),
        pytest.param("^(junk|spam)", "my spam", False, id="only there"),
        pytest.param("spam", "my spam", True, id="anywhere"),
        pytest.param("^$", "", True, id="empty"),
        pytest.param("lists/.*é$", "lists/café", True, id="beyond ASCII"),
        # Each of these would keep the standard library busy for longer than anybody lives.
        pytest.param("(a|aa)+$", "a" * 999 + "b", False, id="two ways"),
        pytest.param("(a*)*$", "a" * 999 + "b", True, id="nested, and matches nothing at the end"),
        pytest.param("^(a+)+$", "a" * 999 + "b", False, id="nested"),
        pytest.param("(.*a){12}(.*b){12}$", "ab" * 400 + "c", False, id="many stars"),
        # A program of a thousand places, all of which are looked at for each character.
        pytest.param("[a-z]{0,1000}[0-9]", "abc5", True, id="large"),
        pytest.param("[a-z]{0,1000}[0-9]", "abcde" * 199 + "5", False, id="too much work for a name"),
    ],
)
def test_a_pattern_in_a_name(pattern, name, expected):
    assert Pattern(pattern).matches(name) is expected
