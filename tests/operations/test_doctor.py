"""An installation with a fault in it: the doctor finds it and names the remedy."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from types import SimpleNamespace

import pytest

from appliance.base.clock import SystemClock
from appliance.dns.answers import MX, Type
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table
from appliance.net.dial import DialError
from appliance.operations import doctor
from appliance.operations.dnsrecords import Wanted
from appliance.operations.domaincheck import Area
from appliance.operations.machine import Held, Interface
from appliance.operations.stage import Grade
from support.authority import Authority
from support.exampleconfig import load_example, write_example

AUTHORITY = Authority()
OWN = ip_address("192.0.2.10")
LISTED = "10.2.0.192.sbl.spamhaus.org"


@pytest.fixture
def world(tmp_path):
    folder = write_example(tmp_path / "config")
    (folder / "adminpasswd").write_text("x")
    (tmp_path / "data/store").mkdir(parents=True)
    (tmp_path / "data/store/data.mdb").write_bytes(b"")
    for path in tmp_path.rglob("*"):
        path.chmod(0o750 if path.is_dir() else 0o640)
    return SimpleNamespace(
        folder=folder,
        table={
            "gmail.com": {Type.MX: [MX(10, "mx.gmail.example")]},
            "mx.gmail.example": {Type.A: [ip_address("198.51.100.1")]},
        },
        failing=(), reachable=True, free=0.5, files=65535, synchronized=True, users=("moxpy",),
        interfaces=[Interface("eth0", (OWN, ip_address("2001:db8::10"))), Interface("lo", (ip_address("127.0.0.1"), ip_address("127.0.0.2"), ip_address("::1")))],
        held=[Held(OWN, port, "moxpy") for port in (25, 465, 993)],
        running={
            "version": "1",
            "health": {
                "queue_messages": 0, "queue_on_hold": 0, "queue_oldest_microseconds": None,
                "accounts_without_password": [], "full_accounts": [],
            },
        },
        areas={},
    )  # fmt: skip


async def examined(world, monkeypatch, change=lambda _: None):
    async def closed(_):
        return None

    async def dialer(addresses, port, **_):
        if not world.reachable:
            raise DialError([(addresses[0], "timed out")], timeout=True)
        return SimpleNamespace(stream=None, address=addresses[0])

    async def check_domain(_):
        return {name: Area(name.upper(), **found) for name, found in world.areas.items()}

    monkeypatch.setattr("trio.aclose_forcefully", closed)
    # The folders of tests are their user's alone.
    monkeypatch.setattr(doctor, "is_reachable", lambda path: (path.parent.stat().st_mode & 0o001) == 1)
    change(world)
    means = doctor.Means(
        clock=SystemClock(), resolver=Resolver(Table(world.table, failing=world.failing)), dialer=dialer,
        running=world.running, check_domain=check_domain, dial_domain="gmail.com", interfaces=lambda: world.interfaces,
        held_ports=lambda ports: [one for one in world.held if one.port in ports], user_exists=lambda name: name in world.users,
        disk=lambda _: (1 << 40, int((1 << 40) * world.free)), open_files=lambda: world.files,
        clock_is_synchronized=lambda: world.synchronized,
    )  # fmt: skip
    config = load_example(world.folder)
    return {stage.title: stage async for stage in doctor.examine(config, means)}


async def test_in_order(world, monkeypatch):
    stages = await examined(world, monkeypatch)
    assert {title: stage for title, stage in stages.items() if stage.grade in {Grade.ERROR, Grade.WARNING}} == {}
    assert stages["Domain example.org"].grade is Grade.OK
    assert stages["Domain parked.example"].grade is Grade.SKIPPED


def setting(name, value):
    return lambda world: setattr(world, name, value)


def health(**values):
    return lambda world: world.running["health"].update(values)


def mode(name, bits):
    def change(world):
        for path in (world.folder.parent, world.folder, *world.folder.rglob("*")):
            if path.is_dir():
                path.chmod(0o755)
        next(iter(sorted(world.folder.glob(name)))).chmod(bits)

    return change


def replaced(old, new, file="moxpy.toml"):
    def change(world):
        text = (world.folder / file).read_text()
        assert old in text
        (world.folder / file).write_text(text.replace(old, new, 1))

    return change


def certificate(end, pem=None):
    def change(world):
        pair = AUTHORITY.key_pair("mx.example.org", begin=timedelta(days=-90), end=end)
        (world.folder / "own.pem").write_bytes(pair.chain if pem is None else pem)
        (world.folder / "own.key").write_bytes(pair.key)
        for name in ("own.pem", "own.key"):
            (world.folder / name).chmod(0o640)
        replaced(
            "[listeners.behind]\n",
            '[listeners.behind]\ntls = { key_certs = [{ cert_file = "own.pem", key_file = "own.key" }] }\n',
        )(world)

    return change


def acme(**one):
    usual = {"host": "mx.example.org", "state": "ok", "error": "", "expires": 0.0}
    return lambda world: world.running.update(certificates=[{**usual, **one}])


def area(**found):
    return lambda world: world.areas.update(mx=found)


NOW = datetime.now(UTC)
FAULTS = [
    ("User", "error", setting("users", ()), "there is no user moxpy", "useradd"),
    ("Files", "error", mode("adminpasswd", 0o644), "everybody on this machine may read", "chmod o-rwx"),
    ("Files", "error", mode("hostkeys/*ecdsa*", 0o644), "everybody on this machine may read", "chmod o-rwx"),
    ("Files", "error", mode("dkim/*2026a*", 0o604), "everybody on this machine may read", "chmod o-rwx"),
    ("Files", "error", replaced("../data", "../elsewhere"), "there is no data in", "data_dir"),
    ("Server", "error", setting("running", None), "does not run", "systemctl start moxpy"),
    ("Disk", "error", setting("free", 0.01), "are free", "Make room"),
    ("Disk", "warning", setting("free", 0.07), "are free", "Make room"),
    ("System", "warning", setting("synchronized", False), "clock is not synchronized", "chrony"),
    ("System", "warning", setting("files", 1024), "1024 files", "LimitNOFILE"),
    ("Addresses", "error", setting("interfaces", []), "listener public has 192.0.2.10", "listeners.public.ips"),
    ("Addresses", "warning", lambda world: [
        replaced('"192.0.2.10", "2001:db8::10"', '"10.0.0.2"')(world),
        setattr(world, "interfaces", [*world.interfaces, Interface("eth1", (ip_address("10.0.0.2"),))]),
    ], "no nat_ips", "nat_ips"),
    ("Ports", "error", setting("held", [Held(OWN, 25, "master"), Held(OWN, 465, "moxpy"), Held(OWN, 993, "moxpy")]),
     "master has port 25", "systemctl disable --now master"),
    ("Ports", "error", setting("held", [Held(OWN, 25, "moxpy"), Held(OWN, 465, "moxpy")]),
     "nobody listens on port 993 (IMAPS)", "systemctl restart moxpy"),
    ("Certificates of files", "error", certificate(timedelta(days=-1)), "ended on", "Renew it"),
    ("Certificates of files", "warning", certificate(timedelta(days=3)), "ends on", "Renew it"),
    ("Certificates by ACME", "error", acme(state="error", error="connection refused"), "connection refused", "ports 80 and 443"),
    ("Certificates by ACME", "warning", acme(expires=(NOW + timedelta(days=2)).timestamp()), "ends on", "log"),
    ("Certificates by ACME", "warning", acme(state="waiting"), "has none yet", "log"),
    ("Queue", "warning", health(queue_messages=3, queue_on_hold=2), "2 on hold", "queue unhold"),
    ("Queue", "warning", health(queue_messages=1, queue_oldest_microseconds=SystemClock().microseconds() - 9 * 3600 * 10**6),
     "waits for 9 hours", "queue list --asc"),
    ("Accounts", "warning", health(accounts_without_password=["bob"]), "bob has no password", "setaccountpassword bob"),
    ("Accounts", "warning", health(full_accounts=[{"account": "bob", "used_octets": 95, "limit_octets": 100}]),
     "bob has used 95%", "quota bob"),
    ("Outgoing port 25", "error", setting("reachable", False), "cannot be reached", "ask yours"),
    ("Outgoing port 25", "warning", setting("failing", (("gmail.com", Type.MX),)), "not tried", "resolv.conf"),
    ("Block lists", "error", lambda world: world.table.update({LISTED: {Type.A: [ip_address("127.0.0.2")]}}),
     "192.0.2.10 is on sbl.spamhaus.org", "multirbl"),
    ("Domain example.org", "error", area(errors=["no MX"], records=[Wanted("example.org", "MX", "10 mx.example.org.")]),
     "MX: no MX", "publish example.org. MX 10 mx.example.org."),
    ("Domain example.org", "warning", area(warnings=["odd"], instructions=["Do this."]), "MX: odd", "Do this."),
]  # fmt: skip


@pytest.mark.parametrize(("title", "grade", "change", "text", "remedy"), FAULTS)
async def test_fault(world, monkeypatch, title, grade, change, text, remedy):
    stages = await examined(world, monkeypatch, change)
    stage = stages[title]
    assert stage.grade == grade, stage
    assert any(text in one for one in stage.texts), stage
    assert any(remedy in one for one in stage.remedies), stage


async def test_what_is_the_machines_is_said_once(world, monkeypatch):
    """Two domains with the same fault of the host."""

    def change(world):
        replaced('[domains."parked.example"]\ndisabled = true', '[domains."parked.example"]', "domains.toml")(world)
        area(errors=["the host is odd"], instructions=["Do this."])(world)

    stages = await examined(world, monkeypatch, change)
    assert stages["Domain example.org"].remedies == ["Do this."]
    assert stages["Domain parked.example"].grade is Grade.OK
