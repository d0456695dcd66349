"""What people do with the queue, while it is at work and while it is not."""

from contextlib import asynccontextmanager
from ipaddress import ip_address

import pytest
import trio

from appliance.base.metrics import panics
from appliance.dns.answers import Type
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table
from appliance.operations import canceling, holding, queue, selecting
from appliance.operations.queue import NoSuchTransport, NotInQueue
from appliance.operations.selecting import Asked, BadFilter
from appliance.operations.submit import To
from appliance.queue import notices, runner
from appliance.queue.parcel import World
from appliance.store import queued
from appliance.store.bodies import of_octets
from appliance.store.queuefilter import WaitingFilter
from appliance.store.queuepages import WAITING
from appliance.store.queuerecords import QueuedMessage
from appliance.store.tables import NO_ACCOUNT, BodyID, QueueID
from support.mailworld import Net
from support.queuepost import Post, fields, path
from support.smtphouse import STATIC, open_house

THEM = "192.0.2.101"
RECORDS = {"them.example": {Type.A: [ip_address(THEM)]}}
DOMAINS = """\
[domains."example.org"]
[accounts.alice]
keep_retired_message_period = "1h"
[accounts.alice.destinations]
"alice@example.org" = {}
[accounts.bob.destinations]
"bob@example.org" = {}
"""
ALL = WaitingFilter()


@asynccontextmanager
async def post(folder, *, at_work=True):
    resolver = Resolver(Table(RECORDS))
    static = STATIC + "[transports.out.direct]\n"
    async with open_house(folder, DOMAINS, resolver=resolver, static=static) as house:
        it = Post(house)
        it.net = Net(house.nursery)
        it.world = World(dialer=it.net.dial)
        if at_work:
            house.nursery.start_soon(runner.run, house.app, it.locate, it.world)
        yield it


def ids(*numbers):
    return WaitingFilter(ids=frozenset(map(QueueID, numbers)))


def retired(it, number):
    with it.store.read() as tx:
        return queued.retired(tx, number)


def fill(it, count, account=None):
    with it.store.read() as tx:
        account = tx.account_id("alice") if account is None else account
    new = [
        QueuedMessage(
            QueueID(0),
            QueueID(0),
            account,
            0,
            "alice@example.org",
            f"r{number}@them.example",
            BodyID(0),
            0,
            it.clock.microseconds() + number % 3,
        )
        for number in range(count)
    ]
    it.store.write_sync(queued.add, new, of_octets(b"From: alice@example.org\r\n\r\nhello\r\n"))
    return new


# Amid an attempt.


async def test_what_is_changed_amid_an_attempt_stays_changed(tmp_path):
    async with post(tmp_path) as it:
        moment = it.clock.microseconds() + 3 * 3600 * 1_000_000

        async def meddle() -> None:
            assert await queue.hold(it.app, ids(1), on=True) == 1
            assert await queue.schedule(it.app, ids(2), seconds=3 * 3600) == 1
            assert await queue.set_transport(it.app, ids(3), name="out") == 1
            assert await queue.set_requiretls(it.app, ids(3), requiretls=False) == 1

        it.net.host(THEM, at_dot=meddle, replies={"CONTENT": "451 4.3.0 later"})
        await it.send("a@them.example", "b@them.example", "c@them.example")
        await it.until(lambda: all(one.results and one.results[-1].status for one in it.queue))
        first, second, third = it.queue
        assert (first.hold, second.next_attempt, third.transport, third.requiretls) == (True, moment, "out", False)
        assert {(one.attempts, one.results[-1].text) for one in it.queue} == {(1, "later")}


@pytest.mark.parametrize("reply", ["451 4.3.0 later", "550 5.7.1 no", "250 2.0.0 ok"])
@pytest.mark.parametrize("verb", [canceling.fail, canceling.drop])
async def test_what_is_ended_amid_an_attempt_stays_ended(tmp_path, reply, verb):
    async with post(tmp_path) as it:
        done = trio.Event()

        async def meddle() -> None:
            assert await verb(it.app, ids(1)) == 1
            done.set()

        it.net.host(THEM, at_dot=meddle, replies={"CONTENT": reply})
        await it.send("a@them.example")
        await done.wait()
        await it.send("bob@example.org")
        await it.until(lambda: it.inbox("bob"))
        assert it.queue == []
        assert [one.text for one in retired(it, 1).results] == ["being delivered, no result yet", "canceled by admin"]
        assert not retired(it, 1).success
        assert len(it.notices("alice")) == (verb is canceling.fail)


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        (queue.hold, {"on": True}),
        (queue.schedule, {"seconds": 60}),
        (queue.postpone, {"seconds": 60}),
        (canceling.drop, {}),
    ],
)
async def test_a_delivery_to_ourselves_counts_for_nothing_then(tmp_path, verb, arguments):
    async with post(tmp_path) as it:
        changed = trio.Event()

        async def meddle() -> None:
            assert await verb(it.app, ids(1), **arguments) == 1
            changed.set()

        def obstacle() -> None:
            it.obstacles.clear()
            it.house.nursery.start_soon(meddle)

        receive = it.store.stored

        async def slow(body):  # The attempt goes on when the change is made.
            spooled = await receive(body)
            await changed.wait()
            return spooled

        it.store.stored = slow
        it.obstacles["bob@example.org"] = obstacle
        await it.send("bob@example.org")
        await changed.wait()
        await it.send("alice@example.org")
        await it.until(lambda: it.inbox("alice"))
        assert it.inbox("bob") == []
        assert [one.attempts for one in it.queue] == ([] if verb is canceling.drop else [0])


async def test_let_go_and_hurried(tmp_path):
    async with post(tmp_path) as it:
        host = it.net.host(THEM)
        await holding.add(it.app, recipient_domain="THEM.example")
        await it.send("a@them.example", "b@them.example")
        assert await queue.schedule(it.app, ids(2), seconds=3600) == 1
        assert await queue.hold(it.app, ALL, on=False) == 2
        await it.until(lambda: len(it.queue) == 1)
        assert await queue.hold(it.app, ALL, on=False) == 0
        assert await queue.postpone(it.app, ALL, seconds=-3600) == 1
        await it.empty()
        assert [str(one.recipients) for one in host.arrived] == [
            "['RCPT TO:<a@them.example>']",
            "['RCPT TO:<b@them.example>']",
        ]


# Giving up.


async def test_senders_hear_of_failure_once_for_a_submission_and_only_if_they_want(tmp_path):
    async with post(tmp_path, at_work=False) as it:
        silent = To(path("c@them.example"), notify=("NEVER",))
        await it.send("a@them.example", "b@them.example", silent)
        await it.send("d@them.example", account="bob")
        assert await canceling.fail(it.app, ALL) == 4
        (first,) = it.notices("alice")
        assert "Final-Recipient" not in fields(first, 0)
        assert [fields(first, number)["Final-Recipient"] for number in (1, 2)] == [
            "rfc822; a@them.example",
            "rfc822; b@them.example",
        ]
        assert len(list(first.iter_parts())[1].get_payload()) == 3
        assert fields(first)["Action"] == "failed"
        assert "The administrator of this server canceled the delivery." in first.get_body().get_content()
        assert len(it.notices("bob")) == 1
        assert it.queue == []
        assert [retired(it, number) is None for number in (1, 2, 3, 4)] == [False, False, False, True]


@pytest.mark.parametrize(("still_meant", "failed"), [(True, 2), (False, 1)])
async def test_a_change_before_failure_is_seen(tmp_path, monkeypatch, still_meant, failed):
    """The notice of the first look would not be true of all: there is a second look."""
    prepare, looks = notices.placement, []

    async with post(tmp_path, at_work=False) as it:
        await it.send("a@them.example", "b@them.example")

        async def placement(app, config, told, spooled):
            looks.append([one.message.id for one in told])
            if len(looks) == 1:
                await (queue.schedule(app, ids(2), seconds=7) if still_meant else queue.hold(app, ids(2), on=True))
            return await prepare(app, config, told, spooled)

        monkeypatch.setattr(notices, "placement", placement)
        assert await canceling.fail(it.app, WaitingFilter(hold=False)) == failed
        assert looks == [[1, 2], [1, 2] if still_meant else [1]]
        assert len(it.notices("alice")) == 1
        assert [one.hold for one in it.queue] == [True] * (2 - failed)


async def test_dropped_without_a_word(tmp_path):
    async with post(tmp_path, at_work=False) as it:
        await it.send("a@them.example")
        await it.send("b@them.example", account="bob")
        assert await canceling.drop(it.app, ALL) == 2
        assert it.inbox("alice") == it.inbox("bob") == it.queue == []
        assert [one.text for one in retired(it, 1).results] == ["canceled by admin"]
        assert retired(it, 2) is None


async def test_who_forwards_and_keeps_nothing_has_it_again(tmp_path):
    """Once, however many addresses it was for; whatever sender it had."""

    def forwarded(recipient, *, only):
        return QueuedMessage(
            id=QueueID(0),
            base_id=QueueID(0),
            account=1,
            queued=0,
            reverse_path="",
            recipient=recipient,
            body=BodyID(0),
            size=0,
            next_attempt=0,
            prefix=b"X: y\r\n",
            forwarded_by="alice@example.org",
            is_only_copy=only,
        )

    async with post(tmp_path, at_work=False) as it:
        both = [forwarded(f"{one}@them.example", only=True) for one in "ab"]
        await it.store.write(queued.add, both, of_octets(b"Subject: only\r\n\r\nhello\r\n"))
        kept = [forwarded("c@them.example", only=False)]
        await it.store.write(queued.add, kept, of_octets(b"Subject: kept\r\n\r\nhello\r\n"))
        assert await canceling.fail(it.app, ids(1)) == 1
        assert len(it.notices("alice")) == 1
        assert [one.is_only_copy for one in it.queue] == [False, False]
        assert await canceling.fail(it.app, ALL) == 2
        assert len(it.notices("alice")) == 3
        assert [one for one in it.inbox("alice") if b"multipart/report" not in one] == [
            b"X: y\r\nSubject: only\r\n\r\nhello\r\n"
        ]
        assert it.queue == []


# Many.


async def test_many_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(queue, "LOOKS", 7)
    monkeypatch.setattr(queue, "TOGETHER", 5)
    monkeypatch.setattr(queue, "PAGE_MESSAGES", 4)
    monkeypatch.setattr(holding, "LOOKS", 6)
    async with post(tmp_path, at_work=False) as it:
        new = fill(it, 33)
        newest_first = [one.id for one in sorted(new, key=lambda one: (one.next_attempt, one.id), reverse=True)]
        assert await queue.hold(it.app, ALL, 12, on=True) == 12
        assert {one.id for one in it.queue if one.hold} == set(newest_first[:12])
        listed = [
            one async for some in queue.listed(it.app, WAITING, ALL, queue.Order.NEXT_ATTEMPT, most=20) for one in some
        ]
        assert [(one.id, name) for one, name in listed] == [(id, "alice") for id in newest_first[:20]]
        assert await queue.schedule(it.app, ALL, seconds=60) == 33
        # Whatever transaction they were in: they can be sent together.
        assert len({one.next_attempt for one in it.queue}) == 1
        await holding.add(it.app, account="alice")
        assert all(one.hold for one in it.queue)
        assert queued.held.labels().value == 33
        assert await canceling.fail(it.app, ids(*range(1, 12))) == 11
        assert await canceling.drop(it.app, ALL, 20) == 20
        assert len(it.queue) == 2
        assert queued.held.labels().value == 2


async def test_attempts_stay_within_time(tmp_path):
    async with post(tmp_path, at_work=False) as it:
        fill(it, 1)
        for _ in range(3):
            await queue.postpone(it.app, ALL, seconds=100 * 366 * 86_400)
        assert it.queue[0].next_attempt == it.clock.microseconds() + 100 * 366 * 86_400 * 1_000_000
        await queue.postpone(it.app, ALL, seconds=-900 * 366 * 86_400)
        assert it.queue[0].next_attempt == 0


async def test_a_rule_that_a_crash_interrupted_goes_on(tmp_path):
    async with post(tmp_path, at_work=False) as it:
        fill(it, 5)
        it.store.write_sync(queued.add_hold_rule, recipient_domain="them.example")
        it.store.write_sync(queued.sweep_hold_rule, 1, 2)
        queued.held.labels().set(0)
        assert [one.hold for one in it.queue] == [True, True, False, False, False]
        await holding.resume(it.app)
        assert all(one.hold for one in it.queue)
        assert queued.held.labels().value == 5


# Reading.


async def test_dump(tmp_path, monkeypatch):
    monkeypatch.setattr(queue, "DUMP_OCTETS", 1000)
    async with post(tmp_path, at_work=False) as it:
        octets = b"From: alice@example.org\r\n\r\n" + b"x" * 70 + b"\r\n" * 3000
        await it.send("a@them.example", octets=octets)
        (one,) = it.queue
        pieces = [piece async for piece in queue.dump(it.app, one.id)]
        assert b"".join(pieces) == one.prefix + octets
        assert max(map(len, pieces[1:])) == 1000
        reading = queue.dump(it.app, one.id)
        await anext(reading)
        await canceling.drop(it.app, ALL)
        with pytest.raises(NotInQueue, match="left the queue while it was read"):
            await anext(reading)
        with pytest.raises(NotInQueue):
            queue.dump(it.app, one.id)


async def test_unknown_transport(tmp_path):
    async with post(tmp_path, at_work=False) as it:
        with pytest.raises(NoSuchTransport, match="there is no transport 'no'; there are: out"):
            await queue.set_transport(it.app, ALL, name="no")


# Which ones.


@pytest.mark.parametrize(
    ("text", "is_after", "seconds"),
    [
        ("<now", False, 0),
        (">now", True, 0),
        (">1h", True, 3600),
        ("<-24h", False, -86_400),
        (" > -1h30m ", True, -5400),
        (">0s", True, 0),
    ],
)
async def test_bounds(tmp_path, text, is_after, seconds):
    async with post(tmp_path, at_work=False) as it:
        for filter in (
            selecting.waiting(it.app, Asked(submitted=text)).submitted,
            selecting.waiting(it.app, Asked(next_attempt=text)).next_attempt,
            selecting.retired(it.app, Asked(last_activity=text)).last_activity,
        ):
            assert (filter.is_after, filter.moment) == (is_after, it.clock.microseconds() + seconds * 1_000_000)


@pytest.mark.parametrize(
    "text",
    ["", "now", "1h", "<", "=now", "<later", "<1", "< - ", "<--1h", ">200y", "<1h >2h", ">" + " " * 100_000 + "x"],
)
async def test_bad_bounds(tmp_path, text):
    async with post(tmp_path, at_work=False) as it:
        with pytest.raises(BadFilter):
            selecting.waiting(it.app, Asked(submitted=text))


async def test_words_of_filters(tmp_path):
    async with post(tmp_path, at_work=False) as it:
        asked = Asked(sender="Alice+X", recipient="@XN--bcher-kva.Example", account="alice", transport="")
        found = selecting.waiting(it.app, asked)
        assert (found.sender, found.recipient, found.transport) == ("alice+x", "@bücher.example", "")
        with it.store.read() as tx:
            alice, bob = tx.account_id("alice"), tx.account_id("bob")
        assert found.accounts == {alice, NO_ACCOUNT}  # The postmaster answers for nobody's messages.
        assert selecting.waiting(it.app, Asked(account="bob")).accounts == {bob}
        for asked in (
            Asked(ids=[]),
            Asked(ids=[-1]),
            Asked(ids=[2**63]),
            Asked(ids=range(1, 10_002)),
            Asked(sender="@"),
        ):
            with pytest.raises(BadFilter):
                selecting.waiting(it.app, asked)


async def test_dropped_before_its_content_is_sent(tmp_path):
    async with post(tmp_path, at_work=False) as it:
        host, dropped = it.net.host(THEM), trio.Event()
        dial, bugs = it.net.dial, panics.labels("queue").value

        async def slow(*arguments, **options):
            dialed = await dial(*arguments, **options)
            if not dropped.is_set():
                assert await canceling.drop(it.app, ALL) == 1
                dropped.set()
            return dialed

        it.house.nursery.start_soon(runner.run, it.app, it.locate, World(dialer=slow))
        await it.send("a@them.example")
        await dropped.wait()
        await it.send("b@them.example")
        await it.empty()
        assert [str(one.recipients) for one in host.arrived] == ["['RCPT TO:<b@them.example>']"]
        assert panics.labels("queue").value == bugs
