"""What a server says: strings, lines and response codes as ready octets (RFC 9051 §7, RFC 3501 §7).

Every line ends in CRLF. Text from users or peers goes through `string` or `text`, which let no line end through.
"""

import datetime
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from appliance.protocol.imap import flags, mailboxname, sequence
from appliance.protocol.imap.lexer import MONTHS

#: Numbers in one SEARCH line (I-148): old clients read lines into fixed buffers.
SEARCH_LINE_NUMBERS = 100
#: Octets of UIDs in one VANISHED line, about (I-89).
VANISHED_LINE_OCTETS = 4096

_ASTRING = re.compile(rb'[^\x00-\x20\x7f-\xff(){%*"\\]+')
_NEEDS_LITERAL = re.compile(rb"[\x00\r\n\x80-\xff]")
_NEEDS_LITERAL_UTF8 = re.compile(rb"[\x00\r\n]")
_NO_TEXT = re.compile(r"[^ -~]")
_NO_TEXT_UTF8 = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


# Strings


def literal_header(size_octets: int, *, binary: bool = False) -> bytes:
    """What precedes so many octets; binary ones may hold NUL (RFC 9051 §9 `literal8`)."""
    return b"~{%d}\r\n" % size_octets if binary else b"{%d}\r\n" % size_octets


def literal(octets: bytes) -> bytes:
    """Octets as a literal, as literal8 if NUL is among them."""
    return literal_header(len(octets), binary=b"\0" in octets) + octets


def string(octets: bytes, *, utf8: bool = False) -> bytes:
    """Quoted, or a literal if it holds line ends or 8-bit octets; with utf8 UTF-8 may be quoted (I-25).

    NUL has no place in a string (RFC 9051 §9) and is left out.
    """
    if (_NEEDS_LITERAL_UTF8 if utf8 else _NEEDS_LITERAL).search(octets) or (utf8 and not _is_utf8(octets)):
        octets = octets.replace(b"\0", b"")
        return b"{%d}\r\n%b" % (len(octets), octets)
    if b"\\" in octets or b'"' in octets:
        octets = octets.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return b'"%b"' % octets


def nstring(octets: bytes | None, *, utf8: bool = False) -> bytes:
    """A string, or NIL for None."""
    return b"NIL" if octets is None else string(octets, utf8=utf8)


def astring(octets: bytes, *, utf8: bool = False) -> bytes:
    """An atom if possible, else a string. The word NIL is quoted, lest it be taken for nothing."""
    if _ASTRING.fullmatch(octets) and octets.upper() != b"NIL":
        return octets
    return string(octets, utf8=utf8)


def mailbox(name: str, *, utf8: bool) -> bytes:
    """A mailbox name."""
    return astring(mailboxname.encode(name, utf8=utf8), utf8=utf8)


def text(words: str, *, utf8: bool = False) -> bytes:
    """Human readable text for the end of a status line: one line, ASCII unless utf8 (RFC 9051 §9 `text`)."""
    return (_NO_TEXT_UTF8 if utf8 else _NO_TEXT).sub("?", words).encode("utf-8")


def _is_utf8(octets: bytes) -> bool:
    if octets.isascii():
        return True
    try:
        octets.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def flag_list(names: Iterable[str]) -> bytes:
    """Canonical flags, in parentheses."""
    return b"(" + " ".join(map(flags.display, names)).encode("ascii") + b")"


def date_time(moment: datetime.datetime) -> bytes:
    """An aware moment as INTERNALDATE shows it, quoted (RFC 9051 §9 `date-time`)."""
    offset = moment.utcoffset() or datetime.timedelta()
    minutes = int(offset.total_seconds() // 60)
    return b'"%2d-%b-%04d %02d:%02d:%02d %c%02d%02d"' % (
        moment.day,
        MONTHS[moment.month - 1].encode(),
        moment.year,
        moment.hour,
        moment.minute,
        moment.second,
        b"-" if minutes < 0 else b"+",
        *divmod(abs(minutes), 60),
    )


# Status responses


def tagged(tag: str | None, kind: str, words: str, code: str | bytes | None = None, *, utf8: bool = False) -> bytes:
    """`tag OK [CODE] words`, `*` for tag None. Kind is OK, NO, BAD, BYE or PREAUTH."""
    if code is None:
        bracket = b""
    else:
        bracket = b"[" + (code.encode() if isinstance(code, str) else code) + b"] "
    # Some text must follow (RFC 9051 §9 `resp-text` lets it be empty, RFC 3501 §9 does not).
    return b"%b %b %b%b\r\n" % ((tag or "*").encode(), kind.encode(), bracket, text(words, utf8=utf8) or b"-")


def untagged(kind: str, words: str, code: str | bytes | None = None, *, utf8: bool = False) -> bytes:
    """`* OK [CODE] words`."""
    return tagged(None, kind, words, code, utf8=utf8)


def continuation(words: str = "OK") -> bytes:
    """`+ words`."""
    return b"+ " + text(words) + b"\r\n"


def append_uid(uid_validity: int, uids: Iterable[int]) -> bytes:
    """Response code APPENDUID (RFC 9051 §7.1, RFC 4315 §3); uids in the order of the messages."""
    return b"APPENDUID %d %b" % (uid_validity, sequence.format_set(uids))


def copy_uid(uid_validity: int, sources: Sequence[int], targets: Sequence[int]) -> bytes:
    """Response code COPYUID (RFC 9051 §7.1, RFC 4315 §3): uids of the same messages, in the same ascending order."""
    return b"COPYUID %d %b %b" % (uid_validity, sequence.format_set(sources), sequence.format_set(targets))


def permanent_flags(names: Iterable[str], *, may_create: bool) -> bytes:
    """Response code PERMANENTFLAGS (RFC 9051 §7.1)."""
    return b"PERMANENTFLAGS " + flag_list([*names, "\\*"] if may_create else names)


# Data about the server and mailboxes


def capability(names: Iterable[str]) -> bytes:
    """The CAPABILITY response's data, also a response code."""
    return b"CAPABILITY " + " ".join(names).encode("ascii")


def enabled(names: Iterable[str]) -> bytes:
    """The line ENABLED (RFC 5161 §3.2)."""
    return " ".join(("* ENABLED", *names)).encode("ascii") + b"\r\n"


def server_id(parameters: Mapping[str, str]) -> bytes:
    """The line ID (RFC 2971 §3.2); values are ASCII."""
    pairs = b" ".join(string(text(part)) for pair in parameters.items() for part in pair)
    return b"* ID (" + pairs + b")\r\n" if pairs else b"* ID NIL\r\n"


def list_line(
    name: str,
    attributes: Iterable[str],
    *,
    utf8: bool,
    command: str = "LIST",
    old_name: str | None = None,
    child_info: Iterable[str] = (),
) -> bytes:
    """The line LIST or LSUB (RFC 9051 §7.3.1).

    `old_name` becomes OLDNAME; `child_info` selection options become CHILDINFO (RFC 5258 §4).
    """
    extended = []
    if options := " ".join(f'"{option}"' for option in child_info):
        extended.append(b'"CHILDINFO" (' + options.encode() + b")")
    if old_name is not None:
        extended.append(b'"OLDNAME" (' + mailbox(old_name, utf8=utf8) + b")")
    more = b" (" + b" ".join(extended) + b")" if extended else b""
    shown = " ".join(attributes).encode("ascii")
    return b'* %b (%b) "/" %b%b\r\n' % (command.encode(), shown, mailbox(name, utf8=utf8), more)


#: Answer to a LIST with empty pattern (RFC 9051 §6.3.9): the separator, and no root.
LIST_SEPARATOR = b'* LIST (\\Noselect) "/" ""\r\n'


def status(name: str, items: Mapping[str, int | None], *, utf8: bool) -> bytes:
    """The line STATUS; None is written NIL, as APPENDLIMIT allows (RFC 7889 §3)."""
    values = b" ".join(
        key.encode("ascii") + (b" NIL" if value is None else b" %d" % value) for key, value in items.items()
    )
    return b"* STATUS %b (%b)\r\n" % (mailbox(name, utf8=utf8), values)


def exists(count: int) -> bytes:
    """The line EXISTS."""
    return b"* %d EXISTS\r\n" % count


def expunge(number: int) -> bytes:
    """The line EXPUNGE."""
    return b"* %d EXPUNGE\r\n" % number


def vanished(uids: Iterable[int], *, earlier: bool = False) -> Iterator[bytes]:
    """Lines VANISHED for ascending UIDs, each of about 4 KiB (RFC 7162 §3.2.10)."""
    return vanished_ranges(sequence.compact(uids), earlier=earlier)


def vanished_ranges(ranges: Iterable[tuple[int, int]], *, earlier: bool = False) -> Iterator[bytes]:
    """The same for ranges (low, high)."""
    start = b"* VANISHED (EARLIER) " if earlier else b"* VANISHED "
    pieces: list[bytes] = []
    size = 0
    for pair in ranges:
        piece = sequence.format_ranges((pair,))
        pieces.append(piece)
        size += len(piece) + 1
        if size >= VANISHED_LINE_OCTETS:
            yield start + b",".join(pieces) + b"\r\n"
            pieces, size = [], 0
    if pieces:
        yield start + b",".join(pieces) + b"\r\n"


# Answers to SEARCH


def search(numbers: Sequence[int], mod_seq: int | None = None) -> Iterator[bytes]:
    """Lines SEARCH with at most 100 numbers each, one without any if there are none (RFC 3501 §7.2.5).

    `mod_seq` is said on each line with numbers (RFC 7162 §3.1.5).
    """
    if not numbers:
        yield b"* SEARCH\r\n"
    end = b"\r\n" if mod_seq is None else b" (MODSEQ %d)\r\n" % mod_seq
    for start in range(0, len(numbers), SEARCH_LINE_NUMBERS):
        part = numbers[start : start + SEARCH_LINE_NUMBERS]
        yield b"* SEARCH " + b" ".join(b"%d" % number for number in part) + end


def esearch(
    tag: str,
    *,
    uid: bool,
    returns: Iterable[str],
    numbers: Sequence[int],
    mod_seq: int | None = None,
    source: bytes = b"",
) -> bytes:
    """The line ESEARCH for ascending numbers (RFC 9051 §7.3.4, RFC 4731 §3.1).

    MIN, MAX and ALL are left out if nothing was found; `mod_seq` then, too. `source` is correlator data about the
    mailbox, like `MAILBOX x UIDVALIDITY 1` (RFC 7377 §2.1).
    """
    line = b"* ESEARCH (TAG " + string(tag.encode()) + (b" " + source if source else b"") + b")"
    if uid:
        line += b" UID"
    wanted = frozenset(returns)
    if "COUNT" in wanted:
        line += b" COUNT %d" % len(numbers)
    if numbers:
        if "MIN" in wanted:
            line += b" MIN %d" % numbers[0]
        if "MAX" in wanted:
            line += b" MAX %d" % numbers[-1]
        if "ALL" in wanted:
            line += b" ALL " + sequence.format_set(numbers)
        if mod_seq is not None:
            line += b" MODSEQ %d" % mod_seq
    return line + b"\r\n"


# FETCH


def fetch(number: int, items: Iterable[bytes], *, uid_only: bool = False) -> bytes:
    """The line FETCH of complete items; UIDFETCH, of a UID, for a client that wants no numbers (RFC 9586 §3.3)."""
    return b"* %d %b (%b)\r\n" % (number, b"UIDFETCH" if uid_only else b"FETCH", b" ".join(items))


def fetch_begin(number: int, *, uid_only: bool = False) -> bytes:
    """The start of such a line, for items sent one by one with spaces between; FETCH_END ends it."""
    return b"* %d %b (" % (number, b"UIDFETCH" if uid_only else b"FETCH")


FETCH_END = b")\r\n"


def uid_item(uid: int) -> bytes:
    """UID."""
    return b"UID %d" % uid


def flags_item(names: Iterable[str]) -> bytes:
    """FLAGS."""
    return b"FLAGS " + flag_list(names)


def mod_seq_item(mod_seq: int) -> bytes:
    """MODSEQ (RFC 7162 §3.1.4.2)."""
    return b"MODSEQ (%d)" % mod_seq


def size_item(size_octets: int) -> bytes:
    """RFC822.SIZE."""
    return b"RFC822.SIZE %d" % size_octets


def internal_date_item(moment: datetime.datetime) -> bytes:
    """INTERNALDATE."""
    return b"INTERNALDATE " + date_time(moment)


def save_date_item(moment: datetime.datetime | None) -> bytes:
    """SAVEDATE; None if it is not known (RFC 8514 §4.2)."""
    return b"SAVEDATE " + (b"NIL" if moment is None else date_time(moment))


def preview_item(preview: str | None) -> bytes:
    """PREVIEW; None, for LAZY only, is NIL. UTF-8 always (RFC 8970 §3.3), so a literal if not ASCII."""
    return b"PREVIEW " + nstring(None if preview is None else preview.encode("utf-8", "replace"))


def content_item_begin(label: bytes, size_octets: int, *, binary: bool = False) -> bytes:
    """An item whose octets follow: BODY[…], BINARY[…], RFC822 and the like."""
    return label + b" " + literal_header(size_octets, binary=binary)
