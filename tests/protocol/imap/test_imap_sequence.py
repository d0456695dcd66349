import pytest
from hypothesis import given, settings, strategies as st

from appliance.protocol.imap import sequence
from appliance.protocol.imap.sequence import SAVED, BadSequenceSet, SequenceSet


def parse(octets: bytes) -> SequenceSet:
    return sequence.parse(octets, max_ranges=5)


@pytest.mark.parametrize(
    ("octets", "ranges"),
    [
        pytest.param(b"1", ((1, 1),), id="one"),
        pytest.param(b"2:4", ((2, 4),), id="range"),
        pytest.param(b"4:2", ((4, 2),), id="range backwards"),
        pytest.param(b"*", ((None, None),), id="star"),
        pytest.param(b"5:*", ((5, None),), id="from five"),
        pytest.param(b"*:5", ((None, 5),), id="star first"),
        pytest.param(b"2,4:7,9,12:*", ((2, 2), (4, 7), (9, 9), (12, None)), id="list of RFC 9051"),
        pytest.param(b"4294967295", ((4294967295, 4294967295),), id="largest"),
    ],
)
def test_parse(octets, ranges):
    assert parse(octets) == SequenceSet(ranges)


def test_saved():
    assert parse(b"$") is SAVED


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(octets, id=octets.decode() or "empty")
        for octets in (
            *(b"", b"0", b"01", b"1:", b":1", b"1,", b",1", b"1,,2", b"1:2:3", b"-1", b"a", b"1 2", b"**", b"$,1"),
            *(b"4294967296", b"99999999999", b"1,2,3,4,5,6", b"1\n"),
        )
    ],
)
def test_bad(octets):
    with pytest.raises(BadSequenceSet):
        parse(octets)


@pytest.mark.parametrize(
    ("octets", "largest", "resolved"),
    [
        pytest.param(b"2,4:7,9,12:*", 15, [(2, 2), (4, 7), (9, 9), (12, 15)], id="list"),
        pytest.param(b"*:4,5:7", 10, [(4, 10)], id="overlap (RFC 9051 §9)"),
        pytest.param(b"5:*", 3, [(3, 5)], id="star below start"),
        pytest.param(b"1:2,3:4", 9, [(1, 4)], id="neighbours"),
        pytest.param(b"3,1,2", 9, [(1, 3)], id="unsorted"),
        pytest.param(b"1:9,2:3", 9, [(1, 9)], id="within"),
    ],
)
def test_resolve(octets, largest, resolved):
    assert parse(octets).resolve(largest) == resolved


@pytest.mark.parametrize(
    ("octets", "uids", "ranges"),
    [
        pytest.param(b"1:*", [3, 7, 9], [range(3)], id="all"),
        pytest.param(b"4:8", [3, 7, 9], [range(1, 2)], id="gap"),
        pytest.param(b"100:*", [3, 7, 9], [range(2, 3)], id="star is the last, even below the start"),
        pytest.param(b"4:6", [3, 7, 9], [], id="none"),
        pytest.param(b"3,9", [3, 7, 9], [range(1), range(2, 3)], id="two"),
        pytest.param(b"1:*", [], [], id="empty mailbox"),
    ],
)
def test_indexes(octets, uids, ranges):
    assert parse(octets).indexes(uids) == ranges


def test_numbers_leave_out_what_is_not_there():
    assert parse(b"2:4,9").numbers(3) == [range(1, 3)]
    assert parse(b"*").numbers(0) == []


@pytest.mark.parametrize(
    ("octets", "exists", "exceeds"),
    [(b"3", 3, False), (b"4", 3, True), (b"1:4", 3, True), (b"*", 0, True), (b"*", 1, False), (b"2:*", 1, True)],
)
def test_exceeds(octets, exists, exceeds):
    assert parse(octets).exceeds(exists) is exceeds


NUMBERS = st.sets(st.integers(1, 60))


@given(NUMBERS)
def test_format_set_is_read_back(numbers):
    ordered = sorted(numbers)
    if ordered:
        read = sequence.parse(sequence.format_set(ordered), max_ranges=100)
        assert [n for low, high in read.resolve(60) for n in range(low, high + 1)] == ordered
        assert list(read.ranges) == sequence.compact(ordered)


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.none() | st.integers(1, 40), st.none() | st.integers(1, 40)), min_size=1, max_size=8), NUMBERS
)
def test_indexes_mean_the_numbers_named(ranges, numbers):
    """Against the plain meaning: each number of each range, `*` being the last."""
    uids = sorted(numbers)
    if not uids:
        return
    named = set()
    for low, high in ranges:
        first, last = sorted((low or uids[-1], high or uids[-1]))
        named |= set(range(first, last + 1))
    found = SequenceSet(tuple(ranges)).indexes(uids)
    assert [uids[at] for one in found for at in one] == [uid for uid in uids if uid in named]


def test_all_of_a_huge_mailbox_is_one_range():
    assert parse(b"1:*").indexes(range(1, 50_000_000)) == [range(49_999_999)]


def test_places_begin_with_zero():
    assert sequence.compact([0, 1, 4]) == [(0, 1), (4, 4)]
    assert sequence.compact([]) == []
