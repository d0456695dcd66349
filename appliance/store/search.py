"""What is asked of a message's text, and whether a stored text has it: the plain way, which is always right.

A stored text is one octet (`prepare.COMPLETE` or `CUT`), the header's fields one a line, NUL, and the texts of the
body with NULs between (store.prepare). All of it is folded, and so is what is looked for: searching is finding octets
(RFC 9051 §6.4.4: substrings, without regard to case). store.words answers the same from an index.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from appliance.mail import date, header
from appliance.store.prepare import fold


@dataclass(frozen=True, slots=True)
class InText:
    """Somewhere in header or body."""

    needle: bytes

    def test(self, text: bytes) -> bool:
        """Whether a stored text has it."""
        return text.find(self.needle, 1) >= 0 or not self.needle

    def test_whole(self, texts: Iterator[Iterable[bytes]]) -> bool:
        """The same of all texts of a message, that of its header first; each in pieces."""
        return any(_has(one, self.needle) for one in texts)


@dataclass(frozen=True, slots=True)
class InBody:
    """In the body."""

    needle: bytes

    def test(self, text: bytes) -> bool:
        """Whether a stored text has it."""
        return text.find(self.needle, text.find(b"\0") + 1) >= 0

    def test_whole(self, texts: Iterator[Iterable[bytes]]) -> bool:
        """The same of all texts of a message, that of its header first; each in pieces."""
        next(texts)
        return any(_has(one, self.needle) for one in texts) or not self.needle


#: Folded names of the fields that people write in and look for; of others they see nothing.
SHOWN_FIELDS: Final = (b"from", b"to", b"cc", b"bcc", b"subject")


@dataclass(frozen=True, slots=True)
class InShown:
    """In what people see of a message: the fields above, or the body (RFC 8621 §4.4.1, `text`)."""

    needle: bytes

    def test(self, text: bytes) -> bool:
        """Whether a stored text has it."""
        needle, end = self.needle, text.find(b"\0")
        if text.find(needle, end + 1) >= 0:
            return True
        return text.find(needle, 1, max(end, 0)) >= 0 and self._in_header(header_lines(text))

    def _in_header(self, head: bytes) -> bool:
        return any(self.needle in value for name in SHOWN_FIELDS for value in values(head, name))

    def test_whole(self, texts: Iterator[Iterable[bytes]]) -> bool:
        """The same of all texts of a message, that of its header first; each in pieces."""
        head = b"\n" + b"".join(next(texts))
        return self._in_header(head) or any(_has(one, self.needle) for one in texts) or not self.needle


@dataclass(frozen=True, slots=True)
class InField:
    """In a header field; with an empty needle, whether there is such a field (RFC 9051 §6.4.4)."""

    #: Folded, without the colon.
    name: bytes
    needle: bytes

    def test(self, text: bytes) -> bool:
        """Whether a stored text has it."""
        head, needle = header_lines(text), self.needle
        return needle in head and any(needle in value for value in values(head, self.name))


@dataclass(frozen=True, slots=True)
class SentBetween:
    """Date says a day from `first` to `last`, both included, as `date.toordinal` counts; None is no bound.

    The day is the one that the sender's clock showed (RFC 9051 §6.4.4: disregarding time and timezone).
    """

    first: int | None
    last: int | None

    def test(self, text: bytes) -> bool:
        """Whether a stored text has it."""
        return self.holds(sent_day(text))

    def holds(self, day: int) -> bool:
        """The same of a `sent_day`."""
        return day > 0 and (self.first is None or day >= self.first) and (self.last is None or day <= self.last)


def _has(pieces: Iterable[bytes], needle: bytes) -> bool:
    """Whether something stands in a text, also across the ends of pieces. No text is found between two texts."""
    rest = b""
    for piece in pieces:
        near = rest + piece
        if needle in near:
            return True
        rest = near[len(near) - len(needle) + 1 :] if 1 < len(needle) <= len(near) else near if needle[1:] else b""
    return not needle


Query = InText | InBody | InShown | InField | SentBetween
#: Those that a text of which only the beginning is kept cannot deny: the header is always kept.
Doubtful = InText | InBody | InShown
DOUBTFUL: Final = (InText, InBody, InShown)


def in_text(words: str) -> InText:
    """TEXT."""
    return InText(fold(words))


def in_body(words: str) -> InBody:
    """BODY."""
    return InBody(fold(words))


def in_shown(words: str) -> InShown:
    """What people see of a message."""
    return InShown(fold(words))


def in_field(name: str, words: str) -> InField:
    """HEADER."""
    return InField(fold(name), fold(words))


def header_end(text: bytes) -> int:
    """Where the header's text ends."""
    return max(text.find(b"\0"), 0)


def header_lines(text: bytes) -> bytes:
    """The header's text, a newline before every field."""
    return b"\n" + text[1 : header_end(text)]


def values(head: bytes, name: bytes) -> Iterator[bytes]:
    """The values of all fields of a name in `header_lines`, with the space before them."""
    start = b"\n" + name
    at = head.find(start)
    while at >= 0:
        at += len(start)
        end = head.find(b"\n", at)
        rest = head[at : end if end >= 0 else len(head)].lstrip(b" \t")
        if rest.startswith(b":"):
            yield rest[1:]
        at = head.find(start, at)


def sent_day(text: bytes) -> int:
    """The day that the first Date field says, as `date.toordinal` counts; 0 when there is none to be read."""
    value = next(values(header_lines(text), b"date"), None)
    when = date.parse(header.unfold(value)) if value is not None else None
    return when.toordinal() if when is not None else 0
