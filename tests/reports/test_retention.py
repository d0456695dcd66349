"""Old reports and evaluations are forgotten, newer ones stay."""

import msgspec

from appliance.base.limits import EVALUATION_HOURS, REPORT, REPORT_DAYS
from appliance.mail import dmarcreport
from appliance.mail.dmarcreport import PublishedPolicy, Record
from appliance.mail.domain import parse_domain
from appliance.reports import retention
from appliance.store import evaluation as evaluations, report as reports
from appliance.store.evaluation import Evaluation
from appliance.store.report import Kind
from support.clock import StandingClock
from support.reports import PLAIN
from support.stores import open_store

OURS = parse_domain("ours.example")
DMARC = dmarcreport.parse(PLAIN, REPORT)
HOUR = 3600


async def test_sweep(tmp_path):
    clock = StandingClock()
    with open_store(tmp_path, clock) as store:
        evaluation = Evaluation(
            *("ours.example", clock.microseconds(), False, 24, (), PublishedPolicy("ours.example")),
            Record("192.0.2.1", 1, "none", "pass", "pass"),
        )
        for number in range(50):
            report = msgspec.structs.replace(DMARC, report_id=str(number))
            store.write_sync(reports.add, report, domains=(OURS,), sender=OURS, most=100)
            store.write_sync(evaluations.note, evaluation, most=100)

        def left() -> tuple[list[str], list[str]]:
            with store.read() as tx:
                return reports.domains(tx, Kind.DMARC), evaluations.domains(tx)

        for moment, expected in [
            ((EVALUATION_HOURS + 1) * HOUR, (["ours.example"], ["ours.example"])),
            ((EVALUATION_HOURS + 1) * HOUR + 1, (["ours.example"], [])),
            (REPORT_DAYS * 24 * HOUR, (["ours.example"], [])),
            (REPORT_DAYS * 24 * HOUR + 1, ([], [])),
        ]:
            await retention.sweep(store, clock.microseconds() + moment * 1_000_000)
            assert left() == expected


async def test_what_is_over_is_removed(tmp_path):
    clock = StandingClock()
    with open_store(tmp_path, clock) as store:
        now = clock.microseconds()
        for domain in ("a.example", "b.example"):
            one = Evaluation(
                *(domain, now, False, 24, (), PublishedPolicy(domain)), Record("192.0.2.1", 1, "none", "pass", "pass")
            )
            for _ in range(1000):
                store.write_sync(evaluations.note, one, most=5000)
        assert store.write_sync(evaluations.end, "a.example", now + 1)
        await retention.sweep(store, now)
        with store.read() as tx:
            assert evaluations.domains(tx) == ["b.example"]
            assert len(list(evaluations.owed(tx, "b.example"))) == 1000
