"""The client's reading of replies: octets in, `Reply` values out, within limits whatever a server sends.

RFC 5321 §4.2 (form), RFC 2034 (enhanced status codes). What a reply means is for client.py.
"""

import re
from dataclasses import dataclass
from typing import Final

from appliance.mail.status import Status
from appliance.protocol.lines import LineBuffer, LineTooLongError
from appliance.protocol.smtp.reply import CONTROLS, Reply


@dataclass(frozen=True, slots=True)
class ReplyLimits:
    """What a server's replies may cost us."""

    #: A line with its end. RFC 5321 §4.5.3.1.5 has 512; challenges of SASL may have 12,288 (RFC 4954 §4).
    line_octets: int
    #: Of one reply.
    lines: int
    reply_octets: int
    #: Text that is kept of one reply, for logs and notices: a message may have as many replies as recipients.
    kept_characters: int


class BadReply(Exception):
    """This is no reply of SMTP, or a larger one than is taken; the conversation is lost."""


# RFC 5321 §4.2. Clients take a code without anything behind it (RFC 5321 §4.2.1). There are no replies 1yz.
_LINE: Final = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?", re.DOTALL)
# Lenient: Cisco's gateways write `#5.1.0 Address rejected.`
_STATUS: Final = re.compile(r"#?([245])\.([0-9]{1,3})\.([0-9]{1,3})(?:[ \t]+|\Z)", re.ASCII)
#: Of a line that is no reply, so much is shown in the log.
_SHOWN_OCTETS: Final = 100


class ReplyReader:
    """Octets in, replies out. Take all replies before giving it more, and it stays as small as its limits."""

    def __init__(self, limits: ReplyLimits) -> None:
        self._limits = limits
        self._lines = LineBuffer()
        self._begin()

    def _begin(self) -> None:
        self._code = 0
        self._texts: list[str] = []
        self._count = self._octets = self._kept = 0

    def feed(self, octets: bytes) -> None:
        """Add received octets."""
        self._lines.feed(octets)

    @property
    def holds_octets(self) -> bool:
        """Whether something was received that no reply has been made of."""
        return self._count > 0 or len(self._lines) > 0

    def next_reply(self, *, whole: bool = False) -> Reply | None:
        """The next reply; None while it is not complete. Its status stands apart from its texts, one for each line.

        `whole` for replies whose text matters: nothing of it is dropped, unless it is a refusal. Raises BadReply.
        """
        while True:
            try:
                line = self._lines.take_line(self._limits.line_octets)
            except LineTooLongError as error:
                raise BadReply("a line of the reply is too long") from error
            if line is None:
                return None
            if self._take(line, whole=whole):
                reply = self._reply()
                self._begin()
                return reply

    def _take(self, line: bytes, *, whole: bool) -> bool:
        """Whether the line was the last of a reply. Raises BadReply."""
        found = _LINE.fullmatch(line)
        if found is None:
            shown = CONTROLS.sub("", line[:_SHOWN_OCTETS].decode("utf-8", "replace"))
            raise BadReply(f"not a reply: {shown!r}")
        code = int(found[1])
        if self._count and code != self._code:
            raise BadReply(f"lines of one reply have the codes {self._code} and {code}")  # RFC 5321 §4.2.1
        self._code = code
        self._count += 1
        self._octets += len(line)
        if self._count > self._limits.lines or self._octets > self._limits.reply_octets:
            raise BadReply("the reply is too long")
        room = self._limits.reply_octets if whole and code < 400 else self._limits.kept_characters - self._kept
        if room > 0:
            text = CONTROLS.sub("", (found[3] or b"").decode("utf-8", "replace")).strip()[:room]
            self._texts.append(text)
            self._kept += len(text)
        return found[2] != b"-"

    def _reply(self) -> Reply:
        status = None
        texts = self._texts
        if (found := _STATUS.match(texts[0])) is not None and int(found[1]) == self._code // 100:
            status = Status(int(found[1]), int(found[2]), int(found[3]))
            # Each line has it (RFC 2034 §4).
            texts = [_STATUS.sub("", text, count=1) if _STATUS.match(text) else text for text in texts]
        return Reply(self._code, status, tuple(texts))
