"""Where mail programs find our servers: which of them they are told of, whatever format they ask in."""

from dataclasses import dataclass

from appliance.config.addresses import DomainEntry
from appliance.config.static import Listener, Static

PUBLIC = "public"


@dataclass(frozen=True, slots=True)
class Server:
    """One server, as a mail program needs it."""

    #: imap or smtp.
    kind: str
    host: str
    port: int
    #: SSL from the start, STARTTLS, or plain.
    socket: str


def servers(static: Static, entry: DomainEntry) -> list[Server]:
    """The servers for a domain, best first within each kind; the listener `public` is asked first, others by name."""
    listeners = sorted(static.listeners.items(), key=lambda one: (one[0] != PUBLIC, one[0]))
    found = []
    for kind in ("imap", "smtp"):
        for _, listener in listeners:
            here = _of(kind, listener, _host(static, listener, entry))
            if here:
                found += here
                break
    return found


def _host(static: Static, listener: Listener, entry: DomainEntry) -> str:
    name = entry.config.client_settings_domain or listener.hostname or static.hostname
    return name.domain.ascii


def _of(kind: str, listener: Listener, host: str) -> list[Server]:
    implicit, explicit = (
        (listener.imaps, listener.imap) if kind == "imap" else (listener.submissions, listener.submission)
    )
    found = []
    if implicit.enabled:
        found.append(Server(kind, host, int(implicit.port), "SSL"))
    elif explicit.enabled:
        found.append(Server(kind, host, int(explicit.port), "STARTTLS" if listener.tls else "plain"))
    if found and implicit.enabled_on_https:
        found += [Server(kind, host, port, "SSL") for port in listener.mail_over_https_ports]
    return found
