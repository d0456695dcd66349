"""MTA-STS policies: fetched from servers that behave and others, kept, fallen back on, refreshed, forgotten."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
import trio

from appliance.dns.answers import Type
from appliance.dns.problems import NotFound, Temporary
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table
from appliance.mail.domain import Domain, parse_domain
from appliance.mail.mtasts import Mode
from appliance.net.http import Fault, HTTPError, Response
from appliance.store import policy as known_policies
from appliance.store.problems import StorageFull
from appliance.tls import mtasts
from appliance.tls.context import client_context
from appliance.tls.mtasts import DomainPolicy, Policies, Unavailable, client, fetch, find
from support.authority import Authority
from support.clock import StandingClock
from support.stores import open_store
from support.webserver import response, web_server

DOMAIN = parse_domain("bücher.example")
HOST = f"mta-sts.{DOMAIN.ascii}"
AUTHORITY = Authority()
PAIR = AUTHORITY.key_pair(HOST)
DAY = 24 * 3600
TEXT = "text/plain; charset=utf-8"


def body(mode="enforce", mx="mx.example.org", max_age=10 * DAY, end="\r\n"):
    return end.join(["version: STSv1", f"mode: {mode}", f"mx: {mx}", f"max_age: {max_age}", ""]).encode()


def web_client():
    resolver = Resolver(Table({HOST: {Type.A: [ip_address("127.0.0.1")]}}))
    return client(resolver, client_context(), AUTHORITY.roots, lambda: datetime.now(UTC))


# ---- The record. ----


@pytest.mark.parametrize(("texts", "identity"), [
    pytest.param(["v=STSv1; id=1"], "1", id="one"),
    pytest.param(["v=spf1 -all", "v=STSv1; id=1", "v=STSv1 id=2"], "1", id="among others"),
    pytest.param(["v=STSv1; id=1", "v=STSv1; id=1"], None, id="two"),
    pytest.param(["v=STSv1; id=1", "v=STSv1;"], None, id="two, one of them wrong"),
    pytest.param(["v=STSv1; id="], None, id="wrong"),
    pytest.param(["v=spf1 -all"], None, id="none"),
    pytest.param(None, None, id="no name"),
])  # fmt: skip
async def test_find(texts, identity):
    records = {} if texts is None else {f"_mta-sts.{DOMAIN.ascii}": {Type.TXT: texts}}
    assert await find(Resolver(Table(records)), DOMAIN) == identity


async def test_find_when_nobody_answers(autojump_clock):
    class Silent:
        async def ask(self, name, type, *, dnssec):
            await trio.sleep_forever()

    with pytest.raises(Temporary):
        await find(Resolver(Table({}, failing=[(f"_mta-sts.{DOMAIN.ascii}", Type.TXT)])), DOMAIN)
    with pytest.raises(Temporary):
        await find(Resolver(Silent()), DOMAIN)
    assert trio.current_time() == pytest.approx(mtasts.LOOKUP_SECONDS)


async def test_find_for_a_name_too_long_to_have_one():
    name = ".".join(["a" * 60] * 4)
    assert await find(Resolver(Table({})), Domain(name, name)) is None


# ---- The policy, over HTTPS. ----


@pytest.mark.parametrize("octets", [
    pytest.param(response(body(), f"Content-Type: {TEXT}"), id="usual"),
    pytest.param(response(body(end="\n"), "Content-Type: TEXT/PLAIN"), id="LF"),
    pytest.param(response(body()), id="no type"),
])  # fmt: skip
async def test_fetch(octets):
    async with web_server(PAIR, octets) as server:
        policy, text = await fetch(web_client(), DOMAIN, port=server.port)
        assert (policy.mode, policy.patterns, policy.max_age_seconds) == (Mode.ENFORCE, ("mx.example.org",), 10 * DAY)
        assert text in octets
        assert server.requests[0].startswith(b"GET /.well-known/mta-sts.txt HTTP/1.1\r\n")


LARGE = body() + b"x: y\r\n" * 11_000


@pytest.mark.parametrize(("octets", "result", "reason"), [
    pytest.param(response(b"", "Location: https://mta-sts.example.net/", status="301 Moved"),
                 "sts-policy-fetch-error", "http-status-301", id="redirect"),
    pytest.param(response(body(), "Location: /", status="302 Found"), "sts-policy-fetch-error", "http-status-302",
                 id="redirect with a policy"),
    pytest.param(response(b"", status="404 Not Found"), "sts-policy-fetch-error", "http-status-404", id="not there"),
    pytest.param(response(body(), status="206 Partial"), "sts-policy-fetch-error", "http-status-206", id="a part"),
    pytest.param(response(body(), "Content-Type: text/html"), "sts-policy-invalid", "not-text-plain", id="a page"),
    pytest.param(response(body(mode="maybe")), "sts-policy-invalid", "has a mode", id="no policy"),
    pytest.param(response(LARGE), "sts-policy-fetch-error", "too-large", id="huge"),
    pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + body(), "sts-policy-fetch-error", "protocol",
                 id="cut"),
    pytest.param(b"* OK IMAP\r\n", "sts-policy-fetch-error", "protocol", id="no web server"),
])  # fmt: skip
async def test_no_fetch(octets, result, reason):
    async with web_server(PAIR, octets) as server:
        with pytest.raises(Unavailable) as caught:
            await fetch(web_client(), DOMAIN, port=server.port)
    assert caught.value.result == result
    assert caught.value.reason.startswith(reason)


@pytest.mark.parametrize(("pair", "reason"), [
    pytest.param(AUTHORITY.key_pair(DOMAIN.ascii), "certificate-host-mismatch", id="of the domain itself"),
    pytest.param(AUTHORITY.key_pair(HOST, begin=-timedelta(days=2), end=-timedelta(days=1)), "certificate-expired",
                 id="expired"),
    pytest.param(Authority().key_pair(HOST), "certificate-not-trusted", id="unknown authority"),
])  # fmt: skip
async def test_certificates(pair, reason):
    async with web_server(pair, response(body())) as server:
        with pytest.raises(Unavailable) as caught:
            await fetch(web_client(), DOMAIN, port=server.port)
    assert (caught.value.result, caught.value.reason) == ("sts-webpki-invalid", reason)


async def test_a_wildcard_certificate():
    async with web_server(AUTHORITY.key_pair(f"*.{DOMAIN.ascii}"), response(body())) as server:
        policy, _ = await fetch(web_client(), DOMAIN, port=server.port)
        assert policy.mode is Mode.ENFORCE


async def test_a_slow_server(autojump_clock):
    """Who sends an octet now and then gets a minute for all."""

    class Slow:
        async def send(self, request, bounds):
            assert bounds == mtasts.FETCH
            raise HTTPError(Fault.TIMEOUT, "")

    with pytest.raises(Unavailable, match="timeout"):
        await fetch(Slow(), DOMAIN)
    assert (mtasts.FETCH.seconds, mtasts.FETCH.body_octets, mtasts.FETCH.cut) == (60, 65536, False)


# ---- What is kept of it. ----


@dataclass
class World:
    """The DNS and the policy host, as they are now."""

    identity: str | None = "1"
    dns_fails: bool = False
    policy: bytes | Fault = field(default_factory=body)
    fetched: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def ask(self, name, type, *, dnssec):
        self.asked.append(name)
        if self.dns_fails:
            raise Temporary("no answer")
        if self.identity is None:
            raise NotFound(name, "TXT", exists=False)
        return Table({name: {Type.TXT: [f"v=STSv1; id={self.identity}"]}}).answer(name, type)

    async def send(self, request, bounds):
        await trio.lowlevel.checkpoint()
        self.fetched.append(request.url.host)
        if isinstance(self.policy, Fault):
            raise HTTPError(self.policy, "text")
        return Response(200, (), self.policy)


class Chance:
    def __init__(self, *values):
        self.values = values

    def token_bytes(self, count):
        first, *rest = self.values
        self.values = (*rest, first)
        return int(first * 256**count).to_bytes(count, "big")


@pytest.fixture
def house(tmp_path):
    clock = StandingClock()
    with open_store(tmp_path, clock) as store:
        yield House(store, clock)


class House:
    def __init__(self, store, clock, *chances):
        self.store, self.clock, self.world = store, clock, World()
        self.policies = Policies(
            store, Resolver(self.world), self.world, clock=clock, random=Chance(*(chances or (0.5,)))
        )

    async def ask(self, domain=DOMAIN):
        return await self.policies.of_domain(domain)

    def known(self, domain=DOMAIN):
        with self.store.read() as tx:
            return known_policies.find(tx, domain.ascii)

    @property
    def fetches(self):
        count = len(self.world.fetched)
        self.world.fetched.clear()
        return count


async def test_a_policy_is_fetched_once_for_its_id(house):
    found = await house.ask()
    assert found == DomainPolicy(DOMAIN, found.policy)
    assert found.enforced
    assert found.allows("mx.example.org")
    assert not found.allows("mx.example.com")
    assert (house.fetches, house.known().identity) == (1, "1")
    house.world.policy = body(mode="testing")
    house.clock.move(9 * DAY)
    assert await house.ask() == found
    assert house.fetches == 0
    house.world.identity = "2"
    changed = await house.ask()
    assert (changed.policy.mode, changed.enforced) == (Mode.TESTING, False)
    assert (house.fetches, house.known().identity) == (1, "2")
    assert house.world.asked[0] == f"_mta-sts.{DOMAIN.ascii}"


async def test_a_policy_ends(house):
    await house.ask()
    house.clock.move(10 * DAY)
    house.world.policy = body(mx="*.example.net")
    found = await house.ask()
    assert found.policy.patterns == ("*.example.net",)
    assert house.fetches == 2


@pytest.mark.parametrize(("change", "reason", "fetches"), [
    pytest.param({"dns_fails": True}, "dns-lookup-failed", 0, id="no answer from the DNS"),
    pytest.param({"identity": None}, "no-dns-record", 0, id="record gone"),
    pytest.param({"identity": "a-b"}, "no-dns-record", 0, id="record broken"),
    pytest.param({"identity": "2", "policy": Fault.CONNECTION}, "connection", 1, id="not fetched"),
    pytest.param({"identity": "2", "policy": b"<html>"}, "has a line", 1, id="no policy"),
])  # fmt: skip
async def test_what_is_known_counts_until_it_ends(house, change, reason, fetches):
    first = await house.ask()
    assert house.fetches == 1
    vars(house.world).update(change)
    found = await house.ask()
    assert found.policy == first.policy
    assert found.enforced
    assert found.result in {"sts-policy-fetch-error", "sts-policy-invalid"}
    assert found.reason.startswith(reason)
    assert found.reason.endswith("+fallback-to-cached-policy")
    assert house.fetches == fetches
    house.clock.move(10 * DAY)
    if house.world.dns_fails:
        with pytest.raises(Temporary):
            await house.ask()
    else:
        found = await house.ask()
        assert found is None or (found.policy is None and found.result and "fallback" not in found.reason)


async def test_a_host_that_fails_is_left_alone_for_a_while(house):
    await house.ask()
    house.world.identity, house.world.policy = "2", Fault.TIMEOUT
    assert house.fetches == 1
    for _ in range(3):
        found = await house.ask()
        assert (found.result, found.reason) == ("sts-policy-fetch-error", "timeout+fallback-to-cached-policy")
    assert house.fetches == 1
    house.world.identity = "3"  # RFC 8461 §3.3: per version
    await house.ask()
    assert house.fetches == 1
    house.clock.move(299)
    await house.ask()
    assert house.fetches == 0
    house.world.policy = body(mode="testing")
    house.clock.move(1)
    found = await house.ask()
    assert (found.policy.mode, found.result, house.fetches) == (Mode.TESTING, "", 1)
    assert (house.known().failed, house.known().result) == (0, "")


@pytest.mark.parametrize("identity", [None, "a-b"])
async def test_nothing_in_the_dns_and_nothing_known(house, identity):
    house.world.identity = identity
    assert await house.ask() is None
    assert (house.fetches, house.known()) == (0, None)


async def test_nobody_knows(house):
    house.world.dns_fails = True
    with pytest.raises(Temporary):
        await house.ask()
    assert house.known() is None


@pytest.mark.parametrize(("policy", "result", "reason"), [
    pytest.param(Fault.NO_HOST, "sts-policy-fetch-error", "no-host", id="no policy host"),
    pytest.param(Fault.CONNECTION, "sts-policy-fetch-error", "connection", id="not there"),
    pytest.param(Fault.CERTIFICATE, "sts-webpki-invalid", "text", id="not to be believed"),
    pytest.param(b"", "sts-policy-invalid", "lacks version", id="no policy"),
])  # fmt: skip
async def test_no_policy_is_had_and_none_known(house, policy, result, reason):
    """As if there were none, but it is reported, and not tried again at once."""
    house.world.policy = policy
    for _ in range(2):
        found = await house.ask()
        assert found == DomainPolicy(DOMAIN, None, result, reason)
        assert not found.enforced
        assert found.allows("any.example")
    assert house.fetches == 1
    house.clock.move(300)
    house.world.policy = body()
    assert (await house.ask()).enforced
    assert house.fetches == 1


async def test_a_policy_that_there_is_none(house):
    house.world.policy = body(mode="none")
    assert await house.ask() is None
    assert await house.ask() is None
    assert house.fetches == 1
    house.world.identity = None
    assert await house.ask() is None
    house.world.identity, house.world.policy = "2", Fault.TIMEOUT
    found = await house.ask()
    assert (found.enforced, found.allows("any.example")) == (False, True)


async def test_a_policy_for_no_time_counts_once(house):
    house.world.policy = body(max_age=0)
    assert (await house.ask()).enforced
    house.world.identity = None
    assert await house.ask() is None


async def test_use_is_written_down_now_and_then(house):
    await house.ask()
    before = house.known()
    house.clock.move(3600)
    await house.ask()
    assert house.known() == before
    house.clock.move(1)
    await house.ask()
    assert house.known().used == house.clock.microseconds()
    assert house.known().updated == before.updated


async def test_a_full_disk_stops_no_mail(house, monkeypatch):
    async def write(body):
        raise StorageFull("full")

    monkeypatch.setattr(house.store, "write", write)
    assert (await house.ask()).enforced


# ---- Keeping it fresh. ----


async def test_refresh(tmp_path, autojump_clock):
    clock = StandingClock()
    with open_store(tmp_path, clock) as store:
        house = House(store, clock, 0.5, 0.25)
        first, second = parse_domain("a.example"), parse_domain("b.example")
        await house.ask(first)
        await house.ask(second)
        assert house.fetches == 2
        clock.move(12 * 3600)
        await house.policies.refresh()
        assert (house.fetches, trio.current_time()) == (0, 0)
        clock.move(1)
        used = house.known(first).used
        house.world.policy = body(mode="testing")
        await house.policies.refresh()
        assert trio.current_time() == pytest.approx(0.5 * 3 * 3600)
        assert house.world.fetched == ["mta-sts.b.example", "mta-sts.a.example"]  # In the order of chance.
        known = house.known(first)
        assert (known.policy.mode, known.used, known.updated) == (Mode.TESTING, used, clock.microseconds())
        assert known.valid_until == clock.microseconds() + 10 * DAY * 1_000_000


async def test_refresh_that_fails_leaves_what_is_known(house, autojump_clock):
    await house.ask()
    before = house.known()
    for change in ({"dns_fails": True}, {"dns_fails": False, "identity": None}, {"identity": "2", "policy": b""}):
        vars(house.world).update(change)
        house.clock.move(DAY)
        await house.policies.refresh()
        assert (house.known().policy, house.known().valid_until) == (before.policy, before.valid_until)
    assert house.known().reason == "lacks version"
    house.world.identity = None
    house.clock.move(10 * DAY)
    await house.policies.refresh()
    assert house.known() is None  # It had ended, and the domain does not say any more that there is one.


async def test_what_nobody_uses_is_forgotten(house, autojump_clock):
    await house.ask()
    for _ in range(180):
        house.clock.move(DAY)
        await house.policies.refresh()
    assert house.known() is not None
    house.clock.move(1)
    await house.policies.refresh()
    assert house.known() is None


async def test_what_is_not_there_is_forgotten(house, autojump_clock):
    house.world.policy = body(mode="none")
    await house.ask()
    house.clock.move(DAY)
    await house.policies.refresh()
    assert house.known().policy.mode is Mode.NONE
    house.world.identity = None
    house.clock.move(DAY)
    await house.policies.refresh()
    assert house.known() is None
    house.world.identity, house.world.policy = "2", Fault.DNS
    await house.ask()
    await house.policies.refresh()
    assert house.known().failed
    house.clock.move(301)
    await house.policies.refresh()
    assert house.known() is None


async def test_many_are_looked_at_in_pieces(house, autojump_clock):
    names = [f"d{at:03}.example" for at in range(2 * mtasts._PAGE + 1)]
    for name in names:
        await house.ask(parse_domain(name))
    house.world.fetched.clear()
    house.clock.move(DAY)
    await house.policies.refresh()
    assert sorted(house.world.fetched) == [f"mta-sts.{name}" for name in names]


async def test_keeper(house, autojump_clock):
    await house.ask()
    house.clock.move(DAY)
    with trio.move_on_after(2 * DAY):
        await house.policies.keep()
    assert house.fetches == 2
