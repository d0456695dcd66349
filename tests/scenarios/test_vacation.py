"""Automatic replies between whole servers: who gets one, once, what it says, and that nothing answers it."""

import email
import email.policy

import pytest

from appliance.base import limits
from appliance.dns.answers import Type
from appliance.operations import vacation
from appliance.operations.actor import Actor
from appliance.store.tables import Table
from appliance.store.webrecords import Vacation
from scenarios.test_forwarding import NAMES, STORED, config, hand_over, parsed, world
from scenarios.test_two_houses import until_quiet
from support.queuepost import path

DAY = 24 * 3600
AWAY = Vacation(is_enabled=True, text="Gone fishing.\n")


async def away(post, account="alice", new=AWAY):
    with post.store.read() as tx:
        actor = Actor(tx.account_id(account), account, "")
    return await vacation.change(post.app, actor, new)


def message(**fields: str) -> bytes:
    values = {
        "From": "Eve <eve@c.example>",
        "To": "alice@a.example",
        "Subject": "hello",
        "Message-ID": "<Q1@c.example>",
    }
    values |= {name.replace("_", "-"): value for name, value in fields.items()}
    lines = [f"{name}: {value}\r\n" for name, value in values.items() if value]
    return "".join(lines).encode() + b"\r\nhi\r\n"


async def test_what_is_replied(tmp_path):
    """From the address that was written to, by nobody, signed, as an answer; in text and HTML."""
    async with world(tmp_path, config("a"), config("b")) as (a, b, eve):
        new = Vacation(is_enabled=True, text="Gone föshing.", html="<p>Gone <b>föshing</b>.</p>")
        await away(a, new=new)
        octets = message(References="<r1@c.example> <r2@c.example>", To="Alice <ALICE@a.example>, x@y.example")
        assert await hand_over(a, "alice@a.example", octets=octets) == STORED
        await until_quiet(a, b)
        (reply,) = eve.arrived
        assert reply.mail.startswith("MAIL FROM:<>")
        assert reply.recipients == ["RCPT TO:<eve@c.example>"]
        said = parsed(reply.octets)
        assert (said["From"], said["To"], said["Subject"]) == ("ALICE@a.example", "eve@c.example", "Auto: hello")
        assert said["Auto-Submitted"] == "auto-replied"
        assert said["In-Reply-To"] == "<Q1@c.example>"
        assert said["References"] == "<r1@c.example> <r2@c.example> <Q1@c.example>"
        assert b"d=a.example" in reply.octets.partition(b"\r\n\r\n")[0]
        text, html = said.iter_parts()
        assert [one.get_content() for one in (text, html)] == ["Gone föshing.\r\n", "<p>Gone <b>föshing</b>.</p>\r\n"]
        assert len(a.inbox("alice")) == 1
        assert a.notices("alice") == []


@pytest.mark.parametrize(
    ("new", "subject", "text"),
    [
        (Vacation(is_enabled=True), "Auto: hello", "I am away, and will read your message when I am back.\r\n"),
        (Vacation(is_enabled=True, subject="Back on Monday", text=""), "Back on Monday", "\r\n"),
        (Vacation(is_enabled=True, html="<p>Gone &amp; <b>away</b></p>"), "Auto: hello", "Gone & away\r\n"),
        (Vacation(is_enabled=True, html="<p>Gone</p>" + "<i></i>" * 5000), "Auto: hello", "Gone\r\n"),
    ],
)
async def test_what_is_replied_when_less_is_said(tmp_path, new, subject, text):
    async with world(tmp_path, config("a"), config("b")) as (a, b, eve):
        await away(a, new=new)
        assert await hand_over(a, "alice@a.example", octets=message()) == STORED
        await until_quiet(a, b)
        said = parsed(eve.arrived[0].octets)
        assert said["Subject"] == subject
        assert said.get_body(("plain",)).get_content() == text


async def test_once_in_some_days(tmp_path):
    async with world(tmp_path, config("a"), config("b")) as (a, b, eve):
        await away(a)
        for _ in range(3):
            assert await hand_over(a, "alice@a.example", octets=message()) == STORED
        await until_quiet(a, b)
        assert len(eve.arrived) == 1
        # Some have another address in each envelope: From tells who it is.
        assert await hand_over(a, "alice@a.example", mail_from="eve+2@c.example", octets=message()) == STORED
        await until_quiet(a, b)
        assert len(eve.arrived) == 1
        a.clock.move(7 * DAY)
        assert await hand_over(a, "alice@a.example", octets=message()) == STORED
        await until_quiet(a, b)
        assert len(eve.arrived) == 2
        assert len(a.inbox("alice")) == 5


NOT_ANSWERED = {
    "a list": message(List_Id="<l.c.example>"),
    "one may leave it": message(List_Unsubscribe="<https://c.example/>"),
    "bulk": message(Precedence="Bulk"),
    "automatic": message(Auto_Submitted="auto-replied"),
    "made by a program": message(Auto_Submitted="auto-generated; x=y"),
    "a vendor's word for it": message(X_Auto_Response_Suppress="DR, OOF"),
    "a report": message(Content_Type='multipart/report; boundary="x"'),
    "nobody reads there": message(From="No-Reply <no-reply@c.example>"),
    "not written to her": message(To="team@c.example"),
    "by Bcc": message(To=""),
    "no From": message(From=""),
    "two in From": message(From="eve@c.example, ann@c.example"),
}


@pytest.mark.parametrize("octets", NOT_ANSWERED.values(), ids=NOT_ANSWERED)
async def test_what_is_not_answered(tmp_path, octets):
    async with world(tmp_path, config("a"), config("b")) as (a, b, eve):
        await away(a)
        await hand_over(a, "alice@a.example", octets=octets)
        await until_quiet(a, b)
        assert eve.arrived == []
        assert b.inbox("bob") == []
        with a.store.read() as tx:
            assert not tx.entries(Table.VACATION_ANSWERED)


async def test_not_who_it_says(tmp_path, monkeypatch):
    """The policy of From's domain fails and does not ask for more."""
    octets = message(From="ann@d.example")
    async with world(tmp_path, config("a"), config("b")) as (a, b, eve):
        await away(a)
        assert await hand_over(a, "alice@a.example", octets=octets) == STORED
        await until_quiet(a, b)
        assert len(eve.arrived) == 1  # There is no policy: it goes to whom SPF vouches for.
    monkeypatch.setitem(NAMES, "_dmarc.d.example", {Type.TXT: ["v=DMARC1; p=none"]})
    (tmp_path / "two").mkdir()
    async with world(tmp_path / "two", config("a"), config("b")) as (a, b, eve):
        await away(a)
        assert await hand_over(a, "alice@a.example", octets=octets) == STORED
        await until_quiet(a, b)
        assert len(a.inbox("alice")) == 1
        assert eve.arrived == []


SENDERS = {
    "nobody": "",
    "the other server": "MAILER-DAEMON@c.example",
    "a list": "list-owner@c.example",
    "bounces": "bounces+17@c.example",
    "SPF does not vouch for it": "eve@d.example",
}


@pytest.mark.parametrize("sender", SENDERS.values(), ids=SENDERS)
async def test_senders_that_are_not_answered(tmp_path, sender):
    async with world(tmp_path, config("a"), config("b")) as (a, b, eve):
        await away(a)
        await hand_over(a, "alice@a.example", mail_from=sender, octets=message())
        await until_quiet(a, b)
        assert eve.arrived == []


@pytest.mark.parametrize(
    "new",
    [
        Vacation(is_enabled=False, text="x"),
        Vacation(is_enabled=True, from_date=2**60),
        Vacation(is_enabled=True, to_date=5),
    ],
)
async def test_not_at_that_time(tmp_path, new):
    async with world(tmp_path, config("a"), config("b")) as (a, b, eve):
        await away(a, new=new)
        assert await hand_over(a, "alice@a.example", octets=message()) == STORED
        await until_quiet(a, b)
        assert eve.arrived == []


async def test_not_for_junk(tmp_path):
    rule = """\
    [[accounts.alice.destinations."alice@a.example".rulesets]]
    msg_from_regexp = "eve@"
    mailbox = "Junk"
    """
    more = '[accounts.alice.automatic_junk_flags]\nenabled = true\njunk_mailbox_regexp = "^junk$"\n'
    async with world(tmp_path, config("a", alice=rule + more), config("b")) as (a, b, eve):
        await away(a)
        assert await hand_over(a, "alice@a.example", octets=message()) == STORED
        await until_quiet(a, b)
        assert len(a.inbox("alice", "Junk")) == 1
        assert eve.arrived == []


async def test_so_many_a_day(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "VACATION_REPLIES_PER_DAY", 1)
    async with world(tmp_path, config("a"), config("b")) as (a, b, eve):
        await away(a)
        for name in ("eve", "ann"):
            octets = message(From=f"{name}@c.example")
            assert await hand_over(a, "alice@a.example", mail_from=f"{name}@c.example", octets=octets) == STORED
        await until_quiet(a, b)
        assert [one.recipients for one in eve.arrived] == [["RCPT TO:<eve@c.example>"]]


async def test_two_who_are_away_do_not_answer_each_other(tmp_path):
    """On two servers, on one, and a message to oneself."""
    async with world(tmp_path, config("a"), config("b")) as (a, b, _):
        for post in (a, b):
            for account in ("alice", "bob"):
                await away(post, account)
        for to in ("bob@b.example", "bob@a.example", "alice@a.example"):
            octets = f"From: alice@a.example\r\nTo: {to}\r\nSubject: hello\r\n\r\nhi\r\n".encode()
            await a.send(to, reverse_path=path("alice@a.example"), octets=octets)
            await until_quiet(a, b)
        replies = [parsed(one) for one in a.inbox("alice") if b"Auto-Submitted" in one]
        assert sorted(one["From"] for one in replies) == ["bob@a.example", "bob@b.example"]
        assert all(one["In-Reply-To"] for one in replies)
        assert len(a.inbox("alice")) == 3
        assert [len(post.inbox("bob")) for post in (a, b)] == [1, 1]
        assert not any(b"Auto-Submitted" in one for post in (a, b) for one in post.inbox("bob"))


async def test_what_cannot_be_delivered_is_forgotten(tmp_path):
    """Nobody hears of it, and nobody is put on the list of those who are not written to."""
    async with world(tmp_path, config("a"), config("b")) as (a, b, eve):
        eve.replies["RCPT"] = "550 5.1.1 no such mailbox"
        await away(a)
        assert await hand_over(a, "alice@a.example", octets=message()) == STORED
        await until_quiet(a, b)
        assert len(a.inbox("alice")) == 1
        with a.store.read() as tx:
            assert not tx.entries(Table.SUPPRESSION)


async def test_an_alias_does_not_answer_for_its_members(tmp_path):
    more = '[domains."a.example".aliases.team]\naddresses = ["alice@a.example", "bob@a.example"]\npost_public = true\n'
    async with world(tmp_path, config("a", more=more), config("b")) as (a, b, eve):
        await away(a)
        assert await hand_over(a, "team@a.example", octets=message(To="team@a.example")) == STORED
        await until_quiet(a, b)
        assert eve.arrived == []
        assert await hand_over(a, "team@a.example", octets=message(To="team@a.example, alice@a.example")) == STORED
        await until_quiet(a, b)
        (reply,) = eve.arrived
        assert email.message_from_bytes(reply.octets, policy=email.policy.default)["From"] == "alice@a.example"


@pytest.mark.parametrize(
    ("new", "name"),
    [
        (Vacation(subject="a\nb"), "subject"),
        (Vacation(text="x" * (limits.VACATION_CHARACTERS + 1)), "textBody"),
        (Vacation(html="\0"), "htmlBody"),
        (Vacation(days=0), "daysBetweenReplies"),
        (Vacation(from_date=5, to_date=5), "toDate"),
    ],
)
async def test_what_cannot_be_set(tmp_path, new, name):
    async with world(tmp_path, config("a"), config("b")) as (a, _, _):
        with pytest.raises(vacation.BadVacation) as problem:
            await away(a, new=new)
        assert problem.value.name == name
