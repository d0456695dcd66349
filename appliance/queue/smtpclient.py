"""Hands messages to one other server: connection, STARTTLS by policy, login, transactions, goodbye.

It drives protocol.smtp.client over a connection, with all time limits. What it was asked for comes back as values: an
outcome for each recipient, what TLS came to. Which server, what is demanded of it, and what follows from an outcome,
are for its callers.
"""

import hashlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from types import TracebackType
from typing import Final, TypeVar

import trio

from appliance.base import limits
from appliance.base.ids import Random
from appliance.base.log import Log, Phase
from appliance.base.metrics import Counter, Distribution, Histogram
from appliance.mail.status import Status
from appliance.net.connection import Closed
from appliance.net.dial import ANY_SOURCE, Dialer, DialError, Proxy, Sources, dial
from appliance.net.limiter import Address
from appliance.net.outgoing import Outgoing
from appliance.net.shutdown import Shutdown
from appliance.net.tlsstream import TLSHandshakeError
from appliance.protocol.lines import NEED_DATA
from appliance.protocol.sasl import client as sasl
from appliance.protocol.smtp import client
from appliance.protocol.smtp.capabilities import Capabilities
from appliance.protocol.smtp.client import ClientConnection, Delivered, Event, Outcome, Settled, Stage
from appliance.protocol.smtp.failure import ClientError, Failure, Fault, impossible, temporary
from appliance.protocol.smtp.stuffing import BadContent, Stuffing
from appliance.protocol.smtp.transaction import Transaction, batch, no_smtputf8, unreachable
from appliance.queue.smtpsettings import TIMES, Check, LoginPolicy, Settings, TLSMode, TLSOutcome, Weight

T = TypeVar("T")

connections = Counter("queue_connection_total", "Connections we tried to make.", ("result",))
command_durations = Histogram(
    "smtpclient_command_duration_seconds",
    "Time until another server answered a command.",
    ("cmd", "code", "secode"),
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 20, 30, 60, 120),
)
tls_waived = Counter(
    "smtpclient_tlsrequiredno_ignored_total",
    "Certificates that would not have done but for TLS-Required: No.",
    ("ignored",),
)

#: A group of commands up to this size fits into the kernel's buffers, so that both sides may write first.
_GROUP_OCTETS: Final = 4096
#: The message is read and sent in such pieces; one that is smaller is checked before anything is said of it.
_PIECE_OCTETS: Final = 64 * 1024
#: For what a server said before it stopped to listen.
_LAST_WORDS_SECONDS: Final = 2.0

_STARTTLS_REASONS: Final = {
    Fault.CONNECTION: "connection-lost-after-starttls",
    Fault.TIMEOUT: "io-timeout-after-starttls",
    Fault.PROTOCOL: "malformed-reply-to-starttls",
}


@dataclass(frozen=True, slots=True)
class Content:
    """A message to send: what was put before it, and the octets it was submitted as, lines ended by CRLF."""

    prefix: bytes
    body_octets: int
    #: Octets start..end of the body; called in threads when the message is large.
    read: Callable[[int, int], bytes]

    @property
    def size_octets(self) -> int:
        """Of all."""
        return len(self.prefix) + self.body_octets

    @classmethod
    def of(cls, octets: bytes) -> "Content":
        """One that is in memory."""
        return cls(b"", len(octets), lambda start, end: octets[start:end])


async def connect(
    addresses: Sequence[Address],
    port: int,
    *,
    log: Log,
    sources: Sources = ANY_SOURCE,
    proxy: Proxy | None = None,
    seconds: float = TIMES.dial,
    dialer: Dialer = dial,
) -> Outgoing:
    """Connect to the first address that answers (net.dial). Raises ClientError."""
    result = "canceled"
    try:
        dialed = await dialer(addresses, port, seconds=seconds, sources=sources, proxy=proxy)
        result = "ok"
    except DialError as error:
        result = "timeout" if error.timeout else "error"
        fault = Fault.TIMEOUT if error.timeout else Fault.CONNECTION
        failure = temporary(fault, "", Status(4, 4, 1), f"cannot connect: {error}")  # RFC 3463 §3.5
        raise ClientError(failure) from error
    finally:
        connections.labels(result).inc()
    log = log.bind(remote=str(dialed.address))
    return Outgoing(dialed.stream, remote=dialed.address, remote_port=port, local=dialed.local, log=log)


class _TooSlow(Exception):
    """The server did not answer, or take what we sent, in time."""


class _Stopped(Exception):
    """We stop, and nothing is lost by it."""


class Session:
    """One connection's conversation. A context manager: at its end it says goodbye, if it can, and closes.

    Once the house stops, whatever is not delivered yet fails at once; only the wait for the word on a message that was
    sent goes on, until its task is cancelled.
    """

    def __init__(
        self, connection: Outgoing, settings: Settings, *, random: Random, shutdown: Shutdown | None = None
    ) -> None:
        self.connection = connection
        self.settings = settings
        self.tls = TLSOutcome()
        self._random = random
        self._shutdown = shutdown or Shutdown()
        immediate = settings.tls.mode is TLSMode.IMMEDIATE
        self._conversation = ClientConnection(settings.ehlo_name, limits.REPLY, tls=immediate)
        self._began = trio.current_time()
        self._deadline = self._began + settings.times.session
        #: When the last command was sent, and since when the next reply is waited for.
        self._asked = self._since = trio.current_time()
        self._waiting: set[trio.CancelScope] = set()
        #: The dot was sent: the server has the message, or not, and only it can tell.
        self._dot_sent = False
        self._opened = False
        self._listening = 0
        #: It is kept for another message when the context ends, and entered again for it.
        self.stays = False

    async def __aenter__(self) -> "Session":
        self.stays = False
        self._listening = self._listening or self._shutdown.listen(self._stop)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.stays and error is None:
            return
        try:
            if error is None or isinstance(error, Exception):
                await self.quit()
        finally:
            await self.aclose()

    @property
    def capabilities(self) -> Capabilities:
        """What the server offers, after `open`."""
        return self._conversation.capabilities

    @property
    def transactions(self) -> int:
        """How many were begun."""
        return self._conversation.transactions

    @property
    def age(self) -> float:
        """Seconds since the connection was made."""
        return trio.current_time() - self._began

    @property
    def reusable(self) -> bool:
        """Whether another message may be handed over. Who is not asked has nothing to say, unless it leaves."""
        conversation = self._conversation
        if not conversation.usable or conversation.exhausted or self._shutdown.requested:
            return False
        return not self.connection.is_readable()

    async def open(self) -> None:
        """All that comes before a message. Raises ClientError; `tls` tells what became of TLS all the same."""
        mode = self.settings.tls.mode
        if mode is TLSMode.IMMEDIATE:
            self.tls.wanted = True
            await self._handshake()
        await self._event()  # The greeting.
        self._conversation.hello()
        await self._event()
        self.tls.offered = self.capabilities.offers("STARTTLS")
        if mode is TLSMode.REQUIRED or mode is TLSMode.OPPORTUNISTIC:
            await self._start_tls(demanded=mode is TLSMode.REQUIRED)
        if self.settings.login is not None:
            await self._log_in(self.settings.login)
        self._opened = True

    async def deliver(
        self,
        transaction: Transaction,
        content: Content,
        *,
        settled: Callable[[Mapping[int, Outcome]], Awaitable[None]] | None = None,
    ) -> tuple[Outcome, ...]:
        """Hand over a message; the outcome for each recipient, in their order. Several transactions if need be.

        `settled` is told after each transaction what is final, by the recipients' places, so that it can be written
        down before more is sent.
        """
        assert self._opened
        outcomes: dict[int, Outcome] = dict.fromkeys(unreachable(transaction, self.capabilities), no_smtputf8())
        if outcomes and settled is not None:
            await settled(dict(outcomes))
        left = [at for at in range(len(transaction.recipients)) if at not in outcomes]
        most: int | None = None
        lost: Failure | None = None
        while left and lost is None:
            waiting = [transaction.recipients[at] for at in left]
            count = batch(waiting, self.capabilities.limits, most)
            chosen, left = left[:count], left[count:]
            part = replace(transaction, recipients=tuple(waiting[:count]), size_octets=content.size_octets)
            try:
                got = await self._transact(part, content)
            except ClientError as error:
                got = (error.failure,) * count
            lost = _of_all(got)
            again = client.to_repeat(got) if lost is None else []
            final = {chosen[at]: outcome for at, outcome in enumerate(got) if at not in again}
            outcomes.update(final)
            if again:
                # As many as the server took this time, or every round would be refused most of its recipients.
                most = sum(isinstance(one, Delivered) for one in got)
                left = [chosen[at] for at in again] + left
            if settled is not None:
                await settled(final)
        if lost is not None and left:
            rest = dict.fromkeys(left, lost)
            outcomes.update(rest)
            if settled is not None:
                await settled(rest)
        return tuple(outcomes[at] for at in range(len(transaction.recipients)))

    async def quit(self) -> None:
        """Say goodbye, without waiting long for an answer."""
        conversation = self._conversation
        if not conversation.usable or conversation.awaiting is not None:
            return
        try:
            conversation.quit()
            with trio.move_on_after(self.settings.times.quit):
                if self._shutdown.requested:
                    await self.connection.send(conversation.data_to_send())
                else:
                    await self._event()
        except (ClientError, Closed):
            pass

    async def aclose(self) -> None:
        """Close at once."""
        self._shutdown.forget(self._listening)
        await self.connection.aclose()

    # ---- TLS. ----

    async def _start_tls(self, *, demanded: bool) -> None:
        self.tls.wanted = True
        offered = self.tls.offered
        if not offered and not demanded:
            self.tls.result = "starttls-not-supported"
            return
        self._conversation.start_tls()
        try:
            await self._event()
        except ClientError as error:
            failure = error.failure
            if failure.fault in {Fault.REFUSED, Fault.SHUTDOWN}:  # It leaves, or we do: that says nothing about TLS.
                raise
            if failure.code:
                reason = f"smtp-starttls-reply-code-{failure.code}"
            else:
                reason = _STARTTLS_REASONS.get(failure.fault, "octets-before-handshake")
            result = "validation-failure" if offered else "starttls-not-supported"
            raise self._no_tls(replace(failure, fault=Fault.TLS), result, reason) from error
        await self._handshake()
        self._conversation.tls_started()
        self._conversation.hello()
        await self._event()

    async def _handshake(self) -> None:
        """Raises ClientError."""
        policy = self.settings.tls
        assert policy.context is not None
        try:
            handshake = partial(self.connection.start_tls, policy.context, policy.server_name)
            await self._timed(handshake, self.settings.times.handshake)
        except TLSHandshakeError as error:
            failure = _tls_failure(f"TLS handshake failed: {error}")
            remote = error.reason.startswith("alert-")
            reason = "connection-lost-during-handshake" if error.reason == "eof" else f"tls-{error.reason}"
            reason = f"tls-remote-{error.reason}" if remote else reason
            self._conversation.abandon(failure)
            raise self._no_tls(failure, "validation-failure", reason) from error
        except _TooSlow as error:
            failure = _tls_failure("TLS handshake took too long")
            self._conversation.abandon(failure)
            raise self._no_tls(failure, "validation-failure", "io-timeout-during-handshake") from error
        except _Stopped as error:
            failure = self._lost(error)
            self._conversation.abandon(failure)
            raise ClientError(failure) from error
        self.tls.info = self.connection.tls
        await self._judge(policy.checks)

    def _no_tls(self, failure: Failure, result: str, reason: str) -> ClientError:
        self.tls.result, self.tls.reason = result, reason
        return ClientError(replace(failure, tls_result=result, tls_reason=reason))

    async def _judge(self, checks: Sequence[Check]) -> None:
        """Raises ClientError when a check that is enforced is not passed."""
        chain = self.connection.peer_chain()
        for check in checks:
            judgement = await trio.to_thread.run_sync(check.judge, chain)
            self.tls.judgements[check.name] = judgement
            if judgement.verified:
                self.tls.verified = self.tls.verified or check.weight is Weight.ENFORCED
            elif check.weight is Weight.WAIVED:
                tls_waived.labels(check.name).inc()
        for check in checks:
            judgement = self.tls.judgements[check.name]
            if check.weight is Weight.ENFORCED and not judgement.verified:
                self.tls.verified = False
                words = f"{judgement.result}, {judgement.reason}"
                failure = _tls_failure(f"the server's certificate is not verified ({check.name}): {words}")
                raise ClientError(replace(failure, tls_result=judgement.result, tls_reason=judgement.reason))

    # ---- Logging in. ----

    async def _log_in(self, policy: LoginPolicy) -> None:
        """Raises ClientError."""
        conversation, offered = self._conversation, self.capabilities.mechanisms
        channel = sasl.Channel(
            tls=conversation.tls,
            binding=self.connection.binding(),
            certificate=self.settings.tls.client_certificate,
        )
        mechanism = sasl.choose(offered, policy.mechanisms, channel, insecure_passwords=policy.insecure_passwords)
        if mechanism is None:
            if policy.optional:
                return
            text = f"the server offers no mechanism to log in with that may be used: {' '.join(offered) or 'none'}"
            raise ClientError(temporary(Fault.LOGIN, Stage.AUTH.value, Status(4, 7, 0), text))
        nonce = self._random.token_bytes(18).hex()
        conversation.authenticate(mechanism, sasl.start(mechanism, policy.login, channel, offered, nonce))
        while isinstance(event := await self._event(), client.WantsKey):
            wanted = event.derivation
            key = await trio.to_thread.run_sync(
                hashlib.pbkdf2_hmac, wanted.algorithm, wanted.password, wanted.salt, wanted.iterations
            )
            conversation.key_derived(key)

    # ---- Transactions. ----

    async def _transact(self, transaction: Transaction, content: Content) -> tuple[Outcome, ...]:
        """One transaction. Raises ClientError when nothing came of it."""
        conversation = self._conversation
        if transaction.requiretls and not self.tls.verified:  # RFC 8689 §4.2.1
            raise ClientError(impossible(Fault.UNSUPPORTED, 554, Status(5, 7, 30), "the server is not verified"))
        if not conversation.usable:
            raise ClientError(temporary(Fault.CONNECTION, "", Status(4, 4, 2), "the connection was ended before"))
        if self._shutdown.requested:
            raise ClientError(self._lost(_Stopped()))
        small = self._small(content)
        conversation.begin(transaction)
        event = await self._event()
        if isinstance(event, client.WantsContent):
            event = await self._send_message(content, small)
        assert isinstance(event, Settled)
        return event.outcomes

    def _small(self, content: Content) -> bytes | None:
        """The message made ready, if it is small. Raises ClientError when it cannot be sent."""
        if content.size_octets > _PIECE_OCTETS:
            return None
        stuffing = Stuffing()
        try:
            return stuffing.feed(content.prefix + content.read(0, content.body_octets)) + stuffing.finish()
        except BadContent as error:
            raise ClientError(_bad_content(error)) from error

    async def _send_message(self, content: Content, small: bytes | None) -> Event:
        try:
            if small is not None:
                await self._send(small, Phase.DATA)
            else:
                await self._send_pieces(content)
        except BadContent as error:
            settled = self._conversation.abandon(_bad_content(error))
            assert settled is not None
            return settled
        except (Closed, _TooSlow, _Stopped) as error:
            return await self._ended(error)
        self._dot_sent = True
        self._conversation.content_sent()
        try:
            return await self._event()
        finally:
            self._dot_sent = False

    async def _send_pieces(self, content: Content) -> None:
        stuffing = Stuffing()
        await self._send(stuffing.feed(content.prefix), Phase.DATA)
        for start in range(0, content.body_octets, _PIECE_OCTETS):
            end = min(start + _PIECE_OCTETS, content.body_octets)
            octets = await trio.to_thread.run_sync(content.read, start, end)
            await self._send(stuffing.feed(octets), Phase.DATA)
        await self._send(stuffing.finish(), Phase.DATA)

    # ---- Octets, and the time they take. ----

    async def _event(self) -> Event:
        """What happens next. Raises ClientError outside of transactions."""
        conversation = self._conversation
        octets = conversation.data_to_send()
        self._asked = self._since = trio.current_time()
        try:
            if len(octets) > _GROUP_OCTETS:
                return await self._event_while_sending(octets)
            if octets:
                await self._send(octets, self._phase)
            return await self._next()
        except (Closed, _TooSlow, _Stopped) as error:
            return await self._ended(error)
        finally:
            self._note_replies()

    async def _next(self) -> Event:
        """Receive until something happens."""
        conversation = self._conversation
        while (event := conversation.next_event()) is NEED_DATA:
            if conversation.replies:
                self._note_replies()
                self._since = trio.current_time()
            if octets := conversation.data_to_send():
                self._asked = trio.current_time()
                await self._send(octets, self._phase)
            # Of a reply, not of an octet: who sends one now and then must not hold us for ever.
            seconds = max(0.0, self._since + self._patience() - trio.current_time())
            octets = await self._timed(partial(self.connection.receive, self._phase), seconds)
            if not octets:
                raise Closed("the server closed the connection")
            conversation.receive_data(octets)
        return event

    async def _event_while_sending(self, octets: bytes) -> Event:
        """The commands of a large group are answered while they are sent: a server must be heard, or it would wait for
        us as we for it (RFC 2920 §3.1)."""
        failed: list[Exception] = []
        event: Event | None = None

        async def send() -> None:
            try:
                await self._send(octets, Phase.PLAIN)
            except (Closed, _TooSlow, _Stopped) as error:
                failed.append(error)
                nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            try:
                event = await self._next()
            except (Closed, _TooSlow, _Stopped) as error:
                failed.append(error)
            if failed or not self._conversation.usable:
                nursery.cancel_scope.cancel()
        if event is None:
            raise failed[0]
        return event

    async def _ended(self, error: Exception) -> Settled:
        """The connection is lost. What the server said last tells more than that. Raises ClientError."""
        conversation = self._conversation
        if isinstance(error, Closed):
            with trio.move_on_after(_LAST_WORDS_SECONDS), suppress(Closed):
                octets = b"-"
                while octets and conversation.awaiting is not None:
                    event = conversation.next_event()
                    if isinstance(event, Settled):
                        conversation.abandon(self._lost(error))
                        return event
                    octets = await self.connection.receive(self._phase)
                    conversation.receive_data(octets)
        failure = self._lost(error)
        settled = conversation.abandon(failure)
        if settled is None:
            raise ClientError(failure) from error
        return settled

    def _lost(self, error: Exception) -> Failure:
        stage = self._conversation.awaiting
        command = "" if stage is None else stage.value
        if isinstance(error, _Stopped):
            return temporary(Fault.SHUTDOWN, command, Status(4, 3, 2), "stopped before the message was sent")
        if isinstance(error, _TooSlow):
            text = f"no answer in time ({command})"
            return temporary(Fault.TIMEOUT, command, Status(4, 4, 2), text)  # RFC 3463 §3.5
        return temporary(Fault.CONNECTION, command, Status(4, 4, 2), str(error))

    @property
    def _phase(self) -> Phase:
        return Phase.AUTH if self._conversation.in_login else Phase.PLAIN

    async def _send(self, octets: bytes, phase: Phase) -> None:
        """Raises Closed, _TooSlow, _Stopped."""
        self._go_on()
        left = self.connection.send_now(octets, phase)
        if left is not None:
            await self._timed(partial(self.connection.send, left, phase), self.settings.times.write)

    async def _timed(self, call: Callable[[], Awaitable[T]], seconds: float) -> T:
        """Raises _TooSlow, _Stopped, and what the call raises."""
        self._go_on()
        if not self._dot_sent:
            seconds = min(seconds, max(0.0, self._deadline - trio.current_time()))
        with trio.move_on_after(seconds) as scope:
            self._waiting.add(scope)
            try:
                return await call()
            finally:
                self._waiting.discard(scope)
        raise _Stopped if self._shutdown.requested and not self._dot_sent else _TooSlow

    def _go_on(self) -> None:
        """Raises _Stopped."""
        if self._shutdown.requested and not self._dot_sent:
            raise _Stopped

    def _stop(self) -> None:
        """The house stops."""
        if not self._dot_sent:
            for scope in self._waiting:
                scope.cancel()

    def _patience(self) -> float:
        times = self.settings.times
        match self._conversation.awaiting:
            case Stage.GREETING:
                return times.greeting
            case Stage.DATA:
                return times.data
            case Stage.CONTENT:
                return times.content
            case _:
                return times.command

    def _note_replies(self) -> None:
        replies, log = self._conversation.replies, self.connection.log
        seconds = trio.current_time() - self._asked
        while replies:
            stage, reply = replies.popleft()
            _duration(stage, reply.code, reply.status).observe(seconds)
            if log.enabled(logging.DEBUG):
                log.debug("server replied", cmd=stage.value, code=reply.code, status=str(reply.status or ""))


@lru_cache(maxsize=1024)
def _duration(stage: Stage, code: int, status: Status | None) -> Distribution:
    """Where the time for such an answer is counted."""
    shown = "" if status is None else f"{status.subject}.{status.detail}"
    return command_durations.labels(stage.value, str(code), shown)


def _of_all(outcomes: Sequence[Outcome]) -> Failure | None:
    """The failure after which there is no use in another transaction on this connection, of whomever."""
    failure = client.common_failure(outcomes)
    about_one = {Stage.RCPT.value, Stage.DATA.value, Stage.CONTENT.value}
    if failure is None or (failure.remote and failure.code != 421 and failure.command in about_one):
        return None
    return failure


def _tls_failure(text: str) -> Failure:
    return temporary(Fault.TLS, Stage.STARTTLS.value, Status(4, 7, 5), text)  # RFC 3463 §3.8


def _bad_content(error: BadContent) -> Failure:
    return impossible(Fault.MESSAGE, 554, Status(5, 6, 0), str(error))
