import pytest
from hypothesis import given, strategies as st

from appliance.mail.status import Status
from appliance.protocol.smtp.reply import Reply

SPACED = "word " * 150
LONG = "x" * 1200


@pytest.mark.parametrize(
    ("reply", "suffix", "octets"),
    [
        pytest.param(Reply(250, Status(2, 0, 0), "ok"), "", b"250 2.0.0 ok\r\n", id="usual"),
        pytest.param(Reply(354, None, "go on"), "", b"354 go on\r\n", id="no status"),
        pytest.param(Reply(550, Status(5, 1, 1), "no"), "ID", b"550 5.1.1 no (ID)\r\n", id="suffix"),
        pytest.param(Reply(250, None, ("a", "B C")), "", b"250-a\r\n250 B C\r\n", id="lines"),
        pytest.param(Reply(550, Status(5, 0, 0), ("a", "b")), "ID", b"550-5.0.0 a\r\n550 5.0.0 b (ID)\r\n", id="suffix on last"),
        pytest.param(Reply(250, Status(2, 0, 0), "a\r\nb\nc\rd"), "", b"250-2.0.0 a\r\n250-2.0.0 b\r\n250-2.0.0 c\r\n250 2.0.0 d\r\n", id="line ends in text"),
        pytest.param(Reply(250, Status(2, 0, 0), "a\x1b[0m\x00\x9b\x7fb\tc"), "", b"250 2.0.0 a[0mbc\r\n", id="controls"),
        pytest.param(Reply(250, Status(2, 0, 0), "gr\u00fcn"), "", b"250 2.0.0 gr?n\r\n", id="only ASCII"),
    ],
)  # fmt: skip
def test_encode(reply: Reply, suffix: str, octets: bytes) -> None:
    assert reply.encode(suffix) == octets


def test_utf8_where_it_was_negotiated() -> None:
    assert Reply(250, None, "gr\u00fcn").encode(utf8=True) == "250 gr\u00fcn\r\n".encode()


def test_long_text_breaks_at_a_space() -> None:
    lines = Reply(550, Status(5, 7, 1), SPACED.strip()).encode("ID").split(b"\r\n")
    assert lines.pop() == b""
    assert len(lines) == 2
    assert lines[0].startswith(b"550-5.7.1 word")
    assert lines[0].endswith(b" word")
    assert lines[1].startswith(b"550 5.7.1 word")
    assert lines[1].endswith(b" word (ID)")


def test_text_without_spaces_breaks_anywhere() -> None:
    lines = Reply(550, Status(5, 7, 1), LONG).encode().split(b"\r\n")
    assert [len(line) for line in lines] == [510, 510, 210, 0]
    assert b"".join(line[10:] for line in lines).decode() == LONG


@given(st.text(), st.booleans(), st.booleans())
def test_every_line_is_short_and_clean(text: str, utf8: bool, repeat: bool) -> None:
    octets = Reply(550, Status(5, 7, 1), text * (60 if repeat else 1)).encode("ID", utf8=utf8)
    lines = octets.split(b"\r\n")
    assert lines.pop() == b""
    for line in lines[:-1]:
        assert line.startswith(b"550-5.7.1 ")
    assert lines[-1].startswith(b"550 5.7.1 ")
    for line in lines:
        assert len(line) <= 510
        assert not any(octet < 32 or octet == 127 for octet in line)
        line.decode("utf-8" if utf8 else "ascii")


def test_more_text() -> None:
    assert Reply(250, None, "a").with_text("b").text == "ab"
    assert Reply(250, None, ("a", "b")).with_text("c").text == ("a", "bc")
