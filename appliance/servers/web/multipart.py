"""multipart/form-data, taken apart as it comes (RFC 7578, RFC 2046 §5.1): octets in, parts out, nothing kept.

Strict: line ends are CRLF, as every client writes them; a file with the boundary behind a lone LF stays whole.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from appliance.mail import header
from appliance.mail.header import HeaderLimits
from appliance.mail.parameters import parse_disposition

#: Of the head of a part, and the padding behind a boundary.
_HEAD: Final = HeaderLimits(fields=50, octets=16 * 1024)
_PADDING_OCTETS: Final = 200
_PADDING: Final = re.compile(rb"[ \t]*+")
#: RFC 2046 §5.1.1.
BOUNDARY: Final = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")


class Malformed(ValueError):
    """Not a form."""


class HeadTooLarge(ValueError):
    """A part with a head that no client writes."""


@dataclass(frozen=True, slots=True)
class Head:
    """The beginning of a part."""

    name: str
    #: None: no file.
    filename: str | None
    content_type: str
    content_id: str


@dataclass(frozen=True, slots=True)
class Data:
    """Some of its content."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class End:
    """The end of its content."""


class Parser:
    """Takes a form apart."""

    def __init__(self, boundary: str) -> None:
        """Raises Malformed for what can be no boundary."""
        if not BOUNDARY.fullmatch(boundary):
            raise Malformed("there is no boundary, or one that is not allowed")
        self._delimiter = b"\r\n--" + boundary.encode("ascii")
        # The first boundary may stand at the very start.
        self._buffer = bytearray(b"\r\n")
        self._state = "preamble"

    @property
    def ended(self) -> bool:
        """Whether the last boundary was there."""
        return self._state == "end"

    def feed(self, octets: bytes) -> Iterator[Head | Data | End]:
        """What more octets bring; go through it to its end. Raises Malformed, HeadTooLarge."""
        self._buffer += octets
        while self._state != "end":
            if self._state == "head":
                head = self._take_head()
                if head is None:
                    return
                yield head
                continue
            content, is_end = self._take_content()
            if self._state == "data" and content:
                yield Data(content)
            if not is_end:
                return
            if self._state == "data":
                yield End()
            self._state = is_end
        self._buffer.clear()

    def _take_content(self) -> tuple[bytes, str]:
        """Content that is there, and the state behind its boundary, if that is there: `head` or `end`."""
        buffer, delimiter = self._buffer, self._delimiter
        start = 0
        while (at := buffer.find(delimiter, start)) >= 0:
            behind = at + len(delimiter)
            if buffer.startswith(b"--", behind):
                return self._take(at, behind + 2), "end"
            padding = _PADDING.match(buffer, behind, behind + _PADDING_OCTETS)
            assert padding is not None
            if buffer.startswith(b"\r\n", padding.end()):
                # The line end stays: a head without fields is nothing but it.
                return self._take(at, padding.end()), "head"
            rest = bytes(buffer[padding.end() : padding.end() + 2])
            if rest in {b"", b"\r"} or (rest == b"-" and padding.end() == behind):
                return self._take(at, at), ""  # More is to come.
            start = at + 1  # It only begins like the boundary.
        end = max(0, len(buffer) - len(delimiter) + 1)
        # Only where a boundary may begin, octets are held back.
        end = held if (held := buffer.find(b"\r", end)) >= 0 else len(buffer)
        return self._take(end, end), ""

    def _take(self, end: int, drop: int) -> bytes:
        content = bytes(self._buffer[:end])
        del self._buffer[:drop]
        return content

    def _take_head(self) -> Head | None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > _HEAD.octets:
                raise HeadTooLarge("the head of a part is too large")
            return None
        if end > _HEAD.octets:
            raise HeadTooLarge("the head of a part is too large")
        octets = bytes(self._buffer[2 : end + 2])
        del self._buffer[: end + 4]
        self._state = "data"
        fields = header.fields(octets, limits=_HEAD)

        def value(name: bytes) -> bytes:
            return header.get(octets, fields, name) or b""

        disposition, parameters = parse_disposition(value(b"content-disposition"))
        named = dict(parameters)
        if disposition != "form-data" or "name" not in named:
            raise Malformed("a part has no name")
        content_type = value(b"content-type").decode("utf-8", "replace")
        content_id = value(b"content-id").decode("utf-8", "replace")
        return Head(named["name"], named.get("filename"), content_type, content_id)
