"""The keeper of webhooks: attempts and pauses, order, crashes, and what is done with a webhook meanwhile."""

from contextlib import asynccontextmanager

import pytest
import trio

from appliance.base.metrics import panics
from appliance.queue import hooks
from appliance.queue.hooks import ATTEMPTS, NO_RESULT, PAUSES_SECONDS, Keeper
from appliance.store import account as accounts, hook
from appliance.store.hookrecords import Hook, HookAttempt
from appliance.store.tables import HookID, QueueID
from support.smtphouse import open_house

DOMAINS = """\
[domains."example.org"]
[accounts.alice]
keep_retired_webhook_period = "30d"
[accounts.alice.destinations]
"alice@example.org" = {}
[accounts.bob.destinations]
"bob@example.org" = {}
"""
URL = "https://app.example/hook"


class Receiver:
    """What posts come to."""

    def __init__(self, clock):
        self.clock = clock
        self.posts = []
        #: Codes of the next ones, the last for all that follow; None: no answer before `answer` is called.
        self.codes = [200]
        self.open = self.most = 0
        self.answered = trio.Event()

    def answer(self):
        self.answered.set()

    async def post(self, one):
        self.posts.append(one)
        self.open += 1
        self.most = max(self.most, self.open)
        code = self.codes.pop(0) if len(self.codes) > 1 else self.codes[0]
        try:
            if code is None:
                await self.answered.wait()
                code = 200
            await trio.lowlevel.checkpoint()
            if isinstance(code, Exception):
                raise code
            return HookAttempt(self.clock.microseconds(), 5, one.url, code == 200, code, "" if code == 200 else "no")
        finally:
            self.open -= 1


class Work:
    def __init__(self, house):
        self.house, self.app, self.store, self.clock = house, house.app, house.app.store, house.app.clock
        self.receiver = Receiver(self.clock)
        self.scope = None

    def start(self):
        """A keeper; the one before is killed."""

        self.stop()
        scope = self.scope = trio.CancelScope()

        async def run():
            with scope:
                await Keeper(self.app, self.receiver.post).run()

        self.house.nursery.start_soon(run)

    def stop(self):
        if self.scope is not None:
            self.scope.cancel()

    def account(self, name="alice"):
        with self.store.read() as tx:
            return tx.account_id(name)

    async def add(self, *, queued=0, url=URL, account="alice", payload=b"{}"):
        one = Hook(HookID(0), self.account(account), "delivered", url, queued=QueueID(queued))
        await self.store.write(hook.add, one, payload, keep=3600_000_000)
        return one.id

    def get(self, id):
        with self.store.read() as tx:
            return hook.get(tx, id)

    def retired(self, id):
        with self.store.read() as tx:
            return hook.retired(tx, id)

    async def until(self, condition):
        with trio.fail_after(10):
            while not condition():
                await self.store.write(lambda _: None)

    async def turns(self):
        """Whoever has something to do has done some of it."""
        for _ in range(5):
            await self.store.write(lambda _: None)

    def pass_time(self, seconds):
        self.clock.move(seconds)
        self.store.feed.hooks.set()


@asynccontextmanager
async def work(folder):
    async with open_house(folder, DOMAINS) as house:
        it = Work(house)
        it.start()
        yield it


async def test_taken(tmp_path):
    async with work(tmp_path) as it:
        id = await it.add(payload=b'{"Version":0}')
        await it.until(lambda: it.retired(id))
        (post,) = it.receiver.posts
        assert (post.id, post.url, post.payload, post.attempt) == (id, URL, b'{"Version":0}', 1)
        done = it.retired(id)
        assert (done.success, done.attempts, done.superseded_by) == (True, 1, 0)
        assert done.keep_until == done.last_activity + 30 * 24 * 3600_000_000
        assert done.results == (HookAttempt(it.clock.microseconds(), 5, URL, True, 200),)


async def test_not_remembered_without_a_period(tmp_path):
    async with work(tmp_path) as it:
        id = await it.add(account="bob")
        await it.until(lambda: not it.get(id))
        assert it.retired(id) is None


async def test_all_attempts(tmp_path):
    """Twelve, with pauses of a minute to sixteen hours, each a percent longer or shorter."""
    async with work(tmp_path) as it:
        it.receiver.codes = [500, 201, 204, 404, 500]
        id = await it.add()
        for number, seconds in enumerate(PAUSES_SECONDS, 1):
            await it.until(
                lambda number=number: it.get(id).results[number - 1 :] and it.get(id).results[-1].error == "no"
            )
            one = it.get(id)
            assert (one.attempts, len(it.receiver.posts)) == (number, number)
            wait = (one.next_attempt - it.clock.microseconds()) / 1e6
            assert 0.99 * seconds <= wait <= 1.01 * seconds
            it.pass_time(wait - 1)
            await it.turns()
            assert len(it.receiver.posts) == number, "not before its time"
            it.pass_time(1)
        await it.until(lambda: it.retired(id))
        done = it.retired(id)
        assert (done.success, done.attempts, len(done.results)) == (False, ATTEMPTS, 12)
        assert [one.code for one in done.results[:4]] == [500, 201, 204, 404]
        assert [one.attempt for one in it.receiver.posts] == list(range(1, 13))
        it.pass_time(30 * 24 * 3600)
        await it.until(lambda: not it.retired(id))


async def test_killed_while_posting(tmp_path):
    """The attempt counts, the next one comes after its pause, and nothing is lost."""
    async with work(tmp_path) as it:
        it.receiver.codes = [None]
        first, second = await it.add(), await it.add()
        await it.until(lambda: it.receiver.posts)
        it.stop()
        await it.until(lambda: not it.receiver.open)
        assert [one.error for one in it.get(first).results] == [NO_RESULT]
        it.receiver.codes = [200]
        it.start()
        await it.until(lambda: it.retired(second))
        assert it.get(first).attempts == 1, "not at once"
        it.pass_time(61)
        await it.until(lambda: it.retired(first))
        done = it.retired(first)
        assert [(one.code, one.error) for one in done.results] == [(0, NO_RESULT), (200, "")]
        assert [(one.id, one.attempt) for one in it.receiver.posts] == [(first, 1), (second, 1), (first, 2)]


async def test_killed_in_the_last_attempt(tmp_path):
    async with work(tmp_path) as it:
        it.stop()
        id = await it.add()
        one = it.get(id)
        one.attempts = ATTEMPTS
        await it.store.write(hook.update, one)
        it.start()
        await it.until(lambda: it.retired(id))
        assert (it.retired(id).success, it.receiver.posts) == (False, [])


async def test_superseded_while_posting(tmp_path):
    async with work(tmp_path) as it:
        it.receiver.codes = [None, 200]
        first = await it.add(queued=7)
        await it.until(lambda: it.receiver.posts)
        second = await it.add(queued=7)
        assert it.retired(first).superseded_by == second
        it.receiver.answer()
        await it.until(lambda: it.retired(second))
        done = it.retired(first)
        assert (done.success, done.superseded_by) == (True, second)
        assert [one.code for one in done.results] == [200]
        assert [one.id for one in it.receiver.posts] == [first, second]


async def test_superseded_before(tmp_path):
    async with work(tmp_path) as it:
        it.stop()
        await it.add(queued=7)
        second = await it.add(queued=7)
        it.start()
        await it.until(lambda: it.retired(second))
        assert [one.id for one in it.receiver.posts] == [second]


async def test_ten_at_once_and_one_for_a_url(tmp_path):
    async with work(tmp_path) as it:
        it.stop()
        same = [await it.add() for _ in range(4)]
        for number in range(15):
            await it.add(url=f"https://app.example/{number}")
        it.receiver.codes = [None]
        it.start()
        await it.until(lambda: len(it.receiver.posts) >= 10)
        await it.turns()
        assert len({one.url for one in it.receiver.posts}) == len(it.receiver.posts) == it.receiver.most == 10
        it.receiver.answer()
        await it.until(lambda: len(it.receiver.posts) == 19 and not it.receiver.open)
        assert it.receiver.most == 10
        assert [one.id for one in it.receiver.posts if one.url == URL] == same, "in their order"


async def test_changed_while_posting(tmp_path):
    """What an operator did stays; one that was canceled learns what came of it."""
    async with work(tmp_path) as it:
        it.receiver.codes = [None, 500]
        first = await it.add()
        await it.until(lambda: it.receiver.posts)
        await it.store.write(lambda tx: hook.retire(tx, hook.get(tx, first), success=False, keep=10**12))
        it.receiver.answer()
        await it.until(lambda: it.retired(first).success)
        assert [one.code for one in it.retired(first).results] == [200]


async def test_postponed_while_posting(tmp_path):
    async with work(tmp_path) as it:
        it.receiver.codes = [None]
        id = await it.add()
        await it.until(lambda: it.receiver.posts)
        one = it.get(id)
        one.next_attempt = it.clock.microseconds()
        await it.store.write(hook.update, one)
        await it.turns()
        assert len(it.receiver.posts) == 1, "it is being posted"
        it.receiver.codes = [200]
        it.receiver.answered = trio.Event()
        it.stop()
        it.start()
        await it.until(lambda: it.retired(id))
        assert [one.attempt for one in it.receiver.posts] == [1, 2]


async def test_account_removed_while_posting(tmp_path):
    async with work(tmp_path) as it:
        it.receiver.codes = [None]
        id, other = await it.add(), await it.add(url="https://other.example/")
        await it.until(lambda: len(it.receiver.posts) == 2)
        await it.store.write(accounts.begin_removal, "alice")
        while not await it.store.write(accounts.remove_part, "alice", 10):
            pass
        it.receiver.answer()
        await it.until(lambda: not it.receiver.open)
        assert it.get(id) is it.retired(id) is it.retired(other) is None


async def test_a_bug_holds_up_nobody_else(tmp_path):
    async with work(tmp_path) as it:
        before = panics.labels("webhook").value
        it.receiver.codes = [KeyError("bug"), 200]
        first = await it.add()
        await it.until(lambda: it.receiver.posts and not it.receiver.open)  # Two at once would come in either order.
        second = await it.add(url="https://other.example/")
        await it.until(lambda: it.retired(second))
        assert it.get(first).attempts == 1
        assert panics.labels("webhook").value == before + 1


@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_pauses(chance):
    assert [round(hooks.pause(number, chance) / 1e6, 3) for number in (1, 4, 11, 12)] == [
        round(seconds * (0.99 + 0.02 * chance), 3) for seconds in (60, 450, 57600, 57600)
    ]
