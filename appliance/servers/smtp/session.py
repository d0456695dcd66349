"""One SMTP connection: events of the conversation in, work of the house, replies out.

The mail exchange and submission are one session with different rules; what only submission has is in `auth` and
`submission`. RFC 5321; limits and times are given by the door.
"""

import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import trio

from appliance.base.limits import PIPELINED
from appliance.base.log import Phase
from appliance.base.metrics import Counter, Distribution, Histogram, panics
from appliance.base.problem import Problem
from appliance.config.source import Config
from appliance.delivery import sender
from appliance.delivery.appliance import Appliance
from appliance.dns.problems import Temporary
from appliance.mail.address import Path
from appliance.mail.domain import Domain, IPLiteral
from appliance.mail.status import Status
from appliance.msgauth.results import SPF
from appliance.net.connection import Choose, Closed, Connection
from appliance.net.tlsstream import TLSHandshakeError
from appliance.operations import addresses, tlskeys
from appliance.operations.actor import Actor
from appliance.operations.login import Attempt
from appliance.protocol.lines import NeedData
from appliance.protocol.smtp import command, extensions
from appliance.protocol.smtp.reply import ProtocolError, Reply
from appliance.protocol.smtp.server import UNKNOWN_VERB, ServerConnection
from appliance.protocol.smtp.settings import Kind, Settings
from appliance.servers.smtp import auth, data, mx, refusing, replies, simulated, submission
from appliance.store.spool import Spool

connections = Counter("smtpserver_connection_total", "Connections.", ("kind",))
durations = Histogram(
    "smtpserver_command_duration_seconds",
    "Time to answer a command.",
    ("kind", "cmd", "code", "ecode"),
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 20, 30, 60, 120),
)
starttls_handshakes = Counter("smtpserver_delivery_starttls_total", "TLS handshakes on port 25.")
starttls_errors = Counter("smtpserver_delivery_starttls_errors_total", "Failed ones.", ("reason",))


@lru_cache(maxsize=1024)
def _duration(kind: str, verb: str, code: int, status: Status | None) -> Distribution:
    """Where the time for such an answer is counted."""
    shown = "" if status is None else f"{status.subject}.{status.detail}"
    return durations.labels(kind, verb if verb == UNKNOWN_VERB else verb.lower(), str(code), shown)


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """Times and counts of a session; zero delays are for tests."""

    #: Between commands, until a message begins, and for our work on one; between commands of a submission client that
    #: has not logged in, less.
    idle_seconds: float
    login_seconds: float
    #: One read of the rest of a message or command, and all of a message.
    read_seconds: float
    data_seconds: float
    #: Before all recipients are refused as unknown.
    unknown_seconds: float
    #: More bad transactions than these, and no good one, end a connection.
    bad_transactions: int


@dataclass(frozen=True, slots=True)
class Door:
    """What one listener's service tells its sessions."""

    protocol: Settings
    limits: SessionLimits
    #: Gives the context for what a client asks for; None where there is no certificate.
    tls: Choose | None
    #: TLS from the first octet.
    immediate_tls: bool
    #: Passwords may come without TLS.
    plain_login: bool
    #: Mail must come by TLS, but for reports about TLS.
    require_starttls: bool = False
    #: DNS lists that are asked about senders without history here.
    blocklists: Sequence[Domain] = ()
    #: How long mail of senders never heard of waits.
    first_time_delay_seconds: float = 0.0


@dataclass(slots=True)
class Transaction:
    """From MAIL to the end of DATA."""

    mail: command.Mail
    #: Recipients with where their mail goes, in the order of RCPT.
    recipients: list[tuple[Path, addresses.Resolution]]
    #: What each RCPT asked for, beside `recipients`.
    asked: list[command.Rcpt]
    #: The message needs SMTPUTF8: said by the client, and once the message is here told by its content.
    smtputf8: bool = False
    #: What SPF says of the sender, as soon as somebody had to know.
    spf: SPF | None = None
    #: What has come of the message; None before DATA or the first BDAT.
    spool: Spool | None = None
    #: When trio's clock says this, the message has taken too long.
    ends_at: float = math.inf
    #: Why the message cannot be kept, while it is still coming.
    failure: Reply | None = None


class Session:
    """One connection from greeting to end."""

    def __init__(self, app: Appliance, door: Door, connection: Connection) -> None:
        self.app = app
        self.door = door
        self.connection = connection
        self.log = connection.log
        self.resolver = app.resolver.named("smtpserver")
        self.protocol = ServerConnection(door.protocol, now=app.clock.now, tls=door.immediate_tls)
        self.received_id = app.received_ids.encode(connection.cid)
        self.config: Config = app.config.snapshot()
        self.helo: Domain | IPLiteral | None = None
        self.extended = False
        self.actor: Actor | None = None
        #: Who the client's TLS certificate stands for.
        self.certificate: Actor | None = None
        self.transaction: Transaction | None = None
        self.good_transactions = 0
        self.bad_transactions = 0
        self.failed_logins = 0
        self._kind = door.protocol.kind.value
        self._out: list[bytes] = []
        self._began = 0.0
        self._waiting = False
        self._has_part = False
        self._hurries = False
        self._over = False
        self._expelled = False
        self._lingers = False

    async def run(self) -> None:
        """Serve until the client leaves, the time is up, or the house closes."""
        connections.labels(self._kind).inc()
        listening = self.app.shutdown.listen(self._on_shutdown)
        self.app.sessions.enter(self)
        try:
            with self.connection:
                await self._converse()
            if self.connection.expired:
                await self._goodbye(self._farewell())
        except Closed as error:
            self.log.debug("connection lost", error)
        except TLSHandshakeError as error:
            self.log.info("TLS handshake failed", error, reason=error.reason)
        except trio.TooSlowError:
            self.log.info("TLS handshake took too long")
        finally:
            self.app.shutdown.forget(listening)
            self.app.sessions.leave(self)
            self.end_transaction()

    def _farewell(self) -> Reply:
        if self.app.shutdown.requested:
            return replies.SHUTDOWN
        if self._expelled:
            return replies.EXPELLED
        return replies.TOO_SLOW if self._hurries else replies.IDLE

    def _on_shutdown(self) -> None:
        if self._waiting:
            self.connection.expire_in(0)

    def expel(self) -> None:
        """End, after what is being answered now: what this session was opened with opens no others."""
        self._expelled = self._over = True
        if self._waiting:
            self.connection.expire_in(0)

    async def _goodbye(self, reply: Reply) -> None:
        self.say(reply)
        with trio.move_on_after(1):
            await self.flush()

    async def _converse(self) -> None:
        if self.door.immediate_tls and self.connection.tls is None:
            await self.start_tls(b"")
        if auth.refuses(self):
            self.say(replies.TOO_MANY_FAILURES)
            await self.flush()
            return
        self._expect_command()
        self.say(extensions.greeting(self.door.protocol))
        await self.flush()
        while not self._over:
            if len(self._out) >= PIPELINED:
                await self.flush()
                await trio.lowlevel.checkpoint()
            self._began = time.perf_counter()
            try:
                event = self.protocol.next_event()
            except ProtocolError as error:
                self._refuse(error)
            else:
                if isinstance(event, NeedData):
                    await self.flush()
                    await self._receive()
                    continue
                await self._answer(event)
        if self._expelled:
            self.say(replies.EXPELLED)
        await self.flush()
        if self._lingers:
            await self.connection.linger()

    def _expect_command(self) -> None:
        limits = self.door.limits
        waits_for_login = self.door.protocol.submission and self.actor is None
        self._has_part = False
        self.connection.expire_in(limits.login_seconds if waits_for_login else limits.idle_seconds)

    def expect_octets(self, seconds: float, ends_at: float) -> None:
        """The message must go on within so many seconds, and be whole at a time of trio's clock."""
        left = ends_at - trio.current_time()
        self._hurries = left < seconds
        self.connection.expire_in(min(left, seconds))

    def expect_nothing(self) -> None:
        """The client has said all, we are to answer."""
        self._hurries = False
        self.connection.expire_in(self.door.limits.idle_seconds)

    async def _receive(self) -> None:
        if self.app.shutdown.requested:
            self.say(replies.SHUTDOWN)
            self._over = True
            return
        # A command that has begun must go on soon; more of it does not give it more time.
        if self.protocol.has_part_of_line and not self._has_part:
            self._has_part = True
            self.connection.expire_in(self.door.limits.read_seconds)
        self._waiting = True
        try:
            octets = await self.connection.receive()
        finally:
            self._waiting = False
        if not octets:
            self._over = True
        self.protocol.receive_data(octets)

    async def _answer(self, event: Any) -> None:
        """One command: its handler says the reply. Problems and bugs of one command end neither us nor others."""
        name = type(event).__name__.lower()
        if self.app.shutdown.requested:
            self.say(replies.SHUTDOWN)
            self._over = True
            return
        try:
            reply = await _HANDLERS[name](self, event)
        except ProtocolError as error:
            self._refuse(error)
            return
        except Problem as problem:
            reply = self.of_problem(problem)
        except (Closed, TLSHandshakeError, trio.TooSlowError):
            raise
        except Exception as error:
            # A bug ends this connection and no other, and the client is told to come again (RFC 5321 §3.8).
            panics.labels("smtpserver").inc()
            self.log.error("unhandled exception, connection closed", error, cmd=name)
            reply = replies.BROKEN
            self.end_rudely()
        if reply is not None:
            self.reply(reply)
        self._expect_command()

    def _refuse(self, error: ProtocolError) -> None:
        if error.fatal:
            self.refused("conversation refused", error.reply, remainder=error.remainder[:200] or None)
            self.end_rudely()
        else:
            self.log.debug("protocol error", error, remainder=error.remainder[:200])
            if error.reply.code == 552 and self.protocol.verb == "MAIL":  # Too large, as MAIL says itself.
                refusing.note(self, "mail", error.reply)
        for _ in range(error.times):
            self.reply(error.reply)
        if not self.protocol.in_transaction:
            self.end_transaction()
        self._expect_command()

    def of_problem(self, problem: Problem) -> Reply:
        """The reply to a problem. Those that are ours are logged as errors, with their trace."""
        if problem.status[:2] == (4, 3):
            self.log.error("command failed", problem, cmd=self.protocol.verb)
        else:
            self.log.info("command refused", problem, cmd=self.protocol.verb)
        return replies.of_problem(problem)

    def refused(self, what: str, reply: Reply, **fields: Any) -> None:
        """Log what was refused to whom and why, on one line, for people and for programs that block addresses."""
        reason = reply.text if isinstance(reply.text, str) else "; ".join(reply.text)
        self.log.info(
            what,
            remoteip=self.connection.remote,
            code=reply.code,
            ecode=reply.status,
            reason=reason,
            **fields,
            user=self.actor.name if self.actor else None,
        )

    def slow_down(self) -> None:
        """Serve this client slowly from now on."""
        self.connection.slow = True

    def trace_word(self, *, smtputf8: bool) -> str:
        """How mail comes over this connection, as Received has it (RFC 3848, RFC 6531 §4.3)."""
        base = "LMTP" if self.door.protocol.lmtp else "SMTP"
        if smtputf8:
            base = "UTF8" + base
        elif self.extended and not self.door.protocol.lmtp:
            base = "E" + base
        return base + ("S" if self.connection.tls else "") + ("A" if self.actor else "")

    def reply(self, reply: Reply) -> None:
        """Say the reply to the command at work, and count how long it took."""
        self.say(reply)
        duration = _duration(self._kind, self.protocol.verb, reply.code, reply.status)
        duration.observe(time.perf_counter() - self._began)

    def say(self, reply: Reply) -> None:
        """Queue a reply; those to pipelined commands go together (RFC 2920 §3.2)."""
        self._out.append(self._encode(reply))

    def _encode(self, reply: Reply) -> bytes:
        # Every error, and the answer to STARTTLS, names the connection for whoever asks us about it.
        suffix = self.received_id if reply.code >= 400 or reply is replies.START_TLS else ""
        return reply.encode(suffix)

    async def flush(self) -> None:
        """Send what was said."""
        if self._out:
            octets = b"".join(self._out)
            self._out.clear()
            await self.connection.send(octets)

    def end(self) -> None:
        """Close after the replies that were said."""
        self._over = True

    def end_rudely(self) -> None:
        """As `end`, while the client is still sending: it shall hear the reply all the same."""
        self._over = self._lingers = True

    def reset(self) -> None:
        """Forget the transaction."""
        self.end_transaction()
        self.protocol.reset()

    def end_transaction(self) -> None:
        """The transaction is over for us too; what has come of its message is thrown away."""
        if self.transaction is not None and self.transaction.spool is not None:
            self.transaction.spool.discard()
        self.transaction = None

    async def start_tls(self, initial: bytes) -> None:
        """The server's side of a handshake. Raises TLSHandshakeError."""
        delivery = not self.door.protocol.submission
        if delivery:
            starttls_handshakes.inc()
        assert self.door.tls is not None
        attempt = Attempt(
            "submission", tlskeys.MECHANISM, self.connection.remote, self.log, local=self.connection.local
        )
        judge = None if delivery else tlskeys.Judge(self.app, attempt)
        try:
            await self.connection.start_tls(self.door.tls, initial, judge)
        except (TLSHandshakeError, trio.TooSlowError) as error:
            if delivery:
                starttls_errors.labels(error.reason if isinstance(error, TLSHandshakeError) else "other").inc()
            raise
        self.log = self.connection.log
        if judge is not None and judge.actor is not None and judge.succeeded(self.connection.tls):
            self.actor = self.certificate = judge.actor
        if self.door.immediate_tls:
            self.protocol.authenticated = self.actor is not None
        else:
            self.protocol.tls_started(authenticated=self.actor is not None)


async def _ehlo(session: Session, event: command.Ehlo) -> Reply:
    session.end_transaction()
    session.helo, session.extended = event.host, True
    session.protocol.hello_accepted()
    return extensions.ehlo_reply(
        session.door.protocol,
        tls=session.connection.tls is not None,
        mechanisms=auth.mechanisms(session),
        now=session.app.clock.now(),
    )


async def _helo(session: Session, event: command.Helo) -> Reply:
    session.end_transaction()  # Also when it is refused: for the conversation it is over.
    if event.host is not None:
        try:
            if not await sender.has_address(session.resolver, event.host.ascii):
                session.refused("client refused", replies.NO_SUCH_HOST, helo=event.host.ascii)
                refusing.note(session, "helo", replies.NO_SUCH_HOST)
                return replies.NO_SUCH_HOST
        except Temporary as problem:  # Not the client's fault, and EHLO is not checked either.
            session.log.debug("host of HELO could not be looked up", problem)
    session.helo, session.extended = event.host, False
    session.protocol.hello_accepted()
    return extensions.helo_reply(session.door.protocol)


async def _starttls(session: Session, _: command.StartTLS) -> Reply | None:
    session.say(replies.START_TLS)
    pending = session.protocol.take_pending()  # What came with the command is for the handshake (RFC 3207 §4.2).
    await session.flush()
    session.end_transaction()
    session.helo = None
    await session.start_tls(pending)
    return None


async def _mail(session: Session, event: command.Mail) -> Reply:
    limits = session.door.limits
    if session.bad_transactions > limits.bad_transactions and not session.good_transactions:
        session.end_rudely()
        return _sender_refused(session, event, replies.TOO_MANY_BAD)
    session.config = session.app.config.snapshot()
    failing = await simulated.failure(session, event.path, "mailfrom")
    if failing is not None:
        return _sender_refused(session, event, failing)
    if session.door.protocol.submission:
        refused = submission.may_send_from(session, event.path)
        if refused is not None:
            return _sender_refused(session, event, refused)
    elif session.door.protocol.kind is Kind.DELIVERY:
        refused = await _sender_domain(session, event.path)
        if refused is not None:
            return _sender_refused(session, event, refused)
    session.transaction = Transaction(event, [], [], event.smtputf8)
    session.protocol.mail_accepted()
    return replies.SENDER_OK


async def _sender_domain(session: Session, path: Path) -> Reply | None:
    """Why mail from a path is refused: its domain takes no answer and no report of a failure."""
    if path.domain is None:  # A report itself (RFC 5321 §4.5.5).
        return None
    if isinstance(path.domain, IPLiteral):
        return replies.LITERAL_SENDER
    try:
        finding = await session.app.senders.accepts_mail(session.resolver, path.domain.ascii)
    except Temporary as problem:
        session.log.info("sender's domain could not be looked up", problem, mailfrom=str(path))
        return replies.SENDER_UNKNOWN_YET
    if finding is sender.Accepts.YES:
        return None
    return Reply(550, Status(5, 7, 27), f"the sender's domain {finding.value}")  # RFC 7505 §4.2


def _sender_refused(session: Session, event: command.Mail, reply: Reply) -> Reply:
    session.refused("sender refused", reply, mailfrom=event.path)
    refusing.note(session, "mail", reply, sender=event.path)
    return reply


async def _rcpt(session: Session, event: command.Rcpt) -> Reply:
    transaction = session.transaction
    assert transaction is not None
    refusal = await _recipient(session, transaction, event)
    if refusal is not None:
        session.refused("recipient refused", refusal, mailfrom=transaction.mail.path, rcptto=event.path)
        refusing.note(session, "rcpt", refusal, sender=transaction.mail.path, recipients=[event.path])
        return refusal
    session.protocol.recipient_accepted()
    return replies.RECIPIENT_OK


async def _recipient(session: Session, transaction: Transaction, event: command.Rcpt) -> Reply | None:
    """Take a recipient in; the refusal when it is not wanted."""
    kind = session.door.protocol.kind
    if (
        session.door.require_starttls
        and session.connection.tls is None
        and not addresses.takes_tls_reports(session.config.derived.addresses, event.path)
    ):
        return replies.STARTTLS_FIRST
    returns = bool(transaction.recipients) and isinstance(transaction.recipients[0][1], addresses.Returning)
    if (returns or (kind is Kind.DELIVERY and transaction.mail.path.is_null)) and transaction.recipients:
        return replies.ONE_BOUNCE_RECIPIENT
    failing = await simulated.failure(session, event.path, "rcptto")
    if failing is not None:
        return failing
    submits = kind is Kind.SUBMISSION
    if isinstance(event.path.domain, IPLiteral) and not submits:
        return replies.NO_RELAY
    resolution = addresses.resolve(session.app, session.config, event.path)
    match resolution:
        case addresses.Refused(code, status, text):
            return Reply(code, status, text)
        case addresses.Elsewhere() if not submits:
            return replies.NO_RELAY
        case addresses.Returning() if not submits:
            if not transaction.mail.path.is_null:
                return replies.NOTICES_ONLY
            if transaction.recipients:
                return replies.ONE_BOUNCE_RECIPIENT
        case addresses.Returning():
            return replies.UNKNOWN_RECIPIENTS
        case addresses.Nobody() if kind is not Kind.DELIVERY:
            # Nobody harvests addresses here: these clients are known.
            return replies.UNKNOWN_RECIPIENTS
    if kind is Kind.DELIVERY and transaction.recipients and not await mx.is_vouched_for(session, transaction):
        return replies.ONE_RECIPIENT
    transaction.recipients.append((event.path, resolution))
    transaction.asked.append(event)
    return None


async def _data(session: Session, _: command.Data) -> None:
    await data.receive(session)


async def _bdat(session: Session, event: command.Bdat) -> None:
    await data.receive_chunk(session, event)


async def _rset(session: Session, _: command.Rset) -> Reply:
    session.reset()
    return replies.OK


async def _noop(session: Session, _: command.Noop) -> Reply:
    return replies.OK


async def _help(session: Session, _: command.Help) -> Reply:
    return replies.HELP


async def _vrfy(session: Session, _: command.Vrfy | command.Expn) -> Reply:
    return replies.NOT_VERIFIED


async def _quit(session: Session, _: command.Quit) -> Reply:
    session.end()
    return replies.BYE


async def _auth(session: Session, event: command.Auth) -> Reply:
    session.connection.phase = Phase.AUTH
    try:
        return await auth.authenticate(session, event)
    finally:
        session.connection.phase = Phase.PLAIN


_HANDLERS: dict[str, Callable[[Session, Any], Awaitable[Reply | None]]] = {
    "ehlo": _ehlo,
    "helo": _helo,
    "starttls": _starttls,
    "auth": _auth,
    "mail": _mail,
    "rcpt": _rcpt,
    "data": _data,
    "bdat": _bdat,
    "rset": _rset,
    "noop": _noop,
    "help": _help,
    "vrfy": _vrfy,
    "expn": _vrfy,
    "quit": _quit,
}
