"""Our own validation against zones signed here: what is secure, what is insecure, what is bogus."""

import copy
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

import dns.dnssec
import dns.message
import dns.name
import dns.rcode
import dns.rrset
import pytest
from dns.dnssectypes import Algorithm
from dns.rdatatype import RdataType

from appliance.dns.answers import Type, Vouched
from appliance.dns.limits import VALIDATION
from appliance.dns.network import Mode, Network
from appliance.dns.problems import Bogus, NotFound
from appliance.dns.resolvconf import Configuration, NameServer
from appliance.dns.resolver import Resolver
from support.clock import StandingClock
from support.signedzones import SECURE, Key, World, Zone, delegation, name, network, world


async def vouched(names: World, asked: str, type: Type, **options: Any) -> Vouched:
    resolver = Resolver(network(names, **options))
    try:
        return (await resolver.lookup(asked, type, dnssec=True)).vouched
    except NotFound as problem:
        return problem.vouched


US, NOBODY = Vouched.OURSELVES, Vouched.NOBODY
CASES = [
    pytest.param("mx.secure.test", Type.A, US, id="records"),
    pytest.param("secure.test", Type.MX, US, id="records at the apex"),
    pytest.param("_25._tcp.mx.secure.test", Type.TLSA, US, id="deep below"),
    pytest.param("mx.child.secure.test", Type.A, US, id="a zone within a zone"),
    pytest.param("mx.three.test", Type.A, US, id="NSEC3: records"),
    pytest.param("nothing.secure.test", Type.A, US, id="NSEC: no name"),
    pytest.param("nothing.below.mx.secure.test", Type.A, US, id="NSEC: no name, two labels"),
    pytest.param("mx.secure.test", Type.AAAA, US, id="NSEC: no data"),
    pytest.param("_tcp.mx.secure.test", Type.A, US, id="NSEC: only names below"),
    pytest.param("nothing.three.test", Type.A, US, id="NSEC3: no name"),
    pytest.param("nothing.below.mx.three.test", Type.A, US, id="NSEC3: no name, two labels"),
    pytest.param("mx.three.test", Type.AAAA, US, id="NSEC3: no data"),
    pytest.param("_tcp.mx.three.test", Type.A, US, id="NSEC3: only names below"),
    pytest.param("any.wild.secure.test", Type.A, US, id="NSEC: wildcard"),
    pytest.param("a.b.wild.secure.test", Type.A, US, id="NSEC: wildcard, two labels"),
    pytest.param("any.wild.secure.test", Type.TXT, US, id="NSEC: wildcard without the type"),
    pytest.param("below.closer.wild.secure.test", Type.A, US, id="NSEC: beside the wildcard"),
    pytest.param("any.wild.three.test", Type.A, US, id="NSEC3: wildcard"),
    pytest.param("a.b.wild.three.test", Type.A, US, id="NSEC3: wildcard, two labels"),
    pytest.param("any.wild.three.test", Type.TXT, US, id="NSEC3: wildcard without the type"),
    pytest.param("below.closer.wild.three.test", Type.A, US, id="NSEC3: beside the wildcard"),
    pytest.param("mx.plain.test", Type.A, NOBODY, id="unsigned zone"),
    pytest.param("nothing.plain.test", Type.A, NOBODY, id="unsigned zone: no name"),
    pytest.param("mx.plain.test", Type.AAAA, NOBODY, id="unsigned zone: no data"),
    pytest.param("to-three.secure.test", Type.A, US, id="CNAME to a signed zone"),
    pytest.param("to-three.secure.test", Type.AAAA, US, id="CNAME to a signed zone: no data"),
    pytest.param("to-plain.secure.test", Type.A, NOBODY, id="CNAME to an unsigned zone"),
    pytest.param("to-three.plain.test", Type.A, NOBODY, id="CNAME from an unsigned zone"),
    pytest.param("to-three.secure.test", Type.CNAME, US, id="the CNAME itself"),
    pytest.param("any.alias.secure.test", Type.A, US, id="CNAME by wildcard"),
    pytest.param("any.alias.secure.test", Type.TXT, US, id="CNAME by wildcard: no data"),
    pytest.param("mx.tree.secure.test", Type.A, US, id="DNAME"),
    pytest.param("nothing.tree.secure.test", Type.A, US, id="DNAME: no name"),
    pytest.param("com", Type.NS, US, id="top"),
    pytest.param("nothing", Type.A, US, id="no such top"),
]


@pytest.mark.parametrize(("asked", "type", "expected"), CASES)
async def test_security(asked: str, type: Type, expected: Vouched) -> None:
    assert await vouched(world(), asked, type) is expected


async def test_answers_are_the_same_whoever_vouches() -> None:
    resolver = Resolver(network(world()))
    plain, checked = await resolver.a("mx.secure.test"), await resolver.a("mx.secure.test", dnssec=True)
    assert plain.records == checked.records == (ip_address("192.0.2.1"),)
    assert (plain.vouched, checked.vouched) == (NOBODY, US)


ALGORITHMS = [
    Algorithm.RSASHA1NSEC3SHA1,
    Algorithm.RSASHA256,
    Algorithm.RSASHA512,
    Algorithm.ECDSAP256SHA256,
    Algorithm.ECDSAP384SHA384,
    Algorithm.ED25519,
    Algorithm.ED448,
]


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=[one.name for one in ALGORITHMS])
async def test_algorithms(algorithm: Algorithm) -> None:
    names = world(secure=Zone.make("secure.test.", SECURE, keys=[Key(algorithm)]))
    assert await vouched(names, "mx.secure.test", Type.A) is US


# Bogus.


def _each(message: dns.message.Message, change: Callable[[Any], Any]) -> dns.message.Message:
    """The message with `change` made of every record set; None leaves it out."""
    changed = copy.deepcopy(message)
    for section in (changed.answer, changed.authority):
        section[:] = [new for one in section if (new := change(one)) is not None]
    return changed


def without(*types: RdataType, asked: str | None = None) -> Callable[[dns.message.Message], Any]:
    def tamper(message: dns.message.Message) -> dns.message.Message:
        if asked is not None and message.question[0].name != name(asked):
            return message
        return _each(message, lambda one: None if one.rdtype in types else one)

    return tamper


def other_address(message: dns.message.Message) -> dns.message.Message:
    def change(one: dns.rrset.RRset) -> dns.rrset.RRset:
        if one.rdtype == RdataType.A:
            return dns.rrset.from_text(one.name, one.ttl, "IN", "A", "203.0.113.9")
        return one

    return _each(message, change)


def denied(message: dns.message.Message) -> dns.message.Message:
    """Hides what is asked for, with the truth about another name."""
    if message.question[0].name != name("mx.secure.test."):
        return message
    truth = world_of_denial.respond(dns.message.make_query("aaa.secure.test.", "A"))
    changed = copy.deepcopy(message)
    changed.answer.clear()
    changed.authority[:] = truth.authority
    changed.set_rcode(dns.rcode.NXDOMAIN)
    return changed


world_of_denial: World


@pytest.mark.parametrize(
    ("asked", "type", "tamper"),
    [
        pytest.param("mx.secure.test", Type.A, without(RdataType.RRSIG), id="no signatures"),
        pytest.param("mx.secure.test", Type.A, other_address, id="another address"),
        pytest.param("mx.three.test", Type.A, other_address, id="NSEC3 zone: another address"),
        pytest.param("mx.secure.test", Type.A, without(RdataType.DNSKEY), id="no keys"),
        pytest.param("nothing.secure.test", Type.A, without(RdataType.NSEC), id="no denial"),
        pytest.param("nothing.three.test", Type.A, without(RdataType.NSEC3), id="no NSEC3 denial"),
        pytest.param("mx.secure.test", Type.AAAA, without(RdataType.NSEC, RdataType.RRSIG), id="no data, no denial"),
        pytest.param("any.wild.secure.test", Type.A, without(RdataType.NSEC), id="wildcard, nothing else denied"),
        pytest.param("any.wild.three.test", Type.A, without(RdataType.NSEC3), id="NSEC3: the same"),
        pytest.param(
            "to-plain.secure.test", Type.A, without(RdataType.RRSIG, asked="to-plain.secure.test."), id="CNAME"
        ),
        pytest.param("mx.tree.secure.test", Type.A, without(RdataType.DNAME), id="CNAME whose DNAME is missing"),
        pytest.param("mx.secure.test", Type.A, without(RdataType.DS, asked="secure.test."), id="DS taken away"),
        pytest.param(
            "mx.plain.test",
            Type.A,
            without(RdataType.NSEC, RdataType.RRSIG, asked="plain.test."),
            id="unsigned, without proof",
        ),
        pytest.param("mx.secure.test", Type.A, denied, id="the denial of another name"),
    ],
)
async def test_bogus(asked: str, type: Type, tamper: Any) -> None:
    global world_of_denial
    world_of_denial = names = world()
    source = network(names)
    assert await source.mode() is Mode.OURSELVES
    names.tamper = tamper
    with pytest.raises(Bogus):
        await Resolver(source).lookup(asked, type, dnssec=True)


def at(year: int, month: int) -> datetime:
    return datetime(year, month, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("times", "reason"),
    [
        pytest.param({"expiration": at(2026, 10)}, "expired", id="expired"),
        pytest.param({"inception": at(2026, 12), "expiration": at(2027, 1)}, "not valid yet", id="not yet"),
    ],
)
async def test_times(times: dict[str, Any], reason: str) -> None:
    zone = Zone.make("secure.test.", SECURE, keys=[Key()])
    names = world(secure=zone)
    source = network(names)
    await source.mode()
    zone.times = times
    with pytest.raises(Bogus, match=reason):
        await Resolver(source).lookup("mx.secure.test", Type.A, dnssec=True)


async def test_wrong_key() -> None:
    """The parent names a key; another one signs."""
    zone = Zone.make("secure.test.", SECURE, keys=[Key()])
    names = world(secure=zone)
    other = Key()
    zone.keys[:] = [other]
    zone.records[zone.origin, RdataType.DNSKEY] = dns.rrset.from_rdata_list(zone.origin, 600, [other.public])
    with pytest.raises(Bogus, match="parent names"):
        await vouched(names, "mx.secure.test", Type.A)


async def test_signature_of_a_zone_that_is_none() -> None:
    """A key published at a name within the zone does not make a zone of it."""
    zone = Zone.make("secure.test.", SECURE, keys=[Key()])
    names = world(secure=zone)
    evil = Key()

    def tamper(message: dns.message.Message) -> dns.message.Message:
        asked = message.question[0]
        if asked.name == name("mx.secure.test.") and asked.rdtype == RdataType.A:
            records = dns.rrset.from_text(asked.name, 600, "IN", "A", "203.0.113.9")
            signature = evil.sign(records, asked.name)
            message.answer[:] = [records, dns.rrset.from_rdata_list(asked.name, 600, [signature])]
        return message

    names.tamper = tamper
    with pytest.raises(Bogus, match="no zone"):
        await vouched(names, "mx.secure.test", Type.A)


async def test_denial_of_a_wildcard_under_another_name() -> None:
    """The NSEC at a wildcard, put under a name that exists: its signature holds for any name the wildcard stands for."""
    names = world()
    zone = names.zones[name("secure.test.")]
    at = name("closer.wild.secure.test.")

    def tamper(message: dns.message.Message) -> dns.message.Message:
        if message.question[0].name == at and message.question[0].rdtype == RdataType.TXT:
            message.answer.clear()
            wildcard = zone.denial([name("*.wild.secure.test.")])
            message.authority[:] = [dns.rrset.from_rdata_list(at, one.ttl, list(one)) for one in wildcard]
        return message

    assert await vouched(names, "closer.wild.secure.test", Type.TXT) is US
    names.tamper = tamper
    with pytest.raises(Bogus):
        await vouched(names, "closer.wild.secure.test", Type.TXT)


# Zones we cannot or need not check.


async def test_unknown_algorithm_counts_as_unsigned() -> None:
    names = world()
    tld = names.zones[name("test.")]
    at = name("secure.test.")
    tld.records[at, RdataType.DS] = dns.rrset.from_text(at, 600, "IN", "DS", "1 253 2 " + "00" * 32)
    assert await vouched(names, "mx.secure.test", Type.A) is NOBODY


async def test_opt_out() -> None:
    """RFC 5155 §6: unsigned delegations may have no NSEC3 record; a signed one has."""
    key, deep = Key(), Zone.make("deep.three.test.", SECURE)
    zone = Zone.make("three.test.", [*SECURE], keys=[key], nsec3=True, opt_out=True)
    zone.records |= delegation(deep)
    names = world(three=zone)
    names.zones[deep.origin] = deep
    assert await vouched(names, "mx.deep.three.test", Type.A) is NOBODY
    assert await vouched(names, "mx.three.test", Type.A) is US
    assert await vouched(names, "mx.three.test", Type.AAAA) is US
    assert await vouched(names, "nothing.three.test", Type.A) is NOBODY  # There might be an unsigned zone.


@pytest.mark.parametrize(("iterations", "expected"), [(100, US), (101, NOBODY)])
async def test_many_iterations_prove_nothing(iterations: int, expected: Vouched) -> None:
    """RFC 9276 §3.2."""
    names = world(three=Zone.make("three.test.", SECURE, keys=[Key()], nsec3=True, iterations=iterations))
    assert await vouched(names, "nothing.three.test", Type.A) is expected


# What an attacker may cost us.


async def test_keys_with_the_same_tag_and_many_signatures() -> None:
    """The KeyTrap attack: every key with every signature would be thousands of checks."""
    key = Key(Algorithm.ECDSAP256SHA256)
    zone = Zone.make("secure.test.", SECURE, keys=[key])
    names = world(secure=zone)
    checks = 0
    real = dns.dnssec.validate_rrsig

    def counted(*arguments: Any, **options: Any) -> None:
        nonlocal checks
        checks += 1
        real(*arguments, **options)

    def tamper(message: dns.message.Message) -> dns.message.Message:
        def change(one: dns.rrset.RRset) -> dns.rrset.RRset:
            if one.rdtype != RdataType.RRSIG or one.name != name("mx.secure.test."):
                return one
            wrong = [one[0].replace(signature=bytes([n]) * 64) for n in range(60)]
            return dns.rrset.from_rdata_list(one.name, one.ttl, wrong)

        return _each(message, change)

    source = network(names)
    await source.mode()
    names.tamper = tamper
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dns.dnssec, "validate_rrsig", counted)
        with pytest.raises(Bogus):
            await Resolver(source).lookup("mx.secure.test", Type.A, dnssec=True)
    assert checks < 20


@pytest.mark.parametrize(
    "limits",
    [
        pytest.param({"signatures": 3}, id="signatures"),
        pytest.param({"questions": 3}, id="questions"),
        pytest.param({"keys": 1}, id="keys"),
        pytest.param({"hashes": 1}, id="hashes"),
    ],
)
async def test_budget(limits: dict[str, int]) -> None:
    names = world()
    with pytest.raises(Bogus, match="too many"):
        source = network(names, validation=replace(VALIDATION, **limits))
        # Past the probe, which may have failed already.
        await source._validator.check(*(await _question(source, "nothing.three.test", RdataType.A)))


async def _question(source: Network, asked: str, rdtype: RdataType) -> tuple[Any, ...]:
    from appliance.dns.sections import follow

    message = await source._message(name(asked), rdtype)
    return message, name(asked), rdtype, follow(message, name(asked), rdtype, 10)


# What is remembered.


async def test_zones_are_remembered_as_long_as_they_may_be() -> None:
    names, clock = world(), StandingClock()
    resolver = Resolver(network(names, clock=clock))
    await resolver.a("mx.secure.test", dnssec=True)
    names.asked.clear()
    await resolver.mx("secure.test", dnssec=True)
    assert names.asked == {("secure.test", "MX"): 1}
    clock.move(601)
    names.asked.clear()
    await resolver.mx("secure.test", dnssec=True)
    assert names.asked[".", "DNSKEY"] == names.asked["secure.test", "DS"] == names.asked["secure.test", "MX"] == 1


async def test_an_answer_is_kept_no_longer_than_its_signature_holds() -> None:
    clock = StandingClock()
    zone = Zone.make("secure.test.", SECURE, keys=[Key()])
    names = world(secure=zone)
    source = network(names, clock=clock)
    await source.mode()
    zone.times = {"expiration": clock.now().timestamp() + 60}
    answer = await Resolver(source).a("mx.secure.test", dnssec=True)
    assert answer.ttl_seconds == 60


# Who vouches.


async def test_mode_nobody() -> None:
    """A resolver that takes signatures away: plain answers, no failures."""
    names = world()
    names.tamper = without(RdataType.RRSIG, RdataType.DNSKEY, RdataType.DS, RdataType.NSEC)
    source = network(names)
    assert await source.mode() is Mode.NOBODY
    assert (await Resolver(source).a("mx.secure.test", dnssec=True)).vouched is NOBODY


async def test_a_network_that_knows_nothing_of_the_world() -> None:
    """Its own names work; it is asked again soon."""
    names, clock = world(), StandingClock()

    def tamper(message: dns.message.Message) -> dns.message.Message:
        if message.question[0].name in {dns.name.root, name("com.")}:
            message.set_rcode(dns.rcode.SERVFAIL)
        return message

    names.tamper = tamper
    source = network(names, clock=clock)
    assert (await Resolver(source).a("mx.secure.test", dnssec=True)).vouched is NOBODY
    names.tamper = None
    clock.move(31)
    assert await source.mode() is Mode.OURSELVES


async def test_who_worked_once_is_held_to_it() -> None:
    names, clock = world(), StandingClock()
    source = network(names, clock=clock)
    assert await source.mode() is Mode.OURSELVES
    names.tamper = without(RdataType.RRSIG, RdataType.DNSKEY, RdataType.DS, RdataType.NSEC)
    clock.move(100_000)
    assert await source.mode() is Mode.OURSELVES
    with pytest.raises(Bogus):
        await Resolver(source).a("mx.secure.test", dnssec=True)


@pytest.mark.parametrize(
    ("server", "trust_ad", "expected"),
    [
        pytest.param("127.0.0.1", False, Vouched.RESOLVER, id="on this machine"),
        pytest.param("192.0.2.53", True, Vouched.RESOLVER, id="trusted by the operator"),
        pytest.param("192.0.2.53", False, Vouched.OURSELVES, id="anybody could have set the flag"),
    ],
)
async def test_the_resolver_vouches(server: str, trust_ad: bool, expected: Vouched) -> None:
    names = world()
    names.ad = True
    configuration = Configuration(servers=(NameServer(server),), trust_ad=trust_ad)
    assert await vouched(names, "mx.secure.test", Type.A, configuration=configuration) is expected
    assert ((".", "DNSKEY") in names.asked) is (expected is Vouched.OURSELVES)
