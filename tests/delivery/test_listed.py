"""Our own addresses in block lists: which are asked, when again, what is shown."""

from ipaddress import ip_address
from pathlib import Path

import pytest
import trio

from appliance.base.metrics import expose
from appliance.config.source import ConfigSource
from appliance.delivery.listed import CONNECTIONS, LEAST_PAUSE_SECONDS, MOST_PAUSE_SECONDS, OwnListings, questions
from appliance.dns.answers import Type
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table
from appliance.mail.domain import parse_domain
from appliance.msgauth.results import AuthStatus
from support.quiet import settled

STATIC = """\
data_dir = "."
log_level = "error"
user = "0"
hostname = "mail.example"
[postmaster]
account = "alice"
mailbox = "Postmaster"
[listeners.public]
ips = ["10.0.0.5", "fd00::5"]
nat_ips = ["93.184.216.34"]
[listeners.public.smtp]
enabled = true
dnsbls = ["a.list.example"]
no_starttls = true
[listeners.inside]
ips = ["192.168.1.1"]
"""
DOMAINS = """\
monitor_dnsbls = ["b.list.example", "a.list.example"]
[domains."example.org"]
[accounts.alice.destinations]
"alice@example.org" = {}
"""
IP = ip_address("93.184.216.34")
A, B = parse_domain("a.list.example"), parse_domain("b.list.example")


def source(folder: Path, domains: str = DOMAINS) -> ConfigSource:
    (folder / "moxpy.toml").write_text(STATIC)
    (folder / "domains.toml").write_text(domains)
    return ConfigSource(folder / "moxpy.toml", check_files=False)


def resolver() -> Resolver:
    return Resolver(
        Table(
            {"34.216.184.93.a.list.example": {Type.A: [ip_address("127.0.0.2")], Type.TXT: ["sends junk"]}},
            failing={("34.216.184.93.b.list.example", Type.A)},
        )
    )


def shown() -> list[str]:
    return [line.partition("{")[2] for line in expose().decode().splitlines() if line.startswith("moxpy_dnsbl_ips_")]


def test_each_list_about_each_public_address(tmp_path: Path) -> None:
    assert list(questions(source(tmp_path).snapshot())) == [(A, IP), (B, IP)]


async def test_what_lists_say(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    own = OwnListings()
    await own.look(resolver(), source(tmp_path).snapshot())
    assert {zone: one.status for (zone, _), one in own.found.items()} == {A: AuthStatus.FAIL, B: AuthStatus.TEMPERROR}
    assert own.found[A, IP].explanation == "sends junk"
    assert sorted(shown()) == [
        'ip="93.184.216.34",zone="a.list.example"} 0.0',
        'ip="93.184.216.34",zone="b.list.example"} -1.0',
    ]
    await own.look(resolver(), source(tmp_path, DOMAINS.replace('"b.list.example", ', "")).snapshot())
    assert list(own.found) == [(A, IP)]
    assert shown() == ['ip="93.184.216.34",zone="a.list.example"} 0.0']


@pytest.mark.parametrize(
    ("connections", "pause"), [(CONNECTIONS, LEAST_PAUSE_SECONDS), (CONNECTIONS - 1, MOST_PAUSE_SECONDS)]
)
async def test_when_it_looks_again(
    tmp_path: Path, connections: int, pause: float, autojump_clock: trio.testing.MockClock
) -> None:
    looks: list[float] = []

    class Noting(OwnListings):
        async def look(self, *_: object) -> None:
            looks.append(trio.current_time())

    own, config = Noting(), source(tmp_path)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(own.keep, resolver(), config)
        await settled()
        for _ in range(connections):
            own.connected()
        with trio.move_on_after(MOST_PAUSE_SECONDS * 1.5):
            while len(looks) < 2:
                await trio.sleep(1)
        nursery.cancel_scope.cancel()
    assert looks[1] - looks[0] == pytest.approx(pause, abs=1)
