"""Web sites: handlers in order, redirects of domains, and who would answer a request."""

from typing import Annotated
from urllib.parse import unquote, urlsplit

from appliance.base.problem import Kind, Problem
from appliance.config.domains import WebHandler
from appliance.config.schema import doc
from appliance.config.values import DomainName
from appliance.operations import websites
from appliance.servers.web import dispatch
from appliance.servers.web.api import Call, Wire
from appliance.servers.web.dispatch import Target


class BadURL(Problem):
    """Not a URL that could be asked here."""

    kind = Kind.INVALID


class WebserverConfig(Wire):
    """The web sites of the configuration."""

    web_domain_redirects: Annotated[dict[str, DomainName], doc("Domains whose requests all lead to another domain.")]
    web_handlers: Annotated[list[WebHandler], doc("Asked in this order; the first that matches answers.")]

    def sites(self) -> websites.Sites:
        """As the verb takes them."""
        return websites.Sites(self.web_domain_redirects, self.web_handlers)


class Webserver(Wire):
    """The web sites, and whether anybody serves them."""

    config: WebserverConfig
    enabled: Annotated[bool, doc("A listener has `webserver_http` or `webserver_https`.")]


async def webserver_config(call: Call) -> Webserver:
    """The web sites."""
    config = call.app.config.snapshot()
    found = websites.sites(config)
    shown = WebserverConfig(web_domain_redirects=dict(found.redirects), web_handlers=list(found.handlers))
    return Webserver(config=shown, enabled=websites.are_served(config))


async def webserver_config_save(call: Call, old: WebserverConfig, new: WebserverConfig) -> None:
    """Set all web sites. Old is what the page has shown: if that is no longer so, nothing changes."""
    await websites.save(call.app, old.sites(), new.sites())


class WebserverAnswer(Wire):
    """Who would answer a request."""

    handlers: Annotated[
        list[int], doc("Places of web handlers that are asked, in order: all but the last may decline.")
    ]
    otherwise: Annotated[str, doc("What answers when none of them does: a page of ours, `(redirect)`, `(notfound)`.")]
    location: Annotated[str, doc("Where a redirect leads that the server makes by itself.")]


async def webserver_ask(call: Call, url: str) -> WebserverAnswer:
    """Who would answer a GET of a URL here; nothing is asked in truth."""
    config = call.app.config.snapshot()
    try:
        parts = urlsplit(url)
        number = parts.port or {"http": 80, "https": 443}[parts.scheme]
    except (ValueError, KeyError) as error:
        raise BadURL("give a whole URL, as https://www.example.org/path") from error
    host, path = dispatch.parse_host(parts.hostname or ""), dispatch.clean_path(unquote(parts.path) or "/")
    if host is None or path is None:
        raise BadURL("nobody could ask for such a URL")
    port = next(
        (one for one in dispatch.ports(config.static) if one.number == number and one.tls == (parts.scheme == "https")),
        None,
    )
    if port is None:
        raise BadURL(f"no listener has {parts.scheme} on port {number}")
    target: Target | None = dispatch.find(config, port, host, path, query=f"?{parts.query}" if parts.query else "")
    asked = []
    while target is not None and target.site is not None:
        asked.append(next(at for at, one in enumerate(config.domains.web_handlers) if one is target.site))
        target = target.otherwise
    last = target or dispatch.NOT_FOUND
    return WebserverAnswer(handlers=asked, otherwise=last.handler, location=last.location)
