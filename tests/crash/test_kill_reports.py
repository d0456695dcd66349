"""A process that reports to others is killed at random moments: nothing is told twice, nothing is lost."""

import os
import random
from collections import Counter
from pathlib import Path

import pytest

from appliance.base.limits import REPORT, SCAN
from appliance.mail import dmarcreport, tlsreport
from appliance.mail.scan import scan
from appliance.store import bodies, evaluation as evaluations, queued, tlsresult
from appliance.store.store import Store
from crash.killing import Workers, workers
from crash.reporter import NAMES
from support.clock import StandingClock
from support.stores import LIMITS

KILLS = int(os.environ.get("MOXPY_KILLS", "20")) // 2


@pytest.fixture
def crew():
    with workers("crash.reporter") as some:
        yield some


#: What a worker says in an hour, before it reports.
WORDS = 1 + 2 * 3 * len(NAMES)


def run_and_kill(
    crew: Workers, folder: Path, first: int, hours: int, after_seconds: float
) -> tuple[set[tuple[str, str]], int]:
    """What was noted, and the hour after the last one that was begun."""
    lines = crew.run_and_kill(folder, first, words=hours * WORDS, after_seconds=after_seconds)
    words = [line.decode().split() for line in lines]
    noted = {(which[1], which[2]) for which in words if which[0] == "noted"}
    return noted, max(int(which[1]) for which in words if which[0] == "begun") + 1


def known(store: Store) -> tuple[Counter[tuple[str, str]], int]:
    """How often each message and session is told in the queue or waits to be; how many reports there are."""
    found: Counter[tuple[str, str]] = Counter()
    reports = 0
    with store.read() as tx:
        for name in NAMES:
            found.update(("dmarc", one.record.source_ip) for one in evaluations.owed(tx, name))
        for which in tlsresult.before(tx, 60_000):
            waiting = tlsresult.get(tx, which)
            assert waiting is not None
            found.update(("tls", one.reason_code) for policy in waiting.results for one in policy.failures)
        for one in queued.all_messages(tx):
            reports += 1
            octets = bodies.read(tx, one.body, 0, one.size)
            root = scan(octets, SCAN).root
            if one.is_dmarc_report:
                rows = dmarcreport.read(root, octets, REPORT).records
                found.update({("dmarc", row.source_ip): row.count for row in rows})
            else:
                policies = tlsreport.read(root, octets, REPORT).policies
                for policy in policies:
                    found.update({("tls", failure.reason_code): failure.failed_sessions for failure in policy.failures})
    return found, reports


@pytest.mark.slow
def test_killed_at_random_moments(tmp_path, crew):
    dice = random.Random(7)
    promised: set[tuple[str, str]] = set()
    hour = 0
    waiting = False
    for _ in range(KILLS):
        noted, hour = run_and_kill(crew, tmp_path, hour, dice.randint(2, 4), dice.uniform(0.0, 0.1))
        promised |= noted
        store = Store(tmp_path, clock=StandingClock(), limits=LIMITS)
        try:
            store.sweep()
            assert store.verify() == []
            found, reports = known(store)
            assert {which: count for which, count in found.items() if count > 1} == {}
            assert promised <= set(found)
            with store.read() as tx:
                waiting |= any(True for name in NAMES for _ in evaluations.owed(tx, name))
        finally:
            store.close()
    assert waiting  # Otherwise no kill came between.
    assert reports > KILLS
