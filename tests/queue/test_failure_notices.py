"""What a sender and his programs are told of every kind of failure: the fields of a recipient, whole (RFC 3464 §2.3).

A reply is told as it came, with the host that gave it. Where nobody replied, there is no diagnostic of SMTP (§2.3.6) and
the status has the words; where no host was asked, none is named (§2.3.5).
"""

import email.utils
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address

import pytest

from appliance.dns.answers import MX, Type
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table
from appliance.operations import canceling
from appliance.queue import runner
from appliance.queue.parcel import World
from appliance.queue.schedule import Schedule
from appliance.queue.smtpsettings import TIMES
from appliance.store.queuefilter import WaitingFilter
from support.mailworld import Net
from support.queuepost import Post, fields
from support.smtphouse import STATIC, open_house
from support.streams import key_pair

HOST, SMART, NOBODY = "192.0.2.101", "192.0.2.102", "192.0.2.103"
RECORDS = {
    "them.example": {Type.MX: [MX(10, "mx.them.example")]},
    "mx.them.example": {Type.A: [ip_address(HOST)]},
    "silent.example": {Type.A: [ip_address(NOBODY)]},
    "null.example": {Type.MX: [MX(0, "")]},
    "nomail.example": {Type.MX: [MX(0, "gone.example")]},
    "smart.example": {Type.A: [ip_address(SMART)]},
}
DOMAINS = """\
[[routes]]
to_domain = ["never.example"]
transport = "never"
[[routes]]
to_domain = ["relayed.example"]
transport = "smart"
[[routes]]
to_domain = ["lost.example"]
transport = "nosmart"
[domains."example.org"]
[accounts.alice.destinations]
"alice@example.org" = {}
[accounts.tiny]
quota_message_size = 1
[accounts.tiny.destinations]
"tiny@example.org" = {}
"""
TRANSPORTS = """\
[transports.never.fail]
smtp_code = 550
smtp_message = "not to them"
[transports.smart.smtp]
host = "smart.example"
port = 2525
no_starttls = true
[transports.nosmart.smtp]
host = "gone.example"
"""
THEM, RELAY = f"dns; mx.them.example ({HOST})", f"dns; smart.example ({SMART})"


@asynccontextmanager
async def post(folder, *, attempts=1, static="", times=TIMES):
    resolver = Resolver(Table(RECORDS, failing=[("down.example", Type.MX)]))
    async with open_house(folder, DOMAINS, resolver=resolver, static=static + STATIC + TRANSPORTS) as house:
        it = Post(house)
        it.net = Net(house.nursery)
        world = World(dialer=it.net.dial, times=times)
        schedule = Schedule(attempts=attempts, delay_notice_attempts=1)
        house.nursery.start_soon(runner.run, house.app, it.locate, world, schedule)
        yield it


#: Recipient, the hosts' manners; what is told: status, host, diagnostic.
KINDS = [
    # What the recipient's host replied.
    pytest.param("x@them.example", {"replies": {"RCPT": "550 5.1.1 nobody"}}, "5.1.1 (nobody)", THEM,
                 "smtp; 550 5.1.1 nobody", id="refused"),
    pytest.param("x@them.example", {"replies": {"RCPT": "550 nobody"}}, "5.0.0 (nobody)", THEM,
                 "smtp; 550 nobody", id="refused without a status"),
    pytest.param("x@them.example", {"replies": {"RCPT": "550 5.0.0 nobody"}}, "5.0.0 (nobody)", THEM,
                 "smtp; 550 5.0.0 nobody", id="refused with one that says nothing"),
    pytest.param("x@them.example", {"replies": {"MAIL": "550-5.7.1 not\r\n550 5.7.1 you (blocked)"}},
                 "5.7.1 (not you blocked)", THEM, "smtp; 550 5.7.1 not you (blocked)", id="refused in two lines"),
    pytest.param("x@them.example", {"replies": {"GREETING": "554 go away"}}, "5.0.0 (go away)", THEM,
                 "smtp; 554 go away", id="no mail host"),
    pytest.param("x@them.example", {"replies": {"CONTENT": "554 5.6.0 bad"}}, "5.6.0 (bad)", THEM,
                 "smtp; 554 5.6.0 bad", id="refused content"),
    pytest.param("x@them.example", {"replies": {"RCPT": "451 4.7.1 grey"}}, "5.7.1 (grey)", THEM,
                 "smtp; 451 4.7.1 grey", id="refused until we gave up"),
    pytest.param(f"x@[{HOST}]", {"replies": {"RCPT": "550 5.1.1 nobody"}}, "5.1.1 (nobody)", f"dns; [{HOST}]",
                 "smtp; 550 5.1.1 nobody", id="refused by an address"),
    # What it did not reply.
    pytest.param("x@them.example", {"replies": {"GREETING": "close"}}, "5.4.2 (the server closed the connection)", THEM, None,
                 id="closed"),
    pytest.param("x@them.example", {"replies": {"MAIL": "silence"}}, "5.4.2 (no answer in time)", THEM, None, id="silence"),
    pytest.param("x@them.example", {"replies": {"MAIL": "what?"}}, "5.5.0 (not a reply)", THEM, None, id="no SMTP"),
    pytest.param("x@them.example", {"extensions": ("SIZE 10",)}, "5.3.4 (", THEM, None, id="too large for it"),
    pytest.param("x@silent.example", {}, "5.4.1 (cannot connect)", "dns; silent.example", None, id="nobody there"),
    pytest.param(f"x@[{NOBODY}]", {}, "5.4.1 (cannot connect)", f"dns; [{NOBODY}]", None, id="nobody at the address"),
    # Nobody was asked.
    pytest.param("x@down.example", {}, "5.4.3 (MX of down.example)", None, None, id="names cannot be found"),
    pytest.param("x@gone.example", {}, "5.1.2 (gone.example does not exist)", None, None, id="no such domain"),
    pytest.param("x@nomail.example", {}, "5.4.4 (gone.example)", None, None, id="no such host"),
    pytest.param("x@null.example", {}, "5.1.10 (the domain takes no mail)", None, None, id="null MX"),
    # A smarthost.
    pytest.param("x@relayed.example", {"replies": {"RCPT": "550 5.1.1 nobody"}}, "5.1.1 (nobody)", RELAY,
                 "smtp; 550 5.1.1 nobody", id="refused by the smarthost"),
    pytest.param("x@relayed.example", {"replies": {"GREETING": "close"}}, "5.4.2 (the server closed the connection)", RELAY, None,
                 id="closed by the smarthost"),
    pytest.param("x@relayed.example", None, "5.4.1 (cannot connect)", "dns; smart.example", None, id="no smarthost"),
    pytest.param("x@lost.example", {}, "5.4.4 (gone.example does not exist)", None, None, id="smarthost without address"),
    # Our own word: what another server would have been replied, and nothing where there are no replies.
    pytest.param("nobody@example.org", {}, "5.1.1 (no such recipient here)", None,
                 "smtp; 550 5.1.1 no such recipient here", id="nobody of ours"),
    pytest.param("tiny@example.org", {}, "5.2.2 (mailbox is full)", None, "smtp; 452 4.2.2 mailbox is full", id="full"),
    pytest.param("x@never.example", {}, "5.7.0 (not to them)", None, "smtp; 550 5.7.0 not to them",
                 id="transport that fails"),
]  # fmt: skip


@pytest.mark.parametrize(("recipient", "manners", "status", "remote", "diagnostic"), KINDS)
async def test_failed(tmp_path, recipient, manners, status, remote, diagnostic):
    is_silent = bool(manners) and "silence" in manners.get("replies", {}).values()
    async with post(tmp_path, times=replace(TIMES, command=0.05) if is_silent else TIMES) as it:
        if manners is not None:
            it.net.host(HOST, **manners)
            it.net.host(SMART, **manners)
        it.obstacles["nobody@example.org"] = 550, "5.1.1", "no such recipient here"
        await it.send(recipient)
        await it.empty()
        (notice,) = it.notices("alice")
        told = fields(notice)
        assert (told["Action"], told.get("Remote-MTA"), told.get("Diagnostic-Code")) == ("failed", remote, diagnostic)
        code, _, words = status.partition(" ")
        assert told["Status"].startswith(f"{code} (")
        assert words.strip("()") in told["Status"]
        assert told["Status"].endswith(")")
        assert recipient in told["Final-Recipient"]
        assert "Will-Retry-Until" not in told
        last = email.utils.parsedate_to_datetime(told["Last-Attempt-Date"])
        assert abs(last - it.clock.now()) < timedelta(minutes=1)
        assert set(fields(notice, 0)) == {"Reporting-MTA", "Arrival-Date"}


@pytest.mark.parametrize(("recipient", "replies", "status", "remote", "diagnostic"), [
    pytest.param("x@them.example", {"RCPT": "451 grey"}, "4.0.0 (grey)", THEM, "smtp; 451 grey", id="reply"),
    pytest.param("x@them.example", {"RCPT": "close"}, "4.4.2 (", THEM, None, id="no reply"),
    pytest.param("x@down.example", {}, "4.4.3 (looking up MX of down.example", None, None, id="nobody asked"),
    pytest.param("tiny@example.org", {}, "4.2.2 (mailbox is full)", None, "smtp; 452 4.2.2 mailbox is full", id="ours"),
])  # fmt: skip
async def test_delayed(tmp_path, recipient, replies, status, remote, diagnostic):
    async with post(tmp_path, attempts=2) as it:
        it.net.host(HOST, replies=replies)
        await it.send(recipient)
        await it.until(lambda: it.notices("alice"))
        (notice,) = it.notices("alice")
        told = fields(notice)
        assert (told["Action"], told.get("Remote-MTA"), told.get("Diagnostic-Code")) == ("delayed", remote, diagnostic)
        assert told["Status"].startswith(status)
        last, until = (
            email.utils.parsedate_to_datetime(told[one]) for one in ("Last-Attempt-Date", "Will-Retry-Until")
        )
        assert abs(until - last - timedelta(seconds=450)) < timedelta(seconds=30)


@pytest.mark.parametrize("tried", [True, False])
async def test_canceled(tmp_path, tried):
    """The last attempt is told of only if there was one (RFC 3464 §2.3.7)."""
    async with post(tmp_path, attempts=3) as it:
        it.net.host(HOST, replies={"RCPT": "451 4.7.1 grey"})
        if tried:
            await it.send("x@them.example")
            await it.until(lambda: it.notices("alice"))
        else:
            await it.send("x@them.example", release=it.clock.now() + timedelta(hours=1))
        assert await canceling.fail(it.app, WaitingFilter()) == 1
        *_, notice = it.notices("alice")
        told = fields(notice)
        assert told["Status"] == "5.7.1 (The administrator of this server canceled the delivery.)"
        assert set(told) == {"Final-Recipient", "Action", "Status", *(["Last-Attempt-Date"] if tried else [])}


async def test_without_tls_nothing_is_sent(tmp_path):
    async with post(tmp_path, static="queue.require_tls = true\n") as it:
        it.net.host(HOST)
        await it.send("x@them.example")
        await it.empty()
        told = fields(it.notices("alice")[0])
        assert told["Status"].startswith("5.7.4 (this server sends nothing without TLS")
        assert (told["Remote-MTA"], told.get("Diagnostic-Code")) == (THEM, None)


async def test_a_handshake_that_fails(tmp_path):
    async with post(tmp_path, static="queue.require_tls = true\n") as it:
        it.net.host(HOST, tls=key_pair("mx.them.example"), breaks_tls=True)
        await it.send("x@them.example")
        await it.empty()
        told = fields(it.notices("alice")[0])
        assert told["Status"].startswith("5.7.")
        assert (told["Remote-MTA"], told.get("Diagnostic-Code")) == (THEM, None)
