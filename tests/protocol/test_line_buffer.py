from collections.abc import Callable

import pytest
from hypothesis import given, strategies as st

from appliance.protocol.lines import LineBuffer, LineTooLongError


def lines(pieces: list[bytes], limit: int) -> list[bytes | str]:
    buffer = LineBuffer()
    taken: list[bytes | str] = []
    for piece in pieces:
        buffer.feed(piece)
        try:
            while (line := buffer.take_line(limit)) is not None:
                taken.append(line)
        except LineTooLongError:
            return [*taken, "too long"]
    return taken


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        pytest.param(b"a\r\n", [b"a"], id="CRLF"),
        pytest.param(b"a\n", [b"a"], id="LF alone"),
        pytest.param(b"a\rb\r\r\n", [b"a\rb\r"], id="one CR belongs to the end"),
        pytest.param(b"\r\n\n", [b"", b""], id="empty lines"),
        pytest.param(b"a", [], id="incomplete"),
        pytest.param(b"123456\r\n", [b"123456"], id="at the limit"),
        pytest.param(b"1234567\r\nb\r\n", ["too long"], id="over the limit with its end"),
        pytest.param(b"12345678", ["too long"], id="over the limit without end"),
        pytest.param(b"1234567", [], id="may still end"),
    ],
)
def test_lines(octets: bytes, expected: list[bytes | str]) -> None:
    assert lines([octets], 8) == expected
    assert lines([octets[at : at + 1] for at in range(len(octets))], 8) == expected


@given(st.lists(st.text("ab\r\n", max_size=12).map(str.encode), max_size=12))
def test_pieces_do_not_matter(pieces: list[bytes]) -> None:
    assert lines(pieces, 8) == lines([b"".join(pieces)], 8)


def buffer_with(octets: bytes) -> LineBuffer:
    buffer = LineBuffer()
    buffer.feed(octets)
    return buffer


@pytest.mark.parametrize(
    ("take", "taken", "left"),
    [
        pytest.param(lambda buffer: buffer.take(3), b"ab\r", b"\ncd", id="some"),
        pytest.param(lambda buffer: buffer.take(99), b"ab\r\ncd", b"", id="more than there are"),
        pytest.param(lambda buffer: buffer.take_all(), b"ab\r\ncd", b"", id="all"),
        pytest.param(lambda buffer: buffer.take_line(9), b"ab", b"cd", id="line"),
        pytest.param(lambda buffer: buffer.put_back(b"x"), None, b"xab\r\ncd", id="put back"),
    ],
)
def test_taking(take: Callable[[LineBuffer], bytes | None], taken: bytes | None, left: bytes) -> None:
    buffer = buffer_with(b"ab\r\ncd")
    assert take(buffer) == taken
    assert len(buffer) == len(left)
    buffer.feed(b"!")
    assert buffer.take_all() == left + b"!"


def test_has_line_sees_only_what_was_not_taken() -> None:
    buffer = buffer_with(b"a\nb\nc")
    assert buffer.has_line()
    buffer.take_line(9)
    assert buffer.has_line()
    buffer.take_line(9)
    assert not buffer.has_line()
    assert buffer.take_line(9) is None
    buffer.feed(b"\n")
    assert buffer.has_line()


def test_octets_taken_amid_an_incomplete_line_are_not_searched_again_wrongly() -> None:
    buffer = buffer_with(b"abc")
    assert buffer.take_line(9) is None
    assert buffer.take(3) == b"abc"
    buffer.feed(b"d\ne")
    assert buffer.take_line(9) == b"d"
