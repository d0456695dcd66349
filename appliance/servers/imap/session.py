"""One IMAP connection: commands in, work of the house, responses out (RFC 9051, RFC 3501).

Each family of commands has a module beside this one; here are the loop, the states, and what all of them share.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import trio

from appliance import __version__ as VERSION
from appliance.base.limits import PIPELINED
from appliance.base.log import Phase
from appliance.base.metrics import Counter, Histogram
from appliance.base.problem import Problem
from appliance.delivery.appliance import Appliance
from appliance.net.connection import Choose, Closed, Connection
from appliance.net.tlsstream import TLSHandshakeError
from appliance.operations import login as verbs, tlskeys
from appliance.operations.actor import Actor
from appliance.protocol.imap import capability, command, response
from appliance.protocol.imap.connection import AppendBegin, Command, CommandError, LiteralWanted, ServerConnection
from appliance.protocol.imap.limits import ImapLimits
from appliance.protocol.lines import NeedData
from appliance.servers.imap import (
    acl,
    append,
    auth,
    copying,
    fetch,
    flags,
    idle,
    listing,
    mailbox,
    metadata,
    multisearch,
    news,
    quota,
    replies,
    search,
    select,
    sort,
    thread,
)
from appliance.servers.imap.notify import Aside, Notify
from appliance.servers.imap.selected import Selected
from appliance.servers.imap.watch import Watch
from appliance.store.changes import Subscription
from appliance.store.problems import StorageFull, StoreFailed
from appliance.store.records import LoginAttempt
from appliance.store.tables import AccountID

connections = Counter("imap_connection_total", "Connections.", ("service",))
durations = Histogram(
    "imap_command_duration_seconds",
    "Time to answer a command.",
    ("cmd", "result"),
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 20),
)

#: Octets of responses that are gathered before they are sent.
FLUSH_OCTETS: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Times:
    """Deadlines of a session in seconds."""

    login: float
    idle: float
    literal: float
    bye: float


TIMES: Final = Times(login=30, idle=30 * 60, literal=30, bye=10)


@dataclass(frozen=True, slots=True)
class Door:
    """What one listener's service tells its sessions."""

    hostname: str
    limits: ImapLimits
    times: Times
    tls: Choose | None
    immediate_tls: bool
    plain_login: bool
    #: `imap` or `imaps`, for counters.
    service: str
    #: The largest message that clients may bring, in octets.
    max_message_octets: int


class Session:
    """One connection from greeting to end."""

    def __init__(self, app: Appliance, door: Door, connection: Connection) -> None:
        self.app = app
        self.door = door
        self.connection = connection
        self.log = connection.log
        self.protocol = ServerConnection(door.limits)
        self.config = app.config.snapshot()
        #: Who the client's TLS certificate stands for.
        self.certificate: Actor | None = None
        self.failed_logins = 0
        self.user_agent = ""
        #: Attempts to log in that are not written down yet: the client may still say what it is.
        self.unrecorded: list[tuple[AccountID, LoginAttempt, int | None]] = []
        self._out: list[bytes] = []
        self._out_octets = 0
        #: A tagged response that waits for what belongs before it.
        self._unsaid: Callable[[], None] | None = None
        self._waiting = False
        self._over = False
        #: Why it has to end; empty while it has not.
        self._expelled = ""
        self._selected: Selected | None = None
        #: What is watched of other accounts' mailboxes, for NOTIFY.
        self.watch: Watch | None = None
        #: The client may still be sending when we close.
        self._lingers = False
        self.reset()

    def reset(self) -> None:
        """Nobody is logged in, and nothing is left of who was (RFC 8437 §3)."""
        self.actor: Actor | None = None
        self.stop_watching()
        self.subscription: Subscription | None = None
        self.selected = None
        #: IMAP4rev2 is enabled: no RECENT, ESEARCH instead of SEARCH.
        self.rev2 = False
        self.condstore = False
        #: Removals are told as VANISHED, and no modification sequence runs ahead of them (RFC 7162 §3.2).
        self.qresync = False
        #: Messages have no numbers (RFC 9586).
        self.uid_only = False
        #: Changes of annotations are told (RFC 5464 §4.4); by which names that was enabled.
        self.metadata: set[str] = set()
        #: What the client wants to hear of; None before the first NOTIFY.
        self.notify: Notify | None = None
        #: News of mailboxes that waits to be told.
        self.aside = Aside()
        #: The client has used LIST with options (RFC 5258).
        self.lists_extended = False
        self.utf8_accept = False
        self.protocol.utf8 = self.protocol.authenticated = False
        self.log = self.connection.log

    # Life

    async def run(self) -> None:
        """Serve until the client leaves, the time is up, or the house closes."""
        connections.labels(self.door.service).inc()
        listening = self.app.shutdown.listen(self._on_shutdown)
        self.app.sessions.enter(self)
        try:
            with self.connection:
                await self._converse()
            if self.connection.expired:
                with trio.move_on_after(self.door.times.bye):
                    await self.connection.send(response.untagged("BYE", self._farewell()))
                    await self.connection.end_compression()
        except Closed as error:
            self.log.debug("connection lost", error)
        except TLSHandshakeError as error:
            self.log.info("TLS handshake failed", error, reason=error.reason)
        except trio.TooSlowError:
            self.log.info("TLS handshake took too long")
        finally:
            self.app.shutdown.forget(listening)
            self.app.sessions.leave(self)
            auth.write_down(self)
            self.selected = None
            self.stop_watching()
            if self.subscription is not None:
                self.subscription.close()

    def _farewell(self) -> str:
        if self.app.shutdown.requested:
            return "shutting down"
        return self._expelled or "inactive for too long"

    def _on_shutdown(self) -> None:
        if self._waiting:
            self.connection.expire_in(0)

    def expel(self) -> None:
        """End, after what is being answered now: what this session was opened with opens no others."""
        self.leave("logged out by the administrator")

    def leave(self, farewell: str) -> None:
        """End with these words, after what is being answered now."""
        self._expelled, self._over = farewell, True
        if self._waiting:
            self.connection.expire_in(0)

    async def _converse(self) -> None:
        if self.door.immediate_tls and self.connection.tls is None:
            await self.start_tls(b"")
            if self._over:
                await self.flush()
                return
        if self.actor is None and auth.refuses(self):
            self.say(response.untagged("BYE", "too many failed logins, try again later"))
            await self.flush()
            return
        self._expect_command()
        status = "OK" if self.actor is None else "PREAUTH"
        self.say(response.untagged(status, "moxpy imap", f"CAPABILITY {self.capabilities()}"))
        while not self._over:
            if len(self._out) >= PIPELINED:
                await self.flush()
                await trio.lowlevel.checkpoint()
            try:
                event = self.protocol.next_event()
            except CommandError as error:
                durations.labels("(unrecognized)", "badsyntax" if error.kind == "BAD" else "usererror").observe(0)
                self.refuse(error)
                continue
            if isinstance(event, NeedData):
                await self.flush()
                if self.protocol.in_literal and self.actor is not None:
                    self.connection.expire_in(self.door.times.literal)
                pushes = self.notify is not None and self.notify.pushes
                octets = await (idle.receive(self) if pushes else self.receive())
                if not octets:
                    break
            elif isinstance(event, Command):
                await self._answer(event)
            elif isinstance(event, LiteralWanted):
                self.say(b"+ ok\r\n")
            elif isinstance(event, AppendBegin):
                name = "APPEND" if event.replaces is None else "REPLACE"
                await self._guarded(event.tag, name, append.receive(self, event))
                self._expect_command()
        if self._expelled:
            self.say(response.untagged("BYE", self._farewell()))
        await self.flush()
        await self.connection.end_compression()
        if self._lingers:
            await self.connection.linger()

    async def start_tls(self, initial: bytes) -> None:
        """The server's side of a handshake; the client may be logged in by it. Raises TLSHandshakeError."""
        assert self.door.tls is not None
        attempt = verbs.Attempt(
            "imap",
            tlskeys.MECHANISM,
            self.connection.remote,
            self.log,
            local=self.connection.local,
            keep=partial(auth.keep, self),
        )
        judge = tlskeys.Judge(self.app, attempt, imap=True)
        await self.connection.start_tls(self.door.tls, initial, judge)
        self.log = self.connection.log
        self.certificate = judge.actor
        if judge.refusal and self.door.immediate_tls:
            # As in the greeting: a device that shows alerts of TLS only would not know why.
            self.say(response.untagged("BYE", judge.refusal, "ALERT"))
            self._over = True
            return
        # There is no greeting after STARTTLS that could say so (RFC 9051 §7.1.4): the client uses SASL EXTERNAL.
        if (
            judge.actor is not None
            and judge.logs_in
            and self.door.immediate_tls
            and judge.succeeded(self.connection.tls)
        ):
            auth.logged_in(self, judge.actor)

    def _expect_command(self) -> None:
        times = self.door.times
        self.connection.expire_in(times.login if self.actor is None else times.idle)

    async def receive(self) -> bytes:
        """Octets of the client into the conversation; none at the end."""
        if self.app.shutdown.requested:
            self.say(response.untagged("BYE", "shutting down"))
            self._over = True
            return b""
        self._waiting = True
        try:
            octets = await self.connection.receive()
        finally:
            self._waiting = False
        self.protocol.receive_data(octets)
        return octets

    def refuse(self, error: CommandError) -> None:
        """Answer a command that was not understood."""
        self.log.debug("protocol error", error)
        if error.forgets_saved and self.selected is not None:
            self.selected.saved = ()
        if error.kind == "BYE":
            self.say(response.untagged("BYE", error.text, error.code))
        elif error.tag is None:
            self.say(response.untagged("BAD", error.text, error.code))
        else:
            self.say(response.tagged(error.tag, error.kind, error.text, error.code))
        if error.fatal:
            self._lingers = True
            if error.kind != "BYE":
                self.say(response.untagged("BYE", "cannot go on after that"))
            self._over = True
        self._expect_command()

    async def _answer(self, event: Command) -> None:
        if self.app.shutdown.requested:
            self.say(response.untagged("BYE", "shutting down"))
            self._over = True
            return
        request = event.request
        handler = _HANDLERS[type(request)]
        wrong = self.wrong_state(type(request))
        if wrong:
            # UNAUTHENTICATE is never answered NO (RFC 8437 §3).
            (self.bad if isinstance(request, command.Unauthenticate) else self.no)(event.tag, wrong)
            return
        selected = self.selected
        await news.take_in(self)
        # Rights may have been taken back (RFC 4314 §5.1.1); UIDs may be those of other messages now.
        if selected is not None and (selected.listener is not None or self._is_renumbered(selected)):
            news.collect(self)
        if self._over:
            return
        if self.uid_only and _uses_numbers(request):
            self.bad(event.tag, "only UIDs are used here", "UIDREQUIRED")
            return
        if selected is not None and type(request) in _LOOK_AT_SELECTED:
            await self.app.store.bring_view(*selected.ref)
            if self.uid_only:
                selected.open(self.app.store)
        await self._guarded(event.tag, request.name, handler(self, event.tag, request))
        if self.unrecorded and type(request) not in _BEFORE_WORK:
            auth.write_down(self)
        if selected is not None and selected.uid_only:
            selected.close()
        self._expect_command()

    def _is_renumbered(self, selected: Selected) -> bool:
        return self.app.store.feed.renumbered.get(selected.ref, 0) > selected.modseq

    def wrong_state(self, kind: type[command.Request]) -> str:
        """What speaks against such a command now; empty when nothing does."""
        if kind in _ANY_STATE:
            return ""
        if kind in _NOT_AUTHENTICATED:
            return "already logged in" if self.actor is not None else ""
        if self.actor is None:
            return "log in first"
        if self.app.config.snapshot() is not self.config and not self._may_stay():
            return "logins are disabled"
        return "select a mailbox first" if kind in _SELECTED and self.selected is None else ""

    def _may_stay(self) -> bool:
        """Whether the account may still be used, now that the configuration has changed."""
        self.config = self.app.config.snapshot()
        account = self.config.domains.accounts.get(self.account.name)
        if account is not None and not account.login_disabled:
            return True
        self.say(response.untagged("BYE", account.login_disabled or "" if account else "no such account", "ALERT"))
        self._over = True
        return False

    async def _guarded(self, tag: str, name: str, work: Awaitable[None]) -> None:
        """Run one command: its problems are answered, its time is taken."""
        began = time.perf_counter()
        result = "error"
        try:
            await work
            result = "ok"
        except CommandError as error:
            result = "badsyntax" if error.kind == "BAD" else "usererror"
            error.tag = error.tag or tag
            self.refuse(error)
        except Problem as problem:
            result = "usererror"
            if isinstance(problem, StoreFailed | StorageFull):
                result = "servererror"
                self.log.error("command failed", problem, cmd=name)
            else:
                self.log.debug("command refused", problem, cmd=name)
            self.say(replies.of_problem(tag, problem))
        except Closed:
            result = "ioerror"
            raise
        except Exception:
            result = "panic"
            raise
        finally:
            durations.labels(name, result).observe(time.perf_counter() - began)
        if self._unsaid is not None:
            await fetch.tell_rest(self)
            unsaid, self._unsaid = self._unsaid, None
            unsaid()

    # Saying

    def say(self, octets: bytes) -> None:
        """Queue octets."""
        self._out.append(octets)
        self._out_octets += len(octets)

    async def flush(self) -> None:
        """Send what was said."""
        if self._out:
            octets = self._out[0] if len(self._out) == 1 else b"".join(self._out)
            self._out.clear()
            self._out_octets = 0
            await self.connection.send(octets)

    async def flush_large(self) -> None:
        """Send when there is much to send: a slow client holds up its own command, not our memory."""
        if self._out_octets >= FLUSH_OCTETS:
            await self.flush()
            self.connection.expire_in(self.door.times.idle)  # Who takes what we send is not idle.

    def ok(self, tag: str, text: str = "done", code: str | None = None) -> None:
        """Tagged OK."""
        self.say(response.tagged(tag, "OK", text, code))

    def no(self, tag: str, text: str, code: str | None = None) -> None:
        """Tagged NO."""
        self.say(response.tagged(tag, "NO", text, code))

    def bad(self, tag: str, text: str, code: str | None = None) -> None:
        """Tagged BAD."""
        self.say(response.tagged(tag, "BAD", text, code))

    def done(self, tag: str, text: str = "done", code: str | None = None, *, expunges: bool = True) -> None:
        """News that may be told now, then tagged OK; without `expunges` message numbers stay."""
        news.tell(self, expunges=expunges)
        self._say_last(lambda: self._done(tag, text, code))

    def done_with_modseq(self, tag: str) -> None:
        """As `done`, with the response code HIGHESTMODSEQ for those who use it."""
        news.tell(self)
        self._say_last(lambda: self._done(tag, "done", self.highest_modseq()))

    def _say_last(self, say: Callable[[], None]) -> None:
        """Say a tagged response, after what is left of very much news."""
        if news.is_left(self):
            self._unsaid = say
        else:
            say()

    def _done(self, tag: str, text: str, code: str | None) -> None:
        selected = self.selected
        if self.qresync and selected is not None and select.is_behind(self, selected):
            # What is held back, or still on its way, must not be forgotten should the connection end (RFC 7162 §3.2).
            lower = f"HIGHESTMODSEQ {selected.told_modseq}"
            if code is None:
                code = lower
            elif code != lower:
                self.say(response.untagged("OK", "more will be told", lower))
        self.say(response.tagged(tag, "OK", text, code))

    @property
    def hears_lists(self) -> bool:
        """Whether the client knows what a LIST means that it did not ask for.

        Older ones take it for a part of the answer to their next LIST: Python's imaplib shows names twice.
        """
        return self.rev2 or self.lists_extended or self.notify is not None

    def stop_notifying(self) -> None:
        """From now on the client hears of nothing that others do, as with NOTIFY NONE."""
        self.notify = Notify()
        self.stop_watching()

    def stop_watching(self) -> None:
        """Mailboxes of other accounts are no more listened to, but for the selected one."""
        if self.watch is not None:
            self.watch.close()
            self.watch = None

    def enable_condstore(self) -> None:
        """The client uses modification sequences: from now on they are told (RFC 7162 §3.1.2)."""
        if not self.condstore:
            self.condstore = True
            if self.selected is not None:
                self.say(b"* OK [HIGHESTMODSEQ %d] enabled\r\n" % select.highest_modseq(self, self.selected))

    def highest_modseq(self) -> str | None:
        """The response code HIGHESTMODSEQ, for those who use it."""
        if not self.condstore or self.selected is None:
            return None
        return f"HIGHESTMODSEQ {select.highest_modseq(self, self.selected)}"

    def end_rudely(self) -> None:
        """As `end`, while the client is still sending: it shall hear our last words all the same."""
        self._over = self._lingers = True

    def end(self) -> None:
        """Close after what was said."""
        self._over = True

    # What is shared

    @property
    def selected(self) -> Selected | None:
        """The mailbox that is selected."""
        return self._selected

    @selected.setter
    def selected(self, selected: Selected | None) -> None:
        before, self._selected = self._selected, selected
        if before is not None and before.listener is not None:
            before.listener.close()

    @property
    def account(self) -> Actor:
        """The actor of a command that needs one."""
        assert self.actor is not None
        return self.actor

    @property
    def mailbox(self) -> Selected:
        """The selected mailbox of a command that needs one."""
        assert self.selected is not None
        return self.selected

    def name(self, name: str) -> bytes:
        """A mailbox name as this client reads it."""
        return response.mailbox(name, utf8=self.protocol.utf8)

    def capabilities(self) -> str:
        """All that can be used now."""
        found = [capability.BASE, f"APPENDLIMIT={self.door.max_message_octets}"]  # RFC 7889 §3
        if self.actor is None:
            if self.connection.tls is None and self.door.tls is not None:
                found.append("STARTTLS")
            return " ".join([*found, *auth.capabilities(self)])
        found.append(capability.UNAUTHENTICATE)
        if quota.may_set(self):
            found.append(capability.QUOTASET)
        if not self.connection.compressed:
            found.append(capability.COMPRESS)
        disabled = self.disabled_capabilities()
        return " ".join(one for one in " ".join(found).split() if one.upper() not in disabled)

    def disabled_capabilities(self) -> frozenset[str]:
        """What the account's owner switched off for a client that misuses it."""
        account = self.app.config.snapshot().domains.accounts.get(self.account.name)
        return frozenset(account.imap_capabilities_disabled) if account is not None else frozenset()


async def _capability(session: Session, tag: str, _: command.Capability) -> None:
    session.say(b"* CAPABILITY " + session.capabilities().encode() + b"\r\n")
    session.ok(tag)


async def _noop(session: Session, tag: str, _: command.Noop | command.Check) -> None:
    session.done(tag)


async def _logout(session: Session, tag: str, _: command.Logout) -> None:
    session.say(response.untagged("BYE", "goodbye"))
    session.ok(tag)
    session.end()


async def _id(session: Session, tag: str, request: command.Id) -> None:
    client = {key: value for key, value in request.parameters if value}
    session.user_agent = auth.user_agent(client)
    session.log.debug("client id", client=[f"{key}={value}"[:200] for key, value in list(client.items())[:10]])
    version = f' "version" "{VERSION}"' if session.actor is not None else ""
    session.say(f'* ID ("name" "moxpy"{version})\r\n'.encode())
    session.ok(tag)


async def _starttls(session: Session, tag: str, _: command.StartTls) -> None:
    if session.connection.tls is not None:
        session.no(tag, "TLS is active already")
        return
    if session.door.tls is None:
        session.bad(tag, "no TLS here")
        return
    session.ok(tag, "go ahead with TLS")
    pending = session.protocol.take_pending()  # Belongs to the handshake.
    await session.flush()
    await session.start_tls(pending)


async def _compress(session: Session, tag: str, _: command.Compress) -> None:
    if session.connection.compressed:
        session.no(tag, "IMAP compresses already", "COMPRESSIONACTIVE")
        return
    session.ok(tag, "compressing from here on")
    pending = session.protocol.take_pending()
    await session.flush()
    session.connection.start_compression(pending)


async def _unauthenticate(session: Session, tag: str, _: command.Unauthenticate) -> None:
    """Who logged in is forgotten; TLS stays, and so does what ID told (RFC 8437 §3)."""
    session.log.info("logged out, connection goes on")
    if session.subscription is not None:
        session.subscription.close()
    session.reset()
    session.ok(tag, "nobody is logged in")
    await session.flush()
    await session.connection.end_compression()


async def _enable(session: Session, tag: str, request: command.Enable) -> None:
    new = []
    disabled = session.disabled_capabilities()
    for name in request.capabilities:
        if name in disabled:
            continue
        if name == "IMAP4REV2" and not session.rev2:
            session.rev2 = session.protocol.utf8 = True
            new.append(name)
        elif name == "UTF8=ACCEPT" and not session.utf8_accept:
            session.utf8_accept = session.protocol.utf8 = True
            new.append(name)
        elif name in {"CONDSTORE", "QRESYNC"}:
            if not session.condstore:
                session.enable_condstore()
                new.append("CONDSTORE")
            if name == "QRESYNC" and not session.qresync:
                session.qresync = True
                new.append(name)
        elif name == "UIDONLY" and not session.uid_only:
            session.uid_only = True
            if session.selected is not None:
                session.selected.give_up_numbers()
                session.selected.close()
            new.append(name)
        elif name in {"METADATA", "METADATA-SERVER"} and name not in session.metadata:
            # The second is for the account's annotations alone, for clients that know no others.
            session.metadata.add(name)
            new.append(name)
    session.say(b"* ENABLED" + b"".join(b" " + name.encode() for name in new) + b"\r\n")
    session.done(tag)


async def _notify(session: Session, tag: str, request: command.Notify) -> None:
    if request.groups is None:
        session.stop_notifying()
        session.ok(tag)
        return
    # All that was not told so far is told first, as by NOOP (RFC 5465 §3.1).
    news.catch_up(session)
    await news.tell_many(session)
    session.stop_watching()
    session.notify = wanted = Notify(request.groups)
    if request.status:
        await wanted.say_status(session)
    if wanted.of_others:
        session.watch = Watch(session, wanted)
        await session.watch.begin(status=request.status)
    session.done(tag)


async def _login(session: Session, tag: str, request: command.Login) -> None:
    await auth.login(session, tag, request)


async def _authenticate(session: Session, tag: str, request: command.Authenticate) -> None:
    session.connection.phase = Phase.AUTH
    try:
        await auth.authenticate(session, tag, request)
    finally:
        session.connection.phase = Phase.PLAIN


def _uses_numbers(request: command.Request) -> bool:
    """Whether a command names messages by their numbers (RFC 9586 §3.1)."""
    if getattr(request, "uid", True) is False:
        return True
    return isinstance(request, command.Search | command.MultiSearch | command.Sort | command.Thread) and any(
        isinstance(one, command.Numbers) and not one.numbers.saved for one in command.walk(request.key)
    )


_ANY_STATE: Final = frozenset({command.Capability, command.Noop, command.Logout, command.Id})
#: What clients say between login and their first work; among it what they are.
_BEFORE_WORK: Final = frozenset(
    {
        *(command.Capability, command.Noop, command.StartTls, command.Login, command.Authenticate, command.Enable),
        *(command.Namespace, command.ListMailboxes, command.Lsub),
    }
)
_NOT_AUTHENTICATED: Final = frozenset({command.StartTls, command.Authenticate, command.Login})
_SELECTED: Final = frozenset(
    {
        *(command.Check, command.Close, command.Unselect, command.Expunge, command.Search),
        *(command.Sort, command.Thread),
        *(command.Fetch, command.Store, command.Copy, command.Move, command.Replace),
    }
)
_LOOK_AT_SELECTED: Final = _SELECTED | {command.MultiSearch}

_HANDLERS: Final[dict[type[command.Request], Callable[[Session, str, Any], Awaitable[None]]]] = {
    command.Capability: _capability,
    command.Noop: _noop,
    command.Check: _noop,
    command.Logout: _logout,
    command.Id: _id,
    command.StartTls: _starttls,
    command.Login: _login,
    command.Authenticate: _authenticate,
    command.Unauthenticate: _unauthenticate,
    command.Compress: _compress,
    command.Enable: _enable,
    command.Select: select.select,
    command.Close: select.close,
    command.Unselect: select.unselect,
    command.Create: mailbox.create,
    command.Delete: mailbox.delete,
    command.Rename: mailbox.rename,
    command.Subscribe: mailbox.subscribe,
    command.Unsubscribe: mailbox.unsubscribe,
    command.Status: mailbox.status,
    command.ListMailboxes: listing.list_mailboxes,
    command.Lsub: listing.lsub,
    command.Namespace: listing.namespace,
    command.GetMetadata: metadata.get,
    command.SetMetadata: metadata.put,
    command.GetQuota: quota.get,
    command.GetQuotaRoot: quota.get_root,
    command.SetQuota: quota.put,
    command.GetAcl: acl.getacl,
    command.SetAcl: acl.setacl,
    command.DeleteAcl: acl.deleteacl,
    command.ListRights: acl.listrights,
    command.MyRights: acl.myrights,
    command.Append: append.finish,
    command.Idle: idle.idle,
    command.Notify: _notify,
    command.Expunge: flags.expunge,
    command.Store: flags.store,
    command.Search: search.search,
    command.MultiSearch: multisearch.esearch,
    command.Sort: sort.sort,
    command.Thread: thread.thread,
    command.Fetch: fetch.fetch,
    command.Copy: copying.copy,
    command.Move: copying.move,
}
