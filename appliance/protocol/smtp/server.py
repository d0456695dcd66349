"""The server's side of an SMTP conversation: octets in, events out, no socket.

RFC 5321, with PIPELINING (RFC 2920), STARTTLS (RFC 3207), AUTH (RFC 4954) and CHUNKING (RFC 3030); LMTP (RFC 2033) is
the same with LHLO for EHLO, and as many replies to a message as it has recipients. It knows what the protocol allows
when; who may send what to whom, and every reply to a well-formed command, belong to servers.smtp. That tells it
what came of an event (`mail_accepted()` and the like); an event whose outcome is not told came to nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final

from appliance.mail.status import Status
from appliance.protocol.lines import NEED_DATA, LineBuffer, LineTooLongError, NeedData
from appliance.protocol.smtp.command import (
    Auth,
    Bdat,
    Body,
    Command,
    Data,
    Ehlo,
    Expn,
    Helo,
    Help,
    Mail,
    Noop,
    Quit,
    Rcpt,
    Rset,
    StartTLS,
    Vrfy,
    malformed,
    parse_auth,
    parse_bdat,
    parse_ehlo,
    parse_helo,
    parse_mail,
    parse_rcpt,
    parse_response,
    too_large,
)
from appliance.protocol.smtp.data import ChunkedData, MessageData
from appliance.protocol.smtp.reply import ProtocolError, Reply
from appliance.protocol.smtp.settings import Settings

#: What `ServerConnection.verb` is when the client sent something else.
UNKNOWN_VERB: Final = "(unknown)"


@dataclass(frozen=True, slots=True)
class AuthResponse:
    """The client's next octets in a SASL exchange."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class AuthAborted:
    """The client gave up its SASL exchange with `*` (RFC 4954 §4)."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Content of a message: never empty, cut anywhere, all its lines end in CRLF unless BDAT says otherwise."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class EndOfChunk:
    """A BDAT is complete, others follow: it wants a reply of its own (RFC 3030 §2)."""


@dataclass(frozen=True, slots=True)
class EndOfData:
    """The message is complete, and with it the transaction is over (RFC 5321 §4.1.1.4)."""

    #: The message held a sequence that others take for its end: refuse it, with 500 and status 5.5.2.
    smuggling: bool


Event = Command | AuthResponse | AuthAborted | Chunk | EndOfChunk | EndOfData


class _State(Enum):
    COMMAND = "command"
    AUTH = "auth"
    DATA = "data"
    CHUNK = "chunk"
    REFUSED_CHUNK = "refused chunk"
    TLS = "tls"
    CLOSED = "closed"


class ServerConnection:
    """One conversation. Empty it with `next_event` until NEED_DATA before giving it more: so it stays small."""

    def __init__(
        self,
        settings: Settings,
        *,
        now: Callable[[], datetime],
        tls: bool = False,
        authenticated: bool = False,
    ) -> None:
        """`tls` for a service that starts with TLS, `authenticated` if a client certificate was accepted there.

        `now` is asked for the moment, with time zone, when a client wants a message held.
        """
        self.settings = settings
        self.tls = tls
        #: The client has proved who it is, by certificate or by SASL.
        self.authenticated = authenticated
        #: The verb of the last command in upper case, or UNKNOWN_VERB; for logs and counters.
        self.verb = UNKNOWN_VERB
        #: The last line taken, without its end; for trace logs. It may be a password (AUTH and what follows it).
        self.line = b""
        self._now = now
        self._lines = LineBuffer()
        self._state = _State.COMMAND
        self._data = MessageData()
        #: The message of BDAT, once the first one has come.
        self._chunked: ChunkedData | None = None
        #: Of the BDAT at work: the command, octets still to come, and why they are only dropped.
        self._chunk = Bdat(0, last=True)
        self._left = 0
        self._refusal: ProtocolError | None = None
        #: Recipients of a transaction that was lost to a failed BDAT, until its LAST (RFC 2033 §4.3).
        self._lost_recipients: int | None = None
        self._next: Event | None = None
        self._verb_seen = False
        self._greeted = False
        self._sasl = False
        self._proposed: Mail | None = None
        self._transaction: Mail | None = None
        self._recipients = 0

    # ---- Octets and events. ----

    def receive_data(self, octets: bytes) -> None:
        """Take what was received. After a fatal error or QUIT it is dropped."""
        if self._state is not _State.CLOSED:
            self._lines.feed(octets)

    def next_event(self) -> Event | NeedData:
        """What the client said next, or NEED_DATA: always that after QUIT, a fatal error, and before TLS.

        Raises ProtocolError with the reply to send. The conversation may go on after it unless it is fatal.
        """
        if self._next is not None:
            event, self._next = self._next, None
            return event
        state = self._state
        if state is _State.DATA:
            return self._next_of_message()
        if state is _State.CHUNK:
            return self._next_of_chunk()
        if state is _State.TLS or state is _State.CLOSED:
            return NEED_DATA
        try:
            if state is _State.REFUSED_CHUNK:
                return self._drop_chunk()
            line = self._take_line(state)
            if line is None:
                return NEED_DATA
            return self._response(line) if state is _State.AUTH else self._command(line)
        except ProtocolError as error:
            if error.fatal:
                self._close()
            elif error.remainder and self.authenticated:
                # Users may see what was not understood; strangers are not helped.
                shown = error.remainder.decode("utf-8", "replace")
                error.reply = error.reply.with_text(f": {shown}")
            raise

    @property
    def pending(self) -> bool:
        """Whether another complete line waits: replies may wait for its reply (RFC 2920 §3.2)."""
        state = self._state
        return (state is _State.COMMAND or state is _State.AUTH) and self._lines.has_line()

    @property
    def has_part_of_line(self) -> bool:
        """Whether a line has begun and its end has not come; ask at NEED_DATA."""
        return self._state is _State.COMMAND and len(self._lines) > 0

    @property
    def in_transaction(self) -> bool:
        """Whether a MAIL was accepted and its transaction goes on."""
        return self._transaction is not None

    def take_pending(self) -> bytes:
        """What was received and not yet understood; after STARTTLS it belongs to the handshake (RFC 3207 §4.2)."""
        return self._lines.take_all()

    # ---- What came of the events. ----

    def hello_accepted(self) -> None:
        """EHLO or HELO was answered with 250."""
        self._greeted = True

    def tls_started(self, *, authenticated: bool = False) -> None:
        """The handshake after STARTTLS is done; nothing said before it counts (RFC 3207 §4.2).

        `authenticated` when its client certificate was accepted.
        """
        self._lines.take_all()
        self._state = _State.COMMAND
        self.tls = True
        self.authenticated = authenticated
        self._greeted = self._sasl = False
        self.reset()

    def expect_line(self) -> None:
        """A challenge was sent: the next line is the client's response to it."""
        self._state = _State.AUTH

    def authenticated_by_sasl(self) -> None:
        """AUTH was answered with 235."""
        self.authenticated = self._sasl = True

    def mail_accepted(self) -> None:
        """The last MAIL was answered with 250: the transaction is open."""
        self._transaction, self._proposed = self._proposed, None
        self._recipients = 0

    def recipient_accepted(self) -> None:
        """The last RCPT was answered with 250."""
        self._recipients += 1

    def begin_data(self) -> None:
        """DATA was answered with 354: message content comes next."""
        self._data = MessageData()
        self._state = _State.DATA

    def chunk_failed(self) -> None:
        """The EndOfChunk was answered with an error: the transaction is over, though more may follow."""
        recipients = self._recipients
        self.reset()
        self._lost_recipients = recipients

    def reset(self) -> None:
        """The transaction is over, whatever came of it. Done by itself at EndOfData, RSET, EHLO and HELO."""
        self._proposed = self._transaction = self._chunked = self._lost_recipients = None
        self._recipients = 0

    # ---- Inside. ----

    def _close(self) -> None:
        self._state = _State.CLOSED
        self._lines = LineBuffer()

    def _take_line(self, state: _State) -> bytes | None:
        limits = self.settings.limits
        is_auth = state is _State.AUTH
        try:
            line = self._lines.take_line(limits.auth_line_octets if is_auth else limits.line_octets)
        except LineTooLongError as error:
            # RFC 5321 §4.5.3.1.9; RFC 4954 §4 has its own status.
            status = Status(5, 5, 6) if is_auth else Status(5, 5, 0)
            raise ProtocolError(Reply(500, status, "line is too long"), fatal=True) from error
        if line is not None:
            self.line = line
        return line

    def _next_of_message(self) -> Event | NeedData:
        octets = self._lines.take_all()
        if not octets:
            return NEED_DATA
        data = self._data
        content, rest = data.receive(octets)
        if data.size_octets > self.settings.max_message_octets:
            self._close()  # The rest may be endless, so it is not waited for.
            raise too_large(self.settings.max_message_octets, self.settings, fatal=True)
        if rest is not None:
            self._lines.put_back(rest)
            self._state = _State.COMMAND
            self.reset()
            end = EndOfData(data.smuggling)
            if not content:
                return end
            self._next = end
        return Chunk(content) if content else NEED_DATA

    def _next_of_chunk(self) -> Event | NeedData:
        chunked = self._chunked
        assert chunked is not None
        octets = self._lines.take(self._left)
        if not octets and self._left:
            return NEED_DATA
        self._left -= len(octets)
        content = chunked.receive(octets, last=self._chunk.last and not self._left)
        if not self._left:
            self._state = _State.COMMAND
            end: Event = EndOfChunk()
            if self._chunk.last:
                self.reset()
                end = EndOfData(chunked.smuggling)
            if not content:
                return end
            self._next = end
        return Chunk(content) if content else NEED_DATA

    def _drop_chunk(self) -> NeedData:
        """Octets of a refused BDAT are no commands (RFC 3030 §2). Raises its ProtocolError when all have come."""
        self._left -= len(self._lines.take(self._left))
        if self._left:
            return NEED_DATA
        self._state = _State.COMMAND
        assert self._refusal is not None
        raise self._refusal

    def _response(self, line: bytes) -> Event:
        self._state = _State.COMMAND
        return AuthAborted() if line == b"*" else AuthResponse(parse_response(line))

    def _command(self, line: bytes) -> Command | NeedData:
        settings = self.settings
        stripped = line.rstrip(b" \t")
        word, _, argument = stripped.partition(b" ")
        verb = word.upper()
        parse = (_LMTP_PARSERS if settings.lmtp else _PARSERS).get(verb)
        if parse is None:
            self.verb = UNKNOWN_VERB
            if not self._verb_seen:
                # It speaks HTTP, TLS or worse; nothing it says should be taken for a command.
                raise ProtocolError(Reply(500, Status(5, 5, 2), "this is an SMTP server"), fatal=True, remainder=line)
            raise ProtocolError(Reply(500, Status(5, 5, 1), "unknown command"), remainder=line)
        self._verb_seen = True
        self.verb = verb.decode("ascii")
        has_space = len(stripped) != len(line)
        # BDAT is never refused for it: the octets that follow are no commands.
        if has_space and settings.submission and verb != b"BDAT" and (settings.pedantic or verb not in _HELLOS):
            raise malformed("white space at the end of the line")
        return parse(self, argument)

    def _helo(self, argument: bytes) -> Helo:
        helo = parse_helo(argument, self.settings)
        self.reset()
        return helo

    def _ehlo(self, argument: bytes) -> Ehlo:
        ehlo = parse_ehlo(argument, self.settings)
        self.reset()
        return ehlo

    def _wrong_hello(self, _: bytes) -> Command:
        raise ProtocolError(Reply(500, Status(5, 5, 1), "this is LMTP, its clients say LHLO"))  # RFC 2033 §4.1

    def _starttls(self, argument: bytes) -> StartTLS:
        self._require_hello()
        if self.tls:
            raise _out_of_order("TLS is active already")
        if self.authenticated:
            raise _out_of_order("TLS must start before authentication")
        if not self.settings.starttls:
            raise _out_of_order("TLS is not available")
        _nothing(argument)
        self.reset()
        self._state = _State.TLS
        return StartTLS()

    def _auth(self, argument: bytes) -> Auth:
        self._require_hello()
        if not self.settings.submission:
            raise _out_of_order("there is no authentication here; use a submission port")
        if self._sasl:
            raise _out_of_order("authenticated already")  # RFC 4954 §4
        if self._transaction is not None:
            raise _out_of_order("no authentication within a mail transaction")  # RFC 4954 §4
        return parse_auth(argument, self.settings)

    def _mail(self, argument: bytes) -> Mail:
        self._require_hello()
        if self.settings.submission and not self.authenticated:
            raise ProtocolError(Reply(530, Status(5, 7, 0), "authentication required"))  # RFC 4954 §6
        if self._transaction is not None:
            raise _out_of_order("there is a transaction already")  # RFC 5321 §4.1.4: and it stays
        self._proposed = None
        self._proposed = parse_mail(argument, self.settings, tls=self.tls, now=self._now)
        return self._proposed

    def _rcpt(self, argument: bytes) -> Rcpt:
        if self._transaction is None:
            raise _out_of_order("MAIL comes first")
        if self._chunked is not None:
            raise _out_of_order("the message has begun")
        if self._recipients >= self.settings.limits.recipients:
            # RFC 5321 §4.5.3.1.10
            raise ProtocolError(Reply(452, Status(4, 5, 3), "too many recipients, send the others later"))
        return parse_rcpt(argument, self.settings, smtputf8=self._transaction.smtputf8)

    def _data_command(self, argument: bytes) -> Data:
        if self._transaction is None:
            raise _out_of_order("MAIL comes first")
        if not self._recipients:
            raise _out_of_order("no recipient was accepted")
        if self._chunked is not None:
            raise _out_of_order("BDAT and DATA do not mix")  # RFC 3030 §2
        if self._transaction.body is Body.BINARY_MIME:
            raise _out_of_order("a binary message comes by BDAT")  # RFC 3030 §3
        _nothing(argument)
        return Data()

    def _bdat(self, argument: bytes) -> Bdat | NeedData:
        self._chunk = chunk = parse_bdat(argument)
        self._left = chunk.size_octets
        received = self._chunked.size_octets if self._chunked is not None else 0
        refusal: ProtocolError | None = None
        if self._transaction is None:
            refusal = _out_of_order("MAIL comes first" if self._greeted else "EHLO comes first")
        elif not self._recipients:
            refusal = _out_of_order("no recipient was accepted")
        elif received + chunk.size_octets > self.settings.max_message_octets:
            refusal = too_large(self.settings.max_message_octets, self.settings, fatal=False)
        if refusal is None:
            if self._chunked is None:
                self._chunked = ChunkedData(canonical=not self.settings.binarymime)
            self._state = _State.CHUNK
            return chunk
        if chunk.size_octets > self.settings.max_message_octets:
            refusal.fatal = True  # Its octets may be endless, so they are not waited for.
        owed = self._lost_recipients if self._transaction is None else self._recipients
        if self.settings.lmtp and chunk.last and owed is not None:
            refusal.times = owed  # RFC 2033 §4.3: even none
        self.reset()
        if not chunk.last:
            self._lost_recipients = owed
        if refusal.fatal:
            raise refusal
        self._refusal = refusal
        self._state = _State.REFUSED_CHUNK
        return self._drop_chunk()

    def _rset(self, argument: bytes) -> Rset:
        _nothing(argument)
        self.reset()
        return Rset()

    def _noop(self, _: bytes) -> Noop:
        return Noop()

    def _quit(self, argument: bytes) -> Quit:
        _nothing(argument)
        self._close()
        return Quit()

    def _vrfy(self, argument: bytes) -> Vrfy:
        _something(argument)
        return Vrfy()

    def _expn(self, argument: bytes) -> Expn:
        _something(argument)
        return Expn()

    def _help(self, _: bytes) -> Help:
        return Help()

    def _require_hello(self) -> None:
        if not self._greeted:
            raise _out_of_order("EHLO comes first")


_HELLOS = frozenset({b"HELO", b"EHLO"})

_PARSERS: Final[dict[bytes, Callable[[ServerConnection, bytes], Command | NeedData]]] = {
    b"HELO": ServerConnection._helo,
    b"EHLO": ServerConnection._ehlo,
    b"STARTTLS": ServerConnection._starttls,
    b"AUTH": ServerConnection._auth,
    b"MAIL": ServerConnection._mail,
    b"RCPT": ServerConnection._rcpt,
    b"DATA": ServerConnection._data_command,
    b"BDAT": ServerConnection._bdat,
    b"RSET": ServerConnection._rset,
    b"NOOP": ServerConnection._noop,
    b"QUIT": ServerConnection._quit,
    b"VRFY": ServerConnection._vrfy,
    b"EXPN": ServerConnection._expn,
    b"HELP": ServerConnection._help,
}
#: RFC 2033 §4.1
_LMTP_PARSERS: Final[dict[bytes, Callable[[ServerConnection, bytes], Command | NeedData]]] = {
    **_PARSERS,
    b"HELO": ServerConnection._wrong_hello,
    b"EHLO": ServerConnection._wrong_hello,
    b"LHLO": ServerConnection._ehlo,
}


def _out_of_order(text: str) -> ProtocolError:
    return ProtocolError(Reply(503, Status(5, 5, 1), text))


def _nothing(argument: bytes) -> None:
    if argument:
        raise malformed("this command takes no argument", argument)


def _something(argument: bytes) -> None:
    if not argument:
        raise malformed("this command takes an argument")
