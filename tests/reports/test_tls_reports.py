"""Reports of ours about TLS: who gets which when, what they say, and that a session is told once."""

import gzip
from datetime import timedelta
from functools import partial
from ipaddress import ip_address

import pytest

from appliance.base import limits
from appliance.dns.answers import Type
from appliance.dns.table import Table
from appliance.mail import header, tlsreport
from appliance.mail.address import parse_address
from appliance.mail.domain import parse_domain
from appliance.mail.tlsreport import Failure, PolicyResult
from appliance.reports import calendar, posting, retention, tlsrpt
from appliance.serve import Parts
from appliance.store import report as reports, reportsuppression, tlsresult
from appliance.store.problems import StorageFull
from appliance.store.report import Kind
from appliance.store.tlsresult import Which
from support.clock import Over, Traveller
from support.judging import NAMES, Sending, judging_house
from support.reporting import END, KEY, UNSIGNED, open_reporter, scanned, signatures
from support.streams import key_pair
from support.webserver import response, web_server

DAY = tlsresult.day_of(END) - 1
MX = "mx.a.example"
ASKS = {"_smtp._tls.a.example": "v=TLSRPTv1; rua=mailto:tls@a.example"}
EXPIRED = Failure("certificate-expired", "192.0.2.7", MX, MX, "198.51.100.1", 1, "", "expired")
STS = PolicyResult("sts", "a.example", ("version: STSv1", "mode: enforce"), (MX,), 3, 1, (EXPIRED,))
NONE = PolicyResult("no-policy-found", "a.example", successful_sessions=2)
TLSA = PolicyResult("tlsa", MX, ("3 1 1 AB",), (), 0, 2, (Failure("tlsa-invalid", failed_sessions=2),))


@pytest.fixture(autouse=True)
def travelling(monkeypatch):
    """Whoever waits for a time is there at once."""

    async def wait_until(clock, moment):
        await clock.wait_until(moment)

    monkeypatch.setattr(posting, "wait_until", wait_until)


def note(reporter, *results, domain="a.example", host="", day=DAY, sends_report=True) -> bool:
    """Sessions of the noon of a day."""

    def body(tx):
        tx.now = (day * 24 + 12) * 3600 * 1_000_000
        return tlsresult.note(
            tx,
            host or domain,
            domain,
            results or (STS,),
            is_host=bool(host),
            sends_report=sends_report,
            most=100,
            policies=10,
            failures=3,
        )

    return reporter.store.write_sync(body)


async def send(reporter, midnight=END, permits=None):
    """The reports of a midnight, then."""
    clock = Traveller(midnight + timedelta(minutes=5), midnight + timedelta(hours=5))
    web = {} if permits is None else {"permits": permits}
    await tlsrpt.send_due(reporter.at(clock).app, midnight, **web)


def left(reporter) -> list[tuple[str, str, bool]]:
    with reporter.store.read() as tx:
        return [(one.policy_domain, one.recipient_domain, one.is_host) for one in tlsresult.before(tx, 60_000)]


def told(reporter, one):
    octets = reporter.octets(one)
    return tlsreport.read(scanned(octets), octets, limits.REPORT)


def field(octets: bytes, name: bytes) -> str:
    found = header.get(octets, header.fields(octets, limits=limits.HEADER), name)
    return " ".join((found or b"").decode().split())


# What is kept.


def test_equal_ones_are_counted_together():
    more = (
        NONE,
        STS,
        PolicyResult("sts", "a.example", STS.policy_lines, STS.mx_patterns, 1, 4, (Failure("x", failed_sessions=4),)),
        PolicyResult("sts", "a.example", ("version: STSv1",), STS.mx_patterns, 1),
    )
    merged = tlsreport.merge((STS, *more), policies=10, failures=10)
    assert merged == (
        PolicyResult(
            "sts",
            "a.example",
            STS.policy_lines,
            STS.mx_patterns,
            7,
            6,
            (
                Failure("certificate-expired", "192.0.2.7", MX, MX, "198.51.100.1", 2, "", "expired"),
                Failure("x", failed_sessions=4),
            ),
        ),
        NONE,
        more[3],
    )
    assert tlsreport.merge(merged, policies=10, failures=10) == merged
    few = tlsreport.merge(merged, policies=1, failures=1)
    assert [(one.failed_sessions, len(one.failures)) for one in few] == [(6, 1)]


async def test_kept_by_day_and_domains(tmp_path):
    async with open_reporter(tmp_path) as reporter:
        long = ".".join(["a" * 61] * 4 + ["abcd"])[:253]
        assert note(reporter, domain=long, host=long)
        assert note(reporter, NONE)
        assert note(reporter, STS)
        assert note(reporter, STS, day=DAY + 1)
        assert note(reporter, TLSA, host=MX, sends_report=False)
        with reporter.store.read() as tx:
            assert tlsresult.before(tx, DAY) == []
            assert len(tlsresult.before(tx, DAY + 1)) == 3
            assert tlsresult.get(tx, Which(DAY, False, "a.example", "a.example")).results == (NONE, STS)
            assert tlsresult.get(tx, Which(DAY, True, MX, "a.example")).sends_report is False
        reporter.store.write_sync(tlsresult.forget_before, DAY + 1, 10)
        assert left(reporter) == [("a.example", "a.example", False)]


async def test_bounds(tmp_path):
    async with open_reporter(tmp_path) as reporter:
        kinds = [Failure(f"kind-{number}", failed_sessions=1) for number in range(5)]
        assert note(reporter, *(PolicyResult("sts", "a.example", failed_sessions=1, failures=(one,)) for one in kinds))
        for number in range(99):
            assert note(reporter, domain=f"d{number}.example")
        assert not note(reporter, domain="more.example")
        assert note(reporter, domain="d5.example")
        with reporter.store.read() as tx:
            (one,) = tlsresult.get(tx, Which(DAY, False, "a.example", "a.example")).results
        assert (one.failed_sessions, len(one.failures)) == (5, 3)


async def test_old_ones_are_forgotten(tmp_path):
    async with open_reporter(tmp_path) as reporter:
        for day in range(4):
            note(reporter, day=DAY - day)
        await retention.sweep(reporter.store, int(END.timestamp() * 1e6))
        assert len(left(reporter)) == 3
        await retention.sweep(reporter.store, int((END + timedelta(hours=12)).timestamp() * 1e6))
        assert len(left(reporter)) == 2


# The mail.


async def test_a_report(tmp_path):
    async with open_reporter(tmp_path, records=ASKS) as reporter:
        before = tlsrpt.queued.labels().value
        note(reporter, STS)
        note(reporter, STS, NONE)
        note(reporter, STS, day=DAY + 1)
        await send(reporter)
        (one,) = reporter.queue
        assert (one.reverse_path, one.recipient) == ("postmaster@ours.example", "tls@a.example")
        assert (one.is_dmarc_report, one.is_tls_report, one.max_attempts, one.requiretls) == (False, True, 5, False)
        assert (one.wants("FAILURE"), one.wants("DELAY")) == (True, False)
        with reporter.store.read() as tx:
            assert one.account == tx.account_id("alice")
        octets, report = reporter.octets(one), told(reporter, one)
        assert report.report_id == "20261101.a.example@ours.example"
        assert (report.organization, report.contact) == ("ours.example", "postmaster@ours.example")
        assert (report.begin, report.end) == (END - calendar.DAY, END - timedelta(seconds=1))
        assert field(octets, b"Subject") == (
            f"Report Domain: a.example Submitter: ours.example Report-ID: <{report.report_id}>"
        )
        assert field(octets, b"From") == "postmaster@ours.example"
        assert field(octets, b"TLS-Report-Domain") == "a.example"
        assert field(octets, b"TLS-Report-Submitter") == "ours.example"
        assert field(octets, b"TLS-Required") == "No"
        ((status, domain, names),) = await signatures(octets, reporter)
        assert (status, domain) == ("pass", "ours.example")
        assert {"tls-report-domain", "tls-report-submitter", "from", "subject"} <= names
        root = scanned(octets)
        assert (root.subtype, root.parameter("report-type")) == ("report", "tlsrpt")
        text, file = root.parts
        assert text.media_type == "text"
        assert (file.media_type, file.subtype) == ("application", "tlsrpt+gzip")
        begin, end = int((END - calendar.DAY).timestamp()), int(END.timestamp()) - 1
        assert f'filename="{file.filename}"\r\n'.encode() in octets, "in one piece"
        assert file.filename == f"ours.example!a.example!{begin}!{end}.json.gz"
        assert report.policies == tlsreport.merge((STS, STS, NONE), policies=9, failures=9)
        assert report.policies[0].failures[0].failed_sessions == 2
        assert left(reporter) == [("a.example", "a.example", False)], "today's wait for midnight"
        assert tlsrpt.queued.labels().value == before + 1


async def test_before_its_time(tmp_path):
    """The day that is not over, too; its rest is another report."""
    now = END + timedelta(hours=13)
    async with open_reporter(tmp_path, records=ASKS) as reporter:
        note(reporter, STS)
        note(reporter, STS, day=DAY + 1)
        app = reporter.at(Traveller(now, now)).app
        assert await tlsrpt.send_now(app) == ["a.example"]
        assert [told(reporter, one).begin for one in reporter.queue] == [END - calendar.DAY, END]
        first = {told(reporter, one).report_id for one in reporter.queue}
        reporter.take()
        assert await tlsrpt.send_now(app) == []
        note(reporter, STS, day=DAY + 1)
        await send(reporter, END + calendar.DAY)
        (rest,) = reporter.queue
        assert told(reporter, rest).report_id not in first, "or it would pass for one of them"


async def test_not_without_a_signature(tmp_path):
    async with open_reporter(tmp_path, domains=UNSIGNED, records=ASKS) as reporter:
        note(reporter)
        await send(reporter)
        assert reporter.queue == []
        assert len(left(reporter)) == 1


# Whether.


@pytest.mark.parametrize(
    ("static", "result", "sends_report", "is_sent", "is_kept"),
    [
        ("", STS, True, True, False),
        ("", STS, False, False, False),
        ("", NONE, True, False, False),
        ("outgoing_tls_reports_for_all_success = true\n", NONE, True, True, False),
        ("outgoing_tls_reports_for_all_success = true\n", NONE, False, False, False),
        ("no_outgoing_tls_reports = true\n", STS, True, False, True),
    ],
)
async def test_whether_it_is_worth_it(tmp_path, static, result, sends_report, is_sent, is_kept):
    async with open_reporter(tmp_path, static=static, records=ASKS) as reporter:
        note(reporter, result, sends_report=sends_report)
        await send(reporter)
        assert len(reporter.queue) == is_sent
        assert len(left(reporter)) == is_kept


@pytest.mark.parametrize(
    ("records", "table", "recipients", "is_kept"),
    [
        pytest.param({}, {}, [], False, id="no record"),
        pytest.param({"_smtp._tls.a.example": "v=TLSRPTv1"}, {}, [], False, id="no rua"),
        pytest.param({"_smtp._tls.a.example": "v=TLSRPTv1; rua"}, {}, [], False, id="a record that makes no sense"),
        pytest.param({"_smtp._tls.a.example": [ASKS["_smtp._tls.a.example"]] * 2}, {}, [], False, id="two"),
        pytest.param(
            {"_smtp._tls.a.example": "v=TLSRPTv1; rua=https://a.example/x"}, {}, [], True, id="a web server not there"
        ),
        pytest.param(
            {"_smtp._tls.a.example": "v=TLSRPTv1; rua=https://me:secret@a.example/x"}, {}, [], False, id="a bad URL"
        ),
        pytest.param({"_smtp._tls.a.example": "v=TLSRPTv1; rua=mailto:nobody"}, {}, [], False, id="no address"),
        pytest.param({}, {"failing": [("_smtp._tls.a.example", Type.TXT)]}, [], True, id="nobody knows"),
        pytest.param(
            {"_smtp._tls.a.example": "v=TLSRPTv1; rua=https://a.example/x,mailto:b@b.example,mailto:c@c.example"},
            {},
            ["b@b.example", "c@c.example"],
            False,
            id="several, elsewhere",
        ),
    ],
)
async def test_addresses(tmp_path, records, table, recipients, is_kept):
    async with open_reporter(tmp_path) as reporter:
        reporter.answers(records, **table)
        note(reporter)
        await send(reporter)
        assert [one.recipient for one in reporter.queue] == recipients
        assert len(left(reporter)) == is_kept


async def test_suppressed(tmp_path):
    async with open_reporter(tmp_path, records=ASKS) as reporter:
        put = partial(reporter.store.write_sync, reportsuppression.put)
        put(Kind.TLS, parse_address("tls@a.example"), int(END.timestamp() * 1e6) + 10**9, "full", most=10)
        note(reporter)
        await send(reporter)
        assert reporter.queue == []
        assert left(reporter) == []


# Hosts.


HOSTS = {
    "same": {"_smtp._tls.mx.a.example": "v=TLSRPTv1; rua=mailto:TLS@a.example"},
    "own": {"_smtp._tls.mx.a.example": "v=TLSRPTv1; rua=mailto:mx@a.example"},
    "none": {},
}


@pytest.mark.parametrize(
    ("host", "reports_"),
    [
        ("same", [("a.example", ["sts", "tlsa"])]),
        ("own", [("a.example", ["sts", "tlsa"]), (MX, ["tlsa"])]),
        ("none", [("a.example", ["sts", "tlsa"])]),
    ],
)
async def test_hosts(tmp_path, host, reports_):
    async with open_reporter(tmp_path, records={**ASKS, **HOSTS[host]}) as reporter:
        note(reporter, STS)
        note(reporter, TLSA, host=MX)
        await send(reporter)
        found = [
            (
                field(reporter.octets(one), b"TLS-Report-Domain"),
                [policy.policy_type for policy in told(reporter, one).policies],
            )
            for one in reporter.queue
        ]
        assert found == reports_
        assert left(reporter) == []


async def test_a_host_of_many_domains(tmp_path):
    """It is told of those domains whose own reports went elsewhere."""
    asks = {**HOSTS["own"], **ASKS, "_smtp._tls.b.example": "v=TLSRPTv1; rua=mailto:mx@a.example"}
    async with open_reporter(tmp_path, records=asks) as reporter:
        for name in "abc":
            note(reporter, TLSA, host=MX, domain=f"{name}.example")
        await send(reporter)
        found = {
            field(reporter.octets(one), b"TLS-Report-Domain"): told(reporter, one).policies[0].failed_sessions
            for one in reporter.queue
        }
        assert found == {"a.example": 2, "b.example": 2, MX: 4}


async def test_a_host_waits_for_the_domain(tmp_path):
    async with open_reporter(tmp_path) as reporter:
        reporter.answers(HOSTS["own"], failing=[("_smtp._tls.a.example", Type.TXT)])
        note(reporter, TLSA, host=MX)
        await send(reporter)
        assert reporter.queue == []
        reporter.answers({**ASKS, **HOSTS["own"]}, failing=[("_smtp._tls.mx.a.example", Type.TXT)])
        await send(reporter, END + calendar.DAY)
        assert [one.recipient for one in reporter.take()] == ["tls@a.example"]
        reporter.answers({**ASKS, **HOSTS["own"]})
        await send(reporter, END + 2 * calendar.DAY)
        assert [one.recipient for one in reporter.take()] == ["mx@a.example"], "the domain is not told again"
        assert left(reporter) == []


# Days.


async def test_days_are_told_one_by_one(tmp_path):
    async with open_reporter(tmp_path, records=ASKS) as reporter:
        for day in range(4):
            note(reporter, day=DAY - day)
        await send(reporter)
        begins = [(END - told(reporter, one).begin).days for one in reporter.queue]
        assert begins == [3, 2, 1], "the fourth is too old"
        assert len({told(reporter, one).report_id for one in reporter.queue}) == 3


async def test_time_travel(tmp_path, monkeypatch):
    """At once at the start, then after each midnight, spread."""
    names = [f"d{number:02}" for number in range(60)]
    asks = {f"_smtp._tls.{name}.example": f"v=TLSRPTv1; rua=mailto:d@{name}.example" for name in names}
    async with open_reporter(tmp_path, records=asks) as reporter:
        clock = Traveller(END - timedelta(hours=3), END + timedelta(hours=30))
        minutes: list[float] = []
        original = posting.queue

        def seen(tx, config, letter):
            minutes.append((clock.now() - END).total_seconds() / 60)
            original(tx, config, letter)

        monkeypatch.setattr(posting, "queue", seen)
        note(reporter, domain="d00.example", day=DAY - 1)
        for name in names:
            note(reporter, domain=f"{name}.example")
        with pytest.raises(Over):
            await tlsrpt.run(reporter.at(clock).app)
        assert minutes[0] == -180
        assert 4 <= minutes[1] <= 6
        assert round(minutes[2] - minutes[1], 3) == 4
        assert round(minutes[60] - minutes[1], 3) == 59 * 4
        assert len(minutes) == len(reporter.queue) == 61
        assert left(reporter) == []


# Trouble.


async def test_a_full_disk_keeps_it(tmp_path, monkeypatch):
    async with open_reporter(tmp_path, records=ASKS) as reporter:
        note(reporter)
        original, before = posting.queue, tlsrpt.errors.labels().value

        def full(*_):
            raise StorageFull("the disk is full")

        monkeypatch.setattr(posting, "queue", full)
        await send(reporter)
        assert (reporter.queue, len(left(reporter))) == ([], 1)
        assert tlsrpt.errors.labels().value == before + 1
        monkeypatch.setattr(posting, "queue", original)
        await send(reporter)
        await send(reporter)
        assert (len(reporter.queue), left(reporter)) == (1, [])


async def test_what_changed_meanwhile_is_left_for_the_next_time(tmp_path, monkeypatch):
    async with open_reporter(tmp_path, records=ASKS) as reporter:
        note(reporter)
        original = tlsrpt._letter

        def late(*arguments):
            note(reporter, NONE)
            return original(*arguments)

        monkeypatch.setattr(tlsrpt, "_letter", late)
        await send(reporter)
        assert (reporter.queue, len(left(reporter))) == ([], 1)
        monkeypatch.setattr(tlsrpt, "_letter", original)
        await send(reporter)
        assert [len(told(reporter, one).policies) for one in reporter.queue] == [2]


async def test_too_large(tmp_path, monkeypatch):
    async with open_reporter(tmp_path, records=ASKS) as reporter:
        note(reporter)
        monkeypatch.setattr(posting, "OUR_REPORT_OCTETS", 1000)
        await send(reporter)
        assert (reporter.queue, left(reporter)) == ([], [])


def test_localserve_sends_none():
    assert ("tlsreports", tlsrpt.run) in Parts().reporters()


# There and back.


async def test_we_read_what_we_write(tmp_path):
    """A report of ours, delivered by SMTP to a house like ours: it is believed and kept, value for value."""
    ours = (
        '[domains."a.example"]\n'
        '[domains."example.org"]\ntlsrpt = { localpart = "tls", account = "alice", mailbox = "TLSRPT" }\n'
        '[accounts.alice.destinations."alice@example.org"]\n'
    )
    for name in ("ours", "theirs"):
        (tmp_path / name).mkdir()
    asks = {"_smtp._tls.a.example": "v=TLSRPTv1; rua=mailto:tls@example.org"}
    async with open_reporter(tmp_path / "ours", records=asks) as reporter:
        note(reporter, STS, NONE)
        note(reporter, TLSA, host=MX)
        await send(reporter)
        (one,) = reporter.queue
        octets, report = reporter.octets(one), told(reporter, one)
        assert report.policies == (STS, NONE, TLSA)
    async with judging_house(tmp_path / "theirs", ours, Table({**NAMES, **KEY})) as house:
        object.__setattr__(house.app.clock, "_now", END + timedelta(minutes=5))
        sending = Sending(house)
        await sending.begin(one.recipient, mail_from=one.reverse_path)
        assert (await sending.ask(octets + b".\r\n")).startswith("250 ")
        with house.store.read() as tx:
            kept = reports.reports(
                tx, Kind.TLS, parse_domain("a.example"), END - calendar.DAY, END + calendar.DAY, most=5
            )
        assert [found.report for _, found in kept] == [report]
        assert b"X-Mox-TLSReport-Error" not in house.last_message("alice/TLSRPT")[0]


# By HTTPS.

ANY = key_pair("unknown.example")  # RFC 8460 §3: certificates do not matter.


def anywhere(_):
    return True


def web_records(port: int, *others: str) -> dict[str, str]:
    return {"_smtp._tls.a.example": ",".join([f"v=TLSRPTv1; rua=https://reports.example:{port}/v1?x=1", *others])}


@pytest.mark.parametrize(
    ("answer", "others", "queue", "kept"),
    [
        pytest.param(response(b""), [], 0, False, id="taken"),
        pytest.param(response(b"ok", status="201 Created"), [], 0, False, id="created"),
        pytest.param(response(b"no", status="500 Oops"), [], 0, True, id="not taken: another day"),
        pytest.param(response(b"", "Location: https://x.example/", status="302 Found"), [], 0, True, id="redirected"),
        pytest.param(b"nonsense", [], 0, True, id="no HTTP"),
        pytest.param(response(b""), ["mailto:tls@a.example"], 1, False, id="and mailed"),
        pytest.param(response(b"no", status="500 Oops"), ["mailto:tls@a.example"], 1, False, id="mailed alone"),
        pytest.param(response(b"no", status="500 Oops"), ["https://reports.example:1/"], 0, True, id="nobody took it"),
    ],
)
async def test_posted(tmp_path, monkeypatch, answer, others, queue, kept):
    monkeypatch.setitem(KEY, "reports.example", {Type.A: [ip_address("127.0.0.1")]})
    async with web_server(ANY, answer) as web, open_reporter(tmp_path, records=web_records(web.port, *others)) as house:
        note(house)
        await send(house, permits=anywhere)
        assert len(house.take()) == queue
        (request,) = web.requests
        head, _, body = request.partition(b"\r\n\r\n")
        assert head.startswith(b"POST /v1?x=1 HTTP/1.1\r\n")
        assert b"\r\ncontent-type: application/tlsrpt+gzip\r\n" in head.lower() + b"\r\n"
        value = tlsreport.parse(gzip.decompress(body), limits.REPORT)
        assert (value.organization, value.policies) == ("ours.example", (STS,))
        assert bool(left(house)) == kept
        # The next day: who has it does not get it again.
        web.answers = [response(b"")]
        await send(house, END + timedelta(days=1), permits=anywhere)
        assert len(web.requests) == 1 + kept
        assert left(house) == []


async def test_not_posted_to_addresses_that_are_not_public(tmp_path, monkeypatch):
    monkeypatch.setitem(KEY, "reports.example", {Type.A: [ip_address("127.0.0.1")]})
    async with web_server(ANY, response(b"")) as web, open_reporter(tmp_path, records=web_records(web.port)) as house:
        note(house)
        await send(house)
        assert web.requests == []
        assert left(house)
        await send(house, END + timedelta(days=3))  # Too old by now.
        assert house.take() == []


async def test_hosts_whose_web_server_was_told_already(tmp_path, monkeypatch):
    monkeypatch.setitem(KEY, "reports.example", {Type.A: [ip_address("127.0.0.1")]})
    async with web_server(ANY, response(b"")) as web:
        records = web_records(web.port)
        records[f"_smtp._tls.{MX}"] = records["_smtp._tls.a.example"]
        async with open_reporter(tmp_path, records=records) as house:
            note(house)
            note(house, TLSA, host=MX)
            await send(house, permits=anywhere)
            assert len(web.requests) == 1
            assert left(house) == []
