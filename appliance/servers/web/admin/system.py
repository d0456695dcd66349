"""The server itself: how it is, its configuration, logs, certificates and what looks things up."""

from datetime import datetime
from typing import Annotated, Final, Literal

import trio

from appliance.base import log as logs
from appliance.base.problem import Kind, Problem
from appliance.config.domains import Domains, Route
from appliance.config.schema import doc
from appliance.config.static import Transport
from appliance.config.values import DomainName
from appliance.dns.problems import LookupProblem, NotFound
from appliance.msgauth.results import AuthStatus
from appliance.net.connection import parse_address
from appliance.operations import accountlimits, attention, certificates, health, monitoring, websessions
from appliance.servers.web.api import Call, Wire
from appliance.store.tables import Table


class NotUnderstood(Problem):
    """Something that cannot be looked up, or is not there."""

    kind = Kind.INVALID


class Attention(Wire):
    """Something an operator should look at."""

    severity: Literal["error", "warning", "info"]
    title: str
    text: Annotated[str, doc("What is so, and what to do about it.")]
    place: Annotated[str, doc("A path in these pages, as domains/example.org; empty: nowhere.")]


class Status(Wire):
    """How the server is."""

    hostname: str
    started: datetime
    queue_size: int
    queue_held: int
    hook_queue_size: int
    disk_used: int
    disk_free: int
    attention: list[Attention]


async def status(call: Call) -> Status:
    """How the server is, and what needs attention."""
    app = call.app
    state = await health.health(app)
    with app.store.read() as tx:
        hooks = tx.entries(Table.HOOK)
    return Status(
        hostname=str(app.config.snapshot().static.hostname),
        started=websessions.time(app.started),
        queue_size=state.queue_messages,
        queue_held=state.queue_on_hold,
        hook_queue_size=hooks,
        disk_used=state.disk_octets - state.disk_free_octets,
        disk_free=state.disk_free_octets,
        attention=[
            Attention(severity=one.severity, title=one.title, text=one.text, place=one.place)
            for one in attention.found(app, state)
        ],
    )


async def check_updates_enabled(call: Call) -> bool:
    """Whether newer versions are looked for: the configuration wants it and names where they are announced."""
    static = call.app.config.snapshot().static
    return static.check_updates and static.update_feed is not None


# Looking things up.


async def lookup_ip(call: Call, ip: str) -> list[str]:
    """The names of an address; none where it has none."""
    try:
        address = parse_address(ip)
    except ValueError as error:
        raise NotUnderstood(f"{ip} is no IP address") from error
    try:
        return list((await call.app.resolver.ptr(address)).records)
    except NotFound:
        return []
    except LookupProblem as problem:
        raise NotUnderstood(f"the names of {ip} cannot be looked up: {problem}") from problem


async def lookup_cid(call: Call, recv_id: str) -> str:
    """The connection id in logs for an id that stands in Received fields and replies."""
    try:
        return f"{call.app.received_ids.decode(recv_id.strip()):x}"
    except ValueError as error:
        raise NotUnderstood(f"{recv_id!r} is no id of this server") from error


class DNSBLResult(Wire):
    """What a list says of one of our addresses."""

    ip: str
    zone: str
    monitored: Annotated[bool, doc("Only watched; incoming mail is not judged by it.")]
    status: Literal["pass", "fail", "error"]
    explanation: str


class DNSBLStatus(Wire):
    """Our addresses in block lists."""

    results: list[DNSBLResult]
    monitor_zones: Annotated[list[str], doc("Only watched.")]
    using_zones: Annotated[list[str], doc("Incoming mail is judged by them, and they are watched.")]


_STATUS: Final[dict[AuthStatus, Literal["pass", "fail"]]] = {AuthStatus.PASS: "pass", AuthStatus.FAIL: "fail"}


async def dnsbl_status(call: Call) -> DNSBLStatus:
    """What block lists said last of our addresses."""
    config = call.app.config.snapshot()
    using = dict.fromkeys(
        str(one)
        for listener in config.static.listeners.values()
        if listener.smtp.enabled
        for one in listener.smtp.dnsbls
    )
    return DNSBLStatus(
        results=[
            DNSBLResult(
                ip=str(ip),
                zone=str(zone),
                monitored=str(zone) not in using,
                status=_STATUS.get(listing.status, "error"),
                explanation=listing.explanation or listing.text,
            )
            for (zone, ip), listing in call.app.own_listings.found.items()
        ],
        monitor_zones=[str(one) for one in config.domains.monitor_dnsbls],
        using_zones=list(using),
    )


async def monitor_dnsbls_save(call: Call, zones: list[DomainName]) -> None:
    """Set the lists that are only watched."""
    await monitoring.set_zones(call.app, zones)


# Configuration.


class ConfigFiles(Wire):
    """Both files as they are on the disk, secrets left out."""

    static_path: str
    dynamic_path: str
    static: str
    dynamic: str


async def config_files(call: Call) -> ConfigFiles:
    """The text of the configuration."""
    config = call.app.config.snapshot()
    static, dynamic = await trio.to_thread.run_sync(monitoring.shown_files, config)
    return ConfigFiles(
        static_path=str(config.static_file), dynamic_path=str(config.domains_file), static=static, dynamic=dynamic
    )


async def config(call: Call) -> Domains:
    """What counts now of domains.toml, secrets left out."""
    return await trio.to_thread.run_sync(monitoring.shown_domains, call.app.config.snapshot().domains)


async def routes(call: Call) -> list[Route]:
    """The routes for mail whose account and domain say nothing."""
    return list(call.app.config.snapshot().domains.routes)


async def routes_save(call: Call, routes: list[Route]) -> None:
    """Set the routes for mail whose account and domain say nothing."""
    await accountlimits.set_global_routes(call.app, routes)


class TransportInfo(Wire):
    """A way for mail to leave."""

    name: str
    kind: str
    host: str
    port: int
    about: str


async def transports(call: Call) -> list[TransportInfo]:
    """The transports of moxpy.toml."""
    return [_transport(name, one) for name, one in call.app.config.snapshot().static.transports.items()]


def _transport(name: str, one: Transport) -> TransportInfo:
    for kind, smarthost in (("submissions", one.submissions), ("submission", one.submission), ("smtp", one.smtp)):
        if smarthost is not None:
            login = f"logs in as {smarthost.auth.username}" if smarthost.auth else "without login"
            return TransportInfo(name=name, kind=kind, host=str(smarthost.host), port=int(smarthost.port), about=login)
    if one.socks is not None:
        ips = ", ".join(map(str, one.socks.remote_ips))
        about = f"seen as {one.socks.remote_hostname} at {ips}"
        return TransportInfo(name=name, kind="socks", host=str(one.socks.address), port=0, about=about)
    if one.fail is not None:
        return TransportInfo(
            name=name, kind="fail", host="", port=0, about=f"{one.fail.smtp_code} {one.fail.smtp_message}"
        )
    families = []
    if one.direct is not None:
        families += ["not by IPv4"] * one.direct.disable_ipv4 + ["not by IPv6"] * one.direct.disable_ipv6
    return TransportInfo(name=name, kind="direct", host="", port=0, about=", ".join(families))


# Logs.


class LogLevel(Wire):
    """The level of a package; that of the package `` counts for all others."""

    package: str
    level: str
    configured: Annotated[bool, doc("It is as the configuration says.")]


async def log_levels(call: Call) -> list[LogLevel]:
    """The levels that count now."""
    static = call.app.config.snapshot().static
    configured = {"": str(static.log_level), **{name: str(level) for name, level in static.package_log_levels.items()}}
    return [
        LogLevel(package=package, level=level, configured=configured.get(package) == level)
        for package, level in sorted(logs.levels().items())
    ]


async def log_level_set(call: Call, pkg: str, level: str) -> None:
    """Set the level of a package, or of all others; until the next start."""
    if level not in logs.LEVELS:
        raise NotUnderstood(f"there is no level {level!r}; there are: {', '.join(logs.LEVELS)}")
    logs.set_level(level, pkg)


async def log_level_remove(call: Call, pkg: str) -> None:
    """Let a package have the level of all others."""
    if not pkg:
        raise NotUnderstood("the level of all others can be set, and not removed")
    logs.set_level("", pkg)


# Certificates.


class Certificate(Wire):
    """A certificate that we show, or should."""

    host: str
    source: Annotated[str, doc("`file`, or the name of the authority in the configuration.")]
    type: Annotated[str, doc("Of its key: ecdsa, rsa or other.")]
    state: Annotated[str, doc("ok; waiting for an order; error: the last order failed, or it has expired.")]
    expires: datetime | None
    renew_at: datetime | None
    failures: Annotated[int, doc("Of orders, in a row.")]
    error: str
    next_attempt: datetime | None


async def tls_certificates(call: Call) -> list[Certificate]:
    """Certificates from files, then those that authorities give us, or should."""
    return [
        Certificate(
            host=one.host,
            source=one.provider or "file",
            type=one.type,
            state=one.state,
            expires=_moment(one.expires),
            renew_at=_moment(one.renew_at),
            failures=one.failures,
            error=one.error,
            next_attempt=_moment(one.next_attempt),
        )
        for one in certificates.shown(call.app)
    ]


def _moment(seconds: float) -> datetime | None:
    return websessions.time(int(seconds * 1e6)) if seconds else None
