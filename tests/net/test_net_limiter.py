"""Limits by network."""

import ipaddress

import pytest
from hypothesis import given, settings, strategies as st

from appliance.base.limits import LOGIN_FAILURES, NEW_CONNECTIONS, OPEN_CONNECTIONS
from appliance.net.limiter import Allowance, Limiter, Window, classes

NOW = 1_800_000_000.0  # the first second of a minute, not of a day


def limiter(windows: tuple[tuple[int, tuple[int, int, int]], ...]) -> Limiter:
    return Limiter([Window(seconds, limits) for seconds, limits in windows])


def address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(text)


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        pytest.param("192.0.2.1", "192.0.2.1", 3, id="same address"),
        pytest.param("192.0.2.1", "192.0.2.62", 2, id="same /26"),
        pytest.param("192.0.2.1", "192.0.2.64", 1, id="next /26"),
        pytest.param("192.0.2.1", "192.0.7.255", 1, id="same /21"),
        pytest.param("192.0.2.1", "192.0.8.0", 0, id="next /21"),
        pytest.param("2001:db8::1", "2001:db8::ffff:0:0:1", 3, id="same /64"),
        pytest.param("2001:db8::1", "2001:db8:0:1::1", 2, id="same /48"),
        pytest.param("2001:db8::1", "2001:db8:1::1", 1, id="same /32"),
        pytest.param("2001:db8::1", "2001:db9::1", 0, id="next /32"),
        pytest.param("192.0.2.1", "::ffff:192.0.2.1", 3, id="mapped"),
        pytest.param("0.0.0.1", "::1", 0, id="families apart"),
    ],
)
def test_classes(one: str, other: str, shared: int):
    assert len(set(classes(address(one))) & set(classes(address(other)))) == shared


@pytest.mark.parametrize(
    ("windows", "most"),
    [
        pytest.param(NEW_CONNECTIONS, 300, id="new connections"),
        pytest.param(OPEN_CONNECTIONS, 30, id="open connections"),
        pytest.param(LOGIN_FAILURES, 10, id="failed logins"),
    ],
)
def test_one_address(windows: tuple[tuple[int, tuple[int, int, int]], ...], most: int):
    limits = limiter(windows)
    client = address("192.0.2.1")
    assert [limits.add(client, NOW) for _ in range(most + 2)] == [True] * most + [False, False]
    assert limits.add(address("192.0.2.65"), NOW), "a neighbour has his own share"


#: Addresses of four networks side by side, four in each: /26 of one /21, /48 of one /32, two /64 in each.
FOUR = [[address(f"192.0.{net}.{host}") for host in range(1, 5)] for net in range(4)]
SIX = [[address(f"2001:db8:{net}:{host}::1") for host in range(1, 5)] for net in range(4)]


@pytest.mark.parametrize("networks", [FOUR, SIX], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize(
    ("windows", "minutes", "most"),
    [
        pytest.param(NEW_CONNECTIONS, 1, (300, 900, 2700), id="new connections"),
        pytest.param(OPEN_CONNECTIONS, 1, (30, 90, 270), id="open connections"),
        pytest.param(LOGIN_FAILURES, 1, (10, 30, 90), id="failed logins of a minute"),
        pytest.param(LOGIN_FAILURES, 10, (50, 150, 450), id="failed logins of a day"),
    ],
)
def test_surroundings_are_limited_too(
    windows: tuple[tuple[int, tuple[int, int, int]], ...],
    minutes: int,
    most: tuple[int, int, int],
    networks: list[list[ipaddress.IPv4Address]],
):
    day = NOW // 86400 * 86400
    found = []
    for clients in (networks[0][:1], networks[0], [one for network in networks for one in network]):
        limits = limiter(windows)
        moments = [day + minute * 60 for minute in range(minutes)]
        found.append(sum(limits.add(one, at) for at in moments for one in clients for _ in range(most[0] + 1)))
    assert found == list(most)


def test_what_is_refused_is_not_counted():
    limits = Limiter([Window(60, (1, 2, 3))])
    first, second = address("192.0.2.1"), address("192.0.2.2")
    assert limits.add(first, NOW)
    assert not any(limits.add(first, NOW) for _ in range(50))
    assert limits.add(second, NOW), "the refused attempts did not use up the /26"


def test_windows_are_fixed():
    limits = Limiter([Window(60, (1, 9, 9))])
    client = address("192.0.2.1")
    assert limits.add(client, NOW + 59)
    assert not limits.add(client, NOW + 59.9)
    assert limits.add(client, NOW + 60), "a minute of the clock, not sixty seconds since the first"


def test_any_window_refuses():
    limits = limiter(LOGIN_FAILURES)
    client = address("192.0.2.1")
    day = NOW // 86400 * 86400
    counted = sum(limits.add(client, day + minute * 60) for minute in range(10) for _ in range(10))
    assert counted == 50
    assert limits.add(client, day + 86400)


def test_closing_gives_back():
    limits = limiter(OPEN_CONNECTIONS)
    client = address("2001:db8::1")
    for _ in range(30):
        assert limits.add(client, NOW)
    limits.remove(client, NOW + 3600)
    assert limits.add(client, NOW + 7200)
    assert not limits.add(client, NOW + 7200)


def test_success_takes_the_own_share_out_of_all_classes():
    limits = Limiter([Window(60, (10, 12, 99))])
    client, neighbour = address("192.0.2.1"), address("192.0.2.2")
    for _ in range(10):
        limits.add(client, NOW)
    assert limits.add(neighbour, NOW)
    limits.reset(client, NOW)
    assert [limits.add(client, NOW) for _ in range(11)] == [True] * 10 + [False]
    assert limits.add(neighbour, NOW)
    assert not limits.add(neighbour, NOW), "the neighbour's own failures stay counted"


def test_forced_events_count_beyond_the_limit():
    limits = Limiter([Window(60, (2, 9, 9))])
    client = address("192.0.2.1")
    for _ in range(5):
        limits.force(client, NOW)
    assert not limits.allowed(client, NOW)
    limits.reset(client, NOW)
    assert limits.allowed(client, NOW, 2)
    assert not limits.allowed(client, NOW, 3)


ADDRESSES = st.sampled_from(
    [address(t) for t in ("192.0.2.1", "192.0.2.2", "192.0.3.1", "2001:db8::1", "2001:db8:0:1::")]
)
EVENTS = st.lists(
    st.tuples(st.sampled_from(["add", "reset", "remove"]), ADDRESSES, st.integers(0, 40)), min_size=1, max_size=60
)


@settings(max_examples=100)
@given(EVENTS)
def test_never_more_than_the_limit(events: list[tuple[str, ipaddress.IPv4Address, int]]):
    limits = Limiter([Window(60, (3, 5, 7)), Window(180, (6, 9, 12))])
    now = NOW
    for verb, client, seconds in events:
        now += seconds
        getattr(limits, verb)(client, now)
        for (_, counts), window in zip(limits._counts, limits._windows, strict=True):
            bound = dict(zip((32, 26, 21), window.limits, strict=True)) | dict(
                zip((64, 48, 32), window.limits, strict=True)
            )
            for (version, prefix, _), count in counts.items():
                most = window.limits[0] if prefix == (32 if version == 4 else 64) else bound[prefix]
                if version == 6 and prefix == 32:
                    most = window.limits[2]
                assert 0 < count <= most


def test_an_allowance_of_each():
    one = Allowance(((60, 3), (3600, 5)))
    assert [one.take(1, NOW, 2), one.take(1, NOW + 59, 2), one.take(1, NOW + 59, 1)] == [2, 1, 0]
    assert one.take(2, NOW + 59, 1) == 1, "another one has his own"
    assert [one.take(1, NOW + 60, 9), one.take(1, NOW + 120, 1)] == [2, 0], "no more in the hour"
    assert one.take(1, NOW + 3600, 1) == 1
