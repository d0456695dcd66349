"""Event streams of pages: what they tell, and when they end."""

import pytest
import trio
from msgspec.structs import replace

from appliance.base import limits
from appliance.operations import accounts as verbs, settings
from appliance.servers.web import events
from appliance.store import mailbox, message
from appliance.store.records import Mailbox
from support import webhouse
from support.stores import new_message
from support.webhouse import Stream


@pytest.fixture
async def house(tmp_path):
    async with webhouse.open_house(tmp_path) as house:
        yield house


@pytest.fixture
def listen(nursery):
    async def listen(browser) -> Stream:
        stream = Stream()
        nursery.start_soon(browser.listen, stream)
        await trio.sleep(0.5)
        return stream

    return listen


async def add(house) -> None:
    account = house.number()
    with house.app.store.read() as tx:
        inbox = mailbox.by_name(tx, account, "Inbox")
    await house.app.store.write(message.add, account, inbox.id, new_message(house.app.store))


async def test_account(house, listen, autojump_clock):
    stream = await listen(await house.logged_in())
    assert stream.answer.header("content-type") == "text/event-stream"
    assert stream.kinds == ["Started"]
    await trio.sleep(5)
    assert stream.kinds == ["Started"]
    await add(house)
    await add(house)
    await trio.sleep(2)
    changed = dict(stream.events[1:])
    assert (changed["MailboxCounts"]["Name"], changed["MailboxCounts"]["Messages"]) == ("Inbox", 2)
    assert changed["StorageChanged"]["Used"] > 0
    seen = len(stream.events)
    await settings.set_full_name(house.app, "bob", "Bob")
    await trio.sleep(2)
    assert len(stream.events) == seen, "that was nothing of alice's"
    await settings.set_full_name(house.app, "alice", "Alice")
    await trio.sleep(2)
    assert stream.kinds[seen:] == ["ConfigChanged"]


def test_mailboxes_that_go():
    """By the difference alone."""
    one = Mailbox(id=1, name="Old", parent=0, uid_validity=1, create_modseq=1, modseq=1)
    assert events._counts(one) != events._counts(replace(one, name="New"))


async def test_signs_of_life(house, listen, autojump_clock):
    stream = await listen(await house.logged_in())
    await trio.sleep(events.ALIVE_SECONDS + 1)
    assert stream.answer.body.endswith(b": alive\n\n")


async def test_admin(house, listen, autojump_clock):
    stream = await listen(await house.logged_in("admin"))
    await settings.set_full_name(house.app, "bob", "Bob")
    await trio.sleep(2)
    assert stream.kinds == ["Started", "ConfigChanged"]


@pytest.mark.parametrize("application", ["account", "admin"])
async def test_streams_end_with_the_session(house, listen, application, autojump_clock):
    browser = await house.logged_in(application)
    stream = await listen(browser)
    await browser.call("Logout")
    await trio.sleep(2)
    assert stream.ended
    browser = await house.logged_in(application)
    stream = await listen(browser)
    house.clock.move(25 * 3600)
    await trio.sleep(2)
    assert stream.ended


async def test_a_password_ends_the_others_at_once(house, listen, autojump_clock):
    browser, other = await house.logged_in(), await house.logged_in()
    mine, others = await listen(browser), await listen(other)
    await browser.call("SetPassword", "another password")
    await trio.sleep(0.01)
    assert others.ended
    await trio.sleep(5)
    assert not mine.ended
    await verbs.disable(house.app, "alice", "go away")
    await trio.sleep(0.01)
    assert mine.ended


async def test_shutdown(house, listen, autojump_clock):
    stream = await listen(await house.logged_in())
    house.app.shutdown.request()
    await trio.sleep(0.01)
    assert stream.kinds == ["Started", "ServerShutdown"]
    assert stream.ended


async def test_who_hears_nothing(house, listen, autojump_clock):
    assert (await house.browser().request("GET", "events")).status == 403
    browser = await house.logged_in()
    assert (await browser.request("GET", "events", headers={"sec-fetch-site": "cross-site"})).status == 403
    admin = house.browser("admin", cookies={"webadminsession": browser.cookies["webaccountsession"]})
    assert (await admin.request("GET", "events")).status == 403


async def test_streams_are_bounded(house, listen, autojump_clock):
    browser = await house.logged_in()
    streams = [await listen(browser) for _ in range(limits.EVENT_STREAMS)]
    assert (await browser.request("GET", "events")).status == 429
    await browser.call("Logout")
    await trio.sleep(2)
    assert all(one.ended for one in streams)
    bob = house.browser()
    await bob.log_in(user="bob@example.org")
    assert (await listen(bob)).kinds == ["Started"]
