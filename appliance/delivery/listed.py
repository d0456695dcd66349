"""Whether DNS block lists have our own addresses: mail of ours would then be refused by those who ask them.

Looked up at start, again after a number of connections to other servers, and at the latest after some hours: who lists
us does so because of what we sent.
"""

from collections.abc import Iterator
from typing import Final

import trio

from appliance.base.log import Log
from appliance.base.metrics import Gauge
from appliance.config.source import Config, ConfigSource
from appliance.dns.resolver import Resolver
from appliance.mail.domain import Domain
from appliance.msgauth import dnsbl
from appliance.msgauth.dnsbl import IPAddress, Listing
from appliance.msgauth.results import AuthStatus

log = Log("dnsbl")

unlisted = Gauge("dnsbl_ips_success", "Our addresses: 1 not listed, 0 listed, -1 nobody knows.", ("zone", "ip"))

#: Connections after which it is worth another look.
CONNECTIONS: Final = 100
LEAST_PAUSE_SECONDS: Final = 5 * 60.0
MOST_PAUSE_SECONDS: Final = 3 * 3600.0
#: Between two questions: lists do not like to be hurried.
QUESTION_PAUSE_SECONDS: Final = 1.0

_VALUES: Final = {AuthStatus.PASS: 1, AuthStatus.FAIL: 0}


class OwnListings:
    """What the lists said last."""

    def __init__(self) -> None:
        self.found: dict[tuple[Domain, IPAddress], Listing] = {}
        self._connections = 0
        self._enough = trio.Event()

    def connected(self) -> None:
        """We have connected to another server."""
        self._connections += 1
        if self._connections >= CONNECTIONS:
            self._enough.set()

    async def keep(self, resolver: Resolver, config: ConfigSource) -> None:
        """Keeper task: look, and look again. A change of the settings counts from the next look on."""
        while True:
            self._connections, self._enough = 0, trio.Event()
            await self.look(resolver.named("dnsbl"), config.snapshot())
            await trio.sleep(LEAST_PAUSE_SECONDS)
            with trio.move_on_after(MOST_PAUSE_SECONDS - LEAST_PAUSE_SECONDS):
                await self._enough.wait()

    async def look(self, resolver: Resolver, config: Config) -> None:
        """Ask every list about every address; what is no longer asked about is forgotten."""
        wanted = list(questions(config))
        for zone, ip in self.found.keys() - set(wanted):
            del self.found[zone, ip]
            unlisted.remove(zone.ascii, str(ip))
        for number, (zone, ip) in enumerate(wanted):
            if number:
                await trio.sleep(QUESTION_PAUSE_SECONDS)
            listing = self.found[zone, ip] = await dnsbl.check(resolver, zone, ip)
            unlisted.labels(zone.ascii, str(ip)).set(_VALUES.get(listing.status, -1))
            if listing.status is AuthStatus.FAIL:
                log.error("our address is in a block list", zone=zone.ascii, ip=ip, explanation=listing.explanation)


def questions(config: Config) -> Iterator[tuple[Domain, IPAddress]]:
    """Lists that are to be asked, each about each of our public addresses."""
    asked = (name for one in config.static.listeners.values() if one.smtp.enabled for name in one.smtp.dnsbls)
    zones = dict.fromkeys(one.domain for one in (*asked, *config.domains.monitor_dnsbls))
    for zone in zones:
        for ip in config.derived.spf_ips:
            if ip.is_global:
                yield zone, ip
