"""The names of a house for tests: any domain lets this machine send its mail, and no network is asked."""

from ipaddress import ip_address

import pytest

from appliance.dns.answers import Type
from appliance.dns.problems import NotFound
from appliance.dns.resolver import Resolver
from appliance.localserve import Names
from appliance.mail.address import Path
from appliance.mail.domain import parse_domain
from appliance.msgauth import iprev
from appliance.msgauth.dmarc import check as dmarc
from appliance.msgauth.spf import check as spf

RESOLVER = Resolver(Names())


@pytest.mark.parametrize("domain", ["localhost", "example.org", "a.b.example"])
@pytest.mark.parametrize(
    ("ip", "status"),
    [
        ("127.0.0.1", "pass"),
        ("::1", "pass"),
        ("172.17.0.2", "pass"),
        ("192.168.1.9", "pass"),
        ("203.0.113.1", "neutral"),
    ],
)
async def test_spf(domain: str, ip: str, status: str) -> None:
    question = spf.of_path(ip_address(ip), Path("x", parse_domain(domain)), None, "localhost")
    assert (await spf.check(RESOLVER, question)).status == status


async def test_policies_and_keys_are_no_hosts() -> None:
    assert (await dmarc.lookup(RESOLVER, parse_domain("example.org"))).status == "none"
    for name in ("_dmarc.example.org", "sel._domainkey.example.org", "_25._tcp.localhost"):
        for type in Type:
            with pytest.raises(NotFound):
                await RESOLVER.lookup(name, type)


async def test_this_machine_has_a_name() -> None:
    for address in ("127.0.0.1", "::1"):
        assert (await iprev.check(RESOLVER, ip_address(address))).name == "localhost"
