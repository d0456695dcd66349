"""The keeper of the queue: local delivery, retries, notices, and what happens meanwhile."""

import email
import email.policy
import re
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
import trio

from appliance.base.metrics import panics
from appliance.operations.submit import To
from appliance.queue import runner
from appliance.store import account as accounts, bodies, message, queued
from appliance.store.queuerecords import QueuedMessage
from support.queuepost import MESSAGE, Post, fields, path
from support.smtphouse import open_house

DOMAINS = """\
[domains."example.org"]
localpart_catchall_separators = ["+"]
[domains."example.org".aliases.team]
addresses = ["alice@example.org", "bob@example.org", "carol@example.org"]
post_public = true
[domains."example.org".aliases.one]
addresses = ["bob@example.org"]
post_public = true
[domains."off.example"]
disabled = true
[accounts.alice.destinations]
"alice@example.org" = {}
"alice@off.example" = {}
[accounts.bob]
keep_retired_message_period = "1h"
[accounts.bob.destinations]
"bob@example.org" = {}
[accounts.carol.destinations]
"carol@example.org" = {}
[accounts.tiny]
quota_message_size = 1
[accounts.tiny.destinations]
"tiny@example.org" = {}
"""


@asynccontextmanager
async def post(folder):
    async with open_house(folder, DOMAINS) as house:
        it = Post(house)
        house.nursery.start_soon(runner.run, house.app, it.locate, it.world)
        yield it


async def test_delivered_in_the_mailbox_with_one_body(tmp_path):
    async with post(tmp_path) as it:
        await it.send("bob@example.org", "carol@example.org")
        await it.empty()
        for name in ("bob", "carol"):
            (one,) = it.inbox(name)
            assert re.fullmatch(
                rb"X-Mox-Reason: local\r\nDelivered-To: %b@example\.org\r\nReturn-Path: <alice@example\.org>\r\n"
                rb"Message-ID: <.*>\r\nDate: .*\r\nAuthentication-Results: .*\r\n\t.*\r\n%b"
                % (name.encode(), re.escape(MESSAGE.replace(b"%b", b"alice"))),
                one,
            )
        with it.store.read() as tx:
            assert len(list(bodies.uses(tx))) == 1
            bob = tx.account_id("bob")
            ((_, row),) = (one for box in tx.mailboxes(bob) for one in message.rows(tx, bob, box.id))
            assert message.facts(tx, bob, row.id).message_id  # Known to threads and searches.
        assert it.inbox("alice") == []


async def test_large_message_comes_through(tmp_path):
    octets = MESSAGE + b"x" * 70 + b"\r\n" + b"line of text\r\n" * 30_000
    async with post(tmp_path) as it:
        await it.send("bob@example.org", octets=octets)
        await it.empty()
        assert it.inbox("bob")[0].endswith(octets.replace(b"%b", b"alice"))


async def test_retired_for_accounts_that_want_it(tmp_path):
    async with post(tmp_path) as it:
        await it.send("carol@example.org", account="bob", extra={"K": "v"})
        await it.send("carol@example.org")
        await it.empty()
        with it.store.read() as tx:
            done = queued.retired(tx, 1)
            assert queued.retired(tx, 2) is None
        assert (done.success, done.extra, done.recipient) == (True, {"K": "v"}, "carol@example.org")
        assert [(one.success, one.code) for one in done.results] == [(True, 250)]
        await it.pass_time(3601)

        def forgotten():
            with it.store.read() as tx:
                return queued.retired(tx, 1) is None

        await it.until(forgotten)


async def test_refused_for_good(tmp_path):
    async with post(tmp_path) as it:
        it.obstacles["gone@example.org"] = 550, "5.1.1", "no such recipient here"
        it.obstacles["full@example.org"] = 552, "5.2.2", "never again"
        to = To(path("gone@example.org"), ("FAILURE",), "rfc822;old+2Bname@x.example")
        await it.send(
            to,
            "bob@example.org",
            "full@example.org",
            envid="e 7",
            future_release="for;1",
            octets=b"TLS-Required: No\r\n" + MESSAGE,
        )
        await it.empty()
        assert len(it.inbox("bob")) == 1
        (notice,) = it.notices("alice")  # One for both.
        assert (notice["Return-Path"], notice["To"], notice["From"].addresses[0].addr_spec) == (
            "<>",
            "alice@example.org",
            "postmaster@mail.example",
        )
        text, _, original = notice.iter_parts()
        assert "gone@example.org" in text.get_content()
        about = fields(notice, 0)
        assert (about["Original-Envelope-Id"], about["Future-Release-Request"]) == ("e 7", "for;1")
        gone, full = fields(notice), fields(notice, 2)
        assert gone["Original-Recipient"] == "rfc822; old+name@x.example"
        assert (gone["Final-Recipient"], gone["Action"], gone["Status"]) == (
            "rfc822; gone@example.org",
            "failed",
            "5.1.1 (no such recipient here)",
        )
        assert gone["Diagnostic-Code"] == "smtp; 550 5.1.1 no such recipient here"
        assert full["Final-Recipient"] == "rfc822; full@example.org"
        assert "Subject: hi" in original.get_content()
        assert "hello" not in original.get_content()
        with it.store.read() as tx:
            account = tx.account_id("alice")
            (id,) = (row.id for box in tx.mailboxes(account) for _, row in message.rows(tx, account, box.id))
            assert message.facts(tx, account, id).origin.is_dsn


@pytest.mark.parametrize(
    ("notify", "sender", "told"),
    [
        pytest.param(None, "alice@example.org", True, id="nothing said"),
        pytest.param(("NEVER",), "alice@example.org", False, id="never"),
        pytest.param(("SUCCESS",), "alice@example.org", False, id="success only"),
        pytest.param(("FAILURE",), "alice+x@example.org", True, id="failure"),
        pytest.param(None, "", False, id="null path: no notice about a notice (RFC 5321 4.5.5)"),
    ],
)
async def test_who_hears_of_failure(tmp_path, notify, sender, told):
    async with post(tmp_path) as it:
        it.obstacles["gone@example.org"] = 550, "5.1.1", "no"
        await it.send(To(path("gone@example.org"), notify), reverse_path=path(sender))
        await it.empty()
        assert len(it.inbox("alice")) == told


async def test_whole_message_comes_back_when_wanted(tmp_path):
    async with post(tmp_path) as it:
        it.obstacles["gone@example.org"] = 550, "5.1.1", "no"
        await it.send("gone@example.org", ret="FULL")
        await it.send("gone@example.org", ret="FULL", octets=MESSAGE + b"x" * 300_000)
        await it.send("gone@example.org", ret="HDRS")
        await it.send("gone@example.org", ret="FULL", requiretls=True)  # RFC 8689 §5
        await it.empty()
        types = [list(notice.iter_parts())[2].get_content_type() for notice in it.notices("alice")]
        assert types == ["message/rfc822", *["text/rfc822-headers"] * 3]


async def test_retried_told_of_and_given_up(tmp_path):
    async with post(tmp_path) as it:
        it.obstacles["busy@example.org"] = 451, "4.3.2", "not now"
        await it.send("busy@example.org")
        began = it.clock.now()
        times = []
        for attempts in range(1, 8):
            await it.until(lambda attempts=attempts: it.queue[0].attempts == attempts)
            times.append((it.queue[0].next_attempt - it.clock.microseconds()) / 1e6)
            assert len(it.notices("alice")) == (attempts >= 5)
            await it.pass_time(times[-1])
        await it.empty()
        for number, pause in enumerate(times):
            assert abs(pause - 450 * 2**number) <= 5 * 2**number
        delayed, failed = it.notices("alice")
        assert delayed["Subject"] == "Mail delivery delayed"
        told = fields(delayed)
        assert (told["Action"], told["Status"]) == ("delayed", "4.3.2 (not now)")
        until = email.utils.parsedate_to_datetime(told["Will-Retry-Until"])
        assert abs(until - began - timedelta(hours=15, minutes=52.5)) < timedelta(minutes=15)
        told = fields(failed)
        assert (told["Action"], told["Status"]) == ("failed", "5.3.2 (not now)")
        assert told["Diagnostic-Code"] == "smtp; 451 4.3.2 not now"


async def test_tried_again_until_it_works(tmp_path):
    async with post(tmp_path) as it:
        it.obstacles["bob@example.org"] = 451, "4.3.2", "not now"
        await it.send("bob@example.org", To(path("carol@example.org"), ("DELAY",)))
        await it.until(lambda: [one.attempts for one in it.queue] == [1])
        (one,) = it.queue
        assert [(result.code, result.status, result.success) for result in one.results] == [(451, "4.3.2", False)]
        assert len(it.inbox("carol")) == 1
        del it.obstacles["bob@example.org"]
        await it.pass_time(456)
        await it.empty()
        assert len(it.inbox("bob")) == 1
        assert it.notices("alice") == []


async def test_full_mailbox_does_not_hinder_the_other(tmp_path):
    async with post(tmp_path) as it:
        await it.send("tiny@example.org", "bob@example.org")
        await it.until(lambda: len(it.queue) == 1 and it.queue[0].attempts == 1)
        assert it.queue[0].recipient == "tiny@example.org"
        assert it.queue[0].results[0].status == "4.2.2"
        assert len(it.inbox("bob")) == 1


@pytest.mark.parametrize(
    ("recipient", "action"),
    [
        pytest.param("bob@example.org", "delivered", id="an account"),
        pytest.param("one@example.org", "delivered", id="alias of one"),
        pytest.param("team@example.org", "expanded", id="alias of several (RFC 3461 5.2.7.3)"),
    ],
)
async def test_success_is_told_to_who_asked(tmp_path, recipient, action):
    async with post(tmp_path) as it:
        await it.send(To(path(recipient), ("FAILURE", "SUCCESS")), envid="x")
        await it.empty()
        (notice,) = it.notices("alice")
        told = fields(notice)
        assert (told["Action"], told["Final-Recipient"]) == (action, f"rfc822; {recipient}")
        assert told["Status"].startswith("2.")
        assert "Diagnostic-Code" not in told
        assert len(it.inbox("bob")) == 1


async def test_one_mailbox_gets_one_copy_of_a_submission(tmp_path):
    async with post(tmp_path) as it:
        await it.send("bob@example.org", "bob+x@example.org", "team@example.org")
        await it.empty()
        assert [len(it.inbox(name)) for name in ("bob", "carol")] == [1, 1]


async def test_a_submission_to_very_many_goes_in_pieces(tmp_path):
    async with post(tmp_path) as it:
        await it.send(*(f"bob+{number}@example.org" for number in range(runner.TOGETHER + 30)))
        await it.empty()
        assert len(it.inbox("bob")) == 2


async def test_held_until_released(tmp_path):
    async with post(tmp_path) as it:
        await it.send("bob@example.org", release=it.clock.now() + timedelta(seconds=60))
        await it.send("carol@example.org")
        await it.until(lambda: len(it.inbox("carol")) == 1)
        await it.pass_time(59)
        await it.send("carol@example.org")
        await it.until(lambda: len(it.inbox("carol")) == 2)
        assert it.inbox("bob") == []
        await it.pass_time(1)
        await it.empty()
        assert len(it.inbox("bob")) == 1


async def test_what_is_held_or_dropped_meanwhile_is_not_delivered(tmp_path):
    async with post(tmp_path) as it:

        def hold():
            (one,) = it.queue
            one.hold = True
            it.store.write_sync(queued.update, one)

        it.obstacles["bob@example.org"] = hold
        await it.send("bob@example.org")
        await it.until(lambda: it.queue[0].hold)
        await it.send("carol@example.org")
        await it.until(lambda: it.inbox("carol"))
        assert it.inbox("bob") == []
        assert it.queue[0].attempts == 0

        def drop():
            it.store.write_sync(queued.remove, it.queue[0], success=False, keep=0)

        bugs = panics.labels("queue").value
        it.obstacles["bob@example.org"] = drop
        one = it.queue[0]
        one.hold = False
        await it.store.write(queued.update, one)
        await it.empty()
        await it.send("carol@example.org")
        await it.until(lambda: len(it.inbox("carol")) == 2)
        assert it.inbox("bob") == it.inbox("alice") == []
        assert panics.labels("queue").value == bugs


async def test_a_bug_hinders_no_other_and_is_tried_again(tmp_path):
    async with post(tmp_path) as it:

        def fail():
            raise ZeroDivisionError

        it.obstacles["bob@example.org"] = fail
        await it.send("bob@example.org")
        await it.send("carol@example.org")
        await it.until(lambda: it.inbox("carol"))
        await it.until(lambda: it.queue[0].attempts == 1)
        del it.obstacles["bob@example.org"]
        await it.pass_time(456)
        await it.empty()
        assert len(it.inbox("bob")) == 1


async def test_more_than_are_delivered_at_once(tmp_path):
    async with post(tmp_path) as it:
        async with trio.open_nursery() as nursery:
            for _ in range(35):
                nursery.start_soon(it.send, "bob@example.org")
        await it.empty()
        assert len(it.inbox("bob")) == 35


async def test_for_an_account_being_removed_the_postmaster_hears(tmp_path):
    async with post(tmp_path) as it:
        it.obstacles["x@example.org"] = 550, "5.1.1", "no"
        await it.send("x@example.org", account="carol", release=it.clock.now() + timedelta(seconds=60))
        await it.store.write(accounts.begin_removal, "carol")
        await it.pass_time(61)
        await it.empty()
        (notice,) = it.notices("alice", "Postmaster")
        assert notice["To"] == "carol@example.org"


async def test_disabled_domain_of_the_sender_waits(tmp_path):
    async with post(tmp_path) as it:
        with it.store.read() as tx:
            alice = tx.account_id("alice")
        one = QueuedMessage(0, 0, alice, 0, "alice@off.example", "bob@example.org", 0, 0, it.clock.microseconds())
        await it.store.write(queued.add, [one], bodies.of_octets(MESSAGE))
        await it.until(lambda: it.queue[0].attempts == 1)
        assert it.queue[0].results[0].status == "4.3.0"
        assert it.inbox("bob") == []


async def test_a_start_goes_on_with_what_is_due(tmp_path):
    async with open_house(tmp_path, DOMAINS) as house:
        it = Post(house)
        await it.send("bob@example.org")
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(runner.run, it.app, it.locate, it.world)
                await it.empty()
                scope.cancel()
        await it.send("bob@example.org")
        assert len(it.queue) == 1
        house.nursery.start_soon(runner.run, it.app, it.locate, it.world)
        await it.empty()
        assert len(it.inbox("bob")) == 2


async def test_message_beyond_ascii_comes_back_beyond_ascii(tmp_path):
    async with post(tmp_path) as it:
        it.obstacles["grüße@example.org"] = 550, "5.1.1", "no"
        await it.send("grüße@example.org", octets="From: alice@example.org\r\nSubject: ü\r\n\r\nx\r\n".encode())
        await it.empty()
        (notice,) = it.notices("alice")
        types = [part.get_content_type() for part in notice.iter_parts()]
        assert types == ["text/plain", "message/global-delivery-status", "message/global-headers"]
        assert "Final-Recipient: utf-8; grüße@example.org" in it.inbox("alice")[0].decode()


async def test_partial_failure_of_other_servers_mail_is_told(tmp_path):
    """RFC 5321 §6.1: the reply says 250, so the sender must hear of the others by mail."""
    async with post(tmp_path) as it:
        client = it.house.connect()
        await client.line()
        for command, code in (
            ("HELO other.example", b"250"),
            ("MAIL FROM:<alice@example.org>", b"250"),
            ("RCPT TO:<bob@example.org>", b"250"),
            ("RCPT TO:<tiny@example.org> ORCPT=rfc822;small@x.example", b"250"),
            ("RCPT TO:<nobody@example.org> NOTIFY=NEVER", b"250"),
            ("DATA", b"354"),
            ("From: x@y.example\r\nSubject: partly\r\n\r\nx\r\n.", b"250"),
        ):
            await client.send(command.encode() + b"\r\n")
            assert (await client.line()).startswith(code), command
        await it.until(lambda: it.notices("alice"))
        await it.empty()
        (notice,) = it.notices("alice")
        assert notice["From"].addresses[0].addr_spec == "postmaster@example.org"
        groups = list(notice.iter_parts())[1].get_payload()
        assert [dict(group).get("Final-Recipient") for group in groups] == [None, "rfc822; tiny@example.org"]
        told = fields(notice)
        assert (told["Status"], told["Diagnostic-Code"]) == (
            "5.2.2 (mailbox is full)",
            "smtp; 452 4.2.2 mailbox is full",
        )
        assert told["Original-Recipient"] == "rfc822; small@x.example"
        assert len(it.inbox("bob")) == 1
