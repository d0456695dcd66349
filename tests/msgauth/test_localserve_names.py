"""The names of a house for tests: any domain lets this machine send its mail, and no network is asked."""

from ipaddress import ip_address
from pathlib import Path as Folder

import pytest

from appliance.config.source import ConfigSource
from appliance.dns.answers import Type
from appliance.dns.problems import NotFound
from appliance.dns.resolver import Resolver
from appliance.localserve import Names, create
from appliance.mail.address import Path
from appliance.mail.domain import parse_domain
from appliance.msgauth import iprev
from appliance.msgauth.dkim import record
from appliance.msgauth.dmarc import check as dmarc
from appliance.msgauth.spf import check as spf

#: No question of these tests is about a key of ours.
RESOLVER = Resolver(Names(None))  # type: ignore[arg-type]


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
    for name in ("_dmarc.example.org", "_25._tcp.localhost"):
        for type in Type:
            with pytest.raises(NotFound):
                await RESOLVER.lookup(name, type)


@pytest.mark.parametrize(
    ("ip", "name"),
    [
        ("127.0.0.1", "localhost"),
        ("::1", "localhost"),
        ("172.17.0.2", "172-17-0-2.hosts.localhost"),
        ("2001:db8::1", "2001-0db8-0000-0000-0000-0000-0000-0001.hosts.localhost"),
    ],
)
async def test_every_client_has_a_name(ip: str, name: str) -> None:
    assert (await iprev.check(RESOLVER, ip_address(ip))).name == name


async def test_keys_of_ours_are_published(tmp_path: Folder) -> None:
    create(tmp_path, ("127.0.0.1",))
    source = ConfigSource(tmp_path / "moxpy.toml")
    resolver = Resolver(Names(source))
    found = await record.lookup(resolver, "localserve", "localhost")
    assert found.record is not None
    assert found.record.key_type == "ed25519"
    for name in ("localserve._domainkey.example.org", "other._domainkey.localhost"):
        with pytest.raises(NotFound):
            await resolver.txt(name)
