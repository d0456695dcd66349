"""Commands over lines and literals, messages in chunks, and what ends a conversation."""

import datetime
from dataclasses import replace

import pytest

from appliance.base.limits import IMAP
from appliance.protocol.imap.command import Append, Authenticate, Delete, Idle, Login, Noop, Replace, StartTls
from appliance.protocol.imap.connection import (
    NEED_DATA,
    AppendBegin,
    AppendChunk,
    AppendEnd,
    AuthResponse,
    Command,
    CommandError,
    IdleDone,
    LiteralWanted,
    ServerConnection,
)
from support.imapsplits import Failed, every_split, play

MOMENT = datetime.datetime(1996, 7, 17, 2, 44, 25, tzinfo=datetime.timezone(datetime.timedelta(hours=-7)))


def begin(mailbox: str = "x", size: int = 3, **more: object) -> AppendBegin:
    known: dict[str, object] = {
        "flags": (),
        "date": None,
        "sync": False,
        "binary": False,
        "utf8": False,
        "index": 0,
        "replaces": None,
        **more,
    }
    return AppendBegin("a", mailbox, size_octets=size, **known)  # type: ignore[arg-type]


def message(octets: bytes = b"abc") -> list[object]:
    return [AppendChunk(octets), AppendEnd()] if octets else [AppendEnd()]


@pytest.mark.parametrize(
    ("octets", "events"),
    [
        pytest.param(b"a NOOP\r\n", [Command("a", Noop())], id="one"),
        pytest.param(b"a NOOP\nb]! noop\r\n", [Command("a", Noop()), Command("b]!", Noop())], id="bare LF, odd tag"),
        pytest.param(
            b'a LOGIN {3}\r\njoe {4}\r\nb"\r\n\r\n',
            [LiteralWanted(3), LiteralWanted(4), Command("a", Login("joe", 'b"\r\n'))],
            id="synchronizing literals",
        ),
        pytest.param(b"a LOGIN {3+}\r\njoe {0+}\r\n\r\n", [Command("a", Login("joe", ""))], id="others (RFC 7888)"),
        pytest.param(b"a DELETE ~{3+}\r\nfoo\r\n", [Command("a", Delete("foo"))], id="literal8 for a string"),
        pytest.param(b"a DELETE {3+}\r\nf\0o\r\n", [Failed("BAD", "a")], id="NUL in literal"),
        pytest.param(b"a DELETE {3+}x\r\n", [Failed("BAD", "a")], id="literal not at the end of the line"),
        pytest.param(b"a NOOP {3}\r\nfoo\r\n", [LiteralWanted(3), Failed("BAD", "a")], id="literal out of place"),
        pytest.param(
            b"a DELETE {3}\r\nfoo x\r\nb NOOP\r\n",
            [LiteralWanted(3), Failed("BAD", "a"), Command("b", Noop())],
            id="going on after an error",
        ),
        pytest.param(b"a FROB {3}\r\nb NOOP\r\n", [Failed("BAD", "a"), Command("b", Noop())], id="never asked for"),
        pytest.param(b"a FROB {3+}\r\nb NOOP\r\n", [Failed("BAD", "a", fatal=True)], id="unknown, under way"),
        pytest.param(b"a DELETE {x+}\r\nb NOOP\r\n", [Failed("BAD", "a", fatal=True)], id="bad size, under way"),
        pytest.param(b"a DELETE {99999999999999999999+}\r\n", [Failed("BAD", "a", fatal=True)], id="too many digits"),
        pytest.param(
            b"a DELETE {102401}\r\nb NOOP\r\n",
            [Failed("BAD", "a", "TOOBIG"), Command("b", Noop())],
            id="literal too large",
        ),
        pytest.param(b"a DELETE {102401+}\r\nx", [Failed("BYE", None, "ALERT", True)], id="too large, under way"),
        pytest.param(b"\r\n", [Failed("BAD")], id="empty line"),
        pytest.param(b"a\r\n", [Failed("BAD")], id="tag alone"),
        pytest.param(b"a  NOOP\r\n", [Failed("BAD", "a")], id="two spaces"),
        pytest.param(b"+ NOOP\r\n", [Failed("BAD")], id="plus as tag"),
        pytest.param(b"\xff NOOP\r\n", [Failed("BAD")], id="tag not ASCII"),
        # Messages.
        pytest.param(
            b"a APPEND x {3+}\r\nabc\r\nb NOOP\r\n",
            [begin(), *message(), Command("a", Append("x", 1)), Command("b", Noop())],
            id="append",
        ),
        pytest.param(
            b'a append INBOX (\\Seen $x) "17-Jul-1996 02:44:25 -0700" ~{4}\r\na\0\r\n\r\n',
            [
                begin("Inbox", 4, flags=("\\Seen", "$x"), date=MOMENT, sync=True, binary=True),
                *message(b"a\0\r\n"),
                Command("a", Append("Inbox", 1)),
            ],
            id="append with everything",
        ),
        pytest.param(
            b'a APPEND x " 1-Jan-2024 00:00:60 +0000" {0}\r\n\r\n',
            [
                begin(size=0, sync=True, date=datetime.datetime(2024, 1, 1, 0, 0, 59, tzinfo=datetime.UTC)),
                *message(b""),
                Command("a", Append("x", 1)),
            ],
            id="empty message, leap second",
        ),
        pytest.param(
            b"a APPEND {1}\r\nx {3+}\r\nabc\r\n",
            [LiteralWanted(1), begin(), *message(), Command("a", Append("x", 1))],
            id="name of the mailbox as literal",
        ),
        pytest.param(
            b"a APPEND x {3+}\r\nabc (\\Draft) {1}\r\nz\r\n",
            [
                *(begin(), *message(), begin(size=1, flags=("\\Draft",), sync=True, index=1), *message(b"z")),
                Command("a", Append("x", 2)),
            ],
            id="two messages (RFC 3502)",
        ),
        pytest.param(
            b"a APPEND x UTF8 (~{3+}\r\nabc)\r\n",
            [begin(binary=True, utf8=True), *message(), Command("a", Append("x", 1))],
            id="UTF8 (RFC 6855 §4)",
        ),
        pytest.param(
            b"a APPEND x UTF8 (~{3+}\r\nabc\r\nb NOOP\r\n",
            [begin(binary=True, utf8=True), *message(), Failed("BAD", "a"), Command("b", Noop())],
            id="UTF8 without its end",
        ),
        pytest.param(b"a APPEND x UTF8 ({3}\r\n", [Failed("BAD", "a")], id="UTF8 without literal8"),
        pytest.param(
            b"a APPEND x {3+}\r\nabcd\r\nb NOOP\r\n",
            [begin(), *message(), Failed("BAD", "a"), Command("b", Noop())],
            id="message longer than it said",
        ),
        pytest.param(b"a APPEND x FROB {3+}\r\n", [Failed("BAD", "a", fatal=True)], id="bad append, under way"),
        pytest.param(b'a APPEND x "1-Jan-2024 00:00:00 +0000" {3}\r\n', [Failed("BAD", "a")], id="bad date"),
        pytest.param(b'a APPEND x "01-Jan-0001 00:00:00 +0100" {3}\r\n', [Failed("BAD", "a")], id="before year 1"),
        pytest.param(
            b"a APPEND #x {3+}\r\nabc (x) {2+}\r\nde\r\nb NOOP\r\n",
            [Failed("NO", "a", "CANNOT"), Command("b", Noop())],
            id="bad name, all messages dropped",
        ),
        pytest.param(
            b"a UID REPLACE 7 x {3+}\r\nabc\r\n",
            [begin(replaces=(True, 7)), *message(), Command("a", Replace(True, 7, "x"))],
            id="replace (RFC 8508)",
        ),
        pytest.param(
            b"a REPLACE * x {3+}\r\nabc {1}\r\n",
            [begin(replaces=(False, None)), *message(), Failed("BAD", "a")],
            id="replace by two",
        ),
        # Exchanges.
        pytest.param(
            b"a AUTHENTICATE PLAIN\r\nAGEAYg==\r\nb NOOP\r\n",
            [Command("a", Authenticate("PLAIN", None)), AuthResponse(b"\0a\0b"), Command("b", Noop())],
            id="response",
        ),
        pytest.param(
            b"a AUTHENTICATE PLAIN\r\n*\r\n",
            [Command("a", Authenticate("PLAIN", None)), AuthResponse(None)],
            id="given up",
        ),
        pytest.param(
            b"a AUTHENTICATE PLAIN\r\n\r\n",
            [Command("a", Authenticate("PLAIN", None)), AuthResponse(b"")],
            id="empty response",
        ),
        pytest.param(
            b"a AUTHENTICATE PLAIN\r\n!!\r\nb NOOP\r\n",
            [Command("a", Authenticate("PLAIN", None)), Failed("BAD", "a"), Command("b", Noop())],
            id="response is no base64",
        ),
        pytest.param(
            b"a IDLE\r\ndone\r\nb NOOP\r\n", [Command("a", Idle()), IdleDone(), Command("b", Noop())], id="idle"
        ),
        pytest.param(
            b"a IDLE\r\nb NOOP\r\n", [Command("a", Idle()), Failed("BAD", "a", fatal=True)], id="idle not ended"
        ),
    ],
)
def test_events(octets, events):
    assert every_split(octets) == events


@pytest.mark.parametrize(
    ("octets", "events"),
    [
        pytest.param(
            b"a APPEND x {3}\r\nb NOOP\r\n", [begin(sync=True), Command("b", Noop())], id="nothing more is sent"
        ),
        pytest.param(
            b"a APPEND x {3+}\r\nabc\r\nb NOOP\r\n", [begin(), Command("b", Noop())], id="dropped with its line"
        ),
        pytest.param(
            b"a APPEND x {9+}\r\na NOOP\r\n\n (\\Seen) {9+}\r\nb NOOP\r\n\n\r\nc NOOP\r\n",
            [begin(size=9), Command("c", Noop())],
            id="messages are no commands",
        ),
    ],
)
def test_refused(octets, events):
    assert every_split(octets, refuse=True) == events


@pytest.mark.parametrize(
    ("octets", "events"),
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", [Failed("BYE", fatal=True)], id="HTTP"),
        pytest.param(b"EHLO x\r\n", [Failed("BYE", fatal=True)], id="SMTP"),
        pytest.param(b"\x16\x03\x01\n", [Failed("BYE", fatal=True)], id="TLS"),
        pytest.param(b"a FROB\r\n", [Failed("BYE", fatal=True)], id="unknown command"),
        pytest.param(b"a LOGIN x\r\n", [Failed("BYE", fatal=True)], id="command not understood"),
        pytest.param(b"a NOOP\r\nb FROB\r\n", [Command("a", Noop()), Failed("BAD", "b")], id="second command"),
    ],
)
def test_first_command(octets, events):
    """What does not begin as IMAP is no IMAP client."""
    assert every_split(octets, experienced=False) == events


def test_errors_are_told_in_detail_after_authentication_only():
    texts = []
    for authenticated in (False, True):
        connection = ServerConnection(IMAP)
        connection.authenticated = authenticated
        connection.receive_data(b"a NOOP\r\nb STATUS x (FROB)\r\n")
        connection.next_event()
        with pytest.raises(CommandError) as failed:
            connection.next_event()
        texts.append(failed.value.text)
    assert texts == ["syntax error", "unknown item FROB"]


@pytest.mark.parametrize(
    ("authenticated", "size", "count", "wanted"),
    [
        pytest.param(True, 102400, 1, True, id="largest"),
        pytest.param(False, 4096, 1, True, id="largest before login"),
        pytest.param(False, 4097, 1, False, id="too large before login"),
        pytest.param(False, 4096, 5, False, id="too many octets before login"),
        pytest.param(False, 1, 17, False, id="too many before login"),
        pytest.param(True, 102400, 11, False, id="too many octets"),
    ],
)
def test_literal_limits(authenticated, size, count, wanted):
    octets = b"a ID (" + b"".join(b"{%d+}\r\n" % size + b"x" * size + b" " for _ in range(count))
    events = play([octets], authenticated=authenticated)
    assert events == ([] if wanted else [Failed("BYE", None, "ALERT", True)])


def test_lines_of_a_command_are_limited_together():
    most = IMAP.line_octets
    assert play([b"a NOOP" + b" " * (most - 8) + b"\r\n"]) == [Failed("BAD", "a")]
    too_long = [Failed("BYE", fatal=True)]
    assert play([b"a NOOP" + b" " * (most - 7) + b"\r\n"]) == too_long
    assert play([b"a" * (most + 1)]) == too_long
    assert play([b"a DELETE {1+}\r\nx" + b" " * most]) == too_long


def test_messages_of_an_append_are_limited():
    limits = replace(IMAP, append_messages=2)
    octets = b"a APPEND x {1+}\r\na {1+}\r\nb {1+}\r\nc\r\nb NOOP\r\n"
    events = play([octets], limits=limits)
    assert events[-2:] == [Failed("NO", "a", "LIMIT"), Command("b", Noop())]
    assert [type(one) for one in events].count(AppendBegin) == 2


def test_large_messages_come_in_chunks():
    connection = ServerConnection(IMAP)
    connection.authenticated = True
    connection.receive_data(b"a APPEND x {200000+}\r\n" + b"x" * 200_000 + b"\r\n")
    assert isinstance(connection.next_event(), AppendBegin)
    connection.accept_literal()
    sizes = []
    while isinstance(event := connection.next_event(), AppendChunk):
        sizes.append(len(event.octets))
    assert sum(sizes) == 200_000
    assert max(sizes) <= IMAP.chunk_octets
    assert isinstance(event, AppendEnd)


def test_what_follows_starttls_belongs_to_the_handshake():
    connection = ServerConnection(IMAP)
    connection.receive_data(b"a STARTTLS\r\n\x16\x03b NOOP\r\n")
    assert connection.next_event() == Command("a", StartTls())
    assert connection.take_pending() == b"\x16\x03b NOOP\r\n"
    assert connection.next_event() is NEED_DATA


def test_nothing_is_read_after_a_fatal_error():
    connection = ServerConnection(IMAP)
    connection.receive_data(b"frob\r\na NOOP\r\n")
    with pytest.raises(CommandError):
        connection.next_event()
    connection.receive_data(b"a NOOP\r\n")
    assert connection.next_event() is NEED_DATA


def test_utf8_names_from_the_next_command_on():
    connection = ServerConnection(IMAP)
    connection.receive_data('a DELETE &APw-\r\nb DELETE "ü"\r\n'.encode())
    assert connection.next_event() == Command("a", Delete("ü"))
    connection.utf8 = True
    assert connection.next_event() == Command("b", Delete("ü"))
