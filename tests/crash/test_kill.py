"""A real process is killed at random moments of mixed writes: what it promised is there, every invariant holds."""

import os
import random
from collections import Counter

import msgspec
import pytest

from appliance.store import bodies, junk, message, seen, tables, words
from appliance.store.records import Facts
from appliance.store.store import Store
from appliance.store.tables import AccountID, MailboxID, MailboxRef, Table
from appliance.store.transaction import ReadTx
from crash.killing import workers
from crash.worker import WORDS
from support.clock import StandingClock
from support.stores import LIMITS

#: `make bench` asks for 200.
KILLS = int(os.environ.get("MOXPY_KILLS", "20"))
#: Each worker makes so many promises before it is killed, whatever time that takes on this machine.
PROMISES = (20, 60)


@pytest.fixture
def crew():
    with workers("crash.worker") as some:
        yield some


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
def test_killed_at_random_moments(tmp_path, crew):
    dice = random.Random(11)
    promised: set[int] = set()
    removed: set[int] = set()
    learned: set[bytes] = set()
    indexed_senders: set[Table] = set()
    indexed: set[int] = set()
    seen_at_all = False

    def is_at_stake() -> bool:
        """Whether there was something of everything to be lost."""
        return (
            seen_at_all
            and len(promised) > KILLS
            and max(indexed, default=0) > 1
            and len(learned) == len(WORDS)
            and len(indexed_senders) == 3
        )

    # A quick machine is killed earlier in what it does beside its promises: then again, until all of it was done.
    for kill in range(5 * KILLS):
        if kill >= KILLS and is_at_stake():
            break
        for line in crew.run_and_kill(
            tmp_path, kill, words=dice.randint(*PROMISES), after_seconds=dice.uniform(0, 0.02)
        ):
            word, *numbers = line.split()
            (promised if word == b"added" else removed).update(map(int, numbers))
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
                indexed |= {segment.number for _, segment in words.segments(tx, account)}
                for table in (Table.JUDGED, Table.SENT_TO, Table.ARRIVED):
                    indexed_senders |= {table} if tx.raw.stat(tx.handles[table])["entries"] > 3 else set()
                there = {row.id for box in tx.mailboxes(account) for _, row in message.rows(tx, account, box.id)}
            assert promised - removed <= there
        finally:
            store.close()
    assert is_at_stake(), (seen_at_all, len(promised), indexed, learned, indexed_senders)
