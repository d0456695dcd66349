import itertools
import re

import pytest
from hypothesis import given, strategies as st

from appliance.protocol.smtp.data import MessageData
from support.splits import splits


def taken(pieces: list[bytes]) -> tuple[bytes | None, bytes | None, int]:
    """Content, None for a message to be refused; what followed, None without an end; size."""
    data = MessageData()
    content = b""
    while pieces:
        more, rest = data.receive(pieces[0])
        pieces = pieces[1:]
        content += more
        if rest is not None:
            return (None if data.smuggling else content), rest + b"".join(pieces), data.size_octets
    return (None if data.smuggling else content), None, data.size_octets


@pytest.mark.parametrize(
    ("octets", "content", "rest"),
    [
        pytest.param(b".\r\n", b"", b"", id="empty"),
        pytest.param(b"\r\n.\r\n", b"\r\n", b"", id="empty line"),
        pytest.param(b"a\r\n.\r\nQUIT\r\n", b"a\r\n", b"QUIT\r\n", id="more behind"),
        pytest.param(b"a\r\n.\r\n.\r\n", b"a\r\n", b".\r\n", id="the first end counts"),
        pytest.param(b"..\r\n..a\r\n.b\r\n...\r\n.\r\n", b".\r\n.a\r\nb\r\n..\r\n", b"", id="dots unstuffed"),
        pytest.param(b"a..b.\r\n.\r\n", b"a..b.\r\n", b"", id="dots elsewhere"),
        pytest.param(b"a\nb\n\nc\r\n.\r\n", b"a\r\nb\r\n\r\nc\r\n", b"", id="bare LF"),
        pytest.param(b"\na\r\n.\r\n", b"\r\na\r\n", b"", id="bare LF first"),
        pytest.param(b"\n\r\n.\r\n", b"\r\n\r\n", b"", id="bare LF, CRLF"),
        pytest.param(b"a\n.b\n..c\r\n.\r\n", b"a\r\n.b\r\n..c\r\n", b"", id="a bare LF begins no stuffed line"),
        pytest.param(b"\x00\xff\r\n.\r\n", b"\x00\xff\r\n", b"", id="any octets"),
        # SMTP smuggling.
        pytest.param(b"a\rb\r\n.\r\n", None, b"", id="bare CR"),
        pytest.param(b"a\r\r\n.\r\n", None, b"", id="CR before CRLF"),
        pytest.param(b"\ra\r\n.\r\n", None, b"", id="bare CR first"),
        pytest.param(b"a\r.\r\r\n.\r\n", None, b"", id="CR . CR"),
        pytest.param(b"a\n\r.\r\n.\r\n", None, b"", id="LF CR"),
        pytest.param(b"a\r\n.\nMAIL\r\n.\r\n", None, b"", id="CRLF . LF"),
        pytest.param(b"a\n.\r\nMAIL\r\n.\r\n", None, b"", id="LF . CRLF"),
        pytest.param(b"a\n.\nMAIL\r\n.\r\n", None, b"", id="LF . LF"),
        pytest.param(b"a\n.\r\n.\r\nQUIT", None, b"QUIT", id="LF . CRLF . CRLF"),
        pytest.param(b"a\r\n.\r\r\n.\r\n", None, b"", id="CRLF . CR CRLF"),
        pytest.param(b".\n\r\n.\r\n", None, b"", id="first line . LF"),
        pytest.param(b".\r.\r\n.\r\n", None, b"", id="first line . CR"),
    ],
)
def test_message(octets: bytes, content: bytes | None, rest: bytes) -> None:
    sizes = set()
    for pieces in splits(octets):
        got, followed, size = taken(pieces)
        assert (got, followed) == (content, rest), pieces
        sizes.add(size)
    assert len(sizes) == 1
    assert content is None or sizes == {len(content)}


@pytest.mark.parametrize(
    "octets", [b"", b"a", b"a\r\n", b"a\r\n.", b"a\r\n.\r", b"a\r\n.\n", b"\r\n..\r\n", b"a\n.\r\n"]
)
def test_no_end_yet(octets: bytes) -> None:
    for pieces in splits(octets):
        assert taken(pieces)[1] is None


def slowly(octets: bytes) -> tuple[bytes | None, bytes | None]:
    """The rules as written, line by line."""
    end = (b"\r\n" + octets).find(b"\r\n.\r\n")
    body, rest = (b"\r\n" + octets)[: end + 2], octets[end + 3 :]
    if end < 0:
        return None, None
    if re.search(rb"\r(?!\n)|\r\n\.\n|(?<!\r)\n\.\r?\n", body):
        return None, rest
    lines = re.split(rb"\r\n", body)[1:-1]
    unstuffed = [line.removeprefix(b".") for line in lines]
    return b"".join(line.replace(b"\n", b"\r\n") + b"\r\n" for line in unstuffed), rest


HOSTILE = st.lists(st.sampled_from([b"\r", b"\n", b".", b"a", b"\r\n", b"\r\n.\r\n"]), max_size=14)


@given(HOSTILE, st.lists(st.integers(0, 30), max_size=4))
def test_as_the_rules_written_slowly(parts: list[bytes], cuts: list[int]) -> None:
    octets = b"".join(parts)
    places = [0, *sorted(min(cut, len(octets)) for cut in cuts), len(octets)]
    pieces = [octets[start:end] for start, end in itertools.pairwise(places)]
    content, rest = slowly(octets)
    got, followed, _ = taken(pieces)
    assert followed == rest
    if rest is not None:
        assert got == content
