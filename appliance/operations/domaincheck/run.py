"""All checks of a domain, side by side."""

from collections.abc import Awaitable, Callable
from typing import Final

import trio

from appliance.base.log import Log
from appliance.dns.problems import LookupProblem
from appliance.operations.domaincheck import clients, mailhosts, reporting, senders
from appliance.operations.domaincheck.area import SECONDS, Area, Subject

log = Log("dnscheck")

_Check = Callable[[Subject], Awaitable[Area]]
#: By the names that programs know the areas by.
CHECKS: Final[dict[str, tuple[str, _Check]]] = {
    "dnssec": ("DNSSEC", mailhosts.dnssec),
    "iprev": ("Reverse names", mailhosts.reverse_names),
    "mx": ("MX", mailhosts.exchanges),
    "tls": ("TLS", mailhosts.tls),
    "dane": ("DANE", mailhosts.dane),
    "spf": ("SPF", senders.spf),
    "dkim": ("DKIM", senders.dkim),
    "dmarc": ("DMARC", senders.dmarc),
    "host_tlsrpt": ("TLS reports about the host", reporting.host_tlsrpt),
    "domain_tlsrpt": ("TLS reports about the domain", reporting.domain_tlsrpt),
    "mtasts": ("MTA-STS", reporting.mtasts),
    "srv": ("SRV", clients.services),
    "autoconfig": ("Autoconfig", clients.autoconfig),
    "autodiscover": ("Autodiscover", clients.autodiscover),
}


async def check(subject: Subject) -> dict[str, Area]:
    """What every check found, in the order of `CHECKS`; within half a minute, and whatever happens in one of them."""
    found: dict[str, Area] = {}

    async def one(name: str, title: str, run: _Check) -> None:
        with trio.move_on_after(SECONDS) as scope:
            try:
                found[name] = await run(subject)
            except LookupProblem as problem:
                found[name] = Area(title, errors=[str(problem)])
            except Exception as error:
                log.error("a check failed", area=name, err=error, exc_info=True)
                found[name] = Area(title, errors=[f"the check itself failed, which is a bug: {type(error).__name__}"])
        if scope.cancelled_caught:
            found[name] = Area(title, errors=[f"no result after {SECONDS:g} s"])

    async with trio.open_nursery() as nursery:
        for name, (title, run) in CHECKS.items():
            nursery.start_soon(one, name, title, run)
    return {name: found[name] for name in CHECKS}
