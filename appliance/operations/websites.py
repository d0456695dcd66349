"""Web sites: the handlers that answer requests, in order, and domains whose requests all lead elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from appliance.config import edit
from appliance.config.domains import WebHandler
from appliance.config.source import Config
from appliance.config.values import DomainName
from appliance.delivery.appliance import Appliance
from appliance.operations import configuring
from appliance.operations.settings import ChangedMeanwhile

if TYPE_CHECKING:
    from tomlkit import TOMLDocument


@dataclass(frozen=True)
class Sites:
    """What the configuration has of them."""

    redirects: Mapping[str, DomainName]
    handlers: Sequence[WebHandler]


def sites(config: Config) -> Sites:
    """Those there are."""
    return Sites(dict(config.domains.web_domain_redirects), config.domains.web_handlers)


def are_served(config: Config) -> bool:
    """Whether a listener serves web sites."""
    return any(one.webserver_http.enabled or one.webserver_https.enabled for one in config.static.listeners.values())


async def save(app: Appliance, old: Sites, new: Sites) -> None:
    """Set all of them, if they are still as they were: `old`. Raises ChangedMeanwhile, NotValid, FileRefused."""

    def edits(document: "TOMLDocument", config: Config) -> None:
        before = sites(config)
        if (before.redirects, *before.handlers) != (dict(old.redirects), *old.handlers):
            raise ChangedMeanwhile("web sites were changed meanwhile; look at them again")
        domains = replace(config.domains, web_domain_redirects=dict(new.redirects), web_handlers=tuple(new.handlers))
        edit.update_table(document, (), config.domains, domains)

    await configuring.change(app, edits)
