"""The queue and other hosts: what is sent, what is written down and when, what senders hear."""

import email.utils
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address

import pytest
import trio

from appliance.dns.answers import MX, Type
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table
from appliance.operations.submit import To
from appliance.queue import notices, remote, runner, settle
from appliance.queue.hosts import destinations
from appliance.queue.parcel import World
from appliance.queue.smtpsettings import TIMES
from appliance.store import queued, tlsresult
from appliance.store.bodies import of_octets
from appliance.store.problems import StorageFull
from appliance.store.queuerecords import QueuedMessage
from support.mailworld import Net
from support.queuepost import MESSAGE, Post, fields, path
from support.smtphouse import STATIC, open_house
from support.streams import key_pair

ONE, TWO = "192.0.2.101", "192.0.2.102"
RECORDS = {
    "them.example": {Type.MX: [MX(10, "mx.them.example")]},
    "mx.them.example": {Type.A: [ip_address(ONE)]},
    "other.example": {Type.A: [ip_address(TWO)]},
    "null.example": {Type.MX: [MX(0, "")]},
    "loop.example": {Type.MX: [MX(0, "mail.example")]},
    **{f"d{number}.example": {Type.A: [ip_address(TWO)]} for number in range(30)},
}
DOMAINS = """\
[[routes]]
to_domain = ["refused.example"]
transport = "never"
[[routes]]
to_domain = ["later.example"]
transport = "notnow"
[domains."example.org"]
[domains."off.example"]
disabled = true
[accounts.alice.destinations]
"alice@example.org" = {}
[accounts.bob]
keep_retired_message_period = "1h"
[accounts.bob.destinations]
"bob@example.org" = {}
"""
TRANSPORTS = """\
[transports.never.fail]
smtp_message = "not to them"
[transports.notnow.fail]
smtp_code = 450
smtp_message = "not now"
"""


@asynccontextmanager
async def post(folder, *, static="", **world):
    resolver = Resolver(Table(RECORDS, failing=[("down.example", Type.MX)]))
    async with open_house(folder, DOMAINS, resolver=resolver, static=static + STATIC + TRANSPORTS) as house:
        it = Post(house)
        it.net = Net(house.nursery)
        it.world = World(dialer=it.net.dial, **world)
        house.nursery.start_soon(runner.run, house.app, it.locate, it.world)
        yield it


async def test_sent(tmp_path):
    async with post(tmp_path) as it:
        host = it.net.host(ONE)
        await it.send("x@them.example", account="bob", envid="e1", ret="HDRS")
        await it.empty()
        (one,) = host.arrived
        assert one.octets.endswith(MESSAGE.replace(b"%b", b"bob"))
        assert one.octets.startswith(b"Message-ID: ")
        assert one.mail.startswith("MAIL FROM:<bob@example.org> SIZE=")
        assert one.recipients == ["RCPT TO:<x@them.example>"]
        with it.store.read() as tx:
            done = queued.retired(tx, 1)
        assert [(one.success, one.code, one.status, one.text) for one in done.results] == [
            (True, 250, "2.0.0", "taken")
        ]
        assert done.dialed_ips == {"mx.them.example": (ONE,)}
        assert it.inbox("bob") == []


async def test_large_message(tmp_path):
    octets = MESSAGE + b"line of text\r\n" * 300_000
    async with post(tmp_path) as it:
        host = it.net.host(ONE, extensions=())
        await it.send("x@them.example", octets=octets)
        await it.empty()
        assert host.arrived[0].octets.endswith(octets.replace(b"%b", b"alice"))


async def test_recipients_of_a_domain_go_together(tmp_path):
    async with post(tmp_path) as it:
        one, two = it.net.host(ONE), it.net.host(TWO)
        await it.send("a@them.example", "a@other.example", "b@them.example", "bob@example.org", "c@them.example")
        await it.empty()
        assert [len(it.inbox("bob")), one.connections, two.connections] == [1, 1, 1]
        assert one.arrived[0].recipients == [f"RCPT TO:<{name}@them.example>" for name in "abc"]
        assert len(one.arrived) == 1


@pytest.mark.parametrize(
    ("extensions", "left"),
    [pytest.param((), {"bøb@them.example"}, id="without SMTPUTF8"), pytest.param(("SMTPUTF8",), set(), id="with it")],
)
async def test_an_address_beyond_ascii_keeps_nobody_else_from_his_copy(tmp_path, extensions, left):
    async with post(tmp_path) as it:
        host = it.net.host(ONE, extensions=("PIPELINING", *extensions))
        await it.send("bob@them.example", "bøb@them.example", smtputf8=True)
        await it.empty()
        assert len(host.arrived) == 1
        assert len(host.arrived[0].recipients) == 2 - len(left)
        told = [next(iter(notice.iter_parts())).get_content() for notice in it.notices("alice")]
        assert ["bøb@them.example" in text for text in told] == [True] * len(left)
        assert not any("bob@them.example" in text for text in told)


async def test_a_house_that_sends_nothing_without_tls(tmp_path):
    async with post(tmp_path, static="queue.require_tls = true\n") as it:
        host = it.net.host(ONE)
        await it.send("x@them.example")
        for attempts in range(1, 8):
            await it.until(
                lambda attempts=attempts: len(it.queue[0].results) == attempts and it.queue[0].results[-1].status
            )
            await it.pass_time((it.queue[0].next_attempt - it.clock.microseconds()) / 1e6)
        await it.empty()
        assert host.arrived == []
        _, notice = it.notices("alice")
        text = " ".join(next(iter(notice.iter_parts())).get_content().split())
        assert "this server sends nothing without TLS (require_tls), and with mx.them.example there is none" in text
        assert fields(notice)["Status"].startswith("5.7.4 (this server sends nothing without TLS")


async def test_half_of_them(tmp_path):
    """Each has his own fate; those that wait stay together."""
    async with post(tmp_path) as it:
        manners = {"RCPT TO:<no": "550 5.1.1 nobody", "RCPT TO:<w": ["451 4.2.1 wait", "451 4.2.1 wait"]}
        host = it.net.host(ONE, replies=manners)
        await it.send(*(f"{name}@them.example" for name in ("no", "wa", "yes", "wb")))
        await it.until(lambda: sorted(one.attempts for one in it.queue) == [1, 1] and it.notices("alice"))
        first, second = it.queue
        assert first.next_attempt == second.next_attempt
        assert [(one.code, one.status, one.text) for one in first.results] == [(451, "4.2.1", "wait")]
        (notice,) = it.notices("alice")
        told = fields(notice)
        assert (told["Final-Recipient"], told["Action"], told["Status"]) == (
            "rfc822; no@them.example",
            "failed",
            "5.1.1 (nobody)",
        )
        assert told["Remote-MTA"] == f"dns; mx.them.example ({ONE})"
        assert told["Diagnostic-Code"] == "smtp; 550 5.1.1 nobody"
        text = next(iter(notice.iter_parts())).get_content()
        assert "no@them.example" in text
        assert "550 5.1.1 nobody" in text
        await it.pass_time(456)
        await it.empty()
        assert [one.recipients for one in host.arrived] == [
            ["RCPT TO:<yes@them.example>"],
            ["RCPT TO:<wa@them.example>", "RCPT TO:<wb@them.example>"],
        ]
        assert len(it.notices("alice")) == 1


@pytest.mark.parametrize(
    ("recipient", "replies", "told"),
    [
        pytest.param(
            "x@them.example", {"MAIL": "550 5.7.1 not you"}, "5.7.1 (not you) smtp; 550 5.7.1 not you", id="refused"
        ),
        pytest.param("x@them.example", {"GREETING": "554 no"}, "5.0.0 (no) smtp; 554 no", id="no mail host"),
        pytest.param(
            "x@them.example", {"CONTENT": "554 5.6.0 a\tb\x07c"}, "5.6.0 (abc) smtp; 554 5.6.0 abc", id="strange words"
        ),
        pytest.param("x@gone.example", {}, "5.1.2 (gone.example does not exist) None", id="no such domain"),
        pytest.param("x@null.example", {}, "5.1.10 (the domain takes no mail null MX) None", id="null MX"),
        pytest.param(
            "x@loop.example",
            {},
            "5.4.6 (mail for loop.example would come back to this server, which does not take it) None",
            id="ourselves",
        ),
        pytest.param(
            "x@refused.example", {}, "5.7.0 (not to them) smtp; 554 5.7.0 not to them", id="transport that fails"
        ),
    ],
)
async def test_failed_for_good(tmp_path, recipient, replies, told):
    async with post(tmp_path) as it:
        it.net.host(ONE, replies=replies)
        await it.send(recipient)
        await it.empty()
        (notice,) = it.notices("alice")
        found = fields(notice)
        assert f"{found['Status']} {found.get('Diagnostic-Code')}" == told
        assert found["Action"] == "failed"
        assert ("Remote-MTA" in found) == bool(replies)


@pytest.mark.parametrize(
    ("recipient", "replies", "result"),
    [
        pytest.param("x@down.example", {}, (0, "4.4.3"), id="names cannot be found"),
        pytest.param("x@other.example", {}, (0, "4.4.1"), id="nobody there"),
        pytest.param("x@them.example", {"GREETING": "421 4.3.2 busy"}, (421, "4.3.2"), id="busy"),
        pytest.param("x@them.example", {"GREETING": "close"}, (0, "4.4.2"), id="closes"),
        pytest.param("x@them.example", {"RCPT": "451 4.7.1 grey"}, (451, "4.7.1"), id="greylisted"),
        pytest.param("x@them.example", {"CONTENT": "close after"}, (0, "4.4.2"), id="lost after the dot"),
        pytest.param("x@them.example", {"MAIL": "what?"}, (0, "4.5.0"), id="no SMTP"),
        pytest.param("x@later.example", {}, (450, "4.7.0"), id="transport that fails for now"),
    ],
)
async def test_failed_for_now(tmp_path, recipient, replies, result):
    async with post(tmp_path) as it:
        it.net.host(ONE, replies=replies)
        await it.send(recipient)
        await it.until(lambda: it.queue[0].attempts == 1 and it.queue[0].results[0].status)
        (one,) = it.queue
        assert [(each.code, each.status) for each in one.results] == [result]
        assert abs(one.next_attempt - it.clock.microseconds() - 450e6) <= 5e6
        assert it.notices("alice") == []


async def test_a_silent_server_costs_an_attempt(tmp_path):
    async with post(tmp_path, times=replace(TIMES, command=0.05)) as it:
        it.net.host(ONE, replies={"MAIL": "silence"})
        await it.send("x@them.example")
        await it.until(lambda: it.queue[0].results and it.queue[0].results[0].status == "4.4.2")


async def test_told_after_five_and_given_up_after_eight(tmp_path):
    async with post(tmp_path) as it:
        host = it.net.host(ONE, replies={"MAIL": "451 4.3.2 not now"})
        began = it.clock.now()
        await it.send("x@them.example")
        times = []
        for attempts in range(1, 8):
            await it.until(
                lambda attempts=attempts: len(it.queue[0].results) == attempts and it.queue[0].results[-1].status
            )
            times.append((it.queue[0].next_attempt - it.clock.microseconds()) / 1e6)
            assert len(it.notices("alice")) == (attempts >= 5)
            await it.pass_time(times[-1])
        await it.empty()
        for number, pause in enumerate(times):
            assert abs(pause - 450 * 2**number) <= 5 * 2**number
        assert host.connections == 8
        delayed, failed = it.notices("alice")
        told = fields(delayed)
        assert (told["Action"], told["Status"]) == ("delayed", "4.3.2 (not now)")
        until = email.utils.parsedate_to_datetime(told["Will-Retry-Until"])
        assert abs(until - began - timedelta(hours=15, minutes=52.5)) < timedelta(minutes=15)
        told = fields(failed)
        assert (told["Action"], told["Status"]) == ("failed", "5.3.2 (not now)")
        assert told["Diagnostic-Code"] == "smtp; 451 4.3.2 not now"


@pytest.mark.parametrize(
    ("extensions", "notify", "rcpt", "action"),
    [
        pytest.param((), ("SUCCESS",), "", "relayed", id="no DSN there: we tell (RFC 3461 5.2.2)"),
        pytest.param(("DSN",), ("SUCCESS",), " NOTIFY=SUCCESS ORCPT=rfc822;old@x.example", None, id="they tell"),
        pytest.param((), ("FAILURE",), "", None, id="not asked for"),
        pytest.param(("DSN",), ("NEVER",), " NOTIFY=NEVER ORCPT=rfc822;old@x.example", None, id="never"),
    ],
)
async def test_success(tmp_path, extensions, notify, rcpt, action):
    async with post(tmp_path) as it:
        host = it.net.host(ONE, extensions=extensions)
        await it.send(
            To(path("x@them.example"), notify, "rfc822;old@x.example"),
            *(["y@them.example"] if not extensions else []),
            envid="e1",
            ret="HDRS",
        )
        await it.empty()
        assert host.arrived[0].recipients[0] == "RCPT TO:<x@them.example>" + rcpt
        assert ("RET=HDRS ENVID=e1" in host.arrived[0].mail) == bool(extensions)
        assert [fields(notice)["Action"] for notice in it.notices("alice")] == ([action] if action else [])
        for notice in it.notices("alice"):
            told = fields(notice)
            assert (told["Final-Recipient"], told["Status"]) == ("rfc822; x@them.example", "2.0.0")
            assert told["Remote-MTA"] == f"dns; mx.them.example ({ONE})"
            assert "y@them.example" not in notice.as_string()


async def test_the_attempt_is_written_down_before(tmp_path):
    async with post(tmp_path) as it:
        seen: list[QueuedMessage] = []

        async def look() -> None:
            seen.extend(it.queue)

        it.net.host(ONE, at_dot=look)
        await it.send("x@them.example")
        await it.empty()
        (one,) = seen
        assert (one.attempts, [result.text for result in one.results]) == (1, [settle.NO_RESULT])
        assert one.next_attempt - it.clock.microseconds() >= 445e6


async def test_what_was_delivered_is_not_sent_again_when_that_cannot_be_written(tmp_path, monkeypatch):
    monkeypatch.setattr(remote, "TROUBLE_SECONDS", 0)
    fails = 5
    real = settle.write

    def write(*arguments) -> None:
        nonlocal fails
        if fails:
            fails -= 1
            raise StorageFull("no room")
        real(*arguments)

    monkeypatch.setattr(settle, "write", write)
    async with post(tmp_path) as it:
        host = it.net.host(ONE)
        await it.send("x@them.example", "y@them.example")
        await it.pass_time(500)
        await it.empty()
        assert (len(host.arrived), fails) == (1, 0)


async def test_a_bug_after_delivery_of_some_costs_them_nothing(tmp_path, monkeypatch):
    """What is written down at once stays, whatever happens to the rest of the attempt."""
    async with post(tmp_path) as it:
        host = it.net.host(ONE, extensions=("LIMITS RCPTMAX=1",))
        real = remote.transports.send

        async def send(*arguments):
            await real(*arguments)
            raise RuntimeError("bug")

        monkeypatch.setattr(remote.transports, "send", send)
        await it.send("x@them.example", "y@them.example")
        await it.until(lambda: not it.queue)
        assert len(host.arrived) == 2


async def test_one_at_a_time_for_a_domain_ten_in_all(tmp_path):
    async with post(tmp_path) as it:
        gate = trio.Event()
        one = it.net.host(ONE, at_dot=gate.wait)
        for _ in range(5):
            await it.send("x@them.example")
        await it.until(lambda: it.net.open == 1)
        it.net.host(TWO, at_dot=gate.wait)
        for number in range(20):
            await it.send(f"x@d{number}.example")
        await it.until(lambda: it.net.open == runner.PARALLEL)
        await it.send("bob@example.org")
        await it.until(lambda: it.inbox("bob"))  # Mail for ourselves does not wait for theirs.
        gate.set()
        await it.empty()
        assert it.net.most_open == runner.PARALLEL
        assert len(one.arrived) == 5


async def test_dropped_or_held_amid_an_attempt(tmp_path):
    async with post(tmp_path) as it:

        async def meddle() -> None:
            def body(tx) -> None:
                dropped, held = queued.get(tx, 1), queued.get(tx, 2)
                queued.remove(tx, dropped, success=False, keep=0)
                held.hold = True
                queued.update(tx, held)

            await it.store.write(body)

        it.net.host(ONE, at_dot=meddle, replies={"CONTENT": "451 4.3.0 later"})
        await it.send("x@them.example", "y@them.example")
        await it.until(lambda: len(it.queue) == 1 and it.queue[0].results[-1].status == "4.3.0")
        assert (it.queue[0].id, it.queue[0].hold, it.queue[0].attempts) == (2, True, 1)
        assert it.notices("alice") == []


async def test_released_and_hurried_messages_go_at_once(tmp_path):
    """Whose time was long ago is not overlooked, though all before now has been read."""
    async with post(tmp_path) as it:
        host = it.net.host(ONE, replies={"MAIL": ["451 4.3.0 later"]})
        await it.send("x@them.example")
        await it.until(lambda: it.queue[0].results and it.queue[0].results[-1].status)

        def hold(tx, value: bool, when: int) -> None:
            one = queued.get(tx, 1)
            one.hold, one.next_attempt = value, when
            queued.update(tx, one)

        await it.store.write(hold, True, 7)
        await it.send("y@them.example")
        await it.until(lambda: len(host.arrived) == 1)
        await it.store.write(hold, False, 7)
        await it.empty()
        assert len(host.arrived) == 2


async def test_reports_that_fail_are_put_aside(tmp_path):
    async with post(tmp_path) as it:
        it.net.host(ONE, replies={"MAIL": "550 5.1.1 no"}, tls=key_pair("mx.them.example"))
        before = notices.failed_reports.labels().value
        with it.store.read() as tx:
            alice = tx.account_id("alice")
        for kind in ("is_dmarc_report", "is_tls_report"):
            one = QueuedMessage(
                0, 0, alice, 0, "postmaster@example.org", "x@them.example", 0, 0, it.clock.microseconds()
            )
            setattr(one, kind, True)
            await it.store.write(queued.add, [one], of_octets(MESSAGE))
        await it.empty()
        assert [len(it.notices("alice", f"Postmaster/{name}")) for name in ("dmarc", "tlsrpt")] == [1, 1]
        assert it.inbox("alice") == []
        assert notices.failed_reports.labels().value - before == 1


async def test_unknown_transport_waits(tmp_path):
    async with post(tmp_path) as it:
        with it.store.read() as tx:
            alice = tx.account_id("alice")
        one = QueuedMessage(0, 0, alice, 0, "alice@example.org", "x@them.example", 0, 0, it.clock.microseconds())
        one.transport = "gone"
        await it.store.write(queued.add, [one], of_octets(MESSAGE))
        await it.until(lambda: it.queue[0].attempts == 1)
        assert it.queue[0].results[0].status == "4.3.5"


async def test_nothing_is_begun_when_the_house_stops(tmp_path):
    async with post(tmp_path) as it:
        it.app.shutdown.request()
        await it.send("x@them.example")
        for _ in range(5):
            await it.store.write(lambda _: None)
        assert (it.net.dialed, it.queue[0].attempts) == ([], 0)


async def test_a_host_that_holds_the_line_holds_up_nobody(tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "PARALLEL", 1)
    monkeypatch.setattr(runner, "SLOW_SECONDS", 0.05)
    async with post(tmp_path) as it:
        gate = trio.Event()
        it.net.host(ONE, at_dot=gate.wait)
        other = it.net.host(TWO)
        await it.send("x@them.example")
        await it.until(lambda: it.net.open == 1)
        assert runner.delivering.labels().value == 1
        await it.send("x@other.example", "bob@example.org")
        await it.until(lambda: other.arrived and it.inbox("bob") and len(it.queue) == 1)
        assert it.queue[0].recipient == "x@them.example"
        gate.set()
        await it.empty()


async def test_a_notice_that_cannot_be_made_does_not_stand_in_the_way(tmp_path, monkeypatch):
    """Who asked to be told of success gets no word then; the message is done with all the same."""
    monkeypatch.setattr(remote, "TROUBLE_SECONDS", 0)

    async def broken(*_) -> None:
        raise ValueError("a bug")

    async with post(tmp_path) as it:
        host = it.net.host(ONE, extensions=())
        monkeypatch.setattr(notices, "placement", broken)
        await it.send(To(path("x@them.example"), ("SUCCESS",)))
        await it.empty()
        assert len(host.arrived) == 1


async def test_a_clock_that_is_set_back(tmp_path):
    async with post(tmp_path) as it:
        host = it.net.host(ONE, replies={"MAIL": ["451 4.3.0 later"]})
        await it.send("bob@example.org", account="bob")
        await it.empty()
        await it.pass_time(-7200)
        await it.send("x@them.example")
        await it.until(lambda: it.queue[0].results and it.queue[0].results[-1].status)
        await it.until(lambda: not runner.delivering.labels().value and not it.store.feed.queued_ids)
        await it.pass_time(456)
        await it.empty()
        assert len(host.arrived) == 1


async def test_domains_that_are_ours_no_longer(tmp_path, monkeypatch):
    """What waited together for delivery here goes to the hosts of each domain, not to those of the first."""
    here = [True]
    real = runner._Runner._destination
    monkeypatch.setattr(
        runner._Runner, "_destination", lambda *it: ("", 1) if here.pop() or here.append(False) else real(*it)
    )
    async with post(tmp_path) as it:
        one, two = it.net.host(ONE), it.net.host(TWO)
        here[:] = [False, True, True]
        await it.send("x@them.example", "y@other.example")
        await it.empty()
        assert [each.arrived[0].recipients for each in (one, two)] == [
            ["RCPT TO:<x@them.example>"],
            ["RCPT TO:<y@other.example>"],
        ]
        assert one.connections == 1


async def test_what_is_counted(tmp_path):
    def counted() -> dict[tuple[str, ...], int]:
        return {labels: sum(one.counts) for labels, one in remote.durations.series.items()}

    async with post(tmp_path) as it:
        it.net.host(ONE, replies={"RCPT TO:<no": "550 5.1.1 no", "RCPT TO:<wait": ["451 4.2.0 wait"]})
        for recipients, labels in (
            (["x@them.example"], ("1", "direct", "opportunistic", "ok")),
            (["x@them.example", "no@them.example"], ("1", "direct", "opportunistic", "okpartial")),
            (["nobody@them.example"], ("1", "direct", "opportunistic", "permerror")),
            (["x@gone.example"], ("1", "direct", "none", "permerror")),
            (["wait@them.example"], ("1", "direct", "opportunistic", "temperror")),
        ):
            before, hosts = counted(), destinations.labels().value
            await it.send(*recipients)
            await it.until(lambda: not any(one.attempts == 0 for one in it.queue))
            await it.until(lambda: not runner.delivering.labels().value)
            more = {key: count - before.get(key, 0) for key, count in counted().items() if count != before.get(key, 0)}
            assert more == {labels: 1}
            assert destinations.labels().value - hosts == 1


# What reports about TLS will tell.


def noted(it) -> list[tuple[str, str, int, int, list[str]]]:
    with it.store.read() as tx:
        found = [(which.recipient_domain, tlsresult.get(tx, which)) for which in tlsresult.before(tx, 60_000)]
    return [
        (
            domain,
            result.policy_type,
            result.successful_sessions,
            result.failed_sessions,
            [one.result_type for one in result.failures],
        )
        for domain, one in found
        for result in one.results
    ]


async def test_results_about_tls_are_noted(tmp_path):
    async with post(tmp_path) as it:
        it.net.host(ONE)
        it.net.host(TWO, tls=key_pair("other.example"))
        await it.send("x@them.example", "x@other.example", "x@refused.example", "alice@example.org")
        await it.empty()
        await it.until(lambda: len(noted(it)) == 2)
        with_tls, without = noted(it)
        assert with_tls[:4] == ("other.example", "no-policy-found", 0, 1)
        assert with_tls[4][0].startswith("certificate-")
        assert without == ("them.example", "no-policy-found", 0, 1, ["starttls-not-supported"])


async def test_no_results_where_no_reports_are_sent(tmp_path, monkeypatch):
    def write(*_):
        raise AssertionError("nobody wants to know")

    monkeypatch.setattr(remote.tlsnotes, "write", write)
    async with post(tmp_path, static="no_outgoing_tls_reports = true\n") as it:
        it.net.host(ONE)
        await it.send("x@them.example")
        await it.empty()


async def test_mail_goes_on_without_room_for_results(tmp_path, monkeypatch):
    tried = []

    def full(*_):
        tried.append(1)
        raise StorageFull("the disk is full")

    monkeypatch.setattr(remote.tlsnotes, "write", full)
    async with post(tmp_path) as it:
        host = it.net.host(ONE)
        await it.send("x@them.example")
        await it.empty()
        await it.until(lambda: tried)
        assert len(host.arrived) == 1
        assert noted(it) == []
