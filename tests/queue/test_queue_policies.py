"""Mail under the policies of the world: TLSA records and MTA-STS as they are published, to hosts with TLS."""

import hashlib
from contextlib import asynccontextmanager
from ipaddress import ip_address

import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from appliance.dns.answers import MX, TLSA, Type
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table
from appliance.net.http import Fault, HTTPError, Response
from appliance.queue.hosts import HostAddresses, NextHosts
from appliance.queue.policies import WorldPolicies, way_to
from appliance.tls import mtasts
from appliance.tls.dane import Way
from support.authority import Authority
from support.handing import NoChance, Today, sending, short
from support.stores import open_store

AUTHORITY, STRANGER = Authority(), Authority()
DOMAIN, HOST, AT, POLICY = "them.example", "mx.them.example", "_25._tcp.mx.them.example", "_mta-sts.them.example"
ADDRESS = "192.0.2.1"
GOOD, BAD = AUTHORITY.key_pair(HOST), STRANGER.key_pair("other.example")


def of_key(pair, usage=3):
    certificate = x509.load_pem_x509_certificates(pair.chain)[0 if usage == 3 else -1]
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return TLSA(usage, 1, 1, hashlib.sha256(key).digest())


def published(*mx, mode="enforce"):
    lines = ["version: STSv1", f"mode: {mode}", *(f"mx: {one}" for one in mx), "max_age: 9999"]
    return "\n".join(lines).encode()


class Web:
    def __init__(self, answer):
        self.answer = answer

    async def send(self, request, bounds):
        await trio.lowlevel.checkpoint()
        if isinstance(self.answer, Fault):
            raise HTTPError(self.answer, "text")
        return Response(200, (), self.answer)


@asynccontextmanager
async def under(folder, records, web, **table):
    """A made-up world with the policies that are published in it."""
    clock = Today()
    names = {DOMAIN: {Type.MX: [MX(10, HOST)]}, HOST: {Type.A: [ip_address(ADDRESS)]}, **records}
    resolver = Resolver(Table(names, **table))
    with open_store(folder, clock) as store:
        domains = mtasts.Policies(store, resolver, Web(web), clock=clock, random=NoChance())
        policies = WorldPolicies(resolver, domains)
        async with sending(policies, resolver=resolver, roots=AUTHORITY.roots, clock=clock) as it:
            yield it


TLSA_GOOD, TLSA_BAD = {AT: {Type.TLSA: [of_key(GOOD)]}}, {AT: {Type.TLSA: [of_key(BAD)]}}
STS = {POLICY: {Type.TXT: ["v=STSv1; id=1"]}}
SIGNED = {"authentic": True}


@pytest.mark.parametrize(("records", "table", "web", "tls", "outcome", "label"), [
    pytest.param(TLSA_BAD, SIGNED, b"", BAD, "delivered", "requiredstarttls+dane", id="key of the host"),
    pytest.param(TLSA_GOOD, SIGNED, b"", BAD, "4.7.5", "requiredstarttls+dane", id="another key"),
    pytest.param(TLSA_GOOD, {}, b"", BAD, "delivered", "opportunistic", id="another key, nobody vouches"),
    pytest.param({AT: {Type.TLSA: [of_key(GOOD, 2)]}}, SIGNED, b"", GOOD, "delivered", "requiredstarttls+dane",
                 id="key of its authority"),
    pytest.param({AT: {Type.TLSA: [of_key(BAD, 2)]}}, SIGNED, b"", BAD, "4.7.5", "requiredstarttls+dane",
                 id="key of its authority, another name"),
    pytest.param({AT: {Type.TLSA: [TLSA(1, 1, 1, b"x" * 32)]}}, SIGNED, b"", BAD, "delivered",
                 "requiredstarttls+dane", id="no usable record"),
    pytest.param({AT: {Type.TLSA: [TLSA(1, 1, 1, b"x" * 32)]}}, SIGNED, b"", None, "502 5.0.0",
                 "requiredstarttls+dane", id="no usable record, no TLS"),
    pytest.param({}, {**SIGNED, "bogus": [(AT, Type.TLSA)]}, b"", GOOD, "4.7.5", "requiredstarttls+dane", id="bogus"),
    pytest.param(STS, {}, published(HOST), GOOD, "delivered", "requiredstarttls+mtasts", id="MTA-STS"),
    pytest.param(STS, {}, published(HOST), BAD, "4.7.5", "requiredstarttls+mtasts", id="MTA-STS, unknown authority"),
    pytest.param(STS, {}, published("*.them.example"), GOOD, "delivered", "requiredstarttls+mtasts", id="wildcard"),
    pytest.param(STS, {}, published("other.example"), GOOD, "4.7.5", "requiredstarttls+mtasts", id="other hosts"),
    pytest.param(STS, {}, published("other.example", mode="testing"), BAD, "delivered", "opportunistic+mtasts",
                 id="testing"),
    pytest.param(STS, {}, published(mode="none"), None, "delivered", "opportunistic", id="none"),
    pytest.param(STS, {}, Fault.CONNECTION, None, "delivered", "opportunistic", id="not to be had"),
    pytest.param({}, {"failing": [(POLICY, Type.TXT)]}, b"", GOOD, "4.4.3", "", id="nobody knows"),
    pytest.param({**STS, **TLSA_GOOD}, SIGNED, published(HOST), GOOD, "delivered", "requiredstarttls+mtasts+dane",
                 id="both"),
])  # fmt: skip
async def test_delivery(tmp_path, records, table, web, tls, outcome, label):
    async with under(tmp_path, records, web, **table) as it:
        host = it.net.host(ADDRESS, tls=tls)
        handed = await it.send(DOMAIN)
        assert short(handed).removeprefix("temporary ") == outcome
        assert len(host.arrived) == (outcome == "delivered")
        assert handed.tls_label == label


CDN = "a.cdn.example"
ALIAS = {
    HOST: {Type.CNAME: [CDN]},
    CDN: {Type.A: [ip_address(ADDRESS)]},
    f"_25._tcp.{CDN}": {Type.TLSA: [of_key(GOOD)]},
}


@pytest.mark.parametrize(("records", "name"), [
    pytest.param({}, HOST, id="neither"),
    pytest.param(TLSA_GOOD, HOST, id="DANE"),
    pytest.param(ALIAS, CDN, id="DANE, of an alias"),
    pytest.param({**ALIAS, **STS}, HOST, id="both"),
])  # fmt: skip
async def test_the_name_that_is_asked_for(tmp_path, records, name):
    """RFC 7672 §8.1: that whose records count, or the server may show another certificate."""
    async with under(tmp_path, records, published(HOST), authentic=True) as it:
        host = it.net.host(ADDRESS, tls=GOOD)
        assert short(await it.send(DOMAIN)) == "delivered"
        assert host.server_names == [name]


@pytest.mark.parametrize(("mx", "at", "expected"), [
    pytest.param((True, True), (True, True), (True, True), id="all signed"),
    pytest.param((True, False), (True, True), (False, False), id="MX not signed"),
    pytest.param((True, True), (True, False), (True, False), id="alias into an unsigned zone"),
    pytest.param((True, True), (False, False), (False, False), id="host not signed"),
])  # fmt: skip
def test_way(mx, at, expected):
    hosts = NextHosts((HOST,), DOMAIN, "alias.example", has_mx=True, domain_authentic=mx[0], authentic=mx[1])
    host = HostAddresses(HOST, "cdn.example", (ip_address(ADDRESS),), host_authentic=at[0], authentic=at[1])
    assert way_to(hosts, host) == Way(HOST, "cdn.example", *expected, (DOMAIN, "alias.example"))
