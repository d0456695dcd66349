"""What people do with webhooks."""

import json
from contextlib import asynccontextmanager

import pytest

from appliance.config.source import ConfigSource
from appliance.delivery import webhook
from appliance.operations import hooks, queue, selecting
from appliance.operations.hooks import NoSuchHook, NoWebhook
from appliance.operations.selecting import Asked, BadFilter
from appliance.store import hook, queuepages
from appliance.store.hookrecords import Hook
from appliance.store.problems import NoSuchAccount
from appliance.store.queuefilter import HookFilter, Order
from appliance.store.tables import HookID, QueueID
from support.smtphouse import open_house
from support.webserver import response, web_server

DOMAINS = """\
[domains."example.org"]
[accounts.alice]
keep_retired_webhook_period = "1h"
webhook_secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"
outgoing_webhook = { url = "https://app.example/out", authorization = "Bearer new" }
[accounts.alice.destinations]
"alice@example.org" = {}
[accounts.bob.destinations]
"bob@example.org" = {}
"""
HOUR = 3600 * 1_000_000


class Work:
    def __init__(self, house):
        self.app, self.store, self.clock = house.app, house.app.store, house.app.clock

    async def add(self, account="alice", event="delivered", **fields):
        with self.store.read() as tx:
            id = tx.account_id(account)
        one = Hook(HookID(0), id, event, "https://app.example/old", **fields)
        assert await self.store.write(hook.add, one, b'{"Version":0}', keep=HOUR)
        return one.id

    async def retire(self, id, *, success=True):
        await self.store.write(lambda tx: hook.retire(tx, hook.get(tx, id), success=success, keep=HOUR))

    def get(self, id):
        with self.store.read() as tx:
            return hook.get(tx, id)

    async def listed(self, shelf=queuepages.HOOKS, order=Order.NEXT_ATTEMPT, most=None, after=None, **asked):
        filter = selecting.hooks(self.app, Asked(**asked))
        found = queue.listed(self.app, shelf, filter, order, newest_first=False, most=most, after=after)
        return [one.id async for some in found for one, _ in some]


@asynccontextmanager
async def work(folder):
    async with open_house(folder, DOMAINS) as house:
        yield Work(house)


async def test_lists(tmp_path):
    async with work(tmp_path) as it:
        await it.add()
        it.clock.move(10)
        await it.add(event="incoming")
        await it.add("bob", event="failed")
        assert await it.listed() == [1, 2, 3]
        assert await it.listed(account="alice") == [1, 2]
        assert await it.listed(event="incoming") == [2]
        assert await it.listed(ids=[3, 1, 9]) == [1, 3]
        assert await it.listed(submitted="<-5s") == [1]
        assert await it.listed(next_attempt=">-5s", account="bob") == [3]
        assert await it.listed(most=2) == [1, 2]
        after = queuepages.place_of(queuepages.HOOKS, Order.NEXT_ATTEMPT, it.get(2))
        assert await it.listed(after=after) == [3]
        await it.retire(3, success=False)
        it.clock.move(10)
        await it.retire(1)
        retired = {"shelf": queuepages.RETIRED_HOOKS, "order": Order.LAST_ACTIVITY}
        assert await it.listed(**retired) == [3, 1]
        assert await it.listed(**retired, success=True) == [1]
        assert await it.listed(**retired, last_activity="<-5s") == [3]
        assert await it.listed(queuepages.RETIRED_HOOKS, Order.QUEUED) == [1, 3]
        assert hooks.count(it.app) == 1


async def test_bad_filters(tmp_path):
    async with work(tmp_path) as it:
        for asked in (Asked(event="lost"), Asked(ids=[0]), Asked(submitted="soon")):
            with pytest.raises(BadFilter):
                selecting.hooks(it.app, asked)
        with pytest.raises(NoSuchAccount):
            selecting.hooks(it.app, Asked(account="nobody"))


async def test_schedule_and_postpone(tmp_path):
    async with work(tmp_path) as it:
        first, second = await it.add(), await it.add("bob")
        assert await hooks.postpone(it.app, selecting.hooks(it.app, Asked(account="bob")), seconds=60) == 1
        assert it.get(second).next_attempt == it.clock.microseconds() + 60_000_000
        assert await hooks.schedule(it.app, HookFilter(), seconds=5) == 2
        assert it.get(first).next_attempt == it.get(second).next_attempt == it.clock.microseconds() + 5_000_000
        assert await hooks.schedule(it.app, HookFilter(), 1, seconds=6) == 1


async def test_cancel(tmp_path):
    async with work(tmp_path) as it:
        first, second = await it.add(queued=QueueID(7)), await it.add("bob")
        assert await hooks.cancel(it.app, HookFilter()) == 2
        done, payload = hooks.retired(it.app, first)
        assert (done.success, done.results[-1].error, payload) == (False, "canceled by admin", b'{"Version":0}')
        assert done.keep_until == done.last_activity + HOUR
        with pytest.raises(NoSuchHook):
            hooks.retired(it.app, second)  # Bob's are not remembered.
        with pytest.raises(NoSuchHook):
            hooks.waiting(it.app, first)


async def test_replay(tmp_path):
    """To where webhooks go now, by the id of the first, and no news of the message."""
    async with work(tmp_path) as it:
        first = await it.add(queued=QueueID(7), from_id="x", subject="hi", extra={"a": "b"})
        await it.retire(first)
        news = await it.add(queued=QueueID(7))
        again = await hooks.replay(it.app, first)
        one, payload = hooks.waiting(it.app, again)
        assert (one.url, one.authorization) == ("https://app.example/out", "Bearer new")
        assert (one.public_id, one.queued, one.from_id, one.subject, one.extra) == (first, 0, "x", "hi", {"a": "b"})
        assert (one.attempts, one.next_attempt, payload) == (0, it.clock.microseconds(), b'{"Version":0}')
        assert it.get(news) is not None
        await it.retire(again)
        assert it.get(await hooks.replay(it.app, again)).public_id == first


async def test_nothing_to_replay(tmp_path):
    async with work(tmp_path) as it:
        with pytest.raises(NoSuchHook):
            await hooks.replay(it.app, HookID(1))
        incoming = await it.add(event="incoming")
        with pytest.raises(NoSuchHook):
            await hooks.replay(it.app, incoming)  # It waits.
        await it.retire(incoming)
        with pytest.raises(NoWebhook, match="no incoming_webhook"):
            await hooks.replay(it.app, incoming)


@pytest.mark.parametrize("networks", ["", 'webhook_networks = ["127.0.0.1"]\n'])
async def test_trial(tmp_path, networks):
    async with work(tmp_path) as it, web_server(None, response(b"no such order", status="404 Not Found")) as server:
        static = tmp_path / "moxpy.toml"
        static.write_text(networks + static.read_text())
        source = ConfigSource(static, check_files=False)
        app = webhook.Appliance(**{**vars(it.app), "config": source})
        url = f"http://127.0.0.1:{server.port}/"
        tried = await hooks.trial(app, "alice", url=url, authorization="x", payload=json.dumps({}).encode())
        assert not tried.success
        if networks:
            assert (tried.code, tried.response) == (404, "no such order")
            head = server.requests[0]
            assert b"X-Mox-Webhook-ID: 0\r\nX-Mox-Webhook-Attempt: 1\r\nAuthorization: x\r\n" in head
            assert b"webhook-signature: v1," in head
        else:
            assert "see webhook_networks in moxpy.toml" in tried.error
            assert server.requests == []
