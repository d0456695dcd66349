"""Which certificate a ClientHello is answered with, by door; and what the configuration says of authorities."""

from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import pytest
import trio
from cryptography import x509

from appliance.config.load import load
from appliance.config.source import Config
from appliance.dns.answers import CAA, Type
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table
from appliance.net.clienthello import Hello
from appliance.net.connection import UnknownName
from appliance.tls import selfsigned
from appliance.tls.acme import authorities, choosing, keys
from appliance.tls.acme.challenges import ALPN, Answers, InTLS
from appliance.tls.acme.checks import Checks
from appliance.tls.acme.choosing import Choosing, Manners
from appliance.tls.acme.client import ACMEError
from appliance.tls.acme.keys import KeyType
from appliance.tls.acme.messages import Directory, Meta
from appliance.tls.acme.provider import NotYet
from appliance.tls.context import Demands
from appliance.tls.contexts import SocketContexts
from support.clock import StandingClock

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
MX, MAIL, STS, NEW, NEVER = (f"{name}.example.org" for name in ("mx", "mail", "mta-sts", "new", "never"))
PAIRS = {
    (MX, KeyType.ECDSA): selfsigned.make([MX], [], NOW),
    (MX, KeyType.RSA): selfsigned.make([MX], [], NOW, key=keys.generate(KeyType.RSA)),
    (MAIL, KeyType.ECDSA): selfsigned.make([MAIL], [], NOW),
}
NEWS = selfsigned.make([NEW], [], NOW)


class Certificates:
    """Stands for a provider: NEW comes when it is waited for, NEVER takes for ever, STS cannot be had."""

    def __init__(self, pairs=PAIRS) -> None:
        self.pairs = dict(pairs)

    def allows(self, host):
        return host in {MX, MAIL, STS, NEW, NEVER}

    def pair(self, host, key_type):
        if (host, key_type) in self.pairs:
            return self.pairs[host, key_type]
        if host in {NEW, NEVER}:
            raise NotYet
        raise UnknownName("the authority does not want to")

    def any_pair(self, host):
        return next((pair for (known, _), pair in self.pairs.items() if known == host), None)

    async def wait(self, host, key_type):
        await trio.sleep(10**6 if host == NEVER else 5)
        self.pairs[host, key_type] = NEWS


def door(certificates, answers=None, **manners) -> Choosing:
    contexts = SocketContexts(Demands(), StandingClock())
    return Choosing(certificates, answers or Answers(), contexts, Manners(MX, **manners))


async def shown(choose, name, *, ecdsa=True):
    """The host of the certificate that is chosen and its key; `alert` when there is none."""
    try:
        context = await choose(Hello(name, ecdsa=ecdsa))
    except UnknownName:
        return "alert"
    (pair,) = (one for one, found in choose._contexts._generations.items() if found[0].context is context)
    certificate = x509.load_pem_x509_certificate(pair.chain)
    key = "" if ecdsa == (pair.key_type() == "ecdsa") else f" {pair.key_type()}"
    return certificate.subject.rfc4514_string().removeprefix("CN=").removesuffix(".example.org") + key


MANNERS = {"mail": {}, "delivery": {"delivery": True}, "web": {"web": True}}


@pytest.mark.parametrize(("name", "mail", "delivery", "web"), [
    pytest.param("", "mx", "mx", "alert", id="nobody named"),
    pytest.param(MX, "mx", "mx", "mx", id="the host"),
    pytest.param(MAIL, "mail", "mail", "mail", id="another of ours"),
    pytest.param("example.org", "alert", "mx", "alert", id="not ours"),
    pytest.param("192.0.2.1", "alert", "mx", "alert", id="address"),
    pytest.param("mx", "alert", "mx", "alert", id="without dot"),
    pytest.param(NEW, "new", "new", "new", id="got meanwhile"),
    pytest.param(STS, "alert", "alert", "alert", id="cannot be had"),
    pytest.param(NEVER, "alert", "alert", "alert", id="takes for ever"),
])  # fmt: skip
async def test_doors(autojump_clock, name, mail, delivery, web):
    """Port 25 knows no unknown names. Where there is no certificate, all refuse with unrecognized_name."""
    found = {kind: await shown(door(Certificates(), **manners), name) for kind, manners in MANNERS.items()}
    assert found == {"mail": mail, "delivery": delivery, "web": web}


async def test_clients_that_cannot_do_ecdsa(autojump_clock):
    assert await shown(door(Certificates()), MX, ecdsa=False) == "mx"
    assert await shown(door(Certificates()), MAIL, ecdsa=False) == "alert"
    assert await shown(door(Certificates(), delivery=True), MAIL, ecdsa=False) == "mail ecdsa"


@pytest.mark.parametrize(("manners", "seconds"), [({}, 300), ({"delivery": True}, 20)], ids=["mail", "delivery"])
async def test_nobody_waits_longer(autojump_clock, manners, seconds):
    began = trio.current_time()
    await shown(door(Certificates(), **manners), NEVER)
    assert trio.current_time() - began == pytest.approx(seconds)


@pytest.mark.parametrize("name", ["", MX, MAIL, "example.org", "mx", "192.0.2.1"])
@pytest.mark.parametrize("manners", MANNERS.values(), ids=MANNERS)
async def test_no_certificate_at_all(name, manners):
    assert await shown(door(Certificates({}), **manners), name) == "alert"


async def test_authorities_are_answered_at_web_doors():
    answers = Answers()
    web, mail = door(Certificates(), answers, web=True), door(Certificates(), answers)
    hello = Hello(MX, protocols=(ALPN,))
    with pytest.raises(UnknownName):
        await web(hello)
    async with InTLS(answers, StandingClock()).answering(MX, "t", "t.k"):
        assert await web(hello) is answers.context(MX)
        assert await mail(hello) is not answers.context(MX)
        assert await web(Hello(MX, protocols=(ALPN, b"h2"))) is not answers.context(MX)


async def test_refusals_are_counted():
    before = choosing.unnamed.labels().value, choosing.unknown.labels().value
    await shown(door(Certificates(), web=True), "")
    await shown(door(Certificates(), delivery=True), "x.example")
    after = choosing.unnamed.labels().value, choosing.unknown.labels().value
    assert [new - old for new, old in zip(after, before, strict=True)] == [1, 1]


STATIC = """
data_dir = "data"
log_level = "info"
user = "1000"
hostname = "mx.example.org"
[acme.le]
directory_url = "https://acme.test/directory"
contact_email = "postmaster@example.org"
[acme.other]
directory_url = "https://other.test/directory"
contact_email = "postmaster@example.org"
[postmaster]
account = "a"
mailbox = "Inbox"
[listeners.aaa]
ips = ["192.0.2.9"]
tls = { acme = "le", host_private_key_files = ["any.pem"] }
[listeners.own]
ips = ["192.0.2.8"]
hostname = "own.example.org"
tls = { acme = "le", host_private_key_files = ["own.pem"] }
[listeners.public]
ips = ["192.0.2.1"]
tls = { acme = "le", host_private_key_files = ["p384.pem", "public.pem", "second.pem"] }
submissions = { enabled = true }
autoconfig_https = { enabled = true }
mtasts_https = { enabled = true }
webserver_https = { enabled = true }
"""
DOMAINS = """
[domains."example.org"]
client_settings_domain = "mail.example.org"
mtasts = { policy_id = "1", mode = "enforce", max_age = "24h" }
[domains."off.example"]
disabled = true
[accounts.a]
domain = "example.org"
[accounts.a.destinations]
"a@example.org" = {}
[web_domain_redirects]
"site.example" = "www.example.org"
"""


def config(folder: Path, static: str = STATIC) -> Config:
    (folder / "moxpy.toml").write_text(static)
    (folder / "domains.toml").write_text(DOMAINS)
    return load(folder / "moxpy.toml", check_files=False)


def test_names(tmp_path):
    names = authorities.names_of(config(tmp_path), "le")
    assert names.eager == (MX, "own.example.org", MAIL, "autoconfig.example.org")
    assert names.allowed == {*names.eager, STS, "site.example"}
    assert authorities.names_of(config(tmp_path), "other") == authorities.Names()


def test_host_keys(tmp_path):
    """The first of each kind; who names the host itself comes first, then `public`."""
    from cryptography.hazmat.primitives.asymmetric import ec

    made = {name: keys.generate(KeyType.ECDSA) for name in ("any", "own", "public", "second")}
    for name, key in {**made, "p384": ec.generate_private_key(ec.SECP384R1())}.items():
        (tmp_path / f"{name}.pem").write_bytes(keys.dump(key))
    found = authorities.host_keys(config(tmp_path), "le")
    assert {place: keys.public(key) for place, key in found.items()} == {
        (MX, KeyType.ECDSA): keys.public(made["public"]),
        ("own.example.org", KeyType.ECDSA): keys.public(made["own"]),
    }


@pytest.mark.parametrize(("change", "addresses"), [
    (("", ""), {"192.0.2.1"}), (('ips = ["192.0.2.1"]', 'ips = ["10.0.0.1"]\nnat_ips = ["192.0.2.2"]'), {"192.0.2.2"}),
    (('ips = ["192.0.2.1"]', 'ips = ["0.0.0.0"]'), set()), (("listeners.public", "listeners.x"), set()),
])  # fmt: skip
def test_public_addresses(tmp_path, change, addresses):
    found = authorities.public_ips(config(tmp_path, STATIC.replace(*change)).static)
    assert found == {ip_address(one) for one in addresses}


class Server:
    async def directory(self):
        return Directory("", "", "", meta=Meta(caa_identities=("ca.example",)))

    async def account_url(self):
        return "https://acme.test/account/1"


@pytest.mark.parametrize(("records", "error"), [
    pytest.param({Type.A: [ip_address("192.0.2.1")]}, "", id="here"),
    pytest.param({Type.A: [ip_address("192.0.2.7")]}, "", id="elsewhere, which is only logged"),
    pytest.param({Type.TXT: ["x"]}, "the name has no address in the DNS", id="no address"),
    pytest.param({Type.A: [ip_address("192.0.2.1")], Type.CAA: [CAA(0, "issue", "other.example")]},
                 "CAA records allow other.example to issue certificates, not ca.example (records of mx.example.org)",
                 id="another authority"),
    pytest.param({Type.A: [ip_address("192.0.2.1")],
                  Type.CAA: [CAA(0, "issue", "ca.example; accounturi=https://acme.test/account/1")]}, "", id="we alone"),
])  # fmt: skip
async def test_checks_before_an_order(records, error, caplog):
    checks = Checks(
        Resolver(Table({MX: records})), public_ips={ip_address("192.0.2.1")}, issuer="", methods=["tls-alpn-01"]
    )
    if not error:
        await checks(Server(), MX)
        assert ("leads elsewhere" in caplog.text) == (records[Type.A] == [ip_address("192.0.2.7")])
        return
    with pytest.raises(ACMEError) as raised:
        await checks(Server(), MX)
    assert error in str(raised.value)


async def test_checks_before_an_order_for_all_names_below_one():
    """Nobody is asked where an asterisk leads; the records of the domain count, and only the DNS proves it."""
    records = {Type.CAA: [CAA(0, "issuewild", "ca.example; validationmethods=http-01")]}
    checks = Checks(Resolver(Table({"example.org": records})), public_ips=(), issuer="", methods=["dns-01", "http-01"])
    with pytest.raises(ACMEError, match="allows http-01 only, we can do dns-01"):
        await checks(Server(), "*.example.org")
