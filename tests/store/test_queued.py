"""The queue's records: adding, indices, holding, retiring, limits, and random work against a model."""

import random

import pytest
import trio

from appliance.store import account as accounts, bodies, queued, upgrade
from appliance.store.bodies import of_octets
from appliance.store.queued import DAY, FromIDInUse
from appliance.store.queuerecords import Attempt, Outgoing, QueuedMessage
from appliance.store.tables import BodyID, QueueID, Table
from support.clock import StandingClock
from support.stores import add_account, open_store

BODY = b"Subject: hi\r\n\r\nhello\r\n"


def entry(account, recipient="bob@elsewhere.example", *, at=0, **fields):
    values = {"reverse_path": "alice@here.example", "next_attempt": at, **fields}
    return QueuedMessage(
        id=QueueID(0),
        base_id=QueueID(0),
        account=account,
        queued=0,
        recipient=recipient,
        body=BodyID(0),
        size=0,
        **values,
    )


def add(store, *new, octets=BODY):
    store.write_sync(queued.add, list(new), of_octets(octets))
    return list(new)


def listed(store):
    with store.read() as tx:
        return list(queued.all_messages(tx))


def test_copies_share_body_base_and_time(tmp_path):
    with open_store(tmp_path) as store:
        alice = add_account(store)
        first, second = add(
            store, entry(alice, prefix=b"X: y\r\n", at=5), entry(alice, "carol@else.example", prefix=b"X: y\r\n", at=5)
        )
        (alone,) = add(store, entry(alice))
        assert (first.base_id, second.base_id, alone.base_id) == (first.id, first.id, 0)
        assert first.body == second.body != alone.body
        assert first.size == len(BODY) + 6
        assert listed(store) == [first, second, alone]
        with store.read() as tx:
            assert bodies.read(tx, first.body, 0, len(BODY)) == BODY
            assert list(queued.of_base(tx, first.id)) == [first.id, second.id]
            assert list(queued.of_account(tx, alice)) == [first.id, second.id, alone.id]
        store.write_sync(queued.remove, first, success=True, keep=0)
        store.write_sync(queued.remove, second, success=True, keep=0)
        with store.read() as tx, pytest.raises(KeyError):
            bodies.size(tx, first.body)
        (later,) = add(store, entry(alice))
        assert later.id > alone.id  # Ids are never used again.


@pytest.mark.parametrize(
    ("differs", "base"),
    [
        pytest.param({"reverse_path": "alice+1@here.example"}, False, id="sender"),
        pytest.param({"prefix": b"A: b\r\n"}, False, id="prefix"),
        pytest.param({"notify": ("NEVER",)}, True, id="what notices are wanted"),
    ],
)
def test_base_is_for_what_can_be_sent_together(tmp_path, differs, base):
    with open_store(tmp_path) as store:
        alice = add_account(store)
        both = add(store, entry(alice), entry(alice, "carol@else.example", **differs))
        assert [one.base_id for one in both] == [both[0].id if base else 0] * 2


def test_due_in_order_without_what_is_held(tmp_path):
    clock = StandingClock()
    with open_store(tmp_path, clock) as store:
        alice = add_account(store)
        now = clock.microseconds()
        late, early, held, future = (
            add(store, entry(alice, at=at, hold=hold))[0]
            for at, hold in ((now, False), (now - 5, False), (now - 9, True), (now + 7, False))
        )
        with store.read() as tx:
            assert list(queued.due(tx, now)) == [early.id, late.id]
            assert queued.next_time(tx, now) == now + 7
            assert queued.next_time(tx, now + 7) is None
        held.hold, future.hold, early.next_attempt = False, True, now + 3
        early.attempts, early.results = 1, (Attempt(now, 1000, code=450, status="4.2.1", text="no"),)
        for one in (held, future, early):
            store.write_sync(queued.update, one)
        with store.read() as tx:
            assert list(queued.due(tx, now)) == [held.id, late.id]
            assert queued.next_time(tx, now) == now + 3
            assert queued.get(tx, early.id) == early


def test_from_ids_are_unique_in_queue_and_memory(tmp_path):
    clock = StandingClock()
    with open_store(tmp_path, clock) as store:
        alice = add_account(store)
        (one,) = add(store, entry(alice, from_id="abc"))
        for again in ((entry(alice, from_id="abc"),), (entry(alice, from_id="x"), entry(alice, from_id="x"))):
            with pytest.raises(FromIDInUse):
                add(store, *again)
        assert listed(store) == [one]  # All or nothing.
        store.write_sync(queued.remove, one, success=False, keep=1000)
        with store.read() as tx:
            done = queued.by_from_id(tx, "abc")
            assert (done.id, done.success, done.recipient) == (one.id, False, one.recipient)
            assert queued.next_forgetting(tx) == clock.microseconds() + 1000
        with pytest.raises(FromIDInUse):
            add(store, entry(alice, from_id="abc"))
        assert store.write_sync(queued.forget_retired, 10) is False
        clock.move(1)
        assert store.write_sync(queued.forget_retired, 10) is False
        with store.read() as tx:
            assert queued.by_from_id(tx, "abc") is None
        add(store, entry(alice, from_id="abc"))


@pytest.mark.parametrize(
    ("rule", "held"),
    [
        pytest.param({}, [True, True, True], id="all"),
        pytest.param({"sender_domain": "here.example"}, [True, True, False], id="sender"),
        pytest.param({"recipient_domain": "else.example"}, [False, True, True], id="recipient"),
        pytest.param(
            {"sender_domain": "here.example", "recipient_domain": "else.example"}, [False, True, False], id="2"
        ),
        pytest.param({"account": 1, "recipient_domain": "no.example"}, [False, False, False], id="one does not match"),
    ],
)
def test_hold_rules(tmp_path, rule, held):
    with open_store(tmp_path) as store:
        alice = add_account(store)
        made = store.write_sync(queued.add_hold_rule, **rule)
        many = [
            entry(alice, "b@a.example"),
            entry(alice, "b@else.example"),
            entry(alice, "b@else.example", reverse_path=""),
        ]
        add(store, *many)
        assert [one.hold for one in many] == held
        assert store.write_sync(queued.remove_hold_rule, made.id)
        assert not store.write_sync(queued.remove_hold_rule, made.id)
        assert [one.hold for one in listed(store)] == held  # What is held stays so.
        assert not add(store, entry(alice))[0].hold


@pytest.mark.parametrize("most", [1, 2, 3, 100])
def test_a_new_rule_holds_what_is_there_in_pieces(tmp_path, most):
    with open_store(tmp_path) as store:
        alice = add_account(store)
        names = ["b@else.example", "b@no.example", "c@else.example", "d@no.example", "e@else.example"]
        before = add(store, *(entry(alice, name) for name in names))
        rule = store.write_sync(queued.add_hold_rule, recipient_domain="else.example")
        assert rule.until == before[-1].id
        pieces = 1
        while store.write_sync(queued.sweep_hold_rule, rule.id, most):
            pieces += 1
            with store.read() as tx:
                (kept,) = queued.hold_rules(tx)
            assert kept.swept < kept.until  # What is left to do stands in the rule.
        assert pieces == {1: 5, 2: 3, 3: 2, 100: 1}[most]
        assert [one.hold for one in listed(store)] == [True, False, True, False, True]
        store.write_sync(queued.update, before[0])  # Released.
        assert not store.write_sync(queued.sweep_hold_rule, rule.id, most)
        assert not listed(store)[0].hold
        assert not store.write_sync(queued.sweep_hold_rule, 99, most)


def test_rules_know_domains_in_the_spelling_of_paths(tmp_path):
    with open_store(tmp_path) as store:
        alice = add_account(store)
        store.write_sync(queued.add_hold_rule, recipient_domain="bücher.example")
        assert add(store, entry(alice, "b@bücher.example"))[0].hold


async def test_how_many_are_held_is_counted(tmp_path):
    with open_store(tmp_path) as store:
        alice = add_account(store)
        gauge = queued.held.labels()
        new = [entry(alice, hold=hold) for hold in (True, True, False)]
        await store.write(queued.add, new, of_octets(BODY))
        assert gauge.value == 2
        new[0].hold = False
        await store.write(queued.update, new[0])
        assert gauge.value == 1

        def fail(tx):
            queued.remove(tx, new[1], success=False, keep=0)
            raise KeyError

        with pytest.raises(KeyError):
            await store.write(fail)
        assert gauge.value == 1
        await store.write(queued.remove, new[1], success=False, keep=0)
        assert gauge.value == 0


def test_outcomes_of_the_last_messages_to_an_address(tmp_path):
    with open_store(tmp_path) as store:
        alice, bob = add_account(store), add_account(store, "bob")
        for account, to, success in (
            (alice, "b@x.example", True),
            (alice, "b@x.example", False),
            (alice, "B@x.example", True),
            (bob, "b@x.example", True),
            (alice, "b@x.example", False),
        ):
            store.write_sync(queued.remove, add(store, entry(account, to))[0], success=success, keep=10**9)
        with store.read() as tx:
            assert queued.outcomes(tx, alice, "b@x.example", 2) == [False, False]
            assert queued.outcomes(tx, alice, "b@x.example", 9) == [False, False, True]
            assert queued.outcomes(tx, bob, "c@x.example", 2) == []


def test_upgrade_indexes_what_older_programs_left(tmp_path, monkeypatch):
    monkeypatch.setattr("appliance.store.upgrade._MESSAGES", 2)

    def age(tx):
        for table in (Table.QUEUED_HELD, Table.RETIRED_ACTIVITY, Table.RETIRED_RECIPIENT):
            for key in [key for key, _ in tx.scan_prefix(table, b"")]:
                tx.delete(table, key)
        tx.put(Table.META, b"schema version", b"2")

    with open_store(tmp_path) as store:
        alice = add_account(store)
        new = add(store, *(entry(alice, hold=number % 2 == 0) for number in range(11)))
        for one in new[:5]:
            store.write_sync(queued.remove, one, success=True, keep=10**9)
        store.write_sync(age)
        assert any("queued_held" in wrong for wrong in store.verify())
        upgrade.upgrade(store)
        assert store.verify() == []


def test_outgoing_counts_a_day_back(tmp_path):
    clock = StandingClock()
    with open_store(tmp_path, clock) as store:
        alice, bob = add_account(store), add_account(store, "bob")

        def count(account, *recipients):
            return store.write_sync(queued.count_outgoing, account, recipients)

        assert count(alice, "a@x.example", "b@x.example") == Outgoing(2, 2)
        assert count(alice, "A@x.example", "c@x.example") == Outgoing(4, 3)
        assert count(bob, "a@x.example") == Outgoing(1, 1)
        clock.move(DAY / 1e6)
        assert count(alice, "d@x.example") == Outgoing(5, 4)  # Just not yet a day ago.
        clock.move(0.001)
        assert count(alice, "a@x.example") == Outgoing(2, 1)
        clock.move(3 * DAY / 1e6)
        assert count(alice, "e@x.example") == Outgoing(1, 1)
        with store.read() as tx:
            assert queued.has_written_to(tx, alice, "B@X.example")
            assert not queued.has_written_to(tx, bob, "b@x.example")


def test_old_counts_are_removed_and_the_sum_stays(tmp_path):
    clock = StandingClock()
    dice = random.Random(3)
    with open_store(tmp_path, clock) as store:
        alice = add_account(store)
        sent = []
        for number in range(200):
            clock.move(dice.choice((1, 600, 7200)))
            sent.append((clock.microseconds(), n := dice.randint(1, 3)))
            got = store.write_sync(queued.count_outgoing, alice, [f"{number}.{i}@x.example" for i in range(n)])
            window = sum(n for when, n in sent if when >= clock.microseconds() - DAY)
            assert got == Outgoing(window, window)


def test_a_clock_that_is_set_back_loses_no_count(tmp_path):
    """What was sent later than now counts as sent now; the store that is closed is verified."""
    clock = StandingClock()
    with open_store(tmp_path, clock) as store:
        alice = add_account(store)

        def count(number):
            return store.write_sync(queued.count_outgoing, alice, [f"{number}.{n}@x.example" for n in range(number)])

        assert count(1) == Outgoing(1, 1)
        clock.move(3600)
        assert count(2) == Outgoing(3, 3)
        clock.move(-1800)
        assert count(3) == Outgoing(6, 6)
        clock.move(-30 * DAY / 1e6)  # Before everything.
        assert count(4) == Outgoing(10, 10)
        clock.move(DAY / 1e6)
        assert count(5) == Outgoing(15, 15)
        clock.move(0.001)
        assert count(6) == Outgoing(11, 11)


@pytest.mark.parametrize("seed", range(5))
def test_counts_with_a_clock_that_goes_to_and_fro(tmp_path, seed):
    clock = StandingClock()
    dice = random.Random(seed)
    with open_store(tmp_path, clock) as store:
        alice = add_account(store)
        sent, latest = [], 0
        for number in range(150):
            clock.move(dice.choice((1, 600, 7200, 7200, 40_000, -5, -7200, -3 * DAY / 1e6)))
            now = clock.microseconds()
            sent = [(min(when, now), n, then) for when, n, then in sent]
            latest = max(latest, now)
            sent.append((now, n := dice.randint(1, 3), now))
            got = store.write_sync(queued.count_outgoing, alice, [f"{number}.{i}@x.example" for i in range(n)])
            # What was more than a day old before the clock was set back may be forgotten.
            least = sum(n for when, n, then in sent if when >= now - DAY and then >= latest - DAY)
            most = sum(n for when, n, _ in sent if when >= now - DAY)
            assert least <= got.messages <= most
            with store.read() as tx:
                assert queued.verify(tx, {alice})[0] == []
                assert tx.entries(Table.OUTGOING) < 60


def test_account_that_goes_takes_its_mail_with_it(tmp_path):
    with open_store(tmp_path) as store:
        alice, bob = add_account(store), add_account(store, "bob")
        mine = [add(store, entry(alice, from_id=f"f{number}"))[0] for number in range(7)]
        (his,) = add(store, entry(bob))
        store.write_sync(queued.remove, mine[0], success=True, keep=10**9)
        store.write_sync(queued.count_outgoing, alice, ["a@x.example"])
        store.write_sync(queued.add_hold_rule, account=alice)
        store.write_sync(accounts.begin_removal, "alice")
        while not store.write_sync(accounts.remove_part, "alice", 2):
            pass
        assert listed(store) == [his]
        with store.read() as tx:
            assert queued.by_from_id(tx, "f0") is None
            assert list(queued.hold_rules(tx)) == []


async def test_changes_wake_who_waits_for_them(tmp_path):
    with open_store(tmp_path) as store:
        with store.read() as tx:
            assert list(queued.due(tx, 2**62)) == []
        alice = add_account(store)
        assert not store.feed.queued.is_set()
        await store.write(queued.add, [entry(alice, hold=True)], of_octets(BODY))
        assert not store.feed.queued.is_set()
        await store.write(queued.add, [entry(alice)], of_octets(BODY))
        with trio.fail_after(30):
            await store.feed.queued.wait()


def test_random_work_against_a_model(tmp_path):
    clock = StandingClock()
    dice = random.Random(7)
    with open_store(tmp_path, clock) as store:
        owners = [add_account(store), add_account(store, "bob")]
        model: dict[int, QueuedMessage] = {}
        ids = iter(range(10**6))
        for _ in range(400):
            clock.move(1)
            now = clock.microseconds()
            what = dice.random()
            some = dice.choice(list(model.values())) if model else None
            if what < 0.4 or some is None:
                new = [
                    entry(
                        dice.choice(owners),
                        f"r{next(ids)}@x.example",
                        at=now + dice.randint(-5, 5) * 1_000_000,
                        hold=dice.random() < 0.2,
                        from_id=f"id{next(ids)}" if dice.random() < 0.5 else "",
                    )
                    for _ in range(dice.randint(1, 4))
                ]
                add(store, *new, octets=b"x" * dice.choice((10, 70_000)))
                model.update((one.id, one) for one in new)
            elif what < 0.6:
                some.next_attempt, some.hold = now + dice.randint(-9, 9), dice.random() < 0.3
                some.attempts += 1
                store.write_sync(queued.update, some)
            elif what < 0.9:
                store.write_sync(queued.remove, some, success=dice.random() < 0.5, keep=dice.choice((0, 3_000_000)))
                del model[some.id]
            elif what < 0.95:
                store.write_sync(queued.forget_retired, 2)
            else:
                with store.read() as tx:
                    done = queued.retired(tx, QueueID(dice.randint(1, 200)))
                if done is not None:
                    failed = dice.random() < 0.5
                    store.write_sync(queued.add_result, done, Attempt(now), failed=failed)
                    with store.read() as tx:
                        after = queued.retired(tx, done.id)
                    assert (len(after.results), after.success) == (len(done.results) + 1, done.success and not failed)
            with store.read() as tx:
                assert list(queued.due(tx, now)) == [
                    one.id
                    for one in sorted(model.values(), key=lambda one: (one.next_attempt, one.id))
                    if not one.hold and one.next_attempt <= now
                ]
            if dice.random() < 0.1:
                assert store.verify() == []
        assert listed(store) == [model[id] for id in sorted(model)]
