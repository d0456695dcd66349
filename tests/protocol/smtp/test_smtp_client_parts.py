"""The parts of a client: replies, capabilities, dots, how recipients are divided."""

import pytest

from appliance.mail.status import Status
from appliance.protocol.smtp.capabilities import Capabilities, ServerLimits, parse_capabilities
from appliance.protocol.smtp.data import MessageData
from appliance.protocol.smtp.reply import Reply
from appliance.protocol.smtp.replyreader import BadReply, ReplyLimits, ReplyReader
from appliance.protocol.smtp.stuffing import BadContent, Stuffing
from appliance.protocol.smtp.transaction import Recipient, batch, rcpt_command
from support.smtpclientdriver import LIMITS, path


@pytest.mark.parametrize(("octets", "reply", "spelled"), [
    (b"250 ok\r\n", Reply(250, None, ("ok",)), "250 ok"),
    (b"250\r\n", Reply(250, None, ("",)), "250"),
    (b"250-\r\n250\r\n", Reply(250, None, ("", "")), "250  "),
    (b"550-5.1.1 no such\n550 5.1.1 user\n", Reply(550, Status(5, 1, 1), ("no such", "user")), "550 5.1.1 no such user"),
    (b"550-5.1.1 no such\r\n550 user\r\n", Reply(550, Status(5, 1, 1), ("no such", "user")), "550 5.1.1 no such user"),
    (b"250 2.0.0\r\n", Reply(250, Status(2, 0, 0), ("",)), "250 2.0.0"),
    (b"250 2.0.0x\r\n", Reply(250, None, ("2.0.0x",)), "250 2.0.0x"),
    (b"354 3.0.0 go\r\n", Reply(354, None, ("3.0.0 go",)), "354 3.0.0 go"),
    (b"451 4.7.1234 x\r\n", Reply(451, None, ("4.7.1234 x",)), "451 4.7.1234 x"),
    (b"250-a\r\n250-250 b\r\n250 c\r\n", Reply(250, None, ("a", "250 b", "c")), "250 a 250 b c"),
    (b"250 a\rb\0c\r\n", Reply(250, None, ("abc",)), "250 abc"),
])  # fmt: skip
def test_reply(octets, reply, spelled):
    for size in (1, 3, 1000):
        reader = ReplyReader(LIMITS)
        for at in range(0, len(octets), size):
            assert reader.next_reply() is None
            reader.feed(octets[at : at + size])
        assert reader.next_reply() == reply
        assert not reader.holds_octets
    assert str(reply).strip() == spelled.strip()


def test_a_megabyte_of_reply_is_not_kept():
    limits = ReplyLimits(line_octets=12_288, lines=200, reply_octets=65_536, kept_characters=2000)
    reader = ReplyReader(limits)
    with pytest.raises(BadReply):
        for _ in range(1000):
            reader.feed(b"250-" + b"x" * 1000 + b"\r\n")
            reader.next_reply()
    assert sum(map(len, reader._texts)) <= 2000
    reader = ReplyReader(limits)
    reader.feed(b"550 " + b"x" * 10_000 + b"\r\n")
    assert len(reader.next_reply(whole=True).text[0]) == 2000
    reader.feed(b"334 " + b"x" * 10_000 + b"\r\n")
    assert len(reader.next_reply(whole=True).text[0]) == 10_000
    with pytest.raises(BadReply):
        for _ in range(1000):
            reader.feed(b"2" * 1000)
            reader.next_reply()
    assert len(reader._lines) <= 13_000


@pytest.mark.parametrize(("lines", "capabilities"), [
    ((), Capabilities()),
    (("",), Capabilities()),
    (("mx.example at your service",), Capabilities("mx.example")),
    (("mx", "size 1000", "8BitMime"), Capabilities("mx", frozenset({"SIZE", "8BITMIME"}), 1000)),
    (("mx", "SIZE"), Capabilities("mx", frozenset({"SIZE"}))),
    (("mx", "SIZE 0"), Capabilities("mx", frozenset({"SIZE"}))),
    (("mx", "SIZE -1"), Capabilities("mx", frozenset({"SIZE"}))),
    (("mx", "SIZE " + "9" * 21), Capabilities("mx", frozenset({"SIZE"}))),
    (("mx", "", " x", "é", "!?"), Capabilities("mx")),
    (("mx", "AUTH plain  LOGIN PLAIN !", "AUTH=LOGIN CRAM-MD5"), Capabilities("mx", frozenset({"AUTH"}), None, ("PLAIN", "LOGIN", "CRAM-MD5"))),
    (("mx", "LIMITS RCPTMAX=5 mailmax=0010 RCPTDOMAINMAX=1 X=7"), Capabilities("mx", frozenset({"LIMITS"}), limits=ServerLimits(10, 5, 1))),
    (("mx", "LIMITS RCPTMAX=5 RCPTMAX=6"), Capabilities("mx", frozenset({"LIMITS"}))),
    (("mx", "LIMITS RCPTMAX=5 MAILMAX"), Capabilities("mx", frozenset({"LIMITS"}))),
    (("mx", "LIMITS RCPTMAX=0"), Capabilities("mx", frozenset({"LIMITS"}))),
    (("mx", "LIMITS RCPTMAX=1000000"), Capabilities("mx", frozenset({"LIMITS"}))),
    (("mx", "LIMITS RCPTMAX=999999"), Capabilities("mx", frozenset({"LIMITS"}), limits=ServerLimits(rcptmax=999999))),
])  # fmt: skip
def test_capabilities(lines, capabilities):
    assert parse_capabilities(lines) == capabilities


@pytest.mark.parametrize(("content", "sent"), [
    (b"", b".\r\n"),
    (b"a\r\n", b"a\r\n.\r\n"),
    (b"a", b"a\r\n.\r\n"),
    (b".\r\n", b"..\r\n.\r\n"),
    (b"a\r\n.\r\n..b\r\nc.\r\n", b"a\r\n..\r\n...b\r\nc.\r\n.\r\n"),
    (b"\r\n.", b"\r\n..\r\n.\r\n"),
    (b"a\rb\r\n", None),
    (b"a\nb\r\n", None),
    (b"a\r\n.\n", None),
    (b"a\r", None),
    (b"\n", None),
    (b"a\r\n\r", None),
    (b"a\r\r\n", None),
])  # fmt: skip
@pytest.mark.parametrize("size", [1, 2, 1000])
def test_stuffing(content, sent, size):
    stuffing = Stuffing()
    made = b""
    try:
        for at in range(0, len(content), size):
            made += stuffing.feed(content[at : at + size])
        made += stuffing.finish()
    except BadContent:
        assert sent is None
        # What went out has no end that a server could see.
        assert b"\n.\r\n" not in made
        return
    assert made == sent
    data = MessageData()
    whole = content if content.endswith(b"\r\n") or not content else content + b"\r\n"
    assert data.receive(made) == (whole, b"")
    assert not data.smuggling


def recipients(*addresses: str) -> list[Recipient]:
    return [Recipient(path(one)) for one in addresses]


@pytest.mark.parametrize(("limits", "count"), [
    (ServerLimits(), 4),
    (ServerLimits(rcptmax=2), 2),
    (ServerLimits(rcptmax=9), 4),
    (ServerLimits(rcptdomainmax=1), 2),
    (ServerLimits(rcptdomainmax=2), 4),
    (ServerLimits(rcptmax=1, rcptdomainmax=1), 1),
])  # fmt: skip
def test_batch(limits, count):
    assert batch(recipients("a@x.example", "b@x.example", "a@y.example", "b@x.example"), limits) == count


def test_usual_batch():
    many = recipients(*(f"a{number}@x.example" for number in range(250)))
    assert batch(many, ServerLimits()) == 100
    assert batch(many, ServerLimits(), 7) == 7
    assert batch(many, ServerLimits(rcptmax=1000)) == 250
    assert batch(many, ServerLimits(rcptmax=1000), 7) == 7


@pytest.mark.parametrize(("utf8", "command"), [
    (True, "RCPT TO:<b@x.example> NOTIFY=DELAY,FAILURE ORCPT=utf-8;ö@x.example"),
    (False, "RCPT TO:<b@x.example> NOTIFY=DELAY,FAILURE ORCPT=utf-8;\\x{F6}@x.example"),
])  # fmt: skip
def test_rcpt_parameters(utf8, command):
    recipient = Recipient(path("b@x.example"), ("DELAY", "FAILURE"), "utf-8;ö@x.example")
    offered = Capabilities(keywords=frozenset({"DSN"}))
    assert rcpt_command(recipient, offered, utf8=utf8).decode() == command
    assert rcpt_command(recipient, Capabilities(), utf8=utf8) == b"RCPT TO:<b@x.example>"
