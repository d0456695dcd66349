"""A real process is killed at random moments of mixed writes: what it promised is there, every invariant holds."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from appliance.store import bodies, junk, message, seen, tables, words
from appliance.store.records import Facts
from appliance.store.store import Store
from appliance.store.tables import AccountID, MailboxID, MailboxRef, Table
from appliance.store.transaction import ReadTx
from crash.worker import WORDS
from support.clock import StandingClock
from support.stores import LIMITS

ROOT = Path(__file__).parents[2]
#: `make bench` asks for 200.
KILLS = int(os.environ.get("MOXPY_KILLS", "20"))
#: Each worker makes so many promises at least.
PROMISES = 20


def run_and_kill(folder: Path, seed: int, after_seconds: float) -> tuple[set[int], set[int]]:
    """Ids of messages that were promised, and of those that were being removed."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    with subprocess.Popen(
        [sys.executable, "-m", "crash.worker", str(folder), str(seed)], stdout=subprocess.PIPE, env=environment
    ) as worker:
        assert worker.stdout is not None
        try:
            assert worker.stdout.readline() == b"ready\n"
            # On a busy machine it may take a while until there is something to lose.
            said = [worker.stdout.readline() for _ in range(PROMISES)]
            time.sleep(after_seconds)
        finally:
            worker.send_signal(signal.SIGKILL)
        added: set[int] = set()
        gone: set[int] = set()
        for line in (b"".join(said) + worker.stdout.read()).split(b"\n")[:-1]:
            word, *numbers = line.split()
            (added if word == b"added" else gone).update(map(int, numbers))
    return added, gone


def filters_are_right(tx: ReadTx, account: AccountID) -> set[bytes]:
    """Counts are those of the messages that are said to be learned, each once; the words that were learned."""
    state = junk.learned(tx, account)
    expected: dict[int, Counter[tuple[bytes, bool]]] = {state.making: Counter(), state.filter: Counter()}
    for key, value in tx.scan_prefix(Table.FACTS, tables.account_key(account)):
        facts = msgspec.msgpack.decode(value, type=Facts)
        if facts.trained_junk is not None and facts.trained_by in expected:
            place = message.place(tx, account, int.from_bytes(key[4:], "big"))
            words_of = set(WORDS) & set(bodies.read(tx, place.body, 0, 100).split())
            expected[facts.trained_by].update((word, facts.trained_junk) for word in words_of)
    if state.making:
        del expected[state.filter]  # Its messages go over to the new one, and its counts stay.
    found: set[bytes] = set()
    for number, counts in expected.items():
        prefix = tables.word_prefix(account, number)
        for word in WORDS:
            value = tx.get(Table.JUNK_WORD, prefix + word) or bytes(8)
            ham, spam = int.from_bytes(value[:4], "big"), int.from_bytes(value[4:], "big")
            assert (ham, spam) == (counts[word, False], counts[word, True])
            found |= {word} if ham and spam else set()
    return found


@pytest.mark.slow
def test_killed_at_random_moments(tmp_path):
    dice = random.Random(11)
    promised: set[int] = set()
    removed: set[int] = set()
    learned: set[bytes] = set()
    indexed_senders: set[Table] = set()
    seen_at_all = False
    for kill in range(KILLS):
        added, gone = run_and_kill(tmp_path, kill, dice.uniform(0.02, 0.35))
        promised |= added
        removed |= gone
        store = Store(tmp_path, clock=StandingClock(), limits=LIMITS)
        try:
            # What a crash may leave is litter that the sweep at start takes away; nothing else.
            store.sweep()
            assert store.verify() == []
            with store.read() as tx:
                account = tx.account_id("alice")
                assert account is not None
                seen_at_all |= bool(seen.readers(tx, MailboxRef(account, MailboxID(1))))
                learned |= filters_are_right(tx, account)
                indexed = [segment.number for _, segment in words.segments(tx, account)]
                for table in (Table.JUDGED, Table.SENT_TO, Table.ARRIVED):
                    indexed_senders |= {table} if tx.raw.stat(tx.handles[table])["entries"] > 3 else set()
                there = {row.id for box in tx.mailboxes(account) for _, row in message.rows(tx, account, box.id)}
            assert promised - removed <= there
        finally:
            store.close()
    assert seen_at_all
    assert len(promised) > KILLS  # Otherwise nothing was at stake.
    assert max(indexed) > 1  # More than that only where there is time for it.
    assert len(learned) == len(WORDS)
    assert len(indexed_senders) == 3
