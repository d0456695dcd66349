"""mbox files: taken apart however they come in, written so that they come out the same."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, strategies as st

from appliance.base import limits
from appliance.mail import header, mbox

DAY = b"Thu Jan  1 12:00:00 2026"


def split(*pieces: bytes) -> list[tuple[bytes, bytes]]:
    """Separators and messages."""
    splitter = mbox.Splitter()
    found: list[list[bytes]] = []
    for events in [*map(splitter.feed, pieces), splitter.finish()]:
        for event in events:
            if isinstance(event, mbox.Begin):
                found.append([event.separator, b""])
            else:
                found[-1][1] += event
    return [(one[0], one[1]) for one in found]


@pytest.mark.parametrize(
    ("file", "messages"),
    [
        pytest.param(b"From a %s\nS: 1\n\nx\n" % DAY, [b"S: 1\n\nx\n"], id="one"),
        pytest.param(b"From a %s\nS: 1\n\nx" % DAY, [b"S: 1\n\nx\n"], id="no last line end"),
        pytest.param(b"From a %s\nS: 1\n\nx\n\n" % DAY, [b"S: 1\n\nx\n"], id="the empty line is no content"),
        pytest.param(b"From a %s\r\nS: 1\r\n\r\nx\r\n\r\n" % DAY, [b"S: 1\r\n\r\nx\r\n"], id="CRLF"),
        pytest.param(b"From a %s\nS: 1\n\nFrom b %s\nS: 2\n" % (DAY, DAY), [b"S: 1\n", b"S: 2\n"], id="no body"),
        pytest.param(b"From a %s\n\nx\n\n\nFrom b %s\n" % (DAY, DAY), [b"\nx\n\n", b""], id="empty lines before"),
        pytest.param(b"From a %s\nx\nFrom b %s\n" % (DAY, DAY), [b"x\nFrom b %s\n" % DAY], id="no empty line before"),
        pytest.param(b"From a %s\n\nFrom here on\n" % DAY, [b"\nFrom here on\n"], id="a sentence"),
        pytest.param(b"From a\nx\n", [b"x\n"], id="the first may have no date"),
        pytest.param(b"From a\n\n>From b\n>>From c\n>>Fro\n", [b"\nFrom b\n>From c\n>>Fro\n"], id="quoted"),
        pytest.param(b"junk\n\nFrom a %s\nx\n" % DAY, [b"x\n"], id="something before"),
        pytest.param(b"", [], id="nothing"),
        pytest.param(b"x\n", [], id="no mbox"),
    ],
)
def test_split(file, messages):
    assert [octets for _, octets in split(file)] == messages
    assert [octets for _, octets in split(*(file[at : at + 1] for at in range(len(file))))] == messages


def test_long_lines_are_not_kept(monkeypatch):
    monkeypatch.setattr(mbox, "LINE_OCTETS", 10)
    line = b"x" * 25 + b">From y" + b"z" * 20 + b"\nFrom here 12:00\n"
    file = b"From a\n" + line
    assert split(file)[0][1] == line
    assert split(*(file[at : at + 1] for at in range(len(file))))[0][1] == line


@pytest.mark.parametrize(
    ("line", "when"),
    [
        pytest.param(b"From a@b.example Thu Jan  1 12:00:00 2026\n", datetime(2026, 1, 1, 12, tzinfo=UTC), id="ctime"),
        pytest.param(
            b"From 123@xxx Thu Jan 01 12:00:00 +0100 2026\n",
            datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=1))),
            id="as Gmail writes it",
        ),
        pytest.param(b"From - Thu Jan 01 12:00:00 2026\n", datetime(2026, 1, 1, 12, tzinfo=UTC), id="Thunderbird"),
        pytest.param(
            b"From a Thu, 1 Jan 2026 12:00:00 +0000\n", datetime(2026, 1, 1, 12, tzinfo=UTC), id="as a Date field"
        ),
        pytest.param(b"From a 2026-01-01T12:00:00Z\n", datetime(2026, 1, 1, 12, tzinfo=UTC), id="RFC 3339"),
        pytest.param(b"From a\n", None, id="none"),
    ],
)
def test_when(line, when):
    assert mbox.Begin(line).when == when


def test_flags_are_read():
    octets = b"Status: RO\nX-Status: AF\nX-Keywords: $Forwarded, work \\Seen\nX-Status: D\n\n"
    fields = header.fields(octets, limits=limits.HEADER)
    assert mbox.flags(octets, fields) == (*("\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "$Forwarded", "work"),)


def test_flags_are_written_in_the_place_of_others():
    octets = b"A: 1\r\nX-IMAPbase: 1 2 old\r\nStatus: O\r\nContent-Length: 4\r\nX-Keywords: old\r\n new\r\nB: 2\r\n\r\n"
    fields = header.fields(octets, limits=limits.HEADER)
    written = mbox.head(octets, fields, ["\\Seen", "\\Draft", "$junk", "work"])
    assert written == b"Status: RO\nX-Status: T\nX-Keywords: $junk work\nA: 1\nB: 2\n\n"
    first = mbox.head(b"\n", [], [], mbox.base(7, ["$Junk", "work"]))
    assert first == b"X-IMAPbase: 7 0 $Junk work\nStatus: O\n\n"


def test_separator():
    when = datetime(2026, 1, 1, 13, 2, 3, tzinfo=timezone(timedelta(hours=1)))
    assert mbox.separator(b"a@b.example", when) == b"From a@b.example Thu Jan  1 12:02:03 2026\n"
    assert mbox.separator(b"", when).startswith(b"From MAILER-DAEMON Thu")
    assert mbox.separator(b"a b\nc", when).startswith(b"From a-b-c Thu")


LINES = st.sampled_from([b"", b"From a 12:00", b">From b", b">>From c 1:00", b"x", b">", b"Fro", b"From "])


@given(st.lists(st.lists(LINES, max_size=8), min_size=1, max_size=4), st.integers(1, 40))
def test_what_is_written_is_read(messages, piece):
    bodies = [b"S: 1\n\n" + b"".join(line + b"\n" for line in lines) for lines in messages]
    when = datetime(2026, 1, 1, tzinfo=UTC)
    file = b"".join(mbox.separator(b"a@b", when) + mbox.quote(one) + b"\n" for one in bodies)
    assert [octets for _, octets in split(*(file[at : at + piece] for at in range(0, len(file), piece)))] == bodies


@given(st.binary(max_size=300), st.integers(1, 50))
def test_pieces_make_no_difference(octets, piece):
    file = b"From a\n" + octets.replace(b"\x01", b"\nFrom b 1:00\n").replace(b"\x02", b"\n\n")
    assert split(file) == split(*(file[at : at + piece] for at in range(0, len(file), piece)))
