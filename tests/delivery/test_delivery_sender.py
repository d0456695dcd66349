"""What a look-up that never ends costs, and what of two answers counts."""

from ipaddress import ip_address
from typing import Any

import pytest
import trio

from appliance.delivery import sender
from appliance.delivery.sender import Accepts
from appliance.dns.answers import MX, Answer, Type
from appliance.dns.problems import LookupTimeout, Temporary
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table

ADDRESS = ip_address("192.0.2.7")


class Silent:
    """Never answers."""

    async def ask(self, name: str, type: Type, *, dnssec: bool) -> Answer[Any]:
        await trio.sleep_forever()

    async def watch(self) -> None:
        pass


@pytest.mark.parametrize("check", [sender.has_address, sender.accepts_mail])
async def test_no_check_takes_more_than_a_minute(check: Any, autojump_clock: Any) -> None:
    began = trio.current_time()
    with pytest.raises(LookupTimeout):
        await check(Resolver(Silent()), "example.org")
    assert trio.current_time() - began == sender.CHECK_SECONDS


EXCHANGES = [MX(10, "one.example"), MX(20, "two.example")]


@pytest.mark.parametrize(
    ("records", "failing", "outcome"),
    [
        pytest.param({"two.example": {Type.A: [ADDRESS]}}, [], Accepts.YES, id="the second has one"),
        pytest.param(
            {"two.example": {Type.A: [ADDRESS]}}, [("one.example", Type.A)], Accepts.YES, id="the first failed"
        ),
        pytest.param({}, [("two.example", Type.AAAA)], Temporary, id="one may yet have one"),
        pytest.param({}, [], Accepts.NO_HOST, id="neither"),
    ],
)
async def test_exchanges(records: dict[str, Any], failing: list[Any], outcome: Any) -> None:
    resolver = Resolver(Table({"example.org": {Type.MX: EXCHANGES}, **records}, failing=failing))
    if isinstance(outcome, Accepts):
        assert await sender.accepts_mail(resolver, "example.org") is outcome
    else:
        with pytest.raises(outcome):
            await sender.accepts_mail(resolver, "example.org")


async def test_null_exchange_among_others_is_a_mistake() -> None:
    """RFC 7505 §3: a null MX stands alone."""
    table = Table(
        {
            "example.org": {Type.MX: [MX(0, ""), MX(10, "mx.example.org")]},
            "mx.example.org": {Type.A: [ADDRESS]},
        }
    )
    assert await sender.accepts_mail(Resolver(table), "example.org") is Accepts.YES


async def test_too_many_exchanges_are_not_all_asked() -> None:
    many = [MX(at, f"mx{at}.example") for at in range(100)]
    table = Table({"example.org": {Type.MX: many}, "mx99.example": {Type.A: [ADDRESS]}})
    assert await sender.accepts_mail(Resolver(table), "example.org") is Accepts.NO_HOST


async def test_a_domain_that_accepts_mail_is_asked_about_once_in_a_while(autojump_clock: Any) -> None:
    good, never = Table({"good.example": {Type.A: [ADDRESS]}}), Table({})
    senders = sender.Senders()
    assert await senders.accepts_mail(Resolver(good), "good.example") is Accepts.YES
    await trio.sleep(sender.KNOWN_SECONDS - 1)
    assert await senders.accepts_mail(Resolver(never), "good.example") is Accepts.YES
    await trio.sleep(1)
    assert await senders.accepts_mail(Resolver(never), "good.example") is Accepts.NO_HOST
    assert await senders.accepts_mail(Resolver(good), "good.example") is Accepts.YES  # What is bad is always asked.


async def test_only_so_many_domains_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "KNOWN", 2)
    resolver, senders = Resolver(Table({"*": {Type.A: [ADDRESS]}})), sender.Senders()
    for name in ("one.example", "two.example", "three.example"):
        assert await senders.accepts_mail(resolver, name) is Accepts.YES
    never = Resolver(Table({}))
    assert await senders.accepts_mail(never, "two.example") is Accepts.YES
    assert await senders.accepts_mail(never, "one.example") is Accepts.NO_HOST
