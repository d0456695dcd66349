"""A process that reports to others is killed at random moments: nothing is told twice, nothing is lost."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from appliance.base.limits import REPORT, SCAN
from appliance.mail import dmarcreport, tlsreport
from appliance.mail.scan import scan
from appliance.store import bodies, evaluation as evaluations, queued, tlsresult
from appliance.store.store import Store
from crash.reporter import NAMES
from support.clock import StandingClock
from support.stores import LIMITS

ROOT = Path(__file__).parents[2]
KILLS = int(os.environ.get("MOXPY_KILLS", "20")) // 2


def run_and_kill(folder: Path, first: int, after_seconds: float) -> tuple[set[tuple[str, str]], int]:
    """What was noted, and the hour after the last one that was begun."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    with subprocess.Popen(
        [sys.executable, "-m", "crash.reporter", str(folder), str(first)], stdout=subprocess.PIPE, env=environment
    ) as worker:
        assert worker.stdout is not None
        try:
            assert worker.stdout.readline() == b"ready\n"
            said = [worker.stdout.readline() for _ in range(36)]
            time.sleep(after_seconds)
        finally:
            worker.send_signal(signal.SIGKILL)
        lines = (b"".join(said) + worker.stdout.read()).decode().split("\n")[:-1]
    noted = {(words[1], words[2]) for words in map(str.split, lines) if words[0] == "noted"}
    hours = [int(which.split(":")[-2], 16) for _, which in noted]
    return noted, max(hours) + 1


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
def test_killed_at_random_moments(tmp_path):
    dice = random.Random(7)
    promised: set[tuple[str, str]] = set()
    hour = 0
    waiting = False
    for _ in range(KILLS):
        noted, hour = run_and_kill(tmp_path, hour, dice.uniform(0.0, 0.4))
        promised |= noted
        store = Store(tmp_path, clock=StandingClock(), limits=LIMITS)
        try:
            store.sweep()
            assert store.verify() == []
            found, reports = known(store)
            assert set(found.values()) == {1}
            assert promised <= set(found)
            with store.read() as tx:
                waiting |= any(True for name in NAMES for _ in evaluations.owed(tx, name))
        finally:
            store.close()
    assert waiting  # Otherwise no kill came between.
    assert reports > KILLS
