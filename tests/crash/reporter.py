"""Notes what it owes to others, and reports it, until it is killed; says what was noted, once it was."""

from datetime import timedelta
from pathlib import Path

import trio

from appliance.mail.tlsreport import Failure, PolicyResult
from appliance.reports import calendar, dmarc, posting, retention, tlsrpt
from appliance.store import tlsresult
from crash.killing import say, serve
from support.clock import Traveller
from support.reporting import END, HOUR, evaluation, open_reporter

NAMES = tuple(f"d{number}.example" for number in range(6))
ASKS = {f"_dmarc.{name}": f"v=DMARC1; p=none; rua=mailto:d@{name}" for name in NAMES} | {
    f"_smtp._tls.{name}": f"v=TLSRPTv1; rua=mailto:t@{name}" for name in NAMES
}


def note_tls(tx, name: str, day: int, which: str) -> None:
    """A session of a day, known by its reason code."""
    tx.now = day * 24 * HOUR * 1_000_000
    result = PolicyResult(
        "sts", name, failed_sessions=1, failures=(Failure("x", failed_sessions=1, reason_code=which),)
    )
    bounds = {"most": 10_000, "policies": 10, "failures": 10_000}
    tlsresult.note(tx, name, name, [result], is_host=False, sends_report=True, **bounds)


async def work(folder: Path, first: int) -> None:
    async def at_once(clock, moment):
        await clock.wait_until(moment)

    posting.wait_until = at_once
    async with open_reporter(folder, records=ASKS) as reporter:
        for hour in range(first, first + 1000):
            end = END + timedelta(hours=hour)
            say(f"begun {hour}")  # Before: what is noted of it may be kept and not said.
            for number, name in enumerate(NAMES * 3):
                which = f"2001:db8::{hour:x}:{number:x}"
                reporter.note(evaluation(name, hour - 0.5, interval=1, ip=which, optional=number == 0))
                say(f"noted dmarc {which}")
                await reporter.store.write(note_tls, name, tlsresult.day_of(END) + hour, which)
                say(f"noted tls {which}")
            app = reporter.at(Traveller(end + timedelta(minutes=1), end + 3 * calendar.DAY)).app
            await dmarc.send_due(app, end)
            # Each hour of ours is a day for TLS.
            midnight = END + timedelta(days=hour + 1)
            travelling = reporter.at(Traveller(midnight, midnight + calendar.DAY)).app
            await tlsrpt.send_due(travelling, midnight)
            await retention.sweep(reporter.store, int(end.timestamp() * 1e6))
            say(f"hour {hour}")


if __name__ == "__main__":
    serve(lambda folder, first: trio.run(work, folder, first))
