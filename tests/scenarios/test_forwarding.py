"""Mail that one whole server forwards to another: it passes there, failures find who must know, nothing goes in circles.

Eve at c.example writes to a.example, which forwards to b.example; what she is told arrives at her host.
"""

import email
import email.policy
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_address

import pytest

from appliance.base.limits import FORWARDS_PER_DAY, RETURN_PATH_DAYS, RETURN_PATH_NOTICES
from appliance.dns.answers import MX, Type
from appliance.store import account as accounts, forwarded, hook, queued
from appliance.store.hookrecords import INCOMING
from appliance.store.tables import HookID
from scenarios.test_two_houses import ADDRESSES, HOSTS, houses, until_quiet
from support import dkimkeys
from support.mailworld import Host
from support.queuepost import Post, fields, path

EVE = "192.0.2.13"
KEY = dkimkeys.rsa_key(2048)
NAMES = {
    **HOSTS,
    "c.example": {Type.MX: [MX(10, "mx.c.example")], Type.TXT: [f"v=spf1 ip4:{EVE} -all"]},
    "mx.c.example": {Type.A: [ip_address(EVE)]},
    "_dmarc.c.example": {Type.TXT: ["v=DMARC1; p=reject"]},
    # Nobody vouches for it.
    "d.example": {Type.MX: [MX(10, "mx.c.example")]},
    **{f"key._domainkey.{one}.example": {Type.TXT: [f"v=DKIM1; p={dkimkeys.published(KEY)}"]} for one in "ab"},
}
CONFIG = """\
[domains."{name}.example".dkim]
sign = ["key"]
[domains."{name}.example".dkim.selectors.key]
private_key_file = "key.pem"
{more}
[accounts.alice.destinations."alice@{name}.example"]
{alice}
[accounts.bob.destinations."bob@{name}.example"]
{bob}
"""
TRUSTING = """\
[[accounts.bob.destinations."bob@b.example".rulesets]]
smtp_mail_from_regexp = "@a[.]example$"
verified_domain = "a.example"
is_forward = true
"""
TO_BOB = 'forward = ["bob@b.example"]'
ONLY_TO_BOB = f"{TO_BOB}\nforward_only = true"
MESSAGE = b"From: eve@c.example\r\nTo: %b\r\nSubject: hello\r\nMessage-ID: <1@c.example>\r\n\r\nhi\r\n"
STORED = b"250 2.2.0 message is stored"


def config(name: str, *, alice: str = "", bob: str = "", more: str = "") -> str:
    return CONFIG.format(name=name, alice=alice, bob=bob, more=more)


@asynccontextmanager
async def world(folder, a: str, b: str) -> AsyncIterator[tuple[Post, Post, Host]]:
    """Both houses, and the host of c.example."""
    texts, files = {"a": a, "b": b}, {"key.pem": dkimkeys.pem(KEY)}
    async with houses(folder, domains=texts, hosts=NAMES, files=files) as (one, other):
        yield one, other, one.net.host(EVE)


async def hand_over(
    post: Post, *to: str, mail_from: str = "eve@c.example", octets: bytes = b"", meanwhile: Callable | None = None
) -> bytes:
    """Eve's host hands over a message: the reply to it, or the first that refuses. `meanwhile` is before its end."""
    client = post.house.connect(EVE)

    async def said() -> bytes:
        while (reply := await client.line())[3:4] == b"-":
            pass
        return reply

    await said()
    # Parameters follow an address behind a space.
    recipients = [f"RCPT TO:<{one.replace(' ', '> ', 1)}{'' if ' ' in one else '>'}" for one in to]
    for line in ("EHLO mx.c.example", f"MAIL FROM:<{mail_from}>", *recipients, "DATA"):
        await client.send(line.encode() + b"\r\n")
        if not (reply := await said()).startswith((b"250", b"354")):
            break
    else:
        if meanwhile is not None:
            await meanwhile()
        await client.send((octets or MESSAGE % to[0].encode()) + b".\r\n")
        reply = await said()
    await client.send(b"QUIT\r\n")
    return reply.rpartition(b" (")[0] if reply.endswith(b")") else reply


def parsed(octets: bytes):
    return email.message_from_bytes(octets, policy=email.policy.default)


def return_path(b: Post) -> str:
    """The sender address that bob's copy came with."""
    (there,) = b.inbox("bob")
    return str(parsed(there)["Return-Path"]).strip("<>")


# What arrives.


async def test_it_passes_there(tmp_path):
    """SPF by an address of ours; DMARC fails, and who trusts the forwarder believes what it sealed by ARC."""
    async with world(tmp_path, config("a", alice=TO_BOB), config("b", bob=TRUSTING)) as (a, b, eve):
        assert await hand_over(a, "alice@a.example") == STORED
        await until_quiet(a, b)
        (kept,), (there,) = a.inbox("alice"), b.inbox("bob")
        assert b"X-Mox-Reason: no-bad-signals" in kept
        assert b"ARC-Seal" not in kept
        message = parsed(there)
        results = " ".join(message["Authentication-Results"].split())
        assert "spf=pass" in results
        assert "dmarc=fail (without dnssec, override forwarded)" in results
        assert "arc=pass (sealed by a.example)" in results
        assert message.get_all("Delivered-To") == ["bob@b.example", "alice@a.example"]
        ours = " ".join(message["ARC-Authentication-Results"].split())
        assert ours.startswith("i=1; mx.example; iprev=")
        assert "dmarc=pass" in ours
        assert "a.example found by ARC: dmarc=pass" in " ".join(message["X-Mox-Reason"].split())
        assert str(message["Return-Path"]).startswith("<srs=")
        assert str(message["Return-Path"]).endswith("@a.example>")
        assert len(message.get_all("X-Mox-Reason")) == 1
        assert there.endswith(MESSAGE % b"alice@a.example")
        assert eve.arrived == []


async def test_who_does_not_trust_refuses_it(tmp_path):
    """The account hears of it and has the message; the sender was told 250 and hears nothing. It is tried again then."""
    async with world(tmp_path, config("a", alice=TO_BOB), config("b")) as (a, b, eve):
        for _ in range(2):
            assert await hand_over(a, "alice@a.example") == STORED
            await until_quiet(a, b)
        assert b.inbox("bob") == []
        notices = a.notices("alice")
        assert [one["Subject"] for one in notices] == ["Mail forwarding failed"] * 2
        assert len(a.inbox("alice")) == 4
        for notice in notices:
            assert str(notice["To"]) == "alice@a.example"
            assert fields(notice)["Final-Recipient"] == "rfc822; bob@b.example"
            assert fields(notice)["Diagnostic-Code"].startswith("smtp; 550 5.7.26")
            text = next(notice.iter_parts()).get_content()
            assert 'A message "hello" for alice@a.example,' in text
            assert "You have the message all the same." in text
        assert eve.arrived == []


async def test_nothing_is_lost_where_no_copy_is_kept(tmp_path):
    """What cannot be delivered there is the account's again, beside the notice; what can be is not kept."""
    async with world(tmp_path, config("a", alice=ONLY_TO_BOB), config("b")) as (a, b, eve):
        assert await hand_over(a, "alice@a.example") == STORED
        await until_quiet(a, b)
        notice, back = sorted(a.inbox("alice"), key=lambda one: b"multipart/report" not in one)
        assert b"The message is beside this notice." in notice
        assert back.endswith(MESSAGE % b"alice@a.example")
        assert b"Delivered-To: alice@a.example" in back
        assert eve.arrived == []
    (tmp_path / "two").mkdir()
    async with world(tmp_path / "two", config("a", alice=ONLY_TO_BOB), config("b", bob=TRUSTING)) as (a, b, _):
        assert await hand_over(a, "alice@a.example") == STORED
        await until_quiet(a, b)
        assert (len(a.inbox("alice")), len(b.inbox("bob"))) == (0, 1)


async def test_given_back_once(tmp_path):
    """Two addresses outside fail one after the other: the message comes back once."""
    alice = 'forward = ["bob@b.example", "x@stray.example"]\nforward_only = true'
    async with world(tmp_path, config("a", alice=alice), config("b")) as (a, b, _):
        assert await hand_over(a, "alice@a.example") == STORED
        await until_quiet(a, b)
        assert len(a.notices("alice")) == 2
        assert len(a.inbox("alice")) == 3


async def test_our_own_mail_keeps_its_sender(tmp_path):
    """SPF passes by it, and failures beyond come to its sender as for all his mail."""
    async with world(tmp_path, config("a", alice=TO_BOB), config("b")) as (a, b, _):
        octets = b"From: bob@a.example\r\nTo: alice@a.example\r\nSubject: own\r\n\r\nhi\r\n"
        await a.send("alice@a.example", account="bob", reverse_path=path("bob@a.example"), octets=octets)
        await until_quiet(a, b)
        (there,) = b.inbox("bob")
        assert b"Return-Path: <bob@a.example>" in there
        assert b"ARC-Seal" not in there
        assert b"dkim=pass" in there
        assert len(a.inbox("alice")) == 1


async def test_an_address_outside_gets_one_copy(tmp_path):
    """Through two aliases and an account; members get theirs, too."""
    more = """
    [domains."a.example".aliases.team]
    addresses = ["alice@a.example", "bob@a.example"]
    forward = ["BOB@b.example"]
    post_public = true
    [domains."a.example".aliases.all]
    addresses = ["bob@a.example"]
    forward = ["bob@b.example"]
    post_public = true
    """
    async with world(tmp_path, config("a", alice=TO_BOB, more=more), config("b", bob=TRUSTING)) as (a, b, _):
        to = ("team@a.example", "alice@a.example", "all@a.example")
        assert await hand_over(a, *to) == STORED
        await until_quiet(a, b)
        assert (len(a.inbox("alice")), len(a.inbox("bob")), len(b.inbox("bob"))) == (1, 1, 1)
        assert parsed(b.inbox("bob")[0]).get_all("Delivered-To") == ["bob@b.example", "alice@a.example"]


async def test_an_address_beyond_ascii_is_in_nobodys_way(tmp_path):
    """A host without SMTPUTF8 gets the copy that does not need it, though they go together."""
    text = config("a", alice='forward = ["börje@b.example", "bob@b.example"]')
    async with world(tmp_path, text, config("b")) as (a, b, _):
        plain = a.net.host(ADDRESSES["b"])
        assert await hand_over(a, "alice@a.example") == STORED
        await until_quiet(a, b)
        assert [one.recipients for one in plain.arrived] == [["RCPT TO:<bob@b.example>"]]
        (notice,) = a.notices("alice")
        assert "börje@b.example" in next(notice.iter_parts()).get_content()


async def test_junk_stays(tmp_path):
    """By the mailbox that a rule names, and what was only accepted as refused."""
    rule = """\
    [[accounts.alice.destinations."alice@a.example".rulesets]]
    msg_from_regexp = "eve"
    mailbox = "Junk"
    """
    refused = rule.replace('mailbox = "Junk"', 'accept_rejects_to_mailbox = "Odd"')
    junk = "[accounts.alice.automatic_junk_flags]\nenabled = true\njunk_mailbox_regexp = '^junk'"
    for number, (text, octets, mailbox) in enumerate(
        [
            (rule + junk, b"", "Junk"),
            (refused, MESSAGE.replace(b"eve@c.example", b"eve@mx.c.example") % b"x", "Odd"),
        ]
    ):
        (tmp_path / str(number)).mkdir()
        names = config("a", alice=f"{ONLY_TO_BOB}\n{text}")
        async with world(tmp_path / str(number), names, config("b", bob=TRUSTING)) as (a, b, _):
            sender = "eve@c.example" if not octets else "eve@d.example"
            assert await hand_over(a, "alice@a.example", mail_from=sender, octets=octets) == STORED
            await until_quiet(a, b)
            assert (len(a.inbox("alice", mailbox)), b.inbox("bob")) == (1, [])


# Notices.


BOUNCE = (
    b"From: postmaster@b.example\r\nTo: x\r\nSubject: failed\r\n"
    b"Content-Type: multipart/report; report-type=delivery-status; boundary=x\r\n\r\n--x--\r\n"
)


async def test_a_notice_goes_back_to_the_sender(tmp_path):
    async with world(tmp_path, config("a", alice=TO_BOB), config("b", bob=TRUSTING)) as (a, b, eve):
        await hand_over(a, "alice@a.example")
        await until_quiet(a, b)
        sender = return_path(b)
        # Some servers write addresses in upper case.
        assert await hand_over(a, sender.upper(), mail_from="", octets=BOUNCE) == b"250 2.2.0 message is queued"
        await until_quiet(a, b)
        (notice,) = eve.arrived
        assert notice.mail.startswith("MAIL FROM:<>")
        assert notice.recipients == ["RCPT TO:<eve@c.example>"]
        assert notice.octets.endswith(BOUNCE)
        assert notice.octets.startswith(b"Received: from mx.c.example")
        assert a.notices("alice") == []


@pytest.mark.parametrize("when", ["unknown", "expired", "not a notice"])
async def test_other_mail_to_such_addresses_is_refused(tmp_path, when):
    async with world(tmp_path, config("a", alice=TO_BOB), config("b", bob=TRUSTING)) as (a, b, eve):
        await hand_over(a, "alice@a.example")
        await until_quiet(a, b)
        sender, mail_from, expected = return_path(b), "", b"550 5.1.1 no such recipient here"
        if when == "unknown":
            sender = sender.replace("srs=", "srs=" + "b" * 5)[:36] + "@a.example"
        elif when == "expired":
            a.clock.move(RETURN_PATH_DAYS * 24 * 3600 + 1)
        else:
            mail_from = "eve@c.example"
            expected = b"550 5.7.1 this address takes notices about forwarded mail only"
        assert (await hand_over(a, sender, mail_from=mail_from, octets=BOUNCE)).startswith(expected)
        assert (a.queue, eve.arrived) == ([], [])


async def test_notices_have_an_end(tmp_path):
    async with world(tmp_path, config("a", alice=TO_BOB), config("b", bob=TRUSTING)) as (a, b, eve):
        await hand_over(a, "alice@a.example")
        await until_quiet(a, b)
        sender = return_path(b)
        replies = [await hand_over(a, sender, mail_from="", octets=BOUNCE) for _ in range(RETURN_PATH_NOTICES + 1)]
        await until_quiet(a, b)
        assert [reply[:3] for reply in replies] == [b"250"] * RETURN_PATH_NOTICES + [b"550"]
        assert len(eve.arrived) == RETURN_PATH_NOTICES


async def test_who_was_never_vouched_for_is_told_nothing(tmp_path):
    """The account that forwards is, and that is not forwarded."""
    octets = b"From: victim@d.example\r\nTo: alice@a.example\r\n\r\nhi\r\n"
    async with world(tmp_path, config("a", alice=ONLY_TO_BOB), config("b", bob=TRUSTING)) as (a, b, eve):
        assert await hand_over(a, "alice@a.example", mail_from="victim@d.example", octets=octets) == STORED
        await until_quiet(a, b)
        sender = return_path(b)
        assert sender.startswith("srs=")
        assert (await hand_over(a, sender, mail_from="", octets=BOUNCE)).startswith(b"250")
        await until_quiet(a, b)
        assert eve.arrived == []
        (notice,) = a.inbox("alice")
        assert notice.endswith(BOUNCE)
        assert len(b.inbox("bob")) == 1


async def test_no_sender_stays_no_sender(tmp_path):
    async with world(tmp_path, config("a", alice=ONLY_TO_BOB), config("b")) as (a, b, eve):
        octets = BOUNCE.replace(b"b.example", b"d.example")
        assert await hand_over(a, "alice@a.example", mail_from="", octets=octets) == STORED
        await until_quiet(a, b)
        (there,) = b.inbox("bob")
        assert b"Return-Path: <>" in there
        assert (a.inbox("alice"), eve.arrived) == ([], [])


async def test_no_sender_and_no_way(tmp_path):
    """Nobody is told of it but who forwards, and the message is there."""
    alice = 'forward = ["x@stray.example"]\nforward_only = true'
    async with world(tmp_path, config("a", alice=alice), config("b")) as (a, b, eve):
        octets = BOUNCE.replace(b"b.example", b"d.example")
        assert await hand_over(a, "alice@a.example", mail_from="", octets=octets) == STORED
        await until_quiet(a, b)
        assert [one.endswith(octets) for one in sorted(a.inbox("alice"), key=len)] == [True, False]
        assert eve.arrived == []


async def test_success_is_told_as_passed_on(tmp_path):
    """RFC 3461 §5.2.3: who asked hears that the message went where no notices of success come from."""
    async with world(tmp_path, config("a", alice=ONLY_TO_BOB), config("b", bob=TRUSTING)) as (a, b, eve):
        octets = MESSAGE % b"alice@a.example"
        assert await hand_over(a, "alice@a.example NOTIFY=SUCCESS", octets=octets) == STORED
        await until_quiet(a, b)
        (notice,) = eve.arrived
        assert b"Action: relayed" in notice.octets
        assert b"alice@a.example" in notice.octets
        assert b"bob" not in notice.octets


# Circles.


@pytest.mark.parametrize("only", ["", "forward_only = true"])
async def test_two_that_forward_to_each_other(tmp_path, only):
    """One round, then it is where it began. The sender hears nothing."""
    there, back = f'forward = ["bob@b.example"]\n{only}', f'forward = ["alice@a.example"]\n{only}\n{TRUSTING}'
    trust = TRUSTING.replace("bob@b", "alice@a").replace("accounts.bob", "accounts.alice").replace('"a.e', '"b.e')
    trust = trust.replace("@a[.]", "@b[.]")
    async with world(tmp_path, config("a", alice=there + "\n" + trust), config("b", bob=back)) as (a, b, eve):
        assert await hand_over(a, "alice@a.example") == STORED
        await until_quiet(a, b)
        here, other = len(a.inbox("alice")), len(b.inbox("bob"))
        assert (here, other) == ((1, 0) if only else (2, 1))
        assert len(a.net.dialed) == 2
        assert eve.arrived == []
        assert a.notices("alice") == []
        last = parsed(a.inbox("alice")[-1])
        assert last.get_all("Delivered-To") == ["alice@a.example", "bob@b.example", "alice@a.example"]
        assert "arc=pass (sealed by a.example, b.example)" in " ".join(last["Authentication-Results"].split())


async def test_too_much_is_kept(tmp_path):
    async with world(tmp_path, config("a", alice=ONLY_TO_BOB), config("b", bob=TRUSTING)) as (a, b, _):
        with a.store.read() as tx:
            account = tx.account_id("alice")
        await a.store.write(forwarded.count, account, FORWARDS_PER_DAY - 1)
        for expected in ((0, 1), (1, 1)):
            assert await hand_over(a, "alice@a.example") == STORED
            await until_quiet(a, b)
            assert (len(a.inbox("alice")), len(b.inbox("bob"))) == expected
        with a.store.read() as tx:
            assert forwarded.forwarded(tx, account, a.clock.microseconds()) == FORWARDS_PER_DAY
        a.clock.move(25 * 3600)
        assert await hand_over(a, "alice@a.example") == STORED
        await until_quiet(a, b)
        assert (len(a.inbox("alice")), len(b.inbox("bob"))) == (1, 2)


async def test_a_full_mailbox_forwards_nothing(tmp_path):
    """Its sender comes again: nobody gets the message twice."""
    more = "\n[accounts.tiny]\nquota_message_size = 1\n[accounts.tiny.destinations]\n"
    more += '"tiny@a.example" = { forward = ["bob@b.example"] }\n'
    async with world(tmp_path, config("a", bob=more), config("b", bob=TRUSTING)) as (a, b, _):
        for _ in range(2):
            assert (await hand_over(a, "tiny@a.example")).startswith(b"452 4.2.2 mailbox is full")
        await until_quiet(a, b)
        assert b.inbox("bob") == []


async def test_an_account_that_goes_forwards_nothing(tmp_path):
    """What it has in the queue goes with it: nobody may be told 250 for that."""
    async with world(tmp_path, config("a", bob=ONLY_TO_BOB), config("b", bob=TRUSTING)) as (a, b, _):

        async def removed() -> None:
            await a.store.write(accounts.begin_removal, "bob")

        reply = await hand_over(a, "bob@a.example", meanwhile=removed)
        assert reply.startswith(b"550 5.1.1")
        await until_quiet(a, b)
        assert b.inbox("bob") == []


async def test_programs_hear_of_what_is_forwarded_and_not_of_its_fate(tmp_path):
    """The account's program is told of the message, kept or not; what becomes of the copy is none of its sending."""
    hooks = '[accounts.alice.{}_webhook]\nurl = "http://127.0.0.1:1/"\n'
    for number, settings in enumerate((TO_BOB, ONLY_TO_BOB)):
        (tmp_path / str(number)).mkdir()
        text = config("a", alice=f"{settings}\n" + hooks.format("incoming") + hooks.format("outgoing"))
        async with world(tmp_path / str(number), text, config("b", bob=TRUSTING)) as (a, b, _):
            assert await hand_over(a, "alice@a.example") == STORED
            await until_quiet(a, b)
            assert len(b.inbox("bob")) == 1
            with a.store.read() as tx:
                assert hook.count(tx) == 1
                assert hook.get(tx, HookID(1)).event == INCOMING


async def test_what_fails_is_no_news_of_the_address(tmp_path):
    """A refusal of one message puts nobody on the list of those who get no mail any more."""
    async with world(tmp_path, config("a", alice=TO_BOB), config("b")) as (a, b, _):
        await hand_over(a, "alice@a.example")
        await until_quiet(a, b)
        dialed = len(a.net.dialed)
        await hand_over(a, "alice@a.example")
        with a.store.read() as tx:
            assert [one.forwarded_by for one in queued.all_messages(tx)] in ([], ["alice@a.example"])
        await until_quiet(a, b)
        assert len(a.net.dialed) == dialed + 1
