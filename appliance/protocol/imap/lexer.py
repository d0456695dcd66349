"""Tokens of the IMAP grammar (RFC 9051 §9, RFC 3501 §9), read from the lines and literals of one command.

A command is a list of lines, each but the last ending in the announcement of a literal, and the list of those
literals. Every token is one anchored regular expression; none of them can backtrack over more than its token.
"""

import datetime
import re
from typing import Literal

from appliance.protocol.imap import flags, mailboxname, sequence
from appliance.protocol.imap.limits import ImapLimits

#: 63 bits (RFC 9051 §9 `number64`, RFC 7162 §7 `mod-sequence-value`).
LARGEST_NUMBER64 = 0x7FFFFFFFFFFFFFFF

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH_NUMBERS = {name.upper().encode(): number for number, name in enumerate(MONTHS, 1)}

_ATOM = re.compile(rb'[^\x00-\x20\x7f-\xff(){%*"\\\]]+')
_ASTRING = re.compile(rb'[^\x00-\x20\x7f-\xff(){%*"\\]+')
_LIST_MAILBOX = re.compile(rb'[^\x00-\x20\x7f-\xff(){"\\]+')
_TAG = re.compile(rb'[^\x00-\x20\x7f-\xff(){%*"\\+]+')
_QUOTED = re.compile(rb'"((?:[^"\\\r\n\x00]++|\\["\\])*+)"')
_ESCAPED = re.compile(rb'\\(["\\])')
_NUMBER = re.compile(rb"[0-9]{1,19}(?![0-9])")
_PARTIAL = re.compile(rb"(-?[1-9][0-9]{0,9}):(-?[1-9][0-9]{0,9})(?![0-9])")
_OBJECT_ID = re.compile(rb"[A-Za-z0-9_-]{1,255}(?![A-Za-z0-9_-])")
_SEQUENCE_SET = re.compile(rb"[0-9:,*]+|\$")
_DATE = re.compile(rb'("?)([0-9]{1,2})-([A-Za-z]{3})-([0-9]{4})\1')
_DATE_TIME = re.compile(
    rb'"([ 0-9][0-9])-([A-Za-z]{3})-([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) ([+-])([0-9]{2})([0-9]{2})"'
)
_LITERAL = re.compile(rb"(~?)\{([0-9]{1,19})(\+?)\}")


class CommandError(Exception):
    """A command that cannot be carried out as it was written; what to answer.

    `tag` None is answered untagged. `code` is the response code's text without brackets, like `CANNOT`, or None.
    Of a fatal one, kind BYE is sent as `* BYE`; any other as usual, then `* BYE`; then the connection is closed.
    """

    def __init__(
        self,
        kind: Literal["BAD", "NO", "BYE"],
        text: str,
        *,
        code: str | None = None,
        tag: str | None = None,
        fatal: bool = False,
    ) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text
        self.code = code
        self.tag = tag
        self.fatal = fatal
        #: A search that was to be saved: nothing is saved now (RFC 9051 §6.4.4.1).
        self.forgets_saved = False

    def __repr__(self) -> str:
        return f"CommandError({self.kind}, {self.text!r}, code={self.code}, tag={self.tag}, fatal={self.fatal})"


class LiteralHeader:
    """`{n}`, `{n+}`, `~{n}`, `~{n+}`: the announcement of a literal at the end of a line."""

    __slots__ = ("binary", "size_octets", "sync")

    def __init__(self, size_octets: int, *, sync: bool, binary: bool) -> None:
        self.size_octets = size_octets
        self.sync = sync
        self.binary = binary


class LiteralMissing(CommandError):
    """The next token is a literal that has not been received: only APPEND is read before all literals have come."""

    def __init__(self, header: LiteralHeader) -> None:
        super().__init__("BAD", "unexpected literal")
        self.header = header


def literal_header(line: bytes, position: int | None = None) -> LiteralHeader | None:
    """The announcement that ends the line, standing at `position` if given."""
    if not line.endswith(b"}"):
        return None
    if position is None:
        position = line.rfind(b"{")
        if position > 0 and line[position - 1] == 0x7E:
            position -= 1
    found = _LITERAL.fullmatch(line, max(position, 0))
    return LiteralHeader(int(found[2]), sync=not found[3], binary=bool(found[1])) if found else None


def bad(text: str) -> CommandError:
    """A syntax error."""
    return CommandError("BAD", text)


class Lexer:
    """Reads tokens from left to right. What does not fit the grammar raises CommandError without tag."""

    __slots__ = ("_index", "_lines", "_literals", "limits", "line", "position", "utf8")

    def __init__(self, lines: list[bytes], literals: list[bytes], limits: ImapLimits, *, utf8: bool) -> None:
        self._lines = lines
        self._literals = literals
        self._index = 0
        self.line = lines[0]
        self.position = 0
        self.limits = limits
        self.utf8 = utf8

    # Single octets

    def at(self, octet: bytes) -> bool:
        """Whether this octet is next."""
        return self.line.startswith(octet, self.position)

    def take(self, octet: bytes) -> bool:
        """Skip the octets if they are next."""
        if self.line.startswith(octet, self.position):
            self.position += len(octet)
            return True
        return False

    def expect(self, octet: bytes) -> None:
        """Skip the octets, which must be next."""
        if not self.line.startswith(octet, self.position):
            raise bad(f"expected {octet.decode()!r}" if octet != b" " else "expected a space")
        self.position += len(octet)

    def space(self) -> None:
        """One space, exactly."""
        self.expect(b" ")

    def end(self) -> None:
        """Nothing may be left."""
        if self.position != len(self.line) or self._index != len(self._literals):
            raise bad("unexpected data at the end of the command")

    @property
    def at_end(self) -> bool:
        """Whether the line is used up."""
        return self.position == len(self.line)

    # Words and strings

    def _match(self, pattern: re.Pattern[bytes], what: str) -> bytes:
        found = pattern.match(self.line, self.position)
        if not found:
            raise bad(f"expected {what}")
        self.position = found.end()
        return found[0]

    def tag(self) -> str:
        """RFC 9051 §9 `tag`."""
        return self._match(_TAG, "a tag").decode("ascii")

    def atom(self) -> str:
        """RFC 9051 §9 `atom`."""
        return self._match(_ATOM, "an atom").decode("ascii")

    def word(self) -> str:
        """An atom where case makes no difference, in upper case."""
        return self._match(_ATOM, "a word").decode("ascii").upper()

    def rest(self) -> bytes:
        """The rest of the line."""
        rest = self.line[self.position :]
        self.position = len(self.line)
        return rest

    def string(self) -> bytes:
        """A quoted string or literal. Lenient: 8-bit octets in quoted strings, and literal8 anywhere."""
        line = self.line
        if line.startswith(b'"', self.position):
            found = _QUOTED.match(line, self.position)
            if not found:
                raise bad("bad quoted string")
            self.position = found.end()
            octets = found[1]
            return _ESCAPED.sub(rb"\1", octets) if b"\\" in octets else octets
        header = literal_header(line, self.position)
        if header is None:
            raise bad("expected a string")
        if self._index == len(self._literals):
            raise LiteralMissing(header)
        literal = self._literals[self._index]
        if b"\0" in literal and not header.binary:
            raise bad("NUL in literal")  # RFC 9051 §4.3.1
        self._index += 1
        self.line = self._lines[self._index]
        self.position = 0
        return literal

    def astring(self) -> bytes:
        """RFC 9051 §9 `astring`."""
        found = _ASTRING.match(self.line, self.position)
        # `~{3}` starts like an atom.
        if found and not (found[0] == b"~" and self.line.startswith(b"{", found.end())):
            self.position = found.end()
            return found[0]
        return self.string()

    def nstring(self) -> bytes | None:
        """A string, or None for NIL."""
        if self.line[self.position : self.position + 3].upper() == b"NIL":
            self.position += 3
            return None
        return self.string()

    def text(self) -> str:
        """An astring that holds UTF-8."""
        try:
            return self.astring().decode("utf-8")
        except UnicodeDecodeError:
            raise bad("string is not UTF-8") from None

    # Numbers and dates

    def number(self, largest: int = LARGEST_NUMBER64) -> int:
        """A number up to `largest`, which may be zero."""
        number = int(self._match(_NUMBER, "a number"))
        if number > largest:
            raise bad("number too large")
        return number

    def positive(self, largest: int = LARGEST_NUMBER64) -> int:
        """RFC 9051 §9 `nz-number`, `nz-number64`. Lenient about leading zeros."""
        number = self.number(largest)
        if number == 0:
            raise bad("number may not be zero")
        return number

    def sequence_set(self) -> sequence.SequenceSet:
        """RFC 9051 §9 `sequence-set`."""
        try:
            return sequence.parse(self._match(_SEQUENCE_SET, "a sequence set"), max_ranges=self.limits.sequence_ranges)
        except sequence.BadSequenceSet as error:
            raise bad(str(error)) from None

    def partial(self) -> tuple[int, int]:
        """RFC 9394 §4 `partial-range`."""
        found = _PARTIAL.match(self.line, self.position)
        if not found:
            raise bad("expected a range")
        self.position = found.end()
        first, last = int(found[1]), int(found[2])
        if (first < 0) != (last < 0) or max(abs(first), abs(last)) > sequence.LARGEST_NUMBER:
            raise bad("bad range")
        return first, last

    def object_id(self) -> str:
        """RFC 8474 §7 `objectid`."""
        return self._match(_OBJECT_ID, "an object id").decode("ascii")

    def date(self) -> datetime.date:
        """RFC 9051 §9 `date`."""
        found = _DATE.match(self.line, self.position)
        if not found:
            raise bad("expected a date")
        self.position = found.end()
        try:
            return datetime.date(int(found[4]), _MONTH_NUMBERS.get(found[3].upper(), 0), int(found[2]))
        except ValueError:
            raise bad("no such date") from None

    def date_time(self) -> datetime.datetime:
        """RFC 9051 §9 `date-time`. It exists in UTC, too."""
        found = _DATE_TIME.match(self.line, self.position)
        if not found:
            raise bad("expected a date and time")
        self.position = found.end()
        minutes = int(found[8]) * 60 + int(found[9])
        try:
            moment = datetime.datetime(
                int(found[3]),
                _MONTH_NUMBERS.get(found[2].upper(), 0),
                int(found[1]),
                int(found[4]),
                int(found[5]),
                min(int(found[6]), 59),  # Lenient: leap seconds.
                tzinfo=datetime.timezone(datetime.timedelta(minutes=-minutes if found[7] == b"-" else minutes)),
            )
            moment.astimezone(datetime.UTC)
        except (ValueError, OverflowError):
            raise bad("no such date and time") from None
        return moment

    # Names

    def mailbox(self, *, creating: bool = False) -> str:
        """RFC 9051 §9 `mailbox`; canonical. A name no mailbox can have is answered NO."""
        return self._mailbox_name(self.astring(), creating=creating)

    def mailbox_as_supplied(self, *, creating: bool = False) -> tuple[str, str]:
        """The same, and the name as it came if that was another, not being in NFC."""
        octets = self.astring()
        name = self._mailbox_name(octets, creating=creating)
        text = mailboxname.supplied(octets, utf8=self.utf8)
        return name, text.removesuffix("/") if creating else text

    def mailbox_or_server(self) -> str:
        """The same, or nothing for the server itself (RFC 5464 §4.1)."""
        octets = self.astring()
        return self._mailbox_name(octets) if octets else ""

    def _mailbox_name(self, octets: bytes, *, creating: bool = False) -> str:
        try:
            return mailboxname.parse(octets, utf8=self.utf8, limits=self.limits, creating=creating)
        except mailboxname.BadMailboxName as error:
            raise CommandError("NO", str(error), code=error.code) from None

    def list_mailbox(self) -> str:
        """RFC 9051 §9 `list-mailbox`: text with wildcards."""
        found = _LIST_MAILBOX.match(self.line, self.position)
        if found and not (found[0] == b"~" and self.line.startswith(b"{", found.end())):
            self.position = found.end()
            octets = found[0]
        else:
            octets = self.string()
        if len(octets) > self.limits.mailbox_octets:
            # A pattern longer than any name; it also bounds what matching it costs.
            raise CommandError("NO", "pattern is too long", code="LIMIT")
        try:
            return mailboxname.decode(octets, utf8=self.utf8)
        except mailboxname.BadMailboxName as error:
            raise bad(str(error)) from None

    def keyword(self) -> str:
        """RFC 9051 §9 `flag-keyword`, in lower case."""
        return self.atom().lower()

    def attribute(self) -> str:
        """A name with a backslash before it, as written."""
        self.expect(b"\\")
        return "\\" + self.atom()

    def flag_list(self) -> tuple[str, ...]:
        """RFC 9051 §9 `flag-list`."""
        self.expect(b"(")
        if self.take(b")"):
            return ()
        found = self.bare_flags()
        self.expect(b")")
        return found

    def bare_flags(self) -> tuple[str, ...]:
        """Flags, one or more, canonical, each once.

        Lenient: `\\Recent`, which clients copy from what old servers said, and flags nobody defined are left out, as
        a server may ignore what PERMANENTFLAGS does not list (RFC 9051 §7.1).
        """
        found: dict[str, None] = {}
        while True:
            flag = flags.canonical(self.attribute() if self.at(b"\\") else self.atom())
            if flag is not None:
                found[flag] = None
            if len(found) > self.limits.flags:
                raise CommandError("NO", "too many flags", code="LIMIT")
            if not self.take(b" "):
                return tuple(found)

    def words(self, known: frozenset[str] | None = None) -> tuple[str, ...]:
        """A list in parentheses, not empty, of upper case words, each once, all of them `known` if given."""
        self.expect(b"(")
        found: dict[str, None] = {}
        while True:
            word = self.word()
            if known is not None and word not in known:
                raise bad(f"unknown item {word}")
            found[word] = None
            if len(found) > self.limits.arguments:
                raise bad("too many items")
            if not self.take(b" "):
                break
        self.expect(b")")
        return tuple(found)
