"""What RCPT and the end of DATA do beyond single dialogues: notices, reports over plain text, the submission door."""

import email
import re
from base64 import b64encode
from ipaddress import ip_address
from pathlib import Path

import pytest

from appliance.dns.answers import Type
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table
from appliance.protocol.smtp.settings import Kind
from appliance.store import account, bodies, mailbox, message as message_records, queued
from appliance.store.queuerecords import QueuedMessage
from support.imaphouse import PASSWORD, Client
from support.smtphouse import House, open_house

DOMAINS = (Path(__file__).parents[2] / "transcripts" / "smtp" / "domains.toml").read_text()


async def reply(client: Client) -> bytes:
    """A whole reply."""
    lines = [await client.line()]
    while lines[-1][3:4] == b"-":
        lines.append(await client.line())
    return b"\n".join(lines)


async def ask(client: Client, line: str) -> str:
    await client.send(line.encode() + b"\r\n")
    return (await reply(client)).decode()


async def greet(house: House) -> Client:
    client = house.connect()
    await reply(client)
    await ask(client, "LHLO client.example" if house.door.protocol.lmtp else "EHLO client.example")
    return client


async def transact(client: Client, sender: str, recipients: list[str], message: str = "Subject: x\r\n\r\nx") -> str:
    await ask(client, f"MAIL FROM:{sender}")
    for one in recipients:
        assert (await ask(client, f"RCPT TO:{one}")).startswith("250")
    assert (await ask(client, "DATA")).startswith("354")
    return await ask(client, f"{message}\r\n.")


def waiting(house: House) -> list[tuple[QueuedMessage, bytes]]:
    found = []
    with house.store.read() as tx:
        for id in queued.due(tx, house.app.clock.microseconds()):
            one = queued.get(tx, id)
            assert one is not None
            found.append((one, one.prefix + bodies.read(tx, one.body, 0, one.size)))
    return found


async def test_whoever_is_left_out_is_told_of_by_mail(tmp_path):
    async with open_house(tmp_path, DOMAINS) as house:
        client = await greet(house)
        recipients = ["<alice@example.org>", "<tiny@example.org>", "<nobody@example.org>", "<team@example.org>"]
        message = "Subject: x\r\nMessage-ID: <1@sender.example>\r\n\r\nx"
        assert (await transact(client, "<x@sender.example>", recipients, message)).startswith("250 2.2.0")
        assert house.messages() == {"alice/Inbox": ["alice@example.org"]}
        [(one, octets)] = waiting(house)
        assert (one.recipient, one.reverse_path, one.requiretls, one.dsn_utf8) == ("x@sender.example", "", None, None)
        with house.store.read() as tx:
            assert one.account == tx.account_id("alice")  # the postmaster
        notice = email.message_from_bytes(octets)
        assert (notice["From"], notice["To"]) == (
            "Mail Delivery System <postmaster@example.org>",
            "x@sender.example",
        )
        text, status, original = notice.get_payload()
        groups = status.get_payload()
        assert [(group["Final-Recipient"], group["Action"], group["Status"]) for group in groups[1:]] == [
            ("rfc822; tiny@example.org", "failed", "5.2.2 (mailbox is full)"),
            ("rfc822; nobody@example.org", "failed", "5.1.1 (no such recipient here)"),
            ("rfc822; team@example.org", "failed", "5.7.2 (only members may write to this address)"),
        ]
        assert "tiny@example.org\n    452 4.2.2 mailbox is full" in text.get_payload().replace("\r\n", "\n")
        assert original.get_content_type() == "text/rfc822-headers"
        assert original.get_payload().split("\n")[0].strip() == "Subject: x"
        assert (notice["References"], notice["In-Reply-To"]) == ("<1@sender.example>", "<1@sender.example>")


@pytest.mark.parametrize(
    ("sender", "recipients"),
    [
        pytest.param("<x@a.example>", ["<nobody@example.org>", "<team@example.org>"], id="nobody has it"),
        pytest.param("<x@a.example>", ["<alice@example.org>", "<bob@example.org>"], id="all have it"),
        pytest.param("<x@a.example>", ["<alice@example.org>", "<nobody@example.org> NOTIFY=NEVER"], id="not wanted"),
    ],
)
async def test_no_notice(tmp_path, sender, recipients):
    async with open_house(tmp_path, DOMAINS) as house:
        await transact(await greet(house), sender, recipients)
        assert waiting(house) == []


@pytest.mark.parametrize(
    ("kind", "recipients", "told"),
    [
        pytest.param(
            Kind.DELIVERY,
            ["<alice@example.org> NOTIFY=SUCCESS ORCPT=rfc822;al+2Bice@x.example", "<bob@example.org>"],
            [("Mail delivered", [("rfc822; alice@example.org", "delivered", "2.2.0", "rfc822; al+ice@x.example")])],
            id="delivered",
        ),
        pytest.param(
            Kind.DELIVERY,
            ["<open@example.org> NOTIFY=SUCCESS,FAILURE", "<mixed@example.org> NOTIFY=FAILURE"],
            [("Mail delivered to the members of a list", [("rfc822; open@example.org", "expanded", "2.2.0", None)])],
            id="RFC 3461 5.2.7.3: a list is expanded",
        ),
        pytest.param(
            Kind.DELIVERY,
            [
                "<alice@example.org> NOTIFY=SUCCESS",
                "<nobody@example.org> NOTIFY=FAILURE",
                "<tiny@example.org> NOTIFY=NEVER",
            ],
            [
                ("Mail delivered", [("rfc822; alice@example.org", "delivered", "2.2.0", None)]),
                (
                    "Mail delivery failed",
                    [("rfc822; nobody@example.org", "failed", "5.1.1 (no such recipient here)", None)],
                ),
            ],
            id="each fate in a notice of its own",
        ),
        pytest.param(
            Kind.DELIVERY,
            ["<nobody@example.org> NOTIFY=SUCCESS", "<bob@example.org> NOTIFY=DELAY"],
            [],
            id="nothing to tell",
        ),
        pytest.param(
            Kind.LMTP,
            ["<alice@example.org> NOTIFY=SUCCESS", "<tiny@example.org> NOTIFY=SUCCESS,FAILURE"],
            [("Mail delivered", [("rfc822; alice@example.org", "delivered", "2.2.0", None)])],
            id="by LMTP failures are told in its replies",
        ),
    ],
)
async def test_success_is_told_to_who_asked(tmp_path, kind, recipients, told):
    """RFC 3461 §5.2.3, §5.2.7."""
    async with open_house(tmp_path, DOMAINS, kind=kind) as house:
        client = await greet(house)
        await transact(client, "<x@a.example> ENVID=a+20b RET=FULL", recipients, "Subject: x\r\n\r\nsecret")
        found = []
        for one, octets in waiting(house):
            assert (one.recipient, one.reverse_path) == ("x@a.example", "")
            notice = email.message_from_bytes(octets)
            about, *groups = notice.get_payload()[1].get_payload()
            assert about["Original-Envelope-Id"] == "a b"
            names = ("Final-Recipient", "Action", "Status", "Original-Recipient")
            found.append((notice["Subject"], [tuple(group[name] for name in names) for group in groups]))
            # RFC 3461 §4.3: RET is for failures.
            assert (b"secret" in octets) == (notice["Subject"] == "Mail delivery failed")
        assert sorted(found) == told


async def test_notices_of_others_are_known_as_such(tmp_path):
    async with open_house(tmp_path, DOMAINS) as house:
        client = await greet(house)
        kinds = {"report; report-type=delivery-status": True, "report; report-type=disposition-notification": False}
        for kind, expected in kinds.items():
            message = f"Content-Type: multipart/{kind}; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--"
            await transact(client, "<>", ["<bob@example.org>"], message)
            with house.store.read() as tx:
                bob = tx.account_id("bob")
                *_, (_, row) = message_records.rows(tx, bob, mailbox.by_name(tx, bob, "Work").id)
                assert message_records.facts(tx, bob, row.id).origin.is_dsn is expected


async def test_nobody_hears_of_the_success_of_a_report(tmp_path):
    async with open_house(tmp_path, DOMAINS) as house:
        await transact(await greet(house), "<>", ["<alice@example.org> NOTIFY=SUCCESS"])
        assert house.messages() == {"alice/Inbox": ["alice@example.org"]}
        assert waiting(house) == []


@pytest.mark.parametrize(
    ("parameter", "body", "media_type"),
    [
        ("", b"Subject: x\r\n\r\nx\r\n", "text/rfc822-headers"),
        (" RET=HDRS", b"Subject: x\r\n\r\nx\r\n", "text/rfc822-headers"),
        (" RET=FULL", b"Subject: x\r\n\r\nx\r\n", "message/rfc822"),
        # What DATA cannot carry does not come back whole, nor what is large.
        (" RET=FULL BODY=BINARYMIME", b"Subject: x\r\n\r\n\0", "text/rfc822-headers"),
        (" RET=FULL BODY=BINARYMIME", b"Subject: x\r\n\r\nx\n", "text/rfc822-headers"),
    ],
)
async def test_what_of_the_message_comes_back(tmp_path, parameter, body, media_type):
    async with open_house(tmp_path, DOMAINS) as house:
        client = await greet(house)
        await ask(client, f"MAIL FROM:<x@a.example>{parameter}")
        for one in ("alice@example.org", "nobody@example.org"):
            await ask(client, f"RCPT TO:<{one}>")
        await client.send(b"BDAT %d LAST\r\n%b" % (len(body), body))
        assert (await reply(client)).startswith(b"250")
        [(_, octets)] = waiting(house)
        assert email.message_from_bytes(octets).get_payload()[2].get_content_type() == media_type


async def test_a_notice_in_both_spellings(tmp_path):
    async with open_house(tmp_path, DOMAINS) as house:
        await transact(await greet(house), "<x@a.example> SMTPUTF8", ["<alice@example.org>", "<\u00f8@example.org>"])
        [(one, octets)] = waiting(house)
        assert octets.isascii()
        assert b"utf-8; \\x{F8}@example.org" in octets
        assert one.dsn_utf8 is not None
        assert "utf-8; \u00f8@example.org".encode() in one.dsn_utf8


@pytest.mark.parametrize(("fields", "code"), [(100, "250 2.2.0"), (101, "550 5.4.6")])
async def test_mail_that_goes_in_circles(tmp_path, fields, code):
    async with open_house(tmp_path, DOMAINS) as house:
        client = await greet(house)
        message = "Received: from a by b; x\r\n" * (fields - 1) + "RECEIVED : from a\r\n\r\nx"
        assert (await transact(client, "<x@a.example>", ["<alice@example.org>"], message)).startswith(code)


async def test_a_thousand_recipients(tmp_path):
    async with open_house(tmp_path, DOMAINS) as house:
        client = await greet(house)
        await client.send(b"MAIL FROM:<x@a.example>\r\n" + b"RCPT TO:<alice@example.org>\r\n" * 1000)
        for _ in range(1001):
            assert (await client.line()).startswith(b"250 2.1.")
        assert (await ask(client, "RCPT TO:<alice@example.org>")).startswith("452 4.5.3 too many recipients")
        await ask(client, "DATA")
        assert (await ask(client, "x\r\n.")).startswith("250 2.2.0")
        assert house.messages() == {"alice/Inbox": ["alice@example.org"]}


async def test_tls_reports_may_come_without_tls(tmp_path):
    async with open_house(tmp_path, DOMAINS, require_starttls=True) as house:
        client = await greet(house)
        await ask(client, "MAIL FROM:<x@a.example>")
        assert (await ask(client, "RCPT TO:<alice@example.org>")).startswith("530 5.7.0")
        assert (await ask(client, "RCPT TO:<TLSreports@mail.example>")).startswith("250 2.1.0")


async def test_a_disabled_domain_neither_sends_nor_receives(tmp_path):
    async with open_house(tmp_path, DOMAINS, kind=Kind.SUBMISSION) as house:
        client = await greet(house)
        secret = b64encode(f"\0carol@off.example\0{PASSWORD}".encode()).decode()
        assert (await ask(client, f"AUTH PLAIN {secret}")).startswith("235")
        assert (await ask(client, "MAIL FROM:<carol@off.example>")).startswith("451 4.3.0")
        assert (await ask(client, "MAIL FROM:<carol@example.org>")).startswith("250")
        assert (await ask(client, "RCPT TO:<carol@off.example>")).startswith("450 4.2.1")
        assert (await ask(client, "RCPT TO:<nobody@example.org>")).startswith("550 5.1.1")
        assert (await ask(client, "RCPT TO:<gone@example.org>")).startswith("550 5.1.1 left the company")


async def test_an_account_that_goes_between_rcpt_and_data(tmp_path):
    async with open_house(tmp_path, DOMAINS) as house:
        client = await greet(house)
        await ask(client, "MAIL FROM:<x@a.example>")
        await ask(client, "RCPT TO:<bob@example.org>")
        await ask(client, "RCPT TO:<alice@example.org>")
        await house.store.write(account.begin_removal, "bob")
        await ask(client, "DATA")
        assert (await ask(client, "x\r\n.")).startswith("250 2.2.0")
        assert house.messages() == {"alice/Inbox": ["alice@example.org"]}
        assert (await transact(client, "<x@a.example>", ["<open@example.org>"])).startswith("250")
        assert house.messages()["carol/Inbox"] == ["carol@example.org"]
        assert (await ask(client, "MAIL FROM:<x@a.example>")).startswith("250")
        assert (await ask(client, "RCPT TO:<bob@example.org>")).startswith("451 4.3.0")


async def test_an_account_that_is_being_removed_is_not_written_to(tmp_path):
    async with open_house(tmp_path, DOMAINS, kind=Kind.SUBMISSION) as house:
        client = await greet(house)
        secret = b64encode(f"\0alice@example.org\0{PASSWORD}".encode()).decode()
        await ask(client, f"AUTH PLAIN {secret}")
        await ask(client, "MAIL FROM:<alice@example.org>")
        await house.store.write(account.begin_removal, "bob")
        assert (await ask(client, "RCPT TO:<bob@example.org>")).startswith("451 4.3.0")


async def test_different_failures_that_may_pass(tmp_path):
    async with open_house(tmp_path, DOMAINS) as house:
        client = await greet(house)
        await ask(client, "MAIL FROM:<x@a.example>")
        for one in ("tiny", "board"):
            await ask(client, f"RCPT TO:<{one}@example.org>")
        for name in ("alice", "bob", "carol"):
            await house.store.write(account.begin_removal, name)
        await ask(client, "DATA")
        said = await ask(client, "From: board@example.org\r\n\r\nx\r\n.")
        assert [line.partition(" (")[0] for line in said.split("\n")] == [
            "451-4.3.0 tiny@example.org: 452 4.2.2 mailbox is full",
            "451 4.3.0 board@example.org: 451 4.3.0 mailbox is not available",
        ]


@pytest.mark.parametrize(
    ("helo", "names", "shown"),
    [
        pytest.param("mail.example", ["relay.example"], "mail.example (relay.example [192.0.2.1])", id="known"),
        pytest.param("relay.example", ["relay.example"], "relay.example ([192.0.2.1])", id="what it says itself"),
        pytest.param("mail.example", ["other.example"], "mail.example ([192.0.2.1])", id="leads elsewhere"),
        pytest.param("mail.example", [], "mail.example ([192.0.2.1])", id="none"),
    ],
)
async def test_the_clients_name_in_received(tmp_path, helo, names, shown):
    """RFC 5321 §4.4: beside what it calls itself, what its address is called, where that is true."""
    elsewhere = {Type.A: [ip_address("192.0.2.7")], Type.TXT: ["v=spf1 +all"]}
    table = Table(
        {
            "*.example": elsewhere,
            "relay.example": {Type.A: [ip_address("192.0.2.1")]},
            "1.2.0.192.in-addr.arpa": {Type.PTR: names} if names else {},
        }
    )
    async with open_house(tmp_path, DOMAINS, resolver=Resolver(table)) as house:
        client = house.connect()
        await reply(client)
        await ask(client, f"EHLO {helo}")
        assert (await transact(client, "<x@a.example>", ["<alice@example.org>"])).startswith("250")
        added, _ = house.last_message("alice/Inbox")
        assert f"Received: from {shown} by mx.example" in re.sub(r"\r\n[ \t]+", " ", added.decode())


async def test_an_expelled_session_says_goodbye(tmp_path):
    async with open_house(tmp_path, DOMAINS, kind=Kind.SUBMISSION) as house:
        client = await greet(house)
        secret = b64encode(f"\0alice@example.org\0{PASSWORD}".encode()).decode()
        await ask(client, f"AUTH PLAIN {secret}")
        other = await greet(house)
        assert house.app.sessions.end("alice") == 1
        assert (await reply(client)).startswith(b"421 4.7.0 logged out by the administrator")
        assert await client.line() == b""
        assert (await ask(other, "NOOP")).startswith("250")
