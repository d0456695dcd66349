"""Refusals that are written down: a flood of them costs neither memory nor disk, and none is left uncounted."""

from ipaddress import ip_address

import pytest

from appliance.base import limits
from appliance.delivery.refusals import Refusals
from appliance.net.limiter import surroundings
from appliance.store.refusal import REFUSALS, Refusal
from appliance.store.tables import NOBODY
from support.clock import StandingClock
from support.stores import add_account, open_store


def refusal(number: int, ip: str, moment: int = 5) -> Refusal:
    return Refusal(
        stage="data",
        reason="unknown-recipient",
        remote_ip=ip,
        code=550,
        rcpt_to=f"{number}@example.org",
        first=moment,
        last=moment,
    )


def kept(store, account=NOBODY) -> list[Refusal]:
    with store.read() as tx:
        return list(REFUSALS.newest(tx, account))


async def test_one_network(tmp_path):
    with open_store(tmp_path) as store:
        book = Refusals(store, StandingClock())
        for number in range(10_000):
            book.note(None, ip_address("192.0.2.7"), refusal(number, "192.0.2.7"))
            assert len(book._waiting) <= limits.REFUSALS_WAITING
        await book.write()
        found = kept(store)
        singly = limits.REFUSALS_OF_NETWORK[0][1][0]
        assert len(found) == singly + 1
        assert sum(one.count for one in found) == 10_000
        (rest,) = [one for one in found if not one.stage]
        assert (rest.remote_ip, rest.reason, rest.count) == ("192.0.0.0/21", "unknown-recipient", 10_000 - singly)


async def test_all_networks(tmp_path):
    with open_store(tmp_path) as store:
        book = Refusals(store, StandingClock())
        for number in range(10_000):
            ip = f"10.{number >> 8}.{number & 255}.1"
            book.note(None, ip_address(ip), refusal(number, ip))
            assert len(book._waiting) <= limits.REFUSALS_WAITING + 1
        await book.write()
        found = kept(store)
        assert len(found) == limits.REFUSALS_WAITING + 1
        assert sum(one.count for one in found) == 10_000
        assert [one.remote_ip for one in found if one.reason == "too-many"] == [""]


async def test_of_an_account_so_many_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "REFUSALS_KEPT", 3)
    with open_store(tmp_path) as store:
        alice, book = add_account(store), Refusals(store, StandingClock())
        for number in range(10):
            book.note(alice, ip_address("192.0.2.7"), refusal(number, "192.0.2.7", number))
        await book.write()
        assert [one.last for one in kept(store, alice)] == [9, 8, 7]


async def test_they_are_forgotten(tmp_path):
    with open_store(tmp_path) as store:
        clock = StandingClock()
        book = Refusals(store, clock)
        for day in range(3):
            now = clock.microseconds()
            book.note(None, ip_address("192.0.2.7"), refusal(day, "192.0.2.7", now))
            clock.move(86_400)
        await book.write()
        clock.move(limits.REFUSAL_DAYS * 86_400 - 2 * 86_400 - 60)
        await book._forget()
        assert [one.rcpt_to[0] for one in kept(store)] == ["2", "1"]


@pytest.mark.parametrize(
    ("address", "network"),
    [("192.0.2.7", "192.0.0.0/21"), ("2001:db8:1::5", "2001:db8::/32"), ("::ffff:192.0.2.7", "192.0.0.0/21")],
)
def test_surroundings(address, network):
    assert str(surroundings(ip_address(address))) == network
