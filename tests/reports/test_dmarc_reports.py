"""DMARC reports of ours: who gets which when, what they say, and that a message is reported once."""

import base64
import gzip
import itertools
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
import trio
from trio.testing import MockClock

from appliance.base import limits
from appliance.dns.answers import Type
from appliance.dns.table import Table
from appliance.mail import dmarcreport, header
from appliance.mail.address import parse_address
from appliance.mail.dmarcreport import PublishedPolicy, Reason
from appliance.mail.domain import parse_domain
from appliance.reports import calendar, dmarc, posting
from appliance.serve import Parts
from appliance.store import report as reports, reportsuppression
from appliance.store.problems import StorageFull
from appliance.store.report import Kind
from support.clock import FlowingClock, Over, StandingClock, Traveller
from support.judging import NAMES, Sending, judging_house
from support.reporting import END, HOUR, KEY, UNSIGNED, evaluation, open_reporter, scanned, signatures
from support.schema import Schema

SCHEMA = Schema(Path(__file__).parent.parent / "data/reports/dmarc.xsd")
ASKS = {"_dmarc.a.example": "v=DMARC1; p=reject; rua=mailto:dmarc@a.example"}
A = parse_domain("a.example")


@pytest.fixture(autouse=True)
def travelling(monkeypatch):
    """Whoever waits for a time is there at once."""

    async def wait_until(clock, moment):
        await clock.wait_until(moment)

    monkeypatch.setattr(posting, "wait_until", wait_until)


async def send(reporter, end=END):
    """The reports of an hour, at that hour."""
    await dmarc.send_due(reporter.at(Traveller(end + timedelta(minutes=1), end + calendar.HOUR)).app, end)


def told(reporter, one):
    """The report in a queued message, as we would read it ourselves."""
    octets = reporter.octets(one)
    return dmarcreport.read(scanned(octets), octets, limits.REPORT)


def field(octets: bytes, name: bytes) -> str:
    found = header.get(octets, header.fields(octets, limits=limits.HEADER), name)
    return " ".join((found or b"").decode().split())


# The mail.


async def test_a_report(tmp_path):
    async with open_reporter(tmp_path, records=ASKS) as reporter:
        before = dmarc.queued.labels().value
        reporter.note(
            evaluation(hours=-3),
            evaluation(hours=-2.5, ip="2001:db8::1", spf="pass", reasons=(Reason("mailing_list"),)),
            evaluation(hours=-2),
            evaluation(hours=0),
            evaluation("b.example"),
        )
        await send(reporter)
        (one,) = reporter.queue
        assert (one.reverse_path, one.recipient) == ("postmaster@mail.ours.example", "dmarc@a.example")
        assert (one.is_dmarc_report, one.is_tls_report, one.max_attempts) == (True, False, 5)
        assert (one.wants("FAILURE"), one.wants("DELAY"), one.wants("SUCCESS")) == (True, False, False)
        with reporter.store.read() as tx:
            assert one.account == tx.account_id("alice"), "the postmaster's"
        octets = reporter.octets(one)
        assert field(octets, b"From") == "postmaster@mail.ours.example"
        assert field(octets, b"To") == "dmarc@a.example"
        report = told(reporter, one)
        begin, end = int(END.timestamp()) - 24 * HOUR, int(END.timestamp()) - 1
        assert field(octets, b"Subject") == (
            f"Report Domain: a.example Submitter: mail.ours.example Report-ID: <{report.report_id}>"
        )
        assert report.report_id.startswith("20261102.00.")
        assert field(octets, b"Auto-Submitted") == "auto-generated"
        assert field(octets, b"Message-ID") == one.message_id
        assert octets.isascii()
        assert [found[:2] for found in await signatures(octets, reporter)] == [("pass", "ours.example")]
        root = scanned(octets)
        text, file = root.parts
        assert (root.media_type, root.subtype, text.media_type, text.subtype) == ("multipart", "mixed", "text", "plain")
        assert (file.media_type, file.subtype) == ("application", "gzip")
        assert f'filename="{file.filename}"\r\n'.encode() in octets, "in one piece"
        assert file.filename == f"mail.ours.example!a.example!{begin}!{end}.xml.gz"
        assert (report.organization, report.email, report.version) == (
            *("mail.ours.example", "postmaster@mail.ours.example", "1.0"),
        )
        assert (int(report.begin.timestamp()), int(report.end.timestamp())) == (begin, end)
        assert report.policy == PublishedPolicy("a.example", "reject", "reject", "r", "s", 100, "0")
        assert report.errors == ()
        assert [(row.source_ip, row.count, row.dkim, row.spf, row.reasons) for row in report.records] == [
            ("192.0.2.1", 2, "pass", "fail", ()),
            ("2001:db8::1", 1, "pass", "pass", (Reason("mailing_list"),)),
        ]
        assert report.records[0] == msgspec.structs.replace(evaluation().record, count=2)
        assert reporter.owed("a.example") == 1, "what came after the hour waits for the next report"
        assert reporter.owed("b.example") == 0, "there is no record any more"
        assert dmarc.queued.labels().value == before + 1


def xml_of(octets: bytes) -> bytes:
    part = scanned(octets).parts[1]
    return gzip.decompress(base64.b64decode(octets[part.body : part.end]))


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="usual"),
        pytest.param({"envelope_from": "", "dkim_auth": (), "envelope_to": ""}, id="null reverse-path"),
        pytest.param({"reasons": (Reason("local_policy", "arc=pass <&> \x01"), Reason("other"))}, id="reasons"),
        pytest.param({"policy": PublishedPolicy("a.example", "none", "none", "s", "s", 5, "1:d:s", "reject")}, id="np"),
        pytest.param({"ip": "2001:db8::1"}, id="IPv6"),
        pytest.param({"ip": "::ffff:192.0.2.1"[7:]}, id="IPv4"),
    ],
)
async def test_it_is_valid_by_the_schema(tmp_path, changes):
    async with open_reporter(
        tmp_path, records={"_dmarc.a.example": "v=DMARC1; p=none; rua=mailto:d@a.example,https://a.example"}
    ) as reporter:
        reporter.note(evaluation(**changes))
        await send(reporter)
        xml = xml_of(reporter.octets(reporter.queue[0]))
        assert SCHEMA.errors(xml) == []
        assert b"<error>https://a.example is no address for mail</error>" in xml
        assert SCHEMA.errors(xml.replace(b"<sp>", b"<np>").replace(b"</sp>", b"</np>")), "the schema notices"


async def test_unsigned_where_nobody_signs(tmp_path):
    async with open_reporter(tmp_path, domains=UNSIGNED, records=ASKS) as reporter:
        reporter.note(evaluation())
        await send(reporter)
        (one,) = reporter.queue
        assert await signatures(reporter.octets(one), reporter) == []


# When.


@pytest.mark.parametrize(
    ("interval", "hour", "is_sent"),
    [
        (24, 0, True),
        (24, 12, False),
        (12, 12, True),
        (8, 12, False),
        (8, 16, True),
        (6, 18, True),
        (4, 22, False),
        (3, 21, True),
        (2, 23, False),
        (1, 23, True),
    ],
)
async def test_intervals(tmp_path, interval, hour, is_sent):
    end = END + timedelta(hours=hour)
    async with open_reporter(tmp_path, records=ASKS) as reporter:
        reporter.note(evaluation(hours=hour - 0.5, interval=interval))
        await send(reporter, end)
        assert [told(reporter, one).begin for one in reporter.queue] == [end - timedelta(hours=interval)] * is_sent
        assert reporter.owed("a.example") == 1 - is_sent


async def test_before_its_time(tmp_path):
    """Everybody gets what there is, whatever interval he wishes, and the rest of the day later."""
    now = END + timedelta(hours=5, minutes=10)
    async with open_reporter(tmp_path, records=ASKS) as reporter:
        reporter.note(evaluation(hours=5), evaluation(hours=2))
        app = reporter.at(Traveller(now, now)).app
        assert await dmarc.send_now(app) == ["a.example"]
        (one,) = reporter.queue
        report = told(reporter, one)
        assert (sum(row.count for row in report.records), report.end) == (2, now - timedelta(seconds=1))
        reporter.take()
        assert await dmarc.send_now(app) == []
        reporter.note(evaluation(hours=6))
        await send(reporter, END + calendar.DAY)
        assert len(reporter.queue) == 1


async def test_what_was_not_reported_is_told_with_the_next(tmp_path):
    async with open_reporter(tmp_path, records=ASKS) as reporter:
        reporter.note(evaluation(hours=-49), evaluation(hours=-30), evaluation(hours=-1))
        await send(reporter)
        (one,) = reporter.queue
        report = told(reporter, one)
        assert report.begin == END - timedelta(hours=48)
        assert sum(row.count for row in report.records) == 2, "what is older than 48 hours is dropped"
        assert reporter.owed("a.example") == 0


async def test_the_interval_and_the_policy_are_those_of_the_last(tmp_path):
    async with open_reporter(tmp_path, records=ASKS) as reporter:
        new = PublishedPolicy("a.example", "none", "", "r", "r", 100, "0")
        reporter.note(evaluation(hours=1, interval=24), evaluation(hours=1.5, interval=2, policy=new))
        await send(reporter, END + timedelta(hours=2))
        (one,) = reporter.queue
        assert told(reporter, one).policy.policy == "none"
        assert told(reporter, one).begin == END


async def test_only_optional(tmp_path):
    async with open_reporter(tmp_path, records=ASKS) as reporter:
        reporter.note(evaluation(optional=True), evaluation(optional=True))
        await send(reporter)
        assert reporter.queue == []
        assert reporter.owed("a.example") == 0
        reporter.note(evaluation(hours=1, optional=True), evaluation(hours=2))
        await send(reporter, END + calendar.DAY)
        assert [row.count for one in reporter.queue for row in told(reporter, one).records] == [2]


async def test_not_wanted_here(tmp_path):
    async with open_reporter(tmp_path, static="no_outgoing_dmarc_reports = true\n", records=ASKS) as reporter:
        reporter.note(evaluation())
        await send(reporter)
        assert reporter.queue == []


# Who.


@pytest.mark.parametrize(
    ("records", "table", "owed"),
    [
        pytest.param({}, {}, 0, id="no record"),
        pytest.param({"_dmarc.a.example": "v=DMARC1; p=none"}, {}, 0, id="no rua"),
        pytest.param({"_dmarc.a.example": "v=DMARC1; p=none; rua=https://a.example/"}, {}, 0, id="no mail"),
        pytest.param({"_dmarc.a.example": "v=DMARC1; p=none; rua=mailto:nobody"}, {}, 0, id="no address"),
        pytest.param({"_dmarc.a.example": "v=DMARC1; p=none; rua=mailto:%C3%BC@a.example"}, {}, 0, id="SMTPUTF8"),
        pytest.param({"_dmarc.a.example": [ASKS["_dmarc.a.example"]] * 2}, {}, 0, id="two records"),
        pytest.param({"_dmarc.a.example": "v=DMARC1; pct=x"}, {}, 0, id="a record that makes no sense"),
        pytest.param({}, {"failing": [("_dmarc.a.example", Type.TXT)]}, 1, id="nobody knows"),
    ],
)
async def test_no_record(tmp_path, records, table, owed):
    async with open_reporter(tmp_path) as reporter:
        reporter.answers(records, **table)
        reporter.note(evaluation())
        await send(reporter)
        assert reporter.queue == []
        assert reporter.owed("a.example") == owed


async def test_a_record_of_the_organization_is_another_domain(tmp_path):
    async with open_reporter(tmp_path, records=ASKS) as reporter:
        reporter.note(evaluation("sub.a.example"))
        await send(reporter)
        assert reporter.queue == []
        assert reporter.owed("sub.a.example") == 0


PERMIT = "a.example._report._dmarc.ext.test"


@pytest.mark.parametrize(
    ("rua", "records", "recipients", "errors"),
    [
        pytest.param("mailto:d@a.example", {}, ["d@a.example"], (), id="its own"),
        pytest.param("mailto:d@deep.x.a.example", {}, ["d@deep.x.a.example"], (), id="its organization's"),
        pytest.param("MAILTO:d%2Be@a.example?subject=x", {}, ["d+e@a.example"], (), id="escapes"),
        pytest.param("mailto:d@a.example,mailto:D@A.example", {}, ["d@a.example"], (), id="twice the same"),
        pytest.param("mailto:x@ext.test", {PERMIT: "v=DMARC1"}, ["x@ext.test"], (), id="another that agrees"),
        pytest.param("mailto:x@ext.test", {PERMIT: "v=DMARC1;"}, ["x@ext.test"], (), id="with a semicolon"),
        pytest.param("mailto:x@ext.test", {}, [], None, id="another that says nothing"),
        pytest.param("mailto:x@ext.test", {PERMIT: "no"}, [], None, id="another that says something else"),
        pytest.param(
            "mailto:x@ext.test",
            {PERMIT: "v=DMARC1; rua=mailto:y@ext.test,mailto:z@ext.test!1g"},
            ["y@ext.test", "z@ext.test"],
            (),
            id="other addresses there",
        ),
        pytest.param(
            "mailto:x@ext.test", {PERMIT: "v=DMARC1; rua=mailto:y@third.test"}, [], None, id="on to a third: refused"
        ),
        pytest.param(
            "mailto:x@ext.test,mailto:d@a.example",
            {},
            ["d@a.example"],
            (f"mailto:x@ext.test: {PERMIT} has no TXT record",),
            id="one of two",
        ),
    ],
)
async def test_addresses(tmp_path, rua, records, recipients, errors):
    async with open_reporter(
        tmp_path, records={"_dmarc.a.example": f"v=DMARC1; p=none; rua={rua}", **records}
    ) as reporter:
        reporter.note(evaluation())
        await send(reporter)
        assert [one.recipient for one in reporter.queue] == recipients
        assert reporter.owed("a.example") == 0
        for one in reporter.queue:
            assert told(reporter, one).errors == errors
            assert field(reporter.octets(one), b"To") == ", ".join(recipients)


async def test_who_does_not_answer_is_waited_for_once(tmp_path):
    rua = {"_dmarc.a.example": "v=DMARC1; p=none; rua=mailto:x@ext.test,mailto:d@a.example"}
    async with open_reporter(tmp_path) as reporter:
        reporter.answers(rua, failing=[(PERMIT, Type.TXT)])
        reporter.note(evaluation())
        await send(reporter)
        assert reporter.queue == []
        assert reporter.owed("a.example") == 1
        await send(reporter, END + calendar.DAY)
        assert [one.recipient for one in reporter.queue] == ["d@a.example"]
        assert told(reporter, reporter.queue[0]).begin == END - calendar.DAY


async def test_suppressed(tmp_path):
    two = {"_dmarc.a.example": "v=DMARC1; p=none; rua=mailto:d@a.example,mailto:e@a.example"}
    async with open_reporter(tmp_path, records=two) as reporter:
        until = int((END.timestamp() + 2 * 24 * HOUR) * 1e6)

        def suppress(kind, address):
            address = parse_address(address)
            reporter.store.write_sync(reportsuppression.put, kind, address, until, "comes back", most=10)

        suppress(Kind.DMARC, "D@a.example")
        suppress(Kind.TLS, "e@a.example")
        for day, expected in enumerate(["e@a.example", None, "d@a.example e@a.example"]):
            if day == 1:
                suppress(Kind.DMARC, "e@a.example")
            if day == 2:
                reporter.store.write_sync(reportsuppression.remove, Kind.DMARC, parse_address("e@a.example"))
            reporter.note(evaluation(hours=24 * day - 1))
            await send(reporter, END + day * calendar.DAY)
            assert " ".join(one.recipient for one in reporter.take()) == (expected or "")
            assert reporter.owed("a.example") == 0, "dropped, not kept"


# How large.


@pytest.mark.parametrize(
    ("limits", "recipients", "is_note"),
    [
        (("", ""), ["d@a.example", "e@a.example"], False),
        (("!1", ""), ["e@a.example"], False),
        (("!1k", "!1m"), ["e@a.example"], False),
        (("!1k", "!900"), ["d@a.example", "e@a.example"], True),
        (("!4K", "!0"), ["d@a.example"], False),
        (("!1g", "!1t"), ["d@a.example", "e@a.example"], False),
    ],
)
async def test_sizes(tmp_path, limits, recipients, is_note):
    rua = f"mailto:d@a.example{limits[0]},mailto:e@a.example{limits[1]}"
    async with open_reporter(tmp_path, records={"_dmarc.a.example": f"v=DMARC1; p=none; rua={rua}"}) as reporter:
        reporter.note(evaluation())
        await send(reporter)
        assert [one.recipient for one in reporter.queue] == recipients
        assert reporter.owed("a.example") == 0
        octets = reporter.octets(reporter.queue[0])
        assert 1024 < len(octets) < 4096
        assert (b"gzip" in octets) is not is_note
        assert all(one.is_dmarc_report for one in reporter.queue)
        assert [found[:2] for found in await signatures(octets, reporter)] == [("pass", "ours.example")]
        if is_note:
            text = octets[scanned(octets).parts[0].body : scanned(octets).parts[0].end].decode()
            fields = dict(line.split(": ", 1) for line in text.strip().splitlines())
            assert fields["Report-Domain"] == "a.example"
            assert fields["Submitter"] == "mail.ours.example"
            assert fields["Submitting-URI"] == "mailto:d@a.example,mailto:e@a.example"
            assert fields["Report-ID"].startswith("20261102.00.")
            assert 1024 < int(fields["Report-Size"]) < 4096
            assert fields["Report-Date"] == "Mon, 02 Nov 2026 00:01:00 +0000"


async def test_too_large_to_be_sent(tmp_path, monkeypatch):
    async with open_reporter(tmp_path, records=ASKS) as reporter:
        reporter.note(evaluation())
        monkeypatch.setattr(posting, "OUR_REPORT_OCTETS", 1500)
        await send(reporter)
        assert [b"Error: too large" in reporter.octets(one) for one in reporter.queue] == [True]
        assert reporter.owed("a.example") == 0


@pytest.mark.parametrize(("change", "value"), [("rows", 3), ("file_octets", 3000)])
async def test_too_many_rows(tmp_path, monkeypatch, change, value):
    monkeypatch.setattr(dmarc, "REPORT", replace(limits.REPORT, **{change: value}))
    async with open_reporter(tmp_path, records=ASKS) as reporter:
        for number in range(10):
            reporter.note(*[evaluation(hours=-2, ip=f"192.0.2.{number}")] * (2 if number < 2 else 1))
        await send(reporter)
        report = told(reporter, reporter.queue[0])
        rows = sum(row.count for row in report.records)
        assert 2 <= len(report.records) <= 5
        assert report.records[0].count == 2
        assert report.errors == (f"{12 - rows} messages are not told of: there are too many different ones",)


# Trouble.


async def test_a_bug_with_one_hinders_no_other(tmp_path, monkeypatch):
    original = dmarc.report

    async def broken(app, domain, end):
        if domain == "a.example":
            raise RuntimeError("a bug")
        await original(app, domain, end)

    monkeypatch.setattr(dmarc, "report", broken)
    asks = {f"_dmarc.{name}.example": f"v=DMARC1; p=none; rua=mailto:d@{name}.example" for name in "ab"}
    async with open_reporter(tmp_path, records=asks) as reporter:
        reporter.note(evaluation("a.example"), evaluation("b.example"))
        before = dmarc.errors.labels().value
        await send(reporter)
        assert [one.recipient for one in reporter.queue] == ["d@b.example"]
        assert reporter.owed("a.example") == 1
        assert dmarc.errors.labels().value == before + 1


async def test_a_full_disk_keeps_it_for_the_next_time(tmp_path, monkeypatch):
    async with open_reporter(tmp_path, records=ASKS) as reporter:
        reporter.note(evaluation())
        original = posting.queue

        def full(*_):
            raise StorageFull("the disk is full")

        monkeypatch.setattr(posting, "queue", full)
        await send(reporter)
        assert reporter.queue == []
        assert reporter.owed("a.example") == 1
        monkeypatch.setattr(posting, "queue", original)
        await send(reporter, END + calendar.DAY)
        assert len(reporter.queue) == 1


async def test_a_message_is_reported_once(tmp_path):
    """However often, and from wherever, the same hour is looked at again."""
    async with open_reporter(tmp_path, records=ASKS) as reporter:
        reporter.note(evaluation(), evaluation(hours=-2))
        app = reporter.app
        config = app.config.snapshot()
        to = [dmarc.Wanted(parse_address("d@a.example"), "mailto:d@a.example")]
        letters = dmarc._letters(app, config, "a.example", END, to, [])
        await send(reporter)
        assert not reporter.store.write_sync(dmarc._queue, config, "a.example", END, letters)
        await send(reporter)
        await send(reporter, END + calendar.DAY)
        assert len(reporter.queue) == 1


# Time.


async def run(reporter, clock) -> None:
    with pytest.raises(Over):
        await dmarc.run(reporter.at(clock).app)


def asking(names) -> dict[str, str]:
    return {f"_dmarc.{name}.example": f"v=DMARC1; p=none; rua=mailto:d@{name}.example" for name in names}


async def test_time_travel(tmp_path, monkeypatch):
    """Three days: each message is in exactly one report, which comes within the hour, and not before it."""
    names = [f"d{number:02}" for number in range(12)]
    async with open_reporter(tmp_path, records=asking(names)) as reporter:
        clock = Traveller(END - timedelta(minutes=10), END + 3 * calendar.DAY)
        minutes: list[float] = []
        original = posting.queue

        def seen(tx, config, letter):
            minutes.append((clock.now() - END).total_seconds() / 60)
            original(tx, config, letter)

        monkeypatch.setattr(posting, "queue", seen)
        reporter.note(*(evaluation(f"{name}.example", -1) for name in names))
        reporter.note(evaluation("d00.example", 5.5, interval=6), evaluation("d01.example", 5.5, interval=24))
        await run(reporter, clock)
        midnight = minutes[:12]
        assert 0.5 <= midnight[0] <= 1.5
        pauses = [later - earlier for earlier, later in itertools.pairwise(midnight)]
        assert [round(pause, 2) for pause in pauses] == [3.75] * 11, "twelve in 45 minutes"
        assert [int(moment // 60) for moment in minutes[12:]] == [6, 24]
        counts = [sum(row.count for row in told(reporter, one).records) for one in reporter.queue]
        assert counts == [1] * 14
        assert not any(reporter.owed(f"{name}.example") for name in names)


async def test_a_restart_goes_on_with_the_hour(tmp_path):
    names = [f"d{number}" for number in range(9)]
    async with open_reporter(tmp_path, records=asking(names)) as reporter:
        reporter.note(*(evaluation(f"{name}.example") for name in names))
        for begin, end, expected in [(0, 12, 3), (20, 32, 6), (50, 54, 7)]:
            await run(reporter, Traveller(END + timedelta(minutes=begin), END + timedelta(minutes=end)))
            assert len({one.recipient for one in reporter.queue}) == len(reporter.queue) == expected


async def test_an_hour_that_takes_longer_is_followed_by_the_next(tmp_path, monkeypatch):
    """Look-ups may take so long that the next hour has begun; none is left out."""
    ends = []

    async def slow(app, end):
        ends.append((end - END) / calendar.HOUR)
        app.clock.move(70 * 60)

    monkeypatch.setattr(dmarc, "send_due", slow)
    async with open_reporter(tmp_path) as reporter:
        await run(reporter, Traveller(END - timedelta(minutes=1), END + timedelta(hours=6)))
    assert ends == [-1, 0, 1, 2, 3, 4]


async def test_waiting_for_a_time_of_day(monkeypatch, autojump_clock: MockClock):
    """The clock may be set meanwhile, or the machine may sleep."""
    monkeypatch.undo()
    clock = FlowingClock(END)
    await posting.wait_until(clock, END + calendar.DAY)
    assert clock.now() == END + calendar.DAY
    await posting.wait_until(clock, END)
    assert clock.now() == END + calendar.DAY
    standing = StandingClock(END)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(posting.wait_until, standing, END + calendar.HOUR)
        await trio.sleep(1)
        standing.move(HOUR)
        began = trio.current_time()
    assert trio.current_time() - began < 301


async def test_a_night_that_was_slept_through(tmp_path):
    """Hours that were missed are not made up one by one: the next report tells of them."""
    async with open_reporter(tmp_path, records=ASKS) as reporter:
        reporter.note(evaluation(hours=0.5, interval=1))
        await send(reporter, END + timedelta(hours=7))
        assert told(reporter, reporter.queue[0]).begin == END


def test_localserve_sends_none():
    from appliance import localserve

    assert ("dmarcreports", dmarc.run) in Parts().reporters()
    assert localserve.parts().reporters() == ()


# There and back.


async def test_we_read_what_we_write(tmp_path):
    """A report of ours, delivered by SMTP to a house like ours: it passes all checks and is kept, value for value."""
    ours = (
        '[domains."a.example"]\n'
        '[domains."example.org"]\ndmarc = { localpart = "dmarc", account = "alice", mailbox = "DMARC" }\n'
        '[accounts.alice.destinations."alice@example.org"]\n'
    )
    asks = {
        "_dmarc.a.example": "v=DMARC1; p=reject; rua=mailto:dmarc@example.org",
        "a.example._report._dmarc.example.org": "v=DMARC1",
    }
    for name in ("ours", "theirs"):
        (tmp_path / name).mkdir()
    async with open_reporter(tmp_path / "ours", records=asks) as reporter:
        reporter.note(evaluation(hours=-3), evaluation(hours=-2), evaluation(hours=-1, ip="2001:db8::1"))
        await send(reporter)
        (one,) = reporter.queue
        octets, report = reporter.octets(one), told(reporter, one)
    world = Table({**NAMES, **KEY, "_dmarc.ours.example": {Type.TXT: ["v=DMARC1; p=reject"]}})
    async with judging_house(tmp_path / "theirs", ours, world) as house:
        object.__setattr__(house.app.clock, "_now", END + timedelta(minutes=5))
        sending = Sending(house)
        await sending.begin(one.recipient, mail_from=one.reverse_path)
        assert (await sending.ask(octets + b".\r\n")).startswith("250 ")
        with house.store.read() as tx:
            kept = reports.reports(tx, Kind.DMARC, A, END - calendar.DAY, END + calendar.DAY, most=5)
        assert [found.report for _, found in kept] == [report]
        assert b"X-Mox-DMARCReport-Error" not in house.last_message("alice/DMARC")[0]
