"""Connection ids and received ids."""

import stat
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from appliance.base.ids import KEY_OCTETS, Cids, InvalidReceivedID, ReceivedIDs, load_key
from support.clock import StandingClock

KEY = bytes(range(KEY_OCTETS))


class Counted:
    """Randomness that repeats itself."""

    def token_bytes(self, count: int) -> bytes:
        return bytes(range(count))


def test_cids_begin_with_the_time_and_rise():
    clock = StandingClock()
    cids = Cids(clock)
    first = cids.next()
    assert first == clock.microseconds() // 1000
    assert [cids.next(), cids.next()] == [first + 1, first + 2]


@settings(max_examples=50)
@given(st.integers(min_value=0, max_value=2**64 - 1))
def test_received_id_comes_back(cid: int):
    ids = ReceivedIDs(KEY)
    text = ids.encode(cid)
    assert len(text) == 22
    assert ids.decode(text) == cid
    assert ids.encode(cid) == text


def test_neighbours_look_unrelated():
    ids = ReceivedIDs(KEY)
    one, other = ids.encode(1), ids.encode(2)
    assert sum(a == b for a, b in zip(one, other, strict=True)) < 10


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("A" * 21, id="short"),
        pytest.param("A" * 23, id="long"),
        pytest.param("A" * 22, id="made up"),
        pytest.param("=" * 22, id="padding"),
        pytest.param("é" * 22, id="not ASCII"),
        pytest.param("!" * 22, id="not base64url"),
        pytest.param(ReceivedIDs(KEY[::-1]).encode(7), id="another installation"),
    ],
)
def test_what_we_did_not_encode_is_refused(text: str):
    with pytest.raises(InvalidReceivedID):
        ReceivedIDs(KEY).decode(text)


@settings(max_examples=100)
@given(st.text(max_size=30))
def test_decode_raises_nothing_else(text: str):
    with pytest.raises(InvalidReceivedID):
        ReceivedIDs(KEY).decode(text)


def test_key_of_wrong_size():
    with pytest.raises(ValueError, match="24"):
        ReceivedIDs(b"short")


@pytest.mark.parametrize("before", [None, b"", b"x" * 23, b"x" * 25], ids=["missing", "empty", "short", "long"])
def test_key_file_is_made(tmp_path: Path, before: bytes | None):
    path = tmp_path / "receivedid.key"
    if before is not None:
        path.write_bytes(before)
    assert load_key(path, Counted()) == KEY == path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [entry.name for entry in tmp_path.iterdir()] == ["receivedid.key"]


def test_key_file_is_kept(tmp_path: Path):
    path = tmp_path / "receivedid.key"
    path.write_bytes(b"k" * KEY_OCTETS)
    assert load_key(path, Counted()) == b"k" * KEY_OCTETS
