"""A message made ready for DATA as it is sent: dots doubled, its last line ended (RFC 5321 §4.5.2).

Only CRLF ends a line. A bare CR or LF is refused: what one server takes for the end of a message and another does not
is SMTP smuggling, and nobody shall do that through us.
"""


class BadContent(Exception):
    """The message has a bare CR or LF. What was sent of it must not be ended by a dot."""


class Stuffing:
    """One message. `feed` it all, then `finish`."""

    def __init__(self) -> None:
        self._at_line_start = True
        self._held = b""

    def feed(self, octets: bytes) -> bytes:
        """What to send for the next octets. Raises BadContent."""
        window = self._held + octets
        self._held = b""
        if window.endswith(b"\r"):
            window, self._held = window[:-1], b"\r"
        pairs = window.count(b"\r\n")
        if window.count(b"\n") != pairs or window.count(b"\r") != pairs:
            raise BadContent("the message has a bare CR or LF")
        if not window:
            return b""
        stuffed = window.replace(b"\r\n.", b"\r\n..")
        if self._at_line_start and window.startswith(b"."):
            stuffed = b"." + stuffed
        self._at_line_start = window.endswith(b"\r\n")
        return stuffed

    def finish(self) -> bytes:
        """The end of the message. Raises BadContent."""
        if self._held:
            raise BadContent("the message ends in a bare CR")
        # Signatures do not suffer: DKIM takes a body without a last CRLF as if it had one (RFC 6376 §3.4.3, §3.4.4).
        return b".\r\n" if self._at_line_start else b"\r\n.\r\n"
