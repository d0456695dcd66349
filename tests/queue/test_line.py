"""Several messages for one destination go over one connection: which may follow, and what happens when it is lost."""

from contextlib import asynccontextmanager
from ipaddress import ip_address

import pytest

from appliance.dns.answers import MX, Type
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table
from appliance.queue import line, remote, runner
from appliance.queue.parcel import World
from appliance.queue.settle import NO_RESULT
from appliance.store import queued
from support.handing import GOOD, ONE, SIX, TWO, sending, short
from support.mailworld import Net
from support.queuepost import Post
from support.smtphouse import open_house


@pytest.mark.parametrize(
    ("manners", "second", "outcome", "connections"),
    [
        pytest.param({}, {}, "delivered", 1, id="one connection"),
        pytest.param({"extensions": ()}, {}, "delivered", 1, id="without PIPELINING"),
        pytest.param({"tls": GOOD}, {}, "delivered", 1, id="with TLS"),
        pytest.param({"tls": GOOD}, {"requiretls": False}, "delivered", 2, id="TLS-Required: No is judged for itself"),
        pytest.param({"tls": GOOD}, {"requiretls": True}, "permanent 554 5.7.30", 1, id="so is REQUIRETLS"),
        pytest.param({"tls": GOOD}, {"must_tls": True}, "delivered", 2, id="so is who never goes in plain text"),
        pytest.param({"extensions": ("LIMITS MAILMAX=1",)}, {}, "delivered", 2, id="MAILMAX (RFC 9422)"),
        pytest.param({"extensions": ("LIMITS MAILMAX=2",)}, {}, "delivered", 1, id="MAILMAX not reached"),
        pytest.param({"replies": {"MAIL": ["250 ok", "421 4.7.0 enough"]}}, {}, "delivered", 2, id="had enough"),
        pytest.param({"replies": {"MAIL": ["250 ok", "close"]}}, {}, "delivered", 2, id="closed"),
        pytest.param({"replies": {"RCPT": ["250 ok", "421 4.7.0 enough"]}}, {}, "delivered", 2, id="later had enough"),
        pytest.param({"replies": {"DATA": ["354 go", "close"]}}, {}, "delivered", 2, id="closed before the message"),
        pytest.param({"replies": {"MAIL": ["250 ok", "what"]}}, {}, "delivered", 2, id="no SMTP"),
        pytest.param(
            {"replies": {"CONTENT": ["250 ok", "close after"]}}, {}, "temporary 4.4.2", 1, id="closed after the dot"
        ),
        pytest.param(
            {"replies": {"RCPT": ["250 ok", "550 5.1.1 no"]}}, {}, "permanent 550 5.1.1", 1, id="refused for good"
        ),
        pytest.param({"breaks_tls": True, "tls": GOOD}, {}, "delivered", 2, id="plain text, as TLS has failed"),
    ],
)
async def test_who_follows(manners, second, outcome, connections):
    async with sending() as it:
        host = it.net.host(ONE, **manners)
        assert short(await it.send("single.example")) == "delivered"
        handed = await it.send("single.example", **second)
        assert (short(handed), host.connections) == (outcome, connections)
        if "permanent 554" not in outcome:
            assert (handed.host, str(handed.remote)) == ("a.example", ONE)
            assert handed.dialed == [("a.example", ip_address(ONE))]
        # One goodbye for each connection that could hear it, and none between two messages.
        assert "QUIT" not in host.commands[:-1] or connections == 2
        assert it.taken == [[0]] * (1 + (outcome == "delivered"))


async def test_a_connection_goes_on_after_a_refusal():
    async with sending() as it:
        host = it.net.host(ONE, replies={"RCPT TO:<no": "550 5.1.1 no"})
        outcomes = [short(await it.send("them.example", name)) for name in ("a", "no", "b", "no", "c")]
        assert outcomes == ["delivered", "permanent 550 5.1.1"] * 2 + ["delivered"]
        assert host.connections == 1
        assert [one for one in host.commands if one in {"RSET", "QUIT"}] == ["RSET", "RSET"]


async def test_only_the_hosts_of_a_domain():
    async with sending() as it:
        it.net.host(ONE)
        await it.send("them.example")
        await it.send("single.example")
        assert it.net.dialed == [ONE, ONE]


@pytest.mark.parametrize(
    ("replies", "dialed"),
    [
        pytest.param(None, [ONE, TWO], id="the better host was not there for the first; the second does not ask it"),
        pytest.param({"GREETING": "421 busy"}, [ONE, TWO], id="was busy"),
        pytest.param({"RCPT": "450 4.2.0 not him"}, [ONE, TWO, ONE, TWO], id="did not want the first alone"),
    ],
)
async def test_better_hosts(replies, dialed):
    async with sending() as it:
        if replies is not None:
            it.net.host(ONE, replies=replies)
        it.net.host(TWO)
        for _ in range(2):
            assert short(await it.send()) == "delivered"
        assert it.net.dialed == dialed


async def test_a_kept_host_that_fails_for_now_is_not_asked_again():
    async with sending() as it:
        one = it.net.host(ONE, replies={"MAIL": ["250 ok", "451 4.3.0 later"]})
        two = it.net.host(TWO)
        for _ in range(2):
            assert short(await it.send()) == "delivered"
        assert it.net.dialed == [ONE, TWO]
        assert (len(one.arrived), len(two.arrived)) == (1, 1)


async def test_turns_of_addresses():
    """Who was at an address in vain has another one's turn (and so a connection of his own)."""
    async with sending() as it:
        it.net.host(ONE)
        it.net.host(SIX)
        await it.send("dual.example")
        first = it.net.dialed[-1]
        other = ONE if first == SIX else SIX
        await it.send("dual.example", attempts=1, dialed={"both.example": [ip_address(first)]})
        assert it.net.dialed == [first, other]
        await it.send("dual.example", attempts=1, dialed={"both.example": [ip_address(first)]})
        assert it.net.dialed == [first, other]


async def test_first_attempts_on_a_kept_connection_may_suffer_from_our_address():
    async with sending() as it:
        for address in (ONE, SIX):
            it.net.host(address, replies={"MAIL": ["250 ok", "550 5.7.1 listed"]})
        await it.send("dual.example")
        assert short(await it.send("dual.example")) == "temporary 550 5.7.1"
        assert len(it.net.dialed) == 1


@pytest.mark.parametrize(("name", "value", "connections"), [("MESSAGES", 2, 3), ("SECONDS", 0, 5), ("SECONDS", 60, 1)])
async def test_bounds(monkeypatch, name, value, connections):
    monkeypatch.setattr(line, name, value)
    async with sending() as it:
        host = it.net.host(ONE)
        for _ in range(5):
            assert short(await it.send()) == "delivered"
        assert host.connections == connections


async def test_nothing_is_kept_when_the_house_stops():
    async with sending() as it:
        it.net.host(ONE)
        await it.send()
        it.means.shutdown.request()
        assert short(await it.send()) == "temporary 4.3.2"
        assert not it.line.is_open


# The queue.

RECORDS = {
    "them.example": {Type.MX: [MX(10, "mx.them.example")]},
    "mx.them.example": {Type.A: [ip_address(ONE)]},
    "other.example": {Type.A: [ip_address(TWO)]},
}
DOMAINS = """\
[domains."example.org"]
[accounts.alice]
keep_retired_message_period = "1h"
[accounts.alice.destinations]
"alice@example.org" = {}
"""


@asynccontextmanager
async def post(folder):
    """What is sent in it waits until `go`."""
    async with open_house(folder, DOMAINS, resolver=Resolver(Table(RECORDS))) as house:
        it = Post(house)
        it.net = Net(house.nursery)
        it.world = World(dialer=it.net.dial)
        it.go = lambda: house.nursery.start_soon(runner.run, house.app, it.locate, it.world)
        yield it


async def test_each_is_written_down_before_and_settled_before_the_next(tmp_path):
    async with post(tmp_path) as it:
        seen = []

        async def at_dot():
            seen.append([(one.id, one.attempts, [result.text for result in one.results]) for one in it.queue])

        host = it.net.host(ONE, at_dot=at_dot)
        for _ in range(3):
            await it.send("x@them.example")
        it.go()
        await it.empty()
        assert host.connections == 1
        assert seen == [
            [(number, 1, [NO_RESULT]), *((later, 0, []) for later in range(number + 1, 4))] for number in (1, 2, 3)
        ]


async def test_those_for_whom_a_connection_was_too_short_go_at_once(tmp_path):
    """RFC 9422: a server may want one recipient a transaction, and two of these a connection. That is no failure."""
    async with post(tmp_path) as it:
        host = it.net.host(ONE, extensions=("PIPELINING", "LIMITS RCPTMAX=1 MAILMAX=2"))
        await it.send(*(f"{name}@them.example" for name in "abcde"))
        it.go()
        await it.empty()
        assert (len(host.arrived), host.connections) == (5, 3)
        with it.store.read() as tx:
            done = [queued.retired(tx, number) for number in range(1, 6)]
        assert [(one.success, one.attempts, len(one.results)) for one in done] == [(True, 1, 1)] * 5
        assert it.notices("alice") == []


async def test_others_have_their_turn(tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "PARALLEL", 1)
    monkeypatch.setattr(runner, "TURN_ATTEMPTS", 2)
    async with post(tmp_path) as it:
        order = []

        def note(name):
            async def at_dot():
                order.append(name)

            return at_dot

        one = it.net.host(ONE, at_dot=note("them"))
        it.net.host(TWO, at_dot=note("other"))
        for name in ("them", "them", "them", "them", "other"):
            await it.send(f"x@{name}.example")
        it.go()
        await it.empty()
        assert order == ["them", "them", "other", "them", "them"]
        assert one.connections == 2


async def test_a_bug_at_one_leaves_the_others(tmp_path, monkeypatch):
    async with post(tmp_path) as it:
        host = it.net.host(ONE)
        real, calls = remote.transports.send, []

        async def send(*arguments):
            calls.append(arguments)
            if len(calls) == 2:
                raise RuntimeError("a bug")
            return await real(*arguments)

        monkeypatch.setattr(remote.transports, "send", send)
        for _ in range(3):
            await it.send("x@them.example")
        it.go()
        await it.until(lambda: len(host.arrived) == 2 and len(it.queue) == 1)
        assert it.queue[0].id == 2


async def test_what_was_dropped_meanwhile_is_not_sent(tmp_path):
    async with post(tmp_path) as it:

        async def at_dot():
            if len(it.queue) == 3:
                await it.store.write(lambda tx: queued.remove(tx, queued.get(tx, 2), success=False, keep=0))

        host = it.net.host(ONE, at_dot=at_dot)
        for _ in range(3):
            await it.send("x@them.example")
        it.go()
        await it.empty()
        assert (len(host.arrived), host.connections) == (2, 1)
