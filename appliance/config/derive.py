"""What follows from both files together: computed at each load, frozen, so that no reader sees a mix."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from appliance.config.addresses import AddressIndex
from appliance.config.domains import Domains
from appliance.config.static import Listener, Static
from appliance.config.validate_static import RunAs
from appliance.config.values import IPAddress
from appliance.mail.domain import Domain, parse_domain

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """Facts that the rooms above need and no key states directly."""

    #: Whom to run as after binding.
    user: RunAs
    addresses: AddressIndex
    #: Host names shown to mail clients; account pages, webmail and API answer for them too.
    client_settings_domains: frozenset[Domain]
    #: The only names ever put in a certificate, by ACME provider.
    acme_hosts: Mapping[str, frozenset[Domain]]
    #: Addresses outgoing mail leaves from: at most one per family; empty for the system's choice.
    source_ips: tuple[IPAddress, ...]
    #: Addresses from which our mail reaches others, for SPF records and checks.
    spf_ips: tuple[IPAddress, ...]
    #: Private keys by (domain in Unicode spelling, selector); empty when files were not looked at.
    dkim_keys: "Mapping[tuple[str, str], RSAPrivateKey | Ed25519PrivateKey]" = field(repr=False, compare=False)


def derive(
    static: Static,
    domains: Domains,
    *,
    addresses: AddressIndex,
    user: RunAs,
    dkim_keys: "Mapping[tuple[str, str], RSAPrivateKey | Ed25519PrivateKey]",
) -> Derived:
    """The facts that follow from a valid configuration."""
    return Derived(
        user=user,
        addresses=addresses,
        client_settings_domains=frozenset(
            one.client_settings_domain.domain for one in domains.domains.values() if one.client_settings_domain
        ),
        acme_hosts=acme_hosts(static, domains, addresses),
        source_ips=source_ips(static),
        spf_ips=spf_ips(static),
        dkim_keys=dkim_keys,
    )


def acme_hosts(static: Static, domains: Domains, addresses: AddressIndex) -> dict[str, frozenset[Domain]]:
    """The names each ACME provider may be asked for; how clients set SNI plays no part."""
    hosts: dict[str, set[Domain]] = {name: set() for name in static.acme}
    for listener in static.listeners.values():
        if listener.tls and listener.tls.acme:
            hosts[listener.tls.acme] |= _listener_hosts(listener, static, domains, addresses)
    return {name: frozenset(names) for name, names in hosts.items()}


def _listener_hosts(listener: Listener, static: Static, domains: Domains, addresses: AddressIndex) -> set[Domain]:
    hosts = {static.hostname.domain}
    if listener.hostname:
        hosts.add(listener.hostname.domain)
    autoconfig, mtasts = listener.autoconfig_https, listener.mtasts_https
    for entry in addresses.domains.values():
        if entry.config.disabled or entry.is_reports_only:
            continue
        if autoconfig.enabled and not autoconfig.non_tls:
            hosts |= _below("autoconfig", entry.domain)
        if entry.config.mtasts and mtasts.enabled and not mtasts.non_tls:
            hosts |= _below("mta-sts", entry.domain)
        if entry.config.client_settings_domain:
            hosts.add(entry.config.client_settings_domain.domain)
    if listener.webserver_https.enabled:
        hosts |= {parse_domain(source) for source in domains.web_domain_redirects}
        hosts |= {handler.domain.domain for handler in domains.web_handlers}
    return hosts


def _below(label: str, domain: Domain) -> set[Domain]:
    """The name below a domain, unless the domain is so long that there is none."""
    if len(label) + 1 + len(domain.ascii) > 253:
        return set()
    return {Domain(f"{label}.{domain.ascii}", f"{label}.{domain.unicode}")}


def source_ips(static: Static) -> tuple[IPAddress, ...]:
    """Addresses of SMTP listeners, if they say exactly which one to use for each family."""
    ips = [name.ip for one in static.listeners.values() if one.smtp.enabled for name in one.ips]
    if any(ip.is_unspecified for ip in ips) or len({ip.version for ip in ips}) < len(set(ips)):
        return ()
    return tuple(dict.fromkeys(ips))


def spf_ips(static: Static) -> tuple[IPAddress, ...]:
    """Public addresses that mail of ours comes from."""
    names = [name for one in static.listeners.values() if one.smtp.enabled for name in one.nat_ips or one.ips]
    for transport in static.transports.values():
        if transport.socks:
            names += transport.socks.remote_ips
    return tuple(dict.fromkeys(name.ip for name in names if not name.ip.is_unspecified))
