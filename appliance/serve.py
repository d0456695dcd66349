"""Puts the house together from a configuration and runs it: the top nursery, start and stop (ARCHITECTURE.md)."""

import fcntl
import gc
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import trio

from appliance import __version__
from appliance.base import ids, limits
from appliance.base.clock import Clock, SystemClock
from appliance.base.log import Log
from appliance.config.source import Config, ConfigSource
from appliance.config.static import DEFAULT_IMAP_MESSAGE_SIZE
from appliance.delivery import rejects
from appliance.delivery.appliance import Appliance, Policy, WorldPolicy, ZoneTexts, network_texts
from appliance.delivery.refusals import Refusals
from appliance.dns.resolver import Resolver
from appliance.msgauth import publicsuffix
from appliance.msgauth.dnsbl import Health
from appliance.net import inherit, listen, privileges, supervise
from appliance.net.connection import Choose, Connection, ConnectionLimits, parse_address
from appliance.net.dial import Dialer, dial
from appliance.net.limiter import Limiter, Ration, Window
from appliance.net.shutdown import Shutdown
from appliance.operations import accounts, backup, gauges, holding, login, push, queue
from appliance.operations.attempts import Book
from appliance.operations.passwords import Checker
from appliance.protocol.smtp.settings import Kind, Settings
from appliance.queue.schedule import Schedule
from appliance.reports import retention
from appliance.servers.control import control
from appliance.servers.control.request import Request
from appliance.servers.control.table import Handler, Talk
from appliance.servers.imap import handover as imaphandover, session as imap
from appliance.servers.smtp import handover as smtphandover, replies, session as smtp
from appliance.servers.web import dispatch, door as web
from appliance.servers.web.app import Contents, PortApplication
from appliance.servers.web.httplimits import HTTPLimits
from appliance.servers.web.wellknown import acme as wellknown
from appliance.store.defaults import STORE
from appliance.store.environment import SWITCH_INTERVAL_SECONDS
from appliance.store.store import Store
from appliance.tls import roots
from appliance.tls.certificates import CertificateFiles
from appliance.tls.context import Demands
from appliance.tls.contexts import SocketContexts, by_name
from appliance.tls.verify import Roots

if TYPE_CHECKING:
    from appliance.queue.parcel import World
    from appliance.tls.acme import authorities as acme

log = Log("serve")

#: Time for connections to end by themselves.
GRACE_SECONDS: Final = 3.0
#: So many files a busy server needs.
FILES: Final = 4096
CONFIG_POLL_SECONDS: Final = 1.0
CERTIFICATES_POLL_SECONDS: Final = 15 * 60

CONNECTION: Final = ConnectionLimits(
    write_seconds=30,
    handshake_seconds=60,
    slow_seconds=1,
    slow_margin_seconds=5,
    read_octets=256 * limits.KIB,
    linger_octets=256 * limits.MIB,
    linger_seconds=10,
    proxy_seconds=5,
    refusal_seconds=5,
)
SMTP_SESSION: Final = smtp.SessionLimits(
    idle_seconds=300,
    login_seconds=30,
    read_seconds=30,
    data_seconds=30 * 60,
    unknown_seconds=5,
    bad_transactions=10,
)
HTTP: Final = HTTPLimits(
    head_octets=limits.HTTP_HEAD_OCTETS,
    body_octets=limits.HTTP_BODY_OCTETS,
    ahead_octets=limits.HTTP_AHEAD_OCTETS,
    websocket_octets=limits.HTTP_WEBSOCKET_OCTETS,
    streams=limits.HTTP_STREAMS,
    resets=limits.HTTP_RESETS,
    head_seconds=30,
    idle_seconds=65,
    body_seconds=60,
    take_seconds=60,
    after_end_seconds=1,
    ping_seconds=30,
    bye_seconds=1,
)


def network_resolver(_: ConfigSource) -> Resolver:
    """Asks the name servers of this machine; dnspython is loaded only by a house that has this part."""
    from appliance.dns.network import Network

    network = Network(SystemClock())
    return Resolver(network, kept=network.kept)


def usual_world(app: Appliance) -> "World":
    """Mail goes to whoever takes it, with the TLS that is asked of us; loaded when the house stands."""
    from appliance.queue import policies
    from appliance.queue.parcel import World

    return World(policies=policies.of_world(app))


#: Keepers that send reports to others, by name.
Reporters = Sequence[tuple[str, Callable[[Appliance], Awaitable[None]]]]


def usual_reporters() -> Reporters:
    """Reports about DMARC and about TLS; loaded when the house stands."""
    from appliance.reports import dmarc, tlsrpt

    return (("dmarcreports", dmarc.run), ("tlsreports", tlsrpt.run))


def usual_contents(app: Appliance) -> Contents:
    """The applications, and nothing that tells what runs here; loaded when the house stands."""
    from appliance.servers.web.applications import contents

    return contents(app)


def usual_authorities(source: ConfigSource, resolver: Resolver, believed: Roots, clock: Clock) -> "acme.Authorities":
    """Those of the configuration; loaded only where one is named. Raises OSError, ValueError."""
    from appliance.tls.acme import authorities, provider

    return authorities.of_config(source, resolver, believed, clock, ids.SystemRandom(), provider.Pace())


@dataclass(frozen=True)
class Parts:
    """What a house is built of beside its configuration; localserve and tests bring their own."""

    policy: Policy = field(default_factory=WorldPolicy)
    resolver: Callable[[ConfigSource], Resolver] = network_resolver
    #: How mail leaves, and who knows what others demand of it.
    world: "Callable[[Appliance], World]" = usual_world
    connection: ConnectionLimits = CONNECTION
    smtp_session: smtp.SessionLimits = SMTP_SESSION
    #: Windows of the limiters: seconds and limits of three classes of networks.
    new_connections: Sequence[tuple[int, tuple[int, int, int]]] = limits.NEW_CONNECTIONS
    open_connections: Sequence[tuple[int, tuple[int, int, int]]] = limits.OPEN_CONNECTIONS
    login_failures: Sequence[tuple[int, tuple[int, int, int]]] = limits.LOGIN_FAILURES
    reporters: Callable[[], Reporters] = usual_reporters
    #: Keeper tasks of this house alone.
    keepers: Callable[[], Reporters] = tuple
    #: None: no certificates are asked for, whatever the configuration says.
    authorities: "Callable[[ConfigSource, Resolver, Roots, Clock], acme.Authorities] | None" = usual_authorities
    http: HTTPLimits = HTTP
    http_requests: Sequence[tuple[int, tuple[int, int, int]]] = limits.HTTP_REQUESTS
    #: Connects to other hosts, for checks of ourselves.
    dialer: Dialer = dial
    #: What each name server of a zone says.
    zone_texts: ZoneTexts = network_texts
    #: What web clients find, beside the documents at fixed places.
    contents: Callable[[Appliance], Contents] = usual_contents


def _limiter(windows: Sequence[tuple[int, tuple[int, int, int]]]) -> Limiter:
    return Limiter([Window(seconds, counts) for seconds, counts in windows])


class AlreadyRunning(Exception):
    """Another server has the data directory."""


def lock_data(folder: Path) -> IO[str]:
    """Hold the data directory against a second server. Raises AlreadyRunning."""
    folder.mkdir(mode=0o750, parents=True, exist_ok=True)
    file = (folder / "lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise AlreadyRunning(f"another moxpy uses {folder}; stop it with: moxpy stop") from error
    return file


#: What serves a connection, and the contexts of a service that begins with TLS.
_Handled = tuple[Callable[[Connection], object], Choose | None]


@dataclass(frozen=True)
class _Service:
    """One protocol on one port of one listener."""

    name: str
    listener: str
    address: str
    port: int
    handler: Callable[[Connection], "object"]
    #: What is said to those who are turned away, and the contexts when that must be said in TLS.
    refusal: Callable[[str, int], bytes]
    tls: Choose | None
    proxies: Sequence[listen.Network]


def assemble(source: ConfigSource, parts: Parts, shutdown: Shutdown) -> Appliance:
    """Build the parts of the house. Opens the store: raises StoreFailed, NewerSchema."""
    config = source.snapshot()
    folder = config.data_directory
    clock = SystemClock()
    store = Store(folder, clock=clock, limits=STORE)
    store.sweep()
    for name in accounts.create_missing(store, config):
        log.info("account created", account=name)
    resolver = parts.resolver(source)
    believed = roots.configured(config.static.tls.ca, config.directory)
    if believed.store is None:
        log.error("no certificate authorities: no other server can be verified")
    return Appliance(
        store=store,
        config=source,
        clock=clock,
        random=ids.SystemRandom(),
        received_ids=ids.ReceivedIDs(ids.load_key(folder / "receivedid.key", ids.SystemRandom())),
        shutdown=shutdown,
        login_failures=_limiter(parts.login_failures),
        connections=_limiter(parts.new_connections),
        passwords=Checker(clock),
        resolver=resolver,
        new_resolver=partial(parts.resolver, source),
        dialer=parts.dialer,
        zone_texts=parts.zone_texts,
        blocklists=Health(clock),
        policy=parts.policy,
        roots=believed,
        authorities=parts.authorities(source, resolver, believed, clock)
        if parts.authorities and config.static.acme
        else None,
        logins=Book(store, clock),
        refusals=Refusals(store, clock),
        started=clock.microseconds(),
        stop=shutdown.request,
    )


def _services(app: Appliance, config: Config, parts: Parts) -> list[_Service]:
    """Everything the listeners serve."""
    found = []
    doors = {name: _Doors(app, config, parts, name) for name in config.static.listeners}
    for name, listener in config.static.listeners.items():
        proxies = [one.network for one in listener.proxy_protocol_from]
        for address in listener.ips:
            # For each address anew, because every socket has session ticket keys of its own.
            for kind, enabled, port, handler, tls in doors[name].mail_services():
                if enabled:
                    refusal = partial(REFUSALS[kind], app)
                    found.append(_Service(kind, name, str(address), int(port), handler, refusal, tls, proxies))
    found += _web_services(app, config, parts, doors)
    return found + _validation_services(config, doors, {(one.address, one.port): one for one in found})


class _Doors:
    """The doors of one listener."""

    def __init__(self, app: Appliance, config: Config, parts: Parts, name: str) -> None:
        self._app, self._config, self._parts = app, config, parts
        self._listener = listener = config.static.listeners[name]
        self._hostname = (listener.hostname or config.static.hostname).domain.ascii
        self._certificates: CertificateFiles | None = None
        if listener.tls is not None and listener.tls.key_certs:
            files = [
                (config.directory / pair.cert_file, config.directory / pair.key_file) for pair in listener.tls.key_certs
            ]
            self._certificates = app.certificates.add(files)

    def tls(
        self,
        *,
        tickets: bool,
        client: bool,
        protocols: tuple[bytes, ...] = (),
        delivery: bool = False,
        web: bool = False,
    ) -> Choose | None:
        """What chooses contexts for one socket; None where there are no certificates.

        `delivery`: mail of other servers comes there; `web`: browsers come there, and authorities to see us.
        """
        tls = self._listener.tls
        if tls is None:
            return None
        demands = Demands(
            min_version=tls.min_version,
            client_certificate=client and not tls.client_auth_disabled,
            tickets=tickets,
            protocols=protocols,
        )
        contexts = SocketContexts(demands, self._app.clock)
        if self._certificates is not None:
            return by_name(self._certificates.pair, contexts)
        if self._app.authorities is None:
            return None
        return self._app.authorities.choosing(tls.acme, contexts, hostname=self._hostname, delivery=delivery, web=web)

    def smtp(self, kind: Kind, *, immediate: bool, plain: bool) -> smtp.Door:
        """A door for SMTP or LMTP."""
        listener = self._listener
        delivery = kind is Kind.DELIVERY
        # No tickets on port 25 unless the configuration asks for them: a large sender does not get on with them.
        tickets = not delivery or listener.smtp.tls_session_tickets_disabled is False
        # LMTP stays within the machine or its network.
        contexts = None if kind is Kind.LMTP else self.tls(tickets=tickets, client=not delivery, delivery=delivery)
        return smtp.Door(
            protocol=Settings(
                kind=kind,
                hostname=self._hostname,
                max_message_octets=int(listener.smtp_max_message_size),
                starttls=contexts is not None and not immediate and not (delivery and listener.smtp.no_starttls),
                requiretls=not (delivery and listener.smtp.no_requiretls),
                future_release=kind is Kind.SUBMISSION,
                pedantic=self._config.static.pedantic,
                limits=limits.SMTP,
            ),
            limits=self._parts.smtp_session,
            tls=contexts,
            immediate_tls=immediate,
            plain_login=plain,
            require_starttls=delivery and listener.smtp.require_starttls,
            blocklists=tuple(one.domain for one in listener.smtp.dnsbls) if delivery else (),
            first_time_delay_seconds=listener.smtp.first_time_sender_delay.seconds if delivery else 0,
        )

    def imap(self, *, immediate: bool, plain: bool) -> imap.Door:
        """A door for IMAP."""
        return imap.Door(
            hostname=self._hostname,
            limits=limits.IMAP,
            times=imap.TIMES,
            tls=self.tls(tickets=True, client=True),
            immediate_tls=immediate,
            plain_login=plain,
            service="imaps" if immediate else "imap",
            max_message_octets=int(self._listener.imap_max_message_size),
        )

    def mail_services(self) -> list[tuple[str, bool, int, Callable[[Connection], object], Choose | None]]:
        """Kind, whether it is wanted, port, handler and, if it begins with TLS, the contexts of each mail service."""
        app, one = self._app, self._listener

        def smtp_service(kind: Kind, *, immediate: bool = False, plain: bool = False) -> _Handled:
            door = self.smtp(kind, immediate=immediate, plain=plain)
            return lambda connection: smtp.Session(app, door, connection).run(), door.tls if immediate else None

        def imap_service(*, immediate: bool = False, plain: bool = False) -> _Handled:
            door = self.imap(immediate=immediate, plain=plain)
            return lambda connection: imap.Session(app, door, connection).run(), door.tls if immediate else None

        delivery, submission = Kind.DELIVERY, Kind.SUBMISSION
        plain_submission, plain_imap = one.submission.no_require_starttls, one.imap.no_require_starttls
        submit = one.submission, one.submissions
        return [
            ("smtp", one.smtp.enabled, one.smtp.port, *smtp_service(delivery)),
            ("submission", submit[0].enabled, submit[0].port, *smtp_service(submission, plain=plain_submission)),
            ("submissions", submit[1].enabled, submit[1].port, *smtp_service(submission, immediate=True)),
            ("lmtp", one.lmtp.enabled, one.lmtp.port, *smtp_service(Kind.LMTP)),
            ("imap", one.imap.enabled, one.imap.port, *imap_service(plain=plain_imap)),
            ("imaps", one.imaps.enabled, one.imaps.port, *imap_service(immediate=True)),
        ]

    def others_on_https(self) -> dict[str, Callable[[Connection], Awaitable[None]]]:
        """Who serves mail programs that come to an HTTPS port, by the name they ask for in TLS."""
        found: dict[str, Callable[[Connection], Awaitable[None]]] = {}
        if self._listener.imaps.enabled_on_https:
            found["imap"] = partial(imaphandover.serve_after_tls, self._app, self.imap(immediate=True, plain=False))
        if self._listener.submissions.enabled_on_https:
            door = self.smtp(Kind.SUBMISSION, immediate=True, plain=False)
            found["smtp"] = partial(smtphandover.serve_after_tls, self._app, door)
        return found


def _web_services(app: Appliance, config: Config, parts: Parts, doors: Mapping[str, _Doors]) -> list[_Service]:
    """Web services; those of one port share it, whatever listener they belong to."""
    found = []
    loader = web.Loader()
    limiter = _limiter(parts.http_requests)
    contents = parts.contents(app)
    for port in dispatch.ports(config.static):
        name = port.listeners[0]
        others: dict[str, Callable[[Connection], Awaitable[None]]] = {}
        contexts = None
        if port.tls:
            others = doors[name].others_on_https()
            protocols = (*web.PROTOCOLS, *(one.encode() for one in others))
            contexts = doors[name].tls(tickets=True, client=False, protocols=protocols, web=True)
            if contexts is None:
                log.warn("no certificates, not listening", listener=name, port=port.number)
                continue
        servers = [config.static.listeners[one] for one in port.listeners]
        unlimited = any(
            one.enabled and one.port == port.number and one.rate_limit_disabled
            for server in servers
            for one in (server.webserver_http, server.webserver_https)
        )
        application = PortApplication(app, port, contents, None if unlimited else limiter)
        door = web.Door(application, parts.http, loader, contexts, others)
        kind = "https" if port.tls else "http"
        handler = partial(web.serve, app, door)
        found.append(_Service(kind, name, port.address, port.number, handler, web.refusal, contexts, ()))
    return found


def _validation_services(
    config: Config, doors: Mapping[str, _Doors], taken: Mapping[tuple[str, int], _Service]
) -> list[_Service]:
    """Where authorities come to see us by TLS, when nothing else of the listener's is in TLS there."""
    found: dict[tuple[str, int], _Service] = {}
    for name, listener in config.static.listeners.items():
        provider = config.static.acme.get(listener.tls.acme) if listener.tls is not None else None
        if provider is None:
            continue
        port = int(provider.port)
        contexts = doors[name].tls(tickets=False, client=False, web=True)
        for address in map(str, listener.ips):
            other = taken.get((address, port))
            if other is not None and other.tls is None:
                log.warn("no validation by TLS: the port has another use", port=port, used_for=other.name)
            if other is not None or (address, port) in found or contexts is None:
                continue
            handler = partial(wellknown.serve, contexts)
            found[address, port] = _Service("acme", name, address, port, handler, web.refusal, contexts, ())
    return list(found.values())


def _imapserve(app: Appliance, config: Config, cids: ids.Cids) -> Handler:
    """The command of the control socket that makes an IMAP session of it."""
    door = imap.Door(
        hostname=config.static.hostname.domain.ascii,
        limits=limits.IMAP,
        times=imap.TIMES,
        tls=None,
        immediate_tls=False,
        plain_login=True,
        service="imap",
        max_message_octets=int(DEFAULT_IMAP_MESSAGE_SIZE),
    )

    async def handle(_: Appliance, request: Request) -> Talk:
        actor = login.without_secret(app, request.text("address"))
        return Talk(partial(imaphandover.serve_here, app, door, CONNECTION, cids.next(), actor))

    return handle


def _smtp_refusal(app: Appliance, why: str, cid: int) -> bytes:
    return (replies.SHUTDOWN if why == "shutdown" else replies.RATE).encode(app.received_ids.encode(cid))


def _imap_refusal(_: Appliance, why: str, cid: int) -> bytes:
    return b"* BYE shutting down\r\n" if why == "shutdown" else b"* BYE too many connections, try again later\r\n"


#: What is said to those who are turned away, by service.
REFUSALS: Final[dict[str, Callable[[Appliance, str, int], bytes]]] = {
    "smtp": _smtp_refusal,
    "submission": _smtp_refusal,
    "submissions": _smtp_refusal,
    "lmtp": _smtp_refusal,
    "imap": _imap_refusal,
    "imaps": _imap_refusal,
}


def bind_all(services: Sequence[_Service]) -> list[tuple[_Service, socket.socket]]:
    """Bind every port. Raises OSError naming the first that is taken; then none is bound."""
    bound: list[tuple[_Service, socket.socket]] = []
    inherited = inherit.sockets()
    try:
        for service in services:
            sock = inherited.pop((service.address, service.port), None)
            bound.append((service, sock or listen.bind(parse_address(service.address), service.port)))
    except OSError:
        for _, sock in bound:
            sock.close()
        raise
    return bound


#: The garbage collector looks at new objects when there are so many, then at older ones after so many such looks, and
#: at all after so many of these; nobody is answered meanwhile. An ended session is a cycle of some fifty objects.
COLLECT_AFTER: Final = (2_000, 10, 10)


async def serve(source: ConfigSource, parts: Parts, *, ready: Callable[[Appliance], None] | None = None) -> None:
    """Run the house until it is asked to stop. `ready` is called once everything listens.

    Raises OSError for a port that is taken, AlreadyRunning, StoreFailed.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
    gc.set_threshold(*COLLECT_AFTER)
    listen.raise_file_limit(log.logger, FILES)
    config = source.snapshot()
    shutdown = Shutdown()
    user = config.derived.user
    config.data_directory.mkdir(mode=0o750, parents=True, exist_ok=True)
    if privileges.is_root() and user.uid and not config.static.no_fix_permissions:
        privileges.repair((config.directory, config.data_directory), user.uid, user.gid)
    lock = lock_data(config.data_directory)
    with lock:
        app = assemble(source, parts, shutdown)
        try:
            await _run(app, config, parts, ready)
        finally:
            app.store.close()


def _give_up_root(config: Config) -> None:
    """Once the ports are bound, nothing needs root any more."""
    user = config.derived.user
    if not privileges.is_root() or not user.uid:
        return
    made = [config.data_directory / name for name in ("lock", "receivedid.key", "store", "spool", "acme")]
    privileges.give(made, user.uid, user.gid)
    privileges.drop(user.uid, user.gid)


async def _run(app: Appliance, config: Config, parts: Parts, ready: Callable[[Appliance], None] | None) -> None:
    bound = bind_all(_services(app, config, parts))
    backup.show_last(app)
    _give_up_root(config)
    gate = listen.Gate(
        rate=app.connections,
        open=_limiter(parts.open_connections),
        most=limits.LISTENER_CONNECTIONS,
        handshakes=Ration(limits.REFUSED_HANDSHAKES),
    )
    cids = ids.Cids(app.clock)
    path = config.data_directory / "ctl"
    async with trio.open_nursery() as keepers:
        keepers.start_soon(_watch_signals, app, keepers)
        keepers.start_soon(supervise.keep, "dns", app.resolver.watch)
        keepers.start_soon(supervise.keep, "certificates", partial(_watch_certificates, app))
        keepers.start_soon(supervise.keep, "erase", app.store.erase_forever)
        keepers.start_soon(supervise.keep, "index", app.store.indexer.keep)
        keepers.start_soon(supervise.keep, "junk", partial(app.learner.keep, app.store, app.config))
        keepers.start_soon(supervise.keep, "dnsbl", partial(app.own_listings.keep, app.resolver, app.config))
        keepers.start_soon(supervise.keep, "logins", app.logins.keep)
        keepers.start_soon(supervise.keep, "refusals", app.refusals.keep)
        keepers.start_soon(supervise.keep, "rejects", partial(rejects.keep, app.store, app.config, app.clock))
        keepers.start_soon(supervise.keep, "reports", partial(retention.keep, app.store, app.clock))
        keepers.start_soon(supervise.keep, "gauges", partial(gauges.keep, app))
        keepers.start_soon(supervise.keep, "config", partial(_watch_config, app))
        if app.authorities is not None:
            keepers.start_soon(supervise.keep, "autotls", app.authorities.keep)
        keepers.start_soon(supervise.keep, "background", app.background.keep)
        keepers.start_soon(supervise.keep, "push", partial(push.run, app))
        keepers.start_soon(supervise.keep, "removals", partial(accounts.remove_forever, app))
        keepers.start_soon(_watch_store, app.store)
        async with trio.open_nursery() as doors:
            for service, sock in bound:
                door = listen.Door(
                    protocol=service.name,
                    listener=service.listener,
                    handler=service.handler,  # type: ignore[arg-type]
                    refusal=service.refusal,
                    gate=gate,
                    limits=parts.connection,
                    clock=app.clock,
                    cids=cids,
                    shutdown=app.shutdown,
                    tls=service.tls,
                    proxies=service.proxies,
                )
                await doors.start(partial(listen.serve, door, [sock]))
            # After the ports: a second start that fails at them leaves the first one's socket alone.
            await doors.start(partial(control.serve, app, path, {"imapserve": _imapserve(app, config, cids)}))
            gc.freeze()  # What is there now stays for good, and need not be looked at over and over.
            log.info("ready", version=__version__, pid=os.getpid())
            inherit.notify("READY=1")
            if ready is not None:
                ready(app)
            keepers.start_soon(supervise.keep, "outward", partial(_look_outward, app, config, parts, keepers))
            await app.shutdown.wait()
            inherit.notify("STOPPING=1")
            if app.authorities is not None:
                app.authorities.close()
            log.info("shutting down")
            with trio.move_on_after(GRACE_SECONDS):
                await _all_closed()
            # Only goodbyes and commits are shielded, and both are short (ARCHITECTURE.md).
            doors.cancel_scope.cancel()
        keepers.cancel_scope.cancel()
    path.unlink(missing_ok=True)
    log.info("stopped")


async def _all_closed() -> None:
    """Wait until no connection is open, and nothing is being delivered: a word on a message may be on its way."""
    from appliance.queue import hooks, runner

    work = runner.delivering.labels(), hooks.posting.labels()
    while any(one.value for one in (*listen.open_connections.series.values(), *work)):
        await trio.sleep(0.02)


async def _watch_signals(app: Appliance, keepers: trio.Nursery) -> None:
    shutdown = app.shutdown
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
        async for number in signals:
            if number == signal.SIGHUP:
                keepers.start_soon(_reload_certificates, app)
                continue
            if shutdown.requested:
                os._exit(128 + number)  # The second one does not wait for anybody.
            log.info("signal", signal=signal.Signals(number).name)
            shutdown.exit_code = int(number)
            shutdown.request()


async def _reload_certificates(app: Appliance) -> None:
    await trio.to_thread.run_sync(app.certificates.reload, app.clock.now())


async def _look_outward(app: Appliance, config: Config, parts: Parts, keepers: trio.Nursery) -> None:
    """Start what sends. It is much to load, so the doors are opened first; as is what the first delivery needs."""

    def load() -> "tuple[Callable[..., Awaitable[None]], Callable[..., Awaitable[None]], World, Reporters]":
        from appliance.queue import hooks, runner

        publicsuffix.load()
        return runner.run, hooks.run, parts.world(app), (*parts.reporters(), *parts.keepers())

    run, post, world, reporters = await trio.to_thread.run_sync(load)
    attempts = config.static.queue
    schedule = Schedule(first_pause_seconds=attempts.first_retry.seconds, attempts=attempts.max_attempts)

    async def deliver() -> None:
        await holding.resume(app)
        await run(app, queue.locate, world, schedule)

    keepers.start_soon(supervise.keep, "queue", deliver)
    keepers.start_soon(supervise.keep, "webhook", partial(post, app))
    keepers.start_soon(supervise.keep, "mtasts", world.policies.keep)
    keepers.start_soon(supervise.keep, "rotation", partial(_replace_keys, app))
    if config.static.check_updates:
        keepers.start_soon(supervise.keep, "updates", partial(_look_for_updates, app))
    for name, reporter in reporters:
        keepers.start_soon(supervise.keep, name, partial(reporter, app))


async def _replace_keys(app: Appliance) -> None:
    from appliance.operations import dkimrotation

    await dkimrotation.keep(app)


async def _look_for_updates(app: Appliance) -> None:
    def load() -> Awaitable[None]:
        from appliance.operations import hostfacts, updates

        return updates.keep(app, hostfacts.web_client(app.resolver, app.roots, app.clock, "updates"))

    await (await trio.to_thread.run_sync(load))


async def _watch_certificates(app: Appliance) -> None:
    """Whoever renews certificates need not tell us."""
    while True:
        await trio.sleep(CERTIFICATES_POLL_SECONDS)
        await trio.to_thread.run_sync(partial(app.certificates.reload, app.clock.now(), only_changed=True))


async def _watch_config(app: Appliance) -> None:
    while True:
        await trio.sleep(CONFIG_POLL_SECONDS)
        if await trio.to_thread.run_sync(app.config.poll):
            await accounts.follow(app)


async def _watch_store(store: Store) -> None:
    """A store that failed under a commit ends the house: nothing can be promised any more (ARCHITECTURE.md)."""
    while store.broken is None:
        await trio.sleep(1)
    log.error("the store failed, stopping", store.broken)
    os._exit(1)
