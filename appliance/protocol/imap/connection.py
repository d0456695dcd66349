"""The server's side of an IMAP conversation: octets in, commands out, no socket.

RFC 9051 §2.2, literals of RFC 7888. Lines and literals are gathered here, `grammar` reads them; messages of APPEND and
REPLACE pass through in chunks and are never gathered. What commands mean belongs to servers.imap, which drives this.
"""

import datetime
from dataclasses import dataclass
from enum import Enum, auto

from appliance.protocol.imap import grammar
from appliance.protocol.imap.command import Append, Request
from appliance.protocol.imap.lexer import CommandError, Lexer, LiteralHeader, LiteralMissing, literal_header
from appliance.protocol.imap.limits import ImapLimits
from appliance.protocol.lines import NEED_DATA, LineBuffer, LineTooLongError, NeedData

__all__ = ["NEED_DATA", "CommandError", "NeedData", "ServerConnection"]


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
    """A message is about to come. Answer with `accept_literal` (after `+ OK` if sync) or `refuse_literal`."""

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


class _Mode(Enum):
    COMMAND = auto()
    #: Octets of a literal of a command are being gathered.
    LITERAL = auto()
    #: AppendBegin was given; the driver has not decided.
    ANNOUNCED = auto()
    MESSAGE = auto()
    #: Octets nobody wants.
    DROP = auto()
    #: The rest of the line of a command that was refused.
    DROP_LINE = auto()
    AUTH = auto()
    IDLE = auto()


class ServerConnection:
    """One connection's input. `receive_data`, then `next_event` until NEED_DATA."""

    def __init__(self, limits: ImapLimits) -> None:
        self._limits = limits
        #: Mailbox names are UTF-8, not modified UTF-7: after ENABLE IMAP4rev2 or UTF8=ACCEPT.
        self.utf8 = False
        #: Wider literal limits, errors told in detail.
        self.authenticated = False
        self._buffer = LineBuffer()
        self._mode = _Mode.COMMAND
        self._seen_command = False
        self._lines: list[bytes] = []
        self._literals: list[bytes] = []
        self._line_octets = 0
        self._literal_octets = 0
        self._gathered: list[bytes] = []
        self._left = 0
        self._append: _AppendState | None = None

    @property
    def pending(self) -> bool:
        """Whether a further line is here already."""
        return self._buffer.has_line()

    def receive_data(self, octets: bytes) -> None:
        """Octets from the client."""
        self._buffer.feed(octets)

    def next_event(self) -> Event | NeedData:
        """What the client said next, or NEED_DATA. Raises CommandError; unless that is fatal, call again after it."""
        while True:
            match self._mode:
                case _Mode.LITERAL:
                    if not self._gather():
                        return NEED_DATA
                case _Mode.MESSAGE:
                    return self._next_chunk()
                case _Mode.DROP:
                    self._left -= len(self._buffer.take(self._left))
                    if self._left:
                        return NEED_DATA
                    self._mode = _Mode.DROP_LINE
                case _Mode.ANNOUNCED:
                    raise AssertionError("accept_literal or refuse_literal comes first")
                case _:
                    line = self._take_line()
                    if line is None:
                        return NEED_DATA
                    event = self._on_line(line)
                    if event is not None:
                        return event

    def _take_line(self) -> bytes | None:
        limit = self._limits.line_octets - self._line_octets
        try:
            return self._buffer.take_line(max(limit, 2))
        except LineTooLongError:
            raise CommandError("BYE", "line too long", fatal=True) from None

    def _on_line(self, line: bytes) -> Event | None:
        match self._mode:
            case _Mode.AUTH:
                self._mode = _Mode.COMMAND
                return AuthResponse(None if line == b"*" else grammar.decode_response(line))
            case _Mode.IDLE:
                self._mode = _Mode.COMMAND
                if line.upper() != b"DONE":
                    raise CommandError("BYE", "expected DONE", fatal=True)
                return IdleDone()
            case _Mode.DROP_LINE:
                self._drop_more(line)
                return None
        self._lines.append(line)
        self._line_octets += len(line)
        announced = literal_header(line)
        try:
            if self._append is not None:
                return self._append_goes_on(announced)
            if announced is None:
                return self._command()
            return self._announced(announced)
        except CommandError as error:
            raise self._failed(error, announced) from None

    def _drop_more(self, line: bytes) -> None:
        """A refused command with a non-synchronizing literal: its rest, which may announce more."""
        announced = literal_header(line)
        if announced is not None and not announced.sync:
            self._left, self._mode = announced.size_octets, _Mode.DROP
        else:
            self._mode = _Mode.COMMAND

    def _failed(self, error: CommandError, announced: LiteralHeader | None) -> CommandError:
        """A command that cannot be carried out, ready to be told; the conversation is at its next command."""
        tag = error.tag or self._tag()
        fatal = error.fatal
        if announced is not None and not announced.sync:
            fatal = True  # What follows cannot be told from commands (I-22).
        if not self._seen_command and error.kind == "BAD":
            # Not an IMAP client at all (I-14).
            return CommandError("BYE", "not IMAP", fatal=True)
        text = error.text if self.authenticated or error.kind != "BAD" else "syntax error"
        self._reset()
        return CommandError(error.kind, text, code=error.code, tag=tag, fatal=fatal)

    def _tag(self) -> str | None:
        try:
            return self._lexer().tag() if self._lines else None
        except CommandError:
            return None

    def _reset(self) -> None:
        self._lines, self._literals = [], []
        self._line_octets = self._literal_octets = 0
        self._append = None
        self._mode = _Mode.COMMAND

    def _lexer(self) -> Lexer:
        return Lexer(self._lines, self._literals, self._limits, utf8=self.utf8)

    def _head(self, lexer: Lexer) -> tuple[str, str]:
        tag = lexer.tag()
        lexer.space()
        return tag, lexer.word()

    def _command(self) -> Command:
        lexer = self._lexer()
        tag, name = self._head(lexer)
        parse = grammar.COMMANDS.get(name)
        if parse is None:
            raise CommandError("BAD", "unknown command" if name != "APPEND" else "expected a literal")
        try:
            request = parse(lexer)
        except LiteralMissing:
            raise CommandError("BAD", "expected a string") from None
        self._seen_command = True
        self._reset()
        return Command(tag, request)

    # Literals of commands

    def _announced(self, announced: LiteralHeader) -> Event | None:
        lexer = self._lexer()
        tag, name = self._head(lexer)
        if name == "APPEND":
            if (begin := self._append_begins(lexer, tag)) is not None:
                return begin
        elif name not in grammar.COMMANDS:
            raise CommandError("BAD", "unknown command")
        limits = self._limits.literals if self.authenticated else self._limits.unauthenticated_literals
        self._literal_octets += announced.size_octets
        if (
            announced.size_octets > limits.literal_octets
            or self._literal_octets > limits.command_literal_octets
            or len(self._literals) >= limits.command_literals
        ):
            if announced.sync:
                raise CommandError("BAD", "literal too large", code="TOOBIG")
            raise CommandError("BYE", "literal too large", code="ALERT", fatal=True)
        self._left, self._gathered, self._mode = announced.size_octets, [], _Mode.LITERAL
        return LiteralWanted(announced.size_octets) if announced.sync else None

    def _gather(self) -> bool:
        octets = self._buffer.take(self._left)
        self._gathered.append(octets)
        self._left -= len(octets)
        if self._left:
            return False
        self._literals.append(b"".join(self._gathered))
        self._gathered = []
        self._mode = _Mode.COMMAND
        return True

    # APPEND

    def _append_begins(self, lexer: Lexer, tag: str) -> AppendBegin | None:
        try:
            mailbox = grammar.append_mailbox(lexer)
        except LiteralMissing:
            return None  # The announced literal is the mailbox's name.
        self._append = _AppendState(tag, mailbox)
        return self._append_announced(lexer)

    def _append_announced(self, lexer: Lexer) -> AppendBegin:
        append = self._append
        assert append is not None
        head = grammar.append_head(lexer)
        if append.count >= self._limits.append_messages:
            raise CommandError("NO", "too many messages", code="LIMIT")
        append.utf8 = head.utf8
        self._left, self._mode = head.literal.size_octets, _Mode.ANNOUNCED
        self._lines, self._literals, self._line_octets = [], [], 0
        return AppendBegin(
            append.tag,
            append.mailbox,
            head.flags,
            head.date,
            head.literal.size_octets,
            head.literal.sync,
            head.literal.binary,
            head.utf8,
            append.count,
        )

    def _append_goes_on(self, announced: LiteralHeader | None) -> Event:
        append = self._append
        assert append is not None
        lexer = self._lexer()
        try:
            if append.utf8:
                lexer.expect(b")")
            if announced is not None:
                return self._append_announced(lexer)
            lexer.end()
        except CommandError as error:
            raise CommandError(error.kind, error.text, code=error.code, tag=append.tag, fatal=error.fatal) from None
        request = Append(append.mailbox, append.count)
        self._seen_command = True
        self._reset()
        return Command(append.tag, request)

    def accept_literal(self) -> None:
        """Take the message announced by AppendBegin: AppendChunk events and AppendEnd will come."""
        self._mode = _Mode.MESSAGE

    def refuse_literal(self, *, sync: bool) -> None:
        """Don't take the message announced by AppendBegin, and end its command, which the caller then answers.

        With sync nothing more comes of it. Without sync the rest of the command is read and dropped silently.
        """
        left = self._left
        self._reset()
        if not sync:
            self._left, self._mode = left, _Mode.DROP

    def _next_chunk(self) -> Event | NeedData:
        assert self._append is not None
        if not self._left:
            self._append.count += 1
            self._mode = _Mode.COMMAND
            return AppendEnd()
        octets = self._buffer.take(min(self._left, self._limits.chunk_octets))
        if not octets:
            return NEED_DATA
        self._left -= len(octets)
        return AppendChunk(octets)

    # Other lines

    def expect_auth_response(self) -> None:
        """A challenge was sent: the next line is an AuthResponse."""
        self._mode = _Mode.AUTH

    def expect_idle_done(self) -> None:
        """`+ idling` was sent: the next line must be DONE."""
        self._mode = _Mode.IDLE

    def take_pending(self) -> bytes:
        """Octets received but not used, taken away; after STARTTLS they belong to the handshake (I-62)."""
        return self._buffer.take_all()


class _AppendState:
    """An APPEND that is coming in."""

    __slots__ = ("count", "mailbox", "tag", "utf8")

    def __init__(self, tag: str, mailbox: str) -> None:
        self.tag = tag
        self.mailbox = mailbox
        self.count = 0
        self.utf8 = False
