"""From nothing to an installation: what is found out, what follows from it, what is written."""

import os
import stat
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from types import SimpleNamespace

import argon2
import pytest

from appliance.base.clock import SystemClock
from appliance.config.load import load
from appliance.config.validate_static import RunAs
from appliance.config.values import AddressName
from appliance.dns.answers import MX, Type
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table
from appliance.mail.domain import parse_domain
from appliance.net.dial import DialError
from appliance.operations import machine, quickstart, rdap
from appliance.operations.machine import Held, Interface
from appliance.operations.quickstart import Findings, Options, QuickstartError
from appliance.operations.stage import Grade
from appliance.store import account as accounts
from appliance.store.defaults import STORE
from appliance.store.store import Store

NOW = datetime(2026, 11, 26, 8, tzinfo=UTC)
HOST = parse_domain("mx.example.org")


def ips(*texts):
    return [ip_address(text) for text in texts]


def options(folder=Path("/nowhere"), **changes):
    return Options(address=AddressName("you@example.org"), directory=folder, **changes)


# ---- which addresses the listeners get ----


@pytest.mark.parametrize(("interfaces", "host", "given", "public", "nat", "internal"), [
    pytest.param(["10.0.0.2"], ["192.0.2.1"], (), ["10.0.0.2"], ["192.0.2.1"], ["127.0.0.1", "::1"], id="nat"),
    pytest.param(["10.0.0.2"], [], (), ["10.0.0.2"], [], ["127.0.0.1", "::1"], id="nat, name unknown"),
    pytest.param(["192.0.2.1", "2001:db8::1"], ["192.0.2.1"], (), ["192.0.2.1"], [], ["127.0.0.1", "::1"], id="public"),
    pytest.param(["10.0.0.2"], ["10.0.0.2"], (), ["10.0.0.2"], [], ["127.0.0.1", "::1"], id="internal network"),
    pytest.param(["192.0.2.1"], [], (), ["192.0.2.1"], [], ["127.0.0.1", "::1"], id="name unknown"),
    pytest.param([], [], (), ["0.0.0.0", "::"], [], ["127.0.0.1", "::1"], id="nothing found"),
    pytest.param(["10.0.0.2"], ["192.0.2.1"], ["198.51.100.1"], ["198.51.100.1"], [], ["127.0.0.1", "::1"], id="given"),
])  # fmt: skip
def test_listening(interfaces, host, given, public, nat, internal):
    found = [Interface("lo", tuple(ips("127.0.0.1", "::1")))]
    found += [Interface(f"eth{at}", (ip_address(text),)) for at, text in enumerate(interfaces)]
    where = quickstart.listening(options(ips=tuple(ips(*given))), Findings(found, HOST, ips(*host)))
    assert [*map(str, where.public)] == public
    assert [*map(str, where.nat)] == nat
    assert [*map(str, where.internal)] == internal


def test_both_kinds_of_interface():
    """What is internal and not the host's is the internal listener's."""
    found = [
        Interface("lo", tuple(ips("127.0.0.1"))),
        Interface("a", tuple(ips("192.0.2.1"))),
        Interface("b", tuple(ips("10.0.0.2"))),
    ]
    where = quickstart.listening(options(), Findings(found, HOST, ips("192.0.2.1")))
    assert ([*map(str, where.public)], [*map(str, where.internal)]) == (["192.0.2.1"], ["10.0.0.2", "127.0.0.1"])


def test_an_interface_with_one_internal_address_is_internal():
    assert not Interface("eth0", tuple(ips("192.0.2.1", "fd00::1"))).is_public
    assert machine.addresses([Interface("eth0", tuple(ips("192.0.2.1", "fd00::1")))]) == (
        [],
        ips("192.0.2.1", "fd00::1"),
    )


# ---- what is found out ----


@pytest.fixture
def world():
    host = ip_address("192.0.2.1")
    return SimpleNamespace(
        table={
            "com": {Type.NS: ["a.gtld.example"]},
            "mx.example.org": {Type.A: [host]},
            host.reverse_pointer: {Type.PTR: ["mx.example.org"]},
            "gmail.com": {Type.MX: [MX(10, "mx.gmail.example")]},
            "mx.gmail.example": {Type.A: [ip_address("192.0.2.99")]},
            "example.org": {},
        },
        failing=(), authentic=True, interfaces=[Interface("eth0", (host,))], system="mx.example.org", held=[], reachable=True,
        days=4000,
    )  # fmt: skip


async def survey(world, **changes):
    async def dialer(addresses, port, **_):
        if not world.reachable:
            raise DialError([(addresses[0], "timed out")], timeout=True)
        return SimpleNamespace(stream=SimpleNamespace(aclose=None), address=addresses[0])

    async def age(domain):
        if world.days is None:
            raise rdap.RDAPError("no server")
        return rdap.Age(NOW, world.days)

    means = quickstart.Means(
        resolver=Resolver(Table(world.table, failing=world.failing, authentic=world.authentic)), dialer=dialer,
        clock=SystemClock(), interfaces=lambda: world.interfaces, system_hostname=lambda: world.system,
        held_ports=lambda _: world.held, age=age,
    )  # fmt: skip
    findings = Findings()
    stages = [stage async for stage in quickstart.survey(options(**changes), means, findings)]
    return findings, {stage.title: stage for stage in stages}


@pytest.fixture(autouse=True)
def no_streams(monkeypatch):
    async def closed(_):
        return None

    monkeypatch.setattr("trio.aclose_forcefully", closed)


async def test_all_well(world):
    findings, stages = await survey(world)
    assert {title: stage.grade for title, stage in stages.items() if stage.grade is not Grade.OK} == {}
    assert (str(findings.hostname), findings.host_ips, findings.host_authentic) == (
        "mx.example.org",
        ips("192.0.2.1"),
        True,
    )


def put(name, kind, *values):
    return lambda world: world.table.setdefault(name, {}).__setitem__(kind, list(values))


def drop(name):
    return lambda world: world.table.pop(name)


def setting(name, value):
    return lambda world: setattr(world, name, value)


PTR = ip_address("192.0.2.1").reverse_pointer
LISTED = "1.2.0.192.sbl.spamhaus.org"


@pytest.mark.parametrize(("title", "grade", "change", "text", "remedy"), [
    ("Resolver", "warning", setting("authentic", False), "not verified", "validating resolver"),
    ("Addresses", "ok", setting("interfaces", [Interface("e", tuple(ips("10.0.0.2")))]), "none is public", ""),
    ("Host name", "warning", drop("mx.example.org"), "has no addresses", "add A and AAAA"),
    ("Host name", "warning", put("mx.example.org", Type.A, ip_address("127.0.1.1")), "loopback", "/etc/hosts"),
    ("Host name", "warning", setting("failing", (("mx.example.org", Type.A), ("mx.example.org", Type.AAAA))),
     "cannot be looked up", ""),
    ("Host name", "ok", setting("authentic", ("com",)), "DANE is not active", ""),
    ("Reverse names", "warning", drop(PTR), "192.0.2.1 has no name", "set its reverse name (PTR) to mx.example.org"),
    ("Reverse names", "warning", put(PTR, Type.PTR, "x.isp.example"), "is called x.isp.example", "set its reverse name"),
    ("Reverse names", "warning", put(PTR, Type.PTR, "mx.example.org", "x.isp.example"), "is called mx.example.org, x", "PTR"),
    ("Ports", "warning", setting("held", [Held(ip_address("192.0.2.1"), 25, "master")]), "master has port 25",
     "systemctl disable --now master"),
    ("Ports", "warning", setting("held", [Held(ip_address("::"), 443)]), "another program has port 443",
     "--existing-webserver"),
    ("Outgoing port 25", "error", setting("reachable", False), "cannot be reached", "ask yours"),
    ("Outgoing port 25", "warning", drop("gmail.com"), "not tried", ""),
    ("Age of the domain", "warning", setting("days", 12), "example.org is 12 days old", "Send little at first"),
    ("Age of the domain", "ok", setting("days", None), "not found out: no server", ""),
    ("Block lists", "warning", put(LISTED, Type.A, ip_address("127.0.0.2")), "is on sbl.spamhaus.org", "multirbl"),
    ("Block lists", "warning", setting("failing", ((LISTED, Type.A),)), "does not tell", ""),
    ("Mail of the domain today", "warning", put("example.org", Type.MX, MX(1, "old.example")), "goes to old.example",
     "Move the mailboxes first"),
    ("Mail of the domain today", "ok", put("example.org", Type.MX, MX(1, "mx.example.org")), "comes to this machine", ""),
])  # fmt: skip
async def test_finding(world, title, grade, change, text, remedy):
    change(world)
    _, stages = await survey(world)
    stage = stages[title]
    assert stage.grade == grade, stage
    assert any(text in one for one in stage.texts), stage
    assert any(remedy in one for one in stage.remedies) if remedy else not stage.remedies, stage


async def test_no_resolver(world):
    world.failing = (("com", Type.NS),)
    with pytest.raises(QuickstartError, match="--offline"):
        await survey(world)


@pytest.mark.parametrize(("system", "pointers", "expected"), [
    ("box", ["b.example.net", "a.example.net"], "a.example.net"),
    ("box", [], "box.example.org"),
    ("", [], "mail.example.org"),
    ("host.example.com", ["a.example.net"], "host.example.com"),
])  # fmt: skip
async def test_hostname(world, system, pointers, expected):
    world.system = system
    world.table[PTR] = {Type.PTR: pointers} if pointers else {}
    findings, stages = await survey(world)
    assert str(findings.hostname) == expected
    assert stages["Host name"].texts[0] == expected


async def test_a_given_name_wins(world):
    findings, _ = await survey(world, hostname=parse_domain("other.example.org"))
    assert str(findings.hostname) == "other.example.org"


async def test_offline_asks_nothing(world):
    world.table = {}
    world.reachable, world.days = False, None
    findings, stages = await survey(world, offline=True, hostname=HOST, ips=tuple(ips("192.0.2.5")))
    assert findings.host_ips == ips("192.0.2.5")
    assert {title for title, stage in stages.items() if stage.grade is Grade.SKIPPED} == {
        "Resolver", "Reverse names", "Outgoing port 25", "Age of the domain", "Block lists",
    }  # fmt: skip


# ---- what is written ----


def install(folder, unit="unit\n", **changes):
    wanted = options(folder, hostname=HOST, ips=tuple(ips("192.0.2.1")), **changes)
    findings = Findings([], HOST, ips("192.0.2.1"))
    return quickstart.install(wanted, quickstart.plan(wanted, findings, NOW), SystemClock(), unit)


def modes(folder):
    return {
        str(path.relative_to(folder)): stat.S_IMODE(path.stat().st_mode)
        for path in sorted(folder.rglob("*")) if path.is_file() and "data" not in path.parts
    }  # fmt: skip


def test_installation(tmp_path):
    made = install(tmp_path)
    stamp = "20261126T080000"
    dkim = "config/dkim/2026{}._domainkey.example.org." + stamp + ".{}.privatekey.pkcs8.pem"
    assert modes(tmp_path) == {
        "config/adminpasswd": 0o660,
        dkim.format("a", "rsa2048"): 0o660,
        dkim.format("b", "rsa2048"): 0o660,
        dkim.format("e", "ed25519"): 0o660,
        "config/domains.toml": 0o660,
        f"config/hostkeys/mx.example.org.{stamp}.ecdsap256.privatekey.pkcs8.pem": 0o600,
        f"config/hostkeys/mx.example.org.{stamp}.rsa2048.privatekey.pkcs8.pem": 0o600,
        "config/moxpy.toml": 0o660,
        "moxpy.service": 0o644,
    }
    assert stat.S_IMODE((tmp_path / "config/hostkeys").stat().st_mode) == 0o770
    config = load(tmp_path / "config/moxpy.toml", find_user=lambda _: RunAs(1, 1))
    assert not config.warnings
    assert config.static.listeners["internal"].webapi_http.enabled
    store = Store(tmp_path / "data", clock=SystemClock(), limits=STORE)
    with store.read() as tx:
        kept = accounts.credentials(tx, tx.account_id("you"))
    store.close()
    assert argon2.PasswordHasher().verify(kept.password_hash, made.password)
    assert made.password not in (tmp_path / "config/domains.toml").read_text()
    assert len({made.password, made.admin_password}) == 2


def test_behind_a_web_server(tmp_path):
    install(tmp_path, behind=True)
    config = load(tmp_path / "config/moxpy.toml", check_files=False, find_user=lambda _: RunAs(1, 1))
    public, internal = config.static.listeners["public"], config.static.listeners["internal"]
    assert not config.static.acme
    assert [str(one.cert_file) for one in public.tls.key_certs] == [
        f"path/to/{name}-chain.crt.pem"
        for name in ("mx.example.org", "mta-sts.example.org", "autoconfig.example.org", "mail.example.org")
    ]
    assert internal.admin_http.forwarded
    assert (internal.mtasts_https.port, internal.mtasts_https.non_tls) == (81, True)


def test_ed25519_signs(tmp_path):
    made = install(tmp_path, ed25519=True)
    assert made.config.domains.domains["example.org"].dkim.sign == ("2026a", "2026e")


def test_nothing_is_overwritten(tmp_path):
    install(tmp_path)
    before = modes(tmp_path)
    with pytest.raises(QuickstartError, match="moxpy doctor"):
        install(tmp_path)
    assert modes(tmp_path) == before


@pytest.mark.parametrize("step", range(1, 11))
def test_all_or_nothing(tmp_path, monkeypatch, step):
    """Whatever step fails, nothing stays."""
    count = 0
    true_open = os.open

    def failing(path, flags, *rest, **more):
        nonlocal count
        if flags & os.O_EXCL and str(tmp_path) in str(path):
            count += 1
            if count == step:
                raise OSError(28, "No space left on device", str(path))
        return true_open(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", failing)
    if step == 10:
        monkeypatch.setattr(accounts, "set_credentials", lambda *_, **__: 1 / 0)
    with pytest.raises((QuickstartError, ZeroDivisionError)):
        install(tmp_path)
    assert [*tmp_path.iterdir()] == []


# ---- this machine ----


def test_held_ports(tmp_path):
    """From what the kernel says; tcp6 has all addresses as ::."""
    (tmp_path / "net").mkdir()
    head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    line = "   {}: {} {} {} 00000000:00000000 00:00000000 00000000     0        0 {} 1 0 100 0 0 10 0\n"
    (tmp_path / "net/tcp").write_text(
        head
        + line.format(0, "0100007F:0019", "00000000:0000", "0A", 111)
        + line.format(1, "0100007F:01BB", "0200007F:0123", "01", 112)
    )
    (tmp_path / "net/tcp6").write_text(head + line.format(0, "0" * 32 + ":0050", "0" * 32 + ":0000", "0A", 113))
    (tmp_path / "42/fd").mkdir(parents=True)
    (tmp_path / "42/fd/3").symlink_to("socket:[111]")
    (tmp_path / "42/comm").write_text("master\n")
    assert machine.held_ports((25, 80, 443), tmp_path) == [
        Held(ip_address("127.0.0.1"), 25, "master"), Held(ip_address("::"), 80, ""),
    ]  # fmt: skip


def test_interfaces_of_this_machine():
    assert ip_address("127.0.0.1") in machine.addresses(machine.interfaces())[1]


# ---- how old a domain is ----


BOOTSTRAP = {
    "services": [[["org"], ["http://a.example", "https://a.example/"]], [["co.uk"], ["https://uk.example"]], "bad"]
}


@pytest.mark.parametrize(("domain", "expected"), [
    ("example.org", ["http://a.example", "https://a.example/"]),
    ("example.co.uk", ["https://uk.example"]),
    ("example.uk", []),
])  # fmt: skip
def test_bootstrap(domain, expected):
    assert rdap.parse_bootstrap(BOOTSTRAP, parse_domain(domain)) == expected


@pytest.mark.parametrize("document", [None, [], {}, {"services": 3}, {"services": [3, [[3], [3]]]}])
def test_bootstrap_of_anything(document):
    assert rdap.parse_bootstrap(document, parse_domain("example.org")) == []


def test_registered():
    events = [
        {"eventAction": "registration", "eventDate": "2001-02-03T04:05:06Z"},
        {"eventAction": "reregistration", "eventDate": "2011-02-03T04:05:06.5+01:00"},
        {"eventAction": "last changed", "eventDate": "2025-01-01T00:00:00Z"},
        {"eventAction": "registration", "eventDate": "soon"}, 3,
    ]  # fmt: skip
    assert rdap.parse_registered({"events": events}).year == 2011
    with pytest.raises(rdap.RDAPError):
        rdap.parse_registered({"events": [{"eventAction": "last changed", "eventDate": "2025-01-01T00:00:00Z"}]})


@pytest.mark.parametrize(("days", "text"), [(1, "1 day"), (400, "1 year, 35 days"), (4000, "10 years, 350 days")])
def test_age(days, text):
    assert str(rdap.Age(NOW, days)) == text


def test_passwords_are_no_options():
    made = {quickstart.generate_password() for _ in range(500)}
    assert len(made) == 500
    assert all(one[0].isalnum() and len(one) == quickstart.PASSWORD_CHARACTERS for one in made)
