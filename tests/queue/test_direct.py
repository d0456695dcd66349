"""One attempt at the hosts of a domain: which are asked, what of TLS, and whose word is the last."""

from dataclasses import dataclass
from ipaddress import ip_address

import pytest
import trio

from appliance.base.metrics import Counter
from appliance.dns.answers import TLSA
from appliance.dns.problems import Temporary
from appliance.mail.address import NULL_PATH
from appliance.mail.domain import parse_domain
from appliance.protocol.smtp.client import Delivered
from appliance.protocol.smtp.transaction import Recipient
from appliance.queue import direct, tlsdemands
from appliance.queue.parcel import Parcel
from appliance.queue.smtpclient import Content
from support.handing import GOOD, MESSAGE, ONE, SIX, THREE, TWO, sending, short
from support.smtpclientdriver import path
from support.streams import key_pair

OTHER = key_pair("other.example")


@dataclass
class Policy:
    enforced: bool = True
    known: bool = True
    hosts: tuple[str, ...] = ("a.example",)

    def allows(self, host: str) -> bool:
        return host in self.hosts


@dataclass
class Keys:
    base: str = ""
    records: tuple[TLSA, ...] = ()
    names: tuple[str, ...] = ("a.example",)
    problem: str = ""
    result: str = ""
    reason: str = ""


@dataclass
class Known:
    policy: Policy | None = None
    keys: Keys | None = None
    fails: bool = False

    async def of_domain(self, domain):
        if self.fails:
            raise Temporary("no answer")
        return self.policy

    async def of_host(self, hosts, host):
        return self.keys


def count(counter: Counter, *labels: str) -> float:
    return counter.labels(*labels).value


@pytest.mark.parametrize(
    ("first", "second", "outcome", "asked"),
    [
        pytest.param({}, {}, "delivered", [ONE], id="the first takes it"),
        pytest.param(None, {}, "delivered", [ONE, TWO], id="the first is not there"),
        pytest.param(None, None, "temporary 4.4.1", [ONE, TWO, THREE], id="nobody is there"),
        pytest.param({"GREETING": "421 busy"}, {}, "delivered", [ONE, TWO], id="busy"),
        pytest.param({"GREETING": "554 no mail here"}, {}, "delivered", [ONE, TWO], id="no mail host (RFC 7504)"),
        pytest.param({"GREETING": "554 no"}, {"GREETING": "554 no"}, "permanent 554 5.0.0", [ONE, TWO], id="neither"),
        pytest.param({"GREETING": "554 no"}, None, "temporary 4.4.1", [ONE, TWO, THREE], id="one may come back"),
        pytest.param({"MAIL": "451 4.3.0 later"}, {}, "delivered", [ONE, TWO], id="not now"),
        pytest.param({"MAIL": "550 5.1.0 no"}, {}, "permanent 550 5.1.0", [ONE], id="sender refused for good"),
        pytest.param({"RCPT": "550 5.1.1 no"}, {}, "permanent 550 5.1.1", [ONE], id="recipient refused for good"),
        pytest.param({"RCPT": "450 4.2.0 grey"}, {}, "delivered", [ONE, TWO], id="greylisted"),
        pytest.param({"RCPT": "450 4.2.0 a"}, {"RCPT": "450 4.2.0 b"}, "temporary 450 4.2.0", [ONE, TWO], id="both"),
        pytest.param({"CONTENT": "554 5.7.1 spam"}, {}, "permanent 554 5.7.1", [ONE], id="content refused"),
        pytest.param({"CONTENT": "452 4.3.1 full"}, {}, "delivered", [ONE, TWO], id="disk full"),
        pytest.param({"DATA": "close"}, {}, "delivered", [ONE, TWO], id="lost before the message"),
        pytest.param({"CONTENT": "close after"}, {}, "temporary 4.4.2", [ONE], id="lost after the dot: nobody else"),
        pytest.param({"EHLO": "500 what"}, {}, "delivered", [ONE], id="HELO"),
    ],
)
async def test_which_hosts(first, second, outcome, asked):
    async with sending() as it:
        for address, replies in ((ONE, first), (TWO, second)):
            if replies is not None:
                it.net.host(address, replies=replies)
        handed = await it.send()
        assert (short(handed), it.net.dialed) == (outcome, asked)
        assert it.taken == ([[0]] if outcome == "delivered" else [])
        if outcome == "delivered":
            name = {ONE: "a.example", TWO: "b.example"}[asked[-1]]
            assert handed.remote_mta == f"{name} ({asked[-1]})"
            assert handed.dialed[-1] == (name, ip_address(asked[-1]))


@pytest.mark.parametrize(
    ("replies", "extensions", "outcome", "transactions"),
    [
        pytest.param({}, (), "delivered | delivered | delivered", 1, id="one transaction"),
        pytest.param({}, ("LIMITS RCPTMAX=1",), "delivered | delivered | delivered", 3, id="one each (RFC 9422)"),
        pytest.param(
            {"RCPT TO:<y": "550 5.1.1 no", "RCPT TO:<z": "451 4.3.0 later"},
            (),
            "delivered | permanent 550 5.1.1 | temporary 451 4.3.0",
            1,
            id="each his own",
        ),
        pytest.param({"RCPT TO:<y": ["452 4.5.3 too many"]}, (), "delivered | delivered | delivered", 2, id="too many"),
        pytest.param(
            {"MAIL": "550 5.7.1 no"},
            (),
            "permanent 550 5.7.1 | permanent 550 5.7.1 | permanent 550 5.7.1",
            1,
            id="none",
        ),
    ],
)
@pytest.mark.parametrize("pipelining", [True, False])
async def test_several_recipients(replies, extensions, outcome, transactions, pipelining):
    async with sending() as it:
        offered = (*extensions, "PIPELINING") if pipelining else extensions
        # Copied, as lists in it are used up.
        manners = {key: list(value) if isinstance(value, list) else value for key, value in replies.items()}
        host = it.net.host(ONE, replies=manners, extensions=offered)
        handed = await it.send("them.example", "x", "y", "z")
        assert short(handed) == outcome
        assert sum(line.startswith("MAIL") for line in host.commands) == transactions
        assert host.connections == 1
        assert sorted(at for one in it.taken for at in one) == [
            at for at, one in enumerate(handed.outcomes) if isinstance(one, Delivered)
        ]


@pytest.mark.parametrize(
    ("domain", "attempts", "outcome"),
    [
        pytest.param("gone.example", 0, "permanent 550 5.1.2", id="no such domain"),
        pytest.param("null.example", 0, "permanent 556 5.1.10", id="null MX"),
        pytest.param("text.example", 1, "temporary 4.4.4", id="no addresses"),
        pytest.param("text.example", 2, "permanent 550 5.4.4", id="still none"),
        pytest.param("nowhere.example", 1, "temporary 4.4.4", id="hosts that are not there"),
        pytest.param("nowhere.example", 2, "permanent 550 5.4.4", id="still not there"),
    ],
)
async def test_names_that_lead_nowhere(domain, attempts, outcome):
    async with sending() as it:
        handed = await it.send(domain, attempts=attempts)
        assert (short(handed), it.net.dialed) == (outcome, [])


@pytest.mark.parametrize(
    ("first", "second", "said_by"),
    [
        pytest.param({"MAIL": "451 4.3.0 later"}, None, f"a.example ({ONE})", id="the first said why"),
        pytest.param(None, {"MAIL": "451 4.3.0 later"}, f"b.example ({TWO})", id="the second did"),
        pytest.param(None, None, "b.example", id="nobody did"),
    ],
)
async def test_who_said_so(first, second, said_by):
    """A notice names the host whose words it tells, not the one that was asked last."""
    async with sending() as it:
        for address, replies in ((ONE, first), (TWO, second)):
            if replies:
                it.net.host(address, replies=replies)
        assert (await it.send()).remote_mta == said_by


async def test_ourselves():
    async with sending(ourselves=frozenset({"a.example"})) as it:
        assert short(await it.send()) == "permanent 550 5.4.6"
        assert it.net.dialed == []


async def test_literal():
    async with sending(Known(Policy(), Keys(problem="x"))) as it:
        it.net.host("192.0.2.77", tls=OTHER)
        assert short(await it.send(literal="192.0.2.77")) == "delivered"


async def test_our_address_may_be_on_a_blocklist():
    """The first refusal of policy by a host of both families is one for now, and the other family comes next."""
    async with sending() as it:
        listed = it.net.host(SIX, replies={"MAIL": "550 5.7.1 listed"})
        it.net.host(ONE)
        handed = await it.send("dual.example")
        assert (short(handed), it.net.dialed) == ("temporary 550 5.7.1", [SIX])
        dialed = {host: [address] for host, address in handed.dialed}
        assert short(await it.send("dual.example", attempts=1, dialed=dialed)) == "delivered"
        assert it.net.dialed == [SIX, ONE]
        assert short(await it.send("dual.example", attempts=1)) == "permanent 550 5.7.1"
        assert listed.connections == 2


async def test_a_family_of_ones_own():
    async with sending(family=4) as it:
        it.net.host(ONE, replies={"MAIL": "550 5.7.1 listed"})
        assert short(await it.send("dual.example")) == "permanent 550 5.7.1"
        assert it.net.dialed == [ONE]


async def test_when_we_stop_nobody_else_is_asked():
    async with sending() as it:
        it.net.host(ONE, replies={"MAIL": "silence"})
        it.net.host(TWO)

        async def stop() -> None:
            while not it.net.open:
                await trio.sleep(0)
            it.means.shutdown.request()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(stop)
            handed = await it.send()
        assert (short(handed), it.net.dialed) == ("temporary 4.3.2", [ONE])


async def test_a_silent_host_is_waited_for_and_left(autojump_clock):
    async with sending() as it:
        it.net.host(ONE, replies={"MAIL": "silence"})
        it.net.host(TWO)
        with trio.fail_after(1000):
            handed = await direct.deliver(
                it.means,
                Parcel(
                    reverse_path=path("us@us.example"),
                    recipients=(Recipient(path("x@them.example")),),
                    content=Content.of(MESSAGE),
                ),
                parse_domain("them.example"),
                lambda *_: trio.lowlevel.checkpoint(),
                it.line,
            )
        assert (short(handed), it.net.dialed) == ("delivered", [ONE, TWO])


# TLS.

NONE, REQUIRE, WAIVE = None, True, False
FITS = Keys((TLSA(3, 0, 0, b""),))
PLAIN, BAD, FINE, BROKEN = "no STARTTLS", "another's certificate", "good certificate", "broken handshake"


def record(pair) -> TLSA:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    return TLSA(3, 0, 0, x509.load_pem_x509_certificates(pair.chain)[0].public_bytes(Encoding.DER))


@pytest.mark.parametrize(
    ("policies", "server", "wish", "outcome", "by_tls"),
    [
        pytest.param(Known(), PLAIN, NONE, "delivered", False, id="plain"),
        pytest.param(Known(), PLAIN, REQUIRE, "permanent 554 5.7.30", None, id="plain, REQUIRETLS"),
        pytest.param(Known(), PLAIN, WAIVE, "delivered", False, id="plain, no TLS required"),
        pytest.param(Known(), BAD, NONE, "delivered", True, id="bad certificate"),
        pytest.param(Known(), FINE, REQUIRE, "permanent 554 5.7.30", None, id="no policy, REQUIRETLS"),
        pytest.param(Known(), BAD, WAIVE, "delivered", True, id="bad certificate, no TLS required"),
        pytest.param(Known(), BROKEN, NONE, "delivered", False, id="broken: plain"),
        pytest.param(Known(), BROKEN, WAIVE, "delivered", False, id="broken, no TLS required: plain"),
        pytest.param(Known(Policy()), FINE, NONE, "delivered", True, id="MTA-STS"),
        pytest.param(Known(Policy()), FINE, REQUIRE, "delivered", True, id="MTA-STS, REQUIRETLS"),
        pytest.param(Known(Policy()), BAD, NONE, "temporary 4.7.5", None, id="MTA-STS, bad certificate"),
        pytest.param(Known(Policy()), BAD, REQUIRE, "temporary 4.7.5", None, id="MTA-STS, bad, REQUIRETLS"),
        pytest.param(Known(Policy()), BAD, WAIVE, "delivered", True, id="MTA-STS, bad, no TLS required"),
        pytest.param(Known(Policy()), PLAIN, NONE, "temporary 502 5.0.0", None, id="MTA-STS, plain"),
        pytest.param(Known(Policy()), PLAIN, WAIVE, "delivered", False, id="MTA-STS, plain, no TLS required"),
        pytest.param(Known(Policy()), BROKEN, NONE, "temporary 4.7.5", None, id="MTA-STS, broken"),
        pytest.param(Known(Policy()), BROKEN, WAIVE, "delivered", False, id="MTA-STS, broken, no TLS required"),
        pytest.param(Known(Policy(hosts=())), FINE, NONE, "temporary 4.7.5", None, id="host not of the policy"),
        pytest.param(Known(Policy(hosts=())), FINE, WAIVE, "delivered", True, id="that, no TLS required"),
        pytest.param(Known(Policy(enforced=False, hosts=())), BAD, NONE, "delivered", True, id="policy being tested"),
        pytest.param(
            Known(Policy(enforced=False)), FINE, REQUIRE, "permanent 554 5.7.30", None, id="tested, REQUIRETLS"
        ),
        pytest.param(Known(fails=True), FINE, NONE, "temporary 4.4.3", None, id="policy unknown for now"),
        pytest.param(Known(fails=True), FINE, WAIVE, "delivered", True, id="unknown, no TLS required"),
        pytest.param(Known(keys=Keys(records=(record(OTHER),))), BAD, NONE, "delivered", True, id="DANE"),
        pytest.param(
            Known(keys=Keys(records=(record(OTHER),))), BAD, REQUIRE, "delivered", True, id="DANE, REQUIRETLS"
        ),
        pytest.param(
            Known(keys=Keys(records=(record(OTHER),))), FINE, NONE, "temporary 4.7.5", None, id="DANE, another's"
        ),
        pytest.param(
            Known(keys=Keys(records=(record(OTHER),))), FINE, WAIVE, "delivered", True, id="that, no TLS required"
        ),
        pytest.param(
            Known(keys=Keys(records=(record(OTHER),))), PLAIN, NONE, "temporary 502 5.0.0", None, id="DANE, plain"
        ),
        pytest.param(Known(keys=Keys()), BAD, NONE, "delivered", True, id="no usable record: unverified"),
        pytest.param(Known(keys=Keys()), PLAIN, NONE, "temporary 502 5.0.0", None, id="no usable record, plain"),
        pytest.param(Known(keys=Keys()), FINE, REQUIRE, "permanent 554 5.7.30", None, id="unverified, REQUIRETLS"),
        pytest.param(
            Known(keys=Keys(problem="bogus", result="dnssec-invalid")), FINE, NONE, "temporary 4.7.5", None, id="bogus"
        ),
        pytest.param(
            Known(keys=Keys(problem="bogus", result="dnssec-invalid")),
            FINE,
            WAIVE,
            "delivered",
            True,
            id="bogus waived",
        ),
        pytest.param(
            Known(Policy(), Keys(records=(record(OTHER),))),
            FINE,
            NONE,
            "temporary 4.7.5",
            None,
            id="both policies hold: DANE",
        ),
        pytest.param(
            Known(Policy(), Keys(records=(record(OTHER),))),
            BAD,
            NONE,
            "temporary 4.7.5",
            None,
            id="both policies hold: PKIX",
        ),
    ],
)
async def test_tls(policies, server, wish, outcome, by_tls):
    before = count(direct.plaintext_fallbacks)
    async with sending(policies) as it:
        pair = {BAD: OTHER, FINE: GOOD, BROKEN: GOOD}.get(server)
        offered = ("PIPELINING", "REQUIRETLS") if pair else ("PIPELINING",)
        host = it.net.host(ONE, tls=pair, breaks_tls=server == BROKEN, extensions=offered)
        handed = await it.send("single.example", requiretls=wish)
        assert short(handed) == outcome
        assert [one.tls for one in host.arrived] == ([] if by_tls is None else [by_tls])
        fell_back = server == BROKEN and by_tls is False
        assert count(direct.plaintext_fallbacks) - before == fell_back
        assert host.connections <= 1 + fell_back
        if host.arrived:
            assert ("REQUIRETLS" in host.arrived[0].mail) == (wish is REQUIRE)
        # What reports tell: each connection that came to TLS, judged whether or not that mattered.
        for one in handed.connections:
            assert one.policy is policies.policy
            if one.tls.info is not None:
                assert one.tls.judgements["pkix"].verified == (server == FINE)
        if server == BROKEN:
            assert [one.tls.result for one in handed.connections] == ["validation-failure"]


@pytest.mark.parametrize(
    ("policies", "server", "wish", "outcome", "words"),
    [
        pytest.param(Known(), PLAIN, NONE, "temporary 4.7.4", "502", id="plain"),
        pytest.param(Known(), PLAIN, WAIVE, "temporary 4.7.4", "502", id="plain, though no TLS required"),
        pytest.param(Known(), BROKEN, NONE, "temporary 4.7.5", "handshake", id="broken"),
        pytest.param(Known(), BROKEN, WAIVE, "temporary 4.7.5", "handshake", id="broken, though no TLS required"),
        pytest.param(Known(), BAD, NONE, "delivered", "", id="bad certificate"),
        pytest.param(Known(Policy()), BAD, WAIVE, "delivered", "", id="MTA-STS, bad, no TLS required"),
        pytest.param(Known(Policy()), BAD, NONE, "temporary 4.7.5", None, id="MTA-STS, bad certificate"),
        pytest.param(Known(Policy()), PLAIN, NONE, "temporary 502 5.0.0", None, id="MTA-STS, plain"),
    ],
)
async def test_never_in_plain_text(policies, server, wish, outcome, words):
    """What the operator says; where others demand TLS, too, it is their demand that is told of."""
    before = count(direct.plaintext_fallbacks)
    async with sending(policies, require_tls=True) as it:
        pair = {PLAIN: None, BAD: OTHER}.get(server, GOOD)
        host = it.net.host(ONE, tls=pair, breaks_tls=server == BROKEN)
        handed = await it.send("single.example", requiretls=wish)
        assert short(handed) == outcome
        if outcome == "delivered":
            assert [one.tls for one in host.arrived] == [True]
        else:
            (failure,) = handed.outcomes
            assert ("require_tls" in failure.text) == (words is not None)
            assert (words or "") in failure.text
            assert not any(line.startswith("MAIL") for line in host.commands)
        assert count(direct.plaintext_fallbacks) == before


async def test_a_server_without_requiretls():
    async with sending(Known(Policy())) as it:
        it.net.host(ONE, tls=GOOD)
        before = count(tlsdemands.unsupported, "norequiretls")
        assert short(await it.send("single.example", requiretls=True)) == "permanent 554 5.7.30"
        assert count(tlsdemands.unsupported, "norequiretls") - before == 1


async def test_those_with_requiretls_follow_each_other_on_one_connection():
    async with sending(Known(Policy())) as it:
        host = it.net.host(ONE, tls=GOOD, extensions=("PIPELINING", "REQUIRETLS"))
        for wish in (True, True, None, True, True):
            assert short(await it.send("single.example", requiretls=wish)) == "delivered"
        assert ["REQUIRETLS" in one.mail for one in host.arrived] == [True, True, False, True, True]
        assert host.connections == 3


async def test_a_notice_is_better_sent_without_requiretls_than_not_at_all():
    """RFC 8689 §5."""
    async with sending() as it:
        host = it.net.host(ONE, tls=GOOD)
        handed = await it.send("single.example", requiretls=True, reverse_path=NULL_PATH)
        assert short(handed) == "delivered"
        assert host.arrived[0].mail == "MAIL FROM:<> SIZE=21 BODY=7BIT" or "REQUIRETLS" not in host.arrived[0].mail


async def test_reports_never_go_without_tls_after_it_failed():
    async with sending() as it:
        it.net.host(ONE, tls=GOOD, breaks_tls=True)
        assert short(await it.send("single.example", must_tls=True)) == "temporary 4.7.5"


async def test_what_goes_where_utf8_goes():
    other = b"Subject: \xc3\xbc\r\n\r\nhello\r\n"
    for extensions, octets in (((), MESSAGE), (("SMTPUTF8", "8BITMIME"), other)):
        async with sending() as it:
            host = it.net.host(ONE, extensions=extensions)
            assert short(await it.send("single.example", content_utf8=Content.of(other))) == "delivered"
            assert host.arrived[0].octets == octets
            assert ("SMTPUTF8" in host.arrived[0].mail) == bool(extensions)


async def test_another_host_may_know_what_one_lacks():
    async with sending() as it:
        it.net.host(ONE)
        host = it.net.host(TWO, extensions=("SMTPUTF8", "8BITMIME"))
        assert short(await it.send(smtputf8=True)) == "delivered"
        assert len(host.arrived) == 1
        it.net.host(TWO)
        assert short(await it.send(smtputf8=True)) == "permanent 553 5.6.7"


async def test_plain_text_after_tls_is_the_same_visit():
    async with sending() as it:
        it.net.host(ONE, tls=GOOD, breaks_tls=True)
        handed = await it.send("single.example")
        assert handed.dialed == [("a.example", ip_address(ONE))]
        assert len(it.net.dialed) == 2


async def test_hosts_that_hold_the_line_are_not_all_asked(monkeypatch):
    monkeypatch.setattr(direct, "LONG_SECONDS", 0)
    async with sending() as it:
        it.net.host(ONE, replies={"MAIL": "451 4.3.0 later"})
        it.net.host(TWO)
        assert (short(await it.send()), it.net.dialed) == ("temporary 451 4.3.0", [ONE])
