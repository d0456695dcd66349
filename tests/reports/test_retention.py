"""Old reports and evaluations are forgotten, newer ones stay."""

import msgspec

from appliance.base.limits import EVALUATION_HOURS, REPORT, REPORT_DAYS
from appliance.mail import dmarcreport
from appliance.mail.dmarcreport import PublishedPolicy, Record
from appliance.mail.domain import parse_domain
from appliance.reports import retention
from appliance.store import report as reports
from appliance.store.report import Evaluation, Kind
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
            store.write_sync(reports.note, evaluation, most=100)

        def left() -> tuple[list[str], list[str]]:
            with store.read() as tx:
                return reports.domains(tx, Kind.DMARC), reports.evaluated_domains(tx)

        for moment, expected in [
            (EVALUATION_HOURS * HOUR, (["ours.example"], ["ours.example"])),
            (EVALUATION_HOURS * HOUR + 1, (["ours.example"], [])),
            (REPORT_DAYS * 24 * HOUR, (["ours.example"], [])),
            (REPORT_DAYS * 24 * HOUR + 1, ([], [])),
        ]:
            await retention.sweep(store, clock.microseconds() + moment * 1_000_000)
            assert left() == expected
