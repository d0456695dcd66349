"""A table means what a zone means; the resolver in front of it puts two families together."""

from ipaddress import ip_address
from typing import Any

import pytest

from appliance.dns.answers import MX, TLSA, Answer, Type, Vouched
from appliance.dns.problems import AliasLoop, Bogus, InvalidName, NotFound, Temporary
from appliance.dns.resolver import Resolver, normal_name
from appliance.dns.table import Table

FOUR, OTHER_FOUR, SIX = ip_address("192.0.2.1"), ip_address("192.0.2.2"), ip_address("2001:db8::1")
RECORDS: dict[str, Any] = {
    "example.org": {Type.MX: [MX(10, "mx.example.org")], Type.TXT: ["v=spf1 mx -all", "other"]},
    "mx.example.org": {Type.A: [FOUR, OTHER_FOUR], Type.AAAA: [SIX]},
    "four.example.org": {Type.A: [FOUR]},
    "www.example.org": {Type.CNAME: ["alias.example.net"]},
    "alias.example.net": {Type.CNAME: ["mx.example.org"]},
    "a.loop.example": {Type.CNAME: ["b.loop.example"]},
    "b.loop.example": {Type.CNAME: ["a.loop.example"]},
    "deep.below.example.org": {Type.A: [FOUR]},
    "*.wild.example.org": {Type.A: [FOUR]},
    "known.wild.example.org": {Type.TXT: ["here"]},
    "_25._tcp.mx.example.org": {Type.TLSA: [TLSA(3, 1, 1, b"\x01\x02")]},
    "1.2.0.192.in-addr.arpa": {Type.PTR: ["mx.example.org"]},
}


def resolver(**options: Any) -> Resolver:
    return Resolver(Table(RECORDS, **options))


async def test_answers_of_each_type() -> None:
    names = resolver()
    assert (await names.mx("Example.ORG.")).records == (MX(10, "mx.example.org"),)
    assert (await names.txt("example.org")).records == ("v=spf1 mx -all", "other")
    assert (await names.tlsa("_25._tcp.mx.example.org")).records == (TLSA(3, 1, 1, b"\x01\x02"),)
    assert (await names.ptr(FOUR)).records == ("mx.example.org",)
    assert (await names.cname("www.example.org")).records == ("alias.example.net",)
    with pytest.raises(NotFound):
        await names.cname("mx.example.org")


async def test_aliases_are_followed_and_named() -> None:
    answer = await resolver().a("www.example.org")
    assert answer.records == (FOUR, OTHER_FOUR)
    assert answer.aliases == ("alias.example.net", "mx.example.org")
    assert (answer.name, answer.canonical_name) == ("www.example.org", "mx.example.org")
    with pytest.raises(NotFound) as caught:
        await resolver().txt("www.example.org")
    assert (caught.value.name, caught.value.exists) == ("mx.example.org", True)
    assert caught.value.aliases == ("alias.example.net", "mx.example.org")
    with pytest.raises(AliasLoop):
        await resolver().a("a.loop.example")


@pytest.mark.parametrize(
    ("name", "exists"),
    [
        pytest.param("nobody.example.org", False, id="no such name"),
        pytest.param("example.org", True, id="other types"),
        pytest.param("below.example.org", True, id="only names below it (RFC 4592 §2.2.2)"),
        pytest.param("known.wild.example.org", True, id="a name beside the wildcard is not made by it"),
        pytest.param("wild.example.org", True, id="the wildcard's parent"),
        pytest.param("below.known.wild.example.org", False, id="the wildcard is not the closest"),
    ],
)
async def test_absence(name: str, exists: bool) -> None:
    with pytest.raises(NotFound) as caught:
        await resolver().a(name)
    assert caught.value.exists is exists


async def test_wildcards() -> None:
    assert (await resolver().a("any.thing.wild.example.org")).records == (FOUR,)
    everywhere = Resolver(Table({"*": {Type.A: [FOUR]}, "empty.example": {}}))
    assert (await everywhere.a("anything.at.all")).records == (FOUR,)
    with pytest.raises(NotFound):
        await everywhere.a("below.empty.example")


async def test_both_families() -> None:
    names = resolver()
    assert (await names.addresses("mx.example.org")).records == (SIX, FOUR, OTHER_FOUR)
    assert (await names.addresses("mx.example.org", family=4)).records == (FOUR, OTHER_FOUR)
    assert (await names.addresses("mx.example.org", family=6)).records == (SIX,)
    assert (await names.addresses("four.example.org")).records == (FOUR,)
    with pytest.raises(NotFound):
        await names.addresses("example.org")


async def test_one_family_that_fails() -> None:
    names = resolver(failing=[("mx.example.org", Type.AAAA), ("example.org", Type.AAAA)])
    assert (await names.addresses("mx.example.org")).records == (FOUR, OTHER_FOUR)
    with pytest.raises(Temporary):  # No IPv4 for sure, but IPv6 is an open question.
        await names.addresses("example.org")


async def test_authenticity_is_that_of_the_weakest_part() -> None:
    assert (await resolver(authentic=True).mx("example.org")).vouched is Vouched.RESOLVER
    names = resolver(authentic=["www.example.org", "mx.example.org"])
    assert (await names.a("mx.example.org")).authentic
    assert not (await names.a("www.example.org")).authentic  # An alias on the way is not.
    with pytest.raises(NotFound) as caught:
        await names.mx("mx.example.org")
    assert caught.value.authentic


async def test_bogus() -> None:
    with pytest.raises(Bogus):
        await resolver(bogus=[("example.org", Type.MX)]).mx("example.org")


@pytest.mark.parametrize(
    "name",
    ["", "..", "a..b", ".a", "a" * 64 + ".example", "a." * 127 + "example", "bücher.example", "a\nb..c"],
)
async def test_what_is_no_name_is_not_asked(name: str) -> None:
    with pytest.raises(InvalidName):
        await resolver().a(name)


def test_normal_name() -> None:
    assert [normal_name(name) for name in ("Example.ORG", "example.org.", ".", "_x._y.Z")] == [
        "example.org",
        "example.org",
        "",
        "_x._y.z",
    ]


def test_records_as_text() -> None:
    answer: Answer[Any] = Answer("x", (MX(0, ""), TLSA(3, 1, 1, b"\xab")))
    assert [str(record) for record in answer.records] == ["0 .", "3 1 1 ab"]
