"""How old a domain is, by what its registry says (RDAP, RFC 9082 to 9084): the world mistrusts new ones."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, urlsplit

from appliance.base import limits
from appliance.mail.domain import Domain
from appliance.net.http import URL, Bounds, Client, HTTPError, Request, Response

#: Where registries have their servers (RFC 9224).
BOOTSTRAP: Final = URL("https", "data.iana.org", "/rdap/dns.json")
BOUNDS: Final = Bounds(seconds=10, body_octets=2 * limits.MIB)
_MEDIA_TYPE: Final = "application/rdap+json"
#: Of a registry's own words.
_SHOWN: Final = 150
#: RFC 9083 §10.2.3
_EVENTS: Final = frozenset({"registration", "reregistration", "reinstantiation"})
_REDIRECTS: Final = 3


class RDAPError(Exception):
    """The age cannot be had; the text says why."""


@dataclass(frozen=True, slots=True)
class Age:
    """Since when a domain is registered, without a break."""

    registered: datetime
    days: int

    def __str__(self) -> str:
        years, days = divmod(self.days, 365)
        parts = [f"{years} year{'s' * (years != 1)}"] if years else []
        return ", ".join([*parts, f"{days} day{'s' * (days != 1)}"])


async def age(client: Client, domain: Domain, now: datetime) -> Age:
    """The age of an organization's domain. Raises RDAPError."""
    servers = parse_bootstrap(_json(await _get(client, BOOTSTRAP)), domain)
    if not servers:
        raise RDAPError(f"the registry of .{domain.ascii.rpartition('.')[2]} has no RDAP server")
    base = next((one for one in servers if one.startswith("https:")), servers[0])
    response = await _get(client, _url(f"{base.rstrip('/')}/domain/{quote(domain.ascii)}"))
    if response.status == 404:
        raise RDAPError(f"{domain} is not registered")
    document = _json(response)
    if response.status != 200:
        raise RDAPError(f"the registry answers {response.status}{_words(document)}")
    registered = parse_registered(document)
    return Age(registered, max(0, (now - registered).days))


async def _get(client: Client, url: URL) -> Response:
    for _ in range(_REDIRECTS):
        try:
            response = await client.send(Request(url, fields=(("accept", _MEDIA_TYPE),)), BOUNDS)
        except HTTPError as error:
            raise RDAPError(f"{url.host}: {error}") from error
        location = response.field("location")
        if response.status not in {301, 302, 303, 307, 308} or not location:
            return response
        url = _url(location)
    raise RDAPError(f"{url.host}: redirects without end")


def _url(text: str) -> URL:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not text.isascii() or not text.isprintable():
        raise RDAPError("the registry names no web address")
    try:
        port = parts.port
    except ValueError as error:
        raise RDAPError("the registry names no web address") from error
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return URL(parts.scheme, parts.hostname, target.replace(" ", "%20"), port)


def _json(response: Response) -> Any:
    try:
        return json.loads(response.body)
    except (ValueError, RecursionError) as error:
        if response.status == 404:
            return {}
        raise RDAPError(f"an answer {response.status} that is not JSON") from error


def parse_bootstrap(document: Any, domain: Domain) -> list[str]:
    """The servers for the longest suffix of a domain (RFC 9224 §4)."""
    services: dict[str, list[str]] = {}
    for service in _list(document, "services"):
        if isinstance(service, list) and len(service) == 2 and all(isinstance(one, list) for one in service):
            urls = [one for one in service[1] if isinstance(one, str)]
            services.update((name.lower(), urls) for name in service[0] if isinstance(name, str))
    labels = domain.ascii.split(".")
    for at in range(len(labels)):
        if found := services.get(".".join(labels[at:])):
            return found
    return []


def parse_registered(document: Any) -> datetime:
    """The last of the events that begin a registration. Raises RDAPError."""
    times = list(_begun(document))
    if not times:
        raise RDAPError("the registry does not say when it was registered")
    return max(times)


def _begun(document: Any) -> Iterator[datetime]:
    for event in _list(document, "events"):
        if not isinstance(event, Mapping) or event.get("eventAction") not in _EVENTS:
            continue
        try:
            time = datetime.fromisoformat(str(event.get("eventDate")))
        except ValueError:
            continue
        yield time if time.tzinfo else time.replace(tzinfo=UTC)


def _list(document: Any, name: str) -> list[Any]:
    found = document.get(name) if isinstance(document, Mapping) else None
    return found if isinstance(found, list) else []


def _words(document: Any) -> str:
    """Title and description of an error (RFC 9083 §6)."""
    if not isinstance(document, Mapping):
        return ""
    words = [str(document.get("title") or ""), *map(str, _list(document, "description"))]
    text = " ".join(one for one in words if one)[:_SHOWN]
    return f": {text}" if text and text.isprintable() else ""
