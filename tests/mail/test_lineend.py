import pytest
from hypothesis import given, strategies as st

from appliance.mail.lineend import CRLFStream, crlf


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"", b""),
        (b"a", b"a"),
        (b"a\nb\r\nc", b"a\r\nb\r\nc"),
        (b"\n\n", b"\r\n\r\n"),
        (b"a\rb", b"a\rb"),
        (b"\r\r\n", b"\r\r\n"),
    ],
)
def test_crlf(octets, expected):
    assert crlf(octets) == expected


@given(st.lists(st.sampled_from([b"", b"a", b"\r", b"\n", b"\r\n", b"b\n"]), max_size=30))
def test_stream_is_whole(chunks):
    stream = CRLFStream()
    assert b"".join(map(stream.feed, chunks)) == crlf(b"".join(chunks))
