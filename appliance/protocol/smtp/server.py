"""The server's side of an SMTP conversation: octets in, events out, no socket.

RFC 5321, with PIPELINING (RFC 2920), STARTTLS (RFC 3207) and AUTH (RFC 4954). Who may do what, mailboxes, TLS and
clocks belong to servers.smtp, which drives this and tells it what came of each event.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from appliance.mail.status import Status
from appliance.protocol.lines import NEED_DATA, LineBuffer, LineTooLongError, NeedData
from appliance.protocol.smtp import command
from appliance.protocol.smtp.command import Command, malformed, too_large
from appliance.protocol.smtp.data import MessageData
from appliance.protocol.smtp.reply import ProtocolError, Reply
from appliance.protocol.smtp.settings import Settings


@dataclass(frozen=True, slots=True)
class AuthResponse:
    """A client's line in a SASL exchange; None when it gave up with `*` (RFC 4954 §4)."""

    octets: bytes | None


@dataclass(frozen=True, slots=True)
class Chunk:
    """Octets of the message: dots unstuffed, lines ending in CRLF."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class EndOfData:
    """The message is complete."""

    #: It had line ends that other servers may take for its end: it must be refused.
    smuggling: bool


Event = Command | AuthResponse | Chunk | EndOfData


class State(Enum):
    """Where the conversation is."""

    #: Before EHLO.
    NEW = auto()
    READY = auto()
    MAIL = auto()
    RCPT = auto()
    AUTH = auto()
    DATA = auto()


#: Accepted in every state but those of a SASL exchange and a message.
_ANYWHERE = frozenset((b"HELO", b"EHLO", b"RSET", b"NOOP", b"QUIT", b"VRFY", b"EXPN", b"HELP"))
#: What else each state accepts; any other is out of sequence (RFC 5321 §4.1.4).
_ACCEPTS = {
    State.NEW: frozenset[bytes](),
    State.READY: frozenset((b"STARTTLS", b"AUTH", b"MAIL")),
    State.MAIL: frozenset((b"RCPT",)),
    State.RCPT: frozenset((b"RCPT", b"DATA")),
}
_VERBS = _ANYWHERE | frozenset((b"STARTTLS", b"AUTH", b"MAIL", b"RCPT", b"DATA"))


class ServerConnection:
    """One conversation. Call `receive_data`, then `next_event` until it says NEED_DATA.

    After an event the driver says what came of it: `mail_accepted`, `recipient_accepted`, `reset`, `authenticating`,
    `authenticated`, `begin_data`, `tls_started`. What it does not accept leaves the state as it was.
    """

    def __init__(self, settings: Settings, now: Callable[[], datetime]) -> None:
        self.settings = settings
        self.tls = False
        self.logged_in = False
        self.state = State.NEW
        self._now = now
        self._buffer = LineBuffer()
        self._smtputf8 = False
        self._known_command_seen = False
        self._data = MessageData()
        self._finished = False

    @property
    def pending(self) -> bool:
        """Whether a further line is here already, so that replies may be sent together (RFC 2920 §3.2)."""
        return self._buffer.has_line()

    def receive_data(self, octets: bytes) -> None:
        """Add received octets."""
        self._buffer.feed(octets)

    def take_pending(self) -> bytes:
        """Octets after STARTTLS: they belong to the handshake and are never commands (RFC 3207 §4)."""
        return self._buffer.take_all()

    def next_event(self) -> Event | NeedData:
        """What the client said next.

        Raises ProtocolError with the reply to send; unless it is fatal the conversation goes on.
        """
        if self.state is State.DATA:
            return self._next_chunk()
        limits = self.settings.limits
        exchanging = self.state is State.AUTH
        try:
            line = self._buffer.take_line(limits.auth_line_octets if exchanging else limits.line_octets)
        except LineTooLongError as error:
            raise ProtocolError(Reply(500, Status(5, 5, 0), "line too long"), fatal=True) from error
        if line is None:
            return NEED_DATA
        if exchanging:
            return AuthResponse(None if line == b"*" else command.parse_response(line))
        return self._command(line)

    def _command(self, line: bytes) -> Command:
        word, space, argument = line.partition(b" ")
        verb = word.upper()
        if verb not in _VERBS:
            bare = verb.rstrip(b" \t")
            if bare in _VERBS and not self.settings.submission:
                verb = bare
            elif not self._known_command_seen:
                # Speaks HTTP, TLS or nothing we know; an answer to each of its lines would help nobody.
                raise ProtocolError(Reply(500, Status(5, 5, 2), "unknown command, this is SMTP"), fatal=True)
            else:
                raise ProtocolError(Reply(500, Status(5, 5, 1), "unknown command"))
        self._known_command_seen = True
        if not self.settings.submission:
            argument = argument.rstrip(b" \t")  # Lenient: port 25 has to take it, as everybody does.
        elif line[-1:] in {b" ", b"\t"} and verb != b"NOOP":
            raise malformed("space at the end of the line")
        if verb not in _ANYWHERE and verb not in _ACCEPTS[self.state]:
            raise ProtocolError(Reply(503, Status(5, 5, 1), self._out_of_sequence(verb)))
        return self._parse(verb, argument, has_argument=bool(space) and bool(argument))

    def _out_of_sequence(self, verb: bytes) -> str:
        if self.state is State.NEW:
            return "say EHLO first"
        if verb in {b"DATA", b"RCPT"}:
            return "bad sequence of commands: MAIL and RCPT come first"
        return "bad sequence of commands"

    def _parse(self, verb: bytes, argument: bytes, *, has_argument: bool) -> Command:
        settings = self.settings
        match verb:
            case b"MAIL":
                return command.parse_mail(argument, settings, tls=self.tls, now=self._now())
            case b"RCPT":
                return command.parse_rcpt(argument, settings, smtputf8=self._smtputf8)
            case b"EHLO":
                return command.parse_ehlo(argument, settings)
            case b"HELO":
                return command.parse_helo(argument, settings)
            case b"AUTH":
                return command.parse_auth(argument, settings)
            case b"NOOP":
                return command.Noop()
            case b"HELP":
                return command.Help()
            case b"VRFY" | b"EXPN":
                if not has_argument:
                    raise malformed(f"{verb.decode()} takes a string")
                return command.Vrfy() if verb == b"VRFY" else command.Expn()
        if has_argument:
            raise malformed(f"{verb.decode()} takes no argument", argument)
        if verb == b"DATA":
            return command.Data()
        if verb == b"RSET":
            return command.Rset()
        if verb == b"STARTTLS":
            return command.StartTLS()
        return command.Quit()

    def _next_chunk(self) -> Chunk | EndOfData | NeedData:
        if self._finished:
            self.state = State.READY
            return EndOfData(self._data.smuggling)
        octets = self._buffer.take_all()
        if not octets:
            return NEED_DATA
        content, rest = self._data.receive(octets)
        if self._data.size_octets > self.settings.max_message_octets:
            raise too_large(self._data.size_octets, self.settings, fatal=True)
        if rest is not None:
            self._buffer.feed(rest)
            self._finished = True
        if content:
            return Chunk(content)
        return self._next_chunk() if self._finished else NEED_DATA

    # What came of an event.

    def greeted(self) -> None:
        """EHLO or HELO was answered; it ends a transaction (RFC 5321 §4.1.4)."""
        self.state = State.READY

    def mail_accepted(self, mail: command.Mail) -> None:
        """A transaction has begun."""
        self._smtputf8 = mail.smtputf8
        self.state = State.MAIL

    def recipient_accepted(self) -> None:
        """There is somebody to deliver to."""
        self.state = State.RCPT

    def reset(self) -> None:
        """The transaction is over."""
        if self.state is not State.NEW:
            self.state = State.READY

    def authenticating(self) -> None:
        """A challenge was sent: the next line is a response."""
        self.state = State.AUTH

    def authenticated(self, *, success: bool) -> None:
        """The exchange is over."""
        self.logged_in = self.logged_in or success
        self.state = State.READY

    def begin_data(self) -> None:
        """354 was sent: what follows is the message."""
        self._data = MessageData()
        self._finished = False
        self.state = State.DATA

    def tls_started(self) -> None:
        """The handshake is done: as after the greeting (RFC 3207 §4.2)."""
        self.tls = True
        self.logged_in = False
        self.state = State.NEW
