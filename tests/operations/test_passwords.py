"""Who was right a moment ago is not hashed again; nobody else is spared it."""

import pytest

from appliance.operations import passwords
from appliance.operations.passwords import Checker
from support.clock import StandingClock


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bytes]]:
    """What was compared at the cost of a hash."""
    found: list[tuple[str, bytes]] = []

    def matches(password_hash: str, octets: bytes) -> bool:
        found.append((password_hash, octets))
        return octets == b"right password"

    monkeypatch.setattr(passwords, "matches", matches)
    return found


async def test_right_ones_are_remembered_for_a_quarter_of_an_hour(compared):
    clock = StandingClock()
    checker = Checker(clock)
    for after, count in ((0, 1), (0, 1), (899, 1), (1, 2), (899, 2)):
        clock.move(after)
        assert await checker.check("hash", "right password")
        assert len(compared) == count, after


async def test_another_hash_is_another_password(compared):
    checker = Checker(StandingClock())
    for one in ("hash", "new hash"):
        assert await checker.check(one, "right password")
    assert compared == [("hash", b"right password"), ("new hash", b"right password")]


@pytest.mark.parametrize("password", ["wrong password", "", "\x07", "x" * 2000])
async def test_wrong_ones_are_hashed_each_time(compared, password):
    checker = Checker(StandingClock())
    assert [await checker.check("hash", password) for _ in range(2)] == [False, False]
    assert len(compared) == 2
    # What cannot be a password costs as much, and no more.
    assert all(len(octets) <= passwords.LONGEST for _, octets in compared)


async def test_nobody_costs_as_much_as_somebody(compared):
    checker = Checker(StandingClock())
    assert [await checker.check(None, "right password") for _ in range(2)] == [False, False]
    assert len(compared) == 2


async def test_what_is_remembered_is_bounded(compared, monkeypatch):
    monkeypatch.setattr(passwords, "REMEMBERED_LOGINS", 3)
    checker = Checker(StandingClock())
    for number in range(10):
        assert await checker.check(f"hash{number}", "right password")
        assert len(checker._right) <= 3


def test_what_is_kept_of_a_password():
    kept = passwords.derive_credentials("correct horse battery", 1)
    assert (len(kept.scram_sha1.salt), kept.scram_sha1.iterations) == (12, 8192)
    assert (len(kept.scram_sha256.salt), kept.scram_sha256.iterations) == (12, 4096)
    assert kept.scram_sha1.salt != kept.scram_sha256.salt
    assert (len(kept.cram_md5_inner), len(kept.cram_md5_outer)) == (16, 16)
    again = passwords.derive_credentials("correct horse battery", 1)
    assert again.scram_sha256.salt != kept.scram_sha256.salt
    assert "correct" not in repr(kept)
