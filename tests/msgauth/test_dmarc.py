"""DMARC: finding the record, judging by it, and who may get reports."""

from ipaddress import ip_address
from typing import Any

import pytest

from appliance.dns.answers import Type
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table
from appliance.mail.address import Address, Path
from appliance.mail.domain import Domain, parse_domain
from appliance.msgauth.client import Client
from appliance.msgauth.dmarc import check as dmarc
from appliance.msgauth.dmarc.check import Found
from appliance.msgauth.dmarc.evaluation import DKIMEntry, Override, SPFEntry, evaluation
from appliance.msgauth.dmarc.record import Policy, ReportAddress, parse
from appliance.msgauth.results import (
    DMARC,
    SPF,
    AuthStatus,
    Checked,
    DKIMResult,
    Identity,
    IPRev,
    Validation,
)

ORG, SUB, OTHER = parse_domain("example.co.uk"), parse_domain("mail.example.co.uk"), parse_domain("other.co.uk")
NONE_SPF = SPF(AuthStatus.NONE, Identity.MAILFROM, OTHER)


def spf(status: str, domain: Domain = ORG) -> SPF:
    return SPF(AuthStatus(status), Identity.MAILFROM, domain)


def dkim(status: str, domain: Domain = ORG) -> DKIMResult:
    return DKIMResult(AuthStatus(status), domain, "sel", text="why" if status != "pass" else "")


@pytest.mark.parametrize(
    ("records", "domain", "status", "where"),
    [
        pytest.param({"example.co.uk": ["v=DMARC1; p=reject"]}, ORG, "pass", ORG, id="of the domain"),
        pytest.param({"example.co.uk": ["v=DMARC1; p=reject"]}, SUB, "pass", ORG, id="of the organization"),
        pytest.param(
            {"example.co.uk": ["v=DMARC1; p=reject"], "mail.example.co.uk": ["v=DMARC1; p=none"]},
            SUB,
            "pass",
            SUB,
            id="of the subdomain",
        ),
        pytest.param(
            {"example.co.uk": ["v=DMARC1; p=none"], "mail.example.co.uk": ["other"]},
            SUB,
            "pass",
            ORG,
            id="other texts do not count",
        ),
        pytest.param({"co.uk": ["v=DMARC1; p=reject"]}, ORG, "none", None, id="a public suffix says nothing"),
        pytest.param({}, SUB, "none", None, id="no record"),
        pytest.param({"example.co.uk": ["v=DMARC1; p=none", "v=DMARC1; p=none"]}, ORG, "none", ORG, id="several"),
        pytest.param({"example.co.uk": ["v=DMARC1; p=none", "other"]}, ORG, "pass", ORG, id="one and another text"),
        pytest.param({"example.co.uk": ["v=DMARC1; p=oops"]}, ORG, "permerror", ORG, id="makes no sense"),
    ],
)
async def test_lookup(records: dict[str, Any], domain: Domain, status: str, where: Domain | None) -> None:
    table = Table({f"_dmarc.{name}": {Type.TXT: texts} for name, texts in records.items()})
    found = await dmarc.lookup(Resolver(table), domain)
    assert (found.status, found.domain) == (status, where)
    assert (found.record is not None) == (status == "pass")


@pytest.mark.parametrize("failing", [ORG, SUB])
async def test_no_answer(failing: Domain) -> None:
    table = Table({}, failing=[(f"_dmarc.{failing.ascii}", Type.TXT)])
    assert (await dmarc.lookup(Resolver(table), SUB)).status == "temperror"


async def test_authentic() -> None:
    for authentic in (True, False):
        table = Table({"_dmarc.example.co.uk": {Type.TXT: ["v=DMARC1; p=none"]}}, authentic=authentic)
        assert (await dmarc.lookup(Resolver(table), SUB)).authentic is authentic


@pytest.mark.parametrize(
    ("record", "domain", "spf_result", "dkim_results", "status", "rejects"),
    [
        pytest.param("p=reject", ORG, spf("pass"), [], "pass", False, id="SPF"),
        pytest.param("p=reject", ORG, NONE_SPF, [dkim("pass")], "pass", False, id="DKIM"),
        pytest.param("p=reject", ORG, spf("pass", SUB), [], "pass", False, id="SPF relaxed"),
        pytest.param("p=reject; aspf=s", ORG, spf("pass", SUB), [], "fail", True, id="SPF strict"),
        pytest.param("p=reject; aspf=s", ORG, spf("pass"), [], "pass", False, id="SPF strict, the same"),
        pytest.param("p=reject", SUB, NONE_SPF, [dkim("pass")], "pass", False, id="DKIM of the parent"),
        pytest.param("p=reject; adkim=s", SUB, NONE_SPF, [dkim("pass")], "fail", True, id="DKIM strict"),
        pytest.param("p=reject", ORG, spf("pass", OTHER), [dkim("pass", OTHER)], "fail", True, id="others pass"),
        pytest.param("p=reject", ORG, spf("fail"), [dkim("fail"), dkim("pass")], "pass", False, id="one is enough"),
        pytest.param("p=quarantine", ORG, NONE_SPF, [], "fail", True, id="quarantine"),
        pytest.param("p=none", ORG, NONE_SPF, [], "fail", False, id="none"),
        pytest.param("p=reject; sp=none", SUB, NONE_SPF, [], "fail", False, id="subdomain policy"),
        pytest.param("p=none; sp=reject", SUB, NONE_SPF, [], "fail", True, id="stricter subdomain policy"),
        pytest.param("p=reject; sp=none", ORG, NONE_SPF, [], "fail", True, id="sp is for subdomains"),
        pytest.param("p=reject", ORG, spf("temperror"), [], "temperror", False, id="SPF may have passed"),
        pytest.param("p=reject", ORG, NONE_SPF, [dkim("temperror")], "temperror", False, id="DKIM may have passed"),
        pytest.param("p=reject", ORG, spf("temperror"), [dkim("pass")], "pass", False, id="DKIM passes anyway"),
        # A domain of the attacker's own that does not answer is no way around a policy.
        pytest.param(
            "p=reject", ORG, spf("temperror", OTHER), [dkim("temperror", OTHER)], "fail", True, id="errors of others"
        ),
        pytest.param("p=reject", ORG, spf("permerror"), [dkim("permerror")], "fail", True, id="permanent errors"),
        pytest.param("p=reject", ORG, spf("softfail"), [dkim("policy")], "fail", True, id="nothing passes"),
    ],
)
def test_evaluate(
    record: str, domain: Domain, spf_result: SPF, dkim_results: list[DKIMResult], status: str, rejects: bool
) -> None:
    found = Found(AuthStatus.PASS, ORG, parse(f"v=DMARC1; {record}"))
    verdict = dmarc.evaluate(domain, found, spf_result, dkim_results, chance=0.5)
    assert (verdict.status, verdict.rejects) == (status, rejects)
    assert (verdict.spf_aligned or verdict.dkim_aligned) == (status == "pass")
    assert verdict.policy_domain == ORG


@pytest.mark.parametrize(
    ("percentage", "chance", "rejects"),
    [(0, 0.0, False), (100, 0.999999, True), (30, 0.29, True), (30, 0.3, False), (1, 0.0, True)],
)
def test_sampling(percentage: int, chance: float, rejects: bool) -> None:
    found = Found(AuthStatus.PASS, ORG, parse(f"v=DMARC1; p=reject; pct={percentage}"))
    verdict = dmarc.evaluate(ORG, found, NONE_SPF, [], chance=chance)
    assert (verdict.status, verdict.rejects, verdict.sampled) == ("fail", rejects, rejects)


@pytest.mark.parametrize("status", ["none", "temperror", "permerror"])
def test_without_a_record(status: str) -> None:
    verdict = dmarc.evaluate(ORG, Found(AuthStatus(status), text="why"), spf("pass"), [], chance=0)
    assert (verdict.status, verdict.rejects, verdict.text) == (status, False, "why")


def test_strictest() -> None:
    passing, failing = DMARC(AuthStatus.PASS), DMARC(AuthStatus.FAIL)
    rejecting, unknown = DMARC(AuthStatus.FAIL, rejects=True), DMARC(AuthStatus.NONE)
    assert dmarc.strictest([passing, unknown, failing, rejecting]) is rejecting
    assert dmarc.strictest([passing, failing]) is failing
    assert dmarc.strictest([passing, unknown]) is unknown
    assert dmarc.strictest([passing]) is passing


@pytest.mark.parametrize(
    ("uri", "texts", "status"),
    [
        pytest.param("mailto:d@mail.example.co.uk", None, "pass", id="the same organization"),
        pytest.param("mailto:d@other.co.uk", ["v=DMARC1"], "pass", id="allowed"),
        pytest.param(
            "mailto:d@other.co.uk", ["v=DMARC1; rua=mailto:e@other.co.uk"], "pass", id="allowed, to another address"
        ),
        pytest.param("mailto:d@other.co.uk", ["v=DMARC1; rua=mailto:e@third.example"], "fail", id="sent on to others"),
        pytest.param("mailto:d@other.co.uk", ["v=DMARC1; oops"], "pass", id="allowed by a broken record"),
        pytest.param("mailto:d@other.co.uk", ["other"], "fail", id="another text"),
        pytest.param("mailto:d@other.co.uk", None, "fail", id="not allowed"),
        pytest.param("mailto:d@fails.example", None, "temperror", id="no answer"),
        pytest.param("https://other.co.uk/", ["v=DMARC1"], "fail", id="not by mail"),
        pytest.param("mailto:oops", None, "fail", id="no address"),
    ],
)
async def test_report_permission(uri: str, texts: list[str] | None, status: str) -> None:
    table = Table(
        {"example.co.uk._report._dmarc.other.co.uk": {Type.TXT: texts}} if texts else {},
        failing=[("example.co.uk._report._dmarc.fails.example", Type.TXT)],
    )
    found = await dmarc.may_report(Resolver(table), ORG, ReportAddress(uri))
    assert found.status == status
    assert bool(found.problem) == (status != "pass")


def test_evaluation_for_reports() -> None:
    client = Client(ip_address("192.0.2.1"), None, Path("bounce", SUB), "mx.example.net")
    record = parse("v=DMARC1; p=reject; pct=0; rua=mailto:d@example.co.uk")
    checked = Checked(
        msg_from=Address("bob", ORG),
        msg_from_org_domain=ORG,
        iprev=IPRev(AuthStatus.PASS),
        spf=spf("fail", SUB),
        helo_spf=spf("none"),
        dkim=(dkim("fail"), DKIMResult(AuthStatus.PERMERROR, None)),
        dmarc=dmarc.evaluate(ORG, Found(AuthStatus.PASS, ORG, record), spf("fail", SUB), [], chance=0.1),
        msg_from_validation=Validation.FAIL,
    )
    found = evaluation(client, checked, Address("alice", OTHER), Policy.NONE, (Override.SAMPLED_OUT,))
    assert found is not None
    assert (found.policy_domain, found.envelope_to, found.envelope_from, found.header_from) == (
        "example.co.uk",
        "other.co.uk",
        "mail.example.co.uk",
        "example.co.uk",
    )
    assert found.dkim == (DKIMEntry("example.co.uk", "sel", "fail", "why"),)
    assert found.spf == (SPFEntry("mail.example.co.uk", "mfrom", "fail"),)
    assert (found.disposition, found.overrides, found.published) == ("none", ("sampled_out",), record)
    silent = Checked(
        msg_from=Address("bob", ORG),
        msg_from_org_domain=ORG,
        iprev=IPRev(AuthStatus.PASS),
        spf=NONE_SPF,
        helo_spf=NONE_SPF,
        dkim=(),
        dmarc=dmarc.evaluate(ORG, Found(AuthStatus.PASS, ORG, parse("v=DMARC1; p=none")), NONE_SPF, [], chance=0),
        msg_from_validation=Validation.FAIL,
    )
    assert evaluation(client, silent, Address("alice", OTHER), Policy.NONE) is None
