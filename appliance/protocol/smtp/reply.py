"""An SMTP reply as a value, its octets, and the exception that carries one.

RFC 5321 §4.2 (form), RFC 2034 (enhanced status codes). What to answer is for servers.smtp and, where the protocol
itself leaves no choice, for the modules beside this one.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from appliance.mail.status import Status

#: Octets of a reply line, CRLF included (RFC 5321 §4.5.3.1.5).
LINE_OCTETS = 512
#: A long text is broken at its last space behind this column, if there is one.
SEARCH_BACK_COLUMN = 400
#: C0, DEL and C1: never sent, a terminal may be reading.
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply code, an enhanced status code where one belongs, and text of one or several lines."""

    code: int
    #: None in greetings, in 3xx replies and in answers to EHLO and HELO (RFC 2034 §4).
    status: Status | None
    #: Several strings or line feeds make several reply lines; too long ones are continued.
    text: str | tuple[str, ...]

    def encode(self, suffix: str = "", *, utf8: bool = False) -> bytes:
        """The reply's lines as octets, `suffix` in parentheses behind the text.

        Outside of ASCII is only written with `utf8` (RFC 6531 §3.7.4.2), else as `?`. Control characters vanish.
        """
        text = self.text
        if suffix:
            text = f"{text} ({suffix})" if isinstance(text, str) else (*text[:-1], f"{text[-1]} ({suffix})")
        start = f"{self.code}"
        status = f"{self.status} " if self.status is not None else ""
        # The usual cases, without looking twice.
        if isinstance(text, str):
            if _is_plain(text):
                return f"{start} {status}{text}\r\n".encode("ascii")
        elif text and all(map(_is_plain, text)):
            *others, last = text
            head = f"{start}-{status}"
            return "".join([f"{head}{one}\r\n" for one in others] + [f"{start} {status}{last}\r\n"]).encode("ascii")
        room = LINE_OCTETS - len(start) - 1 - len(status) - 2
        parts = text if isinstance(text, tuple) else (text,)
        lines = [piece for part in parts for piece in _lines(part, room, "utf-8" if utf8 else "ascii")]
        encoded = status.encode("ascii")
        return b"".join(
            b"%s%s%s%s\r\n" % (start.encode("ascii"), b" " if last else b"-", encoded, line)
            for last, line in ((number == len(lines), line) for number, line in enumerate(lines, 1))
        )

    def __str__(self) -> str:
        """All of it on one line, as logs and notices have it."""
        text = self.text if isinstance(self.text, str) else " ".join(self.text)
        return " ".join(str(part) for part in (self.code, self.status, text) if part)

    def with_text(self, more: str) -> "Reply":
        """The same reply with `more` behind its text."""
        if isinstance(self.text, str):
            return replace(self, text=self.text + more)
        return replace(self, text=(*self.text[:-1], self.text[-1] + more))


def _is_plain(text: str) -> bool:
    """Whether a text is one line as it stands."""
    return len(text) < SEARCH_BACK_COLUMN and text.isascii() and text.isprintable()


def _lines(text: str, room: int, charset: str) -> Iterator[bytes]:
    """Cut a text at its line ends, and again wherever a piece has more than `room` octets."""
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        octets = CONTROLS.sub("", line).encode(charset, "replace")
        while len(octets) > room:
            cut = octets.rfind(b" ", SEARCH_BACK_COLUMN, room + 1)
            if cut > 0:
                yield octets[:cut]
                octets = octets[cut + 1 :]
                continue
            cut = room
            while octets[cut] & 0xC0 == 0x80:  # not inside a character
                cut -= 1
            yield octets[:cut]
            octets = octets[cut:]
        yield octets


class ProtocolError(Exception):
    """The client broke the protocol. `reply` is what to answer; unless `fatal` the conversation goes on."""

    def __init__(self, reply: Reply, *, fatal: bool = False, remainder: bytes = b"", times: int = 1) -> None:
        super().__init__(reply.text)
        self.reply = reply
        self.fatal = fatal
        #: How often to answer it: LMTP owes a reply to each recipient (RFC 2033 §4.3).
        self.times = times
        #: What could not be understood, for the log. Strangers are not told (it may be a probe for secrets).
        self.remainder = remainder
