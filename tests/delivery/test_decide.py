"""The decision about a message: every branch, and every number at its edge."""

from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from appliance.config.domains import Ruleset
from appliance.config.values import DomainName, MailboxName, Pattern
from appliance.delivery.appliance import WorldPolicy
from appliance.delivery.decide import (
    Accept,
    Ask,
    Facts,
    Failed,
    Limits,
    NetworkLimits,
    Override,
    Rate,
    Reason,
    Refuse,
    Token,
    decide,
    is_addressed,
)
from appliance.delivery.junk import Score
from appliance.delivery.reputation import Method, Reputation, Signal
from appliance.localserve import LocalPolicy
from appliance.mail.address import Address, parse_address
from appliance.mail.domain import parse_domain
from appliance.mail.status import Status
from appliance.msgauth.dnsbl import Listing
from appliance.msgauth.results import DMARC, SPF, AuthStatus, Checked, DKIMResult, Identity, IPRev, Validation

LIST = parse_domain("lists.example")
ZONE = parse_domain("bl.example")


def spf(status: str) -> SPF:
    return SPF(AuthStatus(status), Identity.MAILFROM, LIST)


def checked(**changes: Any) -> Checked:
    fields: dict[str, Any] = {
        "msg_from": parse_address("bob@example.org"),
        "msg_from_org_domain": parse_domain("example.org"),
        "iprev": IPRev(AuthStatus.PASS),
        "spf": spf("none"),
        "helo_spf": spf("none"),
        "dkim": (),
        "dmarc": DMARC(AuthStatus.NONE),
        "msg_from_validation": Validation.NONE,
    }
    return Checked(**(fields | changes))


def known(signal: str, method: str, *, sure: bool = False) -> Reputation:
    return Reputation(Signal(signal), sure, Method(method), "because")


STRANGER = known("unknown", "none")
GOOD, BAD = Score(0.2, True), Score(0.99, True)
RULES = Ruleset(mailbox=MailboxName("Lists"), smtp_mail_from_regexp=Pattern("x"))
FORWARD = Ruleset(
    mailbox=MailboxName("Old"),
    smtp_mail_from_regexp=Pattern("x"),
    verified_domain=DomainName("lists.example"),
    is_forward=True,
)
ALLOW = Ruleset(
    mailbox=MailboxName("Lists"), smtp_mail_from_regexp=Pattern("x"), list_allow_domain=DomainName("lists.example")
)
KEEP = Ruleset(
    mailbox=MailboxName("Lists"),
    smtp_mail_from_regexp=Pattern("x"),
    accept_rejects_to_mailbox=MailboxName("Doubtful"),
)
#: A stranger with everything in order, and an account with a filter and no list to ask.
FACTS = Facts(
    checked=checked(),
    is_tls=True,
    is_addressed=True,
    size_octets=1000,
    reputation=STRANGER,
    threshold=0.95,
    content=GOOD,
)
REJECTING = checked(dmarc=DMARC(AuthStatus.FAIL, rejects=True))
NO_NAME = checked(iprev=IPRev(AuthStatus.FAIL))


def signed(domain: str, status: str = "pass") -> Checked:
    return checked(dkim=(DKIMResult(AuthStatus(status), parse_domain(domain)),))


def words(verdict: Any) -> str:
    match verdict:
        case Ask():
            return f"ask {verdict.value}"
        case Accept():
            to = f"{verdict.mailbox}{verdict.destined and f' for {verdict.destined}'}"
            marks = (" reject" if verdict.is_reject else "") + (" later" if verdict.delays else "")
            return f"accept {verdict.reason} {to}{marks}"
        case Refuse():
            copy = "" if verdict.keeps_copy else " no copy"
            return f"{verdict.code} {verdict.status} {verdict.reason} {verdict.destined}{copy}"
    raise AssertionError


LISTED = (Listing(parse_domain("ok.example"), AuthStatus.PASS), Listing(ZONE, AuthStatus.FAIL, "spam source"))

ROWS = [
    pytest.param({}, "accept no-bad-signals Inbox later", id="stranger with nothing against him"),
    # Where it goes.
    pytest.param({"mailbox": "Work"}, "accept no-bad-signals Work later", id="mailbox of the destination"),
    pytest.param({"ruleset": RULES}, "accept no-bad-signals Lists later", id="mailbox of the ruleset"),
    pytest.param(
        {"ruleset": Ruleset(smtp_mail_from_regexp=Pattern("x")), "mailbox": "Work"},
        "accept no-bad-signals Work later",
        id="ruleset without mailbox",
    ),
    # Mailing lists.
    pytest.param({"ruleset": ALLOW, "checked": signed("lists.example")}, "accept list-allow Lists", id="list by DKIM"),
    pytest.param(
        {"ruleset": ALLOW, "checked": checked(spf=spf("pass"))}, "accept list-allow Lists", id="list by reverse path"
    ),
    pytest.param(
        {"ruleset": ALLOW, "checked": replace(REJECTING, spf=spf("pass")), "reputation": None},
        "accept list-allow Lists",
        id="list before DMARC, and nothing is asked",
    ),
    pytest.param(
        {"ruleset": ALLOW, "checked": signed("a.lists.example")}, "accept no-bad-signals Lists later", id="list's subdomain"
    ),
    pytest.param(
        {"ruleset": ALLOW, "checked": signed("lists.example", "fail")},
        "accept no-bad-signals Lists later",
        id="list not verified",
    ),
    pytest.param(
        {"ruleset": ALLOW, "checked": checked(spf=structs.replace(spf("pass"), identity=Identity.HELO))},
        "accept no-bad-signals Lists later",
        id="list by HELO is no list",
    ),
    # DMARC.
    pytest.param({"checked": REJECTING, "reputation": None}, "550 5.7.26 dmarc-policy Inbox", id="DMARC"),
    pytest.param(
        {"checked": checked(dmarc=DMARC(AuthStatus.FAIL, sampled=False))},
        "accept no-bad-signals Inbox later",
        id="DMARC sampled out",
    ),
    pytest.param({"checked": REJECTING, "ruleset": RULES}, "550 5.7.26 dmarc-policy Lists", id="DMARC and ruleset"),
    pytest.param({"checked": REJECTING, "ruleset": FORWARD}, "accept no-bad-signals Old", id="DMARC and forward"),
    # Accepted all the same.
    pytest.param(
        {"checked": REJECTING, "ruleset": KEEP}, "accept dmarc-policy Doubtful for Lists reject", id="rejects accepted"
    ),
    pytest.param(
        {"reputation": known("junk", "ip1", sure=True), "ruleset": KEEP},
        "accept ip1 Doubtful for Lists reject",
        id="junk accepted",
    ),
    # Authentication asked for.
    pytest.param(
        {"auth_required_text": "verify", "reputation": None}, "550 5.7.26 msg-auth-required Inbox", id="not verified"
    ),
    pytest.param(
        {"auth_required_text": "verify", "checked": checked(dmarc=DMARC(AuthStatus.TEMPERROR))},
        "451 4.7.26 msg-auth-required Inbox",
        id="not verified for now",
    ),
    *(
        pytest.param(
            {"auth_required_text": "verify", "checked": checked(msg_from_validation=one)},
            "accept no-bad-signals Inbox later",
            id=f"verified: {one.name}",
        )
        for one in (Validation.STRICT, Validation.DMARC, Validation.RELAXED)
    ),
    # History.
    pytest.param({"reputation": None}, "ask reputation", id="history must be asked"),
    pytest.param({"reputation": Failed.REPUTATION}, "451 4.3.0 reputation-error Inbox", id="history fails"),
    *(
        pytest.param(
            {"reputation": known("ham", method, sure=True), "checked": NO_NAME, "content": None, "is_tls": False},
            f"accept {method} Inbox",
            id=f"known good: {method}",
        )
        for method in Method
        if method is not Method.NONE
    ),
    *(
        pytest.param({"reputation": known("junk", method, sure=True)}, f"451 4.3.0 {method} Inbox", id=f"bad: {method}")
        for method in Method
        if method is not Method.NONE
    ),
    # Introbox.
    pytest.param(
        {"introbox": "Intro"}, "accept no-bad-signals Intro for Inbox later", id="stranger to the introbox"
    ),
    pytest.param(
        {"introbox": "Intro", "reputation": known("ham", "msgfromdomain", sure=True)},
        "accept msgfromdomain Intro for Inbox",
        id="known domain to the introbox",
    ),
    *(
        pytest.param(
            {"introbox": "Intro", "reputation": known("ham", method, sure=True)}, f"accept {method} Inbox", id=f"{method}, no introbox"
        )
        for method in ("msgfromfull", "msgtofull")
    ),
    pytest.param({"introbox": "Intro", "mailbox": "Work"}, "accept no-bad-signals Work later", id="not for Inbox"),
    pytest.param({"introbox": "Intro", "is_report": True}, "accept reporting Inbox", id="a report, no introbox"),
    pytest.param(
        {"introbox": "Intro", "ruleset": Ruleset(is_forward=True)}, "accept no-bad-signals Inbox", id="forward, no introbox"
    ),
    pytest.param({"introbox": "Intro", "content": BAD}, "451 4.3.0 junk-content Inbox", id="refused, no introbox"),
    # Reports.
    pytest.param(
        {"is_report": True, "checked": NO_NAME, "content": BAD}, "accept reporting Inbox", id="report of a stranger"
    ),
    pytest.param(
        {"is_report": True, "reputation": known("junk", "ip1", sure=True)}, "451 4.3.0 ip1 Inbox", id="report of a bad sender"
    ),
    # Notices about messages of the account.
    pytest.param(
        {"is_returned": True, "checked": replace(NO_NAME, spf=spf("fail")), "reputation": known("junk", "ip1", sure=True)},
        "accept notice Inbox",
        id="notice, whoever brings it",
    ),
    pytest.param({"is_returned": True, "reputation": None, "mailbox": "Work"}, "accept notice Work", id="notice at once"),
    pytest.param(
        {"is_returned": True, "checked": REJECTING}, "550 5.7.26 dmarc-policy Inbox", id="notice with a forged From"
    ),
    pytest.param(
        {"is_returned": True, "auth_required_text": "who?"}, "550 5.7.26 msg-auth-required Inbox", id="notice, From to be verified"
    ),
    pytest.param(
        {"is_returned": True, "rates": [Rate(500)]}, "452 4.2.2 high-rate Inbox no copy", id="too many notices"
    ),
    # SPF and reverse name.
    *(
        pytest.param(
            {"reputation": known("unknown", method), "checked": checked(spf=spf(status))},
            "451 4.3.0 spf-policy Inbox",
            id=f"SPF {status}, {method}",
        )
        for status in ("fail", "softfail")
        for method in ("dkimspf", "ip1", "ip2", "ip3", "none")
    ),
    *(
        pytest.param({"checked": checked(spf=spf(status))}, "accept no-bad-signals Inbox later", id=f"SPF {status}")
        for status in ("pass", "neutral", "none", "temperror", "permerror")
    ),
    pytest.param(
        {"reputation": known("unknown", "msgfromdomain"), "checked": checked(spf=spf("fail"))},
        "accept no-bad-signals Inbox later",
        id="SPF fail of a known domain",
    ),
    *(
        pytest.param(
            {"reputation": known("junk", "ip1"), "checked": checked(iprev=IPRev(AuthStatus(status)))},
            "451 4.3.0 iprev Inbox",
            id=f"reverse name {status} and junk",
        )
        for status in ("fail", "temperror", "permerror")
    ),
    pytest.param({"reputation": known("junk", "ip1")}, "accept no-bad-signals Inbox later", id="junk, reverse name good"),
    pytest.param(
        {"reputation": known("junk", "msgfromdomain"), "checked": NO_NAME},
        "accept no-bad-signals Inbox later",
        id="spoofed domain, reverse name bad",
    ),
    # Tokens.
    pytest.param({"token": Token.FAILED}, "451 4.3.0 subjectpass-error Inbox", id="no key for tokens"),
    pytest.param({"token": Token.VALID, "content": BAD}, "accept subjectpass Inbox", id="token"),
    pytest.param({"token": Token.ABSENT, "content": BAD}, "451 4.3.0 junk-content Inbox", id="no token"),
    # Content.
    pytest.param({"content": None}, "ask content", id="content must be asked"),
    pytest.param({"content": None, "threshold": None}, "accept no-bad-signals Inbox later", id="no filter"),
    pytest.param({"content": Failed.FILTER}, "451 4.3.0 junk-filter-error Inbox", id="filter fails"),
    pytest.param({"content": Failed.CLASSIFY}, "451 4.3.0 junk-classify-error Inbox", id="classification fails"),
    pytest.param({"content": Score(0.95, True)}, "accept no-bad-signals Inbox later", id="at the threshold"),
    pytest.param({"content": Score(0.951, True)}, "451 4.3.0 junk-content Inbox", id="above"),
    pytest.param({"content": Score(0.91, True), "chance": 0.0}, "451 4.3.0 junk-content Inbox", id="jitter down"),
    pytest.param({"content": Score(0.99, True), "chance": 0.999}, "accept no-bad-signals Inbox later", id="jitter up"),
    pytest.param({"content": Score(1.0, False)}, "accept no-bad-signals Inbox later", id="not significant"),
    pytest.param(
        {"content": Score(1.0, False), "checked": NO_NAME}, "451 4.3.0 junk-content-strict Inbox", id="no name, not significant"
    ),
    *(
        row
        for name, odd in (
            ("no TLS", {"is_tls": False}),
            ("not addressed", {"is_addressed": False}),
            ("no reverse name", {"checked": NO_NAME}),
        )
        for row in (
            pytest.param(odd | {"content": Score(0.2, True)}, "accept no-bad-signals Inbox later", id=f"{name}, 0.2"),
            pytest.param(odd | {"content": Score(0.25, True)}, "accept no-bad-signals Inbox later", id=f"{name}, 0.25"),
            pytest.param(odd | {"content": Score(0.3, True)}, "451 4.3.0 junk-content-strict Inbox", id=f"{name}, 0.3"),
            pytest.param(
                odd | {"content": Score(0.22, True), "threshold": 0.2}, "451 4.3.0 junk-content Inbox", id=f"{name}, low threshold"
            ),
        )
    ),
    pytest.param(
        {"is_addressed": False, "content": Score(0.3, True), "ruleset": FORWARD},
        "accept no-bad-signals Old",
        id="forwarded need not be addressed",
    ),
    # Block lists, asked last.
    pytest.param({"blocklists": (ZONE,)}, "ask listings", id="lists must be asked"),
    pytest.param({"blocklists": (ZONE,), "content": BAD}, "451 4.3.0 junk-content Inbox", id="lists not asked for junk"),
    pytest.param({"blocklists": (ZONE,), "threshold": None}, "ask listings", id="lists asked without filter"),
    pytest.param({"blocklists": (ZONE,), "listings": LISTED}, "451 4.3.0 dns-blocklisted Inbox", id="listed"),
    pytest.param(
        {"blocklists": (ZONE,), "listings": (Listing(ZONE, AuthStatus.TEMPERROR), Listing(ZONE, AuthStatus.PASS))},
        "accept no-bad-signals Inbox later",
        id="not listed",
    ),
    # Strangers wait.
    pytest.param({"delays_strangers": False}, "accept no-bad-signals Inbox", id="the account does not let wait"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "outcome"), ROWS)
def test_decide(changes: dict[str, Any], outcome: str) -> None:
    verdict = decide(structs.replace(FACTS, **changes))
    assert words(verdict) == outcome
    if not isinstance(verdict, Ask):
        assert verdict.details
        assert all(line and line.isprintable() for line in verdict.details)


SMALL = Limits(networks=(NetworkLimits(3, 5, 100, 200), NetworkLimits(6, 10, 300, 400), NetworkLimits(9, 20, 500, 600)))
NONE = Rate()


@pytest.mark.parametrize(
    ("rates", "is_high"),
    [
        pytest.param((Rate(2, 4, 90, 190), NONE, NONE), False, id="below all"),
        pytest.param((Rate(3, 4, 0, 0), NONE, NONE), True, id="messages a minute"),
        pytest.param((Rate(0, 5, 0, 0), NONE, NONE), True, id="messages a day"),
        pytest.param((Rate(0, 0, 91, 0), NONE, NONE), True, id="octets a minute"),
        pytest.param((Rate(0, 0, 0, 191), NONE, NONE), True, id="octets a day"),
        pytest.param((NONE, Rate(5, 9, 290, 390), NONE), False, id="below all of the second"),
        pytest.param((NONE, Rate(6, 0, 0, 0), NONE), True, id="messages from the second"),
        pytest.param((NONE, Rate(0, 0, 0, 391), NONE), True, id="octets from the second"),
        pytest.param((NONE, NONE, Rate(8, 19, 490, 590)), False, id="below all of the third"),
        pytest.param((NONE, NONE, Rate(0, 20, 0, 0)), True, id="messages from the third"),
        pytest.param((NONE, NONE, Rate(0, 0, 491, 0)), True, id="octets from the third"),
    ],
)
def test_rates(rates: tuple[Rate, ...], is_high: bool) -> None:
    facts = structs.replace(
        FACTS, size_octets=10, rates=rates, ruleset=KEEP, reputation=known("ham", "msgfromfull", sure=True)
    )
    verdict = decide(facts, SMALL)
    expected = "452 4.2.2 high-rate Inbox no copy" if is_high else "accept msgfromfull Lists"
    assert words(verdict) == expected
    assert not isinstance(verdict, Refuse) or verdict.result == "highrate"


def test_rates_of_a_house_for_tests() -> None:
    """Whoever tries out how much a program can send is not stopped."""
    facts = structs.replace(
        FACTS, rates=(Rate(10**6, 10**6, 10**12, 10**12),) * 3, reputation=known("ham", "ip1", sure=True)
    )
    assert words(decide(facts, WorldPolicy().limits)).startswith("452 4.2.2 high-rate")
    assert words(decide(facts, LocalPolicy().limits)) == "accept ip1 Inbox"


def test_rates_unknown() -> None:
    verdict = decide(structs.replace(FACTS, rates=None))
    assert words(verdict) == "451 4.3.0 reputation-error Inbox no copy"
    assert isinstance(verdict, Refuse)
    assert verdict.result == "checkrates"


def test_default_limits() -> None:
    mib = 1 << 20
    found = [(n.messages_minute, n.messages_day, n.octets_minute, n.octets_day) for n in Limits().networks]
    assert found == [
        (500, 10_000, 1000 * mib, 3000 * mib),
        (1500, 30_000, 3000 * mib, 9000 * mib),
        (4500, 90_000, 9000 * mib, 27_000 * mib),
    ]


TOKEN = {"token": Token.ABSENT, "checked": checked(dmarc=DMARC(AuthStatus.PASS)), "chance": 0.5, "threshold": 0.7}


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        pytest.param({"content": Score(0.89, True)}, "550 5.7.1 give-subjectpass Inbox", id="near the threshold"),
        pytest.param({"content": Score(0.91, True)}, "451 4.3.0 junk-content Inbox", id="not near"),
        pytest.param(
            {"blocklists": (ZONE,), "listings": LISTED}, "550 5.7.1 give-subjectpass Inbox", id="listed"
        ),
        pytest.param({"content": Score(0.89, True), "token": Token.OFF}, "451 4.3.0 junk-content Inbox", id="off"),
        pytest.param(
            {"content": Score(0.89, True), "checked": checked()}, "451 4.3.0 junk-content Inbox", id="DMARC does not pass"
        ),
        pytest.param(
            {"content": Score(0.89, True), "reputation": known("unknown", "ip1")},
            "451 4.3.0 junk-content Inbox",
            id="not unknown",
        ),
        pytest.param({"content": Failed.CLASSIFY}, "451 4.3.0 junk-classify-error Inbox", id="a fault of ours"),
    ],
)  # fmt: skip
def test_gives_token(changes: dict[str, Any], outcome: str) -> None:
    verdict = decide(structs.replace(FACTS, **(TOKEN | changes)))
    assert words(verdict) == outcome
    assert isinstance(verdict, Refuse)
    assert verdict.gives_token == ("give-subjectpass" in outcome)


def test_refusals_for_junk_are_all_alike() -> None:
    """Nobody learns from the reply why he was refused."""
    texts = set()
    for changes in (
        {"reputation": known("junk", "msgfromfull", sure=True)},
        {"reputation": Failed.REPUTATION},
        {"checked": checked(spf=spf("fail"))},
        {"checked": NO_NAME, "reputation": known("junk", "ip1")},
        {"token": Token.FAILED},
        {"content": BAD},
        {"content": BAD, "is_tls": False},
        {"content": Failed.FILTER},
        {"blocklists": (ZONE,), "listings": LISTED},
    ):
        verdict = decide(structs.replace(FACTS, **changes))
        assert isinstance(verdict, Refuse)
        texts.add((verdict.code, verdict.status, verdict.text))
    assert texts == {(451, Status(4, 3, 0), "error processing")}


def test_overrides() -> None:
    allowed = decide(structs.replace(FACTS, ruleset=ALLOW, checked=replace(REJECTING, spf=spf("pass"))))
    assert isinstance(allowed, Accept)
    assert (allowed.override, allowed.is_mailing_list) == (Override.MAILING_LIST, True)
    for verdict in (
        decide(structs.replace(FACTS, ruleset=FORWARD)),
        decide(structs.replace(FACTS, ruleset=FORWARD, content=BAD)),
    ):
        assert not isinstance(verdict, Ask)
        assert (verdict.override, verdict.is_forward) == (Override.FORWARDED, True)
    plain = decide(FACTS)
    assert isinstance(plain, Accept)
    assert (plain.override, plain.is_forward, plain.is_mailing_list) == (None, False, False)


def test_texts_of_the_operator() -> None:
    refused = decide(structs.replace(FACTS, auth_required_text="sign, please"))
    assert isinstance(refused, Refuse)
    assert refused.text == "sign, please"
    unsure = structs.replace(
        FACTS, auth_required_text="sign, please", checked=checked(dmarc=DMARC(AuthStatus.TEMPERROR))
    )
    refused = decide(unsure)
    assert isinstance(refused, Refuse)
    assert refused.text.endswith(": sign, please")


def test_details_of_a_malformed_message() -> None:
    verdict = decide(structs.replace(FACTS, content=Score(1.0, True, malformed=True)))
    assert isinstance(verdict, Refuse)
    assert "Content-Type cannot be read" in verdict.details[-1]


@pytest.mark.parametrize(("smtputf8", "shown"), [(False, "(non-ascii) 0.010"), (True, "grüße 0.010")])
def test_details(smtputf8: bool, shown: str) -> None:
    content = Score(0.3, True, [("grüße", 0.01), ("lunch", 0.02)], [("viagra", 0.9876)])
    verdict = decide(structs.replace(FACTS, content=content, is_tls=False, smtputf8=smtputf8))
    assert isinstance(verdict, Refuse)
    assert verdict.details[-1] == (
        f"content junk 0.30, threshold 0.25 (stricter: no TLS), ham words: {shown}, lunch 0.020; spam words: viagra 0.988"
    )


def test_what_strangers_wrote_is_tamed() -> None:
    listing = Listing(ZONE, AuthStatus.FAIL, "bad\r\nX-Evil: ä " + "x" * 5000)
    verdict = decide(structs.replace(FACTS, blocklists=(ZONE,), listings=(listing,)))
    assert isinstance(verdict, Refuse)
    assert len(verdict.details[-1]) < 300
    assert verdict.details[-1].isascii()
    assert verdict.details[-1].isprintable()


def test_reasons_know_all_methods() -> None:
    assert {one.value for one in Method} <= {one.value for one in Reason}


@pytest.mark.parametrize(
    ("rcpt", "recipients", "expected"),
    [
        pytest.param("bob@example.org", ["eve@example.org", "bob@example.org"], True, id="among them"),
        pytest.param("bob@example.org", ["Bob@example.org"], False, id="localparts as written"),
        pytest.param("bob@example.org", ["bob@EXAMPLE.org"], True, id="domains in any case"),
        pytest.param("bob@example.org", ["bob@example.com"], False, id="other domain"),
        pytest.param("bob@example.org", [], False, id="nobody"),
    ],
)
def test_is_addressed(rcpt: str, recipients: list[str], expected: bool) -> None:
    assert is_addressed(parse_address(rcpt), map(parse_address, recipients)) is expected


def test_without_localpart_is_addressed() -> None:
    assert is_addressed(Address("", parse_domain("example.org")), [])
