"""Which ruleset is meant for a message."""

from typing import Any

import pytest

from appliance.base.limits import HEADER
from appliance.base.regexp import Budget
from appliance.config.domains import Ruleset
from appliance.config.values import DomainName, Pattern
from appliance.delivery.rulesets import Incoming, Match, first, header_fields, verified_domains
from appliance.mail import header
from appliance.mail.domain import Domain, parse_domain
from appliance.msgauth.results import DMARC, SPF, AuthStatus, Checked, DKIMResult, Identity, IPRev, Validation

HEAD = (
    b"From: Bob <bob@example.org>\r\nSubject: =?utf-8?q?Lunch?=\r\nList-Id: The News\r\n\t<News.Example.org>  \r\n"
    b"X-Tag: one\r\nX-Tag: two \xc3\x84\r\n\r\n"
)
INCOMING = Incoming(
    "bounce+1@m.example.org",
    "bob@example.org",
    frozenset({parse_domain("m.example.org")}),
    header_fields(HEAD, header.fields(HEAD, limits=HEADER)),
)


def ruleset(mail_from: str = "", msg_from: str = "", verified: str = "", **headers: str) -> Ruleset:
    return Ruleset(
        smtp_mail_from_regexp=Pattern(mail_from) if mail_from else None,
        msg_from_regexp=Pattern(msg_from) if msg_from else None,
        verified_domain=DomainName(verified) if verified else None,
        headers_regexp={name.replace("_", "-"): Pattern(value) for name, value in headers.items()},
    )


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        pytest.param(ruleset(mail_from=r"^bounce\+.*@m\.example\.org$"), True, id="reverse path"),
        pytest.param(ruleset(mail_from="^m"), False, id="other reverse path"),
        pytest.param(ruleset(msg_from="^bob@"), True, id="From"),
        pytest.param(ruleset(msg_from="^eve@"), False, id="other From"),
        pytest.param(ruleset(verified="m.example.org"), True, id="verified"),
        pytest.param(ruleset(verified="example.org"), True, id="above a verified one"),
        pytest.param(ruleset(verified="a.m.example.org"), False, id="below a verified one"),
        pytest.param(ruleset(verified="ple.org"), False, id="ends alike"),
        pytest.param(ruleset(list_id=r"<news\.example\.org>$"), True, id="header, in lower case, stripped"),
        pytest.param(ruleset(list_id="^the news\t<"), True, id="header, unfolded"),
        pytest.param(ruleset(subject="lunch"), True, id="within an encoded word"),
        pytest.param(ruleset(subject="^lunch"), False, id="encoded words are not decoded"),
        pytest.param(ruleset(x_tag="^two ä$"), True, id="any of the fields"),
        pytest.param(ruleset(**{"x_.*": "two"}), True, id="expression for names"),
        pytest.param(ruleset(**{"^tag": "two"}), False, id="no such name"),
        pytest.param(ruleset(x_tag="two", list_id="news"), True, id="all headers"),
        pytest.param(ruleset(x_tag="three", list_id="news"), False, id="all headers but one"),
        pytest.param(ruleset(mail_from="bounce", msg_from="bob", verified="example.org", x_tag="one"), True, id="all"),
        pytest.param(ruleset(mail_from="bounce", msg_from="eve", verified="example.org", x_tag="one"), False, id="not all"),
        pytest.param(Ruleset(), False, id="no condition"),
    ],
)  # fmt: skip
def test_matches(one: Ruleset, expected: bool) -> None:
    assert first([one], INCOMING) == Match(one if expected else None)


def test_the_first_counts() -> None:
    no, yes, later = ruleset(msg_from="eve"), ruleset(msg_from="bob"), ruleset(msg_from="@")
    assert first([no, yes, later], INCOMING).ruleset is yes
    assert first([], INCOMING) == Match(None)


@pytest.mark.parametrize(
    "incoming",
    [
        pytest.param(Incoming("", "bob@example.org", frozenset(), None), id="header not understood"),
        pytest.param(Incoming("", None, frozenset(), ()), id="no From"),
    ],
)
def test_without(incoming: Incoming) -> None:
    assert first([ruleset(msg_from=".*")], incoming) == Match(None)


def test_null_path_is_an_empty_text() -> None:
    one = ruleset(mail_from="^$")
    assert first([one], Incoming("", None, frozenset(), ())).ruleset is one


def test_gives_up() -> None:
    incoming = Incoming("a" * 1000, "bob@example.org", frozenset(), ())
    assert first([ruleset(mail_from="b"), ruleset(msg_from="bob")], incoming, Budget(500)) == Match(None, gave_up=True)


def test_verified_domains() -> None:
    def spf(status: str, identity: Identity, name: str) -> SPF:
        return SPF(AuthStatus(status), identity, parse_domain(name))

    def found(**changes: Any) -> set[str]:
        fields: dict[str, Any] = {
            "msg_from": None,
            "msg_from_org_domain": None,
            "iprev": IPRev(AuthStatus.PASS),
            "spf": spf("pass", Identity.MAILFROM, "m.example"),
            "helo_spf": spf("pass", Identity.HELO, "h.example"),
            "dkim": (
                DKIMResult(AuthStatus.PASS, parse_domain("d.example")),
                DKIMResult(AuthStatus.FAIL, parse_domain("f.example")),
            ),
            "dmarc": DMARC(AuthStatus.NONE),
            "msg_from_validation": Validation.NONE,
        }
        domains: frozenset[Domain] = verified_domains(Checked(**(fields | changes)))
        return {one.ascii for one in domains}

    assert found() == {"m.example", "h.example", "d.example"}
    assert found(spf=spf("softfail", Identity.MAILFROM, "m.example"), dkim=()) == {"h.example"}
    assert found(helo_spf=spf("neutral", Identity.HELO, "h.example"), dkim=()) == {"m.example"}
