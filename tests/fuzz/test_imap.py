"""Any octets are events or CommandErrors, however they are cut, at a cost in proportion to their number."""

import time

import pytest
from hypothesis import given, settings, strategies as st

from appliance.base.limits import IMAP
from appliance.protocol.imap.connection import NEED_DATA, AppendBegin, CommandError, ServerConnection
from support.imapsplits import play

WORDS = [
    *(b"a ", b"b1 ", b"\r\n", b"\n", b" ", b"(", b")", b'"', b"\\", b"*", b"{3}\r\n", b"{3+}\r\n", b"~{3+}\r\nabc"),
    *(b"NOOP", b"LOGIN ", b"SELECT ", b"UID ", b"FETCH ", b"STORE ", b"SEARCH ", b"APPEND ", b"REPLACE ", b"IDLE"),
    *(
        b"LIST ",
        b"STATUS ",
        b"COPY ",
        b"ID ",
        b"AUTHENTICATE PLAIN",
        b"DONE",
        b"COMPRESS DEFLATE",
        b"RETURN (",
        b"QRESYNC (",
        b"UTF8 (",
    ),
    *(b"1:*", b"4,7", b"$", b"0", b"99999999999999999999", b"INBOX", b"&APw-", b"\xc3\xbc", b"\0", b"\xff", b"abc"),
    *(b"BODY.PEEK[", b"HEADER.FIELDS", b"1.2", b"]", b"<0.1>", b"FLAGS", b"+FLAGS.SILENT", b"\\Seen", b"OR ", b"NOT "),
    *(
        b"GETMETADATA ",
        b"SETMETADATA ",
        b"SETQUOTA ",
        b"(DEPTH 1)",
        b"(MAXSIZE ",
        b"/private/a",
        b"METADATA (",
        b"STORAGE ",
    ),
    *(b"MODSEQ ", b"CHARSET UTF-8 ", b"1-Feb-1994", b'" 1-Feb-1994 00:00:00 +0000" ', b"(CHANGEDSINCE 5)", b"NIL"),
]
OCTETS = st.lists(st.sampled_from(WORDS), max_size=40).map(b"".join) | st.binary(max_size=200)


@settings(max_examples=400, deadline=None)
@given(OCTETS, st.booleans(), st.booleans(), st.booleans(), st.integers(0, 10_000))
def test_any_octets(octets, authenticated, utf8, refuse, cut):
    options = {"authenticated": authenticated, "utf8": utf8, "refuse": refuse}
    whole = play([octets], **options)
    cut %= len(octets) + 1
    assert play([octets[:cut], octets[cut:]], **options) == whole
    assert play([octets[at : at + 1] for at in range(len(octets))], **options) == whole


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(WORDS), max_size=12).map(b"".join), st.sampled_from([w for w in WORDS if w.endswith(b" ")])
)
def test_any_arguments(arguments, name):
    play([b"a " + name + arguments + b"\r\n"])


def seconds(octets: bytes, piece: int) -> float:
    """To read the octets in pieces; the best of three."""
    best = 1e9
    for _ in range(3):
        connection = ServerConnection(IMAP)
        connection.authenticated = True
        connection.receive_data(b"x NOOP\r\n")
        connection.next_event()
        start = time.process_time()
        for at in range(0, len(octets), piece):
            connection.receive_data(octets[at : at + piece])
            while True:
                try:
                    if (event := connection.next_event()) is NEED_DATA:
                        break
                    if isinstance(event, AppendBegin):
                        connection.accept_literal()
                except CommandError:
                    pass
        best = min(best, time.process_time() - start)
    return best


def doubled(part: bytes, count: int, start: bytes, end: bytes, piece: int) -> float:
    """How much longer eight times as much takes, relative to eight."""
    small = seconds(start + part * count + end, piece)
    return seconds(start + part * count * 8 + end, piece) / small / 8


@pytest.mark.parametrize(
    ("start", "part", "end", "count", "piece"),
    [
        pytest.param(b"", b"a NOOP\r\n", b"", 500, 1 << 30, id="pipelined commands in one piece"),
        pytest.param(b"", b"a FROB\r\n", b"", 500, 1 << 30, id="pipelined errors"),
        pytest.param(b"a DELETE {100000+}\r\n", b"x" * 100, b"\r\n", 120, 1, id="literal octet by octet"),
        pytest.param(b"a APPEND x {100000000+}\r\n", b"x" * 100, b"\r\n", 120, 1, id="message octet by octet"),
        pytest.param(b"a SEARCH ", b"(", b"\r\n", 1500, 1 << 30, id="parentheses"),
        pytest.param(b'a DELETE "', b"\\\\", b"\r\n", 900, 1 << 30, id="escapes without end"),
        pytest.param(b"a FETCH 1:2", b",1", b" FLAGS\r\n", 900, 1 << 30, id="ranges"),
        pytest.param(b"a STORE 1 FLAGS (", b"x ", b")\r\n", 900, 1 << 30, id="flags"),
        pytest.param(b"a DELETE ", b"&-", b"\r\n", 900, 1 << 30, id="shifts"),
        pytest.param(b"a FETCH 1 BODY[", b"1.", b"]\r\n", 900, 1 << 30, id="part numbers"),
    ],
)
def test_linear(start, part, end, count, piece):
    """Generous, for busy machines: quadratic work would come out as 8."""
    assert any(doubled(part, count, start, end, piece) < 5 for _ in range(8))
