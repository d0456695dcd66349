"""Which webhooks are written for what becomes of messages, and what they say."""

import json
from contextlib import asynccontextmanager

import pytest

from appliance.operations import canceling
from appliance.queue import runner
from appliance.store import hook, suppression
from appliance.store.hookrecords import Hook
from appliance.store.queuefilter import WaitingFilter
from appliance.store.tables import Table
from appliance.store.transaction import decode
from support.queuepost import MESSAGE, Post
from support.smtphouse import open_house

DOMAINS = """\
[domains."example.org"]
localpart_catchall_separators = ["+"]
[domains."example.org".aliases.team]
addresses = ["bob@example.org", "dan@example.org"]
post_public = true
[accounts.alice]
webhook_secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"
keep_retired_webhook_period = "1h"
outgoing_webhook = { url = "https://app.example/out", authorization = "Bearer x" }
[accounts.alice.destinations]
"alice@example.org" = {}
[accounts.bob]
incoming_webhook = { url = "https://app.example/in" }
[accounts.bob.destinations]
"bob@example.org" = {}
[accounts.carol]
outgoing_webhook = { url = "https://carol.example/", events = ["failed"] }
[accounts.carol.destinations]
"carol@example.org" = {}
[accounts.dan]
incoming_webhook = { url = "https://dan.example/" }
[accounts.dan.destinations]
"dan@example.org" = { mailbox = "Team" }
"""


@asynccontextmanager
async def post(folder):
    async with open_house(folder, DOMAINS) as house:
        it = Post(house)
        house.nursery.start_soon(runner.run, house.app, it.locate, it.world)
        yield it


def hooks(it) -> list[tuple[Hook, dict]]:
    with it.store.read() as tx:
        found = [decode(Hook, value) for _, value in tx.scan_prefix(Table.HOOK, b"")]
        return [(one, json.loads(hook.payload(tx, one.id))) for one in found]


async def test_delivered_and_arrived(tmp_path):
    async with post(tmp_path) as it:
        accepted = await it.send("bob@example.org")
        await it.empty()
        arrived, delivered = hooks(it)
        assert (delivered[0].event, delivered[0].url, delivered[0].authorization) == (
            "delivered",
            "https://app.example/out",
            "Bearer x",
        )
        assert delivered[0].secret.startswith("whsec_")
        assert delivered[0].queued == 1
        assert delivered[1] == {
            "Version": 0,
            "Event": "delivered",
            "DSN": False,
            "Suppressing": False,
            "QueueMsgID": 1,
            "FromID": "",
            "MessageID": accepted.message_id,
            "Subject": "hi",
            "WebhookQueued": "2026-11-01T12:00:00Z",
            "SMTPCode": 0,
            "SMTPEnhancedCode": "",
            "Error": "",
            "Extra": {},
        }
        assert (arrived[0].event, arrived[0].url, arrived[0].queued) == ("incoming", "https://app.example/in", 0)
        assert (arrived[0].message_id, arrived[0].subject) == (accepted.message_id, "hi")
        assert arrived[1]["From"] == [{"Name": "", "Address": "alice@example.org"}]
        assert arrived[1]["Text"] == "hello\n"
        assert arrived[1]["Structure"]["DecodedSize"] == 7
        assert arrived[1]["Meta"] == {
            "MsgID": 1,
            "MailFrom": "alice@example.org",
            "MailFromValidated": True,
            "MsgFromValidated": True,
            "RcptTo": "bob@example.org",
            "DKIMVerifiedDomains": [],
            "RemoteIP": "127.0.0.1",
            "Received": "2026-11-01T12:00:00Z",
            "MailboxName": "Inbox",
            "Automated": False,
        }


async def test_extra(tmp_path):
    async with post(tmp_path) as it:
        await it.send("carol@example.org", octets=b"From: %b@example.org\r\nX-Mox-Extra-Order: 17\r\n\r\nhello\r\n")
        await it.empty()
        ((one, payload),) = hooks(it)
        assert one.extra == payload["Extra"] == {"Order": "17"}


async def test_members_of_an_alias(tmp_path):
    async with post(tmp_path) as it:
        await it.send("team@example.org", account="carol")
        await it.empty()
        told = [(one.url, payload["Meta"]["RcptTo"], payload["Meta"]["MailboxName"]) for one, payload in hooks(it)]
        assert told == [
            ("https://app.example/in", "team@example.org", "Inbox"),
            ("https://dan.example/", "team@example.org", "Team"),
        ]


async def test_delayed_then_delivered(tmp_path):
    """Of a message that waits, only the last news."""
    async with post(tmp_path) as it:
        it.obstacles["carol@example.org"] = 451, "4.3.0", "not now"
        await it.send("carol@example.org")
        await it.until(lambda: hooks(it))
        ((_, payload),) = hooks(it)
        assert (payload["Event"], payload["SMTPCode"], payload["SMTPEnhancedCode"], payload["Error"]) == (
            "delayed",
            451,
            "4.3.0",
            "not now",
        )
        del it.obstacles["carol@example.org"]
        await it.pass_time(1000)
        await it.empty()
        ((one, payload),) = hooks(it)
        assert (payload["Event"], one.id) == ("delivered", 2)
        with it.store.read() as tx:
            assert hook.retired(tx, 1).superseded_by == 2


async def test_failed_and_then_suppressed(tmp_path):
    async with post(tmp_path) as it:
        it.obstacles["nobody@example.org"] = 550, "5.1.1", "gone"
        await it.send("nobody@example.org")
        await it.empty()
        await it.send("nobody@example.org")
        await it.empty()
        (_, first), (_, second) = hooks(it)
        assert (first["Event"], first["SMTPCode"], first["SMTPEnhancedCode"], first["Suppressing"], first["Error"]) == (
            "failed",
            550,
            "5.1.1",
            True,
            "gone",
        )
        assert (second["Event"], second["SMTPCode"], second["Suppressing"]) == ("suppressed", 0, False)
        assert "on the account's suppression list" in second["Error"]
        with it.store.read() as tx:
            assert suppression.some(tx, tx.account_id("alice"), "", 5)


@pytest.mark.parametrize(("verb", "event"), [(canceling.drop, "canceled"), (canceling.fail, "failed")])
async def test_given_up_by_the_operator(tmp_path, verb, event):
    async with post(tmp_path) as it:
        it.obstacles["bob@example.org"] = 451, "4.3.0", "not now"
        await it.send("bob@example.org")
        await it.until(lambda: hooks(it))
        assert await verb(it.app, WaitingFilter()) == 1
        ((_, payload),) = hooks(it)
        assert (payload["Event"], payload["SMTPCode"], payload["Error"]) == (event, 0, "canceled by admin")


async def test_only_events_that_are_wanted(tmp_path):
    async with post(tmp_path) as it:
        it.obstacles["nobody@example.org"] = 550, "5.1.1", "gone"
        await it.send("alice@example.org", "nobody@example.org", account="carol")
        await it.empty()
        ((one, payload),) = hooks(it)
        assert (one.url, payload["Event"]) == ("https://carol.example/", "failed")


async def test_long_message(tmp_path):
    """Made in a thread; the text is cut, the structure tells the whole size."""
    async with post(tmp_path) as it:
        text = b"0123456789abcdef\r\n" * 80_000
        await it.send("bob@example.org", octets=MESSAGE + text, account="carol")
        await it.empty()
        ((_, payload),) = hooks(it)
        assert len(payload["Text"]) == 1024 * 1024
        assert payload["Text"].startswith("hello\n0123456789abcdef\n0")
        assert payload["Structure"]["DecodedSize"] == len(text) + 7
