"""The authorities that the configuration names, each with the certificates it gives us; built once, at the start.

Files are read while that is still allowed: keys of hosts may be root's own. A provider's names are those of the newest
configuration, so that a domain added at run time needs no restart.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from ipaddress import IPv4Address, IPv6Address
from typing import Final
from urllib.parse import quote

import trio
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from appliance.base.clock import Clock
from appliance.base.ids import Random
from appliance.config.keyfiles import binding_key
from appliance.config.source import Config, ConfigSource
from appliance.config.static import ACMEProvider, Listener, Static
from appliance.dns.resolver import Resolver
from appliance.mail.domain import parse_domain
from appliance.net import supervise
from appliance.net.connection import Choose
from appliance.net.http import Client
from appliance.tls.acme import keys
from appliance.tls.acme.challenges import Answers, InDNS, InTLS, OnHTTP
from appliance.tls.acme.checks import Checks
from appliance.tls.acme.choosing import Choosing, Manners
from appliance.tls.acme.client import Account, ACMEClient, Solver
from appliance.tls.acme.keys import KeyType
from appliance.tls.acme.provider import Names, Pace, Provider
from appliance.tls.acme.storage import State, Storage
from appliance.tls.certificates import Shown
from appliance.tls.context import KeyPair, client_context
from appliance.tls.contexts import SocketContexts
from appliance.tls.verify import Roots, by_authorities

#: The listener for the internet: its addresses are public, its keys stand in the DNS.
PUBLIC: Final = "public"
#: Left as it is in a mailto URL (RFC 6068 §2).
_LOCALPART: Final = "!$&'*+-._~=^"


class Authorities:
    """All of them."""

    def __init__(self, answers: Answers, providers: Mapping[str, Provider]) -> None:
        #: What waits to be seen by one of them.
        self.answers = answers
        self._providers = providers

    def choosing(
        self, provider: str, contexts: SocketContexts, *, hostname: str, delivery: bool = False, web: bool = False
    ) -> Choose:
        """Chooses for a listening socket, among the certificates of a provider; see `Manners`."""
        manners = Manners(hostname, delivery=delivery, web=web)
        return Choosing(self._providers[provider], self.answers, contexts, manners)

    def allows(self, host: str) -> bool:
        """Whether one of them may be asked for a certificate of this name."""
        return any(one.allows(host) for one in self._providers.values())

    def pair(self, host: str) -> KeyPair | None:
        """What one of them gave for a host, if it did."""
        found = (one.any_pair(host) for one in self._providers.values() if one.allows(host))
        return next((one for one in found if one is not None), None)

    def shown(self) -> list[Shown]:
        """How all certificates stand."""
        return [shown for one in self._providers.values() for shown in one.shown()]

    def close(self) -> None:
        """Ask for nothing more: the house is about to end."""
        for one in self._providers.values():
            one.close()

    async def keep(self) -> None:
        """Keeper task."""
        async with trio.open_nursery() as nursery:
            for name, one in self._providers.items():
                nursery.start_soon(supervise.keep, f"acme {name}", one.keep)


def of_config(
    source: ConfigSource, resolver: Resolver, roots: Roots, clock: Clock, random: Random, pace: Pace
) -> Authorities:
    """As the configuration has them. Blocks; raises OSError and ValueError for files that are unfit."""
    config, answers = source.snapshot(), Answers()
    providers = {}
    for name, settings in config.static.acme.items():
        storage = Storage(config.data_directory, name)
        solvers = _solvers(config, name, answers, resolver.named("acme"), clock)
        providers[name] = Provider(
            name,
            storage,
            names=_Names(source, name),
            host_keys=host_keys(config, name),
            directory_url=str(settings.directory_url),
            renew_before=None if settings.renew_before is None else settings.renew_before.seconds,
            make_client=partial(_client, settings, _account(config, settings, storage), resolver, roots, clock),
            solvers=solvers,
            check=Checks(
                resolver.named("acme"),
                public_ips=public_ips(config.static),
                issuer=settings.issuer,
                methods=[one.kind for one in solvers],
            ),
            clock=clock,
            random=random,
            pace=pace,
        )
    return Authorities(answers, providers)


def _account(config: Config, settings: ACMEProvider, storage: Storage) -> Account:
    binding = None
    if settings.external_account_binding is not None:
        one = settings.external_account_binding
        binding = one.key_id, binding_key((config.directory / one.key_file).read_bytes())
    return Account(storage.account_key(), _ascii_address(settings.contact_email), binding)


def _ascii_address(text: str) -> str:
    """An address as RFC 8555 §7.3 has it in a mailto URL: its domain in A-labels."""
    localpart, _, domain = text.rpartition("@")
    return f"{quote(localpart, safe=_LOCALPART)}@{parse_domain(domain).ascii}"


def _client(
    settings: ACMEProvider,
    account: Account,
    resolver: Resolver,
    roots: Roots,
    clock: Clock,
    state: State,
    keep_account: Callable[[str, str], None],
) -> ACMEClient:
    def judge(chain: Sequence[bytes], name: str) -> str:
        return by_authorities(chain, name, roots, clock.now()).result

    http = Client(resolver.named("acme"), client_context(), judge, "acme")
    return ACMEClient(
        http,
        str(settings.directory_url),
        account,
        clock.now,
        account_url=state.account_url,
        contact=state.contact,
        keep_account=keep_account,
    )


def _solvers(config: Config, provider: str, answers: Answers, resolver: Resolver, clock: Clock) -> list[Solver]:
    """What we can answer, in the order it is tried. A port for TLS there always is, the others only if configured."""
    found: list[Solver] = [InTLS(answers, clock)]
    settings = config.static.acme[provider].dns_update
    if settings is not None:
        from appliance.dns import update  # It brings a library that a house without it need not load.

        updater = update.configured(settings, config.directory)
        found.insert(0, InDNS(updater, resolver, settings.propagation.seconds))
    if any(one.http_ports for one in _listeners(config.static, provider).values()):
        found.append(OnHTTP(answers))
    return found


def _listeners(static: Static, provider: str) -> dict[str, Listener]:
    """Those with certificates of a provider."""
    return {name: one for name, one in static.listeners.items() if one.tls is not None and one.tls.acme == provider}


def _hostname(static: Static, listener: Listener) -> str:
    return (listener.hostname or static.hostname).domain.ascii


def host_keys(config: Config, provider: str) -> dict[tuple[str, KeyType], keys.PrivateKey]:
    """The keys that certificates of hosts must have, so that DANE records stay right (RFC 7671 §8.1).

    The first of each kind counts. Of several listeners with the same host, one that names it itself comes first, then
    `public`. Raises OSError, ValueError.
    """
    static = config.static
    listeners = _listeners(static, provider)
    in_order = sorted(listeners, key=lambda name: (listeners[name].hostname is None, name != PUBLIC))
    found: dict[tuple[str, KeyType], keys.PrivateKey] = {}
    for name in in_order:
        host, tls = _hostname(static, listeners[name]), listeners[name].tls
        for file in tls.host_private_key_files if tls is not None else ():
            key = load_pem_private_key((config.directory / file).read_bytes(), None)
            key_type = keys.type_of(key)
            if key_type is not None:
                found.setdefault((host, key_type), key)  # type: ignore[arg-type]
    return found


def public_ips(static: Static) -> frozenset[IPv4Address | IPv6Address]:
    """Where names of ours should lead; empty when the configuration does not say."""
    public = static.listeners.get(PUBLIC)
    if public is None:
        return frozenset()
    addresses = [name.ip for name in public.nat_ips or public.ips]
    return frozenset() if any(one.is_unspecified for one in addresses) else frozenset(addresses)


class _Names:
    """The names of one provider, in the newest configuration."""

    def __init__(self, source: ConfigSource, provider: str) -> None:
        self._source, self._provider = source, provider
        self._made_of: Config | None = None
        self._names = Names()

    def __call__(self) -> Names:
        config = self._source.snapshot()
        if config is not self._made_of:
            self._made_of, self._names = config, names_of(config, self._provider)
        return self._names


def names_of(config: Config, provider: str) -> Names:
    """What a configuration wants of a provider.

    Mail programs do not wait at their first connection, so what they use is asked for before; policy hosts of MTA-STS
    and web sites get theirs when somebody comes.
    """
    static = config.static
    allowed = frozenset(one.ascii for one in config.derived.acme_hosts[provider])
    hosts = [static.hostname.domain.ascii]
    hosts += [_hostname(static, one) for one in _listeners(static, provider).values()]
    hosts += sorted(one.ascii for one in config.derived.client_settings_domains)
    hosts += sorted(one for one in allowed if one.startswith("autoconfig."))
    wildcards = frozenset(one.domain.ascii for one in static.acme[provider].wildcards)
    return Names(allowed, tuple(dict.fromkeys(one for one in hosts if one in allowed)), wildcards)
