"""What answers where: by port, host and path, from the configuration alone.

The order is that of the configuration's documentation: documents at fixed places come first, then redirects of whole
domains, then the web handlers in their order, then the applications of the listener. What each of them says is none of
this module's business.
"""

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote

from appliance.base import limits, regexp
from appliance.config.addresses import DomainEntry
from appliance.config.domains import WebHandler
from appliance.config.source import Config
from appliance.config.static import Listener, Static
from appliance.mail.domain import parse_domain

#: The applications of a listener; each has a table for HTTP and one for HTTPS.
APPLICATIONS: Final = ("account", "admin", "webmail", "webapi")
MTASTS_PATH: Final = "/.well-known/mta-sts.txt"
#: The second is where newer versions of Thunderbird look.
AUTOCONFIG_PATHS: Final = frozenset({"/mail/config-v1.1.xml", "/.well-known/autoconfig/mail/config-v1.1.xml"})
AUTODISCOVER_PATH: Final = "/autodiscover/autodiscover.xml"
MOBILECONFIG_PATH: Final = "/profile.mobileconfig"
MOBILECONFIG_PICTURE_PATH: Final = f"{MOBILECONFIG_PATH}.qrcode.png"
ACME_PATH: Final = "/.well-known/acme-challenge/"
#: Where programs begin that know only a host (RFC 8620 §2.2), and where that is below the webmail.
JMAP_PATH, JMAP_SESSION = "/.well-known/jmap", "jmap/session"
METRICS_PATH, HEALTH_PATH, ROBOTS_PATH = "/metrics", "/healthz", "/robots.txt"

#: Where mail programs ask for settings, and what answers.
_SETTINGS: Final = {
    **dict.fromkeys(AUTOCONFIG_PATHS, "autoconfig"),
    MOBILECONFIG_PATH: "mobileconfig",
    MOBILECONFIG_PICTURE_PATH: "mobileconfigpicture",
}

_HOST: Final = re.compile(r"(\[[0-9a-f:.]{2,45}\]|[a-z0-9._-]{1,253})(?::[0-9]{1,5})?")
#: Left as it is in the path of a URL (RFC 3986 §3.3).
_SAFE: Final = "/:@!$&'()*+,;=-._~"
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\\]")


@dataclass(frozen=True, slots=True)
class Port:
    """A TCP port of one address, with all web services that listeners have there."""

    address: str
    number: int
    tls: bool
    #: Names of the listeners, the one whose certificates count first.
    listeners: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Target:
    """What answers a request."""

    #: Names it in logs and metrics; in parentheses what is no page.
    handler: str
    #: The domain of ours it is about.
    domain: DomainEntry | None = None
    #: Where an application begins: "/webmail/"; of which listener it is, and whether that is behind a proxy.
    root: str = ""
    listener: str = ""
    forwarded: bool = False
    #: Where a redirect leads, and whether for good.
    location: str = ""
    permanent: bool = True
    methods: tuple[str, ...] = ("GET", "HEAD")
    #: The longest body that is read; where none is read, the longest that is not refused for itself.
    body_octets: int = limits.HTTP_BODY_OCTETS
    #: The web handler that answers, and what does when it leaves the request to others.
    site: WebHandler | None = None
    otherwise: "Target | None" = None


NOT_FOUND: Final = Target("(notfound)", methods=())
BAD_REQUEST: Final = Target("(badrequest)", methods=())


def ports(static: Static) -> list[Port]:
    """All ports that web services listen on; those that share one share a server, whatever their listeners."""
    found: dict[tuple[str, int], Port] = {}
    for name, listener in static.listeners.items():
        for ip in listener.ips:
            for number, tls in _ports_of(listener):
                place = str(ip), number
                other = found.get(place)
                if other is None:
                    found[place] = Port(str(ip), number, tls, (name,))
                elif name not in other.listeners:
                    found[place] = Port(other.address, number, other.tls, (*other.listeners, name))
    return list(found.values())


def _ports_of(listener: Listener) -> Iterator[tuple[int, bool]]:
    for one in (listener.autoconfig_https, listener.mtasts_https):
        if one.enabled:
            yield int(one.port), not one.non_tls
    for name in (*APPLICATIONS, "webserver"):
        for protocol in ("http", "https"):
            service = getattr(listener, f"{name}_{protocol}")
            if service.enabled:
                yield int(service.port), protocol == "https"
    if listener.metrics_http.enabled:
        yield int(listener.metrics_http.port), False
    for number in listener.mail_over_https_ports:
        yield number, True


def parse_host(value: str) -> str | None:
    """A Host field without port, lower case, an address without brackets; None when it is malformed.

    RFC 9110 §7.2, lenient: names of any letters that a resolver might take, and a final dot.
    """
    match = _HOST.fullmatch(value.strip().lower())
    if match is None:
        return None
    host = match[1]
    if host.startswith("["):
        return host[1:-1] if _is_address(host[1:-1]) else None
    return host.removesuffix(".") or None


def clean_path(path: str) -> str | None:
    """A path without dot segments and doubled slashes (RFC 3986 §5.2.4); None when nobody means it well."""
    if not path.startswith("/") or _CONTROL.search(path):
        return None
    kept: list[str] = []
    for segment in path.split("/")[1:]:
        if segment == "..":
            del kept[-1:]
        elif segment not in {"", "."}:
            kept.append(segment)
    ends = path.endswith(("/", "/.", "/.."))
    return "/" + "/".join(kept) + ("/" if ends and kept else "")


def find(config: Config, port: Port, host: str, path: str, *, query: str = "", front: bool = False) -> Target:
    """What answers a request there.

    `query` is kept in redirects; `front`: there is a page for `/`, where no application has that.
    Host and path are as `parse_host` and `clean_path` return them.
    """
    listeners = [config.static.listeners[name] for name in port.listeners]
    fixed = _fixed(config, port, listeners, host, path) or _moved(config, port, listeners, host, path, query)
    if fixed is not None:
        return fixed
    try:
        handlers = _handlers(config, port, listeners, host, path)
    except regexp.TooMuchWork:
        return BAD_REQUEST  # No other handler shall answer in place of one that was not found.
    whole = _application(config, port, listeners, host, path, everything=True)
    found = (
        _application(config, port, listeners, host, path)
        or _page(config, port, listeners, host, path, front=front and whole is None)
        or whole
        or NOT_FOUND
    )
    for name, handler in reversed(handlers):
        found = _handled(config, port, listeners, name, handler, host, path, query, found)
    return found


def account_pages(config: Config, port: Port, host: str, *, forwarded: bool) -> str | None:
    """Where the account pages are for who came to this port by this host: a path, or a URL when it is another port.

    None: nowhere, or behind a proxy (`forwarded`) that would have to be known.
    """
    here = _application_root(config, port, host, "account")
    if here is not None or forwarded:
        return here
    near = [one for one in ports(config.static) if one != port and set(one.listeners) & set(port.listeners)]
    for other in sorted(near, key=lambda one: one.tls != port.tls):
        root = _application_root(config, other, host, "account")
        if root is not None:
            name = f"[{host}]" if ":" in host else host
            number = "" if other.number == (443 if other.tls else 80) else f":{other.number}"
            return f"http{'s' if other.tls else ''}://{name}{number}{root}"
    return None


def _application_root(config: Config, port: Port, host: str, name: str) -> str | None:
    """Where an application begins at a port, if it is there for that host."""
    services = [
        getattr(config.static.listeners[one], f"{name}_{'https' if port.tls else 'http'}") for one in port.listeners
    ]
    roots = [str(one.path) for one in services if _is_here(one, port)]
    inside = [one for one in config.domains.web_handlers if one.internal is not None and one.internal.service == name]
    roots += [str(one.internal.base_path) for one in inside if one.internal and one.domain.domain.ascii == host]
    return next((root for root in roots if find(config, port, host, root).handler == name), None)


def _fixed(config: Config, port: Port, listeners: list[Listener], host: str, path: str) -> Target | None:
    """Documents at fixed places."""
    if path == MTASTS_PATH:
        entry = _domain_of(config, host.removeprefix("mta-sts."))
        here = any(_is_here(one.mtasts_https, port) for one in listeners)
        # RFC 8461 §3.3: only at this host.
        if here and host.startswith("mta-sts.") and entry is not None and entry.config.mtasts is not None:
            return Target("mtasts", entry)
    # Outlook asks for its document in several spellings.
    wanted = _SETTINGS.get(path) or ("autodiscover" if path.lower() == AUTODISCOVER_PATH else "")
    here = wanted != "" and any(_is_here(one.autoconfig_https, port) for one in listeners)
    if here and _is_mail_host(config, listeners, host):
        entry = _domain_of(config, host.removeprefix("autoconfig.").removeprefix("autodiscover."))
        if wanted != "autodiscover":
            return Target(wanted, entry)
        return Target("autodiscover", entry, methods=("POST",), body_octets=limits.AUTODISCOVER_OCTETS)
    # RFC 8555 §8.3: by HTTP without TLS, at any host; which ones are ours, the page says.
    if path.startswith(ACME_PATH) and not port.tls and any(one.tls and one.tls.acme for one in listeners):
        return Target("acme")
    if path == JMAP_PATH:
        for one in listeners:
            webmail = one.webmail_https if port.tls else one.webmail_http
            if _is_here(webmail, port) and _is_service_host(config, one, host, everybody=True):
                return Target("(redirect)", location=f"{webmail.path}{JMAP_SESSION}", permanent=False, methods=())
    if any(one.metrics_http.enabled and int(one.metrics_http.port) == port.number for one in listeners):
        if path == METRICS_PATH:
            return Target("metrics")
        if path == HEALTH_PATH:
            return Target("health")
    return None


def _has_sites(port: Port, listeners: list[Listener]) -> bool:
    server = "webserver_https" if port.tls else "webserver_http"
    return any(_is_here(getattr(one, server), port) for one in listeners)


def _moved(config: Config, port: Port, listeners: list[Listener], host: str, path: str, query: str) -> Target | None:
    """Requests for domains that have moved as a whole."""
    if not _has_sites(port, listeners):
        return None
    for source, target in config.domains.web_domain_redirects.items():
        # They are few, and in Unicode spelling.
        if parse_domain(source).ascii == host:
            location = f"https://{target.domain.ascii}{_rest(path, query)}"
            return Target("(redirect)", location=location, methods=())
    return None


def _rest(path: str, query: str) -> str:
    return quote(path, safe=_SAFE) + query


def _handlers(
    config: Config, port: Port, listeners: list[Listener], host: str, path: str
) -> list[tuple[str, WebHandler]]:
    """The web handlers that may answer, with their names, up to the first that will. Raises regexp.TooMuchWork."""
    found: list[tuple[str, WebHandler]] = []
    if not _has_sites(port, listeners):
        return found
    budget = regexp.Budget(limits.PATTERN_STEPS)
    for index, handler in enumerate(config.domains.web_handlers):
        if handler.domain.domain.ascii != host or not regexp.compile(handler.path_regexp).search(path, budget):
            continue
        found.append((handler.log_name or str(index), handler))
        leaves = handler.redirect is not None or (handler.static is not None and handler.static.continue_not_found)
        if not leaves or (not port.tls and not handler.dont_redirect_plain_http):
            break
    return found


def _handled(
    config: Config,
    port: Port,
    listeners: list[Listener],
    name: str,
    handler: WebHandler,
    host: str,
    path: str,
    query: str,
    otherwise: Target,
) -> Target:
    """What a web handler does with a request; `otherwise`: what is done when it leaves it."""
    if not port.tls and not handler.dont_redirect_plain_http:
        numbers = [int(one.webserver_https.port) for one in listeners if one.webserver_https.enabled]
        place = host if not numbers or 443 in numbers else f"{host}:{numbers[0]}"
        return Target("(redirect)", location=f"https://{place}{_rest(path, query)}", methods=())
    if handler.internal is not None:
        root, service = str(handler.internal.base_path), handler.internal.service
        if path == root.rstrip("/") and root != "/":
            return Target("(redirect)", location=root, methods=())
        if not path.startswith(root):
            return replace(NOT_FOUND, handler=name)
        body = _body_octets(listeners[0], service, path.removeprefix(root))
        return Target(service, root=root, listener=port.listeners[0], methods=(), body_octets=body)
    body = limits.FORWARD_BODY_OCTETS if handler.forward is not None else limits.HTTP_BODY_OCTETS
    # Each that comes to answer asks again for its own.
    most = max(body, otherwise.body_octets)
    return Target(name, methods=(), body_octets=most, site=handler, otherwise=otherwise)


def _application(
    config: Config, port: Port, listeners: list[Listener], host: str, path: str, *, everything: bool = False
) -> Target | None:
    """The applications of the listeners, longest path first; or one that has everything that is nobody else's."""
    services = []
    for listener_name, listener in zip(port.listeners, listeners, strict=True):
        for name in APPLICATIONS:
            service = getattr(listener, f"{name}_{'https' if port.tls else 'http'}")
            if _is_here(service, port) and _is_service_host(config, listener, host, everybody=name != "admin"):
                body = _body_octets(listener, name, path.removeprefix(str(service.path)))
                target = Target(
                    name,
                    root=str(service.path),
                    listener=listener_name,
                    forwarded=service.forwarded,
                    methods=(),
                    body_octets=body,
                )
                services.append(target)
    for target in sorted(services, key=lambda one: -len(one.root)):
        if path.startswith(target.root) and (target.root == "/") == everything:
            return target
        if path == target.root.rstrip("/") and target.root != "/":
            return Target("(redirect)", location=target.root, methods=())
    return None


def _body_octets(listener: Listener, name: str, path: str) -> int:
    """The longest body of a request to an application: a message is sent with files, or with these in JSON.

    Mail is imported as an archive, which is not read before it is known who sends it.
    """
    if (name, path) == ("account", "import"):
        return limits.IMPORT_UPLOAD_OCTETS
    if name == "webmail" and path.startswith(("jmap/api", "jmap/upload/")):
        return limits.FORWARD_BODY_OCTETS  # JMAP says by itself, in its own words, what is too long.
    if name != "webapi":
        return limits.HTTP_BODY_OCTETS
    return 2 * int(listener.smtp_max_message_size) + limits.WEBAPI_SPARE_OCTETS


def _page(config: Config, port: Port, listeners: list[Listener], host: str, path: str, *, front: bool) -> Target | None:
    if path == "/" and any(int(one.metrics_http.port) == port.number for one in listeners if one.metrics_http.enabled):
        return Target("metricsindex")
    if not any(_is_service_host(config, one, host, everybody=True) for one in listeners):
        return None
    if path == ROBOTS_PATH:
        return Target("robots")
    return Target("front") if path == "/" and front else None


def _is_here(service: object, port: Port) -> bool:
    enabled, number = getattr(service, "enabled"), getattr(service, "port")  # noqa: B009
    tls = getattr(service, "non_tls", None)
    return bool(enabled) and int(number) == port.number and (tls is None or tls != port.tls)


def _domain_of(config: Config, name: str) -> DomainEntry | None:
    """A domain of ours by its ASCII spelling, unless only reports of others come here for it."""
    entry = config.derived.addresses.domains.get(name)
    return None if entry is None or entry.is_reports_only else entry


def _hostnames(config: Config, listener: Listener) -> tuple[str, ...]:
    own = () if listener.hostname is None else (listener.hostname.domain.ascii,)
    return own or (config.static.hostname.domain.ascii,)


def _is_mail_host(config: Config, listeners: list[Listener], host: str) -> bool:
    """Where mail programs look for settings: autoconfig.<domain>, <domain>, and the host of the mail server."""
    if any(host in _hostnames(config, one) for one in listeners):
        return True
    return _domain_of(config, host.removeprefix("autoconfig.").removeprefix("autodiscover.")) is not None


def _is_service_host(config: Config, listener: Listener, host: str, *, everybody: bool) -> bool:
    """Hosts by which people come to pages: no foreign name may lead there, which a browser would trust (DNS rebinding).

    `everybody`: for others than the administrator, who also know the names shown to mail programs.
    """
    if not host or host == "localhost" or host in _hostnames(config, listener) or _is_address(host):
        return True
    return everybody and any(one.ascii == host for one in config.derived.client_settings_domains)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
