"""The server's side of an IMAP conversation: octets in, commands out, no socket.

RFC 9051 §2.2, literals of RFC 7888. Lines and literals are gathered here, `grammar` reads them; messages of APPEND and
REPLACE pass through in chunks and are never gathered. What commands mean belongs to servers.imap, which drives this.
"""

import datetime
import re
from collections.abc import Callable
from dataclasses import dataclass

from appliance.protocol.imap import append, grammar
from appliance.protocol.imap.command import Append, Replace, Request
from appliance.protocol.imap.lexer import (
    LARGEST_NUMBER64,
    CommandError,
    Lexer,
    LiteralHeader,
    LiteralMissing,
    bad,
    literal_header,
)
from appliance.protocol.imap.limits import ImapLimits
from appliance.protocol.lines import NEED_DATA, LineBuffer, LineTooLongError, NeedData

__all__ = [
    "NEED_DATA",
    "AppendBegin",
    "AppendChunk",
    "AppendEnd",
    "AuthResponse",
    "Command",
    "CommandError",
    "Event",
    "IdleDone",
    "LiteralWanted",
    "NeedData",
    "ServerConnection",
]

#: Tag and name, and for UID the name after it (RFC 9051 §9 `command`).
_HEAD = re.compile(rb'([^\x00-\x20\x7f-\xff(){%*"\\+]+) ((?:UID )?[A-Z]+)(?= |$)', re.IGNORECASE)
_TAG = re.compile(rb'([^\x00-\x20\x7f-\xff(){%*"\\+]+) ')
#: The commands whose messages are streamed.
_APPENDING = frozenset({b"APPEND", b"REPLACE", b"UID REPLACE"})


@dataclass(frozen=True, slots=True)
class Command:
    """A whole command, its literals included."""

    tag: str
    request: Request


@dataclass(frozen=True, slots=True)
class LiteralWanted:
    """The client waits for `+ OK` before it sends a literal of a command; send it and go on."""

    size_octets: int


@dataclass(frozen=True, slots=True)
class AppendBegin:
    """A message is about to come. Answer with `accept_literal` (after `+ OK` if sync) or `refuse_literal`.

    Should a CommandError come before the Command, nothing of the whole command may be kept.
    """

    tag: str
    mailbox: str
    flags: tuple[str, ...]
    #: The wanted internal date, None for now.
    date: datetime.datetime | None
    size_octets: int
    #: Whether the client waits for `+ OK`; otherwise the octets are under way already.
    sync: bool
    #: literal8 (RFC 9051 §6.3.12).
    binary: bool
    #: Sent as UTF8 (~{n} …) (RFC 6855 §4).
    utf8: bool
    #: 0 for the first message of the command.
    index: int
    #: For REPLACE: whether by UID, and which message, None for `*`.
    replaces: tuple[bool, int | None] | None = None


@dataclass(frozen=True, slots=True)
class AppendChunk:
    """Some octets of the message."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class AppendEnd:
    """All octets of the message have come. Another AppendBegin, or the Command, follows."""


@dataclass(frozen=True, slots=True)
class AuthResponse:
    """The client's answer to a challenge, decoded; None if it gave up with `*`."""

    octets: bytes | None


@dataclass(frozen=True, slots=True)
class IdleDone:
    """The client ended IDLE."""


Event = Command | LiteralWanted | AppendBegin | AppendChunk | AppendEnd | AuthResponse | IdleDone

#: What to do with the octets at hand; None when something was done but nothing happened.
_Step = Callable[[], Event | NeedData | None]


class ServerConnection:
    """One connection's input. `receive_data`, then `next_event` until NEED_DATA."""

    def __init__(self, limits: ImapLimits) -> None:
        self._limits = limits
        #: Mailbox names are UTF-8, not modified UTF-7: after ENABLE IMAP4rev2 or UTF8=ACCEPT.
        self.utf8 = False
        #: Wider literal limits, errors told in detail.
        self.authenticated = False
        self._buffer = LineBuffer()
        self._step: _Step = self._command_line
        self._is_first = True
        self._tag: str | None = None
        # Where in its first line a command's name stands, and where an APPEND's arguments do, -1 for another command.
        self._name_position = 0
        self._arguments = -1
        # The command being gathered.
        self._lines: list[bytes] = []
        self._line_octets = 0
        self._literals: list[bytes] = []
        self._literal_octets = 0
        # The literal or message under way.
        self._pieces: list[bytes] = []
        self._missing_octets = 0
        # The APPEND or REPLACE under way.
        self._target = append.Target("")
        self._head: append.MessageHead | None = None
        self._messages = 0

    def receive_data(self, octets: bytes) -> None:
        """Octets from the client. Call only after NEED_DATA, so that what is held stays bounded."""
        self._buffer.feed(octets)

    def next_event(self) -> Event | NeedData:
        """What the client said next, or NEED_DATA. Raises CommandError; unless that is fatal, go on after it."""
        try:
            while (event := self._step()) is None:
                pass
        except CommandError as error:
            raise self._failed(error) from None
        return event

    def accept_literal(self) -> None:
        """Take the message announced by AppendBegin: AppendChunk events and AppendEnd will come."""
        assert self._head is not None
        self._missing_octets = self._head.literal.size_octets
        self._step = self._message_chunk

    def refuse_literal(self) -> None:
        """Don't take the message announced by AppendBegin, and end its command, which the caller then answers.

        A client that waits for `+ OK` sends nothing more of it (RFC 9051 §4.3); of another the rest of the command is
        read and dropped silently.
        """
        assert self._head is not None
        literal = self._head.literal
        self._forget()
        if not literal.sync:
            self._missing_octets = literal.size_octets
            self._step = self._drop_literal

    def expect_auth_response(self) -> None:
        """A challenge was sent: the next line is an AuthResponse."""
        self._step = self._auth_response

    def expect_idle_done(self) -> None:
        """`+ idling` was sent: the next line must be DONE."""
        self._step = self._idle_done

    def take_pending(self) -> bytes:
        """Octets received but not used, taken away; after STARTTLS they belong to the handshake."""
        return self._buffer.take_all()

    @property
    def in_literal(self) -> bool:
        """Octets of a literal must come next."""
        return self._missing_octets > 0

    # Steps

    def _command_line(self) -> Event | NeedData | None:
        line = self._take_line()
        if line is None:
            return NEED_DATA
        self._lines.append(line)
        self._line_octets += len(line)
        if len(self._lines) == 1:
            self._start(line)
        if self._arguments >= 0:
            return self._append_begin()
        if header := literal_header(line):
            return self._literal_begin(header)
        return self._command()

    def _take_literal(self) -> Event | NeedData | None:
        if self._missing_octets:
            octets = self._buffer.take(self._missing_octets)
            if not octets:
                return NEED_DATA
            self._pieces.append(octets)
            self._missing_octets -= len(octets)
            if self._missing_octets:
                return NEED_DATA
        self._literals.append(b"".join(self._pieces))
        self._pieces = []
        self._step = self._command_line
        return None

    def _message_chunk(self) -> Event | NeedData | None:
        if not self._missing_octets:
            self._step = self._message_tail
            return AppendEnd()
        octets = self._buffer.take(min(self._missing_octets, self._limits.chunk_octets))
        if not octets:
            return NEED_DATA
        self._missing_octets -= len(octets)
        return AppendChunk(octets)

    def _message_tail(self) -> Event | NeedData | None:
        """What follows a message: the end of the command, or another message (RFC 3502)."""
        line = self._take_line()
        if line is None:
            return NEED_DATA
        assert self._tag is not None
        assert self._head is not None
        self._lines, self._literals = [line], []
        lexer = Lexer(self._lines, [], self._limits, utf8=self.utf8)
        if self._head.utf8:
            lexer.expect(b")")
        target = self._target
        if lexer.at_end:
            request: Request
            if target.replaces is None:
                request = Append(target.mailbox, self._messages)
            else:
                uid, number = target.replaces
                request = Replace(uid, number, target.mailbox)
            event = Command(self._tag, request)
            self._forget()
            return event
        if target.replaces is not None:
            raise bad("REPLACE takes one message")
        return self._message_begin(append.parse_message_head(lexer))

    def _auth_response(self) -> Event | NeedData | None:
        line = self._take_line()
        if line is None:
            return NEED_DATA
        self._step = self._command_line
        return AuthResponse(None if line == b"*" else grammar.decode_base64(line))

    def _idle_done(self) -> Event | NeedData | None:
        line = self._take_line()
        if line is None:
            return NEED_DATA
        if line.upper() != b"DONE":
            raise CommandError("BAD", "expected DONE", fatal=True)
        self._step = self._command_line
        return IdleDone()

    def _drop_literal(self) -> NeedData | None:
        if self._missing_octets:
            dropped = self._buffer.take(self._missing_octets)
            if not dropped:
                return NEED_DATA
            self._missing_octets -= len(dropped)
            return None
        self._step = self._drop_line
        return None

    def _drop_line(self) -> NeedData | None:
        line = self._take_line()
        if line is None:
            return NEED_DATA
        header = literal_header(line)
        if header is None or header.sync:
            self._forget()
        else:
            self._missing_octets = header.size_octets
            self._step = self._drop_literal
        return None

    def _undecided(self) -> NeedData:
        """AppendBegin was not answered yet."""
        return NEED_DATA

    def _closed(self) -> NeedData:
        self._buffer.take_all()
        return NEED_DATA

    # Parts of steps

    def _take_line(self) -> bytes | None:
        try:
            return self._buffer.take_line(self._limits.line_octets - self._line_octets)
        except LineTooLongError:
            raise CommandError("BYE", "line too long", fatal=True) from None

    def _start(self, line: bytes) -> None:
        """Look at a command's first line: its tag and name, known before any literal is taken."""
        self._tag = None
        self._arguments = -1
        head = _HEAD.match(line)
        if head is None:
            if tag := _TAG.match(line):
                self._tag = tag[1].decode("ascii")
            raise bad("expected a tag and a command")
        self._tag = head[1].decode("ascii")
        name = head[2].upper()
        if name in _APPENDING:
            self._arguments = head.end()
        elif not grammar.is_command(name):
            raise bad("unknown command")
        self._name_position = head.start(2)

    def _command(self) -> Command:
        lexer = Lexer(self._lines, self._literals, self._limits, utf8=self.utf8)
        lexer.position = self._name_position
        request = grammar.parse(lexer)
        assert self._tag is not None
        self._is_first = False
        self._forget()
        return Command(self._tag, request)

    def _literal_begin(self, header: LiteralHeader) -> LiteralWanted | None:
        limits = self._limits.literals if self.authenticated else self._limits.unauthenticated_literals
        self._literal_octets += header.size_octets
        if (
            header.size_octets > limits.literal_octets
            or self._literal_octets > limits.command_literal_octets
            or len(self._literals) >= limits.command_literals
        ):
            if (
                header.size_octets > limits.literal_octets
                and self.authenticated
                and self._lines[0][self._name_position :][:12].upper() == b"SETMETADATA "
            ):  # RFC 5464 §4.3; the value is not taken, or dropped.
                raise CommandError("NO", "value too large", code=f"METADATA MAXSIZE {limits.literal_octets}")
            if header.sync:
                raise CommandError("BAD", "literal too large", code="TOOBIG")
            raise CommandError("BYE", "literal too large", code="ALERT", fatal=True)
        self._missing_octets = header.size_octets
        self._step = self._take_literal
        return LiteralWanted(header.size_octets) if header.sync else None

    def _append_begin(self) -> AppendBegin | LiteralWanted | None:
        """Read an APPEND or REPLACE up to its first message; only the mailbox name may be another literal."""
        lexer = Lexer(self._lines, self._literals, self._limits, utf8=self.utf8)
        lexer.position = self._arguments
        lexer.space()
        try:
            match self._lines[0][self._name_position : self._arguments].upper():
                case b"APPEND":
                    self._target = append.parse_append(lexer)
                case name:
                    self._target = append.parse_replace(lexer, uid=name.startswith(b"UID"))
            head = append.parse_message_head(lexer)
        except LiteralMissing as missing:
            return self._literal_begin(missing.header)
        self._is_first = False
        return self._message_begin(head)

    def _message_begin(self, head: append.MessageHead) -> AppendBegin:
        literal = head.literal
        if self._messages >= self._limits.append_messages:
            raise CommandError("NO", "too many messages", code="LIMIT")
        if literal.size_octets > LARGEST_NUMBER64:
            raise CommandError("BAD", "message too large", code="TOOBIG", fatal=not literal.sync)
        assert self._tag is not None
        event = AppendBegin(
            self._tag,
            self._target.mailbox,
            head.flags,
            head.date,
            literal.size_octets,
            literal.sync,
            literal.binary,
            head.utf8,
            self._messages,
            self._target.replaces,
        )
        self._head = head
        self._messages += 1
        self._step = self._undecided
        return event

    def _forget(self) -> None:
        """The command is over, except for its tag."""
        self._lines = []
        self._line_octets = 0
        self._literals = []
        self._literal_octets = 0
        self._pieces = []
        self._missing_octets = 0
        self._head = None
        self._messages = 0
        self._step = self._command_line

    def _failed(self, error: CommandError) -> CommandError:
        """Complete the error and be ready for what the client sends next."""
        error.tag = self._tag
        line = self._lines[-1] if self._lines else b""
        self._forget()
        if line.endswith(b"+}") and not error.fatal:
            # A literal is under way (RFC 7888 §4). Of a command that was well formed it is dropped; otherwise where
            # it ends may be misunderstood, and its octets must never be taken for commands.
            literal = literal_header(line)
            if error.kind == "NO" and literal is not None:
                self._missing_octets = literal.size_octets
                self._step = self._drop_literal
            else:
                error.fatal = True
        if error.kind == "BAD" and error.code is None:
            if self._is_first:  # Not an IMAP client.
                error.kind, error.text, error.fatal = "BYE", "this is IMAP", True
            elif not self.authenticated:
                error.text = "syntax error"
        if error.kind == "BYE":
            error.tag = None
        if error.fatal:
            self._step = self._closed
        return error
