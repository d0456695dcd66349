"""TLSA records of a host: where they are looked for, and what comes of it."""

import pytest
import trio

from appliance.dns.answers import TLSA, Type
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table
from appliance.tls import dane
from appliance.tls.dane import HostKeys, Way, keys_of

HOST, CDN, DOMAIN = "mx.example.org", "a.cdn.example", "example.org"
GOOD = TLSA(3, 1, 1, b"x" * 32)
OTHER = TLSA(2, 0, 2, b"y" * 64)
AT_HOST, AT_CDN = f"_25._tcp.{HOST}", f"_25._tcp.{CDN}"
UNUSABLE = (
    TLSA(0, 1, 1, b"x" * 32),
    TLSA(1, 1, 1, b"x" * 32),
    TLSA(3, 2, 1, b"x" * 32),
    TLSA(3, 1, 3, b"x" * 32),
    TLSA(3, 1, 1, b"x" * 31),
    TLSA(3, 0, 0, b"no certificate"),
)

PLAIN = Way(HOST, HOST, host_authentic=True, authentic=True, domains=(DOMAIN,))
ALIAS = Way(HOST, CDN, host_authentic=True, authentic=True, domains=(DOMAIN,))
#: The host's CNAME is signed, what it leads to is not.
ASTRAY = Way(HOST, CDN, host_authentic=True, authentic=False)
UNSIGNED = Way(HOST, HOST, host_authentic=False, authentic=False)


def tlsa(*records):
    return {Type.TLSA: records}


def alias(name):
    return {Type.CNAME: [name]}


async def ask(way, records, **options):
    options.setdefault("authentic", True)
    return await keys_of(Resolver(Table(records, **options)), way)


@pytest.mark.parametrize(("way", "records", "options", "expected"), [
    pytest.param(PLAIN, {AT_HOST: tlsa(GOOD)}, {}, (HOST, (GOOD,), (HOST, DOMAIN)), id="plain"),
    pytest.param(PLAIN, {AT_HOST: tlsa(*UNUSABLE, GOOD, OTHER)}, {}, (HOST, (GOOD, OTHER), (HOST, DOMAIN)),
                 id="usable ones among others"),
    pytest.param(PLAIN, {HOST: {}}, {}, None, id="none"),
    pytest.param(PLAIN, {AT_HOST: tlsa(GOOD)}, {"authentic": False}, None, id="records that are not authentic"),
    pytest.param(UNSIGNED, {AT_HOST: tlsa(GOOD)}, {}, None, id="way that is not authentic"),
    pytest.param(ALIAS, {AT_CDN: tlsa(GOOD), AT_HOST: tlsa(OTHER)}, {}, (CDN, (GOOD,), (CDN, HOST, DOMAIN)),
                 id="alias: where it leads to"),
    pytest.param(ALIAS, {AT_HOST: tlsa(OTHER)}, {}, (HOST, (OTHER,), (HOST, DOMAIN)), id="alias: then the host"),
    pytest.param(ALIAS, {AT_CDN: tlsa(GOOD), AT_HOST: tlsa(OTHER)}, {"authentic": [AT_HOST]},
                 (HOST, (OTHER,), (HOST, DOMAIN)), id="alias: records there are not authentic"),
    pytest.param(ASTRAY, {AT_CDN: tlsa(GOOD), AT_HOST: tlsa(OTHER)}, {}, (HOST, (OTHER,), (HOST,)),
                 id="alias into an unsigned zone: the host alone"),
    pytest.param(PLAIN, {AT_HOST: alias("tlsa.example"), "tlsa.example": tlsa(GOOD)}, {},
                 (HOST, (GOOD,), (HOST, DOMAIN)), id="CNAME of the records"),
    pytest.param(PLAIN, {AT_HOST: alias("tlsa.example"), "tlsa.example": tlsa(GOOD)}, {"authentic": [AT_HOST]}, None,
                 id="CNAME to records that are not authentic"),
    pytest.param(PLAIN, {AT_HOST: alias("tlsa.example"), "tlsa.example": tlsa(GOOD)}, {"authentic": ["tlsa.example"]},
                 None, id="CNAME that is not authentic"),
])  # fmt: skip
async def test_records(way, records, options, expected):
    found = await ask(way, records, **options)
    if expected is None:
        assert found is None
        return
    assert (found.base, found.records, found.names) == expected
    assert (found.problem, found.result, found.reason) == ("", "", "")


async def test_only_unusable_records():
    found = await ask(PLAIN, {AT_HOST: tlsa(*UNUSABLE)})
    assert found == HostKeys(HOST, (), (HOST, DOMAIN), UNUSABLE, "", "tlsa-invalid", "all-unusable-records+ignored")


@pytest.mark.parametrize(("way", "records", "options", "base", "result", "reason"), [
    pytest.param(PLAIN, {}, {"failing": [(AT_HOST, Type.TLSA)]}, HOST, "tlsa-invalid", "tlsa-lookup-failed",
                 id="server failure"),
    pytest.param(PLAIN, {}, {"bogus": [(AT_HOST, Type.TLSA)]}, HOST, "dnssec-invalid", "tlsa-bogus", id="bogus"),
    pytest.param(ALIAS, {AT_HOST: tlsa(GOOD)}, {"bogus": [(AT_CDN, Type.TLSA)]}, CDN, "dnssec-invalid", "tlsa-bogus",
                 id="bogus where an alias leads to, whatever the host has"),
    pytest.param(PLAIN, {AT_HOST: alias(AT_HOST)}, {}, HOST, "tlsa-invalid", "tlsa-lookup-failed", id="circle"),
])  # fmt: skip
async def test_problems(way, records, options, base, result, reason):
    found = await ask(way, records, **options)
    assert (found.base, found.records, found.result, found.reason) == (base, (), result, reason)
    assert found.problem


async def test_a_silent_server(autojump_clock):
    class Silent:
        async def ask(self, name, type, *, dnssec):
            await trio.sleep_forever()

    found = await keys_of(Resolver(Silent()), PLAIN)
    assert (found.result, found.reason) == ("tlsa-invalid", "tlsa-lookup-timeout")
    assert trio.current_time() == pytest.approx(dane.LOOKUP_SECONDS)


async def test_other_ports_and_limits():
    records = [TLSA(3, 1, 1, at.to_bytes(32, "big")) for at in range(dane.MOST_RECORDS + 1)]
    resolver = Resolver(Table({f"_465._tcp.{HOST}": tlsa(*records)}, authentic=True))
    found = await keys_of(resolver, PLAIN, port=465)
    assert len(found.records) == dane.MOST_RECORDS
    assert await keys_of(resolver, PLAIN) is None
