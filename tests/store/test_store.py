"""The store as a whole: accounts, secrets, sessions, news, erasing, upgrades, faults."""

from dataclasses import replace

import lmdb
import pytest
import trio
import trio.testing

from appliance.operations import passwords
from appliance.store import account as accounts, bodies, mailbox, message, store as stores, thread, upgrade
from appliance.store.changes import MessagesAdded, MessagesRemoved
from appliance.store.problems import AccountExists, NewerSchema, NoSuchAccount, StorageFull, StoreFailed
from appliance.store.records import Flag, WebSession
from appliance.store.store import Store, verify_folder
from appliance.store.tables import Table
from support.clock import StandingClock
from support.quiet import settled
from support.stores import LIMITS, add_account, new_message, open_store


def inbox(store, account):
    with store.read() as tx:
        return mailbox.by_name(tx, account, "Inbox").id


def test_account_life(tmp_path):
    with open_store(tmp_path) as store:
        alice, bob = add_account(store, "alice"), add_account(store, "bob")
        with pytest.raises(AccountExists):
            add_account(store, "alice")
        for _ in range(3):
            store.write_sync(message.add, alice, inbox(store, alice), new_message(store))
        store.write_sync(message.add, bob, inbox(store, bob), new_message(store))
        store.write_sync(accounts.begin_removal, "alice")
        assert store.verify() == []
        while not store.write_sync(accounts.remove_part, "alice", 2):
            pass
        assert store.verify() == []
        with store.read() as tx:
            assert list(accounts.names(tx)) == ["bob"]
        with pytest.raises(NoSuchAccount):
            store.write_sync(accounts.begin_removal, "alice")
        assert add_account(store, "alice") not in {alice, bob}


def test_credentials_and_sessions(tmp_path):
    clock = StandingClock()
    with open_store(tmp_path, clock) as store:
        alice = add_account(store)
        secrets = passwords.derive_credentials("correct horse", clock.microseconds())
        now = clock.microseconds()
        for number in range(4):
            session = WebSession("account", "alice@x.example", b"", now + number, now + 10_000_000, now + number)
            store.write_sync(accounts.put_session, alice, b"token%d" % number, session, most=3)
        with store.read() as tx:
            assert sorted(key for key, _ in accounts.sessions(tx, alice)) == [b"token1", b"token2", b"token3"]
            assert accounts.session(tx, alice, b"token3") is not None
            assert accounts.session(tx, alice, b"token0") is None
        store.write_sync(accounts.set_credentials, alice, secrets, keep_session=b"token2")
        with store.read() as tx:
            assert [key for key, _ in accounts.sessions(tx, alice)] == [b"token2"]
            stored = accounts.credentials(tx, alice)
        assert stored == secrets
        assert passwords.matches(stored.password_hash, b"correct horse")
        assert not passwords.matches(stored.password_hash, b"wrong horse")


@pytest.mark.parametrize(
    ("password", "why"),
    [
        pytest.param("short", "at least", id="short"),
        pytest.param("x" * 2000, "too long", id="long"),
        pytest.param("tab\tin the middle", "not allowed", id="control character"),
    ],
)
def test_passwords_that_cannot_be(password, why):
    with pytest.raises(passwords.BadPassword, match=why):
        passwords.derive_credentials(password, 0)


def test_spaces_of_all_kinds_are_spaces():
    assert passwords.normalize("correct\u00a0horse") == "correct horse"
    assert passwords.normalize("cafe\u0301 cafe\u0301") == "caf\u00e9 caf\u00e9"


async def test_news_come_to_their_maker_too(tmp_path):
    with open_store(tmp_path) as store:
        alice = add_account(store)
        box = inbox(store, alice)
        mine, other = store.subscribe(alice), store.subscribe(alice)
        added = await store.write_as(mine, message.add, alice, box, new_message(store))
        (own,), (news,) = mine.take(), other.take()
        assert own.origin is mine
        assert news.origin is mine
        assert isinstance(news.changes[0], MessagesAdded)
        assert news.modseq == added.modseq
        mine.close()
        other.close()


async def test_overflow_drops_the_queue_and_says_so(tmp_path):
    with open_store(tmp_path, limits=replace(LIMITS, feed_changes=5)) as store:
        alice = add_account(store)
        listener = store.subscribe(alice)
        for _ in range(4):
            await store.write(message.add, alice, inbox(store, alice), new_message(store))
        assert listener.overflowed
        assert listener.take() == []
        with trio.fail_after(30):
            await listener.wait()
        with store.read() as tx:
            listener.resume(tx.account(alice).modseq)
        assert not listener.pending
        await store.write(message.add, alice, inbox(store, alice), new_message(store))
        assert len(listener.take()) == 1
        listener.close()


async def test_removed_content_stays_until_everybody_knows(tmp_path):
    with open_store(tmp_path) as store:
        alice = add_account(store)
        box = inbox(store, alice)
        added = await store.write(message.add, alice, box, new_message(store))
        slow, quick = store.subscribe(alice), store.subscribe(alice)
        await store.write(message.expunge, alice, box, [added.uid])

        async def erased() -> bool:
            await store.write(message.erase, alice, store.feed.erasable_up_to(alice), 10)
            with store.read() as tx:
                return message.place(tx, alice, added.id) is None

        for listener in (quick, slow):
            (news,) = listener.take()
            assert isinstance(news.changes[0], MessagesRemoved)
            assert not await erased()
            listener.acknowledge(news.modseq)
        assert await erased()
        with store.read() as tx:
            assert tx.account(alice).usage_octets == 0
            assert message.waiting_to_be_erased(tx) == set()
        quick.close()
        slow.close()


async def test_the_keeper_erases_in_pieces_what_everybody_knows(tmp_path, monkeypatch, autojump_clock):
    monkeypatch.setattr(stores, "ERASE_MESSAGES", 3)
    monkeypatch.setattr(stores, "ERASE_LOOK", 4)
    with open_store(tmp_path) as store:
        alice = add_account(store)
        box = inbox(store, alice)
        added = [await store.write(message.add, alice, box, new_message(store)) for _ in range(20)]
        listener = store.subscribe(alice)
        await store.write(message.expunge, alice, box, [one.uid for one in added[:11]])
        (news,) = listener.take()
        await store.write(message.expunge, alice, box, [one.uid for one in added[11:]])

        async def left(count: int) -> None:
            for _ in range(10_000):
                # The clock jumps while the writer still writes; this waits for a turn among the threads.
                await trio.to_thread.run_sync(lambda: None)
                with store.read() as tx:
                    there = [one for one in added if message.place(tx, alice, one.id) is not None]
                if len(there) == count:
                    return
                await trio.sleep(stores.ERASE_LEISURE_SECONDS)
            raise AssertionError(len(there))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(store.erase_forever)
            await settled()
            listener.acknowledge(news.modseq)
            await left(9)
            listener.close()
            await left(0)
            nursery.cancel_scope.cancel()
        with store.read() as tx:
            assert tx.account(alice).usage_octets == 0
            assert message.waiting_to_be_erased(tx) == set()


async def test_one_failing_request_leaves_the_others_alone(tmp_path):
    class Stop(Exception):
        pass

    def fail(tx, account, box, new):
        message.add(tx, account, box, new)
        raise Stop

    with open_store(tmp_path) as store:
        alice = add_account(store)
        box, new = inbox(store, alice), new_message(store)
        outcomes = []

        async def one(function):
            try:
                outcomes.append(await store.write(function, alice, box, new))
            except Stop:
                outcomes.append(None)

        async with trio.open_nursery() as nursery:
            for number in range(30):
                nursery.start_soon(one, fail if number % 3 == 0 else message.add)
        assert outcomes.count(None) == 10
        with store.read() as tx:
            assert tx.mailbox(alice, box).messages == 20


async def test_a_full_store_refuses_and_goes_on(tmp_path):
    with open_store(tmp_path, limits=replace(LIMITS, map_octets=2 << 20)) as store:
        alice = add_account(store)
        box = inbox(store, alice)
        large = new_message(store, b"Subject: x\r\n\r\n" + b"y" * 400_000)
        with pytest.raises(StorageFull):
            for _ in range(20):
                await store.write(message.add, alice, box, large)
        await store.write(message.add, alice, box, new_message(store))


def test_upgrade_goes_on_where_it_was_interrupted(tmp_path):
    done = []

    def step(name, *, fails=False):
        def run(tx, at, limits):
            assert limits is LIMITS.prepare
            done.append((name, at))
            if fails and at:
                raise RuntimeError("power cut")
            return b"\0second" if name == "two" and not at else None

        return run

    with open_store(tmp_path) as store:
        store.write_sync(lambda tx: tx.put(Table.META, b"schema version", b"1"))
        with pytest.raises(RuntimeError):
            upgrade.upgrade(store, (step("one"), step("two", fails=True)))
        upgrade.upgrade(store, (step("one"), step("two"), step("three")))
        upgrade.upgrade(store, (step("one"), step("two"), step("three")))
        second = "two", b"\0second"
        assert done == [("one", b""), ("two", b""), second, second, ("three", b"")]
        with store.read() as tx:
            assert upgrade.version(tx) == 4
        with pytest.raises(NewerSchema, match="schema version 4"):
            upgrade.upgrade(store, (step("one"),))


def test_large_bodies_and_what_a_crash_leaves(tmp_path):
    async def run(store, alice):
        async with store.spool() as spool:
            for _ in range(50):
                await spool.write(b"z" * 65_536)
            spooled = await spool.finish()
            assert spooled.octets is None
            body = await store.body(spooled)
            assert body.stored is not None
            assert spooled.read(65_530, 65_540) == b"z" * 10
        return body

    with open_store(tmp_path) as store:
        alice = add_account(store)
        trio.run(run, store, alice)
        with store.read() as tx:
            assert len(list(bodies.unnamed(tx))) == 1
        (tmp_path / "spool" / "message-left").write_bytes(b"x")
        store.sweep()
        with store.read() as tx:
            assert list(bodies.unnamed(tx)) == []
        assert list((tmp_path / "spool").iterdir()) == []


def test_threads_are_muted_with_what_comes_later(tmp_path):
    with open_store(tmp_path) as store:
        alice = add_account(store)
        box = inbox(store, alice)
        first = store.write_sync(
            message.add, alice, box, new_message(store, b"Message-ID: <a@x>\r\nSubject: s\r\n\r\n")
        )
        store.write_sync(message.set_thread_state, alice, [first.id], muted=True, collapsed=None)
        reply = b"Message-ID: <b@x>\r\nIn-Reply-To: <a@x>\r\nSubject: Re: s\r\n\r\n"
        later = store.write_sync(message.add, alice, box, new_message(store, reply))
        with store.read() as tx:
            assert message.row(tx, alice, box, later.uid).flags == Flag.SEEN
            known = message.facts(tx, alice, later.id)
            assert (known.thread_muted, known.thread_collapsed) == (True, True)
            assert thread.members(tx, alice, message.row(tx, alice, box, first.uid).thread) == [first.id, later.id]


@pytest.mark.parametrize(
    ("table", "says"),
    [
        pytest.param(Table.ROW, "wrong counters", id="row"),
        pytest.param(Table.PLACE, "has no place", id="place"),
        pytest.param(Table.FACTS, "has no facts", id="facts"),
        pytest.param(Table.PREPARED, "lacks facts or prepared", id="prepared"),
        pytest.param(Table.CHANGED, "no last change", id="changed"),
        pytest.param(Table.BODY, "0 octets", id="body"),
        pytest.param(Table.BODY_USE, "nothing knows of", id="body use"),
        pytest.param(Table.THREAD, "index thread", id="thread"),
        pytest.param(Table.SUBJECT, "index subject", id="subject"),
        pytest.param(Table.MAILBOX_NAME, "index mailbox_name", id="name"),
    ],
)
def test_verify_sees_what_is_missing(tmp_path, table, says):
    with open_store(tmp_path) as store:
        alice = add_account(store)
        store.write_sync(message.add, alice, inbox(store, alice), new_message(store))
    env = lmdb.open(str(tmp_path / "store"), max_dbs=128)
    with (
        env.begin(write=True) as transaction,
        transaction.cursor(env.open_db(table.value.encode(), txn=transaction)) as cursor,
    ):
        assert cursor.first()
        assert cursor.delete()
    env.close()
    assert any(says in problem for problem in verify_folder(tmp_path)), verify_folder(tmp_path)
    # Without a look at the octets all is seen but what is missing of these.
    quick = verify_folder(tmp_path, sizes=False)
    assert bool(quick) is (table is not Table.BODY), quick


def test_a_second_look_by_another_process(tmp_path):
    """`verifydata` beside a server: a snapshot, whatever is written meanwhile."""
    with open_store(tmp_path) as store:
        alice = add_account(store)
        store.write_sync(message.add, alice, inbox(store, alice), new_message(store))
        with pytest.raises(StoreFailed):
            verify_folder(tmp_path)  # The same process may not open it twice; LMDB says so.
    assert verify_folder(tmp_path) == []
    assert isinstance(store, Store)


def test_verify_of_a_store_of_an_older_version_says_so(tmp_path):
    """New tables are made when a server opens the store; looking alone makes none."""
    with open_store(tmp_path):
        pass
    env = lmdb.open(str(tmp_path / "store"), max_dbs=128)
    with env.begin(write=True) as transaction:
        transaction.drop(env.open_db(Table.LOGIN_ATTEMPT.value.encode(), txn=transaction))
    env.close()
    with pytest.raises(StoreFailed, match="older version"):
        verify_folder(tmp_path)


@pytest.mark.parametrize(("found", "problem"), [(b"1", StoreFailed), (b"99", NewerSchema)])
def test_verify_of_a_store_whose_upgrade_is_not_done(tmp_path, found, problem):
    """The tables are there, but what should be in them is not."""
    with open_store(tmp_path) as store:
        store.write_sync(lambda tx: tx.put(Table.META, b"schema version", found))
    with pytest.raises(problem, match="version"):
        verify_folder(tmp_path)


@pytest.mark.parametrize("name", ["", "x" * 600, "\N{LATIN SMALL LETTER E WITH ACUTE}" * 300])
def test_names_that_no_account_can_have(tmp_path, name):
    with open_store(tmp_path) as store, store.read() as tx:
        assert tx.account_id(name) is None
