"""Delivery status notifications: what Python's email package reads in ours, and what we read in others'."""

import contextlib
import email
import email.policy
import random
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from appliance.base.limits import SCAN
from appliance.mail import dsn, scan
from appliance.mail.address import Address, Path
from appliance.mail.domain import parse_domain
from appliance.mail.dsn import Action, DeliveryStatus, DSNError, Notice, RecipientStatus
from appliance.mail.status import Status

WHEN = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
HERE = parse_domain("mx.here.example")
HEADER = b"From: alice@here.example\r\nSubject: hi\r\n\r\n"

FAILED = RecipientStatus(
    recipient="bob@else.example",
    action=Action.FAILED,
    status=Status(5, 1, 1),
    original_recipient="rfc822;b+2Bob@else.example",
    remote_mta="mx.else.example ([192.0.2.1])",
    diagnostic="550 5.1.1 no such user (here)",
    last_attempt=WHEN,
)
DELAYED = RecipientStatus(
    recipient="carol@else.example",
    action=Action.DELAYED,
    status=Status(4, 4, 1),
    last_attempt=WHEN,
    will_retry_until=datetime(2026, 3, 2, tzinfo=UTC),
)


def status(*recipients, **fields):
    return DeliveryStatus(
        **{
            "reporting_mta": "mx.here.example",
            "recipients": recipients,
            "envelope_id": "QQ 314",
            "arrival": WHEN,
            "future_release": "for;60",
            **fields,
        }
    )


def written(told, **fields):
    values = {
        "status": told,
        "sender": Address("postmaster", HERE),
        "to": Path("alice", parse_domain("here.example")),
        "subject": "Mail delivery failed",
        "text": "bob: no\n",
        "when": WHEN,
        "references": "<1@here.example>",
        "original": HEADER,
    }
    return dsn.write(Notice(**values | fields), message_id="<2@here.example>", boundary="=_b", max_octets=100_000)


def by_python(octets):
    return email.message_from_bytes(octets, policy=email.policy.default)


def by_us(octets, **options):
    return dsn.read(scan.scan(octets, SCAN).root, lambda start, end: octets[start:end], **options)


def test_python_reads_it():
    octets = written(status(FAILED, DELAYED))
    assert octets.isascii()
    message = by_python(octets)
    assert message.defects == []
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"
    assert (message["Auto-Submitted"], message["References"]) == ("auto-replied", "<1@here.example>")
    assert message["From"].addresses[0].addr_spec == "postmaster@mx.here.example"
    text, fields, original = message.iter_parts()
    assert text.get_content() == "bob: no\r\n"
    about, bob, carol = fields.get_payload()
    assert dict(about) == {
        "Original-Envelope-Id": "QQ 314",
        "Reporting-MTA": "dns; mx.here.example",
        "Arrival-Date": "Sun, 01 Mar 2026 12:00:00 +0000",
        "Future-Release-Request": "for;60",
    }
    assert dict(bob) == {
        "Original-Recipient": "rfc822; b+ob@else.example",
        "Final-Recipient": "rfc822; bob@else.example",
        "Action": "failed",
        "Status": "5.1.1",
        "Remote-MTA": "dns; mx.else.example ([192.0.2.1])",
        "Diagnostic-Code": "smtp; 550 5.1.1 no such user (here)",
        "Last-Attempt-Date": "Sun, 01 Mar 2026 12:00:00 +0000",
    }
    assert (carol["Action"], carol["Will-Retry-Until"]) == ("delayed", "Mon, 02 Mar 2026 00:00:00 +0000")
    assert original.get_content_type() == "text/rfc822-headers"
    assert original.get_content().startswith("From: alice@here.example")


def test_we_read_it():
    told = status(FAILED, DELAYED)
    again = by_us(written(told), pedantic=True)
    assert again.recipients[0].original_recipient == "rfc822; b+ob@else.example"
    assert again.recipients[1] == DELAYED
    assert (again.envelope_id, again.arrival, again.future_release) == ("QQ 314", WHEN, "for;60")
    assert again.recipients[0].diagnostic == FAILED.diagnostic


@pytest.mark.parametrize(
    ("words", "comment", "utf8"),
    [
        pytest.param("no answer", "(no answer)", False, id="words"),
        pytest.param("a (b) \\c\r\n d\x00", "(a b c d)", False, id="what could be misread"),
        pytest.param("bücher.example", "(b?cher.example)", False, id="beyond ASCII"),
        pytest.param("bücher.example", "(bücher.example)", True, id="beyond ASCII where that may stand"),
        pytest.param("word " * 1000, f"({('word ' * 200).strip()})", False, id="many"),
        pytest.param("", "", False, id="none"),
    ],
)
def test_why_as_a_comment_behind_the_status(words, comment, utf8):
    """RFC 3464 §2.3.4; it is read again without it."""
    told = status(replace(FAILED, diagnostic="", comment=words))
    octets = written(told, utf8=utf8)
    assert f"Status: 5.1.1 {comment}".strip() in " ".join(octets.decode().split())
    assert by_us(octets, pedantic=True).recipients[0].status == FAILED.status


@pytest.mark.parametrize(
    ("fields", "types"),
    [
        pytest.param({}, ("message/delivery-status", "text/rfc822-headers"), id="header"),
        pytest.param(
            {"original": HEADER + b"body\r\n", "is_whole": True},
            ("message/delivery-status", "message/rfc822"),
            id="whole",
        ),
        pytest.param({"original": HEADER + b"body\r\n"}, ("message/delivery-status", "text/rfc822-headers"), id="cut"),
        pytest.param({"utf8": True}, ("message/global-delivery-status", "message/global-headers"), id="UTF-8"),
        pytest.param(
            {"utf8": True, "is_whole": True}, ("message/global-delivery-status", "message/global"), id="UTF-8, whole"
        ),
    ],
)
def test_third_part(fields, types):
    octets = written(status(FAILED), **fields)
    assert tuple(part.get_content_type() for part in by_python(octets).iter_parts())[1:] == types
    assert by_us(octets).recipients[0].recipient == "bob@else.example"
    assert (b"body" in octets) is fields.get("is_whole", False) or "original" not in fields


@pytest.mark.parametrize(
    ("utf8", "recipient", "orcpt", "lines"),
    [
        pytest.param(
            True,
            "bø@else.example",
            "",
            [b"Final-Recipient: utf-8; b\xc3\xb8@else.example"],
            id="as it is (RFC 6533 4.1)",
        ),
        pytest.param(False, "bø@else.example", "", [rb"Final-Recipient: utf-8; b\x{F8}@else.example"], id="by number"),
        pytest.param(
            True,
            "bø@else.example",
            r"utf-8;b\x{F8}\x{2B}@else.example",
            [b"Original-Recipient: utf-8; b\xc3\xb8+@else.example"],
            id="numbers become letters",
        ),
        pytest.param(
            False,
            "b@else.example",
            r"UTF-8;b\x{F8}@else.example",
            [rb"Original-Recipient: UTF-8; b\x{F8}@else.example"],
            id="numbers stay",
        ),
        pytest.param(
            True, "b@e.example", r"utf-8;b\x{D800}@e.example", [rb"utf-8; b\x{D800}@e.example"], id="no such character"
        ),
    ],
)
def test_addresses_beyond_ascii(utf8, recipient, orcpt, lines):
    one = RecipientStatus(recipient=recipient, action=Action.FAILED, status=Status(5, 0, 0), original_recipient=orcpt)
    octets = dsn.status_fields(status(one), utf8=utf8)
    assert utf8 or octets.isascii()
    for line in lines:
        assert line in octets
    assert dsn.parse_status(octets).recipients[0].recipient == recipient


def test_header_beyond_ascii_is_packed_for_seven_bits():
    octets = written(status(FAILED), original="Subject: grüße\r\n\r\n".encode())
    assert octets.isascii()
    *_, original = by_python(octets).iter_parts()
    assert original.get_content_type() == "text/rfc822-headers"
    assert "grüße" in original.get_payload(decode=True).decode()


GOOD = (
    b"Reporting-MTA: dns; a.example\r\n\r\nFinal-Recipient: rfc822; b@c.example\r\nAction: failed\r\nStatus: 5.0.0\r\n"
)


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(GOOD.partition(b"\r\n\r\n")[0], id="no recipient"),
        pytest.param(GOOD.replace(b"Reporting-MTA", b"X-MTA"), id="no reporting MTA"),
        pytest.param(GOOD.replace(b"Status: 5.0.0\r\n", b""), id="no status"),
        pytest.param(GOOD.replace(b"5.0.0", b"550"), id="no enhanced status"),
        pytest.param(GOOD.replace(b"failed", b"lost"), id="unknown action"),
        pytest.param(GOOD + b"Action: failed\r\n", id="field twice"),
    ],
)
def test_malformed(octets):
    with pytest.raises(DSNError):
        dsn.parse_status(octets)


@pytest.mark.parametrize(
    ("octets", "field", "value"),
    [
        pytest.param(GOOD.replace(b"\r\n", b"\n"), "recipient", "b@c.example", id="bare LF"),
        pytest.param(GOOD.replace(b"5.0.0", b"5.1.1 (no such user)"), "status", Status(5, 1, 1), id="comment"),
        pytest.param(GOOD.replace(b"failed", b"FAILED"), "action", Action.FAILED, id="case"),
        pytest.param(GOOD.replace(b"b@c.example", b"<b@c.example>"), "recipient", "b@c.example", id="brackets"),
        pytest.param(GOOD + b"X-Other: yes\r\n", "status", Status(5, 0, 0), id="unknown field"),
    ],
)
def test_others_are_read(octets, field, value):
    assert getattr(dsn.parse_status(octets).recipients[0], field) == value


@pytest.mark.parametrize(
    "change",
    [
        pytest.param((b"multipart/report", b"multipart/mixed"), id="no report"),
        pytest.param((b"report-type=delivery-status", b"report-type=disposition-notification"), id="other report"),
        pytest.param((b"Content-Type: message/delivery-status", b"Content-Type: text/plain"), id="no status part"),
    ],
)
def test_other_messages_are_no_notices(change):
    with pytest.raises(DSNError):
        by_us(written(status(FAILED)).replace(*change))


def test_any_octets_are_a_notice_or_a_fault():
    dice = random.Random(5)
    octets = written(status(FAILED, DELAYED))
    told = dsn.status_fields(status(FAILED, DELAYED), utf8=True)
    for _ in range(2000):
        broken = bytearray(dice.choice((octets, told)))
        for _ in range(dice.randint(1, 8)):
            at = dice.randrange(len(broken))
            broken[at : at + dice.randint(0, 3)] = dice.choice(
                (b"", b"\r\n", b"\n\n", b":", b"\xff", b"(", b"\\x{FFFFFF}", b";")
            )
        with contextlib.suppress(DSNError):
            dsn.parse_status(bytes(broken))
        with contextlib.suppress(DSNError):
            by_us(bytes(broken))


def test_many_empty_lines_and_recipients_cost_little():
    with pytest.raises(DSNError):
        dsn.parse_status(b"\r\n" * 500_000)
    about, recipient = GOOD.split(b"\r\n\r\n")
    many = dsn.parse_status(about + (b"\r\n\r\n" + recipient) * 3000)
    assert len(many.recipients) == dsn.RECIPIENTS
