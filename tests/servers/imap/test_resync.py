"""What a client that was away is told, against what is plain to see (RFC 7162 §3.2.5)."""

import random
from array import array

import pytest

from appliance.protocol.imap import sequence
from appliance.protocol.imap.sequence import SequenceSet
from appliance.servers.imap import resync


def _ranges(chance: random.Random, highest: int) -> list[tuple[int, int]]:
    return sequence.compact(sorted(chance.sample(range(1, highest + 1), chance.randint(1, highest))))


@pytest.mark.parametrize("seed", range(40))
def test_missing(seed: int) -> None:
    chance = random.Random(seed)
    highest = chance.randint(1, 60)
    uids = array("I", sorted(chance.sample(range(1, highest + 1), chance.randint(0, highest))))
    known = _ranges(chance, highest + 5)
    missing = {uid for low, high in resync._missing(uids, known) for uid in range(low, high + 1)}
    assert missing == {uid for low, high in known for uid in range(low, high + 1)}.difference(uids)


def test_long_stretches_are_not_walked_through() -> None:
    uids = array("I", [*range(1, 500_000), *range(500_001, 1_000_001)])
    assert resync._missing(uids, [(1, 1_000_005)]) == [(500_000, 500_000), (1_000_001, 1_000_005)]


@pytest.mark.parametrize("seed", range(40))
def test_agreed_numbers(seed: int) -> None:
    chance = random.Random(seed)
    before = sorted(chance.sample(range(1, 200), 60))
    places = sorted(chance.sample(range(60), chance.randint(1, 30)))
    now = [uid for uid in before if uid not in chance.sample(before, chance.randint(0, 3))]
    pairs = resync._Pairs(
        SequenceSet(tuple(sequence.compact(at + 1 for at in places))),
        SequenceSet(tuple(sequence.compact(before[at] for at in places))),
    )
    agreeing = [before[at] for at in places if at < len(now) and now[at] == before[at]]
    assert pairs.agreed(array("I", now)) == max(agreeing, default=0)
    assert list(pairs.last(1000)) == [before[at] for at in places]


def test_pairs_need_not_be_written_out() -> None:
    everything = SequenceSet(((1, 4_000_000_000),))
    pairs = resync._Pairs(everything, everything)
    assert pairs.agreed(array("I", range(1, 1001))) == 1000
    assert list(pairs.last(3)) == [3_999_999_998, 3_999_999_999, 4_000_000_000]
