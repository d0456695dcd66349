"""Which way a message takes to other hosts: by its own transport, or by the routes of the configuration. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from appliance.config.domains import Route
from appliance.config.source import Config
from appliance.config.static import Transport
from appliance.mail.domain import Domain
from appliance.mail.status import Status
from appliance.protocol.smtp.failure import Failure, Fault


@dataclass(frozen=True, slots=True)
class Way:
    """A transport by its name; the empty one is the usual way, straight to the recipient's hosts."""

    name: str
    transport: Transport


DIRECT = Way("", Transport())


def choose(
    config: Config,
    *,
    account: str,
    sender: Domain | None,
    recipient: Domain | None,
    attempts: int,
    forced: str | None = None,
) -> Way | None:
    """The way of a message; None when the transport it was given does not exist (any more).

    The first route that matches counts: those of the account, of the sender's domain, of all. `sender` is None for the
    null path, `recipient` for an address literal; `attempts` are those made before.
    """
    if forced:
        transport = config.static.transports.get(forced)
        return None if transport is None else Way(forced, transport)
    for route in _routes(config, account, sender):
        if _matches(route, sender, recipient, attempts):
            return Way(route.transport, config.static.transports[route.transport])
    return DIRECT


def _routes(config: Config, account: str, sender: Domain | None) -> Iterable[Route]:
    settings = config.domains.accounts.get(account)
    if settings is not None:
        yield from settings.routes
    entry = config.derived.addresses.domains.get(sender.ascii) if sender is not None else None
    if entry is not None:
        yield from entry.config.routes
    yield from config.domains.routes


def _matches(route: Route, sender: Domain | None, recipient: Domain | None, attempts: int) -> bool:
    return (
        route.minimum_attempts <= attempts
        and (not route.from_domain or any(one.matches(sender) for one in route.from_domain))
        and (not route.to_domain or any(one.matches(recipient) for one in route.to_domain))
    )


def failure(way: Way) -> Failure | None:
    """How everything fails that takes this way; None for a way that leads somewhere."""
    fail = way.transport.fail
    if fail is None:
        return None
    code = fail.smtp_code
    return Failure(
        fault=Fault.REFUSED,
        permanent=code >= 500,
        code=code,
        status=Status(code // 100, 7, 0),
        command="",
        lines=(str(fail.smtp_message),),
    )
