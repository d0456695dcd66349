"""iprev and DNS block lists."""

from ipaddress import ip_address
from typing import Any

import pytest
import trio

from appliance.dns.answers import Answer, Type
from appliance.dns.problems import NotFound
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table
from appliance.mail.domain import parse_domain
from appliance.msgauth import dnsbl, iprev
from appliance.msgauth.results import AuthStatus
from support.clock import StandingClock

IP, SIX = ip_address("192.0.2.1"), ip_address("2001:db8::1")
ZONE = parse_domain("bl.example")


def names(*found: str) -> dict[str, Any]:
    return {IP.reverse_pointer: {Type.PTR: list(found)}}


@pytest.mark.parametrize(
    ("records", "failing", "status", "name"),
    [
        pytest.param({**names("a.example"), "a.example": {Type.A: [IP]}}, (), "pass", "a.example", id="one name"),
        pytest.param(
            {**names("a.example", "b.example"), "b.example": {Type.A: [IP]}}, (), "pass", "b.example", id="second"
        ),
        pytest.param({}, (), "permerror", "", id="no name"),
        pytest.param(names("a.example"), (), "fail", "", id="name without address"),
        pytest.param(
            {**names("a.example"), "a.example": {Type.A: [ip_address("192.0.2.9")]}}, (), "fail", "", id="another"
        ),
        pytest.param({}, [(IP.reverse_pointer, Type.PTR)], "temperror", "", id="no answer"),
        pytest.param(
            {**names("a.example", "b.example"), "b.example": {Type.A: [IP]}},
            [("a.example", Type.A)],
            "pass",
            "b.example",
            id="another name answers",
        ),
        pytest.param(names("a.example", "b.example"), [("a.example", Type.A)], "temperror", "", id="one may have"),
        pytest.param(
            {**names(*(f"n{n}.example" for n in range(11))), "n10.example": {Type.A: [IP]}},
            (),
            "fail",
            "",
            id="an eleventh name does not count",
        ),
        pytest.param({**names("a..example")}, (), "fail", "", id="not a name"),
    ],
)
async def test_iprev(records: dict[str, Any], failing: Any, status: str, name: str) -> None:
    found = await iprev.check(Resolver(Table(records, failing=failing)), IP)
    assert (found.status, found.name) == (status, name)
    assert bool(found.text) == (status != "pass")


async def test_iprev_families_and_dnssec() -> None:
    zone: dict[str, Any] = {
        SIX.reverse_pointer: {Type.PTR: ["a.example"]},
        **names("a.example"),
        "a.example": {Type.A: [IP], Type.AAAA: [SIX]},
    }
    resolver = Resolver(Table(zone, authentic=True))
    for ip in (IP, SIX, ip_address("::ffff:192.0.2.1")):
        found = await iprev.check(resolver, ip)
        assert (found.status, found.name, found.authentic) == ("pass", "a.example", True)
    assert not (await iprev.check(Resolver(Table(zone, authentic=["a.example"])), IP)).authentic


class Silent:
    async def ask(self, name: str, type: Type, *, dnssec: bool) -> Answer[Any]:
        await trio.sleep_forever()

    async def watch(self) -> None: ...


async def test_iprev_is_counted_by_result() -> None:
    assert iprev.durations.name == "iprev_lookup_total"
    before = sum(iprev.durations.labels("pass").counts)
    await iprev.check(Resolver(Table({**names("a.example"), "a.example": {Type.A: [IP]}})), IP)
    assert sum(iprev.durations.labels("pass").counts) == before + 1


async def test_bounded_in_time(autojump_clock: trio.testing.MockClock) -> None:
    resolver = Resolver(Silent())
    assert (await iprev.check(resolver, IP)).status == "temperror"
    assert (await dnsbl.check(resolver, ZONE, IP)).status == "temperror"
    assert await dnsbl.check_health(resolver, ZONE) == ""


def listed(ip: Any, *answers: str, texts: Any = ("listed",)) -> dict[str, Any]:
    name = ip.reverse_pointer.rsplit(".", 2)[0] + ".bl.example"
    return {name: {Type.A: [ip_address(answer) for answer in answers], Type.TXT: list(texts)}}


@pytest.mark.parametrize(
    ("records", "ip", "status"),
    [
        pytest.param({}, IP, "pass", id="not listed"),
        pytest.param(listed(IP, "127.0.0.2"), IP, "fail", id="listed"),
        pytest.param(listed(SIX, "127.0.0.4"), SIX, "fail", id="IPv6"),
        pytest.param(listed(IP, "127.0.0.2"), ip_address("::ffff:192.0.2.1"), "fail", id="IPv4 in IPv6"),
        pytest.param(listed(IP, "127.0.0.2", "127.0.0.9"), IP, "fail", id="listed twice"),
        pytest.param(listed(IP, "127.255.255.254"), IP, "temperror", id="by a public resolver"),
        pytest.param(listed(IP, "127.255.255.255", "127.0.0.2"), IP, "temperror", id="too many questions"),
        pytest.param(listed(IP, "203.0.113.80"), IP, "temperror", id="a parked domain"),
        pytest.param(listed(IP, "127.0.0.1"), IP, "temperror", id="a filtering resolver"),
    ],
)
async def test_dnsbl(records: dict[str, Any], ip: Any, status: str) -> None:
    found = await dnsbl.check(Resolver(Table(records)), ZONE, ip)
    assert found.status == status
    assert found.explanation == ("" if status == "pass" else "listed")
    assert bool(found.text) == (status == "temperror")


async def test_dnsbl_no_answer_and_texts() -> None:
    name = "1.2.0.192.bl.example"
    assert (await dnsbl.check(Resolver(Table({}, failing=[(name, Type.A)])), ZONE, IP)).status == "temperror"
    zone = listed(IP, "127.0.0.2", texts=["one", "two"])
    assert (await dnsbl.check(Resolver(Table(zone)), ZONE, IP)).explanation == "one; two"
    found = await dnsbl.check(Resolver(Table(zone, failing=[(name, Type.TXT)])), ZONE, IP)
    assert (found.status, found.explanation) == ("fail", "")


GOOD = listed(ip_address("127.0.0.2"), "127.0.0.2") | listed(ip_address("::ffff:127.0.0.2"), "127.0.0.2")


@pytest.mark.parametrize(
    ("records", "family", "problem"),
    [
        (listed(ip_address("127.0.0.2"), "127.0.0.2"), 4, ""),
        (listed(ip_address("127.0.0.2"), "127.0.0.2"), 6, "lists nothing"),
        ({}, 4, "lists nothing"),
        ({"*.bl.example": {Type.A: [ip_address("127.0.0.2")]}}, 4, "lists everything"),
        ({"*.bl.example": {Type.A: [ip_address("203.0.113.80")]}}, 4, "does not answer our questions"),
        (listed(ip_address("127.0.0.2"), "127.255.255.254"), 4, "does not answer our questions"),
    ],
)
async def test_health(records: dict[str, Any], family: int, problem: str) -> None:
    found = await dnsbl.check_health(Resolver(Table(records)), ZONE, family)
    assert (problem in found) if problem else not found


async def test_health_of_a_list_of_both_families() -> None:
    assert await dnsbl.check_health(Resolver(Table(GOOD)), ZONE, 6) == ""


async def test_health_when_nobody_answers_is_no_fault() -> None:
    questions = [("1.0.0.127.bl.example", Type.A), ("2.0.0.127.bl.example", Type.A)]
    assert await dnsbl.check_health(Resolver(Table({}, failing=questions)), ZONE) == ""


async def test_health_is_remembered_for_hours() -> None:
    class Counting:
        asked = 0

        async def ask(self, name: str, type: Type, *, dnssec: bool) -> Answer[Any]:
            self.asked += 1
            raise NotFound(name, type.value, exists=False)

        async def watch(self) -> None: ...

    source, clock = Counting(), StandingClock()
    health = dnsbl.Health(clock)
    for _ in range(3):
        assert "lists nothing" in await health.problem(Resolver(source), ZONE, IP)
    assert source.asked == 2
    clock.move(dnsbl.HEALTH_SECONDS + 1)
    await health.problem(Resolver(source), ZONE, IP)
    assert source.asked == 4


def test_statuses_are_words_of_the_header() -> None:
    assert [f"{one}" for one in AuthStatus] == [
        "none",
        "neutral",
        "pass",
        "fail",
        "softfail",
        "policy",
        "temperror",
        "permerror",
    ]
