"""What is looked at before an authority is asked, so that what must fail is not tried (authorities count failures)."""

from collections.abc import Collection, Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Final

import trio

from appliance.base.log import Log
from appliance.dns.problems import InvalidName, NotFound, Temporary
from appliance.dns.resolver import Resolver
from appliance.tls.acme import caa
from appliance.tls.acme.client import NOT_ASKED, ACMEClient, ACMEError

log = Log("autotls")

_SECONDS: Final = 10.0


class Checks:
    """The look-ups before an order."""

    def __init__(
        self,
        resolver: Resolver,
        *,
        public_ips: Collection[IPv4Address | IPv6Address],
        issuer: str,
        methods: Sequence[str],
    ) -> None:
        """`public_ips`: where names should lead, empty when nobody knows; `issuer`: as configured, maybe empty."""
        self._resolver = resolver
        self._public_ips = public_ips
        self._issuer = issuer
        self._methods = methods

    async def __call__(self, client: ACMEClient, host: str) -> None:
        """Raises ACMEError when an order would fail for sure. Doubts are only logged."""
        directory = await client.directory()
        wildcard, host = host.startswith("*."), host.removeprefix("*.")
        methods = ["dns-01"] if wildcard else self._methods
        if "dns-01" not in self._methods:
            await self._leads_here(host)
        identities = {one for one in (self._issuer, *directory.meta.caa_identities) if one}
        if not identities:
            return
        try:
            with trio.fail_after(_SECONDS):
                owner, found = await caa.records(self._resolver, host)
        except (Temporary, trio.TooSlowError) as problem:
            log.debug("CAA records could not be looked up", problem, host=host)
            return
        account = await client.account_url() if any("accounturi" in one.value for one in found) else ""
        why = caa.objection(found, identities, account_url=account, methods=methods, wildcard=wildcard)
        if why:
            raise ACMEError(f"{why} (records of {owner})", kind="caa")

    async def _leads_here(self, host: str) -> None:
        try:
            with trio.fail_after(_SECONDS):
                answer = await self._resolver.addresses(host)
        except (NotFound, InvalidName) as problem:
            raise ACMEError(f"the name has no address in the DNS: {problem}", kind=NOT_ASKED) from problem
        except (Temporary, trio.TooSlowError) as problem:
            log.debug("addresses could not be looked up", problem, host=host)
            return
        ours = self._public_ips
        others = [str(one) for one in answer.records if one not in ours]
        if ours and others:
            log.warn("the name leads elsewhere, validation will probably fail", host=host, addresses=", ".join(others))
