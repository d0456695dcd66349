"""Octets of responses: strings, flags, dates, lines (RFC 9051 §7 and §9, RFC 3501 §7)."""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from appliance.mail.forest import Forest
from appliance.protocol.imap import mutf7, sequence
from appliance.protocol.imap.lexer import MONTHS

NIL: Final = b"NIL"
CRLF: Final = b"\r\n"

_ATOM: Final = re.compile(rb'[^\x00-\x20\x7f-\xff(){%*"\\\]\[]+')
_QUOTABLE: Final = re.compile(rb"[\x01-\x09\x0b\x0c\x0e-\x7f]*")
_QUOTABLE_UTF8: Final = re.compile(rb"[\x01-\x09\x0b\x0c\x0e-\xff]*")
_UNPRINTABLE: Final = re.compile("[\x00-\x20\x7f]+")
#: Longer ones are literals: some clients have small buffers for quoted strings.
_QUOTED_OCTETS: Final = 1000
#: Numbers, or pieces of a line, put together in one step of the interpreter.
_AT_ONCE: Final = 4096


def string(octets: bytes, *, utf8: bool = False) -> bytes:
    """Quoted where that is possible, else a literal; with `utf8` octets that are UTF-8 may be quoted.

    NUL has no place in a string (RFC 9051 §9) and is left out.
    """
    if len(octets) <= _QUOTED_OCTETS and (
        _QUOTABLE.fullmatch(octets) or (utf8 and _QUOTABLE_UTF8.fullmatch(octets) and _is_utf8(octets))
    ):
        if b"\\" in octets or b'"' in octets:
            octets = octets.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
        return b'"' + octets + b'"'
    octets = octets.replace(b"\0", b"")
    return b"{%d}\r\n%b" % (len(octets), octets)


def _is_utf8(octets: bytes) -> bool:
    try:
        octets.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def nstring(octets: bytes | None) -> bytes:
    """A string, or NIL for None."""
    return NIL if octets is None else string(octets)


def text_string(text: str, *, utf8: bool = False) -> bytes:
    """A text as a string."""
    return string(text.encode("utf-8", "replace"), utf8=utf8)


def ntext(text: str | None) -> bytes:
    """A text as a string, or NIL for None."""
    return NIL if text is None else text_string(text)


def astring(octets: bytes, *, utf8: bool = False) -> bytes:
    """An atom where that is possible, else a string."""
    return octets if _ATOM.fullmatch(octets) and octets.upper() != NIL else string(octets, utf8=utf8)


def literal(octets: bytes) -> bytes:
    """Content as a literal. One with NULs is a literal8 (RFC 9051 §4.3)."""
    if b"\0" in octets:
        return b"~{%d}\r\n%b" % (len(octets), octets)
    return b"{%d}\r\n%b" % (len(octets), octets)


def mailbox(name: str, *, utf8: bool) -> bytes:
    """A mailbox name: UTF-8 where the client can take it, else modified UTF-7."""
    if name == "Inbox" or name.startswith("Inbox/"):
        name = "INBOX" + name[5:]  # The spelling that all clients know.
    return astring(name.encode() if utf8 else mutf7.encode(name), utf8=utf8)


def date_time(microseconds: int) -> bytes:
    """An internal date, in UTC (RFC 9051 §9 `date-time`)."""
    when = datetime.fromtimestamp(microseconds // 1_000_000, UTC)
    return b'"%2d-%b-%d %02d:%02d:%02d +0000"' % (
        when.day,
        MONTHS[when.month - 1].encode(),
        when.year,
        when.hour,
        when.minute,
        when.second,
    )


def tagged(tag: str, status: str, text: str, code: str | None = None) -> bytes:
    """`tag OK [CODE] text`; what is not printable ASCII is left out of the text."""
    return _status(tag.encode(), status, text, code)


def untagged(status: str, text: str, code: str | None = None) -> bytes:
    """`* OK [CODE] text`."""
    return _status(b"*", status, text, code)


def _status(tag: bytes, status: str, text: str, code: str | None) -> bytes:
    shown = _UNPRINTABLE.sub(" ", text).strip() or "done"
    middle = f"[{code}] " if code else ""
    return tag + f" {status} {middle}{shown}\r\n".encode("ascii", "replace")


def listing(attributes: Sequence[str], name: bytes, extended: bytes = b"", *, verb: bytes = b"LIST") -> bytes:
    """`* LIST (attributes) "/" name`."""
    more = b" " + extended if extended else b""
    return b'* %b (%b) "/" %b%b\r\n' % (verb, " ".join(attributes).encode(), name, more)


def search(numbers: Sequence[int], modseq: int | None = None, *, chunk: int = 100_000) -> bytes:
    """`* SEARCH` with all numbers (RFC 3501 §7.2.5).

    In one line: programs of Python's imaplib look at the first and lose what is in others. That library in turn takes
    no line above a million octets, so a list beyond `chunk` is continued in a second one.
    """
    tail = b" (MODSEQ %d)" % modseq if modseq is not None and numbers else b""
    lines = [b"* SEARCH " + _spaced(numbers[at : at + chunk]) + tail + CRLF for at in range(0, len(numbers), chunk)]
    return b"".join(lines) if lines else b"* SEARCH\r\n"


def _spaced(numbers: Sequence[int]) -> bytes:
    """Numbers with spaces between. Some thousand at once: other threads wait meanwhile."""
    starts = range(0, len(numbers), _AT_ONCE)
    return b" ".join([" ".join(map(str, numbers[at : at + _AT_ONCE])).encode() for at in starts])


def in_progress(tag: str, done: int, goal: int) -> bytes:
    """`* OK [INPROGRESS ("tag" done goal)]` (RFC 9585 §4); `done` is less than `goal`."""
    return b"* OK [INPROGRESS (%b %d %d)] still at it\r\n" % (text_string(tag), done, goal)


def vanished(uids: Sequence[int], *, earlier: bool = False, octets: int = 4096) -> bytes:
    """`* VANISHED` lines of about `octets` at most (RFC 7162 §3.2.10)."""
    return vanished_ranges(sequence.compact(uids), earlier=earlier, octets=octets)


def vanished_ranges(ranges: Sequence[tuple[int, int]], *, earlier: bool = False, octets: int = 4096) -> bytes:
    """As `vanished`, for ranges (low, high)."""
    if not ranges:
        return b""
    head = b"* VANISHED (EARLIER) " if earlier else b"* VANISHED "
    lines: list[bytes] = []
    line = b""
    for one in sequence.format_ranges(ranges).split(b","):
        if line and len(line) + len(one) > octets:
            lines.append(head + line + CRLF)
            line = b""
        line = line + b"," + one if line else one
    lines.append(head + line + CRLF)
    return b"".join(lines)


def parenthesized(items: Iterable[bytes]) -> bytes:
    """`(a b c)`."""
    return b"(" + b" ".join(items) + b")"


def sort(numbers: Sequence[int], modseq: int | None = None) -> bytes:
    """`* SORT`, one line (RFC 5256 §4, RFC 7162 §3.1.6)."""
    tail = b" (MODSEQ %d)" % modseq if modseq is not None and numbers else b""
    return b"* SORT" + (b" " + _spaced(numbers) if numbers else b"") + tail + CRLF


def thread(found: Forest, numbers: Sequence[int]) -> bytes:
    """`* THREAD`, one line (RFC 5256 §4); `numbers` are those of the forest's messages."""
    pieces = [b"* THREAD "] if found.roots else [b"* THREAD"]
    stretches: list[bytes] = []
    todo: list[int] = found.roots[::-1]
    ending = -1
    while todo:
        if len(pieces) > _AT_ONCE:
            stretches.append(b"".join(pieces))
            pieces.clear()
        node = todo.pop()
        if node == ending:
            pieces.append(b")")
            continue
        pieces.append(b"(")
        space = b""
        # A line of only children, then the list of each that has siblings.
        while True:
            if node < found.messages:
                pieces.append(b"%b%d" % (space, numbers[node]))
                space = b" "
            below = found.below.get(node) or []
            if len(below) != 1:
                break
            (node,) = below
        if below:
            pieces.append(space)
            todo.append(ending)
            todo += below[::-1]
        else:
            pieces.append(b")")
    return b"".join((*stretches, *pieces, CRLF))
