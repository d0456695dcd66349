"""What follows from deliveries to other hosts beside the message: the suppression list, and who hears of connections."""

from contextlib import asynccontextmanager
from ipaddress import ip_address

import pytest

from appliance.dns.answers import MX, Type
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table
from appliance.mail.status import Status
from appliance.queue import runner, settle
from appliance.queue.parcel import World
from appliance.queue.settle import Result
from appliance.store import offered, queued, suppression
from appliance.store.problems import StorageFull
from appliance.store.queuerecords import Offered
from support.judging import deliver
from support.mailworld import Net
from support.queuepost import Post, fields
from support.smtphouse import STATIC, open_house
from support.streams import key_pair

ONE = "192.0.2.101"
RECORDS = {
    "them.example": {Type.MX: [MX(10, "mx.them.example")]},
    "mx.them.example": {Type.A: [ip_address(ONE)]},
    "null.example": {Type.MX: [MX(0, "")]},
}
DOMAINS = """\
[[routes]]
to_domain = ["never.example"]
transport = "never"
[domains."example.org"]
localpart_catchall_separators = ["+"]
[domains."off.example"]
disabled = true
[accounts.alice.destinations]
"alice@example.org" = {}
[accounts.carol]
fromid_login_addresses = ["carol@example.org"]
keep_retired_message_period = "10d"
[accounts.carol.destinations]
"carol@example.org" = {}
[accounts.bob]
keep_retired_message_period = "10d"
[accounts.bob.destinations]
"bob@example.org" = {}
"bob@off.example" = {}
"""
TRANSPORTS = """\
[transports.never.fail]
smtp_code = 550
smtp_message = "not to them"
"""


@asynccontextmanager
async def post(folder):
    resolver = Resolver(Table(RECORDS))
    async with open_house(folder, DOMAINS, resolver=resolver, static=STATIC + TRANSPORTS) as house:
        it = Post(house)
        it.net = Net(house.nursery)
        house.nursery.start_soon(runner.run, house.app, it.locate, World(dialer=it.net.dial))
        yield it


def entries(it, account="alice"):
    with it.store.read() as tx:
        return [(one.base_address, one.reason) for one in suppression.some(tx, tx.account_id(account), "", 10)]


async def test_who_is_not_there_is_not_asked_again(tmp_path):
    async with post(tmp_path) as it:
        host = it.net.host(ONE, replies={"RCPT TO:<no": "550 5.1.1 nobody of that name"})
        await it.send("no.body@them.example", "yes@them.example")
        await it.empty()
        assert entries(it) == [("nobody@them.example", "delivery failed: 550 5.1.1 nobody of that name")]
        assert host.connections == 1

        await it.send("Nobody+list@them.example")
        await it.empty()
        assert host.connections == 1
        first, second = it.notices("alice")
        assert fields(first)["Diagnostic-Code"] == "smtp; 550 5.1.1 nobody of that name"
        told = fields(second)
        assert (told["Final-Recipient"], told["Action"], told["Status"][:5], told.get("Diagnostic-Code")) == (
            "rfc822; Nobody+list@them.example",
            "failed",
            "5.7.1",
            None,
        )
        words = " ".join(next(iter(second.iter_parts())).get_content().split())
        assert "nobody@them.example is on the account's suppression list since 20" in words
        assert "550 5.1.1 nobody of that name" in words

        # The list is that of one account.
        await it.send("nobody@them.example", account="bob")
        await it.empty()
        assert host.connections == 2
        with it.store.read() as tx:
            (attempt,) = queued.retired(tx, 4).results
        assert (attempt.success, attempt.code) == (False, 550)


async def test_others_of_the_submission_are_asked(tmp_path):
    async with post(tmp_path) as it:
        host = it.net.host(ONE)
        with it.store.read() as tx:
            bob = tx.account_id("bob")
        it.store.write_sync(suppression.add, bob, "no@them.example", "no@them.example", manual=True, reason="asked to")
        it.store.write_sync(suppression.add, bob, "alice@example.org", "alice@example.org", manual=True, reason="too")
        await it.send("no@them.example", "yes@them.example", "alice@example.org", account="bob")
        await it.empty()
        assert [one.recipients for one in host.arrived] == [["RCPT TO:<yes@them.example>"]]
        assert it.inbox("alice") == []
        with it.store.read() as tx:
            done = [queued.retired(tx, id) for id in (1, 2, 3)]
        assert [one.success for one in done] == [False, True, False]
        (attempt,) = done[0].results
        assert (attempt.code, attempt.status) == (0, "5.7.1")
        assert attempt.text.startswith("not sent: no@them.example is on the account's suppression list")


@pytest.mark.parametrize(
    ("recipient", "replies"),
    [
        pytest.param("x@null.example", {}, id="null MX"),
        pytest.param("x@gone.example", {}, id="no such domain"),
        pytest.param("x@never.example", {}, id="our own transport"),
        pytest.param("x@them.example", {"RCPT": "554 5.0.0 no"}, id="a refusal of no such kind"),
    ],
)
async def test_not_suppressed(tmp_path, recipient, replies):
    async with post(tmp_path) as it:
        it.net.host(ONE, replies=replies)
        await it.send(recipient)
        await it.empty()
        assert len(it.notices("alice")) == 1
        assert entries(it) == []


async def test_network_errors_never_suppress(tmp_path):
    """Three messages that nobody could be found for, all given up."""
    async with post(tmp_path) as it:
        for number in range(1, 4):
            await it.send("x@them.example", account="bob")
            for attempt in range(1, 9):
                await it.until(lambda attempt=attempt: not it.queue or it.queue[0].attempts == attempt)
                await it.until(lambda: not it.queue or it.queue[0].results[-1].text != settle.NO_RESULT)
                await it.pass_time(20 * 3600)
            await it.empty()
            assert len(it.notices("bob")) == 2 * number
        assert entries(it, "bob") == []


async def test_three_in_a_row_are_enough(tmp_path):
    async with post(tmp_path) as it:
        it.net.host(ONE, replies={"RCPT": ["554 5.0.0 no"] * 3})
        for expected in ([], [], ["x@them.example"]):
            await it.send("x@them.example", account="bob")
            await it.empty()
            assert [address for address, _ in entries(it, "bob")] == expected


async def test_connections_are_told(tmp_path):
    """Whoever watches what block lists say of our addresses wants to know how much we send."""
    async with post(tmp_path) as it:
        told = []
        it.app.own_listings.connected = lambda: told.append(1)
        it.net.host(ONE, replies={"RCPT TO:<no": "554 5.1.1 no"})
        await it.send("no@them.example", "yes@them.example")
        await it.send("x@null.example")
        await it.empty()
        assert len(told) == 1


@pytest.mark.parametrize(
    ("extensions", "tls", "replies", "kept"),
    [
        pytest.param((), False, {}, (False, False), id="no TLS"),
        pytest.param((), True, {}, (True, False), id="STARTTLS"),
        pytest.param(("REQUIRETLS",), True, {}, (True, True), id="REQUIRETLS"),
        pytest.param((), True, {"RCPT": "550 5.1.1 no"}, (True, False), id="a message refused"),
        pytest.param((), True, {"STARTTLS": "454 4.7.0 not now"}, (True, False), id="STARTTLS that fails"),
        pytest.param((), True, {"GREETING": "554 no"}, None, id="never came so far"),
    ],
)
async def test_what_a_domain_offers_is_kept(tmp_path, extensions, tls, replies, kept):
    async with post(tmp_path) as it:
        it.net.host(ONE, extensions=extensions, replies=replies, tls=key_pair("mx.them.example") if tls else None)
        await it.send("x@them.example")
        await it.empty()
        expected = kept and Offered("them.example", it.clock.microseconds(), *kept)

        def found():
            with it.store.read() as tx:
                assert offered.find(tx, tx.account_id("bob"), "them.example") is None
                return offered.find(tx, tx.account_id("alice"), "them.example") == expected

        await it.until(found)


async def test_mail_does_not_depend_on_that(tmp_path, monkeypatch):
    def broken(*_):
        raise StorageFull("no room")

    monkeypatch.setattr(offered, "note", broken)
    async with post(tmp_path) as it:
        host = it.net.host(ONE)
        for number in (1, 2):
            await it.send("x@them.example")
            await it.until(lambda number=number: not it.queue and len(host.arrived) == number)


@pytest.mark.parametrize(
    ("result", "ended", "word"),
    [
        (Result(True, False, 250, Status(2, 0, 0), "ok"), True, "delivered"),
        (Result(False, False, 451, Status(4, 0, 0), "wait"), False, "delayed"),
        (Result(False, False, 451, Status(4, 0, 0), "wait"), True, "failed"),
        (Result(False, True, 0, Status(5, 7, 1), "not sent", is_suppressed=True), True, "suppressed"),
    ],
)
def test_event(result, ended, word):
    assert settle.event(result, ended=ended) == word


NOTICE = b"""\
From: mailer-daemon@them.example\r
Content-Type: multipart/report; report-type=delivery-status; boundary=b\r
\r
--b\r
\r
It was taken, and nobody is there.\r
--b\r
Content-Type: message/delivery-status\r
\r
Reporting-MTA: dns; mx.them.example\r
\r
Final-Recipient: rfc822; x@elsewhere.example\r
Action: failed\r
Status: 5.1.1\r
Diagnostic-Code: smtp; 550 5.1.1 nobody\r
\r
--b--\r
"""


async def test_a_notice_that_comes_later(tmp_path):
    """From one end to the other: it comes back to the sender address that the message went with."""
    async with post(tmp_path) as it:
        host = it.net.host(ONE)
        await it.send("x@them.example", account="carol")
        await it.empty()
        with it.store.read() as tx:
            done = queued.retired(tx, 1)
        assert done.success
        assert host.arrived[0].mail.startswith(f"MAIL FROM:<{done.reverse_path}> ")
        assert done.reverse_path == f"carol+{done.from_id}@example.org"

        reply = await deliver(it.house, NOTICE, done.reverse_path, mail_from="", helo="mx.them.example")
        assert reply.startswith("250 ")
        (notice,) = it.inbox("carol")
        assert notice.startswith(b"X-Mox-Reason: notice")
        assert entries(it, "carol") == [("x@them.example", "delivery failed: 550 5.1.1 nobody")]
        with it.store.read() as tx:
            done = queued.retired(tx, 1)
        assert [one.success for one in done.results] == [True, False]
        assert not done.success

        await it.send("x@them.example", account="carol")
        await it.empty()
        assert host.connections == 1
