"""Files of many messages, `mbox` (RFC 4155; the variant mboxrd): taken apart as they come, and written.

A message begins with a line `From `, which stands first or behind an empty line. In bodies such lines have a `>` more
than in the message. Status fields (Status, X-Status, X-Keywords) hold flags. Reading keeps nothing but the line it is
at.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from appliance.mail import date, header
from appliance.mail.date import DAYS, MONTHS

#: A longer line is passed on in pieces.
LINE_OCTETS: Final = 64 * 1024
_SEPARATOR: Final = re.compile(rb"^From [^\n]*\n", re.MULTILINE)
#: Lenient: many programs write mbox without quoting "From " in bodies. Separators tell a time of day, sentences do not.
_TIME: Final = re.compile(rb"\d\d?:\d\d")
_QUOTED: Final = re.compile(rb"^>(>*From )", re.MULTILINE)
_TO_QUOTE: Final = re.compile(rb"^(?=>*From )", re.MULTILINE)
#: "a@example.org Thu Jan  1 00:00:00 2026" and the like: what is before the day is not a date.
_ADDRESS: Final = re.compile(rb"From\s+\S+\s+")


@dataclass(frozen=True, slots=True)
class Begin:
    """A message begins."""

    #: The whole line.
    separator: bytes

    @property
    def when(self) -> datetime | None:
        """When it came, as the line says; without a zone it is taken as UTC."""
        return date.parse(_ADDRESS.sub(b"", self.separator, count=1))


class Splitter:
    """Takes a file apart: `feed` it, then `finish`. What comes before the first separator is dropped."""

    def __init__(self) -> None:
        self._rest = bytearray()
        #: An empty line that belongs to the separator behind it, if one follows.
        self._held = b""
        self._mid_line = False
        self._after_empty = True
        self.started = False

    def feed(self, octets: bytes) -> Iterator[Begin | bytes]:
        """What more octets bring: beginnings, and content with its own line ends."""
        self._rest += octets
        end = self._rest.rfind(b"\n") + 1
        if not end and len(self._rest) > LINE_OCTETS:
            end = len(self._rest)
        if end:
            block = bytes(self._rest[:end])
            del self._rest[:end]
            yield from self._block(block)

    def finish(self) -> Iterator[Begin | bytes]:
        """The end of the file."""
        block = bytes(self._rest)
        self._rest.clear()
        if block:
            yield from self._block(block if block.endswith(b"\n") else block + b"\n")
        # The last message's empty line is its end, as before a separator.
        self._held = b""

    def _block(self, block: bytes) -> Iterator[Begin | bytes]:
        at = 0
        for found in _SEPARATOR.finditer(block):
            start = found.start()
            if not self._is_behind_empty(block, start):
                continue
            if self.started and not _TIME.search(found.group()):
                continue
            yield from self._content(block[at:start])
            self._held = b""
            self._after_empty = self._mid_line = False
            self.started = True
            yield Begin(found.group())
            at = found.end()
        yield from self._content(block[at:])

    def _is_behind_empty(self, block: bytes, start: int) -> bool:
        """Whether the line before one that begins there is empty."""
        if not start:
            return self._after_empty and not self._mid_line
        end = start - 1
        if end and block[end - 1] == 0x0D:
            end -= 1
        return block[end - 1] == 0x0A if end else not self._mid_line

    def _content(self, octets: bytes) -> Iterator[bytes]:
        if not octets:
            return
        octets, self._held = self._held + octets, b""
        was_mid_line, self._mid_line = self._mid_line, not octets.endswith(b"\n")
        for empty in (b"\r\n", b"\n"):
            if octets.endswith(empty):
                before = octets[: -len(empty)]
                self._after_empty = before.endswith(b"\n") or (not before and not was_mid_line)
                if self._after_empty:
                    octets, self._held = before, empty
                break
        else:
            self._after_empty = False
        if not self.started or not octets:
            return
        if b">From " in octets:
            # The rest of a long line begins no line.
            end = octets.find(b"\n") + 1 if was_mid_line else 0
            octets = octets[:end] + _QUOTED.sub(rb"\1", octets[end:]) if end or not was_mid_line else octets
        yield octets


# Flags, as names that IMAP has for them.

_STATUS: Final = {"R": "\\Seen"}
_X_STATUS: Final = {"A": "\\Answered", "F": "\\Flagged", "T": "\\Draft", "D": "\\Deleted"}
_STATUS_FIELDS: Final = (b"status", b"x-status", b"x-keywords")
#: Fields that writing replaces.
_REPLACED: Final = frozenset({*_STATUS_FIELDS, b"content-length", b"x-imapbase"})


def flags(octets: bytes, fields: Iterable[header.Field]) -> tuple[str, ...]:
    """Flags that the header of a message in a file tells; keywords may be such as no message can have."""
    fields = list(fields)

    def value(name: bytes) -> str:
        return b" ".join(header.get_all(octets, fields, name)).decode("utf-8", "replace")

    found = [_STATUS[letter] for letter in value(b"Status") if letter in _STATUS]
    found += [_X_STATUS[letter] for letter in value(b"X-Status") if letter in _X_STATUS]
    return tuple(dict.fromkeys([*found, *value(b"X-Keywords").replace(",", " ").split()]))


def separator(sender: bytes, received: datetime) -> bytes:
    """The line before a message. `sender` is its return path, empty for none."""
    when = received.astimezone(UTC)
    clock = f"{when.hour:02}:{when.minute:02}:{when.second:02}"
    text = f"{DAYS[when.weekday()]} {MONTHS[when.month - 1]} {when.day:2} {clock} {when.year:04}"
    # Whoever reads this takes the first word for the address.
    word = re.sub(rb"[^!-~]", b"-", sender) or b"MAILER-DAEMON"
    return b"From " + word + b" " + text.encode() + b"\n"


def status_fields(names: Iterable[str]) -> bytes:
    """Fields that tell flags and keywords; the message is no longer new to whoever reads the file."""
    known = list(names)
    status = b"Status: " + (b"R" if "\\Seen" in known else b"") + b"O\n"
    letters = "".join(letter for letter, name in _X_STATUS.items() if name in known)
    keywords = [name for name in known if not name.startswith("\\")]
    more = f"X-Status: {letters}\n" if letters else ""
    more += f"X-Keywords: {' '.join(keywords)}\n" if keywords else ""
    return status + more.encode()


def base(uid_validity: int, keywords: Iterable[str]) -> bytes:
    """A field of a file's first message that names the keywords of all: UW IMAP and Dovecot know no others."""
    return f"X-IMAPbase: {uid_validity} 0 {' '.join(keywords)}\n".encode()


def head(octets: bytes, fields: Iterable[header.Field], names: Iterable[str], base: bytes = b"") -> bytes:
    """The header section of a message for a file: LF, with flags in the place of those it had.

    `octets` is the section up to its empty line, which is in it; `fields` are those of it. `base` goes before all.
    """
    kept = []
    at = 0
    for field in fields:
        if field.name.lower() in _REPLACED:
            kept.append(octets[at : field.start])
            at = field.end
    kept.append(octets[at:])
    rest = b"".join(kept).replace(b"\r\n", b"\n")
    return base + status_fields(names) + quote(rest)


def quote(octets: bytes) -> bytes:
    """Whole lines with LF, those that look like a separator quoted."""
    return _TO_QUOTE.sub(b">", octets) if b"From " in octets else octets
