"""Mail comes, is judged, and its domain hears of that: a DMARC report from one whole server to another."""

from datetime import timedelta

from appliance.dns.answers import Type
from appliance.mail.domain import parse_domain
from appliance.reports import calendar, dmarc, posting
from appliance.store import report as reports
from appliance.store.report import Kind
from scenarios import test_two_houses as world
from scenarios.test_two_houses import MESSAGE, houses, path, until_quiet
from support.clock import Traveller
from support.reporting import Reporter


async def test_a_report_arrives(tmp_path, monkeypatch):
    names = {
        **world.HOSTS,
        "mx.a.example": {**world.HOSTS["mx.a.example"], Type.TXT: ["v=spf1 a -all"]},
        "_dmarc.a.example": {Type.TXT: ["v=DMARC1; p=reject"]},
        "_dmarc.b.example": {Type.TXT: ["v=DMARC1; p=reject; rua=mailto:dmarc@b.example!10m"]},
    }
    monkeypatch.setattr(world, "HOSTS", names)
    setting = '\ndmarc = { localpart = "dmarc", account = "alice", mailbox = "DMARC" }\n'.replace("{", "{{").replace(
        "}", "}}"
    )
    monkeypatch.setattr(world, "DOMAINS", world.DOMAINS.replace('.example"]\n', f'.example"]{setting}', 1))

    async def wait_until(clock, moment):
        await clock.wait_until(moment)

    monkeypatch.setattr(posting, "wait_until", wait_until)
    async with houses(tmp_path) as (a, b):
        octets = MESSAGE.replace(b"%b@example.org", b"alice@b.example")
        for _ in range(2):
            await b.send("bob@a.example", reverse_path=path("alice@b.example"), octets=octets)
        await until_quiet(a, b)
        assert len(a.inbox("bob")) == 2
        now = a.app.clock.now()
        midnight = calendar.day_of(now) + calendar.DAY
        reporter = Reporter(a.app)
        assert reporter.owed("b.example") == 2
        # A day later, for both.
        for it in (a, b):
            it.app.clock.move((midnight - now).total_seconds() + 60)
        clock = Traveller(midnight + timedelta(minutes=1), midnight + calendar.HOUR)
        await dmarc.send_due(reporter.at(clock).app, midnight)
        assert reporter.owed("b.example") == 0
        await until_quiet(a, b)
        with b.store.read() as tx:
            kept = reports.reports(
                tx, Kind.DMARC, parse_domain("b.example"), midnight - calendar.DAY, midnight + calendar.DAY, most=5
            )
        ((_, received),) = kept
        (row,) = received.report.records
        assert (received.report.organization, received.sender) == ("mx.a.example", "mx.a.example")
        assert (row.source_ip, row.count, row.disposition, row.dkim, row.spf) == (
            *("192.0.2.12", 2, "none", "fail", "pass"),
        )
        # The report is mail of a's, for which b owes a report to nobody, were it only for its own sake.
        assert Reporter(b.app).owed("a.example") == 0
