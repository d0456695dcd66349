"""The hosts of a domain and their addresses, over tables of names."""

from ipaddress import ip_address

import pytest
import trio

from appliance.dns.answers import MX, Answer, Type
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table
from appliance.mail.domain import IPLiteral, parse_domain
from appliance.protocol.smtp.failure import Failure
from appliance.queue import hosts

FOUR, SIX = ip_address("192.0.2.1"), ip_address("2001:db8::1")
RECORDS = {
    "one.example": {Type.MX: [MX(10, "mx.one.example")]},
    "order.example": {Type.MX: [MX(20, "c.example"), MX(10, "b.example"), MX(10, "a.example"), MX(5, "d.example")]},
    "twice.example": {Type.MX: [MX(10, "a.example"), MX(20, "a.example"), MX(20, "b.example")]},
    "null.example": {Type.MX: [MX(0, "")]},
    "nullandmore.example": {Type.MX: [MX(0, ""), MX(10, "a.example")]},
    "ip.example": {Type.MX: [MX(10, "192.0.2.1")]},
    "ipandmore.example": {Type.MX: [MX(10, "192.0.2.1"), MX(20, "under_score.example")]},
    "none.example": {Type.A: [FOUR]},
    "alias.example": {Type.CNAME: ["one.example"]},
    "aliasnone.example": {Type.CNAME: ["none.example"]},
    "aliasgone.example": {Type.CNAME: ["gone.example"]},
    "loop.example": {Type.CNAME: ["loop.example"]},
    "ours.example": {Type.MX: [MX(10, "us.example"), MX(20, "a.example")]},
    "backup.example": {Type.MX: [MX(10, "a.example"), MX(20, "us.example"), MX(20, "b.example")]},
    "us.example": {Type.A: [FOUR]},
    "many.example": {Type.MX: [MX(number, f"m{number}.example") for number in range(30)]},
    "dual.example": {Type.A: [FOUR], Type.AAAA: [SIX]},
    "four.example": {Type.A: [FOUR]},
    "text.example": {Type.TXT: ["x"]},
    "crowd.example": {Type.A: [ip_address(f"192.0.2.{number}") for number in range(30)]},
    "hostalias.example": {Type.CNAME: ["dual.example"]},
}


def table(**options) -> Resolver:
    return Resolver(Table(RECORDS, **options))


async def find(name: str, resolver: Resolver | None = None, chances=(0.5,)) -> hosts.NextHosts | Failure:
    chance = iter(list(chances) * 50)
    domain = IPLiteral(ip_address(name[1:-1])) if name.startswith("[") else parse_domain(name)
    return await hosts.find(resolver or table(), domain, lambda: next(chance), {"us.example"})


@pytest.mark.parametrize(
    ("domain", "names", "has_mx", "expanded"),
    [
        pytest.param("one.example", ["mx.one.example"], True, "one.example", id="one"),
        pytest.param("twice.example", ["a.example", "b.example"], True, "twice.example", id="each once"),
        pytest.param("none.example", ["none.example"], False, "none.example", id="no MX: itself (RFC 5321 5.1)"),
        pytest.param("gone.example", ["gone.example"], False, "gone.example", id="found out with its addresses"),
        pytest.param("alias.example", ["mx.one.example"], True, "one.example", id="CNAME"),
        pytest.param("aliasnone.example", ["none.example"], False, "none.example", id="CNAME without MX"),
        pytest.param("aliasgone.example", ["gone.example"], False, "gone.example", id="CNAME to nowhere"),
        pytest.param("nullandmore.example", ["a.example"], True, "nullandmore.example", id="null MX among others"),
        pytest.param("ipandmore.example", ["under_score.example"], True, "ipandmore.example", id="no addresses"),
        pytest.param("backup.example", ["a.example"], True, "backup.example", id="better than ourselves only"),
        pytest.param("[192.0.2.9]", ["192.0.2.9"], False, "", id="literal"),
    ],
)
async def test_found(domain, names, has_mx, expanded):
    found = await find(domain)
    assert isinstance(found, hosts.NextHosts), found
    assert (list(found.names), found.has_mx, found.expanded) == (names, has_mx, expanded)
    assert (found.authentic, found.domain_authentic) == (False, False)


@pytest.mark.parametrize(("chances", "order"), [((0.1, 0.2), "d a b c"), ((0.2, 0.1), "d b a c")])
async def test_order(chances, order):
    """By preference, equals by chance: the second record and the third have the same."""
    found = await find("order.example", chances=chances)
    assert " ".join(name[0] for name in found.names) == order


async def test_not_more_than_some():
    assert len((await find("many.example")).names) == hosts.MOST_HOSTS


@pytest.mark.parametrize(
    ("domain", "permanent", "code", "status"),
    [
        pytest.param("null.example", True, 556, "5.1.10", id="null MX (RFC 7505)"),
        pytest.param("ip.example", True, 550, "5.4.4", id="only an address"),
        pytest.param("loop.example", False, 0, "4.4.3", id="CNAME loop"),
        pytest.param("fails.example", False, 0, "4.4.3", id="no answer"),
        pytest.param("bogus.example", False, 0, "4.7.5", id="bad signature"),
        pytest.param("ours.example", True, 550, "5.4.6", id="we are the best"),
        pytest.param("us.example", True, 550, "5.4.6", id="ourselves"),
    ],
)
async def test_not_found(domain, permanent, code, status):
    resolver = table(failing=[("fails.example", Type.MX)], bogus=[("bogus.example", Type.MX)])
    failure = await find(domain, resolver)
    assert isinstance(failure, Failure), failure
    assert (failure.permanent, failure.code, str(failure.status)) == (permanent, code, status)


@pytest.mark.parametrize(
    ("vouched", "domain", "itself", "all_of_it"),
    [
        pytest.param(["one.example"], "one.example", True, True, id="signed"),
        pytest.param(["alias.example"], "alias.example", True, False, id="signed alias of an unsigned name"),
        pytest.param(["one.example"], "alias.example", False, False, id="unsigned alias of a signed name"),
        pytest.param(["none.example"], "none.example", True, True, id="signed absence"),
    ],
)
async def test_what_dnssec_vouches_for(vouched, domain, itself, all_of_it):
    class Chains(Table):
        """As a resolver does: a chain is as good as its worst part."""

        async def ask(self, name: str, type: Type, *, dnssec: bool) -> Answer:
            assert dnssec
            found = await super().ask(name, type, dnssec=dnssec)
            weak = [one for one in (name, *found.aliases) if type is not Type.CNAME and one not in vouched]
            return Answer(found.name, found.records, aliases=found.aliases) if weak else found

    found = await find(domain, Resolver(Chains(RECORDS, authentic=vouched)))
    assert (found.domain_authentic, found.authentic) == (itself, all_of_it)


@pytest.mark.parametrize(
    ("host", "family", "wanted", "expanded"),
    [
        pytest.param("dual.example", None, [SIX, FOUR], "dual.example", id="both"),
        pytest.param("dual.example", 4, [FOUR], "dual.example", id="only IPv4"),
        pytest.param("hostalias.example", None, [SIX, FOUR], "dual.example", id="CNAME"),
    ],
)
async def test_addresses(host, family, wanted, expanded):
    found = await hosts.addresses(table(), host, family=family)
    assert (list(found.addresses), found.expanded) == (wanted, expanded)
    assert found.dual_stack == (len(wanted) > 1)


async def test_addresses_are_limited():
    assert len((await hosts.addresses(table(), "crowd.example")).addresses) == hosts.MOST_ADDRESSES


@pytest.mark.parametrize(
    ("host", "family", "permanent", "status"),
    [
        pytest.param("gone.example", None, True, "5.1.2", id="no such name"),
        pytest.param("text.example", None, False, "4.4.4", id="no addresses"),
        pytest.param("four.example", 6, False, "4.4.4", id="none of that family"),
        pytest.param("fails.example", None, False, "4.4.3", id="no answer"),
    ],
)
async def test_no_addresses(host, family, permanent, status):
    resolver = table(failing=[("fails.example", Type.A), ("fails.example", Type.AAAA)])
    failure = await hosts.addresses(resolver, host, family=family)
    assert isinstance(failure, Failure)
    assert (failure.permanent, str(failure.status)) == (permanent, status)


async def test_time_is_limited(autojump_clock):
    class Silent(Table):
        async def ask(self, name: str, type: Type, *, dnssec: bool) -> Answer:
            await trio.sleep_forever()

    began = trio.current_time()
    failure = await find("one.example", Resolver(Silent({})))
    assert (failure.permanent, str(failure.status)) == (False, "4.4.3")
    assert trio.current_time() - began == hosts.LOOKUP_SECONDS
