"""Submission: who may send as whom, what is added, what is refused, how much an account may send."""

import ipaddress
import re
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from appliance.base.log import Log
from appliance.mail.address import NULL_PATH, Path, parse_path
from appliance.mail.received import Received
from appliance.operations import submit
from appliance.operations.actor import Actor
from appliance.operations.submit import (
    BadExtra,
    HeaderTooLarge,
    Malformed,
    NeedsSMTPUTF8,
    NoHeaderEnd,
    NotYourAddress,
    OneIDForMany,
    ReturnPathPresent,
    SenderDisabled,
    Submission,
    To,
    TooManyMessages,
    TooManyNewRecipients,
    Undeclared8Bit,
)
from appliance.servers.smtp import submission as door
from appliance.store import bodies, queued
from appliance.store.queued import FromIDInUse
from support.smtphouse import open_house

DOMAINS = """\
[domains."example.org"]
localpart_catchall_separators = ["+", "-"]
[domains."example.org".aliases.team]
addresses = ["alice@example.org", "bob@example.org"]
allow_msg_from = true
[domains."example.org".aliases.silent]
addresses = ["alice@example.org"]
[domains."example.org".aliases.others]
addresses = ["bob@example.org"]
allow_msg_from = true
[domains."catchall.example"]
[domains."plain.example"]
[domains."off.example"]
disabled = true
[accounts.alice]
domain = "example.org"
max_outgoing_messages_per_day = 4
max_first_time_recipients_per_day = 2
fromid_login_addresses = ["ids@example.org"]
[accounts.alice.destinations."alice@example.org"]
[accounts.alice.destinations."ids@example.org"]
[accounts.alice.destinations."@catchall.example"]
[accounts.alice.destinations."alice@off.example"]
[accounts.bob]
domain = "example.org"
strip_bcc = true
[accounts.bob.destinations."bob@example.org"]
"""
MESSAGE = "From: alice@example.org\r\nSubject: hi\r\n\r\nhello\r\n"
BOB = "bob@example.org"


def path(text: str) -> Path:
    return parse_path(f"<{text}>".encode(), smtputf8=True) if text else NULL_PATH


class Desk:
    """Submits, and looks into the queue."""

    def __init__(self, house) -> None:
        self.house, self.app = house, house.app

    async def send(
        self, octets=MESSAGE, *to, sender="alice@example.org", account="alice", login="alice@example.org", **more
    ):
        recipients = [one if isinstance(one, To) else To(path(one)) for one in to or (BOB,)]
        with self.app.store.read() as tx:
            actor = Actor(tx.account_id(account), account, login)
        octets = octets.encode() if isinstance(octets, str) else octets
        values = {
            "reverse_path": path(sender),
            "recipients": recipients,
            "spooled": self.app.store.spooled(octets),
            "trace": None,
            **more,
        }
        return await submit.submit(self.app, actor, Submission(**values), log=Log("test"))

    @property
    def queue(self):
        with self.app.store.read() as tx:
            return list(queued.all_messages(tx))

    def content(self, one) -> bytes:
        with self.app.store.read() as tx:
            return one.prefix + bodies.read(tx, one.body, 0, one.size - len(one.prefix))


@asynccontextmanager
async def desk(folder, *, domains=DOMAINS, pedantic=False):
    async with open_house(folder, domains, pedantic=pedantic) as house:
        yield Desk(house)


@pytest.mark.parametrize(
    ("sender", "problem"),
    [
        pytest.param("alice@example.org", None, id="own"),
        pytest.param("ALICE+tag@Example.ORG", None, id="own with a separator"),
        pytest.param("alice-tag@example.org", None, id="own with the second separator"),
        pytest.param("anything@catchall.example", None, id="catch-all of a domain"),
        pytest.param("team@example.org", None, id="alias that allows it, of a member"),
        pytest.param("silent@example.org", NotYourAddress, id="alias that does not allow it"),
        pytest.param("others@example.org", NotYourAddress, id="alias of others"),
        pytest.param("bob@example.org", NotYourAddress, id="somebody else's"),
        pytest.param("nobody@example.org", NotYourAddress, id="nobody's"),
        pytest.param("alice@elsewhere.example", NotYourAddress, id="not our domain"),
        pytest.param("alice@off.example", SenderDisabled, id="disabled domain"),
        pytest.param("alice@[192.0.2.1]", NotYourAddress, id="address literal"),
    ],
)
async def test_whose_address(tmp_path, sender, problem):
    async with desk(tmp_path) as it:
        for names in ({"sender": sender}, {"octets": MESSAGE.replace("alice@example.org", sender)}):
            if problem is None:
                await it.send(**names)
                continue
            # In From a literal is no address that can be looked up at all.
            expected = Malformed if "[" in sender and "octets" in names else problem
            with pytest.raises(expected) as raised:
                await it.send(**names)
            assert door.of_problem(raised.value).code == (451 if problem is SenderDisabled else 550)
        assert len(it.queue) == (2 if problem is None else 0)


@pytest.mark.parametrize(
    ("octets", "problem", "code", "status"),
    [
        pytest.param("From: alice@example.org\r\n", NoHeaderEnd, 554, "5.6.0", id="no empty line"),
        pytest.param("Subject: x\r\n\r\n", Malformed, 550, "5.6.0", id="no From"),
        pytest.param("From: alice@example.org\r\n" + MESSAGE, Malformed, 550, "5.6.0", id="two From"),
        pytest.param(MESSAGE.replace("org", "org, team@example.org", 1), Malformed, 550, "5.6.0", id="two addresses"),
        pytest.param(MESSAGE.replace("alice@example.org", "alice"), Malformed, 550, "5.6.0", id="no address"),
        pytest.param(
            "X-Mox-Extra-a-b: 1\r\nx-mox-extra-A-B: 2\r\n" + MESSAGE, BadExtra, 554, "5.6.0", id="extra twice"
        ),
        pytest.param(f"X-Mox-Extra-a: {'x' * 20_000}\r\n" + MESSAGE, BadExtra, 554, "5.6.0", id="extra too long"),
        pytest.param("X: y\r\n" * 50_000 + MESSAGE, HeaderTooLarge, 552, "5.3.4", id="header too large"),
    ],
)
async def test_malformed(tmp_path, octets, problem, code, status):
    async with desk(tmp_path) as it:
        with pytest.raises(problem) as raised:
            await it.send(octets)
        reply = door.of_problem(raised.value)
        assert (reply.code, str(reply.status)) == (code, status)
        assert it.queue == []


@pytest.mark.parametrize(
    ("octets", "options", "problem", "code"),
    [
        pytest.param(MESSAGE + "ü", {"eight_bit": False}, Undeclared8Bit, 500, id="8 bits not declared"),
        pytest.param(MESSAGE + "ü", {"eight_bit": True}, None, 250, id="declared"),
        pytest.param("Return-Path: <x@y.example>\r\n" + MESSAGE, {}, ReturnPathPresent, 550, id="Return-Path"),
        pytest.param("X: ü\r\n" + MESSAGE, {"smtputf8": False}, NeedsSMTPUTF8, 550, id="UTF-8 not announced"),
        pytest.param("X: ü\r\n" + MESSAGE, {"smtputf8": True}, None, 250, id="announced"),
    ],
)
async def test_what_only_the_pedantic_mind(tmp_path, octets, options, problem, code):
    async with desk(tmp_path, pedantic=True) as it:
        if problem is None:
            await it.send(octets, **options)
        else:
            with pytest.raises(problem) as raised:
                await it.send(octets, **options)
            assert door.of_problem(raised.value).code == code


async def test_and_others_do_not_mind(tmp_path):
    async with desk(tmp_path) as it:
        await it.send("Return-Path: <x@y.example>\r\nX: ü\r\n" + MESSAGE, eight_bit=False, smtputf8=False)
        assert it.queue[0].smtputf8


async def test_fields_added_in_their_order(tmp_path):
    trace = Received(
        helo="mx.example",
        remote_ip=None,
        hostname="mx.example",
        local_ip=ipaddress.ip_address("192.0.2.2"),
        protocol="ESMTPSA",
        id="i",
        tls="TLS1.3 X",
        requiretls=True,
        when=datetime(2026, 11, 1, tzinfo=UTC),
    )
    async with desk(tmp_path) as it:
        accepted = await it.send(MESSAGE, BOB, trace=trace)
        (one,) = it.queue
        assert re.fullmatch(
            rb"Received: from mx\.example by mx\.example \(\[192\.0\.2\.2\]\) via tcp with ESMTPSA\r\n"
            rb"\t\(requiretls\) id i \(TLS1\.3 X\) for <bob@example\.org>;\r\n\tSun, 01 Nov 2026 00:00:00 \+0000\r\n"
            rb"Message-ID: (<[\w-]{22}@mail\.example>)\r\n"
            rb"Date: Sun, 01 Nov 2026 12:00:00 \+0000\r\n"
            rb"Authentication-Results: mail\.example; auth=pass\r\n\tsmtp\.mailfrom=alice@example\.org\r\n",
            one.prefix,
        )
        assert accepted.message_id == one.message_id
        assert one.message_id.startswith("<")
        assert one.message_id.encode() in one.prefix
        assert it.content(one).endswith(MESSAGE.encode())
        # With several recipients none is named, and what is there already is not added.
        given = "Message-ID: <mine@x.example>\r\nDate: today\r\n" + MESSAGE
        accepted = await it.send(given, BOB, "alice@example.org", trace=trace, sender="")
        _, first, second = it.queue
        assert accepted.message_id == first.message_id == "<mine@x.example>"
        assert b" for <" not in first.prefix
        assert b"Message-ID" not in first.prefix
        assert b"Date" not in first.prefix
        assert (first.base_id, second.base_id) == (first.id, first.id)
        assert first.next_attempt == second.next_attempt


@pytest.mark.parametrize(
    ("header", "parameter", "marked"),
    [
        pytest.param("", False, None, id="neither"),
        pytest.param("", True, True, id="parameter"),
        pytest.param("TLS-Required: No\r\n", False, False, id="field"),
        pytest.param("tls-required: nO\r\nTLS-Required:  no \r\n", False, False, id="fields agree"),
        pytest.param("TLS-Required: No\r\n", True, True, id="parameter wins"),
        pytest.param("TLS-Required: No\r\nTLS-Required: yes\r\n", False, None, id="fields disagree"),
        pytest.param("TLS-Required: yes\r\n", False, None, id="another word"),
    ],
)
async def test_requiretls(tmp_path, header, parameter, marked):
    async with desk(tmp_path) as it:
        await it.send(header + MESSAGE, requiretls=parameter)
        assert it.queue[0].requiretls is marked


@pytest.mark.parametrize(
    ("header", "recipient", "announced", "needed"),
    [
        pytest.param("", BOB, False, False, id="plain"),
        pytest.param("", BOB, True, False, id="announced for nothing"),
        pytest.param("", "bøb@example.org", True, True, id="recipient"),
        pytest.param("X-Custom: \U0001f600\r\n", BOB, False, True, id="header"),
        pytest.param("", "bob@xn--74h.example", True, False, id="domain"),
        pytest.param(
            'MIME-Version: 1.0\r\nContent-Type: text/plain; name="\u2603.txt"\r\n', BOB, True, True, id="name of a part"
        ),
    ],
)
async def test_smtputf8_is_what_the_message_needs(tmp_path, header, recipient, announced, needed):
    host = "xn--bcher-kva.example"
    trace = Received(host, None, host, ipaddress.ip_address("::1"), "ESMTPSA", "i", "", False, datetime.now(UTC))
    async with desk(tmp_path) as it:
        await it.send(header + MESSAGE, recipient, smtputf8=announced, trace=trace)
        (one,) = it.queue
        assert one.smtputf8 is needed
        assert (b"UTF8SMTPSA" in one.prefix) is needed
        assert one.prefix.startswith("Received: from b\u00fccher.example".encode()) is needed


async def test_one_address_beyond_ascii_does_not_make_all_copies_need_smtputf8(tmp_path):
    async with desk(tmp_path) as it:
        await it.send(MESSAGE, BOB, "bøb@example.org", smtputf8=True)
        assert [one.smtputf8 for one in it.queue] == [False, True]
        await it.send("X-Custom: ü\r\n" + MESSAGE, BOB, "bøb@example.org", smtputf8=True)
        assert [one.smtputf8 for one in it.queue[2:]] == [True, True]


@pytest.mark.parametrize(
    ("fields", "extra"),
    [
        pytest.param("X-Mox-Extra-x-cANONICAL-z: value\r\n", {"X-Canonical-Z": "value"}, id="canonical"),
        pytest.param(
            "x-mox-extra-a: 1\r\nX-MOX-EXTRA-b:  2 \r\n\tand 3\r\n", {"A": "1", "B": "2 \tand 3"}, id="two, folded"
        ),
        pytest.param("X-Mox-Extra-☺: ü\r\n", {"☺": "ü"}, id="beyond ASCII it stays as it is"),
    ],
)
async def test_extra_data(tmp_path, fields, extra):
    async with desk(tmp_path) as it:
        await it.send(fields + MESSAGE, extra={"From-Api": "yes"})
        (one,) = it.queue
        assert one.extra == {"From-Api": "yes", **extra}
        assert fields.encode() in it.content(one)


@pytest.mark.parametrize(
    ("field", "subject"),
    [
        pytest.param("Subject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\n", "grüße", id="decoded"),
        pytest.param("Subject: =?utf-8?q?a=0D=0Ab=1B?=\r\n", "a  b ", id="on one line"),
        pytest.param("Subject: a\r\n b\r\n", "a b", id="folded"),
        pytest.param("", "", id="none"),
    ],
)
async def test_subject_as_it_is_shown(tmp_path, field, subject):
    async with desk(tmp_path) as it:
        await it.send(f"From: alice@example.org\r\n{field}\r\nx\r\n")
        assert it.queue[0].subject == subject


@pytest.mark.parametrize(
    ("field", "message_id"),
    [
        pytest.param("Message-ID: <a.b@c.example>\r\n", "<a.b@c.example>", id="as it is"),
        pytest.param("message-id:\r\n <a@c.example> (mine)\r\n", "<a@c.example>", id="folded, with a comment"),
        pytest.param("Message-ID: a@c.example\r\n", "<a@c.example>", id="without brackets"),
    ],
)
async def test_message_id_of_the_author_stays(tmp_path, field, message_id):
    async with desk(tmp_path) as it:
        accepted = await it.send(field + MESSAGE)
        (one,) = it.queue
        assert one.message_id == accepted.message_id == message_id
        assert b"Message-ID" not in one.prefix


async def test_held_until_its_time(tmp_path):
    async with desk(tmp_path) as it:
        later = it.app.clock.now() + timedelta(hours=3)
        await it.send(MESSAGE, BOB, "alice@example.org", release=later, future_release="for;10800")
        assert {one.next_attempt for one in it.queue} == {int(later.timestamp() * 1e6)}
        assert {one.future_release for one in it.queue} == {"for;10800"}


async def test_wishes_for_notices_are_kept(tmp_path):
    async with desk(tmp_path) as it:
        to = To(path(BOB), ("DELAY", "SUCCESS"), "rfc822;b@x.example")
        await it.send(MESSAGE, to, "alice@example.org", ret="FULL", envid="e 1")
        first, second = it.queue
        assert (first.notify, first.orcpt, first.ret, first.envid) == (to.notify, to.orcpt, "FULL", "e 1")
        assert (second.notify, second.orcpt) == (None, None)
        assert [first.wants(what) for what in ("DELAY", "FAILURE", "SUCCESS")] == [True, False, True]
        assert [second.wants(what) for what in ("DELAY", "FAILURE", "SUCCESS")] == [True, True, False]


async def test_a_recipient_named_twice_gets_one_copy(tmp_path):
    async with desk(tmp_path) as it:
        await it.send(MESSAGE, BOB, "alice@example.org", BOB)
        assert [one.recipient for one in it.queue] == [BOB, "alice@example.org"]


# Unique sender addresses.


async def test_a_random_id_for_each_recipient(tmp_path):
    async with desk(tmp_path) as it:
        await it.send(MESSAGE, BOB, "alice@example.org", login="ids@example.org")
        first, second = it.queue
        for one in (first, second):
            assert re.fullmatch(r"[\w-]{22}", one.from_id)
            assert one.reverse_path == f"alice+{one.from_id}@example.org"
        assert first.from_id != second.from_id
        with it.app.store.read() as tx:
            assert queued.by_from_id(tx, second.from_id) == second


@pytest.mark.parametrize(
    ("sender", "login", "reverse_path", "from_id"),
    [
        pytest.param("alice+mine@example.org", "ids@example.org", "alice+mine@example.org", "mine", id="own id"),
        pytest.param(
            "alice+a+b-c@example.org", "IDS@example.org", "alice+a+b-c@example.org", "a+b-c", id="all the rest"
        ),
        pytest.param("alice+mine@example.org", "alice@example.org", "alice+mine@example.org", "", id="another login"),
        pytest.param("", "ids@example.org", "", "", id="null path"),
    ],
)
async def test_own_ids(tmp_path, sender, login, reverse_path, from_id):
    async with desk(tmp_path) as it:
        await it.send(sender=sender, login=login)
        (one,) = it.queue
        assert (one.reverse_path, one.from_id) == (reverse_path, from_id)


async def test_ids_are_used_once_and_by_one(tmp_path):
    async with desk(tmp_path) as it:
        own = {"sender": "alice+mine@example.org", "login": "ids@example.org"}
        with pytest.raises(OneIDForMany) as raised:
            await it.send(MESSAGE, BOB, "alice@example.org", **own)
        assert (door.of_problem(raised.value).code, str(raised.value.status)) == (554, "5.5.3")
        await it.send(**own)
        with pytest.raises(FromIDInUse) as used:
            await it.send(**own)
        assert (door.of_problem(used.value).code, str(used.value.status)) == (554, "5.1.7")
        (one,) = it.queue
        it.app.store.write_sync(queued.remove, one, success=True, keep=10**9)
        with pytest.raises(FromIDInUse):
            await it.send(**own)
        with pytest.raises(Malformed):
            await it.send(sender="a@catchall.example", login="ids@example.org")  # No separator there.


# Limits.


async def test_so_many_messages_a_day(tmp_path):
    async with desk(tmp_path) as it:
        await it.send(MESSAGE, BOB, "alice@example.org")
        await it.send(MESSAGE, BOB, "alice@example.org")
        with pytest.raises(TooManyMessages, match=r"4 messages.*max_outgoing_messages_per_day") as raised:
            await it.send()
        assert (door.of_problem(raised.value).code, str(raised.value.status)) == (451, "4.7.1")
        assert len(it.queue) == 4
        it.app.clock.move(24 * 3600 + 1)
        await it.send()


async def test_so_many_new_recipients_a_day(tmp_path):
    async with desk(tmp_path) as it:
        with pytest.raises(TooManyNewRecipients, match=r"2 recipients.*max_first_time_recipients_per_day") as raised:
            await it.send(MESSAGE, BOB, "alice@example.org", "ids@example.org")
        assert (door.of_problem(raised.value).code, str(raised.value.status)) == (451, "4.7.1")
        assert it.queue == []  # And nothing was counted.
        await it.send(MESSAGE, BOB, "alice@example.org")
        await it.send()
        with pytest.raises(TooManyNewRecipients):
            await it.send(MESSAGE, "ids@example.org")


async def test_bcc_stays_unless_the_account_wants_it_gone(tmp_path):
    octets = "Bcc: x@y.example\r\n\tz@y.example\r\nFrom: {0}@example.org\r\nbcc: a@b.example\r\n\r\nBcc: body\r\n"
    async with desk(tmp_path) as it:
        await it.send(octets.format("alice"))
        await it.send(octets.format("bob"), sender=BOB, account="bob")
        kept, stripped = (it.content(one).removeprefix(one.prefix) for one in it.queue)
        assert kept == octets.format("alice").encode()
        assert stripped == b"From: bob@example.org\r\n\r\nBcc: body\r\n"


async def test_counted(tmp_path):
    def count(result):
        return submit.submissions.labels(result).value

    async with desk(tmp_path) as it:
        before = {result: count(result) for result in ("ok", "badmessage", "badfrom", "queueerror")}
        await it.send(sender="alice+x@example.org", login="ids@example.org")
        for octets, options in (("\r\n", {}), (MESSAGE.replace("alice", "bob"), {})):
            with pytest.raises(submit.SubmissionRefused):
                await it.send(octets, **options)
        with pytest.raises(FromIDInUse):
            await it.send(sender="alice+x@example.org", login="ids@example.org")
        assert {result: count(result) - number for result, number in before.items()} == dict.fromkeys(before, 1)
