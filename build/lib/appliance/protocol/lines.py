"""The receive buffer of every line-based conversation: octets in, lines or runs of octets out.

It holds what arrived and was not yet asked for, so it stays within one line plus one receive as long as its
driver empties it before receiving again. What a line means is for the conversations.
"""

from enum import Enum
from typing import Final


class NeedData(Enum):
    """The type of NEED_DATA."""

    NEED_DATA = "need data"


#: A conversation's answer when it must receive more before anything has happened.
NEED_DATA: Final = NeedData.NEED_DATA


class LineTooLongError(Exception):
    """The peer sent more octets without a line end than a line may have. The conversation is lost."""


class LineBuffer:
    """Received octets, handed out line by line or as they are."""

    __slots__ = ("_buffer", "_searched", "_start")

    def __init__(self) -> None:
        self._buffer = b""
        self._start = 0  # what lies before was handed out
        self._searched = 0  # between start and here is no LF

    def __len__(self) -> int:
        return len(self._buffer) - self._start

    def feed(self, octets: bytes) -> None:
        """Add received octets behind those still held."""
        if self._start == len(self._buffer):
            self._buffer, self._start, self._searched = octets, 0, 0
        else:
            self._buffer = self._buffer[self._start :] + octets
            self._searched = max(self._searched - self._start, 0)
            self._start = 0

    def take_line(self, limit_octets: int) -> bytes | None:
        """The next line without its LF or CRLF, or None while it is not complete.

        Raises LineTooLongError when the line has more than `limit_octets` with its line end.
        """
        buffer, start, searched = self._buffer, self._start, self._searched
        stop = start + limit_octets
        end = buffer.find(b"\n", searched if searched > start else start, stop)
        if end < 0:
            if len(buffer) >= stop:
                raise LineTooLongError
            self._searched = len(buffer)
            return None
        self._start = end + 1
        if end > start and buffer[end - 1] == 0x0D:
            end -= 1
        return buffer[start:end]

    def has_line(self) -> bool:
        """Whether a complete line is held."""
        return self._buffer.find(b"\n", max(self._start, self._searched)) >= 0

    def take(self, most_octets: int) -> bytes:
        """At most so many of the octets held; empty when there are none."""
        start = self._start
        taken = self._buffer[start : start + most_octets]
        self._start += len(taken)
        return taken

    def take_all(self) -> bytes:
        """All octets held."""
        taken = self._buffer[self._start :]
        self._buffer, self._start, self._searched = b"", 0, 0
        return taken

    def put_back(self, octets: bytes) -> None:
        """Return octets taken too many: they are handed out again first."""
        self._buffer = octets + self._buffer[self._start :]
        self._start = self._searched = 0
