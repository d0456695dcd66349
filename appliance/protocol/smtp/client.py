"""The client's side of an SMTP conversation: octets in, events out, octets to send, no socket.

RFC 5321, with PIPELINING (RFC 2920), STARTTLS (RFC 3207), AUTH (RFC 4954) and the extensions of transaction.py. Which
server is asked, what is demanded of its TLS, clocks and secrets belong to queue.smtpclient, which drives this.

Say what is wanted (`hello`, `start_tls`, `authenticate`, `begin`, `quit`), send `data_to_send`, feed what comes, and
ask `next_event` until NEED_DATA. Outside of a transaction a step that fails raises ClientError. Within one nothing is
raised: it ends with `Settled`, which has an outcome for every recipient.
"""

import base64
import binascii
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Final

from appliance.mail.status import Status
from appliance.protocol.lines import NEED_DATA, NeedData
from appliance.protocol.sasl.client import Derivation, Exchange, ExchangeError
from appliance.protocol.smtp.capabilities import Capabilities, parse_capabilities
from appliance.protocol.smtp.failure import ClientError, Failure, Fault, broken, refused, temporary
from appliance.protocol.smtp.reply import Reply
from appliance.protocol.smtp.replyreader import BadReply, ReplyLimits, ReplyReader
from appliance.protocol.smtp.transaction import Transaction, mail_command, obstacle, rcpt_command

#: A command with its line end, where no extension made it longer (RFC 5321 §4.5.3.1.4).
COMMAND_OCTETS: Final = 512
#: A server that does not know EHLO says one of these (RFC 5321 §3.2, §4.1.4).
_NO_EHLO: Final = frozenset({500, 501, 502, 503, 504})
#: The server closes the connection, whatever it was asked (RFC 5321 §3.8).
_CLOSING: Final = 421


class Stage(Enum):
    """What a reply answers; the value is the word in failures, logs and counters."""

    GREETING = "greeting"
    EHLO = "ehlo"
    HELO = "helo"
    STARTTLS = "starttls"
    AUTH = "auth"
    RSET = "rset"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    #: The dot after the message.
    CONTENT = "content"
    QUIT = "quit"


@dataclass(frozen=True, slots=True)
class Greeted:
    """The server is there."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Introduced:
    """EHLO or HELO is done: `capabilities` is set."""


@dataclass(frozen=True, slots=True)
class ReadyForTLS:
    """The next octets are a handshake; call `tls_started` when it is done."""


@dataclass(frozen=True, slots=True)
class WantsKey:
    """A key must be derived for the login; give it to `key_derived`."""

    derivation: Derivation


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """The server knows who we are, and has proved that it did if the mechanism has it."""


@dataclass(frozen=True, slots=True)
class WantsContent:
    """The message is to be sent, made ready by `Stuffing`; call `content_sent` when it is out."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """The server took the message for a recipient."""

    #: To the end of the message.
    reply: Reply


#: What became of one recipient.
Outcome = Delivered | Failure


@dataclass(frozen=True, slots=True)
class Settled:
    """A transaction is over: an outcome for each of its recipients, in their order."""

    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class Closed:
    """QUIT was answered."""


Event = Greeted | Introduced | ReadyForTLS | WantsKey | LoggedIn | WantsContent | Settled | Closed


class ClientConnection:
    """One conversation, from the greeting on."""

    def __init__(self, name: str, limits: ReplyLimits, *, tls: bool = False) -> None:
        """`name` is what we call ourselves in EHLO: a domain in A-labels, or an address literal."""
        self._name = name
        self._reader = ReplyReader(limits)
        self._output = bytearray()
        self._pending: deque[tuple[Stage, int]] = deque([(Stage.GREETING, 0)])
        #: Replies in the order they came, for logs and counters; whoever drives this takes them away.
        self.replies: deque[tuple[Stage, Reply]] = deque(maxlen=1000)
        self.tls = tls
        self.capabilities = Capabilities()
        #: Whether the conversation may go on. Once it may not, it never may again.
        self.usable = True
        #: Transactions that were begun.
        self.transactions = 0
        self._exchange: Exchange | None = None
        #: Kept from AUTH until the server asks for it, since it made the command too long.
        self._initial: bytes | None = None
        self._transaction: Transaction | None = None
        #: Whether it needs SMTPUTF8.
        self._utf8 = False
        self._outcomes: list[Outcome | None] = []
        self._accepted: list[int] = []
        #: Why no recipient gets the message, though replies are still to come.
        self._lost: Failure | None = None
        self._pipelining = False
        self._sending = False
        self._must_reset = False

    # ---- Octets and events. ----

    def receive_data(self, octets: bytes) -> None:
        """Take what was received."""
        if self.usable:
            self._reader.feed(octets)

    def data_to_send(self) -> bytes:
        """What is to be sent now; it is forgotten here."""
        octets = bytes(self._output)
        self._output.clear()
        return octets

    @property
    def awaiting(self) -> Stage | None:
        """What the next reply answers; None: no reply is due."""
        return self._pending[0][0] if self._pending else None

    @property
    def in_login(self) -> bool:
        """Whether what is said now may be a secret."""
        return self._exchange is not None

    @property
    def in_transaction(self) -> bool:
        """Whether there is a transaction that is not settled."""
        return self._transaction is not None

    @property
    def exhausted(self) -> bool:
        """Whether the server wants no further transaction on this connection (RFC 9422)."""
        most = self.capabilities.limits.mailmax
        return most is not None and self.transactions >= most

    def next_event(self) -> Event | NeedData:
        """What has happened, or NEED_DATA. Outside of transactions it raises ClientError."""
        while self.usable and self._pending:
            stage, index = self._pending[0]
            try:
                reply = self._reader.next_reply(whole=stage is Stage.EHLO or stage is Stage.AUTH)
                if reply is None:
                    break
                self._pending.popleft()
                self.replies.append((stage, reply))
                if reply.code == _CLOSING and stage is not Stage.QUIT:
                    raise self._broken(refused(stage.value, reply))
                event = self._answered(stage, index, reply)
            except BadReply as error:
                event = self._give_up(broken(stage.value, str(error)))
            except ClientError as error:
                event = self._failed(error)
            if event is not None:
                return event
        return NEED_DATA

    def abandon(self, failure: Failure) -> Settled | None:
        """The connection is lost, or must not be used any more: how that ends the transaction, if there is one."""
        self.usable = False
        self._pending.clear()
        if self._transaction is None:
            return None
        outcomes = tuple(self._lost or failure if one is None else one for one in self._outcomes)
        self._transaction = None
        return Settled(outcomes)

    # ---- What is wanted. ----

    def hello(self) -> None:
        """Introduce ourselves; EHLO, and HELO to servers that do not know it. Then comes Introduced."""
        self.capabilities = Capabilities()
        self._command(Stage.EHLO, f"EHLO {self._name}".encode("ascii"))

    def start_tls(self) -> None:
        """Ask for TLS. Then comes ReadyForTLS."""
        assert not self.tls  # RFC 3207 §4.2
        self._command(Stage.STARTTLS, b"STARTTLS")

    def tls_started(self) -> None:
        """The handshake is done. What was said before counts for nothing; say `hello` again (RFC 3207 §4.2)."""
        self.tls = True
        self.capabilities = Capabilities()

    def authenticate(self, mechanism: str, exchange: Exchange) -> None:
        """Log in. Then comes LoggedIn, after a WantsKey perhaps."""
        step = next(exchange)
        assert not isinstance(step, Derivation)
        self._exchange = exchange
        line = b"AUTH " + mechanism.encode("ascii")
        self._initial = None
        if step.octets is not None:
            # RFC 4954 §4: an empty response is `=` here.
            with_initial = line + b" " + (base64.b64encode(step.octets) or b"=")
            if len(with_initial) + 2 <= COMMAND_OCTETS:
                line = with_initial
            else:
                self._initial = step.octets
        self._command(Stage.AUTH, line)

    def key_derived(self, key: bytes) -> None:
        """The answer to WantsKey. Raises ClientError."""
        event = self._go_on(key)
        assert event is None

    def begin(self, transaction: Transaction) -> None:
        """Hand over a message. Then come WantsContent, unless nobody may have it, and Settled.

        Raises ClientError when the message cannot go to this server; nothing was said to it then.
        """
        failure = obstacle(transaction, self.capabilities, tls=self.tls)
        if failure is None and self.exhausted:
            failure = temporary(
                Fault.LIMIT, "", Status(4, 5, 3), "the server takes no more messages on this connection"
            )
        if failure is not None:
            raise ClientError(failure)
        self._transaction = transaction
        self._utf8 = transaction.needs_smtputf8
        self._outcomes = [None] * len(transaction.recipients)
        self._accepted = []
        self._lost = None
        self._pipelining = self.capabilities.offers("PIPELINING")
        self.transactions += 1
        commands = [(Stage.RSET, 0)] if self._must_reset else []
        commands.append((Stage.MAIL, 0))
        self._must_reset = False
        if self._pipelining:
            # RFC 2920 §3.1: DATA stands last in its group.
            commands += [(Stage.RCPT, at) for at in range(len(transaction.recipients))]
            commands.append((Stage.DATA, 0))
        try:
            for stage, at in commands if self._pipelining else commands[:1]:
                self._say(stage, at)
        except ClientError:
            self._transaction = None
            raise

    def content_sent(self) -> None:
        """The whole message was sent, with the dot that ends it."""
        self._sending = False

    def quit(self) -> None:
        """Say goodbye. Then comes Closed."""
        self._command(Stage.QUIT, b"QUIT")

    # ---- Inside. ----

    def _command(self, stage: Stage, line: bytes, index: int = 0) -> None:
        if not self._pending and self._reader.holds_octets:
            # It would be taken for the answer to what we are about to say.
            raise self._broken(self._unasked(stage))
        self._output += line + b"\r\n"
        self._pending.append((stage, index))

    def _unasked(self, stage: Stage) -> Failure:
        with suppress(BadReply):
            reply = self._reader.next_reply()
            if reply is not None and reply.code == _CLOSING:
                return refused(stage.value, reply)
        return broken(stage.value, "the server said something unasked")

    def _say(self, stage: Stage, at: int) -> None:
        """A command of the transaction."""
        transaction = self._transaction
        assert transaction is not None
        if stage is Stage.MAIL:
            line = mail_command(transaction, self.capabilities)
        elif stage is Stage.RCPT:
            line = rcpt_command(transaction.recipients[at], self.capabilities, utf8=self._utf8)
        else:
            line = stage.value.upper().encode()
        self._command(stage, line, at)

    def _broken(self, failure: Failure) -> ClientError:
        """The conversation ends with that."""
        self.usable = False
        return ClientError(failure)

    def _failed(self, error: ClientError) -> Settled:
        """Raises the error if the conversation may go on after it."""
        if self.usable:
            raise error
        return self._give_up(error.failure)

    def _give_up(self, failure: Failure) -> Settled:
        """The end of the conversation, as an event within a transaction. Raises ClientError outside of one."""
        settled = self.abandon(failure)
        if settled is None:
            raise ClientError(failure)
        return settled

    def _answered(self, stage: Stage, index: int, reply: Reply) -> Event | None:
        """What a reply means. Raises ClientError."""
        if self._transaction is not None:
            return self._in_transaction(stage, index, reply)
        if stage is Stage.QUIT:
            self.usable = False
            return Closed()
        if stage is Stage.AUTH:
            return self._in_login(reply)
        if stage is Stage.EHLO and reply.code in _NO_EHLO:
            self._command(Stage.HELO, f"HELO {self._name}".encode("ascii"))
            return None
        if reply.code != (220 if stage in {Stage.GREETING, Stage.STARTTLS} else 250):
            raise self._refusal(stage, reply)
        if stage is Stage.GREETING:
            return Greeted(reply)
        if stage is Stage.STARTTLS:
            if self._reader.holds_octets:
                # Somebody between us has said more than the server, to be taken for its words after the handshake.
                failure = temporary(Fault.TLS, stage.value, Status(4, 7, 0), "octets came before the TLS handshake")
                raise self._broken(failure)
            return ReadyForTLS()
        if stage is Stage.EHLO:
            assert isinstance(reply.text, tuple)
            self.capabilities = parse_capabilities(reply.text)
        return Introduced()

    def _refusal(self, stage: Stage, reply: Reply) -> ClientError:
        """The error for a reply that is not the one hoped for."""
        if reply.code < 400:
            return self._broken(broken(stage.value, f"the server answered {reply}"))
        # Without TLS the conversation could go on, but it was asked for since it matters.
        fault = {Stage.STARTTLS: Fault.TLS, Stage.AUTH: Fault.LOGIN}.get(stage, Fault.REFUSED)
        # A wrong password is for the operator to mend, and no reason to return mail to its senders.
        permanent = False if fault is not Fault.REFUSED else None
        return ClientError(refused(stage.value, reply, fault=fault, permanent=permanent))

    # Logging in.

    def _in_login(self, reply: Reply) -> Event | None:
        exchange = self._exchange
        assert exchange is not None
        if reply.code == 334:
            return self._challenged(reply)
        self._exchange = None
        if reply.code != 235:
            raise self._refusal(Stage.AUTH, reply)
        try:
            exchange.send(None)
        except StopIteration:
            return LoggedIn()
        except ExchangeError as error:
            raise self._not_trusted(str(error)) from error
        raise self._not_trusted("the server ended the exchange before it was complete")

    def _challenged(self, reply: Reply) -> Event | None:
        assert isinstance(reply.text, tuple)
        text = reply.text[0]
        if self._initial is not None and not text:
            self._respond(self._initial)
            self._initial = None
            return None
        try:
            challenge = binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
        except ValueError as error:
            raise self._broken(broken(Stage.AUTH.value, "the server's challenge is not base64")) from error
        return self._go_on(challenge)

    def _go_on(self, value: bytes) -> Event | None:
        """The next step of the exchange. Raises ClientError."""
        assert self._exchange is not None
        try:
            step = self._exchange.send(value)
        except (ExchangeError, StopIteration) as error:
            self._exchange = None
            raise self._not_trusted(str(error)) from error
        if isinstance(step, Derivation):
            return WantsKey(step)
        self._respond(step.octets or b"")
        return None

    def _respond(self, octets: bytes) -> None:
        self._output += base64.b64encode(octets) + b"\r\n"
        self._pending.append((Stage.AUTH, 0))

    def _not_trusted(self, text: str) -> ClientError:
        return self._broken(temporary(Fault.LOGIN, Stage.AUTH.value, Status(4, 7, 0), text))

    # A transaction.

    def _in_transaction(self, stage: Stage, index: int, reply: Reply) -> Event | None:
        kind = reply.code // 100
        if kind == 3 and stage is not Stage.DATA:
            raise self._broken(broken(stage.value, f"the server answered {reply}"))
        if stage is Stage.RSET:
            if kind != 2:
                raise self._broken(broken(stage.value, f"the server answered {reply}"))
        elif stage is Stage.MAIL:
            if kind != 2:
                self._lost = refused(stage.value, reply)
        elif stage is Stage.RCPT:
            if kind == 2:
                self._accepted.append(index)
            elif self._lost is None:
                self._outcomes[index] = refused(stage.value, reply)
        elif stage is Stage.DATA:
            return self._data_answered(reply)
        else:
            return self._content_answered(reply)
        return None if self._pipelining else self._next_command(stage, index)

    def _next_command(self, stage: Stage, index: int) -> Event | None:
        """Without PIPELINING every command waits for the reply to the one before."""
        transaction = self._transaction
        assert transaction is not None
        if self._lost is not None:
            return self._settle()
        if stage is Stage.RSET:
            self._say(Stage.MAIL, 0)
            return None
        following = 0 if stage is Stage.MAIL else index + 1
        if following < len(transaction.recipients):
            self._say(Stage.RCPT, following)
        elif self._accepted:
            self._say(Stage.DATA, 0)
        else:
            self._must_reset = True
            return self._settle()
        return None

    def _data_answered(self, reply: Reply) -> Event | None:
        wanted = self._lost is None and bool(self._accepted)
        if reply.code // 100 == 3:
            self._pending.append((Stage.CONTENT, 0))
            if wanted:
                self._sending = True
                return WantsContent()
            # It waits for a message nobody may have. A dot alone ends that (RFC 2920 §3.1).
            self._output += b".\r\n"
            return None
        if reply.code < 400:
            raise self._broken(broken(Stage.DATA.value, f"the server answered {reply}"))
        if wanted:
            self._lost = refused(Stage.DATA.value, reply)
        self._must_reset = True
        return self._settle()

    def _content_answered(self, reply: Reply) -> Event:
        negative = reply.code >= 400
        if self._sending:
            # A refusal in the midst of the message; the rest of it would be taken for commands.
            self.usable = False
            if not negative:
                text = f"the server answered {reply} before it had the message"
                raise ClientError(broken(Stage.CONTENT.value, text))
        outcome = refused(Stage.CONTENT.value, reply) if negative else Delivered(reply)
        for at in self._accepted if self._lost is None else ():
            self._outcomes[at] = outcome
        return self._settle()

    def _settle(self) -> Settled:
        outcomes = tuple(one if one is not None else self._lost for one in self._outcomes)
        self._transaction = None
        self._sending = False
        assert all(outcomes)
        return Settled(outcomes)  # type: ignore[arg-type]


def common_failure(outcomes: Sequence[Outcome]) -> Failure | None:
    """The failure that kept the message from all recipients at once, not from each for its own sake; None otherwise.

    Of a single recipient's failure, that.
    """
    first = outcomes[0]
    return first if isinstance(first, Failure) and all(one is first for one in outcomes) else None


def to_repeat(outcomes: Sequence[Outcome]) -> list[int]:
    """The places of recipients that were too many for this transaction and should have another one at once.

    452, or 552 from those who follow RFC 821 (RFC 5321 §4.5.3.1.10). Where nobody was taken it is not about the number.
    """
    if not any(isinstance(one, Delivered) for one in outcomes):
        return []
    return [
        at
        for at, one in enumerate(outcomes)
        if isinstance(one, Failure) and one.command == Stage.RCPT.value and one.code in {452, 552}
    ]
