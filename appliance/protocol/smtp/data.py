"""The message after DATA: its end found, its dots unstuffed, its line ends made whole. And that of BDAT, counted.

RFC 5321 §4.5.2. Only CRLF ends a line. What another server might take for the end of the message and we do not
(a bare CR, or a dot between line ends of which one is a bare LF) is SMTP smuggling, and condemns the message.

RFC 3030 §2: the octets of BDAT are counted, so none of them is a sign of anything, and nothing can be smuggled to us.
"""

import io

from appliance.mail import lineend

#: What ends the message; its first CRLF still belongs to it.
_END = b"\r\n.\r\n"
#: Suffixes that the next octets may complete to something that matters, the longest first.
_OPEN_ENDS = (b"\r\n.\r", b"\n.\r", b"\r\n.", b"\n.", b"\r\n", b"\r", b"\n")
_LAST_OF_OPEN_ENDS = frozenset(b"\r\n.")
#: CRLF . LF and LF . LF; and LF . CRLF where there is no CRLF . CRLF.
_FOREIGN_ENDS = (b"\n.\n", b"\n.\r\n")
#: The most of a foreign end and of an open end, one reaching into the other.
_OVERLAP_OCTETS = 8
#: Line ends of content without bare CR and LF, as the decoder notes them.
_CLEAN = (None, "\r\n")


class MessageData:
    """The message of one DATA command, taken apart as it arrives; whole runs of octets at a time."""

    def __init__(self) -> None:
        # The line end before the message: its first line may be the dot, or be stuffed.
        self._held = b"\r\n"
        self._is_virtual = True
        #: So many octets of message were seen, without stuffing and with line ends made whole.
        self.size_octets = 0
        #: The message must be refused. No more of it is handed out.
        self.smuggling = False

    def receive(self, octets: bytes) -> tuple[bytes, bytes | None]:
        """Message content made from the octets, and what followed the message's end: None while it goes on."""
        window = self._held + octets
        rest: bytes | None = None
        # Lines with a dot in front are rare: without any, there is neither an end nor stuffing.
        dotted = window.find(b"\r\n.")
        end = window.find(_END, dotted) if dotted >= 0 else -1
        if end >= 0:
            stop = end + 2
            rest = window[end + len(_END) :]
        else:
            stop = len(window) - _open_end(window)
            self._held = window[stop:]
            # What is held back for the next octets may have completed a sequence with those before it.
            self.smuggling = self.smuggling or _has_foreign_end(window[-_OVERLAP_OCTETS:])
        content = window[:stop]
        # The decoder is C code that notes which line ends it passes: one fast look for bare CR and LF alike.
        lines = io.IncrementalNewlineDecoder(None, translate=False)
        lines.decode(content.decode("latin-1"), final=True)
        is_clean = lines.newlines in _CLEAN
        if not is_clean and not self.smuggling:
            self.smuggling = content.count(b"\r") != content.count(b"\r\n") or _has_foreign_end(content)
        if 0 <= dotted < stop:
            content = content.replace(b"\r\n.", b"\r\n")
        if not is_clean:
            content = content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        if self._is_virtual and content:
            content = content[2:]
            self._is_virtual = False
        self.size_octets += len(content)
        return (b"" if self.smuggling else content), rest


class ChunkedData:
    """The message of the BDAT commands of one transaction.

    What other servers send is kept octet by octet, with BODY=BINARYMIME or without: bare CR and LF, NUL and dots, and a
    last line without end. With it that was agreed (RFC 3030 §3). Without it the lines should end in CRLF (RFC 3030 §2),
    but binary parts may be among them and must be taken (RFC 3030 §3), Exchange sends bare LF in this way alone, and a
    signature (DKIM) is over the octets as they came. Scanner, store and IMAP take LF for the end of a line as well.

    What users submit goes on to servers that know DATA alone, so it is made what DATA would have made of it: LF becomes
    CRLF, a last line gets its end, and a bare CR condemns the message. There is no BINARYMIME for it.
    """

    def __init__(self, *, canonical: bool) -> None:
        """`canonical` for what users submit."""
        self._canonical = canonical
        self._ends_line = True
        self._held = b""
        #: So many octets were received.
        self.size_octets = 0
        #: The message must be refused, as with MessageData.
        self.smuggling = False

    def receive(self, octets: bytes, *, last: bool = False) -> bytes:
        """Message content made from the next octets; `last` when no more come."""
        self.size_octets += len(octets)
        if not self._canonical:
            return octets
        window = self._held + octets
        self._held = b""
        if not last and window.endswith(b"\r"):
            window, self._held = window[:-1], b"\r"
        self.smuggling = self.smuggling or window.count(b"\r") != window.count(b"\r\n")
        if self.smuggling:
            return b""
        content = lineend.crlf(window)
        if content:
            self._ends_line = content.endswith(b"\n")
        return content + b"\r\n" if last and not self._ends_line else content


def _open_end(window: bytes) -> int:
    """How many octets at the end must wait for more."""
    if not window or window[-1] not in _LAST_OF_OPEN_ENDS:
        return 0
    return next((len(suffix) for suffix in _OPEN_ENDS if window.endswith(suffix)), 0)


def _has_foreign_end(octets: bytes) -> bool:
    """Whether octets without a genuine end have one that others might see."""
    return any(sequence in octets for sequence in _FOREIGN_ENDS)
