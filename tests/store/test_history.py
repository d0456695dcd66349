"""By which names a message is remembered."""

from ipaddress import ip_address

import pytest

from appliance.store.history import By, names, networks
from appliance.store.records import UPLOADED, Origin


@pytest.mark.parametrize(
    ("ip", "expected"),
    [
        pytest.param("192.0.2.77", ("192.0.2.77", "192.0.2.64", "192.0.0.0"), id="IPv4"),
        pytest.param("255.255.255.255", ("255.255.255.255", "255.255.255.192", "255.255.248.0"), id="the last"),
        pytest.param("::ffff:192.0.2.77", ("192.0.2.77", "192.0.2.64", "192.0.0.0"), id="IPv4 within IPv6"),
        pytest.param("2001:db8:1:2:3:4:5:6", ("2001:db8:1:2::", "2001:db8:1::", "2001:db8::"), id="IPv6"),
        pytest.param("fe80::1%eth0", ("fe80::", "fe80::", "fe80::"), id="with a scope"),
    ],
)
def test_networks(ip, expected):
    assert networks(ip_address(ip)) == expected


BOB = Origin(
    remote_ip="192.0.2.77",
    ehlo="mx.xn--bcher-kva.example",
    mail_from='"b@x"@bücher.example',
    msg_from_localpart="bob jr",
    msg_from_domain="a.example.org",
    msg_from_org_domain="example.org",
    ehlo_validated=False,
    mail_from_validated=True,
    msg_from_validated=False,
    dkim_domains=("example.org", "d.example"),
)
FROM = [
    (By.FROM, '"bob jr"@a.example.org', False),
    (By.FROM_DOMAIN, "a.example.org", False),
    (By.FROM_ORG_DOMAIN, "example.org", False),
]
DKIM = [(By.DKIM_DOMAIN, "example.org", True), (By.DKIM_DOMAIN, "d.example", True)]
NETWORKS = [(By.NETWORK1, "192.0.2.77", True), (By.NETWORK2, "192.0.2.64", True), (By.NETWORK3, "192.0.0.0", True)]


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        pytest.param(
            BOB,
            [
                *FROM,
                *DKIM,
                (By.MAIL_FROM, '"b@x"@bücher.example', True),
                (By.MAIL_FROM_DOMAIN, "bücher.example", True),
                (By.EHLO_DOMAIN, "mx.bücher.example", False),
                *NETWORKS,
            ],
            id="all of them",
        ),
        pytest.param(UPLOADED, [], id="uploaded"),
        pytest.param(Origin(rcpt_to="alice@us.example", is_dsn=True), [], id="a notice of ours"),
        pytest.param(Origin(remote_ip="192.0.2.77", ehlo="[192.0.2.77]"), NETWORKS, id="null path, literal"),
        pytest.param(
            Origin(remote_ip="192.0.2.77", mail_from="postmaster", ehlo="not a name"),
            [(By.MAIL_FROM, "postmaster", False), *NETWORKS],
            id="postmaster without domain",
        ),
        pytest.param(
            Origin(mail_from="bob@[192.0.2.77]"),
            [(By.MAIL_FROM, "bob@[192.0.2.77]", False)],
            id="path with a literal",
        ),
        pytest.param(
            Origin(
                remote_ip="192.0.2.77",
                ehlo="mx.f.example",
                mail_from="bounce@f.example",
                msg_from_localpart="bob jr",
                msg_from_domain="a.example.org",
                msg_from_org_domain="example.org",
                mail_from_validated=True,
                dkim_domains=("example.org", "d.example"),
                orig_ehlo="mx.f.example",
                orig_dkim_domains=("f.example", "example.org", "d.example"),
                is_forward=True,
            ),
            [*FROM, *DKIM],
            id="forwarded",
        ),
        pytest.param(
            Origin(dkim_domains=tuple(f"d{number}.example" for number in range(99))),
            [(By.DKIM_DOMAIN, f"d{number}.example", True) for number in range(10)],
            id="signed by many",
        ),
    ],
)
def test_names(origin, expected):
    assert list(names(origin)) == expected
