"""Strings and lines as clients receive them."""

import pytest
from hypothesis import given, strategies as st

from appliance.base.limits import IMAP
from appliance.protocol.imap import response, sequence
from appliance.protocol.imap.lexer import Lexer


@pytest.mark.parametrize(
    ("octets", "plain", "utf8"),
    [
        (b"", b'""', b'""'),
        (b"a b", b'"a b"', b'"a b"'),
        (b'a"\\', b'"a\\"\\\\"', b'"a\\"\\\\"'),
        ("ü".encode(), b"{2}\r\n\xc3\xbc", b'"\xc3\xbc"'),
        (b"a\r\nb", b"{4}\r\na\r\nb", b"{4}\r\na\r\nb"),
        (b"x" * 1001, b"{1001}\r\n" + b"x" * 1001, b"{1001}\r\n" + b"x" * 1001),
    ],
    ids=["empty", "space", "escapes", "not ASCII", "line end", "long"],
)
def test_string(octets, plain, utf8):
    assert response.string(octets) == plain
    assert response.string(octets, utf8=True) == utf8


@pytest.mark.parametrize(
    ("octets", "written"),
    [(b"abc", b"abc"), (b"", b'""'), (b"nil", b'"nil"'), (b"a b", b'"a b"'), (b"a*", b'"a*"'), (b"a]", b'"a]"')],
)
def test_astring(octets, written):
    assert response.astring(octets) == written


def test_nil():
    assert response.nstring(None) == response.ntext(None) == b"NIL"
    assert response.nstring(b"NIL") == b'"NIL"'


@given(st.binary(max_size=100).filter(lambda octets: b"\0" not in octets), st.booleans())
def test_strings_are_read_back(octets, utf8):
    for written in (response.string(octets, utf8=utf8), response.astring(octets, utf8=utf8)):
        header, _, literal = written.partition(b"}\r\n")
        if literal or written.startswith(b"{"):
            lines, literals = [header + b"}", b""], [literal]
        else:
            lines, literals = [written], []
        lexer = Lexer(lines, literals, IMAP, utf8=utf8)
        assert lexer.astring() == octets
        lexer.end()


def test_content_with_nul_is_literal8():
    assert response.literal(b"a\0") == b"~{2}\r\na\0"


def test_mailbox():
    assert response.mailbox("Inbox", utf8=False) == b"INBOX"
    assert response.mailbox("Entwürfe", utf8=False) == b"Entw&APw-rfe"
    assert response.mailbox("Entwürfe", utf8=True) == '"Entwürfe"'.encode()
    assert response.mailbox("a b", utf8=False) == b'"a b"'


def test_date_time():
    assert response.date_time(837_596_665_000_000) == b'"17-Jul-1996 09:44:25 +0000"'
    assert response.date_time(0) == b'" 1-Jan-1970 00:00:00 +0000"'


def test_status_lines():
    assert response.tagged("a", "OK", "done", "READ-ONLY") == b"a OK [READ-ONLY] done\r\n"
    assert response.untagged("BYE", "one\r\ntwo") == b"* BYE one two\r\n"
    assert response.tagged("a", "NO", "") == b"a NO done\r\n"
    assert response.tagged("a", "NO", "ü") == b"a NO ?\r\n"


def test_listing():
    line = response.listing(["\\HasChildren"], b"a", b'("OLDNAME" ("b"))')
    assert line == b'* LIST (\\HasChildren) "/" a ("OLDNAME" ("b"))\r\n'
    assert response.listing([], b"a", verb=b"LSUB") == b'* LSUB () "/" a\r\n'


def test_search_answers_in_one_line_while_imaplib_can_read_it():
    lines = response.search(range(1, 10_001)).split(b"\r\n")
    assert [line.count(b" ") - 1 for line in lines[:-1]] == [10_000]
    lines = response.search(range(9_000_000, 9_100_001)).split(b"\r\n")
    assert [line.count(b" ") - 1 for line in lines[:-1]] == [100_000, 1]
    assert max(map(len, lines)) < 1_000_000
    assert response.search([]) == b"* SEARCH\r\n"
    assert response.search([2, 5], 7) == b"* SEARCH 2 5 (MODSEQ 7)\r\n"


def test_vanished_lines_are_short():
    uids = range(1, 20_000, 2)
    lines = response.vanished(uids, earlier=True).splitlines(keepends=True)
    assert max(map(len, lines)) < 4096 + 40
    start, end = b"* VANISHED (EARLIER) ", b"\r\n"
    read = sequence.parse(b",".join(line[len(start) : -len(end)] for line in lines), max_ranges=20_000)
    assert [low for low, _ in read.ranges] == list(uids)
    assert response.vanished([]) == b""
    assert response.vanished([3, 4, 9]) == b"* VANISHED 3:4,9\r\n"
