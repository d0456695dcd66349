"""Which certificates are got when: against a server in memory, in time that jumps."""

import math
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trio
import trio.testing

from appliance.net.connection import UnknownName
from appliance.tls.acme import keys
from appliance.tls.acme.challenges import Answers, InTLS, OnHTTP
from appliance.tls.acme.client import NOT_ASKED, Account, ACMEClient, ACMEError
from appliance.tls.acme.keys import KeyType
from appliance.tls.acme.provider import Names, NotYet, Pace, Provider, request_errors
from appliance.tls.acme.storage import Storage
from appliance.tls.certificates import expiry
from support.acmeserver import BASE, ACMEServer, Refused
from support.clock import FlowingClock

START = datetime(2026, 11, 1, 12, tzinfo=UTC)
MX, SITE = "mx.example.org", "www.example.org"
DAY, HOUR = 86_400.0, 3600.0


@pytest.fixture(autouse=True)
def threads_in_place(monkeypatch):
    """Time would jump while a thread works."""

    async def run_sync(function, *arguments, **_):
        await trio.lowlevel.checkpoint()
        return function(*arguments)

    monkeypatch.setattr(trio.to_thread, "run_sync", run_sync)


class Even:
    """Chance in the middle."""

    def token_bytes(self, count: int) -> bytes:
        return b"\x80" + bytes(count - 1)


@dataclass
class World:
    folder: Path
    start: datetime = START
    names: Names = field(default_factory=lambda: Names(frozenset({MX, SITE}), (MX,)))
    host_keys: dict = field(default_factory=dict)
    directory: str = f"{BASE}/directory"
    check_error: str = ""
    check_kind: str = ""

    def __post_init__(self) -> None:
        self.clock = FlowingClock(self.start)
        self.server = ACMEServer(self.clock.now)
        self.answers = Answers()
        self.solvers = [InTLS(self.answers, self.clock), OnHTTP(self.answers)]

    def provider(self) -> Provider:
        storage = Storage(self.folder, "le")
        account = Account(storage.account_key(), "postmaster@example.org")

        def make_client(state, keep):
            return ACMEClient(
                self.server, self.directory, account, self.clock.now, account_url=state.account_url,
                contact=state.contact,
                keep_account=keep,
            )  # fmt: skip

        async def check(client, host):
            if self.check_error:
                raise ACMEError(self.check_error, kind=self.check_kind)

        return Provider(
            "le", storage, names=lambda: self.names, host_keys=self.host_keys, directory_url=self.directory,
            renew_before=None, make_client=make_client, solvers=self.solvers,
            check=check, clock=self.clock, random=Even(), pace=Pace(look=1800),
        )  # fmt: skip

    @asynccontextmanager
    async def kept(self):
        provider = self.provider()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(provider.keep)
            await trio.testing.wait_all_tasks_blocked()
            yield provider
            nursery.cancel_scope.cancel()

    def orders(self) -> list[str]:
        return [order.name for order in self.server.orders]


def pair_of(provider: Provider, host: str = MX, key_type: KeyType = KeyType.ECDSA):
    try:
        return provider.pair(host, key_type)
    except (NotYet, UnknownName) as problem:
        return type(problem)


async def got(provider: Provider, host: str, key_type: KeyType = KeyType.ECDSA):
    """As a handshake does."""
    try:
        return provider.pair(host, key_type)
    except NotYet:
        await provider.wait(host, key_type)
        return provider.pair(host, key_type)


def state_of(provider: Provider, host: str = MX) -> tuple[str, str]:
    return next((one.state, one.error) for one in provider.shown() if one.host == host)


async def test_the_host_has_its_certificate_before_anybody_asks(autojump_clock, tmp_path):
    world = World(tmp_path)
    async with world.kept() as provider:
        assert state_of(provider) == ("waiting", "")
        await trio.sleep(60)
        assert world.orders() == [MX], "a web site waits until somebody comes"
        pair = provider.pair(MX, KeyType.ECDSA)
        assert state_of(provider) == ("ok", "")
        assert expiry.labels(MX, "ecdsa").value == pytest.approx((START + timedelta(days=90)).timestamp(), abs=60)
    again = world.provider()
    assert again.pair(MX, KeyType.ECDSA) == pair, "kept"


class InDNS:
    """A zone that takes records."""

    kind = "dns-01"

    def __init__(self) -> None:
        self.names: list[str] = []

    @asynccontextmanager
    async def answering(self, name, token, key_authorization):
        self.names.append(name)
        yield


async def test_one_for_all_names_below_a_domain(autojump_clock, tmp_path):
    """But for the host whose key stands in the DNS, and for the domain itself."""
    hosts = frozenset({MX, SITE, "mta-sts.example.org", "example.org", "a.b.example.org"})
    key = keys.generate(KeyType.ECDSA)
    names = Names(hosts, (MX, SITE), frozenset({"example.org"}))
    world = World(tmp_path, names=names, host_keys={(MX, KeyType.ECDSA): key})
    world.solvers = [InTLS(world.answers, world.clock), InDNS()]
    async with world.kept() as provider:
        await trio.sleep(60)
        assert world.orders() == [MX, "*.example.org"]
        pair = await got(provider, SITE)
        assert pair is await got(provider, "mta-sts.example.org")
        assert pair.names() == {"*.example.org"}
        assert (await got(provider, MX)).names() == {MX}
        assert (await got(provider, "example.org")).names() == {"example.org"}
        assert (await got(provider, "a.b.example.org")).names() == {"a.b.example.org"}
        assert world.solvers[1].names == ["example.org"], "proved in the DNS, the others first by TLS"
        assert provider.any_pair(SITE) is pair
        assert [one.host for one in provider.shown()] == ["*.example.org", "a.b.example.org", "example.org", MX]
    assert (tmp_path / "acme" / "keycerts" / "le" / "_wildcard.example.org").exists()
    again = world.provider()
    assert again.pair(SITE, KeyType.ECDSA) == pair, "kept"
    world.names = Names(hosts, (MX,))
    assert pair_of(again, SITE) is UnknownName


async def test_no_wildcard_without_the_dns(autojump_clock, tmp_path):
    world = World(tmp_path, names=Names(frozenset({SITE}), (SITE,), frozenset({"example.org"})))
    async with world.kept() as provider:
        await trio.sleep(60)
        assert state_of(provider, "*.example.org") == ("error", "no kind of challenge can be answered here")
    assert world.orders() == []


async def test_twenty_handshakes_make_one_order(autojump_clock, tmp_path):
    world = World(tmp_path)
    found = []
    async with world.kept() as provider:
        await trio.sleep(0.1)
        world.server.takes = 1

        async def handshake():
            found.append(await got(provider, SITE))

        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(handshake)
        assert len(set(found)) == 1
        assert world.orders().count(SITE) == 1


async def test_kinds_of_keys_are_got_and_renewed_apart(autojump_clock, tmp_path):
    world = World(tmp_path)
    async with world.kept() as provider:
        pairs = [await got(provider, SITE, key_type) for key_type in KeyType]
        assert [pair.key_type() for pair in pairs] == ["ecdsa", "rsa"]
        assert world.orders().count(SITE) == 2
        await trio.sleep(61 * DAY)
        assert world.orders().count(SITE) == 4


async def test_other_names_are_never_asked_for(autojump_clock, tmp_path):
    world = World(tmp_path)
    async with world.kept() as provider:
        assert not provider.allows("evil.example")
        assert provider.allows(SITE)
        await got(provider, SITE)
        world.names = Names(frozenset({MX}), (MX,))
        await trio.sleep(100 * DAY)
        assert world.orders().count(SITE) == 1, "no renewal of what has left the configuration"
        assert (SITE, "ecdsa") not in expiry.series
        assert [one.host for one in provider.shown()] == [MX]


async def test_renewal_keeps_the_key(autojump_clock, tmp_path):
    world = World(tmp_path)
    async with world.kept() as provider:
        first = await got(provider, MX)
        await trio.sleep(59.9 * DAY)
        assert provider.pair(MX, KeyType.ECDSA) == first
        await trio.sleep(0.2 * DAY)
        second = provider.pair(MX, KeyType.ECDSA)
        assert second.expires() - first.expires() > timedelta(days=59)
        assert second.key == first.key
        await trio.sleep(90 * DAY)
        assert provider.pair(MX, KeyType.ECDSA).expires() > world.clock.now() + timedelta(days=29)


@pytest.mark.parametrize("key_type", KeyType)
async def test_key_of_the_host(autojump_clock, tmp_path, key_type):
    """It is used from the first order on, and at once when the operator has put one there later."""
    world = World(tmp_path)
    async with world.kept() as provider:
        await got(provider, MX, key_type)
    key = keys.generate(key_type)
    world.host_keys[MX, key_type] = key
    async with world.kept() as provider:
        assert provider.pair(MX, key_type).key != keys.dump(key)
        await trio.sleep(120)
        assert provider.pair(MX, key_type).key == keys.dump(key), "at once"
        await trio.sleep(70 * DAY)
        assert provider.pair(MX, key_type).key == keys.dump(key)
        assert world.orders().count(MX) >= 3


async def test_another_directory_means_other_certificates(autojump_clock, tmp_path):
    world = World(tmp_path)
    async with world.kept() as provider:
        await got(provider, MX)
    world.directory = f"{BASE}/directory/production"
    async with world.kept() as provider:
        assert pair_of(provider) is not UnknownName, "the old one is shown meanwhile"
        await trio.sleep(60)
    assert world.orders() == [MX, MX]
    assert world.server.asked.count("POST /new-account") == 2


async def test_each_kind_of_challenge_has_an_order_of_its_own(autojump_clock, tmp_path):
    world = World(tmp_path)
    seen = []

    def look(kind, name, token, key_authorization):
        seen.append((kind, world.answers.context(name) is not None, world.answers.document(name, token)))
        return "" if kind == "http-01" and world.answers.document(name, token) == key_authorization else "not found"

    world.server.look = look
    async with world.kept() as provider:
        await got(provider, MX)
    assert [(kind, context) for kind, context, _ in seen] == [("tls-alpn-01", True), ("http-01", False)]
    assert world.orders() == [MX, MX]


async def test_what_fails_is_tried_again_ever_later(autojump_clock, tmp_path):
    world = World(tmp_path)
    world.server.look = lambda *_: "nobody there"
    errors = "tls-alpn-01: unauthorized: nobody there; http-01: unauthorized: nobody there"
    async with world.kept() as provider:
        for orders, pause in ((2, 60), (4, 300), (6, 2700), (8, 2700)):
            await trio.sleep(30)
            assert (len(world.server.orders), state_of(provider)) == (orders, ("error", errors))
            assert pair_of(provider) is UnknownName, "nobody waits for what is not tried"
            await trio.sleep(pause - 30)
            await trio.sleep(2)
        world.server.look = lambda *_: ""
        await trio.sleep(2800)
        assert state_of(provider) == ("ok", "")


async def test_failures_survive_a_restart(autojump_clock, tmp_path):
    world = World(tmp_path)
    world.server.refusals["new-order"] = [Refused(429, "rateLimited", "slow down", (("retry-after", "86400"),))]
    async with world.kept() as provider:
        await trio.sleep(30)
        assert state_of(provider) == ("error", "rateLimited: slow down")
    async with world.kept() as provider:
        assert state_of(provider) == ("error", "rateLimited: slow down")
        await trio.sleep(DAY - 60)
        assert world.server.asked.count("POST /new-order") == 1
        assert pair_of(provider) is UnknownName
        await trio.sleep(60)
        assert state_of(provider) == ("ok", "")


async def test_renewals_that_fail_leave_the_certificate(autojump_clock, tmp_path):
    world = World(tmp_path)
    async with world.kept() as provider:
        first = await got(provider, MX)
        world.server.unreachable = True
        await trio.sleep(89 * DAY)
        assert provider.pair(MX, KeyType.ECDSA) == first
        state, error = state_of(provider)
        assert (state, error) == ("error", "the ACME server acme.test cannot be asked: refused")
        asked = len(world.server.asked)
        await trio.sleep(DAY)
        assert 24 <= len(world.server.asked) - asked <= 48
        await trio.sleep(DAY)
        assert pair_of(provider) is not first, "expired counts as none"
        assert provider.any_pair(MX) == first, "but for those who do not look"
        world.server.unreachable = False
        await trio.sleep(2 * HOUR)
        assert state_of(provider) == ("ok", "")


@pytest.mark.parametrize("spoil", ["wrong_key", "lifetime"])
async def test_useless_certificates_are_refused(autojump_clock, tmp_path, spoil):
    world = World(tmp_path)
    setattr(world.server, spoil, True if spoil == "wrong_key" else timedelta(0))
    async with world.kept() as provider:
        await trio.sleep(30)
        state, error = state_of(provider)
        assert state == "error"
        assert "of no use" in error


@pytest.mark.parametrize(("kind", "counted"), [("caa", 1), (NOT_ASKED, 0)])
async def test_what_must_fail_is_not_asked_for(autojump_clock, tmp_path, kind, counted):
    """A name that is not set up yet is no error that an operator must hear of."""
    world = World(tmp_path, check_error="it cannot be", check_kind=kind)
    before = request_errors.labels().value
    async with world.kept() as provider:
        await trio.sleep(30)
        assert state_of(provider) == ("error", "it cannot be")
    assert world.server.asked == []
    assert request_errors.labels().value - before == counted


async def test_first_certificates_are_asked_for_slowly(autojump_clock, tmp_path):
    hosts = tuple(f"autoconfig.d{number}.example" for number in range(15))
    world = World(tmp_path, names=Names(frozenset(hosts), hosts))
    async with world.kept():
        await trio.sleep(5)
        assert world.orders() == [hosts[0]]
        await trio.sleep(10)
        assert world.orders() == list(hosts[:2])
        await trio.sleep(300)
        assert world.orders() == list(hosts[:10])
        await trio.sleep(HOUR)
        assert world.orders() == list(hosts)


async def test_names_added_later(autojump_clock, tmp_path):
    world = World(tmp_path)
    async with world.kept():
        await trio.sleep(30)
        world.names = Names(frozenset({MX, "mail.example.net"}), (MX, "mail.example.net"))
        await trio.sleep(1800)
        assert world.orders() == [MX, "mail.example.net"]


async def test_when_the_authority_wants_a_renewal(autojump_clock, tmp_path):
    """RFC 9773: a certificate that will be revoked, say, is replaced at once, and named in the order."""
    world = World(tmp_path)
    world.server.renewal_info = True
    soon = START + timedelta(days=50)
    world.server.window = soon, soon + timedelta(days=2)
    async with world.kept() as provider:
        first = await got(provider, MX)
        await trio.sleep(49 * DAY)
        assert next(one.renew_at for one in provider.shown()) == pytest.approx((soon + timedelta(days=1)).timestamp())
        world.server.window = START, START + timedelta(hours=1)
        await trio.sleep(7 * HOUR)
        assert provider.pair(MX, KeyType.ECDSA) != first
        order = world.server.orders[1]
        aki, _, serial = order.replaces.partition(".")
        assert aki
        assert serial
        asked = [one for one in world.server.asked if one.startswith("GET /renewal/")]
        assert len(asked) <= math.ceil(50 * 4) + 2, "as often as it says"


async def test_no_order_when_nobody_keeps(tmp_path):
    provider = World(tmp_path).provider()
    assert pair_of(provider) is UnknownName


async def test_a_house_that_ends_asks_for_nothing(autojump_clock, tmp_path):
    world = World(tmp_path)
    async with world.kept() as provider:
        first = await got(provider, MX)
        provider.close()
        assert pair_of(provider, SITE) is UnknownName
        assert provider.pair(MX, KeyType.ECDSA) == first
        await trio.sleep(100 * DAY)
    assert world.orders() == [MX]


async def test_who_waits_does_not_wait_for_a_keeper_that_has_ended(autojump_clock, tmp_path):
    world = World(tmp_path)
    world.server.takes = 100
    ended = trio.Event()
    async with trio.open_nursery() as nursery:
        async with world.kept() as provider:

            async def handshake():
                with pytest.raises(UnknownName):
                    await got(provider, SITE)
                ended.set()

            nursery.start_soon(handshake)
            await trio.sleep(5)
            assert not ended.is_set()
        with trio.fail_after(30):
            await ended.wait()
