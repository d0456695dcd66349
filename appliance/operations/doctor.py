"""Examining an installation: everything a mail server depends on, and what to do where something is wrong.

The checks of a first installation, of each domain, and of what is here: files, ports, certificates, disk, queue.
"""

import ctypes
import shutil
import stat
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import trio
from cryptography import x509

from appliance.base.clock import Clock
from appliance.config.source import Config
from appliance.config.static import Listener
from appliance.config.validate_static import find_system_user
from appliance.config.values import IPAddress
from appliance.dns.problems import LookupProblem
from appliance.dns.resolver import Resolver
from appliance.mail.domain import parse_domain
from appliance.msgauth import dnsbl
from appliance.msgauth.results import AuthStatus
from appliance.net.dial import Dialer, DialError
from appliance.operations import dnsrecords, machine
from appliance.operations.attention import DISK_LEAST, DISK_LOW, OLD
from appliance.operations.domaincheck import Area
from appliance.operations.machine import Held, Interface
from appliance.operations.stage import Grade, Stage, skipped

#: Files that a busy server has open.
FILES: Final = 4096
EXPIRES: Final = timedelta(days=14)
DIAL_SECONDS: Final = 10.0
LOOKUP_SECONDS: Final = 5.0
_ADJTIMEX_ERROR: Final = 5
#: Nobody else's business: not even to be read.
_OTHERS: Final = stat.S_IROTH | stat.S_IWOTH
#: Domains that are checked; whoever has more checks them one by one.
DOMAINS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What is examined with; tests bring their own."""

    clock: Clock
    resolver: Resolver
    dialer: Dialer
    #: What the running server says of itself; None: it does not run.
    running: Mapping[str, Any] | None
    #: The checks of a domain, by its name in the configuration.
    check_domain: Callable[[str], Awaitable[Mapping[str, Area]]]
    dial_domain: str
    interfaces: Callable[[], list[Interface]] = machine.interfaces
    held_ports: Callable[[Sequence[int]], list[Held]] = machine.held_ports
    user_exists: Callable[[str], bool] = lambda name: find_system_user(name) is not None
    disk: Callable[[Path], tuple[int, int]] = lambda path: (shutil.disk_usage(path).total, shutil.disk_usage(path).free)
    open_files: Callable[[], int] = machine.open_files
    clock_is_synchronized: Callable[[], bool | None] = lambda: clock_is_synchronized()  # noqa: PLW0108
    #: Ask nobody outside.
    offline: bool = False


async def examine(config: Config, means: Means) -> AsyncIterator[Stage]:
    """Each check as soon as it is done."""
    yield _configuration(config)
    yield _user(config, means)
    yield await trio.to_thread.run_sync(_files, config)
    yield _server(means)
    yield _space(config, means)
    yield _system(means)
    yield await _addresses(config, means)
    yield await _ports(config, means)
    yield await trio.to_thread.run_sync(_certificates, config, means.clock.now())
    yield _authorities(means)
    yield _queue(means)
    yield _accounts(config, means)
    yield _rotations(means)
    if means.offline:
        return
    yield await _outgoing(config, means)
    yield await _listed(config, means)
    seen: set[str] = set()
    for name, entry in list(config.domains.domains.items())[:DOMAINS]:
        if entry.disabled:
            yield Stage(f"Domain {name}", Grade.SKIPPED, ["it is disabled"])
        else:
            yield _domain(name, await means.check_domain(name), seen)


def _configuration(config: Config) -> Stage:
    stage = Stage("Configuration")
    for warning in config.warnings:
        stage.warn(str(warning), "See: moxpy config test")
    if not config.warnings:
        stage.say(str(config.static_file))
    return stage


def _user(config: Config, means: Means) -> Stage:
    stage, user = Stage("User"), config.static.user
    if user.isdecimal() or means.user_exists(user):
        stage.say(user)
    else:
        stage.fail(
            f"there is no user {user} for the server to run as",
            f"useradd --system --user-group --home-dir {config.directory.parent} --shell /usr/sbin/nologin {user}",
        )
    return stage


def _secret_files(config: Config) -> Iterator[Path]:
    if config.static.admin_password_file:
        yield config.directory / config.static.admin_password_file
    for folder in ("hostkeys", "dkim", "acme"):
        if (config.directory / folder).is_dir():
            yield from sorted((config.directory / folder).iterdir())
    for listener in config.static.listeners.values():
        for pair in listener.tls.key_certs if listener.tls else ():
            yield config.directory / pair.key_file
    yield config.static_file
    yield config.data_directory / "store" / "data.mdb"


def _files(config: Config) -> Stage:
    stage = Stage("Files")
    looked = 0
    for path in _secret_files(config):
        try:
            mode = path.stat().st_mode
        except FileNotFoundError:
            continue
        except OSError as error:
            stage.fail(f"{path}: {error.strerror}", "Run this as root, or as the server's user.")
            continue
        looked += 1
        if mode & _OTHERS and is_reachable(path):
            stage.fail(f"everybody on this machine may read {path}", f"chmod o-rwx {path}")
    if not (config.data_directory / "store").is_dir():
        stage.fail(
            f"there is no data in {config.data_directory}", "See data_dir in moxpy.toml; a first start makes it anew."
        )
    if stage.grade is Grade.OK:
        stage.say(f"{looked} with secrets, none open to others")
    return stage


def is_reachable(path: Path) -> bool:
    """Whether everybody on the machine may come as far as to a file."""
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in path.absolute().parents)


def _server(means: Means) -> Stage:
    stage = Stage("Server")
    if means.running is None:
        stage.fail("it does not run", "systemctl start moxpy; what it says: journalctl -u moxpy")
    else:
        stage.say(f"runs, version {means.running['version']}")
    return stage


def _space(config: Config, means: Means) -> Stage:
    stage = Stage("Disk")
    try:
        total, free = means.disk(config.data_directory)
    except OSError as error:
        stage.fail(f"{config.data_directory}: {error.strerror}", "See data_dir in moxpy.toml.")
        return stage
    share = free / total if total else 0.0
    text = f"{free >> 20} of {total >> 20} MiB are free"
    remedy = "Make room, or move the data to a larger disk: mail is refused for now when it is full."
    if share < DISK_LEAST:
        stage.fail(text, remedy)
    elif share < DISK_LOW:
        stage.warn(text, remedy)
    else:
        stage.say(text)
    return stage


def _system(means: Means) -> Stage:
    stage = Stage("System")
    if means.clock_is_synchronized() is False:
        stage.warn(
            "the clock is not synchronized: signatures and certificates depend on it",
            "Run chrony or systemd-timesyncd.",
        )
    if (files := means.open_files()) < FILES:
        stage.warn(
            f"a process may have {files} files open: too few for many connections", "Set LimitNOFILE=65535 in the unit."
        )
    if stage.grade is Grade.OK:
        stage.say("clock and limits are in order")
    return stage


def clock_is_synchronized() -> bool | None:
    """Whether the kernel takes its clock for right (adjtimex); None where nobody can tell."""
    if sys.platform != "linux":
        return None
    try:
        buffer = ctypes.create_string_buffer(512)  # struct timex, all zero: only asks.
        state = int(ctypes.CDLL(None, use_errno=True).adjtimex(buffer))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _ADJTIMEX_ERROR


def _mail_ports(one: Listener) -> dict[int, str]:
    services = (
        ("SMTP", one.smtp.enabled, one.smtp.port),
        ("submission", one.submission.enabled, one.submission.port),
        ("submissions", one.submissions.enabled, one.submissions.port),
        ("IMAP", one.imap.enabled, one.imap.port),
        ("IMAPS", one.imaps.enabled, one.imaps.port),
    )
    return {int(port): name for name, enabled, port in services if enabled}


async def _addresses(config: Config, means: Means) -> Stage:
    stage = Stage("Addresses")
    try:
        found = await trio.to_thread.run_sync(means.interfaces)
    except OSError as error:
        stage.warn(f"the addresses of this machine cannot be found: {error}")
        return stage
    here = {ip for one in found for ip in one.addresses}
    for name, listener in config.static.listeners.items():
        for one in listener.ips:
            if not one.ip.is_unspecified and one.ip not in here:
                stage.fail(
                    f"listener {name} has {one.ip}, and this machine does not",
                    f"Correct listeners.{name}.ips in moxpy.toml; this machine has "
                    f"{', '.join(str(ip) for ip in sorted(here, key=str)[:10])}.",
                )
    public = dnsrecords.public_listener(config)
    if (
        public
        and not public.nat_ips
        and all(machine.is_internal(one.ip) for one in public.ips)
        and not _is_local(config)
    ):
        stage.warn(
            "the public listener has internal addresses alone, and no nat_ips: SPF records cannot be made",
            "Behind NAT, say in listeners.public.nat_ips which addresses the world sees.",
        )
    if stage.grade is Grade.OK:
        stage.say("those of the listeners are this machine's")
    return stage


def _is_local(config: Config) -> bool:
    """A house that talks to itself alone."""
    return dnsrecords.host_of(config).ascii == "localhost"


async def _ports(config: Config, means: Means) -> Stage:
    stage = Stage("Ports")
    wanted: dict[int, str] = {}
    for listener in config.static.listeners.values():
        wanted.update(_mail_ports(listener))
    held = await trio.to_thread.run_sync(means.held_ports, tuple(wanted))
    for port, name in sorted(wanted.items()):
        holders = [one for one in held if one.port == port]
        strangers = [one for one in holders if one.program and not _is_ours(one.program)]
        for one in strangers:
            stage.fail(
                f"{one.program} has port {port} of {one.ip}, which is for {name}",
                f"systemctl disable --now {one.program}, then: systemctl restart moxpy",
            )
        if means.running is not None and not holders and held:
            stage.fail(f"nobody listens on port {port} ({name})", "systemctl restart moxpy; then see its log")
        if means.running is None and holders and not strangers:
            stage.warn(f"port {port} ({name}) is taken, and the server does not run", "See who: ss -ltnp")
    if stage.grade is Grade.OK:
        stage.say(", ".join(f"{port} {name}" for port, name in sorted(wanted.items())))
    return stage


def _is_ours(program: str) -> bool:
    return program.startswith(("moxpy", "python"))


def _certificates(config: Config, now: datetime) -> Stage:
    """Those of files."""
    stage = Stage("Certificates of files")
    pairs = {
        config.directory / pair.cert_file: name
        for name, listener in config.static.listeners.items()
        for pair in (listener.tls.key_certs if listener.tls else ())
    }
    if not pairs:
        return skipped(stage.title)
    for path, listener in pairs.items():
        try:
            first = x509.load_pem_x509_certificates(path.read_bytes())[0]
        except OSError as error:
            stage.fail(f"{path}: {error.strerror}", f"Correct listeners.{listener}.tls.key_certs in moxpy.toml.")
            continue
        except (ValueError, IndexError):
            stage.fail(f"{path} holds no certificate", f"Correct listeners.{listener}.tls.key_certs in moxpy.toml.")
            continue
        _end(stage, str(path), first.not_valid_after_utc, now, "Renew it; moxpy takes the new one by itself.")
    return stage


def _end(stage: Stage, what: str, end: datetime, now: datetime, remedy: str) -> None:
    if end <= now:
        stage.fail(f"{what} ended on {end:%Y-%m-%d}", remedy)
    elif end - now < EXPIRES:
        stage.warn(f"{what} ends on {end:%Y-%m-%d}", remedy)
    else:
        stage.say(f"{what} is good until {end:%Y-%m-%d}")


def _authorities(means: Means) -> Stage:
    """Certificates that authorities give us by ACME, as the running server knows them."""
    stage = Stage("Certificates by ACME")
    known = (means.running or {}).get("certificates")
    if not known:
        return skipped(stage.title)
    for one in known:
        if one["state"] == "error":
            stage.fail(
                f"{one['host']}: {one['error'] or 'it has expired'}",
                "See that ports 80 and 443 reach this machine, and the DNS leads here.",
            )
        elif one["expires"]:
            end = datetime.fromtimestamp(one["expires"], UTC)
            _end(stage, one["host"], end, means.clock.now(), "It should renew itself: see the log for acme.")
        else:
            stage.warn(f"{one['host']} has none yet", "It comes within minutes of a start: see the log for acme.")
    return stage


def _queue(means: Means) -> Stage:
    stage = Stage("Queue")
    state = (means.running or {}).get("health")
    if state is None:
        return skipped(stage.title)
    count, held, oldest = state["queue_messages"], state["queue_on_hold"], state["queue_oldest_microseconds"]
    stage.say(f"{count} message{'s' * (count != 1)}")
    if held:
        stage.warn(f"{held} on hold", "See them: moxpy queue list --hold true; let them go: moxpy queue unhold")
    if oldest is not None:
        waits = timedelta(microseconds=means.clock.microseconds() - oldest)
        if waits > OLD:
            stage.warn(
                f"the oldest waits for {int(waits.total_seconds() // 3600)} hours", "See why: moxpy queue list --asc"
            )
    return stage


def _accounts(config: Config, means: Means) -> Stage:
    stage = Stage("Accounts")
    state = (means.running or {}).get("health")
    if state is None:
        return skipped(stage.title)
    for name in state["accounts_without_password"]:
        stage.warn(f"{name} has no password", f"moxpy setaccountpassword {name}")
    for one in state["full_accounts"]:
        share = 100 * one["used_octets"] // one["limit_octets"]
        stage.warn(
            f"{one['account']} has used {share}% of its space",
            f"moxpy config account quota {one['account']} SIZE, or ask its owner to make room",
        )
    if stage.grade is Grade.OK:
        stage.say(f"{len(config.domains.accounts)}")
    return stage


def _rotations(means: Means) -> Stage:
    stage = Stage("DKIM keys")
    found = (means.running or {}).get("health", {}).get("rotations")
    if not found:
        return skipped(stage.title)
    for one in found:
        stage.warn(one["text"], one["remedy"])
    return stage


async def _outgoing(config: Config, means: Means) -> Stage:
    stage = Stage("Outgoing port 25")
    if not any(one.smtp.enabled for one in config.static.listeners.values()):
        return skipped(stage.title)
    try:
        with trio.fail_after(LOOKUP_SECONDS):
            host = min((await means.resolver.mx(means.dial_domain)).records).exchange
            ips: tuple[IPAddress, ...] = (await means.resolver.addresses(host)).records
    except (LookupProblem, trio.TooSlowError) as error:
        stage.warn(
            f"not tried: {means.dial_domain} cannot be looked up: {error or 'no answer in time'}",
            "See that /etc/resolv.conf names a resolver that answers.",
        )
        return stage
    try:
        dialed = await means.dialer(ips, 25, seconds=DIAL_SECONDS)
    except DialError as error:
        stage.fail(
            f"mail hosts cannot be reached ({host}: {error})",
            "Many providers block it until you ask: ask yours. If it stays closed, send by a smarthost (transports).",
        )
        return stage
    await trio.aclose_forcefully(dialed.stream)
    stage.say(f"{host} answers at {dialed.address}")
    return stage


async def _listed(config: Config, means: Means) -> Stage:
    stage = Stage("Block lists")
    zones = dict.fromkeys(str(one) for one in config.domains.monitor_dnsbls)
    for listener in config.static.listeners.values():
        zones.update(dict.fromkeys(str(one) for one in listener.smtp.dnsbls))
    ips = [ip for ip in config.derived.spf_ips if not machine.is_internal(ip)]
    if not zones or not ips:
        return skipped(stage.title)

    async def one(zone: str, ip: IPAddress) -> None:
        found = await dnsbl.check(means.resolver, parse_domain(zone), ip)
        if found.status is AuthStatus.FAIL:
            stage.fail(
                f"{ip} is on {zone}" + (f": {found.text}" if found.text else ""),
                f"Find out why and ask the list to take it off: https://multirbl.valli.org/lookup/{ip}.html",
            )
        elif found.status is not AuthStatus.PASS:
            stage.warn(f"{zone} does not tell about {ip}")

    async with trio.open_nursery() as nursery:
        for zone in zones:
            for ip in ips:
                nursery.start_soon(one, zone, ip)
    if stage.grade is Grade.OK:
        stage.say(f"not listed: {', '.join(map(str, ips))}")
    return stage


def _domain(name: str, areas: Mapping[str, Area], seen: set[str]) -> Stage:
    """What is wrong with a domain; what is the machine's is said with the first one only."""
    stage = Stage(f"Domain {name}")
    for area in areas.values():
        for texts, note in ((area.errors, stage.fail), (area.warnings, stage.warn)):
            for text in texts:
                if text in seen:
                    continue
                seen.add(text)
                note(f"{area.title}: {text}", "")
        if area.errors or area.warnings:
            new = [one for one in area.instructions if one not in seen]
            new += [f"publish {one.name}. {one.type} {one.data}" for one in area.records]
            for remedy in new:
                if remedy not in seen:
                    seen.add(remedy)
                    stage.remedies.append(remedy)
    if stage.grade is Grade.OK:
        stage.say("in order")
    return stage
