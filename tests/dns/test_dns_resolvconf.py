"""resolv.conf(5), with everything that people write into it."""

import pytest

from appliance.dns.resolvconf import Configuration, NameServer, parse, parse_server

LOCAL = (NameServer("127.0.0.1"), NameServer("::1"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", Configuration(LOCAL), id="empty: this machine"),
        pytest.param("nameserver 192.0.2.1", Configuration((NameServer("192.0.2.1"),)), id="one"),
        pytest.param(
            "# made by hand\nsearch example.org\nnameserver 192.0.2.1 ; first\n  nameserver\t2001:db8::1\n",
            Configuration((NameServer("192.0.2.1"), NameServer("2001:db8::1"))),
            id="comments, search list, tabs",
        ),
        pytest.param(
            "".join(f"nameserver 192.0.2.{n}\n" for n in range(1, 6)),
            Configuration(tuple(NameServer(f"192.0.2.{n}") for n in range(1, 4))),
            id="the fourth is not asked",
        ),
        pytest.param("nameserver fe80::1%eth0", Configuration((NameServer("fe80::1%eth0"),)), id="with a scope"),
        pytest.param("nameserver dns.example\nnameserver", Configuration(LOCAL), id="no addresses"),
        pytest.param(
            "options timeout:3 attempts:4 rotate use-vc trust-ad edns0 ndots:5",
            Configuration(LOCAL, 3, 4, rotate=True, tcp=True, trust_ad=True),
            id="options",
        ),
        pytest.param("options timeout:99 attempts:99", Configuration(LOCAL, 30, 5), id="cut"),
        pytest.param("options timeout:0 attempts:x timeout: attempts", Configuration(LOCAL), id="no numbers"),
        pytest.param("options timeout:99999999999999999999", Configuration(LOCAL), id="no number either"),
        pytest.param("options timeout:3\noptions rotate", Configuration(LOCAL, 3, rotate=True), id="two lines"),
    ],
)
def test_parse(text: str, expected: Configuration) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "trusted"),
    [
        ("", True),
        ("nameserver 127.0.0.53", True),
        ("nameserver ::1", True),
        ("nameserver 192.0.2.1", False),
        ("nameserver 127.0.0.1\nnameserver 192.0.2.1", False),
        ("nameserver 192.0.2.1\noptions trust-ad", True),
    ],
)
def test_whom_to_believe(text: str, trusted: bool) -> None:
    assert parse(text).trusted is trusted


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.1:5353", NameServer("192.0.2.1", 5353)),
        ("[2001:db8::1]:5353", NameServer("2001:db8::1", 5353)),
        ("2001:db8::1", NameServer("2001:db8::1")),
        ("192.0.2.1:0", None),
        ("192.0.2.1:99999", None),
        ("192.0.2.1%eth0", None),
        ("fe80::1%et h", None),
        ("example.org:53", None),
    ],
)
def test_server(text: str, expected: NameServer | None) -> None:
    assert parse_server(text) == expected
    if expected is not None:
        assert parse_server(str(expected)) == expected
