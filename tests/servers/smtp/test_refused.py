"""What is written down of refused mail, for those who miss it."""

import pathlib
from dataclasses import replace

import pytest

from appliance.delivery.appliance import WorldPolicy
from appliance.delivery.decide import NetworkLimits
from appliance.mail.address import Path
from appliance.mail.domain import parse_domain
from appliance.protocol.smtp.settings import Kind
from support.judging import DOMAINS as JUDGED, deliver, judging_house, mail, teach
from support.smtphouse import House, open_house

DOMAINS = """\
[domains."example.org"]
[domains."example.org".aliases.all]
addresses = ["alice@example.org", "bob@example.org"]
[domains."off.example"]
disabled = true
[accounts.alice]
quota_message_size = "1k"
[accounts.alice.destinations]
"alice@example.org" = {}
"closed@example.org" = { smtp_error = "550 gone away" }
"alice@off.example" = {}
[accounts.bob.destinations."bob@example.org"]
"""
SENDER = "MAIL FROM:<x@there.example>"
HEADER = "From: <x@there.example>\r\n"
LOOPING = "Received: x\r\n" * 101


async def converse(house: House, *lines: str) -> None:
    """Say all of it, whatever is answered; a message is given with its end."""
    client = house.connect()
    for line in ("EHLO mx.there.example", *lines, "QUIT"):
        await client.send(line.encode() + b"\r\n")
    while await client.line():
        pass


@pytest.mark.parametrize(
    ("lines", "owner", "stage", "reason", "code", "to"),
    [
        pytest.param([SENDER, "RCPT TO:<y@far.example>"], "-", "rcpt", "relay", 550, "y@far.example", id="relay"),
        pytest.param(
            [SENDER, "RCPT TO:<nobody@example.org>", "DATA", f"{HEADER}\r\n."],
            "-", "data", "unknown-recipient", 550, "nobody@example.org", id="nobody",
        ),
        pytest.param([SENDER, "RCPT TO:<closed@example.org>"], "alice", "rcpt", "address-refuses", 550, "closed@example.org", id="closed"),
        pytest.param([SENDER, "RCPT TO:<alice@off.example>"], "-", "rcpt", "address-refuses", 450, "alice@off.example", id="domain is off"),
        pytest.param(["MAIL FROM:<x@[192.0.2.9]>"], "-", "mail", "sender-literal", 550, "", id="literal"),
        pytest.param([f"{SENDER} SIZE=99999999"], "-", "mail", "too-large", 552, "", id="says that it is too large"),
        pytest.param(
            [SENDER, "RCPT TO:<bob@example.org>", "DATA", f"{HEADER}\r\n{'x' * 200_000}\r\n."],
            "bob", "data", "too-large", 552, "bob@example.org", id="is too large",
        ),
        pytest.param(
            [SENDER, "RCPT TO:<bob@example.org>", "DATA", f"{LOOPING}{HEADER}\r\n."], "bob", "data", "loop", 550, "bob@example.org", id="loop"
        ),
        pytest.param(
            [SENDER, "RCPT TO:<alice@example.org>", "DATA", f"{HEADER}\r\n{'x' * 900}\r\n{'x' * 900}\r\n."],
            "alice", "data", "mailbox-full", 452, "alice@example.org", id="full",
        ),
        pytest.param(
            [SENDER, "RCPT TO:<all@example.org>", "DATA", f"{HEADER}\r\n."], "-", "data", "not-member", 550, "all@example.org", id="not a member"
        ),
    ],
)  # fmt: skip
async def test_reasons(tmp_path, lines, owner, stage, reason, code, to):
    async with open_house(tmp_path, DOMAINS) as house:
        await converse(house, *lines)
        ((name, one),) = await house.refused()
        assert (name, one.stage, one.reason, one.code, one.rcpt_to) == (owner, stage, reason, code, to)
        assert (one.remote_ip, one.helo) == ("192.0.2.1", "mx.there.example")
        assert one.received_id == house.app.received_ids.encode(1)


async def test_what_is_taken_and_what_comes_later_is_not_refused(tmp_path):
    domains = DOMAINS.replace("1k", "1M")
    async with open_house(tmp_path, domains) as house:
        await converse(house, SENDER, "RCPT TO:<alice@example.org>", "DATA", f"{HEADER}\r\n.")
        await converse(house, "MAIL FROM:<>", "RCPT TO:<alice@example.org>", "RCPT TO:<bob@example.org>")
        assert await house.refused() == []


class Taking(WorldPolicy):
    """Alice takes what is nobody's, as in a house for tests."""

    def unknown_recipient(self, path):
        return Path("alice", parse_domain("example.org"))


async def test_whoever_would_have_it_sees_it(tmp_path):
    async with open_house(tmp_path, DOMAINS) as house:
        house.app = replace(house.app, policy=Taking())
        await converse(house, SENDER, "RCPT TO:<x@far.example>", "DATA", f"{LOOPING}{HEADER}\r\n.")
        ((name, one),) = await house.refused()
        assert (name, one.reason, one.rcpt_to) == ("alice", "loop", "x@far.example")


async def test_submission_has_no_need_of_it(tmp_path):
    async with open_house(tmp_path, DOMAINS, kind=Kind.SUBMISSION) as house:
        await converse(house, SENDER)
        assert await house.refused() == []


async def test_junk_says_how_it_was_judged(tmp_path: pathlib.Path) -> None:
    async with judging_house(tmp_path) as house:
        await teach(house, {"pills": (0, 40)})
        for _ in range(3):
            octets = mail("offer", "pills", sender="x@plain.example")
            assert (await deliver(house, octets)).startswith("451")
        ((name, one),) = await house.refused()
        assert (name, one.reason, one.count, one.mailbox) == ("alice", "junk-content", 3, "Rejects")
        assert (one.mail_from, one.msg_from, one.rcpt_to) == (
            "ann@sender.example",
            "x@plain.example",
            "alice@example.org",
        )
        assert (one.spf, one.iprev, one.dmarc) == ("pass", "pass", "none")
        assert any("content junk" in line and "pills" in line for line in one.details)
        assert await house.refused("bob") == []


async def test_one_member_refuses_and_the_sender_hears_nothing_of_it(tmp_path: pathlib.Path) -> None:
    domains = JUDGED.replace(
        '[domains."example.org"]',
        '[domains."example.org"]\n[domains."example.org".aliases.all]\npost_public = true\n'
        'addresses = ["alice@example.org", "bob@example.org"]',
    )
    async with judging_house(tmp_path, domains) as house:
        await teach(house, {"pills": (0, 40)})
        octets = mail("offer", "pills", sender="x@plain.example", to="all@example.org")
        assert (await deliver(house, octets, "all@example.org")).startswith("250")
        ((name, one),) = await house.refused()
        assert (name, one.reason, one.code, one.rcpt_to) == ("alice", "junk-content", 250, "all@example.org")


async def test_too_much_from_a_network(tmp_path: pathlib.Path) -> None:
    async with judging_house(tmp_path) as house:
        few = (NetworkLimits(0, 0, 0, 0),)
        house.app.policy.limits = replace(house.app.policy.limits, networks=few)
        assert (await deliver(house, mail("first"))).startswith("452")
        ((name, one),) = await house.refused()
        assert (name, one.reason, one.mailbox) == ("alice", "high-rate", "")
