"""Messages of cron and scripts, made ready for a mail server."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, strategies

from appliance.mail.address import AddressError, parse_address
from appliance.mail.systemmail import SystemMessage

DATE, ID = "Date: Mon, 02 Jan 2006 15:04:05 +0000", "Message-ID: <1@here.example>"
FROM, TO = "From: me@example.org", "To: you@example.net"


def rewritten(octets: bytes, *, name: str = "", tls_optional: bool = False) -> bytes:
    return SystemMessage.parse(octets).rewritten(
        sender=parse_address("me@example.org"),
        name=name,
        recipient=parse_address("you@example.net"),
        date=datetime(2006, 1, 2, 15, 4, 5, tzinfo=UTC),
        message_id="<1@here.example>",
        tls_optional=tls_optional,
    )


@pytest.mark.parametrize(("given", "lines"), [
    pytest.param("Subject: x\n\nhi\n", ["Subject: x", FROM, TO, DATE, ID, "", "hi", ""], id="all is missing"),
    pytest.param("hi\nthere\n", [FROM, TO, DATE, ID, "", "hi", "there", ""], id="no header"),
    pytest.param("\nhi: there\n", [FROM, TO, DATE, ID, "", "hi: there", ""], id="empty header"),
    pytest.param("", [FROM, TO, DATE, ID, "", ""], id="nothing"),
    pytest.param("Subject: x", ["Subject: x", FROM, TO, DATE, ID, "", ""], id="no line end"),
    pytest.param("Subject: x\nhi\n", ["Subject: x", FROM, TO, DATE, ID, "", "hi", ""], id="no line between"),
    pytest.param("Subject: x\n  y\n\n\n a\n", ["Subject: x", "  y", FROM, TO, DATE, ID, "", "", " a", ""], id="folded"),
    pytest.param(" a\n", [FROM, TO, DATE, ID, "", " a", ""], id="no field to go on"),
    pytest.param("From root  Mon Jan\nSubject: x\n\n", ["Subject: x", FROM, TO, DATE, ID, "", ""], id="mbox"),
    pytest.param("A: 1\r\n\r\nx\ry\r\n", ["A: 1", FROM, TO, DATE, ID, "", "x", "y", ""], id="any line end"),
    pytest.param("To: root\nDATE: d\nmessage-id: <i>\n\n", ["To: root", "DATE: d", "message-id: <i>", FROM, "", ""],
                 id="nothing is missing"),
    pytest.param("From: root\nTo: t\n\n", [FROM, "To: t", DATE, ID, "", ""], id="from, at its place"),
    pytest.param("From: a@x\nTo: t\nFROM: b@x\n\n", [FROM, "To: t", DATE, ID, "", ""], id="from, several"),
    pytest.param("From: a@x\nTo: t\nFrom: a@x\n\n", [FROM, "To: t", DATE, ID, "", ""], id="from, twice the same"),
    pytest.param('From: "Cron, Daemon" <root>\nTo: t\n\n', ['From: "Cron, Daemon" <me@example.org>', "To: t", DATE, ID, "", ""],
                 id="name"),
    pytest.param("From: root (Cron Daemon)\nTo: t\n\n", ["From: Cron Daemon <me@example.org>", "To: t", DATE, ID, "", ""],
                 id="name in a remark"),
    pytest.param("From: J =?utf-8?q?=C3=A9?=\n <j@x>\nTo: t\n\n",
                 ["From: =?utf-8?q?J_=C3=A9?= <me@example.org>", "To: t", DATE, ID, "", ""], id="name beyond ASCII"),
    pytest.param("Subject: é\nTo: é\n\né\n", ["Subject: =?utf-8?b?w6k=?=", "To: é", FROM, DATE, ID, "", "é", ""],
                 id="subject beyond ASCII"),
])  # fmt: skip
def test_rewriting(given, lines):
    assert rewritten(given.encode()).decode() == "\r\n".join(lines)


def test_name_of_the_caller_is_for_messages_without_one():
    assert rewritten(b"\n", name="Backup").startswith(b"From: Backup <me@example.org>\r\n")
    assert rewritten(b"From: root\n\n", name="Backup").startswith(b"From: Backup <me@example.org>\r\n")
    assert rewritten(b"From: Cron <root@x>\n\n", name="Backup").startswith(b"From: Cron <me@example.org>\r\n")
    assert rewritten(b"\n", name="a\nBcc: b@c").startswith(b'From: "a Bcc: b@c" <me@example.org>\r\n')


def test_tls_required():
    assert b"\r\nTLS-Required: No\r\n\r\n" in rewritten(b"\n", tls_optional=True)
    assert rewritten(b"TLS-Required: No\n\n", tls_optional=True).count(b"TLS-Required") == 1


@pytest.mark.parametrize(("to", "found"), [
    ("To: a@b.example", "a@b.example"),
    ('To: "b, a" <a@b.example> (x, y)', "a@b.example"),
    ("To: root", "root"),
    ("To: <root>", "root"),
    ("To: ops:a@b.example;", "a@b.example"),
    ("To:\n a@b.example", "a@b.example"),
    ("Cc: a@b.example", None),
    ("To:", None),
    ("To: undisclosed-recipients:;", None),
    ("To: a@b.example, c@d.example", None),
    ("To: a@b.example, root", None),
    ("To: root, daemon", None),
    ("To: a@b.example\nTo: c@d.example", None),
    ("To: ops:a@b.example c@d.example;", None),
    ("To: the boss", None),
])  # fmt: skip
def test_recipient(to, found):
    message = SystemMessage.parse(f"{to}\n\nhi\n".encode())
    if found is None:
        with pytest.raises(AddressError, match="does not have exactly one"):
            message.recipient()
    else:
        assert message.recipient() == found


@given(
    strategies.lists(strategies.sampled_from([b"From", b"To", b":", b" ", b"\n", b"\r", b"x", b"@", b"(", b'"', b","]))
)
def test_whatever_comes_in(pieces):
    octets = b"".join(pieces)
    message = SystemMessage.parse(octets)
    sent = rewritten(octets)
    assert sent.replace(b"\r\n", b"").count(b"\r") == sent.replace(b"\r\n", b"").count(b"\n") == 0
    assert sent.endswith(b"\r\n\r\n" + message.body)
    again = SystemMessage.parse(sent)
    assert again.body == message.body
    senders = [field for field in again.fields if field.partition(b":")[0].strip().lower() == b"from"]
    assert [b"me@example.org" in field for field in senders] == [True]
