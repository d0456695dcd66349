"""Which reports that arrive by mail are believed, and kept."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

from appliance.base.limits import SCAN
from appliance.delivery import intake
from appliance.delivery.intake import NotAccepted
from appliance.mail.address import parse_address
from appliance.mail.domain import parse_domain
from appliance.mail.scan import scan
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
from appliance.store import report as reports
from appliance.store.report import Kind
from support.reports import PLAIN, TLS, dmarc_mail, tls_mail
from support.stores import open_store

OURS, HOST = parse_domain("ours.example"), parse_domain("mx.ours.example")
BIG = parse_domain("big.example")
END = datetime.fromtimestamp(1700092799, UTC)
NO_SPF = SPF(AuthStatus.NONE, Identity.MAILFROM, None)
SIGNED = DKIMResult(AuthStatus.PASS, BIG)
CHECKED = Checked(
    msg_from=parse_address("r@mail.big.example"),
    msg_from_org_domain=BIG,
    iprev=IPRev(AuthStatus.PASS),
    spf=NO_SPF,
    helo_spf=NO_SPF,
    dkim=(SIGNED,),
    dmarc=DMARC(AuthStatus.PASS),
    msg_from_validation=Validation.DMARC,
)


def dmarc(octets: bytes, checked=CHECKED, now=END):
    return intake.dmarc(scan(octets, SCAN).root, octets, checked, now=now, is_ours=OURS.__eq__)


def tls(octets: bytes, checked=CHECKED, is_ours=OURS.__eq__, host=HOST):
    return intake.tls(scan(octets, SCAN).root, octets, checked, is_ours=is_ours, host=host)


def test_reports_are_kept_once(tmp_path):
    with open_store(tmp_path) as store:
        for accepted in (dmarc(dmarc_mail()), tls(tls_mail())):
            assert accepted.sender == parse_domain("mail.big.example")
            assert store.write_sync(intake.keep, accepted)
            assert not store.write_sync(intake.keep, accepted)
        with store.read() as tx:
            assert reports.domains(tx, Kind.DMARC) == ["ours.example"]
            assert reports.domains(tx, Kind.TLS) == ["mx.ours.example", "ours.example"]


def test_a_full_store_of_reports_does_not_stop_mail(tmp_path, monkeypatch):
    monkeypatch.setattr(intake, "REPORTS_KEPT", 0)
    with open_store(tmp_path) as store:
        assert not store.write_sync(intake.keep, dmarc(dmarc_mail()))


@pytest.mark.parametrize(
    ("octets", "change", "now", "words"),
    [
        (dmarc_mail(), {"dmarc": DMARC(AuthStatus.FAIL)}, END, "does not pass DMARC"),
        (dmarc_mail(), {"dmarc": DMARC(AuthStatus.NONE)}, END, "does not pass DMARC"),
        (dmarc_mail(), {"msg_from": None}, END, "does not pass DMARC"),
        (b"Subject: hi\r\n\r\nhello\r\n", {}, END, "no report in the message"),
        (tls_mail(), {}, END, "well-formed|no report"),
        (
            dmarc_mail(
                PLAIN.replace(b"<domain>ours.example</domain>\n    <adkim", b"<domain>a b</domain>\n    <adkim")
            ),
            {},
            END,
            "that is none",
        ),
        (dmarc_mail(PLAIN.replace(b"ours.example", b"theirs.example")), {}, END, "theirs.example, which is not"),
        (dmarc_mail(), {}, END - timedelta(seconds=61), "in the future"),
    ],
)
def test_dmarc_refused(octets, change, now, words):
    with pytest.raises(NotAccepted, match=words) as caught:
        dmarc(octets, replace(CHECKED, **change), now)
    field = intake.error_field(intake.DMARC_ERROR, caught.value)
    assert field.startswith(b"X-Mox-DMARCReport-Error: the")
    assert field.endswith(b"\r\n")


def test_clocks_may_differ_by_a_minute():
    assert dmarc(dmarc_mail(), now=END - timedelta(seconds=60)).domains == (OURS,)


def test_a_final_dot_and_capitals():
    assert dmarc(dmarc_mail(PLAIN.replace(b"<domain>ours.example<", b"<domain>Ours.Example.<"))).domains == (OURS,)


@pytest.mark.parametrize(
    "signature",
    [
        SIGNED,
        structs.replace(SIGNED, domain=parse_domain("mail.big.example")),
        structs.replace(SIGNED, services=("tlsrpt",)),
        structs.replace(SIGNED, services=("email", "*")),
    ],
)
def test_signatures_that_count(signature):
    fails = structs.replace(SIGNED, status=AuthStatus.FAIL)
    checked = replace(CHECKED, dkim=(fails, signature), dmarc=DMARC(AuthStatus.NONE))
    assert tls(tls_mail(), checked).domains == (OURS, HOST)


@pytest.mark.parametrize(
    "signature",
    [
        structs.replace(SIGNED, status=AuthStatus.FAIL),
        structs.replace(SIGNED, status=AuthStatus.NEUTRAL),
        structs.replace(SIGNED, is_partial=True),
        structs.replace(SIGNED, services=("email",)),
        structs.replace(SIGNED, services=()),
        structs.replace(SIGNED, domain=None),
        structs.replace(SIGNED, domain=parse_domain("example")),
        structs.replace(SIGNED, domain=parse_domain("a.mail.big.example")),
        structs.replace(SIGNED, domain=parse_domain("other.big.example")),
        structs.replace(SIGNED, domain=parse_domain("l.big.example")),
    ],
)
def test_signatures_that_do_not(signature):
    with pytest.raises(NotAccepted, match="no DKIM signature"):
        tls(tls_mail(), replace(CHECKED, dkim=(signature,)))


def test_above_the_organization():
    """A public suffix signs for nobody below it."""
    checked = replace(
        CHECKED, msg_from=parse_address("r@shop.co.uk"), dkim=(structs.replace(SIGNED, domain=parse_domain("co.uk")),)
    )
    with pytest.raises(NotAccepted, match="no DKIM signature"):
        tls(tls_mail(), checked)


def test_tls_refused():
    with pytest.raises(NotAccepted, match="no DKIM signature"):
        tls(tls_mail(), replace(CHECKED, msg_from=None))
    with pytest.raises(NotAccepted, match="not JSON"):
        tls(dmarc_mail())
    with pytest.raises(NotAccepted, match="no policy of a domain here"):
        tls(tls_mail(TLS.replace(b"ours.example", b"theirs.example")))


def test_policies_of_the_host_alone():
    assert tls(tls_mail(), is_ours=lambda _: False).domains == (HOST,)


def test_counted():
    metrics = (
        (intake.evaluated.labels("ours.example", "none", "pass", "fail"), 2),
        (intake.evaluated.labels("ours.example", "other", "pass", "fail"), 0),
        (intake.dkim_results.labels("pass"), 4),
        (intake.spf_results.labels("pass"), 2),
        (intake.sessions.labels("successful"), 40),
        (intake.sessions.labels("certificate-expired"), 3),
        (intake.sessions.labels("other"), 0),
    )
    before = [metric.value for metric, _ in metrics]
    intake.count(dmarc(dmarc_mail()))
    intake.count(tls(tls_mail()))
    assert [metric.value - was for (metric, _), was in zip(metrics, before, strict=True)] == [
        more for _, more in metrics
    ]
    intake.count(dmarc(dmarc_mail(PLAIN.replace(b">none<", b">deleted<"))))
    assert intake.evaluated.labels("ours.example", "other", "pass", "fail").value == before[1] + 2
    assert not any("deleted" in values for values in intake.evaluated.series)
    intake.count(tls(tls_mail(TLS.replace(b'"policy-domain":"ours.example"', b'"policy-domain":"theirs.example"'))))
    assert intake.sessions.labels("successful").value == before[4] + 40
