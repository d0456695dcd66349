"""What the decision needs to know, from the checks of a message."""

from dataclasses import replace
from ipaddress import ip_address

from appliance.base.limits import HEADER
from appliance.config.domains import Ruleset
from appliance.config.values import DomainName
from appliance.delivery.decide import Accept, Reason
from appliance.delivery.facts import reason_field, sender
from appliance.delivery.reputation import Sender
from appliance.mail import header
from appliance.mail.address import Path, parse_address
from appliance.mail.domain import IPLiteral, parse_domain
from appliance.msgauth.client import Client
from appliance.msgauth.results import DMARC, SPF, AuthStatus, Checked, DKIMResult, Identity, IPRev, Validation

CLIENT = Client(
    ip_address("192.0.2.77"), parse_domain("mx.f.example"), Path("bounce", parse_domain("xn--bcher-kva.example")), "us.example"
)  # fmt: skip
CHECKED = Checked(
    msg_from=parse_address("bob@a.example.org"),
    msg_from_org_domain=parse_domain("example.org"),
    iprev=IPRev(AuthStatus.PASS),
    spf=SPF(AuthStatus.PASS, Identity.MAILFROM, parse_domain("xn--bcher-kva.example")),
    helo_spf=SPF(AuthStatus.PASS, Identity.HELO, parse_domain("mx.f.example")),
    dkim=tuple(
        DKIMResult(AuthStatus.PASS, parse_domain(one)) for one in ("f.example", "mx.f.example", "a.example.org")
    ),
    dmarc=DMARC(AuthStatus.PASS),
    msg_from_validation=Validation.STRICT,
)
BOB = Sender(
    msg_from="bob@a.example.org",
    msg_from_domain="a.example.org",
    msg_from_org_domain="example.org",
    msg_from_validated=True,
    dkim_domains=("f.example", "mx.f.example", "a.example.org"),
    mail_from="bounce@bücher.example",
    mail_from_domain="bücher.example",
    mail_from_validated=True,
    ehlo_domain="mx.f.example",
    ehlo_validated=True,
    networks=("192.0.2.77", "192.0.2.64", "192.0.0.0"),
)


def test_sender() -> None:
    assert sender(CLIENT, CHECKED, None) == BOB
    assert sender(CLIENT, CHECKED, Ruleset(verified_domain=DomainName("f.example"))) == BOB


def test_sender_of_what_was_forwarded() -> None:
    forward = Ruleset(verified_domain=DomainName("f.example"), is_forward=True)
    assert sender(CLIENT, CHECKED, forward) == Sender(
        msg_from="bob@a.example.org",
        msg_from_domain="a.example.org",
        msg_from_org_domain="example.org",
        msg_from_validated=True,
        dkim_domains=("a.example.org",),
    )


def test_nobody() -> None:
    client = replace(CLIENT, helo=IPLiteral(ip_address("192.0.2.77")), reverse_path=Path("", None))
    none = SPF(AuthStatus.NONE, Identity.HELO, None)
    checked = replace(
        CHECKED,
        msg_from=None,
        msg_from_org_domain=None,
        spf=none,
        helo_spf=none,
        dkim=(),
        msg_from_validation=Validation.NONE,
    )
    assert sender(client, checked, None) == Sender(networks=BOB.networks)


def test_reason_field() -> None:
    verdict = Accept(
        reason=Reason.NO_BAD_SIGNALS, mailbox="Inbox", details=("no junk filter", "x" * 60, "grüße\r\nEvil: 1")
    )
    field = reason_field(verdict)
    found = header.fields(field + b"\r\n", limits=HEADER)
    assert [one.name for one in found] == [b"X-Mox-Reason"]
    value = header.content(field, found[0]).decode()
    assert value.replace(" ", "") == f"no-bad-signals;nojunkfilter;{'x' * 60};grüßeEvil:1"
    assert all(len(line) <= 78 for line in field.splitlines())
