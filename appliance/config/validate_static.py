"""What keys of the static file must agree on. Files that it names are `keyfiles`' business."""

import base64
import pwd
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from appliance.config.errors import KeyPath, Report
from appliance.config.static import InitialMailboxes, Listener, Static, Transport
from appliance.config.values import URLPath


@dataclass(frozen=True, slots=True)
class RunAs:
    """Whom the server runs as."""

    uid: int
    gid: int


#: Looks a user up by name; None when there is none.
FindUser = Callable[[str], RunAs | None]


class _Switch(Protocol):
    @property
    def enabled(self) -> bool: ...


def find_system_user(name: str) -> RunAs | None:
    """The user of that name on this system, with its primary group."""
    try:
        entry = pwd.getpwnam(name)
    except (KeyError, ValueError):
        return None
    return RunAs(entry.pw_uid, entry.pw_gid)


def run_as(user: str, find_user: FindUser) -> RunAs | None:
    """The user to run as: by name, else a number that is both uid and gid. None when it is neither."""
    if found := find_user(user):
        return found
    if user.isascii() and user.isdigit() and len(user) <= 10 and int(user) < 2**32 - 1:
        return RunAs(int(user), int(user))
    return None


def validate_static(static: Static, report: Report, *, find_user: FindUser) -> None:
    """Report what is wrong with the static file, apart from accounts it names and files it points to."""
    if run_as(static.user, find_user) is None:
        report.error(
            ("user",),
            f'there is no user "{static.user}" on this system',
            f"create it, for example with: useradd --system --home-dir / {static.user}",
        )
    if static.host_tlsrpt and not static.host_tlsrpt.localpart.isascii():
        report.error(("host_tlsrpt", "localpart"), "must be ASCII only")
    if static.queue.first_retry.seconds < 60:
        report.error(("queue", "first_retry"), "must be at least a minute")
    if not 1 <= static.queue.max_attempts <= 16:
        report.error(("queue", "max_attempts"), "must be 1 to 16")
    if static.check_updates and static.update_feed is None:
        report.warn(
            ("check_updates",), "does nothing without update_feed: this program has no place of its own to look at"
        )
    if static.update_feed is not None and not is_public_key(static.update_feed.public_key):
        report.error(("update_feed", "public_key"), "must be an Ed25519 key, 32 octets in base64")
    if static.backup_command and not static.backup_command[0].startswith("/"):
        report.error(("backup_command", 0), "must be the whole path of a program")
    for name, provider in static.acme.items():
        if provider.wildcards and provider.dns_update is None:
            report.error(("acme", name, "wildcards"), "needs dns_update: names are proved in the DNS")
    if not static.listeners:
        report.error(("listeners",), "must have at least one listener")
    for name, listener in static.listeners.items():
        _listener(static, listener, ("listeners", name), report)
    _port_clashes(static, report)
    _initial_mailboxes(static.initial_mailboxes, report)
    for name, transport in static.transports.items():
        _transport(transport, ("transports", name), report)


def _listener(static: Static, listener: Listener, path: KeyPath, report: Report) -> None:
    if not listener.ips:
        report.error((*path, "ips"), "must have at least one address")
    for index, name in enumerate(listener.nat_ips):
        if name.ip.is_unspecified or name.ip.is_loopback:
            report.error((*path, "nat_ips", index), f"{name} cannot be a public address")
    if tls := listener.tls:
        if bool(tls.acme) == bool(tls.key_certs):
            report.error((*path, "tls"), "needs exactly one of acme and key_certs")
        if tls.acme and tls.acme not in static.acme:
            known = ", ".join(static.acme) or "none"
            report.error((*path, "tls", "acme"), f'no ACME provider is named "{tls.acme}"', f"configured: {known}")
    elif missing := [name for name, wanted in services_with_tls(listener) if wanted]:
        report.error(path, f"these services need a tls table: {', '.join(missing)}")
    if listener.lmtp.enabled:
        _lmtp(listener, path, report)
    autoconfig, mtasts = listener.autoconfig_https, listener.mtasts_https
    share_port = autoconfig.enabled and mtasts.enabled and autoconfig.port == mtasts.port
    if share_port and autoconfig.non_tls != mtasts.non_tls:
        report.error(
            (*path, "mtasts_https"),
            f"shares port {mtasts.port} with autoconfig_https, but differs from it in non_tls",
        )
    for app in ("account", "admin", "webmail", "webapi"):
        for protocol in ("http", "https"):
            service = getattr(listener, f"{app}_{protocol}")
            _warn_completed(service.path, (*path, f"{app}_{protocol}", "path"), report)


def _lmtp(listener: Listener, path: KeyPath, report: Report) -> None:
    """RFC 2033 §5: not on SMTP's port, and not for the world."""
    if listener.lmtp.port == 25:
        report.error((*path, "lmtp", "port"), "must not be 25, which is for SMTP", "usual is 24")
    for index, name in enumerate(listener.ips):
        if name.ip.is_unspecified or not name.ip.is_private:
            report.error(
                (*path, "ips", index),
                f"{name} is not a loopback or private address, and lmtp is enabled, which has no login",
                "give lmtp a listener of its own",
            )


def _warn_completed(url_path: URLPath, path: KeyPath, report: Report) -> None:
    if url_path.was_completed:
        report.warn(path, f'should end in a slash; "{url_path}" is used')


def services_with_tls(listener: Listener) -> Iterator[tuple[str, bool]]:
    """Each service that may need TLS, as its key and how to do without, and whether it does need it."""
    one = listener
    yield "smtp (unless no_starttls)", one.smtp.enabled and not one.smtp.no_starttls
    yield "submission (unless no_require_starttls)", (one.submission.enabled and not one.submission.no_require_starttls)
    yield "submissions", one.submissions.enabled
    yield "submissions.enabled_on_https", one.submissions.enabled_on_https
    yield "imap (unless no_require_starttls)", one.imap.enabled and not one.imap.no_require_starttls
    yield "imaps", one.imaps.enabled
    yield "imaps.enabled_on_https", one.imaps.enabled_on_https
    for name in ("account_https", "admin_https", "webmail_https", "webapi_https", "webserver_https"):
        service: _Switch = getattr(one, name)
        yield name, service.enabled
    for name in ("autoconfig_https", "mtasts_https"):
        settings = getattr(one, name)
        yield f"{name} (unless non_tls)", settings.enabled and not settings.non_tls


def ports_of(listener: Listener) -> Iterator[tuple[str, int, str]]:
    """(service, port, protocol spoken there) for every enabled service; web services share their protocol."""
    for name in ("smtp", "submission", "submissions", "lmtp", "imap", "imaps"):
        service = getattr(listener, name)
        if service.enabled:
            yield name, int(service.port), name
    for name in ("submissions", "imaps"):
        if getattr(listener, name).enabled_on_https:
            for port in listener.mail_over_https_ports:
                yield f"{name}.enabled_on_https", port, "HTTPS"
    for name in ("autoconfig_https", "mtasts_https"):
        service = getattr(listener, name)
        if service.enabled:
            yield name, int(service.port), "HTTP" if service.non_tls else "HTTPS"
    apps = ("account", "admin", "webmail", "webapi", "webserver")
    for name in [f"{app}_{protocol}" for app in apps for protocol in ("http", "https")] + [
        "metrics_http",
        "pprof_http",
    ]:
        service = getattr(listener, name)
        if service.enabled:
            yield name, int(service.port), "HTTPS" if name.endswith("_https") else "HTTP"


def _port_clashes(static: Static, report: Report) -> None:
    taken: dict[tuple[str, int], tuple[str, str, str]] = {}
    for listener_name, listener in static.listeners.items():
        clashes: dict[str, str] = {}
        for ip in listener.ips:
            for service, port, protocol in ports_of(listener):
                other = taken.setdefault((ip, port), (listener_name, service, protocol))
                other_listener, other_service, other_protocol = other
                if other == (listener_name, service, protocol):
                    continue
                # Web services share a server, also those of several listeners; nothing else does.
                if protocol != other_protocol or not protocol.startswith("HTTP"):
                    whose = "" if other_listener == listener_name else f" of listener {other_listener}"
                    clashes.setdefault(
                        service, f"{ip} port {port} is also used by {other_service}{whose}, with another protocol"
                    )
        for service, message in clashes.items():
            report.error(("listeners", listener_name, service.partition(".")[0]), message)


def _initial_mailboxes(initial: InitialMailboxes, report: Report) -> None:
    base: KeyPath = ("initial_mailboxes",)
    use = initial.special_use
    named: list[tuple[KeyPath, str]] = [
        ((*base, "special_use", key), name)
        for key, name in (
            ("sent", use.sent),
            ("archive", use.archive),
            ("trash", use.trash),
            ("draft", use.draft),
            ("junk", use.junk),
        )
        if name
    ]
    named += [((*base, "regular", index), name) for index, name in enumerate(initial.regular)]
    for path, name in named:
        if name == "Inbox":
            report.error(path, "must not be Inbox, which is always there")
        elif "/" in name:
            report.error(path, "must not be below another mailbox")
    counts = Counter(name for _, name in named)
    for path, name in named:
        if counts[name] > 1:
            report.error(path, f'mailbox "{name}" is named more than once')


def _transport(transport: Transport, path: KeyPath, report: Report) -> None:
    methods = [
        name
        for name in ("submissions", "submission", "smtp", "socks", "direct", "fail")
        if getattr(transport, name) is not None
    ]
    if len(methods) > 1:
        report.error(path, f"must have at most one method, not {', '.join(methods)}")
    if transport.submissions:
        for name in ("no_starttls", "starttls_insecure_skip_verify"):
            if getattr(transport.submissions, name):
                report.error((*path, "submissions", name), "does not go with TLS from the start")
    for name in ("submissions", "submission", "smtp"):
        host = getattr(transport, name)
        if host and host.auth:
            mechanisms = host.auth.mechanisms
            for index, mechanism in enumerate(mechanisms):
                if mechanism in mechanisms[:index]:
                    report.error((*path, name, "auth", "mechanisms", index), f"{mechanism} is listed twice")
    if transport.direct and transport.direct.disable_ipv4 and transport.direct.disable_ipv6:
        report.error((*path, "direct"), "disables both IPv4 and IPv6, which leaves nothing")
    if transport.fail and not 400 <= transport.fail.smtp_code <= 599:
        report.error((*path, "fail", "smtp_code"), "must be from 400 to 599")


def is_public_key(text: str) -> bool:
    """Whether a text is 32 octets in base64."""
    try:
        return len(base64.b64decode(text, validate=True)) == 32
    except ValueError:
        return False
