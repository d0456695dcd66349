"""What reports will tell of connections to other hosts."""

from ipaddress import ip_address
from types import SimpleNamespace

import pytest

from appliance.dns.answers import TLSA
from appliance.mail.domain import parse_domain
from appliance.mail.mtasts import Mode, Policy
from appliance.mail.tlsreport import Failure, PolicyResult
from appliance.queue import tlsnotes
from appliance.queue.parcel import Connection
from appliance.queue.smtpsettings import TLSOutcome
from appliance.queue.tlsdemands import NOT_IN_POLICY
from appliance.store import tlsresult
from appliance.store.queuerecords import QueuedMessage
from appliance.tls.dane import HostKeys
from appliance.tls.mtasts import DomainPolicy
from appliance.tls.verify import Judgement
from support.stores import open_store

DOMAIN = parse_domain("a.example")
MX = "mx.a.example"
RECORD = TLSA(3, 1, 1, b"\xab")
KEYS = HostKeys(MX, (RECORD,), (), (RECORD,))
LINES = ("version: STSv1", "mode: enforce")
STS = DomainPolicy(DOMAIN, Policy(Mode.ENFORCE, 9, (MX,), LINES))
TESTING = DomainPolicy(DOMAIN, Policy(Mode.TESTING, 9, ("other.example",), LINES))
NOT_HAD = DomainPolicy(DOMAIN, None, "sts-policy-fetch-error", "http-404")
CACHED = DomainPolicy(DOMAIN, STS.policy, "sts-policy-fetch-error", "no-dns-record+fallback-to-cached-policy")
BROKEN = DomainPolicy(DOMAIN, None, "sts-policy-invalid", "no-mode")
UNBELIEVED = DomainPolicy(DOMAIN, None, "sts-webpki-invalid", "certificate-expired")
NO_MODE = DomainPolicy(DOMAIN, Policy(Mode.NONE, 9))
GOOD, BAD = Judgement(True), Judgement(False, "certificate-expired", "expired")
UNFIT = Judgement(False, "validation-failure", "dane-no-match")
NO_TLS = ("starttls-not-supported", "")


def connection(policy=None, keys=None, *, result=("", ""), host=MX, reached=True, **judgements) -> Connection:
    remote, local = (ip_address("192.0.2.1"), ip_address("192.0.2.9")) if reached else (None, None)
    tls = TLSOutcome(wanted=True, judgements=judgements, result=result[0], reason=result[1])
    return Connection(host, remote, local, "mx.it.says", tls, policy, keys)


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        pytest.param(connection(pkix=GOOD), ["no-policy-found a.example"], id="no policy"),
        pytest.param(
            connection(pkix=BAD), ["no-policy-found a.example certificate-expired expired"], id="a bad certificate"
        ),
        pytest.param(
            connection(result=NO_TLS), ["no-policy-found a.example starttls-not-supported "], id="no STARTTLS"
        ),
        pytest.param(connection(NO_MODE, pkix=GOOD), ["no-policy-found a.example"], id="a policy of mode none"),
        pytest.param(connection(STS, pkix=GOOD), ["sts a.example"], id="MTA-STS"),
        pytest.param(connection(STS, pkix=BAD), ["sts a.example certificate-expired expired"], id="not verified"),
        pytest.param(
            connection(STS, result=NOT_IN_POLICY, host="x.example", reached=False),
            [f"sts a.example {' '.join(NOT_IN_POLICY)}"],
            id="not in the policy",
        ),
        pytest.param(
            connection(TESTING, pkix=GOOD), [f"sts a.example {' '.join(NOT_IN_POLICY)}"], id="not in it, for a test"
        ),
        pytest.param(
            connection(NOT_HAD, pkix=GOOD), ["sts a.example sts-policy-fetch-error http-404"], id="it cannot be had"
        ),
        pytest.param(
            connection(CACHED, pkix=GOOD),
            ["sts a.example sts-policy-fetch-error no-dns-record+fallback-to-cached-policy"],
            id="it cannot be had again",
        ),
        pytest.param(
            connection(CACHED, pkix=BAD), ["sts a.example certificate-expired expired"], id="what matters more"
        ),
        pytest.param(connection(BROKEN, pkix=GOOD), ["sts a.example sts-policy-invalid no-mode"], id="it is none"),
        pytest.param(
            connection(UNBELIEVED, pkix=GOOD),
            ["sts a.example sts-webpki-invalid certificate-expired"],
            id="its server is not verified",
        ),
        *(
            pytest.param(
                connection(policy, keys, result=result, pkix=GOOD),
                [*(f"{one} {' '.join(result)}" for one in about)],
                id=f"{result[0]} {result[1]}",
            )
            for result in (
                ("validation-failure", "tls-remote-alert-40-handshake-failure"),
                ("validation-failure", "io-timeout-during-handshake"),
                ("validation-failure", "smtp-starttls-reply-code-454"),
                ("starttls-not-supported", "smtp-starttls-reply-code-502"),
            )
            for policy, keys, about in (
                (None, None, ["no-policy-found a.example"]),
                (STS, None, ["sts a.example"]),
                (STS, KEYS, ["sts a.example", f"tlsa {MX}"]),
            )
        ),
        *(
            pytest.param(
                connection(STS, pkix=Judgement(False, result, "why")), [f"sts a.example {result} why"], id=result
            )
            for result in ("certificate-host-mismatch", "certificate-not-trusted", "validation-failure")
        ),
        pytest.param(
            connection(
                None, HostKeys(MX, (), (), (RECORD,), result="tlsa-invalid", reason="all-unusable-records+ignored")
            ),
            ["no-policy-found a.example", f"tlsa {MX} tlsa-invalid all-unusable-records+ignored"],
            id="no usable keys",
        ),
        pytest.param(
            connection(None, KEYS, pkix=BAD, dane=GOOD), ["no-policy-found a.example", f"tlsa {MX}"], id="DANE"
        ),
        pytest.param(
            connection(STS, KEYS, pkix=GOOD, dane=UNFIT),
            ["sts a.example", f"tlsa {MX} validation-failure dane-no-match"],
            id="DANE does not fit",
        ),
        pytest.param(
            connection(
                STS,
                HostKeys(MX, problem="bogus", result="dnssec-invalid", reason="tlsa-bogus"),
                result=("dnssec-invalid", "tlsa-bogus"),
                reached=False,
            ),
            [f"tlsa {MX} dnssec-invalid tlsa-bogus"],
            id="nobody knows the keys: there was no session under the policy",
        ),
        pytest.param(
            connection(STS, KEYS, result=NOT_IN_POLICY, host="x.example", reached=False),
            [f"sts a.example {' '.join(NOT_IN_POLICY)}"],
            id="not in the policy, with keys",
        ),
        pytest.param(
            connection(None, HostKeys("a.example", (RECORD,), (), (RECORD,)), host="a.example", dane=GOOD),
            ["tlsa a.example"],
            id="a domain without MX that has keys",
        ),
    ],
)
def test_notes(one, expected):
    found = []
    for note in tlsnotes.notes(DOMAIN, [one]):
        result = note.result
        assert (note.recipient_domain, note.is_host) == ("a.example", result.policy_type == "tlsa")
        assert note.policy_domain == result.domain
        assert result.successful_sessions + result.failed_sessions == 1
        assert result.failed_sessions == len(result.failures)
        wrong = "".join(f" {failure.result_type} {failure.reason_code}" for failure in result.failures)
        found.append(f"{result.policy_type} {result.domain}{wrong}")
    assert found == expected


def test_details():
    sts, tlsa = tlsnotes.notes(DOMAIN, [connection(STS, KEYS, result=("validation-failure", "tls-x"))])
    failure = Failure("validation-failure", "192.0.2.9", MX, "mx.it.says", "192.0.2.1", 1, "", "tls-x")
    assert sts.result == PolicyResult("sts", "a.example", LINES, (MX,), 0, 1, (failure,))
    assert tlsa.result == PolicyResult("tlsa", MX, ("3 1 1 ab",), (), 0, 1, (failure,))


@pytest.mark.parametrize(
    ("is_tls_report", "is_dmarc_report", "judgement", "sends"),
    [(False, False, GOOD, True), (True, False, BAD, False), (False, True, GOOD, False), (False, True, BAD, True)],
)
def test_reports_cause_no_reports(tmp_path, is_tls_report, is_dmarc_report, judgement, sends):
    message = SimpleNamespace(is_tls_report=is_tls_report, is_dmarc_report=is_dmarc_report, spec=QueuedMessage)
    with open_store(tmp_path) as store:
        noted = tlsnotes.notes(DOMAIN, [connection(pkix=judgement)] * 2)
        store.write_sync(tlsnotes.write, noted, message)
        with store.read() as tx:
            (which,) = tlsresult.before(tx, 60_000)
            kept = tlsresult.get(tx, which)
        assert kept.sends_report is sends
        assert [one.successful_sessions + one.failed_sessions for one in kept.results] == [2]
