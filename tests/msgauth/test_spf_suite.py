"""The test suite for RFC 7208 by the people who wrote it (tests/data/spf), all of it."""

import json
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any

import pytest

from appliance.dns.answers import MX, Answer, Type
from appliance.dns.problems import AliasLoop, NotFound, Temporary
from appliance.dns.resolver import Resolver
from appliance.mail.domain import Domain, IPLiteral
from appliance.msgauth.results import AuthStatus, Identity
from appliance.msgauth.spf import check as spf
from appliance.msgauth.spf.check import Question

SUITE = json.loads((Path(__file__).parent.parent / "data/spf/rfc7208-tests.json").read_text())


class Zone:
    """The records of a scenario. Its SPF records are those of a type that is no more: they count as TXT without any."""

    def __init__(self, zone: dict[str, list[Any]]) -> None:
        self.zone = {name.lower(): entries for name, entries in zone.items()}

    async def ask(self, name: str, type: Type, *, dnssec: bool) -> Answer[Any]:
        aliases: list[str] = []
        while True:
            records = self.records(name, type)
            if records or not (target := self.records(name, Type.CNAME)):
                break
            if len(aliases) > 9:
                raise AliasLoop("circle")
            name = target[0].lower()
            aliases.append(name)
        if not records:
            raise NotFound(name, type.value, exists=name in self.zone)
        return Answer(name, tuple(records), aliases=tuple(aliases))

    async def watch(self) -> None: ...

    def records(self, name: str, type: Type) -> list[Any]:
        if name not in self.zone:
            if name.startswith("error."):
                raise Temporary("timeout")
            return []
        entries = self.zone[name]
        pairs = [next(iter(one.items())) for one in entries if isinstance(one, dict)]
        wanted = [value for key, value in pairs if key == type.value]
        if type is Type.TXT and not wanted:
            wanted = [value for key, value in pairs if key == "SPF"]
        wanted = [value for value in wanted if value != "NONE"]
        if "TIMEOUT" in wanted or ("TIMEOUT" in entries and not wanted):
            raise Temporary("timeout")
        return [convert(type, value) for value in wanted]


def convert(type: Type, value: Any) -> Any:
    match type:
        case Type.A:
            return IPv4Address(value)
        case Type.AAAA:
            return IPv6Address(value)
        case Type.MX:
            return MX(value[0], value[1].lower())
        case Type.TXT:
            return value if isinstance(value, str) else "".join(value)
        case _:
            return value.lower()


def domain(text: str) -> Domain | None:
    return Domain(text.lower(), text.lower()) if text else None


def question(case: dict[str, Any]) -> Question:
    localpart, _, sender = case["mailfrom"].rpartition("@")
    helo = domain(case["helo"])
    if case["helo"].startswith("["):
        return Question(
            Identity.MAILFROM,
            ip_address(case["host"]),
            domain(sender),
            localpart,
            IPLiteral(ip_address("192.0.2.1")),
            "unknown",
        )
    if not case["mailfrom"]:
        return Question(Identity.HELO, ip_address(case["host"]), helo, "", helo, "unknown")
    return Question(Identity.MAILFROM, ip_address(case["host"]), domain(sender), localpart, helo, "unknown")


CASES = [
    pytest.param(scenario["zonedata"], case, id=f"{scenario['description']}: {name}")
    for scenario in SUITE
    for name, case in scenario["tests"].items()
]


@pytest.mark.parametrize(("zone", "case"), CASES)
async def test_suite(zone: dict[str, Any], case: dict[str, Any]) -> None:
    result = await spf.check(Resolver(Zone(zone)), question(case))
    expected = case["result"]
    assert result.status.value in ([expected] if isinstance(expected, str) else expected), result
    if "explanation" in case:
        # Letters of an IPv6 address are small in the RFC's own examples (RFC 7208 §7.4).
        assert (result.explanation or "DEFAULT").lower() == case["explanation"].lower()
    assert bool(result.mechanism) or result.status is not AuthStatus.PASS


def test_the_suite_is_whole() -> None:
    assert len(CASES) == 203
