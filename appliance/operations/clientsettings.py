"""Where mail programs find our servers: which of them they are told of, whatever format they ask in."""

from dataclasses import dataclass
from typing import Final

from appliance.config.addresses import DomainEntry
from appliance.config.static import Listener, Static

PUBLIC = "public"
_HTTPS_PORT: Final = 443

#: As people know them, by kind and socket.
PROTOCOLS: Final = {
    ("imap", "SSL"): "IMAP (TLS)",
    ("imap", "STARTTLS"): "IMAP",
    ("imap", "plain"): "IMAP",
    ("smtp", "SSL"): "Submission (TLS)",
    ("smtp", "STARTTLS"): "Submission",
    ("smtp", "plain"): "Submission",
}
NOTES: Final = {"SSL": "TLS from the start", "STARTTLS": "STARTTLS required", "plain": "without TLS"}


@dataclass(frozen=True, slots=True)
class Server:
    """One server, as a mail program needs it."""

    #: imap or smtp.
    kind: str
    host: str
    port: int
    #: SSL from the start, STARTTLS, or plain.
    socket: str
    #: The listener's name.
    listener: str


def servers(static: Static, entry: DomainEntry) -> list[Server]:
    """The servers for a domain, best first within each kind; the listener `public` is asked first, others by name."""
    found = []
    for kind in ("imap", "smtp"):
        for name, listener in _in_order(static):
            here = _of(kind, name, listener, _host(static, listener, entry))
            if here:
                found += here
                break
    return found


def _host(static: Static, listener: Listener, entry: DomainEntry) -> str:
    name = entry.config.client_settings_domain or listener.hostname or static.hostname
    return name.domain.ascii


def _of(kind: str, name: str, listener: Listener, host: str) -> list[Server]:
    implicit, explicit = (
        (listener.imaps, listener.imap) if kind == "imap" else (listener.submissions, listener.submission)
    )
    found = []
    if implicit.enabled:
        found.append(Server(kind, host, int(implicit.port), "SSL", name))
    elif explicit.enabled:
        found.append(Server(kind, host, int(explicit.port), "STARTTLS" if listener.tls else "plain", name))
    if found and implicit.enabled_on_https:
        found += [Server(kind, host, port, "SSL", name) for port in listener.mail_over_https_ports]
    return found


def settings_origin(static: Static) -> str | None:
    """Where settings for mail programs are served, as `https://mail.example.org`; None where they are not."""
    for _, listener in _in_order(static):
        service = listener.autoconfig_https
        if service.enabled:
            host = (listener.hostname or static.hostname).domain.ascii
            # Without TLS of ours there is a proxy before us, at the usual port.
            usual = service.non_tls or int(service.port) == _HTTPS_PORT
            return f"https://{host}" if usual else f"https://{host}:{int(service.port)}"
    return None


def _in_order(static: Static) -> list[tuple[str, Listener]]:
    return sorted(static.listeners.items(), key=lambda one: (one[0] != PUBLIC, one[0]))
