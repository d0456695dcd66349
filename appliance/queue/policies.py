"""The policies of the world about TLS to its mail hosts: MTA-STS of domains, DANE of hosts, by way of the room tls."""

from collections.abc import Callable

from appliance.base.metrics import Counter
from appliance.delivery.appliance import Appliance
from appliance.dns.resolver import Resolver
from appliance.mail.domain import Domain
from appliance.queue.hosts import HostAddresses, NextHosts
from appliance.queue.tlsdemands import Policies
from appliance.tls import dane, mtasts
from appliance.tls.context import client_context
from appliance.tls.dane import HostKeys, Way

dane_required = Counter("queue_destination_dane_required_total", "Hosts whose keys are known by DANE.")
dane_unverified = Counter(
    "queue_destination_dane_starttlsunverified_total", "Hosts with TLSA records that all say nothing to us."
)
dane_failed = Counter(
    "queue_destination_dane_gathertlsa_errors_total", "Hosts whose TLSA records could not be looked up."
)

#: Makes what knows the policies, for a house.
Makes = Callable[[Appliance], Policies]


class WorldPolicies:
    """Policies as they are published."""

    def __init__(self, resolver: Resolver, domains: mtasts.Policies) -> None:
        self._resolver, self._domains = resolver, domains

    async def of_domain(self, domain: Domain) -> mtasts.DomainPolicy | None:
        """See Policies."""
        return await self._domains.of_domain(domain)

    async def of_host(self, hosts: NextHosts, host: HostAddresses) -> HostKeys | None:
        """See Policies."""
        keys = await dane.keys_of(self._resolver, way_to(hosts, host))
        if keys is None:
            return None
        if keys.problem:
            dane_failed.inc()
        elif keys.records:
            dane_required.inc()
        else:
            dane_unverified.inc()
        return keys

    async def keep(self) -> None:
        """See Policies."""
        await self._domains.keep()


def way_to(hosts: NextHosts, host: HostAddresses) -> Way:
    """How a host was found: DANE counts only where DNSSEC vouches for each step (RFC 7672 §2.2)."""
    return Way(
        host.host,
        host.expanded,
        host_authentic=hosts.authentic and host.host_authentic,
        authentic=hosts.authentic and host.authentic,
        domains=(hosts.domain, hosts.expanded),
    )


def of_world(app: Appliance) -> WorldPolicies:
    """Those of a house that sends mail into the world."""
    client = mtasts.client(app.resolver.named("mtasts"), client_context(), app.roots, app.clock.now)
    domains = mtasts.Policies(app.store, app.resolver.named("mtasts"), client, clock=app.clock, random=app.random)
    return WorldPolicies(app.resolver.named("dane"), domains)
